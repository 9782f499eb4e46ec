"""Power spectra by aptbench for the comparison with TRAVIS, as a program of its own.

``python travis_ours.py text FOLDER`` reads ``positions.xyz`` and ``velocities.xyz``, as TRAVIS
does; ``python travis_ours.py store PATH`` reads the same arrays from a store; ``python
travis_ours.py start`` has next to nothing to compute, and takes the time of starting.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

import numpy as np

from aptbench.elements import SYMBOLS
from aptbench.frames import Frames
from aptbench.spectra.power import PowerSpectrum, power_spectrum
from aptbench.spectra.protocol import ANGULAR, IR1, SpectralProtocol
from aptbench.units import SPEED_OF_LIGHT

SYSTEM: Final = "water-300K-64"
TEMPERATURE: Final = 300.0
TIME_STEP: Final = 2.0
DEPTH: Final = 800
"""Lags of a correlation, in frames."""
WINDOW: Final = 295
"""Width of the Gaussian lag window in frames: TRAVIS takes whole ones; 30 cm^-1 would be 294.6."""
HIGHEST: Final = 4000.0


def protocol() -> SpectralProtocol:
    """Return the settings of the comparison: the window and the grid that TRAVIS has."""
    width = np.sqrt(2) / (WINDOW * TIME_STEP) / ANGULAR * np.sqrt(8 * np.log(2))
    # zero padding to four times the depth, and both signs of time
    step = 1 / (8 * DEPTH * TIME_STEP * 1e-15 * SPEED_OF_LIGHT * 100)
    return replace(
        IR1,
        name="travis",
        remove_mean=False,
        broadening=float(width),
        maximum_lag=(DEPTH - 1) * TIME_STEP,
        grid=(0.0, int(HIGHEST / step) * step, step),
    )


def densities(velocities: Any, masses: Any, groups: Iterable[str]) -> PowerSpectrum:
    """Return the density of states by group of atoms, with the settings of the comparison."""
    return power_spectrum(
        velocities,
        masses,
        time_step=TIME_STEP,
        temperature=TEMPERATURE,
        groups=list(groups),
        protocol=protocol(),
    )


def by_species(frames: Frames) -> PowerSpectrum:
    """Return the density of states of a trajectory by species."""
    symbols = [SYMBOLS[z] for z in frames.atomic_numbers]
    return densities(frames.velocities, frames.masses, symbols)


def from_text(folder: Path) -> Frames:
    """Return the trajectory of two xyz files."""
    from aptbench.data.readers.cp2k import read_trajectory

    files = folder / "positions.xyz", folder / "velocities.xyz"
    return read_trajectory(*files, cell=None, velocity_unit="angstrom/fs")[1]


def from_store(path: Path) -> Frames:
    """Return the trajectory of a store."""
    from aptbench.data.dataset import Dataset

    return Dataset(path).trajectory(SYSTEM)


def of_nothing() -> Frames:
    """Return one atom at rest."""
    still = np.zeros((2 * DEPTH, 1, 3))
    return Frames([8], still, velocities=still)


if __name__ == "__main__":
    readers = {"text": from_text, "store": from_store, "start": of_nothing}
    by_species(readers[sys.argv[1]](*map(Path, sys.argv[2:])))
