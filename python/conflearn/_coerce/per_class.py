"""Numbers for each class, or each pair of classes: a joint, thresholds, how many to remove."""

from typing import Any

import numpy as np

from conflearn._coerce.objects import (
    Array,
    cell_name,
    floats_of_objects,
    is_narrow,
    is_real,
    read_array,
    read_sequence,
    spelled,
)
from conflearn.errors import InputError, InputTypeError, ShapeError

__all__ = [
    "as_class_bias",
    "as_floats",
    "as_joint",
    "as_joints",
    "as_noise_matrix",
    "as_num_to_remove",
    "as_per_class",
    "as_prior",
    "as_tag_removals",
    "as_tag_thresholds",
    "as_thresholds",
]

#: A joint that sums to less is taken for empty by the core, which divides by nothing smaller.
_LEAST_TOTAL = 1e-100

#: The core's LARGEST_BIAS.
_LARGEST_BIAS = 30.0

#: How far a probability may be off for rounding, and the sum of some that should be 1.
_SLACK = 1e-6


def as_floats(value: Any, name: str) -> Array:
    """Return float64 of any shape; that of a single number is ()."""
    if isinstance(value, list | tuple | range):
        array = read_sequence(value, name)
    elif is_real(type(value)):
        array = np.array(value)
    else:
        array, _ = read_array(value, name)
    if array.dtype == object:
        return floats_of_objects(array, name)
    if array.dtype.kind not in "biuf" and not is_narrow(array.dtype):
        raise InputTypeError(
            f"{name} has the dtype {array.dtype}, but must hold real numbers; convert it first"
        )
    with np.errstate(over="ignore"):  # of what is wider: it becomes infinite, and is refused
        return array.astype(np.float64, copy=False)


def as_joint(
    confident_joint: object,
    n_classes: int | None = None,
    *,
    may_be_empty: bool = False,
    name: str = "confident_joint",
) -> Array:
    """Return C-contiguous float64 of shape (K, K), nowhere below 0, with a finite sum above 0.

    Without ``n_classes`` there are as many classes as the joint has rows. ``may_be_empty`` lets a
    joint pass that has nothing but zeros.
    """
    joint = as_floats(confident_joint, name)
    if n_classes is None:
        _demand_square(joint, name)
    elif joint.shape != (n_classes, n_classes):
        raise ShapeError(
            f"{name} must have a row and a column for each of the {n_classes} classes, "
            f"the shape ({n_classes}, {n_classes}); its shape is {joint.shape}"
        )
    _demand(np.isfinite(joint), joint, name, "must be finite; count again, without that cell")
    _demand(joint >= 0, joint, name, "must not be negative, for it counts examples; make it 0")
    with np.errstate(over="ignore"):
        total = joint.sum()
    if not np.isfinite(total):
        raise InputError(
            f"{name} must have a finite sum, but its sum is infinite; divide it by its largest "
            "entry"
        )
    if total < _LEAST_TOTAL and not may_be_empty:
        raise InputError(
            f"{name} must count at least one example, but its sum is {spelled(total)}; leave it "
            "out, or check how it was counted"
        )
    return _as_the_core_reads(joint)


def as_noise_matrix(noise_matrix: object, *, name: str = "noise_matrix") -> Array:
    """Return float64 of shape (K, K) in [0, 1], whose columns sum to 1, or are nothing but zeros.

    Entries and sums may be off by 1e-6; entries are then clipped, sums stay as they are.
    """
    matrix = as_floats(noise_matrix, name)
    _demand_square(matrix, name)
    _demand_probabilities(matrix, name)
    sums = matrix.sum(axis=0)
    kept = (np.abs(sums - 1) <= _SLACK) | ~matrix.any(axis=0)
    if not kept.all():
        column = int(kept.argmin())
        advice = f"divide each column by its sum, {name} / {name}.sum(axis=0)"
        if (np.abs(matrix.sum(axis=1) - 1) <= _SLACK).all():
            advice = f"its rows do, so pass {name}.T"
        raise InputError(
            f"{name} must have columns that sum to 1, for {name}[given, true] is the share of "
            f"examples of a true class that are given a class, but column {column} sums to "
            f"{spelled(sums[column])}; {advice}"
        )
    return np.clip(matrix, 0, 1)


def as_prior(prior: object, n_classes: int, *, name: str = "prior") -> Array:
    """Return float64 of shape (K,) in [0, 1] that sums to 1, within 1e-6."""
    values = as_per_class(prior, n_classes, name=name)
    total = values.sum()
    if np.abs(total - 1) > _SLACK:
        raise InputError(
            f"{name} must sum to 1, for it holds the share of each true class, but its sum is "
            f"{spelled(total)}; divide it by its sum"
        )
    _demand_probabilities(values, name)
    return np.clip(values, 0, 1)


def as_per_class(value: object, n_classes: int, *, name: str) -> Array:
    """Return contiguous float64 of shape (K,), finite."""
    values = _one_per_class(value, n_classes, name)
    _demand(np.isfinite(values), values, name, "must be finite; put a number there")
    return _as_the_core_reads(values)


