"""What the modules of this layer share: labels, matrix and joint by cleanlab's rules."""

from typing import Any, Literal, TypeAlias

import numpy as np
import numpy.typing as npt

from conflearn import _core
from conflearn._coerce import (
    as_floats,
    as_joint,
    as_labels,
    as_per_class,
    as_pred_probs,
    first_out_of_range,
)
from conflearn._coerce.column import Coded, read_column
from conflearn._inputs import Inputs
from conflearn.errors import LabelError

__all__ = [
    "Inputs",
    "Labels",
    "OneClass",
    "coerce_labels_alone",
    "read_inputs",
    "read_joint_and_labels",
    "read_labels",
    "read_removals",
    "read_thresholds",
    "refuse_one_class",
]

Labels: TypeAlias = npt.NDArray[Any]
Floats: TypeAlias = npt.NDArray[np.float64]

#: What to say to labels that are all the same. Some functions let that pass, some only if it is
#: class 0, some never.
OneClass: TypeAlias = Literal["allowed", "allowed_if_zero", "refused"]

#: A threshold that no probability reaches.
_OUT_OF_REACH = 2.0


# --- Labels and matrix ---------------------------------------------------------------------------


def read_inputs(
    labels: object, pred_probs: object, one_class: OneClass, n_threads: int | None = None
) -> Inputs:
    """Coerce both, and check the labels; the core checks the matrix as it reads it."""
    matrix = as_pred_probs(pred_probs)
    n_examples, n_classes = matrix.shape
    given = read_labels(labels, n_classes, n_examples)
    refuse_one_class(given, one_class)
    return Inputs(given, matrix, n_threads)


def read_labels(
    labels: object,
    n_classes: int,
    n_examples: int | None = None,
    columns_of: str = "pred_probs",
) -> Labels:
    """Coerce the labels, and check that each of them names a class."""
    given = coerce_labels(labels, n_classes, n_examples, columns_of)
    row = first_out_of_range(given, n_classes)
    if row is not None:
        raise LabelError(
            f"labels must be integers from 0 to {n_classes - 1} ({columns_of} has {n_classes} "
            f"columns), but labels[{row}] is {given[row]}; number the classes in the order of the "
            "columns, from 0"
        )
    return given


def coerce_labels(
    labels: object,
    n_classes: int,
    n_examples: int | None = None,
    columns_of: str = "pred_probs",
) -> Labels:
    """Coerce the labels to integers.

    Numbers may be kept as categories. This layer knows no other names of classes.
    """
    try:
        return as_labels(
            labels,
            n_classes,
            n_examples=n_examples,
            classes=range(n_classes),
            columns_of=columns_of,
        )
    except LabelError as error:
        text = str(error).replace("is not in classes", f"is no column of {columns_of}")
        raise LabelError(text) from error


def coerce_labels_alone(labels: object) -> Labels:
    """Coerce the labels where nothing else tells how many classes there are."""
    column = read_column(labels, "labels", LabelError)
    if isinstance(column, Coded):
        labels = np.array(column.names)[column.codes]
    given = coerce_labels(labels, 2, columns_of="the data")  # two is for bools
    row = first_out_of_range(given, np.iinfo(np.int64).max)
    if row is not None:
        raise LabelError(
            f"labels must be integers from 0 to K - 1, but labels[{row}] is {given[row]}; number "
            "the classes from 0"
        )
    return given


def refuse_one_class(given: Labels, one_class: OneClass) -> None:
    """Refuse labels that are all the same where cleanlab does."""
    lowest = given.min()
    allowed = one_class == "allowed" or (one_class == "allowed_if_zero" and lowest == 0)
    if not allowed and lowest == given.max():
        raise LabelError(
            f"labels must contain at least 2 classes, but all are {lowest}; there is nothing to "
            "confuse them with"
        )


# --- Numbers for each class ----------------------------------------------------------------------


def read_joint_and_labels(
    confident_joint: object, labels: object
) -> tuple[Floats, npt.NDArray[np.int64]]:
    """Coerce a joint, and count the examples given each of its classes."""
    joint = as_joint(confident_joint, may_be_empty=True)
    n_classes = len(joint)
    given = read_labels(labels, n_classes, columns_of="confident_joint")
    return joint, _core.label_counts(given, n_classes)


def read_thresholds(thresholds: object, n_classes: int) -> Floats:
    """Coerce thresholds; no probability reaches one that is NaN."""
    numbers = np.nan_to_num(
        _for_each_class(thresholds, n_classes, "thresholds"),
        nan=_OUT_OF_REACH,
        posinf=_OUT_OF_REACH,
        neginf=-1.0,
    )
    return as_per_class(numbers, n_classes, name="thresholds")


def read_removals(num_to_remove_per_class: object, n_classes: int) -> Floats:
    """Coerce the numbers of examples to remove, which need not be whole."""
    name = "num_to_remove_per_class"
    numbers = _for_each_class(num_to_remove_per_class, n_classes, name)
    return as_per_class(numbers, n_classes, name=name)


def _for_each_class(value: object, n_classes: int, name: str) -> Floats:
    """Let one number stand for every class, as numpy does where cleanlab leaves it to numpy."""
    numbers: Floats = as_floats(value, name)
    if numbers.shape in {(), (1,), (1, n_classes)}:
        numbers = np.broadcast_to(numbers, (1, n_classes))[0]
    return numbers
