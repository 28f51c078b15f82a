"""States of tags: whatever the batches and merges, the answer is that of one call."""

import pickle
import zlib
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import numpy as np
import pytest
import scipy.sparse
from hypothesis import given
from hypothesis import strategies as st

from conflearn import multilabel
from conflearn.errors import (
    InputTypeError,
    LabelError,
    OptionError,
    ProbabilityError,
    ShapeError,
    StateError,
)
from conflearn.multilabel.states import (
    FlaggedTags,
    TagCuts,
    TagJointState,
    TagRule,
    TagSelectionState,
    TagThresholdState,
)
from expected import refused
from reference import multilabel as reference
from strategies import FILTERS, SCORES
from tagged import Tagged, lists_of, random_tagged, tagged_data

AGGREGATES: tuple[Any, ...] = ("exponential_moving_average", "softmin", "mean", "median", "min")
QUOTA_FILTERS: tuple[Any, ...] = tuple(
    name for name in FILTERS if name not in {"confident_learning", "predicted_neq_given"}
)


class Batch(NamedTuple):
    """Some rows, which need not be neighbours, and their numbers."""

    tags: np.ndarray
    pred_probs: np.ndarray
    rows: np.ndarray


def cut(data: Tagged, starts: list[int]) -> list[Batch]:
    """Batches of neighbours, some of them empty."""
    rows = np.arange(len(data.tags))
    ends = sorted(start % (len(rows) + 1) for start in starts)
    pieces = np.split(rows, ends)
    return [Batch(data.tags[some], data.pred_probs[some], some) for some in pieces]


@st.composite
def batches(draw: st.DrawFn) -> tuple[Tagged, list[Batch], dict[str, Any]]:
    """Data of any kind, in batches of any sizes and in any order."""
    data = draw(tagged_data)
    kind = draw(st.sampled_from(["probabilities", "logits", "scores"]))
    options: dict[str, Any] = {"kind": kind}
    if kind == "logits":
        options["temperature"] = draw(st.sampled_from([1.0, 0.3]))
    if kind != "probabilities":
        data = data._replace(pred_probs=((data.pred_probs - 0.5) * 7).astype(data.pred_probs.dtype))
    starts = draw(st.lists(st.integers(0, 2**31), max_size=5))
    pieces = draw(st.permutations(cut(data, starts)))
    return data, pieces, options


def merged(states: list[Any], merge_order: st.DataObject) -> Any:
    """Merge in some tree, and write and read what is merged."""
    states = [type(state).from_bytes(state.to_bytes()) for state in states]
    while len(states) > 1:
        left = states.pop(merge_order.draw(st.integers(0, len(states) - 1)))
        right = states.pop(merge_order.draw(st.integers(0, len(states) - 1)))
        left.merge(pickle.loads(pickle.dumps(right)))
        states.append(left)
    return states[0]


def in_one(new: Callable[[], Any], pieces: list[Batch], draw: st.DataObject) -> Any:
    """The state of all batches: one after the other, and merged of some states each of a few."""
    name = "rows" if isinstance(new(), TagSelectionState) else "first_row"

    def update(state: Any, piece: Batch) -> None:
        # Row numbers only matter to a selection.
        state.update(piece.tags, piece.pred_probs, **{name: piece.rows if name == "rows" else 0})

    after_another, several = new(), [new() for _ in range(3)]
    for number, piece in enumerate(pieces):
        update(after_another, piece)
        update(several[number % 2], piece)
    of_several = merged(several, draw)
    assert of_several == after_another
    assert of_several.to_bytes() == after_another.to_bytes()
    return of_several


def selected(
    cuts: TagCuts, pieces: list[Batch], draw: st.DataObject, most: int | None, **rank: Any
) -> FlaggedTags | None:
    """Fill in cuts, in as many rounds as it takes; what a single round flags."""
    flagged = None
    while not cuts.is_done:
        size = {} if most is None else {"most": most}
        selection = in_one(lambda: TagSelectionState(cuts, **size, **rank), pieces, draw)  # noqa: B023 - called at once
        if selection.covers_all:
            flagged = selection.flagged()
        else:
            with refused(StateError, "one round of several"):
                selection.flagged()
        cuts.close(selection)
    return flagged


