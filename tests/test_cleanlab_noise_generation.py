"""Noise under cleanlab's names, side by side with cleanlab: the same bits from the same seed.

Where the two differ on purpose, the difference has a name in `INTENDED_DIFFERENCES` and a test
`test_difference_<name>` that shows both sides of it.
"""

import inspect
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from conflearn.cleanlab import benchmarking
from conflearn.cleanlab.benchmarking import noise_generation as ours
from conflearn.errors import InputError, InputTypeError, LabelError, OptionError, ShapeError
from expected import refused

theirs = pytest.importorskip("cleanlab.benchmarking.noise_generation")

INTENDED_DIFFERENCES = {
    "absent_classes_counted": "A class of the noise matrix may have no examples; there that is a "
    "ValueError of numpy.",
    "unknown_true_labels_named": "True labels that are no class of the noise matrix are refused; "
    "there they are left as they are, or taken for another class.",
    "whole_floats_and_frames_are_labels": "Labels may be a frame of one column; there they crash.",
    "bad_noise_matrices_named": "A noise matrix that is not square, holds no probabilities or "
    "flips more than all labels is refused; there it is computed with, or labels stay clean.",
    "hopeless_priors_named": "py that is no distribution is refused; there all tries are made, "
    "and the answer is None.",
    "bad_noise_numbers_named": "Numbers that make no sense are refused; there they are computed "
    "with.",
    "endless_loops_refused": "What never comes to an end there is an error.",
    "zero_diagonals_printed": "verbose=True prints an infinite ratio where nothing is labelled "
    "right; there it crashes.",
}

SEEDS = st.integers(0, 2**32 - 1)


# --- Side by side


class Outcome(NamedTuple):
    """What came of a call, and the global random numbers that it left."""

    value: Any
    error: Exception | None
    state: bytes


def outcome(function: Callable[..., Any], *args: Any, seed: int = 0, **kwargs: Any) -> Outcome:
    np.random.seed(seed)  # noqa: NPY002 - that is what cleanlab draws from
    value, error = None, None
    try:
        value = function(*args, **kwargs)
    except Exception as exception:  # noqa: BLE001 - whatever it is, the other layer must raise it
        error = exception
    name, keys, *rest = np.random.get_state()  # noqa: NPY002 - as above
    return Outcome(value, error, repr((name, keys.tobytes(), *rest)).encode())


def agree(name: str, *args: Any, **kwargs: Any) -> Any:
    """Call the function of both layers, and demand that the same comes of it."""
    mine = outcome(getattr(ours, name), *args, **kwargs)
    other = outcome(getattr(theirs, name), *args, **kwargs)
    if other.error is not None:
        assert isinstance(mine.error, type(other.error)), (mine, other)
        return None
    if mine.error is not None:
        raise mine.error
    assert type(mine.value) is type(other.value)
    if isinstance(other.value, np.ndarray):
        assert mine.value.dtype == other.value.dtype
        assert mine.value.shape == other.value.shape
        assert mine.value.tobytes() == other.value.tobytes()
    else:
        assert mine.value == other.value
    assert mine.state == other.state
    return mine.value


# --- Signatures


def test_every_intended_difference_is_shown() -> None:
    prefix = "test_difference_"
    shown = {name.removeprefix(prefix) for name in globals() if name.startswith(prefix)}
    assert shown == set(INTENDED_DIFFERENCES)


def test_every_intended_difference_is_documented() -> None:
    method = (Path(__file__).parents[1] / "docs" / "method.md").read_text()
    documented = re.findall(r"^\| `(\w+)` \|", method.partition("## Differences")[2], re.MULTILINE)
    assert set(documented) >= set(INTENDED_DIFFERENCES)


