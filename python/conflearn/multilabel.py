"""Multi-label data: each example has any number of tags, and each of them may be wrong or missing.

A class is a question of its own, "has the example this tag?", and is looked at as two classes are
elsewhere in conflearn: without the tag (0) and with it (1), of the probabilities 1 - p and p. An
example has an issue if any class has one.

=================================  =====================================================
`find_label_issues`                which examples have a wrong tag, or lack one, as a mask
`rank_label_issues`                the same, the worst first
`find_label_issues_per_class`      which tags are wrong or missing, as a mask
`locate_label_issues`              the same, as rows and classes
`label_quality_scores`             a score for each example
`label_quality_scores_per_class`   a score for each class of each example
`num_label_issues`                 how many examples have an issue
`num_label_issues_per_class`       how many tags of each class are wrong, or missing
`confident_thresholds`             how sure the model usually is, without and with each tag
`confident_joint`                  counts by given and confidently true side of each class
`calibrate_confident_joint`        such counts, scaled to the tags
`estimate_joint`                   the joint distribution of each class
`dataset_health`                   which tags are most often wrong or missing, and a score for all
=================================  =====================================================

``labels`` comes in one of these forms:

- a list with a list of classes for each example: ``[[0, 2], [], [1]]``. They are column numbers, or
  names together with ``classes``;
- an (N, K) array or frame of zeros and ones (or bools), or a scipy sparse matrix of them.

>>> from conflearn import multilabel
>>> labels = [["cat"], ["cat"], ["cat", "dog"], ["dog"], [], []]
>>> pred_probs = [[0.9, 0.1], [0.8, 0.2], [0.9, 0.8], [0.2, 0.9], [0.1, 0.9], [0.1, 0.1]]
>>> multilabel.rank_label_issues(labels, pred_probs, classes=["cat", "dog"])
array([4])
"""

from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from conflearn import _core
from conflearn._coerce import as_bool, as_joints, as_tag_thresholds, as_tags, one_of
from conflearn._inputs import TagInputs, read_tag_inputs
from conflearn._names import SCORES, Aggregate, Filter, Kind, Score
from conflearn._options import (
    ALPHA,
    SOFTMIN_TEMPERATURE,
    Options,
    read_adjustment,
    read_aggregate,
    read_tag_options,
)
from conflearn.errors import InputError

__all__ = [
    "TagHealth",
    "calibrate_confident_joint",
    "confident_joint",
    "confident_thresholds",
    "dataset_health",
    "estimate_joint",
    "find_label_issues",
    "find_label_issues_per_class",
    "label_quality_scores",
    "label_quality_scores_per_class",
    "locate_label_issues",
    "num_label_issues",
    "num_label_issues_per_class",
    "rank_label_issues",
]


# --- Which tags ----------------------------------------------------------------------------------


