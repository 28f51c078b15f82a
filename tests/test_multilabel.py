"""Multi-label: which tags are wrong or missing, scores, counts, tables; all forms of tags."""

import itertools
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
import scipy.sparse
from cleanlab.count import compute_confident_joint, get_confident_thresholds
from cleanlab.multilabel_classification import filter as their_filter
from cleanlab.multilabel_classification import rank as their_rank
from cleanlab.multilabel_classification.dataset import (
    common_multilabel_issues,
    overall_multilabel_health_score,
    rank_classes_by_multilabel_quality,
)
from hypothesis import given
from hypothesis import strategies as st

import conflearn
from conflearn import multilabel
from conflearn.errors import (
    InputError,
    InputTypeError,
    LabelError,
    OptionError,
    ProbabilityError,
    ShapeError,
)
from expected import refused
from reference import multilabel as reference
from strategies import FILTERS, PRUNE_FILTERS, SCORES
from tagged import Tagged, likely_tagged, lists_of, random_tagged, tagged_data

AGGREGATES: tuple[Any, ...] = ("exponential_moving_average", "softmin", "mean", "median", "min")

# --- Against the oracle --------------------------------------------------------------------------


@given(tagged_data)
def test_the_thresholds_are_the_oracles(data: Tagged) -> None:
    thresholds = multilabel.confident_thresholds(*data)
    assert thresholds.dtype == np.float64
    expected = reference.confident_thresholds(*data)
    np.testing.assert_allclose(thresholds, expected, rtol=1e-13, atol=1e-15)


@given(tagged_data, st.booleans())
def test_the_confident_joints_are_the_oracles(data: Tagged, calibrate: bool) -> None:
    thresholds = multilabel.confident_thresholds(*data)
    joint = multilabel.confident_joint(*data, calibrate=calibrate)
    assert joint.dtype == np.int64
    expected = reference.confident_joint(*data, thresholds=thresholds, calibrate=calibrate)
    np.testing.assert_array_equal(joint, expected)


@given(tagged_data, st.data())
def test_given_thresholds_are_used_as_they_are(data: Tagged, draw: st.DataObject) -> None:
    values = st.sampled_from([0.0, 1e-6, 0.25, 0.5, 0.75, 1.0, 2.0])
    n_classes = data.tags.shape[1]
    flat = draw.draw(st.lists(values, min_size=2 * n_classes, max_size=2 * n_classes))
    thresholds = np.array(flat).reshape(n_classes, 2)
    np.testing.assert_array_equal(
        multilabel.confident_joint(*data, thresholds=thresholds, calibrate=False),
        reference.confident_joint(*data, thresholds=thresholds, calibrate=False),
    )


@given(tagged_data, st.sampled_from(FILTERS))
def test_the_flags_are_the_oracles(data: Tagged, filter_by: Any) -> None:
    thresholds = multilabel.confident_thresholds(*data)
    mask = multilabel.find_label_issues_per_class(*data, filter_by=filter_by)
    assert mask.dtype == bool
    expected = reference.find_label_issues_per_class(
        *data, thresholds=thresholds, filter_by=filter_by
    )
    np.testing.assert_array_equal(mask, expected)
    rows, classes = multilabel.locate_label_issues(*data, filter_by=filter_by)
    np.testing.assert_array_equal((rows, classes), mask.nonzero())
    flagged = multilabel.find_label_issues(*data, filter_by=filter_by)
    np.testing.assert_array_equal(flagged, mask.any(axis=1))


def prune_options(n_classes: int) -> list[dict[str, Any]]:
    rng = np.random.default_rng(5)
    return [
        {"frac_noise": 0.5},
        {"min_examples_per_class": 40},
        {"min_examples_per_class": 0},
        {"num_to_remove_per_class": rng.integers(0, 6, (n_classes, 2))},
        {"num_to_remove_per_class": rng.integers(0, 6, n_classes)},
        {"confident_joint": rng.integers(0, 50, (n_classes, 2, 2))},
    ]


@pytest.mark.parametrize("options", prune_options(7), ids="-".join)
@pytest.mark.parametrize("filter_by", PRUNE_FILTERS)
def test_the_options_of_filters_that_prune(filter_by: Any, options: dict[str, Any]) -> None:
    data = random_tagged(300, 7, seed=1, noise=0.3, decimals=2)
    theirs = dict(options)
    if "confident_joint" in options:
        theirs["counts"] = theirs.pop("confident_joint")
    asked = options.get("num_to_remove_per_class")
    if asked is not None and asked.ndim == 1:
        theirs["num_to_remove_per_class"] = np.stack([asked, np.zeros_like(asked)], axis=1)
    expected = reference.find_label_issues_per_class(
        *data,
        thresholds=multilabel.confident_thresholds(*data),
        filter_by=filter_by,
        **theirs,
    )
    mask = multilabel.find_label_issues_per_class(*data, filter_by=filter_by, **options)
    np.testing.assert_array_equal(mask, expected)
    assert mask.any()


