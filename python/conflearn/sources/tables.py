"""Tables: which of their columns are the matrix, which are labels, and how rows are read."""

import re
from abc import abstractmethod
from collections.abc import Generator, Mapping, Sequence
from contextlib import closing
from typing import Any, Literal, TypeAlias

from conflearn.errors import SourceError
from conflearn.sources.holder import (
    CELL_NAMES,
    LABEL_NAMES,
    Holder,
    Names,
    chosen,
    known,
    listed,
)
from conflearn.sources.rows import Piece, Rows, rows_text

__all__ = ["Sort", "Table", "refuse_twins"]

#: What a column can be used for: a list of numbers a row; a number that may be a cell; something
#: that may be a label; none of these.
Sort: TypeAlias = Literal["list", "float", "label", "other"]


class Table(Holder):
    """Columns by name, of which rows are read in order."""

    is_table = True

    def __init__(self, place: str, argument: str, columns: Mapping[str, Sort], n_rows: int) -> None:
        self.place = place
        self.argument = argument
        self.columns = columns
        self.n_rows = n_rows

    @abstractmethod
    def batches(self, names: list[str], first_row: int, most: int) -> Generator[Any, None, None]:
        """Read these columns from a row on, at most so many rows at a time.

        Yields tables that have a length and know ``select(names)`` and ``column(name)``.
        """

    @abstractmethod
    def identity(self) -> object:
        """Tell it from others, as something that JSON holds; None if that is not known."""

    def cell_names(
        self, names: Names, labels: str | None, classes: Sequence[str] | None
    ) -> str | tuple[str, ...]:
        """Find the column of lists, or the columns of floats."""
        if names is not None:
            return names
        lists = [name for name, sort in self.columns.items() if sort == "list" and name != labels]
        if lists:
            return self._chosen(lists, CELL_NAMES, "column of lists")
        floats = [name for name, sort in self.columns.items() if sort == "float" and name != labels]
        return self._of_classes(floats, classes)

    def column_name(self, names: Names) -> str:
        """Find the column of that name, or the only one, or the one with a usual name."""
        if names is None:
            candidates = [name for name, sort in self.columns.items() if sort in _LABELS]
            return self._chosen(candidates, LABEL_NAMES, "column of labels")
        if isinstance(names, str):
            return names
        if len(names) > 1:
            raise SourceError(
                f"{self.argument}: Columns names {len(names)} columns of {self.place}, but "
                "labels are one; name that"
            )
        return names[0]

    def cells(self, names: Names, labels: str | None = None) -> Rows:
        """Take those columns."""
        names = self.cell_names(names, labels, None)
        for name in [names] if isinstance(names, str) else names:
            self._known(name, self.argument)
        return _TableRows(self, names, labels)

    def column(self, names: Names) -> Rows:
        """Take that column."""
        return _TableRows(self, self._known(self.column_name(names), self.argument), None)

    def refuse_missing(self, first: "Table", names: Names, argument: str) -> None:
        """Refuse a file without a column that was found in the first one."""
        for name in [names] if isinstance(names, str) else names or ():
            if name in first.columns and name not in self.columns:
                raise SourceError(
                    f"{argument}: {first.place} has a column {name!r}, but {self.place} has "
                    f"none; it has {listed(self.columns)}; all files must have the same columns"
                )

    def refuse_other_cells(
        self, first: "Table", names: Names, classes: Sequence[str] | None
    ) -> None:
        """Refuse a file in which other columns would have been found than in the first one."""
        if isinstance(names, str):
            same = self.columns[names] == first.columns[names]
            wanted, found = repr(names), f"no lists of numbers in {names!r}"
        else:
            own, names = self.floats, names or ()
            if set(names) == {*(classes or ())}:
                same = all(self.columns[name] == "float" for name in names)
            else:
                same = own == first.floats
            wanted, found = listed(names), listed(name for name in self.columns if name in own)
        if self.n_rows and not same:
            raise SourceError(
                f"{self.argument}: the cells of {first.place} are in {wanted}, but {self.place} "
                f"has {found or 'no column of floats'}; all files must have the same columns, or "
                "name those that they share: conflearn.Columns(paths, names)"
            )

    @property
    def floats(self) -> set[str]:
        """What could be a class."""
        floats = (name for name, sort in self.columns.items() if sort == "float")
        return {name for name in floats if name not in LABEL_NAMES}

    def label_name(self, names: Names) -> str:
        """Find the column of labels beside the cells, which has a usual name or the given one."""
        if isinstance(names, str):
            return self._known(names, "labels")
        candidates = [name for name in LABEL_NAMES if self.columns.get(name) in _LABELS]
        return self._chosen(candidates, LABEL_NAMES, "column of labels", of="labels")

    def _known(self, name: str, argument: str) -> str:
        return known(name, self.columns, place=self.place, argument=argument)

    def _of_classes(self, floats: list[str], classes: Sequence[str] | None) -> tuple[str, ...]:
        """Take columns of floats only where it is plain which class each of them is of.

        A column of losses among them would be a class, and an order that is none would give each
        label the cells of another class: both go unnoticed. So nothing is guessed.
        """
        if classes and set(classes) <= set(floats):
            return tuple(classes)
        floats = [name for name in floats if name not in LABEL_NAMES]
        if not floats:
            raise SourceError(
                f"{self.argument}: {self.place} has neither a column of lists of floats nor "
                f"columns of floats; it has {listed(self.columns)}; name those of the classes: "
                "conflearn.Columns(table, names)"
            )
        if len(floats) > 1 and not _is_numbered(floats):
            raise SourceError(
                f"{self.argument}: it is not plain which columns of {self.place} are the classes, "
                f"and in which order; of floats it has {listed(floats)}, which are neither "
                "numbered one after another, such as p0, p1, p2, nor the names in classes; name "
                "them in the order of the classes: conflearn.Columns(table, names)"
            )
        return tuple(floats)

    def _chosen(
        self, candidates: Sequence[str], usual: Sequence[str], what: str, of: str = ""
    ) -> str:
        return chosen(
            candidates,
            usual,
            place=self.place,
            argument=of or self.argument,
            what=what,
            there=listed(self.columns) or "nothing",
        )


