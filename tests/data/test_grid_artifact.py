"""A wave that was put into tensors is found, and nothing is found where there is none."""

from __future__ import annotations

import numpy as np
import pytest

from aptbench import Frames, LabelledFrames
from aptbench.data.grid_artifact import (
    GridArtifact,
    find_grid_artifacts,
    without_grid_artifacts,
)
from aptbench.errors import AlignmentError, InputError

CELL = np.array([9.0, 10.0, 12.0])


@pytest.fixture(scope="module")
def frames() -> Frames:
    positions = np.random.default_rng(1).uniform(-30, 30, (6, 60, 3))  # unwrapped
    return Frames([8] * 20 + [1] * 40, positions, CELL)


@pytest.fixture(scope="module")
def noise(frames: Frames) -> np.ndarray:
    return np.random.default_rng(2).normal(0, 0.02, (len(frames), frames.n_atoms, 3, 3))


def test_a_wave_is_found_in_its_species_with_its_period_and_amplitude(frames, noise) -> None:
    wave = GridArtifact(8, 45, -0.02, 0.0).wave(frames)
    (found,) = find_grid_artifacts(frames, noise + wave)
    assert (found.atomic_number, found.points) == (8, 45)
    assert found.amplitude == pytest.approx(-0.02, abs=4 * found.standard_error)
    assert found.standard_error == pytest.approx(0.0245 * np.sqrt(2 / 360), rel=0.1)
    assert "O: -0.0" in str(found)
    assert "45 periods" in str(found)


def test_the_wave_is_along_each_cell_vector(frames) -> None:
    wave = GridArtifact(1, 10, 0.5, 0.0).wave(frames)
    assert np.abs(wave[:, :20]).max() == 0
    expected = 0.5 * np.cos(2 * np.pi * 10 * frames.positions[3, 31] / CELL)
    np.testing.assert_allclose(wave[3, 31], np.diag(expected), atol=1e-12)


def test_two_waves_of_one_species_are_found_one_after_the_other(frames, noise) -> None:
    waves = [GridArtifact(1, 30, 0.03, 0.0), GridArtifact(1, 90, 0.015, 0.0)]
    found = find_grid_artifacts(frames, noise + sum(w.wave(frames) for w in waves))
    assert [(a.atomic_number, a.points) for a in found] == [(1, 30), (1, 90)]


def test_clean_labels_have_none(frames, noise) -> None:
    assert find_grid_artifacts(frames, noise) == ()


def test_a_constant_is_not_a_wave(frames) -> None:
    assert find_grid_artifacts(frames, np.broadcast_to(np.eye(3), (6, 60, 3, 3))) == ()


def test_labels_without_the_wave(frames, noise) -> None:
    artifact = GridArtifact(8, 45, -0.02, 0.0)
    labels = LabelledFrames(frames, noise + artifact.wave(frames), dipole=np.ones((6, 3)))
    clean = without_grid_artifacts(labels, [artifact])
    np.testing.assert_allclose(clean.apt, noise, atol=1e-15)
    assert clean.dipole is not None


def test_what_it_refuses(frames, noise) -> None:
    with pytest.raises(InputError, match="orthorhombic"):
        find_grid_artifacts(frames.replace(cell=np.diag(CELL) + 0.1), noise)
    with pytest.raises(InputError, match="isolated"):
        find_grid_artifacts(frames.replace(cell=None), noise)
    with pytest.raises(AlignmentError, match="does not fit"):
        find_grid_artifacts(frames, noise[:3])
