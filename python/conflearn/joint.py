"""The confident joint: how many examples given one class are, confidently, of another."""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from conflearn import _core
from conflearn._coerce import as_bool, as_thresholds
from conflearn._inputs import Inputs, read_inputs, read_joint, read_joint_and_labels
from conflearn._names import Kind
from conflearn._runs import Path, Progress, read_or_open
from conflearn._sparse_joint import SparseJoint


def confident_joint(
    labels: object,
    pred_probs: object,
    *,
    thresholds: object = None,
    calibrate: bool = True,
    kind: Kind = "probabilities",
    temperature: float = 1.0,
    class_bias: object = None,
    classes: Sequence[object] | None = None,
    n_threads: int | None = None,
    progress: Progress = None,
    checkpoint: Path | None = None,
) -> npt.NDArray[np.int64]:
    """Count the examples by given class and confidently guessed true class.

    A class is confident for an example when its probability reaches the class's threshold (less
    1e-6). The guessed truth is the confident class; of several, the most probable one; an example
    without any is not counted. Every diagonal entry is at least 1.

    Parameters
    ----------
    labels : array_like of shape (N,)
        Given labels: integers 0..K-1, or names together with `classes`. Labels and matrix may be
        what is read in blocks, as in `find_label_issues`.
    pred_probs : array_like of shape (N, K)
        Out-of-sample predicted probabilities.
    thresholds : array_like of shape (K,), optional
        Class thresholds; by default `confident_thresholds(labels, pred_probs)`.
    calibrate : bool, default True
        Scale the counts to the given labels: rows sum to the number of examples given the class,
        in whole numbers. If False, the plain counts.
    kind, temperature, class_bias
        What the cells of `pred_probs` are, as in `find_label_issues`.
    classes : sequence of K names, optional
        What the columns of `pred_probs` stand for, when `labels` holds names.
    n_threads : int, optional
        Number of threads, at most 1024; by default `conflearn.n_threads()`.
    progress, checkpoint
        As in `find_label_issues`.

    Returns
    -------
    ndarray of shape (K, K), int64
        ``joint[given, true]``. Of more than 16,384 classes a `scipy.sparse.csr_array`.

    Raises
    ------
    InputError
        If shapes do not fit, or a label or a probability is out of range.
    MissingDependencyError
        If there are more than 16,384 classes, and scipy is not installed.

    References
    ----------
    Northcutt, Jiang, Chuang: Confident Learning, JAIR 70 (2021), Equations 1 and 3.

    Examples
    --------
    >>> import conflearn
    >>> labels = [0, 0, 0, 1, 1]
    >>> pred_probs = [[0.9, 0.1], [0.8, 0.2], [0.2, 0.8], [0.3, 0.7], [0.1, 0.9]]
    >>> conflearn.confident_joint(labels, pred_probs)
    array([[2, 1],
           [0, 2]])
    """
    calibrate = as_bool(calibrate, "calibrate")
    inputs = read_or_open(
        labels,
        pred_probs,
        classes,
        n_threads,
        kind,
        temperature,
        class_bias,
        progress=progress,
        checkpoint=checkpoint,
    )
    cut = _thresholds(thresholds, inputs.n_classes)
    if not isinstance(inputs, Inputs):
        from conflearn.stream.joint import confident_joint as over_blocks

        counted = over_blocks(inputs, cut, calibrate=calibrate)
    else:
        rows, _ = _core.count_confident_rows(
            inputs.labels, inputs.pred_probs, cut, calibrate, "most_probable", inputs.n_threads
        )
        counted = SparseJoint.from_rows(*rows)
    joint: npt.NDArray[np.int64] = counted.to_matrix()
    return joint


def off_diagonal_examples(
    labels: object,
    pred_probs: object,
    *,
    thresholds: object = None,
    kind: Kind = "probabilities",
    temperature: float = 1.0,
    class_bias: object = None,
    classes: Sequence[object] | None = None,
    n_threads: int | None = None,
) -> npt.NDArray[np.int64]:
    """Find the examples counted off the diagonal of the confident joint.

    Parameters
    ----------
    labels : array_like of shape (N,)
        Given labels: integers 0..K-1, or names together with `classes`.
    pred_probs : array_like of shape (N, K)
        Out-of-sample predicted probabilities.
    thresholds : array_like of shape (K,), optional
        Class thresholds; by default `confident_thresholds(labels, pred_probs)`.
    kind, temperature, class_bias
        What the cells of `pred_probs` are, as in `find_label_issues`.
    classes : sequence of K names, optional
        What the columns of `pred_probs` stand for, when `labels` holds names.
    n_threads : int, optional
        Number of threads, at most 1024; by default `conflearn.n_threads()`.

    Returns
    -------
    ndarray of shape (M,), int64
        Rows, ascending. ``find_label_issues(filter_by="confident_learning")`` flags those of them
        where the model does not choose the given class anyway.

    Raises
    ------
    InputError
        If shapes do not fit, or a label or a probability is out of range.

    Examples
    --------
    >>> import conflearn
    >>> labels = [0, 0, 0, 1, 1]
    >>> pred_probs = [[0.9, 0.1], [0.8, 0.2], [0.2, 0.8], [0.3, 0.7], [0.1, 0.9]]
    >>> conflearn.off_diagonal_examples(labels, pred_probs)
    array([2])
    """
    inputs = read_inputs(labels, pred_probs, classes, n_threads, kind, temperature, class_bias)
    cut = _thresholds(thresholds, inputs.n_classes)
    return _core.off_diagonal_examples(
        inputs.labels, inputs.pred_probs, cut, "most_probable", inputs.n_threads
    )


