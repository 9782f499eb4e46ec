"""`neighbor_pairs`: all pairs within a cutoff, periodic images included; `neighbor_slots`."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt


def neighbor_pairs(
    positions: npt.NDArray[np.float64], cell: npt.NDArray[np.float64] | None, cutoff: float
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64], npt.NDArray[np.float64]]:
    """Return every pair of one frame, both ways round, sorted by the first atom.

    Parameters
    ----------
    positions : array, shape (atom, xyz)
        In angstrom; unwrapped positions are fine.
    cell : array, shape (vector, xyz), or None
        In angstrom; None for an isolated system.
    cutoff : float
        In angstrom; may exceed half of the cell.

    Returns
    -------
    first, second : array of int, shape (pair,)
    vectors : array, shape (pair, xyz)
        From the first atom to the image of the second, in angstrom.

    Examples
    --------
    >>> i, j, d = neighbor_pairs(np.array([[0.0, 0, 0], [9.0, 0, 0]]), 10 * np.eye(3), 2.0)
    >>> i.tolist(), j.tolist(), d[:, 0].tolist()
    ([0, 1], [1, 0], [-1.0, 1.0])
    """
    import vesin

    search = vesin.NeighborList(cutoff=cutoff, full_list=True)
    periodic = cell is not None
    if cell is not None:
        # far images lose digits in the neighbour search: bring every atom home first
        fractional = positions @ np.linalg.inv(cell)
        positions = (fractional - np.floor(fractional)) @ cell
    i, j, vectors = search.compute(
        points=np.ascontiguousarray(positions),
        box=np.zeros((3, 3)) if cell is None else np.ascontiguousarray(cell),
        periodic=periodic,
        quantities="ijD",
    )
    order = np.lexsort((j, i))
    return i[order].astype(np.int64), j[order].astype(np.int64), vectors[order]


def neighbor_slots(first: npt.NDArray[np.int64], n_atoms: int) -> tuple[npt.NDArray[np.int64], int]:
    """Number the neighbours of every atom from 0, for arrays of one row an atom.

    Parameters
    ----------
    first : array of int, shape (pair,)
        First atom of every pair, ascending.
    n_atoms : int

    Returns
    -------
    slot : array of int, shape (pair,)
    n_slots : int
        The most neighbours that an atom has, at least 1.

    Examples
    --------
    >>> slot, n_slots = neighbor_slots(np.array([0, 0, 2]), 3)
    >>> slot.tolist(), n_slots
    ([0, 1, 0], 2)
    """
    counts = np.bincount(first, minlength=n_atoms)
    slot = np.arange(len(first)) - (np.cumsum(counts) - counts)[first]
    return slot, max(int(counts.max(initial=0)), 1)
