"""What callers may pass, what becomes of it, and what is said when it cannot be read."""

import array
import datetime as dt
import gc
import os
import re
import subprocess
import sys
import warnings
import weakref
from decimal import Decimal
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from conflearn._coerce import (
    as_bool,
    as_count,
    as_joint,
    as_labels,
    as_mask,
    as_n_threads,
    as_num_to_remove,
    as_per_class,
    as_pred_probs,
    as_share,
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

pytestmark = pytest.mark.filterwarnings("error")

#: Rows that make a matrix of float64 with three columns of a few MiB.
MANY = 100_000


@pytest.fixture
def probs():
    """Three classes, five examples, C order, float32."""
    return np.random.default_rng(0).dirichlet(np.ones(3), 5).astype(np.float32)


@pytest.fixture
def big():
    """The same in float64, and many more."""
    return np.random.default_rng(0).dirichlet(np.ones(3), MANY)


def refused(error, *essentials):
    """Expect the error, with all the essentials in its message, in this order."""
    return pytest.raises(error, match="(?s)" + ".*".join(map(re.escape, essentials)))


def announced(*essentials):
    """Expect the warning of a copy, with all the essentials in its message."""
    return pytest.warns(ConflearnCopyWarning, match="(?s)" + ".*".join(map(re.escape, essentials)))


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


# --- pred_probs: arrays that are read where they lie -------------------------------------------


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
def test_plain_arrays_come_out_as_they_are(probs, dtype):
    matrix = probs.astype(dtype)
    assert as_pred_probs(matrix) is matrix


@pytest.mark.parametrize(
    "view",
    [
        np.asfortranarray,
        lambda p: p[::-1, ::-1],
        lambda p: p[::2],
        lambda p: np.broadcast_to(p[0], (7, 3)),
    ],
    ids=["fortran", "negative", "strided", "broadcast"],
)
def test_any_strides_are_kept(probs, view):
    matrix = view(probs)
    result = as_pred_probs(matrix)
    assert result is matrix


def test_unaligned_and_read_only_are_kept(probs):
    raw = np.zeros(probs.nbytes + 1, np.uint8)
    unaligned = raw[1:].view(np.float32).reshape(probs.shape)
    unaligned[:] = probs
    unaligned.flags.writeable = False
    assert not unaligned.flags.aligned
    result = as_pred_probs(unaligned)
    assert result is unaligned
    assert not result.flags.writeable


def test_unaligned_field_of_records():
    records = np.zeros(4, dtype=[("id", "u1"), ("p", "f4", 3)])
    result = as_pred_probs(records["p"])
    assert np.shares_memory(result, records)


def test_memmap_is_lent(tmp_path, big):
    np.save(tmp_path / "p.npy", big)
    mapped = np.load(tmp_path / "p.npy", mmap_mode="r")
    result = as_pred_probs(mapped)
    assert type(result) is np.ndarray
    assert np.shares_memory(result, mapped)


def test_matrix_class_is_lent(probs):
    matrix = probs.view(np.matrix)
    result = as_pred_probs(matrix)
    assert type(result) is np.ndarray
    assert np.shares_memory(result, probs)


def test_masked_array_without_masked_cells_is_lent(probs):
    result = as_pred_probs(np.ma.array(probs))
    assert type(result) is np.ndarray
    assert np.shares_memory(result, probs)
    assert np.shares_memory(as_pred_probs(np.ma.array(probs, mask=probs > 2)), probs)


def test_masked_cells_are_refused(probs):
    mask = np.zeros(probs.shape, bool)
    mask[3, 1] = True
    with refused(ProbabilityError, "pred_probs", "[3, 1]", "masked"):
        as_pred_probs(np.ma.array(probs, mask=mask))


@pytest.mark.parametrize("order", ["C", "F"])
def test_bfloat16_comes_as_its_bits(probs, order):
    ml_dtypes = pytest.importorskip("ml_dtypes")
    matrix = np.array(probs, ml_dtypes.bfloat16, order=order)[::-1]
    result = as_pred_probs(matrix)
    assert result.dtype == np.uint16
    assert np.shares_memory(result, matrix)
    assert result.strides == matrix.strides
    np.testing.assert_array_equal(result.view(ml_dtypes.bfloat16), matrix)


def test_saved_bfloat16_is_explained(tmp_path, probs):
    ml_dtypes = pytest.importorskip("ml_dtypes")
    np.save(tmp_path / "p.npy", probs.astype(ml_dtypes.bfloat16))
    with refused(InputTypeError, "pred_probs", "view(ml_dtypes.bfloat16)"):
        as_pred_probs(np.load(tmp_path / "p.npy"))


def test_narrow_complex_is_refused():
    ml_dtypes = pytest.importorskip("ml_dtypes")
    if not hasattr(ml_dtypes, "bcomplex32"):
        pytest.skip("this ml_dtypes has no complex types")
    cells = np.ones((2, 2), ml_dtypes.bcomplex32)
    with refused(InputTypeError, "pred_probs", "complex32"):
        as_pred_probs(cells)
    with refused(InputTypeError, "labels", "complex32"):
        as_labels(cells[0], 2)
    with refused(InputTypeError, "confident_joint", "complex32"):
        as_joint(cells, 2)


def test_float8_is_widened(probs):
    ml_dtypes = pytest.importorskip("ml_dtypes")
    for dtype in (ml_dtypes.float8_e4m3fn, ml_dtypes.float8_e5m2):
        with announced("pred_probs", "60 bytes", "float8"):
            result = as_pred_probs(probs.astype(dtype))
        assert result.dtype == np.float32
        np.testing.assert_array_equal(result, probs.astype(dtype).astype(np.float32))


# --- pred_probs: arrays that have to be converted ----------------------------------------------


@pytest.mark.parametrize("dtype", ["f2", "f4", "f8"])
def test_other_byte_order_is_converted(big, dtype):
    native = np.asfortranarray(big.astype(dtype))
    swapped = native.astype(native.dtype.newbyteorder())
    size = {"f2": "585.9 KiB", "f4": "1.1 MiB", "f8": "2.3 MiB"}[dtype]
    with announced("pred_probs", size, "byte order", f"pred_probs.astype('<{dtype}')"):
        result = as_pred_probs(swapped)
    assert result.dtype.isnative
    assert result.dtype == native.dtype
    assert result.flags.f_contiguous
    np.testing.assert_array_equal(result, native)


def test_small_copies_are_announced_too(probs):
    with announced("pred_probs", "60 bytes"):
        result = as_pred_probs(probs.astype(">f4"))
    np.testing.assert_array_equal(result, probs)


@pytest.mark.parametrize("dtype", [bool, np.int8, np.uint16, np.int64, ">i4"])
def test_integers_are_converted(dtype):
    one_hot = np.eye(3)[np.arange(MANY) % 3].astype(dtype)
    with announced("pred_probs", "2.3 MiB", str(one_hot.dtype), "astype('<f8')"):
        result = as_pred_probs(one_hot)
    assert result.dtype == np.float64
    np.testing.assert_array_equal(result, one_hot)


def test_uint16_is_never_taken_for_bits():
    with announced("uint16"):
        result = as_pred_probs(np.eye(2, dtype=np.uint16))
    np.testing.assert_array_equal(result, np.eye(2))


def test_longdouble_is_converted(big):
    if np.dtype(np.longdouble) == np.float64:
        pytest.skip("longdouble is float64 here")
    with announced("pred_probs", "2.3 MiB", "float"):
        result = as_pred_probs(big.astype(np.longdouble))
    assert result.dtype == np.float64
    np.testing.assert_array_equal(result, big)


def test_objects_are_converted(big):
    with announced("pred_probs", "2.3 MiB", "object"):
        result = as_pred_probs(big.astype(object))
    np.testing.assert_array_equal(result, big)


def test_every_sort_of_real_number_is_read():
    cells = [[Decimal("0.25"), Fraction(3, 4)], [True, 0], [np.float32(0.5), np.bool_(False)]]
    with announced("object"):
        result = as_pred_probs(np.array(cells, dtype=object))
    np.testing.assert_array_equal(result, [[0.25, 0.75], [1, 0], [0.5, 0]])


def test_nan_in_objects_is_left_to_the_core():
    with announced("object"):
        result = as_pred_probs(np.array([[float("nan"), 1]], dtype=object))
    assert np.isnan(result[0, 0])


@pytest.mark.parametrize(
    ("cell", "error", "essential"),
    [
        ("0.5", InputTypeError, "'0.5', of type str"),
        (1j, InputTypeError, "1j, of type complex"),
        (dt.date(2020, 1, 1), InputTypeError, "of type datetime.date"),
        ([0.5], InputTypeError, "of type list"),
        (None, ProbabilityError, "missing (None)"),
        (10**400, ProbabilityError, "too large"),
        (Decimal("sNaN"), ProbabilityError, "which no float stands for"),
    ],
)
def test_first_bad_object_is_named(cell, error, essential):
    matrix = np.full((4, 3), 0.5, dtype=object)
    matrix[2, 1] = cell
    with refused(error, "pred_probs[2, 1]", essential):
        as_pred_probs(matrix)


@pytest.mark.parametrize(
    ("matrix", "essential"),
    [
        (np.ones((2, 2), complex), "complex numbers"),
        (np.full((2, 2), "0.5"), "strings"),
        (np.full((2, 2), b"0.5"), "bytes"),
        (np.zeros((2, 2), "M8[s]"), "dates"),
        (np.zeros((2, 2), "m8[s]"), "time spans"),
        (np.zeros((2, 2), [("a", "f4"), ("b", "f4")]), "no plain numbers"),
    ],
)
def test_dtypes_without_real_numbers_are_refused(matrix, essential):
    with refused(InputTypeError, "pred_probs", "dtype", essential, "float32"):
        as_pred_probs(matrix)


def test_warning_points_at_the_caller(big):
    with pytest.warns(ConflearnCopyWarning) as record:
        as_pred_probs(big.astype(">f8"))
    assert [warning.filename for warning in record] == [__file__]


def test_warning_passes_over_frames_of_the_package(big):
    inside = {"__name__": "conflearn.filter", "as_pred_probs": as_pred_probs}
    exec("def sweep(matrix): return as_pred_probs(matrix)", inside)
    with pytest.warns(ConflearnCopyWarning) as record:
        inside["sweep"](big.astype(">f8"))
    assert [warning.filename for warning in record] == [__file__]


# --- pred_probs: shapes ------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("shape", "essentials"),
    [
        ((), ["two dimensions", "0 dimensions"]),
        ((5,), ["two dimensions", "shape (5,)", "np.column_stack([1 - p, p])"]),
        ((0,), ["empty", "(0,)"]),
        ((5, 1), ["at least two columns", "(5, 1)", "np.column_stack([1 - p, p])"]),
        ((0, 3), ["empty", "(0, 3)", "at least one row"]),
        ((5, 0), ["empty", "(5, 0)"]),
        ((2, 3, 4), ["two dimensions", "3 dimensions", "(2, 3, 4)"]),
    ],
)
def test_shapes_that_are_no_matrix(shape, essentials):
    with refused(ShapeError, "pred_probs", *essentials):
        as_pred_probs(np.ones(shape))


