"""Tables in files, in memory and computed: the columns that are meant, and all of their rows."""

import builtins
import re

import numpy as np
import pytest

import conflearn
from conflearn import TopK
from conflearn.errors import (
    InputError,
    LabelError,
    MissingDependencyError,
    ProbabilityError,
    ShapeError,
    SourceError,
)
from conflearn.sources import Columns, open_source
from conflearn.sources import source as source_module
from expected import refused
from streamed import assert_gives, whole

pa = pytest.importorskip("pyarrow")
from pyarrow import dataset, feather, ipc, parquet  # noqa: E402 - skipped without

N, K = 1000, 5
CLASSES = ["ant", "bee", "cat", "dog", "eel"]


@pytest.fixture(autouse=True)
def _small_blocks(monkeypatch):
    monkeypatch.setattr(source_module, "BLOCK_BYTES", 3000)
    monkeypatch.setattr(source_module, "BLOCK_ROWS", 101)


@pytest.fixture(scope="module")
def probs():
    return np.random.default_rng(0).random((N, K), dtype=np.float32)


@pytest.fixture(scope="module")
def labels():
    return np.random.default_rng(1).integers(0, K, N)


# --- Layouts, and where they lie -----------------------------------------------------------------


def fixed_lists(probs, labels):
    cells = pa.FixedSizeListArray.from_arrays(pa.array(probs.ravel()), K)
    return pa.table({"id": np.arange(N), "score": np.zeros(N), "probs": cells, "label": labels})


def lists(probs, labels):
    cells = pa.array(list(probs), pa.list_(pa.from_numpy_dtype(probs.dtype)))
    return pa.table({"y": labels.astype(np.int8), "p": cells, "tags": pa.array([["a"]] * N)})


def large_lists(probs, labels):
    cells = pa.array(list(probs), pa.large_list(pa.from_numpy_dtype(probs.dtype)))
    return pa.table({"pred_probs": cells, "more": cells, "labels": labels.astype(float)})


def columns(probs, labels):
    cells = {f"p.{k}": probs[:, k] for k in range(K)}
    return pa.table({"id": np.arange(N), **cells, "labels": labels})


def names(probs, labels):
    cells = {name: probs[:, k] for k, name in enumerate(CLASSES)}
    texts = np.array(CLASSES)[labels]
    return pa.table({**cells, "label": pa.array(texts).dictionary_encode()})


def strings(probs, labels):
    cells = {name: probs[:, k] for k, name in enumerate(CLASSES)}
    return pa.table({"label": np.array(CLASSES)[labels], **cells})


LAYOUTS = [fixed_lists, lists, large_lists, columns, names, strings]
by_layout = pytest.mark.parametrize("layout", LAYOUTS, ids=lambda layout: layout.__name__)


def in_parquet(table, path):
    parquet.write_table(table, path.with_suffix(".parquet"), row_group_size=230)
    return path.with_suffix(".parquet")


def in_feather(table, path):
    feather.write_feather(table, path.with_suffix(".feather"), chunksize=170)
    return path.with_suffix(".feather")


def in_ipc(table, path):
    with ipc.new_file(path.with_suffix(".arrow"), table.schema) as writer:
        writer.write_table(table, max_chunksize=333)
        writer.write_table(table.slice(0, 0))
    return path.with_suffix(".arrow")


def in_stream(table, path):
    with ipc.new_stream(path.with_suffix(".arrows"), table.schema) as writer:
        writer.write_table(table, max_chunksize=50)
    return path.with_suffix(".arrows")


def in_dataset(table, path):
    return dataset.dataset(in_parquet(table, path))


def in_memory(table, path):
    return table


def in_chunks(table, path):
    return pa.concat_tables([table.slice(0, 300), table.slice(300)])


def in_batch(table, path):
    return table.combine_chunks().to_batches()[0]


def in_pandas(table, path):
    pytest.importorskip("pandas")
    return table.to_pandas()


def in_polars(table, path):
    return pytest.importorskip("polars").from_arrow(table)


def in_query(table, path):
    polars = pytest.importorskip("polars")
    return polars.from_arrow(table).lazy().with_columns(polars.lit(1).alias("one"))


def in_scan(table, path):
    return pytest.importorskip("polars").scan_parquet(in_parquet(table, path))


