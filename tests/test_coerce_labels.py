"""What may be passed as `labels` and `classes`, what becomes of it, and what is said otherwise."""

import array
import contextlib
import datetime as dt
import importlib
import warnings
from decimal import Decimal

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from conflearn._coerce import (
    as_joint,
    as_labels,
    as_mask,
    as_named_labels,
    as_pred_probs,
    one_of,
)
from conflearn.errors import (
    ConflearnCopyWarning,
    InputTypeError,
    LabelError,
    OptionError,
    ShapeError,
)
from expected import refused

pytestmark = pytest.mark.filterwarnings("error")

# --- labels: whole numbers ---------------------------------------------------------------------


@pytest.mark.parametrize("dtype", ["i1", "u1", "i2", "u2", "i4", "u4", "i8", "u8"])
def test_integers_of_any_width_come_out_as_they_are(dtype):
    labels = np.array([0, 1, 2, 1], dtype)
    assert as_labels(labels, 3, n_examples=4) is labels
    view = labels[::-2]
    assert as_labels(view, 3) is view


def test_labels_out_of_range_are_left_to_the_core():
    np.testing.assert_array_equal(as_labels(np.array([-1, 9]), 3), [-1, 9])


def test_other_byte_order_of_labels():
    result = as_labels(np.array([0, 1, 2], ">i4"), 3)
    assert result.dtype == np.int32
    assert result.dtype.isnative
    np.testing.assert_array_equal(result, [0, 1, 2])


def test_bools_name_two_classes():
    labels = np.array([True, False])
    result = as_labels(labels, 2)
    assert np.shares_memory(result, labels)
    np.testing.assert_array_equal(result, [1, 0])
    np.testing.assert_array_equal(as_labels([True, False], 2), [1, 0])
    np.testing.assert_array_equal(as_labels(np.array([True, False], object), 2), [1, 0])
    with refused(LabelError, "labels", "bools", "two classes", "3 columns"):
        as_labels(labels, 3)


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64, np.longdouble, object])
def test_whole_floats(dtype):
    result = as_labels(np.array([0.0, 2.0, 1.0], dtype), 3)
    assert result.dtype == np.int64
    np.testing.assert_array_equal(result, [0, 2, 1])


def test_bfloat16_labels():
    ml_dtypes = pytest.importorskip("ml_dtypes")
    np.testing.assert_array_equal(as_labels(np.array([0, 1], ml_dtypes.bfloat16), 2), [0, 1])


@pytest.mark.parametrize("dtype", [np.float16, np.float64, object])
@pytest.mark.parametrize(
    ("cell", "essential"),
    [
        (0.5, "[2] is 0.5"),
        (float("nan"), "[2] is missing (nan)"),
        (float("inf"), "[2] is inf"),
        (float("-inf"), "[2] is -inf"),
    ],
)
def test_floats_that_are_not_whole(cell, essential, dtype):
    with refused(LabelError, f"labels{essential}"):
        as_labels(np.array([0, 1, cell, 0.5], dtype), 3)


def test_floats_beyond_all_integers():
    with refused(LabelError, "[1] is 1e+300", "64 bits"):
        as_labels([0.0, 1e300], 3)


def test_objects_that_are_integers():
    for cells in ([0, np.int8(1), 2], [True, 1, 2], [0, 1.0, 2]):
        result = as_labels(np.array(cells, dtype=object), 3)
        np.testing.assert_array_equal(result, [int(cell) for cell in cells])
    with refused(LabelError, "[1]", "64 bits"):
        as_labels([0, 10**30], 3)
    with refused(LabelError, "[1] is <int>", "64 bits"):  # too long to be spelled, says Python
        as_labels([0, 10**5000], 3)


@pytest.mark.parametrize("wrap", [list, tuple])
def test_lists(wrap):
    np.testing.assert_array_equal(as_labels(wrap([0, 2, 1]), 3), [0, 2, 1])
    np.testing.assert_array_equal(as_labels(wrap([[0], [2]]), 3), [0, 2])
    np.testing.assert_array_equal(as_labels(range(3), 3), [0, 1, 2])


