"""Tensors by density functional theory against derivatives of dipoles, and the sum rules."""

from __future__ import annotations

import numpy as np
import pytest

from aptbench import Frames
from aptbench.errors import ConvergenceError, InputError
from aptbench.metrics import rotational_sum_rule_residual
from tests.reference.conftest import WATER

pytest.importorskip("pyscf")

from aptbench.reference.pyscf_field import PyscfField


@pytest.fixture(scope="module")
def bent() -> Frames:
    """A water molecule without symmetry, away from the origin, and the next frame."""
    first = np.add(WATER, [[0.5, -0.3, 1.0], [0.55, -0.25, 1.1], [0.4, -0.3, 1.0]])
    return Frames([8, 1, 1], [first, 1.01 * first])


@pytest.fixture(scope="module")
def engine() -> PyscfField:
    return PyscfField("PBE", "6-31G", grid_level=0)


@pytest.fixture(scope="module")
def labels(engine, bent):
    return engine.label(bent)


@pytest.mark.parametrize("atom", [0, 1])
def test_tensors_are_derivatives_of_the_dipole(engine, bent, labels, atom):
    step = 1e-3
    expected = np.empty((3, 3))
    for disp in range(3):
        shift = np.zeros((2, 3, 3))
        shift[:, atom, disp] = [step, -step]
        plus, minus = engine.dipoles(bent[[0, 0]].replace(positions=bent.positions[[0, 0]] + shift))
        expected[:, disp] = (plus - minus) / (2 * step)
    assert np.abs(labels.apt[0, atom] - expected).max() < 3e-4
    assert np.abs(expected - expected.T).max() > 3e-3, "cannot tell the order of the indices"


def test_sum_rules_hold(bent, labels):
    assert np.abs(labels.apt.sum(1)).max() < 1e-8
    residual = rotational_sum_rule_residual(labels.apt, bent.positions, labels.dipole)
    # The grid of the functional does not turn with the molecule.
    assert np.abs(residual).max() < 3e-3


def test_a_label_does_not_depend_on_where_the_molecule_is(engine, bent, labels):
    moved = engine.label(bent[0].translated([1.0, 2.0, -3.0]))
    assert np.abs(moved.apt - labels.apt[:1]).max() < 2e-5
    assert np.abs(moved.dipole - labels.dipole[:1]).max() < 1e-5


def test_the_residual_of_the_field_is_told(labels):
    assert labels.quality["scf_residual"].shape == (2,)
    assert np.all(labels.quality["scf_residual"] < 1e-6)
    assert np.all(labels.quality["scf_residual"] > 0)


def test_what_it_is_made_of_is_told(engine):
    told = engine.provenance()
    assert told["code"].startswith("PySCF ")
    assert (told["functional"], told["basis"], told["field"]) == ("PBE", "6-31G", 1e-3)


def test_refusals(engine, bent):
    with pytest.raises(InputError, match="isolated"):
        engine.label(bent.replace(cell=np.eye(3) * 9))
    with pytest.raises(InputError, match="positive"):
        PyscfField(convergence=0.0)


def test_no_convergence_is_an_error(bent):
    with pytest.raises(ConvergenceError, match="frame 0"):
        PyscfField("PBE", "STO-3G", grid_level=0, convergence=1e-30).label(bent)
