"""`SpreadModel`: a model whose frames are predicted by the workers of a Dask cluster."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from aptbench.evaluate.model_code import outside_files
from aptbench.evaluate.prediction_run import fingerprint
from aptbench.frames import Frames
from aptbench.models import load_model, model_folder

if TYPE_CHECKING:
    from distributed import Client


class SpreadModel:
    """Predict as a model does, frame by frame on many workers.

    Each frame is a task of its own: the numbers are the same whatever the number of workers, and
    those of the model itself, if it predicts a frame alone as in a batch, which the conformance kit
    demands. A worker loads a state of the model once, and anew when files of it have changed since:
    it may outlive a training. A frame whose worker is lost goes to another one.

    Parameters
    ----------
    model : object with ``name`` and ``predict``
        As it was loaded here, for all that is not predicted.
    name_or_folder : str or Path
        As `aptbench.models.load_model` takes it; the workers must find it too.
    client : distributed.Client
    task : str, optional
        Whose weights are wanted.
    """

    def __init__(
        self, model: Any, name_or_folder: str | Path, client: Client, task: str | None = None
    ) -> None:
        folder = model_folder(name_or_folder)
        self.name: str = model.name
        self._model, self._client, self._task = model, client, task
        self._place = str(name_or_folder) if folder is None else str(folder.resolve())
        self._state = ""
        if folder is not None:
            self._state = f"{fingerprint(folder, task)} {outside_files(folder)}"
        if hasattr(model, "predict_std"):
            self.predict_std = lambda frames: self._spread("predict_std", frames)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._model, name)

    def predict(self, frames: Frames) -> npt.NDArray[Any]:
        """Return atomic polar tensors in e, shape (frame, atom, pol, disp)."""
        return self._spread("predict", frames)

    def _spread(self, method: str, frames: Frames) -> npt.NDArray[Any]:
        futures = [
            self._client.submit(
                _call, self._place, self._task, self._state, method, frames[k : k + 1], pure=False
            )
            for k in range(len(frames))
        ]
        return np.concatenate(self._client.gather(futures))


@lru_cache(maxsize=4)
def _loaded(place: str, task: str | None, state: str) -> Any:
    """Load a model; ``state`` is only a part of the key."""
    return load_model(Path(place) if Path(place).is_dir() else place, task=task)


def _call(place: str, task: str | None, state: str, method: str, frames: Frames) -> Any:
    """Run on a worker."""
    return np.asarray(getattr(_loaded(place, task, state), method)(frames))
