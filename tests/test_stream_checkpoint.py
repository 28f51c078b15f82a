"""A run that was killed goes on, and its answer is the same to the bit."""

import contextlib
import json
import os
import shutil
import signal
import subprocess
import sys
import textwrap
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any
from unittest import mock

import numpy as np
import pytest

import conflearn
from conflearn.errors import InputTypeError, OptionError, StateError
from conflearn.stream import checkpoint, result_columns, selection
from conflearn.stream.run import Run
from expected import refused
from strategies import FILTERS, JUDGES, SCORES, Data, random_data
from streams import assert_same, assert_same_analysis, small_blocks, streamed

N_ROWS = 230


class KilledError(BaseException):
    """Not an Exception: like the end of a process, nothing catches it."""


@pytest.fixture
def data() -> Data:
    return random_data(N_ROWS, 4, seed=4)


@pytest.fixture
def files(data: Data, tmp_path: Path) -> Data:
    return streamed(data, "npy", tmp_path)


@pytest.fixture(autouse=True)
def always_due(monkeypatch: pytest.MonkeyPatch) -> Any:
    """A state after each block, and blocks and windows so small that there are several."""
    # Disks take their time, and only a power cut would show the difference.
    monkeypatch.setattr(os, "fsync", lambda _: None)
    monkeypatch.setattr(checkpoint, "INTERVAL", 0.0)
    monkeypatch.setattr(result_columns, "WINDOW", 37)
    with small_blocks(70):
        yield


@contextlib.contextmanager
def killed_at(nth: int) -> Iterator[list[str]]:
    """Have the process end, as far as it can be told from inside, at the nth of these moments.

    They are before and after whatever changes a file, and before each block.
    """
    left, killed = nth, list[str]()

    def dies(function: Callable[..., Any], *, after: bool) -> Callable[..., Any]:
        def dying(*arguments: Any, **options: Any) -> Any:
            nonlocal left
            left -= 1
            if left < 0:
                killed.append(function.__name__)
                raise KilledError
            result = function(*arguments, **options)
            if after:
                left -= 1
                if left < 0:
                    killed.append(function.__name__)
                    raise KilledError
            return result

        return dying

    column = result_columns.FileColumn
    moments = [
        (os, "fsync", False),
        (Path, "replace", True),
        (Path, "unlink", True),
        (Path, "hardlink_to", True),
        (column, "_write_all", True),
        (column, "resize", True),
        (Run, "_tell", False),
    ]
    with contextlib.ExitStack() as stack:
        for owner, name, after in moments:
            dying = dies(getattr(owner, name), after=after)
            stack.enter_context(mock.patch.object(owner, name, dying))
        # What a process that is killed does not get to do either:
        stack.enter_context(mock.patch("shutil.rmtree"))
        yield killed


def until_done(call: Callable[[], Any], step: int) -> tuple[Any, int]:
    """Call again and again, each time killed a little later than the last time; count the calls."""
    for n_calls in range(1, 400):
        with killed_at(n_calls * step) as killed:
            try:
                result = call()
            except KilledError:
                continue
        assert not killed
        return result, n_calls
    raise AssertionError


def assert_cleared(folder: Path) -> None:
    """An empty folder may be left, if the run was killed when it had just made or cleared it."""
    assert not folder.exists() or list(folder.iterdir()) == []


# --- The same answer


