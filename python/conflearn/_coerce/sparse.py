"""Matrices of which each row stores a few entries: `TopK`, and those of scipy.

scipy itself is not imported: its matrices are recognised and their parts read where they lie.
"""

from typing import Any, NamedTuple, TypeAlias, TypeVar, cast

import numpy as np

from conflearn import _core
from conflearn._coerce.copies import announce_copy
from conflearn._coerce.matrix import as_values, cells_again
from conflearn._coerce.objects import Array, cell_name, is_a, read_array, read_sequence, spelled
from conflearn._names import Kind
from conflearn.errors import InputError, InputTypeError, OptionError, ShapeError
from conflearn.topk import TopK

__all__ = ["CompressedRows", "as_joint_rows", "as_sparse", "readable_again"]

#: A joint that sums to less is taken for empty.
_LEAST_TOTAL = 1e-100


class CompressedRows(NamedTuple):
    """Where the entries of each row start, their columns and values, as scipy's CSR names them."""

    indptr: Array
    indices: Array
    data: Array
    shape: tuple[int, int]


#: One matrix as the core reads it.
Matrix: TypeAlias = Array | TopK | CompressedRows | _core.FileRows
AnyMatrix = TypeVar("AnyMatrix", bound=Matrix)


def as_sparse(
    pred_probs: object, *, kind: Kind = "probabilities", name: str = "pred_probs"
) -> TopK | CompressedRows | None:
    """Return entries as the core reads them, or None if this is no sparse matrix.

    That classes lie in 0..K-1, each but once a row, and that values are probabilities is left for
    the core to check while it reads them.
    """
    if isinstance(pred_probs, TopK | CompressedRows):
        rows: TopK | CompressedRows = pred_probs
    elif is_a(pred_probs, "scipy.sparse", "spmatrix", "sparray"):
        rows = _rows_of_scipy(pred_probs, name)
    else:
        return None
    if kind != "probabilities":
        raise OptionError(
            f"kind={kind!r} does not go with sparse {name}: what is not stored counts as 0, which "
            f"is the least of probabilities, but not of {kind}; pass probabilities, or an array of "
            "all cells"
        )
    sparse = _top_k(rows, name) if isinstance(rows, TopK) else _compressed(rows, name)
    n_examples, n_classes = sparse.shape
    if n_examples == 0:
        raise ShapeError(
            f"{name} is empty, with the shape {sparse.shape}; it needs at least one row"
        )
    if n_classes < 2:  # noqa: PLR2004 - as few as labels can be confused between
        raise ShapeError(f"{name} must have at least two columns; its shape is {sparse.shape}")
    return sparse


def readable_again(matrix: AnyMatrix) -> AnyMatrix:
    """Return what was read, dense or sparse, as something to be read again."""
    again: Any
    if isinstance(matrix, TopK):
        again = TopK(matrix.classes, cells_again(matrix.values), n_classes=matrix.n_classes)
    elif isinstance(matrix, CompressedRows):
        again = matrix._replace(data=cells_again(matrix.data))
    else:
        again = cells_again(cast("Array", matrix))
    return cast("AnyMatrix", again)


def _top_k(top: TopK, name: str) -> TopK:
    classes = _class_numbers(top.classes, f"{name}.classes")
    values = as_values(top.values, f"{name}.values")
    if classes.ndim != 2 or classes.shape != values.shape or classes.shape[1] == 0:  # noqa: PLR2004
        raise ShapeError(
            f"{name}.classes and {name}.values must have the same shape, with a row for each "
            f"example and at least one entry a row; their shapes are {classes.shape} and "
            f"{values.shape}"
        )
    return TopK(classes, values, n_classes=top.n_classes)


def _compressed(rows: CompressedRows, name: str) -> CompressedRows:
    starts = _class_numbers(rows.indptr, f"{name}.indptr")
    starts = np.require(starts, np.int32 if starts.dtype == np.int32 else np.int64, ["C", "A"])
    classes = _class_numbers(rows.indices, f"{name}.indices")
    values = as_values(rows.data, f"{name}.data")
    n_rows, n_columns = rows.shape
    if starts.shape != (n_rows + 1,):
        raise ShapeError(
            f"{name}.indptr must have one entry more than there are rows, {n_rows + 1}, but its "
            f"shape is {starts.shape}"
        )
    if classes.ndim != 1 or classes.shape != values.shape:
        raise ShapeError(
            f"{name}.indices and {name}.data must be of one length, but their shapes are "
            f"{classes.shape} and {values.shape}"
        )
    return CompressedRows(starts, classes, values, (int(n_rows), int(n_columns)))


