"""``labels`` of multi-label data: which tags each example has, in any of the forms they come in."""

import operator
from collections.abc import Hashable, Iterable, Sequence
from itertools import chain, repeat
from typing import Any, NoReturn, TypeAlias, cast

import numpy as np

from conflearn._coerce.column import Coded, read_column
from conflearn._coerce.labels import columns_by_name, refuse_unknown
from conflearn._coerce.objects import (
    Array,
    cell_name,
    first_true,
    is_a,
    is_missing,
    is_narrow,
    read_array,
    spelled,
)
from conflearn.errors import InputTypeError, LabelError, ShapeError

__all__ = ["TagRows", "Tags", "as_tags"]

#: Where the classes of each example start, and the classes; or an (N, K) array of zeros and ones.
Tags: TypeAlias = tuple[Array, Array] | Array

_INT64_END = 2**63


class TagRows:
    """The tags of some examples that are coerced already, and where the classes of each start."""

    def __init__(self, starts: Array, classes: Array) -> None:
        self.starts = starts
        self.classes = classes

    def __len__(self) -> int:
        return len(self.starts) - 1

    def __getitem__(self, rows: slice) -> "TagRows":
        first, last, _ = rows.indices(len(self))
        starts = self.starts[first : max(first, last) + 1]
        classes = self.classes[starts[0] : starts[-1]]
        return TagRows(starts - starts[0], classes)

    @property
    def as_core(self) -> tuple[Array, Array]:
        """As the core reads them."""
        return self.starts, self.classes


def as_tags(
    labels: object,
    n_classes: int,
    *,
    n_examples: int | None = None,
    classes: Iterable[Any] | None = None,
    name: str = "labels",
    columns_of: str = "pred_probs",
) -> Tags:
    """Return the tags of each example as the core reads them.

    A list (or a column) holds a list of classes for each example; they are numbers, or names that
    ``classes`` knows. An (N, K) array, frame or scipy sparse matrix holds 1 where the example has
    the tag. That numbers lie in 0..K-1, and cells are 0 or 1, is left for the core to check.
    """
    value: Any = labels
    if isinstance(value, TagRows):
        tags: Tags = value.as_core
        length, width = len(value), n_classes
    elif is_a(value, "scipy.sparse", "spmatrix", "sparray"):
        tags = _from_sparse(value, name)
        length, width = value.shape
    elif (lists := _from_arrow(value)) is not None:
        tags, length, width = lists, len(lists[0]) - 1, n_classes
    elif (rows := _rows_of(value)) is not None:
        tags = _from_rows(rows, n_classes, classes, name, columns_of)
        length, width = len(rows), n_classes
    else:
        tags = _from_table(value, name)
        length, width = tags.shape
    if n_examples is not None and length != n_examples:
        raise ShapeError(
            f"{name} has {length} entries, but {columns_of} has {n_examples} rows; "
            "there must be one list of tags, or one row, for each"
        )
    if width != n_classes:
        raise ShapeError(
            f"{name} must have a column for each of the {n_classes} classes of {columns_of}; its "
            f"shape is ({length}, {width})"
        )
    if length == 0:
        raise ShapeError(f"{name} is empty; it needs at least one entry")
    return tags


# --- A list of classes for each example ----------------------------------------------------------


def _from_arrow(value: Any) -> tuple[Array, Array] | None:
    """Read an Arrow column of lists of whole numbers, none of them missing; None of others."""
    if not is_a(value, "pyarrow", "ListArray", "LargeListArray", "ChunkedArray"):
        return None
    if is_a(value, "pyarrow", "ChunkedArray"):
        value = value.combine_chunks()
        if not is_a(value, "pyarrow", "ListArray", "LargeListArray"):
            return None
    numbers = value.flatten()
    if value.null_count or numbers.null_count or str(numbers.type) not in _WHOLE_IN_ARROW:
        return None
    starts = value.offsets.to_numpy(zero_copy_only=False).astype(np.int64)
    return starts - starts[0], numbers.to_numpy(zero_copy_only=False).astype(np.int64)


_WHOLE_IN_ARROW = frozenset(f"{sign}int{bits}" for sign in ("", "u") for bits in (8, 16, 32))
_WHOLE_IN_ARROW |= {"int64"}


