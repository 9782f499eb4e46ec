"""`velocity_verlet`: molecular dynamics of an oracle model (synthetic trajectories)."""

from __future__ import annotations

from typing import Final, Protocol

import numpy as np
import numpy.typing as npt

from aptbench.errors import InputError
from aptbench.frames import Frames
from aptbench.units import ATOMIC_MASS, BOLTZMANN, ELEMENTARY_CHARGE

Array = npt.NDArray[np.float64]

ACCELERATION: Final = ELEMENTARY_CHARGE / ATOMIC_MASS * 1e-10
"""angstrom/fs^2 of 1 eV/angstrom on 1 u."""
BOLTZMANN_EV: Final = BOLTZMANN / ELEMENTARY_CHARGE
"""Boltzmann constant in eV/K."""


class HasForces(Protocol):
    """A model with forces."""

    def forces(self, frames: Frames) -> Array:
        """Return forces in eV/angstrom, shape (frame, atom, xyz)."""
        ...


def velocity_verlet(
    model: HasForces,
    start: Frames,
    *,
    n_frames: int,
    time_step: float,
    stride: int = 1,
    temperature: float | None = None,
    friction: float = 0.02,
    seed: int = 0,
) -> Frames:
    """Return a trajectory with positions and velocities at the same times.

    Parameters
    ----------
    model : HasForces
    start : Frames
        One frame, with velocities.
    n_frames : int
        Frames to return; the first is ``start``.
    time_step : float
        In fs.
    stride : int
        Steps between frames.
    temperature : float, optional
        In K: with a Langevin thermostat (for equilibration only); without it, constant energy.
    friction : float
        Of the thermostat in 1/fs.
    seed : int
        Of the thermostat.

    Returns
    -------
    Frames
        Positions unwrapped.

    Raises
    ------
    InputError
        If ``start`` is not one frame with velocities.
    """
    if len(start) != 1 or start.velocities is None:
        raise InputError(
            "Dynamics starts from one frame with velocities.",
            got=f"{len(start)} frames, velocities {'no' if start.velocities is None else 'yes'}",
        )
    rng = np.random.default_rng(seed)
    mass = start.masses[:, None]
    x, v = start.positions[0].copy(), start.velocities[0].copy()
    kept_x, kept_v = [x.copy()], [v.copy()]
    kick = ACCELERATION * model.forces(start)[0] / mass * time_step / 2
    keep = np.exp(-friction * time_step)
    for step in range(1, (n_frames - 1) * stride + 1):
        v = v + kick
        if temperature is None:
            x = x + time_step * v
        else:
            x = x + time_step / 2 * v
            noise = np.sqrt((1 - keep**2) * BOLTZMANN_EV * temperature * ACCELERATION / mass)
            v = keep * v + noise * rng.normal(size=v.shape)
            x = x + time_step / 2 * v
        here = start.replace(positions=x, velocities=v)
        kick = ACCELERATION * model.forces(here)[0] / mass * time_step / 2
        v = v + kick
        if step % stride == 0:
            kept_x.append(x.copy())
            kept_v.append(v.copy())
    cell = None if start.cell is None else start.cell[0]
    return start.replace(positions=np.array(kept_x), velocities=np.array(kept_v), cell=cell)


def thermal_velocities(frames: Frames, temperature: float, seed: int) -> Array:
    """Return Maxwell velocities in angstrom/fs without net momentum, shape of the positions."""
    mass = frames.masses[:, None]
    width = np.sqrt(BOLTZMANN_EV * temperature * ACCELERATION / mass)
    v = width * np.random.default_rng(seed).normal(size=frames.positions.shape)
    return v - np.sum(mass * v, axis=-2, keepdims=True) / mass.sum()
