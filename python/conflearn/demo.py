"""The demo: wrong labels among scikit-learn's handwritten digits, or in two files.

::

    python -m conflearn demo
    python -m conflearn demo labels.npy pred_probs.npy

The digits come with scikit-learn, so nothing is downloaded. Some of them are given a wrong label on
purpose; so it can be counted how many of those are found again.
"""

from argparse import ArgumentParser, ArgumentTypeError, Namespace, _SubParsersAction
from collections.abc import Iterable, Iterator, Sequence
from importlib import import_module
from pathlib import Path
from time import perf_counter
from typing import Any, NamedTuple, TypeAlias

import numpy as np
import numpy.typing as npt

from conflearn._names import FILTER_CHOICES, SCORES
from conflearn.analysis import Analysis, analyze
from conflearn.errors import MissingDependencyError
from conflearn.issues import num_label_issues

Classes: TypeAlias = npt.NDArray[np.int64]

#: What each digit is mistaken for: 0 for 8, 1 for 7, and so on.
LOOKALIKES = np.array([8, 7, 3, 8, 9, 6, 0, 1, 3, 4])
#: How often: which digit has which rate is drawn. 8 % on average.
NOISE_RATES = np.linspace(0.02, 0.14, 10)
N_FOLDS = 5
N_TREES = 100

NEXT_AFTER_DIGITS = """\
Next, your own data: `labels` of shape (N,), and `pred_probs` of shape (N, K),
each row from a model that was not trained on that example:

    import conflearn
    issues = conflearn.analyze(labels, pred_probs).to_records()  # worst first

Or from two files:

    python -m conflearn demo labels.npy pred_probs.npy"""

NEXT_AFTER_FILES = """\
Next, look at these examples. All of them, in Python:

    import conflearn
    issues = conflearn.analyze(labels, pred_probs).to_records()  # worst first"""


# --- The command ---------------------------------------------------------------------------------


def add_command(commands: "_SubParsersAction[ArgumentParser]") -> None:
    """Add ``demo`` to the command line."""
    about = "find wrong labels among handwritten digits, or in two files of your own"
    parser = commands.add_parser("demo", help=about, description=f"{about.capitalize()}.")
    add = parser.add_argument
    add("labels", type=Path, nargs="?", metavar="labels.npy", help="classes 0..K-1, of shape (N,)")
    add(
        "pred_probs",
        type=Path,
        nargs="?",
        metavar="pred_probs.npy",
        help="out-of-sample probabilities, of shape (N, K); read in blocks, not loaded",
    )
    flag = f"which labels to flag: {_choices(FILTER_CHOICES)}"
    default = FILTER_CHOICES[0]
    add("--filter-by", choices=FILTER_CHOICES, default=default, metavar="FILTER", help=flag)
    order = f"the score to order them by: {_choices(SCORES)}"
    add("--rank-by", choices=SCORES, default=SCORES[0], metavar="SCORE", help=order)
    add("--top", type=_natural, default=10, metavar="N", help="how many to list (default: 10)")
    add("--seed", type=_natural, metavar="N", help="to draw which digits are wrong (default: 0)")

    def run(options: Namespace) -> Iterator[str]:
        if (options.labels is None) != (options.pred_probs is None):
            parser.error("give two files, labels.npy and pred_probs.npy, or none")
        if options.labels is not None and options.seed is not None:
            parser.error("--seed is for the digits; files are taken as they are")
        return demo(options)

    parser.set_defaults(run=run)


def demo(options: Namespace) -> Iterator[str]:
    """Give the paragraphs to print, each as soon as it is known."""
    if options.labels is None:
        seed = options.seed or 0
        digits = mislabelled_digits(seed)
        yield _opening(digits)
        problem = cross_validated(digits, seed)
    else:
        problem = Problem(options.labels, options.pred_probs)
    labels, pred_probs, true = problem
    begin = perf_counter()
    analysis = analyze(labels, pred_probs, filter_by=options.filter_by, rank_by=options.rank_by)
    seconds = perf_counter() - begin
    n_estimated = num_label_issues(labels, pred_probs, method="off_diagonal_calibrated")
    yield _finding(analysis, seconds)
    if options.top and len(analysis.ranked):
        yield _table(analysis, true, options.top)
    yield _summary(analysis, n_estimated, problem)
    if true is not None:
        yield NEXT_AFTER_DIGITS
    elif len(analysis.ranked):
        yield NEXT_AFTER_FILES


def _choices(names: Sequence[str]) -> str:
    return f"{names[0]} (default), {', '.join(names[1:-1])} or {names[-1]}"


def _natural(text: str) -> int:
    if text.isdecimal():
        return int(text)
    raise ArgumentTypeError(f"{text!r} is not a whole number of at least 0")


# --- The data ------------------------------------------------------------------------------------


class Digits(NamedTuple):
    """Images of handwritten digits, some of them with a wrong label."""

    images: npt.NDArray[np.float64]
    labels: Classes
    true: Classes