def test_the_argument_has_the_name_that_the_caller_knows():
    with refused(ShapeError, "probabilities must"):
        as_pred_probs(np.ones(3), name="probabilities")


# --- pred_probs: lists -------------------------------------------------------------------------


@pytest.mark.parametrize("wrap", [list, tuple])
def test_lists_of_rows(probs, wrap):
    result = as_pred_probs(wrap(map(wrap, probs.tolist())))
    assert result.dtype == np.float64
    np.testing.assert_array_equal(result, probs)


def test_list_of_arrays_keeps_their_width(probs):
    with announced("60 bytes", "separate arrays", "np.stack(pred_probs)"):
        result = as_pred_probs(list(probs))
    assert result.dtype == np.float32
    np.testing.assert_array_equal(result, probs)


def test_list_of_integers():
    result = as_pred_probs([[0, 1], [1, 0]])
    assert result.dtype == np.float64


def test_a_list_of_numbers_is_no_matrix_that_is_copied(big):
    np.testing.assert_array_equal(as_pred_probs(big.tolist()), big)


def test_a_copy_is_announced_once(big):
    with announced("pred_probs", "2.3 MiB", "np.stack(pred_probs)") as record:
        as_pred_probs(list(big))
    assert len(record) == 1


def test_ragged_list_names_the_row():
    with refused(ShapeError, "pred_probs", "[0] has 2 entries", "[2] has 1 entries"):
        as_pred_probs([[0.5, 0.5], [0.5, 0.5], [1.0]])
    with refused(ShapeError, "pred_probs", "[0] has 2 entries", "[1] is a single value"):
        as_pred_probs([[0.5, 0.5], 0.5])


