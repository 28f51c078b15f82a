"""Noise matrices and noisy labels: cleanlab's module of that name.

Random numbers are numpy's global ones, drawn as cleanlab draws them: after the same
``numpy.random.seed`` come the same matrices and labels, to the bit, and the same numbers are left
for whoever draws next. For everything new there is `conflearn.noise`, which leaves them alone.
"""
# ruff: noqa: NPY002, T201 - the global random numbers, and what is printed, are cleanlab's

import math
import operator
from typing import Any, SupportsIndex, TypeAlias

import numpy as np
import numpy.typing as npt

from conflearn._coerce import as_floats, as_per_class
from conflearn._coerce.objects import cell_name, is_real, spelled
from conflearn._inputs import read_true_labels
from conflearn.errors import InputError, InputTypeError, OptionError, ShapeError

__all__ = [
    "generate_n_rand_probabilities_that_sum_to_m",
    "generate_noise_matrix_from_trace",
    "generate_noisy_labels",
    "noise_matrix_is_valid",
    "randomly_distribute_N_balls_into_K_bins",
]

Floats: TypeAlias = npt.NDArray[np.float64]

_SLACK = 1e-6
_BINARY = 2

#: cleanlab's corrections come to an end after about five a part. Where the numbers are so large
#: that they are rounded by more than the slack, they may never do.
_CORRECTIONS_A_PART = 1000


def noise_matrix_is_valid(noise_matrix: object, py: object, *, verbose: bool = False) -> bool:
    """Check that every class can be learned from labels with such noise.

    Same as cleanlab's function of that name; native: `conflearn.noise.is_learnable`.
    """
    return _is_valid(*_read_noise_matrix(noise_matrix, py), verbose=verbose)


def generate_noisy_labels(true_labels: object, noise_matrix: object) -> npt.NDArray[Any]:
    """Give labels, some of them wrong, in the proportions of a noise matrix.

    Same as cleanlab's function of that name: how many of a class are given another one is rounded
    down. Native: `conflearn.noise.noisy_labels`.
    """
    matrix = _read_rates(noise_matrix)
    n_classes = len(matrix)
    true = read_true_labels(true_labels, n_classes)
    n_of_class = np.bincount(true, minlength=n_classes)
    counts = (matrix * (n_of_class / float(len(true))) * len(true)).astype(np.int64)
    np.fill_diagonal(counts, 0)
    _refuse_too_many_flips(counts, n_of_class)
    # Sorted by class, and within each class by row: what a search for each class would find.
    rows = np.argsort(true, kind="stable")
    labels = true.astype(_dtype_of_labels(true_labels))
    for class_, of_class in enumerate(np.split(rows, n_of_class.cumsum()[:-1])):
        noise = np.repeat(np.arange(n_classes), counts[:, class_])
        if len(noise):
            labels[np.random.choice(of_class, len(noise), replace=False)] = noise
    return labels