def _rows_of(value: Any) -> Sequence[Any] | None:
    """Return what holds a list of classes for each example, or None if this is a table."""
    if is_a(value, "pandas", "Series") or is_a(value, "polars", "Series"):
        return cast("Sequence[Any]", value.to_list())
    if is_a(value, "pyarrow", "Array", "ChunkedArray"):
        return cast("Sequence[Any]", value.to_pylist())
    if type(value) is np.ndarray and value.ndim == 1 and value.dtype == object:
        return cast("Sequence[Any]", value.tolist())
    if isinstance(value, list | tuple):
        # A list of arrays of zeros and ones would be a table, but so is [[0, 1], [1, 0]]: a list
        # always holds lists of classes.
        return value
    return None


def _from_rows(
    rows: Sequence[Any],
    n_classes: int,
    classes: Iterable[Any] | None,
    name: str,
    columns_of: str,
) -> Tags:
    lists = rows
    if not set(map(type, rows)) <= {list, tuple}:  # which need no look at each
        for row, tags in enumerate(rows):
            if isinstance(tags, str | bytes) or not hasattr(tags, "__iter__"):
                _refuse_row(tags, row, name)
        lists = [tags if hasattr(tags, "__len__") else list(tags) for tags in rows]
    lengths = np.fromiter(map(len, lists), np.int64, len(lists))
    starts = np.zeros(len(lists) + 1, np.int64)
    np.cumsum(lengths, out=starts[1:])
    kinds = set(map(type, chain.from_iterable(lists)))
    if classes is not None:
        columns = columns_by_name(classes, n_classes, columns_of, "classes")
        # Numbers are columns already where the names are strings.
        if any(issubclass(kind, str) for kind in kinds) or not isinstance(next(iter(columns)), str):
            return starts, _looked_up(lists, columns, int(starts[-1]), name)
    if kinds & {bool, np.bool_}:
        _refuse_indicator(name)
    try:
        # `operator.index` takes whole numbers and nothing else.
        numbers = np.fromiter(map(operator.index, chain.from_iterable(lists)), np.int64)
    except (TypeError, OverflowError):
        numbers = _read_one_by_one(lists, n_classes, name, columns_of)
    if (
        n_classes > 2  # noqa: PLR2004 - as many as could hold 0 and 1 once each
        and len(numbers)
        and (lengths == n_classes).all()
        and numbers.min() >= 0
        and numbers.max() <= 1
    ):
        _refuse_indicator(name)
    return starts, numbers


def _refuse_indicator(name: str) -> NoReturn:
    raise LabelError(
        f"{name} is a list, and so must hold a list of the classes that each example has, but its "
        f"rows look like zeros and ones for each class; pass np.array({name})"
    )


def _looked_up(lists: Sequence[Any], columns: dict[Any, int], n: int, name: str) -> Array:
    try:
        found = np.fromiter(map(columns.get, chain.from_iterable(lists), repeat(-1)), np.int64, n)
    except TypeError:  # of what cannot be hashed, and so is no name
        for row, tags in enumerate(lists):
            for tag in tags:
                if not isinstance(tag, Hashable):
                    refuse_unknown(tag, row, columns, name, verb="holds")
        raise
    if n and found.min() < 0:
        for row, tags in enumerate(lists):
            for tag in tags:
                if columns.get(tag, -1) < 0:
                    refuse_unknown(tag, row, columns, name, verb="holds")
    return found


def _read_one_by_one(lists: Sequence[Any], n_classes: int, name: str, columns_of: str) -> Array:
    """Read whole numbers of any kind, such as 2.0, or name the first tag that is none."""
    numbers = []
    for row, tags in enumerate(lists):
        for tag in tags:
            if isinstance(tag, str | bytes):
                raise LabelError(
                    f"{name}[{row}] holds {spelled(tag)}, a name; pass classes=[...] with the "
                    f"{n_classes} names of the columns of {columns_of} in order"
                )
            if is_missing(tag):
                raise LabelError(
                    f"{name}[{row}] holds {spelled(tag)}, which is missing; leave it out"
                )
            try:
                number = int(tag)
            except (TypeError, ValueError, OverflowError):
                number = None
            if number is None or number != tag or not -_INT64_END <= number < _INT64_END:
                raise LabelError(
                    f"{name}[{row}] holds {spelled(tag)}, but must hold whole numbers, the columns "
                    f"of {columns_of}"
                )
            numbers.append(number)
    return np.array(numbers, dtype=np.int64)