@given(tagged_data)
def test_the_numbers_of_issues_are_the_oracles(data: Tagged) -> None:
    thresholds = multilabel.confident_thresholds(*data)
    per_class = multilabel.num_label_issues_per_class(*data)
    expected = reference.num_label_issues_per_class(*data, thresholds=thresholds)
    np.testing.assert_array_equal(per_class, expected)
    mask = multilabel.find_label_issues(*data, filter_by="confident_learning")
    assert multilabel.num_label_issues(*data) == mask.sum()


@given(tagged_data, st.sampled_from(SCORES), st.booleans())
def test_the_scores_of_classes_are_the_oracles(data: Tagged, method: Any, adjust: bool) -> None:
    adjust &= method != "confidence_weighted_entropy"
    scores = multilabel.label_quality_scores_per_class(
        *data, method=method, adjust_pred_probs=adjust
    )
    assert scores.dtype == np.float64
    assert scores.shape == data.tags.shape
    expected = reference.label_quality_scores_per_class(
        *data, method=method, adjust_pred_probs=adjust
    )
    np.testing.assert_allclose(scores, expected, rtol=1e-9, atol=1e-12)
    assert scores.min() >= 0
    assert scores.max() <= 1


@given(tagged_data, st.sampled_from(SCORES), st.sampled_from(AGGREGATES))
def test_the_scores_of_examples_are_the_oracles(data: Tagged, method: Any, aggregate: Any) -> None:
    scores = multilabel.label_quality_scores(*data, method=method, aggregate=aggregate)
    per_class = multilabel.label_quality_scores_per_class(*data, method=method)
    expected = reference.aggregated(per_class, aggregate)
    np.testing.assert_allclose(scores, expected, rtol=1e-12, atol=1e-15)
    if aggregate in {"min", "median"}:
        np.testing.assert_array_equal(scores, expected)


@pytest.mark.parametrize("n_classes", [2, 26, 27, 63, 64, 65, 250, 1000])
@pytest.mark.parametrize("aggregate", AGGREGATES)
def test_aggregates_of_many_classes(aggregate: Any, n_classes: int) -> None:
    data = random_tagged(40, n_classes, seed=n_classes, decimals=3)
    options: list[dict[str, Any]] = [{}]
    if aggregate == "exponential_moving_average":
        options += [{"alpha": alpha} for alpha in (0.0, 0.01, 0.3, 1.0)]
    if aggregate == "softmin":
        options += [{"softmin_temperature": t} for t in (1e-6, 1.0, 1e6)]
    per_class = multilabel.label_quality_scores_per_class(*data)
    for option in options:
        scores = multilabel.label_quality_scores(*data, aggregate=aggregate, **option)
        expected = reference.aggregated(per_class, aggregate, **option)
        np.testing.assert_allclose(scores, expected, rtol=1e-12, atol=1e-15)


@given(tagged_data, st.sampled_from(FILTERS), st.sampled_from(SCORES))
def test_the_order_is_that_of_the_scores(data: Tagged, filter_by: Any, rank_by: Any) -> None:
    ranked = multilabel.rank_label_issues(*data, filter_by=filter_by, rank_by=rank_by)
    rows = multilabel.find_label_issues(*data, filter_by=filter_by).nonzero()[0]
    scores = multilabel.label_quality_scores(*data, method=rank_by)
    np.testing.assert_array_equal(ranked, rows[np.argsort(scores[rows], kind="stable")])


def test_ranking_takes_an_aggregate() -> None:
    data = random_tagged(100, 5, seed=3, noise=0.4)
    rows = multilabel.find_label_issues(*data).nonzero()[0]
    scores = multilabel.label_quality_scores(*data, aggregate="min")
    np.testing.assert_array_equal(
        multilabel.rank_label_issues(*data, aggregate="min"),
        rows[np.argsort(scores[rows], kind="stable")],
    )


@given(tagged_data)
def test_joints_are_calibrated_and_shared_out(data: Tagged) -> None:
    counts = multilabel.confident_joint(*data, calibrate=False)
    calibrated = multilabel.calibrate_confident_joint(counts, data.tags)
    np.testing.assert_array_equal(
        calibrated, reference.calibrate_confident_joint(counts, data.tags)
    )
    np.testing.assert_array_equal(calibrated, multilabel.confident_joint(*data))
    joint = multilabel.estimate_joint(*data)
    np.testing.assert_array_equal(joint, calibrated / len(data.tags))
    np.testing.assert_array_equal(multilabel.estimate_joint(*data, confident_joint=counts), joint)


# --- What may not show ---------------------------------------------------------------------------


