"""Selections: what a pool allows, and what the reference methods choose."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from aptbench import Frames
from aptbench.errors import AlignmentError, InputError, UnknownNameError
from aptbench.tasks import Split, Task
from aptbench.tasks.data_selection import (
    METHODS,
    check_selection,
    read_selection,
    select,
    write_selection,
)
from aptbench.tasks.subsets import nested_order

TRAIN = (1, 2, 4, 5, 7, 9)
TIMES = 10.0 * np.array(TRAIN)


@pytest.fixture
def task() -> Task:
    split = Split(
        name="iid",
        dataset="few",
        content_hash="sha256:0",
        system="bulk",
        train=TRAIN,
        validation=(11,),
        test=(13, 14),
        gap_fs=10.0,
        rule="by hand",
    )
    return Task("few/iid", 1, split)


def pool() -> Frames:
    """Six frames of water; the fifth has a molecule that is like none of the others."""
    water = np.array([[0, 0, 0], [0.96, 0, 0], [-0.24, 0.93, 0]])
    positions = water + 0.004 * np.random.default_rng(1).normal(size=(6, 3, 3))
    positions[4, 1] *= 1.6
    return Frames([8, 1, 1], positions)


@pytest.mark.parametrize("method", METHODS)
def test_every_method_orders_the_whole_pool_and_nothing_else(method: str, task: Task) -> None:
    chosen = select(task, pool(), TIMES, method)
    assert sorted(chosen.labels) == list(TRAIN)
    check_selection(chosen, task)
    assert chosen == select(task, pool(), TIMES, method)


def test_what_the_methods_choose(task: Task) -> None:
    assert select(task, pool(), TIMES, "chronological").labels == TRAIN
    spread = [TRAIN[k] for k in nested_order(TIMES)]
    assert select(task, pool(), TIMES, "in-time").labels == tuple(spread)
    # the odd frame is the second at the latest: nothing else is far from the first
    assert TRAIN[4] in select(task, pool(), TIMES, "farthest").labels[:2]
    drawn = {select(task, pool(), TIMES, "random", seed=seed).labels for seed in range(8)}
    assert len(drawn) > 4


def test_farthest_does_not_depend_on_pose(task: Task) -> None:
    turn = -np.eye(3)[[1, 2, 0]]
    turned = pool().rotated(turn)
    assert (
        select(task, turned, TIMES, "farthest").labels
        == select(task, pool(), TIMES, "farthest").labels
    )


@pytest.mark.parametrize(
    ("labels", "words"),
    [((1, 13), "label 13"), ((1, 11), "label 11"), ((1, 2, 1), "occur again"), ((99,), "label 99")],
)
def test_labels_that_are_nobodys_to_choose(labels: tuple[int, ...], words: str, task: Task) -> None:
    wrong = select(task, pool(), TIMES, "in-time").model_copy(update={"labels": labels})
    with pytest.raises(AlignmentError, match=words):
        check_selection(wrong, task)


def test_another_split_is_refused(task: Task) -> None:
    other = select(task, pool(), TIMES, "in-time").model_copy(update={"split_hash": "0" * 64})
    with pytest.raises(AlignmentError, match="another task"):
        check_selection(other, task)


def test_the_file(task: Task, tmp_path: Path) -> None:
    chosen = select(task, pool(), TIMES, "farthest")
    path = write_selection(chosen, tmp_path / "mine.json")
    assert read_selection(path) == chosen
    path.write_text(path.read_text().replace('"name"', '"rank"'))
    with pytest.raises(InputError, match=r"mine\.json"):
        read_selection(path)
    with pytest.raises(InputError, match="no such selection"):
        read_selection(tmp_path / "absent.json")
    with pytest.raises(UnknownNameError, match="farthest"):
        select(task, pool(), TIMES, "farthst")


def test_a_budget_is_the_first_of_the_order(task: Task) -> None:
    chosen = select(task, pool(), TIMES, "in-time")
    assert chosen.first(2) == tuple(sorted(chosen.labels[:2]))
    assert chosen.first(None) == TRAIN
    with pytest.raises(InputError, match="no such budget"):
        chosen.first(7)
