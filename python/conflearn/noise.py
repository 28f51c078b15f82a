"""Noise for experiments: labels that are wrong on purpose, so that finding them can be measured.

A noise matrix says how given labels come from true ones: ``noise_matrix[given, true]`` is
P(given | true), as in `conflearn.NoiseModel`, so its columns sum to 1. Here such matrices are made,
looked at, and put to work:

=============================  =====================================================
`random_noise_matrix`          one drawn at random, of given trace and sparsity
`uniform_noise_matrix`         mistakes spread evenly over all other classes
`pair_noise_matrix`            each class mistaken for one other class
`learnable_classes`            the classes that can still be learned under a matrix
`is_learnable`                 whether all of them can
`noisy_labels`                 given labels from true ones, by a matrix
=============================  =====================================================

What is drawn comes from ``rng``: a seed, or a `numpy.random.Generator`. The same seed gives the
same result.

>>> from conflearn import noise
>>> true_labels = [0, 1, 2, 3] * 5
>>> noise_matrix = noise.pair_noise_matrix(4, [0.4, 0, 0, 0.2])
>>> noise_matrix
array([[0.6, 0. , 0. , 0.2],
       [0.4, 1. , 0. , 0. ],
       [0. , 0. , 1. , 0. ],
       [0. , 0. , 0. , 0.8]])
>>> labels = noise.noisy_labels(true_labels, noise_matrix, rng=0)
>>> int((labels != true_labels).sum())
3
"""

import math
from collections.abc import Sequence
from contextlib import suppress
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

from conflearn._coerce import (
    as_bool,
    as_count,
    as_floats,
    as_noise_matrix,
    as_prior,
    as_share,
)
from conflearn._coerce.objects import cell_name, is_real, spelled
from conflearn._inputs import read_true_labels
from conflearn.errors import InputError, OptionError, ShapeError

__all__ = [
    "is_learnable",
    "learnable_classes",
    "noisy_labels",
    "pair_noise_matrix",
    "random_noise_matrix",
    "uniform_noise_matrix",
]

Floats: TypeAlias = npt.NDArray[np.float64]

#: A seed, or where random numbers come from. In quotes, since numpy imports `numpy.random` when it
#: is first asked for.
Rng: TypeAlias = (
    "int | Sequence[int] | np.random.SeedSequence | np.random.BitGenerator "
    "| np.random.Generator | None"
)

_FEWEST_CLASSES = 2


# --- Noise matrices ------------------------------------------------------------------------------


