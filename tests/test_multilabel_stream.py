"""Multi-label data in files, tables and batches: the same bits as in memory."""

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import pairwise
from pathlib import Path
from typing import Any
from unittest import mock

import numpy as np
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import scipy.sparse
from hypothesis import given, settings
from hypothesis import strategies as st

from conflearn import Columns, multilabel
from conflearn.errors import LabelError, OptionError, ProbabilityError, ShapeError, SourceError
from conflearn.multilabel.states import TagSelectionState
from conflearn.stream import selection
from expected import refused
from strategies import FILTERS, SCORES
from streams import Sliceable, assert_same, small_blocks
from tagged import Tagged, lists_of, random_tagged, tagged_data

AGGREGATES: tuple[Any, ...] = ("exponential_moving_average", "softmin", "mean", "median", "min")

#: What tags and matrix may come in.
FORMS: tuple[str, ...] = (
    "npy",
    "fortran",
    "shards",
    "npz",
    "csr",
    "packed_csr",
    "lists",
    "arrow",
    "columns",
    "batches",
    "batches_of_lists",
    "sliceable",
)


def streamed(data: Tagged, form: str, folder: Path) -> tuple[Any, Any]:
    """The same data, in another form."""
    tags, pred_probs = data
    np.save(folder / "pred_probs.npy", pred_probs)
    cuts = [0, 1, *range(4, len(tags), 5), len(tags)]
    cuts = [cut for cut in cuts if cut <= len(tags)]
    match form:
        case "npy" | "fortran":
            order: Any = "F" if form == "fortran" else "C"
            np.save(folder / "tags.npy", np.asarray(tags == 1, order=order))
            np.save(folder / "pred_probs.npy", np.asarray(pred_probs, order=order))
            return folder / "tags.npy", folder / "pred_probs.npy"
        case "shards":
            middle = len(tags) // 2
            for name, part in (("part-2", slice(0, middle)), ("part-10", slice(middle, None))):
                np.save(folder / f"{name}.npy", pred_probs[part])
            return lists_of(tags), str(folder / "part-*.npy")
        case "npz":
            np.savez(folder / "data.npz", tags=tags, pred_probs=pred_probs)
            return (
                Columns(folder / "data.npz", "tags"),
                Columns(folder / "data.npz", "pred_probs"),
            )
        case "csr" | "packed_csr":
            path = folder / "tags.npz"
            matrix = scipy.sparse.csr_array(tags)
            scipy.sparse.save_npz(path, matrix, compressed=form == "packed_csr")
            return path, folder / "pred_probs.npy"
        case "lists" | "arrow" | "columns":
            wide = pred_probs.astype(np.float64 if form == "lists" else pred_probs.dtype)
            table = pa.table(
                {
                    "tags": pa.array(lists_of(tags), pa.list_(pa.int32())),
                    "pred_probs": pa.array(list(wide)),
                    **{f"tag_{k}": tags[:, k] for k in range(tags.shape[1])},
                }
            )
            pq.write_table(table, folder / "data.parquet", row_group_size=7)
            names = tuple(f"tag_{k}" for k in range(tags.shape[1]))
            labels = {
                "lists": "tags",
                "arrow": Columns(table, "tags"),
                "columns": Columns(folder / "data.parquet", names),
            }
            return labels[form], Columns(folder / "data.parquet", "pred_probs")
        case "batches":
            return None, [(tags[a:b], pred_probs[a:b]) for a, b in pairwise(cuts)]
        case "batches_of_lists":
            return None, lambda: ((lists_of(tags[a:b]), pred_probs[a:b]) for a, b in pairwise(cuts))
        case "sliceable":
            return Sliceable(tags), Sliceable(pred_probs)
    raise AssertionError(form)


@contextmanager
def streaming(data: Tagged, form: str, n_rows: int) -> Iterator[tuple[Any, Any]]:
    """The same data, in another form, read in blocks of a few rows."""
    with tempfile.TemporaryDirectory() as folder, small_blocks(n_rows):
        yield streamed(data, form, Path(folder))


@st.composite
def cases(draw: st.DrawFn) -> tuple[Tagged, str, int, dict[str, Any]]:
    data = draw(tagged_data)
    kind = draw(st.sampled_from(["probabilities", "logits", "scores"]))
    options: dict[str, Any] = {"kind": kind}
    if kind == "logits":
        options["temperature"] = 0.3
    if kind != "probabilities":
        data = data._replace(pred_probs=((data.pred_probs - 0.5) * 7).astype(data.pred_probs.dtype))
    form = draw(st.sampled_from(FORMS))
    if form == "lists":
        data = data._replace(pred_probs=data.pred_probs.astype(np.float64))
    return data, form, draw(st.integers(1, 9)), options


