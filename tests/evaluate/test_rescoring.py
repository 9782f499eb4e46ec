"""Archived numbers can be had again, and what is not the same is named."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from aptbench.cli.main import build_app
from aptbench.data import open_dataset
from aptbench.evaluate import Predictions, evaluate_model, read_result, write_result
from aptbench.evaluate.archive import archive_evaluation
from aptbench.evaluate.label_blocks import LabelBlocks
from aptbench.evaluate.predictions import read_task_predictions
from aptbench.evaluate.rescoring import rescore, rescore_row
from aptbench.evaluate.scoring import accumulate_predictions
from aptbench.tasks import load_task

PROJECT = Path(__file__).parents[2]


@pytest.fixture
def archive(synthetic_project: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("APTBENCH_ROOT", str(synthetic_project))
    task = load_task("synthetic-water/iid")
    for name in ("constant-charge", "point-charges"):
        archive_evaluation(evaluate_model(task, open_dataset(task.dataset), name), tmp_path)
    return tmp_path


def row(archive: Path) -> Path:
    return archive / "synthetic-water" / "iid" / "constant-charge.json"


def test_the_published_rows_are_reproduced(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("APTBENCH_ROOT", str(PROJECT))
    found = rescore(PROJECT / "leaderboard" / "results")
    assert len(found) >= 8
    assert [one for one in found if not one.fine] == []


def test_rows_are_identical_bit_for_bit(archive: Path) -> None:
    before = {path: path.read_bytes() for path in archive.rglob("*.*")}
    found = rescore(archive, write=True)
    assert [(one.model, one.status, one.largest) for one in found] == [
        ("constant-charge", "identical", 0.0),
        ("point-charges", "identical", 0.0),
    ]
    assert {path: path.read_bytes() for path in archive.rglob("*.*")} == before


@pytest.mark.parametrize(
    ("factor", "status"), [(1 + 1e-12, "equal"), (1 + 1e-6, "different"), (0.5, "different")]
)
def test_a_number_that_was_changed_is_named(archive: Path, factor: float, status: str) -> None:
    old = read_result(row(archive))
    changed = old.metrics["rmse"].model_copy(update={"value": factor * old.metrics["rmse"].value})
    write_result(old.model_copy(update={"metrics": old.metrics | {"rmse": changed}}), row(archive))
    found, new = rescore_row(row(archive))
    assert found.status == status
    assert new is not None
    assert new.metrics["rmse"] == old.metrics["rmse"]
    assert found.largest == pytest.approx(abs(1 - factor), rel=1e-3)
    if status == "different":
        assert "rmse value" in found.note
    rescore(archive, write=True)
    again = read_result(row(archive))
    assert again.timing == old.timing
    assert again == old


def test_predictions_that_were_changed_are_seen(archive: Path) -> None:
    path = row(archive).with_suffix(".npz")
    kept = Predictions.read(path)
    Predictions(kept.apt * 1.01, kept.frame, kept.atomic_number).write(path)
    assert rescore_row(row(archive))[0].status == "different"
    path.unlink()
    found, _ = rescore_row(row(archive))
    assert (found.status, "no such file" in found.note) == ("impossible", True)


def test_a_task_of_another_version_is_not_possible(archive: Path) -> None:
    old = read_result(row(archive))
    write_result(old.model_copy(update={"task": "synthetic-water/iid@7"}), row(archive))
    found, new = rescore_row(row(archive))
    assert (found.status, new) == ("impossible", None)
    assert "no version '7'" in found.note


def test_the_command(archive: Path) -> None:
    def run(*words: str) -> tuple[int, str]:
        result = CliRunner().invoke(build_app(), ["board", "rescore", *words])
        assert result.exception is None or isinstance(result.exception, SystemExit)
        return result.exit_code, result.stdout

    assert run("--results", str(archive)) == (0, "2 identical\n")
    code, text = run("--results", str(archive), "--json", "--workers", "2")
    assert code == 0
    assert {one["status"] for one in json.loads(text)} == {"identical"}
    row(archive).with_suffix(".npz").unlink()
    code, text = run("--results", str(archive))
    assert code == 1
    assert "impossible: constant-charge on synthetic-water/iid@1" in text


def test_labels_near_in_time_are_one_block(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("APTBENCH_ROOT", str(PROJECT))
    task = load_task("water/iid")
    dataset = open_dataset(task.dataset)
    kept = PROJECT / "leaderboard" / "results" / task.name / "constant-charge.npz"
    predictions = read_task_predictions(kept, task.systems)
    (mean,) = accumulate_predictions(task, dataset, predictions, ["rmse"]).values()
    blocks = LabelBlocks.of(task, dataset).of_label[task.system]
    assert len(mean) == blocks[-1] + 1
    assert mean.weights.sum(1).tolist() == (192 * np.bincount(blocks)).tolist()
    assert len(mean) < len(task.test)
