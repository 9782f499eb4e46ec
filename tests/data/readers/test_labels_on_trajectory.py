"""Labels find their frames on a trajectory, or say why not."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from numpy.testing import assert_array_equal

from aptbench.data import SystemData
from aptbench.data.readers.labels_on_trajectory import labels_on_trajectory
from aptbench.errors import AlignmentError, InputError
from aptbench.frames import Frames
from tests.data.conftest import random_system

PLACES = [7, 3, 31]


@pytest.fixture(scope="module")
def trajectory() -> SystemData:
    return random_system()


def labels_of(trajectory: SystemData, shift: float = 0.0) -> SystemData:
    """Labels of three frames, out of order, with atoms in other images and a small error."""
    rng = np.random.default_rng(8)
    frames = trajectory.frames[PLACES]
    assert frames.cell is not None
    images = rng.integers(-2, 3, (len(PLACES), frames.n_atoms, 3)) @ frames.cell[0]
    moved = frames.positions + images + shift
    tensors = rng.normal(size=(len(PLACES), frames.n_atoms, 3, 3))
    return SystemData(
        frames.replace(positions=moved, velocities=None),
        np.arange(len(PLACES)),
        tensors,
        dipole=rng.normal(size=(len(PLACES), 3)),
        quality={"number": np.arange(3.0)},
        provenance={"code": "none"},
    )


def join(trajectory: SystemData, labels: SystemData) -> SystemData:
    assert trajectory.times is not None
    return labels_on_trajectory(labels, trajectory.times, trajectory.frames)


def test_labels_find_their_frames(trajectory):
    labels = labels_of(trajectory, shift=1e-4)
    joined = join(trajectory, labels)
    order = np.argsort(PLACES)
    assert_array_equal(joined.label_frame, sorted(PLACES))
    assert_array_equal(joined.apt, labels.apt[order])
    assert_array_equal(joined.dipole, labels.dipole[order])
    assert_array_equal(joined.quality["number"], order)
    assert_array_equal(joined.times, trajectory.times)
    assert_array_equal(joined.frames.positions, trajectory.frames.positions)
    assert_array_equal(joined.frames.velocities, trajectory.frames.velocities)
    assert joined.frames.total_charge == labels.frames.total_charge
    assert joined.provenance == {"code": "none"}


def test_atoms_that_never_move_tell_no_frame(trajectory):
    positions = trajectory.frames.positions.copy()
    positions[:, :6] = positions[0, :6]
    frozen = replace(trajectory, frames=trajectory.frames.replace(positions=positions))
    found = join(frozen, labels_of(frozen))
    assert found.label_frame.tolist() == sorted(PLACES)


def test_molecules_are_those_of_the_labels(trajectory):
    labels = labels_of(trajectory)
    molecule = np.zeros(12, int)
    labels = replace(labels, frames=labels.frames.replace(molecule=molecule))
    assert_array_equal(join(trajectory, labels).frames.molecule, molecule)


def test_a_label_of_no_frame_is_refused(trajectory):
    with pytest.raises(AlignmentError, match=r"(?s)Label 0 belongs to no frame.*frame, 7"):
        join(trajectory, labels_of(trajectory, shift=2e-3))


def test_one_atom_in_another_place_is_enough(trajectory):
    labels = labels_of(trajectory)
    positions = labels.frames.positions.copy()
    positions[1, -1, 2] += 0.05
    labels = replace(labels, frames=labels.frames.replace(positions=positions))
    with pytest.raises(AlignmentError, match=r"(?s)Label 1.*0\.05 angstrom"):
        join(trajectory, labels)


def test_two_labels_of_one_frame_are_refused(trajectory):
    labels = labels_of(trajectory)
    positions = labels.frames.positions.copy()
    positions[2] = positions[0]
    labels = replace(labels, frames=labels.frames.replace(positions=positions))
    with pytest.raises(AlignmentError, match=r"(?s)Two labels.*labels 0 and 2, frame 7"):
        join(trajectory, labels)


def test_other_atoms_are_refused(trajectory):
    labels = labels_of(trajectory)
    turned = labels.frames.permuted(np.arange(12)[::-1])
    with pytest.raises(AlignmentError, match="differ in their atoms"):
        join(trajectory, replace(labels, frames=turned))


def test_what_is_on_a_trajectory_stays_there(trajectory):
    with pytest.raises(InputError, match="on a trajectory already"):
        join(trajectory, trajectory)


def test_an_isolated_molecule_has_no_images():
    frames = Frames([18], np.arange(5.0)[:, None, None] * [9.0, 0, 0])
    labels = SystemData(frames[[2]], [0], np.zeros((1, 1, 3, 3)))
    assert labels_on_trajectory(labels, np.arange(5.0), frames).label_frame.tolist() == [2]
