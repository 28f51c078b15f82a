"""Ray Data: the answers of arrays in memory, whatever blocks there are and whoever dies."""

import os
import signal
import sys
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import conflearn
from conflearn.errors import (
    InputError,
    InputTypeError,
    LabelError,
    MissingDependencyError,
    OptionError,
)
from expected import refused
from strategies import JUDGES, random_data

ray = pytest.importorskip("ray")
pa = pytest.importorskip("pyarrow")
import conflearn.ray  # noqa: E402 - it may not be there

# Of sockets and files that Ray leaves to the end.
pytestmark = pytest.mark.filterwarnings("ignore::ResourceWarning")

DATA = random_data(400, 4, decimals=1, n_absent=1)
ROWS = {"id": np.arange(400), "label": DATA.labels, "p": DATA.pred_probs}


@pytest.fixture(scope="module", autouse=True)
def cluster() -> Iterator[None]:
    import ray.data

    here = Path(conflearn.__file__).parents[1]
    tests = Path(__file__).parent
    ray.init(
        num_cpus=2,
        include_dashboard=False,
        object_store_memory=100 * 2**20,
        log_to_driver=False,
        logging_level="ERROR",
        runtime_env={"env_vars": {"PYTHONPATH": f"{here}{os.pathsep}{tests}"}},
    )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # of a fixture, pytest filters none
        context = ray.data.DataContext.get_current()
    context.enable_progress_bars = False
    yield
    ray.shutdown()


def block_of(rows: slice, **columns: Any) -> Any:
    tensor = pa.FixedShapeTensorArray.from_numpy_ndarray(np.ascontiguousarray(ROWS["p"][rows]))
    given = {"id": ROWS["id"][rows], "label": ROWS["label"][rows], "pred_probs": tensor}
    return pa.table(given | {name: values[rows] for name, values in columns.items()})


PARTS = [slice(0, 150), slice(150, 160), slice(160, 400)]


def dataset_of(**columns: Any) -> Any:
    return ray.data.from_arrow([block_of(part, **columns) for part in PARTS])


def in_order(results: Any) -> dict[str, np.ndarray]:
    table = pa.concat_tables(ray.get(results.to_arrow_refs())).sort_by("id")
    return {name: table[name].to_numpy() for name in table.column_names}


@pytest.mark.parametrize("filter_by", ["both", "confident_learning", "low_normalized_margin"])
def test_filters(filter_by) -> None:
    found = conflearn.ray.find_label_issues(dataset_of(), id="id", filter_by=filter_by)
    results = in_order(found)
    assert list(results) == ["id", "is_issue"]
    mask = conflearn.find_label_issues(*DATA, filter_by=filter_by)
    assert results["is_issue"].tobytes() == mask.tobytes()


def test_what_is_calibrated_on_the_way() -> None:
    options = {"filter_by": "auto", "temperature": 1.5, "class_bias": [0.5, -0.5, 0.2, 0.0]}
    results = in_order(conflearn.ray.find_label_issues(dataset_of(), id="id", **options))
    mask = conflearn.find_label_issues(*DATA, **options)
    assert results["is_issue"].tobytes() == mask.tobytes()


def test_what_is_kept_may_be_named_twice() -> None:
    found = conflearn.ray.find_label_issues(dataset_of(), id="id", keep=["id", "label", "label"])
    found = in_order(found)
    assert list(found) == ["id", "label", "is_issue"]
    assert found["is_issue"].tobytes() == conflearn.find_label_issues(*DATA).tobytes()


@pytest.mark.parametrize(
    ("filter_by", "rank_by"),
    [("prune_by_noise_rate", "normalized_margin")] + [(name, name) for name in JUDGES],
)
def test_analysis(filter_by, rank_by) -> None:
    options = {"filter_by": filter_by, "rank_by": rank_by}
    names = ["ant", "bee", "cat", "dog"]
    found = conflearn.ray.analyze(
        dataset_of(name=np.array(names)[DATA.labels]),
        labels="name",
        id="id",
        keep=["name"],
        classes=names,
        **options,
    )
    expected = conflearn.analyze(*DATA, **options)
    assert repr(found).startswith(f"<Analysis of 400 labels in 4 classes, filter_by='{filter_by}'")
    results = in_order(found.results)
    assert list(results) == ["id", "name", "is_issue", "suggested_label", *expected.scores]
    assert results["is_issue"].tobytes() == expected.mask.tobytes()
    suggested = np.array(names)[expected.suggested_labels]
    assert results["suggested_label"].tolist() == suggested.tolist()
    for score in expected.scores:
        assert results[score].tobytes() == expected.scores[score].tobytes()
    assert [row["id"] for row in found.issues().iter_rows()] == expected.ranked.tolist()
    assert found.thresholds.tobytes() == expected.thresholds.tobytes()
    assert found.confident_joint.tobytes() == expected.confident_joint.tobytes()
    assert found.num_issues == expected.num_issues


