"""Label issues: which labels are wrong, how many, and in which order to look at them."""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from conflearn import _core
from conflearn._coerce import as_mask, one_of
from conflearn._inputs import Inputs, read_inputs, read_joint
from conflearn._names import (
    COUNT_METHODS,
    SCORES,
    CountMethod,
    FilterChoice,
    Kind,
    Score,
)
from conflearn._options import read_adjustment, read_options
from conflearn._runs import Path, Progress, read_or_open
from conflearn.errors import OptionError
from conflearn.judges import fit_in_memory
from conflearn.recommendation import choose_for


def find_label_issues(
    labels: object,
    pred_probs: object,
    *,
    filter_by: FilterChoice = "prune_by_noise_rate",
    frac_noise: float = 1.0,
    num_to_remove_per_class: object = None,
    min_examples_per_class: int = 1,
    confident_joint: object = None,
    cut: float | None = None,
    kind: Kind = "probabilities",
    temperature: float = 1.0,
    class_bias: object = None,
    classes: Sequence[object] | None = None,
    n_threads: int | None = None,
    out: Path | None = None,
    progress: Progress = None,
    checkpoint: Path | None = None,
) -> npt.NDArray[np.bool_]:
    """Flag the examples whose given label is likely wrong.

    Parameters
    ----------
    labels : array_like of shape (N,)
        Given labels: integers 0..K-1, or names together with `classes`. Or a file, see the notes.
    pred_probs : array_like of shape (N, K)
        Out-of-sample predicted probabilities, float16, bfloat16, float32 or float64: each row from
        a model that was not trained on that example. Read where it lies, never written to. Or
        files, or batches: see the notes.
    filter_by : str, default "prune_by_noise_rate"
        Which examples to flag:

        - ``prune_by_noise_rate``: for each pair of classes (k given, j true), as many as the joint
          says, those with the largest ``P[:, j] - P[:, k]``;
        - ``prune_by_class``: for each given class k, as many as the joint says, those with the
          smallest ``P[:, k]``;
        - ``both``: flagged by both of these;
        - ``confident_learning``: counted off the diagonal of the confident joint;
        - ``predicted_neq_given``: the model's most probable class is another one;
        - ``low_normalized_margin``, ``low_self_confidence``: the lowest scores, as many as
          `num_label_issues` counts;
        - ``relative_confidence``: the class with the largest ``P[:, j] / t_j`` is another one, with
          t the `confident_thresholds`;
        - ``noise_floor``: the given class has less than half (or `cut`) of what probabilities,
          calibrated to the labels, have above what wrong labels alone explain;
        - ``auto``: ``noise_floor`` with the cut that `recommend` says.

        Except for the last five, an example whose given class is the model's most probable one
        (within 1e-6) is never flagged.
    frac_noise : float in [0, 1], default 1
        The share of the issues in the joint to flag. For the pruning filters (the first three).
    num_to_remove_per_class : array_like of shape (K,), optional
        How many of the examples given each class to flag, instead of what the joint says (fewer
        where the model agrees with the label). For the pruning filters.
    min_examples_per_class : int, default 1
        Leave at least as many examples in each class. For the pruning filters.
    confident_joint : array_like of shape (K, K), optional
        Counts ``joint[given, true]`` to use as they are; by default those of the data,
        calibrated. For the pruning filters.
    cut : float in [0, 1], optional
        Flag scores below it, by default 0.5. For ``noise_floor``: a lower cut flags fewer labels,
        of which more are wrong. The score reads like P(the label is right), and is that only as far
        as its assumptions go; `audit` gives chances that hold.
    kind : {"probabilities", "logits", "scores"}, default "probabilities"
        What the cells of `pred_probs` are. Of logits the softmax is taken, row by row, without a
        second matrix; minus infinity rules a class out. Scores are any real numbers that are larger
        where more speaks for the class, such as the decision distances of an SVM: thresholds are
        means of them, margins differences. What needs a probability refuses them. Two classes may
        have one column of logits or scores, or one dimension, that speaks for class 1.
    temperature : float, default 1
        Logits, and the logarithms of probabilities, are divided by it first.
    class_bias : array_like of shape (K,), optional
        What is added to them after that, from -30 to 30: see `fit_calibration`. Not for scores.
    classes : sequence of K names, optional
        What the columns of `pred_probs` stand for, when `labels` holds names.
    n_threads : int, optional
        Number of threads, at most 1024; by default `conflearn.n_threads()`. It never
        shows in the answer.
    out : path, optional
        Write the mask to this ``.npy`` or ``.parquet`` file (column ``is_issue``) as it is found,
        instead of holding it in memory. The file appears whole or not at all, and takes the place
        of one that is there, unless that is read from. What is returned is a map of it, for
        reading.
    progress : bool or callable, optional
        True shows a bar for each pass over the data (needs tqdm). A function is called with the
        name of the pass, the rows that are done, and how many there are (None where that shows only
        in the end).
    checkpoint : path, optional
        A folder in which it is noted every ten seconds how far the call has come. If the process
        is killed, the same call goes on from there, to the same answer. In the end the folder is
        cleared.

    Returns
    -------
    ndarray of shape (N,), bool
        True where the label is likely wrong.

    Raises
    ------
    InputError
        If shapes do not fit, or a label or a probability is out of range.
    OptionError
        If there is no such filter, or it does not use an option that was given.
    SourceError
        If a file is missing, damaged, does not go with the others, or changes meanwhile.
    StateError
        If `checkpoint` holds another run, or is damaged.

    See Also
    --------
    rank_label_issues : The same examples, the worst first.
    analyze : Everything from one sweep.

    Notes
    -----
    What does not fit in memory is read in blocks, once for each pass: in a fixed amount of memory,
    and to the same answer, to the bit. `pred_probs` may be

    - a path, a list of paths or a glob, whose files have the next rows each: ``.npy`` and other
      formats of arrays and tables. `labels` is then an array, a file, a list of as many files, or
      the name of an array or column beside the matrix; None, if that has the usual name;
    - an array that gives rows when sliced, such as those of zarr and h5py;
    - with ``labels=None``, an iterable of batches ``(labels, pred_probs)`` that starts anew for
      each pass, such as a list or a torch DataLoader, or a function that returns an iterator.

    References
    ----------
    Northcutt, Jiang, Chuang: Confident Learning, JAIR 70 (2021), Section 3.2.

    Examples
    --------
    >>> import conflearn
    >>> labels = [0, 0, 0, 1, 1]
    >>> pred_probs = [[0.9, 0.1], [0.8, 0.2], [0.2, 0.8], [0.3, 0.7], [0.1, 0.9]]
    >>> conflearn.find_label_issues(labels, pred_probs)
    array([False, False,  True, False, False])
    """
    inputs = read_or_open(
        labels,
        pred_probs,
        classes,
        n_threads,
        kind,
        temperature,
        class_bias,
        out=out,
        progress=progress,
        checkpoint=checkpoint,
    )
    options = read_options(
        inputs.n_classes,
        filter_by,
        frac_noise,
        num_to_remove_per_class,
        min_examples_per_class,
        confident_joint,
        cut,
    )
    if not isinstance(inputs, Inputs):
        from conflearn.stream import issues

        return issues.find_label_issues(inputs, options, out)
    options = choose_for(inputs, options)
    options = options._replace(judges=fit_in_memory(inputs, options.filter_by))
    return _core.find_label_issues(inputs.labels, inputs.pred_probs, options, inputs.n_threads)


