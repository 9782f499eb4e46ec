"""`absorption`: infrared spectrum in absolute units from the current of a trajectory."""

from __future__ import annotations

from typing import Final

import numpy as np
import numpy.typing as npt

from aptbench.errors import InputError
from aptbench.frames import Frames
from aptbench.spectra.correlation import correlation
from aptbench.spectra.current import current as current_of
from aptbench.spectra.protocol import ANGULAR, IR1, SpectralProtocol
from aptbench.spectra.quantum import quantum_factor
from aptbench.spectra.spectrum import Spectrum
from aptbench.units import BOLTZMANN, ELEMENTARY_CHARGE, SPEED_OF_LIGHT, VACUUM_PERMITTIVITY

Array = npt.NDArray[np.float64]

TO_PER_CM: Final = (
    (ELEMENTARY_CHARGE * 1e5) ** 2
    * 1e-15
    / 1e-30
    / (VACUUM_PERMITTIVITY * SPEED_OF_LIGHT * BOLTZMANN)
    / 100
)
"""From (e angstrom/fs)^2 fs / (angstrom^3 K), over eps0 c kB, to cm^-1."""


def absorption(
    current: npt.ArrayLike,
    *,
    time_step: float,
    volume: float,
    temperature: float,
    protocol: SpectralProtocol = IR1,
) -> Spectrum:
    r"""Return the absorption n(w) alpha(w) of a trajectory.

    Parameters
    ----------
    current : array, shape (frame, pol)
        In e angstrom/fs; see `aptbench.spectra.current`.
    time_step : float
        Time between frames in fs; see `uniform_time_step`.
    volume : float
        In angstrom^3: of the cell, or what an isolated system is to be divided by.
    temperature : float
        In K.
    protocol : SpectralProtocol

    Returns
    -------
    Spectrum
        In cm^-1, on the grid of the protocol.

    Raises
    ------
    InputError
        If the current has the wrong shape or is not finite, a number is not positive, the time
        step is too coarse for the protocol, or the trajectory too short for its lag window.

    Notes
    -----
    .. math:: n\alpha(\omega) = \frac{1}{6 \epsilon_0 c V k_B T}
              \int dt\, e^{-i\omega t} \langle \dot M(0) \cdot \dot M(t) \rangle

    with the dot product over x, y, z; times the quantum factor of the protocol.

    Examples
    --------
    >>> still = absorption(np.zeros((2000, 3)), time_step=2.0, volume=1000.0, temperature=300.0)
    >>> float(still.absorption.max())
    0.0
    """
    rates = _checked_current(current)
    check_times(len(rates), time_step, protocol)
    if protocol.remove_mean:
        rates = rates - rates.mean(0)
    values = absorption_of(
        correlation(rates, rates, number_of_lags(time_step, protocol)),
        time_step=time_step,
        volume=volume,
        temperature=temperature,
        protocol=protocol,
    )
    metadata = {
        "time_step_fs": float(time_step),
        "n_frames": len(rates),
        "volume_angstrom3": float(volume),
        "temperature_K": float(temperature),
    }
    return Spectrum(protocol.wavenumber, values, protocol, metadata)


def absorption_of(
    correlation: npt.ArrayLike,
    *,
    time_step: float,
    volume: float,
    temperature: float,
    protocol: SpectralProtocol = IR1,
) -> Array:
    """Return the absorption of correlations of the current, one or many at once.

    Parameters
    ----------
    correlation : array, shape (..., lag)
        Of the current with itself, or symmetrised over the sign of the lag, in
        (e angstrom/fs)^2, at the lags of `number_of_lags`.
    time_step, volume, temperature, protocol
        As in `absorption`.

    Returns
    -------
    array, shape (..., wavenumber)
        In cm^-1.
    """
    _positive("volume", volume, "angstrom^3")
    _positive("temperature", temperature, "K")
    factor = quantum_factor(protocol.quantum_correction, protocol.wavenumber, temperature)
    transform = lag_transform(correlation, time_step, protocol)
    return TO_PER_CM / (6 * volume * temperature) * transform * factor


def lag_transform(
    correlation: npt.ArrayLike, time_step: float, protocol: SpectralProtocol = IR1
) -> Array:
    """Return the windowed cosine transform of correlations over both signs of time.

    Parameters
    ----------
    correlation : array, shape (..., lag)
        Even in time, at the lags of `number_of_lags`.
    time_step : float
        In fs.
    protocol : SpectralProtocol

    Returns
    -------
    array, shape (..., wavenumber)
        In the unit of the correlation times fs.
    """
    values = np.asarray(correlation, float)
    n_lags = number_of_lags(time_step, protocol)
    if values.shape[-1] != n_lags:
        raise InputError(
            f"The correlation does not have the lags of the protocol {protocol.name}.",
            got=values.shape[-1],
            expected=n_lags,
        )
    lags = np.arange(n_lags) * time_step
    windowed = values * protocol.window(lags)
    # the integral over both signs of time: every lag but zero counts twice
    windowed[..., 1:] *= 2
    return windowed @ np.cos(np.outer(lags, protocol.wavenumber * ANGULAR)) * time_step


