"""Everything from one sweep over the matrix."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from conflearn import _core
from conflearn._coerce import one_of
from conflearn._inputs import Inputs, is_ensemble, read_ensemble, weighted_mean
from conflearn._names import JUDGES, SCORES, Filter, FilterChoice, Kind, Score, Weighting
from conflearn._options import read_options
from conflearn._runs import Path, Progress, read_or_open, refuse_blocks
from conflearn._sparse_joint import SparseJoint
from conflearn._tables import Table, as_table
from conflearn.ensemble import read_weights
from conflearn.errors import OptionError
from conflearn.health import DatasetHealth
from conflearn.judges import fit_in_memory
from conflearn.noise_model import NoiseModel, noise_model_of
from conflearn.recommendation import choose_for
from conflearn.states import CheckState

if TYPE_CHECKING:
    from conflearn.checks import InputReport
    from conflearn.stream.run import Run

#: How far above 1 a probability, and so a threshold, may be.
_RANGE_TOLERANCE = 1e-6


@dataclass(frozen=True, repr=False, eq=False)
class Analysis:
    """What `analyze` finds.

    Matrices of shape (K, K) are made when they are first asked for; of more than 16,384 classes
    they are of the kind `scipy.sparse.csr_array`.

    Attributes
    ----------
    mask : ndarray of shape (N,), bool
        The flagged examples.
    ranked : ndarray of shape (M,), int64
        The same, the worst label first.
    scores : mapping of str to ndarray of shape (N,), float64
        Label quality scores by name, in [0, 1]: ``self_confidence``, ``normalized_margin``,
        ``confidence_weighted_entropy``, and ``relative_confidence`` and ``noise_floor`` where
        `filter_by` or `rank_by` asked for them. Of ``kind="scores"`` there are the first two, of
        any size.
    suggested_labels : ndarray of shape (N,), int64
        What each label should have been: the given one where it is not flagged, else the most
        probable other class; where ``relative_confidence`` or ``noise_floor`` flags, the other
        class with the largest weight (see The method).
    thresholds : ndarray of shape (K,), float64
        See `confident_thresholds`.
    num_issues : int
        How many labels are wrong, as `num_label_issues` counts them: an estimate, whatever the
        filter flags (that is ``len(ranked)``).
    filter_by, rank_by, kind : str
        What was asked for; of ``filter_by="auto"``, the filter that was chosen.
    cut : float or None
        Below which score the filter flags, whether given, chosen or its own; None where it has no
        cut.
    classes : tuple or None
        What the columns stand for, if that was told.
    """

    mask: npt.NDArray[np.bool_]
    ranked: npt.NDArray[np.int64]
    scores: Mapping[Score, npt.NDArray[np.float64]]
    suggested_labels: npt.NDArray[np.int64]
    thresholds: npt.NDArray[np.float64]
    num_issues: int
    filter_by: Filter
    cut: float | None
    rank_by: Score
    kind: Kind
    classes: tuple[object, ...] | None
    _given_counts: npt.NDArray[np.int64]
    _given_of_ranked: npt.NDArray[np.int64]
    _joint: SparseJoint
    _checks: CheckState

    @property
    def n_examples(self) -> int:
        """N."""
        return len(self.mask)

    @property
    def n_classes(self) -> int:
        """K."""
        return len(self.thresholds)

    @cached_property
    def confident_joint(self) -> npt.NDArray[np.int64]:
        """Calibrated counts ``[given, true]``, of shape (K, K), as `confident_joint` has them.

        They are those of the data always, even if another joint was given to prune by; so are
        those that `joint` and `noise_model` are made of.
        """
        joint: npt.NDArray[np.int64] = self._joint.to_matrix()
        return joint

    @cached_property
    def joint(self) -> npt.NDArray[np.float64]:
        """Distribution of given and true labels, of shape (K, K); see `estimate_joint`."""
        shares = self._joint.with_counts(self._joint.counts / self.n_examples)
        joint: npt.NDArray[np.float64] = shares.to_matrix()
        return joint

    @cached_property
    def noise_model(self) -> NoiseModel:
        """Prior and noise matrices of the joint; see `estimate_noise_model`."""
        rows = self._joint.with_counts(self._joint.counts.astype(np.float64)).to_rows()
        return noise_model_of(rows, self._given_counts)

    @cached_property
    def health(self) -> DatasetHealth:
        """Health of the data set, its classes and their pairs; see `dataset_health`."""
        return DatasetHealth(
            num_issues=self.num_issues,
            n_examples=self.n_examples,
            class_names=self.classes,
            _joint=self._joint,
            _given_counts=self._given_counts,
        )

    @cached_property
    def checks(self) -> "InputReport":
        """Whether labels and matrix are what they should be; see `check_inputs`.

        It comes from the same sweep, so equal rows are not looked for, and sums of rows and shares
        of classes are those of up to 10,000 rows, evenly spread.
        """
        return self._checks.report(self.classes)

    def to_records(self) -> Table:
        """Tabulate the issues, the worst first.

        Returns
        -------
        recarray of shape (M,)
            Fields ``index`` (row), ``given`` and ``suggested`` (classes, by name if `classes` was
            told), ``score`` (by which they are ranked) and ``reason`` (in words). Goes into
            ``pandas.DataFrame(...)`` or ``polars.DataFrame(...)`` as it is.

        Examples
        --------
        >>> import conflearn
        >>> pred_probs = [[0.9, 0.1], [0.8, 0.2], [0.2, 0.8], [0.3, 0.7], [0.1, 0.9]]
        >>> analysis = conflearn.analyze([0, 0, 0, 1, 1], pred_probs, classes=["cat", "dog"])
        >>> for issue in analysis.to_records():
        ...     print(issue.index, issue.given, issue.suggested, issue.score, "-", issue.reason)
        2 cat dog 0.2 - dog at 0.80 (typical 0.80), cat at 0.20 (typical 0.63)
        """
        rows, given = self.ranked, self._given_of_ranked
        suggested = self.suggested_labels[rows]
        given_names, suggested_names = self._names(given), self._names(suggested)
        own = self.scores["self_confidence"][rows]
        reasons = [
            f"{there}{p_there} ({_typical(t_there, self.kind)}), "
            f"{here} at {p_here:.2f} ({_typical(t_here, self.kind)})"
            for there, p_there, t_there, here, p_here, t_here in zip(
                suggested_names,
                self._suggested_at(rows),
                self.thresholds[suggested],
                given_names,
                own,
                self.thresholds[given],
                strict=True,
            )
        ]
        return as_table(
            index=rows,
            given=given_names,
            suggested=suggested_names,
            score=self.scores[self.rank_by][rows],
            reason=np.array(reasons, dtype=np.str_),
        )

    def __getstate__(self) -> dict[str, Any]:
        # For pickle, which does not know a MappingProxyType.
        return self.__dict__ | {"scores": dict(self.scores)}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state, scores=MappingProxyType(state["scores"]))

    def _suggested_at(self, rows: npt.NDArray[np.int64]) -> list[str]:
        """Say how probable suggested classes are, where that is known: of the most probable."""
        if self.filter_by in JUDGES:
            return [""] * len(rows)
        own = self.scores["self_confidence"][rows]
        margin = self.scores["normalized_margin"][rows]
        # Of probabilities the margin score is (own - other + 1) / 2.
        other = own - (margin if self.kind == "scores" else 2 * margin - 1)
        return [f" at {p:.2f}" for p in other]

    def _names(self, classes: npt.NDArray[np.int64]) -> npt.NDArray[Any]:
        return classes if self.classes is None else np.asarray(self.classes)[classes]

    def _name(self, class_number: int) -> object:
        return class_number if self.classes is None else self.classes[class_number]

    def __repr__(self) -> str:
        n_flagged, n_examples = len(self.ranked), self.n_examples
        cut = "" if self.cut is None else f", cut {self.cut:g}"
        lines = [
            f"Analysis of {n_examples:,} labels in {self.n_classes:,} classes",
            f"  flagged by {self.filter_by}{cut}: {n_flagged:,} ({n_flagged / n_examples:.1%})",
            (
                f"  estimated number of wrong labels: {self.num_issues:,} "
                f"({self.num_issues / n_examples:.1%})"
            ),
        ]
        confused = [
            f"{self._name(given)} -> {self._name(true)} ({count:,})"
            for given, true, count in zip(*self._joint.largest(3, directed=True), strict=True)
        ]
        if confused:
            lines.append(f"  most confused (given -> true): {', '.join(confused)}")
        worst = [
            f"{row} ({self._name(given)} -> {self._name(self.suggested_labels[row])})"
            for row, given in zip(self.ranked[:3], self._given_of_ranked[:3], strict=True)
        ]
        if worst:
            lines.append(f"  worst rows by {self.rank_by}: {', '.join(worst)}")
        if not self.checks.is_healthy:
            doubts = [
                f"{finding.name} ({finding.severity})"
                for finding in self.checks
                if finding.severity != "note"
            ]
            lines.append(f"  doubts about the inputs: {', '.join(doubts)}; print .checks")
        return "\n".join(lines)


def _typical(threshold: float, kind: Kind) -> str:
    """Say what a class's threshold means for a reader."""
    is_absent = np.isinf(threshold) if kind == "scores" else threshold > 1 + _RANGE_TOLERANCE
    return "no example has it" if is_absent else f"typical {threshold:.2f}"


