"""The doctor finds what is wrong, and never looks at the test."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from aptbench import Frames
from aptbench.cli.main import build_app
from aptbench.data import Dataset, SystemData, open_dataset, write_dataset
from aptbench.errors import AlignmentError, InputError
from aptbench.evaluate import Predictions
from aptbench.evaluate.doctor import Diagnosis, examine_file, examine_model, validation_labels
from aptbench.evaluate.predictions import write_task_predictions
from aptbench.models import load_model
from aptbench.tasks import Task, load_task
from aptbench.tasks.transfer import LabelSet, TransferSplit, transfer_path

BULK = "bulk"
REPOSITORY = Path(__file__).parents[2]


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


class Charged:
    """Charges that depend on the element only."""

    name = "charged"

    def predict(self, frames):
        charge = np.where(frames.atomic_numbers == 1, 0.4, -0.8)
        return np.tile(charge[:, None, None] * np.eye(3), (len(frames), 1, 1, 1))


def training(task: Task, dataset: Dataset, **attributes: object) -> tuple[str, str]:
    model = Charged()
    vars(model).update(attributes)
    one = examine_model(task, dataset, model).findings[-1]
    assert one.what == "training"
    return one.severity, f"{one.words} {one.do}"


def test_a_model_is_asked_for_weights_only_if_it_has_some(task: Task, dataset: Dataset) -> None:
    assert training(task, dataset, n_parameters=0) == ("ok", "not trained ")
    severity, said = training(task, dataset)
    assert severity == "advice"
    assert "n_parameters = 0" in said
    assert "weights" not in said
    severity, said = training(task, dataset, fitted=False)
    assert severity == "error"
    assert "no weights" in said
    severity, said = training(task, dataset, n_parameters=2)
    assert severity == "advice"
    assert "carry no record of their training" in said


@pytest.fixture
def several(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Task:
    """A task of four triatomic systems, whose labels are charges with noise of its own size."""
    monkeypatch.setenv("APTBENCH_ROOT", str(tmp_path))
    rng, systems = np.random.default_rng(0), {}
    for name, heavy, noise in (
        ("h2o", 8, 0.5),
        ("h2s", 16, 0.04),
        ("h2se", 34, 0.08),
        ("h2te", 52, 0.6),
    ):
        charge = np.array([-0.4, 0.2, 0.2])[:, None, None] * np.eye(3)
        positions = [[0, 0, 0], [1, 0, 0], [0, 1, 0]] + 0.1 * rng.normal(size=(6, 3, 3))
        systems[name] = SystemData(
            Frames([heavy, 1, 1], positions, molecule=[0, 0, 0]),
            np.arange(6),
            charge + noise * rng.normal(size=(6, 3, 3, 3)),
        )
    attrs = {"name": "few", "version": "0.1.0", "title": "synthetic", "license": "CC0-1.0"}
    write_dataset(tmp_path / "datasets" / "few" / "few.zarr", systems, attrs)

    def part(*labels: int) -> tuple[LabelSet, ...]:
        hashed, chosen = open_dataset("few").content_hash, dict.fromkeys(systems, labels)
        return (LabelSet(dataset="few", content_hash=hashed, labels=chosen),)

    split = TransferSplit(
        name="all",
        dataset="few",
        axis="molecules-left-out",
        train=part(0, 1, 2),
        validation=part(3, 4),
        test=part(5),
        rule="by hand",
    )
    path = transfer_path("few", "all")
    path.parent.mkdir()
    path.write_text(split.model_dump_json())
    return load_task("few/all")


def test_what_several_systems_have_is_told_once(several: Task) -> None:
    found = examine_model(several, open_dataset("few"), Charged())
    what = {one.what: one for one in found.findings}
    error = what["error in 4 of 4 systems, worst in h2s"]
    assert "times what the mean charge of each element leaves." in error.words
    assert error.do.startswith("a model that has learned something")
    assert "convention in 4 of 4 systems" in what

    class Ignorant(Charged):
        def predict(self, frames):
            if frames.atomic_numbers[0] in (8, 16):
                raise InputError("This element is not known.", do="train on it")
            return super().predict(frames)

    found = examine_model(several, open_dataset("few"), Ignorant())
    what = {one.what: one for one in found.findings}
    assert what["prediction in 2 of 4 systems, such as h2o"].do == "train on it"
    assert "error in 2 of 4 systems, worst in h2se" in what


def test_one_convention_of_several_systems_is_told_once(several: Task, tmp_path: Path) -> None:
    truth = {}
    for system, labels in validation_labels(several).items():
        at = open_dataset("few").label_frames(system)[list(several.labels_of("validation")[system])]
        sign = 1.0 if system == "h2te" else -1.0
        truth[system] = Predictions(sign * labels.apt, at, labels.frames.atomic_numbers)
    path = write_task_predictions(truth, tmp_path / "mine.npz")
    found = examine_file(several, path)
    errors = [one for one in found.findings if one.severity == "error"]
    assert [one.what for one in errors] == ["convention in 3 of 4 systems, worst in h2o"]
    assert errors[0].do == "use P = dM/dR = +dF/dE"
    assert "convention of h2te" in [one.what for one in found.findings]


@pytest.fixture
def twins(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Task:
    """A transfer that learns from two data sets, each of one system called ``main``."""
    monkeypatch.setenv("APTBENCH_ROOT", str(tmp_path))
    rng = np.random.default_rng(0)
    charge = np.array([-0.4, 0.2, 0.2])[:, None, None] * np.eye(3)
    for name, system in (("one", "main"), ("two", "main"), ("few", "other")):
        positions = [[0, 0, 0], [1, 0, 0], [0, 1, 0]] + 0.1 * rng.normal(size=(6, 3, 3))
        data = SystemData(
            Frames([8, 1, 1], positions, molecule=[0, 0, 0]),
            np.arange(6),
            charge + 0.1 * rng.normal(size=(6, 3, 3, 3)),
        )
        attrs = {"name": name, "version": "0.1.0", "title": "synthetic", "license": "CC0-1.0"}
        write_dataset(tmp_path / "datasets" / name / f"{name}.zarr", {system: data}, attrs)

    def part(name: str, system: str, *labels: int) -> LabelSet:
        hashed = open_dataset(name).content_hash
        return LabelSet(dataset=name, content_hash=hashed, labels={system: labels})

    split = TransferSplit(
        name="twins",
        dataset="few",
        axis="phase",
        train=(part("one", "main", 0, 1), part("two", "main", 0, 1)),
        validation=(part("one", "main", 2, 3), part("two", "main", 4)),
        test=(part("few", "other", 5),),
        rule="by hand",
    )
    path = transfer_path("few", "twins")
    path.parent.mkdir()
    path.write_text(split.model_dump_json())
    return load_task("few/twins")


def test_systems_of_one_name_in_two_data_sets_are_two(twins: Task, tmp_path: Path) -> None:
    found = examine_model(twins, open_dataset("few"), Charged())
    assert found.labels == {"one/main": 2, "two/main": 1}
    truth = {}
    for name, labels in validation_labels(twins).items():
        dataset, _, system = name.partition("/")
        numbers = {"one": [2, 3], "two": [4]}[dataset]
        at = open_dataset(dataset).label_frames(system)[numbers]
        sign = -1.0 if dataset == "two" else 1.0
        truth[name] = Predictions(sign * labels.apt, at, labels.frames.atomic_numbers)
    file = examine_file(twins, write_task_predictions(truth, tmp_path / "mine.npz"))
    assert file.labels == found.labels
    ambiguous = {"main": truth["one/main"], "other": truth["two/main"]}
    with pytest.raises(AlignmentError, match="one/main, two/main"):
        examine_file(twins, write_task_predictions(ambiguous, tmp_path / "mine.npz"))


def test_the_command_counts_labels_and_systems(several: Task) -> None:
    result = CliRunner().invoke(
        build_app(), ["doctor", "few/all", "--model", str(REPOSITORY / "baselines/point-charges")]
    )
    assert result.output.startswith(
        "point-charges on few/all@1; outside the test: 8 labels of 4 systems\n"
    )


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
