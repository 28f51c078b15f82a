"""Equal rows with different labels, and rows that are equal because their numbers are coarse."""

from typing import Any

import numpy as np
import pytest
from sklearn.datasets import load_digits
from sklearn.ensemble import RandomForestClassifier
from sklearn.model_selection import cross_val_predict
from sklearn.neighbors import KNeighborsClassifier
from sklearn.tree import DecisionTreeClassifier

import conflearn
from checked import K, N, found, model, normalized, the_only, the_only_named, with_duplicates


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_equal_rows_with_different_labels_are_found(dtype: Any) -> None:
    labels, pred_probs = with_duplicates(20, dtype)
    twice = the_only(labels, pred_probs)
    assert (twice.name, twice.severity) == ("conflicting_duplicates", "note")
    figures = twice.figures
    assert (figures["n_same"], figures["n_conflicting"], figures["n_groups"]) == (40, 20, 10)
    assert figures["n_compared"] == N
    assert figures["rows"] == [0, 1000, 2, 1002, 4, 1004, 6, 1006, 8, 1008]
    assert f"0 ({labels[0]}) and 1000 ({labels[1000]})" in twice.seen
    many = the_only(*with_duplicates(200, dtype))
    assert many.severity == "warning"
    for kind in ("logits", "scores"):
        of_kind = the_only_named("conflicting_duplicates", labels, np.log(pred_probs), kind=kind)
        assert of_kind.figures == figures


@pytest.mark.parametrize("n_classes", [2, 3, 4, 10])
@pytest.mark.parametrize("n", [30, 60, 120, 240, 600, 1000])
def test_many_equal_rows_are_no_reason_to_be_silent(n_classes: int, n: int) -> None:
    labels, pred_probs = model(1000, n_classes)
    again = np.r_[labels, (labels[:n] + 1) % n_classes], np.r_[pred_probs, pred_probs[:n]]
    twice = the_only_named("conflicting_duplicates", *again)
    assert twice.severity == "warning"
    assert twice.figures["n_conflicting"] == 2 * n
    # Of half of them the label is the same.
    again[0][1000::2] = labels[:n:2]
    assert the_only_named("conflicting_duplicates", *again).figures["n_conflicting"] == n


@pytest.mark.parametrize("n_classes", [2, 10])
@pytest.mark.parametrize("n", [200, 300])
def test_some_are_there_more_than_twice(n_classes: int, n: int) -> None:
    labels, pred_probs = model(1000, n_classes)
    again = np.random.default_rng(0).integers(0, 1000, n)
    given_labels = np.r_[labels, (labels[again] + 1) % n_classes]
    twice = found(given_labels, np.r_[pred_probs, pred_probs[again]])
    assert twice["conflicting_duplicates"] == "warning"


def test_examples_that_five_people_labelled_are_conflicting() -> None:
    labels, pred_probs = model(2000)
    rng = np.random.default_rng(0)
    given_labels = np.where(rng.random((5, 2000)) < 0.3, rng.integers(0, K, (5, 2000)), labels)
    five = found(given_labels.ravel(), np.tile(pred_probs, (5, 1)))
    assert five["conflicting_duplicates"] == "warning"


def test_coarse_rows_are_equal_by_chance() -> None:
    labels, pred_probs = model(noise=0.3)
    assert "conflicting_duplicates" not in found(labels, pred_probs.round(2))
    assert "conflicting_duplicates" not in found(labels, normalized(pred_probs.round(1) + 0.01))
    two = np.stack([pred_probs[:, 0], 1 - pred_probs[:, 0]], axis=1).astype(np.float32)
    assert "conflicting_duplicates" not in found((labels > 0).astype(int), two)
    images, digits = load_digits(return_X_y=True)
    rng = np.random.default_rng(0)
    noisy = np.where(rng.random(1797) < 0.2, rng.integers(0, 10, 1797), digits)
    for classifier in (
        KNeighborsClassifier(),
        KNeighborsClassifier(50),
        RandomForestClassifier(30, random_state=0),
        RandomForestClassifier(10, max_depth=2, random_state=0),
        DecisionTreeClassifier(max_depth=6, random_state=0),
        DecisionTreeClassifier(min_samples_leaf=5, random_state=0),
        DecisionTreeClassifier(min_samples_leaf=20, random_state=0),
    ):
        for n_classes in (10, 2, 3):
            of_few = noisy % n_classes
            coarse = cross_val_predict(classifier, images, of_few, cv=5, method="predict_proba")
            report = conflearn.check_inputs(of_few, coarse)
            assert "conflicting_duplicates" not in report.names
            # Nor is it said that there are none.
            assert report.left_out == ("conflicting_duplicates",)


@pytest.mark.parametrize(
    ("dtype", "n_classes", "is_compared"),
    [
        (np.float32, 2, False),
        (np.float32, 4, True),
        (np.float64, 2, True),
        (np.float16, 3, False),
        (np.float16, 6, False),
        (np.float16, 12, True),
    ],
)
def test_rows_of_few_digits_are_not_compared(dtype: Any, n_classes: int, is_compared: bool) -> None:
    labels, pred_probs = model(2000, n_classes)
    again = np.r_[labels, (labels + 1) % n_classes], np.r_[pred_probs, pred_probs].astype(dtype)
    left_out = () if is_compared else ("conflicting_duplicates",)
    for data in ((labels, pred_probs.astype(dtype)), again):
        report = conflearn.check_inputs(*data)
        assert report.left_out == left_out
        assert report.to_dict()["left_out"] == list(left_out)
    assert ("conflicting_duplicates" in report.names) == is_compared


def test_of_many_rows_a_sample_is_compared() -> None:
    labels, pred_probs = model(150_000, 4)
    pred_probs[:6000] = pred_probs[6000:12_000]
    labels[:6000] = (labels[6000:12_000] + 1) % 4
    twice = the_only_named("conflicting_duplicates", labels, pred_probs)
    n_compared = twice.figures["n_compared"]
    assert 60_000 < n_compared < 80_000
    assert twice.figures["n_conflicting"] == pytest.approx(12_000 * n_compared / 150_000, rel=0.05)
