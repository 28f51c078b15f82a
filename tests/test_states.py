"""States: batches in any order and trees of merges give what one call with all rows gives."""

import pickle
from itertools import pairwise

import hypothesis.strategies as st
import numpy as np
import pytest
import scipy.sparse
from hypothesis import given, settings

import conflearn
from conflearn import passes
from conflearn.errors import (
    InputTypeError,
    LabelError,
    OptionError,
    ProbabilityError,
    ShapeError,
    StateError,
)
from conflearn.states import (
    CheckState,
    Cuts,
    JointState,
    Rule,
    SelectionState,
    ThresholdState,
    look,
)
from expected import refused
from strategies import FILTERS, PRUNE_OPTIONS, SCORES, datasets, random_data

KINDS = (("probabilities", 1.0), ("logits", 0.5), ("scores", 1.0))


@st.composite
def cut_up(draw, n_examples):
    """Batches that hold all rows, in any order, and of any size."""
    cuts = draw(st.lists(st.integers(0, n_examples), max_size=4))
    bounds = [0, *sorted(cuts), n_examples]
    return draw(st.permutations(list(pairwise(bounds))))


def merged(states, data):
    """All states in one, by any tree; some of them written and read again on the way."""
    states = list(states)
    while len(states) > 1:
        first, second = (states.pop(data.draw(st.integers(0, len(states) - 1))) for _ in range(2))
        if data.draw(st.booleans()):
            second = type(second).from_bytes(second.to_bytes())
        first.merge(second)
        states.append(first)
    return states[0]


def of_batches(make, update, batches, data):
    """A state of each batch, and empty ones among them, merged."""

    def of(batch):
        state = make()
        update(state, *batch)
        return state

    return merged([make(), *map(of, batches), make()], data)


@pytest.mark.parametrize("filter_by", FILTERS)
@pytest.mark.parametrize(("kind", "temperature"), KINDS)
@settings(max_examples=15)
@given(data=st.data())
def test_batches_give_what_all_rows_give(filter_by, kind, temperature, data):
    labels, pred_probs = data.draw(datasets())
    meant = {"kind": kind, "temperature": temperature}
    rank_by = "normalized_margin" if kind == "scores" else "confidence_weighted_entropy"
    n_classes = pred_probs.shape[1]
    batches = data.draw(cut_up(len(labels)))
    most = data.draw(st.sampled_from([1, 3, 2_000_000]))
    whole = conflearn.analyze(labels, pred_probs, filter_by=filter_by, rank_by=rank_by, **meant)

    thresholds = of_batches(
        lambda: ThresholdState(n_classes, **meant),
        lambda state, i, j: state.update(labels[i:j], pred_probs[i:j], first_row=i),
        batches,
        data,
    ).finish()
    np.testing.assert_array_equal(thresholds, whole.thresholds)

    joint = of_batches(
        lambda: JointState(thresholds, **meant),
        lambda state, i, j: state.update(labels[i:j], pred_probs[i:j], first_row=i),
        batches,
        data,
    )
    np.testing.assert_array_equal(joint.joint().to_dense(), whole.confident_joint)
    counted = conflearn.confident_joint(labels, pred_probs, calibrate=False, **meant)
    np.testing.assert_array_equal(joint.joint(calibrate=False).to_dense(), counted)
    assert joint.num_issues == conflearn.num_label_issues(labels, pred_probs, **meant)
    assert joint.num_issues_calibrated == conflearn.num_label_issues(
        labels, pred_probs, method="off_diagonal_calibrated", **meant
    )

    cuts = None
    if filter_by not in ("confident_learning", "predicted_neq_given"):
        cuts = Cuts.plan(joint, filter_by=filter_by)
        while not cuts.is_done:
            selection = of_batches(
                lambda cuts=cuts: SelectionState(cuts, rank_by=rank_by, most=most),
                lambda state, i, j: state.update(labels[i:j], pred_probs[i:j], rows=i),
                batches,
                data,
            )
            cuts.close(selection)
            if selection.covers_all:
                flagged = selection.flagged()
                np.testing.assert_array_equal(flagged.rows, np.flatnonzero(whole.mask))
                ranked = flagged.rows[np.argsort(flagged.scores, kind="stable")]
                np.testing.assert_array_equal(ranked, whole.ranked)
                suggested = whole.suggested_labels[flagged.rows]
                np.testing.assert_array_equal(flagged.suggested_labels, suggested)
        cuts = Cuts.from_bytes(cuts.to_bytes())

    rule = pickle.loads(pickle.dumps(Rule(thresholds, filter_by, cuts=cuts, **meant)))
    wants = kind != "scores"
    for i, j in batches:
        found = rule.apply(labels[i:j], pred_probs[i:j], rows=i, entropies=wants)
        np.testing.assert_array_equal(found.is_issue, whole.mask[i:j])
        np.testing.assert_array_equal(found.self_confidence, whole.scores["self_confidence"][i:j])
        np.testing.assert_array_equal(
            found.normalized_margin, whole.scores["normalized_margin"][i:j]
        )
        np.testing.assert_array_equal(found.suggested_labels, whole.suggested_labels[i:j])
        if wants:
            entropies = whole.scores["confidence_weighted_entropy"][i:j]
            np.testing.assert_array_equal(found.confidence_weighted_entropy, entropies)


