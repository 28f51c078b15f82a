"""One command that measures everything and prints the table.

    python benches/table.py --size imagenet

Each call takes turns with R in one process, only one matrix exists at any time, and nothing
fails for being slow: a target that is missed is printed as such.
"""

import argparse
import math
import os
import platform
import shlex
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import partial
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from statistics import median
from typing import NamedTuple

from calls import (
    CALLS,
    CELLS_UNASKED,
    DEFAULT,
    JUDGE_CALLS,
    KIND_CALLS,
    SMALL_DATA,
    Call,
    Implementation,
    fits_cleanlab,
)
from data import SIZES, Dtype, Order, Problem, Size, log_in_place, make
from markdown_table import markdown_table, verdict
from memory import memory_section
from read import available_cpus, read

README = Path(__file__).with_name("README.md")
SHORTEST_TIMING = 0.02  # seconds; a shorter call is repeated until that much time has passed
N_IMPORTS = 10
IMPORT_TARGET = 50.0  # milliseconds above `import numpy`
OVERHEAD_TARGET = 100.0  # microseconds of a call that has nothing to do
TIMES_FASTER_TARGETS = {"cifar": 30.0, "small": 20.0}  # than cleanlab
CALL_COLUMNS = ("times R", "target", "", "seconds", "R", "blocked numpy", "cleanlab")
LAYOUT_TARGETS: tuple[tuple[Dtype, Order, float], ...] = (
    ("float16", "C", 1.6),
    ("float64", "C", 1.6),
    ("float32", "F", 2.0),
)


def main() -> None:
    """Measure, print, and put the table into the README where that is asked for."""
    arguments = parse_arguments()
    parts = []
    for part in sections(arguments):
        parts.append(part)
        print(part, end="\n\n", flush=True)
    if arguments.write:
        write_into_readme(arguments.alone or arguments.size, "\n\n".join(parts))


def parse_arguments() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description="Measure conflearn and print the table.")
    add = parser.add_argument
    add("--size", choices=["small", "cifar", "imagenet", "wide"], default="imagenet")
    add("--smoke", action="store_true", help="at most a few thousand rows, to see that it runs")
    add("--rounds", type=int, default=5, help="turns that each call takes with R")
    add("--cleanlab", action="store_true", help="also where a call takes it many seconds")
    add("--only", default="", metavar="TEXT", help="only the calls whose name contains TEXT")
    for name, what in ("kinds", "logits and scores"), ("judges", "judges, calibration and checks"):
        add(
            f"--{name}",
            dest="alone",
            action="store_const",
            const=name,
            help=f"only {what}, which have a table of their own",
        )
    add("--write", action="store_true", help="put the table into benches/README.md")
    arguments = parser.parse_args()
    if arguments.write and (arguments.smoke or arguments.only):
        parser.error("--write is for whole tables of full-size data")
    return arguments


def sections(arguments: argparse.Namespace) -> Iterator[str]:
    """Measure one part of the table after the other; each frees its data."""
    size_name = f"{arguments.size}-smoke" if arguments.smoke else arguments.size
    size = SIZES[size_name]
    yield machine()
    if arguments.alone:
        yield alone_section(size, arguments)
        return
    yield calls_section(size, arguments)
    if arguments.only:
        return
    if arguments.size == "imagenet":
        yield layouts_section(size, arguments)
        yield small_data_section(arguments.rounds)
        yield import_section()
    yield memory_section(size_name)


def machine() -> str:
    """Say where, with what, and by which command."""
    lines = Path("/proc/cpuinfo").read_text().splitlines()
    model = next((line.split(": ")[1] for line in lines if line.startswith("model name")), "")
    gibibytes = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") / 2**30
    versions = ", ".join(f"{name} {installed(name)}" for name in ("numpy", "cleanlab", "conflearn"))
    command = shlex.join(["python", "benches/table.py", *sys.argv[1:]])
    return (
        f"{model or platform.machine()}, {available_cpus()} cores, {gibibytes:.0f} GiB; "
        f"{platform.system()} {platform.release()}, Python {platform.python_version()}, {versions}."
        f"\nCommand: `{command}`"
    )


