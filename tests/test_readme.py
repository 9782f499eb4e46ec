"""What the README shows works as it stands there, and its numbers are those of the data."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from aptbench import Frames
from aptbench.cli.main import build_app
from aptbench.models import load_model

PROJECT = Path(__file__).parents[1]
README = (PROJECT / "README.md").read_text(encoding="utf-8")


def test_the_model_of_the_readme(tmp_path):
    blocks = re.findall(r"```(?:yaml|python)\n# (my-model/\S+)\n(.*?)```", README, re.DOTALL)
    assert [name for name, _ in blocks] == ["my-model/model.yaml", "my-model/model.py"]
    for name, text in blocks:
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(text)
    model = load_model(str(tmp_path / "my-model"))
    frames = Frames([8, 1, 1], np.zeros((2, 3, 3)) + np.eye(3))
    assert model.predict(frames).shape == (2, 3, 3, 3)


def test_every_command_of_the_readme_exists():
    app = build_app()
    commands = set(re.findall(r"(?:`|^)aptbench ([a-z-]+)", README, re.MULTILINE))
    assert {"run", "evaluate", "verify", "convert", "sample", "train"} <= commands
    for command in commands:
        result = CliRunner().invoke(app, [command, "--help"])
        assert result.exit_code == 0, f"aptbench {command}"


def test_make_targets_of_the_readme_exist():
    makefile = (PROJECT / "Makefile").read_text()
    targets = set(re.findall(r"(?:`|^)make ([a-z]+)", README, re.MULTILINE))
    assert {"benchmark", "test"} <= targets
    for target in targets:
        assert re.search(rf"^{target}:", makefile, re.MULTILINE), target


def test_links_of_the_readme_lead_somewhere():
    for target in re.findall(r"\]\((?!https?:)([^)#]+)", README):
        assert (PROJECT / target).exists(), target


def test_generated_tables_have_not_drifted(monkeypatch):
    if not (PROJECT / "datasets" / "water" / "water.zarr").exists():
        pytest.skip("the data is not here: dvc pull")
    monkeypatch.setenv("APTBENCH_ROOT", str(PROJECT))
    result = CliRunner().invoke(build_app(), ["refresh", "--check"])
    assert result.exit_code == 0, result.output + "run: aptbench refresh"
