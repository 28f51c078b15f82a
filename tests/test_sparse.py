"""Sparse matrices and the top k: answers of the matrix with its zeros written out, to the bit."""

import sys
import tracemalloc
from typing import Any

import hypothesis.strategies as st
import ml_dtypes
import numpy as np
import pytest
import scipy.sparse as sp
from hypothesis import given, settings

import conflearn
from conflearn import TopK
from conflearn.errors import (
    InputError,
    InputTypeError,
    LabelError,
    MissingDependencyError,
    OptionError,
    ProbabilityError,
    ShapeError,
)
from expected import announced, refused
from strategies import FILTERS, JUDGES, PRIOR_METHODS, SCORES

VALUES: tuple[Any, ...] = (np.float16, ml_dtypes.bfloat16, np.float32, np.float64)
CLASSES: tuple[Any, ...] = (np.int8, np.int16, np.int32, np.int64, np.uint8, np.uint32, np.uint64)
MANY = 20_000  # classes, so that matrices of all pairs are sparse


def random_top_k(
    n_examples: int, n_classes: int, k: int, *, seed: int = 0, noise: float = 0.2
) -> tuple[np.ndarray, TopK]:
    """A model that is mostly right; entries are in no order, and some are free."""
    rng = np.random.default_rng(seed)
    true = rng.integers(n_classes, size=n_examples)
    classes = (true[:, None] + np.arange(k) * (1 + rng.integers(3))) % n_classes
    values = rng.dirichlet(np.full(k, 0.4), n_examples) * rng.uniform(0.6, 1, (n_examples, 1))
    values[:, ::-1].sort(axis=1)
    order = rng.permuted(np.tile(np.arange(k), (n_examples, 1)), axis=1)
    classes, values = (np.take_along_axis(array, order, axis=1) for array in (classes, values))
    classes[(rng.random(classes.shape) < 0.1) & (values < values.max(axis=1, keepdims=True))] = -1
    wrong = rng.random(n_examples) < noise
    labels = np.where(wrong, (true + rng.integers(k, size=n_examples)) % n_classes, true)
    return labels, TopK(classes, values.astype(np.float32), n_classes=n_classes)


@st.composite
def sparse_data(draw: st.DrawFn) -> tuple[np.ndarray, TopK]:
    """Few classes or many, rows from empty to full, ties, zeros, signs, absent classes."""
    n_classes = draw(st.sampled_from([2, 3, 5, 40, 127]))
    k = draw(st.integers(1, min(n_classes, 12)))
    n_examples = draw(st.integers(1, 25))
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    digits = draw(st.sampled_from([1, 2, 9]))
    values = rng.dirichlet(np.full(k, 0.5), n_examples).round(digits)
    if draw(st.booleans()):
        values[rng.random(values.shape) < 0.1] = rng.choice([-0.0, -5e-7, 1.0, 1 + 5e-7])
    classes = rng.permuted(np.tile(np.arange(n_classes), (n_examples, 1)), axis=1)[:, :k]
    classes[rng.random(classes.shape) < draw(st.sampled_from([0.0, 0.3, 1.0]))] = -1
    present = rng.permutation(n_classes)[: draw(st.integers(1, n_classes))]
    return rng.choice(present, n_examples), TopK(classes, values, n_classes=n_classes)


def compressed(top: TopK, *, starts: Any = np.int32, order: str = "any") -> Any:
    """The same as scipy's rows, free entries left out."""
    classes, values = np.asarray(top.classes), np.asarray(top.values)
    is_stored = classes != -1
    indptr = np.concatenate([[0], is_stored.sum(axis=1).cumsum()]).astype(starts)
    parts = values[is_stored], classes[is_stored].astype(starts), indptr
    matrix = sp.csr_array(
        (np.zeros(0), np.zeros(0, starts), np.zeros(len(top) + 1, starts)), top.shape
    )
    matrix.data, matrix.indices, matrix.indptr = parts
    matrix.has_canonical_format = False
    if order == "ascending":
        matrix.sort_indices()
    return matrix


