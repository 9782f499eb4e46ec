"""`DenseTrajectory`: what a spectrum needs of a system, checked."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from aptbench.errors import InputError
from aptbench.frames import Frames
from aptbench.spectra import (
    IR1,
    SpectralProtocol,
    absorption,
    uniform_time_step,
)
from aptbench.units import ATOMIC_MASS, BOLTZMANN

if TYPE_CHECKING:
    from aptbench.data import Dataset


@dataclass(frozen=True, eq=False)
class DenseTrajectory:
    """Frames at equal steps of time, and the constants of the absorption formula.

    Parameters
    ----------
    frames : Frames
        With velocities and cell.
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
    """

    frames: Frames
    time_step: float
    volume: float
    temperature: float
    bands: Mapping[str, tuple[float, float]]
    protocol: SpectralProtocol = IR1


def dense_trajectory(
    dataset: Dataset, system: str, protocol: SpectralProtocol = IR1
) -> DenseTrajectory:
    """Return the trajectory of a system for a spectrum.

    The temperature is that of the velocities, whatever a thermostat before was set to; the bands
    are those of the attribute ``infrared_bands`` of the data set, or of the protocol for water.

    Raises
    ------
    InputError
        If the system has no times, velocities or cell, the steps are unequal, the volume changes,
        or the trajectory is too short: then there is no infrared spectrum by this route, and the
        message says why.
    """
    times = dataset.times(system)
    frames = dataset.trajectory(system)
    if frames.velocities is None:
        raise InputError(f"The system {system!r} has no velocities, which a current needs.")
    if frames.cell is None:
        raise InputError(
            f"The system {system!r} is isolated: absorption per length needs a volume."
        )
    volumes = frames.volumes
    if np.ptp(volumes) > 1e-6 * volumes.mean():
        raise InputError(f"The volume of the system {system!r} changes.")
    time_step = uniform_time_step(times)
    temperature = kinetic_temperature(frames)
    stated = dataset.attrs.get("infrared_bands")
    if stated is not None:
        bands = {str(name): (float(low), float(high)) for name, (low, high) in stated.items()}
    else:
        # the bands of the protocol are those of water
        water = set(frames.atomic_numbers.tolist()) == {1, 8}
        bands = {name: (low, high) for name, low, high in protocol.bands} if water else {}
    # The protocol refuses what it cannot serve: better here than after minutes of predictions.
    absorption(
        np.zeros((len(frames), 3)),
        time_step=time_step,
        volume=float(volumes.mean()),
        temperature=temperature,
        protocol=protocol,
    )
    return DenseTrajectory(frames, time_step, float(volumes.mean()), temperature, bands, protocol)


def kinetic_temperature(frames: Frames) -> float:
    """Return the temperature of the velocities in K.

    Notes
    -----
    T = sum_i m_i v_i^2 / (kB (3 N - 3)), mean over frames: the momentum of the cell is conserved.

    Examples
    --------
    >>> frames = Frames([1, 1], np.zeros((2, 3)), velocities=[[0.02, 0, 0], [-0.02, 0, 0]])
    >>> round(kinetic_temperature(frames))
    323
    """
    if frames.velocities is None:
        raise InputError("A kinetic temperature needs velocities.")
    twice = np.einsum("a,fax,fax->f", frames.masses, frames.velocities, frames.velocities)
    joule = twice.mean() * ATOMIC_MASS * 1e10  # (angstrom/fs)^2 is 1e10 (m/s)^2
    return float(joule / (BOLTZMANN * max(1, 3 * frames.n_atoms - 3)))
