"""CleanLearning: what it finds, what it trains on, what it predicts."""

import copy
import importlib
import pickle
import re
import subprocess
import sys
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import conflearn
from conflearn.errors import (
    FoldWarning,
    InputError,
    InputTypeError,
    LabelError,
    OptionError,
    ProbabilityError,
    ShapeError,
    WeightWarning,
)
from noisy import noisy_blobs
from strategies import FILTERS, JUDGES, SCORES

pytest.importorskip("sklearn")

from sklearn.base import BaseEstimator, ClassifierMixin, clone
from sklearn.calibration import CalibratedClassifierCV
from sklearn.exceptions import NotFittedError
from sklearn.linear_model import LinearRegression, LogisticRegression
from sklearn.model_selection import GridSearchCV, StratifiedKFold, cross_val_score
from sklearn.naive_bayes import GaussianNB
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import LinearSVC
from sklearn.tree import DecisionTreeClassifier

X, Y, TRUE = DATA = noisy_blobs()
NAMES = np.array(["ape", "bat", "cat"])


class Recorder(ClassifierMixin, BaseEstimator):
    """A classifier that remembers what it was trained with."""

    def __init__(self, *, scale: float = 1.0) -> None:
        self.scale = scale

    def fit(self, X: Any, y: Any, sample_weight: Any = None, *, extra: Any = None) -> "Recorder":
        self.X_, self.y_, self.sample_weight_, self.extra_ = X, y, sample_weight, extra
        self.model_ = GaussianNB().fit(X, y)
        self.classes_ = self.model_.classes_
        return self

    def predict(self, X: Any) -> Any:
        return self.model_.predict(X)

    def predict_proba(self, X: Any) -> Any:
        return self.model_.predict_proba(X)


def fitted(classifier: Any = None, data: Any = DATA, **options: Any) -> Any:
    fit = {name: options.pop(name) for name in ("sample_weight", "pred_probs") if name in options}
    clean = conflearn.CleanLearning(classifier or Recorder(), random_state=0, **options)
    return clean.fit(data.X, data.y, **fit)


# --- What it finds


def test_what_it_finds_is_what_analyze_finds() -> None:
    clean = fitted()
    pred_probs = conflearn.cross_val_pred_probs(Recorder(), X, Y, random_state=0)
    analysis = conflearn.analyze(Y, pred_probs)
    np.testing.assert_array_equal(clean.pred_probs_, pred_probs)
    np.testing.assert_array_equal(clean.label_issues_mask_, analysis.mask)
    np.testing.assert_array_equal(clean.label_quality_scores_, analysis.scores["self_confidence"])
    np.testing.assert_array_equal(clean.noise_model_.prior, analysis.noise_model.prior)
    np.testing.assert_array_equal(clean.analysis_.ranked, analysis.ranked)
    assert (clean.label_issues_mask_ == DATA.is_wrong).mean() > 0.95


@pytest.mark.parametrize(
    "options",
    [
        *({"filter_by": name} for name in [*FILTERS, *JUDGES, "auto"]),
        *({"rank_by": name} for name in SCORES + JUDGES),
        {"frac_noise": 0.5},
        {"num_to_remove_per_class": [2, 0, 1]},
        {"min_examples_per_class": 49},
        {"confident_joint": np.full((3, 3), 50 / 3)},
    ],
    ids=str,
)
def test_options_pass_through(options: dict[str, Any]) -> None:
    clean = fitted(**options)
    analysis = conflearn.analyze(Y, clean.pred_probs_, **options)
    np.testing.assert_array_equal(clean.label_issues_mask_, analysis.mask)
    np.testing.assert_array_equal(clean.label_quality_scores_, analysis.scores[analysis.rank_by])
    np.testing.assert_array_equal(clean.analysis_.ranked, analysis.ranked)


