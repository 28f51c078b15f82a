"""Checks of inputs: each finds what it is for, nothing near it, and nothing in healthy data."""

import json

import numpy as np
import pytest
from hypothesis import given
from sklearn.datasets import load_digits
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import cross_val_predict
from sklearn.neighbors import KNeighborsClassifier

import conflearn
from checked import HEALTHY, K, N, found, model, normalized, the_only, the_only_named
from strategies import Data, datasets

# --- Nothing is found in what is healthy


def test_healthy_data_are_healthy() -> None:
    for seed in range(20):
        assert found(*model(seed=seed)) == {}
        assert found(*model(noise=0.2, seed=seed)) == {}
        # To a model that knows the truth, so many wrong labels look as if it were too sure.
        assert found(*model(noise=0.4, seed=seed)) == {"miscalibrated": "note"}
        assert found(*model(300, 3, seed=seed)) == {}
        assert found(*model(20_000, 50, seed=seed)) == {}


def test_real_data_are_healthy(real_data: Data) -> None:
    for check in (conflearn.check_inputs, lambda *data: conflearn.analyze(*data).checks):
        report = check(*real_data)
        assert report.names == ()
        assert report.is_healthy
    assert "doubts" not in repr(conflearn.analyze(*real_data))


@pytest.mark.parametrize("noise", [0, 0.2])
def test_digits_are_healthy(noise: float) -> None:
    images, digits = load_digits(return_X_y=True)
    rng = np.random.default_rng(0)
    labels = np.where(rng.random(1797) < noise, rng.integers(0, 10, 1797), digits)
    classifier = LogisticRegression(max_iter=1000)
    pred_probs = cross_val_predict(classifier, images / 16, labels, cv=5, method="predict_proba")
    assert conflearn.check_inputs(labels, pred_probs).is_healthy
    assert conflearn.check_inputs(labels, np.log(pred_probs), kind="scores").names == ()


@given(data=datasets())
def test_any_data_are_reported_on(data: Data) -> None:
    for kind in ("probabilities", "logits", "scores"):
        report = conflearn.check_inputs(*data, kind=kind)
        assert report.n_examples == len(data.labels)
        json.dumps(report.to_dict())
        assert str(report)


# --- Labels and model that agree too well


def test_a_model_that_was_trained_on_the_labels_is_suspected() -> None:
    labels = model(8000).labels
    certain = normalized(np.eye(K)[labels] + 0.01 * np.random.default_rng(0).random((8000, K)))
    suspected = the_only(labels, certain)
    assert (suspected.name, suspected.severity) == ("in_sample", "warning")
    assert "all 8,000 rows" in suspected.seen
    assert suspected.what_to_do.startswith("was the model trained on these examples?")
    assert suspected.figures["n_disagreements"] == 0
    assert found(labels[:1000], certain[:1000]) == {"in_sample": "note"}
    assert found(labels[:250], certain[:250]) == {}
    assert found(labels, np.log(certain), kind="scores") == {"in_sample": "warning"}


def test_a_few_disagreements_clear_a_superb_model() -> None:
    labels = model(8000).labels
    rng = np.random.default_rng(0)
    for n_wrong, expected in ((1, {}), (9, {}), (80, {})):
        given_labels = labels.copy()
        given_labels[:n_wrong] = (labels[:n_wrong] + 1) % K
        certain = normalized(np.eye(K)[labels] + 0.01 * rng.random((8000, K)))
        assert found(given_labels, certain) == expected
    # Of more rows, a few prove nothing.
    labels = np.tile(labels, 5)
    certain = normalized(np.eye(K)[labels] + 0.01 * rng.random((40_000, K)))
    labels[:9] = (labels[:9] + 1) % K
    assert found(labels, certain) == {"in_sample": "warning"}


def test_doubts_that_are_never_justified_are_suspicious() -> None:
    rng = np.random.default_rng(0)
    labels = rng.integers(0, K, 1500)
    others = (1 - np.eye(K)[labels]) / (K - 1)
    for most, spread, severity in ((1, 0.4, "warning"), (0.9, 0.001, "note")):
        # The second model is never surer than 0.9, as if it had been trained to that.
        share = most - spread * rng.random((1500, 1))
        pred_probs = share * np.eye(K)[labels] + (1 - share) * others
        assert found(labels, pred_probs)["in_sample"] == severity


