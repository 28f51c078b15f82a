"""States: what a pass over some rows leaves, for data that are never all in one place.

Each state is updated with one batch of rows after the other; batches may be of any sizes and come
in any order. States that were made with the same arguments are merged in any order; one that has
seen nothing changes nothing. So the answer is that of one call with all rows, to the bit. States
are small: none holds anything of every row. `to_bytes` writes them, for another machine or a file;
`from_bytes` reads them, and takes nothing for granted (no pickle). A state is for one thread at a
time: threads of their own fill states of their own, which are merged.

====================  =========================================================================
pass                  state, and what it leaves
====================  =========================================================================
1, *thresholds*       `ThresholdState`: mean self-confidence of each class
2, *joint*            `JointState`: the confident joint, and how many issues there are
3, *selection*        `SelectionState`: the rows that a filter removes, as many as `Cuts` say
in any later pass     `Rule`: what is to be said of each row by itself
====================  =========================================================================

The third is for the filters that remove so many rows of each class, or so many in all. How many
is known only after the second; ``confident_learning`` and ``predicted_neq_given`` need neither.

>>> import conflearn
>>> labels = [0, 0, 0, 1, 1]
>>> pred_probs = [[0.9, 0.1], [0.8, 0.2], [0.2, 0.8], [0.3, 0.7], [0.1, 0.9]]
>>> here, there = ThresholdState(2), ThresholdState(2)
>>> here.update(labels[:3], pred_probs[:3])
>>> there.update(labels[3:], pred_probs[3:])
>>> here.merge(ThresholdState.from_bytes(there.to_bytes()))
>>> here.finish()
array([0.63333333, 0.8       ])
"""

from collections.abc import Sequence
from typing import Any, Generic, NamedTuple, TypeVar, cast

import numpy as np
import numpy.typing as npt

from conflearn import _core
from conflearn._coerce import as_bool, as_count, as_thresholds, one_of
from conflearn._inputs import Inputs, read_inputs, read_kind
from conflearn._names import FILTERS, SCORES, Filter, Kind, Score, Several
from conflearn._options import Options, read_options
from conflearn._sparse_joint import SparseJoint
from conflearn.errors import InputTypeError, OptionError, ShapeError, StateError

__all__ = [
    "MOST_SELECTED",
    "Cuts",
    "Flagged",
    "JointState",
    "Look",
    "RowResults",
    "Rule",
    "SelectionState",
    "ThresholdState",
    "look",
]

#: So many rows a `SelectionState` holds at once, unless it is told otherwise. A row takes 32 bytes,
#: a class and reason to remove it about 130.
MOST_SELECTED = 1_000_000

_LEAST_CLASSES = 2
_MOST_CLASSES = 2_097_152

#: The filters that look at each row by itself.
OF_SINGLE_ROWS: tuple[Filter, ...] = ("confident_learning", "predicted_neq_given")

_Core = TypeVar(
    "_Core",
    _core.ThresholdState,
    _core.JointState,
    _core.Cuts,
    _core.SelectionState,
    _core.TagThresholdState,
    _core.TagJointState,
    _core.TagCuts,
    _core.TagSelectionState,
)


class State(Generic[_Core]):
    """What every state does in the same way."""

    _read: Any  # the core's from_bytes

    def __init__(self, core: _Core) -> None:
        self._core: _Core = core

    @property
    def n_classes(self) -> int:
        """K."""
        return self._core.n_classes

    @property
    def kind(self) -> Kind:
        """What the cells of matrices are."""
        return self._core.kind

    @property
    def temperature(self) -> float:
        """What logits are divided by."""
        return self._core.temperature

    def to_bytes(self) -> bytes:
        """Write the state.

        Returns
        -------
        bytes
            A header with the version and a checksum, and the contents.
        """
        return self._core.to_bytes()

    @classmethod
    def from_bytes(cls, data: bytes) -> Any:
        """Read a state.

        Parameters
        ----------
        data : bytes
            What `to_bytes` of the same class returned. They may come from a stranger: all that is
            in them is checked.

        Returns
        -------
        The state, equal to the one that was written.

        Raises
        ------
        StateError
            If the bytes are damaged, of another version or another kind of state.
        InputTypeError
            If it is not bytes.
        """
        if not isinstance(data, bytes | bytearray | memoryview):
            raise InputTypeError(f"data must be bytes, not {type(data).__name__}")
        state = cls.__new__(cls)
        state._core = cls._read(bytes(data))  # noqa: SLF001 - of this class
        return state

    def __eq__(self, other: object) -> bool:
        if type(other) is not type(self):
            return NotImplemented
        return bool(self._core == other._core)

    __hash__ = None  # type: ignore[assignment] # as of everything that can change

    def __repr__(self) -> str:
        return f"<{type(self).__name__} of {self.kind} of {self.n_classes:,} classes>"

    def __reduce__(self) -> tuple[Any, tuple[bytes]]:
        return type(self).from_bytes, (self.to_bytes(),)

    def _other(self, other: object) -> _Core:
        if type(other) is not type(self):
            raise StateError(
                f"a {type(self).__name__} merges with one of its own class, not with a "
                f"{type(other).__name__}"
            )
        if other is self:
            raise StateError("a state does not merge with itself: its rows would count twice")
        return other._core  # noqa: SLF001 - of the same class


