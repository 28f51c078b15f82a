"""Every refusal: its type, and a message that names the argument, the rule and the place."""

from collections.abc import Callable
from typing import Any, NoReturn

import numpy as np
import pytest

import conflearn
from conflearn.errors import (
    InputError,
    InputTypeError,
    LabelError,
    OptionError,
    ProbabilityError,
    ShapeError,
)
from strategies import FILTERS, OTHER_FILTERS, random_data, random_joint

Function = Callable[..., Any]

N, K = 30, 3
LABELS, PRED_PROBS = random_data(N, K)

#: Every function that takes `labels` and `pred_probs`.
FUNCTIONS: dict[str, Function] = {
    "find_label_issues": conflearn.find_label_issues,
    "rank_label_issues": conflearn.rank_label_issues,
    "label_quality_scores": conflearn.label_quality_scores,
    "order_label_issues": lambda labels, pred_probs: conflearn.order_label_issues(
        np.ones(N, dtype=bool), labels, pred_probs
    ),
    "confident_thresholds": conflearn.confident_thresholds,
    "confident_joint": conflearn.confident_joint,
    "off_diagonal_examples": conflearn.off_diagonal_examples,
    "estimate_joint": conflearn.estimate_joint,
    "num_label_issues": conflearn.num_label_issues,
    "analyze": conflearn.analyze,
    "dataset_health": conflearn.dataset_health,
}
#: Those that read only the cells of the given classes.
READ_OWN_CELLS = {"label_quality_scores", "order_label_issues", "confident_thresholds"}
READ_ALL_CELLS = sorted(FUNCTIONS.keys() - READ_OWN_CELLS)

every_function = pytest.mark.parametrize("function", FUNCTIONS.values(), ids=FUNCTIONS.keys())


def changed(array: np.ndarray, place: Any, value: Any) -> np.ndarray:
    copy = array.copy()
    copy[place] = value
    return copy


def test_the_tree_of_errors() -> None:
    for error in (ShapeError, LabelError, ProbabilityError, OptionError):
        assert issubclass(error, InputError)
    assert issubclass(InputError, ValueError)
    assert issubclass(InputTypeError, TypeError)
    assert issubclass(conflearn.errors.ConflearnCopyWarning, UserWarning)


# --- Shapes


@every_function
@pytest.mark.parametrize("shape", [(N,), (N, K, 1), ()])
def test_pred_probs_has_two_dimensions(function: Function, shape: tuple[int, ...]) -> None:
    with pytest.raises(ShapeError, match="pred_probs"):
        function(LABELS, np.full(shape, 0.5))


@every_function
def test_labels_has_one_dimension(function: Function) -> None:
    with pytest.raises(ShapeError, match="labels"):
        function(np.zeros((N, 2), dtype=int), PRED_PROBS)


@every_function
@pytest.mark.parametrize("n_labels", [N - 1, N + 1])
def test_there_is_one_label_for_each_row(function: Function, n_labels: int) -> None:
    with pytest.raises(ShapeError, match=rf"labels.*{n_labels}.*{N}"):
        function(np.zeros(n_labels, dtype=int), PRED_PROBS)


@pytest.mark.parametrize("name", sorted(FUNCTIONS.keys() - {"order_label_issues"}))
def test_nothing_is_not_enough(name: str) -> None:
    with pytest.raises(ShapeError, match=r"at least one|empty"):
        FUNCTIONS[name](np.zeros(0, dtype=int), np.zeros((0, K)))


@every_function
def test_one_class_is_not_enough(function: Function) -> None:
    with pytest.raises(ShapeError, match=r"pred_probs.*two"):
        function(np.zeros(N, dtype=int), np.ones((N, 1)))


# --- Labels


@every_function
@pytest.mark.parametrize("label", [-1, K, 10**6])
def test_a_label_names_a_column(function: Function, label: int) -> None:
    labels = changed(changed(LABELS, 11, label), 20, label)
    with pytest.raises(LabelError, match=rf"labels.*11.*{label}"):
        function(labels, PRED_PROBS)


