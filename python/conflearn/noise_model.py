"""The noise model: how given labels come from true ones."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from conflearn import _core
from conflearn._coerce import as_bool, one_of
from conflearn._inputs import read_joint_and_labels
from conflearn._names import PRIOR_METHODS, PriorMethod


class NoiseModel(NamedTuple):
    """Prior of the true classes, and the two conditional distributions that tie them to labels.

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
    confident_joint : array_like of shape (K, K)
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
        If ``prior_method="eqn"`` meets a noise matrix that cannot be inverted.

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
    return NoiseModel(*_core.estimate_noise_model(joint, counts, prior_method, converge))