def rank_label_issues(
    labels: object,
    pred_probs: object,
    *,
    filter_by: FilterChoice = "prune_by_noise_rate",
    frac_noise: float = 1.0,
    num_to_remove_per_class: object = None,
    min_examples_per_class: int = 1,
    confident_joint: object = None,
    cut: float | None = None,
    rank_by: Score = "self_confidence",
    kind: Kind = "probabilities",
    temperature: float = 1.0,
    class_bias: object = None,
    classes: Sequence[object] | None = None,
    n_threads: int | None = None,
    out: Path | None = None,
    progress: Progress = None,
    checkpoint: Path | None = None,
) -> npt.NDArray[np.int64]:
    """Find the examples whose given label is likely wrong, the worst first.

    Parameters
    ----------
    labels, pred_probs, filter_by, frac_noise, num_to_remove_per_class, min_examples_per_class, \
confident_joint, cut, kind, temperature, class_bias, classes, n_threads, progress, checkpoint
        As in `find_label_issues`.
    rank_by : str, default "self_confidence"
        The score to order by, see `label_quality_scores`; lower is worse, ties go to the lower row.
    out : path, optional
        An ``.npy`` or ``.parquet`` file (column ``row``) to write to, as in `find_label_issues`.

    Returns
    -------
    ndarray of shape (M,), int64
        Rows.

    Raises
    ------
    InputError, OptionError
        As in `find_label_issues`.

    Examples
    --------
    >>> import conflearn
    >>> labels = [0, 0, 0, 0, 1, 1]
    >>> pred_probs = [[0.9, 0.1], [0.8, 0.2], [0.2, 0.8], [0.1, 0.9], [0.3, 0.7], [0.1, 0.9]]
    >>> conflearn.rank_label_issues(labels, pred_probs)
    array([3, 2])
    """
    one_of(rank_by, SCORES, "rank_by")
    inputs = read_or_open(
        labels,
        pred_probs,
        classes,
        n_threads,
        kind,
        temperature,
        class_bias,
        out=out,
        progress=progress,
        checkpoint=checkpoint,
    )
    options = read_options(
        inputs.n_classes,
        filter_by,
        frac_noise,
        num_to_remove_per_class,
        min_examples_per_class,
        confident_joint,
        cut,
    )
    if not isinstance(inputs, Inputs):
        from conflearn.stream import issues

        return issues.rank_label_issues(inputs, options, rank_by, out)
    options = choose_for(inputs, options)
    options = options._replace(judges=fit_in_memory(inputs, options.filter_by, rank_by))
    return _core.rank_label_issues(
        inputs.labels, inputs.pred_probs, options, rank_by, inputs.n_threads
    )