@pytest.mark.parametrize("dtype", [np.int8, np.int16, np.int32, np.int64])
def test_a_negative_label_is_refused_in_every_width(dtype: type) -> None:
    with pytest.raises(LabelError, match=r"labels.*4.*-2"):
        conflearn.find_label_issues(changed(LABELS, 4, -2).astype(dtype), PRED_PROBS)


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.uint32, np.uint64])
def test_a_label_too_high_is_refused_in_every_width(dtype: type) -> None:
    highest = int(np.iinfo(dtype).max)
    with pytest.raises(LabelError, match=rf"labels.*4.*{highest}"):
        conflearn.find_label_issues(changed(LABELS.astype(dtype), 4, highest), PRED_PROBS)


@every_function
@pytest.mark.parametrize("label", [0.5, np.nan, np.inf])
def test_a_label_is_a_whole_number(function: Function, label: float) -> None:
    labels = changed(LABELS.astype(float), 11, label)
    with pytest.raises(LabelError, match=rf"labels.*11.*{label}"):
        function(labels, PRED_PROBS)


@every_function
def test_bools_tell_two_classes_apart_not_three(function: Function) -> None:
    with pytest.raises(LabelError, match="bool"):
        function(LABELS == 0, PRED_PROBS)


def test_names_of_classes_need_an_order() -> None:
    with pytest.raises((LabelError, InputTypeError), match="classes"):
        conflearn.find_label_issues(["cat"] * N, PRED_PROBS)


def test_a_name_is_one_of_the_classes() -> None:
    labels = ["cat"] * 7 + ["cow"] * (N - 7)
    with pytest.raises(LabelError, match=r"labels.*7.*cow"):
        conflearn.find_label_issues(labels, PRED_PROBS, classes=["ant", "bee", "cat"])


@pytest.mark.parametrize("classes", [["ant", "bee"], ["ant", "bee", "cat", "dog"]])
def test_there_is_one_class_for_each_column(classes: list[str]) -> None:
    with pytest.raises(ShapeError, match=rf"classes.*{len(classes)}.*{K}"):
        conflearn.find_label_issues(["ant"] * N, PRED_PROBS, classes=classes)


def test_classes_have_names_of_their_own() -> None:
    with pytest.raises(InputError, match=r"classes.*bee"):
        conflearn.find_label_issues(["ant"] * N, PRED_PROBS, classes=["ant", "bee", "bee"])


# --- Probabilities


@pytest.mark.parametrize("name", READ_ALL_CELLS)
@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf, 1.5, -0.25])
def test_every_cell_is_a_probability(name: str, value: float) -> None:
    column = (LABELS[11] + 1) % K
    pred_probs = changed(PRED_PROBS, (11, column), value)
    with pytest.raises(ProbabilityError, match=rf"pred_probs.*11.*{column}") as caught:
        FUNCTIONS[name](LABELS, pred_probs)
    assert str(value) in str(caught.value).lower()


@pytest.mark.parametrize("name", READ_ALL_CELLS)
@pytest.mark.parametrize("value", [1 + 2e-6, -2e-6])
def test_only_rounding_errors_are_forgiven(name: str, value: float) -> None:
    with pytest.raises(ProbabilityError, match=r"pred_probs.*11.*0"):
        FUNCTIONS[name](LABELS, changed(PRED_PROBS, (11, 0), value))


@pytest.mark.parametrize("name", sorted(READ_OWN_CELLS))
@pytest.mark.parametrize("value", [np.nan, np.inf, 1.5, -0.25])
def test_every_cell_that_is_read_is_a_probability(name: str, value: float) -> None:
    column = LABELS[11]
    pred_probs = changed(PRED_PROBS, (11, column), value)
    with pytest.raises(ProbabilityError, match=rf"pred_probs.*11.*{column}"):
        FUNCTIONS[name](LABELS, pred_probs)


