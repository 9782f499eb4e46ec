"""`training_record`: what weights say they were trained on, held against the test of a task."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from aptbench.errors import AlignmentError, StoreError
from aptbench.evaluate.result import Training, TrainingStatus
from aptbench.evaluate.training_provenance import Labels, TrainingProvenance, labels_by_system
from aptbench.tasks import Task

if TYPE_CHECKING:
    from aptbench.data import Dataset


def training_record(model: Any, task: Task, dataset: Dataset) -> Training:
    """Return what a model was trained on; refuse it if that is part of the test.

    Labels are compared by index where the data are the same, and else by the frame of the
    trajectory, if data set and system are the same: a release of more labels renumbers the labels,
    not the frames.

    Parameters
    ----------
    model : object
        With ``provenance_`` and ``n_parameters``, if it has them.
    task : Task
    dataset : Dataset
        The data that the task names.

    Returns
    -------
    Training

    Raises
    ------
    AlignmentError
        If a test label of the task was among the training or validation labels.
    """
    try:
        said = TrainingProvenance.of(model)
    except StoreError as error:
        return Training(status="unknown", note=f"{error.what} {error.got}")
    if said is None:
        if parameter_count(model) == 0:
            return Training(status="not trained")
        return Training(status="unknown", note="the weights carry no record of their training")
    record: dict[str, Any] = {
        "task": said.task,
        "data": f"{said.dataset.name} {said.dataset.version}".strip(),
        "content_hash": said.content_hash,
        "split_hash": said.split_hash,
    }
    labels = said.labels(task.systems[0])
    if labels is None and said.train_frames is None:
        return Training(status="unknown", note="the weights do not name their labels", **record)
    parts = {part: labels_by_system(sets) for part, sets in task.parts.items()}
    frames, complete = said.frames_of(task.dataset, task.content_hash, task.systems)
    by_frame: TrainingStatus | None = None
    if any(frames.values()):
        by_frame = _compare(model, task, "frame", frames, _frames_of_parts(task, dataset))
    status: TrainingStatus = "other data"
    note = "" if by_frame is None else "compared by frames: the data have changed since"
    known = {content_hash for part in parts.values() for content_hash, _ in part}
    hashes = {content_hash for part in (labels or {}).values() for content_hash, _ in part}
    # one data set in common is enough for a leak, whatever else the weights learned from
    if labels is not None and (hashes <= known or hashes & known):
        status = _compare(model, task, "label", labels, parts)
        if status == "other data" and said.system:
            note = f"system {said.system}"
    elif by_frame is not None and said.train_sets is None:
        status = by_frame
    if not complete:
        note = "other version of the data, frames not recorded: a leak cannot be excluded"
    return Training(status=status, note=note, **record)


def parameter_count(model: Any) -> int | None:
    """Return how many numbers a model has learned, None if it does not say."""
    count = getattr(model, "n_parameters", None)
    return int(count) if isinstance(count, int) and count >= 0 else None


def _frames_of_parts(task: Task, dataset: Dataset) -> dict[str, Labels]:
    """Return the frames of the labels of each part, of the data set of the test."""
    return {
        part: {
            ("", system): set(dataset.label_frames(system)[list(labels)].tolist())
            for system, labels in task.labels_of(part).items()
        }
        for part in task.parts
    }


def _compare(
    model: Any, task: Task, what: str, said: Mapping[str, Labels], parts: Mapping[str, Labels]
) -> TrainingStatus:
    def inside(labels: Labels, *allowed: str) -> bool:
        return all(
            chosen <= set().union(*(parts[part].get(at, set()) for part in allowed))
            for at, chosen in labels.items()
        )

    leaked = sorted(
        label
        for labels in said.values()
        for at, chosen in labels.items()
        for label in chosen & parts["test"].get(at, set())
    )
    if leaked:
        name = getattr(model, "name", type(model).__name__)
        raise AlignmentError(
            f"The model {name!r} was trained on test labels of the task {task.identity}.",
            got=f"{what} {', '.join(map(str, leaked))} among its training and validation labels",
            expected="none of the test in either",
            do=f"train it anew: aptbench train {name} --task {task.name}",
        )
    systems = {at for part in parts.values() for at in part}
    if any(at not in systems for labels in said.values() for at in labels):
        return "other data"
    if inside(said["train"], "train") and inside(said["validation"], "train", "validation"):
        return "matches the task"
    return "other split"
