"""The one order, by score and then by row, of more flagged examples than fit in memory.

Records come by ascending row. A stretch of them is sorted in memory and written; then stretches are
merged: of each, a buffer is held, and what is smaller than the end of every buffer can be passed
on. Of equal scores, what comes from the earlier stretch has the lower row.
"""

from collections.abc import Iterator
from typing import Literal

import numpy as np
import numpy.typing as npt

from conflearn.stream.result_columns import Column

__all__ = ["RECORD", "Records", "sorted_records"]

#: What is kept of a flagged example until all are known.
RECORD = np.dtype([("score", np.float64), ("row", np.int64), ("given", np.int64)])
Records = npt.NDArray[np.void]

#: Records that are held in memory at a time, 48 MB.
MOST = 2_000_000


def sorted_records(records: Column, stretches: Column) -> Iterator[Records]:
    """Go over the records, the lowest score first; ``stretches`` is an empty column to work in."""
    if len(records) <= MOST:
        yield _sorted(records.array())
        return
    for start in range(0, len(records), MOST):
        parts = list(records.windows(start, min(start + MOST, len(records))))
        stretches.append(_sorted(np.concatenate(parts)))
    starts = range(0, len(records), MOST)
    size = max(MOST // len(starts), 1)
    heads = [_Head(stretches, start, min(start + MOST, len(records)), size) for start in starts]
    while any(head.is_left for head in heads):
        bound = min((head.reach for head in heads if head.has_more), default=np.inf)
        yield _sorted(np.concatenate([head.below(bound) for head in heads]))
        for head in heads:
            yield from head.equal(bound)


class _Head:
    """What is next of a stretch: never empty unless nothing is left."""

    def __init__(self, stretches: Column, start: int, end: int, size: int) -> None:
        self._column, self._next, self._end, self._size = stretches, start, end, size
        self._buffer = self._filled()

    @property
    def is_left(self) -> bool:
        return len(self._buffer) > 0

    @property
    def has_more(self) -> bool:
        """Whether something follows that is not in the buffer."""
        return self._next < self._end

    @property
    def reach(self) -> float:
        """The score that everything after the buffer has at least."""
        return float(self._buffer["score"][-1])

    def below(self, bound: float) -> Records:
        """Take what is less; that is all in the buffer."""
        return self._take("left", bound)

    def equal(self, bound: float) -> Iterator[Records]:
        """Take what is equal, however long it is."""
        while self.is_left and self._buffer["score"][0] == bound:
            yield self._take("right", bound)

    def _take(self, side: Literal["left", "right"], bound: float) -> Records:
        n = int(np.searchsorted(self._buffer["score"], bound, side))
        taken, self._buffer = self._buffer[:n], self._buffer[n:]
        if not self.is_left:
            self._buffer = self._filled()
        return taken

    def _filled(self) -> Records:
        end = min(self._next + self._size, self._end)
        parts = list(self._column.windows(self._next, end))
        self._next = end
        return np.concatenate(parts) if parts else np.empty(0, dtype=RECORD)


def _sorted(records: Records) -> Records:
    # A zero with a sign equals one without, here as in the core.
    order = np.argsort(records["score"], kind="stable")
    in_order: Records = records[order]
    return in_order
