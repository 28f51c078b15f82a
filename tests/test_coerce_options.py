"""Masks, numbers for each class, options: what may be passed, and what is said otherwise."""

import os
import subprocess
import sys
from decimal import Decimal
from fractions import Fraction

import numpy as np
import pytest

from conflearn._coerce import (
    as_bool,
    as_count,
    as_joint,
    as_mask,
    as_n_threads,
    as_num_to_remove,
    as_per_class,
    as_share,
    as_thresholds,
    one_of,
)
from conflearn.errors import (
    ConflearnCopyWarning,
    InputError,
    InputTypeError,
    LabelError,
    MissingDependencyError,
    OptionError,
    ProbabilityError,
    ShapeError,
)
from expected import refused

pytestmark = pytest.mark.filterwarnings("error")


def test_errors_are_the_builtin_ones_too():
    for error in (ShapeError, LabelError, ProbabilityError, OptionError):
        assert issubclass(error, InputError)
    assert issubclass(InputError, ValueError)
    assert issubclass(InputTypeError, TypeError)
    assert issubclass(MissingDependencyError, ImportError)
    assert issubclass(ConflearnCopyWarning, UserWarning)


def test_imports_no_other_library():
    code = (
        "import sys, numpy; before = set(sys.modules);"
        "from conflearn._coerce import as_labels, as_pred_probs;"
        "as_pred_probs([[.5, .5]]); as_labels(['a'], 2, classes=['a', 'b']);"
        "as_pred_probs(numpy.ones((2, 2), numpy.float16));"
        "new = {name.partition('.')[0] for name in set(sys.modules) - before};"
        "print(*sorted(new - sys.stdlib_module_names))"
    )
    run = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        check=True,
        env=os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)},
    )
    assert set(run.stdout.split()) <= {"conflearn", "numpy"}


# --- mask --------------------------------------------------------------------------------------


def test_masks():
    mask = np.array([True, False, True])
    np.testing.assert_array_equal(as_mask(mask, 3), mask)
    odd = np.array([2, 0, 255], np.uint8).view(bool)  # bytes that are neither 0 nor 1
    assert as_mask(odd, 3).view(np.uint8).tolist() == [1, 0, 1]
    for spelling in (mask.tolist(), tuple(mask), mask.astype(object)):
        result = as_mask(spelling, 3)
        assert result.dtype == bool
        np.testing.assert_array_equal(result, mask)


def test_masks_of_libraries():
    mask = [True, False, True]
    pd = pytest.importorskip("pandas")
    pl = pytest.importorskip("polars")
    pa = pytest.importorskip("pyarrow")
    for spelling in (
        pd.Series(mask),
        pd.Series(mask, dtype="boolean"),
        pl.Series(mask),
        pa.array(mask),
    ):
        np.testing.assert_array_equal(as_mask(spelling, 3), mask)
    with refused(InputError, "mask[1] is missing"):
        as_mask(pd.Series([True, None, True], dtype="boolean"), 3)


def test_indices_are_no_mask():
    with refused(
        InputTypeError, "mask has the dtype int64", "indices", "np.zeros(3, bool)", "astype(bool)"
    ):
        as_mask(np.array([0, 2, 1]), 3)


@pytest.mark.parametrize(
    ("mask", "error", "essential"),
    [
        ([True, False], ShapeError, "3 examples"),
        ([[True], [False], [True]], ShapeError, "(3, 1)"),
        ([], ShapeError, "(0,)"),
        ([True, None, False], InputTypeError, "object"),
        ([0.0, 1.0, 0.0], InputTypeError, "float64"),
        (["a", "b", "c"], InputTypeError, "bools"),
        (None, InputTypeError, "NoneType"),
    ],
)
def test_values_that_are_no_mask(mask, error, essential):
    with refused(error, "mask", essential):
        as_mask(mask, 3)


def test_categories_are_no_mask():
    pd = pytest.importorskip("pandas")
    with refused(InputTypeError, "mask", "bools"):
        as_mask(pd.Categorical(["a", "b", "c"]), 3)


# --- per class ---------------------------------------------------------------------------------


def test_joints():
    joint = np.array([[3.0, 1], [0, 2]])
    assert as_joint(joint, 2) is joint
    for spelling in (
        joint.tolist(),
        np.asfortranarray(joint),
        joint.astype(int),
        joint.astype(object),
    ):
        result = as_joint(spelling, 2)
        assert result.dtype == np.float64
        assert result.flags.c_contiguous
        np.testing.assert_array_equal(result, joint)


