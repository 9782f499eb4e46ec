"""`pack_store`: a store as one zip file, which can be put on any web server and read from there."""

from __future__ import annotations

import hashlib
import shutil
import zipfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

from aptbench.data.export_file import export_file

if TYPE_CHECKING:
    from aptbench.data.dataset import Dataset

_EPOCH: Final = (1980, 1, 1, 0, 0, 0)
"""The first date that a zip file can hold: the same store gives the same bytes at any time."""


@dataclass(frozen=True)
class PackedStore:
    """A zip file with a store in it.

    Parameters
    ----------
    path : Path
    sha256 : str
        Of the file.
    size : int
        In bytes.
    """

    path: Path
    sha256: str
    size: int


def pack_store(dataset: Dataset, target: Path | str, *, overwrite: bool = False) -> PackedStore:
    """Write a zip file with the folder ``NAME.zarr`` in it.

    Parameters
    ----------
    dataset : Dataset
    target : path
    overwrite : bool
        Replace a file that is there.

    Raises
    ------
    StoreError
        If something is at ``target`` and may not be replaced, or the disk refuses: nothing is left
        behind then.

    Notes
    -----
    Objects are stored as they are, because they are compressed already: a reader that asks a server
    for ranges of bytes gets one array without the others. Unpacked it is the store, to the last
    byte.
    """
    target = Path(target)
    with export_file(target, overwrite=overwrite) as temporary:
        with zipfile.ZipFile(temporary, "w", zipfile.ZIP_STORED) as archive:
            for path in sorted(dataset.path.rglob("*")):
                if path.is_file():
                    name = f"{dataset.name}.zarr/{path.relative_to(dataset.path).as_posix()}"
                    entry = zipfile.ZipInfo(name, _EPOCH)
                    entry.external_attr = 0o644 << 16
                    entry.file_size = path.stat().st_size
                    with path.open("rb") as source, archive.open(entry, "w") as stored:
                        shutil.copyfileobj(source, stored, 1 << 20)
        with temporary.open("rb") as stream:
            digest = hashlib.file_digest(stream, "sha256").hexdigest()
    return PackedStore(target, digest, target.stat().st_size)
