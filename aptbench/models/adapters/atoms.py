"""`to_atoms`, `from_atoms`: between `Frames` and the atoms of the package ASE."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from aptbench.errors import InputError, MissingExtraError
from aptbench.frames import Frames

if TYPE_CHECKING:
    from ase import Atoms

MOLECULE = "molecule"
"""Array of `ase.Atoms` with the index of the molecule of each atom."""


def to_atoms(frames: Frames, frame: int = 0) -> Atoms:
    """Return one frame as `ase.Atoms`, periodic in all directions or in none.

    Parameters
    ----------
    frames : Frames
    frame : int
        Which of them.

    Returns
    -------
    ase.Atoms
        Positions and cell in angstrom, without velocities. ASE has no place for a total charge:
        it is put into ``info["charge"]`` and, unless it is zero, into equal initial charges,
        because some calculators read the one and some the other. The molecules are the array
        ``molecule``.

    Raises
    ------
    MissingExtraError
        If ASE is not installed.

    Examples
    --------
    >>> atoms = to_atoms(Frames([1, 1], [[0, 0, 0], [0, 0, 0.74]], cell=[5, 5, 6]))
    >>> str(atoms.symbols), atoms.pbc.tolist(), atoms.cell.lengths().tolist()
    ('H2', [True, True, True], [5.0, 5.0, 6.0])
    """
    try:
        from ase import Atoms
    except ImportError:
        raise MissingExtraError("ase", "md") from None
    periodic: dict[str, Any] = {}
    if frames.cell is not None:
        periodic = {"cell": frames.cell[frame].copy(), "pbc": True}
    charge = float(frames.total_charge)
    share = np.full(frames.n_atoms, charge / frames.n_atoms) if charge else None
    atoms = Atoms(
        numbers=frames.atomic_numbers,
        positions=frames.positions[frame].copy(),
        charges=share,
        info={"charge": charge},
        **periodic,
    )
    if frames.molecule is not None:
        atoms.set_array(MOLECULE, frames.molecule)
    return atoms


def from_atoms(images: Atoms | Sequence[Atoms]) -> Frames:
    """Return one or many `ase.Atoms` of the same atoms as `Frames`.

    Parameters
    ----------
    images : ase.Atoms or sequence of them

    Returns
    -------
    Frames
        With a cell if all directions are periodic. The total charge is ``info["charge"]``, else
        the sum of the initial charges. An array ``molecule`` becomes the molecules.

    Raises
    ------
    InputError
        If there is no image, if the images are of different atoms, or if one is periodic in some
        directions only.

    Examples
    --------
    >>> from ase.build import molecule
    >>> from_atoms(molecule("H2O")).atomic_numbers
    array([8, 1, 1])
    """
    listed: list[Any] = [images] if hasattr(images, "get_positions") else list(images)
    if not listed:
        raise InputError("There are no atoms.", expected="at least one ase.Atoms")
    first = listed[0]
    for image in listed:
        if len(image) != len(first) or np.any(image.numbers != first.numbers):
            raise InputError(
                "The images are not of the same atoms.",
                got=f"{image.symbols} after {first.symbols}",
                expected="the same elements in the same order",
            )
        if image.pbc.any() != image.pbc.all() or image.pbc.any() != first.pbc.any():
            raise InputError(
                "The atoms are periodic in some directions only.",
                got=f"pbc={image.pbc.tolist()}",
                expected="all directions in all images, or none",
                do="a slab or a wire may be given as periodic with a wide cell",
            )
    charge = first.info.get("charge", float(first.get_initial_charges().sum()))
    return Frames(
        first.numbers,
        np.array([image.positions for image in listed]),
        np.array([image.cell.array for image in listed]) if first.pbc.any() else None,
        molecule=first.arrays.get(MOLECULE),
        total_charge=float(charge),
    )
