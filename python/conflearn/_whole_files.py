"""Files that are written whole or not at all."""

import os
from contextlib import suppress
from pathlib import Path

__all__ = ["partial_of", "write_whole"]


def partial_of(path: Path) -> Path:
    """Name the file in which another one is made."""
    return path.with_name(f"{path.name}.partial")


def write_whole(path: Path, data: bytes) -> None:
    """Put a file in the place of another. Of what fails, nothing is left."""
    partial = partial_of(path)
    try:
        with partial.open("wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        partial.replace(path)
    finally:
        with suppress(OSError):
            partial.unlink(missing_ok=True)