def test_list_cells_that_are_no_numbers():
    with refused(InputTypeError, "[1, 0]", "'x'"):
        as_pred_probs([[0.5, 0.5], ["x", 0.5]])
    with refused(ProbabilityError, "[1, 1]", "missing (None)"):
        as_pred_probs([[0.5, 0.5], [0.5, None]])


@pytest.mark.parametrize("empty", [[], [[]], [[], []]])
def test_empty_lists(empty):
    with refused(ShapeError, "pred_probs is empty"):
        as_pred_probs(empty)


def test_flat_list():
    with refused(ShapeError, "np.column_stack"):
        as_pred_probs([0.1, 0.9])


@pytest.mark.parametrize("value", [None, 3, 0.5j, "abc", {1: 2}, {1, 2}, iter([]), object, len])
def test_objects_that_hold_no_matrix(value):
    with refused(InputTypeError, "pred_probs", "type", "conflearn reads numpy arrays"):
        as_pred_probs(value)


# --- pred_probs: protocols ---------------------------------------------------------------------


class Lender:
    """Lends its array, in the way of numpy 2."""

    def __init__(self, cells):
        self.cells = cells

    def __array__(self, dtype=None, copy=None):
        return self.cells


class Copier(Lender):
    """Makes an array anew each time, and says so."""

    def __array__(self, dtype=None, copy=None):
        if copy is False:
            raise ValueError("a copy is needed")
        return self.cells.copy()


