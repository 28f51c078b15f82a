"""Dataset health: scores, tables, pairs, and the views of them."""

import json
import sys
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import conflearn
import reference
from conflearn._sparse_joint import SparseJoint
from conflearn.errors import (
    InputError,
    InputTypeError,
    LabelError,
    MissingDependencyError,
    OptionError,
    ShapeError,
)
from expected import refused
from strategies import Data, datasets, joints, random_data, random_joint

NAMES = ["ant", "bee", "cat"]
LABELS, PRED_PROBS = random_data(60, 3)
JOINT = np.array([[7, 1, 0], [2, 8, 1], [0, 0, 9]])


def assert_tables(health: conflearn.DatasetHealth, joint: np.ndarray) -> None:
    """Expect the oracle's classes and pairs of a joint of counts."""
    expected = reference.class_table(joint)
    assert len(health.classes) == len(joint)
    for name, dtype in {
        "class_index": np.int64,
        "label_issues": np.int64,
        "inverse_label_issues": np.int64,
        "label_noise": np.float64,
        "inverse_label_noise": np.float64,
        "label_quality": np.float64,
    }.items():
        assert health.classes[name].dtype == dtype
        np.testing.assert_array_equal(health.classes[name], [row[name] for row in expected], name)
    for directed in (False, True):
        pairs = health.overlapping_classes(None, directed=directed)
        found = list(zip(pairs.class_a, pairs.class_b, pairs.num_examples, strict=True))
        assert found == reference.overlapping_classes(joint, directed=directed)
        np.testing.assert_array_equal(
            pairs.joint_probability, pairs.num_examples / health.n_examples
        )


# --- The numbers


@given(datasets())
def test_the_health_of_data_is_the_oracles(data: Data) -> None:
    health = conflearn.dataset_health(*data)
    thresholds = conflearn.confident_thresholds(*data)
    joint = reference.confident_joint(*data, thresholds=thresholds)
    num_issues = reference.num_label_issues(*data, thresholds=thresholds)
    assert type(health.num_issues) is int
    assert type(health.health_score) is float
    assert health.num_issues == num_issues
    assert health.n_examples == len(data.labels)
    assert health.n_classes == data.pred_probs.shape[1]
    assert health.health_score == reference.health_score(num_issues, len(data.labels))
    assert health.health_score == 1 - health.issue_share
    assert_tables(health, joint)


def test_the_health_of_real_data(real_data: Data) -> None:
    health = conflearn.dataset_health(*real_data)
    assert_tables(health, conflearn.confident_joint(*real_data))
    assert health.num_issues == conflearn.num_label_issues(*real_data)
    assert 0 < health.health_score < 1


def test_the_health_of_many_classes(width: np.dtype) -> None:
    labels, pred_probs = random_data(2000, 700, n_absent=50)
    data = Data(labels, pred_probs.astype(width))
    assert_tables(conflearn.dataset_health(*data), conflearn.confident_joint(*data))


@given(datasets())
def test_matrices_are_those_of_the_other_functions(data: Data) -> None:
    health = conflearn.dataset_health(*data)
    np.testing.assert_array_equal(health.joint, conflearn.estimate_joint(*data))
    model = conflearn.estimate_noise_model(conflearn.confident_joint(*data), data.labels)
    for ours, theirs in zip(health.noise_model, model, strict=True):
        np.testing.assert_array_equal(ours, theirs)


@given(datasets())
def test_an_analysis_has_the_same_health(data: Data) -> None:
    names = [f"class {k}" for k in range(data.pred_probs.shape[1])]
    analysis = conflearn.analyze(*data, classes=names)
    health = conflearn.dataset_health(*data, class_names=names)
    assert repr(analysis.health) == repr(health)
    assert analysis.health.health_score == health.health_score
    np.testing.assert_array_equal(analysis.health.classes, health.classes)
    np.testing.assert_array_equal(
        analysis.health.overlapping_classes(), health.overlapping_classes()
    )


def test_nothing_is_wrong() -> None:
    health = conflearn.dataset_health([0, 1], np.eye(2))
    assert health.health_score == 1
    assert health.classes.label_quality.tolist() == [1, 1]
    assert len(health.overlapping_classes()) == 0
    assert repr(health) == (
        "DatasetHealth of 2 labels in 2 classes\n"
        "  health score: 1.00 (estimated number of wrong labels: 0, 0.0%)"
    )


def test_one_example() -> None:
    health = conflearn.dataset_health([1], [[0.1, 0.2, 0.7]])
    assert health.n_examples == 1
    assert sorted(health.classes.class_index) == [0, 1, 2]


