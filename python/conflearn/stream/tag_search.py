"""The search for tag issues over a source: which examples, which tags, in which order.

Some filters decide about a tag by itself. The others select from the whole, in passes of their own;
where that was more than memory has room for, every row is asked once more.
"""

from typing import TYPE_CHECKING, NamedTuple, cast

import numpy as np
import numpy.typing as npt

from conflearn import _core
from conflearn._names import UNRANKED_FILTERS
from conflearn._options import AggregateOption, Options
from conflearn.errors import SourceError
from conflearn.multilabel.states import (
    FlaggedTags,
    TagCuts,
    TagJointState,
    TagRule,
    TagSelectionState,
    TagThresholdState,
)
from conflearn.sources.tags import tags_of
from conflearn.stream import selection
from conflearn.stream.order import RECORD, sorted_records
from conflearn.stream.result_columns import Column
from conflearn.stream.run import Run, rows_of

if TYPE_CHECKING:
    from conflearn._names import ClassicFilter, ClassicScore
    from conflearn.sources.source import Block

__all__ = ["Ranking", "TagSearch", "joint_of", "scores_of", "thresholds_of"]


class Ranking(NamedTuple):
    """What examples are ordered by."""

    rank_by: "ClassicScore"
    aggregate: AggregateOption

    def check(self, run: Run) -> None:
        """Refuse at once what the core would refuse after a pass."""
        if self.rank_by == "confidence_weighted_entropy":
            run.refuse_scores(self.rank_by)
        if self.aggregate.name == "softmin":
            run.refuse_scores(self.aggregate.name)


def thresholds_of(run: Run) -> TagThresholdState:
    """Do the pass for the thresholds."""

    def step(state: TagThresholdState, block: "Block") -> None:
        state.update(
            block.labels, rows_of(block), first_row=block.first_row, n_threads=run.n_threads
        )

    empty = TagThresholdState(run.n_classes, kind=run.kind, temperature=run.meaning.temperature)
    return run.sweep("thresholds", empty, step)


def joint_of(run: Run, thresholds: npt.NDArray[np.float64]) -> TagJointState:
    """Do the pass that counts the joints."""

    def step(state: TagJointState, block: "Block") -> None:
        state.update(
            block.labels, rows_of(block), first_row=block.first_row, n_threads=run.n_threads
        )

    empty = TagJointState(thresholds, kind=run.kind, temperature=run.meaning.temperature)
    return run.sweep("look", empty, step)


def scores_of(run: Run, block: "Block", how: Ranking) -> npt.NDArray[np.float64]:
    """Score the examples of a block."""
    return _core.tag_quality_scores(
        tags_of(block.labels),
        run.matrix(block),
        how.rank_by,
        "no",
        None,
        how.aggregate,
        block.first_row,
        run.n_threads,
    )


