"""`aptbench run`: leaks are refused before anything runs, and costs are in table and result."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from aptbench.cli.main import run
from aptbench.tasks import Task, load_task

MODEL = """
import numpy as np

class Zero:
    n_parameters = 5

    def __init__(self, train, content_hash):
        self.provenance_ = {"train": train, "content_hash": content_hash, "seconds": 7.0}

    def predict(self, frames):
        return np.zeros((len(frames), frames.n_atoms, 3, 3))
"""


@pytest.fixture
def task(synthetic_project: Path, monkeypatch: pytest.MonkeyPatch) -> Task:
    monkeypatch.setenv("APTBENCH_ROOT", str(synthetic_project))
    return load_task("synthetic-water/iid")


def main(words: list[str]) -> int:
    with pytest.raises(SystemExit) as left:
        run(words)
    return int(left.value.code or 0)


def folder(path: Path, task: Task, train: list[int]) -> str:
    path.mkdir()
    (path / "model.py").write_text(MODEL)
    parameters = {"train": train, "content_hash": task.content_hash}
    spec = {"name": "zero", "title": "Zero", "class": "model:Zero", "parameters": parameters}
    (path / "model.yaml").write_text(json.dumps(spec))
    return str(path)


def test_a_leak_stops_the_run_before_it_starts(
    task: Task, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    leak = folder(tmp_path / "m", task, [task.train[0], task.test[0]])
    models = ["--model", "constant-charge", "--model", leak]
    code = main(["run", task.name, "--no-spectrum", "--out", str(tmp_path / "out"), *models])
    assert code == 2
    said = capsys.readouterr().err
    assert "trained on test labels" in said
    assert "aptbench train" in said
    assert not (tmp_path / "out").exists()


def test_a_model_without_weights_stops_the_run_before_it_starts(
    task: Task, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    bare = tmp_path / "bare"
    bare.mkdir()
    path = "aptbench.models.constant:ConstantCharge"
    spec = {"name": "bare", "title": "Bare", "class": path}
    (bare / "model.yaml").write_text(json.dumps(spec))
    words = ["run", task.name, "--no-spectrum", "--out", str(tmp_path / "out")]
    assert main([*words, "--model", "constant-charge", "--model", str(bare)]) == 2
    assert "has no weights" in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


def test_costs_are_in_table_and_result(
    task: Task, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    other = folder(tmp_path / "m", task, [task.train[0], task.validation[0]])
    out = tmp_path / "out"
    assert main(["run", task.name, "--no-spectrum", "--out", str(out), "--model", other]) == 0
    shown = capsys.readouterr()
    assert "Training of m: other split" in shown.err
    for text in ("atoms/s", "parameters", "7 s", "other split", "Speed and memory:"):
        assert text in shown.out
    result = json.loads((out / "zero.json").read_text())
    assert result["training"]["status"] == "other split"
    assert result["cost"]["inference"]["atoms_per_second"] > 0
    assert "Not known to be trained on the task alone" in (out / "report.html").read_text()
    again = [*("run", task.name, "--no-spectrum", "--no-cost", "--json"), "--out", str(out)]
    assert main([*again, "--model", other]) == 0
    (row,) = json.loads(capsys.readouterr().out)
    assert row["cost"]["inference"] is None
    assert row["cost"]["parameters"] == 5
