"""Checks over a source; see `conflearn.checks`."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from conflearn.states import CheckState
from conflearn.stream.run import rows_of

if TYPE_CHECKING:
    from conflearn.checks import InputReport
    from conflearn.sources.source import Block
    from conflearn.stream.run import Run

__all__ = ["check_inputs"]


def check_inputs(run: "Run", classes: Sequence[object] | None) -> "InputReport":
    """Read every cell once, and say what it shows."""

    def step(state: CheckState, block: "Block") -> None:
        state.update(block.labels, rows_of(block), rows=block.first_row, n_threads=run.n_threads)

    with run.of("check_inputs", {}):
        empty = CheckState(run.n_classes, **run.meaning._asdict())
        return run.sweep("checks", empty, step, once=True).report(classes)
