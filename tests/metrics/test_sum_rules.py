"""Irreps and sum rules against closed forms."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from aptbench.errors import AlignmentError, InputError, UnknownNameError
from aptbench.frames import Frames
from aptbench.metrics import (
    IRREPS,
    acoustic_sum_rule_residual,
    axial_vector,
    correct_acoustic_sum_rule,
    irrep_part,
    line_integral_residual,
    rotational_sum_rule_residual,
)

tensors = arrays(float, (3, 3), elements=st.floats(-10, 10))


@given(tensors)
def test_irreps_add_up_and_are_orthogonal(tensor) -> None:
    parts = [irrep_part(tensor, k) for k in IRREPS]
    assert np.allclose(sum(parts), tensor)
    assert sum(np.sum(part**2) for part in parts) == pytest.approx(np.sum(tensor**2), abs=1e-9)
    assert np.sum(parts[1] ** 2) == pytest.approx(2 * np.sum(axial_vector(tensor) ** 2), abs=1e-9)


def test_unknown_irrep_and_shape() -> None:
    with pytest.raises(UnknownNameError, match="L=3"):
        irrep_part(np.eye(3), 3)
    with pytest.raises(InputError):
        irrep_part(np.zeros(9), 0)


@pytest.mark.parametrize("method", ["mean", "weighted"])
@pytest.mark.parametrize("charge", [0.0, 1.0])
def test_corrections_fulfil_the_rule_and_are_covariant(method, charge) -> None:
    rng = np.random.default_rng(0)
    apt = rng.normal(size=(4, 5, 3, 3))
    fixed = correct_acoustic_sum_rule(apt, method, charge)
    assert np.allclose(acoustic_sum_rule_residual(fixed, charge), 0, atol=1e-12)
    rotation = np.linalg.qr(rng.normal(size=(3, 3)))[0]
    turned = correct_acoustic_sum_rule(rotation @ apt @ rotation.T, method, charge)
    assert np.allclose(turned, rotation @ fixed @ rotation.T)


def test_no_correction_and_unknown_correction() -> None:
    apt = np.ones((2, 3, 3))
    assert np.array_equal(correct_acoustic_sum_rule(apt, "none"), apt)
    assert np.allclose(correct_acoustic_sum_rule(0 * apt, "weighted", 1.0), np.eye(3) / 2)
    with pytest.raises(UnknownNameError, match="did you mean 'weighted'"):
        correct_acoustic_sum_rule(apt, "weight")


def test_rotational_rule_of_point_charges_and_its_violation() -> None:
    rng = np.random.default_rng(2)
    charges, positions = np.array([0.4, 0.3, -0.7]), rng.normal(size=(3, 3))
    apt = charges[:, None, None] * np.eye(3)
    dipole = charges @ positions
    assert np.allclose(rotational_sum_rule_residual(apt, positions, dipole), 0)
    assert np.allclose(rotational_sum_rule_residual(apt, positions), 0)
    apt[0, 0, 1] += 0.1
    assert abs(rotational_sum_rule_residual(apt, positions, dipole)).max() > 0.01
    assert abs(rotational_sum_rule_residual(apt, positions)).max() > 0.005
    with pytest.raises(AlignmentError):
        rotational_sum_rule_residual(apt, positions[:2])


def test_line_integral_knows_quanta_and_signs() -> None:
    rng = np.random.default_rng(3)
    cell = np.array([[8.0, 0, 0], [1.0, 7, 0], [0, 2, 9]])
    positions = np.cumsum(0.1 * rng.normal(size=(6, 3, 3)), axis=0)
    frames = Frames([8, 1, 1], positions, cell)
    charges = np.array([-0.8, 0.4, 0.4])
    apt = np.broadcast_to(charges[:, None, None] * np.eye(3), (6, 3, 3, 3))
    quanta = rng.integers(-2, 3, size=(6, 3)) @ cell
    dipole = np.einsum("a,fax->fx", charges, positions) + quanta
    assert np.allclose(line_integral_residual(frames, apt, dipole), 0, atol=1e-12)
    assert abs(line_integral_residual(frames, -apt, dipole)).max() > 0.01
    with pytest.raises(InputError, match="needs a path"):
        line_integral_residual(frames[0], apt[:1], dipole[:1])
    with pytest.raises(AlignmentError):
        line_integral_residual(frames, apt[:2], dipole)
