"""What follows from reviews: how many labels are wrong, how likely each is, and where to cut."""

import math
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from conflearn._coerce import as_count, as_share
from conflearn.errors import OptionError
from conflearn.reviews.guarantee import certified, least_reviews, lowest_rate
from conflearn.reviews.intervals import Interval, Stratum, sum_interval
from conflearn.reviews.verdicts import Said

__all__ = ["AuditResult", "Cut"]

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]


class Cut(NamedTuple):
    """What to expect if the worst rows are flagged, up to some place in the ranking."""

    #: How many rows are flagged. 0 where no cut is the best; then `score` and `precision` are NaN.
    n_flagged: int
    #: The score of the last of them.
    score: float
    #: The share of these whose label is wrong, with its interval.
    precision: float
    precision_interval: tuple[float, float]
    #: The share of all wrong labels that are among these, with its interval.
    recall: float
    recall_interval: tuple[float, float]

    @property
    def f1(self) -> float:
        """The harmonic mean of precision and recall."""
        total = self.precision + self.recall
        return 2 * self.precision * self.recall / total if self.recall else 0.0


#: What is best where nothing seems wrong: to flag nothing, which finds nothing.
_NO_CUT = Cut(0, math.nan, math.nan, (0.0, 1.0), 0.0, (0.0, 0.0))


