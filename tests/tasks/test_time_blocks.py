"""Blocks of time: contiguous, disjoint, a gap apart, near the shares."""

from __future__ import annotations

import tracemalloc
from itertools import combinations, pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from aptbench.errors import InputError
from aptbench.tasks import audit_split, time_block_split


@given(
    frames=st.lists(st.integers(0, 3000), min_size=3, max_size=60, unique=True),
    gap=st.floats(0, 500),
    shares=st.tuples(st.floats(0.1, 1), st.floats(0, 1), st.floats(0.1, 1)),
)
def test_every_split_keeps_its_promises(
    frames: list[int], gap: float, shares: tuple[float, float, float]
) -> None:
    times = 2.0 * np.arange(3001)
    try:
        parts = time_block_split(frames, times, shares, gap)
    except InputError:
        return
    label_times = times[frames]
    assert parts["train"]
    assert parts["test"]
    assert bool(parts["validation"]) == bool(shares[1])
    assert audit_split(parts, label_times).gap_fs >= gap * (1 - 1e-6)
    in_order = [label_times[list(part)] for part in parts.values() if part]
    for earlier, later in pairwise(in_order):
        assert earlier.max() < later.min()


def test_without_a_gap_nothing_is_left_out_and_shares_hold() -> None:
    parts = time_block_split(np.arange(100), np.arange(100.0), (0.6, 0.2, 0.2))
    assert {name: len(part) for name, part in parts.items()} == {
        "train": 60,
        "validation": 20,
        "test": 20,
    }


def test_the_audit_sees_what_is_near() -> None:
    audit = audit_split({"train": [0, 1], "validation": [3], "test": [5]}, 10.0 * np.arange(6))
    assert audit.gap_fs == 20
    assert audit.nearest_train_fs == (40.0,)
    assert audit.unused == (2, 4)


@given(st.lists(st.tuples(st.integers(0, 2), st.integers(0, 60)), min_size=3, max_size=40))
def test_the_audit_is_that_of_all_pairs(labels: list[tuple[int, int]]) -> None:
    times = 0.1 * np.array([time for _, time in labels])
    names = ("train", "validation", "test")
    parts = {n: [k for k, (p, _) in enumerate(labels) if p == i] for i, n in enumerate(names)}
    audit = audit_split(parts, times)
    chosen = {name: times[part] for name, part in parts.items() if part}
    apart = [np.abs(a[:, None] - b).min() for a, b in combinations(chosen.values(), 2)]
    assert audit.gap_fs == min(apart, default=np.inf)
    if parts["train"] and parts["test"]:
        pairs = np.abs(chosen["test"][:, None] - chosen["train"])
        assert audit.nearest_train_fs == tuple(pairs.min(1))


def test_the_audit_of_a_dense_trajectory_needs_no_table_of_pairs() -> None:
    n = 4000
    parts = {"train": range(n // 2), "test": range(n // 2 + 10, n)}
    tracemalloc.start()
    try:
        audit = audit_split(parts, 0.5 * np.arange(n))
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert audit.gap_fs == 5.5
    assert peak < 500 * n  # all pairs are 4000 bytes a label


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (([0, 1], [0.0, 1.0], (0.5, 0.2, 0.3), 0.0), "too few labels"),
        (([0, 1, 2], [0.0, 1.0, 2.0], (0.5, 0.2, 0.3), 5.0), "too few labels"),
        (([0, 1, 2], [0.0, 1.0, 2.0], (1.0, 0.0, 0.0), 0.0), "nothing for training"),
        (([0, 1, 2], [0.0, 1.0, 2.0], (0.5, 0.5), 0.0), "three numbers"),
        (([0, 1, 2], [0.0, 1.0, 2.0], (0.6, 0.2, 0.2), -1.0), "zero or more"),
    ],
)
def test_impossible_wishes_are_refused(arguments: tuple, message: str) -> None:
    with pytest.raises(InputError, match=message):
        time_block_split(*arguments)
