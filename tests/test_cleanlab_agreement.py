"""The drop-in layer side by side with cleanlab: same answers, warnings, errors.

Where the two differ on purpose, the difference has a name in `INTENDED_DIFFERENCES` and a test
`test_difference_<name>` that shows both sides of it.
"""

import inspect
import subprocess
import sys
from decimal import Decimal
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from conflearn.cleanlab import count, rank
from conflearn.cleanlab import filter as filters
from conflearn.errors import LabelError, OptionError
from side_by_side import assert_equal, assert_shown_and_documented, outcome, public_functions
from strategies import (
    FILTERS,
    PRIOR_METHODS,
    PRUNE_FILTERS,
    SCORES,
    Data,
    joints,
    likely_data,
    random_data,
    random_joint,
)

pytest.importorskip("cleanlab")

INTENDED_DIFFERENCES = {
    "stable_order": "Ties go to the lower index; there the order depends on the CPU.",
    "nan_rejected": "NaN raises ValueError naming row and column; there it is accepted silently.",
    "lists_and_frames_accepted": "pred_probs may be a list or a frame; there only an ndarray.",
    "whole_floats_and_frames_are_labels": "Labels may be whole floats or a frame of one column; "
    "there they pass validation, then crash.",
    "entropy_limit": "A row of almost no entropy gets nearly the limit 1; there nearly 0, as if it "
    "were the worst.",
    "thresholds_float64": "Thresholds are float64; there their dtype depends on the matrix and on "
    "whether a class is absent.",
    "narrow_arithmetic_in_float64": "float16 and float32 cells are taken at their exact values and "
    "computed with in float64; there sums and slacks are rounded to the narrow type. "
    "(The terms of the entropy are float32 for cells of at most that width.)",
    "n_jobs_means_threads": "n_jobs is the number of threads; there it forks a pool of processes.",
    "scores_clamped": "Scores lie in [0, 1]; there a probability within the tolerance above 1 is "
    "a score above 1.",
    "nothing_kept_alive": "No array outlives the call; there a module global keeps a copy.",
    "bad_labels_named": "Labels that are no column are refused by name; there they crash, in ways "
    "that depend on the function.",
    "bad_masks_named": "A mask that does not fit is refused by name, as is a slice; there it is an "
    "IndexError, and a slice is taken.",
    "bad_numbers_named": "Joints, numbers to remove and options that make no sense are refused by "
    "name; there they are computed with, or crash.",
    "singular_matrix_named": "A noise matrix without an inverse is an error that names "
    "py_method, and a LinAlgError too. If it nearly has none, the numbers may differ.",
    "one_column_refused": "A matrix of one column is refused; there some functions take it.",
    "few_examples_warned": "A class too small to prune is always warned of; there worker processes "
    "warn, which the caller can neither catch nor silence.",
    "clf_made_when_needed": "clf=None stands for LogisticRegression(), which is the default there.",
}

MODULES = ("count", "filter", "rank")
OURS = {"count": count, "filter": filters, "rank": rank}


# --- Side by side


class Layers:
    """Calls a function of both layers, and demands that the same comes of it."""

    def __init__(self, cleanlab: SimpleNamespace) -> None:
        self.cleanlab = cleanlab

    def agree(self, name: str, *args: Any, rtol: float = 1e-9, **kwargs: Any) -> Any:
        module = next(m for m in MODULES if name in public_functions(getattr(self.cleanlab, m)))
        ours = outcome(getattr(OURS[module], name), *args, **kwargs)
        theirs = outcome(getattr(getattr(self.cleanlab, module), name), *args, **kwargs)
        assert ours.warned == theirs.warned
        if theirs.error is not None:
            assert isinstance(ours.error, type(theirs.error)), (ours, theirs)
            return None
        if ours.error is not None:
            raise ours.error
        assert_equal(ours.value, theirs.value, rtol)
        return ours.value


@pytest.fixture(scope="module")
def both(cleanlab: SimpleNamespace) -> Layers:
    return Layers(cleanlab)


def test_every_intended_difference_is_shown_and_documented() -> None:
    assert_shown_and_documented(INTENDED_DIFFERENCES, globals())


# --- count


@given(likely_data())
def test_thresholds(both: Layers, data: Data) -> None:
    both.agree("get_confident_thresholds", *data, rtol=1e-12)


@given(likely_data(), st.booleans(), st.booleans())
def test_confident_joint(both: Layers, data: Data, calibrate: bool, indices: bool) -> None:
    both.agree(
        "compute_confident_joint",
        *data,
        calibrate=calibrate,
        return_indices_of_off_diagonals=indices,
    )


@given(likely_data(max_classes=6), st.data())
def test_confident_joint_with_given_thresholds(
    both: Layers, data: Data, draw: st.DataObject
) -> None:
    n_classes = data.pred_probs.shape[1]
    thresholds = draw.draw(st.lists(st.floats(0, 1.5), min_size=n_classes, max_size=n_classes))
    for form in (thresholds, np.array(thresholds)):
        both.agree(
            "compute_confident_joint",
            *data,
            thresholds=form,
            calibrate=False,
            return_indices_of_off_diagonals=True,
        )


