"""Networks of NequIP and Allegro, randomly initialised; skipped where the package is not installed.

Run it in an environment that has nequip: ``python -m pytest tests/models/adapters/test_nequip.py``.
"""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest

from aptbench import Frames
from aptbench.errors import InputError, MissingExtraError
from aptbench.models import check_model, load_model
from aptbench.models.adapters import DipoleDerivative, NequIPModel

pytestmark = pytest.mark.filterwarnings("ignore")
needs_nequip = pytest.mark.skipif(not find_spec("nequip"), reason="nequip is not installed")

NETWORKS = '''
import torch
from e3nn import o3
from e3nn.io import CartesianTensor
from nequip.data import AtomicDataDict
from nequip.model.utils import model_builder
from nequip.nn import AtomwiseLinear, GraphModuleMixin, SequentialGraphNetwork
from nequip.utils.global_state import global_state_initialized, set_global_state

NODE = AtomicDataDict.NODE_FEATURES_KEY


class ToCartesian(torch.nn.Module, GraphModuleMixin):
    """The irreps 0e + 1e + 2e of each atom as a tensor (atom, 3, 3)."""

    def __init__(self, field, irreps_in):
        super().__init__()
        self.field, self.tensor = field, CartesianTensor("ij")
        self._init_irreps(irreps_in=irreps_in, irreps_out={field: "0e+1e+2e"})

    def forward(self, data):
        data[self.field] = self.tensor.to_cartesian(data[self.field])
        return data


@model_builder
def _build(type_names, r_max, field, irreps):
    """The trunk of the NequIP network, and one linear readout of vectors or tensors."""
    from nequip.model import NequIPGNNModel

    energy = NequIPGNNModel(
        r_max=r_max, type_names=type_names, num_layers=3, l_max=2, parity=True, num_features=4,
        radial_mlp_depth=1, radial_mlp_width=8, avg_num_neighbors=4.0,
    )
    trunk = {}
    for name, module in energy.func.named_children():
        if name == "layer2_convnet":  # the last layer keeps scalars only
            break
        trunk[name] = module
    readout = AtomwiseLinear(
        field=NODE, out_field=field, irreps_out=irreps, irreps_in=module.irreps_in
    )
    trunk["readout"] = readout
    if irreps != "1o":
        trunk["cartesian"] = ToCartesian(field, readout.irreps_out)
    return SequentialGraphNetwork(trunk)


def make(field, irreps):
    if not global_state_initialized():
        set_global_state(allow_tf32=False)
    return _build(
        seed=0, model_dtype="float64", type_names=["H", "O"], r_max=3.0, field=field, irreps=irreps
    )
'''


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("nequip")
    (folder / "networks.py").write_text(NETWORKS)
    (folder / "model.yaml").write_text(
        "name: tensors\ntitle: Tensors\nclass: aptbench.models.adapters.nequip:NequIPModel\n"
        "parameters:\n  model: networks:make\n"
        "  arguments: {field: born_effective_charges, irreps: 0e+1e+2e}\n"
        "  tensor: born_effective_charges\n  order: pol,disp\n"
    )
    return folder


@needs_nequip
@pytest.mark.parametrize("system", ["molecule", "liquid"])
def test_tensors(folder: Path, system: str, request: pytest.FixtureRequest) -> None:
    frames = request.getfixturevalue(system)
    model = load_model(folder)
    report = check_model(model, frames)
    assert report.passed, str(report)
    apt = model.predict(frames)
    assert np.abs(apt - np.swapaxes(apt, -1, -2)).max() > 1e-6
    other = NequIPModel(
        model.network,  # type: ignore[attr-defined]
        tensor="born_effective_charges",
        order="disp,pol",
    )
    np.testing.assert_allclose(other.predict(frames), np.swapaxes(apt, -1, -2))
    assert not hasattr(model, "dipole")


@needs_nequip
@pytest.mark.parametrize("system", ["molecule", "liquid"])
def test_dipoles_are_added_up_and_differentiated(
    folder: Path, system: str, request: pytest.FixtureRequest
) -> None:
    frames = request.getfixturevalue(system)[:1]
    arguments = {"field": "dipole", "irreps": "1o"}
    model = NequIPModel("networks:make", arguments=arguments, dipole="dipole", folder=folder)
    assert np.abs(model.predict(frames)).max() > 1e-3
    report = check_model(model, frames)
    assert report.passed, str(report)
    assert report["dipole_derivative_residual"].value < 1e-3
    if system == "molecule":
        numerical = DipoleDerivative(model, step=0.005, points=4).predict(frames)
        np.testing.assert_allclose(model.predict(frames), numerical, atol=1e-6)


@needs_nequip
def test_errors(folder: Path, molecule: Frames) -> None:
    network = load_model(folder).network  # type: ignore[attr-defined]
    with pytest.raises(InputError, match="reads one output"):
        NequIPModel(network)
    with pytest.raises(InputError, match="index order"):
        NequIPModel(network, tensor="born_effective_charges")
    with pytest.raises(InputError, match="no output 'bec'"):
        NequIPModel(network, tensor="bec", order="pol,disp").predict(molecule)
    with pytest.raises(InputError, match="not a dipole"):
        NequIPModel(network, dipole="born_effective_charges").predict(molecule)
    with pytest.raises(InputError, match="does not know Na"):
        load_model(folder).predict(Frames([11, 8], [[0, 0, 0], [0, 0, 2]]))
    with pytest.raises(InputError, match="not a network of NequIP"):
        NequIPModel(3, dipole="dipole")


@pytest.mark.skipif(bool(find_spec("nequip")), reason="nequip is installed")
def test_without_the_package_the_extra_is_named() -> None:
    with pytest.raises(MissingExtraError, match=r"aptbench\[nequip\]"):
        NequIPModel("networks:make", dipole="dipole")
