"""Which tags are wrong or missing: by example, by tag, and how many."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from conflearn import _core
from conflearn._coerce import one_of
from conflearn._inputs import TagInputs
from conflearn._names import CLASSIC_SCORES, Aggregate, ClassicFilter, ClassicScore, Kind
from conflearn._options import (
    ALPHA,
    SOFTMIN_TEMPERATURE,
    Options,
    read_aggregate,
    read_tag_options,
)
from conflearn._runs import Path, Progress, read_or_open_tags

if TYPE_CHECKING:
    from conflearn.stream.run import Run


def find_label_issues(
    labels: object,
    pred_probs: object,
    *,
    filter_by: ClassicFilter = "prune_by_noise_rate",
    frac_noise: float = 1.0,
    num_to_remove_per_class: object = None,
    min_examples_per_class: int = 1,
    confident_joint: object = None,
    kind: Kind = "probabilities",
    temperature: float = 1.0,
    classes: Sequence[object] | None = None,
    n_threads: int | None = None,
    out: Path | None = None,
    progress: Progress = None,
    checkpoint: Path | None = None,
) -> npt.NDArray[np.bool_]:
    """Find the examples that have a wrong tag, or lack one.

    Parameters
    ----------
    labels : list of N lists, or array_like of shape (N, K)
        Given tags: a list of classes for each example, or zeros and ones, dense or scipy sparse. Or
        where they lie: a file of zeros and ones, one that `scipy.sparse.save_npz` wrote in
        compressed rows, a column of lists in a table, or None where `pred_probs` is batches.
    pred_probs : array_like of shape (N, K)
        Out-of-sample predicted probabilities; rows need not sum to 1. Or where they lie: all that
        `conflearn.find_label_issues` reads in blocks.
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
    out : path, optional
        An ``.npy`` or ``.parquet`` file to write the answer to, whole or not at all. See
        `conflearn.find_label_issues`.
    progress, checkpoint
        As there: who is told how far the passes are, and a folder to go on from after a crash.

    Returns
    -------
    ndarray of shape (N,), bool
        True where an example has an issue. With `out`, a map of what was written.

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
    inputs = read_or_open_tags(
        labels,
        pred_probs,
        classes,
        n_threads,
        kind,
        temperature,
        out=out,
        progress=progress,
        checkpoint=checkpoint,
    )
    options = read_tag_options(
        inputs.n_classes,
        filter_by,
        frac_noise,
        num_to_remove_per_class,
        min_examples_per_class,
        confident_joint,
    )
    if not isinstance(inputs, TagInputs):
        from conflearn.stream import tag_issues

        return tag_issues.find_label_issues(inputs, options, out)
    return _core.find_tag_issues(inputs.tags, inputs.pred_probs, options, inputs.n_threads)


def rank_label_issues(
    labels: object,
    pred_probs: object,
    *,
    filter_by: ClassicFilter = "prune_by_noise_rate",
    frac_noise: float = 1.0,
    num_to_remove_per_class: object = None,
    min_examples_per_class: int = 1,
    confident_joint: object = None,
    rank_by: ClassicScore = "self_confidence",
    aggregate: Aggregate = "exponential_moving_average",
    alpha: float = ALPHA,
    softmin_temperature: float = SOFTMIN_TEMPERATURE,
    kind: Kind = "probabilities",
    temperature: float = 1.0,
    classes: Sequence[object] | None = None,
    n_threads: int | None = None,
    out: Path | None = None,
    progress: Progress = None,
    checkpoint: Path | None = None,
) -> npt.NDArray[np.int64]:
    """Find the examples that have a wrong tag, or lack one, the worst first.

    Parameters
    ----------
    labels, pred_probs, filter_by, frac_noise, num_to_remove_per_class, min_examples_per_class, \
confident_joint, kind, temperature, classes, n_threads, out, progress, checkpoint
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
    method = one_of(rank_by, CLASSIC_SCORES, "rank_by")
    how = read_aggregate(aggregate, alpha, softmin_temperature)
    inputs = read_or_open_tags(
        labels,
        pred_probs,
        classes,
        n_threads,
        kind,
        temperature,
        out=out,
        progress=progress,
        checkpoint=checkpoint,
    )
    options = read_tag_options(
        inputs.n_classes,
        filter_by,
        frac_noise,
        num_to_remove_per_class,
        min_examples_per_class,
        confident_joint,
    )
    if not isinstance(inputs, TagInputs):
        from conflearn.stream import tag_issues

        return tag_issues.rank_label_issues(inputs, options, method, how, out)
    return _core.rank_tag_issues(
        inputs.tags, inputs.pred_probs, options, method, how, inputs.n_threads
    )


def find_label_issues_per_class(
    labels: object,
    pred_probs: object,
    *,
    filter_by: ClassicFilter = "prune_by_noise_rate",
    frac_noise: float = 1.0,
    num_to_remove_per_class: object = None,
    min_examples_per_class: int = 1,
    confident_joint: object = None,
    kind: Kind = "probabilities",
    temperature: float = 1.0,
    classes: Sequence[object] | None = None,
    n_threads: int | None = None,
    progress: Progress = None,
    checkpoint: Path | None = None,
) -> npt.NDArray[np.bool_]:
    """Find the tags that are wrong, or missing.

    Parameters
    ----------
    labels, pred_probs, filter_by, frac_noise, num_to_remove_per_class, min_examples_per_class, \
