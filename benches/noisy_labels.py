"""Labels that are wrong in four ways, and classifiers that are good, weak or too sure.

The features come from scikit-learn: clusters of 2 to 100 classes, and handwritten digits. Of each
source one half gets wrong labels and is predicted out of sample, in three folds. The other half is
never predicted: on it is trained what knows better, the oracle of doubt and the annotators.
"""

import warnings
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
from sklearn.datasets import load_digits, make_classification
from sklearn.decomposition import PCA
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import train_test_split
from sklearn.naive_bayes import GaussianNB
from sklearn.neighbors import KNeighborsClassifier
from sklearn.neural_network import MLPClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.tree import DecisionTreeClassifier

import conflearn
from known_truth import Reviewed

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]

N_ROWS = 5_000
#: Shares of wrong labels. Annotators stop where all labels are theirs.
RATES = (0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.4)
N_FOLDS = 3
N_ANNOTATORS = 5
#: Even the most doubtful label is right as often as this.
LEAST_RIGHT = 0.1


class Source(NamedTuple):
    """Features and true classes: of the rows that get wrong labels, then of those to know from."""

    features: Floats
    true: Ints
    other_features: Floats
    other_true: Ints

    @property
    def n_classes(self) -> int:
        """K."""
        return int(self.true.max()) + 1


class Noisy(NamedTuple):
    """A data set and how it came about: what tables are grouped by."""

    data: Reviewed
    source: str
    noise: str
    rate: str
    model: str


def make(seed: int = 100, *, smoke: bool = False) -> Iterator[Callable[[], list[Noisy]]]:
    """List what there is to make: a function for each source, kind of noise and rate."""
    for n_source, source in enumerate(list(SOURCES)[:: 4 if smoke else 1]):
        for noise in NOISES:
            if noise == "pairs" and source == "2 classes":
                continue  # that is random noise
            for rate in RATES[4:5] if smoke else RATES:
                yield _Task(source, noise, rate, seed=seed + n_source, smoke=smoke)


class _Task(NamedTuple):
    """A data set that is still to be made, for any process."""

    source: str
    noise: str
    rate: float
    seed: int
    smoke: bool

    def __call__(self) -> list[Noisy]:
        """Make it, and predict it by every model."""
        rng = np.random.default_rng((self.seed, int(1000 * self.rate)))
        source = SOURCES[self.source](self.seed)
        if self.smoke:
            source = Source(*(part[:400] for part in source))
        labels = NOISES[self.noise](source, self.rate, rng)
        is_wrong = labels != source.true
        made = []
        for model, pred_probs in _predicted(source.features, labels, source.n_classes):
            name = f"{self.source}, {self.noise}, {self.rate:.1%}, {model}"
            data = Reviewed(name, labels, pred_probs, is_wrong)
            made.append(Noisy(data, self.source, self.noise, f"{self.rate:.1%}", model))
        return made


# --- Features


def _clusters(n_classes: int, n_informative: int, apart: float) -> Callable[[int], Source]:
    """Two clusters for each class, and features that repeat others, as naive Bayes dislikes."""

    def source(seed: int) -> Source:
        features, true = make_classification(
            2 * N_ROWS,
            n_features=n_informative + 8,
            n_informative=n_informative,
            n_redundant=8,
            n_classes=n_classes,
            class_sep=apart,
            flip_y=0,
            random_state=seed,
        )
        return _halves(features, true, seed)

    return source


def _digits(seed: int) -> Source:
    images, true = load_digits(return_X_y=True)
    return _halves(images / 16, true, seed)


def _halves(features: Floats, true: Ints, seed: int) -> Source:
    parts = train_test_split(features, true, test_size=0.5, random_state=seed, stratify=true)
    return Source(parts[0], parts[2], parts[1], parts[3])


SOURCES: dict[str, Callable[[int], Source]] = {
    "2 classes": _clusters(2, 5, 1.2),
    "5 classes": _clusters(5, 8, 2.2),
    "10 classes": _clusters(10, 10, 2.2),
    "20 classes": _clusters(20, 12, 3.2),
    "digits": _digits,
    "100 classes": _clusters(100, 16, 4.0),
}

# --- Wrong labels


