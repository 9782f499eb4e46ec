"""What the README shows works as it stands there, and its numbers are those of the data."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest
from typer.main import get_command
from typer.testing import CliRunner

from aptbench import Frames
from aptbench.cli.main import build_app
from aptbench.models import load_model

PROJECT = Path(__file__).parents[1]
FENCED = re.compile(r"^```(\w*)\n(.*?)^```", re.DOTALL | re.MULTILINE)
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


def documented_commands():
    """Every command of README and docs, in a block of code or between backquotes, as it stands."""
    for path in (PROJECT / "README.md", *sorted((PROJECT / "docs").rglob("*.md"))):
        text = path.read_text(encoding="utf-8")
        blocks = re.findall(FENCED, text)
        code = "".join(lines for kind, lines in blocks if kind in ("", "bash", "sh"))
        code = code.replace("\\\n", " ").splitlines()
        code += re.findall(r"`(aptbench\s[^`]+)`", re.sub(FENCED, "", text))
        for line in code:
            for words in re.findall(r"(?<![\w./-])aptbench\s([^|;&#>)]*)", line):
                yield path.name, words.split()


def test_every_documented_option_exists():
    found, group = 0, get_command(build_app())
    for page, words in documented_commands():
        command, rest = group, list(words)
        while rest and (inner := getattr(command, "commands", {}).get(rest[0])) is not None:
            command = inner
            rest.pop(0)
        said = f"{page}: aptbench {' '.join(words)}"
        assert not rest or command is not group or rest[0] in ("COMMAND", "--version"), said
        known = {name for one in command.params for name in (*one.opts, *one.secondary_opts)}
        for option in (word.partition("=")[0] for word in rest if word.startswith("--")):
            assert option.rstrip(",.") in known | {"--help"}, said
            found += 1
    assert found > 120  # so that a change of the form of the pages does not end the test


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