@pytest.mark.parametrize("noise", [0, 0.2])
def test_forests_and_neighbours_are_caught(noise: float) -> None:
    images, digits = load_digits(return_X_y=True)
    rng = np.random.default_rng(0)
    labels = np.where(rng.random(1797) < noise, rng.integers(0, 10, 1797), digits)
    forest = RandomForestClassifier(random_state=0)
    neighbours = KNeighborsClassifier()
    in_sample = forest.fit(images, labels).predict_proba(images)
    assert found(labels, in_sample)["in_sample"] == "warning"
    if noise:
        in_sample = neighbours.fit(images, labels).predict_proba(images)
        suspected = conflearn.check_inputs(labels, in_sample)[0]
        assert (suspected.name, suspected.severity) == ("in_sample", "warning")
        assert "none of these it has a probability below 0.2" in suspected.seen
    for classifier in (forest, neighbours):
        pred_probs = cross_val_predict(classifier, images, labels, cv=5, method="predict_proba")
        assert "in_sample" not in found(labels, pred_probs)


def test_a_model_that_has_seen_the_labels_is_not_said_to_be_unsure() -> None:
    """A lower temperature would make it no better."""
    labels = model(8000).labels
    knows = 0.5 * np.eye(K)[labels] + 0.5 * np.random.default_rng(0).dirichlet(np.ones(K), 8000)
    assert (knows.argmax(axis=1) == labels).mean() > 0.999
    knows[knows.argmax(axis=1) != labels] = 1 / K
    labels = np.where(knows.max(axis=1) == 1 / K, 0, labels)
    assert found(labels, knows) == {"in_sample": "warning"}


def test_one_class_that_has_nearly_all_rows_is_no_evidence() -> None:
    rng = np.random.default_rng(0)
    labels = (rng.random(20_000) < 0.002).astype(int)
    pred_probs = np.stack([1 - 1e-4 * rng.random(20_000), np.zeros(20_000)], axis=1)
    pred_probs[:, 1] = 1 - pred_probs[:, 0]
    assert "in_sample" not in found(labels, pred_probs)


# --- Labels and model that do not agree at all


def test_rows_of_other_examples_are_found() -> None:
    labels, pred_probs = HEALTHY
    shuffled = np.random.default_rng(1).permutation(labels)
    hopeless = the_only(shuffled, pred_probs)
    assert (hopeless.name, hopeless.severity) == ("hopeless_model", "error")
    assert "same order" in hopeless.what_to_do
    accuracy = hopeless.figures["accuracy"]
    assert accuracy == pytest.approx(np.mean(pred_probs.argmax(axis=1) == shuffled))
    by_chance = (np.bincount(labels) @ np.bincount(pred_probs.argmax(axis=1))) / N**2
    assert hopeless.figures["accuracy_by_chance"] == pytest.approx(by_chance)
    assert found(shuffled, np.log(pred_probs), kind="logits") == {"hopeless_model": "error"}
    assert found(shuffled, np.log(pred_probs), kind="scores") == {"hopeless_model": "warning"}
    # A tenth of what the model knows is better than nothing.
    half = np.where(np.random.default_rng(2).random(N) < 0.2, labels, shuffled)
    assert "hopeless_model" not in found(half, pred_probs)


def test_few_rows_prove_nothing() -> None:
    labels, pred_probs = (part[:40] for part in HEALTHY)
    assert "hopeless_model" not in found(np.roll(labels, 1), pred_probs)


def test_the_shares_of_the_classes_are_no_model() -> None:
    rng = np.random.default_rng(0)
    labels = (rng.random(50_000) < 0.05).astype(int)
    constant = np.full((50_000, 2), [0.95, 0.05])
    assert found(labels, constant)["hopeless_model"] == "error"
    # It never predicts the rare class, but it knows more of it than its share.
    odds = np.where(labels, 2.0, 0.8) * rng.gamma(2, 0.5, 50_000)
    rare = np.minimum(0.05 * odds, 0.4)
    knows = np.stack([1 - rare, rare], axis=1)
    assert (knows.argmax(axis=1) == 0).all()
    assert "hopeless_model" not in found(labels, knows)


