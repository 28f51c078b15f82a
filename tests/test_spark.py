"""The recipe for Spark in the guide, run with a local Spark if there is one."""

import os
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import conflearn
from conflearn.errors import LabelError
from expected import refused
from strategies import SCORES, random_data

pa = pytest.importorskip("pyarrow")

GUIDE = Path(__file__).resolve().parents[1] / "docs" / "guides" / "clusters.md"
DATA = random_data(400, 4, decimals=1, n_absent=1)
COLUMNS = {"id": np.arange(400), "label": DATA.labels, "pred_probs": list(DATA.pred_probs)}


@pytest.fixture(scope="module")
def recipe() -> Any:
    """What the block of the guide defines that speaks of mapInArrow."""
    text = GUIDE.read_text(encoding="utf-8")
    blocks = re.findall(r"^```python\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)
    (block,) = (block for block in blocks if "mapInArrow" in block)
    names: dict[str, Any] = {}
    exec(block, names)
    return names["analyze"]


class LocalFrame:
    """What the recipe takes of a Spark frame, over record batches in this process."""

    def __init__(self, partitions: list[list[Any]]) -> None:
        self.partitions = partitions

    def mapInArrow(self, function: Any, schema: str) -> "LocalFrame":  # noqa: N802 - Spark's name
        assert schema
        return LocalFrame([list(function(iter(batches))) for batches in self.partitions])

    def toLocalIterator(self) -> Iterator[Any]:  # noqa: N802 - Spark's name
        for batches in self.partitions:
            for batch in batches:
                yield from batch.to_pylist()


def local_frame(**columns: Any) -> LocalFrame:
    table = pa.table({name: pa.array(values) for name, values in (COLUMNS | columns).items()})
    batches = table.to_batches(max_chunksize=70)
    return LocalFrame([batches[:2], [], batches[2:]])


def check(rows: Iterator[Any]) -> None:
    found = sorted(rows, key=lambda row: row["id"])
    expected = conflearn.analyze(*DATA)
    assert [row["id"] for row in found] == list(range(400))
    assert [row["is_issue"] for row in found] == expected.mask.tolist()
    assert [row["suggested_label"] for row in found] == expected.suggested_labels.tolist()
    for score in SCORES:
        assert [row[score] for row in found] == expected.scores[score].tolist()


def test_the_recipe_over_record_batches(recipe) -> None:
    findings, results = recipe(local_frame(), n_classes=4)
    check(results.toLocalIterator())
    expected = conflearn.analyze(*DATA)
    assert findings.num_issues == expected.num_issues
    assert findings.confident_joint.tobytes() == expected.confident_joint.tobytes()


def test_bad_rows(recipe) -> None:
    with refused(LabelError, "labels[0] is 4"):
        recipe(local_frame(label=np.full(400, 4)), n_classes=4)


# Its own, of the pandas that the other tests have.
@pytest.mark.filterwarnings("ignore:PySpark does not yet fully support pandas:FutureWarning")
@pytest.mark.filterwarnings("ignore::ResourceWarning")
def test_the_recipe_on_spark(recipe, monkeypatch, tmp_path) -> None:
    sql = pytest.importorskip("pyspark.sql")
    parquet = pytest.importorskip("pyarrow.parquet")
    parquet.write_table(pa.table(COLUMNS), tmp_path / "data.parquet")
    paths = [str(Path(conflearn.__file__).parents[1]), str(Path(__file__).parent)]
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join(paths))  # of Spark's workers
    monkeypatch.setenv("PYSPARK_PYTHON", sys.executable)
    builder = sql.SparkSession.builder.master("local[2]").config("spark.ui.enabled", "false")
    spark = builder.config("spark.driver.memory", "512m").getOrCreate()
    try:
        frame = spark.read.parquet(str(tmp_path)).repartition(3)
        findings, results = recipe(frame, n_classes=4)
        check(results.toLocalIterator())
        assert findings.num_issues == conflearn.analyze(*DATA).num_issues
    finally:
        spark.stop()
