"""Verdicts: what a person said of the rows of a plan."""

from collections.abc import Sequence
from typing import Any, Literal, NamedTuple, get_args

import numpy as np
import numpy.typing as npt

from conflearn._coerce.objects import spelled
from conflearn.errors import InputError, InputTypeError
from conflearn.reviews.entries import FORMS, WHOLE_NUMBER, as_row, entries_of, is_nothing

__all__ = ["VERDICTS", "Said", "Verdict", "read_verdicts"]

Verdict = Literal["right", "wrong", "skip"]
VERDICTS: tuple[Verdict, ...] = get_args(Verdict)


class Said(NamedTuple):
    """What is known of the rows of a plan, in their order; all of shape (n,)."""

    #: Somebody has said whether the label is right.
    is_known: npt.NDArray[np.bool_]
    #: It is wrong, where that is known.
    is_wrong: npt.NDArray[np.bool_]
    #: Somebody has looked, and could not tell.
    is_skipped: npt.NDArray[np.bool_]
    #: What the label should be, a class or the text of something else, if that was said; else "".
    right_labels: npt.NDArray[np.object_]

    @classmethod
    def nothing(cls, n: int) -> "Said":
        """Make what is known of n rows at which nobody has looked."""
        known, wrong, skipped = (np.zeros(n, np.bool_) for _ in range(3))
        return cls(known, wrong, skipped, np.full(n, "", dtype=np.object_))

    @property
    def words(self) -> list[str]:
        """The verdicts, "" where there is none."""
        known = np.where(self.is_known, np.where(self.is_wrong, "wrong", "right"), "")
        words: list[str] = np.where(self.is_skipped, "skip", known).tolist()
        return words

    def padded(self, n: int) -> "Said":
        """Add rows at which nobody has looked, so that there are n."""
        rest = Said.nothing(n - len(self.is_known))
        return Said(*(np.concatenate(both) for both in zip(self, rest, strict=True)))

    def updated(self, later: "Said") -> "Said":
        """Take what was said later, where something was said."""
        is_new = later.is_known | later.is_skipped
        # Who only repeats a verdict does not take the label back.
        repeats = self.is_known & later.is_known & (self.is_wrong == later.is_wrong)
        keeps_label = ~is_new | (repeats & (later.right_labels == ""))
        which = is_new, is_new, is_new, ~keeps_label
        return Said(*map(np.where, which, later, self))


def read_verdicts(
    verdicts: Any, rows: npt.NDArray[np.int64], given: Sequence[object], classes: Sequence[object]
) -> Said:
    """Read verdicts, in whatever form, of rows that have these labels; several forms are joined."""
    sources = verdicts if isinstance(verdicts, list | tuple) else [verdicts]
    if any(isinstance(one, str) and one.strip().lower() in VERDICTS for one in sources):
        raise InputTypeError(f"verdicts are a {type(verdicts).__name__} without rows; {FORMS}")
    known_as = _spellings(classes)
    said = Said.nothing(len(rows))
    for source in sources:
        said = _joined(said, _read(source, rows, given, known_as), rows)
    return said


def _joined(one: Said, other: Said, rows: npt.NDArray[np.int64]) -> Said:
    """Join what several people said; who could not tell gives way to who could."""
    both = zip(one.words, other.words, one.right_labels, other.right_labels, strict=True)
    for row, (word, other_word, label, other_label) in zip(rows.tolist(), both, strict=True):
        for what in ({word, other_word} - {"", "skip"}, {label, other_label} - {""}):
            if len(what) > 1:
                said = " and ".join(map(spelled, sorted(what, key=str)))
                raise InputError(f"verdicts hold row {row} twice, as {said}; correct one of them")
    is_known = one.is_known | other.is_known
    return Said(
        is_known,
        one.is_wrong | other.is_wrong,
        (one.is_skipped | other.is_skipped) & ~is_known,
        np.where(one.right_labels == "", other.right_labels, one.right_labels),
    )


def _read(
    source: Any,
    rows: npt.NDArray[np.int64],
    given: Sequence[object],
    known_as: dict[str, object],
) -> Said:
    places = {int(row): place for place, row in enumerate(rows)}
    said = Said.nothing(len(rows))
    seen = set()
    for where, found, verdict, text in entries_of(source):
        if is_nothing(found) and is_nothing(verdict) and is_nothing(text):
            continue  # spreadsheets write lines of nothing but separators
        row = as_row(found, where)
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
        # Of who could not tell, a label is a guess.
        if word != "skip" and not is_nothing(text):
            label = _class_of(text, known_as)
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
            said.right_labels[place] = _spelling(text) if label is None else label
        said.is_known[place] = word in ("right", "wrong")
        said.is_wrong[place] = word == "wrong"
        said.is_skipped[place] = word == "skip"
    return said


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


def _class_of(text: object, known_as: dict[str, object]) -> object | None:
    """Find the class that is meant, None if there is none."""
    spelling = _spelling(text)
    as_number = WHOLE_NUMBER.fullmatch(spelling)
    spellings = [spelling, spelling.casefold(), *([as_number[1]] if as_number else [])]
    return next((known_as[one] for one in spellings if one in known_as), None)


def _spelling(value: object) -> str:
    """Spell a label; a table with gaps makes floats of whole numbers."""
    if isinstance(value, float | np.floating) and float(value).is_integer():
        value = int(value)
    return str(value).strip()


def _as_verdict(value: Any, row: int, where: str) -> str:
    if is_nothing(value):
        return ""
    if isinstance(value, str):
        word = value.strip().lower()
        if word in ("", *VERDICTS):
            return word
    raise InputError(
        f"the verdict of row {row} is {spelled(value)}{where}; it must be right, wrong or skip, or "
        "nothing where nobody has looked yet"
    )