@pytest.mark.parametrize(("kind", "temperature"), KINDS)
@given(data=st.data())
def test_checks_of_batches_are_those_of_all_rows(kind, temperature, data):
    labels, pred_probs = data.draw(datasets())
    meant = {"kind": kind, "temperature": temperature}
    batches = data.draw(cut_up(len(labels)))
    n_classes = pred_probs.shape[1]
    whole = CheckState(n_classes, **meant)
    whole.update(labels, pred_probs)

    def in_parts(state, i, j):
        rows = data.draw(st.sampled_from([i, np.arange(i, j)]))
        state.update(labels[i:j], pred_probs[i:j], rows=rows)

    parts = of_batches(lambda: CheckState(n_classes, **meant), in_parts, batches, data)
    assert parts == whole
    assert parts.to_bytes() == whole.to_bytes()
    assert parts.report() == conflearn.check_inputs(labels, pred_probs, **meant)

    def as_seen(state, i, j):
        seen = look(labels[i:j], pred_probs[i:j], None, first_row=i, sample_of=len(labels), **meant)
        state.add(seen)

    seen = of_batches(lambda: CheckState(n_classes, **meant), as_seen, batches, data)
    analysis = conflearn.analyze(labels, pred_probs, **meant)
    assert seen.report() == analysis.checks
    assert seen == analysis._checks
    assert seen.n_examples == len(labels)
    np.testing.assert_array_equal(seen.given_counts, whole.given_counts)


def test_a_joint_and_checks_come_from_one_look():
    labels, pred_probs = random_data(5000, 4)
    thresholds, _ = states_of(labels, pred_probs)
    joint, checks = JointState(thresholds.finish()), CheckState(4)
    for i in range(0, 5000, 800):
        batch = labels[i : i + 800], pred_probs[i : i + 800]
        checks.add(joint.update(*batch, first_row=i, sample_of=5000))
    assert checks.report() == conflearn.analyze(labels, pred_probs).checks
    with refused(StateError, "4 classes", "5 classes"):
        checks.merge(CheckState(5))
    with refused(StateError, "probabilities", "scores"):
        checks.add(look(*batch, None, kind="scores"))
    with refused(InputTypeError, "look is a tuple", "JointState.update"):
        checks.add(batch)


def test_checks_can_be_fed_as_any_state():
    labels, pred_probs = random_data(500, 4)
    state = CheckState(4)
    for i in range(0, 500, 100):
        passes.feed(state, labels[i : i + 100], pred_probs[i : i + 100], rows=np.arange(i, i + 100))
    assert state.report() == conflearn.check_inputs(labels, pred_probs)
    names = list("abcd")
    named = conflearn.check_inputs(np.array(names)[labels], pred_probs, classes=names)
    assert state.report(names) == named
    assert CheckState(3).report().findings == ()
    with refused(ShapeError, "classes has 2 entries"):
        state.report(["a", "b"])