class OldLender(Lender):
    """Knows nothing of `copy`; returns a view."""

    def __array__(self, dtype=None):
        return self.cells[:]


class OldCopier(Lender):
    """Knows nothing of `copy`; makes one."""

    def __array__(self, dtype=None):
        return self.cells.copy()


class Interface:
    """Lends its array by __array_interface__."""

    def __init__(self, cells):
        self.cells = cells
        self.__array_interface__ = cells.__array_interface__


class DLPack:
    """Lends its array by DLPack, from the CPU or, as it claims, from elsewhere."""

    def __init__(self, cells, device=1):
        self.cells, self.device = cells, device

    def __dlpack__(self, **options):
        return self.cells.__dlpack__(**options)

    def __dlpack_device__(self):
        return self.device, 0


@pytest.mark.parametrize("kind", [Lender, OldLender, Interface, DLPack])
def test_protocols_lend(big, kind):
    result = as_pred_probs(kind(big))
    assert type(result) is np.ndarray
    assert np.shares_memory(result, big)


@pytest.mark.parametrize("kind", [Copier, OldCopier])
def test_protocols_that_copy_are_announced(big, kind):
    with announced("pred_probs", "2.3 MiB", kind.__name__, "np.asarray(pred_probs)"):
        result = as_pred_probs(kind(big))
    np.testing.assert_array_equal(result, big)


def test_buffer_is_lent(probs):
    assert np.shares_memory(as_pred_probs(memoryview(probs)), probs)


def test_other_devices_are_refused(probs):
    with refused(InputTypeError, "pred_probs", "DLPack", "another device", "type 2", "CPU"):
        as_pred_probs(DLPack(probs, device=2))


def test_protocol_that_fails_tells_why():
    class Failing:
        def __array__(self, dtype=None, copy=None):
            raise TypeError("implicit conversion is not allowed")

    with refused(InputTypeError, "pred_probs", "Failing", "implicit conversion is not allowed"):
        as_pred_probs(Failing())


