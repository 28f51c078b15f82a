"""What logits and scores mean."""

import numpy as np


def softmax(logits: np.ndarray, temperature: float = 1.0) -> np.ndarray:
    """Probabilities out of logits, row by row."""
    powers = np.exp((logits - logits.max(axis=1, keepdims=True)) / temperature)
    return powers / powers.sum(axis=1, keepdims=True)


def between_0_and_1(scores: np.ndarray) -> np.ndarray:
    """Scores, all moved and stretched alike: no order changes, and they pass for probabilities."""
    return (scores - scores.min()) / (scores.max() - scores.min())


def margins(labels: np.ndarray, scores: np.ndarray) -> np.ndarray:
    """How far the score of the given class is above the best other one."""
    rows = np.arange(len(labels))
    others = scores.copy()
    others[rows, labels] = -np.inf
    return scores[rows, labels] - others.max(axis=1)
