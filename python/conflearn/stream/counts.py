"""What a look over a source counts: the joint, and what checks take, where they are asked for."""

from conflearn.errors import StateError
from conflearn.states import CheckState, JointState

__all__ = ["Counts"]

#: Bytes of the length that stands before those of the joint.
_LENGTH = 8


class Counts:
    """Two states that one pass fills."""

    def __init__(self, joint: JointState, checks: CheckState | None = None) -> None:
        self.joint = joint
        self.checks = checks

    def to_bytes(self) -> bytes:
        """Write both."""
        joint = self.joint.to_bytes()
        checks = b"" if self.checks is None else self.checks.to_bytes()
        return len(joint).to_bytes(_LENGTH, "little") + joint + checks

    @classmethod
    def from_bytes(cls, data: bytes, /) -> "Counts":
        """Read them."""
        end = _LENGTH + int.from_bytes(data[:_LENGTH], "little")
        if end > len(data):
            raise StateError("the bytes hold no counts: some are missing")
        checks = CheckState.from_bytes(data[end:]) if data[end:] else None
        return cls(JointState.from_bytes(data[_LENGTH:end]), checks)
