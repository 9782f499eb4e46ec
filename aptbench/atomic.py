"""`new_file`: a killed run leaves the old file or the new one, never half of one."""

from __future__ import annotations

import os
import zipfile
import zlib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np


@contextmanager
def new_file(path: str | Path) -> Iterator[Path]:
    """Give a name beside the target to write to; the file becomes the target once it is whole.

    After an error the target is what it was, and nothing else is left.

    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     with new_file(Path(folder) / "a.txt") as temporary:
    ...         _ = temporary.write_text("text")
    ...     (Path(folder) / "a.txt").read_text()
    'text'
    """
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        yield temporary
        with temporary.open("r+b") as stream:
            os.fsync(stream.fileno())
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)


def write_atomically(path: Path, content: bytes | str) -> Path:
    """Write bytes, or text as UTF-8, as a `new_file`; return the path."""
    with new_file(path) as temporary:
        temporary.write_bytes(content.encode() if isinstance(content, str) else content)
    return path


def write_archive(arrays: Mapping[str, Any], path: str | Path, *, compressed: bool = True) -> Path:
    """Write arrays as an ``.npz`` archive, a `new_file`, and return its path."""
    save = np.savez_compressed if compressed else np.savez
    with new_file(path) as temporary, temporary.open("wb") as stream:
        save(stream, **arrays)
    return Path(path)


def read_archive(path: str | Path) -> dict[str, Any]:
    """Return the arrays of an ``.npz`` archive that `write_archive` wrote.

    Raises
    ------
    OSError
        If it cannot be opened.
    ValueError
        If it is damaged.
    """
    try:
        with Path(path).open("rb") as stream, np.load(stream, allow_pickle=False) as archive:
            return dict(archive)
    except (EOFError, KeyError, TypeError, zipfile.BadZipFile, zlib.error) as error:
        raise ValueError(f"{path} is no whole archive: {error}") from None
