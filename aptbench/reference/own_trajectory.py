"""`OwnTrajectory`: the section of a recipe that names files of a trajectory that is there."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final, Literal

import numpy as np
import numpy.typing as npt
from pydantic import BaseModel, ConfigDict, Field, model_validator

from aptbench.data.lint_trajectory import check_duplicates, check_velocities
from aptbench.data.plausibility import Finding
from aptbench.data.readers.trajectory_file import read_trajectory_file
from aptbench.data.system import SystemData
from aptbench.errors import InputError
from aptbench.frames import Frames
from aptbench.molecules import MoleculeTable
from aptbench.spectra import IR1, uniform_time_step
from aptbench.spectra.absorption import check_times

Array = npt.NDArray[np.float64]
Edges = tuple[float, float, float]

_SAME_CELL: Final = 1e-3


class OwnTrajectory(BaseModel):
    """Files of a trajectory that was made elsewhere, instead of dynamics that are run."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    positions: str = Field(description="file, beside the recipe or with its whole path")
    velocities: str | None = Field(
        None,
        description="file of velocities, of format cp2k; others have them in that of the positions",
    )
    format: Literal["cp2k", "extxyz", "ase"] = Field(
        "cp2k",
        description="cp2k: xyz files of CP2K, which state their times; extxyz: extended or plain "
        "xyz; ase: any that ASE knows by its name, such as XDATCAR, a LAMMPS dump, .traj",
    )
    velocity_unit: str | None = Field(
        None,
        description="needed with velocities of cp2k (it writes bohr/atomic_time unless its input "
        "says otherwise), and of an extxyz file that does not state it",
    )
    cell: Edges | tuple[Edges, Edges, Edges] | None = Field(
        None, description="angstrom, three edges or three vectors as rows; where the file has none"
    )
    time_step: float | None = Field(
        None,
        gt=0,
        description="fs between two frames of the file, of ase, and of extxyz without times",
    )
    time_unit: str | None = Field(
        None, description="of the 'time=' in the comments of an extxyz file"
    )
    stride: int = Field(1, ge=1, description="every so many frames of the file are taken")
    atoms_per_molecule: int | None = Field(
        None,
        ge=1,
        description="consecutive atoms form molecules of so many; none are marked if left out",
    )
    temperature: float | None = Field(None, gt=0, description="K, of the thermostat; for tables")
    made_with: str = Field(
        min_length=1, description="code and version, potential or functional, ensemble, in words"
    )

    @model_validator(mode="after")
    def _check_unit(self) -> OwnTrajectory:
        if self.velocities is not None and self.velocity_unit is None:
            raise ValueError(
                "the velocities need a 'velocity_unit': CP2K writes bohr/atomic_time unless its "
                "input says otherwise"
            )
        return self

    def read(self, folder: Path) -> tuple[Array, Frames]:
        """Read the files, and check that labels and spectra can stand on them.

        Parameters
        ----------
        folder : Path
            Of the recipe.

        Returns
        -------
        times : array, shape (frame,)
            In fs, from the first frame, evenly spaced.
        frames : Frames
            Periodic and neutral, with molecules if the recipe has them, and with velocities in
            angstrom/fs where the files do.

        Raises
        ------
        InputError
            If the times are uneven, a frame is there twice, velocities are not those of the
            positions, the atoms do not form molecules, or there is no cell or a charge; all errors
            of `read_trajectory_file`.
        """
        times, frames = read_trajectory_file(
            self._path(folder, self.positions),
            None if self.velocities is None else self._path(folder, self.velocities),
            format=self.format,
            cell=self.cell,
            time_step=self.time_step,
            time_unit=self.time_unit,
            velocity_unit=self.velocity_unit,
        )
        self._check_system(frames)
        _refuse(check_duplicates(frames))
        step = uniform_time_step(times)
        times = np.arange(len(frames), dtype=np.float64) * step
        # before the stride, which may take frames too far apart to tell
        _refuse(check_velocities(frames, times))
        return times[:: self.stride], self._with_molecules(frames[:: self.stride])

    def system_data(self, folder: Path) -> SystemData:
        """Return the trajectory without labels, with its provenance; errors as `read`."""
        times, frames = self.read(folder)
        provenance: dict[str, Any] = {"sampling": self.provenance(folder)}
        if self.temperature is not None:
            provenance["temperature_K"] = self.temperature
        no_labels = np.zeros((0, frames.n_atoms, 3, 3))
        return SystemData(frames, np.zeros(0, int), no_labels, times=times, provenance=provenance)

    def provenance(self, folder: Path) -> dict[str, Any]:
        """Return what the store says of how the trajectory came about: the section, and hashes."""
        names = [name for name in (self.positions, self.velocities) if name is not None]
        return {
            "code": self.made_with,
            **self.model_dump(mode="json", exclude={"made_with"}),
            "sha256": {name: _sha256(self._path(folder, name)) for name in names},
        }

    def expect_imported(self, folder: Path, attrs: Mapping[str, Any]) -> None:
        """Compare the section with the attributes of a stored trajectory.

        Files that are not there any more are not compared.

        Raises
        ------
        InputError
            If the trajectory was imported with other entries, from other files, or not imported.
        """
        stored = dict(attrs.get("provenance", {}).get("sampling", {}))
        now = self.provenance(folder)
        for key in sorted({*stored, *now}):
            old, new = stored.get(key), now.get(key)
            if key == "sha256" and isinstance(old, Mapping) and isinstance(new, Mapping):
                new = {name: value or old.get(name) for name, value in new.items()}
            if old != new:
                raise InputError(
                    "The stored trajectory is not the one that the recipe names.",
                    got=f"{key}: {old}",
                    expected=f"{key}: {new}",
                    do="restore the recipe and its files, or import them afresh (--fresh): labels "
                    "stay valid for frames that are where they were",
                )

    def _check_system(self, frames: Frames) -> None:
        if frames.cell is None:
            raise InputError(
                f"There is no cell in {self.positions}, and none in the recipe.",
                expected="'cell' in angstrom: labels are made in a periodic field",
                do="give the cell; systems without one are labelled by 'aptbench dense'",
            )
        if self.cell is not None:
            given = np.diag(self.cell) if np.ndim(self.cell) == 1 else np.asarray(self.cell)
            if np.any(np.abs(frames.cell - given) > _SAME_CELL):
                raise InputError(
                    f"The cell in {self.positions} is not that of the recipe.",
                    got=frames.cell[0].tolist(),
                    expected=given.tolist(),
                    do="leave 'cell' out where the file holds it",
                )
        if frames.total_charge:
            raise InputError(
                f"The trajectory in {self.positions} is charged.",
                got=f"{frames.total_charge:g} e",
                expected="a neutral cell: the inputs of the labels are for one",
            )

    def _with_molecules(self, frames: Frames) -> Frames:
        n = self.atoms_per_molecule
        if n is None:
            return frames.replace(molecule=None)
        if frames.n_atoms % n:
            raise InputError(
                f"The atoms of {self.positions} do not divide into molecules.",
                got=f"{frames.n_atoms} atoms, {n} a molecule",
                expected="a divisor of the number of atoms",
            )
        molecule = np.arange(frames.n_atoms) // n
        MoleculeTable.of(frames[:1], molecule)  # tells which atoms are too far apart
        return frames.replace(molecule=molecule)

    @staticmethod
    def _path(folder: Path, name: str) -> Path:
        return folder / Path(name).expanduser()


def missing_for_spectra(times: Array, frames: Frames) -> str | None:
    """Return why no infrared spectrum can be made of a trajectory under ``ir@1``, in words.

    Parameters
    ----------
    times : array, shape (frame,)
        In fs.
    frames : Frames

    Returns
    -------
    str or None
        None where nothing is missing. Labels can be made in any case.
    """
    if frames.velocities is None:
        return "it has no velocities, which every spectrum needs"
    try:
        check_times(len(frames), uniform_time_step(times), IR1)
    except InputError as error:
        return f"{error.what} {error.got}; {error.expected}"
    return None


def _refuse(finding: Finding) -> None:
    if not finding.ok:
        raise InputError(
            f"The trajectory does not pass the check {finding.check!r}.",
            got=finding.message,
            do=finding.advice,
        )


def _sha256(path: Path) -> str | None:
    if not path.is_file():
        return None
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
