"""How well are wrong labels found? Every rule and score, and cleanlab's, on noise that is known.

    python benches/detection.py                # what it makes itself, some ten minutes on two cores
    python benches/detection.py --data FOLDER  # .npz files: labels, pred_probs, and true_labels, or
                                               # reviewed_index and votes_for_given_label (of five)
    python benches/detection.py --seed 200     # other sets of the same kinds
    python benches/detection.py --smoke        # does it run?
    python benches/detection.py --write        # put the tables into README.md

`noisy_labels.py` makes the data sets: all sources with all kinds of noise, rates and models. None
is left out, and each counts the same in a mean. Rules are compared by F1; scores by the average
precision and the area under the ROC curve; a number of errors by |ln(estimated / true)|.
"""

import argparse
import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from statistics import mean
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from sklearn.metrics import average_precision_score, f1_score, roc_auc_score
from threadpoolctl import threadpool_limits

import cleanlab_side
import conflearn
from known_truth import Reviewed, read
from markdown_table import markdown_table
from noisy_labels import Noisy, make

README = Path(__file__).with_name("README.md")
BEGIN, END = "<!-- table detection -->", "<!-- end of table detection -->"

CLASSIC_FILTERS = (
    "prune_by_noise_rate",
    "prune_by_class",
    "both",
    "confident_learning",
    "predicted_neq_given",
)
CLASSIC_SCORES = ("self_confidence", "normalized_margin", "confidence_weighted_entropy")
#: Each with the cuts to try; None is what it does when nothing is said.
NEW_FILTERS: dict[str, tuple[float | None, ...]] = {
    "relative_confidence": (None,),
    "noise_floor": (None, 0.3),
}
RECOMMENDED = "as recommended"
OF_CLEANLAB = "cleanlab: "

Mask = npt.NDArray[np.bool_]


class Run(NamedTuple):
    """What one data set says of all rules, and of all scores."""

    source: str
    noise: str
    rate: str
    model: str
    #: What is measured, then of what.
    values: dict[str, dict[str, float]]


