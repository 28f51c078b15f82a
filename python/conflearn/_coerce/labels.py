"""``labels``: any column that says which class each example was given, as whole numbers."""

from collections.abc import Iterable, Iterator, Mapping
from collections.abc import Set as AbstractSet
from difflib import get_close_matches
from itertools import repeat
from numbers import Integral
from typing import Any, NamedTuple, NoReturn, TypeAlias

import numpy as np

from conflearn._coerce.column import Coded, read_column
from conflearn._coerce.objects import (
    Array,
    cell_name,
    first_true,
    is_missing,
    is_nan,
    is_narrow,
    is_real,
    spelled,
)
from conflearn.errors import InputTypeError, LabelError, OptionError, ShapeError

__all__ = [
    "NamedLabels",
    "as_class_names",
    "as_labels",
    "as_named_labels",
    "checked_columns",
    "columns_by_name",
    "first_out_of_range",
    "refuse_unknown",
]

#: The class names, and the column of ``pred_probs`` that each one stands for.
Columns: TypeAlias = dict[Any, int]


class CheckedColumns(Columns):
    """The same, found to be fine: the labels of many blocks are looked up in one."""


# Look-ups go by blocks, so that no more labels than this are Python objects at a time.
_BLOCK = 1 << 16

_INT64_END = 2.0**63
_BOOLS = 2  # as many classes as bools can tell apart
_SHOWN = 5  # class names that a message gives

#: Where labels are refused that are fine as tags.
_FOR_TAGS = "For examples with any number of tags there is conflearn.multilabel"


class NamedLabels(NamedTuple):
    """Labels of whatever sort: ``classes[codes]`` are the labels again, classes ascending."""

    classes: Array
    codes: Array


def as_named_labels(labels: object, *, name: str) -> NamedLabels:
    """Return the classes that labels hold, and for each example the number of its own among them.

    Where `as_labels` is told what there is, this finds out: names and numbers need not start at 0
    or be without gaps.
    """
    values = _one_dimension(_read(labels, name), name)
    _check_length(values, None, name)
    if isinstance(values, Coded):
        present, positions = np.unique(values.codes, return_inverse=True)
        of_names = as_named_labels([values.names[code] for code in present], name=name)
        return NamedLabels(of_names.classes, of_names.codes[positions])
    if values.dtype == object:
        values = _numbers_or_strings(values, name)
    if values.dtype.kind in "UTO":
        names = sorted({text for block in _cells(values) for text in block})
        columns = {text: number for number, text in enumerate(names)}
        return NamedLabels(
            np.array(names), _look_up(values, columns, name, "classes").astype(np.int64)
        )
    if values.dtype.kind == "f":
        row = first_true(~np.isfinite(values) | (values != np.floor(values)))
        if row is not None and is_nan(values[row]):
            _refuse_cell(values[row], row, name)
        if row is not None:
            raise LabelError(
                f"{cell_name(name, (row,))} is {spelled(values[row])}, but a label must be a whole "
                "number or a string (Unknown label type: continuous); say which class it stands for"
            )
    elif values.dtype.kind == "c":
        raise LabelError(
            f"{name} has the dtype {values.dtype}; labels must be whole numbers or strings "
            "(Complex data not supported); say which class each stands for"
        )
    elif values.dtype.kind not in "biu":
        raise InputTypeError(
            f"{name} has the dtype {values.dtype}; labels must be whole numbers or strings; "
            "convert them first"
        )
    classes, codes = np.unique(values, return_inverse=True)
    return NamedLabels(classes, codes.astype(np.int64, copy=False))