def test_sparse_matrices_are_refused(probs):
    sparse = pytest.importorskip("scipy.sparse")
    for matrix in (sparse.csr_matrix(probs), sparse.coo_array(probs)):
        with refused(InputTypeError, "pred_probs", "sparse", "pred_probs.toarray()"):
            as_pred_probs(matrix)


# --- pred_probs: torch -------------------------------------------------------------------------


@pytest.mark.parametrize("dtype", ["float16", "float32", "float64"])
def test_tensors_are_lent(probs, dtype):
    torch = pytest.importorskip("torch")
    tensor = torch.from_numpy(probs).to(getattr(torch, dtype)).requires_grad_()
    result = as_pred_probs(tensor)
    assert result.dtype == np.dtype(dtype)
    assert result.__array_interface__["data"][0] == tensor.data_ptr()
    assert as_pred_probs(tensor.T[:, :4]).strides[0] == result.itemsize


def test_bfloat16_tensor_comes_as_its_bits(probs):
    torch = pytest.importorskip("torch")
    tensor = torch.from_numpy(probs).to(torch.bfloat16)
    for lent in (tensor, torch.nn.Parameter(tensor), tensor.T):
        result = as_pred_probs(lent)
        assert result.dtype == np.uint16
        assert result.__array_interface__["data"][0] == tensor.data_ptr()
        widened = (result.astype(np.uint32) << 16).view(np.float32)
        np.testing.assert_array_equal(widened, lent.detach().float().numpy())


def test_tensors_that_cannot_be_lent(probs):
    torch = pytest.importorskip("torch")
    tensor = torch.from_numpy(probs)
    with refused(InputTypeError, "pred_probs", "'meta'", "pred_probs.cpu()"):
        as_pred_probs(tensor.to("meta"))
    with refused(InputTypeError, "pred_probs", "to_dense()"):
        as_pred_probs(tensor.to_sparse())
    with refused(ShapeError, "pred_probs", "(5,)"):
        as_pred_probs(tensor[:, 0].to(torch.bfloat16))


# --- pred_probs: pandas ------------------------------------------------------------------------


def test_pandas_frame_of_one_block_is_lent(big):
    pd = pytest.importorskip("pandas")
    for dtype in (np.float16, np.float32, np.float64):
        frame = pd.DataFrame(big.astype(dtype))
        result = as_pred_probs(frame)
        assert result.dtype == dtype
        assert np.shares_memory(result, frame.iloc[:, 1].to_numpy())


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_pandas_frame_of_several_blocks_is_announced(big, dtype):
    pd = pytest.importorskip("pandas")
    frame = pd.DataFrame(big[:, :2].astype(dtype))
    frame["late"] = big[:, 2]
    with announced("pred_probs", "2.3 MiB", "side by side", "pred_probs.to_numpy()"):
        result = as_pred_probs(frame)
    assert result.dtype == np.float64
    np.testing.assert_array_equal(result[:, 2], big[:, 2])


@pytest.mark.parametrize("dtype", ["Float32", "float[pyarrow]"])
def test_pandas_nullable_columns(big, dtype):
    pd = pytest.importorskip("pandas")
    pytest.importorskip("pyarrow")
    frame = pd.DataFrame(big, columns=["a", "b", "c"]).astype(dtype)
    with announced("pred_probs", "1.1 MiB", "pred_probs.to_numpy()"):
        result = as_pred_probs(frame)
    assert result.dtype == np.float32
    np.testing.assert_array_equal(result, big.astype(np.float32))
    frame.iloc[7, 1] = None
    with refused(ProbabilityError, "pred_probs", "[7, 1] (column 'b')", "missing"):
        as_pred_probs(frame)


def test_pandas_mixed_columns():
    pd = pytest.importorskip("pandas")
    frame = pd.DataFrame({"a": pd.array([1, 0], "Int64"), "b": [0.0, 1.0], "c": [True, False]})
    with announced("48 bytes", "pred_probs.to_numpy()"):
        result = as_pred_probs(frame)
    np.testing.assert_array_equal(result, [[1, 0, 1], [0, 1, 0]])
    assert result.dtype == np.float64


