"""The same answer always, to the bit: threads, memory orders, CPU levels, widths, row orders.

Run as a program, this file writes the answers for its data into the file named on the command
line: that is how another process, with another CPU level, is asked for them.
"""

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import conflearn
from conflearn.errors import ConflearnCopyWarning
from strategies import FILTERS, JUDGES, SCORES, Data, random_data

Answers = dict[str, np.ndarray]


def everything(labels: Any, pred_probs: Any, **options: Any) -> Answers:
    """The answer of every function that takes labels and a matrix."""
    data = (labels, pred_probs)
    answers = {
        "thresholds": conflearn.confident_thresholds(*data, **options),
        "joint": conflearn.estimate_joint(*data, **options),
        "counts": conflearn.confident_joint(*data, calibrate=False, **options),
        "calibrated": conflearn.confident_joint(*data, **options),
        "off_diagonal": conflearn.off_diagonal_examples(*data, **options),
        "number": np.array(conflearn.num_label_issues(*data, **options)),
    }
    for method in SCORES + JUDGES:
        answers[f"scores by {method}"] = conflearn.label_quality_scores(
            *data, method=method, **options
        )
        answers[f"ranked by {method}"] = conflearn.rank_label_issues(
            *data, rank_by=method, **options
        )
    for method in SCORES[:2]:  # entropy is not for adjusting
        answers[f"scores by adjusted {method}"] = conflearn.label_quality_scores(
            *data, method=method, adjust_pred_probs=True, **options
        )
    for filter_by in FILTERS + JUDGES:
        answers[f"mask by {filter_by}"] = conflearn.find_label_issues(
            *data, filter_by=filter_by, **options
        )
    for judge in JUDGES:
        analysis = conflearn.analyze(*data, filter_by=judge, **options)
        answers[f"scores of the analysis by {judge}"] = analysis.scores[judge]
        answers[f"suggested by {judge}"] = analysis.suggested_labels
    for mode in ("hard", "soft", "importance"):
        answers[f"weights by {mode}"] = conflearn.sample_weights(*data, mode=mode, **options)
    analysis = conflearn.analyze(*data, **options)
    answers["analysis"] = analysis.ranked
    answers["suggested"] = analysis.suggested_labels
    answers["checks on the way"] = np.array(str(analysis.checks))
    answers["checks"] = np.array(str(conflearn.check_inputs(*data, **options)))
    names = options.pop("classes", None)
    health = conflearn.dataset_health(*data, class_names=names, **options)
    answers["health"] = np.array(health.health_score)
    answers["classes"] = health.classes.label_quality
    answers["overlapping classes"] = health.overlapping_classes(None).num_examples
    return answers


#: These stand on a pseudo-inverse, of which LAPACK's threads decide the last bit.
BY_LAPACK = ("weights by soft", "weights by importance")


def assert_same_but_sums(narrow: Answers, wide: Answers) -> None:
    """Entropies and judges add narrow cells up in float32."""
    for name in ("confidence_weighted_entropy", *JUDGES):
        for answers in (narrow, wide):
            answers.pop(f"ranked by {name}")
        scores = f"scores by {name}"
        np.testing.assert_allclose(narrow.pop(scores), wide.pop(scores), atol=3e-7)
    for judge in JUDGES:
        for what in ("mask", "scores of the analysis", "suggested"):
            for answers in (narrow, wide):
                answers.pop(f"{what} by {judge}")
    assert_same(narrow, wide)


def assert_same(answers: Answers, expected: Answers) -> None:
    for name, value in expected.items():
        assert answers[name].dtype == value.dtype, name
        if name in BY_LAPACK:
            np.testing.assert_allclose(answers[name], value, rtol=1e-9)
        else:
            assert answers[name].tobytes() == value.tobytes(), name


# --- Threads


@pytest.mark.parametrize("n_threads", [2, 3, 7])
@pytest.mark.parametrize(("n_examples", "n_classes"), [(30_011, 7), (4001, 130), (5, 3)])
def test_the_number_of_threads_does_not_show(
    n_examples: int, n_classes: int, n_threads: int, width: np.dtype
) -> None:
    labels, pred_probs = random_data(n_examples, n_classes)
    pred_probs = pred_probs.astype(width)
    assert_same(
        everything(labels, pred_probs, n_threads=n_threads),
        everything(labels, pred_probs, n_threads=1),
    )