class ThresholdState(State[_core.ThresholdState]):
    """Sums of the own-class cells of each class: the first pass.

    Parameters
    ----------
    n_classes : int
        K, from 2 to 2,097,152.
    kind, temperature
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
        self, n_classes: int, *, kind: Kind = "probabilities", temperature: float = 1.0
    ) -> None:
        meant, divisor = read_kind(kind, temperature)
        count = as_count(n_classes, "n_classes")
        if not _LEAST_CLASSES <= count <= _MOST_CLASSES:
            raise OptionError(
                f"n_classes must lie between {_LEAST_CLASSES} and {_MOST_CLASSES:,}, but is "
                f"{count:,}"
            )
        super().__init__(_core.ThresholdState(count, meant, divisor))

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
        meant = (self.kind, self.temperature)
        batch = _read_batch(labels, pred_probs, n_threads, meant, self.n_classes)
        if batch is not None:
            first = as_count(first_row, "first_row")
            self._core.update(batch.labels, batch.pred_probs, first, batch.n_threads)

    def merge(self, other: "ThresholdState") -> None:
        """Add what another state has seen.

        Raises
        ------
        StateError
            If it is of another number of classes, kind or temperature.
        """
        self._core.merge(self._other(other))

    def finish(self) -> npt.NDArray[np.float64]:
        """Divide: the thresholds that `conflearn.confident_thresholds` finds, of shape (K,)."""
        return self._core.finish()


class Look:
    """What one sweep over a batch has found out about each of its rows. `look` makes it."""

    def __init__(self, core: _core.Look | None) -> None:
        self._core = core  # None of no rows

    @property
    def n_examples(self) -> int:
        """How many rows."""
        return 0 if self._core is None else self._core.n_examples

    def scores(self, method: Score) -> npt.NDArray[np.float64]:
        """Score each row, as `conflearn.label_quality_scores` does.

        Returns
        -------
        ndarray of shape (n,), float64

        Raises
        ------
        OptionError
            If it is ``confidence_weighted_entropy``, and the look was without ``entropies=True``.
        """
        one_of(method, SCORES, "method")
        if self._core is None:
            return np.empty(0)
        scores = self._core.scores(method)
        if scores is None:
            raise OptionError(f"method={method!r} needs a look with entropies=True")
        return scores

    def mask(self, filter_by: Filter) -> npt.NDArray[np.bool_]:
        """Flag rows, by a filter that looks at each row by itself.

        Returns
        -------
        ndarray of shape (n,), bool

        Raises
        ------
        OptionError
            If it is another filter: those need a `SelectionState`.
        """
        one_of(filter_by, FILTERS, "filter_by")
        mask = None if self._core is None else self._core.mask(filter_by)
        if filter_by not in OF_SINGLE_ROWS:
            raise OptionError(
                f"filter_by={filter_by!r} removes so many rows of each class, which no row can "
                "tell by itself; use a SelectionState"
            )
        return np.empty(0, dtype=np.bool_) if mask is None else mask

    def most_probable_others(self) -> npt.NDArray[np.int64]:
        """Find the most probable class but the given one, -1 where that is more probable.

        Returns
        -------
        ndarray of shape (n,), int64
            What to suggest for a row that `mask` flags.
        """
        return (
            np.empty(0, dtype=np.int64) if self._core is None else self._core.most_probable_others()
        )


def look(
    labels: object,
    pred_probs: object,
    thresholds: object,
    *,
    kind: Kind = "probabilities",
    temperature: float = 1.0,
    first_row: int = 0,
    entropies: bool = False,
    n_threads: int | None = None,
) -> Look:
    """Look at a batch of rows once.

    Parameters
    ----------
    labels, pred_probs, kind, temperature, first_row, n_threads
        As in `ThresholdState.update`.
    thresholds : array_like of shape (K,), or None
        From where on each class is confident; with None none is, which is enough for
        ``predicted_neq_given`` and for scores.
    entropies : bool, default False
        Compute what ``confidence_weighted_entropy`` needs.

    Returns
    -------
    Look

    Raises
    ------
    InputError
        If shapes do not fit, or a label or a cell is out of range.

    Examples
    --------
    >>> from conflearn.states import look
    >>> seen = look([0, 0], [[0.75, 0.25], [0.125, 0.875]], [0.5, 0.75])
    >>> seen.mask("confident_learning")
    array([False,  True])
    >>> seen.scores("normalized_margin")
    array([0.75 , 0.125])
    """
    batch = _read_batch(labels, pred_probs, n_threads, (kind, temperature))
    return _look(batch, thresholds, "most_probable", first_row, entropies)


def _read_batch(
    labels: object,
    pred_probs: object,
    n_threads: object,
    meant: tuple[object, object],
    n_classes: int | None = None,
) -> Inputs | None:
    """Coerce a batch, unless it has no rows: clusters have empty partitions."""
    if has_no_rows(labels, pred_probs):
        return None
    batch = read_inputs(labels, pred_probs, None, n_threads, *meant)
    if n_classes not in (None, batch.n_classes):
        raise StateError(
            f"n_classes is {n_classes:,}, but pred_probs has {batch.n_classes:,} columns; there "
            "must be a column for each class"
        )
    return batch


def has_no_rows(labels: object, pred_probs: object) -> bool:
    """Whether a batch is empty."""
    return _n_rows(labels) == 0 and _n_rows(pred_probs) == 0


def _n_rows(batch: Any) -> int | None:
    shape = getattr(batch, "shape", None)
    if shape is not None:
        return int(shape[0]) if len(shape) else None
    return len(batch) if hasattr(batch, "__len__") else None


def _look(
    batch: Inputs | None, thresholds: object, several: Several, first_row: object, entropies: object
) -> Look:
    wants_entropies = as_bool(entropies, "entropies")
    first = as_count(first_row, "first_row")
    if batch is None:
        return Look(None)
    cuts = None if thresholds is None else as_thresholds(thresholds, batch.n_classes)
    labels, pred_probs, threads = batch
    return Look(_core.Look(labels, pred_probs, cuts, several, wants_entropies, first, threads))


def as_rows(rows: Any) -> int | npt.NDArray[np.int64]:
    """Coerce the numbers of a batch's rows."""
    if isinstance(rows, int | np.integer):
        return as_count(rows, "rows")
    numbers = np.asarray(rows)
    if numbers.ndim != 1 or numbers.dtype.kind not in "iu":
        raise ShapeError(
            "rows must be the number of the first row, or a one-dimensional array of whole "
            f"numbers, one a row; it has the shape {numbers.shape} and the dtype {numbers.dtype}"
        )
    return np.ascontiguousarray(numbers, dtype=np.int64)


