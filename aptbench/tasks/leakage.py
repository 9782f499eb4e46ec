"""`audit_task`: what a model could know of the test labels of a task from its training labels."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Literal

import numpy as np
import numpy.typing as npt
from pydantic import BaseModel, ConfigDict

from aptbench.atomic import write_atomically
from aptbench.errors import InputError
from aptbench.json_file import read_json
from aptbench.tasks.audit import audit_split
from aptbench.tasks.decorrelation import decorrelation_time
from aptbench.tasks.duplicates import EXACT, NEAR, find_duplicates
from aptbench.tasks.nearest import EnvironmentDistances, environment_distances
from aptbench.tasks.split import Split, check_split

if TYPE_CHECKING:
    from aptbench.data import Dataset
    from aptbench.tasks.task import Task

MOST_FRAMES: Final = 64
"""Labels of a part whose environments are compared, evenly spread if there are more."""


class Record(BaseModel):
    """Base of what is written to audit files: frozen, and unknown fields are refused."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class Memory(Record):
    """How long one observable is remembered on the trajectory of a task.

    Parameters
    ----------
    observable : str
        See `aptbench.tasks.observables`.
    integrated_fs, squared_fs, time_fs, relative_error, decays, reliable
        See `aptbench.tasks.autocorrelation.AutocorrelationTime`.
    lengths : float
        Length of the trajectory over ``time_fs``.
    gaps : float
        Gap of the split over ``time_fs``.
    """

    observable: str
    integrated_fs: float
    squared_fs: float
    time_fs: float
    relative_error: float
    decays: bool
    reliable: bool
    lengths: float
    gaps: float


class Environments(Record):
    """How near the test environments of one element are to training environments.

    Parameters
    ----------
    element, test_to_train, train_to_train, ratio, same_atom, same_atom_by_chance
        See `aptbench.tasks.nearest.EnvironmentDistances`.
    """

    element: str
    test_to_train: float
    train_to_train: float | None
    ratio: float | None
    same_atom: float | None
    same_atom_by_chance: float | None

    @classmethod
    def of(cls, found: EnvironmentDistances) -> Environments:
        """Return the record of a measurement, rounded."""
        fields = {name: getattr(found, name) for name in cls.model_fields}
        rounded = {k: significant(v) if isinstance(v, float) else v for k, v in fields.items()}
        return cls.model_validate(rounded)


class LeakageAudit(Record):
    """The audit of one split, as it is kept in ``datasets/NAME/audits/SPLIT.json``.

    Parameters
    ----------
    format : str
    task : str
        With its version.
    content_hash, split_hash : str
        Of the data and of the split that were audited.
    promised_gap_fs, gap_fs : float
        Least time between labels of different parts, in fs: promised and found.
    nearest_train_fs : tuple of three floats
        Time from a test label to the nearest training label in fs: least, median, largest.
    unused : int
        Labels in no part.
    trajectory_fs : float
        Length of the trajectory in fs.
    memory : tuple of Memory
        The longest first.
    environments : tuple of Environments
    compared : dict
        Labels whose environments were compared, by part.
    duplicates : tuple of pairs of int
        Test label and training or validation label that are the same.
    near_duplicates : int
        Test labels that are nearly the same as a training or validation label, those included.
    """

    format: Literal["leakage@1"] = "leakage@1"
    task: str
    content_hash: str
    split_hash: str
    promised_gap_fs: float
    gap_fs: float
    nearest_train_fs: tuple[float, float, float]
    unused: int
    trajectory_fs: float
    memory: tuple[Memory, ...]
    environments: tuple[Environments, ...]
    compared: dict[str, int]
    duplicates: tuple[tuple[int, int], ...]
    near_duplicates: int

    @property
    def breaches(self) -> tuple[str, ...]:
        """What the split promises and does not hold, as sentences."""
        found = []
        # Times are multiples of the step stored in floating point: a rounding error is no breach.
        if self.gap_fs < self.promised_gap_fs * (1 - 1e-6):
            found.append(f"gap of {self.gap_fs:g} fs, promised {self.promised_gap_fs:g} fs")
        return (*found, *copies_in_words(self.duplicates))


