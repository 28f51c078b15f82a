"""The confident joint, its calibration, the off-diagonal examples, the joint distribution."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import conflearn
import reference
from strategies import Data, datasets, joints, random_data


@given(datasets(), st.booleans())
def test_the_confident_joint_is_the_oracles(data: Data, calibrate: bool) -> None:
    thresholds = conflearn.confident_thresholds(*data)
    joint = conflearn.confident_joint(*data, calibrate=calibrate)
    assert joint.dtype == np.int64
    np.testing.assert_array_equal(
        joint, reference.confident_joint(*data, thresholds=thresholds, calibrate=calibrate)
    )


@given(datasets(), st.data())
def test_given_thresholds_are_used_as_they_are(data: Data, draw: st.DataObject) -> None:
    n_classes = data.pred_probs.shape[1]
    values = st.sampled_from([0.0, 1e-6, 0.25, 0.5, 0.75, 1.0, 2.0])
    thresholds = np.array(draw.draw(st.lists(values, min_size=n_classes, max_size=n_classes)))
    np.testing.assert_array_equal(
        conflearn.confident_joint(*data, thresholds=thresholds, calibrate=False),
        reference.confident_joint(*data, thresholds=thresholds, calibrate=False),
    )
    np.testing.assert_array_equal(
        conflearn.off_diagonal_examples(*data, thresholds=thresholds),
        reference.off_diagonal_examples(*data, thresholds=thresholds),
    )


def test_the_confident_joint_on_real_data(real_data: Data) -> None:
    thresholds = conflearn.confident_thresholds(*real_data)
    labels, pred_probs = real_data.labels.astype(int), real_data.pred_probs.astype(float)
    np.testing.assert_array_equal(
        conflearn.confident_joint(*real_data),
        reference.confident_joint(labels, pred_probs, thresholds=thresholds),
    )
    np.testing.assert_array_equal(
        conflearn.off_diagonal_examples(*real_data),
        reference.off_diagonal_examples(labels, pred_probs, thresholds=thresholds),
    )


@pytest.mark.parametrize("n_classes", [8, 31, 64, 100, 257, 2000])
def test_the_confident_joint_of_many_classes(n_classes: int) -> None:
    data = random_data(700, n_classes, seed=n_classes)
    thresholds = conflearn.confident_thresholds(*data)
    for calibrate in (False, True):
        np.testing.assert_array_equal(
            conflearn.confident_joint(*data, calibrate=calibrate),
            reference.confident_joint(*data, thresholds=thresholds, calibrate=calibrate),
        )


def test_among_several_confident_classes_the_most_probable_is_the_guess() -> None:
    pred_probs = np.array([[0.30, 0.25, 0.45]])
    thresholds = np.array([0.2, 0.2, 0.9])  # the row's argmax is not itself confident
    joint = conflearn.confident_joint([1], pred_probs, thresholds=thresholds, calibrate=False)
    assert joint.tolist() == [[1, 0, 0], [1, 1, 0], [0, 0, 1]]


def test_equally_probable_confident_classes_go_to_the_lower_index() -> None:
    pred_probs = np.array([[0.2, 0.4, 0.4]])
    thresholds = np.array([0.9, 0.4, 0.4])
    assert conflearn.off_diagonal_examples([1], pred_probs, thresholds=thresholds).tolist() == []
    assert conflearn.off_diagonal_examples([2], pred_probs, thresholds=thresholds).tolist() == [0]


def test_confidence_has_a_slack_of_one_millionth() -> None:
    thresholds = np.array([0.5, 0.5])
    pred_probs = np.array([[0.1, 0.4999995], [0.1, 0.499998]])
    examples = conflearn.off_diagonal_examples([0, 0], pred_probs, thresholds=thresholds)
    assert examples.tolist() == [0]


def test_an_example_without_confident_class_is_not_counted() -> None:
    joint = conflearn.confident_joint(
        [0, 1], np.full((2, 2), 0.5), thresholds=np.array([0.9, 0.9]), calibrate=False
    )
    assert joint.tolist() == [[1, 0], [0, 1]]


@given(datasets())
def test_off_diagonal_examples_are_the_oracles_in_ascending_order(data: Data) -> None:
    thresholds = conflearn.confident_thresholds(*data)
    examples = conflearn.off_diagonal_examples(*data)
    assert examples.dtype == np.int64
    np.testing.assert_array_equal(
        examples, reference.off_diagonal_examples(*data, thresholds=thresholds)
    )


@given(joints())
def test_calibration_is_the_oracles(joint_and_labels: tuple[np.ndarray, np.ndarray]) -> None:
    joint, labels = joint_and_labels
    calibrated = conflearn.calibrate_confident_joint(joint, labels)
    assert calibrated.dtype == np.int64
    np.testing.assert_array_equal(calibrated, reference.calibrate_confident_joint(joint, labels))


@given(joints())
def test_calibrated_rows_sum_to_the_counts_of_the_given_classes(
    joint_and_labels: tuple[np.ndarray, np.ndarray],
) -> None:
    joint, labels = joint_and_labels
    rows = conflearn.calibrate_confident_joint(joint, labels).sum(axis=1)
    np.testing.assert_array_equal(rows, np.bincount(labels, minlength=len(joint)))


@given(joints())
def test_the_memory_order_of_a_joint_does_not_matter(
    joint_and_labels: tuple[np.ndarray, np.ndarray],
) -> None:
    joint, labels = joint_and_labels
    np.testing.assert_array_equal(
        conflearn.calibrate_confident_joint(np.asfortranarray(joint), labels),
        conflearn.calibrate_confident_joint(joint, labels),
    )


@pytest.mark.parametrize(
    ("row", "n_given", "calibrated"),
    [
        ([1, 1, 0], 5, [2, 3, 0]),  # 2.5 each: half to even, the unit goes to the higher index
        ([1, 1, 1], 1, [0, 0, 1]),  # a third each: the highest index
        ([1, 1, 1], 2, [0, 1, 1]),  # two thirds each: taken from the lowest index
        ([3, 1, 0], 6, [4, 2, 0]),  # 4.5 and 1.5: half to even keeps the total
    ],
)
def test_ties_in_rounding(row: list[int], n_given: int, calibrated: list[int]) -> None:
    joint = np.diag([0, 1, 1]) + np.array([row, [0] * 3, [0] * 3])
    result = conflearn.calibrate_confident_joint(joint, [0] * n_given)
    assert result.tolist() == [calibrated, [0, 0, 0], [0, 0, 0]]


def test_an_empty_row_stays_empty_and_the_others_account_for_all() -> None:
    joint = np.array([[5, 1, 0], [0, 0, 0], [0, 2, 4]])
    labels = [0] * 6 + [1] * 8 + [2] * 6
    calibrated = conflearn.calibrate_confident_joint(joint, labels)
    assert calibrated.sum(axis=1).tolist() == [10, 0, 10]
    assert calibrated.tolist() == [[8, 2, 0], [0, 0, 0], [0, 3, 7]]
    estimated = conflearn.estimate_joint(labels, np.full((20, 3), 1 / 3), confident_joint=joint)
    np.testing.assert_array_equal(estimated, calibrated / 20)
    model = conflearn.estimate_noise_model(joint, labels)
    assert model.inverse_noise_matrix.sum(axis=0).tolist() == [1, 0, 1]


@given(datasets())
def test_calibrating_afterwards_is_the_same(data: Data) -> None:
    counts = conflearn.confident_joint(*data, calibrate=False)
    np.testing.assert_array_equal(
        conflearn.calibrate_confident_joint(counts, data.labels), conflearn.confident_joint(*data)
    )


@given(datasets())
def test_the_joint_is_the_calibrated_counts_over_their_number(data: Data) -> None:
    joint = conflearn.estimate_joint(*data)
    counts = conflearn.confident_joint(*data)
    assert joint.dtype == np.float64
    np.testing.assert_array_equal(joint, counts / len(data.labels))
    assert joint.sum() == pytest.approx(1)


def test_the_joint_of_given_counts_is_calibrated_to_the_labels() -> None:
    data = random_data(60, 3)
    counts = np.array([[8, 1, 1], [0, 9, 1], [2, 2, 6]])
    np.testing.assert_array_equal(
        conflearn.estimate_joint(*data, confident_joint=counts),
        reference.estimate_joint(*data, counts=counts),
    )