# --- Memory orders


def window(matrix: np.ndarray) -> np.ndarray:
    rows, columns = matrix.shape
    larger = np.full((rows + 4, columns + 5), 7, dtype=matrix.dtype)
    view = larger[2 : rows + 2, 3 : columns + 3]
    view[...] = matrix
    return view


def unaligned(matrix: np.ndarray) -> np.ndarray:
    memory = np.zeros(matrix.nbytes + 1, dtype=np.uint8)
    view = memory[1:].view(matrix.dtype).reshape(matrix.shape)
    view[...] = matrix
    assert not view.flags.aligned
    return view


def record_field(matrix: np.ndarray) -> np.ndarray:
    """Rows whose distance is no multiple of the size of a cell."""
    records = np.zeros(len(matrix), dtype=[("id", "u1"), ("row", matrix.dtype, matrix.shape[1])])
    records["row"] = matrix
    return records["row"]


def read_only(matrix: np.ndarray) -> np.ndarray:
    copy = matrix.copy()
    copy.flags.writeable = False
    return copy


MEMORY_ORDERS: dict[str, Callable[[np.ndarray], np.ndarray]] = {
    "Fortran": np.asfortranarray,
    "every other row": lambda matrix: np.repeat(matrix, 2, axis=0)[::2],
    "every other column": lambda matrix: np.repeat(matrix, 2, axis=1)[:, ::2],
    "rows backwards": lambda matrix: matrix[::-1].copy()[::-1],
    "columns backwards": lambda matrix: matrix[:, ::-1].copy()[:, ::-1],
    "both backwards": lambda matrix: matrix[::-1, ::-1].copy()[::-1, ::-1],
    "Fortran backwards": lambda matrix: matrix[::-1].copy(order="F")[::-1],
    "a window": window,
    "a window of Fortran": lambda matrix: window(matrix.T).T,
    "unaligned": unaligned,
    "unaligned Fortran": lambda matrix: unaligned(matrix.T).T,
    "a field of records": record_field,
    "read-only": read_only,
}


@pytest.mark.parametrize("order", MEMORY_ORDERS)
@pytest.mark.parametrize(("n_examples", "n_classes"), [(1003, 5), (307, 67)])
def test_the_memory_order_does_not_show(
    n_examples: int, n_classes: int, order: str, width: np.dtype
) -> None:
    labels, pred_probs = random_data(n_examples, n_classes)
    pred_probs = pred_probs.astype(width)
    ordered = MEMORY_ORDERS[order](pred_probs)
    np.testing.assert_array_equal(ordered, pred_probs)
    assert_same(everything(labels, ordered), everything(labels, pred_probs))


@pytest.mark.parametrize("order", MEMORY_ORDERS)
def test_a_large_matrix_is_read_in_place_in_any_order(order: str, width: np.dtype) -> None:
    labels, pred_probs = random_data(20_000, 64)
    pred_probs = pred_probs.astype(width)
    expected = conflearn.find_label_issues(labels, pred_probs)
    mask = conflearn.find_label_issues(labels, MEMORY_ORDERS[order](pred_probs))  # warns of a copy
    np.testing.assert_array_equal(mask, expected)


def test_a_matrix_on_disk_is_read_in_place(tmp_path: Path, width: np.dtype) -> None:
    labels, pred_probs = random_data(1003, 67)
    pred_probs = pred_probs.astype(width)
    path = tmp_path / "pred_probs.bin"
    pred_probs.tofile(path)
    mapped = np.memmap(path, dtype=width, mode="r", shape=pred_probs.shape)
    assert_same(everything(labels, mapped), everything(labels, pred_probs))


