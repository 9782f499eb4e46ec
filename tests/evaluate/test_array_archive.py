"""Archives from strangers: what is no plain array in bounds is refused, and costs nothing."""

from __future__ import annotations

import io
import pickle
import struct
import tracemalloc
import zipfile
from pathlib import Path

import numpy as np
import pytest

from aptbench.errors import InputError
from aptbench.evaluate.array_archive import read_arrays


def npy(array: np.ndarray) -> bytes:
    stream = io.BytesIO()
    np.lib.format.write_array(stream, array, allow_pickle=True)
    return stream.getvalue()


def archive(path: Path, *members: tuple[str, bytes]) -> Path:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as file:
        for name, content in members:
            file.writestr(zipfile.ZipInfo(name), content, zipfile.ZIP_DEFLATED)
    return path


def refused(path: Path, words: str, **options: object) -> None:
    with pytest.raises(InputError, match=words) as caught:
        read_arrays(path, **options)  # type: ignore[arg-type]
    assert path.name in str(caught.value)


GOOD = npy(np.arange(3.0))


def test_what_numpy_writes_is_read(tmp_path: Path) -> None:
    arrays = {
        "apt": np.random.default_rng(0).normal(size=(2, 3, 3, 3)).astype(np.float32),
        "hcn/frame": np.arange(4),
        "fortran": np.asfortranarray(np.arange(6.0).reshape(2, 3)),
        "hash": np.array("sha256:abc"),
        "empty": np.zeros((0, 3)),
    }
    for save in (np.savez, np.savez_compressed):
        save(tmp_path / "a.npz", **arrays)
        read = read_arrays(tmp_path / "a.npz")
        assert list(read) == list(arrays)
        for name, array in arrays.items():
            assert read[name].dtype == array.dtype
            assert np.array_equal(read[name], array)


@pytest.mark.parametrize(
    "name",
    [
        "../apt.npy",
        "/etc/apt.npy",
        "a/../../apt.npy",
        "C:\\apt.npy",
        "a\\apt.npy",
        "./apt.npy",
        "apt.npy/",
        "apt.py",
        "a\u202etpy.npy",
        "apt\n.npy",
        "x" * 400 + ".npy",
    ],
)
def test_names_that_lead_elsewhere(name: str, tmp_path: Path) -> None:
    refused(archive(tmp_path / "a.npz", (name, GOOD)), "name is not that of an array")
    assert [path.name for path in tmp_path.iterdir()] == ["a.npz"]


def test_unknown_and_double_members(tmp_path: Path) -> None:
    path = archive(tmp_path / "a.npz", ("apt.npy", GOOD), ("extra.npy", GOOD))
    refused(path, "'extra'", allowed=lambda name: name == "apt")
    with pytest.warns(UserWarning, match="Duplicate"):
        path = archive(tmp_path / "b.npz", ("apt.npy", GOOD), ("apt.npy", GOOD))
    refused(path, "twice")
    many = archive(tmp_path / "c.npz", *((f"a{k}.npy", b"") for k in range(10_001)))
    refused(many, "too many members")


class Evil:
    def __reduce__(self) -> tuple[object, tuple[str]]:
        return open, ("/tmp/aptbench-was-here", "w")  # type: ignore[return-value]


def test_pickles_are_not_opened(tmp_path: Path) -> None:
    objects = npy(np.array([Evil()], object))
    refused(archive(tmp_path / "a.npz", ("apt.npy", objects)), "not of plain numbers")
    refused(archive(tmp_path / "b.npz", ("apt.npy", pickle.dumps(Evil()))), "no readable header")
    record = npy(np.zeros(2, [("a", "f8"), ("b", "i4")]))
    refused(archive(tmp_path / "c.npz", ("apt.npy", record)), "not of plain numbers")
    text = npy(np.array("x" * 5000))
    refused(archive(tmp_path / "d.npz", ("apt.npy", text)), "not of plain numbers")
    assert not Path("/tmp/aptbench-was-here").exists()


def test_headers_that_are_code_or_nonsense(tmp_path: Path) -> None:
    head = "{'descr': '<f8', 'fortran_order': False, 'shape': (__import__('os').getpid(),), }\n"
    content = b"\x93NUMPY\x01\x00" + struct.pack("<H", len(head)) + head.encode()
    refused(archive(tmp_path / "a.npz", ("apt.npy", content)), "no readable header")
    head = "{'descr': '<f8', 'fortran_order': False, 'shape': (-3,), }\n"
    content = b"\x93NUMPY\x01\x00" + struct.pack("<H", len(head)) + head.encode()
    refused(archive(tmp_path / "b.npz", ("apt.npy", content)), r"no possible shape|damaged")


def test_a_bomb_is_not_unpacked(tmp_path: Path) -> None:
    zeros = npy(np.zeros(40_000_000 // 8))
    path = archive(tmp_path / "a.npz", ("apt.npy", zeros))
    assert path.stat().st_size < 100_000
    tracemalloc.start()
    refused(path, "too large", largest=1_000_000)
    assert tracemalloc.get_traced_memory()[1] < 20_000_000
    tracemalloc.stop()


def test_a_bomb_that_lies_about_its_size_is_not_unpacked(tmp_path: Path) -> None:
    zeros = npy(np.zeros(40_000_000 // 8))
    path = archive(tmp_path / "a.npz", ("apt.npy", zeros))
    raw = bytearray(path.read_bytes())
    entry = raw.rindex(b"PK\x01\x02")
    raw[entry + 24 : entry + 28] = struct.pack("<I", 1000)  # the unpacked size, in the directory
    path.write_bytes(bytes(raw))
    tracemalloc.start()
    refused(path, "too large|does not have the size|not a readable", largest=1_000_000)
    assert tracemalloc.get_traced_memory()[1] < 20_000_000
    tracemalloc.stop()


def test_an_array_has_the_size_of_its_header(tmp_path: Path) -> None:
    refused(archive(tmp_path / "a.npz", ("apt.npy", GOOD[:-8])), "does not have the size")
    refused(archive(tmp_path / "b.npz", ("apt.npy", GOOD + bytes(8))), "does not have the size")
    head = "{'descr': '<f8', 'fortran_order': False, 'shape': (99999999999,), }\n"
    content = b"\x93NUMPY\x01\x00" + struct.pack("<H", len(head)) + head.encode() + bytes(80)
    refused(archive(tmp_path / "c.npz", ("apt.npy", content)), "too large")


def test_damage_is_named(tmp_path: Path) -> None:
    path = tmp_path / "a.npz"
    refused(path, "no such file")
    path.write_bytes(b"nothing")
    refused(path, "not a readable archive")
    np.save(tmp_path / "b.npy", np.zeros(3))
    (tmp_path / "b.npy").rename(tmp_path / "b.npz")
    refused(tmp_path / "b.npz", "single array")
    archive(path, ("apt.npy", npy(np.random.default_rng(0).normal(size=1000))))
    raw = bytearray(path.read_bytes())
    raw[len(raw) // 2] ^= 0xFF
    path.write_bytes(bytes(raw))
    with pytest.raises(InputError):
        read_arrays(path)
    refused(archive(tmp_path / "d.npz", ("apt.npy", GOOD)), "too large", largest=10)
