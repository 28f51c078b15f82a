"""Where the results of a run go: arrays in memory, or files that appear whole or not at all.

Columns are written to a hidden folder beside the target (or to the folder of the checkpoint). When
all are complete and on the disk, the target takes its name from there; a file which had that name
before is replaced by the same step. A folder is replaced by two steps, for a system has no single
one: the old folder steps aside, and the new one takes its name.
"""

import os
import shutil
from collections.abc import Collection, Iterable, Mapping
from contextlib import suppress
from importlib import import_module
from pathlib import Path
from typing import Any, Literal, NamedTuple, TypeAlias

import numpy as np
import numpy.typing as npt

from conflearn._coerce.objects import spelled
from conflearn.errors import InputTypeError, MissingDependencyError, OptionError
from conflearn.stream.checkpoint import Checkpoint
from conflearn.stream.hidden import ASIDE, Hidden
from conflearn.stream.result_columns import Column, FileColumn, MemoryColumn

__all__ = ["Outputs", "Target", "as_path", "as_target", "as_target_of_several"]


Form: TypeAlias = Literal["array", "table", "folder"]


class Target(NamedTuple):
    """What is to be written, and where."""

    path: Path
    form: Form

    def refuse_inputs(self, inputs: Mapping[str, Iterable[Path]]) -> None:
        """Refuse to replace what is read: the files of these arguments."""
        place = self.path.resolve()
        for argument, files in inputs.items():
            for file in files:
                where = file.resolve()
                if place == where:
                    what = "is"
                elif place in where.parents:
                    what = "holds"
                else:
                    continue
                raise OptionError(
                    f"out={spelled(str(self.path))} {what} {where}, which {argument} is read from "
                    "and which would be lost; pass another place"
                )

    def refuse_checkpoint(self, folder: Path) -> None:
        """Refuse a place where the folder of a checkpoint lies, or that lies in one."""
        place, where = self.path.resolve(), folder.resolve()
        if where in (place, *place.parents):
            raise OptionError(
                f"out={spelled(str(self.path))} lies in the folder of checkpoint, {where}, which "
                "is cleared in the end; pass another place"
            )
        if place in where.parents:
            raise OptionError(
                f"checkpoint={spelled(str(folder))} lies in the folder of out, {place}, which is "
                "replaced in the end; pass another place"
            )


def as_path(value: object, name: str) -> Path:
    """Return a path."""
    if isinstance(value, str | os.PathLike) and os.fspath(value):
        return Path(os.fsdecode(value)).absolute()
    raise InputTypeError(f"{name}={spelled(value)} is no path; pass a str or a pathlib.Path")


def as_target(out: object) -> Target | None:
    """Say where one array is written; refuse at once what could not be written in the end."""
    if out is None:
        return None
    path = as_path(out, "out")
    match path.suffix.lower():
        case ".npy":
            return _checked(path, "array")
        case ".parquet":
            return _checked(path, "table")
    raise OptionError(
        f"out={spelled(str(out))} must end in .npy or .parquet, for that says how to write it"
    )


def as_target_of_several(out: object, names: Collection[str]) -> Target | None:
    """Say where several arrays of these names are written, as `as_target` does."""
    if out is None:
        return None
    path = as_path(out, "out")
    match path.suffix.lower():
        case ".parquet":
            return _checked(path, "table")
        case ".npy":
            raise OptionError(
                f"out={spelled(str(out))} would hold one array, but there are several; pass a "
                "folder for .npy files, or a name that ends in .parquet"
            )
    target = _checked(path, "folder")
    known = {f"{name}.npy" for name in names}
    others = {file.name for file in path.iterdir()} - known if path.is_dir() else set()
    if others:
        raise OptionError(
            f"out={spelled(str(out))} holds {min(others)}, which conflearn has not written and "
            "would remove; pass a new folder, or one that an earlier call wrote"
        )
    return target


