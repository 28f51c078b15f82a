"""Weights for training: how much each example shall count, given what is known of the noise."""

from collections.abc import Iterator, Sequence
from typing import Any, cast

import numpy as np
import numpy.typing as npt

from conflearn._coerce import (
    Matrix,
    as_joint,
    as_joint_rows,
    as_labels,
    as_mask,
    first_out_of_range,
    one_of,
    readable_again,
    widened,
)
from conflearn._coerce.objects import Array
from conflearn._inputs import Inputs, Meaning, PredProbs, read_inputs
from conflearn._names import WEIGHT_MODES, Kind, WeightMode
from conflearn.analysis import analyze
from conflearn.calibration import calibrated
from conflearn.errors import LabelError, OptionError
from conflearn.issues import find_label_issues
from conflearn.noise_model import NoiseModel
from conflearn.quality import label_quality_scores

#: No kept example stands for more than a thousand.
_LOWEST_RATE = 1e-3

#: No label is given up altogether: of a class with such labels alone, nothing would be left.
_LOWEST_PROBABILITY = 1e-3

#: Of the largest: what the noise has wiped out further than that cannot be told from rounding.
_LOWEST_SINGULAR_VALUE = 1e-6

#: Rows are weighted a block at a time, so that nothing of the size of the matrix is made.
_CELLS_PER_BLOCK = 1 << 20


def sample_weights(
    labels: object,
    pred_probs: object = None,
    *,
    mode: WeightMode = "hard",
    noise_model: NoiseModel | None = None,
    mask: object = None,
    kind: Kind = "probabilities",
    temperature: float = 1.0,
    class_bias: object = None,
    classes: Sequence[object] | None = None,
    n_threads: int | None = None,
) -> npt.NDArray[np.float64]:
    """Weigh each example for training on noisy labels.

    Parameters
    ----------
    labels : array_like of shape (N,)
        Given labels: integers 0..K-1, or names together with `classes`.
    pred_probs : array_like of shape (N, K), or NoiseModel
        Out-of-sample predicted probabilities, see `find_label_issues`. A `NoiseModel` in their
        place is enough for ``mode="hard"``; it may also be given as `noise_model`.
    mode : {"hard", "soft", "importance"}, default "hard"
        With k the given class of an example x:

        - ``hard``: 0 for examples to prune, for others 1 / max(P(given = k | true = k), 1e-3): how
          many examples of the true class k a kept one stands for;
        - ``soft``: P(true = k | given = k, x), the probability that the label is right, but at
          least 1e-3: nothing is pruned;
        - ``importance``: that divided by max(P(given = k | true = k), 1e-3), the ratio of
          P(true = k | x) to P(given = k | x). Training with it is training on true labels, as far
          as the estimates are right.
    noise_model : NoiseModel, optional
        The noise rates, such as `estimate_noise_model` gives them; by default those of the data.
    mask : array_like of shape (N,), bool, optional
        The examples to prune, for ``hard``; by default those that `find_label_issues` flags, or
        none where there are no `pred_probs`.
    kind, temperature, class_bias
        What `pred_probs` holds, as in `find_label_issues`. Scores do for ``hard`` alone.
    classes : sequence of K names, optional
        What the columns of `pred_probs` stand for, when `labels` holds names.
    n_threads : int, optional
        Number of threads, at most 1024; by default `conflearn.n_threads()`.

    Returns
    -------
    ndarray of shape (N,), float64
        From 1e-3 to 1 for ``soft``, from 1e-3 to 1000 for ``importance``; for ``hard`` 0, or from
        1 to 1000.

    Raises
    ------
    InputError
        If shapes do not fit, or a label, a probability or a rate is out of range.
    OptionError
        If there is no such mode, or it lacks `pred_probs` or probabilities, or it does not use
        `mask`.

    See Also
    --------
    CleanLearning : Finds the issues, weighs and trains.

    References
    ----------
    Northcutt, Jiang, Chuang: Confident Learning, JAIR 70 (2021), for ``hard``.
    Liu, Tao: Classification with Noisy Labels by Importance Reweighting, IEEE TPAMI 38 (2016), for
    ``importance`` with two classes. For more, the inverse of the noise matrix takes the part that
    it has in Patrini, Rozza, Menon, Nock, Qu: Making Deep Neural Networks Robust to Label Noise,
    CVPR 2017.

    Examples
    --------
    >>> import conflearn
    >>> labels = [0, 0, 0, 1, 1]
    >>> pred_probs = [[0.9, 0.1], [0.8, 0.2], [0.2, 0.8], [0.3, 0.7], [0.1, 0.9]]
    >>> conflearn.sample_weights(labels, pred_probs)
    array([1. , 1. , 0. , 1.5, 1.5])
    >>> conflearn.sample_weights(labels, pred_probs, mode="soft").round(3)
    array([0.944, 0.875, 0.001, 1.   , 1.   ])
    """
    one_of(mode, WEIGHT_MODES, "mode")
    if isinstance(pred_probs, NoiseModel):
        if noise_model is not None:
            raise OptionError(
                "noise_model is given twice, by its name and in place of pred_probs; leave one out"
            )
        pred_probs, noise_model = None, pred_probs
    how: dict[str, Any] = {
        "kind": kind,
        "temperature": temperature,
        "class_bias": class_bias,
        "n_threads": n_threads,
    }
    if pred_probs is None:
        if mode != "hard":
            raise OptionError(
                f"mode={mode!r} needs pred_probs, of shape (N, K): it asks of each example how "
                "likely its label is right; pass them, or mode='hard'"
            )
        return _by_class(labels, noise_model, mask, classes)
    if mode != "hard" and mask is not None:
        raise OptionError(
            f"mode={mode!r} does not use mask, for it prunes nothing; leave it out, or pass "
            "mode='hard'"
        )
    if mode != "hard" and kind == "scores":
        raise OptionError(
            f"mode={mode!r} needs probabilities or logits, which scores are not; pass mode='hard', "
            "or calibrate the classifier"
        )
    inputs = read_inputs(labels, pred_probs, classes, n_threads, kind, temperature, class_bias)
    given, matrix = inputs.labels, _matrix_of(inputs)
    if mode != "hard" and not isinstance(matrix, np.ndarray):
        raise OptionError(
            f"mode={mode!r} weighs all cells of a row, of which sparse pred_probs store a few; "
            "pass mode='hard', or an array of all cells"
        )
    if noise_model is not None:
        noise = _noise_matrix(noise_model, inputs.n_classes)
    else:
        analysis = analyze(given, readable_again(matrix), **how)
        noise = analysis.noise_model.noise_matrix
    if mode == "hard":
        if mask is not None:
            flagged = as_mask(mask, len(given))
        elif noise_model is None:
            flagged = analysis.mask
        else:
            flagged = find_label_issues(given, readable_again(matrix), **how)
        return np.where(flagged, 0, 1 / _rates(noise)[given])
    if noise_model is not None:
        # Every cell is looked at below, where nothing is checked: the core's sweep does that.
        label_quality_scores(given, readable_again(matrix), method="normalized_margin", **how)
    if not isinstance(noise, np.ndarray):
        raise OptionError(
            f"mode={mode!r} inverts the noise matrix, which of {inputs.n_classes:,} classes takes "
            "too much memory; pass mode='hard'"
        )
    cells = cast("Array", matrix)  # others were refused above
    weights = _probability_right(given, cells, noise, inputs.meaning)
    return weights / _rates(noise)[given] if mode == "importance" else weights


