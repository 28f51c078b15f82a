"""CleanLearning side by side with cleanlab's: same tables, estimates, predictions, prints, errors.

Where the two differ on purpose, the difference has a name in `INTENDED_DIFFERENCES` and a test
`test_difference_<name>` that shows both sides of it.
"""

import io
import sys
import warnings
from collections.abc import Callable
from contextlib import redirect_stderr, redirect_stdout
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from conflearn import errors
from side_by_side import Outcome, assert_shown_and_documented, outcome
from strategies import FILTERS, SCORES, Data, likely_data, random_data, random_joint

pytest.importorskip("cleanlab")
pandas = pytest.importorskip("pandas")
sklearn = pytest.importorskip("sklearn")

from sklearn.base import BaseEstimator, clone  # noqa: E402 - after it is known to be there
from sklearn.ensemble import RandomForestClassifier  # noqa: E402
from sklearn.linear_model import LogisticRegression, SGDClassifier  # noqa: E402
from sklearn.model_selection import GridSearchCV  # noqa: E402
from sklearn.naive_bayes import GaussianNB  # noqa: E402
from sklearn.neighbors import KNeighborsClassifier  # noqa: E402
from sklearn.pipeline import make_pipeline  # noqa: E402
from sklearn.preprocessing import StandardScaler  # noqa: E402
from sklearn.tree import DecisionTreeClassifier  # noqa: E402

from conflearn.cleanlab import count, dataset  # noqa: E402
from conflearn.cleanlab.classification import CleanLearning  # noqa: E402

INTENDED_DIFFERENCES = {
    "joint_of_each_call": "Each call estimates its own joint and noise; there the first call's "
    "joint is written into find_label_issues_kwargs, and used for all later data.",
    "low_memory_exact": "low_memory=True flags what filter_by='low_self_confidence' does, without "
    "printing; there the number is an approximation in which absent classes are always "
    "confident, and a line is printed.",
    "frames_and_lists_weighted": "Labels in lists and frames get weights by class; there lists get "
    "the weight 1, and frames crash.",
    "callers_arrays_untouched": "Neither the table of issues nor the matrices that the caller "
    "passes are written to; there columns are added and pulearning writes into them.",
    "absent_classes_in_ps": "ps has an entry for every class; there absent ones are left out, "
    "which fails with a given noise matrix.",
    "issues_that_do_not_fit_named": "label_issues that are no mask or no indices of the examples "
    "are refused by name, indices may be of any width; there they crash, or are taken for "
    "something else.",
    "noise_matrices_checked": "Noise matrices that fit no classes are refused by name, thresholds "
    "may be a column, as cleanlab's documents say; there both crash.",
    "saved_space_named": "To fit after save_space() is refused by name; there it is a TypeError "
    "about NoneType.",
}


class Bare(BaseEstimator):
    """A classifier without a score, and without weights."""

    def fit(self, X: Any, y: Any) -> "Bare":
        self.model_ = GaussianNB().fit(np.asarray(X), y)
        return self

    def predict(self, X: Any) -> Any:
        return self.model_.predict(np.asarray(X))

    def predict_proba(self, X: Any) -> Any:
        return self.model_.predict_proba(np.asarray(X))


class Recorder(Bare):
    """One that writes down what its fit was given."""

    calls: list[dict[str, Any]] = []  # noqa: RUF012 - shared with clones, on purpose

    def fit(self, X: Any, y: Any, sample_weight: Any = None, **kwargs: Any) -> "Recorder":
        self.calls.append({"n": len(y), "kind": type(X), "weight": sample_weight, **kwargs})
        super().fit(X, y)
        return self


class Examples:
    """Data that support no more than list-based indexing."""

    def __init__(self, rows: np.ndarray) -> None:
        self.rows = rows

    def __len__(self) -> int:
        return len(self.rows)

    def __getitem__(self, index: Any) -> "Examples":
        if isinstance(index, list | np.ndarray):
            return Examples(self.rows[index])
        raise TypeError("indices are lists")

    def __array__(self, dtype: Any = None, copy: Any = None) -> np.ndarray:
        return np.asarray(self.rows, dtype)


def noisy(
    n_examples: int = 150, n_classes: int = 3, seed: int = 0
) -> tuple[np.ndarray, np.ndarray]:
    """Features and labels, one in seven of which is wrong."""
    rng = np.random.default_rng(seed)
    labels = rng.permutation(np.arange(n_examples) % n_classes)
    features = rng.normal(size=(n_examples, 4)) + 2.5 * np.eye(n_classes, 4)[labels]
    labels[::7] = (labels[::7] + rng.integers(1, n_classes, size=len(labels[::7]))) % n_classes
    return features, labels


FEATURES, LABELS = noisy()
GIVEN, PRED_PROBS = random_data(150, 3, seed=3)
BINARY = noisy(120, 2)
NOISE = np.array([[0.8, 0.1, 0.0], [0.1, 0.9, 0.1], [0.1, 0.0, 0.9]])
INVERSE = np.array([[0.9, 0.05, 0.0], [0.0, 0.9, 0.2], [0.1, 0.05, 0.8]])
NUMBERS = (
    "confident_joint",
    "noise_matrix",
    "inverse_noise_matrix",
    "py",
    "ps",
    "num_classes",
    "label_issues_mask",
    "sample_weight",
)

