"""Labels that are read in step with the rows of a matrix."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, closing, contextmanager
from typing import Any

import numpy as np

from conflearn._coerce import as_block, as_labels
from conflearn._coerce.labels import CheckedColumns
from conflearn._coerce.objects import Array
from conflearn.stream.rows import Rows, digest

__all__ = ["HeldLabels", "Labels", "ReadLabels"]

# Labels of a file are read so many at a time.
_AT_A_TIME = 1 << 18

#: Gives the labels of the next so many rows.
Take = Callable[[int], Array]


class Labels(ABC):
    """One label a row, from any row on."""

    @abstractmethod
    def taken(self, first_row: int) -> AbstractContextManager[Take]:
        """Begin to read at a row."""

    @abstractmethod
    def identity(self) -> object:
        """Tell them from others, as something that JSON holds; None if that is not known."""


class HeldLabels(Labels):
    """Labels in memory, coerced already."""

    def __init__(self, labels: Array) -> None:
        self._labels = labels

    @contextmanager
    def taken(self, first_row: int) -> Iterator[Take]:
        """Lend slices."""
        row = first_row

        def take(n: int) -> Array:
            nonlocal row
            row += n
            return self._labels[row - n : row]

        yield take

    def identity(self) -> object:
        """Return a digest."""
        return digest(self._labels)


class ReadLabels(Labels):
    """Labels that are read with every pass."""

    def __init__(self, rows: Rows, n_classes: int, columns: CheckedColumns | None) -> None:
        self._rows = rows
        self._n_classes = n_classes
        self._columns = columns

    @contextmanager
    def taken(self, first_row: int) -> Iterator[Take]:
        """Read pieces, and cut or join them."""
        waiting: list[Array] = []
        row = first_row
        with closing(self._rows.pieces(first_row, _AT_A_TIME)) as pieces:

            def take(n: int) -> Array:
                nonlocal row
                while (there := sum(map(len, waiting))) < n:
                    # Their own memory: what is read next may go over that of the piece.
                    values = next(pieces).values
                    waiting.append(self.coerced(values, row + there).copy())
                joined = _joined(waiting)
                waiting[:] = [joined[n:]]
                row += n
                return joined[:n]

            yield take
            # To the end, where a file is checked once more.
            if sum(map(len, waiting)) == 0 and row == self._rows.n_rows:
                next(pieces, None)

    def coerced(self, values: Any, first_row: int) -> Array:
        """Return class numbers; messages count from ``first_row``."""
        with as_block(first_row):
            return as_labels(values, self._n_classes, classes=self._columns)

    def identity(self) -> object:
        """Return what tells the rows, and the names that they are looked up by."""
        rows = self._rows.identity()
        return None if rows is None else rows


def _joined(parts: list[Array]) -> Array:
    if len(parts) == 1:
        return parts[0]
    if len({part.dtype for part in parts}) > 1:  # of int64 and uint64 together numpy makes floats
        parts = [part.astype(np.int64) for part in parts]
    return np.concatenate(parts)
