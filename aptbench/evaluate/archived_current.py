"""`archived_current`: the current of an earlier run of a model that has not changed since."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Final

from aptbench.evaluate.current_record import CurrentRecord, current_path
from aptbench.evaluate.prediction_run import NamedModel
from aptbench.evaluate.result import Timing, read_result
from aptbench.evaluate.trajectory import DenseTrajectory
from aptbench.tasks import Task

if TYPE_CHECKING:
    from aptbench.data import Dataset

PATIENCE: Final = 60.0
"""Seconds: what is made anew in less is not taken from the archive."""


def archived_current(
    archive: Path,
    task: Task,
    dataset: Dataset,
    model: NamedModel,
    mark: str | None,
    trajectory: DenseTrajectory,
) -> tuple[CurrentRecord, Timing] | None:
    """Return the archived current of a model and what it took, if the model still predicts so.

    Parameters
    ----------
    archive : Path
        Folder with ``DATASET/SPLIT/MODEL.json`` and ``DATASET/SPLIT/currents/MODEL.npz``.
    task : Task
    dataset : Dataset
        Of the test.
    model : object with ``name`` and ``predict``
    mark : str or None
        Hash of the files of the model, `aptbench.evaluate.prediction_run.fingerprint`.
    trajectory : DenseTrajectory
        Of the task.

    Returns
    -------
    CurrentRecord and Timing, or None
        None if there is none of this model, task and data, the model gives other tensors in the
        audit frames, or predicting takes less than `PATIENCE`.
    """
    path = Path(archive) / task.name / f"{model.name}.json"
    if mark is None or not path.is_file() or not current_path(path).is_file():
        return None
    old = read_result(path)
    same = (old.task, old.data.content_hash, old.model.fingerprint)
    if same != (task.identity, dataset.content_hash, mark) or old.timing is None:
        return None
    if old.timing.seconds_per_frame * len(trajectory.frames) < PATIENCE:
        return None
    record = CurrentRecord.read(current_path(path))
    return (record, old.timing) if record.is_of(model, trajectory) else None
