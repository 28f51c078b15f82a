"""Notice of a copy: the matrix may be most of the memory there is, so none is made in silence."""

import sys
import warnings

from conflearn.errors import ConflearnCopyWarning

__all__ = ["announce_copy"]

MIB = 2**20
#: Copies up to this size cost nothing that anybody notices, and are not worth a warning.
SILENT_BYTES = MIB

_PACKAGE = __name__.partition(".")[0]


def announce_copy(name: str, n_bytes: int, why: str, remedy: str) -> None:
    """Warn, at the line of the user's call, that the argument ``name`` is copied.

    Called before the copy wherever its size is known, so that the message is there even if the
    memory is not.
    """
    if n_bytes <= SILENT_BYTES:
        return
    # `skip_file_prefixes` does this from Python 3.12 on.
    level, frame = 1, sys._getframe()  # noqa: SLF001 - the documented way, `inspect` is slow to import
    while frame.f_back and frame.f_globals.get("__name__", "").partition(".")[0] == _PACKAGE:
        level, frame = level + 1, frame.f_back
    warnings.warn(
        f"{name}: {n_bytes / MIB:.1f} MiB copied, because {why}. To avoid it, {remedy}.",
        ConflearnCopyWarning,
        stacklevel=level,
    )
