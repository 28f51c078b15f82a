"""Results of a row each, of which there may be more than fit in memory.

A column is appended to block by block and changed by position. It lies in memory, or in an ``.npy``
file of which no more than a window is held at a time. No file is mapped while it is written: what
is changed in a map counts as memory of the process until the system finds time to write it.
"""

import os
import shutil
from abc import ABC, abstractmethod
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import numpy.lib.format as npy
import numpy.typing as npt

from conflearn.errors import StateError

__all__ = ["Column", "FileColumn", "MemoryColumn"]

#: Entries that are held at a time: a few MiB, which a disk writes as fast as it can.
WINDOW = 2**18


class Column(ABC):
    """Entries of one dtype, in the order of the rows."""

    def __init__(self, name: str, dtype: npt.DTypeLike) -> None:
        self.name = name
        self.dtype = np.dtype(dtype)

    @abstractmethod
    def __len__(self) -> int: ...

    @abstractmethod
    def append(self, values: npt.NDArray[Any]) -> None:
        """Put the entries of the next rows behind those that are there."""

    @abstractmethod
    def resize(self, n_entries: int) -> None:
        """Drop what is behind the first so many, or fill up with zeros."""

    @abstractmethod
    def windows(self, start: int = 0, stop: int | None = None) -> Iterator[npt.NDArray[Any]]:
        """Go over some entries, a few at a time."""

    @abstractmethod
    def patch(self, rows: npt.NDArray[np.int64], values: Any) -> None:
        """Set the entries of some rows, in ascending order; one value, or one a row."""

    @abstractmethod
    def take(self, rows: npt.NDArray[np.int64]) -> npt.NDArray[Any]:
        """Read the entries of some rows, in ascending order."""

    @abstractmethod
    def array(self) -> npt.NDArray[Any]:
        """Hold all of them in memory."""


class MemoryColumn(Column):
    """An array that grows where nobody knows how many rows there will be."""

    def __init__(self, name: str, dtype: npt.DTypeLike, expected: int | None = None) -> None:
        super().__init__(name, dtype)
        self._room = np.empty(expected or 0, dtype=self.dtype)
        self._length = 0

    def __len__(self) -> int:
        return self._length

    def append(self, values: npt.NDArray[Any]) -> None:
        """See `Column`."""
        start, end = self._length, self._length + len(values)
        self._make_room(end)
        self._room[start:end] = values
        self._length = end

    def resize(self, n_entries: int) -> None:
        """See `Column`."""
        self._make_room(n_entries)
        self._room[self._length : n_entries] = np.zeros((), dtype=self.dtype)
        self._length = n_entries

    def windows(self, start: int = 0, stop: int | None = None) -> Iterator[npt.NDArray[Any]]:
        """See `Column`: all in one piece, for they are there anyway."""
        if self._length:
            yield self._room[start : self._length if stop is None else stop]

    def patch(self, rows: npt.NDArray[np.int64], values: Any) -> None:
        """See `Column`."""
        self._room[rows] = values

    def take(self, rows: npt.NDArray[np.int64]) -> npt.NDArray[Any]:
        """See `Column`."""
        return self._room[rows]

    def array(self) -> npt.NDArray[Any]:
        """See `Column`."""
        filled = self._room[: self._length]
        # A copy where room would stay behind the result.
        return filled if self._length == len(self._room) else filled.copy()

    def _make_room(self, n_entries: int) -> None:
        if n_entries > len(self._room):
            room = np.empty(max(n_entries, 2 * self._length), dtype=self.dtype)
            room[: self._length] = self._room[: self._length]
            self._room = room


