"""Files that hold several arrays by name: .npz and .safetensors."""

import json
import math
import zipfile
from collections.abc import Generator, Mapping
from typing import IO, Any, cast

import numpy as np

from conflearn._coerce.objects import BFLOAT16_BITS
from conflearn.errors import SourceError
from conflearn.sources.file import File, failure
from conflearn.sources.holder import CELL_NAMES, LABEL_NAMES, Holder, Names, chosen, known
from conflearn.sources.npy import Header, read_header
from conflearn.sources.rows import Piece, Rows, rows_text
from conflearn.sources.source import aligned_bytes
from conflearn.sources.stored import StoredArray

__all__ = ["Archive", "arrays_of_npz", "is_sparse", "open_npz", "open_safetensors"]

_MATRIX = 2  # dimensions

#: What a sparse matrix has, beside its format, which is no array with rows.
_SPARSE = {"data", "indices", "indptr", "shape"}


class Archive(Holder):
    """Arrays by name."""

    def __init__(self, file: File, arrays: "Mapping[str, StoredArray | PackedArray]") -> None:
        self._file = file
        self._arrays = arrays
        self.place = file.name

    def cells(self, names: Names, labels: str | None = None) -> Rows:
        """Return the array of that name, or the only one with two dimensions."""
        if labels is not None:
            known(labels, self._arrays, place=self.place, argument="labels")
        if names is None:
            candidates = [name for name in self._arrays if len(self._arrays[name].shape) == _MATRIX]
            names = self._chosen(candidates, CELL_NAMES, "matrix")
        return self._named(names)

    def column(self, names: Names) -> Rows:
        """Return the array of that name, or the only one with one dimension."""
        if names is None:
            candidates = [name for name in self._arrays if len(self._arrays[name].shape) == 1]
            names = self._chosen(candidates, LABEL_NAMES, "array of labels, with one dimension,")
        return self._named(names)

    def label_name(self, names: Names) -> str:
        """Find the array of labels beside the cells, which has a usual name or the given one."""
        if isinstance(names, str):
            return known(names, self._arrays, place=self.place, argument="labels")
        candidates = [name for name in LABEL_NAMES if name in self._arrays]
        return self._chosen(candidates, LABEL_NAMES, "array of labels", of="labels")

    def _named(self, names: str | tuple[str, ...]) -> Rows:
        if not isinstance(names, str):
            if len(names) > 1:
                raise self._file.error(
                    f"holds arrays, not columns, so that {names!r} cannot be put together; "
                    "name the one array that holds the matrix"
                )
            (names,) = names
        argument = self._file.argument
        return self._arrays[known(names, self._arrays, place=self.place, argument=argument)]

    def _chosen(
        self, candidates: list[str], usual: tuple[str, ...], what: str, of: str = ""
    ) -> str:
        shapes = [f"{name!r} of the shape {array.shape}" for name, array in self._arrays.items()]
        return chosen(
            candidates,
            usual,
            place=self.place,
            argument=of or self._file.argument,
            what=what,
            there=", ".join(shapes) or "nothing",
        )


# --- .npz ----------------------------------------------------------------------------------------


class PackedArray(Rows):
    """A compressed member of an .npz file, which is unpacked from its start on."""

    def __init__(self, file: File, member: str, header: Header) -> None:
        self._file = file
        self._member = member
        self._dtype = header.dtype
        self._fortran = header.fortran and len(header.shape) > 1
        self.shape = header.shape
        self.n_rows = self.shape[0]
        self.place = f"{file.name}[{member.removesuffix('.npy')!r}]"

    def probe(self) -> Any:
        """Return a row of zeros: a file is not read for its dtype."""
        if self._fortran:
            raise self._file.error(
                f"[{self._member.removesuffix('.npy')!r}] is compressed and in Fortran order, so "
                "that its first row is there only when all is unpacked; save it with numpy.savez, "
                "or np.ascontiguousarray first"
            )
        return np.zeros((1, *self.shape[1:]), self._dtype)

    def identity(self) -> object:
        """Return what tells the file, and what in it."""
        return [*self._file.identity(), self._member, self._dtype.str, list(self.shape)]

    def pieces(self, first_row: int, most: int) -> Generator[Piece, None, None]:
        """Unpack rows. The check sums of the file are looked at on the way."""
        row_bytes = self._dtype.itemsize * math.prod(self.shape[1:])
        most = max(min(most, self.n_rows), 1)
        with self._file.open():
            try:
                with (
                    zipfile.ZipFile(self._file.path) as zipped,
                    zipped.open(self._member) as stream,
                ):
                    read_header(stream, self._file, self._member)
                    self._skip(stream, first_row * row_bytes)
                    for start in range(first_row, self.n_rows, most):
                        n = min(most, self.n_rows - start)
                        memory = aligned_bytes(n * row_bytes)
                        self._fill(cast("zipfile.ZipExtFile", stream), memory, start)
                        rows = memory.view(self._dtype).reshape(n, *self.shape[1:])
                        yield Piece(rows, rows_text(start, n, self.place))
                    stream.read(1)  # at its end the check sum is compared
            except SourceError:
                raise
            except Exception as error:  # each way of packing has its own
                raise failure(self.place, self._file.argument, error) from error

    def _skip(self, stream: IO[bytes], size: int) -> None:
        while size > 0:
            n = len(stream.read(min(size, 1 << 20)))
            if not n:
                return
            size -= n

    def _fill(self, stream: zipfile.ZipExtFile, memory: Any, row: int) -> None:
        view, done = memoryview(memory), 0
        while done < len(view):
            n = stream.readinto(view[done:])
            if not n:
                raise self._file.error(
                    f"[{self._member!r}] ends within the block from row {row:,} on, but its header "
                    f"promises {self.n_rows:,} rows; it was cut short, so make it anew"
                )
            done += n


