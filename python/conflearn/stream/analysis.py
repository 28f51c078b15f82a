"""Everything over a source; see `conflearn.analysis`."""

from types import MappingProxyType
from typing import TYPE_CHECKING

from conflearn._names import CLASSIC_SCORES, JUDGES, SCORES, Score
from conflearn._options import Options
from conflearn.analysis import Analysis
from conflearn.recommendation import choose_for
from conflearn.stream.outputs import as_target_of_several
from conflearn.stream.search import ENTROPY, Search

if TYPE_CHECKING:
    from conflearn.stream.run import Run

__all__ = ["analyze"]

#: Of the files in a folder.
_NAMES = ("is_issue", "given_label", "suggested_label", *SCORES, "ranked")


def analyze(run: "Run", options: Options, rank_by: Score, out: object) -> Analysis:
    """Find, rank, score and count."""
    scores: list[Score] = [
        name for name in CLASSIC_SCORES if run.kind != "scores" or name != ENTROPY
    ]
    scores += [name for name in JUDGES if name in (options.filter_by, rank_by)]
    asked = options.asked() | {"rank_by": rank_by}
    with run.of("analyze", asked, as_target_of_several(out, _NAMES)) as outputs:
        options = choose_for(run, options)
        search = Search(run, options, rank_by, flags=True, order=True, scores=scores)
        joint, checks = search.find_count_and_check()
        ranked, given_of_ranked = search.ranked()
        found = outputs.publish(
            search.by_row, {"ranked": ranked}, {"given_of_ranked": given_of_ranked}
        )
        return Analysis(
            mask=found["is_issue"],
            ranked=found["ranked"],
            scores=MappingProxyType({name: found[name] for name in scores}),
            suggested_labels=found["suggested_label"],
            thresholds=joint.thresholds,
            num_issues=joint.num_issues,
            filter_by=options.filter_by,
            cut=options.cut,
            rank_by=rank_by,
            kind=run.kind,
            classes=None if run.classes is None else tuple(run.classes),
            _given_counts=joint.given_counts,
            _given_of_ranked=found["given_of_ranked"],
            _joint=joint.joint(calibrate=True),
            _checks=checks,
        )
