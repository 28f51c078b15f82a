"""Entries as they stand in files, mappings and tables of verdicts: only the form is checked."""

import csv
import os
import re
from collections.abc import Iterable, Iterator, Mapping
from io import StringIO
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from conflearn._coerce.objects import is_a, spelled
from conflearn.errors import InputError, InputTypeError

__all__ = [
    "FORMS",
    "WHOLE_NUMBER",
    "Entry",
    "as_row",
    "entries_of",
    "entries_of_file",
    "is_nothing",
]

FORMS = (
    "pass the file that to_csv wrote, filled in; a mapping from row to verdict; a table with the "
    "columns row and verdict, or row and right_label; or a list of these"
)
#: Spreadsheets may make floats of whole numbers. Three zeros would be those of a thousand.
WHOLE_NUMBER = re.compile(r"(-?[0-9]+)(?:[.,]0{1,2})?")
_COLUMNS = ("row", "verdict", "right_label")


class Entry(NamedTuple):
    """What was said of a row."""

    #: In which line of which file, for messages; "" where that is not known.
    where: str
    row: object
    #: Nothing, as `is_nothing` has it, where nobody has said it.
    verdict: object
    right_label: object


def entries_of(source: Any) -> Iterable[Entry]:
    """Read the entries of one file, mapping or table."""
    if isinstance(source, str | os.PathLike):
        return entries_of_file(Path(source))
    if is_a(source, "pandas", "Series"):
        return [Entry("", row, verdict, None) for row, verdict in source.items()]
    if isinstance(source, Mapping) and "row" not in _by_plain_name(source):
        return [Entry("", row, verdict, None) for row, verdict in source.items()]
    return _entries_of_table(source)


def entries_of_file(path: Path) -> Iterator[Entry]:
    """Read a file of separated values, in which there may be more columns."""
    text = _text_of(path)
    header = text.partition("\n")[0]
    reader = csv.DictReader(
        StringIO(text, newline=""), delimiter=max(",;\t", key=header.count), restval=""
    )
    try:
        names = _by_plain_name(reader.fieldnames or ())
        _require(names, str(path), "has")
        for line in reader:
            cells = [line[names[column]] if column in names else "" for column in _COLUMNS]
            yield Entry(f" (line {reader.line_num} of {path})", *cells)
    except csv.Error as error:
        raise InputError(f"verdicts cannot be read from {path}: {error}") from error


def is_nothing(value: Any) -> bool:
    """Whether a cell of a table is empty: None, a NaN of any library, or no text."""
    if value is None or (isinstance(value, str) and not value.strip()):
        return True
    equal = value == value  # noqa: PLR0124 - a NaN is not equal to itself, and NA is neither
    return not isinstance(equal, bool | np.bool_) or not equal


def as_row(value: Any, where: str) -> int:
    """Read the number of a row, as a spreadsheet may write it."""
    try:
        if isinstance(value, str) and (match := WHOLE_NUMBER.fullmatch(value.strip())):
            return int(match[1])
        row = int(value)
        if row == value:
            return row
    except (TypeError, ValueError, OverflowError):
        pass
    raise InputError(f"verdicts name a row {spelled(value)}{where}; rows are whole numbers")


def _entries_of_table(table: Any) -> Iterator[Entry]:
    try:
        names = _by_plain_name(_names_of(table))
        columns = {plain: _cells(table[name]) for plain, name in names.items()}
    except InputError:
        raise
    except Exception as error:  # a table of any library may raise anything
        raise InputTypeError(f"verdicts are a {type(table).__name__}; {FORMS}") from error
    _require(names, "verdicts", "have")
    nothing = [None] * len(columns["row"])
    cells = [columns.get(column, nothing) for column in _COLUMNS]
    if len(set(map(len, cells))) > 1:
        raise InputError("the columns of verdicts differ in length; there must be a cell for each")
    for row, verdict, label in zip(*cells, strict=True):
        yield Entry("", row, verdict, label)


def _names_of(table: Any) -> list[Any]:
    if isinstance(table, Mapping):
        return list(table)
    if names := getattr(getattr(table, "dtype", None), "names", None):
        return list(names)
    # The `columns` of pyarrow are the columns themselves.
    names = getattr(table, "column_names", None)
    return list(table.columns if names is None else names)


def _cells(column: Any) -> list[Any]:
    to_pylist = getattr(column, "to_pylist", None)
    return list(column if to_pylist is None else to_pylist())


def _by_plain_name(names: Iterable[Any]) -> dict[str, Any]:
    """Find our columns, in whatever case and between whatever spaces a person has put them."""
    found: dict[str, Any] = {}
    for name in names:
        plain = str(name).strip().casefold()
        if plain not in _COLUMNS:
            continue
        if plain in found:
            raise InputError(f"verdicts have two columns {plain!r}; leave one of them")
        found[plain] = name
    return found


def _require(names: Mapping[str, Any], subject: str, has: str) -> None:
    if "row" not in names:
        raise InputError(f"{subject} {has} no column 'row'; {FORMS}")
    if len(names) == 1:
        raise InputError(f"{subject} {has} no column 'verdict', nor 'right_label'; {FORMS}")


def _text_of(path: Path) -> str:
    try:
        data = path.read_bytes()
    except (OSError, ValueError) as error:
        raise InputError(f"verdicts cannot be read from {path}: {error}") from error
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError:
        text = "\0"
    if "\0" in text:
        is_utf16 = data.startswith((b"\xff\xfe", b"\xfe\xff"))
        what = "text in UTF-16" if is_utf16 else "no text in UTF-8"
        raise InputError(
            f"verdicts cannot be read from {path}: it is {what}; save it as CSV in UTF-8"
        )
    return text
