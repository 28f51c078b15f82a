"""Audits: intervals hold, guarantees are kept, and a plan says what it does not fit."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy import stats

import conflearn
from conflearn.errors import InputError, InputTypeError, OptionError, ReviewWarning
from conflearn.reviews import guarantee, plan, plan_file, strata
from conflearn.reviews.intervals import Stratum, share_interval, sum_interval
from expected import refused

N, K = 4000, 5


def problem(share: float = 0.15, seed: int = 0) -> tuple[Any, Any, Any]:
    """Labels, a middling model's probabilities, and which labels are wrong."""
    rng = np.random.default_rng(seed)
    true_labels = rng.integers(0, K, N)
    is_wrong = rng.random(N) < share
    labels = np.where(is_wrong, (true_labels + rng.integers(1, K, N)) % K, true_labels)
    logits = 1.2 * rng.normal(size=(N, K)) + 2.5 * np.eye(K)[true_labels]
    pred_probs = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    return labels, pred_probs, is_wrong


LABELS, PRED_PROBS, IS_WRONG = problem()
PLAN = conflearn.audit(LABELS, PRED_PROBS, n_reviews=120, seed=3)


def verdicts_of(rows: Any, is_wrong: Any = IS_WRONG) -> dict[int, str]:
    return {int(row): "wrong" if is_wrong[row] else "right" for row in rows}


RESULT = PLAN.result(verdicts_of(PLAN.rows))


# --- Drawing


def test_rows_are_drawn_once_and_more_of_the_worst() -> None:
    assert len(PLAN.rows) == len(set(PLAN.rows.tolist())) == 120
    scores = conflearn.label_quality_scores(LABELS, PRED_PROBS)
    rank = np.empty(N, np.int64)
    rank[np.argsort(scores, kind="stable")] = np.arange(N)
    assert np.median(rank[PLAN.rows]) < N / 3
    again = conflearn.audit(LABELS, PRED_PROBS, n_reviews=120, seed=3)
    np.testing.assert_array_equal(again.rows, PLAN.rows)
    other = conflearn.audit(LABELS, PRED_PROBS, n_reviews=120, seed=4)
    assert not np.array_equal(other.rows, PLAN.rows)


def test_without_a_seed_one_is_drawn_and_told() -> None:
    drawn = conflearn.audit(LABELS, PRED_PROBS)
    again = conflearn.audit(LABELS, PRED_PROBS, seed=drawn.seed)
    np.testing.assert_array_equal(again.rows, drawn.rows)


@pytest.mark.parametrize("n_reviews", [10, 11, 57, 1000, 10_000])
def test_all_reviews_are_used(n_reviews) -> None:
    drawn = conflearn.audit(LABELS, PRED_PROBS, n_reviews=n_reviews, seed=0)
    assert len(set(drawn.rows.tolist())) == min(n_reviews, N)


def test_reviews_of_everything_leave_no_doubt() -> None:
    labels, pred_probs = LABELS[:60], PRED_PROBS[:60]
    drawn = conflearn.audit(labels, pred_probs, n_reviews=60, seed=0)
    result = drawn.result(verdicts_of(drawn.rows))
    n_wrong = int(IS_WRONG[:60].sum())
    assert result.num_errors == pytest.approx(n_wrong)
    assert result.num_errors_interval == pytest.approx((n_wrong, n_wrong))


@pytest.mark.parametrize("n_rows", [1, 2, 7, 1000])
@pytest.mark.parametrize("n_wrong", [0, 1, 900])
@pytest.mark.parametrize("n_reviews", [10, 100])
def test_strata_cover_the_ranking(n_rows, n_wrong, n_reviews) -> None:
    edges = strata.cut_strata(n_rows, n_wrong, n_reviews)
    assert (edges[0], edges[-1]) == (0, n_rows)
    assert (np.diff(edges) > 0).all()
    counts = strata.first_allocation(edges, n_wrong, n_reviews)
    assert counts.sum() == min(n_reviews, n_rows)
    assert ((counts >= 1) & (counts <= np.diff(edges))).all()
    positions, cells = strata.draw_cells(edges, counts.tolist(), np.random.default_rng(0))
    assert len(positions) == len(cells) - 1 == counts.sum()
    assert ((positions >= cells[:-1]) & (positions < cells[1:])).all()


def test_more_rows_are_added_where_least_is_known() -> None:
    verdicts = verdicts_of(PLAN.rows)
    more = PLAN.more(80, verdicts)
    assert more.rows[:120].tolist() == PLAN.rows.tolist()
    assert len(set(more.rows.tolist())) == 200
    after = more.result(verdicts_of(more.rows))
    assert np.diff(after.num_errors_interval) < np.diff(RESULT.num_errors_interval)
    assert len(PLAN.more(10**6, verdicts).rows) == N
    assert len(PLAN.rows) == 120


# --- Intervals


