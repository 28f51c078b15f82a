"""Labels and matrix of one call, or labels and joint, as the core reads them."""

from collections.abc import Iterable, Sequence
from functools import cached_property
from typing import Any, NamedTuple, cast

import numpy as np
import numpy.typing as npt

from conflearn import _core
from conflearn._coerce import (
    CompressedRows,
    Matrix,
    Tags,
    as_class_bias,
    as_joint,
    as_joint_rows,
    as_labels,
    as_n_threads,
    as_positive,
    as_pred_probs,
    as_sparse,
    as_tags,
    first_out_of_range,
    one_of,
)
from conflearn._names import KINDS, Kind
from conflearn._reduce import Filled, once
from conflearn.errors import InputError, InputTypeError, LabelError, OptionError, ShapeError

__all__ = [
    "Inputs",
    "JointAndCounts",
    "Meaning",
    "PredProbs",
    "TagInputs",
    "as_any_joint",
    "is_ensemble",
    "read_ensemble",
    "read_inputs",
    "read_joint",
    "read_joint_and_labels",
    "read_kind_of_tags",
    "read_meaning",
    "read_tag_inputs",
    "read_true_labels",
    "weighted_mean",
    "with_counts",
]


class PredProbs(NamedTuple):
    """A matrix of which there is more to say than that it holds probabilities."""

    #: All of one shape. Of several matrices the weighted mean is meant.
    members: tuple[Matrix, ...]
    weights: tuple[float, ...]
    kind: Kind
    temperature: float
    #: What is added to the logarithm of each class's probability; None if nothing is.
    class_bias: npt.NDArray[np.float64] | None = None

    @property
    def shape(self) -> tuple[int, int]:
        """N and K."""
        n_examples, n_classes = self.members[0].shape
        return n_examples, n_classes


class Meaning(NamedTuple):
    """What the cells of a matrix are, and how they become the probabilities that are looked at."""

    kind: Kind = "probabilities"
    temperature: float = 1.0
    class_bias: npt.NDArray[np.float64] | None = None

    @property
    def is_plain(self) -> bool:
        """Whether cells are probabilities as they are."""
        return self.kind == "probabilities" and self.temperature == 1 and self.class_bias is None

    def of(self, matrix: Matrix) -> "Matrix | PredProbs":
        """Return a matrix of this meaning, as the core takes it."""
        return matrix if self.is_plain else PredProbs((matrix,), (1.0,), *self)

    def same(self, other: "Meaning") -> bool:
        """Whether two are equal; arrays cannot be asked with ``==``."""
        return self[:2] == other[:2] and np.array_equal(_biases(self), _biases(other))

    def spelled(self) -> str:
        """Spell it, for messages."""
        biases = "" if self.class_bias is None else " and a class_bias"
        return f"kind={self.kind!r} and temperature={self.temperature}{biases}"


def _biases(meaning: Meaning) -> npt.NDArray[np.float64]:
    return np.empty(0) if meaning.class_bias is None else meaning.class_bias


class _Parts(NamedTuple):
    labels: npt.NDArray[Any]
    pred_probs: Matrix | PredProbs
    n_threads: int | None


class Inputs(_Parts):
    """What every function that reads the matrix hands to the core."""

    @property
    def kind(self) -> Kind:
        """What the cells of the matrix are."""
        return getattr(self.pred_probs, "kind", "probabilities")

    @property
    def meaning(self) -> Meaning:
        """What they are, and how they are calibrated, as the core has it.

        The mean of several matrices of probabilities or logits is one of probabilities.
        """
        matrix = self.pred_probs
        if not isinstance(matrix, PredProbs):
            return Meaning()
        if len(matrix.members) > 1:
            return Meaning("scores" if matrix.kind == "scores" else "probabilities")
        return Meaning(matrix.kind, matrix.temperature, matrix.class_bias)

    def reduce(self, state: Any) -> Any:
        """Feed all rows to an empty state, as a run over blocks does."""
        return once(self._feed, self._filled)(state)

    @cached_property
    def _filled(self) -> Filled:
        # States know nothing of the arrays: so nothing here keeps those of the caller alive.
        return {}

    def _feed(self, state: Any) -> Any:
        state.update_with(self)
        return state

    @property
    def n_examples(self) -> int:
        """N."""
        return int(self.pred_probs.shape[0])

    @property
    def n_classes(self) -> int:
        """K."""
        return int(self.pred_probs.shape[1])


class TagInputs(NamedTuple):
    """The same of multi-label data."""

    tags: Tags
    pred_probs: npt.NDArray[Any] | PredProbs
    n_threads: int | None

    @property
    def kind(self) -> Kind:
        """What the cells of the matrix are."""
        return getattr(self.pred_probs, "kind", "probabilities")

    @property
    def n_examples(self) -> int:
        """N."""
        return int(self.pred_probs.shape[0])

    @property
    def n_classes(self) -> int:
        """K."""
        return int(self.pred_probs.shape[1])


