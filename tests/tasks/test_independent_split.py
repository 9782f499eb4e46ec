"""Frames without times: drawn for training and test, never from a trajectory, and audited."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from aptbench import Frames
from aptbench.data import Dataset, SystemData, write_dataset
from aptbench.errors import AlignmentError, InputError
from aptbench.evaluate.label_blocks import LabelBlocks
from aptbench.tasks import (
    Split,
    Task,
    audit_independent,
    audit_task,
    check_split,
    independent_split,
    read_split,
    write_split,
)
from aptbench.tasks.data_selection import select
from aptbench.tasks.subsets import label_subsets

ATTRS = {"name": "single", "version": "0.1.0", "title": "Single frames", "license": "CC0-1.0"}
WATER = np.array([[0, 0, 0], [0.96, 0, 0], [-0.24, 0.93, 0]])


def store(path: Path, *, times: bool = False, copy: bool = False) -> Dataset:
    """Twelve labels of one molecule; with a copy the last frame is the first one, turned."""
    rng = np.random.default_rng(0)
    positions = WATER + 0.1 * rng.normal(size=(12, 3, 3))
    if copy:
        positions[11] = positions[0] @ np.array([[0, 1, 0], [0, 0, 1], [1, 0, 0]])
    system = SystemData(
        Frames([8, 1, 1], positions),
        np.arange(12),
        rng.normal(size=(12, 3, 3, 3)),
        times=2.0 * np.arange(12) if times else None,
    )
    return write_dataset(path / "single.zarr", {"a": system}, ATTRS)


@pytest.fixture(scope="module")
def dataset(tmp_path_factory: pytest.TempPathFactory) -> Dataset:
    return store(tmp_path_factory.mktemp("single"))


def make(dataset: Dataset, draw: int = 3, **changes: object) -> Split:
    fields = {
        "name": "random",
        "dataset": "single",
        "content_hash": dataset.content_hash,
        "system": "a",
        **independent_split(12, seed=draw),
        "gap_fs": 0.0,
        "rule": "drawn",
        "method": "independent",
        "seed": draw,
    }
    return Split.model_validate(fields | changes)


@given(
    st.integers(3, 40),
    st.tuples(*[st.sampled_from([0.1, 0.3, 1.0])] * 3),
    st.integers(0, 5),
)
def test_every_label_is_in_one_part(n: int, fractions: tuple[float, ...], seed: int) -> None:
    try:
        parts = independent_split(n, fractions, seed)
    except InputError:
        assert n * fractions[0] / sum(fractions) < 3
        return
    assert sorted(k for part in parts.values() for k in part) == list(range(n))
    for part, share in zip(parts.values(), fractions, strict=True):
        assert part == tuple(sorted(part))
        assert abs(len(part) - max(1, n * share / sum(fractions))) <= 1.5


def test_the_draw_is_that_of_the_seed_for_ever() -> None:
    # frozen: another draw would be another task under the same name
    assert independent_split(12, (0.5, 0.25, 0.25), seed=0) == {
        "train": (1, 2, 4, 6, 7, 10),
        "validation": (0, 5, 8),
        "test": (3, 9, 11),
    }
    assert len({independent_split(12, seed=seed)["test"] for seed in range(6)}) > 3
    assert independent_split(4, (0.5, 0.0, 0.5))["validation"] == ()


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ((2, (0.6, 0.2, 0.2), 0), "too few labels"),
        ((9, (0.6, 0.4, 0.0), 0), "nothing for training or for the test"),
        ((9, (0.6, 0.2), 0), "three numbers"),
        ((9, (0.6, 0.2, 0.2), -1), "'seed'"),
    ],
)
def test_what_cannot_be_drawn(words: tuple, message: str) -> None:
    with pytest.raises(InputError, match=message):
        independent_split(*words)


def test_method_and_seed_are_in_the_file_and_in_the_hash(dataset: Dataset, tmp_path: Path) -> None:
    split = make(dataset)
    check_split(split, dataset)
    path = write_split(split, tmp_path / "random.json")
    said = json.loads(path.read_text())
    assert (said["method"], said["seed"], said["gap_fs"]) == ("independent", 3, 0.0)
    assert "budgets" not in said
    assert read_split(path) == split
    assert make(dataset, rule="other words", name="other").hash == split.hash
    assert make(dataset, draw=4).hash != split.hash
    frozen = make(dataset, content_hash="sha256:0", seed=0, train=(0,), validation=(), test=(1,))
    # frozen: a change of this number breaks every archived result
    assert frozen.hash == "185d4affac7a91ba08658acd948a610cc1a57b28329d29a431d3c1f54f865a59"


@pytest.mark.parametrize(
    "changes", [{"seed": None}, {"gap_fs": 1.0}, {"method": "blocks of time"}, {"seed": -1}]
)
def test_fields_that_contradict_each_other(dataset: Dataset, changes: dict[str, object]) -> None:
    with pytest.raises(ValidationError, match=r"seed|gap"):
        make(dataset, **changes)


def test_a_trajectory_is_never_drawn_from(dataset: Dataset, tmp_path: Path) -> None:
    moving = store(tmp_path, times=True)
    split = make(moving)
    with pytest.raises(AlignmentError, match="draws at random from a trajectory"):
        check_split(split, moving)
    timed = {"method": "blocks of time", "seed": None}
    with pytest.raises(InputError, match="no times"):
        check_split(make(dataset, **timed), dataset)
    with pytest.raises(AlignmentError, match="label 12"):
        check_split(make(dataset, test=(12,)), dataset)


def test_the_audit_says_that_no_time_separates(dataset: Dataset, tmp_path: Path) -> None:
    split = make(dataset)
    found = audit_independent(Task("single/random", 1, split), dataset)
    assert (found.separated_by, found.seed, found.split_hash) == ("no time", 3, split.hash)
    assert [one.element for one in found.environments] == ["O", "H"]
    assert all(one.test_to_train > 0 for one in found.environments)
    assert found.breaches == ()
    assert found.unused == 0
    twice = store(tmp_path, copy=True)
    apart = {"train": (0, 1, 2), "validation": (), "test": (10, 11)}
    found = audit_independent(Task("single/random", 1, make(twice, **apart)), twice)
    assert found.duplicates == ((11, 0),)
    assert "1 copies of training labels in test (11 and 0)" in found.breaches[0]
    assert found.unused == 7
    moving = store(tmp_path / "moving", times=True)
    timed = make(moving, method="blocks of time", seed=None, train=(0,), validation=(), test=(9,))
    with pytest.raises(InputError, match="one by time"):
        audit_independent(Task("single/random", 1, timed), moving)
    with pytest.raises(InputError, match="no times"):
        audit_task(Task("single/random", 1, split), dataset)


def test_subsets_are_nested_and_spread_over_the_data_set(dataset: Dataset) -> None:
    split = make(dataset, train=(0, 1, 2, 9, 10), validation=(), test=(5,))
    small, large, whole = label_subsets(split, None, [1, 3, 5])
    assert set(small.labels) < set(large.labels) < set(whole.labels)
    assert large.labels == (0, 2, 10)
    assert small.farthest_fs is None


def test_every_test_label_is_a_block_of_its_own(dataset: Dataset) -> None:
    split = make(dataset, train=(0,), validation=(), test=(4, 5, 6, 9))
    blocks = LabelBlocks.of(Task("single/random", 1, split), dataset)
    assert blocks.of_label["a"].tolist() == [0, 1, 2, 3]


def test_selections_by_time_are_refused(dataset: Dataset) -> None:
    task = Task("single/random", 1, make(dataset))
    frames = dataset.trajectory("a")[list(task.train)]
    with pytest.raises(InputError, match="orders by time") as caught:
        select(task, frames, None, "in-time")
    assert "random, farthest" in str(caught.value)
    for method in ("random", "farthest"):
        assert sorted(select(task, frames, None, method).labels) == sorted(task.train)
