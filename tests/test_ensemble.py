"""Ensembles: several models, never stacked."""

from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import conflearn
from conflearn.errors import InputError, OptionError, ProbabilityError, ShapeError
from reference.kinds import softmax
from strategies import FILTERS, SCORES, random_data


def random_models(seed: int = 0, n_models: int = 3, **options: Any) -> tuple[np.ndarray, list[Any]]:
    """Labels, and what models of different skill say."""
    labels, first = random_data(400, 5, seed=seed, **options)
    rng = np.random.default_rng(seed)
    others = [
        softmax(np.log(first + 1e-9) / (skill + 2) + rng.normal(size=first.shape))
        for skill in range(n_models - 1)
    ]
    return labels, [first, *others]


def log_losses(labels: np.ndarray, models: list[np.ndarray]) -> np.ndarray:
    own = [model[np.arange(len(labels)), labels] for model in models]
    return np.array([-np.log(np.maximum(cells, 1e-6)).mean() for cells in own])


@pytest.mark.parametrize("method", SCORES)
@pytest.mark.parametrize("weights", ["uniform", "accuracy", "log_loss", [3, 0, 1]])
def test_scores_are_the_weighted_mean_over_models(method: Any, weights: Any) -> None:
    labels, models = random_models()
    if isinstance(weights, str):
        shares = conflearn.ensemble_weights(labels, models, by=weights)
    else:
        shares = np.array(weights) / 4
    each = [conflearn.label_quality_scores(labels, model, method=method) for model in models]
    np.testing.assert_allclose(
        conflearn.ensemble_label_quality_scores(labels, models, method=method, weights=weights),
        sum(share * scores for share, scores in zip(shares, each, strict=True)),
        rtol=1e-14,
    )


@pytest.mark.parametrize("seed", range(4))
def test_weights_are_as_defined(seed: int) -> None:
    labels, models = random_models(seed)
    assert conflearn.ensemble_weights(labels, models, by="uniform").tolist() == [1 / 3] * 3
    accuracies = np.array([(model.argmax(axis=1) == labels).mean() for model in models])
    np.testing.assert_allclose(
        conflearn.ensemble_weights(labels, models), accuracies / accuracies.sum(), rtol=1e-14
    )
    losses = log_losses(labels, models)
    candidates = [np.exp(-t * losses) for t in (1e-4, 1e-3, 1e-2, 1e-1, 1.0, 10.0, 100.0, 200.0)]
    candidates = [shares / shares.sum() for shares in candidates]
    means = [np.tensordot(shares, models, axes=1) for shares in candidates]
    best = candidates[int(log_losses(labels, means).argmin())]
    np.testing.assert_allclose(
        conflearn.ensemble_weights(labels, models, by="log_loss"), best, rtol=1e-9
    )


@pytest.mark.parametrize("method", SCORES)
@pytest.mark.parametrize(
    ("ours", "theirs"),
    [("uniform", "uniform"), ("accuracy", "accuracy"), ("log_loss", "log_loss_search")],
)
def test_scores_are_cleanlabs(
    cleanlab: SimpleNamespace, method: Any, ours: Any, theirs: str
) -> None:
    labels, models = random_models(7)
    np.testing.assert_allclose(
        conflearn.ensemble_label_quality_scores(labels, models, method=method, weights=ours),
        cleanlab.rank.get_label_quality_ensemble_scores(
            labels, models, method=method, weight_ensemble_members_by=theirs, verbose=False
        ),
        rtol=1e-6,
    )


@pytest.mark.parametrize("filter_by", FILTERS)
@given(seed=st.integers(0, 2**32 - 1))
def test_analysis_of_several_is_that_of_their_mean(filter_by: Any, seed: int) -> None:
    labels, models = random_models(seed, decimals=2)
    mean = 0.5 * models[0] + 0.25 * models[1] + 0.25 * models[2]
    found = conflearn.analyze(labels, models, weights=[2, 1, 1], filter_by=filter_by)
    expected = conflearn.analyze(labels, mean, filter_by=filter_by)
    np.testing.assert_array_equal(found.mask, expected.mask)
    np.testing.assert_array_equal(found.ranked, expected.ranked)
    np.testing.assert_array_equal(found.confident_joint, expected.confident_joint)
    np.testing.assert_array_equal(found.suggested_labels, expected.suggested_labels)
    for name, scores in expected.scores.items():
        np.testing.assert_allclose(found.scores[name], scores, rtol=1e-12)


