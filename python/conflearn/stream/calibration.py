"""A sample of a source, to fit a calibration to; see `conflearn.calibration`."""

from typing import TYPE_CHECKING

from conflearn.states.sample import SampleState
from conflearn.stream.run import rows_of

if TYPE_CHECKING:
    from conflearn.sources.source import Block
    from conflearn.stream.run import Run

__all__ = ["sample"]


def sample(run: "Run") -> SampleState:
    """Do the pass that takes a sample."""

    def step(state: SampleState, block: "Block") -> None:
        state.update(block.labels, rows_of(block), rows=block.first_row, n_threads=run.n_threads)

    return run.sweep("sample", SampleState(run.n_classes, **run.meaning._asdict()), step, once=True)
