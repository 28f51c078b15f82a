"""Labels and model that agree too well, or not at all."""

import math
from statistics import NormalDist

import numpy as np
import numpy.typing as npt

from conflearn.checks.counted import Counted
from conflearn.checks.report import Finding, Severity

__all__ = ["hopeless_model", "in_sample"]

Floats = npt.NDArray[np.float64]

#: Even of MNIST's test labels, 15 in 10,000 are wrong (Northcutt, Athalye and Mueller, "Pervasive
#: label errors in test sets destabilize machine learning benchmarks", NeurIPS 2021): a model that
#: has not seen the labels disagrees with more than this share of any labels that people gave.
_LEAST_MISSES = 0.001
#: How sure that must be.
_CHANCE = 0.001
#: By its own words a model is wrong in so many rows, or more often; nobody who has not seen the
#: labels is ten times better than he says in just the rows of which he doubts.
_DOUBTS = 10
#: Where so many cells are 0, as with nearest neighbours and trees, an example that a model has not
#: seen has its own share of zeros for the given class: in rows where another class is the most
#: probable one, no less than this. One that it has seen is its own neighbour.
_ZEROS = 0.1
#: Without a single disagreement in so many rows, 19 in 20 models would disagree with less than 1 %:
#: the rule of three.
_LEAST_ROWS = 300

#: Cohen's kappa, in which 0 is chance and 1 is perfect, of a model that is of no use. Up to 0.2 is
#: "slight" (Landis and Koch, Biometrics 33, 1977).
_LEAST_KAPPA = 0.1
#: Standard errors.
_ERRORS = 3
#: Of the log loss of the shares of the classes: with a loss above this, probabilities know nothing
#: else. Cross-validation alone takes it a little above 1.
_KNOWS_NOTHING = 0.99


def in_sample(counted: Counted) -> Finding | None:
    """Suspect a model that has seen the labels: it agrees with them too often."""
    n, n_misses = counted.n_examples, counted.n_misses
    at_most, expected = _at_most(n_misses), _doubts(counted)
    has_doubts = n_misses == 0 and expected > _DOUBTS * at_most
    # Where one class has nearly all rows, who always says so is hardly ever wrong.
    is_too_good = at_most <= (n - int(counted.given_counts.max(initial=0))) / _DOUBTS
    is_floored = _is_floored(counted)
    if is_floored or (is_too_good and (at_most < _LEAST_MISSES * n or has_doubts)):
        severity: Severity = "warning"
    elif is_too_good and n_misses == 0 and n >= _LEAST_ROWS:
        severity = "note"
    else:
        return None
    seen = f"the most probable class is the given one in {_all_but(n_misses, n)} rows"
    if is_floored:
        seen += (
            f", and in none of these it has a probability below {counted.least_own.value:.3g}, "
            f"though {counted.share_of_zeros:.0%} of all cells are 0"
        )
    elif has_doubts:
        seen += f", though by its probabilities it should be another one in about {expected:,.0f}"
    if counted.has_probabilities:
        seen += f"; the mean probability of the given class is {counted.self_confidence:.4f}"
    return Finding(
        "in_sample",
        severity,
        seen,
        "a model that was trained on an example has learned its label, the wrong one too, and "
        "then no wrong label shows",
        "was the model trained on these examples? If so, pass out-of-sample probabilities, such "
        "as cross_val_pred_probs gives; if not, the labels are this clean",
        {
            "n_disagreements": n_misses,
            "n_disagreements_at_most": at_most,
            "n_disagreements_expected": expected,
            "self_confidence": counted.self_confidence,
            "least_of_given_class": counted.least_own.value,
        },
    )


