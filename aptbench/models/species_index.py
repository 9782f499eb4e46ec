"""`species_index`: the place of every atom's element in the list that a model knows."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from aptbench.elements import SYMBOLS
from aptbench.errors import InputError
from aptbench.frames import Frames


def species_index(frame: Frames, species: tuple[int, ...]) -> npt.NDArray[np.int64]:
    """Return the position of the element of every atom in a list of species, shape (atom,).

    Parameters
    ----------
    frame : Frames
        One frame.
    species : tuple of int
        Atomic numbers, ascending.

    Raises
    ------
    InputError
        If there is more than one frame, or an atom is not among the species.

    Examples
    --------
    >>> species_index(Frames([8, 1], [[0, 0, 0], [0, 0, 1.0]]), (1, 8)).tolist()
    [1, 0]
    """
    if len(frame) != 1:
        raise InputError(
            "The descriptors of atoms are made of one frame.", got=len(frame), expected=1
        )
    unknown = sorted(set(frame.atomic_numbers.tolist()) - set(species))
    if unknown:
        raise InputError(
            f"The model does not know the species {', '.join(SYMBOLS[z] for z in unknown)}.",
            expected="only " + ", ".join(SYMBOLS[z] for z in species),
            do="train a model on labels that contain these species",
        )
    return np.searchsorted(species, frame.atomic_numbers)
