"""`audit_duplicates`: frames that occur twice in all data sets, and training that meets tests."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import product
from pathlib import Path
from typing import TYPE_CHECKING, Final, Literal

from aptbench.tasks.duplicates import EXACT, NEAR, Duplicate, find_duplicates
from aptbench.tasks.leakage import Record, significant
from aptbench.tasks.transfer import LabelSet, TransferSplit
from aptbench.tasks.transfer_check import labelled_positions

if TYPE_CHECKING:
    from aptbench.data import Dataset
    from aptbench.tasks.task import Task

_EXAMPLES: Final = 5


class SearchedData(Record):
    """A data set whose frames were searched.

    Parameters
    ----------
    dataset, content_hash : str
    frames : dict of str to int
        Number of frames by system.
    """

    dataset: str
    content_hash: str
    frames: dict[str, int]


class RepeatedFrames(Record):
    """Two systems that have frames in common, or one that has frames twice.

    Parameters
    ----------
    first, second : str
        ``dataset/system``.
    frames : int
        Frames of the first that the second has too.
    largest_deviation : float
        Over the pairs, of an atom from its partner in angstrom.
    examples : tuple of pairs of int
        Frames of the first and the second.
    """

    first: str
    second: str
    frames: int
    largest_deviation: float
    examples: tuple[tuple[int, int], ...]


class TrainingInTest(Record):
    """A task whose training labels are test labels of a task with another data set.

    Parameters
    ----------
    train, test : str
        The two tasks, with their versions.
    same, nearly_same : int
        Test labels that are the same as a training label, and nearly the same, those included.
    """

    train: str
    test: str
    same: int
    nearly_same: int


class DuplicateAudit(Record):
    """What is twice in all data sets, as it is kept in ``datasets/duplicates.json``.

    Parameters
    ----------
    format : str
    tolerance, near_tolerance : float
        In angstrom, see `aptbench.tasks.duplicates`.
    searched : tuple of SearchedData
    repeated : tuple of RepeatedFrames
        Over all frames of all systems.
    training_in_test : tuple of TrainingInTest
        Over the parts of all tasks.
    """

    format: Literal["duplicates@1"] = "duplicates@1"
    tolerance: float
    near_tolerance: float
    searched: tuple[SearchedData, ...]
    repeated: tuple[RepeatedFrames, ...]
    training_in_test: tuple[TrainingInTest, ...]

    @property
    def breaches(self) -> tuple[str, ...]:
        """Tasks that train on the test of another data set, as sentences."""
        return tuple(
            f"{one.same} test labels of {one.test} are training labels of {one.train}"
            for one in self.training_in_test
            if one.same
        )


@dataclass(frozen=True)
class Exam:
    """Training and test labels of a task of any kind.

    Parameters
    ----------
    task : str
        With its version.
    known, test : tuple of LabelSet
        Labels of training and validation, and of the test.
    """

    task: str
    known: tuple[LabelSet, ...]
    test: tuple[LabelSet, ...]

    @classmethod
    def of(cls, task: Task | TransferSplit) -> Exam:
        """Return the exam of a task, or of a transfer split."""
        parts = task.parts
        return cls(task.identity, (*parts["train"], *parts["validation"]), parts["test"])


def audit_duplicates(
    datasets: Mapping[str, Dataset],
    exams: Sequence[Exam] = (),
    progress: Callable[[int], None] | None = None,
) -> DuplicateAudit:
    """Search all frames of all data sets for copies, and all tests for training labels.

    Parameters
    ----------
    datasets : mapping of str to Dataset
        By name.
    exams : sequence of Exam
        Of tasks of these data sets; a task is compared with those of other data sets.
    progress : callable, optional
        Called with the number of frames read since the last call.
    """
    from aptbench.data.stored_frames import StoredFrames

    trajectories = {
        f"{name}/{system}": StoredFrames(dataset, system)
        for name, dataset in sorted(datasets.items())
        for system in dataset.systems
    }
    met = []
    for one, other in product(exams, exams):
        foreign = tuple(
            part for part in other.test if part.dataset not in {k.dataset for k in one.known}
        )
        if not foreign:
            continue
        tests, known = (labelled_positions(part, datasets) for part in (foreign, one.known))
        found = find_duplicates(tests, known, tolerance=NEAR)
        if found:
            same = {pair.first for pair in found if pair.deviation <= EXACT}
            nearly = {pair.first for pair in found}
            met.append(
                TrainingInTest(
                    train=one.task, test=other.task, same=len(same), nearly_same=len(nearly)
                )
            )
    return DuplicateAudit(
        tolerance=EXACT,
        near_tolerance=NEAR,
        searched=tuple(
            SearchedData(
                dataset=name,
                content_hash=dataset.content_hash,
                frames={system: dataset.n_frames(system) for system in dataset.systems},
            )
            for name, dataset in sorted(datasets.items())
        ),
        repeated=_by_systems(find_duplicates(trajectories, progress=progress)),
        training_in_test=tuple(met),
    )


def duplicates_path() -> Path:
    """Return where the audit of duplicates of the project is kept."""
    from aptbench.data import root

    return root() / "datasets" / "duplicates.json"


def _by_systems(pairs: Sequence[Duplicate]) -> tuple[RepeatedFrames, ...]:
    groups: dict[tuple[str, str], list[Duplicate]] = {}
    for pair in pairs:
        groups.setdefault((pair.first[0], pair.second[0]), []).append(pair)
    return tuple(
        RepeatedFrames(
            first=first,
            second=second,
            frames=len({pair.first for pair in found}),
            # far below the rounding of the positions it is noise of the arithmetic
            largest_deviation=significant(max(0.0, *(round(p.deviation, 9) for p in found))),
            examples=tuple((p.first[1], p.second[1]) for p in found[:_EXAMPLES]),
        )
        for (first, second), found in sorted(groups.items())
    )
