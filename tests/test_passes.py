"""The passes over data in parts: as in memory, however the rows are split, fed and merged."""

import contextlib
import os
import pickle
import re
import subprocess
import sys
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from typing import Any

import hypothesis.strategies as st
import numpy as np
import pytest
from hypothesis import given

import conflearn
from conflearn import passes
from conflearn.errors import InputError, InputTypeError, LabelError, OptionError, ShapeError
from conflearn.states import SelectionState
from expected import refused
from strategies import (
    FILTERS,
    JUDGES,
    PRUNE_FILTERS,
    PRUNE_OPTIONS,
    SCORES,
    Data,
    random_data,
)

TIES = random_data(300, 4, decimals=1, n_absent=1)


def parts_of(data: Data, ends: list[int]) -> list[slice]:
    bounds = [0, *sorted(ends), len(data.labels)]
    return [slice(*pair) for pair in pairwise(bounds)]


def reduce_over(
    data: Data,
    parts: list[slice],
    *,
    rows: np.ndarray | None = None,
    order: Callable[[list[Any]], list[Any]] = list,
) -> passes.Reduce:
    """Feed each part to a state that came by pickle, and merge these in the order asked for."""

    def reduce(state: Any) -> Any:
        sent = pickle.dumps(state)
        fed = []
        for part in parts:
            if part.start < part.stop:
                numbers = part.start if rows is None else rows[part]
                here = pickle.loads(sent)
                passes.feed(here, data.labels[part], data.pred_probs[part], rows=numbers)
                fed.append(pickle.dumps(here))
        for one in order(fed):
            state.merge(pickle.loads(one))
        return state

    return reduce


@given(
    ends=st.lists(st.integers(0, 300), max_size=6),
    seed=st.integers(0, 5),
    filter_by=st.sampled_from(FILTERS + JUDGES),
    rank_by=st.sampled_from(SCORES + JUDGES),
    data=st.data(),
)
def test_parts_give_the_answers_of_the_whole(ends, seed, filter_by, rank_by, data) -> None:
    whole = random_data(300, 4, seed=seed, decimals=1, n_absent=seed % 2)
    parts = parts_of(whole, ends)
    reduce = reduce_over(whole, parts, order=lambda fed: data.draw(st.permutations(fed)))
    found = passes.analyze(reduce, n_classes=4, filter_by=filter_by, scores=[rank_by])
    expected = conflearn.analyze(*whole, filter_by=filter_by, rank_by=rank_by)
    results = found.rule.apply(*whole, rows=0, entropies=True)
    assert found.rule.scores == tuple(expected.scores)
    assert results.is_issue.tobytes() == expected.mask.tobytes()
    assert results.suggested_labels.tobytes() == expected.suggested_labels.tobytes()
    for score in found.rule.scores:
        assert getattr(results, score).tobytes() == expected.scores[score].tobytes()
    assert found.thresholds.tobytes() == expected.thresholds.tobytes()
    assert found.num_issues == expected.num_issues
    assert found.confident_joint.tobytes() == expected.confident_joint.tobytes()


@pytest.mark.parametrize("filter_by", FILTERS + JUDGES)
@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
def test_a_rule_is_found_in_no_more_passes_than_needed(filter_by, dtype) -> None:
    data = random_data(300, 4, decimals=2, dtype=dtype)
    once = reduce_over(data, parts_of(data, [100, 200]))
    kinds: list[str] = []

    def reduce(state: Any) -> Any:
        kinds.append(type(state).__name__)
        return once(state)

    rule = passes.find_rule(reduce, 4, filter_by=filter_by)
    mask = conflearn.find_label_issues(*data, filter_by=filter_by)
    assert rule.apply(*data, rows=0).is_issue.tobytes() == mask.tobytes()
    few = {"predicted_neq_given": 0, "confident_learning": 1, "relative_confidence": 1}
    needed = few.get(filter_by, 3)
    if needed == 3:
        assert rule.flags(np.arange(300)).tobytes() == mask.tobytes()
        assert rule.flags(np.array([5, 3], np.uint64)).tolist() == [mask[5], mask[3]]
        with refused(ShapeError, "rows must be", "one a row"):
            rule.flags(7)
    else:
        assert rule.flagged_rows is None
    assert kinds == ["ThresholdState", "JointState", "SelectionState"][:needed]