class Problem(NamedTuple):
    """Given labels, a model's probabilities, and the true labels where they are known.

    Of the user's data, the files, which are read in blocks.
    """

    labels: Classes | Path
    pred_probs: npt.NDArray[np.float64] | Path
    true: Classes | None = None


def mislabelled_digits(seed: int) -> Digits:
    """Take scikit-learn's digits, and label some of them as the digit that they look like."""
    images, true = _sklearn("datasets").load_digits(return_X_y=True)
    rng = np.random.default_rng(seed)
    noise_rates = rng.permutation(NOISE_RATES)
    is_wrong = rng.random(len(true)) < noise_rates[true]
    return Digits(images, np.where(is_wrong, LOOKALIKES[true], true), true)


def cross_validated(digits: Digits, seed: int) -> Problem:
    """Predict each image by a model that was trained on other images, wrong labels and all."""
    selection, ensemble = _sklearn("model_selection"), _sklearn("ensemble")
    random_state = int(np.random.default_rng(seed).integers(2**31))
    pred_probs = selection.cross_val_predict(
        ensemble.ExtraTreesClassifier(N_TREES, min_samples_leaf=3, random_state=random_state),
        digits.images,
        digits.labels,
        cv=selection.StratifiedKFold(N_FOLDS, shuffle=True, random_state=random_state),
        method="predict_proba",
    )
    return Problem(digits.labels, pred_probs, digits.true)


def _sklearn(module: str) -> Any:
    """Import a module of scikit-learn, which only the digits need."""
    try:
        return import_module(f"sklearn.{module}")
    except ImportError as error:
        raise MissingDependencyError(
            'the digits need scikit-learn: pip install "conflearn[demo]"'
        ) from error


# --- The texts -----------------------------------------------------------------------------------


def _opening(digits: Digits) -> str:
    n_wrong = np.count_nonzero(digits.labels != digits.true)
    return (
        f"{len(digits.true):,} handwritten digits, {n_wrong} of them with a wrong label given on "
        f"purpose.\nCross-validating {N_TREES} trees in {N_FOLDS} folds ..."
    )


def _finding(analysis: Analysis, seconds: float) -> str:
    duration = f"{seconds:.1f} s" if seconds >= 1 else f"{seconds * 1e3:.1f} ms"
    n_flagged = len(analysis.ranked)
    by: str = analysis.filter_by
    if analysis.cut is not None:
        by += f" with cut {analysis.cut:g}"
    return f"Flagged {n_flagged:,} of {analysis.n_examples:,} labels, by {by}, in {duration}."


def _table(analysis: Analysis, true: Classes | None, n_rows: int) -> str:
    """List the worst labels."""
    issues = analysis.to_records()[:n_rows]
    rows, given, suggested = issues["index"], issues["given"], issues["suggested"]
    columns: dict[str, Iterable[object]] = {"row": rows, "given": given, "suggested": suggested}
    if true is not None:
        columns["true"] = true[rows]
    columns["score"] = [f"{score:.4f}" for score in issues["score"]]
    # What it says of the given class is the score again, or nearly so.
    columns["reason"] = [reason.partition(", ")[0] for reason in issues["reason"]]
    if true is not None:
        columns["verdict"] = map(_verdict, given, suggested, true[rows])
    cells = [_aligned([name, *map(str, column)]) for name, column in columns.items()]
    lines = [f"  {'  '.join(line).rstrip()}" for line in zip(*cells, strict=True)]
    caption = f"The worst {len(issues)} by {analysis.rank_by}:"
    note = "Typical is the mean probability of a class among the examples given it."
    return "\n".join([caption, "", *lines, "", note])


def _aligned(column: Sequence[str]) -> list[str]:
    """Pad a column of a table: numbers to the right, words to the left."""
    width = max(map(len, column))
    is_number = column[-1].replace(".", "").isdecimal()
    return [cell.rjust(width) if is_number else cell.ljust(width) for cell in column]


def _verdict(given: int, suggested: int, true: int) -> str:
    if given == true:
        return "false alarm"
    return "right" if suggested == true else "half right"


def _summary(analysis: Analysis, n_estimated: int, problem: Problem) -> str:
    """Give the numbers, beside the true ones where those are known."""
    n_flagged = len(analysis.ranked)
    estimate = f"Estimated number of wrong labels: {n_estimated:,}"
    if problem.true is None:
        return f"{estimate} ({n_estimated / analysis.n_examples:.1%})."
    is_wrong = problem.labels != problem.true
    n_wrong = int(np.count_nonzero(is_wrong))
    n_found = int(np.count_nonzero(analysis.mask & is_wrong))
    precision, recall = _share(n_found, n_flagged), _share(n_found, n_wrong)
    return (
        f"{estimate}; there are {n_wrong}.\n"
        f"Precision {precision}: {n_found} of the {n_flagged} flagged labels are wrong.\n"
        f"Recall    {recall}: {n_found} of the {n_wrong} wrong labels are flagged."
    )


def _share(part: int, whole: int) -> str:
    return f"{part / whole:.2f}" if whole else "-"