def everything(labels: np.ndarray, pred_probs: Any, **options: Any) -> dict[str, Any]:
    """The answer of every function that takes a sparse matrix, with every option."""
    data = labels, pred_probs
    n, n_classes = pred_probs.shape
    answers: dict[str, Any] = {"thresholds": conflearn.confident_thresholds(*data, **options)}
    cut = np.resize([0.4, 0.0, -1.0, 0.6, 2.0], n_classes)
    for name, thresholds in (("own", None), ("given", cut)):
        counted = conflearn.confident_joint(
            *data, calibrate=False, thresholds=thresholds, **options
        )
        answers[f"counts by {name} thresholds"] = counted
        answers[f"rows by {name} thresholds"] = conflearn.off_diagonal_examples(
            *data, thresholds=thresholds, **options
        )
    answers["joint"] = conflearn.estimate_joint(*data, **options)
    answers["calibrated"] = conflearn.confident_joint(*data, **options)
    mask = np.arange(n) % 3 != 1
    for method in SCORES + JUDGES:
        for adjust in (False, True)[: 1 + (method in SCORES[:2])]:
            answers[f"{method} {adjust}"] = conflearn.label_quality_scores(
                *data, method=method, adjust_pred_probs=adjust, **options
            )
            answers[f"order by {method} {adjust}"] = conflearn.order_label_issues(
                mask, *data, rank_by=method, adjust_pred_probs=adjust, **options
            )
    for filter_by in FILTERS + JUDGES:
        answers[filter_by] = conflearn.find_label_issues(*data, filter_by=filter_by, **options)
        for method in SCORES + JUDGES:
            answers[f"{filter_by} by {method}"] = conflearn.rank_label_issues(
                *data, filter_by=filter_by, rank_by=method, **options
            )
        analysis = conflearn.analyze(*data, filter_by=filter_by, **options)
        answers[f"suggested by {filter_by}"] = analysis.suggested_labels
        answers[f"analysis by {filter_by}"] = analysis.mask
    answers |= {f"analysis by {name}": scores for name, scores in analysis.scores.items()}
    for filter_by in FILTERS[:3]:
        answers[f"{filter_by} of options"] = conflearn.find_label_issues(
            *data,
            filter_by=filter_by,
            frac_noise=0.7,
            min_examples_per_class=2,
            confident_joint=answers["calibrated"],
            **options,
        )
    for method in ("off_diagonal", "off_diagonal_calibrated"):
        answers[method] = conflearn.num_label_issues(*data, method=method, **options)  # type: ignore[arg-type] # a name out of a list
    answers["weights"] = conflearn.sample_weights(*data, **options)
    health = conflearn.dataset_health(*data, **options)
    answers["health"] = health.health_score
    answers["classes"] = health.classes.label_quality
    return answers


def assert_same(found: dict[str, Any], expected: dict[str, Any]) -> None:
    """Bits, not values: a zero has a sign."""
    assert found.keys() == expected.keys()
    for name, answer in expected.items():
        assert np.asarray(found[name]).tobytes() == np.asarray(answer).tobytes(), name


@given(sparse_data(), st.sampled_from(VALUES), st.sampled_from(CLASSES[:4]), st.booleans())
@settings(max_examples=25)
def test_top_k_is_the_dense_matrix(data, values, classes, fortran):
    labels, top = data
    order: Any = "F" if fortran else "C"
    narrow = TopK(
        np.asarray(top.classes.astype(classes), order=order),
        np.asarray(top.values.astype(values), order=order),
        n_classes=top.n_classes,
    )
    dense = narrow.to_dense()
    assert_same(everything(labels, narrow), everything(labels, dense))


@given(
    sparse_data(),
    st.sampled_from([np.float32, np.float64]),
    st.sampled_from([np.int32, np.int64]),
    st.sampled_from(["any", "ascending"]),
)
@settings(max_examples=25)
def test_compressed_rows_are_the_dense_matrix(data, values, starts, order):
    labels, top = data
    top = TopK(top.classes, top.values.astype(values), n_classes=top.n_classes)
    matrix = compressed(top, starts=starts, order=order)
    assert_same(everything(labels, matrix), everything(labels, top.to_dense()))


@pytest.mark.parametrize("classes", CLASSES)
def test_classes_of_any_integers(classes):
    labels, top = random_top_k(300, 90, 7)
    kept = np.arange(7) + (7 * np.arange(300)[:, None]) % 80
    top = TopK(kept.astype(classes), top.values, n_classes=90)
    expected = conflearn.rank_label_issues(labels, top.to_dense())
    np.testing.assert_array_equal(conflearn.rank_label_issues(labels, top), expected)


