"""The oracle against cleanlab, wherever the two follow the same rule.

Three rules of cleanlab that the oracle does not follow are kept away from, not papered over:
it never flags the only example of a class; where a diagonal count is zero it counts one sharer
too few; and rows of certainty get the worst entropy score instead of the best.
"""

from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import reference
from strategies import FILTERS, PRIOR_METHODS, PRUNE_FILTERS, SCORES, Data, joints, likely_data

pytestmark = pytest.mark.filterwarnings("ignore:May not flag all label issues")


@given(likely_data())
def test_counts(cleanlab: SimpleNamespace, data: Data) -> None:
    count = cleanlab.count
    np.testing.assert_allclose(
        reference.confident_thresholds(*data), count.get_confident_thresholds(*data), rtol=1e-12
    )
    for calibrate in (False, True):
        joint, off_diagonal = count.compute_confident_joint(
            *data, calibrate=calibrate, return_indices_of_off_diagonals=True
        )
        np.testing.assert_array_equal(
            reference.confident_joint(*data, calibrate=calibrate, several="row_argmax"), joint
        )
    np.testing.assert_array_equal(
        reference.off_diagonal_examples(*data, several="row_argmax"), off_diagonal
    )
    np.testing.assert_array_equal(
        reference.estimate_joint(*data, several="row_argmax"), count.estimate_joint(*data)
    )


@given(likely_data())
def test_number_of_issues(cleanlab: SimpleNamespace, data: Data) -> None:
    if len(np.unique(data.labels)) < 2:
        return
    for method in ("off_diagonal", "off_diagonal_calibrated"):
        theirs = cleanlab.count.num_label_issues(*data, estimation_method=method)
        assert reference.num_label_issues(*data, method=method, several="row_argmax") == theirs


@given(joints())
def test_calibration(cleanlab: SimpleNamespace, joint_and_labels: tuple) -> None:
    joint, labels = joint_and_labels
    np.testing.assert_array_equal(
        reference.calibrate_confident_joint(joint, labels),
        cleanlab.count.calibrate_confident_joint(joint, labels),
    )


@given(joints(), st.sampled_from(PRIOR_METHODS), st.booleans())
def test_noise_model(
    cleanlab: SimpleNamespace, joint_and_labels: tuple, prior_method: str, converge: bool
) -> None:
    joint, labels = joint_and_labels
    if prior_method == "eqn" and np.linalg.cond(joint / joint.sum(axis=0)) > 1e6:
        return
    ours = reference.estimate_noise_model(
        joint, labels, prior_method=prior_method, converge=converge
    )
    theirs = cleanlab.count.estimate_latent(
        joint, labels, py_method=prior_method, converge_latent_estimates=converge
    )
    for mine, other in zip(ours, theirs, strict=True):
        np.testing.assert_allclose(mine, other, rtol=1e-9, atol=1e-15)


@given(
    joints(),
    st.sampled_from([0, 1, 5]),
    st.sampled_from([1.0, 0.9, 0.5, 0.3, 0.1, 0.0]),
)
def test_prune_counts(
    cleanlab: SimpleNamespace, joint_and_labels: tuple, minimum: int, frac_noise: float
) -> None:
    joint, _ = joint_and_labels
    theirs = cleanlab.filter._keep_at_least_n_per_class(joint.T, minimum, frac_noise=frac_noise)
    ours = reference.prune_counts(joint, min_examples_per_class=minimum, frac_noise=frac_noise)
    np.testing.assert_array_equal(ours, theirs)


@pytest.mark.parametrize("filter_by", FILTERS)
@given(
    data=likely_data(),
    minimum=st.sampled_from([0, 1, 5]),
    frac_noise=st.sampled_from([1.0, 0.9, 0.5, 0.3]),
)
def test_masks(
    cleanlab: SimpleNamespace, data: Data, minimum: int, frac_noise: float, filter_by: str
) -> None:
    given_counts = np.bincount(data.labels, minlength=data.pred_probs.shape[1])
    joint = reference.confident_joint(*data, several="row_argmax")
    zero_diagonal = (joint.diagonal() == 0) & (given_counts > 0)
    if len(np.unique(data.labels)) < 2 or zero_diagonal.any():
        return
    options: dict[str, Any] = {"min_examples_per_class": minimum}
    if filter_by in PRUNE_FILTERS:
        options["frac_noise"] = frac_noise
    np.testing.assert_array_equal(
        reference.find_label_issues(*data, filter_by=filter_by, several="row_argmax", **options),
        cleanlab.filter.find_label_issues(*data, filter_by=filter_by, **options),
    )


@pytest.mark.parametrize("method", SCORES)
@given(data=likely_data(), adjust=st.booleans())
def test_scores_and_orders(
    cleanlab: SimpleNamespace, data: Data, adjust: bool, method: str
) -> None:
    labels, pred_probs = data
    if method == "confidence_weighted_entropy":
        adjust = False
        keep = pred_probs.max(axis=1) < 0.9999
        labels, pred_probs = labels[keep], pred_probs[keep]
        if len(labels) == 0:
            return
    ours = reference.label_quality_scores(
        labels, pred_probs, method=method, adjust_pred_probs=adjust, absent="shifted"
    )
    theirs = cleanlab.rank.get_label_quality_scores(
        labels, pred_probs, method=method, adjust_pred_probs=adjust
    )
    np.testing.assert_allclose(ours, theirs, rtol=1e-9, atol=1e-14)

    if len(np.unique(labels)) < 2:
        return
    mask = labels != pred_probs.argmax(axis=1)
    order = cleanlab.rank.order_label_issues(
        mask, labels, pred_probs, rank_by=method, rank_by_kwargs={"adjust_pred_probs": adjust}
    )
    np.testing.assert_array_equal(reference.order_label_issues(mask, theirs), order)


def test_real_data(cleanlab: SimpleNamespace, real_data: Data) -> None:
    labels, pred_probs = real_data.labels.astype(int), real_data.pred_probs.astype(float)
    for filter_by in FILTERS:
        theirs = cleanlab.filter.find_label_issues(labels, pred_probs, filter_by=filter_by)
        ours = reference.find_label_issues(
            labels, pred_probs, filter_by=filter_by, several="row_argmax"
        )
        np.testing.assert_array_equal(ours, theirs, err_msg=filter_by)
