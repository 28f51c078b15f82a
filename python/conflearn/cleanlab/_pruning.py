"""What a search for wrong labels is told, and how many labels to remove, by cleanlab's rules."""

import operator
from typing import Any

import numpy as np
import numpy.typing as npt

from conflearn import _core
from conflearn._coerce import MAX_THREADS
from conflearn._coerce.objects import is_real, spelled
from conflearn._names import CLASSIC_FILTERS, PRUNING_FILTERS, ClassicFilter, Filter
from conflearn._warn import warn_caller
from conflearn.cleanlab._inputs import read_removals
from conflearn.errors import InputTypeError, OptionError

__all__ = ["as_filter", "as_least", "as_n_threads", "as_share", "prune_counts", "tell_of_options"]


def as_filter(filter_by: object) -> ClassicFilter:
    """Return the name of a filter."""
    for name in CLASSIC_FILTERS:
        if name == filter_by:
            return name
    raise AssertionError(f"filter_by={filter_by!r} is not one of {', '.join(CLASSIC_FILTERS)}")


def tell_of_options(
    filter_by: Filter,
    frac_noise: Any,
    num_to_remove_per_class: object,
    confident_joint: object,
) -> None:
    """Warn of what the filter does not use, or refuse it."""
    prunes = filter_by in PRUNING_FILTERS
    if not prunes and (frac_noise != 1 or num_to_remove_per_class is not None):
        warn_caller(
            "frac_noise and num_to_remove_per_class parameters are only supported for filter_by "
            "'prune_by_noise_rate', 'prune_by_class', and 'both'. They are not supported for "
            "methods 'confident_learning', 'predicted_neq_given', 'low_normalized_margin' or "
            "'low_self_confidence'.",
            UserWarning,
        )
    if not prunes and num_to_remove_per_class is not None:
        raise OptionError(
            "filter_by 'confident_learning', 'predicted_neq_given', 'low_normalized_margin' or "
            "'low_self_confidence' is not supported (yet) when setting 'num_to_remove_per_class'"
        )
    if filter_by == "confident_learning" and confident_joint is not None:
        warn_caller(
            "The supplied `confident_joint` is ignored when `filter_by = 'confident_learning'`; "
            "confident joint will be re-estimated from the given labels. To use your supplied "
            "`confident_joint`, please specify a different `filter_by` value.",
            UserWarning,
        )


def as_n_threads(n_jobs: Any) -> int | None:
    """Return the number of threads that stands for a number of processes."""
    if n_jobs is None:
        return None
    if n_jobs < 1:
        raise AssertionError(f"n_jobs={n_jobs!r} must be at least 1")
    try:
        return min(operator.index(n_jobs), MAX_THREADS)
    except TypeError as error:
        raise InputTypeError(
            f"n_jobs={spelled(n_jobs)} is not a whole number; pass an int, or None for "
            "what conflearn.n_threads() says"
        ) from error


def as_least(min_examples_per_class: Any, n_examples: int) -> int:
    """Return the number of examples that every class keeps."""
    _demand_one_number(min_examples_per_class, "min_examples_per_class")
    try:
        is_whole = min_examples_per_class % 1 == 0
    except ArithmeticError:  # of a Decimal that is infinite, or signals
        is_whole = False
    if not is_whole:
        raise OptionError(
            f"min_examples_per_class={spelled(min_examples_per_class)} is not a whole number; "
            "round it up"
        )
    # From N examples on it leaves every class alone.
    return min(max(int(min_examples_per_class), 0), n_examples)


def as_share(frac_noise: Any) -> float:
    """Return the share of what was counted, which may lie outside [0, 1]."""
    _demand_one_number(frac_noise, "frac_noise")
    try:
        return float(frac_noise)
    except (OverflowError, ValueError) as error:  # of 10**400; of a Decimal that signals
        raise OptionError(
            f"frac_noise={spelled(frac_noise)} fits in no float; pass a number between 0 and 1"
        ) from error


def _demand_one_number(value: object, name: str) -> None:
    if not is_real(type(value)):
        raise InputTypeError(f"{name}={spelled(value)} is not a number; pass one for all classes")


def prune_counts(
    confident_joint: npt.NDArray[np.float64],
    given_counts: npt.NDArray[np.int64],
    least: int,
    frac_noise: float,
    num_to_remove_per_class: object,
) -> npt.NDArray[np.int64]:
    """Count how many to remove, [true, given]."""
    counts = _core.prune_counts(confident_joint, least, frac_noise, "nonzero_less_one")
    if num_to_remove_per_class is None:
        return counts
    asked = read_removals(num_to_remove_per_class, len(counts))
    # cleanlab's way from what is asked to prune counts: a column is divided by the sum of the *row*
    # of its class, then rows are scaled to what is asked. Where sums are 0 nothing is removed.
    with np.errstate(divide="ignore", invalid="ignore"):
        shares = counts / counts.sum(axis=1)
        noise = shares.sum(axis=1) - shares.diagonal()
        scaled = shares * asked[:, None] / noise[:, None]
    np.fill_diagonal(scaled, given_counts - asked)
    rounded = _core.round_preserving_row_totals(scaled)
    rounded[~np.isfinite(scaled)] = 0
    return rounded
