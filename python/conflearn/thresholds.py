"""Class thresholds: how confident the model is, on average, in the examples given a class."""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from conflearn import _core
from conflearn._inputs import Inputs
from conflearn._names import Kind
from conflearn._runs import Path, Progress, read_or_open


def confident_thresholds(
    labels: object,
    pred_probs: object,
    *,
    kind: Kind = "probabilities",
    temperature: float = 1.0,
    class_bias: object = None,
    classes: Sequence[object] | None = None,
    n_threads: int | None = None,
    progress: Progress = None,
    checkpoint: Path | None = None,
) -> npt.NDArray[np.float64]:
    """Mean self-confidence of each class.

    ``thresholds[k]`` is the mean of ``pred_probs[i, k]`` over the examples ``i`` given class k: an
    example is *confidently* of class k when its probability reaches it.

    Parameters
    ----------
    labels : array_like of shape (N,)
        Given labels: integers 0..K-1, or names together with `classes`.
    pred_probs : array_like of shape (N, K)
        Out-of-sample predicted probabilities, float16, bfloat16, float32 or float64. Only the
        own-class cells ``pred_probs[i, labels[i]]`` are read and checked. Labels and matrix may be
        what is read in blocks, as in `find_label_issues`.
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
    ndarray of shape (K,), float64
        One threshold a class, from 2e-6 to 1 (or up to 1e-6 above, as the probabilities may be); 2
        for a class that no example is given, which no probability reaches. (Of ``kind="scores"``
        any numbers, and infinity for such a class.) The sum has no order: the same bits for any
        threads and row order.

    Raises
    ------
    InputError
        If shapes do not fit, or a label or an own-class probability is out of range.

    References
    ----------
    Northcutt, Jiang, Chuang: Confident Learning, JAIR 70 (2021), Equation 2.

    Examples
    --------
    >>> import conflearn
    >>> conflearn.confident_thresholds([0, 0, 1], [[0.75, 0.25], [0.25, 0.75], [0.5, 0.5]])
    array([0.5, 0.5])
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
        from conflearn.stream import thresholds

        return thresholds.confident_thresholds(inputs)
    return _core.confident_thresholds(*inputs)
