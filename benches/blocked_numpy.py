"""Confident learning in careful numpy: the strongest opponent that needs no compiler.

The same rules as `conflearn`, so the masks are equal, with everything a numpy user could do
for speed: the matrix is read once in blocks that fit in L2, blocks run on all cores (numpy
releases the GIL), no temporary is larger than a block, and only rows whose given class is not
their argmax are looked at again. Values are trusted: unlike conflearn it does not look for NaN.
"""

from collections.abc import Callable
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from read import Matrix, available_cpus, threads

Filter = Literal["confident_learning", "prune_by_class", "prune_by_noise_rate", "both"]
Score = Literal["self_confidence", "normalized_margin", "confidence_weighted_entropy"]
Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Mask = NDArray[np.bool_]

BYTES_PER_BLOCK = 1 << 19
SLACK = 1e-6  # how far below its threshold a probability still counts as confident
THRESHOLD_FLOOR = 2e-6
THRESHOLD_OF_ABSENT_CLASS = 2.0
PROBABILITY_FLOOR = 1e-6  # of the given class, where the entropy is divided by it
MIN_EXAMPLES_PER_CLASS = 1
TOP_PAIRS = 10
ONE_AS_HALF = 0x3C00  # the bits of 1.0: float16 has so few probabilities that a table holds all


def find_label_issues(
    labels: Ints,
    pred_probs: Matrix,
    *,
    filter_by: Filter = "prune_by_noise_rate",
    confident_joint: Ints | None = None,
) -> Mask:
    """Flag the wrong labels."""
    n_classes = pred_probs.shape[1]
    own = self_confidence(labels, pred_probs)
    predicted, guess = sweep(pred_probs, _class_means(labels, own, n_classes))
    if filter_by == "confident_learning":
        mask: Mask = (guess >= 0) & (guess != labels)
    else:
        if confident_joint is None:
            confident_joint = calibrate(_count(labels, guess, n_classes), labels)
        quotas = prune_counts(confident_joint)
        mask = np.ones(labels.size, dtype=bool)
        if filter_by in ("prune_by_class", "both"):
            mask &= _least_confident(labels, own, quotas)
        if filter_by in ("prune_by_noise_rate", "both"):
            mask &= _largest_margins(labels, pred_probs, own, predicted, quotas)
    mask &= ~_agrees(labels, pred_probs, own, predicted)
    return mask


def rank_label_issues(
    labels: Ints, pred_probs: Matrix, *, filter_by: Filter = "prune_by_noise_rate"
) -> Ints:
    """List the rows with wrong labels, the least self-confident first."""
    issues = np.flatnonzero(find_label_issues(labels, pred_probs, filter_by=filter_by))
    return issues[np.argsort(pred_probs[issues, labels[issues]], kind="stable")]


def label_quality_scores(
    labels: Ints, pred_probs: Matrix, *, method: Score = "self_confidence"
) -> Floats:
    """Score how good every label looks, from 0 to 1."""
    scores = self_confidence(labels, pred_probs)
    if method == "self_confidence":
        return scores
    if method == "normalized_margin":
        scores -= _best_other(labels, pred_probs)
        scores += 1
        scores /= 2
        return scores
    ratio = _entropy(pred_probs)
    ratio /= np.log(pred_probs.shape[1]) * np.maximum(scores, PROBABILITY_FLOOR)
    scores.fill(1)  # the limit where the entropy is 0
    np.divide(np.log1p(ratio), ratio, out=scores, where=ratio > 0)
    return scores


def confident_thresholds(labels: Ints, pred_probs: Matrix) -> Floats:
    """Average each class over the rows given it."""
    return _class_means(labels, self_confidence(labels, pred_probs), pred_probs.shape[1])


def confident_joint(labels: Ints, pred_probs: Matrix) -> Ints:
    """Count (given, true) classes and calibrate the counts."""
    _, guess = sweep(pred_probs, confident_thresholds(labels, pred_probs))
    return calibrate(_count(labels, guess, pred_probs.shape[1]), labels)


def num_label_issues(labels: Ints, pred_probs: Matrix) -> int:
    """Count the labels that the confident joint says are wrong."""
    mask = find_label_issues(labels, pred_probs, filter_by="confident_learning")
    return int(np.count_nonzero(mask))


def dataset_health(labels: Ints, pred_probs: Matrix) -> tuple[float, Floats, Ints, Ints]:
    """Score the data set, its classes, and the ten pairs of them that overlap most."""
    n_classes = pred_probs.shape[1]
    own = self_confidence(labels, pred_probs)
    predicted, guess = sweep(pred_probs, _class_means(labels, own, n_classes))
    is_issue = (guess >= 0) & (guess != labels) & ~_agrees(labels, pred_probs, own, predicted)
    joint = calibrate(_count(labels, guess, n_classes), labels)
    quality = joint.diagonal() / np.maximum(joint.sum(axis=1), 1)
    overlap = np.triu(joint + joint.T, k=1).ravel()
    top = np.arange(overlap.size)
    if overlap.size > TOP_PAIRS:
        top = np.argpartition(-overlap, TOP_PAIRS)[:TOP_PAIRS]
    top = top[np.argsort(-overlap[top], kind="stable")]
    return 1 - float(is_issue.mean()), quality, top, overlap[top]


