"""Confidence intervals of shares of which a sample is known, and of sums over strata.

Shares: Wilson's interval (Wilson 1927, JASA 22) with the finite-population correction, and with the
limits of Brown, Cai and DasGupta (2001, Statistical Science 16, section 4.1.1) next to 0 and 1,
where Wilson's cover too seldom. Sums: the square-and-add rule, or MOVER (Zou and Donner 2008,
Statistics in Medicine 27), which keeps the skewness of each stratum's interval.
"""

import math
from statistics import NormalDist
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

__all__ = ["Interval", "share_interval", "sum_interval"]

Ints = npt.NDArray[np.int64]

#: From so many reviews on, one more number of hits counts as few.
_MANY_REVIEWS = 51
_BISECTIONS = 100


class Interval(NamedTuple):
    """An estimate, and between what the truth lies with the confidence that was asked for."""

    estimate: float
    low: float
    high: float


def share_interval(n_hits: int, n_reviewed: int, n_rows: int, confidence: float) -> Interval:
    """Estimate the share of hits among rows of which some are reviewed, drawn alike.

    Parameters
    ----------
    n_hits, n_reviewed, n_rows : int
        Of `n_rows` rows `n_reviewed` were looked at, at least one, and `n_hits` of those are hits.
    confidence : float
        Level of the interval, between 0 and 1.
    """
    share = n_hits / n_reviewed
    if n_reviewed == n_rows:
        return Interval(share, share, share)
    # As if so many had been drawn from a population without end.
    n = n_reviewed * (n_rows - 1) / (n_rows - n_reviewed)
    spread = NormalDist().inv_cdf((1 + confidence) / 2) ** 2 / n
    middle = (share + spread / 2) / (1 + spread)
    half = math.sqrt(spread * (share * (1 - share) + spread / 4)) / (1 + spread)
    low, high = max(0.0, middle - half), min(1.0, middle + half)
    n_few = 3 if n_reviewed >= _MANY_REVIEWS else 2
    if 1 <= n_hits <= n_few:
        low = min(low, _least_rate(n_hits, 1 - confidence) / n_reviewed)
    n_others = n_reviewed - n_hits
    if 1 <= n_others <= n_few:
        high = max(high, 1 - _least_rate(n_others, 1 - confidence) / n_reviewed)
    # What was seen is certain.
    return Interval(share, max(low, n_hits / n_rows), min(high, 1 - n_others / n_rows))


def sum_interval(sizes: Ints, n_hits: Ints, n_reviewed: Ints, confidence: float) -> Interval:
    """Estimate the number of hits in all strata together.

    Parameters
    ----------
    sizes, n_hits, n_reviewed : ndarray of shape (H,), int64
        Of each stratum: its rows, those of them that were reviewed, at least one, and the hits
        among those.
    confidence : float
        Level of the interval, between 0 and 1.
    """
    strata = zip(n_hits.tolist(), n_reviewed.tolist(), sizes.tolist(), strict=True)
    shares = np.array([share_interval(*stratum, confidence) for stratum in strata]).reshape(-1, 3)
    estimates, lows, highs = sizes * shares.T
    estimate = float(estimates.sum())
    low = estimate - float(np.hypot.reduce(estimates - lows))
    high = estimate + float(np.hypot.reduce(highs - estimates))
    n_others = int(n_reviewed.sum() - n_hits.sum())
    return Interval(
        estimate, max(low, float(n_hits.sum())), min(high, float(sizes.sum() - n_others))
    )


def _least_rate(n_events: int, chance: float) -> float:
    """Find the rate of Poisson's distribution at which so many events, or more, have a chance."""
    low, high = 0.0, float(n_events)
    for _ in range(_BISECTIONS):
        rate = (low + high) / 2
        fewer = sum(math.exp(-rate) * rate**k / math.factorial(k) for k in range(n_events))
        low, high = (rate, high) if 1 - fewer < chance else (low, rate)
    return low