@pytest.mark.parametrize("n_threads", [1, 2, 3])
def test_blocks_and_threads_do_not_show(n_threads):
    labels, top = random_top_k(30_000, 3_000, 11)
    dense = top[::40].to_dense()
    found = everything(labels[::40], top[::40], n_threads=n_threads) if n_threads == 2 else {}
    if found:
        assert_same(found, everything(labels[::40], dense))
    one = conflearn.analyze(labels, top, n_threads=1)
    some = conflearn.analyze(labels, compressed(top), n_threads=n_threads)
    np.testing.assert_array_equal(one.ranked, some.ranked)
    np.testing.assert_array_equal(one.suggested_labels, some.suggested_labels)
    for name in SCORES:
        np.testing.assert_array_equal(one.scores[name], some.scores[name])


def test_memory_of_any_kind(tmp_path):
    labels, top = random_top_k(200, 30, 6)
    expected = conflearn.rank_label_issues(labels, top)
    np.save(tmp_path / "classes.npy", top.classes)
    np.save(tmp_path / "values.npy", top.values)
    mapped = [np.load(tmp_path / f"{name}.npy", mmap_mode="r") for name in ("classes", "values")]
    padded = [np.zeros((400, 13), array.dtype) for array in mapped]
    for wide, array in zip(padded, mapped, strict=True):
        wide[::2, ::-2][:, :6] = array
    lists = top.classes.tolist(), top.values.astype(float).tolist()
    for classes, values in (mapped, [wide[::2, ::-2][:, :6] for wide in padded], lists):
        again = TopK(classes, values, n_classes=30)
        np.testing.assert_array_equal(conflearn.rank_label_issues(labels, again), expected)
    swapped = TopK(top.classes.astype(">i4"), top.values, n_classes=30)
    with announced("pred_probs.classes", "byte order"):
        np.testing.assert_array_equal(conflearn.rank_label_issues(labels, swapped), expected)


@pytest.mark.parametrize("kind", ["csr_matrix", "csc_array", "coo_matrix", "lil_array"])
def test_scipy_in_any_format(kind):
    labels, top = random_top_k(50, 8, 3)
    matrix = getattr(sp, kind)(compressed(top))
    expected = conflearn.rank_label_issues(labels, top)
    if kind == "csr_matrix":
        np.testing.assert_array_equal(conflearn.rank_label_issues(labels, matrix), expected)
        return
    with announced("pred_probs", "copied", "row by row", "tocsr()"):
        np.testing.assert_array_equal(conflearn.rank_label_issues(labels, matrix), expected)


def test_nothing_stored_and_names():
    names = ["a", "b", "c"]
    empty = sp.csr_array((4, 3), dtype=np.float32)
    scores = conflearn.label_quality_scores(["a", "b", "c", "a"], empty, classes=names)
    np.testing.assert_array_equal(scores, np.zeros(4))
    labels = np.array([0, 1, 2, 0])
    assert_same(everything(labels, empty), everything(labels, empty.toarray()))
    free = TopK(np.full((4, 2), -1), np.full((4, 2), np.nan), n_classes=3)
    assert_same(everything(labels, free), everything(labels, empty.toarray().astype(float)))


def test_top_k_as_an_object():
    top = TopK([[0, 2], [1, -1]], [[0.75, 0.25], [1.0, 0.0]], n_classes=np.int64(4))
    assert (top.shape, top.dtype, len(top), top.n_classes) == ((2, 4), np.float64, 2, 4)
    assert repr(top) == "TopK of 2 entries a row, n_classes=4"
    np.testing.assert_array_equal(top[1:].to_dense(), [[0, 1, 0, 0]])
    np.testing.assert_array_equal(top[[1, 0]].to_dense(), [[0, 1, 0, 0], [0.75, 0, 0.25, 0]])
    files = TopK("classes.npy", ["values-0.npy", "values-1.npy"], n_classes=4)
    assert repr(files) == (
        "TopK(classes='classes.npy', values=['values-0.npy', 'values-1.npy'], n_classes=4)"
    )
    assert not hasattr(files, "dtype")
    with pytest.raises(AttributeError, match="values is no array, so its dtype is known only when"):
        files.dtype  # noqa: B018 - it raises
    half = TopK(np.zeros((3, 2), int), "values.npy", n_classes=4)
    assert repr(half) == "TopK of 2 entries a row, n_classes=4"
    with refused(InputTypeError, "no arrays"):
        len(files)
    with refused(ShapeError, "same shape", "(1, 2)", "(1, 3)"):
        TopK(np.zeros((1, 2), int), np.zeros((1, 3)), n_classes=4)
    with refused(ShapeError, "two dimensions", "(2,)"):
        TopK(np.zeros(2, int), np.zeros(2), n_classes=4)
    with refused(ShapeError, "rows of equal length"):
        TopK([[0, 1], [2]], [[0.5, 0.5], [1.0]], n_classes=4)
    with refused(ShapeError, "n_classes must be at least 2"):
        TopK([[0]], [[1.0]], n_classes=1)
    with refused(OptionError, "n_classes must be a whole number", "2.0"):
        TopK([[0]], [[1.0]], n_classes=2.0)