def self_confidence(labels: Ints, pred_probs: Matrix) -> Floats:
    """Gather the probability of each given class."""
    return pred_probs[np.arange(labels.size), labels].astype(np.float64)


def sweep(pred_probs: Matrix, thresholds: Floats) -> tuple[Ints, Ints]:
    """Find each row's argmax, and its most probable confident class or -1: one read of it all."""
    predicted = np.empty(len(pred_probs), dtype=np.int64)
    guess = np.empty(len(pred_probs), dtype=np.int64)
    bar = _ordered(_rounded_up(thresholds - SLACK, pred_probs.dtype))
    lowest_bar = bar.min()

    def visit(rows: slice) -> None:
        block = _ordered(np.ascontiguousarray(pred_probs[rows]))
        best = block.argmax(axis=1)
        top = block[np.arange(best.size), best]
        is_confident = top >= bar[best]
        guess[rows] = np.where(is_confident, best, -1)
        predicted[rows] = best
        # Only where the argmax is not confident can another class be the answer.
        rest = np.flatnonzero(~is_confident & (top >= lowest_bar))
        if rest.size:
            cells = block[rest]
            cells *= cells >= bar
            other = cells.argmax(axis=1)
            is_other = cells[np.arange(rest.size), other] > 0
            guess[rows.start + rest[is_other]] = other[is_other]

    _for_each_block(pred_probs, visit)
    return predicted, guess


def calibrate(counts: Ints, labels: Ints) -> Ints:
    """Scale the counts so that each row sums to the examples given that class."""
    per_class = np.bincount(labels, minlength=len(counts))
    scaled = counts / np.maximum(counts.sum(axis=1), 1e-100)[:, None] * per_class[:, None]
    scaled = scaled / max(scaled.sum(), 1e-100) * labels.size
    rounded: Floats = scaled.round()
    missing = (scaled.sum(axis=1).round() - rounded.sum(axis=1)).astype(int)
    for row in np.flatnonzero(missing):
        order = np.argsort(scaled[row] - rounded[row], kind="stable")
        units = missing[row]
        rounded[row, order[-units:] if units > 0 else order[:-units]] += np.sign(units)
    return rounded.astype(np.int64)


def prune_counts(joint: Ints) -> Ints:
    """Say how many examples to remove, [true, given], and on the diagonal how many to keep."""
    counts = joint.T
    kept = np.maximum(counts.diagonal(), MIN_EXAMPLES_PER_CLASS)
    n_sources = np.maximum(np.count_nonzero(counts, axis=0) - 1, 1)
    quotas: Floats = np.maximum(counts - (kept - counts.diagonal()) / n_sources, 0)
    np.fill_diagonal(quotas, kept)
    return quotas.astype(np.int64)


def _class_means(labels: Ints, own: Floats, n_classes: int) -> Floats:
    per_class = np.bincount(labels, minlength=n_classes)
    sums = np.bincount(labels, weights=own, minlength=n_classes)
    means = np.full(n_classes, THRESHOLD_OF_ABSENT_CLASS)
    np.divide(sums, per_class, out=means, where=per_class > 0)
    np.maximum(means, THRESHOLD_FLOOR, out=means)
    return means


def _count(labels: Ints, guess: Ints, n_classes: int) -> Ints:
    is_counted = guess >= 0
    cells = labels[is_counted] * n_classes + guess[is_counted]
    counts = np.bincount(cells, minlength=n_classes**2).reshape(n_classes, n_classes)
    np.fill_diagonal(counts, np.maximum(counts.diagonal(), 1))
    return counts


def _agrees(labels: Ints, pred_probs: Matrix, own: Floats, predicted: Ints) -> Mask:
    """Mark rows whose given class would be the argmax with a little more probability."""
    agrees: Mask = predicted == labels
    rows = np.flatnonzero(~agrees)
    top, raised = pred_probs[rows, predicted[rows]].astype(np.float64), own[rows] + SLACK
    agrees[rows] = (raised > top) | ((raised == top) & (labels[rows] < predicted[rows]))
    return agrees


