"""Data that come a batch at a time: what is summed up of them, by cleanlab's rules."""

from collections.abc import Generator
from typing import Any, NamedTuple, cast

import numpy as np
import numpy.typing as npt

from conflearn import _core
from conflearn._coerce import as_pred_probs
from conflearn._inputs import Meaning
from conflearn._names import Adjust, Score
from conflearn.cleanlab._inputs import coerce_labels, read_labels
from conflearn.errors import OptionError, ShapeError
from conflearn.sources.source import Block

__all__ = ["Batch", "Inspection", "Scored", "Slices", "read_batch"]

Floats = npt.NDArray[np.float64]


class Batch(NamedTuple):
    """Some rows, as the core reads them."""

    labels: npt.NDArray[Any]
    pred_probs: npt.NDArray[Any]


class Scored(NamedTuple):
    """What is found out about each row of a batch."""

    scores: Floats
    #: Whether the model predicts another class, and not only by a hair.
    disagrees: npt.NDArray[np.bool_]


class Inspection:
    """Two passes over batches: thresholds, then scores and the number of issues."""

    def __init__(
        self,
        n_classes: int,
        score: Score,
        adjust: Adjust,
        n_threads: int | None,
        *,
        calibrate: bool,
    ) -> None:
        self.n_classes = n_classes
        self.n_inspected = 0
        self._score: Score = score
        self._adjust: Adjust = adjust
        self._n_threads = n_threads
        self._calibrate = calibrate
        self._sums = _core.ThresholdState(n_classes, *Meaning())
        self._thresholds: Floats | None = None
        self._counts: _core.JointState | None = None
        self._num_issues_before = 0  # by thresholds that were other ones

    @property
    def n_averaged(self) -> int:
        """How many examples the thresholds are averages of."""
        return int(self._sums.given_counts.sum())

    @property
    def thresholds(self) -> Floats:
        """Those of the examples so far."""
        if self._thresholds is None:
            self._thresholds = self._sums.finish()
        return self._thresholds

    @property
    def given_counts(self) -> npt.NDArray[np.int64]:
        """How many of these examples are given each class."""
        return self._sums.given_counts

    @property
    def num_issues(self) -> np.int64:
        """How many of the examples that were looked at are likely to have a wrong label."""
        counts = self._counts
        if counts is None:
            return np.int64(self._num_issues_before)
        if self._calibrate:
            return np.int64(counts.num_issues_calibrated)
        return np.int64(self._num_issues_before + counts.num_issues)

    def average(self, batch: Batch) -> None:
        """Take a batch into the thresholds."""
        self._sums.update(*batch, self.n_averaged, self._n_threads)
        self._thresholds = None

    def look(self, batch: Batch) -> Scored:
        """Score a batch, and count its issues."""
        counts = self._counts_by(self.thresholds)
        wants_entropies = self._score == "confidence_weighted_entropy"
        look = _core.Look(
            *batch,
            self.thresholds,
            "row_argmax",
            wants_entropies,
            self.n_inspected,
            self._n_threads,
        )
        # Before anything is counted, so that a batch that is refused leaves all as it was.
        scores = look.scores(self._score) if self._adjust == "no" else self._scored(batch)
        disagrees = look.mask("predicted_neq_given")
        counts.add(look)
        self.n_inspected += look.n_examples
        # Neither is None: entropies were asked for, and that filter looks at each row by itself.
        return Scored(cast("Floats", scores), cast("npt.NDArray[np.bool_]", disagrees))

    def score(self, batch: Batch) -> Floats:
        """Score a batch, and do not count its issues."""
        scores = self._scored(batch)
        self.n_inspected += len(scores)
        return scores

    def _scored(self, batch: Batch) -> Floats:
        return _core.label_quality_scores(
            *batch,
            self._score,
            self._adjust,
            self.thresholds,
            self.n_inspected,
            self._n_threads,
        )

    def _counts_by(self, thresholds: Floats) -> _core.JointState:
        """Count by these thresholds from now on."""
        counts = self._counts
        if counts is not None and np.array_equal(counts.thresholds, thresholds):
            return counts
        if counts is not None:
            if self._calibrate:
                raise OptionError(
                    "estimation_method='off_diagonal_calibrated' needs all examples to be counted "
                    "by the same thresholds, but there were calls of update_confident_thresholds "
                    "between two of score_label_quality; make one pass after the other"
                )
            self._num_issues_before += counts.num_issues
        self._counts = _core.JointState(thresholds, *Meaning(), "row_argmax")
        return self._counts


def read_batch(labels: object, pred_probs: object, n_classes: int) -> Batch | None:
    """Coerce what is passed as a batch; one without rows is None."""
    if getattr(pred_probs, "shape", None) == (0, n_classes) and _has_no_items(labels):
        return None
    matrix = as_pred_probs(pred_probs)
    n_examples, n_columns = matrix.shape
    if n_columns != n_classes:
        raise ShapeError(
            f"num_class must equal pred_probs.shape[1], but num_class is {n_classes} and the shape "
            f"of pred_probs is {matrix.shape}; make a LabelInspector with num_class={n_columns}"
        )
    return Batch(coerce_labels(labels, n_classes, n_examples), matrix)


class Slices:
    """Arrays in memory, a few rows at a time."""

    def __init__(self, labels: object, pred_probs: object, n_rows: int) -> None:
        self._pred_probs = as_pred_probs(pred_probs)
        self.n_examples, self.n_classes = self._pred_probs.shape
        self._labels = read_labels(labels, self.n_classes, self.n_examples)
        self._n_rows = n_rows

    def blocks(self) -> Generator[Block, None, None]:
        """Cut them from the first row to the last."""
        for start in range(0, self.n_examples, self._n_rows):
            end = min(start + self._n_rows, self.n_examples)
            rows = slice(start, end)
            yield Block(
                start, self._labels[rows], self._pred_probs[rows], f"rows {start:,} to {end - 1:,}"
            )


def _has_no_items(labels: object) -> bool:
    try:
        return len(labels) == 0  # type: ignore[arg-type] # what has no length is refused elsewhere
    except TypeError:
        return False
