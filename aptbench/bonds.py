"""`find_bonds`: which atoms are bonded, from their distances."""

from __future__ import annotations

from typing import Final

import numpy as np
import numpy.typing as npt

from aptbench.errors import InputError
from aptbench.frames import Frames

Array = npt.NDArray[np.float64]
Indices = npt.NDArray[np.int64]

TOLERANCE: Final = 0.45
"""How much longer than the sum of two covalent radii a bond may be, in angstrom."""
OVERLAP: Final = 0.4
"""Distance in angstrom below which two atoms are in the same place."""
SHARED: Final = 1.2
"""Ratio of the distances to two partners below which a hydrogen is between them."""

# pm, hydrogen to curium: Cordero et al., Dalton Trans. 2832 (2008), doi:10.1039/b801115j
_RADII: Final = (
    "31 28 128 96 84 76 71 66 57 58 166 141 121 111 107 105 102 106 203 176 170 160 153 139 139 "
    "132 126 124 132 122 122 120 119 120 120 116 220 195 190 175 164 154 147 146 142 139 145 144 "
    "142 139 139 138 139 140 244 215 207 204 203 201 199 198 198 196 194 192 192 189 190 187 187 "
    "175 170 162 151 144 141 136 136 132 145 146 148 140 150 150 260 221 215 206 200 196 190 187 "
    "180 169"
)
_NONMETALS: Final = (1, 5, 6, 7, 8, 9, 14, 15, 16, 17, 32, 33, 34, 35, 51, 52, 53)


def bond_limits(first: npt.ArrayLike, second: npt.ArrayLike) -> Array:
    """Return the longest bond between two elements in angstrom, from their atomic numbers.

    Notes
    -----
    The sum of the covalent radii of Cordero et al. (2008), doi:10.1039/b801115j, and 0.45
    angstrom: a bond of a molecule that vibrates, and less than a hydrogen bond.

    Examples
    --------
    >>> float(bond_limits(8, 1).round(2))
    1.42
    """
    radii = np.full(119, 1.7)
    known = np.array(_RADII.split(), float) / 100
    radii[1 : 1 + len(known)] = known
    return np.asarray(radii[np.asarray(first, int)] + radii[np.asarray(second, int)] + TOLERANCE)


def bonded_pairs(frame: Frames) -> Indices:
    """Return every pair of atoms of one frame within the limit of a bond, shape (bond, 2).

    Raises
    ------
    InputError
        If two atoms are in the same place.
    """
    return _pairs(frame)[0]


def find_bonds(frame: Frames, *, strict: bool = True) -> Indices:
    """Return the bonds of molecules in one frame, shape (bond, 2).

    A hydrogen is bonded to the nearest heavy atom only, nonmetals by the distance, and metals to
    nothing: they are ions.

    Parameters
    ----------
    frame : Frames
        Only its first frame is looked at.
    strict : bool
        Refuse what follows. Without it a hydrogen between two heavy atoms goes to the nearer, and
        one without a partner stays alone.

    Raises
    ------
    InputError
        If two atoms are in the same place; a hydrogen is between two heavy atoms, as in a shared
        proton; or it has no partner although there are nonmetals.

    Examples
    --------
    >>> find_bonds(Frames([8, 1, 1], [[0, 0, 0], [0.96, 0, 0], [-0.24, 0.93, 0]])).tolist()
    [[0, 1], [0, 2]]
    """
    pairs, length = _pairs(frame, strict)
    numbers = frame.atomic_numbers
    covalent = np.isin(numbers[pairs], _NONMETALS).all(1)
    pairs, length = pairs[covalent], length[covalent]
    n_light = (numbers[pairs] == 1).sum(1)
    heavy_heavy = pairs[n_light == 0]
    # (hydrogen, heavy atom), the nearest partner of each hydrogen first
    mixed, reach = pairs[n_light == 1], length[n_light == 1]
    mixed = np.where((numbers[mixed[:, :1]] == 1), mixed, mixed[:, ::-1])
    order = np.lexsort((reach, mixed[:, 0]))
    mixed, reach = mixed[order], reach[order]
    owned, first = np.unique(mixed[:, 0], return_index=True)
    if strict:
        _check_shared(mixed, reach, first)
    free = pairs[n_light == 2]
    free = free[~np.isin(free, owned).any(1)]
    lonely = np.setdiff1d(np.flatnonzero(numbers == 1), np.concatenate([owned, free.ravel()]))
    if strict and len(lonely) and np.isin(numbers, _NONMETALS[1:]).any():
        raise InputError(
            "A hydrogen of the first frame is bonded to nothing.",
            got=f"atoms {lonely[:10].tolist()}",
            expected="a heavy atom within a bond, 1.42 angstrom to oxygen",
            do="check the cell and the unit of the positions, or give a 'molecule' table",
        )
    bonds = np.sort(np.concatenate([heavy_heavy, mixed[first], free]), axis=1)
    return bonds[np.lexsort((bonds[:, 1], bonds[:, 0]))]


