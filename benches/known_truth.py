"""Data sets of which it is known which labels are wrong."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt


class Reviewed(NamedTuple):
    """A data set of which everything is known."""

    name: str
    labels: npt.NDArray[np.int64]
    pred_probs: npt.NDArray[Any]
    is_wrong: npt.NDArray[np.bool_]


def read(folder: Path | None) -> Iterator[Reviewed]:
    """Read the files of which the truth is known."""
    for path in sorted(folder.glob("*.npz")) if folder else ():
        with np.load(path, allow_pickle=False) as arrays:
            if "true_labels" in arrays:
                labels = arrays["labels"].astype(np.int64)
                is_wrong = labels != arrays["true_labels"]
                yield Reviewed(path.stem, labels, arrays["pred_probs"], is_wrong)
