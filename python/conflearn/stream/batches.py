"""Batches of labels and rows, from anything that can be iterated again and again."""

from collections.abc import Callable, Generator, Iterable, Iterator
from contextlib import closing
from typing import Any, NamedTuple
from zlib import crc32

import numpy as np
import numpy.typing as npt

from conflearn._coerce import as_block, as_labels, as_pred_probs
from conflearn._coerce.labels import CheckedColumns
from conflearn._coerce.objects import Array
from conflearn._names import Kind
from conflearn.errors import InputTypeError, ShapeError, SourceError
from conflearn.stream.ahead import IN_FLIGHT, read_ahead
from conflearn.stream.source import Block, Source, aligned_bytes, rows_of

__all__ = ["BatchSource", "iterated", "length_of", "pair_of"]

_PAIR = 2


class Pass(NamedTuple):
    """What a whole pass came to, which is the same each time."""

    n_rows: int
    labels: int


class BatchSource(Source):
    """Pairs ``(labels, pred_probs)`` of any size.

    What a batch holds is copied at once: the caller may fill the same arrays anew for the next one.
    """

    def __init__(
        self,
        batches: Iterable[Any] | Callable[[], Iterable[Any]],
        kind: Kind,
        columns: Callable[[int], CheckedColumns | None],
    ) -> None:
        self._batches = batches
        self._kind = kind
        self._columns: CheckedColumns | None = None
        self._first: Pass | None = None
        self.n_examples = None
        for _, rows, _ in self._coerced_batches():
            self.n_classes = int(rows.shape[1])
            self._row_bytes = self.n_classes * int(getattr(rows, "dtype", np.dtype("f8")).itemsize)
            break
        else:
            raise ShapeError(
                "pred_probs holds no batch with rows; it must yield pairs (labels, pred_probs)"
            )
        self._columns = columns(self.n_classes)

    @property
    def block_rows(self) -> int:
        """As many rows as are put together."""
        return rows_of(self._row_bytes)

    @property
    def fingerprint(self) -> str:
        """Nothing: batches cannot be told from others without reading them."""
        return ""

    def blocks(self, first_row: int = 0) -> Generator[Block, None, None]:
        """Iterate anew."""
        return read_ahead(lambda: self._blocks(first_row))

    def _blocks(self, first_row: int) -> Generator[Block, None, None]:
        """Put batches together to blocks, cutting those that are larger."""
        most = self.block_rows
        filling: _Filling | None = None
        buffers: list[npt.NDArray[np.uint8]] = []
        turn = row = check = 0
        with closing(self._coerced_batches(self._coerced_labels)) as batches:
            for number, rows, labels in batches:
                check = crc32(labels.astype(np.int64).data, check)
                self._refuse_more(row + len(labels))
                done = min(max(first_row - row, 0), len(labels))
                while done < len(labels):
                    if not isinstance(rows, np.ndarray):
                        if filling:
                            yield filling.block()
                            filling = None
                        yield Block(row + done, labels[done:], rows[done:], f"batch {number}")
                        break
                    if filling and (filling.n == most or filling.dtype != rows.dtype):
                        yield filling.block()
                        filling = None
                    if filling is None:
                        size = most * self.n_classes * rows.dtype.itemsize
                        if len(buffers) < IN_FLIGHT:
                            buffers.append(aligned_bytes(size))
                        elif len(buffers[turn]) < size:
                            buffers[turn] = aligned_bytes(size)
                        cells = buffers[turn][:size].view(rows.dtype)
                        turn = (turn + 1) % IN_FLIGHT
                        filling = _Filling(row + done, cells.reshape(most, -1), number)
                    done += filling.add(labels[done:], rows[done:], number)
                row += len(labels)
        if filling:
            yield filling.block()
        self._compare(Pass(row, check))

    def _coerced_batches(
        self, coerced: "Callable[[object, int, int], Array] | None" = None
    ) -> Generator[tuple[int, Any, Any], None, None]:
        """Yield the number of a batch, its rows and its labels; leave out those without rows."""
        row = 0
        for number, batch in enumerate(iterated(self._batches)):
            labels, values = pair_of(batch, number)
            if length_of(values) == 0 and length_of(labels) == 0:
                continue
            name = f"pred_probs of batch {number}"
            with as_block(0):  # nothing is said of copies
                rows = as_pred_probs(values, kind=self._kind, name=name)
            n_classes = int(rows.shape[1])
            if hasattr(self, "n_classes") and n_classes != self.n_classes:
                raise ShapeError(
                    f"{name} has {n_classes} columns, but the first batch has {self.n_classes}; "
                    "all must have a column for each class"
                )
            given = labels if coerced is None else coerced(labels, row, int(rows.shape[0]))
            yield number, rows, given
            row += int(rows.shape[0])

    def _coerced_labels(self, labels: object, first_row: int, n_rows: int) -> Array:
        with as_block(first_row):
            return as_labels(labels, self.n_classes, n_examples=n_rows, classes=self._columns)

    def _refuse_more(self, n_rows: int) -> None:
        if self._first and n_rows > self._first.n_rows:
            raise SourceError(
                f"pred_probs yields other batches in each pass: the first one had "
                f"{self._first.n_rows:,} rows, this one has more; it must yield the same rows in "
                "the same order each time"
            )

    def _compare(self, now: Pass) -> None:
        """Refuse a pass that gave other rows than the one before."""
        if self._first is None:
            self._first = now
            self.n_examples = now.n_rows
        if now == self._first:
            return
        if now.n_rows != self._first.n_rows:
            what = f"the first one had {self._first.n_rows:,} rows, this one {now.n_rows:,}"
        else:
            what = "the labels came in another order"
        raise SourceError(
            f"pred_probs yields other batches in each pass: {what}; it must yield the same rows in "
            "the same order each time (of a DataLoader, shuffle=False)"
        )


