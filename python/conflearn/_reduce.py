"""A pass over all rows as a function: from an empty state to one that has been fed all of them."""

from collections.abc import Callable
from typing import Any, TypeAlias

__all__ = ["Filled", "Reduce", "once"]

Reduce: TypeAlias = Callable[[Any], Any]


#: The states that were fed, by what they were when they were empty.
Filled: TypeAlias = dict[tuple[type, bytes], Any]


def once(reduce: Reduce, filled: Filled | None = None) -> Reduce:
    """Have a pass done once for all who ask for it, and those who share what was filled."""
    filled = {} if filled is None else filled

    def reduce_once(state: Any) -> Any:
        key = type(state), state.to_bytes()
        if key not in filled:
            filled[key] = reduce(state)
        return filled[key]

    return reduce_once