def random_noise_matrix(
    n_classes: int,
    *,
    trace: float,
    sparsity: float = 0.0,
    learnable: bool = True,
    prior: object = None,
    rng: Rng = None,
) -> Floats:
    """Draw a noise matrix of a given trace and sparsity.

    Where the classes are balanced, the share of wrong labels is ``1 - trace / n_classes``. It takes
    one draw, and no retries, whatever is asked for.

    Parameters
    ----------
    n_classes : int
        K, at least 2.
    trace : float
        Sum of the diagonal, the shares of right labels in each class: above 1 and at most K; from 0
        on if `learnable` is False.
    sparsity : float, default 0.0
        The share of the K (K - 1) entries off the diagonal that are 0, rounded to a whole number of
        them. At most (K - 2) / (K - 1): that leaves each class one other that it is mistaken for.
    learnable : bool, default True
        Draw a matrix under which every class can be learned (see `learnable_classes`).
    prior : array_like of shape (K,), optional
        The share of each true class, above 0, for `learnable`; by default all are equal.
    rng : seed or numpy.random.Generator, optional
        As for `numpy.random.default_rng`; by default every call draws anew.

    Returns
    -------
    ndarray of shape (K, K), float64
        ``[given, true]``; columns sum to 1.

    Raises
    ------
    OptionError
        If there is no such matrix, or none that can be told to be learnable in floating point. The
        message says which trace or sparsity there could be.
    InputError
        If `prior` is no distribution, or a class has a prior of 0.

    Notes
    -----
    The diagonal is uniform among all those in [0, 1] of that trace. The zeros are drawn at random,
    but for one entry in each column. The rates of a column are uniform among those that sum to one
    minus its diagonal entry (a flat Dirichlet distribution).

    If the matrix is not learnable, its diagonal is moved towards one of the same trace that is. Let
    W[k, j] be the share of class k in the mistakes of class j. Then ``learnable_classes`` says
    that, for all k, ``d[k] (1 - p[k]) > sum over j of W[k, j] (1 - d[j]) p[j]``: it is linear in
    the diagonal d. The diagonal at which both sides are equal lies in [0, 1], whatever W and p are,
    and has the trace 1. On the line from there to a diagonal of ones all classes can be learned, so
    the point of that line with the wanted trace will do. What was drawn is moved as far in that
    direction as it has to be, and half of the rest of the way.

    References
    ----------
    Northcutt, Jiang, Chuang: Confident Learning, JAIR 70 (2021), whose experiments use noise of
    given trace and sparsity. Stafford: Random Vectors with Fixed Sum (2006), for the diagonal.

    Examples
    --------
    >>> from conflearn import noise
    >>> noise_matrix = noise.random_noise_matrix(3, trace=2.4, sparsity=0.5, rng=0)
    >>> float(noise_matrix.trace().round(6)), int((noise_matrix == 0).sum())
    (2.4, 3)
    """
    n_classes = _read_n_classes(n_classes)
    learnable = as_bool(learnable, "learnable")
    trace = _read_trace(trace, n_classes, learnable=learnable)
    n_zeros = _read_n_zeros(sparsity, n_classes)
    shares = _read_shares(prior, n_classes, learnable=learnable)
    generator = _read_rng(rng)
    diagonal = _uniform_with_sum(n_classes, trace, generator)
    mistakes = _random_mistakes(n_classes, n_zeros, generator)
    if learnable:
        diagonal = _learnable_diagonal(diagonal, mistakes, shares, trace)
    matrix = mistakes * (1 - diagonal)
    np.fill_diagonal(matrix, diagonal)
    if learnable and not (_margins(matrix, shares) > 0).all():
        raise OptionError(
            f"trace={spelled(trace)} is so near to 1, or prior so near to 0 or 1, that no class "
            "can be told to be learnable in floating point; pass a trace further above 1"
        )
    return matrix


def uniform_noise_matrix(n_classes: int, noise_rate: object) -> Floats:
    """Spread the mistakes of each class evenly over all the others: symmetric noise.

    Parameters
    ----------
    n_classes : int
        K, at least 2.
    noise_rate : float, or array_like of shape (K,)
        The share of wrong labels, from 0 to 1: of all classes, or of each true class.

    Returns
    -------
    ndarray of shape (K, K), float64
        ``[given, true]``; columns sum to 1.

    Raises
    ------
    OptionError, InputError
        If there are fewer than two classes, or a rate is outside [0, 1].

    Examples
    --------
    >>> from conflearn import noise
    >>> noise.uniform_noise_matrix(3, 0.2)
    array([[0.8, 0.1, 0.1],
           [0.1, 0.8, 0.1],
           [0.1, 0.1, 0.8]])
    >>> noise.uniform_noise_matrix(2, [0.0, 0.25])  # only class 1 is ever mistaken
    array([[1.  , 0.25],
           [0.  , 0.75]])
    """
    n_classes = _read_n_classes(n_classes)
    rates = _read_noise_rates(noise_rate, n_classes)
    matrix = np.tile(rates / (n_classes - 1), (n_classes, 1))
    np.fill_diagonal(matrix, 1 - rates)
    return matrix