def test_buffers():
    labels = array.array("h", [0, 1, 2])
    result = as_labels(labels, 3)
    assert result.dtype == np.int16
    assert np.shares_memory(result, np.asarray(labels))


@pytest.mark.parametrize(
    ("labels", "error", "essentials"),
    [
        ([0, None], LabelError, ["[1] is missing (None)"]),
        (["a", None], LabelError, ["[1] is missing (None)"]),
        (["a", float("nan")], LabelError, ["[1] is missing (nan)"]),
        ([0, Decimal("sNaN")], LabelError, ["[1] is missing (Decimal('sNaN'))"]),
        (["a", Decimal("sNaN")], LabelError, ["[1] is missing (Decimal('sNaN'))"]),
        (["a", 1], InputTypeError, ["all strings or all numbers", "labels[1] is 1"]),
        ([0, 1j], InputTypeError, ["labels"]),
        (np.array([0, [1]], object), InputTypeError, ["[1] is [1], of type list"]),
        ([dt.date(2020, 1, 1)], InputTypeError, ["[0]", "of type date"]),
        (np.zeros(2, "M8[s]"), InputTypeError, ["datetime64", "whole numbers"]),
        (np.array([b"a"]), InputTypeError, ["dtype |S1"]),
        (np.zeros(2, complex), InputTypeError, ["complex128"]),
        (None, InputTypeError, ["NoneType"]),
        ("abc", InputTypeError, ["str"]),
        ({0, 1}, InputTypeError, ["set"]),
        (3, InputTypeError, ["int"]),
    ],
)
def test_labels_that_are_none(labels, error, essentials):
    for classes in (None, ["a", "b"]):
        with refused(error, "labels", *essentials):
            as_labels(labels, 2, classes=classes)


class Unspeakable:
    """Has no spelling."""

    def __repr__(self):
        raise RuntimeError("not now")


def test_what_cannot_be_spelled_goes_by_its_type():
    thing = Unspeakable()
    with refused(InputTypeError, "labels[1] is <", "Unspeakable>, of type Unspeakable"):
        as_labels([0, thing], 2)
    with refused(InputTypeError, "classes[1] is <", "Unspeakable>, of type Unspeakable"):
        as_labels([0, 1], 2, classes=[0, thing])
    with refused(InputTypeError, "confident_joint[0, 1] is <", "Unspeakable>"):
        as_joint([[1, thing], [0, 1]], 2)
    with refused(OptionError, "filter_by=<", "Unspeakable>", "not one of 'both'"):
        one_of(thing, ("both",), "filter_by")


def test_masked_labels():
    with refused(LabelError, "labels[1] is masked"):
        as_labels(np.ma.array([0, 1], mask=[False, True]), 2)


# --- labels: shapes ----------------------------------------------------------------------------


def test_one_column_is_a_column():
    labels = np.array([[0], [1]])
    result = as_labels(labels, 2)
    assert result.shape == (2,)
    assert np.shares_memory(result, labels)


def test_one_hot_is_recognised():
    for one_hot in (np.eye(3), np.eye(3, dtype=bool), np.eye(3).tolist()):
        with refused(ShapeError, "labels", "(3, 3)", "one-hot", "labels.argmax(axis=1)"):
            as_labels(one_hot, 3)


@pytest.mark.parametrize("shape", [(), (2, 3), (1, 5), (2, 2, 2), (0, 2)])
def test_labels_of_other_shapes(shape):
    with refused(ShapeError, "labels must have one dimension", str(shape)) as caught:
        as_labels(np.full(shape, 7), 3)
    assert "one-hot" not in str(caught.value) or 0 in shape


def test_lengths_that_differ():
    with refused(ShapeError, "labels has 3 entries", "pred_probs has 4 rows"):
        as_labels([0, 1, 2], 3, n_examples=4)
    with refused(ShapeError, "given has 3 entries"):
        as_labels(np.array([0, 1, 2]), 3, n_examples=4, name="given")


@pytest.mark.parametrize("empty", [[], np.empty(0, int), np.empty((0, 1))])
def test_empty_labels(empty):
    with refused(ShapeError, "labels is empty"):
        as_labels(empty, 3)


# --- labels: class names -----------------------------------------------------------------------

