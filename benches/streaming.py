"""Measures what is read from files, beside a plain read of the same file, and prints the tables.

    python benches/streaming.py

The files are made first, in a folder that is removed in the end. Each pass, and each call, takes
turns with a plain read: blocks of the same size by position into one reused buffer, and nothing
done with them. Peaks of memory are those of fresh processes.
"""

import argparse
import json
import os
import shlex
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from functools import partial
from pathlib import Path
from statistics import median
from typing import Any, NamedTuple

import numpy as np
from conflearn.states import Cuts, JointState, SelectionState, ThresholdState
from conflearn.stream import open_source

import conflearn
from data import SIZES, Files, Size, write
from markdown_table import markdown_table, verdict
from memory import MEGABYTE, in_ram
from table import duration, machine, seconds, take_turns

BLOCK_BYTES = 1 << 23  # of a plain read
WARM_TARGET = 1.3  # times a plain read, of a file in the page cache
COLD_TARGET = 0.9  # of the disk's own speed
PEAK_TARGET = 300.0  # megabytes, whatever the file's size
MERGE_TARGET = 10.0  # milliseconds

WIDE = Size(200_000, 5_000)
HUGE = Size(15_000_000, 1_000, "float16")  # 30 GB
SMOKE_EXAMPLES = 4_000


def main() -> None:
    """Measure and print."""
    arguments = parse_arguments()
    if arguments.measure:
        print(json.dumps(measure_here(arguments.measure, Path(arguments.folder))._asdict()))
        return
    print(machine().splitlines()[0])
    print(f"Command: `{shlex.join(['python', 'benches/streaming.py', *sys.argv[1:]])}`")
    with tempfile.TemporaryDirectory(dir=arguments.folder) as folder:
        for part in sections(arguments, Path(folder)):
            print(f"\n{part}", flush=True)


def parse_arguments() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description="Measure conflearn on files, print the tables.")
    add = parser.add_argument
    add("--size", choices=["cifar", "imagenet", "wide"], default="imagenet")
    add("--smoke", action="store_true", help="a few thousand rows, to see that it runs")
    add("--rounds", type=int, default=5, help="turns that each pass takes with the plain read")
    add("--only", default="", metavar="TEXT", help="only the lines whose name contains TEXT")
    add("--cold", action="store_true", help="also from the disk, dropped from the page cache")
    add("--cleanlab", action="store_true", help="also cleanlab's batched mode")
    add("--huge", action="store_true", help="only the memory at 30 GB; the disk must hold them")
    add("--folder", help="where the files go; by default where temporary files do")
    add("--measure", help=argparse.SUPPRESS)  # one call, here, in the files of --folder
    return parser.parse_args()


def sections(arguments: argparse.Namespace, folder: Path) -> Iterator[str]:
    """Measure one part after the other; there is one pair of files at a time."""
    shrink = partial(replace, n_examples=SMOKE_EXAMPLES) if arguments.smoke else lambda size: size
    if arguments.huge:
        yield memory_section(shrink(HUGE), folder, arguments.only)
        return
    size = shrink(SIZES[arguments.size])
    files = write(size, folder)
    yield warm_section(size, files, arguments)
    if arguments.cold:
        yield cold_section(size, files, arguments)
    if arguments.cleanlab:
        yield batched_section(size, folder)
    yield memory_section(shrink(WIDE), folder, arguments.only)
    yield merge_section()


# --- Passes --------------------------------------------------------------------------------------


class Line(NamedTuple):
    """What is measured, and how often it reads the file."""

    name: str
    call: Callable[[], object]
    n_passes: int = 1


def lines(files: Files, only: str) -> list[Line]:
    """Prepare each pass alone, and the calls that make several of them."""
    labels, pred_probs = map(str, files)
    source = open_source(labels, pred_probs, kind="probabilities", classes=None)
    assert source is not None
    n_classes = source.n_classes

    def sum_thresholds() -> ThresholdState:
        state = ThresholdState(n_classes)
        for block in source.blocks():
            state.update(block.labels, block.pred_probs, first_row=block.first_row)
        return state

    thresholds = sum_thresholds().finish()

    def look(*, entropies: bool) -> JointState:
        state = JointState(thresholds)
        for block in source.blocks():
            state.update(
                block.labels, block.pred_probs, first_row=block.first_row, entropies=entropies
            )
        return state

    cuts = Cuts.plan(look(entropies=False), filter_by="prune_by_noise_rate")

    def select() -> SelectionState:
        state = SelectionState(cuts, kind="probabilities", temperature=1.0)
        for block in source.blocks():
            state.update(block.labels, block.pred_probs, rows=block.first_row)
        return state

    def read_only() -> None:
        for _ in source.blocks():
            pass

    flag = partial(conflearn.find_label_issues, labels, pred_probs)
    found = [
        Line("reading alone", read_only),
        Line("pass 1: thresholds", sum_thresholds),
        Line("pass 2: look", partial(look, entropies=False)),
        Line("pass 2: look, with entropies", partial(look, entropies=True)),
        Line("pass 3: selection", select),
        Line("`find_label_issues(filter_by='confident_learning')`", _by(flag), 2),
        Line("`find_label_issues()`", flag, 3),
        Line("`analyze()`", partial(conflearn.analyze, labels, pred_probs), 3),
    ]
    return [line for line in found if only in line.name]


