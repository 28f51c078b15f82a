"""Tags that are read in step with the rows of a matrix, and files of sparse matrices of them."""

import zipfile
from collections.abc import Generator, Iterator
from contextlib import closing, contextmanager
from typing import Any

import numpy as np
import numpy.lib.format as npy

from conflearn._coerce import TagRows, Tags, as_block, as_tags
from conflearn._coerce.labels import CheckedColumns
from conflearn._coerce.objects import Array
from conflearn.errors import LabelError, SourceError
from conflearn.sources.archive import Archive, arrays_of_npz, is_sparse
from conflearn.sources.file import File, failure, noted
from conflearn.sources.holder import Array as OneArray
from conflearn.sources.holder import Holder
from conflearn.sources.labels import Labels, Take
from conflearn.sources.rows import Piece, Rows, digest, rows_text
from conflearn.sources.source import rows_of

__all__ = ["HeldTags", "ReadTags", "as_tag_rows", "open_tags_npz", "tags_of"]

#: Bytes that the tags of an example take, or less.
_BYTES_OF_TAGS = 64


def as_tag_rows(
    labels: object, n_classes: int, n_examples: int | None, columns: CheckedColumns | None
) -> Any:
    """Coerce the tags of a block: an array of zeros and ones, or `TagRows`."""
    tags = as_tags(labels, n_classes, n_examples=n_examples, classes=columns)
    return TagRows(*tags) if isinstance(tags, tuple) else tags


def tags_of(labels: Any) -> Tags:
    """Return the tags of a block as the core reads them."""
    return labels.as_core if isinstance(labels, TagRows) else labels


class HeldTags(Labels):
    """Tags in memory, coerced already."""

    def __init__(self, tags: Tags) -> None:
        self._tags = TagRows(*tags) if isinstance(tags, tuple) else tags

    @contextmanager
    def taken(self, first_row: int) -> Iterator[Take]:
        """Lend slices."""
        row = first_row

        def take(n: int) -> Any:
            nonlocal row
            row += n
            return self._tags[row - n : row]

        yield take

    def identity(self) -> object:
        """Return digests."""
        tags = self._tags
        if isinstance(tags, TagRows):
            return [digest(tags.starts), digest(tags.classes)]
        return digest(tags)


class ReadTags(Labels):
    """Tags that are read with every pass: rows of zeros and ones, or a list for each row."""

    def __init__(self, rows: Rows, n_classes: int, columns: CheckedColumns | None) -> None:
        self._rows = rows
        self._n_classes = n_classes
        self._columns = columns

    @contextmanager
    def taken(self, first_row: int) -> Iterator[Take]:
        """Read pieces, and cut or join them."""
        waiting: list[Any] = []
        row = first_row
        at_a_time = rows_of(max(self._n_classes, _BYTES_OF_TAGS))
        with closing(self._rows.pieces(first_row, at_a_time)) as pieces:

            def take(n: int) -> Any:
                nonlocal row
                while (there := sum(map(len, waiting))) < n:
                    # Their own memory: what is read next may go over that of the piece.
                    piece = next(pieces)
                    with as_block(row + there), noted(piece.place):
                        waiting.append(_own(self._coerced(piece.values)))
                joined = _joined(waiting)
                waiting[:] = [joined[n:]]
                row += n
                return joined[:n]

            yield take
            # To the end, where a file is checked once more.
            if sum(map(len, waiting)) == 0 and row == self._rows.n_rows:
                next(pieces, None)

    @property
    def are_quick(self) -> bool:
        """They are made of what is read: lists, or zeros and ones."""
        return False

    def place_of(self, row: int) -> str:
        """Ask the rows."""
        return self._rows.place_of(row)

    def identity(self) -> object:
        """Return what tells the rows."""
        return self._rows.identity()

    def _coerced(self, values: Any) -> Any:
        return as_tag_rows(values, self._n_classes, None, self._columns)


def _own(tags: Any) -> Any:
    if isinstance(tags, TagRows):
        return TagRows(tags.starts, tags.classes.copy())
    return tags.copy()


def _joined(parts: list[Any]) -> Any:
    if len(parts) == 1:
        return parts[0]
    if not any(isinstance(part, TagRows) for part in parts):
        return np.concatenate(parts)
    if len(parts[0]) == 0:  # the rest of a piece, of which nothing is left
        return _joined(parts[1:])
    starts = [np.zeros(1, np.int64)]
    for part in parts:
        starts.append(starts[-1][-1] + part.starts[1:].astype(np.int64))
    return TagRows(np.concatenate(starts), np.concatenate([part.classes for part in parts]))


# --- Sparse matrices -----------------------------------------------------------------------------


