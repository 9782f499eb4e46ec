"""Synthetic systems whose tensors, dipoles and spectra are exact."""

from aptbench.oracle.dynamics import thermal_velocities, velocity_verlet
from aptbench.oracle.liquid import cluster, labelled_liquid, liquid
from aptbench.oracle.oscillators import ChargedOscillators
from aptbench.oracle.point_charges import PointCharges
from aptbench.oracle.water import PolarizableWater

__all__ = [
    "ChargedOscillators",
    "PointCharges",
    "PolarizableWater",
    "cluster",
    "labelled_liquid",
    "liquid",
    "thermal_velocities",
    "velocity_verlet",
]
