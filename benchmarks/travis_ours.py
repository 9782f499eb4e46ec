"""Power spectra by aptbench for the comparison with TRAVIS, as a program of its own.

``python travis_ours.py text FOLDER`` reads ``positions.xyz`` and ``velocities.xyz``, as TRAVIS
does; ``python travis_ours.py store PATH`` the same arrays of a store.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from travis_program import TEMPERATURE, TIME_STEP, protocol

from aptbench.elements import SYMBOLS
from aptbench.frames import Frames
from aptbench.spectra.power import PowerSpectrum, power_spectrum

SYSTEM = "water-300K-64"


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

    _, frames = read_trajectory(
        folder / "positions.xyz",
        folder / "velocities.xyz",
        cell=None,
        velocity_unit="angstrom/fs",
    )
    return frames


def from_store(path: Path) -> Frames:
    """Return the trajectory of a store."""
    from aptbench.data.dataset import Dataset

    return Dataset(path).trajectory(SYSTEM)


if __name__ == "__main__":
    reader = {"text": from_text, "store": from_store}[sys.argv[1]]
    by_species(reader(Path(sys.argv[2])))
