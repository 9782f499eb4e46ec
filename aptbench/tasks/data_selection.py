"""`DataSelection`: in which order an entrant would have the frames of a pool labelled."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Annotated, Final, Literal

import numpy as np
import numpy.typing as npt
from pydantic import BaseModel, ConfigDict, Field

from aptbench.atomic import write_atomically
from aptbench.errors import AlignmentError, InputError, UnknownNameError
from aptbench.json_file import read_json
from aptbench.tasks.environments import environment_vectors
from aptbench.tasks.subsets import nested_order
from aptbench.tasks.task import Task

if TYPE_CHECKING:
    from aptbench.frames import Frames

Order = npt.NDArray[np.int64]


class DataSelection(BaseModel):
    """An order of the training labels of a task; a budget of n labels is the first n.

    The model and its recipe are fixed, and only the order is an entrant's: whoever chooses may look
    at positions, velocities and times of the pool, and at labels that come earlier in the order,
    but at no other label.

    Parameters
    ----------
    name : str
        Short name, for tables.
    task : str
        With its version, as in ``water/iid@2``.
    split_hash : str
        Of the split.
    method : str
        How it was chosen, in words.
    labels : tuple of int
        Indices of training labels, each once; the rest of the pool is not asked for.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    format: Literal["selection@1"] = "selection@1"
    name: str = Field(pattern=r"^[a-z0-9][a-z0-9._-]*$", max_length=60)
    task: str = Field(pattern=r"^[^/@]+/[^/@]+@[0-9]+$")
    split_hash: str = Field(min_length=8)
    method: str = Field(min_length=1, max_length=2000)
    labels: tuple[Annotated[int, Field(ge=0)], ...] = Field(min_length=1)

    @classmethod
    def of(cls, task: Task, order: Order, *, name: str, method: str) -> DataSelection:
        """Return the selection that takes the training labels of a task in this order."""
        return cls(
            name=name,
            task=task.identity,
            split_hash=task.split.hash,
            method=method,
            labels=tuple(task.train[k] for k in order),
        )

    def first(self, n_labels: int | None) -> tuple[int, ...]:
        """Return the labels of a budget, all if None.

        Raises
        ------
        InputError
            If the selection is not that long.
        """
        if n_labels is not None and not 1 <= n_labels <= len(self.labels):
            raise InputError(
                f"The selection {self.name!r} has no such budget.",
                got=n_labels,
                expected=f"1 to {len(self.labels)}",
            )
        return tuple(sorted(self.labels[:n_labels]))


def read_selection(path: str | Path) -> DataSelection:
    """Read the file of a selection.

    Raises
    ------
    InputError
        If it is absent, is not JSON, or does not have the fields of `DataSelection`.
    """
    return read_json(DataSelection, path, "selection")


def write_selection(selection: DataSelection, path: str | Path) -> Path:
    """Write the file of a selection atomically and return its path."""
    return write_atomically(Path(path), selection.model_dump_json(indent=1) + "\n")


def check_selection(selection: DataSelection, task: Task) -> None:
    """Compare a selection with the pool that it is taken from.

    Raises
    ------
    AlignmentError
        If it is of another task or split, takes a label twice, or one that is not for training.
    """
    if (selection.task, selection.split_hash) != (task.identity, task.split.hash):
        raise AlignmentError(
            f"The selection {selection.name!r} is of another task.",
            got=f"{selection.task} with split {selection.split_hash}",
            expected=f"{task.identity} with split {task.split.hash}",
            do="choose again from the training labels of this task",
        )
    twice = len(selection.labels) - len(set(selection.labels))
    outside = sorted(set(selection.labels) - set(task.train))
    if twice or outside:
        raise AlignmentError(
            f"The selection {selection.name!r} is not taken from the pool.",
            got=f"label {outside[0]}" if outside else f"{twice} labels that occur again",
            expected=f"training labels of {task.identity}, each once",
            do="labels of validation and test are nobody's to choose",
        )


def in_time(frames: Frames, times: npt.NDArray[np.float64], seed: int) -> Order:
    """Spread over the trajectory, as the budgets of learning curves are."""
    return np.array(nested_order(times))


def chronological(frames: Frames, times: npt.NDArray[np.float64], seed: int) -> Order:
    """The first ones, as if the simulation had been stopped."""
    return np.argsort(times, kind="stable")


def random(frames: Frames, times: npt.NDArray[np.float64], seed: int) -> Order:
    """Drawn at random."""
    return np.random.default_rng(seed).permutation(len(times))


def farthest(frames: Frames, times: npt.NDArray[np.float64], seed: int) -> Order:
    """Each next one has the atom whose surroundings are least like all that were taken."""
    vectors = environment_vectors(frames)
    numbers = frames.atomic_numbers
    kinds = [vectors[:, numbers == z] for z in np.unique(numbers)]
    mean = np.concatenate([kind.mean(1) for kind in kinds], axis=1)
    taken = [int(np.argmin(np.linalg.norm(mean - mean.mean(0), axis=1)))]
    nearest = [np.full(kind.shape[:2], np.inf) for kind in kinds]
    while len(taken) < len(frames):
        for kind, distance in zip(kinds, nearest, strict=True):
            # unit vectors: the largest product is the smallest distance
            overlap = np.einsum("fae,be->fab", kind, kind[taken[-1]]).max(-1)
            np.minimum(distance, 1 - overlap, out=distance)
        novelty = sum(distance.max(1) / distance.max() for distance in nearest)
        novelty = np.asarray(novelty)
        novelty[taken] = -np.inf
        taken.append(int(np.argmax(novelty)))
    return np.array(taken)


METHODS: Final[Mapping[str, Callable[[Frames, npt.NDArray[np.float64], int], Order]]] = (
    MappingProxyType(
        {
            "in-time": in_time,
            "chronological": chronological,
            "random": random,
            "farthest": farthest,
        }
    )
)
"""Reference methods: from frames and times of a pool to an order of it, without any label."""


BY_TIME: Final = ("in-time", "chronological")
"""Methods of `METHODS` that look at times."""


def select(
    task: Task, frames: Frames, times: npt.NDArray[np.float64] | None, method: str, *, seed: int = 0
) -> DataSelection:
    """Order the pool of a task by one of the reference methods.

    Parameters
    ----------
    task : Task
    frames : Frames
        Of the training labels, in their order.
    times : array, shape (label,), or None
        Of the training labels, in fs; None for frames without times.
    method : str
        A name of `METHODS`.
    seed : int
        Of methods that draw.

    Raises
    ------
    UnknownNameError
        If there is no such method.
    InputError
        If the method looks at times, and there are none.
    """
    if method not in METHODS:
        raise UnknownNameError("method of selection", method, METHODS)
    if times is None:
        if method in BY_TIME:
            raise InputError(
                f"The method {method!r} orders by time, and the frames of {task.identity} have "
                "none.",
                expected=f"one of {', '.join(name for name in METHODS if name not in BY_TIME)}",
            )
        times = np.arange(len(frames), dtype=float)
    name = f"{method}-{seed}" if method == "random" else method
    words = " ".join((METHODS[method].__doc__ or "").split())
    order = METHODS[method](frames, np.asarray(times, float), seed)
    return DataSelection.of(task, order, name=name, method=words)
