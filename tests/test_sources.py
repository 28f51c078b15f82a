"""Arrays in files, and arrays that are sliced: blocks hold what numpy.load would give."""

import json
import tracemalloc
from contextlib import nullcontext
from pathlib import Path

import hypothesis.strategies as st
import numpy as np
import psutil
import pytest
from hypothesis import HealthCheck, given, settings

import conflearn
from conflearn._coerce import as_pred_probs
from conflearn.errors import InputTypeError, LabelError, OptionError, ShapeError, SourceError
from conflearn.sources import Columns, open_source
from conflearn.sources import source as source_module
from conflearn.sources.cells import coercible_again
from conflearn.topk import TopK
from expected import announced, refused
from streamed import assert_gives, n_readers, whole

N, K = 1000, 5
CLASSES = ["ant", "bee", "cat", "dog", "eel"]


@pytest.fixture(autouse=True)
def _small_blocks(monkeypatch):
    monkeypatch.setattr(source_module, "BLOCK_BYTES", 3000)
    monkeypatch.setattr(source_module, "BLOCK_ROWS", 101)


@pytest.fixture
def probs():
    return np.random.default_rng(0).random((N, K), dtype=np.float32)


@pytest.fixture
def labels():
    return np.random.default_rng(1).integers(0, K, N)


def save_npy(path, pred_probs, labels):
    np.save(path.with_suffix(".npy"), pred_probs)
    return path.with_suffix(".npy"), labels


def save_npz(path, pred_probs, labels):
    np.savez(path.with_suffix(".npz"), note=np.array(3), pred_probs=pred_probs, labels=labels)
    return path.with_suffix(".npz"), None


def save_compressed(path, pred_probs, labels):
    np.savez_compressed(path.with_suffix(".npz"), probs=pred_probs, y=labels)
    return path.with_suffix(".npz"), None


def save_safetensors(path, pred_probs, labels):
    library = pytest.importorskip("safetensors.numpy")
    path = path.with_suffix(".safetensors")
    library.save_file({"probs": np.ascontiguousarray(pred_probs), "y": labels}, path)
    return path, None


FORMATS = [save_npy, save_npz, save_compressed, save_safetensors]
by_format = pytest.mark.parametrize("save", FORMATS, ids=lambda save: save.__name__[5:])


# --- Formats -------------------------------------------------------------------------------------


@by_format
@pytest.mark.parametrize("dtype", ["f2", "f4", "f8", "i1", "u4", "?"])
def test_every_format_and_dtype(save, dtype, probs, labels, tmp_path):
    matrix = probs.astype(dtype)
    path, given_labels = save(tmp_path / "p", matrix, labels)
    expected = matrix if dtype.startswith("f") else matrix.astype(np.float64)
    assert_gives(open_source(given_labels, path), labels, expected)
    assert_gives(open_source(labels, str(path)), labels, expected, first_row=777)


@pytest.mark.parametrize("dtype", [">f2", ">f4", ">f8"])
def test_other_byte_order_is_turned_without_a_word(dtype, probs, labels, tmp_path):
    np.save(tmp_path / "p.npy", probs.astype(dtype))
    source = open_source(labels.astype(">i4"), tmp_path / "p.npy")
    assert_gives(source, labels, probs.astype(dtype[1:]))


@pytest.mark.parametrize("save", [save_npy, save_npz])
@pytest.mark.parametrize("dtype", ["f2", "f4", "f8", ">f4"])
@pytest.mark.parametrize("first_row", [0, 1, 400, 999, 1000])
def test_fortran_order(save, dtype, first_row, probs, labels, tmp_path):
    matrix = np.asfortranarray(probs.astype(dtype))
    path, given_labels = save(tmp_path / "p", matrix, labels)
    source = open_source(given_labels, path)
    block = next(source.blocks())
    assert block.pred_probs.flags.f_contiguous
    if first_row < N:
        assert_gives(source, labels, matrix.astype(matrix.dtype.newbyteorder("=")), first_row)
    else:
        assert list(source.blocks(first_row)) == []


def test_compressed_fortran_order_is_refused(probs, labels, tmp_path):
    np.savez_compressed(tmp_path / "p.npz", probs=np.asfortranarray(probs), y=labels)
    with refused(SourceError, "p.npz", "'probs'", "Fortran", "numpy.savez"):
        open_source(None, tmp_path / "p.npz")


