"""Judges: filters and scores that look at each row by itself, once they are fitted."""

import pickle
from typing import Any

import numpy as np
import pytest
from hypothesis import given

import conflearn
import reference
from conflearn import judges, multilabel, passes
from conflearn.cleanlab.filter import find_label_issues as find_label_issues_of_cleanlab
from conflearn.errors import (
    InputError,
    InputTypeError,
    OptionError,
    ProbabilityError,
    ShapeError,
    StateError,
)
from conflearn.states import JointState, Judge, Rule, SelectionState, ThresholdState, look
from expected import refused
from strategies import FILTERS, JUDGES, SCORES, Data, datasets, random_data

RELATIVE: Any = "relative_confidence"


# --- The rule


@given(datasets())
def test_relative_confidence_is_the_oracles(data: Data) -> None:
    thresholds = conflearn.confident_thresholds(*data)
    expected = reference.relative_confidence(*data, thresholds=thresholds)
    scores = conflearn.label_quality_scores(*data, method=RELATIVE)
    assert scores.dtype == np.float64
    np.testing.assert_allclose(scores, expected.scores, rtol=1e-12)
    analysis = conflearn.analyze(*data, filter_by=RELATIVE, rank_by="normalized_margin")
    np.testing.assert_array_equal(analysis.mask, expected.is_beaten)
    suggested = np.where(expected.is_beaten, expected.others, data.labels)
    np.testing.assert_array_equal(analysis.suggested_labels, suggested)


def real_of(width: np.dtype) -> Any:
    return np.float64 if width == np.float64 else np.float32


