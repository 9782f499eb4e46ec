"""Labelled frames without times, from a file to a scored model, as a person types it."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest

from aptbench.cli.main import run
from aptbench.data.readers.extended_xyz import write_extended_xyz
from aptbench.oracle import labelled_liquid

PROJECT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def original(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("independent") / "project"
    (root / "datasets" / "frames").mkdir(parents=True)
    write_extended_xyz(root / "frames.extxyz", labelled_liquid(8, 12, equilibration=20))
    model = root / "baselines" / "constant-charge"
    shutil.copytree(PROJECT / "baselines" / "constant-charge", model)
    (model / "charges.json").unlink(missing_ok=True)
    return root


@pytest.fixture
def root(original: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    copy = tmp_path / "project"
    shutil.copytree(original, copy)
    monkeypatch.chdir(copy)
    monkeypatch.setenv("APTBENCH_ROOT", str(copy))
    words = ("frames.extxyz", "datasets/frames/frames.zarr", "--format", "extxyz")
    assert main("convert", *words, "--order", "pol,disp", "--velocity-unit", "angstrom/fs") == 0
    return copy


def main(*words: str) -> int:
    with pytest.raises(SystemExit) as left:
        run(list(words))
    return int(left.value.code or 0)


def split(*words: str) -> int:
    return main("split", "frames", "--name", "random", *words)


def test_from_frames_to_a_scored_model(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert split("--independent", "--fractions", "0.5", "0.25", "0.25") == 0
    said = capsys.readouterr().out
    assert "6 train, 3 validation, 3 test labels, 0 unused" in said
    assert "no time separates the parts" in said
    assert main("tasks") == 0
    assert "frames/random@1  6 train, 3 validation, 3 test labels of main; independent, seed 0" in (
        capsys.readouterr().out
    )
    assert main("subsets", "frames/random", "--labels", "2") == 0
    assert "| train-2 | 2 | – |" in capsys.readouterr().out
    assert main("train", "constant-charge", "--task", "frames/random", "--json") == 0
    trained = json.loads(capsys.readouterr().out)
    file = json.loads((root / "datasets" / "frames" / "splits" / "random.json").read_text())
    assert trained["train"] == file["train"]
    assert main("doctor", "frames/random", "--model", "constant-charge") == 0
    assert "3 labels of main" in capsys.readouterr().out
    words = ("--model", "constant-charge", "--no-cost", "--archive", "rows", "--json")
    assert main("run", "frames/random", *words) == 0
    said = capsys.readouterr()
    (result,) = json.loads(said.out)
    assert result["test_frames"] == 3
    assert result["training"]["status"] == "matches the task"
    rmse = result["metrics"]["rmse"]
    assert 0 < rmse["low"] < rmse["value"] < rmse["high"]
    assert "No spectrum: The system 'main' of frames has no times." in said.err
    assert (root / "reports" / "frames-random" / "report.html").is_file()
    archived = str(next(Path("rows").rglob("*.npz")))
    assert main("evaluate", "frames/random", "--predictions", archived, "--json") == 0
    again = json.loads(capsys.readouterr().out)[0]["metrics"]["rmse"]["value"]
    assert again == pytest.approx(rmse["value"], abs=1e-6)
    words = ("learn", "frames/random", "--model", "constant-charge", "--labels", "2", "--json")
    assert main(*words, "--no-cache") == 0
    (point,) = json.loads(capsys.readouterr().out)["points"]
    assert point["labels"] == 2
    assert main("select", "frames/random", "--method", "farthest") == 0
    assert main("select", "frames/random") == 2
    assert "orders by time" in capsys.readouterr().err


def test_the_audit_is_written_told_and_checked(
    root: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert split("--independent", "--seed", "7") == 0
    assert main("audit", "--check") == 1
    assert main("audit", "frames") == 0
    said = capsys.readouterr().out
    assert "No time separates test and training of `frames/random@1`" in said
    path = root / "datasets" / "frames" / "audits" / "random.json"
    found = json.loads(path.read_text())
    assert (found["format"], found["separated_by"], found["seed"]) == (
        "independent@1",
        "no time",
        7,
    )
    oxygen = found["environments"][0]
    assert f"| O | {oxygen['test_to_train']:.3f} | {oxygen['train_to_train']:.3f} |" in said
    assert main("audit", "--check") == 0
    path.write_text(json.dumps(found | {"near_duplicates": 5}))
    assert main("audit", "--check") == 1


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ((), "--independent assigns them at random"),
        (("--gap-fs", "10"), "--independent assigns them at random"),
        (("--independent", "--gap-fs", "10"), "leave out --gap-fs"),
        (("--independent", "--fractions", "1", "0", "0"), "nothing for training or for the test"),
    ],
)
def test_what_is_refused(
    root: Path, capsys: pytest.CaptureFixture[str], words: tuple[str, ...], message: str
) -> None:
    assert split(*words) == 2
    assert message in capsys.readouterr().err
    assert not (root / "datasets" / "frames" / "splits").exists()


def test_a_trajectory_is_not_drawn_from(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    times = 100.0 * np.arange(12)
    lines = Path("frames.extxyz").read_text().splitlines()
    for k, time in enumerate(times):
        lines[26 * k + 1] += f" time={time}"
    Path("run.extxyz").write_text("\n".join(lines) + "\n")
    words = ["convert", "frames.extxyz", "datasets/frames/frames.zarr", "--format", "extxyz"]
    words += ["--order", "pol,disp", "--velocity-unit", "angstrom/fs", "--overwrite"]
    assert main(*words, "--time-unit", "fs") == 2
    assert "--trajectory" in capsys.readouterr().err
    words += ["--trajectory", "run.extxyz", "--trajectory-format", "extxyz"]
    assert main(*words, "--time-unit", "fs") == 0
    assert split("--independent") == 2
    assert "have times, and are not independent" in capsys.readouterr().err
    assert split("--seed", "3") == 2
    assert "leave out --seed" in capsys.readouterr().err
    assert split("--gap-fs", "100") == 0
    said = json.loads((root / "datasets" / "frames" / "splits" / "random.json").read_text())
    assert "method" not in said
    assert said["gap_fs"] == 100.0
