"""Files that are read by position, and must stay as they are meanwhile.

They are never mapped: a mapped file that is cut short kills the process.
"""

import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from io import FileIO
from pathlib import Path
from stat import S_ISREG
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from conflearn import _core
from conflearn.errors import InputError, SourceError

__all__ = ["File", "Handle", "failure", "noted"]


class Stamp(NamedTuple):
    """What tells that a file is still the same."""

    size: int
    modified_ns: int
    inode: int


class File:
    """A file, as it was when it was first looked at."""

    def __init__(self, path: str | os.PathLike[str], argument: str) -> None:
        self.path = Path(os.fsdecode(path))
        #: The argument that it was passed as, for messages.
        self.argument = argument
        with self._explained("cannot be opened"):
            stat = self.path.stat()
            if S_ISREG(stat.st_mode):  # here, so that every format says the same of it
                FileIO(self.path).close()
            self.stamp = _stamp(stat)

    @property
    def name(self) -> str:
        """Its path as it was given: files in two folders may have the same name."""
        return str(self.path)

    @property
    def size(self) -> int:
        """In bytes."""
        return self.stamp.size

    def identity(self) -> list[object]:
        """Tell it from other files, and from itself after a change."""
        return [str(self.path.absolute()), self.stamp.size, self.stamp.modified_ns]

    def error(self, what: str) -> SourceError:
        """Make an error that names the argument and the file."""
        return SourceError(f"{self.argument}: {self.path} {what}")

    def starts_with(self, magic: bytes) -> bool:
        """Whether these are its first bytes."""
        with self.path.open("rb") as stream:
            return stream.read(len(magic)) == magic

    def check(self) -> None:
        """Refuse a file that is another one by now."""
        with self._explained("cannot be opened any more"):
            self.compare(self.path.stat())

    def compare(self, now: os.stat_result) -> None:
        """Refuse a file that was changed since it was first looked at."""
        stamp = _stamp(now)
        if stamp == self.stamp:
            return
        what = (
            f"its size was {self.stamp.size:,} bytes and is {stamp.size:,}"
            if stamp.size != self.stamp.size
            else "it was written to, or replaced"
        )
        raise self.error(f"has changed while it was in use: {what}; start again")

    @contextmanager
    def open(self) -> Iterator["Handle"]:
        """Open it for one pass. It must be unchanged at the start, and at the end."""
        with self._explained("cannot be opened"):
            stream = FileIO(self.path)
        with stream:
            self.compare(os.fstat(stream.fileno()))
            with self._explained("cannot be opened"):
                handle = Handle(self, stream)
            yield handle
            self.compare(os.fstat(stream.fileno()))

    @contextmanager
    def _explained(self, what: str) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            reason = error.strerror or str(error)
            advice = _advice_on(error, "check the path")
            raise self.error(f"{what} ({reason}); {advice}") from error


class Handle:
    """An open file."""

    def __init__(self, file: File, stream: FileIO) -> None:
        self._file = file
        self._stream = stream
        #: The same, for the core to read from.
        self.core = _core.File(file.path, f"{file.argument}: {file.path}")
        file.check()  # that it is the same

    def read(self, into: npt.NDArray[np.uint8], offset: int, n_threads: int | None = 1) -> None:
        """Fill a buffer from a position on."""
        self.core.read(into, offset, n_threads)

    def expect(self, offset: int, size: int) -> None:
        """Tell the system what will be read soon, unless its memory has the end of that already.

        Telling takes a fifth of the time that a copy of what is there takes.
        """
        size = min(size, self._file.size - offset)
        is_known = not hasattr(os, "posix_fadvise") or self._is_cached(offset + size - 1)
        if size > 0 and not is_known:
            with suppress(OSError):  # advice only: pipes and some file systems know none
                os.posix_fadvise(self._stream.fileno(), offset, size, os.POSIX_FADV_WILLNEED)

    def _is_cached(self, offset: int) -> bool:
        """Whether the system has this byte in memory: False where it does not say."""
        if not hasattr(os, "RWF_NOWAIT"):
            return False
        try:
            return os.preadv(self._stream.fileno(), [bytearray(1)], offset, os.RWF_NOWAIT) == 1
        except OSError:
            return False


@contextmanager
def noted(place: str) -> Iterator[None]:
    """Say of an error about rows where they lie."""
    try:
        yield
    except InputError as error:
        error.add_note(f"in {place}")
        raise


def failure(place: str, argument: str, error: BaseException) -> SourceError:
    """Make an error of what a library said of a file."""
    reason = " ".join(str(error).split()) or type(error).__name__
    advice = _advice_on(error, "make it anew")
    return SourceError(f"{argument}: {place} cannot be read ({reason}); {advice}")


def _advice_on(error: BaseException, other: str) -> str:
    return "check the permissions" if isinstance(error, PermissionError) else other


def _stamp(stat: os.stat_result) -> Stamp:
    return Stamp(stat.st_size, stat.st_mtime_ns, stat.st_ino)