@pytest.mark.parametrize(
    ("column", "error", "essential"),
    [
        (["x", "y"], InputTypeError, "[0, 1] is 'x'"),
        ([0.5, None], None, None),
        (np.array([0.5, None], dtype=object), ProbabilityError, "[1, 1] is missing"),
        (np.zeros(2, "M8[s]"), InputTypeError, "Timestamp"),
    ],
)
def test_pandas_columns_that_hold_no_numbers(column, error, essential):
    pd = pytest.importorskip("pandas")
    frame = pd.DataFrame({"a": [0.5, 0.5], "b": column})
    if error is None:  # pandas itself has made NaN of it, which the core finds
        assert np.isnan(as_pred_probs(frame)[1, 1])
    else:
        with refused(error, "pred_probs", essential):
            as_pred_probs(frame)


def test_pandas_strings_and_categories():
    pd = pytest.importorskip("pandas")
    for dtype in ("string", "category"):
        frame = pd.DataFrame({"a": [0.5, 0.5], "b": pd.Series(["x", "y"], dtype=dtype)})
        with refused(InputTypeError, "pred_probs", "[0, 1]", "'x'"):
            as_pred_probs(frame)


def test_pandas_column_of_lists(probs):
    pd = pytest.importorskip("pandas")
    np.testing.assert_array_equal(as_pred_probs(pd.Series(probs.tolist())), probs)
    with announced("separate arrays"):
        result = as_pred_probs(pd.Series(list(probs)))
    np.testing.assert_array_equal(result, probs)
    with refused(ShapeError, "[1] has 1 entries"):
        as_pred_probs(pd.Series([[0.5, 0.5], [1.0]]))


def test_pandas_column_and_empty_frames():
    pd = pytest.importorskip("pandas")
    with refused(ShapeError, "np.column_stack"):
        as_pred_probs(pd.Series([0.5, 0.5]))
    with refused(ShapeError, "(2, 1)"):
        as_pred_probs(pd.DataFrame({"a": [0.5, 0.5]}))
    for frame in (pd.DataFrame(), pd.DataFrame({"a": [0.5]})[:0], pd.DataFrame(index=[1, 2])):
        with refused(ShapeError, "empty"):
            as_pred_probs(frame)


# --- pred_probs: polars ------------------------------------------------------------------------


def test_polars_frame_side_by_side_is_lent(big):
    pl = pytest.importorskip("polars")
    columns = np.asfortranarray(big)
    result = as_pred_probs(pl.DataFrame(columns))
    assert np.shares_memory(result, columns)


