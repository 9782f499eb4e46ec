"""`read_start`: where a sampling run begins, and whether what was begun is gone on with."""

from __future__ import annotations

from pathlib import Path
from typing import Final

import numpy as np
import numpy.typing as npt

from aptbench.atomic import write_atomically
from aptbench.data.readers.xyz import atomic_numbers, only_block
from aptbench.errors import InputError
from aptbench.frames import Frames
from aptbench.reference.classical import ClassicalLiquid
from aptbench.reference.ice import ice_ih
from aptbench.reference.inputs import xyz_text
from aptbench.reference.recipe import Sampling

TOLERANCE: Final = 1e-3
"""Distance in angstrom up to which two configurations are one, written with fewer digits."""


def read_start(path: Path, settings: Sampling) -> Frames:
    """Read the first configuration of a sampling run, a plain xyz file of one frame.

    Where there is no file, and the recipe has a composition, it is packed and written.

    Raises
    ------
    InputError
        If there is no such file, or it does not have whole molecules.
    """
    if settings.composition is not None and not path.exists():
        first = _first_configuration(settings, settings.composition)
        comment = f"{settings.composition}, seed {settings.seed}"
        write_atomically(path, xyz_text(first.atomic_numbers, first.positions[0], comment))
    block = only_block(path)
    fields = block.fields(4)
    numbers = atomic_numbers([row[0] for row in fields])
    if settings.composition is not None:
        liquid = ClassicalLiquid(settings.composition, settings.cell)
        expected, molecule = liquid.atomic_numbers, liquid.molecule
        wrong = not np.array_equal(numbers, expected)
    else:
        molecule = np.arange(len(numbers)) // settings.atoms_per_molecule
        wrong = bool(len(numbers) % settings.atoms_per_molecule)
    if wrong:
        raise InputError(
            f"{path} does not hold whole molecules.",
            got=f"{len(numbers)} atoms",
            expected=str(
                settings.composition or f"a multiple of {settings.atoms_per_molecule} atoms"
            ),
        )
    positions = block.numbers(fields, slice(1, 4))
    return Frames(numbers, positions, np.asarray(settings.cell), molecule=molecule)


def _first_configuration(settings: Sampling, composition: dict[str, int]) -> Frames:
    if settings.lattice == "ice Ih":
        return ice_ih(settings.cell, composition["H2O"], settings.seed)
    liquid = ClassicalLiquid(composition, settings.cell)
    return liquid.packed(settings.temperature, settings.seed)


def expect_settings(folder: Path, found: str, expected: str) -> None:
    """Raise InputError unless a stage in a folder has the settings of the recipe."""
    if found != expected:
        raise InputError(
            f"The stage in {folder} was run with other settings than the recipe has.",
            got=found,
            expected=expected,
            do=f"remove {folder} and the folders of later stages, or use another folder",
        )


def expect_start(
    folder: Path, found: npt.NDArray[np.float64], start: Frames, tolerance: float = TOLERANCE
) -> None:
    """Raise InputError unless a run in a folder began where it would begin now.

    Parameters
    ----------
    folder : Path
    found : array, shape (atom, xyz)
        In angstrom.
    start : Frames
        One frame.
    tolerance : float
        In angstrom.
    """
    if not np.allclose(found, start.positions[0], atol=tolerance):
        raise InputError(
            f"The run in {folder} began from another configuration.",
            do=f"remove {folder} and the folders of later stages, or use another folder",
        )
