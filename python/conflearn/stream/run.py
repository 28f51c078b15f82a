"""A run: passes over the blocks of a source, each of which fills a state or columns.

What is done with a block is said by the modules of the nouns. Here is what all passes share: rows
are counted, progress is told, errors name the block, and what a checkpoint has is not done again.
"""

import hashlib
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, Self, TypeVar

import numpy as np
import numpy.typing as npt

import conflearn
from conflearn._coerce.objects import spelled
from conflearn._inputs import Meaning
from conflearn._names import Kind
from conflearn._options import refuse_scores
from conflearn._reduce import once
from conflearn.errors import OptionError, ShapeError, SourceError, StateError
from conflearn.judges import fit_named
from conflearn.passes import feed
from conflearn.sources.cells import coercible_again
from conflearn.sources.source import Reading
from conflearn.states import CheckState, JointState, Judge, Look, SampleState, ThresholdState
from conflearn.stream.checkpoint import Checkpoint, Saved
from conflearn.stream.counts import Counts
from conflearn.stream.outputs import Outputs, Target
from conflearn.stream.progress import Bars, Report
from conflearn.stream.result_columns import Column

if TYPE_CHECKING:
    from conflearn.sources.source import Block, Source

__all__ = ["Run", "rows_of"]


class State(Protocol):
    """What goes into bytes and comes back."""

    def to_bytes(self) -> bytes:
        """Write it."""

    @classmethod
    def from_bytes(cls, data: bytes, /) -> Self:
        """Read it."""


Filled = TypeVar("Filled", bound=State)


#: States that a pass by itself fills, which looks at each row once.
_PASSES: dict[type, str] = {
    ThresholdState: "thresholds",
    JointState: "joint",
    SampleState: "sample",
    CheckState: "checks",
}


class Nothing:
    """The state of a pass that only fills columns."""

    def to_bytes(self) -> bytes:
        """See `State`."""
        return b""

    @classmethod
    def from_bytes(cls, _: bytes, /) -> Self:
        """See `State`."""
        return cls()


def rows_of(block: "Block") -> Any:
    """Return the cells of a block as something that the states take."""
    return coercible_again(block.pred_probs)