@pytest.mark.parametrize("filter_by", ["prune_by_class", *JUDGES])
def test_passes_that_several_ask_for_are_done_once(filter_by) -> None:
    once = reduce_over(TIES, parts_of(TIES, [100, 200]))
    kinds: list[str] = []

    def reduce(state: Any) -> Any:
        kinds.append(type(state).__name__)
        return once(state)

    passes.analyze(reduce, 4, filter_by=filter_by, scores=["relative_confidence"])
    expected = ["ThresholdState", "JointState", "SelectionState"]
    assert kinds == expected[: 2 if filter_by in JUDGES else 3]


def test_clean_data_flag_nothing() -> None:
    labels = np.arange(20) % 4
    clean = Data(labels, np.eye(4)[labels])
    rule = passes.find_rule(reduce_over(clean, parts_of(clean, [9])), 4)
    assert not rule.flags(np.arange(20)).any()
    assert not rule.apply(*clean, rows=0).is_issue.any()


@pytest.mark.parametrize("filter_by", PRUNE_FILTERS)
def test_several_rounds_of_selection(filter_by, monkeypatch) -> None:
    monkeypatch.setitem(SelectionState.__init__.__kwdefaults__, "most", 20)
    reduce = reduce_over(TIES, parts_of(TIES, [10, 11, 200]))
    rounds = []

    def counted(state: Any) -> Any:
        rounds.append(isinstance(state, SelectionState))
        return reduce(state)

    rule = passes.find_rule(counted, 4, filter_by=filter_by)
    assert sum(rounds) > 1
    assert rule.flagged_rows is None
    mask = conflearn.find_label_issues(*TIES, filter_by=filter_by)
    assert rule.apply(*TIES, rows=0).is_issue.tobytes() == mask.tobytes()


@pytest.mark.parametrize("options", PRUNE_OPTIONS)
def test_prune_options(options) -> None:
    data = random_data(500, 4, decimals=1)
    rule = passes.find_rule(reduce_over(data, parts_of(data, [77, 400])), 4, **options)
    mask = conflearn.find_label_issues(*data, **options)
    assert rule.apply(*data, rows=0).is_issue.tobytes() == mask.tobytes()


@pytest.mark.parametrize("kind", ["logits", "scores"])
def test_kinds(kind) -> None:
    data = random_data(300, 4, decimals=1)
    data = Data(data.labels, 3 * data.pred_probs - 1)
    options = {"kind": kind, "temperature": 2.0} if kind == "logits" else {"kind": kind}
    found = passes.analyze(reduce_over(data, parts_of(data, [9])), 4, **options)
    expected = conflearn.analyze(*data, **options)
    results = found.rule.apply(*data, rows=0)
    assert results.is_issue.tobytes() == expected.mask.tobytes()
    assert results.normalized_margin.tobytes() == expected.scores["normalized_margin"].tobytes()


@pytest.mark.parametrize("filter_by", ["prune_by_class", "low_self_confidence"])
def test_ties_go_to_the_lower_number(filter_by) -> None:
    # The rows in another order, with the numbers that they have in the first.
    shuffled = np.random.default_rng(0).permutation(300)
    data = Data(TIES.labels[shuffled], TIES.pred_probs[shuffled])
    rule = passes.find_rule(
        reduce_over(data, parts_of(data, [50, 150]), rows=shuffled), 4, filter_by=filter_by
    )
    mask = conflearn.find_label_issues(*TIES, filter_by=filter_by)
    assert rule.apply(*data, rows=shuffled).is_issue.tobytes() == mask[shuffled].tobytes()


def test_findings_have_what_the_analysis_has() -> None:
    names = ["ant", "bee", "cat", "dog"]
    found = passes.analyze(reduce_over(TIES, parts_of(TIES, [10])), 4, classes=names)
    expected = conflearn.analyze(*TIES, classes=names)
    assert found.joint.tobytes() == expected.joint.tobytes()
    assert str(found.health) == str(expected.health)
    for own, other in zip(found.noise_model, expected.noise_model, strict=True):
        assert own.tobytes() == other.tobytes()
    assert (found.n_examples, found.n_classes, found.filter_by, found.kind) == (
        300,
        4,
        "prune_by_noise_rate",
        "probabilities",
    )
    assert pickle.loads(pickle.dumps(found)).num_issues == expected.num_issues


def test_one_example_and_two_classes() -> None:
    data = Data(np.array([1]), np.array([[0.9, 0.1]]))
    found = passes.analyze(reduce_over(data, [slice(0, 1)]), 2, filter_by="predicted_neq_given")
    assert found.rule.apply(*data, rows=0).is_issue.tolist() == [True]


