"""Data sets of which it is known which labels are wrong."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

#: A label is wrong where fewer of five people chose it.
MAJORITY = 3


class Reviewed(NamedTuple):
    """A data set of which it is known which labels are wrong, of all rows or of some."""

    name: str
    labels: npt.NDArray[np.int64]
    pred_probs: npt.NDArray[Any]
    #: One for each of the rows that people looked at.
    is_wrong: npt.NDArray[np.bool_]
    #: Which rows these are; None for all.
    rows: npt.NDArray[np.int64] | None = None


def read(folder: Path | None, *, partly: bool = False) -> Iterator[Reviewed]:
    """Read the files of which the truth is known: of all rows, or at least ``partly``."""
    for path in sorted(folder.glob("*.npz")) if folder else ():
        with np.load(path, allow_pickle=False) as arrays:
            labels = arrays["labels"].astype(np.int64)
            if "true_labels" in arrays:
                is_wrong = labels != arrays["true_labels"]
                yield Reviewed(path.stem, labels, arrays["pred_probs"], is_wrong)
            elif partly and "votes_for_given_label" in arrays:
                is_wrong = arrays["votes_for_given_label"] < MAJORITY
                rows = arrays["reviewed_index"].astype(np.int64)
                yield Reviewed(path.stem, labels, arrays["pred_probs"], is_wrong, rows)
