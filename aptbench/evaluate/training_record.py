"""`training_record`: what weights say they were trained on, held against the test of a task."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from aptbench.errors import AlignmentError, StoreError
from aptbench.evaluate.result import Training, TrainingStatus
from aptbench.tasks import Task

if TYPE_CHECKING:
    from aptbench.data import Dataset


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
    train_frames: tuple[int, ...] | None = None
    validation_frames: tuple[int, ...] | None = None
    seconds: float | None = Field(default=None, ge=0, allow_inf_nan=False)
    device: str = ""
    threads: int | None = None
    n_parameters: int | None = None

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
            first = error.errors()[0]
            raise StoreError(
                "The weights do not say in the usual form what they were trained on.",
                got=f"provenance {'.'.join(map(str, first['loc']))}: {first['msg']}",
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
    if said.train is None and said.train_frames is None:
        return Training(status="unknown", note="the weights do not name their labels", **record)
    same_data = said.content_hash == task.content_hash
    if same_data and said.system not in ("", task.system):
        return Training(status="other data", note=f"system {said.system}", **record)
    if same_data and said.train is not None:
        status = _compare(model, task, "label", said.train, said.validation, task.split.parts)
        return Training(status=status, **record)
    # The name of the task tells the data set of weights that are older than their own record.
    name = said.dataset.name or said.task.partition("/")[0]
    if name != task.dataset or said.system not in ("", task.system):
        return Training(status="other data", **record)
    if said.train_frames is None:
        note = "other version of the data, frames not recorded: a leak cannot be excluded"
        return Training(status="other data", note=note, **record)
    frames = dataset.label_frames(task.system)
    parts = {name: frames[list(part)].tolist() for name, part in task.split.parts.items()}
    status = _compare(model, task, "frame", said.train_frames, said.validation_frames, parts)
    return Training(status=status, note="compared by frames: the data have changed since", **record)


def parameter_count(model: Any) -> int | None:
    """Return how many numbers a model has learned, None if it does not say."""
    count = getattr(model, "n_parameters", None)
    return int(count) if isinstance(count, int) and count >= 0 else None


def _compare(
    model: Any,
    task: Task,
    what: str,
    train: Iterable[int],
    validation: Iterable[int] | None,
    parts: Mapping[str, Iterable[int]],
) -> TrainingStatus:
    fitted, selected = set(train), set(validation or ())
    leaked = sorted((fitted | selected) & set(parts["test"]))
    if leaked:
        name = getattr(model, "name", type(model).__name__)
        raise AlignmentError(
            f"The model {name!r} was trained on test labels of the task {task.identity}.",
            got=f"{what} {', '.join(map(str, leaked))} among its training and validation labels",
            expected="none of the test in either",
            do=f"train it anew: aptbench train {name} --task {task.name}",
        )
    allowed = set(parts["train"])
    inside = fitted <= allowed and selected <= allowed | set(parts["validation"])
    return "matches the task" if inside else "other split"
