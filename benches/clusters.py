"""Ray and Dask with two workers, beside one process that streams: labels and matrix in shards.

    python benches/clusters.py            # 4.8 GB in 64 shards, in a folder made for it
    python benches/clusters.py --small    # 60 MB in 8 shards
    python benches/clusters.py --smoke    # does it run?

Each engine is started, finds the issues in two shards so that its workers are up, and then in all
of them: that is timed, start-up apart. It flags by the default filter (three passes, and one for
the results) and adds up the flags. Shards are read where they are looked at, by the workers; from
the page cache, if they fit. What is not installed is left out.

What an engine takes by itself is told beside it: as many passes, with as many tasks, that only
count the rows of the shards.
"""

import argparse
import logging
import tempfile
import time
import warnings
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from functools import partial
from importlib.util import find_spec
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

import conflearn
from data import Size, make
from markdown_table import markdown_table, verdict

N_WORKERS = 2
TARGET = 1.5  # times one process that streams
N_PASSES = 4  # thresholds, joint, selection; and one for the results
TITLES = ("start-up", "seconds", "of it the engine alone", "times streaming", "target", "")
#: Rows of a shard, classes, and the number of shards.
SHAPES = {"large": (18_750, 1_000, 64), "small": (18_750, 100, 8), "smoke": (400, 20, 4)}


class Shard(NamedTuple):
    """Two files, and the number of their first row."""

    labels: Path
    pred_probs: Path
    first_row: int
    shape: tuple[int, int]


class Engine(NamedTuple):
    """What one way does to some shards."""

    #: Counts the flagged rows.
    count: Callable[[list[Shard]], int]
    #: Makes one pass that counts the rows.
    idle: Callable[[list[Shard]], int] | None = None


