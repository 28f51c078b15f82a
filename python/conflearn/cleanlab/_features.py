"""``X``, the features that a classifier is trained on: anything of which examples can be taken."""

import sys
from typing import Any

import numpy as np
import numpy.typing as npt

from conflearn._coerce.objects import is_a
from conflearn.errors import InputError, InputTypeError, ShapeError

__all__ = ["check_features", "in_two_dimensions", "is_torch_dataset", "rows_of", "with_one_more"]

Rows = npt.NDArray[np.int64]

#: As many dimensions as the features of a linear model have.
_DIMENSIONS = 2


def check_features(features: Any, n_examples: int) -> None:
    """Check that there is one example for each label."""
    if features is None:
        raise InputError("Data features X cannot be None.")
    n_features: int | None
    try:
        n_features = len(features)
    except TypeError:  # of sparse matrices
        n_features = getattr(features, "shape", (None,))[0]
    if n_features is None:
        raise InputTypeError("Data features X must support either: len(X) or X.shape[0]")
    if n_features != n_examples:
        raise ShapeError(
            f"X and labels must be same length, but X is length {n_features} and labels is length "
            f"{n_examples}."
        )


def in_two_dimensions(features: Any) -> Any:
    """Flatten each example, for a model that wants a row of numbers."""
    if len(getattr(features, "shape", ())) > _DIMENSIONS:
        return features.reshape((len(features), -1))
    return features


def is_torch_dataset(features: Any) -> bool:
    """Whether torch has to be asked for a subset."""
    return is_a(features, "torch.utils.data", "Dataset")


def rows_of(features: Any, rows: Rows) -> Any:
    """Take some examples."""
    if is_a(features, "pandas", "DataFrame", "Series"):
        return features.iloc[rows]
    if is_torch_dataset(features):
        return sys.modules["torch.utils.data"].Subset(features, rows)
    try:
        return features[rows]
    except Exception as error:
        raise InputTypeError(
            f"Data features X, of type {type(features).__name__}, must support list-based "
            "indexing: X[index_list], or X.iloc[index_list] of a pandas DataFrame."
        ) from error


def with_one_more(features: Any, others: Any, row: int) -> Any:
    """Append one example of `others`."""
    if isinstance(features, np.ndarray):
        return np.concatenate([features, others[row : row + 1]])
    if is_a(features, "pandas", "DataFrame", "Series"):
        parts = [features, others.iloc[[row]]]
        return sys.modules["pandas"].concat(parts).reset_index(drop=True)
    if is_a(features, "scipy.sparse", "spmatrix", "sparray"):
        parts = [features, others[[row]]]
        return sys.modules["scipy.sparse"].vstack(parts, format=features.format)
    if hasattr(features, "append"):
        return features.append(others[row])
    raise InputTypeError("Data features X must support: X.append(X[i])")