@given(cases(), st.sampled_from(FILTERS), st.sampled_from([1, 3, 10**6]))
def test_flags_and_orders(
    case: tuple[Tagged, str, int, dict[str, Any]], filter_by: Any, most: int
) -> None:
    data, form, n_rows, options = case
    asked = {"filter_by": filter_by, **options}
    with (
        streaming(data, form, n_rows) as source,
        mock.patch.object(selection, "MOST", most),
    ):
        for name in (
            "find_label_issues",
            "rank_label_issues",
            "find_label_issues_per_class",
            "locate_label_issues",
        ):
            function = getattr(multilabel, name)
            expected, found = function(*data, **asked), function(*source, **asked)
            if name == "locate_label_issues":
                expected, found = np.stack(expected), np.stack(found)
            assert_same(found, expected)


@given(cases(), st.sampled_from(SCORES), st.sampled_from(AGGREGATES), st.booleans())
def test_scores(
    case: tuple[Tagged, str, int, dict[str, Any]], method: Any, aggregate: Any, adjust: bool
) -> None:
    data, form, n_rows, options = case
    adjust &= method != "confidence_weighted_entropy"
    asked = {"method": method, "adjust_pred_probs": adjust, **options}
    needs = aggregate == "softmin" or adjust or method == "confidence_weighted_entropy"
    with streaming(data, form, n_rows) as source:
        if options["kind"] == "scores" and needs:
            with refused(OptionError, "needs probabilities"):
                multilabel.label_quality_scores(*source, aggregate=aggregate, **asked)
            return
        assert_same(
            multilabel.label_quality_scores(*source, aggregate=aggregate, **asked),
            multilabel.label_quality_scores(*data, aggregate=aggregate, **asked),
        )
        assert_same(
            multilabel.label_quality_scores_per_class(*source, **asked),
            multilabel.label_quality_scores_per_class(*data, **asked),
        )
        ranking = {"rank_by": method, "aggregate": aggregate, **options}
        for filter_by in ("confident_learning", "both"):
            assert_same(
                multilabel.rank_label_issues(*source, filter_by=filter_by, **ranking),
                multilabel.rank_label_issues(*data, filter_by=filter_by, **ranking),
            )


@given(cases())
def test_counts(case: tuple[Tagged, str, int, dict[str, Any]]) -> None:
    data, form, n_rows, options = case
    with streaming(data, form, n_rows) as source:
        for name in (
            "confident_thresholds",
            "confident_joint",
            "estimate_joint",
            "num_label_issues_per_class",
        ):
            function = getattr(multilabel, name)
            assert_same(function(*source, **options), function(*data, **options))
        own = np.full((data.tags.shape[1], 2, 2), 3)
        assert_same(
            multilabel.estimate_joint(*source, confident_joint=own, **options),
            multilabel.estimate_joint(*data, confident_joint=own, **options),
        )
        found = multilabel.num_label_issues(*source, **options)
        assert found == multilabel.num_label_issues(*data, **options)


@pytest.mark.parametrize("filter_by", ["prune_by_noise_rate", "predicted_neq_given"])
def test_health(filter_by: Any) -> None:
    data = random_tagged(60, 4, seed=3, noise=0.4)
    expected = multilabel.dataset_health(*data, filter_by=filter_by)
    for form in ("csr", "batches"):
        with streaming(data, form, 7) as source:
            found = multilabel.dataset_health(*source, filter_by=filter_by)
        assert (found.num_issues, found.n_examples) == (expected.num_issues, expected.n_examples)
        np.testing.assert_array_equal(found.classes, expected.classes)
        np.testing.assert_array_equal(found.common_issues, expected.common_issues)


def test_names_of_classes() -> None:
    names = ["ant", "bee", "cat"]
    tags, pred_probs = random_tagged(40, 3, seed=1, noise=0.4)
    named = [[names[k] for k in row] for row in lists_of(tags)]
    with tempfile.TemporaryDirectory() as folder, small_blocks(6):
        np.save(f"{folder}/pred_probs.npy", pred_probs)
        frame = pl.DataFrame({"tags": named, "pred_probs": pred_probs})
        frame.write_parquet(f"{folder}/data.parquet")
        expected = multilabel.find_label_issues(tags, pred_probs)
        for source in (
            (named, f"{folder}/pred_probs.npy"),
            (None, [(named[:9], pred_probs[:9]), (named[9:], pred_probs[9:])]),
            ("tags", Columns(f"{folder}/data.parquet", "pred_probs")),
        ):
            assert_same(multilabel.find_label_issues(*source, classes=names), expected)
        bad = [*named[:20], ["dog"], *named[21:]]
        with refused(LabelError, "labels[20] holds 'dog'"):
            multilabel.find_label_issues(bad, f"{folder}/pred_probs.npy", classes=names)
        batches = [(bad[:15], pred_probs[:15]), (bad[15:], pred_probs[15:])]
        with refused(LabelError, "labels[20] holds 'dog'"):
            multilabel.find_label_issues(None, batches, classes=names)


