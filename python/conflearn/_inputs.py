"""Labels and matrix of one call, as the core reads them."""

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from conflearn._coerce import as_labels, as_n_threads, as_pred_probs


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


def read_inputs(
    labels: object,
    pred_probs: object,
    classes: Sequence[object] | None,
    n_threads: int | None,
) -> Inputs:
    """Coerce the arguments that these calls share."""
    matrix = as_pred_probs(pred_probs)
    n_examples, n_classes = matrix.shape
    given = as_labels(labels, n_classes, n_examples=n_examples, classes=classes)
    return Inputs(given, matrix, as_n_threads(n_threads))


def class_counts(
    labels: object, n_classes: int, classes: Sequence[object] | None
) -> npt.NDArray[np.int64]:
    """Count how many examples are given each class."""
    from conflearn import _core

    return _core.label_counts(as_labels(labels, n_classes, classes=classes), n_classes)
