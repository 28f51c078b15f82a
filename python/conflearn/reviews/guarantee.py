"""The largest set of the worst rows of which few are false alarms, with a guarantee.

A *false alarm* is a flagged row whose label is right. Sets are the worst rows of the ranking up to
the end of some cell; from each cell one row was drawn, and reviewed.

One set. Cells are joined to groups of nearly equal size, and of each group one of its reviews is
taken at random, in proportion to the sizes of the cells: so it is drawn evenly from the rows of the
group. The false alarms V among n groups are then a sum of independent trials, with the shares of
the groups as chances. If the set has too large a share, these chances sum to at least m, the share
that is too much times the size of the set over that of the largest group, and for v <= m - 1

    P(V <= v) <= P(B <= v), where B is binomial with n trials and mean m

(Hoeffding 1956, Annals of Mathematical Statistics 27, Theorem 5, and monotone in m). So no share
that is too large survives the test more often than its level says, whatever the shares are.

Many sets. They are tested in an order that was fixed before anything was reviewed, each until a
test fails; then the chance that any set passes that should not is no larger than that of a single
test (fixed-sequence testing: Bauer 1991, Statistics in Medicine 10). There are several sequences,
which share out the error (Angelopoulos et al. 2021, "Learn then Test", arXiv:2110.01052).
"""

import math

import numpy as np
import numpy.typing as npt

__all__ = ["certified", "least_reviews", "lowest_rate"]

Floats = npt.NDArray[np.float64]
Bools = npt.NDArray[np.bool_]

#: Sequences of tests start where a set has so many times the fewest groups that can pass.
_STARTS = (1, 2, 4)
#: Of more cells, not every one ends a set: what so many sets cannot tell apart does not matter.
_MOST_SETS = 200
#: Tiny rates take more reviews than there are numbers for.
_MOST_REVIEWS = 10**18


def certified(sizes: Floats, is_false: Bools, rate: float, risk: float, seed: int) -> int:
    """Count the cells of the largest set that is certified, from the worst row on.

    Parameters
    ----------
    sizes : ndarray of shape (n,), float64
        The rows of each cell, the worst first.
    is_false : ndarray of shape (n,), bool
        The row that was drawn of it has the right label, or nobody could tell.
    rate, risk : float
        The share of false alarms that is too much; the chance of an error that is allowed.
    seed : int
        By which reviews are taken from groups.

    Returns
    -------
    int
        0 if there is none.
    """
    sets = _Sets(sizes, is_false, risk, seed)
    best = 0
    for first in sets.starts(rate):
        for n in sets.ends[first:]:
            if not sets.passes(n, rate):
                break
            best = max(best, n)
    return best


def lowest_rate(sizes: Floats, is_false: Bools, risk: float, seed: int) -> float | None:
    """Find the lowest rate, of whole percents, at which a set is certified; None of none.

    It is found by what the reviews have shown, so it is not itself certified: the promise is for a
    rate that was chosen before.
    """
    sets = _Sets(sizes, is_false, risk, seed)
    for percent in range(1, 100):
        rate = percent / 100
        if any(sets.passes(sets.ends[first], rate) for first in sets.starts(rate)):
            return rate
    return None


def least_reviews(rate: float, risk: float) -> int:
    """Count the reviews, all of wrong labels, without which no set can be certified."""
    return math.ceil(min(math.log(risk / len(_STARTS)) / math.log1p(-rate), _MOST_REVIEWS))


class _Sets:
    """The sets that are tested, from the smallest on, and how."""

    def __init__(self, sizes: Floats, is_false: Bools, risk: float, seed: int) -> None:
        self._sizes, self._is_false, self._risk = sizes, is_false, risk
        self._chances = np.random.default_rng([seed, len(sizes)]).random(len(sizes))
        #: How many cells each has.
        self.ends: list[int] = np.unique(
            np.linspace(1, len(sizes), _MOST_SETS).round().astype(int)
        ).tolist()
        self._n_groups = [len(_groups(sizes[:n])) for n in self.ends]

    def starts(self, rate: float) -> list[int]:
        """Say at which set each sequence of tests starts."""
        least, last = least_reviews(rate, self._risk), len(self.ends) - 1
        return [
            next((i for i, n in enumerate(self._n_groups) if n >= start * least), last)
            for start in _STARTS
        ]

    def passes(self, n: int, rate: float) -> bool:
        """Test the set of the first n cells."""
        p = p_value(self._sizes[:n], self._is_false[:n], self._chances, rate)
        return p <= self._risk / len(_STARTS)


def p_value(sizes: Floats, is_false: Bools, chances: Floats, rate: float) -> float:
    """Bound the chance to see so few false alarms if their share were `rate` or more."""
    groups = _groups(sizes)
    group_sizes, ends = np.add.reduceat(sizes, groups), np.cumsum(sizes)
    wanted = ends[groups] - sizes[groups] + chances[: len(groups)] * group_sizes
    taken = np.minimum(np.searchsorted(ends, wanted, side="right"), len(sizes) - 1)
    n_false, n = int(is_false[taken].sum()), len(groups)
    mean = rate * float(group_sizes.sum() / group_sizes.max())
    if n_false > mean - 1:
        # None at all has the chance of the product, which is largest where shares are alike.
        return 1.0 if n_false else (1 - mean / n) ** n
    return _binomial_at_most(n_false, n, mean / n)


def _groups(sizes: Floats) -> npt.NDArray[np.int64]:
    """Say where groups of adjacent cells begin that are no larger than the largest cell."""
    most = float(sizes.max())
    starts, size = [0], 0.0
    for place, cell in enumerate(sizes.tolist()):
        if size + cell > most and size:
            starts.append(place)
            size = 0.0
        size += cell
    return np.array(starts, np.int64)


def _binomial_at_most(most: int, n: int, chance: float) -> float:
    """P(B <= most) of n trials."""
    logs = [
        math.lgamma(n + 1)
        - math.lgamma(k + 1)
        - math.lgamma(n - k + 1)
        + k * math.log(chance)
        + (n - k) * math.log1p(-chance)
        for k in range(most + 1)
    ]
    return min(1.0, math.fsum(map(math.exp, logs)))