def test_outputs_are_written(tmp_path: Path) -> None:
    tags, pred_probs = random_tagged(90, 4, seed=2, noise=0.4)
    np.save(tmp_path / "pred_probs.npy", pred_probs)
    scipy.sparse.save_npz(tmp_path / "tags.npz", scipy.sparse.csr_array(tags))
    source: tuple[Any, Any] = (tmp_path / "tags.npz", tmp_path / "pred_probs.npy")
    for name in ("find_label_issues", "rank_label_issues", "label_quality_scores"):
        function = getattr(multilabel, name)
        expected = function(tags, pred_probs)
        for given_data in (source, (tags, pred_probs)):
            found = function(*given_data, out=tmp_path / "answer.npy")
            assert_same(np.array(found), expected)
            assert_same(np.load(tmp_path / "answer.npy"), expected)
    rows, classes = multilabel.locate_label_issues(*source, out=tmp_path / "located.parquet")
    expected = multilabel.locate_label_issues(tags, pred_probs)
    np.testing.assert_array_equal((rows, classes), expected)
    table = pq.read_table(tmp_path / "located.parquet")
    assert table.column_names == ["row", "class_index", "has_tag"]
    np.testing.assert_array_equal(table["row"], expected[0])
    np.testing.assert_array_equal(table["has_tag"], tags[expected] == 1)
    multilabel.locate_label_issues(*source, out=tmp_path / "located")
    np.testing.assert_array_equal(np.load(tmp_path / "located" / "class_index.npy"), expected[1])
    with refused(OptionError, "must end in .npy or .parquet"):
        multilabel.find_label_issues(*source, out=tmp_path / "answer.csv")


@pytest.mark.parametrize("filter_by", ["prune_by_noise_rate", "confident_learning", "both"])
@pytest.mark.parametrize("most", [3, 10**6])
def test_a_run_goes_on_where_it_was_killed(tmp_path: Path, filter_by: Any, most: int) -> None:
    tags, pred_probs = random_tagged(60, 4, seed=4, noise=0.4)
    np.save(tmp_path / "pred_probs.npy", pred_probs)
    source: tuple[Any, Any] = (lists_of(tags), tmp_path / "pred_probs.npy")
    expected = multilabel.rank_label_issues(tags, pred_probs, filter_by=filter_by)
    calls = 0

    def stop_at(n: int) -> Any:
        def report(*_: object) -> None:
            nonlocal calls
            calls += 1
            if calls == n:
                raise KeyboardInterrupt

        return report

    with (
        small_blocks(13),
        mock.patch.object(selection, "MOST", most),
        mock.patch("conflearn.stream.checkpoint.INTERVAL", 0, create=True),
    ):
        for number in range(1, 200, 7):
            calls = 0
            try:
                found = multilabel.rank_label_issues(
                    *source,
                    filter_by=filter_by,
                    checkpoint=tmp_path / "checkpoint",
                    progress=stop_at(number),
                )
            except KeyboardInterrupt:
                continue
            assert_same(found, expected)
            return
        raise AssertionError("never done")


def test_progress_is_told() -> None:
    told = []
    tags, pred_probs = random_tagged(30, 3, seed=5, noise=0.4)
    with small_blocks(10):
        multilabel.find_label_issues(
            tags, pred_probs, progress=lambda *arguments: told.append(arguments)
        )
    assert ("thresholds", 20, 30) in told
    assert ("selection", 30, 30) in told


# --- What is wrong -------------------------------------------------------------------------------


def test_files_that_do_not_go_together(tmp_path: Path) -> None:
    tags, pred_probs = random_tagged(30, 3, seed=6)
    np.save(tmp_path / "pred_probs.npy", pred_probs)
    matrix = tmp_path / "pred_probs.npy"
    scipy.sparse.save_npz(tmp_path / "few.npz", scipy.sparse.csr_array(tags[:20]))
    with refused(SourceError, "few.npz has 20 entries", "30 rows"):
        multilabel.find_label_issues(tmp_path / "few.npz", matrix)
    scipy.sparse.save_npz(tmp_path / "csc.npz", scipy.sparse.csc_array(tags))
    with refused(SourceError, "csc.npz", "'csc'", "tocsr()"):
        multilabel.find_label_issues(tmp_path / "csc.npz", matrix)
    scipy.sparse.save_npz(tmp_path / "wide.npz", scipy.sparse.csr_array(np.eye(30, 4)))
    with refused(LabelError, "labels[3] holds 3", "0 to 2"):
        multilabel.find_label_issues(tmp_path / "wide.npz", matrix)
    twos = scipy.sparse.csr_array(np.where(tags == 1, 2, 0))
    scipy.sparse.save_npz(tmp_path / "twos.npz", twos)
    row = int(np.flatnonzero(tags.any(axis=1))[0])
    with refused(LabelError, f"labels[{row}, ", "is 2"):
        multilabel.find_label_issues(tmp_path / "twos.npz", matrix)
    np.save(tmp_path / "tags.npy", tags[:, :2])
    with refused(ShapeError, "a column for each of the 3 classes"):
        multilabel.find_label_issues(tmp_path / "tags.npy", matrix)
    bad = tags.copy()
    bad[17, 1] = 5
    np.save(tmp_path / "bad.npy", bad)
    with small_blocks(4), refused(LabelError, "labels[17, 1] is 5"):
        multilabel.find_label_issues(tmp_path / "bad.npy", matrix)
    wrong = pred_probs.copy()
    wrong[23, 2] = 1.5
    np.save(tmp_path / "wrong.npy", wrong)
    with small_blocks(4), refused(ProbabilityError, "pred_probs[23, 2] is 1.5"):
        multilabel.find_label_issues(tags, tmp_path / "wrong.npy")


