"""In any later pass: what is to be said of each row by itself."""

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from conflearn._coerce import one_of
from conflearn._inputs import read_meaning
from conflearn._names import (
    CLASSIC_SCORES,
    FILTERS,
    JUDGES,
    UNRANKED_FILTERS,
    Filter,
    Kind,
    Score,
)
from conflearn._options import read_cut
from conflearn.errors import InputTypeError, OptionError, StateError
from conflearn.states.batch import as_row_array, as_rows, read_batch
from conflearn.states.judge import Judge
from conflearn.states.looks import as_judges, look_at
from conflearn.states.selection import Cuts, Flagged

__all__ = ["RowResults", "Rule"]


class RowResults(NamedTuple):
    """What a `Rule` says of the rows of a batch; all of shape (n,)."""

    is_issue: npt.NDArray[np.bool_]
    self_confidence: npt.NDArray[np.float64]
    normalized_margin: npt.NDArray[np.float64]
    #: None unless it was asked for.
    confidence_weighted_entropy: npt.NDArray[np.float64] | None
    #: The given label where there is no issue, else the most probable other class, or the one that
    #: the judge believes in whom the filter goes by.
    suggested_labels: npt.NDArray[np.int64]
    #: None unless the rule has a judge for it.
    relative_confidence: npt.NDArray[np.float64] | None = None
    #: The same.
    noise_floor: npt.NDArray[np.float64] | None = None

    def columns(self, scores: Sequence[Score]) -> dict[str, npt.NDArray[Any]]:
        """Name what engines put into tables: flags, and with scores the suggested labels, too."""
        columns: dict[str, npt.NDArray[Any]] = {"is_issue": self.is_issue}
        if scores:
            columns["suggested_label"] = self.suggested_labels
        for score in scores:
            columns[score] = getattr(self, score)
            if columns[score] is None:
                raise OptionError(
                    f"scores hold {score!r}, which this rule has no judge for; find the rule with "
                    f"scores=[{score!r}]"
                )
        return columns


class Rule:
    """What is to be said of rows by themselves, once it is known how to decide.

    Parameters
    ----------
    thresholds : array_like of shape (K,), or None
        What `ThresholdState.finish` returned. Only ``confident_learning`` asks for them.
    filter_by
        As in `conflearn.find_label_issues`.
    cuts : Cuts, optional
        For all filters that do not look at each row by itself, ``is_done``.
    kind, temperature, class_bias
        What the cells of matrices are.
    flagged : Flagged, optional
        What `SelectionState.flagged` told of these cuts.
    judges : sequence of Judge
        For the filters of their names, and for their scores.
    cut
        As in `conflearn.find_label_issues`.

    Attributes
    ----------
    flagged_rows : ndarray of shape (M,), int64, or None
        The numbers of the rows that `flagged` names, ascending. Then `flags` decides by numbers.
    scores : tuple of str
        The names of the scores that `apply` can give.

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
        class_bias: object = None,
        flagged: Flagged | None = None,
        judges: Sequence[Judge] = (),
        cut: float | None = None,
    ) -> None:
        if cuts is not None and not isinstance(cuts, Cuts):
            raise InputTypeError(f"cuts must be Cuts, not {type(cuts).__name__}")
        self.filter_by = one_of(filter_by, FILTERS, "filter_by")
        self.meaning = read_meaning(kind, temperature, class_bias)
        self.thresholds = thresholds
        self.cuts = cuts
        self.cut = read_cut(cut, self.filter_by)
        self.judges = as_judges(judges)
        self._check_judges()
        if self.filter_by == "confident_learning" and thresholds is None:
            raise OptionError("filter_by='confident_learning' needs thresholds")
        if flagged is not None and (cuts is None or not isinstance(flagged, Flagged)):
            raise InputTypeError(
                f"flagged is a {type(flagged).__name__}, with {'no' if cuts is None else 'the'} "
                "cuts; pass what SelectionState.flagged() returned, and the cuts that were closed "
                "with that selection"
            )
        self.flagged_rows = None if flagged is None else flagged.rows
        if (self.filter_by in UNRANKED_FILTERS) != (cuts is None):
            needs = "needs cuts, made by Cuts.plan" if cuts is None else "does not use cuts"
            raise OptionError(f"filter_by={self.filter_by!r} {needs}")
        if cuts is not None:
            if not cuts.meaning.same(self.meaning):
                raise StateError(
                    f"cuts are those of {cuts.meaning.spelled()}, but this rule has "
                    f"{self.meaning.spelled()}"
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

    @property
    def scores(self) -> tuple[Score, ...]:
        """The names of the scores that `apply` can give."""
        classic = CLASSIC_SCORES if self.meaning.kind != "scores" else CLASSIC_SCORES[:2]
        return (*classic, *(judge.rule for judge in self.judges))

    def _check_judges(self) -> None:
        if self.filter_by in JUDGES and self.filter_by not in [one.rule for one in self.judges]:
            raise OptionError(
                f"filter_by={self.filter_by!r} needs judges=[judge], a Judge that is fitted for it"
            )
        for judge in self.judges:
            if not judge.meaning.same(self.meaning):
                raise StateError(
                    f"judges hold one of {judge.meaning.spelled()}, but this rule has "
                    f"{self.meaning.spelled()}"
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
        n_classes = None if self.cuts is None else self.cuts.n_classes
        batch = read_batch(labels, pred_probs, n_threads, self.meaning, n_classes)
        seen = look_at(batch, self.thresholds, "most_probable", first, entropies, self.judges)
        others = seen.others(self.filter_by)
        given = others if batch is None else batch.labels
        if batch is None or self.cuts is None:
            is_issue = others > 0 if batch is None else seen.mask(self.filter_by, self.cut)
        else:
            others = self.cuts.decide(seen, batch, numbers)
            is_issue = others >= 0
        return RowResults(
            is_issue,
            seen.scores("self_confidence"),
            seen.scores("normalized_margin"),
            seen.scores("confidence_weighted_entropy") if entropies else None,
            np.where(is_issue & (others >= 0), others, given).astype(np.int64, copy=False),
            **{judge.rule: seen.scores(judge.rule) for judge in self.judges},
        )

    def flags(self, rows: npt.NDArray[np.int64]) -> npt.NDArray[np.bool_]:
        """Decide about rows that the passes have seen, by their numbers alone.

        Parameters
        ----------
        rows : ndarray of shape (n,), int64
            The numbers that `SelectionState.update` had for these rows.

        Returns
        -------
        ndarray of shape (n,), bool
            True where the label is likely wrong. Of rows that were not seen, False: `apply` decides
            about any row.

        Raises
        ------
        OptionError
            If the rule was not told which rows are flagged.
        ShapeError
            If `rows` are not whole numbers, one a row.
        """
        if self.flagged_rows is None:
            raise OptionError(
                "this rule was not told which rows are flagged; use apply, or make the rule with "
                "flagged=selection.flagged()"
            )
        numbers = as_row_array(rows)
        if not len(self.flagged_rows):
            return np.zeros(len(numbers), np.bool_)
        at = np.searchsorted(self.flagged_rows, numbers)
        mask: npt.NDArray[np.bool_]
        mask = self.flagged_rows[np.minimum(at, len(self.flagged_rows) - 1)] == numbers
        return mask

    def __repr__(self) -> str:
        return f"<Rule of {self.meaning.kind}, filter_by={self.filter_by!r}>"
