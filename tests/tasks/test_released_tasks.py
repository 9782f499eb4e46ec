"""The tasks that are here and those that were released are the same, by their latest versions."""

from __future__ import annotations

from pathlib import Path

import pytest

from aptbench.tasks import available_tasks, load_task
from aptbench.tasks.frozen import (
    FrozenTask,
    check_frozen,
    frozen_path,
    latest_versions,
    read_frozen,
)

PROJECT = Path(__file__).parents[2]


def test_the_latest_versions_are_the_released_ones(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("APTBENCH_ROOT", str(PROJECT))
    now = {(task := load_task(name)).identity: FrozenTask.of(task) for name in available_tasks()}
    released = read_frozen(frozen_path())
    latest = latest_versions(released)
    assert {"water/iid", "ice-ih/from-liquid", "molecules-dft/known-groups"} <= set(latest)
    assert latest_versions(now) == latest
    check_frozen(released, now)
