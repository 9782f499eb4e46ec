"""Published nine-column files and extended xyz."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from aptbench.data.readers.columns_xyz import read_columns_xyz
from aptbench.data.readers.extended_xyz import (
    parse_comment,
    read_extended_xyz,
    read_extended_xyz_frames,
    write_extended_xyz,
)
from aptbench.errors import (
    AlignmentError,
    ConventionError,
    InputError,
    UnitError,
    UnknownNameError,
)
from aptbench.frames import Frames, LabelledFrames
from aptbench.units import BOHR, DEBYE

DEFAULT = Path(__file__).parents[4] / "shared" / "data" / "published-water"
PUBLISHED = Path(os.environ.get("APTBENCH_PUBLISHED_WATER", DEFAULT))

WATER = """3
 fmt='p:a'
O 1.0 2.0 3.0  1 2 3 4 5 6 7 8 9
H 1.5 2.5 3.5  0 1 0 0 0 0 0 0 0
H 0.5 2.5 3.5  0 0 0 0 0 0 0 0 -1
"""


@pytest.fixture
def source(tmp_path):
    def write(text: str, name: str = "water.xyz") -> Path:
        (tmp_path / name).write_text(text)
        return tmp_path / name

    return write


def random_labelled(*, full: bool = True) -> LabelledFrames:
    rng = np.random.default_rng(3)
    frames = Frames([8, 1, 1, 17], rng.normal(size=(3, 4, 3)))
    if full:
        frames = frames.replace(
            cell=rng.normal(size=(3, 3, 3)) + 5 * np.eye(3),
            velocities=rng.normal(size=(3, 4, 3)),
            molecule=[0, 0, 0, 1],
            total_charge=-1.0,
        )
    return LabelledFrames(
        frames,
        rng.normal(size=(3, 4, 3, 3)),
        rng.normal(size=(3, 3)) if full else None,
        rng.normal(size=(3, 8, 3)) if full else None,
    )


def test_columns_have_the_order_that_is_given(source):
    path = source(WATER)
    straight = read_columns_xyz(path, order="pol,disp", cell=[9, 9, 9])
    swapped = read_columns_xyz(path, order="disp,pol", cell=None)
    assert_array_equal(straight.apt[0, 0], np.arange(1, 10).reshape(3, 3))
    assert_array_equal(swapped.apt, np.swapaxes(straight.apt, -1, -2))
    assert_array_equal(straight.frames.positions[0, 2], [0.5, 2.5, 3.5])
    assert_array_equal(straight.frames.atomic_numbers, [8, 1, 1])
    assert straight.frames.periodic
    assert not swapped.frames.periodic


def test_columns_are_converted_from_their_units(source):
    path = source(WATER)
    read = read_columns_xyz(
        path, order="pol,disp", cell=None, apt_unit="debye/angstrom", length_unit="bohr"
    )
    assert read.apt[0, 0, 0, 1] == pytest.approx(2 * DEBYE)
    assert read.frames.positions[0, 0, 0] == pytest.approx(BOHR)


def test_there_is_no_default_order(source):
    with pytest.raises(TypeError, match="order"):
        read_columns_xyz(source(WATER), cell=None)
    with pytest.raises(UnknownNameError, match="did you mean 'disp,pol'"):
        read_columns_xyz(source(WATER), order="disp;pol", cell=None)


def test_a_wrong_unit_is_refused(source):
    with pytest.raises(UnitError, match="unit of dipole"):
        read_columns_xyz(source(WATER), order="pol,disp", cell=None, apt_unit="debye")


@pytest.mark.parametrize(
    ("text", "error", "match"),
    [
        ("", InputError, "no frame"),
        (
            WATER.replace("H 1.5 2.5 3.5  0 1", "H 1.5 2.5 3.5  nan 1"),
            InputError,
            "Line 4 .*finite",
        ),
        (WATER.replace("H 0.5", "H x.5"), InputError, "no number"),
        (WATER.replace("-1\n", "\n"), InputError, "Line 5 .* columns"),
        (WATER.replace("9\nH", "9 10\nH"), InputError, "Line 3 .* columns"),
        ("\n".join(WATER.splitlines()[:-1]), InputError, "missing atoms"),
        (WATER.replace("3\n fmt", "2\n fmt"), InputError, "Line 5 .* begin a frame"),
        (WATER + WATER.replace("H 1.5", "O 1.5"), AlignmentError, "atom 1 is O"),
        (WATER + "\n".join(["2", *WATER.splitlines()[1:-1]]), AlignmentError, "2 atoms"),
        (WATER.replace("O 1.0", "Qq 1.0"), UnknownNameError, "element"),
    ],
)
def test_broken_columns_are_named(source, text, error, match):
    with pytest.raises(error, match=match):
        read_columns_xyz(source(text), order="pol,disp", cell=None)


def test_a_missing_file_is_an_error(tmp_path):
    with pytest.raises(InputError, match="There is no file"):
        read_columns_xyz(tmp_path / "none.xyz", order="pol,disp", cell=None)


@pytest.mark.parametrize("full", [True, False])
def test_extended_xyz_round_trip_is_exact(tmp_path, full):
    data = random_labelled(full=full)
    path = tmp_path / "a.xyz"
    write_extended_xyz(path, data)
    back = read_extended_xyz(path, order="pol,disp")
    for name in ("apt", "dipole", "wannier_centers"):
        assert_array_equal(getattr(back, name), getattr(data, name))
    for name in ("atomic_numbers", "positions", "cell", "velocities", "molecule", "total_charge"):
        assert_array_equal(getattr(back.frames, name), getattr(data.frames, name))
    assert [p.name for p in tmp_path.iterdir()] == ["a.xyz"]


def test_extended_xyz_frames_round_trip(tmp_path):
    frames = random_labelled().frames
    write_extended_xyz(tmp_path / "a.xyz", frames)
    back = read_extended_xyz_frames(tmp_path / "a.xyz")
    assert_array_equal(back.velocities, frames.velocities)
    with pytest.raises(InputError, match="without tensors"):
        read_extended_xyz(tmp_path / "a.xyz", order="pol,disp")


def test_a_stated_order_or_unit_cannot_be_contradicted(tmp_path):
    write_extended_xyz(tmp_path / "a.xyz", random_labelled())
    with pytest.raises(ConventionError, match="another apt order"):
        read_extended_xyz(tmp_path / "a.xyz", order="disp,pol")
    with pytest.raises(ConventionError, match="another apt unit"):
        read_extended_xyz(tmp_path / "a.xyz", order="pol,disp", apt_unit="debye/bohr")
    with pytest.raises(ConventionError, match="velocity unit"):
        read_extended_xyz(tmp_path / "a.xyz", order="pol,disp", velocity_unit="m/s")


def test_ase_reads_what_we_write_and_we_read_what_ase_writes(tmp_path):
    ase = pytest.importorskip("ase", reason="the optional package ase is not installed")
    from ase import io, units

    data = random_labelled()
    write_extended_xyz(tmp_path / "a.xyz", data)
    atoms = io.read(tmp_path / "a.xyz", index=1)
    assert_allclose(atoms.arrays["apt"].reshape(-1, 3, 3), data.apt[1])
    assert_allclose(atoms.cell.array, data.frames.cell[1])

    other = ase.Atoms("OH", positions=[[0, 0, 0], [0, 0, 1.0]], cell=[9, 8, 7], pbc=True)
    other.set_velocities(np.array([[0.1, 0, 0], [0, 0, 0.2]]) / units.fs)
    other.arrays["apt"] = np.arange(18.0).reshape(2, 9)
    io.write(tmp_path / "b.xyz", other, format="extxyz")
    back = read_extended_xyz(tmp_path / "b.xyz", order="disp,pol")
    assert_array_equal(back.apt[0, 1], np.arange(9, 18).reshape(3, 3).T)
    # ASE has its own masses, which differ in the sixth digit.
    assert_allclose(back.frames.velocities[0], [[0.1, 0, 0], [0, 0, 0.2]], rtol=1e-4)
    assert_array_equal(back.frames.cell[0], np.diag([9, 8, 7]))


HEAD = 'Properties=species:S:1:pos:R:3:apt:R:9:vel:R:3 Lattice="9 0 0 0 9 0 0 0 9"'
ROW = "O 0 0 0 1 2 3 4 5 6 7 8 9 1 1 1"


def test_velocities_need_a_unit(source):
    path = source(f"1\n{HEAD}\n{ROW}\n")
    with pytest.raises(UnitError, match="no unit"):
        read_extended_xyz(path, order="pol,disp")
    back = read_extended_xyz(path, order="pol,disp", velocity_unit="angstrom/ps")
    assert_allclose(back.frames.velocities, 1e-3)


@pytest.mark.parametrize(
    ("text", "error", "match"),
    [
        (f'1\n{HEAD} pbc="T T F"\n{ROW}\n', InputError, "not periodic in all"),
        (f"1\n{HEAD.replace('0 0 9', '0 9')}\n{ROW}\n", InputError, "Lattice"),
        (f"1\n{HEAD.replace('apt:R:9', 'apt:R:x')}\n{ROW}\n", InputError, "malformed"),
        (f"1\n{HEAD.replace('apt:R:9', 'apt:R:6')}\n{ROW}\n", InputError, "columns"),
        (f"1\n{HEAD}\n{ROW} 1\n", InputError, "columns"),
        (f"1\n{HEAD}\n{ROW.replace('9', 'inf')}\n", InputError, "not finite"),
        (f'1\n{HEAD} dipole="1 2"\n{ROW}\n', InputError, "dipole"),
        (f'1\n{HEAD}\n{ROW}\n1\n{HEAD} dipole="1 2 3"\n{ROW}\n', AlignmentError, "1 of 2"),
        (f"1\n{HEAD}\n{ROW}\n1\nProperties=pos:R:3\n0 0 0\n", InputError, "species"),
    ],
)
def test_broken_extended_xyz_is_named(source, text, error, match):
    with pytest.raises(error, match=match):
        read_extended_xyz(source(text), order="pol,disp", velocity_unit="angstrom/fs")


def test_momenta_are_divided_by_the_masses_of_the_file(source):
    head = 'Properties=species:S:1:pos:R:3:{}momenta:R:3 pbc="F F F"'
    plain = source(f"1\n{head.format('')}\nH 0 0 0 1 2 3\n")
    heavy = source(f"1\n{head.format('masses:R:1:')}\nH 0 0 0 2.016 1 2 3\n", "heavy.xyz")
    light, slow = (read_extended_xyz_frames(path).velocities for path in (plain, heavy))
    assert_allclose(slow, light / 2, rtol=1e-12)


@pytest.mark.parametrize(
    ("first", "second"), [("total_charge=0", "total_charge=1"), ("", "total_charge=-1")]
)
def test_a_charge_that_changes_is_refused(source, first, second):
    text = "".join(f"1\nProperties=species:S:1:pos:R:3 {c}\nNa 0 0 0\n" for c in (first, second))
    with pytest.raises(AlignmentError, match=r"'total_charge' of water\.xyz changes at line 5"):
        read_extended_xyz_frames(source(text))


def test_comments_with_every_kind_of_quote():
    text = 'a=1 b="x y" c=\'u v\' d={1 2} Lattice="1 0 0" plain'
    assert parse_comment(text) == {
        "a": "1",
        "b": "x y",
        "c": "u v",
        "d": "1 2",
        "Lattice": "1 0 0",
    }


@pytest.mark.published
@pytest.mark.skipif(not PUBLISHED.is_dir(), reason="the published liquid-water data are absent")
@pytest.mark.parametrize(
    ("name", "n"), [("test.xyz", 10), ("train_05.xyz", 5), ("train_10.xyz", 10)]
)
def test_published_water(name, n):
    read = read_columns_xyz(PUBLISHED / name, order="disp,pol", cell=[15.6627] * 3)
    assert read.apt.shape == (n, 384, 3, 3)
    charges = np.trace(read.apt, axis1=-2, axis2=-1) / 3
    hydrogen = read.frames.atomic_numbers == 1
    assert charges[:, hydrogen].mean() == pytest.approx(0.46, abs=0.02)
    assert charges[:, ~hydrogen].mean() == pytest.approx(-0.92, abs=0.03)
