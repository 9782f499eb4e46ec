"""Small synthetic systems, made once."""

from __future__ import annotations

import pytest

from aptbench.frames import Frames
from aptbench.oracle import cluster, liquid


@pytest.fixture(scope="session")
def periodic() -> Frames:
    """Three frames of eight molecules in a cell."""
    return liquid(8, 3, seed=1, equilibration=150)


@pytest.fixture(scope="session")
def isolated() -> Frames:
    """Three frames of three molecules in the open."""
    return cluster(3, 3, seed=2, equilibration=150)


@pytest.fixture(params=["periodic", "isolated"])
def frame(request) -> Frames:
    """One frame, periodic or open."""
    return request.getfixturevalue(request.param)[-1]
