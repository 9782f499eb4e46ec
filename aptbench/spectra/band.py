"""`Band`: curves between two wavenumbers, and their integrals.

Curves are arrays (..., wavenumber), so that all replicates of a bootstrap are one call.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from aptbench.errors import InputError

Array = npt.NDArray[np.float64]
Ends = tuple[float, float]


@dataclass(frozen=True, eq=False)
class Band:
    """A stretch of a grid of wavenumbers.

    Parameters
    ----------
    wavenumber : array, shape (wavenumber,)
        The grid in cm^-1, rising.
    ends : tuple of float, optional
        In cm^-1, on points of the grid or between them; the whole grid if not given.

    Raises
    ------
    InputError
        If the ends do not rise, or lie outside the grid.

    Notes
    -----
    Curves are linear between the points of the grid, and integrals are those of the trapezoids.

    Examples
    --------
    >>> band = Band(np.arange(5.0), (0.5, 3.0))
    >>> band.points.tolist(), float(band.integral(np.ones(5)))
    ([0.5, 1.0, 2.0, 3.0], 2.5)
    """

    wavenumber: Array
    ends: Ends | None = None

    def __post_init__(self) -> None:
        grid, (low, high) = self.wavenumber, self.limits
        if not grid[0] <= low < high <= grid[-1]:
            raise InputError(
                "A band does not lie on the grid of the spectrum.",
                got=f"{low} to {high} cm^-1",
                expected=f"rising, from {grid[0]} to {grid[-1]} cm^-1",
            )

    @property
    def limits(self) -> Ends:
        """Ends of the band, or of the grid, in cm^-1."""
        if self.ends is None:
            return float(self.wavenumber[0]), float(self.wavenumber[-1])
        return self.ends

    @property
    def points(self) -> Array:
        """Ends of the band and the points of the grid between them, in cm^-1, shape (point,)."""
        return self.cut(self.wavenumber)

    def cut(self, curves: Array) -> Array:
        """Return curves (..., wavenumber) in the band, shape (..., point)."""
        grid, (low, high) = self.wavenumber, self.limits
        inside = curves[..., (grid > low) & (grid < high)]
        edges = []
        for end in (low, high):
            right = min(max(int(np.searchsorted(grid, end)), 1), len(grid) - 1)
            share = (end - grid[right - 1]) / (grid[right] - grid[right - 1])
            edge = (1 - share) * curves[..., right - 1] + share * curves[..., right]
            edges.append(edge[..., None])
        return np.concatenate([edges[0], inside, edges[1]], axis=-1)

    def integral(self, curves: Array) -> Array:
        """Return the integral over the band, shape (...), in the unit of the curves times cm^-1."""
        return area(self.points, self.cut(curves))


def area(points: Array, curves: Array) -> Array:
    """Return the integral of curves (..., point) over uneven points, shape (...).

    >>> float(area(np.array([0.0, 1.0, 3.0]), np.array([0.0, 1.0, 1.0])))
    2.5
    """
    steps = np.diff(points)
    weights = np.concatenate([steps, [0.0]]) + np.concatenate([[0.0], steps])
    return np.asarray(curves @ (weights / 2))
