"""HDF5 files: read back by plain h5py and by xarray, whole and in part."""

from __future__ import annotations

import json

import h5py
import numpy as np
import pytest
import xarray as xr

from aptbench.data import content_hash
from aptbench.data.hdf5_export import export_hdf5, read_hdf5
from aptbench.data.selection import Selection
from aptbench.errors import InputError, StoreError, UnknownNameError


@pytest.fixture
def dataset(write):
    return write()


def test_h5py_reads_what_the_store_holds(dataset, tmp_path):
    path = export_hdf5(dataset, tmp_path / "tiny.h5")
    with h5py.File(path) as file:
        assert sorted(file) == list(dataset.systems)
        assert file.attrs["content_hash"] == dataset.content_hash
        assert (file.attrs["name"], file.attrs["version"]) == ("tiny", "0.1.0")
        assert "selection" not in file.attrs
        apt = file["liquid/apt"]
        assert [dim.label for dim in apt.dims] == ["label", "atom", "pol", "disp"]
        assert (apt.attrs["units"], apt.attrs["index_order"]) == ("e", "pol,disp")
        np.testing.assert_array_equal(apt[...], dataset.labelled("liquid").apt)
        assert (apt.compression, apt.shuffle, apt.chunks is not None) == ("gzip", True, True)
        positions = file["liquid/positions"]
        assert positions.dtype == np.float32
        np.testing.assert_array_equal(positions[...], dataset.trajectory("liquid").positions)
        provenance = json.loads(file["liquid"].attrs["provenance"])
        assert provenance == dataset.system_attrs("liquid")["provenance"]
        assert bool(file["liquid"].attrs["periodic"]) is True
        assert "dipole" not in file["molecule"]


def test_xarray_gets_the_very_tree_back(dataset, tmp_path):
    tree = read_hdf5(export_hdf5(dataset, tmp_path / "tiny.h5"))
    whole = dataset.tree()
    assert set(tree.children) == set(whole.children)
    for system in dataset.systems:
        xr.testing.assert_identical(tree[system].to_dataset(), whole[system].to_dataset())
        for name, array in whole[system].variables.items():
            assert tree[system].variables[name].dtype == array.dtype
    groups = {name: node.to_dataset() for name, node in tree.children.items()}
    assert content_hash(groups) == dataset.content_hash == tree.attrs["content_hash"]
    attrs = dict(tree.attrs)
    assert attrs.pop("format") == "aptbench-hdf5-1"
    assert attrs == dataset.attrs


def test_small_blocks_and_chunks_write_the_same_values(dataset, tmp_path, monkeypatch):
    monkeypatch.setattr("aptbench.data.hdf5_export._BLOCK_BYTES", 1000)
    monkeypatch.setattr("aptbench.data.hdf5_export._CHUNK_BYTES", 700)
    path = export_hdf5(dataset, tmp_path / "tiny.h5")
    with h5py.File(path) as file:
        assert file["liquid/positions"].chunks == (4, 12, 3)
    groups = {name: node.to_dataset() for name, node in read_hdf5(path).children.items()}
    assert content_hash(groups) == dataset.content_hash


def test_the_same_input_gives_the_same_bytes(dataset, tmp_path):
    one, two = (export_hdf5(dataset, tmp_path / name) for name in ("one.h5", "two.h5"))
    assert one.read_bytes() == two.read_bytes()


def test_selected_labels_keep_frame_and_index(dataset, tmp_path):
    labels = {"liquid": np.array([3, 1])}
    selection = Selection.of(
        dataset, ("liquid",), labels=labels, labelled_only=True, part="tiny/x@1 train"
    )
    tree = read_hdf5(export_hdf5(dataset, tmp_path / "part.h5", selection))
    assert list(tree.children) == ["liquid"]
    assert tree.attrs["selection"] == {"labelled_only": True, "part": "tiny/x@1 train"}
    assert (tree.attrs["systems"], tree.attrs["content_hash"]) == (["liquid"], dataset.content_hash)
    group = tree["liquid"].to_dataset()
    assert group.sizes["frame"] == group.sizes["label"] == 2
    assert group["label_index"].values.tolist() == [1, 3]
    expected = dataset.labelled("liquid", np.array([1, 3]))
    np.testing.assert_array_equal(group["apt"], expected.apt)
    np.testing.assert_array_equal(
        group["positions"].values[group["label_frame"].values], expected.frames.positions
    )
    frames = dataset.label_frames("liquid")[[1, 3]]
    assert group["frame_index"].values.tolist() == frames.tolist()
    np.testing.assert_array_equal(group["time"], dataset.times("liquid")[frames])


def test_labels_may_be_selected_beside_the_whole_trajectory(dataset, tmp_path):
    selection = Selection.of(dataset, labels={"liquid": np.array([4])})
    tree = read_hdf5(export_hdf5(dataset, tmp_path / "part.h5", selection))
    group = tree["liquid"].to_dataset()
    assert (group.sizes["frame"], group.sizes["label"]) == (40, 1)
    assert group["label_frame"].item() == 39
    assert tree["molecule"].to_dataset().sizes["label"] == 2


@pytest.mark.parametrize("labels", [[5], [-1], [1, 1]])
def test_labels_that_are_none_are_refused(dataset, labels):
    with pytest.raises(InputError, match="each of 0 to 4 once"):
        Selection.of(dataset, labels={"liquid": np.array(labels)})


def test_unknown_systems_are_refused(dataset):
    with pytest.raises(UnknownNameError, match="liquid"):
        Selection.of(dataset, ("liqid",))


def test_a_file_that_is_there_is_kept(dataset, tmp_path):
    path = tmp_path / "tiny.h5"
    path.write_text("precious")
    with pytest.raises(StoreError, match="already something"):
        export_hdf5(dataset, path)
    assert path.read_text() == "precious"
    with pytest.raises(InputError, match="no HDF5 file"):
        read_hdf5(path)
    export_hdf5(dataset, path, overwrite=True)
    assert read_hdf5(path).attrs["name"] == "tiny"


def test_a_failure_in_the_middle_leaves_nothing(dataset, tmp_path):
    shard = dataset.path / "liquid" / "velocities" / "c" / "0" / "0" / "0"
    shard.write_bytes(b"x" * shard.stat().st_size)
    with pytest.raises(StoreError, match="velocities cannot be read"):
        export_hdf5(dataset, tmp_path / "out" / "tiny.h5")
    assert list((tmp_path / "out").iterdir()) == []


def test_other_hdf5_files_are_refused(tmp_path):
    with h5py.File(tmp_path / "other.h5", "w") as file:
        file["x"] = 1.0
    with pytest.raises(InputError, match="no export of aptbench"):
        read_hdf5(tmp_path / "other.h5")
