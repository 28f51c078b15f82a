"""cleanlab's data set functions side by side with cleanlab: frames, prints, scores, errors.

Where the two differ on purpose, the difference has a name in `INTENDED_DIFFERENCES` and a test
`test_difference_<name>` that shows both sides of it.
"""

import inspect
import re
import subprocess
import sys
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import conflearn
from conflearn.cleanlab import count
from conflearn.cleanlab import dataset as ours
from conflearn.errors import MissingDependencyError
from expected import refused
from strategies import Data, likely_data, random_data

pytest.importorskip("cleanlab")
pandas = pytest.importorskip("pandas")

INTENDED_DIFFERENCES = {
    "stable_order_of_classes": "Classes and pairs of equal score come in the order of their "
    "numbers; there pandas sorts them, and not stably.",
    "joint_alone": "A joint, or a confident joint, is enough for every function; there "
    "rank_classes_by_label_quality and health_summary fail on a confident joint alone, and "
    "health_summary on a joint, although it is told how many examples there are.",
    "joints_in_any_form": "A joint may be a list or a frame; there it must be an array.",
    "bad_health_inputs_named": "Inputs that are missing or make no sense are refused by name; "
    "there they are AttributeErrors and the like, or are computed with.",
    "class_names_counted": "Too few class names are refused by name; there it is an IndexError, "
    "or an error of pandas.",
}

FUNCTIONS = (
    "rank_classes_by_label_quality",
    "find_overlapping_classes",
    "overall_label_health_score",
    "health_summary",
)
TABLES = FUNCTIONS[:2]
LABELS, PRED_PROBS = random_data(60, 3)
COUNTS = np.array([[17, 3, 1], [2, 18, 0], [4, 4, 11]])
JOINT = COUNTS / 60


@pytest.fixture(scope="module")
def theirs(cleanlab: SimpleNamespace) -> Iterator[ModuleType]:
    """cleanlab's module, with frames that are sorted stably."""
    from cleanlab import dataset

    original = pandas.DataFrame.sort_values

    def stable(frame: Any, *args: Any, **kwargs: Any) -> Any:
        return original(frame, *args, **{**kwargs, "kind": "stable"})

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(pandas.DataFrame, "sort_values", stable)
        yield dataset


