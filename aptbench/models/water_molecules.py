"""`water_molecules`: which atoms form water, from a molecule table or from O-H distances."""

from __future__ import annotations

from typing import Final

import numpy as np
import numpy.typing as npt

from aptbench.errors import InputError
from aptbench.frames import Frames
from aptbench.models.neighbors import neighbor_pairs

BOND_LIMIT: Final = 1.3
"""Longest O-H bond in angstrom; hydrogen bonds start near 1.5."""


def water_molecules(frames: Frames) -> npt.NDArray[np.int64]:
    """Return the atoms of every water molecule, shape (molecule, 3), in the order O, H, H.

    The molecule table of the frames decides; without one, every hydrogen is bonded to the nearest
    oxygen of the first frame within 1.3 angstrom. Atoms of anything else are left out.

    Raises
    ------
    InputError
        If there is no molecule table and an oxygen or hydrogen of the first frame is not part of
        a molecule H2O, as in hydroxide or hydronium.

    Examples
    --------
    >>> water_molecules(Frames([1, 8, 1], [[0.96, 0, 0], [0, 0, 0], [-0.24, 0.93, 0]]))
    array([[1, 0, 2]])
    """
    numbers = frames.atomic_numbers
    if frames.molecule is None:
        return _from_distances(frames)
    order = np.lexsort((np.arange(len(numbers)), -numbers, frames.molecule))
    groups = np.split(order, np.flatnonzero(np.diff(frames.molecule[order])) + 1)
    waters = [g for g in groups if numbers[g].tolist() == [8, 1, 1]]
    return np.array(waters, int).reshape(-1, 3)


def _from_distances(frames: Frames) -> npt.NDArray[np.int64]:
    numbers = frames.atomic_numbers
    i, j, vectors = neighbor_pairs(frames.positions[0], _cell(frames), BOND_LIMIT)
    bond = (numbers[i] == 1) & (numbers[j] == 8)
    i, j = i[bond], j[bond]
    order = np.lexsort((np.linalg.norm(vectors[bond], axis=-1), i))
    hydrogens, first = np.unique(i[order], return_index=True)
    owner = j[order][first]
    waters = []
    for oxygen in np.flatnonzero(numbers == 8):
        bonded = hydrogens[owner == oxygen]
        if len(bonded) != 2:
            raise InputError(
                f"Oxygen {oxygen} is not part of a water molecule.",
                got=f"{len(bonded)} hydrogens within {BOND_LIMIT} angstrom",
                expected="2",
                do="give Frames a 'molecule' table if these are other molecules",
            )
        waters.append((oxygen, *bonded))
    return np.array(waters, int).reshape(-1, 3)


def _cell(frames: Frames) -> npt.NDArray[np.float64] | None:
    return None if frames.cell is None else frames.cell[0]
