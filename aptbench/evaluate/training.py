"""`TrainingLabels`: what a model may learn from for a task, and the record of it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from aptbench.data import open_dataset
from aptbench.evaluate.versions import versions
from aptbench.frames import LabelledFrames
from aptbench.tasks import Task, check_part, check_split
from aptbench.tasks.data_selection import DataSelection, check_selection
from aptbench.tasks.subsets import label_subsets

if TYPE_CHECKING:
    from aptbench.data import Dataset


@dataclass(frozen=True, eq=False)
class TrainingLabels:
    """Labels to fit a model to.

    Parameters
    ----------
    train : LabelledFrames
    validation : LabelledFrames or None
        Only selects; None where the task has none.
    provenance : dict
        What weights that are trained on them must carry: ``task``, ``dataset`` (name, version),
        ``system``, ``content_hash``, ``split_hash``; ``train`` and ``validation`` (indices of the
        labels), ``train_frames`` and ``validation_frames`` (frames of the trajectory, which later
        versions of the data keep); ``versions`` of the packages.
    """

    train: LabelledFrames
    validation: LabelledFrames | None
    provenance: dict[str, Any]


def training_labels(
    task: Task,
    dataset: Dataset,
    n_labels: int | None = None,
    selection: DataSelection | None = None,
) -> TrainingLabels:
    """Return the labels of a task that a model may be fitted to.

    Parameters
    ----------
    task : Task
    dataset : Dataset
        The data that the task names.
    n_labels : int, optional
        Budget of training labels, the first ones of
        `aptbench.tasks.subsets.nested_order`; all if None.
    selection : DataSelection, optional
        Spends the budget instead: its first labels.

    Raises
    ------
    AlignmentError
        If the data are not those of the task.
    InputError
        If the task does not have so many training labels.
    """
    check_split(task.within, dataset)
    label_frames = dataset.label_frames(task.system)
    times = dataset.times(task.system)[label_frames] if dataset.has_times(task.system) else None
    if selection is not None:
        check_selection(selection, task)
        train = selection.first(n_labels)
    elif n_labels is not None:
        (subset,) = label_subsets(task.within, times, [n_labels])
        train = subset.labels
    else:
        train = task.train
    provenance = {
        "task": task.identity,
        "dataset": {"name": dataset.name, "version": dataset.version},
        "system": task.system,
        "content_hash": task.content_hash,
        "split_hash": task.split.hash,
        "train": list(train),
        "validation": list(task.validation),
        "train_frames": label_frames[list(train)].tolist(),
        "validation_frames": label_frames[list(task.validation)].tolist(),
        "versions": versions(),
    }
    validation = (
        dataset.labelled(task.system, np.array(task.validation)) if task.validation else None
    )
    return TrainingLabels(dataset.labelled(task.system, np.array(train)), validation, provenance)


@dataclass(frozen=True, eq=False)
class TransferLabels:
    """Labels of several systems to fit a model to.

    Parameters
    ----------
    train, validation : tuple of LabelledFrames
        One a system; the latter only select.
    provenance : dict
        ``task``, ``split_hash``, ``versions`` and, as `aptbench.tasks.transfer.LabelSet` writes
        them, ``train_sets`` and ``validation_sets``; ``train_set_frames`` and
        ``validation_set_frames`` (by data set and system, the frames of the trajectories, which
        later versions of the data keep).
    """

    train: tuple[LabelledFrames, ...]
    validation: tuple[LabelledFrames, ...]
    provenance: dict[str, Any]


def transfer_labels(task: Task) -> TransferLabels:
    """Return the labels of a transfer task that a model may be fitted to; its data sets are opened.

    Raises
    ------
    AlignmentError
        If the data are not those of the task.
    """
    found: dict[str, tuple[LabelledFrames, ...]] = {}
    datasets: dict[str, Dataset] = {}
    for part in ("train", "validation"):
        sets = task.parts[part]
        datasets |= {s.dataset: open_dataset(s.dataset) for s in sets if s.dataset not in datasets}
        check_part(task, part, datasets)
        found[part] = tuple(
            datasets[one.dataset].labelled(system, np.array(labels))
            for one in sets
            for system, labels in one.labels.items()
        )
    provenance = {
        "task": task.identity,
        "split_hash": task.split.hash,
        **{
            f"{part}_sets": [one.model_dump(mode="json") for one in task.parts[part]]
            for part in ("train", "validation")
        },
        **{
            f"{part}_set_frames": {
                one.dataset: {
                    system: datasets[one.dataset].label_frames(system)[list(labels)].tolist()
                    for system, labels in one.labels.items()
                }
                for one in task.parts[part]
            }
            for part in ("train", "validation")
        },
        "versions": versions(),
    }
    return TransferLabels(found["train"], found["validation"], provenance)
