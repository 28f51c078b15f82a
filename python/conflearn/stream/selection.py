"""The examples that quotas select, in one pass or more: how many at a time memory has room for."""

from typing import TYPE_CHECKING, Any, NamedTuple

from conflearn._names import JUDGES
from conflearn._options import Options
from conflearn.states import MOST_SELECTED, Cuts, Flagged, JointState, SelectionState
from conflearn.stream.run import Run, rows_of

if TYPE_CHECKING:
    from conflearn._names import Score
    from conflearn.sources.source import Block

__all__ = ["Selected", "select"]

#: Candidates that are held in memory at a time.
MOST = MOST_SELECTED


class Selected(NamedTuple):
    """What was selected."""

    cuts: Cuts
    #: The examples themselves, if they fitted. Else the cuts say of any row whether it is one.
    flagged: Flagged | None


def select(run: Run, joint: JointState, options: Options, rank_by: "Score") -> Selected:
    """Do the passes that fill the quotas of a filter."""

    def step(state: SelectionState, block: "Block") -> None:
        state.update(block.labels, rows_of(block), rows=block.first_row, n_threads=run.n_threads)

    cuts = Cuts.of_options(joint, options)
    number = 0
    while not cuts.is_done:
        number += 1
        closed = f"cuts {number}"
        before = run.kept(closed, Cuts)
        if before is not None:
            cuts = before
            continue
        # What a judge says is known from the look.
        score: Any = "self_confidence" if rank_by in JUDGES else rank_by
        state = SelectionState(cuts, rank_by=score, most=MOST)
        name = "selection" if number == 1 else f"selection {number}"
        state = run.sweep(name, state, step, once=True)
        if number == 1 and state.covers_all:
            return Selected(cuts, state.flagged())
        cuts.close(state)
        run.keep(closed, cuts)
        run.forget(name)
    return Selected(cuts, None)
