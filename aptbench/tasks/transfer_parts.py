"""`training_labels` and `labels_to_test`: the parts of a transfer split, from words as typed.

A source is ``DATASET/SPLIT``, whose training and validation parts are taken, or
``DATASET:SYSTEM,SYSTEM`` or ``DATASET``, whose labels are taken.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from aptbench.errors import InputError, UnknownNameError
from aptbench.tasks.task import load_task
from aptbench.tasks.transfer import LabelSet, SourceSplit

if TYPE_CHECKING:
    from aptbench.data import Dataset


@dataclass(frozen=True)
class TrainingLabels:
    """Training and validation labels of a transfer split.

    Parameters
    ----------
    train, validation : tuple of LabelSet
    rule : str
        How they were chosen, in words.
    source : SourceSplit or None
        The split that they are parts of.
    """

    train: tuple[LabelSet, ...]
    validation: tuple[LabelSet, ...]
    rule: str
    source: SourceSplit | None = None


def training_labels(
    source: str,
    *,
    stride: int | None = None,
    validation: float | None = None,
    gap_fs: float | None = None,
    leave_out: Collection[str] = (),
) -> TrainingLabels:
    """Return training and validation labels of a source.

    Parameters
    ----------
    source : str
        ``DATASET/SPLIT``, ``DATASET:SYSTEM,SYSTEM`` or ``DATASET``.
    stride : int, optional
        Take every so many labels of a system; all if not given.
    validation : float, optional
        Share of the labels of each system that validates, its last ones; 0.2 if not given.
    gap_fs : float, optional
        Labels nearer in time than this to the validation labels are left out of training; none if
        not given.
    leave_out : collection of str
        Systems of the source that are not taken.

    Raises
    ------
    UnknownNameError
        If there is no such task, data set or system.
    InputError
        If nothing is left for training; or if the source is a split, whose parts are made already,
        and any of the other parameters is given.
    """
    from aptbench.data import open_dataset

    if "/" in source:
        if leave_out:
            raise InputError(
                "Systems can be left out of a data set, not out of a split.",
                got=source,
                expected="DATASET, or DATASET:SYSTEM,SYSTEM",
            )
        options = {"--stride": stride, "--validation": validation, "--gap-fs": gap_fs}
        for option, value in options.items():
            if value is not None:
                raise InputError(
                    "The parts of a split are made already, and are taken as they are.",
                    got=f"{option} {value:g} for the source {source}",
                    expected="DATASET, or DATASET:SYSTEM,SYSTEM",
                    do=f"leave out {option}",
                )
        found, split = parts_of_split(source)
        rule = f"training and validation of {source}"
        return TrainingLabels(found["train"], found["validation"], rule, split)
    stride = 1 if stride is None else stride
    validation = 0.2 if validation is None else validation
    gap_fs = 0.0 if gap_fs is None else gap_fs
    name, systems = _names(source)
    dataset = open_dataset(name)
    chosen = _known(dataset, systems, leave_out)
    train, held = {}, {}
    for system in chosen:
        labels = np.arange(0, dataset.n_labels(system), stride)
        n_held = round(validation * len(labels))
        first, last = labels[: len(labels) - n_held], labels[len(labels) - n_held :]
        if n_held and gap_fs and dataset.has_times(system):
            times = dataset.times(system)[dataset.label_frames(system)]
            first = first[times[last[0]] - times[first] >= gap_fs * (1 - 1e-9)]
        train[system], held[system] = first, last
    without = f" without {', '.join(leave_out)}" if leave_out else ""
    return TrainingLabels(
        _one_set(dataset.name, dataset.content_hash, train),
        _one_set(dataset.name, dataset.content_hash, held),
        f"label 1 of {stride} of {source}{without}, of each system the last share of "
        f"{validation:g} for validation after a gap of {gap_fs:g} fs",
    )


def parts_of_split(name: str) -> tuple[dict[str, tuple[LabelSet, ...]], SourceSplit]:
    """Return the parts of a split within one system by name, and the split as a source."""
    task = load_task(name)
    split = task.within
    parts = {
        part: _one_set(task.dataset, task.content_hash, {split.system: labels})
        for part, labels in split.parts.items()
    }
    return parts, SourceSplit(task=task.identity, hash=split.hash)


def labels_to_test(
    target: str, *, stride: int = 1, only: Sequence[str] = ()
) -> tuple[LabelSet, ...]:
    """Return test labels of a target.

    Parameters
    ----------
    target : str
        ``DATASET:SYSTEM,SYSTEM`` or ``DATASET``.
    stride : int
        Take every so many labels of a system.
    only : sequence of str
        Systems to take; all of the target if empty.

    Raises
    ------
    InputError
        If the target is a split.
    UnknownNameError
        If there is no such data set or system.
    """
    from aptbench.data import open_dataset

    if "/" in target:
        raise InputError(
            "What is tested is a data set, not a split.",
            got=target,
            expected="DATASET, or DATASET:SYSTEM,SYSTEM",
            do="--adapt DATASET/SPLIT trains on a few labels of a split too, and tests on its test",
        )
    name, systems = _names(target)
    dataset = open_dataset(name)
    labels = {
        system: np.arange(0, dataset.n_labels(system), stride)
        for system in _known(dataset, [*systems, *only], ())
    }
    return _one_set(dataset.name, dataset.content_hash, labels)


def _names(words: str) -> tuple[str, list[str]]:
    name, _, systems = words.partition(":")
    return name, [system for system in systems.split(",") if system]


def _known(dataset: Dataset, systems: Sequence[str], left_out: Collection[str]) -> list[str]:
    for system in (*systems, *left_out):
        if system not in dataset.systems:
            raise UnknownNameError(f"system of {dataset.name}", system, dataset.systems)
    chosen = [s for s in dataset.systems if s in (systems or dataset.systems) and s not in left_out]
    if not chosen:
        raise InputError(f"No system of {dataset.name} is left.", got=", ".join(left_out))
    return chosen


def _one_set(
    name: str, content_hash: str, labels: dict[str, np.ndarray] | dict[str, tuple[int, ...]]
) -> tuple[LabelSet, ...]:
    found = {system: tuple(int(k) for k in chosen) for system, chosen in labels.items()}
    found = {system: chosen for system, chosen in found.items() if chosen}
    if not found:
        return ()
    return (LabelSet(dataset=name, content_hash=content_hash, labels=found),)
