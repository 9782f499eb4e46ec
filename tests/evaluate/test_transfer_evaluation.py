"""A task of several systems: all atoms count the same, and each system is scored alone too."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from aptbench import Frames
from aptbench.data import Dataset, SystemData, open_dataset, write_dataset
from aptbench.errors import AlignmentError, InputError
from aptbench.evaluate import Predictions, evaluate_file, evaluate_model, write_report
from aptbench.evaluate.archive import archive_evaluation, archived_results
from aptbench.evaluate.predictions import read_task_predictions, write_task_predictions
from aptbench.evaluate.scoring import score_predictions
from aptbench.evaluate.training import transfer_labels
from aptbench.evaluate.training_provenance import TrainingProvenance
from aptbench.evaluate.training_record import training_record
from aptbench.tasks import Task, available_splits, available_tasks, load_task, write_split
from aptbench.tasks.transfer import LabelSet, TransferSplit, transfer_path

MOLECULES = {"h2o": [8, 1, 1], "nh3": [7, 1, 1, 1], "ch4": [6, 1, 1, 1, 1]}


def molecule(seed: int, numbers: list[int]) -> SystemData:
    rng = np.random.default_rng(seed)
    positions = 1.5 * np.arange(3 * len(numbers)).reshape(-1, 3) % 4.1
    frames = Frames(
        numbers,
        positions + 0.05 * rng.normal(size=(6, len(numbers), 3)),
        velocities=0.01 * rng.normal(size=(6, len(numbers), 3)),
        molecule=[0] * len(numbers),
    )
    return SystemData(frames, np.arange(6), rng.normal(size=(6, len(numbers), 3, 3)))


@pytest.fixture
def task(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Task:
    monkeypatch.setenv("APTBENCH_ROOT", str(tmp_path))
    systems = {name: molecule(k, numbers) for k, (name, numbers) in enumerate(MOLECULES.items())}
    attrs = {"name": "few", "version": "0.1.0", "title": "synthetic", "license": "CC0-1.0"}
    write_dataset(tmp_path / "datasets" / "few" / "few.zarr", systems, attrs)

    def part(**labels: list[int]) -> tuple[LabelSet, ...]:
        content = open_dataset("few").content_hash
        return (LabelSet(dataset="few", content_hash=content, labels=labels),)

    made = TransferSplit(
        name="others",
        dataset="few",
        axis="molecules-left-out",
        train=part(h2o=[0, 1, 2]),
        validation=part(h2o=[4]),
        test=part(nh3=[0, 2, 4], ch4=[1, 5]),
        rule="by hand",
    )
    write_split(made, transfer_path("few", "others"))
    return load_task("few/others")


@pytest.fixture
def dataset(task: Task) -> Dataset:
    return open_dataset(task.dataset)


def truth(task: Task, dataset: Dataset, error: float = 0.0) -> dict[str, Predictions]:
    found = {}
    for system, labels in task.test_labels.items():
        exact = dataset.labelled(system, np.array(labels))
        at = dataset.label_frames(system)[list(labels)]
        found[system] = Predictions(
            exact.apt + error * (1 + (system == "ch4")), at, exact.frames.atomic_numbers
        )
    return found


def test_the_task_knows_its_systems(task: Task) -> None:
    assert task.systems == ("nh3", "ch4")
    assert (task.n_test, task.labels_of("validation")) == (5, {"h2o": (4,)})
    assert "few/others" in available_tasks()
    assert "few/others" not in available_splits()
    for name in ("within", "system", "train"):
        with pytest.raises(InputError, match=r"few/others@1"):
            getattr(task, name)


def test_atoms_of_all_systems_count_the_same(task: Task, dataset: Dataset) -> None:
    assert score_predictions(task, dataset, truth(task, dataset))["rmse"].value == 0
    scores = score_predictions(task, dataset, truth(task, dataset, 0.1))
    # 12 atoms of NH3 with an error of 0.1, 10 of CH4 with 0.2
    assert scores["rmse"].value == pytest.approx(np.sqrt((12 * 0.01 + 10 * 0.04) / 22))
    assert scores["rmse[N]"].value == pytest.approx(0.1)
    assert scores["rmse[C]"].value == pytest.approx(0.2)
    assert scores["rmse[H]"].value == pytest.approx(np.sqrt((9 * 0.01 + 8 * 0.04) / 17))
    assert scores["rmse"].low is not None
    assert "current_error" in scores


def test_a_file_keeps_all_systems(task: Task, dataset: Dataset, tmp_path: Path) -> None:
    path = write_task_predictions(truth(task, dataset, 0.1), tmp_path / "mine.npz")
    result = evaluate_file(task, dataset, path).result
    assert result.systems["nh3"].metrics["rmse"].value == pytest.approx(0.1)
    assert result.systems["ch4"].metrics["rmse"].value == pytest.approx(0.2)
    assert (result.systems["ch4"].test_frames, result.test_frames) == (2, 5)
    assert result.data.system == "nh3, ch4"
    with pytest.raises(AlignmentError, match="systems of the task"):
        read_task_predictions(path, ["nh3", "h2o"])
    one = truth(task, dataset)["nh3"]
    with pytest.raises(AlignmentError, match="missing ch4"):
        score_predictions(task, dataset, {"nh3": one})
    with pytest.raises(AlignmentError, match="systems of the task"):
        read_task_predictions(one.write(tmp_path / "one.npz"), task.systems)


def test_a_model_is_scored_reported_and_scored_again_from_its_file(
    task: Task, dataset: Dataset, tmp_path: Path
) -> None:
    (tmp_path / "zero").mkdir()
    (tmp_path / "zero" / "model.yaml").write_text("name: zero\ntitle: Zero\nclass: model:Zero\n")
    (tmp_path / "zero" / "model.py").write_text(
        "import numpy as np\n\n\nclass Zero:\n    name = 'zero'\n\n"
        "    def predict(self, frames):\n"
        "        return np.zeros((len(frames), frames.n_atoms, 3, 3))\n\n"
        "    def predict_std(self, frames):\n"
        "        return 1.0 + np.zeros((len(frames), frames.n_atoms, 3, 3))\n"
    )
    evaluation = evaluate_model(task, dataset, tmp_path / "zero")
    labels = np.concatenate(
        [dataset.labelled(s, np.array(t)).apt.ravel() for s, t in task.test_labels.items()]
    )
    metrics = evaluation.result.metrics
    assert metrics["rmse"].value == pytest.approx(np.sqrt(np.mean(labels**2)))
    assert metrics["z_score"].value == pytest.approx(metrics["rmse"].value)
    archived = archive_evaluation(evaluation, tmp_path / "results")
    assert archived_results(tmp_path / "results") == [evaluation.result]
    again = evaluate_file(task, dataset, archived.with_suffix(".npz")).result
    assert again.metrics == {k: v for k, v in metrics.items() if k != "equivariance_error"}
    assert again.systems == evaluation.result.systems
    page = write_report(task, dataset, [evaluation], tmp_path / "report", no_spectrum="no.")
    assert "(4 or 5 atoms each)" in page.read_text()


def test_weights_of_a_transfer_name_frames(task: Task, dataset: Dataset) -> None:
    said = transfer_labels(task).provenance
    for part in ("train", "validation"):
        for one in task.parts[part]:
            for system, labels in one.labels.items():
                frames = dataset.label_frames(system)[list(labels)].tolist()
                assert said[f"{part}_set_frames"][one.dataset][system] == frames
    assert TrainingProvenance.model_validate(said).train_set_frames is not None


def test_training_is_held_against_all_parts(task: Task, dataset: Dataset) -> None:
    def said(train: dict[str, list[int]], validation: dict[str, list[int]]) -> SimpleNamespace:
        sets = {
            f"{part}_sets": [
                {"dataset": "few", "content_hash": task.content_hash, "labels": labels}
            ]
            if labels
            else []
            for part, labels in {"train": train, "validation": validation}.items()
        }
        return SimpleNamespace(name="m", n_parameters=3, provenance_=sets)

    def status(*labels: dict[str, list[int]]) -> str:
        return training_record(said(*labels), task, dataset).status

    assert status({"h2o": [0, 2]}, {"h2o": [4]}) == "matches the task"
    assert status({"h2o": [0, 4]}, {}) == "other split"
    assert status({"nh3": [1]}, {}) == "other split"
    with pytest.raises(AlignmentError, match="label 5"):
        status({"h2o": [0]}, {"ch4": [5]})
