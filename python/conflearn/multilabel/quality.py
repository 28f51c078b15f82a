"""Scores of tags: of each class of an example, and of the example as a whole."""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from conflearn import _core
from conflearn._coerce import one_of
from conflearn._inputs import TagInputs
from conflearn._names import CLASSIC_SCORES, Aggregate, ClassicScore, Kind
from conflearn._options import ALPHA, SOFTMIN_TEMPERATURE, read_adjustment, read_aggregate
from conflearn._runs import Path, Progress, read_or_open_tags


def label_quality_scores(
    labels: object,
    pred_probs: object,
    *,
    method: ClassicScore = "self_confidence",
    adjust_pred_probs: bool = False,
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
    out, progress, checkpoint
        As in `find_label_issues`.

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
    one_of(method, CLASSIC_SCORES, "method")
    adjust = read_adjustment(adjust_pred_probs, method, "method")
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
    if not isinstance(inputs, TagInputs):
        from conflearn.stream import tag_issues

        return tag_issues.label_quality_scores(inputs, method, adjust, how, out)
    return _core.tag_quality_scores(
        inputs.tags, inputs.pred_probs, method, adjust, None, how, 0, inputs.n_threads
    )


def label_quality_scores_per_class(
    labels: object,
    pred_probs: object,
    *,
    method: ClassicScore = "self_confidence",
    adjust_pred_probs: bool = False,
    kind: Kind = "probabilities",
    temperature: float = 1.0,
    classes: Sequence[object] | None = None,
    n_threads: int | None = None,
    progress: Progress = None,
    checkpoint: Path | None = None,
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
    progress, checkpoint
        As in `find_label_issues`.

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
    one_of(method, CLASSIC_SCORES, "method")
    adjust = read_adjustment(adjust_pred_probs, method, "method")
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

        return tag_issues.label_quality_scores_per_class(inputs, method, adjust)
    return _core.tag_quality_scores_per_class(
        inputs.tags, inputs.pred_probs, method, adjust, None, 0, inputs.n_threads
    )
