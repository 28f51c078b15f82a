"""What labels and matrix are: whether they lie in memory, or are read in blocks.

Nothing is opened here, and nothing that opens is imported: every call comes by.
"""

import os
from collections.abc import Iterable, Iterator
from typing import Any

from conflearn._coerce.objects import is_a
from conflearn._names import Kind
from conflearn.errors import InputTypeError
from conflearn.sources.columns import Columns
from conflearn.sources.source import Source

__all__ = ["is_name", "is_path", "is_sliceable", "is_source", "is_table", "open_source"]

#: What the names of files end with: of those that are read, and of those of which messages say what
#: to do instead.
_SUFFIXES = frozenset(
    [
        ".npy",
        ".npz",
        ".safetensors",
        ".parquet",
        ".pq",
        ".arrow",
        ".arrows",
        ".ipc",
        ".feather",
        ".csv",
        ".tsv",
        ".json",
        ".jsonl",
        ".pkl",
        ".pickle",
        ".pt",
        ".pth",
        ".zarr",
        ".h5",
        ".hdf5",
        ".lance",
    ]
)

#: Tables that are scanned.
_SCANNED = (
    ("polars", "LazyFrame"),
    ("pyarrow.dataset", "Dataset"),
    ("datasets", "Dataset"),
)

#: Tables that lie in memory, where they may as well be read as they are.
_FRAMES = (
    ("polars", "DataFrame"),
    ("pandas", "DataFrame"),
    ("pyarrow", "Table"),
    ("pyarrow", "RecordBatch"),
)

#: Other things that lie in memory, which the core reads without slicing.
_IN_MEMORY = (
    ("numpy", "ndarray", "generic"),
    ("pandas", "DataFrame", "Series", "Index"),
    ("pandas.api.extensions", "ExtensionArray"),
    ("polars", "DataFrame", "Series"),
    ("pyarrow", "Table", "RecordBatch", "Array", "ChunkedArray"),
    ("scipy.sparse", "spmatrix", "sparray"),
    ("torch", "Tensor"),
)
_LENDING = ("__array_interface__", "__array_struct__", "__dlpack__", "__cuda_array_interface__")

_TOP_K = ("classes", "values", "n_classes")


def open_source(
    labels: object,
    pred_probs: object,
    *,
    kind: Kind = "probabilities",
    classes: Iterable[Any] | None = None,
    in_memory_too: bool = False,
    of_tags: bool = False,
) -> Source | None:
    """Open labels and matrix that are to be read in blocks.

    Parameters
    ----------
    labels : object
        Labels in memory, of any kind that the other functions take; or a path, a list of paths or a
        glob; or an array of one dimension that gives rows when sliced; or `Columns`; or the name of
        a column of the table, or of an array in the file, that `pred_probs` is. None: that name is
        looked for; of batches, the labels are in them.
    pred_probs : object
        A path, a list of paths or a glob (each file has the next rows); an array of two dimensions
        that gives rows when sliced; a table or `Columns` of one (without `Columns`, columns of
        floats must be called like `classes`, or be numbered); or an iterable of batches
        ``(labels, pred_probs)`` that can be iterated anew for each pass, or a function that returns
        an iterator over them.
    kind : {"probabilities", "logits", "scores"}
        What the cells are.
    classes : iterable of K names, optional
        What the columns of `pred_probs` stand for.
    in_memory_too : bool, default False
        Whether to make a source of what lies in memory, by lending slices.
    of_tags : bool, default False
        Whether each example has any number of tags. Then labels may have two dimensions, and the
        file of a sparse matrix may hold them.

    Returns
    -------
    Source or None
        None if both lie in memory.

    Raises
    ------
    SourceError
        If a file is missing, cut short, damaged or does not go with the others.
    InputError, InputTypeError
        If labels or matrix are not what conflearn reads; if labels come beside batches, or a loader
        shuffles.
    MissingDependencyError
        If the package that reads the file is not installed.
    """
    _refuse_group(labels, "labels")
    _refuse_group(pred_probs, "pred_probs")
    is_batches = labels is None and _is_iterated(pred_probs)
    if is_batches:
        _refuse_iterator(pred_probs)
        _refuse_shuffled(pred_probs)
    elif _is_loader(pred_probs):
        raise InputTypeError(
            f"labels are given beside a {type(pred_probs).__name__} of batches as pred_probs, but "
            "batches hold their labels, as pairs (labels, pred_probs); pass None as labels"
        )
    elif not (
        in_memory_too
        or isinstance(pred_probs, str)
        or is_source(pred_probs)
        or _is_apart(labels, pred_probs)
    ):
        return None
    from conflearn.sources.opening import batches_source, joined_source

    if is_batches:
        return batches_source(pred_probs, kind, classes, of_tags=of_tags)
    return joined_source(labels, pred_probs, kind, classes, of_tags=of_tags)


