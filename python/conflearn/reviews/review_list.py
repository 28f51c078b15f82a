"""The list of rows to review, as a file that a person fills in."""

import csv
from io import StringIO
from pathlib import Path

from conflearn._tables import Table
from conflearn.errors import InputError, OptionError
from conflearn.reviews.entries import Entry, as_row, entries_of_file, is_nothing
from conflearn.reviews.plan_file import write_file

__all__ = ["write_list"]


def write_list(path: Path, table: Table, *, overwrite: bool) -> None:
    """Write it for a spreadsheet; not over verdicts that it does not hold, unless asked to."""
    if not overwrite:
        _refuse_to_lose(path, table)
    file = StringIO(newline="")
    writer = csv.writer(file)
    writer.writerow(table.dtype.names or ())
    writer.writerows(table.tolist())
    # With a mark at its beginning, spreadsheets read it as what it is.
    write_file(path, file.getvalue().encode("utf-8-sig"))


def _refuse_to_lose(path: Path, table: Table) -> None:
    try:
        if not path.is_file() or not path.stat().st_size:
            return
    except OSError:
        return  # whoever writes it will say what is wrong
    held = {
        row: {_plain(word), _plain(label)}
        for row, word, label in zip(
            table.row.tolist(), table.verdict, table.right_label, strict=True
        )
    }
    try:
        n_lost = sum(_would_be_lost(entry, held) for entry in entries_of_file(path))
    except InputError as error:
        raise OptionError(
            f"{path} is there, and is no list of rows to review; choose another name, or pass "
            "overwrite=True"
        ) from error
    if n_lost:
        raise OptionError(
            f"{path} holds {n_lost:,} verdict{'s' if n_lost > 1 else ''} that would be lost; "
            "choose another name, or pass overwrite=True"
        )


def _would_be_lost(entry: Entry, held: dict[int, set[str]]) -> bool:
    """Whether somebody has said what is not in the list that is to be written."""
    said = {_plain(one) for one in entry[2:] if not is_nothing(one)}
    return bool(said) and not said <= held.get(as_row(entry.row, entry.where), set())


def _plain(cell: object) -> str:
    return str(cell).strip().casefold()
