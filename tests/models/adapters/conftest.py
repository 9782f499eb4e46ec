"""Systems with exact tensors that no symmetry makes symmetric."""

from __future__ import annotations

from importlib.util import find_spec

import pytest

from aptbench import Frames
from aptbench.oracle import PolarizableWater
from aptbench.testing import sample_frames

collect_ignore = [] if find_spec("torch") else ["test_torch_dipole.py"]
if not find_spec("ase"):
    collect_ignore.append("test_ase_calculator.py")


@pytest.fixture(scope="session")
def water() -> PolarizableWater:
    return PolarizableWater()


@pytest.fixture(scope="session")
def molecule() -> Frames:
    return sample_frames("molecule")


@pytest.fixture(scope="session")
def liquid() -> Frames:
    return sample_frames("liquid")
