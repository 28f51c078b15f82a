"""Out-of-sample probabilities: every fold, every class, every kind of input."""

import pickle
import re
import warnings
from typing import Any

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

import conflearn
from conflearn._coerce import NamedLabels
from conflearn.errors import (
    FoldWarning,
    InputError,
    InputTypeError,
    LabelError,
    OptionError,
    ShapeError,
)
from noisy import noisy_blobs

pytest.importorskip("sklearn")

from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.linear_model import LogisticRegression, RidgeClassifier
from sklearn.model_selection import (
    GroupKFold,
    KFold,
    LeaveOneGroupOut,
    RepeatedStratifiedKFold,
    ShuffleSplit,
    StratifiedKFold,
    TimeSeriesSplit,
    cross_val_predict,
)
from sklearn.naive_bayes import GaussianNB
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import make_pipeline
from sklearn.svm import SVC, LinearSVC
from sklearn.tree import DecisionTreeClassifier

from conflearn.learning.folds import cut

X, Y, TRUE = noisy_blobs()
FOLDS = StratifiedKFold(5, shuffle=True, random_state=0)


def by_scikit_learn(classifier: Any, **options: Any) -> np.ndarray:
    return cross_val_predict(classifier, X, Y, method="predict_proba", **options)


# --- The same as scikit-learn's, where that has an answer


def test_they_are_those_of_scikit_learn() -> None:
    ours = conflearn.cross_val_pred_probs(GaussianNB(), X, Y, random_state=0)
    np.testing.assert_array_equal(ours, by_scikit_learn(GaussianNB(), cv=FOLDS))


@pytest.mark.parametrize("cv", [FOLDS, KFold(4), list(FOLDS.split(X, Y))], ids=type)
def test_any_splitter(cv: Any) -> None:
    ours = conflearn.cross_val_pred_probs(GaussianNB(), X, Y, cv=cv)
    np.testing.assert_array_equal(ours, by_scikit_learn(GaussianNB(), cv=cv))


def test_rows_may_come_as_masks_or_from_the_end() -> None:
    masks = [(~(FOLD := np.isin(np.arange(150), test)), FOLD) for _, test in FOLDS.split(X, Y)]
    negative = [(train - 150, test - 150) for train, test in FOLDS.split(X, Y)]
    expected = by_scikit_learn(GaussianNB(), cv=FOLDS)
    for cv in (masks, negative, iter(masks)):
        np.testing.assert_array_equal(
            conflearn.cross_val_pred_probs(GaussianNB(), X, Y, cv=cv), expected
        )


def test_processes_do_not_show() -> None:
    ours = conflearn.cross_val_pred_probs(GaussianNB(), X, Y, random_state=0, n_jobs=2)
    np.testing.assert_array_equal(ours, by_scikit_learn(GaussianNB(), cv=FOLDS))


def test_an_int_is_shuffled_by_the_seed() -> None:
    first, same, other = (
        conflearn.cross_val_pred_probs(GaussianNB(), X, Y, random_state=seed) for seed in (1, 1, 2)
    )
    np.testing.assert_array_equal(first, same)
    assert (first != other).any()


def test_float32_stays() -> None:
    class Narrow(GaussianNB):
        def predict_proba(self, X: Any) -> np.ndarray:
            return super().predict_proba(X).astype(np.float32)

    assert conflearn.cross_val_pred_probs(Narrow(), X, Y).dtype == np.float32
    assert conflearn.cross_val_pred_probs(GaussianNB(), X, Y).dtype == np.float64


def test_columns_are_in_the_order_of_the_classes() -> None:
    names = np.array(["zebra", "ape", "mole"])[Y]
    by_name = conflearn.cross_val_pred_probs(GaussianNB(), X, names, random_state=0)
    by_number = conflearn.cross_val_pred_probs(GaussianNB(), X, Y, random_state=0)
    np.testing.assert_allclose(by_name, by_number[:, [1, 2, 0]])


