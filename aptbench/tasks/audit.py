"""`audit_split`: how far in time the parts of a split are from each other."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np
import numpy.typing as npt


@dataclass(frozen=True)
class SplitAudit:
    """What `audit_split` found.

    Parameters
    ----------
    gap_fs : float
        Least time between two labels of different parts, in fs; infinite with one part only.
    nearest_train_fs : tuple of float
        Time from each test label to the nearest training label, in fs.
    unused : tuple of int
        Labels in no part.
    """

    gap_fs: float
    nearest_train_fs: tuple[float, ...]
    unused: tuple[int, ...]


def audit_split(parts: Mapping[str, Sequence[int]], label_times: npt.ArrayLike) -> SplitAudit:
    """Measure the distances in time between the parts of a split.

    Parameters
    ----------
    parts : mapping of str to sequence of int
        Label indices by part; distances to training need the parts "train" and "test".
    label_times : array, shape (label,)
        Time of every label in fs.

    Returns
    -------
    SplitAudit

    Examples
    --------
    >>> audit = audit_split({"train": [0, 1], "test": [3]}, [0.0, 50.0, 100.0, 170.0])
    >>> audit.gap_fs, audit.nearest_train_fs, audit.unused
    (120.0, (120.0,), (2,))
    """
    times = np.asarray(label_times, float)
    chosen = {name: times[list(part)] for name, part in parts.items() if len(part)}
    pairs = combinations(chosen.values(), 2)
    gap = min((time_to_nearest(a, b).min() for a, b in pairs), default=np.inf)
    nearest: tuple[float, ...] = ()
    if "train" in chosen and "test" in chosen:
        nearest = tuple(time_to_nearest(chosen["test"], chosen["train"]).tolist())
    used = {index for part in parts.values() for index in part}
    return SplitAudit(
        float(gap), nearest, tuple(index for index in range(len(times)) if index not in used)
    )


def time_to_nearest(times: npt.ArrayLike, others: npt.ArrayLike) -> npt.NDArray[np.float64]:
    """Return the distance in time from each label to the nearest of others.

    Parameters
    ----------
    times : array, shape (label,)
    others : array, shape (other,)
        One at least, in any order.

    Returns
    -------
    array, shape (label,)

    Examples
    --------
    >>> time_to_nearest([0.0, 4.0, 9.0], [5.0, 1.0]).tolist()
    [1.0, 1.0, 4.0]
    """
    at, known = np.asarray(times, float), np.sort(np.asarray(others, float))
    # memory for one number a label: all pairs of a dense trajectory do not fit
    after = np.searchsorted(known, at)
    earlier, later = known[np.maximum(after - 1, 0)], known[np.minimum(after, len(known) - 1)]
    return np.minimum(np.abs(at - earlier), np.abs(at - later))
