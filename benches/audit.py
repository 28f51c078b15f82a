"""Do the intervals of audits hold, and is the guarantee kept? Simulated reviews of known truth.

    python benches/audit.py                # 1,000 audits of each data set that it makes itself
    python benches/audit.py --data FOLDER  # and of .npz files: labels, pred_probs, true_labels
    python benches/audit.py --seed 1       # other data sets, and other draws
    python benches/audit.py --smoke        # does it run?

Each audit draws other rows. *Holds* is how often the truth lies in an interval of 95 percent: the
number of errors, and precision and recall if as many rows are flagged as are estimated to be wrong.
*Broken* is how often flags with at most 30 percent false alarms at 90 percent confidence had more.
"""

import argparse
from collections.abc import Iterator
from pathlib import Path

import numpy as np

import conflearn
from conflearn.errors import OptionError
from conflearn.reviews.plan import AuditPlan
from conflearn.reviews.strata import cut_strata, draw_cells, first_allocation
from known_truth import Reviewed, read
from markdown_table import markdown_table, verdict

#: An interval of 95 percent holds at least so often; a guarantee of 90 percent is broken no more.
COVERAGE_TARGET, BROKEN_TARGET = 0.93, 0.1
RATE, CONFIDENCE = 0.3, 0.9
N_ROWS = 20_000


def main() -> None:
    """Simulate all, and print a table."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--data", type=Path, help="a folder of .npz files")
    parser.add_argument("--smoke", action="store_true", help="few audits, to see that it runs")
    parser.add_argument("--audits", type=int, default=1000, help="of each data set")
    parser.add_argument("--seed", type=int, default=0, help="other data sets, and other draws")
    arguments = parser.parse_args()
    n_audits = 5 if arguments.smoke else arguments.audits
    rows = [
        simulated(data, n_reviews, n_audits, arguments.seed)
        for data in [*made(arguments.seed), *read(arguments.data)]
        for n_reviews in (100, 300)
    ]
    titles = ["data", "wrong", "reviews", "number holds", "target", "", "precision holds"]
    titles += ["recall holds", "mean error", "F1 of its cut to the best", "flags", "broken"]
    titles += ["target", ""]
    print(markdown_table(titles, rows))


def made(seed: int) -> Iterator[Reviewed]:
    """Make noise of some rates, and two models: one good, one weak."""
    for model, n_classes, certainty in (("good", 10, 4.0), ("weak", 10, 1.5), ("weak", 2, 1.0)):
        for share in (0.005, 0.02, 0.1, 0.4):
            rng = np.random.default_rng(7 + seed)
            true_labels = rng.integers(0, n_classes, N_ROWS)
            is_wrong = rng.random(N_ROWS) < share
            others = (true_labels + rng.integers(1, n_classes, N_ROWS)) % n_classes
            logits = (
                rng.normal(size=(N_ROWS, n_classes)) + certainty * np.eye(n_classes)[true_labels]
            )
            weights = np.exp(logits)
            pred_probs = weights / weights.sum(axis=1, keepdims=True)
            labels = np.where(is_wrong, others, true_labels)
            yield Reviewed(f"{model} model, {n_classes} classes", labels, pred_probs, is_wrong)


def simulated(data: Reviewed, n_reviews: int, n_audits: int, seed: int) -> list[str]:
    """Audit one data set again and again, and say how it went in a row of the table."""
    analysis = conflearn.analyze(data.labels, data.pred_probs)
    edges = cut_strata(len(data.labels), analysis.num_issues, n_reviews)
    counts = first_allocation(edges, analysis.num_issues, n_reviews).tolist()
    order = np.argsort(analysis.scores["self_confidence"], kind="stable")
    found = np.cumsum(data.is_wrong[order])
    n_wrong = int(found[-1])
    n_flagged = max(1, analysis.num_issues)
    f1 = 2 * found / (np.arange(1, len(found) + 1) + n_wrong)
    truths = n_wrong, found[n_flagged - 1] / n_flagged, found[n_flagged - 1] / n_wrong
    holds, errors, cuts = np.zeros(3), [], []
    n_certified = n_broken = 0
    for draw in range(seed * n_audits, (seed + 1) * n_audits):
        rng = np.random.default_rng(draw)
        positions, cells = draw_cells(edges, counts, rng)
        plan = AuditPlan(analysis, data.labels, draw, edges, cells, [positions])
        words = np.where(data.is_wrong[plan.rows], "wrong", "right").tolist()
        result = plan.result(dict(zip(plan.rows.tolist(), words, strict=True)))
        cut = result.at(n_flagged)
        intervals = result.num_errors_interval, cut.precision_interval, cut.recall_interval
        holds += [
            low <= truth <= high for truth, (low, high) in zip(truths, intervals, strict=True)
        ]
        errors.append(abs(result.num_errors - n_wrong) / n_wrong)
        n_best = result.best_cut.n_flagged
        cuts.append(f1[n_best - 1] / f1.max() if n_best else 0.0)
        try:
            mask = result.flag(RATE, confidence=CONFIDENCE)
        except OptionError:
            continue
        n_certified += 1
        n_broken += (~data.is_wrong[mask]).mean() > RATE
    number, precision, recall = holds / n_audits
    broken = n_broken / n_audits
    return [
        data.name,
        f"{n_wrong / len(data.labels):.1%}",
        f"{n_reviews}",
        f"{number:.1%}",
        f">= {COVERAGE_TARGET:.0%}",
        verdict(number, COVERAGE_TARGET, at_least=True),
        f"{precision:.1%}",
        f"{recall:.1%}",
        f"{np.mean(errors):.1%}",
        f"{np.mean(cuts):.1%}",
        f"{n_certified / n_audits:.0%}",
        f"{broken:.1%}",
        f"<= {BROKEN_TARGET:.0%}",
        verdict(broken, BROKEN_TARGET),
    ]


if __name__ == "__main__":
    main()
