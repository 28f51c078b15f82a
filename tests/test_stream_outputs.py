"""Results in files: the same, whole or not at all, whatever fails on the way."""

import os
import pickle
import stat
import tracemalloc
from collections.abc import Callable
from pathlib import Path
from typing import Any
from unittest import mock

import numpy as np
import psutil
import pytest

import conflearn
from conflearn.errors import InputTypeError, MissingDependencyError, OptionError, ProbabilityError
from conflearn.stream import result_columns, selection
from expected import refused
from strategies import FILTERS, JUDGES, SCORES, Data, random_data
from streams import FORMS, assert_same, assert_same_analysis, small_blocks, streamed

FILES = {
    "is_issue.npy",
    "ranked.npy",
    "given_label.npy",
    "suggested_label.npy",
    *(f"{score}.npy" for score in SCORES),
}


@pytest.fixture
def data() -> Data:
    return random_data(500, 4, seed=3)


@pytest.fixture(autouse=True)
def in_small_pieces(monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.setattr(result_columns, "WINDOW", 37)
    with small_blocks(90):
        yield


# --- What is written


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("filter_by", FILTERS + JUDGES)
def test_an_npy_file_holds_the_mask(filter_by: Any, form: str, data: Data, tmp_path: Path) -> None:
    out = tmp_path / "mask.npy"
    mask = conflearn.find_label_issues(
        *streamed(data, form, tmp_path), filter_by=filter_by, out=out
    )
    expected = conflearn.find_label_issues(*data, filter_by=filter_by)
    assert_same(mask, expected)
    assert_same(np.load(out), expected)
    assert isinstance(mask, np.memmap)
    assert not mask.flags.writeable
    assert str(mask.filename) == str(out)


@pytest.mark.parametrize("most", [3, 2_000_000])
@pytest.mark.parametrize("rank_by", ["self_confidence", *JUDGES])
@pytest.mark.parametrize("filter_by", FILTERS + JUDGES)
def test_an_npy_file_holds_the_order(
    filter_by: Any,
    rank_by: Any,
    most: int,
    data: Data,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(selection, "MOST", most)
    out = tmp_path / "ranked.npy"
    options = {"filter_by": filter_by, "rank_by": rank_by}
    rows = conflearn.rank_label_issues(*streamed(data, "npy", tmp_path), out=str(out), **options)
    expected = conflearn.rank_label_issues(*data, **options)
    assert_same(rows, expected)
    assert_same(np.load(out), expected)


def test_an_npy_file_holds_scores(data: Data, tmp_path: Path) -> None:
    out = tmp_path / "scores.npy"
    for method in SCORES + JUDGES:
        scores = conflearn.label_quality_scores(*data, method=method, out=out)
        expected = conflearn.label_quality_scores(*data, method=method)
        assert_same(scores, expected)
        assert_same(np.load(out), expected)


def test_a_file_of_no_rows_can_be_read(tmp_path: Path) -> None:
    out = tmp_path / "none.npy"
    assert conflearn.rank_label_issues([0, 1], np.eye(2), out=out).shape == (0,)
    assert np.load(out).shape == (0,)


@pytest.mark.parametrize("most", [3, 2_000_000])
@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("filter_by", FILTERS + JUDGES)
def test_a_folder_holds_the_analysis(
    filter_by: Any,
    form: str,
    most: int,
    data: Data,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(selection, "MOST", most)
    out = tmp_path / "results"
    analysis = conflearn.analyze(*streamed(data, form, tmp_path), filter_by=filter_by, out=out)
    expected = conflearn.analyze(*data, filter_by=filter_by)
    assert_same_analysis(analysis, expected)
    judged = {f"{name}.npy" for name in JUDGES if name == filter_by}
    assert {file.name for file in out.iterdir()} == FILES | judged
    assert_same(np.load(out / "is_issue.npy"), expected.mask)
    assert_same(np.load(out / "ranked.npy"), expected.ranked)
    assert_same(np.load(out / "given_label.npy"), data.labels)
    assert_same(np.load(out / "suggested_label.npy"), expected.suggested_labels)
    for name, scores in expected.scores.items():
        assert_same(np.load(out / f"{name}.npy"), scores)
    assert isinstance(analysis.mask, np.memmap)


def test_a_table_holds_the_analysis(data: Data, tmp_path: Path) -> None:
    parquet = pytest.importorskip("pyarrow.parquet")
    out = tmp_path / "results.parquet"
    analysis = conflearn.analyze(*streamed(data, "npy", tmp_path), out=out)
    expected = conflearn.analyze(*data)
    assert_same_analysis(analysis, expected)
    table = parquet.read_table(out)
    assert table.column_names == ["is_issue", "given_label", "suggested_label", *SCORES]
    assert_same(table["is_issue"].to_numpy(), expected.mask)
    assert_same(table["given_label"].to_numpy(), data.labels)
    assert_same(table["suggested_label"].to_numpy(), expected.suggested_labels)
    for name, scores in expected.scores.items():
        assert_same(table[name].to_numpy(), scores)


def test_a_table_holds_one_array_too(data: Data, tmp_path: Path) -> None:
    parquet = pytest.importorskip("pyarrow.parquet")
    out = tmp_path / "one.parquet"
    assert_same(conflearn.find_label_issues(*data, out=out), conflearn.find_label_issues(*data))
    assert parquet.read_table(out).column_names == ["is_issue"]
    assert_same(conflearn.rank_label_issues(*data, out=out), conflearn.rank_label_issues(*data))
    assert parquet.read_table(out).column_names == ["row"]
    conflearn.label_quality_scores(*data, out=out)
    assert parquet.read_table(out).column_names == ["self_confidence"]


def test_an_analysis_in_files_can_be_pickled(data: Data, tmp_path: Path) -> None:
    analysis = conflearn.analyze(*data, out=tmp_path / "results")
    assert_same_analysis(pickle.loads(pickle.dumps(analysis)), analysis)


def test_scores_of_decision_values_have_no_entropy(data: Data, tmp_path: Path) -> None:
    out = tmp_path / "results"
    conflearn.analyze(*data, kind="scores", out=out)
    assert {file.name for file in out.iterdir()} == FILES - {"confidence_weighted_entropy.npy"}


def test_nothing_else_is_left(data: Data, tmp_path: Path) -> None:
    pytest.importorskip("pyarrow")
    conflearn.find_label_issues(*data, out=tmp_path / "a.npy")
    conflearn.find_label_issues(*data, out=tmp_path / "b.parquet")
    conflearn.analyze(*data, out=tmp_path / "c")
    conflearn.analyze(*data, out=tmp_path / "d.parquet")
    assert {file.name for file in tmp_path.iterdir()} == {"a.npy", "b.parquet", "c", "d.parquet"}


def test_files_have_the_usual_permissions(data: Data, tmp_path: Path) -> None:
    conflearn.find_label_issues(*data, out=tmp_path / "a.npy")
    conflearn.analyze(*data, out=tmp_path / "c")
    usual_file, usual_folder = tmp_path / "file", tmp_path / "folder"
    usual_file.touch()
    usual_folder.mkdir()
    for written, usual in (("a.npy", usual_file), ("c", usual_folder)):
        modes = [stat.S_IMODE(path.stat().st_mode) for path in (tmp_path / written, usual)]
        assert modes[0] == modes[1]


def test_what_was_there_is_replaced(data: Data, tmp_path: Path) -> None:
    for out, call in (
        (tmp_path / "a.npy", conflearn.find_label_issues),
        (tmp_path / "c", conflearn.analyze),
    ):
        other = random_data(30, 3)
        old = call(*other, out=out)
        new = call(*data, out=out)
        in_memory = call(*data)
        assert len(getattr(new, "mask", new)) == 500
        assert_same(getattr(new, "mask", new), getattr(in_memory, "mask", in_memory))
        # A map of what was there still shows it.
        assert_same(getattr(old, "mask", old), conflearn.find_label_issues(*other))
    assert {file.name for file in tmp_path.iterdir()} == {"a.npy", "c"}


@pytest.mark.parametrize("form", ["npy", "fortran", "shards", "map", "labels", "top k"])
def test_input_is_not_replaced_by_output(form: str, data: Data, tmp_path: Path) -> None:
    folder = tmp_path / "results"
    folder.mkdir()
    kind = form if form in FORMS else "npy"
    labels, pred_probs = streamed(data, kind, folder)
    out = next(folder.glob("p*.npy"))
    match form:
        case "map":
            pred_probs = np.load(pred_probs, mmap_mode="r")[:]
        case "labels":
            out, pred_probs = labels, data.pred_probs
        case "top k":
            classes = np.tile(np.arange(4), (500, 1))
            labels, pred_probs = data.labels, conflearn.TopK(classes, out, n_classes=4)
    before = contents(folder)
    link = tmp_path / "link.npy"
    link.symlink_to(out)
    find, analyze = conflearn.find_label_issues, conflearn.analyze
    for call, place in ((find, out), (find, link), (analyze, folder)):
        # Named as files of an analysis are, nothing else would refuse the folder.
        with (
            mock.patch("conflearn.stream.analysis._NAMES", tuple(name[:-4] for name in before)),
            refused(OptionError, "out=", f"{folder}/", "is read from and which would be lost"),
        ):
            call(labels, pred_probs, out=place, progress=unread)
    assert contents(folder) == before


def test_a_link_leads_to_what_is_written(data: Data, tmp_path: Path) -> None:
    disk = tmp_path / "disk"
    disk.mkdir()
    (disk / "mask-3.npy").touch()
    links = {"mask.npy": disk / "mask-3.npy", "new.npy": disk / "new", "folder": disk / "results"}
    for name, place in links.items():
        (tmp_path / name).symlink_to(place)
    conflearn.find_label_issues(*data, out=tmp_path / "mask.npy")
    conflearn.find_label_issues(*data, out=tmp_path / "new.npy")
    conflearn.analyze(*data, out=tmp_path / "folder")
    conflearn.analyze(*data, out=tmp_path / "folder")
    expected = conflearn.find_label_issues(*data)
    for file in (disk / "mask-3.npy", disk / "new", disk / "results" / "is_issue.npy"):
        assert_same(np.load(file), expected)
    assert all((tmp_path / name).is_symlink() for name in links)
    assert {file.name for file in disk.iterdir()} == {"mask-3.npy", "new", "results"}
    (tmp_path / "loop.npy").symlink_to(tmp_path / "loop.npy")
    (tmp_path / "lost.npy").symlink_to(tmp_path / "no" / "mask.npy")
    for name, rule in (("loop", "leads nowhere"), ("lost", "lies in no folder; make")):
        with refused(OptionError, rule):
            conflearn.find_label_issues(*data, out=tmp_path / f"{name}.npy")


def left_behind(call: Callable[[], Any]) -> None:
    """Have a call end as if its process was killed: what is hidden stays, its lock does not."""
    with mock.patch("shutil.rmtree"), pytest.raises(KeyboardInterrupt):
        call()


def interrupt(*_: object) -> None:
    raise KeyboardInterrupt


def test_what_killed_runs_left_is_removed(data: Data, tmp_path: Path) -> None:
    find, analyze = conflearn.find_label_issues, conflearn.analyze
    for _ in range(2):
        left_behind(lambda: find(*data, out=tmp_path / "[a].npy", progress=interrupt))
        left_behind(lambda: analyze(*data, out=tmp_path / "c", progress=interrupt))
    (tmp_path / ".[a].npy.mine.partial").touch()
    assert len(list(tmp_path.glob(".*.partial"))) == 5
    find(*data, out=tmp_path / "[a].npy")
    analyze(*data, out=tmp_path / "c")
    assert {path.name for path in tmp_path.iterdir()} == {"[a].npy", "c", ".[a].npy.mine.partial"}


def test_runs_at_work_are_left_alone(data: Data, tmp_path: Path) -> None:
    out = tmp_path / "a.npy"
    hidden: list[int] = []

    def nested(name: str, done: int, total: int | None) -> None:
        conflearn.find_label_issues(*data, out=out)
        hidden.append(len(list(tmp_path.glob(".a.npy.*"))))

    mask = conflearn.find_label_issues(*data, out=out, progress=nested)
    assert set(hidden) == {1}
    assert_same(mask, conflearn.find_label_issues(*data))
    assert list(tmp_path.iterdir()) == [out]


def test_a_folder_that_stepped_aside_comes_back(data: Data, tmp_path: Path) -> None:
    """Killed between the two steps, the next run may fail, but not lose what was there."""
    out = tmp_path / "c"
    conflearn.analyze(*data, out=out)
    before = contents(out)
    replace = Path.replace

    def killed(path: Path, target: Path) -> Path:
        if target == out:
            raise KeyboardInterrupt
        return replace(path, target)

    with mock.patch.object(Path, "replace", killed):
        left_behind(lambda: conflearn.analyze(*data, out=out))
    assert not out.exists()
    with pytest.raises(KeyboardInterrupt):
        conflearn.analyze(*data, out=out, progress=interrupt)
    assert list(tmp_path.iterdir()) == [out]
    assert contents(out) == before


@pytest.mark.parametrize("kind", ["path", "dataset", "query", "columns"])
def test_a_table_is_not_replaced_by_output(kind: str, data: Data, tmp_path: Path) -> None:
    polars = pytest.importorskip("polars")
    dataset = pytest.importorskip("pyarrow.dataset")
    path = tmp_path / "table.parquet"
    frame = polars.DataFrame({"label": data.labels, "pred_probs": data.pred_probs})
    frame.write_parquet(path)
    opened = {
        "path": lambda: str(path),
        "dataset": lambda: dataset.dataset(path),
        "query": lambda: polars.scan_parquet(path).filter(polars.col("label") >= 0),
        "columns": lambda: conflearn.Columns(path, "pred_probs"),
    }
    before = contents(tmp_path)
    with refused(OptionError, f"is {path}, which pred_probs is read from and which would be lost"):
        conflearn.analyze("label", opened[kind](), out=path, progress=unread)
    assert contents(tmp_path) == before


def test_nothing_of_every_row_is_held(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of 2,000,000 rows a score is 16 MB, and a mask 2; blocks take one, whatever N."""
    monkeypatch.setattr(result_columns, "WINDOW", 5000)
    n = 2_000_000
    labels = (np.arange(n) % 2).astype(np.int8)
    pred_probs = np.where(labels[:, None] == [0, 1], 0.75, 0.25).astype(np.float16)
    pred_probs[::20_000] = 0.125, 0.875
    files = streamed(Data(labels, pred_probs), "npy", tmp_path)
    del labels, pred_probs
    with small_blocks(5000):
        conflearn.find_label_issues(*files)  # what is imported is held, too
        for filter_by in ("prune_by_noise_rate", "confident_learning"):
            tracemalloc.start()
            analysis = conflearn.analyze(*files, filter_by=filter_by, out=tmp_path / "results")
            _, peak = tracemalloc.get_traced_memory()
            tracemalloc.stop()
            assert len(analysis.ranked) == 100
            assert peak < n


# --- What goes wrong


CALLS: dict[str, Callable[..., Any]] = {
    "array.npy": conflearn.find_label_issues,
    "table.parquet": conflearn.find_label_issues,
    "folder": conflearn.analyze,
    "several.parquet": conflearn.analyze,
}


class PowerCutError(Exception):
    pass


@pytest.mark.parametrize("is_there", [False, True])
@pytest.mark.parametrize("name", CALLS)
def test_an_error_in_any_block_leaves_nothing(
    name: str, is_there: bool, data: Data, tmp_path: Path
) -> None:
    pytest.importorskip("pyarrow")
    out = tmp_path / name
    if is_there:
        CALLS[name](*data, out=out)
    before = contents(tmp_path)
    for row in (0, 250, 499):
        wrong = data.pred_probs.copy()
        wrong[row, 0] = np.nan
        with refused(ProbabilityError, f"pred_probs[{row}, 0] is NaN"):
            CALLS[name](data.labels, wrong, out=out)
        assert contents(tmp_path) == before


@pytest.mark.parametrize("is_there", [False, True])
@pytest.mark.parametrize("name", CALLS)
def test_an_error_at_any_moment_of_writing_leaves_nothing(
    name: str, is_there: bool, data: Data, tmp_path: Path
) -> None:
    """At each call of the system that could fail: the target is as it was, or complete."""
    pytest.importorskip("pyarrow")
    out = tmp_path / name
    CALLS[name](*data, out=out)
    complete = contents(tmp_path)
    other = random_data(30, 3)
    for nth in range(100):
        if is_there:
            CALLS[name](*other, out=out)
        else:
            remove(out)
        before = contents(tmp_path)
        with failing_at(nth) as failed:
            try:
                CALLS[name](*data, out=out)
            except PowerCutError:
                assert contents(tmp_path) in (before, complete)
        if not failed:
            break
    assert 3 < nth < 100


def test_a_disk_that_is_full_is_named(data: Data, tmp_path: Path) -> None:
    def full(*_: Any) -> None:
        raise OSError(28, "No space left on device")

    column = result_columns.FileColumn
    with (
        mock.patch.object(column, "_write_all", full),
        pytest.raises(OSError, match="No space left") as caught,
    ):
        conflearn.find_label_issues(*data, filter_by="predicted_neq_given", out=tmp_path / "a.npy")
    assert any("while writing" in note for note in caught.value.__notes__)
    assert list(tmp_path.iterdir()) == []


def test_places_that_cannot_be_written_are_refused_before_anything_is_read(
    data: Data, tmp_path: Path
) -> None:
    read: list[Any] = []

    def call(function: Callable[..., Any], out: object, *essentials: str) -> None:
        with refused(OptionError, "out=", *essentials):
            function(*data, out=out, progress=lambda *seen: read.append(seen))

    (tmp_path / "file").touch()
    (tmp_path / "folder.npy").mkdir()
    (tmp_path / "used").mkdir()
    (tmp_path / "used" / "thesis.tex").touch()
    find, analyze = conflearn.find_label_issues, conflearn.analyze
    call(find, tmp_path / "mask.csv", "must end in .npy or .parquet")
    call(find, tmp_path / "mask", "must end in .npy or .parquet")
    call(find, tmp_path / "no" / "mask.npy", "lies in no folder; make")
    call(find, tmp_path / "folder.npy", "is a folder; pass the name of a file")
    call(analyze, tmp_path / "mask.npy", "would hold one array, but there are several")
    call(analyze, tmp_path / "file", "is a file, but must be a folder")
    call(analyze, tmp_path / "used", "holds thesis.tex, which conflearn has not written")
    with refused(InputTypeError, "out=3 is no path"):
        find(*data, out=3)
    assert read == []
    assert (tmp_path / "used" / "thesis.tex").exists()


def test_a_table_needs_pyarrow(data: Data, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "pyarrow", None)
    with refused(MissingDependencyError, 'pip install "conflearn[files]"'):
        conflearn.find_label_issues(*data, out=tmp_path / "a.parquet")


def test_no_file_stays_open(data: Data, tmp_path: Path) -> None:
    process = psutil.Process()
    before = len(process.open_files())
    conflearn.analyze(*data, out=tmp_path / "c")
    wrong = data.pred_probs.copy()
    wrong[499] = np.nan
    with pytest.raises(ProbabilityError):
        conflearn.analyze(data.labels, wrong, out=tmp_path / "c")
    assert len(process.open_files()) == before


# --- Helpers


def unread(name: str, done: int, total: int | None) -> None:
    pytest.fail("something was read")


def contents(folder: Path) -> dict[str, bytes]:
    files = [path for path in sorted(folder.rglob("*")) if path.is_file()]
    return {str(path.relative_to(folder)): path.read_bytes() for path in files}


def remove(path: Path) -> None:
    if path.is_dir():
        for file in path.iterdir():
            file.unlink()
        path.rmdir()
    else:
        path.unlink(missing_ok=True)


class failing_at:  # noqa: N801 - a context
    """Have the nth call that writes, moves, links or syncs raise an error."""

    def __init__(self, nth: int) -> None:
        self._left = nth
        self._failed: list[str] = []

    def __enter__(self) -> list[str]:
        self._patches = [
            mock.patch.object(os, name, self._counting(getattr(os, name)))
            for name in ("fsync", "mkdir")
        ] + [
            mock.patch.object(Path, name, self._counting(getattr(Path, name)))
            for name in ("replace", "hardlink_to", "mkdir")
        ]
        for patch in self._patches:
            patch.start()
        return self._failed

    def __exit__(self, *_: object) -> None:
        for patch in self._patches:
            patch.stop()

    def _counting(self, function: Callable[..., Any]) -> Callable[..., Any]:
        def counted(*arguments: Any, **options: Any) -> Any:
            self._left -= 1
            if self._left == -1:
                self._failed.append(function.__name__)
                raise PowerCutError
            return function(*arguments, **options)

        return counted
