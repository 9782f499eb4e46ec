"""The checker of the index order, on cases where the order is known."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest

from aptbench.errors import AlignmentError
from aptbench.frames import Frames
from aptbench.metrics import check_index_order

FLIPPED = {"pol,disp": "disp,pol", "disp,pol": "pol,disp"}


def swap(apt):
    return np.swapaxes(apt, -1, -2)


def test_symmetric_tensors_cannot_tell() -> None:
    frames = Frames([8, 1, 1], np.random.default_rng(0).normal(size=(9, 3, 3)))
    charges = np.array([-0.8, 0.4, 0.4])[:, None, None] * np.eye(3)
    verdict = check_index_order(frames, np.broadcast_to(charges, (9, 3, 3, 3)))
    assert verdict.order == "undecided"
    assert verdict.score == 0


def test_atoms_cannot_tell() -> None:
    frames = Frames([18, 18], [[[0, 0, 0], [3, 0, 0]]] * 2, [9.0, 9, 9])
    verdict = check_index_order(frames, np.ones((2, 2, 3, 3)))
    assert verdict.order == "undecided"
    assert "no rule applies" in verdict.explanation


def test_molecules_are_found_whatever_their_geometry() -> None:
    """Shared protons, networks and scattered images are no errors."""
    rng = np.random.default_rng(1)
    water = np.array([[0, 0, 0], [0.76, 0.59, 0], [-0.76, 0.59, 0]])
    turns = np.linalg.qr(rng.normal(size=(27, 3, 3)))[0]
    corners = 3.5 * np.stack(np.meshgrid(*[np.arange(3)] * 3), -1).reshape(27, 1, 3)
    positions = (water @ turns + corners).reshape(1, 81, 3)
    local = rng.normal(size=(3, 3, 3))
    local -= local.mean(0)
    apt = np.einsum("mba,ibc,mcd->miad", turns, local, turns).reshape(1, 81, 3, 3)
    frames = Frames([8, 1, 1] * 27, positions, [10.5] * 3, molecule=np.repeat(np.arange(27), 3))
    score = check_index_order(frames, apt).score
    assert abs(score) > 1e-3
    scattered = positions + 10.5 * rng.integers(-2, 3, size=(1, 81, 3))
    for other in (frames, frames.replace(positions=scattered)):
        for molecule in (None, frames.molecule):
            found = check_index_order(other.replace(molecule=molecule), apt).score
            assert found == pytest.approx(score)
    shared = positions.copy()
    shared[0, 1] = (shared[0, 0] + shared[0, 3]) / 2
    verdict = check_index_order(frames.replace(positions=shared, molecule=None), apt)
    assert "samples" in verdict.explanation
    diamond = Frames([6, 6], [[0, 0, 0], [0.89, 0.89, 0.89]], 1.78 * (1 - np.eye(3)))
    tensors = np.array([1.0, -1.0])[:, None, None] * np.eye(3)
    assert check_index_order(diamond, tensors[None]).order == "undecided"


def test_shapes_must_fit() -> None:
    with pytest.raises(AlignmentError):
        check_index_order(Frames([1], np.zeros((1, 3))), np.zeros((1, 2, 3, 3)))


def published_water() -> Path:
    default = Path(__file__).parents[3] / "shared/data/published-water"
    return Path(os.environ.get("APTBENCH_PUBLISHED_WATER", default))


@pytest.mark.published
@pytest.mark.parametrize("name", ["test.xyz", "train_05.xyz"])
def test_published_water_is_flagged_until_it_is_transposed(name) -> None:
    path = published_water() / name
    if not path.exists():
        pytest.skip(f"the published liquid-water data is not at {path.parent}")
    n_lines = int(path.read_text().split(maxsplit=1)[0]) + 2
    lines = path.read_text().splitlines()
    rows = [line.split()[1:] for k, line in enumerate(lines) if k % n_lines > 1]
    table = np.array(rows, float).reshape(-1, n_lines - 2, 12)
    frames = Frames([8, 1, 1] * 128, table[..., :3], [15.6627] * 3)
    raw = table[..., 3:].reshape(*table.shape[:2], 3, 3)
    for part in (slice(None), slice(0, 1)):
        as_read = check_index_order(frames[part], raw[part])
        assert as_read.order == "disp,pol"
        assert as_read.score < -0.1
        assert check_index_order(frames[part], swap(raw[part])).order == "pol,disp"
    table_of_molecules = frames.replace(molecule=np.repeat(np.arange(128), 3))
    assert check_index_order(table_of_molecules, raw).score == pytest.approx(
        check_index_order(frames, raw).score
    )
