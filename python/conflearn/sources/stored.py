"""Arrays that lie in a file as they lie in memory: .npy, the members of .npz and .safetensors."""

import math
from collections.abc import Generator
from itertools import cycle
from typing import Any

import numpy as np
import numpy.typing as npt

from conflearn import _core
from conflearn._coerce.objects import BFLOAT16_BITS
from conflearn.sources import source
from conflearn.sources.ahead import IN_FLIGHT
from conflearn.sources.file import File, Handle
from conflearn.sources.rows import Piece, Rows, rows_text
from conflearn.sources.source import Reading

__all__ = ["StoredArray"]

# Rows of an array in Fortran order lie apart: more of them at a time make fewer, longer reads.
_LONGER = 4


class StoredArray(Rows):
    """Cells of one dtype that lie in a file one after another, from a position on."""

    def __init__(
        self,
        file: File,
        offset: int,
        dtype: np.dtype[Any],
        shape: tuple[int, ...],
        *,
        fortran: bool = False,
        member: str = "",
    ) -> None:
        self._file = file
        self._offset = offset
        self._dtype = dtype
        self._fortran = fortran and len(shape) > 1
        self._member = member
        self.shape = shape
        self.n_rows = shape[0]
        self._row_bytes = dtype.itemsize * math.prod(shape[1:])
        self.place = f"{file.name}[{member!r}]" if member else file.name
        end = offset + math.prod(shape) * dtype.itemsize
        if end > file.size:
            raise file.error(
                f"ends at byte {file.size:,}, but its header promises {end:,} bytes: {self._what()}"
                "; it was cut short, so make it anew"
            )

    def _what(self) -> str:
        name = f"{self._member!r}, " if self._member else ""
        return f"{name}an array of {self._dtype.name} with the shape {self.shape}"

    def probe(self) -> npt.NDArray[Any]:
        """Return a row of zeros: a file is not read for its dtype."""
        return np.zeros((1, *self.shape[1:]), self._dtype)

    def identity(self) -> object:
        """Return what tells the file, and where in it."""
        return [*self._file.identity(), self._offset, self._dtype.str, list(self.shape)]

    def pieces(self, first_row: int, most: int) -> Generator[Piece, None, None]:
        """Read rows into buffers that are used again."""
        if self._fortran:
            most = max(most, min(most * _LONGER, source.BLOCK_ROWS))
        return self._pieces(first_row, most, IN_FLIGHT, n_threads=1)

    @property
    def is_copied(self) -> bool:
        """Whether rows lie in the file as they do in memory."""
        return not self._fortran

    def in_turn(self, first_row: int, most: int, reading: Reading) -> Generator[Piece, None, None]:
        """Read into the same memory again, or leave it to the core to read."""
        is_matrix = len(self.shape) > 1
        if reading.looks_once and is_matrix and self._cell_name is not None:
            most = min(source.BLOCK_ROWS, source.UNREAD_BYTES // max(self._row_bytes, 1))
            return self._unread(first_row, max(most, 1))
        return self._pieces(first_row, most, 1, n_threads=reading.n_threads)

    @property
    def _cell_name(self) -> str | None:
        """What the core calls these cells, if it reads them as they are."""
        if self._dtype == BFLOAT16_BITS:
            return "bfloat16"
        is_readable = self._dtype.char in "efd" and self._dtype.isnative
        return self._dtype.name if is_readable else None

    def _unread(self, first_row: int, most: int) -> Generator[Piece, None, None]:
        with self._file.open() as handle:
            for start in range(first_row, self.n_rows, most):
                n = min(most, self.n_rows - start)
                position = self._offset + start * self._row_bytes
                if start == first_row:
                    handle.expect(position, n * self._row_bytes)
                handle.expect(position + n * self._row_bytes, n * self._row_bytes)
                shape = (n, self.shape[1])
                rows = _core.FileRows(handle.core, position, shape, str(self._cell_name))
                yield Piece(rows, rows_text(start, n, self.place))

    def _pieces(
        self, first_row: int, most: int, n_buffers: int, *, n_threads: int | None
    ) -> Generator[Piece, None, None]:
        most = max(min(most, self.n_rows), 1)
        size = most * self._row_bytes
        # What is asked for is made anew only where it is small.
        buffers = cycle([source.aligned_bytes(size) for _ in range(n_buffers)])
        with self._file.open() as handle:
            for start in range(first_row, self.n_rows, most):
                n = min(most, self.n_rows - start)
                buffer = next(buffers)[: n * self._row_bytes]
                if self._fortran:
                    rows = self._read_columns(handle, start, n, buffer)
                else:
                    rows = self._read_rows(handle, start, n, buffer, n_threads)
                yield Piece(rows, rows_text(start, n, self.place))

    def _read_rows(
        self,
        handle: Handle,
        start: int,
        n: int,
        buffer: npt.NDArray[np.uint8],
        n_threads: int | None,
    ) -> npt.NDArray[Any]:
        position = self._offset + start * self._row_bytes
        handle.expect(position + len(buffer), len(buffer))
        handle.read(buffer, position, n_threads)
        return buffer.view(self._dtype).reshape(n, *self.shape[1:])

    def _read_columns(
        self, handle: Handle, start: int, n: int, buffer: npt.NDArray[np.uint8]
    ) -> npt.NDArray[Any]:
        """Read a strip of each column; the core takes them in this order."""
        n_columns, cell = math.prod(self.shape[1:]), self._dtype.itemsize
        for column, strip in enumerate(buffer.reshape(n_columns, n * cell)):
            handle.read(strip, self._offset + (column * self.n_rows + start) * cell)
        return buffer.view(self._dtype).reshape(n, *self.shape[1:], order="F")
