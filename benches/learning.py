"""Does learning with noisy labels help? Accuracy on handwritten digits with wrong labels.

    python benches/learning.py          # ten seeds, all classifiers
    python benches/learning.py --smoke  # two seeds, three classifiers
    python benches/learning.py --write  # put the table into README.md

The digits come with scikit-learn. Half of them are to train on, and of these one in five is given a
wrong label: each digit at a rate of its own, as the digit that it looks like. Accuracy is that on
the other half, whose labels are right. Every classifier is trained four times: on the labels as
they are, by `CleanLearning` with hard and with soft pruning, and on the right labels, which nobody
has but which is as good as it can get.
"""

import argparse
import warnings
from collections.abc import Callable, Iterator
from importlib.util import find_spec
from pathlib import Path
from statistics import mean
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from sklearn.base import clone
from sklearn.datasets import load_digits
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import train_test_split
from sklearn.naive_bayes import GaussianNB
from sklearn.neighbors import KNeighborsClassifier
from sklearn.tree import DecisionTreeClassifier

import conflearn
from markdown_table import markdown_table

README = Path(__file__).with_name("README.md")
BEGIN, END = "<!-- table learning -->", "<!-- end of table learning -->"

#: What each digit is mistaken for: 0 for 8, 1 for 7, and so on.
LOOKALIKES = np.array([8, 7, 3, 8, 9, 6, 0, 1, 3, 4])
#: How often: which digit has which rate is drawn. One in five on average.
NOISE_RATES = np.linspace(0.02, 0.38, 10)

N_SEEDS, N_SEEDS_SMOKE = 10, 2


class Family(NamedTuple):
    """A kind of classifier, made anew for a seed."""

    make: Callable[[int], Any]
    takes_weights: bool = True
    package: str = "sklearn"


def _xgboost(seed: int) -> Any:
    from xgboost import XGBClassifier

    return XGBClassifier(n_estimators=30, max_depth=4, random_state=seed, n_jobs=1)


def _lightgbm(seed: int) -> Any:
    from lightgbm import LGBMClassifier

    return LGBMClassifier(n_estimators=30, num_leaves=15, random_state=seed, n_jobs=1, verbose=-1)


FAMILIES: dict[str, Family] = {
    "logistic regression": Family(lambda _: LogisticRegression(max_iter=1000)),
    "nearest neighbours": Family(lambda _: KNeighborsClassifier(3), takes_weights=False),
    "naive Bayes": Family(lambda _: GaussianNB(var_smoothing=0.01)),
    "decision tree": Family(lambda seed: DecisionTreeClassifier(random_state=seed)),
    "random forest": Family(lambda seed: RandomForestClassifier(50, random_state=seed)),
    "xgboost": Family(_xgboost, package="xgboost"),
    "lightgbm": Family(_lightgbm, package="lightgbm"),
}
SMOKE = ("nearest neighbours", "naive Bayes", "decision tree")


class Accuracies(NamedTuple):
    """On the right labels of digits that were not trained on, by how it was trained."""

    plain: float
    hard: float
    soft: float | None
    ideal: float


def main() -> None:
    """Measure, print, and put the table into the README where that is asked for."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--smoke", action="store_true", help="two seeds, three classifiers")
    parser.add_argument("--write", action="store_true", help="put the table into README.md")
    arguments = parser.parse_args()
    table = as_table(measure(smoke=arguments.smoke))
    print(table)
    if arguments.write:
        before, _, rest = README.read_text(encoding="utf-8").partition(BEGIN)
        after = rest.partition(END)[2]
        README.write_text(f"{before}{BEGIN}\n\n{table}\n\n{END}{after}", encoding="utf-8")


def measure(*, smoke: bool = False) -> dict[str, list[Accuracies]]:
    """Train every family for every seed."""
    n_seeds = N_SEEDS_SMOKE if smoke else N_SEEDS
    return {
        name: [accuracies(family, seed) for seed in range(n_seeds)]
        for name, family in FAMILIES.items()
        if find_spec(family.package) and (name in SMOKE or not smoke)
    }


def accuracies(family: Family, seed: int) -> Accuracies:
    """Train one classifier in all four ways."""
    images, test_images, true, test_true = digits(seed)
    labels = mislabelled(true, seed)
    classifier = family.make(seed)

    def score(model: Any, given: NDArray[np.int64]) -> float:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # some classifiers comment on a seed's data
            return float(model.fit(images, given).score(test_images, test_true))

    def clean(prune: Any) -> Any:
        return conflearn.CleanLearning(classifier, prune=prune, random_state=seed)

    return Accuracies(
        score(clone(classifier), labels),
        score(clean("hard"), labels),
        score(clean("soft"), labels) if family.takes_weights else None,
        score(clone(classifier), true),
    )


def digits(seed: int) -> list[Any]:
    """Images to train on and to test with, then the digits that they show."""
    images, true = load_digits(return_X_y=True)
    return train_test_split(images / 16, true, test_size=0.5, random_state=seed, stratify=true)


def mislabelled(true: NDArray[np.int64], seed: int) -> NDArray[np.int64]:
    """Label one digit in five as the one that it looks like."""
    rng = np.random.default_rng(seed)
    rates = rng.permutation(NOISE_RATES)
    return np.where(rng.random(len(true)) < rates[true], LOOKALIKES[true], true)


def as_table(measured: dict[str, list[Accuracies]]) -> str:
    """Means over the seeds, and in how many of them the plain classifier was beaten."""
    header = ("accuracy", "noisy labels", "hard", "wins", "soft", "wins", "right labels")
    return markdown_table(header, [tuple(_cells(*item)) for item in measured.items()])


def wins(runs: list[Accuracies], prune: str) -> int:
    """Count the seeds in which learning beats the plain classifier."""
    return sum(getattr(run, prune) > run.plain for run in runs)


def _cells(name: str, runs: list[Accuracies]) -> Iterator[str]:
    yield name
    yield _percent(run.plain for run in runs)
    for prune in ("hard", "soft"):
        if getattr(runs[0], prune) is None:
            yield from ("-", "-")
            continue
        yield _percent(getattr(run, prune) for run in runs)
        yield f"{wins(runs, prune)} of {len(runs)}"
    yield _percent(run.ideal for run in runs)


def _percent(shares: Iterator[float]) -> str:
    return f"{mean(shares):.1%}"


if __name__ == "__main__":
    main()
