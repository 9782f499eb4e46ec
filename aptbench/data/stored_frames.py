"""`StoredFrames`: the trajectory of a store, read a stretch at a time."""

from __future__ import annotations

from typing import TYPE_CHECKING

from aptbench.frames import Frames

if TYPE_CHECKING:
    from aptbench.data.dataset import Dataset


class StoredFrames:
    """The frames of a system of a store, for trajectories that do not fit in memory.

    It has a length, and a slice of it is `Frames`; nothing is kept.

    Parameters
    ----------
    dataset : Dataset
    system : str
    frames : range, optional
        Only these frames; all of the system if not given.
    """

    def __init__(self, dataset: Dataset, system: str, frames: range | None = None) -> None:
        self._dataset, self._system = dataset, system
        self._frames = range(dataset.n_frames(system)) if frames is None else frames
        self.first = self[0:1]
        """The first frame: elements, molecules, cell, charge."""

    def __len__(self) -> int:
        return len(self._frames)

    def __getitem__(self, index: slice) -> Frames:
        """Read a stretch of frames."""
        part = self._frames[index]
        return self._dataset.trajectory(self._system, slice(part.start, part.stop, part.step))

    @property
    def n_atoms(self) -> int:
        """Number of atoms."""
        return self.first.n_atoms
