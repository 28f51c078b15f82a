"""What one sweep over a batch finds out about each of its rows."""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from conflearn import _core
from conflearn._coerce import as_bool, as_count, as_thresholds, one_of
from conflearn._inputs import Inputs
from conflearn._names import (
    FILTERS,
    JUDGES,
    SCORES,
    UNRANKED_FILTERS,
    Filter,
    Kind,
    Score,
    Several,
)
from conflearn._options import read_cut
from conflearn.errors import InputTypeError, OptionError
from conflearn.states.batch import read_batch
from conflearn.states.judge import Judge

__all__ = ["Look", "as_judges", "look", "look_at"]


class Look:
    """What one sweep over a batch has found out about each of its rows. `look` makes it."""

    def __init__(self, core: _core.Look | None) -> None:
        self._core = core  # None of no rows

    @property
    def n_examples(self) -> int:
        """How many rows."""
        return 0 if self._core is None else self._core.n_examples

    def scores(self, method: Score) -> npt.NDArray[np.float64]:
        """Score each row, as `conflearn.label_quality_scores` does.

        Returns
        -------
        ndarray of shape (n,), float64

        Raises
        ------
        OptionError
            If it is ``confidence_weighted_entropy``, and the look was without ``entropies=True``;
            or that of a judge who was not asked.
        """
        one_of(method, SCORES, "method")
        if self._core is None:
            return np.empty(0)
        scores = self._core.scores(method)
        if scores is None:
            raise OptionError(f"method={method!r} needs a look with {_needed(method)}")
        return scores

    def mask(self, filter_by: Filter, cut: float | None = None) -> npt.NDArray[np.bool_]:
        """Flag rows, by a filter that looks at each row by itself.

        Parameters
        ----------
        filter_by, cut
            As in `conflearn.find_label_issues`.

        Returns
        -------
        ndarray of shape (n,), bool

        Raises
        ------
        OptionError
            If it is another filter: those need a `SelectionState`. Or it goes by a judge who was
            not asked.
        """
        one_of(filter_by, FILTERS, "filter_by")
        if filter_by not in UNRANKED_FILTERS:
            raise OptionError(
                f"filter_by={filter_by!r} removes so many rows of each class, which no row can "
                "tell by itself; use a SelectionState"
            )
        share = read_cut(cut, filter_by)
        if self._core is None:
            return np.empty(0, dtype=np.bool_)
        mask = self._core.mask(filter_by, share)
        if mask is None:
            raise OptionError(f"filter_by={filter_by!r} needs a look with {_needed(filter_by)}")
        return mask

    def others(self, filter_by: Filter) -> npt.NDArray[np.int64]:
        """Find the class to suggest for each row that `mask` flags.

        Returns
        -------
        ndarray of shape (n,), int64
            The most probable class but the given one, or the one that the judge believes in whom
            the filter goes by; -1 where there is none, or the given one is more probable.

        Raises
        ------
        OptionError
            If the filter goes by a judge who was not asked.
        """
        if filter_by not in JUDGES:
            return self.most_probable_others()
        if self._core is None:
            return np.empty(0, dtype=np.int64)
        others = self._core.believed_others(filter_by)
        if others is None:
            raise OptionError(f"filter_by={filter_by!r} needs a look with {_needed(filter_by)}")
        return others

    def most_probable_others(self) -> npt.NDArray[np.int64]:
        """Find the most probable class but the given one, -1 where that is more probable.

        Returns
        -------
        ndarray of shape (n,), int64
            What to suggest for a row that `mask` flags.
        """
        return (
            np.empty(0, dtype=np.int64) if self._core is None else self._core.most_probable_others()
        )


def look(
    labels: object,
    pred_probs: object,
    thresholds: object,
    *,
    kind: Kind = "probabilities",
    temperature: float = 1.0,
    class_bias: object = None,
    first_row: int = 0,
    entropies: bool = False,
    judges: Sequence[Judge] = (),
    sample_of: int | None = None,
    n_threads: int | None = None,
) -> Look:
    """Look at a batch of rows once.

    Parameters
    ----------
    labels, pred_probs, kind, temperature, class_bias, first_row, n_threads
        As in `ThresholdState.update`.
    thresholds : array_like of shape (K,), or None
        From where on each class is confident; with None none is, which is enough for
        ``predicted_neq_given`` and for scores.
    entropies : bool, default False
        Compute what ``confidence_weighted_entropy`` needs.
    judges : sequence of Judge
        Ask them about each row: for their scores, and the filters of the same names.
    sample_of : int, optional
        For a `CheckState`: how many rows all batches have together. Then all cells are looked at of
        some rows, of no more than 10,000 altogether.

    Returns
    -------
    Look

    Raises
    ------
    InputError
        If shapes do not fit, or a label or a cell is out of range.
    StateError
        If a judge was fitted to other classes, or another kind.

    Examples
    --------
    >>> from conflearn.states import look
    >>> seen = look([0, 0], [[0.75, 0.25], [0.125, 0.875]], [0.5, 0.75])
    >>> seen.mask("confident_learning")
    array([False,  True])
    >>> seen.scores("normalized_margin")
    array([0.75 , 0.125])
    """
    batch = read_batch(labels, pred_probs, n_threads, (kind, temperature, class_bias))
    return look_at(batch, thresholds, "most_probable", first_row, entropies, judges, sample_of)


def look_at(
    batch: Inputs | None,
    thresholds: object,
    several: Several,
    first_row: object,
    entropies: object,
    judges: Sequence[Judge],
    sample_of: object = None,
) -> Look:
    """Look at a batch that is coerced already."""
    wants_entropies = as_bool(entropies, "entropies")
    asked = [judge._core for judge in as_judges(judges)]  # noqa: SLF001 - of this package
    first = as_count(first_row, "first_row")
    n_rows = None if sample_of is None else as_count(sample_of, "sample_of")
    if batch is None:
        return Look(None)
    cuts = None if thresholds is None else as_thresholds(thresholds, batch.n_classes)
    labels, pred_probs, threads = batch
    return Look(
        _core.Look(
            labels, pred_probs, cuts, several, wants_entropies, first, threads, asked, n_rows
        )
    )


def as_judges(judges: Sequence[Judge]) -> tuple[Judge, ...]:
    """Refuse what is no judge, and more than one of a name."""
    every = (judges,) if isinstance(judges, Judge) else tuple(judges)
    for judge in every:
        if not isinstance(judge, Judge):
            raise InputTypeError(f"judges must hold Judges, not {type(judge).__name__}")
    rules = [judge.rule for judge in every]
    for rule in set(rules):
        if rules.count(rule) > 1:
            raise OptionError(f"judges hold more than one {rule}; pass one of each name")
    return every


def _needed(name: Filter | Score) -> str:
    return f"a Judge by {name} among judges" if name in JUDGES else "entropies=True"
