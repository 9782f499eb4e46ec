"""Index order of the atomic polar tensor and other conventions, as names and as checks."""

from __future__ import annotations

from typing import Final

import numpy as np
import numpy.typing as npt

from aptbench.errors import InputError, UnknownNameError

VERSION: Final = "aptbench-1"
"""Name of this set of conventions, written into every file."""

ORDERS: Final = ("pol,disp", "disp,pol")


def to_pol_disp(apt: npt.ArrayLike, order: str) -> npt.NDArray[np.float64]:
    """Return tensors in the order of the convention, whatever the order of the source.

    Parameters
    ----------
    apt : array, shape (..., 3, 3) or (..., 9)
        Nine columns are taken row by row.
    order : {"pol,disp", "disp,pol"}
        What the last two indices (row, column) of ``apt`` mean. There is no default: published
        files disagree, and nothing in the numbers of one file says which it is.

    Returns
    -------
    array, shape (..., pol, disp)

    Raises
    ------
    UnknownNameError
        If ``order`` is not one of the two.
    InputError
        If the last dimensions are neither (3, 3) nor (9,).

    Examples
    --------
    >>> to_pol_disp([[0, 1, 0], [0, 0, 0], [0, 0, 0]], "disp,pol")[1, 0]
    np.float64(1.0)
    """
    if order not in ORDERS:
        raise UnknownNameError("index order", order, ORDERS)
    array = np.asarray(apt, float)
    if array.shape[-1:] == (9,):
        array = array.reshape(*array.shape[:-1], 3, 3)
    if array.shape[-2:] != (3, 3):
        raise InputError(
            "The 'apt' is not an array of tensors.",
            got=array.shape,
            expected="(..., 3, 3) or (..., 9)",
        )
    return array if order == "pol,disp" else np.swapaxes(array, -1, -2)
