"""`BandFilter`: the part of a motion that lies between two wavenumbers, at any frame."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from aptbench.errors import InputError
from aptbench.spectra.protocol import ANGULAR
from aptbench.spectra.reduction import FrameSource

Array = npt.NDArray[np.float64]
Ends = tuple[float, float]

SUPPORT: Final = 1000.0
"""Reach of the filter to both sides, in fs: a compromise between sharp edges and short data."""


@dataclass(frozen=True)
class BandFilter:
    r"""A filter of zero phase and finite reach.

    Parameters
    ----------
    ends : tuple of float
        In cm^-1.
    time_step : float
        In fs.
    support : float
        Reach to both sides in fs. Shortened to what the trajectory has, see below.

    Raises
    ------
    InputError
        If the ends do not rise from zero, lie beyond what the time step resolves, or are nearer to
        each other than the edges of the filter are wide.

    Notes
    -----
    The kernel is that of the ideal band times a Hann window of half width T,

    .. math:: h(t) = \frac{\sin \omega_2 t - \sin \omega_1 t}{\pi t}
              \cos^2\!\frac{\pi t}{2 T}, \quad |t| < T ,

    so the response is one half at both ends of the band, and about one inside and zero outside
    from `edge` = 1 / (c T) beyond them. A band that begins below `edge` lets slow drift through.

    *Ends of the trajectory*: beyond them the signal is continued as its mirror image in time. The
    image of an oscillation is an oscillation of the same wavenumber, so it stays in its band; what
    is lost is the phase, and with it some sharpness. `coverage` tells how much of the kernel lies
    in the trajectory itself.

    Harris, Proc. IEEE 66, 51 (1978), doi:10.1109/PROC.1978.10837.

    Examples
    --------
    >>> bend = BandFilter((1500.0, 1800.0), time_step=2.0)
    >>> bend.response([1000.0, 1500.0, 1650.0, 3400.0]).round(2) + 0.0
    array([0. , 0.5, 1. , 0. ])
    """

    ends: Ends
    time_step: float
    support: float = SUPPORT

    def __post_init__(self) -> None:
        low, high = self.ends
        if not (self.time_step > 0 and np.isfinite(self.support) and self.reach >= 1):
            raise InputError(
                "The time step or the reach of a filter is impossible.",
                got=f"a step of {self.time_step} fs, a reach of {self.support} fs",
                expected="a positive step, and a reach of at least one step",
            )
        if not 0 <= low < high <= self.nyquist:
            raise InputError(
                "A filter has no such band.",
                got=f"{low:g} to {high:g} cm^-1",
                expected=f"rising, from 0 to {self.nyquist:.0f} cm^-1 with steps of "
                f"{self.time_step:g} fs",
            )
        if high - low < self.edge:
            raise InputError(
                "A band is narrower than the edges of its filter.",
                got=f"{low:g} to {high:g} cm^-1",
                expected=f"{self.edge:.1f} cm^-1 or more with a reach of {self.support:g} fs",
                do="widen the band, or the reach of the filter",
            )

    @property
    def reach(self) -> int:
        """Frames that the kernel reaches to both sides."""
        return int(self.support / self.time_step + 1e-9)

    @property
    def edge(self) -> float:
        """Distance from an end of the band within which the response rises, in cm^-1."""
        return float(2 * np.pi / ANGULAR / self.support)

    @property
    def nyquist(self) -> float:
        """Largest wavenumber that the time step resolves, in cm^-1."""
        return float(np.pi / ANGULAR / self.time_step)

    @property
    def kernel(self) -> Array:
        """Weights of the frames from ``-reach`` to ``reach``, shape (2 reach + 1,)."""
        times = np.arange(-self.reach, self.reach + 1) * self.time_step
        low, high = (ANGULAR * end for end in self.ends)
        # numpy's sinc is sin(pi x) / (pi x), and one at zero
        ideal = (high * np.sinc(high * times / np.pi) - low * np.sinc(low * times / np.pi)) / np.pi
        window = np.cos(np.pi * times / (2 * (self.reach + 1) * self.time_step)) ** 2
        return np.asarray(self.time_step * ideal * window)

    def response(self, wavenumber: npt.ArrayLike) -> Array:
        """Return by what oscillations of these wavenumbers (cm^-1) are multiplied."""
        times = np.arange(-self.reach, self.reach + 1) * self.time_step
        phases = ANGULAR * np.multiply.outer(np.asarray(wavenumber, float), times)
        return np.asarray(np.cos(phases) @ self.kernel)

    def weights(self, frame: int, n_frames: int) -> tuple[int, Array]:
        """Return which frames make the filtered value at one frame.

        Parameters
        ----------
        frame : int
            Where the value is wanted.
        n_frames : int
            Frames of the trajectory.

        Returns
        -------
        first : int
            First frame that has a weight.
        weights : array, shape (frame,)
            Of the frames from there on, those of the mirror image added to their originals.
        """
        if not 0 <= frame < n_frames:
            raise InputError(
                "There is no such frame.", got=frame, expected=f"an index from 0 to {n_frames - 1}"
            )
        places = _mirrored(np.arange(frame - self.reach, frame + self.reach + 1), n_frames)
        first = int(places.min())
        return first, np.bincount(places - first, self.kernel).astype(np.float64)

    def apply(self, series: npt.ArrayLike) -> Array:
        """Return a dense series (frame, ...) filtered along its frames."""
        from scipy.signal import fftconvolve

        values = np.asarray(series, float)
        n_frames = len(values)
        wide = values[_mirrored(np.arange(-self.reach, n_frames + self.reach), n_frames)]
        kernel = self.kernel.reshape(-1, *[1] * (values.ndim - 1))
        return np.asarray(fftconvolve(wide, kernel, mode="valid", axes=0))

    def coverage(self, frames: npt.ArrayLike, n_frames: int) -> Array:
        """Return the share of the squared kernel that lies in the trajectory, shape (label,)."""
        square = np.concatenate([[0.0], np.cumsum(self.kernel**2)])
        index = np.asarray(frames, int)
        begin = np.clip(self.reach - index, 0, len(square) - 1)
        end = np.clip(n_frames - index + self.reach, 0, len(square) - 1)
        return np.asarray((square[end] - square[begin]) / square[-1])


def band_velocities(
    trajectory: FrameSource,
    frames: npt.ArrayLike,
    bands: Mapping[str, Ends],
    time_step: float,
    support: float = SUPPORT,
) -> dict[str, Array]:
    r"""Return the velocities of a few frames, band by band.

    With them the error of the current can be divided over the bands of the spectrum although only
    a few frames are labelled: in `aptbench.metrics`, ``current_error`` of frames whose velocities
    are those of a band is

    .. math:: \eta_B^2 = \frac{\langle |\sum_i \Delta P_i v_{B,i}|^2 \rangle}
              {\langle |\sum_i P_i^\mathrm{ref} v_{B,i}|^2 \rangle} .

    Parameters
    ----------
    trajectory : FrameSource
        Frames at equal steps of time, with velocities; only the surroundings of ``frames`` are
        read, each once.
    frames : array of int, shape (label,)
    bands : mapping of name to (low, high)
        In cm^-1.
    time_step : float
        In fs.
    support : float
        See `BandFilter`.

    Returns
    -------
    dict of name to array (label, atom, xyz)
        In angstrom/fs.

    Raises
    ------
    InputError
        As `BandFilter`, or if a frame does not exist or has no velocities.

    Notes
    -----
    Assumption: the tensors change slowly against the carrier of the band. The current in a band is
    :math:`(\sum_i P_i v_i)_B`, and :math:`\sum_i P_i (v_i)_B` leaves out that the motion of P
    itself (libration, stretching) moves current from one band to another, by sums and differences
    of their wavenumbers. ``docs/learning-curves.md`` has the measured size of that.

    Examples
    --------
    >>> from aptbench.oracle import ChargedOscillators
    >>> pair = ChargedOscillators((1.0, 1.0), (10.0, 10.0), (1000.0, 3000.0))
    >>> motion = pair.trajectory(2.0 * np.arange(2000), 300.0)
    >>> low = band_velocities(motion, [1000], {"low": (800.0, 1200.0)}, 2.0)["low"]
    >>> (low[0] / motion.velocities[1000]).round(3) + 0.0
    array([[1., 1., 1.],
           [0., 0., 0.]])
    """
    filters = {name: BandFilter(ends, time_step, support) for name, ends in bands.items()}
    index = np.asarray(frames, int)
    parts: dict[str, list[Array]] = {name: [] for name in filters}
    for frame in index.tolist():
        stretch: Array | None = None
        for name, chosen in filters.items():
            first, weights = chosen.weights(frame, len(trajectory))
            if stretch is None:  # filters of one reach have the same surroundings
                stretch = _velocities(trajectory, slice(first, first + len(weights)))
            parts[name].append(np.tensordot(weights, stretch, axes=1))
    return {name: np.array(rows) for name, rows in parts.items()}


def _velocities(trajectory: FrameSource, part: slice) -> Array:
    velocities = trajectory[part].velocities
    if velocities is None:
        raise InputError(
            "The bands of a current need velocities, and the frames have none.",
            do="use a trajectory with velocities",
        )
    return velocities


def _mirrored(places: npt.NDArray[np.int64], n_frames: int) -> npt.NDArray[np.int64]:
    """Return places on a line as frames, the trajectory continued by its mirror images."""
    period = max(2 * (n_frames - 1), 1)
    folded = np.mod(places, period)
    return np.minimum(folded, period - folded) if n_frames > 1 else np.zeros_like(places)