# --- The answer of one call ----------------------------------------------------------------------


@given(batches(), st.data())
def test_thresholds_and_joints(
    case: tuple[Tagged, list[Batch], dict[str, Any]], draw: st.DataObject
) -> None:
    (tags, pred_probs), pieces, options = case
    sums = in_one(lambda: TagThresholdState(tags.shape[1], **options), pieces, draw)
    thresholds = sums.finish()
    expected = multilabel.confident_thresholds(tags, pred_probs, **options)
    assert thresholds.tobytes() == expected.tobytes()
    assert sums.n_examples == len(tags)
    np.testing.assert_array_equal(sums.given_counts[:, 1], tags.sum(axis=0))
    np.testing.assert_array_equal(sums.given_counts.sum(axis=1), len(tags))
    joint = in_one(lambda: TagJointState(thresholds, **options), pieces, draw)
    for calibrate in (False, True):
        np.testing.assert_array_equal(
            joint.joint(calibrate=calibrate),
            multilabel.confident_joint(tags, pred_probs, calibrate=calibrate, **options),
        )
    np.testing.assert_array_equal(
        joint.num_issues_per_class,
        multilabel.num_label_issues_per_class(tags, pred_probs, **options),
    )
    np.testing.assert_array_equal(joint.given_counts, sums.given_counts)
    np.testing.assert_array_equal(joint.thresholds, thresholds)
    assert joint.n_examples == len(tags)


@given(batches(), st.sampled_from(FILTERS), st.sampled_from([None, 1, 2, 7]), st.data())
def test_flags(
    case: tuple[Tagged, list[Batch], dict[str, Any]],
    filter_by: Any,
    most: int | None,
    draw: st.DataObject,
) -> None:
    (tags, pred_probs), pieces, options = case
    expected = multilabel.locate_label_issues(tags, pred_probs, filter_by=filter_by, **options)
    thresholds = multilabel.confident_thresholds(tags, pred_probs, **options)
    cuts = None
    if filter_by in QUOTA_FILTERS:
        joint = in_one(lambda: TagJointState(thresholds, **options), pieces, draw)
        cuts = TagCuts.plan(joint, filter_by=filter_by)
        flagged = selected(cuts, pieces, draw, most)
        assert cuts == TagCuts.from_bytes(cuts.to_bytes())
        if flagged is not None:
            np.testing.assert_array_equal(flagged[:2], expected)
            np.testing.assert_array_equal(flagged.has_tag, tags[expected] == 1)
            assert flagged.scores is None
        else:
            assert most is not None or not len(expected[0])
    rule = pickle.loads(pickle.dumps(TagRule(thresholds, filter_by, cuts=cuts, **options)))
    mask = np.zeros(tags.shape, dtype=bool)
    for piece in pieces:
        found = rule.apply(piece.tags, piece.pred_probs, rows=piece.rows)
        mask[piece.rows[found.rows], found.classes] = True
        np.testing.assert_array_equal(found.has_tag, piece.tags[found.rows, found.classes] == 1)
        np.testing.assert_array_equal(
            found.is_issue, np.isin(np.arange(len(piece.rows)), found.rows)
        )
    np.testing.assert_array_equal(mask.nonzero(), expected)