def audit_task(task: Task, dataset: Dataset) -> LeakageAudit:
    """Audit the split of a task: times, memory of the trajectory, environments, duplicates.

    Parameters
    ----------
    task : Task
    dataset : Dataset
        The data that the split names.

    Returns
    -------
    LeakageAudit
        A breach is a part of it (`LeakageAudit.breaches`), not an error.

    Raises
    ------
    AlignmentError
        If the split was made for other data, or names labels that do not exist or twice.
    InputError
        If the system is no trajectory, or its split has no training part.

    Notes
    -----
    Tensors are compared only where every frame is labelled: their correlation in time.
    """
    from aptbench.data.stored_frames import StoredFrames

    split, system = task.within, task.system
    # its gap is measured below, and reported
    check_split(split.model_copy(update={"gap_fs": 0.0}), dataset)
    times, at = dataset.times(system), dataset.label_frames(system)
    spacing = audit_split(split.parts, times[at])
    if not split.train:
        raise InputError(f"The task {task.identity} has no training labels to leak from.")
    dense = dataset.n_labels(system) == dataset.n_frames(system)
    trajectory = StoredFrames(dataset, system)
    remembered = decorrelation_time(
        trajectory, times, dataset.labelled(system).apt if dense else None
    )
    memory = [
        Memory(
            observable=name,
            integrated_fs=significant(found.integrated_fs),
            squared_fs=significant(found.squared_fs),
            time_fs=significant(found.time_fs),
            relative_error=significant(found.relative_error),
            decays=found.decays,
            reliable=found.reliable,
            lengths=significant(found.lengths),
            gaps=significant(spacing.gap_fs / found.time_fs),
        )
        for name, found in remembered.observables.items()
    ]
    low, high = min(spacing.nearest_train_fs), max(spacing.nearest_train_fs)
    return LeakageAudit(
        task=task.identity,
        content_hash=dataset.content_hash,
        split_hash=split.hash,
        promised_gap_fs=split.gap_fs,
        gap_fs=spacing.gap_fs,
        nearest_train_fs=(low, float(np.median(spacing.nearest_train_fs)), high),
        unused=len(spacing.unused),
        trajectory_fs=float(np.ptp(times)),
        memory=tuple(sorted(memory, key=lambda one: -one.time_fs)),
        **likeness_of_parts(split, dataset),
    )


def likeness_of_parts(split: Split, dataset: Dataset) -> dict[str, Any]:
    """Compare the test frames of a split with what a model has seen, whatever their times.

    Parameters
    ----------
    split : Split
    dataset : Dataset
        Only the frames of the parts are read.

    Returns
    -------
    dict
        The fields ``environments``, ``compared``, ``duplicates`` and ``near_duplicates`` of an
        audit, see `LeakageAudit`.
    """
    labels = [*split.train, *split.validation]
    known, test = (dataset.labelled(split.system, one).frames for one in (labels, split.test))
    few = {part: spread(range(len(split.parts[part]))) for part in ("train", "test")}
    same = find_duplicates({"test": test}, {"known": known}, tolerance=NEAR)
    pairs = {(split.test[d.first[1]], labels[d.second[1]]) for d in same if d.deviation <= EXACT}
    return {
        "environments": tuple(
            Environments.of(one)
            for one in environment_distances(
                [known[few["train"]]], [test[few["test"]]], same_system=True
            )
        ),
        "compared": {part: len(chosen) for part, chosen in few.items()},
        "duplicates": tuple(sorted(pairs)),
        "near_duplicates": len({d.first for d in same}),
    }


def copies_in_words(duplicates: Sequence[tuple[int, int]]) -> tuple[str, ...]:
    """Return what copies of training labels in the test break, as no sentence or one."""
    if not duplicates:
        return ()
    pairs = ", ".join(f"{test} and {train}" for test, train in duplicates[:5])
    return (f"{len(duplicates)} copies of training labels in test ({pairs})",)


def audit_path(dataset: str, split: str) -> Path:
    """Return where the audit of a split of a catalogued data set is kept."""
    from aptbench.data import root

    return root() / "datasets" / dataset / "audits" / f"{split}.json"


def read_record(path: str | Path, kind: type[Any]) -> Any:
    """Read a file of a `Record`.

    Raises
    ------
    InputError
        If the file is absent or does not have the fields of the record.
    """
    return read_json(kind, path, "audit", "aptbench audit")


def write_record(record: Record, path: str | Path) -> Path:
    """Write a record as JSON, atomically; return the path."""
    return write_atomically(Path(path), record.model_dump_json(indent=2) + "\n")


def agree(one: Any, other: Any, tolerance: float = 2e-3) -> bool:
    """Return whether two records, or parts of them as JSON, say the same up to rounding.

    >>> agree({"a": [1.0, "x"]}, {"a": [1.001, "x"]}), agree([1.0], [1.1]), agree([1], [1, 2])
    (True, False, False)
    """
    if isinstance(one, Record) and isinstance(other, Record):
        return agree(one.model_dump(mode="json"), other.model_dump(mode="json"), tolerance)
    if isinstance(one, dict) and isinstance(other, dict):
        return one.keys() == other.keys() and all(agree(one[k], other[k], tolerance) for k in one)
    if isinstance(one, list) and isinstance(other, list):
        pairs = zip(one, other, strict=False)
        return len(one) == len(other) and all(agree(a, b, tolerance) for a, b in pairs)
    if isinstance(one, float) and isinstance(other, float):
        return abs(one - other) <= tolerance * max(abs(one), abs(other))
    return bool(one == other)


def significant(value: float, digits: int = 4) -> float:
    """Round to some significant digits.

    >>> significant(1234.56), significant(0.000123456)
    (1235.0, 0.0001235)
    """
    return float(f"{value:.{digits}g}")


def spread(labels: npt.ArrayLike, most: int = MOST_FRAMES) -> npt.NDArray[np.int64]:
    """Return labels evenly spread over those given, ``most`` at most.

    >>> spread(range(10), 4).tolist()
    [0, 3, 6, 9]
    """
    every = np.asarray(labels, np.int64)
    if len(every) <= most:
        return every
    return every[np.round(np.linspace(0, len(every) - 1, most)).astype(int)]
