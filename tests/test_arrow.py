"""Arrow tables as parts of a data set: every layout gives the answers of arrays in memory."""

from typing import Any

import numpy as np
import pytest

import conflearn
from conflearn import arrow, passes
from conflearn.errors import (
    InputError,
    InputTypeError,
    LabelError,
    MissingDependencyError,
    OptionError,
    ProbabilityError,
    ShapeError,
)
from expected import refused
from strategies import JUDGES, SCORES, random_data

pa = pytest.importorskip("pyarrow")

NAMES = ("ant", "bee", "cat", "dog")
DATA = random_data(300, 4, decimals=1, n_absent=1)
MASK = conflearn.find_label_issues(*DATA)
CELLS = pa.array(DATA.pred_probs.ravel())
COLUMN_A_CLASS = [f"p_{name}" for name in NAMES]


def table_of(**columns: Any) -> Any:
    rows = {"id": np.arange(300), "label": DATA.labels}
    return pa.table({name: pa.array(column) for name, column in (rows | columns).items()})


TENSORS = pa.table(
    {
        "id": np.arange(300),
        "label": DATA.labels,
        "pred_probs": pa.FixedShapeTensorArray.from_numpy_ndarray(DATA.pred_probs),
    }
)
TABLES = {
    "lists": table_of(pred_probs=list(DATA.pred_probs)),
    "large lists": table_of(pred_probs=pa.LargeListArray.from_arrays(np.arange(0, 1201, 4), CELLS)),
    "fixed-size lists": table_of(pred_probs=pa.FixedSizeListArray.from_arrays(CELLS, 4)),
    "tensors": TENSORS,
}
WIDE = table_of(**dict(zip(COLUMN_A_CLASS, DATA.pred_probs.T, strict=True)))


def reduce_over(batches: list[Any], layout: arrow.Layout) -> passes.Reduce:
    """One worker for each batch, but the last worker, which has none."""
    return lambda state: arrow.merge(
        state,
        [fed for part in [*([b] for b in batches), []] for fed in arrow.feed(part, state, layout)],
    )


def mask_of(table: Any, layout: arrow.Layout, **options: Any) -> np.ndarray:
    batches = table.to_batches(max_chunksize=70)
    rule = passes.find_rule(reduce_over(batches, layout), 4, **options)
    return np.concatenate(
        [
            result.column("is_issue").to_numpy(zero_copy_only=False)
            for result in arrow.apply(batches, rule, layout)
        ]
    )


@pytest.mark.parametrize("kind", TABLES)
def test_layouts(kind) -> None:
    layout = arrow.Layout(id="id")
    assert layout.n_classes(TABLES[kind]) == 4
    assert mask_of(TABLES[kind], layout).tobytes() == MASK.tobytes()


@pytest.mark.parametrize("dtype", ["float16", "float32", "float64"])
def test_a_column_a_class(dtype) -> None:
    narrow = DATA.pred_probs.astype(dtype)
    table = table_of(**dict(zip(COLUMN_A_CLASS, narrow.T, strict=True)))
    layout = arrow.Layout(pred_probs=COLUMN_A_CLASS, id="id")
    mask = conflearn.find_label_issues(DATA.labels, narrow)
    assert mask_of(table, layout).tobytes() == mask.tobytes()


def test_the_largest_of_each_row_alone() -> None:
    classes = np.argsort(-DATA.pred_probs, axis=1, kind="stable")[:, :2]
    values = np.take_along_axis(DATA.pred_probs, classes, axis=1)
    table = table_of(classes=list(classes), values=list(values))
    layout = arrow.Layout(pred_probs=conflearn.TopK("classes", "values", n_classes=4), id="id")
    assert layout.read == ("label", "classes", "values", "id")
    assert layout.n_classes(table) == 4
    top = conflearn.TopK(classes, values, n_classes=4)
    assert (
        mask_of(table, layout).tobytes() == conflearn.find_label_issues(DATA.labels, top).tobytes()
    )


def test_results_come_with_what_is_kept_and_in_names() -> None:
    table = WIDE.append_column("name", pa.array(np.array(NAMES)[DATA.labels]))
    layout = arrow.Layout("name", COLUMN_A_CLASS, "id", keep=["name"], classes=NAMES)
    rule = passes.find_rule(reduce_over([table], layout), 4, scores=JUDGES)
    assert rule.scores == SCORES + JUDGES
    (results,) = arrow.apply([table], rule, layout, scores=rule.scores)
    assert isinstance(results, pa.Table)
    assert results.column_names == ["id", "name", "is_issue", "suggested_label", *rule.scores]
    expected = conflearn.analyze(*DATA)
    suggested = np.array(NAMES)[expected.suggested_labels]
    assert results["suggested_label"].to_pylist() == suggested.tolist()
    for judge in JUDGES:
        scores = conflearn.label_quality_scores(*DATA, method=judge)
        assert results[judge].to_numpy().tobytes() == scores.tobytes()
    for score in SCORES:
        assert results[score].to_numpy().tobytes() == expected.scores[score].tobytes()


