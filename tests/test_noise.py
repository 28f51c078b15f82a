"""Noise for experiments: noise matrices, which classes they leave learnable, noisy labels."""

import subprocess
import sys
from decimal import Decimal
from fractions import Fraction
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

import conflearn
import reference
from conflearn import noise
from conflearn.errors import InputError, InputTypeError, LabelError, OptionError, ShapeError
from expected import refused

SEEDS = st.integers(0, 2**32 - 1)


class Wanted(NamedTuple):
    """What a random noise matrix is asked to be."""

    n_classes: int
    trace: float
    sparsity: float
    prior: np.ndarray
    seed: int

    def options(self) -> dict[str, Any]:
        return {"trace": self.trace, "sparsity": self.sparsity, "rng": self.seed}

    @property
    def n_zeros(self) -> int:
        return round(self.sparsity * self.n_classes * (self.n_classes - 1))


@st.composite
def wanted(draw: st.DrawFn, max_classes: int = 12) -> Wanted:
    """Any trace and sparsity that there are; priors up to very uneven ones."""
    n_classes = draw(st.integers(2, max_classes))
    seed = draw(SEEDS)
    evenness = draw(st.sampled_from([0.1, 1.0, 100.0]))
    prior = np.random.default_rng(seed).dirichlet(np.full(n_classes, evenness)) + 1e-6
    return Wanted(
        n_classes,
        draw(st.floats(1 + 1e-6, n_classes - 1e-6) | st.sampled_from([1.001, n_classes - 0.5])),
        draw(st.floats(0, 1)) * (n_classes - 2) / (n_classes - 1),
        prior / prior.sum(),
        seed,
    )


def assert_noise_matrix(matrix: np.ndarray, n_classes: int) -> None:
    assert matrix.shape == (n_classes, n_classes)
    assert matrix.dtype == np.float64
    assert matrix.flags.writeable
    assert matrix.min() >= 0
    assert matrix.max() <= 1
    np.testing.assert_allclose(matrix.sum(axis=0), 1, rtol=1e-12)


# --- Random matrices


@given(wanted())
def test_a_random_matrix_is_what_was_asked_for(wanted: Wanted) -> None:
    matrix = noise.random_noise_matrix(wanted.n_classes, **wanted.options(), prior=wanted.prior)
    assert_noise_matrix(matrix, wanted.n_classes)
    assert matrix.trace() == pytest.approx(wanted.trace, rel=1e-9)
    assert np.count_nonzero(matrix == 0) == wanted.n_zeros
    assert noise.is_learnable(matrix, wanted.prior)
    assert reference.learnable_classes(matrix, wanted.prior).all()


@given(wanted(), st.floats(0, 1))
def test_a_random_matrix_of_any_trace(wanted: Wanted, share: float) -> None:
    trace = share * wanted.n_classes
    matrix = noise.random_noise_matrix(
        wanted.n_classes, **{**wanted.options(), "trace": trace}, learnable=False
    )
    assert_noise_matrix(matrix, wanted.n_classes)
    assert matrix.trace() == pytest.approx(trace, rel=1e-9, abs=1e-9)
    off_diagonal = ~np.eye(wanted.n_classes, dtype=bool)
    assert np.count_nonzero(matrix[off_diagonal] == 0) >= wanted.n_zeros


@given(wanted())
def test_only_the_diagonal_is_moved_and_only_where_it_has_to_be(wanted: Wanted) -> None:
    drawn = noise.random_noise_matrix(wanted.n_classes, **wanted.options(), learnable=False)
    matrix = noise.random_noise_matrix(wanted.n_classes, **wanted.options(), prior=wanted.prior)
    if noise.is_learnable(drawn, wanted.prior):
        np.testing.assert_array_equal(matrix, drawn)
    with np.errstate(invalid="ignore"):
        np.testing.assert_allclose(mistakes(matrix), mistakes(drawn), rtol=1e-6, atol=1e-9)


def mistakes(matrix: np.ndarray) -> np.ndarray:
    """How the mistakes of each class are spread over the others."""
    rates = matrix.copy()
    np.fill_diagonal(rates, 0)
    return rates / rates.sum(axis=0)


