"""`dipole_absorption`: infrared spectrum from dipoles that jump by polarization quanta."""

from __future__ import annotations

from dataclasses import replace
from typing import Final

import numpy as np
import numpy.typing as npt

from aptbench.errors import InputError
from aptbench.spectra.absorption import absorption
from aptbench.spectra.protocol import ANGULAR, IR1, SpectralProtocol
from aptbench.spectra.spectrum import Spectrum

Array = npt.NDArray[np.float64]

AMBIGUOUS: Final = 0.4
"""Largest step between frames, in quanta, of which the branch is certain enough."""


def unwrap_dipole(dipole: npt.ArrayLike, cell: npt.ArrayLike | None = None) -> Array:
    r"""Return the dipole along a trajectory without jumps by polarization quanta.

    Parameters
    ----------
    dipole : array, shape (frame, pol)
        In e angstrom; in a cell, each frame is defined modulo e times the lattice vectors.
    cell : array, shape (vector, xyz) or (frame, vector, xyz), optional
        In angstrom; None for an isolated system, whose dipole does not jump.

    Returns
    -------
    array, shape (frame, pol)
        In e angstrom, continuous; the first frame is as given.

    Raises
    ------
    InputError
        If a shape does not fit, a value is not finite, a cell is singular, or a step lies so near
        to half a quantum that its branch is ambiguous; the frame is named.

    Notes
    -----
    Every step is the minimal image, in lattice coordinates, of the difference of two frames. In a
    constant cell the result differs from the input by quanta only. In one that varies it is the
    sum of steps in lattice coordinates times the mean cell of each step, the "proper" change of
    polarization that does not depend on the branch (Vanderbilt, J. Phys. Chem. Solids 61, 147
    (2000), doi:10.48550/arXiv.cond-mat/9903137).

    Examples
    --------
    >>> unwrap_dipole([[4.9, 0, 0], [-4.9, 0, 0]], 10 * np.eye(3)).round(6)
    array([[4.9, 0. , 0. ],
           [5.1, 0. , 0. ]])
    """
    values = _checked_dipole(dipole)
    return values[0] + np.concatenate([np.zeros((1, 3)), np.cumsum(_steps(values, cell), 0)])


def current_from_dipole(
    dipole: npt.ArrayLike, time_step: float, cell: npt.ArrayLike | None = None
) -> Array:
    """Return the mean current between neighbouring frames, at their mid-times.

    Parameters
    ----------
    dipole : array, shape (frame, pol)
        In e angstrom, as for `unwrap_dipole`.
    time_step : float
        Time between frames in fs.
    cell : array, shape (vector, xyz) or (frame, vector, xyz), optional
        In angstrom.

    Returns
    -------
    array, shape (frame - 1, pol)
        Forward differences over the time step, in e angstrom/fs.

    Raises
    ------
    InputError
        As `unwrap_dipole`, and if the time step is not positive.

    Examples
    --------
    >>> current_from_dipole([[0, 0, 0], [0, 0, 0.5], [0, 0, 2.0]], 2.0)
    array([[0.  , 0.  , 0.25],
           [0.  , 0.  , 0.75]])
    """
    if not (np.isfinite(time_step) and time_step > 0):
        raise InputError(
            "The 'time_step' must be positive.", got=time_step, expected="a number in fs"
        )
    return _steps(_checked_dipole(dipole), cell) / time_step


