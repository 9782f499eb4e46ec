"""The table of the data sets, made from stores."""

from __future__ import annotations

import json

import numpy as np
import pytest

from aptbench.board.dataset_table import dataset_table, dataset_table_blocks
from aptbench.data import SystemData, write_dataset
from aptbench.errors import StoreError
from aptbench.frames import Frames


@pytest.fixture
def project(tmp_path, monkeypatch):
    monkeypatch.setattr("aptbench.data.writer._sync", lambda folder: None)
    labels = {"code": "PySCF 2", "functional": "PBE", "basis": "def2-SVP"}
    write(tmp_path, "alone", {"main": system(3, 10, labels)})
    write(
        tmp_path,
        "many",
        {
            "a": system(3, 11, labels),
            "b": system(5, 21, {"code": "tblite", "functional": "GFN2-xTB"}),
            "c": system(4, 2, None),
        },
    )
    (tmp_path / "datasets" / "store").mkdir()
    return tmp_path


def system(n_atoms: int, n_frames: int, labels: dict[str, str] | None) -> SystemData:
    frames = Frames([1] * n_atoms, np.arange(n_frames * n_atoms * 3.0).reshape(n_frames, -1, 3))
    return SystemData(
        frames,
        [0, 1],
        np.zeros((2, n_atoms, 3, 3)),
        times=2.0 * np.arange(n_frames) if labels else None,
        provenance={"labels": labels} if labels else {},
    )


def write(project, name, systems, **attrs):
    attrs = {"name": name, "version": "0.1.0", "title": name, "license": "CC0-1.0"} | attrs
    path = project / "datasets" / name / f"{name}.zarr"
    return write_dataset(path, systems, attrs, overwrite=True)


def row(table: str, name: str) -> list[str]:
    line = next(line for line in table.splitlines() if f"`{name}`" in line)
    return [cell.strip() for cell in line.strip("|").split("|")][:-1]


def test_a_row_a_data_set_with_ranges_and_sums(project):
    table = dataset_table(project)
    assert len(table.splitlines()) == 4
    assert row(table, "alone") == [
        "[`alone`](datasets/alone/card.md) 0.1.0", "`main`", "3", "10 (0.018 ps)", "2",
        "PBE/def2-SVP", "–",
    ]  # fmt: skip
    assert row(table, "many")[1:] == [
        "3", "3 to 5", "34 (2 x 0.02 to 0.04 ps)", "6", "PBE/def2-SVP; GFN2-xTB", "–"
    ]  # fmt: skip
    assert dataset_table_blocks(project) == {"data": table}


def test_noise_is_that_of_the_store_or_of_the_convergence_table(project):
    changes = [
        {"setting": {}, "rms": {"H": 0.0, "all": 0.0}},
        {"setting": {"eps_scf": 1e-8}, "rms": {"H": 0.001, "all": 0.003}},
        {"setting": {"cutoff": 800.0}, "rms": {"H": 0.001, "all": 0.004}},
        {"setting": {"field": 1e-3}, "rms": {"H": 0.001, "all": 0.0}},
    ]
    measured = {
        "frame": 0, "pol": "x", "code": "CP2K", "changes": changes,
        "theory": {"eps_scf": 1e-7, "cutoff": 500.0, "field": 5e-4},
    }  # fmt: skip
    path = project / "datasets" / "alone" / "convergence.json"
    path.write_text(json.dumps(measured))
    assert row(dataset_table(project), "alone")[-1] == "0.005 e"
    path.write_text(json.dumps(measured | {"changes": changes[:3]}))
    assert row(dataset_table(project), "alone")[-1] == "> 0.005 e"
    noise = {"noise": {"all": 0.0123}, "missing": []}
    write(project, "alone", {"main": system(3, 10, {"functional": "PBE"})}, label_noise=noise)
    assert row(dataset_table(project), "alone")[-1] == "0.012 e"


def test_a_store_that_is_not_here_is_an_error_and_not_a_shorter_table(project):
    (project / "datasets" / "later").mkdir()
    (project / "datasets" / "later" / "later.zarr.dvc").write_text("outs: []\n")
    with pytest.raises(StoreError, match="dvc pull"):
        dataset_table(project)