@pytest.mark.parametrize(
    "reorder",
    [
        lambda labels: np.repeat(labels, 3)[::3],
        lambda labels: labels[::-1].copy()[::-1],
        read_only,
        lambda labels: labels.astype(">i4"),
    ],
    ids=["strided", "backwards", "read-only", "big-endian"],
)
def test_the_memory_order_of_labels_does_not_show(
    reorder: Callable[[np.ndarray], np.ndarray],
) -> None:
    labels, pred_probs = random_data(503, 5)
    assert_same(everything(reorder(labels), pred_probs), everything(labels, pred_probs))


# --- Widths and containers


def test_a_narrow_matrix_means_its_exact_values(width: np.dtype) -> None:
    labels, pred_probs = random_data(2003, 11)
    narrow = pred_probs.astype(width)
    assert_same_but_sums(everything(labels, narrow), everything(labels, narrow.astype(float)))


@pytest.mark.parametrize("dtype", ["i1", "i2", "i4", "i8", "u1", "u2", "u4", "u8", "f4", "f8"])
def test_the_width_of_labels_does_not_show(dtype: str) -> None:
    labels, pred_probs = random_data(503, 5)
    assert_same(everything(labels.astype(dtype), pred_probs), everything(labels, pred_probs))


def test_bools_are_labels_of_two_classes() -> None:
    labels, pred_probs = random_data(503, 2)
    assert_same(everything(labels == 1, pred_probs), everything(labels, pred_probs))


@pytest.mark.parametrize("convert", [np.array, list, np.ndarray.tolist], ids=lambda f: f.__name__)
def test_names_mean_their_place_in_classes(convert: Callable[..., Any]) -> None:
    labels, pred_probs = random_data(503, 3)
    names = ["zebra", "ant", "cow"]
    named = convert(np.array(names)[labels])
    assert_same(everything(named, pred_probs, classes=names), everything(labels, pred_probs))


def frames(name: str, matrix: np.ndarray) -> Any:
    if name == "lists":
        return matrix.tolist()
    module = pytest.importorskip(name)
    columns = {f"class {k}": column for k, column in enumerate(matrix.T)}
    if name == "torch":
        return module.from_numpy(matrix)
    return module.table(columns) if name == "pyarrow" else module.DataFrame(columns)


@pytest.mark.filterwarnings("ignore::conflearn.ConflearnCopyWarning")
@pytest.mark.parametrize("name", ["lists", "pandas", "polars", "pyarrow", "torch"])
def test_a_matrix_may_come_in_any_container(name: str) -> None:
    labels, pred_probs = random_data(503, 5)
    assert_same(everything(labels, frames(name, pred_probs)), everything(labels, pred_probs))


@pytest.mark.parametrize("name", ["lists", "pandas", "polars", "torch"])
def test_labels_may_come_in_any_container(name: str) -> None:
    labels, pred_probs = random_data(503, 5)
    if name == "lists":
        column = labels.tolist()
    else:
        module = pytest.importorskip(name)
        column = module.tensor(labels) if name == "torch" else module.Series(labels)
    assert_same(everything(column, pred_probs), everything(labels, pred_probs))


def test_the_bfloat16_of_torch_is_read_as_it_is() -> None:
    torch = pytest.importorskip("torch")
    labels, pred_probs = random_data(503, 5)
    tensor = torch.from_numpy(pred_probs).to(torch.bfloat16)
    assert_same_but_sums(everything(labels, tensor), everything(labels, tensor.double().numpy()))


@pytest.mark.parametrize("convert", [lambda p: p.astype(">f8"), lambda p: (p > 0.5).astype(int)])
def test_a_copy_of_a_large_matrix_is_not_made_silently(
    convert: Callable[[np.ndarray], np.ndarray],
) -> None:
    labels, pred_probs = random_data(20_000, 64)
    converted = convert(pred_probs)
    with pytest.warns(ConflearnCopyWarning, match="pred_probs"):
        mask = conflearn.find_label_issues(labels, converted)
    expected = conflearn.find_label_issues(labels, converted.astype(np.float64))
    np.testing.assert_array_equal(mask, expected)


# --- Row orders


