"""`reduce_trajectory`: the currents of atoms, molecules and modes, in one bounded pass."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Protocol

import numpy as np
import numpy.typing as npt

from aptbench.errors import AlignmentError, InputError
from aptbench.frames import Frames
from aptbench.molecules import MoleculeTable
from aptbench.spectra.modes import mode_currents, modes_of

Array = npt.NDArray[np.float64]

IN_MEMORY: Final = 2**27
"""Size in bytes from which an array of currents is kept in a temporary file."""


class FrameSource(Protocol):
    """A trajectory that gives frames for a slice; `Frames` is one."""

    def __len__(self) -> int:
        """Return the number of frames."""
        ...

    def __getitem__(self, index: Any, /) -> Frames:
        """Return a stretch of frames, with velocities."""
        ...


class TensorSource(Protocol):
    """Tensors that are read by a slice of frames: numpy, memmap, Zarr, Dask."""

    @property
    def shape(self) -> tuple[int, ...]:
        """Frame, atom, pol, disp."""
        ...

    def __getitem__(self, index: Any, /) -> Any:
        """Return the tensors of a stretch of frames."""
        ...


@dataclass(frozen=True, eq=False)
class MolecularCurrents:
    """Every current of a trajectory that its assignment needs.

    Parameters
    ----------
    table : MoleculeTable
    modes : tuple of str
        Modes of all kinds of molecules together.
    atoms : array, shape (frame, atom, pol)
        Current of each atom, its tensor times its velocity, in e angstrom/fs.
    by_mode : array, shape (frame, molecule, mode, pol)
        Current of each molecule by modes, in e angstrom/fs; zero for a mode that it does not have.
    centers : array, shape (frame, molecule, xyz)
        Centres of mass in angstrom, unwrapped if the positions are.
    sites : array, shape (frame, molecule, xyz)
        Where distances are measured from, in angstrom: the heavy atom of a molecule that has only
        one (oxygen of water), the only atom of an ion, else the centre of mass.
    cell : array, shape (frame, vector, xyz), or None
        In angstrom.
    """

    table: MoleculeTable
    modes: tuple[str, ...]
    atoms: Array
    by_mode: Array
    centers: Array
    sites: Array
    cell: Array | None

    def __len__(self) -> int:
        return len(self.atoms)

    def total(self) -> Array:
        """Return the current of the system in e angstrom/fs, shape (frame, pol)."""
        return np.asarray(self.atoms.sum(1))


def reduce_trajectory(
    frames: FrameSource,
    apt: TensorSource | Callable[[Frames], npt.ArrayLike],
    table: MoleculeTable,
    *,
    references: Mapping[str, npt.ArrayLike] | None = None,
    chunk: int = 256,
    scratch: str | Path | None = None,
) -> MolecularCurrents:
    """Reduce a trajectory and its tensors to currents, a chunk of frames at a time.

    Parameters
    ----------
    frames : FrameSource
        With velocities: `Frames`, or anything with a length that gives Frames for a slice.
    apt : array-like, shape (frame, atom, pol, disp), or function of Frames
        In e, read chunk by chunk. A function is given a chunk and returns its tensors, as
        ``predict`` of a model does.
    table : MoleculeTable
    references : mapping of str to array (atom, xyz), optional
        Geometry of kinds of molecules by formula, see `molecular_modes`.
    chunk : int
        Frames at a time; the result does not depend on it.
    scratch : path, optional
        Folder of the temporary files that hold what does not fit in memory; the files vanish with
        the arrays. The default folder of the system if not given.

    Raises
    ------
    InputError
        If velocities are missing, a tensor is not finite, or a reference belongs to no kind.
    AlignmentError
        If atoms or frames of trajectory, tensors and table differ.

    Notes
    -----
    Memory is that of a chunk, besides results smaller than `IN_MEMORY`.

    Examples
    --------
    >>> from aptbench.oracle import PolarizableWater, liquid
    >>> frames = liquid(8, 3, equilibration=2)
    >>> table = MoleculeTable.of(frames)
    >>> currents = reduce_trajectory(frames, PolarizableWater().predict, table, chunk=2)
    >>> currents.by_mode.shape, bool(np.allclose(currents.by_mode.sum((1, 2)), currents.total()))
    ((3, 8, 5, 3), True)
    """
    geometry = dict(references or {})
    unknown = sorted(set(geometry) - {kind.formula for kind in table.kinds})
    if unknown or chunk < 1 or not len(frames):
        raise InputError(
            "The trajectory cannot be reduced like that.",
            got=f"{len(frames)} frames, chunks of {chunk}, references of {unknown or 'kinds'}",
            expected="a frame or more in a chunk, and references of "
            + ", ".join(kind.formula for kind in table.kinds),
        )
    n = len(frames)
    if not callable(apt) and tuple(apt.shape) != (n, table.n_atoms, 3, 3):
        raise AlignmentError(
            "The 'apt' does not fit the trajectory.",
            got=tuple(apt.shape),
            expected=(n, table.n_atoms, 3, 3),
        )
    modes = modes_of(table.kinds)
    atoms = scratch_array((n, table.n_atoms, 3), scratch)
    by_mode = scratch_array((n, len(table), len(modes), 3), scratch)
    centers, sites = (scratch_array((n, len(table), 3), scratch) for _ in range(2))
    cells: list[Array] = []
    for start in range(0, n, chunk):
        part = slice(start, min(start + chunk, n))
        here = frames[part]
        rates = _checked_velocities(here, table, part.stop - start)
        tensors = _checked_tensors(apt(here) if callable(apt) else apt[part], rates.shape, start)
        atoms[part] = (tensors @ rates[..., None])[..., 0]
        whole = table.whole(here.positions, here.cell)
        centers[part] = table.centers_of_mass(whole)
        sites[part] = centers[part]
        for kind in table.kinds:
            current = mode_currents(
                kind,
                whole[:, kind.atoms],
                rates[:, kind.atoms],
                tensors[:, kind.atoms],
                geometry.get(kind.formula),
            )
            columns = [modes.index(name) for name in modes_of((kind,))]
            by_mode[part, kind.molecules[:, None], columns] = current
            if len(kind.atomic_numbers) == 1 or np.sum(kind.atomic_numbers > 1) == 1:
                sites[part, kind.molecules] = whole[:, kind.atoms[:, 0]]
        if here.cell is not None:
            cells.append(here.cell)
    cell = np.concatenate(cells) if cells else None
    if cell is not None and len(cell) != n:
        raise InputError("Some frames of the trajectory have a cell, and others have none.")
    return MolecularCurrents(table, modes, atoms, by_mode, centers, sites, cell)


def scratch_array(shape: tuple[int, ...], scratch: str | Path | None = None) -> Array:
    """Return zeros, in an unnamed temporary file if they are many.

    Parameters
    ----------
    shape : tuple of int
    scratch : path, optional
        Folder of the file; the default folder of the system if not given.
    """
    if 8 * int(np.prod(shape)) <= IN_MEMORY:
        return np.zeros(shape)
    with tempfile.TemporaryFile(dir=scratch, prefix="aptbench-") as file:
        return np.memmap(file, np.float64, "w+", shape=shape)


def _checked_velocities(here: Frames, table: MoleculeTable, n_frames: int) -> Array:
    if here.velocities is None:
        raise InputError(
            "An assignment needs velocities, and the frames have none.",
            expected="Frames with 'velocities' in angstrom/fs",
            do="write velocities with the trajectory",
        )
    if len(here) != n_frames or not np.array_equal(here.atomic_numbers, table.atomic_numbers):
        raise AlignmentError(
            "The trajectory does not fit the molecule table.",
            got=f"{len(here)} frames of {here.n_atoms} atoms",
            expected=f"{n_frames} frames of the {table.n_atoms} atoms of the table",
        )
    return here.velocities


def _checked_tensors(given: Any, shape: tuple[int, ...], start: int) -> Array:
    tensors = np.asarray(given, float)
    if tensors.shape != (*shape, 3):
        raise AlignmentError(
            "The 'apt' does not fit the trajectory.", got=tensors.shape, expected=(*shape, 3)
        )
    if not np.isfinite(tensors).all():
        bad = np.argwhere(~np.isfinite(tensors))
        raise InputError(
            "The 'apt' have values that are not finite.",
            got=f"atom {bad[0][1]} of frame {start + bad[0][0]}",
            expected="a tensor for every atom of every frame",
        )
    return tensors
