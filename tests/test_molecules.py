"""Molecules from tables and distances, whole across the cell, and tables that cannot be."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from aptbench import Frames
from aptbench.bonds import bond_limits, find_bonds, nearest_image
from aptbench.errors import AlignmentError, InputError
from aptbench.molecules import MoleculeTable, molecule_kinds

WATER = np.array([[0, 0, 0], [0.76, 0.59, 0], [-0.76, 0.59, 0]], float)
METHANOL = np.array(
    [
        [-0.047, 0.664, 0.0],
        [-0.047, -0.758, 0.0],
        [-1.092, 0.970, 0.0],
        [0.878, -1.046, 0.0],
        [0.438, 1.072, 0.889],
        [0.438, 1.072, -0.889],
    ]
)
TRICLINIC = np.array([[9.0, 0, 0], [2.0, 8.5, 0], [-1.5, 2.5, 9.5]])


def mixture() -> Frames:
    """Two waters, methanol, sodium and chloride in a triclinic cell."""
    positions = [
        WATER,
        METHANOL + np.array([4, 3, 2]),
        WATER[[1, 0, 2]] + [0, 4, 5],
        [[6, 6, 7], [3, 1, 6]],
    ]
    numbers = [8, 1, 1, 6, 8, 1, 1, 1, 1, 1, 8, 1, 11, 17]
    return Frames(numbers, np.concatenate(positions), TRICLINIC)


def test_kinds_of_a_mixture() -> None:
    table = MoleculeTable.of(mixture())
    assert [kind.formula for kind in table.kinds] == ["H2O", "CH4O", "Na", "Cl"]
    water, methanol, sodium, _ = table.kinds
    assert water.atoms.tolist() == [[0, 1, 2], [10, 9, 11]]
    assert water.molecules.tolist() == [0, 2]
    assert methanol.atoms.tolist() == [[4, 3, 5, 6, 7, 8]]
    assert sodium.atoms.tolist() == [[12]]
    assert table.molecule.tolist() == [0] * 3 + [1] * 6 + [2] * 3 + [3, 4]
    assert len(table) == 5
    assert water.masses.tolist() == [15.999, 1.008, 1.008]


@pytest.mark.parametrize(
    ("numbers", "formula"), [([6, 1, 1, 1, 7], "CH3N"), ([17, 1], "ClH"), ([8, 1], "HO")]
)
def test_formulas_are_those_of_hill(numbers, formula) -> None:
    line = 1.05 * np.arange(len(numbers))[:, None] * [1.0, 0, 0]
    table = MoleculeTable.of(Frames(numbers, line), np.zeros(len(numbers), int))
    assert [kind.formula for kind in table.kinds] == [formula]


def test_names_of_a_table_are_free() -> None:
    frames = mixture()
    found = MoleculeTable.of(frames)
    names = np.array([7, -3, 100, 5, 2])[found.molecule]
    assert np.array_equal(MoleculeTable.of(frames, names).molecule, found.molecule)
    assert np.array_equal(MoleculeTable.of(frames.replace(molecule=names)).molecule, found.molecule)


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 10**6))
def test_whole_undoes_lattice_translations_of_atoms(seed) -> None:
    """Whatever images the atoms are in, bonds, table and centres are the same."""
    frames = mixture()
    shifts = np.random.default_rng(seed).integers(-2, 3, size=(2, 14, 3))
    scattered = frames[[0, 0]].replace(positions=frames.positions + shifts @ TRICLINIC)
    table = MoleculeTable.of(scattered)
    assert np.array_equal(table.molecule, MoleculeTable.of(frames).molecule)
    whole = table.whole(scattered.positions, scattered.cell)
    for kind in table.kinds:
        shape = whole[:, kind.atoms] - whole[:, kind.atoms[:, :1]]
        expected = frames.positions[:, kind.atoms] - frames.positions[:, kind.atoms[:, :1]]
        assert np.allclose(shape, expected, atol=1e-10)
        first = kind.atoms[:, 0]
        assert np.allclose(whole[:, first], scattered.positions[:, first])


def test_a_long_chain_is_whole_beyond_half_of_the_cell() -> None:
    carbons = np.arange(7)[:, None] * [1.5, 0, 0]
    frames = Frames([6] * 7, carbons % 12.0, [12.0] * 3)
    whole = MoleculeTable.of(frames).whole(frames.positions, frames.cell)
    assert np.allclose(np.ptp(whole[0, :, 0]), 9.0)


def test_sums_and_centres() -> None:
    frames = mixture()
    table = MoleculeTable.of(frames)
    centers = table.centers_of_mass(frames.positions)
    expected = (15.999 * WATER[0] + 1.008 * (WATER[1] + WATER[2])) / 18.015
    assert np.allclose(centers[0, 0], expected)
    assert np.allclose(centers[0, 3], [6, 6, 7])
    tensors = np.random.default_rng(0).normal(size=(1, 14, 3, 3))
    assert np.allclose(table.sum_over_atoms(tensors)[:, 1], tensors[:, 3:9].sum(1))
    with pytest.raises(AlignmentError, match="'values' do not fit"):
        table.sum_over_atoms(tensors[:, :5])


def test_broken_bonds_are_found_with_their_frame() -> None:
    positions = np.repeat(WATER[None], 600, 0)
    positions[300:500, 2] += [-1.0, 0, 0]
    frames = Frames([8, 1, 1], positions)
    table = MoleculeTable.of(frames)
    (broken,) = table.check(frames)
    assert (broken.first, broken.second, broken.frame) == (0, 2, 300)
    assert broken.longest == pytest.approx(np.hypot(1.76, 0.59))
    assert broken.limit == pytest.approx(bond_limits(8, 1))
    assert table.check(frames[:300]) == ()
    with pytest.raises(AlignmentError, match="do not have the atoms"):
        table.check(frames.permuted([1, 0, 2]))


def test_hydrogen_goes_to_the_nearest_heavy_atom_and_metals_bond_to_nothing() -> None:
    hydrogen_bond = Frames([8, 1, 8], [[0, 0, 0], [1.05, 0, 0], [2.45, 0, 0]])
    assert find_bonds(hydrogen_bond).tolist() == [[0, 1]]
    contact = Frames([12, 8, 1, 1], np.concatenate([[[-2.0, 0, 0]], WATER]))
    assert [kind.formula for kind in MoleculeTable.of(contact).kinds] == ["Mg", "H2O"]
    assert find_bonds(Frames([1, 1], [[0, 0, 0], [0.74, 0, 0]])).tolist() == [[0, 1]]


def test_kinds_are_those_of_the_table_but_for_any_geometry() -> None:
    frames = mixture()
    for kinds in (
        molecule_kinds(frames),
        molecule_kinds(frames, MoleculeTable.of(frames).molecule),
    ):
        for kind, expected in zip(kinds, MoleculeTable.of(frames).kinds, strict=True):
            assert kind.formula == expected.formula
            assert np.array_equal(kind.atoms, expected.atoms)
            assert np.array_equal(kind.molecules, expected.molecules)
    shared = Frames([8, 1, 8], [[0, 0, 0], [1.21, 0, 0], [2.4, 0, 0]])
    assert [(k.formula, k.atoms.tolist()) for k in molecule_kinds(shared)] == [
        ("O", [[0]]),
        ("HO", [[2, 1]]),
    ]
    assert [k.formula for k in molecule_kinds(Frames([8, 1, 1], WATER * 2))] == ["O", "H"]
    assert [k.formula for k in molecule_kinds(Frames([8, 1, 1], WATER * 0.1))] == ["H2O"]
    named = molecule_kinds(Frames([1, 8, 1, 8, 1, 1], 9 * np.eye(6)[:, :3]), [5, 5, 5, -2, -2, -2])
    assert [k.atoms.tolist() for k in named] == [[[3, 4, 5], [1, 0, 2]]]
    with pytest.raises(InputError, match="wrong length"):
        molecule_kinds(frames, [0])


def test_nearest_image_is_the_nearest_of_27() -> None:
    rng = np.random.default_rng(1)
    vectors = rng.uniform(-15, 15, size=(1, 200, 3))
    grid = np.stack(np.meshgrid(*[np.arange(-3, 4)] * 3), -1).reshape(-1, 3) @ TRICLINIC
    shortest = np.linalg.norm(vectors[0, :, None] + grid, axis=-1).min(1)
    half = 0.5 / np.linalg.norm(np.linalg.inv(TRICLINIC), axis=0).max()
    inside = shortest < half
    assert inside.sum() > 20
    got = np.linalg.norm(nearest_image(vectors, TRICLINIC)[0], axis=-1)
    assert np.allclose(got[inside], shortest[inside])
    assert nearest_image(vectors, None) is vectors


TWO = np.concatenate([WATER, WATER + np.array([5, 0, 0])])


@pytest.mark.parametrize(
    ("numbers", "positions", "molecule", "message"),
    [
        ([8, 1, 1], WATER, [0, 0], r"wrong length[\s\S]*\(3,\)"),
        ([8, 1, 1], WATER, [0, 0.5, 0], r"no integers[\s\S]*0.5 for atom 1"),
        ([8, 1, 1], WATER, ["a", "a", "a"], "no integers"),
        ([8, 1, 1] * 2, TWO, [0, 0, 0, 1, 1, 0], r"molecule 0[\s\S]*\[5\] of the first frame"),
        ([8, 1, 1] * 2, TWO, [0] * 6, r"farther apart than bonds allow[\s\S]*3.480 angstrom"),
        ([8, 1, 1], WATER * 0.3, None, r"same place[\s\S]*atoms 0 and 1"),
        ([8, 1, 1], WATER * 2, None, r"bonded to nothing[\s\S]*atoms \[1, 2\]"),
        (
            [8, 1, 8],
            [[0, 0, 0], [1.2, 0, 0], [2.4, 0, 0]],
            None,
            r"between two[\s\S]*atom 1, 1.200",
        ),
    ],
)
def test_impossible_molecules(numbers, positions, molecule, message) -> None:
    with pytest.raises(InputError, match=message):
        MoleculeTable.of(Frames(numbers, positions), molecule)


def test_a_network_is_no_molecule() -> None:
    chain = Frames([6, 6, 6], [[0, 0, 0], [1.5, 0, 0], [3.0, 0, 0]], [4.5, 20, 20])
    with pytest.raises(InputError, match="its own periodic image"):
        MoleculeTable.of(chain)


def test_a_table_made_by_hand_is_checked() -> None:
    numbers, bonds = np.array([8, 1, 1]), np.array([[0, 1]])
    with pytest.raises(InputError, match=r"do not connect[\s\S]*\[2\]"):
        MoleculeTable(numbers, np.zeros(3, int), bonds)
    with pytest.raises(InputError, match="not numbered"):
        MoleculeTable(numbers, np.array([1, 1, 0]), bonds)
