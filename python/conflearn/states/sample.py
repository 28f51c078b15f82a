"""A sample of rows, the same however they are dealt out."""

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from conflearn import _core
from conflearn._coerce import as_count
from conflearn._inputs import Inputs, read_meaning
from conflearn._names import Kind
from conflearn.states.batch import as_n_classes, as_rows, read_batch
from conflearn.states.state import State

__all__ = ["SampleState", "sample_size"]

_MOST_ROWS = 10_000
_FEWEST_ROWS = 2_000
_MOST_CELLS = 2_000_000


def sample_size(n_classes: int) -> int:
    """Say how many rows are enough to fit a calibration of so many classes to.

    What is fitted to every class alike settles with two thousand rows; the bias of a class that has
    few of them stays near 0, however many there are of others. Fewer than ten thousand of few
    classes are too few to see where an accurate model errs.
    """
    return min(_MOST_ROWS, max(_MOST_CELLS // n_classes, _FEWEST_ROWS))


class FittedSample(NamedTuple):
    """A sample, and what fits its probabilities to its labels."""

    sample: _core.Sample
    temperature: float
    #: Of shape (K,).
    class_bias: npt.NDArray[np.float64]


class SampleState(State[_core.SampleState]):
    """The rows whose numbers have the lowest hashes: a random sample of all rows that were seen.

    Parameters
    ----------
    n_classes : int
        K, from 2 to 2,097,152.
    kind, temperature, class_bias
        What the cells of matrices are, as in `conflearn.find_label_issues`.
    size : int, optional
        How many rows to keep: by default 10,000, fewer of more than 200 classes, and at least
        2,000. But for 200, no more are kept than have 2^23 probabilities above 0 altogether.

    Examples
    --------
    >>> from conflearn.states import SampleState
    >>> state = SampleState(2)
    >>> state.update([0, 1], [[0.75, 0.25], [0.5, 0.5]], rows=0)
    >>> state.n_examples
    2
    """

    _read = _core.SampleState.from_bytes
    #: Kept for who asks again.
    _fitted: FittedSample | None = None

    def __init__(
        self,
        n_classes: int,
        *,
        kind: Kind = "probabilities",
        temperature: float = 1.0,
        class_bias: object = None,
        size: int | None = None,
    ) -> None:
        meaning = read_meaning(kind, temperature, class_bias)
        n = as_n_classes(n_classes)
        most = sample_size(n) if size is None else as_count(size, "size")
        super().__init__(_core.SampleState(n, *meaning, most))

    @property
    def n_examples(self) -> int:
        """How many examples were seen."""
        return self._core.n_examples

    def update(
        self,
        labels: object,
        pred_probs: object,
        *,
        rows: int | npt.NDArray[np.int64],
        n_threads: int | None = None,
    ) -> None:
        """See a batch of rows; what raises an error adds nothing.

        Parameters
        ----------
        labels, pred_probs, n_threads
            As in `ThresholdState.update`. Only rows that are kept are read and checked.
        rows : int, or ndarray of shape (n,), int64
            As in `SelectionState.update`.

        Raises
        ------
        InputError
            If shapes do not fit, or a label or a cell that is read is out of range.
        StateError
            If there is another number of classes.
        """
        batch = read_batch(labels, pred_probs, n_threads, self.meaning, self.n_classes)
        if batch is not None:
            self.update_with(batch, as_rows(rows))

    def update_with(self, batch: Inputs, rows: int | npt.NDArray[np.int64] = 0) -> None:
        """Do the same with a batch that is coerced already."""
        self._fitted = None
        self._core.update(batch.labels, batch.pred_probs, rows, batch.n_threads)

    def merge(self, other: "SampleState") -> None:
        """Add what another state has seen.

        Raises
        ------
        StateError
            If it is of another number of classes, kind, calibration or size.
        """
        self._fitted = None
        self._core.merge(self._other(other))

    def fit(self, n_threads: int | None = None) -> FittedSample:
        """Make the sample, and fit a calibration to it, as `conflearn.fit_calibration` does.

        Parameters
        ----------
        n_threads : int, optional
            Number of threads; by default `conflearn.n_threads()`.
        """
        if self._fitted is None:
            sample = self._core.finish()
            threads = _core.default_n_threads() if n_threads is None else n_threads
            self._fitted = FittedSample(sample, *sample.fit(threads))
        return self._fitted