def calibrate_confident_joint(
    confident_joint: object,
    labels: object,
    *,
    classes: Sequence[object] | None = None,
) -> npt.NDArray[np.int64]:
    """Scale a confident joint to the counts of the given labels.

    Parameters
    ----------
    confident_joint : array_like or scipy sparse matrix of shape (K, K)
        Counts, ``joint[given, true]``; finite and at least 0, with one above 0 in the row of
        some class that `labels` hold.
    labels : array_like of shape (N,)
        Given labels: integers 0..K-1, or names together with `classes`.
    classes : sequence of K names, optional
        What the classes are called, when `labels` holds names.

    Returns
    -------
    ndarray of shape (K, K), int64 (of more than 16,384 classes a `scipy.sparse.csr_array`)
        Row k sums to the number of examples given class k, and all to N. (A row of zeros stays
        so, even if the class has examples; the others are then scaled up, all alike, to sum to N
        but for rounding.) Halves are rounded to even; what is then missing in a row goes to the
        entries that lost most, the last one first among equals.

    Raises
    ------
    InputError
        If the joint is not square, has a negative entry or counts nothing, or a label is out of
        range.

    References
    ----------
    Northcutt, Jiang, Chuang: Confident Learning, JAIR 70 (2021), Equation 3.

    Examples
    --------
    >>> import conflearn
    >>> conflearn.calibrate_confident_joint([[3, 1], [0, 2]], [0] * 8 + [1] * 2)
    array([[6, 2],
           [0, 2]])
    """
    joint, counts = read_joint_and_labels(confident_joint, labels, classes)
    rows = _core.calibrate_confident_joint_rows(joint, counts, "by_given")
    calibrated: npt.NDArray[np.int64] = SparseJoint.from_rows(*rows).to_matrix()
    return calibrated


def estimate_joint(
    labels: object,
    pred_probs: object,
    *,
    confident_joint: object = None,
    kind: Kind = "probabilities",
    temperature: float = 1.0,
    class_bias: object = None,
    classes: Sequence[object] | None = None,
    n_threads: int | None = None,
    progress: Progress = None,
    checkpoint: Path | None = None,
) -> npt.NDArray[np.float64]:
    """Estimate the joint distribution of given and true labels.

    Parameters
    ----------
    labels : array_like of shape (N,)
        Given labels: integers 0..K-1, or names together with `classes`. Labels and matrix may be
        what is read in blocks, as in `find_label_issues`.
    pred_probs : array_like of shape (N, K)
        Out-of-sample predicted probabilities. Not read if `confident_joint` is given.
    confident_joint : array_like or scipy sparse matrix of shape (K, K), optional
        Counts to use (they are calibrated); by default those of the data.
    kind, temperature, class_bias
        What the cells of `pred_probs` are, as in `find_label_issues`.
    classes : sequence of K names, optional
        What the columns of `pred_probs` stand for, when `labels` holds names.
    n_threads : int, optional
        Number of threads, at most 1024; by default `conflearn.n_threads()`.
    progress, checkpoint
        As in `find_label_issues`.

    Returns
    -------
    ndarray of shape (K, K), float64 (of more than 16,384 classes a `scipy.sparse.csr_array`)
        ``joint[given, true]``; sums to 1, and row k to the share of examples given class k, unless
        a row of `confident_joint` is empty (see `calibrate_confident_joint`).

    Raises
    ------
    InputError
        If shapes do not fit, or a label or a probability is out of range.

    Examples
    --------
    >>> import conflearn
    >>> labels = [0, 0, 0, 1, 1]
    >>> pred_probs = [[0.9, 0.1], [0.8, 0.2], [0.2, 0.8], [0.3, 0.7], [0.1, 0.9]]
    >>> conflearn.estimate_joint(labels, pred_probs)
    array([[0.4, 0.2],
           [0. , 0.4]])
    """
    inputs = read_or_open(
        labels,
        pred_probs,
        classes,
        n_threads,
        kind,
        temperature,
        class_bias,
        progress=progress,
        checkpoint=checkpoint,
    )
    if not isinstance(inputs, Inputs):
        from conflearn.stream.joint import estimate_joint as over_blocks

        return over_blocks(inputs, confident_joint)
    if confident_joint is None:
        rows, _ = _core.count_confident_rows(
            inputs.labels, inputs.pred_probs, None, True, "most_probable", inputs.n_threads
        )
    else:
        joint, counts = read_joint(confident_joint, inputs)
        rows = _core.calibrate_confident_joint_rows(joint, counts, "by_given")
    counted = SparseJoint.from_rows(*rows)
    shares = counted.with_counts(counted.counts / counted.counts.sum())
    distribution: npt.NDArray[np.float64] = shares.to_matrix()
    return distribution


def _thresholds(thresholds: object, n_classes: int) -> npt.NDArray[np.float64] | None:
    return None if thresholds is None else as_thresholds(thresholds, n_classes)