def test_wilson_intervals() -> None:
    found = share_interval(Stratum(10**9, 50, 20, 0.4), 0.95)
    expected = stats.binomtest(20, 50).proportion_ci(method="wilson")
    assert found.estimate == 0.4
    assert (found.low, found.high) == pytest.approx((expected.low, expected.high), abs=1e-6)


@pytest.mark.parametrize("n_hits", [1, 2, 49])
def test_intervals_next_to_zero_and_one_are_those_of_poisson(n_hits) -> None:
    found = share_interval(Stratum(10**9, 50, n_hits, n_hits / 50), 0.95)
    rate = stats.chi2.ppf(0.025, 2 * min(n_hits, 50 - n_hits)) / 2 / 50
    assert (found.low if n_hits < 25 else 1 - found.high) == pytest.approx(rate)


def test_what_was_seen_is_certain() -> None:
    few_left = share_interval(Stratum(60, 50, 20, 0.4), 0.95)
    assert (few_left.low, few_left.high) == (20 / 60, 30 / 60)
    assert share_interval(Stratum(7, 7, 3, 3 / 7), 0.9) == (3 / 7,) * 3
    assert share_interval(Stratum(7, 0, 0, 0.2), 0.9) == (0.2, 0, 1)


def test_a_sum_of_one_stratum_is_that_stratum() -> None:
    stratum = Stratum(1000, 40, 5, 0.125)
    # 95 percent of Student's distribution: of twice as many degrees of freedom as there are hits
    # below, others above.
    low = share_interval(stratum, 0.9, 1.812461).low
    high = share_interval(stratum, 0.9, 1.666914).high
    found = sum_interval([stratum], 0.9)
    assert found == pytest.approx((125, 1000 * low, 1000 * high), rel=1e-4)


def test_cells_of_unequal_size_make_no_bias() -> None:
    """Where errors are only in cells of two rows, and most cells have but one."""
    labels, pred_probs, _ = (one[:150] for one in problem())
    analysis, given = plan._ranked(labels, pred_probs, "self_confidence")
    edges = np.array([0, 150])
    _, cells = strata.draw_cells(edges, [100], np.random.default_rng(0))
    order = np.argsort(analysis.scores["self_confidence"], kind="stable")
    is_wrong = np.zeros(150, np.bool_)
    is_wrong[order[np.repeat(np.diff(cells) > 1, np.diff(cells))]] = True
    is_wrong[order[cells[:-1][np.diff(cells) > 1]]] = False
    found = []
    for seed in range(400):
        positions, _ = strata.draw_cells(edges, [100], np.random.default_rng(seed))
        drawn = plan.AuditPlan(analysis, given, seed, edges, cells, [positions])
        found.append(drawn.result(verdicts_of(drawn.rows, is_wrong)).num_errors)
    assert np.mean(found) == pytest.approx(is_wrong.sum(), rel=0.03)


@pytest.mark.parametrize("share", [0.01, 0.15, 0.4])
@pytest.mark.parametrize("n_reviews", [60, 200])
def test_intervals_hold(share, n_reviews) -> None:
    """Of 300 audits at least 92 percent; at the true 95, fewer would be seen once in 80 runs."""
    labels, pred_probs, is_wrong = problem(share, seed=1)
    truth, n_flagged = int(is_wrong.sum()), 300
    order = np.argsort(conflearn.label_quality_scores(labels, pred_probs), kind="stable")
    found = int(is_wrong[order[:n_flagged]].sum())
    analysis, given = plan._ranked(labels, pred_probs, "self_confidence")
    edges = strata.cut_strata(N, analysis.num_issues, n_reviews)
    counts = strata.first_allocation(edges, analysis.num_issues, n_reviews).tolist()
    hits = np.zeros(3)
    for seed in range(300):
        rng = np.random.default_rng(seed)
        positions, cells = strata.draw_cells(edges, counts, rng)
        drawn = plan.AuditPlan(analysis, given, seed, edges, cells, [positions])
        result = drawn.result(verdicts_of(drawn.rows, is_wrong))
        cut = result.at(n_flagged)
        for i, (interval, true) in enumerate(
            (
                (result.num_errors_interval, truth),
                (cut.precision_interval, found / n_flagged),
                (cut.recall_interval, found / truth),
            )
        ):
            hits[i] += interval[0] - 1e-9 <= true <= interval[1] + 1e-9
    assert (hits / 300 >= 0.92).all(), hits


# --- What follows from reviews


def test_p_error_falls_along_the_ranking_and_adds_up() -> None:
    order = np.argsort(conflearn.label_quality_scores(LABELS, PRED_PROBS), kind="stable")
    ranked = RESULT.p_error[order]
    assert ((ranked >= 0) & (ranked <= 1)).all()
    assert (np.diff(ranked) <= 1e-12).all()
    assert ranked.sum() == pytest.approx(RESULT.num_errors)


