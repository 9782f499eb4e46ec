"""CP2K output: files of real runs of CP2K 2023.1 on one molecule of water in a small cell."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from aptbench.data.readers import cp2k
from aptbench.data.readers.cp2k_labels import read_cp2k_labels
from aptbench.errors import AlignmentError, ConvergenceError, InputError
from aptbench.units import ATOMIC_TIME, BOHR

RUNS = Path(__file__).parent / "cp2k_water"
FIELD = 5e-4


def text(name: str) -> str:
    return (RUNS / name).read_text()


def tensors() -> np.ndarray:
    forces = {key: cp2k.read_forces(text(f"field_{key[0]}_{key[1]}.out")) for key in cp2k.FIELDS}
    return cp2k.finite_field_apt(forces, FIELD)


def test_tensor_of_forces_is_the_derivative_of_the_dipole():
    """Displace the first H by 0.01 angstrom along x: order, sign and unit at once."""
    step = cp2k.read_dipole(text("displaced_plus.out")) - cp2k.read_dipole(
        text("displaced_minus.out")
    )
    derivative = step / 0.02
    assert_allclose(tensors()[1][:, 0], derivative, atol=3e-4)
    assert np.abs(tensors()[1][0, :] - derivative).max() > 0.03  # the other order is far off


def test_tensors_are_those_of_water():
    charges = np.trace(tensors(), axis1=1, axis2=2) / 3
    assert -0.8 < charges[0] < -0.5
    assert np.all((charges[1:] > 0.25) & (charges[1:] < 0.4))
    assert_allclose(tensors().sum(0), 0, atol=0.01)


def test_sign_of_the_field_can_be_reversed():
    forces = {key: np.full((1, 3), 1.0 if key[1] == "plus" else -1.0) for key in cp2k.FIELDS}
    plus = cp2k.finite_field_apt(forces, 0.5)
    assert_array_equal(plus, np.full((1, 3, 3), 2.0))
    assert_array_equal(cp2k.finite_field_apt(forces, 0.5, sign=-1), -plus)


def test_finite_field_needs_six_runs_of_the_same_atoms():
    forces = {key: np.zeros((2, 3)) for key in cp2k.FIELDS}
    with pytest.raises(InputError, match="none for y minus"):
        cp2k.finite_field_apt({k: f for k, f in forces.items() if k != ("y", "minus")}, FIELD)
    with pytest.raises(AlignmentError, match="atoms"):
        cp2k.finite_field_apt(forces | {("z", "plus"): np.zeros((3, 3))}, FIELD)
    with pytest.raises(InputError, match="field"):
        cp2k.finite_field_apt(forces, 0.0)


def test_forces_are_those_printed():
    forces = cp2k.read_forces(text("zero_field.out"))
    assert_array_equal(forces[2], [-0.021123992754, 0.020838964150, -0.009974479663])


def test_forces_of_a_broken_output_are_an_error():
    whole = text("zero_field.out")
    cut = whole[: whole.index("SUM OF ATOMIC FORCES")]
    with pytest.raises(InputError, match="breaks off"):
        cp2k.read_forces(cut)
    with pytest.raises(InputError, match="2 tables"):
        cp2k.read_forces(whole + whole)
    with pytest.raises(InputError, match="damaged"):
        cp2k.read_forces(whole.replace("      2      2      H ", "      3      2      H "))
    with pytest.raises(InputError, match="not finite"):
        cp2k.read_forces(whole.replace("0.020838964150", "NaN"))


def test_dipole_in_debye_and_in_atomic_units():
    dipole = cp2k.read_dipole(text("zero_field.out"))
    assert_allclose(dipole, np.array([-0.22736068, 2.0977558, -0.17341092]) * 0.2081943, rtol=1e-6)
    other = text("zero_field.out").replace("Dipole moment [Debye]", "Dipole moment [a.u.]")
    assert_allclose(cp2k.read_dipole(other), np.array([-0.22736068, 2.0977558, -0.17341092]) * BOHR)
    with pytest.raises(InputError, match="MOMENTS"):
        cp2k.read_dipole("nothing")


def test_cell_rows_are_lattice_vectors():
    assert_allclose(cp2k.read_cell(text("zero_field.out")), np.eye(3) * 6, rtol=2e-7)
    triclinic = [[6, 0, 0], [1, 5.8, 0], [0.5, -0.7, 6.2]]
    assert_allclose(cp2k.read_cell(text("triclinic.out")), triclinic, rtol=2e-7)
    with pytest.raises(InputError, match="cell"):
        cp2k.read_cell("nothing")


def test_wannier_centers_and_dipole_agree():
    """Ions of charge 6 and 1 and four centres of charge -2 have the Berry-phase dipole."""
    centers = cp2k.read_wannier_centers(RUNS / "wannier_centers.xyz")
    assert centers.shape == (4, 3)
    ions = np.loadtxt(RUNS / "frame.xyz", skiprows=2, usecols=(1, 2, 3))
    dipole = np.array([6, 1, 1]) @ ions - 2 * centers.sum(0)
    # The two definitions of the Berry phase differ at second order in the extent of an orbital.
    assert_allclose(dipole, cp2k.read_dipole(text("zero_field.out")), atol=0.03)


def test_the_last_block_of_centers_counts(tmp_path):
    block = text("wannier_centers.xyz")
    path = tmp_path / "centers.xyz"
    path.write_text(block.replace("X ", "X 9") + block)
    expected = cp2k.read_wannier_centers(RUNS / "wannier_centers.xyz")
    assert_array_equal(cp2k.read_wannier_centers(path), expected)
    with pytest.raises(InputError, match="no Wannier centre"):
        cp2k.read_wannier_centers(RUNS / "frame.xyz")


def test_scf_of_converged_and_failed_runs():
    good = cp2k.read_scf(text("zero_field.out"))
    assert good.converged
    assert good.iterations == 26
    assert good.gradient is not None
    assert good.gradient < 1e-6
    assert good.energy == pytest.approx(-17.2038891467)
    bad = cp2k.read_scf(text("not_converged.out"))
    assert not bad.converged
    assert bad.gradient == pytest.approx(0.39)
    with pytest.raises(InputError, match="broke off"):
        cp2k.read_scf(text("zero_field.out")[:500])


def test_version_and_end():
    assert cp2k.read_version(text("zero_field.out")) == "CP2K 2023.1"
    assert cp2k.is_finished(text("zero_field.out"))
    assert not cp2k.is_finished(text("not_converged.out"))
    with pytest.raises(InputError, match="not an output"):
        cp2k.read_version("hello")


def test_trajectory_velocities_are_the_derivative_of_positions():
    times, frames = cp2k.read_trajectory(
        RUNS / "trajectory-pos-1.xyz", RUNS / "trajectory-vel-1.xyz", cell=[6, 6, 6]
    )
    assert_array_equal(times, [0, 0.5, 1.0])
    slope = (frames.positions[2] - frames.positions[0]) / 1.0
    assert_allclose(slope, frames.velocities[1], atol=3e-4)
    assert np.abs(frames.velocities[1]).max() > 0.02
    assert_allclose(frames.velocities[0, 0, 0], 0.0000459995 * BOHR / ATOMIC_TIME, rtol=1e-12)


def test_trajectory_without_velocities_and_cell():
    _, frames = cp2k.read_trajectory(RUNS / "trajectory-pos-1.xyz", cell=None)
    assert frames.velocities is None
    assert not frames.periodic


def test_times_that_are_printed_with_few_digits_are_even(tmp_path):
    path = tmp_path / "pos.xyz"
    steps = range(0, 50, 5)
    frames = (f"1\n i = {n:8d}, time = {0.4838 * n:12.3f}, E = 0.0\nH 0 0 0\n" for n in steps)
    path.write_text("".join(frames))
    times, _ = cp2k.read_trajectory(path, cell=None)
    assert_allclose(np.diff(times), np.diff(times)[0], rtol=1e-12)
    assert_allclose(times, 0.4838 * np.array(steps), atol=1e-3)
    # a gap stays a gap
    path.write_text(path.read_text() + "1\n i = 60, time = 29.028, E = 0.0\nH 0 0 0\n")
    times, _ = cp2k.read_trajectory(path, cell=None)
    assert np.ptp(np.diff(times)) > 2


def test_broken_trajectories_are_errors(tmp_path):
    whole = text("trajectory-pos-1.xyz")
    path = tmp_path / "pos.xyz"
    path.write_text("\n".join(whole.splitlines()[:-1]) + "\n")
    with pytest.raises(InputError, match="missing atoms"):
        cp2k.read_trajectory(path, cell=None)
    path.write_text("\n".join(whole.splitlines()[:-5]) + "\n")
    with pytest.raises(AlignmentError, match="3 steps of velocities"):
        cp2k.read_trajectory(path, RUNS / "trajectory-vel-1.xyz", cell=None)
    path.write_text(whole + whole)
    with pytest.raises(InputError, match="do not increase"):
        cp2k.read_trajectory(path, cell=None)
    path.write_text(text("frame.xyz"))
    with pytest.raises(InputError, match="no step and time"):
        cp2k.read_trajectory(path, cell=None)


def test_labels_of_a_folder():
    system = read_cp2k_labels(RUNS, field=FIELD)
    assert_array_equal(system.apt[0], tensors())
    assert_allclose(system.frames.cell[0], np.eye(3) * 6, rtol=2e-7)
    assert system.wannier_centers.shape == (1, 4, 3)
    assert_array_equal(system.quality["field_step"], [FIELD])
    assert system.quality["scf_gradient"][0] < 1e-6
    assert system.provenance["code"] == "CP2K 2023.1"


def copy_label(target: Path) -> Path:
    target.mkdir(parents=True)
    for path in RUNS.iterdir():
        if path.name.startswith(("field_", "frame", "zero", "wannier")):
            (target / path.name).write_text(path.read_text())
    return target


def test_labels_of_several_folders(tmp_path):
    for name in ("frame_00002", "frame_00001"):
        copy_label(tmp_path / name)
    system = read_cp2k_labels(tmp_path, field=FIELD, cell=[6, 6, 6], sign=-1)
    assert system.n_labels == 2
    assert_array_equal(system.apt[1], -tensors())
    (tmp_path / "frame_00002" / "zero_field.out").unlink()
    with pytest.raises(AlignmentError, match="1 of 2"):
        read_cp2k_labels(tmp_path, field=FIELD)


def test_broken_labels_are_named(tmp_path):
    label = copy_label(tmp_path / "a")
    whole = (label / "field_z_minus.out").read_text()
    (label / "field_z_minus.out").write_text(text("not_converged.out"))
    with pytest.raises(ConvergenceError, match=r"field_z_minus\.out"):
        read_cp2k_labels(tmp_path, field=FIELD)
    (label / "field_z_minus.out").write_text(whole[:1500])
    with pytest.raises(InputError, match=r"field_z_minus\.out"):
        read_cp2k_labels(tmp_path, field=FIELD)
    (label / "field_z_minus.out").unlink()
    with pytest.raises(InputError, match=r"field_z_minus\.out is missing"):
        read_cp2k_labels(tmp_path, field=FIELD)
    with pytest.raises(InputError, match="no finite-field label"):
        read_cp2k_labels(tmp_path / "none", field=FIELD)


def test_a_cell_that_nothing_tells_is_an_error(tmp_path):
    label = copy_label(tmp_path / "a")
    (label / "zero_field.out").unlink()
    with pytest.raises(InputError, match="cell"):
        read_cp2k_labels(tmp_path, field=FIELD)
    assert not read_cp2k_labels(tmp_path, field=FIELD, periodic=False).frames.periodic
