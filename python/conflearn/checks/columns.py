"""Columns that stand in another order than the classes."""

import math

import numpy as np
import numpy.typing as npt

from conflearn.checks.counted import Counted
from conflearn.checks.report import Finding

__all__ = ["permuted_columns"]

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]

#: Another order must agree with so many times as many rows, and the order that is with less than
#: this share: a weak model confuses classes too, but not all of one with all of another.
_TIMES = 2
_AGREEMENT = 0.5
#: Standard errors between the two: chance picks the best of many orders.
_ERRORS = 5
#: Cohen's kappa of the model in the other order. From 0.1 down a model is of no use; rows that were
#: shifted by one, in files whose neighbours are alike, make one a little better (MNIST: 0.11). With
#: seven of ten CIFAR-10 labels wrong, a real model still has 0.17.
_LEAST_KAPPA = 0.15
#: The chance that any pair is taken for more frequent than independence makes it.
_CHANCE = 0.001
#: Of what the best order agrees with: if the reversed one agrees with as much, it is that.
_AS_GOOD = 0.95
#: Orders of more columns are told by ``figures`` alone.
_SHOWN = 20


def permuted_columns(counted: Counted) -> Finding | None:
    """Find the order of the columns in which model and labels agree, if they do not as it is."""
    n, k = counted.n_examples, counted.n_classes
    order, reversal = _best_order(counted), np.arange(k)[::-1]
    now = counted.n_hits
    of_reversal = int(_agreeing(counted, reversal).sum())
    best = now if order is None else int(_agreeing(counted, order).sum())
    # That order needs no search, so it shows where classes have too few examples for one.
    by_chance = float(_by_chance(counted, reversal).sum())
    is_reversed = _is_far_better(of_reversal, now, by_chance, n) and of_reversal >= _AS_GOOD * best
    if is_reversed:
        order, best = reversal, of_reversal
    if order is None:
        return None
    n_moved = int((order != np.arange(k)).sum())
    if is_reversed:
        name, how = "reversed_columns", "with the columns reversed"
        index = "pred_probs[:, ::-1]"
    else:
        name, how = "permuted_columns", f"with {n_moved:,} columns moved"
        index = "pred_probs[:, order], where order is " + (
            str(order.tolist()) if k <= _SHOWN else "figures['order'] of this finding"
        )
    return Finding(
        name,
        "error",
        f"the most probable class is the given one in {now / n:.1%} of the rows; {how} it would "
        f"be so in {best / n:.1%}",
        "column k must be the probability of class k, or every label seems wrong",
        f"if labels and columns were numbered differently, pass {index}; or pass classes with the "
        "names of the columns, such as the attribute classes_ of a scikit-learn classifier; if "
        "not, check that rows of labels and of pred_probs belong to the same examples",
        {
            "agreement": now / n,
            "agreement_reordered": best / n,
            "n_moved": n_moved,
            "order": order.tolist(),
        },
    )


def _is_far_better(then: int, now: int, by_chance: float, n_rows: int) -> bool:
    """Whether so many rows that agree are far more than those that do now, and than by chance.

    A model that always says the same agrees with an order that gives its column to a large class,
    and knows nothing.
    """
    return (
        now < _AGREEMENT * n_rows
        and then > _TIMES * now
        and then - now >= _ERRORS * math.sqrt(then + now)
        and then - by_chance >= _LEAST_KAPPA * (n_rows - by_chance)
    )


def _best_order(counted: Counted) -> Ints | None:
    """Find for each class the column that speaks for it; None if it is its own for all."""
    given, predicted, counts = counted.pairs
    kept = np.arange(counted.n_classes)
    own = _agreeing(counted, kept)
    is_frequent = _is_frequent(counted)
    is_rival = is_frequent & (given != predicted) & (counts > _TIMES * own[given])
    if not is_rival.any():
        return None
    order = _assigned(counted, is_frequent)
    then, by_chance = _agreeing(counted, order), _by_chance(counted, order)
    moved = kept.copy()
    for cycle in _cycles(order):
        n_rows = int(counted.given_counts[cycle].sum())
        n_then, n_now = int(then[cycle].sum()), int(own[cycle].sum())
        if _is_far_better(n_then, n_now, float(by_chance[cycle].sum()), n_rows):
            moved[cycle] = order[cycle]
    return moved if (moved != kept).any() else None


def _is_frequent(counted: Counted) -> npt.NDArray[np.bool_]:
    """Tell which pairs are more frequent than they were by chance, if classes were independent.

    By Chernoff's bound on the tail of Poisson's distribution, shared out over all pairs.
    """
    given, predicted, counts = counted.pairs
    shares = counted.given_counts[given] / counted.n_examples
    expected = shares * counted.predicted_counts[predicted]
    log_chance = counts - expected - counts * np.log(counts / expected)
    log_limit = math.log(_CHANCE) - 2 * math.log(counted.n_classes)
    frequent: npt.NDArray[np.bool_] = (counts > expected) & (log_chance < log_limit)
    return frequent


def _assigned(counted: Counted, is_frequent: npt.NDArray[np.bool_]) -> Ints:
    """Assign a column to each class, the pair that goes together best first.

    That is how often both classes meet over the geometric mean of how often each is there (Ochiai's
    coefficient): by counts alone, a column that is predicted often would go to the wrong class.
    Where each class has a column that is clearly its own, all assignments come to the same.
    """
    given, predicted, counts = (column[is_frequent] for column in counted.pairs)
    order = np.full(counted.n_classes, -1)
    is_taken = np.zeros(counted.n_classes, np.bool_)
    both = counted.given_counts[given] * counted.predicted_counts[predicted].astype(np.float64)
    by_affinity = np.lexsort((predicted, given, -counts / np.sqrt(both)))
    for label, column in zip(
        given[by_affinity].tolist(), predicted[by_affinity].tolist(), strict=True
    ):
        if order[label] < 0 and not is_taken[column]:
            order[label] = column
            is_taken[column] = True
    # Classes without such a column keep their own, or get one of those that are left.
    own = np.flatnonzero((order < 0) & ~is_taken)
    order[own] = own
    is_taken[own] = True
    order[order < 0] = np.flatnonzero(~is_taken)
    return order


def _cycles(order: Ints) -> list[list[int]]:
    """Take a permutation apart into cycles, without classes that stay."""
    cycles, columns = [], order.tolist()
    seen = [column == place for place, column in enumerate(columns)]
    for start in range(len(columns)):
        cycle = []
        place = start
        while not seen[place]:
            seen[place] = True
            cycle.append(place)
            place = columns[place]
        if cycle:
            cycles.append(cycle)
    return cycles


def _agreeing(counted: Counted, order: Ints) -> Ints:
    """Count the examples of each class for which its column is the largest, in some order."""
    given, predicted, counts = counted.pairs
    is_agreeing = order[given] == predicted
    agreeing = np.zeros(counted.n_classes, np.int64)
    agreeing[given[is_agreeing]] = counts[is_agreeing]
    return agreeing


def _by_chance(counted: Counted, order: Ints) -> Floats:
    """Say how many these would be if both classes had nothing to do with each other."""
    shares: Floats = counted.predicted_counts[order] / counted.n_examples
    return counted.given_counts * shares
