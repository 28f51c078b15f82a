"""Peak memory of one call above its input and output, in a fresh process each.

    python benches/memory.py --size imagenet

The process makes its matrix in place, gives back what making it left free, resets the kernel's
high-water mark, calls once, and reads the mark. There is no warm-up, so what a first call costs
once and for all (threads and their stacks, tables) is in the number. Linux only.
"""

import argparse
import ctypes
import gc
import json
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from calls import CALLS, Call
from data import SIZES, make
from markdown_table import markdown_table, verdict

TARGET_PERCENT = 2.0  # of the matrix, at the size `imagenet`
MEGABYTE = 1_000_000


@dataclass(frozen=True)
class Peak:
    """What one call needed, in bytes."""

    above: int  # input and output
    output: int
    matrix: int

    @property
    def percent(self) -> float:
        """Share of the matrix."""
        return 100 * self.above / self.matrix


def main() -> None:
    """Print all calls as a table, or one as JSON."""
    parser = argparse.ArgumentParser(description="Peak memory above input and output.")
    parser.add_argument("--size", choices=list(SIZES), default="smoke")
    parser.add_argument("--call", help="measure only this one, here, and print JSON")
    arguments = parser.parse_args()
    if arguments.call is None:
        print(memory_section(arguments.size))
    else:
        call = next(call for call in CALLS if str(call) == arguments.call)
        print(json.dumps(vars(measure_here(call, arguments.size))))


def memory_section(size_name: str) -> str:
    """Measure all calls at one size, and tabulate them."""
    rows = []
    target = TARGET_PERCENT if size_name == "imagenet" else None
    for call in CALLS:
        if call.by("conflearn", SIZES[size_name]) is None:
            continue
        print(f"memory of {call}", file=sys.stderr)
        peak = measure(call, size_name)
        rows.append(
            [
                f"`{call}`",
                f"{peak.above / MEGABYTE:.1f}",
                f"{peak.percent:.2f}",
                "-" if target is None else f"<= {target:g}",
                verdict(peak.percent, target),
                f"{peak.output / MEGABYTE:.1f}",
            ]
        )
    header = ["peak memory", "MB above", "% of matrix", "target", "", "MB output"]
    return markdown_table(header, rows)


def measure(call: Call, size_name: str) -> Peak:
    """Measure a call in a fresh process."""
    command = [sys.executable, __file__, "--size", size_name, "--call", str(call)]
    # In one arena, since glibc does not give back what is free at the top of the others.
    environment = os.environ | {"MALLOC_ARENA_MAX": "1"}
    answer = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True, env=environment)
    return Peak(**json.loads(answer.stdout))


def measure_here(call: Call, size_name: str) -> Peak:
    """Measure a call in this process, which must not have called before."""
    method = call.by("conflearn", SIZES[size_name])
    if method is None:
        raise ValueError(f"{call} has too large an output at size {size_name}")
    labels, pred_probs = make(SIZES[size_name])
    give_back_free_memory()  # or the call could reuse some, which would not be counted
    Path("/proc/self/clear_refs").write_text("5")  # resets the high-water mark
    before = in_ram("VmHWM")
    result = method(labels, pred_probs)
    above_input = in_ram("VmHWM") - before
    # An output counts as what it really holds: pages of a sparse array may never be touched.
    give_back_free_memory()
    with_output = in_ram("VmRSS")
    del result
    give_back_free_memory()
    output = max(with_output - in_ram("VmRSS"), 0)
    return Peak(max(above_input - output, 0), output, pred_probs.nbytes)


def give_back_free_memory() -> None:
    """Return to the kernel what was freed but kept for later."""
    gc.collect()
    ctypes.CDLL(None).malloc_trim(0)


def in_ram(quantity: Literal["VmHWM", "VmRSS"]) -> int:
    """Read how much of this process is in RAM, now or at most since the last reset, in bytes."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(1024 * int(line.split()[1]) for line in lines if line.startswith(quantity))


if __name__ == "__main__":
    main()