class AuditResult:
    """What `AuditPlan.result` finds.

    Attributes
    ----------
    n_reviewed, n_wrong, n_skipped : int
        Of how many rows it is known whether the label is right; how many of these are wrong; how
        many nobody could tell. Those count as not drawn.
    num_errors : float
        How many labels are wrong, estimated: each review counts for as many rows as it was drawn
        from. Of a first round that was reviewed as a whole this has no bias. Where somebody stopped
        early, or rows were added by what the first ones showed, it has a little.
    num_errors_interval : tuple of two float
        Between what it lies, with about the confidence that was asked for.
    p_error : ndarray of shape (N,), float64
        How likely each label is wrong: the shares of wrong labels along the ranking, made to fall
        (isotonic regression), with as much slope in each stretch as its neighbours leave room for.
        It adds up to `num_errors`, so it is 0 where no review of a stretch found an error. Of equal
        scores, the lower row comes first. What is reviewed is as likely as its neighbours.
    right_labels : dict of int to object
        What the reviewers say the labels of rows should be, where they said it.
    confidence : float
        How often intervals hold.
    """

    def __init__(
        self,
        order: Ints,
        scores: Floats,
        edges: Ints,
        cells: Ints,
        positions: Ints,
        said: Said,
        *,
        n_first: int,
        seed: int,
        confidence: float,
    ) -> None:
        self._order, self._scores, self._cells = order, scores, cells
        self._positions, self._said, self._n_first = positions, said, n_first
        self._seed = seed
        self.confidence = confidence
        self._edges = edges
        self._weights = _weights(edges, cells, positions, n_first)
        self.n_reviewed = int(said.is_known.sum())
        self.n_wrong = int(said.is_wrong.sum())
        self.n_skipped = int(said.is_skipped.sum())
        rows = order[positions].tolist()
        labels = zip(rows, said.right_labels.tolist(), strict=True)
        self.right_labels = {row: label for row, label in labels if label != ""}
        self._shares = self._shares_of_strata()
        found = self._count_errors(self._edges, confidence)
        self.num_errors = found.estimate
        self.num_errors_interval = (found.low, found.high)
        ranked = self._p_of_positions()
        self.p_error = np.empty(len(order))
        self.p_error[order] = ranked
        self._n_best = _best_f1(ranked)

    @property
    def best_cut(self) -> Cut:
        """The cut with the largest expected F1; of 0 rows if no review found a wrong label."""
        return self.at(self._n_best) if self._n_best else _NO_CUT

    def at(self, n_flagged: int) -> Cut:
        """Say what to expect if so many of the worst rows are flagged.

        Parameters
        ----------
        n_flagged : int
            From 1 to N.

        Returns
        -------
        Cut
        """
        n, n_rows = as_count(n_flagged, "n_flagged"), len(self._order)
        if not 1 <= n <= n_rows:
            raise OptionError(f"n_flagged={n} must be between 1 and {n_rows:,}, the rows there are")
        # Two numbers make a recall: each holds more often, so that both hold together.
        both = 1 - (1 - self.confidence) / 2
        inner = self._edges[(self._edges > 0) & (self._edges < n)]
        outer = self._edges[(self._edges > n) & (self._edges < n_rows)]
        above, below = np.array([0, *inner, n]), np.array([n, *outer, n_rows])
        among = self._count_errors(above, self.confidence)
        wide, rest = self._count_errors(above, both), self._count_errors(below, both)
        recall = _share_of(among.estimate, rest.estimate)
        return Cut(
            n_flagged=n,
            score=float(self._scores[self._order[n - 1]]),
            precision=among.estimate / n,
            precision_interval=(among.low / n, among.high / n),
            recall=recall,
            recall_interval=(_share_of(wide.low, rest.high), _share_of(wide.high, rest.low)),
        )

    def flag(
        self, false_alarm_rate: float = 0.1, *, confidence: float = 0.9
    ) -> npt.NDArray[np.bool_]:
        """Flag the largest set of which the share of false alarms is certified.

        A false alarm is a flagged row whose label is right. With the confidence that is asked for,
        over the drawing of the rows and whatever the data are, no more than `false_alarm_rate` of
        the flagged rows are such. See `conflearn.reviews.guarantee` for the theorem. It counts the
        reviews of the first round, which were drawn before anything was known; a row that nobody
        could tell counts as a false alarm. Rows whose label was found to be right are not flagged.
        Choose rate and confidence before anything is reviewed: who tries some, and takes what
        passes, has less confidence than that.

        Parameters
        ----------
        false_alarm_rate : float, default 0.1
            Above 0 and below 1.
        confidence : float, default 0.9
            Above 0 and below 1.

        Returns
        -------
        ndarray of shape (N,), bool

        Raises
        ------
        OptionError
            If the reviews cannot support that of any set; a new audit with more of them may. The
            message names the lowest rate that they do support, if there is one.
        """
        rate, level = (
            as_share(false_alarm_rate, "false_alarm_rate"),
            as_share(confidence, "confidence"),
        )
        for name, value in (("false_alarm_rate", rate), ("confidence", level)):
            if not 0 < value < 1:
                raise OptionError(f"{name}={value} must lie between 0 and 1, and be neither")
        first = np.argsort(self._positions[: self._n_first])
        is_false = ~(self._said.is_known & self._said.is_wrong)[: self._n_first][first]
        ends = self._cells[1:]
        sizes = np.diff(self._cells).astype(np.float64)
        n_cells = certified(sizes, is_false, rate, 1 - level, self._seed)
        if not n_cells:
            lowest = lowest_rate(sizes, is_false, 1 - level, self._seed)
            raise OptionError(
                f"these reviews certify no set with a share of false alarms of at most {rate:.3g} "
                f"at a confidence of {level:.6g}; it takes {least_reviews(rate, 1 - level):,} "
                "reviews of rows whose labels are all wrong, or more: audit anew with more "
                "n_reviews (rows of more() do not count here), allow more false alarms or less "
                "confidence, or use best_cut, which promises nothing; at this confidence, "
                + (
                    "they certify no share up to 0.99"
                    if lowest is None
                    else f"{lowest:.3g} is the lowest share in whole percents that they certify "
                    "(the promise is that of a share which was chosen before they were looked at)"
                )
            )
        mask = np.zeros(len(self._order), np.bool_)
        mask[self._order[: ends[n_cells - 1]]] = True
        is_right = self._said.is_known & ~self._said.is_wrong
        mask[self._order[self._positions[is_right]]] = False
        return mask

    def _count_errors(self, edges: Ints, confidence: float) -> Interval:
        """Count the errors between two edges, or more."""
        return sum_interval(self._strata(edges), confidence)

    def _strata(self, edges: Ints) -> list[Stratum]:
        """Say what is known between each two edges, of strata or of parts of them."""
        reviewed, hits, shares = self._seen(edges)
        # A part in which nobody has looked is taken for the stratum that it belongs to.
        last = len(self._shares) - 1  # a part without rows may lie at the very end
        whole = np.minimum(np.searchsorted(self._edges, edges[:-1], side="right") - 1, last)
        shares = np.where(reviewed, shares, self._shares[whole])
        numbers = np.diff(edges).tolist(), reviewed.tolist(), hits.tolist(), shares.tolist()
        return [Stratum(*one) for one in zip(*numbers, strict=True)]

    def _shares_of_strata(self) -> Floats:
        """Estimate the share of errors of each; where nobody has looked, by the neighbours."""
        reviewed, _, shares = self._seen(self._edges)
        seen = np.flatnonzero(reviewed)
        return np.interp(np.arange(len(shares)), seen, shares[seen])

    def _seen(self, edges: Ints) -> tuple[Ints, Ints, Floats]:
        """Count reviews and errors between each two edges; and the share of these, 0 of none."""
        known, wrong = self._said.is_known, self._said.is_wrong
        at, weights, sizes = self._positions, self._weights, np.diff(edges)
        reviewed, hits = (_count(edges, at[which]) for which in (known, wrong))
        of_all, of_hits = (_count(edges, at[which], weights[which]) for which in (known, wrong))
        shares = of_hits / np.where(reviewed, of_all, 1)
        # Weights may say more, or less, than those that were seen leave room for.
        rows = np.maximum(sizes, 1)
        shares = np.clip(shares, hits / rows, 1 - (reviewed - hits) / rows)
        return reviewed.astype(np.int64), hits.astype(np.int64), shares

    def _p_of_positions(self) -> Floats:
        """Let the shares of the strata fall along the ranking, and keep what they add up to."""
        sizes = np.diff(self._edges)
        shares = _falling(self._shares, sizes)
        # A line in each stratum that keeps its mean, and meets no neighbour's: the limited slopes
        # of van Leer (1979, Journal of Computational Physics 32).
        steps = -np.diff(np.concatenate([[1.0], shares, [0.0]]))
        room = np.minimum(steps[:-1], steps[1:])
        places = np.concatenate([(np.arange(size) + 0.5) / size - 0.5 for size in sizes])
        ranked: Floats = np.repeat(shares, sizes) - np.repeat(room, sizes) * places
        return ranked

    def __repr__(self) -> str:
        low, high = self.num_errors_interval
        best, n_rows = self.best_cut, len(self._order)
        n_wrong = f"about {self.num_errors:,.0f} ({self.num_errors / n_rows:.1%})"
        cut = (
            f"the worst {best.n_flagged:,} rows; about {best.precision:.0%} of these are wrong, "
            f"and they are about {best.recall:.0%} of all that are"
            if best.n_flagged
            else "none, since no review found a wrong label"
        )
        return (
            f"AuditResult of {self.n_reviewed:,} reviews of {n_rows:,} labels\n"
            f"  wrong labels: {n_wrong}; between {low:,.0f} and {high:,.0f} "
            f"({100 * self.confidence:.6g}% confidence)\n"
            f"  best cut: {cut}"
        )