@pytest.mark.parametrize("filter_by", ["prune_by_noise_rate", "prune_by_class", "both"])
@pytest.mark.parametrize("options", PRUNE_OPTIONS)
def test_options_of_pruning_are_those_of_the_filters(filter_by, options):
    labels, pred_probs = random_data(500, 4, seed=3)
    thresholds, joint = states_of(labels, pred_probs)
    cuts = Cuts.plan(joint, filter_by=filter_by, **options)
    cuts = select(cuts, labels, pred_probs, most=50)
    found = Rule(thresholds.finish(), filter_by, cuts=cuts).apply(labels, pred_probs, rows=0)
    expected = conflearn.find_label_issues(labels, pred_probs, filter_by=filter_by, **options)
    np.testing.assert_array_equal(found.is_issue, expected)


def test_numbers_of_rows_may_be_any():
    """Of equal rows the one of the lower number is removed, wherever it stands."""
    labels, pred_probs = random_data(300, 3, decimals=1, seed=5)
    numbers = np.random.default_rng(0).permutation(10_000)[:300]
    thresholds, joint = states_of(labels, pred_probs)
    cuts = select(Cuts.plan(joint), labels, pred_probs, rows=numbers)
    found = Rule(thresholds.finish(), "prune_by_noise_rate", cuts=cuts).apply(
        labels, pred_probs, rows=numbers
    )
    order = np.argsort(numbers)
    expected = conflearn.find_label_issues(labels[order], pred_probs[order])
    np.testing.assert_array_equal(found.is_issue[order], expected)


@given(
    ends=st.lists(st.integers(0, 300), min_size=1, max_size=5),
    filter_by=st.sampled_from(sorted({*FILTERS} - {"confident_learning", "predicted_neq_given"})),
    seed=st.integers(0, 5),
    most=st.sampled_from([7, 2_000_000]),
    data=st.data(),
)
def test_what_the_first_rows_show_spares_the_others(ends, filter_by, seed, most, data):
    """Narrowed states, merged in any order, are the state that has seen all rows."""
    labels, pred_probs = random_data(300, 4, seed=seed, decimals=1, n_absent=seed % 2)
    _, joint = states_of(labels, pred_probs)
    cuts = Cuts.plan(joint, filter_by=filter_by)
    bounds = [0, *sorted(ends), 300]
    first, *rest = pairwise(bounds)
    while not cuts.is_done:
        whole = SelectionState(cuts, most=most)
        whole.update(labels, pred_probs, rows=0)
        states = [SelectionState(cuts, most=most)]
        states[0].update(labels[slice(*first)], pred_probs[slice(*first)], rows=0)
        for i, j in rest:
            narrowed = data.draw(st.sampled_from(states)).narrowed()
            narrowed.update(labels[i:j], pred_probs[i:j], rows=i)
            again = SelectionState.from_bytes(narrowed.to_bytes())
            again.merge(SelectionState(cuts, most=most))
            assert again == narrowed
            states.append(narrowed)
        total = merged(states, data)
        assert total == whole
        cuts.close(total)


@pytest.mark.parametrize("rank_by", SCORES)
@pytest.mark.parametrize("order", "CF")
@pytest.mark.parametrize("n_threads", [1, 2])
def test_a_block_with_too_many_hits_is_looked_at_again(rank_by, order, n_threads):
    labels, pred_probs = random_data(40_000, 80, decimals=3, dtype=np.float32)
    pred_probs = np.asarray(pred_probs, order=order)
    _, joint = states_of(labels, pred_probs)
    selection = SelectionState(Cuts.plan(joint), rank_by=rank_by)
    selection.update(labels, pred_probs, rows=0, n_threads=n_threads)
    flagged = selection.flagged()
    whole = conflearn.analyze(labels, pred_probs, rank_by=rank_by)
    np.testing.assert_array_equal(flagged.rows, np.flatnonzero(whole.mask))
    np.testing.assert_array_equal(flagged.scores, whole.scores[rank_by][flagged.rows])
    np.testing.assert_array_equal(flagged.suggested_labels, whole.suggested_labels[flagged.rows])


