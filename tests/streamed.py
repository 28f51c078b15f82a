"""What a source gives, put together again."""

import json
import threading
from contextlib import closing
from typing import Any, NamedTuple

import numpy as np

from conflearn.sources import Source


def n_readers() -> int:
    """Threads that read; other libraries have threads of their own."""
    return sum(thread.name == "conflearn-reader" for thread in threading.enumerate())


class Whole(NamedTuple):
    """All rows from one on."""

    labels: np.ndarray
    pred_probs: np.ndarray
    places: list[str]
    sizes: list[int]


def whole(source: Source, first_row: int = 0) -> Whole:
    """Read to the end. Blocks are copied, for each is valid until the next one only."""
    labels, rows, places, sizes = [], [], [], []
    row = first_row
    with closing(source.blocks(first_row)) as blocks:
        for block in blocks:
            assert block.first_row == row
            assert len(block.labels) == len(block.pred_probs) > 0
            labels.append(block.labels.copy())
            rows.append(block.pred_probs.copy())
            places.append(block.place)
            sizes.append(len(block.labels))
            row += len(block.labels)
    assert source.n_examples in (None, row)
    if source.fingerprint:
        json.loads(source.fingerprint)
    return Whole(np.concatenate(labels), np.concatenate(rows), places, sizes)


def assert_gives(source: Source | None, labels: Any, pred_probs: Any, first_row: int = 0) -> Whole:
    """Compare with arrays, to the bit."""
    assert source is not None
    assert source.n_classes == pred_probs.shape[1]
    found = whole(source, first_row)
    assert found.pred_probs.dtype == pred_probs.dtype
    np.testing.assert_array_equal(found.pred_probs, pred_probs[first_row:])
    np.testing.assert_array_equal(found.labels, labels[first_row:])
    return found
