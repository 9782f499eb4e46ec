"""`pack_submission`: predictions and what is said of them, as one folder with hashes."""

from __future__ import annotations

import hashlib
import shutil
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import Any

import yaml
from pydantic import ValidationError

from aptbench.board.submission import FILE, Submission, write_submission
from aptbench.data import open_dataset
from aptbench.errors import InputError
from aptbench.evaluate import evaluate_model
from aptbench.evaluate.current_record import CurrentRecord
from aptbench.evaluate.prediction_run import NamedModel, PredictedTensors, predict_currents
from aptbench.evaluate.predictions import (
    Predictions,
    read_task_predictions,
    write_task_predictions,
)
from aptbench.evaluate.scoring import check_predictions
from aptbench.evaluate.task_spectrum import task_spectrum
from aptbench.json_file import faults
from aptbench.models import load_model
from aptbench.tasks import Task, load_task

_MADE_HERE = ("predictions", "currents", "format")


def read_about(path: str | Path) -> dict[str, Any]:
    """Read what an entrant says of a model: the keys of `Submission` that are not made here.

    Raises
    ------
    InputError
        If the file is absent or no YAML mapping, or has a key that is made here.
    """
    path = Path(path)
    try:
        content = yaml.safe_load(path.read_bytes())
    except FileNotFoundError:
        raise InputError(
            "There is no such file about the model.",
            got=path,
            do="write one: docs/submitting.md has an example",
        ) from None
    except yaml.YAMLError as error:
        raise InputError(f"The file {path} is not YAML.", got=error) from None
    if not isinstance(content, dict):
        raise InputError(f"The file {path} is not a mapping.", got=type(content).__name__)
    wrong = [key for key in _MADE_HERE if key in content]
    if wrong:
        raise InputError(
            f"The file {path} says what is computed here.",
            got=", ".join(wrong),
            do="leave it out",
        )
    return content


def refuse_existing(out: Path, overwrite: bool = False) -> None:
    """Raise `InputError` if something is at ``out`` that may not be replaced."""
    if out.exists() and not overwrite:
        raise InputError(
            f"There is already something at {out}.", do="choose another folder, or --overwrite"
        )
    if out.exists() and not (out / FILE).is_file():
        raise InputError(
            f"{out} is no submission, so it is not replaced.",
            got=f"no file {out / FILE}",
            do="choose another folder",
        )


def predictions_of(task: Task, model: str | Path) -> dict[str, Predictions]:
    """Let a model predict the test frames of a task.

    Raises
    ------
    AlignmentError
        If it was trained on a test label.
    """
    dataset = open_dataset(task.dataset)
    return evaluate_model(task, dataset, model).predictions


def current_of(task: Task, model: str | Path) -> CurrentRecord:
    """Let a model predict the stretch of the spectrum of a task.

    Raises
    ------
    InputError
        If the task has several systems, or no trajectory for a spectrum.
    """
    dataset = open_dataset(task.dataset)
    trajectory = task_spectrum(task, dataset).trajectory
    loaded: NamedModel = load_model(model, task=task.name)  # type: ignore[assignment]
    tensors = PredictedTensors(loaded, trajectory.frames)
    currents = predict_currents(tensors, trajectory.frames).values
    return CurrentRecord.of(loaded, currents, trajectory)


def pack_submission(
    about: Mapping[str, Any],
    predictions: Mapping[str, Mapping[str, Predictions] | Path],
    out: str | Path,
    *,
    currents: Mapping[str, CurrentRecord] = MappingProxyType({}),
    extra: Sequence[Path] = (),
    overwrite: bool = False,
) -> Submission:
    """Write a folder that `aptbench submit check` takes, as a whole or not at all.

    Parameters
    ----------
    about : mapping
        As `read_about` gives it.
    predictions : mapping of str to predictions by system, or to the path of an ``.npz``
        By task.
    out : path
        The folder.
    currents : mapping of str to CurrentRecord, optional
        By task, as `current_of` gives them.
    extra : sequence of Path
        Files that ``about`` names, such as frames of a training; copied under their names.
    overwrite : bool
        Replace a folder with a submission.

    Returns
    -------
    Submission

    Raises
    ------
    InputError
        If ``about`` is not complete, there are no predictions, or something is at ``out`` that
        may not be replaced.
    AlignmentError
        If predictions do not fit their task.
    """
    out = Path(out)
    refuse_existing(out, overwrite)
    if not predictions:
        raise InputError(
            "A submission needs predictions.",
            do="name tasks and a model, or files of predictions",
        )
    out.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=out.parent, prefix=f".{out.name}-") as temporary:
        folder = Path(temporary) / out.name
        (folder / "predictions").mkdir(parents=True)
        files = []
        for name, given in predictions.items():
            task = load_task(name)
            if isinstance(given, Path):
                given = read_task_predictions(given, task.systems)
            check_predictions(task, open_dataset(task.dataset), given)
            place = f"predictions/{task.name}.npz"
            path = write_task_predictions(given, folder / place)
            files.append({"task": task.identity, "file": place, **file_facts(path)})
        moving = []
        for name, record in currents.items():
            task = load_task(name)
            place = f"currents/{task.name}.npz"
            path = record.write(folder / place)
            moving.append({"task": task.identity, "file": place, **file_facts(path)})
        for path in extra:
            shutil.copyfile(path, folder / path.name)
        try:
            submission = Submission.model_validate(
                {**about, "predictions": files, "currents": moving}
            )
        except ValidationError as error:
            raise InputError(
                "What is said of the model is not complete.",
                got=faults(error),
                do="docs/submitting.md has an example",
            ) from None
        write_submission(submission, folder)
        if out.exists():
            shutil.rmtree(out)
        folder.rename(out)
    return submission


def file_facts(path: Path) -> dict[str, Any]:
    """Return ``sha256`` and ``bytes`` of a file."""
    with path.open("rb") as stream:
        return {
            "sha256": hashlib.file_digest(stream, "sha256").hexdigest(),
            "bytes": path.stat().st_size,
        }
