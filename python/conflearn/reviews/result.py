"""What follows from reviews: how many labels are wrong, how likely each is, and where to cut."""

import math
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from conflearn._coerce import as_count, as_share
from conflearn.errors import OptionError
from conflearn.reviews.guarantee import certified, least_reviews
from conflearn.reviews.intervals import Interval, sum_interval
from conflearn.reviews.verdicts import Said

__all__ = ["AuditResult", "Cut"]

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]


class Cut(NamedTuple):
    """What to expect if the worst rows are flagged, up to some place in the ranking."""

    #: How many rows are flagged.
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
        return 2 * self.precision * self.recall / total if total else 0.0


class AuditResult:
    """What `AuditPlan.result` finds.

    Attributes
    ----------
    n_reviewed, n_wrong, n_skipped : int
        Of how many rows it is known whether the label is right; how many of these are wrong; how
        many nobody could tell. Those count as not drawn.
    num_errors : float
        How many labels are wrong, estimated without bias: each review counts for as many rows as
        it was drawn from.
    num_errors_interval : tuple of two float
        Between what it lies, with the confidence that was asked for.
    p_error : ndarray of shape (N,), float64
        How likely each label is wrong: the shares of wrong labels along the ranking, made monotone
        (isotonic regression) and joined by lines. What is reviewed is as likely as its neighbours.
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
        self._edges = _with_reviews(edges, positions[said.is_known])
        self.n_reviewed = int(said.is_known.sum())
        self.n_wrong = int(said.is_wrong.sum())
        self.n_skipped = int(said.is_skipped.sum())
        found = self._count_errors(self._edges, confidence)
        self.num_errors = found.estimate
        self.num_errors_interval = (found.low, found.high)
        ranked = self._p_of_positions()
        self.p_error = np.empty(len(order))
        self.p_error[order] = ranked
        self._n_best = _best_f1(ranked)

    @property
    def best_cut(self) -> Cut:
        """The cut with the largest expected F1."""
        return self.at(self._n_best)

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
            If the reviews cannot support that of any set; more reviews may.
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
            raise OptionError(
                f"these reviews certify no set with at most {rate:.0%} false alarms at a "
                f"confidence of {level:.0%}; it takes {least_reviews(rate, 1 - level)} reviews of "
                "rows whose labels are all wrong, or more: draw more reviews, allow more false "
                "alarms or less confidence, or use best_cut, which promises nothing"
            )
        mask = np.zeros(len(self._order), np.bool_)
        mask[self._order[: ends[n_cells - 1]]] = True
        is_right = self._said.is_known & ~self._said.is_wrong
        mask[self._order[self._positions[is_right]]] = False
        return mask

    def _count_errors(self, edges: Ints, confidence: float) -> Interval:
        """Count the errors between two edges, or more."""
        known = self._said.is_known
        edges = _with_reviews(edges, self._positions[known])
        reviewed = np.histogram(self._positions[known], edges)[0].astype(np.int64)
        if not reviewed.any():
            return Interval(self._guess(edges), 0.0, float(edges[-1] - edges[0]))
        wrong = np.histogram(self._positions[self._said.is_wrong], edges)[0].astype(np.int64)
        return sum_interval(np.diff(edges), wrong, reviewed, confidence)

    def _guess(self, edges: Ints) -> float:
        """Without a review between two edges, take what the ranking says."""
        return float(self._p_of_positions()[edges[0] : edges[-1]].sum())

    def _p_of_positions(self) -> Floats:
        """Join the shares of the strata by lines."""
        known, edges = self._said.is_known, self._edges
        reviewed = np.histogram(self._positions[known], edges)[0]
        wrong = np.histogram(self._positions[self._said.is_wrong], edges)[0]
        # One review is added, half of it wrong, shared out among all strata: none is certain.
        added = 1 / len(reviewed)
        shares = _falling((wrong + added / 2) / (reviewed + added), np.diff(edges))
        middles = (edges[1:] + edges[:-1] - 1) / 2
        falling: Floats = np.interp(np.arange(len(self._order)), middles, shares)
        return falling

    def __repr__(self) -> str:
        low, high = self.num_errors_interval
        best = self.best_cut
        n_rows = len(self._order)
        n_wrong = f"about {self.num_errors:,.0f} ({self.num_errors / n_rows:.1%})"
        return (
            f"AuditResult of {self.n_reviewed:,} reviews of {n_rows:,} labels\n"
            f"  wrong labels: {n_wrong}; between {low:,.0f} and {high:,.0f} "
            f"({self.confidence:.0%} confidence)\n"
            f"  best cut: the worst {best.n_flagged:,} rows; about {best.precision:.0%} of these "
            f"are wrong, and they are about {best.recall:.0%} of all that are"
        )


def _with_reviews(edges: Ints, positions: Ints) -> Ints:
    """Join each stretch without a review to the one before, or the first ones to the next."""
    counts = np.histogram(positions, edges)[0]
    keep = counts > 0
    if not keep.any():
        return edges[[0, -1]]
    starts = edges[:-1][keep]
    starts[0] = edges[0]
    return np.append(starts, edges[-1])


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
    """Count the rows of the cut with the largest expected F1."""
    found = np.cumsum(p_of_positions)
    f1 = 2 * found / (np.arange(1, len(found) + 1) + found[-1])
    return int(np.argmax(f1)) + 1


def _share_of(part: float, rest: float) -> float:
    total = part + rest
    return part / total if total and math.isfinite(total) else 0.0