@pytest.mark.parametrize("method", ["normalized_margin", "confidence_weighted_entropy"])
@pytest.mark.parametrize("value", [np.nan, np.inf, 1.5, -0.25])
def test_scores_of_whole_rows_check_whole_rows(method: Any, value: float) -> None:
    column = (LABELS[11] + 1) % K
    with pytest.raises(ProbabilityError, match=rf"pred_probs.*11.*{column}"):
        conflearn.label_quality_scores(
            LABELS, changed(PRED_PROBS, (11, column), value), method=method
        )


@pytest.mark.parametrize("filter_by", FILTERS)
def test_every_filter_checks_every_cell(filter_by: Any) -> None:
    column = (LABELS[11] + 1) % K
    with pytest.raises(ProbabilityError, match=rf"pred_probs.*11.*{column}"):
        conflearn.find_label_issues(
            LABELS, changed(PRED_PROBS, (11, column), np.nan), filter_by=filter_by
        )


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf, 2.0, -1.0])
@pytest.mark.parametrize("column", [0, 15, 16, 31, 32, 63, 64, 99])
def test_no_cell_escapes_in_any_width(value: float, column: int, width: np.dtype) -> None:
    labels, pred_probs = random_data(50, 100)
    pred_probs = changed(pred_probs.astype(width), (49, column), value)
    with pytest.raises(ProbabilityError, match=rf"pred_probs.*49.*{column}"):
        conflearn.find_label_issues(labels, pred_probs)


@pytest.mark.parametrize("value", [1 + 5e-7, -5e-7])
def test_rounding_errors_are_forgiven(value: float) -> None:
    for function in FUNCTIONS.values():
        function(LABELS, changed(PRED_PROBS, (11, 0), value))


@pytest.mark.parametrize("n_threads", [1, 2, 7])
def test_the_first_offending_cell_is_named(n_threads: int) -> None:
    labels, pred_probs = random_data(50_000, 5)
    for row in (49_999, 40_000, 777, 3):  # added from the back: each is the first there is
        pred_probs[row, 3:] = np.nan
        with pytest.raises(ProbabilityError, match=rf"pred_probs.*\b{row}\b.*\b3\b"):
            conflearn.find_label_issues(labels, pred_probs, n_threads=n_threads)


@every_function
@pytest.mark.parametrize(
    "pred_probs",
    [None, object(), PRED_PROBS.astype(str), PRED_PROBS.astype(complex)],
    ids=["none", "object", "strings", "complex"],
)
def test_a_matrix_holds_numbers(function: Function, pred_probs: object) -> None:
    with pytest.raises(InputTypeError, match="pred_probs"):
        function(LABELS, pred_probs)


@every_function
@pytest.mark.parametrize(
    "labels", [None, object(), LABELS.astype(complex)], ids=["none", "object", "complex"]
)
def test_labels_are_a_column(function: Function, labels: object) -> None:
    with pytest.raises(InputTypeError, match="labels"):
        function(labels, PRED_PROBS)


# --- Options

NONSENSE: Any = "nonsense"


@pytest.mark.parametrize(
    ("name", "option", "choice"),
    [
        ("find_label_issues", "filter_by", "prune_by_noise_rate"),
        ("rank_label_issues", "filter_by", "confident_learning"),
        ("rank_label_issues", "rank_by", "normalized_margin"),
        ("analyze", "filter_by", "both"),
        ("analyze", "rank_by", "self_confidence"),
        ("label_quality_scores", "method", "confidence_weighted_entropy"),
        ("num_label_issues", "method", "off_diagonal_calibrated"),
    ],
)
@pytest.mark.parametrize("value", ["nonsense", None, 3])
def test_a_name_that_does_not_exist(name: str, option: str, choice: str, value: object) -> None:
    function = getattr(conflearn, name)
    with pytest.raises(OptionError, match=option) as caught:
        function(LABELS, PRED_PROBS, **{option: value})
    assert choice in str(caught.value)
    assert str(value) in str(caught.value)


def test_a_prior_method_that_does_not_exist() -> None:
    with pytest.raises(OptionError, match=r"prior_method.*nonsense.*marginal_ps"):
        conflearn.estimate_noise_model(random_joint(K), LABELS, prior_method=NONSENSE)


