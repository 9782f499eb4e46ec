"""`molar_absorption`: the absorption of an isolated system, which depends on no volume."""

from __future__ import annotations

from aptbench.units import AVOGADRO


def molar_absorption(volume: float) -> float:
    """Return the factor from n alpha in cm^-1 to molar absorption in km/mol per cm^-1.

    The same factor turns an integral over a band from cm^-2 into km/mol.

    Parameters
    ----------
    volume : float
        That the spectrum was divided by, in angstrom^3: a convention for an isolated system.

    Notes
    -----
    n alpha V N_A per mole of the system; 1 km is 10^5 cm.

    Examples
    --------
    >>> round(molar_absorption(1000.0), 8)
    0.00602214
    """
    return volume * 1e-24 * AVOGADRO * 1e-5