def generate_noise_matrix_from_trace(
    K: int,  # noqa: N803 - cleanlab's name
    trace: float,
    *,
    max_trace_prob: float = 1.0,
    min_trace_prob: float = 1e-5,
    max_noise_rate: float = 1 - 1e-5,
    min_noise_rate: float = 0.0,
    valid_noise_matrix: bool = True,
    py: object = None,
    frac_zero_noise_rates: float = 0.0,
    seed: Any = 0,
    max_iter: int = 10000,
) -> Floats | None:
    """Draw noise matrices of a given trace until one is valid; None after `max_iter` tries.

    Same as cleanlab's function of that name; native: `conflearn.noise.random_noise_matrix`.
    """
    if valid_noise_matrix and trace <= 1:
        raise OptionError(
            f"trace={spelled(trace)} must be above 1 for a valid noise matrix to be returned; pass "
            "another, or valid_noise_matrix=False"
        )
    if valid_noise_matrix and py is None and K > _BINARY:
        raise OptionError(
            "py must be provided, the share of each true class, if valid_noise_matrix is True"
        )
    n_classes = _whole(K, "K")
    if n_classes < _BINARY:
        raise OptionError(f"K={n_classes} must be at least 2, as many as can be confused")
    trace = _number(trace, "trace")
    frac_zero = _number(frac_zero_noise_rates, "frac_zero_noise_rates")
    if max_iter < 1:
        return None
    if n_classes == _BINARY:
        np.random.seed(seed)
        return _binary_noise_matrix(trace, one_sided=frac_zero >= 0.5)  # noqa: PLR2004 - half of two
    prior = _read_prior(py, n_classes) if valid_noise_matrix else None
    np.random.seed(seed)
    limits = (max_trace_prob, min_trace_prob, max_noise_rate, min_noise_rate)
    names = ("max_trace_prob", "min_trace_prob", "max_noise_rate", "min_noise_rate")
    for limit, name in zip(limits, names, strict=True):
        _number(limit, name)
    for _ in range(max_iter):
        diagonal = _with_sum(n_classes, trace, max_trace_prob, min_trace_prob)
        matrix = np.diag(diagonal)
        noisy = np.flatnonzero(diagonal != 1)
        # Columns without noise have their zeros already.
        n_zeros = int(n_classes * (n_classes - 1) * frac_zero)
        n_zeros -= (n_classes - len(noisy)) * (n_classes - 1)
        zeros = randomly_distribute_N_balls_into_K_bins(
            max(n_zeros, 0),
            len(noisy),
            max_balls_per_bin=n_classes - 2,  # all but the diagonal, and one to sum to 1
            min_balls_per_bin=0,
        )
        for column, n_rates in zip(noisy.tolist(), (n_classes - 1 - zeros).tolist(), strict=True):
            rates = _with_sum(n_rates, 1 - diagonal[column], max_noise_rate, min_noise_rate)
            rows = np.random.choice(n_classes - 1, n_rates, replace=False)
            matrix[rows + (rows >= column), column] = rates[::-1]  # the diagonal is left out
        if prior is None or _is_valid(matrix, prior):
            return matrix
    return None


def generate_n_rand_probabilities_that_sum_to_m(
    n: int, m: float, *, max_prob: float = 1.0, min_prob: float = 0.0
) -> Floats:
    """Draw n probabilities that sum to m.

    Same as cleanlab's function of that name.
    """
    n = _whole(n, "n")
    if n == 0:
        return np.array([])
    for name, value in (("m", m), ("max_prob", max_prob), ("min_prob", min_prob)):
        _number(value, name)
    return _with_sum(n, m, max_prob, min_prob)


def randomly_distribute_N_balls_into_K_bins(  # noqa: N802 - cleanlab's name
    N: int,  # noqa: N803 - cleanlab's name
    K: int,  # noqa: N803 - cleanlab's name
    *,
    max_balls_per_bin: float | None = None,
    min_balls_per_bin: float | None = None,
) -> npt.NDArray[np.int64]:
    """Draw how many of N balls fall into each of K bins.

    Same as cleanlab's function of that name: where N balls do not fit, there are fewer.
    """
    if N == 0:
        return np.zeros(K, dtype=int)
    for name, value, least in (("N", N, 0), ("K", K, 1)):
        if _number(value, name) < least:
            raise OptionError(f"{name}={spelled(value)} must be at least {least}; count again")
    most = N if max_balls_per_bin is None else min(max_balls_per_bin, N)
    fewest = 0 if min_balls_per_bin is None else min(min_balls_per_bin, N / K)
    n_balls: float = most * K if N / float(K) > most else N
    if n_balls < 1 or not float(n_balls).is_integer():
        raise OptionError(
            f"{spelled(n_balls)} balls are asked for, or fit into the bins, but there must be a "
            "whole number of them, and at least one; pass whole numbers"
        )
    shares = generate_n_rand_probabilities_that_sum_to_m(
        K, 1, max_prob=most / float(n_balls), min_prob=fewest / float(n_balls)
    )
    balls = np.round(shares * n_balls).astype(np.int64)
    surplus = int(balls.sum()) - int(n_balls)
    for _ in range(surplus):
        balls[balls.argmax()] -= 1
    for _ in range(-surplus):
        balls[balls.argmin()] += 1
    return balls


