"""Equal rows with different labels."""

from conflearn.checks.counted import Counted
from conflearn.checks.report import Finding

__all__ = ["conflicting_duplicates"]

#: Of more rows than this, equal ones are a habit of the model, as of nearest neighbours and trees,
#: and not a property of the data.
_COARSE = 0.1
#: Of rows that have half of their cells in common, so many have all of them, where examples are
#: there twice. Coarse numbers agree in a half more often than in all.
_LEAST_SAME = 0.5
#: Of the rows.
_MANY = 0.01


def conflicting_duplicates(counted: Counted) -> Finding | None:
    """Find examples that are there twice, and have different labels."""
    found = counted.duplicates
    if (
        not found.n_groups
        or found.n_same > _COARSE * found.n_compared
        or found.n_same < _LEAST_SAME * found.n_alike
    ):
        return None
    named = [
        f"{row} ({counted.name(given)}) and {other} ({counted.name(of_other)})"
        for row, given, other, of_other in found.pairs[:3]
    ]
    return Finding(
        "conflicting_duplicates",
        "warning" if found.n_conflicting > _MANY * found.n_compared else "note",
        f"of {found.n_compared:,} rows that were compared, {found.n_conflicting:,} in "
        f"{found.n_groups:,} groups are the same to the bit and are given different classes, such "
        f"as rows {'; '.join(named)}",
        "to the model these are the same example, of which no more than one label is right",
        "look at these examples: drop what is there twice, and keep one label",
        {
            "n_compared": found.n_compared,
            "n_same": found.n_same,
            "n_conflicting": found.n_conflicting,
            "n_groups": found.n_groups,
            "rows": [row for pair in found.pairs for row in (pair[0], pair[2])],
        },
    )