def pair_noise_matrix(n_classes: int, noise_rate: object, *, mistaken_for: object = None) -> Floats:
    """Let each class be mistaken for one other class: pair flips.

    Parameters
    ----------
    n_classes : int
        K, at least 2.
    noise_rate : float, or array_like of shape (K,)
        The share of wrong labels, from 0 to 1: of all classes, or of each true class.
    mistaken_for : array_like of shape (K,), optional
        The class that each true class is mistaken for; by default the next one, and class 0 after
        the last.

    Returns
    -------
    ndarray of shape (K, K), float64
        ``[given, true]``; columns sum to 1.

    Raises
    ------
    OptionError, InputError
        If there are fewer than two classes, a rate is outside [0, 1], or a class is mistaken for
        itself or for one that does not exist.

    Examples
    --------
    >>> from conflearn import noise
    >>> noise.pair_noise_matrix(3, [0.1, 0.2, 0.0], mistaken_for=[1, 0, 0])
    array([[0.9, 0.2, 0. ],
           [0.1, 0.8, 0. ],
           [0. , 0. , 1. ]])
    """
    n_classes = _read_n_classes(n_classes)
    rates = _read_noise_rates(noise_rate, n_classes)
    classes = np.arange(n_classes)
    matrix = np.diag(1 - rates)
    matrix[_read_mistaken_for(mistaken_for, n_classes), classes] = rates
    return matrix


def learnable_classes(noise_matrix: object, prior: object = None) -> npt.NDArray[np.bool_]:
    """Tell which classes can be learned from labels with such noise.

    Class k can be learned if its label goes with it: P(given = k, true = k) > P(given = k)
    P(true = k). Then an example of class k is given k more often than others are, and a model does
    better than chance on average. A matrix of trace 1 or less has a class that cannot be learned.

    Parameters
    ----------
    noise_matrix : array_like of shape (K, K)
        ``[given, true]``: P(given | true); columns sum to 1, or are 0, within 1e-6.
    prior : array_like of shape (K,), optional
        The share of each true class; sums to 1 within 1e-6. By default all are equal.

    Returns
    -------
    ndarray of shape (K,), bool
        True where the class can be learned. A class of prior 0 or 1 cannot: there is nothing to
        tell apart.

    Raises
    ------
    InputError
        If shapes do not fit, an entry is no probability, or a sum is not 1.

    References
    ----------
    Northcutt, Jiang, Chuang: Confident Learning, JAIR 70 (2021).

    Examples
    --------
    >>> from conflearn import noise
    >>> noise.learnable_classes([[0.6, 0.3, 0.3], [0.4, 0.7, 0.6], [0.0, 0.0, 0.1]])
    array([ True,  True,  True])
    >>> noise.learnable_classes([[0.6, 0.3, 0.3], [0.4, 0.7, 0.7], [0.0, 0.0, 0.0]])
    array([ True,  True, False])
    """
    matrix = as_noise_matrix(noise_matrix)
    n_classes = len(matrix)
    shares = np.full(n_classes, 1 / n_classes) if prior is None else as_prior(prior, n_classes)
    return _margins(matrix, shares) > 0


def is_learnable(noise_matrix: object, prior: object = None) -> bool:
    """Whether every class can be learned from labels with such noise.

    Parameters
    ----------
    noise_matrix : array_like of shape (K, K)
        As for `learnable_classes`, which tells which classes can.
    prior : array_like of shape (K,), optional
        The share of each true class; by default all are equal.

    Returns
    -------
    bool

    Raises
    ------
    InputError
        If shapes do not fit, an entry is no probability, or a sum is not 1.

    Examples
    --------
    >>> from conflearn import noise
    >>> noise.is_learnable(noise.uniform_noise_matrix(10, 0.89))
    True
    >>> noise.is_learnable(noise.uniform_noise_matrix(10, 0.91))
    False
    """
    return bool(learnable_classes(noise_matrix, prior).all())


# --- Noisy labels --------------------------------------------------------------------------------