@pytest.mark.parametrize(
    "thresholds",
    [
        0.3,
        np.array(0.3),
        [0.3],
        [[0.2, 0.3, 0.4]],
        np.nan,
        [0.3, np.nan, 0.4],
        [0.3, np.inf, 0.4],
        [0.3, -np.inf, 0.4],
    ],
    ids=str,
)
def test_thresholds_that_numpy_would_broadcast(both: Layers, thresholds: Any) -> None:
    both.agree(
        "compute_confident_joint",
        *random_data(60, 3),
        thresholds=thresholds,
        return_indices_of_off_diagonals=True,
    )


def test_a_joint_of_zeros(both: Layers) -> None:
    joint = np.zeros((3, 3))
    both.agree("calibrate_confident_joint", joint, LABELS)
    both.agree("estimate_joint", LABELS, PRED_PROBS, confident_joint=joint)
    both.agree("estimate_latent", joint, LABELS)
    both.agree("find_label_issues", LABELS, PRED_PROBS, confident_joint=joint, n_jobs=1)


@given(joints())
def test_calibration(both: Layers, joint_and_labels: tuple[np.ndarray, np.ndarray]) -> None:
    joint, labels = joint_and_labels
    # In the memory order that compute_confident_joint returns: it decides how a sum is rounded.
    both.agree("calibrate_confident_joint", np.asfortranarray(joint), labels)


@given(likely_data(max_classes=9), st.integers(0, 1000))
def test_joint(both: Layers, data: Data, seed: int) -> None:
    both.agree("estimate_joint", *data)
    joint = np.asfortranarray(random_joint(data.pred_probs.shape[1], seed=seed))
    both.agree("estimate_joint", *data, confident_joint=joint)


@given(likely_data(max_classes=9), st.integers(0, 1000))
def test_number_of_issues(both: Layers, data: Data, seed: int) -> None:
    joint = np.asfortranarray(random_joint(data.pred_probs.shape[1], seed=seed))
    for method in ("off_diagonal", "off_diagonal_calibrated", "off_diagonal_custom", "nonsense"):
        both.agree("num_label_issues", *data, estimation_method=method)
        both.agree("num_label_issues", *data, estimation_method=method, confident_joint=joint)


@given(joints(), st.sampled_from([*PRIOR_METHODS, "nonsense"]), st.booleans())
def test_latent_estimates(
    both: Layers, joint_and_labels: tuple[np.ndarray, np.ndarray], py_method: str, converge: bool
) -> None:
    joint, labels = joint_and_labels
    if py_method == "eqn":  # solves a system of equations: only for a sound matrix
        assume(np.linalg.cond(joint / joint.sum(axis=0)) < 1e4)
    both.agree(
        "estimate_latent",
        joint,
        labels,
        py_method=py_method,
        converge_latent_estimates=converge,
    )


@given(likely_data(max_classes=9), st.sampled_from(["cnt", "marginal"]), st.booleans())
def test_latent_estimates_from_probabilities(
    both: Layers, data: Data, py_method: str, flag: bool
) -> None:
    both.agree(
        "estimate_py_and_noise_matrices_from_probabilities",
        *data,
        py_method=py_method,
        converge_latent_estimates=flag,
        calibrate=not flag,
    )


@pytest.mark.parametrize(
    "name",
    [
        "estimate_confident_joint_and_cv_pred_proba",
        "estimate_py_noise_matrices_and_cv_pred_proba",
        "estimate_cv_predicted_probabilities",
        "estimate_noise_matrices",
    ],
)
def test_cross_validation(both: Layers, name: str) -> None:
    linear_model = pytest.importorskip("sklearn.linear_model")
    rng = np.random.default_rng(0)
    labels = np.repeat([0, 1, 2], 30)
    features = rng.normal(size=(90, 2)) + labels[:, None]
    labels[::7] = (labels[::7] + 1) % 3
    both.agree(name, features, labels, linear_model.LogisticRegression(), cv_n_folds=3, seed=1)
    both.agree(name, features, labels, seed=2)
    categories = pytest.importorskip("pandas").Series(labels, dtype="category")
    both.agree(name, features, categories, seed=2)


def test_names_of_classes_are_no_labels() -> None:
    """No advice is given to pass names, which these functions take nowhere."""
    pandas = pytest.importorskip("pandas")
    texts = pandas.Series(LABELS.astype(str), dtype="category")
    of_data = r"labels\[0\] is '.', which is no column of"
    with pytest.raises(LabelError, match=f"{of_data} pred_probs"):
        filters.find_label_issues(texts, PRED_PROBS)
    for labels in (texts, texts.tolist()):
        with pytest.raises(LabelError, match=f"{of_data} the data"):
            count.estimate_cv_predicted_probabilities(PRED_PROBS, labels)


# --- filter


@pytest.mark.parametrize("filter_by", FILTERS)
@given(data=likely_data(), minimum=st.sampled_from([0, 1, 5]))
def test_masks(both: Layers, data: Data, minimum: int, filter_by: str) -> None:
    both.agree(
        "find_label_issues",
        *data,
        filter_by=filter_by,
        min_examples_per_class=minimum,
        n_jobs=1,
    )


