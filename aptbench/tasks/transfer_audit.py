"""`audit_transfer`: how far the test of a transfer split is from its training."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import numpy as np

from aptbench.elements import SYMBOLS
from aptbench.errors import AlignmentError
from aptbench.frames import Frames
from aptbench.tasks.leakage import Environments, Record, spread
from aptbench.tasks.nearest import environment_distances
from aptbench.tasks.transfer import LabelSet, TransferSplit
from aptbench.tasks.transfer_check import check_transfer, labelled_positions

if TYPE_CHECKING:
    from aptbench.data import Dataset


class TransferAudit(Record):
    """The audit of a transfer split, kept in ``datasets/NAME/audits/transfer-SPLIT.json``.

    Parameters
    ----------
    format : str
    task : str
        With its version.
    axis : str
    split_hash : str
    content_hashes : dict of str to str
        Of the data sets of all parts.
    labels : dict of str to int
        Number of labels by part.
    environments : tuple of Environments
        Of the elements that training has: a ratio above 1 is how much farther the test is.
    elements_not_trained : tuple of str
        Elements of the test that training does not have.
    compared : dict of str to int
        Frames whose environments were compared, by part.
    faults : tuple of str
        What `check_transfer` found.
    """

    format: Literal["transfer-audit@1"] = "transfer-audit@1"
    task: str
    axis: str
    split_hash: str
    content_hashes: dict[str, str]
    labels: dict[str, int]
    environments: tuple[Environments, ...]
    elements_not_trained: tuple[str, ...]
    compared: dict[str, int]
    faults: tuple[str, ...]

    @property
    def breaches(self) -> tuple[str, ...]:
        """The same as the faults."""
        return self.faults


def audit_transfer(transfer: TransferSplit, datasets: Mapping[str, Dataset]) -> TransferAudit:
    """Check a transfer split, and measure how far its test environments are from training.

    Parameters
    ----------
    transfer : TransferSplit
    datasets : mapping of str to Dataset
        By name, those of all parts at least.

    Raises
    ------
    AlignmentError
        If the split was made for other data, so that nothing can be measured.
    """
    _expect_content(transfer, datasets)
    faults: tuple[str, ...] = ()
    try:
        check_transfer(transfer, datasets)
    except AlignmentError as error:
        faults = (f"{error.what} {error.got}",)
    train, test = (_few(part, datasets) for part in (transfer.train, transfer.test))
    trained, tested = (
        {int(z) for frames in part for z in frames.atomic_numbers} for part in (train, test)
    )
    return TransferAudit(
        task=transfer.identity,
        axis=transfer.axis,
        split_hash=transfer.hash,
        content_hashes={
            one.dataset: one.content_hash for part in transfer.parts.values() for one in part
        },
        labels={name: sum(one.n_labels for one in part) for name, part in transfer.parts.items()},
        environments=tuple(Environments.of(one) for one in environment_distances(train, test)),
        elements_not_trained=tuple(SYMBOLS[z] for z in sorted(tested - trained)),
        compared={
            "train": sum(len(frames) for frames in train),
            "test": sum(len(frames) for frames in test),
        },
        faults=faults,
    )


def transfer_audit_path(dataset: str, name: str) -> Path:
    """Return where the audit of a transfer split of a catalogued data set is kept."""
    from aptbench.data import root

    return root() / "datasets" / dataset / "audits" / f"transfer-{name}.json"


def _few(sets: tuple[LabelSet, ...], datasets: Mapping[str, Dataset]) -> list[Frames]:
    return [
        frames[spread(np.arange(len(frames)))]
        for frames in labelled_positions(sets, datasets).values()
    ]


def _expect_content(transfer: TransferSplit, datasets: Mapping[str, Dataset]) -> None:
    for sets in transfer.parts.values():
        for one in sets:
            dataset = datasets.get(one.dataset)
            if dataset is None or dataset.content_hash != one.content_hash:
                raise AlignmentError(
                    f"The transfer split {transfer.dataset}/{transfer.name} cannot be audited.",
                    got=f"no data set {one.dataset} with content hash {one.content_hash}",
                    expected="all its data sets, in the versions that it names",
                )
