"""How good each label is, and which to look at first: cleanlab's module of that name."""

from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import Any, cast

import numpy as np
import numpy.typing as npt

from conflearn import _core
from conflearn._coerce import as_mask
from conflearn._warn import warn_caller
from conflearn.cleanlab._inputs import Inputs, read_inputs
from conflearn.cleanlab._sweeps import (
    disagreeing_rows,
    ordered_rows,
    quality_scores,
    widened_blocks,
)
from conflearn.errors import LabelError, OptionError

__all__ = [
    "find_top_issues",
    "get_confidence_weighted_entropy_for_each_label",
    "get_label_quality_ensemble_scores",
    "get_label_quality_scores",
    "get_normalized_margin_for_each_label",
    "get_self_confidence_for_each_label",
    "order_label_issues",
]

_TEMPERATURES = [1e-4, 1e-3, 1e-2, 1e-1, 1e0, 1e1, 1e2, 2e2]

#: No probability is lower where its logarithm is weighed.
_LOG_FLOOR = 1e-6


def get_label_quality_scores(
    labels: object,
    pred_probs: object,
    *,
    method: str = "self_confidence",
    adjust_pred_probs: bool = False,
) -> npt.NDArray[np.float64]:
    """Score each label from 0 (likely wrong) to 1 (likely right).

    Same as cleanlab's function of that name; native: `conflearn.label_quality_scores`. For
    ``method="self_confidence"`` only the cells of the given classes are read and checked.
    """
    inputs = read_inputs(labels, pred_probs, "allowed")
    return quality_scores(inputs, method, adjust_pred_probs=adjust_pred_probs)


def get_label_quality_ensemble_scores(
    labels: object,
    pred_probs_list: list[Any],
    *,
    method: str = "self_confidence",
    adjust_pred_probs: bool = False,
    weight_ensemble_members_by: str = "accuracy",
    custom_weights: Sequence[float] | npt.NDArray[Any] | None = None,
    log_loss_search_T_values: Sequence[float] = _TEMPERATURES,  # noqa: N803 - cleanlab's name
    verbose: bool = True,
) -> npt.NDArray[np.float64]:
    """Average each label's score over several models.

    Same as cleanlab's function of that name. `weight_ensemble_members_by` is one of ``uniform``,
    ``accuracy``, ``log_loss_search`` and ``custom``.
    """
    if not isinstance(pred_probs_list, list):
        kind = type(pred_probs_list)
        raise AssertionError(  # noqa: TRY004 - as cleanlab does
            f"pred_probs_list needs to be a list. Provided pred_probs_list is a {kind}"
        )
    if not pred_probs_list:
        raise AssertionError("pred_probs_list is empty.")
    if len(pred_probs_list) == 1:
        warn_caller(
            "pred_probs_list only has one element. Consider using get_label_quality_scores() if "
            "you only have a single array of pred_probs.",
            UserWarning,
        )
    models = [read_inputs(labels, pred_probs, "refused") for pred_probs in pred_probs_list]
    weigh_by = weight_ensemble_members_by
    if custom_weights is not None and weigh_by != "custom":
        raise OptionError('custom_weights provided but weight_ensemble_members_by is not "custom"')
    weights: npt.NDArray[Any] | None = None
    if weigh_by == "log_loss_search":
        weights = _weights_by_log_loss(models, log_loss_search_T_values)
    scores = np.vstack(
        [quality_scores(model, method, adjust_pred_probs=adjust_pred_probs) for model in models]
    ).T
    accuracies = [_accuracy(model) for model in models] if weigh_by == "accuracy" else []
    say = print if verbose else _say_nothing
    say(f"Weighting scheme for ensemble: {weigh_by}")
    if weigh_by == "uniform":
        return np.asarray(scores.mean(axis=1))
    if weigh_by == "accuracy":
        weights = np.array(accuracies) / sum(accuracies)
        say("Ensemble members will be weighted by their relative accuracy")
    elif weigh_by == "log_loss_search":
        say(
            "Ensemble members will be weighted by log-loss between their predicted probabilities "
            "and given labels"
        )
    elif weigh_by == "custom":
        if custom_weights is None:
            raise AssertionError("custom_weights is None! Please pass a valid custom_weights.")
        if len(custom_weights) != len(models):
            raise AssertionError(
                "Length of custom_weights array must match the number of models: "
                "len(pred_probs_list)."
            )
        return np.asarray((scores * np.asarray(custom_weights)).sum(axis=1))
    if weights is None:
        raise OptionError(
            f"{weigh_by} is not a valid weighting method for weight_ensemble_members_by! Please "
            "choose a valid weight_ensemble_members_by: uniform, accuracy, log_loss_search, custom"
        )
    for i, weight in enumerate(weights):
        if accuracies:
            say(f"  Model {i} accuracy : {accuracies[i]}")
        say(f"  Model {i} weight   : {weight}")
    return np.asarray((scores * weights).sum(axis=1))


def find_top_issues(
    quality_scores: npt.NDArray[Any], *, top: int | None = 10
) -> npt.NDArray[np.int64]:
    """Find the `top` examples with the lowest scores, the lowest first.

    Same as cleanlab's function of that name.
    """
    order = np.argsort(np.asarray(quality_scores), kind="stable")
    return order if top is None or top > len(order) else order[:top]


