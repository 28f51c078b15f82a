"""Which checks there are, and when each of them has something to say."""

from collections.abc import Callable, Iterator, Sequence

from conflearn import _core
from conflearn._names import Kind
from conflearn._runs import Path, Progress, read_or_open, reduced
from conflearn.checks.agreement import hopeless_model, in_sample
from conflearn.checks.classes import absent_classes, prior_shift, rare_classes
from conflearn.checks.columns import permuted_columns
from conflearn.checks.counted import Counted
from conflearn.checks.duplicates import conflicting_duplicates, is_looked_for
from conflearn.checks.probabilities import (
    clipped_probabilities,
    miscalibrated,
    row_sums,
    saturated_probabilities,
)
from conflearn.checks.report import SEVERITIES, Finding, InputReport
from conflearn.states import CheckState

__all__ = ["check_inputs", "report_of"]

Check = Callable[[Counted], Finding | None]

#: What labels and the most probable classes tell.
_OF_CLASSES: tuple[Check, ...] = (absent_classes, rare_classes)
#: What takes probabilities.
_OF_PROBABILITIES: tuple[Check, ...] = (saturated_probabilities, clipped_probabilities)


def check_inputs(
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
) -> InputReport:
    """Check whether labels and matrix are what the method takes them for.

    The answers of all other functions are no better than what they are given. Here is looked for
    what goes wrong most often: columns in another order, a model that has seen the labels, rows
    that belong to other examples.

    Parameters
    ----------
    labels : array_like of shape (N,)
        Given labels: integers 0..K-1, or names together with `classes`.
    pred_probs : array_like of shape (N, K)
        Predicted probabilities, of which every cell is read once. Labels and matrix may be what is
        read in blocks, as in `find_label_issues`.
    kind, temperature, class_bias
        What the cells of `pred_probs` are, as in `find_label_issues`. What has no meaning for a
        kind is not looked for: of scores sums of rows, calibration, saturation and shares, of
        logits sums of rows.
    classes : sequence of K names, optional
        What the columns of `pred_probs` stand for, when `labels` holds names.
    n_threads : int, optional
        Number of threads, at most 1024; by default `conflearn.n_threads()`.
    progress, checkpoint
        As in `find_label_issues`.

    Returns
    -------
    InputReport
        A sequence of findings, the worst first, with ``is_healthy`` (nothing but notes),
        ``to_records()`` and ``to_dict()``. Each says what was seen, why it matters and what to do.
        ``left_out`` names what could not be looked for: equal rows, where numbers have so few
        digits that rows are equal by chance.

    Raises
    ------
    InputError
        If shapes do not fit, or a label or a cell is out of range: what is no input at all.
    OptionError
        If an option is none.

    See Also
    --------
    analyze : its ``checks`` are the same, made on the way, but for duplicates.

    Examples
    --------
    >>> import numpy as np, conflearn
    >>> rng = np.random.default_rng(0)
    >>> pred_probs = rng.dirichlet([0.1, 0.1, 0.1], 600)
    >>> labels = (pred_probs.cumsum(axis=1) < rng.random((600, 1))).sum(axis=1)
    >>> conflearn.check_inputs(labels, pred_probs)
    InputReport of 600 labels in 3 classes: nothing found
    >>> report = conflearn.check_inputs(labels, pred_probs[:, ::-1])
    >>> report.names, report[0].severity, report.is_healthy
    (('reversed_columns',), 'error', False)
    """
    if isinstance(classes, Iterator):
        classes = tuple(classes)  # read more than once
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
    names = None if classes is None else tuple(classes)
    empty = CheckState(inputs.n_classes, **inputs.meaning._asdict())
    state: CheckState = reduced(inputs, "check_inputs", empty)
    return state.report(names)


def report_of(state: _core.CheckState, classes: Sequence[object] | None = None) -> InputReport:
    """Say what the counts of all rows show."""
    counted = Counted.of(state, classes)
    n, k, kind = counted.n_examples, counted.n_classes, counted.kind
    if not n:
        return InputReport((), n, k, kind)
    misfit = permuted_columns(counted) or hopeless_model(counted)
    seen = in_sample(counted)
    sums = row_sums(counted) if kind == "probabilities" else None
    duplicates = conflicting_duplicates(counted) if is_looked_for(counted) else None
    # What follows from columns in the wrong order, from a model that knows nothing or all labels,
    # or from rows that do not sum to 1, is not said again, and has another remedy.
    checks = list(_OF_CLASSES)
    if counted.has_probabilities:
        checks += _OF_PROBABILITIES
        is_off = sums is not None and sums.severity == "warning"
        if misfit is None:
            checks.append(prior_shift)
            if seen is None and not is_off:
                checks.append(miscalibrated)
    told = [misfit, seen, *(check(counted) for check in checks), sums, duplicates]
    found = [finding for finding in told if finding is not None]
    return InputReport(
        tuple(sorted(found, key=lambda finding: SEVERITIES.index(finding.severity))),
        n,
        k,
        kind,
        () if is_looked_for(counted) else (conflicting_duplicates.__name__,),
    )
