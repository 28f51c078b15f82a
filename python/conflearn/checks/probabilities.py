"""Rows that do not sum to 1, and probabilities that are off or cut off."""

import numpy as np

from conflearn.checks.counted import OFF_BOUNDS, Counted
from conflearn.checks.report import Figure, Finding, Severity

__all__ = ["clipped_probabilities", "miscalibrated", "row_sums", "saturated_probabilities"]

#: Of `OFF_BOUNDS`: what float16 does to a row is less than the first, and what the second counts is
#: no rounding; a row that is off by the third has no probabilities, or lacks a class.
_ROUNDED, _OFF, _FAR_OFF = map(OFF_BOUNDS.index, (0.01, 0.05, 0.25))
#: Of the rows.
_MANY = 0.01

#: How far confidence and accuracy are apart, on average (expected calibration error).
_OFF_BY = 0.1
#: Standard errors of a bin that are not counted.
_ERRORS = 2

#: Of the rows that the model disagrees with: so many share the first place of the ranking.
_MOSTLY_TIED = 0.5
#: Probabilities that were cut off have no zeros; where there are so many, the numbers are coarse.
_ZEROS = 0.1
#: Rows with the same largest probability, at least.
_FEW = 10


def row_sums(counted: Counted) -> Finding | None:
    """Find rows that do not sum to 1."""
    sums = counted.sums
    n_off = [below + above for below, above in zip(sums.below, sums.above, strict=True)]
    share = n_off[_OFF] / max(sums.n_rows, 1)
    is_noted = n_off[_ROUNDED] > _MANY * sums.n_rows or n_off[_FAR_OFF] > 0
    if not is_noted:
        return None
    severity: Severity = "warning" if share > _MANY else "note"
    seen = (
        f"of {sums.n_rows:,} rows, the sums of {n_off[_ROUNDED]:,} are off 1 by more than "
        f"{OFF_BOUNDS[_ROUNDED]}, and {n_off[_OFF]:,} by more than {OFF_BOUNDS[_OFF]}"
    )
    figures: dict[str, Figure] = {
        "n_rows": sums.n_rows,
        "n_off_by_0.01": n_off[_ROUNDED],
        "n_off_by_0.05": n_off[_OFF],
        "n_off_by_0.25": n_off[_FAR_OFF],
    }
    if sums.extremes is not None:
        least, most = sums.extremes
        seen += f"; row {least.row} sums to {least.value:.4g}"
        if f"{most.value:.4g}" != f"{least.value:.4g}":
            seen += f", row {most.row} to {most.value:.4g}"
        figures |= {
            "least_sum": least.value,
            "row_of_least": least.row,
            "largest_sum": most.value,
            "row_of_largest": most.row,
        }
    return Finding(
        "row_sums",
        severity,
        seen,
        "the method takes cells as they are: a row of a smaller sum looks less sure of every class",
        "divide each row by its sum, and drop rows of zeros; of classes that are judged one by "
        "one, as by sigmoids, pass the logits with kind='logits', or use conflearn.multilabel if "
        "an example may have several",
        figures,
    )