def connected_parts(n_atoms: int, bonds: Indices) -> Indices:
    """Return for each atom the number of the part that bonds connect it to, shape (atom,)."""
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    graph = coo_array((np.ones(len(bonds)), (bonds[:, 0], bonds[:, 1])), shape=(n_atoms, n_atoms))
    return np.asarray(connected_components(graph, directed=False)[1], np.int64)


def check_connected(first: Frames, names: Indices, bonds: Indices) -> None:
    """Check that bonds connect the atoms that have the same name, in one frame.

    Raises
    ------
    InputError
        If they do not; it names the atoms and their distance.
    """
    parts = connected_parts(len(names), bonds)
    for name in np.unique(names):
        atoms = np.flatnonzero(names == name)
        inside = atoms[parts[atoms] == parts[atoms[0]]]
        if len(inside) == len(atoms):
            continue
        outside = np.setdiff1d(atoms, inside)
        vectors = first.positions[:, inside][:, :, None] - first.positions[:, outside][:, None]
        gap = np.linalg.norm(nearest_image(vectors[0], first.cell), axis=-1)
        i, j = np.unravel_index(np.argmin(gap), gap.shape)
        one, other = inside[i], outside[j]
        raise InputError(
            f"The atoms of molecule {name} are farther apart than bonds allow.",
            got=f"atoms {inside[:10].tolist()} and {outside[:10].tolist()} of the first frame, "
            f"{gap[i, j]:.3f} angstrom apart at the nearest images of {one} and {other}",
            expected=f"at most {bond_limits(*first.atomic_numbers[[one, other]]):.3f} angstrom",
            do="check the table, the unit of the positions and the cell",
        )


def nearest_image(vectors: Array, cell: npt.ArrayLike | None) -> Array:
    """Return vectors between the nearest images.

    Parameters
    ----------
    vectors : array, shape (frame, ..., xyz)
        In angstrom.
    cell : array, shape (vector, xyz) or (frame, vector, xyz), or None
        In angstrom; None returns the vectors as they are.

    Notes
    -----
    By rounding fractional coordinates: exact for vectors shorter than half the smallest distance
    between opposite faces of the cell.
    """
    if cell is None:
        return vectors
    lattice = np.asarray(cell, float)
    # one matrix for each frame, the same for all vectors of the frame
    shape = (-1,) + (1,) * (vectors.ndim - 3) + (3, 3) if lattice.ndim == 3 else (3, 3)
    lattice = lattice.reshape(shape)
    fractions = np.round(vectors @ np.linalg.inv(lattice))
    return np.asarray(vectors - fractions @ lattice)


def _pairs(frame: Frames, strict: bool = True) -> tuple[Indices, Array]:
    """Return pairs (pair, 2) within the limit of a bond, each once, and their distances."""
    import vesin

    positions, numbers = frame.positions[0], frame.atomic_numbers
    cell = None if frame.cell is None else frame.cell[0]
    if cell is not None:
        # far images lose digits in the neighbour search: bring every atom home first
        fractions = positions @ np.linalg.inv(cell)
        positions = (fractions - np.floor(fractions)) @ cell
    present = np.unique(numbers)
    search = vesin.NeighborList(cutoff=float(bond_limits(present, present).max()), full_list=True)
    i, j, length = search.compute(
        points=np.ascontiguousarray(positions),
        box=np.zeros((3, 3)) if cell is None else np.ascontiguousarray(cell),
        periodic=cell is not None,
        quantities="ijd",
    )
    close = (i < j) & (length <= bond_limits(numbers[i], numbers[j]))
    pairs = np.stack([i[close], j[close]], 1).astype(np.int64)
    length = length[close]
    if strict and len(length) and length.min() < OVERLAP:
        worst = int(np.argmin(length))
        raise InputError(
            "Two atoms of the first frame are in the same place.",
            got=f"atoms {pairs[worst, 0]} and {pairs[worst, 1]}, {length[worst]:.3f} angstrom "
            "apart at the nearest images",
            do="check the cell and the unit of the positions",
        )
    # the nearest of several images
    order = np.lexsort((length, pairs[:, 1], pairs[:, 0]))
    pairs, length = pairs[order], length[order]
    _, first = np.unique(pairs, axis=0, return_index=True)
    return pairs[first], length[first]


def _check_shared(mixed: Indices, length: Array, first: Indices) -> None:
    """Refuse a hydrogen whose second partner is about as near as its first."""
    last = np.append(first[1:], len(mixed)) - 1
    second = np.minimum(first + 1, last)
    shared = (second > first) & (length[second] < SHARED * length[first])
    if shared.any():
        one, two = first[np.argmax(shared)], second[np.argmax(shared)]
        raise InputError(
            "A hydrogen of the first frame is between two heavy atoms.",
            got=f"atom {mixed[one, 0]}, {length[one]:.3f} angstrom from atom {mixed[one, 1]} and "
            f"{length[two]:.3f} angstrom from atom {mixed[two, 1]}",
            expected="one partner that is much nearer than the next",
            do="give a 'molecule' table that says to which of them it belongs",
        )
