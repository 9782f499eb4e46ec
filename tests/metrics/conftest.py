"""Small random systems for the metrics."""

from __future__ import annotations

import numpy as np
import pytest

from aptbench.frames import Frames


@pytest.fixture
def case() -> tuple[np.ndarray, np.ndarray, Frames]:
    """Prediction, reference and frames: 12 frames of two water-like molecules with velocities."""
    rng = np.random.default_rng(7)
    n_frames, numbers = 12, np.array([8, 1, 1, 8, 1, 1])
    frames = Frames(
        numbers,
        rng.normal(size=(n_frames, 6, 3)),
        velocities=rng.normal(size=(n_frames, 6, 3)),
        molecule=[0, 0, 0, 1, 1, 1],
    )
    charge = np.where(numbers == 8, -0.9, 0.45)
    reference = charge[:, None, None] * np.eye(3) + 0.1 * rng.normal(size=(n_frames, 6, 3, 3))
    return reference + 0.05 * rng.normal(size=reference.shape), reference, frames