def test_a_classifier_may_have_its_classes_in_another_order() -> None:
    class Backwards(GaussianNB):
        def fit(self, X: Any, y: Any, sample_weight: Any = None) -> Any:
            self.inner_ = GaussianNB().fit(X, y)
            self.classes_ = self.inner_.classes_[::-1]
            return self

        def predict_proba(self, X: Any) -> Any:
            return self.inner_.predict_proba(X)[:, ::-1]

    ours = conflearn.cross_val_pred_probs(Backwards(), X, Y, random_state=0)
    np.testing.assert_array_equal(ours, by_scikit_learn(GaussianNB(), cv=FOLDS))


def test_the_classifier_is_left_alone() -> None:
    classifier = GaussianNB()
    before = pickle.dumps(classifier)
    conflearn.cross_val_pred_probs(classifier, X, Y)
    assert pickle.dumps(classifier) == before


# --- Weights, params and groups


def test_weights_take_part_in_training() -> None:
    weights = np.random.default_rng(0).integers(1, 5, size=150).astype(float)
    ours = conflearn.cross_val_pred_probs(GaussianNB(), X, Y, sample_weight=weights, random_state=0)
    expected = by_scikit_learn(GaussianNB(), cv=FOLDS, params={"sample_weight": weights})
    np.testing.assert_array_equal(ours, expected)
    by_params = conflearn.cross_val_pred_probs(
        GaussianNB(), X, Y, params={"sample_weight": weights}, random_state=0
    )
    np.testing.assert_array_equal(by_params, expected)


class GroupsSeen(ClassifierMixin, BaseEstimator):
    """Asks for rows whose first feature is their group; refuses one that it was trained on."""

    def fit(self, X: Any, y: Any) -> Any:
        self.classes_ = np.unique(y)
        self.groups_ = set(X[:, 0].tolist())
        return self

    def predict(self, X: Any) -> np.ndarray:
        return np.full(len(X), self.classes_[0])

    def predict_proba(self, X: Any) -> np.ndarray:
        assert not self.groups_ & set(X[:, 0].tolist())
        return np.full((len(X), len(self.classes_)), 1 / len(self.classes_))


@pytest.mark.parametrize("cv", [5, GroupKFold(3), LeaveOneGroupOut()], ids=str)
def test_groups_are_held_out_together(cv: Any) -> None:
    groups = np.random.default_rng(0).integers(12, size=150)
    by_group = np.column_stack([groups, X])
    pred_probs = conflearn.cross_val_pred_probs(GroupsSeen(), by_group, Y, cv=cv, groups=groups)
    np.testing.assert_array_equal(pred_probs, 1 / 3)
    with pytest.raises(AssertionError):
        conflearn.cross_val_pred_probs(GroupsSeen(), by_group, Y, cv=5)


def test_folds_by_group_are_by_class_too() -> None:
    groups = np.arange(150) // 3  # of three classes each
    seen = []

    class Watches(GroupsSeen):
        def fit(self, X: Any, y: Any) -> Any:
            seen.append(np.bincount(y))
            return super().fit(X, y)

    conflearn.cross_val_pred_probs(
        Watches(), np.column_stack([groups, X]), TRUE, groups=groups, random_state=0
    )
    assert len(seen) == 5
    np.testing.assert_allclose(seen, 40, atol=1)


# --- Examples that are predicted several times, or never


def test_of_several_predictions_the_mean_counts() -> None:
    cv = RepeatedStratifiedKFold(n_splits=3, n_repeats=4, random_state=0)
    ours = conflearn.cross_val_pred_probs(GaussianNB(), X, Y, cv=cv)
    expected = np.zeros((150, 3))
    for train, test in cv.split(X, Y):
        expected[test] += GaussianNB().fit(X[train], Y[train]).predict_proba(X[test]) / 4
    np.testing.assert_allclose(ours, expected)