def _random(source: Source, rate: float, rng: np.random.Generator) -> Ints:
    """Each class at a rate of its own, towards few others: a random noise matrix."""
    n_classes = source.n_classes
    rates = rng.gamma(2, size=n_classes)
    rates = np.minimum(rate * rates / rates[source.true].mean(), 0.6)
    towards = rng.dirichlet(np.full(n_classes, 0.3), n_classes) + 1e-9
    np.fill_diagonal(towards, 0)
    limits = np.cumsum(towards / towards.sum(axis=1, keepdims=True), axis=1)
    drawn = (rng.random((len(source.true), 1)) > limits[source.true]).sum(axis=1)
    is_wrong = rng.random(len(source.true)) < rates[source.true]
    return np.where(is_wrong, np.minimum(drawn, n_classes - 1), source.true)


def _pairs(source: Source, rate: float, rng: np.random.Generator) -> Ints:
    """Each class as the next one."""
    is_wrong = rng.random(len(source.true)) < rate
    return np.where(is_wrong, (source.true + 1) % source.n_classes, source.true)


def _boundary(source: Source, rate: float, rng: np.random.Generator) -> Ints:
    """Where there is doubt, as the class that comes second: how people err."""
    oracle = RandomForestClassifier(100, min_samples_leaf=3, random_state=0)
    posterior = oracle.fit(source.other_features, source.other_true).predict_proba(source.features)
    rows = np.arange(len(source.true))
    doubt = np.maximum(1 - posterior[rows, source.true], 0.01)
    scale = rate / doubt.mean()
    for _ in range(50):  # until so many labels are wrong
        odds = np.minimum(scale * doubt, 1 - LEAST_RIGHT)
        scale *= rate / odds.mean()
    posterior[rows, source.true] = -1
    return np.where(rng.random(len(rows)) < odds, posterior.argmax(axis=1), source.true)


def _annotators(source: Source, rate: float, rng: np.random.Generator) -> Ints:
    """As one of five says who learned from few examples: mistakes that can be learned, too."""
    answers = []
    for seed in range(N_ANNOTATORS):
        size = max(6 * source.n_classes, 150)
        taught, _, classes, _ = train_test_split(
            source.other_features,
            source.other_true,
            train_size=size,
            random_state=seed,
            stratify=source.other_true,
        )
        annotator = DecisionTreeClassifier(max_depth=12, random_state=seed).fit(taught, classes)
        answers.append(annotator.predict(source.features))
    rows = np.arange(len(source.true))
    answer = np.array(answers)[rng.integers(0, N_ANNOTATORS, len(rows)), rows]
    is_asked = rng.random(len(rows)) < rate / (answer != source.true).mean()
    return np.where(is_asked, answer, source.true)


NOISES = {"random": _random, "pairs": _pairs, "boundary": _boundary, "annotators": _annotators}

# --- Models

MODELS: dict[str, Callable[[], Any]] = {
    "good": lambda: make_pipeline(StandardScaler(), LogisticRegression(max_iter=100)),
    "weak": lambda: make_pipeline(StandardScaler(), PCA(6), LogisticRegression(max_iter=100)),
    "naive Bayes": lambda: GaussianNB(var_smoothing=1e-3),
    "neighbours": lambda: make_pipeline(StandardScaler(), KNeighborsClassifier(15)),
    "network": lambda: make_pipeline(
        StandardScaler(), MLPClassifier((64,), alpha=0, max_iter=50, random_state=0)
    ),
}


def _predicted(
    features: Floats, labels: Ints, n_classes: int
) -> Iterator[tuple[str, npt.NDArray[Any]]]:
    """Predict by every model, and by the last one once more: sharpened, in float16, with zeros."""
    classes = np.unique(labels)
    for name, make_model in MODELS.items():
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # not all of them converge
            found = conflearn.cross_val_pred_probs(
                make_model(), features, labels, cv=N_FOLDS, random_state=0
            )
        pred_probs = np.zeros((len(labels), n_classes))
        pred_probs[:, classes] = found
        yield name, pred_probs
    sharp = pred_probs**3
    yield "network, float16", (sharp / sharp.sum(axis=1, keepdims=True)).astype(np.float16)