def in_hugging_face(table, path):
    return pytest.importorskip("datasets").Dataset(table)


PLACES = [
    in_parquet,
    in_feather,
    in_ipc,
    in_stream,
    in_dataset,
    in_memory,
    in_chunks,
    in_batch,
    in_pandas,
    in_polars,
    in_query,
    in_scan,
    in_hugging_face,
]
by_place = pytest.mark.parametrize("place", PLACES, ids=lambda place: place.__name__)


@by_layout
@by_place
def test_tables(layout, place, probs, labels, tmp_path):
    table = layout(probs, labels)
    held = place(table, tmp_path / "t")
    classes = CLASSES if layout in (names, strings) else None
    source = open_source(None, held, classes=classes)
    assert_gives(source, labels, probs)
    assert_gives(source, labels, probs, first_row=457)
    assert source.n_examples == N
    name = next(name for name in ("labels", "label", "y") if name in table.schema.names)
    assert_gives(open_source(name, held, classes=classes), labels, probs, first_row=1)
    if place not in PLACES[5:10]:
        assert_gives(open_source(labels, held, classes=classes), labels, probs)


@pytest.mark.parametrize("dtype", ["f2", "f4", "f8"])
@pytest.mark.parametrize("layout", [fixed_lists, columns])
@pytest.mark.parametrize("place", [in_parquet, in_ipc, in_memory])
def test_floats_of_any_width(dtype, layout, place, probs, labels, tmp_path):
    held = place(layout(probs.astype(dtype), labels), tmp_path / "t")
    assert_gives(open_source(None, held), labels, probs.astype(dtype))


def test_a_column_of_tensors(probs, labels):
    cells = pa.FixedShapeTensorArray.from_numpy_ndarray(probs)
    assert_gives(open_source(None, pa.table({"probs": cells, "y": labels})), labels, probs)


def test_shards_with_labels(probs, labels, tmp_path):
    whole_table = fixed_lists(probs, labels)
    for i, start in enumerate(range(0, N, 90)):
        parquet.write_table(whole_table.slice(start, 90), tmp_path / f"part-{i}.parquet")
    for given_labels in (None, "label", labels, Columns(str(tmp_path / "*.parquet"), "label")):
        found = assert_gives(
            open_source(given_labels, str(tmp_path / "part-*.parquet")), labels, probs, 95
        )
        assert found.places[0] == f"rows 5 to 89 of {tmp_path / 'part-1.parquet'}"


def in_shards(tables, folder):
    """Write a file of each, and stand for them by a glob."""
    for i, table in enumerate(tables):
        parquet.write_table(table, folder / f"shard-{i}.parquet")
    return str(folder / "shard-*.parquet")


@pytest.mark.parametrize("order", [[3, 1, 0, 2, 4], [4, 3, 2, 1, 0]])
@pytest.mark.parametrize("layout", [columns, strings])
def test_shards_whose_columns_come_in_another_order(layout, order, probs, labels, tmp_path):
    table = layout(probs, labels)
    cells = CLASSES if layout is strings else [f"p.{k}" for k in range(K)]
    others = [name for name in table.column_names if name not in cells]
    turned = table.select([cells[k] for k in order] + others[::-1])
    paths = in_shards([table.slice(0, 0), table.slice(0, 400), turned.slice(400)], tmp_path)
    classes = CLASSES if layout is strings else None
    for given_labels in (None, labels, Columns(paths, others[-1])):
        source = open_source(given_labels, paths, classes=classes)
        assert_gives(source, labels, probs)
    both = open_source(None, Columns(paths, cells), classes=classes)
    assert_gives(both, labels, probs)


