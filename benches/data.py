"""The matrices that are measured: named sizes, made in place, the same for the same seed.

A row is the softmax of Gaussian noise plus two bumps: one at the true class and one at a rival, a
class that the model confuses with it. That gives log-normal cells with a long tail, thresholds
between roughly 0.3 and 0.8, and about one row in four whose given label is not its most
probable class: one in twenty because the label is wrong, the rest because the model is. The
number of such rows decides how much work the default filter does after its sweep.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray
from read import available_cpus, threads

Dtype = Literal["float16", "float32", "float64"]
Order = Literal["C", "F"]

CELLS_PER_BLOCK = 1 << 18  # 1 MiB of float32: a block stays in L2 until it is written out
SPREAD = 1.25  # standard deviation of a logit
RIVAL_GAP = 1.45  # mean lead of the true class over its rival, in logits
MEAN_LABEL_NOISE = 0.05


@dataclass(frozen=True)
class Size:
    """A shape and the dtype it is usually stored in."""

    n_examples: int
    n_classes: int
    dtype: Dtype = "float32"

    @property
    def n_bytes(self) -> int:
        """Memory of the matrix."""
        return self.n_examples * self.n_classes * np.dtype(self.dtype).itemsize

    def __str__(self) -> str:
        """For people: `1,200,000 x 1,000 float32`."""
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


class _Classes(NamedTuple):
    """For each row: its true class, the class it is confused with, and the label it was given."""

    true: NDArray[np.int64]
    rival: NDArray[np.int64]
    given: NDArray[np.int64]


def make(size: Size, *, seed: int = 0, order: Order = "C") -> Problem:
    """Labels and a matrix of this size; the matrix is the only big array that ever exists.

    Every block has a generator of its own, so the number of threads does not show in the cells,
    and neither does the memory order.
    """
    shape = size.n_examples, size.n_classes
    classes, lifts = _draw_classes(size, seed)
    pred_probs = np.empty(shape, dtype=size.dtype, order=order)
    n_rows = max(1, CELLS_PER_BLOCK // size.n_classes)
    starts = range(0, size.n_examples, n_rows)

    def fill_every(first: int) -> None:
        logits = np.empty((n_rows, size.n_classes), dtype=np.float32)
        for start in starts[first :: available_cpus()]:
            rows = slice(start, start + n_rows)
            true, rival = classes.true[rows], classes.rival[rows]
            rng = np.random.Generator(np.random.SFC64([seed, 1, start]))
            _fill(pred_probs[rows], logits[: true.size], true, rival, lifts[true], rng)

    list(threads().map(fill_every, range(available_cpus())))
    return Problem(classes.given, pred_probs)


def _draw_classes(size: Size, seed: int) -> tuple[_Classes, NDArray[np.float32]]:
    """The classes of every row, and for each class how far its bump stands above the noise."""
    n, k = size.n_examples, size.n_classes
    rng = np.random.default_rng([seed, 0])
    noise_rates = rng.uniform(0, 2 * MEAN_LABEL_NOISE, k)
    # log of the summed noise of a whole row: a lift of 0 means half of the row's probability.
    lifts = np.log(max(k - 2, 1)) + SPREAD**2 / 2 + rng.uniform(0.2, 2.6, k)
    true = rng.integers(k, size=n)
    rival = _neighbours(true, k, rng)
    is_wrong = rng.random(n) < noise_rates[true]
    given = np.where(is_wrong, _neighbours(true, k, rng), true)
    return _Classes(true, rival, given), lifts.astype(np.float32)


def _neighbours(
    classes: NDArray[np.int64], n_classes: int, rng: np.random.Generator
) -> NDArray[np.int64]:
    """For each class one of the few it is mistaken for, the nearest most often."""
    steps = rng.choice(4, size=classes.size, p=[0.55, 0.25, 0.15, 0.05])
    return (classes + 1 + steps % (n_classes - 1)) % n_classes


def _fill(
    block: NDArray[Any],
    logits: NDArray[np.float32],
    true: NDArray[np.int64],
    rival: NDArray[np.int64],
    lift: NDArray[np.float32],
    rng: np.random.Generator,
) -> None:
    """Write one block of rows, leaving `logits` as scratch."""
    rows = np.arange(true.size)
    rng.standard_normal(out=logits, dtype=np.float32)
    logits *= np.float32(SPREAD)
    logits[rows, true] += lift
    logits[rows, rival] += lift - np.float32(RIVAL_GAP)
    np.exp(logits, out=logits)
    # Divided, not multiplied by the inverse: x / sum can never round to more than 1.
    logits /= logits.sum(axis=1, keepdims=True)
    if block.dtype == np.float16:
        # Rounds to whole units of 2**-24, the smallest float16: numpy raises the underflow flag
        # for every small cell that is not one, which takes 30 times as long as the conversion.
        logits += np.float32(0.5)
        logits -= np.float32(0.5)
    block[...] = logits
