"""Tensors by tight binding against derivatives of dipoles, the exact sum rules, and refusals."""

from __future__ import annotations

import numpy as np
import pytest

from aptbench import Frames
from aptbench.errors import ConvergenceError, InputError
from aptbench.metrics import rotational_sum_rule_residual
from tests.reference.conftest import WATER

pytest.importorskip("tblite")

from aptbench.reference.xtb import Xtb


@pytest.fixture
def bent() -> Frames:
    """A water molecule without symmetry, away from the origin."""
    return Frames([8, 1, 1], np.add(WATER, [[0.5, -0.3, 1.0], [0.55, -0.25, 1.1], [0.4, -0.3, 1]]))


def derivative(function, frames, step=1e-3):
    """Central differences by every coordinate, shape (..., atom, disp)."""
    columns = []
    for shift in step * np.eye(3 * frames.n_atoms).reshape(-1, 1, frames.n_atoms, 3):
        plus, minus = (frames.replace(positions=frames.positions + s) for s in (shift, -shift))
        columns.append((function(plus)[0] - function(minus)[0]) / (2 * step))
    return np.moveaxis(columns, 0, -1).reshape(*np.shape(columns[0]), frames.n_atoms, 3)


def test_tensors_are_derivatives_of_the_dipole(bent):
    model = Xtb()
    expected = derivative(model.dipoles, bent).swapaxes(0, 1)  # (atom, pol, disp)
    apt = model.label(bent).apt[0]
    assert np.abs(apt - expected).max() < 1e-5
    assert np.abs(apt - apt.swapaxes(1, 2)).max() > 1e-3, "cannot tell the order of the indices"


def test_forces_are_derivatives_of_the_energy(bent):
    model = Xtb()
    assert np.abs(model.forces(bent)[0] + derivative(model.energies, bent)).max() < 1e-4


def test_sum_rules_hold(bent):
    labels = Xtb().label(bent)
    assert np.abs(labels.apt.sum(1)).max() < 1e-10
    residual = rotational_sum_rule_residual(labels.apt, bent.positions, labels.dipole)
    assert np.abs(residual).max() < 1e-5


def test_the_tensors_of_an_ion_add_up_to_its_charge():
    hydroxide = Frames([8, 1], [[0, 0, 0], [0.97, 0, 0]], total_charge=-1.0)
    assert Xtb().label(hydroxide).apt[0].sum(0) == pytest.approx(-np.eye(3), abs=1e-10)


def test_labels_turn_with_the_molecule(bent):
    turn = np.linalg.qr(np.random.default_rng(0).normal(size=(3, 3)))[0]
    model = Xtb()
    apt, turned = model.label(bent).apt[0], model.label(bent.rotated(turn)).apt[0]
    assert np.abs(turned - turn @ apt @ turn.T).max() < 1e-6


def test_a_label_does_not_depend_on_the_frames_before(bent):
    moved = bent.replace(positions=bent.positions * 1.05)
    both = Frames(bent.atomic_numbers, np.concatenate([moved.positions, bent.positions]))
    model = Xtb()
    together, alone = model.label(both), Xtb().label(bent)
    assert np.abs(together.apt[1] - alone.apt[0]).max() < 1e-6
    assert np.abs(together.dipole[1] - alone.dipole[0]).max() < 1e-6
    ammonia = Frames([7, 1, 1, 1], [[0, 0, 0], [0, 1, 0.1], [0.9, -0.4, 0], [-0.9, -0.4, 0]])
    assert model.label(ammonia).apt.shape == (1, 4, 3, 3)


def test_the_step_is_small_enough(bent):
    """The error of a central difference goes with the square of the step."""
    small, large = (Xtb(field_step=step).label(bent).apt for step in (5e-4, 1e-3))
    assert 1e-7 < np.abs(large - small).max() / 3 < 1e-5


def test_what_it_is_made_of_is_told():
    told = Xtb(accuracy=0.5).provenance()
    assert told["code"].startswith("tblite ")
    assert (told["functional"], told["accuracy"], told["field"]) == ("GFN2-xTB", 0.5, 5e-4)


def test_refusals(bent):
    with pytest.raises(InputError, match="isolated"):
        Xtb().label(bent.replace(cell=np.eye(3) * 9))
    with pytest.raises(InputError, match="GFN2-xTB or GFN1-xTB"):
        Xtb("GFN3")
    with pytest.raises(InputError, match="positive"):
        Xtb(field_step=0.0)


def test_no_convergence_is_an_error(bent):
    with pytest.raises(ConvergenceError, match="frame 0"):
        Xtb(accuracy=1e-14).label(bent)
