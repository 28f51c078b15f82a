"""Which labels are wrong: cleanlab's module of that name."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from conflearn import _core
from conflearn._coerce import as_joint
from conflearn._names import PRUNING_FILTERS, Filter
from conflearn._options import Options
from conflearn._warn import warn_caller
from conflearn.cleanlab._inputs import Inputs, read_inputs, refuse_one_class
from conflearn.cleanlab._pruning import (
    as_filter,
    as_least,
    as_n_threads,
    as_share,
    prune_counts,
    tell_of_options,
)
from conflearn.cleanlab._sweeps import count_joint, disagreeing_rows, ordered_rows
from conflearn.cleanlab._tags import problems, read_tags
from conflearn.cleanlab.count import calibrate_confident_joint

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
    filter_ = as_filter(filter_by)
    if multi_label:
        from conflearn.cleanlab.multilabel_classification import filter as of_tags

        tell_of_options(filter_, frac_noise, num_to_remove_per_class, None)
        found = of_tags.find_label_issues(
            labels,
            pred_probs,
            return_indices_ranked_by,
            rank_by_kwargs or {},
            filter_by,
            frac_noise,
            num_to_remove_per_class,
            min_examples_per_class,
            confident_joint,
            n_jobs,
            verbose,
        )
        warn_caller(
            "The multi_label argument to filter.find_label_issues() is deprecated and will be "
            "removed in future versions. Please use "
            "`multilabel_classification.filter.find_label_issues()` instead.",
            DeprecationWarning,
        )
        return found
    inputs = read_inputs(labels, pred_probs, "allowed_if_zero")
    prunes = filter_ in PRUNING_FILTERS
    tell_of_options(filter_, frac_noise, num_to_remove_per_class, confident_joint)
    inputs = inputs._replace(n_threads=as_n_threads(n_jobs))
    if not prunes:
        if filter_ != "confident_learning":
            refuse_one_class(inputs.labels, "refused")
        options = Options(filter_, several="row_argmax")
    else:
        options = _pruning_options(
            inputs,
            filter_,
            confident_joint,
            as_least(min_examples_per_class, inputs.n_examples),
            as_share(frac_noise),
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
        of_tags = read_tags(labels, pred_probs)
        mask = np.zeros(of_tags.n_examples, dtype=np.bool_)
        for problem in problems(of_tags):
            mask[disagreeing_rows(problem)] = True
        return mask
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


def _pruning_options(
    inputs: Inputs,
    filter_by: Filter,
    confident_joint: object,
    least: int,
    frac_noise: float,
    num_to_remove_per_class: object,
) -> Options:
    """Say how many to remove: as the core itself does where it can, which takes one sweep."""
    joint = None
    if confident_joint is not None:
        joint = as_joint(confident_joint, inputs.n_classes, may_be_empty=True)
    if num_to_remove_per_class is None and least >= 1 and 0 <= frac_noise <= 1:
        return Options(
            filter_by, frac_noise, None, least, confident_joint=joint, several="row_argmax"
        )
    if joint is None:
        joint = count_joint(inputs)[0].astype(np.float64)
    given_counts = _core.label_counts(inputs.labels, inputs.n_classes)
    counts = prune_counts(joint, given_counts, least, frac_noise, num_to_remove_per_class)
    # A class with but one example never loses it, however few are to be left.
    return Options(
        filter_by,
        min_examples_per_class=max(least, 1),
        prune_counts=counts,
        several="row_argmax",
    )


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
            warn_caller(
                f"May not flag all label issues in class: {class_}, it has too few examples "
                f"({hint})",
                UserWarning,
            )
