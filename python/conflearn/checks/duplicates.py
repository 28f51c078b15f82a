"""Equal rows with different labels."""

import math

from conflearn.checks.counted import Counted, Duplicates
from conflearn.checks.report import Finding

__all__ = ["conflicting_duplicates", "is_looked_for"]

#: Of rows that have half of their cells in common, so many have all of them, where examples are
#: there twice. Coarse numbers agree in a half more often than in all.
_LEAST_SAME = 0.5
#: Of more rows than this, equal ones are as a rule a habit of the model, as of nearest neighbours
#: and trees, and not a property of the data.
_COARSE = 0.1
#: There, they are the same examples if nearly all rows with a common half are equal,
_LEAST_SAME_OF_MANY = 0.98
#: and if their groups are small: coarse numbers make groups as small as that this rarely.
_CHANCE = 0.1
#: Up to this share of equal rows, the groups that coarse numbers make have about so many times as
#: many rows above two as those of even numbers, or more. Beyond, leaves of a tree come near to even
#: numbers. Of either, examples that are there twice have no more than this.
_MOSTLY_SAME, _UNEVEN, _MOST_ABOVE = 0.6, 2, 0.5
#: Of the rows.
_MANY = 0.01

#: Of so many rows, or all if there are fewer, at least this share must have been compared.
_MOST_COMPARED, _LEAST_COMPARED = 65_536, 0.5


def conflicting_duplicates(counted: Counted) -> Finding | None:
    """Find examples that are there twice, and have different labels."""
    found = counted.duplicates
    if not found.n_groups or _is_coarse(found):
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


def is_looked_for(counted: Counted) -> bool:
    """Whether such examples would have been found, in the rows that were compared."""
    found = counted.duplicates
    if found.n_rows < counted.n_examples:
        return False
    if found.n_groups:
        return not _is_coarse(found)
    return found.n_compared >= _LEAST_COMPARED * min(found.n_rows, _MOST_COMPARED)


def _is_coarse(found: Duplicates) -> bool:
    """Whether rows may be equal because their numbers are coarse."""
    if found.n_same <= _COARSE * found.n_compared:
        return found.n_same < _LEAST_SAME * found.n_alike
    return found.n_same < _LEAST_SAME_OF_MANY * found.n_alike or not _are_pairs(found)


def _are_pairs(found: Duplicates) -> bool:
    """Whether groups of equal rows are smaller than they were by chance.

    If rows take one of many values by chance, each as likely, the number of rows with a value has
    Poisson's distribution, of a mean that follows from how many rows are alone with theirs; if some
    values are more likely, as in leaves of a tree, groups are larger still. Examples that are there
    twice make groups of two, however many they are.
    """
    n_alone = max(found.n_compared - found.n_same, 1)
    mean = math.log(found.n_compared / n_alone)
    none, one = math.exp(-mean), mean * math.exp(-mean)
    by_chance = (mean - one) / (1 - none - one) - 2
    expected, above = by_chance * found.n_groups, found.n_conflicting - 2 * found.n_groups
    if found.n_same < _MOSTLY_SAME * found.n_compared:
        expected *= _UNEVEN
    if above > _MOST_ABOVE * expected:
        return False
    # Chernoff's bound on the lower tail of Poisson's distribution.
    log_chance = above - expected + (above * math.log(expected / above) if above else 0)
    return log_chance < math.log(_CHANCE)
