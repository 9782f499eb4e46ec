"""The data stages of `dvc.yaml` make a set of one labelled frame, once."""

from __future__ import annotations

import importlib.util
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from aptbench.data import open_dataset
from aptbench.reference.engine import Cp2k
from aptbench.reference.records import record_path

ROOT = Path(__file__).parents[2]
STAGES = ("sample", "label", "build", "lint")
RECIPE = """
name: tiny
version: 0.0.1
title: one molecule
license: CC-BY-4.0
system: monomer
sample:
  potential: flexible SPC/E
  start: start.xyz
  composition: {H2O: 1}
  cell: [10.0, 10.0, 10.0]
  temperature: 300.0
  timestep: 0.5
  stride: 4
  seed: 1
  stages:
    - {name: nve, ensemble: NVE, steps: 8}
label:
  frames: [1]
  theory: {basis: DZVP-GTH, cutoff: 280.0, n_grids: 4, eps_scf: 1.0e-6, field: 1.0e-3}
"""

pytestmark = [
    pytest.mark.engine,
    pytest.mark.slow,
    pytest.mark.skipif(not Cp2k.available(), reason="CP2K is not installed"),
    pytest.mark.skipif(importlib.util.find_spec("dvc") is None, reason="dvc is not installed"),
]


@pytest.fixture
def project(tmp_path: Path) -> Path:
    pipeline = yaml.safe_load((ROOT / "dvc.yaml").read_text())
    stages = {name: pipeline["stages"][name] for name in STAGES}
    project = tmp_path / "project"
    folder = project / "datasets" / "tiny"
    folder.mkdir(parents=True)
    (folder / "recipe.yaml").write_text(RECIPE)
    (project / "dvc.yaml").write_text(
        yaml.safe_dump({"vars": [{"sampled": ["tiny"]}], "stages": stages})
    )
    return project


def test_stages_run_once_and_only_what_is_missing(project, tmp_path, monkeypatch):
    programs = Path(sys.executable).parent
    environment = {**os.environ, "PATH": f"{programs}{os.pathsep}{os.environ['PATH']}"}
    environment |= {"DVC_NO_ANALYTICS": "1", "DVC_SITE_CACHE_DIR": str(tmp_path / "site")}

    def dvc(*words: str) -> str:
        command = [sys.executable, "-m", "dvc", *words]
        done = subprocess.run(
            command, cwd=project, env=environment, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    dvc("init", "--no-scm", "--quiet")
    dvc("repro")
    monkeypatch.setenv("APTBENCH_ROOT", str(project))
    first = open_dataset("tiny")
    assert (first.n_frames("monomer"), first.n_labels("monomer")) == (3, 1)
    record = record_path(project / "datasets/tiny/records", 1)
    stamp = record.stat().st_mtime_ns
    assert "up to date" in dvc("repro")

    shutil.rmtree(project / "datasets/tiny/tiny.zarr")
    dvc("repro")
    recipe = project / "datasets/tiny/recipe.yaml"
    recipe.write_text(recipe.read_text().replace("title: one", "title: a single"))
    output = dvc("repro")
    assert "build@tiny" in output
    assert "Running stage 'label@tiny'" not in output
    assert record.stat().st_mtime_ns == stamp, "a labelled frame was labelled again"
    again = open_dataset("tiny")
    assert again.content_hash == first.content_hash
    assert again.attrs["title"] == "a single molecule"
