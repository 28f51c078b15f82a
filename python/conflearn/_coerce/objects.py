"""What all arguments share: recognising an object, reading it as an array, spelling its cells."""

import sys
from collections.abc import Sequence
from contextlib import suppress
from numbers import Complex, Number, Real
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

from conflearn.errors import InputError, InputTypeError, ShapeError

__all__ = [
    "BFLOAT16_BITS",
    "Array",
    "first_true",
    "floats_of_objects",
    "is_a",
    "is_missing",
    "is_narrow",
    "is_real",
    "place",
    "read_array",
    "read_sequence",
    "spelled",
]

Array: TypeAlias = npt.NDArray[Any]

#: The cells of a torch bfloat16 tensor, for which numpy itself has no name. The field keeps them
#: apart from integers of the same width.
BFLOAT16_BITS = np.dtype([("bfloat16", np.uint16)])

# DLPack numbers of devices whose memory the CPU reads directly: plain, and the pinned or managed
# memory of CUDA and ROCm.
_HOST_DEVICES = frozenset({1, 3, 11, 13})

# Values in messages are cut off here.
_LONGEST = 60

_ACCEPTED = (
    "numpy arrays, pandas and polars frames and columns, pyarrow data, torch CPU tensors, lists, "
    "and objects with __array__, __array_interface__ or __dlpack__"
)


# --- Recognising ---------------------------------------------------------------------------------


def is_a(value: object, library: str, *classes: str) -> bool:
    """Do what ``isinstance`` does, without importing the library."""
    module = sys.modules.get(library)
    return module is not None and any(
        isinstance(value, getattr(module, name)) for name in classes if hasattr(module, name)
    )


def is_narrow(dtype: np.dtype[Any]) -> bool:
    """Whether this is a number type of ml_dtypes, such as bfloat16, that float32 holds exactly."""
    return dtype.type.__module__ == "ml_dtypes" and np.can_cast(dtype, np.float32)


def is_real(kind: type) -> bool:
    """Whether objects of this class are real numbers: int, float, bool, Decimal, Fraction, ..."""
    return (
        issubclass(kind, Real | np.bool_)
        # Decimal is a Number and keeps out of the tower above it.
        or (issubclass(kind, Number) and not issubclass(kind, Complex))
    )


def is_missing(cell: object) -> bool:
    """Whether a cell says that there is no value: None, pandas.NA, pandas.NaT."""
    return cell is None or type(cell).__name__ in {"NAType", "NaTType"}


# --- Reading -------------------------------------------------------------------------------------


def read_array(value: Any, name: str, missing: type[InputError] = InputError) -> tuple[Array, bool]:
    """Read any single object as an ndarray; also tell whether that took a copy.

    ``missing`` is the error for cells that are there but hold nothing.
    """
    _refuse_with_advice(value, name, missing)
    try:
        if is_a(value, "torch", "Tensor"):
            return _from_torch(value), False
        if isinstance(value, np.ndarray):
            return np.asarray(value), False  # a subclass such as memmap or matrix, as a plain view
        if hasattr(value, "__array__"):
            return _from_array_method(value)
        if hasattr(value, "__array_interface__") or hasattr(value, "__array_struct__"):
            return np.asarray(value), False
        if hasattr(value, "__dlpack__"):
            return np.from_dlpack(value), False
        with suppress(TypeError):
            return np.asarray(memoryview(value)), False
        reason = ""
    except (TypeError, ValueError, RuntimeError, BufferError) as error:
        reason = f" ({error})"
    raise InputTypeError(
        f"{name} cannot be read from an object of type {_type_name(value)}{reason}; "
        f"conflearn reads {_ACCEPTED}"
    )


def read_sequence(values: Sequence[Any], name: str) -> Array:
    """Read a list or tuple, nested or not, as an array of numbers or, failing that, of objects."""
    try:
        array = np.array(values)
        if array.dtype.kind in "US":
            # Numbers among strings have become strings; as objects the cells stay what they are.
            array = np.array(values, dtype=object)
    except (TypeError, RuntimeError) as error:
        raise InputTypeError(f"{name} cannot be read as an array: {error}") from error
    except ValueError as error:
        lengths = [len(row) if hasattr(row, "__len__") else None for row in values]
        for row, length in enumerate(lengths):
            if length != lengths[0]:
                raise ShapeError(
                    f"{name} must have rows of equal length: {_length_of_row(0, lengths[0])}, "
                    f"but {_length_of_row(row, length)}"
                ) from error
        raise ShapeError(f"{name} cannot be read as an array: {error}") from error
    return array


