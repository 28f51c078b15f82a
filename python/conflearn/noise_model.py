"""The noise model: how given labels come from true ones."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from conflearn import _core
from conflearn._coerce import CompressedRows, as_bool, one_of
from conflearn._inputs import read_joint_and_labels
from conflearn._names import PRIOR_METHODS, PriorMethod
from conflearn._sparse_joint import LARGEST_DENSE, scipy_sparse
from conflearn.errors import OptionError


class NoiseModel(NamedTuple):
    """Prior of the true classes, and the two conditional distributions that tie them to labels.

    Of more than 16,384 classes the matrices are of the kind `scipy.sparse.csr_array`.

    Attributes
    ----------
    prior : ndarray of shape (K,)
        P(true = j); sums to 1.
    noise_matrix : ndarray of shape (K, K)
        ``[given, true]``: P(given = k | true = j); columns sum to 1, or are 0
        where the joint's are.
    inverse_noise_matrix : ndarray of shape (K, K)
        ``[true, given]``: P(true = j | given = k); columns sum to 1, or are 0 where the joint's
        rows are.
    """

    prior: npt.NDArray[np.float64]
    noise_matrix: npt.NDArray[np.float64]
    inverse_noise_matrix: npt.NDArray[np.float64]


def estimate_noise_model(
    confident_joint: object,
    labels: object,
    *,
    prior_method: PriorMethod = "cnt",
    converge: bool = False,
    classes: Sequence[object] | None = None,
) -> NoiseModel:
    """Estimate prior, noise matrix and inverse noise matrix from a confident joint.

    Parameters
    ----------
    confident_joint : array_like or scipy sparse matrix of shape (K, K)
        Counts, ``joint[given, true]``; finite and at least 0, with one above 0 in the row of
        some class that `labels` hold.
    labels : array_like of shape (N,)
        Given labels: integers 0..K-1, or names together with `classes`.
    prior_method : {"cnt", "eqn", "marginal", "marginal_ps"}, default "cnt"
        How P(true) is estimated: from the two diagonals (robust), by inverting the noise matrix,
        from the column sums of the joint, or by the inverse noise matrix from P(given).
    converge : bool, default False
        Make the three estimates agree, each computed from the others in turn.
    classes : sequence of K names, optional
        What the classes are called, when `labels` holds names.

    Returns
    -------
    NoiseModel
        With fields ``prior``, ``noise_matrix`` and ``inverse_noise_matrix``.

    Raises
    ------
    InputError
        If the joint is not square, has a negative entry or counts nothing, or a label is out of
        range.
    OptionError
        If ``prior_method="eqn"`` meets a noise matrix that cannot be inverted, or more than 16,384
        classes.
    MissingDependencyError
        If there are more than 16,384 classes, and scipy is not installed.

    References
    ----------
    Northcutt, Jiang, Chuang: Confident Learning, JAIR 70 (2021), Section 3.

    Examples
    --------
    >>> import conflearn
    >>> model = conflearn.estimate_noise_model([[8, 2], [1, 9]], [0] * 10 + [1] * 10)
    >>> model.prior
    array([0.45, 0.55])
    >>> model.inverse_noise_matrix
    array([[0.8, 0.1],
           [0.2, 0.9]])
    """
    one_of(prior_method, PRIOR_METHODS, "prior_method")
    converge = as_bool(converge, "converge")
    joint, counts = read_joint_and_labels(confident_joint, labels, classes)
    return noise_model_of(joint, counts, prior_method, converge=converge)


def noise_model_of(
    joint: npt.NDArray[np.float64] | CompressedRows,
    counts: npt.NDArray[np.int64],
    prior_method: PriorMethod = "cnt",
    *,
    converge: bool = False,
) -> NoiseModel:
    """Estimate the model of a joint that has been checked; zeros of the joint stay zeros."""
    n_classes = len(counts)
    is_dense = n_classes <= LARGEST_DENSE
    if not is_dense and prior_method == "eqn":
        raise OptionError(
            f"prior_method='eqn' inverts the noise matrix, which of {n_classes:,} classes (more "
            f"than {LARGEST_DENSE:,}) takes too much memory; use 'cnt' (the default), 'marginal' "
            "or 'marginal_ps'"
        )
    prior, starts, true, noise, inverse = _core.estimate_noise_model_rows(
        joint, counts, prior_method, converge
    )
    shape = n_classes, n_classes
    if is_dense:
        given = np.repeat(np.arange(n_classes), np.diff(starts))
        noise_matrix, inverse_noise_matrix = np.zeros(shape), np.zeros(shape)
        noise_matrix[given, true] = noise
        inverse_noise_matrix[true, given] = inverse
        return NoiseModel(prior, noise_matrix, inverse_noise_matrix)
    sparse = scipy_sparse(n_classes)
    # The rows of one matrix are the columns of the other.
    return NoiseModel(
        prior,
        sparse.csr_array((noise, true, starts), shape=shape),
        sparse.csc_array((inverse, true, starts), shape=shape).tocsr(),
    )
