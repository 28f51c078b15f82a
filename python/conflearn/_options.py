"""Options that several functions share, checked: an option that would be ignored is an error."""

from collections.abc import Collection
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import numpy.typing as npt

from conflearn._coerce import (
    CompressedRows,
    as_bool,
    as_count,
    as_joint,
    as_joint_rows,
    as_joints,
    as_num_to_remove,
    as_positive,
    as_share,
    as_tag_removals,
    one_of,
)
from conflearn._names import (
    AGGREGATES,
    CLASSIC_FILTERS,
    CUT_FILTERS,
    FILTER_CHOICES,
    JUDGES,
    PRUNING_FILTERS,
    Adjust,
    Aggregate,
    Filter,
    FilterChoice,
    Kind,
    Score,
    Several,
)
from conflearn.errors import OptionError

if TYPE_CHECKING:
    from conflearn import _core

__all__ = [
    "AggregateOption",
    "Options",
    "read_adjustment",
    "read_aggregate",
    "read_cut",
    "read_options",
    "read_tag_options",
    "refuse_scores",
]

ALPHA = 0.8
SOFTMIN_TEMPERATURE = 0.1
#: Below which score a filter with a cut flags, unless another one is given.
CUT = 0.5


class Options(NamedTuple):
    """What the core looks for; read there field by field."""

    filter_by: Filter
    frac_noise: float = 1.0
    num_to_remove_per_class: npt.NDArray[np.int64] | None = None
    min_examples_per_class: int = 1
    confident_joint: npt.NDArray[np.float64] | CompressedRows | None = None
    prune_counts: npt.NDArray[np.int64] | None = None
    several: Several = "most_probable"
    cut: float | None = None
    #: Those that the core is to ask, where it does not fit them on the way.
    judges: "tuple[_core.Judge, ...]" = ()
    #: Whether filter and cut are still to be chosen. Until then `filter_by` stands in for any that
    #: may be: one that takes no further options, which needs probabilities.
    is_auto: bool = False

    def asked(self) -> dict[str, object]:
        """Return what was asked for, by name."""
        asked = self._asdict()
        if asked.pop("is_auto"):
            asked["filter_by"] = "auto"
        return asked


class AggregateOption(NamedTuple):
    """How the scores of an example's tags become one, and the number that belongs to it."""

    name: Aggregate
    parameter: float = 1.0


def read_options(
    n_classes: int,
    filter_by: object,
    frac_noise: object,
    num_to_remove_per_class: object,
    min_examples_per_class: object,
    confident_joint: object,
    cut: object = None,
    *,
    filters: Collection[FilterChoice] = FILTER_CHOICES,
) -> Options:
    """Coerce the options that belong to filters; one that is to be chosen has no others."""
    name = one_of(filter_by, filters, "filter_by")
    share, least = _read_filter(
        name,
        frac_noise,
        num_to_remove_per_class,
        min_examples_per_class,
        confident_joint,
    )
    if name == "auto":
        if cut is not None:
            raise OptionError(
                "filter_by='auto' chooses the cut, too; leave cut out, or pass "
                "filter_by='noise_floor'"
            )
        return Options("noise_floor", is_auto=True)
    removals = num_to_remove_per_class
    return Options(
        name,
        share,
        None if removals is None else as_num_to_remove(removals, n_classes),
        least,
        None if confident_joint is None else _read_joint(confident_joint, n_classes),
        cut=read_cut(cut, name),
    )


def read_cut(cut: object, filter_by: Filter) -> float | None:
    """Coerce the score below which a filter flags, None if it has none; or refuse one for it."""
    if cut is None:
        return CUT if filter_by in CUT_FILTERS else None
    share = as_share(cut, "cut")
    if filter_by not in CUT_FILTERS:
        raise OptionError(
            f"filter_by={filter_by!r} does not use cut; leave it out, or choose "
            f"{' or '.join(map(repr, CUT_FILTERS))}"
        )
    return share