Scenario = Callable[[Any], Any]


@pytest.fixture(scope="module")
def theirs(cleanlab: SimpleNamespace) -> Any:
    return cleanlab.classification.CleanLearning


def run(scenario: Scenario, kind: Any) -> tuple[Outcome, str]:
    np.random.seed(7)  # noqa: NPY002 - classifiers without a random state draw from it
    with redirect_stdout(io.StringIO()) as printed, redirect_stderr(io.StringIO()):
        return outcome(scenario, kind), printed.getvalue()


def agree(scenario: Scenario, theirs: Any, *, prints: bool = True) -> Any:
    """Run it with both classes, and demand that the same comes of it."""
    mine, my_text = run(scenario, CleanLearning)
    other, other_text = run(scenario, theirs)
    if other.error is not None:
        assert isinstance(mine.error, type(other.error)), (mine, other)
        return None
    if mine.error is not None:
        raise mine.error
    assert mine.warned == other.warned
    if prints:
        assert my_text == other_text
    assert_same(mine.value, other.value)
    return mine.value


def assert_same(mine: Any, other: Any) -> None:
    if isinstance(other, tuple | list):
        for one, another in zip(mine, other, strict=True):
            assert_same(one, another)
    elif hasattr(other, "find_label_issues"):
        assert_same(mine.label_issues_df, other.label_issues_df)
        for name in NUMBERS:
            assert_same(getattr(mine, name), getattr(other, name))
    elif isinstance(other, pandas.DataFrame):
        pandas.testing.assert_frame_equal(mine, other, rtol=1e-9)
    elif isinstance(other, pandas.Series):
        pandas.testing.assert_series_equal(mine, other, rtol=1e-9)
    elif other is None:
        assert mine is None
    else:
        assert type(mine) is type(other)
        assert np.asarray(mine).dtype == np.asarray(other).dtype
        np.testing.assert_allclose(mine, other, rtol=1e-9, atol=1e-12)


def test_every_intended_difference_is_shown_and_documented() -> None:
    assert_shown_and_documented(INTENDED_DIFFERENCES, globals())


# --- Training


CLASSIFIERS = {
    "default": lambda: None,
    "logistic": lambda: LogisticRegression(C=0.5),
    "naive bayes": GaussianNB,
    "neighbours": KNeighborsClassifier,
    "forest": lambda: RandomForestClassifier(10),  # draws from numpy's global generator
    "tree": lambda: DecisionTreeClassifier(max_depth=4, random_state=0),
    "descent": lambda: SGDClassifier(loss="log_loss"),
    "pipeline": lambda: make_pipeline(StandardScaler(), LogisticRegression()),
    "bare": Bare,
}


@pytest.mark.parametrize("classifier", CLASSIFIERS.values(), ids=CLASSIFIERS.keys())
@pytest.mark.parametrize("seed", [None, 0, 5])
def test_fit(theirs: Any, classifier: Callable[[], Any], seed: int | None) -> None:
    def scenario(kind: Any) -> Any:
        cl = kind(classifier(), seed=seed, cv_n_folds=3)
        assert cl.fit(FEATURES, LABELS) is cl
        score = cl.score(FEATURES, LABELS), cl.score(FEATURES, LABELS, np.arange(150.0))
        return cl, cl.predict(FEATURES), cl.predict_proba(X=FEATURES), score

    agree(scenario, theirs)


OPTIONS: list[dict[str, Any]] = [
    {"converge_latent_estimates": True},
    {"cv_n_folds": 2},
    {"cv_n_folds": 60},
    {"label_quality_scores_kwargs": {"method": "normalized_margin", "adjust_pred_probs": True}},
    {"label_quality_scores_kwargs": {"method": "nonsense"}},
    {"find_label_issues_kwargs": {"frac_noise": 0.5}},
    {"find_label_issues_kwargs": {"min_examples_per_class": 0}},
    {"find_label_issues_kwargs": {"min_examples_per_class": 45}},
    {"find_label_issues_kwargs": {"num_to_remove_per_class": [3, 0, 5]}},
    {"find_label_issues_kwargs": {"confident_joint": random_joint(3, total=150)}},
    {
        "find_label_issues_kwargs": {
            "confident_joint": random_joint(3, total=150),
            "filter_by": "confident_learning",
        }
    },
    {"find_label_issues_kwargs": {"nonsense": 1}},
    {"find_label_issues_kwargs": {"multi_label": False}},
    {"find_label_issues_kwargs": {"return_indices_ranked_by": None}},
    {"find_label_issues_kwargs": {"n_jobs": 0}},
    *({"find_label_issues_kwargs": {"filter_by": filter_by}} for filter_by in FILTERS),
    *({"label_quality_scores_kwargs": {"method": method}} for method in SCORES),
]