class JointAndCounts(NamedTuple):
    """A joint, and how many examples are given each of its classes."""

    joint: npt.NDArray[np.float64] | CompressedRows
    counts: npt.NDArray[np.int64]


def read_inputs(
    labels: object,
    pred_probs: object,
    classes: Sequence[object] | None,
    n_threads: object,
    kind: object = "probabilities",
    temperature: object = 1.0,
    class_bias: object = None,
    *,
    classes_as: str = "classes",
) -> Inputs:
    """Coerce the arguments that these calls share; messages call the third ``classes_as``."""
    meaning = read_meaning(kind, temperature, class_bias)
    array = _as_matrix(pred_probs, meaning.kind)
    n_examples, n_classes = array.shape
    given = as_labels(
        labels, n_classes, n_examples=n_examples, classes=classes, classes_as=classes_as
    )
    return Inputs(given, meaning.of(array), as_n_threads(n_threads))


def read_tag_inputs(
    labels: object,
    pred_probs: object,
    classes: Sequence[object] | None,
    n_threads: object,
    kind: object,
    temperature: object,
) -> TagInputs:
    """Coerce the same arguments of multi-label data."""
    meaning = read_kind_of_tags(kind, temperature)
    array = as_pred_probs(pred_probs, kind=meaning.kind, of_tags=True)
    n_examples, n_classes = array.shape
    tags = as_tags(labels, n_classes, n_examples=n_examples, classes=classes)
    matrix = array if meaning.is_plain else PredProbs((array,), (1.0,), *meaning)
    return TagInputs(tags, matrix, as_n_threads(n_threads))


def read_ensemble(
    labels: object,
    pred_probs: object,
    classes: Sequence[object] | None,
    n_threads: object,
    kind: object,
    temperature: object,
    class_bias: object = None,
) -> list[Inputs]:
    """Coerce several matrices, each with the same labels."""
    if not is_ensemble(pred_probs):
        raise ShapeError(
            "pred_probs must be a list of matrices, one a model, each with a row for each example "
            "and a column for each class; for a single matrix there is label_quality_scores"
        )
    meaning = read_meaning(kind, temperature, class_bias)
    named = enumerate(cast("Sequence[object]", pred_probs))
    matrices = [_as_matrix(one, meaning.kind, f"pred_probs[{i}]") for i, one in named]
    shape = n_examples, n_classes = matrices[0].shape
    for i, matrix in enumerate(matrices):
        if matrix.shape != shape:
            raise ShapeError(
                f"all matrices in pred_probs must have the same shape, but pred_probs[0] has "
                f"{shape} and pred_probs[{i}] has {matrix.shape}"
            )
    given = as_labels(labels, n_classes, n_examples=n_examples, classes=classes)
    threads = as_n_threads(n_threads)
    return [Inputs(given, PredProbs((matrix,), (1.0,), *meaning), threads) for matrix in matrices]


def weighted_mean(models: Sequence[Inputs], weights: Iterable[float]) -> Inputs:
    """Make the inputs of which the matrix is the weighted mean, without computing it."""
    labels, _, n_threads = models[0]
    matrices = [cast("PredProbs", model.pred_probs) for model in models]
    members = tuple(member for matrix in matrices for member in matrix.members)
    for i, member in enumerate(members):
        if not isinstance(member, np.ndarray):
            raise InputTypeError(
                f"pred_probs[{i}] is sparse, but the mean of several matrices has all cells; "
                "look at each by itself, or pass dense arrays"
            )
    shares = tuple(map(float, weights))
    return Inputs(labels, matrices[0]._replace(members=members, weights=shares), n_threads)


def _as_matrix(pred_probs: object, kind: Kind, name: str = "pred_probs") -> Matrix:
    """Coerce a matrix, dense or sparse, unless it is still in a file."""
    if isinstance(pred_probs, _core.FileRows):
        return pred_probs
    sparse = as_sparse(pred_probs, kind=kind, name=name)
    return as_pred_probs(pred_probs, kind=kind, name=name) if sparse is None else sparse


def is_ensemble(pred_probs: object) -> bool:
    """Whether this is a list of matrices, rather than one of rows."""
    if isinstance(pred_probs, np.ndarray):
        return pred_probs.ndim == 3 and len(pred_probs) > 0  # noqa: PLR2004 - (models, N, K)
    return isinstance(pred_probs, list | tuple) and bool(pred_probs) and _is_matrix(pred_probs[0])