@given(batches(), st.sampled_from(SCORES), st.sampled_from(AGGREGATES), st.data())
def test_scores_of_examples_are_noted(
    case: tuple[Tagged, list[Batch], dict[str, Any]],
    rank_by: Any,
    aggregate: Any,
    draw: st.DataObject,
) -> None:
    (tags, pred_probs), pieces, options = case
    joint = TagJointState(multilabel.confident_thresholds(tags, pred_probs, **options), **options)
    joint.update(tags, pred_probs)
    cuts = TagCuts.plan(joint, filter_by="prune_by_class")
    how = {"rank_by": rank_by, "aggregate": aggregate}
    if options["kind"] == "scores" and (
        aggregate == "softmin" or rank_by == "confidence_weighted_entropy"
    ):
        with refused(OptionError, "needs probabilities"):
            TagSelectionState(cuts, **how)
        return
    flagged = selected(cuts, pieces, draw, None, **how)
    if flagged is None:
        return
    scores = multilabel.label_quality_scores(
        tags, pred_probs, method=rank_by, aggregate=aggregate, **options
    )
    assert flagged.scores is not None
    assert flagged.scores.tobytes() == scores[flagged.rows].tobytes()
    rows, first = np.unique(flagged.rows, return_index=True)
    np.testing.assert_array_equal(
        rows[np.argsort(flagged.scores[first], kind="stable")],
        multilabel.rank_label_issues(
            tags, pred_probs, filter_by="prune_by_class", **how, **options
        ),
    )


@pytest.mark.parametrize(
    "options",
    [
        {"frac_noise": 0.5},
        {"min_examples_per_class": 40},
        {"num_to_remove_per_class": [[3, 1]] * 6},
        {"num_to_remove_per_class": [2] * 6},
        {"confident_joint": [[[90, 9], [5, 20]]] * 6},
    ],
    ids=lambda options: next(iter(options)),
)
@pytest.mark.parametrize("filter_by", ["prune_by_noise_rate", "prune_by_class", "both"])
def test_options_of_filters_that_prune(filter_by: Any, options: dict[str, Any]) -> None:
    tags, pred_probs = random_tagged(200, 6, seed=3, noise=0.3, decimals=2)
    joint = TagJointState(multilabel.confident_thresholds(tags, pred_probs))
    joint.update(tags, pred_probs)
    cuts = TagCuts.plan(joint, filter_by=filter_by, **options)
    selection = TagSelectionState(cuts)
    selection.update(tags[100:], pred_probs[100:], rows=100)
    selection.update(lists_of(tags[:100]), pred_probs[:100], rows=0)
    np.testing.assert_array_equal(
        selection.flagged()[:2],
        multilabel.locate_label_issues(tags, pred_probs, filter_by=filter_by, **options),
    )


@pytest.mark.parametrize("filter_by", QUOTA_FILTERS)
def test_a_model_that_knows_nothing(filter_by: Any) -> None:
    """More candidates than are looked at together, and than are kept in memory."""
    rng = np.random.default_rng(6)
    pred_probs = rng.random((30_000, 60)).astype(np.float32).round(2)
    tags = (rng.random(pred_probs.shape) < 0.5).astype(np.int8)
    joint = TagJointState(multilabel.confident_thresholds(tags, pred_probs))
    joint.update(tags, pred_probs)
    cuts = TagCuts.plan(joint, filter_by=filter_by)
    selection = TagSelectionState(cuts, rank_by="self_confidence", aggregate="min", most=2_000_000)
    selection.update(tags, pred_probs, rows=0)
    flagged = selection.flagged()
    expected = multilabel.locate_label_issues(tags, pred_probs, filter_by=filter_by)
    np.testing.assert_array_equal(flagged[:2], expected)
    scores = multilabel.label_quality_scores(tags, pred_probs, aggregate="min")
    np.testing.assert_array_equal(flagged.scores, scores[flagged.rows])
    few = 2000
    mask = reference.find_label_issues_per_class(
        tags[:few],
        pred_probs[:few],
        thresholds=multilabel.confident_thresholds(tags[:few], pred_probs[:few]),
        filter_by=filter_by,
    )
    joint = TagJointState(multilabel.confident_thresholds(tags[:few], pred_probs[:few]))
    joint.update(tags[:few], pred_probs[:few])
    selection = TagSelectionState(TagCuts.plan(joint, filter_by=filter_by))
    for start in range(0, few, 300):
        end = min(start + 300, few)
        selection.update(tags[start:end], pred_probs[start:end], rows=start)
    np.testing.assert_array_equal(selection.flagged()[:2], mask.nonzero())


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
def test_formats_of_batches_do_not_show(dtype: Any) -> None:
    """Lists, sparse tags, Fortran order, read-only memory and threads: the same state."""
    tags, pred_probs = random_tagged(3000, 70, seed=2, dtype=dtype)
    thresholds = multilabel.confident_thresholds(tags, pred_probs)

    def states(forms: Iterator[tuple[Any, Any]] | list[tuple[Any, Any]], n: int) -> list[bytes]:
        sums, joint = TagThresholdState(70), TagJointState(thresholds)
        for given_tags, matrix in forms:
            sums.update(given_tags, matrix, n_threads=n)
            joint.update(given_tags, matrix, n_threads=n)
        return [sums.to_bytes(), joint.to_bytes()]

    read_only = pred_probs[1000:].copy()
    read_only.setflags(write=False)
    expected = states([(tags, pred_probs)], 1)
    assert states([(scipy.sparse.csr_array(tags), np.asfortranarray(pred_probs))], 2) == expected
    forms = [(lists_of(tags[:1000]), pred_probs[:1000]), (tags[1000:] == 1, read_only)]
    assert states(forms, 2) == expected


