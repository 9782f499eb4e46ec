"""Quantum corrections of classical absorption, by name."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Final

import numpy as np
import numpy.typing as npt

from aptbench.errors import UnknownNameError
from aptbench.units import BOLTZMANN, SPEED_OF_LIGHT

Array = npt.NDArray[np.float64]

PLANCK: Final = 6.62607015e-34
"""Planck constant in J s (exact)."""


def _classical_over_quantum(x: Array) -> Array:
    return np.divide(1 - np.exp(-x), x, out=np.ones_like(x), where=x > 0)


QUANTUM_CORRECTIONS: Final[Mapping[str, Callable[[Array], Array]]] = MappingProxyType(
    {
        "harmonic": np.ones_like,
        "none": _classical_over_quantum,
        "standard": lambda x: 2 * _classical_over_quantum(x) / (1 + np.exp(-x)),
        "schofield": lambda x: _classical_over_quantum(x) * np.exp(x / 2),
    }
)
"""Factor on the classical formula as a function of x = h c wavenumber / kB T.

The classical formula, with the square of the frequency inside the current, is already the harmonic
correction, so that its factor is one; ``none`` is the quantum line shape replaced by the classical
one without correction.
"""


def quantum_factor(name: str, wavenumber: npt.ArrayLike, temperature: float) -> Array:
    r"""Return the factor on the classical absorption.

    Parameters
    ----------
    name : str
        One of `QUANTUM_CORRECTIONS`.
    wavenumber : array
        In cm^-1, zero or more.
    temperature : float
        In K.

    Raises
    ------
    UnknownNameError
        If the name is unknown.

    Notes
    -----
    Ramirez, Lopez-Ciudad, Kumar, Marx, J. Chem. Phys. 121, 3973 (2004), doi:10.1063/1.1774986. All
    factors go to one where :math:`\hbar\omega \ll k_B T`.

    Examples
    --------
    >>> quantum_factor("harmonic", [0.0, 3000.0], 300.0)
    array([1., 1.])
    """
    if name not in QUANTUM_CORRECTIONS:
        raise UnknownNameError("quantum correction", name, QUANTUM_CORRECTIONS)
    x = PLANCK * SPEED_OF_LIGHT * 100 * np.asarray(wavenumber, float) / (BOLTZMANN * temperature)
    return QUANTUM_CORRECTIONS[name](x)
