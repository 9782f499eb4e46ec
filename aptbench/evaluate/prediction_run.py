"""`PredictionRun`: a model run over frames in chunks, with its cost; dense tensors are kept."""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from aptbench.atomic import read_archive, write_archive
from aptbench.errors import AptbenchError, InputError
from aptbench.evaluate.current_audit import TOLERANCE
from aptbench.evaluate.model_code import code_of
from aptbench.evaluate.process import peak_memory, reset_peak_memory
from aptbench.evaluate.result import Timing
from aptbench.evaluate.trajectory import FrameSource
from aptbench.frames import Frames
from aptbench.metrics import checked_deviation
from aptbench.models.fitting import allowed_threads
from aptbench.models.protocol import checked_prediction
from aptbench.spectra.current import current

CHUNK = 16
SEGMENT = 256
Advance = Callable[[int], None]


class NamedModel(Protocol):
    """A model with the name that `load_model` gave it."""

    name: str

    def predict(self, frames: Frames) -> npt.NDArray[Any]:
        """Return tensors in e, shape (frame, atom, pol, disp)."""
        ...


@dataclass(frozen=True, eq=False)
class PredictionRun:
    """What came out of a run over frames, and what it cost.

    Parameters
    ----------
    values : array
        Tensors (frame, atom, pol, disp) in e, or currents (frame, pol) in e angstrom/fs.
    timing : Timing
    """

    values: npt.NDArray[Any]
    timing: Timing


def predict_tensors(
    model: NamedModel, frames: Frames, *, chunk: int = CHUNK, advance: Advance | None = None
) -> PredictionRun:
    """Predict the tensors of all frames, a few frames at a time.

    Parameters
    ----------
    model : object with ``name`` and ``predict``
    frames : Frames
    chunk : int
        Frames given to the model at once.
    advance : callable, optional
        Called with the number of frames after each chunk.

    Returns
    -------
    PredictionRun
        Tensors in the precision of the model, 32 or 64 bit.

    Raises
    ------
    InputError
        If the model fails, or returns something that does not fit the frames.
    """
    reset_peak_memory()
    pieces, seconds = [], 0.0
    for start in range(0, len(frames), chunk):
        part = frames[start : start + chunk]
        before = time.perf_counter()
        try:
            raw = model.predict(part)
        except AptbenchError:
            raise
        except Exception as error:
            raise InputError(
                f"The model {model.name!r} failed in frames {start} to {start + len(part) - 1}.",
                got=f"{type(error).__name__}: {error}",
                do="see the traceback with --debug",
            ) from error
        seconds += time.perf_counter() - before
        apt = checked_prediction(raw, part, name=model.name)
        if np.asarray(raw).dtype == np.float32:
            apt = apt.astype(np.float32)
        pieces.append(apt)
        if advance is not None:
            advance(len(part))
    timing = Timing(
        seconds_per_frame=seconds / len(frames),
        peak_memory_mb=peak_memory(),
        frames=len(frames),
        atoms=frames.n_atoms,
        threads=allowed_threads(),
    )
    return PredictionRun(np.concatenate(pieces), timing)


def predict_deviations(
    model: NamedModel, frames: Frames, *, chunk: int = CHUNK
) -> npt.NDArray[Any] | None:
    """Predict the standard deviations of the tensors, if the model has ``predict_std``.

    Returns
    -------
    array, shape (frame, atom, pol, disp), or None
        In e; None also if all are zero, as those of a committee of one are.

    Raises
    ------
    AlignmentError, InputError
        If the model fails, or returns something that is no deviation of these tensors.
    """
    predict_std = getattr(model, "predict_std", None)
    if predict_std is None:
        return None
    pieces = []
    for start in range(0, len(frames), chunk):
        part = frames[start : start + chunk]
        try:
            raw = predict_std(part)
        except AptbenchError:
            raise
        except Exception as error:
            raise InputError(
                f"The model {model.name!r} failed to predict standard deviations.",
                got=f"{type(error).__name__}: {error}",
                do="see the traceback with --debug",
            ) from error
        deviation = checked_deviation(raw, part)
        single = np.asarray(raw).dtype == np.float32
        pieces.append(deviation.astype(np.float32) if single else deviation)
    deviations = np.concatenate(pieces)
    return deviations if np.any(deviations) else None


