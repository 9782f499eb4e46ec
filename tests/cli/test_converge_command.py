"""`aptbench converge` on isolated systems, as a person types it."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from aptbench.cli.main import run
from aptbench.data import SystemData, write_dataset
from aptbench.frames import Frames
from aptbench.reference.label_noise import label_noise

pytest.importorskip("pyscf")

RECIPE = """
kind: dense
name: few
version: 0.1.0
title: Few
license: CC0-1.0
label: {engine: pyscf, functional: PBE, basis: STO-3G, grid_level: 0}
systems:
  - name: hf
    sample: {start: hf.xyz, temperature: 300.0, length_ps: 1.0, seed: 1}
"""
PLAN = """
convergence:
  systems: [hf]
  frame: 1
  variants:
    - {field: 2.0e-3}
    - {grid_level: 1}
"""


@pytest.fixture
def recipe(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("APTBENCH_ROOT", str(tmp_path))
    folder = tmp_path / "datasets" / "few"
    folder.mkdir(parents=True)
    frames = Frames([9, 1], [[[0, 0, 0], [0, 0, z]] for z in (0.9, 0.95)])
    system = SystemData(frames, np.arange(2), np.zeros((2, 2, 3, 3)), times=[0.0, 2.0])
    attrs = {"name": "few", "version": "0.1.0", "title": "Few", "license": "CC0-1.0"}
    write_dataset(folder / "few.zarr", {"hf": system}, attrs)
    path = folder / "recipe.yaml"
    path.write_text(RECIPE + PLAN)
    return path


def converge(*words: object) -> int:
    with pytest.raises(SystemExit) as end:
        run(["converge", *map(str, words)])
    return int(end.value.code or 0)


def test_molecules_are_measured_and_the_noise_follows(
    recipe: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert converge(recipe) == 0
    assert "field 0.002" in " ".join(capsys.readouterr().out.split())
    table = json.loads((recipe.parent / "convergence.json").read_text())
    assert table["frame"] == "1 of `hf`"
    assert table["theory"]["basis"] == "STO-3G"
    assert [change["setting"] for change in table["changes"]] == [
        {},
        {"field": 2e-3},
        {"grid_level": 1},
    ]
    figures = label_noise(table)
    assert set(figures["parts"]) == {"field", "grid"}
    assert figures["noise"]["all"] > 0


def test_what_cannot_be_measured_is_said(recipe: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert converge(recipe, "--work", recipe.parent) == 2
    assert "keep no raw files" in capsys.readouterr().err
    recipe.write_text(RECIPE)
    assert converge(recipe) == 2
    assert "no section 'convergence'" in capsys.readouterr().err
    recipe.write_text(RECIPE + PLAN.replace("grid_level: 1", "grid: 1"))
    assert converge(recipe) == 2
    assert "setting that does not exist" in capsys.readouterr().err
    assert converge(recipe.parent / "absent.yaml") == 2
    assert "There is no recipe" in capsys.readouterr().err
