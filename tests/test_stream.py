"""Data read in blocks give the answers of the same data in memory, to the bit."""

import os
from pathlib import Path
from typing import Any
from unittest import mock

import hypothesis.strategies as st
import numpy as np
import pytest
from hypothesis import given, settings

import conflearn
from conflearn.errors import (
    InputTypeError,
    LabelError,
    OptionError,
    ProbabilityError,
    ShapeError,
    SourceError,
)
from conflearn.stream import order, result_columns, selection
from expected import refused
from strategies import FILTERS, JUDGES, PRUNE_OPTIONS, SCORES, Data, datasets, random_data
from streams import (
    FORMS,
    Sliceable,
    assert_same,
    assert_same_analysis,
    small_blocks,
    streamed,
    streaming,
)

forms = st.sampled_from(FORMS)
block_rows = st.integers(1, 40)
#: How many candidates memory has room for: some take several passes, all take one.
budgets = st.sampled_from([1, 2, 7, 2_000_000])
ranks = st.sampled_from(SCORES + JUDGES)


# --- The same answer


@pytest.mark.parametrize("filter_by", FILTERS + JUDGES)
@given(data=datasets(), form=forms, n_rows=block_rows, most=budgets)
@settings(max_examples=30)
def test_the_same_examples_are_flagged(
    filter_by: Any, data: Data, form: str, n_rows: int, most: int
) -> None:
    expected = conflearn.find_label_issues(*data, filter_by=filter_by)
    with streaming(data, form, n_rows) as input_, mock.patch.object(selection, "MOST", most):
        assert_same(conflearn.find_label_issues(*input_, filter_by=filter_by), expected)


@pytest.mark.parametrize("filter_by", FILTERS + JUDGES)
@given(data=datasets(), form=forms, n_rows=block_rows, most=budgets, rank_by=ranks)
@settings(max_examples=30)
def test_they_come_in_the_same_order(
    filter_by: Any, data: Data, form: str, n_rows: int, most: int, rank_by: Any
) -> None:
    expected = conflearn.rank_label_issues(*data, filter_by=filter_by, rank_by=rank_by)
    with streaming(data, form, n_rows) as input_, mock.patch.object(selection, "MOST", most):
        ranked = conflearn.rank_label_issues(*input_, filter_by=filter_by, rank_by=rank_by)
    assert_same(ranked, expected)


@pytest.mark.parametrize("filter_by", FILTERS + JUDGES)
@given(data=datasets(), form=forms, n_rows=block_rows, most=budgets, rank_by=ranks)
@settings(max_examples=30)
def test_the_analysis_is_the_same(
    filter_by: Any, data: Data, form: str, n_rows: int, most: int, rank_by: Any
) -> None:
    expected = conflearn.analyze(*data, filter_by=filter_by, rank_by=rank_by)
    with streaming(data, form, n_rows) as input_, mock.patch.object(selection, "MOST", most):
        analysis = conflearn.analyze(*input_, filter_by=filter_by, rank_by=rank_by)
    assert_same_analysis(analysis, expected)


@pytest.mark.parametrize("method", SCORES + JUDGES)
@given(data=datasets(), form=forms, n_rows=block_rows, adjust=st.booleans())
@settings(max_examples=30)
def test_scores_are_the_same(method: Any, data: Data, form: str, n_rows: int, adjust: bool) -> None:
    options = {"method": method, "adjust_pred_probs": adjust and method in SCORES[:2]}
    expected = conflearn.label_quality_scores(*data, **options)
    with streaming(data, form, n_rows) as input_:
        assert_same(conflearn.label_quality_scores(*input_, **options), expected)


