"""Writing of a data set: all of it, or nothing."""

from __future__ import annotations

import json
import os
import re
import shutil
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from aptbench.data.content import content_hash
from aptbench.data.dataset import Dataset
from aptbench.data.manifest import write_manifest
from aptbench.data.schema import NAME, SCHEMA, check_system_name, to_xarray
from aptbench.data.system import SystemData
from aptbench.errors import InputError, StoreError

if TYPE_CHECKING:
    import xarray as xr

REQUIRED_ATTRS: Final = ("name", "version", "title", "license")
"""Attributes of a data set that the caller must give."""
_RESERVED: Final = ("schema", "content_hash", "systems")
_CHUNK_BYTES: Final = 1 << 17
_SHARD_BYTES: Final = 1 << 25


def write_dataset(
    path: Path | str,
    systems: Mapping[str, SystemData],
    attrs: Mapping[str, Any],
    *,
    overwrite: bool = False,
) -> Dataset:
    """Write a store, and return it opened.

    The store is built in a hidden folder beside ``path``, synced to disk and renamed: a program
    that is killed leaves no half store. The same input gives the same bytes.

    Parameters
    ----------
    path : path
        Of the store, by custom ``<name>.zarr``.
    systems : mapping of name to SystemData
    attrs : mapping
        Attributes of the data set: at least ``name``, ``version`` (three numbers), ``title`` and
        ``license``; everything must be expressible as JSON.
    overwrite : bool
        Replace a store that is there, but nothing else.

    Raises
    ------
    InputError
        If there is no system, or a name or an attribute is missing or wrong.
    StoreError
        If something is at ``path`` and may not be replaced, or the disk refuses.

    Notes
    -----
    The layout is described in ``docs/data-format.md``.
    """
    import xarray as xr

    path = Path(path)
    attributes = _checked_attributes(attrs)
    if not systems:
        raise InputError("A data set needs a system.", got="none")
    for name in systems:
        check_system_name(name)
    if path.exists() and not overwrite:
        raise StoreError(
            f"There is already something at {path}.",
            do="choose another path, or --overwrite",
        )
    if path.exists() and not (path / "zarr.json").is_file():
        raise StoreError(
            f"{path} is no store, so it is not replaced.",
            got=f"no file {path / 'zarr.json'}",
            do="choose another path",
        )
    groups = {name: to_xarray(systems[name]) for name in sorted(systems)}
    digest = content_hash(groups)
    attributes |= {"schema": SCHEMA, "content_hash": digest, "systems": sorted(systems)}
    tree = xr.DataTree.from_dict(
        {"/": xr.Dataset(attrs=attributes)} | {f"/{name}": group for name, group in groups.items()}
    )
    encoding = {f"/{name}": encoding_of(group) for name, group in groups.items()}
    temporary = None
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        temporary = Path(tempfile.mkdtemp(prefix=f".{path.name}.", dir=path.parent))
        store = temporary / "new"
        tree.to_zarr(store, mode="w-", zarr_format=3, consolidated=False, encoding=encoding)
        write_manifest(store, digest)
        _sync(store)
        _swap(store, path, temporary / "old")
        _sync_folder(path.parent)
    except OSError as error:
        raise StoreError(
            f"The store {path} could not be written.",
            got=error,
            do="nothing was changed; make room or choose another folder",
        ) from error
    finally:
        if temporary is not None:
            shutil.rmtree(temporary, ignore_errors=True)
    return Dataset(path)


def encoding_of(
    group: xr.Dataset, *, chunk_bytes: int = _CHUNK_BYTES, shard_bytes: int = _SHARD_BYTES
) -> dict[str, Any]:
    """Return chunks, shards and compression of the variables of a group.

    Chunks run along the first dimension and have about ``chunk_bytes``; an array of more than one
    chunk is sharded into files of about ``shard_bytes``, so that a data set is tens of files.

    Examples
    --------
    >>> import xarray as xr
    >>> zeros = np.zeros((1000, 192, 3), np.float32)
    >>> group = xr.Dataset({"positions": (("frame", "atom", "xyz"), zeros)})
    >>> encoding = encoding_of(group)["positions"]
    >>> encoding["chunks"], encoding["shards"]
    ((32, 192, 3), (1024, 192, 3))
    """
    from zarr.codecs import BloscCodec

    encoding: dict[str, Any] = {}
    for name, array in group.variables.items():
        item = array.dtype.itemsize
        row = max(1, item * int(np.prod(array.shape[1:], dtype=np.int64)))
        length = max(1, array.shape[0])
        chunk = 1 << max(0, (max(chunk_bytes // row, 1)).bit_length() - 1)
        entry: dict[str, Any] = {
            "chunks": (min(chunk, length), *(max(1, n) for n in array.shape[1:])),
            "compressors": [
                BloscCodec(cname="zstd", clevel=5, shuffle="bitshuffle", typesize=item)
            ],
            "_FillValue": None,
        }
        if chunk < length:
            per_shard = max(1, min(shard_bytes // (chunk * row), -(-length // chunk)))
            entry["shards"] = (chunk * per_shard, *entry["chunks"][1:])
        encoding[str(name)] = entry
    return encoding


def _checked_attributes(attrs: Mapping[str, Any]) -> dict[str, Any]:
    missing = [name for name in REQUIRED_ATTRS if not attrs.get(name)]
    if missing:
        raise InputError(
            f"The data set has no {', '.join(missing)}.",
            expected=f"attributes {', '.join(REQUIRED_ATTRS)}",
        )
    reserved = [name for name in _RESERVED if name in attrs]
    if reserved:
        raise InputError(
            f"The attributes {', '.join(reserved)} are set by the writer.", do="leave them out"
        )
    if not re.fullmatch(NAME, str(attrs["name"])):
        raise InputError(
            "The 'name' of the data set cannot be that of a folder.",
            got=repr(attrs["name"]),
            expected="letters, digits, '_', '.', '-'",
        )
    if not re.fullmatch(r"\d+\.\d+\.\d+", str(attrs["version"])):
        raise InputError(
            "The 'version' of the data set is no version.",
            got=attrs["version"],
            expected="MAJOR.MINOR.PATCH, for example 0.1.0",
        )
    try:
        checked: dict[str, Any] = json.loads(json.dumps(dict(attrs), allow_nan=False))
    except (TypeError, ValueError) as error:
        raise InputError("The attributes of the data set are no JSON.", got=error) from None
    return checked


def _swap(new: Path, path: Path, old: Path) -> None:
    if path.exists():
        path.rename(old)
    try:
        new.rename(path)
    except OSError:
        if old.exists():
            old.rename(path)
        raise


def _sync(folder: Path) -> None:
    for path in sorted(folder.rglob("*"), reverse=True):
        if path.is_dir():
            _sync_folder(path)
        else:
            with path.open("rb") as file:
                os.fsync(file.fileno())
    _sync_folder(folder)


def _sync_folder(folder: Path) -> None:
    if os.name != "posix":  # other systems cannot open a folder
        return
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
