"""Tensors by density functional theory against derivatives of dipoles, and the sum rules."""

from __future__ import annotations

import numpy as np
import pytest

from aptbench import Frames
from aptbench.errors import ConvergenceError, InputError
from aptbench.metrics import rotational_sum_rule_residual
from tests.reference.conftest import WATER

pytest.importorskip("pyscf")

from aptbench.reference import pyscf_field
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


def test_the_residual_is_that_of_the_returned_state(engine, bent):
    (state,) = engine._states(bent[0])
    gradient = state.get_grad(state.mo_coeff, state.mo_occ, state.get_fock())
    assert state.residual == pytest.approx(np.abs(gradient).max(), rel=1e-3)


@pytest.mark.parametrize("functional", ["PBE", "B3LYP", "HSE06"])
def test_shared_integrals_change_no_gradient(bent, functional):
    from pyscf import dft, gto

    engine = PyscfField(functional, "STO-3G", grid_level=0)
    (state,) = engine._states(bent[0])
    vectors = np.array([[0.0, 0.0, 0.0], [0.0, 5e-3, 0.0], [4e-3, 0.0, -3e-3]])
    polarized = [engine._in_field(state, vector, state.make_rdm1(), 0) for vector in vectors]
    shared = pyscf_field._gradients(polarized, vectors)
    alone = [
        pyscf_field._gradients([one], vector[None])[0]
        for one, vector in zip(polarized, vectors, strict=True)
    ]
    np.testing.assert_allclose(shared, alone, rtol=0, atol=1e-11)
    assert np.abs(shared[1] - shared[0]).max() > 1e-4, "the field does nothing"

    atoms = [(symbol, tuple(at)) for symbol, at in zip("OHH", bent.positions[0], strict=True)]
    plain = dft.RKS(gto.M(atom=atoms, basis="STO-3G", verbose=0))
    plain.set(xc=functional, conv_tol=1e-11, conv_tol_grad=3e-7)
    plain.grids.level = 0
    plain.kernel()
    gradients = plain.nuc_grad_method()
    gradients.grid_response = True
    np.testing.assert_allclose(shared[0], gradients.kernel(), rtol=0, atol=1e-6)


def test_kept_values_are_those_of_the_library(engine, bent):
    from pyscf.dft import numint

    (molecule,) = (state.mol for state in engine._states(bent[0]))
    points = np.random.default_rng(0).normal(size=(2, 24, 3))
    integrator = pyscf_field._keeping_integrator()
    block = np.empty(4 * 24 * molecule.nao)
    first = integrator.eval_ao(molecule, points[0], 1, out=block)
    other = integrator.eval_ao(molecule, points[1], 1, out=block)
    for values, coords in ((first, points[0]), (other, points[1])):
        np.testing.assert_array_equal(values, numint.eval_ao(molecule, coords, 1))
    assert integrator.eval_ao(molecule, points[0].copy(), 1, out=block) is first
    np.testing.assert_array_equal(
        integrator.eval_ao(molecule, points[0], 0), numint.eval_ao(molecule, points[0], 0)
    )


def test_labels_do_not_depend_on_the_memory_for_kept_values(engine, bent, labels, monkeypatch):
    monkeypatch.setattr(pyscf_field, "KEPT_MB", -1)
    np.testing.assert_allclose(engine.label(bent[0]).apt, labels.apt[:1], atol=1e-9)


def test_a_distant_frame_is_labelled_as_if_it_were_alone(engine, bent):
    turned = bent[0].replace(positions=bent[0].positions[..., [1, 2, 0]])
    alone = engine.label(turned)
    both = engine.label(bent[[0, 0]].replace(positions=[bent.positions[0], turned.positions[0]]))
    np.testing.assert_allclose(both.apt[1], alone.apt[0], atol=1e-9)


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
