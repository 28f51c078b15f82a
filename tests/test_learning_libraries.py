"""Classifiers and examples of other libraries: each with conventions of its own."""

from typing import Any

import numpy as np
import pytest

import conflearn
from conflearn.errors import FoldWarning
from noisy import noisy_blobs

pytest.importorskip("sklearn")

from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.ensemble import (
    BaggingClassifier,
    HistGradientBoostingClassifier,
    RandomForestClassifier,
    StackingClassifier,
    VotingClassifier,
)
from sklearn.feature_extraction.text import CountVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV
from sklearn.naive_bayes import GaussianNB, MultinomialNB
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

X, Y, TRUE = noisy_blobs()
NAMES = np.array(["ape", "bat", "cat"])


def learns(classifier: Any, features: Any = X, **options: Any) -> conflearn.CleanLearning:
    """It finds wrong labels, and predicts true ones, by name."""
    clean = conflearn.CleanLearning(classifier, random_state=0, **options)
    clean.fit(features, NAMES[Y])
    assert (clean.label_issues_mask_ == (Y != TRUE)).mean() > 0.9
    predicted = clean.predict(features)
    assert (predicted == NAMES[TRUE]).mean() > 0.9
    assert clean.predict_proba(features).shape == (150, 3)
    most_probable = clean.classes_[clean.predict_proba(features).argmax(axis=1)]
    assert (most_probable == predicted).mean() > 0.95
    return clean


# --- scikit-learn


@pytest.mark.parametrize(
    ("classifier", "weighted"),
    [
        (RandomForestClassifier(10, min_samples_leaf=3, random_state=0), True),
        (HistGradientBoostingClassifier(max_iter=5, min_samples_leaf=5), True),
        (LogisticRegression(), True),
        (BaggingClassifier(GaussianNB(), n_estimators=3, random_state=0), True),
        (VotingClassifier([("a", GaussianNB()), ("b", GaussianNB())], voting="soft"), True),
        (StackingClassifier([("a", GaussianNB()), ("b", LogisticRegression())], cv=2), True),
        (
            VotingClassifier([("a", GaussianNB()), ("b", KNeighborsClassifier())], voting="soft"),
            False,
        ),
        (
            VotingClassifier([("a", make_pipeline(StandardScaler(), GaussianNB()))], voting="soft"),
            False,
        ),
        (KNeighborsClassifier(), False),
    ],
    ids=lambda value: type(value).__name__,
)
def test_classifiers_of_scikit_learn(classifier: Any, weighted: bool) -> None:
    clean = learns(classifier)
    assert (clean.sample_weight_ > 1).any() == weighted


def test_class_weights_by_name_mean_what_they_say() -> None:
    weight = {"ape": 1.0, "bat": 2.0, "cat": 3.0}
    clean = learns(LogisticRegression(class_weight=weight))
    assert clean.classifier_.classes_.tolist() == ["ape", "bat", "cat"]


# --- xgboost, lightgbm, skorch


@pytest.mark.parametrize("prune", ["hard", "soft"])
def test_xgboost(prune: Any) -> None:
    xgboost = pytest.importorskip("xgboost")
    classifier = xgboost.XGBClassifier(n_estimators=5, max_depth=2, n_jobs=1)
    clean = learns(classifier, prune=prune)
    assert clean.pred_probs_.dtype == np.float32
    assert clean.classifier_.classes_.tolist() == [0, 1, 2]
    assert (clean.sample_weight_ != 1).any()
    inside = make_pipeline(StandardScaler(), classifier)
    learns(GridSearchCV(inside, {"xgbclassifier__max_depth": [1, 2]}, cv=2), cv=2)


def test_xgboost_of_a_fold_without_a_class() -> None:
    xgboost = pytest.importorskip("xgboost")
    features = np.concatenate([X, np.full((20, 2), 9.0)])
    labels = np.concatenate([Y + 7, np.full(20, 3)])  # the class that will miss comes first
    groups = np.concatenate([np.arange(150) % 10, np.full(20, 99)])
    classifier = xgboost.XGBClassifier(n_estimators=5, max_depth=2, n_jobs=1)
    with pytest.warns(FoldWarning):
        clean = conflearn.CleanLearning(classifier, random_state=0).fit(
            features, labels, groups=groups
        )
    assert (clean.pred_probs_[:150].argmax(axis=1) == 1 + TRUE).mean() > 0.9
    assert (clean.predict(features)[:150] == 7 + TRUE).mean() > 0.9
    assert (clean.predict(features)[150:] == 3).all()
    # And where pruning leaves nothing of a class.
    pred_probs = np.eye(4)[1 + TRUE].tolist() + [[0, 1, 0, 0]] * 20
    clean = conflearn.CleanLearning(classifier, filter_by="predicted_neq_given")
    clean.fit(features, labels, pred_probs=pred_probs)
    assert clean.predict_proba(features).shape == (170, 4)
    assert set(clean.predict(features).tolist()) == {7, 8, 9}


