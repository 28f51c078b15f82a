"""The largest cells of each row and their classes, which lie in two places."""

from collections.abc import Generator
from contextlib import closing
from typing import Any

import numpy as np

from conflearn.errors import SourceError
from conflearn.sources.rows import Piece, Rows, in_step

__all__ = ["TopKRows"]


class TopKRows(Rows):
    """Rows of values, and rows of the classes that they are of."""

    def __init__(self, top_k: Any, classes: Rows, values: Rows) -> None:
        self._kind = type(top_k)
        self._n_classes = int(top_k.n_classes)
        self._classes = classes
        self._values = values
        self.n_rows = values.n_rows
        self.place = values.place
        if classes.n_rows != values.n_rows:
            raise SourceError(
                f"pred_probs: classes has {classes.n_rows:,} rows ({classes.place}), but values "
                f"has {values.n_rows:,} ({values.place}); each row needs both"
            )
        one_row = self.probe()
        self.row_bytes = int(one_row.classes.nbytes + one_row.values.nbytes)

    def pieces(self, first_row: int, most: int) -> Generator[Piece, None, None]:
        """Read values, and as many classes."""
        classes = in_step(self._classes, first_row, most, lambda values, _: np.asarray(values))
        with classes as take, closing(self._values.pieces(first_row, most)) as pieces:
            for values, place, _ in pieces:
                yield Piece(self._both(take(len(values)), values), place)

    def probe(self) -> Any:
        """Return one row."""
        return self._both(np.asarray(self._classes.probe())[:1], self._values.probe()[:1])

    def _both(self, classes: Any, values: Any) -> Any:
        return self._kind(classes=classes, values=values, n_classes=self._n_classes)

    def identity(self) -> object:
        """Return those of both."""
        both = [self._classes.identity(), self._values.identity()]
        return None if None in both else [*both, self._n_classes]
