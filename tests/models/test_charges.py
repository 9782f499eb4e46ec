"""Constant and force-field charges in closed form."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from aptbench import Frames, LabelledFrames
from aptbench.errors import InputError, UnknownNameError
from aptbench.models.constant import ConstantCharge
from aptbench.models.point_charges import ION_MODELS, WATER_MODELS, PointCharges
from aptbench.models.water_molecules import water_molecules

WATER = [[0, 0, 0], [0.9572, 0, 0], [-0.24, 0.9266, 0]]


def test_constant_charge_is_the_mean_isotropic_charge() -> None:
    apt = np.zeros((2, 3, 3, 3))
    apt[:, 0] = np.diag([-0.6, -0.9, -1.2])
    apt[:, 1:, 0, 0] = 3 * 0.45
    apt[..., 0, 1] = 7.0  # no part of an isotropic charge
    model = ConstantCharge().fit(LabelledFrames(Frames([8, 1, 1], [WATER, WATER]), apt))
    assert model.charges_ == pytest.approx({8: -0.9, 1: 0.45})


def test_constant_charge_adds_up_to_the_total_charge() -> None:
    frames = Frames([8, 1, 1], [WATER], total_charge=1.0)
    model = ConstantCharge({"O": -0.8, "H": 0.5})
    np.testing.assert_allclose(model.predict(frames).sum(1)[0], np.eye(3), atol=1e-14)
    free = ConstantCharge({"O": -0.8, "H": 0.5}, neutral=False)
    np.testing.assert_allclose(free.predict(frames).sum(1)[0], 0.2 * np.eye(3), atol=1e-14)


def test_constant_charge_survives_its_folder(tmp_path: Path) -> None:
    ConstantCharge({"O": -0.9}).save(tmp_path)
    assert ConstantCharge.from_folder(tmp_path).charges_ == {8: -0.9}
    assert not ConstantCharge.untrained(tmp_path).fitted


def test_constant_charge_refuses_what_it_does_not_know() -> None:
    with pytest.raises(InputError, match="not fitted"):
        ConstantCharge().predict(Frames([8, 1, 1], [WATER]))
    with pytest.raises(InputError, match="no charge for H"):
        ConstantCharge({"O": -0.9}).predict(Frames([8, 1, 1], [WATER]))


@pytest.mark.parametrize("name", WATER_MODELS)
def test_water_is_neutral_and_has_a_reference(name: str) -> None:
    apt = PointCharges(name).predict(Frames([8, 1, 1], [WATER]))
    np.testing.assert_allclose(apt.sum(1), 0, atol=1e-12)
    assert WATER_MODELS[name].doi.startswith("10.")
    assert apt[0, 0, 0, 0] < 0 < apt[0, 1, 0, 0]


def test_massless_site_by_finite_differences() -> None:
    """TIP4P/2005 in its own geometry: M sits 0.1546 angstrom from O on the bisector."""
    half = np.radians(104.52 / 2)
    positions = 0.9572 * np.array(
        [[0, 0, 0], [np.cos(half), np.sin(half), 0], [np.cos(half), -np.sin(half), 0]]
    )
    weight = WATER_MODELS["TIP4P/2005"].site_weight
    site = weight * positions[1:].sum(0)
    np.testing.assert_allclose(site, [0.1546, 0, 0], atol=1e-12)

    def dipole(x: np.ndarray) -> np.ndarray:
        m = x[0] + weight * ((x[1] - x[0]) + (x[2] - x[0]))
        return 0.5564 * (x[1] + x[2]) - 1.1128 * m

    numeric = np.zeros((3, 3, 3))
    for atom in range(3):
        for disp in range(3):
            step = np.zeros((3, 3))
            step[atom, disp] = 1e-4
            numeric[atom, :, disp] = (dipole(positions + step) - dipole(positions - step)) / 2e-4
    apt = PointCharges("tip4p/2005").predict(Frames([8, 1, 1], positions))
    np.testing.assert_allclose(apt[0], numeric, atol=1e-10)


@pytest.mark.parametrize("ions", ION_MODELS)
def test_ions(ions: str) -> None:
    for symbol, charge in ION_MODELS[ions].charges.items():
        from aptbench.elements import atomic_number

        frames = Frames([atomic_number(symbol)], [[0, 0, 0]])
        assert PointCharges(ions=ions).predict(frames)[0, 0, 1, 1] == charge


def test_molecules_across_the_boundary_and_in_any_order() -> None:
    positions = np.array([[9.9, 0, 0], [0.86, 0, 0], [9.66, 0.93, 0], [5, 5, 5]])
    frames = Frames([8, 1, 1, 11], positions, [10, 10, 10]).permuted([3, 1, 0, 2])
    np.testing.assert_array_equal(water_molecules(frames), [[2, 1, 3]])
    charges = PointCharges("SPC/E").charges(frames)
    np.testing.assert_allclose(charges, [1, 0.4238, -0.8476, 0.4238])


def test_a_molecule_table_decides() -> None:
    stretched = Frames([8, 1, 1], [[0, 0, 0], [1.6, 0, 0], [0, 0.96, 0]], molecule=[0, 0, 0])
    assert len(water_molecules(stretched)) == 1
    with pytest.raises(InputError, match="Oxygen 0 is not part of a water"):
        water_molecules(stretched.replace(molecule=None))


def test_what_has_no_charge_is_an_error() -> None:
    with pytest.raises(InputError, match=r"no point charge for C \(atom 0\)"):
        PointCharges().predict(Frames([6], [[0, 0, 0]]))
    with pytest.raises(InputError, match="outside a water molecule"):
        PointCharges().predict(Frames([1], [[0, 0, 0]]))
    with pytest.raises(UnknownNameError, match="did you mean 'SPC/E'"):
        PointCharges("SPCE")
    with pytest.raises(UnknownNameError, match="ion model"):
        PointCharges(ions="Madrid")
