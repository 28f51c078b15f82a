"""The joint of given and true labels, and what follows from it: cleanlab's module of that name."""

from collections.abc import Callable, Mapping
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

from conflearn import _core
from conflearn._coerce import as_joint, one_of
from conflearn._names import COUNT_METHODS, PRIOR_METHODS, Layout
from conflearn._warn import warn_caller
from conflearn.cleanlab._features import check_features, is_torch_dataset, rows_of, with_one_more
from conflearn.cleanlab._inputs import (
    Inputs,
    Labels,
    coerce_labels_alone,
    read_inputs,
    read_joint_and_labels,
    refuse_one_class,
)
from conflearn.cleanlab._optional import sklearn
from conflearn.cleanlab._sweeps import count_joint
from conflearn.cleanlab._tags import (
    calibrate_joints,
    count_joints,
    find_flags,
    problems,
    read_joints,
    read_tags,
)
from conflearn.errors import InputTypeError, LabelError, OptionError, SingularMatrixError

__all__ = [
    "calibrate_confident_joint",
    "compute_confident_joint",
    "estimate_confident_joint_and_cv_pred_proba",
    "estimate_cv_predicted_probabilities",
    "estimate_joint",
    "estimate_latent",
    "estimate_noise_matrices",
    "estimate_py_and_noise_matrices_from_probabilities",
    "estimate_py_noise_matrices_and_cv_pred_proba",
    "get_confident_thresholds",
    "num_label_issues",
]

Floats: TypeAlias = npt.NDArray[np.float64]
Counts: TypeAlias = npt.NDArray[np.int64]


def num_label_issues(
    labels: object,
    pred_probs: object,
    *,
    confident_joint: object = None,
    estimation_method: str = "off_diagonal",
    multi_label: bool = False,
) -> np.int64:
    """Estimate how many labels are wrong.

    Same as cleanlab's function of that name; native: `conflearn.num_label_issues`.
    """
    is_custom = estimation_method == "off_diagonal_custom"
    if confident_joint is not None and not is_custom:
        warn_caller(
            "The supplied `confident_joint` is ignored as `confident_joint` is recomputed "
            "internally using the supplied `labels` and `pred_probs`. If you still want to use a "
            "custom `confident_joint`, call the function with "
            "`estimation_method='off_diagonal_custom'`.",
            UserWarning,
        )
    if multi_label:
        of_tags = read_tags(labels, pred_probs)
        if (
            confident_joint is not None
            and read_joints(confident_joint, of_tags.n_classes) is not None
        ):
            warn_caller(
                "The supplied `confident_joint` is ignored with `multi_label=True`, where the "
                "examples off the diagonal of the joints are counted; leave it out.",
                UserWarning,
            )
        return np.int64(np.count_nonzero(find_flags(of_tags, "confident_learning").mask))
    inputs = read_inputs(labels, pred_probs, "refused")
    one_of(estimation_method, COUNT_METHODS, "estimation_method")
    if not is_custom:
        calibrated = estimation_method == "off_diagonal_calibrated"
        return np.int64(
            _core.num_label_issues(
                inputs.labels, inputs.pred_probs, calibrated, "row_argmax", inputs.n_threads
            )
        )
    if confident_joint is None:
        raise OptionError(
            f"No `confident_joint` provided. For {estimation_method=} you need to provide a "
            "`confident_joint` of shape (K, K)."
        )
    joint = estimate_joint(inputs.labels, inputs.pred_probs, confident_joint=confident_joint)
    return np.int64(np.rint((1.0 - joint.trace()) * inputs.n_examples))


def calibrate_confident_joint(
    confident_joint: object, labels: object, *, multi_label: bool = False
) -> Counts:
    """Scale a confident joint to the counts of the given labels.

    Same as cleanlab's function of that name; native: `conflearn.calibrate_confident_joint`.
    """
    if multi_label:
        return calibrate_joints(confident_joint, labels)
    joint, counts = read_joint_and_labels(confident_joint, labels)
    return _core.calibrate_confident_joint(joint, counts, _layout(confident_joint))