def installed(name: str) -> str:
    """Look up the version of a package."""
    try:
        return version(name)
    except PackageNotFoundError:
        return "(not installed)"


class Turns(NamedTuple):
    """Medians of a call and of what it took turns with, in seconds."""

    call: float
    neighbour: float


def take_turns(call: Callable[[], object], neighbour: Callable[[], object], n_rounds: int) -> Turns:
    """Run neighbour, call, neighbour, call, ..., neighbour: what drifts, drifts for both."""
    call()  # so that threads start and caches fill before the clock does
    calls, neighbours = [], [seconds(neighbour)]
    for _ in range(n_rounds):
        calls.append(seconds(call))
        neighbours.append(seconds(neighbour))
    return Turns(median(calls), median(neighbours))


def seconds(call: Callable[[], object]) -> float:
    """Time one call, or many where one is too short for the clock."""
    start = time.perf_counter()
    call()
    elapsed = time.perf_counter() - start
    if elapsed >= SHORTEST_TIMING:
        return elapsed
    n_calls = math.ceil(SHORTEST_TIMING / elapsed)
    start = time.perf_counter()
    for _ in range(n_calls):
        call()
    return (time.perf_counter() - start) / n_calls


def calls_section(size: Size, arguments: argparse.Namespace) -> str:
    """Measure all calls on one matrix, in the layout its size usually has."""
    problem = make(size)
    has_targets = size == SIZES["imagenet"]
    rows = [
        call_row(
            call,
            size,
            problem,
            name=f"`{call}`",
            target=call.target if has_targets else None,
            n_rounds=arguments.rounds,
            asks_cleanlab=arguments.cleanlab or problem.pred_probs.size <= CELLS_UNASKED,
        )
        for call in CALLS
        if arguments.only in str(call) and call.by("conflearn", size)
    ]
    return markdown_table([str(size), *CALL_COLUMNS], rows)


def layouts_section(usual: Size, arguments: argparse.Namespace) -> str:
    """Measure the default filter on other dtypes and orders, each against its own R."""
    rows = []
    for dtype, order, target in LAYOUT_TARGETS:
        size = replace(usual, dtype=dtype)
        problem = make(size, order=order)
        row = call_row(
            DEFAULT,
            size,
            problem,
            name=f"{dtype}, {'C' if order == 'C' else 'Fortran'} order",
            target=target if usual == SIZES["imagenet"] else None,
            n_rounds=arguments.rounds,
            asks_cleanlab=problem.pred_probs.size <= CELLS_UNASKED,
        )
        rows.append(row)
        del problem  # before the next one is made: two might not fit
    return markdown_table([f"`{DEFAULT}`", *CALL_COLUMNS], rows)


def alone_section(size: Size, arguments: argparse.Namespace) -> str:
    """Measure calls that nobody else answers; logits and scores on the logarithms of the matrix."""
    problem = make(size)
    if arguments.alone == "kinds":
        title, calls = "logits and scores", KIND_CALLS
        log_in_place(problem.pred_probs)
    else:
        title, calls = "judges, calibration, checks", JUDGE_CALLS
    rows = []
    for call in calls:
        print(call, file=sys.stderr)
        method = call.by("conflearn", size)
        assert method is not None
        ours = partial(method, *problem)
        turns = take_turns(ours, partial(read, problem.pred_probs), arguments.rounds)
        times_read = turns.call / turns.neighbour
        target = call.target if size == SIZES["imagenet"] else None
        rows.append(
            [
                f"`{call}`",
                f"{times_read:.2f}",
                "-" if target is None else f"<= {target:g}",
                verdict(times_read, target),
                duration(turns.call),
                duration(turns.neighbour),
            ]
        )
    return markdown_table([title, *CALL_COLUMNS[:5]], rows)


