"""Which labels are wrong, how many, the worst first: every filter, every option."""

from typing import Any

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

import conflearn
import reference
from strategies import (
    FILTERS,
    PRUNE_FILTERS,
    PRUNE_OPTIONS,
    SCORES,
    Data,
    datasets,
    likely_data,
    random_data,
    random_joint,
)


def oracle_mask(data: Data, **options: Any) -> np.ndarray:
    """What the oracle flags, with the thresholds that conflearn found."""
    return reference.find_label_issues(
        data.labels.astype(int),
        data.pred_probs.astype(float),
        thresholds=conflearn.confident_thresholds(*data),
        **options,
    )


def assert_same_mask(mask: np.ndarray, expected: np.ndarray) -> None:
    assert mask.dtype == bool
    np.testing.assert_array_equal(mask, expected)


# --- The filters


@pytest.mark.parametrize("filter_by", FILTERS)
@given(data=datasets())
def test_a_filter_flags_what_the_oracle_flags(data: Data, filter_by: Any) -> None:
    mask = conflearn.find_label_issues(*data, filter_by=filter_by)
    assert_same_mask(mask, oracle_mask(data, filter_by=filter_by))


@pytest.mark.parametrize("filter_by", FILTERS)
def test_a_filter_flags_the_same_on_real_data(real_data: Data, filter_by: Any) -> None:
    mask = conflearn.find_label_issues(*real_data, filter_by=filter_by)
    assert mask.any()
    assert_same_mask(mask, oracle_mask(real_data, filter_by=filter_by))


@pytest.mark.parametrize("filter_by", FILTERS)
@pytest.mark.parametrize(("n_examples", "n_classes"), [(20_000, 3), (4000, 150)])
def test_a_filter_flags_the_same_on_larger_data(
    n_examples: int, n_classes: int, filter_by: Any, width: np.dtype
) -> None:
    labels, pred_probs = random_data(n_examples, n_classes, imbalance=2 / n_classes)
    data = Data(labels, pred_probs.astype(width))
    mask = conflearn.find_label_issues(*data, filter_by=filter_by)
    assert_same_mask(mask, oracle_mask(data, filter_by=filter_by))


def test_the_default_filter_prunes_by_noise_rate() -> None:
    data = random_data(500, 5)
    np.testing.assert_array_equal(
        conflearn.find_label_issues(*data),
        conflearn.find_label_issues(*data, filter_by="prune_by_noise_rate"),
    )


@given(datasets())
def test_both_is_the_intersection_of_the_two_prune_filters(data: Data) -> None:
    by_class, by_noise_rate, both = (
        conflearn.find_label_issues(*data, filter_by=filter_by)
        for filter_by in ("prune_by_class", "prune_by_noise_rate", "both")
    )
    np.testing.assert_array_equal(both, by_class & by_noise_rate)


@given(datasets())
def test_confident_learning_flags_off_diagonal_examples_only(data: Data) -> None:
    mask = conflearn.find_label_issues(*data, filter_by="confident_learning")
    assert set(np.flatnonzero(mask)) <= set(conflearn.off_diagonal_examples(*data))


@pytest.mark.parametrize("filter_by", ["low_self_confidence", "low_normalized_margin"])
@given(data=datasets())
def test_low_filters_flag_as_many_as_there_are_issues(data: Data, filter_by: Any) -> None:
    mask = conflearn.find_label_issues(*data, filter_by=filter_by)
    assert mask.sum() == conflearn.num_label_issues(*data)


@pytest.mark.parametrize("filter_by", [f for f in FILTERS if not f.startswith("low_")])
@given(data=datasets())
def test_an_example_that_the_model_agrees_with_is_not_flagged(data: Data, filter_by: Any) -> None:
    mask = conflearn.find_label_issues(*data, filter_by=filter_by)
    assert not (mask & reference.agrees_with_given(*data)).any()


def test_agreement_has_a_slack_of_one_millionth() -> None:
    pred_probs = np.array([[0.5, 0.5 + 5e-7], [0.5, 0.5 + 2e-6], [0.5 + 5e-7, 0.5], [0.6, 0.4]])
    mask = conflearn.find_label_issues([0, 0, 1, 1], pred_probs, filter_by="predicted_neq_given")
    assert mask.tolist() == [False, True, False, True]