def called(function: Callable[..., Any], *args: Any, **kwargs: Any) -> tuple[Any, set[type]]:
    """What comes of a call, and the kinds of warnings."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        value = function(*args, **kwargs)
    return value, {warning.category for warning in caught}


def assert_same(mine: Any, other: Any, *, exact: bool = True) -> None:
    assert type(mine) is type(other)
    if isinstance(other, dict):
        assert list(mine) == list(other)
        for name, value in other.items():
            assert_same(mine[name], value, exact=exact)
    elif isinstance(other, pandas.DataFrame):
        pandas.testing.assert_frame_equal(mine, other, check_exact=exact)
    elif exact:
        np.testing.assert_array_equal(mine, other)
    else:
        np.testing.assert_allclose(mine, other, rtol=1e-12)


def agree(
    theirs: ModuleType,
    capsys: pytest.CaptureFixture[str] | None,
    name: str,
    *args: Any,
    **kwargs: Any,
) -> Any:
    """Demand that the same comes of both, down to what is printed."""
    mine, warned = called(getattr(ours, name), *args, **kwargs)
    printed = capsys.readouterr().out if capsys else ""
    other, also_warned = called(getattr(theirs, name), *args, **kwargs)
    assert_same(mine, other)
    assert warned == also_warned
    if capsys:
        assert printed == capsys.readouterr().out
    return mine


# --- Signatures


def test_every_intended_difference_is_shown_and_documented() -> None:
    prefix = "test_difference_"
    shown = {name.removeprefix(prefix) for name in globals() if name.startswith(prefix)}
    assert shown == set(INTENDED_DIFFERENCES)
    method = (Path(__file__).parents[1] / "docs" / "method.md").read_text()
    documented = re.findall(r"^\| `(\w+)` \|", method.partition("## Differences")[2], re.MULTILINE)
    assert set(documented) >= set(INTENDED_DIFFERENCES)


def test_every_public_function_has_the_signature_of_cleanlab(theirs: ModuleType) -> None:
    public = {
        name
        for name, function in inspect.getmembers(theirs, inspect.isfunction)
        if not name.startswith("_") and function.__module__ == theirs.__name__
    }
    assert public == set(FUNCTIONS) == set(ours.__all__)
    for name in FUNCTIONS:
        mine = inspect.signature(getattr(ours, name)).parameters
        other = inspect.signature(getattr(theirs, name)).parameters
        for ours_, theirs_ in zip(mine.values(), other.values(), strict=True):
            assert (ours_.name, ours_.kind) == (theirs_.name, theirs_.kind)
            assert ours_.default == theirs_.default


# --- Side by side


@given(data=likely_data(max_classes=12), asymmetric=st.booleans(), named=st.booleans())
def test_data(theirs: ModuleType, data: Data, asymmetric: bool, named: bool) -> None:
    if len(np.unique(data.labels)) < 2:
        return
    n_classes = data.pred_probs.shape[1]
    names = [f"class {k}" for k in range(n_classes)] if named else None
    options: dict[str, Any] = {"asymmetric": asymmetric, "class_names": names, "verbose": False}
    summary = agree(theirs, None, "health_summary", *data, **options)
    del options["verbose"]
    assert_same(ours.find_overlapping_classes(*data, **options), summary["overlapping_classes"])
    assert_same(
        ours.rank_classes_by_label_quality(*data, class_names=names),
        summary["classes_by_label_quality"],
    )
    assert (
        ours.overall_label_health_score(*data, verbose=False)
        == (summary["overall_label_health_score"])
    )


def test_real_data(theirs: ModuleType, real_data: Data) -> None:
    labels, pred_probs = real_data.labels.astype(int), real_data.pred_probs.astype(float)
    agree(theirs, None, "health_summary", labels, pred_probs, verbose=False)
    narrow = ours.health_summary(labels, real_data.pred_probs, verbose=False)
    assert_same(narrow, theirs.health_summary(labels, pred_probs, verbose=False))


@pytest.mark.parametrize("name", FUNCTIONS)
@pytest.mark.parametrize(
    "arguments",
    [
        {"labels": LABELS, "pred_probs": PRED_PROBS},
        {"labels": LABELS.tolist(), "pred_probs": PRED_PROBS, "num_examples": 100},
        {"labels": LABELS, "pred_probs": PRED_PROBS, "joint": JOINT},
        {"labels": LABELS, "pred_probs": PRED_PROBS, "confident_joint": COUNTS},
        {"labels": LABELS, "confident_joint": COUNTS},
        {"joint": JOINT, "num_examples": 60},
        {"joint": JOINT, "num_examples": np.int64(7), "confident_joint": COUNTS},
        {"joint": np.asfortranarray(JOINT), "num_examples": 60.0},
        {"confident_joint": COUNTS, "num_examples": 1000},
        {"confident_joint": COUNTS.astype(float), "num_examples": 1000},
    ],
    ids=", ".join,
)
def test_ways_to_call(
    theirs: ModuleType,
    capsys: pytest.CaptureFixture[str],
    name: str,
    arguments: dict[str, Any],
) -> None:
    if name == "health_summary" and arguments.keys() < {"joint", "num_examples", "labels"}:
        return  # which is one of the differences below
    agree(theirs, capsys, name, **arguments)


@pytest.mark.parametrize("arguments", [{"confident_joint": COUNTS}], ids=", ".join)
@pytest.mark.parametrize("name", ["find_overlapping_classes", "overall_label_health_score"])
def test_a_confident_joint_where_it_is_enough_for_both(
    theirs: ModuleType, capsys: pytest.CaptureFixture[str], name: str, arguments: dict[str, Any]
) -> None:
    agree(theirs, capsys, name, **arguments)


@pytest.mark.parametrize(
    "names",
    [
        ["ant", "bee", "cat"],
        ("ant", "bee", "cat"),
        np.array(["ant", "bee", "cat"]),
        [7, 8, 9],
        ["ant", 2, None],
        ["one", "one", "two"],
        range(3),
    ],
    ids=str,
)
@pytest.mark.parametrize("asymmetric", [False, True])
def test_class_names(
    theirs: ModuleType, capsys: pytest.CaptureFixture[str], names: Any, asymmetric: bool
) -> None:
    agree(
        theirs,
        capsys,
        "health_summary",
        LABELS,
        PRED_PROBS,
        class_names=names,
        asymmetric=asymmetric,
    )


def test_a_mapping_may_name_the_classes_of_pairs(theirs: ModuleType) -> None:
    names = {0: "ant", 1: "bee", 2: "cat"}
    agree(theirs, None, "find_overlapping_classes", LABELS, PRED_PROBS, class_names=names)


@pytest.mark.parametrize("n_classes", [2, 40])
def test_what_is_printed_of_any_size(
    theirs: ModuleType, capsys: pytest.CaptureFixture[str], n_classes: int
) -> None:
    data = random_data(2500, n_classes)
    agree(theirs, capsys, "health_summary", *data)
    agree(theirs, capsys, "overall_label_health_score", *data)


def test_the_native_table_has_the_same_values() -> None:
    health = conflearn.dataset_health(confident_joint=COUNTS)
    table = ours.rank_classes_by_label_quality(joint=JOINT, num_examples=60)
    np.testing.assert_array_equal(health.classes.class_index, table["Class Index"])
    np.testing.assert_array_equal(health.classes.label_issues, table["Label Issues"])
    np.testing.assert_array_equal(
        health.classes.inverse_label_issues, table["Inverse Label Issues"]
    )
    np.testing.assert_allclose(health.classes.label_noise, table["Label Noise"])
    np.testing.assert_allclose(health.classes.inverse_label_noise, table["Inverse Label Noise"])
    np.testing.assert_allclose(health.classes.label_quality, table["Label Quality Score"])
    for directed in (False, True):
        pairs = health.overlapping_classes(None, directed=directed)
        theirs = ours.find_overlapping_classes(confident_joint=COUNTS, asymmetric=directed)
        top = theirs[theirs["Joint Probability"] > 0]
        np.testing.assert_array_equal(pairs.class_a, top["Class Index A"])
        np.testing.assert_array_equal(pairs.class_b, top["Class Index B"])
        np.testing.assert_array_equal(pairs.num_examples, top["Num Overlapping Examples"])
        np.testing.assert_allclose(pairs.joint_probability, top["Joint Probability"])
    score = ours.overall_label_health_score(joint=JOINT, num_examples=60, verbose=False)
    assert health.health_score == pytest.approx(score)


def test_the_noise_of_a_tiny_class_is_not_made_smaller_natively(theirs: ModuleType) -> None:
    joint = np.array([[10**7, 0], [1, 1]])
    table = agree(
        theirs,
        None,
        "rank_classes_by_label_quality",
        joint=joint / joint.sum(),
        num_examples=joint.sum(),
    )
    assert table["Label Noise"].max() == pytest.approx(0.1, rel=1e-6)
    health = conflearn.dataset_health(confident_joint=joint)
    assert health.classes.label_noise.tolist() == [0.5, 0]


# --- Errors


BAD_CALLS: dict[str, dict[str, Any]] = {
    "joint without number": {"joint": JOINT},
    "strings": {"labels": ["a"] * 60, "pred_probs": PRED_PROBS},
    "one class": {"labels": np.ones(60, dtype=int), "pred_probs": PRED_PROBS},
    "labels too high": {"labels": LABELS + 1, "pred_probs": PRED_PROBS},
    "too few labels": {"labels": LABELS[1:], "pred_probs": PRED_PROBS},
    "above one": {"labels": LABELS, "pred_probs": PRED_PROBS + 0.5},
}


@pytest.mark.parametrize("name", FUNCTIONS)
@pytest.mark.parametrize("arguments", BAD_CALLS.values(), ids=BAD_CALLS.keys())
def test_bad_calls(theirs: ModuleType, name: str, arguments: dict[str, Any]) -> None:
    try:
        getattr(theirs, name)(**arguments)
    except Exception as error:  # noqa: BLE001 - an IndexError there is a ValueError here
        expected = (TypeError, ValueError) if isinstance(error, TypeError) else ValueError
        with pytest.raises(expected):
            getattr(ours, name)(**arguments)


@pytest.mark.parametrize("name", FUNCTIONS)
def test_multi_label_data_has_functions_of_its_own(theirs: ModuleType, name: str) -> None:
    arguments: dict[str, Any] = {"labels": [[0], [1]], "pred_probs": JOINT, "multi_label": True}
    for module in (theirs, ours):
        with pytest.raises(ValueError, match=r"please.* call.*multilabel_classification\.dataset"):
            getattr(module, name)(**arguments)


def test_tables_need_pandas(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pandas", None)
    for name in TABLES:
        with pytest.raises(MissingDependencyError, match="pip install pandas"):
            getattr(ours, name)(LABELS, PRED_PROBS)
    assert 0 < ours.overall_label_health_score(LABELS, PRED_PROBS, verbose=False) < 1


def test_the_import_needs_no_pandas() -> None:
    program = "import sys, conflearn.cleanlab; print('pandas' in sys.modules)"
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "False"


# --- Intended differences


def test_difference_stable_order_of_classes() -> None:
    joint = np.full((40, 40), 1 / 1600)
    classes = ours.rank_classes_by_label_quality(joint=joint, num_examples=1600)
    assert classes["Class Index"].tolist() == list(range(40))
    pairs = ours.find_overlapping_classes(joint=joint, num_examples=1600)
    assert pairs["Class Index A"].is_monotonic_increasing


def test_difference_joint_alone(theirs: ModuleType) -> None:
    for name in ("rank_classes_by_label_quality", "health_summary"):
        with pytest.raises(ValueError, match="num_examples is None"):
            getattr(theirs, name)(confident_joint=COUNTS)
    with pytest.raises(AttributeError):
        theirs.health_summary(joint=JOINT, num_examples=60, verbose=False)
    expected = {
        "overall_label_health_score": theirs.overall_label_health_score(
            joint=JOINT, num_examples=60, verbose=False
        ),
        "joint": JOINT,
        "classes_by_label_quality": theirs.rank_classes_by_label_quality(
            joint=JOINT, num_examples=60
        ),
        "overlapping_classes": theirs.find_overlapping_classes(joint=JOINT, num_examples=60),
    }
    summary = ours.health_summary(joint=JOINT, num_examples=60, verbose=False)
    assert_same(summary, expected)
    assert_same(ours.health_summary(confident_joint=COUNTS, verbose=False), expected)
    assert_same(
        ours.rank_classes_by_label_quality(confident_joint=COUNTS),
        expected["classes_by_label_quality"],
    )


def test_a_summary_of_a_joint_alone_is_printed(capsys: pytest.CaptureFixture[str]) -> None:
    ours.health_summary(confident_joint=COUNTS)
    printed = capsys.readouterr().out
    assert "for your dataset with 60 examples and 3 classes." in printed
    assert "about 23% (14 of the 60)" in printed


def test_difference_joints_in_any_form(theirs: ModuleType) -> None:
    with pytest.raises(AttributeError):
        theirs.rank_classes_by_label_quality(joint=JOINT.tolist(), num_examples=60)
    for form in (JOINT.tolist(), pandas.DataFrame(JOINT)):
        for name in FUNCTIONS:
            arguments: dict[str, Any] = {"verbose": False} if name not in TABLES else {}
            assert_same(
                getattr(ours, name)(joint=form, num_examples=60, **arguments),
                getattr(ours, name)(joint=JOINT, num_examples=60, **arguments),
            )


@pytest.mark.parametrize(
    ("arguments", "there", "essentials"),
    [
        ({}, AttributeError, ["pass labels and pred_probs"]),
        ({"labels": LABELS}, AttributeError, ["pass labels and pred_probs"]),
        ({"pred_probs": PRED_PROBS}, TypeError, ["pass labels and pred_probs"]),
        ({"joint": -JOINT, "num_examples": 60}, None, ["joint[0, 0]", "negative"]),
        ({"joint": JOINT * np.nan, "num_examples": 60}, None, ["joint[0, 0]", "finite"]),
        ({"joint": JOINT, "num_examples": "60"}, TypeError, ["num_examples='60'"]),
    ],
    ids=str,
)
def test_difference_bad_health_inputs_named(
    theirs: ModuleType, arguments: dict[str, Any], there: Any, essentials: list[str]
) -> None:
    with warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("ignore")
        if there is None:
            theirs.rank_classes_by_label_quality(**arguments)
        else:
            with pytest.raises(there):
                theirs.rank_classes_by_label_quality(**arguments)
    for name in TABLES:
        with refused(ValueError, *essentials):
            getattr(ours, name)(**arguments)


def test_difference_class_names_counted(theirs: ModuleType) -> None:
    short: dict[str, Any] = {"joint": JOINT, "num_examples": 60, "class_names": ["ant", "bee"]}
    with pytest.raises(IndexError):
        theirs.find_overlapping_classes(**short)
    with pytest.raises(ValueError, match="Length of values"):
        theirs.rank_classes_by_label_quality(**short)
    for name in TABLES:
        with refused(ValueError, "class_names has 2 entries", "3 classes"):
            getattr(ours, name)(**short)
    with refused(ValueError, "class_names has 4 entries", "3 classes"):
        ours.rank_classes_by_label_quality(**{**short, "class_names": list("abcd")})


def test_the_joint_is_that_of_count() -> None:
    summary = ours.health_summary(LABELS, PRED_PROBS, verbose=False)
    np.testing.assert_array_equal(summary["joint"], count.estimate_joint(LABELS, PRED_PROBS))