def test_bfloat16(probs, labels, tmp_path):
    ml_dtypes = pytest.importorskip("ml_dtypes")
    library = pytest.importorskip("safetensors.numpy")
    matrix = probs.astype(ml_dtypes.bfloat16)
    library.save_file({"probs": matrix}, tmp_path / "p.safetensors")
    source = open_source(labels, tmp_path / "p.safetensors")
    assert_gives(source, labels, as_pred_probs(matrix))
    np.save(tmp_path / "p.npy", matrix)
    with refused(SourceError, "p.npy", "two bytes", "bfloat16", "safetensors"):
        open_source(labels, tmp_path / "p.npy")


def test_a_name_of_bfloat16_in_an_archive_is_refused(probs, labels, tmp_path):
    ml_dtypes = pytest.importorskip("ml_dtypes")
    np.savez(tmp_path / "p.npz", probs=probs.astype(ml_dtypes.bfloat16))
    with refused(SourceError, "p.npz", "'probs'", "bfloat16"):
        open_source(labels, tmp_path / "p.npz")


@pytest.mark.parametrize("kind", ["logits", "scores"])
@pytest.mark.parametrize("shape", [(N,), (N, 1)])
def test_one_column_of_two_classes(kind, shape, labels, tmp_path):
    column = np.random.default_rng(2).normal(size=shape)
    np.save(tmp_path / "p.npy", column)
    binary = labels % 2
    source = open_source(binary, tmp_path / "p.npy", kind=kind)
    assert_gives(source, binary, as_pred_probs(column, kind=kind))
    with refused(ShapeError, "pred_probs"):
        open_source(binary, tmp_path / "p.npy")


def test_version_2_of_the_npy_header(probs, labels, tmp_path):
    with (tmp_path / "p.npy").open("wb") as stream:
        np.lib.format.write_array(stream, probs, version=(2, 0))
    assert_gives(open_source(labels, tmp_path / "p.npy"), labels, probs)


def test_an_array_of_an_archive_by_name(probs, labels, tmp_path):
    path = tmp_path / "p.npz"
    np.savez(path, train=probs, test=probs[::-1], given=labels, other=labels[::-1])
    with refused(SourceError, "pred_probs", "any of", "p.npz", "'train'", "Columns"):
        open_source(labels, path)
    with refused(SourceError, "labels", "no array of labels", "'given'", "looked for 'labels'"):
        open_source(None, Columns(path, "train"))
    with refused(SourceError, "pred_probs", "no 'tarin'", "did you mean 'train'"):
        open_source(labels, Columns(path, "tarin"))
    with refused(SourceError, "labels", "no 'zzz'", "'train', 'test', 'given', 'other'"):
        open_source("zzz", Columns(path, "train"))
    assert_gives(open_source("given", Columns(path, "train")), labels, probs)
    source = open_source(Columns(path, ["other"]), Columns(path, "test"))
    assert_gives(source, labels[::-1], probs[::-1])
    with refused(SourceError, "p.npz", "arrays, not columns"):
        open_source(labels, Columns(path, ["train", "test"]))


def test_a_sparse_matrix_in_an_archive(tmp_path):
    sparse = pytest.importorskip("scipy.sparse")
    sparse.save_npz(tmp_path / "p.npz", sparse.csr_array(np.eye(3)))
    with refused(SourceError, "p.npz", "sparse", "scipy.sparse.load_npz"):
        open_source([0, 1, 2], tmp_path / "p.npz")


# --- Rows ----------------------------------------------------------------------------------------


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_any_shards_blocks_and_first_rows(data, tmp_path, monkeypatch):
    rng = np.random.default_rng(data.draw(st.integers(0, 99)))
    n_classes = data.draw(st.integers(2, 9))
    sizes = data.draw(st.lists(st.integers(0, 40), min_size=1, max_size=5).filter(any))
    monkeypatch.setattr(source_module, "BLOCK_BYTES", data.draw(st.integers(1, 3000)))
    monkeypatch.setattr(source_module, "BLOCK_ROWS", data.draw(st.integers(1, 60)))
    matrix = rng.random((sum(sizes), n_classes))
    labels = rng.integers(0, n_classes, len(matrix))
    paths, label_paths = [], []
    cuts = np.cumsum(sizes)[:-1]
    shards = zip(np.split(matrix, cuts), np.split(labels, cuts), strict=True)
    for i, (shard, shard_labels) in enumerate(shards):
        paths.append(tmp_path / f"{i}.npy")
        label_paths.append(tmp_path / f"{i}-y.npy")
        np.save(paths[-1], np.array(shard, order=data.draw(st.sampled_from("CF"))))
        np.save(label_paths[-1], shard_labels.astype(data.draw(st.sampled_from(["i1", "u8"]))))
    np.save(tmp_path / "y.npy", labels)
    given_labels = data.draw(st.sampled_from([labels, label_paths, tmp_path / "y.npy"]))
    first_row = data.draw(st.integers(0, len(matrix) - 1))
    assert_gives(open_source(given_labels, paths), labels, matrix, first_row)


