"""Objects of other libraries that give rows when they are sliced: zarr, HDF5, and the like."""

import operator
from collections.abc import Generator
from typing import Any

import numpy as np

from conflearn.errors import InputTypeError, SourceError
from conflearn.sources import source
from conflearn.sources.file import failure
from conflearn.sources.rows import Piece, Rows, digest, rows_text

__all__ = ["SliceableRows"]

# Blocks are made of whole chunks, so that none is unpacked twice, as long as they stay below so
# many ordinary blocks.
_LARGEST = 4

# Rows that are looked at to tell one array from another.
_SAMPLED = 64


class SliceableRows(Rows):
    """An array of one or two dimensions, read by ``array[i:j]``."""

    def __init__(self, array: Any, argument: str) -> None:
        self._array = array
        self._argument = argument
        kind = type(array)
        self.place = f"{argument} ({kind.__module__.partition('.')[0]}.{kind.__name__})"
        try:
            self.shape: tuple[int, ...] = tuple(map(operator.index, array.shape))
        except TypeError as error:  # dask calls a number of rows that it does not know NaN
            raise InputTypeError(
                f"{self.place} has the shape {array.shape}, of which not all is known; compute it "
                "first (of a dask array, compute_chunk_sizes())"
            ) from error
        self.n_rows = self.shape[0] if self.shape else 0

    def pieces(self, first_row: int, most: int) -> Generator[Piece, None, None]:
        """Slice it, at the borders of its chunks where it has some."""
        step = self._whole_chunks(most)
        start = first_row
        while start < self.n_rows:
            stop = min((start // step + 1) * step, self.n_rows)
            yield Piece(self._rows(start, stop), rows_text(start, stop - start, self.place))
            start = stop

    def _whole_chunks(self, most: int) -> int:
        chunks = getattr(self._array, "chunks", None)
        if not (isinstance(chunks, tuple) and chunks and isinstance(chunks[0], int) and chunks[0]):
            return most
        rows = chunks[0]
        itemsize = getattr(getattr(self._array, "dtype", None), "itemsize", 8)
        row_bytes = itemsize * int(np.prod(self.shape[1:], dtype=np.int64))
        if rows <= most:
            return most // rows * rows
        return rows if rows * row_bytes <= _LARGEST * source.BLOCK_BYTES else most

    def _rows(self, start: int, stop: int) -> Any:
        try:
            rows = np.asarray(self._array[start:stop])
        except Exception as error:
            raise failure(
                rows_text(start, stop - start, self.place), self._argument, error
            ) from error
        if rows.shape[0] != stop - start:
            raise SourceError(
                f"{self._argument}: asked for rows {start:,} to {stop - 1:,}, {self.place} gave "
                f"{rows.shape[0]:,} rows; it must have as many as its shape says, {self.n_rows:,}"
            )
        return rows

    def identity(self) -> object:
        """Return a digest of some rows, spread over all: to read all would be a pass."""
        rows = np.unique(np.linspace(0, self.n_rows - 1, _SAMPLED).astype(np.int64))
        sample = [digest(self._rows(int(row), int(row) + 1))[-1] for row in rows]
        return [self.place, str(getattr(self._array, "dtype", "")), list(self.shape), sample]
