"""`APTModel`: what an object must do to be benchmarked."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

import numpy as np
import numpy.typing as npt

from aptbench.errors import InputError
from aptbench.frames import Frames, LabelledFrames

Array = npt.NDArray[np.float64]


@runtime_checkable
class APTModel(Protocol):
    """Anything that predicts atomic polar tensors; numpy in, numpy out.

    A model may also have ``predict_std(frames)``, of the shape of ``predict``, and
    ``dipole(frames)``, of shape (frame, pol) in e angstrom.

    Examples
    --------
    >>> class Zero:
    ...     def predict(self, frames):
    ...         return np.zeros((len(frames), frames.n_atoms, 3, 3))
    >>> isinstance(Zero(), APTModel)
    True
    """

    def predict(self, frames: Frames) -> Array:
        """Return atomic polar tensors in e, shape (frame, atom, pol, disp)."""
        ...


@runtime_checkable
class TrainableModel(APTModel, Protocol):
    """A model that learns from labels and keeps what it learned in its folder."""

    def fit(self, train: LabelledFrames, validation: LabelledFrames | None = None) -> Any:
        """Learn from labelled frames and return self; ``validation`` may only select."""
        ...

    def save(self, folder: Path, provenance: Mapping[str, Any] | None = None) -> Path:
        """Write what was learned, and from what, into a model folder; return the file."""
        ...


def checked_prediction(prediction: npt.ArrayLike, frames: Frames, *, name: str = "model") -> Array:
    """Return a prediction as an array of float64, or say what is wrong with it.

    Parameters
    ----------
    prediction : array, shape (frame, atom, pol, disp)
        In e.
    frames : Frames
        What was predicted.
    name : str
        Name of the model, for the message.

    Raises
    ------
    InputError
        If the shape does not fit the frames or a value is not finite.

    Examples
    --------
    >>> checked_prediction(np.zeros((1, 2, 3, 3)), Frames([1, 1], [[0, 0, 0], [0, 0, 0.74]])).shape
    (1, 2, 3, 3)
    """
    array = np.asarray(prediction, np.float64)
    expected = (len(frames), frames.n_atoms, 3, 3)
    if array.shape != expected:
        raise InputError(
            f"The prediction of {name!r} has the wrong shape.",
            got=array.shape,
            expected=f"(frame, atom, pol, disp) = {expected}",
        )
    bad = np.argwhere(~np.isfinite(array))
    if len(bad):
        raise InputError(
            f"The prediction of {name!r} has {len(bad)} values that are not finite.",
            got=f"{array[tuple(bad[0])]} at index {tuple(int(k) for k in bad[0])}",
            expected="finite numbers everywhere",
        )
    return array
