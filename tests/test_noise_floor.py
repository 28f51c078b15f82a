"""The noise floor against its definition, whichever way rows are stored and dealt out."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy import sparse

import conflearn
import reference
from conflearn import judges, passes
from conflearn.errors import InputError, OptionError, ProbabilityError, StateError
from conflearn.states import JointState, Judge, ThresholdState, look
from conflearn.topk import TopK
from strategies import random_data

HOW = {"method": "noise_floor"}


def some_data(n_classes: int, width: Any = np.float64, *, n: int = 400, seed: int = 0) -> Any:
    """Labels, and a matrix with zeros, in which the last class is given to nobody."""
    labels, pred_probs = random_data(n, n_classes, seed=seed)
    rng = np.random.default_rng(seed)
    pred_probs = np.where(rng.random(pred_probs.shape) < 0.1, 0, pred_probs).astype(width)
    if n_classes > 2:
        labels = np.where(labels == n_classes - 1, 0, labels)
    return labels, pred_probs


@pytest.mark.parametrize("n_classes", [2, 3, 16, 17, 128, 129, 300])
def test_scores_are_as_defined(width: np.dtype, n_classes: int) -> None:
    labels, pred_probs = some_data(n_classes, width)
    calibration = conflearn.fit_calibration(labels, pred_probs)
    own = pred_probs[np.arange(len(labels)), labels].astype(np.float32).astype(float)
    least = 0.1 * min(own[own > 0].min(), 1 / n_classes)
    expected = reference.noise_floor(
        labels, pred_probs.astype(float), **calibration.options, least_given=least
    )
    tolerance = 1e-9 if width == np.float64 else 2e-5
    found = conflearn.label_quality_scores(labels, pred_probs, **HOW)
    np.testing.assert_allclose(found, expected.scores, atol=tolerance)
    analysis = conflearn.analyze(labels, pred_probs, filter_by="noise_floor")
    np.testing.assert_array_equal(analysis.scores["noise_floor"], found)
    sure = np.abs(expected.scores - 0.5) > tolerance
    np.testing.assert_array_equal(analysis.mask[sure], expected.scores[sure] < 0.5)
    # Where two classes are as likely, rounding decides.
    suggested = np.where(analysis.mask & (expected.others >= 0), expected.others, labels)
    agrees = analysis.suggested_labels == suggested
    assert agrees.mean() > 0.99


@pytest.mark.parametrize("n_classes", [3, 17, 300])
def test_the_answer_is_the_same_however_rows_are_stored(tmp_path: Path, n_classes: int) -> None:
    labels, pred_probs = some_data(n_classes, np.float32)
    expected = conflearn.label_quality_scores(labels, pred_probs, **HOW)
    np.save(tmp_path / "pred_probs.npy", pred_probs)
    parts = [slice(i, i + 37) for i in range(0, len(labels), 37)]
    batches = [(labels[part], pred_probs[part]) for part in parts]
    order = np.argsort(pred_probs, axis=1, kind="stable")[:, ::-1]
    stored = TopK(order, np.take_along_axis(pred_probs, order, 1), n_classes=n_classes)
    for found in (
        conflearn.label_quality_scores(labels, np.asfortranarray(pred_probs), **HOW),
        conflearn.label_quality_scores(labels, pred_probs, n_threads=1, **HOW),
        conflearn.label_quality_scores(labels, sparse.csr_array(pred_probs), **HOW),
        conflearn.label_quality_scores(labels, stored, **HOW),
        conflearn.label_quality_scores(labels, tmp_path / "pred_probs.npy", **HOW),
        conflearn.label_quality_scores(None, lambda: iter(batches), **HOW),
        conflearn.analyze(labels, pred_probs, rank_by="noise_floor").scores["noise_floor"],
    ):
        np.testing.assert_array_equal(found, expected)
    mask = conflearn.find_label_issues(labels, pred_probs, filter_by="noise_floor", cut=0.3)
    np.testing.assert_array_equal(mask, expected < 0.3)
    for matrix in (sparse.csr_array(pred_probs), tmp_path / "pred_probs.npy"):
        np.testing.assert_array_equal(
            conflearn.find_label_issues(labels, matrix, filter_by="noise_floor", cut=0.3), mask
        )


def test_a_judge_is_fitted_in_parts_and_sent_as_bytes() -> None:
    labels, pred_probs = some_data(9, n=1000)
    parts = [slice(0, 1), slice(1, 400), slice(400, 400), slice(400, 1000)]

    def reduce(empty: Any) -> Any:
        states = []
        for part in reversed(parts):
            state = type(empty).from_bytes(empty.to_bytes())
            passes.feed(state, labels[part], pred_probs[part], rows=part.start)
            states.append(type(empty).from_bytes(state.to_bytes()))
        for state in states:
            empty.merge(state)
        return empty

    judge = judges.fit(reduce, 9, "noise_floor")
    assert judge.rule == "noise_floor"
    again = Judge.from_bytes(judge.to_bytes())
    assert again == judge
    seen = look(labels[7:300], pred_probs[7:300], None, judges=[again])
    np.testing.assert_array_equal(
        seen.scores("noise_floor"), conflearn.label_quality_scores(labels, pred_probs, **HOW)[7:300]
    )
    rule = passes.find_rule(reduce, 9, filter_by="noise_floor", cut=0.4)
    np.testing.assert_array_equal(
        rule.apply(labels[5:90], pred_probs[5:90]).is_issue,
        conflearn.find_label_issues(labels, pred_probs, filter_by="noise_floor", cut=0.4)[5:90],
    )


def test_bytes_of_a_stranger_are_refused() -> None:
    labels, pred_probs = some_data(3)
    thresholds = ThresholdState(3)
    thresholds.update(labels, pred_probs)
    joint = JointState(thresholds.finish())
    joint.update(labels, pred_probs)
    data = Judge.noise_floor(joint, 2.0, np.zeros(3), 1e-7).to_bytes()
    for place in range(len(data)):
        changed = bytearray(data)
        changed[place] ^= 1
        with pytest.raises(StateError):
            Judge.from_bytes(bytes(changed))


def test_logits_are_judged_by_their_probabilities() -> None:
    labels, pred_probs = random_data(500, 6, seed=1)
    logits = np.log(pred_probs) + 2
    np.testing.assert_allclose(
        conflearn.label_quality_scores(labels, logits, kind="logits", **HOW),
        conflearn.label_quality_scores(labels, pred_probs, **HOW),
        atol=1e-6,
    )
    # However the probabilities are calibrated before: the judge does it itself.
    np.testing.assert_allclose(
        conflearn.label_quality_scores(labels, pred_probs, method="noise_floor"),
        conflearn.label_quality_scores(labels, logits, kind="logits", temperature=1.0, **HOW),
        atol=1e-6,
    )


@pytest.mark.parametrize(
    ("labels", "pred_probs"),
    [
        ([0], [[0.5, 0.5]]),
        ([1], [[1.0, 0.0]]),
        ([0, 0, 0], [[0.9, 0.1], [0.2, 0.8], [0.0, 0.0]]),
        ([0, 1], [[0.0, 0.0], [0.0, 0.0]]),
        ([0, 1, 1], [[1.0, 0.0], [0.0, 1.0], [0.0, 1.0]]),
    ],
)
def test_few_rows_and_rows_of_zeros_have_scores(labels: Any, pred_probs: Any) -> None:
    scores = conflearn.label_quality_scores(labels, pred_probs, **HOW)
    assert ((scores >= 0) & (scores <= 1)).all()
    conflearn.find_label_issues(labels, pred_probs, filter_by="noise_floor")


@pytest.mark.parametrize("value", [np.nan, -0.1, 1.1])
def test_what_is_no_probability_is_named(value: float) -> None:
    labels, pred_probs = some_data(20)
    pred_probs[17, 13] = value
    for matrix in (pred_probs, sparse.csr_array(pred_probs)):
        with pytest.raises(ProbabilityError, match=r"17, 13"):
            conflearn.label_quality_scores(labels, matrix, **HOW)


def test_what_makes_no_sense_is_refused() -> None:
    labels, pred_probs = some_data(3)
    with pytest.raises(OptionError, match="noise_floor"):
        conflearn.label_quality_scores(labels, pred_probs, kind="scores", **HOW)
    with pytest.raises(OptionError, match="cut"):
        conflearn.find_label_issues(labels, pred_probs, cut=0.5)
    with pytest.raises(InputError, match="cut"):
        conflearn.find_label_issues(labels, pred_probs, filter_by="noise_floor", cut=1.5)


def test_it_finds_more_than_the_default_where_people_err() -> None:
    # Labels of a class are mistaken for its neighbour where the model doubts, too.
    rng = np.random.default_rng(0)
    n, k = 6000, 5
    true = rng.integers(0, k, n)
    features = rng.normal(size=(n, k)) + 2.2 * np.eye(k)[true]
    pred_probs = np.exp(2 * features)
    pred_probs /= pred_probs.sum(axis=1, keepdims=True)
    doubt = 1 - pred_probs[np.arange(n), true]
    labels = np.where(rng.random(n) < 0.3 * doubt + 0.05, (true + 1) % k, true)
    is_wrong = labels != true

    def f1(mask: np.ndarray) -> float:
        return 2 * (mask & is_wrong).sum() / (mask.sum() + is_wrong.sum())

    default = f1(conflearn.find_label_issues(labels, pred_probs))
    assert f1(conflearn.find_label_issues(labels, pred_probs, filter_by="noise_floor")) > default
