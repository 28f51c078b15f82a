"""cleanlab, with the two things changed that would make it useless as an oracle.

Its sorts are made stable (`np.argsort` falls back to an unstable sort whose ties depend on the
CPU), and it does not fork a pool of processes where no number of jobs is asked for. Only the
names that its own modules look up are replaced; numpy itself is left alone.
"""

import types
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np


class _StableNumpy(types.ModuleType):
    """numpy, whose `argsort` is stable."""

    def __getattr__(self, name: str) -> Any:
        return getattr(np, name)

    @staticmethod
    def argsort(values: np.ndarray, *args: Any, **kwargs: Any) -> np.ndarray:
        return np.argsort(values, *args, **{**kwargs, "kind": "stable"})


@contextmanager
def stable_cleanlab() -> Iterator[types.SimpleNamespace]:
    """Modules of cleanlab, made repeatable inside the block."""
    import cleanlab.filter as filter_module
    from cleanlab import classification, count, rank
    from cleanlab.internal import util

    stable = _StableNumpy("numpy")
    changes: list[tuple[types.ModuleType, str, Any]] = [
        (filter_module, "np", stable),
        (rank, "np", stable),
        (util, "np", stable),
        (filter_module, "psutil", types.SimpleNamespace(cpu_count=lambda logical: 1)),
    ]
    originals = [(module, name, getattr(module, name)) for module, name, _ in changes]
    for module, name, value in changes:
        setattr(module, name, value)
    try:
        yield types.SimpleNamespace(
            classification=classification, count=count, filter=filter_module, rank=rank
        )
    finally:
        for module, name, value in originals:
            setattr(module, name, value)