def test_issues_come_as_a_table_with_the_names_of_the_classes() -> None:
    clean = conflearn.CleanLearning(GaussianNB(), random_state=0)
    issues = clean.find_label_issues(X, NAMES[Y])
    assert issues.dtype.names == ("index", "given", "suggested", "score", "reason")
    np.testing.assert_array_equal(issues["index"], clean.analysis_.ranked)
    np.testing.assert_array_equal(issues["given"], NAMES[Y][issues["index"]])
    assert (issues["suggested"] == NAMES[TRUE][issues["index"]]).mean() > 0.8
    assert (np.diff(issues["score"]) >= 0).all()
    assert re.match(r"\w+ at \d\.\d\d \(typical", issues["reason"][0])


def test_finding_trains_nothing_that_predicts() -> None:
    clean = conflearn.CleanLearning(GaussianNB())
    clean.find_label_issues(X, Y)
    with pytest.raises(NotFittedError):
        clean.predict(X)


def test_a_look_at_other_data_leaves_the_classifier_alone() -> None:
    clean = conflearn.CleanLearning(GaussianNB(), random_state=0).fit(X, NAMES[Y])
    before = clean.predict(X)
    clean.find_label_issues(X[:100], Y[:100] % 2)
    np.testing.assert_array_equal(clean.predict(X), before)
    assert clean.analysis_.n_examples == 100


def test_found_once_used_for_training() -> None:
    clean = conflearn.CleanLearning(Recorder(), random_state=0)
    clean.find_label_issues(X, Y)
    again = conflearn.CleanLearning(Recorder(), cv="not needed")
    again.fit(X, Y, pred_probs=clean.pred_probs_)
    np.testing.assert_array_equal(again.label_issues_mask_, clean.label_issues_mask_)
    np.testing.assert_array_equal(again.predict(X), fitted().predict(X))
    without_X = again.find_label_issues(None, Y, pred_probs=clean.pred_probs_)
    np.testing.assert_array_equal(without_X["index"], clean.analysis_.ranked)


def test_a_later_call_knows_nothing_of_an_earlier_one() -> None:
    """cleanlab's goes on with the joint of the first data."""
    other = noisy_blobs(240, 4, noise=0.4, seed=1)
    used = fitted(reweight=True)
    used.fit(other.X, other.y)
    fresh = fitted(data=other, reweight=True)
    for name in ("label_issues_mask_", "label_quality_scores_", "sample_weight_", "pred_probs_"):
        np.testing.assert_array_equal(getattr(used, name), getattr(fresh, name))
    np.testing.assert_array_equal(used.analysis_.joint, fresh.analysis_.joint)
    np.testing.assert_array_equal(used.noise_model_.noise_matrix, fresh.noise_model_.noise_matrix)
    np.testing.assert_array_equal(used.predict(other.X), fresh.predict(other.X))


# --- What it trains on


def test_hard_pruning_leaves_flagged_examples_out() -> None:
    clean = fitted(reweight=False)
    kept = ~clean.label_issues_mask_
    np.testing.assert_array_equal(clean.classifier_.X_, X[kept])
    np.testing.assert_array_equal(clean.classifier_.y_, Y[kept])
    assert clean.classifier_.sample_weight_ is None
    np.testing.assert_array_equal(clean.sample_weight_, kept)


@pytest.mark.parametrize("reweight", [True, np.True_, "auto"])
def test_kept_examples_stand_for_those_left_out(reweight: Any) -> None:
    clean = fitted(reweight=reweight)
    kept, rates = ~clean.label_issues_mask_, clean.noise_model_.noise_matrix.diagonal()
    np.testing.assert_array_equal(clean.classifier_.X_, X[kept])
    np.testing.assert_array_equal(clean.classifier_.sample_weight_, 1 / rates[Y[kept]])
    np.testing.assert_array_equal(clean.sample_weight_, np.where(kept, 1 / rates[Y], 0))