def main() -> None:
    """Make, measure, and print the tables."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument(
        "--data", type=Path, help="a folder of .npz files, in place of what it makes"
    )
    parser.add_argument("--seed", type=int, default=100, help="from which it makes them")
    parser.add_argument("--smoke", action="store_true", help="few small data sets")
    parser.add_argument("--write", action="store_true", help="put the tables into README.md")
    arguments = parser.parse_args()
    if arguments.data:
        runs = [
            measured(Noisy(data, data.name, "", "", ""))
            for data in read(arguments.data, partly=True)
        ]
        text = tables(runs, ("source",))
    else:
        runs = measured_in_parallel(make(arguments.seed, smoke=arguments.smoke))
        text = tables(runs, ("noise", "rate", "source", "model"))
    print(text)
    if arguments.write:
        before, _, rest = README.read_text(encoding="utf-8").partition(BEGIN)
        after = rest.partition(END)[2]
        README.write_text(f"{before}{BEGIN}\n\n{text}\n\n{END}{after}", encoding="utf-8")


# --- One data set


def measured_in_parallel(tasks: Iterable[Callable[[], list[Noisy]]]) -> list[Run]:
    """Make data sets and measure, one a core."""
    with ProcessPoolExecutor(len(os.sched_getaffinity(0)), initializer=_be_single) as pool:
        return [run for runs in pool.map(_made_and_measured, tasks) for run in runs]


def _be_single() -> None:
    threadpool_limits(1)  # or each of the processes would use all cores


def _made_and_measured(task: Callable[[], list[Noisy]]) -> list[Run]:
    return [measured(noisy) for noisy in task() if noisy.data.is_wrong.any()]


def measured(noisy: Noisy) -> Run:
    """Let all rules and scores judge one data set."""
    data = noisy.data
    known = slice(None) if data.rows is None else data.rows
    masks = {name: mask[known] for name, mask in flagged(data)}
    scores = {name: score[known] for name, score in scored(data)}
    n_wrong = data.is_wrong.sum()
    numbers = {name: mask.sum() for name, mask in masks.items()}
    if data.rows is None:  # what is estimated is of all rows
        numbers |= dict(estimated(data))
    values = {
        "F1": {name: float(f1_score(data.is_wrong, mask)) for name, mask in masks.items()},
        "average precision": {
            name: float(average_precision_score(data.is_wrong, -score))
            for name, score in scores.items()
        },
        "AUROC": {
            name: float(roc_auc_score(data.is_wrong, -score)) for name, score in scores.items()
        },
        "error of the number": {
            name: abs(float(np.log(max(number, 0.5) / n_wrong))) for name, number in numbers.items()
        },
    }
    return Run(noisy.source, noisy.noise, noisy.rate, noisy.model, values)


def flagged(data: Reviewed) -> Iterator[tuple[str, Mask]]:
    """Flag by every filter."""
    given = data.labels, data.pred_probs
    for name in CLASSIC_FILTERS:
        yield name, conflearn.find_label_issues(*given, filter_by=name, n_threads=1)
        yield OF_CLEANLAB + name, cleanlab_side.find_label_issues(*given, filter_by=name)
    for name, cuts in NEW_FILTERS.items():
        for cut in cuts:
            mask = conflearn.find_label_issues(*given, filter_by=name, cut=cut, n_threads=1)
            yield name if cut is None else f"{name}, cut {cut}", mask
    advice = conflearn.recommend(*given)
    yield (
        RECOMMENDED,
        conflearn.find_label_issues(
            *given, filter_by=advice.filter_by, cut=advice.cut, n_threads=1
        ),
    )


def scored(data: Reviewed) -> Iterator[tuple[str, npt.NDArray[np.float64]]]:
    """Score by every method; float64, since a float16 would tie what differs."""
    given = data.labels, data.pred_probs
    for name in (*CLASSIC_SCORES, *NEW_FILTERS):
        yield name, conflearn.label_quality_scores(*given, method=name, n_threads=1)
    widened = data.labels, data.pred_probs.astype(np.float64)
    for name in CLASSIC_SCORES:
        score = cleanlab_side.label_quality_scores(*widened, method=name)
        yield OF_CLEANLAB + name, np.nan_to_num(score)


def estimated(data: Reviewed) -> Iterator[tuple[str, int]]:
    """Estimate how many labels are wrong, without saying which."""
    given = data.labels, data.pred_probs
    name = "num_label_issues"
    yield name, conflearn.num_label_issues(*given, n_threads=1)
    yield OF_CLEANLAB + name, cleanlab_side.num_label_issues(*given)


# --- Tables


def tables(runs: Sequence[Run], groupings: Sequence[str]) -> str:
    """Rules by all that data sets are grouped by, the rest by the first of it."""
    parts = [
        _table(runs, measure, by)
        for measure, grouped in (
            ("F1", groupings),
            ("average precision", groupings[:2]),
            ("AUROC", groupings[:1]),
            ("error of the number", groupings[:1]),
        )
        for by in grouped
    ]
    return "\n\n".join([*parts, _advice_table(runs)])


def _table(runs: Sequence[Run], measure: str, by: str) -> str:
    """Means over the runs of each group, and over all."""
    groups: dict[str, list[Run]] = {}
    for run in runs:
        groups.setdefault(getattr(run, by), []).append(run)
    columns = [*groups.values(), list(runs)]
    names = dict.fromkeys(name for run in runs for name in run.values[measure])
    rows = [[name, *(_mean(column, measure, name) for column in columns)] for name in names]
    return markdown_table([measure, *groups, "mean"], rows)


def _mean(runs: Sequence[Run], measure: str, name: str) -> str:
    """Over the runs that have it."""
    values = [run.values[measure][name] for run in runs if name in run.values[measure]]
    return f"{mean(values):.3f}" if values else "-"


def _advice_table(runs: Sequence[Run]) -> str:
    """Compare what is recommended with always the same rule, and count losses, too."""
    ours = [run.values["F1"] for run in runs]
    rows = []
    for name in ours[0]:
        if name == RECOMMENDED:
            continue
        gains = np.array([f1[RECOMMENDED] - f1[name] for f1 in ours])
        counts = [(gains > 0).sum(), (gains == 0).sum(), (gains < 0).sum()]
        rows.append([name, f"{gains.mean():+.3f}", *map(str, counts), f"{gains.min():+.3f}"])
    titles = [f"F1 {RECOMMENDED}, beside always", "mean", "better", "same", "worse", "worst"]
    return markdown_table(titles, rows)


if __name__ == "__main__":
    main()