def find_label_issues(
    labels: object,
    pred_probs: object,
    *,
    filter_by: Filter = "prune_by_noise_rate",
    frac_noise: float = 1.0,
    num_to_remove_per_class: object = None,
    min_examples_per_class: int = 1,
    confident_joint: object = None,
    kind: Kind = "probabilities",
    temperature: float = 1.0,
    classes: Sequence[object] | None = None,
    n_threads: int | None = None,
) -> npt.NDArray[np.bool_]:
    """Find the examples that have a wrong tag, or lack one.

    Parameters
    ----------
    labels : list of N lists, or array_like of shape (N, K)
        Given tags: a list of classes for each example, or zeros and ones, dense or scipy sparse.
    pred_probs : array_like of shape (N, K)
        Out-of-sample predicted probabilities; rows need not sum to 1.
    filter_by : str, default "prune_by_noise_rate"
        As in `conflearn.find_label_issues`, for each class by itself. An example is flagged when
        any class flags it.
    frac_noise : float, default 1.0
        The share of the estimated issues to remove, from 0 to 1.
    num_to_remove_per_class : array_like of shape (K,) or (K, 2), optional
        How many examples to remove instead: of those without and of those with each tag. One
        number a class is of those without it.
    min_examples_per_class : int, default 1
        No more examples than this without, or with, a tag lose none.
    confident_joint : array_like of shape (K, 2, 2), optional
        Counts to use as they are, ``[class, given, true]``; by default those of the data.
    kind : {"probabilities", "logits", "scores"}, default "probabilities"
        What `pred_probs` holds. Of logits the sigmoid is taken, of each cell by itself. Scores are
        any real numbers that are the higher, the more speaks for the tag; those of the side without
        it are their negatives.
    temperature : float, default 1.0
        What logits are divided by first.
    classes : sequence of K names, optional
        What the columns of `pred_probs` stand for, when `labels` holds names.
    n_threads : int, optional
        Number of threads, at most 1024; by default `conflearn.n_threads()`.

    Returns
    -------
    ndarray of shape (N,), bool
        True where an example has an issue.

    Raises
    ------
    InputError
        If shapes do not fit, or a tag or a probability is out of range.
    OptionError
        If an option does not exist, is out of range, or would be ignored.

    References
    ----------
    Northcutt, Jiang, Chuang: Confident Learning, JAIR 70 (2021); Thyagarajan et al.: Identifying
    Incorrect Annotations in Multi-Label Classification Data (2022).

    Examples
    --------
    >>> from conflearn import multilabel
    >>> labels = [[0], [0], [0, 1], [1], [], []]
    >>> pred_probs = [[0.9, 0.1], [0.8, 0.2], [0.9, 0.8], [0.2, 0.9], [0.1, 0.9], [0.1, 0.1]]
    >>> multilabel.find_label_issues(labels, pred_probs)
    array([False, False, False, False,  True, False])
    """
    inputs = read_tag_inputs(labels, pred_probs, classes, n_threads, kind, temperature)
    options = read_tag_options(
        inputs,
        filter_by,
        frac_noise,
        num_to_remove_per_class,
        min_examples_per_class,
        confident_joint,
    )
    return _core.find_tag_issues(inputs.tags, inputs.pred_probs, options, inputs.n_threads)


def rank_label_issues(
    labels: object,
    pred_probs: object,
    *,
    filter_by: Filter = "prune_by_noise_rate",
    frac_noise: float = 1.0,
    num_to_remove_per_class: object = None,
    min_examples_per_class: int = 1,
    confident_joint: object = None,
    rank_by: Score = "self_confidence",
    aggregate: Aggregate = "exponential_moving_average",
    alpha: float = ALPHA,
    softmin_temperature: float = SOFTMIN_TEMPERATURE,
    kind: Kind = "probabilities",
    temperature: float = 1.0,
    classes: Sequence[object] | None = None,
    n_threads: int | None = None,
) -> npt.NDArray[np.int64]:
    """Find the examples that have a wrong tag, or lack one, the worst first.

    Parameters
    ----------
    labels, pred_probs, filter_by, frac_noise, num_to_remove_per_class, min_examples_per_class, \
confident_joint, kind, temperature, classes, n_threads
        As in `find_label_issues`.
    rank_by, aggregate, alpha, softmin_temperature
        The score to rank by: `method` and the rest of `label_quality_scores`.

    Returns
    -------
    ndarray of shape (M,), int64
        Rows, the lowest score first; of equal scores the lowest row.

    Raises
    ------
    InputError, OptionError
        As in `find_label_issues`.

    Examples
    --------
    >>> from conflearn import multilabel
    >>> labels = [[0], [0], [0, 1], [1], [], []]
    >>> pred_probs = [[0.9, 0.1], [0.8, 0.2], [0.9, 0.8], [0.2, 0.9], [0.1, 0.9], [0.1, 0.1]]
    >>> multilabel.rank_label_issues(labels, pred_probs)
    array([4])
    """
    method = one_of(rank_by, SCORES, "rank_by")
    how = read_aggregate(aggregate, alpha, softmin_temperature)
    inputs = read_tag_inputs(labels, pred_probs, classes, n_threads, kind, temperature)
    options = read_tag_options(
        inputs,
        filter_by,
        frac_noise,
        num_to_remove_per_class,
        min_examples_per_class,
        confident_joint,
    )
    return _core.rank_tag_issues(
        inputs.tags, inputs.pred_probs, options, method, how, inputs.n_threads
    )


