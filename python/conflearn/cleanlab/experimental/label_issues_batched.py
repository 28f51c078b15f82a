"""Data larger than memory: cleanlab's module of that name.

The answers are those of `conflearn.cleanlab.count`, `rank` and `filter` for all the data at once,
to the bit, whatever the batches are. Of an example 9 bytes are kept, in the end twice that for a
moment: its score, and whether the model agrees with its label. Of the matrix there are only the
rows at hand.
"""

import os
from collections.abc import Callable, Mapping
from contextlib import closing, nullcontext, suppress
from typing import Any, TypeVar

import numpy as np
import numpy.typing as npt

from conflearn._coerce import one_of
from conflearn._coerce.objects import spelled
from conflearn._coerce.options import as_count
from conflearn.cleanlab._batches import Batch, Inspection, Slices, read_batch
from conflearn.cleanlab._pruning import as_n_threads
from conflearn.cleanlab._sweeps import checked_score
from conflearn.errors import (
    InputError,
    InputTypeError,
    MissingDependencyError,
    OptionError,
    SourceError,
)
from conflearn.sources import open_source
from conflearn.sources.source import Source
from conflearn.stream.progress import Bars

__all__ = ["LabelInspector", "find_label_issues_batched", "split_arr"]

T = TypeVar("T")

_METHODS = ("off_diagonal", "off_diagonal_calibrated")


def find_label_issues_batched(
    labels: object = None,
    pred_probs: object = None,
    *,
    labels_file: object = None,
    pred_probs_file: object = None,
    batch_size: int = 10000,
    n_jobs: int | None = 1,
    verbose: bool = True,
    quality_score_kwargs: Mapping[str, Any] | None = None,
    num_issue_kwargs: Mapping[str, Any] | None = None,
    return_mask: bool = False,
) -> npt.NDArray[Any]:
    """Find the examples whose label is likely wrong, the worst first; or flag them.

    Same as cleanlab's function of that name; native: `conflearn.rank_label_issues`, which takes
    files too. The examples with the lowest scores, as many as there are estimated to be issues, are
    considered. Returned are those of them whose label the model does not predict.

    `labels` and `pred_probs`, or the files, are whatever `conflearn.find_label_issues` reads.
    `batch_size` is for arrays in memory; of a file, as much is read at a time as is fastest.
    `n_jobs` is the number of threads, and None what `conflearn.n_threads()` says. With `verbose`,
    bars show how far it is, if tqdm is installed.
    """
    wanted = (
        _either(labels, labels_file, "labels"),
        _either(pred_probs, pred_probs_file, "pred_probs"),
    )
    n_rows = as_count(batch_size, "batch_size")
    if n_rows == 0:
        raise OptionError("batch_size=0 is no number of examples to make progress by; pass 10000")
    source = open_source(*wanted, kind="probabilities", classes=None) or Slices(*wanted, n_rows)
    if verbose and pred_probs_file is not None:
        _say(f"The files have: {source.n_examples} examples, {source.n_classes} classes")
    inspection = _inspection(source.n_classes, quality_score_kwargs, num_issue_kwargs, n_jobs)
    bars = _bars() if verbose else None
    _each_block(source, inspection.average, "examples processed for estimating thresholds", bars)
    looked = _each_block(source, inspection.look, "examples processed for checking labels", bars)
    if inspection.n_inspected != inspection.n_averaged:
        raise SourceError(
            f"pred_probs had {inspection.n_averaged} rows, but a second pass found "
            f"{inspection.n_inspected}; they must stay as they are until the call returns"
        )
    scores = np.concatenate([batch.scores for batch in looked])
    disagrees = np.concatenate([batch.disagrees for batch in looked])
    del looked
    lowest = _lowest(scores, int(inspection.num_issues))
    rows: npt.NDArray[np.int64] = lowest[disagrees[lowest]]
    if verbose:
        _say(f"Number of examples whose labels have been evaluated: {inspection.n_inspected}")
    if not return_mask:
        return rows
    mask = np.zeros(inspection.n_inspected, dtype=np.bool_)
    mask[rows] = True
    return mask


