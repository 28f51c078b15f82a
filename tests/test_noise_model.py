"""The noise model: the prior of the true classes and the two noise matrices."""

from typing import Any

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

import conflearn
import reference
from strategies import PRIOR_METHODS, joints, random_joint

JointAndLabels = tuple[np.ndarray, np.ndarray]


@given(joints(), st.sampled_from(PRIOR_METHODS), st.booleans())
def test_the_noise_model_is_the_oracles(
    joint_and_labels: JointAndLabels, prior_method: Any, converge: bool
) -> None:
    joint, labels = joint_and_labels
    if prior_method == "eqn":  # solves a system of equations: only for a sound matrix
        assume(np.linalg.cond(joint / joint.sum(axis=0)) < 1e4)
    ours = conflearn.estimate_noise_model(
        joint, labels, prior_method=prior_method, converge=converge
    )
    expected = reference.estimate_noise_model(
        joint, labels, prior_method=prior_method, converge=converge
    )
    for name in expected._fields:
        np.testing.assert_allclose(
            getattr(ours, name), getattr(expected, name), rtol=1e-9, atol=1e-14, err_msg=name
        )


@given(joints())
def test_every_column_is_a_distribution(joint_and_labels: JointAndLabels) -> None:
    model = conflearn.estimate_noise_model(*joint_and_labels)
    assert model.prior.sum() == pytest.approx(1)
    assert model.noise_matrix.sum(axis=0) == pytest.approx(1)
    assert model.inverse_noise_matrix.sum(axis=0) == pytest.approx(1)


def test_a_noise_model_is_a_tuple_with_names() -> None:
    model = conflearn.estimate_noise_model(random_joint(4), [0, 1, 2, 3])
    assert isinstance(model, conflearn.NoiseModel)
    prior, noise_matrix, inverse_noise_matrix = model
    assert prior is model.prior
    assert noise_matrix is model.noise_matrix
    assert inverse_noise_matrix is model.inverse_noise_matrix
    assert [part.dtype for part in model] == [np.float64] * 3
    assert [part.shape for part in model] == [(4,), (4, 4), (4, 4)]


def test_a_small_joint_by_hand() -> None:
    joint = np.array([[6, 2], [1, 1]])  # [given, true]
    prior, noise, inverse = conflearn.estimate_noise_model(joint, [0] * 8 + [1] * 2)
    np.testing.assert_allclose(noise, [[6 / 7, 2 / 3], [1 / 7, 1 / 3]])
    np.testing.assert_allclose(inverse, [[6 / 8, 1 / 2], [2 / 8, 1 / 2]])
    np.testing.assert_allclose(prior, [0.7, 0.3])


def test_no_true_class_is_impossible() -> None:
    model = conflearn.estimate_noise_model(np.diag([5, 5, 1]), [0, 1])
    assert model.prior[2] == pytest.approx(1e-6, rel=1e-5)


def test_a_noise_rate_stays_below_one() -> None:
    joint = np.array([[1, 10**9], [0, 1]])
    model = conflearn.estimate_noise_model(joint, [0, 1])
    rate, diagonal = model.noise_matrix[:, 1]
    assert rate < 1
    assert diagonal == pytest.approx(1e-9 / 0.9999, rel=1e-3)


def test_the_matrix_of_the_identity_is_the_identity() -> None:
    for converge in (False, True):
        model = conflearn.estimate_noise_model(np.eye(3, dtype=int), [0, 1, 2], converge=converge)
        np.testing.assert_allclose(model.noise_matrix, np.eye(3))
        np.testing.assert_allclose(model.inverse_noise_matrix, np.eye(3))
        np.testing.assert_allclose(model.prior, np.full(3, 1 / 3))