def find_label_issues_per_class(
    labels: object,
    pred_probs: object,
    *,
    filter_by: Filter = "prune_by_noise_rate",
    frac_noise: float = 1.0,
    num_to_remove_per_class: object = None,
    min_examples_per_class: int = 1,
    confident_joint: object = None,
    kind: Kind = "probabilities",
    temperature: float = 1.0,
    classes: Sequence[object] | None = None,
    n_threads: int | None = None,
) -> npt.NDArray[np.bool_]:
    """Find the tags that are wrong, or missing.

    Parameters
    ----------
    labels, pred_probs, filter_by, frac_noise, num_to_remove_per_class, min_examples_per_class, \
confident_joint, kind, temperature, classes, n_threads
        As in `find_label_issues`.

    Returns
    -------
    ndarray of shape (N, K), bool
        True where an example should lose the tag that it has, or get the one that it lacks. It
        takes a byte a cell: see `locate_label_issues` where that is much.

    Raises
    ------
    InputError, OptionError
        As in `find_label_issues`.

    Examples
    --------
    >>> from conflearn import multilabel
    >>> labels = [[0], [0], [0, 1], [1], [], []]
    >>> pred_probs = [[0.9, 0.1], [0.8, 0.2], [0.9, 0.8], [0.2, 0.9], [0.1, 0.9], [0.1, 0.1]]
    >>> multilabel.find_label_issues_per_class(labels, pred_probs)[4]
    array([False,  True])
    """
    inputs = read_tag_inputs(labels, pred_probs, classes, n_threads, kind, temperature)
    options = read_tag_options(
        inputs,
        filter_by,
        frac_noise,
        num_to_remove_per_class,
        min_examples_per_class,
        confident_joint,
    )
    mask = np.zeros(inputs.pred_probs.shape, dtype=np.bool_)
    cells, _ = _located(inputs, options)
    mask[cells] = True
    return mask


def locate_label_issues(
    labels: object,
    pred_probs: object,
    *,
    filter_by: Filter = "prune_by_noise_rate",
    frac_noise: float = 1.0,
    num_to_remove_per_class: object = None,
    min_examples_per_class: int = 1,
    confident_joint: object = None,
    kind: Kind = "probabilities",
    temperature: float = 1.0,
    classes: Sequence[object] | None = None,
    n_threads: int | None = None,
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """Find the tags that are wrong, or missing, without an array of N times K cells.

    Parameters
    ----------
    labels, pred_probs, filter_by, frac_noise, num_to_remove_per_class, min_examples_per_class, \
confident_joint, kind, temperature, classes, n_threads
        As in `find_label_issues`.

    Returns
    -------
    tuple of two ndarrays of shape (M,), int64
        Rows and classes of the flagged cells, in their order: what ``nonzero`` gives of the mask of
        `find_label_issues_per_class`. ``scipy.sparse.coo_array((np.ones(M, bool), (rows, classes)),
        shape=(N, K))`` makes a sparse matrix of them.

    Raises
    ------
    InputError, OptionError
        As in `find_label_issues`.

    Examples
    --------
    >>> from conflearn import multilabel
    >>> labels = [[0], [0], [0, 1], [1], [], []]
    >>> pred_probs = [[0.9, 0.1], [0.8, 0.2], [0.9, 0.8], [0.2, 0.9], [0.1, 0.9], [0.1, 0.1]]
    >>> multilabel.locate_label_issues(labels, pred_probs)
    (array([4]), array([1]))
    """
    inputs = read_tag_inputs(labels, pred_probs, classes, n_threads, kind, temperature)
    options = read_tag_options(
        inputs,
        filter_by,
        frac_noise,
        num_to_remove_per_class,
        min_examples_per_class,
        confident_joint,
    )
    cells, _ = _located(inputs, options)
    return cells


def _located(
    inputs: TagInputs, options: Options
) -> tuple[tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]], npt.NDArray[np.bool_]]:
    """Rows and classes of the flagged cells, and whether their tags are given."""
    starts, columns, given = _core.find_tag_issues_per_class(
        inputs.tags, inputs.pred_probs, options, inputs.n_threads
    )
    rows = np.repeat(np.arange(inputs.n_examples), np.diff(starts))
    return (rows, columns.astype(np.int64)), given


