"""Batches that a caller yields: any sizes, the same rows each time; and the thread that reads."""

import contextlib
import contextvars
import gc
import itertools
import multiprocessing
import os
import signal
import threading
import time
from collections.abc import Iterator

import hypothesis.strategies as st
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings

from conflearn.errors import (
    InputTypeError,
    LabelError,
    ProbabilityError,
    ShapeError,
    SourceError,
)
from conflearn.sources import open_source
from conflearn.sources import source as source_module
from conflearn.sources.ahead import read_ahead
from expected import refused
from streamed import assert_gives, n_readers, whole

N, K = 500, 4


@pytest.fixture
def probs():
    return np.random.default_rng(0).random((N, K))


@pytest.fixture
def labels():
    return np.random.default_rng(1).integers(0, K, N)


@pytest.fixture(autouse=True)
def _no_thread_stays():
    yield
    gc.collect()
    deadline = time.monotonic() + 5
    while n_readers() > 0 and time.monotonic() < deadline:
        time.sleep(0.01)
    assert n_readers() == 0


class Loader:
    """Yields batches anew each time, as a DataLoader does, in lists."""

    def __init__(self, labels, pred_probs, sizes):
        self.cuts = np.cumsum(sizes)
        self.labels, self.pred_probs = labels, pred_probs

    def __iter__(self):
        for start, stop in itertools.pairwise([0, *self.cuts]):
            yield [self.labels[start:stop], self.pred_probs[start:stop]]


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    sizes=st.lists(st.integers(0, 90), max_size=20),
    block=st.integers(1, 4000),
    rows=st.integers(1, 200),
    first_row=st.integers(0, N - 1),
    dtype=st.sampled_from(["f2", "f4", "f8"]),
)
def test_batches_of_any_sizes(sizes, block, rows, first_row, dtype, probs, labels, monkeypatch):
    monkeypatch.setattr(source_module, "BLOCK_BYTES", block)
    monkeypatch.setattr(source_module, "BLOCK_ROWS", rows)
    matrix = probs.astype(dtype)
    sizes = [*sizes, max(N - sum(sizes), 0)]
    source = open_source(None, Loader(labels, matrix, sizes))
    assert source.n_examples is None
    assert source.fingerprint == ""
    found = assert_gives(source, labels, matrix, first_row)
    assert max(found.sizes) <= source.block_rows
    assert source.n_examples == N
    assert_gives(source, labels, matrix)


def test_small_batches_are_put_together(probs, labels):
    found = assert_gives(open_source(None, Loader(labels, probs, [5] * 100)), labels, probs)
    assert found.sizes == [N]
    assert found.places == ["batches 0 to 99"]


def test_lists_functions_and_generators_of_pairs(probs, labels):
    pairs = list(Loader(labels, probs, [100] * 5))
    assert_gives(open_source(None, pairs), labels, probs)
    assert_gives(open_source(None, tuple(map(tuple, pairs))), labels, probs)
    assert_gives(open_source(None, lambda: iter(pairs)), labels, probs)
    assert_gives(open_source(None, dict(enumerate(pairs)).values()), labels, probs)


def test_batches_of_lists_and_names(probs, labels):
    names = np.array(["a", "b", "c", "d"])[labels]
    pairs = [(names[:200].tolist(), probs[:200].tolist()), (names[200:], probs[200:])]
    assert_gives(open_source(None, pairs, classes=iter("abcd")), labels, probs)
    names[300] = "e"
    with refused(LabelError, "labels[300] is 'e'"):
        whole(open_source(None, pairs, classes=list("abcd")))


def test_other_dtypes_begin_a_block(probs, labels):
    pairs = [(labels[:200], probs[:200].astype("f4")), (labels[200:], probs[200:])]
    found = whole(open_source(None, pairs))
    assert found.sizes == [200, 300]
    np.testing.assert_array_equal(found.pred_probs[200:], probs[200:])


