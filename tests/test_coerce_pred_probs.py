"""What may be passed as `pred_probs`, what becomes of it, and what is said otherwise."""

import datetime as dt
import gc
import weakref
from decimal import Decimal
from fractions import Fraction

import numpy as np
import pytest

from conflearn._coerce import (
    as_joint,
    as_labels,
    as_pred_probs,
)
from conflearn.errors import (
    ConflearnCopyWarning,
    InputTypeError,
    ProbabilityError,
    ShapeError,
)
from expected import announced, refused

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