confident_joint, kind, temperature, classes, n_threads, progress, checkpoint
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
    options = read_tag_options(
        inputs.n_classes,
        filter_by,
        frac_noise,
        num_to_remove_per_class,
        min_examples_per_class,
        confident_joint,
    )
    cells, _ = located(inputs, options)
    mask = np.zeros((inputs.n_examples or 0, inputs.n_classes), dtype=np.bool_)
    mask[cells] = True
    return mask


def locate_label_issues(
    labels: object,
    pred_probs: object,
    *,
    filter_by: ClassicFilter = "prune_by_noise_rate",
    frac_noise: float = 1.0,
    num_to_remove_per_class: object = None,
    min_examples_per_class: int = 1,
    confident_joint: object = None,
    kind: Kind = "probabilities",
    temperature: float = 1.0,
    classes: Sequence[object] | None = None,
    n_threads: int | None = None,
    out: Path | None = None,
    progress: Progress = None,
    checkpoint: Path | None = None,
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """Find the tags that are wrong, or missing, without an array of N times K cells.

    Parameters
    ----------
    labels, pred_probs, filter_by, frac_noise, num_to_remove_per_class, min_examples_per_class, \
confident_joint, kind, temperature, classes, n_threads, progress, checkpoint
        As in `find_label_issues`.
    out : path, optional
        A folder for ``row.npy``, ``class_index.npy`` and ``has_tag.npy``, or a ``.parquet`` file of
        these columns; ``has_tag`` is True where the tag is wrong, False where it is missing.

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
    inputs = read_or_open_tags(
        labels,
        pred_probs,
        classes,
        n_threads,
        kind,
        temperature,
        out=out,
        progress=progress,
        checkpoint=checkpoint,
    )
    options = read_tag_options(
        inputs.n_classes,
        filter_by,
        frac_noise,
        num_to_remove_per_class,
        min_examples_per_class,
        confident_joint,
    )
    cells, _ = located(inputs, options, out)
    return cells


def located(
    inputs: "TagInputs | Run", options: Options, out: object = None
) -> tuple[tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]], npt.NDArray[np.bool_]]:
    """Rows and classes of the flagged cells, and whether their tags are given."""
    if not isinstance(inputs, TagInputs):
        from conflearn.stream import tag_issues

        rows, classes, given = tag_issues.locate_label_issues(inputs, options, out)
        return (rows, classes), given
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
    progress: Progress = None,
    checkpoint: Path | None = None,
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
    progress, checkpoint
        As in `find_label_issues`.

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
    if not isinstance(inputs, TagInputs):
        from conflearn.stream import tag_issues

        return tag_issues.num_label_issues(inputs)
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
    progress: Progress = None,
    checkpoint: Path | None = None,
) -> npt.NDArray[np.int64]:
    """Count the tags of each class that are missing, and those that are wrong.

    Parameters
    ----------
    labels, pred_probs, kind, temperature, classes, n_threads, progress, checkpoint
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
    if not isinstance(inputs, TagInputs):
        from conflearn.stream import tag_issues

        return tag_issues.num_label_issues_per_class(inputs)
    return _core.num_tag_issues(*inputs)
