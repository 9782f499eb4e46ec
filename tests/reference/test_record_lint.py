"""Raw label records: what holds, and each kind of damage under its name."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from aptbench import Frames
from aptbench.data import SystemData, write_dataset
from aptbench.errors import InputError
from aptbench.reference.record_lint import (
    check_field_force,
    check_linearity,
    check_one_theory,
    check_recomputed,
    check_record_scf,
    check_repeated_frames,
    check_store_labels,
    lint_records,
)
from aptbench.reference.records import LabelRecord
from aptbench.reference.theory import Theory
from tests.reference.conftest import WATER

FIELD = 5e-4


def make(frame: int, charge: float = 0.0) -> LabelRecord:
    """A record whose forces follow its tensors, with a small even part and a force at rest."""
    rng = np.random.default_rng(frame)
    apt = rng.normal(size=(3, 3, 3))
    apt -= apt.mean(axis=0) - charge * np.eye(3) / 3
    forces = rng.normal(size=(3, 3))
    forces -= forces.mean(axis=0)
    odd = FIELD * np.moveaxis(apt, 1, 0)
    even = 1e-3 * FIELD * rng.normal(size=(3, 3, 3))
    even -= even.mean(axis=1, keepdims=True)
    field_forces = forces + np.stack([odd, -odd], axis=1) + even[:, None]
    return LabelRecord(
        frame=frame,
        time=2.0 * frame,
        atomic_numbers=np.array([8, 1, 1]),
        # as stored: multiples of a power of two, and float32
        positions=np.round((WATER + 0.1 * rng.normal(size=(3, 3))) * 2**14) / 2**14,
        cell=np.diag([8.0, 8.0, 8.0]),
        apt=apt,
        forces=forces,
        field_forces=field_forces,
        dipole=np.zeros(3),
        wannier_centers=np.zeros((4, 3)),
        scf_iterations=np.ones(7, int),
        scf_residual=np.full(7, 2e-7),
        provenance={"code": "CP2K 1", "method": "m", "theory": Theory(field=FIELD).as_dict()},
    )


@pytest.fixture
def records() -> list[LabelRecord]:
    return [make(k) for k in (1, 4, 6)]


def damaged(records: list[LabelRecord], **fields) -> list[LabelRecord]:
    return [records[0], dataclasses.replace(records[1], **fields), records[2]]


def test_sound_records_pass(records):
    found = lint_records(records)
    assert [f.outcome for f in found] == ["pass"] * 6, found
    ions = [make(k, charge=1.0) for k in (1, 2)]
    assert all(f.ok for f in lint_records(ions, 1.0))
    assert not check_field_force(ions, 0.0).ok


def test_another_theory_or_version(records):
    other = {**records[1].provenance, "code": "CP2K 2"}
    found = check_one_theory(damaged(records, provenance=other))
    assert not found.ok
    assert "frames 4 have the rarest" in found.message
    coarse = {**records[1].provenance, "theory": Theory(field=FIELD, cutoff=300.0).as_dict()}
    assert not check_one_theory(damaged(records, provenance=coarse)).ok


def test_a_setting_younger_than_the_record_is_at_its_default(records):
    old = dict(records[1].provenance["theory"])
    del old["outer_scf"]
    provenance = {**records[1].provenance, "theory": old}
    assert check_one_theory(damaged(records, provenance=provenance)).ok


def test_tensors_that_are_not_those_of_the_forces(records):
    found = check_recomputed(damaged(records, apt=records[1].apt + 1e-8))
    assert not found.ok
    assert "worst frame 4" in found.message
    assert not check_recomputed(damaged(records, apt=np.swapaxes(records[1].apt, 1, 2))).ok


def test_one_field_run_in_another_state(records):
    forces = records[1].field_forces.copy()
    forces[2, 1] += 0.1 * FIELD * np.random.default_rng(0).normal(size=(3, 3))
    found = check_linearity(damaged(records, field_forces=forces))
    assert not found.ok
    assert "worst frame 4" in found.message
    assert check_linearity(records).ok


def test_a_net_force_in_one_field(records):
    forces = records[1].field_forces.copy()
    forces[0, 1, :, 2] += 0.03 * FIELD / 3
    found = check_field_force(damaged(records, field_forces=forces))
    assert not found.ok
    # one component of nine, in one of the two signs
    assert "0.01 e, limit 0.0087" in found.message


@pytest.mark.parametrize("value", [3.1e-7, np.nan])
def test_a_field_that_did_not_converge(records, value):
    residual = records[1].scf_residual.copy()
    residual[5] = value
    found = check_record_scf(damaged(records, scf_residual=residual))
    assert not found.ok
    assert "beyond it: frames 4" in found.message


@pytest.mark.parametrize("name", ["positions", "apt"])
def test_repeated_records(records, name):
    found = check_repeated_frames(damaged(records, **{name: getattr(records[0], name)}))
    assert not found.ok
    assert f"frames 1 and 4 have the same {name}" in found.message


def test_records_and_store(records, tmp_path):
    positions = np.zeros((8, 3, 3))
    for record in records:
        positions[record.frame] = record.positions
    frames = Frames([8, 1, 1], positions, [8.0] * 3)
    apt = np.stack([record.apt for record in records[:2]])
    attrs = {"name": "t", "version": "0.1.0", "title": "T", "license": "CC0-1.0"}
    system = SystemData(frames, [1, 4], apt)
    store = write_dataset(tmp_path / "t.zarr", {"main": system}, attrs)
    found = lint_records(records, 0.0, store)[-1]
    assert (found.check, found.outcome) == ("store_labels", "pass")
    assert "2 labels from records, 1 records not in the store" in found.message
    found = check_store_labels(damaged(records, apt=records[1].apt + 1e-12), store)
    assert not found.ok
    assert "other numbers for frames 4" in found.message
    found = check_store_labels(records[1:], store)
    assert "no record of 1" in found.message
    assert not found.ok


def test_nothing_or_several_systems_are_refused(records):
    with pytest.raises(InputError, match="no label record"):
        lint_records([])
    other = dataclasses.replace(records[1], atomic_numbers=np.array([1, 8, 1]))
    with pytest.raises(InputError, match="one system"):
        lint_records([*records, other])
