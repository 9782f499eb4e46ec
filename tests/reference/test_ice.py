"""Crystals of ice Ih: lattice, ice rules, no dipole."""

from __future__ import annotations

import numpy as np
import pytest

from aptbench.errors import InputError
from aptbench.reference.ice import UNIT_CELL, ice_ih

CELL = tuple(np.array([3, 2, 2]) * UNIT_CELL)


@pytest.fixture(scope="module")
def crystal():
    return ice_ih(CELL, 96, seed=1)


def images(vectors):
    return vectors - np.array(CELL) * np.round(vectors / CELL)


def test_every_oxygen_has_four_neighbours_at_the_distance_of_ice(crystal):
    oxygen = crystal.positions[0][::3]
    distance = np.sort(np.linalg.norm(images(oxygen[:, None] - oxygen[None]), axis=-1))
    assert np.allclose(distance[:, 1:5], 2.76, atol=0.02)
    assert distance[:, 5].min() > 4.4


def test_every_hydrogen_bond_has_one_hydrogen(crystal):
    oxygen = crystal.positions[0][::3]
    hydrogen = crystal.positions[0].reshape(-1, 3, 3)[:, 1:].reshape(-1, 3)
    to_oxygen = np.linalg.norm(images(hydrogen[:, None] - oxygen[None]), axis=-1)
    nearest = np.sort(np.argsort(to_oxygen)[:, :2])
    assert len(np.unique(nearest, axis=0)) == 2 * len(oxygen)
    assert np.allclose(np.sort(to_oxygen)[:, 0], 0.97)


def test_crystal_has_no_dipole_and_is_disordered(crystal):
    molecules = crystal.positions[0].reshape(-1, 3, 3)
    axes = images(molecules[:, 1] - molecules[:, 0]) + images(molecules[:, 2] - molecules[:, 0])
    assert np.abs(axes.sum(axis=0)).max() < 0.1
    assert len(np.unique(np.round(axes, 2), axis=0)) > 6


def test_seed_decides_and_the_global_generator_is_left_alone(crystal):
    before = np.random.get_state()[1].copy()  # noqa: NPY002
    same, other = ice_ih(CELL, 96, seed=1), ice_ih(CELL, 96, seed=2)
    assert np.array_equal(before, np.random.get_state()[1])  # noqa: NPY002
    assert np.array_equal(same.positions, crystal.positions)
    assert not np.allclose(other.positions, crystal.positions)


def test_wrong_number_of_molecules():
    with pytest.raises(InputError, match="96 H2O here"):
        ice_ih(CELL, 64, seed=1)
