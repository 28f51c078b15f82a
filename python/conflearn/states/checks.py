"""In any pass: what shows that labels and matrix are not what they should be."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from conflearn import _core
from conflearn._coerce import as_class_names
from conflearn._inputs import Inputs, read_meaning
from conflearn._names import Kind
from conflearn.errors import InputTypeError
from conflearn.states.batch import as_n_classes, as_rows, read_batch
from conflearn.states.looks import Look
from conflearn.states.state import State

if TYPE_CHECKING:
    from conflearn.checks import InputReport

__all__ = ["CheckState"]


class CheckState(State[_core.CheckState]):
    """What `conflearn.check_inputs` is made from: a pass by itself, or a part of another.

    Parameters
    ----------
    n_classes : int
        K, from 2 to 2,097,152.
    kind, temperature, class_bias
        What the cells of matrices are, as in `conflearn.find_label_issues`.

    Examples
    --------
    >>> from conflearn.states import CheckState
    >>> state = CheckState(2)
    >>> state.update([0, 1, 0], [[0.75, 0.25], [0.5, 0.5], [0.875, 0.125]])
    >>> state.report().names
    ('rare_classes',)
    """

    _read = _core.CheckState.from_bytes

    def __init__(
        self,
        n_classes: int,
        *,
        kind: Kind = "probabilities",
        temperature: float = 1.0,
        class_bias: object = None,
    ) -> None:
        meaning = read_meaning(kind, temperature, class_bias)
        super().__init__(_core.CheckState(as_n_classes(n_classes), *meaning))

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
        rows: int | npt.NDArray[np.int64] = 0,
        n_threads: int | None = None,
    ) -> None:
        """Add a batch of rows, every cell of which is read; what raises an error adds nothing.

        Parameters
        ----------
        labels, pred_probs, n_threads
            As in `ThresholdState.update`.
        rows : int or ndarray of shape (n,), int64, default 0
            The number of the first row, if they follow each other; or a number for each row. By
            these, findings name rows.

        Raises
        ------
        InputError
            If shapes do not fit, or a label or a cell is out of range.
        StateError
            If there is another number of classes.
        """
        batch = read_batch(labels, pred_probs, n_threads, self.meaning, self.n_classes)
        if batch is not None:
            self.update_with(batch, as_rows(rows))

    def update_with(self, batch: Inputs, rows: int | npt.NDArray[np.int64] = 0) -> None:
        """Do the same with a batch that is coerced already."""
        self._core.update(batch.labels, batch.pred_probs, rows, batch.n_threads)

    def add(self, look: Look) -> None:
        """Add what a look at a batch has found, so that its cells are not read again.

        Sums of cells are then those of the look's sample (``sample_of`` of `look`), and equal rows
        are not looked for.

        Raises
        ------
        InputTypeError
            If it is no look.
        StateError
            If it is of another number of classes, kind or temperature.
        """
        if not isinstance(look, Look):
            raise InputTypeError(
                f"look is a {type(look).__name__}, but must be what conflearn.states.look or "
                "JointState.update returns"
            )
        if look._core is not None:  # noqa: SLF001 - of this package
            self._core.add(look._core)  # noqa: SLF001

    def merge(self, other: "CheckState") -> None:
        """Add what another state has seen.

        Raises
        ------
        StateError
            If it is of another number of classes, kind or temperature.
        """
        self._core.merge(self._other(other))

    def report(self, classes: Sequence[object] | None = None) -> "InputReport":
        """Say what the rows that were seen show.

        Parameters
        ----------
        classes : sequence of K names, optional
            What the columns are called.

        Returns
        -------
        InputReport
            What `conflearn.check_inputs` of all these rows returns.
        """
        from conflearn.checks.check import report_of

        if classes is not None:
            classes = as_class_names(
                classes, self.n_classes, columns_of="pred_probs", name="classes"
            )
        return report_of(self._core, classes)
