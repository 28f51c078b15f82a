"""A pass over all rows as a function: from an empty state to one that has been fed all of them."""

from collections.abc import Callable
from typing import Any, TypeAlias

__all__ = ["Reduce", "once"]

Reduce: TypeAlias = Callable[[Any], Any]


def once(reduce: Reduce) -> Reduce:
    """Have a pass done once for all who ask for it."""
    filled: dict[tuple[type, bytes], Any] = {}

    def reduce_once(state: Any) -> Any:
        key = type(state), state.to_bytes()
        if key not in filled:
            filled[key] = reduce(state)
        return filled[key]

    return reduce_once
