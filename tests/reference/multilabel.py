"""Multi-label: each class is a problem of two classes, with the probabilities [1 - p, p].

`tags` is an (N, K) array of zeros and ones. Thresholds have the shape (K, 2), joints (K, 2, 2).
"""

import numpy as np

from reference.issues import find_label_issues as find_binary_issues
from reference.issues import num_label_issues as num_binary_issues
from reference.joint import calibrate_confident_joint as calibrate_binary_joint
from reference.joint import confident_joint as binary_joint
from reference.quality import label_quality_scores as binary_scores
from reference.thresholds import confident_thresholds as binary_thresholds


def binary(pred_probs: np.ndarray, k: int) -> np.ndarray:
    """P' of class k."""
    p = pred_probs[:, k].astype(float)
    return np.stack([1 - p, p], axis=1)


def confident_thresholds(tags: np.ndarray, pred_probs: np.ndarray) -> np.ndarray:
    return np.array(
        [binary_thresholds(tags[:, k], binary(pred_probs, k)) for k in range(tags.shape[1])]
    )


def confident_joint(
    tags: np.ndarray,
    pred_probs: np.ndarray,
    *,
    thresholds: np.ndarray,
    calibrate: bool = True,
    several: str = "confident",
) -> np.ndarray:
    joints = [
        binary_joint(
            tags[:, k],
            binary(pred_probs, k),
            thresholds=thresholds[k],
            calibrate=calibrate,
            several=several,
        )
        for k in range(tags.shape[1])
    ]
    return np.array(joints)


def calibrate_confident_joint(counts: np.ndarray, tags: np.ndarray) -> np.ndarray:
    return np.array([calibrate_binary_joint(counts[k], tags[:, k]) for k in range(len(counts))])


def find_label_issues_per_class(
    tags: np.ndarray,
    pred_probs: np.ndarray,
    *,
    thresholds: np.ndarray,
    counts: np.ndarray | None = None,
    num_to_remove_per_class: np.ndarray | None = None,
    **options: object,
) -> np.ndarray:
    """The mask of the cells whose tag is believed to be wrong, or missing."""
    masks = [
        find_binary_issues(
            tags[:, k],
            binary(pred_probs, k),
            thresholds=thresholds[k],
            counts=None if counts is None else counts[k],
            num_to_remove_per_class=(
                None if num_to_remove_per_class is None else num_to_remove_per_class[k]
            ),
            **options,
        )
        for k in range(tags.shape[1])
    ]
    return np.stack(masks, axis=1)


def num_label_issues_per_class(
    tags: np.ndarray, pred_probs: np.ndarray, *, thresholds: np.ndarray
) -> np.ndarray:
    """How many cells of each class, without and with the tag, are off the diagonal."""
    mask = find_label_issues_per_class(
        tags, pred_probs, thresholds=thresholds, filter_by="confident_learning"
    )
    for k in range(tags.shape[1]):
        total = num_binary_issues(tags[:, k], binary(pred_probs, k), thresholds=thresholds[k])
        assert mask[:, k].sum() == total
    return np.stack([(mask & (tags == side)).sum(axis=0) for side in (0, 1)], axis=1)


def label_quality_scores_per_class(
    tags: np.ndarray,
    pred_probs: np.ndarray,
    *,
    method: str = "self_confidence",
    adjust_pred_probs: bool = False,
) -> np.ndarray:
    scores = [
        binary_scores(
            tags[:, k], binary(pred_probs, k), method=method, adjust_pred_probs=adjust_pred_probs
        )
        for k in range(tags.shape[1])
    ]
    return np.stack(scores, axis=1)


def aggregated(
    scores: np.ndarray, aggregate: str, *, alpha: float = 0.8, softmin_temperature: float = 0.1
) -> np.ndarray:
    """One score an example."""
    if aggregate == "exponential_moving_average":
        descending = -np.sort(-scores, axis=1)
        average = descending[:, 0]
        for column in descending.T[1:]:
            average = alpha * column + (1 - alpha) * average
        return average
    if aggregate == "softmin":
        weights = np.exp((scores.min(axis=1, keepdims=True) - scores) / softmin_temperature)
        return (scores * weights).sum(axis=1) / weights.sum(axis=1)
    return {"mean": np.mean, "median": np.median, "min": np.min}[aggregate](scores, axis=1)
