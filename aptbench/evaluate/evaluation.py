"""`evaluate_model` and `evaluate_file`: from a model or its predictions to a result."""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from aptbench.errors import InputError
from aptbench.evaluate.archived_current import archived_current
from aptbench.evaluate.cost import measure_inference, measurement_identity, model_cost
from aptbench.evaluate.current_record import CurrentRecord
from aptbench.evaluate.prediction_run import (
    NamedModel,
    PredictedTensors,
    cache_key,
    fingerprint,
    predict_currents,
    predict_deviations,
    predict_tensors,
)
from aptbench.evaluate.predictions import Predictions, read_task_predictions
from aptbench.evaluate.result import (
    Check,
    Cost,
    Data,
    Metric,
    Model,
    Result,
    SpectrumSummary,
    SystemScores,
    Timing,
    Training,
)
from aptbench.evaluate.scoring import (
    frames_of_test,
    labels_of_test,
    score_predictions,
    score_systems,
)
from aptbench.evaluate.spread_model import SpreadModel
from aptbench.evaluate.task_spectrum import TaskSpectrum, task_spectrum
from aptbench.evaluate.training_record import training_record
from aptbench.evaluate.trajectory import molecular_currents
from aptbench.evaluate.versions import versions
from aptbench.frames import Frames
from aptbench.models import check_model, load_model, model_folder
from aptbench.models.registry import NAME, ModelFolder
from aptbench.spectra.assignment import Assignment, assign
from aptbench.tasks import Task

if TYPE_CHECKING:
    from aptbench.data import Dataset

EQUIVARIANCE = "equivariance_error"
_ROTATIONS = ("proper_rotation", "improper_rotation")

Progress = Callable[[str, int, int], None]


@dataclass(frozen=True, eq=False)
class Evaluation:
    """A result, with the arrays that it was made from.

    Parameters
    ----------
    result : Result
    predictions : dict of str to Predictions
        By system of the test.
    card : str
        Text of the model's card, in Markdown; empty if it has none.
    current : CurrentRecord or None
        Along the stretch of the spectrum.
    assignment : Assignment or None
        Of the spectrum to nuclear motion; none of a system without molecules either.
    """

    result: Result
    predictions: dict[str, Predictions]
    card: str = ""
    current: CurrentRecord | None = None
    assignment: Assignment | None = None


def evaluate_model(
    task: Task,
    dataset: Dataset,
    name_or_folder: str | Path,
    *,
    spectrum: TaskSpectrum | None = None,
    archive: Path | None = None,
    patience: float = math.inf,
    cache: Path | None = None,
    cost: bool = False,
    client: Any = None,
    progress: Progress | None = None,
) -> Evaluation:
    """Load a model, let it predict, and score it.

    Parameters
    ----------
    task : Task
    dataset : Dataset
        The data that the task names.
    name_or_folder : str or Path
        As `aptbench.models.load_model` takes it.
    spectrum : TaskSpectrum, optional
        For the infrared spectrum; none is made if None.
    archive : Path, optional
        Folder of archived results. A current that `archived_current` finds there is not made
        again; there is no assignment then.
    patience : float
        Seconds that predicting the trajectory may take, by the speed on the test frames; there is
        no spectrum of a model that would take longer.
    cache : Path, optional
        Folder in which tensors of the trajectory and the measured cost are kept, so that they are
        made only once.
    cost : bool
        Whether to measure speed and memory of prediction, in a process of its own.
    client : distributed.Client, optional
        Of a Dask cluster whose workers predict; see `SpreadModel`.
    progress : callable, optional
        Called with (what, frames done, frames in all).

    Returns
    -------
    Evaluation

    Raises
    ------
    UnknownNameError
        If there is no such model.
    AlignmentError, InputError
        If data and task do not belong together, the model fails, or a test label of the task was
        among those that it was trained on.
    """
    model: NamedModel = load_model(name_or_folder, task=task.name)  # type: ignore[assignment]
    training = training_record(model, task, dataset)
    loaded = model
    if client is not None:
        model = SpreadModel(loaded, name_or_folder, client, task.name)
    folder = model_folder(name_or_folder)
    systems = {name: one.frames for name, one in labels_of_test(task, dataset).items()}
    numbers = frames_of_test(task, dataset)
    advance = _counter(progress, "test frames", task.n_test)
    predictions, timings = {}, []
    for system, frames in systems.items():
        run = predict_tensors(model, frames, advance=advance)
        timings.append(run.timing)
        predictions[system] = Predictions(
            run.values,
            numbers[system],
            frames.atomic_numbers,
            dataset.content_hash,
            predict_deviations(model, frames),
        )
    metrics = score_predictions(task, dataset, predictions)
    # what is measured on one system only is measured on the largest
    frames = max(systems.values(), key=lambda one: one.n_atoms)
    conformance = _conformance(model, frames)
    rotations = [conformance[name].value for name in _ROTATIONS]
    if None not in rotations:
        metrics[EQUIVARIANCE] = Metric(value=max(v for v in rotations if v is not None), unit="e")
    mark = fingerprint(folder, task.name)
    inference = None
    if cost:
        key = cache_key(loaded, mark, measurement_identity(frames), folder)
        kept = None if cache is None or key is None else cache / key / "inference.json"
        inference = measure_inference(folder or name_or_folder, frames, task=task.name, kept=kept)
    timing: Timing = max(timings, key=lambda one: one.atoms)
    record, summary, assignment = None, None, None
    if spectrum is not None:
        trajectory = spectrum.trajectory
        kept_record = (
            None
            if archive is None
            else archived_current(archive, task, dataset, model, mark, trajectory)
        )
        expected = timing.seconds_per_frame * len(trajectory.frames)
        if kept_record is not None:
            record, timing = kept_record
        elif expected <= patience:
            tensors = PredictedTensors(
                model,
                trajectory.frames,
                cache=cache,
                key=cache_key(loaded, mark, trajectory.identity, folder),
                advance=_counter(progress, "trajectory", len(trajectory.frames)),
            )
            if trajectory.no_molecules:
                total = predict_currents(tensors, trajectory.frames).values
            else:
                currents = molecular_currents(tensors, trajectory)
                total = currents.total()
                assignment = assign(currents, **trajectory.constants)
            timing = tensors.timing
            record = CurrentRecord.of(model, total, trajectory)
    if spectrum is not None and record is not None:
        summary = spectrum.summary(record.current)
    title = ModelFolder.read(folder).title if folder is not None else model.name
    result = _result(
        task,
        dataset,
        Model(name=model.name, title=title, fingerprint=mark),
        metrics,
        _scores_alone(task, dataset, predictions),
        conformance=conformance,
        spectrum=summary,
        timing=timing,
        training=training,
        cost=model_cost(model, dataset, inference=inference),
    )
    card = folder / "card.md" if folder is not None else None
    text = card.read_text(encoding="utf-8") if card is not None and card.is_file() else ""
    return Evaluation(result, predictions, text, record, assignment)