class _Filling:
    """A block that batches are copied into."""

    def __init__(self, first_row: int, cells: npt.NDArray[Any], batch: int) -> None:
        self._first_row = first_row
        self._cells = cells
        self._labels = np.empty(len(cells), np.int64)
        self._batches = (batch, batch)
        self.dtype = cells.dtype
        self.n = 0

    def add(self, labels: Array, rows: Array, batch: int) -> int:
        """Take as many rows as there is room for, and return their number."""
        n = min(len(rows), len(self._cells) - self.n)
        self._cells[self.n : self.n + n] = rows[:n]
        self._labels[self.n : self.n + n] = labels[:n]
        self._batches = (self._batches[0], batch)
        self.n += n
        return n

    def block(self) -> Block:
        """Return what there is."""
        first, last = self._batches
        place = f"batch {first:,}" if first == last else f"batches {first:,} to {last:,}"
        return Block(self._first_row, self._labels[: self.n], self._cells[: self.n], place)


def iterated(batches: Any) -> Iterator[Any]:
    """Begin to go over batches."""
    return iter(batches() if callable(batches) and not isinstance(batches, Iterable) else batches)


def length_of(value: Any) -> int:
    """Return how many rows labels or cells have."""
    shape = getattr(value, "shape", None)
    if shape is not None:
        return int(shape[0]) if len(shape) else 1
    return len(value) if hasattr(value, "__len__") else 1


def pair_of(batch: Any, number: int) -> tuple[Any, Any]:
    """Take a batch apart."""
    if not isinstance(batch, list | tuple) or len(batch) != _PAIR:
        of = f"of {len(batch)} entries" if isinstance(batch, list | tuple) else ""
        raise InputTypeError(
            f"batch {number} of pred_probs is a {type(batch).__name__} {of}".rstrip()
            + ", but must be a pair (labels, pred_probs)"
        )
    labels, values = batch
    if len(getattr(labels, "shape", ())) == _PAIR and len(getattr(values, "shape", ())) == 1:
        raise InputTypeError(
            f"batch {number} of pred_probs is a pair (pred_probs, labels), but must be "
            "(labels, pred_probs); turn it around"
        )
    return labels, values