@pytest.mark.parametrize("options", OPTIONS, ids=str)
def test_options(theirs: Any, options: dict[str, Any]) -> None:
    agree(lambda kind: kind(GaussianNB(), seed=1, **options).fit(FEATURES, LABELS), theirs)
    agree(
        lambda kind: kind(GaussianNB(), **options).fit(FEATURES, GIVEN, pred_probs=PRED_PROBS),
        theirs,
    )


KNOWN: list[dict[str, Any]] = [
    {"thresholds": [0.2, 0.5, 0.9]},
    {"noise_matrix": NOISE},
    {"inverse_noise_matrix": INVERSE},
    {"noise_matrix": NOISE, "inverse_noise_matrix": INVERSE},
    {"noise_matrix": NOISE, "thresholds": [0.2, 0.5, 0.9]},
    {"noise_matrix": np.full((3, 3), 1 / 3)},
    {"inverse_noise_matrix": np.full((3, 3), 1 / 3)},
    {"noise_matrix": np.array([[0.9, 0.9, 0.0], [0.1, 0.1, 0.0], [0.0, 0.0, 1.0]])},
    {"noise_matrix": np.eye(4)},
]


@pytest.mark.parametrize("known", KNOWN, ids=str)
@pytest.mark.parametrize("cross_validate", [True, False])
def test_what_is_known_already(theirs: Any, known: dict[str, Any], cross_validate: bool) -> None:
    pred_probs = None if cross_validate else PRED_PROBS
    labels = LABELS if cross_validate else GIVEN

    def scenario(kind: Any) -> Any:
        cl = kind(GaussianNB(), seed=1, verbose=True)
        return cl, cl.fit(FEATURES, labels, pred_probs=pred_probs, **known)

    agree(scenario, theirs)


def test_a_known_joint_and_noise_matrix(theirs: Any) -> None:
    joint = random_joint(3, total=150)
    for known in ({"noise_matrix": NOISE}, {"inverse_noise_matrix": INVERSE}):
        agree(
            lambda kind, known=known: kind(
                GaussianNB(), find_label_issues_kwargs={"confident_joint": joint.copy()}
            ).fit(FEATURES, GIVEN, pred_probs=PRED_PROBS, **known),
            theirs,
        )


@pytest.mark.parametrize("clean", [0, 1, None])
def test_a_class_without_errors(theirs: Any, clean: int | None) -> None:
    for filter_by in ("prune_by_noise_rate", "confident_learning"):
        options = {"pulearning": clean, "find_label_issues_kwargs": {"filter_by": filter_by}}
        agree(
            lambda kind, options=options: kind(GaussianNB(), seed=2, **options).fit(*BINARY), theirs
        )
    # With more than two classes it means nothing.
    agree(lambda kind: kind(GaussianNB(), seed=2, pulearning=clean).fit(FEATURES, LABELS), theirs)


def test_labels_by_another_name(theirs: Any) -> None:
    agree(lambda kind: kind(GaussianNB(), seed=1).fit(FEATURES, y=LABELS), theirs)
    agree(lambda kind: kind().fit(FEATURES), theirs)
    agree(lambda kind: kind().fit(FEATURES, LABELS, y=LABELS), theirs)


ISSUES = np.isin(np.arange(150), [3, 17, 60])


@pytest.mark.parametrize(
    "issues",
    [
        ISSUES,
        np.flatnonzero(ISSUES),
        np.array([], dtype=int),
        np.zeros(150, dtype=bool),
        pandas.DataFrame({"is_label_issue": ISSUES}),
        pandas.DataFrame({"is_label_issue": ISSUES, "given_label": LABELS, "more": 1}),
        pandas.DataFrame({"is_label_issue": ISSUES, "given_label": LABELS[::-1]}),
        pandas.DataFrame({"is_label_issue": ISSUES[1:]}),
        pandas.DataFrame({"nonsense": ISSUES}),
        ISSUES.tolist(),
        ISSUES[1:],
        ISSUES.astype(float),
        np.array([3, 3]),
        "nonsense",
    ],
    ids=lambda issues: f"{type(issues).__name__} {len(issues)}",
)
def test_known_issues(theirs: Any, issues: Any) -> None:
    def fresh() -> Any:
        return issues.copy() if hasattr(issues, "copy") else issues

    agree(
        lambda kind: kind(GaussianNB(), verbose=True).fit(FEATURES, LABELS, label_issues=fresh()),
        theirs,
    )
    agree(
        lambda kind: kind(GaussianNB(), verbose=True).fit(
            FEATURES, LABELS, label_issues=fresh(), pred_probs=PRED_PROBS, noise_matrix=NOISE
        ),
        theirs,
    )

    def after_a_search(kind: Any) -> Any:
        cl = kind(GaussianNB(), seed=0, verbose=True)
        cl.find_label_issues(FEATURES, LABELS)
        return cl.fit(FEATURES, LABELS, label_issues=fresh())

    agree(after_a_search, theirs)


def test_search_first_and_fit_later(theirs: Any) -> None:
    def scenario(kind: Any) -> Any:
        cl = kind(GaussianNB(), seed=0, verbose=True)
        found = cl.find_label_issues(FEATURES, LABELS)
        assert cl.get_label_issues() is found
        kept = found.copy()
        cl.fit(FEATURES, LABELS, label_issues=cl.get_label_issues())
        return kept, cl

    agree(scenario, theirs)