def num_label_issues(
    labels: object,
    pred_probs: object,
    *,
    kind: Kind = "probabilities",
    temperature: float = 1.0,
    classes: Sequence[object] | None = None,
    n_threads: int | None = None,
) -> int:
    """Count the examples that have a wrong tag, or lack one.

    Parameters
    ----------
    labels : list of N lists, or array_like of shape (N, K)
        Given tags.
    pred_probs : array_like of shape (N, K)
        Out-of-sample predicted probabilities.
    kind, temperature
        As in `find_label_issues`.
    classes : sequence of K names, optional
        What the columns of `pred_probs` stand for, when `labels` holds names.
    n_threads : int, optional
        Number of threads, at most 1024; by default `conflearn.n_threads()`.

    Returns
    -------
    int
        How many examples ``find_label_issues(filter_by="confident_learning")`` flags.

    Raises
    ------
    InputError
        If shapes do not fit, or a tag or a probability is out of range.

    Examples
    --------
    >>> from conflearn import multilabel
    >>> labels = [[0], [0], [0, 1], [1], [], []]
    >>> pred_probs = [[0.9, 0.1], [0.8, 0.2], [0.9, 0.8], [0.2, 0.9], [0.1, 0.9], [0.1, 0.1]]
    >>> multilabel.num_label_issues(labels, pred_probs)
    1
    """
    inputs = read_tag_inputs(labels, pred_probs, classes, n_threads, kind, temperature)
    options = Options("confident_learning")
    mask = _core.find_tag_issues(inputs.tags, inputs.pred_probs, options, inputs.n_threads)
    return int(np.count_nonzero(mask))


def num_label_issues_per_class(
    labels: object,
    pred_probs: object,
    *,
    kind: Kind = "probabilities",
    temperature: float = 1.0,
    classes: Sequence[object] | None = None,
    n_threads: int | None = None,
) -> npt.NDArray[np.int64]:
    """Count the tags of each class that are missing, and those that are wrong.

    Parameters
    ----------
    labels, pred_probs, kind, temperature, classes, n_threads
        As in `num_label_issues`.

    Returns
    -------
    ndarray of shape (K, 2), int64
        Of each class, how many examples without the tag should have it, and how many with it should
        not: off-diagonal cells of the confident joint that the agreement rule leaves.

    Raises
    ------
    InputError
        As in `num_label_issues`.

    Examples
    --------
    >>> from conflearn import multilabel
    >>> labels = [[0], [0], [0, 1], [1], [], []]
    >>> pred_probs = [[0.9, 0.1], [0.8, 0.2], [0.9, 0.8], [0.2, 0.9], [0.1, 0.9], [0.1, 0.1]]
    >>> multilabel.num_label_issues_per_class(labels, pred_probs)
    array([[0, 0],
           [1, 0]])
    """
    inputs = read_tag_inputs(labels, pred_probs, classes, n_threads, kind, temperature)
    return _core.num_tag_issues(*inputs)


# --- How good ------------------------------------------------------------------------------------


