"""Learning from several systems together, and weights that are kept for a task."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from aptbench import Frames, LabelledFrames
from aptbench.errors import InputError
from aptbench.models import load_model
from aptbench.models.constant import ConstantCharge
from aptbench.models.equivariant import EquivariantModel
from aptbench.models.fitting import fit_model
from aptbench.models.linear_tensor import LinearTensor
from aptbench.models.mean_tensor import MeanTensor
from aptbench.models.mean_wannier import MeanWannier
from aptbench.models.normalization import Normalization
from aptbench.models.polarization import PolarizationModel
from aptbench.models.registry import weights_folder
from aptbench.models.wannier_network import WannierNetworkModel

TRAINING = {"steps": 12, "validate_every": 4}
SETTINGS = {"graph": {"cutoff": 4.0, "message_cutoff": 3.0, "radial": 4, "message_radial": 2}}


def equivariant() -> EquivariantModel:
    network = {"channels": 4, "message_channels": 2}
    return EquivariantModel(**SETTINGS, network=network, training=TRAINING, committee=2)


def polarization() -> PolarizationModel:
    return PolarizationModel(
        density={"cutoff": 4.0, "radial": 4},
        network={"channels": 4},
        training=TRAINING,
        committee=2,
    )


def wannier_network() -> WannierNetworkModel:
    return WannierNetworkModel(
        density={"cutoff": 4.0, "radial": 4},
        network={"channels": 4},
        training=TRAINING,
        committee=2,
    )


@pytest.fixture(scope="module")
def molecules() -> list[LabelledFrames]:
    """Water and hydrogen sulfide with labels of charges that depend on bond lengths."""
    rng = np.random.default_rng(0)
    shape = np.array([[0, 0, 0], [0.96, 0, 0], [-0.24, 0.93, 0]])
    found = []
    for z, charge in ((8, 0.4), (16, 0.1)):
        positions = shape * (1 if z == 8 else 1.4) + 0.05 * rng.normal(size=(5, 3, 3))
        bonds = np.linalg.norm(positions[:, 1:] - positions[:, :1], axis=2)
        q = charge * bonds
        charges = np.concatenate([-q.sum(1, keepdims=True), q], axis=1)
        # four pairs of electrons about the heavy atom, two of them on the bonds
        bonds = positions[:, 1:] - positions[:, :1]
        pairs = np.concatenate([0.4 * bonds, -0.3 * bonds], axis=1) + positions[:, :1]
        found.append(
            LabelledFrames(
                Frames([z, 1, 1], positions),
                charges[..., None, None] * np.eye(3),
                wannier_centers=pairs,
            )
        )
    return found


EVERY = [ConstantCharge, MeanTensor, LinearTensor, equivariant, polarization]
FROM_CENTERS = [MeanWannier, lambda: MeanWannier(order=1), wannier_network]


@pytest.mark.parametrize("make", EVERY + FROM_CENTERS)
def test_one_system_is_as_before_bit_by_bit(
    make: Callable[[], ConstantCharge], molecules: list[LabelledFrames]
) -> None:
    water = molecules[0]
    one = make().fit(water[:3], water[3:])
    two = make().fit_systems([water[:3]], [water[3:]])
    assert np.array_equal(one.predict(water.frames), two.predict(water.frames))
    if hasattr(one, "predict_std"):
        assert np.array_equal(one.predict_std(water.frames), two.predict_std(water.frames))


@pytest.mark.parametrize("make", EVERY + FROM_CENTERS)
def test_several_systems_are_learned_together(
    make: Callable[[], ConstantCharge], molecules: list[LabelledFrames]
) -> None:
    model = make()
    train = [labels[:3] for labels in molecules]
    summary = fit_model(model, train, [labels[3:] for labels in molecules])
    assert summary["n_parameters"] == model.n_parameters
    for labels in molecules:
        assert model.predict(labels.frames).shape == labels.apt.shape
    with pytest.raises(InputError):
        model.predict(Frames([9, 1], [[0, 0, 0], [0, 0, 0.9]]))


def test_every_atom_counts_the_same(molecules: list[LabelledFrames]) -> None:
    model = ConstantCharge(neutral=False).fit_systems([molecules[0], molecules[1][:1]])
    isotropic = [np.trace(m.apt, axis1=2, axis2=3) / 3 for m in (molecules[0], molecules[1][:1])]
    hydrogen = np.concatenate([q[:, 1:].ravel() for q in isotropic])
    assert model.charges_[1] == pytest.approx(hydrogen.mean())
    assert set(model.charges_) == {1, 8, 16}
    scales = Normalization.measure(*molecules)
    assert scales.species == (1, 8, 16)
    assert scales.mean[0] == pytest.approx(
        np.sqrt(3) * np.mean([np.trace(m.apt, axis1=2, axis2=3)[:, 1:] / 3 for m in molecules])
    )


@pytest.mark.parametrize("make", [MeanTensor, LinearTensor, MeanWannier])
def test_a_system_in_two_parts_is_the_same_system(
    make: Callable[[], MeanTensor], molecules: list[LabelledFrames]
) -> None:
    water = molecules[0]
    whole, parts = make().fit(water), make().fit_systems([water[:2], water[2:]])
    assert parts.predict(water.frames) == pytest.approx(whole.predict(water.frames), abs=1e-12)
    assert parts.n_parameters == whole.n_parameters


class _OfOneSystem(ConstantCharge):
    fit_systems = None


def test_a_model_of_one_system_says_so(molecules: list[LabelledFrames]) -> None:
    with pytest.raises(InputError, match="one system only"):
        fit_model(_OfOneSystem(), molecules)


def test_weights_of_a_task_are_beside_those_of_the_model(
    tmp_path: Path, molecules: list[LabelledFrames]
) -> None:
    (tmp_path / "model.yaml").write_text(
        "name: q\ntitle: Q\nclass: aptbench.models.constant:ConstantCharge\n"
    )
    ConstantCharge().fit(molecules[0]).save(tmp_path)
    place = tmp_path / "trained" / "few" / "others"
    place.mkdir(parents=True)
    ConstantCharge().fit_systems(molecules).save(place, {"task": "few/others@1"})
    assert weights_folder(tmp_path, "few/others@1") == place
    assert weights_folder(tmp_path, "few/else") == tmp_path
    own, other = load_model(tmp_path), load_model(tmp_path, task="few/others")
    assert set(own.charges_) == {1, 8}
    assert set(other.charges_) == {1, 8, 16}
    assert load_model(tmp_path, task="few/unknown").charges_ == own.charges_
    assert not load_model(tmp_path, task="few/others", trained=False).fitted
