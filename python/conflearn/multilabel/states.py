"""States of tags: what `conflearn.states` are, for examples with any number of tags.

====================  =========================================================================
pass                  state, and what it leaves
====================  =========================================================================
1, *thresholds*       `TagThresholdState`: mean self-confidence without and with each tag
2, *joint*            `TagJointState`: the confident joints, and how many issues there are
3, *selection*        `TagSelectionState`: the tags that a filter flags, as many as `TagCuts` say
in any later pass     `TagRule`: which tags of a row are flagged
====================  =========================================================================

The third is for the filters that flag so many tags of each class. ``confident_learning`` needs the
first alone, ``predicted_neq_given`` none: a `TagRule` decides.

>>> from conflearn.multilabel.states import TagThresholdState
>>> labels = [[0], [0], [0, 1], [1], [], []]
>>> pred_probs = [[0.9, 0.1], [0.8, 0.2], [0.9, 0.8], [0.2, 0.9], [0.1, 0.9], [0.1, 0.1]]
>>> here, there = TagThresholdState(2), TagThresholdState(2)
>>> here.update(labels[:3], pred_probs[:3])
>>> there.update(labels[3:], pred_probs[3:])
>>> here.merge(TagThresholdState.from_bytes(there.to_bytes()))
>>> here.finish().round(3)
array([[0.867, 0.867],
       [0.675, 0.85 ]])
"""

from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from conflearn import _core
from conflearn._coerce import as_bool, as_count, as_tag_thresholds, one_of
from conflearn._inputs import TagInputs, read_kind_of_tags, read_tag_inputs
from conflearn._names import (
    CLASSIC_FILTERS,
    CLASSIC_SCORES,
    UNRANKED_FILTERS,
    Aggregate,
    ClassicFilter,
    ClassicScore,
    Kind,
)
from conflearn._options import (
    ALPHA,
    SOFTMIN_TEMPERATURE,
    AggregateOption,
    Options,
    read_aggregate,
    read_tag_options,
)
from conflearn.errors import InputTypeError, OptionError, ShapeError, StateError
from conflearn.states.batch import as_rows, has_no_rows
from conflearn.states.selection import MOST_SELECTED
from conflearn.states.state import State

__all__ = [
    "FlaggedTags",
    "TagCuts",
    "TagJointState",
    "TagResults",
    "TagRule",
    "TagSelectionState",
    "TagThresholdState",
]


def _read_batch(
    labels: object, pred_probs: object, n_threads: object, meant: tuple[Kind, float]
) -> TagInputs | None:
    """Coerce a batch, unless it has no rows: clusters have empty partitions."""
    if has_no_rows(labels, pred_probs):
        return None
    return read_tag_inputs(labels, pred_probs, None, n_threads, *meant)


