"""The third pass: the rows that a filter removes, as many as the joint says."""

from typing import NamedTuple, cast

import numpy as np
import numpy.typing as npt

from conflearn import _core
from conflearn._coerce import as_count, one_of
from conflearn._inputs import Inputs
from conflearn._names import CLASSIC_SCORES, FILTERS, UNRANKED_FILTERS, ClassicScore, Filter
from conflearn._options import Options, read_options
from conflearn.errors import InputTypeError, OptionError, StateError
from conflearn.states.batch import as_rows, read_batch
from conflearn.states.joint import JointState
from conflearn.states.looks import Look
from conflearn.states.state import State

__all__ = ["MOST_SELECTED", "Cuts", "Flagged", "SelectionState"]

#: So many rows a `SelectionState` holds at once, unless it is told otherwise. A row takes 32 bytes,
#: a class and reason to remove it about 150.
MOST_SELECTED = 1_000_000


class Cuts(State[_core.Cuts]):
    """How many rows a filter removes of each class, and as it becomes known up to which row.

    `plan` makes them. ``while not cuts.is_done``, a `SelectionState` of them sees all rows, and
    then `close` takes over what it found; mostly once.

    Examples
    --------
    >>> from conflearn.states import Cuts, JointState, SelectionState
    >>> labels, pred_probs = [0, 0, 1], [[0.75, 0.25], [0.125, 0.875], [0.25, 0.75]]
    >>> joint = JointState([0.5, 0.75])
    >>> seen = joint.update(labels, pred_probs)
    >>> cuts = Cuts.plan(joint, filter_by="prune_by_noise_rate")
    >>> selection = SelectionState(cuts)
    >>> selection.update(labels, pred_probs, rows=0)
    >>> selection.flagged().rows
    array([1])
    >>> cuts.close(selection)
    >>> cuts.is_done
    True
    """

    _read = _core.Cuts.from_bytes

    @classmethod
    def plan(
        cls,
        joint: JointState,
        *,
        filter_by: Filter = "prune_by_noise_rate",
        frac_noise: float = 1.0,
        num_to_remove_per_class: object = None,
        min_examples_per_class: int = 1,
        confident_joint: object = None,
    ) -> "Cuts":
        """Find out how many rows to remove.

        Parameters
        ----------
        joint : JointState
            Of all rows.
        filter_by, frac_noise, num_to_remove_per_class, min_examples_per_class, confident_joint
            As in `conflearn.find_label_issues`; `filter_by` is one of those that need it.

        Returns
        -------
        Cuts

        Raises
        ------
        OptionError
            If an option does not exist, does not fit, or is one that the filter does not use.
        """
        if not isinstance(joint, JointState):
            raise InputTypeError(f"joint must be a JointState, not {type(joint).__name__}")
        options = read_options(
            joint.n_classes,
            filter_by,
            frac_noise,
            num_to_remove_per_class,
            min_examples_per_class,
            confident_joint,
            filters=FILTERS,
        )
        return cls.of_options(joint, options)

    @classmethod
    def of_options(cls, joint: JointState, options: Options) -> "Cuts":
        """Do the same with options that are read already."""
        if options.filter_by in UNRANKED_FILTERS:
            raise OptionError(
                f"filter_by={options.filter_by!r} looks at each row by itself, so there is nothing "
                "to plan; use a Rule, or the mask of a look"
            )
        state = cls.__new__(cls)
        state._core = _core.Cuts.plan(joint._core, options)  # noqa: SLF001 - of this package
        return state

    @property
    def filter_by(self) -> Filter:
        """The filter."""
        return self._core.filter_by

    @property
    def is_done(self) -> bool:
        """Whether all is known: nothing is left to select."""
        return self._core.is_done

    def decide(
        self, seen: Look, batch: Inputs, rows: int | npt.NDArray[np.int64]
    ) -> npt.NDArray[np.int64]:
        """Find the class to suggest for each row that is flagged, -1 for the others.

        A `Rule` calls it, with a batch that is coerced already, and what a look has seen of it.
        """
        labels, pred_probs, threads = batch
        look_ = cast("_core.Look", seen._core)  # noqa: SLF001 - of this package
        return self._core.decide(look_, labels, pred_probs, rows, threads)

    def close(self, selection: "SelectionState") -> None:
        """Take over what a selection found, once it has seen all rows.

        Raises
        ------
        StateError
            If it was not made for these cuts as they are, has not seen each row once, or was
            narrowed by another one that it was not merged with.
        """
        if not isinstance(selection, SelectionState):
            raise InputTypeError(
                f"selection must be a SelectionState, not {type(selection).__name__}"
            )
        self._core.close(selection._core)  # noqa: SLF001 - of this package