def estimate_joint(
    labels: object,
    pred_probs: object,
    *,
    confident_joint: object = None,
    multi_label: bool = False,
) -> Floats:
    """Estimate the joint distribution of given and true labels.

    Same as cleanlab's function of that name; native: `conflearn.estimate_joint`. A given
    `confident_joint` is calibrated to the labels, if there are any; `pred_probs` is not read then.
    """
    if multi_label:
        of_tags = read_tags(labels, pred_probs)
        joints = count_joints(of_tags)
        if confident_joint is not None:
            joints = calibrate_joints(confident_joint, labels)
        return np.array([_normalized(joint) for joint in joints])
    if confident_joint is None:
        return _normalized(count_joint(read_inputs(labels, pred_probs, "allowed"))[0])
    if labels is None:
        return _normalized(as_joint(confident_joint, may_be_empty=True))
    return _normalized(calibrate_confident_joint(confident_joint, labels))


def compute_confident_joint(
    labels: object,
    pred_probs: object,
    *,
    thresholds: object = None,
    calibrate: bool = True,
    multi_label: bool = False,
    return_indices_of_off_diagonals: bool = False,
) -> Counts | tuple[Counts, Counts | list[Counts]]:
    """Count the examples by given class and confidently guessed true class.

    Same as cleanlab's function of that name, with its rule for several confident classes; native:
    `conflearn.confident_joint`, `conflearn.off_diagonal_examples`.
    """
    if multi_label:
        of_tags = read_tags(labels, pred_probs)
        joints = count_joints(of_tags, thresholds, calibrate=calibrate)
        if not return_indices_of_off_diagonals:
            return joints
        return joints, [count_joint(problem, thresholds)[1] for problem in problems(of_tags)]
    inputs = read_inputs(labels, pred_probs, "allowed")
    joint, indices = count_joint(inputs, thresholds, calibrate=calibrate)
    return (joint, indices) if return_indices_of_off_diagonals else joint


def estimate_latent(
    confident_joint: object,
    labels: object,
    *,
    py_method: str = "cnt",
    converge_latent_estimates: bool = False,
) -> tuple[Floats, Floats, Floats]:
    """Estimate prior, noise matrix and inverse noise matrix from a confident joint.

    Same as cleanlab's function of that name; native: `conflearn.estimate_noise_model`.
    """
    joint, counts = read_joint_and_labels(confident_joint, labels)
    method = one_of(py_method, PRIOR_METHODS, "py_method")
    try:
        return _core.estimate_noise_model(joint, counts, method, bool(converge_latent_estimates))
    except OptionError as error:  # whose message has the native name of `py_method`
        raise SingularMatrixError(
            f"py_method={method!r} needs an invertible noise matrix, but this one is singular; use "
            "py_method='cnt' (the default), 'marginal' or 'marginal_ps'"
        ) from error


def estimate_py_and_noise_matrices_from_probabilities(
    labels: object,
    pred_probs: object,
    *,
    thresholds: object = None,
    converge_latent_estimates: bool = True,
    py_method: str = "cnt",
    calibrate: bool = True,
) -> tuple[Floats, Floats, Floats, Counts]:
    """Estimate prior, noise matrix, inverse noise matrix and confident joint.

    Same as cleanlab's function of that name; native: `conflearn.confident_joint`,
    `conflearn.estimate_noise_model`.
    """
    inputs = read_inputs(labels, pred_probs, "allowed")
    joint, _ = count_joint(inputs, thresholds, calibrate=calibrate)
    latent = estimate_latent(
        joint,
        inputs.labels,
        py_method=py_method,
        converge_latent_estimates=converge_latent_estimates,
    )
    return (*latent, joint)


