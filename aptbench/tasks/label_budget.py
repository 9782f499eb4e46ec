"""`nested_order`: in which order labels are spent, so that every budget contains the smaller."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from aptbench.errors import InputError
from aptbench.tasks.task import Task


def nested_order(label_times: npt.ArrayLike) -> tuple[int, ...]:
    """Return the order in which labels are taken, so that any number of them is spread in time.

    The first label is the one nearest to the middle of the stretch; each further one is as far as
    possible from those taken before (the earlier of two that are equally far). The first N labels
    are thus a subset of the first N + 1, and their choice depends on times only: nothing is drawn
    at random, and no label or score is looked at.

    Parameters
    ----------
    label_times : array, shape (label,)
        In any unit.

    Returns
    -------
    tuple of int
        All indices into ``label_times``.

    Notes
    -----
    Farthest-point order: Gonzalez, Theor. Comput. Sci. 38, 293 (1985),
    doi:10.1016/0304-3975(85)90224-5.

    Examples
    --------
    >>> nested_order([0.0, 1.0, 2.0, 3.0, 4.0])
    (2, 0, 4, 1, 3)
    """
    times = np.asarray(label_times, float)
    if times.ndim != 1 or not len(times) or not np.isfinite(times).all():
        raise InputError("The times of the labels cannot be ordered.", got=times.shape)
    by_time = np.argsort(times, kind="stable")
    ordered = times[by_time]
    # argmin and argmax take the first, which is the earliest
    taken = [int(np.argmin(np.abs(ordered - (ordered[0] + ordered[-1]) / 2)))]
    distance = np.abs(ordered - ordered[taken[0]])
    while len(taken) < len(ordered):
        distance[taken] = -1.0
        taken.append(int(np.argmax(distance)))
        distance = np.minimum(distance, np.abs(ordered - ordered[taken[-1]]))
    return tuple(int(by_time[k]) for k in taken)


def labels_of_budget(
    task: Task, label_times: npt.ArrayLike, n_labels: int | None
) -> tuple[int, ...]:
    """Return the training labels of a budget, in the order of the task.

    Parameters
    ----------
    task : Task
    label_times : array, shape (label,)
        Times of all labels of the system of the task, in fs.
    n_labels : int or None
        The first so many in `nested_order`; all training labels if None.

    Raises
    ------
    InputError
        If the task does not have so many training labels.
    """
    if n_labels is None:
        return task.train
    check_budgets(task, [n_labels])
    train = np.array(task.train)
    chosen = nested_order(np.asarray(label_times, float)[train])[:n_labels]
    return tuple(int(train[k]) for k in sorted(chosen))


def check_budgets(task: Task, budgets: Sequence[int]) -> None:
    """Raise an `InputError` if a budget is not between one and all training labels of a task."""
    for budget in budgets:
        if not 1 <= budget <= len(task.train):
            raise InputError(
                f"The task {task.identity} has no such budget of training labels.",
                got=budget,
                expected=f"1 to {len(task.train)}",
            )