ANIMALS = ["dog", "cat", "cow"]
GIVEN = ["cat", "cow", "cow", "dog"]
COLUMNS = [1, 2, 2, 0]


def strings():
    yield "list", GIVEN
    yield "tuple", tuple(GIVEN)
    yield "U", np.array(GIVEN)
    yield "U, wide, reversed", np.array(GIVEN[::-1], "U50")[::-1]
    yield "U, one column", np.array(GIVEN)[:, None]
    yield "object", np.array(GIVEN, object)
    if hasattr(np.dtypes, "StringDType"):
        yield "T", np.array(GIVEN, np.dtypes.StringDType())


@pytest.mark.parametrize("labels", [pytest.param(s, id=i) for i, s in strings()])
def test_strings_are_looked_up(labels):
    result = as_labels(labels, 3, n_examples=4, classes=ANIMALS)
    assert result.dtype.kind == "i"
    np.testing.assert_array_equal(result, COLUMNS)
    with refused(LabelError, "labels[0] is the", "'cat'", "classes=[...]", "3 columns"):
        as_labels(labels, 3)
    with refused(LabelError, "[1] is 'cow'", "not in classes", "did you mean 'crow'"):
        as_labels(labels, 3, classes=["dog", "cat", "crow"])


def test_many_strings_go_by_blocks():
    codes = np.random.default_rng(0).integers(0, 3, 200_000)
    labels = np.array(ANIMALS)[codes]
    np.testing.assert_array_equal(as_labels(labels, 3, classes=ANIMALS), codes)
    labels[150_000] = "eel"
    with refused(LabelError, "[150000] is 'eel'", "they are 'dog', 'cat', 'cow'"):
        as_labels(labels, 3, classes=ANIMALS)


def test_message_shows_a_few_of_many_classes():
    with refused(LabelError, "they are 'n0', 'n1', 'n2', 'n3', 'n4', ..."):
        as_labels(["zebra"], 9, classes=[f"n{k}" for k in range(9)])


@pytest.mark.parametrize(
    "labels", [[30, 10, 20], np.array([30.0, 10, 20]), np.array([30, 10, 20], "u8")]
)
def test_numbers_are_looked_up_among_numbers(labels):
    np.testing.assert_array_equal(as_labels(labels, 3, classes=[10, 20, 30]), [2, 0, 1])
    with refused(LabelError, "[2] is 20", "not in classes"):
        as_labels(labels, 3, classes=np.array([10, 30, 40]))


def test_huge_numbers_are_told_apart():
    labels = np.array([2**64 - 1, 2**63], np.uint64)
    with refused(LabelError, "[1] is 9223372036854775808"):
        as_labels(labels, 2, classes=[2**64 - 1, -1])


def test_numbers_are_columns_when_classes_are_strings():
    labels = np.array([2, 0, 1])
    assert as_labels(labels, 3, classes=ANIMALS) is labels


def test_numbers_that_name_their_own_columns():
    labels = np.array([2, 0, 1])
    assert as_labels(labels, 3, classes=np.arange(3)) is labels


def test_bools_among_bools():
    labels = np.array([True, False])
    np.testing.assert_array_equal(as_labels(labels, 2, classes=[False, True]), [1, 0])
    np.testing.assert_array_equal(as_labels(labels, 2, classes=[True, False]), [0, 1])


def test_strings_among_numbers():
    with refused(LabelError, "[0] is '1'", "did you mean 1"):
        as_labels(["1", "2"], 2, classes=[1, 2])


def test_classes_in_any_row_of_names():
    pd = pytest.importorskip("pandas")
    for classes in (np.array(ANIMALS), tuple(ANIMALS), pd.Index(ANIMALS), iter(ANIMALS)):
        np.testing.assert_array_equal(as_labels(GIVEN, 3, classes=classes), COLUMNS)
    for dtype in ("<i4", ">i4"):
        numbers = memoryview(np.array([30, 10, 20], dtype))
        np.testing.assert_array_equal(as_labels([10, 20, 20, 30], 3, classes=numbers), COLUMNS)


