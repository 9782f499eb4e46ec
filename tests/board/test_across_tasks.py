"""Errors of models on several tasks, side by side."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from aptbench.board import build_site
from aptbench.board.across_tasks import AcrossTasks
from aptbench.data import open_dataset
from aptbench.evaluate.result import Data, Metric, Model, Result, write_result
from aptbench.tasks import load_task
from aptbench.tasks.frozen import FrozenTask, freeze


def result(model: str, task: str, error: float | None) -> Result:
    metrics = {"rmse": Metric(value=0.1, unit="e")}
    if error is not None:
        metrics["normalized_rmse"] = Metric(value=error, low=0.9 * error, high=error, unit="1")
    return Result(
        task=task,
        data=Data(name="made-up", version="0.1.0", content_hash="sha256:1", system="a"),
        split_hash="1",
        test_frames=3,
        model=Model(name=model, title=model),
        metrics=metrics,
        versions={"aptbench": "0.1.0"},
    )


RESULTS = [
    result("b", "made-up/warm@1", 0.2),
    result("b", "made-up/cold@1", 0.3),
    result("a", "made-up/warm@1", 0.1),
    result("c", "made-up/warm@1", None),
]


def test_tasks_and_models_are_in_order_and_gaps_stay_gaps() -> None:
    found = AcrossTasks.of(RESULTS)
    assert found.tasks == ("made-up/cold@1", "made-up/warm@1")
    assert list(found.errors) == ["a", "b"]
    rows = found.markdown().splitlines()
    assert rows[2:] == ["| `a` | – | **0.1000** |", "| `b` | **0.3000** | 0.2000 |"]


def test_the_index_shows_them_and_what_a_test_differs_in(tmp_path: Path) -> None:
    for one in RESULTS:
        write_result(one, tmp_path / "results" / one.task_name / f"{one.model.name}.json")
    index = build_site(tmp_path / "results", tmp_path / "site").read_text()
    overview, across = index.split("<table")[1:3]
    assert "<td>temperature</td>" not in overview
    assert "<td>–</td>" in across
    assert 'class="best">0.1000' in across
    facts = {"data": {}, "split_hash": "12345678", "test": {}, "metrics": {}, "protocol": "ir@1"}
    made = {
        "made-up/cold@1": FrozenTask(axis="temperature", **facts),
        "made-up/warm@1": FrozenTask(**facts),
    }
    frozen = tmp_path / "tasks.json"
    freeze(made, frozen)
    index = build_site(tmp_path / "results", tmp_path / "site", frozen=frozen).read_text()
    rows = index.split("<table")[1].split("<tr>")[2:]
    assert [("<td>temperature</td>" in row, "<td>time</td>" in row) for row in rows] == [
        (True, False),
        (False, True),
    ]
    page = (tmp_path / "site" / "tasks" / "made-up-cold-1.html").read_text()
    assert "What the test differs in: temperature." in page
    # one task has nothing to be put beside
    for path in (tmp_path / "results" / "made-up" / "cold").glob("*.json"):
        path.unlink()
    assert "Across tasks" not in build_site(tmp_path / "results", tmp_path / "site").read_text()


def test_the_main_task_is_the_first_of_the_index(tmp_path: Path) -> None:
    tasks = ("cold/iid@1", "water/iid@3", "water-clusters/iid@1", "water/from-cold@1")
    for task in tasks:
        one = result("a", task, 0.1)
        write_result(one, tmp_path / "results" / one.task_name / "a.json")
    index = build_site(tmp_path / "results", tmp_path / "site").read_text()
    order = ["water-iid-3", "cold-iid-1", "water-clusters-iid-1", "water-from-cold-1"]
    for table in index.split("<table")[1:3]:
        assert re.findall(r'href="tasks/([^"]+)\.html"', table) == order


def test_the_page_of_a_task_says_what_it_trains_on(
    synthetic_project: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("APTBENCH_ROOT", str(synthetic_project))
    for task in ("synthetic-water/iid@1", "made-up/warm@1"):
        one = result("a", task, 0.2)
        write_result(one, tmp_path / "results" / one.task_name / "a.json")
    folder = build_site(tmp_path / "results", tmp_path / "site").parent / "tasks"
    known = (folder / "synthetic-water-iid-1.html").read_text()
    assert re.search(r"training: \d+ of synthetic-water, for validation", known)
    found = re.search(r"Measured temperature of the test: (\d+) K; of the training: (\d+) K", known)
    assert found is not None
    dataset, task = open_dataset("synthetic-water"), load_task("synthetic-water/iid@1")
    for part, kelvin in (("test", found[1]), ("train", found[2])):
        ((system, labels),) = task.labels_of(part).items()
        frames = dataset.label_frames(system)[list(labels)]
        warmth = dataset.trajectory(system).temperatures[frames.min() : frames.max() + 1]
        assert abs(warmth.mean() - int(kelvin)) <= 0.5
    index = (folder.parent / "index.html").read_text()
    assert f"<td>{found[2]} K / {found[1]} K</td>" in index
    unknown = (folder / "made-up-warm-1.html").read_text()
    assert "training:" not in unknown
    assert "Measured temperature" not in unknown