def test_every_public_function_has_the_signature_of_cleanlab() -> None:
    public = {
        name: function
        for name, function in inspect.getmembers(theirs, inspect.isfunction)
        if not name.startswith("_") and function.__module__ == theirs.__name__
    }
    assert set(ours.__all__) == set(public)
    assert benchmarking.noise_generation is ours
    for name, function in public.items():
        expected = inspect.signature(function).parameters
        parameters = inspect.signature(getattr(ours, name)).parameters
        assert list(parameters) == list(expected), name
        for parameter, other in expected.items():
            assert parameters[parameter].kind == other.kind, f"{name}: {parameter}"
            assert repr(parameters[parameter].default) == repr(other.default), (
                f"{name}: {parameter}"
            )


# --- Parts that have a sum


@given(SEEDS, st.integers(0, 40), st.floats(0, 1), st.floats(0, 1), st.floats(0, 1.2))
def test_probabilities_with_a_sum(seed: int, n: int, m: float, low: float, high: float) -> None:
    name = "generate_n_rand_probabilities_that_sum_to_m"
    agree(name, n, m, seed=seed)
    mean = m / max(n, 1)
    agree(name, n, m, max_prob=mean + high * (1 - mean), min_prob=low * mean, seed=seed)
    agree(name, n, n * m, max_prob=1.0, min_prob=m * 0.9, seed=seed)
    agree(name, n, n * m, max_prob=m, min_prob=0.0, seed=seed)


@pytest.mark.parametrize(
    ("n", "m", "options"),
    [
        (5, 1, {"max_prob": 0.1}),
        (5, 1, {"max_prob": 0.2}),
        (5, 1, {"max_prob": 0.2, "min_prob": 0.2}),
        (5, 1, {"min_prob": 0.2}),
        (5, 1, {"min_prob": 0.3}),
        (1, 0.5, {}),
        (1, 0.5, {"max_prob": 0.4}),
        (0, 0.5, {"max_prob": 0.4}),
        (3, 0, {}),
        (3, 3, {}),
        (3, -1, {}),
        (np.int64(3), np.float32(1), {}),
        (200, 199.9, {"max_prob": 1.0}),
    ],
    ids=str,
)
def test_probabilities_at_the_limits(n: Any, m: Any, options: dict[str, float]) -> None:
    for seed in range(10):
        agree("generate_n_rand_probabilities_that_sum_to_m", n, m, seed=seed, **options)


limits = st.none() | st.integers(0, 12)


@given(SEEDS, st.integers(0, 200), st.integers(1, 30), limits, limits)
def test_balls_in_bins(
    seed: int, n_balls: int, n_bins: int, most: int | None, fewest: int | None
) -> None:
    name = "randomly_distribute_N_balls_into_K_bins"
    if n_balls and most == 0:
        with refused(OptionError, "0 balls"):  # there it is a ZeroDivisionError
            getattr(ours, name)(n_balls, n_bins, max_balls_per_bin=0)
        return
    agree(name, n_balls, n_bins, seed=seed)
    agree(name, n_balls, n_bins, max_balls_per_bin=most, min_balls_per_bin=fewest, seed=seed)


def test_no_balls_in_no_bins() -> None:
    name = "randomly_distribute_N_balls_into_K_bins"
    agree(name, 0, 0)
    agree(name, 0, 5, max_balls_per_bin=0)
    agree(name, 12.0, 5, max_balls_per_bin=4.0)


# --- Noise matrices


class Wanted(NamedTuple):
    """What a noise matrix is asked to be."""

    n_classes: int
    trace: float
    options: dict[str, Any]


