"""Notice of a copy: the matrix may be most of the memory there is, so none is made in silence.

What is read from lists of plain Python numbers is no copy in this sense: there is no matrix yet.
"""

from conflearn._coerce.blocks import FIRST_ROW
from conflearn._warn import warn_caller
from conflearn.errors import ConflearnCopyWarning

__all__ = ["announce_copy"]


def announce_copy(name: str, n_bytes: int, why: str, remedy: str) -> None:
    """Warn, at the line of the user's call, that the argument ``name`` is copied.

    Called before the copy wherever its size is known, so that the message is there even if the
    memory is not.
    """
    if n_bytes == 0 or FIRST_ROW.get() is not None:  # of a block there is nothing to say
        return
    message = f"{name}: {_spelled_size(n_bytes)} copied, because {why}. To avoid it, {remedy}."
    warn_caller(message, ConflearnCopyWarning)


def _spelled_size(n_bytes: int) -> str:
    for unit, size in (("GiB", 2**30), ("MiB", 2**20), ("KiB", 2**10)):
        if n_bytes >= size:
            return f"{n_bytes / size:.1f} {unit}"
    return f"{n_bytes} bytes"
