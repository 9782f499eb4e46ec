"""Frames of labels are read without the rest of the trajectory."""

from __future__ import annotations

import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import numpy as np
import pytest

from aptbench.data import Dataset, SystemData, open_dataset, write_dataset
from aptbench.frames import Frames
from aptbench.tasks import Split, load_task, write_split
from aptbench.tasks.leakage import audit_task, likeness_of_parts
from aptbench.tasks.transfer import LabelSet
from aptbench.tasks.transfer_check import labelled_positions
from tests.conftest import Call

WATER = np.array([[0, 0, 0], [0.96, 0, 0], [-0.24, 0.93, 0]])
FRAMES = 400
LABELS = np.arange(3, FRAMES, 40)
SPLIT = {"train": (2, 0, 1), "validation": (4,), "test": (8, 6)}


@pytest.fixture
def dataset(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Dataset:
    """Ten labels on a trajectory of 400 frames; label 8 is a copy of label 2."""
    monkeypatch.setenv("APTBENCH_ROOT", str(tmp_path))
    rng = np.random.default_rng(0)
    positions = WATER + 0.05 * rng.normal(size=(FRAMES, 3, 3))
    positions[LABELS[8]] = positions[LABELS[2]]
    system = SystemData(
        Frames([8, 1, 1], positions, velocities=0.01 * rng.normal(size=positions.shape)),
        LABELS,
        rng.normal(size=(len(LABELS), 3, 3, 3)),
        times=2.0 * np.arange(FRAMES),
    )
    attrs = {"name": "few", "version": "0.1.0", "title": "Few", "license": "CC0-1.0"}
    folder = tmp_path / "datasets" / "few"
    made = write_dataset(folder / "few.zarr", {"a": system}, attrs)
    fields = {"name": "iid", "dataset": "few", "content_hash": made.content_hash, "system": "a"}
    split = Split.model_validate(fields | SPLIT | {"gap_fs": 1.0, "rule": "by hand"})
    write_split(split, folder / "splits" / "iid.json")
    return open_dataset("few")


@pytest.fixture
def no_whole_trajectory(dataset: Dataset, monkeypatch: pytest.MonkeyPatch) -> Frames:
    """All frames, which nobody may ask the store for any more."""
    every = dataset.trajectory("a")
    stretch = Dataset.trajectory

    def trajectory(self: Dataset, system: str, frames: slice | None = None) -> Frames:
        assert frames is not None, "the whole trajectory is read"
        return stretch(self, system, frames)

    monkeypatch.setattr(Dataset, "trajectory", trajectory)
    return every


def test_positions_of_a_transfer(dataset: Dataset, no_whole_trajectory: Frames) -> None:
    sets = tuple(
        LabelSet(dataset="few", content_hash=dataset.content_hash, labels={"a": labels})
        for labels in ((7, 1), (3,))
    )
    found = labelled_positions(sets, {"few": dataset})
    expected = no_whole_trajectory[LABELS[[7, 1, 3]]]
    assert list(found) == ["few/a"]
    np.testing.assert_array_equal(found["few/a"].positions, expected.positions)
    np.testing.assert_array_equal(found["few/a"].velocities, expected.velocities)


def test_the_audit_of_a_task(dataset: Dataset, no_whole_trajectory: Frames) -> None:
    task = load_task("few/iid")
    audit = audit_task(task, dataset)

    def labelled(system: str, labels: tuple[int, ...]) -> SimpleNamespace:
        return SimpleNamespace(frames=no_whole_trajectory[LABELS[list(labels)]])

    whole = likeness_of_parts(task.within, cast(Dataset, SimpleNamespace(labelled=labelled)))
    assert {name: getattr(audit, name) for name in whole} == whole
    assert audit.duplicates == ((8, 2),)
    assert audit.compared == {"train": 3, "test": 2}


def test_a_pool_to_select_from(
    no_whole_trajectory: Frames, tmp_path: Path, aptbench: Call, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[Any] = []

    def method(frames: Frames, times: np.ndarray, seed: int) -> np.ndarray:
        """By hand."""
        seen.extend((frames, times))
        return np.array([1, 2, 0])

    monkeypatch.setattr("aptbench.tasks.data_selection.METHODS", {"by-hand": method})
    out = tmp_path / "mine.json"
    code, _, err = aptbench("select", "few/iid", "--method", "by-hand", "--out", out)
    assert code == 0, err
    frames, times = seen
    at = LABELS[list(SPLIT["train"])]
    np.testing.assert_array_equal(frames.positions, no_whole_trajectory[at].positions)
    np.testing.assert_array_equal(times, 2.0 * at)
    assert json.loads(out.read_text())["labels"] == [0, 1, 2]
