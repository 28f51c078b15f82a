"""Confidence intervals of shares of which a sample is known, and of sums over strata.

Shares: Wilson's interval (Wilson 1927, JASA 22), as if rows were drawn from a population without
end. Next to 0 and 1, where it holds too seldom (Brown, Cai and DasGupta 2001, Statistical Science
16), it has the exact limits of rare events (Garwood 1936, Biometrika 28). Sums: the square-and-add
rule, or MOVER (Zou and Donner 2008, Statistics in Medicine 27), which keeps the skewness of each
stratum's interval. How far a sum varies is itself known from a few hits only (or from a few others,
above it): so the quantile is that of Student's distribution, with the degrees of freedom of
Satterthwaite (1946, Biometrics Bulletin 2).
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
    #: The share of hits: each review counts for the rows that it was drawn from, and it contradicts
    #: none. Where nobody has looked, what the whole suggests, or the neighbours.
    share: float


def share_interval(stratum: Stratum, confidence: float, quantile: float | None = None) -> Interval:
    """Find between what the share of hits lies.

    So many standard errors make the interval: by default, as the normal distribution says.
    """
    size, n, n_hits, share = stratum
    if n == size:
        return Interval(share, share, share)
    if not n:
        return Interval(share, 0.0, 1.0)
    spread = (_normal_quantile(confidence) if quantile is None else quantile) ** 2 / n
    middle = (share + spread / 2) / (1 + spread)
    half = math.sqrt(spread * (share * (1 - share) + spread / 4)) / (1 + spread)
    low, high = middle - half, middle + half
    n_few = 3 if n >= _MANY_REVIEWS else 2
    n_others = n - n_hits
    if 1 <= n_hits <= n_few:
        low = min(low, _least_rate(n_hits, (1 - confidence) / 2) / n)
    if 1 <= n_others <= n_few:
        high = max(high, 1 - _least_rate(n_others, (1 - confidence) / 2) / n)
    # What was seen is certain.
    return Interval(share, max(low, n_hits / size), min(high, 1 - n_others / size))


def sum_interval(strata: Sequence[Stratum], confidence: float) -> Interval:
    """Estimate the number of hits in all strata together.

    Of strata that nobody looked at, none or all may be hits: that is added as it is.
    """
    looked_at = [one for one in strata if one.n_reviewed]
    below = _student_quantile(confidence, _degrees_of_freedom(looked_at, of_others=False))
    above = _student_quantile(confidence, _degrees_of_freedom(looked_at, of_others=True))
    shares = np.array(
        [
            (
                one.share,
                share_interval(one, confidence, below).low,
                share_interval(one, confidence, above).high,
            )
            for one in looked_at
        ]
    ).reshape(-1, 3)
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
        # Rounding may put what was seen past the estimate.
        min(max(low, float(n_hits)), known),
        max(min(high, float(sizes.sum()) - n_others), known) + sum(one.size for one in unseen),
    )


def _degrees_of_freedom(strata: Sequence[Stratum], *, of_others: bool) -> float:
    """Say how well the variance of a sum of hits, or of others, is known.

    A count is about as large as its variance: of one stratum, these are twice its hits.
    """
    weights = np.array([one.size / one.n_reviewed for one in strata])
    counts = np.array([one.n_reviewed - one.n_hits if of_others else one.n_hits for one in strata])
    squares = float(counts @ weights**4) if strata else 0.0
    return 2 * float(counts @ weights**2) ** 2 / squares if squares else math.inf


def _normal_quantile(confidence: float) -> float:
    return NormalDist().inv_cdf((1 + confidence) / 2)


def _student_quantile(confidence: float, n_free: float) -> float:
    """Find the quantile of Student (Fisher and Cornish 1960, Technometrics 2)."""
    z = _normal_quantile(confidence)
    return (
        z
        + (z**3 + z) / (4 * n_free)
        + (5 * z**5 + 16 * z**3 + 3 * z) / (96 * n_free**2)
        + (3 * z**7 + 19 * z**5 + 17 * z**3 - 15 * z) / (384 * n_free**3)
    )


def _least_rate(n_events: int, chance: float) -> float:
    """Find the rate of Poisson's distribution at which so many events, or more, have a chance."""
    low, high = 0.0, float(n_events)
    for _ in range(_BISECTIONS):
        rate = (low + high) / 2
        fewer = sum(math.exp(-rate) * rate**k / math.factorial(k) for k in range(n_events))
        low, high = (rate, high) if 1 - fewer < chance else (low, rate)
    return low
