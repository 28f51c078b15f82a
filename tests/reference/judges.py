"""Judges: each row by itself, once it is known what to judge by."""

from typing import Any, NamedTuple

import numpy as np

from reference.joint import confident_joint
from reference.thresholds import confident_thresholds


class Judgement(NamedTuple):
    """What a judge says of each example; all of shape (N,)."""

    scores: np.ndarray
    #: Another class has a larger weight than the given one, or as large a one and a lower number.
    is_beaten: np.ndarray
    #: The best of the other classes, the lowest on ties; -1 where all of them have weight 0.
    others: np.ndarray


def relative_confidence(
    labels: np.ndarray,
    pred_probs: np.ndarray,
    *,
    thresholds: np.ndarray | None = None,
    real: Any = np.float64,
) -> Judgement:
    """Each class relative to its own confidence: q_k = p_k / t_k, multiplied in ``real``."""
    if thresholds is None:
        thresholds = confident_thresholds(labels, pred_probs)
    weights = (1 / thresholds).astype(real)
    q = np.maximum(pred_probs, 0).astype(real) * weights
    rows = np.arange(len(labels))
    total = q.sum(axis=1, dtype=float)
    scores = np.divide(q[rows, labels], total, where=total > 0, out=np.zeros(len(labels)))
    is_beaten = (np.argmax(q, axis=1) != labels) & (q.max(axis=1) > 0)
    rest = q.copy()
    rest[rows, labels] = 0
    others = np.where(rest.max(axis=1) > 0, np.argmax(rest, axis=1), -1)
    return Judgement(scores, is_beaten, others)


def noise_floor(
    labels: np.ndarray,
    pred_probs: np.ndarray,
    temperature: float,
    class_bias: np.ndarray,
    least_given: float,
) -> Judgement:
    """The posterior of the given class above the noise floor, with all K x K rates."""
    n, k = pred_probs.shape
    rows = np.arange(n)
    raised = np.maximum(pred_probs, 0)
    is_empty = ~raised.any(axis=1)
    own = raised[rows, labels]
    raised[rows, labels] = np.where(own > 0, own, least_given)
    raised[is_empty] = 0
    powers = raised ** (1 / temperature) * np.exp(class_bias)
    sums = powers.sum(axis=1, keepdims=True)
    probabilities = powers / np.where(sums > 0, sums, 1)

    counts = confident_joint(labels, pred_probs, calibrate=False).T.astype(float)  # [true, given]
    priors = counts.sum(axis=1) / counts.sum()
    given = np.bincount(labels, minlength=k)
    rates = counts + 0.1 * given / n
    rates /= rates.sum(axis=1, keepdims=True)
    own = rates.diagonal()
    floors = (priors @ rates - priors * own) / (1 - priors)

    above = np.maximum(probabilities - floors, 0.05 * probabilities)
    above /= np.maximum(own - floors, 0.05)
    weights = above * (rates**0.75).T[labels]
    own_weights = weights[rows, labels]
    scores = own_weights / (weights.sum(axis=1) + 0.02)
    is_beaten = (weights.argmax(axis=1) != labels) & (weights.max(axis=1) > 0)
    weights[rows, labels] = 0
    others = np.where(weights.max(axis=1) > 0, weights.argmax(axis=1), -1)
    return Judgement(scores, is_beaten, others)
