"""Class thresholds over a source; see `conflearn.thresholds`."""

from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

if TYPE_CHECKING:
    from conflearn.stream.run import Run

__all__ = ["confident_thresholds"]


def confident_thresholds(run: "Run") -> npt.NDArray[np.float64]:
    """Mean self-confidence of each class."""
    with run.of("confident_thresholds", {}):
        return run.thresholds()