def test_what_is_never_held_out_counts_as_right() -> None:
    with pytest.warns(FoldWarning, match=r"25 of the 150 examples \(rows 0, 1, 2, 3, 4, \.\.\."):
        ours = conflearn.cross_val_pred_probs(GaussianNB(), X, Y, cv=TimeSeriesSplit(5))
    np.testing.assert_array_equal(ours[:25], np.eye(3)[Y[:25]])
    assert not conflearn.find_label_issues(Y, ours)[:25].any()
    with pytest.warns(FoldWarning, match="never held out"):
        conflearn.cross_val_pred_probs(GaussianNB(), X, Y, cv=ShuffleSplit(1, random_state=0))


# --- Classes that are rare


def with_rare(n_rare: int) -> tuple[np.ndarray, np.ndarray]:
    """Class 3 has this many examples, far away from all others."""
    features = np.concatenate([X, [[9.0, 9.0 + i] for i in range(n_rare)]])
    return features, np.concatenate([Y, np.full(n_rare, 3)])


@pytest.mark.parametrize(
    "classifier",
    [LogisticRegression(), DecisionTreeClassifier(random_state=0), KNeighborsClassifier(1)],
    ids=type,
)
@pytest.mark.parametrize("n_rare", [1, 2, 4])
def test_a_rare_class_is_told_and_its_examples_are_kept(n_rare: int, classifier: Any) -> None:
    features, labels = with_rare(n_rare)
    with pytest.warns(FoldWarning, match=re.escape(f"of 1 class: 3 ({n_rare})")) as warned:
        pred_probs = conflearn.cross_val_pred_probs(classifier, features, labels, random_state=0)
    assert len(warned) == 1
    assert warned[0].filename == __file__
    assert pred_probs.shape == (150 + n_rare, 4)
    assert np.isfinite(pred_probs).all()
    assert not conflearn.find_label_issues(labels, pred_probs)[150:].any()
    if n_rare == 1:
        np.testing.assert_array_equal(pred_probs[150], [0, 0, 0, 1])
    else:  # each was judged by a model that has seen the others
        assert (pred_probs[150:].argmax(axis=1) == 3).all()


def test_a_class_as_large_as_there_are_folds_is_not_rare() -> None:
    features, labels = with_rare(5)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        conflearn.cross_val_pred_probs(GaussianNB(), features, labels)


def test_folds_are_no_more_than_the_largest_class_has_examples() -> None:
    with pytest.warns(FoldWarning, match="of 2 classes"):
        pred_probs = conflearn.cross_val_pred_probs(GaussianNB(), X[:6], [0, 0, 0, 1, 1, 1])
    assert (pred_probs.sum(axis=1) > 0.99).all()


def test_many_rare_classes_are_not_all_listed() -> None:
    labels = np.concatenate([Y[:100], 3 + np.arange(50)])
    with pytest.warns(FoldWarning, match=r"3 \(1\), 4 \(1\), 5 \(1\), 6 \(1\), 7 \(1\), \.\.\."):
        pred_probs = conflearn.cross_val_pred_probs(KNeighborsClassifier(), X, labels)
    np.testing.assert_array_equal(pred_probs[100:, 3:], np.eye(50))


def test_a_class_that_is_one_group_is_not_judged() -> None:
    features, labels = with_rare(20)
    groups = np.concatenate([np.arange(150) % 10, np.full(20, 99)])
    with pytest.warns(FoldWarning, match="held out as a whole"):
        pred_probs = conflearn.cross_val_pred_probs(
            LogisticRegression(), features, labels, groups=groups, random_state=0
        )
    np.testing.assert_array_equal(pred_probs[150:], np.eye(4)[labels[150:]])
    # Others of that fold get 0 for the class that their model had not seen.
    unseen = pred_probs[:150, 3] == 0
    assert 0 < unseen.sum() < 150
    assert not conflearn.find_label_issues(labels, pred_probs)[150:].any()


def test_who_has_seen_one_class_is_not_asked() -> None:
    labels = np.repeat([0, 1], [100, 50])
    with pytest.warns(FoldWarning, match="100 of the 150"):
        pred_probs = conflearn.cross_val_pred_probs(
            LogisticRegression(),
            X,
            labels,
            cv=[(np.arange(100, 150), np.arange(100))] * 2
            + [(np.r_[0:100, 125:150], np.r_[100:125]), (np.r_[0:125], np.r_[125:150])],
        )
    np.testing.assert_array_equal(pred_probs[:100], np.eye(2)[labels[:100]])
    assert ((pred_probs[100:] > 0) & (pred_probs[100:] < 1)).all()