def test_rare_errors_among_many_rows_add_up_too() -> None:
    rng = np.random.default_rng(0)
    labels = rng.integers(0, 3, 100_000)
    pred_probs = 0.3 * rng.dirichlet([1, 1, 1], 100_000) + 0.7 * np.eye(3)[labels]
    is_wrong = rng.random(100_000) < 0.002
    labels = np.where(is_wrong, (labels + 1) % 3, labels)
    drawn = conflearn.audit(labels, pred_probs, n_reviews=150, seed=0)
    result = drawn.result(verdicts_of(drawn.rows, is_wrong))
    assert result.p_error.sum() == pytest.approx(result.num_errors)
    assert result.best_cut.n_flagged < 2 * is_wrong.sum()


def test_the_best_cut_is_a_good_one() -> None:
    order = np.argsort(conflearn.label_quality_scores(LABELS, PRED_PROBS), kind="stable")
    found = np.cumsum(IS_WRONG[order])
    f1 = 2 * found / (np.arange(1, N + 1) + IS_WRONG.sum())
    best = RESULT.best_cut
    assert f1[best.n_flagged - 1] > 0.93 * f1.max()
    assert best.f1 == pytest.approx(f1[best.n_flagged - 1], abs=0.15)
    scores = conflearn.label_quality_scores(LABELS, PRED_PROBS)
    assert best.score == scores[order[best.n_flagged - 1]]


@pytest.mark.parametrize("n_flagged", [1, 2, N - 1, N])
def test_any_cut_can_be_asked_for(n_flagged) -> None:
    cut = RESULT.at(n_flagged)
    for estimate, (low, high) in (
        (cut.precision, cut.precision_interval),
        (cut.recall, cut.recall_interval),
    ):
        assert 0 <= low <= estimate + 1e-9
        assert estimate <= high + 1e-9 <= 1 + 2e-9


def test_what_is_known_of_everything_is_true_at_any_cut() -> None:
    labels, pred_probs, is_wrong = LABELS[:80], PRED_PROBS[:80], IS_WRONG[:80]
    order = np.argsort(conflearn.label_quality_scores(labels, pred_probs), kind="stable")
    found = np.cumsum(is_wrong[order])
    drawn = conflearn.audit(labels, pred_probs, n_reviews=80, seed=0)
    some = conflearn.audit(labels, pred_probs, n_reviews=30, seed=0)
    for one in (drawn, some.more(50, verdicts_of(some.rows))):
        result = one.result(verdicts_of(one.rows))
        assert result.num_errors == pytest.approx(found[-1])
        for n in range(1, 81):
            cut = result.at(n)
            precision, recall = found[n - 1] / n, found[n - 1] / found[-1]
            assert (cut.precision, *cut.precision_interval) == pytest.approx((precision,) * 3)
            assert (cut.recall, *cut.recall_interval) == pytest.approx((recall,) * 3)


@pytest.mark.parametrize("n_seen", [3, 12, 30, 55])
def test_no_cut_contradicts_what_was_seen(n_seen) -> None:
    labels, pred_probs, is_wrong = LABELS[:80], PRED_PROBS[:80], IS_WRONG[:80]
    rng = np.random.default_rng(n_seen)
    for seed in range(5):
        n_first = 60 if n_seen < 30 else 30
        drawn = conflearn.audit(labels, pred_probs, n_reviews=n_first, seed=seed)
        drawn = drawn.more(60 - n_first, {})
        result = drawn.result(verdicts_of(rng.permutation(drawn.rows)[:n_seen], is_wrong))
        for n in range(1, 81):
            cut = result.at(n)
            for edges in ([0, n], [n, 80]):
                one = result._strata(np.array(edges))[0]
                assert one.n_hits <= one.n_reviewed <= one.size
            low, high = cut.precision_interval
            assert 0 <= low <= cut.precision <= high <= 1 + 1e-12
            low, high = cut.recall_interval
            assert 0 <= low <= cut.recall <= high <= 1 + 1e-12


def test_part_of_a_stratum_without_a_review_is_taken_for_the_whole() -> None:
    first = int(PLAN._edges[1])
    start = np.sort(PLAN._positions)[0]
    assert start > 0  # nobody has looked at the worst row
    inside = PLAN.rows[PLAN._positions < first]
    words = dict.fromkeys(PLAN.rows.tolist(), "right") | dict.fromkeys(inside.tolist(), "wrong")
    result = PLAN.result(words | {int(inside[0]): "right"})
    assert result.at(start).precision == pytest.approx(result.at(first).precision)
    assert result.at(start).precision > 0.8
    assert result.at(start).precision_interval == (0, 1)


def test_nothing_wrong_and_everything_wrong() -> None:
    for word, n_wrong in (("right", 0), ("wrong", N)):
        result = PLAN.result(dict.fromkeys(PLAN.rows.tolist(), word))
        low, high = result.num_errors_interval
        assert low <= n_wrong <= high
        assert result.num_errors == n_wrong
        assert str(n_wrong) in repr(result).replace(",", "")