def test_a_narrowed_selection_does_not_tell_by_itself():
    labels, pred_probs = random_data(300, 4)
    _, joint = states_of(labels, pred_probs)
    cuts = Cuts.plan(joint)
    whole = SelectionState(cuts)
    whole.update(labels, pred_probs, rows=0)
    alone = whole.narrowed()
    alone.update(labels, pred_probs, rows=0)
    for tell in (alone.flagged, lambda: cuts.close(alone)):
        with refused(StateError, "left out rows", "merge it with the selection"):
            tell()


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
@pytest.mark.parametrize("order", "CF")
def test_batches_may_have_any_dtype_and_order(dtype, order):
    labels, pred_probs = random_data(200, 5, dtype=dtype, seed=1)
    pred_probs = np.asarray(pred_probs, order=order)
    thresholds, joint = states_of(labels, pred_probs)
    np.testing.assert_array_equal(
        thresholds.finish(), conflearn.confident_thresholds(labels, pred_probs)
    )
    cuts = select(Cuts.plan(joint), labels, pred_probs)
    found = Rule(thresholds.finish(), "prune_by_noise_rate", cuts=cuts).apply(
        labels, pred_probs, rows=0
    )
    np.testing.assert_array_equal(found.is_issue, conflearn.find_label_issues(labels, pred_probs))


def test_batches_without_rows_change_nothing():
    nothing = np.empty(0, dtype=np.int64), np.empty((0, 3))
    thresholds, joint = states_of(*random_data(50, 3))
    cuts = Cuts.plan(joint)
    selection, same = SelectionState(cuts), SelectionState(cuts)
    checks = CheckState(3)
    before = [state.to_bytes() for state in (thresholds, joint, selection, checks)]
    thresholds.update(*nothing)
    seen = joint.update(*nothing)
    selection.update(*nothing, rows=0)
    checks.update(*nothing)
    checks.add(seen)
    assert [state.to_bytes() for state in (thresholds, joint, selection, checks)] == before
    assert selection == same
    assert seen.n_examples == len(seen.scores("self_confidence")) == 0
    assert len(seen.mask("confident_learning")) == len(seen.most_probable_others()) == 0
    results = Rule(thresholds.finish(), "confident_learning").apply(*nothing, entropies=True)
    assert all(len(column) == 0 for column in results if column is not None)


def test_a_fault_adds_nothing_and_is_named_by_its_row():
    labels, pred_probs = random_data(50, 3)
    thresholds, joint = states_of(labels, pred_probs)
    selection, checks = SelectionState(Cuts.plan(joint)), CheckState(3)
    before = [state.to_bytes() for state in (thresholds, joint, selection, checks)]
    bad = pred_probs.copy()
    bad[7] = np.nan
    with refused(ProbabilityError, "pred_probs[1007"):
        thresholds.update(labels, bad, first_row=1000)
    with refused(ProbabilityError, "pred_probs[1007"):
        joint.update(labels, bad, first_row=1000)
    with refused(ProbabilityError, "pred_probs[1007"):
        selection.update(labels, bad, rows=1000)
    with refused(ProbabilityError, "pred_probs[1007"):
        checks.update(labels, bad, rows=1000)
    with refused(LabelError, "labels[1003]", "9"):
        joint.update(np.where(np.arange(50) == 3, 9, labels), pred_probs, first_row=1000)
    assert [state.to_bytes() for state in (thresholds, joint, selection, checks)] == before


def test_states_that_do_not_belong_together_are_refused():
    labels, pred_probs = random_data(50, 3)
    thresholds, joint = states_of(labels, pred_probs)
    with refused(StateError, "3 classes", "4 classes"):
        thresholds.merge(ThresholdState(4))
    with refused(StateError, "probabilities", "scores"):
        thresholds.merge(ThresholdState(3, kind="scores"))
    with refused(StateError, "temperature 2", "temperature 3"):
        ThresholdState(3, kind="logits", temperature=2).merge(
            ThresholdState(3, kind="logits", temperature=3)
        )
    with refused(StateError, "threshold of", "class 0"):
        joint.merge(JointState([0.5, 0.5, 0.5]))
    with refused(StateError, "ThresholdState", "JointState"):
        thresholds.merge(joint)
    cuts = Cuts.plan(joint)
    done, selection = Cuts.from_bytes(cuts.to_bytes()), SelectionState(cuts)
    selection.update(labels, pred_probs, rows=0)
    done.close(selection)
    batch = [0, 1], [[0.5, 0.5], [0.5, 0.5]]
    for update in (
        lambda: thresholds.update(*batch),
        lambda: joint.update(*batch),
        lambda: SelectionState(cuts).update(*batch, rows=0),
        lambda: Rule(joint.thresholds, cuts.filter_by, cuts=done).apply(*batch, rows=0),
    ):
        with refused(StateError, "n_classes is 3, but pred_probs has 2 columns"):
            update()
    with refused(StateError, "a round of", "rows of"):
        SelectionState(cuts).merge(SelectionState(cuts, most=1))
    with refused(StateError, "PruneByNoiseRate", "Both"):
        cuts.close(SelectionState(Cuts.plan(joint, filter_by="both")))
    with refused(StateError, "ranking by"):
        SelectionState(cuts).merge(SelectionState(cuts, rank_by="normalized_margin"))
    with refused(StateError, "RowArgmax"):
        joint.merge(JointState(thresholds.finish(), several="row_argmax"))
    with refused(StateError, "not all known"):
        Rule(thresholds.finish(), "prune_by_noise_rate", cuts=cuts)
    with refused(StateError, "prune_by_noise_rate", "both"):
        Rule(thresholds.finish(), "both", cuts=cuts)
    with refused(StateError, "one round of several"):
        SelectionState(cuts, most=1).flagged()


