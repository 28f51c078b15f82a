"""Thresholds of tags: how sure the model usually is, without and with each."""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from conflearn import _core
from conflearn._inputs import TagInputs
from conflearn._names import Kind
from conflearn._runs import Path, Progress, read_or_open_tags


def confident_thresholds(
    labels: object,
    pred_probs: object,
    *,
    kind: Kind = "probabilities",
    temperature: float = 1.0,
    classes: Sequence[object] | None = None,
    n_threads: int | None = None,
    progress: Progress = None,
    checkpoint: Path | None = None,
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
    progress, checkpoint
        As in `find_label_issues`.

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

        return tag_issues.confident_thresholds(inputs)
    return _core.tag_thresholds(*inputs)
