"""The confident joint over a source; see `conflearn.joint`."""

from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from conflearn._sparse_joint import SparseJoint

if TYPE_CHECKING:
    from conflearn.stream.run import Run

__all__ = ["confident_joint"]


def confident_joint(
    run: "Run", thresholds: npt.NDArray[np.float64] | None, *, calibrate: bool
) -> SparseJoint:
    """Count the examples by given class and guessed true class."""
    with run.of("confident_joint", {"thresholds": thresholds, "calibrate": calibrate}):
        cut = run.thresholds() if thresholds is None else thresholds
        return run.joint(cut).joint(calibrate=calibrate)
