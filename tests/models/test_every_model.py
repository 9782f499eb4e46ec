"""One family of exact properties over every model, ours and an outsider's."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from aptbench import Frames, LabelledFrames
from aptbench.models import APTModel, check_model, load_model
from aptbench.models.constant import ConstantCharge
from aptbench.models.linear_tensor import LinearTensor
from aptbench.models.mean_tensor import MeanTensor
from aptbench.models.point_charges import WATER_MODELS, PointCharges

OUTSIDER = '''
import numpy as np


class NearestDirection:
    """Anisotropic along the direction to the nearest neighbour."""

    def __init__(self, strength):
        self.strength = strength

    def predict(self, frames):
        result = np.zeros((len(frames), frames.n_atoms, 3, 3))
        for k in range(len(frames)):
            d = frames.positions[k][None] - frames.positions[k][:, None]
            if frames.cell is not None:
                fraction = d @ np.linalg.inv(frames.cell[k])
                d = (fraction - np.round(fraction)) @ frames.cell[k]
            r = np.linalg.norm(d, axis=-1) + 1e9 * np.eye(frames.n_atoms)
            unit = d[np.arange(frames.n_atoms), r.argmin(1)]
            result[k] = self.strength * unit[:, :, None] * unit[:, None, :]
        return result
'''


@pytest.fixture(scope="session")
def outsider(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("outsider")
    (folder / "their_model.py").write_text(OUTSIDER)
    (folder / "model.yaml").write_text(
        "name: outsider\ntitle: A model of somebody else\n"
        "class: their_model:NearestDirection\nparameters: {strength: 0.3}\n"
    )
    return folder


def _equivariant(labels: LabelledFrames, **settings: object) -> APTModel:
    pytest.importorskip("e3nn")
    from aptbench.models.equivariant import EquivariantModel

    model = EquivariantModel(
        graph={"cutoff": 4.0, "message_cutoff": 3.5, "radial": 4, "message_radial": 3},
        network={"channels": 4, "message_channels": 3, "output_scale": 1.0},
        training={"steps": 4, "validate_every": 2},
        **settings,  # type: ignore[arg-type]
    )
    return model.fit(labels)


def _polarization(labels: LabelledFrames, **settings: object) -> APTModel:
    pytest.importorskip("e3nn")
    from aptbench.models.polarization import PolarizationModel

    model = PolarizationModel(
        density={"cutoff": 4.0, "radial": 4},
        network={"channels": 4, "output_scale": 1.0},
        training={"steps": 4, "validate_every": 2},
        **settings,  # type: ignore[arg-type]
    )
    return model.fit(labels)


MODELS = {
    "constant-charge": lambda labels, _: ConstantCharge().fit(labels),
    "constant-charge, not neutral": lambda labels, _: ConstantCharge(neutral=False).fit(labels),
    **{f"point-charges {name}": lambda *_, w=name: PointCharges(w) for name in WATER_MODELS},
    "e3nn-reference": lambda labels, _: _equivariant(labels),
    "e3nn-reference, committee": lambda labels, _: _equivariant(
        labels, committee=2, sum_rule="mean"
    ),
    "e3nn-polarization": lambda labels, _: _polarization(labels),
    "e3nn-polarization, committee": lambda labels, _: _polarization(labels, committee=2),
    "mean-tensor": lambda labels, _: MeanTensor().fit(labels),
    "linear-tensor": lambda labels, _: LinearTensor(cutoff=4.0).fit(labels),
    "outsider": lambda _, folder: load_model(folder),
}


@pytest.mark.parametrize("name", MODELS)
def test_exact_properties(name: str, synthetic_labels: LabelledFrames, outsider: Path) -> None:
    model = MODELS[name](synthetic_labels, outsider)
    for frames in (synthetic_labels.frames, synthetic_labels.frames.replace(cell=None)):
        report = check_model(model, frames)
        assert report.passed, str(report)
        # a model that returns one constant for all atoms would pass everything else
        assert np.abs(model.predict(frames)).max() > 0.01


class Broken(ConstantCharge):
    """A constant charge with one defect, to see each check fail."""

    def __init__(self, defect: str) -> None:
        super().__init__({"O": -0.9, "H": 0.45})
        self.defect, self.calls = defect, 0

    def predict(self, frames: Frames) -> np.ndarray:
        apt = super().predict(frames)
        self.calls += 1
        positions = frames.positions
        match self.defect:
            case "shape_and_finite":
                apt[0, 0, 0, 0] = np.nan
            case "no_input_mutation" if positions.flags.writeable:
                positions += 1.0
            case "determinism":
                apt += 1e-3 * self.calls
            case "batch_equals_single":
                apt += 1e-3 * len(frames)
            case "translation":
                apt += 1e-3 * positions.mean()
            case "permutation":
                apt[:, 0] += 1e-3
            case "proper_rotation":
                apt[..., 0, 0] += 1e-3
            case "improper_rotation":
                volume = np.linalg.det(positions[:, [1, 2, 3]] - positions[:, [0]])
                apt += 1e-3 * np.sign(volume)[:, None, None, None] * np.eye(3)
            case "lattice_translation":
                apt *= 1 + 1e-3 * np.ptp(positions)
            case "supercell":
                apt *= frames.n_atoms
        return apt


@pytest.mark.parametrize(
    "defect",
    [
        "shape_and_finite",
        "no_input_mutation",
        "determinism",
        "batch_equals_single",
        "translation",
        "permutation",
        "proper_rotation",
        "improper_rotation",
        "lattice_translation",
        "supercell",
    ],
)
def test_each_check_can_fail(defect: str, synthetic_labels: LabelledFrames) -> None:
    report = check_model(Broken(defect), synthetic_labels.frames)
    assert not report[defect].passed
    assert not report.passed
    assert report.to_dict()["passed"] is False
    with pytest.raises(AssertionError, match=rf"FAIL +{defect}"):
        report.raise_if_failed()


def test_the_sum_rule_is_a_number_and_not_a_demand(synthetic_labels: LabelledFrames) -> None:
    model = ConstantCharge({"O": -0.8, "H": 0.45}, neutral=False)
    report = check_model(model, synthetic_labels.frames)
    n_molecules = synthetic_labels.frames.n_atoms // 3
    # only the three diagonal components of nine carry the excess of 0.1 e a molecule
    expected = 0.1 * n_molecules / np.sqrt(3)
    assert report["acoustic_sum_rule_residual"].value == pytest.approx(expected)
    assert report.passed
