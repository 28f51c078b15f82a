"""Plans as files, in JSON, that anybody may have edited: what is in them is checked."""

import json
from pathlib import Path
from typing import Any, NamedTuple, Self

import numpy as np
import numpy.typing as npt

from conflearn._coerce.objects import spelled
from conflearn._names import Score
from conflearn._whole_files import write_whole
from conflearn.errors import InputError, OptionError

__all__ = ["SavedPlan", "write_file"]

_WHAT = "conflearn audit plan"
_VERSION = 1


class SavedPlan(NamedTuple):
    """What a file holds of an `AuditPlan`: enough to draw on, and to refuse other data."""

    n_examples: int
    #: A digest of the given labels.
    labels: str
    rank_by: Score
    seed: int
    #: Where strata and cells end, and what each round has drawn, as positions in the ranking.
    edges: list[int]
    cells: list[int]
    rounds: list[list[int]]
    #: The rows that stand there.
    rows: list[int]

    def write(self, path: Path) -> None:
        """Write it, whole or not at all."""
        contents = {"what": _WHAT, "version": _VERSION, **self._asdict()}
        write_file(path, json.dumps(contents).encode())

    @classmethod
    def read(cls, path: Path) -> Self:
        """Read it, if it is one and not damaged."""
        try:
            contents = json.loads(path.read_text(encoding="utf-8"))
        except OSError as error:
            raise InputError(f"no plan can be read from {path} ({error.strerror})") from error
        except ValueError:
            contents = None
        if not isinstance(contents, dict) or contents.pop("what", None) != _WHAT:
            raise InputError(f"{path} holds no audit plan; pass what AuditPlan.save wrote")
        version = contents.pop("version", None)
        if version != _VERSION:
            raise InputError(
                f"the plan in {path} is of version {spelled(version)}, but this is version "
                f"{_VERSION}; read it with the conflearn that wrote it"
            )
        if set(contents) != set(cls._fields) or not _is_sound(plan := cls(**contents)):
            raise InputError(f"the plan in {path} is damaged; pass the file as it was saved")
        return plan


def write_file(path: Path, data: bytes) -> None:
    """Write a file that a user named, whole or not at all."""
    try:
        write_whole(path, data)
    except OSError as error:
        raise OptionError(f"{path} cannot be written ({error.strerror})") from error


def _is_sound(plan: SavedPlan) -> bool:
    """Whether all is true that `AuditPlan` relies on."""
    try:
        edges, cells, *rounds = map(_whole_numbers, (plan.edges, plan.cells, *plan.rounds))
        positions, drawn = np.concatenate(rounds), np.sort(rounds[0])
        ascend = all(
            one[0] == 0 and one[-1] == plan.n_examples and (np.diff(one) > 0).all()
            for one in (edges, cells)
        )
        one_of_each_cell = np.arange(len(cells) - 1)
        return bool(
            ascend
            and all(type(number) is int and number >= 0 for number in (plan.n_examples, plan.seed))
            and all(isinstance(text, str) for text in (plan.labels, plan.rank_by))
            and len(np.unique(positions)) == len(positions) == len(_whole_numbers(plan.rows))
            and positions.min() >= 0
            and positions.max() < plan.n_examples
            and np.array_equal(np.searchsorted(cells, drawn, side="right") - 1, one_of_each_cell)
            and np.isin(edges, cells).all()
        )
    except (TypeError, ValueError, OverflowError, IndexError):
        return False


def _whole_numbers(values: Any) -> npt.NDArray[np.int64]:
    numbers = np.array(values)
    if numbers.ndim != 1 or numbers.dtype != np.int64:
        raise TypeError
    return numbers
