"""Infrared spectra: current, correlation, absorption in absolute units, intervals, assignment."""

from aptbench.spectra.absorption import absorption, infrared, uniform_time_step
from aptbench.spectra.assignment import Assignment, assign
from aptbench.spectra.channel_errors import channel_errors
from aptbench.spectra.correlation import correlation
from aptbench.spectra.current import current
from aptbench.spectra.debiased import DebiasedSpectrum, debiased_spectrum
from aptbench.spectra.dipole import current_from_dipole, dipole_absorption, unwrap_dipole
from aptbench.spectra.fidelity import band_current_error, current_error, fidelity, noise_floor
from aptbench.spectra.modes import molecular_modes
from aptbench.spectra.power import PowerSpectrum, power_spectrum
from aptbench.spectra.protocol import (
    IR1,
    IR_SHORT1,
    PROTOCOLS,
    WATER_BANDS,
    SpectralProtocol,
    get_protocol,
)
from aptbench.spectra.quantum import QUANTUM_CORRECTIONS, quantum_factor
from aptbench.spectra.reduction import MolecularCurrents, reduce_trajectory
from aptbench.spectra.sampled import SampledSpectra, sampled_spectra
from aptbench.spectra.spectral_metrics import SPECTRAL_METRICS, get_spectral_metric, relative_l1
from aptbench.spectra.spectrum import Spectrum

__all__ = [
    "IR1",
    "IR_SHORT1",
    "PROTOCOLS",
    "QUANTUM_CORRECTIONS",
    "SPECTRAL_METRICS",
    "WATER_BANDS",
    "Assignment",
    "DebiasedSpectrum",
    "MolecularCurrents",
    "PowerSpectrum",
    "SampledSpectra",
    "SpectralProtocol",
    "Spectrum",
    "absorption",
    "assign",
    "band_current_error",
    "channel_errors",
    "correlation",
    "current",
    "current_error",
    "current_from_dipole",
    "debiased_spectrum",
    "dipole_absorption",
    "fidelity",
    "get_protocol",
    "get_spectral_metric",
    "infrared",
    "molecular_modes",
    "noise_floor",
    "power_spectrum",
    "quantum_factor",
    "reduce_trajectory",
    "relative_l1",
    "sampled_spectra",
    "uniform_time_step",
    "unwrap_dipole",
]