def test_balanced_classes_are_the_default() -> None:
    options: dict[str, Any] = {"trace": 1.2, "rng": 5}
    default = noise.random_noise_matrix(4, **options)
    np.testing.assert_array_equal(
        default, noise.random_noise_matrix(4, **options, prior=[0.25] * 4)
    )
    assert noise.is_learnable(default)


@pytest.mark.parametrize(("trace", "sparsity"), [(1 + 1e-9, 0), (1.05, 998 / 999), (800, 0.6)])
def test_a_thousand_classes(trace: float, sparsity: float) -> None:
    prior = np.random.default_rng(0).dirichlet(np.ones(1000))
    matrix = noise.random_noise_matrix(1000, trace=trace, sparsity=sparsity, prior=prior, rng=1)
    assert_noise_matrix(matrix, 1000)
    assert matrix.trace() == pytest.approx(trace, rel=1e-9)
    assert np.count_nonzero(matrix == 0) == round(sparsity * 1000 * 999)
    assert noise.is_learnable(matrix, prior)


def test_the_ends_of_the_trace() -> None:
    np.testing.assert_array_equal(noise.random_noise_matrix(5, trace=5, sparsity=0.5), np.eye(5))
    wrong = noise.random_noise_matrix(5, trace=0, learnable=False, rng=0)
    assert not wrong.diagonal().any()
    np.testing.assert_array_equal(noise.random_noise_matrix(2, trace=0, learnable=False)[0], [0, 1])


@pytest.mark.parametrize(
    ("n", "total"), [(2, 0.3), (2, 1.0), (2, 1.7), (3, 1.0), (3, 1.4), (4, 2.8), (6, 3.5)]
)
def test_the_diagonal_is_uniform(n: int, total: float) -> None:
    rng = np.random.default_rng(0)
    diagonals = np.array(
        [
            noise.random_noise_matrix(n, trace=total, learnable=False, rng=rng).diagonal()
            for _ in range(2000)
        ]
    )
    points = reference.points_with_sum(2000, n, total, rng)
    for of_points in (
        lambda x: x[:, 0],
        lambda x: x[:, -1],
        lambda x: x.max(axis=1),
        lambda x: x.min(axis=1),
        lambda x: (x**2).sum(axis=1),
        lambda x: x[:, 0] - x[:, 1],
    ):
        assert largest_gap(of_points(diagonals), of_points(points)) < 0.06


def largest_gap(some: np.ndarray, others: np.ndarray) -> float:
    """The distance of Kolmogorov and Smirnov; 0.06 is exceeded once in a thousand times."""
    values = np.concatenate([some, others])
    shares = [np.searchsorted(np.sort(x), values + 1e-12) / len(x) for x in (some, others)]
    return float(np.abs(shares[0] - shares[1]).max())


def test_mistakes_and_zeros_favour_no_class() -> None:
    rng = np.random.default_rng(0)
    matrices = [
        noise.random_noise_matrix(4, trace=2, sparsity=0.5, learnable=False, rng=rng)
        for _ in range(3000)
    ]
    off_diagonal = ~np.eye(4, dtype=bool)
    zeros = np.mean([matrix == 0 for matrix in matrices], axis=0)
    np.testing.assert_allclose(zeros[off_diagonal], 0.5, atol=0.04)
    shares = np.mean([mistakes(matrix) for matrix in matrices], axis=0)
    np.testing.assert_allclose(shares[off_diagonal], 1 / 3, atol=0.03)


def test_a_seed_stands_for_its_generator() -> None:
    def draw(rng: Any) -> np.ndarray:
        return noise.random_noise_matrix(6, trace=4, sparsity=0.3, rng=rng)

    np.testing.assert_array_equal(draw(7), draw(7))
    np.testing.assert_array_equal(draw(7), draw(np.random.default_rng(7)))
    np.testing.assert_array_equal(draw([1, 2]), draw(np.random.SeedSequence([1, 2])))
    assert (draw(7) != draw(8)).any()
    assert (draw(None) != draw(None)).any()
    generator = np.random.default_rng(7)
    assert (draw(generator) != draw(generator)).any()


