"""Classes without examples, or of other shares than the model gives them."""

import numpy as np
import numpy.typing as npt

from conflearn.checks.counted import Counted
from conflearn.checks.report import Finding

__all__ = ["absent_classes", "prior_shift", "rare_classes"]

#: With fewer examples than the usual number of folds, some model has seen none of the class.
_FEW = 5
#: Of the rows, that are taken for classes which nobody is given.
_TAKEN_FOR_ABSENT = 0.01
#: Of all probability, that lies in other classes than the labels have it.
_SHIFTED, _SHIFTED_FAR = 0.1, 0.25
_NAMED = 5


def absent_classes(counted: Counted) -> Finding | None:
    """Find classes that nobody is given."""
    absent = np.flatnonzero(counted.given_counts == 0)
    if not len(absent):
        return None
    n_taken = int(counted.predicted_counts[absent].sum())
    share = n_taken / counted.n_examples
    return Finding(
        "absent_classes",
        "warning" if share > _TAKEN_FOR_ABSENT else "note",
        f"no example is given {_classes(counted, absent)}, which the model takes {share:.1%} of "
        "the rows for",
        "a class without examples has no threshold, so no label is found that should be of it",
        "leave its column out if there can be no such example; else check that labels and columns "
        "are numbered alike",
        {
            "n_absent": len(absent),
            "n_predicted": n_taken,
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
    sums = counted.sums
    means = np.maximum(sums.means, 0)  # rounding may leave them below
    if not means.any():
        return None
    means, shares = means / means.sum(), counted.given_counts / counted.n_examples
    gaps = means - shares
    distance = float(np.abs(gaps).sum()) / 2
    # What two samples of the same shares lie apart, at most on average.
    noise = _spread(shares, counted.n_examples)
    if sums.n_rows < counted.n_examples:
        noise += _spread(means, sums.n_rows)
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
        "train on these shares, or without class weights; or multiply each column by the share of "
        "its class here over the share in training, and divide each row by its sum",
        {
            "distance": distance,
            "distance_by_chance": noise,
            "class": class_number,
            "share_of_labels": float(shares[class_number]),
            "share_of_probability": float(means[class_number]),
        },
    )


def _spread(shares: npt.NDArray[np.float64], n: int) -> float:
    return float(np.sqrt(shares * (1 - shares) / n).sum()) / 2


def _classes(counted: Counted, classes: npt.NDArray[np.int64]) -> str:
    """Name some classes."""
    named = ", ".join(counted.name(number) for number in classes[:_NAMED].tolist())
    if len(classes) == 1:
        return f"class {named}"
    more = f" and {len(classes) - _NAMED:,} more" if len(classes) > _NAMED else ""
    return f"{len(classes):,} classes ({named}{more})"
