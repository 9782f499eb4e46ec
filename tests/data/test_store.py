"""Writing and reading of stores."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import xarray as xr
from numpy.testing import assert_allclose, assert_array_equal

import aptbench.data.writer as writer
from aptbench.data import Dataset, SystemData, open_dataset, verify, write_dataset
from aptbench.data.schema import VARIABLES, to_xarray
from aptbench.errors import AlignmentError, InputError, StoreError, UnknownNameError
from aptbench.frames import Frames


def tree_bytes(path: Path) -> dict[str, bytes]:
    return {p.relative_to(path).as_posix(): p.read_bytes() for p in path.rglob("*") if p.is_file()}


def test_labels_come_back_without_loss(write, system):
    labelled = write().labelled("liquid")
    assert_array_equal(labelled.apt, system.apt)
    assert_array_equal(labelled.dipole, system.dipole)
    assert_array_equal(labelled.wannier_centers, system.wannier_centers)
    assert_array_equal(labelled.frames.cell, system.frames.cell[system.label_frame])
    assert_array_equal(labelled.frames.molecule, system.frames.molecule)
    assert labelled.frames.total_charge == 1.0


def test_positions_and_velocities_come_back_within_the_stated_bounds(write, system):
    dataset = write()
    frames = dataset.trajectory("liquid")
    node = dataset.tree()["liquid"]
    bound = node["positions"].attrs["quantization"]["maximum_error"]
    assert bound <= 1e-4
    assert np.abs(frames.positions - system.frames.positions).max() <= bound
    relative = node["velocities"].attrs["quantization"]["maximum_error"]
    assert relative <= 2e-4
    error = np.abs(frames.velocities / system.frames.velocities - 1)
    assert error.max() <= relative * (1 + 1e-6)
    # Rounding must really happen: bounds that nothing comes near would be wrong documentation.
    assert np.abs(frames.positions - system.frames.positions).max() > bound / 2
    assert error.max() > relative / 2


def test_labels_meet_the_frames_of_the_trajectory(write, system):
    dataset = write()
    frames = dataset.trajectory("liquid")
    assert_array_equal(dataset.label_frames("liquid"), system.label_frame)
    picked = dataset.labelled("liquid", [3, 0, 3])
    index = system.label_frame[[3, 0, 3]]
    assert_array_equal(picked.frames.positions, frames.positions[index])
    assert_array_equal(picked.frames.velocities, frames.velocities[index])
    assert_array_equal(picked.apt, system.apt[[3, 0, 3]])
    assert len(dataset.labelled("liquid", [])) == 0


@pytest.mark.parametrize("cut", [slice(3, 30, 7), slice(-5, None), slice(None, None, -3), slice(7)])
def test_slices_of_a_trajectory_are_those_of_numpy(write, system, cut):
    dataset = write()
    whole = dataset.trajectory("liquid").positions
    assert_array_equal(dataset.trajectory("liquid", cut).positions, whole[cut])


def test_what_a_system_lacks_is_none_or_an_error(write):
    dataset = write()
    frames = dataset.trajectory("molecule")
    assert frames.velocities is None
    assert frames.cell is None
    assert frames.molecule is None
    assert dataset.labelled("molecule").dipole is None
    with pytest.raises(InputError, match="no times"):
        dataset.times("molecule")
    assert_array_equal(dataset.times("liquid")[:3], [0, 2, 4])


def test_quality_columns_have_the_residual_of_the_labels_as_computed(write, system):
    quality = write().quality("liquid")
    total = system.apt.sum(1) - np.eye(3)
    assert_allclose(quality["sum_rule_residual"], np.sqrt((total**2).mean((1, 2))))
    assert_array_equal(quality["scf_gradient"], system.quality["scf_gradient"])


def test_properties_of_a_dataset(write):
    dataset = write(creator="nobody")
    assert (dataset.name, dataset.version, dataset.systems) == (
        "tiny",
        "0.1.0",
        ("liquid", "molecule"),
    )
    assert dataset.attrs["creator"] == "nobody"
    assert dataset.content_hash.startswith("sha256:")
    assert dataset.system_attrs("liquid")["provenance"]["settings"]["basis"] == ["a", "b"]
    assert (dataset.n_frames("liquid"), dataset.n_labels("liquid"), dataset.n_atoms("liquid")) == (
        40,
        5,
        12,
    )
    dataset.attrs["name"] = "changed"
    assert dataset.name == "tiny"


def test_plain_xarray_explains_the_file(write):
    dataset = write()
    with xr.open_datatree(dataset.path, engine="zarr", consolidated=False) as tree:
        for name in ("liquid", "molecule"):
            for variable, array in tree[name].to_dataset().variables.items():
                assert array.dtype.kind in "if", variable
                spec = VARIABLES.get(variable)
                assert array.attrs.get("units") == ("1" if spec is None else spec.units)
        assert tree["liquid"]["apt"].dims == ("label", "atom", "pol", "disp")
        assert tree["liquid"]["apt"].attrs["index_order"] == "pol,disp"
        assert tree["liquid"]["cell"].dims == ("vector", "xyz")


def test_a_cell_that_changes_is_stored_for_every_frame(tmp_path, attrs, system):
    cell = np.array(system.frames.cell)
    cell[5, 0, 0] += 1
    changed = replace(system, frames=system.frames.replace(cell=cell))
    dataset = write_dataset(tmp_path / "a.zarr", {"s": changed}, attrs)
    assert_array_equal(dataset.trajectory("s", slice(4, 7)).cell, cell[4:7])


def test_a_trajectory_without_labels(tmp_path, attrs, system):
    n_atoms = system.frames.n_atoms
    bare = SystemData(system.frames, [], np.zeros((0, n_atoms, 3, 3)), times=system.times)
    dataset = write_dataset(tmp_path / "a.zarr", {"s": bare}, attrs)
    assert dataset.n_labels("s") == 0
    assert len(dataset.labelled("s")) == 0
    assert verify(dataset.path).ok


def test_many_frames_are_few_files(tmp_path, attrs):
    rng = np.random.default_rng(2)
    frames = Frames([1] * 30, rng.normal(size=(3000, 30, 3)), velocities=np.ones((3000, 30, 3)))
    system = SystemData(frames, [0], np.zeros((1, 30, 3, 3)))
    dataset = write_dataset(tmp_path / "a.zarr", {"s": system}, attrs)
    shards = [p for p in (dataset.path / "s" / "positions" / "c").rglob("*") if p.is_file()]
    assert len(shards) == 1
    array = json.loads((dataset.path / "s" / "positions" / "zarr.json").read_text())
    assert array["codecs"][0]["name"] == "sharding_indexed"
    assert_allclose(
        dataset.trajectory("s", slice(2990, 3000)).positions, frames.positions[2990:], atol=1e-4
    )


def test_the_same_input_gives_the_same_bytes(write):
    first, second = write("a.zarr", note="x"), write("b.zarr", note="x")
    assert tree_bytes(first.path) == tree_bytes(second.path)


def test_a_system_that_is_read_and_written_again_is_the_same(tmp_path, attrs, write):
    dataset = write()
    again = {name: dataset.system_data(name) for name in dataset.systems}
    copy = write_dataset(tmp_path / "again.zarr", again, attrs)
    assert copy.content_hash == dataset.content_hash
    assert tree_bytes(copy.path) == tree_bytes(dataset.path)


def test_a_failed_write_leaves_nothing(tmp_path, attrs, system, monkeypatch):
    def fail(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(writer, "write_manifest", fail)
    with pytest.raises(StoreError, match="No space left"):
        write_dataset(tmp_path / "a.zarr", {"s": system}, attrs)
    assert list(tmp_path.iterdir()) == []


def test_a_failed_replacement_keeps_the_old_store(tmp_path, attrs, system, monkeypatch, write):
    path = write().path
    before = tree_bytes(path)
    with pytest.raises(StoreError, match="already"):
        write_dataset(path, {"s": system}, attrs)

    def fail(*_):
        raise OSError("broken")

    monkeypatch.setattr(writer, "_sync", fail)
    with pytest.raises(StoreError, match="broken"):
        write_dataset(path, {"s": system}, attrs, overwrite=True)
    assert tree_bytes(path) == before
    monkeypatch.undo()
    assert write_dataset(path, {"s": system}, attrs, overwrite=True).systems == ("s",)
    assert [p.name for p in tmp_path.iterdir()] == ["tiny.zarr"]


@pytest.mark.parametrize(
    ("change", "match"),
    [
        ({"version": "1.0"}, "version"),
        ({"license": ""}, "license"),
        ({"content_hash": "sha256:0"}, "set by the writer"),
        ({"extra": {1, 2}}, "no JSON"),
        ({"extra": float("nan")}, "no JSON"),
    ],
)
def test_wrong_attributes_are_refused(tmp_path, attrs, system, change, match):
    with pytest.raises(InputError, match=match):
        write_dataset(tmp_path / "a.zarr", {"s": system}, attrs | change)


@pytest.mark.parametrize("name", ["", "a/b", "../a", "manifest", ".hidden"])
def test_wrong_system_names_are_refused(tmp_path, attrs, system, name):
    with pytest.raises(InputError, match="name"):
        write_dataset(tmp_path / "a.zarr", {name: system}, attrs)


def test_wrong_system_data_are_refused(system):
    with pytest.raises(AlignmentError, match="label_frame"):
        replace(system, label_frame=[0, 1, 2, 3, 40])
    with pytest.raises(AlignmentError, match="label_frame"):
        replace(system, label_frame=[0, 1, 1, 2, 3])
    with pytest.raises(InputError, match="not finite"):
        replace(system, apt=np.where(np.arange(3) == 1, np.nan, system.apt))
    with pytest.raises(InputError, match="times"):
        replace(system, times=np.zeros(40))
    with pytest.raises(InputError, match="quality"):
        replace(system, quality={"a": np.zeros(4)})
    with pytest.raises(InputError, match="provenance"):
        replace(system, provenance={"a": object()})
    with pytest.raises(InputError, match="cannot be named 'apt'"):
        to_xarray(replace(system, quality={"apt": np.zeros(5)}))
    far = system.frames.translated([2000.0, 0, 0])
    with pytest.raises(InputError, match="too far"):
        to_xarray(replace(system, frames=far))


def test_unknown_names_and_labels_are_refused(write):
    dataset = write()
    with pytest.raises(UnknownNameError, match="did you mean 'liquid'"):
        dataset.trajectory("liqiud")
    for labels in ([5], [-1], [0.0], [[0]]):
        with pytest.raises(InputError, match="labels"):
            dataset.labelled("liquid", labels)


def test_open_dataset_takes_a_path(write):
    path = write().path
    assert isinstance(open_dataset(path), Dataset)
    assert open_dataset(str(path)).name == "tiny"


def test_what_is_no_store_is_never_replaced(tmp_path, attrs, system):
    folder, file = tmp_path / "keep", tmp_path / "file"
    folder.mkdir()
    (folder / "thesis.tex").write_text("years")
    file.write_text("years")
    for path in (folder, file):
        with pytest.raises(StoreError, match="is no store, so it is not replaced"):
            write_dataset(path, {"s": system}, attrs, overwrite=True)
    assert [(folder / "thesis.tex").read_text(), file.read_text()] == ["years", "years"]


@pytest.mark.parametrize("name", ["../up", "a/b", ".hidden", "a b"])
def test_a_name_that_is_no_folder_is_refused(tmp_path, attrs, system, name):
    with pytest.raises(InputError, match="'name' of the data set"):
        write_dataset(tmp_path / "a.zarr", {"s": system}, attrs | {"name": name})
