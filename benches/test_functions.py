"""Every public function that reads the matrix, beside R, blocked numpy and cleanlab.

Nothing here fails for being slow: times belong into a table, not into an assertion.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Literal, NamedTuple

import pytest
from calls import CALLS, CELLS_UNASKED, DEFAULT, Call, Implementation, fits_cleanlab
from data import SIZES, Dtype, Order, Problem, Size, make
from pytest_benchmark.fixture import BenchmarkFixture
from read import read

ROUNDS = 5
BYTES_WORTH_FEW_ROUNDS = 500_000_000
WHO: tuple[Implementation | Literal["read"], ...] = (
    "read",
    "conflearn",
    "blocked numpy",
    "cleanlab",
)


class Layout(NamedTuple):
    """How the matrix lies in memory; without a dtype, in the one its size usually has."""

    dtype: Dtype | None
    order: Order


USUAL = Layout(None, "C")
UNUSUAL = (Layout("float16", "C"), Layout("float64", "C"), Layout("float32", "F"))
# Grouped by layout, so that each matrix is made once and is gone before the next one.
CASES = [
    *((USUAL, call, who) for call in CALLS for who in WHO),
    *((layout, DEFAULT, who) for layout in UNUSUAL for who in WHO),
]


class Prepared(NamedTuple):
    """Data, and what it is called."""

    size: Size
    layout: Layout
    problem: Problem


@pytest.fixture(scope="module")
def prepared(request: pytest.FixtureRequest) -> Prepared:
    """Data of the size that was chosen, in one layout."""
    layout: Layout = request.param
    named = SIZES[request.config.getoption("--size")]
    size = replace(named, dtype=layout.dtype or named.dtype)
    return Prepared(size, layout, make(size, order=layout.order))


@pytest.mark.parametrize(
    ("prepared", "call", "who"),
    CASES,
    indirect=["prepared"],
    ids=lambda value: "-".join(filter(None, value)) if isinstance(value, Layout) else str(value),
)
def test_function(
    prepared: Prepared,
    call: Call,
    who: Implementation | Literal["read"],
    benchmark: BenchmarkFixture,
    pytestconfig: pytest.Config,
) -> None:
    """Time one function; R stands in every group, to be compared with."""
    size, layout, (labels, pred_probs) = prepared
    benchmark.group = f"{call}, {size} in {layout.order} order"
    if who == "read":
        benchmark(read, pred_probs)
        return
    method = call.by(who, size)
    if method is None:
        pytest.skip("needs a dense joint of too many classes")
    if who == "cleanlab":
        if pred_probs.size > CELLS_UNASKED and not pytestconfig.getoption("--cleanlab"):
            pytest.skip("takes cleanlab many seconds; ask for it with --cleanlab")
        if not fits_cleanlab(pred_probs):
            pytest.skip("does not fit in the memory that is free")
    if pred_probs.nbytes < BYTES_WORTH_FEW_ROUNDS:
        benchmark(method, labels, pred_probs)
    else:
        rounds = ROUNDS if who == "conflearn" else 1
        benchmark.pedantic(  # type: ignore[no-untyped-call]
            method, (labels, pred_probs), rounds=rounds, warmup_rounds=rounds // ROUNDS
        )
