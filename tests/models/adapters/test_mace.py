"""Dipole networks of mace-torch, randomly initialised; skipped where the package is not installed.

Run it in an environment that has mace: ``python -m pytest tests/models/adapters/test_mace.py``.
"""

from __future__ import annotations

import sys
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest

import aptbench
from aptbench import Frames
from aptbench.errors import InputError, MissingExtraError
from aptbench.models import check_model, load_model
from aptbench.models.adapters import DipoleDerivative, ExternalPython, MACEDipole
from aptbench.models.adapters.atoms import to_atoms
from aptbench.units import DEBYE

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning")
needs_mace = pytest.mark.skipif(not find_spec("mace"), reason="mace-torch is not installed")
CLASSES = {"AtomicDipolesMACE": "DipoleMACE", "EnergyDipolesMACE": "EnergyDipoleMACE"}


def network(name: str, seed: int = 0):
    """A small network of random weights in float64."""
    import torch
    from e3nn import o3
    from mace import modules
    from mace.tools.torch_tools import default_dtype

    both = name == "EnergyDipolesMACE"
    interaction = modules.interaction_classes["RealAgnosticResidualInteractionBlock"]
    with default_dtype("float64"), torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return getattr(modules, name)(
            r_max=3.0,
            num_bessel=4,
            num_polynomial_cutoff=5,
            max_ell=2,
            interaction_cls=interaction,
            interaction_cls_first=interaction,
            num_interactions=2,
            num_elements=2,
            hidden_irreps=o3.Irreps("4x0e + 4x1o" + ("" if both else " + 4x2e")),
            MLP_irreps=o3.Irreps("4x0e + 4x1o" if both else "4x0e"),
            avg_num_neighbors=4.0,
            atomic_numbers=[1, 8],
            correlation=2,
            gate=torch.nn.functional.silu,
            atomic_energies=np.zeros(2) if both else None,
        )


@pytest.fixture(scope="module", params=CLASSES)
def model(request: pytest.FixtureRequest) -> MACEDipole:
    pytest.importorskip("mace")
    return MACEDipole(network(request.param))


@needs_mace
@pytest.mark.parametrize("system", ["molecule", "liquid"])
def test_it_conforms_and_is_the_derivative_of_its_dipole(
    model: MACEDipole, system: str, request: pytest.FixtureRequest
) -> None:
    frames = request.getfixturevalue(system)
    report = check_model(model, frames)
    assert report.passed, str(report)
    assert np.abs(model.predict(frames)).max() > 1e-4
    assert report["dipole_derivative_residual"].value < 1e-4
    assert report["acoustic_sum_rule_residual"].value < 1e-10
    if system == "molecule":
        numerical = DipoleDerivative(model, step=0.005, points=4).predict(frames)
        np.testing.assert_allclose(model.predict(frames), numerical, atol=1e-7)


@needs_mace
@pytest.mark.parametrize("name", CLASSES)
def test_it_agrees_with_the_calculator_of_mace(name: str, molecule: Frames) -> None:
    from mace.calculators import MACECalculator

    made = network(name)
    calculator = MACECalculator(models=made, model_type=CLASSES[name], default_dtype="float64")
    theirs = calculator.get_property("dipole", to_atoms(molecule))
    np.testing.assert_allclose(MACEDipole(made).dipole(molecule)[0], theirs * DEBYE, atol=1e-12)
    assert np.abs(theirs).max() > 1e-4


@needs_mace
def test_fixed_charges_add_their_tensor(molecule: Frames) -> None:
    made = network("AtomicDipolesMACE")
    change = MACEDipole(made, charges={"O": -0.8, "H": 0.4}).predict(molecule)
    change = change - MACEDipole(made).predict(molecule)
    expected = np.array([-0.8, 0.4, 0.4])[:, None, None] * np.eye(3)
    np.testing.assert_allclose(change[0], expected, atol=1e-8)


@needs_mace
def test_committee_and_files(tmp_path: Path, molecule: Frames) -> None:
    import torch

    paths = [tmp_path / f"{seed}.model" for seed in (1, 2)]
    for seed, path in enumerate(paths):
        torch.save(network("AtomicDipolesMACE", seed), path)
    (tmp_path / "model.yaml").write_text(
        "name: pair\ntitle: Two networks\nclass: aptbench.models.adapters.mace:MACEDipole\n"
        "parameters: {models: ['{folder}/1.model', '{folder}/2.model']}\n"
    )
    committee = load_model(tmp_path)
    assert isinstance(committee, MACEDipole)
    single = [MACEDipole(path).predict(molecule) for path in paths]
    np.testing.assert_allclose(committee.predict(molecule), np.mean(single, 0))
    np.testing.assert_allclose(committee.predict_std(molecule), np.std(single, 0))
    with pytest.raises(InputError, match=r"do not know Na"):
        committee.predict(Frames([11, 8], [[0, 0, 0], [0, 0, 2]]))
    (tmp_path / "1.model").write_bytes(b"damaged")
    with pytest.raises(InputError, match="cannot be read"):
        load_model(tmp_path)
    with pytest.raises(InputError, match="has no dipole"):
        MACEDipole(torch.nn.Linear(1, 1))


@needs_mace
def test_it_runs_in_another_python(tmp_path: Path, molecule: Frames) -> None:
    """With this interpreter as the other one: the file mace.py of the adapter hides nothing."""
    import torch

    path = tmp_path / "one.model"
    torch.save(network("AtomicDipolesMACE"), path)
    with ExternalPython(
        sys.executable,
        "aptbench.models.adapters.mace:MACEDipole",
        arguments={"models": str(path)},
        environment={"PYTHONPATH": str(Path(aptbench.__file__).parents[1])},
    ) as remote:
        np.testing.assert_allclose(remote.predict(molecule), MACEDipole(path).predict(molecule))


@pytest.mark.skipif(bool(find_spec("mace")), reason="mace-torch is installed")
def test_without_the_package_the_extra_is_named() -> None:
    with pytest.raises(MissingExtraError, match=r"aptbench\[mace\]"):
        MACEDipole("some.model")
