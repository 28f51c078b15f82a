"""Columns of results, in memory and in files; the order of more than memory has room for."""

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from unittest import mock

import hypothesis.strategies as st
import numpy as np
import pytest
from hypothesis import given

from conflearn.errors import StateError
from conflearn.stream import order, result_columns
from conflearn.stream.order import RECORD, sorted_records
from conflearn.stream.result_columns import Column, FileColumn, MemoryColumn
from expected import refused


@contextmanager
def columns(dtype: Any, *, window: int = 5) -> Iterator[list[Column]]:
    """One of each kind."""
    with (
        tempfile.TemporaryDirectory() as folder,
        mock.patch.object(result_columns, "WINDOW", window),
    ):
        file = FileColumn("file", dtype, Path(folder) / "file.npy")
        yield [MemoryColumn("room", dtype, 40), MemoryColumn("grows", dtype), file]
        file.close()


actions = st.lists(
    st.one_of(
        st.tuples(st.just("append"), st.integers(0, 13)),
        st.tuples(st.just("resize"), st.integers(0, 30)),
        st.tuples(st.just("patch"), st.lists(st.integers(0, 60), unique=True).map(sorted)),
    ),
    max_size=12,
)


@pytest.mark.parametrize("dtype", [np.bool_, np.int64, np.float64, RECORD])
@given(actions=actions, window=st.integers(1, 20))
def test_a_column_is_an_array_that_grows(dtype: Any, actions: Any, window: int) -> None:
    rng = np.random.default_rng(0)
    expected = np.empty(0, dtype=dtype)
    with columns(dtype, window=window) as tried:
        for action, argument in actions:
            if action == "append":
                values = _random(rng, argument, dtype)
                expected = np.concatenate([expected, values])
                for column in tried:
                    column.append(values)
            elif action == "resize":
                more = np.zeros(max(argument - len(expected), 0), dtype=dtype)
                expected = np.concatenate([expected[:argument], more])
                for column in tried:
                    column.resize(argument)
            else:
                rows = np.array([row for row in argument if row < len(expected)], dtype=np.int64)
                values = _random(rng, len(rows), dtype)
                expected[rows] = values
                for column in tried:
                    column.patch(rows, values)
                    assert column.take(rows).tobytes() == values.tobytes()
        for column in tried:
            assert len(column) == len(expected)
            assert column.array().tobytes() == expected.tobytes()
            parts = list(column.windows())
            assert b"".join(part.tobytes() for part in parts) == expected.tobytes()
            middle = list(column.windows(len(expected) // 3, len(expected) // 2))
            inside = expected[len(expected) // 3 : len(expected) // 2]
            assert b"".join(part.tobytes() for part in middle) == inside.tobytes()


def _random(rng: np.random.Generator, n: int, dtype: Any) -> np.ndarray:
    if dtype is not RECORD:
        return rng.integers(0, 2 if dtype is np.bool_ else 1000, n).astype(dtype)
    values = np.zeros(n, dtype=dtype)
    values["score"], values["row"] = rng.random(n), rng.integers(0, 9, n)
    return values


def test_a_single_value_is_patched_too() -> None:
    with columns(np.bool_) as tried:
        for column in tried:
            column.resize(12)
            column.patch(np.array([1, 7, 11]), True)
            assert np.flatnonzero(column.array()).tolist() == [1, 7, 11]


def test_a_finished_file_is_read_by_numpy(tmp_path: Path) -> None:
    column = FileColumn("a", np.int64, tmp_path / "a.npy")
    for start in range(0, 1000, 10):
        column.append(np.arange(start, start + 10))
    column.finish()
    column.close()
    assert np.load(tmp_path / "a.npy").tolist() == list(range(1000))


def test_a_column_goes_on_where_it_was(tmp_path: Path) -> None:
    for start in (0, 10, 20):
        column = FileColumn("a", np.int64, tmp_path / "a.npy")
        assert len(column) == start
        column.append(np.arange(start, start + 10))
        column.finish()
        column.close()
    assert np.load(tmp_path / "a.npy").tolist() == list(range(30))


def test_a_file_with_another_name_is_left_as_it_is(tmp_path: Path) -> None:
    column = FileColumn("a", np.int64, tmp_path / "a.npy")
    column.append(np.arange(10))
    column.finish()
    column.close()
    (tmp_path / "published.npy").hardlink_to(tmp_path / "a.npy")
    again = FileColumn("a", np.int64, tmp_path / "a.npy")
    again.resize(0)
    again.close()
    assert np.load(tmp_path / "published.npy").tolist() == list(range(10))


def test_a_file_that_somebody_cuts_off_is_named(tmp_path: Path) -> None:
    path = tmp_path / "a.npy"
    column = FileColumn("a", np.int64, path)
    column.append(np.arange(100))
    path.write_bytes(path.read_bytes()[:-8])
    with refused(StateError, str(path), "was cut off by somebody else"):
        column.array()
    column.close()


scores = st.one_of(
    st.lists(st.sampled_from([0.0, -0.0, 0.25, 0.5, 1.0]), max_size=80),
    st.lists(st.floats(-2.0, 2.0), max_size=80),
)


@given(scores=scores, most=st.integers(1, 30), window=st.integers(1, 30))
def test_records_are_sorted_by_score_then_by_row(
    scores: list[float], most: int, window: int
) -> None:
    records = np.zeros(len(scores), dtype=RECORD)
    records["score"], records["row"] = scores, 3 * np.arange(len(scores))
    records["given"] = np.arange(len(scores)) % 7
    expected = records[np.lexsort([records["row"], records["score"] + 0.0])]
    with columns(RECORD, window=window) as tried, mock.patch.object(order, "MOST", most):
        for column, work in ((tried[0], tried[1]), (tried[2], tried[1]), (tried[0], tried[2])):
            column.resize(0)
            work.resize(0)
            column.append(records)
            pieces = list(sorted_records(column, work))
            assert max(map(len, pieces), default=0) <= 2 * most + len(scores) // most
            assert b"".join(piece.tobytes() for piece in pieces) == expected.tobytes()