def open_tags_npz(file: File) -> Holder:
    """Open arrays by name, or the sparse matrix that `scipy.sparse.save_npz` wrote."""
    arrays = arrays_of_npz(file)
    if not is_sparse(arrays):
        return Archive(file, arrays)
    form, shape = _read_small(file, "format"), _read_small(file, "shape")
    name = form.item().decode() if form.dtype.kind == "S" else str(form)
    if name != "csr" or shape.shape != (2,):
        raise file.error(
            f"holds a sparse matrix of the format {name!r}, which is not read by rows; save it in "
            "compressed rows: scipy.sparse.save_npz(path, tags.tocsr())"
        )
    rows = _SparseRows(file, int(shape[0]), int(shape[1]), arrays)
    return OneArray(rows, file.argument, (rows.n_rows, int(shape[1])))


def _read_small(file: File, name: str) -> Array:
    """Read a member of a few bytes."""
    try:
        with zipfile.ZipFile(file.path) as zipped, zipped.open(f"{name}.npy") as stream:
            array: Array = npy.read_array(stream, allow_pickle=False, max_header_size=10_000)
            return array
    except (zipfile.BadZipFile, KeyError, EOFError, OSError, ValueError) as error:
        raise failure(f"{file.name}[{name!r}]", file.argument, error) from error


class _SparseRows(Rows):
    """The rows of a matrix of zeros and ones in compressed rows (CSR)."""

    def __init__(self, file: File, n_rows: int, n_columns: int, arrays: Any) -> None:
        self._file = file
        self._starts, self._columns, self._cells = (
            arrays[name] for name in ("indptr", "indices", "data")
        )
        self._n_columns = n_columns
        self.n_rows = n_rows
        self.place = file.name
        lengths = [part.n_rows for part in (self._starts, self._columns, self._cells)]
        if lengths[0] != n_rows + 1 or lengths[1] != lengths[2]:
            raise file.error(
                f"holds a sparse matrix of {n_rows:,} rows with 'indptr', 'indices' and 'data' of "
                f"{lengths[0]:,}, {lengths[1]:,} and {lengths[2]:,} entries, which do not go "
                "together; make it anew"
            )

    def probe(self) -> Any:
        """Return a row of zeros: a file is not read for its dtype."""
        return np.zeros((1, self._n_columns), np.int8)

    def identity(self) -> object:
        """Return what tells the file."""
        return [*self._file.identity(), "sparse"]

    def pieces(self, first_row: int, most: int) -> Generator[Piece, None, None]:
        """Read where rows start, and what lies between."""
        most = min(most, self.n_rows)
        with closing(_Reader(self._starts, first_row, most + 1)) as starts:
            begin = int(starts.take(1)[0])
            reach = max(most, 1) * 8
            with (
                closing(_Reader(self._columns, begin, reach)) as columns,
                closing(_Reader(self._cells, begin, reach)) as cells,
            ):
                for row in range(first_row, self.n_rows, most):
                    n = min(most, self.n_rows - row)
                    ends = starts.take(n).astype(np.int64)
                    own = np.concatenate([[begin], ends])
                    if (np.diff(own) < 0).any() or own[-1] > self._columns.n_rows:
                        raise self._file.error(
                            f"['indptr'] does not ascend to the number of entries within rows "
                            f"{row:,} to {row + n - 1:,}; it is damaged, so make it anew"
                        )
                    n_cells = int(own[-1]) - begin
                    tags = self._tags(own - begin, columns.take(n_cells), cells.take(n_cells), row)
                    begin = int(own[-1])
                    yield Piece(tags, rows_text(row, n, self.place))

    def _tags(self, starts: Array, classes: Array, cells: Array, first_row: int) -> TagRows:
        """Leave out zeros that are stored."""
        if cells.dtype.kind not in "biuf":
            raise self._file.error(f"['data'] holds {cells.dtype.name}; save zeros and ones")
        given = cells == 1
        bad = np.flatnonzero(~given & (cells != 0))
        if len(bad):
            place = int(bad[0])
            row = first_row + int(np.searchsorted(starts, place, side="right")) - 1
            raise LabelError(
                "labels must hold 0 and 1, one row an example and one column a class, but "
                f"labels[{row}, {classes[place]}] is {cells[place]}; put 1 where the example has "
                "the tag, else 0"
            )
        kept = np.concatenate([[0], np.cumsum(given)])
        return TagRows(kept[starts], classes[given].astype(np.int64))


class _Reader:
    """Takes entries of a column, as many as are wanted each time."""

    def __init__(self, rows: Rows, first: int, at_a_time: int) -> None:
        self._pieces = rows.pieces(first, max(at_a_time, 1)) if first < rows.n_rows else None
        self._place = rows.place
        self._rest = np.empty(0, np.int64)

    def take(self, n: int) -> Array:
        """Return the next ones, in memory of their own."""
        parts, there = [self._rest], len(self._rest)
        while there < n:
            piece = None if self._pieces is None else next(self._pieces, None)
            if piece is None:
                raise SourceError(f"labels: {self._place} ends before its last row; make it anew")
            parts.append(piece.values.copy())
            there += len(parts[-1])
        joined = np.concatenate(parts[1:] if len(self._rest) == 0 and parts[1:] else parts)
        self._rest = joined[n:]
        return joined[:n]

    def close(self) -> None:
        """Let go of the file."""
        if self._pieces is not None:
            self._pieces.close()