@given(data=datasets(), form=forms, n_rows=block_rows, calibrate=st.booleans())
def test_counts_are_the_same(data: Data, form: str, n_rows: int, calibrate: bool) -> None:
    n_classes = data.pred_probs.shape[1]
    own = np.eye(n_classes) + 1
    thresholds = np.full(n_classes, 0.5)

    def answers(input_: Data) -> list[Any]:
        return [
            conflearn.confident_thresholds(*input_),
            conflearn.confident_joint(*input_, calibrate=calibrate),
            conflearn.confident_joint(*input_, thresholds=thresholds, calibrate=calibrate),
            conflearn.estimate_joint(*input_),
            conflearn.estimate_joint(*input_, confident_joint=own),
            conflearn.num_label_issues(*input_),
            conflearn.num_label_issues(*input_, method="off_diagonal_calibrated"),
            conflearn.num_label_issues(*input_, method="off_diagonal_custom", confident_joint=own),
        ]

    with streaming(data, form, n_rows) as input_:
        for there, here in zip(answers(input_), answers(data), strict=True):
            assert_same(there, here)


@pytest.mark.parametrize(
    ("kind", "filter_by"),
    [("logits", name) for name in FILTERS + JUDGES] + [("scores", name) for name in FILTERS],
)
@given(data=datasets(), form=forms, n_rows=block_rows)
@settings(max_examples=15)
def test_logits_and_scores_are_looked_at_in_blocks_too(
    kind: Any, filter_by: Any, data: Data, form: str, n_rows: int
) -> None:
    cells = np.log(data.pred_probs + 0.1)
    told = {"kind": kind, "temperature": 0.5 if kind == "logits" else 1.0}
    here = Data(data.labels, cells)
    expected = conflearn.analyze(*here, filter_by=filter_by, **told)
    with streaming(here, form, n_rows) as input_:
        assert_same_analysis(conflearn.analyze(*input_, filter_by=filter_by, **told), expected)


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("options", PRUNE_OPTIONS, ids=str)
def test_filters_listen_to_their_options(options: dict[str, Any], form: str) -> None:
    data = random_data(500, 4, seed=1)
    with streaming(data, form, 64) as input_:
        for filter_by in ("prune_by_noise_rate", "prune_by_class", "both"):
            assert_same(
                conflearn.find_label_issues(*input_, filter_by=filter_by, **options),
                conflearn.find_label_issues(*data, filter_by=filter_by, **options),
            )


@pytest.mark.parametrize("filter_by", FILTERS + JUDGES)
def test_every_width_is_read_in_blocks(filter_by: Any, width: np.dtype, tmp_path: Path) -> None:
    labels, pred_probs = random_data(400, 5, seed=2)
    narrow = Data(labels, pred_probs.astype(width))
    batches = [(labels[i : i + 90], narrow.pred_probs[i : i + 90]) for i in range(0, 400, 90)]
    assert_same_analysis(
        conflearn.analyze(None, batches, filter_by=filter_by),
        conflearn.analyze(*narrow, filter_by=filter_by),
    )


@pytest.mark.parametrize("filter_by", FILTERS)
def test_sparse_rows_are_looked_at_in_blocks_too(filter_by: Any, tmp_path: Path) -> None:
    scipy_sparse = pytest.importorskip("scipy.sparse")
    labels, pred_probs = random_data(300, 12, seed=3)
    best = np.argsort(-pred_probs, axis=1, kind="stable")[:, :4]
    top = conflearn.TopK(best, np.take_along_axis(pred_probs, best, axis=1), n_classes=12)
    for name in ("classes", "values"):
        np.save(tmp_path / f"{name}.npy", getattr(top, name))
    files = conflearn.TopK(tmp_path / "classes.npy", tmp_path / "values.npy", n_classes=12)
    expected = conflearn.analyze(labels, top.to_dense(), filter_by=filter_by)
    joint = scipy_sparse.csr_array(expected.confident_joint)
    with small_blocks(70):
        for rows in (top, files, scipy_sparse.csr_array(top.to_dense())):
            told: list[Any] = []
            how = {"progress": lambda *seen, told=told: told.append(seen)}
            folder = {"checkpoint": tmp_path / "checkpoint"}
            found = conflearn.analyze(labels, rows, filter_by=filter_by, **how, **folder)
            assert_same_analysis(found, expected)
            custom = {"method": "off_diagonal_custom", "confident_joint": joint}
            wrong = conflearn.num_label_issues(labels, rows, **custom, **how, **folder)
            assert wrong == conflearn.num_label_issues(labels, top, **custom)
            assert told


