"""`audit_frames` and `check_currents`: the current of a trajectory, believed after samples."""

from __future__ import annotations

import hashlib
from typing import Final

import numpy as np
import numpy.typing as npt

from aptbench.errors import AlignmentError, InputError
from aptbench.evaluate.trajectory import DenseTrajectory
from aptbench.spectra.current import current

Array = npt.NDArray[np.float64]

N_AUDIT: Final = 32
"""Frames whose tensors are asked for."""
TOLERANCE: Final = 1e-4
"""Deviation of a recomputed current, at most, over the root mean square current: what is left of
tensors in single precision, with room."""


def audit_frames(currents: npt.ArrayLike, n_audit: int = N_AUDIT) -> npt.NDArray[np.int64]:
    """Return the frames whose tensors are asked for, one in each equal stretch of a current.

    They follow from the current itself: whoever has decided on it cannot choose them any more. It
    is a spot check, which finds mistakes; tensors can be made up for any current. What binds a
    current to a model are the predictions of the test frames, which lie in the same stretch.

    Parameters
    ----------
    currents : array, shape (frame, pol)
        As it is submitted.
    n_audit : int

    Returns
    -------
    array of int, shape (audit,)
        Rising; all frames if there are fewer.

    Examples
    --------
    >>> frames = audit_frames(np.zeros((1000, 3)), 4)
    >>> [int(frame) // 250 for frame in frames]
    [0, 1, 2, 3]
    """
    values = np.ascontiguousarray(currents, "<f8")
    n_frames = len(values)
    if n_frames <= n_audit:
        return np.arange(n_frames)
    seed = int.from_bytes(hashlib.sha256(values.tobytes()).digest()[:8], "little")
    edges = np.linspace(0, n_frames, n_audit + 1).astype(int)
    return np.random.default_rng(seed).integers(edges[:-1], edges[1:])


def check_currents(
    currents: npt.ArrayLike,
    frame: npt.NDArray[np.int64],
    apt: npt.ArrayLike,
    trajectory: DenseTrajectory,
) -> float:
    """Compare a current with the tensors of its audit frames; return the largest deviation.

    Parameters
    ----------
    currents : array, shape (frame, pol)
        In e angstrom/fs, of every frame of the trajectory.
    frame : array of int, shape (audit,)
    apt : array, shape (audit, atom, pol, disp)
        In e.
    trajectory : DenseTrajectory

    Returns
    -------
    float
        Over the root mean square current.

    Raises
    ------
    AlignmentError
        If frames are missing, or are not those of `audit_frames`.
    InputError
        If a number is not finite, or the tensors give another current.
    """
    values, tensors = np.asarray(currents, float), np.asarray(apt, float)
    n_frames = len(trajectory.frames)
    if values.shape != (n_frames, 3):
        raise AlignmentError(
            "The current is not of all frames of the trajectory.",
            got=values.shape,
            expected=(n_frames, 3),
        )
    wanted = audit_frames(values)
    if not np.array_equal(frame, wanted):
        raise AlignmentError(
            "The tensors of the current are not those of its audit frames.",
            got=f"frames {np.asarray(frame)[:6].tolist()} ...",
            expected=f"frames {wanted[:6].tolist()} ...",
            do="aptbench.evaluate.current_audit.audit_frames(current) tells them",
        )
    return compare_tensors(values, wanted, tensors, trajectory)


def compare_tensors(
    currents: npt.ArrayLike,
    frame: npt.ArrayLike,
    apt: npt.ArrayLike,
    trajectory: DenseTrajectory,
    what: str = "its tensors",
) -> float:
    """Compare a current with tensors of some frames, whichever they are, as `check_currents` does.

    Parameters
    ----------
    currents : array, shape (frame, pol)
    frame : array of int, shape (some,)
        Of the trajectory.
    apt : array, shape (some, atom, pol, disp)
    trajectory : DenseTrajectory
    what : str
        What the tensors are, for the message of an error.
    """
    values, tensors = np.asarray(currents, float), np.asarray(apt, float)
    index = np.asarray(frame, np.int64)
    if not np.isfinite(values).all() or not np.isfinite(tensors).all():
        raise InputError(f"The current or {what} have values that are not finite.")
    velocities = np.stack([_velocities(trajectory, int(k)) for k in index])
    again = current(tensors, velocities)
    size = float(np.sqrt(np.mean(values**2)))
    deviation = float(np.abs(again - values[index]).max() / max(size, 1e-300))
    if deviation > TOLERANCE:
        worst = int(index[np.argmax(np.abs(again - values[index]).max(1))])
        raise InputError(
            f"The current is not that of {what}.",
            got=f"frame {worst}: off by {deviation:.2g} of the root mean square current",
            expected=f"the sum of apt[a, pol, disp] velocity[a, disp], to {TOLERANCE:g}",
            do="make the current of the frames and velocities of the data set, in e angstrom/fs",
        )
    return deviation


def _velocities(trajectory: DenseTrajectory, frame: int) -> Array:
    velocities = trajectory.frames[frame : frame + 1].velocities
    assert velocities is not None  # a dense trajectory has them
    return velocities[0]