class TagSearch:
    """One search, and the columns that it fills: those that were asked for."""

    def __init__(
        self,
        run: Run,
        options: Options,
        ranking: Ranking | None = None,
        *,
        flags: bool = False,
        cells: bool = False,
    ) -> None:
        self._run = run
        self._options = options
        self._ranking = ranking
        if ranking is not None:
            ranking.check(run)
        self.mask = run.column("is_issue", np.bool_) if flags else None
        #: Of the flagged examples, in the order of the rows.
        self._records = None if ranking is None else run.column("records", RECORD, is_full=False)
        self._given_counts: npt.NDArray[np.int64] | None = None
        #: Of the flagged tags.
        self.cells: dict[str, Column] = {}
        if cells:
            dtypes = {"row": np.int64, "class_index": np.int64, "has_tag": np.bool_}
            self.cells = {name: run.column(name, of, is_full=False) for name, of in dtypes.items()}

    def find(self) -> None:
        """Do the passes that the filter needs."""
        run, filter_by = self._run, cast("ClassicFilter", self._options.filter_by)
        cuts = thresholds = None
        if filter_by != "predicted_neq_given":
            sums = thresholds_of(run)
            thresholds = sums.finish()
            self._given_counts = sums.given_counts
            if filter_by not in UNRANKED_FILTERS:
                joint = joint_of(run, thresholds)
                if not np.array_equal(joint.given_counts, sums.given_counts):
                    raise SourceError(
                        "labels changed while they were read: the second pass counted other tags "
                        "than the first; they must stay as they are until the call returns"
                    )
                cuts, flagged = self._select(joint)
                if flagged is not None:
                    self._take_flagged(flagged)
                    return
        rule = TagRule(
            thresholds, filter_by, cuts=cuts, kind=run.kind, temperature=run.meaning.temperature
        )
        self._ask_every_row(rule)

    def ranked(self) -> Column:
        """Order the flagged examples, the worst first: their rows."""
        run = self._run
        rows = run.column("ranked", np.int64, is_full=False)
        work = run.column("sorted_records", RECORD, is_full=False)
        rows.resize(0)
        work.resize(0)
        if self._records is not None:
            for records in sorted_records(self._records, work):
                rows.append(records["row"])
        work.resize(0)
        return rows

    def given_counts(self) -> npt.NDArray[np.int64]:
        """Count the examples without and with each tag, in a pass of its own if there was none."""
        known = self._given_counts
        return thresholds_of(self._run).given_counts if known is None else known

    @property
    def _columns(self) -> list[Column]:
        columns = (self.mask, self._records, *self.cells.values())
        return [column for column in columns if column is not None]

    def _select(self, joint: TagJointState) -> tuple[TagCuts, FlaggedTags | None]:
        """Do the passes that fill the quotas of a filter."""
        run, ranking = self._run, self._ranking

        def step(state: TagSelectionState, block: "Block") -> None:
            state.update(
                block.labels, rows_of(block), rows=block.first_row, n_threads=run.n_threads
            )

        cuts = TagCuts.of_options(joint, self._options)
        if cuts.is_done:
            return cuts, FlaggedTags.none()
        number = 0
        while not cuts.is_done:
            number += 1
            closed = f"cuts {number}"
            before = run.kept(closed, TagCuts)
            if before is not None:
                cuts = before
                continue
            how = None if ranking is None else (ranking.rank_by, ranking.aggregate)
            state = TagSelectionState.of_options(cuts, how, selection.MOST)
            name = "selection" if number == 1 else f"selection {number}"
            state = run.sweep(name, state, step)
            if number == 1 and state.covers_all:
                return cuts, state.flagged()
            cuts.close(state)
            run.keep(closed, cuts)
            run.forget(name)
        return cuts, None

    def _ask_every_row(self, rule: TagRule) -> None:
        run = self._run

        def step(block: "Block") -> None:
            found = rule.apply(
                block.labels, rows_of(block), rows=block.first_row, n_threads=run.n_threads
            )
            if self.mask is not None:
                self.mask.append(found.is_issue)
            self._take_cells(block.first_row + found.rows, found.classes, found.has_tag)
            if self._records is not None and self._ranking is not None:
                places = np.flatnonzero(found.is_issue)
                if len(places):
                    scores = scores_of(run, block, self._ranking)[places]
                    self._records.append(_records(scores, block.first_row + places))

        run.visit("emission", step, self._columns)

    def _take_flagged(self, flagged: FlaggedTags) -> None:
        """Take what was selected from all."""
        for column in self._columns:
            column.resize(0)
        rows, first = np.unique(flagged.rows, return_index=True)
        if self.mask is not None:
            self.mask.resize(self._run.n_examples or 0)
            self.mask.patch(rows, True)
        self._take_cells(flagged.rows, flagged.classes, flagged.has_tag)
        if self._records is not None and flagged.scores is not None:
            self._records.append(_records(flagged.scores[first], rows))

    def _take_cells(
        self,
        rows: npt.NDArray[np.int64],
        classes: npt.NDArray[np.int64],
        has_tag: npt.NDArray[np.bool_],
    ) -> None:
        if self.cells:
            self.cells["row"].append(rows)
            self.cells["class_index"].append(classes)
            self.cells["has_tag"].append(has_tag)


def _records(scores: npt.NDArray[np.float64], rows: npt.NDArray[np.int64]) -> npt.NDArray[np.void]:
    records = np.zeros(len(rows), dtype=RECORD)
    records["score"], records["row"] = scores, rows
    return records
