"""Which labels are wrong: cleanlab's module of that name."""

import operator
import warnings
from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from conflearn import _core
from conflearn._coerce import MAX_THREADS, as_joint
from conflearn._coerce.objects import is_real, spelled
from conflearn._names import FILTERS, PRUNING_FILTERS, Filter
from conflearn._options import Options
from conflearn.cleanlab._inputs import (
    Inputs,
    read_inputs,
    read_removals,
    refuse_multi_label,
    refuse_one_class,
)
from conflearn.cleanlab._sweeps import count_joint, disagreeing_rows, ordered_rows
from conflearn.cleanlab.count import calibrate_confident_joint
from conflearn.errors import InputTypeError, OptionError

__all__ = [
    "find_label_issues",
    "find_label_issues_using_argmax_confusion_matrix",
    "find_predicted_neq_given",
]


def find_label_issues(
    labels: object,
    pred_probs: object,
    *,
    return_indices_ranked_by: str | None = None,
    rank_by_kwargs: Mapping[str, Any] | None = None,
    filter_by: str = "prune_by_noise_rate",
    frac_noise: float = 1.0,
    num_to_remove_per_class: object = None,
    min_examples_per_class: int = 1,
    confident_joint: object = None,
    n_jobs: int | None = None,
    verbose: bool = False,
    multi_label: bool = False,
) -> npt.NDArray[Any]:
    """Flag the examples whose label is likely wrong; or, ranked, find them, the worst first.

    Same as cleanlab's function of that name; native: `conflearn.find_label_issues`,
    `conflearn.rank_label_issues`. `n_jobs` is the number of threads, by default what
    `conflearn.n_threads()` says.
    """
    filter_ = next((name for name in FILTERS if name == filter_by), None)
    if filter_ is None:
        raise AssertionError(f"filter_by={filter_by!r} is not one of {', '.join(FILTERS)}")
    if multi_label:
        refuse_multi_label(labels, no_list=AssertionError)
    inputs = read_inputs(labels, pred_probs, "allowed_if_zero")
    prunes = filter_ in PRUNING_FILTERS
    if not prunes and (frac_noise != 1 or num_to_remove_per_class is not None):
        warnings.warn(
            "frac_noise and num_to_remove_per_class parameters are only supported for filter_by "
            "'prune_by_noise_rate', 'prune_by_class', and 'both'. They are not supported for "
            "methods 'confident_learning', 'predicted_neq_given', 'low_normalized_margin' or "
            "'low_self_confidence'.",
            stacklevel=2,
        )
    if not prunes and num_to_remove_per_class is not None:
        raise OptionError(
            "filter_by 'confident_learning', 'predicted_neq_given', 'low_normalized_margin' or "
            "'low_self_confidence' is not supported (yet) when setting 'num_to_remove_per_class'"
        )
    if filter_ == "confident_learning" and confident_joint is not None:
        warnings.warn(
            "The supplied `confident_joint` is ignored when `filter_by = 'confident_learning'`; "
            "confident joint will be re-estimated from the given labels. To use your supplied "
            "`confident_joint`, please specify a different `filter_by` value.",
            stacklevel=2,
        )
    inputs = inputs._replace(n_threads=_as_n_threads(n_jobs))
    if not prunes:
        if filter_ != "confident_learning":
            refuse_one_class(inputs.labels, "refused")
        options = Options(filter_, several="row_argmax")
    else:
        options = _pruning_options(
            inputs,
            filter_,
            confident_joint,
            _as_least(min_examples_per_class, inputs.n_examples),
            _as_share(frac_noise),
            num_to_remove_per_class,
        )
    mask = _core.find_label_issues(inputs.labels, inputs.pred_probs, options, inputs.n_threads)
    if prunes:
        _tell_of_pruning(inputs, filter_, min_examples_per_class, verbose=verbose)
    if verbose:
        print(f"Number of label issues found: {mask.sum()}")  # noqa: T201 - what verbose asks for
    if return_indices_ranked_by is None:
        return mask
    return ordered_rows(mask, inputs, return_indices_ranked_by, rank_by_kwargs or {})


def find_predicted_neq_given(
    labels: object, pred_probs: object, *, multi_label: bool = False
) -> npt.NDArray[np.bool_]:
    """Flag the examples whose most probable class is not the given one.

    Same as cleanlab's function of that name; native: `conflearn.find_label_issues` with
    ``filter_by="predicted_neq_given"``, which lets near ties pass.
    """
    if multi_label:
        refuse_multi_label(labels, no_list=AssertionError)
    inputs = read_inputs(labels, pred_probs, "refused")
    mask = np.zeros(inputs.n_examples, dtype=np.bool_)
    mask[disagreeing_rows(inputs)] = True
    return mask


