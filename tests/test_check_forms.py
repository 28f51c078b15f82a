"""Checks say the same of all forms of the data, and a report says it to people and programs."""

import json
import pickle
from typing import Any

import numpy as np
import pytest
import scipy.sparse
from hypothesis import given

import conflearn
from checked import (
    HEALTHY,
    K,
    N,
    found,
    model,
    normalized,
    the_only,
    the_only_named,
    with_duplicates,
)
from conflearn.checks import InputReport, counted
from conflearn.errors import LabelError, OptionError, ProbabilityError, ShapeError
from expected import refused
from strategies import Data, datasets, random_data
from streams import FORMS, streaming

# --- The same of all forms


@given(data=datasets())
def test_sparse_rows_are_those_of_the_matrix(data: Data) -> None:
    labels, pred_probs = data
    dense, stored = found(labels, pred_probs), found(labels, scipy.sparse.csr_array(pred_probs))
    # What a row does not store may be what it lacks.
    if dense.pop("row_sums", None) == "warning":
        stored.pop("miscalibrated", None)
    stored.pop("row_sums", None)
    assert {**stored, "clipped_probabilities": ""} == {**dense, "clipped_probabilities": ""}


def test_top_k_is_checked_by_what_it_stores() -> None:
    labels, pred_probs = HEALTHY
    classes = np.argsort(-pred_probs, axis=1)[:, :3]
    top = conflearn.TopK(classes, np.take_along_axis(pred_probs, classes, 1), n_classes=K)
    saturated = the_only(labels, top)
    assert (saturated.name, saturated.severity) == ("saturated_probabilities", "note")
    assert "store the probability of the given class" in saturated.what_to_do
    reversed_ = conflearn.TopK(K - 1 - top.classes, top.values, n_classes=K)
    assert found(labels, reversed_)["reversed_columns"] == "error"
    too_much = conflearn.TopK(top.classes, np.minimum(2 * top.values, 1), n_classes=K)
    assert found(labels, too_much)["row_sums"] == "warning"


ILL: dict[str, Data] = {
    "healthy": HEALTHY,
    "reversed": Data(HEALTHY.labels, HEALTHY.pred_probs[:, ::-1]),
    "twice": with_duplicates(300),
    "clipped": Data(HEALTHY.labels, HEALTHY.pred_probs.clip(0.02, 0.98)),
    "shuffled": Data(np.random.default_rng(0).permutation(HEALTHY.labels), HEALTHY.pred_probs),
}


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("name", ILL)
def test_blocks_show_the_same(name: str, form: str) -> None:
    data = ILL[name]
    expected = conflearn.check_inputs(*data)
    analysis = conflearn.analyze(*data)
    with streaming(data, form, 700) as input_:
        assert conflearn.check_inputs(*input_) == expected
        streamed = conflearn.analyze(*input_)
        assert streamed.checks == analysis.checks
        assert repr(streamed) == repr(analysis)


@pytest.mark.parametrize("kind", ["probabilities", "logits", "scores"])
@pytest.mark.parametrize("order", ["C", "F"])
@pytest.mark.parametrize("n_threads", [1, 2])
def test_nothing_shows_in_a_report_but_the_data(kind: Any, order: Any, n_threads: int) -> None:
    labels, pred_probs = random_data(9000, 12, decimals=3, noise=0.4)
    plain = conflearn.check_inputs(labels, pred_probs, kind=kind)
    again = conflearn.check_inputs(
        labels, np.asarray(pred_probs, order=order), kind=kind, n_threads=n_threads
    )
    assert again == plain
    options = {"kind": kind, "n_threads": n_threads}
    of_batches = conflearn.check_inputs(
        None,
        [(labels[i : i + 999], pred_probs[i : i + 999]) for i in range(0, 9000, 999)],
        **options,
    )
    assert of_batches == plain


def test_an_analysis_leaves_out_equal_rows_alone() -> None:
    for name, data in ILL.items():
        whole = conflearn.check_inputs(*data)
        analysis = conflearn.analyze(*data)
        names = [one for one in whole.names if one != "conflicting_duplicates"]
        assert list(analysis.checks.names) == names, name
        # What was cut off is equal because of that.
        assert whole.left_out == (("conflicting_duplicates",) if name == "clipped" else ())
        assert analysis.checks.left_out == ("conflicting_duplicates",)
        doubts = "doubts about the inputs" in repr(analysis)
        assert doubts == (not analysis.checks.is_healthy)
    assert "  doubts about the inputs: reversed_columns (error); print .checks" in repr(
        conflearn.analyze(*ILL["reversed"])
    )


