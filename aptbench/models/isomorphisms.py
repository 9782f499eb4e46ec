"""`isomorphisms`: every way to map the atoms of one molecule on those of another, bond by bond."""

from __future__ import annotations

from typing import Final

import numpy as np
import numpy.typing as npt

from aptbench.errors import InputError

Indices = npt.NDArray[np.int64]

LARGEST: Final = 5000
"""How many isomorphisms are looked at."""


def isomorphisms(
    first_numbers: npt.ArrayLike,
    first_bonds: npt.ArrayLike,
    second_numbers: npt.ArrayLike,
    second_bonds: npt.ArrayLike,
) -> Indices:
    """Return all maps of atoms that keep elements and bonds.

    Parameters
    ----------
    first_numbers, second_numbers : array of int, shape (atom,)
        Atomic numbers.
    first_bonds, second_bonds : array of int, shape (bond, 2)
        Pairs of atoms, each bond once.

    Returns
    -------
    array of int, shape (isomorphism, atom)
        Atom ``a`` of the first molecule corresponds to atom ``result[k, a]`` of the second. No
        rows if the molecules are not the same.

    Raises
    ------
    InputError
        If there are more than 5000.

    Examples
    --------
    >>> water = [8, 1, 1], [[0, 1], [0, 2]]
    >>> isomorphisms(*water, *water).tolist()
    [[0, 1, 2], [0, 2, 1]]
    """
    numbers = np.asarray(first_numbers, np.int64).tolist()
    others = np.asarray(second_numbers, np.int64).tolist()
    if sorted(numbers) != sorted(others):
        return np.empty((0, len(numbers)), np.int64)
    near, far = _neighbors(len(numbers), first_bonds), _neighbors(len(others), second_bonds)
    order = _connected_order(near)
    found: list[list[int]] = []
    image: dict[int, int] = {}
    taken: set[int] = set()

    def extend() -> None:
        if len(image) == len(order):
            found.append([image[a] for a in range(len(order))])
            if len(found) > LARGEST:
                raise InputError(
                    "A molecule has too many like atoms for a frame of its own.",
                    got=f"more than {LARGEST} ways to exchange atoms among {len(numbers)}",
                    do="leave it to a model that needs no molecules",
                )
            return
        atom = order[len(image)]
        placed = [image[n] for n in near[atom] if n in image]
        # bonded to what its neighbours became, if it has any that are placed
        candidates = set.intersection(*(far[p] for p in placed)) if placed else range(len(others))
        for candidate in sorted(candidates):
            fits = others[candidate] == numbers[atom] and len(far[candidate]) == len(near[atom])
            if fits and candidate not in taken and len(far[candidate] & taken) == len(placed):
                image[atom] = candidate
                taken.add(candidate)
                extend()
                taken.remove(candidate)
                del image[atom]

    extend()
    return np.array(found, np.int64).reshape(-1, len(numbers))


def _neighbors(n_atoms: int, bonds: npt.ArrayLike) -> list[set[int]]:
    result: list[set[int]] = [set() for _ in range(n_atoms)]
    for i, j in np.asarray(bonds, np.int64).reshape(-1, 2).tolist():
        result[i].add(j)
        result[j].add(i)
    return result


def _connected_order(neighbors: list[set[int]]) -> list[int]:
    """Return the atoms so that each, where it can, follows one that it is bonded to."""
    order: list[int] = []
    for start in range(len(neighbors)):
        queue = [start]
        while queue:
            atom = queue.pop(0)
            if atom not in order:
                order.append(atom)
                queue.extend(sorted(neighbors[atom] - set(order)))
    return order
