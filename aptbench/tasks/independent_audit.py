"""`audit_independent`: how like its training frames the test of an independent split is."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from aptbench.errors import InputError
from aptbench.tasks.leakage import Environments, Record, copies_in_words, likeness_of_parts
from aptbench.tasks.split import check_split

if TYPE_CHECKING:
    from aptbench.data import Dataset
    from aptbench.tasks.task import Task


class IndependentAudit(Record):
    """The audit of a split of frames without times, in ``datasets/NAME/audits/SPLIT.json``.

    Parameters
    ----------
    format : str
    task : str
        With its version.
    content_hash, split_hash : str
        Of the data and of the split that were audited.
    seed : int
        That the parts were drawn with.
    separated_by : str
        What lies between test and training: nothing that can be measured in time.
    unused : int
        Labels in no part.
    environments, compared, duplicates, near_duplicates
        As in `aptbench.tasks.leakage.LeakageAudit`.
    """

    format: Literal["independent@1"] = "independent@1"
    task: str
    content_hash: str
    split_hash: str
    seed: int
    separated_by: Literal["no time"] = "no time"
    unused: int
    environments: tuple[Environments, ...]
    compared: dict[str, int]
    duplicates: tuple[tuple[int, int], ...]
    near_duplicates: int

    @property
    def breaches(self) -> tuple[str, ...]:
        """What the split promises and does not hold: no copy of a training label in the test."""
        return copies_in_words(self.duplicates)


def audit_independent(task: Task, dataset: Dataset) -> IndependentAudit:
    """Audit the split of a task of frames without times: environments and copies.

    Parameters
    ----------
    task : Task
    dataset : Dataset
        The data that the split names.

    Returns
    -------
    IndependentAudit
        A breach is a part of it, not an error.

    Raises
    ------
    AlignmentError
        If the split was made for other data, names labels that do not exist or twice, or the
        frames have times.
    InputError
        If the split is one by time, or has no training part.
    """
    split, system = task.within, task.system
    check_split(split, dataset)
    if split.seed is None:
        raise InputError(f"The split of {task.identity} is one by time.", do="use audit_task")
    if not split.train:
        raise InputError(f"The task {task.identity} has no training labels to leak from.")
    used = sum(map(len, split.parts.values()))
    return IndependentAudit(
        task=task.identity,
        content_hash=dataset.content_hash,
        split_hash=split.hash,
        seed=split.seed,
        unused=dataset.n_labels(system) - used,
        **likeness_of_parts(split, dataset),
    )