def _least_confident(labels: Ints, own: Floats, quotas: Ints) -> Mask:
    """Prune by class: in each given class those with the least probability of it."""
    mask = np.zeros(labels.size, dtype=bool)
    for given, rows in enumerate(_rows_by_class(labels, len(quotas))):
        if rows.size > MIN_EXAMPLES_PER_CLASS:
            n_issues = max(rows.size - quotas[given, given], 0)
            mask[rows[np.argsort(own[rows], kind="stable")[:n_issues]]] = True
    return mask


def _largest_margins(
    labels: Ints, pred_probs: Matrix, own: Floats, predicted: Ints, quotas: Ints
) -> Mask:
    """Prune by noise rate: for each pair of classes those that lean most to the other one.

    Rows whose argmax is the given class are never flagged in the end, and every row with a
    positive margin is one of the others; so those are enough, unless a quota is larger than
    their number.
    """
    mask = np.zeros(labels.size, dtype=bool)
    for given, rows in enumerate(_rows_by_class(labels, len(quotas))):
        rivals = np.flatnonzero(quotas[:, given])
        rivals = rivals[rivals != given]
        if rows.size <= MIN_EXAMPLES_PER_CLASS or not rivals.size:
            continue
        doubtful = rows[predicted[rows] != given]
        quota = quotas[rivals, given]
        margins = _margins(pred_probs, doubtful, rivals, own)
        is_short = (margins > 0).sum(axis=0) < quota
        order = np.argsort(-margins, axis=0, kind="stable")
        is_taken = (np.arange(doubtful.size)[:, None] < quota) & ~is_short
        mask[doubtful[order[is_taken]]] = True
        for rival, n_taken in zip(rivals[is_short], quota[is_short], strict=True):
            margin = _margins(pred_probs, rows, np.array([rival]), own)[:, 0]
            mask[rows[np.argsort(-margin, kind="stable")[:n_taken]]] = True
    return mask


def _margins(pred_probs: Matrix, rows: Ints, rivals: Ints, own: Floats) -> Floats:
    return pred_probs[np.ix_(rows, rivals)].astype(np.float64) - own[rows][:, None]


def _rows_by_class(labels: Ints, n_classes: int) -> list[Ints]:
    order = np.argsort(labels, kind="stable")
    ends = np.cumsum(np.bincount(labels, minlength=n_classes))
    return np.split(order, ends[:-1])


def _best_other(labels: Ints, pred_probs: Matrix) -> Floats:
    """Find the largest probability of a class that was not given."""
    best = np.empty(labels.size, dtype=pred_probs.dtype)

    def visit(rows: slice) -> None:
        block = np.array(pred_probs[rows], order="C")
        block[np.arange(len(block)), labels[rows]] = 0
        best[rows] = _ordered(block).max(axis=1).view(best.dtype)

    _for_each_block(pred_probs, visit)
    return best.astype(np.float64)


def _entropy(pred_probs: Matrix) -> Floats:
    """Sum up the entropy of every row, in nats."""
    entropy = np.empty(len(pred_probs))
    if pred_probs.dtype == np.float16:
        halves = np.arange(ONE_AS_HALF + 1, dtype=np.uint16).view(np.float16).astype(np.float32)
        halves[1:] *= np.log(halves[1:])

    def visit(rows: slice) -> None:
        block = np.ascontiguousarray(pred_probs[rows])
        if block.dtype == np.float16:
            entropy[rows] = -halves[_ordered(block)].sum(axis=1)
        else:
            logs = np.maximum(block, np.finfo(block.dtype).tiny)
            entropy[rows] = -np.vecdot(block, np.log(logs, out=logs))

    _for_each_block(pred_probs, visit)
    return entropy


def _for_each_block(pred_probs: Matrix, visit: Callable[[slice], None]) -> None:
    """Visit blocks of rows that fit in L2, the blocks of one thread next to each other."""
    n_examples, n_classes = pred_probs.shape
    n_rows = max(1, BYTES_PER_BLOCK // (n_classes * pred_probs.itemsize))
    if n_examples <= n_rows:
        visit(slice(0, n_examples))
        return
    edges = np.linspace(0, n_examples, available_cpus() + 1).astype(int)

    def visit_range(first: int, last: int) -> None:
        for start in range(first, last, n_rows):
            visit(slice(start, min(start + n_rows, last)))

    list(threads().map(visit_range, edges[:-1], edges[1:]))


def _ordered(values: NDArray[Any]) -> NDArray[Any]:
    """View values as something of the same order that numpy compares fast.

    It has no vector code for float16, but floats that are not negative order like their bits:
    thirty times faster.
    """
    return values.view(np.uint16) if values.dtype == np.float16 else values


def _rounded_up(values: Floats, dtype: np.dtype[Any]) -> NDArray[Any]:
    """Round to a narrower type, never down: then `p >= t` keeps its answer."""
    rounded = values.astype(dtype)
    return np.where(rounded < values, np.nextafter(rounded, np.inf, dtype=dtype), rounded)
