"""Labels of one water molecule by the real engine, and what happens when it goes wrong."""

from __future__ import annotations

import dataclasses
import json

import numpy as np
import pytest

from aptbench.errors import InputError, StoreError
from aptbench.reference.claimed_label import label_in_turn
from aptbench.reference.label import label_frame
from aptbench.reference.records import LabelRecord, failure_path, read_records, record_path

pytestmark = pytest.mark.engine


@pytest.fixture(scope="module")
def work(tmp_path_factory):
    return tmp_path_factory.mktemp("work")


@pytest.fixture(scope="module")
def record(cp2k, water, cheap, work):
    return label_frame(water, cheap, cp2k, work, 7, 14.0)


class NoEngine:
    """Stands where an engine must not be asked for anything."""

    version, ranks = "none", 1

    def run(self, folder, name, **_):
        raise AssertionError(f"the engine was run for {name}")


def test_tensor_of_a_water_molecule(record):
    # Gas-phase water: oxygen near -0.7 e in trace/3, hydrogens half of it and opposite.
    charges = np.trace(record.apt, axis1=1, axis2=2) / 3
    assert -0.75 < charges[0] < -0.5
    assert charges[1] == pytest.approx(-charges[0] / 2, abs=0.03)
    assert np.abs(record.sum_rule_residual).max() < 0.03


def test_out_of_plane_response_does_not_mix(record):
    # The molecule lies in the xy plane of a cell with that mirror plane.
    assert np.abs(record.apt[:, 2, :2]).max() < 5e-3
    assert np.abs(record.apt[:, :2, 2]).max() < 5e-3


def test_index_order_by_displacing_an_atom(record, cp2k, cheap, work, water, tmp_path):
    """dM/dR of the Berry-phase dipole: an independent route to the same tensor."""
    from aptbench.data.readers.cp2k import read_dipole
    from aptbench.reference.inputs import finite_field, xyz_text

    step = 0.01
    dipoles = []
    for sign in (1, -1):
        positions = water.positions[0].copy()
        positions[1, 0] += sign * step
        (tmp_path / "start.xyz").write_text(xyz_text(water.atomic_numbers, positions))
        text = finite_field(theory=cheap, cell=water.cell[0], elements=["O", "H"], field=None)
        (tmp_path / "run.inp").write_text(text)
        dipoles.append(read_dipole(cp2k.run(tmp_path, "run")))
    derivative = (dipoles[0] - dipoles[1]) / (2 * step)
    assert record.apt[1, :, 0] == pytest.approx(derivative, abs=0.02)
    assert abs(record.apt[1, 1, 0] - record.apt[1, 0, 1]) > 0.05, "the order could not be seen"


def test_wannier_centres_are_those_of_a_water_molecule(record, water):
    assert record.wannier_centers.shape == (4, 3)
    shift = record.wannier_centers[:, None] - water.positions[0]
    shift -= 6.0 * np.rint(shift / 6.0)
    assert np.linalg.norm(shift[:, 0], axis=-1).max() < 0.7
    ions = np.array([6.0, 1.0, 1.0]) @ water.positions[0]
    nearest = water.positions[0, 0] + shift[:, 0]
    dipole = ions - 2 * nearest.sum(axis=0)
    # One k-point in so small a cell: centres and Berry phase differ by terms of order 1/L^2.
    assert (record.dipole - dipole + 3) % 6 - 3 == pytest.approx(np.zeros(3), abs=0.06)


def test_provenance(record, cheap, cp2k):
    assert record.provenance["code"] == cp2k.version
    assert record.provenance["theory"] == cheap.as_dict()
    assert len(set(record.provenance["input_sha256"].values())) == 7
    assert record.scf_residual.max() < cheap.eps_scf
    assert (record.scf_iterations > 0).all()


def test_record_round_trip(record, tmp_path):
    path = record_path(tmp_path, 7)
    record.write(path)
    again = LabelRecord.read(path)
    for field in dataclasses.fields(record):
        assert np.all(getattr(again, field.name) == getattr(record, field.name)), field.name
    assert [p.name for p in tmp_path.iterdir()] == [path.name], "a partial file was left"


def test_truncated_record_is_named(record, tmp_path):
    path = record_path(tmp_path, 7)
    record.write(path)
    path.write_bytes(path.read_bytes()[:1000])
    with pytest.raises(StoreError, match=r"frame-000007\.h5"):
        read_records(tmp_path)


def test_finished_runs_are_not_repeated(record, water, cheap, work):
    again = label_frame(water, cheap, NoEngine(), work, 7, 14.0)
    assert np.array_equal(again.apt, record.apt)


def test_a_labelled_frame_is_left_alone(record, water, cheap, tmp_path):
    record.write(record_path(tmp_path, 0))
    assert (
        label_in_turn(water, np.zeros(1), [0], cheap, NoEngine, tmp_path, tmp_path / "work") == []
    )


def test_no_convergence_is_written_down_and_never_kept(water, cheap, cp2k, tmp_path):
    hopeless = dataclasses.replace(cheap, eps_scf=1e-13, outer_scf=1)
    records = tmp_path / "records"
    failed = label_in_turn(
        water, np.zeros(1), [0], hopeless, lambda: cp2k, records, tmp_path / "work"
    )
    assert failed == [0]
    assert not record_path(records, 0).exists()
    reason = json.loads(failure_path(records, 0).read_text())
    assert "did not converge" in reason["reason"]
    again = label_in_turn(water, np.zeros(1), [0], hopeless, NoEngine, records, work)
    assert again == [0]


def test_frame_that_does_not_exist(water, cheap, tmp_path):
    with pytest.raises(InputError, match="not in the trajectory"):
        label_in_turn(water, np.zeros(1), [3], cheap, NoEngine, tmp_path, tmp_path)


def test_isolated_system_is_refused(water, cheap, tmp_path):
    with pytest.raises(InputError, match="periodic"):
        label_frame(water.replace(cell=None), cheap, NoEngine(), tmp_path)
