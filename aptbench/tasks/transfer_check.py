"""`check_transfer`: a transfer split held against the data that it names."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from aptbench.errors import AlignmentError
from aptbench.tasks.duplicates import EXACT, find_duplicates
from aptbench.tasks.split import check_split
from aptbench.tasks.task import load_task
from aptbench.tasks.transfer import LabelSet, TransferSplit

if TYPE_CHECKING:
    from aptbench.data import Dataset
    from aptbench.frames import Frames
    from aptbench.tasks.task import Task

_THEORY = ("functional", "basis", "potential")


def check_transfer(transfer: TransferSplit, datasets: Mapping[str, Dataset]) -> None:
    """Compare a transfer split with the data sets that it names.

    Parameters
    ----------
    transfer : TransferSplit
    datasets : mapping of str to Dataset
        By name, those of all parts at least.

    Raises
    ------
    AlignmentError
        If a data set is missing or its content hash differs; a system or a label does not exist, or
        a label occurs twice; a system of the test is also one of training or validation; the test
        is not of the data set that the split is kept with, or not that of the split that it adapts
        to; a test frame is that of a training or
        validation label up to a rigid motion; or the labels are not of one level of theory although
        the split says so.
    """
    what = f"The transfer split {transfer.dataset}/{transfer.name}"
    again = f"make a new one with: aptbench transfer --name NEW_NAME --axis '{transfer.axis}'"
    used: dict[tuple[str, str, int], str] = {}
    for part, sets in transfer.parts.items():
        for labels in sets:
            for label in _checked(what, part, labels, datasets, again):
                if label in used:
                    dataset, system, index = label
                    raise AlignmentError(
                        f"{what} uses one label twice.",
                        got=f"label {index} of {dataset}/{system} in {used[label]} and in {part}",
                        expected="disjoint parts",
                    )
                used[label] = part
    wrong = [part.dataset for part in transfer.test if part.dataset != transfer.dataset]
    if wrong:
        raise AlignmentError(
            f"{what} tests on another data set than its own.",
            got=wrong[0],
            expected=transfer.dataset,
        )
    systems = {
        part: {(one.dataset, name) for one in sets for name in one.labels}
        for part, sets in transfer.parts.items()
    }
    both = systems["test"] & (systems["train"] | systems["validation"])
    if transfer.adapted is not None:
        both -= _check_adapted(what, transfer, datasets)
    if both:
        raise AlignmentError(
            f"{what} tests on a system that it trains on.",
            got=", ".join("/".join(one) for one in sorted(both)),
            expected="other systems in the test",
            do="use a split within the system: aptbench split, or name one with --adapt",
        )
    if transfer.same_theory:
        _check_theory(what, transfer, datasets)
    same = find_duplicates(
        labelled_positions(transfer.test, datasets),
        labelled_positions((*transfer.train, *transfer.validation), datasets),
        tolerance=EXACT,
    )
    if same:
        one = same[0]
        raise AlignmentError(
            f"{what} tests on frames that it trains on, up to rigid motions.",
            got=f"{len({pair.first for pair in same})} of them; the {one.first[1]}th test label of "
            f"{one.first[0]} is the {one.second[1]}th of {one.second[0]}, counted from 0",
            expected="no frame in both",
        )


def check_test(task: Task, dataset: Dataset) -> None:
    """Compare the test labels of a task of any kind with the data set that they are of.

    Raises
    ------
    AlignmentError
        If the content hash differs, or a label does not exist; of a task within one system also
        what `aptbench.tasks.split.check_split` says. `check_transfer` compares all parts.
    """
    check_part(task, "test", {dataset.name: dataset})


def check_part(task: Task, part: str, datasets: Mapping[str, Dataset]) -> None:
    """Compare one part of a task with the data sets that it is of; errors as `check_test`.

    Parameters
    ----------
    task : Task
    part : str
        ``train``, ``validation`` or ``test``.
    datasets : mapping of str to Dataset
        By name, those of the part at least.
    """
    if not isinstance(task.split, TransferSplit):
        check_split(task.split, datasets[task.dataset])
        return
    again = f"make a new one with: aptbench transfer --name NEW_NAME --axis '{task.split.axis}'"
    for labels in task.parts[part]:
        for _ in _checked(f"The transfer split {task.name}", part, labels, datasets, again):
            pass


def _check_adapted(
    what: str, transfer: TransferSplit, datasets: Mapping[str, Dataset]
) -> set[tuple[str, str]]:
    """Hold a transfer against the split that it adapts to, and return the system of that."""
    assert transfer.adapted is not None
    task = load_task(transfer.adapted.task.partition("@")[0])
    split = task.within
    if (task.identity, split.hash) != (transfer.adapted.task, transfer.adapted.hash):
        raise AlignmentError(
            f"{what} adapts to another split than the one that is here.",
            got=f"{task.identity}, hash {split.hash}",
            expected=f"{transfer.adapted.task}, hash {transfer.adapted.hash}",
        )
    check_split(split, datasets[split.dataset])
    for part, sets in transfer.parts.items():
        labels = {
            label
            for one in sets
            if one.dataset == split.dataset
            for label in one.labels.get(split.system, ())
        }
        if labels != set(split.parts[part]):
            raise AlignmentError(
                f"{what} does not have the {part} labels of the split that it adapts to.",
                got=sorted(labels),
                expected=sorted(split.parts[part]),
            )
    return {(split.dataset, split.system)}


def labelled_positions(
    sets: tuple[LabelSet, ...], datasets: Mapping[str, Dataset]
) -> dict[str, Frames]:
    """Return the frames of labels, without tensors, by ``dataset/system``.

    Parameters
    ----------
    sets : tuple of LabelSet
    datasets : mapping of str to Dataset

    Returns
    -------
    dict of str to Frames
        In the order of the labels; labels of several sets of one system follow each other.
    """
    wanted: dict[tuple[str, str], list[int]] = {}
    for part in sets:
        for system, labels in part.labels.items():
            wanted.setdefault((part.dataset, system), []).extend(labels)
    found = {}
    for (name, system), chosen in wanted.items():
        # not the whole trajectory, of which this may be a small part
        found[f"{name}/{system}"] = datasets[name].labelled(system, np.array(chosen)).frames
    return found


def _checked(
    what: str, part: str, labels: LabelSet, datasets: Mapping[str, Dataset], again: str
) -> Iterator[tuple[str, str, int]]:
    """Yield every label of a set, after checking that it exists."""
    dataset = datasets.get(labels.dataset)
    if dataset is None or dataset.content_hash != labels.content_hash:
        raise AlignmentError(
            f"{what} was made for other data.",
            got=f"no data set {labels.dataset}"
            if dataset is None
            else f"data set {dataset.name} {dataset.version} with content hash "
            f"{dataset.content_hash}",
            expected=f"{labels.dataset} with content hash {labels.content_hash}",
            do=f"fetch the version that it names, or {again}",
        )
    for system, indices in labels.labels.items():
        if system not in dataset.systems:
            raise AlignmentError(
                f"The {part} part of {what[0].lower()}{what[1:]} names a system that does not "
                "exist.",
                got=f"{labels.dataset}/{system}",
                expected=f"one of {', '.join(dataset.systems)}",
            )
        n_labels = dataset.n_labels(system)
        for index in indices:
            if index >= n_labels:
                raise AlignmentError(
                    f"The {part} part of {what[0].lower()}{what[1:]} names a label that does not "
                    "exist.",
                    got=f"label {index} of {labels.dataset}/{system}",
                    expected=f"an index from 0 to {n_labels - 1}",
                )
            yield labels.dataset, system, index


def _check_theory(what: str, transfer: TransferSplit, datasets: Mapping[str, Dataset]) -> None:
    levels: dict[str, Any] = {}
    for sets in transfer.parts.values():
        for part in sets:
            for system in part.labels:
                attrs = datasets[part.dataset].system_attrs(system)
                stated = attrs.get("provenance", {}).get("labels", {})
                levels[f"{part.dataset}/{system}"] = {k: stated.get(k) for k in _THEORY}
    names = list(levels)
    for name in names[1:]:
        if levels[name] != levels[names[0]]:
            raise AlignmentError(
                f"{what} mixes levels of theory.",
                got="; ".join(
                    f"{one}: {', '.join(str(v) for v in levels[one].values() if v) or 'not stated'}"
                    for one in (names[0], name)
                ),
                expected="one level, or same_theory false (--mixed-theory)",
            )
