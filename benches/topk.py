"""Measures matrices of which each row stores its top k, and prints the table.

    python benches/topk.py

Each call takes turns with R, one parallel read of the arrays, in one process. Peak memory is
measured in a fresh process each, as in memory.py. A class has some neighbours that it is mistaken
for: they share its probability mass, and one label in ten is a neighbour's.
"""

import argparse
import json
import os
import shlex
import subprocess
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

import conflearn
from markdown_table import markdown_table, verdict
from memory import MEGABYTE, give_back_free_memory, in_ram
from read import read, threads
from table import machine, seconds, take_turns

ROWS_PER_BLOCK = 1 << 16
WRONG = 0.1


class Size(NamedTuple):
    """N, K, k, and what a call may take."""

    n_examples: int
    n_classes: int
    k: int
    most_reads: float | None
    most_megabytes: float | None


SIZES = {
    "large": Size(10_000_000, 100_000, 20, 3, 500),
    "million": Size(1_000_000, 1_000_000, 10, None, 1000),
    "small": Size(20_000, 5_000, 20, None, None),
}


class SparseProblem(NamedTuple):
    """What the functions take."""

    labels: NDArray[np.int32]
    top: conflearn.TopK


def make(size: Size) -> SparseProblem:
    """Fill the arrays block by block: int32 classes and float32 values, the largest first."""
    n, n_classes, k = size[:3]
    labels = np.empty(n, np.int32)
    classes, values = np.empty((n, k), np.int32), np.empty((n, k), np.float32)

    def fill(start: int) -> None:
        rng = np.random.default_rng(start)
        rows = slice(start, start + ROWS_PER_BLOCK)
        shape = classes[rows].shape
        true = rng.integers(n_classes, size=shape[0], dtype=np.int32)
        # Neighbours of a class are always the same ones, at distances that are all different.
        steps = np.cumsum(1 + rng.permuted(np.tile(np.arange(k), (shape[0], 1)), axis=1), axis=1)
        steps[:, 0] = np.where(rng.random(shape[0]) < WRONG, steps[:, 0], 0)
        np.remainder(true[:, None] + steps, n_classes, out=classes[rows], casting="unsafe")
        logits = rng.standard_normal(shape, dtype=np.float32) * 0.5 - np.arange(k) * 0.4
        logits[:, 0] += rng.gamma(2.0, 1.0, shape[0]).astype(np.float32)
        logits.sort(axis=1)
        weights = np.exp(logits[:, ::-1])
        np.divide(weights, weights.sum(axis=1, keepdims=True) * 1.1, out=values[rows])
        wrong = rng.random(shape[0]) < WRONG
        labels[rows] = np.where(
            wrong, (true + 1 + rng.integers(k, size=shape[0])) % n_classes, true
        )

    list(threads().map(fill, range(0, n, ROWS_PER_BLOCK)))
    return SparseProblem(labels, conflearn.TopK(classes, values, n_classes=n_classes))


# --- The same in numpy ---------------------------------------------------------------------------


def numpy_off_diagonal(labels: NDArray[Any], top: conflearn.TopK) -> NDArray[np.bool_]:
    """Flag what `confident_learning` flags, in numpy, block by block."""
    classes, values, n_classes = top.classes, top.values, top.n_classes
    own = np.empty(len(labels), np.float32)
    starts = range(0, len(labels), ROWS_PER_BLOCK)

    def find_own(start: int) -> None:
        rows = slice(start, start + ROWS_PER_BLOCK)
        is_own = classes[rows] == labels[rows, None]
        own[rows] = np.where(is_own, values[rows], 0).sum(axis=1)

    list(threads().map(find_own, starts))
    counts = np.bincount(labels, minlength=n_classes)
    sums = np.bincount(labels, weights=own, minlength=n_classes)
    means = np.where(counts > 0, sums / np.maximum(counts, 1), 2)
    cutoffs = np.maximum(means, 2e-6) - 1e-6

    def find_issues(start: int) -> NDArray[np.bool_]:
        rows = slice(start, start + ROWS_PER_BLOCK)
        given, cells = labels[rows], values[rows]
        confident = np.where(cells >= cutoffs[classes[rows]], cells, -1)
        best = confident.argmax(axis=1)
        at = np.arange(len(given))
        guess = classes[rows][at, best]
        others = np.where(classes[rows] == given[:, None], 0, cells).max(axis=1)
        is_off = (confident[at, best] >= 0) & (guess != given)
        return np.asarray(is_off & (own[rows] + 1e-6 <= others))

    return np.concatenate(list(threads().map(find_issues, starts)))


class Call(NamedTuple):
    """A question, and how numpy is asked the same."""

    name: str
    ours: Callable[[Any, Any], object]
    numpy: Callable[[Any, Any], object] | None = None
    has_target: bool = False


