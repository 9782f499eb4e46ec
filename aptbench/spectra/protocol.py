"""`SpectralProtocol`: everything that turns a current into a spectrum, frozen under a name."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Final

import numpy as np
import numpy.typing as npt

from aptbench.errors import InputError, UnknownNameError
from aptbench.spectra.quantum import QUANTUM_CORRECTIONS
from aptbench.units import SPEED_OF_LIGHT

Array = npt.NDArray[np.float64]

ANGULAR: Final = 2 * np.pi * SPEED_OF_LIGHT * 1e-13
"""Angular frequency in rad/fs of one wavenumber (cm^-1)."""


@dataclass(frozen=True)
class SpectralProtocol:
    r"""The frozen choices of a spectrum. A change of any of them is a new name.

    Parameters
    ----------
    name : str
        For example ``ir@1``.
    maximum_time_step : float
        Longest time between frames, fs.
    remove_mean : bool
        Whether the mean of the current over the trajectory is taken away first.
    broadening : float
        Full width at half maximum in cm^-1 of the Gaussian that every line becomes. The lag window
        is its Fourier transform, :math:`\exp(-\sigma^2 t^2 / 2)`.
    maximum_lag : float
        Lag in fs at which the correlation is cut; the window must be negligible there.
    minimum_lags : float
        Shortest trajectory, in units of ``maximum_lag``.
    grid : tuple of float
        First, last and step of the wavenumbers in cm^-1.
    bands : tuple of (str, float, float)
        Default bands: name and ends in cm^-1; a system whose card names others has those.
    quantum_correction : str
        See `QUANTUM_CORRECTIONS`.

    Raises
    ------
    InputError
        If a number is out of range.
    UnknownNameError
        If the quantum correction is unknown.

    Examples
    --------
    >>> IR1.name, IR1.wavenumber[[0, 1, -1]].tolist()
    ('ir@1', [0.0, 2.0, 4000.0])
    """

    name: str
    maximum_time_step: float
    remove_mean: bool
    broadening: float
    maximum_lag: float
    minimum_lags: float
    grid: tuple[float, float, float]
    bands: tuple[tuple[str, float, float], ...]
    quantum_correction: str

    def __post_init__(self) -> None:
        first, last, step = self.grid
        numbers = (self.maximum_time_step, self.broadening, self.maximum_lag, self.minimum_lags)
        if min(*numbers, step) <= 0 or not 0 <= first < last:
            raise InputError(
                "A number of a SpectralProtocol is out of range.",
                got=f"{numbers} and grid {self.grid}",
                expected="positive numbers, and a grid (first, last, step) rising from 0 or more",
            )
        if self.quantum_correction not in QUANTUM_CORRECTIONS:
            raise UnknownNameError(
                "quantum correction", self.quantum_correction, QUANTUM_CORRECTIONS
            )

    @property
    def wavenumber(self) -> Array:
        """Grid of wavenumbers in cm^-1, shape (wavenumber,)."""
        first, last, step = self.grid
        return first + step * np.arange(round((last - first) / step) + 1, dtype=np.float64)

    def window(self, lags: npt.ArrayLike) -> Array:
        """Return the lag window at lags in fs; 1 at zero, 0 beyond the maximum lag."""
        times = np.asarray(lags, float)
        sigma = ANGULAR * self.broadening / (8 * np.log(2)) ** 0.5
        inside = np.abs(times) <= self.maximum_lag * (1 + 1e-9)
        shape: Array = np.exp(-((sigma * times) ** 2) / 2)
        return shape * inside


WATER_BANDS: Final = (
    ("translation", 50.0, 300.0),
    ("libration", 300.0, 1000.0),
    ("bend", 1500.0, 1800.0),
    ("stretch", 3000.0, 3800.0),
)
"""Bands of liquid water in cm^-1; the first also holds the stretch of hydrogen bonds."""

IR1: Final = SpectralProtocol(
    name="ir@1",
    maximum_time_step=2.0,
    remove_mean=True,
    broadening=30.0,
    maximum_lag=1600.0,
    minimum_lags=2.0,
    grid=(0.0, 4000.0, 2.0),
    bands=WATER_BANDS,
    quantum_correction="harmonic",
)
"""Infrared protocol, version 1: unbiased correlation, 30 cm^-1 Gaussian lines, 0 to 4000 cm^-1."""

IR_SHORT1: Final = replace(
    IR1, name="ir-short@1", broadening=100.0, maximum_lag=480.0, minimum_lags=2.0
)
"""For trajectories from 1 ps: as ``ir@1`` with 100 cm^-1 lines."""

PROTOCOLS: Final = {protocol.name: protocol for protocol in (IR1, IR_SHORT1)}


def get_protocol(name: str) -> SpectralProtocol:
    """Return a protocol by name.

    >>> get_protocol("ir@1") is IR1
    True
    """
    if name not in PROTOCOLS:
        raise UnknownNameError("spectral protocol", name, PROTOCOLS)
    return PROTOCOLS[name]
