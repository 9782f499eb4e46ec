"""`label_subsets`: the low-data subsets of a split, each within the next."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from aptbench.errors import InputError
from aptbench.tasks.label_budget import nested_order
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
    farthest_fs : float
        Largest time from a training label to the nearest label of the subset, in fs.
    """

    name: str
    labels: tuple[int, ...]
    farthest_fs: float

    @property
    def n_labels(self) -> int:
        """Number of labels."""
        return len(self.labels)


def label_subsets(
    split: Split, label_times: npt.ArrayLike, budgets: Sequence[int] | None = None
) -> tuple[LabelSubset, ...]:
    """Return nested subsets of the training labels, the smallest first.

    Parameters
    ----------
    split : Split
    label_times : array, shape (label,)
        Times of all labels of the system, in fs.
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
    times = np.asarray(label_times, float)[train]
    order = nested_order(times)
    found = []
    for n in sorted(set(wanted)):
        chosen = sorted(order[:n])
        farthest = np.abs(times[:, None] - times[chosen]).min(1).max()
        labels = tuple(int(train[k]) for k in chosen)
        found.append(LabelSubset(f"train-{n}", labels, float(farthest)))
    return tuple(found)


def default_budgets(most: int) -> tuple[int, ...]:
    """Return 1, 2, 4 and so on, and all.

    >>> default_budgets(6)
    (1, 2, 4, 6)
    """
    return (*(2**k for k in range(most.bit_length()) if 2**k < most), most)
