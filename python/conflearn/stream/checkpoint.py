"""What a run that was killed goes on from: a folder of states, and of the columns so far.

A state is written beside the one it replaces, and takes its place when the disk has it. So at every
moment there is one to go on from, and it says how long the columns were: what they have beyond
that is written again.

====================  =================================================================
``run.json``          which call it is, with which options and input, by which version; and which
                      of the files here are its own
``<pass>.state``      the state of a pass, the rows it has seen, how long columns were
``<column>.npy``      results a row
``lock``              held as long as a run works here
====================  =================================================================
"""

import hashlib
import json
import sys
import time
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import IO, Any, NamedTuple

from conflearn._coerce.objects import spelled
from conflearn._whole_files import partial_of, write_whole
from conflearn.errors import OptionError, StateError

__all__ = ["Checkpoint", "Saved"]

#: Seconds between two states of a pass. No more than these are lost, and writing them hardly shows.
INTERVAL = 10.0

_RUN, _LOCK, _STATE = "run.json", "lock", ".state"
_MAGIC = b"conflearn checkpoint 1\n"
_DIGEST_SIZE = 32
#: Options of which the folder has no more than a digest.
_DIGESTS = ("confident_joint", "num_to_remove_per_class", "thresholds", "classes")


class Saved(NamedTuple):
    """How far a pass came."""

    row: int
    is_done: bool
    #: How many entries each column had by then.
    lengths: Mapping[str, int]
    state: bytes


class Checkpoint:
    """The folder of one run; see above."""

    def __init__(self, folder: Path, run: Mapping[str, Any]) -> None:
        self.folder = folder
        self._due = time.monotonic() + INTERVAL
        # With a lock in it, a run has made it that was killed at once.
        is_new = not folder.exists() or (folder / _LOCK).exists()
        try:
            folder.mkdir(exist_ok=True)
        except OSError as error:
            raise OptionError(
                f"checkpoint={spelled(str(folder))} cannot be made a folder ({error.strerror}); "
                "pass one that is empty, or a new one inside of a folder that exists"
            ) from error
        self._lock = _locked(folder)
        #: As it is read again.
        self._run: dict[str, Any] = json.loads(json.dumps(run))
        self._made_folder = is_new
        self._files: list[str] = []
        try:
            self._begin()
        except BaseException:
            self.release()
            raise

    def is_due(self) -> bool:
        """Whether it is time for another state."""
        return time.monotonic() >= self._due

    def file(self, name: str) -> Path:
        """Return the path of a file of the run, of which it is noted first that it is one."""
        path = self.folder / name
        if name not in self._files:
            if path.exists():
                raise StateError(
                    f"checkpoint={spelled(str(self.folder))} holds {name}, which the run has not "
                    "written and would write over; move it to another place"
                )
            self._files.append(name)
            self._note()
        return path

    def save(self, name: str, saved: Saved) -> None:
        """Write how far a pass came; what it has written to columns is on the disk by now."""
        facts = {"row": saved.row, "is_done": saved.is_done, "lengths": dict(saved.lengths)}
        head = json.dumps(facts).encode()
        body = len(head).to_bytes(4, "little") + head + saved.state
        write_whole(self.file(_state_file(name)), _MAGIC + _digest(body) + body)
        self._due = time.monotonic() + INTERVAL

    def recall(self, name: str) -> Saved | None:
        """Read how far a pass came; None where it has not begun."""
        path = self.folder / _state_file(name)
        try:
            data = path.read_bytes()
        except FileNotFoundError:
            return None
        start = len(_MAGIC) + _DIGEST_SIZE
        body = data[start:]
        if not data.startswith(_MAGIC) or data[len(_MAGIC) : start] != _digest(body):
            raise StateError(
                f"{path} is damaged, or no state of a run; remove the folder {self.folder} to "
                "start anew"
            )
        end = 4 + int.from_bytes(body[:4], "little")
        return Saved(**json.loads(body[4:end]), state=body[end:])

    def forget(self, name: str) -> None:
        """Remove the state of a pass that is not needed any more."""
        (self.folder / _state_file(name)).unlink(missing_ok=True)

    def clear(self) -> None:
        """Remove all files of the run, and the folder if the run made it; others stay."""
        # States go first: without columns they would be wrong.
        files = sorted(self._files, key=lambda name: not name.endswith(_STATE))
        for name in (*files, _RUN):
            path = self.folder / name
            partial_of(path).unlink(missing_ok=True)
            path.unlink(missing_ok=True)
        self.release()
        with suppress(OSError):  # somebody else holds the folder by now, or keeps files there
            (self.folder / _LOCK).unlink()
            if self._made_folder:
                self.folder.rmdir()

    def release(self) -> None:
        """Let another run work here."""
        self._lock.close()

    def _begin(self) -> None:
        """Check that the run in the folder is this one, or begin it."""
        path = self.folder / _RUN
        try:
            noted = json.loads(path.read_bytes())
            there, self._made_folder = noted["run"], noted["made_folder"]
            self._files = noted["files"]
        except FileNotFoundError:
            ours = {_LOCK, partial_of(path).name}
            others = {file.name for file in self.folder.iterdir()} - ours
            if others:
                raise StateError(
                    f"checkpoint={spelled(str(self.folder))} holds other files, such as "
                    f"{min(others)}, and no run; pass a folder that is empty, or a new one"
                ) from None
            self._note()
            return
        except (ValueError, KeyError, TypeError):
            raise StateError(
                f"{path} is damaged; remove the folder {self.folder} to start anew"
            ) from None
        if there != self._run:
            what = _difference(there, self._run)
            raise StateError(
                f"checkpoint={spelled(str(self.folder))} holds {what}; repeat the call that it "
                f"belongs to, pass another folder, or remove {self.folder} to start anew"
            )

    def _note(self) -> None:
        """Write what is known of the run."""
        noted = {"run": self._run, "made_folder": self._made_folder, "files": self._files}
        write_whole(self.folder / _RUN, json.dumps(noted).encode())


def _state_file(name: str) -> str:
    return f"{name.replace(' ', '-')}{_STATE}"


def _difference(there: dict[str, Any], run: dict[str, Any]) -> str:
    """Say in what the run that is there differs from this one."""
    name = next(name for name in {**run, **there} if there.get(name) != run.get(name))
    if name == "input":
        return "a run over another input, as files are when they change or move"
    if name in _DIGESTS:
        return f"a run with another {name} than this one"
    before, now = (json.dumps(each.get(name)) for each in (there, run))
    return f"a run with {name}={before}, but this one has {name}={now}"


def _digest(data: bytes) -> bytes:
    return hashlib.blake2b(data, digest_size=_DIGEST_SIZE).digest()


def _locked(folder: Path) -> IO[bytes]:
    """Hold the folder: the lock ends with the process, however that ends."""
    file = (folder / _LOCK).open("ab")
    if sys.platform != "win32":
        import fcntl

        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            file.close()
            raise StateError(
                f"checkpoint={spelled(str(folder))} belongs to a run that is at work; wait for "
                "it, or pass another folder"
            ) from error
        except OSError:  # a disk that knows no locks
            pass
    return file