def dipole_absorption(
    dipole: npt.ArrayLike,
    *,
    time_step: float,
    volume: float,
    temperature: float,
    cell: npt.ArrayLike | None = None,
    protocol: SpectralProtocol = IR1,
) -> Spectrum:
    r"""Return the absorption n(w) alpha(w) of a trajectory from its dipoles.

    Parameters
    ----------
    dipole : array, shape (frame, pol)
        In e angstrom, one for every frame; jumps by quanta of the cell are removed.
    time_step : float
        Time between frames in fs.
    volume : float
        In angstrom^3: of the cell, or what an isolated system is to be divided by.
    temperature : float
        In K.
    cell : array, shape (vector, xyz) or (frame, vector, xyz), optional
        In angstrom; None for an isolated system.
    protocol : SpectralProtocol

    Returns
    -------
    Spectrum
        In cm^-1, on the grid of the protocol.

    Raises
    ------
    InputError
        As `unwrap_dipole` and `absorption`, or if the grid reaches beyond the highest frequency
        that the time step resolves.

    Notes
    -----
    The mean current over a time step :math:`\Delta t` is the true one times
    :math:`\mathrm{sinc}(\omega \Delta t / 2)`, and its spectrum is divided by the square, which is
    exact: 13 % at 3400 cm^-1 and 2 fs. Velocities of a Verlet integrator are such differences too,
    over two of its own time steps; a spectrum from velocities keeps that factor.

    Examples
    --------
    >>> times = 2.0 * np.arange(2000)[:, None]
    >>> dipole = np.cos(ANGULAR * 1000.0 * times) * [1.0, 0.0, 0.0]
    >>> line = dipole_absorption(dipole, time_step=2.0, volume=1000.0, temperature=300.0)
    >>> float(line.wavenumber[line.absorption.argmax()])
    1000.0
    """
    rates = current_from_dipole(dipole, time_step, cell)
    phase = protocol.wavenumber * ANGULAR * time_step / 2
    if phase[-1] > np.pi / 2 * (1 + 1e-9):
        raise InputError(
            f"The time step is too coarse for the grid of the protocol {protocol.name}.",
            got=f"{time_step:.6g} fs",
            expected=f"at most {np.pi / (protocol.wavenumber[-1] * ANGULAR):.4g} fs, for "
            f"wavenumbers up to {protocol.wavenumber[-1]:g} cm^-1",
            do="write dipoles more often, or use a protocol with a shorter grid",
        )
    mean = absorption(
        rates, time_step=time_step, volume=volume, temperature=temperature, protocol=protocol
    )
    # numpy's sinc has the factor of pi inside
    return replace(mean, absorption=mean.absorption / np.sinc(phase / np.pi) ** 2)


def _steps(dipole: Array, cell: npt.ArrayLike | None) -> Array:
    """Return the change of the dipole in each step, minimal image, shape (frame - 1, pol)."""
    if cell is None:
        return np.diff(dipole, axis=0)
    cells = _checked_cell(cell, len(dipole))
    lattice = np.einsum("fx,fxv->fv", dipole, np.linalg.inv(cells))
    steps = np.diff(lattice, axis=0)
    steps -= np.round(steps)
    bad = np.argwhere(np.abs(steps) > AMBIGUOUS)
    if len(bad):
        frame, vector = (int(k) for k in bad[0])
        raise InputError(
            f"The dipole makes an ambiguous step from frame {frame} to frame {frame + 1}: it "
            "cannot be told from a jump by a polarization quantum.",
            got=f"{steps[frame, vector]:+.3f} quanta along lattice vector {vector}; "
            f"{len(np.unique(bad[:, 0]))} such steps in all",
            expected=f"steps of at most {AMBIGUOUS} quanta",
            do="check unit and cell, and that no frame is missing; else compute dipoles more often",
        )
    return np.einsum("fv,fvx->fx", steps, (cells[1:] + cells[:-1]) / 2)


def _checked_dipole(dipole: npt.ArrayLike) -> Array:
    values = np.asarray(dipole, float)
    if values.ndim != 2 or values.shape[1] != 3 or not len(values):
        raise InputError(
            "The 'dipole' has the wrong shape.", got=values.shape, expected="(frame, pol)"
        )
    bad = np.argwhere(~np.isfinite(values))
    if len(bad):
        raise InputError(
            "The 'dipole' has values that are not finite.",
            got=f"{values[tuple(bad[0])]} in frame {int(bad[0, 0])}",
            do="compute the dipole of every frame; a spectrum needs all of them",
        )
    return values


def _checked_cell(cell: npt.ArrayLike, n_frames: int) -> Array:
    cells = np.asarray(cell, float)
    if cells.shape not in ((3, 3), (n_frames, 3, 3)):
        raise InputError(
            "The 'cell' does not fit the dipoles.",
            got=cells.shape,
            expected=f"(3, 3) or {(n_frames, 3, 3)}, rows are lattice vectors",
        )
    if not np.isfinite(cells).all() or np.any(np.abs(np.linalg.det(cells)) < 1e-6):
        raise InputError(
            "The 'cell' is singular.",
            expected="three independent lattice vectors as rows",
            do="give cell=None for an isolated system",
        )
    return np.broadcast_to(cells, (n_frames, 3, 3))
