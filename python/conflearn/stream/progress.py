"""How far a run is: told to a function, or shown as a bar."""

from collections.abc import Callable
from importlib import import_module
from typing import Any, TypeAlias

from conflearn._coerce.objects import spelled
from conflearn.errors import MissingDependencyError, OptionError

__all__ = ["Bars", "Report", "as_report"]

#: Takes the name of the pass, the rows that are done, and how many there are, if anybody knows.
Report: TypeAlias = Callable[[str, int, int | None], object]


class Bars:
    """One bar of tqdm for each pass."""

    def __init__(self) -> None:
        try:
            self._new: Callable[..., Any] = import_module("tqdm.auto").tqdm
        except ImportError as error:
            raise MissingDependencyError(
                'progress=True needs tqdm: pip install "conflearn[progress]"; or pass a function '
                "progress(pass_name, done_rows, total_rows)"
            ) from error
        self._bar: Any = None
        self._name = ""

    def __call__(self, name: str, done: int, total: int | None) -> None:
        """See `Report`."""
        if self._bar is None or name != self._name:
            self.close()
            self._name = name
            self._bar = self._new(
                desc=name, initial=done, total=total, unit=" rows", unit_scale=True
            )
        self._bar.update(done - self._bar.n)

    def close(self) -> None:
        """Leave the last bar as it is."""
        if self._bar is not None:
            self._bar.close()
            self._bar = None


def as_report(progress: object) -> Report | None:
    """Return whom to tell; nobody for None or False, bars for True."""
    if progress is None or progress is False:
        return None
    if progress is True:
        return Bars()
    if callable(progress):
        return progress
    raise OptionError(
        f"progress={spelled(progress)} is neither True nor False nor a function; pass one that "
        "takes the name of the pass, the rows that are done and how many there are (or None)"
    )
