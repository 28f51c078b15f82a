"""The confident joint over a source; see `conflearn.joint`."""

from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from conflearn import _core
from conflearn._inputs import as_any_joint, with_counts
from conflearn._sparse_joint import SparseJoint

if TYPE_CHECKING:
    from conflearn.stream.run import Run

__all__ = ["confident_joint", "estimate_joint"]


def confident_joint(
    run: "Run", thresholds: npt.NDArray[np.float64] | None, *, calibrate: bool
) -> SparseJoint:
    """Count the examples by given class and guessed true class."""
    with run.of("confident_joint", {"thresholds": thresholds, "calibrate": calibrate}):
        cut = run.thresholds() if thresholds is None else thresholds
        return run.joint(cut).joint(calibrate=calibrate)


def estimate_joint(run: "Run", confident_joint: object) -> npt.NDArray[np.float64]:
    """Estimate the distribution of given and true labels."""
    own = None if confident_joint is None else as_any_joint(confident_joint, run.n_classes)
    with run.of("estimate_joint", {"confident_joint": own}):
        if own is None:
            counted = run.joint(run.thresholds()).joint(calibrate=True)
        else:
            joint, counts = with_counts(own, run.given_counts())
            rows = _core.calibrate_confident_joint_rows(joint, counts, "by_given")
            counted = SparseJoint.from_rows(*rows)
    shares = counted.with_counts(counted.counts / counted.counts.sum())
    distribution: npt.NDArray[np.float64] = shares.to_matrix()
    return distribution