def test_where_no_error_was_found_no_cut_is_best() -> None:
    few = PLAN.rows[:5].tolist()
    for rows in (PLAN.rows.tolist(), few):
        result = PLAN.result(dict.fromkeys(rows, "right"))
        best = result.best_cut
        assert (best.n_flagged, best.recall, best.f1) == (0, 0, 0)
        assert np.isnan([best.score, best.precision]).all()
        assert repr(result).endswith("best cut: none, since no review found a wrong label")
    assert PLAN.result({few[0]: "wrong"}).best_cut.n_flagged == N


def test_a_reviewer_may_stop_early_or_skip() -> None:
    verdicts = verdicts_of(PLAN.rows[:40])
    result = PLAN.result(verdicts)
    assert (result.n_reviewed, result.n_skipped) == (40, 0)
    skipping = PLAN.result(verdicts | dict.fromkeys(PLAN.rows[40:50].tolist(), "skip"))
    assert (skipping.n_reviewed, skipping.n_skipped) == (40, 10)
    assert skipping.num_errors_interval == result.num_errors_interval
    one = PLAN.result({int(PLAN.rows[0]): "wrong"})
    assert one.num_errors_interval[0] < N / 4
    assert one.num_errors_interval[1] == N
    other = PLAN.result({int(PLAN.rows[0]): "wrong"} | {int(PLAN.rows[1]): "right"})
    assert other.num_errors_interval[1] < N


@pytest.mark.parametrize("n_seen", [10, 30])
def test_intervals_hold_when_a_reviewer_stops_early(n_seen) -> None:
    labels, pred_probs, is_wrong = problem(0.05, seed=3)
    held = estimates = 0
    for seed in range(200):
        drawn = conflearn.audit(labels, pred_probs, n_reviews=60, seed=seed)
        result = drawn.result(verdicts_of(drawn.rows[:n_seen], is_wrong))
        low, high = result.num_errors_interval
        held += low <= is_wrong.sum() <= high
        estimates += result.num_errors
    assert held >= 184
    assert estimates / 200 == pytest.approx(is_wrong.sum(), rel=0.35)


def test_intervals_hold_after_more_rows() -> None:
    labels, pred_probs, is_wrong = problem(0.02, seed=4)
    held = 0
    for seed in range(200):
        drawn = conflearn.audit(labels, pred_probs, n_reviews=60, seed=seed)
        for _ in range(2):
            drawn = drawn.more(40, verdicts_of(drawn.rows, is_wrong))
        low, high = drawn.result(verdicts_of(drawn.rows, is_wrong)).num_errors_interval
        held += low <= is_wrong.sum() <= high
    assert held >= 184


# --- The guarantee


def test_binomial_tails() -> None:
    for most, n, chance in ((0, 10, 0.1), (3, 40, 0.2), (10, 30, 0.3)):
        expected = stats.binom.cdf(most, n, chance)
        assert guarantee._binomial_at_most(most, n, chance) == pytest.approx(expected)


def test_equal_cells_are_a_binomial_test() -> None:
    sizes, is_false = np.full(40, 7.0), np.arange(40) < 3
    found = guarantee.p_value(sizes, is_false, np.zeros(40), 0.2)
    assert found == pytest.approx(stats.binom.cdf(3, 40, 0.2))
    assert guarantee.p_value(sizes, is_false, np.zeros(40), 0.05) == 1


def test_groups_are_no_larger_than_the_largest_cell() -> None:
    sizes = np.array([1.0, 1, 1, 2, 3, 4, 4, 1])
    assert guarantee._groups(sizes).tolist() == [0, 3, 4, 5, 6, 7]


@pytest.mark.parametrize("concentration", [1, 50])
def test_the_guarantee_is_kept(concentration) -> None:
    """Sets with just too many false alarms pass no more often than the risk, however they lie."""
    rng = np.random.default_rng(0)
    sizes = np.repeat([20.0, 50, 50, 100], 20)
    rate, risk, n_simulations = 0.25, 0.1, 4000
    shares = rng.beta(concentration * rate, concentration * (1 - rate), len(sizes))
    shares *= rate * sizes.sum() / (sizes @ shares)
    shares = np.minimum(shares, 1)
    shares += (rate * sizes.sum() - sizes @ shares) / sizes.sum()
    passed = 0
    for _ in range(n_simulations):
        is_false = rng.random(len(sizes)) < shares
        passed += guarantee.p_value(sizes, is_false, rng.random(len(sizes)), rate) <= risk
    assert passed / n_simulations < risk + 3 * np.sqrt(risk * (1 - risk) / n_simulations)


def test_flags_keep_their_rate() -> None:
    labels, pred_probs, is_wrong = problem(0.4, seed=2)
    n_flagged = n_broken = 0
    for seed in range(60):
        drawn = conflearn.audit(labels, pred_probs, n_reviews=150, seed=seed)
        result = drawn.result(verdicts_of(drawn.rows, is_wrong))
        try:
            mask = result.flag(0.2, confidence=0.8)
        except OptionError:
            continue
        n_flagged += 1
        n_broken += (~is_wrong[mask]).mean() > 0.2
        reviewed_right = [row for row in drawn.rows if not is_wrong[row]]
        assert not mask[reviewed_right].any()
    assert n_flagged > 20
    assert n_broken <= 60 * 0.2


