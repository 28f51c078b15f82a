"""Plans as files, in JSON, that anybody may have edited: what is in them is checked."""

import hashlib
import json
from pathlib import Path
from typing import Any, NamedTuple, Self

import numpy as np
import numpy.typing as npt

from conflearn._coerce.objects import spelled
from conflearn._names import SCORES, Score
from conflearn._whole_files import write_whole
from conflearn.errors import InputError, OptionError
from conflearn.reviews.verdicts import VERDICTS

__all__ = ["SavedPlan", "write_file"]

_WHAT = "conflearn audit plan"
_VERSION = 2
#: It kept no verdicts, and had no digest of its contents.
_FIRST_VERSION = 1


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
    #: Row, verdict, and the number of the right class, the text of something else, or None.
    verdicts: list[tuple[int, str, int | str | None]]

    def write(self, path: Path) -> None:
        """Write it, whole or not at all."""
        contents = {"what": _WHAT, "version": _VERSION, **self._asdict()}
        write_file(path, json.dumps(contents | {"digest": _digest(contents)}).encode())

    @classmethod
    def read(cls, path: Path) -> Self:
        """Read it, if it is one and not damaged."""
        try:
            contents = json.loads(path.read_text(encoding="utf-8"))
            digest = contents.pop("digest", None) if isinstance(contents, dict) else None
            is_whole = digest == _digest(contents)
        except OSError as error:
            raise InputError(f"no plan can be read from {path} ({error.strerror})") from error
        except (ValueError, RecursionError):
            contents = None
        if not isinstance(contents, dict) or contents.pop("what", None) != _WHAT:
            raise InputError(f"{path} holds no audit plan; pass what AuditPlan.save wrote")
        version = contents.pop("version", None)
        if version not in (_FIRST_VERSION, _VERSION):
            raise InputError(
                f"the plan in {path} is of version {spelled(version)}, but this is version "
                f"{_VERSION}; read it with the conflearn that wrote it"
            )
        if version == _FIRST_VERSION:
            contents.setdefault("verdicts", [])
            is_whole = digest is None  # nobody can know more
        is_plan = is_whole and set(contents) == set(cls._fields)
        if not is_plan or not _is_sound(plan := cls(**contents)):
            raise InputError(f"the plan in {path} is damaged; pass the file as it was saved")
        return plan


def write_file(path: Path, data: bytes) -> None:
    """Write a file that a user named, whole or not at all."""
    try:
        write_whole(path, data)
    except OSError as error:
        raise OptionError(f"{path} cannot be written ({error.strerror})") from error


def _digest(contents: Any) -> str:
    """Tell contents from edited ones, however they are laid out."""
    text = json.dumps(contents, sort_keys=True, separators=(",", ":"))
    return hashlib.blake2b(text.encode(), digest_size=16).hexdigest()


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
            and isinstance(plan.labels, str)
            and plan.rank_by in SCORES
            and len(np.unique(positions)) == len(positions) == len(_whole_numbers(plan.rows))
            and positions.min() >= 0
            and positions.max() < plan.n_examples
            and np.array_equal(np.searchsorted(cells, drawn, side="right") - 1, one_of_each_cell)
            and np.isin(edges, cells).all()
            and all(word in VERDICTS for _, word, _ in plan.verdicts)
            and len({row for row, _, _ in plan.verdicts}) == len(plan.verdicts)
            and {row for row, _, _ in plan.verdicts} <= set(plan.rows)
            and all(
                label is None or isinstance(label, str) or (type(label) is int and label >= 0)
                for _, _, label in plan.verdicts
            )
        )
    except (TypeError, ValueError, OverflowError, IndexError):
        return False


def _whole_numbers(values: Any) -> npt.NDArray[np.int64]:
    numbers = np.array(values)
    if numbers.ndim != 1 or numbers.dtype != np.int64:
        raise TypeError
    return numbers
