"""What labels and masks share: one value for each example, out of whatever holds them."""

import sys
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from conflearn._coerce.objects import Array, cell_name, is_a, read_array, read_sequence
from conflearn.errors import InputError, InputTypeError

__all__ = ["Coded", "read_column"]


class Coded(NamedTuple):
    """Categories: ``names[code]`` is the value of an example."""

    codes: Array
    names: list[Any]


def read_column(value: Any, name: str, missing: type[InputError]) -> Array | Coded:
    """Read a column, or a table, as an array of whatever shape and dtype it has.

    Strings and categories come as codes where the library keeps or makes them itself, which is
    many times faster than a look at each string. ``missing`` is the error for nulls.
    """
    if isinstance(value, list | tuple | range):
        return read_sequence(value, name)
    value = _only_column(value)
    for library, classes, read in _READERS:
        if is_a(value, library, *classes):
            return read(value, name, missing)
    return read_array(value, name, missing)[0]


def _only_column(value: Any) -> Any:
    """Take the column out of a table that has but one."""
    if is_a(value, "pandas", "DataFrame") and value.shape[1] == 1:
        return value.iloc[:, 0]
    if is_a(value, "polars", "DataFrame") and value.width == 1:
        return value.to_series()
    if is_a(value, "pyarrow", "Table", "RecordBatch") and value.num_columns == 1:
        return value.column(0)
    return value


def _from_pandas(column: Any, name: str, missing: type[InputError]) -> Array | Coded:
    pandas: Any = sys.modules["pandas"]
    if isinstance(column, pandas.MultiIndex):
        raise InputTypeError(
            f"{name} is a pandas MultiIndex, which holds several values for each example; pass "
            f"one of its levels, such as {name}.get_level_values(0)"
        )
    series = pandas.Series(column, copy=False)
    dtype = series.dtype
    if isinstance(dtype, np.dtype):
        return np.asarray(series.to_numpy())
    _refuse_missing(series.isna(), name, missing)
    if isinstance(dtype, pandas.CategoricalDtype):
        return Coded(series.cat.codes.to_numpy(), series.cat.categories.tolist())
    if pandas.api.types.is_string_dtype(dtype):
        codes, names = pandas.factorize(series)
        return Coded(codes, names.tolist())
    return np.asarray(series.to_numpy(dtype=getattr(dtype, "numpy_dtype", None)))


def _from_polars(series: Any, name: str, missing: type[InputError]) -> Array | Coded:
    polars = sys.modules["polars"]
    if series.dtype == polars.Struct:
        raise InputTypeError(
            f"{name} is a polars column of the type {series.dtype}, which holds several values "
            f"for each example; pass one of its fields, such as {name}.struct.field(...)"
        )
    _refuse_missing(series.is_null(), name, missing)
    if series.dtype == polars.String:
        series = series.cast(polars.Categorical)
    if series.dtype not in (polars.Categorical, polars.Enum):
        return np.asarray(series.to_numpy())
    # The codes of a Categorical may have gaps: other columns share its categories.
    seen = series.unique()
    codes = seen.to_physical().to_list()
    names = [None] * (max(codes, default=-1) + 1)
    for code, text in zip(codes, seen.cast(polars.String).to_list(), strict=True):
        names[code] = text
    return Coded(series.to_physical().to_numpy(), names)


def _from_arrow(data: Any, name: str, missing: type[InputError]) -> Array | Coded:
    pyarrow = sys.modules["pyarrow"]
    if data.null_count:
        _refuse_missing(data.is_null(), name, missing)
    if str(data.type) in {"string", "large_string", "string_view"}:
        data = data.dictionary_encode()
    if not pyarrow.types.is_dictionary(data.type):
        return np.asarray(data.to_numpy(zero_copy_only=False))
    if isinstance(data, pyarrow.ChunkedArray):
        data = data.unify_dictionaries().combine_chunks()
    return Coded(data.indices.to_numpy(), data.dictionary.to_pylist())


def _refuse_missing(nulls: Any, name: str, missing: type[InputError]) -> None:
    mask = np.asarray(nulls)
    if mask.any():
        where = cell_name(name, (mask.argmax(),))
        raise missing(f"{where} is missing; fill it, or leave the row out")


_READERS: tuple[
    tuple[str, tuple[str, ...], Callable[[Any, str, type[InputError]], Array | Coded]], ...
] = (
    ("pandas", ("Series", "Index"), _from_pandas),
    ("pandas.api.extensions", ("ExtensionArray",), _from_pandas),
    ("polars", ("Series",), _from_polars),
    ("pyarrow", ("Array", "ChunkedArray"), _from_arrow),
)
