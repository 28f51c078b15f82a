"""Matrices out of tables: frames of pandas and polars, Arrow tables, columns of lists.

Each library lends its memory without a copy in some cases: pandas when all columns are one block,
polars and Arrow when the columns lie at equal distances, a column of lists when the lists are
equally long and in one chunk. Otherwise the copy is announced.
"""

import math
import sys
from collections.abc import Iterable
from typing import Any, NoReturn

import numpy as np

from conflearn._coerce.copies import announce_copy
from conflearn._coerce.objects import Array, cell_name, unequal_rows
from conflearn.errors import InputTypeError, ProbabilityError

__all__ = ["read_arrow", "read_arrow_lists", "read_pandas", "read_polars", "read_polars_lists"]

_APART = "its columns do not lie side by side in memory"

# --- pandas --------------------------------------------------------------------------------------


def read_pandas(frame: Any, name: str) -> Array:
    """Read a DataFrame whose columns are the classes."""
    remedy = f"pass {name}.to_numpy(), made once"
    array: Array
    if all(isinstance(dtype, np.dtype) for dtype in frame.dtypes):
        array = frame.to_numpy()
        lent = frame.size and np.may_share_memory(array, frame.iloc[:, 0].to_numpy())
        if not lent and array.dtype.kind != "O":
            announce_copy(name, array.nbytes, _APART, remedy)
        return array
    for column, label in enumerate(frame.columns):
        _refuse_missing(frame.iloc[:, column].isna().to_numpy(), name, column, label)
    # Nullable and Arrow columns know the numpy dtype of their values; strings and categories, none.
    target = _common_float(
        dtype if isinstance(dtype, np.dtype) else getattr(dtype, "numpy_dtype", object)
        for dtype in frame.dtypes
    )
    if target.kind != "O":
        announce_copy(name, frame.size * target.itemsize, "its columns are not numpy's", remedy)
    array = frame.to_numpy(dtype=target)
    return array


# --- polars --------------------------------------------------------------------------------------


def read_polars(frame: Any, name: str) -> Array:
    """Read a DataFrame whose columns are the classes."""
    polars = sys.modules["polars"]
    array: Array
    if not frame.width:  # polars 1.0 finds nothing to concatenate
        return np.empty((0, 0))
    try:
        array = frame.to_numpy(allow_copy=False)
    except RuntimeError:
        for column, series in enumerate(frame.get_columns()):
            _refuse_missing(_polars_nulls(series), name, column, series.name)
            if not series.dtype.is_numeric() and series.dtype != polars.Boolean:
                _refuse_column(series.dtype, name, column, series.name)
        size = frame.height * frame.width * frame.head(0).to_numpy().itemsize
        announce_copy(name, size, _APART, f"pass {name}.to_numpy(), made once")
        array = frame.to_numpy()
    return array


def read_polars_lists(series: Any, name: str) -> Array:
    """Read a Series that holds a list of probabilities for each example."""
    polars = sys.modules["polars"]
    _refuse_missing(_polars_nulls(series), name)
    if series.dtype == polars.List:
        width = _common_width(series.list.len().to_numpy(), name)
        if not width:  # polars 1.0 panics on arrays of no width
            return np.empty((len(series), 0))
        series = series.list.to_array(width)
    array: Array
    try:
        array = series.to_numpy(allow_copy=False)
    except RuntimeError:
        none: Array = series.head(0).to_numpy()
        if series.dtype == polars.Array:
            nulls = series.explode().is_null().to_numpy()
            _refuse_missing(nulls.reshape(len(series), *none.shape[1:]), name)
        if none.dtype.kind != "O":
            size = len(series) * math.prod(none.shape[1:]) * none.itemsize
            remedy = f"pass {name}.to_numpy(), made once"
            announce_copy(name, size, "its memory cannot be lent as one piece", remedy)
        array = series.to_numpy()
    return array


def _polars_nulls(series: Any) -> Array | None:
    nulls: Array | None = series.is_null().to_numpy() if series.null_count() else None
    return nulls


# --- pyarrow -------------------------------------------------------------------------------------


def read_arrow(table: Any, name: str) -> Array:
    """Read a Table or RecordBatch whose columns are the classes."""
    columns = []
    for column, (label, data) in enumerate(zip(table.schema.names, table.columns, strict=True)):
        _refuse_missing(_arrow_nulls(data), name, column, label)
        if not _holds_numbers(data.type):
            _refuse_column(data.type, name, column, label)
        columns.append([chunk.to_numpy(zero_copy_only=False) for chunk in _arrow_chunks(data)])
    array = _side_by_side(columns)
    if array is None:
        target = _common_float(data.type.to_pandas_dtype() for data in table.columns)
        size = table.num_rows * len(columns) * target.itemsize
        remedy = "keep the probabilities in one column of fixed-size lists, or in one numpy array"
        announce_copy(name, size, _APART, remedy)
        array = np.empty((table.num_rows, len(columns)), target, order="F")
        for chunks, into in zip(columns, array.T, strict=True):
            np.concatenate(chunks or [into], out=into, casting="same_kind")
    return array


