"""The spectral part of a task: stretch, reference, archived currents."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from aptbench.data import Dataset, open_dataset
from aptbench.errors import AlignmentError, InputError
from aptbench.evaluate import archived_current, evaluate_model, evaluation
from aptbench.evaluate.archive import archive_evaluation, best_current
from aptbench.evaluate.current_record import CurrentRecord, current_path
from aptbench.evaluate.rescoring import rescore
from aptbench.evaluate.result import read_result
from aptbench.evaluate.task_spectrum import task_spectrum
from aptbench.spectra.current import current
from aptbench.tasks import Task, load_task
from aptbench.tasks.frozen import FrozenTask, freeze, frozen_path, read_frozen
from aptbench.tasks.spectrum_reference import (
    SpectrumReference,
    read_spectrum_reference,
    reference_path,
    write_spectrum_reference,
)
from tests.conftest import Call

TASK, SYSTEM = "synthetic-water/iid", "bulk"


@pytest.fixture
def project(synthetic_project: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy that may be written to."""
    root = tmp_path / "project"
    shutil.copytree(synthetic_project, root)
    monkeypatch.setenv("APTBENCH_ROOT", str(root))
    return root


@pytest.fixture
def task(project: Path) -> Task:
    return load_task(TASK)


@pytest.fixture
def dataset(task: Task) -> Dataset:
    return open_dataset(task.dataset)


def test_the_stretch_holds_the_test_and_no_other_label(task: Task, dataset: Dataset) -> None:
    part = task_spectrum(task, dataset)
    frames = dataset.label_frames(SYSTEM)
    first, last = frames[task.test[0]], frames[task.test[-1]]
    assert part.start == first
    assert len(part.trajectory.frames) == last - first + 1
    assert frames[max(task.train + task.validation)] < part.start
    # frames of the stretch are those of the trajectory from its start on
    some = part.trajectory.frames[3:7]
    assert np.array_equal(
        some.positions, dataset.trajectory(SYSTEM)[first + 3 : first + 7].positions
    )
    labels = dataset.labelled(SYSTEM, np.array(task.test))
    assert np.array_equal(part.reference.label_frames + first, frames[list(task.test)])
    np.testing.assert_allclose(
        part.reference.values, current(labels.apt, labels.frames.velocities), atol=1e-14
    )
    assert not part.reference.dense


def test_a_task_without_a_spectrum_says_why(task: Task, dataset: Dataset) -> None:
    short = replace(task, split=task.within.model_copy(update={"test": task.test[:3]}))
    with pytest.raises(InputError, match="too short for the lag window"):
        task_spectrum(short, dataset)


def test_a_model_is_not_measured_against_itself(
    project: Path, task: Task, dataset: Dataset
) -> None:
    part = task_spectrum(task, dataset)
    archive = project / "leaderboard" / "results"
    for name in ("constant-charge", "point-charges"):
        done = evaluate_model(task, dataset, name, spectrum=part)
        path = archive_evaluation(done, archive)
        scores = read_result(path).spectrum.metrics
        assert set(scores) == {"current_error[all]"}
        assert scores["current_error[all]"].low < scores["current_error[all]"].value
    before = FrozenTask.of(task)
    assert before.spectrum is None
    best = best_current(task, archive)
    errors = {
        name: read_result(archive / TASK / f"{name}.json").spectrum.metrics["current_error[all]"]
        for name in ("constant-charge", "point-charges")
    }
    assert best.model == min(errors, key=lambda name: errors[name].value)
    write_spectrum_reference(best, reference_path(TASK))
    now = FrozenTask.of(task)
    assert now.spectrum == best.hash
    assert before.differences(now) == []  # a spectrum is new
    assert now.differences(before) != []  # but may not vanish
    # with the reference, archived currents are scored by band
    assert {row.status for row in rescore(archive, write=True)} == {"different"}
    assert {row.status for row in rescore(archive)} == {"identical"}
    for name in errors:
        summary = read_result(archive / TASK / f"{name}.json").spectrum
        assert "band_integral_error[stretch]" in summary.metrics
        assert summary.reference.endswith(f"with {best.model} (frozen)")
        assert summary.metrics["current_error[all]"] == errors[name]
    part = task_spectrum(task, dataset)
    study = part.study({"zero": np.zeros_like(best.current)})
    assert study.best_debiased == f"{best.model} (frozen)"
    assert "zero" in study.models
    assert len(study.models) == 1