def test_names_are_read_in_blocks_too() -> None:
    labels, pred_probs = random_data(100, 3)
    names = np.array(["ant", "bee", "cat"])
    here = Data(names[labels], pred_probs)
    expected = conflearn.analyze(*here, classes=list(names)).to_records()
    with streaming(here, "npy", 7) as input_:
        assert_same(conflearn.analyze(*input_, classes=list(names)).to_records(), expected)


@pytest.mark.parametrize("filter_by", FILTERS)
def test_real_data_give_the_same_from_a_file(
    real_data: Data, filter_by: Any, tmp_path: Path
) -> None:
    input_ = streamed(real_data, "npy", tmp_path)
    with small_blocks(3000), mock.patch.object(selection, "MOST", 500):
        analysis = conflearn.analyze(*input_, filter_by=filter_by)
    assert_same_analysis(analysis, conflearn.analyze(*real_data, filter_by=filter_by))


@given(data=datasets(), most=st.integers(1, 9), window=st.integers(1, 9))
@settings(max_examples=20)
def test_an_order_that_memory_has_no_room_for_is_the_same(
    data: Data, most: int, window: int
) -> None:
    expected = conflearn.analyze(*data)
    with (
        streaming(data, "npy", 11) as input_,
        mock.patch.object(order, "MOST", most),
        mock.patch.object(result_columns, "WINDOW", window),
    ):
        out = Path(input_.labels).with_name("out")
        assert_same_analysis(conflearn.analyze(*input_, out=out), expected)


# --- What in-memory input has of it


def test_arrays_in_memory_are_looked_at_in_blocks_if_somebody_wants_to_know() -> None:
    data = random_data(100, 3)
    told: list[Any] = []
    with small_blocks(30):
        analysis = conflearn.analyze(*data, progress=lambda *seen: told.append(seen))
    assert_same_analysis(analysis, conflearn.analyze(*data))
    assert ("look", 60, 100) in told


def test_arrays_without_wishes_need_no_run(monkeypatch: pytest.MonkeyPatch) -> None:
    def no_source(*_: Any, **__: Any) -> None:
        raise AssertionError

    monkeypatch.setattr(conflearn.sources, "open_source", no_source)
    conflearn.find_label_issues(*random_data(10, 2), progress=False)


# --- Errors


def test_a_cell_that_is_no_probability_is_named_by_its_row_and_block(tmp_path: Path) -> None:
    labels, pred_probs = random_data(100, 3)
    pred_probs[77, 1] = np.nan
    input_ = streamed(Data(labels, pred_probs), "npy", tmp_path)
    for find in (conflearn.find_label_issues, conflearn.analyze, conflearn.confident_joint):
        with small_blocks(10), refused(ProbabilityError, "pred_probs[77, 1] is NaN") as caught:
            find(*input_)
        (note,) = caught.value.__notes__
        assert note == f"in rows 70 to 79 of {input_[1]}, with labels of {input_[0]}"


