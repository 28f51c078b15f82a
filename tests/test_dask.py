"""Dask: the answers of arrays in memory, however they are chunked and whoever dies."""

import os
import signal
from typing import Any

import numpy as np
import pytest

import conflearn
from conflearn.errors import (
    InputError,
    InputTypeError,
    LabelError,
    MissingDependencyError,
    OptionError,
    ShapeError,
)
from conflearn.states import SelectionState
from expected import refused
from strategies import FILTERS, JUDGES, SCORES, random_data

dask = pytest.importorskip("dask")
pytest.importorskip("distributed")
pd = pytest.importorskip("pandas")
import dask.array as da  # noqa: E402 - it may not be there
import dask.dataframe as dd  # noqa: E402

import conflearn.dask  # noqa: E402

NAMES = ["ant", "bee", "cat", "dog"]
DATA = random_data(400, 4, decimals=1, n_absent=1)
LABELS = da.from_array(DATA.labels, chunks=((150, 10, 240),))
PRED_PROBS = da.from_array(DATA.pred_probs, chunks=((150, 10, 240), (4,)))
MASK = conflearn.find_label_issues(*DATA)

CLASSES = [f"p_{name}" for name in NAMES]
FRAME = pd.DataFrame(DATA.pred_probs, columns=CLASSES).assign(
    label=DATA.labels,
    name=np.array(NAMES)[DATA.labels],
    number=np.arange(400)[::-1],
    lists=list(DATA.pred_probs),
)


@pytest.fixture(autouse=True)
def lists_stay_lists() -> Any:
    with dask.config.set({"dataframe.convert-string": False}):
        yield


@pytest.fixture
def frame() -> Any:
    return dd.from_pandas(FRAME, npartitions=3)


# --- Arrays


def test_another_number_of_classes_is_named() -> None:
    with refused(InputError, "n_classes is 9, but pred_probs has 4 columns"):
        conflearn.dask.find_label_issues(LABELS, PRED_PROBS, n_classes=9)


def test_an_analysis_is_shown_in_a_line() -> None:
    assert repr(conflearn.dask.analyze(LABELS, PRED_PROBS)).startswith(
        "<Analysis of 400 labels in 4 classes, filter_by='prune_by_noise_rate'; estimated number"
    )


@pytest.mark.parametrize("filter_by", FILTERS + JUDGES)
def test_filters(filter_by) -> None:
    found = conflearn.dask.find_label_issues(LABELS, PRED_PROBS, filter_by=filter_by)
    assert (found.dtype, found.chunks) == (bool, LABELS.chunks)
    mask = conflearn.find_label_issues(*DATA, filter_by=filter_by)
    assert found.compute().tobytes() == mask.tobytes()


@pytest.mark.parametrize(
    ("filter_by", "rank_by"),
    [("prune_by_noise_rate", name) for name in ("normalized_margin", *JUDGES)]
    + [(name, "self_confidence") for name in JUDGES],
)
def test_analysis(filter_by, rank_by) -> None:
    options = {"filter_by": filter_by, "rank_by": rank_by}
    found = conflearn.dask.analyze(LABELS, PRED_PROBS, **options)
    expected = conflearn.analyze(*DATA, **options)
    results, issues = dask.compute(found.results, found.issues)
    assert list(results) == ["is_issue", "suggested_label", *expected.scores]
    assert results["is_issue"].tobytes() == expected.mask.tobytes()
    assert results["suggested_label"].tobytes() == expected.suggested_labels.tobytes()
    for score in expected.scores:
        assert results[score].tobytes() == expected.scores[score].tobytes()
    assert issues.tobytes() == expected.ranked.tobytes()
    assert found.thresholds.tobytes() == expected.thresholds.tobytes()
    assert found.confident_joint.tobytes() == expected.confident_joint.tobytes()
    assert found.num_issues == expected.num_issues


@pytest.mark.parametrize("filter_by", ["prune_by_noise_rate", "noise_floor", "auto"])
def test_what_is_calibrated_on_the_way(filter_by) -> None:
    options = {"filter_by": filter_by, "temperature": 1.5, "class_bias": [0.5, -0.5, 0.2, 0.0]}
    mask = conflearn.find_label_issues(*DATA, **options)
    found = conflearn.dask.find_label_issues(LABELS, PRED_PROBS, **options)
    assert found.compute().tobytes() == mask.tobytes()
    analysis = conflearn.dask.analyze(LABELS, PRED_PROBS, **options)
    expected = conflearn.analyze(*DATA, **options)
    assert analysis.thresholds.tobytes() == expected.thresholds.tobytes()
    assert analysis.issues.compute().tobytes() == expected.ranked.tobytes()
    assert analysis.cut == expected.cut


