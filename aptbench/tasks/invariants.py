"""`frame_invariants`: a few numbers a frame that no rigid motion and no reordering changes."""

from __future__ import annotations

from typing import Final

import numpy as np
import numpy.typing as npt

from aptbench.frames import Frames

Array = npt.NDArray[np.float64]

_REACH: Final = 1.618
"""Reciprocal vectors up to so many times 2 pi over the edge of a cube of the same volume."""


def frame_invariants(frames: Frames) -> list[Array]:
    r"""Return invariants of each frame, in angstrom: cheap, and hardly ever the same by chance.

    Parameters
    ----------
    frames : Frames

    Returns
    -------
    list of array
        One for each frame. Rotation, reflection, translation, permutation of like atoms and lattice
        translation do not change it; if no atom moves by more than some length, no number changes
        by more than twice that length.

    Notes
    -----
    Isolated: the distances of the atoms from their mean position, sorted, by element. Periodic: the
    moduli of the structure factor, :math:`|\sum_j \exp(i G \cdot r_j)| / (N G_{max})`, over the
    shortest reciprocal vectors, sorted, by element, and the spacings 2 pi / G of these vectors.
    Both cost one pass over the atoms, where sorted distances of pairs would cost a pass over pairs.

    Examples
    --------
    >>> pair = Frames([8, 1], [[0, 0, 0], [0, 0, 1.0]])
    >>> frame_invariants(pair)[0].tolist()
    [0.5, 0.5]
    """
    numbers = frames.atomic_numbers
    species = [np.flatnonzero(numbers == z) for z in np.unique(numbers)]
    if frames.cell is None:
        relative = frames.positions - frames.positions.mean(1, keepdims=True)
        radius = np.linalg.norm(relative, axis=-1)
        return list(np.concatenate([np.sort(radius[:, atoms], axis=1) for atoms in species], 1))
    found: list[Array] = [np.empty(0)] * len(frames)
    cells, which = np.unique(frames.cell, axis=0, return_inverse=True)
    for number, cell in enumerate(cells):
        members = np.flatnonzero(which.ravel() == number)
        rows = _periodic(frames.positions[members], cell, species)
        for member, row in zip(members.tolist(), rows, strict=True):
            found[member] = row
    return found


def structure_factors(
    fractions: Array, indices: npt.NDArray[np.int64]
) -> npt.NDArray[np.complex128]:
    """Return sums of exp(2 pi i h . s) over atoms, (..., atom, xyz) to (..., h).

    Parameters
    ----------
    fractions : array, shape (..., atom, xyz)
        Fractional coordinates.
    indices : array of int, shape (h, xyz)
    """
    return np.asarray(np.exp(2j * np.pi * (fractions @ indices.T)).sum(-2))


def _periodic(positions: Array, cell: Array, species: list[npt.NDArray[np.int64]]) -> Array:
    indices, lengths = _short_reciprocal_vectors(cell)
    fractions = positions @ np.linalg.inv(cell)
    parts = [
        np.sort(np.abs(structure_factors(fractions[:, atoms], indices)), axis=1)
        / (len(atoms) * lengths.max())
        for atoms in species
    ]
    spacing = np.broadcast_to(np.sort(2 * np.pi / lengths), (len(positions), len(lengths)))
    return np.concatenate([*parts, spacing], axis=1)


def _short_reciprocal_vectors(cell: Array) -> tuple[npt.NDArray[np.int64], Array]:
    """Return integer coordinates and lengths of short reciprocal vectors, one of each +-pair."""
    reciprocal = 2 * np.pi * np.linalg.inv(cell).T
    longest = _REACH * 2 * np.pi / np.abs(np.linalg.det(cell)) ** (1 / 3)
    most = np.floor(longest * np.linalg.norm(cell, axis=1) / (2 * np.pi) + 1e-9).astype(int)
    grid = np.stack(np.meshgrid(*(np.arange(-n, n + 1) for n in most), indexing="ij"), -1).reshape(
        -1, 3
    )
    half = grid[len(grid) // 2 + 1 :]
    lengths = np.linalg.norm(half @ reciprocal, axis=1)
    short = lengths <= longest
    return half[short], lengths[short]
