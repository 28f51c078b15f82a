"""Count: the confident joint, its calibration, the joint distribution."""

import numpy as np

from reference.thresholds import confident_thresholds

SLACK = 1e-6
TINY = 1e-100
NOT_COUNTED = -1


def class_counts(labels: np.ndarray, n_classes: int) -> np.ndarray:
    """n_k: how many examples were given class k."""
    return np.bincount(labels, minlength=n_classes)


def guesses(
    pred_probs: np.ndarray, thresholds: np.ndarray, several: str = "confident"
) -> np.ndarray:
    """The guessed true class of every example; -1 where no class is confident."""
    confident = pred_probs >= thresholds - SLACK
    guess = np.argmax(np.where(confident, pred_probs, -np.inf), axis=1)
    if several == "row_argmax":
        guess = np.where(confident.sum(axis=1) > 1, np.argmax(pred_probs, axis=1), guess)
    return np.where(confident.any(axis=1), guess, NOT_COUNTED)


def confident_joint(
    labels: np.ndarray,
    pred_probs: np.ndarray,
    *,
    thresholds: np.ndarray | None = None,
    calibrate: bool = True,
    several: str = "confident",
) -> np.ndarray:
    """C[given, guess] over the counted examples, with a diagonal of at least 1."""
    if thresholds is None:
        thresholds = confident_thresholds(labels, pred_probs)
    n_classes = pred_probs.shape[1]
    counts = np.zeros((n_classes, n_classes), dtype=np.int64)
    guess = guesses(pred_probs, thresholds, several)
    counted = guess != NOT_COUNTED
    np.add.at(counts, (labels[counted], guess[counted]), 1)
    np.fill_diagonal(counts, np.maximum(counts.diagonal(), 1))
    if several == "row_argmax":
        counts = np.asfortranarray(counts)  # as cleanlab's counts lie in memory
    return calibrate_confident_joint(counts, labels) if calibrate else counts


def off_diagonal_examples(
    labels: np.ndarray,
    pred_probs: np.ndarray,
    *,
    thresholds: np.ndarray | None = None,
    several: str = "confident",
) -> np.ndarray:
    """The examples counted with guess != given, in ascending order."""
    if thresholds is None:
        thresholds = confident_thresholds(labels, pred_probs)
    guess = guesses(pred_probs, thresholds, several)
    return np.flatnonzero((guess != NOT_COUNTED) & (guess != labels))


def calibrate_confident_joint(counts: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """Scale row k to the count of given class k, the whole to N, then round row by row.

    The total is added up in the order in which the counts lie in memory: its last bit can decide
    where a half goes.
    """
    given = class_counts(labels, len(counts))
    exact = (counts.T / np.maximum(counts.sum(axis=1), TINY) * given).T
    exact = exact / max(np.sum(exact), TINY) * given.sum()
    return np.array([round_row(row) for row in exact])


def round_row(exact: np.ndarray) -> np.ndarray:
    """Round to integers that keep the rounded total of the row.

    Half to even; then the missing (surplus) units go one each to (come from) the entries with
    the largest (smallest) difference between exact and rounded. Among equal differences a unit
    is added at the higher index first, and removed at the lower index first.
    """
    rounded = np.rint(exact)
    missing = int(np.rint(exact.sum()) - rounded.sum())
    smallest_first = np.argsort(exact - rounded, kind="stable")
    if missing > 0:
        rounded[smallest_first[::-1][:missing]] += 1
    else:
        rounded[smallest_first[:-missing]] -= 1
    return rounded.astype(np.int64)


def estimate_joint(
    labels: np.ndarray,
    pred_probs: np.ndarray,
    *,
    counts: np.ndarray | None = None,
    thresholds: np.ndarray | None = None,
    several: str = "confident",
) -> np.ndarray:
    """Q: the calibrated counts as a distribution."""
    if counts is None:
        counts = confident_joint(
            labels, pred_probs, thresholds=thresholds, calibrate=False, several=several
        )
    calibrated = calibrate_confident_joint(counts, labels)
    return calibrated / max(calibrated.sum(), TINY)