@pytest.mark.parametrize("prune", ["hard", "soft"])
def test_lightgbm(prune: Any) -> None:
    lightgbm = pytest.importorskip("lightgbm")
    classifier = lightgbm.LGBMClassifier(
        n_estimators=5, num_leaves=4, min_child_samples=5, n_jobs=1, verbose=-1
    )
    clean = learns(classifier, prune=prune)
    assert (clean.sample_weight_ != 1).any()


class Network(ClassifierMixin, BaseEstimator):
    """A stand-in for skorch's NeuralNetClassifier: one layer, with its conventions.

    Examples are float32 and labels int64, `fit` takes anything as ``fit_params``, `classes_` is
    inferred from the labels, and there are as many outputs as the module has, float32 too.
    """

    def __init__(self, n_outputs: int, lr: float = 0.5, max_epochs: int = 100) -> None:
        self.n_outputs = n_outputs
        self.lr = lr
        self.max_epochs = max_epochs

    def fit(self, X: Any, y: Any = None, **fit_params: Any) -> "Network":
        assert not fit_params
        assert X.dtype == np.float32
        assert y.dtype == np.int64
        self.classes_inferred_ = np.unique(y)
        self.weights_ = np.zeros((X.shape[1] + 1, self.n_outputs), np.float32)
        for _ in range(self.max_epochs):
            error = np.eye(self.n_outputs, dtype=np.float32)[y] - self._forward(X)
            self.weights_ += np.float32(self.lr / len(X)) * self._inputs(X).T @ error
        return self

    @property
    def classes_(self) -> np.ndarray:
        return self.classes_inferred_

    def predict(self, X: Any) -> Any:
        return self.predict_proba(X).argmax(axis=1)

    def predict_proba(self, X: Any) -> Any:
        return self._forward(X)

    def _inputs(self, X: Any) -> Any:
        return np.column_stack([X, np.ones(len(X), np.float32)])

    def _forward(self, X: Any) -> Any:
        activation = np.exp(self._inputs(X) @ self.weights_)
        return activation / activation.sum(axis=1, keepdims=True)


class SkorchNetwork(Network):
    """Known for one of skorch's by where it comes from."""

    __module__ = "skorch.classifier"


@pytest.mark.parametrize(
    ("network", "options"), [(SkorchNetwork, {}), (Network, {"encode_labels": True})]
)
def test_a_network_with_the_conventions_of_skorch(network: Any, options: Any) -> None:
    narrow = X.astype(np.float32)
    clean = learns(network(3), narrow, **options)
    assert clean.pred_probs_.dtype == np.float32
    # A fold without the first class still has an output for it.
    features = np.concatenate([narrow, np.full((20, 2), 9, np.float32)])
    labels = np.concatenate([NAMES[Y], np.full(20, "aardvark")])
    groups = np.concatenate([np.arange(150) % 10, np.full(20, 99)])
    with pytest.warns(FoldWarning):
        pred_probs = conflearn.cross_val_pred_probs(
            network(4), features, labels, groups=groups, random_state=0, **options
        )
    assert (pred_probs[:150, 1:].argmax(axis=1) == TRUE).mean() > 0.9


# --- Examples


@pytest.mark.parametrize("library", ["pandas", "polars"])
def test_frames(library: str) -> None:
    module = pytest.importorskip(library)
    frame = module.DataFrame({"length": X[:, 0], "width": X[:, 1]})
    column = module.Series(NAMES[Y].tolist())
    for classifier in (GaussianNB(), make_pipeline(StandardScaler(), LogisticRegression())):
        clean = conflearn.CleanLearning(classifier, random_state=0).fit(frame, column)
        expected = conflearn.CleanLearning(classifier, random_state=0).fit(X, NAMES[Y])
        np.testing.assert_array_equal(clean.predict(frame), expected.predict(X))
        np.testing.assert_array_equal(clean.classes_, expected.classes_)
        alone = classifier.fit(frame, NAMES[Y])  # scikit-learn 1.6 cannot read all frames' names
        assert hasattr(clean, "feature_names_in_") == hasattr(alone, "feature_names_in_")
        issues = module.DataFrame(clean.find_label_issues(frame, column))
        assert len(issues) == clean.label_issues_mask_.sum()