def test_bytes_that_are_no_state_are_refused():
    thresholds, _ = states_of(*random_data(50, 3))
    data = thresholds.to_bytes()
    with refused(StateError, "another kind", "JointState"):
        JointState.from_bytes(data)
    with refused(StateError, "version 4", "version 3"):
        ThresholdState.from_bytes(data[:8] + b"\4" + data[9:])
    for damaged in (b"", b"hello", data[:-1], data + b"x", data[:-1] + b"~"):
        with refused(StateError, "hold no ThresholdState"):
            ThresholdState.from_bytes(damaged)
    with refused(InputTypeError, "bytes", "str"):
        ThresholdState.from_bytes("state")
    for place in range(len(data)):
        changed = bytearray(data)
        changed[place] ^= 0x40
        with pytest.raises(StateError):
            ThresholdState.from_bytes(changed)
    with refused(StateError, "another kind", "CheckState"):
        CheckState.from_bytes(data)
    checks = CheckState(3)
    checks.update(*random_data(50, 3))
    data = checks.to_bytes()
    for place in range(0, len(data), 7):
        with pytest.raises(StateError):
            CheckState.from_bytes(data[:place] + bytes([data[place] ^ 0x40]) + data[place + 1 :])


def test_arguments_are_checked():
    thresholds, joint = states_of(*random_data(50, 3))
    for n_classes in (1, 3_000_000):
        with refused(OptionError, "n_classes", "between 2 and 2,097,152"):
            ThresholdState(n_classes)
    for thresholds_ in ("x", [object()]):
        with refused(InputTypeError, "thresholds"):
            JointState(thresholds_)
    with refused(InputTypeError, "cuts", "str"):
        Rule(thresholds.finish(), "both", cuts="x")
    with refused(OptionError, "temperature"):
        ThresholdState(3, kind="scores", temperature=2)
    with refused(ShapeError, "thresholds", "(1, 2)"):
        JointState([[0.5, 0.5]])
    with refused(OptionError, "confident_learning", "Rule"):
        Cuts.plan(joint, filter_by="confident_learning")
    with refused(OptionError, "needs cuts"):
        Rule(thresholds.finish(), "both")
    with refused(OptionError, "needs thresholds"):
        Rule(None, "confident_learning")
    with refused(InputTypeError, "flagged is a list, with no cuts", "SelectionState.flagged()"):
        Rule(None, "predicted_neq_given", flagged=[1, 2])
    with refused(OptionError, "not told which rows", "use apply"):
        Rule(None, "predicted_neq_given").flags(np.arange(3))
    seen = look(*random_data(50, 3), None)
    with refused(OptionError, "entropies=True"):
        seen.scores("confidence_weighted_entropy")
    with refused(OptionError, "SelectionState"):
        seen.mask("both")
    selection = SelectionState(Cuts.plan(joint))
    for rows in ([1, 2], np.full(50, -1)):
        with refused(ShapeError, "rows"):
            selection.update(*random_data(50, 3), rows=np.array(rows))