CALLS = (
    Call("confident_thresholds()", conflearn.confident_thresholds),
    Call(
        "find_label_issues(filter_by='confident_learning')",
        partial(conflearn.find_label_issues, filter_by="confident_learning"),
        numpy_off_diagonal,
        has_target=True,
    ),
    Call("find_label_issues()", conflearn.find_label_issues, has_target=True),
    Call("rank_label_issues()", conflearn.rank_label_issues),
    Call(
        "label_quality_scores(method='normalized_margin')",
        partial(conflearn.label_quality_scores, method="normalized_margin"),
    ),
    Call(
        "label_quality_scores(method='confidence_weighted_entropy')",
        partial(conflearn.label_quality_scores, method="confidence_weighted_entropy"),
    ),
    Call("confident_joint()", conflearn.confident_joint),
    Call("analyze()", conflearn.analyze),
    Call("analyze().noise_model", lambda labels, top: conflearn.analyze(labels, top).noise_model),
    Call("dataset_health()", conflearn.dataset_health),
)


def main() -> None:
    """Measure and print, or one call's memory as JSON."""
    parser = argparse.ArgumentParser(description="Measure sparse matrices, print the table.")
    add = parser.add_argument
    add("--small", "--smoke", action="store_true", help="few rows, to see that it runs")
    add("--size", choices=list(SIZES), help="one of the sizes; by default large and million")
    add("--rounds", type=int, default=5, help="turns that each call takes with R")
    add("--only", default="", metavar="TEXT", help="only the calls whose name contains TEXT")
    add("--memory-of", metavar="CALL", help="measure the peak of one call here, and print JSON")
    arguments = parser.parse_args()
    if arguments.memory_of:
        print(json.dumps(peak_here(arguments.memory_of, SIZES[arguments.size])))
        return
    print(machine().splitlines()[0])
    print(f"Command: `{shlex.join(['python', 'benches/topk.py', *sys.argv[1:]])}`")
    names = ["small"] if arguments.small else ["large", "million"]
    for name in names if arguments.size is None else [arguments.size]:
        print(f"\n{section(name, arguments)}", flush=True)


def section(name: str, arguments: argparse.Namespace) -> str:
    """Measure all calls on one pair of arrays."""
    size = SIZES[name]
    calls = [call for call in CALLS if arguments.only in call.name]
    # First, while this process holds no arrays.
    peaks = [peak(call, name) for call in calls]
    problem = make(size)
    arrays = problem.top.classes, problem.top.values
    rows = []
    for call, megabytes in zip(calls, peaks, strict=True):
        print(call.name, file=sys.stderr)
        turns = take_turns(
            partial(call.ours, *problem), lambda: list(map(read, arrays)), arguments.rounds
        )
        times_read = turns.call / turns.neighbour
        most = size.most_reads if call.has_target else None
        theirs = ""
        if call.numpy:
            elapsed = seconds(partial(call.numpy, *problem))
            theirs = f"{elapsed:.3g} s ({elapsed / turns.call:.3g}x)"
        rows.append(
            [
                f"`{call.name}`",
                f"{times_read:.2f}",
                "-" if most is None else f"<= {most:g}",
                verdict(times_read, most),
                f"{turns.call:.4f}",
                f"{turns.neighbour:.4f}",
                f"{megabytes:.0f}",
                "-" if size.most_megabytes is None else f"<= {size.most_megabytes:g}",
                verdict(megabytes, size.most_megabytes),
                theirs,
            ]
        )
    n, n_classes, k = size[:3]
    title = f"{n:,} rows, top {k} of {n_classes:,} classes"
    columns = ["times R", "target", "", "seconds", "R", "MB above input", "target", "", "numpy"]
    return markdown_table([title, *columns], rows)


def peak(call: Call, size_name: str) -> float:
    """Measure in a fresh process, in one arena, since glibc does not give back what others free."""
    print(f"memory of {call.name}", file=sys.stderr)
    command = [sys.executable, __file__, "--size", size_name, "--memory-of", call.name]
    environment = os.environ | {"MALLOC_ARENA_MAX": "1"}
    answer = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True, env=environment)
    return float(json.loads(answer.stdout))


def peak_here(name: str, size: Size) -> float:
    """Measure how far memory rises above the input, results included, in MB."""
    call = next(call for call in CALLS if call.name == name)
    problem = make(size)
    give_back_free_memory()
    Path("/proc/self/clear_refs").write_text("5")  # resets the high-water mark
    before = in_ram("VmHWM")
    result = call.ours(*problem)
    above = in_ram("VmHWM") - before
    del result
    return above / MEGABYTE


if __name__ == "__main__":
    main()