class Run:
    """The passes of one call over one source."""

    def __init__(
        self,
        source: "Source",
        *,
        meaning: Meaning,
        classes: Sequence[object] | None,
        n_threads: int | None,
        report: Report | None,
        checkpoint: Path | None,
        inputs: Mapping[str, Iterable[Path]] | None = None,
    ) -> None:
        self._source = source
        self.meaning = meaning
        self.classes = classes
        self.n_threads = n_threads
        self.n_classes = source.n_classes
        #: N; of batches, it is known after the first pass.
        self.n_examples = source.n_examples
        self._report = report
        self._folder = checkpoint
        #: The files of each argument, which must not be written over.
        self._inputs = inputs or {}
        self._checkpoint: Checkpoint | None = None
        self._outputs = Outputs(None, None)
        self._given_counts: npt.NDArray[np.int64] | None = None
        #: From an empty state to one that was fed all rows, by one pass for all who ask for it.
        self.reduce = once(self._fill)

    @property
    def kind(self) -> Kind:
        """What cells are."""
        return self.meaning.kind

    @contextmanager
    def of(
        self, call: str, options: Mapping[str, object], target: Target | None = None
    ) -> Iterator[Outputs]:
        """Do the passes of a call inside of this, and publish its outputs.

        After an error, nothing is left of the outputs, and the checkpoint stays. In the end, the
        checkpoint goes.
        """
        if target is not None:
            target.refuse_inputs(self._inputs)
        if self._folder is not None:
            if target is not None:
                target.refuse_checkpoint(self._folder)
            self._checkpoint = Checkpoint(self._folder, self._identity(call, options))
        try:
            self._outputs = Outputs(target, self._checkpoint)
            try:
                yield self._outputs
            finally:
                self._outputs.close()
            if self._checkpoint is not None:
                self._checkpoint.clear()
        finally:
            if self._checkpoint is not None:
                self._checkpoint.release()
            if isinstance(self._report, Bars):
                self._report.close()

    def refuse_scores(self, what: str) -> None:
        """Refuse at once what the core would refuse after a pass."""
        refuse_scores(what, self.kind)

    def matrix(self, block: "Block") -> Any:
        """Return the cells of a block with what they are, as the core takes them."""
        return self.meaning.of(block.pred_probs)

    def column(self, name: str, dtype: npt.DTypeLike, *, is_full: bool = True) -> Column:
        """Make a column; full, if it gets an entry for each row."""
        return self._outputs.column(name, dtype, self.n_examples if is_full else None)

    def sweep(
        self,
        name: str,
        state: Filled,
        step: Callable[[Filled, "Block"], None],
        columns: Sequence[Column] = (),
        *,
        once: bool = False,
    ) -> Filled:
        """Do one pass: a step for each block, that fills the state and is appended to the columns.

        A step that hands the cells of its block to the core just ``once`` may leave it to the core
        to read them.

        Returns the state when it is full, which may be another object than the one handed over.
        """
        row, is_done = 0, False
        saved = self._recall(name)
        if saved is None:
            for column in columns:
                column.resize(0)
        else:
            row, is_done = saved.row, saved.is_done
            state = self._restored(name, type(state), saved.state)
            for column in columns:
                self._cut(column, saved.lengths[column.name])
        if not is_done:
            row = self._go_on(name, row, state, step, columns, once=once)
            self._save(name, row, state, columns, is_done=True)
        self._count(row)
        return state

    def visit(
        self,
        name: str,
        step: Callable[["Block"], None],
        columns: Sequence[Column],
        *,
        once: bool = False,
    ) -> None:
        """Do one pass that fills columns only."""
        self.sweep(name, Nothing(), lambda _, block: step(block), columns, once=once)

    def thresholds(self) -> npt.NDArray[np.float64]:
        """Do the pass for the thresholds."""
        return self._threshold_state().finish()

    def given_counts(self) -> npt.NDArray[np.int64]:
        """Count the examples that are given each class, by the pass for the thresholds."""
        return self._threshold_state().given_counts

    def joint(
        self,
        thresholds: npt.NDArray[np.float64],
        keep: Callable[["Block", Look], None] | None = None,
        columns: Sequence[Column] = (),
        *,
        entropies: bool = False,
        judges: Sequence[Judge] = (),
    ) -> JointState:
        """Do the pass that counts the joint; ``keep`` takes what it sees of each block."""
        empty = JointState(thresholds, **self.meaning._asdict())
        counts = self._look(Counts(empty), keep, columns, entropies=entropies, judges=judges)
        return counts.joint

    def joint_and_checks(
        self,
        thresholds: npt.NDArray[np.float64],
        keep: Callable[["Block", Look], None] | None = None,
        columns: Sequence[Column] = (),
        *,
        entropies: bool = False,
        judges: Sequence[Judge] = (),
    ) -> tuple[JointState, CheckState]:
        """Do the same pass, and count for the checks what it sees anyway.

        The number of rows must be known, by the pass for the thresholds at the latest.
        """
        how = self.meaning._asdict()
        joint, checks = JointState(thresholds, **how), CheckState(self.n_classes, **how)
        counts = self._look(
            Counts(joint, checks), keep, columns, entropies=entropies, judges=judges
        )
        return counts.joint, counts.checks or checks

    def _look(
        self,
        empty: Counts,
        keep: Callable[["Block", Look], None] | None,
        columns: Sequence[Column],
        *,
        entropies: bool,
        judges: Sequence[Judge],
    ) -> Counts:
        sample_of = None if empty.checks is None else self.n_examples

        def step(counts: Counts, block: "Block") -> None:
            look = counts.joint.update(
                block.labels,
                rows_of(block),
                first_row=block.first_row,
                entropies=entropies,
                judges=judges,
                sample_of=sample_of,
                n_threads=self.n_threads,
            )
            if counts.checks is not None:
                counts.checks.add(look)
            if keep is not None:
                keep(block, look)

        counts = self.sweep("look", empty, step, columns, once=True)
        before, now = self._given_counts, counts.joint.given_counts
        if before is not None and not np.array_equal(before, now):
            given = int(np.flatnonzero(before != now)[0])
            raise SourceError(
                f"labels changed while they were read: {before[given]:,} examples were given class "
                f"{given} in the first pass, and {now[given]:,} in the second; they must stay as "
                "they are until the call returns"
            )
        return counts

    def keep(self, name: str, state: State) -> None:
        """Have the checkpoint keep what was made between passes."""
        self._save(name, 0, state, (), is_done=True)

    def kept(self, name: str, kind: type[Filled]) -> Filled | None:
        """Take back what the checkpoint keeps, if it does."""
        saved = self._recall(name)
        return None if saved is None else self._restored(name, kind, saved.state)

    def forget(self, name: str) -> None:
        """Let the checkpoint drop a pass of which the result is kept."""
        if self._checkpoint is not None:
            self._checkpoint.forget(name)

    def judges(self, names: Collection[str]) -> list[Judge]:
        """Fit those of some filters and scores that are judges."""
        return fit_named(self.reduce, self.n_classes, names, self.meaning, self.n_threads)

    def _fill(self, state: Filled) -> Filled:
        def step(state: Filled, block: "Block") -> None:
            feed(
                state,
                block.labels,
                rows_of(block),
                rows=block.first_row,
                n_threads=self.n_threads,
            )

        return self.sweep(_PASSES[type(state)], state, step, once=True)

    def _threshold_state(self) -> ThresholdState:
        empty = ThresholdState(self.n_classes, **self.meaning._asdict())
        state: ThresholdState = self.reduce(empty)
        self._given_counts = state.given_counts
        return state

    def _go_on(
        self,
        name: str,
        row: int,
        state: Filled,
        step: Callable[[Filled, "Block"], None],
        columns: Sequence[Column],
        *,
        once: bool,
    ) -> int:
        """Do what is left of a pass, and tell how many rows there are."""
        self._tell(name, row)
        # What is calibrated is computed from cells that are in memory.
        is_read_there = once and (self.meaning.is_plain or self.kind != "probabilities")
        reading = Reading(self.n_threads, looks_once=is_read_there)
        with closing(self._source.blocks(row, reading)) as blocks:
            for block in blocks:
                try:
                    step(state, block)
                except Exception as error:
                    error.add_note(f"in {block.place}")
                    raise
                row = block.first_row + len(block.labels)
                self._tell(name, row)
                if self._checkpoint is not None and self._checkpoint.is_due():
                    self._save(name, row, state, columns, is_done=False)
        return row

    def _tell(self, name: str, row: int) -> None:
        if self._report is not None:
            self._report(name, row, self.n_examples)

    def _count(self, row: int) -> None:
        """Check that a pass has seen all rows, or learn how many there are."""
        if row == 0:
            raise ShapeError("pred_probs must have at least one row, but no batch has any")
        if self.n_examples is None:
            self.n_examples = row
        elif row != self.n_examples:
            raise SourceError(
                f"pred_probs had {self.n_examples:,} rows, but a later pass found {row:,}; they "
                "must stay as they are until the call returns"
            )

    def _recall(self, name: str) -> Saved | None:
        return None if self._checkpoint is None else self._checkpoint.recall(name)

    def _restored(self, name: str, kind: type[Filled], data: bytes) -> Filled:
        try:
            return kind.from_bytes(data)
        except StateError as error:
            error.add_note(f"in the checkpoint of the pass {name!r}, in {self._folder}")
            raise

    def _cut(self, column: Column, length: int) -> None:
        """Drop what was written of a column after its checkpoint."""
        if len(column) < length:
            raise StateError(
                f"checkpoint={spelled(str(self._folder))} has lost a part of {column.name}.npy; "
                "remove the folder to start anew"
            )
        column.resize(length)

    def _save(
        self, name: str, row: int, state: State, columns: Sequence[Column], *, is_done: bool
    ) -> None:
        if self._checkpoint is not None:
            self._outputs.sync()
            lengths = {column.name: len(column) for column in columns}
            self._checkpoint.save(name, Saved(row, is_done, lengths, state.to_bytes()))

    def _identity(self, call: str, options: Mapping[str, object]) -> dict[str, object]:
        """Say which run this is: what another one may not go on with."""
        every: dict[str, object] = {
            **options,
            **self.meaning._asdict(),
            "classes": None if self.classes is None else _digest_of(repr(tuple(self.classes))),
        }
        told = {name: _told(value) for name, value in every.items()}
        return {
            "call": call,
            "input": self._fingerprint(),
            **told,
            "conflearn": getattr(conflearn, "__version__", ""),
        }

    def _fingerprint(self) -> str:
        """Tell this input from another one."""
        fingerprint = self._source.fingerprint
        if not fingerprint:
            raise OptionError(
                "checkpoint needs an input that can be told from another when the run goes on, "
                f"which {self._source.without_fingerprint} cannot; pass files, arrays or tables in "
                "memory, or leave checkpoint out"
            )
        return fingerprint


def _told(option: object) -> object:
    """Return an option as JSON has it; of arrays, and what is made of them, a digest."""
    if isinstance(option, np.ndarray):
        return _digest_of(repr((option.dtype.str, option.shape)).encode() + option.tobytes())
    if isinstance(option, tuple):  # the parts of a sparse joint
        return _digest_of(repr([_told(part) for part in option]))
    return option


def _digest_of(contents: str | bytes) -> str:
    data = contents.encode() if isinstance(contents, str) else contents
    return hashlib.blake2b(data, digest_size=16).hexdigest()
