"""`environment_vectors`: the surroundings of atoms as unit vectors, whatever pose and order."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np
import numpy.typing as npt

from aptbench.frames import Frames

Array = npt.NDArray[np.float64]

CUTOFF: Final = 5.0
"""Radius of an environment in angstrom."""
N_RADIAL: Final = 8
"""Gaussians over the distance, evenly spaced up to the cutoff, as wide as they are apart."""
DEGREE: Final = 3
"""Highest Legendre polynomial of the angle between two neighbours."""


def environment_vectors(frames: Frames, elements: Sequence[int] | None = None) -> Array:
    r"""Return the power spectrum of the density of neighbours around each atom.

    Parameters
    ----------
    frames : Frames
    elements : sequence of int, optional
        Atomic numbers that have a density each, in this order; those of the frames if not given.
        Vectors can be compared if they are of the same elements.

    Returns
    -------
    array, shape (frame, atom, feature)
        Of length one; zero for an atom without neighbours. They do not change under translation,
        rotation, reflection, lattice translation and permutation of like neighbours.

    Notes
    -----
    Components are
    :math:`\sum_{jk} g_{n}(r_j)\, g_{m}(r_k)\, P_l(\cos\theta_{jk})` for the pairs of elements and
    radial functions, where the sum over neighbours factorises through the moments of their
    directions. The length of the difference of two vectors is the distance of the kernel of
    Bartok, Kondor, Csanyi, Phys. Rev. B 87, 184115 (2013), doi:10.1103/PhysRevB.87.184115, without
    the atom itself. Neighbours weigh :math:`1/(1 + (r/2\,\mathrm{A})^4)`, as in Willatt, Musil,
    Ceriotti, Phys. Chem. Chem. Phys. 20, 29661 (2018), doi:10.1039/C8CP05921G, and go smoothly to
    zero at the cutoff.

    Examples
    --------
    >>> water = Frames([8, 1, 1], [[0, 0, 0], [0.96, 0, 0], [-0.24, 0.93, 0]])
    >>> one = environment_vectors(water)
    >>> two = environment_vectors(water.rotated(-np.eye(3)[[2, 0, 1]]))
    >>> one.shape, bool(np.allclose(one, two))
    ((1, 3, 544), True)
    """
    numbers = frames.atomic_numbers
    kinds = np.unique(numbers) if elements is None else np.asarray(elements, int)
    return np.stack([_of_frame(frames[k], kinds) for k in range(len(frames))])


def _of_frame(frame: Frames, elements: npt.NDArray[np.int64]) -> Array:
    import vesin
    from scipy.sparse import csr_array

    cell = np.zeros((3, 3)) if frame.cell is None else np.ascontiguousarray(frame.cell[0])
    positions = frame.positions[0]
    if frame.periodic:
        # far images lose digits in the neighbour search: bring every atom home first
        fractions = positions @ np.linalg.inv(cell)
        positions = (fractions - np.floor(fractions)) @ cell
    search = vesin.NeighborList(cutoff=CUTOFF, full_list=True)
    i, j, vectors = search.compute(
        points=np.ascontiguousarray(positions), box=cell, periodic=frame.periodic, quantities="ijD"
    )
    r = np.linalg.norm(vectors, axis=1)
    unit = vectors / r[:, None]
    width = CUTOFF / N_RADIAL
    centers = width * np.arange(1, N_RADIAL + 1)
    weight = (1 + np.cos(np.pi * r / CUTOFF)) / 2 / (1 + (r / 2) ** 4)
    radial = weight[:, None] * np.exp(-(((r[:, None] - centers) / width) ** 2) / 2)
    directions = [np.ones((len(r), 1))]
    for _ in range(DEGREE):
        higher = directions[-1][:, :, None] * unit[:, None]
        directions.append(higher.reshape(len(r), 3 * directions[-1].shape[1]))
    element = np.searchsorted(elements, frame.atomic_numbers[j])
    rows = i.astype(int) * len(elements) + element
    gather = csr_array(
        (np.ones(len(r)), (rows, np.arange(len(r)))), (frame.n_atoms * len(elements), len(r))
    )
    powers = []
    for direction in directions:
        moments = gather @ (radial[:, :, None] * direction[:, None]).reshape(
            len(r), N_RADIAL * direction.shape[1]
        )
        channels = moments.reshape(frame.n_atoms, -1, direction.shape[1])
        powers.append(channels @ channels.transpose(0, 2, 1))
    n_channels = len(elements) * N_RADIAL
    row, column = np.triu_indices(n_channels)
    doubled = np.where(row == column, 1.0, np.sqrt(2.0))
    spectrum = np.stack([_legendre(powers, degree) for degree in range(DEGREE + 1)], 1)
    flat = (spectrum[:, :, row, column] * doubled).reshape(frame.n_atoms, -1)
    length = np.linalg.norm(flat, axis=1, keepdims=True)
    return np.divide(flat, length, out=np.zeros_like(flat), where=length > 0)


def _legendre(powers: list[Array], degree: int) -> Array:
    """Return the Legendre polynomial from the powers of the cosine."""
    from numpy.polynomial.legendre import leg2poly

    coefficients = leg2poly(np.eye(degree + 1)[degree])
    return np.asarray(sum(c * p for c, p in zip(coefficients, powers[: degree + 1], strict=True)))
