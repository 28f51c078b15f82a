"""What is recommended, and that ``filter_by="auto"`` follows it."""

import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import conflearn
from conflearn import passes
from conflearn.errors import OptionError
from expected import refused
from strategies import random_data


def noisy(
    share: float, n: int = 3000, k: int = 5, knowledge: float = 4
) -> tuple[np.ndarray, np.ndarray]:
    """Labels of which a share is wrong at random, and a model that knows the classes well."""
    rng = np.random.default_rng(0)
    true = rng.integers(0, k, n)
    logits = rng.normal(size=(n, k)) + knowledge * np.eye(k)[true]
    pred_probs = np.exp(logits)
    pred_probs /= pred_probs.sum(axis=1, keepdims=True)
    wrong = rng.random(n) < share
    return np.where(wrong, (true + rng.integers(1, k, n)) % k, true), pred_probs


def test_the_cut_follows_how_often_a_sure_model_contradicts() -> None:
    data = noisy(0.0), noisy(0.01, knowledge=2), noisy(0.2)
    clean, few, many = (conflearn.recommend(*one) for one in data)
    ratios = [
        one.figures["surely_contradicted"] / one.figures["contradicted"]
        for one in (clean, few, many)
    ]
    assert ratios[0] < 0.05 < ratios[1] < 0.25 < ratios[2]
    assert [one.cut for one in (clean, few, many)] == [0.5, 0.3, 0.6]
    assert {one.filter_by for one in (clean, few, many)} == {"noise_floor"}
    assert 0.15 < many.figures["surely_contradicted"] < 0.25
    assert "contradicts" in repr(many)
    assert pickle.loads(pickle.dumps(many)) == many


def test_a_model_that_contradicts_nothing() -> None:
    labels = np.arange(300) % 3
    found = conflearn.recommend(labels, np.where(np.eye(3)[labels] > 0, 0.9, 0.05))
    assert found.figures["contradicted"] == 0
    assert found.cut == 0.5


@pytest.mark.parametrize("share", [0.0, 0.2])
def test_auto_follows_it(share: float, tmp_path: Path) -> None:
    labels, pred_probs = noisy(share)
    options = conflearn.recommend(labels, pred_probs).options
    expected = conflearn.find_label_issues(labels, pred_probs, **options)
    np.save(tmp_path / "pred_probs.npy", pred_probs)
    batches = [(labels[i : i + 700], pred_probs[i : i + 700]) for i in range(0, 3000, 700)]
    for matrix in (pred_probs, tmp_path / "pred_probs.npy"):
        found = conflearn.find_label_issues(labels, matrix, filter_by="auto")
        np.testing.assert_array_equal(found, expected)
    found = conflearn.find_label_issues(None, lambda: iter(batches), filter_by="auto")
    np.testing.assert_array_equal(found, expected)
    analysis = conflearn.analyze(labels, pred_probs, filter_by="auto")
    np.testing.assert_array_equal(analysis.mask, expected)
    assert analysis.filter_by == "noise_floor"
    np.testing.assert_array_equal(
        conflearn.rank_label_issues(labels, pred_probs, filter_by="auto"), analysis.ranked
    )

    def reduce(state: Any) -> Any:
        return passes.feed(state, labels, pred_probs)

    rule = passes.find_rule(reduce, 5, filter_by="auto")
    np.testing.assert_array_equal(rule.apply(labels, pred_probs).is_issue, expected)


def test_what_makes_no_sense_is_refused() -> None:
    labels, pred_probs = random_data(50, 3)
    with refused(OptionError, "auto", "cut"):
        conflearn.find_label_issues(labels, pred_probs, filter_by="auto", cut=0.4)
    with refused(OptionError, "recommend", "scores"):
        conflearn.recommend(labels, pred_probs, kind="scores")
    with refused(OptionError, "auto", "scores"):
        conflearn.find_label_issues(labels, pred_probs, filter_by="auto", kind="scores")
