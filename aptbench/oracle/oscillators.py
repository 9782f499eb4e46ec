"""`ChargedOscillators`: positions, tensors and infrared lines in closed form (synthetic)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from aptbench.errors import InputError
from aptbench.frames import Frames
from aptbench.units import (
    ATOMIC_MASS,
    BOLTZMANN,
    ELEMENTARY_CHARGE,
    SPEED_OF_LIGHT,
    VACUUM_PERMITTIVITY,
)

Array = npt.NDArray[np.float64]


@dataclass(frozen=True)
class ChargedOscillators:
    r"""Independent charged three-dimensional harmonic oscillators about fixed centres.

    Parameters
    ----------
    charges : tuple of float
        In e, one an oscillator.
    masses : tuple of float
        In u.
    wavenumbers : tuple of float
        Line positions in cm^-1.

    Notes
    -----
    With P = q times identity, each oscillator absorbs in one line,
    :math:`n\alpha = \frac{\pi q^2}{2 \epsilon_0 c m V} \delta(\omega - \omega_0)`.

    Examples
    --------
    >>> one = ChargedOscillators((1.0,), (10.0,), (1000.0,))
    >>> one.line_strengths(volume=1000.0).round(2)
    array([48564.8])
    """

    charges: tuple[float, ...]
    masses: tuple[float, ...]
    wavenumbers: tuple[float, ...]

    def __post_init__(self) -> None:
        lengths = {len(self.charges), len(self.masses), len(self.wavenumbers)}
        if len(lengths) != 1 or 0 in lengths or min(*self.masses, *self.wavenumbers) <= 0:
            raise InputError(
                "ChargedOscillators need charge, mass and wavenumber of each oscillator.",
                got=(self.charges, self.masses, self.wavenumbers),
                expected="three tuples of one length, masses and wavenumbers positive",
            )

    def trajectory(
        self, times: npt.ArrayLike, temperature: float, *, seed: int = 0, side: float = 10.0
    ) -> Frames:
        """Return the exact motion with kB T in each of the three directions of each oscillator.

        Parameters
        ----------
        times : array, shape (frame,)
            In fs.
        temperature : float
            In K.
        seed : int
            Of the random phases; the energies are the same for every seed.
        side : float
            Edge of the cubic cell in angstrom; oscillators sit on a diagonal.

        Returns
        -------
        Frames
            With velocities and cell; every atom is called hydrogen, whatever its mass.
        """
        n = len(self.charges)
        omega = 2 * np.pi * SPEED_OF_LIGHT * 1e-13 * np.asarray(self.wavenumbers)[:, None]
        speed = np.sqrt(2 * BOLTZMANN * temperature / (np.asarray(self.masses) * ATOMIC_MASS))
        speed = speed[:, None] * 1e-5
        phase = np.random.default_rng(seed).uniform(0, 2 * np.pi, size=(n, 3))
        angle = omega * np.asarray(times, float)[:, None, None] + phase
        centers = (np.arange(n) * side / n)[:, None] * np.ones(3)
        positions = centers + speed / omega * np.sin(angle)
        return Frames(
            np.ones(n, np.int64),
            positions,
            np.full(3, side),
            velocities=speed * np.cos(angle),
            total_charge=float(np.sum(self.charges)),
        )

    def predict(self, frames: Frames) -> Array:
        """Return the exact tensors in e, shape (frame, atom, pol, disp)."""
        apt = np.asarray(self.charges)[:, None, None] * np.eye(3)
        return np.broadcast_to(apt, (len(frames), *apt.shape)).copy()

    def line_strengths(self, volume: float) -> Array:
        """Return the area of each line in a plot over wavenumbers, in cm^-2, shape (oscillator,).

        ``volume`` is in angstrom^3.
        """
        charge = np.asarray(self.charges) * ELEMENTARY_CHARGE
        mass = np.asarray(self.masses) * ATOMIC_MASS
        over_omega = (
            np.pi * charge**2 / (2 * VACUUM_PERMITTIVITY * SPEED_OF_LIGHT * mass * volume * 1e-30)
        )
        # rad/s to 1/m, and both factors from 1/m to 1/cm
        return over_omega / (2 * np.pi * SPEED_OF_LIGHT) * 1e-4