def refuse_scores(what: str, kind: Kind) -> None:
    """Refuse at once what the core would refuse after a pass."""
    if kind == "scores":
        *filters, last = CLASSIC_FILTERS
        raise OptionError(
            f'{what} needs probabilities, which kind="scores" does not give; with scores, use the '
            f"scores self_confidence and normalized_margin, the filters {', '.join(filters)} and "
            f"{last}, and thresholds, joints and counts"
        )


def _read_joint(
    confident_joint: object, n_classes: int
) -> npt.NDArray[np.float64] | CompressedRows:
    rows = as_joint_rows(confident_joint, n_classes)
    return as_joint(confident_joint, n_classes) if rows is None else rows


def read_tag_options(
    n_classes: int,
    filter_by: object,
    frac_noise: object,
    num_to_remove_per_class: object,
    min_examples_per_class: object,
    confident_joint: object,
) -> Options:
    """Coerce the same options of multi-label data, where a class has two sides."""
    filter_ = one_of(filter_by, CLASSIC_FILTERS, "filter_by")
    share, least = _read_filter(
        filter_,
        frac_noise,
        num_to_remove_per_class,
        min_examples_per_class,
        confident_joint,
    )
    removals = num_to_remove_per_class
    return Options(
        filter_,
        share,
        None if removals is None else as_tag_removals(removals, n_classes),
        least,
        None if confident_joint is None else as_joints(confident_joint, n_classes),
    )


def _read_filter(
    filter_: FilterChoice,
    frac_noise: object,
    num_to_remove_per_class: object,
    min_examples_per_class: object,
    confident_joint: object,
) -> tuple[float, int]:
    share = as_share(frac_noise, "frac_noise")
    least = as_count(min_examples_per_class, "min_examples_per_class")
    if filter_ not in PRUNING_FILTERS:
        used = {
            "frac_noise": share != 1,
            "num_to_remove_per_class": num_to_remove_per_class is not None,
            "min_examples_per_class": least != 1,
            "confident_joint": confident_joint is not None,
        }
        for name, is_used in used.items():
            if is_used:
                raise OptionError(
                    f"filter_by={filter_!r} does not use {name}; leave it out, or choose one of "
                    f"{', '.join(PRUNING_FILTERS)}"
                )
    return share, least


def read_aggregate(
    aggregate: object, alpha: object, softmin_temperature: object
) -> AggregateOption:
    """Coerce how the scores of an example's tags become one."""
    name = one_of(aggregate, AGGREGATES, "aggregate")
    weight = as_share(alpha, "alpha")
    temperature = as_positive(softmin_temperature, "softmin_temperature")
    if name == "exponential_moving_average":
        parameter = weight
    elif weight != ALPHA:
        raise OptionError(
            f"aggregate={name!r} does not use alpha; leave it out, or choose "
            "'exponential_moving_average'"
        )
    else:
        parameter = temperature
    if name != "softmin" and temperature != SOFTMIN_TEMPERATURE:
        raise OptionError(
            f"aggregate={name!r} does not use softmin_temperature; leave it out, or choose "
            "'softmin'"
        )
    return AggregateOption(name, parameter)


def read_adjustment(adjust_pred_probs: object, method: Score, name: str) -> Adjust:
    """Say how to adjust the matrix before it is scored by the ``method``, or why not."""
    if not as_bool(adjust_pred_probs, "adjust_pred_probs"):
        return "no"
    if method in JUDGES:
        raise OptionError(
            f"adjust_pred_probs=True does not go with {name}={method!r}, which takes the "
            "imbalance of classes into account by itself; leave it out"
        )
    if method == "confidence_weighted_entropy":
        raise OptionError(
            f"adjust_pred_probs=True does not go with {name}={method!r}, whose entropy has no "
            f"meaning for adjusted rows; use {name}='self_confidence' or 'normalized_margin'"
        )
    return "present_classes"