# --- Parts that have a sum -----------------------------------------------------------------------


def _with_sum(n: int, total: float, max_prob: float, min_prob: float) -> Floats:
    """Draw numbers with that sum; push those out of range back, and what takes their place."""
    if n == 0:
        return np.array([])
    if max_prob + _SLACK < total / n:
        raise OptionError(
            f"max_prob={spelled(max_prob)} must be at least m / n = {spelled(total / n)}, for "
            f"n={n} numbers that sum to m={spelled(total)}; raise max_prob, or lower m"
        )
    if min_prob > (total + _SLACK) / n:
        raise OptionError(
            f"min_prob={spelled(min_prob)} must be at most m / n = {spelled(total / n)}, for "
            f"n={n} numbers that sum to m={spelled(total)}; lower min_prob, or raise m"
        )
    result: Floats = np.random.dirichlet(np.ones(n)) * total
    corrections_left = _CORRECTIONS_A_PART * n
    while (highest := result.max()) > max_prob + _SLACK:
        new_min = result.min() + (highest - max_prob)
        # So that the new largest is not always the limit.
        adjustment = (max_prob - new_min) * np.random.rand()
        result[result.argmin()] = new_min + adjustment
        result[result.argmax()] = max_prob - adjustment
        corrections_left = _one_less(corrections_left, "max_prob", max_prob)
    while (lowest := result.min()) < min_prob - _SLACK:
        new_max = result.max() - (min_prob - lowest)
        adjustment = (new_max - min_prob) * np.random.rand()
        result[result.argmax()] = new_max - adjustment
        result[result.argmin()] = min_prob + adjustment
        corrections_left = _one_less(corrections_left, "min_prob", min_prob)
    return result


# --- Matrices ------------------------------------------------------------------------------------


def _binary_noise_matrix(trace: float, *, one_sided: bool) -> Floats:
    """Draw a matrix for two classes, or for one class that is mistaken and one that is not."""
    if not one_sided:
        first, second = generate_n_rand_probabilities_that_sum_to_m(2, trace)
        return np.array([[first, 1 - second], [1 - first, second]])
    if not 1 <= trace <= _BINARY:
        raise OptionError(
            f"trace={spelled(trace)} must be from 1 to 2 for two classes of which one is always "
            "labelled right; pass another, or frac_zero_noise_rates=0"
        )
    matrix = np.array([[1.0, 1 - (trace - 1.0)], [0.0, trace - 1.0]])
    return matrix if np.random.rand() > 0.5 else np.rot90(matrix, k=2)  # noqa: PLR2004 - a coin


def _is_valid(noise_matrix: Any, py: Any, *, verbose: bool = False) -> bool:
    given = np.dot(noise_matrix, py)
    joint = np.multiply(noise_matrix, py)
    if not abs(joint.sum() - 1.0) < _SLACK:
        return False
    diagonal = joint.diagonal()
    goes_together = given * py < diagonal
    if verbose:
        n_shown = len(py) if goes_together.all() else int(goes_together.argmin()) + 1
        for k in range(n_shown):
            _describe(joint, k, given[k] * py[k])
    return bool(goes_together.all())


def _describe(joint: Floats, k: int, by_chance: float) -> None:
    """Print the table of class k against the rest, of 10,000 examples, as cleanlab does."""
    n_examples = 10000.0
    both = n_examples * joint[k][k]
    given_only = n_examples * joint[k].sum() - both
    true_only = n_examples * joint.T[k].sum() - both
    neither = n_examples - given_only - true_only - both
    with np.errstate(divide="ignore", invalid="ignore"):
        balance = given_only * true_only / both
    print("E1E2/C", _rounded(balance), "E1", round(given_only), "E2", round(true_only), end=" ")
    print("C", round(both), "|", _rounded(balance + given_only + true_only + both), end=" ")
    print("|", _rounded(balance), "<", round(neither))
    print(round(by_chance), "<", round(joint[k][k]), ":", by_chance < joint[k][k])