def test_polars_frame_apart_is_announced(big):
    pl = pytest.importorskip("polars")
    half = pl.DataFrame(np.asfortranarray(big[: MANY // 2]))
    frame = pl.concat([half, half], rechunk=False)
    with announced("pred_probs", "2.3 MiB", "side by side", "pred_probs.to_numpy()"):
        result = as_pred_probs(frame)
    np.testing.assert_array_equal(result[MANY // 2 :], big[: MANY // 2])


def test_polars_frames_that_hold_no_numbers():
    pl = pytest.importorskip("polars")
    with refused(ProbabilityError, "pred_probs", "[1, 0] (column 'a')", "missing"):
        as_pred_probs(pl.DataFrame({"a": [0.5, None], "b": [0.5, 0.5]}))
    with refused(InputTypeError, "pred_probs", "[:, 1] (column 'b')", "String"):
        as_pred_probs(pl.DataFrame({"a": [0.5, 0.5], "b": ["x", "y"]}))
    with refused(InputTypeError, "pred_probs", "LazyFrame", "pred_probs.collect()"):
        as_pred_probs(pl.DataFrame({"a": [0.5]}).lazy())
    with refused(ShapeError, "pred_probs", "empty"):
        as_pred_probs(pl.DataFrame())
    with announced("side by side"), announced("dtype is int64"):  # two copies
        result = as_pred_probs(pl.DataFrame({"a": [True, False], "b": [0, 1]}))
    np.testing.assert_array_equal(result, np.eye(2))


def test_polars_column_of_arrays_is_lent(big):
    pl = pytest.importorskip("polars")
    series = pl.Series(big, dtype=pl.Array(pl.Float64, 3))
    result = as_pred_probs(series)
    np.testing.assert_array_equal(result, big)
    assert np.shares_memory(result, series.to_numpy(allow_copy=False))


def test_polars_column_of_lists(big):
    pl = pytest.importorskip("polars")
    np.testing.assert_array_equal(as_pred_probs(pl.Series(big.tolist())), big)
    with refused(ShapeError, "[0] has 2 entries", "[2] has 1 entries"):
        as_pred_probs(pl.Series([[0.5, 0.5], [0.5, 0.5], [1.0]]))
    with refused(ProbabilityError, "[1] is missing"):
        as_pred_probs(pl.Series([[0.5, 0.5], None]))
    with refused(ProbabilityError, "[1, 0] is missing"):
        as_pred_probs(pl.Series([[0.5, 0.5], [None, 0.5]]))
    with refused(InputTypeError, "[0, 0]", "'a'"):
        as_pred_probs(pl.Series([["a", "b"]]))
    with refused(ShapeError, "np.column_stack"):
        as_pred_probs(pl.Series([0.5, 0.5]))
    with refused(ShapeError, "empty"):
        as_pred_probs(pl.Series([], dtype=pl.List(pl.Float64)))
    with refused(ShapeError, "empty"):
        as_pred_probs(pl.Series([[], []], dtype=pl.List(pl.Float64)))


def test_polars_column_of_several_chunks_is_announced(big):
    pl = pytest.importorskip("polars")
    series = pl.Series(big, dtype=pl.Array(pl.Float64, 3))
    with announced("pred_probs", "4.6 MiB", "pred_probs.to_numpy()"):
        result = as_pred_probs(pl.concat([series, series], rechunk=False))
    np.testing.assert_array_equal(result[MANY:], big)


# --- pred_probs: pyarrow -----------------------------------------------------------------------


def arrow_table(matrix, **options):
    pa = pytest.importorskip("pyarrow")
    return pa.table({f"p{k}": column for k, column in enumerate(matrix.T)}, **options)


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
def test_arrow_columns_side_by_side_are_lent(big, dtype):
    columns = np.asfortranarray(big.astype(dtype))
    for table in (arrow_table(columns), arrow_table(columns).to_batches()[0]):
        result = as_pred_probs(table)
        assert result.dtype == dtype
        assert np.shares_memory(result, columns)
        np.testing.assert_array_equal(result, columns)
        assert not result.flags.writeable


def test_memory_mapped_arrow_file_is_lent(tmp_path, big):
    pa = pytest.importorskip("pyarrow")
    table = arrow_table(big[:1001].astype(np.float32))
    path = str(tmp_path / "p.arrow")
    with pa.OSFile(path, "wb") as file, pa.ipc.new_file(file, table.schema) as writer:
        writer.write_table(table)
    mapped = pa.ipc.open_file(pa.memory_map(path)).read_all()
    result = as_pred_probs(mapped)
    assert np.shares_memory(result, mapped.column(2).chunk(0).to_numpy())
    np.testing.assert_array_equal(result, big[:1001].astype(np.float32))


def test_arrow_columns_outlive_their_table(big):
    columns = np.asfortranarray(big)
    owner = weakref.ref(columns)
    result = as_pred_probs(arrow_table(columns)[10:])
    del columns
    gc.collect()
    assert owner() is not None
    np.testing.assert_array_equal(result, big[10:])
    del result
    gc.collect()
    assert owner() is None


def test_arrow_columns_in_chunks_are_announced(big):
    pa = pytest.importorskip("pyarrow")
    table = pa.concat_tables([arrow_table(big), arrow_table(big)])
    with announced("pred_probs", "4.6 MiB", "side by side"):
        result = as_pred_probs(table)
    np.testing.assert_array_equal(result, np.vstack([big, big]))
    assert result.flags.f_contiguous


def test_arrow_columns_of_several_types():
    pa = pytest.importorskip("pyarrow")
    table = pa.table({"a": pa.array([1.0, 0.0], pa.float32()), "b": [0, 1], "c": [True, False]})
    with announced("48 bytes", "side by side"):
        result = as_pred_probs(table)
    assert result.dtype == np.float64
    np.testing.assert_array_equal(result, [[1, 0, 1], [0, 1, 0]])


def test_arrow_tables_that_hold_no_numbers():
    pa = pytest.importorskip("pyarrow")
    with refused(ProbabilityError, "pred_probs", "[1, 1] (column 'b')", "missing"):
        as_pred_probs(pa.table({"a": [0.5, 0.5], "b": [0.5, None]}))
    with refused(InputTypeError, "pred_probs", "[:, 1] (column 'b')", "string"):
        as_pred_probs(pa.table({"a": [0.5, 0.5], "b": ["x", "y"]}))
    for table in (
        pa.table({}),
        pa.table({"a": pa.array([], pa.float64())}),
        arrow_table(np.eye(2))[:0],
    ):
        with refused(ShapeError, "empty"):
            as_pred_probs(table)
    empty = pa.schema([("a", pa.float64()), ("b", pa.float64())]).empty_table()
    with refused(ShapeError, "empty"):
        as_pred_probs(empty)


def arrow_lists(matrix, kind):
    pa = pytest.importorskip("pyarrow")
    cells = pa.array(np.ascontiguousarray(matrix).ravel())
    if kind == "fixed":
        return pa.FixedSizeListArray.from_arrays(cells, matrix.shape[1])
    if kind == "tensor":
        return pa.FixedShapeTensorArray.from_numpy_ndarray(np.ascontiguousarray(matrix))
    offsets = np.arange(len(matrix) + 1) * matrix.shape[1]
    if kind == "large":
        return pa.LargeListArray.from_arrays(pa.array(offsets, pa.int64()), cells)
    return pa.ListArray.from_arrays(pa.array(offsets, pa.int32()), cells)


@pytest.mark.parametrize("kind", ["fixed", "list", "large", "tensor"])
def test_arrow_lists_are_lent(big, kind):
    pa = pytest.importorskip("pyarrow")
    lists = arrow_lists(big, kind)
    cells = (lists.storage if kind == "tensor" else lists).values.to_numpy()
    for data in (lists, lists[5:50], pa.chunked_array([lists])):
        result = as_pred_probs(data)
        assert np.shares_memory(result, cells)
    np.testing.assert_array_equal(as_pred_probs(lists[5:50]), big[5:50])


@pytest.mark.parametrize("kind", ["fixed", "list", "large", "tensor"])
def test_arrow_lists_in_chunks_are_announced(big, kind):
    pa = pytest.importorskip("pyarrow")
    lists = arrow_lists(big, kind)
    with announced("pred_probs", "4.6 MiB", "pred_probs.combine_chunks()"):
        result = as_pred_probs(pa.chunked_array([lists, lists]))
    np.testing.assert_array_equal(result[MANY:], big)


def test_arrow_lists_that_are_no_matrix():
    pa = pytest.importorskip("pyarrow")
    fixed = pa.list_(pa.float64(), 2)
    with refused(ShapeError, "[0] has 2 entries", "[2] has 1 entries"):
        as_pred_probs(pa.chunked_array([[[0.5, 0.5]], [[0.5, 0.5], [1.0]]]))
    with refused(ProbabilityError, "[1] is missing"):
        as_pred_probs(pa.array([[0.5, 0.5], None], fixed))
    with refused(ProbabilityError, "[2, 1] is missing"):
        as_pred_probs(pa.chunked_array([[[0.5, 0.5]], [[0.5, 0.5], [0.5, None]]], fixed))
    with refused(InputTypeError, "pred_probs", "string"):
        as_pred_probs(pa.array([["a", "b"]]))
    with refused(ShapeError, "np.column_stack"):
        as_pred_probs(pa.array([0.5, 0.5]))
    for empty in (
        pa.array([], fixed),
        pa.chunked_array([], fixed),
        pa.array([], pa.list_(pa.float64())),
    ):
        with refused(ShapeError, "empty"):
            as_pred_probs(empty)


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
        as_labels(arrow_table(np.eye(2)), 2)


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