@pytest.mark.parametrize(
    ("reweight", "mode"), [("auto", "soft"), (False, "soft"), (True, "importance")]
)
def test_soft_pruning_keeps_every_example(reweight: Any, mode: Any) -> None:
    clean = fitted(prune="soft", reweight=reweight)
    expected = conflearn.sample_weights(Y, clean.pred_probs_, mode=mode)
    np.testing.assert_array_equal(clean.classifier_.X_, X)
    np.testing.assert_array_equal(clean.sample_weight_, expected)
    np.testing.assert_array_equal(clean.classifier_.sample_weight_, expected)
    if mode == "soft":
        assert clean.sample_weight_[DATA.is_wrong].mean() < 0.2
        assert clean.sample_weight_[~DATA.is_wrong].mean() > 0.8


@pytest.mark.parametrize(
    "options", [{}, {"reweight": False}, {"prune": "soft"}, {"prune": "soft", "reweight": True}]
)
def test_the_callers_weights_are_multiplied_in(options: dict[str, Any]) -> None:
    weights = np.random.default_rng(0).uniform(0.5, 2, size=150)
    clean = fitted(sample_weight=weights, **options)
    kept = ~clean.label_issues_mask_ if "prune" not in options else np.ones(150, dtype=bool)
    without = fitted(pred_probs=clean.pred_probs_, **options)
    np.testing.assert_array_equal(clean.sample_weight_, without.sample_weight_ * weights)
    np.testing.assert_array_equal(clean.classifier_.sample_weight_, clean.sample_weight_[kept])
    # They count in cross-validation as well.
    folds = conflearn.cross_val_pred_probs(Recorder(), X, Y, sample_weight=weights, random_state=0)
    np.testing.assert_array_equal(clean.pred_probs_, folds)


def test_weights_come_from_the_joint_that_is_given() -> None:
    joint = np.array([[40, 5, 0], [10, 30, 0], [0, 0, 65]])
    clean = fitted(confident_joint=joint)
    rates = conflearn.estimate_noise_model(joint, Y).noise_matrix.diagonal()
    kept = ~clean.label_issues_mask_
    np.testing.assert_array_equal(clean.classifier_.sample_weight_, 1 / rates[Y[kept]])


def test_a_classifier_without_weights_is_trained_without() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        clean = fitted(KNeighborsClassifier())
    np.testing.assert_array_equal(clean.sample_weight_, ~clean.label_issues_mask_)
    with pytest.warns(WeightWarning, match="KNeighborsClassifier.fit takes no weights") as warned:
        told = fitted(KNeighborsClassifier(), reweight=True)
    assert warned[0].filename == __file__
    np.testing.assert_array_equal(told.predict(X), clean.predict(X))


def test_params_of_fit_are_cut_like_the_examples() -> None:
    clean = conflearn.CleanLearning(Recorder(), random_state=0)
    clean.fit(X, Y, extra=np.arange(150))
    np.testing.assert_array_equal(
        clean.classifier_.extra_, np.flatnonzero(~clean.label_issues_mask_)
    )
    clean.fit(X, Y, extra="not one for each example")
    assert clean.classifier_.extra_ == "not one for each example"


def test_weights_reach_the_last_step_of_a_pipeline() -> None:
    pipeline = make_pipeline(StandardScaler(), make_pipeline(StandardScaler(), Recorder()))
    clean = fitted(pipeline)
    last = clean.classifier_[-1][-1]
    np.testing.assert_array_equal(
        last.sample_weight_, clean.sample_weight_[~clean.label_issues_mask_]
    )
    assert (clean.sample_weight_ > 1).any()
    weights = np.linspace(1, 2, 150)
    by_name = conflearn.CleanLearning(pipeline, random_state=0).fit(
        X, Y, pipeline__recorder__sample_weight=weights
    )
    expected = fitted(pipeline, sample_weight=weights)
    np.testing.assert_array_equal(by_name.sample_weight_, expected.sample_weight_)
    soft = fitted(GridSearchCV(pipeline, {}, cv=2), prune="soft")
    assert soft.classifier_.best_estimator_[-1][-1].sample_weight_.min() < 0.5


