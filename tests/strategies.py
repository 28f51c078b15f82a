"""Data to test with: random makers for sizes that matter, hypothesis strategies for corners."""

from typing import Any, NamedTuple

import hypothesis.strategies as st
import numpy as np

#: Names are Any: that the functions take literals is for their callers, not for loops over all.
Names = tuple[Any, ...]

SCORES: Names = ("self_confidence", "normalized_margin", "confidence_weighted_entropy")
PRUNE_FILTERS: Names = ("prune_by_class", "prune_by_noise_rate", "both")
OTHER_FILTERS: Names = (
    "confident_learning",
    "predicted_neq_given",
    "low_self_confidence",
    "low_normalized_margin",
)
FILTERS: Names = PRUNE_FILTERS + OTHER_FILTERS
#: Filters and scores at once.
JUDGES: Names = ("relative_confidence",)
PRIOR_METHODS: Names = ("cnt", "eqn", "marginal", "marginal_ps")


class Data(NamedTuple):
    """What every function takes first."""

    labels: np.ndarray
    pred_probs: np.ndarray


def random_data(
    n_examples: int,
    n_classes: int,
    *,
    seed: int = 0,
    noise: float = 0.3,
    decimals: int | None = None,
    n_absent: int = 0,
    imbalance: float = 0.0,
    dtype: type = np.float64,
) -> Data:
    """A model that is mostly right, and labels of which a share of `noise` is wrong.

    `decimals` rounds the probabilities, which makes ties. `n_absent` classes are given to nobody.
    `imbalance` above 0 makes the later classes rarer.
    """
    rng = np.random.default_rng(seed)
    weights = np.exp(-imbalance * np.arange(n_classes))
    true = rng.choice(n_classes, size=n_examples, p=weights / weights.sum())
    logits = rng.normal(size=(n_examples, n_classes))
    logits[np.arange(n_examples), true] += rng.gamma(2.0, 1.5, size=n_examples)
    pred_probs = np.exp(logits)
    pred_probs /= pred_probs.sum(axis=1, keepdims=True)
    if decimals is not None:
        pred_probs = pred_probs.round(decimals)
    wrong = rng.random(n_examples) < noise
    labels = np.where(wrong, rng.integers(n_classes, size=n_examples), true)
    absent = rng.permutation(n_classes)[:n_absent]
    present = np.setdiff1d(np.arange(n_classes), absent)
    gone = np.isin(labels, absent)
    labels[gone] = rng.choice(present, size=gone.sum())
    return Data(labels.astype(np.int64), pred_probs.astype(dtype))


def random_joint(n_classes: int, *, seed: int = 0, total: int = 1000) -> np.ndarray:
    """Counts with a strong diagonal, as a confident joint has them."""
    rng = np.random.default_rng(seed)
    weights = rng.dirichlet(np.ones(n_classes), size=n_classes) + 2 * np.eye(n_classes)
    joint = rng.multinomial(total, (weights / weights.sum()).ravel())
    return joint.reshape(n_classes, n_classes) + np.eye(n_classes, dtype=np.int64)


#: What the prune filters can be told, for data of 500 examples and 4 classes.
PRUNE_OPTIONS: tuple[dict[str, Any], ...] = (
    {"frac_noise": 0.5},
    {"min_examples_per_class": 90},
    {"num_to_remove_per_class": [3, 0, 8, 1]},
    {"confident_joint": random_joint(4, total=500)},
)


@st.composite
def likely_data(draw: st.DrawFn, max_examples: int = 300, max_classes: int = 30) -> Data:
    """Data like a user's: of any shape, with ties, absent classes and rare classes among it."""
    n_classes = draw(st.integers(2, max_classes))
    return random_data(
        draw(st.integers(1, max_examples)),
        n_classes,
        seed=draw(st.integers(0, 2**32 - 1)),
        noise=draw(st.sampled_from([0.0, 0.2, 0.5, 1.0])),
        decimals=draw(st.sampled_from([None, None, 2, 1])),
        n_absent=draw(st.integers(0, n_classes - 1)) if draw(st.booleans()) else 0,
        imbalance=draw(st.sampled_from([0.0, 0.0, 0.3, 1.0])),
    )


GRID = (0.0, 1e-6, 0.25, 0.5, 0.75, 1.0)
NUDGES = (0.0, 0.0, 0.0, 1e-6, -1e-6, 2e-6, 5e-7, 1e-12)


@st.composite
def cornered_data(draw: st.DrawFn, max_examples: int = 12, max_classes: int = 6) -> Data:
    """Tiny data full of ties and near ties, where the slacks of 1e-6 decide."""
    n_classes = draw(st.integers(2, max_classes))
    cells = st.builds(lambda a, b: min(max(a + b, 0.0), 1.0), _of(GRID), _of(NUDGES))
    row = st.lists(cells, min_size=n_classes, max_size=n_classes)
    rows = draw(st.lists(row, min_size=1, max_size=max_examples))
    labels = draw(st.lists(st.integers(0, n_classes - 1), min_size=len(rows), max_size=len(rows)))
    return Data(np.array(labels, dtype=np.int64), np.array(rows, dtype=np.float64))


def _of(values: tuple[float, ...]) -> st.SearchStrategy[float]:
    return st.sampled_from(values)


def datasets() -> st.SearchStrategy[Data]:
    """Any data: likely or cornered."""
    return st.one_of(likely_data(), cornered_data())


@st.composite
def joints(draw: st.DrawFn, max_classes: int = 8) -> tuple[np.ndarray, np.ndarray]:
    """A confident joint (diagonal at least 1, the rest often 0) and labels for it."""
    n_classes = draw(st.integers(2, max_classes))
    counts = st.one_of(st.just(0), st.integers(0, 4), st.integers(0, 500))
    size = n_classes * n_classes
    flat = draw(st.lists(counts, min_size=size, max_size=size))
    joint = np.array(flat, dtype=np.int64).reshape(n_classes, n_classes)
    np.fill_diagonal(joint, np.maximum(joint.diagonal(), 1))
    labels = draw(st.lists(st.integers(0, n_classes - 1), min_size=1, max_size=60))
    return joint, np.array(labels, dtype=np.int64)