def test_a_single_example() -> None:
    tags, pred_probs = [[0]], [[0.25, 0.5]]
    sums = TagThresholdState(2)
    sums.update(tags, pred_probs)
    np.testing.assert_array_equal(sums.finish(), [[2, 0.25], [0.5, 2]])
    joint = TagJointState(sums.finish())
    joint.update(tags, pred_probs)
    np.testing.assert_array_equal(joint.joint(), multilabel.confident_joint(tags, pred_probs))
    with refused(ShapeError, "at least two columns"):
        TagThresholdState(1).update([[0]], [[0.25]])
    with refused(ShapeError, "no columns"):
        TagThresholdState(0)


def test_scores_of_a_tag_that_nobody_has() -> None:
    tags, scores = np.array([[1, 0], [0, 0]]), np.array([[3.0, -2.0], [-1.0, 4.0]])
    sums = TagThresholdState(2, kind="scores")
    sums.update(tags, scores)
    assert sums.finish()[1, 1] == np.inf
    joint = TagJointState.from_bytes(TagJointState(sums.finish(), kind="scores").to_bytes())
    joint.update(tags, scores)
    np.testing.assert_array_equal(
        joint.joint(), multilabel.confident_joint(tags, scores, kind="scores")
    )


# --- What states promise -------------------------------------------------------------------------


def all_states() -> list[Any]:
    tags, pred_probs = random_tagged(60, 3, seed=1, noise=0.4)
    sums = TagThresholdState(3)
    sums.update(tags, pred_probs)
    joint = TagJointState(sums.finish())
    joint.update(tags, pred_probs)
    cuts = TagCuts.plan(joint)
    selection = TagSelectionState(cuts, rank_by="normalized_margin")
    selection.update(tags, pred_probs, rows=0)
    return [sums, joint, cuts, selection]


def test_no_rows_change_nothing() -> None:
    empty, none = np.empty((0, 3)), np.empty((0, 3), dtype=np.int64)
    sums, joint, cuts, selection = all_states()
    for state in (sums, joint):
        before = state.to_bytes()
        state.update([], empty)
        state.update(none, empty)
        assert state.to_bytes() == before
    before = selection.to_bytes()
    selection.update(none, empty, rows=0)
    assert selection.to_bytes() == before
    cuts.close(selection)
    found = TagRule(sums.finish(), "confident_learning").apply([], empty)
    assert len(found.is_issue) == len(found.rows) == len(found.classes) == len(found.has_tag) == 0
    fresh = TagThresholdState(3)
    np.testing.assert_array_equal(fresh.finish(), np.full((3, 2), 2.0))
    fresh.merge(sums)
    assert fresh == sums
    sums.merge(TagThresholdState(3))
    assert fresh == sums


