"""What cleanlab's tutorials do, done twice: only the package that is imported from differs.

The steps are those of the tutorials on tabular data, on the health of a data set and on multi-label
data, on data made here.
"""

import importlib
import io
from collections.abc import Callable
from contextlib import redirect_stderr, redirect_stdout
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

pytest.importorskip("cleanlab")
pandas = pytest.importorskip("pandas")
pytest.importorskip("sklearn")

from sklearn.datasets import make_blobs, make_classification  # noqa: E402 - now that it is there
from sklearn.ensemble import ExtraTreesClassifier, RandomForestClassifier  # noqa: E402
from sklearn.metrics import accuracy_score  # noqa: E402
from sklearn.model_selection import (  # noqa: E402
    StratifiedKFold,
    cross_val_predict,
    train_test_split,
)
from sklearn.multiclass import OneVsRestClassifier  # noqa: E402
from sklearn.preprocessing import LabelEncoder, StandardScaler  # noqa: E402

Import = Callable[[str], Any]
SEED = 100


@pytest.fixture(autouse=True)
def repeatable(cleanlab: SimpleNamespace, monkeypatch: pytest.MonkeyPatch) -> None:
    """Both sort stably, and neither starts processes."""
    original = pandas.DataFrame.sort_values

    def stable(frame: Any, *args: Any, **kwargs: Any) -> Any:
        return original(frame, *args, **{**kwargs, "kind": "stable"})

    monkeypatch.setattr(pandas.DataFrame, "sort_values", stable)


def both(tutorial: Callable[[Import], Any]) -> tuple[Any, Any, str, str]:
    """Follow it with each package, and return what came of it and what was printed."""
    values, texts = [], []
    for package in ("conflearn.cleanlab", "cleanlab"):
        np.random.seed(SEED)  # noqa: NPY002 - as the tutorials do
        with redirect_stdout(io.StringIO()) as printed, redirect_stderr(io.StringIO()):
            values.append(
                tutorial(lambda name, at=package: importlib.import_module(f"{at}.{name}"))
            )
        texts.append(printed.getvalue())
    return values[0], values[1], texts[0], texts[1]


def assert_same(mine: Any, other: Any) -> None:
    assert type(mine) is type(other)
    if isinstance(other, dict):
        assert list(mine) == list(other)
        for name, value in other.items():
            assert_same(mine[name], value)
    elif isinstance(other, pandas.DataFrame):
        pandas.testing.assert_frame_equal(mine, other)
    elif np.asarray(other).dtype.kind == "f":
        np.testing.assert_allclose(mine, other, rtol=1e-9)
    else:
        np.testing.assert_array_equal(mine, other)


# --- Tabular data


def grades() -> Any:
    """Three exams and a note a student, and a letter, one in eight of them wrong."""
    rng = np.random.default_rng(0)
    exams = rng.normal(70, 15, size=(300, 3)).clip(0, 100).round()
    notes = rng.choice(["", "missed class", "great participation"], size=300, p=[0.6, 0.2, 0.2])
    points = exams.mean(axis=1) + 5 * (notes == "great participation")
    letters = np.array(list("FDCBA"))[np.digitize(points, [62, 68, 73, 79])]
    wrong = rng.random(300) < 0.125
    letters[wrong] = rng.choice(list("ABCDF"), size=wrong.sum())
    frame = pandas.DataFrame(exams, columns=["exam_1", "exam_2", "exam_3"])
    return frame.assign(notes=notes, letter_grade=letters)


def tabular(load: Import) -> dict[str, Any]:
    find_label_issues = load("filter").find_label_issues
    clean_learning = load("classification").CleanLearning
    table = grades()
    numeric = ["exam_1", "exam_2", "exam_3"]
    encoded = pandas.get_dummies(table[[*numeric, "notes"]], columns=["notes"], drop_first=True)
    processed = encoded.copy()
    processed[numeric] = StandardScaler().fit_transform(encoded[numeric])
    labels = LabelEncoder().fit_transform(table["letter_grade"])

    trees = ExtraTreesClassifier(20)
    pred_probs = cross_val_predict(trees, processed, labels, cv=5, method="predict_proba")
    ranked = find_label_issues(
        labels=labels, pred_probs=pred_probs, return_indices_ranked_by="self_confidence"
    )
    worst = table.iloc[ranked].head()

    train, test, train_labels, test_labels = train_test_split(
        encoded, labels, test_size=0.2, random_state=SEED
    )
    scaler = StandardScaler().fit(train[numeric])
    train = train.assign(**dict(zip(numeric, scaler.transform(train[numeric]).T, strict=True)))
    test = test.assign(**dict(zip(numeric, scaler.transform(test[numeric]).T, strict=True)))
    original = trees.fit(train, train_labels).score(test, test_labels)
    cl = clean_learning(ExtraTreesClassifier(20))
    cl.fit(train, train_labels)
    predictions = cl.predict(test)

    # The newer version of it: issues first, by probabilities; then training without them.
    again = clean_learning(ExtraTreesClassifier(20))
    again.find_label_issues(X=None, labels=labels, pred_probs=pred_probs)
    issues = again.get_label_issues().query("is_label_issue").sort_values("label_quality")
    again.fit(processed, labels, label_issues=again.get_label_issues())
    return {
        "ranked": ranked,
        "worst": worst,
        "accuracies": np.array([original, accuracy_score(test_labels, predictions)]),
        "predictions": predictions,
        "issues": issues,
        "frame": again.get_label_issues(),
    }


