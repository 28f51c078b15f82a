"""The examples that quotas select, in one pass or more: how many at a time memory has room for."""

from typing import TYPE_CHECKING, NamedTuple

from conflearn._options import Options
from conflearn.states import Cuts, Flagged, JointState, SelectionState

if TYPE_CHECKING:
    from conflearn._names import Score
    from conflearn.stream.run import Run
    from conflearn.stream.source import Block

__all__ = ["Selected", "select"]

#: Candidates that are held in memory at a time.
MOST = 2_000_000


class Selected(NamedTuple):
    """What was selected."""

    cuts: Cuts
    #: The examples themselves, if they fitted. Else the cuts say of any row whether it is one.
    flagged: Flagged | None


def select(run: "Run", joint: JointState, options: Options, rank_by: "Score") -> Selected:
    """Do the passes that fill the quotas of a filter."""

    def step(state: SelectionState, block: "Block") -> None:
        state.update(block.labels, block.pred_probs, rows=block.first_row, n_threads=run.n_threads)

    cuts = Cuts.plan(
        joint,
        filter_by=options.filter_by,
        frac_noise=options.frac_noise,
        num_to_remove_per_class=options.num_to_remove_per_class,
        min_examples_per_class=options.min_examples_per_class,
        confident_joint=options.confident_joint,
    )
    number = 0
    while not cuts.is_done:
        number += 1
        closed = f"cuts {number}"
        before = run.kept(closed, Cuts)
        if before is not None:
            cuts = before
            continue
        state = SelectionState(
            cuts, kind=run.kind, temperature=run.temperature, rank_by=rank_by, most=MOST
        )
        name = "selection" if number == 1 else f"selection {number}"
        state = run.sweep(name, state, step)
        if number == 1 and state.covers_all:
            return Selected(cuts, state.flagged())
        cuts.close(state)
        run.keep(closed, cuts)
        run.forget(name)
    return Selected(cuts, None)
