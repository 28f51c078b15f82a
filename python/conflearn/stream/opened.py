"""`open_source`: find out what labels and matrix are, and where they lie."""

import glob
import os
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple, cast

from conflearn._coerce import as_labels, as_pred_probs, checked_columns, readable_again
from conflearn._coerce.labels import CheckedColumns
from conflearn._coerce.objects import is_a
from conflearn._names import Kind
from conflearn.errors import InputTypeError, ShapeError, SourceError
from conflearn.stream.archive import open_npz, open_safetensors
from conflearn.stream.arrow import (
    arrow_dataset,
    arrow_table,
    hugging_face_dataset,
    open_ipc,
    open_parquet,
)
from conflearn.stream.batches import BatchSource
from conflearn.stream.columns import Columns
from conflearn.stream.file import File
from conflearn.stream.frames import PandasFrame, PolarsFrame, PolarsQuery
from conflearn.stream.holder import Array, Holder, Names
from conflearn.stream.joined import JoinedSource, n_classes_of
from conflearn.stream.labels import HeldLabels, Labels, ReadLabels
from conflearn.stream.npy import open_npy
from conflearn.stream.rows import ArrayRows, Chain, Rows
from conflearn.stream.sliceable import SliceableRows, is_sliceable
from conflearn.stream.source import Source

__all__ = ["is_path", "is_source", "open_source"]


def _open_npy(file: File) -> Holder:
    rows = open_npy(file)
    return Array(rows, file.argument, rows.shape)


_FORMATS: dict[str, Callable[[File], Holder]] = {
    ".npy": _open_npy,
    ".npz": open_npz,
    ".safetensors": open_safetensors,
    ".parquet": open_parquet,
    ".pq": open_parquet,
    ".arrow": open_ipc,
    ".arrows": open_ipc,
    ".ipc": open_ipc,
    ".feather": open_ipc,
}

#: Tables that are scanned, and tables that lie in memory, where they may as well be read as they
#: are. Who reads what: the library, its class, and the function that knows it.
_SCANNED: tuple[tuple[str, str, Callable[[Any, str], Holder]], ...] = (
    ("polars", "LazyFrame", PolarsQuery),
    ("pyarrow.dataset", "Dataset", arrow_dataset),
    ("datasets", "Dataset", hugging_face_dataset),
)
_FRAMES: tuple[tuple[str, str, Callable[[Any, str], Holder]], ...] = (
    ("polars", "DataFrame", PolarsFrame),
    ("pandas", "DataFrame", PandasFrame),
    ("pyarrow", "Table", arrow_table),
    ("pyarrow", "RecordBatch", arrow_table),
)

#: What to do with files of other formats.
_ADVICE = {
    ".csv": "pass polars.scan_csv(path)",
    ".tsv": "pass polars.scan_csv(path, separator='\\t')",
    ".json": "pass polars.read_json(path)",
    ".jsonl": "pass polars.scan_ndjson(path)",
    ".pkl": "load it yourself if you trust it, and pass the array",
    ".pickle": "load it yourself if you trust it, and pass the array",
    ".pt": "load it with torch.load and pass the tensor, or save it as .safetensors",
    ".pth": "load it with torch.load and pass the tensor, or save it as .safetensors",
    ".zarr": "pass zarr.open_array(path, mode='r')",
    ".h5": "pass the dataset: h5py.File(path)['name']",
    ".hdf5": "pass the dataset: h5py.File(path)['name']",
    ".lance": "pass lance.dataset(path)",
}


class _Opened(NamedTuple):
    """What an argument holds, in the order of the rows, and which part of it was asked for."""

    holders: Sequence[Holder]
    names: Names