def test_shards_by_glob_come_in_natural_order(probs, labels, tmp_path):
    for i, rows in enumerate(np.split(probs, 20)):
        np.save(tmp_path / f"shard-{i}.npy", rows)
    found = assert_gives(open_source(labels, str(tmp_path / "shard-*.npy")), labels, probs)
    assert found.places[0] == f"rows 0 to 49 of {tmp_path / 'shard-0.npy'}"
    assert found.places[-1] == f"rows 0 to 49 of {tmp_path / 'shard-19.npy'}"
    assert open_source(labels, tmp_path / "shard-*.npy").n_examples == N


def test_each_shard_may_hold_its_labels(probs, labels, tmp_path):
    paths = []
    for i in range(3):
        rows = slice(i * 300, (i + 1) * 300)
        paths.append(tmp_path / f"{i}.npz")
        np.savez(paths[-1], probs=probs[rows], y=labels[rows])
    assert_gives(open_source(None, paths), labels[:900], probs[:900])
    assert_gives(open_source("y", paths), labels[:900], probs[:900])


def test_shards_that_do_not_go_together(probs, labels, tmp_path):
    np.save(tmp_path / "a.npy", probs)
    np.save(tmp_path / "b.npy", probs[:, :4])
    with refused(SourceError, "a.npy has 5 columns", "b.npy has 4"):
        open_source(labels, [tmp_path / "a.npy", tmp_path / "b.npy"])
    np.save(tmp_path / "y.npy", labels[:-1])
    with refused(SourceError, "labels", "y.npy has 999 entries", "a.npy has 1,000 rows"):
        open_source(tmp_path / "y.npy", tmp_path / "a.npy")
    with refused(SourceError, "labels", "2 files of labels", "3 of pred_probs"):
        open_source([tmp_path / "y.npy"] * 2, [tmp_path / "a.npy"] * 3)
    with refused(ShapeError, "labels has 999 entries", "1000 rows"):
        open_source(labels[:-1], tmp_path / "a.npy")


@pytest.mark.parametrize("n_empty", [1, 2])
def test_no_rows(n_empty, probs, labels, tmp_path):
    np.save(tmp_path / "e.npy", probs[:0])
    with refused(ShapeError, "pred_probs is empty", "e.npy"):
        open_source(labels[:0], [tmp_path / "e.npy"] * n_empty)


@pytest.mark.parametrize("shape", [(4,), (4, 1), (2, 3, 4), ()])
def test_shapes_that_are_no_matrix(shape, tmp_path):
    np.save(tmp_path / "p.npy", np.zeros(shape))
    with pytest.raises((ShapeError, SourceError), match="pred_probs"):
        open_source([0] * 4, tmp_path / "p.npy")


def test_rows_wider_than_a_block(labels, tmp_path):
    wide = np.random.default_rng(0).random((7, 5000))
    np.save(tmp_path / "p.npy", wide)
    found = assert_gives(open_source(labels[:7], tmp_path / "p.npy"), labels[:7], wide)
    assert found.sizes == [1] * 7


# --- Labels --------------------------------------------------------------------------------------


@pytest.mark.parametrize("dtype", ["i1", "u1", "i2", "u2", "i4", "u4", "i8", "u8", ">i4", "f4"])
def test_labels_of_any_width(dtype, probs, labels, tmp_path):
    np.save(tmp_path / "y.npy", labels.astype(dtype))
    np.save(tmp_path / "p.npy", probs)
    assert_gives(open_source(tmp_path / "y.npy", tmp_path / "p.npy"), labels, probs)
    assert_gives(open_source(labels.astype(dtype), tmp_path / "p.npy"), labels, probs)


def test_names_are_looked_up(probs, labels, tmp_path):
    names = np.array(CLASSES)[labels]
    np.save(tmp_path / "y.npy", names)
    np.save(tmp_path / "p.npy", probs)
    for given_labels in (tmp_path / "y.npy", names, names.tolist()):
        source = open_source(given_labels, tmp_path / "p.npy", classes=iter(CLASSES))
        assert_gives(source, labels, probs)
    source = open_source(tmp_path / "y.npy", tmp_path / "p.npy", classes=CLASSES[::-1])
    np.testing.assert_array_equal(whole(source).labels, 4 - labels)
    with refused(LabelError, "labels[0]", "classes=[...]"):
        whole(open_source(tmp_path / "y.npy", tmp_path / "p.npy"))
    with refused(ShapeError, "classes has 2 entries"):
        open_source(tmp_path / "y.npy", tmp_path / "p.npy", classes=["ant", "bee"])