def order_label_issues(
    label_issues_mask: object,
    labels: object,
    pred_probs: object,
    *,
    rank_by: str = "self_confidence",
    rank_by_kwargs: Mapping[str, Any] = {},
) -> npt.NDArray[np.int64]:
    """Order the examples of a mask, the worst label first.

    Same as cleanlab's function of that name; native: `conflearn.order_label_issues`. What is
    read and checked is said there. Instead of a mask, the indices of the examples will do.
    """
    inputs = read_inputs(labels, pred_probs, "allowed_if_zero")
    indices = _as_indices(label_issues_mask)
    if indices is None:
        mask = as_mask(label_issues_mask, inputs.n_examples, name="label_issues_mask")
        return ordered_rows(mask, inputs, rank_by, rank_by_kwargs)
    times = np.zeros(inputs.n_examples, dtype=np.int64)
    np.add.at(times, indices, 1)
    rows = ordered_rows(times > 0, inputs, rank_by, rank_by_kwargs)
    return np.repeat(rows, times[rows])


def get_self_confidence_for_each_label(
    labels: object, pred_probs: object
) -> npt.NDArray[np.float64]:
    """Score each label by the probability of its class.

    Same as cleanlab's function of that name; native: `conflearn.label_quality_scores`. Only the
    cells of the given classes are read and checked.
    """
    return quality_scores(read_inputs(labels, pred_probs, "allowed"), "self_confidence")


def get_normalized_margin_for_each_label(
    labels: object, pred_probs: object
) -> npt.NDArray[np.float64]:
    """Score each label by how far its class is above the best other one.

    Same as cleanlab's function of that name; native: `conflearn.label_quality_scores`.
    """
    return quality_scores(read_inputs(labels, pred_probs, "allowed"), "normalized_margin")


def get_confidence_weighted_entropy_for_each_label(
    labels: object, pred_probs: object
) -> npt.NDArray[np.float64]:
    """Score each label by the entropy of its row over the probability of its class.

    Same as cleanlab's function of that name; native: `conflearn.label_quality_scores`.
    """
    return quality_scores(read_inputs(labels, pred_probs, "allowed"), "confidence_weighted_entropy")


def _as_indices(label_issues_mask: object) -> npt.NDArray[np.int64] | None:
    """Return what numpy would take for indices, rather than a mask, into an array."""
    if isinstance(label_issues_mask, list) and not label_issues_mask:
        return np.empty(0, dtype=np.int64)
    if isinstance(label_issues_mask, list | np.ndarray):
        with suppress(ValueError):  # of lists that are no rectangle
            indices = np.asarray(label_issues_mask)
            if indices.ndim == 1 and indices.dtype.kind in "iu":
                return indices.astype(np.int64)
    return None


# --- Ensembles -----------------------------------------------------------------------------------


def _say_nothing(_text: str) -> None:
    pass


def _accuracy(inputs: Inputs) -> float:
    return (inputs.n_examples - len(disagreeing_rows(inputs))) / inputs.n_examples


def _weights_by_log_loss(
    models: list[Inputs], temperatures: Sequence[float]
) -> npt.NDArray[np.float64]:
    """Weigh models by exp(-t loss), with the t for which the weighted average has least loss."""
    first = models[0]
    n_present = np.count_nonzero(_core.label_counts(first.labels, first.n_classes))
    if n_present != first.n_classes:
        raise LabelError(
            f"labels contain {n_present} of the {first.n_classes} classes; "
            'weight_ensemble_members_by="log_loss_search" needs all of them'
        )
    own = np.array([quality_scores(model, "self_confidence") for model in models])
    losses = np.array(
        [
            _log_loss(np.maximum(cells, _LOG_FLOOR) / _floored_row_sums(model))
            for cells, model in zip(own, models, strict=True)
        ]
    )
    best: npt.NDArray[np.float64] | None = None
    least = np.inf
    for t in temperatures:
        likelihoods = np.exp(-t * losses)
        if not likelihoods.any():
            raise OptionError(
                f"log_loss_search_T_values: at {t} all weights vanish, so poor are the models; "
                "leave it out"
            )
        weights = likelihoods / likelihoods.sum()
        loss = _log_loss(weights @ own)
        if loss < least:
            best, least = weights, loss
    if best is None:
        raise AssertionError("log_loss_search_T_values holds no value that gives weights")
    return best


def _log_loss(own: npt.NDArray[np.float64]) -> float:
    epsilon = np.finfo(np.float64).eps
    return float(-np.log(np.clip(own, epsilon, 1 - epsilon)).mean())


def _floored_row_sums(inputs: Inputs) -> npt.NDArray[np.float64]:
    """Sum the rows of the matrix, no cell counted as less than the floor."""
    matrix = cast("npt.NDArray[Any]", inputs.pred_probs)  # this layer has no other kinds
    disagreeing_rows(inputs)  # for the core to check the cells; adding them up would not
    sums = [np.maximum(block, _LOG_FLOOR).sum(axis=1) for block in widened_blocks(matrix)]
    return np.concatenate(sums)
