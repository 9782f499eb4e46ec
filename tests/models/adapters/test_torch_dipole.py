"""Dipoles in torch, differentiated automatically."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from aptbench import Frames
from aptbench.errors import InputError
from aptbench.models import check_model, load_model
from aptbench.models.adapters import DipoleDerivative, TorchDipole
from aptbench.units import DEBYE

PAIRS = '''
import torch


class PairDipole(torch.nn.Module):
    """Each pair has a dipole along it that falls off smoothly."""

    def __init__(self, size=1):
        super().__init__()
        self.strength = torch.nn.Parameter(torch.full((size,), 0.3))

    def forward(self, positions, numbers, cell):
        d = positions[None] - positions[:, None]
        if cell is not None:
            fraction = d @ torch.linalg.inv(cell)
            d = d - torch.round(fraction).detach() @ cell
        r2 = (d**2).sum(-1, keepdim=True)
        sign = (numbers[None] - numbers[:, None]).sign()[..., None]
        decay = torch.exp(-2 * r2)
        return self.strength.sum() * (sign * decay * d).sum((0, 1))
'''


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "pairs.py").write_text(PAIRS)
    (tmp_path / "model.yaml").write_text(
        "name: pairs\ntitle: Pair dipoles\n"
        "class: aptbench.models.adapters.torch_dipole:TorchDipole\n"
        "parameters: {function: 'pairs:PairDipole', weights: strength.pt}\n"
    )
    torch.save({"strength": torch.tensor([0.5])}, tmp_path / "strength.pt")
    return tmp_path


def test_closed_form() -> None:
    """M = q x^2 along y of one atom: dM_y/dx = 2 q x, and nothing else."""

    def square(positions, numbers, cell):
        x = positions[:, 0]
        return torch.stack([0 * x.sum(), (x**2).sum(), 0 * x.sum()])

    apt = TorchDipole(square).predict(Frames([1, 1], [[0.5, 0, 0], [2, 0, 0]]))[0]
    expected = np.zeros((2, 3, 3))
    expected[:, 1, 0] = 1.0, 4.0
    np.testing.assert_allclose(apt, expected, atol=1e-14)


@pytest.mark.parametrize("system", ["molecule", "liquid"])
def test_it_is_the_derivative_of_its_dipole(
    system: str, folder: Path, request: pytest.FixtureRequest
) -> None:
    frames = request.getfixturevalue(system)
    model = load_model(folder)
    numerical = DipoleDerivative(model, step=0.005, points=4).predict(frames)
    assert np.abs(numerical).max() > 0.01
    np.testing.assert_allclose(model.predict(frames), numerical, atol=1e-6)
    report = check_model(model, frames)
    assert report.passed, str(report)
    assert report["curl"].value < 1e-3
    assert report["acoustic_sum_rule_residual"].value < 1e-12
    assert report["rounding_noise"].value < 1e-10


def test_weights_units_and_precision(folder: Path, molecule: Frames) -> None:
    half = load_model(folder).predict(molecule)
    untrained = TorchDipole("pairs:PairDipole", folder=folder).predict(molecule)
    np.testing.assert_allclose(half, untrained * 5 / 3, rtol=1e-6)
    debye = TorchDipole("pairs:PairDipole", folder=folder, unit="debye").predict(molecule)
    np.testing.assert_allclose(debye, untrained * DEBYE, rtol=1e-12)
    single = TorchDipole("pairs:PairDipole", folder=folder, dtype="float32")
    noise = check_model(single, molecule, only=["rounding_noise"])["rounding_noise"].value
    assert 1e-10 < noise < 1e-5


def test_errors(folder: Path, molecule: Frames) -> None:
    with pytest.raises(InputError, match="did not give a dipole"):
        TorchDipole(lambda positions, numbers, cell: positions).predict(molecule)
    with pytest.raises(InputError, match="Only a torch"):
        TorchDipole(lambda *_: None, weights="strength.pt")
    with pytest.raises(InputError, match="float64 or float32"):
        TorchDipole(lambda *_: None, dtype="float16")
    with pytest.raises(InputError, match="not a torch function"):
        TorchDipole(3)  # type: ignore[arg-type]
