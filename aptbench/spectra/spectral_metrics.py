"""`SPECTRAL_METRICS`: how near the spectrum of a model comes to that of the reference.

Both spectra are of the same trajectory, so that positions and velocities cancel and only the
tensors differ. ``docs/spectral-metrics.md`` tells what each number sees and what it misses.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final

import numpy as np
import numpy.typing as npt

from aptbench.errors import AlignmentError, InputError, UnknownNameError
from aptbench.spectra.band import Band, Ends
from aptbench.spectra.peaks import highest_peak
from aptbench.spectra.similarity import (
    clipped_fraction,
    cosine_similarity,
    information_similarity,
    pearson_correlation,
    ratio,
    smoothed,
    wasserstein1,
)
from aptbench.spectra.spectrum import Spectrum

Array = npt.NDArray[np.float64]
Kernel = Callable[[Band, Array, Array], Array]


@dataclass(frozen=True)
class SpectralMetric:
    """A number from two spectra.

    Parameters
    ----------
    name, unit, meaning : str
    kernel : callable
        From a band and arrays (..., wavenumber) of model and reference to an array (...).
    ranked : bool
        Whether models are ordered by it. Overlap scores are reported for comparison with the
        literature only.
    ideal : float
        Value of a perfect model; models are ordered by the distance from it.
    scale_free : bool
        Whether the number is the same if all intensities of the model are scaled.
    shift_monotone : bool
        Whether the distance from the ideal grows with every shift of the model that stays within
        the band.
    order : int, optional
        Power of a noisy deviation of the spectrum with which the distance from the ideal grows;
        none for a highest point, which noise moves as it likes, and for negative values.

    Examples
    --------
    >>> from aptbench.spectra import IR1
    >>> grid = IR1.wavenumber
    >>> line, moved = (
    ...     Spectrum(grid, np.exp(-(((grid - center) / 20) ** 2)), IR1) for center in (1650, 1662)
    ... )
    >>> round(SPECTRAL_METRICS["wasserstein1"](moved, line, (1500.0, 1800.0)), 6)
    12.0
    """

    name: str
    unit: str
    meaning: str
    kernel: Kernel
    ranked: bool = True
    ideal: float = 0.0
    scale_free: bool = False
    shift_monotone: bool = False
    order: int | None = 1

    def __call__(self, model: Spectrum, reference: Spectrum, band: Ends | None = None) -> float:
        """Return the number in a band, or on the whole grid.

        Parameters
        ----------
        model, reference : Spectrum
            Of the same protocol and grid.
        band : tuple of float, optional
            Ends in cm^-1; the whole grid if not given.

        Returns
        -------
        float
            NaN if the spectrum of the model does not have what is compared: a shape where it is
            zero, a peak where it has none.

        Raises
        ------
        AlignmentError
            If protocol or grid differ.
        InputError
            If a spectrum is not finite, the band does not lie on the grid or is narrower than the
            broadening of the protocol, or the reference has no intensity in it.
        """
        checked = comparable_band(model, reference, band)
        return float(self.kernel(checked, model.absorption, reference.absorption))

    def distance(self, value: float) -> float:
        """Return how far a value is from that of a perfect model; models are ordered by it."""
        return abs(value - self.ideal)


def _relative_l1(band: Band, model: Array, reference: Array) -> Array:
    return ratio(band.integral(np.abs(model - reference)), band.integral(np.abs(reference)))


def _integral_error(band: Band, model: Array, reference: Array) -> Array:
    return ratio(band.integral(model), band.integral(reference)) - 1


def _wasserstein1(band: Band, model: Array, reference: Array) -> Array:
    return wasserstein1(band.points, band.cut(model), band.cut(reference))


def _peak_shift(band: Band, model: Array, reference: Array) -> Array:
    ours, theirs = (highest_peak(band.points, band.cut(curves)) for curves in (model, reference))
    return ours.position - theirs.position


def _peak_height_ratio(band: Band, model: Array, reference: Array) -> Array:
    ours, theirs = (highest_peak(band.points, band.cut(curves)) for curves in (model, reference))
    return ratio(ours.height, theirs.height)


def _peak_width_error(band: Band, model: Array, reference: Array) -> Array:
    ours, theirs = (highest_peak(band.points, band.cut(curves)) for curves in (model, reference))
    return ours.width - theirs.width


def _information_similarity(band: Band, model: Array, reference: Array) -> Array:
    # smoothed before the cut, so that an end of a band is not an end of the spectrum
    ours, theirs = (band.cut(smoothed(band.wavenumber, curves)) for curves in (model, reference))
    return information_similarity(band.points, ours, theirs)


def _pearson(band: Band, model: Array, reference: Array) -> Array:
    return pearson_correlation(band.points, band.cut(model), band.cut(reference))


def _cosine(band: Band, model: Array, reference: Array) -> Array:
    return cosine_similarity(band.points, band.cut(model), band.cut(reference))


def _clipped_fraction(band: Band, model: Array, reference: Array) -> Array:
    ours, theirs = (clipped_fraction(band.points, band.cut(c)) for c in (model, reference))
    return np.fmax(ours, theirs)


_METRICS = (
    SpectralMetric(
        "relative_l1",
        "1",
        "area between the spectra over the area of the reference",
        _relative_l1,
    ),
    SpectralMetric(
        "band_integral_error",
        "1",
        "integral of the model over that of the reference, minus one",
        _integral_error,
    ),
    SpectralMetric(
        "wasserstein1",
        "cm^-1",
        "mean distance by which normalised intensity must be moved",
        _wasserstein1,
        scale_free=True,
        shift_monotone=True,
    ),
    SpectralMetric(
        "peak_shift",
        "cm^-1",
        "position of the highest peak minus that of the reference",
        _peak_shift,
        scale_free=True,
        shift_monotone=True,
        order=None,
    ),
    SpectralMetric(
        "peak_height_ratio",
        "1",
        "height of the highest peak over that of the reference",
        _peak_height_ratio,
        ideal=1.0,
        order=None,
    ),
    SpectralMetric(
        "peak_width_error",
        "cm^-1",
        "full width at half maximum of the highest peak minus that of the reference",
        _peak_width_error,
        scale_free=True,
        order=None,
    ),
    SpectralMetric(
        "information_similarity",
        "1",
        "spectral information similarity (SIS) of the smoothed, normalised spectra",
        _information_similarity,
        ranked=False,
        ideal=1.0,
        scale_free=True,
        order=2,
    ),
    SpectralMetric(
        "pearson",
        "1",
        "correlation of the spectra about their means",
        _pearson,
        ranked=False,
        ideal=1.0,
        scale_free=True,
        order=2,
    ),
    SpectralMetric(
        "cosine",
        "1",
        "cosine of the angle between the spectra",
        _cosine,
        ranked=False,
        ideal=1.0,
        scale_free=True,
        order=2,
    ),
    SpectralMetric(
        "clipped_fraction",
        "1",
        "larger share of negative absorption, which wasserstein1 sets to zero",
        _clipped_fraction,
        ranked=False,
        scale_free=True,
        order=None,
    ),
)

SPECTRAL_METRICS: Final[Mapping[str, SpectralMetric]] = MappingProxyType(
    {metric.name: metric for metric in _METRICS}
)
"""Metrics of a spectrum by name, in the order of the tables."""


def get_spectral_metric(name: str) -> SpectralMetric:
    """Return a metric by name.

    >>> get_spectral_metric("wasserstein1").unit
    'cm^-1'
    """
    if name not in SPECTRAL_METRICS:
        raise UnknownNameError("spectral metric", name, SPECTRAL_METRICS)
    return SPECTRAL_METRICS[name]


def relative_l1(spectrum: Spectrum, reference: Spectrum, band: Ends | None = None) -> float:
    r"""Return the relative difference of two spectra on the absolute scale.

    Parameters
    ----------
    spectrum, reference : Spectrum
        Of the same protocol and grid.
    band : tuple of float, optional
        Ends of a band in cm^-1; the whole grid if not given.

    Returns
    -------
    float
        :math:`\int |a - a_\mathrm{ref}| d\tilde\nu / \int |a_\mathrm{ref}| d\tilde\nu`: 0 for equal
        spectra, 2 for two of equal area that share nothing.

    Raises
    ------
    AlignmentError, InputError
        As `SpectralMetric`, of which it is the first.

    Examples
    --------
    >>> from aptbench.spectra import IR1
    >>> one, half = (Spectrum(np.arange(5.0), np.full(5, k), IR1) for k in (1.0, 0.5))
    >>> relative_l1(half, one)
    0.5
    """
    return SPECTRAL_METRICS["relative_l1"](spectrum, reference, band)


def comparable_band(spectrum: Spectrum, reference: Spectrum, ends: Ends | None = None) -> Band:
    """Return the band in which two spectra can be compared.

    Parameters
    ----------
    spectrum, reference : Spectrum
    ends : tuple of float, optional
        In cm^-1; the whole grid if not given.

    Raises
    ------
    AlignmentError, InputError
        As `SpectralMetric`.
    """
    if spectrum.protocol != reference.protocol or not np.array_equal(
        spectrum.wavenumber, reference.wavenumber
    ):
        raise AlignmentError(
            "Two spectra are compared that were not made in the same way.",
            got=f"protocols {spectrum.protocol.name} and {reference.protocol.name}",
            expected="the same protocol and the same grid",
            do="compute both spectra again with one protocol",
        )
    if not (np.isfinite(spectrum.absorption).all() and np.isfinite(reference.absorption).all()):
        raise InputError("A spectrum has values that are not finite.")
    band = Band(reference.wavenumber, ends)
    low, high = band.limits
    broadening = reference.protocol.broadening
    if ends is not None and high - low < broadening * (1 - 1e-9):
        raise InputError(
            "A band is narrower than the broadening of the spectra, which resolve nothing in it.",
            got=f"{low:g} to {high:g} cm^-1",
            expected=f"{broadening:g} cm^-1 or more",
            do="widen the band",
        )
    if not band.integral(reference.absorption) > 0:
        raise InputError(
            "The reference spectrum has no intensity in the band.",
            got=f"an integral of {band.integral(reference.absorption):g} cm^-2 from {low:g} to "
            f"{high:g} cm^-1",
            do="leave the band out",
        )
    return band
