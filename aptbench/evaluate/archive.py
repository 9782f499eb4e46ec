"""The archive of the leaderboard: a result and its test predictions for each task and model."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from aptbench.errors import InputError
from aptbench.evaluate.current_record import CurrentRecord, current_path
from aptbench.evaluate.predictions import write_task_predictions
from aptbench.evaluate.result import Result, read_result, write_result
from aptbench.spectra.fidelity import WHOLE
from aptbench.tasks import Task
from aptbench.tasks.spectrum_reference import SpectrumReference

if TYPE_CHECKING:
    from aptbench.evaluate.evaluation import Evaluation


def archive_evaluation(evaluation: Evaluation, folder: str | Path) -> Path:
    """Write ``TASK/MODEL.json`` and ``TASK/MODEL.npz`` below a folder and return the former.

    The predictions are archived with the result, so that it can be computed again; so is the
    current of the spectrum, ``TASK/currents/MODEL.npz``, if there is one.

    Raises
    ------
    InputError
        If a current is archived that the new result does not have: it may have taken an hour.
    """
    result = evaluation.result
    path = Path(folder) / result.task_name / f"{result.model.name}.json"
    if evaluation.current is None:
        refuse_without_current(folder, result.task_name, result.model.name)
    write_task_predictions(evaluation.predictions, path.with_suffix(".npz"))
    if evaluation.current is not None:
        evaluation.current.write(current_path(path))
    return write_result(result, path)


def refuse_without_current(folder: str | Path, task_name: str, model: str) -> None:
    """Refuse to archive a result without a current where there is one of the model.

    Raises
    ------
    InputError
        As `archive_evaluation`, which takes this for what a whole run would end in.
    """
    kept = current_path(Path(folder) / task_name / f"{model}.json")
    if kept.is_file():
        raise InputError(
            f"The archive has a current of {model}, and the new result has none.",
            got=str(kept),
            do="run the model with its spectrum (without --no-spectrum), or remove that file first",
        )


def best_current(task: Task, folder: str | Path) -> SpectrumReference | None:
    """Return the archived current with the least error at the test labels, None without any.

    It is what a task without a reference spectrum is frozen with.

    Raises
    ------
    InputError
        If a file is damaged.
    """
    rows = []
    for path in sorted((Path(folder) / task.name).glob("*.json")):
        result = read_result(path)
        scores = {} if result.spectrum is None else result.spectrum.metrics
        name = f"current_error[{WHOLE}]"
        kept = current_path(path).is_file()
        if result.task == task.identity and name in scores and kept:
            rows.append((scores[name].value, path, result.model))
    if not rows:
        return None
    _, path, model = min(rows, key=lambda row: row[0])
    return SpectrumReference(
        model.name,
        model.fingerprint or "",
        CurrentRecord.read(current_path(path)).current.astype("float32"),
        task.identity,
    )


def archived_results(folder: str | Path) -> list[Result]:
    """Return all results of an archive, in the order of their paths.

    Raises
    ------
    InputError
        If a file is damaged; the message names it.
    """
    return [read_result(path) for path in sorted(Path(folder).glob("*/*/*.json"))]
