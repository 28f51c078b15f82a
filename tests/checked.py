"""Data of which nothing is to be said, and what checks say of others."""

import json
from typing import Any

import numpy as np

import conflearn
from conflearn.checks import Finding
from strategies import Data

N, K = 5000, 6


def model(n_examples: int = N, n_classes: int = K, *, noise: float = 0.1, seed: int = 0) -> Data:
    """Labels, and a calibrated model of them that has not seen them: what is healthy."""
    rng = np.random.default_rng(seed)
    shares = rng.uniform(1, 2, n_classes)
    pred_probs = rng.dirichlet(0.25 * shares / shares.mean(), n_examples)
    true_labels = (pred_probs.cumsum(axis=1) < rng.random((n_examples, 1))).sum(axis=1)
    true_labels = np.minimum(true_labels, n_classes - 1)
    is_wrong = rng.random(n_examples) < noise
    labels = np.where(is_wrong, rng.integers(0, n_classes, n_examples), true_labels)
    # It says 0 of nothing, as a softmax does not.
    return Data(labels, 0.999 * pred_probs + 0.001 / n_classes)


HEALTHY = model()


def normalized(rows: Any) -> Any:
    return rows / rows.sum(axis=1, keepdims=True)


def found(*args: Any, **options: Any) -> dict[str, str]:
    """The findings by name, with their severities."""
    report = conflearn.check_inputs(*args, **options)
    assert all(one.seen and one.why and one.what_to_do for one in report)
    json.dumps(report.to_dict())
    return {one.name: one.severity for one in report}


def the_only(*args: Any, **options: Any) -> Finding:
    report = conflearn.check_inputs(*args, **options)
    assert len(report) == 1, report.names
    return report[0]


def the_only_named(name: str, *args: Any, **options: Any) -> Finding:
    return next(one for one in conflearn.check_inputs(*args, **options) if one.name == name)


def with_duplicates(n: int, dtype: Any = np.float64) -> Data:
    labels, pred_probs = model()
    pred_probs = pred_probs.astype(dtype)
    pred_probs[:n] = pred_probs[1000 : 1000 + n]
    labels = labels.copy()
    labels[:n] = np.where(
        np.arange(n) % 2, labels[1000 : 1000 + n], (labels[1000 : 1000 + n] + 1) % K
    )
    return Data(labels, pred_probs)
