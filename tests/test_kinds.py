"""Logits and scores: the same method on what is no probability."""

import inspect
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import conflearn
import reference
from conflearn.errors import OptionError, ProbabilityError, ShapeError
from reference.kinds import between_0_and_1, margins, softmax
from strategies import FILTERS, PRUNE_FILTERS, Data, random_data

# A few ties aside, which rounding breaks, logits give what their softmax gives.
ENTROPY = "confidence_weighted_entropy"


def random_logits(seed: int, n_examples: int = 300, n_classes: int = 7) -> Data:
    """Labels and logits, far from 0 in some rows."""
    labels, pred_probs = random_data(n_examples, n_classes, seed=seed)
    shifts = np.random.default_rng(seed).normal(scale=30, size=(n_examples, 1))
    return Data(labels, np.log(pred_probs) + shifts)


def random_scores(seed: int, n_examples: int = 300, n_classes: int = 7) -> Data:
    """Labels and scores of any size and sign."""
    labels, pred_probs = random_data(n_examples, n_classes, seed=seed)
    return Data(labels, 40 * np.log(pred_probs + 0.01) + 60)


def functions_of_a_matrix() -> list[Callable[..., Any]]:
    """Everything that takes `pred_probs`."""
    modules = (conflearn, conflearn.multilabel)
    found = [getattr(module, name) for module in modules for name in module.__all__]
    functions = [one for one in found if inspect.isfunction(one)]
    return [one for one in functions if "pred_probs" in inspect.signature(one).parameters]


@pytest.mark.parametrize(
    "function", functions_of_a_matrix(), ids=lambda one: f"{one.__module__}.{one.__name__}"
)
def test_every_function_of_a_matrix_takes_a_kind(function: Callable[..., Any]) -> None:
    parameters = inspect.signature(function).parameters
    assert parameters["kind"].default == "probabilities"
    if function is conflearn.fit_calibration:
        return  # it finds the others
    assert parameters["temperature"].default == 1.0
    if not function.__module__.startswith("conflearn.multilabel"):
        assert parameters["class_bias"].default is None


# --- Logits ------------------------------------------------------------------------------------


@given(seed=st.integers(0, 2**32 - 1), temperature=st.sampled_from([1.0, 0.5, 2.5]))
def test_logits_mean_their_softmax(seed: int, temperature: float) -> None:
    labels, logits = random_logits(seed)
    pred_probs = softmax(logits, temperature)
    told = {"kind": "logits", "temperature": temperature}
    thresholds = conflearn.confident_thresholds(labels, logits, **told)
    np.testing.assert_allclose(
        thresholds, reference.confident_thresholds(labels, pred_probs), rtol=1e-12
    )
    for filter_by in FILTERS:
        np.testing.assert_array_equal(
            conflearn.find_label_issues(labels, logits, filter_by=filter_by, **told),
            reference.find_label_issues(
                labels, pred_probs, filter_by=filter_by, thresholds=thresholds
            ),
            err_msg=filter_by,
        )
    np.testing.assert_array_equal(
        conflearn.confident_joint(labels, logits, **told),
        reference.confident_joint(labels, pred_probs, thresholds=thresholds),
    )
    for method in ("self_confidence", "normalized_margin", ENTROPY):
        np.testing.assert_allclose(
            conflearn.label_quality_scores(labels, logits, method=method, **told),
            reference.label_quality_scores(labels, pred_probs, method=method),
            rtol=1e-9,
            atol=1e-12,
            err_msg=method,
        )


@pytest.mark.parametrize("n_classes", [2, 3, 31, 32, 33, 256, 257, 700])
def test_analysis_of_logits_is_that_of_the_functions(width: np.dtype, n_classes: int) -> None:
    labels, logits = random_logits(n_classes, 200, n_classes)
    logits = (logits - logits.max(axis=1, keepdims=True)).astype(width)
    analysis = conflearn.analyze(labels, logits, kind="logits")
    np.testing.assert_array_equal(
        analysis.mask, conflearn.find_label_issues(labels, logits, kind="logits")
    )
    np.testing.assert_array_equal(
        analysis.ranked, conflearn.rank_label_issues(labels, logits, kind="logits")
    )
    for method, scores in analysis.scores.items():
        np.testing.assert_array_equal(
            scores, conflearn.label_quality_scores(labels, logits, method=method, kind="logits")
        )
    wide = softmax(logits.astype(np.float64))
    narrowing = 1e-12 if width == np.float64 else 3e-6
    for method in ("self_confidence", "normalized_margin"):
        expected = reference.label_quality_scores(labels, wide, method=method)
        np.testing.assert_allclose(analysis.scores[method], expected, atol=narrowing)
    adjusted = {"method": "normalized_margin", "adjust_pred_probs": True}
    np.testing.assert_allclose(
        conflearn.label_quality_scores(labels, logits, kind="logits", **adjusted),
        reference.label_quality_scores(labels, wide, **adjusted),
        atol=narrowing,
    )