def estimate_confident_joint_and_cv_pred_proba(
    X: Any,  # noqa: N803 - cleanlab's name
    labels: object,
    clf: Any = None,
    *,
    cv_n_folds: int = 5,
    thresholds: object = None,
    seed: int | None = None,
    calibrate: bool = True,
    clf_kwargs: Mapping[str, Any] = {},
    validation_func: Callable[[Any, Any], Mapping[str, Any]] | None = None,
) -> tuple[Counts, Floats]:
    """Predict out of sample by cross-validation, and count the confident joint.

    Same as cleanlab's function of that name. `clf` is anything with scikit-learn's ``fit`` and
    ``predict_proba``; None means ``LogisticRegression()``.
    """
    given, n_classes = _labels_of_features(X, labels)
    if clf is None:
        clf = sklearn("linear_model").LogisticRegression()
    split = sklearn("model_selection").StratifiedKFold(
        n_splits=cv_n_folds, shuffle=True, random_state=seed
    )
    pred_probs = np.zeros((len(given), n_classes))
    for train, holdout in split.split(X=given, y=given):
        try:
            model = sklearn("base").clone(clf)
        except Exception as error:
            raise OptionError(
                "`clf` must be clonable via: sklearn.base.clone(clf). Either implement "
                "`clf.get_params()`, or cross-validate yourself and pass the `pred_probs` on"
            ) from error
        pred_probs[holdout] = _predict_holdout(
            model,
            X,
            given,
            train,
            holdout,
            n_classes=n_classes,
            clf_kwargs=clf_kwargs,
            validation_func=validation_func,
        )
    joint, _ = count_joint(Inputs(given, pred_probs, None), thresholds, calibrate=calibrate)
    return joint, pred_probs


def estimate_py_noise_matrices_and_cv_pred_proba(
    X: Any,  # noqa: N803 - cleanlab's name
    labels: object,
    clf: Any = None,
    *,
    cv_n_folds: int = 5,
    thresholds: object = None,
    converge_latent_estimates: bool = False,
    py_method: str = "cnt",
    seed: int | None = None,
    clf_kwargs: Mapping[str, Any] = {},
    validation_func: Callable[[Any, Any], Mapping[str, Any]] | None = None,
) -> tuple[Floats, Floats, Floats, Counts, Floats]:
    """Estimate prior, noise matrix, inverse noise matrix and confident joint by cross-validation.

    Same as cleanlab's function of that name: the fifth are the out-of-sample probabilities. `clf`
    is as in `estimate_confident_joint_and_cv_pred_proba`.
    """
    joint, pred_probs = estimate_confident_joint_and_cv_pred_proba(
        X,
        labels,
        clf,
        cv_n_folds=cv_n_folds,
        thresholds=thresholds,
        seed=seed,
        clf_kwargs=clf_kwargs,
        validation_func=validation_func,
    )
    latent = estimate_latent(
        joint,
        labels,
        py_method=py_method,
        converge_latent_estimates=converge_latent_estimates,
    )
    return (*latent, joint, pred_probs)


def estimate_cv_predicted_probabilities(
    X: Any,  # noqa: N803 - cleanlab's name
    labels: object,
    clf: Any = None,
    *,
    cv_n_folds: int = 5,
    seed: int | None = None,
    clf_kwargs: Mapping[str, Any] = {},
    validation_func: Callable[[Any, Any], Mapping[str, Any]] | None = None,
) -> Floats:
    """Predict the probabilities of every example by a model that was not trained on it.

    Same as cleanlab's function of that name. `clf` is as in
    `estimate_confident_joint_and_cv_pred_proba`.
    """
    return estimate_py_noise_matrices_and_cv_pred_proba(
        X,
        labels,
        clf,
        cv_n_folds=cv_n_folds,
        seed=seed,
        clf_kwargs=clf_kwargs,
        validation_func=validation_func,
    )[-1]