def _refuse_row(tags: object, row: int, name: str) -> NoReturn:
    where = cell_name(name, (row,))
    if is_missing(tags):
        raise LabelError(
            f"{where} is missing ({spelled(tags)}); put an empty list there, or fill it"
        )
    raise InputTypeError(
        f"{where} is {spelled(tags)}, but must be a list of the classes that the example has; for "
        "labels with exactly one class use the functions of conflearn itself, or pass "
        f"[[label] for label in {name}]"
    )


# --- A table of zeros and ones -------------------------------------------------------------------


def _from_sparse(matrix: Any, name: str) -> Tags:
    """Read a scipy sparse matrix or array; cells that are there twice are added up, as it does."""
    rows = matrix.tocsr()
    if not rows.has_canonical_format:
        rows = rows.copy() if rows is matrix else rows
        rows.sum_duplicates()
    # Behind the cells there may be room for more, which scipy does not look at.
    n = rows.indptr[-1]
    data = np.asarray(rows.data)[:n]
    if data.dtype.kind in "biuf" and (data == 1).all():
        return _alike(rows.indptr, rows.indices[:n])
    if data.dtype.kind not in "biuf":
        _refuse_dtype(data.dtype, name)
    bad = first_true((data != 0) & (data != 1))
    if bad is not None:
        row = int(np.searchsorted(rows.indptr, bad, side="right")) - 1
        where = cell_name(name, (row, rows.indices[bad]))
        raise LabelError(
            f"{name} must hold 0 and 1, one row an example and one column a class, but {where} is "
            f"{spelled(data[bad])}; put 1 where the example has the tag, else 0"
        )
    rows = rows.copy() if rows is matrix else rows
    rows.eliminate_zeros()
    return _alike(rows.indptr, rows.indices)


def _alike(starts: Array, numbers: Array) -> Tags:
    """Return two contiguous arrays of int32, or of int64."""
    dtype = np.result_type(starts, numbers, np.int32)
    return np.ascontiguousarray(starts, dtype), np.ascontiguousarray(numbers, dtype)


def _from_table(value: Any, name: str) -> Array:
    """Read an array or frame with a column for each class."""
    columns: list[Any] | None = None
    if is_a(value, "pandas", "DataFrame"):
        columns = [value.iloc[:, column] for column in range(value.shape[1])]
    elif is_a(value, "polars", "DataFrame"):
        columns = value.get_columns()
    elif is_a(value, "pyarrow", "Table", "RecordBatch"):
        columns = value.columns
    if columns:
        numbered = enumerate(columns)
        read = [read_column(column, f"{name}[:, {j}]", LabelError) for j, column in numbered]
        if any(isinstance(column, Coded) for column in read):
            _refuse_dtype("string or category", name)
        array = np.stack(cast("list[Array]", read), axis=1)
    else:
        array, _ = read_array(value, name, LabelError)
    if array.ndim != 2:  # noqa: PLR2004 - rows and columns
        raise ShapeError(
            f"{name} must be a list with a list of classes for each example, or have two "
            "dimensions, with a row for each example and a column for each class; its shape is "
            f"{array.shape}"
        )
    dtype = array.dtype
    if dtype.kind == "O":
        return _from_objects(array, name)
    if is_narrow(dtype) or dtype.char == "g":
        return array.astype(np.float64)
    if dtype.kind not in "biuf":
        _refuse_dtype(dtype, name)
    return array if dtype.isnative else array.astype(dtype.newbyteorder("="))


def _from_objects(array: Array, name: str) -> Array:
    for index, cell in np.ndenumerate(array):
        if is_missing(cell) or isinstance(cell, str) or cell not in (0, 1):
            raise LabelError(
                f"{name} must hold 0 and 1, one row an example and one column a class, but "
                f"{cell_name(name, index)} is {spelled(cell)}; put 1 where the example has the "
                "tag, else 0"
            )
    return array.astype(np.uint8)


def _refuse_dtype(dtype: object, name: str) -> NoReturn:
    raise InputTypeError(
        f"{name} has the dtype {dtype}, but must hold 0 and 1, one row an example and one column a "
        "class; or pass a list of classes for each example"
    )
