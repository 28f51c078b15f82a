"""Weights for training: what is known of the noise, as a number for each example."""

import numpy as np

LOWEST = 1e-3


def sample_weights(
    labels: np.ndarray,
    pred_probs: np.ndarray,
    noise: np.ndarray,
    mask: np.ndarray,
    *,
    mode: str,
) -> np.ndarray:
    """The weight of each example, from P(given | true) as [given, true] and what is flagged."""
    weights = np.zeros(len(labels))
    for row, k in enumerate(labels):
        stands_for = 1 / max(noise[k, k], LOWEST)
        if mode == "hard":
            weights[row] = 0 if mask[row] else stands_for
            continue
        true_given_x = np.linalg.pinv(noise, rcond=1e-6) @ pred_probs[row]
        own = pred_probs[row, k]
        right = noise[k, k] * true_given_x[k] / own if own > 0 else 0
        right = min(max(right, LOWEST), 1)
        weights[row] = right * stands_for if mode == "importance" else right
    return weights