class TagThresholdState(State[_core.TagThresholdState]):
    """Sums of all cells, and of those of the tags: the first pass.

    Parameters
    ----------
    n_classes : int
        K, from 2 to 2,097,152.
    kind, temperature
        What the cells of matrices are, as in `conflearn.multilabel.find_label_issues`.

    Examples
    --------
    >>> from conflearn.multilabel.states import TagThresholdState
    >>> state = TagThresholdState(2)
    >>> state.update([[0], []], [[0.75, 0.25], [0.25, 0.25]])
    >>> state.finish()
    array([[0.75, 0.75],
           [0.75, 2.  ]])
    """

    _read = _core.TagThresholdState.from_bytes

    def __init__(
        self, n_classes: int, *, kind: Kind = "probabilities", temperature: float = 1.0
    ) -> None:
        meant, divisor, _ = read_kind_of_tags(kind, temperature)
        count = as_count(n_classes, "n_classes")
        super().__init__(_core.TagThresholdState(count, meant, divisor))

    @property
    def given_counts(self) -> npt.NDArray[np.int64]:
        """How many examples are without, and with, each tag: of shape (K, 2)."""
        return self._core.given_counts

    @property
    def n_examples(self) -> int:
        """How many examples were seen."""
        return self._core.n_examples

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
        labels : list of n lists, or array_like of shape (n, K)
            Given tags: column numbers, or zeros and ones.
        pred_probs : array_like of shape (n, K)
            Out-of-sample predicted probabilities.
        first_row : int, default 0
            The number of the first row, from which errors count.
        n_threads : int, optional
            Number of threads; by default `conflearn.n_threads()`.

        Raises
        ------
        InputError
            If shapes do not fit, or a tag or a cell is out of range.
        StateError
            If there is another number of classes.
        """
        batch = _read_batch(labels, pred_probs, n_threads, (self.kind, self.temperature))
        if batch is not None:
            tags, matrix, threads = batch
            self._core.update(tags, matrix, as_count(first_row, "first_row"), threads)

    def merge(self, other: "TagThresholdState") -> None:
        """Add what another state has seen.

        Raises
        ------
        StateError
            If it is of another number of classes, kind or temperature.
        """
        self._core.merge(self._other(other))

    def finish(self) -> npt.NDArray[np.float64]:
        """Divide: what `conflearn.multilabel.confident_thresholds` finds, of shape (K, 2)."""
        return self._core.finish()


class TagJointState(State[_core.TagJointState]):
    """Counts by given and guessed side of each class: the second pass.

    Parameters
    ----------
    thresholds : array_like of shape (K, 2)
        What `TagThresholdState.finish` returned, of all rows.
    kind, temperature
        What the cells of matrices are, as in `conflearn.multilabel.find_label_issues`.

    Examples
    --------
    >>> from conflearn.multilabel.states import TagJointState
    >>> state = TagJointState([[0.75, 0.75], [0.75, 0.75]])
    >>> state.update([[0], [0], []], [[0.75, 0.25], [0.125, 0.25], [0.25, 0.25]])
    >>> state.num_issues_per_class
    array([[0, 1],
           [0, 0]])
    >>> state.joint(calibrate=False)[0]
    array([[1, 0],
           [1, 1]])
    """

    _read = _core.TagJointState.from_bytes

    def __init__(
        self, thresholds: object, *, kind: Kind = "probabilities", temperature: float = 1.0
    ) -> None:
        meant, divisor, _ = read_kind_of_tags(kind, temperature)
        super().__init__(_core.TagJointState(_as_cutoffs(thresholds), meant, divisor))

    @property
    def thresholds(self) -> npt.NDArray[np.float64]:
        """The thresholds that it counts by, of shape (K, 2)."""
        return self._core.thresholds

    @property
    def given_counts(self) -> npt.NDArray[np.int64]:
        """How many examples are without, and with, each tag: of shape (K, 2)."""
        return self._core.given_counts

    @property
    def n_examples(self) -> int:
        """How many examples were seen."""
        return self._core.n_examples

    @property
    def num_issues_per_class(self) -> npt.NDArray[np.int64]:
        """How many tags are missing, and how many wrong: of shape (K, 2)."""
        return self._core.num_issues

    def update(
        self,
        labels: object,
        pred_probs: object,
        *,
        first_row: int = 0,
        n_threads: int | None = None,
    ) -> None:
        """Count a batch of rows; what raises an error counts nothing.

        Parameters
        ----------
        labels, pred_probs, first_row, n_threads
            As in `TagThresholdState.update`.

        Raises
        ------
        InputError, StateError
            As there.
        """
        batch = _read_batch(labels, pred_probs, n_threads, (self.kind, self.temperature))
        if batch is not None:
            tags, matrix, threads = batch
            self._core.update(tags, matrix, as_count(first_row, "first_row"), threads)

    def merge(self, other: "TagJointState") -> None:
        """Add what another state has counted.

        Raises
        ------
        StateError
            If it is of another number of classes, kind or temperature, or other thresholds.
        """
        self._core.merge(self._other(other))

    def joint(self, *, calibrate: bool = True) -> npt.NDArray[np.int64]:
        """Make the confident joint of each class, of what was counted.

        Parameters
        ----------
        calibrate : bool, default True
            Scale it to the tags, as `conflearn.multilabel.confident_joint` does.

        Returns
        -------
        ndarray of shape (K, 2, 2), int64
            ``joint[class, given, true]``.
        """
        return self._core.joint(as_bool(calibrate, "calibrate"), "most_probable")


def _as_cutoffs(thresholds: Any) -> npt.NDArray[np.float64]:
    """Coerce thresholds that say how many classes there are."""
    cutoffs = np.asarray(thresholds, dtype=np.float64)
    if cutoffs.ndim != 2:  # noqa: PLR2004 - classes and sides
        raise ShapeError(
            "thresholds must have two dimensions, with one number without and one with the tag for "
            f"each class, but its shape is {cutoffs.shape}"
        )
    return as_tag_thresholds(cutoffs, len(cutoffs))


class TagCuts(State[_core.TagCuts]):
    """How many tags a filter flags of each class and side, and as it becomes known up to which.

    `plan` makes them. ``while not cuts.is_done``, a `TagSelectionState` of them sees all rows, and
    then `close` takes over what it found; mostly once.

    Examples
    --------
    >>> from conflearn.multilabel.states import TagCuts, TagJointState, TagSelectionState
    >>> labels, pred_probs = [[0], [0], []], [[0.75, 0.25], [0.125, 0.25], [0.25, 0.25]]
    >>> joint = TagJointState([[0.75, 0.75], [0.75, 0.75]])
    >>> joint.update(labels, pred_probs)
    >>> cuts = TagCuts.plan(joint, filter_by="prune_by_noise_rate")
    >>> selection = TagSelectionState(cuts)
    >>> selection.update(labels, pred_probs, rows=0)
    >>> selection.flagged().rows
    array([1])
    >>> cuts.close(selection)
    >>> cuts.is_done
    True
    """

    _read = _core.TagCuts.from_bytes

    @classmethod
    def plan(
        cls,
        joint: TagJointState,
        *,
        filter_by: ClassicFilter = "prune_by_noise_rate",
        frac_noise: float = 1.0,
        num_to_remove_per_class: object = None,
        min_examples_per_class: int = 1,
        confident_joint: object = None,
    ) -> "TagCuts":
        """Find out how many tags to flag.

        Parameters
        ----------
        joint : TagJointState
            Of all rows.
        filter_by, frac_noise, num_to_remove_per_class, min_examples_per_class, confident_joint
            As in `conflearn.multilabel.find_label_issues`; `filter_by` is one of those that need
            it.

        Returns
        -------
        TagCuts

        Raises
        ------
        OptionError
            If an option does not exist, does not fit, or is one that the filter does not use.
        """
        if not isinstance(joint, TagJointState):
            raise InputTypeError(f"joint must be a TagJointState, not {type(joint).__name__}")
        options = read_tag_options(
            joint.n_classes,
            filter_by,
            frac_noise,
            num_to_remove_per_class,
            min_examples_per_class,
            confident_joint,
        )
        return cls.of_options(joint, options)

    @classmethod
    def of_options(cls, joint: TagJointState, options: Options) -> "TagCuts":
        """Do the same with options that are read already."""
        if options.filter_by in UNRANKED_FILTERS:
            raise OptionError(
                f"filter_by={options.filter_by!r} looks at each tag by itself, so there is nothing "
                "to plan; use a TagRule"
            )
        state = cls.__new__(cls)
        state._core = _core.TagCuts.plan(joint._core, options)  # noqa: SLF001 - of this module
        return state

    @property
    def filter_by(self) -> ClassicFilter:
        """The filter."""
        return self._core.filter_by

    @property
    def is_done(self) -> bool:
        """Whether all is known: nothing is left to select."""
        return self._core.is_done

    def close(self, selection: "TagSelectionState") -> None:
        """Take over what a selection found, once it has seen all rows.

        Raises
        ------
        StateError
            If it was not made for these cuts as they are.
        """
        if not isinstance(selection, TagSelectionState):
            raise InputTypeError(
                f"selection must be a TagSelectionState, not {type(selection).__name__}"
            )
        self._core.close(selection._core)  # noqa: SLF001 - of this module


class FlaggedTags(NamedTuple):
    """The tags that a filter flags, by row and then by class; all of shape (M,)."""

    #: The numbers of their rows, int64. A row is there once for each of its flagged tags.
    rows: npt.NDArray[np.int64]
    #: Their classes, int64.
    classes: npt.NDArray[np.int64]
    #: Whether the example has the tag, which is wrong; else it is missing. bool.
    has_tag: npt.NDArray[np.bool_]
    #: What examples are ranked by, float64: the lower, the worse. None unless it was asked for.
    scores: npt.NDArray[np.float64] | None

    @classmethod
    def none(cls) -> "FlaggedTags":
        """Make those of a filter that flags nothing."""
        rows = np.empty(0, dtype=np.int64)
        return cls(rows, rows, rows > 0, rows.astype(np.float64))


class TagSelectionState(State[_core.TagSelectionState]):
    """The tags that a filter flags: the third pass.

    Parameters
    ----------
    cuts : TagCuts
        How many tags to select of each class and side, and behind which.
    rank_by : {"self_confidence", "normalized_margin", "confidence_weighted_entropy"}, optional
        The score to note of the example of each; by default none is.
    aggregate, alpha, softmin_temperature
        How the scores of an example's classes become one, as in
        `conflearn.multilabel.label_quality_scores`.
    most : int
        Hold no more tags than these at once. Where there are more to select, `covers_all` is
        False, and further rounds are needed.

    Examples
    --------
    See `TagCuts`.
    """

    _read = _core.TagSelectionState.from_bytes

    def __init__(
        self,
        cuts: TagCuts,
        *,
        rank_by: ClassicScore | None = None,
        aggregate: Aggregate = "exponential_moving_average",
        alpha: float = ALPHA,
        softmin_temperature: float = SOFTMIN_TEMPERATURE,
        most: int = MOST_SELECTED,
    ) -> None:
        if not isinstance(cuts, TagCuts):
            raise InputTypeError(f"cuts must be TagCuts, not {type(cuts).__name__}")
        how = read_aggregate(aggregate, alpha, softmin_temperature)
        rank = None if rank_by is None else (one_of(rank_by, CLASSIC_SCORES, "rank_by"), how)
        core = _core.TagSelectionState(cuts._core, rank, as_count(most, "most"))  # noqa: SLF001
        super().__init__(core)

    @classmethod
    def of_options(
        cls, cuts: TagCuts, rank: tuple[ClassicScore, AggregateOption] | None, most: int
    ) -> "TagSelectionState":
        """Do the same with options that are read already."""
        state = cls.__new__(cls)
        state._core = _core.TagSelectionState(cuts._core, rank, most)  # noqa: SLF001
        return state

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
        """Look through a batch; what raises an error keeps nothing.

        Parameters
        ----------
        labels, pred_probs, n_threads
            As in `TagThresholdState.update`.
        rows : int, or ndarray of shape (n,), int64
            The number of the batch's first row, or a number for each row: at least 0, and the same
            whenever the row is seen, such as an id. Of equal tags, that of the lower row is taken.

        Raises
        ------
        InputError, StateError
            As there.
        """
        batch = _read_batch(labels, pred_probs, n_threads, (self.kind, self.temperature))
        if batch is not None:
            tags, matrix, threads = batch
            self._core.update(tags, matrix, as_rows(rows), threads)

    def merge(self, other: "TagSelectionState") -> None:
        """Add what another state has selected.

        Raises
        ------
        StateError
            If it is of other cuts, or another round of them.
        """
        self._core.merge(self._other(other))

    def flagged(self) -> FlaggedTags:
        """Tell which tags the filter flags, once all rows are seen.

        Raises
        ------
        StateError
            If not `covers_all`: then a `TagRule` with the cuts tells, row by row.
        """
        flagged = self._core.flagged()
        if flagged is None:
            raise StateError(
                "this selection holds one round of several, so it cannot tell which tags are "
                "flagged; close the cuts, and apply a TagRule with them to all rows"
            )
        rows, classes, has_tag, scores = flagged
        return FlaggedTags(rows, classes, has_tag, scores if self._core.is_ranked else None)


class TagResults(NamedTuple):
    """What a `TagRule` says of a batch of n rows, of which M tags are flagged."""

    #: Of shape (n,): whether any tag of the row is flagged.
    is_issue: npt.NDArray[np.bool_]
    #: Of shape (M,), int64, as all below: places of rows in the batch, ascending.
    rows: npt.NDArray[np.int64]
    #: Classes.
    classes: npt.NDArray[np.int64]
    #: Whether the example has the tag, which is wrong; else it is missing. bool.
    has_tag: npt.NDArray[np.bool_]


class TagRule:
    """Which tags of a row are flagged, once it is known how to decide.

    Parameters
    ----------
    thresholds : array_like of shape (K, 2), or None
        What `TagThresholdState.finish` returned. Only ``confident_learning`` asks for them.
    filter_by
        As in `conflearn.multilabel.find_label_issues`.
    cuts : TagCuts, optional
        For all filters but ``confident_learning`` and ``predicted_neq_given``, ``is_done``.
    kind, temperature
        What the cells of matrices are.

    Examples
    --------
    >>> from conflearn.multilabel.states import TagRule
    >>> rule = TagRule([[0.75, 0.75], [0.75, 0.75]], "confident_learning")
    >>> rule.apply([[0], [0], []], [[0.75, 0.25], [0.125, 0.25], [0.25, 0.25]]).is_issue
    array([False,  True, False])
    """

    def __init__(
        self,
        thresholds: object,
        filter_by: ClassicFilter,
        *,
        cuts: TagCuts | None = None,
        kind: Kind = "probabilities",
        temperature: float = 1.0,
    ) -> None:
        self.filter_by = one_of(filter_by, CLASSIC_FILTERS, "filter_by")
        self.kind, self.temperature, _ = read_kind_of_tags(kind, temperature)
        self.thresholds = None if thresholds is None else _as_cutoffs(thresholds)
        self.cuts = cuts
        self._core: _core.TagRule | None = None
        if self.filter_by == "confident_learning" and thresholds is None:
            raise OptionError("filter_by='confident_learning' needs thresholds")
        if (self.filter_by in UNRANKED_FILTERS) != (cuts is None):
            needs = "needs cuts, made by TagCuts.plan" if cuts is None else "does not use cuts"
            raise OptionError(f"filter_by={self.filter_by!r} {needs}")
        if cuts is not None:
            if not isinstance(cuts, TagCuts):
                raise InputTypeError(f"cuts must be TagCuts, not {type(cuts).__name__}")
            if cuts.filter_by != self.filter_by:
                raise StateError(
                    f"cuts are those of filter_by={cuts.filter_by!r}, but this rule has "
                    f"filter_by={self.filter_by!r}"
                )
            if not cuts.is_done:
                raise StateError(
                    "cuts are not all known yet: let a TagSelectionState of them see all rows, and "
                    "close them with it, until they are done"
                )

    def apply(
        self,
        labels: object,
        pred_probs: object,
        *,
        rows: int | npt.NDArray[np.int64] = 0,
        n_threads: int | None = None,
    ) -> TagResults:
        """Decide about the rows of a batch.

        Parameters
        ----------
        labels, pred_probs, n_threads
            As in `TagThresholdState.update`.
        rows : int, or ndarray of shape (n,), int64
            The numbers that `TagSelectionState.update` had for these rows.

        Returns
        -------
        TagResults

        Raises
        ------
        InputError, StateError
            As there.
        """
        numbers = as_rows(rows)
        batch = _read_batch(labels, pred_probs, n_threads, (self.kind, self.temperature))
        if batch is None:
            none = np.empty(0, dtype=np.int64)
            return TagResults(none > 0, none, none, none > 0)
        tags, matrix, threads = batch
        core = self._core_of(batch.n_classes)
        places, classes, has_tag = core.apply(tags, matrix, numbers, threads)
        is_issue = np.zeros(batch.n_examples, dtype=np.bool_)
        is_issue[places] = True
        return TagResults(is_issue, places, classes, has_tag)

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "_core": None}

    def _core_of(self, n_classes: int) -> _core.TagRule:
        """Make the rule of the core, once."""
        if self._core is None or self._core.n_classes != n_classes:
            self._core = _core.TagRule(
                n_classes,
                self.filter_by,
                self.thresholds if self.filter_by == "confident_learning" else None,
                None if self.cuts is None else self.cuts._core,  # noqa: SLF001 - of this module
                self.kind,
                self.temperature,
            )
        return self._core
