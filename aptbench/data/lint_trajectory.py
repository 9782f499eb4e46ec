"""Checks of the trajectory under the labels: finite, each frame once, regular, consistent."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np
import numpy.typing as npt

from aptbench.data.plausibility import Finding
from aptbench.data.quantization import POSITION_STEP
from aptbench.frames import Frames
from aptbench.units import ATOMIC_MASS, BOLTZMANN

if TYPE_CHECKING:
    import xarray as xr

LONGEST_STEP: Final = 2.5
"""Longest step in fs for velocities: a stretch of O-H turns by 1.7 rad in it."""
VELOCITY_ERROR: Final = 0.04
"""Largest relative error of displacements from velocities, root mean square. The shipped sets
have 0.5 to 1.5 % at 2 fs; velocities a quarter of a femtosecond late leave 6 %."""
DRIFT: Final = 0.01
"""Largest speed of the centre of mass, in units of its thermal speed."""


def check_finite(group: xr.Dataset) -> Finding:
    """Check that every floating-point number of a group of a store is finite."""
    bad = {
        str(name): int(np.sum(~np.isfinite(array.values)))
        for name, array in group.variables.items()
        if np.issubdtype(array.dtype, np.floating)
    }
    found = [f"{count} of {name!r}" for name, count in bad.items() if count]
    if not found:
        return Finding("finite", "pass", f"all numbers of {len(bad)} variables")
    return Finding(
        "finite", "fail", f"not finite: {', '.join(found)}", "make the store again from its source"
    )


def check_duplicates(frames: Frames) -> Finding:
    """Check that no frame, positions and cell, is in the system twice."""
    parts = [frames.positions.reshape(len(frames), -1)]
    if frames.cell is not None:
        parts.append(frames.cell.reshape(len(frames), -1))
    flat = np.ascontiguousarray(np.concatenate(parts, axis=1))
    _, first = np.unique(flat.view(f"V{flat.strides[0]}"), return_index=True)
    again = np.setdiff1d(np.arange(len(frames)), first)
    if not len(again):
        return Finding("duplicates", "pass", f"{len(frames)} different frames")
    return Finding(
        "duplicates",
        "fail",
        f"{len(again)} of {len(frames)} frames are there already, the first is frame {again[0]}",
        "take them out: a restart has written them again, or the dynamics stood still",
    )


def check_time_step(times: npt.ArrayLike) -> Finding:
    """Check that all frames of a trajectory are equally far apart in time; times in fs."""
    steps = np.diff(np.asarray(times, float))
    if not len(steps):
        return Finding("time_step", "unknown", "there is one frame")
    step = float(np.median(steps))
    irregular = np.flatnonzero(np.abs(steps - step) > 1e-6 * step)
    if not len(irregular):
        return Finding("time_step", "pass", f"{len(steps)} steps of {step:g} fs")
    return Finding(
        "time_step",
        "fail",
        f"{len(irregular)} of {len(steps)} steps are not {step:g} fs, the first after frame "
        f"{irregular[0]}",
        "frames are missing: sample again, or split the trajectory there",
    )


def check_velocities(frames: Frames, times: npt.ArrayLike) -> Finding:
    r"""Check velocities against the central differences of positions.

    Parameters
    ----------
    frames : Frames
        Neighbouring frames of a trajectory.
    times : array, shape (frame,)
        In fs.

    Notes
    -----
    :math:`R(t + \Delta) - R(t - \Delta) = \tfrac{\Delta}{3} (v(t - \Delta) + 4 v(t) +
    v(t + \Delta))`, Simpson's rule: the plain central difference is wrong by 30 % for an O-H
    stretch and steps of 2 fs, this one by 3 %.
    """
    name = "velocities"
    steps = np.diff(np.asarray(times, float))
    if frames.velocities is None or len(frames) < 3:
        return Finding(name, "unknown", "there are no velocities, or fewer than three frames")
    if steps.max() > LONGEST_STEP:
        return Finding(
            name, "unknown", f"frames {steps.max():g} fs apart are too far apart to tell"
        )
    even = np.abs(np.diff(steps)) < 1e-6 * steps[1:]
    x, v = frames.positions, frames.velocities
    moved = (x[2:] - x[:-2])[even]
    told = (steps[1:, None, None] / 3 * (v[2:] + 4 * v[1:-1] + v[:-2]))[even]
    scale = float(np.mean(moved**2))
    if not even.any() or scale == 0:
        return Finding(name, "unknown", "there is no motion")
    # rounded positions cannot be met better than this
    rounding = POSITION_STEP**2 / 6
    error = (max(float(np.mean((moved - told) ** 2)) - rounding, 0.0) / scale) ** 0.5
    message = f"displacements are met to {100 * error:.2f} %, limit {100 * VELOCITY_ERROR:g} %"
    if error <= VELOCITY_ERROR:
        return Finding(name, "pass", message)
    slope = float(np.sum(moved * told) / np.sum(told**2)) if told.any() else float("nan")
    return Finding(
        name,
        "fail",
        f"{message}; they are {slope:.3g} times what the velocities say",
        "check the unit of the velocities, and that they are of the time of the positions",
    )


def check_center_of_mass(frames: Frames, times: npt.ArrayLike) -> Finding:
    """Check that the centre of mass stays where it is.

    Notes
    -----
    The limit of its mean speed is ``DRIFT`` times the thermal speed ``sqrt(3 kB T / M)`` of the
    whole system. A neutral system may drift without any change of its spectrum, so drift is a
    warning.
    """
    name = "center_of_mass"
    span = np.asarray(times, float) - np.asarray(times, float)[0]
    if frames.velocities is None or len(frames) < 2:
        return Finding(name, "unknown", "there are no velocities, or there is one frame")
    masses = frames.masses
    center = np.einsum("a,fax->fx", masses / masses.sum(), frames.positions)
    away = np.linalg.norm(center - center[0], axis=-1)
    thermal = np.sqrt(3 * BOLTZMANN * frames.temperatures.mean() / (masses.sum() * ATOMIC_MASS))
    limit = DRIFT * thermal * 1e-5 * span[-1] + POSITION_STEP
    message = f"moves by at most {away.max():.2g} angstrom, limit {limit:.2g}"
    if away.max() <= limit:
        return Finding(name, "pass", message)
    return Finding(
        name,
        "unknown",
        message,
        "take the motion of the centre of mass out of the dynamics; in a charged cell it is a "
        "current",
    )
