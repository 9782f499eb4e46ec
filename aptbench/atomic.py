"""`write_atomically`: a killed run leaves the old file or the new one, never half of one."""

from __future__ import annotations

import io
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np


def write_atomically(path: Path, content: bytes | str) -> Path:
    """Write bytes, or text as UTF-8, through a temporary file beside the target; return the path.

    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     write_atomically(Path(folder) / "a.txt", b"text").read_bytes()
    b'text'
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        with temporary.open("wb") as stream:
            stream.write(content.encode() if isinstance(content, str) else content)
            stream.flush()
            os.fsync(stream.fileno())
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)
    return path


def write_archive(arrays: Mapping[str, Any], path: str | Path) -> Path:
    """Write arrays as a compressed ``.npz`` archive, atomically, and return its path."""
    stream = io.BytesIO()
    np.savez_compressed(stream, **arrays)
    return write_atomically(Path(path), stream.getvalue())
