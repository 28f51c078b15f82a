"""Label quality: one score an example, low where the label is likely wrong."""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from conflearn import _core
from conflearn._coerce import one_of
from conflearn._inputs import Inputs
from conflearn._names import SCORES, Kind, Score
from conflearn._options import read_adjustment
from conflearn._runs import Path, Progress, read_or_open
from conflearn.judges import fit_in_memory


def label_quality_scores(
    labels: object,
    pred_probs: object,
    *,
    method: Score = "self_confidence",
    adjust_pred_probs: bool = False,
    kind: Kind = "probabilities",
    temperature: float = 1.0,
    class_bias: object = None,
    classes: Sequence[object] | None = None,
    n_threads: int | None = None,
    out: Path | None = None,
    progress: Progress = None,
    checkpoint: Path | None = None,
) -> npt.NDArray[np.float64]:
    """Score each label from 0 (likely wrong) to 1 (likely right).

    Parameters
    ----------
    labels : array_like of shape (N,)
        Given labels: integers 0..K-1, or names together with `classes`. Or what is read in
        blocks, as in `find_label_issues`.
    pred_probs : array_like of shape (N, K)
        Out-of-sample predicted probabilities. ``self_confidence`` without adjustment reads and
        checks the own-class cells ``pred_probs[i, labels[i]]`` only. Or what is read in blocks.
    method : str, default "self_confidence"
        With y the given class of row p:

        - ``self_confidence``: p_y;
        - ``normalized_margin``: (p_y - max of p_j over j != y, + 1) / 2;
        - ``confidence_weighted_entropy``: ln(1 + h) / h for h = H(p) / ln K / max(p_y, 1e-6);
        - ``relative_confidence``: q_y / sum of q for q_j = p_j / t_j, with t the
          `confident_thresholds`; 0 for a row of zeros;
        - ``noise_floor``: the share of the given class in what probabilities, calibrated to the
          labels, have above what wrong labels alone explain. That is P(the label is right) under
          the assumptions of this rule, none of which is checked: for chances that hold, see
          `audit`.
    adjust_pred_probs : bool, default False
        Take class imbalance out first: subtract each class's threshold, add the largest one,
        normalise rows. Columns of classes that no example is given stay as they are. Only for
        ``self_confidence`` and ``normalized_margin``.
    kind, temperature, class_bias
        What the cells of `pred_probs` are, as in `find_label_issues`.
    classes : sequence of K names, optional
        What the columns of `pred_probs` stand for, when `labels` holds names.
    n_threads : int, optional
        Number of threads, at most 1024; by default `conflearn.n_threads()`.
    out : path, optional
        An ``.npy`` or ``.parquet`` file (a column called as the method) to write to, as in
        `find_label_issues`.
    progress, checkpoint
        As in `find_label_issues`.

    Returns
    -------
    ndarray of shape (N,), float64
        Scores in [0, 1]. Of ``kind="scores"`` any numbers: s_y, or s_y - max of s_j over j != y.

    Raises
    ------
    InputError
        If shapes do not fit, or a label or a probability that is read is out of range.
    OptionError
        If there is no such method, or it cannot be adjusted.

    Examples
    --------
    >>> import conflearn
    >>> conflearn.label_quality_scores([0, 1], [[0.75, 0.25], [0.875, 0.125]])
    array([0.75 , 0.125])
    """
    one_of(method, SCORES, "method")
    adjust = read_adjustment(adjust_pred_probs, method, "method")
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
    if not isinstance(inputs, Inputs):
        from conflearn.stream import quality

        return quality.label_quality_scores(inputs, method, adjust, out)
    return _core.label_quality_scores(
        inputs.labels,
        inputs.pred_probs,
        method,
        adjust,
        None,
        0,
        inputs.n_threads,
        *fit_in_memory(inputs, method),
    )