def test_a_caller_may_fill_the_same_arrays_anew(probs, labels):
    def batches():
        some_labels, some_probs = np.empty(50, int), np.empty((50, K))
        for start in range(0, N, 50):
            some_labels[:], some_probs[:] = labels[start : start + 50], probs[start : start + 50]
            yield some_labels, some_probs
        some_probs[:] = -1

    assert_gives(open_source(None, batches), labels, probs)


def test_one_column_of_two_classes(labels):
    scores = np.random.default_rng(0).normal(size=N)
    pairs = [(labels[:100] % 2, scores[:100]), (labels[100:] % 2, scores[100:, None])]
    source = open_source(None, pairs, kind="scores")
    assert_gives(source, labels % 2, np.column_stack([-scores, scores]))


# --- What cannot be read -------------------------------------------------------------------------


def test_iterators_are_refused(probs, labels):
    loader = Loader(labels, probs, [N])
    for once in (iter(loader), map(tuple, loader), zip([labels], [probs], strict=True)):
        with refused(InputTypeError, "pred_probs is an iterator", "the function itself"):
            open_source(None, once)


@pytest.mark.parametrize(
    ("batch", "error", "essentials"),
    [
        (3, InputTypeError, ["batch 0", "int", "pair (labels, pred_probs)"]),
        ((1, 2, 3), InputTypeError, ["batch 0", "of 3 entries", "pair"]),
        ({"labels": [0]}, InputTypeError, ["batch 0", "dict", "pair"]),
        ((np.ones((2, 2)), np.ones(2)), InputTypeError, ["batch 0", "(pred_probs, labels)"]),
        (([0], [[0.5]]), ShapeError, ["pred_probs of batch 0", "at least two columns"]),
        (([0, 1], [[0.5, 0.5]]), ShapeError, ["labels has 2 entries", "1 rows"]),
        (([0], [[0.5, None]]), ProbabilityError, ["pred_probs of batch 0[0, 1] is missing"]),
    ],
)
def test_batches_that_are_none(batch, error, essentials):
    with refused(error, *essentials):
        whole(open_source(None, [batch]))


def test_functions_that_return_no_batches():
    for made in (None, 3):
        with refused(InputTypeError, "a function that returned", f"{made}, of type", "yield pairs"):
            open_source(None, lambda made=made: made)


def test_labels_beside_batches(probs, labels):
    loader = Loader(labels, probs, [300, 200])
    for batches in (loader, lambda: loader, iter(loader)):
        with refused(InputTypeError, "batches hold their labels", "pass None as labels"):
            open_source(labels, batches)


class RandomSampler:
    """Is called like that of torch."""


class DistributedSampler:
    def __init__(self, shuffle):
        self.shuffle = shuffle


@pytest.mark.parametrize("sampler", [RandomSampler(), DistributedSampler(shuffle=True)])
def test_loaders_that_shuffle(sampler, probs, labels):
    loader = Loader(labels, probs, [300, 200])
    loader.sampler = sampler
    with refused(InputTypeError, "Loader", type(sampler).__name__, "shuffle=False"):
        open_source(None, loader)
    loader.sampler = DistributedSampler(shuffle=False)
    assert_gives(open_source(None, loader), labels, probs)
    loader.sampler = object()  # such as torch's SequentialSampler
    assert_gives(open_source(None, loader), labels, probs)


def test_no_batch_with_rows():
    for pairs in ([], [([], np.empty((0, 3)))], [([], [])]):
        with refused(ShapeError, "no batch with rows"):
            open_source(None, pairs)


def test_other_numbers_of_columns(probs, labels):
    pairs = [(labels[:9], probs[:9]), (labels[:9] % 3, probs[:9, :3])]
    with refused(ShapeError, "batch 1 has 3 columns", "the first batch has 4"):
        whole(open_source(None, pairs))


@pytest.mark.parametrize(
    ("later", "essential"),
    [
        (lambda y, p: (y[:-1], p[:-1]), "500 rows, this one 499"),
        (lambda y, p: (np.append(y, 0), np.vstack([p, p[:1]])), "500 rows, this one has more"),
        (lambda y, p: (y[::-1], p[::-1]), "another order"),
    ],
)
def test_passes_that_differ(later, essential, probs, labels):
    passes = iter([(labels, probs), (labels, probs), later(labels, probs)])
    source = open_source(None, lambda: iter([next(passes)]))
    whole(source)
    with refused(SourceError, "other batches in each pass", essential, "same rows"):
        whole(source, 100)