def miscalibrated(counted: Counted) -> Finding | None:
    """Find that the model is right more often than it says, or less often."""
    counts, hits, confidence = counted.bins
    n = counted.n_examples
    accuracy = hits / np.maximum(counts, 1)
    gaps = accuracy - confidence
    error = float(counts @ np.abs(gaps)) / n
    # Within a bin, the share of hits has this standard error if the model is right about it.
    spread = np.sqrt(np.clip(confidence * (1 - confidence), 0, None) / np.maximum(counts, 1))
    beyond_chance = float(counts @ np.maximum(np.abs(gaps) - _ERRORS * spread, 0)) / n
    if beyond_chance < _OFF_BY:
        return None
    mean, right = float(counts @ confidence) / n, counted.n_hits / n
    is_overconfident = mean > right
    how = "too sure" if is_overconfident else "not sure enough"
    advice = "above 1" if is_overconfident else "below 1"
    return Finding(
        "miscalibrated",
        "note",
        f"the model is {how}: its largest probability is {mean:.2f} on average, and its class is "
        f"the given one in {right:.0%} of the rows; the expected calibration error is {error:.2f}",
        "thresholds and rankings go by how sure the model usually is, so little is lost; but the "
        "probabilities are no chances, and what takes them for such is off"
        + (". Of many wrong labels, a good model looks too sure too" if is_overconfident else ""),
        f"pass a temperature {advice} and class biases, which conflearn.fit_calibration finds; or "
        "calibrate the probabilities by examples that the model has not seen",
        {
            "calibration_error": error,
            "calibration_error_beyond_chance": beyond_chance,
            "mean_confidence": mean,
            "accuracy": right,
        },
    )


def saturated_probabilities(counted: Counted) -> Finding | None:
    """Find many given classes of probability 0, which no ranking tells apart."""
    if counted.least_own.value > 0 or not counted.has_ties:
        return None
    if counted.sums.n_sparse:
        advice = "store the probability of the given class in each row"
    elif counted.kind == "logits":
        advice = "pass logits that were not cut off, as float32, and a temperature above 1"
    else:
        advice = (
            "pass what was there before it was rounded: float32 in place of float16, or logits "
            "with kind='logits'; of neighbours and trees, take more of them"
        )
    most = counted.largest
    return Finding(
        "saturated_probabilities",
        _severity_of_ties(counted),
        f"in {counted.n_ties:,} rows the given class has the probability 0, of "
        f"{counted.n_misses:,} in which another class is the most probable one"
        + (f"; in {most.n_rows:,} the largest probability is 1" if most.value == 1 else ""),
        "these rows are tied at the head of the ranking, where it matters most",
        advice,
        _figures(counted),
    )


def clipped_probabilities(counted: Counted) -> Finding | None:
    """Find probabilities that were cut off at some number."""
    least, most = counted.least_own, counted.largest
    # A model that always says the same was not cut off.
    is_constant = (
        most.n_rows == counted.n_examples and counted.predicted_counts.max() == most.n_rows
    )
    if counted.share_of_zeros >= _ZEROS or is_constant:
        return None
    ends = []
    severity: Severity = "note"
    if least.value > 0 and counted.has_ties:
        ends.append(f"that of the given class is {least.value:.3g} in {least.n_rows:,} rows")
        severity = _severity_of_ties(counted)
    is_cut = most.value < 1 and not _is_all_of_its_row(counted)
    if is_cut and most.n_rows >= max(_FEW, _MANY * counted.n_examples):
        ends.append(f"the largest one is {most.value:.6g} in {most.n_rows:,} rows")
    if not ends:
        return None
    return Finding(
        "clipped_probabilities",
        severity,
        f"many probabilities are the same number: {', and '.join(ends)}",
        "rows that were cut off at the same number are tied, and the worst labels are among them",
        "pass the probabilities as they were before they were clipped; conflearn takes zeros and "
        "ones",
        _figures(counted),
    )


def _is_all_of_its_row(counted: Counted) -> bool:
    """Whether the largest probability is as large as any sum: rows were scaled, and not cut off."""
    sums = counted.sums.extremes
    return sums is not None and counted.largest.value >= (1 - OFF_BOUNDS[0]) * sums[1].value


def _severity_of_ties(counted: Counted) -> Severity:
    return "warning" if counted.share_of_ties >= _MOSTLY_TIED else "note"


def _figures(counted: Counted) -> dict[str, Figure]:
    return {
        "least_of_given_class": counted.least_own.value,
        "n_rows_with_least": counted.n_ties,
        "n_disagreements": counted.n_misses,
        "largest": counted.largest.value,
        "n_rows_with_largest": counted.largest.n_rows,
        "share_of_zeros": counted.share_of_zeros,
    }
