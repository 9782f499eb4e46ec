"""`environment_distances`: how near test environments are to training environments."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from aptbench.elements import SYMBOLS
from aptbench.errors import InputError
from aptbench.frames import Frames
from aptbench.tasks.environments import environment_vectors

Array = npt.NDArray[np.float64]

_ROWS: Final = 2048


@dataclass(frozen=True)
class EnvironmentDistances:
    """Distances to the nearest training environment, for one element.

    Parameters
    ----------
    element : str
    test_to_train : float
        Median over the test environments, between 0 and the square root of 2.
    train_to_train : float or None
        The same for training environments and those of other training frames; None with one frame.
    same_atom : float or None
        Share of the test environments whose nearest training environment is that of the same atom;
        None where the two are of different systems.
    same_atom_by_chance : float or None
        That share if nothing were remembered: one over the atoms of the element.
    """

    element: str
    test_to_train: float
    train_to_train: float | None
    same_atom: float | None
    same_atom_by_chance: float | None

    @property
    def ratio(self) -> float | None:
        """Test to train over train to train: below 1 the test is nearer than training is to itself.

        None if the second is unknown or zero.
        """
        return self.test_to_train / self.train_to_train if self.train_to_train else None


def environment_distances(
    train: Sequence[Frames], test: Sequence[Frames], *, same_system: bool = False
) -> tuple[EnvironmentDistances, ...]:
    """Compare test environments with training environments, element by element.

    Parameters
    ----------
    train, test : sequence of Frames
        One entry a system.
    same_system : bool
        Whether both are one entry of the same atoms in the same order.

    Returns
    -------
    tuple of EnvironmentDistances
        Heavier elements first; elements that training does not have are left out.

    Raises
    ------
    InputError
        If a part has no frame.

    Notes
    -----
    The distance is that of `aptbench.tasks.environments.environment_vectors`.
    """
    for name, part in (("training", train), ("test", test)):
        if not sum(len(frames) for frames in part):
            raise InputError(f"The {name} part has no frame to compare environments with.")
    elements = np.unique(np.concatenate([f.atomic_numbers for f in (*train, *test)]))
    known = [_vectors(part, elements) for part in (train, test)]
    found = []
    for z in elements[::-1]:
        one, other = (_of_element(part, z) for part in known)
        if not len(one.vectors) or not len(other.vectors):
            continue
        outside, nearest = _nearest(other, one, apart=False)
        several = len(np.unique(one.frame)) > 1
        within = _nearest(one, one, apart=True)[0] if several else None
        found.append(
            EnvironmentDistances(
                SYMBOLS[z],
                float(np.median(outside)),
                None if within is None else float(np.median(within)),
                float(np.mean(one.atom[nearest] == other.atom)) if same_system else None,
                1.0 / len(np.unique(one.atom)) if same_system else None,
            )
        )
    return tuple(found)


@dataclass(frozen=True, eq=False)
class _Environments:
    """Environments of some atoms: vectors, and the frame, the atom and the element of each."""

    vectors: Array
    frame: npt.NDArray[np.int64]
    atom: npt.NDArray[np.int64]
    number: npt.NDArray[np.int64]


def _vectors(part: Sequence[Frames], elements: npt.NDArray[np.int64]) -> _Environments:
    vectors, frame, atom, number = [], [], [], []
    before = 0
    for frames in part:
        if not len(frames):
            continue
        found = environment_vectors(frames, elements.tolist())
        n_frames, n_atoms = found.shape[:2]
        vectors.append(found.reshape(n_frames * n_atoms, -1))
        frame.append(before + np.repeat(np.arange(n_frames), n_atoms))
        atom.append(np.tile(np.arange(n_atoms), n_frames))
        number.append(np.tile(frames.atomic_numbers, n_frames))
        before += n_frames
    return _Environments(
        np.concatenate(vectors), np.concatenate(frame), np.concatenate(atom), np.concatenate(number)
    )


def _of_element(part: _Environments, z: int) -> _Environments:
    mask = part.number == z
    return _Environments(part.vectors[mask], part.frame[mask], part.atom[mask], part.number[mask])


def _nearest(
    of: _Environments, among: _Environments, *, apart: bool
) -> tuple[Array, npt.NDArray[np.int64]]:
    """Return distance and index of the nearest, of another frame if they are to be apart."""
    distance, index = np.empty(len(of.vectors)), np.empty(len(of.vectors), np.int64)
    length = (among.vectors**2).sum(1)
    for start in range(0, len(of.vectors), _ROWS):
        part = slice(start, start + _ROWS)
        square = length - 2 * of.vectors[part] @ among.vectors.T
        if apart:
            square[of.frame[part, None] == among.frame] = np.inf
        index[part] = square.argmin(1)
        difference = of.vectors[part] - among.vectors[index[part]]
        distance[part] = np.linalg.norm(difference, axis=1)
    return distance, index