def test_a_frozen_reference_stays(project: Path, task: Task, dataset: Dataset) -> None:
    path = reference_path(TASK)
    n_frames = len(task_spectrum(task, dataset).trajectory.frames)
    rng = np.random.default_rng(0)
    mine = SpectrumReference("m", "f", rng.normal(size=(n_frames, 3)).astype(np.float32))
    write_spectrum_reference(mine, path)
    write_spectrum_reference(mine, path)
    assert read_spectrum_reference(path).hash == mine.hash
    other = SpectrumReference("m", "f", mine.current + 1)
    with pytest.raises(InputError, match="exists and is another"):
        write_spectrum_reference(other, path)
    path.unlink()
    write_spectrum_reference(SpectrumReference("m", "f", mine.current[1:]), path)
    with pytest.raises(AlignmentError, match="not of the spectrum"):
        task_spectrum(task, dataset)
    whole = path.read_bytes()
    for damaged in (b"no archive", b"", whole[: len(whole) // 2], whole.replace(b"PK", b"XX")):
        path.write_bytes(damaged)
        with pytest.raises(InputError, match="damaged"):
            task_spectrum(task, dataset)


def higher_version(project: Path) -> Task:
    """The same task as another version, as if its training labels had changed."""
    path = project / "datasets" / "synthetic-water" / "splits" / "iid.json"
    content = json.loads(path.read_text())
    path.write_text(json.dumps(content | {"version": content.get("version", 1) + 1}))
    return load_task(TASK)


def test_a_reference_is_that_of_the_version_that_was_released(
    project: Path, task: Task, dataset: Dataset
) -> None:
    path = reference_path(TASK)
    n_frames = len(task_spectrum(task, dataset).trajectory.frames)
    rng = np.random.default_rng(0)
    mine = SpectrumReference("m", "f", rng.normal(size=(n_frames, 3)).astype(np.float32))
    write_spectrum_reference(mine, path)
    freeze({task.identity: FrozenTask.of(task)}, frozen_path())
    assert task_spectrum(task, dataset).frozen.hash == mine.hash
    write_spectrum_reference(replace(mine, current=mine.current + 1), path, replace=True)
    with pytest.raises(AlignmentError, match="not the one that synthetic-water/iid@1 was released"):
        task_spectrum(task, dataset)
    with pytest.raises(AlignmentError, match="spectrum"):
        freeze({task.identity: FrozenTask.of(task)}, frozen_path())
    path.unlink()
    with pytest.raises(AlignmentError, match="Got: none"):
        task_spectrum(task, dataset)
    # a new version does not take what the old one was released with
    write_spectrum_reference(mine, path)
    second = higher_version(project)
    assert task_spectrum(second, dataset).frozen is None
    assert FrozenTask.of(second).spectrum is None


def test_a_new_version_is_frozen_with_a_reference_of_its_own(
    project: Path, task: Task, dataset: Dataset, aptbench: Call
) -> None:
    results = project / "leaderboard" / "results"

    def run(version: Task) -> None:
        done = evaluate_model(
            version, dataset, "point-charges", spectrum=task_spectrum(version, dataset)
        )
        archive_evaluation(done, results)

    path = reference_path(TASK)
    n_frames = len(task_spectrum(task, dataset).trajectory.frames)
    old = SpectrumReference("m", "f", np.zeros((n_frames, 3), np.float32))
    write_spectrum_reference(old, path)
    assert aptbench("tasks", "--freeze")[0] == 0
    assert read_frozen(frozen_path())[task.identity].spectrum == old.hash
    second = higher_version(project)
    assert aptbench("tasks", "--freeze")[0] == 0
    assert read_frozen(frozen_path())[second.identity].spectrum is None, "no current yet"
    run(second)
    assert aptbench("tasks", "--freeze")[0] == 0
    new = read_spectrum_reference(path)
    assert (new.model, new.task) == ("point-charges", second.identity)
    assert read_frozen(frozen_path())[second.identity].spectrum == new.hash != old.hash
    assert read_frozen(frozen_path())[task.identity].spectrum == old.hash
    assert task_spectrum(second, dataset).frozen.hash == new.hash
    # the next version may be released with the same current
    third = higher_version(project)
    assert task_spectrum(third, dataset).frozen is None
    run(third)
    assert aptbench("tasks", "--freeze")[0] == 0
    assert read_frozen(frozen_path())[third.identity].spectrum == new.hash


def test_labels_of_every_frame_are_the_reference(task: Task, dataset: Dataset) -> None:
    part = task_spectrum(task, dataset)
    exact = replace(
        part,
        reference=replace(
            part.reference,
            label_frames=np.arange(len(part.trajectory.frames)),
            values=np.random.default_rng(2).normal(size=(len(part.trajectory.frames), 3)),
        ),
    )
    summary = exact.summary(exact.reference.values)
    assert summary.metrics["current_error[all]"].value == 0
    assert summary.metrics["band_integral_error[bend]"].value == pytest.approx(0, abs=1e-12)
    assert summary.metrics["relative_l1[all]"].value == pytest.approx(0, abs=1e-12)
    assert summary.reference.endswith("one in every frame")


def test_a_current_is_archived_with_its_proof(task: Task, dataset: Dataset, tmp_path: Path) -> None:
    part = task_spectrum(task, dataset)
    done = evaluate_model(task, dataset, "point-charges", spectrum=part)
    path = archive_evaluation(done, tmp_path)
    record = CurrentRecord.read(current_path(path))
    assert record.current.dtype == np.float32
    assert record.check(part.trajectory) < 1e-6
    np.testing.assert_array_equal(record.current, done.current.current)
    before = path.read_bytes()
    with pytest.raises(InputError, match="has a current of point-charges"):
        archive_evaluation(evaluate_model(task, dataset, "point-charges"), tmp_path)
    assert (path.read_bytes(), current_path(path).exists()) == (before, True)
    np.savez(tmp_path / "half.npz", current=record.current)
    with pytest.raises(InputError, match="not complete"):
        CurrentRecord.read(tmp_path / "half.npz")


def test_patience_ends_before_a_long_trajectory(task: Task, dataset: Dataset) -> None:
    part = task_spectrum(task, dataset)
    done = evaluate_model(task, dataset, "constant-charge", spectrum=part, patience=0.0)
    assert (done.current, done.result.spectrum, done.assignment) == (None, None, None)
    assert "rmse" in done.result.metrics


def test_an_archived_current_saves_its_prediction(
    project: Path, task: Task, dataset: Dataset, monkeypatch: pytest.MonkeyPatch
) -> None:
    part, archive = task_spectrum(task, dataset), project / "leaderboard" / "results"

    def run() -> evaluation.Evaluation:
        return evaluate_model(task, dataset, "constant-charge", spectrum=part, archive=archive)

    first = run()
    path = archive_evaluation(first, archive)
    assert first.assignment is not None
    assert run().assignment is not None, "what is quick is predicted again"
    monkeypatch.setattr(archived_current, "PATIENCE", 0.0)
    again = run()
    assert again.assignment is None, "taken from the archive"
    assert again.result.spectrum == first.result.spectrum
    assert again.result.timing == first.result.timing
    # a current that the model does not give any more is not believed
    record = CurrentRecord.read(current_path(path))
    replace(record, current=1.01 * record.current).write(current_path(path))
    assert run().assignment is not None
    record.write(current_path(path))
    # nor that of another state of the model
    charges = project / "baselines" / "constant-charge" / "charges.json"
    content = json.loads(charges.read_text())
    charges.write_text(json.dumps(content, indent=3))
    assert run().assignment is not None