def test_flags_are_refused_where_reviews_cannot_support_them() -> None:
    with refused(OptionError, "certify no set", "30 reviews", "best_cut"):
        PLAN.result(verdicts_of(PLAN.rows)).flag(0.11, confidence=0.9)
    with refused(OptionError, "false_alarm_rate=0", "between 0 and 1"):
        RESULT.flag(0)
    with refused(OptionError, "confidence=1", "between 0 and 1"):
        RESULT.flag(0.1, confidence=1)


@pytest.mark.parametrize("rate", [1e-17, 5e-324])
def test_tiny_rates_are_refused_as_others_are(rate) -> None:
    with refused(OptionError, f"at most {rate:.3g} at a confidence of 0.9", " reviews of rows"):
        RESULT.flag(rate)


def test_who_refuses_names_the_lowest_rate_that_is_certified() -> None:
    with refused(OptionError, "confidence of 0.8", "is the lowest share") as caught:
        RESULT.flag(0.011, confidence=0.8)
    lowest = float(str(caught.value).partition("at this confidence, ")[2].split()[0])
    assert 0.011 < lowest < 1
    assert RESULT.flag(lowest, confidence=0.8).any()
    with pytest.raises(OptionError):
        RESULT.flag(lowest - 0.01, confidence=0.8)
    with refused(OptionError, "certify no share up to 0.99"):
        PLAN.result(dict.fromkeys(PLAN.rows.tolist(), "right")).flag()


# --- Files


def test_a_spreadsheet_goes_out_and_comes_back(tmp_path) -> None:
    names = ["ant", "bee", "cat", "dog", "elk"]
    drawn = conflearn.audit(
        np.array(names)[LABELS], PRED_PROBS, n_reviews=50, seed=1, classes=names
    )
    path = tmp_path / "review.csv"
    drawn.to_csv(path)
    lines = path.read_text().splitlines()
    assert lines[0] == "\ufeffround,row,given,suggested,score,verdict,right_label"
    assert len(lines) == 51
    assert [line.split(",")[2] for line in lines[1:]] == drawn.given_labels
    right = np.array(names)[np.where(IS_WRONG, (LABELS + 1) % K, LABELS)]
    filled = [
        f"{line}{right[row].upper()} " for line, row in zip(lines[1:], drawn.rows, strict=True)
    ]
    for separator in ",;":
        text = "\n".join([lines[0], *filled, ",,,,,,", ""]).replace(",", separator)
        path.write_text(text)
        result = drawn.result(path)
        assert result.n_wrong == int(IS_WRONG[drawn.rows].sum())
        assert result.right_labels == {int(row): right[row] for row in drawn.rows}
    assert [file.name for file in tmp_path.iterdir()] == ["review.csv"]


def test_verdicts_in_a_table() -> None:
    pd = pytest.importorskip("pandas")
    table = PLAN.to_records()
    frame = pd.DataFrame({name: table[name] for name in table.dtype.names})
    frame["verdict"] = np.where(IS_WRONG[frame["row"]], "wrong", "right")
    frame["right_label"] = np.nan
    assert PLAN.result(frame).num_errors == RESULT.num_errors
    frame["right_label"] = np.where(
        np.arange(120) == 7, np.nan, (LABELS + IS_WRONG)[frame["row"]] % K
    )
    assert frame["right_label"].dtype == float
    assert PLAN.result(frame).num_errors == RESULT.num_errors
    frame["right_label"] = pd.array([pd.NA] * 120, dtype="string")
    assert PLAN.result(frame).num_errors == RESULT.num_errors
    assert PLAN.result(frame.set_index("row")["verdict"]).num_errors == RESULT.num_errors
    pl = pytest.importorskip("polars")
    assert PLAN.result(pl.DataFrame(frame[["row", "verdict"]])).num_errors == RESULT.num_errors
    columns = {"row": frame["row"].tolist(), "verdict": frame["verdict"].tolist()}
    assert PLAN.result(columns).num_errors == RESULT.num_errors


def test_verdicts_in_an_arrow_table() -> None:
    pa = pytest.importorskip("pyarrow")
    words = list(verdicts_of(PLAN.rows).values())
    table = pa.table({"row": PLAN.rows, "verdict": words, "right_label": [None] * 120})
    assert PLAN.result(table).num_errors == RESULT.num_errors
    assert PLAN.result(table.to_batches()[0]).num_errors == RESULT.num_errors


def test_a_row_that_a_series_holds_twice_is_refused() -> None:
    pd = pytest.importorskip("pandas")
    row = int(PLAN.rows[0])
    with refused(InputError, f"row {row} twice"):
        PLAN.result(pd.Series(["right", "wrong"], index=[row, row]))


