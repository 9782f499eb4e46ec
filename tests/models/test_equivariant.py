"""The trained model: it learns, resumes exactly, and its file survives."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import yaml

from aptbench import Frames, LabelledFrames
from aptbench.errors import InputError, StoreError
from aptbench.models import load_model
from aptbench.models.equivariant import EquivariantModel
from aptbench.models.normalization import Normalization
from aptbench.models.training import Progress

SMALL = {
    "graph": {"cutoff": 4.0, "message_cutoff": 3.0, "radial": 6, "message_radial": 3},
    "network": {"channels": 6, "message_channels": 3, "smoothness": 4.0},
}


def model(steps: int, **training: object) -> EquivariantModel:
    return EquivariantModel(**SMALL, training={"steps": steps, "validate_every": 10, **training})


@pytest.fixture(scope="module")
def trained(synthetic_labels: LabelledFrames) -> EquivariantModel:
    return model(6).fit(synthetic_labels)


def test_learns_a_synthetic_tensor(
    synthetic_water: Callable[[int, int], LabelledFrames],
) -> None:
    train, test = synthetic_water(6, 2), synthetic_water(2, 3)
    fitted = model(80, learning_rate=0.01, weight_decay=0.1).fit(train)
    spread = np.sqrt(np.mean((test.apt - _mean_charge(train, test.frames)) ** 2))
    error = np.sqrt(np.mean((fitted.predict(test.frames) - test.apt) ** 2))
    assert error < 0.5 * spread
    antisymmetric = test.apt - test.apt.swapaxes(-1, -2)
    learned = fitted.predict(test.frames)
    learned = learned - learned.swapaxes(-1, -2)
    # a model of the transposed tensors would have a slope of -1 here
    slope = np.sum(learned * antisymmetric) / np.sum(antisymmetric**2)
    assert slope == pytest.approx(1, abs=0.2)


def _mean_charge(train: LabelledFrames, frames: Frames) -> np.ndarray:
    from aptbench.models.constant import ConstantCharge

    return ConstantCharge(neutral=False).fit(train).predict(frames)


def test_normalization_is_covariant(synthetic_labels: LabelledFrames) -> None:
    rotation = np.linalg.qr(np.random.default_rng(0).normal(size=(3, 3)))[0]
    turned = LabelledFrames(
        synthetic_labels.frames.rotated(rotation), rotation @ synthetic_labels.apt @ rotation.T
    )
    first, second = Normalization.measure(synthetic_labels), Normalization.measure(turned)
    np.testing.assert_allclose(first.mean, second.mean, rtol=1e-10)
    np.testing.assert_allclose(first.scale, second.scale, rtol=1e-10)


def test_same_seed_same_weights(
    trained: EquivariantModel, synthetic_labels: LabelledFrames
) -> None:
    again = model(6).fit(synthetic_labels).predict(synthetic_labels.frames)
    np.testing.assert_array_equal(again, trained.predict(synthetic_labels.frames))
    other = model(6, seed=5).fit(synthetic_labels).predict(synthetic_labels.frames)
    assert np.abs(other - again).max() > 1e-6


class KilledError(Exception):
    """Stands for a run that was stopped."""


def test_a_killed_run_goes_on_exactly(tmp_path: Path, synthetic_labels: LabelledFrames) -> None:
    whole = model(8, validate_every=2).fit(synthetic_labels, synthetic_labels)

    def kill(_: int, progress: Progress) -> None:
        if progress.step == 5:
            raise KilledError

    with pytest.raises(KilledError):
        model(8, validate_every=2).fit(
            synthetic_labels, synthetic_labels, checkpoint=tmp_path / "run", report=kill
        )
    assert [p.name for p in tmp_path.iterdir()] == ["run.0"]
    seen: list[int] = []
    resumed = model(8, validate_every=2).fit(
        synthetic_labels,
        synthetic_labels,
        checkpoint=tmp_path / "run",
        report=lambda _, progress: seen.append(progress.step),
    )
    assert seen == [5, 6, 7, 8]
    assert not list(tmp_path.iterdir())
    np.testing.assert_array_equal(
        resumed.predict(synthetic_labels.frames), whole.predict(synthetic_labels.frames)
    )


def test_a_checkpoint_of_other_settings_is_refused(
    tmp_path: Path, synthetic_labels: LabelledFrames
) -> None:
    def kill(*_: object) -> None:
        raise KilledError

    with pytest.raises(KilledError):
        model(8, validate_every=1).fit(synthetic_labels, checkpoint=tmp_path / "run", report=kill)
    with pytest.raises(InputError, match="other settings"):
        model(9, validate_every=1).fit(synthetic_labels, checkpoint=tmp_path / "run")


def test_weights_survive_a_folder(
    tmp_path: Path, trained: EquivariantModel, synthetic_labels: LabelledFrames
) -> None:
    (tmp_path / "model.yaml").write_text(
        "{name: mine, title: Mine, class: 'aptbench.models.equivariant:EquivariantModel'}"
    )
    (tmp_path / "train.yaml").write_text(yaml.safe_dump(SMALL))
    with pytest.raises(InputError, match="no weights"):
        load_model(tmp_path).predict(synthetic_labels.frames)
    trained.save(tmp_path, {"task": "none"})
    loaded = load_model(tmp_path)
    assert loaded.name == "mine"
    assert loaded.provenance_ == {"task": "none"}
    np.testing.assert_array_equal(
        loaded.predict(synthetic_labels.frames), trained.predict(synthetic_labels.frames)
    )
    assert not load_model(tmp_path, trained=False).fitted


def test_damaged_weights_say_so(tmp_path: Path, trained: EquivariantModel) -> None:
    path = trained.save(tmp_path)
    path.write_bytes(path.read_bytes()[:1000])
    with pytest.raises(StoreError, match="cannot be read"):
        EquivariantModel.read(path)


def test_unknown_species_and_settings_say_so(trained: EquivariantModel) -> None:
    with pytest.raises(InputError, match=r"does not know the species Na"):
        trained.predict(Frames([11, 8], [[0, 0, 0], [0, 0, 2.0]]))
    with pytest.raises(InputError, match="no such setting"):
        EquivariantModel(network={"chanels": 4})
    with pytest.raises(InputError, match="impossible"):
        EquivariantModel(sum_rule="maybe")


def test_sum_rule_option_and_committee_spread(synthetic_labels: LabelledFrames) -> None:
    committee = EquivariantModel(**SMALL, training={"steps": 2}, committee=2, sum_rule="mean")
    committee.fit(synthetic_labels)
    apt = committee.predict(synthetic_labels.frames)
    np.testing.assert_allclose(apt.sum(1), 0, atol=1e-12)
    spread = committee.predict_std(synthetic_labels.frames)
    assert spread.shape == apt.shape
    assert spread.max() > 0


def test_an_isolated_atom_and_far_environments_stay_finite(trained: EquivariantModel) -> None:
    alone = trained.predict(Frames([8], [[0.0, 0, 0]]))
    off_diagonal = alone[0, 0] - np.trace(alone[0, 0]) / 3 * np.eye(3)
    np.testing.assert_allclose(off_diagonal, 0, atol=1e-6)
    close = trained.predict(Frames([8, 1, 1], [[0, 0, 0], [0.5, 0, 0], [0, 0.5, 0]]))
    assert np.abs(close).max() < 100
