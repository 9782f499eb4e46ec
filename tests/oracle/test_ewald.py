"""The Ewald sum against direct sums and other splittings."""

from __future__ import annotations

import numpy as np
import pytest

from aptbench.oracle.ewald import Multipoles, smeared

CELL = np.array([[6.0, 0, 0], [1.0, 6.5, 0], [0.5, -1, 7.0]])


def system(**options) -> tuple[Multipoles, np.ndarray, np.ndarray]:
    rng = np.random.default_rng(0)
    positions = rng.uniform(size=(6, 3)) @ CELL
    charges = rng.normal(size=6)
    charges -= charges.mean()
    dipoles = 0.3 * rng.normal(size=(6, 3))
    widths = np.full(6, 0.5)
    options = {"cell": CELL, "molecule": np.arange(6), **options}
    return Multipoles(positions, widths, **options), charges, dipoles


def test_kernels_are_derivatives_of_each_other() -> None:
    r, h = np.linspace(0.8, 6, 9), 1e-4
    kernels = smeared(r, 0.7)
    slopes = (smeared(r + h, 0.7) - smeared(r - h, 0.7)) / (2 * h)
    assert np.allclose(kernels[1:], -slopes[:-1] / r, atol=1e-7)
    assert np.allclose(smeared(r, 50.0)[0], 1 / r)
    assert not smeared(r, 0.0).any()


def test_the_splitting_does_not_matter() -> None:
    reference = system()
    expected = reference[0].derivatives(*reference[1:])
    other, charges, dipoles = system(kappa=0.7, cutoff=6.8, reciprocal_cutoff=6.9)
    for one, two in zip(other.derivatives(charges, dipoles), expected, strict=True):
        assert np.allclose(one, two, atol=1e-7)
    assert np.allclose(other.dipole_matrix(), reference[0].dipole_matrix(), atol=1e-7)


def test_rock_salt_has_its_madelung_constant() -> None:
    edge = 6.0
    corners = np.array([[0, 0, 0], [0, 1, 1], [1, 0, 1], [1, 1, 0]]) * edge / 2
    positions = np.concatenate([corners, corners + np.array([edge / 2, 0, 0])])
    charges = np.repeat([1.0, -1.0], 4)
    crystal = Multipoles(positions, np.full(8, 0.01), np.eye(3) * edge, np.arange(8))
    energy = crystal.derivatives(charges, np.zeros((8, 3)))[0]
    # the self energy of a Gaussian is not part of the sum, so this is the one of points
    assert energy / 4 == pytest.approx(-1.747564594633 / (edge / 2), abs=1e-8)


def test_a_field_of_dipoles_by_direct_summation() -> None:
    multipoles, _, dipoles = system()
    dipoles = dipoles - dipoles.mean(0)
    field = multipoles.derivatives(np.zeros(6), dipoles)[2]
    # a shell-wise cubic sum of a cell without net dipole converges to that of a conductor
    n = np.arange(-13, 14)
    shifts = np.stack(np.meshgrid(n, n, n, indexing="ij"), -1).reshape(-1, 3) @ CELL
    shifts = shifts[np.linalg.norm(shifts, axis=1) < 60]
    direct = np.zeros(3)
    for j in range(6):
        r = multipoles.positions[0] - multipoles.positions[j] + shifts
        length = np.linalg.norm(r, axis=1)
        r, length = r[length > 1e-9], length[length > 1e-9]
        b = smeared(length, 1.0)
        direct += np.sum((b[2] * (r @ dipoles[j]))[:, None] * r, axis=0) - b[1].sum() * dipoles[j]
    assert np.allclose(field[0], direct, atol=1e-5)
    assert abs(direct).max() > 0.01


def test_derivatives_are_those_of_the_energy() -> None:
    multipoles, charges, dipoles = system(molecule=np.array([0, 0, 0, 1, 1, 1]))
    _, potential, field, force = multipoles.derivatives(charges, dipoles)
    h = 1e-4

    def energy(dq=0.0, dm=0.0, dr=0.0) -> float:
        moved = Multipoles(multipoles.positions + dr, multipoles.widths, CELL, multipoles.molecule)
        return moved.derivatives(charges + dq, dipoles + dm)[0]

    site = np.zeros(6)
    site[2] = h
    assert potential[2] == pytest.approx((energy(dq=site) - energy(dq=-site)) / (2 * h), abs=1e-7)
    step = np.zeros((6, 3))
    step[2, 1] = h
    assert field[2, 1] == pytest.approx(-(energy(dm=step) - energy(dm=-step)) / (2 * h), abs=1e-7)
    assert force[2, 1] == pytest.approx(-(energy(dr=step) - energy(dr=-step)) / (2 * h), abs=1e-6)
    matrix = multipoles.dipole_matrix()
    shifted = multipoles.derivatives(np.zeros(6), step)[2]
    assert np.allclose(-matrix[:, 7] * h, shifted.ravel(), atol=1e-12)
