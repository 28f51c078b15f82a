"""Which rule fits the data: the filter to use, where nobody has chosen one."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, TypedDict

from conflearn._inputs import Inputs, Meaning
from conflearn._names import Filter, Kind, Score
from conflearn._options import CUT, Options, refuse_scores
from conflearn._reduce import Reduce
from conflearn._runs import Path, Progress, read_or_open, reduced
from conflearn.states import SampleState

if TYPE_CHECKING:
    from conflearn.stream.run import Run

__all__ = ["Recommendation", "choose", "choose_for", "recommend"]

#: How often the model contradicts labels in the half of the rows in which it is surer, over how
#: often it does in all: below the first, hardly ever; below the second, it rather doubts itself
#: than the labels.
_HARDLY_EVER, _DOUBTFUL = 0.05, 0.25
#: The cut between the first and the second, in place of the usual one.
_CUT_IF_DOUBTFUL = 0.3


class Choice(TypedDict):
    """The options that a recommendation stands for."""

    filter_by: Filter
    cut: float


@dataclass(frozen=True, repr=False)
class Recommendation:
    """What `recommend` finds.

    Attributes
    ----------
    filter_by, rank_by : str
        The filter to use, and the score to rank by.
    cut : float
        Below which score to flag a row: 0.5 or 0.3.
    reason : str
        Why, in words and figures.
    figures : mapping of str to float
        ``contradicted``, the share of the labels that are not the most probable class once the
        probabilities are calibrated; ``surely_contradicted``, the same share of the labels in the
        half of the rows in which the model is surest; ``temperature``, how much too sure the model
        is; ``n_rows``, of the sample that was looked at; ``n_classes``.
    """

    filter_by: Filter
    rank_by: Score
    cut: float
    reason: str
    figures: Mapping[str, float]

    @property
    def options(self) -> Choice:
        """Filter and cut, for ``**recommendation.options`` in `find_label_issues`."""
        return {"filter_by": self.filter_by, "cut": self.cut}

    def __reduce__(self) -> tuple[Any, ...]:
        # For pickle, which does not know a MappingProxyType.
        parts = (self.filter_by, self.rank_by, self.cut, self.reason, dict(self.figures))
        return type(self), parts

    def __repr__(self) -> str:
        return (
            f"Recommendation: filter_by={self.filter_by!r}, cut={self.cut}, "
            f"rank_by={self.rank_by!r}\n  {self.reason}"
        )


def recommend(
    labels: object,
    pred_probs: object,
    *,
    kind: Kind = "probabilities",
    temperature: float = 1.0,
    class_bias: object = None,
    classes: Sequence[object] | None = None,
    n_threads: int | None = None,
    progress: Progress = None,
    checkpoint: Path | None = None,
) -> Recommendation:
    """Say which filter and cut fit these data, and why.

    Parameters
    ----------
    labels, pred_probs, kind, temperature, class_bias, classes, n_threads, progress, checkpoint
        As in `find_label_issues`.

    Returns
    -------
    Recommendation
        With ``filter_by``, ``cut``, ``rank_by``, ``reason`` and ``figures``. What
        ``filter_by="auto"`` follows.

    Raises
    ------
    InputError
        If shapes do not fit, or a label or a probability that is read is out of range.
    OptionError
        If cells are scores, which have no probabilities.

    Notes
    -----
    It is always ``noise_floor``, which finds more errors than the other rules on average of all
    kinds of data that were tried (see ``benches/detection.py``), not on each of them; what differs
    is the cut. A sample of rows is calibrated as `fit_calibration` does. How often does the model
    contradict the labels in the half of the rows in which it is surest, beside all rows? From a
    twentieth to a quarter as often, its own doubt shows, as where few labels are wrong, and the cut
    is 0.3. More often, most that it contradicts is wrong; less often, or if no label is
    contradicted at all, what is wrong is wrong where it doubts: then the cut is 0.5.

    Examples
    --------
    >>> import numpy as np, conflearn
    >>> rng = np.random.default_rng(0)
    >>> pred_probs = rng.dirichlet([0.1, 0.1, 0.1], 600)
    >>> labels = (pred_probs.cumsum(axis=1) < rng.random((600, 1))).sum(axis=1)
    >>> conflearn.recommend(labels, pred_probs).options
    {'filter_by': 'noise_floor', 'cut': 0.3}
    """
    inputs = read_or_open(
        labels,
        pred_probs,
        classes,
        n_threads,
        kind,
        temperature,
        class_bias,
        progress=progress,
        checkpoint=checkpoint,
    )
    refuse_scores("recommend", inputs.kind)
    empty = SampleState(inputs.n_classes, **inputs.meaning._asdict())
    return _by(reduced(inputs, "recommend", empty), inputs.n_threads)


def choose(
    reduce: Reduce,
    n_classes: int,
    meaning: Meaning,
    options: Options,
    n_threads: int | None = None,
) -> Options:
    """Choose filter and cut where that is asked for: everything else was checked before."""
    if not options.is_auto:
        return options
    refuse_scores("filter_by='auto'", meaning.kind)
    found = _by(reduce(SampleState(n_classes, **meaning._asdict())), n_threads)
    return options._replace(filter_by=found.filter_by, cut=found.cut, is_auto=False)


def choose_for(inputs: "Inputs | Run", options: Options) -> Options:
    """Do the same for what a call is about to look at."""
    return choose(inputs.reduce, inputs.n_classes, inputs.meaning, options, inputs.n_threads)


def _by(state: SampleState, n_threads: int | None) -> Recommendation:
    sample, temperature, class_bias = state.fit(n_threads)
    every, surer = sample.contradictions(temperature, class_bias)
    cut, why = _cut_for(every, surer)
    reason = (
        f"The model contradicts {every:.1%} of all labels, and {surer:.1%} of the labels in the "
        f"half of the rows in which it is surest: {why}."
    )
    figures = {
        "contradicted": every,
        "surely_contradicted": surer,
        "temperature": temperature,
        "n_rows": float(sample.n_rows),
        "n_classes": float(state.n_classes),
    }
    return Recommendation(
        filter_by="noise_floor",
        rank_by="noise_floor",
        cut=cut,
        reason=reason,
        figures=MappingProxyType(figures),
    )


def _cut_for(every: float, surer: float) -> tuple[float, str]:
    """Choose the cut, and say why, from how often labels are contradicted."""
    if surer >= _DOUBTFUL * every > 0:
        cut, effect = CUT, "is the usual one"
        why = "it does where it is sure, too, so most of what it contradicts is wrong"
    elif surer >= _HARDLY_EVER * every > 0:
        cut, effect = _CUT_IF_DOUBTFUL, "flags fewer than the usual one"
        why = "it does so less where it is sure, so it rather doubts itself than the labels"
    else:
        cut, effect = CUT, "is the usual one"
        why = (
            "it hardly ever does so where it is sure, so labels are wrong, if any, where it doubts"
        )
    return cut, f"{why}, and the cut of {cut} {effect}"
