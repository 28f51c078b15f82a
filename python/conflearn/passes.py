"""The passes over data that lie in parts: in shards, in processes, on a cluster.

In each pass an empty state goes out. Whoever holds a part of the rows feeds it to a copy of that
state; the fed copies are merged, in any order, and the next pass follows from the sum::

    thresholds -> joint -> selection, once or more often -> a rule that decides about any row

A filter that judges each row by itself needs no more passes than its `conflearn.judges` do.

Who sends, feeds and merges is not known here. A function ``reduce(state)`` does it, of which each
engine has its own: `conflearn.ray` and `conflearn.dask`, and a few lines for anything else. This
one holds all parts itself:

>>> import numpy as np
>>> from conflearn import passes
>>> labels = np.array([[0, 0, 0], [0, 1, 1]])
>>> pred_probs = np.array(
...     [[[0.9, 0.1], [0.8, 0.2], [0.7, 0.3]], [[0.2, 0.8], [0.3, 0.7], [0.1, 0.9]]]
... )
>>> def reduce(state):
...     for part in range(2):
...         passes.feed(state, labels[part], pred_probs[part], rows=3 * part)
...     return state
>>> rule = passes.find_rule(reduce, n_classes=2)
>>> rule.apply(labels[1], pred_probs[1], rows=3).is_issue
array([ True, False, False])
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any, TypeAlias, TypedDict

import numpy as np
import numpy.typing as npt

from conflearn._coerce import as_class_names, as_count, one_of
from conflearn._coerce.objects import first_true, spelled
from conflearn._inputs import Meaning, read_meaning
from conflearn._names import (
    JUDGES,
    SCORES,
    UNRANKED_FILTERS,
    Filter,
    FilterChoice,
    Kind,
    Score,
)
from conflearn._options import Options as FilterOptions
from conflearn._options import read_options, refuse_scores
from conflearn._reduce import Reduce, once
from conflearn._sparse_joint import SparseJoint
from conflearn.errors import InputError, InputTypeError, OptionError, ShapeError
from conflearn.health import DatasetHealth
from conflearn.judges import fit_named
from conflearn.noise_model import NoiseModel
from conflearn.recommendation import choose
from conflearn.states import (
    CheckState,
    Cuts,
    Flagged,
    JointState,
    Rule,
    SampleState,
    SelectionState,
    ThresholdState,
)

__all__ = [
    "UNNUMBERED_FILTERS",
    "UNRANKED_FILTERS",
    "Findings",
    "Options",
    "Reduce",
    "State",
    "analyze",
    "as_row_numbers",
    "check_largest_number",
    "feed",
    "find_rule",
]

State: TypeAlias = ThresholdState | JointState | SampleState | SelectionState | CheckState

#: Filters for which rows need no numbers: nothing goes by which is lower, and no sample is taken.
UNNUMBERED_FILTERS = tuple(name for name in UNRANKED_FILTERS if name != "noise_floor")

_LEAST_CLASSES = 2

_NUMBER = "number the rows throughout, not anew in each file"


class Options(TypedDict, total=False):
    """What functions hand on to `find_rule`; as in `conflearn.find_label_issues`."""

    filter_by: FilterChoice
    frac_noise: float
    num_to_remove_per_class: object
    min_examples_per_class: int
    confident_joint: object
    cut: float | None
    kind: Kind
    temperature: float
    class_bias: object


@dataclass(frozen=True, eq=False, repr=False)
class Findings:
    """What `analyze` finds about all rows together. It is small, and can be pickled.

    Matrices of shape (K, K) are made when they are first asked for.

    Attributes
    ----------
    rule : Rule
        Decides about rows, wherever they are: `conflearn.states.Rule.apply`.
    thresholds : ndarray of shape (K,), float64
        See `conflearn.confident_thresholds`.
    num_issues : int
        How many labels are wrong, as `conflearn.num_label_issues` counts them: an estimate,
        whatever the filter flags.
    n_examples : int
        N.
    filter_by, kind : str
        What was asked for; of ``filter_by="auto"``, the filter that was chosen.
    cut : float or None
        Below which score the filter flags, whether given, chosen or its own; None where it has no
        cut.
    classes : tuple or None
        What the columns stand for, if that was told.
    """

    rule: Rule
    thresholds: npt.NDArray[np.float64]
    num_issues: int
    n_examples: int
    filter_by: Filter
    cut: float | None
    kind: Kind
    classes: tuple[object, ...] | None
    _given_counts: npt.NDArray[np.int64]
    _joint: SparseJoint

    @property
    def n_classes(self) -> int:
        """K."""
        return len(self.thresholds)

    @cached_property
    def confident_joint(self) -> npt.NDArray[np.int64]:
        """Calibrated counts ``[given, true]``, of shape (K, K); see `conflearn.confident_joint`."""
        return self._joint.to_dense()

    @cached_property
    def joint(self) -> npt.NDArray[np.float64]:
        """Distribution of given and true labels; see `conflearn.estimate_joint`."""
        return self.health.joint

    @cached_property
    def noise_model(self) -> NoiseModel:
        """Prior and noise matrices of the joint; see `conflearn.estimate_noise_model`."""
        return self.health.noise_model

    @cached_property
    def health(self) -> DatasetHealth:
        """Health of the data set, its classes and their pairs; see `conflearn.dataset_health`."""
        return DatasetHealth(
            num_issues=self.num_issues,
            n_examples=self.n_examples,
            class_names=self.classes,
            _joint=self._joint,
            _given_counts=self._given_counts,
        )

    def __repr__(self) -> str:
        cut = "" if self.cut is None else f", cut={self.cut:g}"
        return (
            f"<{type(self).__name__} of {self.n_examples:,} labels in {self.n_classes:,} classes, "
            f"filter_by={self.filter_by!r}{cut}; estimated number of wrong labels: "
            f"{self.num_issues:,}>"
        )


def analyze(
    reduce: Reduce,
    n_classes: int,
    *,
    filter_by: FilterChoice = "prune_by_noise_rate",
    frac_noise: float = 1.0,
    num_to_remove_per_class: object = None,
    min_examples_per_class: int = 1,
    confident_joint: object = None,
    cut: float | None = None,
    scores: Sequence[Score] = (),
    kind: Kind = "probabilities",
    temperature: float = 1.0,
    class_bias: object = None,
    classes: Sequence[object] | None = None,
) -> Findings:
    """Make all passes, and say what follows about the rows together.

    Parameters
    ----------
    reduce : callable
        Called with an empty state, returns one that has been fed all rows: the same state, or
        another of its kind. `feed` does that to a batch; states are merged with
        ``state.merge(other)``, and travel by pickle or by ``to_bytes()`` and ``from_bytes()``. What
        is still being sent must not be merged into: make a ``copy.copy`` first. It is called twice,
        once more for ``noise_floor`` (the filter, the score, or ``auto``), and once or more often
        for a filter that takes the worst of many. It must find the same rows each time.
    n_classes : int
        K.
    filter_by, frac_noise, num_to_remove_per_class, min_examples_per_class, confident_joint, cut, \
