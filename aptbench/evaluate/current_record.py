"""`CurrentRecord`: the current of a model along a trajectory, with tensors to check it."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import numpy.typing as npt

from aptbench.atomic import write_archive
from aptbench.errors import InputError
from aptbench.evaluate.array_archive import read_arrays
from aptbench.evaluate.current_audit import audit_frames, check_currents
from aptbench.evaluate.trajectory import DenseTrajectory

if TYPE_CHECKING:
    from aptbench.evaluate.prediction_run import NamedModel

_NAMES: Final = ("current", "frame", "apt")


@dataclass(frozen=True, eq=False)
class CurrentRecord:
    """A current in every frame of a trajectory, and the tensors of its audit frames.

    Parameters
    ----------
    current : array of float32 or float64, shape (frame, pol)
        In e angstrom/fs.
    frame : array of int, shape (audit,)
        As `audit_frames` gives them for this current.
    apt : array, shape (audit, atom, pol, disp)
        In e.
    """

    current: npt.NDArray[Any]
    frame: npt.NDArray[np.int64]
    apt: npt.NDArray[Any]

    @classmethod
    def of(
        cls, model: NamedModel, currents: npt.ArrayLike, trajectory: DenseTrajectory
    ) -> CurrentRecord:
        """Round a current to single precision, and ask the model for the tensors to check it."""
        current = np.asarray(currents, np.float32)
        frame = audit_frames(current)
        return cls(current, frame, tensors_of(model, frame, trajectory))

    @classmethod
    def read(cls, path: str | Path) -> CurrentRecord:
        """Read an ``.npz`` file, which may be from a stranger.

        Raises
        ------
        InputError
            If it is damaged or not complete.
        """
        path = Path(path)
        arrays = read_arrays(path, lambda name: name in _NAMES)
        if set(arrays) != set(_NAMES):
            raise InputError(
                f"The file {path.name} is not complete.",
                got=", ".join(arrays),
                expected=", ".join(_NAMES),
            )
        kinds = [arrays[name].dtype.kind for name in _NAMES]
        if kinds not in (["f", "i", "f"], ["f", "u", "f"]) or arrays["frame"].ndim != 1:
            raise InputError(
                f"The file {path.name} does not hold a current with its tensors.",
                got=", ".join(f"{n} {arrays[n].dtype} {arrays[n].shape}" for n in _NAMES),
                expected="floating-point current (frame, pol) and apt (audit, atom, pol, disp), "
                "integer frame (audit,)",
            )
        return cls(**arrays)

    def write(self, path: str | Path) -> Path:
        """Write an ``.npz`` file atomically, and return its path."""
        return write_archive(vars(self), path)

    def check(self, trajectory: DenseTrajectory) -> float:
        """Compare the current with its tensors, as `check_currents` does."""
        return check_currents(self.current, self.frame, self.apt, trajectory)

    def is_of(self, model: NamedModel, trajectory: DenseTrajectory) -> bool:
        """Whether the tensors that a model gives now for the audit frames give this current."""
        try:
            replace(self, apt=tensors_of(model, self.frame, trajectory)).check(trajectory)
        except InputError:
            return False
        return True


def current_path(result: Path) -> Path:
    """Return where the current of an archived result, ``MODEL.json``, is kept.

    >>> current_path(Path("water/iid/mine.json")).as_posix()
    'water/iid/currents/mine.npz'
    """
    return result.parent / "currents" / f"{result.stem}.npz"


def tensors_of(
    model: NamedModel, frame: npt.NDArray[np.int64], trajectory: DenseTrajectory
) -> npt.NDArray[np.float32]:
    """Return the tensors of some frames, one at a time, shape (frame, atom, pol, disp), in e."""
    parts = [model.predict(trajectory.frames[int(k) : int(k) + 1]) for k in frame]
    return np.concatenate(parts).astype(np.float32)