def test_messages_count_rows_of_the_whole_input(probs, labels, tmp_path):
    np.save(tmp_path / "p.npy", probs)
    names = np.array(CLASSES)[labels]
    names[[876, 900]] = "cet"
    np.save(tmp_path / "y.npy", names)
    with refused(LabelError, "labels[876] is 'cet'", "did you mean 'cat'"):
        whole(open_source(tmp_path / "y.npy", tmp_path / "p.npy", classes=CLASSES))
    floats = labels.astype(float)
    floats[543] = np.nan
    np.save(tmp_path / "y.npy", floats)
    source = open_source(tmp_path / "y.npy", tmp_path / "p.npy")
    for first_row in (0, 500, 543):
        with refused(LabelError, "labels[543] is missing"):
            whole(source, first_row)


def test_class_numbers_out_of_range_are_left_to_the_core(probs, labels, tmp_path):
    labels[10] = 99
    np.save(tmp_path / "y.npy", labels)
    np.save(tmp_path / "p.npy", probs)
    assert_gives(open_source(tmp_path / "y.npy", tmp_path / "p.npy"), labels, probs)


def test_errors_about_labels_name_the_file_of_labels(probs, labels, tmp_path):
    for folder in "ab":
        (tmp_path / folder).mkdir()
        np.save(tmp_path / folder / "p.npy", probs[:500])
        np.save(tmp_path / folder / "y.npy", labels[:500])
    matrices, files = ([tmp_path / f / name for f in "ab"] for name in ("p.npy", "y.npy"))
    wrong = labels[:500].copy()
    wrong[300] = K
    np.save(files[1], wrong)
    with refused(LabelError, "labels[800]") as caught:
        conflearn.num_label_issues(files, matrices)
    (note,) = caught.value.__notes__
    assert note.endswith(f"of {matrices[1]}, with labels of {files[1]}")
    np.save(files[1], wrong + 0.5)
    with refused(LabelError, "labels[500]") as caught:
        conflearn.num_label_issues(files, matrices)
    assert caught.value.__notes__ == [f"in rows 0 to 499 of {files[1]}"]


def test_a_matrix_in_memory_with_labels_in_a_file(probs, labels, tmp_path):
    np.save(tmp_path / "y.npy", labels)
    found = assert_gives(open_source(tmp_path / "y.npy", probs), labels, probs)
    assert found.places[0] == f"rows 0 to 100 of pred_probs, with labels of {tmp_path / 'y.npy'}"


def test_labels_that_are_missing(probs, labels, tmp_path):
    np.save(tmp_path / "p.npy", probs)
    with refused(SourceError, "labels", "p.npy holds nothing but an array", "'labels'"):
        open_source(None, tmp_path / "p.npy")
    with refused(SourceError, "labels", "p.npy holds nothing but an array", "'given'"):
        open_source("given", tmp_path / "p.npy")
    with refused(SourceError, "pred_probs", "p.npy", "'x'", "without Columns"):
        open_source(labels, Columns(tmp_path / "p.npy", "x"))


# --- In memory -----------------------------------------------------------------------------------


def test_what_lies_in_memory_is_no_source(probs, labels):
    for matrix in (probs, probs.tolist(), np.asfortranarray(probs), probs.astype("f2")):
        assert open_source(labels, matrix) is None
    for given_labels in (labels.tolist(), tuple(labels), ["a", "b"], ["a.b", "npy"], None, "y"):
        assert open_source(given_labels, probs) is None


def test_columns_of_pandas_are_no_source(probs, labels):
    pandas = pytest.importorskip("pandas")
    texts = np.array(CLASSES)[labels]
    held = (
        pandas.Categorical(texts),
        pandas.array(texts),
        pandas.array(labels, "Int64"),
        pandas.Series(texts),
        pandas.Index(texts),
    )
    for given_labels in held:
        assert open_source(given_labels, probs) is None
    assert open_source(labels, pandas.DataFrame(probs)) is None


def test_memmaps_are_no_source(probs, labels, tmp_path):
    np.save(tmp_path / "p.npy", probs)
    assert open_source(labels, np.load(tmp_path / "p.npy", mmap_mode="r")) is None


@pytest.mark.parametrize("order", ["C", "F"])
def test_slices_of_what_lies_in_memory(order, probs, labels):
    matrix = np.array(probs, order=order)
    source = open_source(labels, matrix, in_memory_too=True)
    assert all(np.shares_memory(block.pred_probs, matrix) for block in source.blocks())
    assert all(np.shares_memory(block.labels, labels) for block in source.blocks())
    assert_gives(source, labels, matrix, 123)
    assert n_readers() == 0