def test_a_score_to_order_by_that_does_not_exist() -> None:
    mask = np.ones(N, dtype=bool)
    with pytest.raises(OptionError, match=r"rank_by.*nonsense"):
        conflearn.order_label_issues(mask, LABELS, PRED_PROBS, rank_by=NONSENSE)


@pytest.mark.parametrize("filter_by", OTHER_FILTERS)
@pytest.mark.parametrize(
    ("option", "value"),
    [
        ("frac_noise", 0.5),
        ("num_to_remove_per_class", [1] * K),
        ("min_examples_per_class", 5),
        ("confident_joint", random_joint(K)),
    ],
)
@pytest.mark.parametrize("name", ["find_label_issues", "rank_label_issues", "analyze"])
def test_an_option_that_the_filter_would_ignore(
    name: str, filter_by: Any, option: str, value: object
) -> None:
    with pytest.raises(OptionError, match=option) as caught:
        getattr(conflearn, name)(LABELS, PRED_PROBS, filter_by=filter_by, **{option: value})
    assert filter_by in str(caught.value)


@pytest.mark.parametrize("frac_noise", [-0.1, 1.1, np.nan, np.inf])
def test_frac_noise_lies_between_zero_and_one(frac_noise: float) -> None:
    with pytest.raises(OptionError, match=r"frac_noise.*0.*1"):
        conflearn.find_label_issues(LABELS, PRED_PROBS, frac_noise=frac_noise)


@pytest.mark.parametrize("filter_by", ["prune_by_class", "confident_learning"])
@pytest.mark.parametrize(
    ("option", "value"),
    [
        ("min_examples_per_class", -1),
        ("min_examples_per_class", 1.5),
        ("min_examples_per_class", True),
        ("min_examples_per_class", 2**70),
        ("min_examples_per_class", None),
        ("min_examples_per_class", np.array([1, 2, 3])),
        ("frac_noise", 10**400),
        ("frac_noise", "half"),
        ("frac_noise", None),
        ("frac_noise", np.array([1.0, 0.5, 1.0])),
    ],
    ids=lambda value: str(value)[:20],
)
def test_numbers_are_numbers_whatever_the_filter(filter_by: Any, option: str, value: Any) -> None:
    with pytest.raises(OptionError, match=rf"{option}=.*number"):
        conflearn.find_label_issues(LABELS, PRED_PROBS, filter_by=filter_by, **{option: value})


@pytest.mark.parametrize("value", ["no", 1, 0, None, np.array([True])])
def test_a_flag_is_true_or_false(value: Any) -> None:
    with pytest.raises(OptionError, match=r"calibrate=.*True nor False"):
        conflearn.confident_joint(LABELS, PRED_PROBS, calibrate=value)
    with pytest.raises(OptionError, match=r"converge=.*True nor False"):
        conflearn.estimate_noise_model(random_joint(K), LABELS, converge=value)
    with pytest.raises(OptionError, match=r"adjust_pred_probs=.*True nor False"):
        conflearn.label_quality_scores(LABELS, PRED_PROBS, adjust_pred_probs=value)
    with pytest.raises(OptionError, match=r"adjust_pred_probs=.*True nor False"):
        conflearn.order_label_issues(LABELS == 0, LABELS, PRED_PROBS, adjust_pred_probs=value)


@pytest.mark.parametrize("n_entries", [K - 1, K + 1])
def test_num_to_remove_has_an_entry_for_each_class(n_entries: int) -> None:
    with pytest.raises(ShapeError, match="num_to_remove_per_class"):
        conflearn.find_label_issues(
            LABELS, PRED_PROBS, num_to_remove_per_class=np.ones(n_entries, dtype=int)
        )


@pytest.mark.parametrize("value", [-1, 0.5, N + 1])
def test_num_to_remove_counts_examples_that_are_there(value: float) -> None:
    with pytest.raises(InputError, match=rf"num_to_remove_per_class.*1.*{value}"):
        conflearn.find_label_issues(LABELS, PRED_PROBS, num_to_remove_per_class=[0, value, 0])


