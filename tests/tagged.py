"""Data whose examples have any number of tags: random makers, and corners."""

from typing import Any, NamedTuple

import numpy as np
from hypothesis import strategies as st

from strategies import GRID, NUDGES


class Tagged(NamedTuple):
    """Tags as zeros and ones, and probabilities."""

    tags: np.ndarray
    pred_probs: np.ndarray


def random_tagged(
    n_examples: int,
    n_classes: int,
    *,
    seed: int = 0,
    noise: float = 0.1,
    decimals: int | None = None,
    share: float = 0.2,
    dtype: Any = np.float64,
) -> Tagged:
    """A model that is mostly right about tags of which a share of `noise` is flipped."""
    rng = np.random.default_rng(seed)
    true = rng.random((n_examples, n_classes)) < share
    logits = rng.normal(size=true.shape) + np.where(true, 2.0, -2.0)
    pred_probs = 1 / (1 + np.exp(-1.5 * logits))
    if decimals is not None:
        pred_probs = pred_probs.round(decimals)
    tags = true ^ (rng.random(true.shape) < noise * np.where(true, 1, share))
    return Tagged(tags.astype(np.int64), pred_probs.astype(dtype))


def lists_of(tags: np.ndarray) -> list[list[int]]:
    return [np.flatnonzero(row).tolist() for row in tags]


@st.composite
def cornered_tagged(draw: st.DrawFn) -> Tagged:
    """Tiny data full of ties and near ties; tags that all have, or none."""
    n_classes = draw(st.integers(2, 5))
    cells = st.builds(
        lambda a, b: min(max(a + b, 0.0), 1.0), st.sampled_from(GRID), st.sampled_from(NUDGES)
    )
    cells |= st.sampled_from([0.4999995, 0.5000005, 1e-20, 1e-19, 1 - 2**-53, 0.0, 1.0])
    rows = draw(
        st.lists(st.lists(cells, min_size=n_classes, max_size=n_classes), min_size=1, max_size=12)
    )
    sides = st.sampled_from([[0, 1], [0, 0, 1], [0], [1]])
    of_class = [draw(sides) for _ in range(n_classes)]
    tags = [[draw(st.sampled_from(sides)) for sides in of_class] for _ in rows]
    return Tagged(np.array(tags), np.array(rows))


@st.composite
def likely_tagged(draw: st.DrawFn) -> Tagged:
    return random_tagged(
        draw(st.integers(1, 60)),
        draw(st.integers(2, 9)),
        seed=draw(st.integers(0, 2**32 - 1)),
        noise=draw(st.sampled_from([0.0, 0.1, 0.5])),
        decimals=draw(st.sampled_from([None, 1, 2])),
        share=draw(st.sampled_from([0.0, 0.2, 0.5, 1.0])),
        dtype=draw(st.sampled_from([np.float64, np.float32, np.float16])),
    )


tagged_data = st.one_of(likely_tagged(), cornered_tagged())
