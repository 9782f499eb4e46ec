"""What a spectrum needs of a system, and what it refuses."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from aptbench import Frames
from aptbench.data import Dataset, SystemData, write_dataset
from aptbench.errors import InputError
from aptbench.evaluate import dense_trajectory


def store(folder: Path, n: int = 1601, **changes: Any) -> Dataset:
    rng = np.random.default_rng(2)
    fields: dict[str, Any] = {
        "positions": rng.normal(size=(n, 3, 3)),
        "velocities": 0.01 * rng.normal(size=(n, 3, 3)),
        "cell": [9.0] * 3,
        "times": 2.0 * np.arange(n),
        "provenance": {},
    }
    fields |= changes
    frames = Frames([8, 1, 1], fields["positions"], fields["cell"], velocities=fields["velocities"])
    system = SystemData(
        frames,
        [0],
        np.zeros((1, 3, 3, 3)),
        times=fields["times"],
        provenance=fields["provenance"],
    )
    attrs = {"name": "synthetic", "version": "0.1.0", "title": "Synthetic", "license": "CC0-1.0"}
    return write_dataset(folder / "synthetic.zarr", {"a": system}, attrs)


def test_step_volume_and_bands_are_found(tmp_path: Path) -> None:
    trajectory = dense_trajectory(store(tmp_path), "a")
    assert trajectory.time_step == 2
    assert trajectory.volume == pytest.approx(729)
    assert trajectory.bands["stretch"] == (3000, 3800)


def test_the_velocities_tell_the_temperature(tmp_path: Path) -> None:
    dataset = store(tmp_path, provenance={"sampling": {"temperature": 310}})
    velocities = dataset.trajectory("a").velocities
    assert velocities is not None
    masses = np.array([15.999, 1.008, 1.008]) * 1.66053906660e-27
    kinetic = np.mean(np.sum(masses[None, :, None] * (velocities * 1e5) ** 2, (1, 2)))
    temperature = dense_trajectory(dataset, "a").temperature
    assert temperature == pytest.approx(kinetic / (1.380649e-23 * 6))


def test_an_isolated_system_has_the_volume_of_the_convention(tmp_path: Path) -> None:
    trajectory = dense_trajectory(store(tmp_path, cell=None), "a")
    assert trajectory.isolated
    assert trajectory.volume == 1000


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"velocities": None}, "no velocities"),
        ({"times": None}, "no times"),
        ({"n": 100}, "too short"),
        ({"times": 4.0 * np.arange(1601)}, "too coarse"),
        ({"times": np.delete(2.0 * np.arange(1602), 7)}, "uneven"),
        ({"cell": np.linspace(9, 9.1, 1601)[:, None, None] * np.eye(3)}, "volume"),
    ],
)
def test_what_gives_no_spectrum_says_why(
    tmp_path: Path, changes: dict[str, Any], message: str
) -> None:
    with pytest.raises(InputError, match=message):
        dense_trajectory(store(tmp_path, **changes), "a")
