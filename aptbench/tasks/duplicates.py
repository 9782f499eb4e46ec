"""`find_duplicates`: frames that are the same up to a rigid motion and the order of like atoms."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from aptbench.frames import Frames
from aptbench.tasks.congruence import congruence
from aptbench.tasks.invariants import frame_invariants
from aptbench.tasks.observables import Trajectory

Array = npt.NDArray[np.float64]

EXACT: Final = 2.0**-13
"""Angstrom within which two frames are the same: two roundings to multiples of 2^-14 angstrom move
an atom by at most sqrt(3) 2^-14."""
NEAR: Final = 0.02
"""Angstrom within which two frames are nearly the same: an atom moves farther in two steps of a
trajectory."""
_CANDIDATES: Final = 8
_CHUNK: Final = 512


@dataclass(frozen=True, order=True)
class Duplicate:
    """Two frames that are the same.

    Parameters
    ----------
    first, second : tuple of str and int
        Source and frame of each.
    deviation : float
        Largest distance of an atom from its partner in angstrom.
    """

    first: tuple[str, int]
    second: tuple[str, int]
    deviation: float


def find_duplicates(
    sources: Mapping[str, Trajectory],
    others: Mapping[str, Trajectory] | None = None,
    *,
    tolerance: float = EXACT,
    progress: Callable[[int], None] | None = None,
) -> tuple[Duplicate, ...]:
    """Find frames that are the same modulo rotation, reflection, translation, order and lattice.

    Parameters
    ----------
    sources : mapping of str to Frames, or to another sequence whose slices are Frames
        By name; of any elements, sizes and boundaries.
    others : the same, optional
        Compare sources with these; with each other if not given.
    tolerance : float
        Largest distance of an atom from its partner in angstrom.
    progress : callable, optional
        Called with the number of frames read since the last call.

    Returns
    -------
    tuple of Duplicate
        Sorted. Each frame is compared with the eight frames whose invariants are nearest, so that
        of many equal frames not every pair is listed.

    Notes
    -----
    Frames are compared by `aptbench.tasks.invariants.frame_invariants` in a tree first, and laid on
    each other by `aptbench.tasks.congruence.congruence` only if these agree. A frame of one atom
    has no duplicates: it would be that of every other.

    Examples
    --------
    >>> water = Frames([8, 1, 1], [[0, 0, 0], [0.96, 0, 0], [-0.24, 0.93, 0]])
    >>> turned = water.rotated(np.eye(3)[[1, 2, 0]])
    >>> found = find_duplicates({"one": water, "two": turned})
    >>> [(one.first, one.second) for one in found]
    [(('one', 0), ('two', 0))]
    """
    groups = _grouped(sources, progress)
    targets = groups if others is None else _grouped(others, progress)
    pairs = [
        pair
        for key, (points, names) in groups.items()
        if key in targets
        for pair in _candidates(points, names, *targets[key], tolerance, alone=others is None)
    ]
    here = _Reader(sources, (one for one, _ in pairs))
    there = _Reader(sources if others is None else others, (two for _, two in pairs))
    found = []
    for one, two in pairs:
        deviation = congruence(here[one], there[two], tolerance)
        if deviation <= tolerance:
            found.append(Duplicate(one, two, deviation))
    return tuple(sorted(found))


Name = tuple[str, int]


def _grouped(
    sources: Mapping[str, Trajectory], progress: Callable[[int], None] | None
) -> dict[Any, tuple[Array, list[Name]]]:
    """Return invariants and names of the frames, those that can be the same together."""
    rows: dict[Any, list[Array]] = {}
    names: dict[Any, list[Name]] = {}
    for source, trajectory in sources.items():
        for start in range(0, len(trajectory), _CHUNK):
            frames = trajectory[start : start + _CHUNK]
            composition = tuple(np.sort(frames.atomic_numbers).tolist())
            if len(composition) > 1:
                for k, row in enumerate(frame_invariants(frames)):
                    key = (composition, frames.periodic, len(row))
                    rows.setdefault(key, []).append(row)
                    names.setdefault(key, []).append((source, start + k))
            if progress is not None:
                progress(len(frames))
    return {key: (np.stack(values), names[key]) for key, values in rows.items()}


def _candidates(
    points: Array,
    names: list[Name],
    others: Array,
    other_names: list[Name],
    tolerance: float,
    *,
    alone: bool,
) -> list[tuple[Name, Name]]:
    """Return pairs whose invariants are as near as the tolerance demands, each once."""
    from scipy.spatial import cKDTree

    # a frame finds itself first, or a copy of itself: one more, and drop it
    k = min(_CANDIDATES + alone, len(others))
    bound = 2 * tolerance + 1e-9
    _, index = cKDTree(others).query(points, k=k, p=np.inf, distance_upper_bound=bound)
    index = index.reshape(len(points), k)
    row, column = np.nonzero(index < len(others))
    pairs = {(int(i), int(j)) for i, j in zip(row, index[row, column], strict=True)}
    if alone:
        pairs = {(min(pair), max(pair)) for pair in pairs if pair[0] != pair[1]}
    return [(names[i], other_names[j]) for i, j in sorted(pairs)]


class _Reader:
    """Single frames of sources, each stretch of a store read once."""

    def __init__(self, sources: Mapping[str, Trajectory], wanted: Any) -> None:
        self._frames: dict[Name, Frames] = {}
        stretches: dict[tuple[str, int], set[int]] = {}
        for source, frame in wanted:
            stretches.setdefault((source, frame // _CHUNK), set()).add(frame)
        for (source, number), frames in stretches.items():
            start = number * _CHUNK
            part = sources[source][start : start + _CHUNK]
            for frame in frames:
                self._frames[source, frame] = part[frame - start].replace(velocities=None)

    def __getitem__(self, name: Name) -> Frames:
        return self._frames[name]
