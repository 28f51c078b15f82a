"""Folds: which examples are held out together, and which are never held out.

An example can be judged only by a model that has seen its class, but not the example itself. For
most it is enough to cut the data into folds with all classes in each. Classes with few examples
need care:

- of a class with fewer examples than there are folds, each example is in a fold of its own, so that
  every model has seen all the others;
- the only example of a class cannot be judged at all. Every model is trained on it;
- where groups may not be torn apart, or a splitter of the caller's cuts the data, a class may be
  held out as a whole. No example of it can be judged then.

Whoever cannot be judged is counted as right: see `conflearn.learning.probabilities`.
"""

import warnings
from collections.abc import Iterable
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
from sklearn.model_selection import StratifiedGroupKFold, StratifiedKFold

from conflearn._coerce import NamedLabels
from conflearn._coerce.objects import Array, spelled
from conflearn._warn import warn_caller
from conflearn.errors import FoldWarning, InputError, InputTypeError, LabelError, OptionError

__all__ = ["Cut", "Fold", "cut", "is_splitter"]

Rows = npt.NDArray[np.int64]

_SHOWN = 5  # class names that a message gives


class Fold(NamedTuple):
    """Rows to train on, and rows to predict."""

    train: Rows
    test: Rows


class Cut(NamedTuple):
    """The folds, and the rows that are in none because they are the only ones of their class."""

    folds: list[Fold]
    alone: Rows


def is_splitter(cv: Any) -> bool:
    """Whether this cuts data by a method of its own. So do strings, in another way."""
    return hasattr(cv, "split") and not isinstance(cv, str | bytes)


def cut(
    cv: Any, X: object, labels: NamedLabels, split_params: dict[str, Any], random_state: Any
) -> Cut:
    """Cut the data as ``cv`` says: a number of folds, a splitter, or the rows themselves."""
    if isinstance(cv, int | np.integer) and not isinstance(cv, bool):
        groups = split_params.get("groups")
        return _by_class(int(cv), labels, groups, random_state)
    if is_splitter(cv):
        # Splitters of scikit-learn take the labels as they were given.
        given = labels.classes[labels.codes]
        folds = _rows(cv.split(X, given, **split_params), len(labels.codes))
    elif isinstance(cv, Iterable) and not isinstance(cv, str | bytes):
        folds = _rows(cv, len(labels.codes))
    else:
        raise OptionError(
            f"cv={spelled(cv)} is neither a number of folds, nor a splitter with a method split, "
            "nor pairs of rows to train on and to predict; pass an int such as 5"
        )
    if not folds:
        raise OptionError("cv gives no folds; pass an int such as 5")
    return Cut(folds, np.empty(0, np.int64))


def _by_class(n_folds: int, labels: NamedLabels, groups: object, random_state: Any) -> Cut:
    """Cut into folds in which all classes are as frequent as they are in the data."""
    classes, codes = labels
    if n_folds < 2:  # noqa: PLR2004 - one part to train on, one to predict
        raise OptionError(f"cv={n_folds} is not a number of folds, of at least 2; pass 5")
    counts = np.bincount(codes)
    if counts.max() == 1:
        raise LabelError(
            f"y must hold at least two examples of some class, but each of its {len(classes)} "
            f"classes has but 1 sample (n_samples={len(codes)}): there is nothing to learn from; "
            "pass pred_probs of another model"
        )
    rare = np.flatnonzero(counts < n_folds)
    if len(rare):
        shown = [f"{classes[k].item()!r} ({counts[k]})" for k in rare[:_SHOWN]]
        shown += ["..."] * (len(rare) > _SHOWN)
        warn_caller(
            f"y has fewer examples than cv={n_folds} folds of {_classes(len(rare))}: "
            f"{', '.join(shown)}. Models have seen few others of them; an example that is the "
            "only one of its class cannot be judged, and counts as right. Pass a smaller cv, or "
            "merge such classes",
            FoldWarning,
        )
    n_folds = min(n_folds, int(counts.max()))  # with more, some would hold no example
    with warnings.catch_warnings():
        # Has been said, and better.
        warnings.filterwarnings("ignore", "The least populated class in y", UserWarning)
        if groups is None:
            alone = np.flatnonzero(counts[codes] == 1)
            others = np.flatnonzero(counts[codes] > 1)
            by_class = StratifiedKFold(n_folds, shuffle=True, random_state=random_state)
            folds = [
                Fold(np.sort(np.concatenate([others[train], alone])), others[test])
                for train, test in by_class.split(others, codes[others])
            ]
            return Cut(folds, alone)
        n_groups = len(np.unique(np.asarray(groups)))
        if n_groups < n_folds:
            raise InputError(
                f"groups must hold at least as many groups as there are folds, but hold {n_groups} "
                f"for cv={n_folds}; pass a smaller cv"
            )
        by_group = StratifiedGroupKFold(n_folds, shuffle=True, random_state=random_state)
        folds = _rows(by_group.split(codes, codes, groups), len(codes))
        return Cut(folds, np.empty(0, np.int64))


def _classes(n: int) -> str:
    return f"{n} class" if n == 1 else f"{n} classes"


def _rows(pairs: Iterable[Any], n_examples: int) -> list[Fold]:
    """Read what a splitter gives: rows, or masks. A fold that predicts nothing is left out."""
    folds = []
    for pair in pairs:
        try:
            train, test = pair
        except (TypeError, ValueError) as error:
            raise InputTypeError(
                f"cv must give pairs of rows, to train on and to predict, but gives {spelled(pair)}"
            ) from error
        fold = Fold(*(_numbers(rows, n_examples) for rows in (train, test)))
        seen = np.zeros(n_examples, np.bool_)
        seen[fold.train] = True
        if seen[fold.test].any():
            row = fold.test[seen[fold.test].argmax()]
            raise InputError(
                f"cv must not train on rows that it predicts, but row {row} is in both; its "
                "probabilities would not be out-of-sample"
            )
        if len(fold.test):
            folds.append(fold)
    return folds


def _numbers(rows: Any, n_examples: int) -> Rows:
    array: Array = np.asarray(rows)
    if array.dtype == bool:
        array = np.flatnonzero(array)
    if array.ndim != 1 or (array.dtype.kind not in "iu" and array.size):
        raise InputTypeError(
            f"cv must give rows as whole numbers in one dimension, but gives {spelled(rows)}"
        )
    array = array.astype(np.int64, copy=False)
    if array.size and not -n_examples <= array.min() <= array.max() < n_examples:
        raise InputError(
            f"cv must give rows from 0 to {n_examples - 1}, but gives {array.max()}; it was made "
            "for other data"
        )
    return array % n_examples