def test_ties_go_to_the_lower_index() -> None:
    labels = np.zeros(100, dtype=int)
    pred_probs = np.tile([0.25, 0.75], (100, 1))
    joint = np.array([[90, 10], [0, 1]])
    for filter_by in PRUNE_FILTERS:
        mask = conflearn.find_label_issues(
            labels, pred_probs, filter_by=filter_by, confident_joint=joint
        )
        assert np.flatnonzero(mask).tolist() == list(range(10))


# --- The options of the prune filters


@pytest.mark.parametrize("filter_by", PRUNE_FILTERS)
@given(
    data=datasets(),
    frac_noise=st.sampled_from([1.0, 0.9, 0.7, 0.5, 0.3, 0.1, 0.0]),
    minimum=st.sampled_from([0, 1, 2, 5]),
)
def test_frac_noise_and_min_examples(
    data: Data, frac_noise: float, minimum: int, filter_by: Any
) -> None:
    options: dict[str, Any] = {
        "filter_by": filter_by,
        "frac_noise": frac_noise,
        "min_examples_per_class": minimum,
    }
    mask = conflearn.find_label_issues(*data, **options)
    assert_same_mask(mask, oracle_mask(data, **options))


@pytest.mark.parametrize("filter_by", PRUNE_FILTERS)
def test_no_noise_to_remove_flags_nothing(filter_by: Any) -> None:
    mask = conflearn.find_label_issues(*random_data(500, 5), filter_by=filter_by, frac_noise=0)
    assert not mask.any()


@pytest.mark.parametrize("filter_by", PRUNE_FILTERS)
def test_a_class_with_too_few_examples_is_left_alone(filter_by: Any) -> None:
    labels, pred_probs = random_data(500, 5, imbalance=1.0)
    mask = conflearn.find_label_issues(
        labels, pred_probs, filter_by=filter_by, min_examples_per_class=60
    )
    small = np.bincount(labels) <= 60
    assert small.any()
    assert mask.any()
    assert not small[labels[mask]].any()


@pytest.mark.parametrize("filter_by", PRUNE_FILTERS)
@given(data=likely_data(max_classes=9), seed=st.integers(0, 1000), minimum=st.integers(0, 5))
def test_a_given_joint_is_used_as_it_is(
    data: Data, seed: int, minimum: int, filter_by: Any
) -> None:
    n_classes = data.pred_probs.shape[1]
    joint = random_joint(n_classes, seed=seed, total=len(data.labels))
    mask = conflearn.find_label_issues(
        *data, filter_by=filter_by, confident_joint=joint, min_examples_per_class=minimum
    )
    expected = oracle_mask(data, filter_by=filter_by, counts=joint, min_examples_per_class=minimum)
    assert_same_mask(mask, expected)


@given(datasets())
def test_the_calibrated_joint_is_the_default(data: Data) -> None:
    joint = conflearn.confident_joint(*data)
    np.testing.assert_array_equal(
        conflearn.find_label_issues(*data, confident_joint=joint),
        conflearn.find_label_issues(*data),
    )


def test_the_diagonal_is_raised_in_equal_parts_from_the_nonzero_counts() -> None:
    labels = np.zeros(20, dtype=int)
    pred_probs = np.linspace([0.02, 0.49, 0.49, 0.0], [0.4, 0.0, 0.0, 0.6], 20)
    joint = np.array([[0, 6, 9, 0], [0, 1, 0, 0], [0, 0, 1, 0], [0, 0, 0, 1]])
    options: dict[str, Any] = {"confident_joint": joint, "min_examples_per_class": 6}
    # 6 are kept of class 0, at the cost of 3 for each of the two others: 3 and 6 are left.
    mask = conflearn.find_label_issues(labels, pred_probs, **options)
    assert np.flatnonzero(mask).tolist() == list(range(6))
    mask = conflearn.find_label_issues(labels, pred_probs, filter_by="prune_by_class", **options)
    assert np.flatnonzero(mask).tolist() == list(range(14))


@st.composite
def data_and_removals(draw: st.DrawFn) -> tuple[Data, list[int]]:
    data = draw(likely_data(max_classes=9))
    counts = np.bincount(data.labels, minlength=data.pred_probs.shape[1])
    return data, [draw(st.integers(0, int(count))) for count in counts]