def test_minus_infinity_rules_a_class_out() -> None:
    logits = np.array([[0.0, -np.inf, np.log(3)], [-np.inf, -np.inf, 0.0]])
    scores = conflearn.label_quality_scores([2, 1], logits, kind="logits")
    np.testing.assert_allclose(scores, [0.75, 0.0])


@pytest.mark.parametrize(
    ("row", "column"),
    [([0, np.nan, 1], 1), ([0, 1, np.inf], 2), ([-np.inf, -np.inf, -np.inf], 0)],
)
def test_what_has_no_softmax_is_named(row: list[float], column: int) -> None:
    for dtype in (np.float16, np.float32, np.float64):
        logits = np.array([[0, 1, 2], row, row], dtype)
        with pytest.raises(ProbabilityError, match=rf"pred_probs\[1, {column}\]"):
            conflearn.confident_thresholds([0, 1, 2], logits, kind="logits")


# --- Scores ------------------------------------------------------------------------------------


@given(seed=st.integers(0, 2**32 - 1))
def test_scores_are_pruned_counted_and_ranked_like_probabilities(seed: int) -> None:
    labels, scores = random_scores(seed)
    stretched = between_0_and_1(scores)
    np.testing.assert_allclose(
        conflearn.confident_thresholds(labels, scores, kind="scores"),
        [scores[labels == k, k].mean() for k in range(scores.shape[1])],
        rtol=1e-12,
    )
    thresholds = reference.confident_thresholds(labels, stretched)
    for filter_by in FILTERS:
        np.testing.assert_array_equal(
            conflearn.find_label_issues(labels, scores, filter_by=filter_by, kind="scores"),
            reference.find_label_issues(
                labels, stretched, filter_by=filter_by, thresholds=thresholds
            ),
            err_msg=filter_by,
        )
    assert conflearn.num_label_issues(labels, scores, kind="scores") == reference.num_label_issues(
        labels, stretched, thresholds=thresholds
    )


def test_scores_are_scored_by_differences(width: np.dtype) -> None:
    labels, scores = random_scores(1)
    scores = scores.astype(width)
    wide = scores.astype(np.float64)
    found = conflearn.analyze(labels, scores, kind="scores")
    assert sorted(found.scores) == ["normalized_margin", "self_confidence"]
    own = wide[np.arange(len(labels)), labels]
    np.testing.assert_array_equal(found.scores["self_confidence"], own)
    np.testing.assert_array_equal(found.scores["normalized_margin"], margins(labels, wide))
    rows = conflearn.rank_label_issues(
        labels, scores, rank_by="normalized_margin", kind="scores", filter_by="both"
    )
    assert (np.diff(margins(labels, wide)[rows]) >= 0).all()


def test_a_record_of_scores_says_what_is_typical() -> None:
    scores = [[2.0, -1.0, -3.0], [3.0, -2.0, -3.0], [-1.0, 2.5, -3.0], [-2.0, 3.0, -3.0]]
    analysis = conflearn.analyze(
        [0, 0, 0, 1], scores, kind="scores", filter_by="predicted_neq_given"
    )
    (record,) = analysis.to_records()
    assert record.reason == "1 at 2.50 (typical 3.00), 0 at -1.00 (typical 1.33)"
    assert np.isinf(analysis.thresholds[2])
    cut = analysis.thresholds
    np.testing.assert_array_equal(
        conflearn.confident_joint([0, 0, 0, 1], scores, thresholds=cut, kind="scores"),
        conflearn.confident_joint([0, 0, 0, 1], scores, kind="scores"),
    )


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf, 1e10])
def test_a_score_that_cannot_be_held_is_named(value: float) -> None:
    scores = np.zeros((4, 3))
    scores[2, 1] = value
    with pytest.raises(ProbabilityError, match=r"pred_probs\[2, 1\]"):
        conflearn.find_label_issues([0, 1, 2, 0], scores, kind="scores")


@pytest.mark.parametrize(
    "call",
    [
        lambda *data: conflearn.label_quality_scores(*data, method=ENTROPY, kind="scores"),
        lambda *data: conflearn.label_quality_scores(*data, adjust_pred_probs=True, kind="scores"),
        lambda *data: conflearn.rank_label_issues(*data, rank_by=ENTROPY, kind="scores"),
        lambda *data: conflearn.analyze(*data, rank_by=ENTROPY, kind="scores"),
        lambda *data: conflearn.order_label_issues(
            np.ones(300, bool), *data, rank_by=ENTROPY, kind="scores"
        ),
    ],
)
def test_what_needs_a_probability_refuses_scores(call: Callable[..., Any]) -> None:
    with pytest.raises(OptionError, match="use the scores self_confidence and normalized_margin"):
        call(*random_scores(2))


