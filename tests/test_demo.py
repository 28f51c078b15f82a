"""The demo, as people meet it: its tables, its messages, its exit codes."""

import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

import conflearn
from conflearn.__main__ import main
from strategies import Data, random_data

WIDTH = 80

Run = Callable[..., str]
Files = tuple[str, str]


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str]) -> Run:
    """What a command prints when all goes well."""

    def run(*arguments: object) -> str:
        assert main([str(argument) for argument in arguments]) == 0
        output, errors = capsys.readouterr()
        assert not errors
        return output

    return run


@pytest.fixture
def refused(capsys: pytest.CaptureFixture[str]) -> Run:
    """The one line that says why a command cannot be run."""

    def refused(*arguments: object) -> str:
        assert main([str(argument) for argument in arguments]) == 2
        output, error = capsys.readouterr()
        assert not output
        assert error.count("\n") == 1
        return error

    return refused


@pytest.fixture
def data() -> Data:
    return random_data(2_000, 5, dtype=np.float32)


@pytest.fixture
def files(data: Data, tmp_path: Path) -> Files:
    np.save(tmp_path / "labels.npy", data.labels)
    np.save(tmp_path / "pred_probs.npy", data.pred_probs)
    return str(tmp_path / "labels.npy"), str(tmp_path / "pred_probs.npy")


def table_of(output: str) -> list[list[str]]:
    """The cells of the table that are one word, row by row."""
    lines = [line.split() for line in output.splitlines() if line.startswith("  ")]
    return [line for line in lines if line[0].isdecimal()]


# --- The digits


def test_the_digits_are_found(run: Run) -> None:
    pytest.importorskip("sklearn")
    output = run("demo")
    n_wrong = int(re.findall(r"(\d+) of them with a wrong label", output)[0])
    n_estimated = int(re.findall(r"Estimated number of wrong labels: (\d+)", output)[0])
    precision = float(re.findall(r"Precision ([\d.]+)", output)[0])
    recall = float(re.findall(r"Recall +([\d.]+)", output)[0])
    assert 0.07 < n_wrong / 1797 < 0.09
    assert abs(n_estimated - n_wrong) < 20
    assert precision > 0.85
    assert recall > 0.85
    assert len(table_of(output)) == 10
    assert "right" in output
    assert "python -m conflearn demo labels.npy pred_probs.npy" in output
    assert max(map(len, output.splitlines())) <= WIDTH


def test_the_same_seed_gives_the_same_digits() -> None:
    pytest.importorskip("sklearn")
    from conflearn.demo import mislabelled_digits

    for seed in (0, 1, 2**40):
        first, second = mislabelled_digits(seed), mislabelled_digits(seed)
        np.testing.assert_array_equal(first.labels, second.labels)
        assert not np.array_equal(first.labels, mislabelled_digits(seed + 1).labels)
        np.testing.assert_array_equal(first.true, mislabelled_digits(seed + 1).true)


def test_without_scikit_learn_it_says_what_to_install(
    refused: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "sklearn.datasets", None)
    assert 'pip install "conflearn[demo]"' in refused("demo")


# --- Two files


def test_the_worst_of_two_files_are_listed(run: Run, data: Data, files: Files) -> None:
    output = run("demo", *files)
    records = conflearn.analyze(*data).to_records()
    expected = [
        [str(issue.index), str(issue.given), str(issue.suggested), f"{issue.score:.4f}"]
        for issue in records[:10]
    ]
    assert [row[:4] for row in table_of(output)] == expected
    assert f"Flagged {len(records):,} of 2,000 labels" in output
    n_estimated = conflearn.num_label_issues(*data, method="off_diagonal_calibrated")
    assert f"Estimated number of wrong labels: {n_estimated:,} " in output
    assert "true" not in output
    assert "Precision" not in output
    assert max(map(len, output.splitlines())) <= WIDTH


def test_options_are_those_of_the_package(run: Run, data: Data, files: Files) -> None:
    options = {"filter_by": "prune_by_class", "rank_by": "confidence_weighted_entropy"}
    output = run(
        "demo", *files, "--top", 3, *(f"--{k.replace('_', '-')}={v}" for k, v in options.items())
    )
    ranked = conflearn.rank_label_issues(*data, **options)
    assert [row[0] for row in table_of(output)] == [str(row) for row in ranked[:3]]