@pytest.mark.parametrize(
    ("change", "essentials"),
    [
        (lambda t: t.drop_columns(["p.4"]), ["shard-0", "'p.4'", "shard-1", "has none"]),
        (lambda t: t.append_column("p.5", t["p.4"]), ["shard-0", "shard-1", "'p.5'", "Columns"]),
        (lambda t: t.append_column("loss", t["p.4"]), ["shard-0", "shard-1", "'loss'", "Columns"]),
        (lambda t: t.set_column(2, "p.1", t["labels"]), ["shard-0", "shard-1 has 'p.0', 'p.2'"]),
        (lambda t: t.rename_columns({"p.1": "q"}), ["shard-0", "'p.1'", "shard-1", "has none"]),
        (lambda t: t.rename_columns({"labels": "y"}), ["labels", "shard-0", "'labels'", "shard-1"]),
    ],
)
def test_shards_with_other_columns(change, essentials, probs, labels, tmp_path):
    table = columns(probs, labels)
    paths = in_shards([table.slice(0, 400), change(table).slice(400)], tmp_path)
    essentials = [part.replace("shard-1 has", "shard-1.parquet has") for part in essentials]
    with refused(SourceError, *essentials):
        open_source(None, paths)


def test_shards_whose_lists_have_other_names(probs, labels, tmp_path):
    one = lists(probs, labels)
    for other in (one.rename_columns({"p": "q"}), one.set_column(1, "p", one["y"])):
        paths = in_shards([one.slice(0, 400), other.slice(400)], tmp_path)
        with refused(SourceError, "shard-0.parquet", "'p'", "shard-1.parquet", "all files must"):
            open_source(None, paths)


def test_errors_about_rows_name_their_shard(probs, labels, tmp_path):
    def opened(table):
        parts = [columns(probs, labels).slice(0, 400), table.slice(400, 300)]
        return open_source(None, in_shards([*parts, parts[0]], tmp_path))

    gap = pa.array([None if i == 500 else 0.5 for i in range(N)], pa.float32())
    table = columns(probs, labels).set_column(2, "p.1", gap)
    place = str(tmp_path / "shard-1.parquet")
    with refused(ProbabilityError, "pred_probs[500, 1] (column 'p.1') is missing") as caught:
        whole(opened(table))
    assert caught.value.__notes__ == [f"in rows 0 to 100 of {place}"]
    gap = pa.array([None if i == 650 else 1 for i in range(N)])
    with refused(LabelError, "labels[650] is missing") as caught:
        whole(opened(columns(probs, labels).set_column(6, "labels", gap)))
    assert caught.value.__notes__ == [f"in rows 202 to 299 of {place}"]


def test_labels_of_shards_have_one_name(probs, labels, tmp_path):
    np.save(tmp_path / "p.npy", probs)
    one = pa.table({"label": labels, "id": labels})
    paths = in_shards([one.slice(0, 400), pa.table({"y": labels}).slice(400)], tmp_path)
    with refused(SourceError, "labels", "shard-0.parquet has a column 'label'", "shard-1.parquet"):
        open_source(Columns(paths, "label"), [tmp_path / "p.npy"])


def test_labels_in_another_table(probs, labels, tmp_path):
    np.save(tmp_path / "p.npy", probs)
    one = in_parquet(pa.table({"whatever": labels}), tmp_path / "one")
    assert_gives(open_source(one, tmp_path / "p.npy"), labels, probs, 40)
    two = in_parquet(pa.table({"id": np.arange(N), "label": labels}), tmp_path / "two")
    assert_gives(open_source(two, tmp_path / "p.npy"), labels, probs)
    assert_gives(open_source(Columns(two, "label"), probs), labels, probs)
    three = in_feather(pa.table({"a": labels, "b": labels}), tmp_path / "three")
    with refused(SourceError, "labels", "any of 'a', 'b'", "three.feather", "Columns"):
        open_source(three, tmp_path / "p.npy")
    assert_gives(open_source(Columns(three, ["b"]), tmp_path / "p.npy"), labels, probs)
    with refused(SourceError, "labels", "Columns names 2 columns", "labels are one"):
        open_source(Columns(three, ["a", "b"]), tmp_path / "p.npy")


def test_columns_in_the_order_in_which_they_are_named(probs, labels, tmp_path):
    path = in_parquet(names(probs, labels), tmp_path / "t")
    source = open_source("label", Columns(path, CLASSES[::-1]), classes=CLASSES[::-1])
    assert_gives(source, 4 - labels, probs[:, ::-1])
    source = open_source(labels, Columns(fixed_lists(probs, labels), "probs"))
    assert_gives(source, labels, probs)
    source = open_source(labels % 2, Columns(path, "ant"), kind="scores")
    np.testing.assert_array_equal(whole(source).pred_probs[:, 1], probs[:, 0])