def open_source(
    labels: object,
    pred_probs: object,
    *,
    kind: Kind = "probabilities",
    classes: Iterable[Any] | None = None,
    in_memory_too: bool = False,
) -> Source | None:
    """Open labels and matrix that are to be read in blocks.

    Parameters
    ----------
    labels : object
        Labels in memory, of any kind that the other functions take; or a path, a list of paths or a
        glob; or an array of one dimension that gives rows when sliced; or `Columns`; or the name of
        a column of the table, or of an array in the file, that `pred_probs` is. None: that name is
        looked for; of batches, the labels are in them.
    pred_probs : object
        A path, a list of paths or a glob (each file has the next rows); an array of two dimensions
        that gives rows when sliced; a table or `Columns` of one; or an iterable of batches
        ``(labels, pred_probs)`` that can be iterated anew for each pass, or a function that returns
        an iterator over them.
    kind : {"probabilities", "logits", "scores"}
        What the cells are.
    classes : iterable of K names, optional
        What the columns of `pred_probs` stand for.
    in_memory_too : bool, default False
        Whether to make a source of what lies in memory, by lending slices.

    Returns
    -------
    Source or None
        None if both lie in memory.

    Raises
    ------
    SourceError
        If a file is missing, cut short, damaged or does not go with the others.
    InputError, InputTypeError
        If labels or matrix are not what conflearn reads.
    MissingDependencyError
        If the package that reads the file is not installed.
    """
    if labels is None and _is_iterated(pred_probs):
        _refuse_iterator(pred_probs)
        batches = cast("Iterable[Any]", pred_probs)
        return BatchSource(batches, kind, lambda n_classes: checked_columns(classes, n_classes))
    opened = _opened(pred_probs, "pred_probs", beside=labels is None or _is_name(labels))
    apart = _opened(labels, "labels") if opened is None or not _is_name(labels) else None
    if opened is None and apart is None and not in_memory_too:
        return None
    ahead = opened is not None or apart is not None
    if opened is None:
        matrix = as_pred_probs(pred_probs, kind=kind)
        opened = _Opened([Array(_in_memory(matrix), "pred_probs", matrix.shape)], None)
    return _joined(labels, opened, apart, kind, classes, ahead=ahead)


def is_source(value: object) -> bool:
    """Whether this argument is read in blocks, not in memory."""
    return (
        isinstance(value, Columns)
        or is_path(value)
        or (isinstance(value, list | tuple) and bool(value) and all(map(is_path, value)))
        or is_sliceable(value)
        or any(is_a(value, library, name) for library, name, _ in _SCANNED)
    )


def is_path(value: object) -> bool:
    """Whether this is the path of a file, or a glob, rather than a name or a number."""
    if isinstance(value, os.PathLike):
        return True
    return isinstance(value, str) and (
        Path(value).suffix.lower() in {*_FORMATS, *_ADVICE} or Path(value).is_file()
    )


# --- What the arguments are ----------------------------------------------------------------------


def _is_name(value: object) -> bool:
    return isinstance(value, str) and not is_path(value)


def _is_iterated(value: object) -> bool:
    """Whether, without labels, this can only be batches."""
    if isinstance(value, str | bytes | Columns) or is_source(value) or _is_table(value):
        return False
    if isinstance(value, list | tuple):
        return True
    return callable(value) or (isinstance(value, Iterable) and not hasattr(value, "shape"))


def _refuse_iterator(value: Any) -> None:
    if isinstance(value, Iterator):
        raise InputTypeError(
            f"pred_probs is an iterator ({type(value).__name__}), which gives its batches once, "
            "but they are needed for several passes; pass what makes it: the function itself, "
            "without calling it, or a list, a DataLoader, or an object whose __iter__ starts anew"
        )


def _is_table(value: object) -> bool:
    return any(is_a(value, library, name) for library, name, _ in _SCANNED + _FRAMES)


def _table(value: Any, argument: str, *, in_memory: bool) -> Holder | None:
    for library, name, read in _SCANNED + _FRAMES * in_memory:
        if is_a(value, library, name):
            return read(value, argument)
    return None


def _opened(value: Any, argument: str, *, beside: bool = False) -> _Opened | None:
    """Open what lies outside of memory; None for what lies in it."""
    names: Names = None
    named = isinstance(value, Columns)
    if isinstance(value, Columns):
        value, names = value.source, cast("Names", value.names)
    if isinstance(value, str | os.PathLike):
        if argument == "labels" and not named and not is_path(value):
            return None
        return _Opened([_open_file(path, argument) for path in _matching(value, argument)], names)
    if isinstance(value, list | tuple) and value and all(map(is_path, value)):
        paths = [path for item in value for path in _matching(item, argument)]
        return _Opened([_open_file(path, argument) for path in paths], names)
    if (table := _table(value, argument, in_memory=named or beside)) is not None:
        return _Opened([table], names)
    if is_sliceable(value):
        rows = SliceableRows(value, argument)
        return _Opened([Array(rows, argument, rows.shape)], names)
    if named:
        raise InputTypeError(
            f"{argument}: Columns of an object of type {type(value).__name__}; pass those of a "
            "path, a list of paths, a glob, a frame, or an Arrow table or dataset"
        )
    return None


# --- Files ---------------------------------------------------------------------------------------