@given(
    counts=st.lists(st.integers(1, 9), min_size=2, max_size=6),
    n_folds=st.integers(2, 8),
    n_groups=st.none() | st.integers(2, 12),
    seed=st.integers(0, 100),
)
def test_folds_of_any_classes(
    counts: list[int], n_folds: int, n_groups: int | None, seed: int
) -> None:
    rng = np.random.default_rng(seed)
    codes = rng.permutation(np.repeat(np.arange(len(counts)), counts))
    groups = None if n_groups is None else rng.integers(n_groups, size=len(codes))
    assume(max(counts) > 1)
    largest = min(n_folds, max(counts))
    if groups is not None:
        assume(len(np.unique(groups)) >= largest)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        warnings.simplefilter("ignore", FoldWarning)
        folds, alone = cut(
            n_folds,
            None,
            NamedLabels(np.arange(len(counts)), codes),
            {} if groups is None else {"groups": groups},
            seed,
        )
    assert len(folds) <= largest
    tested = np.bincount(np.concatenate([fold.test for fold in folds]), minlength=len(codes))
    np.testing.assert_array_equal(np.flatnonzero(tested == 0), alone)
    assert tested.max() == 1
    for train, test in folds:
        np.testing.assert_array_equal(
            np.sort(np.concatenate([train, test])), np.union1d(train, test)
        )
        if groups is not None:
            assert not set(groups[train]) & set(groups[test])
        else:  # every class has been seen
            assert set(codes[train]) == set(codes)
            assert set(alone) <= set(train)


# --- Decision values


@pytest.mark.parametrize("n_classes", [2, 3])
@pytest.mark.parametrize("classifier", [LinearSVC(), RidgeClassifier(), SVC()], ids=type)
def test_decision_values_have_a_column_for_each_class(classifier: Any, n_classes: int) -> None:
    kept = n_classes > Y
    values = conflearn.cross_val_pred_probs(
        classifier, X[kept], Y[kept], method="decision_function", random_state=0
    )
    theirs = cross_val_predict(classifier, X[kept], Y[kept], method="decision_function", cv=FOLDS)
    if n_classes == 2:
        theirs = np.column_stack([-theirs, theirs])
    np.testing.assert_allclose(values, theirs)


def test_a_class_not_seen_has_a_low_decision_value() -> None:
    features, labels = with_rare(20)
    groups = np.concatenate([np.arange(150) % 10, np.full(20, 99)])
    with pytest.warns(FoldWarning):
        values = conflearn.cross_val_pred_probs(
            LinearSVC(),
            features,
            labels,
            groups=groups,
            method="decision_function",
            random_state=0,
        )
    assert np.isfinite(values).all()
    assert (values[150:].argmax(axis=1) == 3).all()
    assert (values.argmax(axis=1) == labels).mean() > 0.7


# --- What is refused


class NoProbabilities(ClassifierMixin, BaseEstimator):
    def fit(self, X: Any, y: Any) -> Any:
        self.classes_ = np.unique(y)
        return self

    def predict(self, X: Any) -> np.ndarray:
        return np.full(len(X), self.classes_[0])


class OddShape(NoProbabilities):
    def predict_proba(self, X: Any) -> np.ndarray:
        return np.ones((len(X), 7))


class TooFewRows(NoProbabilities):
    def predict_proba(self, X: Any) -> np.ndarray:
        return np.ones((1, len(self.classes_)))


