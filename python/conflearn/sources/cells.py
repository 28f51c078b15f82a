"""The cells of a block, as the core reads them: dense, or by the entries that rows store."""

from typing import Any

import numpy as np

from conflearn._coerce import CompressedRows, as_block, as_pred_probs, as_sparse, readable_again
from conflearn._names import Kind
from conflearn.topk import TopK

__all__ = ["as_cells", "as_sliceable", "coercible_again"]


class SlicedRows:
    """Compressed rows that give some of themselves when sliced."""

    def __init__(self, rows: CompressedRows) -> None:
        self.indptr, self.indices, self.data, self.shape = rows

    def __getitem__(self, rows: slice) -> CompressedRows:
        start, stop, _ = rows.indices(self.shape[0])
        starts = self.indptr[start : stop + 1]
        entries = slice(int(starts[0]), int(starts[-1]))
        shape = (stop - start, self.shape[1])
        return CompressedRows(starts - starts[0], self.indices[entries], self.data[entries], shape)


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
        return _coerced(values, kind, name, of_tags=of_tags)


def as_sliceable(pred_probs: Any, kind: Kind, *, of_tags: bool = False) -> Any:
    """Coerce a matrix in memory once, to something that gives rows when sliced."""
    matrix = coercible_again(_coerced(pred_probs, kind, "pred_probs", of_tags=of_tags))
    return SlicedRows(matrix) if isinstance(matrix, CompressedRows) else matrix


def coercible_again(cells: Any) -> Any:
    """Return cells as something that is coerced to the same: uint16 would be numbers."""
    if isinstance(cells, TopK):
        values = readable_again(cells.values)
        return TopK(cells.classes, values, n_classes=cells.n_classes)
    if isinstance(cells, CompressedRows):
        return cells._replace(data=readable_again(cells.data))
    return readable_again(cells) if isinstance(cells, np.ndarray) else cells


def _coerced(values: Any, kind: Kind, name: str, *, of_tags: bool) -> Any:
    sparse = None if of_tags else as_sparse(values, kind=kind, name=name)
    if sparse is not None:
        return sparse
    return as_pred_probs(values, kind=kind, name=name, of_tags=of_tags)
