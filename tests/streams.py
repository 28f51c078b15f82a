"""Data in blocks to test with: each kind of source, and blocks so small that there are many."""

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import pairwise
from pathlib import Path
from typing import Any
from unittest import mock

import numpy as np

from conflearn.sources import source
from strategies import Data

#: What the data may come in.
FORMS: tuple[str, ...] = ("npy", "fortran", "shards", "npz", "batches", "sliceable")


class Sliceable:
    """An array that is somewhere else."""

    def __init__(self, array: np.ndarray) -> None:
        self._array = array
        self.shape, self.dtype = array.shape, array.dtype

    def __getitem__(self, rows: slice) -> np.ndarray:
        return self._array[rows]


def streamed(data: Data, form: str, folder: Path) -> Data:
    """The same data, in another form."""
    labels, pred_probs = data
    match form:
        case "npy" | "fortran":
            np.save(folder / "labels.npy", labels)
            cells = np.asfortranarray(pred_probs) if form == "fortran" else pred_probs
            np.save(folder / "pred_probs.npy", cells)
            return Data(folder / "labels.npy", folder / "pred_probs.npy")
        case "shards":
            middle = len(labels) // 2
            for name, part in (("part-2", slice(0, middle)), ("part-10", slice(middle, None))):
                np.save(folder / f"{name}.npy", pred_probs[part])
            return Data(labels, str(folder / "part-*.npy"))
        case "npz":
            np.savez(folder / "data.npz", labels=labels, pred_probs=pred_probs)
            return Data(None, folder / "data.npz")
        case "batches":
            cuts = [0, 1, *range(4, len(labels), 5), len(labels)]
            return Data(None, [(labels[a:b], pred_probs[a:b]) for a, b in pairwise(cuts)])
        case "sliceable":
            return Data(Sliceable(labels), Sliceable(pred_probs))
    raise AssertionError(form)


@contextmanager
def small_blocks(n_rows: int) -> Iterator[None]:
    """Have this many rows in a block, at most."""
    with mock.patch.object(source, "BLOCK_ROWS", n_rows):
        yield


@contextmanager
def streaming(data: Data, form: str, n_rows: int) -> Iterator[Data]:
    """The same data, in another form, read in blocks of a few rows."""
    with tempfile.TemporaryDirectory() as folder, small_blocks(n_rows):
        yield streamed(data, form, Path(folder))


def assert_same(one: Any, other: Any) -> None:
    """To the bit, and of the same dtype."""
    one, other = np.asarray(one), np.asarray(other)
    assert (one.dtype, one.shape) == (other.dtype, other.shape)
    assert one.tobytes() == other.tobytes()


def assert_same_analysis(one: Any, other: Any) -> None:
    # Of rows of which some entries are stored, nobody asks whether they sum to 1.
    assert repr(one).split("\n  doubts")[0] == repr(other).split("\n  doubts")[0]
    assert_same(one.mask, other.mask)
    assert_same(one.ranked, other.ranked)
    assert one.scores.keys() == other.scores.keys()
    for name in one.scores:
        assert_same(one.scores[name], other.scores[name])
    assert_same(one.suggested_labels, other.suggested_labels)
    assert_same(one.thresholds, other.thresholds)
    assert_same(one.confident_joint, other.confident_joint)
    assert one.num_issues == other.num_issues
    assert_same(one.to_records(), other.to_records())
    assert_same(one.health.classes, other.health.classes)
