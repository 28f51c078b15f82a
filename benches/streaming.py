"""Measures what is read from files, beside a plain read of the same file, and prints the tables.

    python benches/streaming.py

The files are made first, in a folder that is removed in the end. Each pass, and each call, takes
turns with a plain read: blocks of the same size, by position, into one reused buffer, and nothing
is done with them. Peaks of memory are those of fresh processes.
"""

import argparse
import json
import os
import shlex
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from functools import partial
from importlib import import_module
from pathlib import Path
from statistics import median
from typing import Any, NamedTuple

import numpy as np

import conflearn
from conflearn.sources import open_source
from conflearn.sources.source import BLOCK_BYTES, Reading
from conflearn.states import Cuts, JointState, SelectionState, ThresholdState
from data import SIZES, Files, Size, write
from markdown_table import markdown_table, verdict
from memory import MEGABYTE, in_ram
from table import duration, machine, take_turns

WARM_TARGET = 1.3  # times a plain read, of a file in the page cache
COLD_TARGET = 0.9  # of the disk's own speed
PEAK_TARGET = 300.0  # megabytes, whatever the file's size
MERGE_TARGET = 10.0  # milliseconds
N_MERGES = 9
BYTES_OF_A_RESULT = 100  # of an example, at most
READING = "reading alone"
LOOKS_ONCE = Reading(looks_once=True)

WIDE = Size(200_000, 5_000)
HUGE = Size(15_000_000, 1_000, "float16")  # 30 GB
MOST_DISTINCT = 300_000  # examples that such a file holds again and again: made in minutes
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
    add("--smoke", "--small", action="store_true", help="a few thousand rows: does it run?")
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
    files = make_files(size, folder)
    yield warm_section(size, files, arguments)
    if arguments.cold:
        yield cold_section(size, files, arguments)
    if arguments.cleanlab:
        yield batched_section(size, folder)
    yield merge_section(size, files, n_batches=2 if arguments.smoke else 100)
    yield memory_section(shrink(WIDE), folder, arguments.only)


def make_files(size: Size, folder: Path, n_distinct: int | None = None) -> Files:
    """Write labels and matrix, unless the disk is too full."""
    needed = size.n_examples * (size.n_classes * np.dtype(size.dtype).itemsize + BYTES_OF_A_RESULT)
    free = shutil.disk_usage(folder).free
    if needed > free:
        sys.exit(
            f"{size} takes {needed / MEGABYTE:,.0f} MB, but {folder} has {free / MEGABYTE:,.0f} MB "
            "left; pass another --folder"
        )
    print(f"making {size}", file=sys.stderr)
    return write(size, folder, n_distinct=n_distinct)


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

    def read_only() -> None:
        for _ in source.blocks():
            pass

    def sum_thresholds() -> ThresholdState:
        state = ThresholdState(source.n_classes)
        for block in source.blocks(0, LOOKS_ONCE):
            state.update(block.labels, block.pred_probs, first_row=block.first_row)
        return state

    thresholds = sum_thresholds().finish()

    def look(*, entropies: bool = False) -> JointState:
        state = JointState(thresholds)
        for block in source.blocks(0, LOOKS_ONCE):
            state.update(
                block.labels, block.pred_probs, first_row=block.first_row, entropies=entropies
            )
        return state

    cuts = Cuts.plan(look(), filter_by="prune_by_noise_rate")

    def select() -> SelectionState:
        state = SelectionState(cuts)
        for block in source.blocks(0, LOOKS_ONCE):
            state.update(block.labels, block.pred_probs, rows=block.first_row)
        return state

    flag = partial(conflearn.find_label_issues, labels, pred_probs)
    calls: dict[str, Callable[..., object]] = {
        "`find_label_issues(filter_by='confident_learning')`": partial(
            flag, filter_by="confident_learning"
        ),
        "`find_label_issues()`": flag,
        "`rank_label_issues()`": partial(conflearn.rank_label_issues, labels, pred_probs),
        "`analyze()`": partial(conflearn.analyze, labels, pred_probs),
    }
    found = [
        Line(READING, read_only),
        Line("pass: thresholds", sum_thresholds),
        Line("pass: look", look),
        Line("pass: look, with entropies", partial(look, entropies=True)),
        Line("pass: selection", select),
        *(Line(name, call, count_passes(call)) for name, call in calls.items() if only in name),
    ]
    return [line for line in found if only in line.name]


def count_passes(call: Callable[..., object]) -> int:
    """Ask a call, by what it reports, how often it reads the file."""
    names = set()
    call(progress=lambda name, _done, _total: names.add(name))
    return len(names)