def order_label_issues(
    mask: object,
    labels: object,
    pred_probs: object,
    *,
    rank_by: Score = "self_confidence",
    adjust_pred_probs: bool = False,
    kind: Kind = "probabilities",
    temperature: float = 1.0,
    class_bias: object = None,
    classes: Sequence[object] | None = None,
    n_threads: int | None = None,
) -> npt.NDArray[np.int64]:
    """Order the examples of a mask, the worst label first.

    Parameters
    ----------
    mask : array_like of shape (N,), bool
        The examples to order, such as `find_label_issues` returns them. Only their rows are read
        and checked: of each the own-class cell for ``self_confidence``, the whole row for other
        scores. What needs thresholds, as `adjust_pred_probs` and ``relative_confidence`` do,
        reads them whole, and the own-class cells of all other rows too; ``noise_floor`` reads all
        cells.
    labels, pred_probs, kind, temperature, class_bias, classes, n_threads
        As in `find_label_issues`.
    rank_by, adjust_pred_probs
        The score to order by, see `label_quality_scores`; lower is worse, ties go to the lower row.

    Returns
    -------
    ndarray of shape (M,), int64
        Rows.

    Raises
    ------
    InputError
        If shapes do not fit, or a label or a probability that is read is out of range.
    OptionError
        If there is no such score, or it cannot be adjusted.

    Examples
    --------
    >>> import conflearn
    >>> pred_probs = [[0.9, 0.1], [0.2, 0.8], [0.1, 0.9]]
    >>> conflearn.order_label_issues([False, True, True], [0, 0, 0], pred_probs)
    array([2, 1])
    """
    one_of(rank_by, SCORES, "rank_by")
    adjust = read_adjustment(adjust_pred_probs, rank_by, "rank_by")
    inputs = read_inputs(labels, pred_probs, classes, n_threads, kind, temperature, class_bias)
    flagged = as_mask(mask, inputs.n_examples)
    return _core.order_label_issues(
        flagged,
        inputs.labels,
        inputs.pred_probs,
        rank_by,
        adjust,
        inputs.n_threads,
        *fit_in_memory(inputs, rank_by),
    )


def num_label_issues(
    labels: object,
    pred_probs: object,
    *,
    method: CountMethod = "off_diagonal",
    confident_joint: object = None,
    kind: Kind = "probabilities",
    temperature: float = 1.0,
    class_bias: object = None,
    classes: Sequence[object] | None = None,
    n_threads: int | None = None,
    progress: Progress = None,
    checkpoint: Path | None = None,
) -> int:
    """Estimate how many labels are wrong.

    Parameters
    ----------
    labels, pred_probs, kind, temperature, class_bias, classes, n_threads, progress, checkpoint
        As in `find_label_issues`.
    method : {"off_diagonal", "off_diagonal_calibrated", "off_diagonal_custom"}
        Count the examples that ``filter_by="confident_learning"`` flags; or take the share off the
        diagonal of the calibrated joint; or the same of a joint that is given.
    confident_joint : array_like of shape (K, K), optional
        For ``off_diagonal_custom``, and only for it: counts ``joint[given, true]``.

    Returns
    -------
    int
        Between 0 and N.

    Raises
    ------
    InputError
        If shapes do not fit, or a label or a probability is out of range.
    OptionError
        If there is no such method, or `confident_joint` is missing or not used.

    Examples
    --------
    >>> import conflearn
    >>> labels = [0, 0, 0, 1, 1]
    >>> pred_probs = [[0.9, 0.1], [0.8, 0.2], [0.2, 0.8], [0.3, 0.7], [0.1, 0.9]]
    >>> conflearn.num_label_issues(labels, pred_probs)
    1
    """
    one_of(method, COUNT_METHODS, "method")
    is_custom = method == "off_diagonal_custom"
    if is_custom and confident_joint is None:
        raise OptionError("method='off_diagonal_custom' needs confident_joint, of shape (K, K)")
    if not is_custom and confident_joint is not None:
        raise OptionError(
            f"method={method!r} does not use confident_joint; pass method='off_diagonal_custom'"
        )
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
        from conflearn.stream import issues

        return issues.num_label_issues(inputs, method, confident_joint)
    if is_custom:
        return _core.num_off_diagonal(*read_joint(confident_joint, inputs))
    return _core.num_label_issues(
        inputs.labels,
        inputs.pred_probs,
        method == "off_diagonal_calibrated",
        "most_probable",
        inputs.n_threads,
    )