def _matching(path: str | os.PathLike[str], argument: str) -> list[str]:
    """Return the path, or the files that a glob stands for: shard-2 before shard-10."""
    text = os.fsdecode(path)
    if "://" in text:
        raise SourceError(
            f"{argument}: {text} is an address; pass a path, or open it with the library that "
            "knows it, such as pyarrow.dataset.dataset(...)"
        )
    if not glob.has_magic(text) or Path(text).exists():
        return [text]
    # Not `Path.glob`, which takes no absolute pattern.
    found = [name for name in glob.glob(text, recursive=True) if Path(name).is_file()]  # noqa: PTH207
    if not found:
        raise SourceError(f"{argument}: no file matches {text!r}; check the folder and the pattern")
    return sorted(found, key=_natural)


def _natural(name: str) -> list[tuple[int, str]]:
    """Order numbers within names by their size."""
    parts = re.split(r"([0-9]+)", name)
    return [(int(part), "") if i % 2 else (0, part) for i, part in enumerate(parts)]


def _open_file(path: str, argument: str) -> Holder:
    suffix = Path(path).suffix.lower()
    if Path(path).is_dir():
        advice = _ADVICE.get(suffix, "pass its files, such as os.path.join(path, '*.npy')")
        raise SourceError(f"{argument}: {path} is a folder; {advice}")
    open_format = _FORMATS.get(suffix)
    if open_format is None:
        formats = ", ".join(_FORMATS)
        advice = _ADVICE.get(suffix, "convert it, or pass an array")
        raise SourceError(
            f"{argument}: {path} is of a format that conflearn does not read ({formats}); {advice}"
        )
    return open_format(File(path, argument))


# --- Putting together ----------------------------------------------------------------------------


def _in_memory(matrix: Any) -> ArrayRows:
    return ArrayRows(readable_again(matrix), "pred_probs")


def _joined(
    labels: Any,
    opened: _Opened,
    apart: _Opened | None,
    kind: Kind,
    classes: Iterable[Any] | None,
    *,
    ahead: bool,
) -> JoinedSource:
    """Find the matrix, then the labels that go with it."""
    wanted = labels if _is_name(labels) and apart is None else None
    is_beside = apart is None and (labels is None or wanted is not None)
    if is_beside and all(holder.is_table for holder in opened.holders):
        parts = [holder.cells(opened.names, holder.label_name(wanted)) for holder in opened.holders]
    else:
        parts = [holder.cells(opened.names) for holder in opened.holders]
    cells = _chained(parts, kind)
    n_classes = n_classes_of(cells, kind)
    columns = checked_columns(classes, n_classes)
    found: Labels | None
    if cells.has_labels:
        found = None
    elif is_beside:
        pairs = [
            (holder.column(wanted), part)
            for holder, part in zip(opened.holders, parts, strict=True)
        ]
        found = _read_labels(pairs, n_classes, columns)
    elif apart is not None:
        found = _read_labels(_aligned(apart, parts), n_classes, columns)
    else:
        given = as_labels(labels, n_classes, n_examples=cells.n_rows, classes=columns)
        found = HeldLabels(given)
    return JoinedSource(cells, found, kind=kind, columns=columns, ahead=ahead)


def _chained(parts: Sequence[Rows], kind: Kind) -> Rows:
    """Put shards together, which have as many columns each."""
    some = [part for part in parts if part.n_rows]
    if not some:
        raise ShapeError(
            f"pred_probs is empty: {parts[0].place} has no rows; it needs at least one"
        )
    first = n_classes_of(some[0], kind)
    for part in some[1:]:
        if (width := n_classes_of(part, kind)) != first:
            raise SourceError(
                f"pred_probs: {some[0].place} has {first} columns, but {part.place} has {width}; "
                "all files must have a column for each class"
            )
    return parts[0] if len(parts) == 1 else Chain(some)


def _aligned(apart: _Opened, parts: Sequence[Rows]) -> list[tuple[Rows, Rows]]:
    """Pair the files of labels with those of rows: one for all, or one for each."""
    columns = [holder.column(apart.names) for holder in apart.holders]
    if len(columns) == len(parts):
        return list(zip(columns, parts, strict=True))
    if len(columns) == 1:
        return [(columns[0], Chain(parts))]
    raise SourceError(
        f"labels: there are {len(columns)} files of labels, but {len(parts)} of pred_probs; pass "
        "one for each, in the same order, or one for all"
    )


def _read_labels(
    pairs: Sequence[tuple[Rows, Rows]], n_classes: int, columns: CheckedColumns | None
) -> ReadLabels:
    for column, rows in pairs:
        if column.n_rows != rows.n_rows:
            raise SourceError(
                f"labels: {column.place} has {column.n_rows:,} entries, but {rows.place} has "
                f"{rows.n_rows:,} rows; there must be one label for each row"
            )
    parts = [column for column, _ in pairs]
    return ReadLabels(parts[0] if len(parts) == 1 else Chain(parts), n_classes, columns)