def test_it_is_the_oracles_in_every_width_and_size(width: np.dtype) -> None:
    for n_classes in (2, 3, 15, 16, 17, 64, 127, 128, 129, 513):
        labels, pred_probs = random_data(300, n_classes, n_absent=n_classes // 8)
        narrow = pred_probs.astype(width)
        thresholds = conflearn.confident_thresholds(labels, narrow)
        expected = reference.relative_confidence(
            labels, narrow.astype(float), thresholds=thresholds, real=real_of(width)
        )
        found = conflearn.label_quality_scores(labels, narrow, method=RELATIVE)
        np.testing.assert_allclose(found, expected.scores, rtol=1e-6)
        mask = conflearn.find_label_issues(labels, narrow, filter_by=RELATIVE)
        np.testing.assert_array_equal(mask, expected.is_beaten)


def test_it_is_the_oracles_on_real_data(real_data: Data) -> None:
    labels, pred_probs = real_data
    thresholds = conflearn.confident_thresholds(labels, pred_probs)
    expected = reference.relative_confidence(
        labels.astype(int),
        pred_probs.astype(float),
        thresholds=thresholds,
        real=real_of(pred_probs.dtype),
    )
    found = conflearn.label_quality_scores(labels, pred_probs, method=RELATIVE)
    np.testing.assert_allclose(found, expected.scores, rtol=1e-6)
    mask = conflearn.find_label_issues(labels, pred_probs, filter_by=RELATIVE)
    np.testing.assert_array_equal(mask, expected.is_beaten)


def test_of_equal_weights_the_lower_class_wins() -> None:
    pred_probs = np.full((4, 4), 0.25)
    mask = conflearn.find_label_issues([0, 1, 2, 3], pred_probs, filter_by=RELATIVE)
    assert mask.tolist() == [False, True, True, True]
    found = conflearn.analyze([0, 1, 2, 3], pred_probs, filter_by=RELATIVE)
    assert found.suggested_labels.tolist() == [0, 0, 0, 0]


def test_a_class_that_nobody_is_given_counts_half() -> None:
    pred_probs = np.array([[0.1, 0.2, 0.7], [0.2, 0.8, 0.0]])
    scores = conflearn.label_quality_scores([0, 1], pred_probs, method=RELATIVE)
    np.testing.assert_allclose(scores, [1 / 1.6, 1 / 3])
    mask = conflearn.find_label_issues([0, 1], pred_probs, filter_by=RELATIVE)
    assert mask.tolist() == [False, True]


def test_a_row_of_zeros_scores_zero_and_is_no_issue() -> None:
    pred_probs = np.array([[0.5, 0.5], [0.0, 0.0], [-0.0, -5e-7], [0.25, 0.75]])
    labels = [0, 1, 1, 1]
    scores = conflearn.label_quality_scores(labels, pred_probs, method=RELATIVE)
    assert scores[1:3].tolist() == [0.0, 0.0]
    assert not conflearn.find_label_issues(labels, pred_probs, filter_by=RELATIVE)[1:3].any()


def test_cells_with_a_sign_count_as_zeros(width: np.dtype) -> None:
    labels, pred_probs = random_data(300, 40, decimals=2)
    zeros = pred_probs.astype(width)
    signed = zeros.copy()
    signed[zeros == 0] = np.array(-5e-7).astype(width)
    signed[::3][zeros[::3] == 0] = np.array(-0.0).astype(width)
    thresholds = conflearn.confident_thresholds(labels, zeros)
    if (conflearn.confident_thresholds(labels, signed) == thresholds).all():
        for answers in (zeros, signed):
            assert (conflearn.label_quality_scores(labels, answers, method=RELATIVE) >= 0).all()
    judge = Judge.relative_confidence(thresholds)
    one, other = (look(labels, cells, None, judges=[judge]) for cells in (zeros, signed))
    assert one.scores(RELATIVE).tobytes() == other.scores(RELATIVE).tobytes()
    assert one.mask(RELATIVE).tobytes() == other.mask(RELATIVE).tobytes()
    assert one.others(RELATIVE).tobytes() == other.others(RELATIVE).tobytes()


def test_one_example_of_two_classes() -> None:
    found = conflearn.analyze([1], [[0.9, 0.1]], filter_by=RELATIVE, rank_by=RELATIVE)
    assert found.mask.tolist() == [False]  # nobody is given class 0
    np.testing.assert_allclose(found.scores[RELATIVE], 1 / 1.45)


# --- Every function that takes the name


@pytest.mark.parametrize("judge", JUDGES)
@given(data=datasets())
def test_all_functions_say_the_same(judge: Any, data: Data) -> None:
    mask = conflearn.find_label_issues(*data, filter_by=judge)
    scores = conflearn.label_quality_scores(*data, method=judge)
    ranked = np.flatnonzero(mask)[np.argsort(scores[mask], kind="stable")]
    for filter_by in (judge, "predicted_neq_given", "prune_by_noise_rate"):
        flagged = conflearn.find_label_issues(*data, filter_by=filter_by)
        order = conflearn.rank_label_issues(*data, filter_by=filter_by, rank_by=judge)
        expected = np.flatnonzero(flagged)[np.argsort(scores[flagged], kind="stable")]
        np.testing.assert_array_equal(order, expected)
        analysis = conflearn.analyze(*data, filter_by=filter_by, rank_by=judge)
        np.testing.assert_array_equal(analysis.mask, flagged)
        np.testing.assert_array_equal(analysis.ranked, expected)
        assert list(analysis.scores) == [*SCORES, judge]
        assert analysis.scores[judge].tobytes() == scores.tobytes()
    found = conflearn.order_label_issues(mask, *data, rank_by=judge)
    np.testing.assert_array_equal(found, ranked)
    for rank_by in SCORES:
        analysis = conflearn.analyze(*data, filter_by=judge, rank_by=rank_by)
        assert analysis.scores[judge].tobytes() == scores.tobytes()
        order = conflearn.rank_label_issues(*data, filter_by=judge, rank_by=rank_by)
        np.testing.assert_array_equal(order, analysis.ranked)


@pytest.mark.parametrize("judge", JUDGES)
def test_scores_of_nobody_who_was_asked_are_not_there(judge: Any) -> None:
    data = random_data(50, 3)
    assert judge not in conflearn.analyze(*data).scores


@pytest.mark.parametrize("judge", JUDGES)
def test_logits_are_judged_by_their_softmax(judge: Any) -> None:
    labels, pred_probs = random_data(500, 7, dtype=np.float32)
    logits = np.log(pred_probs)
    found, expected = (
        conflearn.analyze(labels, cells, filter_by=judge, rank_by=judge, kind=kind)
        for cells, kind in ((logits, "logits"), (pred_probs, "probabilities"))
    )
    np.testing.assert_allclose(found.scores[judge], expected.scores[judge], rtol=1e-5)
    np.testing.assert_array_equal(found.suggested_labels, expected.suggested_labels)
    scores = conflearn.label_quality_scores(labels, logits, method=judge, kind="logits")
    assert scores.tobytes() == found.scores[judge].tobytes()


@pytest.mark.parametrize("judge", JUDGES)
def test_several_models_are_judged_by_their_mean(judge: Any) -> None:
    first, second = random_data(300, 5), random_data(300, 5, seed=1)
    mean = (first.pred_probs + second.pred_probs) / 2
    models = [first.pred_probs, second.pred_probs]
    found = conflearn.analyze(first.labels, models, filter_by=judge)
    expected = conflearn.analyze(first.labels, mean, filter_by=judge)
    np.testing.assert_array_equal(found.mask, expected.mask)
    np.testing.assert_allclose(found.scores[judge], expected.scores[judge], rtol=1e-12)


@pytest.mark.parametrize("judge", JUDGES)
def test_audits_rank_by_it(judge: Any) -> None:
    data = random_data(300, 3)
    plan = conflearn.audit(*data, rank_by=judge, seed=0, n_reviews=20)
    scores = conflearn.label_quality_scores(*data, method=judge)
    assert f"the worst first by {judge}" in repr(plan)
    rows = plan.rows
    assert np.isfinite(scores[rows]).all()


def test_the_reason_names_no_probability_that_is_not_known() -> None:
    labels, pred_probs = random_data(100, 3)
    issues = conflearn.analyze(labels, pred_probs, filter_by=RELATIVE).to_records()
    assert len(issues)
    for issue in issues:
        own = pred_probs[issue.index, issue.given]
        assert issue.reason.startswith(f"{issue.suggested} (typical ")
        assert f"{issue.given} at {own:.2f} (typical " in issue.reason


# --- Fitting


@pytest.mark.parametrize("judge", JUDGES)
@pytest.mark.parametrize(("kind", "temperature"), [("probabilities", 1.0), ("logits", 2.0)])
def test_a_judge_is_fitted_by_passes(judge: Any, kind: Any, temperature: float) -> None:
    labels, pred_probs = random_data(200, 4)
    meant = {"kind": kind, "temperature": temperature}

    def reduce(state: Any) -> Any:
        for rows in (slice(0, 90), slice(90, 200)):
            passes.feed(state, labels[rows], pred_probs[rows], rows=rows.start)
        return state

    fitted = judges.fit(reduce, 4, judge, **meant)
    assert (fitted.rule, fitted.n_classes, fitted.kind, fitted.temperature) == (
        judge,
        4,
        kind,
        temperature,
    )
    seen = look(labels, pred_probs, None, judges=[fitted], **meant)
    scores = conflearn.label_quality_scores(labels, pred_probs, method=judge, **meant)
    assert seen.scores(judge).tobytes() == scores.tobytes()
    mask = conflearn.find_label_issues(labels, pred_probs, filter_by=judge, **meant)
    assert seen.mask(judge).tobytes() == mask.tobytes()
    for copy in (pickle.loads(pickle.dumps(fitted)), Judge.from_bytes(fitted.to_bytes())):
        assert copy == fitted
        again = look(labels, pred_probs, None, judges=[copy], **meant)
        assert again.scores(judge).tobytes() == scores.tobytes()


def test_judges_are_shown_and_compared() -> None:
    judge = Judge.relative_confidence([0.5, 2.0])
    assert repr(judge) == "<Judge of probabilities of 2 classes by relative_confidence>"
    assert judge.thresholds.tolist() == [0.5, 2.0]
    assert judge != Judge.relative_confidence([0.5, 0.25])
    assert judge != Judge.relative_confidence([0.5, 2.0], kind="logits")


def test_bytes_of_a_stranger_are_refused() -> None:
    judge = Judge.relative_confidence([0.5, 0.25])
    with refused(StateError, "these bytes hold no Judge"):
        Judge.from_bytes(judge.to_bytes()[:-1])
    with refused(StateError, "another kind of state"):
        Judge.from_bytes(ThresholdState(2).to_bytes())
    with refused(InputTypeError, "data must be bytes"):
        Judge.from_bytes([1, 2])  # type: ignore[arg-type]


def test_what_no_judge_goes_by_is_refused() -> None:
    with refused(InputError, "thresholds[1] is 0", "pass what ThresholdState.finish() returned"):
        Judge.relative_confidence([0.5, 0.0])
    with refused(InputError, "thresholds[0] is NaN"):
        Judge.relative_confidence([np.nan, 0.5])
    with refused(ShapeError, "one dimension"):
        Judge.relative_confidence([[0.5, 0.5]])
    with refused(OptionError, 'relative_confidence needs probabilities, which kind="scores"'):
        Judge.relative_confidence([0.5, 0.5], kind="scores")


# --- States


def test_looks_and_rules_ask_judges() -> None:
    data = random_data(200, 4)
    judge = Judge.relative_confidence(conflearn.confident_thresholds(*data))
    rule = pickle.loads(pickle.dumps(Rule(None, RELATIVE, judges=[judge])))
    assert rule.scores == (*SCORES, RELATIVE)
    found = rule.apply(*data, entropies=True)
    expected = conflearn.analyze(*data, filter_by=RELATIVE)
    assert found.is_issue.tobytes() == expected.mask.tobytes()
    assert found.suggested_labels.tobytes() == expected.suggested_labels.tobytes()
    columns = found.columns(rule.scores)
    for name in rule.scores:
        assert columns[name].tobytes() == expected.scores[name].tobytes()
    seen = JointState(expected.thresholds).update(*data, judges=[judge])
    assert seen.scores(RELATIVE).tobytes() == expected.scores[RELATIVE].tobytes()
    empty = np.empty((0, 4))
    assert rule.apply([], empty).columns(rule.scores[:2])["is_issue"].tolist() == []


def test_what_judges_cannot_do_is_refused() -> None:
    data = random_data(50, 3)
    judge = Judge.relative_confidence([0.5, 0.5, 0.5])
    seen = look(*data, None)
    with refused(OptionError, "needs a look with a Judge by relative_confidence among judges"):
        seen.scores(RELATIVE)
    with refused(OptionError, "needs a look with a Judge by relative_confidence among judges"):
        seen.mask(RELATIVE)
    with refused(OptionError, "needs a look with a Judge by relative_confidence among judges"):
        seen.others(RELATIVE)
    with refused(OptionError, "filter_by='relative_confidence' does not use cut"):
        look(*data, None, judges=[judge]).mask(RELATIVE, 0.5)
    with refused(OptionError, "needs judges=[judge]"):
        Rule(None, RELATIVE)
    with refused(InputTypeError, "judges must hold Judges, not str"):
        look(*data, None, judges=["relative_confidence"])  # type: ignore[list-item]
    with refused(OptionError, "judges hold more than one relative_confidence"):
        look(*data, None, judges=[judge, judge])
    with refused(StateError, "Judge is for probabilities of 3 classes", "of 4 classes"):
        look(*random_data(50, 4), None, judges=[judge])
    with refused(StateError, "judges hold one of kind='probabilities'", "this rule has kind='log"):
        Rule(None, RELATIVE, judges=[judge], kind="logits")
    with refused(OptionError, "scores hold 'relative_confidence', which this rule has no judge"):
        Rule(None, "predicted_neq_given").apply(*data).columns([RELATIVE])
    joint = JointState([0.5, 0.5, 0.5])
    joint.update(*data)
    with refused(OptionError, "looks at each row by itself, so there is nothing to plan"):
        conflearn.states.Cuts.plan(joint, filter_by=RELATIVE)
    cuts = conflearn.states.Cuts.plan(joint)
    with refused(OptionError, "rank_by='relative_confidence' is not one of"):
        SelectionState(cuts, rank_by=RELATIVE)


# --- What is refused


@pytest.mark.parametrize("judge", JUDGES)
def test_scores_are_no_probabilities(judge: Any) -> None:
    data = random_data(50, 3)
    for call in (
        lambda **kind: conflearn.find_label_issues(*data, filter_by=judge, **kind),
        lambda **kind: conflearn.rank_label_issues(*data, rank_by=judge, **kind),
        lambda **kind: conflearn.label_quality_scores(*data, method=judge, **kind),
        lambda **kind: conflearn.analyze(*data, filter_by=judge, **kind),
        lambda **kind: conflearn.analyze(None, [data], rank_by=judge, **kind),
        lambda **kind: conflearn.find_label_issues(None, [data], filter_by=judge, **kind),
        lambda **kind: conflearn.label_quality_scores(None, [data], method=judge, **kind),
        lambda **kind: passes.find_rule(pytest.fail, 3, filter_by=judge, **kind),
    ):
        with refused(OptionError, f'{judge} needs probabilities, which kind="scores" does not'):
            call(kind="scores")


@pytest.mark.parametrize("judge", JUDGES)
def test_bad_cells_are_named(judge: Any) -> None:
    for value in (np.nan, 1.5, -0.25):
        labels, pred_probs = random_data(50, 3)
        pred_probs[31, (labels[31] + 1) % 3] = value
        shown = "NaN" if np.isnan(value) else value
        name = f"pred_probs[31, {(labels[31] + 1) % 3}] is {shown}"
        with refused(ProbabilityError, name):
            conflearn.find_label_issues(labels, pred_probs, filter_by=judge)
        with refused(ProbabilityError, name):
            conflearn.label_quality_scores(labels, pred_probs, method=judge)
        with refused(ProbabilityError, name):
            conflearn.analyze(labels, pred_probs, rank_by=judge)


@pytest.mark.parametrize("filter_by", [*FILTERS, RELATIVE])
def test_a_cut_is_for_filters_that_have_one(filter_by: Any) -> None:
    data = random_data(50, 3)
    for call in (conflearn.find_label_issues, conflearn.rank_label_issues, conflearn.analyze):
        with refused(OptionError, f"filter_by={filter_by!r} does not use cut"):
            call(*data, filter_by=filter_by, cut=0.3)


@pytest.mark.parametrize("judge", JUDGES)
def test_other_functions_have_other_lists(judge: Any) -> None:
    labels, pred_probs = random_data(50, 3)
    tags = [[label] for label in labels]
    for call in (
        lambda: multilabel.find_label_issues(tags, pred_probs, filter_by=judge),
        lambda: multilabel.rank_label_issues(tags, pred_probs, rank_by=judge),
        lambda: multilabel.label_quality_scores(tags, pred_probs, method=judge),
        lambda: conflearn.ensemble_label_quality_scores(
            labels, [pred_probs, pred_probs], method=judge
        ),
    ):
        with refused(OptionError, f"={judge!r} is not one of"):
            call()
    with pytest.raises(AssertionError, match=f"filter_by='{judge}' is not one of"):
        find_label_issues_of_cleanlab(labels, pred_probs, filter_by=judge)
    with refused(OptionError, f"does not go with method={judge!r}"):
        conflearn.label_quality_scores(labels, pred_probs, method=judge, adjust_pred_probs=True)