@pytest.mark.parametrize("n_threads", [0, -1, 1025, 2**70])
def test_there_are_between_one_and_1024_threads(n_threads: int) -> None:
    with pytest.raises(OptionError, match=rf"n_threads.*{n_threads}"):
        conflearn.find_label_issues(LABELS, PRED_PROBS, n_threads=n_threads)


def test_entropy_cannot_be_adjusted() -> None:
    entropy: Any = "confidence_weighted_entropy"
    with pytest.raises(OptionError, match="adjust_pred_probs"):
        conflearn.label_quality_scores(LABELS, PRED_PROBS, method=entropy, adjust_pred_probs=True)
    with pytest.raises(OptionError, match="adjust_pred_probs"):
        conflearn.order_label_issues(
            np.ones(N, dtype=bool), LABELS, PRED_PROBS, rank_by=entropy, adjust_pred_probs=True
        )


def test_a_mask_has_an_entry_for_each_example() -> None:
    with pytest.raises(ShapeError, match="mask"):
        conflearn.order_label_issues(np.ones(N - 1, dtype=bool), LABELS, PRED_PROBS)


def test_a_mask_is_not_a_list_of_indices() -> None:
    with pytest.raises(InputTypeError, match=r"mask.*bool"):
        conflearn.order_label_issues(np.arange(N), LABELS, PRED_PROBS)


# --- Thresholds and joints


@pytest.mark.parametrize("name", ["confident_joint", "off_diagonal_examples"])
@pytest.mark.parametrize("shape", [(K - 1,), (K + 1,), (K, K), ()])
def test_there_is_one_threshold_for_each_class(name: str, shape: tuple[int, ...]) -> None:
    with pytest.raises(ShapeError, match="thresholds"):
        getattr(conflearn, name)(LABELS, PRED_PROBS, thresholds=np.full(shape, 0.5))


@pytest.mark.parametrize("name", ["confident_joint", "off_diagonal_examples"])
def test_thresholds_are_numbers(name: str) -> None:
    with pytest.raises(InputError, match=r"thresholds.*1.*nan"):
        getattr(conflearn, name)(LABELS, PRED_PROBS, thresholds=[0.5, np.nan, 0.5])


JOINT_TAKERS: dict[str, Function] = {
    "find_label_issues": lambda joint: conflearn.find_label_issues(
        LABELS, PRED_PROBS, confident_joint=joint
    ),
    "rank_label_issues": lambda joint: conflearn.rank_label_issues(
        LABELS, PRED_PROBS, confident_joint=joint
    ),
    "estimate_joint": lambda joint: conflearn.estimate_joint(
        LABELS, PRED_PROBS, confident_joint=joint
    ),
    "num_label_issues": lambda joint: conflearn.num_label_issues(
        LABELS, PRED_PROBS, method="off_diagonal_custom", confident_joint=joint
    ),
}
every_joint_taker = pytest.mark.parametrize(
    "function", JOINT_TAKERS.values(), ids=JOINT_TAKERS.keys()
)


@every_joint_taker
@pytest.mark.parametrize("shape", [(K - 1, K - 1), (K, K + 1), (K,), (K, K, 1)])
def test_a_joint_has_a_row_and_a_column_for_each_class(
    function: Function, shape: tuple[int, ...]
) -> None:
    with pytest.raises(ShapeError, match="confident_joint"):
        function(np.ones(shape, dtype=int))


@every_joint_taker
def test_a_joint_holds_counts(function: Function) -> None:
    with pytest.raises(InputError, match=r"confident_joint.*1.*2.*-3"):
        function(changed(random_joint(K), (1, 2), -3))


@every_joint_taker
def test_a_joint_counts_something(function: Function) -> None:
    with pytest.raises(InputError, match="confident_joint must count at least one example"):
        function(np.zeros((K, K)))
    with pytest.raises(InputError, match="confident_joint must have a finite sum"):
        function(np.full((K, K), 1e308))