@pytest.mark.parametrize("seed", range(5))
def test_the_order_of_rows_does_not_show(seed: int) -> None:
    labels, pred_probs = random_data(5003, 4, seed=seed)  # no ties: there the order decides
    order = np.random.default_rng(seed).permutation(len(labels))
    back = np.argsort(order)
    shuffled = everything(labels[order], pred_probs[order])
    for name, value in shuffled.items():
        if name.startswith(("mask", "scores", "suggested", "weights")):
            shuffled[name] = value[back]
        elif name.startswith(("ranked", "analysis")):
            shuffled[name] = order[value]
        elif name == "off_diagonal":
            shuffled[name] = np.sort(order[value])
    expected = everything(labels, pred_probs)
    # The noise floor is fitted to a sample that goes by the numbers of rows, and in their order.
    for name in [name for name in expected if "noise_floor" in name]:
        one, other = shuffled.pop(name), expected.pop(name)
        if name.startswith("scores"):
            np.testing.assert_allclose(one, other, atol=1e-5)
    assert_same(shuffled, expected)


def test_the_order_of_rows_does_not_show_in_sums(width: np.dtype) -> None:
    labels, pred_probs = random_data(5003, 4)
    pred_probs = pred_probs.astype(width)
    order = np.random.default_rng(0).permutation(len(labels))
    thresholds = conflearn.confident_thresholds(labels, pred_probs)
    shuffled = conflearn.confident_thresholds(labels[order], pred_probs[order])
    assert thresholds.tobytes() == shuffled.tobytes()


# --- CPU levels

FLAGS_NEEDED = {
    "baseline": set(),
    "avx2": {"avx2"},
    "avx512": {"avx512f", "avx512bw", "avx512dq", "avx512vl"},
}


def cpu_flags() -> set[str]:
    path = Path("/proc/cpuinfo")
    lines = path.read_text().splitlines() if path.exists() else []
    return set(next((line for line in lines if line.startswith("flags")), "").split())


def widths_here() -> list[np.dtype]:
    widths = [np.dtype(name) for name in ("float16", "float32", "float64")]
    try:
        import ml_dtypes
    except ModuleNotFoundError:
        return widths
    return [*widths, np.dtype(ml_dtypes.bfloat16)]


def answers_for_all_shapes() -> Answers:
    """Answers for widths and numbers of classes around the sizes of vector registers."""
    answers = {}
    for dtype in widths_here():
        for n_classes in (2, 3, 7, 8, 9, 15, 16, 17, 31, 33, 63, 64, 65, 100, 257):
            labels, pred_probs = random_data(211, n_classes, seed=n_classes)
            tied = pred_probs.round(1)
            tied[:, 0] = np.maximum(tied[:, 0], 0.125)  # no row of zeros
            narrow = pred_probs.astype(dtype)
            matrices = {"C": narrow, "F": np.asfortranarray(narrow), "tied": tied.astype(dtype)}
            for order, matrix in matrices.items():
                for name, value in everything(labels, matrix).items():
                    answers[f"{dtype} {n_classes} {order} {name}"] = value
    return answers


@pytest.fixture(scope="module")
def answers_here() -> Answers:
    return answers_for_all_shapes()


@pytest.mark.parametrize("level", FLAGS_NEEDED)
def test_the_cpu_level_does_not_show(level: str, answers_here: Answers, tmp_path: Path) -> None:
    if not cpu_flags() >= FLAGS_NEEDED[level]:
        pytest.skip(f"this CPU has no {level}")
    path = tmp_path / "answers.npz"
    environment = {**os.environ, "CONFLEARN_SIMD": level}
    subprocess.run([sys.executable, __file__, str(path)], env=environment, check=True, timeout=300)
    with np.load(path) as answers:
        assert_same(dict(answers), answers_here)


def test_real_data_does_not_show_threads_or_memory_orders(real_data: Data) -> None:
    labels, pred_probs = real_data
    expected = everything(labels, pred_probs)
    assert_same(everything(labels, np.asfortranarray(pred_probs), n_threads=3), expected)


if __name__ == "__main__":
    np.savez(sys.argv[1], allow_pickle=False, **answers_for_all_shapes())
