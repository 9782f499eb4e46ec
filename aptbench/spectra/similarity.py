"""How alike two curves are: `wasserstein1`, `information_similarity`, cosine, correlation.

Curves are arrays (..., point), so that all replicates of a bootstrap are one call. A number that
does not exist, such as the shape of a curve without area, is NaN.
"""

from __future__ import annotations

from typing import Final

import numpy as np
import numpy.typing as npt

from aptbench.errors import InputError
from aptbench.spectra.band import area

Array = npt.NDArray[np.float64]

SMOOTHING: Final = 10.0
"""Standard deviation in cm^-1 of the Gaussian of the spectral information similarity."""
FLOOR: Final = 1e-10
"""Least share of a point of the grid in the area of a curve, so that its logarithm exists."""


def wasserstein1(points: Array, model: Array, reference: Array) -> Array:
    r"""Return how far intensity must be moved to turn one shape into the other, in cm^-1.

    Parameters
    ----------
    points : array, shape (point,)
        In cm^-1, rising.
    model, reference : array, shape (..., point)

    Returns
    -------
    array, shape (...)
        NaN where a curve has no area.

    Notes
    -----
    The Wasserstein-1 distance of the curves as densities of unit area,
    :math:`\int |F(\tilde\nu) - F_\mathrm{ref}(\tilde\nu)| d\tilde\nu` with F the integral of the
    density from the start of the band (Villani, Optimal Transport, Springer 2009,
    doi:10.1007/978-3-540-71050-9). A density is not negative: negative values are set to zero
    first, and `clipped_fraction` says how much that was.

    Examples
    --------
    >>> points = np.arange(0.0, 100.0)
    >>> one, moved = np.exp(-((points - 40) ** 2) / 50), np.exp(-((points - 47) ** 2) / 50)
    >>> round(float(wasserstein1(points, moved, one)), 6)
    7.0
    """
    steps = np.diff(points)
    difference = _density(points, model) - _density(points, reference)
    moved = np.zeros_like(difference)
    np.cumsum((difference[..., 1:] + difference[..., :-1]) / 2 * steps, axis=-1, out=moved[..., 1:])
    return area(points, np.abs(moved))


def clipped_fraction(points: Array, curves: Array) -> Array:
    r"""Return the share of negative values in a curve, shape (...).

    :math:`\int \max(-a, 0) d\tilde\nu / \int |a| d\tilde\nu`: what `wasserstein1` leaves out.

    >>> float(clipped_fraction(np.arange(4.0), np.array([3.0, 3.0, -1.0, 0.0])))
    0.18181818181818182
    """
    return ratio(area(points, np.maximum(-curves, 0)), area(points, np.abs(curves)))


def smoothed(wavenumber: Array, curves: Array) -> Array:
    """Return curves as the spectral information similarity wants them, shape (..., wavenumber).

    Negative values are set to zero, the area to one, every point to `FLOOR` of it at least; then
    the curve is convolved with a Gaussian of `SMOOTHING`.

    Raises
    ------
    InputError
        If the grid is uneven.
    """
    from scipy.ndimage import gaussian_filter1d

    steps = np.diff(wavenumber)
    if np.ptp(steps) > 1e-6 * steps.mean():
        raise InputError(
            "The spectral information similarity needs evenly spaced wavenumbers.",
            got=f"steps of {steps.min():g} to {steps.max():g} cm^-1",
        )
    step = float(steps.mean())
    density = np.maximum(_density(wavenumber, curves), FLOOR / step)
    return np.asarray(
        # beyond eight standard deviations a Gaussian is below the floor
        gaussian_filter1d(density, SMOOTHING / step, mode="constant", truncate=8.0)
    )


def information_similarity(points: Array, model: Array, reference: Array) -> Array:
    r"""Return the spectral information similarity of two smoothed curves, 0 to 1.

    Parameters
    ----------
    points : array, shape (point,)
        In cm^-1, rising.
    model, reference : array, shape (..., point)
        Positive; see `smoothed`.

    Notes
    -----
    With p and q the curves of unit area, SIS = 1 / (1 + SID), and SID is the symmetric
    Kullback-Leibler divergence :math:`\int (p - q) \ln (p / q) d\tilde\nu`. SIS: McGill, Forsuelo,
    Guan, Green, J. Chem. Inf. Model. 61, 2594 (2021), doi:10.1021/acs.jcim.1c00055; SID: Chang,
    IEEE Trans. Inf. Theory 46, 1927 (2000), doi:10.1109/18.857802.

    Examples
    --------
    >>> points = np.arange(3.0)
    >>> float(information_similarity(points, np.array([1.0, 2.0, 1.0]), np.array([2.0, 4.0, 2.0])))
    1.0
    """
    p, q = _density(points, model), _density(points, reference)
    return 1 / (1 + area(points, (p - q) * np.log(p / q)))


def cosine_similarity(points: Array, model: Array, reference: Array) -> Array:
    r"""Return the cosine of the angle between two curves, shape (...), -1 to 1.

    :math:`\int a b / \sqrt{\int a^2 \int b^2}`; NaN where a curve is zero.

    >>> float(cosine_similarity(np.arange(2.0), np.array([3.0, 0.0]), np.array([0.0, 2.0])))
    0.0
    """
    squares = area(points, model**2) * area(points, reference**2)
    return ratio(area(points, model * reference), np.sqrt(squares))


def pearson_correlation(points: Array, model: Array, reference: Array) -> Array:
    """Return the correlation of two curves about their means, shape (...), -1 to 1.

    NaN where a curve is constant.

    >>> up = np.array([0.0, 1.0, 2.0])
    >>> round(float(pearson_correlation(np.arange(3.0), 5 - up, up)), 6)
    -1.0
    """
    return cosine_similarity(points, _centered(points, model), _centered(points, reference))


def ratio(numerator: Array, denominator: Array) -> Array:
    """Return the quotient of two arrays; NaN where the denominator is not positive.

    >>> ratio(np.array([1.0, 1.0]), np.array([2.0, 0.0]))
    array([0.5, nan])
    """
    missing = np.full(np.broadcast_shapes(numerator.shape, denominator.shape), np.nan)
    return np.divide(numerator, denominator, out=missing, where=denominator > 0)


def _centered(points: Array, curves: Array) -> Array:
    mean = area(points, curves)[..., None] / (points[-1] - points[0])
    # rounding would leave a constant curve with a shape
    return np.where(np.ptp(curves, axis=-1, keepdims=True) > 0, curves - mean, 0.0)


def _density(points: Array, curves: Array) -> Array:
    positive = np.maximum(curves, 0)
    return ratio(positive, area(points, positive)[..., None])
