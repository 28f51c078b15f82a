"""Multi-label functions side by side with cleanlab's: masks, orders, scores, tables, errors.

Where the two differ on purpose, the difference has a name in `INTENDED_DIFFERENCES` and a test
`test_difference_<name>` that shows both sides of it.
"""

import io
import re
import warnings
from collections.abc import Callable, Iterator
from contextlib import redirect_stderr, redirect_stdout
from types import SimpleNamespace
from typing import Any, NamedTuple

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from conflearn import errors
from conflearn.cleanlab import count, multilabel_classification
from conflearn.cleanlab import filter as filters
from conflearn.cleanlab.internal import multilabel_utils
from conflearn.cleanlab.multilabel_classification import dataset, rank
from conflearn.cleanlab.multilabel_classification import filter as of_tags
from side_by_side import Outcome, assert_equal, assert_shown_and_documented, outcome
from strategies import FILTERS, PRUNE_FILTERS, SCORES

pytest.importorskip("cleanlab")
pandas = pytest.importorskip("pandas")

INTENDED_DIFFERENCES = {
    "tags_in_any_form": "Labels may be an array, frame or sparse matrix of zeros and ones, or any "
    "sequence of sequences; there, depending on the function, they must be a list of lists, or are "
    "taken for lists of classes, zeros and ones.",
    "one_sided_tags_work": "A tag that every example has, or none, is no problem; there many "
    "functions refuse it.",
    "unknown_tags_named": "A class that the matrix has no column for is refused by name; there "
    "some functions ignore it with a warning.",
    "low_filters_ranked": "With filter_by='low_*' the ranked examples are those of the mask, in "
    "the order of their scores; there scores and examples are mixed up.",
    "few_tags_named": "One warning names the tags that too few examples have, or lack; there one "
    "for each tag names class 0 or 1.",
    "no_deprecation_from_within": "Only filter.find_label_issues(multi_label=True) itself warns "
    "that it is deprecated; there functions warn that call it themselves.",
    "whole_issue_counts": "The numbers of issues of a class are what was counted; there they are "
    "computed back from shares, and may be one too low.",
    "classes_in_order": "Classes of equal quality come in the order of their numbers; there they "
    "come in no order.",
    "batches_exact": "low_memory=True flags what filter_by='low_self_confidence' does, in the "
    "order of the scores; there the number is an approximation, and the order that of the rows.",
    "more_aggregators": "mean, median and min may be asked for by name, as natively; there only by "
    "a function.",
    "joints_of_tags_checked": "Joints that make no sense, too few numbers to remove and too few "
    "names are refused by name; there they are computed with, or crash.",
}

Tags = list[list[int]]

