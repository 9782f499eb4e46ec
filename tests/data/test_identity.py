"""Content hash, manifest and verification."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace

import numpy as np
import pytest
import xarray as xr

from aptbench.data import content_hash, open_dataset, verify, write_dataset
from aptbench.data.schema import to_xarray
from aptbench.data.writer import encoding_of
from aptbench.errors import StoreError

SHARD = "liquid/apt/c/0/0/0/0"


@pytest.mark.parametrize("chunk_bytes", [1, 500, 4000, 1 << 20])
@pytest.mark.parametrize("shard_bytes", [1, 1 << 12, 1 << 20])
def test_content_hash_does_not_depend_on_the_layout(tmp_path, system, chunk_bytes, shard_bytes):
    group = to_xarray(system)
    encoding = encoding_of(group, chunk_bytes=chunk_bytes, shard_bytes=shard_bytes)
    if chunk_bytes == 500:
        for entry in encoding.values():
            entry["compressors"] = []
    tree = xr.DataTree.from_dict({"/s": group})
    tree.to_zarr(tmp_path / "a", zarr_format=3, consolidated=False, encoding={"/s": encoding})
    with xr.open_datatree(tmp_path / "a", engine="zarr", consolidated=False) as opened:
        assert content_hash({"s": opened["s"].to_dataset()}) == content_hash({"s": group})


def test_content_hash_does_not_depend_on_the_reading_block(system, monkeypatch):
    group = to_xarray(system)
    before = content_hash({"s": group})
    monkeypatch.setattr("aptbench.data.content._BLOCK_BYTES", 1000)
    assert content_hash({"s": group}) == before


def test_content_hash_sees_every_change_of_content(system):
    group = to_xarray(system)
    hashes = [content_hash({"s": group}), content_hash({"other": group})]
    for name in group.variables:
        changed = group.copy(deep=True)
        flat = changed[name].values.reshape(-1)
        flat[-1] = flat[-1] + 1
        hashes.append(content_hash({"s": changed}))
        hashes.append(content_hash({"s": group.drop_vars(name)}))
        changed = group.copy()
        changed[name].attrs["units"] = "furlong"
        hashes.append(content_hash({"s": changed}))
    hashes.append(content_hash({"s": group.assign_attrs(total_charge=0.0)}))
    hashes.append(content_hash({"s": group.isel(label=slice(None, None, -1))}))
    assert len(set(hashes)) == len(hashes)


def test_content_hash_passes_over_what_is_no_content(write):
    assert write("a.zarr").content_hash == write("b.zarr", title="Another").content_hash


def test_negative_zero_is_zero(system):
    group = to_xarray(replace(system, dipole=np.zeros((5, 3))))
    other = to_xarray(replace(system, dipole=-np.zeros((5, 3))))
    assert content_hash({"s": group}) == content_hash({"s": other})


def test_a_sound_store_verifies(write):
    dataset = write()
    result = verify(dataset.path)
    assert result.ok
    assert result.content_hash == dataset.content_hash
    assert result.repair is None
    assert result.n_objects > 10


def test_a_flipped_bit_is_found_and_named(write):
    path = write().path
    data = bytearray((path / SHARD).read_bytes())
    data[len(data) // 2] ^= 1
    (path / SHARD).write_bytes(data)
    result = verify(path)
    assert [(p.kind, p.name) for p in result.problems] == [("damaged", SHARD)]
    assert "copy it again" in result.repair


def test_every_kind_of_damage_is_named(write):
    path = write().path
    (path / SHARD).unlink()
    (path / "liquid" / "dipole" / "zarr.json").write_text("{}")
    (path / "liquid" / "surplus").write_text("x")
    path.with_name("tiny.zarr.dvc").write_text("outs: []\n")
    result = verify(path)
    assert {(p.kind, p.name) for p in result.problems} == {
        ("missing", SHARD),
        ("damaged", "liquid/dipole/zarr.json"),
        ("surplus", "liquid/surplus"),
    }
    assert f"dvc checkout --force {path}.dvc" in result.repair
    assert "dvc pull" in result.repair


@pytest.mark.parametrize("bytes_left", [0, 10])
def test_a_truncated_object_refuses_to_open(write, bytes_left):
    path = write().path
    (path / SHARD).write_bytes((path / SHARD).read_bytes()[:bytes_left])
    with pytest.raises(StoreError, match=f"{SHARD}: {bytes_left} bytes instead of"):
        open_dataset(path)


def test_a_missing_object_refuses_to_open(write):
    # Zarr itself would return zeros for it.
    path = write().path
    (path / SHARD).unlink()
    with pytest.raises(StoreError, match=SHARD):
        open_dataset(path)


def test_damage_after_opening_is_a_named_error(write):
    dataset = write()
    (dataset.path / SHARD).write_bytes(b"garbage")
    with pytest.raises(StoreError, match="liquid/apt"):
        dataset.labelled("liquid")
    (dataset.path / "liquid" / "scf_gradient" / "zarr.json").write_text("{")
    with pytest.raises(StoreError, match="liquid/scf_gradient"):
        dataset.quality("liquid")


@pytest.mark.parametrize("name", ["zarr.json", "manifest/zarr.json", "liquid"])
def test_a_store_that_lacks_a_part_is_an_error_and_not_a_traceback(write, name):
    path = write().path
    target = path / name
    shutil.rmtree(target) if target.is_dir() else target.unlink()
    with pytest.raises(StoreError, match=r"tiny\.zarr"):
        open_dataset(path)
    try:
        assert not verify(path).ok
    except StoreError as error:
        assert name == "zarr.json"
        assert "zarr.json" in str(error)  # noqa: PT017 - both ways are right, both must name it


@pytest.mark.parametrize("text", ["", "{", "[]", '{"attributes": {"schema": "x"}}'])
def test_a_damaged_manifest_or_root_is_an_error(write, text):
    path = write().path
    whole = (path / "manifest" / "zarr.json").read_text()
    (path / "manifest" / "zarr.json").write_text(text)
    with pytest.raises(StoreError, match="manifest"):
        open_dataset(path)
    assert verify(path).problems[0].name == "manifest/zarr.json"
    (path / "manifest" / "zarr.json").write_text(whole)
    (path / "zarr.json").write_text(text)
    with pytest.raises(StoreError):
        open_dataset(path)


def test_an_edit_with_a_new_manifest_is_found_by_content(tmp_path, write, attrs, system):
    """Somebody who rewrites data and manifest, but not the stated hash, is found out."""
    from aptbench.data.manifest import write_manifest

    path = write().path
    other = replace(system, apt=system.apt + 1)
    changed = write_dataset(tmp_path / "b.zarr", {"liquid": other}, attrs).path
    shutil.copy(changed / SHARD, path / SHARD)
    stated = json.loads((path / "zarr.json").read_text())["attributes"]["content_hash"]
    shutil.rmtree(path / "manifest")
    write_manifest(path, stated)
    kinds = {(p.kind, p.name) for p in verify(path).problems}
    assert kinds == {("content", "content_hash"), ("schema", "liquid")}


def test_a_store_of_another_schema_is_refused(write):
    path = write().path
    root = json.loads((path / "zarr.json").read_text())
    root["attributes"]["schema"] = "aptbench-data-9"
    (path / "zarr.json").write_text(json.dumps(root))
    with pytest.raises(StoreError, match="aptbench-data-9"):
        open_dataset(path)
