"""What the modules of this layer ask the core for, by cleanlab's rules."""

from collections.abc import Iterator, Mapping
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

from conflearn import _core
from conflearn._coerce import one_of
from conflearn._coerce.objects import spelled
from conflearn._names import CLASSIC_SCORES, Adjust, ClassicScore
from conflearn.cleanlab._inputs import Inputs, read_thresholds
from conflearn.errors import InputTypeError, OptionError

__all__ = [
    "as_rank_options",
    "checked_score",
    "count_joint",
    "disagreeing_rows",
    "most_probable_classes",
    "ordered_rows",
    "quality_scores",
    "widened_blocks",
]

Counts: TypeAlias = npt.NDArray[np.int64]

#: Cells of a matrix that are looked at together: 2 MiB of float64.
_BLOCK_CELLS = 1 << 18


def count_joint(
    inputs: Inputs, thresholds: object = None, *, calibrate: bool = True
) -> tuple[Counts, Counts]:
    """Count the joint, and the rows off its diagonal."""
    cut = None if thresholds is None else read_thresholds(thresholds, inputs.n_classes)
    joint, rows = _core.count_confident(
        inputs.labels, inputs.pred_probs, cut, bool(calibrate), "row_argmax", inputs.n_threads
    )
    # cleanlab's counts are the transpose of another matrix until they are calibrated. How they lie
    # in memory decides how sums over them are rounded, so they lie here as they do there.
    return (joint if calibrate else np.asfortranarray(joint)), rows


def disagreeing_rows(inputs: Inputs) -> Counts:
    """Find the rows whose most probable class is not the given one."""
    # Where every class is confident, the most probable one is the guess.
    all_confident = np.full(inputs.n_classes, -1.0)
    return _core.off_diagonal_examples(
        inputs.labels, inputs.pred_probs, all_confident, "row_argmax", inputs.n_threads
    )


def quality_scores(
    inputs: Inputs, method: str, *, adjust_pred_probs: bool = False
) -> npt.NDArray[np.float64]:
    """Score each label."""
    score, adjust = checked_score(method, "method", adjust_pred_probs=adjust_pred_probs)
    return _core.label_quality_scores(
        inputs.labels, inputs.pred_probs, score, adjust, None, 0, inputs.n_threads
    )


def ordered_rows(
    mask: npt.NDArray[np.bool_],
    inputs: Inputs,
    rank_by: str,
    rank_by_kwargs: Mapping[str, Any],
) -> Counts:
    """Order the examples of a mask, the worst label first."""
    wanted = as_rank_options(rank_by_kwargs)
    score, adjust = checked_score(rank_by, "rank_by", adjust_pred_probs=wanted)
    return _core.order_label_issues(
        mask, inputs.labels, inputs.pred_probs, score, adjust, inputs.n_threads
    )


def as_rank_options(rank_by_kwargs: Mapping[str, Any]) -> Any:
    """Return whether to adjust the probabilities, which is all that scores can be told."""
    kwargs = rank_by_kwargs or {}
    if not isinstance(kwargs, Mapping) or kwargs.keys() - {"adjust_pred_probs"}:
        raise InputTypeError(
            f"rank_by_kwargs={spelled(rank_by_kwargs)} must be a dict with no other key than "
            "'adjust_pred_probs', the one option that scores have; leave the rest out"
        )
    return kwargs.get("adjust_pred_probs", False)


def checked_score(
    method: str, name: str, *, adjust_pred_probs: bool
) -> tuple[ClassicScore, Adjust]:
    """Return the name of a score, and how the matrix is adjusted before."""
    score = one_of(method, CLASSIC_SCORES, name)
    if adjust_pred_probs and score == "confidence_weighted_entropy":
        raise OptionError(f"adjust_pred_probs is not currently supported for {method}.")
    return score, "all_classes" if adjust_pred_probs else "no"


def most_probable_classes(pred_probs: npt.NDArray[Any]) -> Counts:
    """Find the most probable class of each row."""
    if pred_probs.dtype.kind == "f":
        return np.asarray(pred_probs.argmax(axis=1))
    return np.concatenate([block.argmax(axis=1) for block in widened_blocks(pred_probs)])


def widened_blocks(pred_probs: npt.NDArray[Any]) -> Iterator[npt.NDArray[np.float64]]:
    """Widen a few rows at a time."""
    n_examples, n_classes = pred_probs.shape
    n_rows = max(1, _BLOCK_CELLS // n_classes)
    for start in range(0, n_examples, n_rows):
        block = pred_probs[start : start + n_rows]
        if block.dtype.kind != "f":  # the bits of bfloat16 are the upper half of a float32
            block = (block.view(np.uint16).astype(np.uint32) << 16).view(np.float32)
        yield block.astype(np.float64, copy=False)
