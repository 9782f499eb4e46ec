"""`decorrelation_time`: how long a trajectory remembers, by several observables."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from aptbench.errors import AlignmentError, InputError
from aptbench.spectra.correlation import correlation
from aptbench.tasks.autocorrelation import AutocorrelationTime, autocorrelation_time
from aptbench.tasks.observables import Trajectory, tensor_fluctuations, trajectory_observables

Array = npt.NDArray[np.float64]

_SERIES: Final = 64
_ROUNDING: Final = 1e-9


@dataclass(frozen=True)
class Decorrelation:
    """What `decorrelation_time` found.

    Parameters
    ----------
    observables : dict of str to AutocorrelationTime
        By name, see `aptbench.tasks.observables`; ``tensors`` where labels were given.
    """

    observables: dict[str, AutocorrelationTime]

    @property
    def slowest(self) -> str:
        """Name of the observable that remembers longest."""
        return max(self.observables, key=lambda name: self.observables[name].time_fs)

    @property
    def time_fs(self) -> float:
        """Time of the slowest observable in fs; a lower bound where it does not decay."""
        return self.observables[self.slowest].time_fs


def decorrelation_time(
    frames: Trajectory, times: npt.ArrayLike, apt: npt.ArrayLike | None = None
) -> Decorrelation:
    """Measure how long a trajectory remembers where its molecules point and what is around them.

    Parameters
    ----------
    frames : Frames, or another sequence of frames whose slices are Frames
    times : array, shape (frame,)
        In fs, equidistant.
    apt : array, shape (frame, atom, pol, disp), optional
        Tensors of all frames in e, where labels are dense.

    Returns
    -------
    Decorrelation

    Raises
    ------
    InputError
        If there are fewer than four frames, the times are not equidistant, or nothing moves.
    AlignmentError
        If times or tensors do not fit the frames.

    Examples
    --------
    >>> from aptbench.frames import Frames
    >>> rng = np.random.default_rng(0)
    >>> water = np.array([[0, 0, 0], [0.96, 0, 0], [-0.24, 0.93, 0]])
    >>> noise = Frames([8, 1, 1], water + 0.01 * rng.normal(size=(200, 3, 3)))
    >>> round(decorrelation_time(noise, 2.0 * np.arange(200)).observables["shape"].time_fs)
    2
    """
    at = np.asarray(times, float)
    if at.shape != (len(frames),):
        raise AlignmentError(
            "The times do not fit the frames.", got=at.shape, expected=f"({len(frames)},)"
        )
    steps = np.diff(at)
    if len(at) < 4 or steps.min() <= 0 or np.ptp(steps) > 1e-6 * steps.mean():
        raise InputError(
            "A decorrelation time needs frames at equal steps of time.",
            got=f"{len(at)} frames"
            + (f", steps of {steps.min():g} to {steps.max():g} fs" if len(steps) else ""),
            expected="four frames or more, one step",
        )
    observables = trajectory_observables(frames)
    if apt is not None:
        tensors = np.asarray(apt)
        expected = (len(at), frames[0:1].n_atoms, 3, 3)
        if tensors.shape != expected:
            raise AlignmentError(
                "The tensors do not fit the frames.",
                got=tensors.shape,
                expected=expected,
            )
        observables["tensors"] = tensor_fluctuations(tensors)
    found = {}
    for name, values in observables.items():
        if values.shape[1] and np.mean(values**2) > _ROUNDING:
            found[name] = autocorrelation_time(
                _autocorrelation(values), float(steps.mean()), len(at), values.shape[1]
            )
    if not found:
        raise InputError("Nothing moves on the trajectory.", got="observables that are constant")
    return Decorrelation(found)


def _autocorrelation(values: Array) -> Array:
    """Return the sum of the autocorrelations of all series up to half of the frames."""
    n_lags = len(values) // 2
    flat = values.reshape(len(values), -1)
    total = np.zeros(n_lags)
    for start in range(0, flat.shape[1], _SERIES):
        part = flat[:, start : start + _SERIES]
        total += correlation(part, part, n_lags)
    return total
