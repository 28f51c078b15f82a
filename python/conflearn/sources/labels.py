"""Labels that are read in step with the rows of a matrix."""

from abc import ABC, abstractmethod
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Any

from conflearn._coerce import as_block, as_labels
from conflearn._coerce.labels import CheckedColumns
from conflearn._coerce.objects import Array
from conflearn.sources.rows import Rows, Take, digest, in_step

__all__ = ["HeldLabels", "Labels", "ReadLabels", "Take"]

# Labels of a file are read so many at a time.
_AT_A_TIME = 1 << 18


class Labels(ABC):
    """One label a row, from any row on."""

    @abstractmethod
    def taken(self, first_row: int) -> AbstractContextManager[Take]:
        """Begin to read at a row."""

    @property
    def are_quick(self) -> bool:
        """Whether they come at once, so that no thread needs to read them ahead."""
        return True

    def place_of(self, row: int) -> str:  # noqa: ARG002 - of files
        """Return the file that holds the label of a row; "" if there is none."""
        return ""

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

    def taken(self, first_row: int) -> AbstractContextManager[Take]:
        """Read pieces, and cut or join them."""
        return in_step(self._rows, first_row, _AT_A_TIME, self.coerced)

    def coerced(self, values: Any, first_row: int) -> Array:
        """Return class numbers; messages count from ``first_row``."""
        with as_block(first_row):
            return as_labels(values, self._n_classes, classes=self._columns)

    @property
    def are_quick(self) -> bool:
        """Whether they only have to be copied from a file."""
        return self._rows.is_copied

    def place_of(self, row: int) -> str:
        """Ask the rows."""
        return self._rows.place_of(row)

    def identity(self) -> object:
        """Return what tells the rows."""
        return self._rows.identity()