CALLS = (
    conflearn.find_label_issues,
    conflearn.analyze,
    conflearn.confident_joint,
    lambda labels, top: conflearn.label_quality_scores(labels, top, method=SCORES[1]),
    lambda labels, top: conflearn.label_quality_scores(labels, top, method=SCORES[2]),
    lambda labels, top: conflearn.label_quality_scores(labels, top, adjust_pred_probs=True),
)


@pytest.mark.parametrize("call", CALLS)
def test_what_is_wrong_is_named(call):
    labels, top = random_top_k(100, 9, 4)
    classes = np.tile(np.arange(4), (100, 1))

    def broken(row: int, place: int, *, of: int | None = None, value: float | None = None) -> TopK:
        some, values = classes.copy(), np.full((100, 4), 0.25)
        if of is not None:
            some[row, place] = of
        if value is not None:
            values[row, place] = value
        return TopK(some, values, n_classes=9)

    with refused(InputError, "classes from 0 to 8", "entry 3 of row 70 is of class 9"):
        call(labels, broken(70, 3, of=9))
    with refused(InputError, "entry 0 of row 70 is of class -2"):
        call(labels, broken(70, 0, of=-2))
    with refused(InputError, "row 70 stores class 1 more than once"):
        call(labels, broken(70, 3, of=1))
    with refused(ProbabilityError, "pred_probs[70, 2] is 1.5"):
        call(labels, broken(70, 2, value=1.5))
    with refused(ProbabilityError, "pred_probs[70, 2] is NaN"):
        call(labels, broken(70, 2, value=np.nan))
    with refused(LabelError, "labels[99] is 9"):
        call(np.append(labels[:99], 9), top)


def test_compressed_rows_that_are_none():
    labels, top = random_top_k(20, 9, 4)

    def broken(**parts: Any) -> Any:
        matrix = compressed(top)
        for name, part in parts.items():
            setattr(matrix, name, part)
        return matrix

    starts = compressed(top).indptr.copy()
    starts[4] = starts[3] - 1
    with refused(InputError, "compressed rows", "row 3 goes from entry"):
        conflearn.find_label_issues(labels, broken(indptr=starts))
    with refused(ShapeError, "indptr", "21"):
        conflearn.find_label_issues(labels, broken(indptr=starts[:-1]))
    with refused(ShapeError, "one length"):
        conflearn.find_label_issues(labels, broken(data=compressed(top).data[:-1]))
    with refused(InputError, "of class -1"):
        negative = compressed(top).indices.copy()
        negative[0] = -1
        conflearn.find_label_issues(labels, broken(indices=negative))


def test_what_does_not_go_with_sparse_matrices():
    labels, top = random_top_k(20, 9, 4)
    for kind in ("logits", "scores"):
        with refused(OptionError, f"kind={kind!r}", "counts as 0"):
            conflearn.find_label_issues(labels, top, kind=kind)
    with refused(InputTypeError, "pred_probs[0] is sparse"):
        conflearn.analyze(labels, [top, top])
    with refused(InputTypeError, "TopK", "to_dense()"):
        conflearn.multilabel.find_label_issues([[0]] * 20, top)
    with refused(InputTypeError, "toarray()"):
        conflearn.multilabel.find_label_issues([[0]] * 20, compressed(top))
    for mode in ("soft", "importance"):
        with refused(OptionError, f"mode={mode!r}", "mode='hard'"):
            conflearn.sample_weights(labels, top, mode=mode)
    with refused(InputTypeError, "classes", "float64", "integers"):
        floats = TopK(top.classes.astype(float), top.values, n_classes=9)
        conflearn.find_label_issues(labels, floats)
    with refused(ShapeError, "at least one entry a row"):
        none = TopK(np.zeros((20, 0), int), np.zeros((20, 0)), n_classes=9)
        conflearn.find_label_issues(labels, none)
    with refused(ShapeError, "empty"):
        conflearn.find_label_issues(labels[:0], top[:0])
    with refused(ShapeError, "19 entries", "20 rows"):
        conflearn.find_label_issues(labels[:19], top)


