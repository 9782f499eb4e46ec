"""The race of the ways to read frames: all read the same, and the table says what was measured."""

from __future__ import annotations

import importlib
import json
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
from numpy.testing import assert_array_equal

from aptbench.board.read_speed import read_speed_table
from aptbench.data import Dataset, SystemData, write_dataset
from aptbench.frames import Frames, LabelledFrames
from tests.data.conftest import ATTRS, random_system

FOLDER = Path(__file__).parents[1] / "benchmarks"


@pytest.fixture
def script(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    monkeypatch.syspath_prepend(str(FOLDER))
    return importlib.import_module("read_speed")


@pytest.fixture(scope="module")
def dataset(tmp_path_factory: pytest.TempPathFactory) -> Dataset:
    """A system with sparse labels, and a smaller one in which every frame is labelled."""
    rng = np.random.default_rng(3)
    frames = Frames([8, 1], rng.normal(size=(30, 2, 3)), velocities=rng.normal(size=(30, 2, 3)))
    dense = SystemData(frames, np.arange(30), rng.normal(size=(30, 2, 3, 3)))
    path = tmp_path_factory.mktemp("speed") / "tiny.zarr"
    return write_dataset(path, {"dense": dense, "sparse": random_system()}, ATTRS)


@pytest.mark.parametrize(
    ("system", "names"),
    [
        ("sparse", ("positions", "velocities")),
        ("dense", ("positions", "velocities", "apt")),
    ],
)
def test_every_way_reads_the_same(script, dataset, tmp_path, system, names):
    assert script.variables_of(dataset, system) == names
    expected = [dataset.tree()[system][name].values[7:12] for name in names]
    seen = set()
    for way in script.ways_of(dataset, system, tmp_path):
        found = way.read(7, 12)
        if isinstance(found, LabelledFrames):
            found = [found.frames.positions, found.frames.velocities, found.apt]
        elif isinstance(found, Frames):
            found = [found.positions, found.velocities]
        if "decoded" in way.name:
            chunk = np.frombuffer(found[0], expected[0].dtype).reshape(-1, *expected[0].shape[1:])
            found, expected_here = [chunk[7:12]], expected[:1]
        else:
            expected_here = expected[: len(found)]
        for one, other in zip(found, expected_here, strict=True):
            assert_array_equal(one, other, err_msg=way.name)
        assert all(path.is_file() for path in way.files)
        seen.add(way.name)
    assert len(seen) == 9


def test_what_is_measured_becomes_a_table(script, dataset, tmp_path, monkeypatch):
    monkeypatch.setattr(
        "sys.argv",
        ["read_speed", str(dataset.path), "--repeats", "2", "--out", str(tmp_path / "a.json")],
    )
    script.main()
    (row,) = json.loads((tmp_path / "a.json").read_text())
    assert (row["system"], row["frames"], row["cache"]) == ("sparse", 40, "warm")
    assert row["raw_bytes_per_frame"] == 12 * 3 * 4 * 2
    ways = {way["way"]: way for way in row["ways"]}
    base = ways["memory map (.npy)"]
    assert base["random_ratio"] == base["sequential_ratio"] == 1
    assert base["bytes_per_frame"] == pytest.approx(288 + 2 * 128 / 40)
    for way in ways.values():
        for kind in ("random_us", "sequential_us"):
            assert 0 < way[kind]["low"] <= way[kind]["median"] <= way[kind]["high"]
    table = read_speed_table([row])
    assert table.count("\n| ") == 2 + len(ways)
    assert "40 frames of 12 atoms" in table
    assert f"{ways['store, aptbench']['random_us']['median']:.3g} us through aptbench" in table