def _count(edges: Ints, positions: Ints, weights: Floats | None = None) -> Floats:
    """Count positions between each two edges, the upper one excluded, or sum their weights."""
    inside = (positions >= edges[0]) & (positions < edges[-1])
    places = np.searchsorted(edges, positions[inside], side="right") - 1
    summed = None if weights is None else weights[inside]
    return np.bincount(places, summed, len(edges) - 1).astype(np.float64)


def _weights(edges: Ints, cells: Ints, positions: Ints, n_first: int) -> Floats:
    """Count the rows that each review was drawn from; an added one counts as its neighbours do."""
    cell_sizes = np.diff(cells)
    weights = np.empty(len(positions))
    first = positions[:n_first]
    weights[:n_first] = cell_sizes[np.searchsorted(cells, first, side="right") - 1]
    of_stratum = np.diff(edges) / np.maximum(_count(edges, first), 1)
    strata = np.searchsorted(edges, positions[n_first:], side="right") - 1
    weights[n_first:] = of_stratum[strata]
    return weights


def _falling(shares: Floats, sizes: Ints) -> Floats:
    """Fit the nearest shares that fall: pool adjacent violators (Ayer et al. 1955)."""
    pools: list[tuple[float, float, int]] = []
    for share, size in zip(shares.tolist(), sizes.tolist(), strict=True):
        pool = (share, float(size), 1)
        while pools and pools[-1][0] < pool[0]:
            before = pools.pop()
            weight = before[1] + pool[1]
            mean = (before[0] * before[1] + pool[0] * pool[1]) / weight
            pool = (mean, weight, before[2] + pool[2])
        pools.append(pool)
    return np.repeat([mean for mean, _, _ in pools], [n for _, _, n in pools])


def _best_f1(p_of_positions: Floats) -> int:
    """Count the rows of the cut with the largest expected F1, 0 if there is nothing to find."""
    found = np.cumsum(p_of_positions)
    if found[-1] <= 0:
        return 0
    f1 = 2 * found / (np.arange(1, len(found) + 1) + found[-1])
    return int(np.argmax(f1)) + 1


def _share_of(part: float, rest: float) -> float:
    total = part + rest
    return part / total if total and math.isfinite(total) else 0.0
