"""R: how long one parallel read of a matrix takes.

Absolute times drift on shared machines, sometimes by a factor of two within minutes. So a time
is only ever reported next to R, the time of reading the same bytes once with every core,
measured in the same process with the two taking turns.
"""

import os
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

Matrix = NDArray[Any]


def available_cpus() -> int:
    """Count the CPUs this process may really use, which a container may have made fewer."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


@cache
def threads() -> ThreadPoolExecutor:
    """Keep one thread a CPU, started once so that no measurement pays for starting them."""
    return ThreadPoolExecutor(available_cpus())


def bytes_of(matrix: Matrix) -> NDArray[np.uint8]:
    """View a matrix in the order of its addresses, whatever its dtype and order, without a copy."""
    if matrix.flags.c_contiguous:
        return matrix.reshape(-1).view(np.uint8)
    if matrix.flags.f_contiguous:
        return matrix.T.reshape(-1).view(np.uint8)
    raise ValueError("matrix has gaps between its cells; R is defined for contiguous memory only")


def read(matrix: Matrix) -> int:
    """Read every byte once, one contiguous slice a thread; returns them all or-ed together.

    An `or` needs no arithmetic unit that the load does not already keep busy, has no rounding and
    no overflow, and its result depends on every byte, so nothing can be skipped.
    """
    raw = bytes_of(matrix)
    n_words = raw.size // 8
    words = raw[: 8 * n_words].view(np.uint64)
    edges = np.linspace(0, n_words, available_cpus() + 1).astype(int)
    parts = threads().map(
        lambda start, stop: int(np.bitwise_or.reduce(words[start:stop])), edges[:-1], edges[1:]
    )
    tail = int.from_bytes(raw[8 * n_words :].tobytes(), "little")
    for part in parts:
        tail |= part
    return tail
