"""The noise model: who is mistaken for whom, and how common the true classes are."""

from typing import NamedTuple

import numpy as np

from reference.joint import TINY, class_counts

LOWEST_PRIOR = 1e-6
LOWEST_CONVERGED_PRIOR = 1e-5
HIGHEST_NOISE_RATE = 0.9999


class NoiseModel(NamedTuple):
    """P(true), P(given | true) as [given, true], P(true | given) as [true, given]."""

    prior: np.ndarray
    noise_matrix: np.ndarray
    inverse_noise_matrix: np.ndarray


def estimate_noise_model(
    confident_joint: np.ndarray,
    labels: np.ndarray,
    *,
    prior_method: str = "cnt",
    converge: bool = False,
) -> NoiseModel:
    """The noise model of a confident joint."""
    counts = confident_joint.astype(float)
    given = class_counts(labels, len(counts)) / len(labels)
    noise = _columns_sum_to_one(counts)
    inverse = _columns_sum_to_one(counts.T)
    if prior_method == "cnt":
        prior = _prior_by_counts(given, noise, inverse)
    elif prior_method == "eqn":
        prior = _as_prior(np.linalg.inv(noise) @ given)
    elif prior_method == "marginal":
        prior = _as_prior(counts.sum(axis=0) / counts.sum())
    elif prior_method == "marginal_ps":
        prior = _as_prior(inverse @ given)
    else:
        raise ValueError(prior_method)
    noise, inverse = _clip_rates(noise), _clip_rates(inverse)
    if converge:
        for _ in range(3):
            for _ in range(5):
                inverse = _clip_rates((noise * prior).T / np.maximum(given, TINY))
                prior = _prior_by_counts(given, noise, inverse)
            noise = _clip_rates((inverse * given).T / np.maximum(prior, TINY))
        prior = _as_prior(prior, LOWEST_CONVERGED_PRIOR)
        noise, inverse = _clip_rates(noise), _clip_rates(inverse)
    return NoiseModel(prior, noise, inverse)


def _prior_by_counts(given: np.ndarray, noise: np.ndarray, inverse: np.ndarray) -> np.ndarray:
    return _as_prior(inverse.diagonal() / np.maximum(noise.diagonal(), TINY) * given)


def _as_prior(values: np.ndarray, lowest: float = LOWEST_PRIOR) -> np.ndarray:
    values = np.clip(values, lowest, 1.0)
    return values / values.sum()


def _columns_sum_to_one(matrix: np.ndarray) -> np.ndarray:
    return matrix / np.maximum(matrix.sum(axis=0), TINY)


def _clip_rates(matrix: np.ndarray) -> np.ndarray:
    """Off-diagonal rates into [0, 0.9999]; then every column sums to one again."""
    clipped = np.clip(matrix, 0, HIGHEST_NOISE_RATE)
    np.fill_diagonal(clipped, matrix.diagonal())
    return _columns_sum_to_one(clipped)