NB = GaussianNB()


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ({"y": None}, LabelError, "the target y is None"),
        ({"y": Y[:-1]}, ShapeError, "y has 149 entries, but X has 150 rows"),
        ({"y": np.zeros(150)}, LabelError, "at least two classes, but every one of its"),
        ({"y": np.arange(150)}, LabelError, "at least two examples of some class"),
        ({"y": np.where(Y == 0, np.nan, Y)}, LabelError, "is missing (nan)"),
        ({"y": [None, *Y[1:]]}, LabelError, "y[0] is missing (None)"),
        ({"y": Y + 0.5}, LabelError, "Unknown label type: continuous"),
        ({"y": [1, "a"] * 75}, InputTypeError, "all strings or all numbers"),
        ({"y": np.eye(3)[Y]}, ShapeError, "y.argmax(axis=1)"),
        ({"y": []}, ShapeError, "y is empty"),
        ({"cv": 1}, OptionError, "cv=1 is not a number of folds"),
        ({"cv": "five"}, OptionError, "neither a number of folds"),
        ({"cv": True}, OptionError, "cv=True"),
        ({"cv": 2.0}, OptionError, "cv=2.0"),
        ({"cv": []}, OptionError, "no folds"),
        ({"cv": [np.arange(150)]}, InputTypeError, "pairs of rows"),
        ({"cv": [(["a"], ["b"])]}, InputTypeError, "whole numbers"),
        ({"cv": [(np.arange(9), [150])]}, InputError, "rows from 0 to 149, but gives 150"),
        ({"cv": [(np.arange(9), [8])]}, InputError, "row 8 is in both"),
        ({"groups": [1, 2]}, ShapeError, "groups must have one dimension"),
        ({"groups": np.arange(150) % 3}, InputError, "hold 3 for cv=5"),
        ({"sample_weight": [1.0]}, ShapeError, "sample_weight must have one dimension"),
        ({"sample_weight": np.full(150, np.inf)}, InputError, "sample_weight[0] is inf"),
        (
            {"classifier": KNeighborsClassifier(), "sample_weight": np.ones(150)},
            OptionError,
            "KNeighborsClassifier.fit takes no weights",
        ),
        ({"method": "predict"}, OptionError, "method='predict'"),
        ({"classifier": LinearSVC()}, OptionError, "pass method='decision_function'"),
        ({"classifier": NoProbabilities()}, OptionError, "wrap it in CalibratedClassifierCV"),
        ({"classifier": OddShape()}, InputError, "gives the shape (30, 7)"),
        ({"classifier": TooFewRows()}, InputError, "but gives 1"),
        (
            {
                "classifier": SVC(decision_function_shape="ovo"),
                "X": np.repeat(X, 2, axis=0)[:160],
                "y": np.arange(160) % 4,
                "method": "decision_function",
            },
            InputError,
            "pass decision_function_shape='ovr'",
        ),
        ({"classifier": GaussianNB}, InputTypeError, "pass GaussianNB()"),
        ({"classifier": "tree"}, InputTypeError, "which has no fit, get_params"),
        ({"encode_labels": "no"}, OptionError, "encode_labels='no'"),
    ],
)
def test_what_is_refused(arguments: Any, error: type[Exception], message: str) -> None:
    good = {"classifier": NB, "X": X, "y": Y}
    with pytest.raises(error, match=re.escape(message)):
        conflearn.cross_val_pred_probs(**(good | arguments))


@pytest.mark.parametrize("wrap", [lambda svc: svc, make_pipeline])
def test_decision_values_of_pairs_are_not_taken_for_those_of_classes(wrap: Any) -> None:
    svc = wrap(SVC(decision_function_shape="ovo"))
    features, labels = np.arange(60.0).reshape(-1, 1), np.arange(60) // 20
    with pytest.raises(InputError, match="one for each pair of classes"):  # three of both
        conflearn.cross_val_pred_probs(svc, features, labels, method="decision_function")
    two = labels > 0  # of two classes there is one pair, and one column
    distances = conflearn.cross_val_pred_probs(svc, features, two, method="decision_function")
    assert (distances.argmax(axis=1) == two).mean() > 0.9


def test_regressors_are_refused() -> None:
    from sklearn.linear_model import LinearRegression

    with pytest.raises(InputTypeError, match="is a regressor"):
        conflearn.cross_val_pred_probs(LinearRegression(), X, Y)