def noisy_labels(
    true_labels: object,
    noise_matrix: object,
    *,
    classes: Sequence[object] | None = None,
    rng: Rng = None,
) -> npt.NDArray[Any]:
    """Give labels, some of them wrong, in the proportions of a noise matrix.

    Of the n examples of true class j, ``n * noise_matrix[k, j]`` are given k, rounded up or down at
    random: up as often as makes the expected number exact, and so that they add up to n. Rates of 0
    give no labels. Which of the examples of a class these are is drawn uniformly.

    Parameters
    ----------
    true_labels : array_like of shape (N,)
        Integers 0..K-1, or names together with `classes`. Not every class need be there.
    noise_matrix : array_like of shape (K, K)
        ``[given, true]``: P(given | true). Columns sum to 1 within 1e-6; they may be 0 where
        `true_labels` has no such class.
    classes : sequence of K names, optional
        What the classes are called, in the order of the columns.
    rng : seed or numpy.random.Generator, optional
        As for `numpy.random.default_rng`; by default every call draws anew.

    Returns
    -------
    ndarray of shape (N,)
        Given labels: int64, or names if there are `classes`.

    Raises
    ------
    InputError
        If a label is no class, an entry of the matrix is no probability, or a column does not sum
        to 1.

    Notes
    -----
    To draw each label by itself, as often wrong as chance has it, is another model of noise: it
    makes the number of wrong labels random too, and results of small experiments noisier.

    Examples
    --------
    >>> import numpy as np
    >>> from conflearn import noise
    >>> true_labels = np.repeat([0, 1], 50)
    >>> labels = noise.noisy_labels(true_labels, [[0.9, 0.2], [0.1, 0.8]], rng=0)
    >>> [int((labels[true_labels == k] != k).sum()) for k in (0, 1)]
    [5, 10]
    >>> noise.noisy_labels(["cat", "dog"], [[0, 1], [1, 0]], classes=["cat", "dog"])
    array(['dog', 'cat'], dtype='<U3')
    """
    matrix = as_noise_matrix(noise_matrix)
    n_classes = len(matrix)
    true = read_true_labels(true_labels, n_classes, classes)
    generator = _read_rng(rng)
    n_of_class = np.bincount(true, minlength=n_classes)
    counts = _flip_counts(matrix, n_of_class, generator)
    np.fill_diagonal(counts, 0)
    labels = true.astype(np.int64)
    by_class = np.split(np.argsort(true, kind="stable"), n_of_class.cumsum()[:-1])
    # Only wrong labels are drawn: that is faster than to shuffle all of them.
    for class_ in np.flatnonzero(counts.any(axis=0)):
        given = counts[:, class_].nonzero()[0]
        wrong = np.repeat(given, counts[given, class_])
        labels[generator.choice(by_class[class_], len(wrong), replace=False)] = wrong
    return labels if classes is None else np.array(list(classes))[labels]


def _flip_counts(matrix: Floats, n_of_class: npt.NDArray[Any], rng: Any) -> npt.NDArray[np.int64]:
    """Count how many of each true class are given each class.

    A comb with teeth one apart is laid along the expected numbers of a column, from a random point
    on: an interval of length x holds x teeth rounded up or down, and x on average.
    """
    ends = matrix.cumsum(axis=0)
    totals = ends[-1]
    lost = (totals == 0) & (n_of_class > 0)
    if lost.any():
        column = int(lost.argmax())
        raise InputError(
            f"noise_matrix must say how class {column} is labelled, for true_labels has "
            f"{n_of_class[column]} examples of it, but column {column} is all zeros; put a 1 on "
            "the diagonal to leave its labels as they are"
        )
    with np.errstate(invalid="ignore"):  # of columns of zeros, for which there are no examples
        scaled = np.where(ends == totals, n_of_class, np.minimum(ends / totals, 1) * n_of_class)
    teeth = np.floor(scaled + rng.random(len(matrix))).astype(np.int64)
    # The last interval that is not empty ends with the column, and none ends later, whatever
    # rounding does to a point just below 1.
    teeth = np.where(ends == totals, n_of_class, np.minimum(teeth, n_of_class))
    return np.diff(teeth, axis=0, prepend=0)


# --- How a matrix is drawn -----------------------------------------------------------------------


