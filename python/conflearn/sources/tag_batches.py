"""Batches of tags and rows, from anything that can be iterated again and again."""

from collections.abc import Callable, Generator, Iterable
from typing import Any, NamedTuple
from zlib import crc32

import numpy as np

from conflearn._coerce import TagRows, as_block, as_pred_probs
from conflearn._coerce.labels import CheckedColumns
from conflearn._names import Kind
from conflearn.errors import ShapeError, SourceError
from conflearn.sources.batches import iterated, length_of, pair_of
from conflearn.sources.source import DEFAULT, Block, Reading, Source, rows_of
from conflearn.sources.tags import as_tag_rows

__all__ = ["TagBatchSource"]


class _Pass(NamedTuple):
    """What a whole pass came to, which is the same each time."""

    n_rows: int
    tags: int


class TagBatchSource(Source):
    """Pairs ``(labels, pred_probs)`` of any size. A block is a batch, which is not copied."""

    def __init__(
        self,
        batches: Iterable[Any] | Callable[[], Iterable[Any]],
        kind: Kind,
        columns: Callable[[int], CheckedColumns | None],
    ) -> None:
        self._batches = batches
        self._kind = kind
        self._first: _Pass | None = None
        self.n_examples = None
        for _, _, rows in self._pairs():
            self.n_classes = int(rows.shape[1])
            dtype = getattr(rows, "dtype", np.dtype(np.float64))  # of top-k rows it is not known
            self._row_bytes = self.n_classes * int(dtype.itemsize)
            break
        else:
            raise ShapeError(
                "pred_probs holds no batch with rows; it must yield pairs (labels, pred_probs)"
            )
        self._columns = columns(self.n_classes)

    @property
    def block_rows(self) -> int:
        """As many rows as a block of others has."""
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
        """Iterate anew. Nothing runs ahead: whoever makes batches may fill the same arrays anew."""
        row = check = 0
        for number, labels, rows in self._pairs():
            n = int(rows.shape[0])
            if int(rows.shape[1]) != self.n_classes:
                raise ShapeError(
                    f"pred_probs of batch {number} has {rows.shape[1]} columns, but the first "
                    f"batch has {self.n_classes}; all must have a column for each class"
                )
            with as_block(row):
                tags = as_tag_rows(labels, self.n_classes, n, self._columns)
            check = crc32(_bytes_of(tags), check)
            if self._first and row + n > self._first.n_rows:
                raise SourceError(
                    "pred_probs yields other batches in each pass: the first one had "
                    f"{self._first.n_rows:,} rows, this one has more; it must yield the same each "
                    "time"
                )
            skipped = min(max(first_row - row, 0), n)
            if skipped < n:
                yield Block(row + skipped, tags[skipped:], rows[skipped:], f"batch {number:,}")
            row += n
        self._compare(_Pass(row, check))

    def _pairs(self) -> Generator[tuple[int, Any, Any], None, None]:
        """Yield the number of a batch, its tags as they are, and its rows."""
        for number, batch in enumerate(iterated(self._batches)):
            labels, values = pair_of(batch, number)
            if length_of(values) == 0 and length_of(labels) == 0:
                continue
            name = f"pred_probs of batch {number}"
            with as_block(0):  # nothing is said of copies
                rows = as_pred_probs(values, kind=self._kind, name=name, of_tags=True)
            yield number, labels, rows

    def _compare(self, now: _Pass) -> None:
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


def _bytes_of(tags: Any) -> bytes:
    if isinstance(tags, TagRows):
        lengths = np.diff(tags.starts).astype(np.int64)
        return lengths.tobytes() + tags.classes.astype(np.int64).tobytes()
    return np.ascontiguousarray(tags).tobytes()