@pytest.mark.parametrize(
    ("of_labels", "of_pred_probs"),
    [(400, (400, 4)), (7, (100, 4)), (100, (33, 3)), (1, (400, 1)), (13, (13, 2))],
)
def test_chunks(of_labels, of_pred_probs) -> None:
    found = conflearn.dask.find_label_issues(
        LABELS.rechunk(of_labels), PRED_PROBS.rechunk(of_pred_probs)
    )
    assert found.compute().tobytes() == MASK.tobytes()


def test_chunks_of_unknown_sizes() -> None:
    keep = da.from_array(np.arange(400) % 3 > 0, chunks=LABELS.chunks)
    labels, pred_probs = LABELS[keep], PRED_PROBS[keep]
    assert np.isnan(labels.shape[0])
    kept = np.arange(400) % 3 > 0
    expected = conflearn.analyze(DATA.labels[kept], DATA.pred_probs[kept])
    found = conflearn.dask.analyze(labels, pred_probs)
    assert found.issues.compute().tobytes() == expected.ranked.tobytes()
    for filter_by in ("predicted_neq_given", "confident_learning", *JUDGES):
        mask = conflearn.find_label_issues(
            DATA.labels[kept], DATA.pred_probs[kept], filter_by=filter_by
        )
        flagged = conflearn.dask.find_label_issues(labels, pred_probs, filter_by=filter_by)
        assert flagged.compute().tobytes() == mask.tobytes()


def test_an_empty_chunk() -> None:
    keep = da.from_array(np.arange(400) < 150, chunks=LABELS.chunks)
    found = conflearn.dask.analyze(LABELS[keep], PRED_PROBS[keep])
    expected = conflearn.analyze(DATA.labels[:150], DATA.pred_probs[:150])
    assert found.results["is_issue"].compute().tobytes() == expected.mask.tobytes()
    assert found.issues.compute().tobytes() == expected.ranked.tobytes()


def test_many_chunks_are_merged_in_a_tree() -> None:
    found = conflearn.dask.find_label_issues(LABELS.rechunk(3), PRED_PROBS.rechunk((3, 4)))
    assert found.compute().tobytes() == MASK.tobytes()


@pytest.mark.parametrize("dtype", [np.float16, np.float32])
def test_narrow_cells(dtype) -> None:
    narrow = DATA.pred_probs.astype(dtype)
    found = conflearn.dask.find_label_issues(LABELS, da.from_array(narrow, chunks=(99, 4)))
    mask = conflearn.find_label_issues(DATA.labels, narrow)
    assert found.compute().tobytes() == mask.tobytes()


def test_one_column_of_scores() -> None:
    scores = DATA.pred_probs[:, 0] - 0.5
    labels = (DATA.labels > 1).astype(int)
    found = conflearn.dask.analyze(
        da.from_array(labels, chunks=90), da.from_array(scores, chunks=90), kind="scores"
    )
    expected = conflearn.analyze(labels, scores, kind="scores")
    assert list(found.results) == ["is_issue", "suggested_label", *SCORES[:2]]
    assert found.issues.compute().tobytes() == expected.ranked.tobytes()


def test_ids_in_place_of_rows() -> None:
    backwards = da.from_array(np.arange(400)[::-1], chunks=LABELS.chunks)
    found = conflearn.dask.find_label_issues(LABELS, PRED_PROBS, id=backwards)
    mask = conflearn.find_label_issues(DATA.labels[::-1], DATA.pred_probs[::-1])[::-1]
    assert found.compute().tobytes() == mask.tobytes()


def test_the_largest_of_each_row_alone() -> None:
    classes = np.argsort(-DATA.pred_probs, axis=1, kind="stable")[:, :2]
    values = np.take_along_axis(DATA.pred_probs, classes, axis=1)
    top = conflearn.TopK(
        da.from_array(classes, chunks=(50, 1)), da.from_array(values, chunks=(99, 2)), n_classes=4
    )
    found = conflearn.dask.analyze(LABELS, top)
    expected = conflearn.analyze(DATA.labels, conflearn.TopK(classes, values, n_classes=4))
    assert found.issues.compute().tobytes() == expected.ranked.tobytes()
    assert found.num_issues == expected.num_issues


# --- Frames


