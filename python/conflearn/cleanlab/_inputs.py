"""What the modules of this layer share: labels and matrix by cleanlab's rules."""

from collections.abc import Mapping
from contextlib import suppress
from types import MappingProxyType
from typing import Any, Literal, NoReturn, TypeAlias

import numpy.typing as npt

from conflearn._coerce import as_labels, as_pred_probs
from conflearn._inputs import Inputs
from conflearn.errors import InputTypeError, LabelError, OptionError

__all__ = [
    "NO_KWARGS",
    "Inputs",
    "Labels",
    "OneClass",
    "coerce_labels",
    "read_inputs",
    "read_labels",
    "refuse_multi_label",
    "refuse_one_class",
]

Labels: TypeAlias = npt.NDArray[Any]

#: What to say to labels that are all the same. Some functions let that pass, some only if it is
#: class 0, some never.
OneClass: TypeAlias = Literal["allowed", "allowed_if_zero", "refused"]


#: The default of arguments that are passed on by name.
NO_KWARGS: Mapping[str, Any] = MappingProxyType({})


def read_inputs(
    labels: object, pred_probs: object, one_class: OneClass, n_threads: int | None = None
) -> Inputs:
    """Coerce both, and check the labels; the core checks the matrix as it reads it."""
    matrix = as_pred_probs(pred_probs)
    n_examples, n_classes = matrix.shape
    given = read_labels(labels, n_classes, n_examples)
    refuse_one_class(given, one_class)
    return Inputs(given, matrix, n_threads)


def read_labels(labels: object, n_classes: int, n_examples: int | None = None) -> Labels:
    """Coerce the labels, and check that each of them names a class."""
    given = coerce_labels(labels, n_classes, n_examples)
    if given.min() < 0 or given.max() >= n_classes:
        row = int(((given < 0) | (given >= n_classes)).argmax())
        raise LabelError(
            f"labels: row {row} holds {given[row]}, but with {n_classes} classes (columns) labels "
            f"must be integers from 0 to {n_classes - 1}"
        )
    return given


def coerce_labels(labels: object, n_classes: int, n_examples: int | None = None) -> Labels:
    """Coerce the labels to integers."""
    with suppress(LabelError):
        return as_labels(labels, n_classes, n_examples=n_examples)
    # Numbers may be kept as categories. This layer knows no other names of classes, and told so,
    # the message does not ask for them.
    return as_labels(labels, n_classes, n_examples=n_examples, classes=range(n_classes))


def refuse_one_class(given: Labels, one_class: OneClass) -> None:
    """Refuse labels that are all the same where cleanlab does."""
    lowest = given.min()
    allowed = one_class == "allowed" or (one_class == "allowed_if_zero" and lowest == 0)
    if not allowed and lowest == given.max():
        raise LabelError(f"labels must contain at least 2 classes, but all are {lowest}")


def refuse_multi_label(labels: object) -> NoReturn:
    """Say that ``multi_label=True`` is for another day."""
    if not isinstance(labels, list):
        raise InputTypeError("`labels` must be list when `multi_label=True`.")
    raise OptionError(
        "multi_label=True is not supported yet: conflearn.cleanlab is for data in which each "
        "example is given exactly one class"
    )