def laid_out(pred_probs: np.ndarray, layout: str) -> np.ndarray:
    if layout == "fortran":
        return np.asfortranarray(pred_probs)
    if layout == "strided":
        wide = np.zeros((2 * len(pred_probs), 3 * pred_probs.shape[1]), pred_probs.dtype)
        wide[::2, ::3] = pred_probs
        return wide[::2, ::3]
    read_only = pred_probs.copy()
    read_only.setflags(write=False)
    return read_only


@pytest.mark.parametrize("layout", ["fortran", "strided", "read_only"])
@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
def test_layouts_and_threads_do_not_show(layout: str, dtype: Any) -> None:
    tags, pred_probs = random_tagged(3000, 70, seed=2, decimals=3, dtype=dtype)
    other = laid_out(pred_probs, layout)
    for n_threads in (1, 2):
        for function in (
            multilabel.confident_thresholds,
            multilabel.confident_joint,
            multilabel.find_label_issues,
            multilabel.num_label_issues_per_class,
            multilabel.label_quality_scores,
            multilabel.label_quality_scores_per_class,
            multilabel.rank_label_issues,
        ):
            expected = function(tags, pred_probs, n_threads=1)
            np.testing.assert_array_equal(function(tags, other, n_threads=n_threads), expected)


def test_narrow_formats_are_read_exactly() -> None:
    tags, pred_probs = random_tagged(500, 9, seed=4, dtype=np.float16)
    wide = pred_probs.astype(np.float64)
    for filter_by in FILTERS:
        np.testing.assert_array_equal(
            multilabel.find_label_issues_per_class(tags, pred_probs, filter_by=filter_by),
            multilabel.find_label_issues_per_class(tags, wide, filter_by=filter_by),
        )
    np.testing.assert_array_equal(
        multilabel.label_quality_scores(tags, pred_probs),
        multilabel.label_quality_scores(tags, wide),
    )


@pytest.mark.parametrize("filter_by", FILTERS)
def test_a_model_that_knows_nothing(filter_by: Any) -> None:
    """More candidates than are kept: they are looked for again."""
    rng = np.random.default_rng(6)
    pred_probs = rng.random((3000, 60)).astype(np.float32).round(2)
    tags = (rng.random(pred_probs.shape) < 0.5).astype(np.int64)
    expected = reference.find_label_issues_per_class(
        tags,
        pred_probs,
        thresholds=multilabel.confident_thresholds(tags, pred_probs),
        filter_by=filter_by,
    )
    mask = multilabel.find_label_issues_per_class(tags, pred_probs, filter_by=filter_by)
    np.testing.assert_array_equal(mask, expected)


@pytest.mark.parametrize("tag", [0, 1])
def test_a_tag_that_all_have_or_nobody(tag: int) -> None:
    tags, pred_probs = random_tagged(100, 4, seed=5)
    tags[:, 2] = tag
    thresholds = multilabel.confident_thresholds(tags, pred_probs)
    assert thresholds[2, 1 - tag] == 2
    for filter_by in FILTERS:
        expected = reference.find_label_issues_per_class(
            tags, pred_probs, thresholds=thresholds, filter_by=filter_by
        )
        mask = multilabel.find_label_issues_per_class(tags, pred_probs, filter_by=filter_by)
        np.testing.assert_array_equal(mask, expected)


def test_tiny_negative_probabilities_count_as_they_are() -> None:
    pred_probs = np.array([[-5e-7, 0.3], [-0.0, 0.9], [0.7, 1.0000005]])
    tags = np.array([[1, 0], [0, 1], [1, 1]])
    scores = multilabel.label_quality_scores_per_class(tags, pred_probs)
    np.testing.assert_array_equal(scores, [[0, 0.7], [1, 0.9], [0.7, 1]])
    expected = reference.confident_thresholds(tags, pred_probs)
    np.testing.assert_allclose(multilabel.confident_thresholds(tags, pred_probs), expected)


# --- Logits and scores ---------------------------------------------------------------------------


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
@pytest.mark.parametrize("temperature", [1.0, 2.5])
def test_the_sigmoid_of_logits_is_taken(dtype: Any, temperature: float) -> None:
    tags, pred_probs = random_tagged(400, 9, seed=10, noise=0.3)
    logits = (3 * np.log(pred_probs / (1 - pred_probs))).astype(dtype)
    expected = 1 / (1 + np.exp(-logits.astype(float) / temperature))
    options: dict[str, Any] = {"kind": "logits", "temperature": temperature}
    tolerance = 1e-13 if dtype is np.float64 else 1e-6
    np.testing.assert_allclose(
        multilabel.label_quality_scores_per_class(tags, logits, **options),
        multilabel.label_quality_scores_per_class(tags, expected),
        atol=tolerance,
    )
    for filter_by in FILTERS:
        np.testing.assert_array_equal(
            multilabel.find_label_issues_per_class(tags, logits, filter_by=filter_by, **options),
            multilabel.find_label_issues_per_class(tags, expected, filter_by=filter_by),
        )