def test_nothing_found_yet(theirs: Any) -> None:
    agree(lambda kind: kind().get_label_issues(), theirs)
    with pytest.warns(UserWarning, match="not yet been computed"):
        assert CleanLearning().get_label_issues() is None


def test_space_is_saved(theirs: Any) -> None:
    def scenario(kind: Any) -> Any:
        cl = kind(GaussianNB(), seed=0, verbose=True)
        cl.fit(FEATURES, LABELS)
        cl.save_space()
        assert (
            cl.find_label_issues_kwargs is cl.label_quality_scores_kwargs is cl.clf_kwargs is None
        )
        assert cl.clf_final_kwargs is None
        cl.save_space()
        return cl, cl.predict(FEATURES)

    def not_kept(kind: Any) -> Any:
        cl = kind(GaussianNB(), seed=0, verbose=True)
        found = cl.find_label_issues(FEATURES, LABELS, save_space=True)
        assert cl.label_issues_df is None
        assert cl.label_issues_mask is None
        return found

    agree(scenario, theirs)
    agree(not_kept, theirs)


def test_what_the_classifier_is_given(theirs: Any) -> None:
    def scenario(kind: Any) -> Any:
        Recorder.calls.clear()
        cl = kind(Recorder(), seed=0, cv_n_folds=3)
        cl.fit(
            FEATURES,
            LABELS,
            clf_kwargs={"a": 1, "b": 2},
            clf_final_kwargs={"b": 3},
            validation_func=lambda _X, y: {"size": len(y)},
        )
        assert cl.clf_kwargs == {"a": 1, "b": 2}
        assert cl.clf_final_kwargs.keys() == {"a", "b", "sample_weight"}
        seen = [(call["n"], call["a"], call["b"], call.get("size", 0)) for call in Recorder.calls]
        return cl, seen, Recorder.calls[-1]["weight"]

    agree(scenario, theirs)
    agree(lambda kind: kind().fit(FEATURES, LABELS, clf_kwargs={"sample_weight": 1}), theirs)
    agree(lambda kind: kind(seed=0).fit(FEATURES, LABELS, validation_func=3), theirs)
    agree(lambda kind: kind(seed=0).fit(FEATURES, LABELS, clf_kwargs={"nonsense": 3}), theirs)


@pytest.mark.parametrize("where", ["argument", "final"])
def test_weights_of_the_caller(theirs: Any, where: str) -> None:
    weights = np.linspace(0, 1, 150)

    def scenario(kind: Any) -> Any:
        Recorder.calls.clear()
        cl = kind(Recorder(), seed=0, verbose=True)
        if where == "argument":
            cl.fit(FEATURES, LABELS, sample_weight=weights)
        else:
            cl.fit(FEATURES, LABELS, clf_final_kwargs={"sample_weight": weights})
        return cl, Recorder.calls[-1]["weight"]

    agree(scenario, theirs)
    agree(
        lambda kind: kind(KNeighborsClassifier()).fit(FEATURES, LABELS, sample_weight=weights),
        theirs,
    )


def test_weights_in_a_list_or_a_column() -> None:
    weights = np.linspace(0, 1, 150)
    shuffled = pandas.Series(weights, index=np.arange(150)[::-1])
    for form in (weights.tolist(), shuffled):
        cl = CleanLearning(Recorder(), seed=0).fit(FEATURES, LABELS, sample_weight=form)
        np.testing.assert_array_equal(
            cl.clf_final_kwargs["sample_weight"], weights[~cl.label_issues_mask]
        )
    with pytest.raises(errors.ShapeError, match="sample_weight must have one entry"):
        CleanLearning(Recorder(), seed=0).fit(FEATURES, LABELS, sample_weight=weights[1:])


# --- scikit-learn


def test_clone_and_parameters(theirs: Any) -> None:
    options = {"seed": 3, "cv_n_folds": 4, "find_label_issues_kwargs": {"frac_noise": 0.7}}
    mine, other = (kind(GaussianNB(), **options) for kind in (CleanLearning, theirs))
    assert mine.get_params().keys() == other.get_params().keys()
    assert repr(mine) == repr(other)
    copy = clone(mine.fit(FEATURES, LABELS))
    assert copy.find_label_issues_kwargs == {"frac_noise": 0.7}
    assert copy.label_issues_df is None
    agree(lambda kind: clone(kind(GaussianNB(), **options)).fit(FEATURES, LABELS), theirs)
    agree(lambda kind: clone(kind(seed=0)).fit(FEATURES, LABELS), theirs)


def test_grid_search(theirs: Any) -> None:
    grid = {
        "find_label_issues_kwargs": [{"filter_by": "both"}, {"filter_by": "prune_by_class"}],
        "converge_latent_estimates": [True, False],
        "clf__var_smoothing": [1e-9, 0.5],
    }

    def scenario(kind: Any) -> Any:
        search = GridSearchCV(kind(GaussianNB(), seed=0, cv_n_folds=3), grid, cv=3)
        search.fit(FEATURES, LABELS)
        return search.cv_results_["mean_test_score"], search.predict(FEATURES)

    agree(scenario, theirs)


