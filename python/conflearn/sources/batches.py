"""Batches of labels and rows, from anything that can be iterated again and again."""

from collections.abc import Callable, Generator, Iterable, Iterator
from contextlib import closing
from typing import Any, NamedTuple
from zlib import crc32

import numpy as np

from conflearn._coerce import as_block, as_labels
from conflearn._coerce.labels import CheckedColumns
from conflearn._coerce.objects import Array, spelled
from conflearn._names import Kind
from conflearn.errors import InputTypeError, ShapeError, SourceError
from conflearn.sources.ahead import IN_FLIGHT, read_ahead
from conflearn.sources.cells import as_cells
from conflearn.sources.source import DEFAULT, Block, Reading, Source, aligned_bytes, rows_of
from conflearn.topk import TopK

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
        for _, _, rows, _ in self._coerced_batches():
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

    def blocks(
        self,
        first_row: int = 0,
        reading: Reading = DEFAULT,  # noqa: ARG002 - of files
    ) -> Generator[Block, None, None]:
        """Iterate anew."""
        return read_ahead(lambda: self._blocks(first_row))

    def _blocks(self, first_row: int) -> Generator[Block, None, None]:
        """Put batches together to blocks, cutting those that are larger."""
        row = check = 0
        filled = _Blocks(self.block_rows)
        with closing(self._coerced_batches(self._coerced_labels)) as batches:
            for number, values, rows, labels in batches:
                n = len(labels)
                check = crc32(labels.astype(np.int64).data, check)
                self._refuse_more(row + n)
                skip = max(first_row - row, 0)
                if skip < n and isinstance(rows, np.ndarray):
                    yield from filled.add(row + skip, labels[skip:], rows[skip:], number)
                elif skip < n:
                    yield from filled.rest()
                    own = as_cells(_copied(_by_rows(values)[skip:]), self._kind)
                    yield Block(row + skip, labels[skip:].copy(), own, f"batch {number:,}")
                row += n
        yield from filled.rest()
        self._compare(Pass(row, check))

    def _coerced_batches(
        self, coerced: "Callable[[object, int, int], Array] | None" = None
    ) -> Generator[tuple[int, Any, Any, Any], None, None]:
        """Yield the number of a batch, its rows as they were and as they are read, and its labels.

        Batches without rows are left out.
        """
        row = 0
        for number, batch in enumerate(iterated(self._batches)):
            labels, values = pair_of(batch, number)
            if length_of(values) == 0 and length_of(labels) == 0:
                continue
            name = f"pred_probs of batch {number}"
            rows = as_cells(values, self._kind, name=name)
            n_classes = int(rows.shape[1])
            if hasattr(self, "n_classes") and n_classes != self.n_classes:
                raise ShapeError(
                    f"{name} has {n_classes} columns, but the first batch has {self.n_classes}; "
                    "all must have a column for each class"
                )
            given = labels if coerced is None else coerced(labels, row, int(rows.shape[0]))
            yield number, values, rows, given
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


class _Blocks:
    """Blocks that batches are copied into, in buffers that are used in turn."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._buffers = [np.empty(0, np.uint8)] * IN_FLIGHT
        self._turn = 0
        self._cells = np.empty((0, 0))
        self._labels = np.empty(0, np.int64)
        self._first_row = self._n = 0
        self._batches = (0, 0)

    def add(self, first_row: int, labels: Array, rows: Array, batch: int) -> Iterator[Block]:
        """Copy rows, and give the blocks that are full by that."""
        if rows.dtype != self._cells.dtype:
            yield from self.rest()
        done = 0
        while done < len(rows):
            if self._n == 0:
                self._begin(first_row + done, rows, batch)
            n = min(len(rows) - done, self._most - self._n)
            self._cells[self._n : self._n + n] = rows[done : done + n]
            self._labels[self._n : self._n + n] = labels[done : done + n]
            self._batches = (self._batches[0], batch)
            self._n += n
            done += n
            if self._n == self._most:
                yield from self.rest()

    def rest(self) -> Iterator[Block]:
        """Give what there is, full or not."""
        if self._n:
            first, last = self._batches
            place = f"batch {first:,}" if first == last else f"batches {first:,} to {last:,}"
            n, self._n = self._n, 0
            yield Block(self._first_row, self._labels[:n], self._cells[:n], place)

    def _begin(self, first_row: int, rows: Array, batch: int) -> None:
        n_columns = rows.shape[1]
        size = self._most * n_columns * rows.dtype.itemsize
        if len(self._buffers[self._turn]) < size:
            self._buffers[self._turn] = aligned_bytes(size)
        memory = self._buffers[self._turn][:size]
        self._turn = (self._turn + 1) % IN_FLIGHT
        self._cells = memory.view(rows.dtype).reshape(self._most, n_columns)
        self._labels = np.empty(self._most, np.int64)
        self._first_row = first_row
        self._batches = (batch, batch)


def _by_rows(values: Any) -> Any:
    """Return sparse rows in the one format of scipy that can be cut by rows."""
    return values.tocsr() if hasattr(values, "tocsr") else values


def _copied(values: Any) -> Any:
    """Copy sparse rows, of which the caller may fill the arrays anew."""
    if isinstance(values, TopK):
        classes, cells = np.array(values.classes), np.array(values.values)
        return TopK(classes, cells, n_classes=values.n_classes)
    return values.copy()


def iterated(batches: Any) -> Iterator[Any]:
    """Begin to go over batches."""
    if isinstance(batches, Iterable) or not callable(batches):
        return iter(batches)
    made = batches()
    if not isinstance(made, Iterable):
        raise InputTypeError(
            f"pred_probs is a function that returned {spelled(made)}, of type "
            f"{type(made).__name__}; it must yield pairs (labels, pred_probs), or return a list of "
            "them"
        )
    return iter(made)


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