def test_minus_infinity_is_a_logit_and_infinity_is_none() -> None:
    logits = np.array([[-np.inf, 3.0], [2.0, -1000.0]])
    scores = multilabel.label_quality_scores_per_class([[1], [0]], logits, kind="logits")
    assert scores[0, 0] == 1
    assert scores[1, 1] == 1
    logits[1, 0] = np.inf
    with refused(ProbabilityError, "pred_probs[1, 0] is inf"):
        multilabel.find_label_issues([[1], [0]], logits, kind="logits")


def test_scores_are_compared_with_their_means() -> None:
    tags, pred_probs = random_tagged(400, 9, seed=11, noise=0.3)
    scores = 1000 * (pred_probs - 0.5)
    thresholds = multilabel.confident_thresholds(tags, scores, kind="scores")
    for k in range(9):
        tagged = scores[tags[:, k] == 1, k]
        untagged = -scores[tags[:, k] == 0, k]
        expected = (untagged.mean(), tagged.mean() if len(tagged) else np.inf)
        np.testing.assert_allclose(thresholds[k], expected, rtol=1e-12)
    own = np.where(tags == 1, scores, -scores)
    per_class = multilabel.label_quality_scores_per_class(tags, scores, kind="scores")
    np.testing.assert_array_equal(per_class, own)
    mask = multilabel.find_label_issues_per_class(
        tags, scores, kind="scores", filter_by="predicted_neq_given"
    )
    np.testing.assert_array_equal(mask, own < 0)
    np.testing.assert_array_equal(
        multilabel.find_label_issues_per_class(tags, scores, kind="scores"),
        multilabel.find_label_issues_per_class(tags, pred_probs),
    )


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"aggregate": "softmin"}, "softmin needs probabilities"),
        ({"method": "confidence_weighted_entropy"}, "needs probabilities"),
        ({"adjust_pred_probs": True}, "adjust_pred_probs=True needs probabilities"),
        ({"temperature": 2.0}, "kind='scores' does not use temperature"),
    ],
)
def test_scores_are_no_probabilities(options: dict[str, Any], message: str) -> None:
    with refused(OptionError, message):
        multilabel.label_quality_scores([[0], [0], [1]], PROBS, kind="scores", **options)


# --- Forms of tags -------------------------------------------------------------------------------

NAMES = ["red", "green", "blue", "black", "white", "grey", "pink", "brown", "cyan"]


def forms_of(tags: np.ndarray) -> dict[str, Any]:
    lists = lists_of(tags)
    sparse = scipy.sparse.csr_array(tags)
    roomy = sparse.copy()
    roomy.data, roomy.indices = np.append(sparse.data, [7, 0]), np.append(sparse.indices, [0, 0])
    forms: dict[str, Any] = {
        "lists": lists,
        "tuple of tuples": tuple(map(tuple, lists)),
        "repeated and backwards": [row[::-1] + row for row in lists],
        "floats": [[float(tag) for tag in row] for row in lists],
        "sets": [set(row) for row in lists],
        "arrays": [np.array(row, dtype=np.int32) for row in lists],
        "generators": [iter(row) for row in lists],
        "objects": np.array([*lists, None], dtype=object)[:-1],
        "pandas": pd.Series(lists),
        "polars": pl.Series(lists, dtype=pl.List(pl.Int64)),
        "pyarrow": pa.array(lists, pa.list_(pa.int64())),
        "fortran": np.asfortranarray(tags),
        "strided": np.repeat(np.repeat(tags, 2, axis=0), 3, axis=1)[::2, ::3],
        "big endian": tags.astype(">i4"),
        "object cells": tags.astype(object),
        "pandas frame": pd.DataFrame(tags).astype({0: bool}),
        "polars frame": pl.DataFrame(tags, schema=[str(k) for k in range(tags.shape[1])]),
        "pyarrow table": pa.table({str(k): tags[:, k] for k in range(tags.shape[1])}),
        "csr": sparse,
        "csr with room for more": roomy,
        "csc": scipy.sparse.csc_matrix(tags),
        "coo": scipy.sparse.coo_array(tags.astype(bool)),
        "lil": scipy.sparse.lil_matrix(tags),
    }
    for dtype in "?bhilBHILefd":
        forms[f"dtype {dtype}"] = tags.astype(dtype)
    return forms