@pytest.mark.parametrize(
    ("classes", "error", "essentials"),
    [
        (["dog", "cat"], ShapeError, ["2 entries", "3 columns"]),
        (["dog", "cat", "dog"], OptionError, ["'dog' twice", "0 and 2"]),
        ([1, 2, 1.0], OptionError, ["twice"]),
        ("abc", InputTypeError, ["'abc'", "str"]),
        ({"dog", "cat", "cow"}, InputTypeError, ["set"]),
        ({"dog": 0, "cat": 1, "cow": 2}, InputTypeError, ["dict"]),
        (3, InputTypeError, ["int"]),
        (["dog", None, "cow"], InputTypeError, ["[1] is None"]),
        (["dog", "cat", 3], InputTypeError, ["all strings, or all numbers"]),
        ([0, 1, "cow"], InputTypeError, ["all strings, or all numbers"]),
        ([0, 1, float("nan")], OptionError, ["[2] is nan", "no label"]),
        ([0, 1, Decimal("sNaN")], OptionError, ["[2] is Decimal('sNaN')", "no label"]),
        (np.array(5), InputTypeError, ["ndarray", "()", "pass a list"]),
        (np.array(ANIMALS)[:, None], InputTypeError, ["ndarray", "(3, 1)", "pass a list"]),
        (memoryview(np.eye(3)), InputTypeError, ["(3, 3)", "pass a list"]),
    ],
)
def test_classes_that_do_not_name_the_columns(classes, error, essentials):
    for labels in (GIVEN, [0, 1, 2]):
        with refused(error, "classes", *essentials):
            as_labels(labels, 3, classes=classes)


def test_classes_in_a_frame():
    pd = pytest.importorskip("pandas")
    pl = pytest.importorskip("polars")
    pa = pytest.importorskip("pyarrow")
    names = {"dog": [1], "cat": [2], "cow": [3]}
    for frame in (pd.DataFrame(names), pl.DataFrame(names), pa.table(names)):
        with refused(InputTypeError, "classes must list", type(frame).__name__, "(1, 3)", "a list"):
            as_labels(GIVEN, 3, classes=frame)


# --- labels: libraries -------------------------------------------------------------------------


def test_pandas_integers_are_lent():
    pd = pytest.importorskip("pandas")
    series = pd.Series([0, 1, 2], index=[7, 8, 9])
    for labels in (series, series.to_frame()):
        result = as_labels(labels, 3)
        assert np.shares_memory(result, series.to_numpy())
    np.testing.assert_array_equal(as_labels(pd.Index([0, 1]), 3), [0, 1])


@pytest.mark.parametrize("dtype", ["Int64", "UInt8", "Float64", "int32[pyarrow]"])
def test_pandas_nullable_numbers(dtype):
    pd = pytest.importorskip("pandas")
    pytest.importorskip("pyarrow")
    series = pd.Series([0, 2, 1], dtype=dtype)
    for labels in (series, series.array, series.to_frame()):
        np.testing.assert_array_equal(as_labels(labels, 3), [0, 2, 1])
    with refused(LabelError, "labels[1] is missing"):
        as_labels(pd.Series([0, None, 1], dtype=dtype), 3)


def test_pandas_bools():
    pd = pytest.importorskip("pandas")
    for dtype in (bool, "boolean"):
        np.testing.assert_array_equal(as_labels(pd.Series([True, False], dtype=dtype), 2), [1, 0])


@pytest.mark.parametrize("dtype", ["str", "string", "object", "category", "string[pyarrow]"])
def test_pandas_names(dtype):
    pd = pytest.importorskip("pandas")
    pytest.importorskip("pyarrow")
    series = pd.Series(GIVEN, dtype=dtype)
    for labels in (series, series.to_frame(), series.array, pd.Index(series)):
        np.testing.assert_array_equal(as_labels(labels, 3, classes=ANIMALS), COLUMNS)
    with refused(LabelError, "labels[0] is the", "'cat'", "classes=[...]"):
        as_labels(series, 3)
    with refused(LabelError, "[1] is 'cow'", "not in classes"):
        as_labels(series, 3, classes=["dog", "cat", "pig"])
    with refused(LabelError, "[1] is missing"):
        as_labels(pd.Series(["cat", None], dtype=dtype), 3, classes=ANIMALS)