def is_source(value: object) -> bool:
    """Whether this argument, whatever the other one is, is read in blocks."""
    if isinstance(value, list | tuple):
        return bool(value) and all(map(is_path, value))
    return (
        isinstance(value, Columns)
        or is_path(value)
        or is_scanned(value)
        or is_sliceable(value)
        or (is_top_k(value) and any(is_source(getattr(value, name)) for name in _TOP_K[:2]))
    )


def is_path(value: object) -> bool:
    """Whether this is the path of a file, or a glob, rather than a name or a number."""
    if isinstance(value, str):
        # By the name alone: there may be a file that is called like a class, but hardly one whose
        # name has a suffix or a folder too. Not by pathlib, which takes long to import.
        suffix = os.path.splitext(value)[1].lower()  # noqa: PTH122 - see above
        has_folder = "/" in value or os.sep in value
        if suffix in _SUFFIXES or (suffix and has_folder):
            return True
        return bool(suffix or has_folder) and os.path.isfile(value)  # noqa: PTH113 - see above
    return isinstance(value, os.PathLike)


def is_name(value: object) -> bool:
    """Whether this is the name of a column."""
    return isinstance(value, str) and not is_path(value)


def is_scanned(value: object) -> bool:
    """Whether this is a table that does not lie in memory."""
    return any(is_a(value, library, name) for library, name in _SCANNED)


def is_table(value: object) -> bool:
    """Whether this is a table, in memory or not."""
    return any(is_a(value, library, name) for library, name in _SCANNED + _FRAMES)


def is_sliceable(value: object) -> bool:
    """Whether this looks like an array that does not lie in memory, but gives rows when sliced."""
    if isinstance(value, type | memoryview) or any(is_a(value, *known) for known in _IN_MEMORY):
        return False
    return (
        not is_top_k(value)
        and isinstance(getattr(value, "shape", None), tuple)
        and hasattr(value, "__getitem__")
        and not any(hasattr(value, lends) for lends in _LENDING)
    )


def is_top_k(value: object) -> bool:
    """Whether this holds the largest cells of each row, and which classes they are of."""
    return all(hasattr(value, name) for name in _TOP_K)


def _is_apart(labels: object, pred_probs: object) -> bool:
    """Whether the labels make a source of a matrix in memory."""
    if is_table(pred_probs):  # the labels are a column of it
        return labels is None or isinstance(labels, str) or is_source(labels)
    return is_source(labels)


def _is_iterated(value: object) -> bool:
    """Whether, without labels, this can only be batches."""
    if isinstance(value, str | bytes | type) or is_source(value) or is_table(value):
        return False
    if isinstance(value, list | tuple):
        return True
    return callable(value) or (
        isinstance(value, Iterable) and not is_top_k(value) and not hasattr(value, "shape")
    )


def _is_loader(value: Any) -> bool:
    """Whether this can only be batches, with labels or without, and never a matrix."""
    # Of a `TopK` of files, the shape is not known.
    if isinstance(value, type) or is_table(value) or is_top_k(value) or hasattr(value, "shape"):
        return False
    lends = any(hasattr(value, name) for name in (*_LENDING, "__array__", "__getitem__"))
    return not lends and (callable(value) or isinstance(value, Iterable))


def _refuse_group(value: Any, argument: str) -> None:
    for library in ("h5py", "zarr"):
        if is_a(value, library, "Group"):
            raise InputTypeError(
                f"{argument} is a {library}.{type(value).__name__}, which holds arrays by name; "
                "pass one of them, such as file['name']"
            )


def _refuse_shuffled(loader: Any) -> None:
    """Refuse a loader of torch that gives the rows in another order each time.

    That passes differ would be noticed at the end of the second one; and one pass alone would give
    results whose rows nobody could find again.
    """
    sampler = getattr(loader, "sampler", None)
    if sampler is not None and (
        "Random" in type(sampler).__name__ or getattr(sampler, "shuffle", False) is True
    ):
        raise InputTypeError(
            f"pred_probs is a {type(loader).__name__} with a {type(sampler).__name__}, which "
            "shuffles the rows, but each pass needs them in the same order; make the loader with "
            "shuffle=False"
        )


def _refuse_iterator(value: Any) -> None:
    if isinstance(value, Iterator):
        raise InputTypeError(
            f"pred_probs is an iterator ({type(value).__name__}), which gives its batches once, "
            "but they are needed for several passes; pass what makes it: the function itself, "
            "without calling it, or a list, a DataLoader, or an object whose __iter__ starts anew"
        )