def test_a_damaged_sparse_matrix(tmp_path: Path) -> None:
    tags, pred_probs = random_tagged(30, 3, seed=6)
    np.save(tmp_path / "pred_probs.npy", pred_probs)
    matrix = scipy.sparse.csr_array(tags)
    parts: dict[str, Any] = {
        "indptr": matrix.indptr,
        "indices": matrix.indices,
        "data": matrix.data,
        "shape": np.array(matrix.shape),
        "format": b"csr",
    }
    turned = matrix.indptr.copy()
    turned[10] = turned[-1] + 5
    for change, message in (
        ({"indptr": turned}, "does not ascend"),
        ({"indptr": matrix.indptr[:-3]}, "do not go together"),
        ({"data": matrix.data[:-1]}, "do not go together"),
        ({"data": matrix.data.astype(complex)}, "save zeros and ones"),
    ):
        np.savez(tmp_path / "tags.npz", **(parts | change))
        with refused(SourceError, "tags.npz", message):
            multilabel.find_label_issues(tmp_path / "tags.npz", tmp_path / "pred_probs.npy")


def test_batches_that_change_are_refused() -> None:
    tags, pred_probs = random_tagged(30, 3, seed=7, noise=0.4)
    passes = 0

    def batches() -> Iterator[tuple[Any, Any]]:
        nonlocal passes
        passes += 1
        rows = np.arange(30) if passes < 4 else np.arange(30)[::-1]
        for start in range(0, 30, 10):
            some = rows[start : start + 10]
            yield tags[some], pred_probs[some]

    with refused(SourceError, "other batches in each pass"):
        multilabel.find_label_issues(None, batches)
    with refused(OptionError, "checkpoint needs an input"):
        multilabel.find_label_issues(None, [(tags, pred_probs)], checkpoint="unused")


@settings(max_examples=20)
@given(st.integers(0, 2**32 - 1), st.integers(1, 40))
def test_stored_zeros_and_disorder_in_a_sparse_matrix(seed: int, n_rows: int) -> None:
    """Zeros that are stored are zeros, and columns of a row may be in any order."""
    rng = np.random.default_rng(seed)
    tags, pred_probs = random_tagged(n_rows, 5, seed=seed % 1000, noise=0.4)
    stored = [rng.permutation(5)[: rng.integers(1, 6)] for _ in range(n_rows)]
    indptr = np.cumsum([0, *map(len, stored)])
    indices = np.concatenate(stored)
    data = np.concatenate([tags[row, columns] for row, columns in enumerate(stored)])
    kept = np.zeros_like(tags)
    for row, columns in enumerate(stored):
        kept[row, columns] = tags[row, columns]
    matrix = scipy.sparse.csr_array((data, indices, indptr), shape=tags.shape)
    with tempfile.TemporaryDirectory() as folder, small_blocks(3):
        scipy.sparse.save_npz(f"{folder}/tags.npz", matrix)
        np.save(f"{folder}/pred_probs.npy", pred_probs)
        assert_same(
            multilabel.find_label_issues(f"{folder}/tags.npz", f"{folder}/pred_probs.npy"),
            multilabel.find_label_issues(kept, pred_probs),
        )


def test_the_selection_of_a_run_holds_as_much_as_others() -> None:
    assert TagSelectionState.__init__.__kwdefaults__["most"] == selection.MOST


def test_input_is_not_replaced_by_output(tmp_path: Path) -> None:
    data = random_tagged(50, 3)
    labels, pred_probs = streamed(data, "npy", tmp_path)
    for name, path in (("labels", labels), ("pred_probs", pred_probs)):
        before = path.read_bytes()
        with refused(OptionError, "out=", f"is {path}, which {name} is read from"):
            multilabel.find_label_issues(labels, pred_probs, out=path)
        assert path.read_bytes() == before