@pytest.mark.parametrize("column", [CLASSES, "lists"])
def test_frames(frame, column) -> None:
    found = conflearn.dask.analyze(frame["name"], frame[column], classes=NAMES)
    expected = conflearn.analyze(*DATA)
    results, issues = dask.compute(found.results, found.issues)
    assert results.columns.tolist() == ["is_issue", "suggested_label", *SCORES]
    assert results.index.equals(FRAME.index)
    assert found.results.divisions == frame.divisions
    assert results["is_issue"].to_numpy().tobytes() == expected.mask.tobytes()
    suggested = np.array(NAMES)[expected.suggested_labels]
    assert results["suggested_label"].tolist() == suggested.tolist()
    for score in SCORES:
        assert results[score].to_numpy().tobytes() == expected.scores[score].tobytes()
    assert issues.index.tolist() == expected.ranked.tolist()


def test_frames_with_ids(frame) -> None:
    found = conflearn.dask.find_label_issues(frame["label"], frame[CLASSES], id=frame["number"])
    results = found.compute()
    assert results.columns.tolist() == ["number", "is_issue"]
    mask = conflearn.find_label_issues(DATA.labels[::-1], DATA.pred_probs[::-1])[::-1]
    assert results["is_issue"].to_numpy().tobytes() == mask.tobytes()
    issues = conflearn.dask.analyze(frame["label"], frame[CLASSES], id=frame["number"]).issues
    reversed_ = conflearn.rank_label_issues(DATA.labels[::-1], DATA.pred_probs[::-1])
    assert issues.compute()["number"].tolist() == reversed_.tolist()


@pytest.mark.parametrize("backend", ["numpy", "pyarrow"])
def test_a_parquet_file(tmp_path, backend) -> None:
    pytest.importorskip("pyarrow")
    FRAME.to_parquet(tmp_path / "data.parquet", row_group_size=130)
    options = {"dtype_backend": "pyarrow"} if backend == "pyarrow" else {}
    frame = dd.read_parquet(tmp_path, split_row_groups=True, **options)
    assert frame.npartitions > 1
    for column in (CLASSES, "lists"):
        found = conflearn.dask.find_label_issues(frame["label"], frame[column])
        assert found["is_issue"].compute().to_numpy().tobytes() == MASK.tobytes()


@pytest.mark.parametrize("filter_by", FILTERS)
def test_many_chunks_know_of_the_first_of_them(filter_by) -> None:
    """And may be empty, ids and all."""
    lengths = (20,) * 10 + (0,) + (20,) * 10
    labels, pred_probs = LABELS.rechunk((lengths,)), PRED_PROBS.rechunk((lengths, (4,)))
    ids = da.from_array(np.arange(400), chunks=(lengths,))
    mask = conflearn.find_label_issues(*DATA, filter_by=filter_by)
    for options in ({}, {"id": ids}):
        found = conflearn.dask.find_label_issues(labels, pred_probs, filter_by=filter_by, **options)
        assert (found.compute().tobytes(), found.chunks) == (mask.tobytes(), (lengths,))


def test_several_rounds_of_selection(monkeypatch) -> None:
    monkeypatch.setitem(SelectionState.__init__.__kwdefaults__, "most", 20)
    found = conflearn.dask.find_label_issues(LABELS.rechunk(20), PRED_PROBS.rechunk((20, 4)))
    assert found.compute().tobytes() == MASK.tobytes()


@pytest.mark.parametrize("options", [{}, {"id": da.from_array(np.arange(400), chunks=150)}])
def test_flags_by_a_quota_need_no_look_of_their_own(options) -> None:
    sights = []

    def load(block_id: tuple[int, int] | None = None) -> Any:
        sights.append(block_id)
        return DATA.pred_probs[150 * block_id[0] : 150 * block_id[0] + 150]

    chunks = ((150, 150, 100), (4,))
    pred_probs = da.map_blocks(load, chunks=chunks, dtype=float, meta=np.empty((0, 0)))
    labels = LABELS.rechunk(chunks[:1])
    found = conflearn.dask.find_label_issues(labels, pred_probs, **options)
    assert (found.compute().tobytes(), found.chunks) == (MASK.tobytes(), chunks[:1])
    assert len(sights) == 3 * 3  # thresholds, joint, selection


def test_what_is_done_to_a_chunk_is_one_task_with_reading_it(monkeypatch) -> None:
    graphs = []
    compute = dask.compute

    def counted(*parts: Any) -> Any:
        graphs.append(dict(dask.base.collections_to_expr(parts).optimize().__dask_graph__()))
        return compute(*parts)

    monkeypatch.setattr(dask, "compute", counted)
    data = [
        da.map_blocks(
            lambda block_id, one=one: one[:100], chunks=chunks, dtype=one.dtype, meta=one[:0]
        )
        for one, chunks in ((DATA.labels, ((100,) * 7,)), (DATA.pred_probs, ((100,) * 7, (4,))))
    ]
    conflearn.dask.find_label_issues(*data, filter_by="confident_learning")
    (graph,) = graphs
    assert len(graph) <= 7 + 3  # and the state, and merging