def test_a_class_that_nobody_was_given_is_in_good_health() -> None:
    health = conflearn.dataset_health(confident_joint=[[5, 1, 0], [2, 6, 0], [0, 0, 0]])
    last = health.classes[-1]
    assert (last.class_index, last.label_noise, last.inverse_label_noise) == (2, 0, 0)
    assert last.label_quality == 1


def test_of_equals_the_lower_class_comes_first() -> None:
    joint = np.full((5, 5), 2) + 6 * np.eye(5, dtype=int)
    health = conflearn.dataset_health(confident_joint=joint)
    assert health.classes.class_index.tolist() == [0, 1, 2, 3, 4]
    pairs = health.overlapping_classes(3)
    assert list(zip(pairs.class_a, pairs.class_b, strict=True)) == [(0, 1), (0, 2), (0, 3)]


def test_no_array_of_all_pairs_is_made() -> None:
    n_classes = 200_000  # a dense joint would take 320 GB
    diagonal = np.arange(n_classes)
    joint = SparseJoint(
        n_classes,
        np.append(diagonal, n_classes - 1),
        np.append(diagonal, 0),
        np.append(np.ones(n_classes, dtype=np.int64), 3),
    )
    health = conflearn.DatasetHealth(3, n_classes + 3, None, joint, joint.given_sums())
    assert health.classes.class_index[0] == n_classes - 1
    assert health.overlapping_classes().num_examples.tolist() == [3]
    assert "0 and 199999 (3)" in repr(health)
    assert "199999" in health._repr_html_()


@pytest.mark.parametrize("kind", ["logits", "scores"])
def test_the_health_of_what_is_no_probability(kind: Any) -> None:
    labels, pred_probs = random_data(300, 5)
    cells = np.log(pred_probs) + 3
    told: dict[str, Any] = {"kind": kind}
    if kind == "logits":
        told["temperature"] = 2.0
    health = conflearn.dataset_health(labels, cells, **told)
    assert_tables(health, conflearn.confident_joint(labels, cells, **told))
    assert health.num_issues == conflearn.num_label_issues(labels, cells, **told)
    with refused(OptionError, f"kind={kind!r}", "not used"):
        conflearn.dataset_health(confident_joint=JOINT, **told)


# --- Pairs


@given(joints(), st.integers(0, 30), st.booleans())
def test_the_largest_pairs_are_the_head_of_all_pairs(
    joint_and_labels: tuple[np.ndarray, np.ndarray], n: int, directed: bool
) -> None:
    health = conflearn.dataset_health(confident_joint=joint_and_labels[0])
    all_pairs = health.overlapping_classes(None, directed=directed)
    np.testing.assert_array_equal(health.overlapping_classes(n, directed=directed), all_pairs[:n])


@pytest.mark.parametrize("n", [-1, 1.5, "all", True])
def test_how_many_pairs_is_a_whole_number(n: Any) -> None:
    with refused(OptionError, "n=", "whole number"):
        conflearn.dataset_health(confident_joint=JOINT).overlapping_classes(n)


def test_directed_is_a_bool() -> None:
    with refused(OptionError, "directed='no'"):
        conflearn.dataset_health(confident_joint=JOINT).overlapping_classes(directed="no")  # type: ignore[arg-type]


# --- From a joint


@given(datasets())
def test_a_joint_alone_has_the_tables_of_its_data(data: Data) -> None:
    health = conflearn.dataset_health(*data)
    counts, n_examples = conflearn.confident_joint(*data), len(data.labels)
    uncalibrated = conflearn.confident_joint(*data, calibrate=False)
    joint = conflearn.estimate_joint(*data)
    for other in (
        conflearn.dataset_health(confident_joint=counts),
        conflearn.dataset_health(data.labels, confident_joint=uncalibrated),
        conflearn.dataset_health(joint=joint, n_examples=n_examples),
    ):
        assert_tables(other, counts)
        np.testing.assert_array_equal(other.joint, health.joint)
        for ours, theirs in zip(other.noise_model, health.noise_model, strict=True):
            np.testing.assert_array_equal(ours, theirs)
        assert other.n_examples == n_examples
        assert other.num_issues == reference.num_issues_of_joint(counts)
        assert other.health_score == 1 - other.num_issues / n_examples


