"""`congruence`: how far two frames are apart once they are laid on each other."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import product
from typing import Final

import numpy as np
import numpy.typing as npt

from aptbench.errors import InputError
from aptbench.frames import Frames
from aptbench.tasks.invariants import structure_factors

Array = npt.NDArray[np.float64]
Indices = npt.NDArray[np.int64]

_MATCH: Final = 0.3
"""Angstrom within which an atom has its partner: like atoms are more than twice as far apart."""


def congruence(first: Frames, second: Frames, tolerance: float) -> float:
    """Return the largest distance of partners after the best rigid motion that was found.

    Parameters
    ----------
    first, second : Frames
        One frame each.
    tolerance : float
        In angstrom. Motions are searched that may bring all atoms within it; the search ends with
        the first that does.

    Returns
    -------
    float
        In angstrom, over rotations, reflections, translations, permutations of like atoms and, in a
        cell, lattice translations and other choices of the lattice vectors; infinite if no motion
        brings every atom to a partner.

    Raises
    ------
    InputError
        If one of the two is not one frame.

    Notes
    -----
    Isolated frames are turned by two atoms and the centre, then all atoms are fitted by the
    singular value decomposition of Kabsch, Acta Cryst. A 32, 922 (1976),
    doi:10.1107/S0567739476001873, with reflections. Periodic frames are turned by the maps of one
    lattice on the other, and shifted by one atom of the rarest element on each of its like. At a
    tolerance above some hundredths of an angstrom a motion may be missed.

    Examples
    --------
    >>> water = Frames([8, 1, 1], [[0, 0, 0], [0.96, 0, 0], [-0.24, 0.93, 0]])
    >>> congruence(water, water.permuted([2, 0, 1]).translated([1, 2, 3]), 1e-4) < 1e-12
    True
    """
    for frames in (first, second):
        if len(frames) != 1:
            raise InputError("Frames are compared one by one.", got=f"{len(frames)} frames")
    if first.periodic != second.periodic or not np.array_equal(
        np.sort(first.atomic_numbers), np.sort(second.atomic_numbers)
    ):
        return float("inf")
    one, other = _by_element(first), _by_element(second)
    found = _isolated if first.cell is None else _periodic
    best = float("inf")
    for deviation in found(one, other, tolerance):
        best = min(best, deviation)
        if best <= tolerance:
            break
    return best


def _by_element(frame: Frames) -> Frames:
    return frame.permuted(np.argsort(frame.atomic_numbers, kind="stable"))


def _isolated(one: Frames, other: Frames, tolerance: float) -> Iterator[float]:
    numbers = one.atomic_numbers
    a, b = (f.positions[0] - f.positions[0].mean(0) for f in (one, other))
    slack = 4 * tolerance + 1e-6
    radius_a, radius_b = np.linalg.norm(a, axis=1), np.linalg.norm(b, axis=1)
    # of the rarest classes of atoms, one that is far out, so that few partners are tried
    like = numbers[:, None] == numbers
    partners = (like & (np.abs(radius_a[:, None] - radius_b) <= slack)).sum(1)
    far = radius_a >= 0.5 * radius_a.max()
    i = int(np.argmin(np.where(far, partners, len(a) + 1)))
    across = np.linalg.norm(np.cross(a, a[i]), axis=1) / max(radius_a[i], 1e-12)
    wide = across >= 0.5 * across.max()
    j = int(np.argmin(np.where(wide, partners, len(a) + 1)))
    gap = np.linalg.norm(a[i] - a[j])
    turned_a = _axes(a[i], a[j])
    for k in np.flatnonzero(like[i] & (np.abs(radius_a[i] - radius_b) <= slack)):
        near = np.abs(np.linalg.norm(b[k] - b, axis=1) - gap) <= slack
        for m in np.flatnonzero(like[j] & (np.abs(radius_a[j] - radius_b) <= slack) & near):
            turned_b = _axes(b[k], b[m])
            for sign in (1.0, -1.0):
                moved = a @ turned_a.T * [1.0, 1.0, sign] @ turned_b
                order = _partners(moved[:, None] - b, numbers)
                if order is not None:
                    u, _, v = np.linalg.svd(a.T @ b[order])
                    yield float(np.linalg.norm(a @ (u @ v) - b[order], axis=1).max())


def _axes(first: Array, second: Array) -> Array:
    """Return three orthonormal rows: along the first vector, in the plane of the two, and normal.

    Of two parallel vectors the plane is any, as is the choice for a point at the centre.
    """
    rows = np.linalg.qr(np.stack([first, second, *np.eye(3)], 1))[0].T
    signs = np.sign(np.array([rows[0] @ first, rows[1] @ second]))
    signs[signs == 0] = 1
    x, y = rows[0] * signs[0], rows[1] * signs[1]
    return np.stack([x, y, np.cross(x, y)])


def _partners(vectors: Array, numbers: Indices) -> Indices | None:
    """Return the partner of each atom, from vectors (atom, atom, xyz); None if one has none."""
    square = (vectors**2).sum(-1)
    square[numbers[:, None] != numbers] = np.inf
    order = square.argmin(1)
    if square[np.arange(len(order)), order].max() > _MATCH**2:
        return None
    return order if len(np.unique(order)) == len(order) else None


def _periodic(one: Frames, other: Frames, tolerance: float) -> Iterator[float]:
    assert one.cell is not None
    assert other.cell is not None
    numbers, cell = one.atomic_numbers, other.cell[0]
    species, counts = np.unique(numbers, return_counts=True)
    rare = np.flatnonzero(numbers == species[np.argmin(counts)])
    start = one.positions[0] @ np.linalg.inv(one.cell[0])
    goal = other.positions[0] @ np.linalg.inv(cell)
    indices = np.array([h for h in product((-1, 0, 1), repeat=3) if h > (0, 0, 0)])
    length = 2 * np.pi * np.linalg.norm(indices @ np.linalg.inv(cell).T, axis=1)
    members = [numbers == z for z in species]
    wanted = np.stack([structure_factors(goal[m], indices) for m in members])
    slack = counts[:, None] * length * (2 * tolerance + 1e-6)
    for turn in _lattice_maps(one.cell[0], cell, tolerance + 1e-6):
        turned = start @ turn
        given = np.stack([structure_factors(turned[m], indices) for m in members])
        if np.any(np.abs(np.abs(given) - np.abs(wanted)) > slack):
            continue
        shifts = goal[rare] - turned[rare[0]]
        phases = np.exp(2j * np.pi * (shifts @ indices.T))
        fits = np.abs(given * phases[:, None] - wanted) <= slack
        for shift in shifts[fits.all((1, 2))]:
            vectors = goal - (turned + shift)[:, None]
            vectors = (vectors - np.round(vectors)) @ cell
            order = _partners(vectors, numbers)
            if order is not None:
                left = vectors[np.arange(len(order)), order]
                yield float(np.linalg.norm(left - left.mean(0), axis=1).max())


def _lattice_maps(one: Array, other: Array, slack: float) -> Iterator[Array]:
    """Yield integer matrices K so that K times the second cell is the first one, turned."""
    reach = np.array(list(product(range(-2, 3), repeat=3)))
    vectors = reach @ other
    lengths = np.linalg.norm(vectors, axis=1)
    edges = np.linalg.norm(one, axis=1)
    candidates = [np.flatnonzero(np.abs(lengths - edge) <= slack) for edge in edges]
    gram = one @ one.T

    def fit(i: int, j: int, first: int, second: int) -> bool:
        return bool(
            abs(vectors[first] @ vectors[second] - gram[i, j]) <= slack * (edges[i] + edges[j])
        )

    for x in candidates[0].tolist():
        for y in candidates[1].tolist():
            if not fit(0, 1, x, y):
                continue
            for z in candidates[2].tolist():
                if fit(0, 2, x, z) and fit(1, 2, y, z):
                    turn = reach[[x, y, z]]
                    if abs(round(np.linalg.det(turn))) == 1:
                        yield turn