_LABELS: tuple[Sort | None, ...] = ("label", "float")


def refuse_twins(names: Sequence[str], place: str, argument: str) -> None:
    """Refuse two columns of one name, which nobody could tell apart."""
    if len(set(names)) < len(names):
        twice = next(name for name in names if names.count(name) > 1)
        raise SourceError(f"{argument}: {place} has two columns called {twice!r}; rename one")


def _is_numbered(names: Sequence[str]) -> bool:
    """Whether they differ by a number at their end alone, which goes up by one."""
    parts = [re.fullmatch(r"(.*?)([0-9]+)", name, re.DOTALL) for name in names]
    found = [(part[1], int(part[2])) for part in parts if part is not None]
    prefix, first = found[0] if found else ("", 0)
    return found == [(prefix, first + i) for i in range(len(names))]


class _TableRows(Rows):
    """The cells in a table, or one column of it."""

    def __init__(self, table: Table, names: str | tuple[str, ...], labels: str | None) -> None:
        self._table = table
        self._names = names
        self._label = labels
        self.n_rows = table.n_rows
        self.place = table.place
        self.has_labels = labels is not None

    def pieces(self, first_row: int, most: int) -> Generator[Piece, None, None]:
        """Take the columns apart."""
        names = [self._names] if isinstance(self._names, str) else list(self._names)
        wanted = names if self._label in (None, *names) else [*names, self._label or ""]
        row = first_row
        with closing(self._table.batches(wanted, first_row, most)) as batches:
            for batch in batches:
                if not (n := len(batch)):
                    continue
                one = isinstance(self._names, str)
                values = batch.column(self._names) if one else batch.select(names)
                labels = None if self._label is None else batch.column(self._label)
                yield Piece(values, rows_text(row, n, self.place), labels)
                row += n
        if row != self.n_rows and first_row < self.n_rows:
            raise SourceError(
                f"{self._table.argument}: {self.place} ends after {row:,} rows, but had "
                f"{self.n_rows:,} when it was opened; it must not change meanwhile"
            )

    def identity(self) -> object:
        """Return what tells the table, and the columns."""
        table = self._table.identity()
        return None if table is None else [table, self._names, self._label]
