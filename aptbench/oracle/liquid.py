"""`liquid`, `cluster`: synthetic water-like systems of the polarizable model, with exact labels."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from aptbench.errors import InputError
from aptbench.frames import Frames, LabelledFrames
from aptbench.oracle.dynamics import thermal_velocities, velocity_verlet
from aptbench.oracle.water import PolarizableWater

Array = npt.NDArray[np.float64]

VOLUME_PER_MOLECULE = 29.9
"""angstrom^3, liquid water at 300 K."""


def liquid(
    n_molecules: int = 8,
    n_frames: int = 50,
    seed: int = 0,
    *,
    temperature: float = 300.0,
    time_step: float = 0.5,
    stride: int = 4,
    equilibration: int = 400,
    model: PolarizableWater | None = None,
) -> Frames:
    """Return a trajectory of a synthetic periodic liquid at constant energy.

    Parameters
    ----------
    n_molecules : int
        At least 5, so that the cell is wide enough.
    n_frames : int
    seed : int
        Of the start and the thermostat.
    temperature : float
        In K, of the equilibration.
    time_step : float
        In fs; frames are ``stride`` steps apart.
    stride : int
    equilibration : int
        Thermostatted steps before the first frame.
    model : PolarizableWater, optional

    Returns
    -------
    Frames
        Atoms in the order O H H, with velocities, cell and molecules.

    Examples
    --------
    >>> frames = liquid(8, 2, equilibration=2)
    >>> frames.n_atoms, frames.molecule[:4].tolist(), frames.velocities.shape
    (24, [0, 0, 0, 1], (2, 24, 3))
    """
    if n_molecules < 5:
        raise InputError(
            "A liquid needs more molecules.",
            got=n_molecules,
            expected="5 or more",
            do="use 'cluster' for an isolated system",
        )
    side = (n_molecules * VOLUME_PER_MOLECULE) ** (1 / 3)
    start = _lattice(n_molecules, side, np.full(3, side), seed)
    return _run(start, n_frames, seed, temperature, time_step, stride, equilibration, model)


def cluster(
    n_molecules: int = 2,
    n_frames: int = 50,
    seed: int = 0,
    *,
    temperature: float = 150.0,
    time_step: float = 0.5,
    stride: int = 4,
    equilibration: int = 400,
    model: PolarizableWater | None = None,
) -> Frames:
    """Return a trajectory of a synthetic isolated cluster; parameters as `liquid`."""
    side = (n_molecules * VOLUME_PER_MOLECULE) ** (1 / 3)
    start = _lattice(n_molecules, side, None, seed)
    return _run(start, n_frames, seed, temperature, time_step, stride, equilibration, model)


def labelled_liquid(
    n_molecules: int = 8, n_frames: int = 50, seed: int = 0, **options: float
) -> LabelledFrames:
    """Return `liquid` with exact tensors and dipoles; options as there.

    Examples
    --------
    >>> labelled_liquid(8, 2, equilibration=2).apt.shape
    (2, 24, 3, 3)
    """
    model = PolarizableWater()
    frames = liquid(n_molecules, n_frames, seed, model=model, **options)  # type: ignore[arg-type]
    return model.label(frames)


def _lattice(n_molecules: int, side: float, cell: Array | None, seed: int) -> Frames:
    """Place molecules on a cubic grid in random orientations."""
    rng = np.random.default_rng(seed)
    n = int(np.ceil(n_molecules ** (1 / 3) - 1e-9))
    grid = np.stack(np.meshgrid(*[np.arange(n)] * 3, indexing="ij"), -1).reshape(-1, 3)
    sites = grid[np.sort(rng.permutation(n**3)[:n_molecules])] * side / n
    model = PolarizableWater()
    half = model.angle / 2
    shape = model.bond * np.array(
        [[0, 0, 0], [np.sin(half), 0, np.cos(half)], [-np.sin(half), 0, np.cos(half)]]
    )
    positions = [site + shape @ _rotation(rng).T for site in sites]
    numbers, molecule = np.tile([8, 1, 1], n_molecules), np.repeat(np.arange(n_molecules), 3)
    return Frames(numbers, np.concatenate(positions), cell, molecule=molecule)


def _rotation(rng: np.random.Generator) -> Array:
    matrix, upper = np.linalg.qr(rng.normal(size=(3, 3)))
    matrix = matrix * np.sign(np.diag(upper))
    return matrix * np.linalg.det(matrix)


def _run(
    start: Frames,
    n_frames: int,
    seed: int,
    temperature: float,
    time_step: float,
    stride: int,
    equilibration: int,
    model: PolarizableWater | None,
) -> Frames:
    model = PolarizableWater() if model is None else model
    start = start.replace(velocities=thermal_velocities(start, temperature, seed))
    warm = velocity_verlet(
        model,
        start,
        n_frames=2,
        stride=max(equilibration, 1),
        time_step=time_step,
        temperature=temperature,
        seed=seed,
    )[-1]
    mass, v = warm.masses[:, None], warm.velocities
    assert v is not None
    warm = warm.replace(velocities=v - np.sum(mass * v, axis=1, keepdims=True) / mass.sum())
    return velocity_verlet(model, warm, n_frames=n_frames, time_step=time_step, stride=stride)
