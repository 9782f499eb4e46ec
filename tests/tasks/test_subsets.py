"""Low-data subsets: nested, spread, and no part of what makes a split."""

from __future__ import annotations

import json
import time
import tracemalloc
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from aptbench.errors import InputError
from aptbench.tasks import Split, read_split, write_split
from aptbench.tasks.subsets import default_budgets, label_subsets, nested_order


def make(n_train: int = 6, **changes: object) -> Split:
    fields = {
        "name": "iid",
        "dataset": "d",
        "content_hash": "sha256:0",
        "system": "s",
        "train": tuple(range(n_train)),
        "test": (n_train,),
        "gap_fs": 1.0,
        "rule": "by hand",
    }
    return Split.model_validate(fields | changes)


@given(
    st.lists(st.integers(0, 10**6), min_size=2, max_size=15, unique=True),
    st.sets(st.integers(1, 14), min_size=1),
)
def test_subsets_are_nested(times: list[int], budgets: set[int]) -> None:
    split = make(len(times) - 1)
    wanted = sorted(n for n in budgets if n < len(times)) or [1]
    found = label_subsets(split, times, wanted)
    assert [one.n_labels for one in found] == wanted
    for small, large in pairwise(found):
        assert set(small.labels) < set(large.labels)
        assert small.farthest_fs >= large.farthest_fs


def test_budgets_of_the_file_are_used_and_do_not_touch_its_hash(tmp_path) -> None:
    plain, named = make(), make(budgets=(1, 3))
    assert named.hash == plain.hash
    assert "budgets" not in json.loads(plain.model_dump_json())
    assert read_split(write_split(named, tmp_path / "a.json")) == named
    times = np.arange(7.0)
    assert [one.name for one in label_subsets(named, times)] == ["train-1", "train-3"]
    assert [one.n_labels for one in label_subsets(plain, times)] == [1, 2, 4, 6]
    assert default_budgets(1) == (1,)


def test_the_hash_is_that_of_the_fields_alone() -> None:
    # frozen: a change of this number breaks every archived result
    assert make().hash == "0e1bdef7b5f64f9dba54ca3cd2898a9a1c013829ad1e2c6515d058f5ab72693d"


@pytest.mark.parametrize("budgets", [(3, 1), (1, 1), (0, 2), (1, 7)])
def test_budgets_that_do_not_rise_or_do_not_fit(budgets: tuple[int, ...]) -> None:
    with pytest.raises(ValidationError, match=r"budgets|greater than or equal to 1"):
        make(budgets=budgets)


@pytest.mark.parametrize("budget", [0, 7])
def test_a_budget_that_does_not_exist(budget: int) -> None:
    with pytest.raises(InputError, match="no such budget"):
        label_subsets(make(), np.arange(7.0), [budget])


def test_the_labels_of_a_budget() -> None:
    times = [0.0, 400.0, 900.0, 1400.0, 1900.0, 2400.0, 2900.0]
    # 1400 fs is nearest to the middle of 0 to 2400 fs, then come the two ends
    (three,) = label_subsets(make(), times, [3])
    assert three.labels == (0, 3, 5)


def test_five_labels_in_a_row() -> None:
    assert nested_order([0.0, 1.0, 2.0, 3.0, 4.0]) == (2, 0, 4, 1, 3)
    assert nested_order([7.0]) == (0,)


@settings(max_examples=50, deadline=None)
@given(st.lists(st.integers(0, 10**6), min_size=1, max_size=12, unique=True), st.randoms())
def test_order_is_complete_and_follows_from_times_alone(times, random) -> None:
    order = nested_order(times)
    assert sorted(order) == list(range(len(times)))
    shuffled = random.sample(times, len(times))
    assert [shuffled[k] for k in nested_order(shuffled)] == [times[k] for k in order]


def plain_order(times: np.ndarray) -> tuple[int, ...]:
    """The definition as it stands, with all distances."""
    by_time = np.argsort(times, kind="stable")
    ordered = times[by_time]
    taken = [int(np.argmin(np.abs(ordered - (ordered[0] + ordered[-1]) / 2)))]
    distance = np.abs(ordered - ordered[taken[0]])
    while len(taken) < len(ordered):
        distance[taken] = -1.0
        taken.append(int(np.argmax(distance)))
        distance = np.minimum(distance, np.abs(ordered - ordered[taken[-1]]))
    return tuple(int(by_time[k]) for k in taken)


@given(
    st.lists(st.integers(0, 60), min_size=1, max_size=40),
    st.sampled_from([1.0, 0.1, 0.3, 1 / 7]),
    st.sampled_from([0.0, 1e3, 1e8]),
)
def test_the_order_is_the_plain_one(steps: list[int], step: float, start: float) -> None:
    # equal times and equal distances, and distances that are equal but for the rounding
    times = start + step * np.array(steps)
    assert nested_order(times) == plain_order(times)


def test_a_long_trajectory_is_ordered_in_seconds() -> None:
    n = 50_000
    start = time.process_time()
    order = nested_order(0.5 * np.arange(n))
    assert time.process_time() - start < 3  # 20 s if all distances are looked at
    assert order[:3] == (n // 2 - 1, n - 1, 0)
    assert len(set(order)) == n


def test_subsets_of_a_dense_trajectory_need_no_table_of_pairs() -> None:
    n = 3000
    tracemalloc.start()
    try:
        (found,) = label_subsets(make(n), np.arange(n + 1.0), [n // 2])
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert found.farthest_fs == 1
    assert peak < 1500 * n  # all pairs are 12000 bytes a label


def test_times_that_are_none() -> None:
    with pytest.raises(InputError, match="cannot be ordered"):
        nested_order([0.0, np.nan])
