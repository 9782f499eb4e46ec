"""`harmonics` and `coupling`: spherical tensors in numpy alone, for models without torch."""

from __future__ import annotations

import functools
from typing import Final

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[np.float64]

LARGEST: Final = 3
"""The largest degree of the harmonics."""


def harmonics(units: Array, degree: int) -> tuple[Array, ...]:
    """Return real spherical harmonics of unit vectors, one array a degree.

    Parameters
    ----------
    units : array, shape (vector, xyz)
        Of length one.
    degree : int
        Largest degree, at most 3.

    Returns
    -------
    tuple of array, shape (vector, 2 l + 1)
        Normalised so that the squares of one degree add up to 2 l + 1; degree 1 is sqrt(3) times
        the vector itself.

    Examples
    --------
    >>> scalar, vector = harmonics(np.array([[0.0, 0.6, 0.8]]), 1)
    >>> (vector / np.sqrt(3)).round(12).tolist()
    [[0.0, 0.6, 0.8]]
    """
    x, y, z = np.asarray(units, np.float64).T
    columns = (
        [np.ones_like(x)],
        [x, y, z],
        [
            np.sqrt(3) * x * y,
            np.sqrt(3) * y * z,
            z**2 - (x**2 + y**2) / 2,
            np.sqrt(3) * x * z,
            np.sqrt(3) / 2 * (x**2 - y**2),
        ],
        [
            np.sqrt(5 / 8) * y * (3 * x**2 - y**2),
            np.sqrt(15) * x * y * z,
            np.sqrt(3 / 8) * y * (4 * z**2 - x**2 - y**2),
            z * (z**2 - 1.5 * (x**2 + y**2)),
            np.sqrt(3 / 8) * x * (4 * z**2 - x**2 - y**2),
            np.sqrt(15) / 2 * z * (x**2 - y**2),
            np.sqrt(5 / 8) * x * (x**2 - 3 * y**2),
        ],
    )
    return tuple(
        np.sqrt(2 * n + 1) * np.stack(part, -1) for n, part in enumerate(columns[: degree + 1])
    )


@functools.cache
def coupling(first: int, second: int, result: int) -> Array:
    """Return the tensor that couples two degrees into a third, shape (result, first, second).

    Parameters
    ----------
    first, second, result : int
        Degrees of at most 3 that can form a triangle.

    Returns
    -------
    array, shape (2 result + 1, 2 first + 1, 2 second + 1)
        The invariant tensor of squared norm 2 result + 1: proportional to the 3j symbols of the
        real harmonics of `harmonics`.

    Notes
    -----
    The integral over the sphere of Y1 Y2 Y3 where the sum of the degrees is even, and of
    r . (grad Y1 x grad Y2) Y3 where it is odd: both are invariant, and there is only one invariant
    up to its scale. The integrand is a polynomial, so the quadrature is exact. Taking the sign
    from an integral makes it the same on every machine, as weights of a model need it.

    Examples
    --------
    >>> coupling(1, 1, 0).round(6).tolist()  # the scalar product / sqrt(3)
    [[[0.57735, 0.0, 0.0], [0.0, 0.57735, 0.0], [0.0, 0.0, 0.57735]]]
    """
    points, weights = _quadrature()
    degree = max(first, second, result)
    values = harmonics(points, degree)
    if (first + second + result) % 2 == 0:
        tensor = np.einsum(
            "pc,pa,pb,p->cab", values[result], values[first], values[second], weights
        )
    else:
        gradients = _gradients(points, degree)
        turned = np.cross(gradients[first][:, :, None], gradients[second][:, None])
        tensor = np.einsum("pc,px,pabx,p->cab", values[result], points, turned, weights)
    tensor[np.abs(tensor) < 1e-10 * np.abs(tensor).max()] = 0.0
    tensor *= np.sqrt((2 * result + 1) / np.sum(tensor**2))
    tensor.setflags(write=False)
    return tensor


@functools.cache
def cartesian_basis(degree: int) -> Array:
    """Return the orthonormal 3 x 3 tensors of one degree, shape (2 l + 1, pol, disp).

    Degree 0 is the identity, 1 the antisymmetric and 2 the symmetric traceless tensors.

    >>> [basis.shape for basis in map(cartesian_basis, range(3))]
    [(1, 3, 3), (3, 3, 3), (5, 3, 3)]
    """
    return coupling(1, 1, degree)


def _quadrature() -> tuple[Array, Array]:
    """Return points and weights on the sphere, exact for polynomials up to degree 15."""
    height, weight = np.polynomial.legendre.leggauss(8)
    angle = 2 * np.pi * np.arange(16) / 16
    across = np.sqrt(1 - height**2)[:, None]
    points = np.stack(
        [
            across * np.cos(angle),
            across * np.sin(angle),
            np.broadcast_to(height[:, None], (8, 16)),
        ],
        -1,
    )
    return points.reshape(-1, 3), np.repeat(weight / 32, 16)


def _gradients(points: Array, degree: int) -> tuple[Array, ...]:
    """Return gradients on the sphere by a fourth-order difference, shape (point, m, xyz).

    Only r . (grad x grad) is taken of them, so a part along r does not matter.
    """
    step = 1e-2

    def along(shift: Array) -> tuple[Array, ...]:
        # polynomials, so they exist off the sphere as well
        return harmonics(points + shift, degree)

    columns = []
    for axis in np.eye(3) * step:
        far, near, back, rear = along(2 * axis), along(axis), along(-axis), along(-2 * axis)
        # exact for cubic polynomials
        columns.append(
            [
                (8 * (b - c) - (a - d)) / (12 * step)
                for a, b, c, d in zip(far, near, back, rear, strict=True)
            ]
        )
    return tuple(np.stack([c[n] for c in columns], -1) for n in range(degree + 1))