def test_slices_of_lists_and_bfloat16(probs, labels):
    source = open_source(labels.tolist(), probs.tolist(), in_memory_too=True)
    assert_gives(source, labels, probs.astype(float))
    ml_dtypes = pytest.importorskip("ml_dtypes")
    matrix = probs.astype(ml_dtypes.bfloat16)
    assert_gives(open_source(labels, matrix, in_memory_too=True), labels, matrix.view("u2"))


def test_a_copy_of_all_is_announced(probs, labels):
    with announced("pred_probs", "dtype is int64"):
        open_source(labels, (probs > 0.5).astype(int), in_memory_too=True)


# --- Sliceable arrays ----------------------------------------------------------------------------


class Sliceable:
    """An array somewhere else, that notes what it is asked for."""

    def __init__(self, array, chunks=None, give=None):
        self.array, self.shape, self.dtype, self.asked = array, array.shape, array.dtype, []
        self.give = give or (lambda rows: rows)
        if chunks:
            self.chunks = chunks

    def __getitem__(self, rows):
        self.asked.append((rows.start, rows.stop))
        return self.give(self.array[rows])


def test_anything_that_gives_rows_when_sliced(probs, labels):
    for matrix in (probs, np.asfortranarray(probs)):
        source = open_source(Sliceable(labels), Sliceable(matrix))
        found = assert_gives(source, labels, probs, 5)
        assert "pred_probs (test_sources.Sliceable)" in found.places[0]


def test_blocks_are_made_of_whole_chunks(probs, labels):
    for rows in (7, 50, 101, 120, 600):
        array = Sliceable(probs, (rows, K))
        source = open_source(labels, array)
        array.asked.clear()
        assert_gives(source, labels, probs, 205)
        blocks = [asked for asked in array.asked if asked[1] - asked[0] > 1]  # no samples
        assert all(start % rows == 0 for start, _ in blocks[1:]), rows
        assert max(stop - start for start, stop in blocks) >= min(rows, 98)


def test_chunks_that_are_too_large_are_cut(probs, labels):
    array = Sliceable(probs.repeat(100, axis=0), (N * 100, K))
    assert max(whole(open_source(labels.repeat(100), array)).sizes) <= 101


def test_slices_of_another_size_are_refused(probs, labels):
    array = Sliceable(probs, give=lambda rows: rows[:-1] if len(rows) > 1 else rows)
    with refused(SourceError, "pred_probs", "asked for rows 0 to 100", "gave 100 rows"):
        whole(open_source(labels, array))


def test_errors_of_slicing_name_the_rows(probs, labels):
    def give(rows):
        if len(rows) > 1:
            raise RuntimeError("the network is gone")
        return rows

    with refused(SourceError, "rows 0 to 100 of pred_probs", "the network is gone"):
        whole(open_source(labels, Sliceable(probs, give=give)))


@pytest.mark.parametrize("shape", [(float("nan"), 5), (None, 5), (object(), 5)])
def test_shapes_that_are_not_known(shape, probs, labels):
    array = Sliceable(probs)
    array.shape = shape
    with refused(InputTypeError, "pred_probs (test_sources.Sliceable)", "not all is known"):
        open_source(labels, array)


def test_dask(probs, labels):
    dask = pytest.importorskip("dask.array")
    array = dask.from_array(probs, chunks=(90, 2))
    assert_gives(open_source(labels, array), labels, probs, 17)
    unknown = array[array[:, 0] > 0]
    with refused(InputTypeError, "pred_probs (dask.Array)", "compute_chunk_sizes"):
        open_source(labels, unknown)


def test_zarr(probs, labels, tmp_path):
    zarr = pytest.importorskip("zarr")
    arrays = []
    for name, values in (("p", probs), ("y", labels)):
        chunks = (64, *values.shape[1:])
        array = zarr.create_array(
            tmp_path / name, shape=values.shape, chunks=chunks, dtype=values.dtype
        )
        array[:] = values
        arrays.append(array)
    found = assert_gives(open_source(arrays[1], arrays[0]), labels, probs, 100)
    assert found.sizes[1:-1] == [64] * 13
    assert open_source(arrays[1], arrays[0]).fingerprint


@pytest.mark.parametrize("chunks", [None, (64, 5), (33, 2)])
def test_hdf5(chunks, probs, labels, tmp_path):
    h5py = pytest.importorskip("h5py")
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file.create_dataset("p", data=probs, chunks=chunks)
        file.create_dataset("y", data=labels)
        assert_gives(open_source(file["y"], file["p"]), labels, probs, 100)