@pytest.mark.parametrize("layout", ["tensors of numpy", "lists", "a column a class"])
def test_layouts(layout) -> None:
    pred_probs: Any = "pred_probs"
    if layout == "tensors of numpy":
        dataset = dataset_of().map_batches(lambda batch: batch, batch_size=50, batch_format="numpy")
    elif layout == "lists":
        lists = pa.array(list(DATA.pred_probs))
        dataset = ray.data.from_arrow(block_of(slice(0, 400)).set_column(2, "pred_probs", lists))
    else:
        pred_probs = ["p0", "p1", "p2", "p3"]
        dataset = dataset_of(**dict(zip(pred_probs, DATA.pred_probs.T, strict=True)))
    found = conflearn.ray.find_label_issues(dataset, pred_probs=pred_probs, id="id")
    mask = conflearn.find_label_issues(*DATA)
    assert in_order(found)["is_issue"].tobytes() == mask.tobytes()


def test_threads_and_classes_that_are_told() -> None:
    found = conflearn.ray.find_label_issues(dataset_of(), id="id", n_classes=4, n_threads=2)
    mask = conflearn.find_label_issues(*DATA)
    assert in_order(found)["is_issue"].tobytes() == mask.tobytes()


@pytest.mark.parametrize("sight", [0, 2, 3])
def test_a_killed_worker_changes_nothing(tmp_path, sight) -> None:
    """In any pass: each of them sees the second block once, and one of them dies of it."""

    def dies(batch: Any) -> Any:
        if batch["id"][0].as_py() == 150:
            number = len(list(tmp_path.iterdir()))
            (tmp_path / str(number)).touch()
            if number == sight:
                os.kill(os.getpid(), signal.SIGKILL)
        return batch

    dataset = dataset_of().map_batches(dies, batch_size=None, batch_format="pyarrow")
    found = conflearn.ray.find_label_issues(dataset, id="id", n_classes=4)
    mask = conflearn.find_label_issues(*DATA)
    assert in_order(found)["is_issue"].tobytes() == mask.tobytes()
    assert len(list(tmp_path.iterdir())) == 5  # thresholds, joint, selection, results, and again


# --- What is refused


def test_bad_rows() -> None:
    wrong = np.where(np.arange(400) == 155, 4, DATA.labels)
    with refused(LabelError, "labels[5] is 4", "id begins with 150"):
        conflearn.ray.analyze(dataset_of(wrong=wrong), labels="wrong", id="id")
    anew = np.concatenate([np.arange(part.stop - part.start) for part in PARTS])
    with refused(InputError, "of 400 rows the largest is 239"):
        conflearn.ray.analyze(dataset_of(number=anew), id="number")


def test_bad_arguments() -> None:
    with refused(OptionError, "needs id", "confident_learning"):
        conflearn.ray.find_label_issues(dataset_of())
    with refused(InputError, "no column 'labels'", "'label'"):
        conflearn.ray.analyze(dataset_of(), labels="labels", id="id")
    with refused(InputTypeError, "ray.data.Dataset", "ndarray"):
        conflearn.ray.find_label_issues(DATA.pred_probs)
    with refused(OptionError, "rank_by"):
        conflearn.ray.analyze(dataset_of(), id="id", rank_by="margin")
    with refused(OptionError, "does not use frac_noise"):
        conflearn.ray.find_label_issues(
            dataset_of(), filter_by="confident_learning", frac_noise=0.5
        )


def test_no_id_where_none_is_needed() -> None:
    found = conflearn.ray.find_label_issues(
        dataset_of(), filter_by="confident_learning", keep=["label"]
    )
    assert found.columns() == ["label", "is_issue"]
    mask = conflearn.find_label_issues(*DATA, filter_by="confident_learning")
    assert sum(row["is_issue"] for row in found.iter_rows()) == mask.sum()


def test_ray_is_asked_for(monkeypatch) -> None:
    dataset = dataset_of()
    monkeypatch.setitem(sys.modules, "ray.data", None)
    with refused(MissingDependencyError, "conflearn[ray]"):
        conflearn.ray.find_label_issues(dataset, id="id")
