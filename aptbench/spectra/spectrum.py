"""`Spectrum`: absorption on a grid of wavenumbers, with the protocol that made it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from aptbench.errors import AlignmentError, InputError
from aptbench.spectra.protocol import SpectralProtocol

Array = npt.NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Spectrum:
    """Absorption n(w) alpha(w), Napierian, in absolute units.

    Parameters
    ----------
    wavenumber : array, shape (wavenumber,)
        In cm^-1, rising.
    absorption : array, shape (wavenumber,)
        In cm^-1.
    protocol : SpectralProtocol
    metadata : mapping
        What was put in: time step, number of frames, volume, temperature.

    Examples
    --------
    >>> from aptbench.spectra import IR1
    >>> flat = Spectrum(np.arange(5.0), np.ones(5), IR1)
    >>> float(flat.integral(0.5, 3.0))
    2.5
    """

    wavenumber: Array
    absorption: Array
    protocol: SpectralProtocol
    metadata: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if np.ndim(self.wavenumber) != 1 or np.shape(self.wavenumber) != np.shape(self.absorption):
            raise InputError(
                "A Spectrum needs one absorption for each wavenumber.",
                got=f"{np.shape(self.wavenumber)} and {np.shape(self.absorption)}",
                expected="twice (wavenumber,)",
            )

    def integral(self, low: float | None = None, high: float | None = None) -> float:
        """Return the integral of the absorption from ``low`` to ``high`` (cm^-1), in cm^-2.

        The absorption is linear between the points of the grid, at the ends of a band too.
        """
        return _integral(self.wavenumber, self.absorption, (low, high))

    def bands(self, bands: Mapping[str, tuple[float, float]] | None = None) -> dict[str, float]:
        """Return the integral of each band in cm^-2; of those of the protocol if none is given."""
        if bands is None:
            bands = {name: (low, high) for name, low, high in self.protocol.bands}
        return {name: self.integral(*ends) for name, ends in bands.items()}


def relative_l1(
    spectrum: Spectrum, reference: Spectrum, band: tuple[float, float] | None = None
) -> float:
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
    AlignmentError
        If protocol or grid differ.

    Examples
    --------
    >>> from aptbench.spectra import IR1
    >>> one, half = (Spectrum(np.arange(5.0), np.full(5, k), IR1) for k in (1.0, 0.5))
    >>> relative_l1(half, one)
    0.5
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
    ends = (None, None) if band is None else band
    difference = np.abs(spectrum.absorption - reference.absorption)
    area = _integral(reference.wavenumber, np.abs(reference.absorption), ends)
    if area == 0:
        raise InputError("The reference spectrum is zero in the band.", got=band)
    return _integral(reference.wavenumber, difference, ends) / area


def _integral(grid: Array, values: Array, ends: tuple[float | None, float | None]) -> float:
    low, high = (
        edge if end is None else float(end)
        for end, edge in zip(ends, (grid[0], grid[-1]), strict=True)
    )
    if not grid[0] <= low < high <= grid[-1]:
        raise InputError(
            "A band does not lie on the grid of the spectrum.",
            got=f"{low} to {high} cm^-1",
            expected=f"rising, from {grid[0]} to {grid[-1]} cm^-1",
        )
    inside = grid[(grid > low) & (grid < high)]
    points = np.concatenate([[low], inside, [high]])
    return float(np.trapezoid(np.interp(points, grid, values), points))