def as_labels(
    labels: object,
    n_classes: int,
    *,
    n_examples: int | None = None,
    classes: Iterable[Any] | None = None,
    name: str = "labels",
    columns_of: str = "pred_probs",
    classes_as: str = "classes",
) -> Array:
    """Return a 1-D array of native integers, a column of ``columns_of`` for each example.

    ``classes`` names the columns in their order. Strings and categories need it. Whole numbers
    are looked up in it if it holds numbers, and are columns already if it holds strings. That
    they lie in 0..K-1 is left for the core to check, or for `first_out_of_range` where the
    columns are those of another argument than ``pred_probs``. Callers know ``classes`` as
    ``classes_as``.
    """
    values: Array | Coded
    # A plain array of integers comes out as it is, within a microsecond.
    if type(labels) is np.ndarray and labels.ndim == 1:
        values = labels
    else:
        values = _one_dimension(_read(labels, name), name)
    _check_length(values, n_examples, name)
    columns = (
        None if classes is None else columns_by_name(classes, n_classes, columns_of, classes_as)
    )
    if isinstance(values, Coded):
        return _look_up_codes(values, columns, n_classes, name, columns_of, classes_as)
    if values.dtype == object:
        values = _numbers_or_strings(values, name)
    if values.dtype.kind in "UTO":
        if columns is None:
            _ask_for_classes(values[0], n_classes, name, columns_of, classes_as)
        return _look_up(values, columns, name, classes_as)
    values = _whole_numbers(values, n_classes, name, columns_of, classes_as)
    if columns is None or isinstance(next(iter(columns)), str) or _is_identity(columns):
        return values
    return _look_up(values, columns, name, classes_as)


def as_class_names(
    classes: Iterable[Any], n_classes: int, *, columns_of: str, name: str
) -> tuple[Any, ...]:
    """Return the names of the columns, all strings or all numbers, each its own."""
    return tuple(columns_by_name(classes, n_classes, columns_of, name))


def checked_columns(classes: Iterable[Any] | None, n_classes: int) -> CheckedColumns | None:
    """Check ``classes`` once for `as_labels` of many blocks; None where they say nothing."""
    if classes is None:
        return None
    columns = columns_by_name(classes, n_classes, "pred_probs")
    return None if _is_identity(columns) else CheckedColumns(columns)


def first_out_of_range(labels: Array, n_classes: int) -> int | None:
    """Return the first row whose label is no class, None if there is none."""
    if labels.min() >= 0 and labels.max() < n_classes:
        return None
    return first_true((labels < 0) | (labels >= n_classes))


# --- Shape ---------------------------------------------------------------------------------------


def _read(labels: object, name: str) -> Array | Coded:
    try:
        return read_column(labels, name, LabelError)
    except ShapeError as error:  # lists of different lengths
        raise ShapeError(f"{error}. {_FOR_TAGS}") from error


def _one_dimension(values: Array | Coded, name: str) -> Array | Coded:
    if isinstance(values, Coded):
        return values
    match values.shape:
        case (_,):
            return values
        case (_, 1):
            return values[:, 0]
    rule = "must have one dimension, a label for each example"
    message = f"{name} {rule}; its shape is {values.shape}"
    if _is_one_hot(values):
        message += f". Its rows look one-hot: pass {name}.argmax(axis=1)"
    elif _is_indicator(values):
        message += f". {_FOR_TAGS}"
    raise ShapeError(message)


def _is_one_hot(values: Array) -> bool:
    return _is_indicator(values) and bool((values.sum(axis=1) == 1).all())


def _is_indicator(values: Array) -> bool:
    return (
        values.ndim > 1
        and values.dtype.kind in "biuf"
        and bool(((values == 0) | (values == 1)).all())
    )


def _check_length(values: Array | Coded, n_examples: int | None, name: str) -> None:
    length = len(values.codes) if isinstance(values, Coded) else len(values)
    if n_examples is not None and length != n_examples:
        raise ShapeError(
            f"{name} has {length} entries, but pred_probs has {n_examples} rows; "
            "there must be one label for each row"
        )
    if length == 0:
        raise ShapeError(f"{name} is empty; it needs at least one entry")


# --- Numbers -------------------------------------------------------------------------------------


