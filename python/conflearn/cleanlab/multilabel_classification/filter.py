"""Which examples have wrong or missing classes, and which classes: cleanlab's module."""

from collections.abc import Mapping
from typing import Any, TypeAlias, cast

import numpy as np
import numpy.typing as npt

from conflearn._inputs import TagInputs
from conflearn._names import Filter
from conflearn._warn import warn_caller
from conflearn.cleanlab._pruning import as_filter, tell_of_options
from conflearn.cleanlab._sweeps import as_rank_options, ordered_rows
from conflearn.cleanlab._tags import (
    Flags,
    find_flags,
    problems,
    read_joints,
    read_tags,
    scores_by_class,
    scores_of_examples,
)
from conflearn.cleanlab.rank import find_top_issues

__all__ = ["find_label_issues", "find_multilabel_issues_per_class"]

Rows: TypeAlias = npt.NDArray[np.int64]
Floats: TypeAlias = npt.NDArray[np.float64]
PerClass: TypeAlias = tuple[list[Rows], list[Rows], list[Floats]]

_LOWEST_SCORES: tuple[Filter, ...] = ("low_self_confidence", "low_normalized_margin")


def find_label_issues(
    labels: object,
    pred_probs: object,
    return_indices_ranked_by: str | None = None,
    rank_by_kwargs: Mapping[str, Any] = {},
    filter_by: str = "prune_by_noise_rate",
    frac_noise: float = 1.0,
    num_to_remove_per_class: Any = None,
    min_examples_per_class: int = 1,
    confident_joint: Any = None,
    n_jobs: int | None = None,
    verbose: bool = False,
    low_memory: bool = False,
) -> npt.NDArray[Any]:
    """Flag the examples of which any class is likely wrong or missing; or, ranked, find them.

    Same as cleanlab's function of that name; native: `conflearn.multilabel.find_label_issues`,
    `conflearn.multilabel.rank_label_issues`. `n_jobs` is the number of threads. With
    ``low_memory=True`` the filter is ``low_self_confidence`` in each class, exactly.
    """
    inputs = read_tags(labels, pred_probs, n_jobs)
    if low_memory:
        _tell_of_what_is_unused(
            rank_by_kwargs=bool(rank_by_kwargs),
            filter_by=filter_by != "prune_by_noise_rate",
            num_to_remove_per_class=num_to_remove_per_class is not None,
            confident_joint=confident_joint is not None,
            n_jobs=n_jobs is not None,
            frac_noise=frac_noise != 1,
            min_examples_per_class=min_examples_per_class != 1,
        )
        mask = np.asarray(_find_lowest(inputs, return_indices_ranked_by).any(axis=1))
    else:
        filter_ = as_filter(filter_by)
        if filter_ in _LOWEST_SCORES:
            mask = _find_lowest_examples(inputs, confident_joint)
        else:
            mask = _find(
                inputs,
                filter_,
                frac_noise,
                num_to_remove_per_class,
                min_examples_per_class,
                confident_joint,
                verbose=verbose,
            ).mask
    if return_indices_ranked_by is None:
        return mask
    scores = scores_of_examples(
        inputs,
        return_indices_ranked_by,
        name="return_indices_ranked_by",
        adjust_pred_probs=as_rank_options(rank_by_kwargs),
    )
    rows = np.flatnonzero(mask)
    return rows[np.argsort(scores[rows], kind="stable")]


def find_multilabel_issues_per_class(
    labels: object,
    pred_probs: object,
    return_indices_ranked_by: str | None = None,
    rank_by_kwargs: Mapping[str, Any] = {},
    filter_by: str = "prune_by_noise_rate",
    frac_noise: float = 1.0,
    num_to_remove_per_class: Any = None,
    min_examples_per_class: int = 1,
    confident_joint: Any = None,
    n_jobs: int | None = None,
    verbose: bool = False,
    low_memory: bool = False,
) -> npt.NDArray[np.bool_] | PerClass:
    """Flag the classes of each example that are likely wrong or missing, as an (N, K) mask.

    Same as cleanlab's function of that name; native:
    `conflearn.multilabel.find_label_issues_per_class`. If ranked, three lists with an entry for
    each class: the examples, the worst first; the labels, 0 or 1; and the probabilities, (N, 2).
    """
    inputs = read_tags(labels, pred_probs, n_jobs)
    if low_memory:
        cells = _find_lowest(inputs, return_indices_ranked_by)
    else:
        flags = _find(
            inputs,
            as_filter(filter_by),
            frac_noise,
            num_to_remove_per_class,
            min_examples_per_class,
            confident_joint,
            verbose=verbose,
        )
        cells = flags.cells(inputs.n_classes)
    if return_indices_ranked_by is None:
        return cells
    issues, given, pairs = [], [], []
    for mask, problem in zip(cells.T, problems(inputs), strict=True):
        issues.append(ordered_rows(mask, problem, return_indices_ranked_by, rank_by_kwargs or {}))
        given.append(problem.labels)
        pairs.append(cast("Floats", problem.pred_probs))
    return issues, given, pairs


def _find(
    inputs: TagInputs,
    filter_by: Filter,
    frac_noise: Any,
    num_to_remove_per_class: Any,
    min_examples_per_class: Any,
    confident_joint: Any,
    *,
    verbose: bool,
) -> Flags:
    joints = None
    if confident_joint is not None:
        joints = read_joints(confident_joint, inputs.n_classes)
    tell_of_options(filter_by, frac_noise, num_to_remove_per_class, joints)
    return find_flags(
        inputs,
        filter_by,
        frac_noise=frac_noise,
        num_to_remove_per_class=num_to_remove_per_class,
        min_examples_per_class=min_examples_per_class,
        joints=joints,
        verbose=verbose,
    )


def _find_lowest_examples(inputs: TagInputs, confident_joint: Any) -> npt.NDArray[np.bool_]:
    """Flag the lowest scores, as many as there are examples off the diagonal of any joint.

    These are joints that are counted here, in any case.
    """
    if confident_joint is not None:
        joints = read_joints(confident_joint, inputs.n_classes)
        tell_of_options("confident_learning", 1, None, joints)
    number = int(np.count_nonzero(find_flags(inputs, "confident_learning").mask))
    mask = np.zeros(inputs.n_examples, dtype=np.bool_)
    mask[find_top_issues(scores_of_examples(inputs, "self_confidence"), top=number)] = True
    return mask


def _find_lowest(inputs: TagInputs, rank_by: str | None) -> npt.NDArray[np.bool_]:
    """Flag the lowest scores of each class, as many as labels of it are likely wrong."""
    method = "self_confidence" if rank_by is None else rank_by
    for filter_ in _LOWEST_SCORES:
        if filter_ == f"low_{method}":
            return find_flags(inputs, filter_).cells(inputs.n_classes)
    scores = scores_by_class(inputs, method)
    numbers = find_flags(inputs, "confident_learning").counts(inputs.n_classes).sum(axis=1)
    cells = np.zeros((inputs.n_examples, inputs.n_classes), dtype=np.bool_)
    for class_, number in enumerate(numbers.tolist()):
        cells[find_top_issues(scores[:, class_], top=number), class_] = True
    return cells


def _tell_of_what_is_unused(**is_used: bool) -> None:
    for name, used in is_used.items():
        if used:
            warn_caller(f"`{name}` is not used when `low_memory=True`.", UserWarning)
