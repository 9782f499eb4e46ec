"""`LabelBlocks`: which test labels a bootstrap draws together, and which it never mixes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

import numpy as np
import numpy.typing as npt

from aptbench.bootstrap import BlockBootstrap
from aptbench.metrics.scoring import Means
from aptbench.tasks import Split, Task

if TYPE_CHECKING:
    from aptbench.data import Dataset

Integers = npt.NDArray[np.int64]

BOOTSTRAP: Final = BlockBootstrap(replicates=1000, block=1, confidence=0.95, seed=0)
LONGEST: Final = 1000.0
"""Time in fs that a block of labels spans; errors in the liquid remember about half of that."""
SHORTEST: Final = 100.0
"""Time in fs that it spans at least, however short the test: a burst is one block."""
FEWEST: Final = 8
"""Blocks that the test of a system is divided into where that is possible in between."""


@dataclass(frozen=True, eq=False)
class LabelBlocks:
    """The blocks of the test labels of a task; each system is a stratum of its own.

    Labels near each other in time are wrong in the same way, so they are drawn together. The test
    has a fixed number of labels of each system, so none is drawn in place of another's: intervals
    say what more frames of the same systems would show.

    Parameters
    ----------
    of_label : mapping of str to array of int
        By system, the block of each label, from 0 on.

    Examples
    --------
    >>> blocks = LabelBlocks({"a": np.array([0, 0, 1]), "b": np.array([0, 1, 2])})
    >>> blocks.bootstrap.strata
    (2, 3)
    """

    of_label: Mapping[str, Integers]

    @classmethod
    def of(cls, task: Task, dataset: Dataset) -> LabelBlocks:
        """Return those of a task; every label of an independent split is a block of its own."""
        if isinstance(task.split, Split) and task.split.independent:
            return cls({system: np.arange(len(k)) for system, k in task.test_labels.items()})
        return cls(
            {
                system: time_blocks(
                    frames, dataset.times(system)[frames] if dataset.has_times(system) else None
                )
                for system, labels in task.test_labels.items()
                for frames in [dataset.label_frames(system)[list(labels)]]
            }
        )

    @property
    def bootstrap(self) -> BlockBootstrap:
        """The bootstrap of all scores of the task."""
        sizes = (int(blocks.max()) + 1 for blocks in self.of_label.values())
        return replace(BOOTSTRAP, strata=tuple(sizes))

    def group(self, means: Means, system: str) -> Means:
        """Add up the means of the labels of each block of a system."""
        return {key: mean.grouped(self.of_label[system]) for key, mean in means.items()}


def time_blocks(frames: npt.ArrayLike, times: npt.ArrayLike | None = None) -> Integers:
    """Return the block of each label: all that are within a window of time.

    Parameters
    ----------
    frames : array of int, shape (label,)
        Of the trajectory, in any order.
    times : array, shape (label,), optional
        In fs. Without them neighbouring frames are a block, and no others.

    Returns
    -------
    array of int, shape (label,)
        From 0 on, in the order of time.

    Notes
    -----
    A window begins with the first label after the one before. It spans an eighth of the time from
    the first to the last label, but `SHORTEST` at least and `LONGEST` at most. On
    `water/from-clusters` the errors of two labels correlate by about 0.6 at 150 to 300 fs, by 0.5
    at 300 to 500 fs and by 0.25 at 500 to 900 fs.

    Examples
    --------
    >>> time_blocks([0, 1, 2, 500], [0, 2, 4, 1000]).tolist()
    [0, 0, 0, 1]
    >>> time_blocks(np.arange(0, 10000, 100), np.arange(0, 20000, 200)).tolist()[:7]
    [0, 0, 0, 0, 0, 1, 1]
    >>> time_blocks([500, 2, 0, 1], [1000, 4, 0, 2]).tolist()
    [1, 0, 0, 0]
    """
    index = np.asarray(frames, np.int64)
    order = np.argsort(index if times is None else np.asarray(times, float), kind="stable")
    blocks = np.empty(len(index), np.int64)
    if times is None:
        index = index[order]
        blocks[order] = np.cumsum(np.diff(index, prepend=index[0] - 1) != 1)
    else:
        blocks[order] = _windows(np.asarray(times, float)[order])
    return blocks


def _windows(moments: npt.NDArray[np.float64]) -> Integers:
    """Return the block of each moment of rising ones."""
    window = float(np.clip((moments[-1] - moments[0]) / FEWEST, SHORTEST, LONGEST))
    blocks, start = np.zeros(len(moments), np.int64), moments[0]
    for k, time in enumerate(moments[1:], 1):
        new = time - start >= window
        blocks[k] = blocks[k - 1] + new
        start = time if new else start
    return blocks