@pytest.mark.parametrize("filter_by", FILTERS)
@pytest.mark.parametrize(
    ("n_examples", "n_classes", "options"),
    [
        (3000, 2, {}),
        (3000, 30, {"decimals": 2}),
        (4000, 10, {"imbalance": 0.5}),
        (2500, 20, {"n_absent": 7, "decimals": 1}),
        (1, 2, {}),
    ],
)
def test_masks_of_larger_data(
    both: Layers, n_examples: int, n_classes: int, options: dict[str, Any], filter_by: str
) -> None:
    data = random_data(n_examples, n_classes, **options)
    both.agree("find_label_issues", *data, filter_by=filter_by, n_jobs=1)
    both.agree(
        "find_label_issues",
        *data,
        filter_by=filter_by,
        return_indices_ranked_by="self_confidence",
        n_jobs=1,
    )


@pytest.mark.parametrize("filter_by", FILTERS)
@given(
    data=likely_data(max_classes=12),
    frac_noise=st.sampled_from([0.9, 0.7, 0.5, 0.3, 0.1, 0.0]),
    minimum=st.sampled_from([0, 1, 5]),
)
def test_frac_noise(
    both: Layers, data: Data, frac_noise: float, minimum: int, filter_by: str
) -> None:
    both.agree(
        "find_label_issues",
        *data,
        filter_by=filter_by,
        frac_noise=frac_noise,
        min_examples_per_class=minimum,
        n_jobs=1,
    )


@st.composite
def data_and_removals(draw: st.DrawFn) -> tuple[Data, list[int]]:
    data = draw(likely_data(max_classes=9))
    counts = np.bincount(data.labels, minlength=data.pred_probs.shape[1])
    return data, [draw(st.integers(0, int(count))) for count in counts]


@pytest.mark.parametrize("filter_by", PRUNE_FILTERS)
@pytest.mark.parametrize("removals", [3, [[3, 1, 2]], [2.5, 0, 1]], ids=str)
def test_removals_that_numpy_would_broadcast(both: Layers, filter_by: str, removals: Any) -> None:
    both.agree(
        "find_label_issues",
        LABELS,
        PRED_PROBS,
        filter_by=filter_by,
        num_to_remove_per_class=np.array(removals),
        n_jobs=1,
    )


@pytest.mark.parametrize("filter_by", [*PRUNE_FILTERS, "confident_learning"])
@given(drawn=data_and_removals())
def test_num_to_remove_per_class(
    both: Layers, drawn: tuple[Data, list[int]], filter_by: str
) -> None:
    data, removals = drawn
    both.agree(
        "find_label_issues",
        *data,
        filter_by=filter_by,
        num_to_remove_per_class=removals,
        n_jobs=1,
    )


@pytest.mark.parametrize("filter_by", FILTERS)
@given(data=likely_data(max_classes=9), seed=st.integers(0, 1000), minimum=st.integers(0, 5))
def test_a_given_joint(both: Layers, data: Data, seed: int, minimum: int, filter_by: str) -> None:
    joint = random_joint(data.pred_probs.shape[1], seed=seed, total=len(data.labels))
    both.agree(
        "find_label_issues",
        *data,
        filter_by=filter_by,
        confident_joint=joint,
        min_examples_per_class=minimum,
        n_jobs=1,
    )


@pytest.mark.parametrize("filter_by", FILTERS)
@given(data=likely_data(max_classes=9), seed=st.integers(0, 1000))
def test_a_given_joint_with_zeros_on_its_diagonal(
    both: Layers, data: Data, seed: int, filter_by: str
) -> None:
    joint = random_joint(data.pred_probs.shape[1], seed=seed, total=len(data.labels))
    np.fill_diagonal(joint, 0)
    both.agree(
        "find_label_issues",
        *data,
        filter_by=filter_by,
        confident_joint=joint,
        min_examples_per_class=5,
        n_jobs=1,
    )


@pytest.mark.parametrize("rank_by", ["self_confidence", "normalized_margin"])
@pytest.mark.parametrize("filter_by", ["prune_by_noise_rate", "low_normalized_margin"])
@given(data=likely_data(), adjust=st.booleans())
def test_ranked_issues(
    both: Layers, data: Data, adjust: bool, filter_by: str, rank_by: str
) -> None:
    options: dict[str, Any] = {
        "filter_by": filter_by,
        "return_indices_ranked_by": rank_by,
        "rank_by_kwargs": {"adjust_pred_probs": adjust},
        "n_jobs": 1,
    }
    if not adjust:
        both.agree("find_label_issues", *data, **options)
        return
    ours = outcome(filters.find_label_issues, *data, **options)
    theirs = outcome(both.cleanlab.filter.find_label_issues, *data, **options)
    if theirs.error is not None:
        assert isinstance(ours.error, type(theirs.error))
        return
    scores = both.cleanlab.rank.get_label_quality_scores(
        *data, method=rank_by, adjust_pred_probs=True
    )
    assert_same_order(ours.value, theirs.value, scores)


def assert_same_order(ours: np.ndarray, theirs: np.ndarray, scores: np.ndarray) -> None:
    """Equal except among scores that are equal but for their last bits."""
    assert ours.dtype == theirs.dtype
    assert sorted(ours) == sorted(theirs)
    np.testing.assert_allclose(scores[ours], scores[theirs], rtol=1e-12, atol=1e-12)


@given(likely_data())
def test_predicted_neq_given(both: Layers, data: Data) -> None:
    both.agree("find_predicted_neq_given", *data)


