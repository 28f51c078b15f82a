"""The second pass: counts by given and guessed class."""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from conflearn import _core
from conflearn._coerce import as_bool, as_thresholds
from conflearn._inputs import Inputs, read_meaning
from conflearn._names import Kind, Several
from conflearn._sparse_joint import SparseJoint
from conflearn.errors import InputTypeError, ShapeError
from conflearn.states.batch import read_batch
from conflearn.states.judge import Judge
from conflearn.states.looks import Look, look_at
from conflearn.states.state import State

__all__ = ["JointState"]


class JointState(State[_core.JointState]):
    """Counts by given and guessed class: the second pass.

    Parameters
    ----------
    thresholds : array_like of shape (K,)
        What `ThresholdState.finish` returned, of all rows.
    kind, temperature, class_bias
        What the cells of matrices are, as in `conflearn.find_label_issues`.

    Examples
    --------
    >>> from conflearn.states import JointState
    >>> state = JointState([0.5, 0.75])
    >>> seen = state.update([0, 0, 1], [[0.75, 0.25], [0.125, 0.875], [0.25, 0.75]])
    >>> state.num_issues
    1
    >>> state.joint(calibrate=False).to_dense()
    array([[1, 1],
           [0, 1]])
    """

    _read = _core.JointState.from_bytes

    def __init__(
        self,
        thresholds: object,
        *,
        kind: Kind = "probabilities",
        temperature: float = 1.0,
        class_bias: object = None,
        several: Several = "most_probable",
    ) -> None:
        # ``several``, the guess when several classes are confident, is for `conflearn.cleanlab`.
        meaning = read_meaning(kind, temperature, class_bias)
        try:
            cutoffs = np.asarray(thresholds, dtype=np.float64)
        except (TypeError, ValueError) as error:
            raise InputTypeError("thresholds must be numbers, one a class") from error
        if cutoffs.ndim != 1:
            raise ShapeError(
                f"thresholds must have one dimension, one number a class, but its shape is "
                f"{cutoffs.shape}"
            )
        cutoffs = as_thresholds(cutoffs, len(cutoffs))
        super().__init__(_core.JointState(cutoffs, *meaning, several))

    @property
    def thresholds(self) -> npt.NDArray[np.float64]:
        """The thresholds that it counts by, of shape (K,)."""
        return self._core.thresholds

    @property
    def given_counts(self) -> npt.NDArray[np.int64]:
        """How many examples were given each class, of shape (K,)."""
        return self._core.given_counts

    @property
    def n_examples(self) -> int:
        """How many examples were seen."""
        return int(self._core.given_counts.sum())

    @property
    def num_issues(self) -> int:
        """How many issues there are, by ``method="off_diagonal"``."""
        return self._core.num_issues

    @property
    def num_issues_calibrated(self) -> int:
        """The same by ``method="off_diagonal_calibrated"``."""
        return self._core.num_issues_calibrated

    def update(
        self,
        labels: object,
        pred_probs: object,
        *,
        first_row: int = 0,
        entropies: bool = False,
        judges: Sequence[Judge] = (),
        sample_of: int | None = None,
        n_threads: int | None = None,
    ) -> Look:
        """Count a batch of rows; what raises an error counts nothing.

        Parameters
        ----------
        labels, pred_probs, first_row, n_threads
            As in `ThresholdState.update`.
        entropies, judges, sample_of
            As in `look`.

        Returns
        -------
        Look
            What there is to say of each row of the batch.

        Raises
        ------
        InputError
            If shapes do not fit, or a label or a cell is out of range.
        StateError
            If there is another number of classes.
        """
        batch = read_batch(labels, pred_probs, n_threads, self.meaning, self.n_classes)
        return self.update_with(batch, first_row, entropies, judges, sample_of)

    def update_with(
        self,
        batch: Inputs | None,
        first_row: object = 0,
        entropies: object = False,
        judges: Sequence[Judge] = (),
        sample_of: int | None = None,
    ) -> Look:
        """Do the same with a batch that is coerced already."""
        core = self._core
        seen = look_at(
            batch, core.thresholds, core.several, first_row, entropies, judges, sample_of
        )
        if seen._core is not None:  # noqa: SLF001 - of this package
            core.add(seen._core)  # noqa: SLF001
        return seen

    def merge(self, other: "JointState") -> None:
        """Add what another state has counted.

        Raises
        ------
        StateError
            If it is of another number of classes, kind or calibration, or other thresholds.
        """
        self._core.merge(self._other(other))

    def joint(self, *, calibrate: bool = True) -> SparseJoint:
        """Make the confident joint of what was counted.

        Parameters
        ----------
        calibrate : bool, default True
            Scale it to the labels, as `conflearn.confident_joint` does.

        Returns
        -------
        SparseJoint
            ``n_classes``, and the entries that are not zero: ``given``, ``true``, ``counts``.
            Its `to_dense` makes the (K, K) array.
        """
        return SparseJoint.from_rows(*self._core.joint(as_bool(calibrate, "calibrate")))
