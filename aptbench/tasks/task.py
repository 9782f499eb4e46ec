"""`Task`: data, split, metrics and spectral protocol that together give one comparable number."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from aptbench.data import root
from aptbench.errors import InputError, UnknownNameError
from aptbench.tasks.split import Split, read_split

PROTOCOL = "ir@1"


@dataclass(frozen=True)
class Task:
    """A frozen definition; a change of anything in it is a new version.

    Parameters
    ----------
    name : str
        Data set and split, as in ``water/iid``.
    version : int
    split : Split
        Label indices, and the data that they belong to.
    protocol : str
        Name of the spectral protocol.
    metrics : tuple of str
        Names of the metrics that are scored; all that apply to the system if empty.
    """

    name: str
    version: int
    split: Split
    protocol: str = PROTOCOL
    metrics: tuple[str, ...] = ()

    @property
    def dataset(self) -> str:
        """Name of the data set."""
        return self.split.dataset

    @property
    def system(self) -> str:
        """Name of the system within the data set."""
        return self.split.system

    @property
    def train(self) -> tuple[int, ...]:
        """Label indices for training."""
        return self.split.train

    @property
    def validation(self) -> tuple[int, ...]:
        """Label indices for choices made while training."""
        return self.split.validation

    @property
    def test(self) -> tuple[int, ...]:
        """Label indices that a model is scored on."""
        return self.split.test

    @property
    def content_hash(self) -> str:
        """Content hash of the data."""
        return self.split.content_hash

    @property
    def identity(self) -> str:
        """Name with the version, as in ``water/iid@1``."""
        return f"{self.name}@{self.version}"


def split_path(dataset: str, split: str) -> Path:
    """Return where the split of a catalogued data set is kept."""
    return root() / "datasets" / dataset / "splits" / f"{split}.json"


def available_tasks() -> tuple[str, ...]:
    """Return the names of all tasks of the project, sorted."""
    return tuple(
        sorted(
            f"{path.parents[1].name}/{path.stem}"
            for path in (root() / "datasets").glob("*/splits/*.json")
        )
    )


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
        If the split file is damaged or belongs to another data set, or the version is another one.
    """
    base, _, version = name.partition("@")
    known = available_tasks()
    if base not in known:
        raise UnknownNameError("task", name, known)
    dataset, split_name = base.split("/")
    split = read_split(split_path(dataset, split_name))
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
