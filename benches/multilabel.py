"""Measures `conflearn.multilabel` and prints the table.

    python benches/multilabel.py

Each call takes turns with R in one process. Where cleanlab is measured it runs once, for that takes
long. An example has about five tags, to which the model gives a probability of 0.9 on average, and
0.02 to the others. Two tags in a hundred are missing; one cell in ten thousand has a wrong one.
"""

import argparse
import shlex
import sys
import time
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
import scipy.sparse
from cleanlab.multilabel_classification import filter as their_filter
from cleanlab.multilabel_classification import rank as their_rank
from numpy.typing import NDArray

from conflearn import multilabel
from markdown_table import markdown_table
from read import read, threads
from table import machine, take_turns

ROWS_PER_BLOCK = 1 << 13
TAGS_PER_EXAMPLE = 5
MISSING, WRONG = 0.02, 1e-4

SIZES = {"large": (1_000_000, 500), "small": (100_000, 100), "smoke": (2_000, 40)}


class TaggedProblem(NamedTuple):
    """What the functions take."""

    tags: Any
    pred_probs: NDArray[Any]


def make(n_examples: int, n_classes: int) -> TaggedProblem:
    """Fill a float32 matrix block by block, so that nothing else is as large."""
    pred_probs = np.empty((n_examples, n_classes), np.float32)

    def fill(start: int) -> NDArray[np.int64]:
        rng = np.random.default_rng(start)
        block = pred_probs[start : start + ROWS_PER_BLOCK]
        noise = rng.standard_normal(block.shape, dtype=np.float32)
        true = rng.random(block.shape, dtype=np.float32) < TAGS_PER_EXAMPLE / n_classes
        logits = noise * np.float32(1.2) + np.where(true, np.float32(3), np.float32(-5))
        np.divide(1, 1 + np.exp(-logits), out=block)
        flips = rng.random(block.shape, dtype=np.float32) < np.where(true, MISSING, WRONG)
        return np.flatnonzero(true ^ flips) + start * n_classes

    starts = range(0, n_examples, ROWS_PER_BLOCK)
    cells = np.concatenate(list(threads().map(fill, starts)))
    rows, columns = np.divmod(cells, n_classes)
    indptr = np.searchsorted(rows, np.arange(n_examples + 1))
    ones = np.ones(len(cells), np.int8)
    shape = (n_examples, n_classes)
    return TaggedProblem(scipy.sparse.csr_array((ones, columns, indptr), shape=shape), pred_probs)


class Call(NamedTuple):
    """A question, and how cleanlab is asked the same."""

    name: str
    ours: Callable[[Any, Any], object]
    theirs: Callable[[Any, Any], object] | None = None


def by(aggregate: str) -> Callable[[Any, Any], object]:
    return lambda tags, p: multilabel.label_quality_scores(tags, p, aggregate=aggregate)  # type: ignore[arg-type] # a name out of a table


CALLS = (
    Call("confident_thresholds", multilabel.confident_thresholds),
    Call("confident_joint", multilabel.confident_joint),
    Call(
        "find_label_issues",
        multilabel.find_label_issues,
        lambda tags, p: their_filter.find_label_issues(tags, p, n_jobs=1),
    ),
    Call("locate_label_issues", multilabel.locate_label_issues),
    Call("rank_label_issues", multilabel.rank_label_issues),
    Call(
        "label_quality_scores",
        multilabel.label_quality_scores,
        their_rank.get_label_quality_scores,
    ),
    Call("... aggregate='softmin'", by("softmin")),
    Call("... aggregate='mean'", by("mean")),
    Call("... aggregate='median'", by("median")),
    Call("... aggregate='min'", by("min")),
    Call("dataset_health", multilabel.dataset_health),
)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description="Measure conflearn.multilabel, print the table.")
    add = parser.add_argument
    add("--smoke", action="store_true", help="a few thousand rows, to see that it runs")
    add("--size", choices=["large", "small"], help="one of the two sizes; by default both")
    add("--rounds", type=int, default=5, help="turns that each call takes with R")
    add("--only", default="", metavar="TEXT", help="only the calls whose name contains TEXT")
    add("--no-cleanlab", action="store_true", help="leave cleanlab out")
    arguments = parser.parse_args()
    print(machine().splitlines()[0])
    print(f"Command: `{shlex.join(['python', 'benches/multilabel.py', *sys.argv[1:]])}`")
    sizes = ["smoke"] if arguments.smoke else [arguments.size or "large", "small"]
    for name in dict.fromkeys(sizes if arguments.size is None else [arguments.size]):
        print()
        print(section(SIZES[name], arguments, beside_cleanlab=name != "large"))


def section(shape: tuple[int, int], arguments: argparse.Namespace, *, beside_cleanlab: bool) -> str:
    """Measure all calls on one matrix."""
    problem = make(*shape)
    lists = None
    rows = []
    for call in CALLS:
        if arguments.only not in call.name:
            continue
        turns = take_turns(
            lambda call=call: call.ours(*problem),
            lambda: read(problem.pred_probs),
            arguments.rounds,
        )
        row = [
            call.name,
            f"{turns.call / turns.neighbour:.1f}",
            f"{turns.call:.4f}",
            f"{turns.neighbour:.4f}",
        ]
        if beside_cleanlab:
            cleanlab = ""
            if call.theirs and not arguments.no_cleanlab:
                lists = lists or [row.indices.tolist() for row in problem.tags]
                start = time.perf_counter()
                call.theirs(lists, problem.pred_probs)
                elapsed = time.perf_counter() - start
                cleanlab = f"{elapsed:.1f} s, {elapsed / turns.call:,.0f} times ours"
            row.append(cleanlab)
        rows.append(row)
    columns = ["", "times R", "seconds", "R", *(["cleanlab"] if beside_cleanlab else [])]
    size = f"{shape[0]:,} x {shape[1]:,} float32"
    return f"{size}, tags as a scipy CSR matrix\n\n{markdown_table(columns, rows)}"


if __name__ == "__main__":
    main()