@given(likely_tagged())
def test_all_forms_of_tags_give_the_same_answer(data: Tagged) -> None:
    tags, pred_probs = data
    joint = multilabel.confident_joint(tags, pred_probs)
    for name, form in forms_of(tags).items():
        np.testing.assert_array_equal(multilabel.confident_joint(form, pred_probs), joint, name)
    names = NAMES[: tags.shape[1]]
    named = [[names[tag] for tag in row] for row in lists_of(tags)]
    np.testing.assert_array_equal(
        multilabel.confident_joint(named, pred_probs, classes=names), joint
    )
    np.testing.assert_array_equal(
        multilabel.confident_joint(lists_of(tags), pred_probs, classes=names), joint
    )
    numbered = [[10 * tag for tag in row] for row in lists_of(tags)]
    tens = [10 * k for k in range(tags.shape[1])]
    np.testing.assert_array_equal(
        multilabel.confident_joint(numbered, pred_probs, classes=tens), joint
    )


def test_explicit_zeros_and_minus_zeros_are_no_tags() -> None:
    pred_probs = np.array([[0.9, 0.2], [0.3, 0.8]])
    cells = ([1.0, 0.0, 1.0], ([0, 0, 1], [0, 1, 1]))
    expected = multilabel.confident_joint([[0], [1]], pred_probs)
    sparse = scipy.sparse.coo_array(cells, shape=(2, 2)).tocsr()
    assert sparse.nnz == 3
    np.testing.assert_array_equal(multilabel.confident_joint(sparse, pred_probs), expected)
    assert sparse.nnz == 3
    dense = np.array([[1.0, -0.0], [-0.0, 1.0]])
    np.testing.assert_array_equal(multilabel.confident_joint(dense, pred_probs), expected)


def test_many_rows_of_tags_are_read_in_order() -> None:
    tags, pred_probs = random_tagged(10_000, 70, seed=8, dtype=np.float32)
    joint = multilabel.confident_joint(lists_of(tags), pred_probs)
    for form in (tags.astype(bool), np.asfortranarray(tags), scipy.sparse.csr_array(tags)):
        np.testing.assert_array_equal(multilabel.confident_joint(form, pred_probs), joint)


# --- Errors --------------------------------------------------------------------------------------

PROBS = np.array([[0.9, 0.2], [0.3, 0.8], [0.5, 0.5]])


@pytest.mark.parametrize(
    ("labels", "error", "message"),
    [
        ([[0], [2], [1]], LabelError, "labels[1] holds 2; if your tags are names"),
        ([[0], [-1], [1]], LabelError, "labels[1] holds -1"),
        ([[0], [1.5], [1]], LabelError, "labels[1] holds 1.5, but must hold whole numbers"),
        ([[0], [None], [1]], LabelError, "labels[1] holds None, which is missing"),
        ([[0], ["a"], [1]], LabelError, "labels[1] holds 'a', a name; pass classes=[...]"),
        ([[0], [10**30], [1]], LabelError, "labels[1] holds 1000000"),
        ([[0], [float("nan")], [1]], LabelError, "labels[1] holds nan"),
        ([[0], None, [1]], LabelError, "labels[1] is missing (None)"),
        ([0, 1, 1], InputTypeError, "labels[0] is 0, but must be a list of the classes"),
        (["a", "b", "b"], InputTypeError, "labels[0] is 'a', but must be a list of the classes"),
        (np.array([0, 1, 1]), ShapeError, "must be a list with a list of classes for each example"),
        ([[0], [1]], ShapeError, "labels has 2 entries, but pred_probs has 3 rows"),
        ([[0], [[0]], [1]], LabelError, "labels[1] holds [0], but must hold whole numbers"),
        ([[True, False], [], []], LabelError, "pass np.array(labels)"),
        (np.zeros((2, 2)), ShapeError, "labels has 2 entries, but pred_probs has 3 rows"),
        (np.zeros((3, 3)), ShapeError, "a column for each of the 2 classes of pred_probs"),
        (np.array([[0, 1], [0, 2], [3, 1]]), LabelError, "labels[1, 1] is 2"),
        (np.asfortranarray([[0, 1], [0, -1], [3, 1]]), LabelError, "labels[1, 1] is -1"),
        (np.array([[0, 1], [0, 0.5], [1, 1]]), LabelError, "labels[1, 1] is 0.5"),
        (np.array([[0, 1], [0, np.nan], [1, 1]], "f4"), LabelError, "labels[1, 1] is NaN"),
        (np.array([["0", "1"]] * 3), InputTypeError, "must hold 0 and 1"),
        (np.array([[0, 1], [0, None], [1, 1]]), LabelError, "labels[1, 1] is None"),
        (scipy.sparse.csr_array([[0, 1], [0, 2], [1, 1]]), LabelError, "labels[1, 1] is 2"),
        (scipy.sparse.csr_array((4, 2)), ShapeError, "labels has 4 entries"),
        (pd.DataFrame({"a": [0, 1, 1], "b": [0, None, 1]}), LabelError, "labels[1, 1] is NaN"),
        (pl.DataFrame({"a": [0, 1, 1], "b": [0, None, 1]}), LabelError, "[1] is missing"),
        (pl.DataFrame({"a": [0, 1, 1], "b": ["x", "y", "z"]}), InputTypeError, "0 and 1"),
    ],
)
def test_bad_tags_are_named(labels: Any, error: type[Exception], message: str) -> None:
    with refused(error, message):
        multilabel.find_label_issues(labels, PROBS)


