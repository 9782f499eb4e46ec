"""`Spectrum`: absorption on a grid of wavenumbers, with the protocol that made it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from aptbench.errors import InputError
from aptbench.spectra.band import Band
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
        first, last = Band(self.wavenumber).limits
        ends = (first if low is None else low, last if high is None else high)
        return float(Band(self.wavenumber, ends).integral(self.absorption))

    def bands(self, bands: Mapping[str, tuple[float, float]] | None = None) -> dict[str, float]:
        """Return the integral of each band in cm^-2; of those of the protocol if none is given."""
        if bands is None:
            bands = {name: (low, high) for name, low, high in self.protocol.bands}
        return {name: self.integral(*ends) for name, ends in bands.items()}