class LabelInspector:
    """Finds wrong labels in data that come in batches, two times over.

    Same as cleanlab's class of that name. First `update_confident_thresholds` takes every batch,
    then `score_label_quality` does. The other methods return what `conflearn.cleanlab.count` and
    `rank` do of all these batches together. Native: `conflearn.states`, which can be merged.

    Parameters
    ----------
    num_class : int
        K.
    store_results : bool, default True
        Keep the scores, 8 bytes an example, for `get_quality_scores` and `get_label_issues`.
    verbose : bool, default True
        Print how many examples an estimate is of.
    quality_score_kwargs : dict, optional
        ``method`` and ``adjust_pred_probs`` of `conflearn.cleanlab.rank.get_label_quality_scores`.
    num_issue_kwargs : dict, optional
        ``estimation_method``: ``off_diagonal`` or ``off_diagonal_calibrated``.
    n_jobs : int, optional
        Number of threads, by default 1; None stands for what `conflearn.n_threads()` says.

    Examples
    --------
    >>> from conflearn.cleanlab.experimental.label_issues_batched import LabelInspector
    >>> inspector = LabelInspector(num_class=2, verbose=False)
    >>> batches = [([0, 0, 1], [[0.9, 0.1], [0.2, 0.8], [0.1, 0.9]]), ([0, 1], [[0.8, 0.2]] * 2)]
    >>> for labels, pred_probs in batches:
    ...     inspector.update_confident_thresholds(labels, pred_probs)
    >>> for labels, pred_probs in batches:
    ...     print(inspector.score_label_quality(labels, pred_probs))
    [0.9 0.2 0.9]
    [0.8 0.2]
    >>> inspector.get_label_issues()
    array([1, 4])
    """

    def __init__(
        self,
        *,
        num_class: int,
        store_results: bool = True,
        verbose: bool = True,
        quality_score_kwargs: Mapping[str, Any] | None = None,
        num_issue_kwargs: Mapping[str, Any] | None = None,
        n_jobs: int | None = 1,
    ) -> None:
        if as_count(num_class, "num_class") < 2:  # noqa: PLR2004 - one class cannot be confused
            raise OptionError(
                f"num_class={num_class} is too few; pass how many columns pred_probs has, 2 or more"
            )
        self.num_class = num_class
        self.store_results = store_results
        self.verbose = verbose
        self.quality_score_kwargs = quality_score_kwargs or {}
        self.num_issue_kwargs = num_issue_kwargs or {}
        self.n_jobs = n_jobs
        self._inspection = _inspection(num_class, quality_score_kwargs, num_issue_kwargs, n_jobs)
        self._scores: list[npt.NDArray[np.float64]] = []

    @property
    def examples_processed_thresh(self) -> int:
        """How many examples the thresholds are averages of."""
        return self._inspection.n_averaged

    @property
    def examples_processed_quality(self) -> int:
        """How many examples have been scored."""
        return self._inspection.n_inspected

    @property
    def examples_per_class(self) -> npt.NDArray[np.int64]:
        """How many examples of those in the thresholds are given each class."""
        return self._inspection.given_counts

    @property
    def confident_thresholds(self) -> npt.NDArray[np.float64]:
        """The thresholds of the examples so far."""
        return self._inspection.thresholds

    def update_confident_thresholds(self, labels: object, pred_probs: object) -> None:
        """Take a batch into the thresholds.

        Same as cleanlab's method of that name.
        """
        batch = read_batch(labels, pred_probs, self._inspection.n_classes)
        if batch is not None:
            self._inspection.average(batch)

    def get_confident_thresholds(self, silent: bool = False) -> npt.NDArray[np.float64]:
        """Return the thresholds of the examples so far.

        Same as cleanlab's method of that name; for a class that no example is given, 2.
        """
        self._demand(self.examples_processed_thresh, "update_confident_thresholds")
        self._tell(
            f"Number of examples used to estimate confident thresholds: "
            f"{self.examples_processed_thresh}",
            silent=silent,
        )
        return self.confident_thresholds.copy()

    def score_label_quality(
        self, labels: object, pred_probs: object, *, update_num_issues: bool = True
    ) -> npt.NDArray[np.float64]:
        """Score the labels of a batch, and count the issues among them.

        Same as cleanlab's method of that name.
        """
        self._demand(self.examples_processed_thresh, "update_confident_thresholds")
        batch = read_batch(labels, pred_probs, self._inspection.n_classes)
        if batch is None:
            return np.empty(0)
        if update_num_issues:
            scores = self._inspection.look(batch).scores
        else:
            scores = self._inspection.score(batch)
        if self.store_results:
            self._scores.append(scores)
        return scores

    def get_num_issues(self, silent: bool = False) -> np.int64:
        """Return the number of issues among the examples so far.

        Same as cleanlab's method of that name.
        """
        self._demand(self.examples_processed_quality, "score_label_quality")
        self._tell_of_scored(silent=silent)
        return self._inspection.num_issues

    def get_quality_scores(self) -> npt.NDArray[np.float64]:
        """Return the scores of the examples so far.

        Same as cleanlab's method of that name.
        """
        if not self.store_results:
            raise InputError(
                "store_results=False keeps no scores; pass True, or keep what score_label_quality "
                "returns"
            )
        return np.concatenate([np.empty(0), *self._scores])

    def get_label_issues(self) -> npt.NDArray[np.int64]:
        """Return as many examples as there are issues, those with the lowest scores, lowest first.

        Same as cleanlab's method of that name.
        """
        scores = self.get_quality_scores()
        self._demand(self.examples_processed_quality, "score_label_quality")
        self._tell_of_scored(silent=False)
        return _lowest(scores, int(self._inspection.num_issues))

    def _demand(self, n_examples: int, first: str) -> None:
        if n_examples < 1:
            raise InputError(f"no example has been processed yet; call {first} first")

    def _tell_of_scored(self, *, silent: bool) -> None:
        self._tell(
            f"Number of examples whose labels have been evaluated: "
            f"{self.examples_processed_quality}",
            silent=silent,
        )

    def _tell(self, text: str, *, silent: bool) -> None:
        if self.verbose and not silent:
            _say(text)


