"""How far a run is: told to functions, shown by tqdm."""

import sys
from pathlib import Path
from typing import Any

import pytest

import conflearn
from conflearn.errors import MissingDependencyError, OptionError
from conflearn.stream import selection
from expected import refused
from strategies import FILTERS, random_data
from streams import assert_same, small_blocks, streamed

DATA = random_data(100, 3, seed=6)

#: The passes of each filter.
PASSES = {filter_by: ["thresholds", "look", "selection"] for filter_by in FILTERS} | {
    "confident_learning": ["thresholds", "look"],
    "predicted_neq_given": ["look"],
    "relative_confidence": ["thresholds", "look"],
}


@pytest.mark.parametrize("filter_by", PASSES)
def test_each_pass_is_told_from_the_first_row_to_the_last(filter_by: Any) -> None:
    told: list[Any] = []
    with small_blocks(30):
        conflearn.find_label_issues(
            *DATA, filter_by=filter_by, progress=lambda *seen: told.append(seen)
        )
    rows = [0, 30, 60, 90, 100]
    assert told == [(name, row, 100) for name in PASSES[filter_by] for row in rows]


def test_further_rounds_have_a_number(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(selection, "MOST", 1)
    told: list[str] = []
    mask = conflearn.find_label_issues(*DATA, progress=lambda name, *_: told.append(name))
    names = list(dict.fromkeys(told))
    assert names[:4] == ["thresholds", "look", "selection", "selection 2"]
    assert names[-1] == "emission"
    assert_same(mask, conflearn.find_label_issues(*DATA))


def test_every_function_tells() -> None:
    for call, passes in (
        (conflearn.analyze, ["thresholds", "look", "selection"]),
        (conflearn.rank_label_issues, ["thresholds", "look", "selection"]),
        (conflearn.num_label_issues, ["thresholds", "look"]),
        (conflearn.confident_joint, ["thresholds", "look"]),
        (conflearn.estimate_joint, ["thresholds", "look"]),
        (conflearn.confident_thresholds, ["thresholds"]),
        (conflearn.label_quality_scores, ["scores"]),
    ):
        told: list[str] = []
        call(*DATA, progress=lambda name, *_, told=told: told.append(name))
        assert list(dict.fromkeys(told)) == passes
    told = []
    conflearn.label_quality_scores(
        *DATA, adjust_pred_probs=True, progress=lambda name, *_: told.append(name)
    )
    assert list(dict.fromkeys(told)) == ["thresholds", "scores"]


def test_the_total_of_batches_is_told_when_it_is_known(tmp_path: Path) -> None:
    told: list[Any] = []
    batches = streamed(DATA, "batches", tmp_path)
    conflearn.find_label_issues(*batches, progress=lambda *seen: told.append(seen))
    assert {total for name, _, total in told if name == "thresholds"} == {None}
    assert {total for name, _, total in told if name != "thresholds"} == {100}


def test_a_function_may_stop_a_run(tmp_path: Path) -> None:
    def stop(*_: Any) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        conflearn.analyze(*DATA, progress=stop, out=tmp_path / "out")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.filterwarnings("ignore:.*IProgress:tqdm.TqdmWarning")  # there is no notebook
def test_tqdm_shows_a_bar_for_each_pass(capsys: pytest.CaptureFixture[str]) -> None:
    pytest.importorskip("tqdm")
    with small_blocks(30):
        conflearn.find_label_issues(*DATA, progress=True)
    shown = capsys.readouterr().err
    for name in PASSES["prune_by_noise_rate"]:
        assert f"{name}: 100%" in shown


def test_a_bar_is_closed_after_an_error(capsys: pytest.CaptureFixture[str]) -> None:
    pytest.importorskip("tqdm")
    with pytest.raises(ValueError, match="NaN"):
        conflearn.find_label_issues(DATA.labels, DATA.pred_probs * float("nan"), progress=True)
    assert capsys.readouterr().err.endswith("\n")


def test_bars_need_tqdm(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "tqdm.auto", None)
    with refused(MissingDependencyError, 'pip install "conflearn[progress]"'):
        conflearn.find_label_issues(*DATA, progress=True)


@pytest.mark.parametrize("progress", [1, "yes", ["tqdm"]])
def test_what_cannot_be_told_is_refused(progress: Any) -> None:
    with refused(OptionError, f"progress={progress!r}", "neither True nor False nor a function"):
        conflearn.find_label_issues(*DATA, progress=progress)
