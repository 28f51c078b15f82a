"""Verdicts: what a person said of the rows of a plan."""

import csv
import os
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, Literal, NamedTuple, get_args

import numpy as np
import numpy.typing as npt

from conflearn._coerce.objects import is_a, spelled
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
    #: What the label should be, a class or something else, if that was said; else "".
    right_labels: npt.NDArray[np.object_]


def read_verdicts(
    verdicts: Any, rows: npt.NDArray[np.int64], given: Sequence[object], classes: Sequence[object]
) -> Said:
    """Read verdicts, in whatever form, of rows that have these labels."""
    places = {int(row): place for place, row in enumerate(rows)}
    known_as = _spellings(classes)
    known, wrong, skipped = (np.zeros(len(rows), np.bool_) for _ in range(3))
    right_labels = np.full(len(rows), "", dtype=np.object_)
    seen = set()
    for where, found, verdict, text in _entries(verdicts):
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
        if not _is_nothing(text):
            spelling = _spelling(text)
            label = known_as.get(spelling, known_as.get(spelling.casefold()))
            if label is None and word != "wrong":
                raise InputError(
                    f"the right_label of row {row} is {spelled(text)}{where}, which is none of the "
                    "classes; correct it, or say wrong as its verdict if it is something else"
                )
            implied = "right" if label is not None and label == given[place] else "wrong"
            if word in ("right", "wrong") and word != implied:
                raise InputError(
                    f"verdicts say {word!r} of row {row}{where}, but its right_label "
                    f"{spelled(text)} {'is' if implied == 'right' else 'is not'} the given one; "
                    "correct one of the two"
                )
            word = word or implied
            right_labels[place] = text if label is None else label
        known[place] = word in ("right", "wrong")
        wrong[place] = word == "wrong"
        skipped[place] = word == "skip"
    return Said(known, wrong, skipped, right_labels)


def _spellings(classes: Sequence[object]) -> dict[str, object]:
    """Find classes by how a spreadsheet may spell them: in other case, where that tells one."""
    spelled_so: dict[str, object] = {}
    ambiguous = set()
    for one in classes:
        folded = _spelling(one).casefold()
        if folded in spelled_so:
            ambiguous.add(folded)
        spelled_so[folded] = one
    for folded in ambiguous:
        del spelled_so[folded]
    return spelled_so | {_spelling(one): one for one in classes}


def _spelling(value: object) -> str:
    """Spell a label; a table with gaps makes floats of whole numbers."""
    if isinstance(value, float | np.floating) and float(value).is_integer():
        value = int(value)
    return str(value).strip()


def _entries(verdicts: Any) -> Iterable[tuple[str, object, object, object]]:
    """Hand on where something stands, the row, the verdict, and the right label or nothing."""
    if isinstance(verdicts, str | os.PathLike):
        yield from _entries_of_csv(Path(verdicts))
        return
    if is_a(verdicts, "pandas", "Series"):
        verdicts = verdicts.to_dict()
    if isinstance(verdicts, Mapping) and not {"row", "verdict"} <= set(map(str, verdicts)):
        for row, verdict in verdicts.items():
            yield "", row, verdict, None
        return
    names = getattr(getattr(verdicts, "dtype", None), "names", None)
    try:
        names = names or list(getattr(verdicts, "columns", None) or verdicts.keys())
    except ValueError:  # the truth of a pandas index
        names = list(verdicts.columns)
    except AttributeError as error:
        raise InputTypeError(f"verdicts are a {type(verdicts).__name__}; {_FORMS}") from error
    columns = {name: list(verdicts[name]) for name in names}
    missing = {"row", "verdict"} - set(columns)
    if missing:
        raise InputError(f"verdicts have no column {min(missing)!r}; {_FORMS}")
    n = len(columns["row"])
    labels = columns.get("right_label", [None] * n)
    if not n == len(columns["verdict"]) == len(labels):
        raise InputError("the columns of verdicts differ in length; there must be a cell for each")
    for row, verdict, label in zip(columns["row"], columns["verdict"], labels, strict=True):
        yield "", row, verdict, label


def _entries_of_csv(path: Path) -> Iterable[tuple[str, object, object, object]]:
    try:
        with path.open(newline="", encoding="utf-8-sig") as file:
            header = file.readline()
            separator = max(",;\t", key=header.count)
            file.seek(0)
            reader = csv.DictReader(file, delimiter=separator)
            missing = {"row", "verdict"} - set(reader.fieldnames or ())
            if missing:
                raise InputError(f"{path} has no column {min(missing)!r}; {_FORMS}")
            for line in reader:
                if any(line.values()):  # spreadsheets write lines of nothing but separators
                    where = f" (line {reader.line_num} of {path})"
                    yield where, line["row"], line["verdict"], line.get("right_label")
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise InputError(f"verdicts cannot be read from {path}: {error}") from error


def _is_nothing(value: Any) -> bool:
    """Whether a cell of a table is empty: None, a NaN of any library, or no text."""
    if value is None or (isinstance(value, str) and not value.strip()):
        return True
    equal = value == value  # noqa: PLR0124 - a NaN is not equal to itself, and NA is neither
    return not isinstance(equal, bool | np.bool_) or not equal


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