def _rounded(number: float) -> object:
    """Round, and let what is infinite or no number be printed as it is."""
    return round(number) if math.isfinite(number) else number


# --- What callers pass ---------------------------------------------------------------------------


def _read_square(noise_matrix: object) -> Floats:
    matrix: Floats = as_floats(noise_matrix, "noise_matrix")
    rows, columns = matrix.shape if matrix.ndim == 2 else (0, 1)  # noqa: PLR2004 - (K, K)
    if rows != columns:
        raise ShapeError(
            "noise_matrix must have two dimensions, with a row and a column for each class; its "
            f"shape is {matrix.shape}"
        )
    return matrix


def _read_noise_matrix(noise_matrix: object, py: object) -> tuple[Floats, Floats]:
    """Read both, whatever they hold: if it makes no sense it is not valid."""
    matrix = _read_square(noise_matrix)
    prior: Floats = as_floats(py, "py")
    if prior.shape != (len(matrix),):
        raise ShapeError(
            f"py must have one entry for each of the {len(matrix)} classes of noise_matrix; its "
            f"shape is {prior.shape}"
        )
    return matrix, prior


def _read_rates(noise_matrix: object) -> Floats:
    """Read a matrix that labels can be drawn from; the diagonal is not used."""
    matrix = _read_square(noise_matrix)
    bad = ~np.isfinite(matrix) | (matrix < -_SLACK)
    if bad.any():
        index = np.unravel_index(bad.argmax(), bad.shape)
        raise InputError(
            f"{cell_name('noise_matrix', index)} is {spelled(matrix[index])}, but must be a "
            "probability; check how the matrix was made"
        )
    return matrix


def _refuse_too_many_flips(counts: npt.NDArray[np.int64], n_of_class: npt.NDArray[Any]) -> None:
    flipped = counts.sum(axis=0)
    too_many = (flipped > n_of_class) & (n_of_class > 0)
    if too_many.any():
        column = int(too_many.argmax())
        raise InputError(
            f"noise_matrix must have columns that sum to 1, but by column {column} more labels are "
            f"wrong ({flipped[column]}) than there are examples of that class "
            f"({n_of_class[column]}); divide each column by its sum"
        )


def _read_prior(py: object, n_classes: int) -> Floats:
    prior = as_per_class(py, n_classes, name="py")
    total = prior.sum()
    if abs(total - 1) > 2 * _SLACK or prior.min() < 0:
        raise InputError(
            "py must be the share of each true class, at least 0 and with the sum 1, but its least "
            f"entry is {spelled(prior.min())} and its sum {spelled(total)}; no noise matrix would "
            "be valid: divide counts by their sum"
        )
    return prior


def _dtype_of_labels(true_labels: object) -> npt.DTypeLike:
    """Tell what numbers the labels are, for those that come back to be the same."""
    dtype = np.asarray(true_labels).dtype
    return dtype if dtype.kind in "biuf" else np.int64


def _whole(value: object, name: str) -> int:
    if not isinstance(value, SupportsIndex):
        raise InputTypeError(f"{name}={spelled(value)} is not a whole number; pass an int")
    count = operator.index(value)
    if count < 0:
        raise OptionError(f"{name}={spelled(value)} must not be negative; pass at least 0")
    return count


def _number(value: Any, name: str) -> Any:
    if not is_real(type(value)):
        raise InputTypeError(f"{name}={spelled(value)} is not a number; pass a float")
    if not math.isfinite(value):
        raise OptionError(f"{name}={spelled(value)} must be finite; pass another number")
    return value


def _one_less(corrections_left: int, name: str, limit: float) -> int:
    if not corrections_left:
        raise OptionError(
            f"{name}={spelled(limit)} is too large for the numbers to be told apart to 1e-6; pass "
            "probabilities, from 0 to 1, and multiply what is drawn"
        )
    return corrections_left - 1
