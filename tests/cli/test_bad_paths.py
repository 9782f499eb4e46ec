"""Paths and texts that cannot be used are told in a message, before anything long is computed."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from aptbench import evaluate
from aptbench.evaluate import learning_run, prediction_run
from aptbench.models import fitting
from tests.conftest import Call

NAME = "synthetic-water"
TASK = f"{NAME}/iid"
BINARY = b"\xff\xfe\x00{\x80"
RECIPES = ("sample", "label", "build", "converge", "dense", "cross-check --frame 1 --atoms 2")


@pytest.fixture
def folder(synthetic_project: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with a file, a binary file and a folder, outside the project."""
    monkeypatch.setenv("APTBENCH_ROOT", str(synthetic_project))
    monkeypatch.chdir(tmp_path)
    Path("file").write_text("name: mine\n")
    Path("binary").write_bytes(BINARY)
    Path("folder").mkdir()
    Path("model").mkdir()
    Path("model", "model.yaml").write_bytes(BINARY)
    return tmp_path


def never(*_: Any, **__: Any) -> None:
    raise AssertionError("it was computed")


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (f"select {TASK} --out folder", "Is a directory"),
        ("submit pack folder --out new --model point-charges", "Is a directory"),
        ("submit pack binary --out new", "binary is not YAML"),
        ("cite --result folder", "Is a directory"),
        ("cite --result binary", "binary is not valid"),
        ("tasks --check binary", "binary is damaged"),
        ("conform model", "model.yaml is not YAML"),
        *((f"{command} folder", "Is a directory") for command in RECIPES),
        *((f"{command} binary", "binary is not valid") for command in RECIPES),
        ("assign nowhere --model point-charges --edges 0;2", "The --edges cannot be read"),
        ("assign nowhere --model point-charges --shells few", "The --shells cannot be read"),
        (
            f"transfer --name t --axis size --source {NAME} --target {TASK}",
            "--adapt DATASET/SPLIT",
        ),
        (f"evaluate {TASK} --predictions file --name a/b", "cannot be the name of a model"),
    ],
)
def test_what_cannot_be_read_or_written(
    folder: Path, aptbench: Call, words: str, message: str
) -> None:
    code, out, err = aptbench(*words.split())
    assert code == 2
    assert out == ""
    assert err.startswith("Error: ")
    assert message in err


@pytest.mark.parametrize(
    ("words", "long"),
    [
        (f"spectrum {TASK} --model point-charges --out file", (prediction_run, "predict_currents")),
        (
            f"assign {TASK} --model point-charges --out file/in",
            (prediction_run, "PredictedTensors"),
        ),
        (f"run {TASK} --model point-charges --out file", (evaluate, "evaluate_model")),
        (f"train constant-charge --task {TASK} --out file", (fitting, "fit_model")),
        (
            f"learn {TASK} --model constant-charge --out file",
            (learning_run, "measure_learning_curve"),
        ),
    ],
)
def test_a_wrong_target_is_told_first(
    folder: Path,
    aptbench: Call,
    monkeypatch: pytest.MonkeyPatch,
    words: str,
    long: tuple[Any, str],
) -> None:
    monkeypatch.setattr(*long, never)
    code, _, err = aptbench(*words.split())
    assert code == 2
    assert "Error: Reading or writing failed." in err
    assert "'file" in err
    assert (folder / "file").read_text() == "name: mine\n"


def test_an_extra_file_that_is_absent(
    folder: Path, aptbench: Call, monkeypatch: pytest.MonkeyPatch
) -> None:
    from aptbench.board import submission_pack

    monkeypatch.setattr(submission_pack, "predictions_of", never)
    words = ("submit", "pack", "file", "--out", "new", "--model", "m", "--task", TASK)
    code, _, err = aptbench(*words, "--extra", "nosuch")
    assert code == 2
    assert "nosuch" in err
    assert not Path("new").exists()


def test_the_traceback_is_there_for_who_asks(folder: Path) -> None:
    from aptbench.cli.main import run

    with pytest.raises(IsADirectoryError):
        run(["cite", "--result", "folder", "--debug"])


def test_a_released_task_survives_force(
    folder: Path, aptbench: Call, synthetic_project: Path, remove: Callable[[Path], Path]
) -> None:
    from aptbench.tasks import load_task
    from aptbench.tasks.frozen import FrozenTask, freeze, frozen_path

    words = ("split", NAME, "--name", "kept", "--gap-fs", "200")
    path = remove(synthetic_project / "datasets" / NAME / "splits" / "kept.json")
    assert aptbench(*words, "--version", "3")[0] == 0
    freeze({f"{NAME}/kept@3": FrozenTask.of(load_task(f"{NAME}/kept"))}, remove(frozen_path()))
    before = path.read_bytes()
    code, _, err = aptbench(*words, "--force")
    assert code == 2
    assert "--version 4" in err
    assert aptbench(*words, "--version", "3")[0] == 0
    assert path.read_bytes() == before


@pytest.fixture
def remove() -> Any:
    """Remember files that a test makes in the shared project, and remove them."""
    made: list[Path] = []
    yield lambda path: made.append(path) or path
    for path in made:
        path.unlink(missing_ok=True)
