"""Tables as GitHub shows them, aligned so that they can be read in a terminal too."""

from collections.abc import Sequence


def markdown_table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Align the first column to the left and all others, which are numbers, to the right."""
    columns = list(zip(header, *rows, strict=True))
    widths = [max(4, *(len(cell) for cell in column)) for column in columns]
    rule = ["-" * widths[0], *("-" * (width - 1) + ":" for width in widths[1:])]
    return "\n".join(_line(cells, widths) for cells in (header, rule, *rows))


def verdict(value: float, target: float | None, *, at_least: bool = False) -> str:
    """Say whether a target is met, or a dash where there is none."""
    if target is None:
        return "-"
    return "pass" if (value >= target if at_least else value <= target) else "miss"


def _line(cells: Sequence[str], widths: Sequence[int]) -> str:
    first, *others = (
        cell.rjust(width) if column else cell.ljust(width)
        for column, (cell, width) in enumerate(zip(cells, widths, strict=True))
    )
    return f"| {' | '.join([first, *others])} |"
