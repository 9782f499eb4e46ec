"""The adapters of NequIP and MACE on stand-ins for the packages: a linear dipole, known tensors."""

from __future__ import annotations

import sys
import types
from typing import Any

import numpy as np
import pytest

pytest.importorskip("ase")
pytest.importorskip("torch")

import torch

from aptbench import Frames
from aptbench.models.adapters import MACEDipole, NequIPModel
from aptbench.units import DEBYE

RNG = np.random.default_rng(0)
FACTORS = RNG.normal(size=(2, 3, 3, 3))
"""M_pol = sum factor[atom, pol, disp] R[atom, disp] of two networks."""
FRAMES = Frames([8, 1, 1], RNG.normal(size=(2, 3, 3)), [9.0, 9.0, 9.0])


class LinearDipole(torch.nn.Module):  # type: ignore[misc]
    """A network of both frameworks whose dipole is linear in the positions."""

    atomic_numbers, r_max = (1, 8), 4.0
    metadata = types.MappingProxyType({"type_names": "H O", "r_max": "4.0"})

    def __init__(self, factor: np.ndarray) -> None:
        super().__init__()
        self.factor = torch.nn.Parameter(torch.tensor(factor))

    def forward(self, data: dict[str, Any], **_: bool) -> dict[str, Any]:
        parts = torch.einsum("aij,aj->ai", self.factor, data["positions"])
        return {
            "dipole": parts.sum(0)[None],
            "dipoles": parts,
            "tensor": self.factor,
            "row": self.factor.reshape(-1, 9),
        }


def stand_in(monkeypatch: pytest.MonkeyPatch, name: str, **content: Any) -> None:
    module = types.ModuleType(name)
    vars(module).update(content)
    monkeypatch.setitem(sys.modules, name, module)


@pytest.fixture
def nequip(monkeypatch: pytest.MonkeyPatch) -> None:
    def from_ase(atoms: Any) -> dict[str, Any]:
        return {"positions": torch.tensor(atoms.positions)}

    keys = types.SimpleNamespace(POSITIONS_KEY="positions", to_=lambda data, device: data)
    for name in ("nequip", "nequip.integrations"):
        stand_in(monkeypatch, name)
    stand_in(monkeypatch, "nequip.integrations.utils", basic_transforms=lambda *_: [])
    stand_in(monkeypatch, "nequip.data", AtomicDataDict=keys, from_ase=from_ase)


@pytest.fixture
def mace(monkeypatch: pytest.MonkeyPatch) -> None:
    class Batch(dict[str, Any]):
        """It rounds, as that of mace does; the adapter puts its own positions in their place."""

        @classmethod
        def from_data_list(cls, graphs: list[Any]) -> Batch:
            positions = torch.tensor(graphs[0].positions, dtype=torch.float32)
            return cls(positions=positions, unit_shifts=torch.zeros((4, 3)))

        def to(self, device: str) -> Batch:
            return self

        def to_dict(self) -> dict[str, Any]:
            return dict(self)

    graph = types.SimpleNamespace(from_config=lambda atoms, **_: atoms)
    data = types.ModuleType("mace.data")
    vars(data).update(config_from_atoms=lambda atoms: atoms, AtomicData=graph)
    monkeypatch.setitem(sys.modules, "mace.data", data)
    stand_in(monkeypatch, "mace", data=data)
    geometric = types.SimpleNamespace(Batch=Batch)
    stand_in(monkeypatch, "mace.tools", AtomicNumberTable=list, torch_geometric=geometric)


def moments(factor: np.ndarray) -> np.ndarray:
    return np.einsum("aij,faj->fi", factor, FRAMES.positions)


@pytest.mark.usefixtures("nequip")
def test_nequip_reads_tensors_in_the_order_that_is_named() -> None:
    network = LinearDipole(FACTORS[0])
    for output in ("tensor", "row"):
        for order, expected in (("pol,disp", FACTORS[0]), ("disp,pol", FACTORS[0].swapaxes(1, 2))):
            found = NequIPModel(network, tensor=output, order=order).predict(FRAMES)
            np.testing.assert_allclose(found, [expected] * 2, rtol=1e-12)


@pytest.mark.usefixtures("nequip")
@pytest.mark.parametrize(("unit", "factor"), [("e angstrom", 1.0), ("debye", DEBYE)])
@pytest.mark.parametrize("output", ["dipole", "dipoles"])
def test_nequip_differentiates_a_dipole(output: str, unit: str, factor: float) -> None:
    model = NequIPModel(LinearDipole(FACTORS[0]), dipole=output, unit=unit)
    np.testing.assert_allclose(model.predict(FRAMES), [factor * FACTORS[0]] * 2, rtol=1e-12)
    np.testing.assert_allclose(model.dipole(FRAMES), factor * moments(FACTORS[0]), rtol=1e-12)


@pytest.mark.usefixtures("mace")
@pytest.mark.parametrize(
    ("options", "factor"), [({}, DEBYE), ({"unit": "debye"}, DEBYE), ({"unit": "e angstrom"}, 1.0)]
)
def test_mace_differentiates_mean_and_spread_of_a_committee(
    options: dict[str, str], factor: float
) -> None:
    model = MACEDipole([LinearDipole(one) for one in FACTORS], **options)
    mean, spread = factor * FACTORS.mean(0), factor * np.abs(FACTORS[0] - FACTORS[1]) / 2
    np.testing.assert_allclose(model.predict(FRAMES), [mean] * 2, rtol=1e-12)
    np.testing.assert_allclose(model.predict_std(FRAMES), [spread] * 2, rtol=1e-9)
    np.testing.assert_allclose(model.dipole(FRAMES), moments(mean), rtol=1e-12)
    assert model.n_parameters == FACTORS.size
    alone = MACEDipole(LinearDipole(FACTORS[1]), **options)
    np.testing.assert_allclose(alone.predict(FRAMES), [factor * FACTORS[1]] * 2, rtol=1e-12)
    assert not alone.predict_std(FRAMES).any()