def test_tabular_data() -> None:
    mine, other, my_text, their_text = both(tabular)
    assert_same(mine, other)
    assert my_text == their_text
    assert len(mine["ranked"]) > 10


# --- Health of a data set


def health(load: Import) -> dict[str, Any]:
    dataset = load("dataset")
    features, labels = make_classification(
        300, n_classes=4, n_informative=6, class_sep=1.5, random_state=0
    )
    labels[::9] = (labels[::9] + 1) % 4
    names = ["cat", "dog", "fox", "owl"]
    forest = RandomForestClassifier(30)
    pred_probs = cross_val_predict(forest, features, labels, cv=5, method="predict_proba")
    summary = dataset.health_summary(labels, pred_probs, class_names=names)
    joint = summary["joint"]
    return {
        "summary": summary,
        "by class": dataset.rank_classes_by_label_quality(labels, pred_probs, class_names=names),
        "overlap": dataset.find_overlapping_classes(
            joint=joint, num_examples=len(labels), class_names=names, asymmetric=True
        ),
        "score": dataset.overall_label_health_score(labels, pred_probs),
    }


def test_health_of_a_data_set() -> None:
    mine, other, my_text, their_text = both(health)
    assert_same(mine, other)
    assert my_text == their_text


# --- Multi-label data


def multi_label(load: Import) -> dict[str, Any]:
    find_label_issues = load("filter").find_label_issues
    forms = load("internal.multilabel_utils")
    noise = load("benchmarking.noise_generation")
    package = load("multilabel_classification")

    # Each group of points has a set of classes of its own; noise takes one set for another.
    sets = [[0], [1], [2], [0, 1], [1, 2], [0, 2], [0, 1, 2]]
    points, groups = make_blobs(280, centers=len(sets), cluster_std=1.2, random_state=3)
    py = np.bincount(groups) / len(groups)
    noise_matrix = noise.generate_noise_matrix_from_trace(
        len(sets), trace=0.85 * len(sets), py=py, valid_noise_matrix=True, seed=1
    )
    noisy_groups = noise.generate_noisy_labels(groups, noise_matrix)
    labels = [sets[group] for group in noisy_groups]
    true_errors = np.flatnonzero(
        (forms.int2onehot([sets[group] for group in groups], 3) != forms.int2onehot(labels, 3)).any(
            axis=1
        )
    )

    one_hot = forms.int2onehot(labels, 3)
    folds = StratifiedKFold(5, shuffle=True, random_state=SEED).split(points, noisy_groups)
    model = OneVsRestClassifier(RandomForestClassifier(30))
    pred_probs = cross_val_predict(model, points, one_hot, cv=list(folds), method="predict_proba")
    assert forms.onehot2int(one_hot) == labels
    ranked = find_label_issues(
        labels=labels,
        pred_probs=pred_probs,
        multi_label=True,
        return_indices_ranked_by="self_confidence",
    )
    quality = package.get_label_quality_scores(labels, pred_probs)
    per_class = package.rank.get_label_quality_scores_per_class(labels, pred_probs)
    issues, given, pairs = package.filter.find_multilabel_issues_per_class(
        labels, pred_probs, return_indices_ranked_by="self_confidence"
    )
    names = ["red", "round", "ripe"]
    return {
        "true errors": true_errors,
        "ranked": ranked,
        "mask": package.filter.find_label_issues(labels, pred_probs),
        "quality": quality,
        "per class": per_class,
        **{f"issues of {k}": rows for k, rows in enumerate(issues)},
        "given": np.array(given),
        "pairs": np.array(pairs),
        "score": package.dataset.overall_multilabel_health_score(labels, pred_probs),
        "common": package.dataset.common_multilabel_issues(labels, pred_probs, class_names=names),
        "classes": package.dataset.rank_classes_by_multilabel_quality(labels, pred_probs)
        .sort_values("Class Index")
        .reset_index(drop=True),
    }


@pytest.mark.filterwarnings("ignore:The multi_label argument:DeprecationWarning")
def test_multi_label_data() -> None:
    mine, other, my_text, their_text = both(multi_label)
    assert_same(mine, other)
    assert my_text == their_text
    assert np.isin(mine["ranked"], mine["true errors"]).mean() > 0.5
