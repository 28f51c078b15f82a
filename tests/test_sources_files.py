"""Files that are cut short, damaged, changed or gone: errors that name them, and no leaks."""

import gc
import json
import os
import sys
import time
import zipfile
from itertools import product

import hypothesis.strategies as st
import numpy as np
import psutil
import pytest
from hypothesis import HealthCheck, given, settings

from conflearn import _core
from conflearn.errors import InputError, InputTypeError, SourceError
from conflearn.sources import file as file_module
from conflearn.sources import open_source
from conflearn.sources import source as source_module
from expected import refused
from streamed import assert_gives, n_readers, whole
from test_sources import save_compressed, save_npy, save_npz, save_safetensors

N, K = 400, 5


def save_fortran(path, pred_probs, labels):
    return save_npy(path, np.asfortranarray(pred_probs), labels)


def save_parquet(path, pred_probs, labels):
    pa = pytest.importorskip("pyarrow")
    from pyarrow import parquet

    cells = pa.FixedSizeListArray.from_arrays(pa.array(pred_probs.ravel()), K)
    table = pa.table({"probs": cells, "y": labels})
    parquet.write_table(table, path.with_suffix(".parquet"), row_group_size=150)
    return path.with_suffix(".parquet"), None


def save_feather(path, pred_probs, labels):
    pa = pytest.importorskip("pyarrow")
    from pyarrow import feather

    table = pa.table({**{f"c{k}": pred_probs[:, k] for k in range(K)}, "y": labels})
    feather.write_feather(table, path.with_suffix(".feather"), chunksize=120)
    return path.with_suffix(".feather"), None


FORMATS = [
    save_npy,
    save_fortran,
    save_npz,
    save_compressed,
    save_safetensors,
    save_parquet,
    save_feather,
]
by_format = pytest.mark.parametrize("save", FORMATS, ids=lambda save: save.__name__[5:])
stored = pytest.mark.parametrize("save", FORMATS[:3] + FORMATS[4:5], ids=lambda s: s.__name__[5:])


@pytest.fixture(autouse=True)
def _small_blocks(monkeypatch):
    monkeypatch.setattr(source_module, "BLOCK_BYTES", 1000)
    monkeypatch.setattr(source_module, "BLOCK_ROWS", 64)


@pytest.fixture(autouse=True)
def _nothing_leaks():
    process = psutil.Process()
    before = process.num_fds()
    yield
    gc.collect()
    deadline = time.monotonic() + 5
    while time.monotonic() < deadline:
        if n_readers() == 0 and process.num_fds() <= before + 1:  # pytest's own
            break
        time.sleep(0.01)
    assert n_readers() == 0
    assert [file.path for file in process.open_files() if "pytest" in file.path] == []


@pytest.fixture
def probs():
    return np.random.default_rng(0).random((N, K), dtype=np.float32)


@pytest.fixture
def labels():
    return np.random.default_rng(1).integers(0, K, N)


# --- Cut short -----------------------------------------------------------------------------------


@by_format
@pytest.mark.parametrize("share", [0, 0.001, 0.01, 0.1, 0.5, 0.9, 0.999])
def test_a_file_that_is_cut_short(save, share, probs, labels, tmp_path):
    path, given_labels = save(tmp_path / "p", probs, labels)
    os.truncate(path, int(path.stat().st_size * share))
    with refused(SourceError, "pred_probs", path.name):
        whole(open_source(given_labels, path))


@stored
def test_it_is_said_where_a_file_ends(save, probs, labels, tmp_path):
    path, given_labels = save(tmp_path / "p", probs, labels)
    if path.suffix == ".npz":  # whose directory is at the end
        return
    size = path.stat().st_size
    os.truncate(path, size - 7000)
    with refused(SourceError, path.name, f"ends at byte {size - 7000:,}", "promises", "(400"):
        open_source(given_labels, path)


@stored
def test_a_file_that_is_cut_short_while_it_is_read(save, probs, labels, tmp_path):
    path, given_labels = save(tmp_path / "p", probs.repeat(9, axis=0), labels.repeat(9))
    given_labels = None if given_labels is None else labels.repeat(9)
    blocks = open_source(given_labels, path).blocks()
    next(blocks)
    os.truncate(path, 5000)
    with refused(SourceError, path.name, "ends at byte 5,000", "must reach byte"):
        for _ in blocks:
            pass


# --- Damaged -------------------------------------------------------------------------------------


