"""Joints of tags: a table of given and true sides for each class."""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from conflearn import _core
from conflearn._coerce import as_bool, as_joints, as_tag_thresholds, as_tags
from conflearn._inputs import TagInputs
from conflearn._names import Kind
from conflearn._runs import Path, Progress, read_or_open_tags
from conflearn.errors import InputError


def confident_joint(
    labels: object,
    pred_probs: object,
    *,
    thresholds: object = None,
    calibrate: bool = True,
    kind: Kind = "probabilities",
    temperature: float = 1.0,
    classes: Sequence[object] | None = None,
    n_threads: int | None = None,
    progress: Progress = None,
    checkpoint: Path | None = None,
) -> npt.NDArray[np.int64]:
    """Count the examples of each class by given and confidently guessed side.

    Parameters
    ----------
    labels : list of N lists, or array_like of shape (N, K)
        Given tags.
    pred_probs : array_like of shape (N, K)
        Out-of-sample predicted probabilities.
    thresholds : array_like of shape (K, 2), optional
        By default `confident_thresholds(labels, pred_probs)`.
    calibrate : bool, default True
        Scale the counts of each class to its tags. If False, the plain counts.
    kind, temperature
        As in `find_label_issues`.
    classes : sequence of K names, optional
        What the columns of `pred_probs` stand for, when `labels` holds names.
    n_threads : int, optional
        Number of threads, at most 1024; by default `conflearn.n_threads()`.
    progress, checkpoint
        As in `find_label_issues`.

    Returns
    -------
    ndarray of shape (K, 2, 2), int64
        ``joint[class, given, true]``, where 0 is without the tag and 1 with it.

    Raises
    ------
    InputError
        If shapes do not fit, or a tag or a probability is out of range.

    Examples
    --------
    >>> from conflearn import multilabel
    >>> labels = [[0], [0], [0, 1], [1], [], []]
    >>> pred_probs = [[0.9, 0.1], [0.8, 0.2], [0.9, 0.8], [0.2, 0.9], [0.1, 0.9], [0.1, 0.1]]
    >>> multilabel.confident_joint(labels, pred_probs)[1]
    array([[3, 1],
           [0, 2]])
    """
    calibrate = as_bool(calibrate, "calibrate")
    inputs = read_or_open_tags(
        labels,
        pred_probs,
        classes,
        n_threads,
        kind,
        temperature,
        progress=progress,
        checkpoint=checkpoint,
    )
    cut = None if thresholds is None else as_tag_thresholds(thresholds, inputs.n_classes)
    if not isinstance(inputs, TagInputs):
        from conflearn.stream import tag_issues

        return tag_issues.confident_joint(inputs, cut, calibrate=calibrate)
    return _core.count_confident_tags(
        inputs.tags, inputs.pred_probs, cut, calibrate, "most_probable", inputs.n_threads
    )


def calibrate_confident_joint(
    confident_joint: object,
    labels: object,
    *,
    classes: Sequence[object] | None = None,
) -> npt.NDArray[np.int64]:
    """Scale the confident joint of each class to the counts of its tags.

    Parameters
    ----------
    confident_joint : array_like of shape (K, 2, 2)
        Counts, ``joint[class, given, true]``; finite and at least 0, and of each class with one
        above 0 on a side that has examples.
    labels : list of N lists, or array_like of shape (N, K)
        Given tags.
    classes : sequence of K names, optional
        What the classes are called, when `labels` holds names.

    Returns
    -------
    ndarray of shape (K, 2, 2), int64
        The rows of a class sum to the number of examples without the tag, and with it. See
        `conflearn.calibrate_confident_joint`.

    Raises
    ------
    InputError
        If the joint is not of that shape, has a negative entry or counts nothing, or a tag is out
        of range.

    Examples
    --------
    >>> from conflearn import multilabel
    >>> multilabel.calibrate_confident_joint([[[3, 1], [0, 2]]] * 2, [[0], [0, 1], [], []])[1]
    array([[2, 1],
           [0, 1]])
    """
    joints = as_joints(confident_joint)
    n_classes = len(joints)
    counts = _core.tag_counts(
        as_tags(labels, n_classes, classes=classes, columns_of="confident_joint"), n_classes
    )
    return _calibrated(joints, counts)


def _calibrated(
    joints: npt.NDArray[np.float64], counts: npt.NDArray[np.int64]
) -> npt.NDArray[np.int64]:
    empty = ~((joints.sum(axis=2) > 0) & (counts > 0)).any(axis=1)
    if empty.any():
        raise InputError(
            f"confident_joint[{int(empty.argmax())}] must count at least one example on a side of "
            "the class that has examples, but those rows are all zeros; leave it out, or check how "
            "it was counted"
        )
    calibrated = [
        _core.calibrate_confident_joint(joint, count, "by_given")
        for joint, count in zip(joints, counts, strict=True)
    ]
    return np.stack(calibrated)


def estimate_joint(
    labels: object,
    pred_probs: object,
    *,
    confident_joint: object = None,
    kind: Kind = "probabilities",
    temperature: float = 1.0,
    classes: Sequence[object] | None = None,
    n_threads: int | None = None,
    progress: Progress = None,
    checkpoint: Path | None = None,
) -> npt.NDArray[np.float64]:
    """Estimate the joint distribution of given and true sides of each class.

    Parameters
    ----------
    labels : list of N lists, or array_like of shape (N, K)
        Given tags.
    pred_probs : array_like of shape (N, K)
        Out-of-sample predicted probabilities. Not read if `confident_joint` is given.
    confident_joint : array_like of shape (K, 2, 2), optional
        Counts to use (they are calibrated); by default those of the data.
    kind, temperature
        As in `find_label_issues`.
    classes : sequence of K names, optional
        What the columns of `pred_probs` stand for, when `labels` holds names.
    n_threads : int, optional
        Number of threads, at most 1024; by default `conflearn.n_threads()`.
    progress, checkpoint
        As in `find_label_issues`.

    Returns
    -------
    ndarray of shape (K, 2, 2), float64
        ``joint[class, given, true]``; that of a class sums to 1.

    Raises
    ------
    InputError
        If shapes do not fit, or a tag or a probability is out of range.

    Examples
    --------
    >>> from conflearn import multilabel
    >>> labels = [[0], [0], [0, 1], [1], [], [], [], []]
    >>> pred_probs = [[0.9, 0.1], [0.8, 0.2], [0.9, 0.8], [0.2, 0.9], [0.1, 0.9]]
    >>> pred_probs += [[0.1, 0.1]] * 3
    >>> multilabel.estimate_joint(labels, pred_probs)[1]
    array([[0.625, 0.125],
           [0.   , 0.25 ]])
    """
    inputs = read_or_open_tags(
        labels,
        pred_probs,
        classes,
        n_threads,
        kind,
        temperature,
        progress=progress,
        checkpoint=checkpoint,
    )
    own = None if confident_joint is None else as_joints(confident_joint, inputs.n_classes)
    if not isinstance(inputs, TagInputs):
        from conflearn.stream import tag_issues

        if own is None:
            counted = tag_issues.confident_joint(inputs, None, calibrate=True)
        else:
            counted = _calibrated(own, tag_issues.given_counts(inputs))
    elif own is None:
        counted = _core.count_confident_tags(
            inputs.tags, inputs.pred_probs, None, True, "most_probable", inputs.n_threads
        )
    else:
        counted = _calibrated(own, _core.tag_counts(inputs.tags, inputs.n_classes))
    distribution: npt.NDArray[np.float64] = counted / counted.sum(axis=(1, 2), keepdims=True)
    return distribution