def warm_section(size: Size, files: Files, arguments: argparse.Namespace) -> str:
    """Measure passes over a file in the page cache, in turns with a plain read of it."""
    read_file(files.pred_probs)  # into the page cache
    plain = partial(read_file, files.pred_probs)
    by_two = Line("plain read by two threads", partial(plain, n_threads=2))
    rows = []
    for name, call, n_passes in [by_two, *lines(files, arguments.only)]:
        print(name, file=sys.stderr)
        turns = take_turns(call, plain, arguments.rounds)
        a_pass = turns.call / turns.neighbour / n_passes
        has_target = size == SIZES["imagenet"] and name not in {by_two.name, READING}
        target = WARM_TARGET if has_target else None
        rows.append(
            [
                name,
                f"{n_passes}",
                f"{a_pass:.2f}",
                "-" if target is None else f"<= {target:g}",
                verdict(a_pass, target),
                duration(turns.call),
                duration(turns.neighbour),
            ]
        )
    header = ["passes", "times a plain read, each", "target", "", "seconds", "plain read"]
    return markdown_table([f"{size}, in the page cache", *header], rows)


def cold_section(size: Size, files: Files, arguments: argparse.Namespace) -> str:
    """Measure passes over a file on the disk, in turns with a plain read of it."""

    def time_cold(call: Callable[[], object]) -> float:
        drop_from_page_cache(files)
        start = time.perf_counter()
        call()
        return time.perf_counter() - start

    megabytes = files.pred_probs.stat().st_size / MEGABYTE
    plain = partial(read_file, files.pred_probs)
    by_two = Line("plain read by two threads", partial(plain, n_threads=2))
    rows = []
    for name, call, n_passes in [by_two, *lines(files, arguments.only)]:
        if n_passes > 1:
            continue  # the second would find in the page cache what the first has read
        print(f"{name}, cold", file=sys.stderr)
        calls, reads = [], [time_cold(plain)]
        for _ in range(arguments.rounds):
            calls.append(time_cold(call))
            reads.append(time_cold(plain))
        share = median(reads) / median(calls)
        has_target = size == SIZES["imagenet"] and name not in {by_two.name, READING}
        target = COLD_TARGET if has_target else None
        rows.append(
            [
                name,
                f"{share:.2f}",
                "-" if target is None else f">= {target:g}",
                verdict(share, target, at_least=True),
                duration(median(calls)),
                duration(median(reads)),
                f"{megabytes / median(reads):,.0f}",
            ]
        )
    header = ["of a plain read's speed", "target", "", "seconds", "plain read", "MB/s of it"]
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
    """Make the kernel forget what it has read of these files, which are on the disk already."""
    for path in files:
        with path.open("rb") as file:
            os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)


# --- Memory --------------------------------------------------------------------------------------


class Peak(NamedTuple):
    """What one call needed."""

    bytes_in_ram: int  # the most at any time, of the whole process
    seconds: float


def import_batched(package: str) -> Any:
    """Import the module that both packages have."""
    return import_module(f"{package}.experimental.label_issues_batched")


def _batched(package: str, files: Files, n_jobs: int | None = 1) -> object:
    return import_batched(package).find_label_issues_batched(
        labels_file=str(files.labels),
        pred_probs_file=str(files.pred_probs),
        n_jobs=n_jobs,
        verbose=False,
    )


def _flag(files: Files, **options: Any) -> object:
    out = files.labels.with_name("mask.npy")
    return conflearn.find_label_issues(*map(str, files), out=out, **options)


def _analyze(files: Files) -> object:
    return conflearn.analyze(*map(str, files), out=files.labels.with_name("analysis"))


#: Calls that write their outputs to files, beside their input.
WRITING: dict[str, Callable[[Files], object]] = {
    "find_label_issues(filter_by='confident_learning', out=...)": partial(
        _flag, filter_by="confident_learning"
    ),
    "find_label_issues(out=...)": _flag,
    "analyze(out=...)": _analyze,
}
#: What both packages have.
BATCHED: dict[str, Callable[[Files], object]] = {
    "conflearn.cleanlab, n_jobs=None": partial(_batched, "conflearn.cleanlab", n_jobs=None),
    "conflearn.cleanlab": partial(_batched, "conflearn.cleanlab"),
    "cleanlab": partial(_batched, "cleanlab"),
}