# --- Sparse rows ---------------------------------------------------------------------------------


@pytest.fixture(params=["f2", "f4", "f8", "bfloat16"])
def top_k(request, probs):
    if request.param == "bfloat16":
        dtype = pytest.importorskip("ml_dtypes").bfloat16
    else:
        dtype = np.dtype(request.param)
    classes = np.argsort(-probs, axis=1)[:, :2].astype(np.int32)
    classes[5, 1] = -1
    values = np.take_along_axis(probs, classes, axis=1).astype(dtype)
    return TopK(classes, values, n_classes=K)


def assert_gives_entries(source, labels, top_k, first_row=0):
    """Compare entries, in whatever form they come."""
    assert source.n_classes == K
    row = first_row
    for block in source.blocks(first_row):
        cells, n = coercible_again(block.pred_probs), len(block.labels)
        assert cells.shape == (n, K)
        if not isinstance(cells, TopK):
            cells = pytest.importorskip("scipy.sparse").csr_array(
                (cells.data, cells.indices, cells.indptr), shape=cells.shape
            )
            np.testing.assert_array_equal(cells.toarray(), top_k[row : row + n].to_dense())
        else:
            expected = top_k[row : row + n].to_dense().astype(float)
            np.testing.assert_array_equal(_floats(cells).to_dense(), expected)
        np.testing.assert_array_equal(block.labels, labels[row : row + n])
        row += n
    assert row == N


def _floats(cells):
    values = cells.values
    if values.dtype.names:
        values = values.view(pytest.importorskip("ml_dtypes").bfloat16)
    return TopK(cells.classes, values.astype(float), n_classes=K)


@pytest.mark.parametrize("first_row", [0, 333])
def test_top_k_rows_in_files(first_row, top_k, labels, tmp_path):
    np.save(tmp_path / "c.npy", top_k.classes)
    np.save(tmp_path / "v.npy", top_k.values)
    np.save(tmp_path / "y.npy", labels)
    members = [(Sliceable(top_k.classes, (7, 2)), Sliceable(top_k.values, (90, 2)))]
    if top_k.dtype.name != "bfloat16":
        members += [(tmp_path / "c.npy", tmp_path / "v.npy")]
        members += [(str(tmp_path / "c.npy"), top_k.values)]
    for classes, values in members:
        rows = TopK(classes, values, n_classes=K)
        source = open_source(tmp_path / "y.npy", rows)
        assert source.block_rows == 101
        assert source.fingerprint
        assert_gives_entries(source, labels, top_k, first_row)
        assert_gives_entries(open_source(labels, rows), labels, top_k, first_row)


def test_top_k_rows_in_memory(top_k, labels):
    assert open_source(labels, top_k) is None
    source = open_source(labels, top_k, in_memory_too=True)
    assert_gives_entries(source, labels, top_k)
    assert source.fingerprint != open_source(labels, top_k[::-1], in_memory_too=True).fingerprint


def test_top_k_rows_in_batches(top_k, labels):
    pairs = [(labels[i : i + 90], top_k[i : i + 90]) for i in range(0, N, 90)]
    for first_row in (0, 100):
        assert_gives_entries(open_source(None, pairs), labels, top_k, first_row)


def test_top_k_members_that_do_not_go_together(top_k, labels, tmp_path):
    np.save(tmp_path / "c.npy", top_k.classes[1:])
    with refused(SourceError, "classes has 999 rows (", "c.npy)", "values has 1,000"):
        open_source(labels, TopK(tmp_path / "c.npy", top_k.values, n_classes=K))
    with refused(OptionError, "kind='scores' does not go with sparse"):
        open_source(
            labels, TopK(top_k.classes, Sliceable(top_k.values), n_classes=K), kind="scores"
        )


def test_answers_of_top_k_rows_in_files(probs, labels, tmp_path):
    classes = np.argsort(-probs, axis=1)[:, :3]
    values = np.take_along_axis(probs, classes, axis=1)
    np.save(tmp_path / "c.npy", classes)
    np.save(tmp_path / "v.npy", values)
    rows = TopK(tmp_path / "c.npy", tmp_path / "v.npy", n_classes=K)
    expected = conflearn.find_label_issues(labels, TopK(classes, values, n_classes=K))
    np.testing.assert_array_equal(conflearn.find_label_issues(labels, rows), expected)


