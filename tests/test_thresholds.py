"""Thresholds: the mean confidence in each class where that class was given."""

import numpy as np
import pytest
from hypothesis import given

import conflearn
import reference
from strategies import Data, datasets, random_data


@given(datasets())
def test_a_threshold_is_the_mean_confidence_in_the_given_class(data: Data) -> None:
    thresholds = conflearn.confident_thresholds(*data)
    assert thresholds.dtype == np.float64
    np.testing.assert_allclose(thresholds, reference.confident_thresholds(*data), rtol=1e-12)


def test_a_threshold_is_the_mean_in_every_width(width: np.dtype) -> None:
    labels, pred_probs = random_data(2000, 7)
    pred_probs = pred_probs.astype(width)
    np.testing.assert_allclose(
        conflearn.confident_thresholds(labels, pred_probs),
        reference.confident_thresholds(labels, pred_probs.astype(float)),
        rtol=1e-12,
    )


def test_a_threshold_is_the_mean_on_real_data(real_data: Data) -> None:
    np.testing.assert_allclose(
        conflearn.confident_thresholds(*real_data),
        reference.confident_thresholds(*real_data),
        rtol=1e-12,
    )


def test_a_class_that_nobody_was_given_has_threshold_two() -> None:
    thresholds = conflearn.confident_thresholds([0, 2], np.full((2, 3), 0.25))
    assert thresholds.tolist() == [0.25, 2.0, 0.25]


def test_no_threshold_is_below_its_floor() -> None:
    thresholds = conflearn.confident_thresholds([0, 1], np.array([[0.0, 1.0], [1.0, 1e-6]]))
    assert thresholds.tolist() == [2e-6, 2e-6]


def test_the_sum_does_not_lose_small_values_among_many() -> None:
    pred_probs = np.full((100_001, 2), 1e-6)
    pred_probs[0] = 1.0
    labels = np.zeros(len(pred_probs), dtype=int)
    (threshold, _) = conflearn.confident_thresholds(labels, pred_probs)
    assert threshold == pytest.approx((1 + 0.1) / 100_001, rel=1e-12)


def test_only_the_cells_of_the_given_classes_are_read() -> None:
    pred_probs = np.array([[0.5, np.nan], [7.0, 0.25]])
    assert conflearn.confident_thresholds([0, 1], pred_probs).tolist() == [0.5, 0.25]
