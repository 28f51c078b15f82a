"""Judges: rules that look at each row by themselves, once they are fitted to all of them.

A judge is a filter and a score of one name. What it is fitted to is found by passes over all rows,
each of which fills a state, wherever the rows are: a function ``reduce(state)`` does that, as in
`conflearn.passes`. One batch that is in memory is fitted to by the core itself, on its way.
"""

from collections.abc import Collection

from conflearn import _core
from conflearn._inputs import Inputs, Meaning, read_meaning
from conflearn._names import JUDGES, JudgeName, Kind
from conflearn._options import refuse_scores
from conflearn._reduce import Reduce
from conflearn.states import JointState, Judge, SampleState, ThresholdState

__all__ = ["fit", "fit_in_memory", "fit_named"]

#: What the core fits in the sweep that it makes anyway.
_FITTED_ON_THE_WAY: tuple[JudgeName, ...] = ("relative_confidence",)


def fit(
    reduce: Reduce,
    n_classes: int,
    rule: JudgeName,
    kind: Kind = "probabilities",
    temperature: float = 1.0,
    class_bias: object = None,
    n_threads: int | None = None,
) -> Judge:
    """Fit a judge to all rows.

    Parameters
    ----------
    reduce : callable
        Called with an empty state, returns one that has been fed all rows, as in
        `conflearn.passes.analyze`.
    n_classes : int
        K.
    rule : {"relative_confidence", "noise_floor"}
        Which judge.
    kind, temperature, class_bias
        What the cells of matrices are, as in `conflearn.find_label_issues`.
    n_threads : int, optional
        For what is computed here, of a sample of the rows; by default `conflearn.n_threads()`.

    Returns
    -------
    Judge

    Raises
    ------
    OptionError
        If cells are no probabilities.

    Examples
    --------
    >>> from conflearn import judges, passes
    >>> def reduce(state):
    ...     return passes.feed(state, [0, 1], [[0.75, 0.25], [0.5, 0.5]])
    >>> judges.fit(reduce, 2, "relative_confidence").thresholds
    array([0.75, 0.5 ])
    """
    refuse_scores(rule, kind)
    how = read_meaning(kind, temperature, class_bias)._asdict()
    thresholds = reduce(ThresholdState(n_classes, **how)).finish()
    if rule == "relative_confidence":
        return Judge.relative_confidence(thresholds, **how)
    joint: JointState = reduce(JointState(thresholds, **how))
    sampled: SampleState = reduce(SampleState(n_classes, **how))
    sample, temperature, class_bias = sampled.fit(n_threads)
    return Judge.noise_floor(joint, temperature, class_bias, sample.least_given)


def fit_named(
    reduce: Reduce,
    n_classes: int,
    names: Collection[str],
    meaning: Meaning,
    n_threads: int | None = None,
) -> list[Judge]:
    """Fit those of some filters and scores that are judges."""
    rules = [rule for rule in JUDGES if rule in names]
    return [fit(reduce, n_classes, rule, *meaning, n_threads) for rule in rules]


def fit_in_memory(inputs: Inputs, *names: str) -> tuple[_core.Judge, ...]:
    """Fit those of some filters and scores that need it before the core is called."""
    for name in names:
        if name in JUDGES or name == "confidence_weighted_entropy":
            refuse_scores(name, inputs.kind)
    needed = set(names) - set(_FITTED_ON_THE_WAY)
    judges = fit_named(inputs.reduce, inputs.n_classes, needed, inputs.meaning, inputs.n_threads)
    return tuple(judge._core for judge in judges)  # noqa: SLF001 - of this package
