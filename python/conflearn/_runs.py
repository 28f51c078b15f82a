"""Which calls go over blocks: those that read files, and those that write some, or tell of it.

All others go to the engine as they are, and nothing of what a run needs is imported for them.
"""

import os
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np

from conflearn._coerce import as_n_threads
from conflearn._inputs import (
    Inputs,
    Meaning,
    TagInputs,
    read_inputs,
    read_kind_of_tags,
    read_meaning,
    read_tag_inputs,
)
from conflearn.errors import OptionError

if TYPE_CHECKING:
    from conflearn.stream.run import Run

__all__ = ["Path", "Progress", "read_or_open", "read_or_open_tags", "reduced", "refuse_blocks"]

Path: TypeAlias = str | os.PathLike[str]
Progress: TypeAlias = bool | Callable[[str, int, int | None], object] | None


def read_or_open(
    labels: object,
    pred_probs: object,
    classes: Sequence[object] | None,
    n_threads: object,
    kind: object,
    temperature: object,
    class_bias: object = None,
    *,
    out: object = None,
    progress: object = None,
    checkpoint: object = None,
) -> "Inputs | Run":
    """Coerce arrays for the engine, or prepare a run over blocks of what is read from elsewhere."""
    run = _opened(
        labels,
        pred_probs,
        classes,
        n_threads,
        lambda: read_meaning(kind, temperature, class_bias),
        out,
        progress,
        checkpoint,
        is_array=isinstance(pred_probs, np.ndarray) and not isinstance(labels, str | os.PathLike),
    )
    if run is not None:
        return run
    return read_inputs(labels, pred_probs, classes, n_threads, kind, temperature, class_bias)


def reduced(inputs: "Inputs | Run", call: str, empty: Any) -> Any:
    """Feed all rows to an empty state, which is all that a call asks of them."""
    if isinstance(inputs, Inputs):
        return inputs.reduce(empty)
    with inputs.of(call, {}):
        return inputs.reduce(empty)


def read_or_open_tags(
    labels: object,
    pred_probs: object,
    classes: Sequence[object] | None,
    n_threads: object,
    kind: object,
    temperature: object,
    *,
    out: object = None,
    progress: object = None,
    checkpoint: object = None,
) -> "TagInputs | Run":
    """Do the same for multi-label data."""
    run = _opened(
        labels,
        pred_probs,
        classes,
        n_threads,
        lambda: read_kind_of_tags(kind, temperature),
        out,
        progress,
        checkpoint,
        is_array=isinstance(pred_probs, np.ndarray) and isinstance(labels, list | np.ndarray),
        of_tags=True,
    )
    if run is not None:
        return run
    return read_tag_inputs(labels, pred_probs, classes, n_threads, kind, temperature)


def _opened(
    labels: object,
    pred_probs: object,
    classes: Sequence[object] | None,
    n_threads: object,
    read: Callable[[], Meaning],
    out: object,
    progress: object,
    checkpoint: object,
    *,
    is_array: bool,
    of_tags: bool = False,
) -> "Run | None":
    """Prepare a run; None for what goes to the engine as it is."""
    is_run = any(given is not None for given in (out, progress or None, checkpoint))
    if is_array and not is_run:
        return None
    from conflearn.sources import open_source

    meaning = read()
    source = open_source(
        labels,
        pred_probs,
        kind=meaning.kind,
        classes=classes,
        in_memory_too=is_run,
        of_tags=of_tags,
    )
    if source is None:
        return None
    from conflearn.sources.files import files_of
    from conflearn.stream.outputs import as_path
    from conflearn.stream.progress import as_report
    from conflearn.stream.run import Run

    return Run(
        source,
        meaning=meaning,
        classes=classes,
        n_threads=as_n_threads(n_threads),
        report=as_report(progress),
        checkpoint=None if checkpoint is None else as_path(checkpoint, "checkpoint"),
        inputs=None
        if out is None
        else {"labels": [*files_of(labels)], "pred_probs": [*files_of(pred_probs)]},
    )


def refuse_blocks(**options: object) -> None:
    """Refuse what several matrices in memory have no use for."""
    for name, value in options.items():
        if value is not None and value is not False:
            raise OptionError(
                f"{name} does not go with several matrices, which are looked at in memory; leave "
                "it out, or pass one matrix"
            )
