"""Options: one of a few names, a flag, a share, a count, the number of threads."""

import operator
from collections.abc import Collection
from contextlib import suppress
from difflib import get_close_matches
from typing import Any, SupportsIndex, TypeVar

import numpy as np

from conflearn._coerce.objects import is_real, spelled
from conflearn.errors import OptionError

__all__ = [
    "MAX_THREADS",
    "as_bool",
    "as_count",
    "as_n_threads",
    "as_positive",
    "as_share",
    "one_of",
]

Name = TypeVar("Name", bound=str)

#: More threads than a sweep has use for; few enough that asking for them all does no harm.
MAX_THREADS = 1024

_INT64_END = 2**63


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


def as_bool(value: object, name: str) -> bool:
    """Return a bool, and take nothing else for one: "no" would count as true."""
    if isinstance(value, bool | np.bool_):
        return bool(value)
    raise OptionError(f"{name}={spelled(value)} is neither True nor False; pass one of the two")


def as_share(value: Any, name: str) -> float:
    """Return a number from 0 to 1."""
    if is_real(type(value)) and not isinstance(value, bool | np.bool_):
        with suppress(OverflowError, ValueError):  # of 10**400; of a Decimal that signals
            share = float(value)
            if 0 <= share <= 1:
                return share
    raise OptionError(
        f"{name}={spelled(value)} is not a number between 0 and 1; 1 stands for all, 0 for none"
    )


def as_positive(value: Any, name: str) -> float:
    """Return a finite number above 0."""
    if is_real(type(value)) and not isinstance(value, bool | np.bool_):
        with suppress(OverflowError, ValueError):  # of 10**400; of a Decimal that signals
            number = float(value)
            if 0 < number < float("inf"):
                return number
    raise OptionError(
        f"{name}={spelled(value)} is not a finite number above 0; pass one such as 1.0"
    )


def as_count(value: object, name: str) -> int:
    """Return a whole number of at least 0 that fits in 64 bits."""
    count = _whole_number(value)
    if count is not None and 0 <= count < _INT64_END:
        return count
    limit = " that fits in 64 bits" if count is not None and count > 0 else ""
    raise OptionError(
        f"{name}={spelled(value)} is not a whole number of at least 0{limit}; pass an int such as 1"
    )


def as_n_threads(n_threads: object) -> int | None:
    """Return a whole number from 1 to 1024, or None for the number the environment suggests."""
    if n_threads is None:
        return None
    count = _whole_number(n_threads)
    if count is not None and 1 <= count <= MAX_THREADS:
        return count
    raise OptionError(
        f"n_threads={spelled(n_threads)} is not a whole number of at least 1 and at most "
        f"{MAX_THREADS}; pass one, or None for what conflearn.n_threads() says"
    )


def _whole_number(value: object) -> int | None:
    """Return an int, or None for what is none, such as 2.0. True is none, whatever Python says."""
    if isinstance(value, SupportsIndex) and not isinstance(value, bool):
        with suppress(TypeError):  # of arrays, which have an index only if they hold one number
            return operator.index(value)
    return None
