"""`labels_on_trajectory`: put labels that were computed elsewhere on the trajectory they are of."""

from __future__ import annotations

from dataclasses import replace
from typing import Final

import numpy as np
import numpy.typing as npt

from aptbench.bonds import nearest_image
from aptbench.data.system import SystemData
from aptbench.errors import AlignmentError, InputError
from aptbench.frames import Frames

Array = npt.NDArray[np.float64]

TOLERANCE: Final = 1e-3
"""Largest distance in angstrom of an atom of a label from the same atom of its frame.

Programs print positions with five digits or more; an atom moves as far in 0.2 fs."""
_FIRST: Final = 4


def labels_on_trajectory(labels: SystemData, times: npt.ArrayLike, frames: Frames) -> SystemData:
    """Return a trajectory with labels on those of its frames whose positions they have.

    Parameters
    ----------
    labels : SystemData
        Every frame labelled, in any order; atoms may be in other images of the cell.
    times : array, shape (frame,)
        Of the trajectory, in fs.
    frames : Frames
        The trajectory, with velocities if they are known.

    Returns
    -------
    SystemData
        The labels in the order of the trajectory; molecules and total charge are those of the
        labels.

    Raises
    ------
    InputError
        If not every frame of the labels is labelled.
    AlignmentError
        If the atoms differ, a label belongs to no frame, or two belong to one.

    Examples
    --------
    >>> path = Frames([18], np.arange(5.0)[:, None, None] * [0.1, 0, 0])
    >>> tensors = np.array([1.0, 2.0])[:, None, None, None] * np.eye(3)
    >>> label = SystemData(path[[3, 1]], [0, 1], tensors)
    >>> joined = labels_on_trajectory(label, 2.0 * np.arange(5), path)
    >>> joined.label_frame.tolist(), joined.apt[:, 0, 0, 0].tolist()
    ([1, 3], [2.0, 1.0])
    """
    if labels.n_labels != len(labels.frames):
        raise InputError(
            "The labels are on a trajectory already.",
            got=f"{labels.n_labels} labels of {len(labels.frames)} frames",
        )
    if not np.array_equal(labels.frames.atomic_numbers, frames.atomic_numbers):
        raise AlignmentError(
            "The labels and the trajectory differ in their atoms.",
            got=f"{labels.frames.n_atoms} atoms in the labels",
            expected=f"{frames.n_atoms} atoms, the same elements in the same order",
        )
    places = np.array([_place(frames, one, k) for k, one in enumerate(labels.frames.positions)])
    order = np.argsort(places)
    twice = np.flatnonzero(np.diff(places[order]) == 0)
    if len(twice):
        one, other = order[twice[0] : twice[0] + 2]
        raise AlignmentError(
            "Two labels belong to one frame of the trajectory.",
            got=f"labels {one} and {other}, frame {places[one]}",
            do="leave out one of them",
        )
    whole = frames.replace(molecule=labels.frames.molecule, total_charge=labels.frames.total_charge)
    return replace(
        labels,
        frames=whole,
        label_frame=places[order],
        apt=labels.apt[order],
        times=np.asarray(times, float),
        dipole=None if labels.dipole is None else labels.dipole[order],
        wannier_centers=None if labels.wannier_centers is None else labels.wannier_centers[order],
        quality={name: column[order] for name, column in labels.quality.items()},
    )


def _place(frames: Frames, positions: Array, label: int) -> int:
    """Return the frame that has the positions; the first atoms find it, all atoms confirm it."""
    few = _distance(frames, positions, slice(_FIRST))
    near = np.flatnonzero(few <= max(TOLERANCE, few.min()))
    whole = [float(_distance(frames[int(k)], positions, slice(None))[0]) for k in near]
    place, farthest = int(near[np.argmin(whole)]), min(whole)
    if farthest > TOLERANCE:
        raise AlignmentError(
            f"Label {label} belongs to no frame of the trajectory.",
            got=f"an atom {farthest:.3g} angstrom from that of the nearest frame, {place}",
            expected=f"a frame with the same positions, within {TOLERANCE:g} angstrom",
            do="check the unit of positions, the cell and the order of the atoms; print the "
            "trajectory with as many digits as the input of the labels had",
        )
    return place


def _distance(frames: Frames, positions: Array, atoms: slice) -> Array:
    """Return the largest distance of an atom, by the nearest image, shape (frame,)."""
    away = nearest_image(frames.positions[:, atoms] - positions[atoms], frames.cell)
    return np.asarray(np.linalg.norm(away, axis=-1).max(axis=1))
