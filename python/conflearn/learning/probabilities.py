"""Out-of-sample probabilities: each example is judged by a model that has not seen it."""

from collections.abc import Mapping
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
from sklearn.utils import _safe_indexing, indexable
from sklearn.utils.parallel import Parallel, delayed
from sklearn.utils.validation import _num_samples, column_or_1d

from conflearn._coerce import NamedLabels, as_floats, as_named_labels, one_of
from conflearn._coerce.objects import Array, cell_name, spelled
from conflearn._names import RESPONSES, Response
from conflearn._warn import warn_caller
from conflearn.errors import FoldWarning, InputError, LabelError, OptionError, ShapeError
from conflearn.learning.folds import Cut, Fold, cut
from conflearn.learning.learner import (
    Coding,
    Learner,
    check_classifier,
    coding_of,
    response_of,
    weight_name,
)

__all__ = ["cross_val_pred_probs", "judge", "read_examples", "read_weights"]

_SHOWN = 5  # rows that a message gives


def cross_val_pred_probs(
    classifier: Any,
    X: Any,
    y: object,
    *,
    cv: Any = 5,
    groups: object = None,
    sample_weight: object = None,
    params: Mapping[str, Any] | None = None,
    n_jobs: int | None = None,
    method: Response = "predict_proba",
    encode_labels: bool | Literal["auto"] = "auto",
    random_state: Any = None,
) -> npt.NDArray[Any]:
    """Predict each example by a model that was trained on others.

    Parameters
    ----------
    classifier : estimator
        Any classifier with ``fit`` and the `method`; clones of it are fitted.
    X : array_like of N examples
        Arrays, frames of pandas and polars, sparse matrices, lists: what the classifier reads.
    y : array_like of shape (N,)
        Given labels: strings, whole numbers, bools or categories, of at least two classes.
    cv : int, splitter or iterable, default 5
        The number of folds, in each of which all classes are as frequent as in `y`; or a splitter
        of scikit-learn; or pairs of rows (to train on, to predict). Where a splitter predicts an
        example several times, the mean counts.
    groups : array_like of shape (N,), optional
        Examples of a group are held out together.
    sample_weight : array_like of shape (N,), optional
        Weights of the examples in training.
    params : mapping, optional
        More arguments for ``fit``. What has N entries is cut like `X`.
    n_jobs : int, optional
        Number of folds to train at a time, in worker processes of joblib.
    method : {"predict_proba", "decision_function"}
        What to ask the models for. Decision values of two classes become two columns.
    encode_labels : bool or "auto", default "auto"
        Whether to train on the numbers 0..K-1 in place of the labels. Classifiers of xgboost and
        skorch need it and get it; others are told the labels as they are.
    random_state : int or RandomState, optional
        Seed of the order in which examples come into folds, where `cv` is an int.

    Returns
    -------
    ndarray of shape (N, K), float
        A column for each class, in the order of ``numpy.unique(y)``, in the dtype that the
        classifier gives. A class that a model has not seen has probability 0. An example that no
        model can judge, because its class was not among those that a model had seen, or because it
        was never held out, gets probability 1 for its own class, so that it is not taken for an
        issue. A `FoldWarning` tells how many these are.

    Raises
    ------
    InputError
        If `X`, `y`, `groups` or `sample_weight` differ in length, or a label is missing, or there
        is but one class, or no class with two examples.
    OptionError
        If the classifier lacks the method, or takes no weights, or `cv` makes no sense.

    See Also
    --------
    CleanLearning : Does this, finds the issues, and trains on what is left.

    Examples
    --------
    >>> import conflearn
    >>> from sklearn.linear_model import LogisticRegression
    >>> X = [[0.0], [0.1], [0.2], [0.9], [1.0], [1.1]]
    >>> y = ["no", "no", "no", "yes", "yes", "yes"]
    >>> pred_probs = conflearn.cross_val_pred_probs(LogisticRegression(), X, y, cv=3)
    >>> pred_probs.shape
    (6, 2)
    >>> conflearn.find_label_issues(y, pred_probs, classes=["no", "yes"]).any()
    np.False_
    """
    check_classifier(classifier)
    one_of(method, RESPONSES, "method")
    X, labels = read_examples(X, y)
    fit_params = dict(params or {})
    if sample_weight is not None:
        name = weight_name(classifier)
        if name is None:
            raise OptionError(
                f"sample_weight is given, but {type(classifier).__name__}.fit takes no weights; "
                "leave it out, or pass another classifier"
            )
        fit_params[name] = read_weights(sample_weight, len(labels.codes))
    split_params = {} if groups is None else {"groups": read_groups(groups, len(labels.codes))}
    return judge(
        classifier,
        X,
        labels,
        parts=cut(cv, X, labels, split_params, random_state),
        params=fit_params,
        response=response_of(classifier, method),
        coding=coding_of(classifier, encode_labels),
        n_jobs=n_jobs,
    )