def _by(flag: Callable[..., object]) -> Callable[[], object]:
    return partial(flag, filter_by="confident_learning")


def warm_section(size: Size, files: Files, arguments: argparse.Namespace) -> str:
    """Measure passes over a file in the page cache, in turns with a plain read of it."""
    read_file(files.pred_probs)  # into the page cache
    read_by_one = partial(read_file, files.pred_probs)
    by_two = median(
        seconds(partial(read_file, files.pred_probs, n_threads=2)) for _ in range(arguments.rounds)
    )
    rows = []
    for name, call, n_passes in lines(files, arguments.only):
        print(name, file=sys.stderr)
        turns = take_turns(call, read_by_one, arguments.rounds)
        a_pass = turns.call / turns.neighbour / n_passes
        rows.append(
            [
                name,
                f"{n_passes}",
                f"{a_pass:.2f}",
                f"<= {WARM_TARGET:g}",
                verdict(a_pass, WARM_TARGET),
                duration(turns.call),
                duration(turns.neighbour),
                duration(by_two),
            ]
        )
    header = ["passes", "times read, a pass", "target", "", "seconds", "read", "read by two"]
    return markdown_table([f"{size}, in the page cache", *header], rows)


def cold_section(size: Size, files: Files, arguments: argparse.Namespace) -> str:
    """Measure passes over a file on the disk, in turns with a plain read of it."""

    def time_cold(call: Callable[[], object]) -> float:
        drop_from_page_cache(files)
        start = time.perf_counter()
        call()
        return time.perf_counter() - start

    plain = partial(read_file, files.pred_probs)
    rows = []
    for name, call, n_passes in lines(files, arguments.only):
        if n_passes > 1:
            continue  # the second would find in the page cache what the first has read
        print(f"{name}, cold", file=sys.stderr)
        calls, reads = [], [time_cold(plain)]
        for _ in range(arguments.rounds):
            calls.append(time_cold(call))
            reads.append(time_cold(plain))
        share = median(reads) / median(calls)
        rows.append(
            [
                name,
                f"{share:.2f}",
                f">= {COLD_TARGET:g}",
                verdict(share, COLD_TARGET, at_least=True),
                duration(median(calls)),
                duration(median(reads)),
                f"{files.pred_probs.stat().st_size / MEGABYTE / median(reads):,.0f}",
            ]
        )
    header = ["of its speed", "target", "", "seconds", "plain read", "MB/s of it"]
    return markdown_table([f"{size}, from the disk", *header], rows)


def read_file(path: Path, *, n_threads: int = 1) -> None:
    """Read a file block by block, by position, into one buffer a thread."""
    with path.open("rb", buffering=0) as file, ThreadPoolExecutor(n_threads) as pool:
        offsets = range(0, os.fstat(file.fileno()).st_size, BLOCK_BYTES)

        def read_every(first: int) -> None:
            buffer = bytearray(BLOCK_BYTES)
            for offset in offsets[first::n_threads]:
                os.preadv(file.fileno(), [buffer], offset)

        list(pool.map(read_every, range(n_threads)))


def drop_from_page_cache(files: Files) -> None:
    """Make the kernel forget what it has read of these files."""
    for path in files:
        with path.open("rb") as file:
            os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)


# --- Memory --------------------------------------------------------------------------------------


class Peak(NamedTuple):
    """What one call needed."""

    bytes_in_ram: int  # the most at any time, of the whole process
    seconds: float


def _ours(files: Files, batch_size: int = 10_000) -> object:
    from conflearn.cleanlab.experimental import label_issues_batched as batched

    return _batched(batched, files, batch_size)


def _theirs(files: Files, batch_size: int = 10_000) -> object:
    from cleanlab.experimental import label_issues_batched as batched

    return _batched(batched, files, batch_size)