def test_what_spreadsheets_do_to_a_list_is_read(tmp_path) -> None:
    path = tmp_path / "review.csv"
    words = verdicts_of(PLAN.rows)
    rows = [f"{row}.0;{word.upper()} \n" for row, word in words.items()]
    path.write_text("".join(["Row ; Verdict\n", *rows, ";\n", " ; \n"]))
    assert PLAN.result(path).num_errors == RESULT.num_errors
    right = (LABELS + IS_WRONG) % K
    for form in ("{}", "{}.0"):
        lines = [f"{row},{form.format(right[row])}\n" for row in PLAN.rows]
        path.write_text("".join(["row,RIGHT_LABEL\n", *lines]))
        result = PLAN.result(path)
        assert result.num_errors == RESULT.num_errors
        assert result.right_labels == {row: right[row] for row in PLAN.rows}
    for wrong in ("1e3", "31.000", "1_0", "", "9" * 5000):
        path.write_text(f"row,verdict\n{wrong},right\n")
        with refused(InputError, "line 2", "whole numbers"):
            PLAN.result(path)


def test_a_file_in_another_encoding_is_refused(tmp_path) -> None:
    path = tmp_path / "review.csv"
    text = f"row,verdict,right_label\n{PLAN.rows[0]},wrong,\u00e9\n"
    for encoding, what in (
        ("utf-16", "text in UTF-16"),
        ("utf-16-le", "no text in UTF-8"),
        ("latin-1", "no text in UTF-8"),
    ):
        path.write_text(text, encoding=encoding)
        with refused(InputError, "cannot be read", what, "save it as CSV in UTF-8"):
            PLAN.result(path)


def test_who_cannot_tell_names_no_right_label() -> None:
    rows = PLAN.rows[:3].tolist()
    columns = {
        "row": rows,
        "verdict": ["wrong", "skip", "skip"],
        "right_label": ["moth", (LABELS[rows[1]] + 1) % K, "perhaps"],
    }
    result = PLAN.result(columns)
    assert result.right_labels == {rows[0]: "moth"}
    assert (result.n_reviewed, result.n_skipped) == (1, 2)


def test_a_list_is_not_written_over_verdicts(tmp_path) -> None:
    path = tmp_path / "review.csv"
    PLAN.to_csv(path)
    PLAN.to_csv(path)
    untouched = path.read_text()
    lines = untouched.splitlines()
    lines[1] += "2"
    lines[5] = lines[5].removesuffix(",") + "Right,"
    path.write_text("\n".join(lines))
    for drawn in (PLAN, conflearn.audit(LABELS, PRED_PROBS, seed=9)):
        with refused(OptionError, str(path), "2 verdicts", "another name", "overwrite=True"):
            drawn.to_csv(path)
    more = PLAN.more(10, path)
    more.to_csv(path)  # which holds them
    assert len(path.read_text().splitlines()) == 131
    with refused(OptionError, "2 verdicts"):
        PLAN.to_csv(path)
    PLAN.to_csv(path, overwrite=True)
    assert path.read_text() == untouched
    path.write_text("dear diary")
    with refused(OptionError, str(path), "no list of rows", "overwrite=True"):
        PLAN.to_csv(path)
    path.write_text("")
    PLAN.to_csv(path)
    assert path.read_text() == untouched


# --- Rounds


def test_more_keeps_verdicts(tmp_path) -> None:
    names = ["ant", "bee", "cat", "dog", "elk"]
    data = np.array(names)[LABELS], PRED_PROBS
    drawn = conflearn.audit(*data, n_reviews=50, seed=1, classes=names)
    first = verdicts_of(drawn.rows)
    skipped, other, classed = (int(row) for row in drawn.rows[:3])
    first |= {skipped: "skip", other: "wrong", classed: "wrong"}
    labels = ["", "moth", names[(LABELS[classed] + 1) % K], *[""] * 47]
    words = ["skip", "wrong", "", *list(first.values())[3:]]
    more = drawn.more(30, {"row": drawn.rows, "verdict": words, "right_label": labels})
    assert "50 have a verdict" in repr(more)
    more.save(tmp_path / "plan.json")
    loaded = conflearn.AuditPlan.load(tmp_path / "plan.json", *data, classes=names)
    second = verdicts_of(more.rows[50:])
    expected = None
    for one in (more, loaded):
        table = one.to_records()
        assert table.verdict[:4].tolist() == ["skip", "wrong", "wrong", words[3]]
        assert table.right_label[:3].tolist() == labels[:3]
        assert not any(table.verdict[50:])
        path = tmp_path / "review.csv"
        one.to_csv(path, overwrite=True)
        lines = path.read_text().splitlines()
        path.write_text(
            "\n".join(
                lines[:51]
                + [f"{line[:-1]}{second[int(line.split(',')[1])]}," for line in lines[51:]]
            )
        )
        results = [one.result(path), one.result(second), one.result(verdicts_of(more.rows) | first)]
        for result in results:
            assert (result.n_reviewed, result.n_skipped) == (79, 1)
            assert result.right_labels[other] == "moth"
            assert set(result.right_labels) == {other, classed}
            expected = expected or result.num_errors_interval
            assert result.num_errors_interval == expected
    # What is said later counts.
    later = more.result(second | {other: "right", classed: "skip", skipped: "wrong"})
    assert (later.n_reviewed, later.n_skipped, later.right_labels) == (79, 1, {})


