"""Multi-label data between the forms they come in: cleanlab's module of that name."""

from typing import Any

import numpy as np
import numpy.typing as npt

from conflearn._coerce import as_pred_probs
from conflearn.cleanlab._tags import as_indicator

__all__ = ["get_onehot_num_classes", "int2onehot", "onehot2int", "stack_complement"]


def int2onehot(labels: Any, K: int) -> npt.NDArray[np.int64]:  # noqa: N803 - cleanlab's name
    """Make an (N, K) array of zeros and ones of a list of classes for each example.

    Same as cleanlab's function of that name.
    """
    return as_indicator(labels, K)


def onehot2int(onehot_matrix: Any) -> list[list[int]]:
    """Make a list of classes for each example of an (N, K) array of zeros and ones.

    Same as cleanlab's function of that name.
    """
    return [np.flatnonzero(row).tolist() for row in np.asarray(onehot_matrix)]


def stack_complement(pred_prob_slice: Any) -> npt.NDArray[Any]:
    """Put 1 - p before p, as a column each.

    Same as cleanlab's function of that name.
    """
    p = np.asarray(pred_prob_slice)
    return np.stack([1 - p, p], axis=1)


def get_onehot_num_classes(
    labels: Any, pred_probs: Any = None
) -> tuple[npt.NDArray[np.int64], int]:
    """Make an array of zeros and ones of the labels, and count its columns.

    Same as cleanlab's function of that name. Without `pred_probs` there are as many classes as
    the labels name.
    """
    if pred_probs is not None:
        n_classes = as_pred_probs(pred_probs).shape[1]
    else:
        n_classes = len({class_ for classes in labels for class_ in classes})
    return as_indicator(labels, n_classes), n_classes
