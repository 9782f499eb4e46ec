"""Archives of predictions: exact alignment, or an error that says what is wrong."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from aptbench.errors import AlignmentError, InputError
from aptbench.evaluate import Predictions

FRAME, NUMBERS, HASH = np.array([4, 9, 14]), np.array([8, 1, 1]), "sha256:abc"


def make(**changes: Any) -> Predictions:
    fields: dict[str, Any] = {
        "apt": np.random.default_rng(0).normal(size=(3, 3, 3, 3)),
        "frame": FRAME,
        "atomic_number": NUMBERS,
    }
    return Predictions(**(fields | changes))


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_an_archive_returns_what_went_in_bit_by_bit(tmp_path: Path, dtype: type) -> None:
    written = make(apt=make().apt.astype(dtype), content_hash=HASH)
    path = written.write(tmp_path / "p.npz")
    read = Predictions.read(path)
    assert read.apt.dtype == dtype
    assert np.array_equal(read.apt, written.apt)
    assert read.content_hash == HASH
    read.check_alignment(FRAME, NUMBERS, HASH)
    first = path.read_bytes()
    written.write(path)
    assert path.read_bytes() == first
    assert [p.name for p in tmp_path.iterdir()] == ["p.npz"]


NAN = make().apt.copy()
NAN[1, 2, 0, 0] = np.nan


@pytest.mark.parametrize(
    ("changes", "error", "message"),
    [
        ({"apt": NAN}, InputError, "nan for frame 9, atom 2"),
        ({"content_hash": "sha256:other"}, AlignmentError, "another version of the data"),
        ({"frame": FRAME[[1, 0, 2]]}, AlignmentError, "another order"),
        ({"frame": np.array([4, 9, 9])}, AlignmentError, "missing frames 14"),
        ({"frame": np.array([4, 9, 15])}, AlignmentError, "additional frames 15"),
        ({"frame": FRAME[:2], "apt": make().apt[:2]}, AlignmentError, "missing frames 14"),
        ({"atomic_number": NUMBERS[:2], "apt": make().apt[:, :2]}, AlignmentError, "2 atoms"),
        ({"atomic_number": NUMBERS[[1, 0, 2]]}, AlignmentError, "atomic number 1 for atom 0"),
    ],
)
def test_what_does_not_fit_gets_no_score(
    changes: dict[str, Any], error: type, message: str
) -> None:
    with pytest.raises(error, match=message):
        make(**changes).check_alignment(FRAME, NUMBERS, HASH)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"apt": np.zeros((3, 3, 3, 3), np.float16)}, "float16"),
        ({"apt": np.zeros((3, 3, 3, 3), int)}, "int64"),
        ({"apt": np.zeros((3, 3, 9))}, "wrong shape"),
        ({"apt": np.zeros((3, 4, 3, 3))}, "'atomic_number'"),
        ({"frame": FRAME.astype(float)}, "not a list of integers"),
    ],
)
def test_other_types_and_shapes_are_refused(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError, match=message):
        make(**changes)


def test_pickles_are_never_opened(tmp_path: Path) -> None:
    marker = tmp_path / "executed"

    class Bomb:
        def __reduce__(self) -> tuple:
            return Path.touch, (marker,)

    np.savez(tmp_path / "p.npz", apt=np.array([Bomb()], object), frame=FRAME, atomic_number=NUMBERS)
    with pytest.raises(InputError, match="plain arrays"):
        Predictions.read(tmp_path / "p.npz")
    assert not marker.exists()


def test_files_that_are_no_archive_are_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no such file"):
        Predictions.read(tmp_path / "absent.npz")
    (tmp_path / "text.npz").write_text("hello")
    with pytest.raises(InputError, match="not a readable archive"):
        Predictions.read(tmp_path / "text.npz")
    np.save(tmp_path / "single.npy", NUMBERS)
    with pytest.raises(InputError, match="single array"):
        Predictions.read(tmp_path / "single.npy")
    np.savez(tmp_path / "part.npz", apt=make().apt)
    with pytest.raises(InputError, match="lacks frame, atomic_number"):
        Predictions.read(tmp_path / "part.npz")
    whole = make().write(tmp_path / "whole.npz").read_bytes()
    (tmp_path / "half.npz").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(InputError, match="not a readable archive"):
        Predictions.read(tmp_path / "half.npz")
