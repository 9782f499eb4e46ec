"""Environments of atoms: invariance, and distances from test to training."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from aptbench.errors import InputError
from aptbench.frames import Frames
from aptbench.tasks.environments import CUTOFF, environment_vectors
from aptbench.tasks.nearest import environment_distances

WATER = np.array([[0, 0, 0], [0.96, 0, 0], [-0.24, 0.93, 0]])


def liquid(seed: int, n_frames: int = 1, periodic: bool = True) -> Frames:
    rng = np.random.default_rng(seed)
    place = rng.random((n_frames, 6, 1, 3)) * 7.0
    positions = (place + WATER + 0.03 * rng.normal(size=(n_frames, 6, 3, 3))).reshape(-1, 18, 3)
    return Frames(np.tile([8, 1, 1], 6), positions, [7.0, 7.5, 8.0] if periodic else None)


@settings(max_examples=15, deadline=None)
@given(st.integers(0, 10**6), st.booleans())
def test_no_rigid_motion_and_no_order_changes_an_environment(seed: int, periodic: bool) -> None:
    rng = np.random.default_rng(seed)
    frames = liquid(seed, periodic=periodic)
    order = rng.permutation(18)
    moved = frames.rotated(np.linalg.qr(rng.normal(size=(3, 3)))[0]).translated(rng.normal(size=3))
    if periodic:
        jumps = rng.integers(-2, 3, (1, 18, 3)) @ moved.cell[0]
        moved = moved.replace(positions=moved.positions + jumps)
    one, other = environment_vectors(frames), environment_vectors(moved.permuted(order))
    assert np.allclose(other, one[:, order], atol=1e-9)
    assert np.allclose(np.linalg.norm(one, axis=-1), 1)


def test_environments_of_a_cell_and_of_its_supercell_are_the_same() -> None:
    frames = liquid(0)
    large = environment_vectors(frames.supercell((2, 1, 1)))
    assert np.allclose(large, np.tile(environment_vectors(frames), (1, 2, 1)), atol=1e-9)


def test_environments_see_angles_elements_and_end_at_the_cutoff() -> None:
    straight = WATER.copy()
    straight[2] = [-0.96, 0, 0]
    bent = environment_vectors(Frames([8, 1, 1], WATER))[0, 0]
    assert np.linalg.norm(bent - environment_vectors(Frames([8, 1, 1], straight))[0, 0]) > 0.1
    both = [1, 8, 9]
    one, other = (environment_vectors(Frames([8, z, z], WATER), both)[0, 0] for z in (1, 9))
    assert np.linalg.norm(one - other) == pytest.approx(np.sqrt(2))
    pair = np.array([[0, 0, 0], [0.9, 0, 0], [0, 0, CUTOFF - 1e-6]])
    far = np.array([[0, 0, 0], [0.9, 0, 0], [0, 0, CUTOFF + 1e-6]])
    near, gone = (environment_vectors(Frames([8, 1, 1], p))[0, 0] for p in (pair, far))
    assert np.linalg.norm(near - gone) < 1e-9
    assert not environment_vectors(Frames([18], np.zeros((1, 3)))).any()


def test_the_vectors_are_the_sum_over_pairs_of_neighbors() -> None:
    from scipy.special import eval_legendre

    def by_pairs(positions: np.ndarray) -> np.ndarray:
        """(l, channel, channel) around the first atom; channels are H and O by eight widths."""
        bonds = positions[1:] - positions[0]
        r = np.linalg.norm(bonds, axis=1)
        cosine = (bonds / r[:, None]) @ (bonds / r[:, None]).T
        width = CUTOFF / 8
        radial = np.exp(-((r[:, None] / width - np.arange(1, 9)) ** 2) / 2)
        radial *= ((1 + np.cos(np.pi * r / CUTOFF)) / 2 / (1 + (r / 2) ** 4))[:, None]
        density = np.zeros((len(r), 16))
        density[:, :8] = radial
        total = [density.T @ eval_legendre(degree, cosine) @ density for degree in range(4)]
        return np.stack(total) / np.linalg.norm(total)

    flat = WATER.copy()
    flat[2] = [-0.9, 0.3, 0.1]
    one, other = (environment_vectors(Frames([8, 1, 1], p))[0, 0] for p in (WATER, flat))
    assert one @ other == pytest.approx((by_pairs(WATER) * by_pairs(flat)).sum(), abs=1e-10)


def test_a_copy_is_at_distance_zero_and_found_at_its_atom() -> None:
    train = liquid(1, 3)
    test = train[[1]].rotated(-np.eye(3))
    for found in environment_distances([train], [test], same_system=True):
        assert found.test_to_train == pytest.approx(0, abs=1e-7)
        assert found.train_to_train > 0.01
        assert found.ratio == pytest.approx(0, abs=1e-5)
        assert found.same_atom == 1
        assert found.same_atom_by_chance == 1 / {"O": 6, "H": 12}[found.element]


def test_independent_frames_are_as_far_as_training_from_itself() -> None:
    oxygen, hydrogen = environment_distances([liquid(2, 20)], [liquid(3, 20)], same_system=True)
    assert (oxygen.element, hydrogen.element) == ("O", "H")
    assert oxygen.ratio == pytest.approx(1, abs=0.1)
    assert oxygen.same_atom == pytest.approx(1 / 6, abs=0.1)


def test_other_systems_have_no_same_atom_and_unknown_elements_are_left_out() -> None:
    salt = Frames([11, 8, 1, 1], np.concatenate([[[2.5, 0, 0]], WATER]))
    found = environment_distances([liquid(4, 2), liquid(5, 1, False)], [salt])
    assert [one.element for one in found] == ["O", "H"]
    assert found[0].same_atom is None
    (alone, _) = environment_distances([liquid(4)], [liquid(5)])
    assert alone.train_to_train is None
    assert alone.ratio is None
    with pytest.raises(InputError, match="training part has no frame"):
        environment_distances([], [salt])
