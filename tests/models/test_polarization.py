"""The integrable model: its tensors are the derivative of its dipole, exactly."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from aptbench import Frames, LabelledFrames
from aptbench.errors import InputError, StoreError
from aptbench.models import check_model
from aptbench.models.polarization import PolarizationModel
from aptbench.models.properties import Subject, curl
from aptbench.models.protocol import APTModel

SMALL = {"density": {"cutoff": 4.0, "radial": 5}, "network": {"channels": 5, "output_scale": 1.0}}


def model(steps: int = 4, **settings: object) -> PolarizationModel:
    return PolarizationModel(**SMALL, training={"steps": steps, "validate_every": 5}, **settings)


@pytest.fixture(scope="module")
def fitted(synthetic_labels: LabelledFrames) -> PolarizationModel:
    return model().fit(synthetic_labels)


@pytest.mark.parametrize("periodic", [True, False])
def test_the_tensors_are_the_derivative_of_the_dipole(
    fitted: PolarizationModel, synthetic_labels: LabelledFrames, periodic: bool
) -> None:
    frame = synthetic_labels.frames[0]
    frame = frame if periodic else frame.replace(cell=None)
    apt = fitted.predict(frame)[0]
    # far from a constant charge: the derivative of the vectors counts
    assert np.abs(apt - np.trace(apt, axis1=1, axis2=2)[:, None, None] / 3 * np.eye(3)).max() > 0.01
    step = 2e-3
    for atom, axis in ((0, 0), (4, 2), (23, 1)):
        moved = []
        for sign in (1, -1):
            positions = frame.positions.copy()
            positions[0, atom, axis] += sign * step
            moved.append(fitted.dipole(frame.replace(positions=positions))[0])
        numerical = (moved[0] - moved[1]) / (2 * step)
        np.testing.assert_allclose(apt[atom, :, axis], numerical, atol=2e-3)


def test_sum_rules_are_exact(fitted: PolarizationModel, synthetic_labels: LabelledFrames) -> None:
    frames = synthetic_labels.frames
    np.testing.assert_allclose(fitted.predict(frames).sum(1), 0, atol=1e-5)
    charged = frames.replace(total_charge=1.0)
    total = fitted.predict(charged).sum(1)
    np.testing.assert_allclose(total, np.broadcast_to(np.eye(3), total.shape), atol=1e-5)
    isolated = frames.replace(cell=None)
    apt, dipole = fitted.predict(isolated), fitted.dipole(isolated)
    for axis in np.eye(3):
        turned = np.einsum("fapd,fad->fp", apt, np.cross(axis, isolated.positions))
        np.testing.assert_allclose(turned, np.cross(axis, dipole), atol=1e-5)


def test_exact_properties(fitted: PolarizationModel, synthetic_labels: LabelledFrames) -> None:
    report = check_model(fitted, synthetic_labels.frames)
    assert report.passed, str(report)


def test_only_this_model_is_integrable(
    fitted: PolarizationModel, synthetic_labels: LabelledFrames
) -> None:
    class NotAGradient:
        def predict(self, frames: Frames) -> np.ndarray:
            apt = fitted.predict(frames)
            return apt @ apt

    def curl_of(model: APTModel) -> float:
        frame = synthetic_labels.frames[0]
        return curl(Subject(model, frame, "model", np.random.default_rng(0)))

    assert curl_of(fitted) < 0.05 * curl_of(NotAGradient())


def test_the_derivative_of_the_density() -> None:
    from aptbench.models.differentiable_graph import DensitySettings, pair_density

    settings = DensitySettings(cutoff=5.0, radial=4, degree=3)
    vectors = np.random.default_rng(0).normal(size=(6, 3)) + 1.0
    _, slopes = pair_density(vectors, settings)
    for axis in range(3):
        shift = 1e-5 * np.eye(3)[axis]
        high, _ = pair_density(vectors + shift, settings)
        low, _ = pair_density(vectors - shift, settings)
        np.testing.assert_allclose(slopes[..., axis], (high - low) / 2e-5, atol=1e-6)


def test_learns_tensors_that_have_a_dipole(
    synthetic_water: Callable[[int, int], LabelledFrames],
) -> None:
    def labelled(n_frames: int, seed: int) -> LabelledFrames:
        frames = synthetic_water(n_frames, seed).frames
        return LabelledFrames(frames, _flux_tensors(frames))

    train, test = labelled(6, 2), labelled(2, 3)
    learner = PolarizationModel(
        density=SMALL["density"], network={"channels": 5}, training={"steps": 150}
    ).fit(train)
    error = np.sqrt(np.mean((learner.predict(test.frames) - test.apt) ** 2))
    charge = np.trace(train.apt, axis1=2, axis2=3).mean(0) / 3
    constant = charge[:, None, None] * np.eye(3)
    assert error < 0.5 * np.sqrt(np.mean((test.apt - constant) ** 2))


def _flux_tensors(frames: Frames) -> np.ndarray:
    """Return the derivative of M = sum over bonds O-H of (0.3 + 0.4 (r^2 - 0.94)) r."""
    molecules = frames.positions.reshape(len(frames), -1, 3, 3)
    bond = molecules[:, :, 1:] - molecules[:, :, :1]
    square = np.sum(bond**2, -1)[..., None, None]
    hydrogen = (0.3 + 0.4 * (square - 0.94)) * np.eye(3)
    hydrogen = hydrogen + 0.8 * bond[..., :, None] * bond[..., None, :]
    tensors = np.concatenate([-hydrogen.sum(2, keepdims=True), hydrogen], 2)
    return tensors.reshape(len(frames), -1, 3, 3)


def test_weights_survive_a_folder(
    tmp_path: Path, fitted: PolarizationModel, synthetic_labels: LabelledFrames
) -> None:
    path = fitted.save(tmp_path, {"task": "none"})
    again = PolarizationModel.from_folder(tmp_path)
    assert again.fitted
    assert again.provenance_ == {"task": "none"}
    frames = synthetic_labels.frames
    np.testing.assert_array_equal(again.predict(frames), fitted.predict(frames))
    np.testing.assert_array_equal(again.dipole(frames), fitted.dipole(frames))
    path.write_bytes(path.read_bytes()[:1000])
    with pytest.raises(StoreError, match="cannot be read"):
        PolarizationModel.read(path)


def test_a_committee_has_a_spread(synthetic_labels: LabelledFrames) -> None:
    committee = model(2, committee=2).fit(synthetic_labels)
    alone = model(2).fit(synthetic_labels)
    assert committee.n_parameters == 2 * alone.n_parameters
    assert committee.predict_std(synthetic_labels.frames).min() > 0
    assert not hasattr(alone, "predict_std")


def test_errors_say_what_to_do(fitted: PolarizationModel) -> None:
    with pytest.raises(InputError, match="no weights"):
        model().predict(Frames([8], [[0.0, 0, 0]]))
    with pytest.raises(InputError, match="does not know the species Na"):
        fitted.predict(Frames([11, 8], [[0, 0, 0], [0, 0, 2.0]]))
    with pytest.raises(InputError, match="no such setting"):
        PolarizationModel(network={"chanels": 4})
    with pytest.raises(InputError, match="no member"):
        PolarizationModel(committee=0)


def test_an_isolated_atom_carries_its_charge(fitted: PolarizationModel) -> None:
    alone = fitted.predict(Frames([8], [[0.0, 0, 0]], total_charge=-1.0))
    np.testing.assert_allclose(alone[0, 0], -np.eye(3), atol=1e-6)