def label_quality_scores(
    labels: object,
    pred_probs: object,
    *,
    method: Score = "self_confidence",
    adjust_pred_probs: bool = False,
    aggregate: Aggregate = "exponential_moving_average",
    alpha: float = ALPHA,
    softmin_temperature: float = SOFTMIN_TEMPERATURE,
    kind: Kind = "probabilities",
    temperature: float = 1.0,
    classes: Sequence[object] | None = None,
    n_threads: int | None = None,
) -> npt.NDArray[np.float64]:
    """Score the tags of each example from 0 (some are likely wrong) to 1 (all are likely right).

    Parameters
    ----------
    labels : list of N lists, or array_like of shape (N, K)
        Given tags.
    pred_probs : array_like of shape (N, K)
        Out-of-sample predicted probabilities.
    method : {"self_confidence", "normalized_margin", "confidence_weighted_entropy"}
        The score of a class, see `label_quality_scores_per_class`.
    adjust_pred_probs : bool, default False
        As there.
    aggregate : {"exponential_moving_average", "softmin", "mean", "median", "min"}
        How the K scores s of an example become one:

        - ``exponential_moving_average``: over descending scores, e = alpha s + (1 - alpha) e;
        - ``softmin``: the mean, weighed by exp((1 - s) / `softmin_temperature`);
        - ``mean``, ``median``, ``min``.
    alpha : float, default 0.8
        For the exponential moving average: from 0 (the best score) to 1 (the worst).
    softmin_temperature : float, default 0.1
        For the soft-min: near 0 it is the minimum, far from it the mean.
    kind, temperature
        As in `find_label_issues`.
    classes : sequence of K names, optional
        What the columns of `pred_probs` stand for, when `labels` holds names.
    n_threads : int, optional
        Number of threads, at most 1024; by default `conflearn.n_threads()`.

    Returns
    -------
    ndarray of shape (N,), float64
        Scores in [0, 1].

    Raises
    ------
    InputError
        If shapes do not fit, or a tag or a probability is out of range.
    OptionError
        If an option does not exist, is out of range, or would be ignored.

    References
    ----------
    Thyagarajan et al.: Identifying Incorrect Annotations in Multi-Label Classification Data (2022).

    Examples
    --------
    >>> from conflearn import multilabel
    >>> pred_probs = [[0.75, 0.25], [0.25, 0.25]]
    >>> multilabel.label_quality_scores([[0], [0]], pred_probs, aggregate="min")
    array([0.75, 0.25])
    """
    one_of(method, SCORES, "method")
    adjust = read_adjustment(adjust_pred_probs, method, "method")
    how = read_aggregate(aggregate, alpha, softmin_temperature)
    inputs = read_tag_inputs(labels, pred_probs, classes, n_threads, kind, temperature)
    return _core.tag_quality_scores(
        inputs.tags, inputs.pred_probs, method, adjust, how, inputs.n_threads
    )


def label_quality_scores_per_class(
    labels: object,
    pred_probs: object,
    *,
    method: Score = "self_confidence",
    adjust_pred_probs: bool = False,
    kind: Kind = "probabilities",
    temperature: float = 1.0,
    classes: Sequence[object] | None = None,
    n_threads: int | None = None,
) -> npt.NDArray[np.float64]:
    """Score each class of each example from 0 (wrong, or missing) to 1 (right).

    Parameters
    ----------
    labels : list of N lists, or array_like of shape (N, K)
        Given tags.
    pred_probs : array_like of shape (N, K)
        Out-of-sample predicted probabilities.
    method : {"self_confidence", "normalized_margin", "confidence_weighted_entropy"}
        As in `conflearn.label_quality_scores`, of the row [1 - p, p] and the given side.
    adjust_pred_probs : bool, default False
        As there. A side that no example is on stays as it is.
    kind, temperature
        As in `find_label_issues`.
    classes : sequence of K names, optional
        What the columns of `pred_probs` stand for, when `labels` holds names.
    n_threads : int, optional
        Number of threads, at most 1024; by default `conflearn.n_threads()`.

    Returns
    -------
    ndarray of shape (N, K), float64
        Scores in [0, 1].

    Raises
    ------
    InputError
        If shapes do not fit, or a tag or a probability is out of range.
    OptionError
        If there is no such method, or it cannot be adjusted.

    Examples
    --------
    >>> from conflearn import multilabel
    >>> multilabel.label_quality_scores_per_class([[0], [0]], [[0.75, 0.25], [0.25, 0.25]])
    array([[0.75, 0.75],
           [0.25, 0.75]])
    """
    one_of(method, SCORES, "method")
    adjust = read_adjustment(adjust_pred_probs, method, "method")
    inputs = read_tag_inputs(labels, pred_probs, classes, n_threads, kind, temperature)
    return _core.tag_quality_scores_per_class(
        inputs.tags, inputs.pred_probs, method, adjust, inputs.n_threads
    )


