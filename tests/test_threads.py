"""Living well with others: the GIL, Ctrl-C, fork, thread counts, and the caller's arrays.

Whatever could hang runs in a process of its own under a watchdog. No test asserts a speed.
"""

import gc
import os
import signal
import subprocess
import sys
import textwrap
import threading
import time
import weakref
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import conflearn
from strategies import random_data

WATCHDOG = 60.0  # seconds until a hang is called a hang

posix_only = pytest.mark.skipif(os.name != "posix", reason="needs POSIX")


def python(program: str, tmp_path: Path, *arguments: str, **environment: str) -> str:
    """What a program prints, run by a Python of its own that is given only so much time.

    It is a file, not a `-c` string, because the processes that it spawns import it.
    """
    path = tmp_path / "program.py"
    path.write_text(textwrap.dedent(program))
    done = subprocess.run(
        [sys.executable, "-W", "ignore::DeprecationWarning", str(path), *arguments],
        env={**without_thread_counts(), **environment},
        capture_output=True,
        text=True,
        timeout=WATCHDOG,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


# --- The GIL


def long_call() -> tuple[float, float]:
    """When one call on one thread began and ended."""
    begin = time.perf_counter()
    conflearn.label_quality_scores(*LONG, method="confidence_weighted_entropy", n_threads=1)
    return begin, time.perf_counter()


LONG = random_data(60_000, 100, dtype=np.float32)
ATTEMPTS = 20  # the scheduler may hold a thread back for longer than a call lasts


@pytest.fixture
def _nobody_is_asked_to_let_the_gil_go() -> Iterator[None]:
    """A thread keeps the GIL until it lets go of its own accord."""
    interval = sys.getswitchinterval()
    sys.setswitchinterval(1000)
    yield
    sys.setswitchinterval(interval)


@pytest.mark.usefixtures("_nobody_is_asked_to_let_the_gil_go")
def test_four_threads_overlap() -> None:
    barrier = threading.Barrier(4)
    windows: list[tuple[float, float]] = []

    def call() -> None:
        barrier.wait()
        windows.append(long_call())

    for _ in range(ATTEMPTS):
        windows.clear()
        threads = [threading.Thread(target=call) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        if max(begin for begin, _ in windows) < min(end for _, end in windows):
            return
    pytest.fail(f"four calls never overlapped, the last windows were {windows}")


@pytest.mark.usefixtures("_nobody_is_asked_to_let_the_gil_go")
def test_python_goes_on_in_the_middle_of_a_call() -> None:
    windows: list[tuple[float, float]] = []
    for _ in range(ATTEMPTS):
        moments = []
        thread = threading.Thread(target=lambda: windows.append(long_call()))
        thread.start()
        while thread.is_alive():
            moments.append(time.perf_counter())
            time.sleep(0)
        begin, end = windows[-1]
        quarter = (end - begin) / 4
        if any(begin + quarter < moment < end - quarter for moment in moments):
            return
    pytest.fail("Python stood still for at least half of every call")


def test_threads_get_their_own_answers() -> None:
    data = [random_data(3000 + seed, 5, seed=seed) for seed in range(8)]
    expected = [conflearn.find_label_issues(*one) for one in data]
    answers: list[Any] = [None] * 8

    def call(number: int) -> None:
        for _ in range(5):
            answers[number] = conflearn.find_label_issues(*data[number], n_threads=2)

    threads = [threading.Thread(target=call, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for answer, mask in zip(answers, expected, strict=True):
        np.testing.assert_array_equal(answer, mask)


# --- Ctrl-C

INTERRUPTIBLE = """
    import signal
    import sys
    import numpy as np
    import conflearn

    signal.signal(signal.SIGINT, signal.default_int_handler)  # a parent may have it ignored
    n_threads = int(sys.argv[1])
    small = np.array([[0.9, 0.1], [0.8, 0.2], [0.7, 0.3], [0.1, 0.9]])
    before = conflearn.find_label_issues([0, 0, 1, 1], small)

    # A row of many cells, repeated without memory: more work than the watchdog allows.
    pred_probs = np.broadcast_to(np.full(400_000, 1e-6, dtype=np.float32), (4_000_000, 400_000))
    labels = np.zeros(len(pred_probs), dtype=np.uint8)
    print("ready", flush=True)
    try:
        conflearn.label_quality_scores(
            labels, pred_probs, method="confidence_weighted_entropy", n_threads=n_threads
        )
    except KeyboardInterrupt:
        print("interrupted", flush=True)
    after = conflearn.find_label_issues([0, 0, 1, 1], small, n_threads=n_threads)
    print("usable" if (after == before).all() else "broken", flush=True)
"""


@posix_only
@pytest.mark.parametrize("n_threads", [1, 2])
def test_ctrl_c_stops_a_long_call_and_leaves_a_usable_process(
    n_threads: int, tmp_path: Path
) -> None:
    path = tmp_path / "program.py"
    path.write_text(textwrap.dedent(INTERRUPTIBLE))
    process = subprocess.Popen(
        [sys.executable, str(path), str(n_threads)], stdout=subprocess.PIPE, text=True
    )
    try:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        time.sleep(0.5)  # now it is somewhere in the middle of the call
        process.send_signal(signal.SIGINT)
        rest, _ = process.communicate(timeout=WATCHDOG)
    finally:
        process.kill()
        process.wait()
    assert rest.split() == ["interrupted", "usable"]
    assert process.returncode == 0


SIGNALLED = """
    import signal
    import sys
    import time
    import numpy as np
    import conflearn

    class Alarm(Exception):
        pass

    handled = []

    def handle(number, frame):
        handled.append(number)
        raise Alarm

    def call():
        return conflearn.label_quality_scores(
            labels, pred_probs, method="confidence_weighted_entropy", n_threads=n_threads
        )

    n_threads = int(sys.argv[1])
    # Long enough for a few looks at the signals, one every 50 ms.
    labels = np.zeros(600_000, dtype=np.uint8)
    pred_probs = np.broadcast_to(np.full(1000, 1e-3, dtype=np.float32), (600_000, 1000))
    expected = call()
    begin = time.perf_counter()
    call()
    duration = time.perf_counter() - begin

    signal.signal(signal.SIGALRM, handle)
    caught = 0
    for step in range(20):
        try:
            # A delay of 0 would take the alarm back.
            signal.setitimer(signal.ITIMER_REAL, max(step / 20 * duration, 1e-6))
            call()
            # It may come a little late, but not never: whatever is left of the delay is here.
            time.sleep(1)
        except Alarm:
            caught += 1
        assert len(handled) == caught == step + 1, (step, handled, caught)
        assert (call() == expected).all(), step
        assert len(handled) == step + 1, step
    print(caught)
"""


@posix_only
@pytest.mark.parametrize("n_threads", [1, 2])
def test_what_a_signal_handler_raises_arrives_once_whenever_it_comes(
    n_threads: int, tmp_path: Path
) -> None:
    assert python(SIGNALLED, tmp_path, str(n_threads)) == "20"


# --- fork, spawn, forkserver

WORK = """
    import sys
    sys.path.insert(0, {tests!r})
    import conflearn
    from strategies import random_data

    def work(seed):
        mask = conflearn.find_label_issues(*random_data(20_000, 5, seed=seed), n_threads=2)
        return mask.tobytes()
"""


def with_work(program: str) -> str:
    """A program that has `work`, and used conflearn before it begins."""
    work = WORK.format(tests=str(Path(__file__).parent))
    return textwrap.dedent(work) + textwrap.dedent(program)


@posix_only
@pytest.mark.parametrize("method", ["fork", "spawn", "forkserver"])
def test_processes_work_after_use(method: str, tmp_path: Path) -> None:
    program = f"""
    if __name__ == "__main__":
        import multiprocessing
        expected = [work(seed) for seed in range(4)]
        with multiprocessing.get_context({method!r}).Pool(2) as pool:
            answers = pool.map(work, range(4))
        print(answers == expected, work(0) == expected[0])
    """
    assert python(with_work(program), tmp_path) == "True True"


@posix_only
def test_a_forked_child_and_its_child_work(tmp_path: Path) -> None:
    program = """
    import os

    def fork_and_compare(depth):
        child = os.fork()
        if child == 0:
            same = work(1) == expected and (depth == 1 or fork_and_compare(depth - 1))
            os._exit(0 if same else 1)
        return os.waitpid(child, 0)[1] == 0

    expected = work(1)
    print(fork_and_compare(2), work(1) == expected)
    """
    assert python(with_work(program), tmp_path) == "True True"


@posix_only
def test_a_child_forked_during_a_call_of_another_thread_works(tmp_path: Path) -> None:
    program = """
    import os
    import threading

    expected = work(1)
    stop = threading.Event()

    def keep_busy():
        while not stop.is_set():
            work(2)

    thread = threading.Thread(target=keep_busy)
    thread.start()
    same = []
    for _ in range(5):
        child = os.fork()
        if child == 0:
            os._exit(0 if work(1) == expected else 1)
        same.append(os.waitpid(child, 0)[1] == 0)
    stop.set()
    thread.join()
    print(all(same))
    """
    assert python(with_work(program), tmp_path) == "True"


@pytest.mark.parametrize("backend", ["loky", "threading", "multiprocessing"])
def test_joblib_works_after_use(backend: str, tmp_path: Path) -> None:
    pytest.importorskip("joblib")
    program = f"""
    if __name__ == "__main__":
        import joblib
        expected = [work(seed) for seed in range(4)]
        parallel = joblib.Parallel(n_jobs=2, backend={backend!r})
        print(parallel(joblib.delayed(work)(seed) for seed in range(4)) == expected)
    """
    assert python(with_work(program), tmp_path) == "True"


# --- How many threads

VARIABLES = ("CONFLEARN_NUM_THREADS", "RAYON_NUM_THREADS", "OMP_NUM_THREADS")
PRINT_N_THREADS = "import conflearn; print(conflearn.n_threads())"


def without_thread_counts() -> dict[str, str]:
    return {name: value for name, value in os.environ.items() if name not in VARIABLES}


@pytest.mark.parametrize("first", range(len(VARIABLES)), ids=VARIABLES)
def test_variables_are_read_in_their_order(first: int, tmp_path: Path) -> None:
    counts = dict(zip(VARIABLES[first:], ["3", "5", "7"], strict=False))
    assert python(PRINT_N_THREADS, tmp_path, **counts) == "3"


def test_without_a_variable_the_available_cpus_are_used(tmp_path: Path) -> None:
    n_threads = int(python(PRINT_N_THREADS, tmp_path))
    assert 1 <= n_threads <= (os.cpu_count() or 1)


@pytest.mark.skipif(not hasattr(os, "sched_setaffinity"), reason="needs CPU affinity")
def test_the_affinity_of_the_process_counts(tmp_path: Path) -> None:
    program = f"""
    import os
    os.sched_setaffinity(0, {{min(os.sched_getaffinity(0))}})
    {PRINT_N_THREADS}
    """
    assert python(program, tmp_path) == "1"


def test_variables_are_read_at_first_use_not_at_import(tmp_path: Path) -> None:
    program = """
    import os
    import conflearn
    os.environ["CONFLEARN_NUM_THREADS"] = "3"
    print(conflearn.n_threads())
    """
    assert python(program, tmp_path) == "3"


def test_the_argument_goes_before_the_variables(tmp_path: Path) -> None:
    program = """
    import threading
    import numpy as np
    import conflearn

    pred_probs = np.full((1000, 3), 1 / 3)
    labels = np.arange(1000) % 3
    one = conflearn.find_label_issues(labels, pred_probs, n_threads=1)
    two = conflearn.find_label_issues(labels, pred_probs, n_threads=2)
    print((one == two).all(), conflearn.n_threads())
    """
    assert python(program, tmp_path, CONFLEARN_NUM_THREADS="5") == "True 5"


# --- The caller's arrays

CALLS: dict[str, Callable[[np.ndarray, np.ndarray], Any]] = {
    "find_label_issues": conflearn.find_label_issues,
    "rank_label_issues": conflearn.rank_label_issues,
    "confident_thresholds": conflearn.confident_thresholds,
    "confident_joint": conflearn.confident_joint,
    "off_diagonal_examples": conflearn.off_diagonal_examples,
    "estimate_joint": conflearn.estimate_joint,
    "num_label_issues": conflearn.num_label_issues,
    "label_quality_scores": conflearn.label_quality_scores,
    "adjusted scores": lambda labels, pred_probs: conflearn.label_quality_scores(
        labels, pred_probs, method="normalized_margin", adjust_pred_probs=True
    ),
    "order_label_issues": lambda labels, pred_probs: conflearn.order_label_issues(
        labels >= 0, labels, pred_probs
    ),
    "analyze": conflearn.analyze,
    "dataset_health": conflearn.dataset_health,
}
every_call = pytest.mark.parametrize("call", CALLS.values(), ids=CALLS.keys())


@every_call
def test_the_arrays_of_the_caller_are_not_written_to(
    call: Callable[..., Any], width: np.dtype
) -> None:
    labels, pred_probs = random_data(500, 5)
    pred_probs = pred_probs.astype(width)
    before = labels.tobytes(), pred_probs.tobytes()
    call(labels, pred_probs)
    assert (labels.tobytes(), pred_probs.tobytes()) == before


@every_call
def test_the_arrays_of_the_caller_are_not_kept_alive(call: Callable[..., Any]) -> None:
    labels, pred_probs = random_data(500, 5)
    references = weakref.ref(labels), weakref.ref(pred_probs)
    counts = sys.getrefcount(labels), sys.getrefcount(pred_probs)
    answer = call(labels, pred_probs)
    if call is not conflearn.analyze:  # an analysis may need the labels to tell its story
        assert (sys.getrefcount(labels), sys.getrefcount(pred_probs)) == counts
    del labels, pred_probs, answer
    gc.collect()
    assert [reference() for reference in references] == [None, None]


@every_call
def test_the_arrays_are_let_go_after_an_error(call: Callable[..., Any]) -> None:
    labels, pred_probs = random_data(500, 5)
    pred_probs[400, labels[400]] = np.nan
    counts = sys.getrefcount(labels), sys.getrefcount(pred_probs)
    with pytest.raises(ValueError, match="pred_probs"):
        call(labels, pred_probs)
    gc.collect()
    assert (sys.getrefcount(labels), sys.getrefcount(pred_probs)) == counts


@every_call
def test_answers_are_memory_of_their_own(call: Callable[..., Any]) -> None:
    labels, pred_probs = random_data(500, 5)
    answer = call(labels, pred_probs)
    if isinstance(answer, np.ndarray):
        assert not np.shares_memory(answer, labels)
        assert not np.shares_memory(answer, pred_probs)
        answer[...] = 0
