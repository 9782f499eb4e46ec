"""Frames in fixed columns: the numbers and the errors are those of the reader of single rows."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_array_equal

from aptbench.data.readers import cp2k, fixed_xyz
from aptbench.data.readers.fixed_xyz import FixedFrames, read_fixed_frames
from aptbench.data.readers.xyz import Place, read_blocks
from aptbench.errors import AlignmentError, AptbenchError, InputError

RUNS = Path(__file__).parent / "cp2k_water"
ROW = "{:>3s}{:20.10f}{:20.10f}{:20.10f}\n"
SYMBOLS = ("O", "H", "Cl")


def trajectory(n_frames: int = 4, row: str = ROW, scale: float = 3.0) -> str:
    values = np.random.default_rng(5).normal(scale=scale, size=(n_frames, len(SYMBOLS), 3))
    blocks = []
    for step, frame in enumerate(values):
        rows = "".join(row.format(name, *xyz) for name, xyz in zip(SYMBOLS, frame, strict=True))
        blocks.append(f"{len(SYMBOLS):8d}\n i = {step:8d}, time = {step / 2:12.3f}\n{rows}")
    return "".join(blocks)


def single_rows(path: Path) -> np.ndarray:
    return np.array([block.numbers(block.fields(4), slice(1, 4)) for block in read_blocks(path)])


def same_bits(first: np.ndarray, second: np.ndarray) -> bool:
    return first.shape == second.shape and first.tobytes() == second.tobytes()


def outcome(path: Path) -> Any:
    """Return everything of a trajectory as bytes, or the error."""
    try:
        times, frames = cp2k.read_trajectory(path, cell=None)
    except AptbenchError as error:
        return type(error), str(error)
    return times.tobytes(), frames.positions.tobytes(), frames.atomic_numbers.tobytes()


def careful_outcome(path: Path) -> Any:
    """Return the same without the reader of fixed columns."""
    nothing = FixedFrames(None, [], np.zeros((0, 0, 3)), Place())
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(cp2k, "read_fixed_frames", lambda path, n_columns: nothing)
        return outcome(path)


@pytest.mark.parametrize("name", ["trajectory-pos-1.xyz", "trajectory-vel-1.xyz"])
def test_cp2k_files_are_read_to_the_end_bit_for_bit(name):
    path = RUNS / name
    fixed = read_fixed_frames(path, 4)
    assert fixed.rest.offset == path.stat().st_size
    assert fixed.rest.line == len(path.read_text().splitlines())
    assert fixed.comments == [block.comment for block in read_blocks(path)]
    assert same_bits(fixed.values, single_rows(path))


@pytest.mark.parametrize(
    ("row", "scale"),
    [
        (ROW, 3.0),
        ("{:2s} {:8.3f} {:8.3f} {:8.3f}  \n", 100.0),
        ("{:<4s}{:12.1f}{:14.6f}{:12.8f}\n", 0.1),
        ("{:2s} {:22.15f} {:22.15f} {:22.15f}\n", 30.0),
        ("{:2s} {:35.22f} {:35.22f} {:35.10f}\n", 1e9),
    ],
)
def test_every_format_gives_the_nearest_double(tmp_path, row, scale):
    path = tmp_path / "a.xyz"
    path.write_text(trajectory(300, row, scale))
    fixed = read_fixed_frames(path, 4)
    assert fixed.symbols == list(SYMBOLS)
    assert len(fixed.values) == 300
    assert same_bits(fixed.values, single_rows(path))


def test_a_negative_zero_keeps_its_sign(tmp_path):
    path = tmp_path / "a.xyz"
    path.write_text("1\n\nAr   0.000  -0.000  -1.500\n")
    values = read_fixed_frames(path, 4).values[0, 0]
    assert_array_equal(np.signbit(values), [False, True, True])


@given(
    numbers=st.lists(
        st.decimals(-(10**9), 10**9, allow_nan=False, places=12), min_size=3, max_size=30
    )
)
def test_any_decimal_is_read_as_python_reads_it(tmp_path_factory, numbers):
    path = tmp_path_factory.mktemp("decimals") / "a.xyz"
    rows = [numbers[k : k + 3] for k in range(0, len(numbers) - 2, 3)]
    text = "".join("Ar" + "".join(f"{number:26.12f}" for number in row) + "\n" for row in rows)
    path.write_text(f"{len(rows)}\n\n{text}")
    expected = np.array([[[float(f"{number:.12f}") for number in row] for row in rows]])
    assert same_bits(read_fixed_frames(path, 4).values, expected)


@pytest.mark.parametrize("chunk", [1, 500, 700])
def test_frames_across_the_ends_of_chunks(tmp_path, monkeypatch, chunk):
    path = tmp_path / "a.xyz"
    path.write_text(trajectory(50))
    whole = read_fixed_frames(path, 4)
    monkeypatch.setattr(fixed_xyz, "CHUNK", chunk)
    pieces = read_fixed_frames(path, 4)
    assert len(pieces.values) == 50
    assert pieces.comments == whole.comments
    assert pieces.rest == whole.rest
    assert same_bits(pieces.values, whole.values)


GOOD = trajectory()
LINES = GOOD.splitlines(keepends=True)


def with_line(number: int, change: Any) -> str:
    lines = list(LINES)
    lines[number - 1] = change(lines[number - 1])
    return "".join(lines)


def in_line(number: int, old: str, new: str) -> str:
    def change(line: str) -> str:
        assert old in line
        return line.replace(old, new, 1)

    return with_line(number, change)


@pytest.mark.parametrize(
    ("text", "n_fixed", "error", "match"),
    [
        (GOOD, 4, None, ""),
        (GOOD + "\n  \n", 4, None, ""),
        ("\n" + GOOD, 0, None, ""),
        (GOOD[:-1], 3, None, ""),
        (GOOD.replace("\n", "\r\n"), 0, None, ""),
        (in_line(14, " ", "\t"), 2, None, ""),
        (in_line(14, "\n", " \n"), 2, None, ""),
        (in_line(14, " ", ""), 2, None, ""),
        (in_line(11, "       3", "3"), 2, None, ""),
        (in_line(12, "\n", " é\n"), 4, None, ""),
        (trajectory(row="{:3s} {:20.10e} {:20.10e} {:20.10e}\n"), 0, None, ""),
        (in_line(14, ".", "D"), 2, InputError, "no number in the frame at line 11"),
        (with_line(14, lambda line: line[:50] + " " * 10 + "inf\n"), 2, InputError, "14 .*finite"),
        (with_line(14, lambda line: line[:50] + " " * 10 + "1_0\n"), 2, None, ""),
        (with_line(14, lambda line: line[:-1] + " 1\n"), 2, InputError, "(?s)Line 14 .*5 columns"),
        (with_line(14, lambda line: line[:43] + "\n"), 2, InputError, "(?s)Line 14 .*3 columns"),
        (with_line(14, lambda line: line[:43] + "9" + line[44:]), 2, None, ""),
        (with_line(14, lambda line: ""), 2, InputError, "Line 15 .*columns"),
        (with_line(14, lambda line: 2 * line), 2, InputError, "atom 2 is H"),
        (in_line(14, "H", "O"), 2, AlignmentError, "(?s)line 11 .*atom 1 is O"),
        (in_line(11, "3", "2"), 2, AlignmentError, "2 atoms"),
        (in_line(11, "3", "x"), 2, InputError, "Line 11 .*begin a frame"),
        (in_line(12, "time", "clock"), 4, InputError, "line 11 .*no step and time"),
        (in_line(12, "i =        2", "i =        1"), 4, InputError, "do not increase"),
        ("".join(LINES[:-1]), 3, InputError, "(?s)at line 16.*2 of 3 atoms"),
        ("".join(LINES[:-3]), 3, InputError, "missing atoms, at line 16"),
        ("".join(LINES[:-4]), 3, InputError, "missing atoms, at line 16"),
        (GOOD + "99999999999", 4, InputError, "missing atoms, at line 21"),
        ("99999999999\n" + GOOD, 0, InputError, "missing atoms, at line 1"),
        ("", 0, InputError, "no frame"),
    ],
)  # fmt: skip
def test_odd_files_end_as_they_do_row_by_row(tmp_path, text, n_fixed, error, match):
    path = tmp_path / "odd.xyz"
    path.write_bytes(text.encode())
    assert len(read_fixed_frames(path, 4).values) == n_fixed
    assert outcome(path) == careful_outcome(path)
    if error is None:
        assert len(cp2k.read_trajectory(path, cell=None)[0]) == 4
    else:
        with pytest.raises(error, match=match):
            cp2k.read_trajectory(path, cell=None)


@settings(max_examples=300)
@given(
    place=st.integers(0, len(GOOD) - 1),
    removed=st.integers(0, 3),
    added=st.text("0123456789+-. \n\r\teEDHOCl_,x\x00\x1fé", max_size=3),
)
def test_a_damaged_file_ends_as_it_does_row_by_row(tmp_path_factory, place, removed, added):
    path = tmp_path_factory.mktemp("damaged") / "a.xyz"
    path.write_bytes((GOOD[:place] + added + GOOD[place + removed :]).encode())
    assert outcome(path) == careful_outcome(path)


def test_a_missing_file_is_left_to_the_reader_of_rows(tmp_path):
    assert read_fixed_frames(tmp_path / "none.xyz", 4).rest == Place()
    with pytest.raises(InputError, match="There is no file"):
        cp2k.read_trajectory(tmp_path / "none.xyz", cell=None)


def test_other_numbers_of_columns(tmp_path):
    path = tmp_path / "a.xyz"
    path.write_text("1\n\nAr 1.5 2.5 3.5 4.5\n1\n\nAr 1.5 2.5 3.5 0.5\n")
    assert_array_equal(read_fixed_frames(path, 5).values[:, 0, 3], [4.5, 0.5])
    assert read_fixed_frames(path, 4).symbols is None
