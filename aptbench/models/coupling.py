"""`Coupling`: all Clebsch-Gordan paths of a product of two feature tensors as one dense matrix."""

from __future__ import annotations

import functools
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Irrep = tuple[int, int]
"""Degree l and parity p = +1 or -1."""
Irreps = tuple[Irrep, ...]


def dimension(irreps: Iterable[Irrep]) -> int:
    """Return the number of components.

    >>> dimension(((0, 1), (1, -1), (2, 1)))
    9
    """
    return sum(2 * degree + 1 for degree, _ in irreps)


def offsets(irreps: Irreps) -> tuple[int, ...]:
    """Return where each irrep begins, and the end."""
    return tuple(int(n) for n in np.cumsum([0, *(2 * degree + 1 for degree, _ in irreps)]))


def spherical(largest: int) -> Irreps:
    """Return the irreps of spherical harmonics up to a degree.

    >>> spherical(2)
    ((0, 1), (1, -1), (2, 1))
    """
    return tuple((degree, (-1) ** degree) for degree in range(largest + 1))


@functools.cache
def clebsch_gordan(first: int, second: int, third: int) -> npt.NDArray[np.float64]:
    """Return sqrt(2 l3 + 1) times the Wigner 3j tensor of e3nn, shape (m3, m1, m2).

    With unit variance of every component of both factors, every component of the product has unit
    variance. The factors and the product are in the real basis of e3nn; for l = 1 that is x, y, z.
    """
    import torch
    from e3nn import o3

    tensor = o3.wigner_3j(first, second, third, dtype=torch.float64).permute(2, 0, 1)
    result = np.sqrt(2 * third + 1) * tensor.numpy()
    result.setflags(write=False)
    return np.asarray(result)


@dataclass(frozen=True)
class Path:
    """One allowed combination: positions of the factors and of the result in their irreps."""

    first: int
    second: int
    result: int


@dataclass(frozen=True, eq=False)
class Coupling:
    """Every allowed path from ``first`` x ``second`` into ``result``.

    Parameters
    ----------
    first, second, result : tuple of (l, p)

    Attributes
    ----------
    paths : tuple of Path
        Sorted by result; the rows of `matrix` follow them.
    matrix : array, shape (sum of 2 l3 + 1 over paths, components of first * components of second)

    Examples
    --------
    >>> coupling = Coupling(((1, -1),), ((1, -1),), ((0, 1), (1, 1), (2, 1)))
    >>> len(coupling.paths), coupling.matrix.shape
    (3, (9, 9))
    """

    first: Irreps
    second: Irreps
    result: Irreps

    @functools.cached_property
    def paths(self) -> tuple[Path, ...]:
        return tuple(
            Path(a, b, c)
            for c, (degree3, parity3) in enumerate(self.result)
            for a, (degree1, parity1) in enumerate(self.first)
            for b, (degree2, parity2) in enumerate(self.second)
            if parity1 * parity2 == parity3
            and abs(degree1 - degree2) <= degree3 <= degree1 + degree2
        )

    @functools.cached_property
    def matrix(self) -> npt.NDArray[np.float64]:
        rows = []
        at1, at2 = offsets(self.first), offsets(self.second)
        for path in self.paths:
            row = np.zeros(
                (2 * self.result[path.result][0] + 1, dimension(self.first), dimension(self.second))
            )
            row[
                :, at1[path.first] : at1[path.first + 1], at2[path.second] : at2[path.second + 1]
            ] = clebsch_gordan(
                self.first[path.first][0],
                self.second[path.second][0],
                self.result[path.result][0],
            )
            rows.append(row.reshape(len(row), -1))
        return np.concatenate(rows)

    def count(self, result: int) -> int:
        """Return the number of paths into one irrep of the result."""
        return sum(path.result == result for path in self.paths)