# --- Counts --------------------------------------------------------------------------------------


def confident_thresholds(
    labels: object,
    pred_probs: object,
    *,
    kind: Kind = "probabilities",
    temperature: float = 1.0,
    classes: Sequence[object] | None = None,
    n_threads: int | None = None,
) -> npt.NDArray[np.float64]:
    """Mean self-confidence without and with each tag.

    Parameters
    ----------
    labels : list of N lists, or array_like of shape (N, K)
        Given tags.
    pred_probs : array_like of shape (N, K)
        Out-of-sample predicted probabilities.
    kind, temperature
        As in `find_label_issues`.
    classes : sequence of K names, optional
        What the columns of `pred_probs` stand for, when `labels` holds names.
    n_threads : int, optional
        Number of threads, at most 1024; by default `conflearn.n_threads()`.

    Returns
    -------
    ndarray of shape (K, 2), float64
        The mean of 1 - p over the examples without the tag, and of p over those with it; no lower
        than 2e-6. Where there are no such examples it is 2, which no probability reaches. The sums
        have no order: the same bits for any threads and row order.

    Raises
    ------
    InputError
        If shapes do not fit, or a tag or a probability is out of range.

    Examples
    --------
    >>> from conflearn import multilabel
    >>> multilabel.confident_thresholds([[0], []], [[0.75, 0.25], [0.25, 0.25]])
    array([[0.75, 0.75],
           [0.75, 2.  ]])
    """
    inputs = read_tag_inputs(labels, pred_probs, classes, n_threads, kind, temperature)
    return _core.tag_thresholds(*inputs)


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
    inputs = read_tag_inputs(labels, pred_probs, classes, n_threads, kind, temperature)
    cut = None if thresholds is None else as_tag_thresholds(thresholds, inputs.n_classes)
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
    inputs = read_tag_inputs(labels, pred_probs, classes, n_threads, kind, temperature)
    if confident_joint is None:
        counted = _core.count_confident_tags(
            inputs.tags, inputs.pred_probs, None, True, "most_probable", inputs.n_threads
        )
    else:
        joints = as_joints(confident_joint, inputs.n_classes)
        counted = calibrate_confident_joint(joints, labels, classes=classes)
    distribution: npt.NDArray[np.float64] = counted / counted.sum(axis=(1, 2), keepdims=True)
    return distribution


# --- Health --------------------------------------------------------------------------------------


class TagHealth(NamedTuple):
    """What `dataset_health` finds.

    Attributes
    ----------
    score : float
        The share of examples without an issue in any class.
    num_issues : int
        How many examples have one.
    class_ranking : recarray of shape (K,)
        One row a class, the worst label quality first: ``class_``, ``label_issues`` (tags that
        should not be there), ``inverse_label_issues`` (tags that are missing), the same as shares
        of all examples (``label_noise``, ``inverse_label_noise``), and ``label_quality_score``
        (1 less the label noise).
    common_issues : recarray of shape (2 K,)
        One row a class and side, the most frequent first: ``class_``, ``in_given_label``,
        ``in_suggested_label``, ``num_examples`` and ``issue_probability`` (as a share of all
        examples).
    """

    score: float
    num_issues: int
    class_ranking: "np.recarray[Any, Any]"
    common_issues: "np.recarray[Any, Any]"


