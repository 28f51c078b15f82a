"""Label quality scores: in [0, 1], higher is a better label."""

import numpy as np

from reference.joint import class_counts
from reference.thresholds import confident_thresholds

LOWEST_CONFIDENCE = 1e-6


def label_quality_scores(
    labels: np.ndarray,
    pred_probs: np.ndarray,
    *,
    method: str = "self_confidence",
    adjust_pred_probs: bool = False,
    thresholds: np.ndarray | None = None,
    absent: str = "not_shifted",
) -> np.ndarray:
    """One score an example.

    `absent` names the rule of the adjustment for a class that nobody was given: `"not_shifted"`,
    or cleanlab's `"shifted"`, where its threshold of 2 takes part like any other.
    """
    if adjust_pred_probs:
        if thresholds is None:
            thresholds = confident_thresholds(labels, pred_probs)
        pred_probs = _adjusted(labels, pred_probs, thresholds, absent)
    own = pred_probs[np.arange(len(labels)), labels]
    if method == "self_confidence":
        scores = own
    elif method == "normalized_margin":
        others = pred_probs.copy()
        others[np.arange(len(labels)), labels] = -np.inf
        scores = (own - others.max(axis=1) + 1) / 2
    elif method == "confidence_weighted_entropy":
        scores = _confidence_weighted_entropy(own, pred_probs)
    else:
        raise ValueError(method)
    return np.clip(scores, 0.0, 1.0)


def _confidence_weighted_entropy(own: np.ndarray, pred_probs: np.ndarray) -> np.ndarray:
    log = np.log(pred_probs, where=pred_probs > 0, out=np.zeros_like(pred_probs))
    entropy = -(pred_probs * log).sum(axis=1) / np.log(pred_probs.shape[1])
    h = np.maximum(entropy, 0.0) / np.maximum(own, LOWEST_CONFIDENCE)
    return np.divide(np.log1p(h), h, where=h > 0, out=np.ones_like(h))


def _adjusted(
    labels: np.ndarray, pred_probs: np.ndarray, thresholds: np.ndarray, absent: str
) -> np.ndarray:
    shift = thresholds.max() - thresholds
    if absent == "not_shifted":
        present = class_counts(labels, len(thresholds)) > 0
        shift = np.where(present, thresholds[present].max() - thresholds, 0.0)
    shifted = pred_probs + shift
    return shifted / shifted.sum(axis=1, keepdims=True)