@pytest.mark.parametrize("filter_by", PRUNE_FILTERS)
@given(data=likely_data(max_classes=6), calibrate=st.booleans())
def test_the_confusion_matrix_as_joint(
    both: Layers, data: Data, calibrate: bool, filter_by: str
) -> None:
    n_classes = data.pred_probs.shape[1]
    seen = np.union1d(data.labels, data.pred_probs.argmax(axis=1))
    assume(len(seen) == n_classes)  # otherwise the two disagree on the number of classes there
    both.agree(
        "find_label_issues_using_argmax_confusion_matrix",
        *data,
        calibrate=calibrate,
        filter_by=filter_by,
    )


# --- rank


@pytest.mark.parametrize("method", [*SCORES, "nonsense"])
@given(data=likely_data(), adjust=st.booleans())
def test_scores(both: Layers, data: Data, adjust: bool, method: str) -> None:
    if method == "confidence_weighted_entropy":
        data = without_certainty(data)
    both.agree(
        "get_label_quality_scores", *data, method=method, adjust_pred_probs=adjust, rtol=1e-6
    )
    if method in SCORES:
        both.agree(f"get_{method}_for_each_label", *data, rtol=1e-6)


def without_certainty(data: Data) -> Data:
    """Rows for which the entropy score is no limit: there the two differ, see below."""
    keep = data.pred_probs.max(axis=1) < 0.9999
    assume(keep.any())
    return Data(data.labels[keep], data.pred_probs[keep])


@pytest.mark.parametrize("rank_by", SCORES)
@given(data=likely_data(), draw=st.data())
def test_orders(cleanlab: SimpleNamespace, data: Data, draw: st.DataObject, rank_by: str) -> None:
    if rank_by == "confidence_weighted_entropy":
        data = without_certainty(data)
    n_examples = len(data.labels)
    mask = np.array(draw.draw(st.lists(st.booleans(), min_size=n_examples, max_size=n_examples)))
    ours = outcome(rank.order_label_issues, mask, *data, rank_by=rank_by)
    theirs = outcome(cleanlab.rank.order_label_issues, mask, *data, rank_by=rank_by)
    if theirs.error is not None:
        assert isinstance(ours.error, type(theirs.error))
        return
    scores = cleanlab.rank.get_label_quality_scores(*data, method=rank_by)
    assert_same_order(ours.value, theirs.value, scores)
    if rank_by == "self_confidence":
        np.testing.assert_array_equal(ours.value, theirs.value)


@pytest.mark.parametrize(
    "indices",
    [np.array([3, 5, 1]), [3, 5, 1], np.array([3, 3, -1]), np.array([7], np.uint8), [], [99]],
    ids=str,
)
@pytest.mark.parametrize("rank_by", ["self_confidence", "normalized_margin"])
def test_indices_in_place_of_a_mask(both: Layers, rank_by: str, indices: Any) -> None:
    both.agree("order_label_issues", indices, LABELS, PRED_PROBS, rank_by=rank_by)


@pytest.mark.parametrize("method", ["self_confidence", "normalized_margin"])
@pytest.mark.parametrize(
    "options",
    [
        {},
        {"weight_ensemble_members_by": "uniform"},
        {"weight_ensemble_members_by": "accuracy", "adjust_pred_probs": True},
        {"weight_ensemble_members_by": "log_loss_search"},
        {
            "weight_ensemble_members_by": "log_loss_search",
            "log_loss_search_T_values": [0.1, 1.0, 5.0],
        },
        {"weight_ensemble_members_by": "custom", "custom_weights": np.array([0.2, 0.5, 0.3])},
        {"weight_ensemble_members_by": "custom", "custom_weights": np.array([0.2, 0.5])},
        {"weight_ensemble_members_by": "custom"},
        {"weight_ensemble_members_by": "nonsense"},
        {"custom_weights": np.array([0.2, 0.5, 0.3])},
    ],
    ids=str,
)
def test_ensemble_scores(both: Layers, method: str, options: dict[str, Any]) -> None:
    labels, _ = random_data(200, 4)
    models = [random_data(200, 4, seed=seed).pred_probs for seed in range(3)]
    both.agree(
        "get_label_quality_ensemble_scores",
        labels,
        models,
        method=method,
        verbose=False,
        rtol=1e-6,
        **options,
    )


def test_ensembles_say_how_they_weigh(both: Layers, capsys: pytest.CaptureFixture[str]) -> None:
    labels, pred_probs = random_data(200, 4)
    for weights in ("uniform", "accuracy", "log_loss_search"):
        capsys.readouterr()
        both.agree(
            "get_label_quality_ensemble_scores",
            labels,
            [pred_probs, pred_probs[:, ::-1].copy()],
            weight_ensemble_members_by=weights,
        )
        assert capsys.readouterr().out


def test_top_issues(both: Layers) -> None:
    scores = np.random.default_rng(0).permutation(50) / 50
    for top in (0, 1, 10, 50, 99, None):
        both.agree("find_top_issues", scores, top=top)


# --- Real data