def test_pandas_categories_that_are_numbers():
    pd = pytest.importorskip("pandas")
    labels = pd.Categorical([30, 10], categories=[10, 20, 30])
    np.testing.assert_array_equal(as_labels(labels, 3, classes=[30, 20, 10]), [0, 2])
    with refused(LabelError, "labels[0] is the category 30", "classes=[...]"):
        as_labels(labels, 3)


def test_categories_that_do_not_occur_need_no_column():
    pd = pytest.importorskip("pandas")
    labels = pd.Categorical(["cat"], categories=["eel", "cat"])
    np.testing.assert_array_equal(as_labels(labels, 3, classes=ANIMALS), [1])


def test_pandas_other_types():
    pd = pytest.importorskip("pandas")
    for dates in (
        pd.Series(pd.date_range("2020", periods=2)),
        pd.Series(pd.date_range("2020", periods=2, tz="UTC")),
    ):
        with refused(InputTypeError, "labels"):
            as_labels(dates, 2)
    with refused(ShapeError, "labels must have one dimension", "(2, 2)", "one-hot"):
        as_labels(pd.DataFrame(np.eye(2)), 2)


def test_polars_numbers():
    pl = pytest.importorskip("polars")
    series = pl.Series("y", [0, 2, 1])
    for labels in (series, series.to_frame()):
        result = as_labels(labels, 3)
        assert np.shares_memory(result, series.to_numpy())
    np.testing.assert_array_equal(as_labels(pl.Series([True, False]), 2), [1, 0])
    np.testing.assert_array_equal(as_labels(pl.Series([1.0, 0.0]), 2), [1, 0])
    with refused(LabelError, "labels[1] is missing"):
        as_labels(pl.Series([0, None]), 2)
    with refused(ShapeError, "(2, 2)", "one-hot"):
        as_labels(pl.DataFrame(np.eye(2)), 2)
    with refused(ShapeError, "empty"):
        as_labels(pl.Series([], dtype=pl.Int64), 2)


def test_columns_of_several_values():
    pd = pytest.importorskip("pandas")
    pl = pytest.importorskip("polars")
    for cells in ([{"y": 0}, {"y": 1}], [{"y": 0, "z": 1}, {"y": 1, "z": 1}]):
        series = pl.Series(cells)
        for labels in (series, pl.DataFrame({"s": series})):
            with refused(InputTypeError, "labels", "Struct", "labels.struct.field"):
                as_labels(labels, 2)
        with refused(InputTypeError, "mask", "Struct", "mask.struct.field"):
            as_mask(series, 2)
    index = pd.MultiIndex.from_tuples([(0, 1), (1, 1)])
    with refused(InputTypeError, "labels", "MultiIndex", "labels.get_level_values(0)"):
        as_labels(index, 2)
    with refused(InputTypeError, "mask", "MultiIndex", "mask.get_level_values(0)"):
        as_mask(index, 2)


def polars_names():
    pl = pytest.importorskip("polars")
    pl.Series(["eel", "eft", "cow"]).cast(pl.Categorical)  # takes the first codes where all share
    return pl.Series(GIVEN), [pl.String, pl.Categorical, pl.Enum(["dog", "cow", "eel", "cat"])]


def test_polars_names():
    series, dtypes = polars_names()
    for dtype in dtypes:
        labels = series.cast(dtype)
        for form in (labels, labels.to_frame()):
            np.testing.assert_array_equal(as_labels(form, 3, classes=ANIMALS), COLUMNS)
        np.testing.assert_array_equal(as_labels(labels[2:], 3, classes=ANIMALS), COLUMNS[2:])
        with refused(LabelError, "labels[0] is the", "'cat'", "classes=[...]"):
            as_labels(labels, 3)
        with refused(LabelError, "[1] is 'cow'", "not in classes"):
            as_labels(labels, 3, classes=["dog", "cat", "pig"])
        with refused(LabelError, "[1] is missing"):
            as_labels(labels.shift(-3), 3, classes=ANIMALS)
        with refused(ShapeError, "empty"):
            as_labels(labels[:0], 3, classes=ANIMALS)