def test_unknown_names_are_named() -> None:
    with refused(
        LabelError, "labels[1] holds 'bleu', which is not in classes; did you mean 'blue'"
    ):
        multilabel.find_label_issues([["red"], ["bleu"], []], PROBS, classes=["red", "blue"])


def test_what_is_no_name_is_named() -> None:
    with refused(LabelError, "labels[0] holds ['red'], which is not in classes"):
        multilabel.find_label_issues([[["red"]], [], ["blue"]], PROBS, classes=["red", "blue"])


def test_a_list_of_zeros_and_ones_is_no_list_of_classes() -> None:
    with refused(LabelError, "look like zeros and ones for each class; pass np.array(labels)"):
        multilabel.find_label_issues([[0, 1, 1], [1, 0, 0]], np.full((2, 3), 0.5))


@pytest.mark.parametrize("function", ["find_label_issues", "label_quality_scores"])
@pytest.mark.parametrize("value", [np.nan, np.inf, -0.1, 1.1])
def test_bad_probabilities_are_named(function: str, value: float) -> None:
    pred_probs = np.full((5000, 40), 0.25)
    pred_probs[1234, 7] = value
    pred_probs[4000, 2] = np.nan
    with refused(ProbabilityError, "pred_probs[1234, 7] is "):
        getattr(multilabel, function)([[0]] * 5000, pred_probs)


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"filter_by": "prune_by_clas"}, OptionError, "did you mean 'prune_by_class'?"),
        ({"frac_noise": 2}, OptionError, "frac_noise=2 is not a number between 0 and 1"),
        ({"num_to_remove_per_class": [1]}, ShapeError, "one entry for each of the 2 classes"),
        ({"num_to_remove_per_class": [[0, 0], [-1, 0]]}, InputError, "per_class[1, 0] is -1"),
        ({"num_to_remove_per_class": [[0, 3], [0, 0]]}, OptionError, "with the tag 0"),
        ({"num_to_remove_per_class": [4, 0]}, OptionError, "without the tag 0"),
        ({"confident_joint": np.ones((2, 2))}, ShapeError, "the shape (2, 2, 2)"),
        ({"confident_joint": -np.ones((2, 2, 2))}, InputError, "confident_joint[0, 0, 0] is -1"),
        ({"filter_by": "both", "min_examples_per_class": -1}, OptionError, "whole number"),
        (
            {"filter_by": "predicted_neq_given", "frac_noise": 0.5},
            OptionError,
            "does not use frac_noise",
        ),
    ],
)
def test_bad_options_are_named(
    options: dict[str, Any], error: type[Exception], message: str
) -> None:
    with refused(error, message):
        multilabel.find_label_issues([[0], [0], [1]], PROBS, **options)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"method": "entropy"}, "method='entropy' is not one of"),
        ({"aggregate": "max"}, "aggregate='max' is not one of"),
        ({"alpha": 1.5}, "alpha=1.5 is not a number between 0 and 1"),
        ({"aggregate": "softmin", "softmin_temperature": 0}, "is not a finite number above 0"),
        ({"aggregate": "softmin", "softmin_temperature": 1e306}, "must lie between 1e-30 and 1e30"),
        ({"aggregate": "softmin", "alpha": 0.5}, "aggregate='softmin' does not use alpha"),
        ({"aggregate": "min", "softmin_temperature": 1.0}, "does not use softmin_temperature"),
        ({"method": SCORES[2], "adjust_pred_probs": True}, "adjust_pred_probs=True does not go"),
    ],
)
def test_bad_options_of_scores_are_named(options: dict[str, Any], message: str) -> None:
    with refused(OptionError, message):
        multilabel.label_quality_scores([[0], [0], [1]], PROBS, **options)


@pytest.mark.parametrize("kind", ["probabilities", "logits", "scores"])
@pytest.mark.parametrize("shape", [(3,), (3, 1)])
def test_a_single_column_is_not_taken_for_two_tags(kind: Any, shape: tuple[int, ...]) -> None:
    with refused(ShapeError, "for a single tag use the functions of conflearn itself"):
        multilabel.find_label_issues([[0], [1], []], np.full(shape, 0.5), kind=kind)


def test_a_matrix_for_each_class_is_told_what_to_do() -> None:
    pred_probs = [np.full((3, 2), 0.5)] * 4  # predict_proba of a forest of four tags
    with refused(ShapeError, "pass np.column_stack([p[:, 1] for p in pred_probs])"):
        multilabel.find_label_issues([[0], [1], []], pred_probs)
    with refused(ShapeError, "with the shape (4, 3, 5)"):
        multilabel.find_label_issues([[0], [1], []], np.zeros((4, 3, 5)))