def estimate_noise_matrices(
    X: Any,  # noqa: N803 - cleanlab's name
    labels: object,
    clf: Any = None,
    *,
    cv_n_folds: int = 5,
    thresholds: object = None,
    converge_latent_estimates: bool = True,
    seed: int | None = None,
    clf_kwargs: Mapping[str, Any] = {},
    validation_func: Callable[[Any, Any], Mapping[str, Any]] | None = None,
) -> tuple[Floats, Floats]:
    """Estimate noise matrix and inverse noise matrix by cross-validation.

    Same as cleanlab's function of that name. `clf` is as in
    `estimate_confident_joint_and_cv_pred_proba`.
    """
    _, noise_matrix, inverse_noise_matrix, _, _ = estimate_py_noise_matrices_and_cv_pred_proba(
        X,
        labels,
        clf,
        cv_n_folds=cv_n_folds,
        thresholds=thresholds,
        converge_latent_estimates=converge_latent_estimates,
        seed=seed,
        clf_kwargs=clf_kwargs,
        validation_func=validation_func,
    )
    return noise_matrix, inverse_noise_matrix


def get_confident_thresholds(
    labels: object, pred_probs: object, multi_label: bool = False
) -> Floats:
    """Average the self-confidence of each class.

    Same as cleanlab's function of that name; native: `conflearn.confident_thresholds`. Only the
    cells of the given classes are read and checked.
    """
    if multi_label:
        return _core.tag_thresholds(*read_tags(labels, pred_probs))
    return _core.confident_thresholds(*read_inputs(labels, pred_probs, "allowed"))


# --- Counts --------------------------------------------------------------------------------------


def _layout(confident_joint: object) -> Layout:
    """Tell in which order numpy adds up the whole joint."""
    if isinstance(confident_joint, np.ndarray):
        down, right = map(abs, confident_joint.strides)
        return "by_true" if down < right else "by_given"
    return "by_given"


def _normalized(joint: npt.NDArray[Any]) -> Floats:
    tiny = 1e-100  # only keeps a division by zero away
    return np.asarray(joint / max(float(joint.sum()), tiny))


# --- Cross-validation ----------------------------------------------------------------------------


def _labels_of_features(features: Any, labels: object) -> tuple[Labels, int]:
    """Check that features and labels belong together; count the classes."""
    given = coerce_labels_alone(labels)
    present = np.unique(given)
    refuse_one_class(given, "refused")
    if present[0] != 0 or present[-1] != len(present) - 1:
        raise LabelError(
            f"labels must hold every class 0, 1, ..., K-1, but the {len(present)} different labels "
            f"reach from {present[0]} to {present[-1]}"
        )
    check_features(features, len(given))
    return given, len(present)


def _predict_holdout(
    model: Any,
    features: Any,
    given: Labels,
    train: Counts,
    holdout: Counts,
    *,
    n_classes: int,
    clf_kwargs: Mapping[str, Any],
    validation_func: Callable[[Any, Any], Mapping[str, Any]] | None,
) -> Any:
    """Train on some rows, predict the others."""
    train_features, train_given = rows_of(features, train), given[train]
    holdout_features, holdout_given = rows_of(features, holdout), given[holdout]
    missing: set[int] = set()
    if not is_torch_dataset(features):
        counts = _core.label_counts(train_given, n_classes)
        missing = set(np.flatnonzero(counts == 0).tolist())
    if missing:
        warn_caller(
            "Duplicated some data across multiple folds to ensure training does not fail because "
            f"these classes do not have enough data for proper cross-validation: {missing}.",
            UserWarning,
        )
    # The first example of a missing class is trained on, and then not predicted but known.
    known = {class_: int((holdout_given == class_).argmax()) for class_ in missing}
    for row in known.values():
        train_features = with_one_more(train_features, holdout_features, row)
        train_given = np.append(train_given, holdout_given[row])
    if validation_func is None:
        validation_kwargs: Mapping[str, Any] = {}
    elif callable(validation_func):
        validation_kwargs = validation_func(holdout_features, holdout_given)
    else:
        raise InputTypeError("validation_func must be callable function with args: X_val, y_val")
    model.fit(train_features, train_given, **clf_kwargs, **validation_kwargs)
    predicted = model.predict_proba(holdout_features)
    for class_, row in known.items():
        predicted[row] = np.arange(n_classes) == class_
    return predicted
