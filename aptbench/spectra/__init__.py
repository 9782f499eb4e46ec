"""Infrared spectra: current, correlation, absorption in absolute units, comparison."""

from aptbench.spectra.absorption import absorption, infrared, uniform_time_step
from aptbench.spectra.correlation import correlation
from aptbench.spectra.current import current
from aptbench.spectra.protocol import IR1, PROTOCOLS, WATER_BANDS, SpectralProtocol, get_protocol
from aptbench.spectra.quantum import QUANTUM_CORRECTIONS, quantum_factor
from aptbench.spectra.spectral_metrics import relative_l1
from aptbench.spectra.spectrum import Spectrum

__all__ = [
    "IR1",
    "PROTOCOLS",
    "QUANTUM_CORRECTIONS",
    "WATER_BANDS",
    "SpectralProtocol",
    "Spectrum",
    "absorption",
    "correlation",
    "current",
    "get_protocol",
    "infrared",
    "quantum_factor",
    "relative_l1",
    "uniform_time_step",
]