def test_learning_beats_the_plain_classifier(monkeypatch: pytest.MonkeyPatch) -> None:
    benches = Path(__file__).resolve().parents[1] / "benches"
    if not benches.exists():
        pytest.skip("the benchmarks are not here")
    monkeypatch.syspath_prepend(str(benches))
    benchmark = importlib.import_module("learning")
    measured = benchmark.measure(smoke=True)
    assert len(measured) >= 3
    for name, runs in measured.items():
        plain, hard = (sum(column) / len(runs) for column in list(zip(*runs, strict=True))[:2])
        assert hard > plain, name
    assert "naive Bayes" in benchmark.as_table(measured)


# --- What it predicts


def test_predictions_are_those_of_the_classifier() -> None:
    clean = fitted(GaussianNB())
    kept = ~clean.label_issues_mask_
    weights = clean.sample_weight_[kept]
    alone = GaussianNB().fit(X[kept], Y[kept], weights)
    np.testing.assert_array_equal(clean.predict(X), alone.predict(X))
    np.testing.assert_array_equal(clean.predict_proba(X), alone.predict_proba(X))
    assert clean.score(X, TRUE) == alone.score(X, TRUE)
    assert clean.score(X, TRUE, sample_weight=np.ones(150)) == alone.score(X, TRUE)


def test_only_what_the_classifier_has_is_there() -> None:
    assert not hasattr(conflearn.CleanLearning(GaussianNB()), "decision_function")
    assert not hasattr(conflearn.CleanLearning(LinearSVC()), "predict_proba")
    assert hasattr(conflearn.CleanLearning(), "predict_proba")
    assert hasattr(conflearn.CleanLearning(), "decision_function")
    clean = fitted(LogisticRegression())
    np.testing.assert_array_equal(
        clean.decision_function(X), clean.classifier_.decision_function(X)
    )


@pytest.mark.parametrize(
    "given",
    [NAMES[Y], NAMES[Y].astype(object), NAMES[Y].tolist(), 10 * Y - 7, Y.astype(float), Y > 1],
    ids=["str", "object", "list", "int", "float", "bool"],
)
def test_labels_of_any_sort(given: Any) -> None:
    clean = conflearn.CleanLearning(GaussianNB(), random_state=0).fit(X, given)
    np.testing.assert_array_equal(clean.classes_, np.unique(given))
    assert set(clean.predict(X).tolist()) == set(np.asarray(given).tolist())
    assert (clean.predict(X) == np.asarray(given)).mean() > 0.7
    assert clean.predict_proba(X).shape == (150, len(clean.classes_))
    np.testing.assert_array_equal(clean.classifier_.classes_, clean.classes_)


def test_the_names_of_features_are_kept() -> None:
    pandas = pytest.importorskip("pandas")
    frame = pandas.DataFrame(X, columns=["length", "width"])
    clean = conflearn.CleanLearning(LogisticRegression()).fit(frame, Y)
    assert clean.n_features_in_ == 2
    assert clean.feature_names_in_.tolist() == ["length", "width"]
    clean.fit(X, Y)
    assert not hasattr(clean, "feature_names_in_")
    with pytest.raises(ValueError, match="has 1 features"):
        clean.predict(X[:, :1])


# --- Rare classes


@pytest.mark.parametrize("n_rare", [1, 2, 4])
@pytest.mark.parametrize("prune", ["hard", "soft"])
def test_a_rare_class_is_learned_too(n_rare: int, prune: Any) -> None:
    features = np.concatenate([X, np.full((n_rare, 2), 9.0)])
    labels = np.concatenate([NAMES[Y], np.full(n_rare, "rare")])
    clean = conflearn.CleanLearning(
        DecisionTreeClassifier(random_state=0), prune=prune, random_state=0
    )
    with pytest.warns(FoldWarning, match=re.escape(f"'rare' ({n_rare})")) as warned:
        clean.fit(features, labels)
    assert warned[0].filename == __file__
    assert not clean.label_issues_mask_[150:].any()
    assert (clean.sample_weight_[150:] > 0).all()
    assert clean.classes_.tolist() == ["ape", "bat", "cat", "rare"]
    assert (clean.predict(features[150:]) == "rare").all()


