"""Labels of an isolated water molecule by the real engine, against exact rules and another code."""

from __future__ import annotations

import dataclasses
from collections import Counter

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from aptbench import Frames
from aptbench.errors import ConvergenceError, InputError
from aptbench.metrics import rotational_sum_rule_residual
from aptbench.reference.cp2k_field import BOX_STEP, NEAR, Cp2kField, box_sides
from aptbench.reference.dense_recipe import DenseRecipe
from aptbench.reference.inputs import finite_field
from aptbench.reference.theory import Theory
from tests.reference.conftest import WATER
from tests.reference.test_dense import plan

MARGIN = 1.8
ROTATION = Rotation.from_euler("xyz", [40.0, -25.0, 70.0], degrees=True).as_matrix()


@pytest.fixture(scope="module")
def bent() -> Frames:
    """A distorted water molecule away from the origin; its oxygen moved a little; turned."""
    first = np.add(WATER, [[0.5, -0.3, 1.0], [0.55, -0.25, 1.1], [0.4, -0.3, 1.0]])
    moved = np.add(first, [[-0.12, -0.1, 0.08], [0.0, 0.0, 0.0], [0.0, 0.0, 0.0]])
    assert np.abs(moved - first).max() < NEAR
    return Frames([8, 1, 1], [first, moved, first @ ROTATION.T])


@pytest.fixture(scope="module")
def field(cp2k, cheap) -> Cp2kField:
    # Below 300 Ry the force on an oxygen atom depends on where it is in the grid.
    return Cp2kField(dataclasses.replace(cheap, basis="TZV2P-GTH", cutoff=300.0), MARGIN, cp2k)


@pytest.fixture(scope="module")
def labels(field, bent):
    return field.label(bent)


@pytest.mark.engine
def test_sum_rules_hold_within_the_noise_of_the_grid(bent, labels):
    assert np.abs(labels.apt.sum(1)).max() < 0.03
    residual = rotational_sum_rule_residual(labels.apt, bent.positions, labels.dipole)
    assert np.sqrt(np.mean(residual**2)) < 0.01
    swapped = rotational_sum_rule_residual(
        labels.apt.swapaxes(-1, -2), bent.positions, labels.dipole
    )
    assert np.sqrt(np.mean(swapped**2)) > 0.01


@pytest.mark.engine
def test_tensors_turn_with_the_molecule(labels):
    turned = ROTATION @ labels.apt[0] @ ROTATION.T
    assert labels.apt[2] == pytest.approx(turned, abs=0.02)
    assert np.abs(labels.apt[2] - labels.apt[0]).max() > 0.1, "the rotation could not be seen"
    assert labels.dipole[2] == pytest.approx(ROTATION @ labels.dipole[0], abs=2e-3)


@pytest.mark.engine
def test_the_dipole_changes_along_a_path_as_the_tensors_say(bent, labels):
    """A periodic (Berry-phase) field in the same box misses this by ten times the tolerance."""
    step = bent.positions[1] - bent.positions[0]
    expected = np.einsum("apd,ad->p", labels.apt[:2].mean(0), step)
    assert np.abs(expected).min() > 0.02
    assert labels.dipole[1] - labels.dipole[0] == pytest.approx(expected, abs=2e-3)


@pytest.mark.engine
def test_a_near_frame_starts_from_the_one_before(labels):
    iterations = labels.quality["scf_iterations"]
    assert iterations[1] < iterations[0]


@pytest.mark.engine
def test_another_code_has_the_same_signs_and_sizes(bent, labels):
    pytest.importorskip("pyscf")
    from aptbench.reference.pyscf_field import PyscfField

    expected = PyscfField("RPBE", "def2-SVPD", grid_level=1).label(bent[0])
    difference = labels.apt[0] - expected.apt[0]
    assert np.sqrt(np.mean(difference**2)) < 0.05
    assert labels.dipole[0] == pytest.approx(expected.dipole[0], abs=0.05)
    swapped = labels.apt[0].swapaxes(-1, -2) - expected.apt[0]
    assert np.mean(swapped**2) > np.mean(difference**2), "the order of the indices is wrong"


@pytest.mark.engine
def test_the_quality_of_a_label_is_told(field, bent, labels):
    assert np.all(labels.quality["scf_residual"] <= field.theory.eps_scf)
    assert np.all(labels.quality["scf_residual"] > 0)
    assert np.array_equal(labels.quality["box"], box_sides(bent, MARGIN))


@pytest.mark.engine
def test_what_it_is_made_of_is_told(field):
    told = field.provenance()
    assert told["code"].startswith("CP2K ")
    assert (told["functional"], told["basis"], told["cutoff"]) == ("RPBE", "TZV2P-GTH", 300.0)
    assert (told["poisson_solver"], told["box_margin"]) == ("wavelet", MARGIN)


@pytest.mark.engine
def test_refusals(field, bent, cp2k):
    with pytest.raises(InputError, match="isolated"):
        field.label(bent.replace(cell=np.eye(3) * 9))
    with pytest.raises(InputError, match=r"neutral[\s\S]*charge of 1 e"):
        field.label(bent.replace(total_charge=1.0))
    with pytest.raises(InputError, match=r"closed-shell[\s\S]*9 protons"):
        field.label(Frames([8, 1], WATER[:2]))
    with pytest.raises(InputError, match="margin"):
        Cp2kField(margin=0.0, engine=cp2k)


@pytest.mark.engine
def test_no_convergence_is_an_error_that_names_the_frame(field, bent):
    theory = dataclasses.replace(field.theory, eps_scf=1e-14, outer_scf=1)
    with pytest.raises(ConvergenceError, match=r"frame 0[\s\S]*outer_scf"):
        dataclasses.replace(field, theory=theory).label(bent[0])


def test_a_box_holds_its_molecule_with_the_margin(bent):
    sides = box_sides(bent, 2.0)
    extent = np.ptp(bent.positions, axis=1).max(axis=-1)
    assert np.all(sides >= extent + 4.0)
    assert np.all(sides < extent + 4.0 + BOX_STEP)
    assert np.array_equal(sides / BOX_STEP, np.rint(sides / BOX_STEP))


def test_the_inputs_differ_from_periodic_ones_in_the_surroundings_only():
    settings = {"theory": Theory(), "cell": 8 * np.eye(3), "elements": ["O", "H"]}
    settings["field"] = (0.0, 5e-4, 0.0)
    isolated = finite_field(**settings, isolated=True).splitlines()
    periodic = finite_field(**settings).splitlines()
    added = Counter(map(str.strip, isolated)) - Counter(map(str.strip, periodic))
    removed = Counter(map(str.strip, periodic)) - Counter(map(str.strip, isolated))
    assert sorted(added.elements()) == [
        "&EFIELD",
        "&END EFIELD",
        "&END POISSON",
        "&POISSON",
        "PERIODIC F",
        "PERIODIC NONE",
        "PERIODIC NONE",
        "POISSON_SOLVER WAVELET",
    ]
    assert sorted(removed) == ["&END PERIODIC_EFIELD", "&PERIODIC_EFIELD", "PERIODIC T"]


@pytest.mark.engine
def test_a_recipe_asks_for_it(cp2k):
    label = {"engine": "cp2k", "theory": {"cutoff": 400.0}, "margin": 3.0}
    labeller = DenseRecipe.model_validate(plan(label=label)).label.labeller()
    assert isinstance(labeller, Cp2kField)
    assert labeller.theory == Theory(cutoff=400.0)
    assert (labeller.margin, labeller.engine.ranks) == (3.0, 1)