def _by_class(
    labels: object,
    noise_model: NoiseModel | None,
    mask: object,
    classes: Sequence[object] | None,
) -> npt.NDArray[np.float64]:
    """Weigh examples of which nothing is known but their class, and whom to prune."""
    if noise_model is None:
        raise OptionError(
            "pred_probs or noise_model is needed to know the noise rates, but both are missing"
        )
    noise = _noise_matrix(noise_model)
    weights = 1 / _rates(noise)[_labels_in(noise, labels, classes)]
    return weights if mask is None else np.where(as_mask(mask, len(weights)), 0, weights)


def _rates(noise: Array) -> Array:
    """P(given = k | true = k), as large as a weight may be divided by."""
    return np.maximum(noise.diagonal(), _LOWEST_RATE)


def _probability_right(
    given: Array, matrix: Array, noise: Array, meaning: Meaning
) -> npt.NDArray[np.float64]:
    """P(true = k | given = k, x) of each example, by Bayes.

    P(given = k | true = k) P(true = k | x) / P(given = k | x), where the last is what the model
    estimates, and P(true | x) follows from it by the inverse of the noise matrix. That takes one
    row of the inverse an example. A class that nobody truly is leaves the matrix without an
    inverse, hence the pseudo-inverse, which gives it no probability.
    """
    inverse = np.linalg.pinv(noise, rcond=_LOWEST_SINGULAR_VALUE)
    weights = np.zeros(len(given))
    for rows in _blocks(matrix):
        block, y = widened(matrix[rows]), given[rows]
        if not meaning.is_plain:
            block = calibrated(block, *meaning)
        own = block[np.arange(len(y)), y]
        true = np.einsum("ij,ij->i", block, inverse[y])
        np.divide(noise.diagonal()[y] * true, own, out=weights[rows], where=own > 0)
    return np.clip(weights, _LOWEST_PROBABILITY, 1, out=weights)


def _matrix_of(inputs: Inputs) -> Matrix:
    """Return the one matrix, whatever its kind."""
    matrix = inputs.pred_probs
    return matrix.members[0] if isinstance(matrix, PredProbs) else matrix


def _blocks(matrix: Array) -> Iterator[slice]:
    n_examples, n_classes = matrix.shape
    step = max(1, _CELLS_PER_BLOCK // n_classes)
    for start in range(0, n_examples, step):
        yield slice(start, start + step)


def _noise_matrix(noise_model: object, n_classes: int | None = None) -> Array:
    if not isinstance(noise_model, NoiseModel):
        raise OptionError(
            f"noise_model must be a NoiseModel, but is of type {type(noise_model).__name__}; pass "
            "what estimate_noise_model returns, or conflearn.NoiseModel(prior, noise_matrix, "
            "inverse_noise_matrix)"
        )
    matrix, name = noise_model.noise_matrix, "noise_model.noise_matrix"
    if as_joint_rows(matrix, n_classes, name=name) is not None:
        return matrix  # scipy's, which has a diagonal too
    return as_joint(matrix, n_classes, name=name)


def _labels_in(noise: Array, labels: object, classes: Sequence[object] | None) -> Array:
    """Read labels that no matrix of probabilities goes with: the rates say how many classes."""
    n_classes = noise.shape[0]
    given = as_labels(labels, n_classes, classes=classes, columns_of="noise_model.noise_matrix")
    row = first_out_of_range(given, n_classes)
    if row is not None:
        raise LabelError(
            f"labels must be integers from 0 to {n_classes - 1} (noise_model has {n_classes} "
            f"classes), but labels[{row}] is {given[row]}; if your labels are names or do not "
            "start at 0, pass classes=[...] naming the classes in order"
        )
    return given
