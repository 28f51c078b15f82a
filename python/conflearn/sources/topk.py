"""The largest cells of each row and their classes, which lie in two places."""

from collections.abc import Generator, Sequence
from contextlib import closing
from typing import Any, NamedTuple

import numpy as np

from conflearn._coerce.objects import Array, first_true, is_a
from conflearn.errors import ShapeError, SourceError
from conflearn.sources.holder import Array as OneArray
from conflearn.sources.holder import Holder, Names
from conflearn.sources.rows import Chain, Piece, Rows, in_step, joined

__all__ = ["TopKHolder", "TopKRows"]


class TopKRows(Rows):
    """Rows of values, and rows of the classes that they are of."""

    def __init__(self, top_k: Any, classes: Rows, values: Rows) -> None:
        self._kind = type(top_k)
        self._n_classes = int(top_k.n_classes)
        self._classes = classes
        self._values = values
        self.n_rows = values.n_rows
        self.place = values.place
        if classes.n_rows != values.n_rows:
            raise SourceError(
                f"pred_probs: classes has {classes.n_rows:,} rows ({classes.place}), but values "
                f"has {values.n_rows:,} ({values.place}); each row needs both"
            )
        self._has_lists = not isinstance(classes.probe(), np.ndarray)
        one_row = self.probe()
        self.row_bytes = int(one_row.classes.nbytes + one_row.values.nbytes)

    def pieces(self, first_row: int, most: int) -> Generator[Piece, None, None]:
        """Read values, and as many classes."""
        row = first_row
        classes = in_step(self._classes, first_row, most, _classes_of, _joined)
        with classes as take, closing(self._values.pieces(first_row, most)) as pieces:
            for values, place, _ in pieces:
                n = len(values)
                yield Piece(self._both(take(n), values, row), place)
                row += n

    def probe(self) -> Any:
        """Return one row."""
        return self._both(_classes_of(self._classes.probe(), 0)[:1], self._values.probe()[:1], 0)

    def _both(self, classes: Array, values: Any, first_row: int) -> Any:
        cells, lengths = _rows_of(values, "values", first_row)
        if lengths is not None or (self._has_lists and (classes == _NOTHING).any()):
            counts = (classes != _NOTHING).sum(axis=1)
            others = np.full(len(counts), cells.shape[1]) if lengths is None else lengths
            if (row := first_true(counts != others)) is not None:
                raise ShapeError(
                    f"pred_probs[{first_row + row}] has {counts[row]} classes "
                    f"({self._classes.place}), but {others[row]} values ({self._values.place}); "
                    "each entry needs both"
                )
            width = max(int(counts.max(initial=0)), 1)
            classes, cells = classes[:, :width], cells[:, :width]
            classes = np.where(classes == _NOTHING, -1, classes)
        return self._kind(classes=classes, values=cells, n_classes=self._n_classes)

    def identity(self) -> object:
        """Return those of both."""
        both = [self._classes.identity(), self._values.identity()]
        return None if None in both else [*both, self._n_classes]


class TopKHolder(OneArray):
    """Such rows, beside which there are the labels that the table of their values has."""

    def __init__(self, rows: TopKRows, n_classes: int, tables: Sequence[Holder]) -> None:
        super().__init__(rows, "pred_probs", (rows.n_rows, n_classes))
        self._tables = tables

    def label_name(self, names: Names) -> str:
        """Find the column of labels."""
        if not self._tables:
            return super().label_name(names)
        return self._tables[0].label_name(names)

    def column(self, names: Names) -> Rows:
        """Take the column of labels."""
        if not self._tables:
            return super().column(names)
        return Chain([table.column(names) for table in self._tables])


# --- Lists of any lengths, of which tables have columns ------------------------------------------

#: Behind the last class of a shorter row, until its values were counted; a -1 may be given.
_NOTHING = np.iinfo(np.int64).min


class _Read(NamedTuple):
    """Rows of one length, and how many entries each had where they were not of one."""

    cells: Array
    lengths: Array | None = None


def _classes_of(values: Any, first_row: int) -> Array:
    return _rows_of(values, "classes", first_row).cells


def _rows_of(values: Any, name: str, first_row: int) -> _Read:
    """Read a column of lists, or whatever makes an array."""
    if is_a(values, "pyarrow", "Array", "ChunkedArray"):
        lengths, flat = _of_arrow(values)
    else:
        rows = values.to_numpy() if is_a(values, "polars", "Series") else np.asarray(values)
        if rows.dtype != object or rows.ndim != 1:
            return _Read(rows)
        lengths = np.array([-1 if row is None else len(row) for row in rows])
        kept = [np.asarray(row) for row in rows if row is not None and len(row)]
        flat = np.concatenate(kept) if kept else np.empty(0, np.int64)
    if (row := first_true(lengths < 0)) is not None:
        raise SourceError(
            f"pred_probs.{name}[{first_row + row}] is missing; write an empty list where nothing "
            "is stored"
        )
    width = max(int(lengths.max(initial=0)), 1)
    if (lengths == width).all():
        return _Read(flat.reshape(-1, width))
    fill, dtype = (_NOTHING, np.dtype(np.int64)) if name == "classes" else (0, flat.dtype)
    if name == "classes" and flat.dtype.kind not in "iu":
        dtype = flat.dtype  # which is refused, with what it is
    padded = np.full((len(lengths), width), fill, dtype)
    padded[np.arange(width) < lengths[:, None]] = flat
    return _Read(padded, lengths)


def _of_arrow(column: Any) -> tuple[Array, Array]:
    """Take lists apart: how long they are, -1 for none, and what is in them."""
    from pyarrow.compute import list_value_length

    chunks: list[Any] = getattr(column, "chunks", [column])
    lengths, flat = [np.empty(0, np.int64)], []
    for chunk in chunks:
        whole = getattr(chunk, "storage", chunk)  # of tensors
        if not hasattr(whole, "flatten"):  # one number a row, which is a list of one
            return np.ones(len(column), np.int64), np.asarray(column)
        counts = list_value_length(whole).fill_null(-1)
        lengths.append(counts.to_numpy(zero_copy_only=False).astype(np.int64))
        flat.append(whole.flatten().to_numpy(zero_copy_only=False))
    return np.concatenate(lengths), np.concatenate(flat or [np.empty(0, np.int64)])


def _joined(parts: list[Array]) -> Array:
    """Put rows together of which some may have been filled up to more entries."""
    width = max(part.shape[1] for part in parts)
    if all(part.shape[1] == width for part in parts):
        return joined(parts)
    return np.concatenate([_widened(part.astype(np.int64), width) for part in parts])


def _widened(rows: Array, width: int) -> Array:
    more = width - rows.shape[1]
    return np.pad(rows, ((0, 0), (0, more)), constant_values=_NOTHING)