@pytest.mark.parametrize(
    "shares", [[0.05, 0.15, 0.8], [0.3, 0.3, 0.4], [0.1] * 9 + [0.1], [0.1, 0.9]]
)
def test_a_model_that_always_says_the_same_is_hopeless(shares: list[float]) -> None:
    """Its columns are in no order, and were not clipped."""
    n_classes = len(shares)
    labels = np.random.default_rng(0).choice(n_classes, 500, p=shares)
    constant = np.full((500, n_classes), 1 / n_classes)
    assert found(labels, constant) == {"hopeless_model": "error"}
    last = constant + 0.001 * np.eye(n_classes)[-1]
    assert found(labels, normalized(last)) == {"hopeless_model": "error"}


def test_rows_that_are_shifted_by_one_are_not_permuted_columns(real_data: Data) -> None:
    labels, pred_probs = real_data
    if "float16" in str(pred_probs.dtype):
        return  # sorted by class: here the next row is of the same one
    for shift in (1, 2, 3, 4, 5):
        assert found(np.roll(labels, shift), pred_probs)["hopeless_model"] == "error"


def test_many_classes_of_few_rows_do_not_make_a_model_hopeless() -> None:
    """The shares of the classes were fitted to the labels, and the model was not."""
    rng = np.random.default_rng(0)
    for _ in range(10):
        pred_probs = rng.dirichlet(np.ones(100), 100)
        labels = (pred_probs.cumsum(axis=1) < rng.random((100, 1))).sum(axis=1)
        assert "hopeless_model" not in found(np.minimum(labels, 99), pred_probs)


# --- Columns in another order


