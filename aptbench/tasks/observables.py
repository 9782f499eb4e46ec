"""`trajectory_observables`: what a trajectory is remembered by, without any label."""

from __future__ import annotations

from typing import Final, Protocol

import numpy as np
import numpy.typing as npt

from aptbench.bonds import nearest_image
from aptbench.errors import InputError
from aptbench.frames import Frames
from aptbench.molecules import MoleculeTable

Array = npt.NDArray[np.float64]

NEIGHBORS: Final = 4
"""Nearest molecules whose distances describe the surroundings of one."""
_SHORT: Final = 0.02
_CELLS: Final = 4_000_000
_CHUNK: Final = 1024


class Trajectory(Protocol):
    """Frames in memory or in a store: a length, and `Frames` for a slice."""

    def __len__(self) -> int: ...

    def __getitem__(self, index: slice, /) -> Frames:
        """Return a stretch of frames."""
        ...


def trajectory_observables(frames: Trajectory) -> dict[str, Array]:
    """Return fluctuating observables of a trajectory, each of shape (frame, series, component).

    Parameters
    ----------
    frames : Frames, or another sequence of frames whose slices are Frames
        Equidistant in time; molecules are those of the first frame.

    Returns
    -------
    dict of str to array
        Those of the following that the system has.

        - ``bond P1``, ``axis P1``: unit vectors along the bonds, and from the centre of mass of a
          molecule to the mean of its atoms (the dipole axis of water); not centred, because the
          mean over all orientations is zero.
        - ``bond P2``, ``axis P2``: their second-rank tensors, scaled so that a series correlates
          with itself to 1.
        - ``neighbors``: distances in angstrom from the centre of a molecule to the nearest four.
        - ``shape``: lengths of the bonds, and distances of the atoms from the centre of mass of
          their molecule, in angstrom.

    Notes
    -----
    ``neighbors`` are relative to the mean over frames and over molecules of one kind, not over the
    frames of each molecule: a molecule that never leaves its place is not forgotten. ``shape`` is
    relative to the mean over frames, because molecules keep theirs.
    """
    first = frames[0:1]
    try:
        table = MoleculeTable.of(first)
    except InputError:  # a crystal or another network: atoms are all there is
        table = MoleculeTable.of(first, np.arange(first.n_atoms))
    k = min(NEIGHBORS, len(table) - 1)
    step = max(1, min(_CHUNK, _CELLS // len(table) ** 2))
    found: dict[str, Array] = {}
    for start in range(0, len(frames), step):
        for name, values in _of_stretch(table, frames[start : start + step], k).items():
            if start == 0:
                found[name] = np.empty((len(frames), *values.shape[1:]))
            found[name][start : start + step] = values
    # in place where it can be: these are the largest arrays of an audit
    observables: dict[str, Array] = {}
    if "bond" in found:
        observables |= {"bond P1": found["bond"], "bond P2": _second_rank_series(found["bond"])}
    if "axis" in found:
        axis = found.pop("axis")
        long = np.linalg.norm(axis, axis=-1).min(0) > _SHORT
        if long.any():
            axis = axis if long.all() else axis[:, long]
            axis /= np.linalg.norm(axis, axis=-1, keepdims=True)
            observables |= {"axis P1": axis, "axis P2": _second_rank_series(axis)}
    if k:
        near = found["neighbors"]
        for kind in table.kinds:
            near[:, kind.molecules] -= near[:, kind.molecules].mean((0, 1))
        observables["neighbors"] = near
    if len(table.bonds):
        found["shape"] -= found["shape"].mean(0)
        observables["shape"] = found["shape"][..., None]
    return observables


def second_rank(unit: npt.ArrayLike) -> Array:
    """Return second-rank tensors whose product is the Legendre polynomial P2 of the angle.

    Parameters
    ----------
    unit : array, shape (..., xyz)
        Unit vectors.

    Returns
    -------
    array, shape (..., 6)

    Examples
    --------
    >>> x, y = second_rank([[1.0, 0, 0], [0, 1.0, 0]])
    >>> float((x @ x).round(12)), float((x @ y).round(12))
    (1.0, -0.5)
    """
    u = np.asarray(unit, float)
    square = np.sqrt(1.5) * (u**2 - 1 / 3)
    mixed = np.sqrt(3.0) * u[..., [0, 0, 1]] * u[..., [1, 2, 2]]
    return np.concatenate([square, mixed], axis=-1)


def tensor_fluctuations(apt: npt.ArrayLike) -> Array:
    """Return tensors about the isotropic part of the mean of each atom over the frames.

    Parameters
    ----------
    apt : array, shape (frame, atom, pol, disp)
        In e.

    Returns
    -------
    array, shape (frame, atom, 9)

    Examples
    --------
    >>> tensor_fluctuations(np.array([1.0, 3.0])[:, None, None, None] * np.eye(3))[:, 0, 0]
    array([-1.,  1.])
    """
    tensors = np.asarray(apt, float)
    mean = np.trace(tensors, axis1=-2, axis2=-1).mean(0) / 3
    return (tensors - mean[:, None, None] * np.eye(3)).reshape(*tensors.shape[:2], 9)


def _second_rank_series(unit: Array) -> Array:
    """Return `second_rank` of a long series, without a second one beside it."""
    tensors = np.empty((*unit.shape[:-1], 6))
    for start in range(0, len(unit), _CHUNK):
        tensors[start : start + _CHUNK] = second_rank(unit[start : start + _CHUNK])
    return tensors


def _of_stretch(table: MoleculeTable, frames: Frames, k: int) -> dict[str, Array]:
    cell = frames.cell
    if cell is not None and np.all(cell == cell[0]):
        cell = cell[0]  # one matrix for all frames is many times faster
    whole = table.whole(frames.positions, cell)
    found: dict[str, Array] = {}
    centers = table.centers_of_mass(whole)
    if len(table.bonds):
        i, j = table.bonds.T
        bond = whole[:, j] - whole[:, i]
        length = np.linalg.norm(bond, axis=-1)
        radius = np.linalg.norm(whole - centers[:, table.molecule], axis=-1)
        counts = np.bincount(table.molecule)
        found["bond"] = bond / length[..., None]
        found["shape"] = np.concatenate([length, radius], axis=1)
        found["axis"] = table.sum_over_atoms(whole) / counts[:, None] - centers
    if k:
        vectors = centers[:, :, None] - centers[:, None]
        distance = np.linalg.norm(nearest_image(vectors, cell), axis=-1)
        found["neighbors"] = np.sort(np.partition(distance, k, axis=-1)[..., : k + 1])[..., 1:]
    return found
