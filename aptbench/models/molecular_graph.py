"""`MolecularGraph`: a kind of molecule by its bonds, and where it is found in frames."""

from __future__ import annotations

import functools
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from aptbench.elements import SYMBOLS, atomic_number, standard_masses
from aptbench.errors import InputError
from aptbench.frames import Frames
from aptbench.models.isomorphisms import isomorphisms
from aptbench.molecules import MoleculeTable

Array = npt.NDArray[np.float64]
Indices = npt.NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class MolecularGraph:
    """Elements and bonds of a molecule: what tells ethanol from dimethyl ether.

    Parameters
    ----------
    formula : str
    atomic_numbers : array of int, shape (atom,)
    bonds : array of int, shape (bond, 2)
        Pairs of these atoms.
    """

    formula: str
    atomic_numbers: Indices
    bonds: Indices

    @property
    def masses(self) -> Array:
        """Standard atomic masses in u, shape (atom,)."""
        return standard_masses(self.atomic_numbers)

    @functools.cached_property
    def automorphisms(self) -> Indices:
        """All permutations of like atoms that keep the bonds, shape (permutation, atom)."""
        return isomorphisms(self.atomic_numbers, self.bonds, self.atomic_numbers, self.bonds)

    def to_dict(self) -> dict[str, Any]:
        """Return plain values."""
        return {
            "formula": self.formula,
            "elements": [SYMBOLS[z] for z in self.atomic_numbers],
            "bonds": self.bonds.tolist(),
        }

    @classmethod
    def from_dict(cls, content: dict[str, Any]) -> MolecularGraph:
        """Make one from plain values."""
        return cls(
            str(content["formula"]),
            np.array([atomic_number(symbol) for symbol in content["elements"]], np.int64),
            np.array(content["bonds"], np.int64).reshape(-1, 2),
        )


@dataclass(frozen=True, eq=False)
class FoundMolecules:
    """All molecules of one graph in some frames.

    Parameters
    ----------
    graph : MolecularGraph
    atoms : array of int, shape (molecule, atom_in_molecule)
        Atoms of the frames, in the order of the graph; like atoms in one order of several.
    """

    graph: MolecularGraph
    atoms: Indices


def find_molecules(
    frames: Frames, known: Iterable[MolecularGraph] = ()
) -> tuple[tuple[FoundMolecules, ...], Array]:
    """Return the molecules of the first frame by their graphs, and the positions of whole ones.

    Parameters
    ----------
    frames : Frames
    known : iterable of MolecularGraph
        Graphs to look for; a molecule that is none of them brings a new graph.

    Returns
    -------
    molecules : tuple of FoundMolecules
        In the order of the known graphs, then of the new ones.
    positions : array, shape (frame, atom, xyz)
        In angstrom, every molecule in one piece.

    Raises
    ------
    InputError
        As `aptbench.molecules.MoleculeTable.of`, or if a molecule has too many like atoms.

    Examples
    --------
    >>> water = Frames([1, 8, 1], [[0.96, 0, 0], [0, 0, 0], [-0.24, 0.93, 0]])
    >>> (found,), _ = find_molecules(water)
    >>> found.graph.formula, found.graph.bonds.tolist(), found.atoms.tolist()
    ('H2O', [[0, 1], [0, 2]], [[1, 0, 2]])
    """
    table = MoleculeTable.of(frames)
    positions = table.whole(frames.positions, frames.cell)
    bonds = _without_contacts(table, positions[0])
    graphs: list[MolecularGraph] = list(known)
    atoms: dict[int, list[Indices]] = {}
    place = np.empty(table.n_atoms, np.int64)
    for kind in table.kinds:
        place[kind.atoms] = np.arange(kind.atoms.shape[1])
    partners: list[list[tuple[int, int]]] = [[] for _ in range(len(table))]
    for i, j in bonds.tolist():
        a, b = sorted((int(place[i]), int(place[j])))
        partners[table.molecule[i]].append((a, b))
    for kind in table.kinds:
        # molecules of one composition whose bonds are listed alike are looked at once
        alike: dict[tuple[tuple[int, int], ...], list[int]] = {}
        for row, molecule in enumerate(kind.molecules.tolist()):
            alike.setdefault(tuple(sorted(partners[molecule])), []).append(row)
        for listed, rows in alike.items():
            new = MolecularGraph(
                kind.formula, kind.atomic_numbers, np.array(listed, np.int64).reshape(-1, 2)
            )
            which, order = _same_graph(graphs, new)
            atoms.setdefault(which, []).append(kind.atoms[rows][:, order])
    return (
        tuple(FoundMolecules(graphs[k], np.concatenate(atoms[k])) for k in sorted(atoms)),
        positions,
    )