kind, temperature, class_bias
        As in `conflearn.find_label_issues`.
    scores : sequence of str
        Scores that the rule is to give, see `conflearn.label_quality_scores`. It always gives those
        that need no judge, and that of the filter's own.
    classes : sequence of K names, optional
        What the columns are called, for `Findings.health`. Batches hold numbers.

    Returns
    -------
    Findings
        With ``rule``, ``thresholds``, ``num_issues``, ``confident_joint``, ``joint``,
        ``noise_model`` and ``health``.

    Raises
    ------
    InputError, OptionError
        As in `conflearn.find_label_issues`.

    Examples
    --------
    >>> from conflearn import passes
    >>> pred_probs = [[0.9, 0.1], [0.8, 0.2], [0.2, 0.8], [0.3, 0.7], [0.1, 0.9]]
    >>> def reduce(state):
    ...     return passes.feed(state, [0, 0, 0, 1, 1], pred_probs)
    >>> passes.analyze(reduce, n_classes=2).num_issues
    1
    """
    search = _Search.read(
        reduce,
        n_classes,
        filter_by,
        frac_noise,
        num_to_remove_per_class,
        min_examples_per_class,
        confident_joint,
        cut,
        scores,
        kind,
        temperature,
        class_bias,
    )
    names = (
        None
        if classes is None
        else as_class_names(classes, search.n_classes, columns_of="pred_probs", name="classes")
    )
    search = search.chosen()
    joint = search.joint(search.thresholds())
    is_ranked = search.options.filter_by not in UNRANKED_FILTERS
    return Findings(
        rule=search.rule(joint.thresholds, search.select(joint)[0] if is_ranked else None),
        thresholds=joint.thresholds,
        num_issues=joint.num_issues,
        n_examples=joint.n_examples,
        filter_by=search.options.filter_by,
        cut=search.options.cut,
        kind=search.meaning.kind,
        classes=names,
        _given_counts=joint.given_counts,
        _joint=joint.joint(),
    )


def find_rule(
    reduce: Reduce,
    n_classes: int,
    *,
    filter_by: FilterChoice = "prune_by_noise_rate",
    frac_noise: float = 1.0,
    num_to_remove_per_class: object = None,
    min_examples_per_class: int = 1,
    confident_joint: object = None,
    cut: float | None = None,
    scores: Sequence[Score] = (),
    kind: Kind = "probabilities",
    temperature: float = 1.0,
    class_bias: object = None,
) -> Rule:
    """Make the passes that a filter needs.

    None for ``predicted_neq_given``, one for ``confident_learning`` and ``relative_confidence``,
    three for ``noise_floor`` and ``auto``, three or more for the others; and those of the judges in
    `scores`.

    Parameters
    ----------
    reduce, n_classes, filter_by, frac_noise, num_to_remove_per_class, min_examples_per_class, \
