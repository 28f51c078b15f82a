"""What checks find: single findings, and the report that they make."""

import textwrap
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, get_args, overload

from conflearn._names import Kind

__all__ = ["SEVERITIES", "Figure", "Finding", "InputReport", "Severity"]

Severity = Literal["error", "warning", "note"]

#: The worst first.
SEVERITIES: tuple[Severity, ...] = get_args(Severity)

Figure = int | float | list[int]

_WIDTH = 98


@dataclass(frozen=True)
class Finding:
    """Something that one check has found.

    Attributes
    ----------
    name : str
        What it is called, such as ``reversed_columns``.
    severity : {"error", "warning", "note"}
        An *error* makes the answers wrong. With a *warning* they are likely to be worse than they
        could be, or not to mean what they seem to. A *note* is good to know.
    seen : str
        What was seen, in numbers.
    why : str
        Why that matters.
    what_to_do : str
        How to go on.
    figures : mapping of str to numbers
        The numbers, for programs: ints, floats, or lists of ints.
    """

    name: str
    severity: Severity
    seen: str
    why: str
    what_to_do: str
    figures: Mapping[str, Figure]

    def to_dict(self) -> dict[str, Any]:
        """Make a dictionary that JSON has a form for."""
        return {**vars(self), "figures": dict(self.figures)}

    def __str__(self) -> str:
        lines = [f"  {self.severity}: {self.name}"]
        for word, text in (("seen", self.seen), ("why", self.why), ("do", self.what_to_do)):
            lines += textwrap.wrap(
                f"{word + ':':<6}{text}",
                _WIDTH,
                initial_indent="    ",
                subsequent_indent=" " * 10,
                break_long_words=False,
                break_on_hyphens=False,
            )
        return "\n".join(lines)


@dataclass(frozen=True, repr=False)
class InputReport(Sequence[Finding]):
    """What `check_inputs` finds: a sequence of findings, the worst first.

    Attributes
    ----------
    findings : tuple of Finding
        The same as a tuple.
    n_examples, n_classes : int
        N and K.
    kind : str
        What the cells of the matrix are.
    left_out : tuple of str
        Findings that were not looked for, for they take more than there was. Those are
        ``conflicting_duplicates``: after `analyze`, which compares no rows; where half of the rows
        or more have so few digits that they may be equal by chance (all of float32 and two
        classes, and of float16 and up to six); and where equal rows with different labels are a
        habit of the model, as of trees and of nearest neighbours.
    """

    findings: tuple[Finding, ...]
    n_examples: int
    n_classes: int
    kind: Kind
    left_out: tuple[str, ...] = ()

    @property
    def is_healthy(self) -> bool:
        """Whether there is nothing but notes."""
        return all(finding.severity == "note" for finding in self.findings)

    @property
    def names(self) -> tuple[str, ...]:
        """The names of the findings."""
        return tuple(finding.name for finding in self.findings)

    def to_records(self) -> list[dict[str, Any]]:
        """List the findings.

        Returns
        -------
        list of dict
            One a finding, with its attributes as keys. JSON has a form for it, and
            ``pandas.DataFrame`` and ``polars.DataFrame`` take it.
        """
        return [finding.to_dict() for finding in self.findings]

    def to_dict(self) -> dict[str, Any]:
        """Make a dictionary of everything.

        Returns
        -------
        dict
            With the keys ``n_examples``, ``n_classes``, ``kind``, ``is_healthy``, ``left_out`` and
            ``findings``. JSON has a form for it.
        """
        return {
            "n_examples": self.n_examples,
            "n_classes": self.n_classes,
            "kind": self.kind,
            "is_healthy": self.is_healthy,
            "left_out": list(self.left_out),
            "findings": self.to_records(),
        }

    @overload
    def __getitem__(self, place: int) -> Finding: ...
    @overload
    def __getitem__(self, place: slice) -> tuple[Finding, ...]: ...
    def __getitem__(self, place: int | slice) -> Finding | tuple[Finding, ...]:
        return self.findings[place]

    def __len__(self) -> int:
        return len(self.findings)

    def __iter__(self) -> Iterator[Finding]:
        return iter(self.findings)

    def __repr__(self) -> str:
        counts = [
            f"{n} {severity}{'s' * (n > 1)}"
            for severity in SEVERITIES
            if (n := sum(finding.severity == severity for finding in self.findings))
        ]
        head = (
            f"InputReport of {self.n_examples:,} labels in {self.n_classes:,} classes: "
            f"{', '.join(counts) or 'nothing found'}"
        )
        return "\n".join([head, *map(str, self.findings)])
