"""Tables of results: record arrays, and data frames of them."""

import sys
from importlib import import_module
from typing import Any, Literal, TypeAlias, get_args

import numpy as np
import numpy.typing as npt

from conflearn._coerce import one_of
from conflearn._coerce.objects import spelled
from conflearn.errors import MissingDependencyError

__all__ = ["Library", "Table", "as_frame", "as_table"]

#: Fields by name, one entry a row.
Table: TypeAlias = "np.recarray[Any, Any]"
Library = Literal["pandas", "polars"]

_LIBRARIES: tuple[Library, ...] = get_args(Library)


def as_table(**columns: npt.NDArray[Any]) -> Table:
    """Put columns of equal length side by side."""
    dtype = [(name, column.dtype) for name, column in columns.items()]
    records = np.recarray(len(next(iter(columns.values()))), dtype=dtype)
    for name, column in columns.items():
        records[name] = column
    return records


def as_frame(table: Table, library: Library | None) -> Any:
    """Make a data frame with the fields as columns."""
    columns = {name: table[name] for name in table.dtype.names or ()}
    return _frame_library(library).DataFrame(columns)


def _frame_library(library: Library | None) -> Any:
    """Import the library that is asked for, or the one that there is."""
    if library is not None:
        wanted: tuple[Library, ...] = (one_of(library, _LIBRARIES, "library"),)
    else:
        wanted = tuple(sorted(_LIBRARIES, key=lambda name: name not in sys.modules))
    for name in wanted:
        try:
            return import_module(name)
        except ImportError:
            continue
    raise MissingDependencyError(
        f"a data frame needs {' or '.join(wanted)}: pip install {spelled(wanted[0])[1:-1]}"
    )