def test_no_more_rows_are_no_round(tmp_path) -> None:
    kept = PLAN.more(0, verdicts_of(PLAN.rows))
    kept.save(tmp_path / "plan.json")
    loaded = conflearn.AuditPlan.load(tmp_path / "plan.json", LABELS, PRED_PROBS)
    assert loaded.result().num_errors_interval == RESULT.num_errors_interval


def test_sources_are_joined(tmp_path) -> None:
    words = verdicts_of(PLAN.rows)
    halves = [dict(list(words.items())[part]) for part in (slice(70), slice(50, 120))]
    path = tmp_path / "x.csv"
    path.write_text("row,verdict\n" + "".join(f"{row},{word}\n" for row, word in halves[0].items()))
    columns = {"row": list(halves[1]), "verdict": list(halves[1].values())}
    for sources in ([path, columns], (columns, str(path)), [{}, words]):
        assert PLAN.result(sources).num_errors_interval == RESULT.num_errors_interval
    row = int(PLAN.rows[0])
    result = PLAN.result([{row: "skip"}, words])
    assert (result.n_reviewed, result.n_skipped) == (120, 0)
    with refused(InputError, f"row {row} twice", "'right' and 'wrong'"):
        PLAN.result([{row: "right"}, {row: "wrong"}])
    given = int(LABELS[row])
    labelled = [{"row": [row], "right_label": [label]} for label in sorted({0, 1, 2} - {given})[:2]]
    with refused(InputError, f"row {row} twice", "correct one"):
        PLAN.result(labelled)


def test_a_round_without_a_verdict_is_told() -> None:
    more = PLAN.more(40, {})
    with refused(InputError, "nothing of round 1", "round 2", "list of files"):
        more.result(verdicts_of(more.rows[120:]))
    with pytest.warns(ReviewWarning, match="nothing of round 2"):
        result = more.result(verdicts_of(PLAN.rows))
    assert result.num_errors_interval == RESULT.num_errors_interval


def test_a_plan_outlives_the_process(tmp_path) -> None:
    path = tmp_path / "plan.json"
    more = PLAN.more(30, verdicts_of(PLAN.rows))
    more.save(path)
    loaded = conflearn.AuditPlan.load(path, LABELS, PRED_PROBS)
    assert loaded.rows.tolist() == more.rows.tolist()
    verdicts = verdicts_of(more.rows)
    assert loaded.result(verdicts).num_errors_interval == more.result(verdicts).num_errors_interval
    again, other = (one.more(5, verdicts).rows.tolist() for one in (loaded, more))
    assert again == other


def test_a_plan_refuses_other_data(tmp_path) -> None:
    path = tmp_path / "plan.json"
    PLAN.save(path)
    labels = LABELS.copy()
    labels[7] = (labels[7] + 1) % K
    for other in (
        (labels, PRED_PROBS),
        (LABELS, PRED_PROBS[:, ::-1]),
        (LABELS[1:], PRED_PROBS[1:]),
    ):
        with refused(InputError, "made for other data", "pass the labels"):
            conflearn.AuditPlan.load(path, *other)


@pytest.mark.parametrize(
    ("change", "essentials"),
    [
        ({"version": 3}, ("version 3", "version 2")),
        ({"what": "x"}, ("no audit plan",)),
        ({"edges": [0]}, ("damaged",)),
        ({"rounds": [[1, 1]]}, ("damaged",)),
        ({"cells": [0, 4000]}, ("damaged",)),
        ({"rounds": "x"}, ("damaged",)),
        ({"rounds": [[]]}, ("damaged",)),
        ({"cells": 5}, ("damaged",)),
        ({"n_examples": "4000"}, ("damaged",)),
        ({"seed": -1}, ("damaged",)),
        ({"rank_by": None}, ("damaged",)),
        ({"rank_by": "nonsense"}, ("damaged",)),
        ({"verdicts": None}, ("damaged",)),
        ({"verdicts": [[1]]}, ("damaged",)),
        ({"verdicts": [[-1, "right", None]]}, ("damaged",)),
        ({"verdicts": [[int(PLAN.rows[0]), "maybe", None]]}, ("damaged",)),
        ({"verdicts": [[int(PLAN.rows[0]), "wrong", 1.5]]}, ("damaged",)),
        ({"verdicts": [[int(PLAN.rows[0]), "wrong", K]]}, ("other classes",)),
        ({"verdicts": [[int(PLAN.rows[0]), "wrong", -1]]}, ("damaged",)),
        ({"verdicts": [[int(PLAN.rows[0]), "skip", None]] * 2}, ("damaged",)),
    ],
)
def test_a_damaged_plan_is_refused(tmp_path, change, essentials) -> None:
    path = tmp_path / "plan.json"
    PLAN.save(path)
    contents = json.loads(path.read_text()) | change
    del contents["digest"]
    contents["digest"] = plan_file._digest(contents)
    path.write_text(json.dumps(contents))
    with refused(InputError, *essentials):
        conflearn.AuditPlan.load(path, LABELS, PRED_PROBS)