def dataset_health(
    labels: object,
    pred_probs: object,
    *,
    filter_by: Filter = "prune_by_noise_rate",
    frac_noise: float = 1.0,
    num_to_remove_per_class: object = None,
    min_examples_per_class: int = 1,
    confident_joint: object = None,
    kind: Kind = "probabilities",
    temperature: float = 1.0,
    classes: Sequence[object] | None = None,
    n_threads: int | None = None,
) -> TagHealth:
    """Tabulate which tags are most often wrong or missing, and score the whole data set.

    Parameters
    ----------
    labels, pred_probs, filter_by, frac_noise, num_to_remove_per_class, min_examples_per_class, \
confident_joint, kind, temperature, n_threads
        As in `find_label_issues`.
    classes : sequence of K names, optional
        What the columns of `pred_probs` stand for: how the tables name them, and `labels` may.

    Returns
    -------
    TagHealth
        With ``score``, ``num_issues``, ``class_ranking`` and ``common_issues``. The tables go into
        ``pandas.DataFrame(...)`` or ``polars.DataFrame(...)`` as they are. Of equal rows the lower
        class comes first, and what is in the given label before what is missing there.

    Raises
    ------
    InputError, OptionError
        As in `find_label_issues`.

    Examples
    --------
    >>> from conflearn import multilabel
    >>> labels = [["cat"], ["cat"], ["cat", "dog"], ["dog"], [], []]
    >>> pred_probs = [[0.9, 0.1], [0.8, 0.2], [0.9, 0.8], [0.2, 0.9], [0.1, 0.9], [0.1, 0.1]]
    >>> health = multilabel.dataset_health(labels, pred_probs, classes=["cat", "dog"])
    >>> round(health.score, 3)
    0.833
    >>> worst = health.common_issues[0]
    >>> worst.class_, bool(worst.in_given_label), int(worst.num_examples)
    (np.str_('dog'), False, 1)
    """
    if isinstance(classes, Iterator):
        classes = tuple(classes)  # read more than once
    inputs = read_tag_inputs(labels, pred_probs, classes, n_threads, kind, temperature)
    options = read_tag_options(
        inputs,
        filter_by,
        frac_noise,
        num_to_remove_per_class,
        min_examples_per_class,
        confident_joint,
    )
    (rows, columns), given = _located(inputs, options)
    n_examples, n_classes = inputs.n_examples, inputs.n_classes
    num = np.stack(
        [np.bincount(columns[side], minlength=n_classes) for side in (given, ~given)], axis=1
    )
    names = np.arange(n_classes) if classes is None else np.asarray(classes)
    share = num / n_examples
    ranking = _records(
        {
            "class_": names,
            "label_issues": num[:, 0],
            "inverse_label_issues": num[:, 1],
            "label_noise": share[:, 0],
            "inverse_label_noise": share[:, 1],
            "label_quality_score": 1 - share[:, 0],
        },
        np.argsort(-num[:, 0], kind="stable"),
    )
    in_given = np.tile([True, False], n_classes)
    common = _records(
        {
            "class_": np.repeat(names, 2),
            "in_given_label": in_given,
            "in_suggested_label": ~in_given,
            "num_examples": num.ravel(),
            "issue_probability": share.ravel(),
        },
        np.argsort(-num.ravel(), kind="stable"),
    )
    n_flagged = len(np.unique(rows))
    return TagHealth(1 - n_flagged / n_examples, n_flagged, ranking, common)


def _records(
    columns: dict[str, npt.NDArray[Any]], order: npt.NDArray[np.int64]
) -> "np.recarray[Any, Any]":
    dtype = [(name, column.dtype) for name, column in columns.items()]
    records = np.recarray(len(order), dtype=dtype)
    for name, column in columns.items():
        records[name] = column[order]
    return records
