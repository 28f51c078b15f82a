"""Arrow tables: in memory, as data sets, and in files of parquet, Arrow IPC and Feather."""

from abc import abstractmethod
from collections.abc import Callable, Generator, Iterable, Iterator
from contextlib import contextmanager, suppress
from io import RawIOBase
from pathlib import Path
from typing import Any

from conflearn.errors import InputError, MissingDependencyError
from conflearn.sources import source
from conflearn.sources.file import File, failure
from conflearn.sources.tables import Sort, Table, refuse_twins

__all__ = [
    "arrow_dataset",
    "arrow_table",
    "hugging_face_dataset",
    "open_ipc",
    "open_parquet",
]

# A column of a parquet file is read through a buffer of at least this size.
_LEAST_BUFFER = 1 << 16


class _Batch:
    """An Arrow table or batch, with the length and the methods that `Table` asks for."""

    def __init__(self, batch: Any) -> None:
        self._batch = batch

    def __len__(self) -> int:
        return int(self._batch.num_rows)

    def select(self, names: list[str]) -> Any:
        return self._batch.select(names)

    def column(self, name: str) -> Any:
        return self._batch.column(name)


def _sorts(schema: Any, place: str, argument: str) -> dict[str, Sort]:
    """Find what each column can be used for."""
    names = list(schema.names)
    refuse_twins(names, place, argument)
    return {name: _sort(kind) for name, kind in zip(names, schema.types, strict=True)}


def _sort(kind: Any) -> Sort:
    import pyarrow as pa

    types = pa.types
    if isinstance(kind, pa.BaseExtensionType):  # such as pyarrow.FixedShapeTensorType
        kind = kind.storage_type
    if types.is_fixed_size_list(kind) or types.is_list(kind) or types.is_large_list(kind):
        cell = kind.value_type
        return "list" if types.is_floating(cell) or types.is_integer(cell) else "other"
    if types.is_floating(kind):
        return "float"
    tests = (
        types.is_integer,
        types.is_boolean,
        types.is_dictionary,
        types.is_string,
        types.is_large_string,
    )
    return "label" if any(test(kind) for test in tests) else "other"


def _from(batches: Iterable[Any], first_row: int) -> Iterator[Any]:
    """Leave out the rows before the first one."""
    skip = first_row
    for batch in batches:
        if skip < batch.num_rows:
            yield batch.slice(skip)
        skip = max(skip - batch.num_rows, 0)


def _cut(batches: Iterable[Any], most: int) -> Generator[_Batch, None, None]:
    """Cut those that are longer than a block."""
    for batch in batches:
        for start in range(0, batch.num_rows, most):
            yield _Batch(batch.slice(start, most))


@contextmanager
def _explained(place: str, argument: str) -> Iterator[None]:
    """Say which file it was that pyarrow could not read."""
    import pyarrow as pa

    try:
        yield
    except InputError:
        raise
    except (pa.ArrowException, OSError, EOFError, ValueError, LookupError) as error:
        raise failure(place, argument, error) from error


# --- In memory, and data sets --------------------------------------------------------------------


class _Lazy(Table):
    """A table whose batches are read by a function that is given the columns and a size."""

    def __init__(
        self,
        place: str,
        argument: str,
        schema: Any,
        n_rows: int,
        read: Callable[[list[str], int, int], Iterator[Any]],
        identity: Callable[[], object],
    ) -> None:
        super().__init__(place, argument, _sorts(schema, place, argument), n_rows)
        self._read = read
        self._identity = identity

    def batches(self, names: list[str], first_row: int, most: int) -> Generator[_Batch, None, None]:
        """Ask for them."""
        with _explained(self.place, self.argument):
            yield from _cut(self._read(names, first_row, most), most)

    def identity(self) -> object:
        """Ask for it."""
        return self._identity()


class _Hashing(RawIOBase):
    """A file that only keeps the digest of what is written to it."""

    def __init__(self) -> None:
        from hashlib import blake2b

        self._hashed = blake2b(digest_size=16)

    def writable(self) -> bool:
        return True

    def write(self, data: Any) -> int:
        self._hashed.update(data)
        return len(data)

    def digest(self) -> str:
        return self._hashed.hexdigest()


def arrow_table(table: Any, argument: str) -> Table:
    """Lend rows of a table, or of a batch, in memory."""

    def read(names: list[str], first_row: int, most: int) -> Iterator[Any]:
        chosen = table.select(names)
        return (chosen.slice(row, most) for row in range(first_row, table.num_rows, most))

    def identity() -> object:
        from pyarrow import ipc

        hashing = _Hashing()
        with ipc.new_stream(hashing, table.schema) as stream:
            stream.write(table)
        return hashing.digest()

    place = f"{argument} (pyarrow.{type(table).__name__})"
    return _Lazy(place, argument, table.schema, table.num_rows, read, identity)


