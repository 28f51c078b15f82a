"""Weights for training on noisy labels."""

import re
from typing import Any

import numpy as np
import pytest
from hypothesis import given

import conflearn
import reference
from conflearn.errors import LabelError, OptionError, ProbabilityError, ShapeError
from strategies import Data, datasets, random_data

MODES = ("hard", "soft", "importance")

every_mode = pytest.mark.parametrize("mode", MODES)


@every_mode
@given(data=datasets())
def test_the_weights_are_the_oracles(data: Data, mode: Any) -> None:
    analysis = conflearn.analyze(*data)
    noise = analysis.noise_model.noise_matrix
    weights = conflearn.sample_weights(*data, mode=mode)
    assert weights.dtype == np.float64
    expected = reference.sample_weights(*data, noise, analysis.mask, mode=mode)
    # A cell may be so small that rounding in the sum above it shows.
    rtol, atol = 1e-9, 1e-6
    np.testing.assert_allclose(weights, expected, rtol, 0 if mode == "hard" else atol)


@every_mode
@given(data=datasets())
def test_the_weights_stay_in_their_range(data: Data, mode: Any) -> None:
    weights = conflearn.sample_weights(*data, mode=mode)
    assert weights.max() <= (1 if mode == "soft" else 1000)
    if mode == "hard":
        assert ((weights == 0) | (weights >= 1)).all()
    else:
        assert weights.min() >= 1e-3


@every_mode
def test_a_noise_model_of_ones_own(mode: Any) -> None:
    data = random_data(300, 4)
    joint = conflearn.confident_joint(*data)
    model = conflearn.estimate_noise_model(joint, data.labels, converge=True)
    mask = conflearn.find_label_issues(*data)
    weights = conflearn.sample_weights(*data, mode=mode, noise_model=model)
    expected = reference.sample_weights(*data, model.noise_matrix, mask, mode=mode)
    np.testing.assert_allclose(weights, expected, rtol=1e-9)


def test_a_noise_model_is_enough_for_weights_by_class() -> None:
    labels, pred_probs = random_data(300, 4)
    model = conflearn.analyze(labels, pred_probs).noise_model
    expected = 1 / model.noise_matrix.diagonal()[labels]
    np.testing.assert_array_equal(conflearn.sample_weights(labels, model), expected)
    by_name = conflearn.sample_weights(labels, noise_model=model)
    np.testing.assert_array_equal(by_name, expected)
    names = np.array(["a", "b", "c", "d"])
    by_names = conflearn.sample_weights(names[labels], model, classes=names.tolist())
    np.testing.assert_array_equal(by_names, expected)


def test_a_mask_says_whom_to_prune() -> None:
    data = random_data(300, 4)
    mask = conflearn.find_label_issues(*data, filter_by="both", frac_noise=0.5)
    weights = conflearn.sample_weights(*data, mask=mask)
    np.testing.assert_array_equal(weights == 0, mask)
    model = conflearn.analyze(*data).noise_model
    np.testing.assert_array_equal(conflearn.sample_weights(data.labels, model, mask=mask), weights)


def test_soft_weights_tell_right_labels_from_wrong_ones() -> None:
    rng = np.random.default_rng(0)
    true = rng.integers(3, size=3_000)
    noise = np.array([[0.7, 0.1, 0.0], [0.3, 0.9, 0.2], [0.0, 0.0, 0.8]])
    labels = np.array([rng.choice(3, p=noise[:, k]) for k in true])
    # A model that knows the true class, and so says how likely each label is to be given it.
    pred_probs = noise[:, true].T
    model = conflearn.NoiseModel(np.full(3, 1 / 3), noise, noise.T)
    weights = conflearn.sample_weights(labels, pred_probs, mode="soft", noise_model=model)
    np.testing.assert_allclose(weights, np.where(labels == true, 1, 1e-3), atol=1e-9)
    importance = conflearn.sample_weights(labels, pred_probs, mode="importance", noise_model=model)
    # Right ones stand for wrong ones too: each true class weighs as much as it has examples.
    totals = np.bincount(true, importance)
    np.testing.assert_allclose(totals / np.bincount(true), 1, rtol=0.05)


def test_importance_of_two_classes_is_the_formula_of_liu_and_tao() -> None:
    labels, pred_probs = random_data(500, 2, noise=0.2)
    to_1, to_0 = 0.1, 0.25  # P(given 1 | true 0), P(given 0 | true 1)
    noise = np.array([[1 - to_1, to_0], [to_1, 1 - to_0]])
    model = conflearn.NoiseModel(np.full(2, 0.5), noise, noise.T)
    weights = conflearn.sample_weights(labels, pred_probs, mode="importance", noise_model=model)
    own = pred_probs[np.arange(500), labels]
    into_own = np.where(labels == 1, to_1, to_0)
    expected = (own - into_own) / ((1 - to_0 - to_1) * own)
    stands_for = 1 / noise.diagonal()[labels]
    expected = np.clip(expected, 1e-3 * stands_for, stands_for)
    np.testing.assert_allclose(weights, expected)