@pytest.mark.parametrize("number", range(4))
def test_equal_and_written(number: int) -> None:
    state, other = all_states()[number], all_states()[number]
    assert state == other
    assert pickle.loads(pickle.dumps(state)) == other
    assert state != all_states()[number - 1]
    with pytest.raises(TypeError, match="unhashable"):
        hash(state)


def test_what_does_not_belong_together() -> None:
    sums, joint, cuts, selection = all_states()
    with refused(StateError, "probabilities of 3 classes", "probabilities of 4 classes"):
        sums.merge(TagThresholdState(4))
    with refused(StateError, "logits of 3 classes at temperature 2"):
        sums.merge(TagThresholdState(3, kind="logits", temperature=2.0))
    with refused(StateError, "not with a TagJointState"):
        sums.merge(joint)
    with refused(StateError, "with itself"):
        sums.merge(sums)
    with refused(StateError, "others"):
        joint.merge(TagJointState(np.full((3, 2), 0.5)))
    with refused(StateError, "probabilities of 3 classes", "probabilities of 2 classes"):
        sums.update([[0]], [[0.5, 0.5]])
    with refused(StateError, "another"):
        selection.merge(TagSelectionState(cuts))
    with refused(StateError, "another"):
        selection.merge(TagSelectionState(cuts, rank_by="normalized_margin", most=1))
    other = TagCuts.plan(joint, filter_by="both")
    with refused(StateError, "its own rounds"):
        other.close(selection)
    cuts.close(selection)
    with refused(StateError, "its own rounds"):
        cuts.close(selection)
    with refused(InputTypeError, "not TagJointState"):
        cuts.close(joint)
    with refused(InputTypeError, "joint must be a TagJointState"):
        TagCuts.plan(sums)
    with refused(InputTypeError, "cuts must be TagCuts"):
        TagSelectionState(joint)


def test_rules_need_what_they_go_by() -> None:
    sums, joint, cuts, _ = all_states()
    with refused(OptionError, "needs thresholds"):
        TagRule(None, "confident_learning")
    with refused(OptionError, "needs cuts"):
        TagRule(None, "both")
    with refused(OptionError, "does not use cuts"):
        TagRule(None, "predicted_neq_given", cuts=cuts)
    with refused(StateError, "those of filter_by='prune_by_noise_rate'"):
        TagRule(None, "both", cuts=cuts)
    with refused(StateError, "not all known yet"):
        TagRule(None, "prune_by_noise_rate", cuts=cuts)
    with refused(OptionError, "nothing to plan"):
        TagCuts.plan(joint, filter_by="confident_learning")
    with refused(OptionError, "does not use frac_noise"):
        TagCuts.plan(joint, filter_by="low_self_confidence", frac_noise=0.5)
    with refused(OptionError, "num_to_remove_per_class[0, 0] is 1000"):
        TagCuts.plan(joint, num_to_remove_per_class=[1000, 0, 0])
    with refused(ShapeError, "two dimensions"):
        TagRule(sums.finish()[:, 0], "confident_learning")


def test_what_raises_changes_nothing_and_counts_rows_from_the_first() -> None:
    sums, joint, cuts, _ = all_states()
    selection = TagSelectionState(cuts)
    bad = np.full((5, 3), 0.5)
    bad[2, 1] = np.nan
    good = np.full((5, 3), 0.25)
    tags: list[list[int]] = [[0], [], [], [2], []]
    for state in (sums, joint, selection):
        before = state.to_bytes()
        where: dict[str, Any] = {"rows" if state is selection else "first_row": 1000}
        with refused(ProbabilityError, "pred_probs[1002, 1] is NaN"):
            state.update(tags, bad, **where)
        with refused(LabelError, "labels[1001] holds 3"):
            state.update([[0], [3], [], [], []], good, **where)
        with refused(LabelError, "labels[1004, 0] is 2"):
            state.update(np.diag([0, 1, 1, 1, 2])[:, [4, 1, 2]], good, **where)
        with refused(ShapeError, "5 rows"):
            state.update(tags[:4], good, **where)
        assert state.to_bytes() == before
    rule = TagRule(sums.finish(), "confident_learning")
    with refused(ProbabilityError, "pred_probs[1002, 1] is NaN"):
        rule.apply(tags, bad, rows=1000)
    with refused(ShapeError, "rows must hold one number"):
        selection.update(tags, good, rows=np.arange(4))
    with refused(ShapeError, "rows[1] is -1"):
        selection.update(tags, good, rows=np.array([0, -1, 1, 2, 3]))


