"""Low-data subsets: nested, spread, and no part of what makes a split."""

from __future__ import annotations

import json
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from aptbench.errors import InputError
from aptbench.tasks import Split, Task, read_split, write_split
from aptbench.tasks.label_budget import labels_of_budget
from aptbench.tasks.subsets import default_budgets, label_subsets


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
def test_subsets_are_nested_and_those_of_the_learning_curve(
    times: list[int], budgets: set[int]
) -> None:
    split = make(len(times) - 1)
    wanted = sorted(n for n in budgets if n < len(times)) or [1]
    found = label_subsets(split, times, wanted)
    assert [one.n_labels for one in found] == wanted
    for small, large in pairwise(found):
        assert set(small.labels) < set(large.labels)
        assert small.farthest_fs >= large.farthest_fs
    task = Task("d/iid", 1, split)
    for one in found:
        assert one.labels == labels_of_budget(task, times, one.n_labels)


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


def test_a_budget_that_does_not_exist() -> None:
    with pytest.raises(InputError, match="no such budget"):
        label_subsets(make(), np.arange(7.0), [7])
