"""Metadata finds its way: to the classifier, to the splitter, through what is around."""

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

import conflearn
from conflearn.errors import OptionError, WeightWarning
from noisy import noisy_blobs

pytest.importorskip("sklearn")

import sklearn
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.exceptions import UnsetMetadataPassedError
from sklearn.model_selection import GridSearchCV, GroupKFold, StratifiedKFold
from sklearn.naive_bayes import GaussianNB
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import StandardScaler

X, Y, _ = noisy_blobs()
WEIGHTS = np.random.default_rng(0).uniform(0.5, 2, size=150)
GROUPS = np.arange(150) % 10


@pytest.fixture
def routing() -> Iterator[None]:
    with sklearn.config_context(enable_metadata_routing=True):
        yield


class Recorder(ClassifierMixin, BaseEstimator):
    """A classifier that remembers what came with its examples."""

    def fit(self, X: Any, y: Any, sample_weight: Any = None, kind: Any = None) -> "Recorder":
        self.sample_weight_, self.kind_ = sample_weight, kind
        self.model_ = GaussianNB().fit(X, y)
        self.classes_ = self.model_.classes_
        return self

    def predict(self, X: Any) -> Any:
        return self.model_.predict(X)

    def predict_proba(self, X: Any) -> Any:
        return self.model_.predict_proba(X)


def clean(classifier: Any, **options: Any) -> conflearn.CleanLearning:
    return conflearn.CleanLearning(classifier, random_state=0, **options)


@pytest.mark.usefixtures("routing")
def test_the_classifier_gets_what_it_requests() -> None:
    with pytest.raises(UnsetMetadataPassedError):
        clean(Recorder()).fit(X, Y, sample_weight=WEIGHTS)
    asks = Recorder().set_fit_request(sample_weight=True, kind=True)
    model = clean(asks).fit(X, Y, sample_weight=WEIGHTS, kind=np.arange(150))
    kept = np.flatnonzero(~model.label_issues_mask_)
    np.testing.assert_array_equal(model.classifier_.kind_, kept)
    rates = model.noise_model_.noise_matrix.diagonal()
    expected = (WEIGHTS / rates[Y])[kept]
    np.testing.assert_allclose(model.classifier_.sample_weight_, expected)
    with pytest.raises(TypeError, match="unknown"):
        clean(asks).fit(X, Y, unknown=1)


@pytest.mark.usefixtures("routing")
def test_a_request_may_have_another_name() -> None:
    asks = Recorder().set_fit_request(sample_weight="trust")
    model = clean(asks, reweight=False).fit(X, Y, trust=WEIGHTS)
    np.testing.assert_array_equal(
        model.classifier_.sample_weight_, WEIGHTS[~model.label_issues_mask_]
    )


@pytest.mark.usefixtures("routing")
def test_the_method_has_its_weights_without_a_request() -> None:
    model = clean(Recorder()).fit(X, Y)
    rates = model.noise_model_.noise_matrix.diagonal()
    expected = (1 / rates[Y])[~model.label_issues_mask_]
    np.testing.assert_array_equal(model.classifier_.sample_weight_, expected)


@pytest.mark.usefixtures("routing")
def test_a_pipeline_hands_weights_on_if_its_last_step_has_requested_them() -> None:
    silent = make_pipeline(StandardScaler(), Recorder())
    with pytest.warns(WeightWarning):
        assert clean(silent, reweight=True).fit(X, Y).classifier_[-1].sample_weight_ is None
    with pytest.raises(OptionError, match="takes none"):
        clean(silent, prune="soft").fit(X, Y)
    scaler = StandardScaler().set_fit_request(sample_weight=False)
    asks = make_pipeline(scaler, Recorder().set_fit_request(sample_weight=True))
    model = clean(asks, prune="soft").fit(X, Y, sample_weight=WEIGHTS)
    np.testing.assert_array_equal(model.classifier_[-1].sample_weight_, model.sample_weight_)


@pytest.mark.usefixtures("routing")
def test_cross_validation_alone_finds_the_weights_of_a_pipeline() -> None:
    scaler = StandardScaler().set_fit_request(sample_weight=False)
    asks = make_pipeline(scaler, GaussianNB().set_fit_request(sample_weight=True))
    weighted = conflearn.cross_val_pred_probs(asks, X, Y, sample_weight=WEIGHTS, random_state=0)
    with sklearn.config_context(enable_metadata_routing=False):
        expected = conflearn.cross_val_pred_probs(asks, X, Y, sample_weight=WEIGHTS, random_state=0)
    np.testing.assert_array_equal(weighted, expected)


@pytest.mark.usefixtures("routing")
@pytest.mark.parametrize("cv", [5, GroupKFold(3), StratifiedKFold(3)], ids=str)
def test_groups_reach_the_splitter(cv: Any) -> None:
    if isinstance(cv, StratifiedKFold):  # which says that it has no use for groups
        with pytest.warns(UserWarning, match="groups"):
            clean(GaussianNB(), cv=cv).fit(X, Y, groups=GROUPS)
        return
    model = clean(GaussianNB(), cv=cv).fit(X, Y, groups=GROUPS)
    expected = conflearn.cross_val_pred_probs(
        GaussianNB(), X, Y, cv=cv, groups=GROUPS, random_state=0
    )
    np.testing.assert_array_equal(model.pred_probs_, expected)


@pytest.mark.usefixtures("routing")
def test_a_search_around_it_hands_on_what_it_requests() -> None:
    inner = clean(Recorder().set_fit_request(sample_weight=True, kind=True))
    asks = inner.set_fit_request(sample_weight=True, groups=True)
    search = GridSearchCV(
        asks.set_score_request(sample_weight=False), {"frac_noise": [0.5, 1.0]}, cv=2
    )
    search.fit(X, Y, sample_weight=WEIGHTS, groups=GROUPS, kind=np.arange(150))
    best = search.best_estimator_
    kept = np.flatnonzero(~best.label_issues_mask_)
    np.testing.assert_array_equal(best.classifier_.kind_, kept)
    outside = Pipeline([("scale", StandardScaler()), ("clean", asks)])
    outside.named_steps["scale"].set_fit_request(sample_weight=False)
    outside.fit(X, Y, sample_weight=WEIGHTS)
    assert (outside[-1].sample_weight_ != 1).any()


def test_without_routing_groups_and_weights_have_their_arguments() -> None:
    model = clean(Recorder(), cv=GroupKFold(3)).fit(X, Y, sample_weight=WEIGHTS, groups=GROUPS)
    expected = conflearn.cross_val_pred_probs(
        Recorder(), X, Y, cv=GroupKFold(3), groups=GROUPS, sample_weight=WEIGHTS
    )
    np.testing.assert_array_equal(model.pred_probs_, expected)
    with pytest.raises(TypeError, match="unknown"):
        clean(KNeighborsClassifier()).fit(X, Y, unknown=1)
