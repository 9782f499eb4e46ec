"""`DenseTrajectory`: what a spectrum needs of a system, checked."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, Protocol

import numpy as np
import numpy.typing as npt

from aptbench.data.stored_frames import StoredFrames
from aptbench.errors import InputError
from aptbench.frames import Frames
from aptbench.molecules import MoleculeTable
from aptbench.spectra import IR1, SpectralProtocol, reduction, uniform_time_step
from aptbench.spectra.absorption import check_times
from aptbench.spectra.fidelity import WHOLE
from aptbench.spectra.reduction import MolecularCurrents, TensorSource, reduce_trajectory

if TYPE_CHECKING:
    from aptbench.data import Dataset

VOLUME_OF_ISOLATED: Final = 1000.0
"""Volume in angstrom^3 that the absorption of an isolated system is divided by."""


class FrameSource(reduction.FrameSource, Protocol):
    """A trajectory that gives frames for a slice: `Frames`, or frames that stay in a store."""

    @property
    def n_atoms(self) -> int:
        """Number of atoms."""
        ...


@dataclass(frozen=True, eq=False)
class DenseTrajectory:
    """Frames at equal steps of time, and the constants of the absorption formula.

    Parameters
    ----------
    frames : FrameSource
        With velocities; sliced, never read as a whole.
    time_step : float
        In fs.
    volume : float
        In angstrom^3.
    temperature : float
        Of the velocities, in K.
    bands : mapping of name to (low, high)
        In cm^-1.
    protocol : SpectralProtocol
        How spectra are made.
    isolated : bool
        Whether there is no cell, so that the volume is a convention.
    identity : str
        Hash of what a model sees of the frames.
    """

    frames: FrameSource
    time_step: float
    volume: float
    temperature: float
    bands: Mapping[str, tuple[float, float]]
    protocol: SpectralProtocol = IR1
    isolated: bool = False
    identity: str = ""

    @property
    def first(self) -> Frames:
        """The first frame."""
        return self.frames[0:1]

    @property
    def places(self) -> dict[str, tuple[float, float] | None]:
        """The whole grid, without ends, and the bands, by name."""
        return {WHOLE: None, **self.bands}

    @property
    def no_molecules(self) -> str:
        """Why there are no molecules, as in a crystal or a network; empty if there are."""
        try:
            MoleculeTable.of(self.first)
        except InputError as error:
            return error.what
        return ""

    @property
    def constants(self) -> dict[str, Any]:
        """What `aptbench.spectra.absorption` needs besides the current, by keyword."""
        return {
            "time_step": self.time_step,
            "volume": self.volume,
            "temperature": self.temperature,
            "protocol": self.protocol,
        }


def dense_trajectory(
    dataset: Dataset,
    system: str,
    protocol: SpectralProtocol = IR1,
    *,
    frames: range | None = None,
) -> DenseTrajectory:
    """Return the trajectory of a system, or some frames of it, for a spectrum.

    The temperature is that of the velocities, whatever a thermostat before was set to; the bands
    are those of the attributes ``infrared_bands_by_system`` or ``infrared_bands`` of the data set,
    or of the protocol for water. An isolated system is divided by 1000 angstrom^3.

    Raises
    ------
    InputError
        If the system has no times or velocities, the steps are unequal, the volume changes, or
        the trajectory is too short: then there is no infrared spectrum by this route, and the
        message says why.
    """
    return trajectory_of(
        StoredFrames(dataset, system, frames),
        uniform_time_step(dataset.times(system)),
        protocol,
        bands=dataset.infrared_bands(system) or None,
        name=system,
    )


def trajectory_of(
    frames: FrameSource,
    time_step: float,
    protocol: SpectralProtocol = IR1,
    *,
    bands: Mapping[str, tuple[float, float]] | None = None,
    name: str = "trajectory",
) -> DenseTrajectory:
    """Return any trajectory for a spectrum; parameters and errors as `dense_trajectory`.

    Parameters
    ----------
    frames : FrameSource
    time_step : float
        In fs.
    protocol : SpectralProtocol
    bands : mapping of name to (low, high), optional
        In cm^-1; those of the protocol for systems of water if not given.
    name : str
        For the messages.
    """
    check_times(len(frames), time_step, protocol)
    first = frames[0:1]
    if first.velocities is None:
        raise InputError(
            f"The system {name!r} has no velocities, which a current needs.",
            do="write velocities with the trajectory",
        )
    temperatures, volumes = [], []
    digest = hashlib.sha256(first.atomic_numbers.tobytes())
    digest.update(str(first.total_charge).encode())
    digest.update(b"" if first.molecule is None else first.molecule.tobytes())
    for start in range(0, len(frames), 1024):
        part = frames[start : start + 1024]
        temperatures.append(part.temperatures)
        digest.update(part.positions.tobytes())
        if part.cell is not None:
            volumes.append(part.volumes)
            digest.update(part.cell.tobytes())
    volume = VOLUME_OF_ISOLATED
    if volumes:
        all_volumes = np.concatenate(volumes)
        volume = float(all_volumes.mean())
        if np.ptp(all_volumes) > 1e-6 * volume:
            raise InputError(
                f"The volume of the system {name!r} changes.",
                got=f"{all_volumes.min():.6g} to {all_volumes.max():.6g} angstrom^3",
                expected="a trajectory at constant volume",
            )
    if bands is None:
        # the bands of the protocol are those of water
        water = set(first.atomic_numbers.tolist()) == {1, 8}
        bands = {name: (low, high) for name, low, high in protocol.bands} if water else {}
    return DenseTrajectory(
        frames,
        time_step,
        volume,
        float(np.concatenate(temperatures).mean()),
        bands,
        protocol,
        isolated=not volumes,
        identity=digest.hexdigest(),
    )


def molecular_currents(
    tensors: TensorSource | Callable[[Frames], npt.ArrayLike], trajectory: DenseTrajectory
) -> MolecularCurrents:
    """Return the currents of atoms, molecules and modes along a trajectory.

    Parameters
    ----------
    tensors : array-like (frame, atom, pol, disp), or function of Frames
        In e, read a stretch of frames at a time.
    trajectory : DenseTrajectory
        Its molecules are those of its table, or are found from the distances of the first frame.

    Raises
    ------
    InputError
        If the molecules of the first frame make no sense.
    """
    return reduce_trajectory(trajectory.frames, tensors, MoleculeTable.of(trajectory.first))
