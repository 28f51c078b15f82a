"""Ensembles: what several models say together about each label, without stacking their matrices."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np
import numpy.typing as npt

from conflearn import _core
from conflearn._coerce import as_floats, one_of
from conflearn._inputs import Inputs, read_ensemble
from conflearn._names import CLASSIC_SCORES, WEIGHTINGS, ClassicScore, Kind, Weighting
from conflearn._options import read_adjustment
from conflearn.errors import InputError, OptionError, ProbabilityError, ShapeError

#: What the weights by log loss are searched among: models are weighed by exp(-t * loss).
_SHARPNESSES = (1e-4, 1e-3, 1e-2, 1e-1, 1e0, 1e1, 1e2, 2e2)
#: No probability is lower where its logarithm is taken.
_LOG_FLOOR = 1e-6


def ensemble_label_quality_scores(
    labels: object,
    pred_probs: object,
    *,
    weights: Weighting | object = "uniform",
    method: ClassicScore = "self_confidence",
    adjust_pred_probs: bool = False,
    kind: Kind = "probabilities",
    temperature: float = 1.0,
    class_bias: object = None,
    classes: Sequence[object] | None = None,
    n_threads: int | None = None,
) -> npt.NDArray[np.float64]:
    """Score each label by the weighted mean of its scores under several models.

    Parameters
    ----------
    labels, method, adjust_pred_probs, kind, temperature, class_bias, classes, n_threads
        As in `label_quality_scores`.
    pred_probs : list of M array_likes of shape (N, K), or array of shape (M, N, K)
        What each model says. Each is read where it lies, one after the other.
    weights : {"uniform", "accuracy", "log_loss"} or array_like of shape (M,)
        How much each model counts, see `ensemble_weights`.

    Returns
    -------
    ndarray of shape (N,), float64
        Scores in [0, 1] (of ``kind="scores"`` any numbers); lower is worse.

    Raises
    ------
    InputError
        If shapes do not fit, or a label or a probability that is read is out of range.
    OptionError
        If there is no such method or weighting, or it has no meaning for scores.

    See Also
    --------
    analyze : Takes a list of matrices too, and looks at their weighted mean.

    Examples
    --------
    >>> import conflearn
    >>> first = [[0.75, 0.25], [0.875, 0.125]]
    >>> second = [[0.25, 0.75], [0.875, 0.125]]
    >>> conflearn.ensemble_label_quality_scores([0, 1], [first, second])
    array([0.5  , 0.125])
    """
    score = one_of(method, CLASSIC_SCORES, "method")
    adjust = read_adjustment(adjust_pred_probs, score, "method")
    models = read_ensemble(labels, pred_probs, classes, n_threads, kind, temperature, class_bias)
    shares = read_weights(weights, models)
    total = np.zeros(models[0].n_examples)
    for number, ((given, matrix, threads), share) in enumerate(zip(models, shares, strict=True)):
        with _naming(number):
            total += share * _core.label_quality_scores(
                given, matrix, score, adjust, None, 0, threads
            )
    return total


def ensemble_weights(
    labels: object,
    pred_probs: object,
    *,
    by: Weighting = "accuracy",
    kind: Kind = "probabilities",
    temperature: float = 1.0,
    class_bias: object = None,
    classes: Sequence[object] | None = None,
    n_threads: int | None = None,
) -> npt.NDArray[np.float64]:
    """Say how much each of several models should count.

    Parameters
    ----------
    labels, kind, temperature, class_bias, classes, n_threads
        As in `label_quality_scores`.
    pred_probs : list of M array_likes of shape (N, K), or array of shape (M, N, K)
        What each model says.
    by : {"uniform", "accuracy", "log_loss"}, default "accuracy"
        - ``uniform``: all alike;
        - ``accuracy``: in proportion to the share of the labels that the model predicts;
        - ``log_loss``: in proportion to exp(-t * loss), where the loss of a model is the mean of
          -log(max(p_y, 1e-6)) over its self-confidences p_y, and t is the one of 1e-4, 1e-3, ...,
          1e2, 2e2 for which the weighted mean of the self-confidences has the least loss.

    Returns
    -------
    ndarray of shape (M,), float64
        Weights; they sum to 1.

    Raises
    ------
    InputError
        If shapes do not fit, or a label or a probability that is read is out of range.
    OptionError
        If there is no such weighting, or it has no meaning for scores.

    Examples
    --------
    >>> import conflearn
    >>> good = [[0.75, 0.25], [0.125, 0.875]]
    >>> poor = [[0.25, 0.75], [0.125, 0.875]]
    >>> conflearn.ensemble_weights([0, 1], [good, poor]).round(2)
    array([0.67, 0.33])
    """
    weighting = one_of(by, WEIGHTINGS, "by")
    models = read_ensemble(labels, pred_probs, classes, n_threads, kind, temperature, class_bias)
    return _weigh(weighting, models, "by")


def read_weights(weights: object, models: list[Inputs]) -> npt.NDArray[np.float64]:
    """Coerce weights, or compute those that a name stands for; they sum to 1."""
    if isinstance(weights, str):
        return _weigh(one_of(weights, WEIGHTINGS, "weights"), models, "weights")
    shares: npt.NDArray[Any] = as_floats(weights, "weights")
    if shares.shape != (len(models),):
        raise ShapeError(
            f"weights must have one entry for each of the {len(models)} matrices in pred_probs; "
            f"its shape is {shares.shape}"
        )
    for model, share in enumerate(shares):
        if not 0 <= share < np.inf:
            raise InputError(f"weights[{model}] is {share}, but must be finite and not negative")
    total = shares.sum()
    if total == 0:
        raise InputError("weights must not all be 0; some model has to count")
    return np.asarray(shares / total)


def _weigh(weighting: Weighting, models: list[Inputs], name: str) -> npt.NDArray[np.float64]:
    if weighting == "uniform":
        return np.full(len(models), 1 / len(models))
    if weighting == "accuracy":
        accuracies = np.zeros(len(models))
        for number, model in enumerate(models):
            with _naming(number):
                accuracies[number] = _core.accuracy(*model)
        total = accuracies.sum()
        if total == 0:
            raise OptionError(
                f"{name}='accuracy' needs a model that predicts some label, but none of them does; "
                "pass 'uniform', or check that the columns are in the order of the classes"
            )
        return np.asarray(accuracies / total)
    if any(model.kind == "scores" for model in models):
        raise OptionError(
            f"{name}='log_loss' needs probabilities, which kind='scores' does not give; pass "
            "'uniform' or 'accuracy'"
        )
    own = []
    for number, (given, matrix, threads) in enumerate(models):
        with _naming(number):
            own.append(
                _core.label_quality_scores(given, matrix, "self_confidence", "no", None, 0, threads)
            )
    return _weights_by_log_loss(own)


@contextmanager
def _naming(number: int) -> Iterator[None]:
    """Say which matrix is at fault, in the words that the core has for the mean of several."""
    try:
        yield
    except ProbabilityError as error:
        raise ProbabilityError(
            f"of the matrices in pred_probs, number {number} (from 0) is at fault: {error}"
        ) from error


def _weights_by_log_loss(own: list[npt.NDArray[np.float64]]) -> npt.NDArray[np.float64]:
    """Search the weights for which the weighted mean has the least loss; the first of equals."""
    losses = np.array([_log_loss(cells) for cells in own])
    # Less the least loss, so that not all weights vanish.
    candidates = [np.exp(-t * (losses - losses.min())) for t in _SHARPNESSES]
    candidates = [shares / shares.sum() for shares in candidates]

    def loss(shares: npt.NDArray[np.float64]) -> float:
        mean = np.zeros(len(own[0]))
        for share, cells in zip(shares, own, strict=True):
            mean += share * cells
        return _log_loss(mean)

    return min(candidates, key=loss)


def _log_loss(own: npt.NDArray[np.float64]) -> float:
    return float(-np.log(np.maximum(own, _LOG_FLOOR)).mean())
