"""``pred_probs``: any matrix of probabilities, as a view that the core can read."""

from collections.abc import Callable
from typing import Any, NoReturn, cast

import numpy as np

from conflearn._coerce import tables
from conflearn._coerce.copies import announce_copy
from conflearn._coerce.objects import (
    BFLOAT16_BITS,
    Array,
    floats_of_objects,
    is_a,
    is_narrow,
    read_array,
    read_sequence,
)
from conflearn._names import Kind
from conflearn.errors import InputTypeError, ProbabilityError, ShapeError

__all__ = ["as_pred_probs", "as_values", "cells_again", "widened"]

#: Who reads what: the library, its classes, and the function that knows them.
_READERS: tuple[tuple[str, tuple[str, ...], Callable[[Any, str], Array]], ...] = (
    ("pandas", ("DataFrame",), tables.read_pandas),
    ("polars", ("DataFrame",), tables.read_polars),
    ("polars", ("Series",), tables.read_polars_lists),
    ("pyarrow", ("Table", "RecordBatch"), tables.read_arrow),
    ("pyarrow", ("Array", "ChunkedArray"), tables.read_arrow_lists),
)

#: numpy's letters for float16, float32 and float64, each of which the core reads in its own width.
_READABLE = "efd"

_REFUSED_KINDS = {
    "c": "complex numbers",
    "S": "bytes",
    "U": "strings",
    "T": "strings",
    "M": "dates",
    "m": "time spans",
}


def as_pred_probs(
    pred_probs: object,
    *,
    kind: Kind = "probabilities",
    name: str = "pred_probs",
    of_tags: bool = False,
) -> Array:
    """Return a 2-D view of float16, float32, float64, or of uint16 that holds bfloat16 bits.

    The view has native byte order, and the strides, alignment and writability of the caller's
    memory. Where only a copy will do, a `ConflearnCopyWarning` says so, however small it is. Lists
    of numbers have to be read into an array, about which there is nothing to say. NaN and values
    out of range are left for the core to find.

    Logits and scores of two classes may have one column, or one dimension, that speaks for class 1:
    so scikit-learn's ``decision_function`` returns them. Not so of tags: there a column is a class,
    of which there are two or more.
    """
    # A plain array in a readable dtype comes out as it is, within a microsecond.
    array = cast("Array", pred_probs) if type(pred_probs) is np.ndarray else _read(pred_probs, name)
    match array.shape:
        case (rows, columns) if rows > 0 and columns > 1:
            pass
        case (rows,) if rows > 0 and isinstance(array[0], list | tuple | np.ndarray):
            # A column that holds a list a row.
            return as_pred_probs(array.tolist(), kind=kind, name=name, of_tags=of_tags)
        case (rows,) | (rows, 1) if rows > 0 and kind != "probabilities" and not of_tags:
            return _of_two_classes(_readable(array.reshape(rows), name), kind)
        case shape:
            _refuse_shape(shape, name, of_tags=of_tags)
    return _readable(array, name)


def as_values(values: object, name: str) -> Array:
    """Return an array of any shape in one of the same dtypes, announced where it is a copy."""
    array = cast("Array", values) if type(values) is np.ndarray else _read(values, name)
    return _readable(array, name)


def _readable(array: Array, name: str) -> Array:
    if array.dtype.char in _READABLE and array.dtype.isnative:
        return array
    return _in_readable_dtype(array, name)


def cells_again(matrix: Array) -> Array:
    """Return what `as_pred_probs` gave as something that it takes: uint16 would be numbers."""
    return matrix.view(BFLOAT16_BITS) if matrix.dtype == np.uint16 else matrix


def widened(cells: Array) -> Array:
    """Return float64 in C order, for memory order not to show in sums.

    uint16 holds the bits of bfloat16, the upper half of a float32.
    """
    if cells.dtype == np.uint16:
        cells = (cells.astype(np.uint32) << 16).view(np.float32)
    return cells.astype(np.float64, order="C")