# --- Workers that die


@pytest.mark.parametrize("sight", range(4))
def test_a_killed_worker_changes_nothing(tmp_path, sight) -> None:
    """In any pass: each of them loads the second chunk once, and one of them dies of it."""
    from distributed import Client, LocalCluster

    markers = str(tmp_path)

    def load(part: slice, dies: bool) -> Any:
        if dies:
            number = len(os.listdir(markers))  # noqa: PTH208 - a worker has no pathlib here
            open(f"{markers}/{number}", "x").close()  # noqa: PTH123
            if number == sight:
                os.kill(os.getpid(), signal.SIGKILL)
        return DATA.pred_probs[part]

    parts = [slice(0, 150), slice(150, 160), slice(160, 400)]
    chunks = [
        da.from_delayed(
            dask.delayed(load)(part, part.start == 150), (part.stop - part.start, 4), float
        )
        for part in parts
    ]
    with (
        LocalCluster(n_workers=2, threads_per_worker=1, dashboard_address=None) as cluster,
        Client(cluster),
    ):
        found = conflearn.dask.analyze(LABELS, da.concatenate(chunks)).results["is_issue"]
        assert found.compute().tobytes() == MASK.tobytes()
    assert len(list(tmp_path.iterdir())) == 5  # thresholds, joint, selection, results, and again


# --- What is refused


def test_bad_rows() -> None:
    wrong = da.where(da.arange(400, chunks=LABELS.chunks) == 155, 4, LABELS)
    with refused(LabelError, "labels[155] is 4"):
        conflearn.dask.analyze(wrong, PRED_PROBS)
    with refused(InputError, "id", "two rows have 0"):
        conflearn.dask.analyze(LABELS, PRED_PROBS, id=da.zeros_like(LABELS))
    anew = da.from_array(np.arange(400) % 160, chunks=LABELS.chunks)
    with refused(InputError, "two rows have"):
        conflearn.dask.analyze(LABELS, PRED_PROBS, id=anew)
    per_chunk = da.from_array(
        np.concatenate([np.arange(150), np.arange(10), np.arange(240)]), chunks=LABELS.chunks
    )
    with refused(InputError, "of 400 rows the largest is 239"):
        conflearn.dask.analyze(LABELS, PRED_PROBS, id=per_chunk)


def test_shapes_that_do_not_fit(frame) -> None:
    with refused(ShapeError, "labels has 399 entries", "400 rows"):
        conflearn.dask.find_label_issues(LABELS[1:], PRED_PROBS)
    with refused(ShapeError, "labels must have one dimension"):
        conflearn.dask.find_label_issues(PRED_PROBS, PRED_PROBS)
    with refused(ShapeError, "pred_probs must have two dimensions", "(400, 4, 1)"):
        conflearn.dask.find_label_issues(LABELS, PRED_PROBS[..., None])
    unknown = LABELS[LABELS >= 0]
    with refused(ShapeError, "labels has 3 chunks, but pred_probs has 4"):
        conflearn.dask.find_label_issues(unknown, PRED_PROBS.rechunk((100, 4)))
    with refused(ShapeError, "labels has 3 chunks, but pred_probs has 1"):
        conflearn.dask.find_label_issues(frame["label"], frame[CLASSES].repartition(npartitions=1))
    with refused(ShapeError, "empty"):
        nothing = frame[frame["label"] > 9]
        conflearn.dask.find_label_issues(nothing["label"], nothing[CLASSES])


def test_bad_arguments(frame) -> None:
    with refused(InputTypeError, "labels must be a dask array", "numpy.ndarray"):
        conflearn.dask.find_label_issues(DATA.labels, PRED_PROBS)
    with refused(InputTypeError, "labels must be a dask array", "Series"):
        conflearn.dask.find_label_issues(frame["label"], PRED_PROBS)
    with refused(OptionError, "filter_by"):
        conflearn.dask.find_label_issues(LABELS, PRED_PROBS, filter_by="prune")
    with refused(OptionError, "rank_by"):
        conflearn.dask.analyze(LABELS, PRED_PROBS, rank_by="margin")
    with (
        dask.config.set({"dataframe.convert-string": True}),
        refused(InputTypeError, "pred_probs holds strings", "convert-string"),
    ):
        strings = dd.from_pandas(FRAME, npartitions=3)
        conflearn.dask.find_label_issues(strings["label"], strings["lists"])


def test_dask_is_asked_for(monkeypatch) -> None:
    monkeypatch.setattr(conflearn.dask, "find_spec", lambda name: None)
    with refused(MissingDependencyError, "conflearn[dask]"):
        conflearn.dask.find_label_issues(LABELS, PRED_PROBS)
