"""An analysis: everything at once, and the same as everything one by one."""

import pickle
from typing import Any

import numpy as np
import pytest
from hypothesis import given

import conflearn
import reference
from strategies import FILTERS, PRUNE_OPTIONS, SCORES, Data, datasets, random_data


@pytest.mark.parametrize("filter_by", FILTERS)
@given(data=datasets())
def test_an_analysis_is_the_sum_of_its_parts(data: Data, filter_by: Any) -> None:
    analysis = conflearn.analyze(*data, filter_by=filter_by)
    same = np.testing.assert_array_equal
    same(analysis.mask, conflearn.find_label_issues(*data, filter_by=filter_by))
    same(analysis.ranked, conflearn.rank_label_issues(*data, filter_by=filter_by))
    same(analysis.thresholds, conflearn.confident_thresholds(*data))
    same(analysis.confident_joint, conflearn.confident_joint(*data))
    same(analysis.joint, conflearn.estimate_joint(*data))
    assert analysis.num_issues == conflearn.num_label_issues(*data)


@given(datasets())
def test_an_analysis_has_every_score(data: Data) -> None:
    analysis = conflearn.analyze(*data)
    assert set(analysis.scores) == set(SCORES)
    for method in SCORES:
        np.testing.assert_array_equal(
            analysis.scores[method], conflearn.label_quality_scores(*data, method=method)
        )


@given(datasets())
def test_the_noise_model_is_that_of_the_calibrated_joint(data: Data) -> None:
    analysis = conflearn.analyze(*data)
    expected = conflearn.estimate_noise_model(analysis.confident_joint, data.labels)
    for ours, theirs in zip(analysis.noise_model, expected, strict=True):
        np.testing.assert_array_equal(ours, theirs)


@pytest.mark.parametrize("filter_by", FILTERS)
@given(data=datasets())
def test_a_flagged_label_is_replaced_by_the_most_probable_other(data: Data, filter_by: Any) -> None:
    analysis = conflearn.analyze(*data, filter_by=filter_by)
    assert analysis.suggested_labels.dtype == np.int64
    np.testing.assert_array_equal(
        analysis.suggested_labels, reference.suggested_labels(*data, analysis.mask)
    )


@pytest.mark.parametrize("rank_by", SCORES)
def test_records_have_a_row_for_each_issue_the_worst_first(rank_by: Any) -> None:
    labels, pred_probs = random_data(300, 4)
    analysis = conflearn.analyze(labels, pred_probs, rank_by=rank_by)
    records = analysis.to_records()
    assert records.dtype.names == ("index", "given", "suggested", "score", "reason")
    assert len(records) == analysis.mask.sum() > 0
    np.testing.assert_array_equal(records["index"], analysis.ranked)
    np.testing.assert_array_equal(records["given"], labels[analysis.ranked])
    np.testing.assert_array_equal(records["suggested"], analysis.suggested_labels[analysis.ranked])
    np.testing.assert_array_equal(records["score"], analysis.scores[rank_by][analysis.ranked])
    assert (np.diff(records["score"]) >= 0).all()
    assert all(records["reason"])


@pytest.mark.parametrize("options", PRUNE_OPTIONS, ids=list)
def test_an_analysis_takes_the_options_of_the_prune_filters(options: dict[str, Any]) -> None:
    data = random_data(500, 4)
    analysis = conflearn.analyze(*data, **options)
    np.testing.assert_array_equal(analysis.mask, conflearn.find_label_issues(*data, **options))
    np.testing.assert_array_equal(analysis.ranked, conflearn.rank_label_issues(*data, **options))


def test_an_analysis_on_real_data(real_data: Data) -> None:
    analysis = conflearn.analyze(*real_data)
    np.testing.assert_array_equal(analysis.mask, conflearn.find_label_issues(*real_data))
    np.testing.assert_array_equal(analysis.ranked, conflearn.rank_label_issues(*real_data))
    assert len(analysis.to_records()) == analysis.mask.sum()


def test_an_analysis_without_issues_has_no_records() -> None:
    analysis = conflearn.analyze([0, 1], np.eye(2))
    assert not analysis.mask.any()
    assert len(analysis.ranked) == len(analysis.to_records()) == 0
    assert analysis.num_issues == 0


def test_an_analysis_shows_what_matters() -> None:
    analysis = conflearn.analyze(*random_data(300, 4))
    assert isinstance(analysis, conflearn.Analysis)
    text = repr(analysis)
    assert "300" in text
    assert str(analysis.mask.sum()) in text


def test_an_analysis_can_be_pickled() -> None:
    analysis = conflearn.analyze(*random_data(300, 4))
    again = pickle.loads(pickle.dumps(analysis))
    assert repr(again) == repr(analysis)
    np.testing.assert_array_equal(again.to_records(), analysis.to_records())
    assert type(again.scores) is type(analysis.scores)