def gather_molecules(
    systems: Iterable[tuple[Frames, Sequence[Array]]],
) -> list[tuple[MolecularGraph, Array, list[Array]]]:
    """Return the molecules of all frames of several systems, those of one graph in a row.

    Parameters
    ----------
    systems : iterable of tuples
        Frames of a system, and numbers of its atoms, each an array (frame, atom, ...).

    Returns
    -------
    list of tuples
        For every graph: itself; positions of whole molecules, (molecule, atom, xyz), in angstrom,
        atoms in the order of the graph; and the numbers, each (molecule, atom, ...).

    Raises
    ------
    InputError
        As `find_molecules`.
    """
    gathered: list[tuple[MolecularGraph, list[Array], list[list[Array]]]] = []
    for frames, numbers in systems:
        found, positions = find_molecules(frames, [graph for graph, _, _ in gathered])
        for molecules in found:
            known = [graph for graph, _, _ in gathered]
            if molecules.graph not in known:
                gathered.append((molecules.graph, [], [[] for _ in numbers]))
                known.append(molecules.graph)
            _, places, values = gathered[known.index(molecules.graph)]
            n_atoms = molecules.atoms.shape[1]
            places.append(positions[:, molecules.atoms].reshape(-1, n_atoms, 3))
            for mine, array in zip(values, numbers, strict=True):
                mine.append(array[:, molecules.atoms].reshape(-1, n_atoms, *array.shape[2:]))
    return [
        (graph, np.concatenate(places), [np.concatenate(one) for one in values])
        for graph, places, values in gathered
    ]


def refuse_unknown(found: Iterable[FoundMolecules], known: Iterable[MolecularGraph]) -> None:
    """Raise InputError if a molecule has none of the known graphs."""
    graphs = list(known)
    for molecules in found:
        if molecules.graph not in graphs:
            atoms = molecules.atoms[0].tolist()
            raise InputError(
                f"The model does not know the molecule {molecules.graph.formula}.",
                got=f"atoms {atoms} with the bonds "
                f"{[[atoms[i], atoms[j]] for i, j in molecules.graph.bonds.tolist()]}",
                expected="only " + ", ".join(graph.formula for graph in graphs)
                if graphs
                else "a model that was fitted",
                do="train the model on labels that contain this molecule",
            )


def _same_graph(graphs: list[MolecularGraph], new: MolecularGraph) -> tuple[int, Indices]:
    """Return the number of the same graph, appended if it is new, and the order of its atoms."""
    for k, graph in enumerate(graphs):
        maps = isomorphisms(graph.atomic_numbers, graph.bonds, new.atomic_numbers, new.bonds)
        if len(maps):
            return k, maps[0]
    graphs.append(new)
    return len(graphs) - 1, np.arange(len(new.atomic_numbers))


def _without_contacts(table: MoleculeTable, positions: Array) -> Indices:
    """Return the bonds of a table, with one bond only for a hydrogen next to heavier atoms.

    A given table of molecules is bonded by distances alone, which in a bent molecule at a high
    temperature may take a pair of hydrogens for bonded.
    """
    bonds = table.bonds
    if not len(bonds):
        return bonds
    length = np.linalg.norm(positions[bonds[:, 0]] - positions[bonds[:, 1]], axis=-1)
    light = table.atomic_numbers[bonds] == 1
    keep = np.ones(len(bonds), bool)
    for column in (0, 1):
        for hydrogen in np.unique(bonds[light[:, column], column]):
            own = np.flatnonzero((bonds == hydrogen).any(1))
            heavy = own[~light[own].all(1)]
            if len(heavy):
                keep[own] = False
                keep[heavy[np.argmin(length[heavy])]] = True
    return bonds[keep]
