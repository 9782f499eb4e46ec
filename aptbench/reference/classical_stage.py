"""`classical_stage`: one stage of sampling with a classical force field, kept in a file."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np

from aptbench.atomic import write_archive
from aptbench.frames import Frames
from aptbench.oracle.dynamics import ACCELERATION
from aptbench.reference.classical import ClassicalLiquid
from aptbench.reference.recipe import Sampling, Stage
from aptbench.reference.start import expect_settings, expect_start

_FILE = "frames.npz"


def classical_stage(
    settings: Sampling,
    stage: Stage,
    start: Frames,
    folder: Path,
    before: Path | None = None,
    progress: Callable[[int], None] | None = None,
) -> Frames:
    """Return the frames of a stage; a finished stage is read, not run again.

    Parameters
    ----------
    settings : Sampling
        With a composition.
    stage : Stage
    start : Frames
        The last frame of the stage before, or a configuration without velocities.
    folder : Path
        Of the stage.
    before : Path, optional
        Folder of the stage before, for ``match_energy``.
    progress : callable, optional
        Called with the steps done.

    Raises
    ------
    InputError
        If the folder holds a stage of other settings.
    """
    path = folder / _FILE
    identity = settings.identity_of(stage)
    if not path.exists():
        if stage.match_energy and before is not None:
            start = _with_mean_energy(start, before / _FILE)
        assert settings.composition is not None
        frames, energies = ClassicalLiquid(settings.composition, settings.cell).run(
            start,
            ensemble=stage.ensemble,
            steps=stage.steps,
            timestep=settings.timestep,
            stride=settings.stride,
            temperature=settings.temperature,
            seed=settings.seed,
            progress=progress,
        )
        arrays = {"settings": identity, "energies": energies, "positions": frames.positions}
        write_archive(arrays | {"velocities": frames.velocities}, path, compressed=False)
    with np.load(path) as file:
        expect_settings(folder, str(file["settings"]), identity)
        positions, velocities = file["positions"], file["velocities"]
    expect_start(folder, positions[0], start)
    return Frames(
        start.atomic_numbers, positions, np.asarray(settings.cell), velocities, start.molecule
    )


def _with_mean_energy(start: Frames, file: Path) -> Frames:
    """Scale velocities so that the total energy is the mean of the second half of a stage."""
    with np.load(file) as stored:
        energies = stored["energies"]
    velocities = start.velocities
    assert velocities is not None
    kinetic = float((start.masses[:, None] * velocities[0] ** 2).sum() / (2 * ACCELERATION))
    missing = float(energies[len(energies) // 2 :].mean() - energies[-1])
    return start.replace(velocities=velocities * np.sqrt(1 + missing / kinetic))