def main() -> None:
    """Measure all, and print a table."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--small", action="store_true", help="60 MB")
    parser.add_argument("--smoke", action="store_true", help="little data, to see that it runs")
    parser.add_argument("--repeat", type=int, default=3, help="the best of so many runs is shown")
    arguments = parser.parse_args()
    size = "smoke" if arguments.smoke else "small" if arguments.small else "large"
    repeat = 1 if arguments.smoke else arguments.repeat
    with tempfile.TemporaryDirectory() as folder:
        print(measured(written(Path(folder), *SHAPES[size]), repeat))


def written(folder: Path, n_rows: int, n_classes: int, n_shards: int) -> list[Shard]:
    """Make the shards."""
    shards = []
    for number in range(n_shards):
        shape = (n_rows, n_classes)
        problem = make(Size(*shape), seed=number)
        names = folder / f"labels-{number}.npy", folder / f"pred_probs-{number}.npy"
        np.save(names[0], problem.labels)
        np.save(names[1], problem.pred_probs)
        shards.append(Shard(*names, n_rows * number, shape))
    return shards


def measured(shards: list[Shard], repeat: int) -> str:
    """Time each way, and tabulate."""
    rows = []
    streaming: float | None = None
    counts = set()
    for name, start in ENGINES.items():
        package = name.partition(",")[0].lower()
        if package in {"dask", "ray"} and find_spec(package) is None:
            continue
        begin = time.perf_counter()
        with start() as engine:
            engine.count(shards[:2])
            start_up = time.perf_counter() - begin
            seconds, idle = [], []
            for _ in range(repeat):
                begin = time.perf_counter()
                counts.add(engine.count(shards))
                seconds.append(time.perf_counter() - begin)
                if engine.idle is not None:
                    begin = time.perf_counter()
                    n_rows = sum(engine.idle(shards) for _ in range(N_PASSES)) // N_PASSES
                    idle.append(time.perf_counter() - begin)
                    if n_rows != sum(shard.shape[0] for shard in shards):
                        raise AssertionError(f"{name} has counted {n_rows} rows")
        best = min(seconds)
        streaming = best if streaming is None else streaming
        ratio = best / streaming
        is_first = not rows
        rows.append(
            [
                name,
                f"{start_up:.1f} s",
                f"{best:.2f} s",
                f"{min(idle):.2f} s" if idle else "-",
                "-" if is_first else f"{ratio:.2f}",
                "-" if is_first else f"<= {TARGET}",
                "-" if is_first else verdict(ratio, TARGET),
            ]
        )
    if len(counts) != 1:
        raise AssertionError(f"the answers differ: {counts}")
    (n_rows, n_classes), n_shards = shards[0].shape, len(shards)
    title = f"{n_rows * n_shards:,} x {n_classes:,} float32 in {n_shards} shards"
    return markdown_table([title, *TITLES], rows)


# --- The ways to do it


@contextmanager
def streaming() -> Iterator[Engine]:
    """One process, which reads ahead and computes by all cores."""

    def count(shards: list[Shard]) -> int:
        labels, pred_probs = ([str(shard[i]) for shard in shards] for i in range(2))
        return int(np.count_nonzero(conflearn.find_label_issues(labels, pred_probs)))

    yield Engine(count)


def load(block_id: tuple[int, ...], paths: list[str]) -> Any:
    """Map a shard: then it is not copied before it is looked at."""
    return np.load(paths[block_id[0]], mmap_mode="r")


@contextmanager
def on_dask() -> Iterator[Engine]:
    """As many processes as workers, with a thread each."""
    import dask.array as da
    from distributed import Client, LocalCluster

    import conflearn.dask

    def arrays(shards: list[Shard]) -> tuple[da.Array, da.Array]:
        lengths = tuple(shard.shape[0] for shard in shards)
        labels, pred_probs = (
            da.map_blocks(
                partial(load, paths=[str(shard[i]) for shard in shards]),
                chunks=(lengths, *((n,) for n in shards[0].shape[1 : i + 1])),
                dtype=dtype,
                meta=np.empty((0,) * (i + 1), dtype),
            )
            for i, dtype in enumerate((np.int64, np.float32))
        )
        return labels, pred_probs

    def count(shards: list[Shard]) -> int:
        return int(conflearn.dask.find_label_issues(*arrays(shards)).sum().compute())

    def idle(shards: list[Shard]) -> int:
        lengths = arrays(shards)[0].map_blocks(
            lambda labels: np.array([len(labels)]), chunks=((1,) * len(shards),), dtype=np.int64
        )
        return int(lengths.sum().compute())

    with (
        LocalCluster(n_workers=N_WORKERS, threads_per_worker=1, dashboard_address=None) as cluster,
        Client(cluster),
    ):
        yield Engine(count, idle)


@contextmanager
def on_ray() -> Iterator[Engine]:
    """Ray Data, with a task a shard."""
    import pyarrow as pa
    import ray

    import conflearn.ray

    def load_shard(batch: dict[str, Any]) -> dict[str, Any]:
        labels = np.load(batch["labels"][0])
        return {
            "id": batch["first_row"][0] + np.arange(len(labels)),
            "label": labels,
            "pred_probs": np.load(batch["pred_probs"][0], mmap_mode="r"),
        }

    def rows_of(shards: list[Shard]) -> ray.data.Dataset:
        paths = [
            {"labels": str(a), "pred_probs": str(b), "first_row": first}
            for a, b, first, _ in shards
        ]
        dataset = ray.data.from_items(paths, override_num_blocks=len(paths))
        return dataset.map_batches(load_shard, batch_size=1)

    def total(dataset: ray.data.Dataset, column: str) -> int:
        batches = dataset.iter_batches(batch_size=None, batch_format="numpy")
        return sum(int(batch[column].sum()) for batch in batches)

    def count(shards: list[Shard]) -> int:
        found = conflearn.ray.find_label_issues(
            rows_of(shards), id="id", n_classes=shards[0].shape[1]
        )
        return total(found, "is_issue")

    def idle(shards: list[Shard]) -> int:
        counted = rows_of(shards).map_batches(
            lambda batch: pa.table({"n": [batch.num_rows]}),
            batch_size=None,
            batch_format="pyarrow",
            zero_copy_batch=True,
        )
        return total(counted, "n")

    with ExitStack() as stack:
        stack.enter_context(warnings.catch_warnings())
        warnings.simplefilter("ignore", DeprecationWarning)  # Ray's, of its own options
        ray.init(
            num_cpus=N_WORKERS,
            include_dashboard=False,
            log_to_driver=False,
            logging_level="ERROR",
        )
        stack.callback(ray.shutdown)
        ray.data.DataContext.get_current().enable_progress_bars = False
        logging.getLogger("ray.data").setLevel("ERROR")
        yield Engine(count, idle)


ENGINES = {
    "one process, streaming": streaming,
    f"Dask, {N_WORKERS} workers": on_dask,
    f"Ray, {N_WORKERS} workers": on_ray,
}

if __name__ == "__main__":
    main()