def analyze(
    labels: object,
    pred_probs: object,
    *,
    filter_by: FilterChoice = "prune_by_noise_rate",
    frac_noise: float = 1.0,
    num_to_remove_per_class: object = None,
    min_examples_per_class: int = 1,
    confident_joint: object = None,
    cut: float | None = None,
    rank_by: Score = "self_confidence",
    weights: Weighting | object = None,
    kind: Kind = "probabilities",
    temperature: float = 1.0,
    class_bias: object = None,
    classes: Sequence[object] | None = None,
    n_threads: int | None = None,
    out: Path | None = None,
    progress: Progress = None,
    checkpoint: Path | None = None,
) -> Analysis:
    """Find, rank, score and count label issues in one sweep over the matrix.

    Parameters
    ----------
    labels, pred_probs, filter_by, frac_noise, num_to_remove_per_class, min_examples_per_class, \
confident_joint, cut, kind, temperature, class_bias, classes, n_threads, progress, checkpoint
        As in `find_label_issues`.
        `pred_probs` may also be a list of matrices, one a model, or an array of shape (M, N, K):
        then their weighted mean is what is looked at, computed row by row. It is never stored.
    rank_by
        As in `rank_label_issues`.
    weights : {"uniform", "accuracy", "log_loss"} or array_like of shape (M,), optional
        For several matrices: how much each counts, see `ensemble_weights`; by default all alike.
    out : path, optional
        A folder to write ``.npy`` files to, or a ``.parquet`` file, as in `find_label_issues`. They
        hold what has an entry a row: ``is_issue``, ``given_label``, ``suggested_label`` and the
        scores by name; a folder ``ranked.npy`` as well. The arrays of the analysis are maps of
        these files, or of files without a name that go with them.

    Returns
    -------
    Analysis
        With ``mask``, ``ranked``, ``scores``, ``suggested_labels``, ``thresholds``, ``cut``,
        ``confident_joint``, ``joint``, ``noise_model``, ``num_issues``, ``health``, ``checks`` and
        ``to_records()``.

    Raises
    ------
    InputError, OptionError
        As in `find_label_issues`.

    Examples
    --------
    >>> import conflearn
    >>> pred_probs = [[0.9, 0.1], [0.8, 0.2], [0.2, 0.8], [0.3, 0.7], [0.1, 0.9]]
    >>> analysis = conflearn.analyze([0, 0, 0, 1, 1], pred_probs)
    >>> analysis
    Analysis of 5 labels in 2 classes
      flagged by prune_by_noise_rate: 1 (20.0%)
      estimated number of wrong labels: 1 (20.0%)
      most confused (given -> true): 0 -> 1 (1)
      worst rows by self_confidence: 2 (0 -> 1)
    >>> analysis.suggested_labels
    array([0, 0, 1, 1, 1])
    """
    one_of(rank_by, SCORES, "rank_by")
    if isinstance(classes, Iterator):
        classes = tuple(classes)  # read more than once
    inputs: Inputs | Run
    if labels is not None and is_ensemble(pred_probs):  # without labels, they are batches
        refuse_blocks(out=out, progress=progress, checkpoint=checkpoint)
        models = read_ensemble(
            labels, pred_probs, classes, n_threads, kind, temperature, class_bias
        )
        shares = read_weights("uniform" if weights is None else weights, models)
        inputs = weighted_mean(models, shares)
    elif weights is None:
        inputs = read_or_open(
            labels,
            pred_probs,
            classes,
            n_threads,
            kind,
            temperature,
            class_bias,
            out=out,
            progress=progress,
            checkpoint=checkpoint,
        )
    else:
        raise OptionError(
            "weights are for several matrices, but pred_probs is one; leave them out, or pass a "
            "list of matrices"
        )
    options = read_options(
        inputs.n_classes,
        filter_by,
        frac_noise,
        num_to_remove_per_class,
        min_examples_per_class,
        confident_joint,
        cut,
    )
    if not isinstance(inputs, Inputs):
        from conflearn.stream import analysis

        return analysis.analyze(inputs, options, rank_by, out)
    options = choose_for(inputs, options)
    options = options._replace(judges=fit_in_memory(inputs, options.filter_by, rank_by))
    found = _core.analyze(inputs.labels, inputs.pred_probs, options, rank_by, inputs.n_threads)
    scores: dict[Score, npt.NDArray[np.float64]] = {
        "self_confidence": found.self_confidence,
        "normalized_margin": found.normalized_margin,
    }
    if inputs.kind != "scores":
        scores["confidence_weighted_entropy"] = found.confidence_weighted_entropy
    scores |= dict(found.judged)
    return Analysis(
        mask=found.mask,
        ranked=found.ranked,
        scores=MappingProxyType(scores),
        suggested_labels=found.suggested_labels,
        thresholds=found.thresholds,
        num_issues=found.num_issues,
        filter_by=options.filter_by,
        cut=options.cut,
        rank_by=rank_by,
        kind=inputs.kind,
        classes=None if classes is None else tuple(classes),
        _given_counts=found.given_counts,
        # A copy: the caller's labels are not kept alive.
        _given_of_ranked=inputs.labels[found.ranked].astype(np.int64),
        _joint=SparseJoint.from_rows(found.joint_starts, found.joint_columns, found.joint_counts),
        _checks=CheckState.of_core(found.checks),
    )