@pytest.mark.parametrize("labels", [[[0, 1], [1], []], np.array([[1, 1], [0, 1], [0, 0]])])
def test_tags_are_sent_here_by_functions_of_labels(labels: Any) -> None:
    with refused(ShapeError, "there is conflearn.multilabel"):
        conflearn.find_label_issues(labels, PROBS)


def test_an_empty_joint_is_named() -> None:
    joint = np.ones((2, 2, 2))
    joint[1] = 0
    with refused(InputError, "confident_joint[1] must count at least one example"):
        multilabel.calibrate_confident_joint(joint, [[0], [1]])


# --- Health --------------------------------------------------------------------------------------


def test_the_health_of_a_data_set() -> None:
    tags, pred_probs = random_tagged(300, 5, seed=9, noise=0.3)
    names = NAMES[:5]
    mask = multilabel.find_label_issues_per_class(tags, pred_probs)
    for labels in (tags, lists_of(tags), scipy.sparse.csr_array(tags)):
        health = multilabel.dataset_health(labels, pred_probs, classes=names)
        assert health.num_issues == mask.any(axis=1).sum()
        assert health.issue_share == health.num_issues / 300
        assert health.health_score == 1 - health.issue_share
        assert (health.n_examples, health.n_classes) == (300, 5)
        assert health.class_names == tuple(names)
        classes = health.classes
        wrong, lacking = (mask & (tags == 1)).sum(axis=0), (mask & (tags == 0)).sum(axis=0)
        noise, n_given = wrong / tags.sum(axis=0), tags.sum(axis=0)
        order = np.argsort(1 - noise, kind="stable")
        np.testing.assert_array_equal(classes.class_index, order)
        assert classes.class_name.tolist() == [names[k] for k in order]
        np.testing.assert_array_equal(classes.label_issues, wrong[order])
        np.testing.assert_array_equal(classes.inverse_label_issues, lacking[order])
        np.testing.assert_array_equal(classes.label_noise, noise[order])
        inverse = lacking / (n_given - wrong + lacking)
        np.testing.assert_array_equal(classes.inverse_label_noise, inverse[order])
        np.testing.assert_array_equal(classes.label_quality, 1 - noise[order])
        common = health.common_issues
        assert (np.diff(common.num_examples) <= 0).all()
        for issue in common:
            assert issue.class_name == names[issue.class_index]
            column = mask[:, issue.class_index]
            side = tags[:, issue.class_index] == issue.in_given_label
            assert issue.num_examples == (column & side).sum()
            assert issue.in_suggested_label != issue.in_given_label
            assert issue.issue_probability == issue.num_examples / 300
    unnamed = multilabel.dataset_health(tags, pred_probs)
    assert unnamed.classes.class_name.dtype == np.int64


def test_the_health_of_tags_has_the_fields_of_that_of_labels() -> None:
    of_tags = multilabel.dataset_health([[0], [0, 1], [1]], PROBS)
    of_labels = conflearn.dataset_health([0, 1, 1], PROBS)
    assert of_tags.classes.dtype.names == of_labels.classes.dtype.names
    shared = ("num_issues", "n_examples", "n_classes", "class_names", "issue_share")
    assert all(hasattr(health, name) for health in (of_tags, of_labels) for name in shared)


def test_a_tag_that_nobody_has_is_of_full_quality() -> None:
    health = multilabel.dataset_health([[0], [0], [0]], [[0.9, 0.1], [0.8, 0.2], [0.7, 0.1]])
    assert health.classes.label_quality.tolist() == [1, 1]
    assert health.classes.inverse_label_noise.tolist() == [0, 0]


def test_the_health_of_tags_is_short_to_read_and_fits_into_frames() -> None:
    tags, pred_probs = random_tagged(300, 50, noise=0.3)
    health = multilabel.dataset_health(tags, pred_probs)
    assert len(repr(health).splitlines()) == 3
    assert "TagHealth of 300 examples with tags of 50 classes" in repr(health)
    assert health.to_frame(library="polars").shape == (50, 7)
    assert health.to_frame("common_issues", library="pandas").shape == (100, 6)
    with refused(OptionError, "table='class_ranking' is not one of"):
        health.to_frame("class_ranking")  # type: ignore[arg-type]


# --- Beside cleanlab -----------------------------------------------------------------------------

# cleanlab raises where a tag is on all examples, and its order of ties depends on the CPU: neither
# is in these data. Between two classes its rule for several confident ones is ours.


@pytest.fixture(scope="module", params=range(4))
def beside(request: pytest.FixtureRequest) -> Tagged:
    return random_tagged(400, 6, seed=20 + request.param, noise=0.25)