def test_a_joint_that_is_no_whole_number_of_examples() -> None:
    joint = np.array([[0.25, 0.1], [0.2, 0.45]])
    health = conflearn.dataset_health(joint=joint, n_examples=7)
    assert health.num_issues == round(7 * 0.3)
    assert health.classes.class_index.tolist() == [1, 0]
    np.testing.assert_allclose(health.classes.label_noise, [0.2 / 0.65, 0.1 / 0.35])
    assert health.classes.label_issues.tolist() == [1, 1]
    np.testing.assert_allclose(health.joint, joint)
    np.testing.assert_allclose(health.overlapping_classes().joint_probability, [0.3])
    model = conflearn.estimate_noise_model(joint, [0] * 7 + [1] * 13)
    for ours, theirs in zip(health.noise_model, model, strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=1e-9)


def test_counts_need_not_be_whole() -> None:
    counts = np.array([[4.6, 0.5], [0.8, 4.5]])
    health = conflearn.dataset_health(confident_joint=counts)
    assert (health.n_examples, health.num_issues) == (10, 1)
    np.testing.assert_allclose(health.joint, counts / 10.4)
    np.testing.assert_allclose(health.overlapping_classes().joint_probability, [1.3 / 10.4])
    everything_wrong = conflearn.dataset_health(confident_joint=[[0, 1.7], [1.7, 0]])
    assert everything_wrong.health_score == 0


def test_a_joint_comes_in_any_form() -> None:
    pandas = pytest.importorskip("pandas")
    expected = conflearn.dataset_health(confident_joint=JOINT).classes
    for form in (JOINT.tolist(), np.asfortranarray(JOINT), pandas.DataFrame(JOINT)):
        np.testing.assert_array_equal(
            conflearn.dataset_health(confident_joint=form).classes, expected
        )


WAYS: tuple[dict[str, Any], ...] = (
    {"confident_joint": JOINT, "labels": LABELS, "pred_probs": PRED_PROBS},
    {"confident_joint": JOINT, "pred_probs": PRED_PROBS},
    {"confident_joint": JOINT, "joint": JOINT / JOINT.sum()},
    {"confident_joint": JOINT, "n_examples": 28},
    {"joint": JOINT / JOINT.sum()},
    {"joint": JOINT / JOINT.sum(), "labels": LABELS},
    {"labels": LABELS, "pred_probs": PRED_PROBS, "n_examples": 60},
    {"n_examples": 3},
)


@pytest.mark.parametrize("arguments", WAYS, ids=", ".join)
def test_what_would_be_ignored_is_refused(arguments: dict[str, Any]) -> None:
    with refused(OptionError, "pass labels and pred_probs", "joint", "n_examples", "but not") as e:
        conflearn.dataset_health(**arguments)
    assert all(name in str(e.value).partition("but not")[2] for name in arguments)


@pytest.mark.parametrize("arguments", [{}, {"labels": LABELS}, {"pred_probs": PRED_PROBS}])
def test_what_is_missing_is_named(arguments: dict[str, Any]) -> None:
    with refused(InputTypeError, "pass labels and pred_probs"):
        conflearn.dataset_health(**arguments)


@pytest.mark.parametrize(
    ("arguments", "essentials"),
    [
        ({"joint": JOINT, "n_examples": 28}, ["joint", "sums to 1", "28", "confident_joint"]),
        ({"confident_joint": JOINT / 28}, ["confident_joint", "counts", "1", "joint=..."]),
        ({"confident_joint": JOINT / 1e9}, ["confident_joint", "counts", "joint=..."]),
        ({"confident_joint": JOINT * 1e30}, ["confident_joint", "2**53"]),
        ({"joint": JOINT / 28, "n_examples": 0}, ["n_examples", "1", "2**53"]),
        ({"joint": JOINT / 28, "n_examples": 2**60}, ["n_examples", "2**53"]),
        ({"joint": JOINT / 28, "n_examples": 2.5}, ["n_examples", "2.5", "whole number"]),
        ({"joint": -JOINT / 28, "n_examples": 2}, ["joint[0, 0]", "negative"]),
        ({"joint": JOINT[1:] / 28, "n_examples": 2}, ["joint", "shape"]),
        ({"confident_joint": JOINT[0]}, ["confident_joint", "shape"]),
        ({"confident_joint": np.full((2, 2), np.nan)}, ["confident_joint[0, 0]", "finite"]),
        ({"confident_joint": np.zeros((2, 2))}, ["confident_joint", "at least one"]),
    ],
    ids=str,
)
def test_what_is_no_joint_is_named(arguments: dict[str, Any], essentials: list[str]) -> None:
    with refused(InputError, *essentials):
        conflearn.dataset_health(**arguments)


# --- Names


