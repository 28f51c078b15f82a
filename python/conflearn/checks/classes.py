"""Classes without examples, or of other shares than the model gives them."""

import math

import numpy as np
import numpy.typing as npt

from conflearn.checks.counted import Counted
from conflearn.checks.report import Finding

__all__ = ["absent_classes", "prior_shift", "rare_classes"]

Floats = npt.NDArray[np.float64]

#: With fewer examples than the usual number of folds, some model has seen none of the class.
_FEW = 5
#: Of the rows, that are taken for classes which nobody is given.
_TAKEN_FOR_ABSENT = 0.01
#: Of all probability, that lies in other classes than the labels have it.
_SHIFTED, _SHIFTED_FAR = 0.1, 0.25
#: Nothing is concluded from the shares of the classes in fewer: only here are two standard errors
#: of a share never more than `_SHIFTED`.
_LEAST_ROWS = 100
#: That labels which the model is right about look as if it were not.
_CHANCE = 0.001
_NAMED = 5


def absent_classes(counted: Counted) -> Finding | None:
    """Find classes that nobody is given."""
    absent = np.flatnonzero(counted.given_counts == 0)
    if not len(absent):
        return None
    n = counted.n_examples
    n_taken = int(counted.predicted_counts[absent].sum())
    n_expected = n * _shares_of_model(counted)[absent]
    # By Poisson's distribution, shared out over all classes.
    is_missed = n_expected > math.log(counted.n_classes / _CHANCE)
    n_missed = int(counted.predicted_counts[absent[is_missed]].sum())
    is_warning = n >= _LEAST_ROWS and n_missed > _TAKEN_FOR_ABSENT * n
    return Finding(
        "absent_classes",
        "warning" if is_warning else "note",
        f"no example is given {_classes(counted, absent)}, which the model takes {n_taken / n:.1%} "
        "of the rows for",
        "a class without examples has no threshold, so the confident joint counts no label that "
        "should be of it; predicted_neq_given, relative_confidence and noise_floor need none, and "
        "weigh it",
        "leave its column out if there can be no such example; else check that labels and columns "
        "are numbered alike",
        {
            "n_absent": len(absent),
            "n_predicted": n_taken,
            "n_expected": float(n_expected.sum()),
            "absent": absent[:_NAMED].tolist(),
        },
    )


def rare_classes(counted: Counted) -> Finding | None:
    """Find classes that hardly anybody is given."""
    counts = counted.given_counts
    rare = np.flatnonzero((counts > 0) & (counts < _FEW))
    if not len(rare):
        return None
    return Finding(
        "rare_classes",
        "note",
        f"fewer than {_FEW} examples are given {_classes(counted, rare)}",
        "thresholds of such classes rest on a few rows, and in cross-validation some model has "
        "hardly seen the class",
        "do not trust what is said of them; join them with others, or look at their examples",
        {
            "n_rare": len(rare),
            "n_examples": int(counts[rare].sum()),
            "rare": rare[:_NAMED].tolist(),
        },
    )


def prior_shift(counted: Counted) -> Finding | None:
    """Find that the model gives classes other shares than the labels do."""
    n, n_sampled = counted.n_examples, counted.sums.n_rows
    if n < _LEAST_ROWS or not counted.sums.means.any():
        return None
    means, shares = _shares_of_model(counted), counted.given_counts / n
    gaps = means - shares
    distance = float(np.abs(gaps).sum()) / 2
    # What labels lie apart from these means that are drawn by the probabilities of their rows.
    noise = _apart_by_chance(means, n)
    if n_sampled < n:
        noise += _apart_by_chance(means, n_sampled)
    if distance - noise < _SHIFTED:
        return None
    class_number = int(np.abs(gaps).argmax())
    return Finding(
        "prior_shift",
        "warning" if distance - noise >= _SHIFTED_FAR else "note",
        f"{distance:.0%} of the probability lies in other classes than the labels do; "
        f"{counted.name(class_number)} is given to {shares[class_number]:.1%} of the rows, and has "
        f"{means[class_number]:.1%} of the probability",
        "a model that was trained on classes of other shares is too sure of some and too unsure of "
        "others; thresholds make up for a part of that only",
        "train on these shares, or without class weights; or pass class_bias = ln(share here / "
        "share in training), a number for each class, and the probabilities are those of a model "
        "that was trained on these shares",
        {
            "distance": distance,
            "distance_by_chance": noise,
            "class": class_number,
            "share_of_labels": float(shares[class_number]),
            "share_of_probability": float(means[class_number]),
        },
    )


def _shares_of_model(counted: Counted) -> Floats:
    """Say what share each class has by the model: its mean probability, or how often it is first.

    The latter of scores, which have no mean.
    """
    means = np.maximum(counted.sums.means, 0)  # rounding may leave them below
    if not means.any():
        means = counted.predicted_counts.astype(np.float64)
    shares: Floats = means / means.sum()
    return shares


def _apart_by_chance(shares: Floats, n: int) -> float:
    """Bound the distance between these shares and those of a sample.

    The mean is no more than half the sum of the standard errors, of any number of classes. A row
    moves the distance by no more than 1 / n, so it exceeds its mean by what is added here with no
    more than `_CHANCE` (McDiarmid, "On the method of bounded differences", 1989).
    """
    mean = float(np.sqrt(shares * (1 - shares) / n).sum()) / 2
    return mean + math.sqrt(math.log(1 / _CHANCE) / (2 * n))


def _classes(counted: Counted, classes: npt.NDArray[np.int64]) -> str:
    """Name some classes."""
    named = ", ".join(counted.name(number) for number in classes[:_NAMED].tolist())
    if len(classes) == 1:
        return f"class {named}"
    more = f" and {len(classes) - _NAMED:,} more" if len(classes) > _NAMED else ""
    return f"{len(classes):,} classes ({named}{more})"