def unaligned(array):
    """The same numbers, at an odd address."""
    raw = np.zeros(array.nbytes + 1, np.uint8)
    result = raw[1:].view(array.dtype).reshape(array.shape)
    result[...] = array
    assert not result.flags.aligned
    return result


@pytest.mark.parametrize("dtype", ["<f8", ">f8", "<f4", ">i4"])
def test_what_the_core_reads_is_aligned(dtype):
    joint, row = np.array([[3, 1], [0, 2]], dtype), np.array([1, 2], dtype)
    for numbers, result in (
        (joint, as_joint(unaligned(joint), 2)),
        (row, as_per_class(unaligned(row), 2, name="thresholds")),
        (row, as_num_to_remove(unaligned(row), 2)),
        (joint, as_joint(joint[::-1, ::-1], 2)[::-1, ::-1]),
    ):
        assert result.flags.aligned
        assert result.dtype.isnative
        np.testing.assert_array_equal(result, numbers)


def test_a_joint_may_say_how_many_classes_there_are():
    assert as_joint(np.eye(3)).shape == (3, 3)
    for joint in (np.zeros((0, 0)), [[3]], np.ones((2, 3)), np.ones(2), 3, np.ones((2, 2, 2))):
        with refused(ShapeError, "confident_joint must have two dimensions", "two classes"):
            as_joint(joint)
    with refused(ShapeError, "confident_joint[0] has 2 entries", "confident_joint[1] has 1 "):
        as_joint([[1, 2], [3]])


def test_a_joint_counts_something():
    assert not as_joint(np.zeros((2, 2)), may_be_empty=True).any()
    for joint in (np.zeros((2, 2)), np.full((2, 2), 1e-300)):
        with refused(InputError, "confident_joint must count at least one example", "sum is"):
            as_joint(joint)
    with refused(InputError, "confident_joint must have a finite sum"):
        as_joint(np.full((2, 2), 1e308), may_be_empty=True)


def test_joint_in_a_frame():
    pd = pytest.importorskip("pandas")
    pl = pytest.importorskip("polars")
    joint = np.array([[3, 1], [0, 2]])
    for frame in (pd.DataFrame(joint), pl.DataFrame(joint)):
        np.testing.assert_array_equal(as_joint(frame, 2), joint)


@pytest.mark.parametrize(
    ("joint", "error", "essentials"),
    [
        (np.eye(3), ShapeError, ["2 classes", "(3, 3)"]),
        (np.ones(2), ShapeError, ["(2,)"]),
        ([[1, 2], [3]], ShapeError, ["[1] has 1 entries"]),
        ([[1, 2], [-3, 4]], InputError, ["[1, 0] is -3.0", "negative"]),
        ([[1, np.nan], [3, 4]], InputError, ["[0, 1] is nan", "finite"]),
        ([[1, np.inf], [3, 4]], InputError, ["[0, 1] is inf", "finite"]),
        ([[1, 2], [3, "x"]], InputTypeError, ["[1, 1] is 'x'"]),
        ([[1, 2], [3, None]], InputError, ["[1, 1] is missing"]),
        ([[1, 2], [3, Decimal("sNaN")]], InputError, ["[1, 1] is Decimal('sNaN')", "no float"]),
        (np.ones((2, 2), complex), InputTypeError, ["complex128"]),
        (None, InputTypeError, ["NoneType"]),
    ],
)
def test_values_that_are_no_joint(joint, error, essentials):
    with refused(error, "confident_joint", *essentials):
        as_joint(joint, 2)


def test_thresholds():
    thresholds = np.array([0.5, 2.0])
    assert as_per_class(thresholds, 2, name="thresholds") is thresholds
    for spelling in ([0.5, 2], (0.5, 2), thresholds[:, None], thresholds.astype(np.float32)):
        result = as_per_class(spelling, 2, name="thresholds")
        assert result.dtype == np.float64
        assert result.flags.c_contiguous
        np.testing.assert_array_equal(result, thresholds)


def test_thresholds_may_be_out_of_reach():
    assert as_thresholds([0.5, np.inf], 2).tolist() == [0.5, np.inf]
    for value in (-np.inf, np.nan):
        with refused(InputError, "thresholds", "[1] is", "never confident"):
            as_thresholds([0.5, value], 2)