@st.composite
def wanted(draw: st.DrawFn, max_classes: int = 15) -> Wanted:
    n_classes = draw(st.integers(2, max_classes))
    seed = draw(SEEDS)
    prior = np.random.default_rng(seed).dirichlet(np.full(n_classes, 8.0))
    of_two = n_classes == 2
    trace = draw(
        st.floats(1, n_classes) if of_two else st.floats(0.2, n_classes) | st.just(n_classes)
    )
    return Wanted(
        n_classes,
        trace,
        {
            "seed": seed,
            "py": draw(st.sampled_from([prior, prior.tolist(), np.full(n_classes, 1 / n_classes)])),
            "frac_zero_noise_rates": draw(st.sampled_from([0.0, 0.1, 0.4, 0.5, 0.8, 1.0, 1.5])),
            "valid_noise_matrix": draw(st.booleans()),
            "max_iter": draw(st.sampled_from([0, 1, 5, 20])),
            **draw(
                st.sampled_from(
                    [
                        {},
                        {"max_trace_prob": 0.9, "min_trace_prob": 0.1},
                        {"max_noise_rate": 0.4, "min_noise_rate": 0.01},
                    ]
                )
            ),
        },
    )


def matrix_from_trace(wanted: Wanted) -> Any:
    """The matrix; the seed is an argument of the function itself, and is checked as well."""
    options = dict(wanted.options)
    seed = options.pop("seed")

    def call(layer: Any) -> Outcome:
        return outcome(
            lambda: layer.generate_noise_matrix_from_trace(
                wanted.n_classes, wanted.trace, seed=seed, **options
            )
        )

    mine, other = call(ours), call(theirs)
    if other.error is not None:
        assert isinstance(mine.error, type(other.error)), (mine, other)
        return None
    if mine.error is not None:
        raise mine.error
    assert mine.state == other.state
    if other.value is None:
        assert mine.value is None
        return None
    assert mine.value.tobytes() == other.value.tobytes()
    assert mine.value.shape == other.value.shape
    return mine.value


@given(wanted())
def test_matrices_from_a_trace(wanted: Wanted) -> None:
    matrix_from_trace(wanted)


@given(wanted(), st.integers(0, 150), SEEDS)
def test_matrices_then_labels(wanted: Wanted, n_more: int, seed: int) -> None:
    """As programs do: the labels are drawn from what the matrix left of the random numbers."""
    options = {**wanted.options, "valid_noise_matrix": False, "max_iter": 1}
    matrix = matrix_from_trace(Wanted(wanted.n_classes, wanted.trace, options))
    if matrix is None:
        return
    more = np.random.default_rng(seed).integers(wanted.n_classes, size=n_more)
    true_labels = np.concatenate([more, np.arange(wanted.n_classes)])
    agree("generate_noisy_labels", true_labels, matrix, seed=seed)
    if (matrix.round(2).sum(axis=0) - matrix.diagonal() <= 1).all():
        agree("generate_noisy_labels", true_labels, matrix.round(2), seed=seed)
    agree("noise_matrix_is_valid", matrix, wanted.options["py"])


def test_larger_matrices() -> None:
    for n_classes, frac_zero in ((60, 0.0), (60, 0.6), (200, 0.3)):
        prior = np.full(n_classes, 1 / n_classes)
        options = {"py": prior, "frac_zero_noise_rates": frac_zero, "seed": 3}
        matrix = matrix_from_trace(Wanted(n_classes, 0.8 * n_classes, options))
        true_labels = np.random.default_rng(0).integers(n_classes, size=5000)
        agree("generate_noisy_labels", true_labels, matrix)