class JointState(State[_core.JointState]):
    """Counts by given and guessed class: the second pass.

    Parameters
    ----------
    thresholds : array_like of shape (K,)
        What `ThresholdState.finish` returned, of all rows.
    kind, temperature
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
        several: Several = "most_probable",
    ) -> None:
        # ``several``, the guess when several classes are confident, is for `conflearn.cleanlab`.
        meant, divisor = read_kind(kind, temperature)
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
        super().__init__(_core.JointState(cutoffs, meant, divisor, several))

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
        n_threads: int | None = None,
    ) -> Look:
        """Count a batch of rows; what raises an error counts nothing.

        Parameters
        ----------
        labels, pred_probs, first_row, n_threads
            As in `ThresholdState.update`.
        entropies : bool, default False
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
        core = self._core
        meant = (core.kind, core.temperature)
        batch = _read_batch(labels, pred_probs, n_threads, meant, self.n_classes)
        seen = _look(batch, core.thresholds, core.several, first_row, entropies)
        if seen._core is not None:  # noqa: SLF001 - of this module
            core.add(seen._core)  # noqa: SLF001
        return seen

    def merge(self, other: "JointState") -> None:
        """Add what another state has counted.

        Raises
        ------
        StateError
            If it is of another number of classes, kind or temperature, or other thresholds.
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
        )
        return cls.of_options(joint, options)

    @classmethod
    def of_options(cls, joint: JointState, options: Options) -> "Cuts":
        """Do the same with options that are read already."""
        if options.filter_by in OF_SINGLE_ROWS:
            raise OptionError(
                f"filter_by={options.filter_by!r} looks at each row by itself, so there is nothing "
                "to plan; use a Rule, or the mask of a look"
            )
        state = cls.__new__(cls)
        state._core = _core.Cuts.plan(joint._core, options)  # noqa: SLF001 - of this module
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
        look_ = cast("_core.Look", seen._core)  # noqa: SLF001 - of this module
        return self._core.decide(look_, labels, pred_probs, rows, threads)

    def close(self, selection: "SelectionState") -> None:
        """Take over what a selection found, once it has seen all rows.

        Raises
        ------
        StateError
            If it was not made for these cuts as they are, or has not seen each row once.
        """
        if not isinstance(selection, SelectionState):
            raise InputTypeError(
                f"selection must be a SelectionState, not {type(selection).__name__}"
            )
        self._core.close(selection._core)  # noqa: SLF001 - of this module


class Flagged(NamedTuple):
    """The rows that a filter flags, ascending; all of shape (M,)."""

    #: Their numbers, int64.
    rows: npt.NDArray[np.int64]
    #: What they are ranked by, float64: the lower, the worse.
    scores: npt.NDArray[np.float64]
    #: The most probable class but the given one, int64.
    suggested_labels: npt.NDArray[np.int64]


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
        self, cuts: Cuts, *, rank_by: Score = "self_confidence", most: int = MOST_SELECTED
    ) -> None:
        if not isinstance(cuts, Cuts):
            raise InputTypeError(f"cuts must be Cuts, not {type(cuts).__name__}")
        score = one_of(rank_by, SCORES, "rank_by")
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

        Each row has to be seen once in a round. After Ctrl-C some rows of a batch may be kept:
        begin the round anew, or from `to_bytes` of before.

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
        meant = (self.kind, self.temperature)
        batch = _read_batch(labels, pred_probs, n_threads, meant, self.n_classes)
        if batch is not None:
            given, matrix, threads = batch
            self._core.update(given, matrix, as_rows(rows), threads)

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
            If it has not seen each row once, or not `covers_all`: then a `Rule` with the cuts
            tells, row by row.
        """
        flagged = self._core.flagged()
        if flagged is None:
            raise StateError(
                "this selection holds one round of several, so it cannot tell which rows are "
                "flagged; close the cuts, and apply a Rule with them to all rows"
            )
        return Flagged(*flagged)


