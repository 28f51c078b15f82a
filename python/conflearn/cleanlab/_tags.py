"""Multi-label data by cleanlab's rules: each class is a problem of its own, with or without it.

The problem of class k has the probabilities [1 - p, p], with p the column k of the matrix, and 1 is
given to the examples that have the tag k. With two classes the rules of cleanlab and of the paper
are one: of two confident classes, the more probable one is the most probable of the row.
"""

from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple, TypeAlias, cast

import numpy as np
import numpy.typing as npt

from conflearn import _core
from conflearn._coerce import (
    Tags,
    as_floats,
    as_joints,
    as_positive,
    as_pred_probs,
    as_share,
    as_tags,
    first_out_of_range,
    one_of,
)
from conflearn._coerce.objects import spelled
from conflearn._inputs import TagInputs
from conflearn._names import AGGREGATES, PRUNING_FILTERS, Filter
from conflearn._options import ALPHA, SOFTMIN_TEMPERATURE, AggregateOption, Options
from conflearn._warn import warn_caller
from conflearn.cleanlab import _pruning
from conflearn.cleanlab._inputs import Inputs, read_removals, read_thresholds
from conflearn.cleanlab._sweeps import checked_score, widened_blocks
from conflearn.errors import InputTypeError, LabelError, ShapeError, TagFormatError

__all__ = [
    "Flags",
    "as_indicator",
    "calibrate_joints",
    "count_joints",
    "find_flags",
    "problems",
    "read_joints",
    "read_tags",
    "scores_by_class",
    "scores_of_examples",
]

Counts: TypeAlias = npt.NDArray[np.int64]
Floats: TypeAlias = npt.NDArray[np.float64]

_SIDES = 2  # of a class: without, and with it


def read_tags(labels: object, pred_probs: object, n_jobs: Any = None) -> TagInputs:
    """Coerce both; the core checks them as it reads them."""
    matrix = as_pred_probs(pred_probs)
    n_examples, n_classes = matrix.shape
    tags = _as_tags(labels, n_classes, n_examples=n_examples)
    return TagInputs(tags, matrix, _pruning.as_n_threads(n_jobs))


def _as_tags(labels: object, n_classes: int, **options: Any) -> Tags:
    """Coerce the tags, and check lists of them; this layer knows no names of classes."""
    advice = "; number the classes in the order of the columns, from 0"
    try:
        tags = as_tags(labels, n_classes, **options)
    except (InputTypeError, LabelError, ShapeError) as error:
        text, names, _ = str(error).partition("; pass classes=")
        raise TagFormatError(text + advice * bool(names)) from error
    if isinstance(tags, tuple) and len(tags[1]):
        starts, classes = tags
        first = first_out_of_range(classes, n_classes)
        if first is not None:
            row = np.searchsorted(starts, first, side="right") - 1
            raise LabelError(
                f"labels must hold class numbers from 0 to {n_classes - 1}, but labels[{row}] "
                f"holds {classes[first]}{advice}"
            )
    return tags


def as_indicator(labels: object, n_classes: int) -> Counts:
    """Return an (N, K) array that holds 1 where the example has the tag, else 0."""
    tags = _as_tags(labels, n_classes)
    _core.tag_counts(tags, n_classes)  # for the core to check them
    if isinstance(tags, np.ndarray):
        return np.asarray(tags != 0, dtype=np.int64)
    starts, classes = tags
    indicator = np.zeros((len(starts) - 1, n_classes), dtype=np.int64)
    indicator[_rows_of(starts), classes] = 1
    return indicator


def problems(inputs: TagInputs) -> Iterator[Inputs]:
    """Lay out the problem of each class in turn."""
    _core.tag_thresholds(inputs.tags, inputs.pred_probs, inputs.n_threads)  # to check both
    matrix = cast("npt.NDArray[Any]", inputs.pred_probs)  # this layer has no other kinds
    for class_, given in enumerate(_columns(inputs)):
        column = matrix[:, class_ : class_ + 1]
        p = np.concatenate([block[:, 0] for block in widened_blocks(column)])
        yield Inputs(given, np.stack([1 - p, p], axis=1), inputs.n_threads)


