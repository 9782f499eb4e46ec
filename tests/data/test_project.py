"""The catalog of a project."""

from __future__ import annotations

import pytest

from aptbench.data import catalog, open_dataset, root
from aptbench.errors import InputError, StoreError, UnknownNameError


def test_root_is_found_from_below(make_project, monkeypatch):
    project = make_project()
    assert root() == project
    monkeypatch.chdir(project / "datasets" / "tiny")
    assert root() == project


def test_root_is_named_by_the_environment(make_project, monkeypatch, tmp_path):
    project = make_project()
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("APTBENCH_ROOT", str(project))
    assert root() == project
    monkeypatch.setenv("APTBENCH_ROOT", str(tmp_path / "nowhere"))
    with pytest.raises(InputError, match="APTBENCH_ROOT"):
        root()


def test_no_project_is_an_error_that_helps(monkeypatch, tmp_path):
    monkeypatch.delenv("APTBENCH_ROOT", raising=False)
    monkeypatch.chdir(tmp_path)
    with pytest.raises(InputError, match="set APTBENCH_ROOT"):
        root()


def test_catalog_lists_data_sets_here_and_not_here(make_project):
    make_project()
    entries = catalog()
    assert list(entries) == ["later", "tiny"]
    assert (entries["tiny"].available, entries["later"].available) == (True, False)
    assert entries["tiny"].attrs["version"] == "0.1.0"
    assert entries["tiny"].card is not None
    assert entries["later"].attrs == {}


def test_a_damaged_store_does_not_hide_the_others(make_project):
    project = make_project()
    (project / "datasets" / "tiny" / "tiny.zarr" / "zarr.json").write_text("{")
    assert "damaged" in catalog()["tiny"].attrs["error"]


def test_open_by_name(make_project):
    make_project()
    assert open_dataset("tiny").name == "tiny"


def test_an_unknown_name_is_answered_with_the_nearest(make_project):
    make_project()
    with pytest.raises(UnknownNameError, match="did you mean 'tiny'"):
        open_dataset("tiyn")


def test_a_data_set_that_is_not_pulled_is_answered_with_the_command(make_project):
    project = make_project()
    with pytest.raises(StoreError, match=r"dvc pull datasets/later/later\.zarr"):
        open_dataset("later")
    with pytest.raises(StoreError, match="dvc pull"):
        open_dataset(project / "datasets" / "later" / "later.zarr")


def test_a_path_without_a_store_is_an_error(tmp_path):
    with pytest.raises(StoreError, match="no store"):
        open_dataset(tmp_path / "nothing.zarr")
    with pytest.raises(StoreError, match=r"zarr\.json"):
        open_dataset(f"{tmp_path}/")
