"""Synthetic labels: a box of water with tensors of a closed form, not of any real water."""

from __future__ import annotations

from collections.abc import Callable
from importlib.util import find_spec

import numpy as np
import pytest

from aptbench import Frames, LabelledFrames

# the equivariant model needs the extra "models"
_NETWORKS = ("equivariant", "equivariant_layers", "polarization", "wannier_network")
collect_ignore = [] if find_spec("e3nn") else [f"test_{name}.py" for name in _NETWORKS]


def _synthetic_water(n_frames: int, seed: int) -> LabelledFrames:
    """Eight distorted molecules in a skew cell; P = q 1 + a covariant tensor of the bonds."""
    rng = np.random.default_rng(seed)
    grid = np.stack(np.meshgrid(*[range(2)] * 3, indexing="ij"), -1).reshape(-1, 3)
    cell = np.array([[6.2, 0, 0], [0.4, 6.3, 0], [-0.3, 0.5, 6.1]])
    positions, tensors = [], []
    for _ in range(n_frames):
        oxygen = (grid + 0.25) / 2 @ cell + 0.1 * rng.normal(size=(8, 3))
        arms = np.array([np.linalg.qr(rng.normal(size=(3, 3)))[0][:2] for _ in range(8)])
        arms = arms * (0.97 + 0.04 * rng.normal(size=(8, 2, 1)))
        arms[:, 1] -= 0.25 * arms[:, 0]
        atoms = np.concatenate([oxygen[:, None], oxygen[:, None] + arms], 1)
        outer = 0.4 * np.einsum("mhp,mhd->mhpd", arms, arms)
        turned = 0.1 * np.einsum("mhp,mhd->mhpd", arms, arms[:, ::-1])
        hydrogen = 0.3 * np.eye(3) + outer + turned
        tensor = np.concatenate([-hydrogen.sum(1, keepdims=True), hydrogen], 1)
        positions.append(atoms.reshape(-1, 3))
        tensors.append(tensor.reshape(-1, 3, 3))
    frames = Frames([8, 1, 1] * 8, np.array(positions), cell, molecule=np.repeat(np.arange(8), 3))
    return LabelledFrames(frames, np.array(tensors))


@pytest.fixture(scope="session")
def synthetic_labels() -> LabelledFrames:
    return _synthetic_water(2, seed=1)


@pytest.fixture(scope="session")
def synthetic_water() -> Callable[[int, int], LabelledFrames]:
    """Make synthetic labels from a number of frames and a seed."""
    return _synthetic_water
