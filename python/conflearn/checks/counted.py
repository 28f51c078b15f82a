"""The numbers that checks are made from."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from conflearn import _core
from conflearn._coerce.objects import spelled
from conflearn._names import Kind

__all__ = ["OFF_BOUNDS", "Counted"]

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]

#: By how much sums of rows are off 1 that are counted: as the core has them.
OFF_BOUNDS = (0.001, 0.01, 0.05, 0.25)

#: Rows that are looked at anyway, however they are ordered.
_FEW_TIES = 10
#: Of the rows that the model disagrees with.
_MANY_TIES = 0.05


class Pairs(NamedTuple):
    """How many examples there are of each given and most probable class; all of shape (n,)."""

    given: Ints
    predicted: Ints
    counts: Ints


class Bins(NamedTuple):
    """Rows by their largest probability; all of shape (15,), empty bins among them."""

    counts: Ints
    hits: Ints
    #: The mean of the largest probabilities.
    confidence: Floats


class Extreme(NamedTuple):
    """The smallest or largest of some probabilities, and how many rows have it."""

    value: float
    n_rows: int


class RowSum(NamedTuple):
    """The sum of a row."""

    value: float
    row: int


class Sums(NamedTuple):
    """Sums over all cells of some rows."""

    #: How many rows, and how many of them store a few entries only.
    n_rows: int
    n_sparse: int
    #: Cells that are 0, of rows that store all.
    n_zeros: int
    #: How many of these rows are given each class, and the mean of its cells, of shape (K,).
    given_counts: Ints
    means: Floats
    #: The mean of -ln P(given class), in nats.
    log_loss: float
    #: How many rows sum to less than 1 by more than each of `OFF_BOUNDS`, and to more.
    below: Sequence[int]
    above: Sequence[int]
    #: The smallest and the largest sum, of rows that store all cells.
    extremes: tuple[RowSum, RowSum] | None


class Duplicates(NamedTuple):
    """Rows that are the same to the bit."""

    n_rows: int
    #: Those with enough digits not to be the same by chance; of many, a sample.
    n_compared: int
    #: Those that have half of their cells in common with another one, and those that have all.
    n_alike: int
    n_same: int
    #: Those of the same that are given different classes, and how many different rows they are.
    n_conflicting: int
    n_groups: int
    #: Some of them: a row and its class, another one and its class.
    pairs: Sequence[tuple[int, int, int, int]]


@dataclass(frozen=True, eq=False)
class Counted:
    """All of them."""

    kind: Kind
    given_counts: Ints
    pairs: Pairs
    bins: Bins
    #: The mean of P(given class).
    self_confidence: float
    #: Of the largest probability of each row the largest, and of P(given class) the smallest.
    largest: Extreme
    least_own: Extreme
    sums: Sums
    duplicates: Duplicates
    classes: Sequence[object] | None

    @classmethod
    def of(cls, state: _core.CheckState, classes: Sequence[object] | None) -> "Counted":
        """Read a state."""
        largest, least_own = state.extremes()
        row_sums = state.row_sums()
        n_rows, n_sparse, n_zeros = state.cell_counts()
        below, above = state.sums_off()
        return cls(
            kind=state.kind,
            given_counts=state.given_counts,
            pairs=Pairs(*state.pairs()),
            bins=Bins(*state.bins()),
            self_confidence=state.self_confidence,
            largest=Extreme(*largest),
            least_own=Extreme(*least_own),
            sums=Sums(
                n_rows,
                n_sparse,
                n_zeros,
                state.sampled_counts(),
                state.class_means(),
                state.log_loss,
                below,
                above,
                None if row_sums is None else (RowSum(*row_sums[0]), RowSum(*row_sums[1])),
            ),
            duplicates=Duplicates(*state.duplicates()),
            classes=classes,
        )

    @property
    def n_classes(self) -> int:
        """K."""
        return len(self.given_counts)

    @cached_property
    def n_examples(self) -> int:
        """N."""
        return int(self.given_counts.sum())

    @cached_property
    def n_hits(self) -> int:
        """How many examples have the given class as their most probable one."""
        given, predicted, counts = self.pairs
        return int(counts[given == predicted].sum())

    @property
    def n_misses(self) -> int:
        """How many have another one."""
        return self.n_examples - self.n_hits

    @cached_property
    def predicted_counts(self) -> Ints:
        """How many examples have each class as their most probable one, of shape (K,)."""
        counts = np.zeros(self.n_classes, np.int64)
        np.add.at(counts, self.pairs.predicted, self.pairs.counts)
        return counts

    @property
    def has_probabilities(self) -> bool:
        """Whether cells are probabilities, or become some."""
        return self.kind != "scores"

    @property
    def share_of_zeros(self) -> float:
        """Of the cells of rows that store all of them."""
        n_cells = (self.sums.n_rows - self.sums.n_sparse) * self.n_classes
        return self.sums.n_zeros / n_cells if n_cells else 0.0

    @property
    def n_empty(self) -> int:
        """How many rows hold nothing but zeros, at most.

        Their largest probability is in the lowest bin, and their sums are off by all there is.
        """
        least = None if self.sums.extremes is None else self.sums.extremes[0].value
        if self.kind != "probabilities" or least != 0:
            return 0
        n_off = self.sums.below[-1] * self.n_examples / self.sums.n_rows
        return min(int(self.bins.counts[0]), round(n_off))

    @property
    def n_ties(self) -> int:
        """How many rows share the lowest P(given class), but for rows of zeros.

        These have no probabilities at all, which is another matter.
        """
        least = self.least_own
        return max(least.n_rows - (self.n_empty if least.value == 0 else 0), 0)

    @property
    def share_of_ties(self) -> float:
        """How many these are, over the rows with another predicted class.

        0 where that is so few rows that they are looked at anyway.
        """
        is_few = self.n_ties < _FEW_TIES
        return 0.0 if is_few or not self.n_misses else self.n_ties / self.n_misses

    @property
    def has_ties(self) -> bool:
        """Whether these are many."""
        return self.share_of_ties >= _MANY_TIES

    def name(self, class_number: int) -> str:
        """Spell a class for people."""
        return str(class_number) if self.classes is None else spelled(self.classes[class_number])