def answers(layer: SimpleNamespace, data: Data) -> dict[str, Any]:
    joint, off_diagonal = layer.count.compute_confident_joint(
        *data, return_indices_of_off_diagonals=True
    )
    found = {
        "thresholds": layer.count.get_confident_thresholds(*data),
        "joint": joint,
        "off_diagonal": off_diagonal,
        "number": layer.count.num_label_issues(*data),
    }
    for filter_by in FILTERS:
        options = {"filter_by": filter_by, "n_jobs": 1}
        mask = layer.filter.find_label_issues(*data, **options)
        found[f"mask by {filter_by}"] = mask
        found[f"order by {filter_by}"] = layer.rank.order_label_issues(
            mask, *data, rank_by="normalized_margin"
        )
    for method in SCORES:
        scores = layer.rank.get_label_quality_scores(*data, method=method)
        if method == "confidence_weighted_entropy":
            scores = scores[data.pred_probs.astype(np.float64).max(axis=1) < 0.9999]
        found[f"scores by {method}"] = scores
    return found


def test_real_data(cleanlab: SimpleNamespace, real_data: Data) -> None:
    """Narrow matrices here, their exact values in float64 there: the same comes of them."""
    labels, wide, theirs = real_data.labels.astype(int), None, {}
    for dtype in ("float64", "float32", "float16"):
        narrow = real_data.pred_probs.astype(dtype)
        if wide is None or not np.array_equal(narrow, wide):
            wide = narrow.astype(np.float64)
            theirs = answers(cleanlab, Data(labels, wide))
        ours = answers(SimpleNamespace(**OURS), Data(labels, narrow))
        for name, value in theirs.items():
            rtol = 1e-12 if name == "thresholds" else 1e-6
            if np.asarray(value).dtype.kind == "f":
                np.testing.assert_allclose(ours[name], value, rtol=rtol, err_msg=name)
            else:
                np.testing.assert_array_equal(ours[name], value, err_msg=name)


def test_ranked_issues_of_real_data(cleanlab: SimpleNamespace, real_data: Data) -> None:
    labels, pred_probs = real_data.labels.astype(int), real_data.pred_probs.astype(np.float64)
    options: dict[str, Any] = {"return_indices_ranked_by": "self_confidence", "n_jobs": 1}
    np.testing.assert_array_equal(
        filters.find_label_issues(labels, pred_probs, **options),
        cleanlab.filter.find_label_issues(labels, pred_probs, **options),
    )


# --- Errors and warnings

LABELS, PRED_PROBS = random_data(60, 3)
FEW = np.array([0] * 57 + [1, 2, 2])

BAD_INPUTS: dict[str, tuple[Any, Any]] = {
    "strings": (np.array(["a"] * 60), PRED_PROBS),
    "fractions": (LABELS + 0.5, PRED_PROBS),
    "negative labels": (LABELS - 1, PRED_PROBS),
    "labels too high": (LABELS + 1, PRED_PROBS),
    "too few rows": (LABELS, PRED_PROBS[1:]),
    "too few labels": (LABELS[1:], PRED_PROBS),
    "above one": (LABELS, PRED_PROBS + 0.5),
    "below zero": (LABELS, PRED_PROBS - 0.5),
    "one dimension": (LABELS, PRED_PROBS[:, 0]),
    "three dimensions": (LABELS, PRED_PROBS[:, :, None]),
    "no matrix": (LABELS, "nonsense"),
    "one class": (np.ones(60, dtype=int), PRED_PROBS),
    "one class, which is zero": (np.zeros(60, dtype=int), PRED_PROBS),
}
CHECKS_ITS_INPUTS = (
    "find_label_issues",
    "find_predicted_neq_given",
    "num_label_issues",
    "get_label_quality_scores",
)


@pytest.mark.parametrize("name", CHECKS_ITS_INPUTS)
@pytest.mark.parametrize("inputs", BAD_INPUTS.values(), ids=BAD_INPUTS.keys())
def test_bad_inputs(both: Layers, inputs: tuple[Any, Any], name: str) -> None:
    both.agree(name, *inputs)


ENTROPY_ADJUSTED = {
    "return_indices_ranked_by": "confidence_weighted_entropy",
    "rank_by_kwargs": {"adjust_pred_probs": True},
}
JOINT_IGNORED = {"filter_by": "confident_learning", "confident_joint": random_joint(3)}
REMOVALS_IGNORED = {"filter_by": "predicted_neq_given", "num_to_remove_per_class": [1, 1, 1]}


@pytest.mark.parametrize(
    "options",
    [
        {"filter_by": "nonsense"},
        {"return_indices_ranked_by": "nonsense"},
        {"n_jobs": 0},
        {"filter_by": "low_self_confidence", "frac_noise": 0.5},
        ENTROPY_ADJUSTED,
        JOINT_IGNORED,
        REMOVALS_IGNORED,
    ],
    ids=str,
)
def test_bad_options_of_find_label_issues(both: Layers, options: dict[str, Any]) -> None:
    both.agree("find_label_issues", LABELS, PRED_PROBS, **options)