def test_reversed_columns_are_named() -> None:
    labels, pred_probs = HEALTHY
    reversed_ = the_only(labels, pred_probs[:, ::-1])
    assert (reversed_.name, reversed_.severity) == ("reversed_columns", "error")
    assert "pred_probs[:, ::-1]" in reversed_.what_to_do
    assert reversed_.figures["order"] == list(range(K))[::-1]
    accuracy = np.mean(pred_probs.argmax(axis=1) == labels)
    assert reversed_.figures["agreement_reordered"] == pytest.approx(accuracy)
    assert found(labels[:60], pred_probs[:60, ::-1])["reversed_columns"] == "error"
    two = np.stack([pred_probs[:, 3:].sum(axis=1), pred_probs[:, :3].sum(axis=1)], axis=1)
    assert found(labels // 3, two.clip(0, 1))["reversed_columns"] == "error"


@pytest.mark.parametrize("noise", [0.0, 0.3])
@pytest.mark.parametrize("n_moved", [2, 3, 6])
@pytest.mark.parametrize("seed", range(4))
def test_the_right_order_is_found(noise: float, n_moved: int, seed: int) -> None:
    labels, pred_probs = model(noise=noise, seed=seed)
    rng = np.random.default_rng(seed)
    moved, order = rng.permutation(K)[:n_moved], np.arange(K)
    order[moved] = np.roll(moved, 1)
    wrong = pred_probs[:, order]
    report = conflearn.check_inputs(labels, wrong)
    assert report.names == ("permuted_columns",)
    np.testing.assert_array_equal(wrong[:, report[0].figures["order"]], pred_probs)
    assert report[0].figures["n_moved"] == n_moved
    assert str(report[0].figures["order"]) in report[0].what_to_do
    scores = conflearn.check_inputs(labels, np.log(wrong), kind="scores")
    assert scores[0].figures == report[0].figures


def test_many_columns_are_put_in_order() -> None:
    rng = np.random.default_rng(0)
    labels = rng.integers(0, 800, 16_000)
    logits = rng.normal(size=(16_000, 800)).astype(np.float32)
    logits[np.arange(16_000), labels] += 4
    order = rng.permutation(800)
    report = conflearn.check_inputs(labels, logits[:, order], kind="logits")
    np.testing.assert_array_equal(order[report[0].figures["order"]], np.arange(800))
    assert "figures['order']" in report[0].what_to_do


def test_classes_that_are_confused_are_not_permuted() -> None:
    """A third of one class is given another, and the model takes half of that for a third one."""
    labels, pred_probs = HEALTHY
    rng = np.random.default_rng(0)
    confused = np.where((labels == 0) & (rng.random(N) < 0.6), 1, labels)
    assert found(confused, pred_probs).keys() <= {"miscalibrated", "prior_shift"}
    weak = 0.8 * pred_probs[:, [1, 0, 2, 3, 4, 5]] + 0.2 * pred_probs
    assert "permuted_columns" in found(labels, weak)
    weak = 0.5 * pred_probs[:, [1, 0, 2, 3, 4, 5]] + 0.5 * pred_probs
    assert "permuted_columns" not in found(labels, weak)


# --- Classes


def test_absent_classes_are_named() -> None:
    labels, pred_probs = HEALTHY
    names = ["ant", "bee", "cat", "dog", "elk", "fox"]
    keep = labels != 2
    absent = the_only(labels[keep], pred_probs[keep], classes=None)
    assert (absent.name, absent.severity) == ("absent_classes", "warning")
    assert absent.figures["absent"] == [2]
    named = conflearn.check_inputs(np.array(names)[labels[keep]], pred_probs[keep], classes=names)
    assert "class 'cat'" in named[0].seen
    # Nobody is taken for it either.
    wide = np.concatenate([pred_probs, np.full((N, 1), 1e-9)], axis=1)
    assert found(labels, wide) == {"absent_classes": "note"}


def drawn(n_examples: int, n_classes: int, seed: int, alpha: float = 1.0) -> Data:
    """Labels that are drawn from the probabilities that are given with them."""
    rng = np.random.default_rng(seed)
    pred_probs = rng.dirichlet(np.full(n_classes, alpha), n_examples)
    labels = (pred_probs.cumsum(axis=1) < rng.random((n_examples, 1))).sum(axis=1)
    return Data(np.minimum(labels, n_classes - 1), pred_probs)


@pytest.mark.parametrize(
    ("n_examples", "n_classes"),
    [(1, 2), (2, 2), (5, 3), (30, 10), (30, 2), (99, 4), (100, 100), (150, 30), (300, 1000)],
)
def test_chance_leaves_classes_empty_and_shares_apart(n_examples: int, n_classes: int) -> None:
    for seed in range(30):
        for alpha in (0.1, 1):
            report = conflearn.check_inputs(*drawn(n_examples, n_classes, seed, alpha))
            assert report.is_healthy, report
            assert "prior_shift" not in report.names


def test_of_a_few_dozen_rows_shares_are_not_judged() -> None:
    assert conflearn.check_inputs([0], [[0.5, 0.5]]).is_healthy
    even = np.random.default_rng(0).uniform(0.4, 0.6, 200)
    pred_probs = np.stack([even, 1 - even], axis=1)
    one = found(np.zeros(30, int), pred_probs[:30])
    assert one == {"absent_classes": "note"}
    many = found(np.zeros(200, int), pred_probs)
    assert (many["absent_classes"], many["prior_shift"]) == ("warning", "warning")


def test_absent_classes_of_scores_are_those_that_are_predicted() -> None:
    labels, pred_probs = HEALTHY
    keep = labels != 2
    assert found(labels[keep], np.log(pred_probs[keep]), kind="scores") == {
        "absent_classes": "warning"
    }


def test_what_is_said_of_absent_classes_is_so() -> None:
    labels, pred_probs = HEALTHY
    keep = labels != 2
    labels, pred_probs = labels[keep], pred_probs[keep]
    report = conflearn.check_inputs(labels, pred_probs)
    figures = report[0].figures
    assert figures["n_expected"] == pytest.approx(pred_probs[:, 2].sum(), rel=0.01)
    joint = conflearn.confident_joint(labels, pred_probs, calibrate=False)
    assert np.delete(joint[:, 2], 2).sum() == 0
    is_sure = pred_probs[:, 2] > 0.8
    n_found = {
        rule: conflearn.find_label_issues(labels, pred_probs, filter_by=rule)[is_sure].sum()
        for rule in ("predicted_neq_given", "relative_confidence", "noise_floor")
    }
    assert all(rule in report[0].why for rule in n_found)
    assert n_found["predicted_neq_given"] == n_found["relative_confidence"] == is_sure.sum()
    assert n_found["noise_floor"] > 0
    by_joint = conflearn.find_label_issues(labels, pred_probs, filter_by="confident_learning")
    assert not by_joint[is_sure].any()


def test_rare_classes_are_noted() -> None:
    labels, pred_probs = HEALTHY
    for n_left, expected in ((1, {"rare_classes": "note"}), (4, {"rare_classes": "note"}), (5, {})):
        keep = (labels != 2) | (np.cumsum(labels == 2) <= n_left)
        keep &= (pred_probs.argmax(axis=1) != 2) | (labels == 2)
        assert found(labels[keep], pred_probs[keep]) == expected


def test_many_classes_are_not_all_named() -> None:
    rng = np.random.default_rng(0)
    report = conflearn.check_inputs(rng.integers(0, 2, 50), rng.dirichlet(np.ones(30), 50))
    absent = next(one for one in report if one.name == "absent_classes")
    assert "28 classes (2, 3, 4, 5, 6 and 23 more)" in absent.seen


def test_shares_of_another_training_set_are_found() -> None:
    labels, pred_probs = HEALTHY
    for weight, severity in ((1, None), (2, None), (8, "note"), (50, "warning")):
        weights = np.r_[weight, np.ones(K - 1)]
        shifted = conflearn.check_inputs(labels, normalized(pred_probs * weights))
        found_ = {one.name: one for one in shifted}
        assert severity or "prior_shift" not in found_
        if severity:
            assert found_["prior_shift"].severity == severity
            assert found_["prior_shift"].figures["class"] == 0
            assert "0 is given to" in found_["prior_shift"].seen


def test_a_class_bias_makes_up_for_shares_in_training() -> None:
    labels, pred_probs = HEALTHY
    in_training = np.r_[50, np.ones(K - 1)] * np.bincount(labels)
    shifted = normalized(pred_probs * in_training / np.bincount(labels))
    finding = the_only_named("prior_shift", labels, shifted)
    assert "class_bias = ln(share here / share in training)" in finding.what_to_do
    bias = np.log(np.bincount(labels) / N / (in_training / in_training.sum()))
    assert found(labels, shifted, class_bias=bias) == {}


# --- Probabilities


def test_rows_that_do_not_sum_to_one_are_found() -> None:
    labels, pred_probs = HEALTHY
    rng = np.random.default_rng(0)
    wide = pred_probs * rng.uniform(0.5, 1, (N, 1))
    wide[17] = 0
    sums = the_only_named("row_sums", labels, wide)
    assert sums.severity == "warning"
    assert (sums.figures["least_sum"], sums.figures["row_of_least"]) == (0, 17)
    assert sums.figures["n_off_by_0.05"] == np.sum(abs(wide.sum(axis=1) - 1) > 0.05)
    assert "row 17 sums to 0" in sums.seen
    slightly = pred_probs * rng.uniform(0.97, 1, (N, 1))
    assert found(labels, slightly) == {"row_sums": "note"}
    assert found(labels, pred_probs * rng.uniform(0.992, 1, (N, 1))) == {}
    assert found(labels, pred_probs.astype(np.float16)) == {}
    assert found(labels, np.log(wide + 1e-9), kind="logits").get("row_sums") is None


def test_a_row_without_probabilities_is_noted() -> None:
    labels, pred_probs = HEALTHY
    pred_probs = pred_probs.copy()
    pred_probs[41] = 0
    sums = the_only(labels, pred_probs)
    assert (sums.name, sums.severity) == ("row_sums", "note")
    assert "row 41 sums to 0" in sums.seen


def test_rows_are_named_once() -> None:
    labels, pred_probs = HEALTHY
    zeros = the_only_named("row_sums", [0, 1, 1], [[0, 0], [0, 0], [0, 0]])
    assert zeros.seen == (
        "of 3 rows, the sums of 3 are off 1 by more than 0.01, and 3 by more than 0.05; "
        "row 0 sums to 0"
    )
    half = the_only(labels, 0.5 * pred_probs)
    assert half.name == "row_sums"
    assert half.seen.endswith(" sums to 0.5")
    assert half.seen.count("row ") == 1


def test_what_follows_from_sums_is_not_said_again() -> None:
    """That the largest probability is 0.5 in many rows, and that the model is not sure enough."""
    labels, pred_probs = HEALTHY
    sure = np.where(pred_probs.max(axis=1, keepdims=True) > 0.7, pred_probs.round(), pred_probs)
    assert ((0.5 * sure).max(axis=1) == 0.5).sum() > 1000
    report = conflearn.check_inputs(labels, 0.5 * sure)
    assert report[0].name == "row_sums"
    assert not {"clipped_probabilities", "miscalibrated"} & set(report.names)
    # A row is no reason to be silent on the others.
    unsure = normalized(pred_probs**0.15)
    unsure[17] = 0
    assert found(labels, unsure) == {"miscalibrated": "note", "row_sums": "note"}


def test_rows_of_zeros_are_not_saturated() -> None:
    labels, pred_probs = HEALTHY
    empty = pred_probs.copy()
    empty[:400] = 0
    assert found(labels, empty) == {"row_sums": "warning"}
    assert "saturated_probabilities" not in conflearn.analyze(labels, empty).checks.names
    wide = np.concatenate([empty, np.zeros((N, 30))], axis=1)
    assert "saturated_probabilities" not in found(labels, wide)
    # What has probabilities, and 0 for the given class, still is.
    one_hot = np.eye(K)[pred_probs.argmax(axis=1)]
    misses = one_hot[np.arange(N), labels] == 0
    one_hot[:400] = 0
    saturated = the_only_named("saturated_probabilities", labels, one_hot)
    assert saturated.figures["n_rows_with_least"] == misses[400:].sum()


@pytest.mark.parametrize(
    "power",
    [0.15, 0.35],
)
def test_models_that_are_not_sure_enough(power: float) -> None:
    labels, pred_probs = HEALTHY
    assert found(labels, normalized(pred_probs**0.75)) == {}
    off = the_only_named("miscalibrated", labels, normalized(pred_probs**power))
    assert off.severity == "note"
    assert "not sure enough" in off.seen
    assert "temperature below 1" in off.what_to_do
    logits = np.log(pred_probs)
    by_temperature = the_only_named(
        "miscalibrated", labels, logits, kind="logits", temperature=1 / power
    )
    assert by_temperature.figures.keys() == off.figures.keys()
    assert by_temperature.figures["accuracy"] == off.figures["accuracy"]
    assert by_temperature.figures["calibration_error"] == pytest.approx(
        off.figures["calibration_error"]
    )


def test_models_that_are_too_sure() -> None:
    labels, pred_probs = model(noise=0.35)
    sure = normalized(pred_probs**8)
    off = the_only_named("miscalibrated", labels, sure)
    assert off.severity == "note"
    assert "too sure" in off.seen
    assert "temperature above 1" in off.what_to_do
    most, hit = sure.max(axis=1), sure.argmax(axis=1) == labels
    bins = np.minimum((most * 15).astype(int), 14)
    error = sum(abs(most[bins == i].sum() - hit[bins == i].sum()) for i in range(15)) / N
    assert off.figures["calibration_error"] == pytest.approx(error)


def test_zeros_of_narrow_numbers_are_found() -> None:
    labels, pred_probs = HEALTHY
    sharp = normalized(pred_probs**6)
    misses = pred_probs.argmax(axis=1) != labels
    narrow = sharp.astype(np.float16)
    n_zeros = int((narrow[np.arange(N), labels] == 0).sum())
    assert n_zeros > 0.1 * misses.sum()
    saturated = the_only_named("saturated_probabilities", labels, narrow)
    assert saturated.figures["n_rows_with_least"] == n_zeros
    assert saturated.figures["share_of_zeros"] == pytest.approx((narrow == 0).mean())
    assert "float32" in saturated.what_to_do
    assert "saturated_probabilities" not in found(labels, sharp)
    one_hot = np.eye(K)[pred_probs.argmax(axis=1)]
    assert the_only_named("saturated_probabilities", labels, one_hot).severity == "warning"
    logits = the_only_named(
        "saturated_probabilities", labels, 1e3 * np.log(pred_probs), kind="logits"
    )
    assert "temperature above 1" in logits.what_to_do


def test_clipped_probabilities_are_found() -> None:
    labels, pred_probs = HEALTHY
    least = normalized(pred_probs.clip(0.01, None)) - 0
    clipped = pred_probs.clip(0.01, 0.98)
    both = the_only_named("clipped_probabilities", labels, clipped)
    assert both.figures["least_of_given_class"] == 0.01
    assert both.figures["largest"] == 0.98
    assert both.figures["n_rows_with_largest"] == (clipped.max(axis=1) == 0.98).sum()
    assert "is 0.01 in" in both.seen
    assert "the largest one is 0.98 in" in both.seen
    assert "clipped_probabilities" not in found(labels, least)
    below = the_only_named("clipped_probabilities", labels, np.minimum(pred_probs, 0.9))
    assert (below.severity, below.figures["largest"]) == ("note", 0.9)
    two = np.stack([pred_probs[:, 0], 1 - pred_probs[:, 0]], axis=1)
    mostly = found((labels > 0).astype(int), two.clip(0.45, 0.55))
    assert mostly["clipped_probabilities"] == "warning"
