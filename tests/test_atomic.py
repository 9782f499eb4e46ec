"""Files are there as a whole or not at all."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pytest

from aptbench.atomic import new_file, read_archive, write_archive, write_atomically


def test_after_an_error_the_old_file_is_there_and_no_other(tmp_path: Path) -> None:
    path = write_atomically(tmp_path / "a.txt", "old")
    with pytest.raises(RuntimeError):
        _break_off(path)
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


def _break_off(path: Path) -> None:
    with new_file(path) as temporary:
        temporary.write_text("half of")
        raise RuntimeError


def test_a_new_file_makes_its_folder(tmp_path: Path) -> None:
    with new_file(tmp_path / "of" / "a.txt") as temporary:
        temporary.write_text("text")
    assert (tmp_path / "of" / "a.txt").read_text() == "text"


@pytest.mark.parametrize("compressed", [True, False])
def test_an_archive_has_the_bytes_that_numpy_writes(tmp_path: Path, compressed: bool) -> None:
    arrays = {"a": np.arange(1000), "b": "text"}
    stream = io.BytesIO()
    (np.savez_compressed if compressed else np.savez)(stream, **arrays)
    path = write_archive(arrays, tmp_path / "a.archive", compressed=compressed)
    assert path.read_bytes() == stream.getvalue()


def test_an_archive_is_read_whole_or_is_damaged(tmp_path: Path) -> None:
    path = write_archive({"a": np.arange(1000), "b": "text"}, tmp_path / "a.npz")
    found = read_archive(path)
    assert np.array_equal(found["a"], np.arange(1000))
    assert str(found["b"]) == "text"
    whole, array = path.read_bytes(), io.BytesIO()
    np.save(array, np.arange(3))
    inside = whole[:60] + bytes(20) + whole[80:]
    for damaged in (b"", b"no archive", whole[:200], inside, array.getvalue()):
        path.write_bytes(damaged)
        with pytest.raises(ValueError, match=r"archive|pickled|No data"):
            read_archive(path)
    with pytest.raises(FileNotFoundError):
        read_archive(tmp_path / "absent.npz")
