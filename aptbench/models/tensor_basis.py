"""`to_irreps` and `to_cartesian`: atomic polar tensors as 0e + 1e + 2e and back."""

from __future__ import annotations

import functools
from typing import Final

import numpy as np
import numpy.typing as npt

SLICES: Final = {0: slice(0, 1), 1: slice(1, 4), 2: slice(4, 9)}
"""Where each degree L lies among the nine components."""


@functools.cache
def change_of_basis() -> npt.NDArray[np.float64]:
    """Return the orthogonal matrix from (pol, disp) to 0e + 1e + 2e, shape (9, pol, disp).

    From `e3nn.io.CartesianTensor`, so that components rotate with the Wigner matrices of e3nn.
    """
    import torch
    from e3nn import o3

    # the products of two vectors, degree by degree: what CartesianTensor("ij") computes
    blocks = [
        o3.wigner_3j(1, 1, degree, dtype=torch.float64).permute(2, 0, 1).numpy()
        * np.sqrt(2 * degree + 1)
        for degree in range(3)
    ]
    basis = np.concatenate(blocks)
    basis.setflags(write=False)
    return basis


def to_irreps(apt: npt.ArrayLike) -> npt.NDArray[np.float64]:
    """Return the nine irreducible components, shape (..., 9), of tensors (..., pol, disp).

    The transform is orthogonal: squares add up to the squared Frobenius norm.

    >>> round(float(to_irreps(np.eye(3))[0] ** 2), 9)  # a pure L = 0
    3.0
    """
    return np.einsum("kij,...ij->...k", change_of_basis(), np.asarray(apt, np.float64))


def to_cartesian(components: npt.ArrayLike) -> npt.NDArray[np.float64]:
    """Return tensors (..., pol, disp) from nine irreducible components (..., 9)."""
    return np.einsum("kij,...k->...ij", change_of_basis(), np.asarray(components, np.float64))
