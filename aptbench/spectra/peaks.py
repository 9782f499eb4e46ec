"""`highest_peak`: position, height and width of the highest peak of a curve."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from aptbench.errors import InputError

Array = npt.NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Peak:
    """The highest peak of each curve; NaN where there is none.

    Parameters
    ----------
    position : array, shape (...)
        In cm^-1.
    height : array, shape (...)
        In the unit of the curve.
    width : array, shape (...)
        Full width at half of the height above zero, in cm^-1.
    """

    position: Array
    height: Array
    width: Array


def highest_peak(points: Array, curves: Array) -> Peak:
    r"""Return the highest peak of curves.

    Parameters
    ----------
    points : array, shape (point,)
        Wavenumbers in cm^-1, rising.
    curves : array, shape (..., point)

    Returns
    -------
    Peak
        Position and height are the vertex of the parabola through the highest point and its two
        neighbours. The width lies between the nearest crossings of half of the height on both
        sides, by linear interpolation. Everything is NaN where the highest point is the first or
        the last (the curve only rises or falls to the end: the peak is elsewhere) or is not
        positive. The width alone is NaN where the curve does not come down to half of the height on
        both sides.

    Raises
    ------
    InputError
        If there are fewer than three points, or the shapes do not fit.

    Notes
    -----
    The width contains the broadening of the spectrum. The error of the vertex for a Gaussian of
    full width w on a grid of step h is below 0.02 h (h / w < 1/5).

    Examples
    --------
    >>> points = np.arange(0.0, 200.0, 2.0)
    >>> peak = highest_peak(points, 3 * np.exp(-((points - 90.7) ** 2) / (2 * 20.0**2)))
    >>> round(float(peak.position), 2), round(float(peak.height), 3), round(float(peak.width), 1)
    (90.7, 3.0, 47.1)
    """
    points, curves = np.asarray(points, float), np.asarray(curves, float)
    if points.ndim != 1 or len(points) < 3 or curves.shape[-1:] != points.shape:
        raise InputError(
            "A peak needs three points or more.",
            got=f"points {points.shape} and curves {curves.shape}",
            expected="(point,) and (..., point)",
        )
    top = np.argmax(curves, axis=-1)
    center = np.clip(top, 1, len(points) - 2)
    position, height = _vertex(points, curves, center)
    valid = (top == center) & (height > 0)
    width = _width(points, curves, center, height / 2)
    found = [np.where(valid, number, np.nan) for number in (position, height, width)]
    return Peak(*found)


def _at(curves: Array, index: npt.NDArray[np.int64]) -> Array:
    return np.take_along_axis(curves, index[..., None], axis=-1)[..., 0]


def _vertex(points: Array, curves: Array, center: npt.NDArray[np.int64]) -> tuple[Array, Array]:
    before, here, after = (points[center + k] for k in (-1, 0, 1))
    low, top, high = (_at(curves, center + k) for k in (-1, 0, 1))
    rise, fall = (top - low) / (here - before), (high - top) / (after - here)
    bend = (fall - rise) / (after - before)
    flat = np.zeros_like(bend)
    # the derivative of the Newton form is zero; a flat top stays where it is
    position = (before + here) / 2 - np.divide(rise, 2 * bend, out=flat, where=bend < 0)
    position = np.where(bend < 0, position, here)
    height = low + rise * (position - before) + bend * (position - before) * (position - here)
    return position, height


def _width(points: Array, curves: Array, center: npt.NDArray[np.int64], half: Array) -> Array:
    index = np.arange(len(points))
    below = curves < half[..., None]
    left = np.where(below & (index < center[..., None]), index, -1).max(-1)
    right = np.where(below & (index > center[..., None]), index, len(points)).min(-1)
    ends = []
    for start, inner in ((np.maximum(left, 0), 1), (np.minimum(right, len(points) - 1), -1)):
        other = np.clip(start + inner, 0, len(points) - 1)
        low, high = _at(curves, start), _at(curves, other)
        rise = np.where(high != low, high - low, 1.0)
        ends.append(points[start] + (half - low) / rise * (points[other] - points[start]))
    reached = (left >= 0) & (right < len(points))
    return np.where(reached, ends[1] - ends[0], np.nan)
