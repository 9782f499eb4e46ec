"""A released task never changes under its name."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from aptbench import Frames
from aptbench.errors import AlignmentError, InputError
from aptbench.metrics import METRICS, score
from aptbench.spectra.modes import water_geometry
from aptbench.tasks import available_tasks, load_task
from aptbench.tasks.frozen import (
    FrozenTask,
    check_frozen,
    checked_reference,
    freeze,
    frozen_path,
    read_frozen,
)


def test_every_task_of_the_project_is_what_was_released() -> None:
    now = {(task := load_task(name)).identity: FrozenTask.of(task) for name in available_tasks()}
    frozen = read_frozen(frozen_path())
    assert set(now) <= set(frozen), "release a new task with: aptbench tasks --freeze"
    check_frozen(frozen, now)


def test_the_references_of_the_project_are_those_of_its_tasks() -> None:
    tasks = [load_task(name) for name in available_tasks()]
    found = {task.identity: checked_reference(task) for task in tasks}
    for identity, released in read_frozen(frozen_path()).items():
        if identity in found:
            one = found[identity]
            assert (None if one is None else one.hash) == released.spectrum


GOLDEN = {
    ("rmse", 1): 0.278121,
    ("mae", 1): 0.2194673,
    ("normalized_rmse", 1): 0.2711773,
    ("worst_1_percent", 1): 0.3624389,
    ("current_error", 1): 0.2867792,
    ("assignment_error", 1): 0.2145429,
    ("sum_rule_residual", 1): 1.9488963,
}
"""A metric that gives other numbers is another version, and tasks that have it too."""


def test_a_version_of_a_metric_keeps_its_numbers() -> None:
    rng = np.random.default_rng(20)
    frames = Frames(
        [8, 1, 1],
        rng.normal(size=(4, 3, 3)),
        velocities=rng.normal(size=(4, 3, 3)),
    )
    reference, error = rng.normal(size=(2, 4, 3, 3, 3))
    names = [name for name in METRICS if name != "assignment_error"]
    scores = score(reference + 0.3 * error, reference, frames, names=names)
    # only molecules have modes
    places = water_geometry() + 0.05 * rng.normal(size=(4, 3, 3))
    molecule = Frames([8, 1, 1], places, velocities=frames.velocities)
    scores |= score(reference + 0.3 * error, reference, molecule, names=["assignment_error"])
    found = {(name, METRICS[name].version): round(s.value, 7) for name, s in scores.items()}
    assert found == pytest.approx(GOLDEN, abs=2e-7)


@pytest.fixture
def frozen(synthetic_project: Path, monkeypatch: pytest.MonkeyPatch) -> FrozenTask:
    monkeypatch.setenv("APTBENCH_ROOT", str(synthetic_project))
    return FrozenTask.of(load_task("synthetic-water/iid"))


def test_a_task_is_added_once_and_an_edit_is_refused(frozen: FrozenTask, tmp_path: Path) -> None:
    path, name = tmp_path / "tasks.json", "synthetic-water/iid@1"
    assert freeze({name: frozen}, path) == [name]
    assert freeze({name: frozen}, path) == []
    assert read_frozen(path) == {name: frozen}
    edited = frozen.model_copy(update={"split_hash": "0" * 64})
    with pytest.raises(AlignmentError, match="split_hash") as caught:
        freeze({name: edited}, path)
    assert name in str(caught.value)
    assert freeze({"synthetic-water/iid@2": edited}, path) == ["synthetic-water/iid@2"]


@pytest.mark.parametrize("field", ["data", "test", "protocol", "axis"])
def test_nothing_of_it_may_change(frozen: FrozenTask, field: str) -> None:
    other = {"data": {"synthetic-water": "x"}, "test": {"bulk": 3}, "protocol": "ir@9", "axis": "a"}
    changed = frozen.model_copy(update={field: other[field]})
    with pytest.raises(AlignmentError, match=field):
        check_frozen({"a/t@1": frozen}, {"a/t@1": changed})


def test_a_new_metric_is_no_change_but_another_version_is(frozen: FrozenTask) -> None:
    check_frozen(
        {"a/t@1": frozen},
        {"a/t@1": frozen.model_copy(update={"metrics": {**frozen.metrics, "new": 1}})},
    )
    with pytest.raises(AlignmentError, match="metrics"):
        check_frozen(
            {"a/t@1": frozen},
            {"a/t@1": frozen.model_copy(update={"metrics": {**frozen.metrics, "rmse": 2}})},
        )
    with pytest.raises(AlignmentError, match="metrics"):
        check_frozen({"a/t@1": frozen}, {"a/t@1": frozen.model_copy(update={"metrics": {}})})


def test_a_damaged_file_is_named(tmp_path: Path) -> None:
    path = tmp_path / "tasks.json"
    assert read_frozen(path) == {}
    path.write_text(json.dumps({"water/iid@1": {"rank": 1}}))
    with pytest.raises(InputError, match=r"tasks\.json"):
        read_frozen(path)


def test_an_earlier_version_replaces_no_released_one(frozen: FrozenTask, tmp_path: Path) -> None:
    path, name = tmp_path / "tasks.json", "synthetic-water/iid"
    freeze({f"{name}@9": frozen}, path)
    freeze({f"{name}@10": frozen}, path)
    released = read_frozen(path)
    check_frozen(released, {f"{name}@11": frozen})
    check_frozen(released, released)
    check_frozen(released, {})  # it lives on in an earlier release
    for version in (1, 9):
        with pytest.raises(AlignmentError, match=f"{name}@10 is replaced"):
            freeze({f"{name}@{version}": frozen}, path)
    assert read_frozen(path) == released


def test_a_binary_file_is_named(tmp_path: Path) -> None:
    path = tmp_path / "tasks.json"
    path.write_bytes(b"\xff\xfe\x00{")
    with pytest.raises(InputError, match=r"tasks\.json is damaged"):
        read_frozen(path)
    path.write_text('{"water": {}}')
    with pytest.raises(InputError, match="water"):
        read_frozen(path)