def _is_matrix(value: object) -> bool:
    if isinstance(value, list | tuple):
        first = value[0] if value else None
        return isinstance(first, list | tuple) or len(getattr(first, "shape", ())) == 1
    return len(getattr(value, "shape", ())) == 2  # noqa: PLR2004 - (N, K)


def read_meaning(kind: object, temperature: object, class_bias: object = None) -> Meaning:
    """Coerce what the cells of a matrix are, and how they are calibrated."""
    meant = one_of(kind, KINDS, "kind")
    divisor = as_positive(temperature, "temperature")
    # As the core has it, which would print all digits of another one.
    if not 1e-30 <= divisor <= 1e30:  # noqa: PLR2004
        raise OptionError(
            f"temperature must lie between 1e-30 and 1e30, but is {divisor:g}; 1 leaves the cells "
            "as they are"
        )
    if meant == "scores" and (divisor != 1 or class_bias is not None):
        name = "temperature" if divisor != 1 else "class_bias"
        raise OptionError(
            f"kind='scores' does not use {name}, by which probabilities and logits are calibrated; "
            "leave it out, or pass kind='logits'"
        )
    return Meaning(meant, divisor, None if class_bias is None else as_class_bias(class_bias))


def read_kind_of_tags(kind: object, temperature: object) -> Meaning:
    """Coerce the same of multi-label data, where each class is a problem of its own."""
    meaning = read_meaning(kind, temperature)
    if meaning.kind != "logits" and meaning.temperature != 1:
        raise OptionError(
            f"kind={meaning.kind!r} does not use temperature, by which logits are divided; leave "
            "it out, or pass kind='logits'"
        )
    return meaning


def as_any_joint(
    confident_joint: object, n_classes: int | None = None
) -> npt.NDArray[np.float64] | CompressedRows:
    """Coerce a joint, dense or sparse as it is."""
    rows = as_joint_rows(confident_joint, n_classes)
    return as_joint(confident_joint, n_classes) if rows is None else rows


def read_joint(confident_joint: object, inputs: Inputs) -> JointAndCounts:
    """Coerce a joint that goes with labels and matrix."""
    joint = as_any_joint(confident_joint, inputs.n_classes)
    return with_counts(joint, _core.label_counts(inputs.labels, inputs.n_classes))


def read_joint_and_labels(
    confident_joint: object,
    labels: object,
    classes: Sequence[object] | None,
    *,
    classes_as: str = "classes",
) -> JointAndCounts:
    """Coerce a joint that goes with labels alone: it says how many classes there are."""
    joint = as_any_joint(confident_joint)
    n_classes = joint.shape[0]
    given = as_labels(
        labels,
        n_classes,
        classes=classes,
        columns_of="confident_joint",
        classes_as=classes_as,
    )
    row = first_out_of_range(given, n_classes)
    if row is not None:
        raise LabelError(
            f"labels must be integers from 0 to {n_classes - 1} (confident_joint has {n_classes} "
            f"columns), but labels[{row}] is {given[row]}; if your labels are names or do not "
            f"start at 0, pass {classes_as}=[...] naming the columns in order"
        )
    return with_counts(joint, _core.label_counts(given, n_classes))


def read_true_labels(
    true_labels: object, n_classes: int, classes: Sequence[object] | None = None
) -> npt.NDArray[Any]:
    """Coerce true labels that go with a noise matrix, which says how many classes there are.

    In the narrowest integers that hold them all: numpy sorts two bytes without comparing.
    """
    name, columns_of = "true_labels", "noise_matrix"
    true = as_labels(true_labels, n_classes, classes=classes, name=name, columns_of=columns_of)
    row = first_out_of_range(true, n_classes)
    if row is not None:
        raise LabelError(
            f"{name} must be integers from 0 to {n_classes - 1} ({columns_of} has {n_classes} "
            f"columns), but {name}[{row}] is {true[row]}; number the classes in the order of the "
            "columns, from 0"
        )
    return true.astype(np.min_scalar_type(n_classes - 1))


def with_counts(
    joint: npt.NDArray[np.float64] | CompressedRows, counts: npt.NDArray[np.int64]
) -> JointAndCounts:
    """Check that a joint goes with the labels, of which there are so many of each class."""
    # Rows of absent classes are scaled to nothing.
    if isinstance(joint, CompressedRows):
        counted = bool((np.diff(joint.indptr)[counts > 0] > 0).any())  # of entries, none of them 0
    else:
        counted = bool(joint[counts > 0].any())
    if not counted:
        raise InputError(
            "confident_joint must count at least one example of a class that labels hold, but "
            "the rows of those classes are all zeros; leave it out, or check how it was counted"
        )
    return JointAndCounts(joint, counts)