def test_arrow_numbers():
    pa = pytest.importorskip("pyarrow")
    data = pa.array([0, 2, 1])
    for labels in (data, pa.chunked_array([data]), pa.table({"y": data}), data[:2]):
        result = as_labels(labels, 3)
        np.testing.assert_array_equal(result, [0, 2, 1][: len(result)])
    assert np.shares_memory(as_labels(data, 3), data.to_numpy())
    np.testing.assert_array_equal(as_labels(pa.chunked_array([[0], [1, 2]]), 3), [0, 1, 2])
    np.testing.assert_array_equal(as_labels(pa.array([True, False]), 2), [1, 0])
    with refused(LabelError, "labels[1] is missing"):
        as_labels(pa.array([0, None]), 2)
    with refused(ShapeError, "one-hot"):
        as_labels(pa.table({"a": [1.0, 0.0], "b": [0.0, 1.0]}), 2)


def arrow_names():
    pa = pytest.importorskip("pyarrow")
    yield pa.array(GIVEN)
    yield pa.array(GIVEN, pa.large_string())
    yield pa.array(GIVEN).dictionary_encode()
    yield pa.chunked_array([GIVEN[:1], GIVEN[1:]])
    yield pa.chunked_array([pa.array(part).dictionary_encode() for part in (GIVEN[:2], GIVEN[2:])])
    yield pa.table({"y": GIVEN})
    yield pa.RecordBatch.from_pydict({"y": GIVEN})
    yield pa.array(["eel", *GIVEN]).dictionary_encode()[1:]


def test_arrow_names():
    for labels in arrow_names():
        np.testing.assert_array_equal(as_labels(labels, 3, classes=ANIMALS), COLUMNS)
        with refused(LabelError, "labels[0] is the", "'cat'", "classes=[...]"):
            as_labels(labels, 3)
        with refused(LabelError, "[1] is 'cow'", "not in classes"):
            as_labels(labels, 3, classes=["dog", "cat", "pig"])


def test_arrow_names_that_are_missing():
    pa = pytest.importorskip("pyarrow")
    for labels in (pa.array(["cat", None]), pa.array(["cat", None]).dictionary_encode()):
        with refused(LabelError, "[1] is missing"):
            as_labels(labels, 3, classes=ANIMALS)
    hidden = pa.DictionaryArray.from_arrays(pa.array([0, 1]), pa.array(["cat", None]))
    with refused(LabelError, "[1] is missing"):
        as_labels(hidden, 3, classes=ANIMALS)


def test_tensors_of_labels():
    torch = pytest.importorskip("torch")
    tensor = torch.tensor([0, 2, 1])
    assert np.shares_memory(as_labels(tensor, 3), tensor.numpy())
    np.testing.assert_array_equal(as_labels(list(tensor), 3), [0, 2, 1])
    np.testing.assert_array_equal(as_labels(tensor.float(), 3), [0, 2, 1])
    np.testing.assert_array_equal(as_labels(tensor[:, None], 3), [0, 2, 1])
    with refused(InputTypeError, "labels", "bfloat16"):
        as_labels(tensor.to(torch.bfloat16), 3)
    with refused(InputTypeError, "labels", "labels.cpu()"):
        as_labels(tensor.to("meta"), 3)


def test_sparse_labels():
    sparse = pytest.importorskip("scipy.sparse")
    with refused(InputTypeError, "labels", "labels.toarray()"):
        as_labels(sparse.csr_matrix(np.eye(3)), 3)


@given(
    hnp.arrays(hnp.integer_dtypes() | hnp.unsigned_integer_dtypes(), 7, elements=st.integers(0, 2)),
    st.sampled_from(["plain", "list", "float", "object", "column", "strings", "swapped"]),
)
def test_every_spelling_of_a_label_is_the_same_label(labels, spelling):
    spell = {
        "plain": lambda: labels,
        "list": labels.tolist,
        "float": lambda: labels.astype(float),
        "object": lambda: labels.astype(object),
        "column": lambda: labels[:, None],
        "strings": lambda: np.array(ANIMALS)[labels],
        "swapped": lambda: labels.astype(labels.dtype.newbyteorder()),
    }[spelling]
    result = as_labels(spell(), 3, n_examples=7, classes=ANIMALS)
    assert result.dtype.isnative
    assert result.dtype.kind in "iu"
    np.testing.assert_array_equal(result, labels)