def _whole_numbers(
    values: Array, n_classes: int, name: str, columns_of: str, classes_as: str
) -> Array:
    """Return the numbers as native integers of any width, or name the first that is not whole."""
    kind = values.dtype.kind
    if kind in "iu":
        return values.astype(values.dtype.newbyteorder("="), copy=False)
    if kind == "b":
        if n_classes != _BOOLS:
            raise LabelError(
                f"{name} holds bools, which tell two classes apart, but {columns_of} has "
                f"{n_classes} columns; pass the number of its column for each example"
            )
        return values.view(np.uint8)
    if kind != "f" and not is_narrow(values.dtype):
        raise InputTypeError(
            f"{name} has the dtype {values.dtype}; labels must be whole numbers, "
            f"or strings together with {classes_as}=[...]"
        )
    floats = values.astype(np.float64, copy=False)
    row = first_true((floats != np.floor(floats)) | (np.abs(floats) >= _INT64_END))
    if row is not None:
        _refuse_cell(floats[row], row, name)
    return floats.astype(np.int64)


def _numbers_or_strings(values: Array, name: str) -> Array:
    """Turn objects that are numbers into plain numbers, leave those that are strings."""
    cells = values.tolist()
    kinds = set(map(type, cells))
    if all(issubclass(kind, str) for kind in kinds):
        return values
    if kinds <= {bool, np.bool_}:
        return values.astype(bool)
    if all(map(is_real, kinds)):
        try:
            return values.astype(np.int64 if all(map(_is_integral, kinds)) else np.float64)
        except (OverflowError, ValueError):  # of 10**30; of a Decimal that signals
            row = next(i for i, cell in enumerate(cells) if is_nan(cell) or abs(cell) >= _INT64_END)
            _refuse_cell(cells[row], row, name)
    # Something does not belong here: a missing value, another kind of object, or both kinds mixed.
    for row, cell in enumerate(cells):
        if _is_absent(cell) or not _is_name(cell):
            _refuse_cell(cell, row, name)
    text = isinstance(cells[0], str)
    row = next(row for row, cell in enumerate(cells) if isinstance(cell, str) != text)
    raise InputTypeError(
        f"{name} must be all strings or all numbers, but {cell_name(name, (0,))} is "
        f"{spelled(cells[0])} and {cell_name(name, (row,))} is {spelled(cells[row])}; convert one "
        "sort to the other"
    )


def _is_integral(kind: type) -> bool:
    return issubclass(kind, Integral | np.bool_)


def _is_name(cell: Any) -> bool:
    return isinstance(cell, str) or is_real(type(cell))


def _is_absent(cell: Any) -> bool:
    return is_missing(cell) or (is_real(type(cell)) and is_nan(cell))


def _refuse_cell(cell: Any, row: int, name: str) -> NoReturn:
    """Say why this cell is no label."""
    where = cell_name(name, (row,))
    if _is_absent(cell):
        raise LabelError(f"{where} is missing ({spelled(cell)}); fill it, or leave the row out")
    if not is_real(type(cell)):
        raise InputTypeError(
            f"{where} is {spelled(cell)}, of type {type(cell).__name__}, but a label must be a "
            "whole number or a string; convert it first"
        )
    limit = " that fits in 64 bits" if abs(cell) >= _INT64_END else ""
    raise LabelError(
        f"{where} is {spelled(cell)}, but a label must be a whole number{limit}: that of the "
        "example's column"
    )


# --- Class names ---------------------------------------------------------------------------------