def call_row(
    call: Call,
    size: Size,
    problem: Problem,
    *,
    name: str,
    target: float | None,
    n_rounds: int,
    asks_cleanlab: bool,
) -> list[str]:
    """Measure one call in turns with R, then the same question to the others, once."""
    print(name, file=sys.stderr)
    method = call.by("conflearn", size)
    assert method is not None
    turns = take_turns(partial(method, *problem), partial(read, problem.pred_probs), n_rounds)
    times_read = turns.call / turns.neighbour
    return [
        name,
        f"{times_read:.2f}",
        "-" if target is None else f"<= {target:g}",
        verdict(times_read, target),
        duration(turns.call),
        duration(turns.neighbour),
        opponent_cell("blocked numpy", call, size, problem, ours=turns.call),
        opponent_cell("cleanlab", call, size, problem, ours=turns.call)
        if asks_cleanlab
        else "not asked",
    ]


def opponent_cell(
    who: Implementation, call: Call, size: Size, problem: Problem, *, ours: float
) -> str:
    """Measure their time, and how many times ours that is."""
    method = call.by(who, size)
    if method is None or (who == "cleanlab" and not fits_cleanlab(problem.pred_probs)):
        return "does not fit"
    theirs = seconds(partial(method, *problem))
    return f"{duration(theirs)} ({theirs / ours:.3g}x)"


def duration(value: float) -> str:
    """Write a time in the unit that suits it, to three digits."""
    for unit, length in (("s", 1.0), ("ms", 1e-3)):
        if value >= length:
            return f"{value / length:.3g} {unit}"
    return f"{value / 1e-6:.3g} us"


def small_data_section(n_rounds: int) -> str:
    """Measure a call where cleanlab takes milliseconds, and one that has nothing to do."""
    rows = []
    for size_name, target in TIMES_FASTER_TARGETS.items():
        size = SIZES[size_name]
        print(f"{SMALL_DATA} on {size}", file=sys.stderr)
        problem = make(size)
        ours, theirs = SMALL_DATA.by("conflearn", size), SMALL_DATA.by("cleanlab", size)
        assert ours is not None
        assert theirs is not None
        turns = take_turns(partial(ours, *problem), partial(theirs, *problem), n_rounds)
        times_faster = turns.neighbour / turns.call
        rows.append(
            [
                str(size),
                duration(turns.call),
                duration(turns.neighbour),
                f"{times_faster:.3g}",
                f">= {target:g}",
                verdict(times_faster, target, at_least=True),
            ]
        )
    size = SIZES["tiny"]
    call = SMALL_DATA.by("conflearn", size)
    assert call is not None
    fixed = partial(call, *make(size))
    overhead = median(seconds(fixed) for _ in range(n_rounds)) / 1e-6
    rows.append(
        [
            f"{size}: fixed overhead",
            f"{overhead:.3g} us",
            "-",
            "-",
            f"<= {OVERHEAD_TARGET:g} us",
            verdict(overhead, OVERHEAD_TARGET),
        ]
    )
    header = [f"`{SMALL_DATA}`", "conflearn", "cleanlab", "times faster", "target", ""]
    return markdown_table(header, rows)


def import_section() -> str:
    """Time `import conflearn` beside `import numpy`, both in fresh processes, taking turns."""
    times: dict[str, list[float]] = {"numpy": [], "conflearn": []}
    for module in times:
        import_time(module)  # compiles what has no bytecode yet
    for _ in range(N_IMPORTS):
        for module, found in times.items():
            found.append(import_time(module) / 1e-3)
    numpy, conflearn = (median(found) for found in times.values())
    above = conflearn - numpy
    header = ["median of fresh processes", "conflearn", "numpy", "difference", "target", ""]
    target = f"<= {IMPORT_TARGET:g} ms"
    cells = [f"{value:.1f} ms" for value in (conflearn, numpy, above)]
    return markdown_table(header, [["`import`", *cells, target, verdict(above, IMPORT_TARGET)]])


def import_time(module: str) -> float:
    """Time one import in a fresh interpreter, in seconds."""
    code = f"import time; t = time.perf_counter(); import {module}; print(time.perf_counter() - t)"
    return float(subprocess.check_output([sys.executable, "-c", code]))


def write_into_readme(size_name: str, text: str) -> None:
    """Replace what stands between the markers of this size."""
    start, end = f"<!-- table {size_name} -->", f"<!-- end of table {size_name} -->"
    before, rest = README.read_text().split(start)
    _, after = rest.split(end)
    README.write_text(f"{before}{start}\n\n{text}\n\n{end}{after}")


if __name__ == "__main__":
    main()
