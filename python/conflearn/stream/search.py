"""The search for label issues over a source, whatever is wanted of it: flags, an order, everything.

Filters without quotas are decided when a row is looked at. The others select from the whole, in
passes of their own. Then the flags of the selected are set by position; or, where these were more
than memory has room for, every row is asked once more.
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from conflearn._names import JUDGES, UNRANKED_FILTERS, Score
from conflearn._options import Options
from conflearn.states import CheckState, Flagged, JointState, Judge, Look, Rule, look
from conflearn.stream.order import RECORD, sorted_records
from conflearn.stream.result_columns import Column
from conflearn.stream.run import Run, rows_of
from conflearn.stream.selection import select

if TYPE_CHECKING:
    from conflearn.sources.source import Block

__all__ = ["ENTROPY", "Search"]

#: The score of which a look has to be told.
ENTROPY: Score = "confidence_weighted_entropy"


class Search:
    """One search, and the columns that it fills: those that were asked for."""

    def __init__(
        self,
        run: Run,
        options: Options,
        rank_by: Score = "self_confidence",
        *,
        flags: bool = False,
        order: bool = False,
        scores: Sequence[Score] = (),
    ) -> None:
        self._run = run
        self._options = options
        self._rank_by = rank_by
        self._judges: list[Judge] = []
        for name in (rank_by, options.filter_by):
            if name == ENTROPY or name in JUDGES:
                run.refuse_scores(name)
        self.mask = run.column("is_issue", np.bool_) if flags else None
        #: Of the flagged examples, in the order of the rows.
        self._records = run.column("records", RECORD, is_full=False) if order else None
        self.scores = {name: run.column(name, np.float64) for name in scores}
        #: These, and what the flagged are ranked by where no selection knows it.
        self._kept_scores = dict(self.scores)
        if order and self._ranks_by_kept and rank_by not in scores:
            self._kept_scores[rank_by] = run.column("rank_by", np.float64)
        #: Labels go with scores: only who wants everything wants them.
        self.given = run.column("given_label", np.int64) if scores else None
        self.suggested = run.column("suggested_label", np.int64) if scores else None

    @property
    def by_row(self) -> dict[str, Column]:
        """The columns that have an entry for each row."""
        columns = (self.mask, self.given, self.suggested, *self.scores.values())
        return {column.name: column for column in columns if column is not None}

    def find(self) -> None:
        """Do the passes that the filter needs."""
        filter_by = self._options.filter_by
        if filter_by in UNRANKED_FILTERS and filter_by != "confident_learning":
            self._judges = self._run.judges(self._judged)
            self._look_without_thresholds()
        else:
            self.find_and_count()

    def find_and_count(self) -> JointState:
        """Do them, and count the joint, which not every filter needs."""
        run = self._run
        thresholds = run.thresholds()
        self._judges = run.judges(self._judged)
        columns = self._look_columns
        joint = run.joint(
            thresholds,
            self._take_look if columns else None,
            columns,
            entropies=self._entropies,
            judges=self._judges,
        )
        self._select(joint)
        return joint

    def find_count_and_check(self) -> tuple[JointState, CheckState]:
        """Do the same, and count for the checks."""
        run = self._run
        thresholds = run.thresholds()
        self._judges = run.judges(self._judged)
        joint, checks = run.joint_and_checks(
            thresholds,
            self._take_look,
            self._look_columns,
            entropies=self._entropies,
            judges=self._judges,
        )
        self._select(joint)
        return joint, checks

    def _select(self, joint: JointState) -> None:
        """Do the passes that follow from the joint, if the filter has any."""
        run, filter_by = self._run, self._options.filter_by
        if filter_by not in UNRANKED_FILTERS:
            cuts, flagged = select(run, joint, self._options, self._rank_by)
            if flagged is not None:
                self._take_flagged(flagged)
            else:
                rule = Rule(
                    joint.thresholds,
                    filter_by,
                    cuts=cuts,
                    **run.meaning._asdict(),
                    judges=self._judges,
                )
                self._ask_every_row(rule)

    def ranked(self) -> tuple[Column, Column]:
        """Order the flagged examples, the worst first: their rows, and their given labels."""
        run = self._run
        rows = run.column("ranked", np.int64, is_full=False)
        given = run.column("given_of_ranked", np.int64, is_full=False)
        work = run.column("sorted_records", RECORD, is_full=False)
        for column in (rows, given, work):
            column.resize(0)
        if self._records is not None:
            for records in sorted_records(self._records, work):
                rows.append(records["row"])
                given.append(records["given"])
        work.resize(0)
        return rows, given

    @property
    def _flag_columns(self) -> list[Column]:
        """Those that are filled when it is known which rows are flagged."""
        columns = (self.mask, self._records, self.suggested)
        return [column for column in columns if column is not None]

    @property
    def _look_columns(self) -> list[Column]:
        """Those that are filled when rows are looked at."""
        given = [] if self.given is None else [self.given]
        by_row = self._options.filter_by in UNRANKED_FILTERS
        return [*given, *self._kept_scores.values(), *(self._flag_columns if by_row else [])]

    @property
    def _ranks_by_kept(self) -> bool:
        """Whether selected rows are ranked by a score that only the look tells."""
        return self._rank_by in JUDGES and self._options.filter_by not in UNRANKED_FILTERS

    @property
    def _judged(self) -> set[str]:
        """What judges may be asked for."""
        ranked = () if self._records is None else (self._rank_by,)
        return {self._options.filter_by, *ranked, *self._kept_scores}

    @property
    def _entropies(self) -> bool:
        """Whether the look needs them, which take time."""
        by_row = self._options.filter_by in UNRANKED_FILTERS
        is_ranked = self._rank_by == ENTROPY and by_row
        return ENTROPY in self.scores or is_ranked

    def _look_without_thresholds(self) -> None:
        run, columns = self._run, self._look_columns

        def step(block: "Block") -> None:
            seen = look(
                block.labels,
                rows_of(block),
                None,
                **run.meaning._asdict(),
                first_row=block.first_row,
                entropies=self._entropies,
                judges=self._judges,
                n_threads=run.n_threads,
            )
            self._take_look(block, seen)

        run.visit("look", step, columns, once=True)

    def _ask_every_row(self, rule: Rule) -> None:
        run = self._run

        def step(block: "Block") -> None:
            results = rule.apply(
                block.labels,
                rows_of(block),
                rows=block.first_row,
                entropies=self._records is not None and self._rank_by == ENTROPY,
                n_threads=run.n_threads,
            )
            scores: npt.NDArray[np.float64] = getattr(results, self._rank_by)
            self._take_flags(block, results.is_issue, scores, results.suggested_labels)

        run.visit("emission", step, self._flag_columns)

    def _take_look(self, block: "Block", seen: Look) -> None:
        for name, column in self._kept_scores.items():
            column.append(seen.scores(name))
        if self.given is not None:
            self.given.append(block.labels)
        filter_by = self._options.filter_by
        if filter_by in UNRANKED_FILTERS:
            mask = seen.mask(filter_by, self._options.cut)
            scores = None if self._records is None else seen.scores(self._rank_by)
            others = None if self.suggested is None else seen.others(filter_by)
            self._take_flags(block, mask, scores, others)

    def _take_flags(
        self,
        block: "Block",
        mask: npt.NDArray[np.bool_],
        scores: npt.NDArray[np.float64] | None,
        others: npt.NDArray[np.int64] | None,
    ) -> None:
        """Take what was decided about the rows of a block."""
        if self.mask is not None:
            self.mask.append(mask)
        if self._records is not None and scores is not None:
            places = np.flatnonzero(mask)
            rows = block.first_row + places
            self._records.append(_records(scores[places], rows, block.labels[places]))
        if self.suggested is not None and others is not None:
            self.suggested.append(np.where(mask & (others >= 0), others, block.labels))

    def _take_flagged(self, flagged: Flagged) -> None:
        """Take the rows that were selected from all."""
        n_examples = self._run.n_examples or 0
        rows = flagged.rows
        if self.mask is not None:
            self.mask.resize(0)
            self.mask.resize(n_examples)
            self.mask.patch(rows, True)
        given: Any = 0
        if self.given is not None and self.suggested is not None:
            given = self.given.take(rows)
            self.suggested.resize(0)
            for labels in self.given.windows():
                self.suggested.append(labels)
            self.suggested.patch(rows, flagged.suggested_labels)
        if self._records is not None:
            kept = self._kept_scores.get(self._rank_by) if self._ranks_by_kept else None
            scores = flagged.scores if kept is None else kept.take(rows)
            self._records.resize(0)
            self._records.append(_records(scores, rows, given))


def _records(scores: Any, rows: npt.NDArray[np.int64], given: Any) -> npt.NDArray[np.void]:
    records = np.empty(len(rows), dtype=RECORD)
    records["score"], records["row"], records["given"] = scores, rows, given
    return records
