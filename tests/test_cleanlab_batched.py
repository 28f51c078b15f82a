"""Batches: the answers of the whole data in memory, to the bit, and side by side with cleanlab.

Where the two packages differ on purpose, the difference has a name in `INTENDED_DIFFERENCES` and a
test `test_difference_<name>` that shows both sides of it.
"""

import json
import multiprocessing
import subprocess
import sys
import textwrap
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from conflearn.cleanlab import count, rank
from conflearn.cleanlab import filter as filters
from conflearn.cleanlab.experimental import label_issues_batched as ours
from conflearn.cleanlab.experimental.label_issues_batched import (
    LabelInspector,
    find_label_issues_batched,
)
from conflearn.errors import SourceError
from side_by_side import assert_shown_and_documented, outcome
from strategies import SCORES, Data, cornered_data, likely_data, random_data

theirs = pytest.importorskip("cleanlab.experimental.label_issues_batched")

INTENDED_DIFFERENCES = {
    "batches_sorted": "The rows that are found come in the order of their scores, as cleanlab's "
    "documents say; there in the order of the rows.",
    "batches_as_in_memory": "The number of issues is what num_label_issues counts of all rows; "
    "there it leaves out those whose most probable class is not confident.",
    "absent_classes_never_confident": "The threshold of a class that no example is given is 2, "
    "which no probability reaches; there 2e-6, which nearly all do.",
    "batches_not_copied": "Of the matrix there are only a few blocks in memory; there a copy of "
    "all of it.",
    "batches_by_threads": "n_jobs is a number of threads; there a pool of processes.",
    "batch_arguments_named": "Options that do not exist, a batch_size of 0 and labels that are no "
    "class are refused by name; there they are ignored, never come to an end, or count for others.",
    "empty_batches_pass": "A batch without rows changes nothing; there it is an error.",
    "files_of_all_kinds": "labels_file and pred_probs_file may be any path that conflearn reads, "
    "and a SourceError says what is wrong with one; there it is the name of an .npy file.",
    "one_calibration": "With estimation_method='off_diagonal_calibrated', thresholds that change "
    "while labels are counted are refused; there the counts by different ones are mixed.",
}