@pytest.mark.parametrize(
    ("n_classes", "trace", "options"),
    [
        (3, 1, {}),
        (3, 0.5, {"py": [0.3, 0.3, 0.4]}),
        (3, 2, {}),
        (3, 4, {"py": [0.3, 0.3, 0.4]}),
        (3, 2, {"py": [0.5, 0.5]}),
        (1, 2, {}),
        (0, 2, {}),
        (1, 2, {"max_iter": 0}),
        (2, 2.5, {}),
        (2, 1.5, {}),
        (2, 1.5, {"frac_zero_noise_rates": 0.5}),
        (2, 0.5, {"valid_noise_matrix": False}),
        (3, 1.5, {"max_iter": 0}),
        (3, 1.5, {"py": [0.3, 0.3, 0.4], "seed": -1}),
        (3, 1.5, {"py": [0.3, 0.3, 0.4], "seed": "x"}),
        (3, 1.5, {"py": [0.3, 0.3, 0.4], "seed": np.int64(3)}),
        (3, 1.5, {"py": [0.5, 0.5, 0.0], "max_iter": 3}),
        (3, 1.5, {"py": [0.3, 0.3, 0.4], "max_trace_prob": 0.4}),
        (3, 1.5, {"py": [0.3, 0.3, 0.4], "min_trace_prob": 0.6}),
        (4, 1.5, {"py": [0.25] * 4, "max_noise_rate": 0.05}),
        (4, 1.5, {"py": [0.25] * 4, "min_noise_rate": 0.5}),
        (4, 2.5, {"py": [0.25] * 4, "frac_zero_noise_rates": -1.0}),
        (3.0, 1.5, {"py": [0.3, 0.3, 0.4]}),
    ],
    ids=str,
)
def test_matrices_at_the_limits(n_classes: Any, trace: float, options: dict[str, Any]) -> None:
    matrix_from_trace(Wanted(n_classes, trace, {"seed": 0, **options}))


def test_a_seed_of_none_is_another_each_time() -> None:
    first, second = (ours.generate_noise_matrix_from_trace(2, 1.5, seed=None) for _ in range(2))
    assert first is not None
    assert (first != second).any()


# --- Valid


@given(st.integers(2, 7), SEEDS, st.sampled_from([0.3, 1.0]), st.booleans())
def test_validity(n_classes: int, seed: int, evenness: float, diagonal: bool) -> None:
    rng = np.random.default_rng(seed)
    matrix = rng.dirichlet(np.full(n_classes, evenness), size=n_classes).T
    if diagonal:
        matrix = 0.3 * matrix + 0.7 * np.eye(n_classes)
    prior = rng.dirichlet(np.ones(n_classes))
    agree("noise_matrix_is_valid", matrix, prior)
    agree("noise_matrix_is_valid", matrix.tolist(), prior.tolist())
    agree("noise_matrix_is_valid", matrix * 1.1, prior)
    agree("noise_matrix_is_valid", matrix, prior * 1.1)


@pytest.mark.parametrize(
    ("matrix", "prior"),
    [
        ([[0.9, 0.2], [0.1, 0.8]], [0.5, 0.5]),
        ([[0.9, 0.2], [0.1, 0.8]], [1.0, 0.0]),
        ([[0.4, 0.6], [0.6, 0.4]], [0.5, 0.5]),
        ([[np.nan, 0.2], [0.1, 0.8]], [0.5, 0.5]),
        ([[0.9, 0.2], [0.1, 0.8]], [np.nan, 0.5]),
        ([[1, 0], [0, 1]], [0.5, 0.5]),
        ([[1.0]], [1.0]),
    ],
    ids=str,
)
def test_what_is_valid(matrix: Any, prior: Any) -> None:
    agree("noise_matrix_is_valid", matrix, prior)


def test_verbose(capsys: pytest.CaptureFixture[str]) -> None:
    printed = []
    for layer in (ours, theirs):
        for seed in range(20):
            rng = np.random.default_rng(seed)
            matrix = 0.5 * np.eye(4) + 0.5 * rng.dirichlet(np.ones(4), size=4).T
            layer.noise_matrix_is_valid(matrix, rng.dirichlet(np.ones(4)), verbose=True)
        layer.noise_matrix_is_valid(np.eye(2), [0.7, 0.7], verbose=True)
        printed.append(capsys.readouterr().out)
    assert "E1E2/C" in printed[0]
    assert printed[0] == printed[1]


# --- Noisy labels

MATRIX = np.array([[0.7, 0.2, 0.0], [0.2, 0.5, 0.3], [0.1, 0.3, 0.7]])
TRUE_LABELS = np.array([0, 1, 2, 2, 1, 0] * 10)


