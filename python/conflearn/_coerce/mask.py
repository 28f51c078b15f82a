"""``mask``: one bool for each example."""

import numpy as np

from conflearn._coerce.column import Coded, read_column
from conflearn._coerce.objects import Array
from conflearn.errors import InputError, InputTypeError, ShapeError

__all__ = ["as_mask"]


def as_mask(mask: object, n_examples: int, *, name: str = "mask") -> Array:
    """Return a bool array with an entry for each example."""
    values = read_column(mask, name, InputError)
    if isinstance(values, Coded):
        raise InputTypeError(
            f"{name} holds strings or categories, but must hold bools; compare it with the one "
            "that stands for True"
        )
    if values.ndim != 1 or len(values) != n_examples:
        raise ShapeError(
            f"{name} must have one entry for each of the {n_examples} examples; "
            f"its shape is {values.shape}"
        )
    if values.dtype == object and set(map(type, values.tolist())) <= {bool, np.bool_}:
        values = values.astype(bool)
    if values.dtype.kind in "iu":
        raise InputTypeError(
            f"{name} has the dtype {values.dtype}, but must hold bools. Of indices make a mask: "
            f"mask = np.zeros({n_examples}, bool); mask[indices] = True. "
            f"Of zeros and ones: {name}.astype(bool)"
        )
    if values.dtype != bool:
        raise InputTypeError(
            f"{name} has the dtype {values.dtype}, but must hold bools; compare it first, such as "
            f"{name} > 0"
        )
    # A byte of a bool array may hold more than 0 and 1, where it is a view of other numbers; Rust
    # must never see such a bool.
    return np.not_equal(values.view(np.uint8), 0)