def test_no_rows_are_listed_where_none_are_asked_for_or_found(
    run: Run, files: Files, tmp_path: Path
) -> None:
    assert not table_of(run("demo", *files, "--top", 0))
    np.save(tmp_path / "labels.npy", [0, 1, 1])
    np.save(tmp_path / "pred_probs.npy", np.eye(2)[[0, 1, 1]])
    output = run("demo", *files)
    assert "Flagged 0 of 3 labels" in output
    assert not table_of(output)


def test_the_matrix_stays_in_its_file(
    run: Run, files: Files, monkeypatch: pytest.MonkeyPatch
) -> None:
    from conflearn import demo

    seen = []
    original = demo.analyze
    monkeypatch.setattr(
        demo, "analyze", lambda *args, **options: seen.append(args) or original(*args, **options)
    )
    run("demo", *files)
    assert seen == [tuple(map(Path, files))]


@pytest.mark.parametrize(
    ("content", "complaint"),
    [
        (None, "No such file"),
        (b"", "does not begin with the header of a .npy file"),
        (b"0.9,0.1\n", "does not begin with the header of a .npy file"),
        (b"PK\x03\x04 no archive", "does not begin with the header of a .npy file"),
        (b"\x93NUMPY\x01\x00\x10\x00(((", "does not begin with the header of a .npy file"),
    ],
    ids=["missing", "empty", "text", "broken archive", "broken header"],
)
def test_a_file_that_cannot_be_read_is_named(
    refused: Run, files: Files, tmp_path: Path, content: bytes | None, complaint: str
) -> None:
    path = tmp_path / "bad.npy"
    if content is not None:
        path.write_bytes(content)
    for pair in ((files[0], path), (path, files[1])):
        message = refused("demo", *pair)
        assert str(path) in message
        assert complaint in message


def test_a_file_that_is_cut_off_is_named(refused: Run, files: Files) -> None:
    path = Path(files[1])
    path.write_bytes(path.read_bytes()[:-100])
    assert f"{path} ends at byte" in refused("demo", *files)


def test_archives_and_objects_are_refused(refused: Run, files: Files, tmp_path: Path) -> None:
    np.savez(tmp_path / "archive.npz", a=[1])
    np.save(tmp_path / "objects.npy", np.array([0, "a"], dtype=object), allow_pickle=True)
    for name in ("archive.npz", "objects.npy"):
        assert name in refused("demo", tmp_path / name, files[1])


@pytest.mark.parametrize(
    ("labels", "pred_probs", "complaint"),
    [
        ([0, 1], np.eye(3), "labels.npy has 2 entries"),
        ([0, 1], [[0.5, 0.5], [np.nan, 0.5]], "pred_probs[1, 0]"),
        ([0, 2], np.eye(2), "labels[1] is 2"),
        (["a", "b"], np.eye(2), "labels must hold column numbers"),
        ([0, 1], np.eye(2, dtype="S1"), "pred_probs has the dtype"),
    ],
    ids=["lengths", "nan", "label", "strings", "dtype"],
)
def test_arrays_that_do_not_fit_are_refused(
    refused: Run, files: Files, labels: object, pred_probs: object, complaint: str
) -> None:
    np.save(files[0], labels)
    np.save(files[1], pred_probs)
    assert complaint in refused("demo", *files)


# --- The command line


@pytest.mark.parametrize(
    "arguments",
    [
        [],
        ["dmeo"],
        ["demo", "labels.npy"],
        ["demo", "labels.npy", "pred_probs.npy", "--seed", "1"],
        ["demo", "--top", "-1"],
        ["demo", "--top", "many"],
        ["demo", "--filter-by", "best"],
        ["demo", "--rank-by", "best"],
    ],
    ids=" ".join,
)
def test_wrong_usage_is_explained(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit, match="2"):
        main(arguments)
    output, error = capsys.readouterr()
    assert not output
    assert "usage: python -m conflearn" in error
    assert "error: " in error


def test_ctrl_c_ends_it_without_a_traceback(files: Files, monkeypatch: pytest.MonkeyPatch) -> None:
    from conflearn import demo

    def interrupted(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(demo, "analyze", interrupted)
    assert main(["demo", *files]) == 130


def test_help_needs_no_other_package() -> None:
    program = (
        "import sys; from conflearn.__main__ import main\n"
        "try: main(['demo', '--help'])\n"
        "finally: assert 'sklearn' not in sys.modules"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 0, done.stderr
    assert "pred_probs.npy" in done.stdout


def test_it_runs_as_a_module(files: Files) -> None:
    command = [sys.executable, "-m", "conflearn", "demo", *files]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    assert table_of(done.stdout)
