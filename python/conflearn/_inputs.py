"""Labels and matrix of one call, or labels and joint, as the core reads them."""

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from conflearn import _core
from conflearn._coerce import (
    Tags,
    as_joint,
    as_labels,
    as_n_threads,
    as_pred_probs,
    as_tags,
    first_out_of_range,
)
from conflearn.errors import InputError, LabelError

__all__ = [
    "Inputs",
    "JointAndCounts",
    "TagInputs",
    "read_inputs",
    "read_joint",
    "read_joint_and_labels",
    "read_tag_inputs",
    "read_true_labels",
]


class Inputs(NamedTuple):
    """What every function that reads the matrix hands to the core."""

    labels: npt.NDArray[Any]
    pred_probs: npt.NDArray[Any]
    n_threads: int | None

    @property
    def n_examples(self) -> int:
        """N."""
        return int(self.pred_probs.shape[0])

    @property
    def n_classes(self) -> int:
        """K."""
        return int(self.pred_probs.shape[1])


class TagInputs(NamedTuple):
    """The same of multi-label data."""

    tags: Tags
    pred_probs: npt.NDArray[Any]
    n_threads: int | None

    @property
    def n_examples(self) -> int:
        """N."""
        return int(self.pred_probs.shape[0])

    @property
    def n_classes(self) -> int:
        """K."""
        return int(self.pred_probs.shape[1])


class JointAndCounts(NamedTuple):
    """A joint, and how many examples are given each of its classes."""

    joint: npt.NDArray[np.float64]
    counts: npt.NDArray[np.int64]


def read_inputs(
    labels: object,
    pred_probs: object,
    classes: Sequence[object] | None,
    n_threads: object,
    *,
    classes_as: str = "classes",
) -> Inputs:
    """Coerce the arguments that these calls share; messages call the third ``classes_as``."""
    matrix = as_pred_probs(pred_probs)
    n_examples, n_classes = matrix.shape
    given = as_labels(
        labels, n_classes, n_examples=n_examples, classes=classes, classes_as=classes_as
    )
    return Inputs(given, matrix, as_n_threads(n_threads))


def read_tag_inputs(
    labels: object,
    pred_probs: object,
    classes: Sequence[object] | None,
    n_threads: object,
) -> TagInputs:
    """Coerce the same arguments of multi-label data."""
    matrix = as_pred_probs(pred_probs)
    n_examples, n_classes = matrix.shape
    tags = as_tags(labels, n_classes, n_examples=n_examples, classes=classes)
    return TagInputs(tags, matrix, as_n_threads(n_threads))


def read_joint(confident_joint: object, inputs: Inputs) -> JointAndCounts:
    """Coerce a joint that goes with labels and matrix."""
    joint = as_joint(confident_joint, inputs.n_classes)
    return _with_counts(joint, inputs.labels)


def read_joint_and_labels(
    confident_joint: object,
    labels: object,
    classes: Sequence[object] | None,
    *,
    classes_as: str = "classes",
) -> JointAndCounts:
    """Coerce a joint that goes with labels alone: it says how many classes there are."""
    joint = as_joint(confident_joint)
    n_classes = len(joint)
    given = as_labels(
        labels,
        n_classes,
        classes=classes,
        columns_of="confident_joint",
        classes_as=classes_as,
    )
    row = first_out_of_range(given, n_classes)
    if row is not None:
        raise LabelError(
            f"labels must be integers from 0 to {n_classes - 1} (confident_joint has {n_classes} "
            f"columns), but labels[{row}] is {given[row]}; if your labels are names or do not "
            f"start at 0, pass {classes_as}=[...] naming the columns in order"
        )
    return _with_counts(joint, given)


def read_true_labels(
    true_labels: object, n_classes: int, classes: Sequence[object] | None = None
) -> npt.NDArray[Any]:
    """Coerce true labels that go with a noise matrix, which says how many classes there are.

    In the narrowest integers that hold them all: numpy sorts two bytes without comparing.
    """
    name, columns_of = "true_labels", "noise_matrix"
    true = as_labels(true_labels, n_classes, classes=classes, name=name, columns_of=columns_of)
    row = first_out_of_range(true, n_classes)
    if row is not None:
        raise LabelError(
            f"{name} must be integers from 0 to {n_classes - 1} ({columns_of} has {n_classes} "
            f"columns), but {name}[{row}] is {true[row]}; number the classes in the order of the "
            "columns, from 0"
        )
    return true.astype(np.min_scalar_type(n_classes - 1))


def _with_counts(joint: npt.NDArray[np.float64], given: npt.NDArray[Any]) -> JointAndCounts:
    counts = _core.label_counts(given, len(joint))
    # Rows of absent classes are scaled to nothing.
    if not joint[counts > 0].any():
        raise InputError(
            "confident_joint must count at least one example of a class that labels hold, but "
            "the rows of those classes are all zeros; leave it out, or check how it was counted"
        )
    return JointAndCounts(joint, counts)
