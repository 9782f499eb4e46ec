"""The trained model: it learns, resumes exactly, and its file survives."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
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


def test_a_finished_network_of_a_committee_is_not_trained_again(
    tmp_path: Path, synthetic_labels: LabelledFrames
) -> None:
    def committee() -> EquivariantModel:
        return EquivariantModel(**SMALL, training={"steps": 4, "validate_every": 2}, committee=2)

    def kill(member: int, progress: Progress) -> None:
        if (member, progress.step) == (1, 3):
            raise KilledError

    with pytest.raises(KilledError):
        committee().fit(synthetic_labels, checkpoint=tmp_path / "run", report=kill)
    seen: list[tuple[int, int, float]] = []
    resumed = committee().fit(
        synthetic_labels,
        checkpoint=tmp_path / "run",
        report=lambda member, p: seen.append((member, p.step, p.seconds)),
    )
    assert [place[:2] for place in seen] == [(1, 3), (1, 4)]
    assert not list(tmp_path.iterdir())
    whole = committee().fit(synthetic_labels)
    frames = synthetic_labels.frames
    np.testing.assert_array_equal(resumed.predict(frames), whole.predict(frames))


def test_a_batch_adds_up_its_gradients(synthetic_labels: LabelledFrames) -> None:
    frames = synthetic_labels.frames
    one = model(3).fit(synthetic_labels[0]).predict(frames)
    # the mean over twice the same frame is that frame
    np.testing.assert_allclose(
        model(3, batch=2).fit(synthetic_labels[0]).predict(frames), one, atol=1e-6
    )
    assert np.abs(model(3, batch=2).fit(synthetic_labels).predict(frames) - one).max() > 1e-4


def test_a_checkpoint_of_other_settings_is_refused(
    tmp_path: Path, synthetic_labels: LabelledFrames
) -> None:
    def kill(*_: object) -> None:
        raise KilledError

    with pytest.raises(KilledError):
        model(8, validate_every=1).fit(synthetic_labels, checkpoint=tmp_path / "run", report=kill)
    with pytest.raises(InputError, match="other settings"):
        model(9, validate_every=1).fit(synthetic_labels, checkpoint=tmp_path / "run")
    # another network, and other labels
    smaller = {**SMALL, "graph": {**SMALL["graph"], "message_cutoff": 2.5}}
    other = EquivariantModel(
        **{**smaller, "training": model(8, validate_every=1).config["training"]}
    )
    for wrong, labels in (
        (other, synthetic_labels),
        (model(8, validate_every=1), synthetic_labels[1:]),
    ):
        with pytest.raises(InputError, match="another network or other labels"):
            wrong.fit(labels, checkpoint=tmp_path / "run")
    model(8, validate_every=1).fit(synthetic_labels, checkpoint=tmp_path / "run")


def test_settings_of_a_graph_that_would_jump_are_refused() -> None:
    with pytest.raises(InputError, match="settings of the graph"):
        EquivariantModel(graph={"cutoff": 4.0})


def test_parameters_that_the_weights_do_not_have_are_refused(
    tmp_path: Path, trained: EquivariantModel
) -> None:
    trained.save(tmp_path)
    text = "{name: mine, title: Mine, class: 'aptbench.models.equivariant:EquivariantModel'"
    for parameters, good in (
        ("{sum_rule: none}", True),
        ("{graph: {cutoff: 4.0}}", True),
        ("{sum_rule: mean}", False),
        ("{graph: {cutoff: 9.0}}", False),
    ):
        (tmp_path / "model.yaml").write_text(f"{text}, parameters: {parameters}}}")
        if good:
            assert load_model(tmp_path).fitted
        else:
            with pytest.raises(InputError, match="trained with another"):
                load_model(tmp_path)


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
    members = committee._predictions(synthetic_labels.frames)
    expected = (np.square(members[0] - members[1]) / 2).mean((-2, -1))
    np.testing.assert_allclose(spread[..., 1, 2] ** 2, expected)
    assert not hasattr(model(2), "predict_std")


def test_the_standard_error_is_calibrated_on_validation_labels(
    synthetic_water: Callable[[int, int], LabelledFrames], tmp_path: Path
) -> None:
    train, validation, test = (synthetic_water(n, seed) for n, seed in ((3, 7), (3, 8), (6, 9)))
    settings = {"steps": 30, "validate_every": 10, "learning_rate": 0.01}
    committee = EquivariantModel(**SMALL, training=settings, committee=2)
    committee.fit(train, validation)
    sigma = committee.predict_std(test.frames)
    error = committee.predict(test.frames) - test.apt
    for z in (1, 8):
        atoms = test.frames.atomic_numbers == z
        assert np.sqrt(np.mean((error / sigma)[:, atoms] ** 2)) == pytest.approx(1, abs=0.25)
    rotation = np.linalg.qr(np.random.default_rng(4).normal(size=(3, 3)))[0]
    turned = committee.predict_std(test.frames.rotated(rotation))
    np.testing.assert_allclose(turned, sigma, atol=1e-5)
    read = EquivariantModel.read(committee.save(tmp_path))
    np.testing.assert_allclose(read.predict_std(test.frames), sigma)


def test_weights_of_the_first_format_can_still_be_read(
    tmp_path: Path, trained: EquivariantModel, synthetic_labels: LabelledFrames
) -> None:
    path = trained.save(tmp_path)
    content = torch.load(path, weights_only=True)
    del content["calibration"]
    del content["config"]["training"]["batch"]
    torch.save({**content, "format": 1}, path)
    old = EquivariantModel.read(path)
    frames = synthetic_labels.frames
    np.testing.assert_array_equal(old.predict(frames), trained.predict(frames))


def test_an_isolated_atom_and_far_environments_stay_finite(trained: EquivariantModel) -> None:
    alone = trained.predict(Frames([8], [[0.0, 0, 0]]))
    off_diagonal = alone[0, 0] - np.trace(alone[0, 0]) / 3 * np.eye(3)
    np.testing.assert_allclose(off_diagonal, 0, atol=1e-6)
    close = trained.predict(Frames([8, 1, 1], [[0, 0, 0], [0.5, 0, 0], [0, 0.5, 0]]))
    assert np.abs(close).max() < 100