def floats_of_objects(array: Array, name: str, missing: type[InputError] = InputError) -> Array:
    """Convert cells that are Python objects to float64, or name the first that is no number."""
    if all(map(is_real, set(map(type, array.flat)))):
        try:
            return array.astype(np.float64)
        except OverflowError:
            pass  # an int beyond 1.8e308: the search below comes upon it
    for index, cell in np.ndenumerate(array):
        where = f"{name}: {place(index)}"
        if is_missing(cell):
            raise missing(f"{where} is missing ({spelled(cell)}); every cell needs a number")
        if not is_real(type(cell)):
            raise InputTypeError(
                f"{where} holds {spelled(cell)}, of type {_type_name(cell)}; "
                "every cell must be a real number"
            )
        try:
            float(cell)
        except OverflowError as error:
            raise missing(f"{where} holds a number too large for a float") from error
    raise AssertionError("unreachable: some cell failed to convert")  # pragma: no cover


def _refuse_with_advice(value: Any, name: str, missing: type[InputError]) -> None:
    """Refuse the objects for which there is one obvious thing to do instead."""
    if is_a(value, "scipy.sparse", "spmatrix", "sparray"):
        raise InputTypeError(f"{name} is a scipy sparse matrix; pass {name}.toarray()")
    if is_a(value, "polars", "LazyFrame"):
        raise InputTypeError(f"{name} is a polars LazyFrame; pass {name}.collect()")
    if is_a(value, "torch", "Tensor"):
        if value.device.type != "cpu":
            raise InputTypeError(
                f"{name} is a torch tensor on the device {str(value.device)!r}; "
                f"conflearn reads main memory: pass {name}.cpu()"
            )
    elif is_a(value, "numpy.ma", "MaskedArray"):
        mask = value.mask  # one bool alone where nothing was ever masked
        if mask.any():
            where = place(np.unravel_index(mask.argmax(), value.shape))
            raise missing(f"{name}: {where} is masked; fill it, or leave its row out")
    elif hasattr(value, "__dlpack_device__") and not isinstance(value, type):
        device = int(value.__dlpack_device__()[0])
        if device not in _HOST_DEVICES:
            raise InputTypeError(
                f"{name} is an object of type {_type_name(value)} on another device (DLPack "
                f"device type {device}); conflearn reads main memory: copy it to the CPU first"
            )


def _from_torch(tensor: Any) -> Array:
    tensor = tensor.detach()
    if str(tensor.dtype) == "torch.bfloat16":
        # By way of int16, since the unsigned types of torch are young and incomplete.
        bits: Array = tensor.view(sys.modules["torch"].int16).numpy()
        return bits.view(BFLOAT16_BITS)
    array: Array = tensor.numpy()
    return array


def _from_array_method(value: Any) -> tuple[Array, bool]:
    """Call ``__array__`` in the way that tells whether the object had to copy."""
    try:
        return np.asarray(value.__array__(copy=False)), False
    except TypeError:
        # Written before numpy 2 brought `copy`. An array that owns its cells was most likely made
        # for us; better one warning too many than a silent copy.
        array = np.asarray(value.__array__())
        return array, array.flags.owndata
    except (ValueError, RuntimeError):
        return np.asarray(value.__array__()), True


# --- Spelling ------------------------------------------------------------------------------------


def first_true(mask: Array) -> int | None:
    """Return the index of the first True of a 1-D mask, None if there is none."""
    if not mask.size:
        return None
    index = int(mask.argmax())
    return index if mask[index] else None


def place(index: tuple[Any, ...]) -> str:
    """Name a cell: ``row 3, column 1`` of a matrix, ``entry 3`` of a vector."""
    names = {1: ("entry",), 2: ("row", "column")}.get(len(index))
    if names is None:
        return f"cell {tuple(map(int, index))}"
    return ", ".join(f"{name} {i}" for name, i in zip(names, index, strict=True))


def spelled(value: object) -> str:
    """Write a value as the user would, and not at any length."""
    text = repr(value.item() if isinstance(value, np.generic) else value)
    return text if len(text) <= _LONGEST else f"{text[:_LONGEST]}..."


def _type_name(value: object) -> str:
    kind = type(value)
    return kind.__name__ if kind.__module__ == "builtins" else f"{kind.__module__}.{kind.__name__}"


def _length_of_row(row: int, length: int | None) -> str:
    return f"row {row} is a single value" if length is None else f"row {row} has {length} entries"
