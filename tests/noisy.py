"""Examples with features, some of them with a wrong label: data that classifiers learn from."""

from typing import NamedTuple

import numpy as np


class Noisy(NamedTuple):
    """Features, given labels and true ones."""

    X: np.ndarray
    y: np.ndarray
    true: np.ndarray

    @property
    def is_wrong(self) -> np.ndarray:
        return self.y != self.true


def noisy_blobs(
    n_examples: int = 150, n_classes: int = 3, *, noise: float = 0.15, seed: int = 0
) -> Noisy:
    """Classes around corners that lie well apart; wrong labels are the next class."""
    rng = np.random.default_rng(seed)
    true = np.arange(n_examples) % n_classes
    angles = 2 * np.pi * true / n_classes
    corners = 3 * np.column_stack([np.cos(angles), np.sin(angles)])
    X = corners + rng.normal(size=(n_examples, 2))
    is_wrong = rng.random(n_examples) < noise
    return Noisy(X, np.where(is_wrong, (true + 1) % n_classes, true), true)
