"""The same questions put to cleanlab 2.9.0, under the names that conflearn gives them."""

import os
import warnings
from typing import Any

os.environ.setdefault("TQDM_DISABLE", "1")  # its progress bars would run through the table

import numpy as np
from cleanlab import count, dataset, rank
from cleanlab import filter as filters
from numpy.typing import NDArray

from read import Matrix

Ints = NDArray[np.int64]

CELLS_WORTH_A_POOL = 20_000_000  # below this its worker processes take longer than the work


def find_label_issues(
    labels: Ints, pred_probs: Matrix, *, filter_by: str = "prune_by_noise_rate"
) -> Any:
    """Flag the wrong labels."""
    return _find(labels, pred_probs, filter_by=filter_by)


def rank_label_issues(
    labels: Ints, pred_probs: Matrix, *, filter_by: str = "prune_by_noise_rate"
) -> Any:
    """List the rows with wrong labels, the least self-confident first."""
    return _find(
        labels, pred_probs, filter_by=filter_by, return_indices_ranked_by="self_confidence"
    )


def label_quality_scores(
    labels: Ints, pred_probs: Matrix, *, method: str = "self_confidence"
) -> Any:
    """Score how good every label looks, from 0 to 1."""
    return rank.get_label_quality_scores(labels, pred_probs, method=method)


def confident_thresholds(labels: Ints, pred_probs: Matrix) -> Any:
    """Average each class over the rows given it."""
    return count.get_confident_thresholds(labels, pred_probs)


def confident_joint(labels: Ints, pred_probs: Matrix) -> Any:
    """Count (given, true) classes and calibrate the counts."""
    return count.compute_confident_joint(labels, pred_probs)


def num_label_issues(labels: Ints, pred_probs: Matrix) -> Any:
    """Count the labels that the confident joint says are wrong."""
    return count.num_label_issues(labels, pred_probs, estimation_method="off_diagonal")


def dataset_health(labels: Ints, pred_probs: Matrix) -> Any:
    """Summarise the data set, its classes and their pairs."""
    return dataset.health_summary(labels, pred_probs, verbose=False)


def _find(labels: Ints, pred_probs: Matrix, **options: Any) -> Any:
    n_jobs = None if pred_probs.size >= CELLS_WORTH_A_POOL else 1
    try:
        with warnings.catch_warnings(action="ignore"):  # one for every class with few examples
            return filters.find_label_issues(labels, pred_probs, n_jobs=n_jobs, **options)
    finally:
        # It keeps a copy of the whole matrix in a global, which the next call would pay for.
        filters.pred_probs_by_class = {}