def hopeless_model(counted: Counted) -> Finding | None:
    """Find a model that says no more than what share each class has."""
    n, hits = counted.n_examples, counted.n_hits
    shares = counted.given_counts / max(n, 1)
    by_chance = float(shares @ counted.predicted_counts)
    if by_chance >= n or np.count_nonzero(counted.given_counts) < 2:  # noqa: PLR2004 - classes
        return None
    # One more than the variance: a few rows, of classes that nobody is taken for, prove nothing.
    error = math.sqrt(_variance_by_chance(counted) + 1)
    excess = hits - by_chance
    may_be_chance = excess <= _ERRORS * error
    is_useless = excess + _ERRORS * error < _LEAST_KAPPA * (n - by_chance)
    if not (may_be_chance and is_useless):
        return None
    loss, of_shares = counted.sums.log_loss, _loss_of_shares(counted)
    if counted.has_probabilities and loss < _KNOWS_NOTHING * of_shares:
        return None
    seen = (
        f"the most probable class is the given one in {hits / n:.1%} of the rows; if both had "
        f"nothing to do with each other, it would be so in {by_chance / n:.1%}"
    )
    figures = {"accuracy": hits / n, "accuracy_by_chance": by_chance / n}
    if counted.has_probabilities:
        seen += (
            f", and the log loss is {loss:.2f}, where the shares of the classes alone give "
            f"{of_shares:.2f}"
        )
        figures |= {"log_loss": loss, "log_loss_of_shares": of_shares}
    return Finding(
        "hopeless_model",
        # Scores can tell examples of a class apart even if one class is always the largest.
        "error" if counted.has_probabilities else "warning",
        seen,
        "what is flagged by a model that knows nothing of the classes is flagged at random",
        "check that rows of labels and of pred_probs belong to the same examples, in the same "
        "order, and that columns stand for these classes; else train a better model first",
        figures,
    )


def _variance_by_chance(counted: Counted) -> float:
    """Say how much the number of rows that agree varies if labels are dealt out anew.

    Not at all where the most probable class is always the same one.
    """
    n = counted.n_examples
    given = counted.given_counts.astype(np.float64)
    taken = counted.predicted_counts.astype(np.float64)
    both = given * taken
    own = float((both * (n - given) * (n - taken)).sum())
    of_pairs = max(float(both.sum()) ** 2 - float(both @ both), 0.0)
    return (own + of_pairs) / (n * n * max(n - 1, 1))


def _loss_of_shares(counted: Counted) -> float:
    """Find the log loss of a model that says the shares of the classes, in the rows looked at.

    Those among the other rows, to which half an example of each class is added (Krichevsky and
    Trofimov, 1981): of many classes and few rows, the shares of all rows fit their own labels far
    better than any other. No more than of a model that says the same of all classes.
    """
    counts, given = counted.sums.given_counts, counted.given_counts
    n_classes = counted.n_classes
    if not counts.any():  # of scores
        return 0.0
    is_there = counts > 0
    shares = (given[is_there] - 0.5) / (counted.n_examples - 1 + n_classes / 2)
    loss = float(-(counts[is_there] @ np.log(shares)) / counts.sum())
    return min(loss, math.log(n_classes))


def _at_most(n_events: int) -> float:
    """Bound the mean of a Poisson distribution that gave so many events.

    The approximation of Wilson and Hilferty (PNAS 17, 1931) to the exact limit of Garwood.
    """
    n = n_events + 1
    z = NormalDist().inv_cdf(1 - _CHANCE)
    return float(n * (1 - 1 / (9 * n) + z / (3 * math.sqrt(n))) ** 3)


def _is_floored(counted: Counted) -> bool:
    """Whether the model says 0 often, but never of the given class, which ends at a coarse number.

    Probabilities that were cut off have no zeros, and small ones that float16 took for 0 no number
    at which many others end.
    """
    return (
        counted.least_own.value > 0
        and counted.has_ties
        and counted.share_of_zeros >= _ZEROS
        and (1 - _ZEROS) ** counted.n_misses < _CHANCE
    )


def _doubts(counted: Counted) -> float:
    """Say how many rows the model expects to be wrong about, where it is at its surest in none.

    Who is never surer than 0.9 may have been trained to that, as by smoothed labels.
    """
    bins, most = counted.bins, counted.largest.value
    return float((bins.counts * np.maximum(most - bins.confidence, 0)).sum())


def _all_but(n_misses: int, n: int) -> str:
    return f"all {n:,}" if n_misses == 0 else f"all but {n_misses:,} of {n:,}"