def test_classes_are_called_by_their_names() -> None:
    health = conflearn.dataset_health(LABELS, PRED_PROBS, class_names=NAMES)
    plain = conflearn.dataset_health(LABELS, PRED_PROBS)
    assert health.class_names == tuple(NAMES)
    assert health.classes.class_name.tolist() == [NAMES[k] for k in plain.classes.class_index]
    assert plain.classes.class_name.tolist() == plain.classes.class_index.tolist()
    pairs = health.overlapping_classes(directed=True)
    assert pairs.name_a.tolist() == [NAMES[k] for k in pairs.class_a]
    assert pairs.name_b.tolist() == [NAMES[k] for k in pairs.class_b]


@pytest.mark.parametrize("names", [NAMES, np.array(NAMES), tuple(NAMES)], ids=["a", "b", "c"])
def test_labels_may_be_names(names: Any) -> None:
    by_name = conflearn.dataset_health(np.array(NAMES)[LABELS], PRED_PROBS, class_names=names)
    by_number = conflearn.dataset_health(LABELS, PRED_PROBS, class_names=iter(NAMES))
    np.testing.assert_array_equal(by_name.classes, by_number.classes)
    of_joint = conflearn.dataset_health(
        np.array(NAMES)[LABELS], confident_joint=random_joint(3), class_names=names
    )
    assert of_joint.class_names == tuple(NAMES)


def test_labels_may_be_numbers_that_are_no_columns() -> None:
    numbers = [10, 20, 30]
    by_name = conflearn.dataset_health(np.array(numbers)[LABELS], PRED_PROBS, class_names=numbers)
    assert set(by_name.classes.class_name.tolist()) == set(numbers)
    np.testing.assert_array_equal(
        by_name.classes.label_noise,
        conflearn.dataset_health(LABELS, PRED_PROBS).classes.label_noise,
    )


OF_DATA: dict[str, Any] = {"labels": LABELS, "pred_probs": PRED_PROBS}


@pytest.mark.parametrize(
    "arguments",
    [
        OF_DATA,
        {"confident_joint": JOINT},
        {"joint": JOINT / 28, "n_examples": 28},
        {"labels": LABELS, "confident_joint": JOINT},
    ],
    ids=["data", "counts", "joint", "labels and counts"],
)
def test_names_that_do_not_fit_are_refused(arguments: dict[str, Any]) -> None:
    with refused(ShapeError, "class_names has 2 entries", "3 columns"):
        conflearn.dataset_health(**arguments, class_names=NAMES[:2])
    with refused(OptionError, "class_names names 'bee' twice"):
        conflearn.dataset_health(**arguments, class_names=["ant", "bee", "bee"])
    with refused(InputTypeError, "class_names", "'abc'"):
        conflearn.dataset_health(**arguments, class_names="abc")


def test_messages_about_labels_name_the_argument_to_pass() -> None:
    names = np.array(NAMES)[LABELS]
    joint: dict[str, Any] = {"confident_joint": JOINT}
    for arguments in ({"pred_probs": PRED_PROBS}, joint):
        with refused(LabelError, "labels[0]", "class_names=[...]"):
            conflearn.dataset_health(names, **arguments)
        with refused(LabelError, "labels[0]", "is not in class_names"):
            conflearn.dataset_health(names, **arguments, class_names=["x", "y", "z"])
        with refused(LabelError, "labels[", "class_names=[...]"):
            conflearn.dataset_health(LABELS + 1, **arguments)


def test_the_number_of_threads_is_checked() -> None:
    for arguments in (OF_DATA, {"confident_joint": JOINT}):
        with refused(OptionError, "n_threads=0"):
            conflearn.dataset_health(**arguments, n_threads=0)


# --- Frames


@pytest.mark.parametrize("library", ["pandas", "polars"])
def test_tables_become_frames(library: Any) -> None:
    frames = pytest.importorskip(library)
    health = conflearn.dataset_health(LABELS, PRED_PROBS, class_names=NAMES)
    frame = health.to_frame(library=library)
    assert isinstance(frame, frames.DataFrame)
    assert list(frame.columns) == list(health.classes.dtype.names)
    for name in frame.columns:
        assert frame[name].to_list() == health.classes[name].tolist()
    pairs = health.to_frame("overlapping_classes", library=library)
    assert len(pairs) == len(health.overlapping_classes(None)) == 3
    assert len(frames.DataFrame(health.classes)) == 3  # a recarray goes in as it is


