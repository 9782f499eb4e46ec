"""The program as a person types it: from a model's name to the leaderboard, and bad input."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import pytest

TASK = "synthetic-water/iid"
Program = Callable[..., subprocess.CompletedProcess[str]]


def call(words: Sequence[str], folder: Path) -> subprocess.CompletedProcess[str]:
    environment = {k: v for k, v in os.environ.items() if k != "APTBENCH_ROOT"}
    environment |= {"OMP_NUM_THREADS": "1", "COLUMNS": "120"}
    repository = str(Path(__file__).parents[2])
    environment["PYTHONPATH"] = os.pathsep.join(
        filter(None, [repository, environment.get("PYTHONPATH", "")])
    )
    return subprocess.run(
        [sys.executable, "-m", "aptbench.cli.main", *words],
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )


@pytest.fixture
def program(synthetic_project: Path, capsys: pytest.CaptureFixture[str]) -> Program:
    """Run the entry point in this process, in the folder of the project."""
    from aptbench.cli.main import run

    def enter(*words: object) -> subprocess.CompletedProcess[str]:
        here = Path.cwd()
        os.chdir(synthetic_project)
        try:
            run([str(word) for word in words])
            code: object = 0
        except SystemExit as leave:
            code = leave.code or 0
        finally:
            os.chdir(here)
        out, err = capsys.readouterr()
        return subprocess.CompletedProcess(words, int(str(code)), out, err)

    return enter


def test_help_is_quick_because_nothing_heavy_is_imported(tmp_path: Path) -> None:
    script = (
        "import sys\n"
        "from aptbench.cli.main import run\n"
        "try: run(['--help'])\n"
        "except SystemExit as leave: assert not leave.code\n"
        "heavy = {'torch', 'e3nn', 'matplotlib', 'zarr', 'xarray', 'scipy', 'ase', 'pydantic'}\n"
        "print('LOADED', sorted(heavy & set(sys.modules)))\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True, timeout=60
    )
    assert "LOADED []" in done.stdout
    for command in ("run", "evaluate", "tasks", "split", "board", "env"):
        assert command in done.stdout


def test_the_commands_are_listed_by_panel_and_alphabet(program: Program) -> None:
    import re

    import typer

    from aptbench.cli.main import build_app
    from aptbench.cli.panels import PANELS

    group = typer.main.get_command(build_app())
    commands = [(str(c.rich_help_panel), n) for n, c in group.commands.items()]  # type: ignore[attr-defined]
    assert {panel for panel, _ in commands} == set(PANELS)
    wanted = sorted(commands, key=lambda one: (PANELS.index(one[0]), one[1]))
    text = program("--help").stdout
    assert re.findall(r"^╭─ (.+?) ─", text, re.MULTILINE)[1:] == list(PANELS)
    assert re.findall(r"^│ ([a-z][a-z-]*)  ", text, re.MULTILINE) == [name for _, name in wanted]


def test_version_and_environment(program: Program) -> None:
    import aptbench

    assert program("--version").stdout.strip() == f"aptbench {aptbench.__version__}"
    versions = json.loads(program("env", "--json").stdout)
    assert versions["aptbench"] == aptbench.__version__
    assert versions["numpy"] == np.__version__
    assert {"python", "torch", "cp2k"} <= set(versions)
    assert "numpy" in program("env").stdout


def test_the_whole_chain(
    program: Program, synthetic_project: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    root = tmp_path / "project"
    shutil.copytree(synthetic_project, root)
    monkeypatch.setenv("APTBENCH_ROOT", str(root))
    models = ("--model", "constant-charge", "--model", "point-charges")
    archive = root / "leaderboard" / "results"
    done = program("run", TASK, *models, "--archive", archive)
    assert done.returncode == 0, done.stderr
    for text in ("constant-charge", "point-charges", "RMSE (e)", "RMSE L=1", "current error"):
        assert text in done.stdout
    report = root / "reports" / "synthetic-water-iid" / "report.html"
    assert "Infrared spectrum" in report.read_text()
    archived = json.loads((archive / TASK / "point-charges.json").read_text())
    assert archived["task"] == f"{TASK}@1"

    again = program("run", TASK, "--model", "point-charges", "--json", "--out", tmp_path / "r")
    assert json.loads(again.stdout) == [archived]  # the timing is that of the kept currents

    predictions = archive / TASK / "point-charges.npz"
    scored = program("evaluate", TASK, "--predictions", predictions, "--json")
    metrics = json.loads(scored.stdout)[0]["metrics"]
    assert metrics == {k: v for k, v in archived["metrics"].items() if k != "equivariance_error"}

    built = program("board", "build")
    assert built.returncode == 0, built.stderr
    index = root / "leaderboard" / "site" / "index.html"
    assert built.stdout.strip() == str(index)
    assert 'href="tasks/synthetic-water-iid-1.html"' in index.read_text()
    page = index.parent / "tasks" / "synthetic-water-iid-1.html"
    assert 'href="../models/point-charges.html"' in page.read_text()


def test_tasks_are_listed(program: Program) -> None:
    assert f"{TASK}@1" in program("tasks").stdout
    assert json.loads(program("tasks", "--json").stdout)[0]["system"] == "bulk"


def test_a_split_is_written_once(program: Program, synthetic_project: Path) -> None:
    words = ("split", "synthetic-water", "--name", "short", "--gap-fs", "500")
    path = synthetic_project / "datasets" / "synthetic-water" / "splits" / "short.json"
    try:
        done = program(*words)
        assert done.returncode == 0, done.stderr
        assert "unused" in done.stdout
        assert json.loads(path.read_text())["gap_fs"] == 500
        assert program(*words, "--json").returncode == 0
        changed = program(*words[:-1], "100")
        assert changed.returncode == 2
        assert "never edited" in changed.stderr
        assert program(*words[:-1], "100", "--force").returncode == 0
    finally:
        path.unlink(missing_ok=True)
    assert "cannot be the name" in program("split", "synthetic-water", "--name", "../x").stderr
    few = program("split", "synthetic-water", "--name", "x", "--gap-fs", "1e5")
    assert (few.returncode, "too few labels" in few.stderr) == (2, True)


@pytest.mark.parametrize(
    ("words", "messages"),
    [
        (("run", "synthetic-water/idd"), ("no task named", "did you mean 'synthetic-water/iid'")),
        (("run", TASK, "--model", "constant-chrage"), ("did you mean 'constant-charge'",)),
        (("run", TASK, "--model", "./nowhere"), ("no model folder",)),
        (("evaluate", TASK, "--predictions", "absent.npz"), ("no such file",)),
        (("evaluat", TASK), ("No such command", "Did you mean", "evaluate")),
        (("board", "build", "--results", "nowhere"), ("no folder of archived results",)),
    ],
)
def test_unknown_names_are_told_with_the_nearest(
    program: Program, words: tuple[str, ...], messages: tuple[str, ...]
) -> None:
    done = program(*words)
    assert done.returncode == 2
    assert done.stdout == ""
    assert "Traceback" not in done.stderr
    for message in messages:
        assert message in done.stderr


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        ("nan", "not finite"),
        ("missing atoms", "23 atoms"),
        ("permuted frames", "another order"),
        ("missing frame", "missing frames"),
    ],
)
def test_bad_predictions_get_no_score(
    program: Program, synthetic_project: Path, tmp_path: Path, damage: str, message: str
) -> None:
    from aptbench.data import open_dataset
    from aptbench.tasks import read_split

    folder = synthetic_project / "datasets" / "synthetic-water"
    data = open_dataset(folder / "synthetic-water.zarr")
    test = list(read_split(folder / "splits" / "iid.json").test)
    apt = data.labelled("bulk", np.array(test)).apt.copy()
    frame = data.label_frames("bulk")[test]
    numbers = data.trajectory("bulk", slice(0, 1)).atomic_numbers
    if damage == "nan":
        apt[0, 5, 1, 2] = np.nan
    elif damage == "missing atoms":
        apt, numbers = apt[:, :-1], numbers[:-1]
    elif damage == "permuted frames":
        apt, frame = apt[::-1], frame[::-1]
    else:
        apt, frame = apt[:-1], frame[:-1]
    path = tmp_path / "mine.npz"
    np.savez(path, apt=apt, frame=frame, atomic_number=numbers)
    archive = tmp_path / "archive"
    done = program("evaluate", TASK, "--predictions", path, "--archive", archive)
    assert done.returncode == 2
    assert message in done.stderr
    assert "Expected:" in done.stderr
    assert not archive.exists()


def test_a_split_of_other_data_is_refused(synthetic_project: Path, tmp_path: Path) -> None:
    root = tmp_path / "project"
    shutil.copytree(synthetic_project, root)
    path = root / "datasets" / "synthetic-water" / "splits" / "iid.json"
    content = json.loads(path.read_text())
    path.write_text(json.dumps(content | {"content_hash": "sha256:" + "0" * 64}))
    done = call(["run", TASK, "--model", "point-charges", "--no-spectrum"], root)
    assert done.returncode == 2
    assert "made for other data" in done.stderr
    assert done.stderr.count("Error:") == 1


def test_debug_gives_the_traceback(synthetic_project: Path) -> None:
    done = call(["run", "nothing/here", "--debug"], synthetic_project)
    assert done.returncode == 1
    assert "Traceback" in done.stderr
    assert "UnknownNameError" in done.stderr
