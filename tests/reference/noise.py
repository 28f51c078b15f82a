"""Noise for experiments: matrices that say how labels go wrong, and labels that do."""

import numpy as np


def uniform_noise_matrix(noise_rates: np.ndarray) -> np.ndarray:
    """Every other class is as likely a mistake."""
    n_classes = len(noise_rates)
    matrix = np.empty((n_classes, n_classes))
    for given in range(n_classes):
        for true in range(n_classes):
            rate = noise_rates[true]
            matrix[given, true] = 1 - rate if given == true else rate / (n_classes - 1)
    return matrix


def pair_noise_matrix(noise_rates: np.ndarray, mistaken_for: np.ndarray) -> np.ndarray:
    """One other class is the only mistake."""
    n_classes = len(noise_rates)
    matrix = np.zeros((n_classes, n_classes))
    for true in range(n_classes):
        matrix[true, true] = 1 - noise_rates[true]
        matrix[mistaken_for[true], true] = noise_rates[true]
    return matrix


def learnable_classes(noise_matrix: np.ndarray, prior: np.ndarray) -> np.ndarray:
    """P(given = k, true = k) > P(given = k) P(true = k)."""
    joint = noise_matrix * prior
    return np.array(
        [joint[k, k] > joint[k].sum() * joint[:, k].sum() for k in range(len(joint))], dtype=bool
    )


def joint_counts(labels: np.ndarray, true_labels: np.ndarray, n_classes: int) -> np.ndarray:
    """How many examples of each true class are given each class, ``[given, true]``."""
    counts = np.zeros((n_classes, n_classes), dtype=np.int64)
    for given, true in zip(labels, true_labels, strict=True):
        counts[given, true] += 1
    return counts


def points_with_sum(n_points: int, n: int, total: float, rng: np.random.Generator) -> np.ndarray:
    """Uniform points of the unit cube whose coordinates have that sum, by trial and error.

    All coordinates but one are uniform; the point is kept if the last one lies in the cube too.
    """
    points: list[np.ndarray] = []
    while len(points) < n_points:
        free = rng.random(n - 1)
        last = total - free.sum()
        if 0 <= last <= 1:
            points.append(np.append(free, last))
    return np.array(points)
