"""Every public function that reads the matrix, beside R, blocked numpy and cleanlab.

Nothing here fails for being slow: times belong into a table, not into an assertion.
"""

from dataclasses import replace
from typing import Literal, NamedTuple

import pytest
from pytest_benchmark.fixture import BenchmarkFixture

from calls import CALLS, CELLS_UNASKED, DEFAULT, Call, Implementation, fits_cleanlab
from data import SIZES, Dtype, Order, Problem, Size, make
from read import read

ROUNDS = 5
BYTES_WORTH_FEW_ROUNDS = 500_000_000

Who = Implementation | Literal["read"]
WHO: tuple[Who, ...] = ("read", "conflearn", "blocked numpy", "cleanlab")


class Layout(NamedTuple):
    """How the matrix lies in memory; without a dtype, in the one its size usually has."""

    dtype: Dtype | None
    order: Order


class Prepared(NamedTuple):
    """Data, and what it is called."""

    size: Size
    layout: Layout
    problem: Problem


@pytest.fixture(scope="module")
def prepared(request: pytest.FixtureRequest) -> Prepared:
    """Make data of the chosen size in one layout; it is gone before the next is made."""
    layout: Layout = request.param
    named = SIZES[request.config.getoption("--size")]
    size = replace(named, dtype=layout.dtype or named.dtype)
    return Prepared(size, layout, make(size, order=layout.order))


each_implementation = pytest.mark.parametrize("who", WHO)


@pytest.mark.parametrize("prepared", [Layout(None, "C")], ids=["usual"], indirect=True)
@pytest.mark.parametrize("call", CALLS, ids=str)
@each_implementation
def test_function(
    prepared: Prepared,
    call: Call,
    who: Who,
    benchmark: BenchmarkFixture,
    pytestconfig: pytest.Config,
) -> None:
    """All functions, on the layout that the size usually has."""
    measure(prepared, call, who, benchmark, pytestconfig)


@pytest.mark.parametrize(
    "prepared",
    [Layout("float16", "C"), Layout("float64", "C"), Layout("float32", "F")],
    ids=["float16", "float64", "Fortran"],
    indirect=True,
)
@each_implementation
def test_layout(
    prepared: Prepared, who: Who, benchmark: BenchmarkFixture, pytestconfig: pytest.Config
) -> None:
    """The default filter on other dtypes and in the other order."""
    measure(prepared, DEFAULT, who, benchmark, pytestconfig)


def measure(
    prepared: Prepared,
    call: Call,
    who: Who,
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