JOINT_ALONE = ("calibrate_confident_joint", "estimate_noise_model")


@pytest.mark.parametrize("name", JOINT_ALONE)
@pytest.mark.parametrize("joint", [[[1, 2], [3]], np.zeros((0, 0)), [[3]], [1, 2], 3])
def test_what_is_no_joint_of_two_classes_or_more(name: str, joint: object) -> None:
    with pytest.raises(ShapeError, match="confident_joint must have") as caught:
        getattr(conflearn, name)(joint, [0, 0])
    assert "pred_probs" not in str(caught.value)


@pytest.mark.parametrize("name", JOINT_ALONE)
@pytest.mark.parametrize(
    "labels", [[0, K], [0, -1], ["cat", "dog"], [True, False], [0.5, 1.0], []], ids=str
)
def test_messages_about_a_joint_alone_do_not_speak_of_a_matrix(name: str, labels: object) -> None:
    with pytest.raises(InputError, match="labels") as caught:
        getattr(conflearn, name)(random_joint(K), labels)
    assert "pred_probs" not in str(caught.value)


def test_a_joint_counts_examples_of_the_classes_that_there_are() -> None:
    joint = np.diag([0, 5, 5])
    labels, pred_probs = np.zeros(N, dtype=int), PRED_PROBS
    for call in (
        lambda: conflearn.calibrate_confident_joint(joint, labels),
        lambda: conflearn.estimate_noise_model(joint, labels),
        lambda: conflearn.estimate_joint(labels, pred_probs, confident_joint=joint),
        lambda: conflearn.num_label_issues(
            labels, pred_probs, method="off_diagonal_custom", confident_joint=joint
        ),
    ):
        with pytest.raises(InputError, match=r"confident_joint must count .* labels hold"):
            call()


@pytest.mark.parametrize("name", JOINT_ALONE)
def test_a_joint_alone_is_square_and_holds_counts(name: str) -> None:
    function = getattr(conflearn, name)
    with pytest.raises(ShapeError, match="confident_joint"):
        function(np.ones((K, K + 1), dtype=int), LABELS)
    with pytest.raises(InputError, match=r"confident_joint.*1.*2.*-3"):
        function(changed(random_joint(K), (1, 2), -3), LABELS)
    with pytest.raises(LabelError, match=rf"labels.*5.*{K}"):
        function(random_joint(K), changed(LABELS, 5, K))


def test_a_custom_joint_is_given_if_and_only_if_it_is_used() -> None:
    with pytest.raises(OptionError, match="confident_joint"):
        conflearn.num_label_issues(LABELS, PRED_PROBS, method="off_diagonal_custom")
    for method in ("off_diagonal", "off_diagonal_calibrated"):
        with pytest.raises(OptionError, match="confident_joint"):
            conflearn.num_label_issues(
                LABELS, PRED_PROBS, method=method, confident_joint=random_joint(K)
            )


# --- Too little memory


def test_what_is_kept_of_each_example_does_not_fit() -> None:
    n_examples = 2 * 10**14  # more bytes than a process can address, whatever the system promises
    labels = np.broadcast_to(np.int8(0), (n_examples,))
    pred_probs = np.broadcast_to(np.array([0.5, 0.5]), (n_examples, 2))
    with pytest.raises(MemoryError, match="not enough memory for what is kept of each example"):
        conflearn.find_label_issues(labels, pred_probs)


@pytest.mark.parametrize("function", [conflearn.confident_joint, conflearn.estimate_joint])
def test_a_joint_that_does_not_fit(function: Function, monkeypatch: pytest.MonkeyPatch) -> None:
    def no_memory(*_: object, **__: object) -> NoReturn:
        raise MemoryError("no memory")

    # Some systems promise any amount, so numpy's refusal is played.
    monkeypatch.setattr(np, "zeros", no_memory)
    with pytest.raises(MemoryError, match="no memory"):
        function([0, 1], [[0.9, 0.1], [0.2, 0.8]])