def evaluate_file(
    task: Task,
    dataset: Dataset,
    path: str | Path,
    *,
    name: str | None = None,
    current: CurrentRecord | None = None,
) -> Evaluation:
    """Score predictions that were made elsewhere.

    Parameters
    ----------
    task : Task
    dataset : Dataset
    path : path
        An ``.npz`` archive as `Predictions.read` takes it.
    name : str, optional
        Name for tables; that of the file without its suffix if None.
    current : CurrentRecord, optional
        Of the stretch of the spectrum of the task, which is scored too.

    Raises
    ------
    AlignmentError, InputError
        If the predictions are not all of the test frames and atoms, in order and finite, or the
        current is not that of its tensors and of the predictions; or if the name cannot be that of
        a file.
    """
    path = Path(path)
    if name is not None and not re.fullmatch(NAME, name):
        raise InputError(
            "This cannot be the name of a model.",
            got=name,
            expected="small letters, digits, . _ + -; the first a letter or a digit",
        )
    predictions = read_task_predictions(path, task.systems)
    metrics = score_predictions(task, dataset, predictions)
    name = name or path.stem
    alone = _scores_alone(task, dataset, predictions)
    model = Model(name=name, title=name)
    summary = None
    if current is not None:
        spectrum = task_spectrum(task, dataset)
        spectrum.check_current(current, predictions[task.system])
        summary = spectrum.summary(current.current)
    result = _result(task, dataset, model, metrics, alone, spectrum=summary)
    return Evaluation(result, predictions, current=current)


def _scores_alone(
    task: Task, dataset: Dataset, predictions: dict[str, Predictions]
) -> dict[str, SystemScores]:
    return score_systems(task, dataset, predictions) if len(task.systems) > 1 else {}


def _result(
    task: Task,
    dataset: Dataset,
    model: Model,
    metrics: dict[str, Metric],
    systems: dict[str, SystemScores],
    *,
    conformance: dict[str, Check] | None = None,
    spectrum: SpectrumSummary | None = None,
    timing: Timing | None = None,
    training: Training | None = None,
    cost: Cost | None = None,
) -> Result:
    return Result(
        task=task.identity,
        data=Data.of(dataset, ", ".join(task.systems)),
        split_hash=task.split.hash,
        test_frames=task.n_test,
        model=model,
        metrics=metrics,
        systems=systems,
        conformance=conformance or {},
        spectrum=spectrum,
        timing=timing,
        training=training,
        cost=cost,
        versions=versions(),
    )


def _conformance(model: NamedModel, frames: Frames) -> dict[str, Check]:
    report = check_model(model, frames[: min(2, len(frames))])
    return {
        entry.name: Check(
            value=float(entry.value) if math.isfinite(entry.value) else None,
            tolerance=entry.tolerance,
            passed=entry.passed,
            note=entry.note,
        )
        for entry in report.results
    }


def _counter(progress: Progress | None, what: str, total: int) -> Callable[[int], None] | None:
    if progress is None:
        return None
    done = 0

    def advance(n: int) -> None:
        nonlocal done
        done += n
        progress(what, done, total)

    progress(what, 0, total)
    return advance