# --- Two classes in one column -----------------------------------------------------------------


@pytest.mark.parametrize("shape", [(-1,), (-1, 1)])
def test_one_column_speaks_for_class_1(width: np.dtype, shape: tuple[int, ...]) -> None:
    labels, scores = random_scores(3, n_classes=2)
    distances = (scores[:, 1] - scores[:, 0]).astype(width)
    both = np.column_stack([-distances, distances])
    found = conflearn.find_label_issues(labels, distances.reshape(shape), kind="scores")
    np.testing.assert_array_equal(found, conflearn.find_label_issues(labels, both, kind="scores"))

    logits = np.column_stack([np.zeros_like(distances), distances])
    found = conflearn.label_quality_scores(labels, distances.reshape(shape), kind="logits")
    expected = conflearn.label_quality_scores(labels, logits, kind="logits")
    np.testing.assert_array_equal(found, expected)


def test_one_column_of_a_list_or_a_frame_will_do() -> None:
    pandas = pytest.importorskip("pandas")
    labels, distances = [0, 0, 1, 1, 1], [-1.0, 2.0, 1.0, 3.0, 2.0]
    for column in (distances, pandas.Series(distances), pandas.DataFrame({"distance": distances})):
        assert conflearn.rank_label_issues(labels, column, kind="scores").tolist() == [1]


def test_one_column_of_probabilities_is_refused() -> None:
    with pytest.raises(ShapeError, match="column_stack"):
        conflearn.find_label_issues([0, 1], np.array([0.2, 0.7]))


# --- What is the same always -------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["logits", "scores"])
def test_threads_and_memory_orders_do_not_show(kind: Any, width: np.dtype) -> None:
    make = random_logits if kind == "logits" else random_scores
    labels, matrix = make(5, 3000, 40)
    matrix = (matrix - matrix.mean(axis=1, keepdims=True)).astype(width)
    expected = conflearn.analyze(labels, matrix, kind=kind, n_threads=1)
    padded = np.zeros((6000, 83), width)
    padded[::2, 1:81:2] = matrix
    others = [np.asfortranarray(matrix), padded[::2, 1:81:2], np.flip(np.flip(matrix, 1).copy(), 1)]
    for other in [matrix, *others]:
        for n_threads in (1, 2, 5):
            found = conflearn.analyze(labels, other, kind=kind, n_threads=n_threads)
            np.testing.assert_array_equal(found.mask, expected.mask)
            np.testing.assert_array_equal(found.thresholds, expected.thresholds)
            for name, scores in expected.scores.items():
                np.testing.assert_array_equal(found.scores[name], scores)


@pytest.mark.parametrize("kind", ["logits", "scores"])
def test_real_probabilities_as_logits_and_scores(kind: Any, real_data: Data) -> None:
    labels = real_data.labels
    pred_probs = real_data.pred_probs.astype(np.float64)
    matrix = np.log(np.maximum(pred_probs, 1e-12)) if kind == "logits" else 8 * pred_probs - 4
    if kind == "logits":
        pred_probs = softmax(matrix)
    for filter_by in PRUNE_FILTERS:
        found = conflearn.find_label_issues(labels, matrix, filter_by=filter_by, kind=kind)
        expected = conflearn.find_label_issues(labels, pred_probs, filter_by=filter_by)
        # Ties, of which such files have many, may be broken by rounding.
        assert (found != expected).mean() < 1e-3


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"kind": "logit"}, "did you mean 'logits'"),
        ({"kind": "scores", "temperature": 2.0}, "does not use temperature"),
        ({"kind": "logits", "temperature": 0.0}, "temperature=0.0 is not a finite number above 0"),
        ({"kind": "logits", "temperature": np.nan}, "temperature=nan"),
        ({"kind": "logits", "temperature": 1e-40}, "temperature must lie between 1e-30 and 1e30"),
        ({"kind": "logits", "temperature": 1e100}, "temperature must lie between 1e-30 and 1e30"),
        ({"temperature": 1e-300}, "temperature must lie between 1e-30 and 1e30, but is 1e-300;"),
        ({"kind": "logits", "temperature": "1"}, "temperature='1'"),
    ],
)
def test_options_that_make_no_sense_are_refused(options: dict[str, Any], message: str) -> None:
    with pytest.raises(OptionError, match=message):
        conflearn.find_label_issues(*random_logits(0), **options)
