"""Blocks of rows: what is said of them counts rows from the start of the whole input.

A copy of a block is no second matrix, so that nothing is said of it.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

__all__ = ["FIRST_ROW", "as_block"]

#: The number of the first row of the block that is read; None outside of blocks.
FIRST_ROW: ContextVar[int | None] = ContextVar("FIRST_ROW", default=None)


@contextmanager
def as_block(first_row: int) -> Iterator[None]:
    """Within this, what is coerced are the rows from ``first_row`` on."""
    token = FIRST_ROW.set(first_row)
    try:
        yield
    finally:
        FIRST_ROW.reset(token)
