"""Physical constants, and conversion into the units that every array in aptbench has.

Constants are CODATA 2018 values (https://doi.org/10.1103/RevModPhys.93.025010).
"""

from __future__ import annotations

from typing import Final

from aptbench.errors import UnitError, UnknownNameError

BOHR: Final = 0.529177210903
"""Bohr radius in angstrom."""
ATOMIC_TIME: Final = 0.024188843265857
"""Atomic unit of time in fs."""
HARTREE_EV: Final = 27.211386245988
"""Hartree energy in eV."""
DEBYE: Final = 0.20819433270935603
"""One debye in e angstrom."""
ELEMENTARY_CHARGE: Final = 1.602176634e-19
"""Elementary charge in C (exact)."""
BOLTZMANN: Final = 1.380649e-23
"""Boltzmann constant in J/K (exact)."""
SPEED_OF_LIGHT: Final = 299792458.0
"""Speed of light in m/s (exact)."""
AVOGADRO: Final = 6.02214076e23
"""Avogadro constant in 1/mol (exact)."""
VACUUM_PERMITTIVITY: Final = 8.8541878128e-12
"""Vacuum permittivity in F/m."""
ATOMIC_MASS: Final = 1.66053906660e-27
"""Unified atomic mass unit in kg."""

UNITS: Final[dict[str, dict[str, float]]] = {
    "length": {"angstrom": 1.0, "bohr": BOHR, "nm": 10.0, "pm": 0.01, "m": 1e10},
    "velocity": {
        "angstrom/fs": 1.0,
        "bohr/atomic_time": BOHR / ATOMIC_TIME,
        "angstrom/ps": 1e-3,
        "nm/ps": 1e-2,
        "m/s": 1e-5,
    },
    "time": {"fs": 1.0, "ps": 1e3, "atomic_time": ATOMIC_TIME, "s": 1e15},
    "apt": {"e": 1.0, "debye/angstrom": DEBYE, "debye/bohr": DEBYE / BOHR},
    "dipole": {"e angstrom": 1.0, "debye": DEBYE, "e bohr": BOHR, "C m": 1e10 / ELEMENTARY_CHARGE},
}
"""Factor from each known unit to that of the convention, by quantity; the first is the latter."""


def unit_of(quantity: str) -> str:
    """Return the unit that arrays of ``quantity`` have everywhere in aptbench.

    >>> unit_of("velocity")
    'angstrom/fs'
    """
    if quantity not in UNITS:
        raise UnknownNameError("quantity", quantity, UNITS)
    return next(iter(UNITS[quantity]))


def factor(quantity: str, unit: str) -> float:
    """Return the number that turns ``unit`` into the unit of the convention.

    Raises
    ------
    UnitError
        If ``unit`` is not a unit of ``quantity``.

    Examples
    --------
    >>> factor("length", "bohr")
    0.529177210903
    """
    unit_of(quantity)
    if unit not in UNITS[quantity]:
        owners = [q for q, units in UNITS.items() if unit in units]
        raise UnitError(
            f"{unit!r} is not a unit of {quantity}.",
            got=f"a unit of {owners[0]}" if owners else "an unknown unit",
            expected=f"one of {', '.join(UNITS[quantity])}",
            do="name the unit that the numbers really have; they are converted on reading",
        )
    return UNITS[quantity][unit]