def test_the_frame_is_of_the_library_that_the_program_has(monkeypatch: pytest.MonkeyPatch) -> None:
    pandas, polars = pytest.importorskip("pandas"), pytest.importorskip("polars")
    health = conflearn.dataset_health(confident_joint=JOINT)
    assert isinstance(health.to_frame(), pandas.DataFrame)
    monkeypatch.delitem(sys.modules, "pandas")
    assert isinstance(health.to_frame(), polars.DataFrame)
    monkeypatch.setitem(sys.modules, "polars", None)  # not installed
    monkeypatch.setitem(sys.modules, "pandas", pandas)
    assert isinstance(health.to_frame(), pandas.DataFrame)
    with pytest.raises(MissingDependencyError, match="pip install polars"):
        health.to_frame(library="polars")
    monkeypatch.setitem(sys.modules, "pandas", None)
    with pytest.raises(MissingDependencyError, match=r"pandas or polars.*pip install"):
        health.to_frame()


def test_frames_that_do_not_exist() -> None:
    nonsense: Any = "nonsense"
    health = conflearn.dataset_health(confident_joint=JOINT)
    with refused(OptionError, "table='nonsense'", "overlapping_classes"):
        health.to_frame(nonsense)
    with refused(OptionError, "library='nonsense'", "pandas"):
        health.to_frame(library=nonsense)


# --- Views


def test_a_summary_is_short() -> None:
    health = conflearn.dataset_health(*random_data(3000, 400))
    assert len(repr(health).splitlines()) == 4
    assert max(map(len, repr(health).splitlines())) < 120
    assert len(health._repr_html_()) < 10_000


def test_names_are_escaped_in_html() -> None:
    names = ["<script>", 'a "b"', "c & d"]
    html = conflearn.dataset_health(confident_joint=JOINT, class_names=names)._repr_html_()
    assert "<script>" not in html
    for escaped in ("&lt;script&gt;", "a &quot;b&quot;", "c &amp; d"):
        assert escaped in html


@pytest.mark.parametrize("n_classes", [2, 3, 12, 300])
def test_a_chart_has_as_many_classes_as_can_be_read(n_classes: int) -> None:
    altair = pytest.importorskip("altair")
    joint = random_joint(n_classes, total=10 * n_classes**2)
    health = conflearn.dataset_health(confident_joint=joint)
    chart = health.plot(n_classes=10)
    assert isinstance(chart, altair.HConcatChart)
    spec = chart.to_dict()
    heat_map, ranking = spec["hconcat"]
    shown = min(n_classes, 10)
    (cells,) = (data for data in values_of(heat_map) if data)
    assert len(cells) == shown**2
    assert len(ranking["data"]["values"]) == shown
    for cell in cells:
        given, true = int(cell["given"]), int(cell["true"])
        assert cell["examples"] == joint[given, true]
        assert cell["right"] == (given == true)
    if n_classes > shown:
        assert "most overlapping" in heat_map["title"]
        worst = [bar["class"] for bar in ranking["data"]["values"]]
        assert worst == [str(k) for k in health.classes.class_index[:10]]
        top = health.overlapping_classes(1)[0]
        assert {str(top.class_a), str(top.class_b)} <= {cell["given"] for cell in cells}
    assert len(json.dumps(spec)) < 50_000


def values_of(chart: dict[str, Any]) -> list[Any]:
    """The data of a layered chart, which altair puts into the layers or beside them."""
    return [part["data"]["values"] for part in (chart, *chart["layer"]) if "data" in part][:1]


def test_a_chart_of_a_clean_data_set() -> None:
    pytest.importorskip("altair")
    health = conflearn.dataset_health([0, 1, 2], np.eye(3), class_names=NAMES)
    assert "1.00" in json.dumps(health.plot().to_dict())
    many = conflearn.dataset_health(np.arange(30), np.eye(30))
    assert len(many.plot().to_dict()["hconcat"][1]["data"]["values"]) == 20


@pytest.mark.parametrize("n_classes", [1, 0, -1, 2.5])
def test_a_chart_has_two_classes_at_least(n_classes: Any) -> None:
    with refused(OptionError, "n_classes="):
        conflearn.dataset_health(confident_joint=JOINT).plot(n_classes)


def test_a_chart_needs_altair(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "altair", None)
    with pytest.raises(MissingDependencyError, match=r'pip install "conflearn\[plot\]"'):
        conflearn.dataset_health(confident_joint=JOINT).plot()


def test_nothing_passed_is_refused() -> None:
    with pytest.raises(InputTypeError, match="nothing was passed"):
        conflearn.dataset_health()
