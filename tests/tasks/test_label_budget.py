"""The order in which labels are spent: spread, nested, and independent of how they are listed."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from aptbench.errors import InputError
from aptbench.tasks import Split, Task
from aptbench.tasks.label_budget import labels_of_budget, nested_order

TIMES = np.array([0.0, 400.0, 900.0, 1400.0, 1900.0, 2400.0, 2900.0, 3100.0])


@pytest.fixture
def task() -> Task:
    split = Split(
        name="iid",
        dataset="d",
        content_hash="sha256:0",
        system="s",
        train=(0, 1, 2, 3, 4, 5),
        test=(7,),
        gap_fs=100.0,
        rule="by hand",
    )
    return Task("d/iid", 1, split)


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


def test_budgets_are_nested(task: Task) -> None:
    budgets = [set(labels_of_budget(task, TIMES, n)) for n in range(1, 7)]
    assert [len(budget) for budget in budgets] == [1, 2, 3, 4, 5, 6]
    assert all(small < large for small, large in pairwise(budgets))
    # 1400 fs is nearest to the middle of 0 to 2400 fs, then come the two ends
    assert budgets[2] == {3, 0, 5}
    assert labels_of_budget(task, TIMES, None) == task.train


@pytest.mark.parametrize("n", [0, 7])
def test_impossible_budgets(task: Task, n: int) -> None:
    with pytest.raises(InputError, match="no such budget"):
        labels_of_budget(task, TIMES, n)


def test_times_that_are_none() -> None:
    with pytest.raises(InputError, match="cannot be ordered"):
        nested_order([0.0, np.nan])