@pytest.mark.parametrize("name", ["thresholds", "look", "selection"])
def test_a_file_that_is_cut_off_during_a_pass_is_named(name: str, tmp_path: Path) -> None:
    data = random_data(1000, 3)
    labels, matrix = streamed(data, "npy", tmp_path)
    size = matrix.stat().st_size

    def cut_off(of_pass: str, done: int, _total: int | None) -> None:
        if of_pass == name and done == 200:
            os.truncate(matrix, size // 2)

    out = tmp_path / "mask.npy"
    with small_blocks(100), refused(SourceError, str(matrix), "ends at byte", "cut short"):
        conflearn.find_label_issues(labels, matrix, progress=cut_off, out=out)
    assert not out.exists()


def test_a_label_that_is_no_class_is_named_by_its_row(tmp_path: Path) -> None:
    labels, pred_probs = random_data(100, 3)
    labels[55] = 3
    input_ = streamed(Data(labels, pred_probs), "npy", tmp_path)
    for find in (
        conflearn.find_label_issues,
        conflearn.analyze,
        conflearn.label_quality_scores,
        conflearn.confident_thresholds,
    ):
        with small_blocks(10), refused(LabelError, "labels[55] is 3"):
            find(*input_)


def test_a_score_of_a_row_beyond_the_first_block_is_refused_by_its_row(tmp_path: Path) -> None:
    labels, pred_probs = random_data(100, 3)
    pred_probs[77] = np.nan
    input_ = streamed(Data(labels, pred_probs), "npy", tmp_path)
    for method in SCORES:
        with small_blocks(10), refused(ProbabilityError, "pred_probs[77, "):
            conflearn.label_quality_scores(*input_, method=method)


def test_labels_that_change_between_passes_are_noticed() -> None:
    labels, pred_probs = random_data(100, 3)

    class Changing(Sliceable):
        by = 0

        def __getitem__(self, rows: slice) -> np.ndarray:
            return (super().__getitem__(rows) + self.by) % 3

    changing = Changing(labels)

    def progress(name: str, *_: object) -> None:
        changing.by = name == "look"

    with refused(SourceError, "labels changed", "given class 0", "must stay as they are"):
        conflearn.find_label_issues(changing, Sliceable(pred_probs), progress=progress)


def test_batches_without_rows_are_refused() -> None:
    with refused(ShapeError, "pred_probs"):
        conflearn.find_label_issues(None, [])


def test_what_needs_probabilities_says_so_before_it_reads(tmp_path: Path) -> None:
    input_ = streamed(random_data(20, 3), "npy", tmp_path)
    told: list[Any] = []
    options = {"kind": "scores", "progress": lambda *seen: told.append(seen)}
    for find, name in (
        (conflearn.analyze, "rank_by"),
        (conflearn.rank_label_issues, "rank_by"),
        (conflearn.label_quality_scores, "method"),
    ):
        with refused(OptionError, "confidence_weighted_entropy needs probabilities"):
            find(*input_, **options, **{name: "confidence_weighted_entropy"})
    with refused(OptionError, "adjust_pred_probs=True needs probabilities"):
        conflearn.label_quality_scores(*input_, **options, adjust_pred_probs=True)
    assert told == []


def test_several_matrices_are_looked_at_in_memory() -> None:
    labels, pred_probs = random_data(20, 3)
    for options in ({"out": "a"}, {"progress": True}, {"checkpoint": "b"}):
        with refused(OptionError, f"{next(iter(options))} does not go with several matrices"):
            conflearn.analyze(labels, [pred_probs, pred_probs], **options)


def test_functions_that_take_no_file_say_which_ones_do() -> None:
    labels, pred_probs = random_data(20, 3)
    for find in (conflearn.off_diagonal_examples, conflearn.sample_weights):
        with refused(
            InputTypeError, "of type str", "files are read by analyze", "numpy.load(pred_probs"
        ):
            find(labels, "pred_probs.npy")
    with refused(InputTypeError, "labels", "files are read by"):
        conflearn.off_diagonal_examples("labels.npy", pred_probs)


def test_functions_that_are_said_to_read_files_do(tmp_path: Path) -> None:
    labels, pred_probs = random_data(20, 3)
    np.save(tmp_path / "labels.npy", labels)
    np.save(tmp_path / "pred_probs.npy", pred_probs)
    with pytest.raises(InputTypeError) as caught:
        conflearn.sample_weights(labels, "pred_probs.npy")
    said = str(caught.value).partition("files are read by ")[2].partition(";")[0]
    names = said.replace(" and ", ", ").split(", ")
    assert {"analyze", "check_inputs", "recommend", "fit_calibration"} < set(names)
    for name in names:
        getattr(conflearn, name)(tmp_path / "labels.npy", tmp_path / "pred_probs.npy")
