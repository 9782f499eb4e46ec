"""`TransferSplit`: train on labels of some systems, test on labels of others, and its file."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any, Final, Literal

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    PlainSerializer,
)

from aptbench.json_file import read_json

Axis = Literal[
    "temperature",
    "phase",
    "size",
    "density",
    "chemistry",
    "bulk-to-cluster",
    "cluster-to-bulk",
    "molecules-left-out",
    "level-of-theory",
]
"""What is different between training and test."""
_MOST: Final = 10**7


def pack_labels(labels: Sequence[int]) -> str | list[int]:
    """Return labels as they are written: ``start:stop:step`` where that says the same.

    >>> pack_labels([0, 50, 100, 150]), pack_labels([3, 1]), pack_labels([1, 2, 4])
    ('0:151:50', [3, 1], [1, 2, 4])
    """
    if len(labels) > 2:
        step = labels[1] - labels[0]
        if step > 0 and list(labels) == list(range(labels[0], labels[-1] + 1, step)):
            return f"{labels[0]}:{labels[-1] + 1}:{step}"
    return list(labels)


def unpack_labels(written: Any) -> Any:
    """Return the labels of ``start:stop:step``; anything else as it is, to be validated.

    >>> unpack_labels("0:151:50")
    (0, 50, 100, 150)
    """
    if not isinstance(written, str):
        return written
    try:
        start, stop, step = map(int, written.split(":"))
        if min(start, stop, step - 1) < 0 or stop - start > _MOST * step:
            raise ValueError
    except ValueError:
        raise ValueError("labels must be integers, or 'start:stop:step'") from None
    return tuple(range(start, stop, step))


Labels = Annotated[
    tuple[Annotated[int, Field(ge=0)], ...],
    BeforeValidator(unpack_labels),
    PlainSerializer(pack_labels, when_used="json"),
    Field(min_length=1),
]


class LabelSet(BaseModel):
    """Labels of systems of one data set.

    Parameters
    ----------
    dataset, content_hash : str
        The data set, and the content that the indices belong to.
    labels : dict of str to tuple of int
        Indices into the labels of each system.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    dataset: str = Field(min_length=1)
    content_hash: str = Field(min_length=8)
    labels: dict[str, Labels] = Field(min_length=1)

    @property
    def n_labels(self) -> int:
        """Number of labels in all systems."""
        return sum(len(labels) for labels in self.labels.values())


class SourceSplit(BaseModel):
    """The split that training and validation labels were taken from.

    Parameters
    ----------
    task : str
        With its version, as in ``water/iid@2``.
    hash : str
        Of the split.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    task: str = Field(pattern=r"^[^/@]+/[^/@]+@[0-9]+$")
    hash: str = Field(min_length=8)


class TransferSplit(BaseModel):
    """A division along one axis: no system of the test is one of training.

    The exception is a split with ``adapted``: to the labels of other systems come the training
    labels of a split within the system of the test, and the test is that of this split. It says how
    well a model gets used to something new with few labels.

    Parameters
    ----------
    name, dataset : str
        The task is ``dataset/name``; the data set is that of the test labels.
    axis : str
        See `Axis`.
    train, validation, test : tuple of LabelSet
        One entry a data set at most; those of ``test`` are of ``dataset``.
    source : SourceSplit, optional
        The split whose parts ``train`` and ``validation`` are.
    adapted : SourceSplit, optional
        The split within the system of the test whose parts are added.
    same_theory : bool
        Whether all labels are of one level of theory, as `check_transfer` demands then. Otherwise
        an error on the test is that of the model and the difference of the theories.
    rule : str
        How the division was made, in words.
    version : int
        Of the task: another division, or one of other data, is a new version.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    format: Literal["transfer@1"] = "transfer@1"
    name: str = Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]*$")
    dataset: str = Field(min_length=1)
    axis: Axis
    train: tuple[LabelSet, ...] = Field(min_length=1)
    validation: tuple[LabelSet, ...] = ()
    test: tuple[LabelSet, ...] = Field(min_length=1)
    source: SourceSplit | None = None
    adapted: SourceSplit | None = None
    same_theory: bool = True
    rule: str = Field(min_length=1)
    version: int = Field(1, ge=1)

    @property
    def identity(self) -> str:
        """Name of the task with its version."""
        return f"{self.dataset}/{self.name}@{self.version}"

    @property
    def parts(self) -> dict[str, tuple[LabelSet, ...]]:
        """The three parts by name."""
        return {"train": self.train, "validation": self.validation, "test": self.test}

    @property
    def hash(self) -> str:
        """SHA-256 over the axis, the level of theory and all labels with their content hashes."""
        content = {
            "axis": self.axis,
            "same_theory": self.same_theory,
            "parts": {
                name: sorted(
                    [part.dataset, part.content_hash, system, list(labels)]
                    for part in parts
                    for system, labels in part.labels.items()
                )
                for name, parts in self.parts.items()
            },
        }
        return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()


def transfer_path(dataset: str, name: str) -> Path:
    """Return where a transfer split of a catalogued data set is kept."""
    from aptbench.data import root

    return root() / "datasets" / dataset / "transfers" / f"{name}.json"


def available_transfers() -> tuple[str, ...]:
    """Return the names of all transfer splits of the project, sorted."""
    from aptbench.data import root

    paths = (root() / "datasets").glob("*/transfers/*.json")
    return tuple(sorted(f"{path.parents[1].name}/{path.stem}" for path in paths))


def read_transfer(path: str | Path) -> TransferSplit:
    """Read the file of a transfer split; see `check_transfer` for the comparison with the data.

    Raises
    ------
    InputError
        If the file is absent, is not JSON, or does not have the fields of `TransferSplit`.
    """
    return read_json(TransferSplit, path, "transfer split", "write one with: aptbench transfer")
