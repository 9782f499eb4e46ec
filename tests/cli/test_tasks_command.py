"""`aptbench tasks --freeze` and `--check`: a released task that was edited stops the release."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from tests.conftest import Call

NAME = "synthetic-water/iid@1"


@pytest.fixture
def root(synthetic_project: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A project with the one task, which is not released yet."""
    copy = tmp_path / "project"
    data = Path("datasets") / "synthetic-water"
    shutil.copytree(
        synthetic_project / data / "synthetic-water.zarr", copy / data / "synthetic-water.zarr"
    )
    (copy / data / "splits").mkdir()
    shutil.copy(synthetic_project / data / "splits" / "iid.json", copy / data / "splits")
    monkeypatch.setenv("APTBENCH_ROOT", str(copy))
    return copy


def edit(path: Path, **changes: object) -> None:
    path.write_text(json.dumps(json.loads(path.read_text()) | changes))


def drop_a_test_label(root: Path) -> None:
    split = root / "datasets" / "synthetic-water" / "splits" / "iid.json"
    edit(split, test=json.loads(split.read_text())["test"][:-1])


def test_a_task_is_released_once_and_its_edit_is_refused(root: Path, aptbench: Call) -> None:
    released = root / "leaderboard" / "tasks.json"
    assert aptbench("tasks")[0] == 0
    assert not released.exists()
    code, _, err = aptbench("tasks", "--freeze")
    assert code == 0
    assert f"Released: {NAME}" in err
    first = released.read_bytes()
    assert list(json.loads(first)) == [NAME]
    code, _, err = aptbench("tasks", "--freeze")
    assert (code, "Released" in err) == (0, False)
    drop_a_test_label(root)
    for option in ([], ["--freeze"]):
        code, out, err = aptbench("tasks", *option)
        assert code == 2
        assert NAME in err
        assert "split_hash" in err
        assert out == ""
    assert released.read_bytes() == first


def test_tasks_and_record_are_compared_with_those_of_the_base_branch(
    root: Path, tmp_path: Path, aptbench: Call
) -> None:
    released, base = root / "leaderboard" / "tasks.json", tmp_path / "base.json"
    aptbench("tasks", "--freeze")
    shutil.copy(released, base)
    assert aptbench("tasks", "--check", base)[0] == 0
    # of a pull request that edits the record together with the task
    drop_a_test_label(root)
    released.unlink()
    assert aptbench("tasks", "--freeze")[0] == 0
    code, _, err = aptbench("tasks", "--check", base)
    assert code == 2
    assert f"The released task {NAME} is not what it was" in " ".join(err.split())
    assert "split_hash" in err
    # of one that edits the record only
    shutil.copy(base, released)
    frozen = json.loads(base.read_text())
    frozen[NAME]["split_hash"] = "0" * 64
    base.write_text(json.dumps(frozen))
    code, _, err = aptbench("tasks", "--check", base)
    assert code == 2
    assert "split_hash" in err
    code, _, err = aptbench("tasks", "--check", tmp_path / "nothing.json")
    assert code == 2
    assert "no such file of released tasks" in err


def test_the_record_is_compared_where_the_task_is_gone(
    root: Path, tmp_path: Path, aptbench: Call
) -> None:
    released, base = root / "leaderboard" / "tasks.json", tmp_path / "base.json"
    aptbench("tasks", "--freeze")
    frozen = json.loads(released.read_text())
    old = "synthetic-water/gone@1"
    base.write_text(json.dumps(frozen | {old: frozen[NAME]}))
    edited = frozen[NAME] | {"split_hash": "0" * 64}
    released.write_text(json.dumps(frozen | {old: edited}))
    assert aptbench("tasks")[0] == 0
    code, _, err = aptbench("tasks", "--check", base)
    assert code == 2
    assert f"The record of the released task {old} is not what it was" in " ".join(err.split())
