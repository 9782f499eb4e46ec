"""`current`: the rate of change of the dipole, from tensors and velocities."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from aptbench.errors import AlignmentError

Array = npt.NDArray[np.float64]


def current(apt: Any, velocities: Any, *, chunk: int = 1024) -> Array:
    r"""Return the current, the time derivative of the dipole.

    Parameters
    ----------
    apt : array, shape (frame, atom, pol, disp)
        In e: numpy, or anything that is sliced lazily along the frames, as Zarr and Dask arrays.
    velocities : array, shape (frame, atom, xyz)
        In angstrom/fs, at the same times.
    chunk : int
        Frames that are in memory at once.

    Returns
    -------
    array, shape (frame, pol)
        :math:`\dot M(t) = \sum_i P_i(t) v_i(t)` in e angstrom/fs.

    Raises
    ------
    AlignmentError
        If frames or atoms of the two differ.

    Examples
    --------
    >>> current(0.5 * np.eye(3)[None, None], [[[0, 0, 2.0]]])
    array([[0., 0., 1.]])
    """
    shapes = np.shape(apt), np.shape(velocities)
    if len(shapes[0]) != 4 or shapes[0][-2:] != (3, 3) or shapes[1] != shapes[0][:-1]:
        raise AlignmentError(
            "The 'apt' and the 'velocities' do not describe the same frames and atoms.",
            got=f"apt {shapes[0]}, velocities {shapes[1]}",
            expected="apt (frame, atom, pol, disp) and velocities (frame, atom, xyz)",
        )
    rates = np.empty((shapes[0][0], 3))
    for start in range(0, len(rates), chunk):
        part = slice(start, start + chunk)
        tensors, speeds = (np.asarray(_sliced(x, part), float) for x in (apt, velocities))
        rates[part] = np.einsum("fapd,fad->fp", tensors, speeds, optimize=True)
    return rates


def _sliced(values: Any, part: slice) -> Any:
    return values[part] if hasattr(values, "shape") else np.asarray(values)[part]
