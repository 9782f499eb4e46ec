"""`power_spectrum`: vibrational density of states from velocities, in absolute units."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from aptbench.errors import AlignmentError, InputError, UnknownNameError
from aptbench.spectra.absorption import check_times, lag_transform, number_of_lags
from aptbench.spectra.correlation import correlation
from aptbench.spectra.protocol import IR1, SpectralProtocol
from aptbench.spectra.spectrum import Spectrum
from aptbench.units import ATOMIC_MASS, BOLTZMANN, SPEED_OF_LIGHT

Array = npt.NDArray[np.float64]

_KELVIN: Final = ATOMIC_MASS * 1e10 / BOLTZMANN
"""Temperature in K of 1 u angstrom^2/fs^2."""
_CM_PER_FS: Final = SPEED_OF_LIGHT * 1e-13


@dataclass(frozen=True, eq=False)
class PowerSpectrum:
    """Vibrational density of states on a grid of wavenumbers, by group of atoms.

    Parameters
    ----------
    wavenumber : array, shape (wavenumber,)
        In cm^-1, rising.
    density : array, shape (group, wavenumber)
        Modes per wavenumber, in cm.
    groups : tuple of str
        In alphabetical order.
    protocol : SpectralProtocol
        That of the lag window and the grid; its quantum correction is not used.
    metadata : mapping
        What was put in: time step, number of frames and atoms, temperature.

    Examples
    --------
    >>> two = PowerSpectrum(np.arange(3.0), np.array([[1.0, 1, 1], [0, 3, 0]]), ("H", "O"), IR1)
    >>> two.total.tolist(), two.of("O").tolist(), two.integral(), two.integral("H", 1.0, 2.0)
    ([1.0, 4.0, 1.0], [0.0, 3.0, 0.0], 5.0, 1.0)
    """

    wavenumber: Array
    density: Array
    groups: tuple[str, ...]
    protocol: SpectralProtocol
    metadata: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        expected = (len(self.groups), len(self.wavenumber))
        if np.shape(self.density) != expected:
            raise InputError(
                "A PowerSpectrum needs one density for each group and wavenumber.",
                got=np.shape(self.density),
                expected=expected,
            )

    @property
    def total(self) -> Array:
        """Sum over the groups in cm, shape (wavenumber,)."""
        return self.density.sum(0)

    def of(self, group: str) -> Array:
        """Return the density of one group in cm, shape (wavenumber,)."""
        if group not in self.groups:
            raise UnknownNameError("group of atoms", group, self.groups)
        return self.density[self.groups.index(group)]

    def integral(
        self, group: str | None = None, low: float | None = None, high: float | None = None
    ) -> float:
        """Return the number of modes from ``low`` to ``high`` (cm^-1), of a group or of all."""
        values = self.total if group is None else self.of(group)
        return Spectrum(self.wavenumber, values, self.protocol).integral(low, high)


def power_spectrum(
    velocities: npt.ArrayLike,
    masses: npt.ArrayLike,
    *,
    time_step: float,
    temperature: float,
    groups: Sequence[str] | None = None,
    protocol: SpectralProtocol = IR1,
    block: int = 32,
) -> PowerSpectrum:
    r"""Return the vibrational density of states of a trajectory.

    Parameters
    ----------
    velocities : array, shape (frame, atom, xyz)
        In angstrom/fs; a memory map is read block by block.
    masses : array, shape (atom,)
        In u.
    time_step : float
        Time between frames in fs.
    temperature : float
        In K; the number of modes is that of equipartition at this temperature.
    groups : sequence of str, shape (atom,), optional
        Label of the group of each atom, for example its chemical symbol; one group ``all`` if not
        given.
    protocol : SpectralProtocol
        Gives time step limits, mean removal (here of each velocity), lag window and grid.
    block : int
        Atoms that are transformed at once, which bounds the memory.

    Returns
    -------
    PowerSpectrum
        In cm. Over all wavenumbers it integrates to the number of degrees of freedom of the group
        times its kinetic temperature over ``temperature``.

    Raises
    ------
    InputError
        If a shape is wrong, a value is not finite, a number is not positive, the time step is too
        coarse for the protocol, or the trajectory too short for its lag window.
    AlignmentError
        If masses or groups do not fit the atoms.

    Notes
    -----
    .. math:: g(\tilde\nu) = \frac{2 c}{k_B T} \sum_i m_i
              \int dt\, e^{-i\omega t} \langle v_i(0) \cdot v_i(t) \rangle,
              \quad \int_0^\infty g\, d\tilde\nu = \sum_i \frac{m_i \langle v_i^2 \rangle}{k_B T}

    Thomas, Brehm, Fligg, Voehringer, Kirchner, Phys. Chem. Chem. Phys. 15, 6608 (2013),
    doi:10.1039/C3CP44302G. Removing the mean velocity of an atom takes its drift over the
    trajectory out of the first points of the grid, and out of the integral.

    Examples
    --------
    >>> still = power_spectrum(
    ...     np.zeros((2000, 2, 3)), [1.0, 16.0], time_step=2.0, temperature=300.0, groups="HO"
    ... )
    >>> still.groups, float(still.total.max())
    (('H', 'O'), 0.0)
    """
    rates = velocities if isinstance(velocities, np.ndarray) else np.asarray(velocities, float)
    if rates.ndim != 3 or rates.shape[2] != 3 or not rates.shape[1]:
        raise InputError(
            "The 'velocities' have the wrong shape.",
            got=rates.shape,
            expected="(frame, atom, xyz)",
        )
    weights = _checked_masses(masses, rates.shape[1])
    labels = _checked_groups(groups, rates.shape[1])
    for name, value in (("temperature", temperature), ("block", block)):
        if not (np.isfinite(value) and value > 0):
            raise InputError(f"The {name!r} must be positive.", got=value)
    check_times(len(rates), time_step, protocol)
    names = tuple(sorted(set(labels.tolist())))
    lags = number_of_lags(time_step, protocol)
    sums = np.zeros((len(names), lags))
    for row, name in enumerate(names):
        members = np.flatnonzero(labels == name)
        for start in range(0, len(members), int(block)):
            part = members[start : start + int(block)]
            sums[row] += _correlation(rates, part, weights[part], lags, protocol.remove_mean)
    scale = 2 * _CM_PER_FS * _KELVIN / temperature
    metadata = {
        "time_step_fs": float(time_step),
        "n_frames": len(rates),
        "n_atoms": {name: int(np.sum(labels == name)) for name in names},
        "temperature_K": float(temperature),
    }
    density = scale * lag_transform(sums, time_step, protocol)
    return PowerSpectrum(protocol.wavenumber, density, names, protocol, metadata)


def _correlation(
    velocities: npt.NDArray[Any], atoms: npt.NDArray[np.intp], masses: Array, lags: int, mean: bool
) -> Array:
    """Return the mass-weighted velocity correlation of some atoms, shape (lag,)."""
    part = np.array(velocities[:, atoms], float)
    if not np.isfinite(part).all():
        raise InputError("The 'velocities' have values that are not finite.")
    if mean:
        part -= part.mean(0)
    part *= np.sqrt(masses)[:, None]
    series = part.reshape(len(part), -1)
    return correlation(series, series, lags)


def _checked_masses(masses: npt.ArrayLike, n_atoms: int) -> Array:
    weights = np.asarray(masses, float)
    if weights.shape != (n_atoms,):
        raise AlignmentError(
            "The 'masses' do not fit the velocities.", got=weights.shape, expected=(n_atoms,)
        )
    if not (np.isfinite(weights).all() and weights.min() > 0):
        raise InputError("The 'masses' must be positive.", expected="numbers in u")
    return weights


def _checked_groups(groups: Sequence[str] | None, n_atoms: int) -> npt.NDArray[np.str_]:
    labels = ["all"] * n_atoms if groups is None else [str(group) for group in groups]
    if len(labels) != n_atoms:
        raise AlignmentError(
            "The 'groups' do not fit the velocities.",
            got=f"{len(labels)} labels",
            expected=f"one for each of {n_atoms} atoms",
        )
    return np.array(labels)
