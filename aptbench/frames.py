"""`Frames`: the one value object that a model sees."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from aptbench.elements import standard_masses
from aptbench.errors import InputError
from aptbench.units import ATOMIC_MASS, BOLTZMANN

Array = npt.NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Frames:
    """Configurations of one system: same atoms in the same order, one or many frames.

    Arrays are copied on the way in, converted to the types below, checked, and read-only.

    Parameters
    ----------
    atomic_numbers : array, shape (atom,)
    positions : array, shape (frame, atom, xyz)
        In angstrom, unwrapped along a trajectory; one frame may be given as (atom, xyz).
    cell : array, shape (xyz,), (vector, xyz) or (frame, vector, xyz), optional
        In angstrom, rows are lattice vectors; three numbers mean an orthorhombic cell.
        None for an isolated system.
    velocities : array, shape (frame, atom, xyz), optional
        In angstrom/fs, at the times of the positions.
    molecule : array of int, shape (atom,), optional
        Index of the molecule that each atom belongs to.
    total_charge : float
        Net charge of the system in e.

    Raises
    ------
    InputError
        If a shape does not fit, a value is not finite, or a cell is singular.

    Examples
    --------
    >>> frames = Frames([8, 1, 1], [[0, 0, 0], [0.96, 0, 0], [-0.24, 0.93, 0]])
    >>> len(frames), frames.n_atoms, frames.periodic
    (1, 3, False)
    """

    atomic_numbers: npt.NDArray[np.int64]
    positions: Array
    cell: Array | None = None
    velocities: Array | None = None
    molecule: npt.NDArray[np.int64] | None = None
    total_charge: float = 0.0

    def __post_init__(self) -> None:
        charge = _array("total_charge", self.total_charge, np.float64)
        _expect_shape("total_charge", charge, ())
        object.__setattr__(self, "total_charge", float(charge))
        numbers = _array("atomic_numbers", self.atomic_numbers, np.int64)
        if numbers.ndim != 1 or numbers.size == 0 or numbers.min() < 1 or numbers.max() > 118:
            raise InputError(
                "The 'atomic_numbers' of Frames are not a list of elements.",
                got=f"shape {numbers.shape}, values {numbers[:5]} ...",
                expected="one integer from 1 to 118 for each atom",
            )
        positions = _array("positions", self.positions, np.float64)
        positions = positions[None] if positions.ndim == 2 else positions
        shape = (len(positions), len(numbers), 3)
        _expect_shape("positions", positions, shape)
        object.__setattr__(self, "atomic_numbers", _frozen(numbers))
        object.__setattr__(self, "positions", _frozen(positions))
        if self.velocities is not None:
            velocities = _array("velocities", self.velocities, np.float64)
            velocities = velocities[None] if velocities.ndim == 2 else velocities
            _expect_shape("velocities", velocities, shape)
            object.__setattr__(self, "velocities", _frozen(velocities))
        if self.molecule is not None:
            molecule = _array("molecule", self.molecule, np.int64)
            _expect_shape("molecule", molecule, numbers.shape)
            object.__setattr__(self, "molecule", _frozen(molecule))
        if self.cell is not None:
            cell = _array("cell", self.cell, np.float64)
            cell = np.diag(cell) if cell.ndim == 1 else cell
            if cell.ndim in (2, 3) and cell.shape[-2:] == (3, 3):
                cell = np.broadcast_to(cell, (len(positions), 3, 3))
            _expect_shape("cell", cell, (len(positions), 3, 3))
            if np.any(np.abs(np.linalg.det(cell)) < 1e-6):
                raise InputError(
                    "The 'cell' of Frames is singular.",
                    got="a cell of volume zero",
                    expected="three independent lattice vectors as rows",
                    do="give cell=None for an isolated system",
                )
            object.__setattr__(self, "cell", _frozen(np.array(cell)))

    def __len__(self) -> int:
        return len(self.positions)

    def __getitem__(self, index: Any) -> Frames:
        """Select frames by an integer, a slice, a list of integers or a mask."""
        index = _selection(index, len(self))
        return replace(
            self,
            positions=self.positions[index],
            velocities=None if self.velocities is None else self.velocities[index],
            cell=None if self.cell is None else self.cell[index],
        )

    @property
    def n_atoms(self) -> int:
        """Number of atoms."""
        return len(self.atomic_numbers)

    @property
    def periodic(self) -> bool:
        """Whether the system has a cell."""
        return self.cell is not None

    @property
    def masses(self) -> Array:
        """Standard atomic masses in u, shape (atom,)."""
        return standard_masses(self.atomic_numbers)

    @property
    def volumes(self) -> Array:
        """Cell volumes in angstrom^3, shape (frame,)."""
        if self.cell is None:
            raise InputError("An isolated system has no volume.", do="give Frames a 'cell'")
        return np.abs(np.linalg.det(self.cell))

    @property
    def temperatures(self) -> Array:
        """Temperatures of the velocities in K, shape (frame,).

        Notes
        -----
        T = sum_i m_i v_i^2 / (kB (3 N - 3)): the momentum of the centre of mass is conserved, and
        taken to be zero.

        Examples
        --------
        >>> pair = Frames([1, 1], np.zeros((2, 3)), velocities=[[0.02, 0, 0], [-0.02, 0, 0]])
        >>> pair.temperatures.round()
        array([323.])
        """
        if self.velocities is None:
            raise InputError("A temperature needs velocities, and the frames have none.")
        twice = np.einsum("a,fax,fax->f", self.masses, self.velocities, self.velocities)
        joule = twice * ATOMIC_MASS * 1e10  # (angstrom/fs)^2 is 1e10 (m/s)^2
        return joule / (BOLTZMANN * max(1, 3 * self.n_atoms - 3))

    def replace(self, **changes: Any) -> Frames:
        """Return a copy with some fields replaced, checked as a new object is."""
        return replace(self, **changes)

    @classmethod
    def joined(cls, pieces: Sequence[Frames]) -> Frames:
        """Return frames of the same atoms one after the other.

        Raises
        ------
        InputError
            If there are none, their atoms differ, or only some have velocities or a cell.

        Examples
        --------
        >>> argon = Frames([18], np.zeros((2, 1, 3)))
        >>> len(Frames.joined([argon, argon[:1]]))
        3
        """
        first = pieces[0] if pieces else None
        if first is None or any(
            not np.array_equal(piece.atomic_numbers, first.atomic_numbers)
            or (piece.velocities is None) != (first.velocities is None)
            or (piece.cell is None) != (first.cell is None)
            for piece in pieces
        ):
            raise InputError(
                "The pieces cannot be joined.",
                got=[(len(piece), piece.n_atoms) for piece in pieces],
                expected="frames of the same atoms, all with velocities and cell or all without",
            )

        def along(name: str) -> Array | None:
            arrays = [getattr(piece, name) for piece in pieces]
            return None if arrays[0] is None else np.concatenate(arrays)

        return replace(
            first,
            positions=np.concatenate([piece.positions for piece in pieces]),
            velocities=along("velocities"),
            cell=along("cell"),
        )

    def rotated(self, rotation: npt.ArrayLike) -> Frames:
        """Apply an orthogonal matrix, proper or improper, to positions, velocities and cell."""
        matrix = np.asarray(rotation, float)
        _expect_shape("rotation", matrix, (3, 3))
        if not np.allclose(matrix @ matrix.T, np.eye(3), atol=1e-8):
            raise InputError("The 'rotation' is not orthogonal.", expected="R with R R^T = 1")
        return replace(
            self,
            positions=self.positions @ matrix.T,
            velocities=None if self.velocities is None else self.velocities @ matrix.T,
            cell=None if self.cell is None else self.cell @ matrix.T,
        )

    def translated(self, vector: npt.ArrayLike) -> Frames:
        """Shift all positions by a vector in angstrom."""
        return replace(self, positions=self.positions + np.asarray(vector, float))

    def permuted(self, order: npt.ArrayLike) -> Frames:
        """Reorder the atoms: atom ``k`` of the result is atom ``order[k]`` of this object."""
        order = np.asarray(order, int)
        if not np.array_equal(np.sort(order), np.arange(self.n_atoms)):
            raise InputError("The 'order' is not a permutation of all atoms.")
        return replace(
            self,
            atomic_numbers=self.atomic_numbers[order],
            positions=self.positions[:, order],
            velocities=None if self.velocities is None else self.velocities[:, order],
            molecule=None if self.molecule is None else self.molecule[order],
        )

    def supercell(self, repeats: tuple[int, int, int]) -> Frames:
        """Repeat the cell; the atoms of one image follow each other, image by image."""
        if self.cell is None:
            raise InputError("An isolated system has no supercell.", do="give Frames a 'cell'")
        grid = np.stack(np.meshgrid(*(range(n) for n in repeats), indexing="ij"), -1).reshape(-1, 3)
        shifts = np.einsum("nk,fkx->fnx", grid, self.cell)
        n = len(grid)
        positions = (self.positions[:, None] + shifts[:, :, None]).reshape(len(self), -1, 3)
        molecule = self.molecule
        if molecule is not None:
            step = int(molecule.max()) + 1
            molecule = (molecule[None] + step * np.arange(n)[:, None]).reshape(-1)
        return Frames(
            np.tile(self.atomic_numbers, n),
            positions,
            self.cell * np.asarray(repeats)[:, None],
            None if self.velocities is None else np.tile(self.velocities, (1, n, 1)),
            molecule,
            self.total_charge * n,
        )


@dataclass(frozen=True, eq=False)
class LabelledFrames:
    """Frames together with reference labels: what `fit` of a model is given.

    Parameters
    ----------
    frames : Frames
    apt : array, shape (frame, atom, pol, disp)
        Atomic polar tensors in e.
    dipole : array, shape (frame, pol), optional
        In e angstrom; modulo the polarization quantum for a periodic system.
    wannier_centers : array, shape (frame, wannier, xyz), optional
        In angstrom, each of charge -2 e.

    Raises
    ------
    InputError
        If a shape does not fit the frames or a value is not finite.
    """

    frames: Frames
    apt: Array
    dipole: Array | None = None
    wannier_centers: Array | None = None

    def __post_init__(self) -> None:
        apt = _array("apt", self.apt, np.float64)
        _expect_shape("apt", apt, (len(self.frames), self.frames.n_atoms, 3, 3))
        object.__setattr__(self, "apt", _frozen(apt))
        if self.dipole is not None:
            dipole = _array("dipole", self.dipole, np.float64)
            _expect_shape("dipole", dipole, (len(self.frames), 3))
            object.__setattr__(self, "dipole", _frozen(dipole))
        if self.wannier_centers is not None:
            centers = _array("wannier_centers", self.wannier_centers, np.float64)
            if centers.ndim != 3:
                _expect_shape("wannier_centers", centers, (len(self.frames), 0, 3))
            _expect_shape("wannier_centers", centers, (len(self.frames), centers.shape[1], 3))
            object.__setattr__(self, "wannier_centers", _frozen(centers))

    def __len__(self) -> int:
        return len(self.frames)

    def __getitem__(self, index: Any) -> LabelledFrames:
        """Select frames, as `Frames` does."""
        index = _selection(index, len(self))
        return LabelledFrames(
            self.frames[index],
            self.apt[index],
            None if self.dipole is None else self.dipole[index],
            None if self.wannier_centers is None else self.wannier_centers[index],
        )


def _selection(index: Any, length: int) -> Any:
    """Return an integer as a slice of one frame."""
    if not isinstance(index, int | np.integer):
        return index
    if not -length <= index < length:
        # what ends a loop over the frames
        raise IndexError(f"There is no frame {index}: there are {length}.")
    return slice(index, index + 1 or None)


def _array(name: str, value: Any, dtype: type) -> Any:
    try:
        array: npt.NDArray[Any] = np.array(value, dtype)
    except (TypeError, ValueError) as error:
        raise InputError(
            f"The {name!r} cannot be read as an array of numbers.", got=error
        ) from None
    bad = np.argwhere(~np.isfinite(array))
    if len(bad):
        raise InputError(
            f"The {name!r} have {len(bad)} values that are not finite.",
            got=f"{array[tuple(bad[0])]} at index {tuple(int(k) for k in bad[0])}",
            expected="finite numbers everywhere",
        )
    return array


def _expect_shape(name: str, array: Any, shape: tuple[int, ...]) -> None:
    if array.shape != shape:
        raise InputError(f"The {name!r} have the wrong shape.", got=array.shape, expected=shape)


def _frozen(array: Any) -> Any:
    array.setflags(write=False)
    return array