def test_rows_in_any_order_and_in_chunks() -> None:
    order = np.random.default_rng(0).permutation(300)
    for table in (TABLES["fixed-size lists"], WIDE):
        shuffled = pa.concat_tables([table.take(order[:99]), table.take(order[99:])])
        wide = table is WIDE
        layout = arrow.Layout(pred_probs=COLUMN_A_CLASS if wide else "pred_probs", id="id")
        rule = passes.find_rule(reduce_over([shuffled], layout), 4)
        (results,) = arrow.apply([shuffled], rule, layout)
        assert results["is_issue"].to_numpy().tobytes() == MASK[order].tobytes()


def test_flags_by_a_quota_need_the_ids_alone() -> None:
    table = WIDE.append_column("name", pa.array(np.array(NAMES)[DATA.labels]))
    layout = arrow.Layout("name", COLUMN_A_CLASS, "id", keep=["name", "id", "name"], classes=NAMES)
    assert layout.repeated == ("id", "name")
    rule = passes.find_rule(reduce_over([table], layout), 4)
    (results,) = arrow.flag([table.select(layout.repeated), table[:0]], rule, layout)
    assert results.column_names == ["id", "name", "is_issue"]
    assert results["is_issue"].to_numpy().tobytes() == MASK.tobytes()
    with refused(InputError, "there is no column 'name'"):
        next(arrow.flag([table.select(["id"])], rule, layout))
    with refused(OptionError, "must name the id"):
        next(arrow.flag([table], rule, arrow.Layout("name", COLUMN_A_CLASS)))


def test_the_state_that_is_sent_is_left_alone() -> None:
    state = passes.ThresholdState(4)
    layout = arrow.Layout()
    fed = [next(arrow.feed([TENSORS], state, layout)) for _ in range(2)]
    assert fed[0] == fed[1]
    assert arrow.merge(state, fed[:1]).n_examples == 300
    assert state.n_examples == 0


def test_a_worker_without_rows() -> None:
    layout = arrow.Layout(id="id")
    nothing = TENSORS.slice(0, 0)
    state = arrow.merge(
        passes.ThresholdState(4), arrow.feed([nothing], passes.ThresholdState(4), layout)
    )
    assert state.n_examples == 0
    rule = passes.find_rule(reduce_over([TENSORS], layout), 4)
    assert list(arrow.apply([nothing], rule, layout)) == []


def test_without_an_id() -> None:
    layout = arrow.Layout(keep=["label"])
    rule = passes.find_rule(reduce_over([TENSORS], layout), 4, filter_by="confident_learning")
    (results,) = arrow.apply([TENSORS], rule, layout)
    assert results.column_names == ["label", "is_issue"]
    mask = conflearn.find_label_issues(*DATA, filter_by="confident_learning")
    assert results["is_issue"].to_numpy().tobytes() == mask.tobytes()


# --- What is refused


@pytest.mark.parametrize(
    ("error", "column", "values", "essentials"),
    [
        (LabelError, "label", np.full(300, 4), ["labels[0] is 4", "id begins with 0"]),
        (LabelError, "label", [None] * 300, ["labels[0] is missing"]),
        (InputError, "id", [None] * 300, ["id is missing"]),
        (InputTypeError, "id", ["a"] * 300, ["id must hold a whole number"]),
        (InputError, "id", np.arange(300) // 2, ["two rows have 0"]),
        (InputError, "id", np.arange(300) - 5, ["id[0] is -5"]),
        (ProbabilityError, "pred_probs", [[0.5, np.nan, 0, 0]] * 300, ["pred_probs[0, 1] is NaN"]),
        (ProbabilityError, "pred_probs", [[0.5, None, 0, 0]] * 300, ["is missing"]),
        (ShapeError, "pred_probs", [[0.5, 0.5]] * 299 + [[1.0]], ["pred_probs"]),
    ],
)
def test_bad_rows(error, column, values, essentials) -> None:
    names = ["id", "label", "pred_probs"]
    table = TENSORS.set_column(names.index(column), column, pa.array(values))
    layout = arrow.Layout(id="id")
    if column == "pred_probs":  # the first pass reads the own cells alone
        table = table.set_column(1, "label", pa.array(np.full(300, 1)))
    with refused(error, *essentials):
        passes.find_rule(reduce_over([table], layout), 4)


def test_rows_that_are_numbered_anew_in_each_file() -> None:
    table = TENSORS.set_column(0, "id", pa.array(np.arange(300) % 150))
    with refused(InputError, "of 300 rows the largest is 149"):
        passes.find_rule(reduce_over(table.to_batches(max_chunksize=150), arrow.Layout(id="id")), 4)


def test_columns() -> None:
    with refused(InputError, "no column 'labels'", "'id', 'label', 'pred_probs'"):
        arrow.merge(
            passes.ThresholdState(4),
            arrow.feed([TENSORS], passes.ThresholdState(4), arrow.Layout("labels")),
        )
    with refused(OptionError, "id is 'is_issue', which cannot be repeated", "rename"):
        arrow.Layout(id="is_issue")
    with refused(OptionError, "keep holds 'is_issue', which cannot be repeated", "rename"):
        arrow.Layout(keep=["is_issue"])
    with refused(InputTypeError, "keep=['label']"):
        arrow.Layout(keep="label")


def test_pyarrow_is_asked_for(monkeypatch) -> None:
    def without(name: str) -> Any:
        raise ImportError(name)

    monkeypatch.setattr(arrow, "import_module", without)
    with refused(MissingDependencyError, "pip install pyarrow"):
        next(arrow.feed([], passes.ThresholdState(4), arrow.Layout()))
