"""Numbers for each class, or each pair of classes: a joint, thresholds, how many to remove."""

from typing import Any

import numpy as np

from conflearn._coerce.objects import (
    Array,
    floats_of_objects,
    is_narrow,
    place,
    read_array,
    read_sequence,
    spelled,
)
from conflearn.errors import InputError, InputTypeError, ShapeError

__all__ = ["as_joint", "as_num_to_remove", "as_thresholds"]


def as_joint(confident_joint: object, n_classes: int, *, name: str = "confident_joint") -> Array:
    """Return C-contiguous float64 of shape (K, K), finite and nowhere below 0."""
    joint = _floats(confident_joint, name)
    if joint.shape != (n_classes, n_classes):
        raise ShapeError(
            f"{name} must have a row and a column for each of the {n_classes} classes, "
            f"the shape ({n_classes}, {n_classes}); its shape is {joint.shape}"
        )
    _demand(np.isfinite(joint), joint, name, "must be finite")
    _demand(joint >= 0, joint, name, "must not be negative, for it counts examples")
    return np.ascontiguousarray(joint)


def as_thresholds(thresholds: object, n_classes: int, *, name: str = "thresholds") -> Array:
    """Return contiguous float64 of shape (K,), finite."""
    values = _per_class(thresholds, n_classes, name)
    _demand(np.isfinite(values), values, name, "must be finite")
    return np.ascontiguousarray(values)


def as_num_to_remove(
    num: object, n_classes: int, *, name: str = "num_to_remove_per_class"
) -> Array:
    """Return contiguous int64 of shape (K,), nowhere below 0."""
    values = _per_class(num, n_classes, name)
    _demand(values == np.floor(values), values, name, "must be a whole number")
    _demand(values >= 0, values, name, "must not be negative")
    _demand(values < 2.0**63, values, name, "must fit in 64 bits")
    return values.astype(np.int64)


def _per_class(value: object, n_classes: int, name: str) -> Array:
    values = _floats(value, name)
    if values.shape == (n_classes, 1):
        values = values[:, 0]
    if values.shape != (n_classes,):
        raise ShapeError(
            f"{name} must have one entry for each of the {n_classes} classes; "
            f"its shape is {values.shape}"
        )
    return values


def _floats(value: Any, name: str) -> Array:
    sequence = isinstance(value, list | tuple | range)
    array = read_sequence(value, name) if sequence else read_array(value, name)[0]
    if array.dtype == object:
        return floats_of_objects(array, name)
    if array.dtype.kind not in "biuf" and not is_narrow(array.dtype):
        raise InputTypeError(f"{name} has the dtype {array.dtype}, but must hold real numbers")
    return array.astype(np.float64, copy=False)


def _demand(kept: Array, values: Array, name: str, rule: str) -> None:
    """Raise for the first of the ``values`` where the rule is not kept."""
    if not kept.all():
        index = np.unravel_index(kept.argmin(), kept.shape)
        raise InputError(f"{name}: {place(index)} is {spelled(values[index])}, but {rule}")
