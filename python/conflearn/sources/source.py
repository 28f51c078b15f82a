"""What every input that is read in blocks looks like from outside."""

from abc import ABC, abstractmethod
from collections.abc import Generator
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

__all__ = ["DEFAULT", "Block", "Reading", "Source"]

#: Of the cells of one block. Three blocks are in memory at a time where a thread reads ahead.
BLOCK_BYTES = 8 << 20

#: Of a block that is not in memory, but read by who looks at it.
UNREAD_BYTES = 32 << 20

#: Of one block, so that labels and results stay as small as the cells where there are few classes.
BLOCK_ROWS = 1 << 18


class Block(NamedTuple):
    """Some rows of the input, one after another."""

    #: Their number in the whole input.
    first_row: int
    #: As `as_labels` gives them. That they are from 0 to K - 1 is left to the core.
    labels: npt.NDArray[Any]
    #: As `as_pred_probs` gives it, or unread. Valid only until the next block is asked for.
    pred_probs: Any
    #: Where they lie, such as "rows 0 to 4,095 of shard-00.npy": for notes on errors.
    place: str


class Reading(NamedTuple):
    """What who asks for blocks knows of the pass."""

    #: How many threads may read at once; None for as many as there are.
    n_threads: int | None = None
    #: Each row is looked at once, so that the core may read it on the way, where it can: then
    #: ``pred_probs`` is a ``_core.FileRows``.
    looks_once: bool = False


#: Of which nothing is known.
DEFAULT = Reading()


class Source(ABC):
    """Labels and a matrix that are read from the first row to the last, as often as wanted."""

    #: K.
    n_classes: int
    #: N; None where it shows only at the end, as with batches.
    n_examples: int | None

    @property
    @abstractmethod
    def block_rows(self) -> int:
        """About as many rows as a block has."""

    @property
    @abstractmethod
    def fingerprint(self) -> str:
        """Tell this input from others, across processes; "" where that is not known.

        A string of JSON: paths, sizes and times of files, digests of what is in memory.
        """

    @property
    def without_fingerprint(self) -> str:
        """Say what it is that nothing tells from others, for messages."""
        return "batches"

    @abstractmethod
    def blocks(
        self, first_row: int = 0, reading: Reading = DEFAULT
    ) -> Generator[Block, None, None]:
        """Read the rows from ``first_row`` on. Each call is a pass of its own.

        Reading runs ahead in a thread, or is done by several threads at once. Closing the
        generator, or dropping it, ends the thread and closes the files.
        """


def rows_of(row_bytes: int) -> int:
    """Return how many rows of this size make a block."""
    return max(1, min(BLOCK_ROWS, BLOCK_BYTES // max(row_bytes, 1)))


def aligned_bytes(size: int) -> npt.NDArray[np.uint8]:
    """Allocate memory that starts at a page, as copies from the page cache like it."""
    page = 4096
    memory = np.empty(size + page, np.uint8)
    start = -memory.ctypes.data % page
    return memory[start : start + size]