def test_categories_of_which_some_are_not_used() -> None:
    pandas = pytest.importorskip("pandas")
    column = pandas.Categorical(NAMES[Y], categories=["dog", "cat", "bat", "ape"], ordered=True)
    clean = conflearn.CleanLearning(GaussianNB(), random_state=0).fit(X, column)
    assert clean.classes_.tolist() == ["ape", "bat", "cat"]
    numbers = pandas.Series(Y + 5, dtype="Int64")
    assert conflearn.CleanLearning(GaussianNB()).fit(X, numbers).classes_.tolist() == [5, 6, 7]
    polars = pytest.importorskip("polars")
    column = polars.Series(NAMES[Y].tolist(), dtype=polars.Categorical)
    assert conflearn.CleanLearning(GaussianNB()).fit(X, column).classes_.tolist() == [*NAMES]


@pytest.mark.parametrize("layout", ["csr_matrix", "csc_array", "coo_matrix"])
def test_sparse_matrices(layout: str) -> None:
    sparse = pytest.importorskip("scipy.sparse")
    matrix = getattr(sparse, layout)(X)
    clean = conflearn.CleanLearning(LogisticRegression(), random_state=0).fit(matrix, Y)
    expected = conflearn.CleanLearning(LogisticRegression(), random_state=0).fit(X, Y)
    np.testing.assert_array_equal(clean.predict(matrix), expected.predict(X))


def test_lists_of_texts() -> None:
    words = np.array(["hoot grunt", "flap night", "purr milk"])
    rng = np.random.default_rng(0)
    texts = [f"{words[k]} {rng.choice(['the', 'a', 'some'])}" for k in TRUE]
    clean = conflearn.CleanLearning(make_pipeline(CountVectorizer(), MultinomialNB()))
    clean.fit(texts, NAMES[Y])
    np.testing.assert_array_equal(clean.label_issues_mask_, Y != TRUE)
    assert clean.predict(["purr", "hoot"]).tolist() == ["cat", "ape"]


def test_examples_of_three_dimensions() -> None:
    class Flattens(GaussianNB):
        def fit(self, X: Any, y: Any, sample_weight: Any = None) -> Any:
            return super().fit(X.reshape(len(X), -1), y, sample_weight)

        def predict(self, X: Any) -> Any:
            return super().predict(X.reshape(len(X), -1))

        def predict_proba(self, X: Any) -> Any:
            return super().predict_proba(X.reshape(len(X), -1))

    # GaussianNB's own predictions call one another.
    Flattens._joint_log_likelihood = lambda self, X: GaussianNB._joint_log_likelihood(
        self, X.reshape(len(X), -1)
    )
    images = np.repeat(X[:, :, np.newaxis], 2, axis=2)
    clean = conflearn.CleanLearning(Flattens(), random_state=0).fit(images, Y)
    assert (clean.predict(images) == TRUE).mean() > 0.9


def test_memory_maps_and_fortran_order(tmp_path: Any) -> None:
    np.save(tmp_path / "X.npy", X)
    mapped = np.load(tmp_path / "X.npy", mmap_mode="r")
    expected = conflearn.CleanLearning(GaussianNB(), random_state=0).fit(X, Y)
    for features in (mapped, np.asfortranarray(X)):
        clean = conflearn.CleanLearning(GaussianNB(), random_state=0).fit(features, Y)
        np.testing.assert_allclose(clean.pred_probs_, expected.pred_probs_)


@pytest.mark.parametrize("order", ["C", "F"])
def test_probabilities_in_any_width(width: np.dtype, order: Any) -> None:
    pred_probs = conflearn.cross_val_pred_probs(GaussianNB(), X, Y, random_state=0)
    narrow = np.asarray(pred_probs.astype(width), order=order)
    narrow.flags.writeable = False
    for prune in ("hard", "soft"):
        clean = conflearn.CleanLearning(GaussianNB(), prune=prune)
        clean.fit(X, Y, pred_probs=narrow)
        wide = conflearn.CleanLearning(GaussianNB(), prune=prune)
        wide.fit(X, Y, pred_probs=narrow.astype(np.float64))
        np.testing.assert_array_equal(clean.label_issues_mask_, wide.label_issues_mask_)
        np.testing.assert_array_equal(clean.sample_weight_, wide.sample_weight_)