@pytest.mark.filterwarnings("default")
@pytest.mark.parametrize("filter_by", FILTERS)
def test_cleanlab_flags_the_same_cells(beside: Tagged, filter_by: Any) -> None:
    lists = lists_of(beside.tags)
    theirs = their_filter.find_multilabel_issues_per_class(
        lists, beside.pred_probs, filter_by=filter_by, n_jobs=1
    )
    ours = multilabel.find_label_issues_per_class(lists, beside.pred_probs, filter_by=filter_by)
    np.testing.assert_array_equal(ours, theirs)
    if not filter_by.startswith("low_"):
        theirs = their_filter.find_label_issues(
            lists, beside.pred_probs, filter_by=filter_by, n_jobs=1
        )
        np.testing.assert_array_equal(
            multilabel.find_label_issues(lists, beside.pred_probs, filter_by=filter_by), theirs
        )


@pytest.mark.filterwarnings("default")
def test_cleanlab_ranks_the_same_examples(beside: Tagged) -> None:
    lists = lists_of(beside.tags)
    for rank_by in SCORES:
        theirs = their_filter.find_label_issues(
            lists, beside.pred_probs, return_indices_ranked_by=rank_by, n_jobs=1
        )
        ours = multilabel.rank_label_issues(lists, beside.pred_probs, rank_by=rank_by)
        np.testing.assert_array_equal(ours, theirs)


def test_cleanlab_counts_the_same(beside: Tagged) -> None:
    lists = lists_of(beside.tags)
    np.testing.assert_allclose(
        multilabel.confident_thresholds(lists, beside.pred_probs),
        get_confident_thresholds(lists, beside.pred_probs, multi_label=True),
        rtol=1e-12,
    )
    for calibrate in (False, True):
        theirs = compute_confident_joint(
            lists, beside.pred_probs, multi_label=True, calibrate=calibrate
        )
        ours = multilabel.confident_joint(lists, beside.pred_probs, calibrate=calibrate)
        np.testing.assert_array_equal(ours, theirs)


def test_cleanlab_scores_the_same(beside: Tagged) -> None:
    lists = lists_of(beside.tags)
    for method, adjust in itertools.product(SCORES, (False, True)):
        if adjust and method == "confidence_weighted_entropy":
            continue
        ours = multilabel.label_quality_scores_per_class(
            lists, beside.pred_probs, method=method, adjust_pred_probs=adjust
        )
        theirs = their_rank.get_label_quality_scores_per_class(
            lists, beside.pred_probs, method=method, adjust_pred_probs=adjust
        )
        np.testing.assert_allclose(ours, theirs, rtol=1e-9, atol=1e-12)
        for aggregate, option in (
            ("exponential_moving_average", {"alpha": 0.8}),
            ("exponential_moving_average", {"alpha": 0.3}),
            ("softmin", {"temperature": 0.1}),
        ):
            ours = multilabel.label_quality_scores(
                lists,
                beside.pred_probs,
                method=method,
                adjust_pred_probs=adjust,
                aggregate=aggregate,  # type: ignore[arg-type]
                **{key.replace("temp", "softmin_temp"): value for key, value in option.items()},
            )
            theirs = their_rank.get_label_quality_scores(
                lists,
                beside.pred_probs,
                method=method,
                adjust_pred_probs=adjust,
                aggregator_kwargs={"method": aggregate, **option},
            )
            np.testing.assert_allclose(ours, theirs, rtol=1e-9, atol=1e-12)


@pytest.mark.filterwarnings("default")
def test_cleanlab_tabulates_the_same(beside: Tagged) -> None:
    lists, names = lists_of(beside.tags), NAMES[:6]
    health = multilabel.dataset_health(lists, beside.pred_probs, classes=names)
    theirs = common_multilabel_issues(lists, beside.pred_probs, class_names=names)
    ours = pd.DataFrame(health.common_issues)
    key = ["Class Name", "In Given Label"]
    theirs = theirs.sort_values(key).reset_index(drop=True)
    ours = ours.sort_values(["class_name", "in_given_label"]).reset_index(drop=True)
    np.testing.assert_array_equal(ours["num_examples"], theirs["Num Examples"])
    np.testing.assert_array_equal(ours["issue_probability"], theirs["Issue Probability"])
    ranking = rank_classes_by_multilabel_quality(lists, beside.pred_probs, class_names=names)
    ranking = ranking.set_index("Class Name")
    for row in health.classes:  # cleanlab's shares are of all examples
        theirs_of_class = ranking.loc[row.class_name]
        assert row.label_issues == theirs_of_class["Label Issues"]
        assert row.inverse_label_issues == theirs_of_class["Inverse Label Issues"]
    assert health.health_score == pytest.approx(
        overall_multilabel_health_score(lists, beside.pred_probs)
    )
