"""Verdicts: what a person said of the rows of a plan."""

import csv
import os
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, Literal, NamedTuple, get_args

import numpy as np
import numpy.typing as npt

from conflearn._coerce.objects import spelled
from conflearn.errors import InputError, InputTypeError

__all__ = ["VERDICTS", "Said", "Verdict", "read_verdicts"]

Verdict = Literal["right", "wrong", "skip"]
VERDICTS: tuple[Verdict, ...] = get_args(Verdict)

_FORMS = (
    "pass the file that to_csv wrote, filled in; a mapping from row to verdict; or a table with "
    "the columns row and verdict"
)


class Said(NamedTuple):
    """What is known of the rows of a plan, in their order; all of shape (n,)."""

    #: Somebody has said whether the label is right.
    is_known: npt.NDArray[np.bool_]
    #: It is wrong, where that is known.
    is_wrong: npt.NDArray[np.bool_]
    #: Somebody has looked, and could not tell.
    is_skipped: npt.NDArray[np.bool_]
    #: What the label should be, if that was said; else "".
    right_labels: npt.NDArray[np.object_]


def read_verdicts(verdicts: Any, rows: npt.NDArray[np.int64], given: Sequence[object]) -> Said:
    """Read verdicts, in whatever form, of rows that have these labels."""
    places = {int(row): place for place, row in enumerate(rows)}
    known, wrong, skipped = (np.zeros(len(rows), np.bool_) for _ in range(3))
    right_labels = np.full(len(rows), "", dtype=np.object_)
    seen = set()
    for where, found, verdict, right_label in _entries(verdicts):
        row = _as_row(found, where)
        if row not in places:
            raise InputError(
                f"verdicts hold row {row}{where}, which is not in the plan; pass verdicts of the "
                "rows that the plan has drawn"
            )
        if row in seen:
            raise InputError(f"verdicts hold row {row} twice{where}; leave one of them")
        seen.add(row)
        place = places[row]
        word = _as_verdict(verdict, row, where)
        same = str(right_label) == str(given[place])
        if right_label != "":
            implied = "right" if same else "wrong"
            if word in ("right", "wrong") and word != implied:
                raise InputError(
                    f"verdicts say {word!r} of row {row}{where}, but its right_label "
                    f"{spelled(right_label)} {'is' if same else 'is not'} the given one; correct "
                    "one of the two"
                )
            word = word or implied
        known[place] = word in ("right", "wrong")
        wrong[place] = word == "wrong"
        skipped[place] = word == "skip"
        right_labels[place] = right_label
    return Said(known, wrong, skipped, right_labels)


def _entries(verdicts: Any) -> Iterable[tuple[str, object, object, object]]:
    """Hand on where something stands, the row, the verdict, and the right label or ""."""
    if isinstance(verdicts, str | os.PathLike):
        yield from _entries_of_csv(Path(verdicts))
        return
    if isinstance(verdicts, Mapping) and not {"row", "verdict"} <= set(map(str, verdicts)):
        for row, verdict in verdicts.items():
            yield "", row, verdict, ""
        return
    try:
        names = list(getattr(getattr(verdicts, "dtype", None), "names", None) or verdicts.keys())
        columns = {name: list(verdicts[name]) for name in names}
    except (AttributeError, TypeError, KeyError, IndexError) as error:
        raise InputTypeError(f"verdicts are a {type(verdicts).__name__}; {_FORMS}") from error
    missing = {"row", "verdict"} - set(columns)
    if missing:
        raise InputError(f"verdicts have no column {min(missing)!r}; {_FORMS}")
    labels = columns.get("right_label", [""] * len(columns["row"]))
    for row, verdict, label in zip(columns["row"], columns["verdict"], labels, strict=True):
        yield "", row, verdict, "" if _is_nothing(label) else label


def _entries_of_csv(path: Path) -> Iterable[tuple[str, object, object, object]]:
    try:
        with path.open(newline="", encoding="utf-8-sig") as file:
            reader = csv.DictReader(file)
            missing = {"row", "verdict"} - set(reader.fieldnames or ())
            if missing:
                raise InputError(f"{path} has no column {min(missing)!r}; {_FORMS}")
            for line in reader:
                where = f" (line {reader.line_num} of {path})"
                yield where, line["row"], line["verdict"], (line.get("right_label") or "").strip()
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise InputError(f"verdicts cannot be read from {path}: {error}") from error


def _is_nothing(value: object) -> bool:
    """Whether a cell of a table is empty: None, a NaN, or no text."""
    return value is None or value != value or value == ""  # noqa: PLR0124 - NaN, of any library


def _as_row(value: Any, where: str) -> int:
    try:
        row = int(value)
        if row == float(value):
            return row
    except (TypeError, ValueError, OverflowError):
        pass
    raise InputError(f"verdicts name a row {spelled(value)}{where}; rows are whole numbers")


def _as_verdict(value: Any, row: int, where: str) -> str:
    if _is_nothing(value):
        return ""
    if isinstance(value, str):
        word = value.strip().lower()
        if word in ("", *VERDICTS):
            return word
    raise InputError(
        f"the verdict of row {row} is {spelled(value)}{where}; it must be right, wrong or skip, or "
        "nothing where nobody has looked yet"
    )