#: cleanlab takes its time for each class.
few = settings(max_examples=max(1, settings().max_examples // 6))


class Multi(NamedTuple):
    """What every function takes first."""

    labels: Tags
    pred_probs: np.ndarray


def as_lists(indicator: np.ndarray) -> Tags:
    return [np.flatnonzero(row).tolist() for row in indicator]


def random_tags(
    n_examples: int,
    n_classes: int,
    *,
    seed: int = 0,
    noise: float = 0.15,
    share: float = 0.4,
    decimals: int | None = None,
    dtype: type = np.float64,
) -> Multi:
    """A model that is mostly right, tags of which a share of `noise` is wrong.

    Every tag is given to one example at least, and kept from another.
    """
    rng = np.random.default_rng(seed)
    true = rng.random((n_examples, n_classes)) < share
    logits = rng.normal(size=true.shape) + (2 * true - 1) * rng.gamma(2.0, 1.0, size=true.shape)
    pred_probs = 1 / (1 + np.exp(-logits))
    if decimals is not None:
        pred_probs = pred_probs.round(decimals)
    indicator = true ^ (rng.random(true.shape) < noise)
    indicator[0], indicator[1] = True, False
    return Multi(as_lists(indicator), pred_probs.astype(dtype))


DATA = random_tags(80, 4)
INDICATOR = np.array([[k in tags for k in range(4)] for tags in DATA.labels]).astype(int)


@st.composite
def multi_data(draw: st.DrawFn) -> Multi:
    return random_tags(
        draw(st.integers(2, 120)),
        draw(st.integers(2, 8)),
        seed=draw(st.integers(0, 2**32 - 1)),
        noise=draw(st.sampled_from([0.0, 0.1, 0.3, 0.8])),
        share=draw(st.sampled_from([0.1, 0.5, 0.9])),
        decimals=draw(st.sampled_from([None, None, 2, 1])),
    )


@pytest.fixture(scope="module")
def theirs(cleanlab: SimpleNamespace) -> Iterator[SimpleNamespace]:
    """cleanlab's modules, with frames that are sorted stably."""
    from cleanlab.multilabel_classification import dataset as their_dataset
    from cleanlab.multilabel_classification import filter as their_filter
    from cleanlab.multilabel_classification import rank as their_rank

    original = pandas.DataFrame.sort_values

    def stable(frame: Any, *args: Any, **kwargs: Any) -> Any:
        return original(frame, *args, **{**kwargs, "kind": "stable"})

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(pandas.DataFrame, "sort_values", stable)
        yield SimpleNamespace(
            dataset=their_dataset,
            of_tags=their_filter,
            rank=their_rank,
            count=cleanlab.count,
            filters=cleanlab.filter,
        )


OURS = SimpleNamespace(dataset=dataset, of_tags=of_tags, rank=rank, count=count, filters=filters)


def run(function: Callable[..., Any], *args: Any, **kwargs: Any) -> tuple[Outcome, str]:
    with redirect_stdout(io.StringIO()) as printed, redirect_stderr(io.StringIO()):
        return outcome(function, *args, **kwargs), printed.getvalue()


def agree(theirs: SimpleNamespace, name: str, *args: Any, rtol: float = 1e-9, **kwargs: Any) -> Any:
    """Call the function of both, and demand that the same comes of it."""
    module, _, function = name.partition(".")
    mine, my_text = run(getattr(getattr(OURS, module), function), *args, **kwargs)
    other, their_text = run(getattr(getattr(theirs, module), function), *args, **kwargs)
    if other.error is not None:
        assert isinstance(mine.error, type(other.error)), (mine, other)
        return None
    if mine.error is not None:
        raise mine.error
    assert mine.warned == other.warned - {DeprecationWarning} or mine.warned == other.warned
    assert my_text == their_text
    assert_same(mine.value, other.value, rtol)
    return mine.value


def assert_same(mine: Any, other: Any, rtol: float = 1e-9) -> None:
    if isinstance(other, tuple | list):
        assert type(mine) is type(other)
        for one, another in zip(mine, other, strict=True):
            assert_same(one, another, rtol)
    elif isinstance(other, dict):
        assert list(mine) == list(other)
        for key, value in other.items():
            assert_same(mine[key], value, rtol)
    elif isinstance(other, pandas.DataFrame):
        pandas.testing.assert_frame_equal(by_class(mine), by_class(other))
    else:
        assert type(mine) is type(other)
        assert_equal(mine, other, rtol)


def by_class(frame: Any) -> Any:
    """Rows in an order of their own: which of equal ones comes first is a difference."""
    keys = [name for name in ("Class Index", "In Given Label") if name in frame]
    return frame.sort_values(by=keys).reset_index(drop=True)


def test_every_intended_difference_is_shown_and_documented() -> None:
    assert_shown_and_documented(INTENDED_DIFFERENCES, globals())


def test_the_package_has_what_cleanlab_puts_there() -> None:
    assert multilabel_classification.get_label_quality_scores is rank.get_label_quality_scores
    assert multilabel_classification.__all__ == [
        "dataset",
        "filter",
        "get_label_quality_scores",
        "rank",
    ]


# --- Issues


@pytest.mark.parametrize("filter_by", FILTERS)
@few
@given(data=multi_data())
def test_masks(theirs: SimpleNamespace, data: Multi, filter_by: str) -> None:
    options: dict[str, Any] = {"filter_by": filter_by, "n_jobs": 1}
    agree(theirs, "of_tags.find_label_issues", *data, **options)
    agree(theirs, "of_tags.find_multilabel_issues_per_class", *data, **options)


@pytest.mark.parametrize("filter_by", PRUNE_FILTERS)
@few
@given(
    data=multi_data(),
    frac_noise=st.sampled_from([1.0, 0.5, 0.0]),
    minimum=st.sampled_from([0, 1, 5]),
)
def test_options_of_pruning(
    theirs: SimpleNamespace, data: Multi, frac_noise: float, minimum: int, filter_by: str
) -> None:
    options: dict[str, Any] = {
        "filter_by": filter_by,
        "frac_noise": frac_noise,
        "min_examples_per_class": minimum,
        "n_jobs": 1,
    }
    agree(theirs, "of_tags.find_label_issues", *data, **options)
    agree(theirs, "of_tags.find_multilabel_issues_per_class", *data, **options)


@pytest.mark.parametrize("filter_by", PRUNE_FILTERS)
@few
@given(data=multi_data(), draw=st.data())
def test_num_to_remove_per_class(
    theirs: SimpleNamespace, data: Multi, draw: st.DataObject, filter_by: str
) -> None:
    n_classes = data.pred_probs.shape[1]
    removals = draw.draw(st.lists(st.integers(0, 4), min_size=n_classes, max_size=n_classes))
    options: dict[str, Any] = {
        "filter_by": filter_by,
        "num_to_remove_per_class": removals,
        "n_jobs": 1,
    }
    agree(theirs, "of_tags.find_label_issues", *data, **options)
    agree(theirs, "of_tags.find_multilabel_issues_per_class", *data, **options)


@pytest.mark.parametrize("filter_by", FILTERS)
@few
@given(data=multi_data(), seed=st.integers(0, 100))
def test_given_joints(theirs: SimpleNamespace, data: Multi, seed: int, filter_by: str) -> None:
    n_classes = data.pred_probs.shape[1]
    joints = np.random.default_rng(seed).integers(0, 40, size=(n_classes, 2, 2))
    options: dict[str, Any] = {"filter_by": filter_by, "confident_joint": joints, "n_jobs": 1}
    agree(theirs, "of_tags.find_label_issues", *data, **options)
    agree(theirs, "of_tags.find_multilabel_issues_per_class", *data, **options)


@pytest.mark.parametrize("filter_by", [*PRUNE_FILTERS, "confident_learning", "predicted_neq_given"])
@pytest.mark.parametrize("rank_by", ["self_confidence", "normalized_margin"])
@few
@given(data=multi_data(), adjust=st.booleans())
def test_ranked_issues(
    theirs: SimpleNamespace, data: Multi, adjust: bool, rank_by: str, filter_by: str
) -> None:
    options: dict[str, Any] = {
        "filter_by": filter_by,
        "return_indices_ranked_by": rank_by,
        "rank_by_kwargs": {"adjust_pred_probs": adjust},
        "n_jobs": 1,
    }
    mine, _ = run(of_tags.find_label_issues, *data, **options)
    other, _ = run(theirs.of_tags.find_label_issues, *data, **options)
    scores = theirs.rank.get_label_quality_scores(*data, method=rank_by, adjust_pred_probs=adjust)
    assert_same_order(mine.value, other.value, scores)
    mine, _ = run(of_tags.find_multilabel_issues_per_class, *data, **options)
    other, _ = run(theirs.of_tags.find_multilabel_issues_per_class, *data, **options)
    by_tag = theirs.rank.get_label_quality_scores_per_class(
        *data, method=rank_by, adjust_pred_probs=adjust
    )
    for ours, those, scores_of_tag in zip(mine.value[0], other.value[0], by_tag.T, strict=True):
        assert_same_order(ours, those, scores_of_tag)
    assert_same(mine.value[1:], other.value[1:])


def assert_same_order(ours: np.ndarray, theirs: np.ndarray, scores: np.ndarray) -> None:
    """Equal except among scores that are equal but for their last bits."""
    assert ours.dtype == theirs.dtype
    assert sorted(ours) == sorted(theirs)
    np.testing.assert_allclose(scores[ours], scores[theirs], rtol=1e-12, atol=1e-12)


def test_entropy_ranks_too(theirs: SimpleNamespace) -> None:
    options: dict[str, Any] = {
        "return_indices_ranked_by": "confidence_weighted_entropy",
        "n_jobs": 1,
    }
    agree(theirs, "of_tags.find_label_issues", *DATA, **options)
    agree(theirs, "of_tags.find_multilabel_issues_per_class", *DATA, **options)


def test_larger_data(theirs: SimpleNamespace) -> None:
    data = random_tags(2000, 20, share=0.1)
    for filter_by in FILTERS:
        agree(theirs, "of_tags.find_label_issues", *data, filter_by=filter_by, n_jobs=1)
    agree(
        theirs,
        "of_tags.find_label_issues",
        *data,
        return_indices_ranked_by="self_confidence",
        n_jobs=1,
    )


def test_narrow_matrices(theirs: SimpleNamespace) -> None:
    for dtype in (np.float32, np.float16):
        narrow = random_tags(300, 5, dtype=dtype)
        wide = Multi(narrow.labels, narrow.pred_probs.astype(np.float64))
        other = theirs.of_tags.find_label_issues(*wide, n_jobs=1)
        np.testing.assert_array_equal(of_tags.find_label_issues(*narrow), other)
        np.testing.assert_allclose(
            rank.get_label_quality_scores(*narrow),
            theirs.rank.get_label_quality_scores(*wide),
            rtol=1e-12,
        )


def test_verbose(theirs: SimpleNamespace) -> None:
    agree(theirs, "of_tags.find_label_issues", *DATA, verbose=True, n_jobs=1)


@pytest.mark.parametrize("name", ["find_label_issues", "find_multilabel_issues_per_class"])
@pytest.mark.parametrize(
    "options",
    [
        {"filter_by": "nonsense"},
        {"return_indices_ranked_by": "nonsense"},
        {"n_jobs": 0},
        {"filter_by": "predicted_neq_given", "frac_noise": 0.5},
        {"filter_by": "confident_learning", "num_to_remove_per_class": [1, 1, 1, 1]},
        {"filter_by": "confident_learning", "confident_joint": np.ones((4, 2, 2))},
        {"confident_joint": np.ones((4, 4))},
        {"confident_joint": np.ones((4, 3, 3))},
        {"return_indices_ranked_by": "self_confidence", "rank_by_kwargs": {"nonsense": 1}},
    ],
    ids=str,
)
def test_bad_options(theirs: SimpleNamespace, options: dict[str, Any], name: str) -> None:
    agree(theirs, f"of_tags.{name}", *DATA, **options)


def test_what_low_memory_does_not_use_is_told(theirs: SimpleNamespace) -> None:
    for unused in ({"frac_noise": 0.5}, {"rank_by_kwargs": {"adjust_pred_probs": True}}):
        mine, _ = run(of_tags.find_label_issues, *DATA, low_memory=True, **unused)
        other, _ = run(theirs.of_tags.find_label_issues, *DATA, low_memory=True, **unused)
        assert mine.warned == other.warned == {UserWarning}


# --- Scores

AGGREGATORS: list[Any] = [
    {"method": "exponential_moving_average", "alpha": 0.3},
    {"method": "exponential_moving_average", "alpha": 0.0},
    {"method": "exponential_moving_average", "alpha": 1},
    {"method": "exponential_moving_average"},
    {"method": "softmin"},
    {"method": "softmin", "temperature": 0.5},
    {"method": "softmin", "nonsense": 3},
    {"method": np.min},
    {"method": np.mean},
    {"method": lambda scores, axis, power: (scores**power).mean(axis), "power": 2},
    {},
    None,
    {"method": "nonsense"},
    {"method": 3},
    {"alpha": 0.5},
    {"method": "exponential_moving_average", "alpha": 3},
]


@pytest.mark.parametrize("method", [*SCORES, "nonsense"])
@few
@given(data=multi_data(), adjust=st.booleans())
def test_scores(theirs: SimpleNamespace, data: Multi, adjust: bool, method: str) -> None:
    if (
        method == "confidence_weighted_entropy"
    ):  # where certain, the two differ: see `entropy_limit`
        data = Multi(data.labels, data.pred_probs.clip(0.01, 0.99))
    options: dict[str, Any] = {"method": method, "adjust_pred_probs": adjust, "rtol": 1e-6}
    agree(theirs, "rank.get_label_quality_scores", *data, **options)
    agree(theirs, "rank.get_label_quality_scores_per_class", *data, **options)


@pytest.mark.parametrize("aggregator", AGGREGATORS)
def test_aggregators(theirs: SimpleNamespace, aggregator: Any) -> None:
    for method in SCORES:
        agree(
            theirs,
            "rank.get_label_quality_scores",
            *DATA,
            method=method,
            aggregator_kwargs=aggregator,
            rtol=1e-6,
        )


@pytest.mark.parametrize("name", ["mean", "median", "min"])
def test_difference_more_aggregators(theirs: SimpleNamespace, name: str) -> None:
    by_name = {"aggregator_kwargs": {"method": name}}
    with pytest.raises(ValueError, match="Invalid aggregation method"):
        theirs.rank.get_label_quality_scores(*DATA, **by_name)
    np.testing.assert_allclose(
        rank.get_label_quality_scores(*DATA, **by_name),
        theirs.rank.get_label_quality_scores(
            *DATA, aggregator_kwargs={"method": getattr(np, name)}
        ),
        rtol=1e-12,
    )


def test_names_of_scores_in_any_case(theirs: SimpleNamespace) -> None:
    agree(theirs, "rank.get_label_quality_scores", *DATA, method="Self_Confidence")


# --- count and filter


@few
@given(data=multi_data(), calibrate=st.booleans(), seed=st.integers(0, 100))
def test_count(theirs: SimpleNamespace, data: Multi, calibrate: bool, seed: int) -> None:
    multi: dict[str, Any] = {"multi_label": True}
    joints = np.random.default_rng(seed).integers(1, 40, size=(data.pred_probs.shape[1], 2, 2))
    agree(theirs, "count.get_confident_thresholds", *data, **multi)
    agree(theirs, "count.num_label_issues", *data, **multi)
    agree(theirs, "count.compute_confident_joint", *data, calibrate=calibrate, **multi)
    agree(theirs, "count.estimate_joint", *data, **multi)
    agree(theirs, "count.estimate_joint", *data, confident_joint=joints, **multi)
    agree(theirs, "count.calibrate_confident_joint", joints, data.labels, **multi)
    agree(theirs, "filters.find_predicted_neq_given", *data, **multi)
    for thresholds in (None, [0.3, 0.6], np.array([[0.6], [0.4]])[:, 0]):
        agree(
            theirs,
            "count.compute_confident_joint",
            *data,
            thresholds=thresholds,
            calibrate=calibrate,
            return_indices_of_off_diagonals=True,
            **multi,
        )


def test_number_of_issues_with_joints(theirs: SimpleNamespace) -> None:
    agree(
        theirs,
        "count.num_label_issues",
        *DATA,
        confident_joint=np.ones((4, 2, 2)),
        multi_label=True,
    )


@pytest.mark.parametrize("filter_by", FILTERS)
def test_find_label_issues_of_filter(theirs: SimpleNamespace, filter_by: str) -> None:
    options: dict[str, Any] = {"multi_label": True, "filter_by": filter_by, "n_jobs": 1}
    agree(theirs, "filters.find_label_issues", *DATA, **options)
    with pytest.warns(DeprecationWarning, match="multilabel_classification"):
        filters.find_label_issues(*DATA, **options)


def test_find_label_issues_of_filter_ranked(theirs: SimpleNamespace) -> None:
    agree(
        theirs,
        "filters.find_label_issues",
        *DATA,
        multi_label=True,
        n_jobs=1,
        return_indices_ranked_by="normalized_margin",
        num_to_remove_per_class=[2, 1, 0, 3],
    )


# --- Health


@few
@given(data=multi_data(), named=st.booleans(), seed=st.integers(0, 100))
def test_tables(theirs: SimpleNamespace, data: Multi, named: bool, seed: int) -> None:
    n_classes = data.pred_probs.shape[1]
    names = [f"tag {k}" for k in range(n_classes)] if named else None
    joints = np.random.default_rng(seed).integers(1, 40, size=(n_classes, 2, 2))
    for joint in (None, joints):
        agree(
            theirs,
            "dataset.common_multilabel_issues",
            *data,
            class_names=names,
            confident_joint=joint,
        )
        agree(theirs, "dataset.overall_multilabel_health_score", *data, confident_joint=joint)


@pytest.mark.parametrize("n_examples", [64, 128])  # where shares times examples are exact
def test_quality_of_classes(theirs: SimpleNamespace, n_examples: int) -> None:
    for seed in range(5):
        data = random_tags(n_examples, 6, seed=seed)
        joints = np.random.default_rng(seed).integers(1, 40, size=(6, 2, 2))
        for options in (
            {},
            {"class_names": list("abcdef")},
            {"class_names": {k: f"tag {k}" for k in reversed(range(6))}},
            {"joint": joints},
            {"confident_joint": joints},
        ):
            agree(theirs, "dataset.rank_classes_by_multilabel_quality", *data, **options)


@pytest.mark.parametrize("verbose", [True, False])
def test_summary(theirs: SimpleNamespace, verbose: bool) -> None:
    n_printed = []
    for options in (
        {},
        {"class_names": list("abcd")},
        {"confident_joint": np.full((4, 2, 2), 5)},
        {"num_examples": 1234567},
    ):
        data = random_tags(64, 4, seed=1)
        mine, my_text = run(dataset.multilabel_health_summary, *data, verbose=verbose, **options)
        other, their_text = run(
            theirs.dataset.multilabel_health_summary, *data, verbose=verbose, **options
        )
        assert_same(mine.value, other.value)
        # Equal classes come in another order; the rest is the same.
        assert len(my_text.splitlines()) == len(their_text.splitlines())
        n_printed.append(len(my_text))
        heading = re.compile(r"\A.*?\n\n", re.DOTALL)
        assert heading.findall(my_text) == heading.findall(their_text)
        assert my_text.splitlines()[-3:] == their_text.splitlines()[-3:]
    assert all(n_printed) == verbose


@pytest.mark.parametrize(
    "name",
    [
        "common_multilabel_issues",
        "rank_classes_by_multilabel_quality",
        "overall_multilabel_health_score",
        "multilabel_health_summary",
    ],
)
def test_health_of_nothing(theirs: SimpleNamespace, name: str) -> None:
    agree(theirs, f"dataset.{name}", None, DATA.pred_probs)
    agree(theirs, f"dataset.{name}")
    with pytest.raises(ValueError, match="labels and pred_probs"):
        getattr(dataset, name)(None, DATA.pred_probs)


# --- Forms


def test_forms_of_tags() -> None:
    from cleanlab.internal import multilabel_utils as their_utils

    one_hot = multilabel_utils.int2onehot(DATA.labels, 4)
    assert_same(one_hot, their_utils.int2onehot(DATA.labels, 4))
    assert_same(multilabel_utils.int2onehot(one_hot, 4), one_hot)
    assert multilabel_utils.onehot2int(one_hot) == their_utils.onehot2int(one_hot) == DATA.labels
    for pred_probs in (None, DATA.pred_probs):
        mine = multilabel_utils.get_onehot_num_classes(DATA.labels, pred_probs)
        assert_same(mine, their_utils.get_onehot_num_classes(DATA.labels, pred_probs))
    column = DATA.pred_probs[:, 0]
    assert_same(multilabel_utils.stack_complement(column), their_utils.stack_complement(column))
    assert multilabel_utils.int2onehot([[], [1]], 3).tolist() == [[0, 0, 0], [0, 1, 0]]
    with pytest.raises(ValueError, match=r"labels.*7"):
        multilabel_utils.int2onehot([[0], [7]], 3)


# --- Errors

P = DATA.pred_probs
BAD_DATA: dict[str, tuple[Any, Any]] = {
    "lengths differ": (DATA.labels[1:], P),
    "no lists": ([0] * 80, P),
    "None": (None, P),
    "strings": ([["a"]] * 80, P),
    "one dimension": (DATA.labels, P[:, 0]),
    "above one": (DATA.labels, P + 1),
}
CHECKED = (
    "of_tags.find_label_issues",
    "of_tags.find_multilabel_issues_per_class",
    "rank.get_label_quality_scores",
    "rank.get_label_quality_scores_per_class",
    "filters.find_label_issues",
    "filters.find_predicted_neq_given",
    "count.num_label_issues",
    "count.get_confident_thresholds",
    "count.compute_confident_joint",
    "count.estimate_joint",
)


@pytest.mark.parametrize("name", CHECKED)
@pytest.mark.parametrize("data", BAD_DATA.values(), ids=BAD_DATA.keys())
def test_bad_data(theirs: SimpleNamespace, data: tuple[Any, Any], name: str) -> None:
    module, _, function = name.partition(".")
    multi = {} if module in {"of_tags", "rank"} else {"multi_label": True}
    mine, _ = run(getattr(getattr(OURS, module), function), *data, **multi)
    other, _ = run(getattr(getattr(theirs, module), function), *data, **multi)
    assert isinstance(mine.error, ValueError | TypeError)
    # What there is an IndexError, from deep within, or passes unseen, is a ValueError here.
    if other.error is not None and not isinstance(other.error, IndexError):
        assert isinstance(mine.error, type(other.error))


def test_the_tag_that_is_wrong_is_named() -> None:
    labels = [*DATA.labels[:7], [0, 9], *DATA.labels[8:]]
    with pytest.raises(errors.LabelError, match=r"labels\[7\].*9"):
        of_tags.find_label_issues(labels, P)
    with pytest.raises(errors.TagFormatError, match=r"labels\[3\].*number the classes"):
        rank.get_label_quality_scores([*DATA.labels[:3], ["a"], *DATA.labels[4:]], P)
    for labels, text in (
        ([*DATA.labels[:7], [0, 9]], r"labels\[7\] holds 9; number the classes"),
        ([[0], [-1, 2]], r"labels\[1\] holds -1; number the classes"),
        ([], "labels is empty"),
    ):
        with pytest.raises(ValueError, match=text) as caught:
            count.calibrate_confident_joint(np.ones((4, 2, 2)), labels, multi_label=True)
        assert "classes=" not in str(caught.value)
        assert "pred_probs" not in str(caught.value)
    nan = P.copy()
    nan[5, 2] = np.nan
    for function in (of_tags.find_label_issues, rank.get_label_quality_scores):
        with pytest.raises(errors.ProbabilityError, match=r"pred_probs\[5, 2\] is NaN"):
            function(DATA.labels, nan)
    for multi_label in (count.compute_confident_joint, filters.find_predicted_neq_given):
        with pytest.raises(errors.ProbabilityError, match=r"pred_probs\[5, 2\] is NaN"):
            multi_label(DATA.labels, nan, multi_label=True)


# --- Intended differences


@pytest.mark.parametrize("form", ["array", "bools", "frame", "sparse", "tuples"])
def test_difference_tags_in_any_form(theirs: SimpleNamespace, form: str) -> None:
    forms: dict[str, Callable[[], Any]] = {
        "array": lambda: INDICATOR,
        "bools": lambda: INDICATOR.astype(bool),
        "frame": lambda: pandas.DataFrame(INDICATOR),
        "sparse": lambda: pytest.importorskip("scipy.sparse").csr_array(INDICATOR),
        "tuples": lambda: tuple(map(tuple, DATA.labels)),
    }
    labels = forms[form]()
    refused, _ = run(theirs.rank.get_label_quality_scores, labels, P)
    assert isinstance(refused.error, AssertionError | TypeError)
    np.testing.assert_array_equal(
        rank.get_label_quality_scores(labels, P), rank.get_label_quality_scores(*DATA)
    )
    np.testing.assert_array_equal(
        of_tags.find_label_issues(labels, P), of_tags.find_label_issues(*DATA)
    )
    assert_same(
        of_tags.find_multilabel_issues_per_class(
            labels, P, return_indices_ranked_by="self_confidence"
        ),
        of_tags.find_multilabel_issues_per_class(*DATA, return_indices_ranked_by="self_confidence"),
    )


@pytest.mark.parametrize("has_tag", [True, False])
def test_difference_one_sided_tags_work(theirs: SimpleNamespace, has_tag: bool) -> None:
    indicator = INDICATOR.copy()
    indicator[:, 2] = has_tag
    labels = as_lists(indicator)
    others = [0, 1, 3]
    renumbered = as_lists(indicator[:, others])
    options: dict[str, Any] = {"n_jobs": 1}
    for filter_by in FILTERS:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            mine = of_tags.find_multilabel_issues_per_class(
                labels, P, filter_by=filter_by, **options
            )
            other, _ = run(
                theirs.of_tags.find_multilabel_issues_per_class,
                renumbered,
                P[:, others],
                filter_by=filter_by,
                **options,
            )
        np.testing.assert_array_equal(mine[:, others], other.value)
    refused = "of_tags.find_label_issues" if has_tag else "filters.find_predicted_neq_given"
    module, _, function = refused.partition(".")
    multi = {} if has_tag else {"multi_label": True}
    outcome_, _ = run(getattr(getattr(theirs, module), function), labels, P, **multi)
    assert isinstance(outcome_.error, ValueError)
    run_, _ = run(getattr(getattr(OURS, module), function), labels, P, **multi)
    assert run_.error is None
    empty = [[] for _ in labels]
    assert isinstance(run(theirs.rank.get_label_quality_scores, empty, P)[0].error, ValueError)
    np.testing.assert_allclose(rank.get_label_quality_scores_per_class(empty, P), 1 - P, rtol=1e-12)


def test_difference_unknown_tags_named(theirs: SimpleNamespace) -> None:
    labels = [[7], *DATA.labels[1:]]
    other, _ = run(theirs.of_tags.find_label_issues, labels, P, n_jobs=1)
    assert other.error is None
    with pytest.raises(errors.LabelError, match=r"labels\[0\].*7"):
        of_tags.find_label_issues(labels, P)


def test_difference_low_filters_ranked(theirs: SimpleNamespace) -> None:
    data = random_tags(200, 5, seed=3)
    options: dict[str, Any] = {
        "filter_by": "low_self_confidence",
        "return_indices_ranked_by": "self_confidence",
        "n_jobs": 1,
    }
    ours, _ = run(of_tags.find_label_issues, *data, **options)
    other, _ = run(theirs.of_tags.find_label_issues, *data, **options)
    scores = theirs.rank.get_label_quality_scores(*data)
    assert sorted(ours.value) == sorted(other.value)
    assert (np.diff(scores[ours.value]) >= 0).all()
    assert (np.diff(scores[other.value]) < 0).any()


def test_difference_few_tags_named(theirs: SimpleNamespace) -> None:
    indicator = INDICATOR.copy()
    indicator[:, 1] = np.arange(80) == 0
    labels = as_lists(indicator)
    with pytest.warns(UserWarning, match="classes: 1; too few examples have them") as caught:
        of_tags.find_label_issues(labels, P)
    assert len(caught) == 1
    with pytest.warns(UserWarning, match="class: 1, it has too few") as caught:
        theirs.of_tags.find_label_issues(labels, P, n_jobs=1)


def test_difference_no_deprecation_from_within(theirs: SimpleNamespace) -> None:
    for name, options in (
        ("of_tags.find_label_issues", {"filter_by": "low_self_confidence"}),
        ("count.num_label_issues", {"multi_label": True}),
    ):
        module, _, function = name.partition(".")
        mine, _ = run(getattr(getattr(OURS, module), function), *DATA, **options)
        other, _ = run(getattr(getattr(theirs, module), function), *DATA, **options)
        assert DeprecationWarning in other.warned
        assert DeprecationWarning not in mine.warned


def test_difference_whole_issue_counts(theirs: SimpleNamespace) -> None:
    column = "Label Issues"
    for seed in range(40):
        data = random_tags(49, 6, seed=seed, noise=0.3)
        counted = dataset.common_multilabel_issues(*data)
        wanted = counted[counted["In Given Label"]].set_index("Class Index")["Num Examples"]
        mine = dataset.rank_classes_by_multilabel_quality(*data).set_index("Class Index")[column]
        assert (mine == wanted[mine.index]).all()
        other, _ = run(theirs.dataset.rank_classes_by_multilabel_quality, *data)
        too_low = other.value.set_index("Class Index")[column]
        if (too_low < wanted[too_low.index]).any():
            return
    raise AssertionError("no such case was met")


def test_difference_classes_in_order(theirs: SimpleNamespace) -> None:
    data = random_tags(60, 12, seed=2, noise=0.0)
    for name, keys in (
        ("rank_classes_by_multilabel_quality", ["Label Quality Score", "Class Index"]),
        ("common_multilabel_issues", ["Issue Probability", "Class Index"]),
    ):
        frame = getattr(dataset, name)(*data)
        ascending = [name.startswith("rank"), True]
        expected = frame.sort_values(by=keys, ascending=ascending, kind="stable")
        pandas.testing.assert_frame_equal(frame, expected)
    other = theirs.dataset.rank_classes_by_multilabel_quality(*data)
    keys = ["Label Quality Score", "Class Index"]
    assert not other.equals(other.sort_values(by=keys).reset_index(drop=True))


def test_difference_batches_exact(theirs: SimpleNamespace) -> None:
    data = random_tags(300, 5, seed=1, share=0.3)
    exact = of_tags.find_multilabel_issues_per_class(*data, filter_by="low_self_confidence")
    found = of_tags.find_multilabel_issues_per_class(*data, low_memory=True)
    np.testing.assert_array_equal(found, exact)
    np.testing.assert_array_equal(
        of_tags.find_label_issues(*data, low_memory=True), exact.any(axis=1)
    )
    for method in SCORES:
        options: dict[str, Any] = {"low_memory": True, "return_indices_ranked_by": method}
        mine, _ = run(of_tags.find_multilabel_issues_per_class, *data, **options)
        other, _ = run(theirs.of_tags.find_multilabel_issues_per_class, *data, **options)
        scores = rank.get_label_quality_scores_per_class(*data, method=method)
        for k in range(5):
            assert (np.diff(scores[mine.value[0][k], k]) >= 0).all()
            assert other.value[0][k].tolist() == sorted(other.value[0][k])
            assert np.isin(mine.value[0][k], other.value[0][k]).mean() > 0.8


def test_difference_joints_of_tags_checked(theirs: SimpleNamespace) -> None:
    negative = np.ones((4, 2, 2))
    negative[2, 0, 1] = -1
    other, _ = run(theirs.of_tags.find_label_issues, *DATA, confident_joint=negative, n_jobs=1)
    assert other.error is None
    with pytest.raises(ValueError, match=r"confident_joint\[2, 0, 1\]"):
        of_tags.find_label_issues(*DATA, confident_joint=negative)
    other, _ = run(theirs.of_tags.find_label_issues, *DATA, num_to_remove_per_class=[1], n_jobs=1)
    assert isinstance(other.error, IndexError)
    with pytest.raises(ValueError, match="num_to_remove_per_class"):
        of_tags.find_label_issues(*DATA, num_to_remove_per_class=[1, 2])
    other, _ = run(theirs.dataset.common_multilabel_issues, *DATA, class_names=["a"])
    assert isinstance(other.error, IndexError)
    with pytest.raises(ValueError, match="class_names has 1 entries"):
        dataset.common_multilabel_issues(*DATA, class_names=["a"])