def read_examples(X: Any, y: object) -> tuple[Any, NamedLabels]:
    """Read the labels, and make sure that rows of ``X`` can be taken."""
    if y is None:
        raise LabelError(
            "learning requires y to be passed, but the target y is None; pass a label for each "
            "example"
        )
    if isinstance(y, np.ndarray) and y.ndim == 2 and y.shape[1] == 1:  # noqa: PLR2004 - (N, 1)
        y = column_or_1d(y, warn=True)  # scikit-learn's warning, of a shape that it frowns upon
    labels = as_named_labels(y, name="y")
    n_examples = len(labels.codes)
    if X is not None:
        (X,) = indexable(X)
        if _num_samples(X) != n_examples:
            raise ShapeError(
                f"y has {n_examples} entries, but X has {_num_samples(X)} rows; there must be one "
                "label for each row"
            )
    if len(labels.classes) == 1:
        raise LabelError(
            f"y must hold at least two classes, but every one of its n_samples={n_examples} "
            f"entries is {spelled(labels.classes[0].item())}; there is nothing to tell apart"
        )
    return X, labels


def read_weights(sample_weight: object, n_examples: int) -> Array:
    """Read weights; a single number is the weight of all."""
    weights = as_floats(sample_weight, "sample_weight")
    if weights.ndim == 0:
        weights = np.full(n_examples, weights)
    if weights.shape != (n_examples,):
        raise ShapeError(
            f"sample_weight must have one dimension, with a weight for each of the {n_examples} "
            f"examples; its shape is {weights.shape}"
        )
    if not np.isfinite(weights).all():
        row = int(np.isfinite(weights).argmin())
        raise InputError(
            f"{cell_name('sample_weight', (row,))} is {spelled(weights[row])}, but must be finite; "
            "put a number there"
        )
    return weights


def read_groups(groups: Any, n_examples: int) -> Array:
    """Read groups: of any sort, one for each example."""
    values = np.asarray(groups)
    if values.shape != (n_examples,):
        raise ShapeError(
            f"groups must have one dimension, with a group for each of the {n_examples} examples; "
            f"its shape is {values.shape}"
        )
    return values


def judge(
    classifier: Any,
    X: Any,
    labels: NamedLabels,
    *,
    parts: Cut,
    params: dict[str, Any],
    response: Response,
    coding: Coding,
    n_jobs: int | None,
) -> Array:
    """Fit a model for each fold, and put together what they say about the rows held out."""
    classes, codes = labels
    answers = Parallel(n_jobs=n_jobs, return_as="generator")(
        delayed(_ask)(classifier, X, labels, fold, params, response, coding) for fold in parts.folds
    )
    matrix: Array | None = None
    times = np.zeros(len(codes), np.int64)
    for fold, answer in zip(parts.folds, answers, strict=True):
        if answer is None:
            continue
        columns, seen = answer
        is_judged = seen[codes[fold.test]]
        rows = fold.test[is_judged]
        if matrix is None:
            matrix = np.zeros((len(codes), len(classes)), columns.dtype)
        if columns.dtype != matrix.dtype:
            matrix = matrix.astype(np.result_type(matrix, columns), copy=False)
        matrix[rows] += columns[is_judged]
        times[rows] += 1
    if matrix is None:
        matrix = np.zeros((len(codes), len(classes)))
    again = times > 1
    if again.any():
        matrix[again] /= times[again, np.newaxis].astype(matrix.dtype)
    unjudged = np.flatnonzero(times == 0)
    _count_as_right(matrix, codes, unjudged, response)
    if len(unjudged) > len(parts.alone):  # about those alone `cut` has warned
        shown = ", ".join(map(str, unjudged[:_SHOWN])) + ", ..." * (len(unjudged) > _SHOWN)
        warn_caller(
            f"no model can judge {len(unjudged)} of the {len(codes)} examples (rows {shown}): they "
            "were never held out, or their class was held out as a whole; their labels count as "
            "right. Pass another cv, such as 5",
            FoldWarning,
        )
    return matrix


def _ask(
    classifier: Any,
    X: Any,
    labels: NamedLabels,
    fold: Fold,
    params: dict[str, Any],
    response: Response,
    coding: Coding,
) -> tuple[Array, npt.NDArray[np.bool_]] | None:
    """Fit on one part and predict the other; also tell which classes were seen.

    Who has seen no more than one class has nothing to tell it from, and is not asked.
    """
    seen = np.zeros(len(labels.classes), np.bool_)
    seen[labels.codes[fold.train]] = True
    if np.count_nonzero(seen) <= 1:
        return None
    learner = Learner.fit(classifier, X, labels, fold.train, params, coding)
    columns = learner.columns(_safe_indexing(X, fold.test), response)
    if len(columns) != len(fold.test):
        raise InputError(
            f"classifier.{response} must give a row for each of the {len(fold.test)} examples that "
            f"it is asked about, but gives {len(columns)}"
        )
    return columns, seen


def _count_as_right(
    matrix: Array, codes: npt.NDArray[np.int64], rows: npt.NDArray[np.int64], response: Response
) -> None:
    """Let no one doubt the labels of these rows: nothing is known of them."""
    if not len(rows):
        return
    lowest, highest = 0, 1
    if response == "decision_function":
        lowest, highest = matrix.min(), max(matrix.max(), 1)
    matrix[rows] = lowest
    matrix[rows, codes[rows]] = highest