@pytest.mark.parametrize("form", ["csr", "csc", "coo"])
def test_matrices_of_scipy(form, probs, labels):
    sparse = pytest.importorskip("scipy.sparse")
    dense = np.where(probs > 0.5, probs, 0)
    matrix = sparse.csr_array(dense).asformat(form)
    top_k = TopK(np.tile(np.arange(K), (N, 1)), dense, n_classes=K)
    assert open_source(labels, matrix) is None
    pairs = [(labels[:300], matrix.tocsr()[:300].asformat(form))]
    pairs += [(labels[300:], matrix.tocsr()[300:].asformat(form))]
    for first_row in (0, 250):
        assert_gives_entries(open_source(None, pairs), labels, top_k, first_row)
    with announced("pred_probs", form) if form != "csr" else nullcontext():
        source = open_source(labels, matrix, in_memory_too=True)
    assert source.fingerprint
    assert_gives_entries(source, labels, top_k, 250)


# --- Passes --------------------------------------------------------------------------------------


@by_format
def test_passes_go_on_beside_each_other(save, probs, labels, tmp_path):
    path, given_labels = save(tmp_path / "p", probs, labels)
    source = open_source(given_labels, path)
    for one, other in zip(source.blocks(), source.blocks(), strict=True):
        assert one.pred_probs is not other.pred_probs
        np.testing.assert_array_equal(one.pred_probs, other.pred_probs)
        np.testing.assert_array_equal(one.labels, other.labels)


@pytest.mark.parametrize("order", ["C", "F"])
def test_blocks_share_three_buffers(order, probs, labels, tmp_path):
    np.save(tmp_path / "p.npy", np.array(probs, order=order))
    places = [b.pred_probs.ctypes.data for b in open_source(labels, tmp_path / "p.npy").blocks()]
    assert len(places) > 3 >= len(set(places))
    assert all(place % 4096 == 0 for place in places)


def test_a_block_stays_as_it_is_until_the_next_one(probs, labels, tmp_path):
    np.save(tmp_path / "p.npy", probs)
    np.save(tmp_path / "y.npy", labels)
    read = psutil.Process().io_counters().read_chars
    for block in open_source(tmp_path / "y.npy", tmp_path / "p.npy").blocks():
        while psutil.Process().io_counters().read_chars == read:  # until more was read meanwhile
            pass
        rows = slice(block.first_row, block.first_row + len(block.labels))
        np.testing.assert_array_equal(block.pred_probs, probs[rows])
        np.testing.assert_array_equal(block.labels, labels[rows])


def test_memory_stays_bounded(tmp_path, monkeypatch):
    monkeypatch.setattr(source_module, "BLOCK_BYTES", 1 << 18)
    monkeypatch.setattr(source_module, "BLOCK_ROWS", 1 << 12)
    matrix = np.zeros((100_000, 40))
    np.save(tmp_path / "p.npy", matrix)
    np.save(tmp_path / "y.npy", np.zeros(len(matrix), np.int8))
    size = matrix.nbytes
    del matrix
    tracemalloc.start()
    try:
        for _ in open_source(tmp_path / "y.npy", tmp_path / "p.npy").blocks():
            pass
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < 3 << 20 < size / 10


# --- Fingerprints --------------------------------------------------------------------------------


def test_fingerprints_tell_inputs_apart(probs, labels, tmp_path):
    paths = [tmp_path / "a.npy", tmp_path / "b.npy"]
    for path in paths:
        np.save(path, probs)
    np.save(tmp_path / "y.npy", labels)
    seen = [
        open_source(labels, paths[0]),
        open_source(labels, paths[1]),
        open_source(labels, [paths[0]]),
        open_source(labels[::-1], paths[0]),
        open_source(tmp_path / "y.npy", paths[0]),
        open_source(labels, paths[0], classes=[4, 3, 2, 1, 0]),
        open_source(labels, probs, in_memory_too=True),
        open_source(labels, probs[::-1], in_memory_too=True),
        open_source(labels, Sliceable(probs)),
        open_source(labels, Sliceable(probs * 2)),
    ]
    marks = [source.fingerprint for source in seen]
    assert marks.pop(2) == marks[0]
    assert len(set(marks)) == len(marks)
    assert all(isinstance(json.loads(mark), dict) for mark in marks)
    assert open_source(labels, paths[0]).fingerprint == marks[0]
    np.save(paths[0], probs)
    assert open_source(labels, paths[0]).fingerprint != marks[0]


# --- Columns -------------------------------------------------------------------------------------


def test_columns():
    columns = Columns("p.parquet", ["a", "b"])
    assert columns == Columns("p.parquet", ("a", "b"))
    assert repr(columns) == "Columns(source='p.parquet', names=('a', 'b'))"
    assert conflearn.Columns is Columns
    with pytest.raises(AttributeError):
        columns.names = "x"


