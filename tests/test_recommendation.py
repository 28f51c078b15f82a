"""What is recommended, and that ``filter_by="auto"`` follows it."""

import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import conflearn
from conflearn import passes
from conflearn.errors import OptionError, StateError
from conflearn.states import Cuts, JointState
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
    assert [one.cut for one in (clean, few, many)] == [0.5, 0.3, 0.5]
    assert {one.filter_by for one in (clean, few, many)} == {"noise_floor"}
    assert 0.15 < many.figures["surely_contradicted"] < 0.25
    for one in (clean, few, many):
        assert f"the cut of {one.cut} " in one.reason
        assert one.reason in repr(one)
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


def test_a_run_that_chooses_goes_on_where_it_was_killed(tmp_path: Path) -> None:
    labels, pred_probs = noisy(0.2)
    np.save(tmp_path / "pred_probs.npy", pred_probs)
    passes_done: list[str] = []

    def find(killed_in: str | None) -> np.ndarray:
        def progress(name: str, done: int, total: int | None) -> None:
            if done == total:
                if name == killed_in:
                    raise KeyboardInterrupt
            elif done == 0:
                passes_done.append(name)

        return conflearn.find_label_issues(
            labels,
            tmp_path / "pred_probs.npy",
            filter_by="auto",
            progress=progress,
            checkpoint=tmp_path / "checkpoint",
        )

    with pytest.raises(KeyboardInterrupt):
        find("thresholds")
    assert passes_done == ["sample", "thresholds"]
    passes_done.clear()
    expected = conflearn.find_label_issues(labels, pred_probs, filter_by="auto")
    np.testing.assert_array_equal(find(None), expected)
    assert "sample" not in passes_done
    assert not (tmp_path / "checkpoint").exists()
    with pytest.raises(KeyboardInterrupt):
        find("thresholds")
    with refused(StateError, "filter_by", '"auto"', '"noise_floor"'):
        conflearn.find_label_issues(
            labels,
            tmp_path / "pred_probs.npy",
            filter_by="noise_floor",
            checkpoint=tmp_path / "checkpoint",
        )


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"frac_noise": 3}, ("frac_noise",)),
        ({"frac_noise": 0.5}, ("filter_by='auto'", "frac_noise")),
        ({"num_to_remove_per_class": [1, 1, 1]}, ("filter_by='auto'", "num_to_remove_per_class")),
        ({"min_examples_per_class": 2}, ("filter_by='auto'", "min_examples_per_class")),
        ({"confident_joint": np.eye(3)}, ("filter_by='auto'", "confident_joint")),
        ({"cut": 0.4}, ("filter_by='auto'", "cut")),
        ({"kind": "scores"}, ("filter_by='auto'", "scores")),
        ({"out": "nowhere/found.npy"}, ("out=",)),
    ],
)
def test_options_are_checked_before_rows_are_read(
    options: dict[str, Any], words: tuple[str, ...], tmp_path: Path
) -> None:
    labels, pred_probs = random_data(50, 3)
    np.save(tmp_path / "pred_probs.npy", pred_probs)
    read: list[str] = []

    def progress(name: str, *_: object) -> None:
        read.append(name)

    if "out" in options:
        options = {"out": tmp_path / options["out"]}
    for call in (conflearn.find_label_issues, conflearn.rank_label_issues, conflearn.analyze):
        with refused(OptionError, *words):
            call(
                labels,
                tmp_path / "pred_probs.npy",
                filter_by="auto",
                progress=progress,
                **options,
            )
        if "out" not in options:
            with refused(OptionError, *words):
                call(labels, pred_probs, filter_by="auto", **options)
    assert not read
    if "out" not in options:

        def reduce(state: Any) -> Any:
            raise AssertionError("rows are read")

        for find in (passes.find_rule, passes.analyze):
            with refused(OptionError, *words):
                find(reduce, 3, filter_by="auto", **options)


def test_the_cut_is_told(tmp_path: Path) -> None:
    labels, pred_probs = noisy(0.2)
    np.save(tmp_path / "pred_probs.npy", pred_probs)

    def reduce(state: Any) -> Any:
        return passes.feed(state, labels, pred_probs)

    for options, cut in (
        ({"filter_by": "auto"}, 0.5),
        ({"filter_by": "noise_floor"}, 0.5),
        ({"filter_by": "noise_floor", "cut": 0.25}, 0.25),
        ({}, None),
    ):
        for matrix in (pred_probs, tmp_path / "pred_probs.npy"):
            found = conflearn.analyze(labels, matrix, **options)
            assert found.cut == cut
            told = f"flagged by {found.filter_by}" + ("" if cut is None else f", cut {cut}") + ":"
            assert told in repr(found)
        findings = passes.analyze(reduce, 5, **options)
        assert findings.cut == findings.rule.cut == cut
        assert (f"cut={cut}" in repr(findings)) == (cut is not None)


def test_what_makes_no_sense_is_refused() -> None:
    labels, pred_probs = random_data(50, 3)
    with refused(OptionError, "'Auto'", "did you mean 'auto'"):
        conflearn.find_label_issues(labels, pred_probs, filter_by="Auto")
    for filter_by in ("noise_floor", "relative_confidence"):
        with refused(OptionError, filter_by, "low_normalized_margin and low_self_confidence"):
            conflearn.find_label_issues(labels, pred_probs, filter_by=filter_by, kind="scores")
    with refused(OptionError, "filter_by", "'auto'"):
        Cuts.plan(JointState([0.5, 0.5, 0.5]), filter_by="auto")  # type: ignore[arg-type]
    with refused(OptionError, "auto", "cut"):
        conflearn.find_label_issues(labels, pred_probs, filter_by="auto", cut=0.4)
    with refused(OptionError, "recommend", "scores"):
        conflearn.recommend(labels, pred_probs, kind="scores")
    with refused(OptionError, "auto", "scores"):
        conflearn.find_label_issues(labels, pred_probs, filter_by="auto", kind="scores")