def measure(name: str, folder: Path) -> Peak:
    """Measure a call in a fresh process."""
    command = [sys.executable, __file__, "--measure", name, "--folder", str(folder)]
    answer = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)
    return Peak(**json.loads(answer.stdout))


def measure_here(name: str, folder: Path) -> Peak:
    """Measure a call in this process, which must not have called before."""
    if name in BATCHED:
        import_batched(name.partition(",")[0])  # not to time it
    start = time.perf_counter()
    (WRITING | BATCHED)[name](Files(folder / "labels.npy", folder / "pred_probs.npy"))
    return Peak(in_ram("VmHWM"), time.perf_counter() - start)


def memory_section(size: Size, folder: Path, only: str) -> str:
    """Measure calls that write their outputs to files."""
    files = make_files(size, folder, min(size.n_examples, MOST_DISTINCT))
    megabytes = files.pred_probs.stat().st_size / MEGABYTE
    rows = []
    for name in WRITING:
        if only not in name:
            continue
        print(f"memory of {name}", file=sys.stderr)
        peak = measure(name, folder)
        in_use = peak.bytes_in_ram / MEGABYTE
        rows.append(
            [
                f"`{name}`",
                f"{in_use:.0f}",
                f"<= {PEAK_TARGET:g}",
                verdict(in_use, PEAK_TARGET),
                duration(peak.seconds),
                f"{megabytes:,.0f}",
            ]
        )
    header = ["peak MB of the process", "target", "", "seconds", "MB of the file"]
    return markdown_table([f"{size}, outputs written to files", *header], rows)


def batched_section(size: Size, folder: Path) -> str:
    """Measure the function for files that both packages have."""
    rows = []
    for name in BATCHED:
        print(f"find_label_issues_batched of {name}", file=sys.stderr)
        peak = measure(name, folder)
        rows.append([name, duration(peak.seconds), f"{peak.bytes_in_ram / MEGABYTE:,.0f}"])
    header = [f"`find_label_issues_batched()`, {size}", "seconds", "peak MB of the process"]
    return markdown_table(header, rows)


# --- States --------------------------------------------------------------------------------------


def merge_section(size: Size, files: Files, n_batches: int) -> str:
    """Measure the merge of states of 1,000 classes: of two halves of the data, and the worst."""
    labels, pred_probs = (np.load(file, mmap_mode="r") for file in files)
    half = len(labels) // 2
    sums, joints = [], []
    for rows_of in (slice(half), slice(half, None)):
        sums.append(ThresholdState(size.n_classes))
        sums[-1].update(labels[rows_of], pred_probs[rows_of])
    thresholds = sums[0].finish()
    for rows_of in (slice(half), slice(half, None)):
        joints.append(JointState(thresholds))
        joints[-1].update(labels[rows_of], pred_probs[rows_of])
    rows = []
    for name, pair in {
        f"thresholds of halves of {size}": sums,
        f"joints of halves of {size}": joints,
        f"joints of {n_batches * 10_000:,} rows without any pattern": [
            full_joint(0, n_batches),
            full_joint(1, n_batches),
        ],
    }.items():
        print(f"merge of {name}", file=sys.stderr)
        milliseconds = 1_000 * median(merge_time(*pair) for _ in range(N_MERGES))
        target = MERGE_TARGET if pair[0].n_classes == 1_000 else None
        rows.append(
            [
                name,
                f"{milliseconds:.2f}",
                "-" if target is None else f"<= {target:g}",
                verdict(milliseconds, target),
                f"{len(pair[0].to_bytes()) / MEGABYTE:.2f}",
            ]
        )
    header = ["two states", "ms to merge", "target", "", "MB as bytes"]
    return markdown_table(header, rows)


def merge_time(state: Any, other: Any) -> float:
    """Time the merge of two states that were sent as bytes, as those of several machines are."""
    state, other = (type(each).from_bytes(each.to_bytes()) for each in (state, other))
    start = time.perf_counter()
    state.merge(other)
    return time.perf_counter() - start


def full_joint(seed: int, n_batches: int) -> JointState:
    """Count rows that are sure of classes which have nothing to do with their labels."""
    n_classes, n_examples = 1_000, 10_000
    state = JointState(np.full(n_classes, 0.1))
    rng = np.random.default_rng(seed)
    for _ in range(n_batches):
        labels, guesses = rng.integers(n_classes, size=(2, n_examples))
        pred_probs = np.zeros((n_examples, n_classes), np.float16)
        pred_probs[np.arange(n_examples), guesses] = 1
        state.update(labels, pred_probs)
    return state


if __name__ == "__main__":
    main()