def find_label_issues_using_argmax_confusion_matrix(
    labels: object,
    pred_probs: object,
    *,
    calibrate: bool = True,
    filter_by: str = "prune_by_noise_rate",
) -> npt.NDArray[Any]:
    """Flag the examples whose label is likely wrong, by the confusion matrix as joint.

    Same as cleanlab's function of that name; native: `conflearn.find_label_issues` with a
    `confident_joint` of your own.
    """
    inputs = read_inputs(labels, pred_probs, "refused")
    # Where every class is confident, the most probable one is counted: a confusion matrix, but for
    # its diagonal, which is at least 1.
    confusion, _ = count_joint(inputs, np.full(inputs.n_classes, -1.0), calibrate=False)
    np.fill_diagonal(confusion, 0)
    counts = _core.label_counts(inputs.labels, inputs.n_classes)
    np.fill_diagonal(confusion, counts - confusion.sum(axis=1))
    if calibrate:
        confusion = calibrate_confident_joint(confusion, inputs.labels)
    return find_label_issues(labels, pred_probs, confident_joint=confusion, filter_by=filter_by)


# --- Pruning -------------------------------------------------------------------------------------


def _as_n_threads(n_jobs: Any) -> int | None:
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


def _as_least(min_examples_per_class: Any, n_examples: int) -> int:
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


def _as_share(frac_noise: Any) -> float:
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


def _pruning_options(
    inputs: Inputs,
    filter_by: Filter,
    confident_joint: object,
    least: int,
    frac_noise: float,
    num_to_remove_per_class: object,
) -> Options:
    """Say how many to remove: as the core itself does where it can, which takes one sweep."""
    if num_to_remove_per_class is None and least >= 1 and 0 <= frac_noise <= 1:
        joint = None if confident_joint is None else _joint(confident_joint, inputs)
        return Options(
            filter_by, frac_noise, None, least, confident_joint=joint, several="row_argmax"
        )
    counts = _prune_counts(inputs, confident_joint, least, frac_noise, num_to_remove_per_class)
    # A class with but one example never loses it, however few are to be left.
    return Options(
        filter_by,
        min_examples_per_class=max(least, 1),
        prune_counts=counts,
        several="row_argmax",
    )


def _prune_counts(
    inputs: Inputs,
    confident_joint: object,
    least: int,
    frac_noise: float,
    num_to_remove_per_class: object,
) -> npt.NDArray[np.int64]:
    """Count how many to remove, [true, given]."""
    if confident_joint is None:
        joint = count_joint(inputs)[0].astype(np.float64)
    else:
        joint = _joint(confident_joint, inputs)
    counts = _core.prune_counts(joint, least, frac_noise, "nonzero_less_one")
    if num_to_remove_per_class is None:
        return counts
    asked = read_removals(num_to_remove_per_class, inputs.n_classes)
    # cleanlab's way from what is asked to prune counts: a column is divided by the sum of the *row*
    # of its class, then rows are scaled to what is asked. Where sums are 0 nothing is removed.
    with np.errstate(divide="ignore", invalid="ignore"):
        shares = counts / counts.sum(axis=1)
        noise = shares.sum(axis=1) - shares.diagonal()
        scaled = shares * asked[:, None] / noise[:, None]
    given_counts = _core.label_counts(inputs.labels, inputs.n_classes)
    np.fill_diagonal(scaled, given_counts - asked)
    rounded = _core.round_preserving_row_totals(scaled)
    rounded[~np.isfinite(scaled)] = 0
    return rounded


def _joint(confident_joint: object, inputs: Inputs) -> npt.NDArray[np.float64]:
    return as_joint(confident_joint, inputs.n_classes, may_be_empty=True)


def _tell_of_pruning(inputs: Inputs, filter_by: str, least: int, *, verbose: bool) -> None:
    """Print and warn as each of the two ways of pruning does."""
    given_counts = _core.label_counts(inputs.labels, inputs.n_classes)
    few = np.flatnonzero(given_counts <= least)
    n_threads = inputs.n_threads or _core.default_n_threads()
    for other, by, hint in (
        ("prune_by_noise_rate", "class", "see argument: `min_examples_per_class`"),
        ("prune_by_class", "noise rate", "see `min_examples_per_class` argument"),
    ):
        if filter_by == other:
            continue
        if verbose and n_threads > 1:
            print(f"Parallel processing label issues by {by}.")  # noqa: T201 - see above
        for class_ in few:
            warnings.warn(
                f"May not flag all label issues in class: {class_}, it has too few examples "
                f"({hint})",
                stacklevel=3,
            )
