"""Confidence intervals of shares of which a sample is known, and of sums over strata.

Shares: Wilson's interval (Wilson 1927, JASA 22), as if rows were drawn from a population without
end, and next to 0 and 1, where it holds too seldom, with the limits of Brown, Cai and DasGupta
(2001, Statistical Science 16, section 4.1.1). Sums: the square-and-add rule, or MOVER (Zou and
Donner 2008, Statistics in Medicine 27), which keeps the skewness of each stratum's interval.
"""

import math
from collections.abc import Sequence
from statistics import NormalDist
from typing import NamedTuple

import numpy as np

__all__ = ["Interval", "Stratum", "share_interval", "sum_interval"]

#: From so many reviews on, one more number of hits counts as few.
_MANY_REVIEWS = 51
_BISECTIONS = 100


class Interval(NamedTuple):
    """An estimate, and between what the truth lies with the confidence that was asked for."""

    estimate: float
    low: float
    high: float


class Stratum(NamedTuple):
    """What is known of the rows of a stretch of the ranking."""

    #: How many rows there are.
    size: int
    #: How many were reviewed, and how many of these are hits.
    n_reviewed: int
    n_hits: int
    #: The share of hits: each review counts for the rows that it was drawn from. Where nobody has
    #: looked, what the neighbours suggest.
    share: float


def share_interval(stratum: Stratum, confidence: float) -> Interval:
    """Find between what the share of hits lies."""
    size, n, n_hits, share = stratum
    if n == size:
        return Interval(share, share, share)
    if not n:
        return Interval(share, 0.0, 1.0)
    spread = NormalDist().inv_cdf((1 + confidence) / 2) ** 2 / n
    middle = (share + spread / 2) / (1 + spread)
    half = math.sqrt(spread * (share * (1 - share) + spread / 4)) / (1 + spread)
    low, high = middle - half, middle + half
    n_few = 3 if n >= _MANY_REVIEWS else 2
    n_others = n - n_hits
    if 1 <= n_hits <= n_few:
        low = min(low, _least_rate(n_hits, 1 - confidence) / n)
    if 1 <= n_others <= n_few:
        high = max(high, 1 - _least_rate(n_others, 1 - confidence) / n)
    # What was seen is certain.
    return Interval(share, max(low, n_hits / size), min(high, 1 - n_others / size))


def sum_interval(strata: Sequence[Stratum], confidence: float) -> Interval:
    """Estimate the number of hits in all strata together.

    Of strata that nobody looked at, none or all may be hits: that is added as it is.
    """
    looked_at = [one for one in strata if one.n_reviewed]
    shares = np.array([share_interval(one, confidence) for one in looked_at]).reshape(-1, 3)
    sizes = np.array([one.size for one in looked_at], np.float64)
    estimates, lows, highs = sizes * shares.T
    known = float(estimates.sum())
    low = known - float(np.hypot.reduce(estimates - lows))
    high = known + float(np.hypot.reduce(highs - estimates))
    n_hits = sum(one.n_hits for one in looked_at)
    n_others = sum(one.n_reviewed - one.n_hits for one in looked_at)
    unseen = [one for one in strata if not one.n_reviewed]
    return Interval(
        known + sum(one.size * one.share for one in unseen),
        max(low, float(n_hits)),
        min(high, float(sizes.sum()) - n_others) + sum(one.size for one in unseen),
    )


def _least_rate(n_events: int, chance: float) -> float:
    """Find the rate of Poisson's distribution at which so many events, or more, have a chance."""
    low, high = 0.0, float(n_events)
    for _ in range(_BISECTIONS):
        rate = (low + high) / 2
        fewer = sum(math.exp(-rate) * rate**k / math.factorial(k) for k in range(n_events))
        low, high = (rate, high) if 1 - fewer < chance else (low, rate)
    return low