@pytest.mark.parametrize(
    "true_labels",
    [
        TRUE_LABELS,
        TRUE_LABELS.tolist(),
        TRUE_LABELS.astype(np.int8),
        TRUE_LABELS.astype(np.float32),
        TRUE_LABELS.astype(float).tolist(),
        TRUE_LABELS[::-1],
        [0, 1, 2],
        tuple(TRUE_LABELS),
    ],
    ids=repr,
)
def test_labels_of_any_number_type(true_labels: Any) -> None:
    for seed in range(5):
        agree("generate_noisy_labels", true_labels, MATRIX, seed=seed)
        agree("generate_noisy_labels", true_labels, MATRIX.tolist(), seed=seed)
        agree("generate_noisy_labels", true_labels, MATRIX.astype(np.float32), seed=seed)
        agree("generate_noisy_labels", true_labels, np.asfortranarray(MATRIX), seed=seed)


def test_bools_and_series() -> None:
    agree("generate_noisy_labels", [True, False, True, False] * 5, MATRIX[:2, :2] + [0.1, 0.3])
    pandas = pytest.importorskip("pandas")
    agree("generate_noisy_labels", pandas.Series(TRUE_LABELS, index=range(60, 0, -1)), MATRIX)


def test_true_labels_are_not_written_to() -> None:
    true_labels = TRUE_LABELS.copy()
    true_labels.flags.writeable = False
    labels = agree("generate_noisy_labels", true_labels, MATRIX)
    assert (labels != TRUE_LABELS).any()


# --- Differences


def test_difference_absent_classes_counted() -> None:
    true_labels = TRUE_LABELS[TRUE_LABELS != 1]
    assert isinstance(outcome(theirs.generate_noisy_labels, true_labels, MATRIX).error, ValueError)
    labels = outcome(ours.generate_noisy_labels, true_labels, MATRIX).value
    assert np.bincount(labels[true_labels == 0]).tolist() == [14, 4, 2]
    assert np.bincount(labels[true_labels == 2]).tolist() == [0, 6, 14]


@pytest.mark.parametrize(
    "true_labels", [["a", "b", "c"] * 20, [0, 1, 7] * 20, [0.0, 0.5, 1.0] * 20], ids=repr
)
def test_difference_unknown_true_labels_named(true_labels: Any) -> None:
    assert outcome(theirs.generate_noisy_labels, true_labels, MATRIX).error is None
    error = outcome(ours.generate_noisy_labels, true_labels, MATRIX).error
    assert isinstance(error, LabelError)
    assert "true_labels" in str(error)


def test_difference_whole_floats_and_frames_are_labels() -> None:
    frame = pytest.importorskip("pandas").DataFrame({"label": TRUE_LABELS})
    assert outcome(theirs.generate_noisy_labels, frame, MATRIX).error is not None
    labels = outcome(ours.generate_noisy_labels, frame, MATRIX).value
    np.testing.assert_array_equal(
        labels, outcome(theirs.generate_noisy_labels, TRUE_LABELS, MATRIX).value
    )


def test_difference_bad_noise_matrices_named() -> None:
    too_much = np.array([[0.0, 0.0, 0.0], [0.7, 1.0, 0.0], [0.7, 0.0, 1.0]])
    clean = outcome(theirs.generate_noisy_labels, TRUE_LABELS, too_much).value
    np.testing.assert_array_equal(clean, TRUE_LABELS)
    with refused(InputError, "column 0", "(26)", "(20)"):
        ours.generate_noisy_labels(TRUE_LABELS, too_much)
    assert outcome(theirs.generate_noisy_labels, TRUE_LABELS, -MATRIX).error is None
    with refused(InputError, "noise_matrix[0, 0] is -0.7"):
        ours.generate_noisy_labels(TRUE_LABELS, -MATRIX)
    rectangle, prior = np.array([[0.8, 0.1, 0.5], [0.2, 0.9, 0.5]]), np.array([0.4, 0.4, 0.2])
    error = outcome(theirs.noise_matrix_is_valid, rectangle, prior).error
    assert isinstance(error, IndexError)
    with refused(ShapeError, "noise_matrix", "(2, 3)"):
        ours.noise_matrix_is_valid(rectangle, prior)
    with refused(ShapeError, "py", "3 classes", "(2,)"):
        ours.noise_matrix_is_valid(MATRIX, [0.5, 0.5])


