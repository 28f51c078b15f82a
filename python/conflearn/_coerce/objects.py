"""What all arguments share: recognising an object, reading it as an array, spelling its cells."""

import os
import sys
from collections.abc import Sequence
from contextlib import suppress
from numbers import Complex, Number, Real
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

from conflearn._coerce.blocks import FIRST_ROW
from conflearn.errors import InputError, InputTypeError, ShapeError

__all__ = [
    "BFLOAT16_BITS",
    "Array",
    "cell_name",
    "first_true",
    "floats_of_objects",
    "is_a",
    "is_missing",
    "is_nan",
    "is_narrow",
    "is_real",
    "read_array",
    "read_sequence",
    "spelled",
    "unequal_rows",
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


def is_nan(number: Any) -> bool:
    """Whether a real number is NaN."""
    try:
        return bool(number != number)  # noqa: PLR0124 - true of NaN
    except ArithmeticError:
        return True  # a Decimal that signals cannot be compared


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
        f"conflearn reads {_ACCEPTED}{_advice_for_files(value, name)}"
    )


def _advice_for_files(value: Any, name: str) -> str:
    """Say who reads a path, if this looks like one."""
    if not (isinstance(value, os.PathLike) or (isinstance(value, str) and "." in value)):
        return ""
    return (
        "; files are read by analyze, check_inputs, recommend, fit_calibration, find_label_issues, "
        "rank_label_issues, num_label_issues, label_quality_scores, confident_thresholds, "
        f"confident_joint and estimate_joint; here, pass numpy.load({name}, mmap_mode='r')"
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
                raise unequal_rows(name, row, lengths[0], length) from error
        raise ShapeError(f"{name} cannot be read as an array: {error}") from error
    return array


def unequal_rows(name: str, row: int, first: int | None, length: int | None) -> ShapeError:
    """Make the error for a row that is not as long as row 0; None is the length of no row."""
    return ShapeError(
        f"{name} must have rows of equal length, but {cell_name(name, (0,))} {_size_of_row(first)} "
        f"and {cell_name(name, (row,))} {_size_of_row(length)}; fill it up, or leave it out"
    )


def floats_of_objects(array: Array, name: str, missing: type[InputError] = InputError) -> Array:
    """Convert cells that are Python objects to float64, or name the first that is no number."""
    if all(map(is_real, set(map(type, array.flat)))):
        try:
            return array.astype(np.float64)
        except (OverflowError, ValueError):
            pass  # an int beyond 1.8e308, a Decimal that signals: the search below comes upon it
    for index, cell in np.ndenumerate(array):
        where = cell_name(name, index)
        if is_missing(cell):
            raise missing(f"{where} is missing ({spelled(cell)}); put a number there")
        if not is_real(type(cell)):
            raise InputTypeError(
                f"{where} is {spelled(cell)}, of type {_type_name(cell)}, but must be a real "
                "number; convert it first"
            )
        try:
            float(cell)
        except OverflowError as error:
            raise missing(
                f"{where} is {spelled(cell)}, which is too large for a float; put a number "
                "below 1.8e308 there"
            ) from error
        except ValueError as error:
            raise missing(
                f"{where} is {spelled(cell)}, which no float stands for; put a number there"
            ) from error
    raise AssertionError("unreachable: some cell failed to convert")  # pragma: no cover


def _refuse_with_advice(value: Any, name: str, missing: type[InputError]) -> None:
    """Refuse the objects for which there is one obvious thing to do instead."""
    if is_a(value, "scipy.sparse", "spmatrix", "sparray"):
        raise InputTypeError(f"{name} is a scipy sparse matrix; pass {name}.toarray()")
    if is_a(value, "conflearn.topk", "TopK"):
        raise InputTypeError(
            f"{name} is a TopK, of which this function does not know what to do; pass "
            f"{name}.to_dense()"
        )
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
            where = cell_name(name, np.unravel_index(mask.argmax(), value.shape))
            raise missing(f"{where} is masked; fill it, or leave its row out")
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


def cell_name(name: str, index: tuple[Any, ...]) -> str:
    """Name a cell of an argument as one writes it in Python: ``pred_probs[3, 1]``."""
    if index and (first_row := FIRST_ROW.get()):
        index = (int(index[0]) + first_row, *index[1:])
    return f"{name}[{', '.join(str(int(i)) for i in index)}]" if index else name


def spelled(value: object) -> str:
    """Write a value as the user would, and not at any length."""
    try:
        text = repr(value.item() if isinstance(value, np.generic) else value)
    except Exception:  # noqa: BLE001 - a __repr__ may raise anything; that of 10**5000 does, too
        text = f"<{_type_name(value)}>"
    return text if len(text) <= _LONGEST else f"{text[:_LONGEST]}..."


def _type_name(value: object) -> str:
    kind = type(value)
    return kind.__name__ if kind.__module__ == "builtins" else f"{kind.__module__}.{kind.__name__}"


def _size_of_row(length: int | None) -> str:
    return "is a single value" if length is None else f"has {length} entries"
