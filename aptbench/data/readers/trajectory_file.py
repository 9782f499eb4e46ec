"""`read_trajectory_file`: positions, velocities and times of a trajectory of any program."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import numpy.typing as npt

from aptbench.bonds import nearest_image
from aptbench.data.readers.cp2k import read_trajectory
from aptbench.data.readers.extended_xyz import MOMENTUM, read_extended_xyz_trajectory
from aptbench.errors import AlignmentError, InputError, MissingExtraError, UnknownNameError
from aptbench.frames import Frames
from aptbench.units import factor

if TYPE_CHECKING:
    from ase import Atoms

Array = npt.NDArray[np.float64]

TRAJECTORY_FORMATS: Final = ("cp2k", "extxyz", "ase")
"""Formats that `read_trajectory_file` knows."""
_MOVED: Final = 1e-6


def read_trajectory_file(
    positions: Path | str,
    velocities: Path | str | None = None,
    *,
    format: str = "cp2k",  # noqa: A002
    cell: npt.ArrayLike | None = None,
    time_step: float | None = None,
    time_unit: str | None = None,
    velocity_unit: str | None = None,
) -> tuple[Array, Frames]:
    """Read a trajectory, with positions that are unwrapped.

    Parameters
    ----------
    positions : path
    velocities : path, optional
        Only of ``cp2k``; other formats have velocities in the file of the positions.
    format : {"cp2k", "extxyz", "ase"}
        ``cp2k``: xyz files of CP2K (``PROJECT-pos-1.xyz``), whose comments state the times.
        ``extxyz``: extended or plain xyz. ``ase``: whatever `ase.io.read` knows by its name, such
        as XDATCAR, vasprun.xml, a LAMMPS dump or ``.traj``.
    cell : array, optional
        In angstrom, where the file holds none; None for an isolated system.
    time_step : float, optional
        Between two frames of the file in fs. ``cp2k`` has none; ``extxyz`` needs it unless its
        comment lines have ``time=``, and ``ase`` always.
    time_unit : str, optional
        Of the ``time=`` of ``extxyz``, which states none.
    velocity_unit : str, optional
        Of ``cp2k`` (bohr/atomic_time if None) and ``extxyz``; ASE has one of its own.

    Returns
    -------
    times : array, shape (frame,)
        In fs.
    frames : Frames
        With velocities in angstrom/fs where there are any.

    Raises
    ------
    InputError
        If a file is missing or damaged, or something is given that the format has no use for, or
        not given that it needs.
    UnitError
        If a unit is unknown, or velocities of ``extxyz`` have none.
    AlignmentError
        If frames, or positions and velocities, differ in their atoms.
    UnknownNameError
        If there is no such format.
    MissingExtraError
        If ``ase`` is not installed.

    Notes
    -----
    Atoms that jump by about a lattice vector between two frames are put back: positions of a store
    are unwrapped. An atom that really moves farther than half of the cell between frames cannot be
    told from one that was wrapped.
    """
    if format not in TRAJECTORY_FORMATS:
        raise UnknownNameError("format of a trajectory", format, TRAJECTORY_FORMATS)
    _expect(format, velocities=velocities, time_step=time_step, time_unit=time_unit,
            velocity_unit=velocity_unit)  # fmt: skip
    if format == "cp2k":
        times, frames = read_trajectory(
            positions, velocities, cell=cell, velocity_unit=velocity_unit or "bohr/atomic_time"
        )
        return times, unwrapped(frames)
    if format == "extxyz":
        stated, frames = read_extended_xyz_trajectory(positions, velocity_unit=velocity_unit)
        times = _times(stated, time_step, time_unit, len(frames), Path(positions).name)
    else:
        frames = _read_ase(Path(positions))
        times = _times(None, time_step, None, len(frames), Path(positions).name)
    if frames.cell is None and cell is not None:
        frames = frames.replace(cell=cell)
    return times, unwrapped(frames)


def unwrapped(frames: Frames) -> Frames:
    """Return frames whose atoms do not jump by lattice vectors from one frame to the next.

    Examples
    --------
    >>> path = Frames([18], [[[3.8, 0, 0]], [[0.1, 0, 0]]], cell=[4.0, 4.0, 4.0])
    >>> unwrapped(path).positions[:, 0, 0].tolist()
    [3.8, 4.1]
    """
    if frames.cell is None or len(frames) < 2:
        return frames
    steps = np.diff(frames.positions, axis=0)
    jumps = steps - nearest_image(steps, frames.cell[1:])
    jumps[np.abs(jumps) < _MOVED] = 0.0
    if not jumps.any():
        return frames
    positions = frames.positions.copy()
    positions[1:] -= np.cumsum(jumps, axis=0)
    return frames.replace(positions=positions)


def _expect(format: str, **given: Any) -> None:  # noqa: A002
    """Refuse what a format has no use for: whoever gives it expects it to count."""
    idle = {
        "cp2k": ("time_step", "time_unit"),
        "extxyz": ("velocities",),
        "ase": ("velocities", "time_unit", "velocity_unit"),
    }
    why = {
        "cp2k": "the files of CP2K state their times in fs",
        "extxyz": "the velocities are a property of the same file, such as velocities:R:3",
        "ase": "ASE knows the unit of velocities, and no times",
    }
    for name in idle[format]:
        if given[name] is not None:
            raise InputError(
                f"The format {format!r} has no {name.replace('_', ' ')} to be given.",
                got=given[name],
                expected=why[format],
                do=f"leave it out, or name another format: {', '.join(TRAJECTORY_FORMATS)}",
            )


def _times(
    stated: Array | None, step: float | None, unit: str | None, n_frames: int, source: str
) -> Array:
    """Return times in fs, by a step or as the file states them."""
    if step is not None:
        if unit is not None:
            raise InputError(
                "A time step and the unit of the times in the file are given.",
                expected="one of the two: the step is in fs",
            )
        if not step > 0:
            raise InputError("The time step must be positive.", got=step, expected="fs")
        return np.arange(n_frames, dtype=np.float64) * step
    if stated is None:
        raise InputError(
            f"{source} has no times.",
            expected="the time step between two of its frames, in fs",
            do="give it (--time-step, or time_step in a recipe)",
        )
    if unit is None:
        raise InputError(
            f"{source} states times, and no unit of them.",
            got=f"{stated[0]:g} to {stated[-1]:g}",
            expected="their unit, for example fs or ps, or the time step in fs",
            do="give one of them (--time-unit or --time-step; time_unit or time_step in a recipe)",
        )
    return stated * factor("time", unit)


def _read_ase(path: Path) -> Frames:
    try:
        import ase.io
    except ImportError as error:
        raise MissingExtraError("ase", "md") from error
    if not path.is_file():
        raise InputError(f"There is no file {path}.", do="check the path")
    try:
        images: list[Atoms] = list(ase.io.iread(path, index=":"))
    except Exception as error:
        raise InputError(
            f"ASE cannot read the trajectory {path}.",
            got=f"{type(error).__name__}: {error}",
            do="convert it to extended xyz with the program that wrote it",
        ) from error
    if not images:
        raise InputError(f"{path} holds no frame.")
    first = images[0]
    for number, image in enumerate(images):
        if not np.array_equal(image.numbers, first.numbers):
            raise AlignmentError(
                f"Frame {number} of {path.name} has other atoms than the first one.",
                got=str(image.symbols),
                expected=f"{first.symbols}, in the same order",
            )
        if image.pbc.any() != image.pbc.all() or image.pbc.any() != first.pbc.any():
            raise InputError(
                f"Frame {number} of {path.name} is periodic in some directions only.",
                got=f"pbc {image.pbc.tolist()}",
                expected="all directions in all frames, or none",
            )
    moving = [image.has("momenta") for image in images]
    if any(moving) and not all(moving):
        raise AlignmentError(f"Only some frames of {path.name} have velocities.")
    velocities = None
    if all(moving):
        momenta = np.array([image.get_momenta() for image in images])
        velocities = momenta / first.get_masses()[:, None] * MOMENTUM
    return Frames(
        first.numbers,
        np.array([image.positions for image in images]),
        np.array([image.cell.array for image in images]) if first.pbc.any() else None,
        velocities,
    )
