"""Trajectories of any program: times, units, and atoms that were wrapped."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from aptbench import Frames
from aptbench.data import SystemData
from aptbench.data.conversion import with_trajectory
from aptbench.data.readers.extended_xyz import write_extended_xyz
from aptbench.data.readers.trajectory_file import read_trajectory_file, unwrapped
from aptbench.errors import AlignmentError, InputError, UnitError, UnknownNameError

CELL = np.diag([6.0, 7.0, 8.0])


@pytest.fixture(scope="module")
def frames() -> Frames:
    """Two argon atoms that fly, one of them out of the cell."""
    velocities = np.tile([[0.04, -0.02, 0.0], [0.0, 0.01, 0.03]], (60, 1, 1))
    start = np.array([[1.0, 1.0, 1.0], [3.0, 3.0, 7.0]])
    positions = start + 5.0 * np.arange(60)[:, None, None] * velocities
    return Frames([18, 18], positions, CELL, velocities)


def with_times(path: Path, times: np.ndarray) -> Path:
    """Add ``time=`` to the comments of an extended xyz file."""
    lines = path.read_text().splitlines()
    for k, time in enumerate(times):
        lines[4 * k + 1] += f" time={time}"
    path.write_text("\n".join(lines) + "\n")
    return path


@pytest.fixture
def extxyz(frames: Frames, tmp_path: Path) -> Path:
    write_extended_xyz(tmp_path / "run.extxyz", frames)
    return tmp_path / "run.extxyz"


def test_extended_xyz_by_its_own_times_or_by_a_step(frames: Frames, extxyz: Path) -> None:
    for path, words in (
        (extxyz, {"time_step": 5.0}),
        (with_times(extxyz, 0.005 * np.arange(60)), {"time_unit": "ps"}),
    ):
        times, read = read_trajectory_file(path, format="extxyz", **words)
        assert_allclose(times, 5.0 * np.arange(60), atol=1e-12)
        assert_array_equal(read.positions, frames.positions)
        assert_array_equal(read.velocities, frames.velocities)
        assert_array_equal(read.cell, frames.cell)


def test_the_unit_of_velocities_is_that_of_the_file(tmp_path: Path) -> None:
    text = 'Lattice="9 0 0 0 9 0 0 0 9" Properties=species:S:1:pos:R:3:vel:R:3'
    path = tmp_path / "a.xyz"
    path.write_text("".join(f"1\n{text}\nAr {k} 0 0 100 0 0\n" for k in range(2)))
    with pytest.raises(UnitError, match="no unit"):
        read_trajectory_file(path, format="extxyz", time_step=1.0)
    _, read = read_trajectory_file(path, format="extxyz", time_step=1.0, velocity_unit="m/s")
    assert read.velocities is not None
    assert_allclose(read.velocities[:, 0, 0], 1e-3)


def test_a_plain_xyz_file_takes_cell_and_step(tmp_path: Path) -> None:
    path = tmp_path / "plain.xyz"
    path.write_text("1\n\nAr 0 0 0\n1\n\nAr 0.5 0 0\n")
    times, read = read_trajectory_file(path, format="extxyz", time_step=0.5, cell=[9.0] * 3)
    assert times.tolist() == [0.0, 0.5]
    assert read.cell is not None
    assert read.cell[1].tolist() == np.diag([9.0] * 3).tolist()


def test_what_ase_reads(frames: Frames, tmp_path: Path) -> None:
    ase = pytest.importorskip("ase")
    from ase.io import Trajectory, write
    from ase.units import fs

    images = []
    for k in range(len(frames)):
        atoms = ase.Atoms(frames.atomic_numbers, frames.positions[k], cell=CELL, pbc=True)
        assert frames.velocities is not None
        atoms.set_velocities(frames.velocities[k] / fs)  # angstrom/fs in the unit of ASE
        images.append(atoms)
    with Trajectory(str(tmp_path / "run.traj"), "w") as file:
        for atoms in images:
            file.write(atoms)
    times, read = read_trajectory_file(tmp_path / "run.traj", format="ase", time_step=5.0)
    assert_allclose(times, 5.0 * np.arange(60))
    assert_allclose(read.positions, frames.positions, atol=1e-12)
    # ASE has other constants than CODATA 2018
    assert_allclose(read.velocities, frames.velocities, rtol=1e-6)
    write(tmp_path / "XDATCAR", images, format="vasp-xdatcar")
    _, wrapped = read_trajectory_file(tmp_path / "XDATCAR", format="ase", time_step=5.0)
    assert wrapped.velocities is None
    moved = wrapped.positions - wrapped.positions[0]
    assert_allclose(moved, frames.positions - frames.positions[0], atol=1e-6)
    with pytest.raises(InputError, match="no times"):
        read_trajectory_file(tmp_path / "XDATCAR", format="ase")
    (tmp_path / "odd.traj").write_text("nothing")
    with pytest.raises(InputError, match="ASE cannot read"):
        read_trajectory_file(tmp_path / "odd.traj", format="ase", time_step=1.0)
    images[3].numbers[0] = 10
    write(tmp_path / "two.extxyz", images[:5])
    with pytest.raises(AlignmentError, match=r"Frame 3 .* other atoms"):
        read_trajectory_file(tmp_path / "two.extxyz", format="ase", time_step=1.0)


def test_wrapped_atoms_are_put_back_and_others_left_alone(frames: Frames) -> None:
    fractions = frames.positions @ np.linalg.inv(CELL)
    wrapped = frames.replace(positions=(fractions - np.floor(fractions)) @ CELL)
    assert np.abs(wrapped.positions - frames.positions).max() > 5
    assert_allclose(unwrapped(wrapped).positions, frames.positions, atol=1e-9)
    assert unwrapped(frames) is frames
    skewed = np.array([[6.0, 0, 0], [2.0, 7.0, 0], [0, 1.0, 8.0]])
    jumped = frames.positions + np.where(np.arange(60) > 30, 1, 0)[:, None, None] * skewed[1]
    tilted = frames.replace(cell=skewed, positions=jumped)
    assert_allclose(unwrapped(tilted).positions, frames.positions, atol=1e-9)
    alone = frames.replace(cell=None)
    assert unwrapped(alone) is alone


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ({"format": "cp2k", "time_step": 1.0}, "no time step"),
        ({"format": "cp2k", "time_unit": "ps"}, "no time unit"),
        ({"format": "extxyz", "velocities": "v.xyz"}, "no velocities"),
        ({"format": "ase", "velocity_unit": "m/s", "time_step": 1.0}, "no velocity unit"),
        ({"format": "extxyz"}, "no times"),
        ({"format": "extxyz", "time_step": 1.0, "time_unit": "fs"}, "one of the two"),
        ({"format": "extxyz", "time_step": -1.0}, "must be positive"),
        ({"format": "ase", "time_step": 1.0, "positions": "none.traj"}, "no file"),
    ],
)
def test_what_is_idle_or_lacks(extxyz: Path, words: dict, message: str) -> None:
    if words["format"] == "ase":
        pytest.importorskip("ase")
    with pytest.raises(InputError, match=message):
        read_trajectory_file(**{"positions": extxyz, **words})


def test_times_without_a_unit_and_an_unknown_format(extxyz: Path) -> None:
    with_times(extxyz, np.arange(60.0))
    with pytest.raises(InputError, match="no unit of them"):
        read_trajectory_file(extxyz, format="extxyz")
    with pytest.raises(UnknownNameError, match="did you mean 'extxyz'"):
        read_trajectory_file(extxyz, format="extxy")


def test_labels_find_a_trajectory_in_extended_xyz(frames: Frames, extxyz: Path) -> None:
    def labels(cell: np.ndarray | None) -> SystemData:
        some = Frames([18, 18], frames.positions[[40, 7]], cell)
        return SystemData(some, [0, 1], np.zeros((2, 2, 3, 3)))

    for cell in (CELL, np.stack([CELL, 1.01 * CELL])):
        found = with_trajectory(labels(cell), extxyz, format="extxyz", time_step=5.0)
        assert found.label_frame.tolist() == [7, 40]
        assert_array_equal(found.frames.cell, frames.cell)
        assert found.frames.velocities is not None
    alone = with_trajectory(labels(None), extxyz, format="extxyz", time_step=5.0)
    assert alone.frames.cell is None
    bare = extxyz.with_name("bare.extxyz")
    write_extended_xyz(bare, frames.replace(cell=None))
    with pytest.raises(InputError, match="cell differs between labels"):
        with_trajectory(labels(np.stack([CELL, 1.01 * CELL])), bare, format="extxyz", time_step=5.0)
