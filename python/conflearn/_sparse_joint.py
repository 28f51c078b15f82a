"""The joint of given and true labels by its entries that are not zero.

There are at most N + K of them, while a dense joint has K x K entries: with 20,000 classes that is
3.2 GB. What is summed up or picked out here costs time and memory by the entry.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from importlib import import_module
from typing import Any, NamedTuple, TypeAlias

import numpy as np
import numpy.typing as npt

from conflearn._coerce import CompressedRows
from conflearn.errors import MissingDependencyError

__all__ = ["LARGEST_DENSE", "Pairs", "SparseJoint", "scipy_sparse"]

#: Of more classes, matrices of shape (K, K) are scipy's `csr_array`: dense ones would take more
#: than 2 GiB.
LARGEST_DENSE = 16_384

#: Whole where examples were counted, floats where a distribution was handed over.
Numbers: TypeAlias = npt.NDArray[Any]


class Pairs(NamedTuple):
    """Pairs of classes, and how many examples are in each: the most first."""

    first: npt.NDArray[np.int64]
    second: npt.NDArray[np.int64]
    counts: Numbers


@dataclass(frozen=True, eq=False)
class SparseJoint:
    """Entries ``[given, true]``, sorted by both."""

    n_classes: int
    given: npt.NDArray[np.int64]
    true: npt.NDArray[np.int64] | npt.NDArray[np.uint32]
    counts: Numbers

    @classmethod
    def from_rows(
        cls,
        starts: npt.NDArray[np.int64],
        columns: npt.NDArray[np.uint32],
        counts: npt.NDArray[np.float64],
    ) -> "SparseJoint":
        """Read the compressed rows of the core, whose counts are whole."""
        n_classes = len(starts) - 1
        given = np.repeat(np.arange(n_classes), np.diff(starts))
        kept = counts != 0  # classes that nobody was given have a diagonal entry of 0
        return cls(n_classes, given[kept], columns[kept], counts[kept].astype(np.int64))

    @classmethod
    def from_compressed(cls, rows: CompressedRows) -> "SparseJoint":
        """Read a joint of somebody's own, whose counts need not be whole."""
        given = np.repeat(np.arange(rows.shape[0]), np.diff(rows.indptr))
        return cls(rows.shape[0], given, rows.indices, rows.data)

    @classmethod
    def from_dense(cls, joint: Numbers) -> "SparseJoint":
        """Pick out the entries that are not zero."""
        given, true = np.nonzero(joint)
        return cls(len(joint), given, true, joint[given, true])

    def to_dense(self) -> Numbers:
        """Make the array of shape (K, K)."""
        dense = np.zeros((self.n_classes, self.n_classes), dtype=self.counts.dtype)
        dense[self.given, self.true] = self.counts
        return dense

    def to_matrix(self) -> Any:
        """Make the matrix of shape (K, K): an array, or a `csr_array` of many classes."""
        if self.n_classes <= LARGEST_DENSE:
            return self.to_dense()
        starts, columns, counts, shape = self.to_rows()
        return scipy_sparse(self.n_classes).csr_array((counts, columns, starts), shape=shape)

    def to_rows(self) -> CompressedRows:
        """Say where rows start, as the core reads joints; counts as they are."""
        starts = np.zeros(self.n_classes + 1, np.int64)
        np.cumsum(np.bincount(self.given, minlength=self.n_classes), out=starts[1:])
        shape = (self.n_classes, self.n_classes)
        return CompressedRows(starts, self.true.astype(np.uint32), self.counts, shape)

    def with_counts(self, counts: Numbers) -> "SparseJoint":
        """Put other numbers in the place of the counts."""
        return replace(self, counts=counts)

    @property
    def total(self) -> float:
        """N, or what the counts of somebody's own sum to: those need not be whole."""
        return float(self.counts.sum())

    def diagonal(self) -> Numbers:
        """Count the examples of each class whose given label is the true one."""
        on = self.given == self.true
        sums = np.zeros(self.n_classes, dtype=self.counts.dtype)
        sums[self.given[on]] = self.counts[on]
        return sums

    def given_sums(self) -> Numbers:
        """Count the examples that are given each class."""
        return self._sums(self.given)

    def true_sums(self) -> Numbers:
        """Count the examples that are truly of each class."""
        return self._sums(self.true)

    def largest(self, n: int | None, *, directed: bool) -> Pairs:
        """Pick the n largest entries off the diagonal, or all; of equals, the lower classes.

        If ``directed``, pairs are (given, true). If not, the entries of (a, b) and (b, a) are one,
        with a < b.
        """
        off = (self.given != self.true) & (self.counts > 0)
        first, second = self.given[off], self.true[off].astype(np.int64)
        counts = self.counts[off]
        if not directed:
            first, second, counts = _folded(first, second, counts, self.n_classes)
        top = _heads(counts, n)
        return Pairs(first[top], second[top], counts[top])

    def among(self, classes: npt.NDArray[np.int64]) -> Iterator[tuple[int, int, float]]:
        """List all entries among a few classes, zeros too: by their places in ``classes``."""
        place = np.full(self.n_classes, -1)
        place[classes] = np.arange(len(classes))
        inside = (place[self.given] >= 0) & (place[self.true] >= 0)
        dense = np.zeros((len(classes), len(classes)))
        dense[place[self.given[inside]], place[self.true[inside]]] = self.counts[inside]
        for (given, true), count in np.ndenumerate(dense):
            yield given, true, float(count)

    def _sums(self, classes: npt.NDArray[np.int64] | npt.NDArray[np.uint32]) -> Numbers:
        # Sums of whole numbers below 2^53 are exact in the float64 that bincount adds up in.
        sums = np.bincount(classes, weights=self.counts, minlength=self.n_classes)
        return sums.astype(self.counts.dtype, copy=False)


def scipy_sparse(n_classes: int) -> Any:
    """Import what makes matrices of many classes."""
    try:
        return import_module("scipy.sparse")
    except ImportError as error:
        raise MissingDependencyError(
            f"a matrix of {n_classes:,} x {n_classes:,} classes needs scipy, for it is sparse: "
            'pip install "conflearn[sparse]"'
        ) from error


def _folded(
    given: npt.NDArray[np.int64],
    true: npt.NDArray[np.int64],
    counts: Numbers,
    n_classes: int,
) -> Pairs:
    """Add the entry of (b, a) to that of (a, b)."""
    pair = np.minimum(given, true) * n_classes + np.maximum(given, true)
    distinct, place = np.unique(pair, return_inverse=True)
    sums = np.bincount(place, weights=counts, minlength=len(distinct))
    return Pairs(*np.divmod(distinct, n_classes), sums.astype(counts.dtype, copy=False))


def _heads(counts: Numbers, n: int | None) -> npt.NDArray[np.intp]:
    """Find the n largest, the largest first, of equals the first one; sort no more than needed."""
    if n is None or n >= len(counts):
        return np.argsort(-counts, kind="stable")
    if n == 0:
        return np.empty(0, dtype=np.intp)
    least = np.partition(counts, len(counts) - n)[len(counts) - n]
    larger = np.flatnonzero(counts > least)
    equal = np.flatnonzero(counts == least)[: n - len(larger)]
    chosen = np.sort(np.concatenate([larger, equal]))
    return chosen[np.argsort(-counts[chosen], kind="stable")]
