"""The .npy format, in a file of its own or within another one."""

import math
from typing import IO, Any, NamedTuple, NoReturn

import numpy as np
from numpy.lib import format as npy

from conflearn.errors import SourceError
from conflearn.sources.file import File
from conflearn.sources.stored import StoredArray

__all__ = ["Header", "open_npy", "read_header"]


class Header(NamedTuple):
    """What it says of the array that follows it."""

    shape: tuple[int, ...]
    fortran: bool
    dtype: np.dtype[Any]


def open_npy(file: File) -> StoredArray:
    """Find the array in a file that `numpy.save` wrote."""
    with file.path.open("rb") as stream:
        header = read_header(stream, file)
        offset = stream.tell()
    end = offset + math.prod(header.shape) * header.dtype.itemsize
    if file.size > end:
        raise file.error(
            f"has {file.size - end:,} bytes that follow its array of {header.dtype.name} with the "
            f"shape {header.shape}, from byte {end:,} on; save one array a file, or several by "
            "name with numpy.savez"
        )
    return StoredArray(file, offset, header.dtype, header.shape, fortran=header.fortran)


def _refuse_version(version: tuple[int, int], file: File, name: str) -> NoReturn:
    raise file.error(
        f"{name}is of version {version} of the .npy format, which is for records; save numbers"
    )


def read_header(stream: IO[bytes], file: File, member: str = "") -> Header:
    """Read the header that a stream is at, and check what it says."""
    name = f"[{member!r}] " if member else ""
    try:
        version = npy.read_magic(stream)
        if version == (1, 0):
            header = Header(*npy.read_array_header_1_0(stream))
        elif version == (2, 0):
            header = Header(*npy.read_array_header_2_0(stream))
        else:
            _refuse_version(version, file, name)
    except SourceError:
        raise
    except Exception as error:  # it is parsed as Python, which fails in many ways
        reason = str(error).partition("\n")[0]
        raise file.error(
            f"{name}does not begin with the header of a .npy file at byte 0 ({reason}); write it "
            "with numpy.save"
        ) from error
    dtype = header.dtype
    if dtype.hasobject:
        raise file.error(
            f"{name}holds Python objects, which can run code when they are read; save numbers, or "
            "strings of a fixed length: numpy.save(path, array.astype(str))"
        )
    if dtype.str == "|V2":
        # numpy.save does not write the name of bfloat16.
        raise file.error(
            f"{name}holds cells of two bytes without a name; if these are bfloat16, save them as "
            ".safetensors, or as float32: numpy.save(path, array.astype('float32'))"
        )
    if not dtype.itemsize:
        raise file.error(f"{name}holds cells of no size; its dtype is {dtype}")
    if not header.shape or min(header.shape) < 0:
        raise file.error(f"{name}has the shape {header.shape}; it must have rows")
    return header