def test_ensembles_of_sparse_matrices():
    labels, first = random_top_k(100, 9, 4)
    second = random_top_k(100, 9, 4, seed=1)[1]
    dense = [first.to_dense(), second.to_dense()]
    for weights in ("uniform", "accuracy", "log_loss"):
        np.testing.assert_array_equal(
            conflearn.ensemble_label_quality_scores(labels, [first, second], weights=weights),
            conflearn.ensemble_label_quality_scores(labels, dense, weights=weights),
        )


# --- Many classes --------------------------------------------------------------------------------


def few_classes_among_many() -> tuple[np.ndarray, TopK, np.ndarray, np.ndarray]:
    """The same data twice: of 40 classes, and of these spread among many."""
    labels, top = random_top_k(800, 40, 6, seed=3)
    spread = np.sort(np.random.default_rng(0).permutation(MANY)[:40])
    classes = np.where(top.classes < 0, -1, spread[top.classes])
    return spread[labels], TopK(classes, top.values, n_classes=MANY), labels, top.to_dense()


def test_matrices_of_many_classes_are_sparse():
    labels, top, few_labels, dense = few_classes_among_many()
    spread = np.unique(labels)
    assert len(spread) == 40
    counted = conflearn.confident_joint(labels, top)
    assert isinstance(counted, sp.csr_array)
    assert counted.dtype == np.int64
    assert counted.sum() == len(labels)
    expected = conflearn.confident_joint(few_labels, dense)
    np.testing.assert_array_equal(counted[spread][:, spread].toarray(), expected)
    analysis = conflearn.analyze(labels, top)
    assert (analysis.confident_joint != counted).nnz == 0
    assert abs(analysis.joint - conflearn.estimate_joint(labels, top)).max() == 0
    assert abs(analysis.joint.sum() - 1) < 1e-12
    health = conflearn.dataset_health(labels, top)
    assert health.health_score == conflearn.dataset_health(few_labels, dense).health_score
    assert health.num_issues == conflearn.num_label_issues(labels, top)
    np.testing.assert_array_equal(
        health.overlapping_classes(5).num_examples,
        conflearn.dataset_health(few_labels, dense).overlapping_classes(5).num_examples,
    )
    assert len(health.classes) == MANY
    assert isinstance(health.joint, sp.csr_array)
    weights = conflearn.sample_weights(labels, top)
    np.testing.assert_array_equal(weights == 0, analysis.mask)
    np.testing.assert_array_equal(
        conflearn.sample_weights(labels, analysis.noise_model, mask=analysis.mask), weights
    )
    with refused(OptionError, "mode='soft'", "mode='hard'"):
        wide = np.zeros((2, MANY), np.float32)
        conflearn.sample_weights([0, 1], wide, mode="soft", noise_model=analysis.noise_model)


@pytest.mark.parametrize("prior_method", PRIOR_METHODS)
@pytest.mark.parametrize("converge", [False, True])
def test_noise_models_of_many_classes(prior_method, converge, monkeypatch):
    """Of few classes, but as if those were many: the dense model, entry by entry."""
    joint = np.array([[8, 2, 0], [0, 9, 1], [3, 0, 7]])
    labels = [0] * 11 + [1] * 11 + [2] * 8
    options: dict[str, Any] = {"prior_method": prior_method, "converge": converge}
    dense = conflearn.estimate_noise_model(joint, labels, **options)
    same = conflearn.estimate_noise_model(sp.csr_matrix(joint), labels, **options)
    assert isinstance(same.noise_matrix, np.ndarray)
    monkeypatch.setattr("conflearn.noise_model.LARGEST_DENSE", 2)
    if prior_method == "eqn":
        with refused(OptionError, "eqn", "too much memory", "cnt"):
            conflearn.estimate_noise_model(sp.csr_array(joint), labels, **options)
        return
    found = conflearn.estimate_noise_model(sp.csc_array(joint), labels, **options)
    for ours in (same, found):
        np.testing.assert_array_equal(ours.prior, dense.prior)
        for matrix, expected in zip(ours[1:], dense[1:], strict=True):
            np.testing.assert_array_equal(sp.csr_array(matrix).toarray(), expected)