@given(
    hnp.arrays(
        st.sampled_from(["<f2", ">f2", "<f4", ">f4", "<f8", ">f8", "O", "u1", "?"]),
        hnp.array_shapes(min_dims=2, max_dims=2, min_side=2),
        elements=st.sampled_from([0, 1]),
    ),
    st.booleans(),
    st.booleans(),
)
def test_every_spelling_of_a_matrix_is_the_same_matrix(matrix, flipped, listed):
    matrix = matrix[::-1] if flipped else matrix
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConflearnCopyWarning)
        result = as_pred_probs(matrix.tolist() if listed else matrix)
    assert result.dtype in (np.float16, np.float32, np.float64)
    assert result.dtype.isnative
    np.testing.assert_array_equal(result, matrix.astype(float))


# --- labels of which the classes are to be found out -------------------------------------------


NAMES = ["b", "a", "b", "c"]


def labels_by_name():
    yield NAMES
    yield np.array(NAMES)
    yield np.array(NAMES, object)
    if hasattr(np.dtypes, "StringDType"):
        yield np.array(NAMES, np.dtypes.StringDType())
    for library, makers in {
        "pandas": (
            lambda pd: pd.Series(NAMES),
            lambda pd: pd.Series(NAMES, dtype="string"),
            lambda pd: pd.Categorical(NAMES, categories=["z", "c", "b", "a"], ordered=True),
            lambda pd: pd.DataFrame({"y": NAMES}),
        ),
        "polars": (
            lambda pl: pl.Series(NAMES),
            lambda pl: pl.Series(NAMES, dtype=pl.Enum(["c", "z", "b", "a"])),
            lambda pl: pl.DataFrame({"y": NAMES}),
        ),
        "pyarrow": (
            lambda pa: pa.array(NAMES),
            lambda pa: pa.chunked_array([NAMES[:2], NAMES[2:]]),
        ),
    }.items():
        with contextlib.suppress(ImportError):
            module = importlib.import_module(library)
            yield from (make(module) for make in makers)


@pytest.mark.parametrize("labels", list(labels_by_name()), ids=type)
def test_classes_are_found_in_names(labels):
    classes, codes = as_named_labels(labels, name="y")
    assert classes.tolist() == ["a", "b", "c"]
    assert codes.dtype == np.int64
    assert codes.tolist() == [1, 0, 1, 2]


@given(hnp.arrays(st.sampled_from(["i1", "u2", "i8", "u8", "?"]), st.integers(1, 20)))
def test_classes_are_found_in_numbers(labels):
    classes, codes = as_named_labels(labels, name="y")
    assert classes.dtype == labels.dtype
    np.testing.assert_array_equal(classes, np.unique(labels))
    np.testing.assert_array_equal(classes[codes], labels)
    floats = as_named_labels(labels.astype(float), name="y")
    np.testing.assert_array_equal(floats.classes[floats.codes], labels.astype(float))


@pytest.mark.parametrize(
    ("labels", "error", "message"),
    [
        ([], ShapeError, "y is empty"),
        ([[1, 2], [3, 4]], ShapeError, "y must have one dimension"),
        ([0.5, 1], LabelError, r"y\[0\] is 0.5, .* \(Unknown label type: continuous\)"),
        ([1, np.inf], LabelError, r"y\[1\] is inf"),
        ([1, np.nan], LabelError, r"y\[1\] is missing"),
        (["a", None], LabelError, r"y\[1\] is missing"),
        (["a", 1], InputTypeError, "all strings or all numbers"),
        ([1j, 2], LabelError, "Complex data not supported"),
        (np.array(["2020-01-01"], "M8[D]"), InputTypeError, "dtype datetime64"),
        ([b"a", b"b"], InputTypeError, "of type bytes"),
        ("abc", InputTypeError, "y cannot be read from an object of type str"),
    ],
)
def test_no_classes_are_found_in_what_is_no_label(labels, error, message):
    with pytest.raises(error, match=message):
        as_named_labels(labels, name="y")