@by_format
@settings(
    suppress_health_check=[HealthCheck.function_scoped_fixture],
    max_examples=settings().max_examples // 2,  # of each format
)
@given(data=st.data())
def test_a_damaged_file_gives_an_error_or_rows(save, data, probs, labels, tmp_path):
    path, given_labels = save(tmp_path / "p", probs[:50], labels[:50])
    content = bytearray(path.read_bytes())
    near = st.one_of(st.integers(0, 200), st.integers(1, 400).map(lambda i: len(content) - i))
    for place in data.draw(st.lists(near, min_size=1, max_size=4)):
        if 0 <= place < len(content):
            content[place] = data.draw(st.integers(0, 255))
    path.write_bytes(content)
    try:
        found = whole(open_source(None if given_labels is None else labels[:50], path))
    except (InputError, InputTypeError):
        return
    assert len(found.labels) > 0


@pytest.mark.parametrize("name", ["p.npy", "p.npz", "p.safetensors", "p.parquet", "p.arrow"])
@pytest.mark.parametrize("content", [b"", b"\0" * 7, b"\xff" * 64, b"hello" * 50, b"PK\x03\x04"])
def test_a_file_of_something_else(name, content, tmp_path, labels):
    (tmp_path / name).write_bytes(content)
    with refused(SourceError, "pred_probs", name):
        open_source(labels, tmp_path / name)


def test_a_file_with_two_arrays(probs, labels, tmp_path):
    with (tmp_path / "p.npy").open("wb") as stream:
        np.save(stream, probs)
        end = stream.tell()
        np.save(stream, labels)
    n = (tmp_path / "p.npy").stat().st_size - end
    with refused(SourceError, "p.npy has", f"{n:,} bytes that follow", f"byte {end:,}", "savez"):
        open_source(labels, tmp_path / "p.npy")


def test_check_sums_of_compressed_members(probs, labels, tmp_path):
    path, _ = save_compressed(tmp_path / "p", np.zeros_like(probs), labels)
    with zipfile.ZipFile(path) as zipped:
        crc = zipped.getinfo("probs.npy").CRC
    content = path.read_bytes().replace(crc.to_bytes(4, "little"), b"\1\2\3\4")
    path.write_bytes(content)
    with refused(SourceError, "p.npz", "CRC"):
        whole(open_source(labels, path))


def header(**entries):
    text = json.dumps(entries).encode()
    return len(text).to_bytes(8, "little") + text


@pytest.mark.parametrize(
    ("content", "essentials"),
    [
        (b"\xff" * 8 + b"{}", ["promises a header of 18,446,744,073,709,551,615 bytes"]),
        ((5).to_bytes(8, "little") + b"[1,2]", ["damaged header"]),
        ((2).to_bytes(8, "little") + b"{]", ["damaged header"]),
        (header(p=3), ["damaged header"]),
        (header(p={"dtype": "F32"}), ["damaged header", "shape"]),
        (
            header(p={"dtype": "F32", "shape": [2, 2], "data_offsets": [0, 12]}),
            ["'p' 12 bytes", "need 16"],
        ),
        (
            header(p={"dtype": "F32", "shape": [2, -2], "data_offsets": [0, -16]}),
            ["-2 as a size of 'p'"],
        ),
        (
            header(p={"dtype": "F32", "shape": [2, 2], "data_offsets": [0, 16]}),
            ["ends at byte", "'p', an array of float32 with the shape (2, 2)"],
        ),
        (
            header(p={"dtype": "F32", "shape": [2, 2.0], "data_offsets": [0, 16]}),
            ["2.0 as a size of 'p'"],
        ),
        (header(p={"dtype": "F8_E4M3", "shape": [2, 2], "data_offsets": [0, 4]}), ["no matrix"]),
        (b"\x02\0\0\0\0\0\0\0" + b"{}", ["no matrix", "holds nothing"]),
    ],
)
def test_headers_of_safetensors_that_are_wrong(content, essentials, tmp_path):
    (tmp_path / "p.safetensors").write_bytes(content)
    with refused(SourceError, "pred_probs", *essentials):
        open_source([0, 1], tmp_path / "p.safetensors")


def test_objects_are_never_unpickled(tmp_path):
    class Bomb:
        def __reduce__(self):
            return pytest.fail, ("unpickled",)

    np.save(tmp_path / "p.npy", np.array([[Bomb()] * 2], object))
    np.savez(tmp_path / "p.npz", probs=np.array([[Bomb()] * 2], object))
    for name in ("p.npy", "p.npz"):
        with refused(SourceError, name, "Python objects", "astype(str)"):
            open_source([0], tmp_path / name)


@pytest.mark.parametrize("dtype", ["c8", "U3", "M8[s]", [("a", "f4")]])
def test_cells_that_are_no_numbers(dtype, tmp_path):
    np.save(tmp_path / "p.npy", np.zeros((2, 2), dtype))
    with refused(InputTypeError, "pred_probs", "dtype"):
        open_source([0, 1], tmp_path / "p.npy")


