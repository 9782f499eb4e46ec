"""Duplicates: planted copies in every disguise are found, and what is nearly one is told apart."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from aptbench.data.quantization import round_positions
from aptbench.errors import InputError
from aptbench.frames import Frames
from aptbench.tasks.congruence import congruence
from aptbench.tasks.duplicates import EXACT, NEAR, find_duplicates
from aptbench.tasks.invariants import frame_invariants

WATER = np.array([[0, 0, 0], [0.96, 0, 0], [-0.24, 0.93, 0]])
CELLS = {
    "cubic": 6.3 * np.eye(3),
    "orthorhombic": np.diag([5.9, 6.3, 7.1]),
    "hexagonal": np.array([[6.5, 0, 0], [-3.25, 3.25 * np.sqrt(3), 0], [0, 0, 7.0]]),
    "triclinic": np.array([[6.0, 0, 0], [1.1, 6.4, 0], [-0.7, 0.9, 7.0]]),
    "isolated": None,
}


def rounded(frames: Frames) -> Frames:
    return frames.replace(positions=round_positions(frames.positions))


def water(seed: int, cell: np.ndarray | None, n_frames: int = 1) -> Frames:
    rng = np.random.default_rng(seed)
    grid = np.stack(np.meshgrid(*[[0.1, 0.6]] * 3, indexing="ij"), -1).reshape(-1, 3)
    place = grid @ (6.5 * np.eye(3) if cell is None else cell)
    positions = (place[:, None] + WATER).reshape(-1, 3) + 0.08 * rng.normal(size=(n_frames, 24, 3))
    return rounded(Frames(np.tile([8, 1, 1], 8), positions, cell))


def disguised(frames: Frames, seed: int) -> Frames:
    """Reflect, rotate, move, reorder, wrap into another choice of the cell, and round."""
    rng = np.random.default_rng(seed)
    turn = np.linalg.qr(rng.normal(size=(3, 3)))[0]
    if np.linalg.det(turn) > 0:
        turn = -turn
    moved = frames.rotated(turn).translated(rng.normal(size=3)).permuted(rng.permutation(24))
    if moved.cell is not None:
        cell = moved.cell[0][rng.permutation(3)] * rng.choice([-1, 1], (3, 1))
        cell[0] += cell[1]
        fractions = moved.positions @ np.linalg.inv(cell)
        moved = moved.replace(positions=(fractions % 1.0) @ cell, cell=cell)
    return rounded(moved)


@pytest.mark.parametrize("kind", CELLS)
@pytest.mark.parametrize("seed", [0, 1])
def test_a_planted_copy_is_found_and_nothing_else(kind: str, seed: int) -> None:
    frames = water(seed, CELLS[kind], 30)
    sources = {"one": frames, "copy": disguised(frames[17], seed), "other": water(9, CELLS[kind])}
    (found,) = find_duplicates(sources)
    assert {found.first, found.second} == {("one", 17), ("copy", 0)}
    assert 0 < found.deviation < EXACT


@pytest.mark.parametrize("kind", CELLS)
def test_a_near_miss_is_near_and_not_exact(kind: str) -> None:
    frames = water(3, CELLS[kind])
    positions = frames.positions.copy()
    positions[0, 7, 1] += 0.01
    copy = disguised(frames.replace(positions=positions), 4)
    assert find_duplicates({"a": frames}, {"b": copy}) == ()
    (found,) = find_duplicates({"a": frames}, {"b": copy}, tolerance=NEAR)
    assert 0.008 < found.deviation < 0.0101
    positions[0, 7, 1] += 0.03
    far = disguised(frames.replace(positions=positions), 4)
    assert find_duplicates({"a": frames}, {"b": far}, tolerance=NEAR) == ()


def test_equal_invariants_are_not_enough() -> None:
    # the four atoms keep their distances from the centre, and only two pairs change places
    square = np.array([[1.0, 0, 0], [-1, 0, 0], [0, 1.0, 0], [0, -1, 0]])
    bent = square.copy()
    bent[2:] = [[0, np.cos(0.4), np.sin(0.4)], [0, -np.cos(0.4), -np.sin(0.4)]]
    skew = square.copy()
    skew[2:] = [[np.sin(0.4), np.cos(0.4), 0], [-np.sin(0.4), -np.cos(0.4), 0]]
    one, turned, other = (Frames([8, 8, 1, 1], p) for p in (square, bent, skew))
    assert np.allclose(frame_invariants(one), frame_invariants(other))
    (found,) = find_duplicates({"one": one, "turned": turned, "other": other})
    assert (found.first[0], found.second[0]) == ("one", "turned")
    # a swap of unlike atoms is another structure
    swapped = Frames([1, 8, 8, 1], square)
    assert find_duplicates({"one": one, "swapped": swapped}) == ()


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 10**6), st.sampled_from(list(CELLS)), st.floats(1e-6, 0.1))
def test_invariants_are_invariant_and_move_less_than_twice_the_atoms(
    seed: int, kind: str, size: float
) -> None:
    frames = water(seed, CELLS[kind])
    copy = disguised(frames, seed)
    (one,), (other,) = frame_invariants(frames), frame_invariants(copy)
    assert np.abs(one - other).max() < 2 * EXACT
    step = np.random.default_rng(seed).normal(size=frames.positions.shape)
    step *= size / np.linalg.norm(step, axis=-1).max()
    (moved,) = frame_invariants(frames.replace(positions=frames.positions + step))
    assert np.abs(one - moved).max() <= 2 * size


@pytest.mark.parametrize(
    ("numbers", "positions"),
    [
        ([1, 1], [[0, 0, 0], [0, 0, 0.74]]),
        ([6, 8, 8], [[0, 0, 0], [0, 0, 1.16], [0, 0, -1.16]]),
        ([8, 1, 1], WATER),
        ([6, 1, 1, 1, 1], [[0, 0, 0], [1, 1, 1], [1, -1, -1], [-1, 1, -1], [-1, -1, 1]]),
    ],
    ids=["diatomic", "linear", "planar", "tetrahedral"],
)
def test_small_and_symmetric_molecules(numbers: list[int], positions: object) -> None:
    rng = np.random.default_rng(0)
    frames = Frames(numbers, positions)
    turn = np.linalg.qr(rng.normal(size=(3, 3)))[0]
    copy = frames.rotated(turn).translated([3.0, 2.0, 1.0]).permuted(rng.permutation(len(numbers)))
    assert congruence(frames, copy, EXACT) < 1e-9
    assert len(find_duplicates({"a": frames, "b": copy})) == 1


def test_a_perfect_crystal_is_its_own_copy() -> None:
    rock_salt = Frames(
        [11] * 4 + [17] * 4,
        2.8 * np.array([[0, 0, 0], [0, 1, 1], [1, 0, 1], [1, 1, 0],
                        [1, 0, 0], [0, 1, 0], [0, 0, 1], [1, 1, 1]]),
        [5.6] * 3,
    )  # fmt: skip
    order = np.random.default_rng(0).permutation(8)
    assert (
        congruence(rock_salt, rock_salt.translated([0.3, 0.2, 0.1]).permuted(order), EXACT) < 1e-9
    )
    strained = rock_salt.replace(cell=[5.6, 5.6, 5.601])
    assert find_duplicates({"a": rock_salt, "b": strained}) == ()


def test_frames_that_cannot_be_compared() -> None:
    frames = water(0, None)
    assert congruence(frames, water(0, CELLS["cubic"]), EXACT) == np.inf
    assert congruence(frames, Frames([8, 1, 1], WATER), EXACT) == np.inf
    assert find_duplicates({"a": Frames([18], np.zeros((5, 1, 3)))}) == ()
    with pytest.raises(InputError, match="one by one"):
        congruence(water(0, None, 2), frames, EXACT)


def test_repeated_frames_of_one_trajectory_and_progress() -> None:
    frames = water(5, CELLS["cubic"], 40)
    stuck = frames[[*range(40), 12, 12]]
    read: list[int] = []
    found = find_duplicates({"run": stuck}, progress=read.append)
    assert {(d.first[1], d.second[1]) for d in found} == {(12, 40), (12, 41), (40, 41)}
    assert sum(read) == 42
