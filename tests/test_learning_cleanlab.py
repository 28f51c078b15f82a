"""CleanLearning side by side with cleanlab's, and where the two part ways."""

import warnings
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

import conflearn
from conflearn.errors import FoldWarning
from noisy import Noisy, noisy_blobs

pytest.importorskip("sklearn")
pytest.importorskip("cleanlab")

from cleanlab.classification import CleanLearning as TheirCleanLearning
from cleanlab.count import estimate_cv_predicted_probabilities
from sklearn.linear_model import LogisticRegression
from sklearn.naive_bayes import GaussianNB

#: What `conflearn.CleanLearning` does in another way, on purpose; see docs/method.md.
INTENDED_DIFFERENCES = {
    "joint_of_these_data": "Every call counts anew; there the joint of the first call stays.",
    "more_folds_than_examples": "There are no more folds than the largest class has examples; "
    "there it is an error.",
    "weights_multiplied": "The caller's weights take part in cross-validation, and those for the "
    "noise are multiplied with them; there they replace these, and count in the last fit alone.",
    "small_classes_pruned": "min_examples_per_class is 1; there it is 10.",
}


@pytest.fixture(autouse=True)
def _quiet() -> Iterator[None]:
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", category=DeprecationWarning)
        warnings.filterwarnings("ignore", category=FutureWarning)
        yield


def theirs(data: Noisy, **options: Any) -> Any:
    kwargs = {"min_examples_per_class": 1, "n_jobs": 1} | options
    return TheirCleanLearning(GaussianNB(), seed=0, find_label_issues_kwargs=kwargs).fit(
        data.X, data.y
    )


def ours(data: Noisy, **options: Any) -> conflearn.CleanLearning:
    clean = conflearn.CleanLearning(GaussianNB(), random_state=0, **options)
    return clean.fit(data.X, data.y)


@pytest.mark.parametrize("seed", range(4))
def test_the_probabilities_are_theirs(seed: int) -> None:
    data = noisy_blobs(120, 3, seed=seed)
    for classifier in (GaussianNB(), LogisticRegression()):
        expected = estimate_cv_predicted_probabilities(data.X, data.y, classifier, seed=seed)
        pred_probs = conflearn.cross_val_pred_probs(classifier, data.X, data.y, random_state=seed)
        np.testing.assert_array_equal(pred_probs, expected)


@pytest.mark.parametrize("n_rare", [1, 2])
@pytest.mark.filterwarnings("ignore")  # both warn, each in its own words
def test_probabilities_with_a_rare_class_are_theirs(n_rare: int) -> None:
    X, y, _ = noisy_blobs()
    features = np.concatenate([X, np.full((n_rare, 2), 9.0)])
    labels = np.concatenate([y, np.full(n_rare, 3)])
    classifier = LogisticRegression(tol=1e-8)
    expected = estimate_cv_predicted_probabilities(features, labels, classifier, seed=0)
    pred_probs = conflearn.cross_val_pred_probs(classifier, features, labels, random_state=0)
    np.testing.assert_array_equal(pred_probs[150:].argmax(axis=1), 3)
    np.testing.assert_array_equal(expected[150:].argmax(axis=1), 3)
    if n_rare == 1:
        np.testing.assert_array_equal(pred_probs[150], expected[150])
    else:
        np.testing.assert_allclose(pred_probs, expected, atol=1e-6)


@pytest.mark.parametrize("n_classes", [2, 3, 5])
@pytest.mark.parametrize(
    "options", [{}, {"filter_by": "both"}, {"filter_by": "prune_by_class"}, {"frac_noise": 0.5}]
)
def test_issues_weights_and_predictions_are_theirs(n_classes: int, options: dict[str, Any]) -> None:
    data = noisy_blobs(200, n_classes, seed=n_classes)
    mine, other = ours(data, **options), theirs(data, **options)
    table = other.get_label_issues()
    np.testing.assert_array_equal(mine.label_issues_mask_, table["is_label_issue"])
    np.testing.assert_allclose(mine.label_quality_scores_, table["label_quality"])
    np.testing.assert_allclose(mine.sample_weight_, table["sample_weight"])
    np.testing.assert_allclose(mine.noise_model_.noise_matrix, other.noise_matrix)
    np.testing.assert_array_equal(mine.predict(data.X), other.predict(data.X))


def test_every_intended_difference_is_shown() -> None:
    prefix = "test_difference_"
    shown = {name.removeprefix(prefix) for name in globals() if name.startswith(prefix)}
    assert shown == set(INTENDED_DIFFERENCES)


def test_difference_joint_of_these_data() -> None:
    first, second = noisy_blobs(noise=0.4, seed=1), noisy_blobs(noise=0.05, seed=2)
    used = theirs(first)
    used.fit(second.X, second.y)
    np.testing.assert_array_equal(
        used.find_label_issues_kwargs["confident_joint"], theirs(first).confident_joint
    )
    mine = ours(first).fit(second.X, second.y)
    np.testing.assert_array_equal(mine.analysis_.joint, ours(second).analysis_.joint)


def test_difference_more_folds_than_examples() -> None:
    X, _, true = noisy_blobs(12, 3)
    with pytest.raises(ValueError, match="Need more data from each class"):
        theirs(Noisy(X, true, true))
    with pytest.warns(FoldWarning):
        mine = ours(Noisy(X, true, true))
    assert mine.predict(X).tolist() == true.tolist()


def test_difference_weights_multiplied() -> None:
    data = noisy_blobs()
    weights = np.linspace(0.5, 2, 150)
    other = TheirCleanLearning(GaussianNB(), seed=0).fit(data.X, data.y, sample_weight=weights)
    assert other.sample_weight is None
    mine = conflearn.CleanLearning(GaussianNB(), random_state=0)
    mine.fit(data.X, data.y, sample_weight=weights)
    rates = mine.noise_model_.noise_matrix.diagonal()
    np.testing.assert_allclose(
        mine.sample_weight_, np.where(mine.label_issues_mask_, 0, weights / rates[data.y])
    )


def test_difference_small_classes_pruned() -> None:
    data = noisy_blobs(27, 3, noise=0.3, seed=3)
    other = TheirCleanLearning(GaussianNB(), seed=0, find_label_issues_kwargs={"n_jobs": 1})
    with pytest.warns(UserWarning, match="May not flag all label issues"):
        other.fit(data.X, data.y)
    assert other.label_issues_mask.sum() < ours(data).label_issues_mask_.sum()
