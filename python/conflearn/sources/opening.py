"""Opening what labels and matrix are, and putting it together."""

import glob
import os
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple, TypeAlias, TypeVar, cast

import numpy as np

from conflearn._coerce import as_labels, as_tags, checked_columns
from conflearn._coerce.labels import CheckedColumns
from conflearn._coerce.objects import is_a
from conflearn._names import Kind
from conflearn.errors import InputTypeError, ShapeError, SourceError
from conflearn.sources.archive import open_npz, open_safetensors
from conflearn.sources.arrow import (
    arrow_dataset,
    arrow_table,
    hugging_face_dataset,
    open_ipc,
    open_parquet,
)
from conflearn.sources.batches import BatchSource
from conflearn.sources.cells import as_sliceable
from conflearn.sources.columns import Columns
from conflearn.sources.file import File
from conflearn.sources.frames import PandasFrame, PolarsFrame, PolarsQuery
from conflearn.sources.holder import Array, Holder, Names
from conflearn.sources.joined import JoinedSource, n_classes_of
from conflearn.sources.labels import HeldLabels, Labels, ReadLabels
from conflearn.sources.npy import open_npy
from conflearn.sources.opened import is_name, is_path, is_sliceable, is_source, is_top_k
from conflearn.sources.rows import ArrayRows, Chain, Rows
from conflearn.sources.sliceable import SliceableRows
from conflearn.sources.tables import Table
from conflearn.sources.tag_batches import TagBatchSource
from conflearn.sources.tags import HeldTags, ReadTags, open_tags_npz
from conflearn.sources.topk import TopKHolder, TopKRows

__all__ = ["batches_source", "joined_source"]


def _open_npy(file: File) -> Holder:
    rows = open_npy(file)
    return Array(rows, file.argument, rows.shape)


Formats: TypeAlias = Mapping[str, Callable[[File], Holder]]

