"""Label quality scores: between 0 and 1, higher is a better label."""

from typing import Any

import numpy as np
import pytest
from hypothesis import assume, given

import conflearn
import reference
from strategies import SCORES, Data, datasets, likely_data, random_data


@given(datasets())
def test_self_confidence_is_the_cell_of_the_given_class(data: Data) -> None:
    scores = conflearn.label_quality_scores(*data)
    assert scores.dtype == np.float64
    np.testing.assert_array_equal(scores, reference.label_quality_scores(*data))


@given(datasets())
def test_normalized_margin_is_the_oracles_to_the_bit(data: Data) -> None:
    np.testing.assert_array_equal(
        conflearn.label_quality_scores(*data, method="normalized_margin"),
        reference.label_quality_scores(*data, method="normalized_margin"),
    )


@given(datasets())
def test_confidence_weighted_entropy_is_the_oracles(data: Data) -> None:
    np.testing.assert_allclose(
        conflearn.label_quality_scores(*data, method="confidence_weighted_entropy"),
        reference.label_quality_scores(*data, method="confidence_weighted_entropy"),
        rtol=1e-9,
    )


def entropy_slack(dtype: np.dtype, method: str) -> float:
    """Entropy alone adds narrow cells up in float32."""
    return 3e-7 if method == "confidence_weighted_entropy" and dtype != np.float64 else 0.0


@pytest.mark.parametrize("method", SCORES)
def test_scores_are_the_oracles_in_every_width_and_size(method: Any, width: np.dtype) -> None:
    for n_classes in (2, 3, 15, 16, 17, 64, 100, 513):
        labels, pred_probs = random_data(300, n_classes)
        pred_probs = pred_probs.astype(width)
        np.testing.assert_allclose(
            conflearn.label_quality_scores(labels, pred_probs, method=method),
            reference.label_quality_scores(labels, pred_probs.astype(float), method=method),
            rtol=1e-9,
            atol=entropy_slack(pred_probs.dtype, method),
        )


@pytest.mark.parametrize("method", SCORES)
def test_scores_are_the_oracles_on_real_data(real_data: Data, method: Any) -> None:
    labels, pred_probs = real_data.labels.astype(int), real_data.pred_probs.astype(float)
    np.testing.assert_allclose(
        conflearn.label_quality_scores(*real_data, method=method),
        reference.label_quality_scores(labels, pred_probs, method=method),
        rtol=1e-9,
        atol=entropy_slack(real_data.pred_probs.dtype, method),
    )


@pytest.mark.parametrize("method", ["self_confidence", "normalized_margin"])
@given(data=likely_data())
def test_adjusted_scores_are_the_oracles(data: Data, method: Any) -> None:
    assume((data.pred_probs.sum(axis=1) > 0).all())
    options = {"method": method, "adjust_pred_probs": True}
    thresholds = conflearn.confident_thresholds(*data)
    np.testing.assert_allclose(
        conflearn.label_quality_scores(*data, **options),
        reference.label_quality_scores(*data, thresholds=thresholds, **options),
        rtol=1e-12,
        atol=1e-15,
    )


def test_adjustment_leaves_the_columns_of_absent_classes_alone() -> None:
    pred_probs = np.array([[0.6, 0.3, 0.1], [0.2, 0.7, 0.1]])
    scores = conflearn.label_quality_scores([0, 1], pred_probs, adjust_pred_probs=True)
    # thresholds 0.6 and 0.7: column 0 is raised by 0.1, columns 1 and 2 by nothing
    np.testing.assert_allclose(scores, [0.7 / 1.1, 0.7 / 1.1])


@pytest.mark.parametrize("method", SCORES)
@given(data=datasets())
def test_scores_lie_between_zero_and_one(data: Data, method: Any) -> None:
    scores = conflearn.label_quality_scores(*data, method=method)
    assert ((scores >= 0) & (scores <= 1)).all()


@pytest.mark.parametrize("method", SCORES)
def test_scores_are_clamped_where_the_probabilities_overshoot(method: Any) -> None:
    pred_probs = np.array([[1 + 5e-7, -5e-7], [1 + 5e-7, -5e-7]])
    scores = conflearn.label_quality_scores([0, 1], pred_probs, method=method)
    assert ((scores >= 0) & (scores <= 1)).all()


def test_certainty_scores_one_by_entropy_whatever_the_label() -> None:
    pred_probs = np.array([[1.0, 0.0, 0.0], [1.0, 0.0, 0.0]])
    scores = conflearn.label_quality_scores(
        [0, 1], pred_probs, method="confidence_weighted_entropy"
    )
    assert scores.tolist() == [1.0, 1.0]


def test_entropy_approaches_its_limit_smoothly() -> None:
    rest = np.array([1e-3, 1e-5, 1e-7, 1e-9, 1e-12, 0.0])
    scores = conflearn.label_quality_scores(
        np.zeros(len(rest), dtype=int),
        np.column_stack([1 - rest, rest]),
        method="confidence_weighted_entropy",
    )
    assert (np.diff(scores) >= 0).all()
    assert scores[-2] == pytest.approx(1, abs=1e-9)


def test_self_confidence_reads_the_cells_of_the_given_classes_only() -> None:
    pred_probs = np.array([[0.5, np.nan], [7.0, 0.25]])
    assert conflearn.label_quality_scores([0, 1], pred_probs).tolist() == [0.5, 0.25]
