"""`Task`: data, split, metrics and spectral protocol that together give one comparable number."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from aptbench.data import root
from aptbench.errors import InputError, UnknownNameError
from aptbench.tasks.split import Split, read_split
from aptbench.tasks.transfer import (
    LabelSet,
    TransferSplit,
    available_transfers,
    read_transfer,
    transfer_path,
)

PROTOCOL = "ir@1"


@dataclass(frozen=True)
class Task:
    """A frozen definition; a change of anything in it is a new version.

    Parameters
    ----------
    name : str
        Data set and split, as in ``water/iid``.
    version : int
    split : Split or TransferSplit
        Label indices, and the data that they belong to: within one system, or from some systems to
        others.
    protocol : str
        Name of the spectral protocol.
    metrics : tuple of str
        Names of the metrics that are scored; all that apply to the systems if empty.
    """

    name: str
    version: int
    split: Split | TransferSplit
    protocol: str = PROTOCOL
    metrics: tuple[str, ...] = ()

    @property
    def dataset(self) -> str:
        """Name of the data set of the test."""
        return self.split.dataset

    @property
    def parts(self) -> dict[str, tuple[LabelSet, ...]]:
        """Labels for training, validation and test, by the data set that they are of."""
        if isinstance(self.split, TransferSplit):
            return self.split.parts
        one = self.split
        return {
            part: (
                LabelSet(
                    dataset=one.dataset,
                    content_hash=one.content_hash,
                    labels={one.system: labels},
                ),
            )
            if labels
            else ()
            for part, labels in one.parts.items()
        }

    def labels_of(self, part: str) -> dict[str, tuple[int, ...]]:
        """Return label indices of ``train``, ``validation`` or ``test`` by system.

        Only those of the data set of the test: a transfer task may train on others (see `parts`).
        """
        labels: dict[str, tuple[int, ...]] = {}
        for one in self.parts[part]:
            if one.dataset == self.dataset:
                labels |= one.labels
        return labels

    @property
    def test_labels(self) -> dict[str, tuple[int, ...]]:
        """Label indices that a model is scored on, by system."""
        return self.labels_of("test")

    @property
    def systems(self) -> tuple[str, ...]:
        """Systems of the test, in the order in which predictions are given."""
        return tuple(self.test_labels)

    @property
    def n_test(self) -> int:
        """Number of labelled test frames in all systems."""
        return sum(map(len, self.test_labels.values()))

    @property
    def within(self) -> Split:
        """The split of a task that trains and tests on one system.

        Raises
        ------
        InputError
            If it is a transfer task.
        """
        if isinstance(self.split, TransferSplit):
            raise InputError(
                f"This needs a task that trains and tests within one system; {self.identity} is a "
                f"transfer ({self.split.axis}).",
                expected=f"one of {', '.join(available_splits())}",
            )
        return self.split

    @property
    def system(self) -> str:
        """Name of the only system of the test.

        Raises
        ------
        InputError
            If there are several.
        """
        if len(self.systems) != 1:
            raise InputError(
                f"This needs a task of one system; {self.identity} tests on {len(self.systems)}.",
                got=", ".join(self.systems),
            )
        return self.systems[0]

    @property
    def train(self) -> tuple[int, ...]:
        """Label indices for training, of a task within one system."""
        return self.within.train

    @property
    def validation(self) -> tuple[int, ...]:
        """Label indices for choices made while training, of a task within one system."""
        return self.within.validation

    @property
    def test(self) -> tuple[int, ...]:
        """Label indices that a model is scored on, of a task within one system."""
        return self.within.test

    @property
    def content_hash(self) -> str:
        """Content hash of the data of the test."""
        return self.parts["test"][0].content_hash

    @property
    def identity(self) -> str:
        """Name with the version, as in ``water/iid@1``."""
        return f"{self.name}@{self.version}"


def split_path(dataset: str, split: str) -> Path:
    """Return where the split of a catalogued data set is kept."""
    return root() / "datasets" / dataset / "splits" / f"{split}.json"


def available_splits() -> tuple[str, ...]:
    """Return the names of all tasks within one system, sorted."""
    return tuple(
        sorted(
            f"{path.parents[1].name}/{path.stem}"
            for path in (root() / "datasets").glob("*/splits/*.json")
        )
    )


def available_tasks() -> tuple[str, ...]:
    """Return the names of all tasks of the project, transfers included, sorted."""
    return tuple(sorted({*available_splits(), *available_transfers()}))


def load_task(name: str) -> Task:
    """Return a task by its name.

    Parameters
    ----------
    name : str
        ``dataset/split``, with or without the version: ``water/iid`` or ``water/iid@2``.

    Raises
    ------
    UnknownNameError
        If there is no such task; the message proposes the nearest.
    InputError
        If the split file is damaged or belongs to another data set, the version is another one, or
        a split and a transfer have the same name.
    """
    base, _, version = name.partition("@")
    known = available_tasks()
    if base not in known:
        raise UnknownNameError("task", name, known)
    dataset, split_name = base.split("/")
    paths = split_path(dataset, split_name), transfer_path(dataset, split_name)
    if all(path.is_file() for path in paths):
        raise InputError(
            f"Two tasks are called {base!r}.",
            got=" and ".join(map(str, paths)),
            do="give one of them another name",
        )
    split = read_split(paths[0]) if paths[0].is_file() else read_transfer(paths[1])
    if version not in ("", str(split.version)):
        raise InputError(
            f"The task {base!r} has no version {version!r} here.",
            expected=f"{base}@{split.version} or {base}",
            do="an earlier version is in the release of aptbench that had it",
        )
    if (split.dataset, split.name) != (dataset, split_name):
        raise InputError(
            f"The split file of the task {base!r} is in the wrong place.",
            got=f"a split named {split.dataset}/{split.name}",
            expected=base,
        )
    return Task(base, split.version, split)