@pytest.mark.parametrize(
    "rank_by_kwargs",
    [{"nonsense": 1}, {"rank_by": "self_confidence"}, {"mask": 1}, {1: 2}, 3],
    ids=str,
)
def test_bad_rank_by_kwargs(both: Layers, rank_by_kwargs: Any) -> None:
    ranked: dict[str, Any] = {
        "return_indices_ranked_by": "self_confidence",
        "rank_by_kwargs": rank_by_kwargs,
    }
    both.agree("find_label_issues", LABELS, PRED_PROBS, n_jobs=1, **ranked)
    with pytest.raises(TypeError, match=r"rank_by_kwargs=.*adjust_pred_probs"):
        filters.find_label_issues(LABELS, PRED_PROBS, **ranked)
    mask = LABELS == 0
    both.agree("order_label_issues", mask, LABELS, PRED_PROBS, rank_by_kwargs=rank_by_kwargs)
    with pytest.raises(TypeError, match=r"rank_by_kwargs=.*adjust_pred_probs"):
        rank.order_label_issues(mask, LABELS, PRED_PROBS, rank_by_kwargs=rank_by_kwargs)


@pytest.mark.parametrize("value", [Decimal("sNaN"), Decimal("Infinity")], ids=str)
def test_decimals_that_no_option_can_be(value: Decimal) -> None:
    with pytest.raises(OptionError, match="min_examples_per_class"):
        filters.find_label_issues(LABELS, PRED_PROBS, min_examples_per_class=value)
    if value.is_snan():
        with pytest.raises(OptionError, match="frac_noise"):
            filters.find_label_issues(LABELS, PRED_PROBS, frac_noise=value)


def test_other_bad_options(both: Layers) -> None:
    both.agree("num_label_issues", LABELS, PRED_PROBS, confident_joint=random_joint(3))
    both.agree("num_label_issues", LABELS, PRED_PROBS, estimation_method="off_diagonal_custom")
    both.agree("estimate_latent", random_joint(3), LABELS, py_method="nonsense")
    both.agree("estimate_cv_predicted_probabilities", np.ones((60, 1)), LABELS[1:])


@pytest.mark.parametrize("models", [[PRED_PROBS], [], PRED_PROBS], ids=["one", "none", "no list"])
def test_what_is_no_ensemble(both: Layers, models: Any) -> None:
    both.agree("get_label_quality_ensemble_scores", LABELS, models, verbose=False)


@pytest.mark.parametrize("filter_by", PRUNE_FILTERS)
def test_a_class_with_too_few_examples(both: Layers, filter_by: str) -> None:
    for minimum in (0, 1, 2, 60):
        both.agree(
            "find_label_issues",
            FEW,
            PRED_PROBS,
            filter_by=filter_by,
            min_examples_per_class=minimum,
        )


@pytest.mark.parametrize("filter_by", PRUNE_FILTERS)
def test_the_class_with_too_few_examples_is_named(filter_by: str) -> None:
    with pytest.warns(UserWarning, match="class: 1") as caught:
        filters.find_label_issues(FEW, PRED_PROBS, filter_by=filter_by)
    assert all("class: 1" in str(warning.message) for warning in caught)


# --- Intended differences


@pytest.mark.filterwarnings("ignore:May not flag all label issues in class")
def test_difference_stable_order() -> None:
    labels, pred_probs = np.zeros(200, dtype=int), np.tile([0.25, 0.75], (200, 1))
    order = rank.order_label_issues(np.ones(200, dtype=bool), labels, pred_probs)
    assert order.tolist() == list(range(200))
    joint = np.array([[190, 10], [0, 1]])
    mask = filters.find_label_issues(labels, pred_probs, confident_joint=joint)
    assert np.flatnonzero(mask).tolist() == list(range(10))


def test_difference_nan_rejected(cleanlab: SimpleNamespace) -> None:
    pred_probs = PRED_PROBS.copy()
    pred_probs[7, 2] = np.nan
    assert cleanlab.filter.find_label_issues(LABELS, pred_probs).shape == (60,)
    with pytest.raises(ValueError, match=r"pred_probs.*7.*2"):
        filters.find_label_issues(LABELS, pred_probs)


@pytest.mark.parametrize("form", ["list", "frame"])
def test_difference_lists_and_frames_accepted(cleanlab: SimpleNamespace, form: str) -> None:
    pandas = pytest.importorskip("pandas")
    given_form = PRED_PROBS.tolist() if form == "list" else pandas.DataFrame(PRED_PROBS)
    with pytest.raises(TypeError):
        cleanlab.filter.find_label_issues(LABELS, given_form)
    np.testing.assert_array_equal(
        filters.find_label_issues(LABELS, given_form),
        cleanlab.filter.find_label_issues(LABELS, PRED_PROBS),
    )


@pytest.mark.parametrize("form", ["floats", "frame", "column", "tuple"])
def test_difference_whole_floats_and_frames_are_labels(
    cleanlab: SimpleNamespace, form: str
) -> None:
    pandas = pytest.importorskip("pandas")
    forms: dict[str, Any] = {
        "floats": LABELS.astype(float),
        "frame": pandas.DataFrame(LABELS),
        "column": LABELS[:, None],
        "tuple": tuple(LABELS.tolist()),
    }
    labels = forms[form]
    with pytest.raises((IndexError, TypeError, ValueError)):
        cleanlab.filter.find_label_issues(labels, PRED_PROBS)
    np.testing.assert_array_equal(
        filters.find_label_issues(labels, PRED_PROBS),
        cleanlab.filter.find_label_issues(LABELS, PRED_PROBS),
    )