def test_a_pass_that_was_left_says_nothing_of_the_next(probs, labels):
    source = open_source(None, Loader(labels, probs, [1] * N))
    next(source.blocks())
    assert_gives(source, labels, probs)


# --- The thread ----------------------------------------------------------------------------------


def test_errors_come_with_their_type_after_what_came_before(probs, labels):
    class OwnError(Exception):
        pass

    def batches():
        yield labels, probs
        yield labels[:3].astype("f4"), probs[:3].astype("f4")
        raise OwnError("mine")

    source = open_source(None, batches)
    blocks = source.blocks()
    assert next(blocks).first_row == 0
    with pytest.raises(OwnError, match="mine"):
        for _ in blocks:
            pass


@pytest.mark.parametrize("error", [KeyboardInterrupt, SystemExit, GeneratorExit, StopIteration])
def test_errors_that_end_things(error):
    def items():
        yield 1
        raise error

    expected = RuntimeError if error is StopIteration else error
    with pytest.raises(expected):
        list(read_ahead(items))


@pytest.fixture
def interruptible() -> Iterator[None]:
    """As in a terminal: in the background of a shell, Ctrl-C is ignored."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.mark.usefixtures("interruptible")
def test_ctrl_c_while_a_block_is_waited_for():
    def items():
        time.sleep(0.2)
        os.kill(os.getpid(), signal.SIGINT)
        time.sleep(0.2)
        yield 2

    with pytest.raises(KeyboardInterrupt):
        next(read_ahead(items))


@pytest.mark.usefixtures("interruptible")
def test_ctrl_c_does_not_wait_for_what_takes_long():
    """A handler of another library lets the wait go on, and only asks for the interrupt."""
    go_on, is_over = threading.Event(), threading.Event()

    def items():
        time.sleep(0.1)
        signal.raise_signal(signal.SIGINT)
        go_on.wait(60)
        is_over.set()
        yield 2

    with pytest.raises(KeyboardInterrupt):
        next(read_ahead(items))
    assert not is_over.is_set()
    go_on.set()


def test_ctrl_c_while_an_item_is_used_does_not_wait_either():
    go_on, is_over = threading.Event(), threading.Event()

    def items():
        yield 1
        go_on.wait(60)
        is_over.set()

    def use():
        with contextlib.closing(read_ahead(items)) as ahead:
            for _ in ahead:
                raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        use()
    assert not is_over.is_set()
    go_on.set()


def test_closing_ends_the_thread_and_its_generator():
    closed = threading.Event()

    def items():
        try:
            yield from itertools.count()
        finally:
            closed.set()

    for n in range(5):
        closed.clear()
        ahead = read_ahead(items)
        assert list(itertools.islice(ahead, n)) == list(range(n))
        ahead.close()
        assert closed.is_set() or n == 0
        assert n_readers() == 0


def test_what_is_never_asked_for_is_never_begun():
    read_ahead(lambda: pytest.fail("begun")).close()


def test_no_more_than_three_items_at_a_time():
    made = []

    def items():
        for i in range(20):
            made.append(i)
            yield i

    for i in read_ahead(items):
        time.sleep(0.002)
        assert len(made) <= i + 3


def test_the_caller_s_context_is_there():
    variable = contextvars.ContextVar("variable", default=0)
    variable.set(7)

    def items():
        yield variable.get()

    assert list(read_ahead(items)) == [7]


def test_a_forked_child_can_leave_a_pass():
    ahead = read_ahead(iter_forever)
    next(ahead)
    process = multiprocessing.get_context("fork").Process(target=ahead.close)
    process.start()
    process.join(20)
    assert process.exitcode == 0
    ahead.close()


def iter_forever():
    yield from itertools.count()
