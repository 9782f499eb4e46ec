"""What weights were trained on, against the test of a task: a leak is never scored."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from aptbench.data import Dataset, open_dataset
from aptbench.errors import AlignmentError
from aptbench.evaluate import evaluate_model
from aptbench.evaluate.training_record import parameter_count, training_record
from aptbench.models import load_model
from aptbench.tasks import Task, load_task


@pytest.fixture(autouse=True)
def _root(synthetic_project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("APTBENCH_ROOT", str(synthetic_project))


@pytest.fixture
def task() -> Task:
    return load_task("synthetic-water/iid")


@pytest.fixture
def dataset(task: Task) -> Dataset:
    return open_dataset(task.dataset)


def said(task: Task, dataset: Dataset, /, **changes: Any) -> SimpleNamespace:
    """A model with the record that `aptbench train` would write for the task."""
    frames = dataset.label_frames(task.system)
    record = {
        "task": task.identity,
        "dataset": {"name": dataset.name, "version": dataset.version},
        "system": task.system,
        "content_hash": task.content_hash,
        "split_hash": task.split.hash,
        "train": list(task.train),
        "validation": list(task.validation),
        "train_frames": frames[list(task.train)].tolist(),
        "validation_frames": frames[list(task.validation)].tolist(),
        "steps": [1, 2],
    }
    return SimpleNamespace(name="m", n_parameters=9, provenance_=record | changes)


def test_a_model_of_the_task_matches(task: Task, dataset: Dataset) -> None:
    record = training_record(said(task, dataset), task, dataset)
    assert record.status == "matches the task"
    assert record.split_hash == task.split.hash
    assert record.data == "synthetic-water 0.1.0"
    fewer = said(task, dataset, train=list(task.train[:2]), validation=[])
    assert training_record(fewer, task, dataset).status == "matches the task"


@pytest.mark.parametrize("part", ["train", "validation"])
def test_a_test_label_in_the_training_is_refused(task: Task, dataset: Dataset, part: str) -> None:
    leak = said(task, dataset, **{part: [*getattr(task, part), task.test[0]]})
    with pytest.raises(AlignmentError, match="test labels of the task") as caught:
        training_record(leak, task, dataset)
    assert f"label {task.test[0]}" in str(caught.value)


def test_other_labels_of_the_same_data_are_another_split(task: Task, dataset: Dataset) -> None:
    model = said(task, dataset, train=[*task.train, *task.validation])
    assert training_record(model, task, dataset).status == "other split"


def test_another_version_of_the_data_is_compared_by_frames(task: Task, dataset: Dataset) -> None:
    older = said(task, dataset, content_hash="sha256:older", train=[*task.test])
    record = training_record(older, task, dataset)
    assert record.status == "matches the task"  # indices of other data mean nothing
    assert "by frames" in record.note
    frame = int(dataset.label_frames(task.system)[task.test[0]])
    leak = said(task, dataset, content_hash="sha256:older", train_frames=[frame])
    with pytest.raises(AlignmentError, match=f"frame {frame}"):
        training_record(leak, task, dataset)


def test_without_frames_a_leak_cannot_be_excluded(task: Task, dataset: Dataset) -> None:
    old = said(task, dataset, content_hash="sha256:older", train_frames=None)
    record = training_record(old, task, dataset)
    assert record.status == "other data"
    assert "cannot be excluded" in record.note


@pytest.mark.parametrize(
    "changes",
    [
        {"content_hash": "sha256:2", "dataset": {"name": "ice"}, "train_frames": [0]},
        {"system": "vapour"},
    ],
)
def test_labels_of_other_systems_are_other_data(
    task: Task, dataset: Dataset, changes: dict[str, Any]
) -> None:
    record = training_record(said(task, dataset, **changes), task, dataset)
    assert record.status == "other data"


@pytest.mark.parametrize("part", ["train_sets", "validation_sets"])
def test_a_leak_is_one_whatever_else_was_learned(task: Task, dataset: Dataset, part: str) -> None:
    own = {"dataset": dataset.name, "content_hash": task.content_hash}
    other = {"dataset": "ice", "content_hash": f"sha256:{64 * '2'}", "labels": {"bulk": [0, 1]}}
    sets = {
        "train_sets": [other, own | {"labels": {task.system: list(task.train)}}],
        "validation_sets": [own | {"labels": {task.system: list(task.validation)}}],
    }
    assert training_record(said(task, dataset, **sets), task, dataset).status == "other data"
    sets[part][-1]["labels"][task.system][-1] = task.test[0]
    with pytest.raises(AlignmentError, match="trained on test labels"):
        training_record(said(task, dataset, **sets), task, dataset)


def of_sets(
    task: Task, dataset: Dataset, frames: dict[str, Any] | None, **changes: Any
) -> SimpleNamespace:
    """A model that learned in a transfer, from an older version of the data too."""
    other = {"dataset": "ice", "content_hash": f"sha256:{64 * '2'}", "labels": {"bulk": [0, 1]}}
    older = {"dataset": dataset.name, "content_hash": f"sha256:{64 * '3'}"}
    return said(
        task,
        dataset,
        task="ice/with-bulk@1",
        dataset={},
        system="",
        content_hash=None,
        train=None,
        validation=None,
        train_frames=None,
        validation_frames=None,
        train_sets=[other, older | {"labels": {task.system: [0, 1, 2]}}],
        train_set_frames=frames,
        **changes,
    )


def test_a_leak_of_a_transfer_from_older_data_is_not_excluded(task: Task, dataset: Dataset) -> None:
    record = training_record(of_sets(task, dataset, None), task, dataset)
    assert record.status == "other data"
    assert "a leak cannot be excluded" in record.note
    # a set of the data as they are now does not make up for it
    own = {"dataset": dataset.name, "content_hash": task.content_hash}
    own |= {"labels": {task.system: list(task.validation)}}
    record = training_record(of_sets(task, dataset, None, validation_sets=[own]), task, dataset)
    assert "a leak cannot be excluded" in record.note


def test_frames_of_a_transfer_from_older_data_are_compared(task: Task, dataset: Dataset) -> None:
    at = dataset.label_frames(task.system)
    known = {"ice": {"bulk": [0, 50]}, dataset.name: {task.system: at[list(task.train)].tolist()}}
    record = training_record(of_sets(task, dataset, known), task, dataset)
    assert (record.status, "by frames" in record.note) == ("other data", True)
    frame = int(at[task.test[0]])
    known[dataset.name][task.system].append(frame)
    with pytest.raises(AlignmentError, match=f"frame {frame}"):
        training_record(of_sets(task, dataset, known), task, dataset)


@pytest.mark.parametrize(
    ("model", "status"),
    [
        (SimpleNamespace(), "unknown"),
        (SimpleNamespace(provenance_={}, n_parameters=3), "unknown"),
        (SimpleNamespace(provenance_={"seconds": 1.0}), "unknown"),
        (SimpleNamespace(provenance_={"train": "all of it"}), "unknown"),
        (SimpleNamespace(provenance_={}, n_parameters=0), "not trained"),
    ],
)
def test_models_that_do_not_say(
    task: Task, dataset: Dataset, model: SimpleNamespace, status: str
) -> None:
    assert training_record(model, task, dataset).status == status


def test_only_a_number_is_a_number_of_parameters() -> None:
    assert parameter_count(SimpleNamespace(n_parameters=5)) == 5
    for wrong in (-1, "many", None):
        assert parameter_count(SimpleNamespace(n_parameters=wrong)) is None


def test_a_leaking_model_gets_no_score(
    task: Task, dataset: Dataset, monkeypatch: pytest.MonkeyPatch
) -> None:
    from aptbench.evaluate import evaluation

    def leaking(name: str, **options: Any) -> Any:
        model = load_model(name)
        record = {"content_hash": task.content_hash, "train": [task.test[-1]]}
        model.provenance_ = record  # type: ignore[attr-defined]
        return model

    monkeypatch.setattr(evaluation, "load_model", leaking)
    with pytest.raises(AlignmentError, match="test labels"):
        evaluate_model(task, dataset, "constant-charge")