def number_of_lags(time_step: float, protocol: SpectralProtocol = IR1) -> int:
    """Return how many lags a protocol uses at a time step in fs, lag zero included.

    >>> number_of_lags(2.0)
    801
    """
    _positive("time_step", time_step, "fs")
    return int(protocol.maximum_lag / time_step * (1 + 1e-9)) + 1


def infrared(
    frames: Frames,
    apt: npt.ArrayLike,
    *,
    times: npt.ArrayLike,
    temperature: float,
    volume: float | None = None,
    protocol: SpectralProtocol = IR1,
) -> Spectrum:
    """Return the absorption from a trajectory and its tensors.

    Parameters
    ----------
    frames : Frames
        With velocities.
    apt : array, shape (frame, atom, pol, disp)
        In e.
    times : array, shape (frame,)
        In fs, evenly spaced.
    temperature : float
        In K.
    volume : float, optional
        In angstrom^3; the mean volume of the cell if not given.
    protocol : SpectralProtocol

    Raises
    ------
    InputError
        As `absorption` and `uniform_time_step`; and if velocities are missing.
    """
    if frames.velocities is None:
        raise InputError(
            "A spectrum from atomic polar tensors needs velocities, and the frames have none.",
            expected="Frames with 'velocities' in angstrom/fs",
            do="write velocities with the trajectory",
        )
    times = np.asarray(times, float)
    if times.shape != (len(frames),):
        raise InputError(
            "The 'times' do not fit the frames.", got=times.shape, expected=(len(frames),)
        )
    return absorption(
        current_of(apt, frames.velocities),
        time_step=uniform_time_step(times),
        volume=float(frames.volumes.mean()) if volume is None else volume,
        temperature=temperature,
        protocol=protocol,
    )


def uniform_time_step(times: npt.ArrayLike) -> float:
    """Return the time step of evenly spaced times, in fs.

    Raises
    ------
    InputError
        If there are fewer than two times, or they are not evenly spaced and rising.

    Examples
    --------
    >>> uniform_time_step([0.0, 2.0, 4.0])
    2.0
    """
    array = np.asarray(times, float)
    if array.ndim != 1 or len(array) < 2:
        raise InputError("A time step needs two times or more.", got=array.shape)
    steps = np.diff(array)
    mean = float(array[-1] - array[0]) / len(steps)
    worst = int(np.argmax(np.abs(steps - mean)))
    if mean <= 0 or abs(steps[worst] - mean) > 1e-4 * mean:
        raise InputError(
            "The time steps of the trajectory are uneven.",
            got=f"{steps[worst]:.6g} fs after frame {worst}, {mean:.6g} fs on average",
            expected="frames at equal distances in time, none missing and none twice",
            do="use a stretch without gaps",
        )
    return mean


def _checked_current(current: npt.ArrayLike) -> Array:
    rates = np.asarray(current, float)
    if rates.ndim != 2 or rates.shape[1] != 3:
        raise InputError(
            "The 'current' has the wrong shape.", got=rates.shape, expected="(frame, pol)"
        )
    if not np.isfinite(rates).all():
        raise InputError("The 'current' has values that are not finite.")
    return rates


def _positive(name: str, value: float, unit: str) -> None:
    if not (np.isfinite(value) and value > 0):
        raise InputError(
            f"The {name!r} must be positive.", got=value, expected=f"a number in {unit}"
        )


def check_times(n_frames: int, time_step: float, protocol: SpectralProtocol = IR1) -> None:
    """Check that a trajectory is fine and long enough for a protocol.

    Raises
    ------
    InputError
        If the time step in fs is too coarse, or there are too few frames for the lag window.
    """
    _positive("time_step", time_step, "fs")
    if time_step > protocol.maximum_time_step * (1 + 1e-6):
        raise InputError(
            f"The time step is too coarse for the protocol {protocol.name}.",
            got=f"{time_step:.6g} fs",
            expected=f"at most {protocol.maximum_time_step:.6g} fs",
            do="write the trajectory more often; interpolation does not undo aliasing",
        )
    needed = protocol.minimum_lags * protocol.maximum_lag
    if (n_frames - 1) * time_step < needed * (1 - 1e-9):
        raise InputError(
            f"The trajectory is too short for the lag window of the protocol {protocol.name}.",
            got=f"{(n_frames - 1) * time_step:.6g} fs in {n_frames} frames",
            expected=f"at least {needed:.6g} fs",
            do="use a longer trajectory, or a protocol with a broader line",
        )
