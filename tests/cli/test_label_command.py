"""`aptbench label` as a person types it, with a stand-in for the engine's program."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import yaml

from aptbench import Frames
from aptbench.data import write_dataset
from aptbench.reference.recipe import Labelling
from aptbench.reference.records import failure_path, record_path
from aptbench.reference.sample import trajectory_data
from tests.reference import stand_in_cp2k
from tests.reference.conftest import WATER
from tests.reference.stand_in_cp2k import alive, runs, take, wait_for
from tests.reference.test_sample import recipe

PROJECT = Path(__file__).parents[2]


def make_project(root: Path, x: tuple[float, ...] = (0.0, 0.1, 0.2)) -> Path:
    """A recipe and its trajectory, one frame a place of the oxygen, and a program; its path."""
    plan = recipe().model_copy(update={"label": Labelling(frames=tuple(range(len(x))))})
    folder = root / "datasets" / "water"
    folder.mkdir(parents=True)
    positions = np.array([np.add(WATER, [place, 0.0, 0.0]) for place in x])
    frames = Frames([8, 1, 1], positions, [6.0] * 3, velocities=np.zeros_like(positions))
    data = trajectory_data(plan, 2.0 * np.arange(len(x)), frames, "no engine: synthetic")
    write_dataset(folder / "trajectory.zarr", {plan.system: data}, plan.attrs)
    (folder / "recipe.yaml").write_text(yaml.safe_dump(plan.model_dump(mode="json")))
    return stand_in_cp2k.install(root / "bin")


def environment(root: Path) -> dict[str, str]:
    """Find the stand-in, this Python's programs and this package; say nothing of the terminal."""
    path = os.pathsep.join([str(root / "bin"), str(Path(sys.executable).parent)])
    return {
        **os.environ,
        "PATH": f"{path}{os.pathsep}{os.environ['PATH']}",
        "PYTHONPATH": str(PROJECT),
    }


@pytest.fixture
def program(tmp_path: Path) -> Path:
    return make_project(tmp_path)


def start(root: Path, *words: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "aptbench.cli.main", "label", "datasets/water/recipe.yaml", *words],
        cwd=root,
        env=environment(root),
        text=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )


def label(root: Path, *words: str) -> tuple[int, str, str]:
    with start(root, *words) as process:
        out, err = process.communicate(timeout=300)
    return process.returncode, out, err


def test_one_after_the_other_with_a_failure(tmp_path: Path) -> None:
    make_project(tmp_path, (0.0, 60.0))
    records = tmp_path / "datasets" / "water" / "records"
    code, out, err = label(tmp_path, "--json")
    assert code == 1, err
    assert json.loads(out)["labelled"] == [0]
    assert json.loads(out)["failed"] == [1]
    assert record_path(records, 0).exists()
    assert failure_path(records, 1).exists()
    code, out, _ = label(tmp_path)
    assert code == 1
    assert "0 frames labelled" in out
    assert "not converged: frames [1]" in out


def test_a_limit_does_not_end_at_a_frame_that_fails(tmp_path: Path) -> None:
    make_project(tmp_path, (60.0, 0.0, 0.1))
    done = []
    for _ in range(3):
        code, out, err = label(tmp_path, "--limit", "1", "--json")
        assert code == 1, err
        assert json.loads(out)["failed"] == [0]
        done += json.loads(out)["labelled"]
    assert done == [1, 2]


def test_two_commands_share_the_frames(tmp_path: Path, program: Path) -> None:
    take(program, 0.3)
    with start(tmp_path, "--json") as first, start(tmp_path, "--json") as second:
        outputs = [process.communicate(timeout=300) for process in (first, second)]
    assert [json.loads(out)["labelled"] for out, _ in outputs] == [[0, 1, 2]] * 2
    assert len(runs(program)) == 3 * 7, "a frame was labelled twice"
    assert len({parent for *_, parent in runs(program)}) == 2


def test_workers_and_limit(tmp_path: Path, program: Path) -> None:
    pytest.importorskip("distributed")
    code, out, err = label(tmp_path, "--workers", "2", "--limit", "2", "--json")
    assert code == 0, err
    assert json.loads(out)["labelled"] == [0, 1]
    assert len(runs(program)) == 14
    code, out, err = label(tmp_path, "--workers", "2", "--frames", "0,1", "--json")
    assert json.loads(out)["labelled"] == []
    assert len(runs(program)) == 14


def test_ctrl_c_leaves_nothing_running(tmp_path: Path, program: Path) -> None:
    pytest.importorskip("distributed")
    take(program, 600)
    with start(tmp_path, "--workers", "2") as process:
        wait_for(lambda: len(runs(program)) == 2, 300)
        workers = [parent for *_, parent in runs(program)]
        assert process.pid not in workers
        process.send_signal(signal.SIGINT)
        process.communicate(timeout=300)
    assert process.returncode == 130
    wait_for(lambda: not any(alive(p) for *_, run, parent in runs(program) for p in (run, parent)))
    assert len(runs(program)) == 2


def test_workers_here_and_a_scheduler_there_are_refused(tmp_path: Path, program: Path) -> None:
    code, _, err = label(tmp_path, "--workers", "2", "--scheduler", "tcp://node1:8786")
    assert code == 2
    assert "leave out one of the two" in err
