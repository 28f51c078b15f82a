"""What has rows that are read in order: the parts that sources are put together from."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import closing, contextmanager
from typing import Any, NamedTuple, TypeAlias

import numpy as np

from conflearn._coerce.objects import Array
from conflearn.errors import SourceError
from conflearn.sources.file import noted
from conflearn.sources.source import Reading

__all__ = [
    "ArrayRows",
    "Chain",
    "Piece",
    "Rows",
    "Take",
    "digest",
    "in_step",
    "joined",
    "rows_text",
]


#: Gives the next so many rows.
Take: TypeAlias = Callable[[int], Array]


class Piece(NamedTuple):
    """Some rows of a matrix, or of a column, as they come: not coerced yet."""

    values: Any
    place: str
    #: Where matrix and labels are read together.
    labels: Any = None


class Rows(ABC):
    """A matrix or a column whose rows are read in order, from any of them on."""

    n_rows: int
    #: What messages call it.
    place: str
    #: Whether pieces hold labels beside the cells.
    has_labels: bool = False
    #: The size of a row, where the probe does not tell.
    row_bytes: int | None = None

    @abstractmethod
    def pieces(self, first_row: int, most: int) -> Generator[Piece, None, None]:
        """Read from ``first_row`` on, about ``most`` rows at a time, never none.

        A piece is valid until `ahead.IN_FLIGHT` - 1 more have been asked for.
        """

    @property
    def is_copied(self) -> bool:
        """Whether reading is copying, which several threads do best, and none has to run ahead."""
        return False

    def in_turn(
        self,
        first_row: int,
        most: int,
        reading: Reading,  # noqa: ARG002 - of copies
    ) -> Generator[Piece, None, None]:
        """Read for who is done with a piece before it asks for the next."""
        return self.pieces(first_row, most)

    def probe(self) -> Any:
        """Return one row, or one like it: the type and number of its cells are looked at."""
        with closing(self.pieces(0, 1)) as pieces:
            return next(pieces).values

    def place_of(self, row: int) -> str:  # noqa: ARG002 - of several files
        """Return what messages call that which holds this row."""
        return self.place

    @abstractmethod
    def identity(self) -> object:
        """Tell it from others, as something that JSON holds; None if that is not known."""


class Chain(Rows):
    """Several of them, one after another: the shards of a data set."""

    def __init__(self, parts: Sequence[Rows]) -> None:
        self.parts = parts
        self.n_rows = sum(part.n_rows for part in parts)
        self.place = parts[0].place if len(parts) == 1 else f"{parts[0].place} and others"
        self.has_labels = parts[0].has_labels

    def pieces(self, first_row: int, most: int) -> Generator[Piece, None, None]:
        """Read one part after another, each opened when its turn has come."""
        for part, first in self._parts_from(first_row):
            yield from part.pieces(first, most)

    @property
    def is_copied(self) -> bool:
        """Whether all parts are."""
        return all(part.is_copied for part in self.parts)

    def in_turn(self, first_row: int, most: int, reading: Reading) -> Generator[Piece, None, None]:
        """Read one part after another in the same way."""
        for part, first in self._parts_from(first_row):
            yield from part.in_turn(first, most, reading)

    def _parts_from(self, first_row: int) -> Iterator[tuple[Rows, int]]:
        """Go over what is left from a row on, and where to begin in each."""
        for part in self.parts:
            if first_row < part.n_rows:
                yield part, first_row
            first_row = max(first_row - part.n_rows, 0)

    def place_of(self, row: int) -> str:
        """Return the file that holds this row."""
        for part in self.parts:
            if row < part.n_rows:
                return part.place_of(row)
            row -= part.n_rows
        return self.place

    def probe(self) -> Any:
        """Return a row of the first part that has one."""
        return next(part for part in self.parts if part.n_rows).probe()

    def identity(self) -> object:
        """Return those of all parts, if all have one."""
        known = [part.identity() for part in self.parts]
        return None if None in known else known


class ArrayRows(Rows):
    """An array in memory, which lends its rows."""

    def __init__(self, array: Any, place: str) -> None:
        self._array = array
        self.n_rows = int(array.shape[0])
        self.place = place
        members = _members(array)
        if members:
            self.row_bytes = sum(member.nbytes for member in members) // max(self.n_rows, 1)

    def pieces(self, first_row: int, most: int) -> Generator[Piece, None, None]:
        """Cut it."""
        for start in range(first_row, self.n_rows, most):
            rows = self._array[start : start + most]
            yield Piece(rows, rows_text(start, int(rows.shape[0]), self.place))

    def identity(self) -> object:
        """Return a digest of all its cells."""
        members = _members(self._array) or [self._array]
        return [digest(member) for member in members]


def _members(array: Any) -> list[Array]:
    """Return the arrays that something is made of that is no array itself: a sparse matrix."""
    for names in (("data", "indices", "indptr"), ("classes", "values")):
        if not isinstance(array, np.ndarray) and all(hasattr(array, name) for name in names):
            return [getattr(array, name) for name in names]
    return []


@contextmanager
def in_step(
    rows: Rows,
    first_row: int,
    most: int,
    coerced: Callable[[Any, int], Array],
    join: Callable[[list[Array]], Array] | None = None,
) -> Iterator[Take]:
    """Read rows in pieces of whatever size, and give them in those that are asked for.

    ``coerced`` makes an array of a piece that begins at a row. What is given is no buffer.
    """
    waiting: list[Array] = []
    row = first_row
    with closing(rows.pieces(first_row, most)) as pieces:

        def take(n: int) -> Array:
            nonlocal row
            while (there := sum(map(len, waiting))) < n:
                piece = next(pieces, None)
                if piece is None:
                    raise SourceError(
                        f"{rows.place} ends after {row + there:,} rows, but had {rows.n_rows:,} "
                        "when it was opened; it must not change meanwhile"
                    )
                # In memory of its own: the next pieces may be read into that of this one.
                with noted(piece.place):
                    waiting.append(coerced(piece.values, row + there).copy())
            there_is = (join or joined)(waiting)
            waiting[:] = [there_is[n:]]
            row += n
            if row == rows.n_rows:
                next(pieces, None)  # to the end, where a file is checked once more
            return there_is[:n]

        yield take


def joined(parts: list[Array]) -> Array:
    """Put arrays together."""
    if len(parts) == 1:
        return parts[0]
    if len({part.dtype for part in parts}) > 1 and parts[0].dtype.kind in "iu":
        parts = [part.astype(np.int64) for part in parts]  # where numpy might make floats
    return np.concatenate(parts)


def rows_text(first_row: int, n_rows: int, place: str) -> str:
    """Spell a range of rows: their numbers are those in the file, or in whatever holds them."""
    return f"rows {first_row:,} to {first_row + n_rows - 1:,} of {place}"


def digest(array: Array) -> list[object]:
    """Tell the contents of an array from others."""
    from hashlib import blake2b

    hashed = blake2b(digest_size=16)
    step = max(1, (1 << 22) // max(array[:1].nbytes, 1))
    for start in range(0, len(array), step):
        hashed.update(np.ascontiguousarray(array[start : start + step]).view(np.uint8).data)
    return [array.dtype.str, list(array.shape), hashed.hexdigest()]