def test_frames_with_their_labels_apart_lie_in_memory(probs, labels):
    assert open_source(labels, columns(probs, labels)) is None


# --- The largest cells of each row ---------------------------------------------------------------


def top_lists(probs, labels, lengths):
    """Make columns of lists: the classes that each row stores, and their values."""
    classes = np.argsort(-probs, axis=1)
    values = np.take_along_axis(probs, classes, axis=1)
    columns = {
        name: [row[:k] for row, k in zip(rows, lengths, strict=True)]
        for name, rows in (("c", classes), ("v", values))
    }
    return pa.table({"label": labels, **columns}), classes, values


def fixed(table):
    for name in ("c", "v"):
        kind = pa.list_(table.schema.field(name).type.value_type, 3)
        table = table.set_column(table.column_names.index(name), name, table[name].cast(kind))
    return table


@by_place
@pytest.mark.parametrize("sort", ["fixed", "equal", "ragged"])
def test_top_k_rows_in_columns_of_lists(sort, place, probs, labels, tmp_path):
    lengths = np.full(N, 3)
    if sort == "ragged":  # whole pieces shorter than others, too
        lengths = np.where(np.arange(N) < 350, np.arange(N) % 2, np.arange(N) % 4)
    table, classes, values = top_lists(probs, labels, lengths)
    held = place(fixed(table) if sort == "fixed" else table, tmp_path / "t")
    rows = TopK(Columns(held, "c"), Columns(held, "v"), n_classes=K)
    stored = np.arange(K) < lengths[:, None]
    dense = np.zeros_like(probs)
    np.put_along_axis(dense, classes, np.where(stored, values, 0), axis=1)
    for given_labels, first_row in ((None, 0), ("label", 457), (labels, 123)):
        source = open_source(given_labels, rows)
        row = first_row
        for block in source.blocks(first_row):
            n = len(block.labels)
            np.testing.assert_array_equal(block.pred_probs.to_dense(), dense[row : row + n])
            np.testing.assert_array_equal(block.labels, labels[row : row + n])
            row += n
        assert row == N


def test_answers_of_top_k_rows_in_columns(probs, labels, tmp_path):
    table, _, _ = top_lists(probs, labels, np.arange(N) % 3 + 1)
    path = in_parquet(table, tmp_path / "t")
    classes, values = (np.full((N, 3), -1), np.zeros((N, 3), "f4"))
    for row, (some, their) in enumerate(zip(table["c"], table["v"], strict=True)):
        classes[row, : len(some)] = some.as_py()
        values[row, : len(their)] = their.as_py()
    rows = TopK(Columns(path, "c"), Columns(path, "v"), n_classes=K)
    np.testing.assert_array_equal(
        conflearn.find_label_issues("label", rows),
        conflearn.find_label_issues(labels, TopK(classes, values, n_classes=K)),
    )


@pytest.mark.parametrize("place", [in_parquet, in_memory, in_pandas, in_polars])
def test_top_k_rows_of_columns_that_do_not_go_together(place, probs, labels, tmp_path):
    def opened(change):
        table, _, _ = top_lists(probs, labels, np.arange(N) % 3 + 1)
        lists = table["c"].to_pylist()
        lists[700] = change(lists[700])
        held = place(table.set_column(1, "c", pa.array(lists)), tmp_path / "t")
        return open_source("label", TopK(Columns(held, "c"), Columns(held, "v"), n_classes=K))

    with refused(ShapeError, "pred_probs[700] has 3 classes", "but 2 values", "needs both"):
        list(opened(lambda row: [*row, 4]).blocks())
    with refused(ShapeError, "pred_probs[700] has 0 classes", "but 2 values"):
        list(opened(lambda row: []).blocks())
    with refused(SourceError, "pred_probs.classes[700] is missing", "empty list"):
        list(opened(lambda row: None).blocks())
    with refused(SourceError, "labels", "no 'lable'", "did you mean 'label'"):
        table, _, _ = top_lists(probs, labels, np.full(N, 2))
        open_source("lable", TopK(Columns(table, "c"), Columns(table, "v"), n_classes=K))


# --- What cannot be found ------------------------------------------------------------------------