@pytest.mark.parametrize(
    ("thresholds", "error", "essentials"),
    [
        ([0.5], ShapeError, ["2 classes", "(1,)"]),
        ([[0.5, 0.5]], ShapeError, ["(1, 2)"]),
        (0.5, ShapeError, ["2 classes", "()"]),
        ("ab", InputTypeError, ["str"]),
        ([0.5, np.nan], InputError, ["[1] is nan", "finite"]),
        ([0.5, Decimal("sNaN")], InputError, ["[1] is Decimal('sNaN')", "no float"]),
        (["a", "b"], InputTypeError, ["[0] is 'a'"]),
    ],
)
def test_values_that_are_no_thresholds(thresholds, error, essentials):
    with refused(error, "thresholds", *essentials):
        as_per_class(thresholds, 2, name="thresholds")


def test_numbers_to_remove():
    for spelling in ([0, 3], np.array([0, 3], np.uint8), [0.0, 3.0], np.array([0, 3], object)):
        result = as_num_to_remove(spelling, 2)
        assert result.dtype == np.int64
        np.testing.assert_array_equal(result, [0, 3])


@pytest.mark.parametrize(
    ("num", "error", "essentials"),
    [
        ([1], ShapeError, ["2 classes", "(1,)"]),
        ([1, -1], InputError, ["[1] is -1.0", "negative"]),
        ([0.5, 1], InputError, ["[0] is 0.5", "whole number"]),
        ([np.nan, 1], InputError, ["[0] is nan", "whole number"]),
        ([np.inf, 1], InputError, ["[0] is inf", "64 bits"]),
        ([1, 2**70], InputError, ["[1]", "64 bits"]),
        ([1, Decimal("sNaN")], InputError, ["[1] is Decimal('sNaN')", "no float"]),
    ],
)
def test_values_that_are_no_numbers_to_remove(num, error, essentials):
    with refused(error, "num_to_remove_per_class", *essentials):
        as_num_to_remove(num, 2)


# --- options -----------------------------------------------------------------------------------


def test_threads():
    assert as_n_threads(None) is None
    assert as_n_threads(1) == 1
    count = as_n_threads(np.int64(3))
    assert count == 3
    assert type(count) is int


@pytest.mark.parametrize(
    "n_threads", [0, -1, True, False, 2.0, "2", [2], np.array([1, 2]), 1025, 2**70]
)
def test_values_that_are_no_number_of_threads(n_threads):
    with refused(OptionError, f"n_threads={n_threads!r}", "at least 1", "at most 1024", "None"):
        as_n_threads(n_threads)


def test_flags():
    for flag in (True, np.True_):
        assert as_bool(flag, "converge") is True
    for flag in (False, np.False_):
        assert as_bool(flag, "converge") is False
    for value in ("no", 1, 0, None, 1.0, [], np.array([True, False])):
        with refused(OptionError, "converge=", "neither True nor False"):
            as_bool(value, "converge")


def test_shares():
    for value in (0, 1, 0.5, np.float32(0.5), Fraction(1, 2), Decimal("0.5")):
        assert as_share(value, "frac_noise") == value
        assert type(as_share(value, "frac_noise")) is float
    for value in (-0.1, 1.5, np.nan, np.inf, 10**400, Decimal("sNaN"), True, np.True_, "1", None):
        with refused(OptionError, "frac_noise=", "between 0 and 1"):
            as_share(value, "frac_noise")
    for value in (1j, [0.5], np.array([0.5]), np.array([1.0, 0.5])):
        with refused(OptionError, "frac_noise=", "between 0 and 1"):
            as_share(value, "frac_noise")


def test_counts():
    for value in (0, 7, np.int8(7), 2**63 - 1):
        assert as_count(value, "least") == value
        assert type(as_count(value, "least")) is int
    for value in (-1, 1.5, 1.0, True, np.True_, "1", None, [1], np.array([1, 2])):
        with refused(OptionError, "least=", "whole number of at least 0;"):
            as_count(value, "least")
    with refused(OptionError, f"least={2**70}", "64 bits"):
        as_count(2**70, "least")


def test_one_of():
    assert one_of("both", ("both", "prune_by_class"), "filter_by") == "both"
    with refused(
        OptionError, "filter_by='prune_by_clas'", "'both'", "did you mean 'prune_by_class'?"
    ):
        one_of("prune_by_clas", ("both", "prune_by_class"), "filter_by")
    for value in ("zzz", None, 3, ["both"], np.array(["both", "x"])):
        with refused(OptionError, "filter_by=", "not one of 'both', 'prune_by_class'") as caught:
            one_of(value, ("both", "prune_by_class"), "filter_by")
        assert "did you mean" not in str(caught.value)
