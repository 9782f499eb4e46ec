"""Wannier centres find their atoms, and the network that learns their centroids."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from aptbench import Frames, LabelledFrames
from aptbench.errors import InputError, StoreError
from aptbench.models import check_model
from aptbench.models.polarization import PolarizationModel
from aptbench.models.wannier_centers import valence_charges, wannier_centroids
from aptbench.models.wannier_network import WannierNetworkModel

SMALL = {"density": {"cutoff": 4.0, "radial": 5}, "network": {"channels": 5}}
PULL = 0.12
"""Share of each bond vector by which a synthetic lone pair follows the hydrogens."""


def synthetic_centers(frames: Frames) -> np.ndarray:
    """Return four centres a molecule: half way along both bonds, and two of the lone pairs."""
    molecules = frames.positions.reshape(len(frames), -1, 3, 3)
    oxygen, bonds = molecules[:, :, :1], molecules[:, :, 1:] - molecules[:, :, :1]
    lone = -PULL * bonds.sum(2, keepdims=True)
    centers = np.concatenate([oxygen + 0.5 * bonds, oxygen + lone, oxygen + lone], 2)
    return centers.reshape(len(frames), -1, 3)


def with_centers(labels: LabelledFrames) -> LabelledFrames:
    return LabelledFrames(
        labels.frames, labels.apt, wannier_centers=synthetic_centers(labels.frames)
    )


@pytest.fixture(scope="module")
def labels(synthetic_labels: LabelledFrames) -> LabelledFrames:
    return with_centers(synthetic_labels)


@pytest.fixture(scope="module")
def fitted(labels: LabelledFrames) -> WannierNetworkModel:
    return WannierNetworkModel(**SMALL, training={"steps": 4}).fit(labels)


def test_centroids_of_a_closed_form(labels: LabelledFrames) -> None:
    frames, centers = labels.frames, labels.wannier_centers
    assert centers is not None
    molecules = frames.positions.reshape(len(frames), -1, 3, 3)
    bonds = (molecules[:, :, 1:] - molecules[:, :, :1]).sum(2)
    # any order and any image of the centres
    rng = np.random.default_rng(0)
    centers = centers[:, rng.permutation(centers.shape[1])]
    centers = centers + rng.integers(-2, 3, centers.shape) @ frames.cell
    result = wannier_centroids(frames, centers)
    np.testing.assert_array_equal(result.owner, np.arange(0, 24, 3))
    np.testing.assert_array_equal(result.count, 4)
    np.testing.assert_allclose(result.displacement, (0.5 - 2 * PULL) * bonds, atol=1e-10)


def test_centroids_give_the_dipole() -> None:
    frames = Frames([8, 1, 1], [[[0.1, 0, 0], [0.96, 0, 0], [-0.24, 0.93, 0]]])
    centers = synthetic_centers(frames)
    result = wannier_centroids(frames, centers)
    valence = valence_charges(frames.atomic_numbers)
    direct = valence @ frames.positions[0] - 2 * centers[0].sum(0)
    charges = valence.copy()
    charges[result.owner] -= 2 * result.count
    np.testing.assert_allclose(
        charges @ frames.positions[0] - 2 * result.displacement[0].sum(0), direct, atol=1e-12
    )


def test_impossible_centres_are_refused(labels: LabelledFrames) -> None:
    frames, centers = labels.frames, labels.wannier_centers
    assert centers is not None
    with pytest.raises(InputError, match="do not add up"):
        wannier_centroids(frames, centers[:, 1:])
    with pytest.raises(InputError, match="do not fit"):
        wannier_centroids(frames, centers[:1])
    moved = centers.copy()
    moved[1, 0] = frames.positions[1, 3]
    with pytest.raises(InputError, match="owns another number"):
        wannier_centroids(frames, moved)
    with pytest.raises(InputError, match="no atom to own"):
        wannier_centroids(Frames([1, 1], [[0, 0, 0], [0.7, 0, 0]]), [[[0.35, 0, 0]]])
    with pytest.raises(InputError, match="Au"):
        valence_charges([79])


def test_learns_centroids_and_never_sees_a_tensor() -> None:
    train, test = _molecules(40, 0), _molecules(5, 1)
    nonsense = LabelledFrames(
        train, np.zeros((40, 3, 3, 3)), wannier_centers=synthetic_centers(train)
    )
    learner = WannierNetworkModel(
        **SMALL, training={"steps": 300, "learning_rate": 0.01, "validate_every": 300}
    ).fit(nonsense)
    # M = sum_i Z_i R_i - 2 sum of centres is linear in the positions
    hydrogen = 1.0 - 2 * (0.5 - 2 * PULL)
    expected = np.array([-2 * hydrogen, hydrogen, hydrogen])[:, None, None] * np.eye(3)
    error = np.sqrt(np.mean((learner.predict(test) - expected) ** 2))
    # the charges -2 and 1 alone are wrong by more than the spread of the tensors
    assert error < 0.3 * np.sqrt(np.mean(expected**2))


def _molecules(n_frames: int, seed: int) -> Frames:
    rng = np.random.default_rng(seed)
    positions = np.array([[0, 0, 0], [0.96, 0, 0], [-0.24, 0.93, 0]])
    return Frames([8, 1, 1], positions + 0.08 * rng.normal(size=(n_frames, 3, 3)))


def test_exact_properties(fitted: WannierNetworkModel, labels: LabelledFrames) -> None:
    for frames in (labels.frames, labels.frames.replace(cell=None)):
        report = check_model(fitted, frames)
        assert report.passed, str(report)
    np.testing.assert_allclose(fitted.predict(labels.frames).sum(1), 0, atol=1e-5)


def test_the_tensors_are_the_derivative_of_the_dipole(
    fitted: WannierNetworkModel, labels: LabelledFrames
) -> None:
    frame, step = labels.frames[0], 2e-3
    apt = fitted.predict(frame)[0]
    for atom in (0, 1, 23):
        moved = []
        for sign in (1, -1):
            positions = frame.positions.copy()
            positions[0, atom, 1] += sign * step
            moved.append(fitted.dipole(frame.replace(positions=positions))[0])
        numerical = (moved[0] - moved[1]) / (2 * step)
        np.testing.assert_allclose(apt[atom, :, 1], numerical, atol=2e-3)


def test_labels_and_frames_that_it_cannot_use(
    fitted: WannierNetworkModel, synthetic_labels: LabelledFrames
) -> None:
    with pytest.raises(InputError, match="the labels have none"):
        WannierNetworkModel(**SMALL).fit(synthetic_labels)
    with pytest.raises(InputError, match="total charge"):
        fitted.predict(synthetic_labels.frames.replace(total_charge=1.0))


def test_weights_survive_a_folder(
    tmp_path: Path, fitted: WannierNetworkModel, labels: LabelledFrames
) -> None:
    path = fitted.save(tmp_path)
    again = WannierNetworkModel.from_folder(tmp_path)
    np.testing.assert_array_equal(again.predict(labels.frames), fitted.predict(labels.frames))
    with pytest.raises(StoreError, match="another kind"):
        PolarizationModel.read(path)
