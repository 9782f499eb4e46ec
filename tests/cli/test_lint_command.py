"""`aptbench lint`, as a person types it."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path

import numpy as np
import pytest

from aptbench import Frames
from aptbench.data import SystemData, write_dataset
from aptbench.reference.records import record_path
from tests.reference.test_record_lint import make

ATTRS = {"name": "ions", "version": "0.1.0", "title": "Synthetic", "license": "CC0-1.0"}


def write_ions(folder: Path, step: float = 2.0, sign: float = 1.0) -> None:
    """Two ions that fly apart: tensors, dipoles, times and velocities are exact."""
    times = 2.0 * np.arange(8)
    speed = np.array([[[0.01, 0, 0], [-0.01, 0, 0]]]) * [[[1], [22.989769 / 35.45]]]
    positions = np.array([[[0, 0, 0], [2.5, 0, 0]]]) + speed * times[:, None, None]
    frames = Frames([11, 17], positions, velocities=np.repeat(speed, 8, axis=0))
    charges = np.array([0.9, -0.9])
    system = SystemData(
        frames,
        np.arange(8),
        # no two frames have the same tensors
        sign * charges[:, None, None] * np.eye(3) + 1e-9 * times[:, None, None, None],
        times=times * step / 2,
        dipole=np.einsum("a,fax->fx", charges, positions),
    )
    write_dataset(folder / "ions" / "ions.zarr", {"pair": system}, ATTRS)


@pytest.fixture
def datasets(tmp_path, monkeypatch) -> Path:
    folder = tmp_path / "datasets"
    folder.mkdir()
    monkeypatch.setenv("APTBENCH_ROOT", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    return folder


def test_a_sound_store_by_name_and_by_path(datasets, aptbench):
    write_ions(datasets)
    code, out, _ = aptbench("lint", "--json")
    assert code == 0, out
    report = json.loads(out)["ions"]
    assert report["ok"]
    (system,) = report["systems"]
    levels = {f["check"]: f["level"] for f in system["findings"]}
    assert levels["line_integral"] == levels["rotational_sum"] == levels["velocities"] == "pass"
    assert levels["wannier_count"] == "skip"
    code, out, _ = aptbench("lint", datasets / "ions" / "ions.zarr")
    assert code == 0
    assert "line_integral" in out
    assert "wannier_count" not in out
    assert "checks do not apply" in out
    assert "wannier_count" in aptbench("lint", "ions", "--all")[1]


def test_a_reversed_sign_has_code_1_and_advice(datasets, aptbench):
    write_ions(datasets, sign=-1.0)
    code, out, _ = aptbench("lint", "ions")
    assert code == 1
    assert "fail" in out
    assert "What to do" in out
    code, out, _ = aptbench("lint", "ions", "--json")
    assert code == 1
    found = json.loads(out)["ions"]["systems"][0]["findings"]
    failed = {f["check"] for f in found if f["level"] == "fail"}
    assert failed == {"line_integral", "rotational_sum"}


def test_a_wrong_time_step_is_seen_in_the_velocities(datasets, aptbench):
    write_ions(datasets, step=1.0)
    found = json.loads(aptbench("lint", "--json")[1])["ions"]["systems"][0]["findings"]
    assert [f["check"] for f in found if f["level"] == "fail"] == ["velocities"]


def write_labelled_water(folder: Path) -> None:
    records = [make(k) for k in (1, 4, 6)]
    positions = np.random.default_rng(0).uniform(0, 4, (8, 3, 3))
    for record in records:
        positions[record.frame] = record.positions
        record.write(record_path(folder / "water" / "records", record.frame))
    system = SystemData(
        Frames([8, 1, 1], positions, [8.0] * 3), [1, 4], [r.apt for r in records[:2]]
    )
    write_dataset(folder / "water" / "water.zarr", {"main": system}, ATTRS | {"name": "water"})


def test_records_beside_the_store_are_checked_too(datasets, aptbench):
    write_labelled_water(datasets)
    systems = json.loads(aptbench("lint", "--json")[1])["water"]["systems"]
    assert [s["subject"] for s in systems] == ["main", "main: records"]
    assert systems[1]["ok"]
    path = record_path(datasets / "water" / "records", 4)
    record = make(4)
    dataclasses.replace(record, apt=record.apt + 1e-3).write(path)
    code, out, _ = aptbench("lint", "--json")
    assert code == 1
    found = json.loads(out)["water"]["systems"][1]["findings"]
    assert {f["check"] for f in found if f["level"] == "fail"} == {"recomputed", "store_labels"}


def test_records_in_a_folder_of_their_system(datasets, aptbench):
    write_labelled_water(datasets)
    records = datasets / "water" / "records"
    moved = records / "main"
    moved.mkdir()
    for path in records.glob("*.h5"):
        path.rename(moved / path.name)
    systems = json.loads(aptbench("lint", "--json")[1])["water"]["systems"]
    assert systems[1]["subject"] == "main: records"
    assert systems[1]["ok"]


def test_a_damaged_record_and_a_missing_store_are_errors(datasets, aptbench):
    code, _, err = aptbench("lint")
    assert code == 2
    assert "no store to check" in err
    write_labelled_water(datasets)
    code, _, err = aptbench("lint", "wader")
    assert code == 2
    assert "did you mean 'water'" in err
    path = record_path(datasets / "water" / "records", 4)
    path.write_bytes(path.read_bytes()[:500])
    code, _, err = aptbench("lint", "water")
    assert code == 2
    assert "frame-000004.h5 cannot be read" in err


def test_records_of_an_unknown_system_are_refused(datasets, aptbench):
    write_labelled_water(datasets)
    frames = Frames([8, 1, 1], np.random.default_rng(1).uniform(size=(2, 3, 3)))
    system = SystemData(frames, [], np.zeros((0, 3, 3, 3)))
    store = datasets / "water" / "water.zarr"
    write_dataset(store, {"a": system, "b": system}, ATTRS, overwrite=True)
    code, _, err = aptbench("lint", "water")
    assert code == 2
    assert "records/SYSTEM" in err