def arrow_dataset(dataset: Any, argument: str) -> Table:
    """Scan a data set of pyarrow, or of lance, which is one."""
    kind = type(dataset)
    library = kind.__module__.partition(".")[0].strip("_")
    # Elsewhere, the options mean something else, or are not known.
    options = {"batch_readahead": 2, "fragment_readahead": 1} if library == "pyarrow" else {}

    def read(names: list[str], first_row: int, most: int) -> Iterator[Any]:
        return _from(dataset.to_batches(columns=names, batch_size=most, **options), first_row)

    def identity() -> object:
        if hasattr(dataset, "uri") and hasattr(dataset, "version"):  # of lance
            return [str(dataset.uri), str(dataset.version)]
        files = getattr(dataset, "files", None)
        if not files or getattr(dataset.filesystem, "type_name", "") != "local":
            return None
        with suppress(OSError):
            stats = [(path, Path(path).stat()) for path in files]
            return [[path, stat.st_size, stat.st_mtime_ns] for path, stat in stats]
        return None

    place = f"{argument} ({library}.{kind.__name__})"
    with _explained(place, argument):
        n_rows = dataset.count_rows()
    return _Lazy(place, argument, dataset.schema, n_rows, read, identity)


def hugging_face_dataset(dataset: Any, argument: str) -> Table:
    """Slice a data set of the library `datasets`."""

    def read(names: list[str], first_row: int, most: int) -> Iterator[Any]:
        tables = dataset.select_columns(names).with_format("arrow")
        return (tables[row : row + most] for row in range(first_row, len(dataset), most))

    def identity() -> object:
        mark = getattr(dataset, "_fingerprint", None)  # documented, but as an attribute of its own
        return None if mark is None else [str(mark), len(dataset)]

    place = f"{argument} (datasets.{type(dataset).__name__})"
    schema = dataset.features.arrow_schema
    return _Lazy(place, argument, schema, len(dataset), read, identity)


# --- Files ---------------------------------------------------------------------------------------


class _TableFile(Table):
    """A file, which must stay as it is."""

    def __init__(self, file: File, schema: Any, n_rows: int) -> None:
        columns = _sorts(schema, file.name, file.argument)
        super().__init__(file.name, file.argument, columns, n_rows)
        self.file = file

    def identity(self) -> object:
        """Return what tells the file."""
        return self.file.identity()

    def batches(self, names: list[str], first_row: int, most: int) -> Generator[_Batch, None, None]:
        """Open it, and read from it."""
        with self.file.open(), _explained(str(self.file.path), self.argument):
            yield from self._batches(names, first_row, most)

    @abstractmethod
    def _batches(
        self, names: list[str], first_row: int, most: int
    ) -> Generator[_Batch, None, None]:
        """Read it, once it is open."""


def open_parquet(file: File) -> Table:
    """Open a parquet file."""
    _need_pyarrow(file)
    from pyarrow import parquet

    with _explained(str(file.path), file.argument), parquet.ParquetFile(file.path) as opened:
        return _Parquet(file, opened.schema_arrow, opened.metadata.num_rows)


class _Parquet(_TableFile):
    def _batches(
        self, names: list[str], first_row: int, most: int
    ) -> Generator[_Batch, None, None]:
        from pyarrow import parquet

        # Without a buffer, or with one made beforehand, all of a row group would be in memory.
        n_leaves = len(names)
        with parquet.ParquetFile(
            self.file.path,
            buffer_size=max(_LEAST_BUFFER, source.BLOCK_BYTES // n_leaves),
            pre_buffer=False,
            page_checksum_verification=True,
        ) as opened:
            sizes = [
                opened.metadata.row_group(group).num_rows for group in range(opened.num_row_groups)
            ]
            group, skip = 0, first_row
            while group < len(sizes) and skip >= sizes[group]:
                skip -= sizes[group]
                group += 1
            batches = opened.iter_batches(
                batch_size=most, row_groups=range(group, len(sizes)), columns=names
            )
            yield from _cut(_from(batches, skip), most)


def open_ipc(file: File) -> Table:
    """Open an Arrow IPC file, which Feather files are too, or an IPC stream."""
    _need_pyarrow(file)
    import pyarrow as pa
    from pyarrow import dataset, ipc

    with _explained(str(file.path), file.argument):
        if file.starts_with(b"ARROW1"):
            with pa.OSFile(str(file.path)) as stream, ipc.open_file(stream) as reader:
                schema = reader.schema
            return _Ipc(file, schema, dataset.dataset(file.path, format="ipc").count_rows())
        with pa.OSFile(str(file.path)) as stream, ipc.open_stream(stream) as reader:
            return _IpcStream(file, reader.schema, sum(batch.num_rows for batch in reader))


class _Ipc(_TableFile):
    def _batches(
        self, names: list[str], first_row: int, most: int
    ) -> Generator[_Batch, None, None]:
        import pyarrow as pa
        from pyarrow import ipc

        places = list(self.columns)
        options = ipc.IpcReadOptions(included_fields=[places.index(name) for name in names])
        with (
            pa.OSFile(str(self.file.path)) as stream,
            ipc.open_file(stream, options=options) as reader,
        ):
            batches = map(reader.get_batch, range(reader.num_record_batches))
            yield from _cut(_from(batches, first_row), most)


class _IpcStream(_TableFile):
    def _batches(
        self,
        names: list[str],  # noqa: ARG002 - a stream is read with all its columns
        first_row: int,
        most: int,
    ) -> Generator[_Batch, None, None]:
        import pyarrow as pa
        from pyarrow import ipc

        with pa.OSFile(str(self.file.path)) as stream, ipc.open_stream(stream) as reader:
            yield from _cut(_from(reader, first_row), most)


def _need_pyarrow(file: File) -> None:
    try:
        import pyarrow as pa  # noqa: F401 - is it there?
    except ImportError as error:
        raise MissingDependencyError(
            f"{file.argument}: {file.path} is read by pyarrow, which is not installed: "
            "pip install pyarrow"
        ) from error