def test_difference_bad_labels_named(cleanlab: SimpleNamespace) -> None:
    two_dimensions = LABELS.reshape(30, 2)
    with pytest.raises(TypeError, match="unhashable"):
        cleanlab.filter.find_label_issues(two_dimensions, PRED_PROBS)
    with pytest.raises(ValueError, match="labels must have one dimension"):
        filters.find_label_issues(two_dimensions, PRED_PROBS)
    with pytest.raises(ValueError, match="Labels must be 1D"):
        cleanlab.count.num_label_issues(None, PRED_PROBS)
    with pytest.raises(TypeError, match="labels"):
        count.num_label_issues(None, PRED_PROBS)


def test_difference_entropy_limit(cleanlab: SimpleNamespace) -> None:
    rows = [[1.0, 0.0, 0.0], [0.0, 1.0, 0.0], [0.999999999, 1e-9, 0.0], [0.9999, 1e-4, 0.0]]
    data = Data(np.array([0, 1, 0, 0]), np.array(rows))
    method = "confidence_weighted_entropy"
    theirs = cleanlab.rank.get_label_quality_scores(*data, method=method)
    ours = rank.get_label_quality_scores(*data, method=method)
    assert theirs[:2].tolist() == [0.0, 0.0]
    assert ours[:2].tolist() == [1.0, 1.0]
    # What is nearly certain falls to the worst score there, and rises to the best one here ...
    assert theirs[2] < 0.02
    assert ours[2] > 0.9999999
    # ... from where h, of which the score is ln(1 + h) / h, is below 1e-6.
    assert ours[3] == pytest.approx(theirs[3], rel=1e-6)


def test_difference_thresholds_float64(cleanlab: SimpleNamespace) -> None:
    all_present, one_absent = random_data(60, 3), random_data(60, 3, n_absent=1)
    types: dict[str, set[np.dtype]] = {"theirs": set(), "ours": set()}
    for labels, pred_probs in (all_present, one_absent):
        narrow = pred_probs.astype(np.float32)
        types["theirs"].add(cleanlab.count.get_confident_thresholds(labels, narrow).dtype)
        types["ours"].add(count.get_confident_thresholds(labels, narrow).dtype)
    assert types == {
        "theirs": {np.dtype(np.float32), np.dtype(np.float64)},
        "ours": {np.dtype(np.float64)},
    }


@pytest.mark.parametrize(("dtype", "agreement"), [(np.float32, 0.999), (np.float16, 0.98)])
def test_difference_narrow_arithmetic_in_float64(
    cleanlab: SimpleNamespace, dtype: Any, agreement: float
) -> None:
    labels, pred_probs = random_data(5000, 10)
    narrow = pred_probs.astype(dtype)
    wide = narrow.astype(np.float64)
    theirs_on_narrow = cleanlab.count.get_confident_thresholds(labels, narrow)
    assert (theirs_on_narrow != cleanlab.count.get_confident_thresholds(labels, wide)).any()
    for filter_by in FILTERS:
        ours = filters.find_label_issues(labels, narrow, filter_by=filter_by)
        np.testing.assert_array_equal(
            ours, cleanlab.filter.find_label_issues(labels, wide, filter_by=filter_by)
        )
        theirs = cleanlab.filter.find_label_issues(labels, narrow, filter_by=filter_by)
        assert (ours == theirs).mean() >= agreement


def test_difference_n_jobs_means_threads(
    cleanlab: SimpleNamespace, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_args: object, **_kwargs: object) -> None:
        raise ChildProcessError("a pool of processes")

    monkeypatch.setattr("multiprocessing.Pool", refuse)
    with pytest.raises(ChildProcessError):
        cleanlab.filter.find_label_issues(LABELS, PRED_PROBS, n_jobs=2)
    np.testing.assert_array_equal(
        filters.find_label_issues(LABELS, PRED_PROBS, n_jobs=2),
        cleanlab.filter.find_label_issues(LABELS, PRED_PROBS, n_jobs=1),
    )


def test_difference_scores_clamped(cleanlab: SimpleNamespace) -> None:
    pred_probs = np.array([[1 + 5e-7, 0.0], [0.0, 1.0]])
    assert cleanlab.rank.get_label_quality_scores(np.array([0, 1]), pred_probs).max() > 1
    assert rank.get_label_quality_scores(np.array([0, 1]), pred_probs).tolist() == [1.0, 1.0]


def test_difference_nothing_kept_alive(cleanlab: SimpleNamespace) -> None:
    cleanlab.filter.find_label_issues(LABELS, PRED_PROBS, n_jobs=1)
    assert cleanlab.filter.pred_probs_by_class
    filters.find_label_issues(LABELS, PRED_PROBS, n_jobs=1)
    assert not hasattr(filters, "pred_probs_by_class")
    assert not any(isinstance(value, np.ndarray) for value in vars(filters).values())


@pytest.mark.parametrize(
    ("mask", "error"),
    [(np.ones(59, dtype=bool), ValueError), (np.ones(60), TypeError), (slice(5), TypeError)],
    ids=["short", "floats", "slice"],
)
def test_difference_bad_masks_named(
    cleanlab: SimpleNamespace, mask: Any, error: type[Exception]
) -> None:
    theirs = outcome(cleanlab.rank.order_label_issues, mask, LABELS, PRED_PROBS)
    assert isinstance(theirs.error, IndexError) or isinstance(mask, slice)
    with pytest.raises(error, match="label_issues_mask"):
        rank.order_label_issues(mask, LABELS, PRED_PROBS)


