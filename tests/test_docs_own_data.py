"""What docs/own-data.md shows works as it stands there."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from aptbench.cli.main import build_app
from aptbench.data import Dataset, verify
from aptbench.data.conversion import FORMATS
from aptbench.data.readers.cp2k import finite_field_apt, read_forces

PROJECT = Path(__file__).parents[1]
PAGE = PROJECT / "docs" / "own-data.md"
TEXT = PAGE.read_text(encoding="utf-8")
EXAMPLES = PROJECT / "docs" / "examples" / "own-data"
BLOCKS = re.findall(r"^```(bash|python|yaml)\n(.*?)^```", TEXT, re.DOTALL | re.MULTILINE)


def run(folder: Path, kind: str, text: str) -> Path:
    """Run a block in a folder, and return the folder that it ends in."""
    if kind == "yaml":
        name = text.split("\n", 1)[0].removeprefix("# ")
        path = folder / name
        path.parent.mkdir(parents=True)
        path.write_text(text, encoding="utf-8")
        return folder
    end = folder / ".end"
    command = ["bash", "-euo", "pipefail", "-c", f'{text}\npwd > "$END"']
    environment = {name: value for name, value in os.environ.items() if name != "APTBENCH_ROOT"}
    environment |= {
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
        "EXAMPLES": str(EXAMPLES),
        "END": str(end),
    }
    done = subprocess.run(
        command if kind == "bash" else [sys.executable, "-c", text],
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, f"{text}\n{done.stdout}\n{done.stderr}"
    if not end.exists():
        return folder
    where = Path(end.read_text().strip())
    end.unlink()
    return where


@pytest.mark.slow
@pytest.mark.skipif(not find_spec("ase"), reason="needs ase")
def test_the_blocks_run_one_after_the_other(tmp_path: Path) -> None:
    folder = tmp_path
    for kind, text in BLOCKS:
        folder = run(folder, kind, text)
    assert folder == tmp_path / "my-project"
    data = Dataset(folder / "datasets" / "gas-water" / "gas-water.zarr")
    assert verify(data.path).ok
    assert data.n_frames("main") == 601
    assert data.labelled("main").dipole is not None
    assert data.trajectory("main", slice(0, 1)).velocities is not None
    card = (folder / "datasets" / "gas-water" / "card.md").read_text()
    assert data.content_hash in card
    study = json.loads(
        (folder / "reports" / "spectrum-gas-water-main" / "spectrum.json").read_text()
    )
    assert "mean-tensor" in json.dumps(study)
    assert np.isfinite(Dataset(folder / "ase.zarr").labelled("main").apt).all()


def test_the_labels_are_those_of_the_frames_they_are_named_after() -> None:
    lines = (EXAMPLES / "water-pos-1.xyz").read_text().splitlines()
    for label in sorted((EXAMPLES / "labels").iterdir()):
        number = int(label.name.removeprefix("frame-"))
        shown = [line.split()[1:] for line in (label / "frame.xyz").read_text().splitlines()[2:]]
        frame = [line.split()[1:] for line in lines[5 * number + 2 : 5 * number + 5]]
        np.testing.assert_allclose(np.array(shown, float), np.array(frame, float), atol=1e-9)


def test_the_tensors_of_the_example_are_those_of_its_forces(tmp_path: Path) -> None:
    words = ["convert", str(EXAMPLES / "labels"), str(tmp_path / "a.zarr"), "--json"]
    words += ["--format", "cp2k", "--field", "0.001"]
    words += ["--trajectory", str(EXAMPLES / "water-pos-1.xyz")]
    words += ["--velocities", str(EXAMPLES / "water-vel-1.xyz")]
    result = CliRunner().invoke(build_app(), words)
    assert result.exit_code == 0, result.output
    assert {check["outcome"] for check in json.loads(result.stdout)["checks"]} <= {
        "pass",
        "unknown",
    }
    data = Dataset(tmp_path / "a.zarr")
    frames = data.label_frames("main")
    last = EXAMPLES / "labels" / f"frame-{frames[-1]:04d}"
    forces = {
        (pol, end): read_forces((last / f"field_{pol}_{end}.out").read_text())
        for pol in "xyz"
        for end in ("plus", "minus")
    }
    np.testing.assert_array_equal(data.labelled("main").apt[-1], finite_field_apt(forces, 0.001))


def test_velocities_need_a_trajectory(tmp_path: Path) -> None:
    words = ["convert", str(EXAMPLES / "labels"), str(tmp_path / "a.zarr"), "--format", "cp2k"]
    words += ["--field", "0.001", "--velocities", str(EXAMPLES / "water-vel-1.xyz")]
    result = CliRunner().invoke(build_app(), words)
    assert result.exit_code != 0
    assert "--trajectory" in str(result.exception)


def test_links_lead_somewhere_and_commands_exist() -> None:
    for target in re.findall(r"\]\((?!https?:)([^)#]+)", TEXT):
        assert (PAGE.parent / target).exists(), target
    app = build_app()
    for command in set(re.findall(r"(?:`|^)aptbench ([a-z-]+)", TEXT, re.MULTILINE)):
        assert CliRunner().invoke(app, [command, "--help"]).exit_code == 0, command
    shown = {text.split()[0] for text in re.findall(r"--format ([a-z0-9-]+)", TEXT)}
    assert shown <= set(FORMATS)
