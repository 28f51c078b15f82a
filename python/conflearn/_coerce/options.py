"""Options: one of a few names, and the number of threads."""

import operator
from collections.abc import Collection
from contextlib import suppress
from difflib import get_close_matches
from typing import SupportsIndex, TypeVar

from conflearn._coerce.objects import spelled
from conflearn.errors import OptionError

__all__ = ["as_n_threads", "one_of"]

Name = TypeVar("Name", bound=str)


def one_of(value: object, allowed: Collection[Name], name: str) -> Name:
    """Return ``value`` if it is one of the ``allowed`` names."""
    if isinstance(value, str):
        for option in allowed:
            if option == value:
                return option
        close = get_close_matches(value, allowed, n=1, cutoff=0.5)
        suggestion = f"; did you mean {close[0]!r}?" if close else ""
    else:
        suggestion = ""
    names = ", ".join(map(repr, allowed))
    raise OptionError(f"{name}={spelled(value)} is not one of {names}{suggestion}")


def as_n_threads(n_threads: object) -> int | None:
    """Return a whole number of at least 1, or None for the number the environment suggests."""
    if n_threads is None:
        return None
    # True is an int to Python, but who writes n_threads=True means "all of them": that is None.
    if isinstance(n_threads, SupportsIndex) and not isinstance(n_threads, bool):
        with suppress(TypeError):  # of arrays, which have an index only if they hold one number
            count = operator.index(n_threads)
            if count >= 1:
                return count
    raise OptionError(
        f"n_threads={spelled(n_threads)} must be a whole number of at least 1, "
        "or None for all CPUs that are available"
    )
