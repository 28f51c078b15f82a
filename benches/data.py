"""The matrices that are measured: named sizes, made in place, the same for the same seed.

A row is log-normal noise (the exponential of Gaussian logits) with two bumps, one at the true class
and a lower one at a rival that the model confuses with it, scaled to sum to 1. That gives a long
tail, thresholds between roughly 0.3 and 0.8, and about one row in four whose given label is not
its most probable class: one in twenty because the label is wrong, the rest because the model
is. The number of such rows decides how much work the default filter does after its sweep.
"""

import os
from dataclasses import dataclass, replace
from pathlib import Path
from typing import IO, Any, Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from read import available_cpus, threads

Dtype = Literal["float16", "float32", "float64"]
Order = Literal["C", "F"]

CELLS_PER_BLOCK = 1 << 18  # 1 MiB of float32: a block stays in L2 until it is written out
BYTES_PER_WRITE = 1 << 25
SPREAD = 1.25  # standard deviation of a logit
RIVAL_SHARE = np.float32(np.exp(-1.45))  # of the bump at the true class
MEAN_LABEL_NOISE = 0.05
N_NOISES = 1 << 21  # different places where the noise of a row can start


@dataclass(frozen=True)
class Size:
    """A shape and the dtype it is usually stored in."""

    n_examples: int
    n_classes: int
    dtype: Dtype = "float32"

    def __str__(self) -> str:
        """Write it for people: `1,200,000 x 1,000 float32`."""
        return f"{self.n_examples:,} x {self.n_classes:,} {self.dtype}"


SIZES: dict[str, Size] = {
    "tiny": Size(20, 3),  # nothing to do: what is left is the fixed cost of a call
    "small": Size(1_000, 3),
    "cifar": Size(50_000, 10),
    "imagenet": Size(1_200_000, 1_000),
    "wide": Size(50_000, 20_000, "float16"),
}
# A few thousand rows at most: every line of the benchmarks runs, in seconds.
SIZES |= {
    f"{name}-smoke": replace(size, n_examples=min(size.n_examples, 4_000))
    for name, size in SIZES.items()
}
SIZES["smoke"] = SIZES["imagenet-smoke"]


class Problem(NamedTuple):
    """What every function of the package takes."""

    labels: NDArray[np.int64]
    pred_probs: NDArray[Any]


class Files(NamedTuple):
    """Where the same lies on a disk."""

    labels: Path
    pred_probs: Path


class _Rows(NamedTuple):
    """For each row: its true class, the class it is confused with, and where its noise starts."""

    true: NDArray[np.int64]
    rival: NDArray[np.int64]
    noise: NDArray[np.int64]


class _Recipe(NamedTuple):
    """All that the cells of a matrix follow from."""

    labels: NDArray[np.int64]
    rows: _Rows
    bumps: NDArray[np.float32]  # one a class
    noise: NDArray[np.float32]


def make(size: Size, *, seed: int = 0, order: Order = "C") -> Problem:
    """Make labels and a matrix of this size; the matrix is the only big array that ever exists."""
    recipe = _recipe(size, seed)
    pred_probs = np.empty((size.n_examples, size.n_classes), dtype=size.dtype, order=order)
    _fill(pred_probs, recipe, 0)
    return Problem(recipe.labels, pred_probs)


