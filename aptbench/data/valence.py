"""`valence_electrons`: how many electrons of an atom a pseudopotential calculation has."""

from __future__ import annotations

import re
from typing import Final

import numpy as np
import numpy.typing as npt

from aptbench.elements import SYMBOLS
from aptbench.errors import InputError

# hydrogen to radon: what "GTH-PBE", without a number of electrons, means in CP2K's GTH_POTENTIALS
_GTH: Final = (
    "1 2 3 4 3 4 5 6 7 8 9 10 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 11 12 13 4 5 6 7 8 9 10 11 "
    "12 13 14 15 16 17 18 11 12 13 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20 21 22 23 24 25 12 "
    "13 14 15 16 17 18 11 12 13 4 5 6 7 8"
)


def valence_electrons(
    atomic_numbers: npt.ArrayLike, potential: str = "GTH-PBE"
) -> npt.NDArray[np.int64]:
    """Return the valence charge of each atom in e, shape as given.

    Parameters
    ----------
    atomic_numbers : array of int
    potential : str
        Name of a Goedecker-Teter-Hutter potential in CP2K's data, for example ``GTH-PBE``; or
        with the number of electrons, ``GTH-PBE-q9``, if all atoms are of one element.

    Raises
    ------
    InputError
        If the potential is of another kind, or has no number for an element.

    Notes
    -----
    Goedecker, Teter, Hutter, Phys. Rev. B 54, 1703 (1996), doi:10.1103/PhysRevB.54.1703.

    Examples
    --------
    >>> valence_electrons([8, 1, 11, 17])
    array([6, 1, 9, 7])
    """
    numbers = np.asarray(atomic_numbers, np.int64)
    match = re.fullmatch(r"GTH-[A-Za-z0-9]+(?:-q(\d+))?", potential)
    if not match:
        raise InputError(
            "The valence electrons of a potential are unknown.",
            got=potential,
            expected="a potential of Goedecker, Teter and Hutter, GTH-...",
        )
    table = np.array(_GTH.split(), np.int64)
    if match[1] is not None:
        if len(np.unique(numbers)) != 1:
            raise InputError(
                "One potential with a number of electrons stands for several elements.",
                got=f"{potential} for {', '.join(SYMBOLS[z] for z in np.unique(numbers))}",
            )
        return np.full_like(numbers, int(match[1]))
    if np.any((numbers < 1) | (numbers > len(table))):
        raise InputError(
            f"The potential {potential} has no number of electrons for an element.",
            got=", ".join(SYMBOLS[z] for z in np.unique(numbers) if z > len(table)),
        )
    return table[numbers - 1]
