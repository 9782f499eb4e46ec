"""`wannier_centroids`: which atom each Wannier centre belongs to, and how far it is from it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from aptbench.bonds import nearest_image
from aptbench.elements import SYMBOLS
from aptbench.errors import InputError
from aptbench.frames import Frames

Array = npt.NDArray[np.float64]
Indices = npt.NDArray[np.int64]

_VALENCE: Final = dict(
    zip(range(1, 18), (1, 2, 3, 4, 3, 4, 5, 6, 7, 8, 9, 10, 3, 4, 5, 6, 7), strict=True)
)


@dataclass(frozen=True, eq=False)
class WannierCentroids:
    """The Wannier centres of every atom that owns any, summed up.

    Attributes
    ----------
    owner : array of int, shape (n_owner,)
        Atoms that own centres, ascending.
    count : array of int, shape (n_owner,)
        Centres of each owner, the same in all frames.
    displacement : array, shape (frame, n_owner, xyz)
        Sum over the centres of an owner of (r_W - R_owner), nearest images, in angstrom.
    """

    owner: Indices
    count: Indices
    displacement: Array


def valence_charges(atomic_numbers: npt.ArrayLike) -> Array:
    """Return the charges of the cores of GTH pseudopotentials in e, shape (atom,).

    Those of the usual potentials, with semicore electrons for Li, Be, Na and Mg.

    Raises
    ------
    InputError
        If an element is not among H to Cl.

    Notes
    -----
    Goedecker, Teter and Hutter, doi:10.1103/PhysRevB.54.1703.

    Examples
    --------
    >>> valence_charges([8, 1, 1])
    array([6., 1., 1.])
    """
    numbers = np.asarray(atomic_numbers, np.int64)
    unknown = sorted(set(numbers.tolist()) - set(_VALENCE))
    if unknown:
        raise InputError(
            "The number of valence electrons of an element is not known.",
            got=", ".join(SYMBOLS[z] for z in unknown),
            expected="elements from H to Cl",
        )
    return np.array([_VALENCE[z] for z in numbers.tolist()], np.float64)


def wannier_centroids(frames: Frames, centers: npt.ArrayLike) -> WannierCentroids:
    """Give every Wannier centre to the nearest atom that is not a hydrogen.

    Parameters
    ----------
    frames : Frames
    centers : array, shape (frame, wannier, xyz)
        In angstrom, each of charge -2 e; any periodic image, in any order.

    Returns
    -------
    WannierCentroids

    Raises
    ------
    InputError
        If the shape does not fit the frames, cores and centres do not add up to the total charge,
        all atoms are hydrogens, or an atom owns a different number of centres in another frame.

    Notes
    -----
    With the charges Z of the cores (`valence_charges`) the dipole is
    M = sum_i Z_i R_i - 2 sum_owner (count R_owner + displacement), modulo the quantum of a cell;
    Marzari et al., doi:10.1103/RevModPhys.84.1419.

    Examples
    --------
    >>> water = Frames([8, 1, 1], [[0, 0, 0], [0.96, 0, 0], [-0.24, 0.93, 0]])
    >>> centers = [[[0.5, 0, 0], [-0.1, 0.5, 0], [-0.1, -0.1, 0.3], [-0.1, -0.1, -0.3]]]
    >>> result = wannier_centroids(water, centers)
    >>> result.owner, result.count, result.displacement.round(3).tolist()
    (array([0]), array([4]), [[[0.2, 0.3, 0.0]]])
    """
    array = np.asarray(centers, np.float64)
    if array.ndim != 3 or len(array) != len(frames) or array.shape[2] != 3 or not array.shape[1]:
        raise InputError(
            "The Wannier centres do not fit the frames.",
            got=f"shape {array.shape}",
            expected=f"(frame, wannier, xyz) with {len(frames)} frames",
        )
    charge = valence_charges(frames.atomic_numbers).sum() - 2 * array.shape[1]
    if abs(charge - frames.total_charge) > 1e-6:
        raise InputError(
            "The cores and the Wannier centres do not add up to the total charge.",
            got=f"{charge:+g} e from {array.shape[1]} centres of -2 e",
            expected=f"{frames.total_charge:+g} e",
            do="give all centres of a closed shell, each occupied by two electrons",
        )
    heavy = np.flatnonzero(frames.atomic_numbers > 1)
    if not len(heavy):
        raise InputError(
            "There is no atom to own the Wannier centres.",
            got="hydrogens only",
            expected="at least one atom of another element",
        )
    counts = np.empty((len(frames), len(heavy)), np.int64)
    sums = np.zeros((len(frames), len(heavy), 3))
    for k in range(len(frames)):
        cell = None if frames.cell is None else frames.cell[k]
        vectors = nearest_image(array[k][:, None] - frames.positions[k, heavy][None], cell)
        nearest = np.argmin(np.einsum("wox,wox->wo", vectors, vectors), 1)
        counts[k] = np.bincount(nearest, minlength=len(heavy))
        np.add.at(sums[k], nearest, vectors[np.arange(len(nearest)), nearest])
    changed = np.argwhere(counts != counts[0])
    if len(changed):
        frame, owner = (int(n) for n in changed[0])
        atom = heavy[owner]
        raise InputError(
            f"{SYMBOLS[frames.atomic_numbers[atom]]} (atom {atom}) owns another number of Wannier "
            f"centres in frame {frame} than in frame 0.",
            got=int(counts[frame, owner]),
            expected=int(counts[0, owner]),
            do="leave out frames in which a centre goes over to another atom",
        )
    owners = counts[0] > 0
    return WannierCentroids(heavy[owners], counts[0, owners], sums[:, owners])