def write(size: Size, folder: Path, *, seed: int = 0, n_distinct: int | None = None) -> Files:
    """Write what `make` makes into two .npy files; a few blocks of the matrix exist at a time.

    With `n_distinct`, so many examples are made and written again and again, which takes as long as
    the disk does.
    """
    n_distinct = n_distinct or size.n_examples
    recipe = _recipe(replace(size, n_examples=n_distinct), seed)
    files = Files(folder / "labels.npy", folder / "pred_probs.npy")
    np.save(files.labels, np.resize(recipe.labels, size.n_examples))
    row_bytes = size.n_classes * np.dtype(size.dtype).itemsize
    n_rows = max(1, BYTES_PER_WRITE // row_bytes)
    buffer = np.empty((n_rows, size.n_classes), dtype=size.dtype)
    header = {
        "descr": np.lib.format.dtype_to_descr(buffer.dtype),
        "fortran_order": False,
        "shape": (size.n_examples, size.n_classes),
    }
    with files.pred_probs.open("wb") as file:
        np.lib.format.write_array_header_1_0(file, header)
        for start in range(0, n_distinct, n_rows):
            block = buffer[: n_distinct - start]
            _fill(block, recipe, start)
            file.write(block.data)
        file.flush()
        _repeat(file, n_distinct * row_bytes, size.n_examples * row_bytes)
        os.fsync(file.fileno())  # what is not yet on the disk cannot be dropped from the page cache
    return files


def _repeat(file: IO[bytes], n_distinct: int, n_bytes: int) -> None:
    """Append the last bytes of a file to it until there are so many in all."""
    start = file.tell() - n_distinct
    with Path(file.name).open("rb") as source:
        for done in range(n_distinct, n_bytes, BYTES_PER_WRITE):
            source.seek(start + done % n_distinct)
            rest = min(BYTES_PER_WRITE, n_bytes - done)
            while rest:
                piece = source.read(min(rest, start + n_distinct - source.tell()))
                file.write(piece)
                rest -= len(piece)
                source.seek(start)


def _recipe(size: Size, seed: int) -> _Recipe:
    """Draw all that is random.

    The noise of a row is a random window of one long array: fresh noise for every cell would
    take ten times as long, and nothing that is measured could tell the difference.
    """
    n, k = size.n_examples, size.n_classes
    rng = np.random.default_rng(seed)
    noise_rates = rng.uniform(0, 2 * MEAN_LABEL_NOISE, k)
    true = rng.integers(k, size=n)
    rows = _Rows(true, _neighbours(true, k, rng), rng.integers(N_NOISES, size=n))
    is_wrong = rng.random(n) < noise_rates[true]
    labels = np.where(is_wrong, _neighbours(true, k, rng), true)
    # In units of the summed noise of a row: 1 means about half of the row's probability.
    bumps = max(k - 2, 1) * np.exp(SPREAD**2 / 2 + rng.uniform(0.2, 2.6, k)).astype(np.float32)
    noise = np.exp(np.float32(SPREAD) * rng.standard_normal(N_NOISES + k, dtype=np.float32))
    return _Recipe(labels, rows, bumps, noise)


def log_in_place(pred_probs: NDArray[Any]) -> None:
    """Turn probabilities into logits of which they are the softmax, a block at a time."""
    n_rows = max(1, CELLS_PER_BLOCK // pred_probs.shape[1])
    blocks = (pred_probs[start : start + n_rows] for start in range(0, len(pred_probs), n_rows))
    list(
        threads().map(lambda block: np.log(np.maximum(block, 1e-30, out=block), out=block), blocks)
    )


def _neighbours(
    classes: NDArray[np.int64], n_classes: int, rng: np.random.Generator
) -> NDArray[np.int64]:
    """Draw for each class one of the few it is mistaken for, the nearest most often."""
    steps = rng.choice(4, size=classes.size, p=[0.55, 0.25, 0.15, 0.05])
    return (classes + 1 + steps % (n_classes - 1)) % n_classes


def _fill(pred_probs: NDArray[Any], recipe: _Recipe, first_row: int) -> None:
    """Write rows of the matrix, block by block, on all cores."""
    n, k = pred_probs.shape
    rows, bumps = recipe.rows, recipe.bumps
    windows = np.lib.stride_tricks.sliding_window_view(recipe.noise, k)
    n_rows = max(1, CELLS_PER_BLOCK // k)
    starts = range(0, n, n_rows)

    def fill_every(first: int) -> None:
        for start in starts[first :: available_cpus()]:
            block = pred_probs[start : start + n_rows]
            here = slice(first_row + start, first_row + start + len(block))
            true, rival = rows.true[here], rows.rival[here]
            cells = windows[rows.noise[here]]
            count = np.arange(true.size)
            cells[count, true] *= bumps[true]
            cells[count, rival] *= bumps[true] * RIVAL_SHARE
            # Divided, not multiplied by the inverse: x / sum can never round to more than 1.
            cells /= cells.sum(axis=1, keepdims=True)
            if pred_probs.dtype == np.float16:
                # Rounds to whole units of 2**-24, the smallest float16: numpy raises the underflow
                # flag for every small cell that is not one, which takes 30 times as long.
                cells += np.float32(0.5)
                cells -= np.float32(0.5)
            block[...] = cells

    list(threads().map(fill_every, range(available_cpus())))
