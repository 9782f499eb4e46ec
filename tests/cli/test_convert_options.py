"""Options of `aptbench convert` that end in the store: charge, unit of velocities, version."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from aptbench.data import Dataset
from tests.conftest import Call

VELOCITY = 0.25


@pytest.fixture
def source(tmp_path: Path) -> Path:
    """A sodium cation that moves, as two labelled frames of an extended xyz file."""
    properties = "Properties=species:S:1:pos:R:3:vel:R:3:born_effective_charges:R:9"
    lines = []
    for x in (0.0, 0.5):
        tensor = " ".join("1.0" if k % 4 == 0 else "0.0" for k in range(9))
        lines += ["1", f'{properties} pbc="F F F"', f"Na {x} 0 0 {VELOCITY} 0 0 {tensor}"]
    path = tmp_path / "ion.extxyz"
    path.write_text("\n".join(lines) + "\n")
    return path


def test_the_charge_is_that_of_the_frames_and_of_the_sum_rule(
    source: Path, tmp_path: Path, aptbench: Call
) -> None:
    words = ("convert", source, tmp_path / "ion.zarr", "--format", "extxyz", "--isolated")
    words += ("--order", "pol,disp", "--velocity-unit", "angstrom/fs")
    code, out, err = aptbench(*words, "--charge", 1)
    assert code == 0, out + err
    data = Dataset(tmp_path / "ion.zarr")
    assert data.trajectory("main").total_charge == 1.0
    assert np.abs(data.quality("main")["sum_rule_residual"]).max() < 1e-6
    assert data.version == "0.1.0"
    aptbench(*words, "--charge", -1, "--overwrite", "--force")
    data = Dataset(tmp_path / "ion.zarr")
    assert data.trajectory("main").total_charge == -1.0
    assert np.abs(data.quality("main")["sum_rule_residual"]).max() > 1.0


@pytest.mark.parametrize(
    ("unit", "factor"),
    [("angstrom/fs", 1.0), ("angstrom/ps", 1e-3), ("bohr/atomic_time", 21.8769)],
)
def test_velocities_are_in_their_unit(
    unit: str, factor: float, source: Path, tmp_path: Path, aptbench: Call
) -> None:
    words = ("convert", source, tmp_path / "ion.zarr", "--format", "extxyz", "--isolated")
    words += ("--order", "pol,disp", "--charge", 1)
    code, out, err = aptbench(*words, "--velocity-unit", unit, "--data-version", "2.3.4")
    assert code == 0, out + err
    data = Dataset(tmp_path / "ion.zarr")
    velocities = data.trajectory("main").velocities
    assert velocities is not None
    # stored velocities are rounded
    np.testing.assert_allclose(velocities[:, 0, 0], factor * VELOCITY, rtol=1e-3)
    assert data.version == "2.3.4"
    code, _, err = aptbench(*words, "--overwrite", "--velocity-unit", "furlong/fs")
    assert code == 2
    assert "furlong/fs" in err