def _columns(inputs: TagInputs) -> Iterator[Counts]:
    """Say of each class which examples have it, by zeros and ones."""
    if isinstance(inputs.tags, np.ndarray):
        for column in inputs.tags.T:
            yield (column != 0).astype(np.int64)
        return
    starts, classes = inputs.tags
    rows = _rows_of(starts)[np.argsort(classes, kind="stable")]
    ends = np.cumsum(np.bincount(classes, minlength=inputs.n_classes))
    for members in np.split(rows, ends[:-1]):
        given = np.zeros(inputs.n_examples, dtype=np.int64)
        given[members] = 1
        yield given


def _rows_of(starts: Counts) -> Counts:
    """Name the example of each tag."""
    return np.repeat(np.arange(len(starts) - 1), np.diff(starts))


# --- Joints --------------------------------------------------------------------------------------


def count_joints(inputs: TagInputs, thresholds: object = None, *, calibrate: bool = True) -> Counts:
    """Count the joint of each class, by the same two thresholds for all of them if any."""
    cut = None
    if thresholds is not None:
        cut = np.tile(read_thresholds(thresholds, _SIDES), (inputs.n_classes, 1))
    return _core.count_confident_tags(
        inputs.tags, inputs.pred_probs, cut, bool(calibrate), "row_argmax", inputs.n_threads
    )


def read_joints(confident_joint: object, n_classes: int) -> Floats | None:
    """Coerce a joint for each class; None if it is one of all classes, which cleanlab ignores."""
    joints = as_floats(confident_joint, "confident_joint")
    if joints.shape == (n_classes, n_classes):
        warn_caller(
            "The new recommended format for `confident_joint` in multi_label settings is "
            "(num_classes,2,2) as output by compute_confident_joint(...,multi_label=True). Your "
            "K x K confident_joint in the old format is being ignored.",
            UserWarning,
        )
        return None
    return as_joints(joints, n_classes)


def calibrate_joints(confident_joint: object, labels: object) -> Counts:
    """Scale the joint of each class to the numbers of examples without and with it."""
    n_classes = len(as_floats(confident_joint, "confident_joint"))
    joints = as_joints(confident_joint, n_classes)
    sides = _core.tag_counts(_as_tags(labels, n_classes, columns_of="confident_joint"), n_classes)
    calibrated = [
        _core.calibrate_confident_joint(joint, given_counts, "by_given")
        for joint, given_counts in zip(joints, sides, strict=True)
    ]
    return np.array(calibrated)


# --- Flags ---------------------------------------------------------------------------------------


class Flags(NamedTuple):
    """The cells with an issue: where those of each example start, their classes, what is given."""

    starts: Counts
    classes: npt.NDArray[np.uint32]
    has_tag: npt.NDArray[np.bool_]

    @property
    def mask(self) -> npt.NDArray[np.bool_]:
        """(N,): whether an example has any."""
        return np.asarray(np.diff(self.starts) > 0)

    def cells(self, n_classes: int) -> npt.NDArray[np.bool_]:
        """(N, K): which they are."""
        n_examples = len(self.starts) - 1
        cells = np.zeros((n_examples, n_classes), dtype=np.bool_)
        cells[_rows_of(self.starts), self.classes] = True
        return cells

    def counts(self, n_classes: int) -> Counts:
        """(K, 2): how many there are of each class, without and with it."""
        sides = np.bincount(
            _SIDES * self.classes.astype(np.int64) + self.has_tag, minlength=_SIDES * n_classes
        )
        return sides.reshape(n_classes, _SIDES)


def find_flags(
    inputs: TagInputs,
    filter_by: Filter,
    *,
    frac_noise: Any = 1.0,
    num_to_remove_per_class: object = None,
    min_examples_per_class: Any = 1,
    joints: Floats | None = None,
    verbose: bool = False,
) -> Flags:
    """Find the cells with an issue; what no filter but those that prune uses is not looked at."""
    options = Options(filter_by, several="row_argmax")
    if filter_by in PRUNING_FILTERS:
        least = _pruning.as_least(min_examples_per_class, inputs.n_examples)
        share = _pruning.as_share(frac_noise)
        options = _pruning_options(inputs, options, joints, least, share, num_to_remove_per_class)
        _tell_of_few_examples(inputs, least)
    flags = Flags(
        *_core.find_tag_issues_per_class(inputs.tags, inputs.pred_probs, options, inputs.n_threads)
    )
    if verbose:
        for number in flags.counts(inputs.n_classes).sum(axis=1):
            print(f"Number of label issues found: {number}")  # noqa: T201 - what verbose asks for
    return flags


