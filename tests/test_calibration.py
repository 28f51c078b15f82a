"""Calibrated on the way: the same as if the calibrated matrix were handed over."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy import sparse
from scipy.optimize import minimize

import conflearn
from conflearn.errors import (
    InputError,
    InputTypeError,
    OptionError,
    ProbabilityError,
    ShapeError,
    StateError,
)
from conflearn.states import SampleState, ThresholdState
from expected import refused
from strategies import FILTERS, random_data


def calibrated(pred_probs: Any, temperature: float, class_bias: Any) -> np.ndarray:
    """P^(1/T) exp(b), normalised, in plain numpy."""
    powers = np.asarray(pred_probs, np.float64) ** (1 / temperature) * np.exp(class_bias)
    sums = powers.sum(axis=1, keepdims=True)
    return powers / np.where(sums > 0, sums, 1)


def some_data(n_classes: int, width: Any = np.float64, seed: int = 0) -> tuple[Any, ...]:
    """Labels, a matrix with zeros, biases."""
    labels, pred_probs = random_data(300, n_classes, seed=seed)
    rng = np.random.default_rng(seed)
    pred_probs = np.where(rng.random(pred_probs.shape) < 0.1, 0, pred_probs).astype(width)
    return labels, pred_probs, rng.normal(size=n_classes)


@pytest.mark.parametrize("n_classes", [2, 3, 16, 17, 128, 129, 300])
@pytest.mark.parametrize("temperature", [0.3, 1.0, 4.0])
def test_cells_are_as_defined(width: np.dtype, n_classes: int, temperature: float) -> None:
    labels, pred_probs, biases = some_data(n_classes, width)
    how = {"temperature": temperature, "class_bias": biases}
    expected = calibrated(pred_probs, temperature, biases)[np.arange(len(labels)), labels]
    found = conflearn.label_quality_scores(labels, pred_probs, **how)
    np.testing.assert_allclose(found, expected, atol=1e-12 if width == np.float64 else 5e-6)


def test_every_answer_is_that_of_the_calibrated_matrix() -> None:
    labels, pred_probs, biases = some_data(7)
    how = {"temperature": 1.7, "class_bias": biases}
    matrix = calibrated(pred_probs, 1.7, biases)
    for filter_by in FILTERS:
        np.testing.assert_array_equal(
            conflearn.find_label_issues(labels, pred_probs, filter_by=filter_by, **how),
            conflearn.find_label_issues(labels, matrix, filter_by=filter_by),
            err_msg=filter_by,
        )
    for method in ("normalized_margin", "confidence_weighted_entropy"):
        np.testing.assert_allclose(
            conflearn.label_quality_scores(labels, pred_probs, method=method, **how),
            conflearn.label_quality_scores(labels, matrix, method=method),
            atol=1e-12,
        )
    np.testing.assert_array_equal(
        conflearn.confident_joint(labels, pred_probs, **how),
        conflearn.confident_joint(labels, matrix),
    )
    there, here = (
        conflearn.analyze(labels, pred_probs, **how),
        conflearn.analyze(labels, matrix),
    )
    np.testing.assert_array_equal(there.ranked, here.ranked)
    for mode in ("soft", "importance"):
        np.testing.assert_allclose(
            conflearn.sample_weights(labels, pred_probs, mode=mode, **how),
            conflearn.sample_weights(labels, matrix, mode=mode),
            rtol=1e-6,
        )


@pytest.mark.parametrize("n_classes", [3, 200])
def test_logits_with_biases_are_their_softmax_with_biases(n_classes: int) -> None:
    labels, pred_probs, biases = some_data(n_classes)
    with np.errstate(divide="ignore"):
        logits = np.log(pred_probs) + 3.0
    how = {"temperature": 0.8, "class_bias": biases}
    np.testing.assert_allclose(
        conflearn.label_quality_scores(labels, logits, kind="logits", **how),
        conflearn.label_quality_scores(labels, pred_probs, **how),
        atol=1e-12,
    )


@pytest.mark.parametrize("n_classes", [3, 17, 300])
def test_zeros_that_are_not_stored_change_nothing(n_classes: int) -> None:
    for width in (np.float32, np.float64):
        labels, pred_probs, biases = some_data(n_classes, width)
        how = {"temperature": 1.3, "class_bias": biases}
        dense = conflearn.analyze(labels, pred_probs, **how)
        stored = conflearn.analyze(labels, sparse.csr_array(pred_probs), **how)
        np.testing.assert_array_equal(stored.thresholds, dense.thresholds)
        np.testing.assert_array_equal(stored.ranked, dense.ranked)
        for name, scores in dense.scores.items():
            np.testing.assert_array_equal(stored.scores[name], scores, err_msg=name)


def test_layouts_threads_and_blocks_do_not_show(tmp_path: Path) -> None:
    labels, pred_probs, biases = some_data(40, np.float32)
    how = {"temperature": 1.3, "class_bias": biases}
    expected = conflearn.analyze(labels, pred_probs, **how)
    np.save(tmp_path / "pred_probs.npy", pred_probs)
    mapped = np.load(tmp_path / "pred_probs.npy", mmap_mode="r")
    batches = [(labels[i : i + 7], pred_probs[i : i + 7]) for i in range(0, len(labels), 7)]
    for found in (
        conflearn.analyze(labels, np.asfortranarray(pred_probs), **how),
        conflearn.analyze(labels, pred_probs, n_threads=1, **how),
        conflearn.analyze(labels, mapped, **how),
        conflearn.analyze(labels, tmp_path / "pred_probs.npy", **how),
        conflearn.analyze(None, lambda: iter(batches), **how),
    ):
        np.testing.assert_array_equal(found.ranked, expected.ranked)
        np.testing.assert_array_equal(found.thresholds, expected.thresholds)
        for name, scores in expected.scores.items():
            np.testing.assert_array_equal(found.scores[name], scores, err_msg=name)


def test_several_matrices_are_calibrated_each_by_itself() -> None:
    labels, first, biases = some_data(5)
    second = some_data(5, seed=1)[1]
    how = {"temperature": 2.0, "class_bias": biases}
    mean = (calibrated(first, 2.0, biases) + calibrated(second, 2.0, biases)) / 2
    np.testing.assert_allclose(
        conflearn.analyze(labels, [first, second], **how).scores["self_confidence"],
        conflearn.analyze(labels, mean).scores["self_confidence"],
        atol=1e-12,
    )


def test_a_row_of_zeros_stays_one() -> None:
    how = {"temperature": 2.0, "class_bias": [1.0, -1.0]}
    pred_probs = np.array([[0.0, 0.0], [0.5, 0.5]])
    scores = conflearn.label_quality_scores([0, 0], pred_probs, **how)
    np.testing.assert_allclose(scores, [0, np.exp(1) / (np.exp(1) + np.exp(-1))])


@pytest.mark.parametrize("value", [np.nan, -0.1, 1.1, np.inf])
def test_what_is_no_probability_is_named(value: float) -> None:
    labels, pred_probs, biases = some_data(20)
    pred_probs[17, 13] = value
    for matrix in (pred_probs, sparse.csr_array(pred_probs)):
        with pytest.raises(ProbabilityError, match=r"17, 13"):
            conflearn.find_label_issues(labels, matrix, class_bias=biases)


def test_options_that_make_no_sense_are_refused() -> None:
    labels, pred_probs, biases = some_data(3)
    for class_bias, error, words in (
        (biases[:2], ShapeError, "class_bias"),
        ([[0.0, 1.0, 2.0]], ShapeError, "one dimension"),
        ([0.0, np.nan, 0.0], InputError, r"class_bias\[1\]"),
        ([0.0, 31.0, 0.0], InputError, r"class_bias\[1\]"),
    ):
        with pytest.raises(error, match=words):
            conflearn.find_label_issues(labels, pred_probs, class_bias=class_bias)
    with pytest.raises(OptionError, match="class_bias"):
        conflearn.find_label_issues(labels, pred_probs, kind="scores", class_bias=biases)
    with pytest.raises(OptionError, match="scores"):
        conflearn.fit_calibration(labels, pred_probs, kind="scores")


def test_states_know_how_rows_are_calibrated() -> None:
    labels, pred_probs, biases = some_data(3)
    state = ThresholdState(3, temperature=2.0, class_bias=biases)
    state.update(labels, pred_probs)
    again = ThresholdState.from_bytes(state.to_bytes())
    assert again == state
    np.testing.assert_array_equal(again.class_bias, biases)
    with pytest.raises(conflearn.errors.StateError, match="bias"):
        state.merge(ThresholdState(3, temperature=2.0))


# --- Fitting -----------------------------------------------------------------------------------


def smallest_loss(labels: np.ndarray, pred_probs: np.ndarray) -> Any:
    """What a general optimiser finds."""
    n, k = pred_probs.shape
    rows = np.arange(n)
    pred_probs = pred_probs.astype(np.float64)
    own = pred_probs[rows, labels]
    pred_probs[pred_probs == 0] = 0.1 * min(own[own > 0].min(), 1 / k)
    pred_probs[rows, labels] = np.maximum(pred_probs[rows, labels], 1e-7)
    logs = np.log(pred_probs)

    def loss(point: np.ndarray) -> tuple[float, np.ndarray]:
        exponents = point[0] * logs + point[1:]
        largest = exponents.max(axis=1, keepdims=True)
        powers = np.exp(exponents - largest)
        sums = powers.sum(axis=1, keepdims=True)
        slopes = powers / sums
        slopes[rows, labels] -= 1
        value = (np.log(sums) + largest)[:, 0] - exponents[rows, labels]
        gradient = np.r_[(slopes * logs).sum() / n, slopes.mean(axis=0) + 0.003 * point[1:]]
        return value.mean() + 0.0015 * (point[1:] ** 2).sum(), gradient

    return minimize(loss, np.r_[1.0, np.zeros(k)], jac=True, method="BFGS", options={"gtol": 1e-9})


@pytest.mark.parametrize("n_classes", [2, 3, 10, 60])
@pytest.mark.parametrize("sharpness", [0.4, 1.0, 3.0])
def test_the_fit_is_the_minimum(n_classes: int, sharpness: float) -> None:
    labels, pred_probs = random_data(2000, n_classes, seed=n_classes)
    pred_probs = calibrated(pred_probs, 1 / sharpness, np.linspace(-1, 1, n_classes))
    pred_probs[np.random.default_rng(0).random(pred_probs.shape) < 0.02] = 0
    narrow = pred_probs.astype(np.float32)
    found = conflearn.fit_calibration(labels, narrow)
    best = smallest_loss(labels, narrow).x
    np.testing.assert_allclose(1 / found.temperature, best[0], rtol=1e-4)
    np.testing.assert_allclose(found.class_bias, best[1:], atol=1e-4)
    assert found.n_rows == len(labels)
    assert found.after.log_loss <= found.before.log_loss


def test_what_a_model_never_says_is_not_held_against_it_alone() -> None:
    """Of five neighbours none may be of the given class: its 0 is that of other classes, too."""
    rng = np.random.default_rng(0)
    true = rng.integers(0, 8, 3000)
    labels = np.where(rng.random(3000) < 0.2, rng.integers(0, 8, 3000), true)
    neighbours = np.where(rng.random((3000, 5)) < 0.8, true[:, None], rng.integers(0, 8, (3000, 5)))
    pred_probs = (neighbours[:, :, None] == np.arange(8)).mean(axis=1)
    found = conflearn.fit_calibration(labels, pred_probs)
    assert 0.5 < found.temperature < 5
    assert found.after.accuracy == pytest.approx(found.before.accuracy, abs=0.02)
    agrees = found.apply(pred_probs).argmax(axis=1) == labels
    assert found.after.accuracy == pytest.approx(agrees.mean(), abs=0.02)
    flagged = conflearn.find_label_issues(labels, pred_probs, filter_by="noise_floor")
    wrong = labels != true
    assert (flagged & wrong).sum() > 0.8 * max(flagged.sum(), wrong.sum())


def test_rows_of_zeros_tell_nothing() -> None:
    labels, pred_probs = random_data(600, 4, seed=5)
    expected = conflearn.fit_calibration(labels[::2], pred_probs[::2])
    pred_probs[1::2] = 0
    found = conflearn.fit_calibration(labels, pred_probs)
    assert found.n_rows == 300
    assert found.temperature == pytest.approx(expected.temperature)
    assert found.after.accuracy == pytest.approx(expected.after.accuracy)
    nothing = conflearn.fit_calibration(labels, 0 * pred_probs)
    assert nothing.n_rows == 0
    assert nothing.temperature == 1
    assert np.isnan(nothing.after.log_loss)
    assert "0 rows" in repr(nothing)


def test_the_fit_does_not_hang_on_how_rows_are_dealt_out(tmp_path: Path) -> None:
    labels, pred_probs = random_data(8000, 300, seed=1)
    pred_probs = np.where(pred_probs < 1e-3, 0, pred_probs).astype(np.float32)
    expected = conflearn.fit_calibration(labels, pred_probs)
    assert expected.n_rows == 6666
    np.save(tmp_path / "pred_probs.npy", pred_probs)
    batches = [(labels[i : i + 501], pred_probs[i : i + 501]) for i in range(0, 8000, 501)]
    for found in (
        conflearn.fit_calibration(labels, pred_probs, n_threads=1),
        conflearn.fit_calibration(labels, sparse.csr_array(pred_probs)),
        conflearn.fit_calibration(labels, tmp_path / "pred_probs.npy"),
        conflearn.fit_calibration(None, lambda: iter(batches)),
    ):
        assert found.temperature == expected.temperature
        np.testing.assert_array_equal(found.class_bias, expected.class_bias)
        assert found.after.log_loss == expected.after.log_loss


def test_samples_merge_in_any_order() -> None:
    labels, pred_probs = random_data(900, 5, seed=2)
    parts = [slice(0, 100), slice(100, 101), slice(101, 700), slice(700, 900)]
    whole = SampleState(5, size=200)
    whole.update(labels, pred_probs, rows=0)
    merged = SampleState(5, size=200)
    for part in reversed(parts):
        state = SampleState(5, size=200)
        numbers = np.arange(900)[part]
        state.update(labels[part][::-1], pred_probs[part][::-1], rows=numbers[::-1])
        merged.merge(SampleState.from_bytes(state.to_bytes()))
    assert merged == whole
    assert merged.n_examples == 900
    assert merged.fit().sample.n_rows == 200
    with refused(StateError, "same number", "rows="):
        merged.update(labels, pred_probs, rows=0)
    with refused(StateError, "same number", "rows="):
        SampleState(5).update(labels[:2], pred_probs[:2], rows=np.array([7, 7]))


def test_what_is_too_sure_is_made_less_so() -> None:
    labels, pred_probs = random_data(4000, 4, seed=3)
    found = conflearn.fit_calibration(labels, calibrated(pred_probs, 0.2, 0.0))
    assert found.temperature > 2
    assert found.after.calibration_error < found.before.calibration_error / 2
    assert "log loss" in repr(found)
    np.testing.assert_allclose(found.apply(pred_probs[:5]).sum(axis=1), 1)


def test_logits_are_fitted_as_their_probabilities_are() -> None:
    labels, pred_probs = random_data(1000, 4, seed=4)
    found = conflearn.fit_calibration(labels, np.log(pred_probs) + 5, kind="logits")
    expected = conflearn.fit_calibration(labels, pred_probs)
    np.testing.assert_allclose(found.temperature, expected.temperature, rtol=1e-5)
    how = {"kind": "logits", **found.options}
    np.testing.assert_allclose(
        conflearn.label_quality_scores(labels, np.log(pred_probs) + 5, **how),
        found.apply(np.log(pred_probs) + 5)[np.arange(1000), labels],
        atol=1e-12,
    )


def test_one_column_of_logits_is_fitted_and_applied() -> None:
    rng = np.random.default_rng(0)
    labels = rng.integers(0, 2, 400)
    logits = rng.normal(size=400) + labels
    found = conflearn.fit_calibration(labels, logits, kind="logits")
    both = np.column_stack([np.zeros(400), logits])
    for one in (logits, logits[:, None], both):
        np.testing.assert_array_equal(found.apply(one), found.apply(both))
    np.testing.assert_allclose(found.apply(logits).sum(axis=1), 1)


def test_what_is_applied_to_is_read_as_everywhere(width: np.dtype) -> None:
    labels, pred_probs = random_data(300, 4, seed=5)
    found = conflearn.fit_calibration(labels, pred_probs)
    narrow = pred_probs.astype(width)
    expected = calibrated(narrow, found.temperature, found.class_bias)
    for one in (narrow, np.asfortranarray(narrow), narrow.tolist()):
        np.testing.assert_allclose(found.apply(one), expected, atol=1e-12)
    pred_probs[7, 2] = -5e-7  # a rounding below 0 is 0
    assert found.apply(pred_probs)[7, 2] == 0


def test_what_cannot_be_calibrated_is_named(tmp_path: Path) -> None:
    labels, pred_probs = random_data(50, 4, seed=6)
    found = conflearn.fit_calibration(labels, pred_probs)
    for value in (np.nan, -0.1, 1.1):
        spoilt = pred_probs.copy()
        spoilt[17, 3] = value
        with pytest.raises(ProbabilityError, match=r"pred_probs\[17, 3\]"):
            found.apply(spoilt)
    for matrix, error, words in (
        (np.log(pred_probs), ProbabilityError, "fitted to probabilities"),
        (pred_probs[:, :3], ShapeError, "4 classes"),
        (pred_probs[:, 0], ShapeError, "two dimensions"),
        (sparse.csr_array(pred_probs), InputTypeError, "temperature= and class_bias="),
        (str(tmp_path / "pred_probs.npy"), InputTypeError, "str"),
    ):
        with pytest.raises(error, match=words):
            found.apply(matrix)


@pytest.mark.parametrize("labels", [[0], [1, 1], [0, 1]])
def test_few_rows_are_fitted_within_bounds(labels: list[int]) -> None:
    found = conflearn.fit_calibration(labels, np.full((len(labels), 2), 0.5))
    assert 0.05 <= found.temperature <= 20
    assert np.abs(found.class_bias).max() <= 5