class PredictedTensors:
    """The tensors of a trajectory as a model predicts them, made when they are asked for.

    It is sliced as an array of shape (frame, atom, pol, disp) in e. Segments of `SEGMENT` frames
    are predicted once and kept in the cache, if there is one. A segment from an earlier run is used
    once the model predicts one of its frames as it is there, and is made again otherwise: what no
    key tells is noticed so.

    Parameters
    ----------
    model : object with ``name`` and ``predict``
    frames : FrameSource
        `Frames`, or frames that are read a stretch at a time.
    cache : Path, optional
        Folder for the segments; only the last one is kept, in memory, if None.
    key : str
        Identifies model and data, see `cache_key`; nothing is kept if None.
    advance
        As in `predict_tensors`.
    """

    def __init__(
        self,
        model: NamedModel,
        frames: FrameSource,
        *,
        cache: Path | None = None,
        key: str | None = None,
        advance: Advance | None = None,
    ) -> None:
        self._model, self._frames, self._advance = model, frames, advance
        self._folder = None if cache is None or key is None else cache / key
        self._last: tuple[int, PredictionRun] | None = None
        self._timings: dict[int, Timing] = {}

    @property
    def shape(self) -> tuple[int, int, int, int]:
        """Frames, atoms, pol, disp."""
        return len(self._frames), self._frames.n_atoms, 3, 3

    def __getitem__(self, index: slice) -> npt.NDArray[Any]:
        """Return the tensors of a stretch of frames, shape (frame, atom, pol, disp)."""
        start, stop, _ = index.indices(len(self._frames))
        pieces = []
        for number in range(start // SEGMENT, -(-stop // SEGMENT)):
            first = number * SEGMENT
            values = self._segment(number).values
            pieces.append(values[max(0, start - first) : stop - first])
        return np.concatenate(pieces) if pieces else np.zeros((0, *self.shape[1:]))

    @property
    def timing(self) -> Timing:
        """Cost of the frames that were asked for, from the first prediction of each."""
        timings = list(self._timings.values())
        frames = sum(timing.frames for timing in timings)
        memory = [t.peak_memory_mb for t in timings if t.peak_memory_mb is not None]
        return Timing(
            seconds_per_frame=sum(t.seconds_per_frame * t.frames for t in timings) / frames,
            peak_memory_mb=max(memory, default=None),
            frames=frames,
            atoms=self._frames.n_atoms,
            threads=timings[0].threads,
        )

    def _segment(self, number: int) -> PredictionRun:
        if self._last is not None and self._last[0] == number:
            return self._last[1]
        first = number * SEGMENT
        size = min(SEGMENT, len(self._frames) - first)
        path = None if self._folder is None else self._folder / f"apt_{first:06d}_{size}.npz"
        piece = None if path is None else self._kept(path, number, size)
        if piece is None:
            frames = self._frames[first : first + size]
            piece = predict_tensors(self._model, frames, advance=self._advance)
            if path is not None:
                arrays = {"apt": piece.values, "timing": piece.timing.model_dump_json()}
                write_archive(arrays, path, compressed=False)
        elif self._advance is not None:
            self._advance(size)
        self._last = number, piece
        self._timings[number] = piece.timing
        return piece

    def _kept(self, path: Path, number: int, size: int) -> PredictionRun | None:
        """Return a segment that is kept, None if the model would not predict it so today."""
        piece = _read_segment(path, (size, *self.shape[1:]))
        if piece is None or number in self._timings:
            return piece
        k = 97 * number % size
        at = number * SEGMENT + k
        now = predict_tensors(self._model, self._frames[at : at + 1]).values[0].astype(np.float64)
        deviation = np.abs(piece.values[k] - now).max()
        return piece if deviation <= TOLERANCE * np.sqrt(np.mean(now**2)) else None


def predict_currents(tensors: PredictedTensors, frames: FrameSource) -> PredictionRun:
    """Predict the current of every frame.

    Parameters
    ----------
    tensors : PredictedTensors
    frames : FrameSource
        With velocities.

    Returns
    -------
    PredictionRun
        Currents sum_i P_i v_i in e angstrom/fs, shape (frame, pol).
    """
    values = np.empty((len(frames), 3))
    for start in range(0, len(frames), SEGMENT):
        part = slice(start, start + SEGMENT)
        velocities = frames[part].velocities
        if velocities is None:
            raise InputError("A current needs velocities.", do="use a trajectory with velocities")
        values[part] = current(tensors[part], velocities)
    return PredictionRun(values, tensors.timing)


def fingerprint(folder: Path | None, task: str | None = None) -> str | None:
    """Return the SHA-256 over the files of a model folder, None for a model without one.

    Of what it has learned for other tasks than ``task`` nothing is taken.
    """
    if folder is None or not folder.is_dir():
        return None
    digest = hashlib.sha256()
    for path in sorted(folder.rglob("*")):
        # A card is prose: correcting it does not make another model.
        # Hidden files are checkpoints of a training that goes on.
        hidden = path.name.startswith(".") or "__pycache__" in path.parts
        inside = path.relative_to(folder).as_posix()
        other = inside.startswith("trained/") and not inside.startswith(f"trained/{task}/")
        if path.is_file() and not hidden and not other and path.name != "card.md":
            digest.update(inside.encode() + b"\0")
            digest.update(hashlib.sha256(path.read_bytes()).digest())
    return digest.hexdigest()


def cache_key(
    model: NamedModel, model_fingerprint: str | None, trajectory: str, folder: Path | None = None
) -> str | None:
    """Return a folder name that changes with the model, its code, its libraries and the frames.

    None for a model without a fingerprint, or with an other Python that does not answer: nothing
    tells one state of it from another.

    Parameters
    ----------
    model : object with ``name`` and ``predict``
        As it was loaded.
    model_fingerprint : str or None
        See `fingerprint`.
    trajectory : str
        Identity of the frames.
    folder : Path, optional
        Of the model, for what `aptbench.evaluate.model_code.code_of` finds there.
    """
    code = None if model_fingerprint is None else code_of(model, folder)
    if code is None:
        return None
    text = json.dumps([model.name, model_fingerprint, trajectory, code])
    return f"{model.name}-{hashlib.sha256(text.encode()).hexdigest()[:24]}"


def _read_segment(path: Path, shape: tuple[int, ...]) -> PredictionRun | None:
    try:
        archive = read_archive(path)
        values = archive["apt"]
        timing = Timing.model_validate_json(str(archive["timing"]))
    except (OSError, ValueError, KeyError):
        return None
    return PredictionRun(values, timing) if values.shape == shape else None