confident_joint, cut, scores, kind, temperature, class_bias
        As in `analyze`.

    Returns
    -------
    Rule
        Decides about rows, wherever they are. ``rule.apply(labels, pred_probs, rows=...)`` says
        which are flagged, and gives their scores and suggested labels. Where the filter ranks, and
        takes no more than a million rows, ``rule.flags(rows)`` knows those that were seen by their
        numbers. Can be pickled; it is small, but for these numbers.

    Raises
    ------
    InputError, OptionError
        As in `conflearn.find_label_issues`.

    Examples
    --------
    >>> from conflearn import passes
    >>> labels = [0, 0, 0, 1, 1]
    >>> pred_probs = [[0.9, 0.1], [0.8, 0.2], [0.2, 0.8], [0.3, 0.7], [0.1, 0.9]]
    >>> def reduce(state):
    ...     return passes.feed(state, labels, pred_probs)
    >>> rule = passes.find_rule(reduce, n_classes=2, filter_by="confident_learning")
    >>> rule.apply(labels, pred_probs, rows=0).is_issue
    array([False, False,  True, False, False])
    """
    search = _Search.read(
        reduce,
        n_classes,
        filter_by,
        frac_noise,
        num_to_remove_per_class,
        min_examples_per_class,
        confident_joint,
        cut,
        scores,
        kind,
        temperature,
        class_bias,
    ).chosen()
    match search.options.filter_by:
        case "confident_learning":
            return search.rule(search.thresholds().finish())
        case filter_ if filter_ in UNRANKED_FILTERS:
            return search.rule(None)
    joint = search.joint(search.thresholds())
    return search.rule(joint.thresholds, *search.select(joint))


def feed(
    state: Any,
    labels: object,
    pred_probs: object,
    *,
    rows: int | npt.NDArray[np.int64] = 0,
    n_threads: int | None = None,
) -> Any:
    """Update a state with a batch, whichever pass it belongs to.

    Parameters
    ----------
    state : ThresholdState, JointState, SampleState, SelectionState or CheckState
        What `analyze` or `find_rule` asks to reduce, or a copy of it. It is changed.
    labels, pred_probs, n_threads
        As in `conflearn.find_label_issues`, of the rows of this batch.
    rows : int or ndarray of shape (n,), int64
        The number of the batch's first row, if they follow each other; or a number for each row.
        No two rows of all batches have the same. Of equally bad labels, the one of the lower number
        is flagged first.

    Returns
    -------
    ThresholdState, JointState, SampleState, SelectionState or CheckState
        The state.

    Raises
    ------
    InputError
        If shapes do not fit, or a label or a probability is out of range. The state is as it was.

    Examples
    --------
    >>> from conflearn import passes
    >>> from conflearn.states import ThresholdState
    >>> passes.feed(ThresholdState(2), [0, 1], [[0.9, 0.1], [0.4, 0.6]]).finish()
    array([0.9, 0.6])
    """
    if isinstance(state, SelectionState | SampleState | CheckState):
        state.update(labels, pred_probs, rows=rows, n_threads=n_threads)
    else:
        first_row = rows if isinstance(rows, int) else 0
        state.update(labels, pred_probs, first_row=first_row, n_threads=n_threads)
    return state


def as_row_numbers(values: npt.NDArray[Any], name: str) -> npt.NDArray[np.int64]:
    """Coerce a column that numbers the rows: whole, at least 0, each its own within the batch."""
    if values.ndim != 1 or values.dtype.kind not in "iu":
        raise InputTypeError(
            f"{name} must hold a whole number for each row, but has the dtype {values.dtype} and "
            f"the shape {values.shape}; number the rows from 0 in a column of integers"
        )
    # Of uint64, what does not fit becomes negative.
    numbers = values.astype(np.int64, copy=False)
    below = first_true(numbers < 0)
    if below is not None:
        raise InputError(
            f"{name} must be numbers from 0 to 2^63 - 1, but {name}[{below}] is "
            f"{spelled(values[below])}; number the rows from 0"
        )
    ascending = numbers if bool((numbers[1:] > numbers[:-1]).all()) else np.sort(numbers)
    twice = first_true(ascending[1:] == ascending[:-1])
    if twice is not None:
        raise InputError(
            f"{name} must be different for all rows, but two rows have {ascending[twice]}; "
            f"{_NUMBER}"
        )
    return numbers


def check_largest_number(n_examples: int, largest: int, name: str) -> None:
    """Refuse numbers of which some must be equal, since there are fewer than rows."""
    if largest < n_examples - 1:
        raise InputError(
            f"{name} must be different for all rows, but of {n_examples} rows the largest is "
            f"{largest}; {_NUMBER}"
        )


@dataclass(frozen=True)
class _Search:
    """One search for label issues: what is asked, and who reads the rows."""

    reduce: Reduce
    #: For passes that several ask for.
    reduce_once: Reduce
    n_classes: int
    options: FilterOptions
    #: What judges are to be fitted for.
    names: tuple[Filter | Score, ...]
    meaning: Meaning

    @classmethod
    def read(
        cls,
        reduce: Reduce,
        n_classes: object,
        filter_by: object,
        frac_noise: object,
        num_to_remove_per_class: object,
        min_examples_per_class: object,
        confident_joint: object,
        cut: object,
        scores: Sequence[object],
        kind: object,
        temperature: object,
        class_bias: object,
    ) -> "_Search":
        """Coerce the arguments, before rows are read that may take an hour."""
        n = as_count(n_classes, "n_classes")
        if n < _LEAST_CLASSES:
            raise OptionError(f"n_classes must be at least 2, but is {n}")
        meaning = read_meaning(kind, temperature, class_bias)
        options = read_options(
            n,
            filter_by,
            frac_noise,
            num_to_remove_per_class,
            min_examples_per_class,
            confident_joint,
            cut,
        )
        if options.is_auto:
            refuse_scores("filter_by='auto'", meaning.kind)
        asked = tuple(one_of(score, SCORES, "scores") for score in scores)
        for name in (options.filter_by, *asked):
            if name in JUDGES or name == "confidence_weighted_entropy":
                refuse_scores(name, meaning.kind)
        names = (options.filter_by, *asked)
        return cls(reduce, once(_of_rows(reduce)), n, options, names, meaning)

    def chosen(self) -> "_Search":
        """Choose filter and cut, where that is asked for: the first pass."""
        options = choose(self.reduce_once, self.n_classes, self.meaning, self.options)
        return replace(self, options=options, names=(options.filter_by, *self.names[1:]))

    def thresholds(self) -> ThresholdState:
        state: ThresholdState = self.reduce_once(
            ThresholdState(self.n_classes, **self.meaning._asdict())
        )
        return state

    def joint(self, before: ThresholdState) -> JointState:
        joint: JointState = self.reduce_once(JointState(before.finish(), **self.meaning._asdict()))
        if not np.array_equal(before.given_counts, joint.given_counts):
            raise InputError(
                "the rows must be the same in each pass, but there were "
                f"{before.n_examples} in the first and {joint.n_examples} in the second, or their "
                "labels were others; write what is drawn at random to files first"
            )
        return joint

    def select(self, joint: JointState) -> tuple[Cuts, Flagged | None]:
        """Select the rows that the quotas of a filter take, in as many rounds as that needs.

        Of one round, or none, it is known which rows they are.
        """
        cuts = Cuts.of_options(joint, self.options)
        flagged = Flagged.none() if cuts.is_done else None
        while not cuts.is_done:
            selection: SelectionState = self.reduce(SelectionState(cuts))
            if selection.covers_all:
                flagged = selection.flagged()
            cuts.close(selection)
        return cuts, flagged

    def rule(
        self,
        thresholds: npt.NDArray[np.float64] | None,
        cuts: Cuts | None = None,
        flagged: Flagged | None = None,
    ) -> Rule:
        return Rule(
            thresholds,
            self.options.filter_by,
            cuts=cuts,
            **self.meaning._asdict(),
            flagged=flagged,
            judges=fit_named(self.reduce_once, self.n_classes, self.names, self.meaning),
            cut=self.options.cut,
        )


def _of_rows(reduce: Reduce) -> Reduce:
    """Refuse data without rows."""

    def reduce_rows(state: Any) -> Any:
        filled = reduce(state)
        if isinstance(filled, ThresholdState) and not filled.n_examples:
            raise ShapeError("the data are empty; there must be at least one row")
        return filled

    return reduce_rows