def test_memory_that_is_read_only_or_in_fortran_order(tmp_path) -> None:
    data = random_data(60, 3)
    np.save(tmp_path / "matrix.npy", np.asfortranarray(data.pred_probs))
    mapped = Data(data.labels, np.load(tmp_path / "matrix.npy", mmap_mode="r"))
    rule = passes.find_rule(reduce_over(mapped, parts_of(data, [20])), 3)
    mask = conflearn.find_label_issues(*data)
    assert rule.apply(*mapped, rows=0).is_issue.tobytes() == mask.tobytes()


def test_the_program_of_the_guide(tmp_path) -> None:
    pytest.importorskip("sklearn")
    guide = Path(__file__).resolve().parents[1] / "docs" / "guides" / "clusters.md"
    text = guide.read_text(encoding="utf-8")
    shards, program, *_ = re.findall(r"^```python\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)
    names: dict[str, Any] = {}
    with contextlib.redirect_stdout(None):
        exec(shards, names)
    (tmp_path / "program.py").write_text(program)
    command = [sys.executable, tmp_path / "program.py", names["folder"]]
    path = str(Path(conflearn.__file__).parents[1])
    environment = os.environ | {"PYTHONPATH": path}
    printed = subprocess.run(command, check=True, capture_output=True, text=True, env=environment)
    assert printed.stdout == "148 labels are estimated to be wrong, 190 are flagged\n"
    assert printed.stdout in text  # Dask prints the same


# --- What is refused


def never(state: Any) -> Any:
    raise AssertionError("no row should be read")


def test_options_are_checked_before_rows_are_read() -> None:
    with refused(OptionError, "filter_by"):
        passes.find_rule(never, 3, filter_by="prune")
    with refused(OptionError, "does not use frac_noise"):
        passes.find_rule(never, 3, filter_by="confident_learning", frac_noise=0.5)
    with refused(OptionError, "n_classes must be at least 2"):
        passes.analyze(never, 1)
    with refused(OptionError, "temperature"):
        passes.analyze(never, 2, kind="scores", temperature=2.0)
    with refused(InputError, "classes"):
        passes.analyze(never, 2, classes=["a", "b", "c"])


def test_no_rows() -> None:
    with refused(ShapeError, "empty"):
        passes.find_rule(lambda state: state, 3)


def test_rows_that_change() -> None:
    halves = iter([slice(0, 200), slice(0, 100)])

    def reduce(state: Any) -> Any:
        part = next(halves)
        return passes.feed(state, TIES.labels[part], TIES.pred_probs[part])

    with refused(InputError, "same in each pass", "200", "100"):
        passes.find_rule(reduce, 4)


def test_bad_rows_are_named_by_their_number_in_the_whole() -> None:
    labels = TIES.labels.copy()
    labels[170] = 4
    reduce = reduce_over(Data(labels, TIES.pred_probs), parts_of(TIES, [150]))
    with refused(LabelError, "labels[170] is 4"):
        passes.find_rule(reduce, 4)


def test_another_number_of_classes_is_named() -> None:
    reduce = reduce_over(TIES, parts_of(TIES, [150]))
    with refused(InputError, "n_classes is 9, but pred_probs has 4 columns"):
        passes.find_rule(reduce, 9)


def test_findings_are_shown_in_a_line() -> None:
    found = passes.analyze(reduce_over(TIES, parts_of(TIES, [150])), 4, filter_by="both")
    assert repr(found) == (
        "<Findings of 300 labels in 4 classes, filter_by='both'; estimated number of wrong labels: "
        f"{found.num_issues}>"
    )
    assert repr(found.rule) == "<Rule of probabilities, filter_by='both'>"


def test_row_numbers() -> None:
    numbers = passes.as_row_numbers(np.array([3, 0, 2**40], dtype=np.uint64), "id")
    assert (numbers.dtype, numbers.tolist()) == (np.int64, [3, 0, 2**40])
    assert passes.as_row_numbers(np.array([], dtype=np.int32), "id").tolist() == []
    for values in ([0.5], ["a"], [[1]], [True]):
        with refused(InputTypeError, "id must hold a whole number"):
            passes.as_row_numbers(np.array(values), "id")
    with refused(InputError, "id[1] is -1"):
        passes.as_row_numbers(np.array([1, -1]), "id")
    with refused(InputError, f"id[0] is {2**63}"):
        passes.as_row_numbers(np.array([2**63], dtype=np.uint64), "id")
    with refused(InputError, "two rows have 7"):
        passes.as_row_numbers(np.array([7, 1, 7]), "id")
    passes.check_largest_number(3, 2, "id")
    with refused(InputError, "of 3 rows the largest is 1"):
        passes.check_largest_number(3, 1, "id")