@every_mode
def test_weights_on_real_data(real_data: Data, mode: Any) -> None:
    analysis = conflearn.analyze(*real_data)
    noise, mask = analysis.noise_model.noise_matrix, analysis.mask
    weights = conflearn.sample_weights(*real_data, mode=mode)
    some = np.linspace(0, len(weights) - 1, 200).astype(int)
    expected = reference.sample_weights(
        real_data.labels[some],
        real_data.pred_probs[some].astype(np.float64),
        noise,
        mask[some],
        mode=mode,
    )
    np.testing.assert_allclose(weights[some], expected, rtol=1e-6, atol=1e-6)
    if mode != "importance":  # for which classes of rare labels count much
        assert weights[mask].mean() < 0.6 * weights[~mask].mean()


@every_mode
def test_any_width_and_memory_order(width: np.dtype, mode: Any) -> None:
    labels, pred_probs = random_data(200, 5)
    narrow = pred_probs.astype(width)
    expected = conflearn.sample_weights(labels, narrow.astype(np.float64), mode=mode)
    for layout in (narrow, np.asfortranarray(narrow), narrow[::-1][::-1]):
        layout.flags.writeable = False
        weights = conflearn.sample_weights(labels, layout, mode=mode, n_threads=2)
        np.testing.assert_array_equal(weights, expected)


@every_mode
def test_logits_are_as_good_as_their_probabilities(mode: Any, width: np.dtype) -> None:
    labels, pred_probs = random_data(200, 5)
    logits = (3 * np.log(pred_probs)).astype(width)
    wide = logits.astype(np.float64)
    exponentials = np.exp(wide / 3 - (wide / 3).max(axis=1, keepdims=True))
    expected = conflearn.sample_weights(
        labels, exponentials / exponentials.sum(axis=1, keepdims=True), mode=mode
    )
    weights = conflearn.sample_weights(labels, logits, mode=mode, kind="logits", temperature=3.0)
    np.testing.assert_allclose(weights, expected, rtol=1e-4)


def test_scores_do_for_hard_weights() -> None:
    labels, pred_probs = random_data(200, 5)
    scores = 7 * pred_probs - 2
    mask = conflearn.find_label_issues(labels, scores, kind="scores")
    weights = conflearn.sample_weights(labels, scores, kind="scores")
    np.testing.assert_array_equal(weights == 0, mask)
    for mode in ("soft", "importance"):
        with pytest.raises(OptionError, match="which scores are not"):
            conflearn.sample_weights(labels, scores, kind="scores", mode=mode)


def test_blocks_do_not_show(monkeypatch: pytest.MonkeyPatch) -> None:
    data = random_data(500, 4)
    expected = conflearn.sample_weights(*data, mode="soft")
    monkeypatch.setattr("conflearn.weights._CELLS_PER_BLOCK", 37)
    np.testing.assert_array_equal(conflearn.sample_weights(*data, mode="soft"), expected)


def test_a_class_without_noise_rate_is_not_infinite() -> None:
    model = conflearn.NoiseModel(np.array([1.0, 0.0]), np.array([[1.0, 1.0], [0, 0]]), np.eye(2))
    weights = conflearn.sample_weights([0, 1], [[0.5, 0.5], [0.5, 0.5]], noise_model=model)
    np.testing.assert_array_equal(weights, [1, 1000])
    soft = conflearn.sample_weights(
        [0, 1], [[0.5, 0.5], [0.5, 0.5]], noise_model=model, mode="soft"
    )
    assert np.isfinite(soft).all()


# --- Refusals


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ({"mode": "sfot"}, OptionError, "did you mean 'soft'"),
        ({"mode": "soft", "mask": [True, False]}, OptionError, "does not use mask"),
        ({"mode": "soft", "pred_probs": None}, OptionError, "needs pred_probs"),
        ({"pred_probs": None}, OptionError, "both are missing"),
        ({"noise_model": np.eye(2)}, OptionError, "must be a NoiseModel"),
        (
            {"noise_model": conflearn.NoiseModel(np.ones(3), np.eye(3), np.eye(3))},
            ShapeError,
            "noise_model.noise_matrix must have a row",
        ),
        ({"mask": [True]}, ShapeError, "mask must have one entry"),
        ({"labels": [0, 2]}, LabelError, "labels[1] is 2"),
        ({"labels": [0, 1, 0]}, ShapeError, "labels has 3 entries"),
        ({"labels": []}, ShapeError, "labels"),
    ],
)
def test_what_is_refused(arguments: Any, error: type[Exception], message: str) -> None:
    good = {"labels": [0, 1], "pred_probs": [[0.8, 0.2], [0.3, 0.7]]}
    with pytest.raises(error, match=re.escape(message)):
        conflearn.sample_weights(**(good | arguments))


def test_a_noise_model_given_twice_is_refused() -> None:
    model = conflearn.NoiseModel(np.full(2, 0.5), np.eye(2), np.eye(2))
    with pytest.raises(OptionError, match="given twice"):
        conflearn.sample_weights([0, 1], model, noise_model=model)
    with pytest.raises(LabelError, match=re.escape("labels[1] is 2")):
        conflearn.sample_weights([0, 2], model)


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("with_model", [True, False])
def test_bad_cells_are_found_in_any_mode(mode: Any, with_model: bool) -> None:
    labels, pred_probs = random_data(40, 3)
    model = conflearn.analyze(labels, pred_probs).noise_model if with_model else None
    for bad in (np.nan, 1.5, -0.5):
        pred_probs[7, (labels[7] + 1) % 3] = bad
        with pytest.raises(ProbabilityError, match=r"pred_probs\[7, "):
            conflearn.sample_weights(labels, pred_probs, mode=mode, noise_model=model)
