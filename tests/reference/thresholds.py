"""Thresholds: how sure the model is, on average, of each class where that class was given."""

import math

import numpy as np

NEVER_CONFIDENT = 2.0
LOWEST_THRESHOLD = 2e-6


def confident_thresholds(labels: np.ndarray, pred_probs: np.ndarray) -> np.ndarray:
    """t_k: the exact mean of P[i, k] over the examples given k; 2 where nobody was given k."""
    thresholds = np.full(pred_probs.shape[1], NEVER_CONFIDENT)
    for k in np.unique(labels):
        own = pred_probs[labels == k, k].astype(float)
        thresholds[k] = max(math.fsum(own) / len(own), LOWEST_THRESHOLD)
    return thresholds
