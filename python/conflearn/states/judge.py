"""Once a judge is fitted: how far a label is to be believed, row by row."""

from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from conflearn import _core
from conflearn._coerce import as_floats
from conflearn._inputs import read_meaning
from conflearn._names import JudgeName, Kind
from conflearn.errors import ShapeError
from conflearn.states.state import State

if TYPE_CHECKING:
    from conflearn.states.joint import JointState

__all__ = ["Judge"]


class Judge(State[_core.Judge]):
    """A rule that judges each row by itself, fitted to all rows.

    `conflearn.judges.fit` makes it, by as many passes as it takes; or `relative_confidence`, from
    thresholds. A `look` asks it about a batch.

    Examples
    --------
    >>> from conflearn.states import Judge, look
    >>> judge = Judge.relative_confidence([1.0, 0.25])
    >>> seen = look([0, 1], [[0.5, 0.5], [0.5, 0.5]], None, judges=[judge])
    >>> seen.scores("relative_confidence")
    array([0.2, 0.8])
    >>> seen.mask("relative_confidence")
    array([ True, False])
    """

    _read = _core.Judge.from_bytes

    @classmethod
    def relative_confidence(
        cls,
        thresholds: object,
        *,
        kind: Kind = "probabilities",
        temperature: float = 1.0,
        class_bias: object = None,
    ) -> "Judge":
        """Judge each class relative to its own confidence.

        Parameters
        ----------
        thresholds : array_like of shape (K,)
            What `ThresholdState.finish` returned, of all rows: from 2e-6 to 1, or 2 for a class
            that no example is given.
        kind : {"probabilities", "logits"}
            What the cells of matrices are, as in `conflearn.find_label_issues`.
        temperature, class_bias
            As there.

        Returns
        -------
        Judge

        Raises
        ------
        InputError
            If a threshold is out of range.
        OptionError
            If cells are no probabilities.
        """
        meaning = read_meaning(kind, temperature, class_bias)
        confidence = as_floats(thresholds, "thresholds")
        if confidence.ndim != 1:
            raise ShapeError(
                "thresholds must have one dimension, one number a class, but its shape is "
                f"{confidence.shape}"
            )
        confidence = np.ascontiguousarray(confidence)
        return cls(_core.Judge.relative_confidence(confidence, *meaning))

    @classmethod
    def noise_floor(
        cls,
        joint: "JointState",
        temperature: float,
        class_bias: npt.NDArray[np.float64],
        least_given: float,
    ) -> "Judge":
        """Judge how much of a class's probability stands above what wrong labels alone explain.

        Parameters
        ----------
        joint : JointState
            What was counted of all rows.
        temperature, class_bias
            What makes probabilities those of being given a class: what `fit_calibration` finds
            of probabilities, or of those that the `kind` and calibration of `joint` give.
        least_given : float
            What a given class is taken to have of which the model says nothing.

        Returns
        -------
        Judge
        """
        counted = joint._core  # noqa: SLF001 - of this package
        return cls(_core.Judge.noise_floor(counted, temperature, class_bias, least_given))

    @property
    def rule(self) -> JudgeName:
        """What it is called, as a filter and as a score."""
        return self._core.rule

    @property
    def thresholds(self) -> npt.NDArray[np.float64] | None:
        """The class thresholds that it was fitted to, of shape (K,); None of a noise floor."""
        return self._core.thresholds

    def __repr__(self) -> str:
        return f"<Judge of {self.kind} of {self.n_classes:,} classes by {self.rule}>"