BAD_JOINTS: dict[str, tuple[Any, type[Exception] | None]] = {
    "negative": (np.array([[5, -1, 0], [0, 5, 1], [1, 1, 9]]), None),
    "not square": (np.ones((3, 2)), None),
    "not finite": (np.full((3, 3), np.nan), None),
    "infinite sum": (np.full((3, 3), 1e308), None),
    "one dimension": (np.ones(3), IndexError),
}


@pytest.mark.parametrize(("joint", "theirs"), BAD_JOINTS.values(), ids=BAD_JOINTS.keys())
def test_difference_bad_numbers_named(
    cleanlab: SimpleNamespace, joint: np.ndarray, theirs: type[Exception] | None
) -> None:
    answer = outcome(cleanlab.count.calibrate_confident_joint, joint, LABELS)
    assert answer.error is None if theirs is None else isinstance(answer.error, theirs)
    with pytest.raises(ValueError, match="confident_joint"):
        count.calibrate_confident_joint(joint, LABELS)


@pytest.mark.parametrize(
    ("name", "value", "error"),
    [
        ("confident_joint", np.diag([9, 9, 9, 9]), ValueError),
        ("num_to_remove_per_class", [1, np.nan, 0], ValueError),
        ("num_to_remove_per_class", [np.inf, 0, 0], ValueError),
        ("min_examples_per_class", 1.5, ValueError),
        ("min_examples_per_class", np.nan, ValueError),
        ("frac_noise", np.array([1, 0.5, 0.2]), TypeError),
    ],
    ids=str,
)
def test_options_that_make_no_sense_are_named(
    cleanlab: SimpleNamespace, name: str, value: Any, error: type[Exception]
) -> None:
    options: dict[str, Any] = {name: value, "n_jobs": 1}
    assert outcome(cleanlab.filter.find_label_issues, LABELS, PRED_PROBS, **options).error is None
    with pytest.raises(error, match=name):
        filters.find_label_issues(LABELS, PRED_PROBS, **options)


@pytest.mark.parametrize("joint", [[[1, 2], [2, 4]], [[1, 1, 0], [1, 1, 0], [0, 0, 1]]], ids=str)
def test_difference_singular_matrix_named(cleanlab: SimpleNamespace, joint: list[Any]) -> None:
    args = np.array(joint), np.arange(len(joint))
    with pytest.raises(np.linalg.LinAlgError, match="Singular matrix"):
        cleanlab.count.estimate_latent(*args, py_method="eqn")
    with pytest.raises(np.linalg.LinAlgError, match="py_method='eqn'") as caught:
        count.estimate_latent(*args, py_method="eqn")
    assert isinstance(caught.value, OptionError)


def test_difference_one_column_refused(cleanlab: SimpleNamespace) -> None:
    labels, pred_probs = np.zeros(60, dtype=int), PRED_PROBS[:, :1].copy()
    assert cleanlab.rank.get_label_quality_scores(labels, pred_probs).shape == (60,)
    with pytest.raises(ValueError, match="zero-size"):
        cleanlab.rank.get_normalized_margin_for_each_label(labels, pred_probs)
    for score in (rank.get_label_quality_scores, rank.get_normalized_margin_for_each_label):
        with pytest.raises(ValueError, match="at least two columns"):
            score(labels, pred_probs)


WARNED = """
import warnings
import numpy as np
from {package}.filter import find_label_issues

if __name__ == "__main__":
    pred_probs = np.tile([0.5, 0.3, 0.2], (60, 1))
    labels = np.array([0] * 57 + [1, 2, 2])
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        find_label_issues(labels, pred_probs, n_jobs=2)
    print(any("class: 1" in str(warning.message) for warning in caught))
"""


@pytest.mark.parametrize(("package", "warned"), [("cleanlab", False), ("conflearn.cleanlab", True)])
def test_difference_few_examples_warned(package: str, warned: bool, tmp_path: Path) -> None:
    path = tmp_path / "program.py"
    path.write_text(WARNED.format(package=package))
    done = subprocess.run(
        [sys.executable, str(path)], capture_output=True, text=True, timeout=60, check=True
    )
    assert done.stdout.strip() == str(warned)


def test_difference_clf_made_when_needed(cleanlab: SimpleNamespace) -> None:
    name = "estimate_cv_predicted_probabilities"
    theirs = inspect.signature(getattr(cleanlab.count, name)).parameters["clf"].default
    assert type(theirs).__name__ == "LogisticRegression"
    assert inspect.signature(getattr(count, name)).parameters["clf"].default is None
    features = PRED_PROBS[:, :2]
    np.testing.assert_array_equal(
        getattr(count, name)(features, LABELS, None, seed=0),
        getattr(count, name)(features, LABELS, theirs, seed=0),
    )


MULTI_LABEL = (
    "find_label_issues",
    "find_predicted_neq_given",
    "num_label_issues",
    "compute_confident_joint",
    "get_confident_thresholds",
    "estimate_joint",
)


@pytest.mark.parametrize("name", MULTI_LABEL)
def test_multi_label_wants_a_list(both: Layers, name: str) -> None:
    both.agree(name, LABELS, PRED_PROBS, multi_label=True)
    both.agree("calibrate_confident_joint", np.ones((3, 2, 2)), LABELS, multi_label=True)
