"""The first pass: how confident the model is, on average, in the examples given a class."""

import numpy as np
import numpy.typing as npt

from conflearn import _core
from conflearn._coerce import as_count
from conflearn._inputs import Inputs, read_meaning
from conflearn._names import Kind
from conflearn.states.batch import as_n_classes, read_batch
from conflearn.states.state import State

__all__ = ["ThresholdState"]


class ThresholdState(State[_core.ThresholdState]):
    """Sums of the own-class cells of each class: the first pass.

    Parameters
    ----------
    n_classes : int
        K, from 2 to 2,097,152.
    kind, temperature, class_bias
        What the cells of matrices are, as in `conflearn.find_label_issues`.

    Examples
    --------
    >>> from conflearn.states import ThresholdState
    >>> state = ThresholdState(2)
    >>> state.update([0, 1], [[0.75, 0.25], [0.5, 0.5]])
    >>> state.finish()
    array([0.75, 0.5 ])
    """

    _read = _core.ThresholdState.from_bytes

    def __init__(
        self,
        n_classes: int,
        *,
        kind: Kind = "probabilities",
        temperature: float = 1.0,
        class_bias: object = None,
    ) -> None:
        meaning = read_meaning(kind, temperature, class_bias)
        super().__init__(_core.ThresholdState(as_n_classes(n_classes), *meaning))

    @property
    def given_counts(self) -> npt.NDArray[np.int64]:
        """How many examples were given each class, of shape (K,)."""
        return self._core.given_counts

    @property
    def n_examples(self) -> int:
        """How many examples were seen."""
        return int(self._core.given_counts.sum())

    def update(
        self,
        labels: object,
        pred_probs: object,
        *,
        first_row: int = 0,
        n_threads: int | None = None,
    ) -> None:
        """Add a batch of rows; what raises an error adds nothing.

        Parameters
        ----------
        labels : array_like of shape (n,)
            Given labels, integers 0..K-1.
        pred_probs : array_like of shape (n, K)
            Of which the own-class cells are read.
        first_row : int, default 0
            The number of the first row, from which errors count.
        n_threads : int, optional
            Number of threads; by default `conflearn.n_threads()`.

        Raises
        ------
        InputError
            If shapes do not fit, or a label or a cell that is read is out of range.
        StateError
            If there is another number of classes.
        """
        batch = read_batch(labels, pred_probs, n_threads, self.meaning, self.n_classes)
        if batch is not None:
            self.update_with(batch, as_count(first_row, "first_row"))

    def update_with(self, batch: Inputs, first_row: int = 0) -> None:
        """Do the same with a batch that is coerced already."""
        self._core.update(batch.labels, batch.pred_probs, first_row, batch.n_threads)

    def merge(self, other: "ThresholdState") -> None:
        """Add what another state has seen.

        Raises
        ------
        StateError
            If it is of another number of classes, kind or calibration.
        """
        self._core.merge(self._other(other))

    def finish(self) -> npt.NDArray[np.float64]:
        """Divide: the thresholds that `conflearn.confident_thresholds` finds, of shape (K,)."""
        return self._core.finish()