@pytest.mark.parametrize("filter_by", PRUNE_FILTERS)
@given(drawn=data_and_removals())
def test_num_to_remove_per_class(drawn: tuple[Data, list[int]], filter_by: Any) -> None:
    data, removals = drawn
    mask = conflearn.find_label_issues(*data, filter_by=filter_by, num_to_remove_per_class=removals)
    expected = oracle_mask(data, filter_by=filter_by, num_to_remove_per_class=removals)
    assert_same_mask(mask, expected)


def test_prune_by_class_removes_exactly_as_many_as_asked() -> None:
    labels = np.repeat([0, 1, 2], 20)
    pred_probs = np.full((60, 3), 0.05)
    pred_probs[np.arange(60), (labels + 1) % 3] = 0.9  # the model disagrees everywhere
    mask = conflearn.find_label_issues(
        labels, pred_probs, filter_by="prune_by_class", num_to_remove_per_class=[5, 0, 20]
    )
    assert np.bincount(labels[mask], minlength=3).tolist() == [5, 0, 20]


# --- Ranking


@pytest.mark.parametrize("rank_by", SCORES)
@pytest.mark.parametrize("filter_by", FILTERS)
@given(data=datasets())
def test_ranked_issues_are_the_flagged_in_order_of_their_scores(
    data: Data, filter_by: Any, rank_by: Any
) -> None:
    ranked = conflearn.rank_label_issues(*data, filter_by=filter_by, rank_by=rank_by)
    mask = conflearn.find_label_issues(*data, filter_by=filter_by)
    scores = conflearn.label_quality_scores(*data, method=rank_by)
    assert ranked.dtype == np.int64
    np.testing.assert_array_equal(ranked, reference.order_label_issues(mask, scores))


@pytest.mark.parametrize("options", PRUNE_OPTIONS, ids=list)
def test_ranking_takes_the_options_of_the_prune_filters(options: dict[str, Any]) -> None:
    data = random_data(500, 4)
    ranked = conflearn.rank_label_issues(*data, **options)
    mask = conflearn.find_label_issues(*data, **options)
    assert sorted(ranked) == np.flatnonzero(mask).tolist()


@pytest.mark.parametrize("rank_by", SCORES)
@given(data=datasets(), draw=st.data())
def test_any_mask_can_be_ordered(data: Data, draw: st.DataObject, rank_by: Any) -> None:
    n_examples = len(data.labels)
    flags = draw.draw(st.lists(st.booleans(), min_size=n_examples, max_size=n_examples))
    mask = np.array(flags)
    order = conflearn.order_label_issues(mask, *data, rank_by=rank_by)
    scores = conflearn.label_quality_scores(*data, method=rank_by)
    assert order.dtype == np.int64
    np.testing.assert_array_equal(order, reference.order_label_issues(mask, scores))


@pytest.mark.parametrize("rank_by", ["self_confidence", "normalized_margin"])
@given(data=likely_data())
def test_a_mask_can_be_ordered_by_adjusted_scores(data: Data, rank_by: Any) -> None:
    assume((data.pred_probs.sum(axis=1) > 0).all())
    mask = np.ones(len(data.labels), dtype=bool)
    order = conflearn.order_label_issues(mask, *data, rank_by=rank_by, adjust_pred_probs=True)
    scores = conflearn.label_quality_scores(*data, method=rank_by, adjust_pred_probs=True)
    np.testing.assert_array_equal(order, np.argsort(scores, kind="stable"))


# --- How many


@given(datasets())
def test_the_number_of_issues_is_the_oracles(data: Data) -> None:
    thresholds = conflearn.confident_thresholds(*data)
    for method in ("off_diagonal", "off_diagonal_calibrated"):
        number = conflearn.num_label_issues(*data, method=method)
        assert type(number) is int
        assert number == reference.num_label_issues(*data, method=method, thresholds=thresholds)


@given(datasets())
def test_the_number_of_issues_is_what_confident_learning_flags(data: Data) -> None:
    mask = conflearn.find_label_issues(*data, filter_by="confident_learning")
    assert conflearn.num_label_issues(*data) == mask.sum()


@given(likely_data(max_classes=9), st.integers(0, 1000))
def test_the_number_of_issues_of_a_given_joint(data: Data, seed: int) -> None:
    joint = random_joint(data.pred_probs.shape[1], seed=seed)
    custom: dict[str, Any] = {"method": "off_diagonal_custom"}
    number = conflearn.num_label_issues(*data, confident_joint=joint, **custom)
    assert number == reference.num_label_issues(*data, counts=joint, **custom)