def open_npz(file: File) -> Archive:
    """Find the arrays in a file that `numpy.savez` or `numpy.savez_compressed` wrote."""
    arrays = arrays_of_npz(file)
    if is_sparse(arrays):
        raise file.error(
            "holds a scipy sparse matrix; pass scipy.sparse.load_npz(path), which reads it"
        )
    return Archive(file, arrays)


def is_sparse(arrays: Mapping[str, Rows]) -> bool:
    """Whether these are the parts of a sparse matrix, as `scipy.sparse.save_npz` writes them."""
    return arrays.keys() >= _SPARSE


def arrays_of_npz(file: File) -> "dict[str, StoredArray | PackedArray]":
    """Find them by name."""
    arrays: dict[str, StoredArray | PackedArray] = {}
    try:
        with zipfile.ZipFile(file.path) as zipped:
            members = [info for info in zipped.infolist() if info.filename.endswith(".npy")]
            for info in members:
                name = info.filename.removesuffix(".npy")
                with zipped.open(info) as stream:
                    header = _header_or_none(stream, file, name)
                    position = stream.tell()
                if header is None:
                    continue
                if info.compress_type == zipfile.ZIP_STORED:
                    arrays[name] = StoredArray(
                        file,
                        _start_of(file, info) + position,
                        header.dtype,
                        header.shape,
                        fortran=header.fortran,
                        member=name,
                    )
                else:
                    arrays[name] = PackedArray(file, info.filename, header)
    except SourceError:
        raise
    except Exception as error:  # each way of packing has its own
        raise failure(str(file.path), file.argument, error) from error
    return arrays


def _header_or_none(stream: IO[bytes], file: File, name: str) -> Header | None:
    """Read the header of a member; what has no rows is none of what is looked for."""
    try:
        return read_header(stream, file, name)
    except SourceError:
        if name in CELL_NAMES + LABEL_NAMES:
            raise
        return None


def _start_of(file: File, info: zipfile.ZipInfo) -> int:
    """Find where the bytes of a member begin: behind a header whose two last fields vary."""
    fixed = 30
    with file.path.open("rb") as stream:
        stream.seek(info.header_offset)
        header = stream.read(fixed)
    if len(header) < fixed or header[:4] != b"PK\x03\x04":
        raise file.error(f"has no member at byte {info.header_offset:,}; make it anew")
    lengths = int.from_bytes(header[26:28], "little"), int.from_bytes(header[28:30], "little")
    return info.header_offset + fixed + sum(lengths)


# --- .safetensors --------------------------------------------------------------------------------

#: Numbers of the format that can be cells or labels.
_DTYPES = {
    "BOOL": np.dtype("?"),
    "U8": np.dtype("u1"),
    "I8": np.dtype("i1"),
    "U16": np.dtype("<u2"),
    "I16": np.dtype("<i2"),
    "U32": np.dtype("<u4"),
    "I32": np.dtype("<i4"),
    "U64": np.dtype("<u8"),
    "I64": np.dtype("<i8"),
    "F16": np.dtype("<f2"),
    "BF16": BFLOAT16_BITS,
    "F32": np.dtype("<f4"),
    "F64": np.dtype("<f8"),
}

_LONGEST_HEADER = 100_000_000  # which the format allows


def open_safetensors(file: File) -> Archive:
    """Find the arrays in a file of the safetensors format."""
    with file.path.open("rb") as stream:
        start = stream.read(8)
        size = int.from_bytes(start, "little")
        if len(start) < 8 or not 2 <= size <= min(_LONGEST_HEADER, file.size - 8):  # noqa: PLR2004 - "{}"
            raise file.error(
                f"promises a header of {size:,} bytes at byte 0, but has {file.size:,} bytes in "
                "all; it is cut short, or no .safetensors file"
            )
        header = stream.read(size)
    try:
        entries = json.loads(header)
        entries.pop("__metadata__", None)
        arrays = {
            str(name): _tensor(file, 8 + size, str(name), entry)
            for name, entry in entries.items()
            if entry["dtype"] in _DTYPES and len(entry["shape"]) > 0
        }
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        if isinstance(error, SourceError):
            raise
        raise file.error(
            f"has a damaged header at byte 8 ({type(error).__name__}: {error}); make it anew"
        ) from error
    return Archive(file, arrays)


def _tensor(file: File, start: int, name: str, entry: Any) -> StoredArray:
    dtype = _DTYPES[entry["dtype"]]
    shape = tuple(entry["shape"])
    begin, end = entry["data_offsets"]
    for number in (*shape, begin, end):
        if not isinstance(number, int) or isinstance(number, bool) or number < 0:
            raise file.error(f"gives {number!r} as a size of {name!r} in its header at byte 8")
    if end - begin != math.prod(shape) * dtype.itemsize:
        raise file.error(
            f"gives {name!r} {end - begin:,} bytes in its header at byte 8, but its shape {shape} "
            f"and type {entry['dtype']} need {math.prod(shape) * dtype.itemsize:,}"
        )
    return StoredArray(file, start + begin, dtype, shape, member=name)