def test_the_global_random_numbers_are_left_alone() -> None:
    before = np.random.get_state()[1].copy()  # noqa: NPY002 - to see that nobody draws there
    noise.noisy_labels([0, 1, 2], noise.random_noise_matrix(3, trace=2))
    np.testing.assert_array_equal(before, np.random.get_state()[1])  # noqa: NPY002 - as above


def test_random_numbers_are_imported_when_they_are_asked_for() -> None:
    code = "import sys, conflearn.noise; print('numpy.random' in sys.modules)"
    imported = "import sys, numpy; print('numpy.random' in sys.modules)"
    answers = [
        subprocess.run(
            [sys.executable, "-c", program], capture_output=True, text=True, timeout=60, check=True
        ).stdout
        for program in (code, imported)
    ]
    assert answers[0] == answers[1]


@pytest.mark.parametrize(
    ("error", "essentials", "options"),
    [
        (OptionError, ("n_classes=1 ", "at least 2"), {"n_classes": 1}),
        (OptionError, ("n_classes=2.5 ", "whole number"), {"n_classes": 2.5}),
        (OptionError, ("n_classes=-3 ", "whole number"), {"n_classes": -3}),
        (OptionError, ("trace=1 ", "above 1", "learnable=False"), {"trace": 1}),
        (OptionError, ("trace=0.5 ", "above 1", "up to 4"), {"trace": 0.5}),
        (OptionError, ("trace=4.1 ", "from 0 to 4"), {"trace": 4.1}),
        (OptionError, ("trace=-1 ", "from 0 to 4"), {"trace": -1, "learnable": False}),
        (OptionError, ("trace=nan ", "from 0 to 4"), {"trace": np.nan}),
        (OptionError, ("trace=True ", "from 0 to 4"), {"trace": True}),
        (OptionError, ("trace='2' ", "from 0 to 4"), {"trace": "2"}),
        (OptionError, ("trace=1000", "from 0 to 4"), {"trace": 10**400}),
        (OptionError, ("sparsity=0.8 ", "0.666667", "4 classes"), {"sparsity": 0.8}),
        (OptionError, ("sparsity=1.5 ", "between 0 and 1"), {"sparsity": 1.5}),
        (OptionError, ("sparsity=0.5 ", "above 0", "2 classes"), {"n_classes": 2, "sparsity": 0.5}),
        (OptionError, ("learnable='no' ", "True nor False"), {"learnable": "no"}),
        (OptionError, ("prior ", "learnable"), {"prior": [0.25] * 4, "learnable": False}),
        (ShapeError, ("prior ", "4 classes", "(3,)"), {"prior": [0.3, 0.3, 0.4]}),
        (InputError, ("prior ", "sum to 1", "4.0"), {"prior": [1, 1, 1, 1]}),
        (InputError, ("prior[1] is -0.5", "from 0 to 1"), {"prior": [0.5, -0.5, 0.5, 0.5]}),
        (InputError, ("prior[2] is nan", "finite"), {"prior": [0.5, 0.5, np.nan, 0]}),
        (InputError, ("prior[3] is 0", "no examples"), {"prior": [0.5, 0.25, 0.25, 0]}),
        (OptionError, ("rng=-1 ", "seed"), {"rng": -1}),
        (OptionError, ("rng='seed' ", "seed"), {"rng": "seed"}),
        (OptionError, ("rng=0.5 ", "default_rng"), {"rng": 0.5}),
        (OptionError, ("trace=1.0", "floating point"), {"trace": 1 + 2**-52}),
        (OptionError, ("prior", "floating point"), {"prior": [1, 1e-300, 1e-300, 1e-300]}),
    ],
    ids=str,
)
def test_what_a_random_matrix_cannot_be(
    error: type[Exception], essentials: tuple[str, ...], options: dict[str, Any]
) -> None:
    with refused(error, *essentials):
        noise.random_noise_matrix(**{"n_classes": 4, "trace": 1.01, "rng": 0, **options})


@pytest.mark.parametrize("trace", [2, np.float32(2), np.int8(2), Fraction(2), Decimal(2)])
def test_a_trace_is_any_real_number(trace: Any) -> None:
    expected = noise.random_noise_matrix(3, trace=2.0, rng=0)
    np.testing.assert_array_equal(noise.random_noise_matrix(3, trace=trace, rng=0), expected)


# --- Matrices of one shape


