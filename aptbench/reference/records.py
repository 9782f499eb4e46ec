"""`LabelRecord`: one labelled frame with its provenance, one small file, written atomically."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from aptbench.atomic import new_file
from aptbench.conventions import VERSION
from aptbench.errors import StoreError

Array = npt.NDArray[np.float64]

FORMAT = "aptbench-label-1"


@dataclass(frozen=True, eq=False)
class LabelRecord:
    """What one labelling calculation gave, raw enough to derive the tensor again.

    Parameters
    ----------
    frame : int
        Number of the frame in its trajectory.
    time : float
        In fs.
    atomic_numbers : array, shape (atom,)
    positions : array, shape (atom, xyz)
        In angstrom.
    cell : array, shape (vector, xyz), or None
        In angstrom; None for an isolated system.
    apt : array, shape (atom, pol, disp)
        In e, as computed: no sum rule was imposed.
    forces : array, shape (atom, xyz)
        Without field, in Hartree/bohr.
    field_forces : array, shape (pol, sign, atom, xyz)
        In the six fields, plus before minus, in Hartree/bohr.
    dipole : array, shape (pol,)
        In e angstrom; modulo the polarization quantum in a cell.
    wannier_centers : array, shape (wannier, xyz)
        In angstrom.
    scf_iterations : array of int, shape (7,)
    scf_residual : array, shape (7,)
        Last gradient of the self-consistent field: without field, then the six fields.
    provenance : mapping
        Code, version, theory, hash of every input, wall time.
    """

    frame: int
    time: float
    atomic_numbers: npt.NDArray[np.int64]
    positions: Array
    cell: Array | None
    apt: Array
    forces: Array
    field_forces: Array
    dipole: Array
    wannier_centers: Array
    scf_iterations: npt.NDArray[np.int64]
    scf_residual: Array
    provenance: Mapping[str, Any]

    @property
    def sum_rule_residual(self) -> Array:
        """Sum of the tensors over all atoms (zero for a neutral cell), shape (pol, disp), in e."""
        return self.apt.sum(axis=0)

    def write(self, path: Path) -> None:
        """Write the record to an HDF5 file: complete under its name, or not there at all."""
        import h5py

        with new_file(path) as temporary, h5py.File(temporary, "w", track_order=True) as file:
            file.attrs["format"] = FORMAT
            file.attrs["conventions"] = VERSION
            file.attrs["frame"] = self.frame
            file.attrs["time_fs"] = self.time
            file.attrs["provenance"] = json.dumps(dict(self.provenance), sort_keys=True)
            for name, unit in _UNITS.items():
                value = getattr(self, name)
                if value is None:
                    continue
                data = file.create_dataset(
                    name, data=value, compression="gzip", shuffle=True, track_times=False
                )
                data.attrs["units"] = unit

    @classmethod
    def read(cls, path: Path) -> LabelRecord:
        """Read a record.

        Raises
        ------
        StoreError
            If the file is missing, damaged, or not a label record.
        """
        import h5py

        try:
            with h5py.File(path, "r") as file:
                if file.attrs.get("format") != FORMAT:
                    raise StoreError(
                        f"{path} is not a label record.",
                        got=file.attrs.get("format"),
                        expected=FORMAT,
                    )
                arrays: dict[str, Any] = {
                    name: file[name][()] if name in file else None for name in _UNITS
                }
                return cls(
                    frame=int(file.attrs["frame"]),
                    time=float(file.attrs["time_fs"]),
                    provenance=json.loads(file.attrs["provenance"]),
                    **arrays,
                )
        except FileNotFoundError:
            raise StoreError(
                "There is no label record of this frame.", got=path, do="aptbench label"
            ) from None
        except (OSError, KeyError) as error:
            raise StoreError(
                f"The label record {path} cannot be read.",
                got=error,
                do="restore it with git, or remove it and label the frame again",
            ) from None


_UNITS = {
    "atomic_numbers": "1",
    "positions": "angstrom",
    "cell": "angstrom",
    "apt": "elementary_charge",
    "forces": "hartree/bohr",
    "field_forces": "hartree/bohr",
    "dipole": "elementary_charge angstrom",
    "wannier_centers": "angstrom",
    "scf_iterations": "1",
    "scf_residual": "1",
}


def record_path(folder: Path, frame: int) -> Path:
    """Return where the record of a frame lies in a folder of records."""
    return Path(folder) / f"frame-{frame:06d}.h5"


def failure_path(folder: Path, frame: int) -> Path:
    """Return where the failure of a frame is written down."""
    return Path(folder) / f"frame-{frame:06d}.failed.json"


def read_records(folder: Path) -> list[LabelRecord]:
    """Read all records of a folder in the order of their frames."""
    return [LabelRecord.read(path) for path in sorted(Path(folder).glob("frame-*.h5"))]
