"""Label issues over a source; see `conflearn.issues`."""

from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from conflearn import _core
from conflearn._inputs import as_any_joint, with_counts
from conflearn._names import CountMethod, Score
from conflearn._options import Options
from conflearn.recommendation import choose_for
from conflearn.stream.outputs import as_target
from conflearn.stream.search import Search

if TYPE_CHECKING:
    from conflearn.stream.run import Run

__all__ = ["find_label_issues", "num_label_issues", "rank_label_issues"]


def find_label_issues(run: "Run", options: Options, out: object) -> npt.NDArray[np.bool_]:
    """Flag the examples whose label is likely wrong."""
    with run.of("find_label_issues", options.asked(), as_target(out)) as outputs:
        options = choose_for(run, options)
        search = Search(run, options, flags=True)
        search.find()
        return outputs.publish(search.by_row)["is_issue"]


def rank_label_issues(
    run: "Run", options: Options, rank_by: Score, out: object
) -> npt.NDArray[np.int64]:
    """Find the same examples, the worst first."""
    asked = options.asked() | {"rank_by": rank_by}
    with run.of("rank_label_issues", asked, as_target(out)) as outputs:
        options = choose_for(run, options)
        search = Search(run, options, rank_by, order=True)
        search.find()
        rows, _ = search.ranked()
        return outputs.publish({"row": rows})["row"]


def num_label_issues(run: "Run", method: CountMethod, confident_joint: object) -> int:
    """Estimate how many labels are wrong."""
    is_custom = method == "off_diagonal_custom"
    given = as_any_joint(confident_joint, run.n_classes) if is_custom else None
    with run.of("num_label_issues", {"method": method, "confident_joint": given}):
        if given is not None:
            return _core.num_off_diagonal(*with_counts(given, run.given_counts()))
        joint = run.joint(run.thresholds())
        is_calibrated = method == "off_diagonal_calibrated"
        return joint.num_issues_calibrated if is_calibrated else joint.num_issues
