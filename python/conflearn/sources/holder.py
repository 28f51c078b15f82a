"""What holds matrices and columns: a file with one array or several, or a table."""

from abc import ABC, abstractmethod
from collections.abc import Collection, Iterable, Sequence
from difflib import get_close_matches
from typing import TypeAlias

from conflearn.errors import ShapeError, SourceError
from conflearn.sources.rows import Rows

__all__ = ["CELL_NAMES", "LABEL_NAMES", "Array", "Holder", "Names", "chosen", "known"]

#: None where no names were given.
Names: TypeAlias = str | tuple[str, ...] | None

#: What is looked for where several might be meant and none was named.
CELL_NAMES = ("pred_probs", "probs", "probabilities", "logits", "scores")
LABEL_NAMES = ("labels", "label", "y")


class Holder(ABC):
    """A file, or a table in memory."""

    place: str
    #: Whether cells and labels come out of it together: a table that is computed anew for each
    #: pass gives the rows of two passes in the same order only by luck.
    is_table = False

    def cell_names(
        self,
        names: Names,
        labels: str | None,  # noqa: ARG002 - of tables
        classes: Sequence[str] | None,  # noqa: ARG002 - of tables
    ) -> Names:
        """Find what the matrix is called, which the files after this one must have too.

        Arrays have no order that files could differ in: each file has its own name for them.
        """
        return names

    def column_name(self, names: Names) -> Names:
        """Find what the column is called, in the same way."""
        return names

    @abstractmethod
    def cells(self, names: Names, labels: str | None = None) -> Rows:
        """Find the matrix, with the column ``labels`` of the same table beside it."""

    @abstractmethod
    def column(self, names: Names) -> Rows:
        """Find a column: one value a row."""

    @abstractmethod
    def label_name(self, names: Names) -> str:
        """Find what the column of labels is called."""


class Array(Holder):
    """A single array, without a name."""

    def __init__(self, rows: Rows, argument: str, shape: tuple[int, ...]) -> None:
        self._rows = rows
        self._argument = argument
        self._shape = shape
        self.place = rows.place

    def cells(self, names: Names, labels: str | None = None) -> Rows:
        """Return it."""
        self._refuse(names, labels)
        if len(self._shape) not in (1, 2):
            raise ShapeError(
                f"{self._argument} must have two dimensions, a row for each example and a column "
                f"for each class; {self.place} has the shape {self._shape}"
            )
        return self._rows

    def column(self, names: Names) -> Rows:
        """Return it."""
        self._refuse(names)
        return self._rows

    def label_name(self, names: Names) -> str:
        """Refuse: there is nothing beside it."""
        wanted = names if isinstance(names, str) else LABEL_NAMES[0]
        raise SourceError(
            f"labels: {self.place} holds nothing but an array, and so no {wanted!r}; pass the "
            "labels as an array, or the path of their file"
        )

    def _refuse(self, names: Names, labels: str | None = None) -> None:
        if names is not None or labels is not None:
            wanted = names if names is not None else labels
            raise SourceError(
                f"{self._argument}: {self.place} holds an array without a name, and so no "
                f"{wanted!r}; pass it without Columns"
            )


def chosen(
    candidates: Collection[str],
    wanted: Iterable[str],
    *,
    place: str,
    argument: str,
    what: str,
    there: str,
) -> str:
    """Return the only candidate, or the only one with a usual name."""
    if len(candidates) == 1:
        return next(iter(candidates))
    usual = [name for name in wanted if name in candidates]
    if len(usual) == 1:
        return usual[0]
    names = listed(candidates)
    found = f"any of {names} could be the" if candidates else "there is no"
    raise SourceError(
        f"{argument}: {found} {what} in {place}, which holds {there}; name it: "
        f"conflearn.Columns(path, name) (looked for {', '.join(map(repr, wanted))})"
    )


def known(name: str, names: Collection[str], *, place: str, argument: str) -> str:
    """Return a name that is there."""
    if name in names:
        return name
    close = get_close_matches(name, names, n=1)
    advice = f"did you mean {close[0]!r}?" if close else f"there are {listed(names)}"
    raise SourceError(f"{argument}: {place} holds no {name!r}; {advice}")


def listed(names: Iterable[str]) -> str:
    """Spell some names, and not at any length."""
    shown = [repr(name) for name in names]
    most = 12
    return ", ".join(shown[:most] + [f"and {len(shown) - most} more"] * (len(shown) > most))
