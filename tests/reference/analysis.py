"""What an analysis adds: the label that a flagged example should rather have."""

import numpy as np


def suggested_labels(labels: np.ndarray, pred_probs: np.ndarray, mask: np.ndarray) -> np.ndarray:
    """The given label; where flagged, the most probable class other than the given one."""
    others = pred_probs.copy()
    others[np.arange(len(labels)), labels] = -np.inf
    return np.where(mask, np.argmax(others, axis=1), labels).astype(np.int64)