def split_arr(arr: npt.NDArray[Any], chunksize: int) -> list[npt.NDArray[Any]]:
    """Cut an array into pieces of so many rows.

    Same as cleanlab's function of that name.
    """
    return np.split(arr, np.arange(chunksize, arr.shape[0], chunksize), axis=0)


# --- Arguments -----------------------------------------------------------------------------------


def _either(value: object, file: object, name: str) -> object:
    """Return the one of both that is passed."""
    if value is None and file is None:
        raise InputError(f"must provide one of: `{name}` or `{name}_file`")
    if value is not None and file is not None:
        raise InputError(f"only specify one of: `{name}` or `{name}_file`")
    if file is None:
        return value
    if not isinstance(file, str | os.PathLike):
        raise InputError(
            f"{name}_file={spelled(file)} is no path; pass a str, or {name}={name}_file"
        )
    return file


def _inspection(
    n_classes: int,
    quality_score_kwargs: Mapping[str, Any] | None,
    num_issue_kwargs: Mapping[str, Any] | None,
    n_jobs: int | None,
) -> Inspection:
    """Start the two passes that these options ask for."""
    scores = _options(quality_score_kwargs, "quality_score_kwargs", {"method", "adjust_pred_probs"})
    score, adjust = checked_score(
        scores.get("method", "self_confidence"),
        "method",
        adjust_pred_probs=scores.get("adjust_pred_probs", False),
    )
    counts = _options(num_issue_kwargs, "num_issue_kwargs", {"estimation_method"})
    method = one_of(counts.get("estimation_method", "off_diagonal"), _METHODS, "estimation_method")
    return Inspection(
        n_classes, score, adjust, as_n_threads(n_jobs), calibrate=method != "off_diagonal"
    )


def _options(kwargs: object, name: str, known: set[str]) -> Mapping[str, Any]:
    options = {} if kwargs is None else kwargs
    if not isinstance(options, Mapping) or options.keys() - known:
        raise InputTypeError(
            f"{name}={spelled(kwargs)} must be a dict with no other keys than "
            f"{', '.join(map(repr, sorted(known)))}; leave the rest out"
        )
    return options


# --- What is shown, what is found ----------------------------------------------------------------


def _bars() -> Bars | None:
    with suppress(MissingDependencyError):
        return Bars()
    return None


def _each_block(
    source: Source | Slices, take: Callable[[Batch], T], name: str, bars: Bars | None
) -> list[T]:
    """Read a source once, and show how far it is."""
    results = []
    with closing(source.blocks()) as blocks, closing(bars) if bars else nullcontext():
        for block in blocks:
            try:
                results.append(take(Batch(block.labels, block.pred_probs)))
            except InputError as error:
                error.add_note(f"in {block.place}")
                raise
            if bars:
                bars(name, block.first_row + len(block.labels), source.n_examples)
    return results


def _say(text: str) -> None:
    print(text)  # noqa: T201 - what verbose asks for


def _lowest(scores: npt.NDArray[np.float64], n: int) -> npt.NDArray[np.int64]:
    """Find the n lowest scores, the lowest first; of equals, the first. Sort no more than these."""
    if n == 0:
        return np.empty(0, dtype=np.int64)
    rows = np.arange(len(scores))
    if n < len(scores):
        last = np.partition(scores, n - 1)[n - 1]
        rows = np.flatnonzero(scores <= last)
    return rows[np.argsort(scores[rows], kind="stable")[:n]]