class Outputs:
    """The columns of a run, and what becomes of them.

    Without a target they are arrays in memory. With a checkpoint they lie in its folder meanwhile,
    and stay there until the run is done with them.
    """

    def __init__(self, target: Target | None, checkpoint: Checkpoint | None) -> None:
        self._target = target
        self._columns: list[FileColumn] = []
        #: Goes when the run ends; if that is killed, when another one has the same target.
        self._hidden = None if target is None else Hidden(target.path)
        self._stage = None if self._hidden is None else self._hidden.folder
        self._checkpoint = checkpoint

    @property
    def is_bounded(self) -> bool:
        """Whether memory must not grow with the number of rows."""
        return self._target is not None

    def column(self, name: str, dtype: npt.DTypeLike, expected: int | None = None) -> Column:
        """Make a column, or go on with the one that the checkpoint has."""
        file = f"{name}.npy"
        if self._checkpoint is not None:
            path = self._checkpoint.file(file)
        elif self._stage is not None:
            path = self._stage / file
        else:
            return MemoryColumn(name, dtype, expected)
        column = FileColumn(name, dtype, path)
        self._columns.append(column)
        return column

    def sync(self) -> None:
        """Return when the disk has what was written to columns."""
        for column in self._columns:
            column.sync()

    def publish(
        self,
        columns: Mapping[str, Column],
        others: Mapping[str, Column] | None = None,
        hidden: Mapping[str, Column] | None = None,
    ) -> dict[str, npt.NDArray[Any]]:
        """Write the target, and return all columns as arrays.

        Of the columns, those of an entry a row go into any target; others have a place in a folder
        only, hidden ones nowhere. What was written is returned as maps of the target. What has no
        place there is a map of a file without a name, which takes room on the disk for as long as
        the array is in use.
        """
        every = {**columns, **(others or {}), **(hidden or {})}
        if self._target is None or self._stage is None:
            return {name: column.array() for name, column in every.items()}
        path, form = self._target
        if form == "table":
            table = self._stage / "table.parquet"
            _write_table(table, columns)
        for column in self._columns:
            column.finish()
            column.close()
        files = {name: c.path for name, c in every.items() if isinstance(c, FileColumn)}
        match form:
            case "array":
                (name,) = columns
                array = self._stage / "array.npy"
                self._give(files.pop(name), array)
                _take_place(array, path)
                named = {name: np.load(path, mmap_mode="r")}
            case "table":
                _take_place(table, path)
                named = {}
            case "folder":
                folder = self._stage / "folder"
                folder.mkdir()
                names = [*columns, *(others or {})]
                for name in names:
                    self._give(files.pop(name), folder / f"{name}.npy")
                _sync_folder(folder)
                _take_place_of_folder(folder, path, self._stage / ASIDE)
                named = {name: np.load(path / f"{name}.npy", mmap_mode="r") for name in names}
        return named | {name: _nameless(file) for name, file in files.items()}

    def close(self) -> None:
        """Let go of all files, and remove those that have no name by now."""
        for column in self._columns:
            column.close()
        if self._hidden is not None:
            self._hidden.remove()

    def _give(self, file: Path, name: Path) -> None:
        """Have a column under another name in the hidden folder; a checkpoint keeps its own."""
        if file.parent == self._stage:
            file.replace(name)
        else:
            _link_or_copy(file, name)


def _checked(path: Path, form: Form) -> Target:
    """Return the place that a path leads to; refuse one where nothing can be written."""
    if path.is_symlink():  # it stays, and leads to what is written
        with suppress(RuntimeError):  # so does Python before 3.13 say of a ring
            path = path.resolve()
        if path.is_symlink():
            raise OptionError(f"out={spelled(str(path))} is a link that leads nowhere; remove it")
    if not path.parent.is_dir():
        raise OptionError(f"out={spelled(str(path))} lies in no folder; make {path.parent} first")
    if form == "folder" and path.exists() and not path.is_dir():
        raise OptionError(f"out={spelled(str(path))} is a file, but must be a folder, or new")
    if form != "folder" and path.is_dir():
        raise OptionError(f"out={spelled(str(path))} is a folder; pass the name of a file")
    if form == "table":
        _parquet()
    return Target(path, form)


def _link_or_copy(file: Path, name: Path) -> None:
    """Have a file under a second name; another disk gets a copy."""
    try:
        name.hardlink_to(file)
    except OSError:
        shutil.copyfile(file, name)
        with name.open("rb+") as copied:
            os.fsync(copied.fileno())


def _take_place(file: Path, target: Path) -> None:
    """Replace the target, if there is one, by a file on the same disk."""
    file.replace(target)
    _sync_folder(target.parent)


def _take_place_of_folder(folder: Path, target: Path, aside: Path) -> None:
    """Replace the target, if there is one, by a folder on the same disk."""
    is_there = target.exists()
    if is_there:
        target.replace(aside)
    try:
        folder.replace(target)
    except BaseException:
        if is_there:
            aside.replace(target)
        raise
    _sync_folder(target.parent)


def _sync_folder(folder: Path) -> None:
    """Return when the disk has the names in a folder, where a system knows how."""
    with suppress(OSError):
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


def _nameless(file: Path) -> npt.NDArray[Any]:
    """Map a file that is about to lose its name; where maps keep files from going, read it."""
    array: npt.NDArray[Any] = np.load(file, mmap_mode="r" if os.name == "posix" else None)
    return array


def _write_table(path: Path, columns: Mapping[str, Column]) -> None:
    pyarrow, parquet = _parquet()
    fields = [(name, pyarrow.from_numpy_dtype(column.dtype)) for name, column in columns.items()]
    schema = pyarrow.schema(fields)
    with path.open("wb") as file:
        with parquet.ParquetWriter(file, schema) as writer:
            for windows in zip(*(column.windows() for column in columns.values()), strict=True):
                writer.write_table(pyarrow.table(list(windows), schema=schema))
        file.flush()
        os.fsync(file.fileno())


def _parquet() -> tuple[Any, Any]:
    try:
        return import_module("pyarrow"), import_module("pyarrow.parquet")
    except ImportError as error:
        raise MissingDependencyError(
            'a .parquet file needs pyarrow: pip install "conflearn[files]"'
        ) from error
