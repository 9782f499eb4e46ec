"""`MoleculeTable`: which atoms form which molecule, in a fixed order, and how they are bonded."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from aptbench.bonds import (
    bond_limits,
    bonded_pairs,
    check_connected,
    connected_parts,
    find_bonds,
    nearest_image,
)
from aptbench.elements import SYMBOLS, standard_masses
from aptbench.errors import AlignmentError, InputError
from aptbench.frames import Frames

Array = npt.NDArray[np.float64]
Indices = npt.NDArray[np.int64]

_CHUNK: Final = 256


@dataclass(frozen=True, eq=False)
class MoleculeKind:
    """All molecules of one composition.

    Parameters
    ----------
    formula : str
        In Hill's order: carbon, hydrogen, then the alphabet; the alphabet without carbon.
    molecules : array of int, shape (molecule,)
        Their indices among all molecules.
    atoms : array of int, shape (molecule, atom_in_molecule)
        Their atoms: heavier elements first, and atoms of one element as in the frames.
    atomic_numbers : array of int, shape (atom_in_molecule,)
    """

    formula: str
    molecules: Indices
    atoms: Indices
    atomic_numbers: Indices

    def __len__(self) -> int:
        return len(self.molecules)

    @property
    def masses(self) -> Array:
        """Standard atomic masses in u, shape (atom_in_molecule,)."""
        return standard_masses(self.atomic_numbers)


@dataclass(frozen=True, eq=False)
class BrokenBond:
    """A bond of the table that is too long somewhere on a trajectory.

    Parameters
    ----------
    first, second : int
        Its atoms.
    frame : int
        The first frame in which it is too long.
    longest, limit : float
        Its greatest length on the trajectory and the limit, in angstrom.
    """

    first: int
    second: int
    frame: int
    longest: float
    limit: float


@dataclass(frozen=True, eq=False)
class MoleculeTable:
    """The molecules of a system, as they are in one frame; a single atom is a molecule too.

    Use `MoleculeTable.of` to make one. The table is that of the first frame for the whole
    trajectory: an atom that goes over to another molecule later stays with its first one. `check`
    tells whether that happens.

    Parameters
    ----------
    atomic_numbers : array of int, shape (atom,)
    molecule : array of int, shape (atom,)
        From 0, in the order of the first atom of each molecule.
    bonds : array of int, shape (bond, 2)
        Pairs of atoms that keep every molecule together.

    Attributes
    ----------
    kinds : tuple of MoleculeKind
        In the order of their first molecule.

    Raises
    ------
    InputError
        If the molecules are not numbered in that order, or the bonds do not connect each of them.

    Examples
    --------
    >>> hydroxide_and_water = Frames(
    ...     [1, 8, 1, 8, 1], [[0.96, 0, 0], [0, 0, 0], [-0.24, 0.93, 0], [5, 0, 0], [5, 0.97, 0]]
    ... )
    >>> table = MoleculeTable.of(hydroxide_and_water)
    >>> [(kind.formula, kind.atoms.tolist()) for kind in table.kinds]
    [('H2O', [[1, 0, 2]]), ('HO', [[3, 4]])]
    """

    atomic_numbers: Indices
    molecule: Indices
    bonds: Indices
    kinds: tuple[MoleculeKind, ...] = field(init=False)
    _levels: tuple[tuple[Indices, Indices], ...] = field(init=False, repr=False)

    def __post_init__(self) -> None:
        names, first = np.unique(self.molecule, return_index=True)
        if not np.array_equal(names, np.arange(len(names))) or np.any(np.diff(first) < 0):
            raise InputError(
                "The molecules are not numbered in the order of their first atoms.",
                do="make the table with MoleculeTable.of",
            )
        object.__setattr__(self, "kinds", _kinds(self.atomic_numbers, self.molecule))
        object.__setattr__(self, "_levels", tuple(_levels(self)))
        for array in (self.atomic_numbers, self.molecule, self.bonds):
            array.setflags(write=False)

    @classmethod
    def of(cls, frames: Frames, molecule: npt.ArrayLike | None = None) -> MoleculeTable:
        """Return the molecules of the first frame.

        Parameters
        ----------
        frames : Frames
        molecule : array of int, shape (atom,), optional
            A name for each atom, the same for atoms of one molecule; those of the frames if not
            given. Without either, molecules are found from the distances of the first frame, see
            `aptbench.bonds.find_bonds`.

        Raises
        ------
        InputError
            If two atoms coincide; a hydrogen is without a partner or between two; the names are
            no integers, one for each atom; the atoms of a molecule are farther apart than bonds
            allow; or a molecule is bonded to its own periodic image.
        """
        given = frames.molecule if molecule is None else molecule
        first = frames[0]
        if given is None:
            bonds = find_bonds(first)
            names = connected_parts(frames.n_atoms, bonds)
        else:
            names = _names(given, frames.n_atoms)
            bonds = bonded_pairs(first)
            bonds = bonds[names[bonds[:, 0]] == names[bonds[:, 1]]]
            check_connected(first, names, bonds)
        _, start, inverse = np.unique(names, return_index=True, return_inverse=True)
        table = cls(frames.atomic_numbers.copy(), np.argsort(np.argsort(start))[inverse], bonds)
        _check_finite(table, first)
        return table

    def __len__(self) -> int:
        return int(self.molecule.max()) + 1

    @property
    def n_atoms(self) -> int:
        """Number of atoms."""
        return len(self.atomic_numbers)

    @property
    def masses(self) -> Array:
        """Standard atomic masses in u, shape (atom,)."""
        return standard_masses(self.atomic_numbers)

    def whole(self, positions: npt.ArrayLike, cell: npt.ArrayLike | None = None) -> Array:
        """Bring the atoms of each molecule together, by the nearest images along its bonds.

        Parameters
        ----------
        positions : array, shape (frame, atom, xyz)
            In angstrom.
        cell : array, shape (vector, xyz) or (frame, vector, xyz), optional
            In angstrom; None for an isolated system.

        Returns
        -------
        array, shape (frame, atom, xyz)
            The first atom of each molecule, as in `MoleculeKind`, stays where it is.
        """
        places = np.array(positions, float)
        self._expect_atoms(places, "positions")
        # parents first: a level hangs on the one before it, which is whole already
        for atoms, parents in self._levels:
            vectors = nearest_image(places[:, atoms] - places[:, parents], cell)
            places[:, atoms] = places[:, parents] + vectors
        return places

    def sum_over_atoms(self, values: npt.ArrayLike) -> Array:
        """Sum what atoms have over each molecule: (frame, atom, ...) to (frame, molecule, ...)."""
        array = np.asarray(values, float)
        self._expect_atoms(array, "values")
        total = np.empty((len(array), len(self), *array.shape[2:]))
        for kind in self.kinds:
            total[:, kind.molecules] = array[:, kind.atoms].sum(2)
        return total

    def centers_of_mass(self, whole: npt.ArrayLike) -> Array:
        """Return centres of mass from whole molecules, shape (frame, molecule, xyz)."""
        masses = self.masses
        weighted = self.sum_over_atoms(np.asarray(whole, float) * masses[:, None])
        return weighted / np.bincount(self.molecule, masses)[:, None]

    def check(self, frames: Frames) -> tuple[BrokenBond, ...]:
        """Return the bonds that are longer than a bond can be somewhere on a trajectory.

        Parameters
        ----------
        frames : Frames
            Of the same atoms.

        Raises
        ------
        AlignmentError
            If the atoms differ.
        """
        if not np.array_equal(frames.atomic_numbers, self.atomic_numbers):
            raise AlignmentError("The frames do not have the atoms of the molecule table.")
        i, j = self.bonds.T
        limit = bond_limits(self.atomic_numbers[i], self.atomic_numbers[j])
        longest, frame = np.zeros(len(limit)), np.full(len(limit), -1)
        for start in range(0, len(frames), _CHUNK):
            part = slice(start, start + _CHUNK)
            cell = None if frames.cell is None else frames.cell[part]
            vectors = frames.positions[part][:, i] - frames.positions[part][:, j]
            length = np.linalg.norm(nearest_image(vectors, cell), axis=-1)
            longest = np.maximum(longest, length.max(0))
            new = (frame < 0) & (length > limit).any(0)
            frame[new] = start + (length > limit)[:, new].argmax(0)
        return tuple(
            BrokenBond(int(i[b]), int(j[b]), int(frame[b]), float(longest[b]), float(limit[b]))
            for b in np.flatnonzero(frame >= 0)
        )

    def _expect_atoms(self, array: Array, name: str) -> None:
        if array.ndim < 3 or array.shape[1] != self.n_atoms:
            raise AlignmentError(
                f"The {name!r} do not fit the molecule table.",
                got=array.shape,
                expected=f"(frame, {self.n_atoms}, ...)",
            )


def molecule_kinds(
    frames: Frames, molecule: npt.ArrayLike | None = None
) -> tuple[MoleculeKind, ...]:
    """Return the molecules as `MoleculeTable.of` does, but without any check of their geometry.

    Parameters
    ----------
    frames : Frames
    molecule : array of int, shape (atom,), optional
        A name for each atom; those of the frames if not given. Without either, molecules are found
        from the distances of the first frame, a hydrogen between two heavy atoms going to the
        nearer.

    Returns
    -------
    tuple of MoleculeKind
        In the order of their first molecule; molecules are in the order of their names.

    Raises
    ------
    InputError
        If the names are no integers, one for each atom.

    Examples
    --------
    >>> far = Frames([1, 8, 1], [[1.6, 0, 0], [0, 0, 0], [0, 0.96, 0]])
    >>> [kind.formula for kind in molecule_kinds(far)]
    ['H', 'HO']
    >>> [kind.formula for kind in molecule_kinds(far, [7, 7, 7])]
    ['H2O']
    """
    given = frames.molecule if molecule is None else molecule
    if given is None:
        names = connected_parts(frames.n_atoms, find_bonds(frames[0], strict=False))
    else:
        names = _names(given, frames.n_atoms)
    return _kinds(frames.atomic_numbers, names)


def _kinds(atomic_numbers: Indices, molecule: Indices) -> tuple[MoleculeKind, ...]:
    # a stable sort: atoms of one element stay as in the frames
    order = np.lexsort((-atomic_numbers, molecule))
    starts = np.flatnonzero(np.diff(molecule[order], prepend=molecule[order[0]] - 1))
    numbers, edges = atomic_numbers[order].tolist(), [*starts.tolist(), len(order)]
    found: dict[tuple[int, ...], list[int]] = {}
    for index, (start, stop) in enumerate(pairwise(edges)):
        found.setdefault(tuple(numbers[start:stop]), []).append(index)
    return tuple(
        MoleculeKind(
            hill_formula(composition),
            np.array(members, np.int64),
            order[starts[members][:, None] + np.arange(len(composition))],
            np.array(composition, np.int64),
        )
        for composition, members in found.items()
    )


def hill_formula(atomic_numbers: Iterable[int]) -> str:
    """Return the sum formula in Hill's order: carbon, hydrogen, then the alphabet.

    Examples
    --------
    >>> hill_formula([8, 1, 6, 1]), hill_formula([1, 17])
    ('CH2O', 'ClH')
    """
    symbols = [SYMBOLS[z] for z in atomic_numbers]
    counts = {symbol: symbols.count(symbol) for symbol in sorted(set(symbols))}
    front = [s for s in ("C", "H") if "C" in counts and s in counts]
    names = front + [s for s in counts if s not in front]
    return "".join(f"{s}{counts[s] if counts[s] > 1 else ''}" for s in names)


def _levels(table: MoleculeTable) -> list[tuple[Indices, Indices]]:
    """Return atoms and the atoms that they hang on, by the number of bonds from the first atom."""
    neighbors: list[list[int]] = [[] for _ in range(table.n_atoms)]
    for i, j in table.bonds.tolist():
        neighbors[i].append(j)
        neighbors[j].append(i)
    here = [int(atoms[0]) for kind in table.kinds for atoms in kind.atoms]
    reached, levels = set(here), []
    while here:
        pairs: dict[int, int] = {}
        for parent in here:
            pairs.update({a: parent for a in neighbors[parent] if a not in reached | pairs.keys()})
        reached |= pairs.keys()
        here = list(pairs)
        if pairs:
            levels.append((np.array(here, np.int64), np.array(list(pairs.values()), np.int64)))
    lost = sorted(set(range(table.n_atoms)) - reached)
    if lost:
        raise InputError(
            "The bonds of a molecule table do not connect its molecules.",
            got=f"atoms {lost[:10]} hang on nothing",
        )
    return levels


def _names(given: npt.ArrayLike, n_atoms: int) -> Indices:
    array: npt.NDArray[Any] = np.asarray(given)
    if array.shape != (n_atoms,):
        raise InputError(
            "The 'molecule' table has the wrong length.",
            got=array.shape,
            expected=f"({n_atoms},): one name for each atom",
        )
    numeric = array.dtype.kind in "iuf"
    wrong = np.flatnonzero(array % 1 != 0) if numeric else np.arange(n_atoms)
    if len(wrong):
        raise InputError(
            "The 'molecule' table has names that are no integers.",
            got=f"{array[wrong[0]]} for atom {wrong[0]}",
        )
    return array.astype(np.int64)


def _check_finite(table: MoleculeTable, first: Frames) -> None:
    """Refuse networks: going round a bond must not lead to another image of an atom."""
    if first.cell is None or not len(table.bonds):
        return
    i, j = table.bonds.T
    whole = table.whole(first.positions, first.cell)
    along = whole[0, i] - whole[0, j]
    wraps = np.linalg.norm(along - nearest_image(along[None], first.cell)[0], axis=-1) > 1e-6
    if wraps.any():
        bond = int(np.argmax(wraps))
        raise InputError(
            "A molecule is bonded to its own periodic image.",
            got=f"atoms {i[bond]} and {j[bond]} of molecule {table.molecule[i[bond]]}",
            expected="molecules that end: no crystal, layer or endless chain",
            do="give a 'molecule' table that cuts it, or repeat the cell",
        )
