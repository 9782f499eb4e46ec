"""`cite`, `diff`, `export`, `pack` and `croissant`, as a person types them."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path

import h5py
import numpy as np
import pytest

from aptbench.data import Dataset, open_dataset, write_dataset
from aptbench.data.readers.extended_xyz import read_extended_xyz
from aptbench.tasks import load_task
from tests.data.conftest import ATTRS, isolated_system, random_system

PROJECT = Path(__file__).parents[2]


@pytest.fixture
def project(synthetic_project, monkeypatch) -> Path:
    """The project of the tests; what is written goes elsewhere."""
    monkeypatch.setenv("APTBENCH_ROOT", str(synthetic_project))
    return synthetic_project


@pytest.fixture(scope="module")
def stores(tmp_path_factory) -> dict[str, Path]:
    """An old version of a data set, and new ones by what they change; no test changes them."""
    folder = tmp_path_factory.mktemp("stores")
    system = random_system(n_molecules=1)
    made = {
        "old": ("0.1.0", {"liquid": system}),
        "added": ("0.2.0", {"liquid": system, "gas": isolated_system()}),
        "changed": ("0.2.0", {"liquid": replace(system, apt=system.apt + 1)}),
    }
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("aptbench.data.writer._sync", lambda folder: None)
        for name, (version, systems) in made.items():
            write_dataset(folder / f"{name}.zarr", systems, ATTRS | {"version": version})
    return {name: folder / f"{name}.zarr" for name in made}


def test_cite_without_names_is_the_program(project, aptbench):
    code, out, _ = aptbench("cite")
    assert code == 0
    assert out.startswith("@misc{aptbench-")
    assert out.count("\n@") == 1


def test_cite_in_three_formats(project, aptbench):
    dataset = open_dataset("synthetic-water")
    _, bibtex, _ = aptbench("cite", "synthetic-water")
    assert f"content hash {dataset.content_hash}" in bibtex
    _, text, _ = aptbench("cite", "synthetic-water", "--format", "text")
    assert "synthetic-water: Synthetic water of the tests. version 0.1.0" in text
    _, as_json, _ = aptbench("cite", "synthetic-water", "--format", "json")
    assert aptbench("cite", "synthetic-water", "--json")[1] == as_json
    assert [entry["type"] for entry in json.loads(as_json)] == ["software", "article", "dataset"]
    code, _, err = aptbench("cite", "--format", "bibtx")
    assert code == 2
    assert "did you mean 'bibtex'" in err


def test_a_snapshot_is_taken_and_cited(tmp_path, monkeypatch, aptbench):
    root = tmp_path / "project"
    (root / "datasets").mkdir(parents=True)
    monkeypatch.setenv("APTBENCH_ROOT", str(root))
    code, _, err = aptbench("board", "snapshot")
    assert code == 2
    assert "no results" in err
    shutil.copytree(PROJECT / "leaderboard" / "results", root / "leaderboard" / "results")
    code, out, _ = aptbench("board", "snapshot", "--date", "2026-01-02", "--json")
    assert code == 0
    taken = json.loads(out)
    assert Path(taken["written"]).name == f"2026-01-02-{taken['sha256'][:16]}.json"
    for name in ("2026-01-02", "latest"):
        assert taken["sha256"] in aptbench("cite", "--snapshot", name)[1]
    code, _, err = aptbench("cite", "--snapshot", "2026-01-03")
    assert code == 2
    assert "2026-01-02" in err


def test_diff_of_an_addition(stores, aptbench):
    code, out, _ = aptbench("diff", stores["old"], stores["added"])
    assert code == 0
    assert out.splitlines() == [
        "tiny 0.1.0 to 0.2.0: minor",
        "minor  the system gas is added: 2 frames, 2 labels",
        "Splits and tasks of the old version stay with it: they name its content hash.",
    ]


def test_diff_of_a_change_with_too_low_a_version(stores, aptbench):
    code, out, _ = aptbench("diff", stores["old"], stores["changed"])
    assert code == 1
    assert "major  liquid: apt has other values in 5 of 5 old rows" in out
    assert "The version must be 1.0.0 at least, and is 0.2.0." in out
    code, out, _ = aptbench("diff", stores["old"], stores["changed"], "--json")
    report = json.loads(out)
    assert code == 1
    assert (report["level"], report["required_version"], report["ok"]) == ("major", "1.0.0", False)


def test_diff_with_itself_and_with_another(stores, project, aptbench):
    code, out, _ = aptbench("diff", stores["old"], stores["old"])
    assert code == 0
    assert "hold for the new one" in out
    code, _, err = aptbench("diff", stores["old"], "synthetic-water")
    assert code == 2
    assert "no versions of one data set" in err


def test_export_of_a_part_of_a_task(project, aptbench, tmp_path):
    target = tmp_path / "train.h5"
    code, out, _ = aptbench(
        "export", "synthetic-water", target, "--task", "synthetic-water/iid", "--part", "train",
        "--labelled-only", "--json",
    )  # fmt: skip
    assert code == 0
    train = sorted(load_task("synthetic-water/iid").train)
    assert json.loads(out)["labels"] == {"bulk": len(train)}
    dataset = open_dataset("synthetic-water")
    expected = dataset.labelled("bulk", np.array(train))
    with h5py.File(target) as file:
        assert file["bulk/label_index"][...].tolist() == train
        np.testing.assert_array_equal(file["bulk/apt"][...], expected.apt)
        np.testing.assert_array_equal(file["bulk/positions"][...], expected.frames.positions)
        assert json.loads(file.attrs["selection"])["part"] == "synthetic-water/iid@1 train"
    code, _, err = aptbench("export", "synthetic-water", target)
    assert code == 2
    assert "already something" in err


def test_export_to_extended_xyz(project, aptbench, tmp_path):
    target = tmp_path / "labels.xyz"
    words = ("export", "synthetic-water", target, "--system", "bulk")
    code, out, _ = aptbench(*words)
    assert code == 0
    assert out.startswith(f"Wrote {target}: 27 labels of bulk, ")
    expected = open_dataset("synthetic-water").labelled("bulk")
    read = read_extended_xyz(target, order="pol,disp", velocity_unit="angstrom/fs")
    np.testing.assert_array_equal(read.apt, expected.apt)
    np.testing.assert_array_equal(read.frames.positions, expected.frames.positions)
    np.testing.assert_array_equal(read.frames.velocities, expected.frames.velocities)
    assert 'apt_order="pol,disp"' in target.read_text().splitlines()[1]
    code, _, err = aptbench(*words)
    assert code == 2
    assert "already something" in err
    assert aptbench(*words, "--overwrite")[0] == 0


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("x.csv",), "ends in .h5, .hdf5, .xyz, .extxyz"),
        (("x.h5", "--part", "train"), "both --task and --part"),
        (("x.h5", "--task", "synthetic-water/iid"), "both --task and --part"),
        (("x.h5", "--task", "synthetic-water/iid", "--part", "tran"), "did you mean 'train'"),
        (("x.h5", "--system", "bluk"), "did you mean 'bulk'"),
        (("x.h5", "--task", "synthetic-water/idd", "--part", "train"), "synthetic-water/iid"),
    ],
)
def test_export_answers_mistakes(project, aptbench, tmp_path, monkeypatch, words, message):
    monkeypatch.chdir(tmp_path)
    code, _, err = aptbench("export", "synthetic-water", *words)
    assert code == 2
    assert message in err
    assert list(tmp_path.iterdir()) == []


def test_an_xyz_file_holds_one_system(stores, aptbench, tmp_path):
    code, _, err = aptbench("export", stores["added"], tmp_path / "x.xyz")
    assert code == 2
    assert "choose one with --system" in err


def test_an_xyz_file_of_no_labels_is_not_written(aptbench, tmp_path):
    bare = replace(
        isolated_system(), label_frame=np.zeros(0, int), apt=np.zeros((0, 3, 3, 3)), dipole=None
    )
    write_dataset(tmp_path / "bare.zarr", {"main": bare}, ATTRS)
    code, _, err = aptbench("export", tmp_path / "bare.zarr", tmp_path / "x.xyz")
    assert code == 2
    assert "has no labels" in err
    assert aptbench("export", tmp_path / "bare.zarr", tmp_path / "x.h5")[0] == 0


def test_pack(stores, aptbench, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    code, out, _ = aptbench("pack", stores["old"])
    assert code == 0
    assert out.split()[1] == "tiny.zarr.zip"
    code, as_json, _ = aptbench("pack", stores["old"], "--overwrite", "--json")
    report = json.loads(as_json)
    assert (report["sha256"], report["bytes"]) == (
        out.split()[0],
        (tmp_path / "tiny.zarr.zip").stat().st_size,
    )
    assert report["content_hash"] == Dataset(stores["old"]).content_hash
    assert aptbench("pack", stores["old"])[0] == 2


def test_croissant_is_written_and_checked(stores, aptbench, tmp_path, monkeypatch):
    root = tmp_path / "project"
    shutil.copytree(stores["old"], root / "datasets" / "tiny" / "tiny.zarr")
    (root / "datasets" / "tiny" / "card.md").write_text("# Tiny\n")
    monkeypatch.setenv("APTBENCH_ROOT", str(root))
    path = root / "datasets" / "tiny" / "croissant.json"
    code, out, _ = aptbench("croissant", "--check")
    assert (code, out) == (1, "drifted: datasets/tiny/croissant.json\n")
    assert not path.exists()
    code, out, _ = aptbench("croissant", "tiny")
    assert (code, out) == (0, "written: datasets/tiny/croissant.json\n")
    assert json.loads(path.read_text())["name"] == "tiny"
    assert aptbench("croissant", "--check", "--json")[:2] == (0, '{\n "drifted": []\n}\n')
    (root / "datasets" / "tiny" / "card.md").write_text("# Tiny\n\nNumbers.\n")
    assert aptbench("croissant", "--check")[0] == 1
    code, _, err = aptbench("croissant", "tyni")
    assert code == 2
    assert "did you mean 'tiny'" in err
