"""Which files labels and matrix are read from, so that no result is written over them."""

import glob
import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from conflearn._coerce.objects import is_a
from conflearn.sources.columns import Columns
from conflearn.sources.opened import is_path, is_top_k

__all__ = ["files_of"]

#: How polars tells, in the plan of a query, what it scans.
_SCANNED = re.compile(r"SCAN \[([^\]]*)\]")


def files_of(value: Any) -> Iterator[Path]:
    """Go over the files of labels, or of a matrix, as far as they are known."""
    if isinstance(value, Columns):
        yield from files_of(value.source)
    elif is_path(value):
        text = os.fsdecode(value)
        yield Path(text)
        yield from map(Path, glob.glob(text, recursive=True))  # noqa: PTH207 - it takes any path
    elif isinstance(value, list | tuple) and value and all(map(is_path, value)):
        for path in value:
            yield from files_of(path)
    elif is_top_k(value):
        yield from files_of(value.classes)
        yield from files_of(value.values)
    elif isinstance(value, np.ndarray):
        yield from _mapped(value)
    elif is_a(value, "pyarrow.dataset", "FileSystemDataset"):
        yield from map(Path, value.files)
    elif is_a(value, "polars", "LazyFrame"):
        for scanned in _SCANNED.findall(value.explain(optimized=False)):
            yield from map(Path, scanned.split(", "))


def _mapped(array: Any) -> Iterator[Path]:
    """Find the file that an array, or what it is a part of, maps."""
    while isinstance(array, np.ndarray):
        if isinstance(array, np.memmap) and array.filename is not None:
            yield Path(os.fsdecode(array.filename))
            return
        array = array.base