def test_columns_that_are_not_there(probs, labels, tmp_path):
    path = in_parquet(names(probs, labels), tmp_path / "t")
    with refused(SourceError, "labels", "no 'lable'", "did you mean 'label'"):
        open_source("lable", path)
    with refused(SourceError, "pred_probs", "t.parquet holds no 'cow'", "there are 'ant', 'bee'"):
        open_source(labels, Columns(path, ["ant", "cow"]))
    with refused(
        SourceError, "labels", "no column of labels in", "t.parquet", "looked for 'labels'"
    ):
        in_parquet(names(probs, labels).drop_columns(["label"]), tmp_path / "t")
        open_source(None, path)


def test_columns_that_may_be_meant(probs, labels, tmp_path):
    table = lists(probs, labels).append_column("q", lists(probs, labels).column("p"))
    with refused(SourceError, "pred_probs", "any of 'p', 'q' could be the column of lists"):
        open_source(None, table)
    with refused(SourceError, "pred_probs", "neither", "lists of floats", "'id', 'y'"):
        open_source(None, pa.table({"id": np.arange(N), "y": labels}))
    twice = pa.Table.from_arrays([labels, labels, probs[:, 0]], names=["y", "y", "p"])
    frame = pytest.importorskip("pandas").DataFrame(probs[:, :3], columns=["y", "y", "p"])
    for table in (twice, frame):
        with refused(SourceError, "pred_probs", "two columns called 'y'"):
            open_source(None, table)


def floats_of(probs, *columns):
    return pa.table({name: probs[:, i] for i, name in enumerate(columns)})


def test_columns_of_floats_that_are_no_classes(probs, labels):
    table = columns(probs, labels)
    for name in ("loss", "x1"):
        more = table.append_column(name, table["p.0"])
        with refused(SourceError, "not plain which columns", f"{name!r}", "Columns"):
            open_source(None, more)
    for name in ("label", "y"):  # never a class, but for whom it is one
        more = table.append_column(name, pa.array(labels.astype(float)))
        assert_gives(open_source("labels", more), labels, probs)
    wanted = floats_of(probs, "y", "x", "loss").append_column("label", pa.array(labels % 2))
    source = open_source("label", wanted, classes=["x", "y"])
    np.testing.assert_array_equal(whole(source).pred_probs, probs[:, [1, 0]])


def test_columns_named_like_the_classes_come_in_their_order(probs, labels):
    table = names(probs, labels).append_column("loss", pa.array(probs[:, 0]))
    source = open_source("label", table, classes=iter(CLASSES[::-1]))
    assert_gives(source, 4 - labels, probs[:, ::-1])
    for classes in (None, ["ant", "bee", "cow", "dog", "eel"]):
        with refused(SourceError, "not plain", "'ant', 'bee'", "names in classes", "Columns"):
            open_source("label", names(probs, labels), classes=classes)


@pytest.mark.parametrize(
    "found", [["p1", "p0"], ["p0", "p2"], ["p0", "q1"], ["a", "b"], ["p", "p1"], ["p01", "p1"]]
)
def test_numbers_of_columns_go_up_by_one(found, probs, labels):
    with refused(SourceError, "not plain", f"{found[0]!r}, {found[1]!r}", "one after another"):
        open_source(labels % 2, dataset.dataset(floats_of(probs, *found)))
    source = open_source(labels % 2, Columns(floats_of(probs, *found), found))
    np.testing.assert_array_equal(whole(source).pred_probs, probs[:, :2])


@pytest.mark.parametrize("found", [["p1", "p2"], ["0", "1"], ["p09", "p10"], ["c 7 0", "c 7 1"]])
def test_columns_that_are_numbered(found, probs, labels):
    source = open_source(labels % 2, dataset.dataset(floats_of(probs, *found)))
    np.testing.assert_array_equal(whole(source).pred_probs, probs[:, :2])


def test_one_column_of_floats_is_no_matrix(probs, labels):
    with refused(ShapeError, "pred_probs must have at least two columns"):
        open_source(None, pa.table({"p": probs[:, 0], "y": labels}))