def _of_two_classes(for_class_1: Array, kind: Kind) -> Array:
    """Make the column of class 0: the opposite score, or the logit 0, so that sigmoids come out."""
    if for_class_1.dtype == np.uint16:  # the bits of bfloat16 are the upper half of a float32
        for_class_1 = (for_class_1.astype(np.uint32) << 16).view(np.float32)
    for_class_0 = -for_class_1 if kind == "scores" else np.zeros_like(for_class_1)
    return np.column_stack([for_class_0, for_class_1])


def _read(value: Any, name: str) -> Array:
    """Read the object as an array of any shape and dtype, by the shortest way there is."""
    if isinstance(value, list | tuple):
        return _from_rows(value, name)
    for library, classes, read in _READERS:
        if is_a(value, library, *classes):
            return read(value, name)
    array, copied = read_array(value, name, ProbabilityError)
    if copied and array.dtype.kind != "O":
        why = f"a {type(value).__name__} cannot lend its cells"
        announce_copy(name, array.nbytes, why, f"pass np.asarray({name}), made once")
    return array


def _from_rows(rows: list[Any] | tuple[Any, ...], name: str) -> Array:
    """Read a list; only one of arrays, or of what else is no list itself, is copied by that."""
    array = read_sequence(rows, name)
    if array.dtype.kind in "biu":
        array = array.astype(np.float64)
    is_matrix = array.dtype.kind != "O" and array.ndim == 2  # noqa: PLR2004 - (N, K)
    if is_matrix and not isinstance(rows[0], list | tuple):
        remedy = f"pass np.stack({name}), made once"
        announce_copy(name, array.nbytes, "its rows are separate arrays", remedy)
    return array


def _refuse_shape(shape: tuple[int, ...], name: str, *, of_tags: bool) -> NoReturn:
    rule = f"{name} must have two dimensions, a row for each example and a column for each class"
    binary = "for the score p of a problem with two classes pass np.column_stack([1 - p, p])"
    several = "; of several models, analyze takes a list of matrices"
    if of_tags:
        binary = "for a single tag use the functions of conflearn itself, " + binary[4:]
        several = ""
        if shape[-1] == 2:  # noqa: PLR2004 - a class's columns without and with it, as forests do
            several = (
                f"; of a matrix for each class, pass np.column_stack([p[:, 1] for p in {name}])"
            )
    match shape:
        case _ if 0 in shape:
            message = f"{name} is empty, with the shape {shape}; it needs at least one row"
        case (_,):
            message = f"{rule}; it has one dimension, with the shape {shape}; {binary}"
        case (_, _):
            message = f"{name} must have at least two columns; its shape is {shape}; {binary}"
        case _:
            message = f"{rule}; it has {len(shape)} dimensions, with the shape {shape}{several}"
    raise ShapeError(message)


def _in_readable_dtype(array: Array, name: str) -> Array:
    """Reinterpret or convert the cells; no probability changes by more than a rounding."""
    dtype = array.dtype
    if dtype == BFLOAT16_BITS or dtype.name == "bfloat16":
        return array.view(np.uint16)
    target: np.dtype[Any] = np.dtype(np.float64)
    why = f"its dtype is {dtype}"
    if dtype.char in _READABLE:
        target = dtype.newbyteorder("=")
        why = f"its byte order ({dtype.str}) is not the one of this machine"
    elif is_narrow(dtype):
        target = np.dtype(np.float32)
    elif dtype.kind not in "biuO" and dtype.char != "g":
        _refuse_dtype(dtype, name)
    remedy = f"pass {name}.astype('{target.str}'), made once"
    size = array.size * target.itemsize
    if dtype.kind == "O":
        floats = floats_of_objects(array, name, ProbabilityError)
        announce_copy(name, size, why, remedy)  # now that they are known to be numbers
        return floats
    announce_copy(name, size, why, remedy)
    return array.astype(target)


def _refuse_dtype(dtype: np.dtype[Any], name: str) -> NoReturn:
    holds = _REFUSED_KINDS.get(dtype.kind, "no plain numbers")
    advice = ""
    if dtype.str == "|V2":
        # numpy.save does not write the name of bfloat16, and numpy.load returns nameless cells.
        advice = f"; if these are bfloat16, pass {name}.view(ml_dtypes.bfloat16)"
    raise InputTypeError(
        f"{name} has the dtype {dtype}, which holds {holds}; it must hold real numbers, "
        f"best of all float32{advice}"
    )
