"""The polarizable model against finite differences and every exact property of tensors."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import special_ortho_group

from aptbench.errors import InputError
from aptbench.frames import Frames
from aptbench.metrics import (
    acoustic_sum_rule_residual,
    check_index_order,
    irrep_part,
    line_integral_residual,
    rotational_sum_rule_residual,
)
from aptbench.oracle import PolarizableWater, cluster, labelled_liquid, liquid

WATER = PolarizableWater()


def moved(frame: Frames, atom: int, xyz: int, step: float) -> Frames:
    positions = frame.positions.copy()
    positions[0, atom, xyz] += step
    return frame.replace(positions=positions)


def slope(function, frame: Frames, atom: int, xyz: int, step: float) -> np.ndarray:
    """Central difference with one Richardson step: the error is of fourth order."""

    def difference(h: float) -> np.ndarray:
        return (
            (function(moved(frame, atom, xyz, h)) - function(moved(frame, atom, xyz, -h))) / 2 / h
        )

    return (4 * difference(step)[0] - difference(2 * step)[0]) / 3


@pytest.mark.parametrize("field", [(0, 0, 0), (0.05, -0.02, 0.03)])
def test_forces_are_the_slope_of_the_energy(frame, field) -> None:
    forces = WATER.forces(frame, field)[0]
    for atom, xyz in [(0, 0), (1, 1), (2, 2), (3, 1), (5, 0)]:
        numeric = -slope(lambda f: WATER.energy(f, field), frame, atom, xyz, 5e-4)
        assert forces[atom, xyz] == pytest.approx(numeric, abs=1e-6)


def test_tensors_are_the_slope_of_the_dipole(frame) -> None:
    apt = WATER.predict(frame)[0]
    for atom, xyz in [(0, 0), (1, 1), (2, 2), (3, 1), (5, 0)]:
        numeric = slope(WATER.dipole, frame, atom, xyz, 1e-3)
        assert np.allclose(apt[atom, :, xyz], numeric, atol=1e-8)


def test_tensors_are_the_slope_of_the_force_by_the_field(frame) -> None:
    apt = WATER.predict(frame)[0]
    for pol, unit in enumerate(np.eye(3)):
        step = 1e-3 * unit
        numeric = (WATER.forces(frame, step) - WATER.forces(frame, -step))[0] / 2e-3
        assert np.allclose(apt[:, pol], numeric, atol=1e-9)


def test_the_dipole_is_minus_the_slope_of_the_energy_by_the_field(frame) -> None:
    step = np.array([0.0, 1e-3, 0.0])
    numeric = -(WATER.energy(frame, step) - WATER.energy(frame, -step)) / 2e-3
    assert WATER.dipole(frame)[0, 1] == pytest.approx(numeric[0], abs=1e-8)


def test_tensors_are_not_trivial(frame) -> None:
    apt = WATER.predict(frame)[0]
    for irrep in (1, 2):
        assert np.sqrt(np.mean(irrep_part(apt, irrep) ** 2)) > 0.01
    charges = np.trace(apt, axis1=1, axis2=2) / 3
    assert (charges[frame.atomic_numbers == 8] < -0.5).all()
    assert (charges[frame.atomic_numbers == 1] > 0.2).all()


def test_acoustic_sum_rule(frame) -> None:
    assert np.allclose(acoustic_sum_rule_residual(WATER.predict(frame)), 0, atol=1e-12)


def test_rotational_sum_rule_of_a_cluster(isolated) -> None:
    apt, dipole = WATER.predict(isolated), WATER.dipole(isolated)
    for moments in (dipole, None):
        residual = rotational_sum_rule_residual(apt, isolated.positions, moments)
        assert np.allclose(residual, 0, atol=1e-10)
    swapped = rotational_sum_rule_residual(np.swapaxes(apt, -1, -2), isolated.positions)
    assert abs(swapped).max() > 0.01


@pytest.mark.parametrize("proper", [1, -1])
def test_equivariance(frame, proper) -> None:
    rotation = proper * special_ortho_group.rvs(3, random_state=4)
    turned = frame.rotated(rotation)
    expected = rotation @ WATER.predict(frame) @ rotation.T
    assert np.allclose(WATER.predict(turned), expected, atol=1e-10)
    assert np.allclose(WATER.dipole(turned), WATER.dipole(frame) @ rotation.T, atol=1e-10)
    assert np.allclose(WATER.forces(turned), WATER.forces(frame) @ rotation.T, atol=1e-10)


def test_translation_and_permutation(frame) -> None:
    apt = WATER.predict(frame)
    assert np.allclose(WATER.predict(frame.translated([0.3, -1.7, 2.2])), apt, atol=1e-8)
    order = np.random.default_rng(0).permutation(frame.n_atoms)
    assert np.allclose(WATER.predict(frame.permuted(order)), apt[:, order], atol=1e-10)


def test_translation_of_one_atom_by_lattice_vectors(periodic) -> None:
    frame = periodic[-1]
    positions = frame.positions.copy()
    positions[0, 4] += frame.cell[0, 0] - 2 * frame.cell[0, 2]
    wrapped = frame.replace(positions=positions)
    assert np.allclose(WATER.predict(wrapped), WATER.predict(frame), atol=1e-10)
    assert np.allclose(WATER.dipole(wrapped), WATER.dipole(frame), atol=1e-10)


def test_supercell(periodic) -> None:
    frame = periodic[-1]
    apt = WATER.predict(frame)
    large = WATER.predict(frame.supercell((2, 1, 1)))
    assert np.allclose(large, np.tile(apt, (1, 2, 1, 1)), atol=1e-8)


def test_another_choice_of_lattice_vectors(periodic) -> None:
    frame = periodic[-1]
    skewed = np.array([[1, 0, 0], [1, 1, 0], [0, 0, 1]]) @ frame.cell[0]
    assert np.allclose(WATER.predict(frame.replace(cell=skewed)), WATER.predict(frame), atol=1e-8)


def test_integrability(frame) -> None:
    i, a, j, c = 1, 0, 5, 2
    one = slope(WATER.predict, frame, j, c, 1e-3)[i, :, a]
    two = slope(WATER.predict, frame, i, a, 1e-3)[j, :, c]
    assert np.allclose(one, two, atol=1e-7)
    assert abs(one).max() > 1e-5


def test_line_integral_is_of_third_order(isolated, periodic) -> None:
    for frames in (isolated, periodic):
        start = frames[0]
        motion = 0.02 * np.random.default_rng(1).normal(size=start.positions.shape)
        sizes = []
        for step in (1.0, 0.5):
            path = start.replace(
                positions=np.concatenate([start.positions, start.positions + step * motion]),
                velocities=None,
                cell=None if start.cell is None else start.cell[0],
            )
            label = WATER.label(path)
            sizes.append(np.linalg.norm(line_integral_residual(path, label.apt, label.dipole)))
            swapped = line_integral_residual(path, np.swapaxes(label.apt, -1, -2), label.dipole)
            assert np.linalg.norm(swapped) > 10 * sizes[-1]
        assert 6 < sizes[0] / sizes[1] < 10


def test_constant_energy() -> None:
    from aptbench.oracle.dynamics import ACCELERATION

    frames = cluster(2, 40, seed=3, equilibration=100, stride=4, time_step=0.25)
    kinetic = np.einsum("a,fax,fax->f", frames.masses, *[frames.velocities] * 2) / 2 / ACCELERATION
    total = WATER.energy(frames) + kinetic
    assert np.std(total) < 0.02 * np.std(kinetic)


def test_velocities_are_the_slope_of_the_positions() -> None:
    frames = liquid(8, 3, seed=0, stride=1, time_step=0.1, equilibration=5)
    rate = (frames.positions[2] - frames.positions[0]) / 0.2
    assert np.allclose(frames.velocities[1], rate, atol=2e-5)


def test_the_same_seed_gives_the_same_liquid_and_another_does_not() -> None:
    one, two, other = (labelled_liquid(8, 1, seed, equilibration=3) for seed in (0, 0, 1))
    assert np.array_equal(one.apt, two.apt)
    assert not np.allclose(one.apt, other.apt)
    assert one.frames.molecule.tolist() == np.repeat(np.arange(8), 3).tolist()
    assert one.frames.atomic_numbers.tolist() == [8, 1, 1] * 8


def test_index_order_is_told_for_liquid_and_cluster(isolated) -> None:
    # dipoles of the liquid with its branch jumps, as a Berry phase gives them
    path = liquid(8, 6, seed=5, equilibration=50, stride=1)
    jumps = np.random.default_rng(0).integers(-1, 2, size=(6, 3))[:, :, None] * path.cell
    for frames, with_dipole in [(path, True), (isolated, False), (isolated[:1], True)]:
        label = WATER.label(frames)
        dipole = label.dipole if with_dipole else None
        if frames is path:
            dipole = label.dipole + jumps.sum(1)
        right = check_index_order(frames, label.apt, dipole=dipole)
        wrong = check_index_order(frames, np.swapaxes(label.apt, -1, -2), dipole=dipole)
        assert (right.order, wrong.order) == ("pol,disp", "disp,pol")
        assert right.score == pytest.approx(-wrong.score)


def test_index_order_of_a_liquid_without_dipoles_needs_enough_molecules(periodic) -> None:
    frames = liquid(8, 12, seed=1, equilibration=60, stride=15)
    apt = WATER.predict(frames)
    assert check_index_order(frames, apt).order == "pol,disp"
    assert check_index_order(frames, np.swapaxes(apt, -1, -2)).order == "disp,pol"
    few = check_index_order(periodic[:1], WATER.predict(periodic[:1]))
    assert few.order == "undecided"
    assert few.score > 0


def test_only_water() -> None:
    with pytest.raises(InputError, match="knows only water"):
        WATER.predict(Frames([8, 1], np.eye(3)[:2]))
    with pytest.raises(InputError, match="too narrow"):
        WATER.predict(Frames([8, 1, 1], np.eye(3), [4.0, 9, 9]))
    with pytest.raises(InputError, match="more molecules"):
        liquid(2)
