"""Irreps of a tensor of two polar vectors under O(3): 0e + 1e + 2e."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from aptbench.errors import InputError, UnknownNameError

Array = npt.NDArray[np.float64]

IRREPS = (0, 1, 2)
"""Angular momenta of the parts: isotropic, antisymmetric, symmetric and traceless."""


def irrep_part(apt: npt.ArrayLike, angular_momentum: int) -> Array:
    r"""Return the part of tensors that belongs to one irrep.

    Parameters
    ----------
    apt : array, shape (..., 3, 3)
    angular_momentum : {0, 1, 2}
        0: trace / 3 times identity; 1: antisymmetric part; 2: symmetric traceless part.

    Returns
    -------
    array, shape (..., 3, 3)
        In the unit of ``apt``. The three parts add up to the tensor, and they are orthogonal: the
        squares of their Frobenius norms add up to that of the tensor.

    Raises
    ------
    InputError
        If the last dimensions are not (3, 3), or the angular momentum is none of the three.

    Examples
    --------
    >>> tensor = np.arange(9.0).reshape(3, 3)
    >>> irrep_part(tensor, 1)
    array([[ 0., -1., -2.],
           [ 1.,  0., -1.],
           [ 2.,  1.,  0.]])
    >>> np.allclose(sum(irrep_part(tensor, k) for k in IRREPS), tensor)
    True
    """
    tensor = np.asarray(apt, float)
    if tensor.shape[-2:] != (3, 3):
        raise InputError(
            "The 'apt' is not an array of tensors.", got=tensor.shape, expected="(..., 3, 3)"
        )
    transposed = np.swapaxes(tensor, -1, -2)
    if angular_momentum == 1:
        return (tensor - transposed) / 2
    isotropic = np.trace(tensor, axis1=-2, axis2=-1)[..., None, None] / 3 * np.eye(3)
    if angular_momentum == 0:
        return isotropic
    if angular_momentum == 2:
        return (tensor + transposed) / 2 - isotropic
    raise UnknownNameError("irrep", f"L={angular_momentum}", [f"L={k}" for k in IRREPS])


def axial_vector(apt: npt.ArrayLike) -> Array:
    r"""Return the antisymmetric part as an axial vector, shape (..., 3).

    Notes
    -----
    :math:`a_k = \tfrac12 \sum_{pd} \epsilon_{kpd} P_{pd}`; it changes sign when `pol` and `disp`
    are swapped. The Frobenius norm of the antisymmetric part is :math:`\sqrt2 |a|`.

    Examples
    --------
    >>> axial_vector([[0, 1, 0], [-1, 0, 0], [0, 0, 0]])
    array([0., 0., 1.])
    """
    part = irrep_part(apt, 1)
    return np.stack([part[..., 1, 2], part[..., 2, 0], part[..., 0, 1]], axis=-1)