_FORMATS: Formats = {
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

#: Of tags: a sparse matrix has them too.
_TAG_FORMATS: Formats = {**_FORMATS, ".npz": open_tags_npz}

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
    ".txt": "pass numpy.loadtxt(path), or numpy.loadtxt(path, dtype=str) for names",
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

Found = TypeVar("Found", bound=Names)


class _Opened(NamedTuple):
    """What an argument holds, in the order of the rows, and which part of it was asked for."""

    holders: Sequence[Holder]
    names: Names


def batches_source(
    batches: Any, kind: Kind, classes: Iterable[Any] | None, *, of_tags: bool = False
) -> BatchSource | TagBatchSource:
    """Make a source of batches that hold their labels."""
    if of_tags:
        return TagBatchSource(batches, kind, lambda n_classes: checked_columns(classes, n_classes))
    return BatchSource(batches, kind, lambda n_classes: checked_columns(classes, n_classes))


def joined_source(
    labels: Any,
    pred_probs: Any,
    kind: Kind,
    classes: Iterable[Any] | None,
    *,
    of_tags: bool = False,
) -> JoinedSource:
    """Make a source of a matrix and labels, wherever each of them lies."""
    if isinstance(classes, Iterator):
        classes = list(classes)  # they are gone through more than once
    is_beside = labels is None or is_name(labels)
    opened = _opened(pred_probs, "pred_probs", in_memory=is_beside)
    formats = _TAG_FORMATS if of_tags else _FORMATS
    apart = None if opened is not None and is_beside else _opened(labels, "labels", formats)
    ahead = opened is not None or apart is not None
    if opened is None:
        matrix = as_sliceable(pred_probs, kind, of_tags=of_tags)
        rows = ArrayRows(matrix, "pred_probs")
        opened = _Opened([Array(rows, "pred_probs", matrix.shape)], None)
    elif is_beside and apart is None:
        return _beside(labels, opened, kind, classes, of_tags=of_tags)
    parts = _cells(opened, None, classes)
    cells = _chained(parts, kind, of_tags=of_tags)
    n_classes = n_classes_of(cells, kind, of_tags=of_tags)
    columns = checked_columns(classes, n_classes)
    if apart is not None:
        pairs = _aligned(apart, parts, of_tags=of_tags)
        found: Labels = _read_labels(pairs, n_classes, columns, of_tags=of_tags)
    elif of_tags:
        found = HeldTags(as_tags(labels, n_classes, n_examples=cells.n_rows, classes=columns))
    else:
        given = as_labels(labels, n_classes, n_examples=cells.n_rows, classes=columns)
        found = HeldLabels(given)
    return JoinedSource(cells, found, kind=kind, columns=columns, ahead=ahead, of_tags=of_tags)


def _beside(
    name: str | None,
    opened: _Opened,
    kind: Kind,
    classes: Iterable[Any] | None,
    *,
    of_tags: bool,
) -> JoinedSource:
    """Find the labels in the same files, or the same table, as the matrix."""
    names = _agreed(opened.holders, lambda holder: holder.label_name(name), "labels")
    if all(holder.is_table for holder in opened.holders):
        tables = _cells(opened, names[0], classes, beside=True)
        cells = _chained(tables, kind, of_tags=of_tags)
        columns = checked_columns(classes, n_classes_of(cells, kind, of_tags=of_tags))
        return JoinedSource(cells, None, kind=kind, columns=columns, of_tags=of_tags)
    parts = _cells(opened, names[0], classes)
    cells = _chained(parts, kind, of_tags=of_tags)
    n_classes = n_classes_of(cells, kind, of_tags=of_tags)
    columns = checked_columns(classes, n_classes)
    labels = [holder.column(label) for holder, label in zip(opened.holders, names, strict=True)]
    pairs = list(zip(labels, parts, strict=True))
    found = _read_labels(pairs, n_classes, columns, of_tags=of_tags)
    return JoinedSource(cells, found, kind=kind, columns=columns, of_tags=of_tags)


def _cells(
    opened: _Opened, label: str | None, classes: Iterable[Any] | None, *, beside: bool = False
) -> list[Rows]:
    """Find the matrix in each file, and where wanted the labels together with it."""
    texts = None if classes is None else [str(name) for name in classes]

    def names_of(holder: Holder) -> Names:
        return holder.cell_names(opened.names, label, texts)

    names = _agreed(opened.holders, names_of, "pred_probs")
    tables = [holder for holder in opened.holders if isinstance(holder, Table)]
    if opened.names is None:
        for table in tables:
            table.refuse_other_cells(_first(tables), names[opened.holders.index(table)], texts)
    pairs = zip(opened.holders, names, strict=True)
    return [holder.cells(own, label if beside else None) for holder, own in pairs]


def _agreed(
    holders: Sequence[Holder], names_of: Callable[[Holder], Found], argument: str
) -> list[Found]:
    """Find what is wanted in each holder, but of tables in the first one only.

    Were it looked for in each table anew, columns in another order would be other classes.
    """
    tables = [holder for holder in holders if isinstance(holder, Table)]
    if not tables:
        return [names_of(holder) for holder in holders]
    first = _first(tables)
    found = names_of(first)
    for table in tables:
        table.refuse_missing(first, found, argument)
    return [found if isinstance(holder, Table) else names_of(holder) for holder in holders]


def _first(tables: Sequence[Table]) -> Table:
    """Return the first one with rows: one without any may have columns of no type."""
    return next((table for table in tables if table.n_rows), tables[0])


# --- What an argument holds ----------------------------------------------------------------------


def _opened(
    value: Any, argument: str, formats: Formats = _FORMATS, *, in_memory: bool = False
) -> _Opened | None:
    """Open what lies outside of memory, and also frames if wanted; None for what lies in it."""
    names: Names = None
    named = isinstance(value, Columns)
    if isinstance(value, Columns):
        value, names = value.source, cast("Names", value.names)
    if isinstance(value, str | os.PathLike):
        if argument == "labels" and not named and is_name(value):
            return None
        paths = _matching(value, argument)
        return _Opened([_open_file(path, argument, formats) for path in paths], names)
    if isinstance(value, list | tuple) and value and all(map(is_path, value)):
        paths = [path for item in value for path in _matching(item, argument)]
        return _Opened([_open_file(path, argument, formats) for path in paths], names)
    if (table := _table(value, argument, in_memory=named or in_memory)) is not None:
        return _Opened([table], names)
    if is_sliceable(value):
        rows = SliceableRows(value, argument)
        return _Opened([Array(rows, argument, rows.shape)], names)
    if is_top_k(value) and is_source(value):
        classes, _ = _member(value.classes, "classes")
        values, tables = _member(value.values, "values")
        return _Opened(
            [TopKHolder(TopKRows(value, classes, values), value.n_classes, tables)], None
        )
    if named:
        raise InputTypeError(
            f"{argument}: Columns of an object of type {type(value).__name__}; pass those of a "
            "path, a list of paths, a glob, a frame, or an Arrow table or dataset"
        )
    return None


def _member(value: Any, name: str) -> tuple[Rows, Sequence[Holder]]:
    """Open the rows of classes, or of values, of a `TopK`, and the tables that they lie in."""
    opened = _opened(value, f"pred_probs.{name}")
    if opened is None:
        return ArrayRows(np.asarray(value), f"pred_probs.{name}"), ()
    parts = _cells(opened, None, None)
    tables = [holder for holder in opened.holders if not isinstance(holder, Array)]
    return parts[0] if len(parts) == 1 else Chain(parts), tables


def _table(value: Any, argument: str, *, in_memory: bool) -> Holder | None:
    for library, name, read in _SCANNED + _FRAMES * in_memory:
        if is_a(value, library, name):
            return read(value, argument)
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
    text = str(Path(text).expanduser()) if text.startswith("~") else text
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


def _open_file(path: str, argument: str, known: Formats) -> Holder:
    suffix = Path(path).suffix.lower()
    if Path(path).is_dir():
        advice = _ADVICE.get(suffix, "pass its files, such as os.path.join(path, '*.npy')")
        raise SourceError(f"{argument}: {path} is a folder; {advice}")
    open_format = known.get(suffix)
    if open_format is None:
        formats = ", ".join(known)
        advice = _ADVICE.get(suffix, "convert it, or pass an array")
        raise SourceError(
            f"{argument}: {path} is of a format that conflearn does not read ({formats}); {advice}"
        )
    return open_format(File(path, argument))


# --- Shards --------------------------------------------------------------------------------------


def _chained(parts: Sequence[Rows], kind: Kind, *, of_tags: bool = False) -> Rows:
    """Put shards together, which have as many columns each."""
    some = [part for part in parts if part.n_rows]
    if not some:
        raise ShapeError(
            f"pred_probs is empty: {parts[0].place} has no rows; it needs at least one"
        )
    first = n_classes_of(some[0], kind, of_tags=of_tags)
    for part in some[1:]:
        if (width := n_classes_of(part, kind, of_tags=of_tags)) != first:
            raise SourceError(
                f"pred_probs: {some[0].place} has {first} columns, but {part.place} has {width}; "
                "all files must have a column for each class"
            )
    return parts[0] if len(parts) == 1 else Chain(some)


def _aligned(apart: _Opened, parts: Sequence[Rows], *, of_tags: bool) -> list[tuple[Rows, Rows]]:
    """Pair the files of labels with those of rows: one for all, or one for each."""
    columns = _columns(apart, of_tags=of_tags)
    if len(columns) == len(parts):
        return list(zip(columns, parts, strict=True))
    if len(columns) == 1:
        return [(columns[0], Chain(parts))]
    raise SourceError(
        f"labels: there are {len(columns)} files of labels, but {len(parts)} of pred_probs; pass "
        "one for each, in the same order, or one for all"
    )


def _columns(apart: _Opened, *, of_tags: bool) -> list[Rows]:
    """Find labels, or of tags several columns, one a class."""
    if of_tags and isinstance(apart.names, tuple) and len(apart.names) > 1:
        return _cells(apart, None, None)
    names = _agreed(apart.holders, lambda holder: holder.column_name(apart.names), "labels")
    return [holder.column(own) for holder, own in zip(apart.holders, names, strict=True)]


def _read_labels(
    pairs: Sequence[tuple[Rows, Rows]],
    n_classes: int,
    columns: CheckedColumns | None,
    *,
    of_tags: bool,
) -> Labels:
    for column, rows in pairs:
        if column.n_rows != rows.n_rows:
            raise SourceError(
                f"labels: {column.place} has {column.n_rows:,} entries, but {rows.place} has "
                f"{rows.n_rows:,} rows; there must be one label for each row"
            )
    parts = [column for column, _ in pairs]
    joined = parts[0] if len(parts) == 1 else Chain(parts)
    read = ReadTags if of_tags else ReadLabels
    return read(joined, n_classes, columns)
