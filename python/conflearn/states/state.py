"""What every state does in the same way."""

from typing import Any, Generic, TypeVar

import numpy as np
import numpy.typing as npt

from conflearn import _core
from conflearn._inputs import Meaning
from conflearn._names import Kind
from conflearn.errors import InputTypeError, StateError

__all__ = ["State"]

_Core = TypeVar(
    "_Core",
    _core.CheckState,
    _core.ThresholdState,
    _core.JointState,
    _core.Judge,
    _core.Cuts,
    _core.SelectionState,
    _core.SampleState,
    _core.TagThresholdState,
    _core.TagJointState,
    _core.TagCuts,
    _core.TagSelectionState,
)


class State(Generic[_Core]):
    """What every state does in the same way."""

    _read: Any  # the core's from_bytes

    def __init__(self, core: _Core) -> None:
        self._core: _Core = core

    @property
    def n_classes(self) -> int:
        """K."""
        return self._core.n_classes

    @property
    def kind(self) -> Kind:
        """What the cells of matrices are."""
        return self._core.kind

    @property
    def temperature(self) -> float:
        """What logits are divided by, and one over the power that probabilities are raised to."""
        return self._core.temperature

    @property
    def class_bias(self) -> npt.NDArray[np.float64] | None:
        """What is added to the logarithms of probabilities, of shape (K,); None if nothing is."""
        biases: npt.NDArray[np.float64] | None = getattr(self._core, "class_bias", None)
        return biases

    @property
    def meaning(self) -> Meaning:
        """All three."""
        return Meaning(self.kind, self.temperature, self.class_bias)

    def to_bytes(self) -> bytes:
        """Write the state.

        Returns
        -------
        bytes
            A header with the version and a checksum, and the contents.
        """
        return self._core.to_bytes()

    @classmethod
    def from_bytes(cls, data: bytes) -> Any:
        """Read a state.

        Parameters
        ----------
        data : bytes
            What `to_bytes` of the same class returned. They may come from a stranger: all that is
            in them is checked.

        Returns
        -------
        The state, equal to the one that was written.

        Raises
        ------
        StateError
            If the bytes are damaged, of another version or another kind of state.
        InputTypeError
            If it is not bytes.
        """
        if not isinstance(data, bytes | bytearray | memoryview):
            raise InputTypeError(f"data must be bytes, not {type(data).__name__}")
        return cls.of_core(cls._read(bytes(data)))

    @classmethod
    def of_core(cls, core: Any) -> Any:
        """Put a state of the core into its Python face."""
        state = cls.__new__(cls)
        state._core = core  # noqa: SLF001 - of this class
        return state

    def __eq__(self, other: object) -> bool:
        if type(other) is not type(self):
            return NotImplemented
        return bool(self._core == other._core)

    __hash__ = None  # type: ignore[assignment] # as of everything that can change

    def __repr__(self) -> str:
        return f"<{type(self).__name__} of {self.kind} of {self.n_classes:,} classes>"

    def __reduce__(self) -> tuple[Any, tuple[bytes]]:
        return type(self).from_bytes, (self.to_bytes(),)

    def _other(self, other: object) -> _Core:
        if type(other) is not type(self):
            raise StateError(
                f"a {type(self).__name__} merges with one of its own class, not with a "
                f"{type(other).__name__}"
            )
        if other is self:
            raise StateError("a state does not merge with itself: its rows would count twice")
        return other._core  # noqa: SLF001 - of the same class