def test_a_selection_has_to_see_each_row_once():
    labels, pred_probs = random_data(200, 3)
    _, joint = states_of(labels, pred_probs)
    cuts = Cuts.plan(joint)
    half, whole = SelectionState(cuts), SelectionState(cuts)
    half.update(labels[:100], pred_probs[:100], rows=0)
    whole.update(labels, pred_probs, rows=0)
    for selection, seen in ((half, 100), (SelectionState(cuts), 0)):
        with refused(StateError, f"{seen} of 200"):
            cuts.close(selection)
        with refused(StateError, f"{seen} of 200"):
            selection.flagged()
    whole.merge(half)
    with refused(StateError, "300 of 200"):
        cuts.close(whole)
    assert not cuts.is_done


def test_a_joint_of_more_data_takes_no_more_rounds():
    labels, pred_probs = random_data(200, 6)
    _, joint = states_of(labels, pred_probs)
    cuts = Cuts.plan(joint, confident_joint=np.full((6, 6), 3_000_000))
    assert SelectionState(cuts).covers_all
    cuts = select(cuts, labels, pred_probs)
    expected = conflearn.find_label_issues(
        labels, pred_probs, confident_joint=np.full((6, 6), 3_000_000)
    )
    found = Rule(None, "prune_by_noise_rate", cuts=cuts).apply(labels, pred_probs, rows=0)
    np.testing.assert_array_equal(found.is_issue, expected)


def test_rows_must_be_numbered_where_that_decides():
    labels, pred_probs = random_data(50, 3)
    thresholds, joint = states_of(labels, pred_probs)
    cuts = select(Cuts.plan(joint), labels, pred_probs)
    with refused(OptionError, "pass rows"):
        Rule(thresholds.finish(), "prune_by_noise_rate", cuts=cuts).apply(labels, pred_probs)


@pytest.mark.parametrize("filter_by", ["prune_by_noise_rate", "both", "low_normalized_margin"])
def test_many_rows_in_one_batch(filter_by):
    """Several threads, several pieces, and quotas that are full long before the end."""
    labels, pred_probs = random_data(30_000, 5, decimals=2, seed=2)
    thresholds, joint = states_of(labels, pred_probs)
    whole = conflearn.find_label_issues(labels, pred_probs, filter_by=filter_by)
    for most in (500, 1_000_000):
        cuts = select(Cuts.plan(joint, filter_by=filter_by), labels, pred_probs, most=most)
        rule = Rule(thresholds.finish(), filter_by, cuts=cuts)
        found = rule.apply(labels, pred_probs, rows=0)
        np.testing.assert_array_equal(found.is_issue, whole)


@given(data=st.data())
def test_rows_that_store_a_few_entries(data):
    labels, pred_probs = data.draw(datasets())
    sparse = scipy.sparse.csr_array(np.where(pred_probs < 0.2, 0, pred_probs))
    filter_by = data.draw(st.sampled_from(FILTERS[:3]))
    whole = conflearn.find_label_issues(labels, sparse.toarray(), filter_by=filter_by)
    thresholds = ThresholdState(pred_probs.shape[1])
    thresholds.update(labels, sparse)
    joint = JointState(thresholds.finish())
    joint.update(labels, sparse)
    cuts = select(Cuts.plan(joint, filter_by=filter_by), labels, sparse, most=5)
    found = Rule(None, filter_by, cuts=cuts).apply(labels, sparse, rows=0)
    np.testing.assert_array_equal(found.is_issue, whole)


def test_states_are_small():
    """What crosses machines grows with what was found, not with the rows."""
    thresholds, joint = states_of(*random_data(20_000, 10, noise=0.1))
    assert len(thresholds.to_bytes()) < 500
    assert len(joint.to_bytes()) < 1000
    checks = CheckState(10)
    for seed in range(4):
        checks.update(*random_data(50_000, 10, noise=0.1, seed=seed))
    # Of equal rows a sample: 65,536 different ones.
    assert len(checks.to_bytes()) < 2_000_000


def states_of(labels, pred_probs):
    thresholds = ThresholdState(pred_probs.shape[1])
    thresholds.update(labels, pred_probs)
    joint = JointState(thresholds.finish())
    joint.update(labels, pred_probs)
    return thresholds, joint


def select(cuts, labels, pred_probs, *, rows=0, most=2_000_000):
    while not cuts.is_done:
        selection = SelectionState(cuts, most=most)
        selection.update(labels, pred_probs, rows=rows)
        cuts.close(selection)
    return cuts