def test_in_a_pipeline(theirs: Any) -> None:
    def scenario(kind: Any) -> Any:
        return make_pipeline(StandardScaler(), kind(seed=0)).fit(FEATURES, LABELS).predict(FEATURES)

    agree(scenario, theirs)


# --- Kinds of data


def sparse(rows: np.ndarray) -> Any:
    return pytest.importorskip("scipy.sparse").csr_matrix(rows)


@pytest.mark.parametrize(
    "kind_of_features",
    [
        pandas.DataFrame,
        lambda rows: pandas.DataFrame(rows, index=np.arange(len(rows))[::-1]),
        sparse,
        lambda rows: rows.astype(np.float32),
        np.asfortranarray,
    ],
    ids=["frame", "frame with an index", "sparse", "float32", "Fortran order"],
)
def test_features_of_any_kind(theirs: Any, kind_of_features: Callable[[Any], Any]) -> None:
    features = kind_of_features(FEATURES)

    def scenario(kind: Any) -> Any:
        cl = kind(LogisticRegression(), seed=0).fit(features, LABELS)
        return cl, cl.predict(features)

    agree(scenario, theirs)


def test_texts(theirs: Any) -> None:
    text = pytest.importorskip("sklearn.feature_extraction.text")
    words = [["a b c", "c d e", "e f a"][label] + f" w{i % 9}" for i, label in enumerate(LABELS)]

    for form in (np.array(words), pandas.Series(words, index=np.arange(150)[::-1])):
        model = make_pipeline(text.TfidfVectorizer(token_pattern=r"\w+"), LogisticRegression())
        agree(
            lambda kind, form=form, model=model: kind(clone(model), seed=0).fit(form, LABELS),
            theirs,
        )


def test_images_for_the_default_classifier(theirs: Any) -> None:
    images = FEATURES.reshape(150, 2, 2)

    def scenario(kind: Any) -> Any:
        cl = kind(seed=0).fit(images, LABELS)
        score = cl.score(images, LABELS)
        return cl, cl.predict(images), cl.predict(X=images), cl.predict_proba(images), score

    agree(scenario, theirs)
    agree(lambda kind: kind(seed=0).fit(images, LABELS).predict(), theirs)
    agree(lambda kind: kind(GaussianNB(), seed=0).fit(images, LABELS), theirs)


def test_examples_that_are_only_indexed(theirs: Any) -> None:
    agree(lambda kind: kind(Bare(), seed=0).find_label_issues(Examples(FEATURES), LABELS), theirs)
    cl = CleanLearning(Bare(), seed=0).fit(Examples(FEATURES), LABELS)
    np.testing.assert_array_equal(
        cl.predict(FEATURES), CleanLearning(Bare(), seed=0).fit(FEATURES, LABELS).predict(FEATURES)
    )


def test_polars_frames() -> None:
    polars = pytest.importorskip("polars")
    frame = polars.DataFrame(FEATURES, schema=list("abcd"), orient="row")
    found = CleanLearning(GaussianNB(), seed=0).fit(frame, polars.Series(LABELS)).label_issues_df
    assert_same(found, CleanLearning(GaussianNB(), seed=0).fit(FEATURES, LABELS).label_issues_df)


class Dataset:
    """What stands for torch's class of that name, which is asked for subsets by Subset."""

    def __init__(self, rows: np.ndarray) -> None:
        self.rows = rows

    def __len__(self) -> int:
        return len(self.rows)


class Subset(Dataset):
    def __init__(self, whole: Dataset, indices: np.ndarray) -> None:
        super().__init__(whole.rows[indices])


def test_torch_data_sets(monkeypatch: pytest.MonkeyPatch) -> None:
    torch = SimpleNamespace(Dataset=Dataset, Subset=Subset)
    monkeypatch.setitem(sys.modules, "torch.utils.data", torch)

    class Net(Bare):
        def fit(self, X: Any, y: Any) -> "Net":
            super().fit(X.rows, y)
            return self

        def predict_proba(self, X: Any) -> Any:
            return super().predict_proba(X.rows)

    found = CleanLearning(Net(), seed=0).fit(Dataset(FEATURES), LABELS).label_issues_df
    assert_same(found, CleanLearning(Bare(), seed=0).fit(FEATURES, LABELS).label_issues_df)


@pytest.mark.parametrize(
    "kind_of_labels",
    [
        pandas.Series,
        list,
        lambda y: y.astype(np.uint8),
        lambda y: y.astype(np.uint64),
        lambda y: pandas.Series(y, dtype="category"),
    ],
    ids=["column", "list", "bytes", "wide", "categories"],
)
def test_labels_of_any_kind(theirs: Any, kind_of_labels: Callable[[Any], Any]) -> None:
    labels = kind_of_labels(LABELS)
    agree(lambda kind: kind(KNeighborsClassifier(), seed=0).fit(FEATURES, labels), theirs)


