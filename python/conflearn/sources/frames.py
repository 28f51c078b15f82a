"""Frames of pandas and polars, eager and lazy."""

from collections.abc import Generator
from typing import Any

import numpy as np

from conflearn._coerce.objects import Array
from conflearn.sources.rows import digest
from conflearn.sources.tables import Sort, Table, refuse_twins

__all__ = ["PandasFrame", "PolarsFrame", "PolarsQuery"]


# --- polars --------------------------------------------------------------------------------------


class _PolarsBatch:
    """A DataFrame, with the methods that `Table` asks for."""

    def __init__(self, frame: Any) -> None:
        self._frame = frame

    def __len__(self) -> int:
        return int(self._frame.height)

    def select(self, names: list[str]) -> Any:
        return self._frame.select(names)

    def column(self, name: str) -> Any:
        return self._frame.get_column(name)


def _polars_sort(kind: Any) -> Sort:
    import polars as pl

    if isinstance(kind, pl.List | pl.Array):
        return "list" if kind.inner is not None and kind.inner.is_numeric() else "other"
    if kind.is_float():
        return "float"
    labels = (pl.Boolean, pl.String, pl.Categorical, pl.Enum)
    return "label" if kind.is_integer() or kind in labels else "other"


class PolarsFrame(Table):
    """A DataFrame, which lends rows."""

    def __init__(self, frame: Any, argument: str) -> None:
        columns = {name: _polars_sort(kind) for name, kind in frame.schema.items()}
        super().__init__(f"{argument} (polars.DataFrame)", argument, columns, frame.height)
        self._frame = frame

    def batches(
        self, names: list[str], first_row: int, most: int
    ) -> Generator[_PolarsBatch, None, None]:
        """Slice it."""
        chosen = self._frame.select(names)
        for row in range(first_row, self.n_rows, most):
            yield _PolarsBatch(chosen.slice(row, most))

    def identity(self) -> object:
        """Return a digest of the hashes of its rows."""
        return digest(self._frame.hash_rows(seed=0).to_numpy())


class PolarsQuery(Table):
    """A LazyFrame, which is computed anew with each pass."""

    def __init__(self, query: Any, argument: str) -> None:
        import polars as pl

        columns = {name: _polars_sort(kind) for name, kind in query.collect_schema().items()}
        n_rows = query.select(pl.len()).collect().item()
        super().__init__(f"{argument} (polars.LazyFrame)", argument, columns, n_rows)
        self._query = query

    def batches(
        self, names: list[str], first_row: int, most: int
    ) -> Generator[_PolarsBatch, None, None]:
        """Compute it, a part at a time."""
        query = self._query.select(names)
        if not hasattr(query, "collect_batches"):  # before polars 1.34
            for row in range(first_row, self.n_rows, most):
                yield _PolarsBatch(query.slice(row, most).collect())
            return
        for frame in query.slice(first_row).collect_batches(chunk_size=most):
            for row in range(0, frame.height, most):
                yield _PolarsBatch(frame.slice(row, most))

    def identity(self) -> object:
        """Nothing tells what a query will give."""
        return None


# --- pandas --------------------------------------------------------------------------------------


class _PandasBatch:
    """A DataFrame, with the methods that `Table` asks for."""

    def __init__(self, frame: Any) -> None:
        self._frame = frame

    def __len__(self) -> int:
        return len(self._frame)

    def select(self, names: list[str]) -> Any:
        return self._frame[names]

    def column(self, name: str) -> Any:
        return self._frame[name]


def _pandas_sort(column: Any) -> Sort:
    kind = getattr(column.dtype, "kind", "O")
    if kind == "f":
        return "float"
    if kind == "O" and len(column) and not isinstance(column.iloc[0], str):
        first = np.asarray(column.iloc[0])
        if first.ndim:
            return "list" if first.dtype.kind in "fiu" else "other"
    return "label" if kind in "biuUO" else "other"


def _plain(values: Array) -> Array:
    """Return what stands in memory in place of pointers to it: the text of each object."""
    if values.dtype.kind in "biuf":
        return values
    cells = (cell.tolist() if isinstance(cell, np.ndarray) else cell for cell in values)
    return np.frombuffer("\n".join(map(repr, cells)).encode(), np.uint8)


class PandasFrame(Table):
    """A DataFrame, which lends rows."""

    def __init__(self, frame: Any, argument: str) -> None:
        place = f"{argument} (pandas.DataFrame)"
        names = [str(name) for name in frame.columns]
        refuse_twins(names, place, argument)
        columns = {name: _pandas_sort(frame.iloc[:, i]) for i, name in enumerate(names)}
        super().__init__(place, argument, columns, len(frame))
        self._frame = frame.set_axis(list(columns), axis=1)

    def batches(
        self, names: list[str], first_row: int, most: int
    ) -> Generator[_PandasBatch, None, None]:
        """Slice it."""
        for row in range(first_row, self.n_rows, most):
            yield _PandasBatch(self._frame.iloc[row : row + most][names])

    def identity(self) -> object:
        """Return digests of its columns."""
        return [digest(_plain(self._frame[name].to_numpy())) for name in self.columns]
