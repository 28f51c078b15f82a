"""A batch of rows, as states take it."""

from typing import Any

import numpy as np
import numpy.typing as npt

from conflearn._coerce import as_count
from conflearn._inputs import Inputs, read_inputs
from conflearn.errors import OptionError, ShapeError, StateError

__all__ = ["as_n_classes", "as_row_array", "as_rows", "has_no_rows", "read_batch"]

_LEAST_CLASSES = 2
_MOST_CLASSES = 2_097_152


def read_batch(
    labels: object,
    pred_probs: object,
    n_threads: object,
    meaning: tuple[object, ...],
    n_classes: int | None = None,
) -> Inputs | None:
    """Coerce a batch, unless it has no rows: clusters have empty partitions."""
    if has_no_rows(labels, pred_probs):
        return None
    batch = read_inputs(labels, pred_probs, None, n_threads, *meaning)
    if n_classes not in (None, batch.n_classes):
        raise StateError(
            f"n_classes is {n_classes:,}, but pred_probs has {batch.n_classes:,} columns; there "
            "must be a column for each class"
        )
    return batch


def as_n_classes(n_classes: object) -> int:
    """Coerce the number of classes, before there is a matrix that has so many columns."""
    count = as_count(n_classes, "n_classes")
    if not _LEAST_CLASSES <= count <= _MOST_CLASSES:
        raise OptionError(
            f"n_classes must lie between {_LEAST_CLASSES} and {_MOST_CLASSES:,}, but is {count:,}"
        )
    return count


def has_no_rows(labels: object, pred_probs: object) -> bool:
    """Whether a batch is empty."""
    return _n_rows(labels) == 0 and _n_rows(pred_probs) == 0


def _n_rows(batch: Any) -> int | None:
    shape = getattr(batch, "shape", None)
    if shape is not None:
        return int(shape[0]) if len(shape) else None
    return len(batch) if hasattr(batch, "__len__") else None


def as_rows(rows: Any) -> int | npt.NDArray[np.int64]:
    """Coerce the numbers of a batch's rows."""
    return as_count(rows, "rows") if isinstance(rows, int | np.integer) else as_row_array(rows)


def as_row_array(rows: Any) -> npt.NDArray[np.int64]:
    """Coerce them where there must be one a row."""
    numbers = np.asarray(rows)
    if numbers.ndim != 1 or numbers.dtype.kind not in "iu":
        raise ShapeError(
            "rows must be the number of the first row, or a one-dimensional array of whole "
            f"numbers, one a row; it has the shape {numbers.shape} and the dtype {numbers.dtype}"
        )
    return np.ascontiguousarray(numbers, dtype=np.int64)
