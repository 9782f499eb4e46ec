"""`water_molecules`: which atoms form water, from a molecule table or from distances."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from aptbench.bonds import bond_limits
from aptbench.errors import InputError
from aptbench.frames import Frames
from aptbench.molecules import molecule_kinds


def water_molecules(frames: Frames) -> npt.NDArray[np.int64]:
    """Return the atoms of every water molecule, shape (molecule, 3), in the order O, H, H.

    The molecule table of the frames decides, and without one the distances of the first frame, see
    `aptbench.molecules.molecule_kinds`. Atoms of anything else are left out.

    Raises
    ------
    InputError
        If there is no molecule table and an oxygen of the first frame is not part of a molecule
        H2O, as in hydroxide or hydronium.

    Examples
    --------
    >>> water_molecules(Frames([1, 8, 1], [[0.96, 0, 0], [0, 0, 0], [-0.24, 0.93, 0]]))
    array([[1, 0, 2]])
    """
    kinds = molecule_kinds(frames)
    waters = next((kind.atoms for kind in kinds if kind.formula == "H2O"), np.empty((0, 3), int))
    if frames.molecule is None:
        others = np.setdiff1d(np.flatnonzero(frames.atomic_numbers == 8), waters[:, 0])
        for oxygen in others[:1]:
            formula = next(kind.formula for kind in kinds if oxygen in kind.atoms)
            raise InputError(
                f"Oxygen {oxygen} is not part of a water molecule.",
                got=f"{formula}, with O-H bonds of at most {bond_limits(8, 1):.2f} angstrom",
                expected="H2O",
                do="give Frames a 'molecule' table if these are other molecules",
            )
    return waters
