"""Label quality over a source; see `conflearn.quality`."""

from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from conflearn import _core
from conflearn._names import JUDGES, Adjust, Score
from conflearn.stream.outputs import as_target

if TYPE_CHECKING:
    from conflearn.sources.source import Block
    from conflearn.stream.run import Run

__all__ = ["label_quality_scores"]


def label_quality_scores(
    run: "Run", method: Score, adjust: Adjust, out: object
) -> npt.NDArray[np.float64]:
    """Score each label."""
    if method == "confidence_weighted_entropy" or method in JUDGES:
        run.refuse_scores(method)
    if adjust != "no":
        run.refuse_scores("adjust_pred_probs=True")
    asked = {"method": method, "adjust": adjust}
    with run.of("label_quality_scores", asked, as_target(out)) as outputs:
        thresholds = None if adjust == "no" else run.thresholds()
        judge = [judge._core for judge in run.judges([method])]  # noqa: SLF001 - of this package
        scores = run.column(method, np.float64)

        def step(block: "Block") -> None:
            scores.append(
                _core.label_quality_scores(
                    block.labels,
                    run.matrix(block),
                    method,
                    adjust,
                    thresholds,
                    block.first_row,
                    run.n_threads,
                    *judge,
                )
            )

        run.visit("scores", step, [scores])
        return outputs.publish({method: scores})[method]