def test_a_class_may_be_pruned_away() -> None:
    features = np.concatenate([X, X[:6]])
    labels = np.concatenate([NAMES[Y], np.full(6, "typo")])
    clean = conflearn.CleanLearning(
        LogisticRegression(), filter_by="predicted_neq_given", random_state=0
    ).fit(features, labels)
    assert clean.label_issues_mask_[150:].all()
    assert clean.classes_.tolist() == ["ape", "bat", "cat", "typo"]
    pred_probs = clean.predict_proba(X)
    assert pred_probs.shape == (150, 4)
    assert (pred_probs[:, 3] == 0).all()
    decisions = clean.decision_function(X)
    assert decisions.shape == (150, 4)
    np.testing.assert_array_equal(clean.classes_[decisions.argmax(axis=1)], clean.predict(X))


def test_two_examples_a_class_will_do() -> None:
    with pytest.warns(FoldWarning):
        clean = conflearn.CleanLearning(GaussianNB()).fit([[0], [1], [8], [9]], list("aabb"))
    assert clean.predict([[0.5], [8.5]]).tolist() == ["a", "b"]


# --- Ways of scikit-learn


def test_it_is_cloned_pickled_and_copied() -> None:
    clean = fitted(GaussianNB(), prune="soft")
    assert clone(clean).get_params()["prune"] == "soft"
    assert not hasattr(clone(clean), "classifier_")
    for again in (pickle.loads(pickle.dumps(clean)), copy.deepcopy(clean)):
        np.testing.assert_array_equal(again.predict(X), clean.predict(X))
        assert repr(again.analysis_) == repr(clean.analysis_)
        with pytest.raises(TypeError):
            again.analysis_.scores["new"] = 0


def test_a_grid_reaches_its_own_options_and_the_classifiers() -> None:
    grid = GridSearchCV(
        conflearn.CleanLearning(GaussianNB(), random_state=0),
        {"classifier__var_smoothing": [1e-9, 1e3], "prune": ["hard", "soft"]},
        cv=2,
    ).fit(X, NAMES[Y])
    assert grid.best_params_["classifier__var_smoothing"] == 1e-9
    assert grid.best_estimator_.classifier_.var_smoothing == 1e-9


def test_pipelines_inside_and_outside() -> None:
    inside = conflearn.CleanLearning(make_pipeline(StandardScaler(), GaussianNB()), random_state=0)
    outside = make_pipeline(StandardScaler(), conflearn.CleanLearning(GaussianNB(), random_state=0))
    for model in (inside, outside):
        model.fit(X, NAMES[Y])
        assert model.score(X, NAMES[TRUE]) > 0.95
    assert inside.n_features_in_ == 2
    scores = cross_val_score(outside, X, NAMES[Y], cv=StratifiedKFold(3))
    assert scores.mean() > 0.7


def test_the_default_is_a_logistic_regression() -> None:
    clean = conflearn.CleanLearning(random_state=0).fit(X, Y)
    assert isinstance(clean.classifier_, LogisticRegression)
    assert clean.classifier is None


# --- Classifiers without probabilities


@pytest.mark.parametrize("method", ["auto", "decision_function"])
def test_decision_values_do_where_there_are_no_probabilities(method: Any) -> None:
    clean = fitted(LinearSVC(), method=method)
    assert (clean.label_issues_mask_ == DATA.is_wrong).mean() > 0.9
    assert clean.score(X, TRUE) > 0.95
    again = fitted(LinearSVC(), method="decision_function", pred_probs=clean.pred_probs_)
    np.testing.assert_array_equal(again.label_issues_mask_, clean.label_issues_mask_)