def test_an_analysis_looks_at_a_sample_of_many_rows() -> None:
    labels, pred_probs = model(60_000, 4)
    wide = pred_probs * np.random.default_rng(0).uniform(0.5, 1, (60_000, 1))
    whole = the_only_named("row_sums", labels, wide)
    sampled = next(one for one in conflearn.analyze(labels, wide).checks if one.name == "row_sums")
    assert whole.figures["n_rows"] == 60_000
    n_rows = sampled.figures["n_rows"]
    assert 950 < n_rows <= 1000
    share = whole.figures["n_off_by_0.05"] / 60_000
    assert sampled.figures["n_off_by_0.05"] / n_rows == pytest.approx(share, abs=0.05)


def test_a_mean_of_models_is_checked_too() -> None:
    labels, pred_probs = HEALTHY
    ensemble = [pred_probs[:, ::-1], normalized(pred_probs[:, ::-1] ** 0.5)]
    assert conflearn.analyze(labels, ensemble).checks.names[0] == "reversed_columns"


# --- The report


def test_a_report_is_a_sequence_of_findings() -> None:
    labels, pred_probs = with_duplicates(20)
    wide = pred_probs[:, ::-1] * np.random.default_rng(0).uniform(0.5, 1, (N, 1))
    report = conflearn.check_inputs(labels, wide)
    assert isinstance(report, InputReport)
    assert [one.severity for one in report] == ["error", "warning"]
    assert report[0] in report
    assert report[-1:] == report.findings[-1:]
    assert not report.is_healthy
    assert (report.n_examples, report.n_classes, report.kind) == (N, K, "probabilities")
    assert repr(report).startswith(
        "InputReport of 5,000 labels in 6 classes: 1 error, 1 warning\n"
        "  error: reversed_columns\n"
        "    seen: the most probable class is the given one in"
    )
    assert "\n    do:   divide each row by its sum" in str(report)
    assert max(map(len, str(report).splitlines())) <= 98
    records = report.to_records()
    assert [record["name"] for record in records] == list(report.names)
    assert json.loads(json.dumps(report.to_dict())) == report.to_dict()
    assert pickle.loads(pickle.dumps(report)) == report


def test_a_healthy_report_says_so() -> None:
    report = conflearn.check_inputs(*HEALTHY)
    assert repr(report) == "InputReport of 5,000 labels in 6 classes: nothing found"
    assert report.is_healthy
    assert not report
    assert report.to_dict()["findings"] == []


def test_an_analysis_keeps_its_checks_when_pickled() -> None:
    analysis = conflearn.analyze(*ILL["reversed"])
    again = pickle.loads(pickle.dumps(analysis))
    assert again.checks == analysis.checks
    assert repr(again) == repr(analysis)


def test_bounds_are_those_of_the_core() -> None:
    sums = np.array([1 - bound - 1e-4 for bound in counted.OFF_BOUNDS] + [1])
    pred_probs = np.stack([sums, np.zeros(5)], axis=1)
    state = conflearn.states.CheckState(2)
    state.update(np.zeros(5, int), pred_probs)
    assert state._core.sums_off() == ([4, 3, 2, 1], [0, 0, 0, 0])


def test_inputs_that_are_none_are_refused() -> None:
    labels, pred_probs = HEALTHY
    with refused(ProbabilityError, "pred_probs[3, 1]"):
        bad = pred_probs.copy()
        bad[3, 1] = np.nan
        conflearn.check_inputs(labels, bad)
    with refused(LabelError, "labels[0]"):
        conflearn.check_inputs(labels + K, pred_probs)
    with refused(ShapeError, "labels"):
        conflearn.check_inputs(labels[1:], pred_probs)
    with refused(OptionError, "kind"):
        conflearn.check_inputs(labels, pred_probs, kind="odds")
    with refused(OptionError, "temperature"):
        conflearn.check_inputs(labels, pred_probs, kind="scores", temperature=2)
