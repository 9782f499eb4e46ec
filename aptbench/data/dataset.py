"""`Dataset`: a store opened for reading."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from aptbench.data.manifest import Problem, compare, repair_advice
from aptbench.data.schema import SCHEMA
from aptbench.data.system import SystemData
from aptbench.errors import InputError, StoreError, UnknownNameError
from aptbench.frames import Frames, LabelledFrames

if TYPE_CHECKING:
    import xarray as xr

Array = npt.NDArray[np.float64]


class Dataset:
    """A store opened for reading: lazy, arrays are read when they are asked for.

    Opening compares presence and size of all objects with the manifest, because Zarr would return
    zeros for a missing one; `aptbench.data.verify` compares the hashes too.

    Parameters
    ----------
    path : path
        Of the store.

    Raises
    ------
    StoreError
        If there is no store at ``path``, or it is truncated, damaged or of another schema.
    """

    def __init__(self, path: Path | str) -> None:
        self._path = Path(path)
        self._attrs = read_root_attributes(self._path)
        _refuse(self._path, compare(self._path, hashes=False))
        self._arrays: dict[tuple[str, str], Any] = {}

    def __repr__(self) -> str:
        systems = ", ".join(self.systems)
        return f"<Dataset {self.name} {self.version}: {systems} ({self.content_hash[:15]}...)>"

    @property
    def path(self) -> Path:
        """Of the store."""
        return self._path

    @property
    def size(self) -> int:
        """Bytes of all files of the store."""
        return sum(path.stat().st_size for path in self.path.rglob("*") if path.is_file())

    @property
    def name(self) -> str:
        """Name of the data set."""
        return str(self._attrs["name"])

    @property
    def version(self) -> str:
        """Version of the data set, MAJOR.MINOR.PATCH."""
        return str(self._attrs["version"])

    @property
    def attrs(self) -> dict[str, Any]:
        """A copy of the attributes of the data set."""
        return json.loads(json.dumps(self._attrs))

    @property
    def content_hash(self) -> str:
        """The content hash that the store states."""
        return str(self._attrs["content_hash"])

    @property
    def systems(self) -> tuple[str, ...]:
        """Names of the systems, in alphabetical order."""
        return tuple(self._attrs["systems"])

    def only_system(self) -> str:
        """Return the name of the system of a data set that has one.

        Raises
        ------
        InputError
            If there are several.
        """
        if len(self.systems) != 1:
            raise InputError(
                f"The data set {self.name} has several systems.",
                got=", ".join(self.systems),
                do="choose one with --system",
            )
        return self.systems[0]

    def system_attrs(self, system: str) -> dict[str, Any]:
        """Return the attributes of a system: provenance, total charge, conventions."""
        return _read_attributes(self._path, self._known(system))

    def infrared_bands(self, system: str) -> dict[str, tuple[float, float]]:
        """Return the ends of the bands of a system in cm^-1 by name; empty if none is stated."""
        of_all = self._attrs.get("infrared_bands", {})
        stated = self._attrs.get("infrared_bands_by_system", {}).get(self._known(system), of_all)
        return {name: (float(low), float(high)) for name, (low, high) in stated.items()}

    def n_frames(self, system: str) -> int:
        """Return the number of frames of a system."""
        return int(self._array(system, "positions").shape[0])

    def n_labels(self, system: str) -> int:
        """Return the number of labelled frames of a system."""
        return int(self._array(system, "label_frame").shape[0])

    def n_atoms(self, system: str) -> int:
        """Return the number of atoms of a system."""
        return int(self._array(system, "atomic_number").shape[0])

    def has_times(self, system: str) -> bool:
        """Return whether the frames of a system are a trajectory."""
        return (self._path / self._known(system) / "time").is_dir()

    def times(self, system: str) -> Array:
        """Return the times of all frames in fs, shape (frame,).

        Raises
        ------
        InputError
            If the frames of the system are no trajectory.
        """
        times = self._read(system, "time")
        if times is None:
            raise InputError(
                f"The system {system!r} of {self.name} has no times.",
                got="independent frames",
                expected="a trajectory",
                do="use another system for what needs dynamics",
            )
        return np.asarray(times, float)

    def label_frames(self, system: str) -> npt.NDArray[np.int64]:
        """Return the frame of each label, shape (label,)."""
        return np.asarray(self._read(system, "label_frame"), np.int64)

    def quality(self, system: str) -> dict[str, Array]:
        """Return the quality columns of the labels by name, each of shape (label,)."""
        group = self._path / system
        names = sorted(child.name for child in group.iterdir() if child.is_dir())
        columns = {}
        for name in names:
            if self._array(system, name).attrs.get("role") == "quality":
                columns[name] = np.asarray(self._read(system, name), float)
        return columns

    def trajectory(self, system: str, frames: slice | None = None) -> Frames:
        """Return frames of a system, with velocities where the store has them.

        Parameters
        ----------
        system : str
        frames : slice, optional
            All frames if None.
        """
        return self._frames(system, slice(None) if frames is None else frames)

    def labelled(self, system: str, labels: npt.ArrayLike | None = None) -> LabelledFrames:
        """Return labelled frames of a system, with velocities where the store has them.

        Parameters
        ----------
        system : str
        labels : array of int, optional
            Indices into the labels, in any order; all labels if None.

        Raises
        ------
        InputError
            If an index is outside, or not an integer.
        """
        label_frames = self.label_frames(system)
        index = np.arange(len(label_frames)) if labels is None else np.asarray(labels)
        if index.size == 0:
            index = index.astype(int)
        outside = (
            index.ndim != 1
            or not np.issubdtype(index.dtype, np.integer)
            or np.any((index < 0) | (index >= len(label_frames)))
        )
        if outside:
            raise InputError(
                f"The 'labels' are not labels of the system {system!r} of {self.name}.",
                got=f"{index.dtype} array of shape {index.shape}, values {index.ravel()[:5]} ...",
                expected=f"integers from 0 to {len(label_frames) - 1}",
            )
        return LabelledFrames(
            self._frames(system, label_frames[index]),
            self._read(system, "apt", index),
            self._read(system, "dipole", index),
            self._read(system, "wannier_center", index),
        )

    def system_data(self, system: str) -> SystemData:
        """Return everything that the store holds about a system, ready to be written again.

        Examples
        --------
        A data set of one system of another one::

            write_dataset("part.zarr", {"water-1": dataset.system_data("water-1")}, attrs)
        """
        labelled = self.labelled(system)
        quality = self.quality(system)
        return SystemData(
            self.trajectory(system),
            self.label_frames(system),
            labelled.apt,
            times=self.times(system) if self.has_times(system) else None,
            dipole=labelled.dipole,
            wannier_centers=labelled.wannier_centers,
            quality=quality,
            quality_units={name: self._array(system, name).attrs["units"] for name in quality},
            provenance=self.system_attrs(system)["provenance"],
        )

    def tree(self) -> xr.DataTree:
        """Return the whole store as a lazy xarray tree, one node a system."""
        return open_tree(self._path)

    def _frames(self, system: str, index: Any) -> Frames:
        attrs = self.system_attrs(system)
        cell = None
        if attrs["periodic"]:
            constant = self._array(system, "cell").ndim == 2
            cell = self._read(system, "cell", None if constant else index)
        return Frames(
            self._read(system, "atomic_number"),
            self._read(system, "positions", index),
            cell,
            self._read(system, "velocities", index),
            self._read(system, "molecule"),
            float(attrs["total_charge"]),
        )

    def _known(self, system: str) -> str:
        if system not in self.systems:
            raise UnknownNameError(f"system of {self.name}", system, self.systems)
        return system

    def _array(self, system: str, name: str) -> Any:
        """Return the handle of an array, opened once."""
        key = (self._known(system), name)
        if key not in self._arrays:
            import zarr

            try:
                self._arrays[key] = zarr.open_array(self._path / system / name, mode="r")
            except Exception as error:
                raise self._damaged(f"{system}/{name}", error) from error
        return self._arrays[key]

    def _read(self, system: str, name: str, index: Any = None) -> Any:
        if not (self._path / self._known(system) / name).is_dir():
            return None
        array = self._array(system, name)
        try:
            if index is None:
                return array[...]
            if isinstance(index, slice):
                start, stop, step = index.indices(array.shape[0])
                if step < 1:
                    index = np.arange(start, stop, step)
                else:
                    return array[start : max(start, stop) : step]
            # Each chunk is decoded once, whatever the order that is asked for.
            unique, inverse = np.unique(np.asarray(index, int), return_inverse=True)
            if unique.size == 0:
                return np.zeros((0, *array.shape[1:]), array.dtype)
            return array.oindex[unique][inverse]
        except Exception as error:
            raise self._damaged(f"{system}/{name}", error) from error

    def _damaged(self, name: str, error: Exception) -> StoreError:
        return StoreError(
            f"The array {name} of the store {self._path} cannot be read.",
            got=f"{type(error).__name__}: {error}",
            do=repair_advice(self._path),
        )


def open_tree(path: Path) -> xr.DataTree:
    """Open a store as a lazy xarray tree; the node of the manifest is left out."""
    import xarray as xr

    try:
        tree = xr.open_datatree(path, engine="zarr", consolidated=False, decode_times=False)
    except Exception as error:
        raise StoreError(
            f"The store {path} cannot be read.",
            got=f"{type(error).__name__}: {error}",
            do=repair_advice(path),
        ) from error
    return xr.DataTree.from_dict(
        {name: node.dataset for name, node in tree.subtree_with_keys if name != "manifest"}
    )


def read_root_attributes(path: Path) -> dict[str, Any]:
    """Return the attributes of a data set without opening its arrays.

    Raises
    ------
    StoreError
        If there is no store of this schema.
    """
    if not path.is_dir():
        pointer = path.with_name(path.name + ".dvc")
        do = f"dvc pull {pointer}" if pointer.is_file() else "check the path"
        raise StoreError(f"There is no store at {path}.", do=do)
    attributes = _read_attributes(path, "")
    if attributes.get("schema") != SCHEMA:
        raise StoreError(
            f"The store {path} is of another layout.",
            got=f"schema {attributes.get('schema')!r}",
            expected=SCHEMA,
            do="read it with the version of aptbench that wrote it, or convert it again",
        )
    missing = [k for k in ("name", "version", "content_hash", "systems") if k not in attributes]
    if missing:
        raise StoreError(
            f"The store {path} lacks attributes.",
            got=f"no {', '.join(missing)}",
            do=repair_advice(path),
        )
    return attributes


def _read_attributes(path: Path, group: str) -> dict[str, Any]:
    file = path / group / "zarr.json"
    try:
        attributes: dict[str, Any] = json.loads(file.read_text(encoding="utf-8"))["attributes"]
        return attributes | {}
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise StoreError(
            f"The store {path} is truncated or damaged.",
            got=f"{file.relative_to(path).as_posix()}: {type(error).__name__}: {error}",
            do=repair_advice(path),
        ) from None


def _refuse(path: Path, problems: list[Problem]) -> None:
    if problems:
        shown = "; ".join(f"{p.name}: {p.message}" for p in problems[:5])
        more = f"; and {len(problems) - 5} more" if len(problems) > 5 else ""
        raise StoreError(
            f"The store {path} is truncated or damaged.",
            got=shown + more,
            expected="every object of its manifest, and no other",
            do=repair_advice(path),
        )
