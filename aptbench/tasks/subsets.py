"""`label_subsets`: the low-data subsets of a split, each within the next."""

from __future__ import annotations

import heapq
import math
from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from aptbench.errors import InputError
from aptbench.tasks.audit import time_to_nearest
from aptbench.tasks.split import Split


@dataclass(frozen=True)
class LabelSubset:
    """Some of the training labels of a split.

    Parameters
    ----------
    name : str
        As in ``train-4``.
    labels : tuple of int
        Label indices, in the order of the split.
    farthest_fs : float or None
        Largest time from a training label to the nearest label of the subset, in fs; None where
        the frames have no times.
    """

    name: str
    labels: tuple[int, ...]
    farthest_fs: float | None

    @property
    def n_labels(self) -> int:
        """Number of labels."""
        return len(self.labels)


def label_subsets(
    split: Split, label_times: npt.ArrayLike | None, budgets: Sequence[int] | None = None
) -> tuple[LabelSubset, ...]:
    """Return nested subsets of the training labels, the smallest first.

    Parameters
    ----------
    split : Split
    label_times : array, shape (label,), or None
        Times of all labels of the system, in fs. Without times labels are spread over the data set
        in its order, in which what was made together stands together.
    budgets : sequence of int, optional
        Numbers of labels; those of the split if not given, else 1, 2, 4 and so on, and all.

    Returns
    -------
    tuple of LabelSubset
        Nested by construction: the first so many in `nested_order`.

    Raises
    ------
    InputError
        If a budget is not between one and all training labels.

    Examples
    --------
    >>> split = Split(
    ...     name="iid", dataset="d", content_hash="sha256:0", system="s", train=(0, 1, 2, 3, 4),
    ...     test=(6,), gap_fs=2.0, rule="by hand",
    ... )
    >>> [(one.name, one.labels) for one in label_subsets(split, range(7), [1, 3])]
    [('train-1', (2,)), ('train-3', (0, 2, 4))]
    """
    train = np.array(split.train, int)
    wanted = budgets or split.budgets or default_budgets(len(train))
    wrong = [n for n in wanted if not 1 <= n <= len(train)]
    if wrong:
        raise InputError(
            f"The split {split.dataset}/{split.name} has no such budget of training labels.",
            got=wrong[0],
            expected=f"1 to {len(train)}",
        )
    times = train.astype(float) if label_times is None else np.asarray(label_times, float)[train]
    order = nested_order(times)
    found = []
    for n in sorted(set(wanted)):
        chosen = sorted(order[:n])
        farthest = float(time_to_nearest(times, times[chosen]).max())
        labels = tuple(int(train[k]) for k in chosen)
        found.append(LabelSubset(f"train-{n}", labels, None if label_times is None else farthest))
    return tuple(found)


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
    doi:10.1016/0304-3975(85)90224-5. A label that is taken changes only the stretch between its
    neighbours among those taken before, so the next one is the best of the stretches, kept in a
    heap: n log n steps for n labels, and no table of distances.

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
    # argmin takes the first, which is the earliest
    first = int(np.argmin(np.abs(ordered - (ordered[0] + ordered[-1]) / 2)))
    at: list[float] = ordered.tolist()
    taken = [first]
    # the greatest distance comes first, and of equal ones the earliest label
    stretches = [*_farthest(at, -1, first), *_farthest(at, first, len(at))]
    heapq.heapify(stretches)
    while stretches:
        _, middle, low, high = heapq.heappop(stretches)
        taken.append(middle)
        for stretch in (*_farthest(at, low, middle), *_farthest(at, middle, high)):
            heapq.heappush(stretches, stretch)
    return tuple(by_time[taken].tolist())


def _farthest(at: list[float], low: int, high: int) -> list[tuple[float, int, int, int]]:
    """Return minus the distance, and the index, of what is farthest from the ends of a stretch.

    Parameters
    ----------
    at : list of float
        Rising times.
    low, high : int
        Labels that are taken, with those between not; -1 and the number of labels where there is
        none.

    Returns
    -------
    list of (distance, index, low, high)
        The earliest of equally far labels; empty if there is none between.
    """
    if high - low < 2:
        return []

    def since(k: int) -> float:
        return at[k] - at[low] if low >= 0 else math.inf

    def until(k: int) -> float:
        return at[high] - at[k] if high < len(at) else math.inf

    # distances rise as long as the earlier end is the nearer one, and fall from there on
    inside = range(low + 1, high)
    turn = bisect_left(inside, True, key=lambda k: since(k) > until(k))
    rising = since(inside[turn - 1]) if turn else -1.0
    falling = until(inside[turn]) if turn < len(inside) else -1.0
    if falling > rising:
        return [(-falling, inside[turn], low, high)]
    return [(-rising, inside[bisect_left(inside, rising, key=since)], low, high)]


def default_budgets(most: int) -> tuple[int, ...]:
    """Return 1, 2, 4 and so on, and all.

    >>> default_budgets(6)
    (1, 2, 4, 6)
    """
    return (*(2**k for k in range(most.bit_length()) if 2**k < most), most)