METHODS = ("off_diagonal", "off_diagonal_calibrated")
few = settings(max_examples=max(1, settings().max_examples // 2))


def test_every_intended_difference_is_shown_and_documented() -> None:
    assert_shown_and_documented(INTENDED_DIFFERENCES, globals())


def cuts_of(data: Data, size: int) -> list[Data]:
    starts = range(0, len(data.labels), size)
    return [Data(data.labels[i : i + size], data.pred_probs[i : i + size]) for i in starts]


def inspected(module: ModuleType, batches: list[Data], **options: Any) -> Any:
    """An inspector that both passes have been made with."""
    n_classes = batches[0].pred_probs.shape[1]
    inspector = module.LabelInspector(num_class=n_classes, verbose=False, **options)
    for batch in batches:
        inspector.update_confident_thresholds(*batch)
    for batch in batches:
        inspector.score_label_quality(*batch)
    return inspector


# --- As in memory


def lowest_that_disagree(data: Data, scores: np.ndarray, number: int) -> np.ndarray:
    """The definition: as many as there are issues, those with the lowest scores; but for those
    whose given class the model would predict if it were more probable by a hair."""
    cells = data.pred_probs.astype(np.float64)
    own = cells[np.arange(len(cells)), data.labels]
    raised = cells.copy()
    raised[np.arange(len(cells)), data.labels] = own + 1e-6
    disagrees = raised.argmax(axis=1) != data.labels
    rows = np.argsort(scores, kind="stable")[:number]
    return rows[disagrees[rows]]


@pytest.mark.parametrize("method", SCORES)
@given(
    data=st.one_of(likely_data(max_examples=120, max_classes=8), cornered_data()),
    size=st.integers(1, 130),
    adjust=st.booleans(),
    estimation_method=st.sampled_from(METHODS),
)
@few
def test_batches_do_not_show(
    method: str, data: Data, size: int, adjust: bool, estimation_method: str
) -> None:
    adjust = adjust and method != "confidence_weighted_entropy"
    options: dict[str, Any] = {
        "quality_score_kwargs": {"method": method, "adjust_pred_probs": adjust},
        "num_issue_kwargs": {"estimation_method": estimation_method},
    }
    inspector = inspected(ours, cuts_of(data, size), **options)
    thresholds = inspector.get_confident_thresholds()
    np.testing.assert_array_equal(thresholds, count.get_confident_thresholds(*data))
    scores = in_memory_scores(data, method, adjust=adjust)
    np.testing.assert_array_equal(inspector.get_quality_scores(), scores)
    number = in_memory_number(data, estimation_method)
    assert inspector.get_num_issues() == number
    np.testing.assert_array_equal(
        inspector.get_label_issues(), np.argsort(scores, kind="stable")[:number]
    )
    expected = lowest_that_disagree(data, scores, number)
    found = find_label_issues_batched(*data, batch_size=size, verbose=False, **options)
    np.testing.assert_array_equal(found, expected)
    mask = find_label_issues_batched(
        *data, batch_size=size, verbose=False, return_mask=True, **options
    )
    assert mask.dtype == np.bool_
    assert mask.shape == data.labels.shape
    np.testing.assert_array_equal(np.flatnonzero(mask), np.sort(expected))


def in_memory_scores(data: Data, method: str, *, adjust: bool) -> np.ndarray:
    """The drop-in function wants two classes of labels, the batches do not."""
    from conflearn import _core

    how: Any = "all_classes" if adjust else "no"
    return _core.label_quality_scores(*data, method, how, None, 0, None)  # type: ignore[arg-type]


def in_memory_number(data: Data, estimation_method: str) -> int:
    from conflearn import _core

    return _core.num_label_issues(*data, estimation_method != "off_diagonal", "row_argmax", None)


@pytest.mark.parametrize("method", ["self_confidence", "normalized_margin"])
def test_the_filter_that_it_corresponds_to(method: str) -> None:
    data = random_data(900, 7)
    mask = filters.find_label_issues(*data, filter_by=f"low_{method}")
    mask &= filters.find_label_issues(*data, filter_by="predicted_neq_given")
    options: dict[str, Any] = {"quality_score_kwargs": {"method": method}, "verbose": False}
    found = find_label_issues_batched(*data, batch_size=100, **options)
    np.testing.assert_array_equal(found, rank.order_label_issues(mask, *data, rank_by=method))
    assert len(found) > 100


def test_widths(width: np.dtype) -> None:
    labels, wide = random_data(300, 5)
    narrow = wide.astype(width)
    exact = narrow.astype(np.float64)
    np.testing.assert_array_equal(
        find_label_issues_batched(labels, narrow, batch_size=70, verbose=False),
        find_label_issues_batched(labels, exact, verbose=False),
    )


def test_fortran_order_lists_and_frames() -> None:
    pandas = pytest.importorskip("pandas")
    data = random_data(200, 4)
    expected = find_label_issues_batched(*data, verbose=False)
    for labels, pred_probs in (
        (data.labels, np.asfortranarray(data.pred_probs)),
        (data.labels.tolist(), data.pred_probs.tolist()),
        (data.labels.astype(float), pandas.DataFrame(data.pred_probs)),
        (data.labels[:, None].astype(np.uint8), data.pred_probs[:, :]),
    ):
        found = find_label_issues_batched(labels, pred_probs, batch_size=30, verbose=False)
        np.testing.assert_array_equal(found, expected)


def test_real_data(real_data: Data) -> None:
    labels = real_data.labels.astype(int)
    mask = filters.find_label_issues(labels, real_data.pred_probs, filter_by="low_self_confidence")
    mask &= filters.find_label_issues(labels, real_data.pred_probs, filter_by="predicted_neq_given")
    found = find_label_issues_batched(labels, real_data.pred_probs, batch_size=999, verbose=False)
    np.testing.assert_array_equal(
        found, rank.order_label_issues(mask, labels, real_data.pred_probs)
    )


@pytest.mark.parametrize("n_jobs", [1, 2, None])
def test_threads_do_not_show(n_jobs: int | None) -> None:
    data = random_data(20_000, 10)
    found = find_label_issues_batched(*data, n_jobs=n_jobs, verbose=False)
    np.testing.assert_array_equal(found, find_label_issues_batched(*data, verbose=False))


# --- Side by side with cleanlab, where both have one rule


def sure_data(n_examples: int, n_classes: int, *, seed: int = 0) -> Data:
    """The most probable class is always confident, and no other one ever is."""
    data = random_data(n_examples, n_classes, seed=seed)
    sharp = data.pred_probs**9
    sharp /= sharp.sum(axis=1, keepdims=True)
    keep = sharp.max(axis=1) > 0.95
    return Data(data.labels[keep], sharp[keep])


@pytest.mark.parametrize("estimation_method", METHODS)
@pytest.mark.parametrize("method", ["self_confidence", "normalized_margin"])
@pytest.mark.parametrize("adjust", [False, True])
@pytest.mark.parametrize("n_classes", [2, 3, 10])
def test_same_as_cleanlab(
    n_classes: int, adjust: bool, method: str, estimation_method: str
) -> None:
    data = sure_data(2000, n_classes)
    thresholds = count.get_confident_thresholds(*data)
    assert np.all((thresholds < 0.95) & (thresholds > 0.05))
    options: dict[str, Any] = {
        "quality_score_kwargs": {"method": method, "adjust_pred_probs": adjust},
        "num_issue_kwargs": {"estimation_method": estimation_method},
    }
    batches = cuts_of(data, 300)
    mine, other = inspected(ours, batches, **options), inspected(theirs, batches, **options)
    for name in (
        "examples_processed_thresh",
        "examples_processed_quality",
        "num_class",
        "store_results",
    ):
        assert getattr(mine, name) == getattr(other, name)
    np.testing.assert_array_equal(mine.examples_per_class, other.examples_per_class)
    np.testing.assert_allclose(mine.confident_thresholds, other.confident_thresholds, rtol=1e-12)
    np.testing.assert_allclose(
        mine.get_quality_scores(), other.get_quality_scores(), rtol=1e-9, atol=1e-12
    )
    assert abs(mine.get_num_issues() - other.get_num_issues()) <= (
        estimation_method != "off_diagonal"  # there is no rounding of each class there
    )
    assert type(mine.get_num_issues()) is type(other.get_num_issues())
    if mine.get_num_issues() != other.get_num_issues():
        return
    assert_same_order(mine.get_label_issues(), other.get_label_issues(), mine.get_quality_scores())
    answers = [
        module.find_label_issues_batched(
            *data, batch_size=300, verbose=False, return_mask=return_mask, **options
        )
        for module in (ours, theirs)
        for return_mask in (False, True)
    ]
    np.testing.assert_array_equal(np.sort(answers[0]), answers[2])
    np.testing.assert_array_equal(answers[1], answers[3])
    assert [answer.dtype for answer in answers[:2]] == [answer.dtype for answer in answers[2:]]


def assert_same_order(found: np.ndarray, expected: np.ndarray, scores: np.ndarray) -> None:
    """Equal except among scores that are equal but for their last bits."""
    assert found.dtype == expected.dtype
    assert sorted(found) == sorted(expected)
    np.testing.assert_allclose(scores[found], scores[expected], rtol=1e-12, atol=1e-12)


def test_thresholds_of_a_part_of_the_data() -> None:
    data = sure_data(2000, 5)
    batches = cuts_of(data, 250)
    answers = []
    for module in (ours, theirs):
        inspector = module.LabelInspector(num_class=5, verbose=False)
        for batch in batches[:4]:
            inspector.update_confident_thresholds(*batch)
        scores = [inspector.score_label_quality(*batch) for batch in batches]
        np.testing.assert_array_equal(np.concatenate(scores), inspector.get_quality_scores())
        answers.append((inspector.get_num_issues(), inspector.get_label_issues().tolist()))
    assert answers[0] == answers[1]


def test_thresholds_that_change_while_labels_are_counted() -> None:
    data = sure_data(2000, 5)
    numbers = []
    for module in (ours, theirs):
        inspector = module.LabelInspector(num_class=5, verbose=False)
        for batch in cuts_of(data, 250):
            inspector.update_confident_thresholds(*batch)
            inspector.score_label_quality(*batch)
        numbers.append(inspector.get_num_issues())
    assert numbers[0] == numbers[1] > 100


def test_batches_that_are_scored_but_not_counted() -> None:
    data = sure_data(1000, 4)
    batches = cuts_of(data, 100)
    answers = []
    for module in (ours, theirs):
        inspector = module.LabelInspector(num_class=4, verbose=False)
        for batch in batches:
            inspector.update_confident_thresholds(*batch)
        for place, batch in enumerate(batches):
            inspector.score_label_quality(*batch, update_num_issues=place % 2 == 0)
        answers.append((inspector.get_num_issues(), inspector.examples_processed_quality))
        assert len(inspector.get_quality_scores()) == len(data.labels)
    assert answers[0] == answers[1]


@pytest.mark.parametrize("chunksize", [1, 3, 10, 99])
def test_pieces(chunksize: int) -> None:
    for array in (np.arange(10), np.arange(20).reshape(10, 2), np.arange(0)):
        mine, other = ours.split_arr(array, chunksize), theirs.split_arr(array, chunksize)
        for piece, expected in zip(mine, other, strict=True):
            np.testing.assert_array_equal(piece, expected)


# --- What is refused

DATA = random_data(60, 3)


@pytest.mark.parametrize(
    ("args", "options"),
    [
        ((), {}),
        ((DATA.labels,), {}),
        ((None, DATA.pred_probs), {}),
        (DATA, {"labels_file": "labels.npy"}),
        (DATA, {"pred_probs_file": "pred_probs.npy"}),
        ((DATA.labels,), {"pred_probs_file": 3}),
        ((None, DATA.pred_probs), {"labels_file": 3}),
        ((DATA.labels[1:], DATA.pred_probs), {}),
        (DATA, {"quality_score_kwargs": {"method": "nonsense"}}),
        (DATA, {"quality_score_kwargs": {"nonsense": 1}}),
        (
            DATA,
            {
                "quality_score_kwargs": {
                    "method": "confidence_weighted_entropy",
                    "adjust_pred_probs": True,
                }
            },
        ),
    ],
    ids=lambda value: str(value)[:60] if isinstance(value, dict) else None,
)
def test_bad_arguments(args: tuple[Any, ...], options: dict[str, Any]) -> None:
    mine = outcome(find_label_issues_batched, *args, verbose=False, **options)
    other = outcome(theirs.find_label_issues_batched, *args, verbose=False, **options)
    assert other.error is not None
    assert isinstance(mine.error, type(other.error)), mine.error


def test_calls_in_the_wrong_order() -> None:
    for module in (ours, theirs):
        inspector = module.LabelInspector(num_class=3, verbose=False)
        with pytest.raises(ValueError, match="update_confident_thresholds"):
            inspector.get_confident_thresholds()
        with pytest.raises(ValueError, match="update_confident_thresholds"):
            inspector.score_label_quality(*DATA)
        inspector.update_confident_thresholds(*DATA)
        with pytest.raises(ValueError, match="score_label_quality"):
            inspector.get_num_issues()
        with pytest.raises(ValueError, match="score_label_quality"):
            inspector.get_label_issues()
        keeps_none = inspected(module, [DATA], store_results=False)
        assert keeps_none.get_num_issues() > 0
        for method in (keeps_none.get_quality_scores, keeps_none.get_label_issues):
            with pytest.raises(ValueError, match="store_results"):
                method()


def test_batches_of_other_shapes() -> None:
    for module in (ours, theirs):
        inspector = module.LabelInspector(num_class=4, verbose=False)
        with pytest.raises(ValueError, match="num_class must equal"):
            inspector.update_confident_thresholds(*DATA)
        inspector = inspected(module, [DATA])
        with pytest.raises(ValueError, match="labels"):
            inspector.score_label_quality(DATA.labels[1:], DATA.pred_probs)


def test_a_batch_that_is_refused_changes_nothing() -> None:
    bad = Data(DATA.labels, DATA.pred_probs.copy())
    bad.pred_probs[7, 2] = np.nan
    bad.labels[7] = 2
    for method in SCORES:
        inspector = inspected(ours, [DATA], quality_score_kwargs={"method": method})
        thresholds, number = inspector.get_confident_thresholds(), inspector.get_num_issues()
        with pytest.raises(ValueError, match=r"pred_probs\[67, 2\]"):
            inspector.update_confident_thresholds(*bad)
        with pytest.raises(ValueError, match=r"pred_probs\[67, 2\]"):
            inspector.score_label_quality(*bad)
        np.testing.assert_array_equal(inspector.get_confident_thresholds(), thresholds)
        assert inspector.get_num_issues() == number
        assert inspector.examples_processed_quality == len(inspector.get_quality_scores()) == 60


@pytest.mark.parametrize("num_class", [0, 1, -3, 2.5, "three", None], ids=str)
def test_numbers_of_classes_that_make_no_sense(num_class: Any) -> None:
    with pytest.raises(ValueError, match="num_class"):
        LabelInspector(num_class=num_class)


def test_what_is_said(capfd: pytest.CaptureFixture[str]) -> None:
    """The bars of tqdm, and the numbers of examples; nothing with verbose=False."""
    find_label_issues_batched(*DATA, batch_size=7, verbose=False)
    said = capfd.readouterr()
    assert said.out == said.err == ""
    find_label_issues_batched(*DATA, batch_size=7)
    said = capfd.readouterr()
    assert "evaluated: 60" in said.out
    pytest.importorskip("tqdm")
    assert "checking labels" in said.err
    assert "60/60" in said.err.replace(".0", "")
    inspector = LabelInspector(num_class=3)
    inspector.update_confident_thresholds(*DATA)
    inspector.score_label_quality(*DATA)
    inspector.get_confident_thresholds(silent=True)
    inspector.get_num_issues(silent=True)
    assert capfd.readouterr().out == ""
    inspector.get_confident_thresholds()
    inspector.get_num_issues()
    inspector.get_label_issues()
    assert capfd.readouterr().out.count(": 60\n") == 3


def test_bars_are_left_out_where_tqdm_is_missing(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    for name in ("tqdm", "tqdm.auto"):
        monkeypatch.setitem(sys.modules, name, None)
    assert len(find_label_issues_batched(*DATA)) > 0
    assert capfd.readouterr().err == ""


# --- Files


@pytest.fixture
def files(tmp_path: Path) -> tuple[str, str]:
    labels, pred_probs = random_data(5000, 12, dtype=np.float32)
    np.save(tmp_path / "labels.npy", labels)
    np.save(tmp_path / "pred_probs.npy", pred_probs)
    return str(tmp_path / "labels.npy"), str(tmp_path / "pred_probs.npy")


def test_files_and_memmaps(files: tuple[str, str], capsys: pytest.CaptureFixture[str]) -> None:
    labels, pred_probs = map(np.load, files)
    expected = find_label_issues_batched(labels, pred_probs, verbose=False)
    mapped = [np.load(file, mmap_mode="r") for file in files]
    for found in (
        find_label_issues_batched(labels_file=files[0], pred_probs_file=files[1], verbose=False),
        find_label_issues_batched(labels, pred_probs_file=files[1], batch_size=17, verbose=False),
        find_label_issues_batched(*mapped, batch_size=1000, verbose=False),
    ):
        np.testing.assert_array_equal(found, expected)
    find_label_issues_batched(labels_file=files[0], pred_probs_file=files[1])
    assert "5000 examples, 12 classes" in capsys.readouterr().out


def test_zarr_arrays(files: tuple[str, str]) -> None:
    zarr = pytest.importorskip("zarr")
    labels, pred_probs = map(np.load, files)
    stored = [zarr.array(array, chunks=(700, *array.shape[1:])) for array in (labels, pred_probs)]
    np.testing.assert_array_equal(
        find_label_issues_batched(*stored, batch_size=1000, verbose=False),
        find_label_issues_batched(labels, pred_probs, verbose=False),
    )


# --- Intended differences


def test_difference_batches_sorted() -> None:
    data = sure_data(1000, 4)
    mine = find_label_issues_batched(*data, verbose=False)
    other = theirs.find_label_issues_batched(*data, verbose=False)
    np.testing.assert_array_equal(np.sort(mine), other)
    scores = rank.get_label_quality_scores(*data)
    assert (np.diff(scores[mine]) >= 0).all()
    assert not (np.diff(scores[other]) >= 0).all()


def test_difference_batches_as_in_memory(cleanlab: Any) -> None:
    """In a row of class 2, class 0 is the most probable one, but only class 1 is confident."""
    labels = np.array([0, 0, 1, 1, 2, 2])
    pred_probs = np.array(
        [
            [0.9, 0.05, 0.05],
            [0.9, 0.05, 0.05],
            [0.4, 0.35, 0.25],
            [0.45, 0.3, 0.25],
            [0.5, 0.4, 0.1],
            [0.1, 0.1, 0.8],
        ]
    )
    number = cleanlab.count.num_label_issues(labels, pred_probs)
    assert inspected(ours, [Data(labels, pred_probs)]).get_num_issues() == number == 1
    assert inspected(theirs, [Data(labels, pred_probs)]).get_num_issues() == 0


def test_difference_absent_classes_never_confident(cleanlab: Any) -> None:
    labels = np.array([0, 0, 1, 1])
    pred_probs = np.array([[0.6, 0.1, 0.3], [0.3, 0.1, 0.6], [0.1, 0.6, 0.3], [0.1, 0.8, 0.1]])
    mine, other = (inspected(module, [Data(labels, pred_probs)]) for module in (ours, theirs))
    expected = cleanlab.count.get_confident_thresholds(labels, pred_probs)
    assert mine.get_confident_thresholds()[2] == expected[2] == 2
    assert other.get_confident_thresholds()[2] == 2e-6
    assert mine.get_num_issues() == cleanlab.count.num_label_issues(labels, pred_probs) == 0
    assert other.get_num_issues() == 1


PEAK = """
import json, sys
import numpy as np
from {package}.experimental.label_issues_batched import find_label_issues_batched
from pathlib import Path

def peak():
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) * 1024 for line in lines if line.startswith("VmHWM"))

labels, pred_probs = sys.argv[1:]
small = np.eye(2).repeat(5, axis=0)
find_label_issues_batched(small.argmax(axis=1), small, verbose=False)
before = peak()
found = find_label_issues_batched(
    labels_file=labels, pred_probs_file=pred_probs, batch_size=1000, verbose=False
)
print(json.dumps([len(found), peak() - before]))
"""


@pytest.mark.skipif(sys.platform != "linux", reason="the peak comes from /proc")
def test_difference_batches_not_copied(tmp_path: Path) -> None:
    n_examples, n_classes = 60_000, 500
    files = tmp_path / "labels.npy", tmp_path / "pred_probs.npy"
    labels, pred_probs = random_data(2000, n_classes, dtype=np.float32)
    np.save(files[0], np.tile(labels, n_examples // 2000))
    shape = (n_examples, n_classes)
    matrix = np.lib.format.open_memmap(files[1], mode="w+", dtype=np.float32, shape=shape)
    for start in range(0, n_examples, 2000):
        matrix[start : start + 2000] = pred_probs
    size = matrix.nbytes
    del matrix
    peaks = []
    for package in ("conflearn.cleanlab", "cleanlab"):
        code = textwrap.dedent(PEAK.format(package=package))
        done = subprocess.run(
            [sys.executable, "-c", code, *map(str, files)],
            check=True,
            timeout=120,
            capture_output=True,
            text=True,
        )
        found, peak = json.loads(done.stdout)
        assert found > 0
        peaks.append(peak)
    assert peaks[0] < 70e6 < size < peaks[1]


def test_difference_batches_by_threads(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_args: object, **_kwargs: object) -> None:
        raise ChildProcessError("a pool of processes")

    monkeypatch.setattr(multiprocessing, "Pool", refuse)
    monkeypatch.setattr(multiprocessing.get_context("fork"), "Pool", refuse, raising=False)
    monkeypatch.setattr("multiprocessing.context.BaseContext.Pool", refuse)
    with pytest.raises(ChildProcessError):
        theirs.find_label_issues_batched(*DATA, n_jobs=2, verbose=False)
    found = find_label_issues_batched(*DATA, n_jobs=2, verbose=False)
    np.testing.assert_array_equal(found, find_label_issues_batched(*DATA, verbose=False))


def test_difference_batch_arguments_named() -> None:
    for kwargs in ({"estimation_method": "nonsense"}, {"nonsense": 1}):
        theirs.find_label_issues_batched(*DATA, num_issue_kwargs=kwargs, verbose=False)
        with pytest.raises(
            (ValueError, TypeError), match=r"nonsense.*estimation_method|estim.*nons"
        ):
            find_label_issues_batched(*DATA, num_issue_kwargs=kwargs, verbose=False)
    for size in (0, -1, 2.5, None):
        with pytest.raises(ValueError, match="batch_size"):
            find_label_issues_batched(*DATA, batch_size=size, verbose=False)
    labels = DATA.labels.copy()
    labels[7] = -1  # counts for the last class there
    theirs.find_label_issues_batched(labels, DATA.pred_probs, verbose=False)
    with pytest.raises(ValueError, match=r"labels\[7\] is -1"):
        find_label_issues_batched(labels, DATA.pred_probs, verbose=False)


def test_difference_files_of_all_kinds(files: tuple[str, str], tmp_path: Path) -> None:
    labels, pred_probs = map(np.load, files)
    expected = find_label_issues_batched(labels, pred_probs, verbose=False)
    paths = [Path(file) for file in files]
    with pytest.raises(ValueError, match="must be str"):
        theirs.find_label_issues_batched(labels_file=paths[0], pred_probs_file=paths[1])
    np.savez(tmp_path / "both.npz", labels=labels, pred_probs=pred_probs)
    for labels_file, pred_probs_file in (paths, ("labels", tmp_path / "both.npz")):
        found = find_label_issues_batched(
            labels_file=labels_file, pred_probs_file=pred_probs_file, verbose=False
        )
        np.testing.assert_array_equal(found, expected)
    for module, error in ((theirs, FileNotFoundError), (ours, SourceError)):
        with pytest.raises(error, match=r"nowhere\.npy"):
            module.find_label_issues_batched(labels, pred_probs_file="nowhere.npy", verbose=False)


def test_difference_empty_batches_pass() -> None:
    empty = Data(DATA.labels[:0], DATA.pred_probs[:0])
    with pytest.raises(ValueError, match="zero-size"):
        inspected(theirs, [empty])
    inspector = inspected(ours, [empty, *cuts_of(DATA, 25), empty])
    assert inspector.examples_processed_thresh == inspector.examples_processed_quality == 60
    assert inspector.get_num_issues() == inspected(ours, [DATA]).get_num_issues()
    assert inspector.score_label_quality([], empty.pred_probs).tolist() == []
    assert inspector.score_label_quality(*empty, update_num_issues=False).tolist() == []
    inspector = LabelInspector(num_class=3, verbose=False)
    inspector.update_confident_thresholds(*empty)
    with pytest.raises(ValueError, match="update_confident_thresholds"):
        inspector.get_confident_thresholds()


def test_difference_one_calibration() -> None:
    options: dict[str, Any] = {
        "num_class": 3,
        "verbose": False,
        "num_issue_kwargs": {"estimation_method": "off_diagonal_calibrated"},
    }
    other_batch = random_data(50, 3, seed=1)
    for module in (theirs, ours):
        inspector = module.LabelInspector(**options)
        inspector.update_confident_thresholds(*DATA)
        inspector.score_label_quality(*DATA)
        inspector.update_confident_thresholds(*other_batch)
        if module is theirs:
            inspector.score_label_quality(*other_batch)
            assert inspector.get_num_issues() > 0
        else:
            with pytest.raises(ValueError, match="same thresholds"):
                inspector.score_label_quality(*other_batch)
