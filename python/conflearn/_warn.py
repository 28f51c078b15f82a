"""Warnings that point to the line of the user's call, however deep below it they arise."""

import sys
import warnings

__all__ = ["warn_caller"]

_PACKAGE = __name__.partition(".")[0]


def warn_caller(message: str, category: type[Warning]) -> None:
    """Warn at the nearest line outside of this package."""
    # `skip_file_prefixes` does this from Python 3.12 on.
    level, frame = 1, sys._getframe()  # noqa: SLF001 - the documented way, `inspect` is slow to import
    while frame.f_back and frame.f_globals.get("__name__", "").partition(".")[0] == _PACKAGE:
        level, frame = level + 1, frame.f_back
    warnings.warn(message, category, stacklevel=level)
