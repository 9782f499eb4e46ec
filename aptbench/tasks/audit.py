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
    gap = min((_distances(a, b).min() for a, b in combinations(chosen.values(), 2)), default=np.inf)
    nearest: tuple[float, ...] = ()
    if "train" in chosen and "test" in chosen:
        nearest = tuple(float(x) for x in _distances(chosen["test"], chosen["train"]).min(1))
    used = {index for part in parts.values() for index in part}
    return SplitAudit(
        float(gap), nearest, tuple(index for index in range(len(times)) if index not in used)
    )


def _distances(
    first: npt.NDArray[np.float64], second: npt.NDArray[np.float64]
) -> npt.NDArray[np.float64]:
    return np.abs(first[:, None] - second[None])