def _rows_of_scipy(matrix: Any, name: str) -> CompressedRows:
    if matrix.ndim != 2:  # noqa: PLR2004 - rows and columns
        raise ShapeError(
            f"{name} must have two dimensions, a row for each example and a column for each class; "
            f"it has {matrix.ndim}"
        )
    if matrix.format != "csr":
        why = f"its format is {matrix.format!r}, whose entries do not stand row by row"
        size = matrix.nnz * (matrix.dtype.itemsize + 4) + 4 * matrix.shape[0]
        announce_copy(name, size, why, f"pass {name}.tocsr(), made once")
        matrix = matrix.tocsr()
    return CompressedRows(matrix.indptr, matrix.indices, matrix.data, matrix.shape)


def _class_numbers(value: Any, name: str) -> Array:
    """Return integers of any width, in native byte order."""
    if isinstance(value, list | tuple):
        array = read_sequence(value, name)
    else:
        array, _ = read_array(value, name)
    if array.dtype.kind not in "iu":
        raise InputTypeError(
            f"{name} has the dtype {array.dtype}, but must hold class numbers, which are integers; "
            "convert it first"
        )
    if not array.dtype.isnative:
        why = f"its byte order ({array.dtype.str}) is not the one of this machine"
        native = array.dtype.newbyteorder("=")
        announce_copy(name, array.nbytes, why, f"pass {name}.astype('{native.str}'), made once")
        array = array.astype(native)
    return array


# --- Joints --------------------------------------------------------------------------------------


def as_joint_rows(
    confident_joint: object, n_classes: int | None = None, *, name: str = "confident_joint"
) -> CompressedRows | None:
    """Return a joint of shape (K, K) as rows with ascending columns; None if it is not sparse.

    Counts are float64, finite, nowhere below 0, and sum to more than 0; those that were 0 are gone.
    """
    if not is_a(confident_joint, "scipy.sparse", "spmatrix", "sparray"):
        return None
    matrix: Any = confident_joint
    size = matrix.shape[0] if n_classes is None else n_classes
    if matrix.shape != (size, size) or size < 2:  # noqa: PLR2004 - as few as can be confused
        wanted = "at least two" if n_classes is None else f"the {n_classes}"
        raise ShapeError(
            f"{name} must have a row and a column for each of {wanted} classes; its shape is "
            f"{matrix.shape}"
        )
    if matrix.dtype.kind not in "biuf":
        raise InputTypeError(
            f"{name} has the dtype {matrix.dtype}, but must hold real numbers; convert it first"
        )
    rows = matrix.tocsr().astype(np.float64)  # a copy, so that the caller's stays as it is
    rows.sum_duplicates()
    bad = ~(rows.data >= 0) | ~np.isfinite(rows.data)
    if bad.any():
        place = int(bad.argmax())
        row = int(np.searchsorted(rows.indptr, place, side="right")) - 1
        rule = (
            "must not be negative, for it counts examples; make it 0"
            if rows.data[place] < 0 and np.isfinite(rows.data[place])
            else "must be finite; count again, without that cell"
        )
        where = cell_name(name, (row, rows.indices[place]))
        raise InputError(f"{where} is {spelled(rows.data[place])}, but {rule}")
    rows.eliminate_zeros()
    with np.errstate(over="ignore"):
        total = rows.data.sum()
    if not np.isfinite(total):
        raise InputError(
            f"{name} must have a finite sum, but its sum is infinite; divide it by its largest "
            "entry"
        )
    if total < _LEAST_TOTAL:
        raise InputError(
            f"{name} must count at least one example, but its sum is {spelled(total)}; leave it "
            "out, or check how it was counted"
        )
    starts, columns = rows.indptr.astype(np.int64), rows.indices.astype(np.uint32)
    return CompressedRows(starts, columns, rows.data, (size, size))