def test_an_edited_plan_is_refused(tmp_path) -> None:
    path = tmp_path / "plan.json"
    PLAN.save(path)
    contents = json.loads(path.read_text())
    path.write_text(json.dumps(contents, indent=2))
    assert conflearn.AuditPlan.load(path, LABELS, PRED_PROBS).seed == 3
    for change in ({"seed": 4}, {"digest": None}, {"version": 1}):
        path.write_text(json.dumps(contents | change))
        with refused(InputError, "damaged"):
            conflearn.AuditPlan.load(path, LABELS, PRED_PROBS)


def test_plans_of_the_first_version_are_read(tmp_path) -> None:
    path = tmp_path / "plan.json"
    more = PLAN.more(30, verdicts_of(PLAN.rows))
    more.save(path)
    contents = json.loads(path.read_text()) | {"version": 1}
    del contents["digest"], contents["verdicts"]
    path.write_text(json.dumps(contents))
    loaded = conflearn.AuditPlan.load(path, LABELS, PRED_PROBS)
    assert loaded.rows.tolist() == more.rows.tolist()
    with refused(InputError, "no row"):
        loaded.result()


def test_what_is_no_plan_is_refused(tmp_path) -> None:
    with refused(InputError, "no plan can be read"):
        conflearn.AuditPlan.load(tmp_path / "none.json", LABELS, PRED_PROBS)
    (tmp_path / "x").write_text("hello")
    with refused(InputError, "no audit plan"):
        conflearn.AuditPlan.load(tmp_path / "x", LABELS, PRED_PROBS)
    (tmp_path / "x").write_text("[" * 200_000)
    with refused(InputError, "no audit plan"):
        conflearn.AuditPlan.load(tmp_path / "x", LABELS, PRED_PROBS)
    with refused(OptionError, "cannot be written"):
        PLAN.save(tmp_path / "nowhere" / "plan.json")


# --- What is refused


def test_bad_verdicts(tmp_path) -> None:
    row = int(PLAN.rows[0])
    given = str(PLAN.given_labels[0])
    outside = next(row for row in range(N) if row not in PLAN.rows)
    cases: list[tuple[Any, tuple[str, ...]]] = [
        ({row: "maybe"}, (f"row {row}", "'maybe'", "right, wrong or skip")),
        ({outside: "right"}, (f"row {outside}", "not in the plan")),
        ({"a": "right"}, ("'a'", "whole numbers")),
        ({}, ("no row", "review at least one")),
        ({"row": [row, row], "verdict": ["right"] * 2}, (f"row {row} twice",)),
        ({"row": [row], "verdict": ["wrong"], "right_label": [given]}, ("is the given one",)),
        ({"row": [row], "verdict": ["right"], "right_label": [9]}, ("none of the classes",)),
        ({"row": [row], "verdict": [""], "right_label": ["q"]}, ("'q'", "none of the classes")),
        ({"row": [row], "verdict": []}, ("differ in length",)),
        (tmp_path / "none.csv", ("cannot be read",)),
    ]
    for verdicts, essentials in cases:
        with refused(InputError, *essentials):
            PLAN.result(verdicts)
    for nonsense in (["right"], 5, [5], np.array(["right"]), {"row": 5, "verdict": "right"}):
        with refused(InputTypeError, "verdicts are a", "to_csv"):
            PLAN.result(nonsense)
    with refused(InputError, "two columns 'row'"):
        PLAN.result({"row": [row], "Row": [row], "verdict": ["right"]})
    with refused(InputError, "no column 'verdict', nor 'right_label'"):
        PLAN.result({"row": [row]})
    path = Path(tmp_path / "x.csv")
    path.write_text("a,b\n1,2\n")
    with refused(InputError, "no column 'row'"):
        PLAN.result(path)


def test_bad_options() -> None:
    with refused(OptionError, "n_reviews=9", "at least 10"):
        conflearn.audit(LABELS, PRED_PROBS, n_reviews=9)
    with refused(OptionError, "rank_by"):
        conflearn.audit(LABELS, PRED_PROBS, rank_by="x")
    with refused(OptionError, "confidence=1", "between 0 and 1"):
        PLAN.result(verdicts_of(PLAN.rows), confidence=1.0)
    with refused(OptionError, "confidence=0.99999999", "0.999999 at most"):
        PLAN.result(verdicts_of(PLAN.rows), confidence=1 - 1e-16)
    assert "(99.9999% confidence)" in repr(PLAN.result(verdicts_of(PLAN.rows), confidence=0.999999))
    with refused(OptionError, f"n_flagged={N + 1}", "4,000"):
        RESULT.at(N + 1)


def test_a_plan_is_shown_in_two_lines() -> None:
    assert repr(PLAN).startswith("AuditPlan of 120 reviews of 4,000 labels\n  the worst first by")
