"""Strata: stretches of the ranking, from each of which some rows are drawn.

Errors are dense among the worst rows and rare among the rest, so the worst are cut finely. Where
the first reviews go follows Neyman's rule (1934, JRSS 97), size times spread, with a guess of how
many labels are wrong; where more of them go, by what the first have shown.
"""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

__all__ = [
    "cut_strata",
    "draw_cells",
    "draw_more",
    "first_allocation",
    "interleaved",
    "next_allocation",
]

Ints = npt.NDArray[np.int64]

#: Where strata end, in multiples of the estimated number of wrong labels.
_ENDS = (0.05, 0.15, 0.4, 1.0, 2.0, 4.0)
#: From each stratum, if there are enough reviews.
_LEAST = 8
#: Shares of wrong labels that are guessed lie between these: none is certain.
_LEAST_GUESS, _MOST_GUESS = 0.01, 0.9
#: How much more the rows count that are likely to be flagged.
_FOCUS = 2.0


def cut_strata(n_rows: int, n_wrong: int, n_reviews: int) -> Ints:
    """Cut the ranking, the worst row first.

    Parameters
    ----------
    n_rows, n_wrong, n_reviews : int
        N, the estimated number of wrong labels, and how many rows are to be reviewed.

    Returns
    -------
    ndarray of shape (H + 1,), int64
        Stratum h holds the rows ``edges[h]`` to ``edges[h + 1]`` of the ranking, at least one.
    """
    unit = min(max(n_wrong, n_reviews, 1), n_rows)
    inner = [round(end * unit) for end in _ENDS]
    edges = np.unique(np.clip([0, *inner, n_rows], 0, n_rows)).astype(np.int64)
    n_most = max(1, n_reviews)  # a stratum for each review, at most
    return edges if len(edges) <= n_most + 1 else np.append(edges[:n_most], edges[-1])


def first_allocation(edges: Ints, n_wrong: int, n_reviews: int) -> Ints:
    """Say how many rows of each stratum are reviewed before anything is known.

    Returns
    -------
    ndarray of shape (H,), int64
        Sums to `n_reviews`, or to all rows if these are fewer.
    """
    sizes = np.diff(edges)
    middle = (edges[1:] + edges[:-1]) / 2 / min(max(n_wrong, n_reviews, 1), edges[-1])
    guess = np.clip(_MOST_GUESS / (1 + 1.5 * middle**2), _LEAST_GUESS, _MOST_GUESS)
    least = np.minimum(sizes, min(_LEAST, n_reviews // len(sizes)))
    spreads = np.sqrt(guess * (1 - guess))
    # Where flags are set, the number of errors is not all that matters.
    spreads[middle < 1] *= _FOCUS
    return _filled(least, sizes, spreads, n_reviews)


def next_allocation(
    sizes: Ints, n_drawn: Ints, n_wrong: Ints, n_reviewed: Ints, n_more: int
) -> Ints:
    """Say how many more rows of each stratum shrink the interval most.

    Parameters
    ----------
    sizes, n_drawn, n_wrong, n_reviewed : ndarray of shape (H,), int64
        Of each stratum: its rows, how many of them were drawn, and what is known of those.
    n_more : int
        How many rows to add.
    """
    shares = (n_wrong + 0.5) / (n_reviewed + 1)
    return _filled(n_drawn, sizes, np.sqrt(shares * (1 - shares)), int(n_drawn.sum()) + n_more)


def _filled(start: Ints, sizes: Ints, spreads: npt.NDArray[np.float64], n_reviews: int) -> Ints:
    """Add reviews, one after the other where it takes most from the variance of the sum."""
    n = start.copy()
    weights = (sizes * spreads) ** 2
    for _ in range(min(n_reviews, int(sizes.sum())) - int(n.sum())):
        gains = np.where(n < sizes, weights / (np.maximum(n, 0.5) * (n + 1)), -1.0)
        n[np.argmax(gains)] += 1
    return n


def draw_cells(edges: Ints, counts: Sequence[int], rng: "np.random.Generator") -> tuple[Ints, Ints]:
    """Draw one row from each cell: strata cut into as many equal cells as they get reviews.

    Returns
    -------
    positions : ndarray of shape (n,), int64
        In the ranking, ascending.
    cells : ndarray of shape (n + 1,), int64
        Where the cells end.
    """
    ends = [
        np.linspace(start, end, count + 1).round().astype(np.int64)[1:]
        for start, end, count in zip(edges, edges[1:], counts, strict=False)
        if count
    ]
    cells = np.concatenate([[0], *ends])
    return rng.integers(cells[:-1], cells[1:]), cells


def draw_more(start: int, end: int, taken: Ints, n: int, rng: "np.random.Generator") -> Ints:
    """Draw positions of a stratum that are not taken yet.

    Parameters
    ----------
    start, end : int
        The stratum.
    taken : ndarray of int64
        Positions that were drawn, of any stratum.
    n : int
        How many to draw.
    """
    inside = np.sort(taken[(taken >= start) & (taken < end)])
    places = rng.choice(end - start - len(inside), n, replace=False, shuffle=False)
    # The k-th free position lies behind as many taken ones as have no more than k free before.
    free_before = inside - start - np.arange(len(inside))
    drawn: Ints = start + places + np.searchsorted(free_before, places, side="right")
    return drawn


def interleaved(positions: Ints, edges: Ints, rng: "np.random.Generator") -> Ints:
    """Order rows so that whoever stops early has seen as large a part of each stratum."""
    shuffled = rng.permutation(positions)
    strata = np.searchsorted(edges, shuffled, side="right") - 1
    parts = np.empty(len(shuffled))
    for stratum in np.unique(strata):
        members = np.flatnonzero(strata == stratum)
        parts[members] = (np.arange(len(members)) + rng.random()) / len(members)
    ordered: Ints = shuffled[np.argsort(parts, kind="stable")]
    return ordered