def _batched(module: Any, files: Files, batch_size: int) -> object:
    return module.find_label_issues_batched(
        labels_file=str(files.labels),
        pred_probs_file=str(files.pred_probs),
        batch_size=batch_size,
        n_jobs=None,
        verbose=False,
    )


def _flag(files: Files, **options: Any) -> object:
    return conflearn.find_label_issues(
        str(files.labels), str(files.pred_probs), out=files.labels.with_name("mask.npy"), **options
    )


def _analyze(files: Files) -> object:
    return conflearn.analyze(
        str(files.labels), str(files.pred_probs), out=files.labels.with_name("analysis")
    )


MEASURED: dict[str, Callable[[Files], object]] = {
    "find_label_issues(filter_by='confident_learning', out=...)": partial(
        _flag, filter_by="confident_learning"
    ),
    "find_label_issues(out=...)": _flag,
    "analyze(out=...)": _analyze,
    "conflearn.cleanlab": _ours,
    "cleanlab": _theirs,
}


def measure(name: str, folder: Path) -> Peak:
    """Measure a call in a fresh process."""
    command = [sys.executable, __file__, "--measure", name, "--folder", str(folder)]
    answer = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)
    return Peak(**json.loads(answer.stdout))


def measure_here(name: str, folder: Path) -> Peak:
    """Measure a call in this process, which must not have called before."""
    start = time.perf_counter()
    MEASURED[name](Files(folder / "labels.npy", folder / "pred_probs.npy"))
    return Peak(in_ram("VmHWM"), time.perf_counter() - start)


def memory_section(size: Size, folder: Path, only: str) -> str:
    """Measure calls that write their outputs to files."""
    files = write(size, folder)
    rows = []
    for name in MEASURED:
        if "out=" not in name or only not in name:
            continue
        print(f"memory of {name}", file=sys.stderr)
        peak = measure(name, folder)
        megabytes = peak.bytes_in_ram / MEGABYTE
        rows.append(
            [
                f"`{name}`",
                f"{megabytes:.0f}",
                f"<= {PEAK_TARGET:g}",
                verdict(megabytes, PEAK_TARGET),
                duration(peak.seconds),
                f"{files.pred_probs.stat().st_size / MEGABYTE:,.0f}",
            ]
        )
    header = ["peak MB of the process", "target", "", "seconds", "MB of the file"]
    return markdown_table([f"{size}, outputs written to files", *header], rows)


def batched_section(size: Size, folder: Path) -> str:
    """Measure the function that both packages have for files."""
    rows = []
    for name in ("conflearn.cleanlab", "cleanlab"):
        print(f"find_label_issues_batched of {name}", file=sys.stderr)
        peak = measure(name, folder)
        rows.append([name, duration(peak.seconds), f"{peak.bytes_in_ram / MEGABYTE:,.0f}"])
    header = [f"`find_label_issues_batched()`, {size}", "seconds", "peak MB of the process"]
    return markdown_table(header, rows)


# --- States --------------------------------------------------------------------------------------


def merge_section() -> str:
    """Measure the merge of two states whose joints hold almost all pairs of 1,000 classes."""
    n_classes = 1_000
    rows = []
    for name, make in (("thresholds", _sums), ("joint", _joint)):
        state, other = make(n_classes, 0), make(n_classes, 1)
        milliseconds = 1_000 * median(seconds(partial(state.merge, other)) for _ in range(5))
        size = len(state.to_bytes()) / MEGABYTE
        rows.append(
            [
                name,
                f"{milliseconds:.2f}",
                f"<= {MERGE_TARGET:g}",
                verdict(milliseconds, MERGE_TARGET),
                f"{size:.1f}",
            ]
        )
    header = [f"two states of {n_classes:,} classes", "ms to merge", "target", "", "MB as bytes"]
    return markdown_table(header, rows)


def _sums(n_classes: int, seed: int) -> ThresholdState:
    state = ThresholdState(n_classes)
    state.update(*_spread(n_classes, seed))
    return state


def _joint(n_classes: int, seed: int) -> JointState:
    # Every class is confident, so that each row is counted for its own pair of classes.
    state = JointState(np.full(n_classes, 0.1))
    for part in range(100):
        state.update(*_spread(n_classes, 100 * seed + part))
    return state


def _spread(n_classes: int, seed: int, n_examples: int = 10_000) -> tuple[Any, Any]:
    """Make rows that are sure of classes which have nothing to do with the labels."""
    rng = np.random.default_rng(seed)
    labels, guesses = rng.integers(n_classes, size=(2, n_examples))
    pred_probs = np.zeros((n_examples, n_classes), np.float32)
    pred_probs[np.arange(n_examples), guesses] = 1
    return labels, pred_probs


if __name__ == "__main__":
    main()
