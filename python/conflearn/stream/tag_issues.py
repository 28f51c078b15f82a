"""Multi-label data over a source; see `conflearn.multilabel`."""

from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from conflearn import _core
from conflearn._names import Adjust, ClassicScore
from conflearn._options import AggregateOption, Options
from conflearn.sources.tags import tags_of
from conflearn.stream.outputs import as_target, as_target_of_several
from conflearn.stream.tag_search import Ranking, TagSearch, joint_of, thresholds_of

if TYPE_CHECKING:
    from conflearn.sources.source import Block
    from conflearn.stream.run import Run

__all__ = [
    "LOCATED",
    "confident_joint",
    "confident_thresholds",
    "find_label_issues",
    "given_counts",
    "label_quality_scores",
    "label_quality_scores_per_class",
    "locate_label_issues",
    "located_and_given",
    "num_label_issues",
    "num_label_issues_per_class",
    "rank_label_issues",
]

#: What is written of a flagged tag.
LOCATED = ("row", "class_index", "has_tag")


def confident_thresholds(run: "Run") -> npt.NDArray[np.float64]:
    """Find the mean self-confidence without and with each tag."""
    with run.of("multilabel.confident_thresholds", {}):
        return thresholds_of(run).finish()


def confident_joint(
    run: "Run", thresholds: npt.NDArray[np.float64] | None, *, calibrate: bool
) -> npt.NDArray[np.int64]:
    """Count the examples of each class by given and guessed side."""
    asked = {"thresholds": thresholds, "calibrate": calibrate}
    with run.of("multilabel.confident_joint", asked):
        cut = thresholds_of(run).finish() if thresholds is None else thresholds
        return joint_of(run, cut).joint(calibrate=calibrate)


def given_counts(run: "Run") -> npt.NDArray[np.int64]:
    """Count the examples without and with each tag."""
    with run.of("multilabel.given_counts", {}):
        return thresholds_of(run).given_counts


def find_label_issues(run: "Run", options: Options, out: object) -> npt.NDArray[np.bool_]:
    """Flag the examples that have a wrong tag, or lack one."""
    asked = options._asdict()
    with run.of("multilabel.find_label_issues", asked, as_target(out)) as outputs:
        search = TagSearch(run, options, flags=True)
        search.find()
        assert search.mask is not None  # noqa: S101 - it was asked for
        return outputs.publish({"is_issue": search.mask})["is_issue"]


def rank_label_issues(
    run: "Run", options: Options, rank_by: ClassicScore, aggregate: AggregateOption, out: object
) -> npt.NDArray[np.int64]:
    """Find the same examples, the worst first."""
    asked = options._asdict() | {"rank_by": rank_by, "aggregate": list(aggregate)}
    with run.of("multilabel.rank_label_issues", asked, as_target(out)) as outputs:
        search = TagSearch(run, options, Ranking(rank_by, aggregate))
        search.find()
        return outputs.publish({"row": search.ranked()})["row"]


def locate_label_issues(
    run: "Run", options: Options, out: object
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64], npt.NDArray[np.bool_]]:
    """Find the tags that are wrong, or missing: rows, classes, and whether they are given."""
    asked = options._asdict()
    target = as_target_of_several(out, LOCATED)
    with run.of("multilabel.locate_label_issues", asked, target) as outputs:
        search = TagSearch(run, options, cells=True)
        search.find()
        found = outputs.publish(search.cells)
        return found["row"], found["class_index"], found["has_tag"]


def located_and_given(
    run: "Run", options: Options
) -> tuple[
    npt.NDArray[np.int64],
    npt.NDArray[np.int64],
    npt.NDArray[np.bool_],
    npt.NDArray[np.int64],
]:
    """Find the same, and how many examples are without and with each tag."""
    with run.of("multilabel.dataset_health", options._asdict()) as outputs:
        search = TagSearch(run, options, cells=True)
        search.find()
        given_counts = search.given_counts()
        found = outputs.publish(search.cells)
        return found["row"], found["class_index"], found["has_tag"], given_counts


def num_label_issues(run: "Run") -> int:
    """Count the examples that have a wrong tag, or lack one."""
    with run.of("multilabel.num_label_issues", {}):
        search = TagSearch(run, Options("confident_learning"), flags=True)
        search.find()
        assert search.mask is not None  # noqa: S101 - it was asked for
        return sum(int(np.count_nonzero(flags)) for flags in search.mask.windows())


def num_label_issues_per_class(run: "Run") -> npt.NDArray[np.int64]:
    """Count the tags of each class that are missing, and those that are wrong."""
    with run.of("multilabel.num_label_issues_per_class", {}):
        return joint_of(run, thresholds_of(run).finish()).num_issues_per_class


def label_quality_scores(
    run: "Run", method: ClassicScore, adjust: Adjust, aggregate: AggregateOption, out: object
) -> npt.NDArray[np.float64]:
    """Score the tags of each example."""
    Ranking(method, aggregate).check(run)
    asked = {"method": method, "adjust": adjust, "aggregate": list(aggregate)}
    with run.of("multilabel.label_quality_scores", asked, as_target(out)) as outputs:
        thresholds = _adjusted_by(run, adjust)
        scores = run.column(method, np.float64)

        def step(block: "Block") -> None:
            scores.append(
                _core.tag_quality_scores(
                    tags_of(block.labels),
                    run.matrix(block),
                    method,
                    adjust,
                    thresholds,
                    aggregate,
                    block.first_row,
                    run.n_threads,
                )
            )

        run.visit("scores", step, [scores])
        return outputs.publish({method: scores})[method]


def label_quality_scores_per_class(
    run: "Run", method: ClassicScore, adjust: Adjust
) -> npt.NDArray[np.float64]:
    """Score each class of each example, in memory."""
    if method == "confidence_weighted_entropy":
        run.refuse_scores(method)
    asked = {"method": method, "adjust": adjust}
    with run.of("multilabel.label_quality_scores_per_class", asked):
        thresholds = _adjusted_by(run, adjust)
        scores = run.column(method, np.float64, is_full=False)

        def step(block: "Block") -> None:
            of_block = _core.tag_quality_scores_per_class(
                tags_of(block.labels),
                run.matrix(block),
                method,
                adjust,
                thresholds,
                block.first_row,
                run.n_threads,
            )
            scores.append(of_block.ravel())

        run.visit("scores", step, [scores])
        return scores.array().reshape(-1, run.n_classes)


def _adjusted_by(run: "Run", adjust: Adjust) -> npt.NDArray[np.float64] | None:
    if adjust == "no":
        return None
    run.refuse_scores("adjust_pred_probs=True")
    return thresholds_of(run).finish()