def _pruning_options(
    inputs: TagInputs,
    options: Options,
    joints: Floats | None,
    least: int,
    frac_noise: float,
    num_to_remove_per_class: object,
) -> Options:
    """Say how many to remove, as `conflearn.cleanlab.filter` does for a single problem."""
    n_classes = inputs.n_classes
    if num_to_remove_per_class is None and least >= 1 and 0 <= frac_noise <= 1:
        return options._replace(
            frac_noise=frac_noise, min_examples_per_class=least, confident_joint=joints
        )
    if joints is None:
        joints = count_joints(inputs).astype(np.float64)
    removals: list[Any] = [None] * n_classes
    if num_to_remove_per_class is not None:
        # cleanlab takes what is asked of a class from the examples without it.
        removals = [(asked, 0) for asked in read_removals(num_to_remove_per_class, n_classes)]
    sides = _core.tag_counts(inputs.tags, n_classes)
    counts = [
        _pruning.prune_counts(joint, given_counts, least, frac_noise, asked)
        for joint, given_counts, asked in zip(joints, sides, removals, strict=True)
    ]
    return options._replace(min_examples_per_class=max(least, 1), prune_counts=np.array(counts))


def _tell_of_few_examples(inputs: TagInputs, least: int) -> None:
    sides = _core.tag_counts(inputs.tags, inputs.n_classes)
    few = np.flatnonzero((sides <= least).any(axis=1))
    if len(few):
        warn_caller(
            "May not flag all label issues in classes: "
            f"{', '.join(map(str, few))}; too few examples have them, or lack them (see argument: "
            "`min_examples_per_class`)",
            UserWarning,
        )


# --- Scores --------------------------------------------------------------------------------------


def scores_by_class(inputs: TagInputs, method: str, *, adjust_pred_probs: bool = False) -> Floats:
    """Score each class of each example, (N, K)."""
    score, adjust = checked_score(_lower(method), "method", adjust_pred_probs=adjust_pred_probs)
    return _core.tag_quality_scores_per_class(
        inputs.tags, inputs.pred_probs, score, adjust, None, 0, inputs.n_threads
    )


def scores_of_examples(
    inputs: TagInputs,
    method: str,
    *,
    adjust_pred_probs: bool = False,
    aggregator_kwargs: Mapping[str, Any] | None = None,
    name: str = "method",
) -> Floats:
    """Score each example by the scores of its classes."""
    score, adjust = checked_score(_lower(method), name, adjust_pred_probs=adjust_pred_probs)
    options = dict(aggregator_kwargs or {"method": "exponential_moving_average", "alpha": ALPHA})
    if "method" not in options:
        raise InputTypeError(
            f"aggregator_kwargs={spelled(aggregator_kwargs)} must have the key 'method': one of "
            f"{', '.join(AGGREGATES)}, or a function"
        )
    aggregate = options.pop("method")
    if callable(aggregate):
        scores = scores_by_class(inputs, score, adjust_pred_probs=adjust != "no")
        return np.asarray(aggregate(scores, **{**options, "axis": 1}))
    if not isinstance(aggregate, str):
        raise InputTypeError(
            f"aggregator_kwargs: the method {spelled(aggregate)} is no function, nor one of "
            f"{', '.join(AGGREGATES)}"
        )
    return _core.tag_quality_scores(
        inputs.tags,
        inputs.pred_probs,
        score,
        adjust,
        None,
        _aggregate_option(aggregate, options, inputs.n_classes),
        0,
        inputs.n_threads,
    )


def _lower(method: Any) -> Any:
    """Write the name of a score as it is spelled; cleanlab takes any spelling here."""
    return method.lower() if isinstance(method, str) else method


def _aggregate_option(method: str, options: dict[str, Any], n_classes: int) -> AggregateOption:
    """Read the number that belongs to the aggregate; cleanlab ignores all others."""
    name = one_of(method, AGGREGATES, "aggregator_kwargs['method']")
    if name == "exponential_moving_average":
        alpha = options.get("alpha")
        # As is usual of an average over so many periods.
        alpha = 2 / (n_classes + 1) if alpha is None else as_share(alpha, "alpha")
        return AggregateOption(name, alpha)
    if name == "softmin":
        temperature = options.get("temperature", SOFTMIN_TEMPERATURE)
        return AggregateOption(name, as_positive(temperature, "temperature"))
    return AggregateOption(name)
