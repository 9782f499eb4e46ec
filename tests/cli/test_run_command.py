"""`aptbench run`: leaks are refused before anything runs, and costs are in table and result."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from aptbench import Frames
from aptbench.cli.main import run
from aptbench.data import SystemData, write_dataset
from aptbench.tasks import Split, Task, load_task, write_split

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


def folder(path: Path, task: Task, train: list[int], name: str = "zero") -> str:
    path.mkdir()
    (path / "model.py").write_text(MODEL)
    parameters = {"train": train, "content_hash": task.content_hash}
    spec = {"name": name, "title": "Zero", "class": "model:Zero", "parameters": parameters}
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


QUICK = ["--no-spectrum", "--no-cost", "--no-cache"]


@pytest.mark.parametrize("error", ["RuntimeError('out of paper')", "KeyboardInterrupt"])
@pytest.mark.parametrize("as_json", [True, False])
def test_what_is_finished_is_not_lost(
    task: Task, tmp_path: Path, capsys: pytest.CaptureFixture[str], error: str, as_json: bool
) -> None:
    broken = folder(tmp_path / "broken", task, [], "broken")
    code = MODEL.replace("return np.zeros", f"raise {error}\n        return np.zeros")
    (tmp_path / "broken" / "model.py").write_text(code)
    models = ["--model", "constant-charge", "--model", broken, "--model", "point-charges"]
    words = ["run", task.name, *QUICK, "--out", str(tmp_path / "out")]
    words += ["--archive", str(tmp_path / "results"), *(["--json"] if as_json else [])]
    assert main([*words, *models]) != 0
    said = capsys.readouterr()
    assert "Finished: constant-charge." in said.err
    assert "point-charges" not in said.out
    if as_json:
        (row,) = json.loads(said.out)
        assert row["model"]["name"] == "constant-charge"
    else:
        assert "constant-charge" in said.out
    archived = sorted(path.name for path in (tmp_path / "results" / task.name).iterdir())
    assert archived == ["constant-charge.json", "constant-charge.npz"]


def test_an_archive_that_would_lose_a_current_is_refused_first(
    task: Task, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    kept = tmp_path / "results" / task.name / "currents" / "point-charges.npz"
    kept.parent.mkdir(parents=True)
    kept.touch()
    words = ["run", task.name, *QUICK, "--out", str(tmp_path / "out")]
    words += ["--archive", str(tmp_path / "results")]
    assert main([*words, "--model", "constant-charge", "--model", "point-charges"]) == 2
    assert "The archive has a current of point-charges" in capsys.readouterr().err
    assert not list(kept.parent.parent.glob("*.json"))


def test_two_models_of_one_name_stop_the_run_before_it_starts(
    task: Task, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    pair = [folder(tmp_path / name, task, []) for name in ("a", "b")]
    words = ["run", task.name, *QUICK, "--out", str(tmp_path / "out")]
    assert main([*words, "--model", pair[0], "--model", pair[1]]) == 2
    assert "Two models are called 'zero'" in capsys.readouterr().err
    assert not (tmp_path / "out").exists()
    # the same folder twice is one model
    assert main([*words, "--model", pair[0], "--model", pair[0]]) == 0


@pytest.fixture
def crystal(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Task:
    """A task on a crystal of silicon, in which every atom is bonded to every other."""
    monkeypatch.setenv("APTBENCH_ROOT", str(tmp_path / "project"))
    rng, n_frames = np.random.default_rng(0), 2100
    sites = np.array([[0, 0, 0], [0, 2, 2], [2, 0, 2], [2, 2, 0]]) / 4
    sites = 5.43 * np.concatenate([sites, sites + 0.25])
    rates = 2 * np.pi * 2.99792458e-5 * rng.uniform(300, 500, (8, 3))
    angles = 2.0 * np.arange(n_frames)[:, None, None] * rates + rng.uniform(0, 6, (8, 3))
    frames = Frames(
        [14] * 8,
        sites + 0.05 * np.sin(angles),
        [5.43] * 3,
        velocities=0.05 * rates * np.cos(angles),
    )
    labels = np.arange(5, n_frames, 60)
    tensors = 0.1 * rng.normal(size=(len(labels), 8, 3, 3))
    system = SystemData(frames, labels, tensors, times=2.0 * np.arange(n_frames))
    attrs = {"name": "silicon", "version": "0.1.0", "title": "Silicon", "license": "CC0-1.0"}
    attrs["infrared_bands"] = {"optical": [300.0, 500.0]}
    place = tmp_path / "project" / "datasets" / "silicon"
    data = write_dataset(place / "silicon.zarr", {"bulk": system}, attrs)
    split = Split(
        name="iid",
        dataset="silicon",
        content_hash=data.content_hash,
        system="bulk",
        train=(0,),
        validation=(),
        test=tuple(range(2, len(labels))),
        gap_fs=100.0,
        rule="by hand",
    )
    write_split(split, place / "splits" / "iid.json")
    return load_task("silicon/iid")


def test_a_crystal_has_a_spectrum_and_no_assignment(
    crystal: Task, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    model = folder(tmp_path / "m", crystal, [0], "fixed")
    code = (tmp_path / "m" / "model.py").read_text()
    code = code.replace("return np.zeros", "return 0.1 + np.zeros")
    (tmp_path / "m" / "model.py").write_text(code)
    out = tmp_path / "out"
    words = ["run", crystal.name, "--no-cost", "--no-cache", "--out", str(out), "--model", model]
    assert main(words) == 0
    said = capsys.readouterr()
    assert "No assignment: A molecule is bonded to its own periodic image" in said.err
    result = json.loads((out / "fixed.json").read_text())
    assert result["spectrum"]["bands"]["optical"]["integral"] > 0
