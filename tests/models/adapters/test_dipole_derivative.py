"""Central differences of dipoles: order of the error, branches, units, and a real calculator."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest

from aptbench import Frames
from aptbench.errors import InputError, UnitError
from aptbench.models import check_model, load_model
from aptbench.models.adapters import DipoleDerivative
from aptbench.oracle import PointCharges, PolarizableWater
from aptbench.units import DEBYE

PROJECT = Path(__file__).parents[3]


def test_point_charges_are_exact(molecule: Frames) -> None:
    charges = PointCharges({"O": -0.8, "H": 0.4})
    for points in (2, 4):
        error = DipoleDerivative(charges, points=points).predict(molecule) - charges.predict(
            molecule
        )
        assert np.abs(error).max() < 1e-12


@pytest.mark.parametrize(("points", "order"), [(2, 2), (4, 4)])
def test_the_error_falls_with_the_order_of_the_stencil(
    points: int, order: int, molecule: Frames, water: PolarizableWater
) -> None:
    exact = water.predict(molecule)
    steps = (0.08, 0.04)
    errors = [
        np.abs(DipoleDerivative(water, step=h, points=points).predict(molecule) - exact).max()
        for h in steps
    ]
    assert np.log2(errors[0] / errors[1]) == pytest.approx(order, abs=0.2)


def test_no_index_is_exchanged(molecule: Frames, water: PolarizableWater) -> None:
    exact = water.predict(molecule)
    found = DipoleDerivative(water).predict(molecule)
    transposed = np.abs(found - np.swapaxes(exact, -1, -2)).max()
    assert np.abs(found - exact).max() < 1e-4 < 0.01 < transposed


def test_branches_of_a_periodic_dipole_do_not_matter(
    liquid: Frames, water: PolarizableWater
) -> None:
    frame = liquid[0]
    center = water.dipole(frame)[0]

    def folded(frames: Frames) -> np.ndarray:
        """The dipole on the branch of fractions in [0, 1), which jumps at this very frame."""
        fraction = (water.dipole(frames) - center) @ np.linalg.inv(frame.cell[0])
        return (fraction - np.floor(fraction)) @ frame.cell[0]

    raw = folded(frame.replace(positions=frame.positions + 1e-3 * frame.positions))
    assert np.abs(raw).max() > 1  # the jump is there
    error = DipoleDerivative(folded).predict(frame) - water.predict(frame)
    assert np.abs(error).max() < 1e-4


def test_batches_change_nothing(molecule: Frames, water: PolarizableWater) -> None:
    one = DipoleDerivative(water, batch=1).predict(molecule)
    sizes: list[int] = []

    def counted(frames: Frames) -> np.ndarray:
        sizes.append(len(frames))
        return water.dipole(frames)

    np.testing.assert_allclose(DipoleDerivative(counted, batch=7).predict(molecule), one, atol=1e-9)
    assert max(sizes) == 7
    assert sum(sizes) == 2 * 18


def test_units(molecule: Frames, water: PolarizableWater) -> None:
    model = DipoleDerivative(lambda frames: water.dipole(frames) / DEBYE, unit="debye")
    np.testing.assert_allclose(model.predict(molecule), water.predict(molecule), atol=1e-4)
    np.testing.assert_allclose(model.dipole(molecule), water.dipole(molecule))
    with pytest.raises(UnitError):
        DipoleDerivative(water, unit="debye/angstrom")


def test_it_conforms_and_is_integrable(molecule: Frames, water: PolarizableWater) -> None:
    report = check_model(DipoleDerivative(water, step=0.02, points=4), molecule)
    assert report.passed, str(report)
    for name in ("dipole_derivative_residual", "curl", "rotational_sum_rule_residual"):
        assert report[name].value < 2e-4


@pytest.mark.parametrize(
    ("source", "options", "message"),
    [
        (3, {}, "gives no dipole"),
        (lambda frames: np.zeros(3), {}, "dipole for each frame"),
        (lambda frames: np.full((len(frames), 3), np.nan), {}, "NaN"),
        (PolarizableWater(), {"points": 3}, "2 or 4"),
        (PolarizableWater(), {"step": 0.0}, "out of range"),
    ],
)
def test_errors(source: object, options: dict, message: str, molecule: Frames) -> None:
    with pytest.raises(InputError, match=message):
        DipoleDerivative(source, **options).predict(molecule)


@pytest.mark.engine
@pytest.mark.skipif(not (find_spec("tblite") and find_spec("ase")), reason="needs tblite and ase")
@pytest.mark.parametrize("system", ["h2o", "ch2o"])
def test_the_dipole_of_tblite_gives_the_labels_of_the_molecules(
    system: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Displaced dipoles by ASE against forces in fields by our engine: two routes to one tensor."""
    from aptbench.data import open_dataset

    if not (PROJECT / "datasets" / "molecules" / "molecules.zarr").exists():
        pytest.skip("the data is not here: dvc pull")
    monkeypatch.setenv("APTBENCH_ROOT", str(PROJECT))
    labels = open_dataset("molecules").labelled(system, labels=[100, 5000])
    (tmp_path / "model.yaml").write_text(
        "name: gfn2\ntitle: GFN2-xTB\n"
        "class: aptbench.models.adapters.dipole_derivative:DipoleDerivative\n"
        "parameters:\n"
        "  source: tblite.ase:TBLite\n"
        "  arguments: {method: GFN2-xTB, accuracy: 0.0001, verbosity: 0}\n"
        "  step: 0.02\n"
        "  points: 4\n"
    )
    model = load_model(tmp_path)
    apt = model.predict(labels.frames)
    # as exact as the labels: their acoustic sum rule holds to 2e-5 e
    assert np.abs(apt - labels.apt).max() < 4e-5
    assert np.abs(apt - np.swapaxes(labels.apt, -1, -2)).max() > 1e-3
    assert labels.dipole is not None
    np.testing.assert_allclose(model.dipole(labels.frames), labels.dipole, atol=1e-5)  # type: ignore[attr-defined]