def test_members_may_differ_in_width_and_order(width: np.dtype) -> None:
    labels, (first, second, third) = random_models(2)
    first = first.astype(width)
    models = [first, np.asfortranarray(second.astype(np.float32)), third[::-1].copy()[::-1]]
    mean = np.zeros_like(second)
    for model in models:
        mean += (1 / 3) * model.astype(np.float64)
    found = conflearn.analyze(labels, models)
    np.testing.assert_array_equal(found.mask, conflearn.find_label_issues(labels, mean))
    for n_threads in (1, 3):
        again = conflearn.analyze(labels, models, n_threads=n_threads)
        np.testing.assert_array_equal(again.ranked, found.ranked)


@pytest.mark.parametrize("kind", ["logits", "scores"])
def test_members_may_be_logits_or_scores(kind: Any) -> None:
    labels, models = random_models(3)
    matrices = [4 * np.log(model + 1e-3) for model in models]
    found = conflearn.analyze(labels, matrices, kind=kind)
    if kind == "logits":
        mean = np.mean([softmax(matrix) for matrix in matrices], axis=0)
        expected = conflearn.analyze(labels, mean)
    else:
        expected = conflearn.analyze(labels, np.mean(matrices, axis=0), kind="scores")
    np.testing.assert_array_equal(found.mask, expected.mask)
    by = "log_loss" if kind == "logits" else "accuracy"
    assert conflearn.ensemble_weights(labels, matrices, by=by, kind=kind).sum() == pytest.approx(1)


def test_an_array_of_three_dimensions_holds_several_models() -> None:
    labels, models = random_models(4)
    np.testing.assert_array_equal(
        conflearn.ensemble_label_quality_scores(labels, np.stack(models)),
        conflearn.ensemble_label_quality_scores(labels, models),
    )
    lists = [model.tolist() for model in models]
    np.testing.assert_array_equal(
        conflearn.analyze(labels, lists).mask, conflearn.analyze(labels, models).mask
    )


def test_what_is_wrong_with_a_member_is_named() -> None:
    labels, models = random_models(5)
    models[1] = models[1].copy()
    models[1][7, 2] = np.nan
    with pytest.raises(ProbabilityError, match=r"number 1 .* pred_probs\[7, 2\] is NaN"):
        conflearn.analyze(labels, models)
    with pytest.raises(ShapeError, match=r"pred_probs\[0\] has \(400, 5\) and pred_probs\[1\]"):
        conflearn.analyze(labels, [models[0], models[0][:, :4]])
    with pytest.raises(ShapeError, match="list of matrices, one a model"):
        conflearn.ensemble_label_quality_scores(labels, models[0])
    with pytest.raises(ShapeError, match="analyze takes a list of matrices"):
        conflearn.find_label_issues(labels, [models[0], models[0]])


@pytest.mark.parametrize(
    ("weights", "error", "message"),
    [
        ([1, 2], ShapeError, "one entry for each of the 3 matrices"),
        ([1, -1, 1], InputError, r"weights\[1\] is -1"),
        ([1, np.nan, 1], InputError, r"weights\[1\] is nan"),
        ([0, 0, 0], InputError, "must not all be 0"),
        ("accurate", OptionError, "did you mean 'accuracy'"),
    ],
)
def test_weights_that_make_no_sense_are_refused(weights: Any, error: Any, message: str) -> None:
    with pytest.raises(error, match=message):
        conflearn.ensemble_label_quality_scores(*random_models(), weights=weights)


def test_weights_of_one_matrix_are_refused() -> None:
    labels, models = random_models()
    with pytest.raises(OptionError, match="weights are for several matrices"):
        conflearn.analyze(labels, models[0], weights="uniform")


def test_log_loss_needs_probabilities() -> None:
    labels, models = random_models()
    with pytest.raises(OptionError, match="needs probabilities"):
        conflearn.ensemble_weights(labels, models, by="log_loss", kind="scores")


def test_models_that_predict_no_label_have_no_accuracy_to_be_weighed_by() -> None:
    with pytest.raises(OptionError, match="none of them does"):
        conflearn.ensemble_weights([0, 1], [[[0.1, 0.9], [0.9, 0.1]]])


@pytest.mark.parametrize(
    "call",
    [
        lambda *data: conflearn.ensemble_label_quality_scores(*data, method="normalized_margin"),
        lambda *data: conflearn.ensemble_weights(*data, by="accuracy"),
        lambda *data: conflearn.ensemble_weights(*data, by="log_loss"),
        conflearn.analyze,
    ],
)
def test_the_model_at_fault_is_named(call: Any) -> None:
    labels, models = random_models()
    models[1][7, labels[7]] = np.nan
    with pytest.raises(ProbabilityError, match=r"number 1 \(from 0\) is at fault: pred_probs must"):
        call(labels, models)
