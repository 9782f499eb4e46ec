"""Labels that a bootstrap draws together: by time, and never across systems."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from aptbench.data import open_dataset
from aptbench.evaluate.label_blocks import LONGEST, LabelBlocks, time_blocks
from aptbench.evaluate.scoring import frames_of_test
from aptbench.tasks import load_task

PROJECT = Path(__file__).parents[2]


@pytest.mark.parametrize(
    ("times", "blocks"),
    [
        # a long test: windows of a picosecond
        ([0, 200, 999, 1000, 1900, 2100, 20000], [0, 0, 0, 1, 1, 2, 3]),
        # a short one is divided into eight
        (np.arange(8) * 500, range(8)),
        (np.arange(17) * 250, np.arange(17) // 2),
        # a burst is one block, however short the test
        ([0, 2, 4, 6], [0, 0, 0, 0]),
        ([5.0], [0]),
    ],
)
def test_labels_within_a_window_are_one_block(times, blocks) -> None:
    assert time_blocks(np.arange(len(times)) * 7, times).tolist() == list(blocks)


def test_the_order_of_labels_does_not_matter() -> None:
    times = np.arange(17) * 250.0
    order = np.random.default_rng(3).permutation(17)
    for given in (times, None):
        sorted_ = time_blocks(np.arange(17) // 4 * 10 + np.arange(17) % 4, given)
        frames = (np.arange(17) // 4 * 10 + np.arange(17) % 4)[order]
        mixed = time_blocks(frames, None if given is None else given[order])
        assert mixed.tolist() == sorted_[order].tolist()
    # the last block is not that of the last label
    assert LabelBlocks({"a": np.array([1, 0])}).bootstrap.strata == (2,)


def test_without_times_neighbouring_frames_are_one_block() -> None:
    assert time_blocks([3, 4, 5, 9, 20, 21]).tolist() == [0, 0, 0, 1, 2, 2]


@pytest.mark.parametrize("name", ["water/from-clusters", "water-clusters/from-bulk"])
def test_blocks_of_real_tasks(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("APTBENCH_ROOT", str(PROJECT))
    task = load_task(name)
    dataset = open_dataset(task.dataset)
    found = LabelBlocks.of(task, dataset)
    assert len(found.bootstrap.strata) == len(task.systems)
    for system, frames in frames_of_test(task, dataset).items():
        times, blocks = dataset.times(system)[frames], found.of_label[system]
        assert found.bootstrap.strata[list(task.systems).index(system)] == blocks[-1] + 1 >= 8
        for block in range(int(blocks[-1]) + 1):
            assert np.ptp(times[blocks == block]) < LONGEST
