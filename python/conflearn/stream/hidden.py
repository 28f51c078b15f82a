"""The hidden folder beside a target, in which a run makes its results.

A run that is killed leaves it behind. The next one that writes to the same target removes it: the
system knows by a lock, which ends with the process, that nobody works there any more.
"""

import os
import re
import secrets
import shutil
import sys
from contextlib import suppress
from pathlib import Path

from conflearn._coerce.objects import spelled
from conflearn.errors import OptionError

__all__ = ["ASIDE", "Hidden"]

#: In it, the folder that is being replaced.
ASIDE = "replaced"


class Hidden:
    """A folder beside the target, with a name that nobody else has."""

    def __init__(self, target: Path) -> None:
        with suppress(OSError):  # if it is to matter, the next step tells
            _remove_left_over(target)
        self._lock: int | None = None
        self.folder = _new_beside(target)
        # Before it was locked, another run may have taken it for one that was left.
        while not self._hold():
            self.folder = _new_beside(target)

    def remove(self) -> None:
        """Remove it, with what is there."""
        shutil.rmtree(self.folder, ignore_errors=True)
        _let_go(self._lock)
        self._lock = None

    def _hold(self) -> bool:
        with suppress(BlockingIOError, FileNotFoundError):
            self._lock = _locked(self.folder)
            if self.folder.exists():
                return True
            _let_go(self._lock)
        return False


def _new_beside(target: Path) -> Path:
    folder = target.with_name(f".{target.name}.{secrets.token_hex(4)}.partial")
    try:
        folder.mkdir()  # unlike those of tempfile, of the mode that the user's umask says
    except OSError as error:
        raise OptionError(
            f"out={spelled(str(target))} cannot be written in {target.parent} ({error.strerror})"
        ) from error
    return folder


def _remove_left_over(target: Path) -> None:
    """Remove what runs have left that were killed."""
    name = re.compile(rf"\.{re.escape(target.name)}\.[0-9a-f]{{8}}\.partial")
    for folder in target.parent.iterdir():
        if name.fullmatch(folder.name) is None or folder.is_symlink():
            continue
        try:
            lock = _locked(folder)
        except (BlockingIOError, FileNotFoundError):
            continue
        if lock is None:
            return
        try:
            aside = folder / ASIDE
            if aside.exists() and not target.exists():  # killed between the two steps
                aside.replace(target)
            shutil.rmtree(folder, ignore_errors=True)
        finally:
            _let_go(lock)


def _locked(folder: Path) -> int | None:
    """Hold a folder, if nobody else does; None where the system has no such locks."""
    if sys.platform == "win32":
        return None
    import fcntl

    descriptor = os.open(folder, os.O_RDONLY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        _let_go(descriptor)
        if isinstance(error, BlockingIOError):
            raise
        return None
    return descriptor


def _let_go(lock: int | None) -> None:
    if lock is not None:
        with suppress(OSError):
            os.close(lock)
