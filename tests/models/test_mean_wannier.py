"""Mean Wannier centres that turn with the molecule: dipoles and their exact derivative."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from aptbench import Frames, LabelledFrames
from aptbench.errors import InputError, StoreError
from aptbench.models import check_model
from aptbench.models.mean_wannier import MeanWannier

TETRAHEDRON = np.array([[1, 1, 1], [1, -1, -1], [-1, 1, -1], [-1, -1, 1]]) / np.sqrt(3)


def _with_centers(labels: LabelledFrames) -> LabelledFrames:
    """Synthetic centres: one pair on each O-H bond, two behind the oxygen, covariant."""
    atoms = labels.frames.positions.reshape(len(labels), -1, 3, 3)
    oxygen, bonds = atoms[:, :, 0], atoms[:, :, 1:] - atoms[:, :, :1]
    normal = np.cross(bonds[:, :, 0], bonds[:, :, 1])
    normal /= np.linalg.norm(normal, axis=-1, keepdims=True)
    behind = -0.2 * bonds.sum(2)
    pairs = [
        0.5 * bonds[:, :, 0],
        0.5 * bonds[:, :, 1],
        behind + 0.3 * normal,
        behind - 0.3 * normal,
    ]
    centers = np.stack([oxygen + pair for pair in pairs], 2).reshape(len(labels), -1, 3)
    return LabelledFrames(labels.frames, labels.apt, wannier_centers=centers)


@pytest.fixture(scope="module")
def labels(synthetic_labels: LabelledFrames) -> LabelledFrames:
    return _with_centers(synthetic_labels)


def _numerical(model: MeanWannier, frames: Frames, step: float = 1e-4) -> np.ndarray:
    result = np.zeros((frames.n_atoms, 3, 3))
    for atom in range(frames.n_atoms):
        for disp in range(3):
            shift = np.zeros_like(frames.positions)
            shift[:, atom, disp] = step
            after = model.dipole(frames.replace(positions=frames.positions + shift))
            before = model.dipole(frames.replace(positions=frames.positions - shift))
            result[atom, :, disp] = (after - before)[0] / (2 * step)
    return result


def test_a_diatomic_in_closed_form() -> None:
    """The dipole mu turns with the bond d: P_H = q n n + (mu / d) (1 - n n), and P_F = -P_H."""
    frames = Frames([9, 1], [[0, 0, 0], [0, 0, 0.9]])
    centers = 0.3 * TETRAHEDRON + [0, 0, 0.1]
    labels = LabelledFrames(frames, np.zeros((1, 2, 3, 3)), wannier_centers=centers[None])
    model = MeanWannier().fit(labels)
    mu = 0.9 - 2 * 4 * 0.1
    np.testing.assert_allclose(model.dipole(frames), [[0, 0, mu]], atol=1e-12)
    expected = np.diag([mu / 0.9, mu / 0.9, 1.0])
    np.testing.assert_allclose(model.predict(frames)[0], [-expected, expected], atol=1e-12)
    # stretched by 10 %: the dipole of the pairs keeps its length, and so its arm is longer
    stretched = Frames([9, 1], [[0, 0, 0], [0.99, 0, 0]])
    mu = 0.99 - 0.8
    expected = np.diag([1.0, mu / 0.99, mu / 0.99])
    np.testing.assert_allclose(model.predict(stretched)[0, 1], expected, atol=1e-12)


def test_an_ion_has_its_charge() -> None:
    frames = Frames([17], np.zeros((1, 3)), total_charge=-1.0)
    centers = 0.4 * TETRAHEDRON[None]
    labels = LabelledFrames(frames, np.zeros((1, 1, 3, 3)), wannier_centers=centers)
    model = MeanWannier().fit(labels)
    np.testing.assert_allclose(model.predict(frames)[0, 0], -np.eye(3), atol=1e-12)


@pytest.mark.parametrize("order", [0, 1])
def test_the_tensors_are_the_derivative_of_the_dipole(order: int, labels: LabelledFrames) -> None:
    model = MeanWannier(order=order).fit(labels)
    for frames in (labels.frames[0], labels.frames[0].replace(cell=None)):
        numerical = _numerical(model, frames)
        np.testing.assert_allclose(model.predict(frames)[0], numerical, atol=1e-6)
    # centres that ride on the bonds, order 1, are point charges: symmetric tensors
    assert order or np.abs(numerical - numerical.swapaxes(1, 2)).max() > 0.01


@pytest.mark.parametrize("order", [0, 1])
def test_molecules_that_fill_space_and_like_atoms_that_are_exchanged(order: int) -> None:
    """Ammonia, three like atoms and no plane: the derivative holds for every order of them."""
    rng = np.random.default_rng(0)
    angle = np.radians(120 * np.arange(3))
    arms = np.stack([0.94 * np.cos(angle), 0.94 * np.sin(angle), 0 * angle - 0.38], 1)
    ammonia = np.concatenate([np.zeros((1, 3)), arms])
    positions = ammonia + 0.05 * rng.normal(size=(4, 4, 3))
    bonds = positions[:, 1:] - positions[:, :1]
    centers = positions[:, :1] + np.concatenate(
        [0.6 * bonds, -0.2 * bonds.sum(1, keepdims=True)], 1
    )
    frames = Frames([7, 1, 1, 1], positions)
    labels = LabelledFrames(frames, np.zeros((4, 4, 3, 3)), wannier_centers=centers)
    model = MeanWannier(order=order).fit(labels)
    check_model(model, frames).raise_if_failed()
    numerical = _numerical(model, frames[2])
    np.testing.assert_allclose(model.predict(frames[2])[0], numerical, atol=1e-6)


@pytest.mark.parametrize("order", [0, 1])
def test_both_sum_rules_hold(order: int, labels: LabelledFrames) -> None:
    """sum_i P_i = Q 1, and for an isolated system sum_i P_i (w x R_i) = w x M."""
    frames = labels.frames.replace(cell=None)
    model = MeanWannier(order=order).fit(labels)
    apt = model.predict(frames)
    np.testing.assert_allclose(apt.sum(1), 0, atol=1e-12)
    for axis in np.eye(3):
        turned = np.einsum("fapd,fad->fp", apt, np.cross(axis, frames.positions))
        np.testing.assert_allclose(turned, np.cross(axis, model.dipole(frames)), atol=1e-10)


def test_centres_that_ride_on_bonds_are_learned_at_order_one() -> None:
    """Pairs at a fixed fraction of flexible bonds: the dipole is linear, and exact at order 1."""
    rng = np.random.default_rng(4)
    angle = np.radians(104.5)
    arms = np.array([[1.0, 0, 0], [np.cos(angle), np.sin(angle), 0]])
    stretched = arms * (0.97 + 0.02 * rng.normal(size=(30, 2, 1)))
    positions = np.concatenate([np.zeros((30, 1, 3)), stretched], 1)
    bond = 0.4 * stretched
    centers = np.concatenate([bond, -0.1 * bond], 1)
    frames = Frames([8, 1, 1], positions)
    labels = LabelledFrames(frames, np.zeros((30, 3, 3, 3)), wannier_centers=centers)
    # charges of point particles: each pair moves with its bond
    hydrogen = 1 - 2 * (0.4 - 0.04)
    dipole = hydrogen * stretched.sum(1)
    exact = MeanWannier(order=1).fit(labels)
    np.testing.assert_allclose(exact.dipole(frames), dipole, atol=2e-3)
    mean = MeanWannier().fit(labels)
    assert np.abs(mean.dipole(frames) - dipole).max() > 0.01
    along = positions[0, 1] / np.linalg.norm(positions[0, 1])
    charge = along @ exact.predict(frames[0])[0, 1] @ along
    assert charge == pytest.approx(hydrogen, abs=0.02)


def test_it_learns_the_mean_dipole() -> None:
    """A molecule, rigid and symmetric, has exactly the dipole of its own centres."""
    half = np.radians(52.0)
    water = [[0, 0, 0], [np.sin(half), np.cos(half), 0], [-np.sin(half), np.cos(half), 0]]
    frames = Frames([8, 1, 1], water)
    centers = np.array([[[0.3, 0.3, 0], [-0.3, 0.3, 0], [0, -0.2, 0.3], [0, -0.2, -0.3]]])
    labels = LabelledFrames(frames, np.zeros((1, 3, 3, 3)), wannier_centers=centers)
    expected = [0, 2 * np.cos(half) - 2 * 0.2, 0]
    np.testing.assert_allclose(MeanWannier().fit(labels).dipole(frames), [expected], atol=1e-12)


@pytest.mark.parametrize("order", [0, 1])
def test_conformance(order: int, labels: LabelledFrames) -> None:
    model = MeanWannier(order=order).fit(labels)
    for frames in (labels.frames, labels.frames.replace(cell=None)):
        report = check_model(model, frames)
        report.raise_if_failed()
        assert report["acoustic_sum_rule_residual"].value < 1e-12


def test_dipoles_follow_the_molecules(labels: LabelledFrames) -> None:
    """A lattice translation of one neutral molecule does not move its dipole."""
    model = MeanWannier().fit(labels)
    frames = labels.frames
    moved = frames.positions.copy()
    moved[:, :3] += frames.cell[:, 0][:, None]
    again = model.dipole(frames.replace(positions=moved))
    np.testing.assert_allclose(again, model.dipole(frames), atol=1e-9)


@pytest.mark.parametrize("order", [0, 1])
def test_it_survives_its_folder(order: int, tmp_path: Path, labels: LabelledFrames) -> None:
    assert not MeanWannier.from_folder(tmp_path).fitted
    model = MeanWannier(order=order).fit(labels)
    model.save(tmp_path, {"train": [0, 1]})
    again = MeanWannier.from_folder(tmp_path, order=order)
    assert again.provenance_ == {"train": [0, 1]}
    assert again.n_parameters == model.n_parameters == 9 + 3 + 3 + 27 * order
    frames = labels.frames
    np.testing.assert_allclose(again.predict(frames), model.predict(frames), atol=1e-13)
    assert not MeanWannier.untrained(tmp_path).fitted


@pytest.mark.parametrize("content", ["{", '{"molecules": [{}]}', "[]"])
def test_damaged_weights(content: str, tmp_path: Path) -> None:
    (tmp_path / "centers.json").write_text(content)
    with pytest.raises(StoreError, match="cannot be read"):
        MeanWannier.from_folder(tmp_path)


def test_what_it_cannot_learn_from_or_predict(labels: LabelledFrames) -> None:
    frames = Frames([8, 1], [[0, 0, 0], [0, 0, 0.97]])
    with pytest.raises(InputError, match="learns from Wannier centres"):
        MeanWannier().fit(LabelledFrames(frames, np.zeros((1, 2, 3, 3))))
    with pytest.raises(InputError, match="'order' of MeanWannier is impossible"):
        MeanWannier(order=2)
    with pytest.raises(InputError, match="not fitted"):
        MeanWannier().predict(frames)
    with pytest.raises(InputError, match="does not know the molecule HO"):
        MeanWannier().fit(labels).dipole(frames)
