"""The doctor finds what is wrong, and never looks at the test."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from aptbench.cli.main import build_app
from aptbench.data import Dataset, open_dataset
from aptbench.errors import AlignmentError, InputError
from aptbench.evaluate import Predictions
from aptbench.evaluate.doctor import Diagnosis, examine_file, examine_model, validation_labels
from aptbench.models import load_model
from aptbench.tasks import Task, load_task

BULK = "bulk"


@pytest.fixture(autouse=True)
def _root(synthetic_project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("APTBENCH_ROOT", str(synthetic_project))


@pytest.fixture
def task() -> Task:
    return load_task("synthetic-water/iid")


@pytest.fixture
def dataset(task: Task) -> Dataset:
    return open_dataset(task.dataset)


class Doing:
    """The truth with something done to it; it knows the labels outside the test only."""

    name = "doing"

    def __init__(self, task: Task, done: object) -> None:
        self.labels, self.done = validation_labels(task)[BULK], done

    def predict(self, frames: object) -> np.ndarray:
        known = self.labels.frames.positions
        at = [int(np.argmin(np.abs(known - x).max((1, 2)))) for x in frames.positions]  # type: ignore[attr-defined]
        return self.done(self.labels.apt[at])  # type: ignore[operator]


def severities(found: Diagnosis) -> dict[str, str]:
    return {one.what: one.severity for one in found.findings}


def test_a_transposed_model_is_told_so(task: Task, dataset: Dataset) -> None:
    found = examine_model(task, dataset, Doing(task, lambda p: p.swapaxes(2, 3)))
    convention = next(one for one in found.findings if one.what == "convention")
    assert convention.severity == "error"
    assert "[disp, pol]" in convention.words
    assert "swapaxes" in convention.do
    assert not found.healthy


def test_a_baseline_is_healthy(task: Task, dataset: Dataset) -> None:
    found = examine_model(task, dataset, load_model("point-charges"))  # type: ignore[arg-type]
    assert found.healthy
    assert severities(found)["training"] == "ok"
    assert severities(found)["proper rotation"] == "ok"
    assert found.labels == {BULK: min(8, len(task.validation))}


def test_a_model_that_breaks_symmetry_is_told_so(task: Task, dataset: Dataset) -> None:
    class Skewed:
        name = "skewed"

        def predict(self, frames):
            charge = np.where(frames.atomic_numbers == 8, -0.7, 0.35)
            bent = np.eye(3) + np.array([[0, 0.1, 0], [0, 0, 0], [0, 0, 0]])
            return np.broadcast_to(charge[:, None, None] * bent, (len(frames), len(charge), 3, 3))

    found = examine_model(task, dataset, Skewed())
    assert severities(found)["proper rotation"] == "error"


def test_the_labels_of_the_test_are_never_read(
    task: Task, dataset: Dataset, monkeypatch: pytest.MonkeyPatch
) -> None:
    labelled, read = Dataset.labelled, []

    def watched(self: Dataset, system: str, labels: np.ndarray | None = None) -> object:
        assert labels is not None, "all labels, those of the test too"
        read.extend(np.asarray(labels).tolist())
        return labelled(self, system, labels)

    monkeypatch.setattr(Dataset, "labelled", watched)
    examine_model(task, dataset, load_model("point-charges"))  # type: ignore[arg-type]
    assert read
    assert not set(read) & set(task.test)


def written(task: Task, dataset: Dataset, labels: tuple[int, ...], path: Path, sign: float) -> Path:
    known = dataset.labelled(BULK, np.array(labels))
    at = dataset.label_frames(BULK)[list(labels)]
    return Predictions(
        sign * known.apt, at, known.frames.atomic_numbers, dataset.content_hash
    ).write(path)


def test_a_file_of_validation_frames(task: Task, dataset: Dataset, tmp_path: Path) -> None:
    path = written(task, dataset, task.validation, tmp_path / "mine.npz", -1.0)
    found = examine_file(task, path)
    assert (found.name, found.healthy) == ("mine", False)
    assert "sign is the opposite" in " ".join(one.words for one in found.findings)
    assert examine_file(task, written(task, dataset, task.train[:4], path, 1.0)).healthy


def test_a_file_of_test_frames_is_refused(task: Task, dataset: Dataset, tmp_path: Path) -> None:
    path = written(task, dataset, (*task.validation, task.test[0]), tmp_path / "p.npz", 1.0)
    with pytest.raises(AlignmentError, match="does not look at the test"):
        examine_file(task, path)
    one = Predictions.read(path)
    other = Predictions(one.apt[:1], one.frame[:1] + 1, one.atomic_number)
    with pytest.raises(AlignmentError, match="no label"):
        examine_file(task, other.write(path))


def test_the_command(task: Task, dataset: Dataset, tmp_path: Path) -> None:
    def run(*words: str) -> tuple[int, str]:
        result = CliRunner().invoke(build_app(), ["doctor", "synthetic-water/iid", *words])
        if result.exception and not isinstance(result.exception, SystemExit):
            raise result.exception
        return result.exit_code, result.output

    code, text = run("--model", "point-charges")
    assert code == 0
    assert "outside the test" in text
    path = written(task, dataset, task.validation, tmp_path / "mine.npz", -1.0)
    code, text = run("--predictions", str(path), "--json")
    assert code == 1
    found = json.loads(text)
    assert "sign" in " ".join(one["words"] for one in found["findings"])
    with pytest.raises(InputError, match="model or predictions"):
        run()