class FileColumn(Column):
    """An ``.npy`` file.

    numpy leaves room in the header for the largest number of rows, so that the true one is written
    over the first.
    """

    def __init__(self, name: str, dtype: npt.DTypeLike, path: Path) -> None:
        super().__init__(name, dtype)
        self.path = path
        # An existing file is what an earlier run left in the folder of its checkpoint.
        is_there = path.exists()
        if is_there and path.stat().st_nlink > 1:
            _unlink_others(path)
        self._file = path.open("r+b" if is_there else "w+b")
        self._length = 0
        self._data = self._write_header()
        size = path.stat().st_size - self._data
        self._length = max(size, 0) // self.dtype.itemsize

    def __len__(self) -> int:
        return self._length

    def append(self, values: npt.NDArray[Any]) -> None:
        """See `Column`."""
        self._write(self._length, values)
        self._length += len(values)

    def resize(self, n_entries: int) -> None:
        """See `Column`; zeros that are added take no place on most disks."""
        self._file.flush()
        self._file.truncate(self._offset(n_entries))
        self._length = n_entries

    def windows(self, start: int = 0, stop: int | None = None) -> Iterator[npt.NDArray[Any]]:
        """See `Column`."""
        end = self._length if stop is None else stop
        for first in range(start, end, WINDOW):
            yield self._read(first, min(first + WINDOW, end))

    def patch(self, rows: npt.NDArray[np.int64], values: Any) -> None:
        """See `Column`; windows without such a row are left alone."""
        each = np.broadcast_to(values, rows.shape)
        for here, first, window in self._windows_of(rows):
            window[rows[here] - first] = each[here]
            self._write(first, window)

    def take(self, rows: npt.NDArray[np.int64]) -> npt.NDArray[Any]:
        """See `Column`."""
        taken = np.empty(len(rows), dtype=self.dtype)
        for here, first, window in self._windows_of(rows):
            taken[here] = window[rows[here] - first]
        return taken

    def array(self) -> npt.NDArray[Any]:
        """See `Column`."""
        return self._read(0, self._length)

    def sync(self) -> None:
        """Return when the disk has what was written."""
        self._file.flush()
        os.fsync(self._file.fileno())

    def finish(self) -> None:
        """Make it a file that others can read."""
        self._write_header()
        self.sync()

    def close(self) -> None:
        """Let go of the file."""
        self._file.close()

    def _windows_of(
        self, rows: npt.NDArray[np.int64]
    ) -> Iterator[tuple[slice, int, npt.NDArray[Any]]]:
        """Read windows that hold some of these rows: which of them, and the first row."""
        begin = 0
        while begin < len(rows):
            first = int(rows[begin]) // WINDOW * WINDOW
            last = min(first + WINDOW, self._length)
            end = int(np.searchsorted(rows, last))
            yield slice(begin, end), first, self._read(first, last)
            begin = end

    def _write_header(self) -> int:
        """Write it, and tell its length."""
        descr = npy.dtype_to_descr(self.dtype)
        header = {"descr": descr, "fortran_order": False, "shape": (self._length,)}
        self._file.seek(0)
        npy.write_array_header_1_0(self._file, header)
        return self._file.tell()

    def _offset(self, row: int) -> int:
        return self._data + row * self.dtype.itemsize

    def _write(self, first: int, values: npt.NDArray[Any]) -> None:
        entries = np.ascontiguousarray(values, dtype=self.dtype)
        try:
            self._write_all(first, entries)
        except OSError as error:
            error.add_note(f"while writing {self.path}")
            raise

    def _write_all(self, first: int, entries: npt.NDArray[Any]) -> None:
        self._file.seek(self._offset(first))
        self._file.write(entries.view(np.uint8).data)
        self._file.flush()

    def _read(self, first: int, last: int) -> npt.NDArray[Any]:
        values = np.empty(last - first, dtype=self.dtype)
        self._file.seek(self._offset(first))
        if self._file.readinto(values.view(np.uint8).data) < values.nbytes:
            raise StateError(
                f"{self.path} was cut off by somebody else while it was written; run again"
            )
        return values


def _unlink_others(path: Path) -> None:
    """Make a file of its own of one that was published, by a run that was killed right then."""
    own = path.with_name(f"{path.name}.partial")
    shutil.copyfile(path, own)
    own.replace(path)