@pytest.mark.parametrize("labels", [Y, Y > 0])
def test_decision_values_found_once_are_used_for_training(labels: np.ndarray) -> None:
    clean = conflearn.CleanLearning(LinearSVC(), random_state=0)
    clean.find_label_issues(X, labels)
    values, mask = clean.pred_probs_, clean.label_issues_mask_
    assert values.min() < 0
    clean.fit(X, labels, pred_probs=values)
    assert clean.analysis_.kind == "scores"
    np.testing.assert_array_equal(clean.label_issues_mask_, mask)
    # Probabilities of another model are what they look like.
    others = conflearn.cross_val_pred_probs(GaussianNB(), X, labels)
    assert clean.fit(X, labels, pred_probs=others).analysis_.kind == "probabilities"


def test_decision_values_are_no_probabilities_of_being_right() -> None:
    with pytest.raises(OptionError, match="needs probabilities"):
        fitted(LinearSVC(), prune="soft")
    with pytest.raises(OptionError, match="confidence_weighted_entropy"):
        fitted(LinearSVC(), rank_by="confidence_weighted_entropy")
    for judge in JUDGES:
        for name in ("filter_by", "rank_by"):
            with pytest.raises(OptionError, match=f"{name}='{judge}' needs probabilities"):
                fitted(LinearSVC(), **{name: judge})
    fitted(CalibratedClassifierCV(LinearSVC(), cv=2), prune="soft")


@pytest.mark.parametrize("n_classes", [2, 3])
def test_decision_values_with_a_rare_class(n_classes: int) -> None:
    kept = n_classes > Y
    features = np.concatenate([X[kept], [[9.0, 9.0]]])
    labels = np.append(NAMES[Y[kept]], "rare")
    with pytest.warns(FoldWarning):
        clean = conflearn.CleanLearning(LinearSVC(), random_state=0).fit(features, labels)
    assert not clean.label_issues_mask_[-1]
    assert np.isfinite(clean.pred_probs_).all()
    is_wrong = (Y != TRUE)[kept & (n_classes > TRUE)]
    assert (clean.label_issues_mask_[:-1][n_classes > TRUE[kept]] == is_wrong).mean() > 0.9


# --- What is refused


@pytest.mark.parametrize(
    ("options", "arguments", "error", "message"),
    [
        ({"prune": "sotf"}, {}, OptionError, "did you mean 'soft'"),
        ({"reweight": "yes"}, {}, OptionError, "reweight='yes'"),
        ({"method": "predict"}, {}, OptionError, "method='predict'"),
        ({"filter_by": "all"}, {}, OptionError, "filter_by='all'"),
        ({"encode_labels": 3}, {}, OptionError, "encode_labels=3"),
        ({"cv": 0}, {}, OptionError, "cv=0"),
        ({"n_threads": 0}, {}, OptionError, "n_threads=0"),
        ({"classifier": GaussianNB}, {}, InputTypeError, "pass GaussianNB()"),
        ({"classifier": LinearRegression()}, {}, InputTypeError, "is a regressor"),
        (
            {"classifier": KNeighborsClassifier(), "prune": "soft"},
            {},
            OptionError,
            "prune='soft' trains with weights, but KNeighborsClassifier.fit takes none",
        ),
        (
            {"classifier": KNeighborsClassifier()},
            {"sample_weight": np.ones(150)},
            OptionError,
            "KNeighborsClassifier.fit takes no weights",
        ),
        (
            {"classifier": LinearSVC(), "method": "predict_proba"},
            {},
            OptionError,
            "wrap it in CalibratedClassifierCV",
        ),
        ({}, {"X": None}, InputError, "X is None"),
        ({}, {"X": X[1:]}, ShapeError, "y has 150 entries, but X has 149 rows"),
        ({}, {"y": np.zeros(150)}, LabelError, "at least two classes"),
        ({}, {"y": None}, LabelError, "the target y is None"),
        ({}, {"sample_weight": np.ones(3)}, ShapeError, "sample_weight must have one dimension"),
        ({}, {"groups": [1]}, ShapeError, "groups must have one dimension"),
        (
            {},
            {"pred_probs": np.full((150, 4), 0.25)},
            ShapeError,
            "a column for each of the 3 classes in y",
        ),
        ({}, {"pred_probs": np.full((3, 3), 0.25)}, ShapeError, "a row for each of the 150"),
        ({}, {"pred_probs": np.full((150, 3), np.nan)}, ProbabilityError, "pred_probs[0, 0]"),
        (
            {"filter_by": "predicted_neq_given"},
            {"pred_probs": np.tile([0.0, 1, 0], (150, 1))},
            InputError,
            "leaves examples of class 1 only",
        ),
    ],
)
def test_what_is_refused(
    options: Any, arguments: Any, error: type[Exception], message: str
) -> None:
    clean = conflearn.CleanLearning(**({"classifier": GaussianNB()} | options))
    with pytest.raises(error, match=re.escape(message)):
        clean.fit(**({"X": X, "y": Y} | arguments))