@given(st.lists(st.floats(0, 1), min_size=2, max_size=9), SEEDS)
def test_uniform_and_pair_matrices_are_the_oracles(rates: list[float], seed: int) -> None:
    n_classes = len(rates)
    shift = np.random.default_rng(seed).integers(1, n_classes, size=n_classes)
    mistaken_for = (np.arange(n_classes) + shift) % n_classes
    uniform = noise.uniform_noise_matrix(n_classes, rates)
    pair = noise.pair_noise_matrix(n_classes, rates, mistaken_for=mistaken_for)
    np.testing.assert_allclose(uniform, reference.uniform_noise_matrix(np.array(rates)), rtol=1e-15)
    np.testing.assert_array_equal(pair, reference.pair_noise_matrix(np.array(rates), mistaken_for))
    assert_noise_matrix(uniform, n_classes)
    assert_noise_matrix(pair, n_classes)


def test_one_rate_for_all_classes() -> None:
    for matrix in (noise.uniform_noise_matrix, noise.pair_noise_matrix):
        np.testing.assert_array_equal(matrix(4, 0.3), matrix(4, [0.3] * 4))
        np.testing.assert_array_equal(matrix(4, np.array(0.5)), matrix(4, Fraction(1, 2)))
        np.testing.assert_array_equal(matrix(3, 0), np.eye(3))
    np.testing.assert_array_equal(noise.uniform_noise_matrix(2, 1), noise.pair_noise_matrix(2, 1))


@pytest.mark.parametrize(
    ("error", "essentials", "rates"),
    [
        (OptionError, ("noise_rate=1.2 ", "between 0 and 1"), 1.2),
        (OptionError, ("noise_rate=nan ", "between 0 and 1"), np.nan),
        (InputError, ("noise_rate[1] is -0.1", "from 0 to 1"), [0.1, -0.1, 0.1]),
        (InputError, ("noise_rate[2] is nan", "from 0 to 1"), [0.1, 0.1, np.nan]),
        (ShapeError, ("noise_rate ", "3 classes", "(2,)"), [0.1, 0.2]),
        (InputTypeError, ("noise_rate[0] is 'a'",), ["a", "b", "c"]),
    ],
    ids=str,
)
def test_what_a_noise_rate_cannot_be(
    error: type[Exception], essentials: tuple[str, ...], rates: Any
) -> None:
    for matrix in (noise.uniform_noise_matrix, noise.pair_noise_matrix):
        with refused(error, *essentials):
            matrix(3, rates)


@pytest.mark.parametrize(
    ("error", "essentials", "others"),
    [
        (InputError, ("mistaken_for[1] is 1.0", "another class", "0 to 2"), [1, 1, 0]),
        (InputError, ("mistaken_for[2] is 3.0", "0 to 2"), [1, 2, 3]),
        (InputError, ("mistaken_for[0] is 1.5", "0 to 2"), [1.5, 2, 0]),
        (InputError, ("mistaken_for[0] is -1.0", "0 to 2"), [-1, 2, 0]),
        (ShapeError, ("mistaken_for ", "3 classes", "()"), 1),
    ],
    ids=str,
)
def test_what_a_class_cannot_be_mistaken_for(
    error: type[Exception], essentials: tuple[str, ...], others: Any
) -> None:
    with refused(error, *essentials):
        noise.pair_noise_matrix(3, 0.1, mistaken_for=others)


def test_fewer_than_two_classes() -> None:
    for matrix in (noise.uniform_noise_matrix, noise.pair_noise_matrix):
        with refused(OptionError, "n_classes=1 ", "at least 2"):
            matrix(1, 0.1)


# --- Learnable


@given(st.integers(2, 8), SEEDS, st.sampled_from([0.2, 1.0, 5.0]))
def test_learnable_classes_are_the_oracles(n_classes: int, seed: int, evenness: float) -> None:
    rng = np.random.default_rng(seed)
    matrix = rng.dirichlet(np.full(n_classes, evenness), size=n_classes).T
    prior = rng.dirichlet(np.ones(n_classes))
    expected = reference.learnable_classes(matrix, prior)
    np.testing.assert_array_equal(noise.learnable_classes(matrix, prior), expected)
    assert noise.is_learnable(matrix, prior) is bool(expected.all())
    even = reference.learnable_classes(matrix, np.full(n_classes, 1 / n_classes))
    np.testing.assert_array_equal(noise.learnable_classes(matrix), even)