def _uniform_with_sum(n: int, total: float, rng: Any) -> Floats:
    """Draw uniformly from the points of the unit cube whose coordinates have that sum.

    Stafford's method. The points form a polytope that is cut into simplices; ``log_weights[j]`` is
    the logarithm of the volume of those simplices of one dimension that have gone up j times. From
    the last dimension to the first, a step goes up with the share of the volume that lies there.
    Volumes are kept as logarithms: with many classes they are too small for a float64.
    """
    if total in {0, n}:
        return np.full(n, total / n)
    floor = int(total)
    with np.errstate(divide="ignore"):  # a side of length 0 has the logarithm -inf
        log_low = np.log(total - floor + np.arange(n))
        log_high = np.log(floor + 1 - total + np.arange(n)[::-1])
    ups = np.zeros((n, n))
    log_weights = np.full(n + 1, -np.inf)
    log_weights[1] = 0.0
    for size in range(2, n + 1):
        stay = log_weights[1 : size + 1] + log_low[:size]
        up = log_weights[:size] + log_high[n - size :]
        both = np.logaddexp(stay, up)
        log_weights[1 : size + 1] = both - math.log(size)
        is_there = both > -np.inf
        ups[size - 1, :size][is_there] = np.exp(up[is_there] - both[is_there])
    steps = rng.random(n - 1)
    radii = rng.random(n - 1)
    values = np.empty(n)
    position, side, level, left = 0.0, 1.0, floor, total
    for i, size in enumerate(range(n, 1, -1)):
        went_up = bool(steps[i] < ups[size - 1, level])
        radius = radii[i] ** (1 / (size - 1))
        position += (1 - radius) * side * left / size
        side *= radius
        values[i] = position + side * went_up
        left -= went_up
        level -= went_up
    values[-1] = position + side * left
    return np.asarray(np.clip(rng.permutation(values), 0, 1))


def _random_mistakes(n_classes: int, n_zeros: int, rng: Any) -> Floats:
    """Draw how the mistakes of each class are spread over the others: columns that sum to 1."""
    weights: Floats = rng.standard_exponential((n_classes, n_classes - 1))
    if n_zeros:
        kept = np.zeros(weights.shape, np.bool_)
        kept[np.arange(n_classes), rng.integers(n_classes - 1, size=n_classes)] = True
        free = np.flatnonzero(~kept)
        weights.flat[rng.choice(free, n_zeros, replace=False, shuffle=False)] = 0
    weights /= weights.sum(axis=1, keepdims=True)
    # Before the j entries on each side of the diagonal of row j, and after the last, a zero goes.
    mistakes = np.zeros((n_classes, n_classes))
    mistakes[~np.eye(n_classes, dtype=np.bool_)] = weights.ravel()
    return mistakes.T


def _learnable_diagonal(diagonal: Floats, mistakes: Floats, prior: Floats, trace: float) -> Floats:
    """Move a diagonal to where every class can be learned, if it is not there; keep its sum."""
    n_classes = len(diagonal)
    if n_classes == _FEWEST_CLASSES:
        return diagonal  # any will do whose sum is above 1
    received = mistakes * prior

    def slack(d: Floats) -> Floats:
        return np.asarray(d * (1 - prior) - received @ (1 - d))

    drawn = slack(diagonal)
    if (drawn > 0).all():
        return diagonal
    try:
        even = np.linalg.solve(np.diag(1 - prior) + received, received.sum(axis=1))
    except np.linalg.LinAlgError:
        return diagonal  # one class is nearly all there is; what is drawn is refused
    share = (trace - 1) / (n_classes - 1)
    safe = (1 - share) * np.clip(even, 0, 1) + share
    kept = slack(safe)
    wrong = drawn <= 0
    way = float((-drawn[wrong] / np.maximum(kept[wrong] - drawn[wrong], 1e-300)).max())
    way = (1 + min(way, 1.0)) / 2
    return np.asarray((1 - way) * diagonal + way * safe)


def _margins(matrix: Floats, prior: Floats) -> Floats:
    """By how much label and class coincide more often than by chance."""
    return np.asarray(matrix.diagonal() * prior - (matrix @ prior) * prior)


# --- What callers pass ---------------------------------------------------------------------------


def _read_n_classes(n_classes: object) -> int:
    count = as_count(n_classes, "n_classes")
    if count < _FEWEST_CLASSES:
        raise OptionError(
            f"n_classes={count} must be at least 2: with fewer classes there is nothing to mistake "
            "a class for"
        )
    return count


