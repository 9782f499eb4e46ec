"""Prediction over Dask: the same numbers whatever the chunks and the workers."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from aptbench.cli.main import build_app
from aptbench.data import open_dataset
from aptbench.errors import AptbenchError, InputError
from aptbench.evaluate import dense_trajectory, evaluate_model
from aptbench.evaluate.prediction_run import predict_tensors
from aptbench.evaluate.scoring import labels_of_test
from aptbench.evaluate.spread_model import SpreadModel
from aptbench.models import load_model
from aptbench.reference.distributed import connect
from aptbench.tasks import load_task

pytest.importorskip("distributed")
PROJECT = Path(__file__).parents[2]


def test_the_numbers_are_those_of_the_model(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("APTBENCH_ROOT", str(PROJECT))
    task = load_task("water/iid")
    frames = labels_of_test(task, open_dataset("water"))[task.system].frames
    model = load_model("linear-tensor")
    whole = model.predict(frames)
    for workers in (1, 2):
        with connect(workers) as client:
            spread = SpreadModel(model, "linear-tensor", client)
            for chunk in (1, 3, 100):
                found = predict_tensors(spread, frames, chunk=chunk).values
                assert np.array_equal(found, whole)
    assert spread.n_parameters == model.n_parameters  # type: ignore[attr-defined]


def test_a_result_is_the_same(
    synthetic_project: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("APTBENCH_ROOT", str(synthetic_project))
    task = load_task("synthetic-water/iid")
    dataset = open_dataset(task.dataset)
    alone = evaluate_model(task, dataset, "constant-charge").result
    with connect(2) as client:
        spread = evaluate_model(task, dataset, "constant-charge", client=client).result
    assert spread.metrics == alone.metrics
    assert spread.training == alone.training
    words = ["run", task.name, "--model", "point-charges", "--no-spectrum", "--no-cost"]
    words += ["--out", str(tmp_path / "report")]
    result = CliRunner().invoke(build_app(), [*words, "--workers", "2"])
    assert result.exit_code == 0, result.output
    result = CliRunner().invoke(build_app(), [*words, "--workers", "2", "--scheduler", "tcp://x"])
    assert isinstance(result.exception, InputError)


def test_an_error_of_a_worker_is_that_of_the_model(
    synthetic_project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("APTBENCH_ROOT", str(PROJECT))
    task = load_task("molecules-dft/known-groups")
    frames = labels_of_test(task, open_dataset(task.dataset))["ch2clf"].frames
    with connect(1) as client, pytest.raises(AptbenchError, match="no charge for C"):
        SpreadModel(load_model("constant-charge"), "constant-charge", client).predict(frames)


class Persistent:
    """A client whose worker, this process, outlives changes of the model."""

    def submit(self, call, *arguments, pure):
        return call(*arguments)

    def gather(self, results):
        return list(results)


def test_a_worker_that_outlives_a_training_takes_the_new_weights(
    synthetic_project: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("APTBENCH_ROOT", str(synthetic_project))
    task = load_task("synthetic-water/iid")
    frames = labels_of_test(task, open_dataset(task.dataset))[task.system].frames[:2]
    folder = tmp_path / "mine"
    shutil.copytree(synthetic_project / "baselines" / "constant-charge", folder)

    def predict() -> np.ndarray:
        model = load_model(folder)
        found = SpreadModel(model, folder, Persistent(), task.name).predict(frames)  # type: ignore[arg-type]
        assert np.array_equal(found, model.predict(frames))
        return found

    before = predict()
    weights = json.loads((folder / "charges.json").read_text())
    weights["charges"]["O"] -= 0.1
    (folder / "charges.json").write_text(json.dumps(weights))
    assert not np.array_equal(predict(), before)


def test_the_trajectory_too(synthetic_project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("APTBENCH_ROOT", str(synthetic_project))
    task = load_task("synthetic-water/iid")
    dataset = open_dataset(task.dataset)
    trajectory = dense_trajectory(dataset, task.system)
    model = load_model("point-charges")
    with connect(2) as client:
        spread = SpreadModel(model, "point-charges", client)
        stretch = trajectory.frames[100:180]
        assert np.array_equal(spread.predict(stretch), model.predict(stretch))