@pytest.mark.parametrize("most", [40, 2_000_000])
@pytest.mark.parametrize("filter_by", FILTERS)
def test_an_analysis_that_is_killed_at_any_moment_is_the_same(
    filter_by: Any, most: int, data: Data, files: Data, tmp_path: Path
) -> None:
    """It is killed once, and then goes on to the end; then the same at a later moment."""
    expected = conflearn.analyze(*data, filter_by=filter_by, rank_by=SCORES[1])
    folder, out = tmp_path / "checkpoint", tmp_path / "results"

    def call() -> Any:
        return conflearn.analyze(
            *files, filter_by=filter_by, rank_by=SCORES[1], checkpoint=folder, out=out
        )

    with mock.patch.object(selection, "MOST", most):
        # Others for each filter, of a few hundred.
        for nth in range(FILTERS.index(filter_by), 3000, 29):
            with killed_at(nth) as killed, contextlib.suppress(KilledError):
                call()
            if not killed:
                break
            assert_same_analysis(call(), expected)
            assert_cleared(folder)
            for there in {folder, out} & set(tmp_path.iterdir()):
                shutil.rmtree(there)
    assert nth > 20
    assert_same_analysis(call(), expected)


@pytest.mark.parametrize("is_written", [False, True])
@pytest.mark.parametrize("filter_by", ["prune_by_noise_rate", "predicted_neq_given", *JUDGES])
def test_a_run_that_is_killed_again_and_again_comes_to_an_end(
    filter_by: Any, is_written: bool, data: Data, files: Data, tmp_path: Path
) -> None:
    """Killed at the 9th moment, at the 18th of the next call, and so on: each goes further."""
    folder = tmp_path / "checkpoint"
    out = tmp_path / "ranked.npy" if is_written else None
    for call, how in (
        (conflearn.find_label_issues, {}),
        (conflearn.rank_label_issues, {"rank_by": SCORES[2]}),
        *((conflearn.rank_label_issues, {"rank_by": judge}) for judge in JUDGES),
    ):
        ranked, n_calls = until_done(
            lambda call=call, how=how: call(
                *files, filter_by=filter_by, checkpoint=folder, out=out, **how
            ),
            9,
        )
        assert n_calls > 3
        assert_same(ranked, call(*data, filter_by=filter_by, **how))
        assert_cleared(folder)


def test_every_function_goes_on(data: Data, files: Data, tmp_path: Path) -> None:
    folder = tmp_path / "checkpoint"
    calls: list[Callable[..., Any]] = [
        conflearn.confident_thresholds,
        conflearn.confident_joint,
        conflearn.estimate_joint,
        conflearn.num_label_issues,
        conflearn.label_quality_scores,
        *(partial(conflearn.label_quality_scores, method=judge) for judge in JUDGES),
    ]
    for call in calls:
        answer, n_calls = until_done(lambda call=call: call(*files, checkpoint=folder), 5)
        assert n_calls > 1
        assert_same(answer, call(*data))


def test_a_block_is_not_read_again(files: Data, tmp_path: Path) -> None:
    folder = tmp_path / "checkpoint"
    for last in (140, 210):
        told: list[Any] = []

        def stop(name: str, done: int, _: int | None, told: Any = told, last: int = last) -> None:
            told.append((name, done))
            if (name, done) == ("look", last):
                raise KilledError

        with pytest.raises(KilledError):
            conflearn.find_label_issues(*files, progress=stop, checkpoint=folder)
    # The state is written after the block is told of: the block that was being told is done again.
    assert told == [("look", 70), ("look", 140), ("look", 210)]


def test_arrays_in_memory_have_checkpoints_too(data: Data, tmp_path: Path) -> None:
    folder = tmp_path / "checkpoint"
    with killed_at(8), pytest.raises(KilledError):
        conflearn.analyze(*data, checkpoint=folder)
    assert (folder / "run.json").exists()
    copy = Data(data.labels.copy(), data.pred_probs.copy())
    assert_same_analysis(conflearn.analyze(*copy, checkpoint=folder), conflearn.analyze(*data))
    with killed_at(8), pytest.raises(KilledError):
        conflearn.analyze(*data, checkpoint=folder)
    copy.pred_probs[0] = copy.pred_probs[0, ::-1]
    with refused(StateError, "checkpoint=", "another input"):
        conflearn.analyze(*copy, checkpoint=folder)


