"""`export_hdf5`: a data set, or a part of it, as one HDF5 file for readers that have only h5py."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import numpy.typing as npt

from aptbench.data.export_file import export_file
from aptbench.errors import InputError, StoreError

if TYPE_CHECKING:
    import h5py
    import xarray as xr

    from aptbench.data.dataset import Dataset
    from aptbench.data.selection import Selection

FORMAT: Final = "aptbench-hdf5-1"
"""Name of the layout, in the attribute ``format`` of every file."""
_CHUNK_BYTES: Final = 1 << 17
_BLOCK_BYTES: Final = 1 << 25


def export_hdf5(
    dataset: Dataset,
    target: Path | str,
    selection: Selection | None = None,
    *,
    overwrite: bool = False,
) -> Path:
    """Write an HDF5 file with one group a system, and return its path.

    Parameters
    ----------
    dataset : Dataset
    target : path
    selection : Selection, optional
        What of the data set; all of it if None.
    overwrite : bool
        Replace a file that is there.

    Raises
    ------
    StoreError
        If something is at ``target`` and may not be replaced, the store is damaged, or the disk
        refuses: nothing is left behind then.

    Notes
    -----
    Variables have the names, types, units and attributes of the store, and the names of their
    dimensions as labels of the dimensions (``h5["system/apt"].dims[0].label``). Attributes that
    HDF5 cannot hold (mappings, lists of text) are JSON, and named in the attribute
    ``json_attributes``. ``content_hash`` is that of the data set, whatever was selected. Chunks run
    along the first dimension, compressed with gzip after a byte shuffle, which every HDF5 library
    can read. The same input gives the same bytes.
    """
    import h5py

    from aptbench.data.selection import Selection

    target, selection = Path(target), selection or Selection.of(dataset)
    with (
        export_file(target, overwrite=overwrite) as temporary,
        h5py.File(temporary, "w", libver="v110") as file,
    ):
        _write_attributes(
            file, dataset.attrs | {"format": FORMAT} | selection.as_attributes(dataset)
        )
        for system, group in selection.groups(dataset):
            _write_group(file.create_group(system), group, dataset.path / system)
    return target


def read_hdf5(path: Path | str) -> xr.DataTree:
    """Return an exported file as an xarray tree in memory, one node a system.

    Raises
    ------
    InputError
        If the file is no export of aptbench.
    """
    import h5py
    import xarray as xr

    try:
        with h5py.File(path, "r") as file:
            if file.attrs.get("format") != FORMAT:
                raise InputError(
                    f"The file {path} is no export of aptbench.",
                    got=f"format {file.attrs.get('format')!r}",
                    expected=FORMAT,
                )
            groups = {f"/{name}": _read_group(group) for name, group in file.items()}
            return xr.DataTree.from_dict({"/": xr.Dataset(attrs=_read_attributes(file))} | groups)
    except OSError as error:
        raise InputError(f"The file {path} is no HDF5 file.", got=error) from None


def _write_group(target: h5py.Group, group: xr.Dataset, source: Path) -> None:
    _write_attributes(target, group.attrs)
    for name in sorted(map(str, group.variables)):
        array = group.variables[name]
        row = max(1, array.dtype.itemsize * int(np.prod(array.shape[1:], dtype=np.int64)))
        length = array.shape[0]
        options: dict[str, Any] = {}
        if array.size:
            chunk = (min(length, max(1, _CHUNK_BYTES // row)), *array.shape[1:])
            options = {"chunks": chunk, "compression": "gzip", "compression_opts": 4}
        stored = target.create_dataset(
            name, array.shape, array.dtype, shuffle=bool(options), track_times=False, **options
        )
        for start, block in _blocks(array, row, source / name):
            stored[start : start + len(block)] = block
        for dimension, label in zip(stored.dims, array.dims, strict=True):
            dimension.label = str(label)
        coordinate = {"coordinate": True} if name in group.coords else {}
        _write_attributes(stored, array.attrs | coordinate)


def _blocks(array: xr.Variable, row: int, source: Path) -> Iterator[tuple[int, npt.NDArray[Any]]]:
    step = max(1, _BLOCK_BYTES // row)
    for start in range(0, array.shape[0], step):
        try:
            block = array[start : start + step].values
        except Exception as error:
            raise StoreError(
                f"The array {source} cannot be read.",
                got=f"{type(error).__name__}: {error}",
                do=f"aptbench verify {source.parents[1]}",
            ) from error
        yield start, block


def _read_group(group: h5py.Group) -> xr.Dataset:
    import xarray as xr

    variables, coordinates = {}, []
    for name, stored in group.items():
        attrs = _read_attributes(stored)
        if attrs.pop("coordinate", False):
            coordinates.append(name)
        dims = tuple(dimension.label for dimension in stored.dims)
        variables[name] = xr.Variable(dims, stored[...], attrs)
    return xr.Dataset(variables, attrs=_read_attributes(group)).set_coords(coordinates)


def _write_attributes(target: h5py.HLObject, attrs: Mapping[str, Any]) -> None:
    as_json = []
    for name, value in attrs.items():
        if isinstance(value, str | bool | int | float | np.generic):
            target.attrs[name] = value
        else:
            target.attrs[name] = json.dumps(value)
            as_json.append(name)
    if as_json:
        target.attrs["json_attributes"] = " ".join(as_json)


def _read_attributes(source: h5py.HLObject) -> dict[str, Any]:
    attrs = {
        name: value.item() if isinstance(value, np.generic) else value
        for name, value in source.attrs.items()
        if name not in ("json_attributes", "DIMENSION_LABELS")
    }
    for name in source.attrs.get("json_attributes", "").split():
        attrs[name] = json.loads(attrs[name])
    return attrs