def test_probabilities_of_any_kind() -> None:
    wanted = CleanLearning().find_label_issues(labels=GIVEN, pred_probs=PRED_PROBS)
    for form in (PRED_PROBS.tolist(), pandas.DataFrame(PRED_PROBS), np.asfortranarray(PRED_PROBS)):
        assert_same(CleanLearning().find_label_issues(labels=GIVEN, pred_probs=form), wanted)
    narrow = PRED_PROBS.astype(pytest.importorskip("ml_dtypes").bfloat16)
    assert_same(
        CleanLearning().find_label_issues(labels=GIVEN, pred_probs=narrow),
        CleanLearning().find_label_issues(labels=GIVEN, pred_probs=narrow.astype(np.float64)),
    )


@settings(max_examples=max(1, settings().max_examples // 3))
@given(likely_data(max_classes=12), st.sampled_from(FILTERS), st.booleans())
def test_tables(theirs: Any, data: Data, filter_by: str, converge: bool) -> None:
    options: dict[str, Any] = {"find_label_issues_kwargs": {"filter_by": filter_by}}

    def scenario(kind: Any) -> Any:
        cl = kind(converge_latent_estimates=converge, **options)
        found = cl.find_label_issues(labels=data.labels, pred_probs=data.pred_probs)
        # Absent classes are in `ps` here: see below.
        return found, cl.noise_matrix, cl.inverse_noise_matrix, cl.py, cl.confident_joint

    agree(scenario, theirs)


def test_many_classes_take_wider_integers() -> None:
    labels, pred_probs = random_data(20, 33_000, noise=0.0)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of classes with few examples
        found = CleanLearning(
            find_label_issues_kwargs={"filter_by": "predicted_neq_given"}, low_memory=True
        ).find_label_issues(labels=labels, pred_probs=pred_probs)
    assert found["given_label"].dtype == np.int32


# --- Errors


BAD_DATA: dict[str, tuple[Any, Any]] = {
    "no features": (None, LABELS),
    "lengths differ": (FEATURES, LABELS[1:]),
    "a number": (3, LABELS),
    "a list": (FEATURES.tolist(), LABELS),
    "strings": (FEATURES, np.array(["a", "b", "c"] * 50)),
    "fractions": (FEATURES, LABELS + 0.5),
    "negative": (FEATURES, LABELS - 1),
    "one class": (FEATURES, np.zeros(150, dtype=int)),
    "no labels": (FEATURES, "nonsense"),
    "few": (FEATURES[:12], LABELS[:12]),
}


@pytest.mark.parametrize("args", BAD_DATA.values(), ids=BAD_DATA.keys())
def test_bad_data(theirs: Any, args: tuple[Any, Any]) -> None:
    agree(lambda kind: kind(GaussianNB(), seed=0).fit(*args), theirs)
    agree(lambda kind: kind(GaussianNB(), seed=0).find_label_issues(*args), theirs)
    agree(
        lambda kind: kind(GaussianNB(), seed=0).fit(*args, label_issues=np.zeros(150, dtype=bool)),
        theirs,
    )


@pytest.mark.parametrize(
    "pred_probs",
    [PRED_PROBS[1:], PRED_PROBS[:, :2], PRED_PROBS + 0.5, PRED_PROBS[:, 0]],
    ids=["rows", "columns", "range", "dimensions"],
)
def test_bad_probabilities(theirs: Any, pred_probs: np.ndarray) -> None:
    agree(lambda kind: kind().find_label_issues(labels=GIVEN, pred_probs=pred_probs), theirs)
    agree(lambda kind: kind().fit(FEATURES, GIVEN, pred_probs=pred_probs), theirs)


@pytest.mark.parametrize("method", ["fit", "predict", "predict_proba"])
def test_what_is_no_classifier(theirs: Any, method: str) -> None:
    methods = {"fit": 1, "predict": 1, "predict_proba": 1}
    del methods[method]
    agree(lambda kind: kind(SimpleNamespace(**methods)), theirs)
    with pytest.raises(ValueError, match=rf"must define a \.{method}\(\) method"):
        CleanLearning(SimpleNamespace(**methods))


def test_bad_options_are_named() -> None:
    with pytest.raises(errors.OptionError, match="pulearning=5"):
        CleanLearning(GaussianNB(), seed=0, pulearning=5).fit(*BINARY)
    with pytest.raises(errors.InputTypeError, match="find_label_issues_kwargs=None must be a dict"):
        CleanLearning(GaussianNB(), seed=0, find_label_issues_kwargs=None).fit(*BINARY)
    singular = np.array([[0.9, 0.9, 0.0], [0.1, 0.1, 0.0], [0.0, 0.0, 1.0]])
    with pytest.raises(np.linalg.LinAlgError, match="noise_matrix must have an inverse"):
        CleanLearning().find_label_issues(
            labels=GIVEN, pred_probs=PRED_PROBS, noise_matrix=singular
        )
    with pytest.raises(errors.ShapeError, match=r"noise_matrix .* 3 classes"):
        CleanLearning().find_label_issues(
            labels=GIVEN, pred_probs=PRED_PROBS, noise_matrix=np.eye(2)
        )
    with pytest.raises(errors.OptionError, match="noise_matrix must be finite"):
        CleanLearning().find_label_issues(
            labels=GIVEN, pred_probs=PRED_PROBS, noise_matrix=np.diag([1, np.nan, 1])
        )


def test_scikit_learn_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "sklearn.base", None)
    monkeypatch.delitem(sys.modules, "conflearn.cleanlab.classification")
    with pytest.raises(errors.MissingDependencyError, match="pip install scikit-learn"):
        import conflearn.cleanlab.classification  # noqa: F401


def test_pandas_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pandas", None)
    with pytest.raises(errors.MissingDependencyError, match="pip install pandas"):
        CleanLearning().find_label_issues(labels=GIVEN, pred_probs=PRED_PROBS)


RARE = np.where(np.arange(150) == 0, 2, LABELS % 2)  # one example of class 2


@pytest.mark.parametrize(
    "search",
    [
        lambda: CleanLearning(Bare()).fit(FEATURES, GIVEN, pred_probs=PRED_PROBS),
        lambda: CleanLearning(Bare(), low_memory=True).fit(FEATURES, LABELS, thresholds=[0.5] * 3),
        lambda: CleanLearning(
            Bare(), find_label_issues_kwargs={"min_examples_per_class": 150}
        ).find_label_issues(FEATURES, LABELS),
        lambda: CleanLearning(Bare(), seed=0).fit(FEATURES, RARE),
        lambda: count.estimate_noise_matrices(FEATURES, RARE, Bare()),
        lambda: dataset.overall_label_health_score(
            GIVEN, PRED_PROBS, confident_joint=np.eye(3), verbose=False
        ),
    ],
    ids=["features", "low_memory", "few", "rare", "folds", "health"],
)
def test_warnings_point_to_the_caller(search: Callable[[], Any]) -> None:
    """However deep they arise: else only the first of several calls would be warned."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        search()
    places = {warning.filename for warning in caught if "sklearn" not in warning.filename}
    assert places == {__file__}


# --- Intended differences


def test_difference_joint_of_each_call(theirs: Any) -> None:
    other_data = noisy(90, 2, seed=4)

    def twice(kind: Any) -> Any:
        cl = kind(GaussianNB(), seed=0, find_label_issues_kwargs={"frac_noise": 0.9})
        cl.fit(FEATURES, LABELS)
        cl.fit(*other_data)
        return cl

    stale, _ = run(twice, theirs)
    assert stale.error is not None  # a joint of three classes for data of two
    cl = twice(CleanLearning)
    assert cl.find_label_issues_kwargs == {"frac_noise": 0.9}
    fresh = CleanLearning(GaussianNB(), seed=0, find_label_issues_kwargs={"frac_noise": 0.9})
    assert_same(cl, fresh.fit(*other_data))

    def twice_of_one_shape(kind: Any) -> Any:
        cl = kind(GaussianNB(), seed=0)
        cl.fit(FEATURES, LABELS)
        return cl.fit(*noisy(90, 3, seed=4))

    stale, _ = run(twice_of_one_shape, theirs)
    assert stale.value.confident_joint.sum() == 150
    assert twice_of_one_shape(CleanLearning).confident_joint.sum() == 90


def test_difference_low_memory_exact(
    theirs: Any, cleanlab: SimpleNamespace, capsys: pytest.CaptureFixture[str]
) -> None:
    labels, pred_probs = random_data(300, 10, seed=1, n_absent=2)
    exact = cleanlab.filter.find_label_issues(labels, pred_probs, filter_by="low_self_confidence")
    found = CleanLearning(low_memory=True).find_label_issues(labels=labels, pred_probs=pred_probs)
    assert capsys.readouterr().out == ""
    np.testing.assert_array_equal(found["is_label_issue"], exact)
    other, _ = run(
        lambda kind: kind(low_memory=True).find_label_issues(labels=labels, pred_probs=pred_probs),
        theirs,
    )
    assert other.value["is_label_issue"].sum() > exact.sum()
    assert_same(found.drop(columns="is_label_issue"), other.value.drop(columns="is_label_issue"))


def test_low_memory(theirs: Any) -> None:
    for labels, features in ((LABELS, FEATURES), BINARY[::-1]):
        for options in (
            {"thresholds": [0.5] * (labels.max() + 1)},
            {"noise_matrix": np.eye(labels.max() + 1)},
            {"inverse_noise_matrix": np.eye(labels.max() + 1)},
            {},
        ):
            agree(
                lambda kind, features=features, labels=labels, options=options: kind(
                    GaussianNB(), seed=0, low_memory=True
                ).fit(features, labels, **options),
                theirs,
                prints=False,
            )
    agree(
        lambda kind: kind(
            GaussianNB(), low_memory=True, find_label_issues_kwargs={"frac_noise": 0.5}
        ).find_label_issues(labels=GIVEN, pred_probs=PRED_PROBS),
        theirs,
        prints=False,
    )


def test_difference_frames_and_lists_weighted(theirs: Any) -> None:
    wanted = CleanLearning(GaussianNB(), seed=0).fit(FEATURES, LABELS)
    for form in (LABELS.tolist(), pandas.DataFrame(LABELS)):
        assert_same(CleanLearning(GaussianNB(), seed=0).fit(FEATURES, form), wanted)
    of_list, _ = run(lambda kind: kind(GaussianNB(), seed=0).fit(FEATURES, LABELS.tolist()), theirs)
    assert set(of_list.value.sample_weight) == {0.0, 1.0}
    of_frame, _ = run(
        lambda kind: kind(GaussianNB(), seed=0).fit(FEATURES, pandas.DataFrame(LABELS)), theirs
    )
    assert of_frame.error is not None


def test_difference_callers_arrays_untouched(theirs: Any) -> None:
    def scenario(kind: Any) -> Any:
        issues = pandas.DataFrame({"is_label_issue": np.zeros(120, dtype=bool)})
        noise = np.array([[0.9, 0.2], [0.1, 0.8]])
        cl = kind(GaussianNB(), seed=0, pulearning=1)
        cl.find_label_issues(*BINARY, noise_matrix=noise)
        cl.fit(*BINARY, label_issues=issues)
        return list(issues.columns), noise.tolist()

    mine, _ = run(scenario, CleanLearning)
    assert mine.value == (["is_label_issue"], [[0.9, 0.2], [0.1, 0.8]])
    other, _ = run(scenario, theirs)
    assert other.value == (["is_label_issue", "sample_weight"], [[1.0, 0.2], [0.0, 0.8]])


def test_difference_absent_classes_in_ps(theirs: Any) -> None:
    labels, pred_probs = random_data(100, 4, n_absent=1)
    absent = np.setdiff1d(np.arange(4), labels)
    rates = np.eye(4) * 0.9 + 0.025

    def scenario(kind: Any) -> Any:
        cl = kind()
        cl.find_label_issues(labels=labels, pred_probs=pred_probs)
        return cl.ps

    mine, _ = run(scenario, CleanLearning)
    other, _ = run(scenario, theirs)
    np.testing.assert_array_equal(np.delete(mine.value, absent), other.value)
    assert mine.value[absent] == 0

    def known(kind: Any) -> Any:
        cl = kind()
        cl.find_label_issues(labels=labels, pred_probs=pred_probs, noise_matrix=rates)
        return cl.inverse_noise_matrix

    assert run(known, CleanLearning)[0].value.shape == (4, 4)
    assert isinstance(run(known, theirs)[0].error, ValueError)


@pytest.mark.parametrize(
    ("issues", "error"),
    [
        (np.array([3, 150]), ValueError),
        (pandas.DataFrame({"is_label_issue": np.arange(150)}), TypeError),
    ],
    ids=["beyond the end", "numbers"],
)
def test_difference_issues_that_do_not_fit_named(
    theirs: Any, issues: Any, error: type[Exception]
) -> None:
    def scenario(kind: Any) -> Any:
        return kind(GaussianNB()).fit(FEATURES, LABELS, label_issues=issues)

    assert not isinstance(run(scenario, theirs)[0].error, error)
    with pytest.raises(error, match="label_issues"):
        scenario(CleanLearning)


def test_narrow_indices_of_issues(theirs: Any) -> None:
    indices = np.flatnonzero(ISSUES).astype(np.int16)
    refused, _ = run(
        lambda kind: kind(GaussianNB()).fit(FEATURES, LABELS, label_issues=indices), theirs
    )
    assert isinstance(refused.error, ValueError)
    cl = CleanLearning(GaussianNB()).fit(FEATURES, LABELS, label_issues=indices)
    np.testing.assert_array_equal(cl.label_issues_mask, ISSUES)


@pytest.mark.parametrize(
    "known",
    [
        {"noise_matrix": np.eye(3)[:2]},
        {"noise_matrix": np.eye(4)},
        {"thresholds": [[0.2], [0.5], [0.9]]},
    ],
    ids=["not square", "too large", "column"],
)
def test_difference_noise_matrices_checked(theirs: Any, known: dict[str, Any]) -> None:
    def scenario(kind: Any) -> Any:
        cl = kind()
        cl.find_label_issues(labels=GIVEN, pred_probs=PRED_PROBS, **known)
        return cl.confident_joint

    assert isinstance(run(scenario, theirs)[0].error, ValueError)
    if "thresholds" in known:
        flat = {"thresholds": [0.2, 0.5, 0.9]}
        cl = CleanLearning()
        cl.find_label_issues(labels=GIVEN, pred_probs=PRED_PROBS, **flat)
        np.testing.assert_array_equal(scenario(CleanLearning), cl.confident_joint)
    else:
        with pytest.raises(errors.ShapeError, match="noise_matrix must have a row and a column"):
            scenario(CleanLearning)


def test_difference_saved_space_named(theirs: Any) -> None:
    def scenario(kind: Any) -> Any:
        cl = kind(GaussianNB(), seed=0).fit(FEATURES, LABELS)
        cl.save_space()
        return cl.fit(FEATURES, LABELS)

    other, _ = run(scenario, theirs)
    assert isinstance(other.error, TypeError)
    assert "save_space" not in str(other.error)
    with pytest.raises(errors.InputTypeError, match=r"save_space\(\) dropped it"):
        scenario(CleanLearning)