def columns_by_name(
    classes: Iterable[Any], n_classes: int, columns_of: str, name: str = "classes"
) -> Columns:
    """Check the class names, and number them."""
    if isinstance(classes, CheckedColumns):
        return classes
    if isinstance(classes, range) and classes == range(n_classes):
        return CheckedColumns(zip(classes, classes, strict=True))  # there is nothing to check
    rule = f"{name} must list the names of the columns of {columns_of} in their order"
    if isinstance(classes, memoryview):
        classes = np.asarray(classes)  # which knows more formats
    shape = getattr(classes, "shape", None)
    if isinstance(shape, tuple) and len(shape) != 1:  # of a frame, among others
        raise InputTypeError(
            f"{rule}, but is of type {type(classes).__name__}, with the shape {tuple(shape)}; pass "
            "a list"
        )
    orderless = isinstance(classes, str | bytes | AbstractSet | Mapping)
    if orderless or not isinstance(classes, Iterable):
        raise InputTypeError(
            f"{rule}, but is {spelled(classes)}, of type {type(classes).__name__}; pass a list"
        )
    names = [given.item() if isinstance(given, np.generic) else given for given in classes]
    if len(names) != n_classes:
        raise ShapeError(
            f"{name} has {len(names)} entries, but {columns_of} has {n_classes} columns; "
            "there must be one name for each column"
        )
    columns = CheckedColumns()
    for column, given in enumerate(names):
        if isinstance(given, str) != isinstance(names[0], str) or not _is_name(given):
            raise InputTypeError(
                f"{cell_name(name, (column,))} is {spelled(given)}, of type "
                f"{type(given).__name__}, but the names must be all strings, or all numbers; "
                "convert it first"
            )
        if _is_absent(given):
            raise OptionError(
                f"{cell_name(name, (column,))} is {spelled(given)}, which no label can be; put "
                "the number there that labels hold for this column"
            )
        if columns.setdefault(given, column) != column:
            raise OptionError(
                f"{name} names {spelled(given)} twice, for the columns {columns[given]} and "
                f"{column}; every column needs a name of its own"
            )
    return columns


def _is_identity(columns: Columns) -> bool:
    return all(name == column for name, column in columns.items())


def _look_up(values: Array, columns: Columns, name: str, classes_as: str) -> Array:
    """Find the column of each value.

    A dictionary takes 0.1 to 0.2 microseconds a label, whatever the dtype. Sorting the labels, as
    np.unique does, takes five times as long for strings.
    """
    found = np.empty(len(values), np.int32)
    start = 0
    for block in _cells(values):
        found[start : start + len(block)] = np.fromiter(
            map(columns.get, block, repeat(-1)), np.int32, len(block)
        )
        start += len(block)
    row = first_true(found < 0)
    if row is not None:
        refuse_unknown(values[row], row, columns, name, classes_as)
    return found


def _cells(values: Array) -> Iterator[list[Any]]:
    """Give the values as Python objects, some at a time."""
    for start in range(0, len(values), _BLOCK):
        yield values[start : start + _BLOCK].tolist()


def _look_up_codes(
    coded: Coded,
    columns: Columns | None,
    n_classes: int,
    name: str,
    columns_of: str,
    classes_as: str,
) -> Array:
    """Find the column of each category, then of each example."""
    codes, names = coded
    if columns is None:
        _ask_for_classes(names[codes[0]], n_classes, name, columns_of, classes_as)
    found = np.array([columns.get(category, -1) for category in names], np.int32)[codes]
    row = first_true(found < 0)
    if row is not None:
        refuse_unknown(names[codes[row]], row, columns, name, classes_as)
    return found


def _ask_for_classes(
    example: object, n_classes: int, name: str, columns_of: str, classes_as: str
) -> NoReturn:
    kind = "string" if isinstance(example, str) else "category"
    raise LabelError(
        f"{name} must hold column numbers, but {cell_name(name, (0,))} is the {kind} "
        f"{spelled(example)}; pass {classes_as}=[...] with the names of the {n_classes} columns of "
        f"{columns_of} in their order, such as the attribute classes_ of a scikit-learn classifier"
    )


def refuse_unknown(
    value: Any,
    row: int,
    columns: Columns,
    name: str,
    classes_as: str = "classes",
    *,
    verb: str = "is",
) -> NoReturn:
    """Refuse a name that is not among those of the columns."""
    if _is_absent(value):
        _refuse_cell(value, row, name)
    by_text = {str(known): known for known in columns}
    if close := get_close_matches(str(value), by_text):
        advice = "did you mean " + " or ".join(spelled(by_text[text]) for text in close)
    else:
        shown = list(map(spelled, columns))
        advice = "they are " + ", ".join(shown[:_SHOWN] + ["..."] * (len(shown) > _SHOWN))
    where = cell_name(name, (row,))
    raise LabelError(f"{where} {verb} {spelled(value)}, which is not in {classes_as}; {advice}")
