"""What one sweep over a batch finds out about each of its rows."""

import numpy as np
import numpy.typing as npt

from conflearn import _core
from conflearn._coerce import as_bool, as_count, as_thresholds, one_of
from conflearn._inputs import Inputs
from conflearn._names import FILTERS, SCORES, Filter, Kind, Score, Several
from conflearn.errors import OptionError
from conflearn.states.batch import read_batch

__all__ = ["OF_SINGLE_ROWS", "Look", "look", "look_at"]

#: The filters that look at each row by itself.
OF_SINGLE_ROWS: tuple[Filter, ...] = ("confident_learning", "predicted_neq_given")


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
            If it is ``confidence_weighted_entropy``, and the look was without ``entropies=True``.
        """
        one_of(method, SCORES, "method")
        if self._core is None:
            return np.empty(0)
        scores = self._core.scores(method)
        if scores is None:
            raise OptionError(f"method={method!r} needs a look with entropies=True")
        return scores

    def mask(self, filter_by: Filter) -> npt.NDArray[np.bool_]:
        """Flag rows, by a filter that looks at each row by itself.

        Returns
        -------
        ndarray of shape (n,), bool

        Raises
        ------
        OptionError
            If it is another filter: those need a `SelectionState`.
        """
        one_of(filter_by, FILTERS, "filter_by")
        mask = None if self._core is None else self._core.mask(filter_by)
        if filter_by not in OF_SINGLE_ROWS:
            raise OptionError(
                f"filter_by={filter_by!r} removes so many rows of each class, which no row can "
                "tell by itself; use a SelectionState"
            )
        return np.empty(0, dtype=np.bool_) if mask is None else mask

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

    Returns
    -------
    Look

    Raises
    ------
    InputError
        If shapes do not fit, or a label or a cell is out of range.

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
    return look_at(batch, thresholds, "most_probable", first_row, entropies)


def look_at(
    batch: Inputs | None, thresholds: object, several: Several, first_row: object, entropies: object
) -> Look:
    """Look at a batch that is coerced already."""
    wants_entropies = as_bool(entropies, "entropies")
    first = as_count(first_row, "first_row")
    if batch is None:
        return Look(None)
    cuts = None if thresholds is None else as_thresholds(thresholds, batch.n_classes)
    labels, pred_probs, threads = batch
    return Look(_core.Look(labels, pred_probs, cuts, several, wants_entropies, first, threads))