@pytest.mark.parametrize("prior", [[30, 30, 40], [0.3, 0.3, 0.3], [0.8, 0.4, -0.2]], ids=str)
def test_difference_hopeless_priors_named(prior: list[float]) -> None:
    options: dict[str, Any] = {"py": prior, "max_iter": 20}
    assert theirs.generate_noise_matrix_from_trace(3, 2, **options) is None
    with refused(InputError, "py ", "share"):
        ours.generate_noise_matrix_from_trace(3, 2, **options)


def test_difference_bad_noise_numbers_named() -> None:
    one_sided: dict[str, Any] = {"frac_zero_noise_rates": 0.5, "valid_noise_matrix": False}
    assert theirs.generate_noise_matrix_from_trace(2, 0.5, **one_sided).min() < 0
    with refused(OptionError, "trace=0.5 ", "from 1 to 2"):
        ours.generate_noise_matrix_from_trace(2, 0.5, **one_sided)
    even: dict[str, Any] = {"py": [0.3, 0.3, 0.4], "max_iter": 3}
    assert theirs.generate_noise_matrix_from_trace(3, np.nan, **even) is None
    with refused(OptionError, "trace=nan ", "finite"):
        ours.generate_noise_matrix_from_trace(3, np.nan, **even)
    assert np.isnan(theirs.generate_n_rand_probabilities_that_sum_to_m(3, np.nan)).all()
    with refused(OptionError, "m=nan ", "finite"):
        ours.generate_n_rand_probabilities_that_sum_to_m(3, np.nan)
    with refused(InputTypeError, "m='1' "):
        ours.generate_n_rand_probabilities_that_sum_to_m(3, "1")  # type: ignore[arg-type]
    assert theirs.randomly_distribute_N_balls_into_K_bins(-6, 3).sum() == -18
    with refused(OptionError, "N=-6 ", "at least 0"):
        ours.randomly_distribute_N_balls_into_K_bins(-6, 3)
    with pytest.raises(ZeroDivisionError):
        theirs.randomly_distribute_N_balls_into_K_bins(6, 0)
    with refused(OptionError, "K=0 ", "at least 1"):
        ours.randomly_distribute_N_balls_into_K_bins(6, 0)


def test_difference_endless_loops_refused() -> None:
    """What cleanlab does is not shown: it would not come back."""
    with refused(OptionError, "2.5 balls", "whole"):
        ours.randomly_distribute_N_balls_into_K_bins(2.5, 3)  # type: ignore[arg-type]
    with refused(OptionError, "4.5 balls", "whole"):
        ours.randomly_distribute_N_balls_into_K_bins(10, 3, max_balls_per_bin=1.5)
    huge = 1e15 / 3
    errors = [
        outcome(
            ours.generate_n_rand_probabilities_that_sum_to_m, 3, 1e15, max_prob=huge, seed=seed
        ).error
        for seed in range(20)
    ]
    assert "is too large for the numbers" in str(next(filter(None, errors)))


def test_difference_zero_diagonals_printed(capsys: pytest.CaptureFixture[str]) -> None:
    swap = np.array([[0.0, 1.0], [1.0, 0.0]])
    with np.errstate(all="ignore"):
        assert isinstance(
            outcome(theirs.noise_matrix_is_valid, swap, [0.5, 0.5], verbose=True).error,
            OverflowError,
        )
    assert not ours.noise_matrix_is_valid(swap, [0.5, 0.5], verbose=True)
    assert "E1E2/C inf" in capsys.readouterr().out