@given(st.integers(2, 8), SEEDS)
def test_no_matrix_of_a_trace_below_one_is_learnable(n_classes: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    matrix = rng.dirichlet(np.ones(n_classes), size=n_classes).T
    assume(matrix.trace() < 1)
    assert not noise.is_learnable(matrix, rng.dirichlet(np.ones(n_classes)))


def test_learnable_depends_on_the_prior() -> None:
    matrix = [[0.5, 0.4, 0.1], [0.3, 0.5, 0.1], [0.2, 0.1, 0.8]]
    assert noise.is_learnable(matrix)
    assert noise.learnable_classes(matrix, [0.05, 0.9, 0.05]).tolist() == [True, True, True]
    matrix = [[0.3, 0.4, 0.1], [0.5, 0.5, 0.1], [0.2, 0.1, 0.8]]
    assert noise.learnable_classes(matrix, [0.4, 0.2, 0.4]).tolist() == [True, True, True]
    assert noise.learnable_classes(matrix, [0.05, 0.9, 0.05]).tolist() == [False, True, True]


def test_a_class_alone_or_without_examples_cannot_be_learned() -> None:
    assert noise.learnable_classes(np.eye(3), [0.5, 0.5, 0]).tolist() == [True, True, False]
    assert not noise.learnable_classes(np.eye(2), [1, 0]).any()


def test_the_matrix_of_a_noise_model_is_taken() -> None:
    model = conflearn.estimate_noise_model([[8, 2], [1, 9]], [0] * 10 + [1] * 10)
    assert noise.is_learnable(model.noise_matrix, model.prior)
    absent = conflearn.estimate_noise_model([[8, 0], [1, 0]], [0] * 10)
    np.testing.assert_array_equal(absent.noise_matrix.sum(axis=0), [1, 0])
    assert noise.learnable_classes(absent.noise_matrix).tolist() == [True, False]


@pytest.mark.parametrize(
    ("error", "essentials", "matrix"),
    [
        (ShapeError, ("noise_matrix ", "row and a column", "(2, 3)"), np.full((2, 3), 0.5)),
        (ShapeError, ("noise_matrix ", "at least two classes", "(1, 1)"), [[1.0]]),
        (ShapeError, ("noise_matrix ", "(0,)"), []),
        (InputError, ("noise_matrix[0, 1] is nan", "finite"), [[1, np.nan], [0, 1]]),
        (InputError, ("noise_matrix[1, 1] is -0.2", "probability"), [[1, 1], [0, -0.2]]),
        (InputError, ("columns", "column 1 sums to 0.9", "divide"), [[1, 0], [0, 0.9]]),
        (
            InputError,
            ("columns", "column 0 sums to 1.4", "noise_matrix.T"),
            [[0.8, 0.2], [0.6, 0.4]],
        ),
        (InputError, ("noise_matrix[0, 0] is 10.0", "probability"), [[10, 0], [0, 10]]),
        (InputTypeError, ("noise_matrix[0, 0] is 'a'",), [["a", "b"], ["c", "d"]]),
    ],
    ids=str,
)
def test_what_is_no_noise_matrix(
    error: type[Exception], essentials: tuple[str, ...], matrix: Any
) -> None:
    for function in (
        noise.learnable_classes,
        noise.is_learnable,
        lambda value: noise.noisy_labels([0, 1], value),
    ):
        with refused(error, *essentials):
            function(matrix)


# --- Noisy labels


@given(wanted(), st.integers(1, 300))
def test_labels_go_wrong_as_the_matrix_says(wanted: Wanted, n_examples: int) -> None:
    matrix = noise.random_noise_matrix(wanted.n_classes, **wanted.options())
    true_labels = np.random.default_rng(wanted.seed).choice(
        wanted.n_classes, size=n_examples, p=wanted.prior
    )
    labels = noise.noisy_labels(true_labels, matrix, rng=wanted.seed)
    assert labels.dtype == np.int64
    counts = reference.joint_counts(labels, true_labels, wanted.n_classes)
    expected = matrix * np.bincount(true_labels, minlength=wanted.n_classes)
    assert (np.abs(counts - expected) < 1).all()
    assert not counts[matrix == 0].any()


def test_whole_numbers_are_kept() -> None:
    true_labels = np.random.default_rng(0).permutation(np.repeat(np.arange(10), 100))
    matrix = noise.uniform_noise_matrix(10, 0.18)
    for seed in range(20):
        labels = noise.noisy_labels(true_labels, matrix, rng=seed)
        counts = reference.joint_counts(labels, true_labels, 10)
        np.testing.assert_array_equal(counts, np.full((10, 10), 2) + np.diag([80] * 10))


def test_rounding_is_right_on_average() -> None:
    true_labels = np.repeat([0, 1, 2], [7, 1, 3])
    matrix = np.array([[0.75, 0.3, 0.1], [0.15, 0.6, 0.1], [0.1, 0.1, 0.8]])
    rng = np.random.default_rng(0)
    counts = np.zeros((3, 3))
    for _ in range(4000):
        labels = noise.noisy_labels(true_labels, matrix, rng=rng)
        counts += reference.joint_counts(labels, true_labels, 3)
    np.testing.assert_allclose(counts / 4000, matrix * [7, 1, 3], atol=0.03)


def test_rare_mistakes_add_up() -> None:
    """Each pair of classes expects 0.2 flips, which would all be rounded to none."""
    true_labels = np.repeat(np.arange(100), 100)
    labels = noise.noisy_labels(true_labels, noise.uniform_noise_matrix(100, 0.2), rng=0)
    assert (np.bincount(true_labels[labels != true_labels]) == 20).all()
    given = np.bincount(labels[labels != true_labels], minlength=100)
    assert 8 < given.min() < given.max() < 36


def test_every_example_of_a_class_is_as_likely_to_be_wrong() -> None:
    true_labels = np.tile([0, 1], 10)
    matrix = noise.pair_noise_matrix(2, [0.3, 0.1])
    rng = np.random.default_rng(0)
    wrong = np.mean(
        [noise.noisy_labels(true_labels, matrix, rng=rng) != true_labels for _ in range(4000)],
        axis=0,
    )
    np.testing.assert_allclose(wrong[::2], 0.3, atol=0.03)
    np.testing.assert_allclose(wrong[1::2], 0.1, atol=0.03)


def test_a_seed_gives_the_same_labels() -> None:
    true_labels = np.arange(60) % 3
    matrix = noise.uniform_noise_matrix(3, 0.4)
    labels = noise.noisy_labels(true_labels, matrix, rng=3)
    np.testing.assert_array_equal(noise.noisy_labels(true_labels, matrix, rng=3), labels)
    generator = np.random.default_rng(3)
    np.testing.assert_array_equal(noise.noisy_labels(true_labels, matrix, rng=generator), labels)
    assert (noise.noisy_labels(true_labels, matrix, rng=generator) != labels).any()
    assert (noise.noisy_labels(true_labels, matrix, rng=4) != labels).any()
    with refused(OptionError, "rng='x' "):
        noise.noisy_labels(true_labels, matrix, rng="x")


def test_labels_of_any_form(tmp_path: Path) -> None:
    true_labels = np.array([0, 1, 2, 1, 0, 2, 2, 1] * 5)
    matrix = noise.uniform_noise_matrix(3, 0.5)
    expected = noise.noisy_labels(true_labels, matrix, rng=0)
    path = tmp_path / "labels.npy"
    np.save(path, true_labels)
    pandas, polars = pytest.importorskip("pandas"), pytest.importorskip("polars")
    forms: list[Any] = [
        true_labels.tolist(),
        true_labels.astype(np.uint8),
        true_labels.astype(np.float16),
        true_labels.astype(">i4"),
        np.load(path, mmap_mode="r"),
        np.repeat(true_labels, 2)[::2],
        pandas.Series(true_labels, index=range(7, 47)),
        pandas.DataFrame({"label": true_labels}),
        polars.Series(true_labels),
    ]
    for form in forms:
        labels = noise.noisy_labels(form, matrix, rng=0)
        assert labels.dtype == np.int64
        np.testing.assert_array_equal(labels, expected)
    for form in (matrix.tolist(), np.asfortranarray(matrix), pandas.DataFrame(matrix)):
        np.testing.assert_array_equal(noise.noisy_labels(true_labels, form, rng=0), expected)
    np.testing.assert_array_equal(true_labels, np.load(path))


def test_labels_with_names() -> None:
    names = ["ant", "bee", "cicada"]
    true_labels = np.arange(30) % 3
    matrix = noise.uniform_noise_matrix(3, 0.5)
    expected = noise.noisy_labels(true_labels, matrix, rng=0)
    labels = noise.noisy_labels([names[k] for k in true_labels], matrix, classes=names, rng=0)
    assert labels.tolist() == [names[k] for k in expected]
    pandas = pytest.importorskip("pandas")
    categories = pandas.Categorical.from_codes(true_labels, names)
    again = noise.noisy_labels(categories, matrix, classes=names, rng=0)
    np.testing.assert_array_equal(again, labels)
    numbers = noise.noisy_labels(true_labels * 10 + 5, matrix, classes=[5, 15, 25], rng=0)
    np.testing.assert_array_equal(numbers, expected * 10 + 5)


def test_two_classes_may_be_bools() -> None:
    labels = noise.noisy_labels([True, False, True], [[0, 1], [1, 0]])
    np.testing.assert_array_equal(labels, [0, 1, 0])


def test_classes_without_examples() -> None:
    matrix = np.array([[0.5, 0.0, 0.2], [0.0, 0.0, 0.0], [0.5, 0.0, 0.8]])
    labels = noise.noisy_labels([0, 0, 2, 2, 2, 2, 2], matrix, rng=0)
    np.testing.assert_array_equal(np.bincount(labels), [2, 0, 5])
    with refused(InputError, "class 1", "2 examples", "column 1 is all zeros"):
        noise.noisy_labels([0, 1, 2, 1], matrix)


def test_one_example() -> None:
    assert noise.noisy_labels([1], np.eye(2)).tolist() == [1]
    assert noise.noisy_labels([1], [[0, 1], [1, 0]]).tolist() == [0]


def test_more_classes_than_two_bytes_tell_apart() -> None:
    n_classes = 300
    true_labels = np.random.default_rng(0).permutation(np.repeat(np.arange(n_classes), 10))
    matrix = noise.pair_noise_matrix(n_classes, 0.3)
    labels = noise.noisy_labels(true_labels, matrix, rng=0)
    wrong = labels != true_labels
    np.testing.assert_array_equal(labels[wrong], (true_labels[wrong] + 1) % n_classes)
    assert (np.bincount(true_labels[wrong]) == 3).all()


@given(st.integers(2, 6), SEEDS)
def test_rounding_errors_of_a_matrix_do_no_harm(n_classes: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    matrix = rng.dirichlet(np.full(n_classes, 0.3), size=n_classes).T
    matrix = matrix.astype(np.float32) * (1 + rng.uniform(-5e-7, 5e-7))
    matrix[matrix == 0] = -1e-8
    true_labels = rng.integers(n_classes, size=200)
    labels = noise.noisy_labels(true_labels, matrix, rng=seed)
    counts = reference.joint_counts(labels, true_labels, n_classes)
    assert (np.abs(counts - matrix * counts.sum(axis=0)) < 1.001).all()


@pytest.mark.parametrize(
    ("error", "essentials", "labels"),
    [
        (LabelError, ("from 0 to 1", "true_labels[1] is 2"), [0, 2]),
        (LabelError, ("from 0 to 1", "true_labels[0] is -1"), [-1, 0]),
        (LabelError, ("true_labels[1] is 0.5", "whole number"), [0, 0.5]),
        (LabelError, ("true_labels[0] is missing (nan)",), [np.nan, 0]),
        (LabelError, ("true_labels", "'cat'", "classes"), ["cat", "dog"]),
        (ShapeError, ("true_labels is empty",), []),
        (ShapeError, ("true_labels", "one-hot"), np.eye(2)),
    ],
    ids=str,
)
def test_what_is_no_true_label(
    error: type[Exception], essentials: tuple[str, ...], labels: Any
) -> None:
    with refused(error, *essentials):
        noise.noisy_labels(labels, np.eye(2))