def test_joints_may_be_sparse():
    labels, top = random_top_k(400, 12, 4)
    joint = conflearn.confident_joint(labels, top, calibrate=False)
    rows = sp.coo_array(joint)
    assert isinstance(conflearn.calibrate_confident_joint(rows, labels), np.ndarray)
    for call in (
        lambda joint: conflearn.calibrate_confident_joint(joint, labels),
        lambda joint: conflearn.estimate_joint(labels, top, confident_joint=joint),
        lambda joint: conflearn.find_label_issues(labels, top, confident_joint=joint),
        lambda joint: conflearn.analyze(labels, top, confident_joint=joint).ranked,
        lambda joint: conflearn.num_label_issues(
            labels, top, method="off_diagonal_custom", confident_joint=joint
        ),
        lambda joint: conflearn.dataset_health(labels, confident_joint=joint).joint,
        lambda joint: conflearn.dataset_health(confident_joint=joint).joint,
    ):
        np.testing.assert_array_equal(call(rows), call(joint))
    shares = joint / joint.sum()
    np.testing.assert_array_equal(
        conflearn.dataset_health(joint=sp.csr_array(shares), n_examples=400).classes,
        conflearn.dataset_health(joint=shares, n_examples=400).classes,
    )
    # Entries that are there twice are added up; the caller's matrix stays as it is.
    twice = sp.csr_array(
        (np.array([1.0, 2, 4, 0]), np.array([1, 1, 0, 1]), np.array([0, 2, 4])), shape=(2, 2)
    )
    np.testing.assert_array_equal(
        conflearn.calibrate_confident_joint(twice, [0, 0, 0, 1]), [[0, 3], [1, 0]]
    )
    assert twice.nnz == 4


def test_sparse_joints_that_are_none():
    labels = [0, 1, 1]
    for bad, error, rule in (
        (sp.csr_array((2, 3)), ShapeError, "(2, 3)"),
        (sp.csr_array((2, 2)), InputError, "at least one example"),
        (sp.csr_array([[1.0, -2], [0, 1]]), InputError, "confident_joint[0, 1] is -2.0"),
        (sp.csr_array([[1.0, 0], [0, np.inf]]), InputError, "confident_joint[1, 1] is inf"),
        (sp.csr_array([[1.0, 0], [np.nan, 1]]), InputError, "confident_joint[1, 0] is nan"),
        (sp.csr_array([[1e308, 1e308], [1e308, 0]]), InputError, "finite sum"),
        (sp.csr_array([[1j, 0], [0, 1]]), InputTypeError, "complex128"),
    ):
        with refused(error, rule):
            conflearn.calibrate_confident_joint(bad, labels)
    with refused(InputError, "rows of those classes are all zeros"):
        conflearn.calibrate_confident_joint(sp.csr_array([[1, 0], [0, 0]]), [1, 1])
    with refused(ShapeError, "the 3 classes"):
        three = np.full((3, 3), 1 / 3)
        conflearn.find_label_issues([0, 1, 2], three, confident_joint=sp.eye_array(2))


def test_scipy_is_asked_for(monkeypatch):
    labels, top, *_ = few_classes_among_many()
    monkeypatch.setitem(sys.modules, "scipy.sparse", None)
    assert conflearn.find_label_issues(labels, top).any()
    with refused(MissingDependencyError, "conflearn[sparse]"):
        conflearn.confident_joint(labels, top)
    with refused(MissingDependencyError, "conflearn[sparse]"):
        assert conflearn.analyze(labels, top).noise_model


def test_a_million_classes():
    """Nothing has the size K x K or N x K, and no work goes by K a row."""
    n, n_classes = 3_000, 1_000_000
    labels, top = random_top_k(n, n_classes, 5)
    top = TopK(top.classes.astype(np.int32), top.values, n_classes=n_classes)
    matrix = compressed(top)
    tracemalloc.start()
    try:
        analysis = conflearn.analyze(labels, top, filter_by="low_normalized_margin")
        model = analysis.noise_model
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < 400e6  # numpy tells of what it allocates
    assert model.noise_matrix.shape == (n_classes, n_classes)
    assert model.noise_matrix.nnz < n + n_classes + 1
    assert abs(model.prior.sum() - 1) < 1e-9
    for method in SCORES[:2]:
        scores = conflearn.label_quality_scores(
            labels, matrix, method=method, adjust_pred_probs=True
        )
        assert (scores >= 0).all()
    ranked = conflearn.rank_label_issues(labels, matrix, rank_by="confidence_weighted_entropy")
    assert conflearn.find_label_issues(labels, top)[ranked].all()
