"""The source that joins a matrix and its labels, wherever each of them lies."""

import json
from collections.abc import Generator
from contextlib import closing, nullcontext
from typing import Any

from conflearn import _core
from conflearn._coerce import as_block, as_labels
from conflearn._coerce.labels import CheckedColumns
from conflearn._names import Kind
from conflearn.errors import ShapeError, SourceError
from conflearn.sources.ahead import read_ahead
from conflearn.sources.cells import as_cells
from conflearn.sources.file import noted
from conflearn.sources.labels import Labels
from conflearn.sources.rows import Piece, Rows
from conflearn.sources.source import DEFAULT, Block, Reading, Source, rows_of
from conflearn.sources.tags import as_tag_rows

__all__ = ["JoinedSource", "n_classes_of"]


class JoinedSource(Source):
    """Rows of cells, and labels in step with them."""

    def __init__(
        self,
        cells: Rows,
        labels: Labels | None,
        *,
        kind: Kind,
        columns: CheckedColumns | None,
        ahead: bool = True,
        of_tags: bool = False,
    ) -> None:
        self._cells = cells
        self._labels = labels
        self._kind = kind
        self._columns = columns
        self._ahead = ahead
        self._of_tags = of_tags
        self.n_classes, self._row_bytes = _width(cells, kind, of_tags=of_tags)
        self.n_examples = cells.n_rows

    @property
    def block_rows(self) -> int:
        """As many rows as are asked for at a time."""
        return rows_of(self._row_bytes)

    @property
    def fingerprint(self) -> str:
        """What tells cells, labels and class names from others."""
        cells = self._cells.identity()
        labels = "beside" if self._labels is None else self._labels.identity()
        if cells is None or labels is None:
            return ""
        names = None if self._columns is None else [str(name) for name in self._columns]
        shape = [self.n_examples, self.n_classes]
        parts = {"shape": shape, "pred_probs": cells, "labels": labels, "classes": names}
        return json.dumps(parts)

    @property
    def without_fingerprint(self) -> str:
        """See `Source`."""
        return self._cells.place if self._cells.identity() is None else "labels"

    def blocks(
        self, first_row: int = 0, reading: Reading = DEFAULT
    ) -> Generator[Block, None, None]:
        """Read in a thread, unless all is in memory, or is better read by several threads."""
        cells, most = self._cells, self.block_rows
        if cells.is_copied and (self._labels is None or self._labels.are_quick):
            if self._kind != "probabilities" or self._of_tags:
                reading = reading._replace(looks_once=False)  # the core reads probabilities only
            return self._blocks(first_row, cells.in_turn(first_row, most, reading))

        def read() -> Generator[Block, None, None]:
            return self._blocks(first_row, cells.pieces(first_row, most))

        return read_ahead(read) if self._ahead else read()

    def _blocks(
        self, first_row: int, pieces: Generator[Piece, None, None]
    ) -> Generator[Block, None, None]:
        row = first_row
        taken = nullcontext(None) if self._labels is None else self._labels.taken(first_row)
        with closing(pieces), taken as take:
            for values, place, beside in pieces:
                with noted(place):
                    cells = self._coerced(values, row, place)
                n = int(cells.shape[0])
                if take is None:
                    with noted(place):
                        labels = self._coerced_labels(beside, row, n)
                else:
                    labels = take(n)
                yield Block(row, labels, cells, self._place_of_both(place, row))
                row += n
        if row != self.n_examples and row > first_row:
            raise SourceError(
                f"{self._cells.place} ends after {row:,} rows, but has promised "
                f"{self.n_examples:,}; it has changed, or is damaged"
            )

    def _place_of_both(self, place: str, row: int) -> str:
        """Name the file of the labels too, where it is another one: they may be what is wrong."""
        other = "" if self._labels is None else self._labels.place_of(row)
        if not other or other == self._cells.place_of(row):
            return place
        return f"{place}, with labels of {other}"

    def _coerced(self, values: Any, first_row: int, place: str) -> Any:
        cells = values
        if not isinstance(values, _core.FileRows):
            cells = as_cells(values, self._kind, first_row=first_row, of_tags=self._of_tags)
        if int(cells.shape[1]) != self.n_classes:
            raise SourceError(
                f"pred_probs has {self.n_classes} columns at first, but {cells.shape[1]} in {place}"
                "; all rows must have a column for each class"
            )
        return cells

    def _coerced_labels(self, labels: Any, first_row: int, n_rows: int) -> Any:
        with as_block(first_row):
            if self._of_tags:
                return as_tag_rows(labels, self.n_classes, n_rows, self._columns)
            return as_labels(labels, self.n_classes, n_examples=n_rows, classes=self._columns)


def n_classes_of(cells: Rows, kind: Kind, *, of_tags: bool = False) -> int:
    """Return K, of which the rows themselves need not know."""
    return _width(cells, kind, of_tags=of_tags)[0]


def _width(cells: Rows, kind: Kind, *, of_tags: bool) -> tuple[int, int]:
    """Return K, and the bytes of a row."""
    if not cells.n_rows:
        raise ShapeError(f"pred_probs is empty: {cells.place} has no rows; it needs at least one")
    shape = getattr(cells, "shape", ())
    if len(shape) == 1 and (of_tags or kind == "probabilities"):  # else it speaks of two classes
        raise ShapeError(
            "pred_probs must have two dimensions, a row for each example and a column for each "
            f"class; {cells.place} has the shape {shape}"
        )
    row = as_cells(cells.probe(), kind, of_tags=of_tags)
    row_bytes = row[:1].nbytes if cells.row_bytes is None else cells.row_bytes
    return int(row.shape[1]), int(row_bytes)
