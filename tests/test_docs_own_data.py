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
from aptbench.data.conversion import FORMATS, read_source
from aptbench.data.readers.cp2k import finite_field_apt, read_forces
from tests.reference import stand_in_cp2k

PROJECT = Path(__file__).parents[1]
PAGE = PROJECT / "docs" / "own-data.md"
TEXT = PAGE.read_text(encoding="utf-8")
EXAMPLES = PROJECT / "docs" / "examples" / "own-data"
BLOCKS = re.findall(r"^```(bash|python|yaml)\n(.*?)^```", TEXT, re.DOTALL | re.MULTILINE)


def run(folder: Path, kind: str, text: str, programs: Path) -> Path:
    """Run a block in a folder, with programs of another, and return the folder that it ends in."""
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
        "PATH": os.pathsep.join(
            [str(programs), str(Path(sys.executable).parent), os.environ["PATH"]]
        ),
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
    engine = stand_in_cp2k.install(tmp_path / "bin")
    for kind, text in BLOCKS:
        folder = run(folder, kind, text, engine.parent)
    assert folder == tmp_path / "frames-project"
    _check_the_trajectory_with_labels(tmp_path / "my-project")
    _check_the_labelled_trajectory(tmp_path / "cp2k-project")
    assert len(stand_in_cp2k.runs(engine)) == 8 * 7
    _check_the_single_frames(folder)
    assert np.isfinite(Dataset(folder / "ase.zarr").labelled("main").apt).all()


def _check_the_trajectory_with_labels(folder: Path) -> None:
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


def _check_the_labelled_trajectory(folder: Path) -> None:
    data = Dataset(folder / "datasets" / "water-box" / "water-box.zarr")
    assert verify(data.path).ok
    assert data.label_frames("box").tolist() == [0, 75, 150, 225, 300, 450, 525, 600]
    assert data.trajectory("box", slice(0, 1)).velocities is not None
    assert data.system_attrs("box")["provenance"]["labels"]["functional"] == "RPBE"
    split = json.loads((folder / "datasets" / "water-box" / "splits" / "iid.json").read_text())
    assert split["gap_fs"] == 100.0


def _check_the_single_frames(folder: Path) -> None:
    data = Dataset(folder / "datasets" / "single" / "single.zarr")
    assert not data.has_times("main")
    split = json.loads((folder / "datasets" / "single" / "splits" / "random.json").read_text())
    assert (split["method"], split["seed"]) == ("independent", 1)
    audit = json.loads((folder / "datasets" / "single" / "audits" / "random.json").read_text())
    assert audit["separated_by"] == "no time"
    assert "has no times" in (folder / "reports" / "single-random" / "report.html").read_text()


def test_the_labels_are_those_of_the_frames_they_are_named_after() -> None:
    lines = (EXAMPLES / "water-pos-1.xyz").read_text().splitlines()
    for label in sorted((EXAMPLES / "labels").iterdir()):
        number = int(label.name.removeprefix("frame-"))
        shown = [line.split()[1:] for line in (label / "frame.xyz").read_text().splitlines()[2:]]
        frame = [line.split()[1:] for line in lines[5 * number + 2 : 5 * number + 5]]
        np.testing.assert_allclose(np.array(shown, float), np.array(frame, float), atol=1e-9)


def test_the_single_frames_are_the_labels() -> None:
    frames = read_source(EXAMPLES / "frames.extxyz", "extxyz", order="pol,disp")
    runs = read_source(EXAMPLES / "labels", "cp2k", field=0.001)
    np.testing.assert_allclose(frames.apt, runs.apt, atol=6e-7)
    np.testing.assert_allclose(frames.frames.positions, runs.frames.positions, atol=6e-9)


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
    headings = {
        re.sub(r"[^a-z0-9 -]", "", line.lower()).strip().replace(" ", "-")
        for line in re.findall(r"^#+ (.*)$", TEXT, re.MULTILINE)
    }
    assert set(re.findall(r"\]\(#([^)]+)\)", TEXT)) <= headings
    app = build_app()
    for command in set(re.findall(r"(?:`|^)aptbench ([a-z-]+)", TEXT, re.MULTILINE)):
        assert CliRunner().invoke(app, [command, "--help"]).exit_code == 0, command
    shown = {text.split()[0] for text in re.findall(r"--format ([a-z0-9-]+)", TEXT)}
    assert shown <= set(FORMATS)