# --- Changed, or gone ----------------------------------------------------------------------------


def append(path):
    with path.open("ab") as stream:
        stream.write(b"more")


def rewrite(path):
    content = path.read_bytes()
    path.write_bytes(content)


def replace(path):
    stat = path.stat()
    path.with_suffix(".new").write_bytes(path.read_bytes())
    os.utime(path.with_suffix(".new"), ns=(stat.st_atime_ns, stat.st_mtime_ns))
    path.with_suffix(".new").replace(path)


changed = pytest.mark.parametrize("change", [append, rewrite, replace], ids=lambda c: c.__name__)


@by_format
@changed
def test_a_file_that_has_changed_between_two_passes(save, change, probs, labels, tmp_path):
    path, given_labels = save(tmp_path / "p", probs, labels)
    source = open_source(given_labels, path)
    whole(source)
    change(path)
    with refused(SourceError, path.name, "has changed", "start again"):
        whole(source)


@by_format
@pytest.mark.parametrize("change", [append, rewrite], ids=lambda c: c.__name__)
def test_a_file_that_changes_during_a_pass(save, change, probs, labels, tmp_path):
    path, given_labels = save(tmp_path / "p", probs.repeat(5, axis=0), labels.repeat(5))
    blocks = open_source(None if given_labels is None else labels.repeat(5), path).blocks()
    next(blocks)
    time.sleep(0.02)  # longer than the clock of a file system stands still
    change(path)
    with refused(SourceError, path.name, "has changed"):
        for _ in blocks:
            pass


@changed
def test_labels_that_change(change, probs, labels, tmp_path):
    np.save(tmp_path / "p.npy", probs)
    np.save(tmp_path / "y.npy", labels)
    source = open_source(tmp_path / "y.npy", tmp_path / "p.npy")
    whole(source)
    change(tmp_path / "y.npy")
    with refused(SourceError, "labels", "y.npy", "has changed"):
        whole(source)


@by_format
def test_a_file_that_is_gone(save, probs, labels, tmp_path):
    path, given_labels = save(tmp_path / "p", probs, labels)
    source = open_source(given_labels, path)
    path.unlink()
    with refused(SourceError, path.name, "cannot be opened", "No such file"):
        whole(source)


@by_format
def test_a_file_that_goes_during_a_pass_is_read_to_the_end(save, probs, labels, tmp_path):
    path, given_labels = save(tmp_path / "p", probs, labels)
    source = open_source(given_labels, path)
    blocks = source.blocks()
    n = len(next(blocks).labels)
    path.unlink()
    assert n + sum(len(block.labels) for block in blocks) == N


@by_format
def test_a_file_that_may_not_be_read(save, probs, labels, tmp_path, monkeypatch):
    path, given_labels = save(tmp_path / "p", probs, labels)
    path.chmod(0)
    if not hasattr(os, "geteuid") or os.geteuid() == 0:  # who may read all
        monkeypatch.setattr(file_module, "FileIO", _refuse)
    with refused(SourceError, path.name, "Permission denied", "check the permissions"):
        open_source(given_labels, path)


def _refuse(path):
    raise PermissionError(13, "Permission denied", str(path))


def test_permissions_that_a_library_misses(probs, tmp_path):
    error = file_module.failure("p.parquet", "labels", PermissionError(13, "Permission denied"))
    assert "Permission denied" in str(error)
    assert str(error).endswith("check the permissions")


@pytest.mark.skipif(sys.platform != "linux", reason="there is no file that cannot be read")
def test_errors_of_the_disk():
    # Nothing is mapped at address 0.
    file = _core.File("/proc/self/mem", "pred_probs: p.npy")
    with refused(SourceError, "p.npy", "cannot be read from byte 0 on", "Input/output error"):
        file.read(np.empty(9, np.uint8), 0, 1)


# --- Leaving -------------------------------------------------------------------------------------


@by_format
def test_leaving_a_pass_closes_the_files(save, probs, labels, tmp_path):
    path, given_labels = save(tmp_path / "p", probs, labels)
    source = open_source(given_labels, path)
    is_copied = save in (save_npy, save_npz, save_safetensors)
    for close, looks_once in product((True, False), repeat=2):
        blocks = source.blocks(0, source_module.Reading(looks_once=looks_once))
        block = next(blocks)
        assert n_readers() == (0 if is_copied else 1)
        if close:
            blocks.close()
        del blocks, block
        assert n_readers() == 0
        assert [file for file in psutil.Process().open_files() if file.path == str(path)] == []
    assert_gives(source, labels, probs)
