"""The opponents give the right answers: a baseline that is wrong would be no baseline."""

from dataclasses import replace
from typing import get_args

import numpy as np
import pytest
from cleanlab.count import get_confident_thresholds
from cleanlab.filter import find_label_issues
from cleanlab.rank import get_label_quality_scores

import blocked_numpy
import read
from blocked_numpy import Filter, Score
from data import SIZES, Dtype, Order, Problem, Size, make

# Few classes and many, a joint with rich rows and with poor ones, classes nobody was given.
SHAPES = [SIZES["small"], Size(5_000, 10), Size(4_000, 200), Size(500, 400)]
DTYPES: list[Dtype] = ["float16", "float32", "float64"]

each_shape = pytest.mark.parametrize("size", SHAPES, ids=str)
each_dtype = pytest.mark.parametrize("dtype", DTYPES)


def widened(problem: Problem) -> Problem:
    """Widen to float64, where cleanlab's sums and slacks are not rounded away."""
    return Problem(problem.labels, problem.pred_probs.astype(np.float64))


@each_shape
@each_dtype
def test_thresholds_and_scores_agree_with_cleanlab(size: Size, dtype: Dtype) -> None:
    problem = make(replace(size, dtype=dtype))
    wide = widened(problem)
    np.testing.assert_allclose(
        blocked_numpy.confident_thresholds(*problem), get_confident_thresholds(*wide), rtol=1e-12
    )
    for method in get_args(Score):
        np.testing.assert_allclose(
            blocked_numpy.label_quality_scores(*problem, method=method),
            get_label_quality_scores(*wide, method=method),
            atol=1e-5,
        )


@each_shape
@each_dtype
@pytest.mark.parametrize("filter_by", ["prune_by_class", "prune_by_noise_rate", "both"])
@pytest.mark.filterwarnings("ignore:May not flag all label issues")
def test_pruning_agrees_with_cleanlab(size: Size, dtype: Dtype, filter_by: Filter) -> None:
    """Both prune from one joint, because they count another one where several are confident."""
    problem = make(replace(size, dtype=dtype))
    joint = blocked_numpy.confident_joint(*problem)
    expected = find_label_issues(
        *widened(problem), filter_by=filter_by, confident_joint=joint, n_jobs=1
    )
    actual = blocked_numpy.find_label_issues(*problem, filter_by=filter_by)
    if dtype == "float16":  # so coarse that there are ties, which cleanlab breaks by chance
        assert actual.sum() == pytest.approx(expected.sum(), abs=3)
        assert np.count_nonzero(actual != expected) <= 0.02 * expected.sum()
    else:
        np.testing.assert_array_equal(actual, expected)


@each_shape
@each_dtype
def test_guesses_are_the_most_probable_confident_classes(size: Size, dtype: Dtype) -> None:
    labels, pred_probs = make(replace(size, dtype=dtype))
    thresholds = blocked_numpy.confident_thresholds(labels, pred_probs)
    predicted, guess = blocked_numpy.sweep(pred_probs, thresholds)
    is_confident = pred_probs.astype(np.float64) >= thresholds - 1e-6
    best = np.where(is_confident, pred_probs, -1).argmax(axis=1)
    np.testing.assert_array_equal(predicted, pred_probs.argmax(axis=1))
    np.testing.assert_array_equal(guess, np.where(is_confident.any(axis=1), best, -1))


@each_dtype
@pytest.mark.parametrize("order", ["C", "F"])
def test_read_sees_every_byte(dtype: Dtype, order: Order) -> None:
    _, pred_probs = make(Size(37, 11, dtype), order=order)
    words = np.frombuffer(pred_probs.tobytes(order="A") + b"\0" * 7, dtype=np.uint8)
    expected = np.bitwise_or.reduce(words[: words.size // 8 * 8].view(np.uint64))
    assert read.read(pred_probs) == expected


@each_dtype
def test_data_depends_on_nothing_but_the_seed(
    dtype: Dtype, monkeypatch: pytest.MonkeyPatch
) -> None:
    size = Size(3_000, 300, dtype)
    problem = make(size, seed=1)
    assert (problem.pred_probs != make(size, seed=2).pred_probs).any()
    monkeypatch.setattr("data.available_cpus", lambda: 7)
    for order in get_args(Order):
        again = make(size, seed=1, order=order)
        np.testing.assert_array_equal(again.labels, problem.labels)
        np.testing.assert_array_equal(again.pred_probs, problem.pred_probs)


@each_shape
def test_data_is_as_noisy_as_it_says(size: Size) -> None:
    labels, pred_probs = make(size)
    assert labels.dtype == np.int64
    assert pred_probs.flags.c_contiguous
    assert np.mean(pred_probs.argmax(axis=1) != labels) == pytest.approx(0.25, abs=0.07)
    thresholds = blocked_numpy.confident_thresholds(labels, pred_probs)
    assert 0.4 < np.median(thresholds) < 0.75
    np.testing.assert_allclose(pred_probs.sum(axis=1), 1, rtol=1e-5)