KILLED = textwrap.dedent(
    """
    import sys, time
    from pathlib import Path
    import conflearn
    from conflearn.sources import source
    from conflearn.stream import checkpoint, selection

    folder = Path(sys.argv[1])
    checkpoint.INTERVAL = 0.0
    source.BLOCK_ROWS = 20
    selection.MOST = 30

    def progress(name, done, total):
        print(name, done, flush=True)
        time.sleep(0.002)

    conflearn.analyze(
        folder / "labels.npy", folder / "pred_probs.npy",
        progress=progress, checkpoint=folder / "checkpoint", out=folder / "results",
    )
    """
)


@pytest.mark.skipif(sys.platform == "win32", reason="there are no signals")
@pytest.mark.parametrize(
    "moment", ["thresholds 40", "look 120", "selection 60", "selection 2 100", "emission 40"]
)
def test_a_process_that_is_killed_goes_on(
    moment: str, data: Data, files: Data, tmp_path: Path
) -> None:
    command = [sys.executable, "-c", KILLED, str(tmp_path)]
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)}
    for _ in range(2):
        with subprocess.Popen(
            command, stdout=subprocess.PIPE, text=True, env=environment
        ) as process:
            assert process.stdout is not None
            for line in process.stdout:
                if line.strip() == moment:
                    break
            process.kill()
        assert process.returncode == -signal.SIGKILL
        assert not (tmp_path / "results").exists()
        assert (tmp_path / "checkpoint" / "run.json").exists()
    with small_blocks(64):
        analysis = conflearn.analyze(
            *files, checkpoint=tmp_path / "checkpoint", out=tmp_path / "results"
        )
    assert_same_analysis(analysis, conflearn.analyze(*data))
    assert not (tmp_path / "checkpoint").exists()
    assert list(tmp_path.glob(".*")) == []


# --- What the folder is for


def begun(data: Data, folder: Path, **options: Any) -> None:
    with killed_at(24), pytest.raises(KilledError):
        conflearn.find_label_issues(*data, checkpoint=folder, **options)


def test_a_run_goes_on_with_no_other_options_or_input(
    data: Data, files: Data, tmp_path: Path
) -> None:
    folder = tmp_path / "checkpoint"
    begun(files, folder)
    call, other = conflearn.find_label_issues, random_data(N_ROWS, 4, seed=5)

    def differs(*essentials: str, input_: Data = files, call: Any = call, **options: Any) -> None:
        with refused(StateError, "checkpoint=", *essentials, "remove"):
            call(*input_, checkpoint=folder, **options)

    differs('filter_by="prune_by_noise_rate"', 'filter_by="both"', filter_by="both")
    differs("frac_noise=1.0", "frac_noise=0.5", frac_noise=0.5)
    differs("min_examples_per_class=1", "=2", min_examples_per_class=2)
    differs("another confident_joint", confident_joint=np.eye(4))
    differs("another num_to_remove_per_class", num_to_remove_per_class=[1, 2, 3, 4])
    differs('kind="probabilities"', 'kind="scores"', kind="scores")
    differs('call="find_label_issues"', 'call="analyze"', call=conflearn.analyze)
    differs("another input", input_=other)
    np.save(files.labels, other.labels)
    differs("another input")


def test_a_run_goes_on_after_threads_blocks_or_target_changed(
    data: Data, files: Data, tmp_path: Path
) -> None:
    begun(files, tmp_path / "checkpoint")
    with small_blocks(9):
        mask = conflearn.find_label_issues(
            *files, checkpoint=tmp_path / "checkpoint", n_threads=2, out=tmp_path / "mask.npy"
        )
    assert_same(mask, conflearn.find_label_issues(*data))


