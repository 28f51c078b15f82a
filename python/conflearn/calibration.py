"""Calibration: the temperature and the class biases that make probabilities fit the labels."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, TypedDict

import numpy as np
import numpy.typing as npt

from conflearn import _core
from conflearn._coerce import as_pred_probs, as_sparse, widened
from conflearn._inputs import Meaning
from conflearn._names import Kind
from conflearn._runs import Path, Progress, read_or_open, reduced
from conflearn.errors import InputTypeError, OptionError, ProbabilityError, ShapeError
from conflearn.states.sample import SampleState

__all__ = ["Calibration", "Reliability", "calibrated", "fit_calibration"]


class Calibrating(TypedDict):
    """The options by which functions calibrate a matrix on the way."""

    temperature: float
    class_bias: npt.NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Reliability:
    """How well probabilities fit the given labels, by rows of equal confidence.

    A row's *confidence* is its largest probability; it is a *hit* where that is the given class's.

    Attributes
    ----------
    log_loss : float
        Mean of -ln P of the given class, in nats, of rows that are normalised first. Every 0
        counts as a tenth of the lowest probability above 0 that the given class of any row of the
        sample has, at most as 1 / (10 K); no given class counts as less than 1e-7.
    counts : ndarray of shape (15,), int64
        How many rows have a confidence from 0 to 1/15, from 1/15 to 2/15 and so on.
    confidences, accuracies : ndarray of shape (15,), float64
        The mean confidence and the share of hits among them; NaN where there is no row.
    """

    log_loss: float
    counts: npt.NDArray[np.int64]
    confidences: npt.NDArray[np.float64]
    accuracies: npt.NDArray[np.float64]

    @property
    def calibration_error(self) -> float:
        """Mean over all rows of how far confidence and hits of their bin differ, from 0 to 1.

        The expected calibration error of Naeini, Cooper, Hauskrecht: "Obtaining Well Calibrated
        Probabilities Using Bayesian Binning", AAAI 2015.
        """
        return self._mean(np.abs(self.confidences - self.accuracies))

    @property
    def confidence(self) -> float:
        """Mean confidence."""
        return self._mean(self.confidences)

    @property
    def accuracy(self) -> float:
        """Share of hits."""
        return self._mean(self.accuracies)

    def _mean(self, of_bins: npt.NDArray[np.float64]) -> float:
        """Over all rows; NaN if there is none."""
        is_used = self.counts > 0
        if not is_used.any():
            return math.nan
        return float(np.average(of_bins[is_used], weights=self.counts[is_used]))


@dataclass(frozen=True, eq=False, repr=False)
class Calibration:
    """What `fit_calibration` finds.

    Attributes
    ----------
    temperature : float
        What the logarithms of probabilities are divided by: above 1 where the model is too sure.
    class_bias : ndarray of shape (K,), float64
        What is added to them after that.
    kind : str
        Of what they are: "probabilities" or "logits".
    n_rows : int
        To how many rows they were fitted.
    before, after : Reliability
        Of these rows, as they are and calibrated. The fit has seen them: on other rows of the same
        kind, what is calibrated fits a little less well, with many classes and few rows above all.
    """

    temperature: float
    class_bias: npt.NDArray[np.float64]
    kind: Kind
    n_rows: int
    before: Reliability
    after: Reliability

    @property
    def options(self) -> Calibrating:
        """Both, for ``**calibration.options`` in any call that takes `pred_probs`."""
        return {"temperature": self.temperature, "class_bias": self.class_bias}

    def apply(self, pred_probs: object) -> npt.NDArray[np.float64]:
        """Compute the calibrated matrix; no function of conflearn needs it written out.

        Parameters
        ----------
        pred_probs : array_like of shape (n, K)
            In memory, and of the `kind` that this calibration was fitted to. Logits of two classes
            may have one column, or one dimension.

        Returns
        -------
        ndarray of shape (n, K), float64
            Rows that sum to 1; rows of zeros stay so.

        Raises
        ------
        InputError
            If there is another number of classes, or a cell is out of range.
        InputTypeError
            If the matrix is sparse, or cannot be read.

        Examples
        --------
        >>> import numpy as np, conflearn
        >>> pred_probs = np.tile([0.99, 0.01], (100, 1))
        >>> calibration = conflearn.fit_calibration([0] * 80 + [1] * 20, pred_probs)
        >>> calibration.apply([[0.99, 0.01], [0.5, 0.5]]).round(2)
        array([[0.8, 0.2],
               [0.5, 0.5]])
        """
        is_sparse = not isinstance(pred_probs, np.ndarray) and as_sparse(pred_probs) is not None
        if is_sparse:
            raise InputTypeError(
                "pred_probs is sparse, and the calibrated matrix would have all cells; pass "
                "temperature= and class_bias= (**calibration.options) to the function that takes "
                "it, or pass an array of all cells"
            )
        cells = as_pred_probs(pred_probs, kind=self.kind)
        n_classes = len(self.class_bias)
        if cells.shape[1] != n_classes:
            raise ShapeError(
                f"pred_probs must have a column for each of the {n_classes} classes that this "
                f"calibration was fitted to, but its shape is {cells.shape}"
            )
        self._check(cells)
        return calibrated(widened(cells), self.kind, self.temperature, self.class_bias)

    def _check(self, cells: npt.NDArray[Any]) -> None:
        """Have the core look at every cell, as it does where it computes with them."""
        nobody = np.zeros(len(cells), np.int64)
        matrix = Meaning(self.kind).of(cells)
        try:
            _core.label_quality_scores(nobody, matrix, "normalized_margin", "no", None, 0, None)
        except ProbabilityError as error:
            fault, advice, _ = str(error).partition("; pass kind=")
            if not advice:
                raise
            raise ProbabilityError(
                f"{fault}; this calibration was fitted to {self.kind}, so pass such, or fit one "
                "with another kind="
            ) from error

    def __repr__(self) -> str:
        before, after = self.before, self.after
        biases = self.class_bias
        lines = [
            (
                f"Calibration of {self.kind} of {len(biases):,} classes, fitted to "
                f"{self.n_rows:,} rows and measured on them"
            ),
            (
                f"  temperature {self.temperature:.3g}, class biases from {biases.min():.2f} to "
                f"{biases.max():.2f}"
            ),
            "                       before   after",
        ]
        figures: dict[str, Any] = {
            "log loss": "log_loss",
            "calibration error": "calibration_error",
            "mean confidence": "confidence",
            "agrees with labels": "accuracy",
        }
        lines += [
            f"  {name:<19} {getattr(before, of):>8.4f} {getattr(after, of):>7.4f}"
            for name, of in figures.items()
        ]
        return "\n".join(lines)


def fit_calibration(
    labels: object,
    pred_probs: object,
    *,
    kind: Kind = "probabilities",
    classes: Sequence[object] | None = None,
    n_threads: int | None = None,
    progress: Progress = None,
    checkpoint: Path | None = None,
) -> Calibration:
    """Find the temperature T and the class biases b that make probabilities fit the labels.

    Calibrated probabilities are proportional to ``pred_probs[i, k] ** (1 / T) * exp(b[k])``; of
    logits, to ``exp(logits[i, k] / T + b[k])``. Any function that takes `pred_probs` calibrates
    them on the way, without a second matrix, if it is called with ``temperature=`` and
    ``class_bias=``; but for those of `conflearn.multilabel`, where each tag is a problem of its
    own, to be calibrated by itself.

    Parameters
    ----------
    labels, pred_probs, classes, n_threads, progress, checkpoint
        As in `find_label_issues`.
    kind : {"probabilities", "logits"}
        What the cells of `pred_probs` are.

    Returns
    -------
    Calibration
        With ``temperature``, ``class_bias``, ``before`` and ``after``; ``options`` holds the first
        two, to be handed on.

    Raises
    ------
    InputError
        If shapes do not fit, or a label or a probability that is read is out of range.
    OptionError
        If cells are scores, which have no probabilities.

    Notes
    -----
    Fitted to a sample of at most 10,000 rows (fewer of more than 200 classes, at least 2,000, or
    what has 2^23 probabilities), the same for any threads, blocks and order of files: those whose
    numbers have the lowest hashes. It
    minimises the mean of -ln P of the given class, plus 0.0015 times the sum of the squared biases.
    The given labels are taken as they are, wrong ones too: so the calibrated probability is that of
    being *given* a class. T lies from 0.05 to 20, b from -5 to 5.

    References
    ----------
    Guo, Pleiss, Sun, Weinberger: On Calibration of Modern Neural Networks, ICML 2017.

    Examples
    --------
    >>> import numpy as np
    >>> import conflearn
    >>> labels = [0] * 80 + [1] * 20
    >>> pred_probs = np.tile([0.99, 0.01], (100, 1))
    >>> calibration = conflearn.fit_calibration(labels, pred_probs)
    >>> round(calibration.before.confidence, 2), round(calibration.after.confidence, 2)
    (0.99, 0.8)
    >>> conflearn.confident_thresholds(labels, pred_probs, **calibration.options).round(2)
    array([0.8, 0.2])
    """
    if kind == "scores":
        raise OptionError(
            "kind='scores' has no probabilities to calibrate; pass kind='logits' if the softmax of "
            "the cells is meant"
        )
    inputs = read_or_open(
        labels, pred_probs, classes, n_threads, kind, 1.0, progress=progress, checkpoint=checkpoint
    )
    empty = SampleState(inputs.n_classes, kind=inputs.kind)
    state: SampleState = reduced(inputs, "fit_calibration", empty)
    rows, temperature, class_bias = state.fit(inputs.n_threads)
    return Calibration(
        temperature,
        class_bias,
        state.kind,
        rows.n_rows,
        before=_reliability(rows, 1.0, None),
        after=_reliability(rows, temperature, class_bias),
    )


def calibrated(
    cells: npt.NDArray[np.float64],
    kind: Kind,
    temperature: float,
    class_bias: npt.NDArray[np.float64] | None,
) -> npt.NDArray[np.float64]:
    """Compute calibrated probabilities in numpy, where no sweep of the core does it."""
    with np.errstate(divide="ignore"):
        # What is below 0 by a rounding is 0.
        logs = cells if kind == "logits" else np.log(np.maximum(cells, 0))
    exponents = logs / temperature + (0.0 if class_bias is None else class_bias)
    largest = exponents.max(axis=1, keepdims=True, initial=-np.inf)
    powers = np.exp(exponents - np.where(np.isfinite(largest), largest, 0.0))
    sums = powers.sum(axis=1, keepdims=True)
    return np.asarray(powers / np.where(sums > 0, sums, 1.0))


def _reliability(
    rows: _core.Sample, temperature: float, class_bias: npt.NDArray[np.float64] | None
) -> Reliability:
    log_loss, counts, confidences, accuracies = rows.reliability(temperature, class_bias)
    return Reliability(log_loss, counts.astype(np.int64), confidences, accuracies)