class Flagged(NamedTuple):
    """The rows that a filter flags, ascending; all of shape (M,)."""

    #: Their numbers, int64.
    rows: npt.NDArray[np.int64]
    #: What they are ranked by, float64: the lower, the worse.
    scores: npt.NDArray[np.float64]
    #: The most probable class but the given one, int64.
    suggested_labels: npt.NDArray[np.int64]

    @classmethod
    def none(cls) -> "Flagged":
        """No rows."""
        return cls(np.empty(0, np.int64), np.empty(0, np.float64), np.empty(0, np.int64))


class SelectionState(State[_core.SelectionState]):
    """The rows that a filter removes: the third pass.

    Parameters
    ----------
    cuts : Cuts
        How many rows to select of each class, and behind which row.
    rank_by : {"self_confidence", "normalized_margin", "confidence_weighted_entropy"}
        The score to note of each.
    most : int
        Hold no more rows than these at once. Where there are more to select, `covers_all` is
        False, and further rounds are needed.

    Examples
    --------
    See `Cuts`.
    """

    _read = _core.SelectionState.from_bytes

    def __init__(
        self,
        cuts: Cuts,
        *,
        rank_by: ClassicScore = "self_confidence",
        most: int = MOST_SELECTED,
    ) -> None:
        if not isinstance(cuts, Cuts):
            raise InputTypeError(f"cuts must be Cuts, not {type(cuts).__name__}")
        score = one_of(rank_by, CLASSIC_SCORES, "rank_by")
        core = _core.SelectionState(cuts._core, score, as_count(most, "most"))  # noqa: SLF001
        super().__init__(core)

    @property
    def covers_all(self) -> bool:
        """Whether this round selects all there is, so that `flagged` can tell."""
        return self._core.covers_all

    def update(
        self,
        labels: object,
        pred_probs: object,
        *,
        rows: int | npt.NDArray[np.int64],
        n_threads: int | None = None,
    ) -> None:
        """Look through a batch; what raises an `InputError` keeps nothing.

        Each row has to be seen once in a round. After Ctrl-C, or where a file that was read once
        cannot be read again, some rows of a batch may be kept: begin the round anew, or from
        `to_bytes` of before.

        Parameters
        ----------
        labels, pred_probs, n_threads
            As in `ThresholdState.update`.
        rows : int, or ndarray of shape (n,), int64
            The number of the batch's first row, or a number for each row: at least 0, its own among
            all rows of all batches, and the same whenever the row is seen, such as an id. Of equal
            rows, the lower number is removed.

        Raises
        ------
        InputError
            If shapes do not fit, or a label or a cell that is read is out of range.
        StateError
            If there is another number of classes.
        """
        batch = read_batch(labels, pred_probs, n_threads, self.meaning, self.n_classes)
        if batch is not None:
            given, matrix, threads = batch
            self._core.update(given, matrix, as_rows(rows), threads)

    def narrowed(self) -> "SelectionState":
        """Make a state for rows that this one has not seen, to be merged with this one.

        It is empty, of the same round, and knows what the rows here have shown: that of some kinds
        there are enough that are worse than this or that. So it keeps few rows, where one that
        knows nothing keeps most of the first it sees. Parts of data that are fed to states of their
        own, one of them first, are searched in less time and memory so.

        Returns
        -------
        SelectionState
            It cannot tell what is flagged before it is merged with this one, or one that was.

        Examples
        --------
        >>> from conflearn.states import Cuts, JointState, SelectionState
        >>> labels = [0, 0, 0, 1]
        >>> pred_probs = [[0.9, 0.1], [0.2, 0.8], [0.7, 0.3], [0.3, 0.7]]
        >>> joint = JointState([0.6, 0.7])
        >>> _ = joint.update(labels, pred_probs)
        >>> first = SelectionState(Cuts.plan(joint, filter_by="prune_by_noise_rate"))
        >>> first.update(labels[:2], pred_probs[:2], rows=0)
        >>> rest = first.narrowed()
        >>> rest.update(labels[2:], pred_probs[2:], rows=2)
        >>> first.merge(rest)
        >>> first.flagged().rows
        array([1])
        """
        state = type(self).__new__(type(self))
        state._core = self._core.narrowed()  # noqa: SLF001 - of this class
        return state

    def merge(self, other: "SelectionState") -> None:
        """Add what another state has selected.

        Raises
        ------
        StateError
            If it is of other cuts, or another round of them.
        """
        self._core.merge(self._other(other))

    def flagged(self) -> Flagged:
        """Tell which rows the filter flags, once all rows are seen.

        Raises
        ------
        StateError
            If it has not seen each row once, or was narrowed by another one that it was not merged
            with; or it does not `covers_all`: then a `Rule` with the cuts tells, row by row.
        """
        flagged = self._core.flagged()
        if flagged is None:
            raise StateError(
                "this selection holds one round of several, so it cannot tell which rows are "
                "flagged; close the cuts, and apply a Rule with them to all rows"
            )
        return Flagged(*flagged)
