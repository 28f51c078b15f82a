"""What is measured: the calls, their targets, and who else can answer the same question.

`blocked_numpy` and `cleanlab_side` name their functions as conflearn does, so one line here
says all there is to say about a row of the tables.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from importlib import import_module
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

import conflearn
from data import Size
from read import Matrix

Method = Callable[[NDArray[np.int64], Matrix], object]
Implementation = Literal["conflearn", "blocked numpy", "cleanlab"]

# By name, since cleanlab takes seconds to import and most runs do not ask it anything.
MODULES: dict[Implementation, str] = {
    "conflearn": "conflearn",
    "blocked numpy": "blocked_numpy",
    "cleanlab": "cleanlab_side",
}
DENSE_JOINT_LIMIT = 5_000  # classes; with more, a dense (K, K) array can outgrow the matrix
CELLS_UNASKED = 100_000_000  # with more, a call takes cleanlab so long that it must be asked for


@dataclass(frozen=True)
class Call:
    """One function with its options, and its target: times R at the size `imagenet`."""

    function: str
    options: Mapping[str, object] = field(default_factory=dict)
    target: float | None = None
    joint: Literal["none", "inside", "returned"] = "none"

    def __str__(self) -> str:
        """Write it as it would be typed, without the data."""
        options = ", ".join(f"{name}={value!r}" for name, value in self.options.items())
        return f"{self.function}({options})"

    def by(self, implementation: Implementation, size: Size) -> Method | None:
        """Pick who answers; None where that would need a dense joint of too many classes."""
        can_be_sparse = self.joint == "none" or (
            self.joint == "inside" and implementation == "conflearn"
        )
        if size.n_classes > DENSE_JOINT_LIMIT and not can_be_sparse:
            return None
        if self.function == "analyze":
            ours = partial(_analyze, **self.options)
            return ours if implementation == "conflearn" else partial(_ask, implementation)
        if self.function == "dataset_health" and implementation == "conflearn":
            return _health
        module = import_module(MODULES[implementation])
        return partial(getattr(module, self.function), **self.options)


def _analyze(labels: NDArray[np.int64], pred_probs: Matrix, **options: Any) -> object:
    """Sweep once, then ask for all that it found: some of it is made when first asked for."""
    analysis = conflearn.analyze(labels, pred_probs, **options)
    answers = ["mask", "ranked", "scores", "suggested_labels", "thresholds", "num_issues"]
    if pred_probs.shape[1] <= DENSE_JOINT_LIMIT:
        answers += ["confident_joint", "joint", "noise_model"]
    for answer in answers:
        getattr(analysis, answer)
    return analysis


def _health(labels: NDArray[np.int64], pred_probs: Matrix) -> object:
    """Ask for the tables too, which are made when first asked for."""
    health = conflearn.dataset_health(labels, pred_probs)
    return health.health_score, health.classes, health.overlapping_classes()


def _ask(implementation: Implementation, labels: NDArray[np.int64], pred_probs: Matrix) -> object:
    """Get the main answers of an analysis from those who must be asked for them one by one."""
    module: Any = import_module(MODULES[implementation])
    scores = [
        module.label_quality_scores(labels, pred_probs, method=score)
        for score in ("self_confidence", "normalized_margin", "confidence_weighted_entropy")
    ]
    return module.rank_label_issues(labels, pred_probs), scores


def fits_cleanlab(pred_probs: Matrix) -> bool:
    """Tell whether free memory holds cleanlab's two copies and its dense joints."""
    needed = 2.2 * pred_probs.nbytes + 10 * 8 * pred_probs.shape[1] ** 2
    lines = Path("/proc/meminfo").read_text().splitlines()
    kibibytes = next(line.split()[1] for line in lines if line.startswith("MemAvailable"))
    return bool(needed < 1024 * int(kibibytes))


DEFAULT = Call("rank_label_issues", target=1.5, joint="inside")
SMALL_DATA = Call("find_label_issues", joint="inside")
CALLS = (
    Call("find_label_issues", {"filter_by": "confident_learning"}, target=1.25),
    DEFAULT,
    Call("rank_label_issues", {"filter_by": "both"}, target=1.5, joint="inside"),
    Call("rank_label_issues", {"filter_by": "prune_by_class"}, target=1.5, joint="inside"),
    Call("analyze", target=1.6, joint="inside"),
    Call("label_quality_scores", {"method": "self_confidence"}, target=0.2),
    Call("label_quality_scores", {"method": "normalized_margin"}, target=1.2),
    Call("label_quality_scores", {"method": "confidence_weighted_entropy"}, target=1.5),
    Call("confident_thresholds"),
    Call("confident_joint", joint="returned"),
    Call("num_label_issues"),
    Call("dataset_health", joint="inside"),
)

#: Asked of logits and scores, which nobody else takes: they would first have to make probabilities.
KIND_CALLS = (
    Call("find_label_issues", {"filter_by": "confident_learning", "kind": "logits"}, target=3.0),
    Call("rank_label_issues", {"kind": "logits"}, target=3.0, joint="inside"),
    Call("analyze", {"kind": "logits"}, joint="inside"),
    Call("label_quality_scores", {"method": "normalized_margin", "kind": "logits"}, target=3.0),
    Call("find_label_issues", {"filter_by": "confident_learning", "kind": "scores"}, target=1.25),
    Call("rank_label_issues", {"kind": "scores"}, target=1.5, joint="inside"),
    Call("label_quality_scores", {"method": "normalized_margin", "kind": "scores"}, target=1.2),
)

#: What nobody else has, beside the calls that it is added to.
JUDGE_CALLS = (
    Call("analyze"),
    Call("analyze", {"rank_by": "relative_confidence"}),
    Call("analyze", {"rank_by": "noise_floor"}),
    Call("find_label_issues"),
    Call("find_label_issues", {"filter_by": "relative_confidence"}),
    Call("find_label_issues", {"filter_by": "noise_floor"}),
    Call("find_label_issues", {"filter_by": "auto"}),
    Call("label_quality_scores", {"method": "relative_confidence"}),
    Call("label_quality_scores", {"method": "noise_floor"}),
    Call("recommend"),
    Call("fit_calibration"),
    Call("find_label_issues", {"filter_by": "confident_learning", "temperature": 2.0}),
    Call("check_inputs"),
)
