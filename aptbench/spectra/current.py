"""`current`: the rate of change of the dipole, from tensors and velocities."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from aptbench.errors import AlignmentError

Array = npt.NDArray[np.float64]


def current(apt: npt.ArrayLike, velocities: npt.ArrayLike) -> Array:
    r"""Return the current, the time derivative of the dipole.

    Parameters
    ----------
    apt : array, shape (frame, atom, pol, disp)
        In e.
    velocities : array, shape (frame, atom, xyz)
        In angstrom/fs, at the same times.

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
    tensors, rates = np.asarray(apt, float), np.asarray(velocities, float)
    if tensors.ndim != 4 or tensors.shape[-2:] != (3, 3) or rates.shape != tensors.shape[:-1]:
        raise AlignmentError(
            "The 'apt' and the 'velocities' do not describe the same frames and atoms.",
            got=f"apt {tensors.shape}, velocities {rates.shape}",
            expected="apt (frame, atom, pol, disp) and velocities (frame, atom, xyz)",
        )
    return np.einsum("fapd,fad->fp", tensors, rates, optimize=True)
