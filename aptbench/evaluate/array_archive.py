"""`read_arrays`: arrays of an ``.npz`` file from strangers, as data and never as code."""

from __future__ import annotations

import io
import math
import zipfile
import zlib
from collections.abc import Callable, Mapping
from pathlib import Path, PurePosixPath
from typing import Any, BinaryIO, Final

import numpy as np
import numpy.typing as npt

from aptbench.errors import InputError

LARGEST: Final = 4 * 1024**3
"""Bytes of all arrays together, unpacked."""
MOST_MEMBERS: Final = 10_000
_KINDS: Final = "biufU"
"""Kinds of numpy types that are plain values: no objects, no records."""
_LONGEST_TEXT: Final = 4 * 1000
"""Bytes of an item, so that a string cannot be an array in disguise."""
_HEADER: Final = 10_000
_CHUNK: Final = 1 << 20
_SUFFIX: Final = ".npy"

Array = npt.NDArray[Any]


def read_arrays(
    path: str | Path,
    allowed: Callable[[str], bool] | None = None,
    *,
    largest: int = LARGEST,
) -> dict[str, Array]:
    """Read the arrays of an ``.npz`` file.

    Nothing is unpickled and nothing is written to the disk. Sizes are those that are really
    unpacked, whatever the file says of itself, and are limited before memory is.

    Parameters
    ----------
    path : path
    allowed : callable, optional
        Whether an array may have this name; all plain names may if None.
    largest : int
        Bytes of the file, and of all arrays together.

    Returns
    -------
    dict of str to array
        In the order of the file.

    Raises
    ------
    InputError
        If the file is absent, damaged or too large; or holds something else than plain arrays with
        allowed names, each once.
    """
    path = Path(path)
    if not path.is_file():
        raise InputError("There is no such file of arrays.", got=path)
    if path.stat().st_size > largest:
        raise InputError(
            f"The file {path.name} is too large.",
            got=f"{path.stat().st_size} bytes",
            expected=f"at most {largest}",
        )
    try:
        with zipfile.ZipFile(path) as archive:
            return _read_members(archive, path.name, allowed, largest)
    except zipfile.BadZipFile as error:
        raise InputError(
            f"The file {path.name} is not a readable archive of plain arrays.",
            got=f"{error}{_single(path)}",
            expected="an .npz file",
            do="write it with numpy.savez_compressed",
        ) from None
    except (OSError, EOFError, ValueError, RuntimeError, zlib.error) as error:
        if isinstance(error, InputError):
            raise
        raise InputError(
            f"The file {path.name} is not a readable archive of plain arrays.",
            got=f"{type(error).__name__}: {error}",
            expected="an .npz file as numpy.savez_compressed writes it",
        ) from None


def by_system(arrays: Mapping[str, Array]) -> dict[str, dict[str, Array]]:
    """Return arrays by system and name; those whose name has no system before it under ``""``.

    >>> by_system({"hcn/frame": np.zeros(1), "frame": np.zeros(2)}).keys()
    dict_keys(['hcn', ''])
    """
    parts: dict[str, dict[str, Array]] = {}
    for name, array in arrays.items():
        system, _, field = name.rpartition("/")
        parts.setdefault(system, {})[field] = array
    return parts


def _read_members(
    archive: zipfile.ZipFile, file: str, allowed: Callable[[str], bool] | None, largest: int
) -> dict[str, Array]:
    members = archive.infolist()
    if len(members) > MOST_MEMBERS:
        raise InputError(
            f"The file {file} has too many members.",
            got=len(members),
            expected=f"at most {MOST_MEMBERS}",
        )
    said = sum(member.file_size for member in members)
    if said > largest:
        raise InputError(
            f"The file {file} would be too large when unpacked.",
            got=f"{said} bytes",
            expected=f"at most {largest}",
        )
    arrays: dict[str, Array] = {}
    left = largest
    for member in members:
        name = _checked_name(member.filename, file)
        if allowed is not None and not allowed(name):
            raise InputError(
                f"The file {file} holds an array that does not belong there.", got=repr(name)
            )
        if name in arrays:
            raise InputError(f"The file {file} holds the array {name!r} twice.")
        with archive.open(member) as stream:
            array = _read_array(stream, f"{name!r} of {file}", left)  # type: ignore[arg-type]
        left -= array.nbytes
        arrays[name] = array
    return arrays


def _checked_name(raw: str, file: str) -> str:
    path = PurePosixPath(raw)
    plain = (
        raw.endswith(_SUFFIX)
        and not path.is_absolute()
        and path.as_posix() == raw
        and ".." not in path.parts
        and raw.isascii()
        and raw.isprintable()
        and "\\" not in raw
        and ":" not in raw
        and len(raw) < 300
    )
    if not plain:
        raise InputError(
            f"The file {file} holds a member whose name is not that of an array.",
            got=repr(raw[:200]),
            expected="NAME.npy, or SYSTEM/NAME.npy",
        )
    return raw[: -len(_SUFFIX)]


def _read_array(stream: BinaryIO, what: str, largest: int) -> Array:
    shape, fortran, dtype = _header(stream, what)
    if dtype.kind not in _KINDS or dtype.hasobject or dtype.itemsize > _LONGEST_TEXT:
        raise InputError(
            f"The array {what} is not of plain numbers.",
            got=f"type {dtype}",
            expected="plain arrays of integers, floating point numbers or short text; no pickles",
        )
    size = math.prod(shape) * dtype.itemsize
    if size > largest:
        raise InputError(
            f"The array {what} is too large.",
            got=f"{size} bytes",
            expected=f"at most {largest} for all that is left",
        )
    buffer = io.BytesIO()
    while chunk := stream.read(min(_CHUNK, size + 1 - buffer.tell())):
        buffer.write(chunk)
        if buffer.tell() > size:
            break
    if buffer.tell() != size:
        raise InputError(
            f"The array {what} does not have the size that it says.",
            got="more" if buffer.tell() > size else f"{buffer.tell()} bytes",
            expected=f"{size} bytes: shape {shape}, type {dtype}",
        )
    array: Array = np.frombuffer(buffer.getvalue(), dtype)
    return array.reshape(shape, order="F" if fortran else "C")


def _header(stream: BinaryIO, what: str) -> tuple[tuple[int, ...], bool, np.dtype[Any]]:
    readers = {
        (1, 0): np.lib.format.read_array_header_1_0,
        (2, 0): np.lib.format.read_array_header_2_0,
    }
    try:
        version = np.lib.format.read_magic(stream)
        shape, fortran, dtype = readers[version](stream, max_header_size=_HEADER)
    except (ValueError, KeyError, SyntaxError) as error:
        raise InputError(f"The array {what} has no readable header.", got=error) from None
    if len(shape) > 8 or any(n < 0 for n in shape):
        raise InputError(f"The array {what} has no possible shape.", got=shape)
    return shape, bool(fortran), dtype


def _single(path: Path) -> str:
    with path.open("rb") as stream:
        single = stream.read(6) == b"\x93NUMPY"
    return "; it holds a single array" if single else ""
