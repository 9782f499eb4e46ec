"""`fidelity`: metrics of a spectrum in every band, their intervals, and errors of the current."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Final

import numpy as np
import numpy.typing as npt

from aptbench.bootstrap import BlockBootstrap
from aptbench.errors import AlignmentError, InputError
from aptbench.spectra.band import Band, Ends
from aptbench.spectra.spectral_metrics import (
    SPECTRAL_METRICS,
    SpectralMetric,
    comparable_band,
    get_spectral_metric,
)
from aptbench.spectra.spectrum import Spectrum

Array = npt.NDArray[np.float64]

WHOLE: Final = "all"
"""Name of the whole grid among the bands of `fidelity`."""
HALF_AGAINST_HALF: Final = 2.0
"""Deviation between two halves of a trajectory over that of all of it from a very long one.

A half has twice the variance of the whole, and the difference of two halves twice that of a half:
four in the variance, two in the standard deviation.
"""


def fidelity(
    model: Spectrum,
    reference: Spectrum,
    bands: Mapping[str, Ends] | None = None,
    metrics: Iterable[str] = tuple(SPECTRAL_METRICS),
) -> dict[str, dict[str, float]]:
    """Return metrics of the whole grid and of every band.

    Parameters
    ----------
    model, reference : Spectrum
    bands : mapping of name to (low, high), optional
        In cm^-1; those of the protocol if not given.
    metrics : iterable of str
        Names; all if not given.

    Returns
    -------
    dict of band name to dict of metric name to float
        The first band is `WHOLE`.

    Raises
    ------
    UnknownNameError
        If there is no such metric.
    AlignmentError, InputError
        As `SpectralMetric`.

    Examples
    --------
    >>> from aptbench.spectra import IR1
    >>> one, two = (Spectrum(IR1.wavenumber, np.full(2001, k), IR1) for k in (1.0, 1.5))
    >>> fidelity(two, one, {"bend": (1500.0, 1800.0)}, ["relative_l1"])
    {'all': {'relative_l1': 0.5}, 'bend': {'relative_l1': 0.5}}
    """
    if bands is None:
        bands = {name: (low, high) for name, low, high in reference.protocol.bands}
    chosen = {name: get_spectral_metric(name) for name in metrics}
    ends: dict[str, Ends | None] = {WHOLE: None, **bands}
    return {
        place: {name: metric(model, reference, band) for name, metric in chosen.items()}
        for place, band in ends.items()
    }


def noise_floor(
    first: Spectrum,
    second: Spectrum,
    bands: Mapping[str, Ends] | None = None,
    *,
    of_whole: bool = False,
) -> dict[str, dict[str, float]]:
    r"""Return all metrics of one half of the reference trajectory against the other.

    Parameters
    ----------
    first, second : Spectrum
        Of the two halves.
    bands : mapping of name to (low, high), optional
        As in `fidelity`.
    of_whole : bool
        Return what the whole trajectory would score against an infinitely long one: the distance
        from the ideal over `HALF_AGAINST_HALF` to the power of `SpectralMetric.order`; NaN where
        there is no such power.

    Notes
    -----
    This is the noise of the dynamics. It cancels to a large part between a model and a reference on
    the same trajectory, whose difference the paired interval of `interval_of` describes; but a
    difference below it could not be told from another stretch of the same trajectory. The factor
    holds for small deviations and halves that are many correlation times long.
    """
    halves = fidelity(first, second, bands)
    if not of_whole:
        return halves
    return {
        place: {
            name: float("nan")
            if metric.order is None
            else metric.ideal + (row[name] - metric.ideal) / HALF_AGAINST_HALF**metric.order
            for name, metric in SPECTRAL_METRICS.items()
        }
        for place, row in halves.items()
    }


def interval_of(
    metric: SpectralMetric | str,
    model: Spectrum,
    reference: Spectrum,
    model_replicates: npt.ArrayLike,
    reference_replicates: npt.ArrayLike,
    band: Ends | None = None,
    confidence: float = 0.95,
    n_blocks: int | None = None,
) -> tuple[float, float, float]:
    """Return a metric with its paired bootstrap interval: value, low, high.

    Parameters
    ----------
    metric : SpectralMetric or str
    model, reference : Spectrum
        Of the whole trajectory.
    model_replicates, reference_replicates : array, shape (replicate, wavenumber)
        Absorption in cm^-1; row k of both from the same resampled blocks of time.
    band : tuple of float, optional
        Ends in cm^-1; the whole grid if not given.
    confidence : float
    n_blocks : int, optional
        Number of blocks of the trajectory: widens the percentiles as `BlockBootstrap` does, which
        with few blocks are too narrow.

    Returns
    -------
    tuple of float
        The ends are NaN if more than ``1 - confidence`` of the replicates have no such number.

    Raises
    ------
    AlignmentError
        If the replicates are not of the grid, or not as many for model and reference.
    InputError
        As `SpectralMetric`, or if replicates are not finite.

    Notes
    -----
    Percentiles of the metric over the replicates. A distance such as the relative L1 norm is zero
    at best, and noise that the pair does not share can only add to it: its interval then lies
    high, and may lie above the value.
    """
    chosen = get_spectral_metric(metric) if isinstance(metric, str) else metric
    value = chosen(model, reference, band)
    ours, theirs = np.asarray(model_replicates, float), np.asarray(reference_replicates, float)
    if ours.ndim != 2 or ours.shape != theirs.shape or ours.shape[1:] != model.wavenumber.shape:
        raise AlignmentError(
            "The replicates of model and reference are not pairs on the grid of the spectra.",
            got=f"{ours.shape} and {theirs.shape}",
            expected=f"twice (replicate, {len(model.wavenumber)})",
            do="draw the replicates of both with the same blocks",
        )
    if not (np.isfinite(ours).all() and np.isfinite(theirs).all()):
        raise InputError("A replicate of a spectrum has values that are not finite.")
    numbers = chosen.kernel(Band(model.wavenumber, band), ours, theirs)
    bootstrap = BlockBootstrap(confidence=confidence)
    missing = np.isnan(numbers)
    if missing.mean() > 1 - confidence:
        return value, float("nan"), float("nan")
    if n_blocks is not None:
        return value, *bootstrap.interval(numbers, n_blocks)
    tail = (1 - confidence) / 2
    low, high = np.quantile(numbers[~missing], [tail, 1 - tail])
    return value, float(low), float(high)


def current_error(model_current: npt.ArrayLike, reference_current: npt.ArrayLike) -> float:
    r"""Return the relative error of the current, on frames that need not be neighbours.

    Parameters
    ----------
    model_current, reference_current : array, shape (frame, pol)
        In e angstrom/fs, of the same frames.

    Returns
    -------
    float
        :math:`\eta = \sqrt{\langle |\Delta \dot M|^2 \rangle / \langle |\dot M_\mathrm{ref}|^2
        \rangle}`: 0 for a perfect model, 1 for one that is zero.

    Raises
    ------
    AlignmentError
        If the currents are not of the same frames.
    InputError
        If there is no frame, a current is not finite, or the reference is zero.

    Notes
    -----
    It bounds the error of the spectrum: S_model - S_ref = 2 Re S_rd + S_dd, with d the error of the
    current and r the reference, and :math:`|S_{rd}|^2 \le S_{rr} S_{dd}`, so that the relative L1
    norm on the whole grid is at most :math:`2 \eta + \eta^2`.

    Examples
    --------
    >>> round(current_error([[0.0, 0.0, 1.1]], [[0.0, 0.0, 1.0]]), 6)
    0.1
    """
    model, reference = np.asarray(model_current, float), np.asarray(reference_current, float)
    if model.shape != reference.shape or model.ndim != 2 or model.shape[1] != 3:
        raise AlignmentError(
            "The two currents are not of the same frames.",
            got=f"{model.shape} and {reference.shape}",
            expected="twice (frame, pol)",
        )
    if not (np.isfinite(model).all() and np.isfinite(reference).all()):
        raise InputError("A current has values that are not finite.")
    square = float((reference**2).sum())
    if square == 0:
        raise InputError("The reference current is zero.", got=f"{len(reference)} frames")
    return float(np.sqrt(((model - reference) ** 2).sum() / square))


def band_current_error(
    difference: Spectrum, reference: Spectrum, band: Ends | None = None
) -> float:
    r"""Return the relative error of the current in a band, from dense frames.

    Parameters
    ----------
    difference : Spectrum
        The absorption of the difference of the two currents.
    reference : Spectrum
        Of the same protocol and grid.
    band : tuple of float, optional
        Ends in cm^-1; the whole grid if not given.

    Returns
    -------
    float
        :math:`\eta = \sqrt{\int S_{dd} d\tilde\nu / \int S_\mathrm{ref} d\tilde\nu}`. NaN if the
        integral of the difference is negative, which is below the noise of the estimate.

    Raises
    ------
    AlignmentError, InputError
        As `SpectralMetric`.

    Notes
    -----
    On the whole grid it is `current_error` of all frames up to what lies beyond the grid: the
    integral of the absorption is proportional to the mean square of the current. In a band the
    relative L1 norm is at most :math:`2 \eta + \eta^2`, up to the noise of the estimate.

    Examples
    --------
    >>> from aptbench.spectra import IR1
    >>> one, small = (Spectrum(IR1.wavenumber, np.full(2001, k), IR1) for k in (1.0, 0.01))
    >>> band_current_error(small, one, (1500.0, 1800.0))
    0.1
    """
    checked = comparable_band(difference, reference, band)
    square = checked.integral(difference.absorption) / checked.integral(reference.absorption)
    return float(np.sqrt(square)) if square >= 0 else float("nan")
