"""What follows from a noise matrix that the caller knows, in (K, K) arithmetic.

With p(k) the share of the examples given class k, noise = P(given | true), shape [given, true], and
inverse = P(true | given), shape [true, given]:

    prior(j)      = solves noise * prior = p, clipped to [1e-6, 1] and normalised
    inverse[j, k] = noise[k, j] * prior(j) / p(k)
    noise[k, j]   = inverse[j, k] * p(k) / (inverse * p)(j)

Rates off the diagonals are clipped to [0, 0.9999]; then columns are normalised.
"""

import numpy as np
import numpy.typing as npt

from conflearn._coerce import as_floats
from conflearn.errors import OptionError, ShapeError, SingularMatrixError

__all__ = ["as_noise_matrix", "noise_from_inverse", "prior_and_inverse"]

Floats = npt.NDArray[np.float64]

_LEAST_PRIOR = 1e-6
_LARGEST_RATE = 0.9999
_TINY = 1e-100  # only keeps a division by zero away


def as_noise_matrix(matrix: object, name: str) -> Floats | None:
    """Return a copy of a matrix of rates, float64 of shape (K, K); of None, None."""
    if matrix is None:
        return None
    rates = np.array(as_floats(matrix, name))
    if rates.ndim != 2 or rates.shape[0] != rates.shape[1]:  # noqa: PLR2004 - (K, K)
        raise ShapeError(
            f"{name} must have a row and a column for each class; its shape is {rates.shape}"
        )
    if not np.isfinite(rates).all():
        raise OptionError(f"{name} must be finite; put a rate between 0 and 1 everywhere")
    trace = rates.trace()
    if trace <= 1:
        raise OptionError(
            f"Trace({name}) is {trace.round(2)}, but must exceed 1, or the labels tell nothing of "
            "the true classes"
        )
    return rates


def prior_and_inverse(shares: Floats, noise_matrix: Floats) -> tuple[Floats, Floats]:
    """Estimate the prior of the true classes and the inverse noise matrix.

    `shares` are those of the given classes.
    """
    try:
        prior = np.linalg.inv(noise_matrix) @ shares
    except np.linalg.LinAlgError as error:
        raise SingularMatrixError(
            "noise_matrix must have an inverse, but is singular; pass inverse_noise_matrix too, "
            "or leave it out"
        ) from error
    prior = prior.clip(_LEAST_PRIOR, 1.0)
    prior /= prior.sum()
    return prior, _clipped((noise_matrix * prior).T / shares.clip(_TINY))


def noise_from_inverse(shares: Floats, inverse_noise_matrix: Floats) -> Floats:
    """Estimate the noise matrix."""
    joint = (inverse_noise_matrix * shares).T
    return _clipped(joint / joint.sum(axis=0).clip(_TINY))


def _clipped(rates: Floats) -> Floats:
    clipped = rates.clip(0, _LARGEST_RATE)
    np.fill_diagonal(clipped, rates.diagonal())
    return np.asarray(clipped / clipped.sum(axis=0).clip(_TINY))
