"""A store in a zip file: the same bytes, and what is unpacked is the store."""

from __future__ import annotations

import hashlib
import os
import zipfile

import numpy as np
import pytest
import xarray as xr

from aptbench.data import verify
from aptbench.data.packed import pack_store
from aptbench.errors import StoreError


def test_unpacked_it_is_the_store(write, tmp_path):
    dataset = write()
    packed = pack_store(dataset, tmp_path / "tiny.zip")
    assert packed.sha256 == hashlib.sha256(packed.path.read_bytes()).hexdigest()
    assert packed.size == packed.path.stat().st_size
    with zipfile.ZipFile(packed.path) as archive:
        archive.extractall(tmp_path / "out")
    unpacked = tmp_path / "out" / "tiny.zarr"
    for path in dataset.path.rglob("*"):
        if path.is_file():
            assert (unpacked / path.relative_to(dataset.path)).read_bytes() == path.read_bytes()
    assert verify(unpacked).ok


def test_the_same_store_gives_the_same_bytes_at_any_time(write, tmp_path):
    one = pack_store(write("one.zarr"), tmp_path / "one.zip")
    later = write("two.zarr")
    for path in later.path.rglob("*"):
        os.utime(path, (2e9, 2e9))
    assert pack_store(later, tmp_path / "two.zip").sha256 == one.sha256


def test_xarray_reads_it_as_it_is(write, tmp_path):
    dataset = write()
    packed = pack_store(dataset, tmp_path / "tiny.zip")
    with xr.open_datatree(
        f"zip://tiny.zarr::{packed.path}", engine="zarr", consolidated=False
    ) as tree:
        np.testing.assert_array_equal(tree["liquid"]["apt"], dataset.labelled("liquid").apt)


def test_nothing_is_replaced_unless_it_may(write, tmp_path):
    dataset = write()
    target = tmp_path / "tiny.zip"
    target.write_text("precious")
    with pytest.raises(StoreError, match="already something"):
        pack_store(dataset, target)
    assert target.read_text() == "precious"
    assert pack_store(dataset, target, overwrite=True).size > 8
    assert [path.name for path in tmp_path.iterdir() if path.name.startswith(".")] == []