class RowResults(NamedTuple):
    """What a `Rule` says of the rows of a batch; all of shape (n,)."""

    is_issue: npt.NDArray[np.bool_]
    self_confidence: npt.NDArray[np.float64]
    normalized_margin: npt.NDArray[np.float64]
    #: None unless it was asked for.
    confidence_weighted_entropy: npt.NDArray[np.float64] | None
    #: The given label where there is no issue, else the most probable other class.
    suggested_labels: npt.NDArray[np.int64]

    def columns(self, scores: Sequence[Score]) -> dict[str, npt.NDArray[Any]]:
        """Name what engines put into tables: flags, and with scores the suggested labels, too."""
        columns: dict[str, npt.NDArray[Any]] = {"is_issue": self.is_issue}
        if scores:
            columns["suggested_label"] = self.suggested_labels
        return columns | {score: getattr(self, score) for score in scores}


class Rule:
    """What is to be said of rows by themselves, once it is known how to decide.

    Parameters
    ----------
    thresholds : array_like of shape (K,), or None
        What `ThresholdState.finish` returned. Only ``confident_learning`` asks for them.
    filter_by
        As in `conflearn.find_label_issues`.
    cuts : Cuts, optional
        For all filters but ``confident_learning`` and ``predicted_neq_given``, ``is_done``.
    kind, temperature
        What the cells of matrices are.

    Examples
    --------
    >>> from conflearn.states import Rule
    >>> rule = Rule([0.5, 0.75], "confident_learning")
    >>> rule.apply([0, 0], [[0.75, 0.25], [0.125, 0.875]]).is_issue
    array([False,  True])
    """

    def __init__(
        self,
        thresholds: object,
        filter_by: Filter,
        *,
        cuts: Cuts | None = None,
        kind: Kind = "probabilities",
        temperature: float = 1.0,
    ) -> None:
        if cuts is not None and not isinstance(cuts, Cuts):
            raise InputTypeError(f"cuts must be Cuts, not {type(cuts).__name__}")
        self.filter_by = one_of(filter_by, FILTERS, "filter_by")
        self.kind, self.temperature = read_kind(kind, temperature)
        self.thresholds = thresholds
        self.cuts = cuts
        if self.filter_by == "confident_learning" and thresholds is None:
            raise OptionError("filter_by='confident_learning' needs thresholds")
        if (self.filter_by in OF_SINGLE_ROWS) != (cuts is None):
            needs = "needs cuts, made by Cuts.plan" if cuts is None else "does not use cuts"
            raise OptionError(f"filter_by={self.filter_by!r} {needs}")
        if cuts is not None:
            if (cuts.kind, cuts.temperature) != (self.kind, self.temperature):
                raise StateError(
                    f"cuts are those of kind={cuts.kind!r} and temperature={cuts.temperature}, but "
                    f"this rule has kind={self.kind!r} and temperature={self.temperature}"
                )
            if cuts.filter_by != self.filter_by:
                raise StateError(
                    f"cuts are those of filter_by={cuts.filter_by!r}, but this rule has "
                    f"filter_by={self.filter_by!r}"
                )
            if not cuts.is_done:
                raise StateError(
                    "cuts are not all known yet: let a SelectionState of them see all rows, and "
                    "close them with it, until they are done"
                )

    def apply(
        self,
        labels: object,
        pred_probs: object,
        *,
        rows: int | npt.NDArray[np.int64] | None = None,
        entropies: bool = False,
        n_threads: int | None = None,
    ) -> RowResults:
        """Decide about the rows of a batch.

        Parameters
        ----------
        labels, pred_probs, n_threads
            As in `ThresholdState.update`.
        rows : int, or ndarray of shape (n,), int64, optional
            The numbers that `SelectionState.update` had for these rows, which decide between equal
            ones. Needed with cuts; else errors count rows from there.
        entropies : bool, default False
            Score rows by their entropy too.

        Returns
        -------
        RowResults

        Raises
        ------
        InputError
            If shapes do not fit, or a label or a cell is out of range.
        """
        if rows is None and self.cuts is not None:
            raise OptionError(
                f"filter_by={self.filter_by!r} decides between equal rows by their numbers; pass "
                "rows, as SelectionState.update had them"
            )
        numbers = as_rows(0 if rows is None else rows)
        first = numbers if isinstance(numbers, int) else 0
        meant = (self.kind, self.temperature)
        n_classes = None if self.cuts is None else self.cuts.n_classes
        batch = _read_batch(labels, pred_probs, n_threads, meant, n_classes)
        seen = _look(batch, self.thresholds, "most_probable", first, entropies)
        others = seen.most_probable_others()
        given = others if batch is None else batch.labels
        if batch is None or self.cuts is None:
            is_issue = others > 0 if batch is None else seen.mask(self.filter_by)
        else:
            others = self.cuts.decide(seen, batch, numbers)
            is_issue = others >= 0
        return RowResults(
            is_issue,
            seen.scores("self_confidence"),
            seen.scores("normalized_margin"),
            seen.scores("confidence_weighted_entropy") if entropies else None,
            np.where(is_issue, others, given).astype(np.int64, copy=False),
        )

    def __repr__(self) -> str:
        return f"<Rule of {self.kind}, filter_by={self.filter_by!r}>"