def _read_trace(trace: object, n_classes: int, *, learnable: bool) -> float:
    number = math.nan
    if is_real(type(trace)) and not isinstance(trace, bool | np.bool_):
        with suppress(OverflowError, ValueError):  # of 10**400; of a Decimal that signals
            number = float(trace)  # type: ignore[arg-type]  # a real number, as just seen
    if not 0 <= number <= n_classes:
        raise OptionError(
            f"trace={spelled(trace)} is not a number from 0 to {n_classes}, the number of classes: "
            "it is the sum of the shares of right labels in each class"
        )
    if learnable and number <= 1:
        raise OptionError(
            f"trace={spelled(trace)} must be above 1 for every class to be learnable; pass a "
            f"number up to {n_classes}, or learnable=False"
        )
    return number


def _read_n_zeros(sparsity: object, n_classes: int) -> int:
    share = as_share(sparsity, "sparsity")
    n_zeros = round(share * n_classes * (n_classes - 1))
    if n_zeros > n_classes * (n_classes - 2):
        raise OptionError(
            f"sparsity={spelled(sparsity)} is above {(n_classes - 2) / (n_classes - 1):.6g}, the "
            f"most that goes with {n_classes} classes, each mistaken for at least one other; for "
            "classes without noise, pass uniform_noise_matrix or pair_noise_matrix their rates"
        )
    return n_zeros


def _read_shares(prior: object, n_classes: int, *, learnable: bool) -> Floats:
    if prior is None:
        return np.full(n_classes, 1 / n_classes)
    if not learnable:
        raise OptionError(
            "prior is used only where learnable is True; leave one of the two as it is"
        )
    shares = as_prior(prior, n_classes)
    if not shares.all():
        class_ = int(shares.argmin())
        raise InputError(
            f"{cell_name('prior', (class_,))} is 0, but a class that has no examples cannot be "
            "learned; leave it out, or pass learnable=False and no prior"
        )
    return np.asarray(shares / shares.sum())


def _read_noise_rates(noise_rate: object, n_classes: int) -> Floats:
    if is_real(type(noise_rate)):
        return np.full(n_classes, as_share(noise_rate, "noise_rate"))
    rates = as_floats(noise_rate, "noise_rate")
    if rates.shape not in {(), (n_classes,)}:
        raise ShapeError(
            f"noise_rate must be one number, or one for each of the {n_classes} classes; its shape "
            f"is {rates.shape}"
        )
    within = (rates >= 0) & (rates <= 1)
    if not within.all():
        index = np.unravel_index(within.argmin(), within.shape)
        raise InputError(
            f"{cell_name('noise_rate', index)} is {spelled(rates[index])}, but must be a share of "
            "wrong labels, from 0 to 1"
        )
    return np.broadcast_to(rates, n_classes)


def _read_mistaken_for(mistaken_for: object, n_classes: int) -> npt.NDArray[np.int64]:
    classes = np.arange(n_classes)
    if mistaken_for is None:
        return (classes + 1) % n_classes
    others = as_floats(mistaken_for, "mistaken_for")
    if others.shape != (n_classes,):
        raise ShapeError(
            f"mistaken_for must have one entry for each of the {n_classes} classes; its shape is "
            f"{others.shape}"
        )
    known = np.isin(others, classes) & (others != classes)
    if not known.all():
        class_ = int(known.argmin())
        raise InputError(
            f"{cell_name('mistaken_for', (class_,))} is {spelled(others[class_])}, but must be the "
            f"number of another class, from 0 to {n_classes - 1}; for a class that is never "
            "mistaken, pass a noise_rate of 0"
        )
    return others.astype(np.int64)


def _read_rng(rng: Any) -> Any:
    try:
        return np.random.default_rng(rng)
    except (TypeError, ValueError) as error:
        raise OptionError(
            f"rng={spelled(rng)} is neither a seed nor a numpy.random.Generator; pass a whole "
            "number of at least 0, or numpy.random.default_rng(seed)"
        ) from error