def test_ties_go_to_the_lower_number_in_whatever_order_rows_come() -> None:
    """Ids, not places, decide: of ten equal examples the three with the lowest ids are flagged."""
    tags, pred_probs = np.ones((10, 2), np.int8), np.full((10, 2), 0.25)
    joint = TagJointState([[0.5, 0.5], [0.5, 0.5]])
    joint.update(tags, pred_probs)
    asked = [[0, 3], [0, 0]]
    cuts = TagCuts.plan(joint, num_to_remove_per_class=asked, filter_by="prune_by_class")
    ids = np.array([90, 20, 70, 2**62, 50, 10, 80, 40, 60, 30])
    selection = TagSelectionState(cuts)
    for place in range(10):
        selection.update(tags[place : place + 1], pred_probs[:1], rows=ids[place : place + 1])
    np.testing.assert_array_equal(selection.flagged().rows, [10, 20, 30])
    cuts.close(selection)
    found = TagRule(None, "prune_by_class", cuts=cuts).apply(tags, pred_probs, rows=ids)
    np.testing.assert_array_equal(ids[found.rows], [20, 10, 30])


# --- Bytes of a stranger -------------------------------------------------------------------------


def with_payload(data: bytes, payload: bytes) -> bytes:
    """Bytes with another payload, of which checksum and length are right."""
    sums = zlib.crc32(payload).to_bytes(4, "little") + len(payload).to_bytes(8, "little")
    return data[:12] + sums + payload


@pytest.mark.parametrize("number", range(4))
def test_damaged_bytes_are_refused(number: int) -> None:
    state = all_states()[number]
    read, data = type(state).from_bytes, state.to_bytes()
    for length in range(0, len(data), 7):
        with refused(StateError, "hold no Tag"):
            read(data[:length])
    for place in range(len(data)):
        changed = bytearray(data)
        changed[place] ^= 0x41
        with pytest.raises(StateError):
            read(bytes(changed))
    with refused(StateError, "too many"):
        read(data + b"0")
    with refused(StateError, "another kind of state"):
        read(all_states()[number - 1].to_bytes())
    with refused(StateError, "version 9"):
        read(data[:8] + b"\t\0" + data[10:])
    with refused(InputTypeError, "data must be bytes, not str"):
        read("state")


@pytest.mark.parametrize("number", range(4))
@given(draw=st.data())
def test_bytes_of_a_stranger_do_no_harm(number: int, draw: st.DataObject) -> None:
    """With a checksum that is right: refused, or a state that works like any other."""
    state = all_states()[number]
    data = state.to_bytes()
    payload = bytearray(data[24:])
    for _ in range(draw.draw(st.integers(1, 4))):
        place = draw.draw(st.integers(0, len(payload) - 1))
        payload[place] = draw.draw(st.integers(0, 255))
    try:
        strange = type(state).from_bytes(with_payload(data, bytes(payload)))
    except StateError:
        return
    assert type(state).from_bytes(strange.to_bytes()) == strange
    tags, pred_probs = random_tagged(20, strange.n_classes, seed=2)
    if strange.kind == "scores":
        pred_probs = pred_probs - 0.5
    try:
        if isinstance(strange, TagCuts):
            strange.close(all_states()[3])
            return
        where: dict[str, Any] = {"rows": 60} if number == 3 else {"first_row": 60}
        strange.update(tags, pred_probs, **where)
        strange.merge(state)
        if isinstance(strange, TagThresholdState):
            strange.finish()
        elif isinstance(strange, TagJointState):
            strange.joint()
            TagCuts.plan(strange)
        else:
            strange.flagged()
    except (StateError, OptionError):
        pass
