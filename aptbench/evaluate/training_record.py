"""`training_record`: what weights say they were trained on, held against the test of a task."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from aptbench.errors import AlignmentError, StoreError
from aptbench.evaluate.result import Training, TrainingStatus
from aptbench.json_file import faults
from aptbench.tasks import Task
from aptbench.tasks.transfer import LabelSet

if TYPE_CHECKING:
    from aptbench.data import Dataset

Labels = dict[tuple[str, str], set[int]]
"""Indices of labels by content hash and system."""


class _DataName(BaseModel):
    name: str = ""
    version: str = ""


class TrainingProvenance(BaseModel):
    """The keys of a model's ``provenance_`` that are read; `aptbench train` writes them all.

    Parameters
    ----------
    task : str
        With its version.
    dataset : mapping
        ``name`` and ``version``.
    system : str
    content_hash, split_hash : str or None
    train, validation : list of int or None
        Indices of the labels, which mean the same labels as long as the content hash is the same.
    train_sets, validation_sets : list of LabelSet or None
        The labels of weights that were trained on several systems, instead of ``system``,
        ``content_hash``, ``train`` and ``validation``.
    train_frames, validation_frames : list of int or None
        The same labels as frames of the trajectory, which later versions of the data keep.
    seconds : float or None
        Wall time.
    device : str
    threads, n_parameters : int or None
    """

    model_config = ConfigDict(extra="ignore", frozen=True)

    task: str = ""
    dataset: _DataName = Field(default_factory=_DataName)
    system: str = ""
    content_hash: str | None = None
    split_hash: str | None = None
    train: tuple[int, ...] | None = None
    validation: tuple[int, ...] | None = None
    train_sets: tuple[LabelSet, ...] | None = None
    validation_sets: tuple[LabelSet, ...] | None = None
    train_frames: tuple[int, ...] | None = None
    validation_frames: tuple[int, ...] | None = None
    seconds: float | None = Field(default=None, ge=0, allow_inf_nan=False)
    device: str = ""
    threads: int | None = None
    n_parameters: int | None = None

    def labels(self, system: str) -> dict[str, Labels] | None:
        """Return labels of training and validation, None if not recorded.

        Old weights do not name their system: it is ``system`` then.
        """
        if self.train_sets is not None:
            return {
                "train": _by_system(self.train_sets),
                "validation": _by_system(self.validation_sets or ()),
            }
        if self.train is None or self.content_hash is None:
            return None
        at = (self.content_hash, self.system or system)
        return {"train": {at: set(self.train)}, "validation": {at: set(self.validation or ())}}

    @classmethod
    def of(cls, model: Any) -> TrainingProvenance | None:
        """Return what a model carries in ``provenance_``, None if it is nothing.

        Raises
        ------
        StoreError
            If it is not of this form.
        """
        found = getattr(model, "provenance_", None)
        if not found:
            return None
        try:
            return cls.model_validate(found)
        except ValidationError as error:
            raise StoreError(
                "The weights do not say in the usual form what they were trained on.",
                got=f"provenance {faults(error)}",
                do="train the model again with 'aptbench train'",
            ) from None


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
    parts = {part: _by_system(sets) for part, sets in task.parts.items()}
    if labels is not None:
        known = {content_hash for part in parts.values() for content_hash, _ in part}
        said_hashes = {content_hash for part in labels.values() for content_hash, _ in part}
        # one data set in common is enough for a leak, whatever else the weights learned from
        if said_hashes <= known or said_hashes & known:
            status = _compare(model, task, "label", labels, parts)
            note = f"system {said.system}" if status == "other data" and said.system else ""
            return Training(status=status, note=note, **record)
    # The name of the task tells the data set of weights that are older than their own record.
    name = said.dataset.name or said.task.partition("/")[0]
    if name != task.dataset or said.system not in ("", *task.systems):
        return Training(status="other data", **record)
    if said.train_frames is None or len(task.systems) > 1:
        note = "other version of the data, frames not recorded: a leak cannot be excluded"
        return Training(status="other data", note=note, **record)
    frames, at = dataset.label_frames(task.system), ("", task.system)
    by_frame: dict[str, Labels] = {
        part: {at: set(frames[list(task.labels_of(part).get(task.system, ()))].tolist())}
        for part in parts
    }
    said_frames: dict[str, Labels] = {
        "train": {at: set(said.train_frames)},
        "validation": {at: set(said.validation_frames or ())},
    }
    status = _compare(model, task, "frame", said_frames, by_frame)
    return Training(status=status, note="compared by frames: the data have changed since", **record)


def parameter_count(model: Any) -> int | None:
    """Return how many numbers a model has learned, None if it does not say."""
    count = getattr(model, "n_parameters", None)
    return int(count) if isinstance(count, int) and count >= 0 else None


def _by_system(sets: Iterable[LabelSet]) -> Labels:
    labels: Labels = {}
    for one in sets:
        for system, chosen in one.labels.items():
            labels.setdefault((one.content_hash, system), set()).update(chosen)
    return labels


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