@pytest.mark.parametrize(
    ("names", "error", "essential"),
    [
        ([], "OptionError", "empty"),
        (["a", "a"], "OptionError", "'a' twice"),
        ([1], "InputTypeError", "1, of type int"),
        (3, "InputTypeError", "3, of type int"),
    ],
)
def test_names_that_are_none(names, error, essential):
    with refused(getattr(conflearn.errors, error), "names", essential):
        Columns("p.parquet", names)


@pytest.mark.parametrize("source", [np.eye(2), 3, [[1, 2]]])
def test_columns_of_what_has_none(source):
    with refused(InputTypeError, "pred_probs", "Columns", type(source).__name__):
        open_source([0, 1], Columns(source, "a"))


# --- Paths ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("path", "essentials"),
    [
        ("nowhere.npy", ["nowhere.npy", "No such file", "check the path"]),
        ("*.npy", ["no file matches", "*.npy"]),
        ("p.csv", ["p.csv", "polars.scan_csv"]),
        ("p.pt", ["p.pt", "torch.load"]),
        ("p.xyz", ["p.xyz", ".npy, .npz", "convert it"]),
        ("p", ["a format", "convert it"]),
        ("", ["folder"]),
        ("s3://bucket/p.npy", ["s3://bucket/p.npy is an address"]),
    ],
)
def test_paths_that_lead_nowhere(path, essentials, tmp_path, labels):
    for name in ("p.csv", "p.xyz", "p", "p.pt"):
        (tmp_path / name).write_bytes(b"x")
    text = path if "://" in path else str(tmp_path / path)
    with refused(SourceError, "pred_probs", *essentials):
        open_source(labels, text)
    if "://" not in path:
        with refused(SourceError, "labels", *essentials):
            open_source(Path(text), np.ones((2, 2)))


def test_one_dimension_is_no_matrix(labels, tmp_path):
    np.save(tmp_path / "p.npy", np.ones(N))
    with refused(ShapeError, "pred_probs must have two dimensions", "p.npy has the shape (1000,)"):
        open_source(labels, tmp_path / "p.npy")
    with refused(ShapeError, "pred_probs (test_sources.Sliceable) has the shape (1000,)"):
        open_source(labels, Sliceable(np.ones(N)))


def test_home_is_found(probs, labels, tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("USERPROFILE", str(tmp_path))
    np.save(tmp_path / "p-1.npy", probs)
    np.save(tmp_path / "y.npy", labels)
    for path in ("~/p-1.npy", "~/p-*.npy", Path("~/p-1.npy"), ["~/p-1.npy"]):
        assert_gives(open_source("~/y.npy", path), labels, probs)


def test_names_that_are_paths(probs, labels, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    names = ("labels", "a/b", "y.1", "y")
    np.savez("p.npz", probs=probs, **dict.fromkeys(names, labels))
    (tmp_path / "labels").touch()  # a name without a suffix is that of a column
    for name in names:
        assert_gives(open_source(name, "p.npz"), labels, probs)
    (tmp_path / "labels.txt").touch()
    for name in ("labels.txt", "./labels.txt"):
        with refused(SourceError, "labels.txt is of a format", "numpy.loadtxt"):
            open_source(name, "p.npz")
    with refused(SourceError, "gone/labels.txt", "format"):
        open_source("gone/labels.txt", "p.npz")


def test_arrays_that_may_be_meant(probs, labels, tmp_path):
    np.savez(tmp_path / "p.npz", a=probs, b=probs)
    with refused(SourceError, "pred_probs: any of 'a', 'b' could be the matrix in", "p.npz"):
        open_source(labels, tmp_path / "p.npz")


def test_files_that_hold_arrays_by_name(probs, labels, tmp_path):
    h5py = pytest.importorskip("h5py")
    with h5py.File(tmp_path / "p.h5", "w") as opened:
        opened["probs"] = probs
        for given_labels in (None, labels):
            with refused(InputTypeError, "pred_probs is a h5py.File", "file['name']"):
                open_source(given_labels, opened)
        with refused(InputTypeError, "labels is a h5py.File", "file['name']"):
            open_source(opened, probs)


def test_a_message_has_single_spaces(labels, tmp_path):
    (tmp_path / "p.npy").write_bytes(b"no header at all")
    with refused(SourceError, "p.npy does not begin with"):
        open_source(labels, tmp_path / "p.npy")


def test_brackets_in_a_name_are_no_pattern(probs, labels, tmp_path):
    np.save(tmp_path / "p[1].npy", probs)
    assert_gives(open_source(labels, str(tmp_path / "p[1].npy")), labels, probs)