def read_arrow_lists(data: Any, name: str) -> Array:
    """Read an Array or ChunkedArray that holds a list of probabilities for each example."""
    pyarrow = sys.modules["pyarrow"]
    _refuse_missing(_arrow_nulls(data), name)
    chunks, kind = _arrow_chunks(data), data.type
    if isinstance(kind, pyarrow.BaseExtensionType):  # such as pyarrow.FixedShapeTensorType
        chunks, kind = [chunk.storage for chunk in chunks], kind.storage_type
    if pyarrow.types.is_fixed_size_list(kind):
        width = kind.list_size
    elif pyarrow.types.is_list(kind) or pyarrow.types.is_large_list(kind):
        widths = [np.diff(chunk.offsets.to_numpy()) for chunk in chunks]
        width = _common_width(np.concatenate(widths) if widths else np.empty(0, int), name)
    else:
        return np.asarray(data)
    if not _holds_numbers(kind.value_type):
        raise InputTypeError(f"{name} holds {kind}, but must hold lists of numbers; cast it first")
    parts: list[Array] = []
    row = 0
    for chunk in chunks:
        cells = chunk.flatten()  # of this slice alone, unlike `values`
        nulls = _arrow_nulls(cells)
        if nulls is not None:
            _refuse_missing(nulls.reshape(-1, width), name, first_row=row)
        parts.append(cells.to_numpy(zero_copy_only=False).reshape(len(chunk), width))
        row += len(chunk)
    if len(parts) > 1:
        size = sum(part.nbytes for part in parts)
        remedy = f"pass {name}.combine_chunks(), made once"
        announce_copy(name, size, "it lies in several chunks", remedy)
        parts = [np.concatenate(parts)]
    return parts[0] if parts else np.empty((0, width))


def _arrow_chunks(data: Any) -> list[Any]:
    chunks: list[Any] = getattr(data, "chunks", [data])
    return chunks


def _arrow_nulls(data: Any) -> Array | None:
    return np.asarray(data.is_null()) if data.null_count else None


def _holds_numbers(kind: Any) -> bool:
    types = sys.modules["pyarrow"].types
    return any(test(kind) for test in (types.is_floating, types.is_integer, types.is_boolean))


class _Strided:
    """Columns at equal distances, presented to numpy as one matrix that keeps them all alive."""

    def __init__(self, columns: list[Array], distance: int = 0) -> None:
        first = columns[0]
        self.columns = columns
        self.__array_interface__ = first.__array_interface__ | {
            "shape": (len(first), len(columns)),
            "strides": (first.strides[0], distance),
        }


def _side_by_side(columns: list[list[Array]]) -> Array | None:
    """See the columns as one matrix if they lie so, as those of a memory-mapped Arrow file do."""
    if not columns or any(len(chunks) != 1 for chunks in columns):
        return None
    whole = [chunks[0] for chunks in columns]
    starts = [column.__array_interface__["data"][0] for column in whole]
    distances = set(np.diff(starts).tolist())
    if len(distances) > 1 or len({column.dtype for column in whole}) > 1:
        return None
    return np.asarray(_Strided(whole, *distances))


# --- What tables can have wrong ------------------------------------------------------------------


def _common_float(dtypes: Iterable[Any]) -> np.dtype[Any]:
    """Return the narrowest float that holds all columns, or object if some hold no numbers."""
    known = [np.dtype(dtype) for dtype in dtypes]
    if any(dtype.kind not in "biuf" for dtype in known):
        return np.dtype(object)
    return np.result_type(np.float16, *known)


def _common_width(widths: Array, name: str) -> int:
    if not len(widths):
        return 0
    if (different := widths != widths[0]).any():
        row = int(different.argmax())
        raise unequal_rows(name, row, widths[0], widths[row])
    return int(widths[0])


def _refuse_missing(
    nulls: Array | None,
    name: str,
    column: int | None = None,
    label: object = None,
    *,
    first_row: int = 0,
) -> None:
    """Refuse the first null, of one column or of a whole matrix."""
    if nulls is None or not nulls.any():
        return
    row, *rest = map(int, np.unravel_index(nulls.argmax(), nulls.shape))
    columns = rest or ([] if column is None else [column])
    where = cell_name(name, (first_row + row, *columns))
    if label is not None:
        where += f" (column {label!r})"
    raise ProbabilityError(f"{where} is missing; fill it, or leave the row out")


def _refuse_column(kind: object, name: str, column: int, label: object) -> NoReturn:
    raise InputTypeError(
        f"{name}[:, {column}] (column {label!r}) has the type {kind}, but every column must hold "
        "numbers, the probabilities of one class; leave it out, or convert it"
    )