def test_what_cannot_be_weighed_is_refused_before_anything_is_trained() -> None:
    class NeverTrained(KNeighborsClassifier):
        def fit(self, X: Any, y: Any) -> Any:
            raise AssertionError

    with pytest.raises(OptionError):
        fitted(NeverTrained(), prune="soft")


@pytest.mark.parametrize("look", ["fit", "find_label_issues"])
@pytest.mark.parametrize(
    "options",
    [
        {"frac_noise": 2},
        {"filter_by": "prune"},
        {"filter_by": "auto", "frac_noise": 0.5},
        {"filter_by": "auto", "cut": 0.5},
        {"filter_by": "auto", "method": "decision_function"},
        {"rank_by": "entropy"},
        {"confident_joint": np.ones((2, 2))},
        {"num_to_remove_per_class": [1, 2]},
        {"n_threads": -1},
        {"method": "decision_function", "rank_by": "confidence_weighted_entropy"},
    ],
)
def test_what_makes_no_sense_is_refused_before_anything_is_trained(
    look: str, options: dict[str, Any]
) -> None:
    class Costly(LogisticRegression):
        def fit(self, X: Any, y: Any) -> Any:
            raise AssertionError("was trained")

    with pytest.raises(InputError):
        getattr(conflearn.CleanLearning(Costly(), **options), look)(X, Y)


def test_nothing_to_look_at_is_refused() -> None:
    with pytest.raises(InputError, match="unless there are pred_probs"):
        conflearn.CleanLearning().find_label_issues(None, Y)


# --- Without scikit-learn


def test_scikit_learn_is_imported_when_it_is_needed() -> None:
    code = """if True:
        import sys, conflearn
        assert "sklearn" not in sys.modules
        assert "CleanLearning" in dir(conflearn) and "cross_val_pred_probs" in dir(conflearn)
        conflearn.sample_weights([0, 1], [[0.9, 0.1], [0.1, 0.9]])
        assert "sklearn" not in sys.modules
        from conflearn import *
        assert "sklearn" not in sys.modules
        from conflearn import CleanLearning
        assert "sklearn" in sys.modules
    """
    subprocess.run([sys.executable, "-c", code], check=True)


def test_a_missing_scikit_learn_is_named() -> None:
    code = """if True:
        import sys
        sys.modules["sklearn"] = None
        import conflearn
        for name in ("CleanLearning", "cross_val_pred_probs"):
            try:
                getattr(conflearn, name)
            except conflearn.errors.MissingDependencyError as error:
                assert 'pip install "conflearn[learn]"' in str(error)
            else:
                raise AssertionError
    """
    subprocess.run([sys.executable, "-c", code], check=True)


def test_logits_in_place_of_probabilities_are_told_what_to_do() -> None:
    logits = np.array([[3.0, -1.0], [-2.0, 2.0]])
    clean = conflearn.CleanLearning(LogisticRegression())
    with pytest.raises(ProbabilityError, match=r"pred_probs\[0, 0\] is 3; pass probabilities"):
        clean.find_label_issues(None, [0, 1], pred_probs=logits)