@by_place
def test_missing_cells_and_labels_are_named(place, probs, labels, tmp_path):
    cells = probs[:, 2].astype(object)
    cells[876] = None
    table = columns(probs, labels).set_column(3, "p.2", pa.array(cells, pa.float32()))
    held = place(table, tmp_path / "t")
    if place is not in_pandas:  # where it is NaN, which is left to the core
        with refused(ProbabilityError, "pred_probs[876, 2] (column 'p.2') is missing"):
            whole(open_source(None, held))
    texts = np.array(CLASSES, object)[labels]
    texts[543] = None
    table = names(probs, labels).set_column(5, "label", pa.array(texts))
    with refused(LabelError, "labels[543] is missing"):
        whole(open_source(None, place(table, tmp_path / "u"), classes=CLASSES), 500)


def test_lists_of_other_lengths(probs, labels, tmp_path):
    cells = [list(row) for row in probs]
    cells[700] = cells[700][:3]
    path = in_parquet(pa.table({"p": cells, "y": labels}), tmp_path / "t")
    with refused(ShapeError, "pred_probs", "pred_probs[700] has 3 entries"):
        whole(open_source(None, path))
    cells[600:] = [row[:3] for row in cells[600:]]
    path = in_parquet(pa.table({"p": cells, "y": labels}), tmp_path / "t")
    with pytest.raises(InputError, match="pred_probs"):
        whole(open_source(None, path))


def test_no_rows(probs, labels, tmp_path):
    table = fixed_lists(probs, labels)
    paths = []
    for i, part in enumerate([table.slice(0, 0), table, table.slice(0, 0)]):
        paths.append(tmp_path / f"{i}.parquet")
        parquet.write_table(part, paths[-1])
    assert_gives(open_source(None, paths), labels, probs)
    with refused(ShapeError, "pred_probs is empty", "0.parquet"):
        open_source(None, paths[0])


@pytest.mark.parametrize("suffix", ["parquet", "feather", "arrow"])
def test_the_package_that_is_missing_is_named(suffix, probs, tmp_path, monkeypatch):
    (tmp_path / f"p.{suffix}").write_bytes(b"x" * 100)
    real = builtins.__import__

    def without(name, *args):
        if name.startswith("pyarrow"):
            raise ImportError(name)
        return real(name, *args)

    monkeypatch.setattr(builtins, "__import__", without)
    with refused(MissingDependencyError, f"p.{suffix}", "pip install pyarrow"):
        open_source([0, 1], tmp_path / f"p.{suffix}")


# --- Passes --------------------------------------------------------------------------------------


def test_fingerprints(probs, labels, tmp_path):
    table = fixed_lists(probs, labels)
    held = [place(table, tmp_path / "t") for place in PLACES]
    marks = [open_source(None, one).fingerprint for one in held]
    again = [open_source(None, one).fingerprint for one in held]
    assert marks == again
    known = dict(zip([place.__name__ for place in PLACES], marks, strict=True))
    assert {name for name, mark in known.items() if not mark} == {"in_query", "in_scan"}
    other = open_source("id", in_parquet(table, tmp_path / "u")).fingerprint
    assert re.search(r"u\.parquet", other)


def test_a_query_whose_rows_change(probs, labels):
    polars = pytest.importorskip("polars")
    counts = iter([N, N, N, N - 1])

    def shrink(frame):
        return frame.head(next(counts, N - 1))

    query = polars.from_arrow(fixed_lists(probs, labels)).lazy().map_batches(shrink)
    with refused(SourceError, "LazyFrame", "ends after 999 rows", "1,000"):
        for _ in range(5):
            whole(open_source(None, query))


def test_wide_row_groups_are_not_in_memory_at_once(tmp_path, monkeypatch):
    monkeypatch.setattr(source_module, "BLOCK_BYTES", 1 << 18)
    monkeypatch.setattr(source_module, "BLOCK_ROWS", 1 << 12)
    n = 120_000
    values = np.random.default_rng(0).random(n * 50, dtype=np.float32)
    table = pa.table({"p": pa.FixedSizeListArray.from_arrays(pa.array(values), 50)})
    parquet.write_table(table, tmp_path / "t.parquet", row_group_size=n, compression="none")
    size = values.nbytes
    del table, values
    source = open_source(np.zeros(n, np.int8), tmp_path / "t.parquet")
    before = pa.total_allocated_bytes()
    for _ in source.blocks():
        assert pa.total_allocated_bytes() - before < size / 2