def as_thresholds(thresholds: object, n_classes: int, *, name: str = "thresholds") -> Array:
    """Return contiguous float64 of shape (K,), where infinity is out of reach."""
    values = _one_per_class(thresholds, n_classes, name)
    rule = "must be a number, or infinity for a class that is never confident"
    _demand(values > -np.inf, values, name, rule)
    return _as_the_core_reads(values)


def as_class_bias(class_bias: object, *, name: str = "class_bias") -> Array:
    """Return contiguous float64 of one dimension; the core knows how many there must be."""
    values = as_floats(class_bias, name)
    if values.ndim != 1:
        raise ShapeError(
            f"{name} must have one dimension, one number a class, but its shape is {values.shape}"
        )
    rule = "must be a number that is added to the logarithm of a probability, from -30 to 30"
    _demand(np.abs(values) <= _LARGEST_BIAS, values, name, rule)
    return _as_the_core_reads(values)


def as_num_to_remove(
    num: object, n_classes: int, *, name: str = "num_to_remove_per_class"
) -> Array:
    """Return contiguous int64 of shape (K,), nowhere below 0."""
    return _as_removals(_one_per_class(num, n_classes, name), name)


def _as_removals(values: Array, name: str) -> Array:
    _demand(values == np.floor(values), values, name, "must be a whole number; round it first")
    _demand(values >= 0, values, name, "must not be negative; pass 0 to remove none")
    _demand(values < 2.0**63, values, name, "must fit in 64 bits; no class has as many examples")
    return np.ascontiguousarray(values, np.int64)


def as_joints(
    confident_joint: object, n_classes: int | None = None, *, name: str = "confident_joint"
) -> Array:
    """Return C-contiguous float64 of shape (K, 2, 2), a joint for each tag.

    Without ``n_classes`` there are as many tags as joints.
    """
    joints = as_floats(confident_joint, name)
    if n_classes is None:
        n_classes = joints.shape[0] if joints.ndim == 3 else 0  # noqa: PLR2004 - (K, 2, 2)
    if n_classes == 0:
        raise ShapeError(
            f"{name} must have a joint of without and with the tag for each class, the shape "
            f"(K, 2, 2); its shape is {joints.shape}"
        )
    if joints.shape != (n_classes, 2, 2):
        raise ShapeError(
            f"{name} must have a joint of without and with the tag for each of the {n_classes} "
            f"classes, the shape ({n_classes}, 2, 2); its shape is {joints.shape}"
        )
    _demand(np.isfinite(joints), joints, name, "must be finite; count again, without that cell")
    _demand(joints >= 0, joints, name, "must not be negative, for it counts examples; make it 0")
    return _as_the_core_reads(joints)


def as_tag_thresholds(value: object, n_classes: int, *, name: str = "thresholds") -> Array:
    """Return C-contiguous float64 of shape (K, 2), where infinity is out of reach."""
    values = as_floats(value, name)
    if values.shape != (n_classes, 2):
        raise ShapeError(
            f"{name} must have one entry without and one with the tag for each of the {n_classes} "
            f"classes, the shape ({n_classes}, 2); its shape is {values.shape}"
        )
    rule = "must be a number, or infinity for a side that is never confident"
    _demand(values > -np.inf, values, name, rule)
    return _as_the_core_reads(values)


def as_tag_removals(num: object, n_classes: int, *, name: str = "num_to_remove_per_class") -> Array:
    """Return contiguous int64 of shape (K, 2); one number a class is of those without the tag."""
    values = as_floats(num, name)
    if values.shape == (n_classes, 2):
        return _as_removals(values, name)
    removals = np.zeros((n_classes, 2), np.int64)
    removals[:, 0] = as_num_to_remove(values, n_classes, name=name)
    return removals


def _one_per_class(value: object, n_classes: int, name: str) -> Array:
    values = as_floats(value, name)
    if values.shape == (n_classes, 1):
        values = values[:, 0]
    if values.shape != (n_classes,):
        raise ShapeError(
            f"{name} must have one entry for each of the {n_classes} classes; "
            f"its shape is {values.shape}"
        )
    return values


def _demand_square(matrix: Array, name: str) -> None:
    rows, columns = matrix.shape if matrix.ndim == 2 else (0, 0)  # noqa: PLR2004 - (K, K)
    if rows != columns or rows < 2:  # noqa: PLR2004 - as few as labels can be confused between
        raise ShapeError(
            f"{name} must have two dimensions, with a row and a column for each of at least "
            f"two classes; its shape is {matrix.shape}"
        )


def _demand_probabilities(values: Array, name: str) -> None:
    _demand(np.isfinite(values), values, name, "must be finite; put a number there")
    within = (values >= -_SLACK) & (values <= 1 + _SLACK)
    _demand(within, values, name, "must be a probability, from 0 to 1; check how it was made")


def _as_the_core_reads(values: Array) -> Array:
    return np.require(values, requirements=["C", "ALIGNED"])


def _demand(kept: Array, values: Array, name: str, rule: str) -> None:
    """Raise for the first of the ``values`` where the rule is not kept."""
    if not kept.all():
        index = np.unravel_index(kept.argmin(), kept.shape)
        raise InputError(f"{cell_name(name, index)} is {spelled(values[index])}, but {rule}")
