"""The cells of a block, as the core reads them."""

from typing import Any

import numpy as np

from conflearn._coerce import as_block, as_pred_probs, readable_again
from conflearn._names import Kind

__all__ = ["as_cells", "as_sliceable"]


def as_cells(
    values: Any,
    kind: Kind,
    *,
    first_row: int = 0,
    name: str = "pred_probs",
    of_tags: bool = False,
) -> Any:
    """Coerce the rows from ``first_row`` on, of which messages count them."""
    with as_block(first_row):
        return as_pred_probs(values, kind=kind, name=name, of_tags=of_tags)


def as_sliceable(pred_probs: Any, kind: Kind, *, of_tags: bool = False) -> Any:
    """Coerce a matrix in memory once, to something that gives rows when sliced."""
    matrix: Any = as_pred_probs(pred_probs, kind=kind, of_tags=of_tags)
    return readable_again(matrix) if isinstance(matrix, np.ndarray) else matrix
