"""Calculators of ASE as models, models as calculators, and the index order between them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from ase.build import molecule as built
from ase.calculators.calculator import Calculator, PropertyNotImplementedError, all_changes

from aptbench import Frames
from aptbench.errors import InputError, UnitError, UnknownNameError
from aptbench.models import check_model, load_model
from aptbench.models.adapters import APTCalculator, ASECalculatorModel, from_atoms, to_atoms
from aptbench.models.constant import ConstantCharge
from aptbench.oracle import PolarizableWater
from aptbench.units import DEBYE


class Vasp(Calculator):
    """Somebody's calculator: the first index is the direction of the displacement."""

    implemented_properties = ["energy", "born_effective_charges"]  # noqa: RUF012

    def __init__(self, scale: float = 1.0) -> None:
        super().__init__()
        self.scale = scale

    def calculate(self, atoms=None, properties=None, system_changes=all_changes):
        super().calculate(atoms, properties, system_changes)
        apt = PolarizableWater().predict(from_atoms(atoms))[0]
        by_displacement = self.scale * np.swapaxes(apt, 1, 2)
        self.results = {"energy": 0.0, "born_effective_charges": by_displacement}
        self.results["bec_columns"] = by_displacement.reshape(-1, 9)


def test_the_declared_order_decides(molecule: Frames, water: PolarizableWater) -> None:
    exact = water.predict(molecule)
    assert np.abs(exact - np.swapaxes(exact, -1, -2)).max() > 0.01  # else this test cannot fail
    right = ASECalculatorModel(Vasp(), order="disp,pol").predict(molecule)
    wrong = ASECalculatorModel(Vasp(), order="pol,disp").predict(molecule)
    np.testing.assert_allclose(right, exact, atol=1e-12)
    np.testing.assert_allclose(wrong, np.swapaxes(exact, -1, -2), atol=1e-12)


def test_there_is_no_default_order() -> None:
    with pytest.raises(TypeError, match="order"):
        ASECalculatorModel(Vasp())  # type: ignore[call-arg]
    with pytest.raises(UnknownNameError, match="index order"):
        ASECalculatorModel(Vasp(), order="displacement first")


@pytest.mark.parametrize("order", ["pol,disp", "disp,pol"])
@pytest.mark.parametrize("system", ["molecule", "liquid"])
def test_a_model_survives_the_way_through_ase(
    order: str, system: str, water: PolarizableWater, request: pytest.FixtureRequest
) -> None:
    frames = request.getfixturevalue(system)
    model = ASECalculatorModel(APTCalculator(water, order=order), order=order)
    np.testing.assert_allclose(model.predict(frames), water.predict(frames), atol=1e-12)
    report = check_model(model, frames)
    assert report.passed, str(report)


def test_calculator_has_the_order_of_its_documentation(
    molecule: Frames, water: PolarizableWater
) -> None:
    atoms = to_atoms(molecule)
    exact = water.predict(molecule)[0]
    first = APTCalculator(water).get_property("born_effective_charges", atoms)
    other = APTCalculator(water, order="disp,pol").get_property("born_effective_charges", atoms)
    np.testing.assert_allclose(first, exact, atol=1e-12)
    np.testing.assert_allclose(other, np.swapaxes(exact, 1, 2), atol=1e-12)


def test_calculator_has_a_dipole_only_if_the_model_has(water: PolarizableWater) -> None:
    atoms = built("H2O")
    atoms.calc = APTCalculator(water)
    np.testing.assert_allclose(atoms.get_dipole_moment(), water.dipole(from_atoms(atoms))[0])
    atoms.calc = APTCalculator(ConstantCharge({"O": -0.8, "H": 0.4}))
    with pytest.raises(PropertyNotImplementedError):
        atoms.get_dipole_moment()


def test_other_entries_and_units(molecule: Frames, water: PolarizableWater) -> None:
    model = ASECalculatorModel(
        lambda: Vasp(1 / DEBYE), order="disp,pol", key="bec_columns", unit="debye/angstrom"
    )
    np.testing.assert_allclose(model.predict(molecule), water.predict(molecule), atol=1e-12)
    with pytest.raises(UnitError, match="debye"):
        ASECalculatorModel(Vasp(), order="disp,pol", unit="debye")


def test_a_folder_needs_only_yaml(tmp_path: Path, molecule: Frames) -> None:
    (tmp_path / "theirs.py").write_text(
        "from pathlib import Path\n"
        "from aptbench.models.adapters import APTCalculator\n"
        "from aptbench.models.constant import ConstantCharge\n"
        "def make(path):\n"
        "    oxygen = float(Path(path).read_text())\n"
        "    return APTCalculator(ConstantCharge({'O': oxygen, 'H': -oxygen / 2}))\n"
    )
    (tmp_path / "charge.txt").write_text("-0.7")
    (tmp_path / "model.yaml").write_text(
        "name: theirs\ntitle: A calculator\n"
        "class: aptbench.models.adapters.ase_calculator:ASECalculatorModel\n"
        "parameters:\n"
        "  calculator: theirs:make\n"
        "  arguments: {path: '{folder}/charge.txt'}\n"
        "  order: pol,disp\n"
    )
    model = load_model(tmp_path)
    assert model.name == "theirs"  # type: ignore[attr-defined]
    assert model.predict(molecule)[0, 0, 1, 1] == pytest.approx(-0.7)


def test_what_a_calculator_lacks_is_named(molecule: Frames) -> None:
    with pytest.raises(InputError, match=r"(?s)has no 'bec'.*energy.*dipole_derivative"):
        ASECalculatorModel(Vasp(), order="disp,pol", key="bec").predict(molecule)
    with pytest.raises(InputError, match="not an ASE calculator"):
        ASECalculatorModel("math:gcd", order="disp,pol")
    with pytest.raises(InputError, match="not an ASE calculator"):
        ASECalculatorModel(lambda: 3, order="disp,pol")
    with pytest.raises(InputError, match="arguments have no use"):
        ASECalculatorModel(Vasp(), order="disp,pol", arguments={"scale": 2})
    with pytest.raises(InputError, match="refuses its arguments"):
        ASECalculatorModel(
            "aptbench.models.adapters.apt_calculator:APTCalculator",
            order="pol,disp",
            arguments={"modell": 1},
        )


def test_charge_and_cell_go_both_ways() -> None:
    cell = [[5.0, 0, 0], [0.3, 6, 0], [0.1, 0.2, 7]]
    frames = Frames([11, 8], [[0, 0, 0], [0, 0, 2.0]], cell, molecule=[3, 5], total_charge=1.0)
    atoms = to_atoms(frames)
    assert atoms.info["charge"] == 1.0
    assert atoms.get_initial_charges().sum() == pytest.approx(1.0)
    back = from_atoms([atoms, atoms])
    assert len(back) == 2
    assert back.total_charge == 1.0
    np.testing.assert_array_equal(back.cell[1], cell)
    np.testing.assert_array_equal(back.molecule, [3, 5])
    del atoms.info["charge"]
    assert from_atoms(atoms).total_charge == pytest.approx(1.0)
    atoms.pbc = [True, True, False]
    with pytest.raises(InputError, match="some directions only"):
        from_atoms(atoms)
    with pytest.raises(InputError, match="not of the same atoms"):
        from_atoms([built("H2O"), built("CO")])
    with pytest.raises(InputError, match="no atoms"):
        from_atoms([])
