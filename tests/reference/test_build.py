"""The store of a data set from a trajectory and records, and what is refused."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from aptbench import Frames
from aptbench.data import verify, write_dataset
from aptbench.errors import AlignmentError, InputError, StoreError
from aptbench.reference.build import build
from aptbench.reference.recipe import Labelling, Recipe
from aptbench.reference.records import LabelRecord, record_path
from aptbench.reference.sample import trajectory_data
from tests.reference.conftest import WATER
from tests.reference.test_sample import recipe


@pytest.fixture
def plan() -> Recipe:
    return recipe().model_copy(update={"label": Labelling(frames=(3,))})


@pytest.fixture
def sampled(plan, tmp_path):
    rng = np.random.default_rng(0)
    shape = (5, 3, 3)
    frames = Frames(
        [8, 1, 1], WATER + 0.1 * rng.normal(size=shape), [6.0] * 3, 0.01 * rng.normal(size=shape)
    )
    data = trajectory_data(plan, 2.0 * np.arange(5), frames, "no engine: synthetic")
    return write_dataset(tmp_path / "trajectory.zarr", {plan.system: data}, plan.attrs)


@pytest.fixture
def record(plan, sampled) -> LabelRecord:
    frame = sampled.trajectory(plan.system)[3]
    return LabelRecord(
        frame=3,
        time=6.0,
        atomic_numbers=frame.atomic_numbers,
        positions=frame.positions[0],
        cell=frame.cell[0],
        apt=np.arange(27.0).reshape(3, 3, 3),
        forces=np.zeros((3, 3)),
        field_forces=np.zeros((3, 2, 3, 3)),
        dipole=np.ones(3),
        wannier_centers=np.zeros((4, 3)),
        scf_iterations=np.ones(7, int),
        scf_residual=np.full(7, 1e-7),
        provenance={
            "code": "synthetic",
            "method": "none",
            "theory": plan.label.theory.as_dict(),
        },
    )


def test_labels_stand_on_their_frames(plan, sampled, record, tmp_path):
    record.write(record_path(tmp_path / "records", 3))
    dataset = build(plan, sampled, tmp_path / "records", tmp_path / "tiny.zarr")
    assert verify(tmp_path / "tiny.zarr").ok
    assert dataset.label_frames(plan.system).tolist() == [3]
    labelled = dataset.labelled(plan.system)
    assert np.array_equal(labelled.apt[0], record.apt)
    assert np.array_equal(labelled.frames.positions[0], record.positions)
    assert dataset.system_attrs(plan.system)["provenance"]["labels"]["code"] == "synthetic"


def test_record_of_another_frame_is_refused(plan, sampled, record, tmp_path):
    moved = dataclasses.replace(record, positions=record.positions + 1e-4)
    moved.write(record_path(tmp_path / "records", 3))
    with pytest.raises(AlignmentError, match="frame 3"):
        build(plan, sampled, tmp_path / "records", tmp_path / "tiny.zarr")


def test_record_of_another_theory_is_refused(plan, sampled, record, tmp_path):
    theory = {**plan.label.theory.as_dict(), "cutoff": 300.0}
    other = dataclasses.replace(record, provenance={**record.provenance, "theory": theory})
    other.write(record_path(tmp_path / "records", 3))
    with pytest.raises(InputError, match="level of theory"):
        build(plan, sampled, tmp_path / "records", tmp_path / "tiny.zarr")


def test_record_of_a_frame_that_is_not_in_the_recipe_waits(plan, sampled, record, tmp_path):
    for number in (3, 4):
        frame = sampled.trajectory(plan.system)[number]
        moved = dataclasses.replace(record, frame=number, positions=frame.positions[0])
        moved.write(record_path(tmp_path / "records", number))
    dataset = build(plan, sampled, tmp_path / "records", tmp_path / "tiny.zarr")
    assert dataset.label_frames(plan.system).tolist() == [3]


def test_no_records(plan, sampled, tmp_path):
    with pytest.raises(InputError, match="aptbench label"):
        build(plan, sampled, tmp_path / "records", tmp_path / "tiny.zarr")


def test_a_folder_that_is_no_store_is_kept(plan, sampled, record, tmp_path):
    record.write(record_path(tmp_path / "records", 3))
    keep = tmp_path / "keep"
    keep.mkdir()
    (keep / "thesis.tex").write_text("years")
    with pytest.raises(StoreError, match="no store"):
        build(plan, sampled, tmp_path / "records", keep)
    assert (keep / "thesis.tex").read_text() == "years"


def test_an_absent_record_is_told(tmp_path):
    with pytest.raises(StoreError, match="no label record of this frame") as caught:
        LabelRecord.read(record_path(tmp_path, 3))
    assert caught.value.do == "aptbench label"
