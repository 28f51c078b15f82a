"""Prune and rank: which labels are wrong, how many, the worst first."""

import numpy as np

from reference.joint import (
    TINY,
    class_counts,
    confident_joint,
    estimate_joint,
    off_diagonal_examples,
    round_row,
)
from reference.quality import label_quality_scores

AGREEMENT_SLACK = 1e-6


def agrees_with_given(labels: np.ndarray, pred_probs: np.ndarray) -> np.ndarray:
    """True where the given class is the row's argmax once 1e-6 is added to it."""
    raised = pred_probs.copy()
    raised[np.arange(len(labels)), labels] += AGREEMENT_SLACK
    return np.argmax(raised, axis=1) == labels


def num_label_issues(
    labels: np.ndarray,
    pred_probs: np.ndarray,
    *,
    method: str = "off_diagonal",
    counts: np.ndarray | None = None,
    thresholds: np.ndarray | None = None,
    several: str = "confident",
) -> int:
    """How many labels are wrong."""
    if method == "off_diagonal":
        examples = off_diagonal_examples(labels, pred_probs, thresholds=thresholds, several=several)
        return int((~agrees_with_given(labels, pred_probs)[examples]).sum())
    if method not in {"off_diagonal_calibrated", "off_diagonal_custom"}:
        raise ValueError(method)
    joint = estimate_joint(
        labels, pred_probs, counts=counts, thresholds=thresholds, several=several
    )
    return int(np.rint(len(labels) * (1 - np.trace(joint))))


def prune_counts(
    counts: np.ndarray, *, min_examples_per_class: int = 1, frac_noise: float = 1.0
) -> np.ndarray:
    """M[true, given]: how many examples of each given class belong to each true class."""
    counts = np.asfortranarray(counts.T.astype(float))  # fixes the order of the sums
    off_diagonal = ~np.eye(len(counts), dtype=bool)
    diagonal = np.maximum(counts.diagonal(), min_examples_per_class)
    sharers = ((counts != 0) & off_diagonal).sum(axis=0)
    counts = np.maximum(counts - (diagonal - counts.diagonal()) / np.maximum(sharers, 1), 0)
    np.fill_diagonal(counts, diagonal)
    kept = counts * frac_noise
    np.fill_diagonal(kept, diagonal)
    np.fill_diagonal(kept, diagonal + np.sum(counts - kept, axis=0))
    return kept.astype(np.int64)


def find_label_issues(
    labels: np.ndarray,
    pred_probs: np.ndarray,
    *,
    filter_by: str = "prune_by_noise_rate",
    frac_noise: float = 1.0,
    num_to_remove_per_class: np.ndarray | None = None,
    min_examples_per_class: int = 1,
    counts: np.ndarray | None = None,
    thresholds: np.ndarray | None = None,
    several: str = "confident",
) -> np.ndarray:
    """The mask of the examples whose label is believed to be wrong."""
    disagrees = ~agrees_with_given(labels, pred_probs)
    if filter_by == "confident_learning":
        examples = off_diagonal_examples(labels, pred_probs, thresholds=thresholds, several=several)
        return _mask_of(examples, labels) & disagrees
    if filter_by == "predicted_neq_given":
        return (np.argmax(pred_probs, axis=1) != labels) & disagrees
    if filter_by.startswith("low_"):
        scores = label_quality_scores(labels, pred_probs, method=filter_by.removeprefix("low_"))
        lowest_first = np.argsort(scores, kind="stable")
        m = num_label_issues(labels, pred_probs, thresholds=thresholds, several=several)
        return _mask_of(lowest_first[:m], labels)

    if counts is None:
        counts = confident_joint(labels, pred_probs, thresholds=thresholds, several=several)
    to_prune = prune_counts(
        counts, min_examples_per_class=min_examples_per_class, frac_noise=frac_noise
    )
    given = class_counts(labels, len(counts))
    by_class = given - to_prune.diagonal()
    by_noise_rate = to_prune * ~np.eye(len(counts), dtype=bool)
    if num_to_remove_per_class is not None:
        by_class = np.asarray(num_to_remove_per_class)
        shares = by_noise_rate / np.maximum(by_noise_rate.sum(axis=0), TINY) * by_class
        by_noise_rate = np.array([round_row(share) for share in shares.T]).T

    flagged_by_class = np.zeros(len(labels), dtype=bool)
    flagged_by_noise_rate = np.zeros(len(labels), dtype=bool)
    for k in np.flatnonzero(given > min_examples_per_class):
        members = np.flatnonzero(labels == k)
        own = pred_probs[members, k]
        least_sure = members[np.argsort(own, kind="stable")]
        flagged_by_class[least_sure[: max(by_class[k], 0)]] = True
        for j in np.flatnonzero(by_noise_rate[:, k]):
            widest = members[np.argsort(-(pred_probs[members, j] - own), kind="stable")]
            flagged_by_noise_rate[widest[: by_noise_rate[j, k]]] = True
    flagged = {
        "prune_by_class": flagged_by_class,
        "prune_by_noise_rate": flagged_by_noise_rate,
        "both": flagged_by_class & flagged_by_noise_rate,
    }
    return flagged[filter_by] & disagrees


def order_label_issues(mask: np.ndarray, scores: np.ndarray) -> np.ndarray:
    """The indices of the flagged examples, the lowest score first."""
    flagged = np.flatnonzero(mask)
    return flagged[np.argsort(scores[flagged], kind="stable")]


def _mask_of(examples: np.ndarray, labels: np.ndarray) -> np.ndarray:
    mask = np.zeros(len(labels), dtype=bool)
    mask[examples] = True
    return mask
