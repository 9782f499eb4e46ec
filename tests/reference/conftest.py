"""The engine, and systems that it does in seconds."""

from __future__ import annotations

import pytest

from aptbench import Frames
from aptbench.reference.engine import Cp2k
from aptbench.reference.theory import Theory

WATER = [[0.0, 0.0, 0.0], [0.9572, 0.0, 0.0], [-0.2399, 0.9266, 0.0]]


@pytest.fixture(scope="session")
def cp2k() -> Cp2k:
    if not Cp2k.available():
        pytest.skip("CP2K is not installed (sudo apt-get install cp2k libopenblas0-serial)")
    return Cp2k(niceness=0)


@pytest.fixture(scope="session")
def water() -> Frames:
    """One molecule in a cell that is small, but larger than the molecule."""
    return Frames([8, 1, 1], WATER, cell=[6.0, 6.0, 6.0])


@pytest.fixture(scope="session")
def cheap() -> Theory:
    return Theory(basis="DZVP-GTH", cutoff=200.0, n_grids=4, eps_scf=1e-6, field=1e-3)