def test_another_version_does_not_go_on(
    files: Data, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    begun(files, tmp_path / "checkpoint")
    monkeypatch.setattr(conflearn, "__version__", "99.0", raising=False)
    with refused(StateError, "conflearn=", '"99.0"', "remove"):
        conflearn.find_label_issues(*files, checkpoint=tmp_path / "checkpoint")


def test_damaged_files_are_named(files: Data, tmp_path: Path) -> None:
    folder = tmp_path / "checkpoint"
    options = {"filter_by": "predicted_neq_given"}
    begun(files, folder, **options)
    call = conflearn.find_label_issues
    for name in ("look.state", "run.json"):
        good = (folder / name).read_bytes()
        changed = good[:60] + bytes([good[60] ^ 1]) + good[61:]
        for bad in (b"", good[:-1], good[:20], b"{}", *([changed] if name == "look.state" else [])):
            (folder / name).write_bytes(bad)
            with refused(StateError, name, "is damaged", "remove the folder"):
                call(*files, checkpoint=folder, **options)
        (folder / name).write_bytes(good)
    os.truncate(folder / "is_issue.npy", 150)
    with refused(StateError, "has lost a part of is_issue.npy", "remove the folder"):
        call(*files, checkpoint=folder, **options)


def test_a_state_that_is_none_is_named(files: Data, tmp_path: Path) -> None:
    folder = tmp_path / "checkpoint"
    begun(files, folder)
    kept = checkpoint.Checkpoint.__new__(checkpoint.Checkpoint)
    kept.folder, kept._files = folder, ["thresholds.state"]
    kept.save("thresholds", checkpoint.Saved(70, False, {}, b"something else"))
    with pytest.raises(StateError) as caught:
        conflearn.find_label_issues(*files, checkpoint=folder)
    assert any("checkpoint of the pass 'thresholds'" in note for note in caught.value.__notes__)


def test_a_folder_of_somebody_else_is_left_alone(files: Data, tmp_path: Path) -> None:
    folder = tmp_path / "used"
    folder.mkdir()
    (folder / "thesis.tex").touch()
    with refused(StateError, "holds other files, such as thesis.tex"):
        conflearn.find_label_issues(*files, checkpoint=folder)
    assert (folder / "thesis.tex").exists()


def test_a_folder_that_was_there_stays(files: Data, tmp_path: Path) -> None:
    folder = tmp_path / "checkpoint"
    folder.mkdir()
    conflearn.find_label_issues(*files, checkpoint=folder)
    assert list(folder.iterdir()) == []


def test_files_of_somebody_else_stay(data: Data, files: Data, tmp_path: Path) -> None:
    folder = tmp_path / "checkpoint"
    begun(files, folder)
    others = ["notes.npy", "other.state", "download.partial", "is_issue.txt"]
    for name in others:
        (folder / name).write_text(name)
    mask = conflearn.find_label_issues(*files, checkpoint=folder)
    assert_same(mask, conflearn.find_label_issues(*data))
    assert sorted(file.name for file in folder.iterdir()) == sorted(others)
    assert all((folder / name).read_text() == name for name in others)


def test_a_file_of_somebody_else_is_not_written_over(files: Data, tmp_path: Path) -> None:
    folder = tmp_path / "checkpoint"
    begun(files, folder)
    run = json.loads((folder / "run.json").read_text())
    first = run["files"].pop(0)
    (folder / "run.json").write_text(json.dumps(run))
    (folder / first).write_text("mine")
    with refused(StateError, "checkpoint=", f"holds {first}, which the run has not written"):
        conflearn.find_label_issues(*files, checkpoint=folder)
    assert (folder / first).read_text() == "mine"


def test_two_runs_do_not_work_in_one_folder(files: Data, tmp_path: Path) -> None:
    def nested(name: str, done: int, total: int | None) -> None:
        conflearn.find_label_issues(*files, checkpoint=tmp_path / "checkpoint")

    with refused(StateError, "belongs to a run that is at work"):
        conflearn.find_label_issues(*files, checkpoint=tmp_path / "checkpoint", progress=nested)


def test_what_is_no_folder_is_refused(files: Data, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    for folder in (tmp_path / "file", tmp_path / "no" / "folder"):
        with refused(OptionError, "checkpoint=", "cannot be made a folder"):
            conflearn.find_label_issues(*files, checkpoint=folder)
    with refused(InputTypeError, "checkpoint=True is no path"):
        conflearn.find_label_issues(*files, checkpoint=True)


def test_batches_have_no_checkpoint(data: Data, tmp_path: Path) -> None:
    with refused(OptionError, "checkpoint needs an input that can be told from another"):
        conflearn.find_label_issues(None, [tuple(data)], checkpoint=tmp_path / "checkpoint")
    assert not (tmp_path / "checkpoint").exists()


def test_queries_have_no_checkpoint(data: Data, tmp_path: Path) -> None:
    polars = pytest.importorskip("polars")
    query = polars.DataFrame({"label": data.labels, "pred_probs": data.pred_probs}).lazy()
    with refused(OptionError, "which pred_probs (polars.LazyFrame) cannot; pass files"):
        conflearn.find_label_issues(None, query, checkpoint=tmp_path / "checkpoint")
    query = query.drop("pred_probs")
    with refused(OptionError, "which labels cannot; pass files"):
        conflearn.find_label_issues(
            conflearn.Columns(query, "label"), data.pred_probs, checkpoint=tmp_path / "checkpoint"
        )


@pytest.mark.parametrize("layout", ["wide", "lists"])
@pytest.mark.parametrize("kind", ["pandas", "arrow", "batch", "polars"])
def test_tables_in_memory_have_checkpoints_too(
    kind: str, layout: str, data: Data, tmp_path: Path
) -> None:
    pandas, polars = pytest.importorskip("pandas"), pytest.importorskip("polars")
    pytest.importorskip("pyarrow")

    def table(last: str = "fine") -> Any:
        if layout == "wide":
            cells = {f"p{k}": column for k, column in enumerate(data.pred_probs.T)}
        else:
            cells = {"pred_probs": list(data.pred_probs.copy())}
        notes = ["fine"] * (N_ROWS - 1) + [last]
        columns = {"label": data.labels.copy(), **cells, "note": notes}
        match kind:
            case "pandas":
                return pandas.DataFrame(columns)
            case "polars":
                return polars.DataFrame(columns)
        arrow = polars.DataFrame(columns).to_arrow()
        return arrow if kind == "arrow" else arrow.to_batches()[0]

    folder = tmp_path / "checkpoint"
    with killed_at(24), pytest.raises(KilledError):
        conflearn.find_label_issues("label", table(), checkpoint=folder)
    with refused(StateError, "checkpoint=", "another input"):
        conflearn.find_label_issues("label", table("odd"), checkpoint=folder)
    mask = conflearn.find_label_issues("label", table(), checkpoint=folder)
    assert_same(mask, conflearn.find_label_issues(*data))


def test_the_folder_says_what_it_is(files: Data, tmp_path: Path) -> None:
    begun(files, tmp_path / "checkpoint")
    run = json.loads((tmp_path / "checkpoint" / "run.json").read_text())["run"]
    assert run["call"] == "find_label_issues"
    assert "pred_probs.npy" in run["input"]


def test_results_do_not_go_where_the_checkpoint_is(files: Data, tmp_path: Path) -> None:
    folder = tmp_path / "checkpoint"
    folder.mkdir()
    for out in (folder, folder / "results"):
        with refused(OptionError, "out=", "lies in the folder of checkpoint"):
            conflearn.analyze(*files, checkpoint=folder, out=out)


def test_a_checkpoint_does_not_lie_where_results_go(files: Data, tmp_path: Path) -> None:
    out = tmp_path / "results"
    conflearn.analyze(*files, out=out)
    before = sorted(file.name for file in out.iterdir())
    (tmp_path / "link").symlink_to(out)
    for folder in (out / "checkpoint", out / "deep" / "checkpoint", tmp_path / "link" / "here"):
        with refused(OptionError, "checkpoint=", f"lies in the folder of out, {out.resolve()}"):
            conflearn.analyze(*files, checkpoint=folder, out=out)
    assert sorted(file.name for file in out.iterdir()) == before
