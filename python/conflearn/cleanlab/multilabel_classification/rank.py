"""How good the labels of each example are, and each of its classes: cleanlab's module."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from conflearn.cleanlab._tags import read_tags, scores_by_class, scores_of_examples

__all__ = ["get_label_quality_scores", "get_label_quality_scores_per_class"]


def get_label_quality_scores(
    labels: object,
    pred_probs: object,
    *,
    method: str = "self_confidence",
    adjust_pred_probs: bool = False,
    aggregator_kwargs: Mapping[str, Any] = {"method": "exponential_moving_average", "alpha": 0.8},
) -> npt.NDArray[np.float64]:
    """Score each example from 0 (something is likely wrong) to 1 (all classes are likely right).

    Same as cleanlab's function of that name; native: `conflearn.multilabel.label_quality_scores`.
    The ``method`` in `aggregator_kwargs` may be a function of an (N, K) array and ``axis=1``.
    """
    return scores_of_examples(
        read_tags(labels, pred_probs),
        method,
        adjust_pred_probs=adjust_pred_probs,
        aggregator_kwargs=aggregator_kwargs,
    )


def get_label_quality_scores_per_class(
    labels: object,
    pred_probs: object,
    *,
    method: str = "self_confidence",
    adjust_pred_probs: bool = False,
) -> npt.NDArray[np.float64]:
    """Score each class of each example, (N, K).

    Same as cleanlab's function of that name; native:
    `conflearn.multilabel.label_quality_scores_per_class`.
    """
    inputs = read_tags(labels, pred_probs)
    return scores_by_class(inputs, method, adjust_pred_probs=adjust_pred_probs)
