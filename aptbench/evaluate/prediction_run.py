"""`PredictionRun`: a model run over frames in chunks, with its cost; dense currents are kept."""

from __future__ import annotations

import hashlib
import json
import os
import time
from collections.abc import Callable
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

import aptbench
from aptbench.errors import AptbenchError, InputError
from aptbench.evaluate.result import Timing
from aptbench.frames import Frames
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
    return _run(model, frames, lambda apt, _: apt, chunk, advance)


def predict_currents(
    model: NamedModel,
    frames: Frames,
    *,
    cache: Path | None = None,
    key: str = "",
    chunk: int = CHUNK,
    advance: Advance | None = None,
) -> PredictionRun:
    """Predict the current of every frame, in segments that are kept and not computed twice.

    Parameters
    ----------
    model : object with ``name`` and ``predict``
    frames : Frames
        With velocities.
    cache : Path, optional
        Folder for the segments; nothing is kept if None.
    key : str
        Identifies model and data; see `cache_key`.
    chunk, advance
        As in `predict_tensors`.

    Returns
    -------
    PredictionRun
        Currents sum_i P_i v_i in e angstrom/fs, shape (frame, pol). The timing is that of the
        first computation of each segment.
    """
    if frames.velocities is None:
        raise InputError("A current needs velocities.", do="use a trajectory with velocities")
    pieces: list[PredictionRun] = []
    for start in range(0, len(frames), SEGMENT):
        part = frames[start : start + SEGMENT]
        path = None if cache is None else cache / key / f"current_{start:06d}_{len(part)}.npz"
        piece = None if path is None else _read_segment(path, len(part))
        if piece is None:
            piece = _run(model, part, _current_of, chunk, advance)
            if path is not None:
                _write_segment(path, piece)
        elif advance is not None:
            advance(len(part))
        pieces.append(piece)
    values = np.concatenate([piece.values for piece in pieces])
    seconds = sum(piece.timing.seconds_per_frame * piece.timing.frames for piece in pieces)
    memory = [p.timing.peak_memory_mb for p in pieces if p.timing.peak_memory_mb is not None]
    timing = Timing(
        seconds_per_frame=seconds / len(frames),
        peak_memory_mb=max(memory, default=None),
        frames=len(frames),
        atoms=frames.n_atoms,
        threads=pieces[0].timing.threads,
    )
    return PredictionRun(values, timing)


def fingerprint(folder: Path | None) -> str | None:
    """Return the SHA-256 over the files of a model folder, None for a model without one."""
    if folder is None or not folder.is_dir():
        return None
    digest = hashlib.sha256()
    for path in sorted(folder.rglob("*")):
        # A card is prose: correcting it does not make another model.
        if path.is_file() and "__pycache__" not in path.parts and path.name != "card.md":
            digest.update(path.relative_to(folder).as_posix().encode() + b"\0")
            digest.update(hashlib.sha256(path.read_bytes()).digest())
    return digest.hexdigest()


def cache_key(model: NamedModel, model_fingerprint: str, content_hash: str, system: str) -> str:
    """Return a folder name that changes with the model, its code, its libraries and the data."""
    code = hashlib.sha256()
    package = Path(aptbench.__file__).parent
    for path in sorted(package.rglob("*.py")):
        if path.relative_to(package).parts[0] in ("models", "spectra", "frames.py", "units.py"):
            code.update(path.read_bytes())
    versions = {}
    for library in ("numpy", "torch", "e3nn", "vesin"):
        try:
            versions[library] = metadata.version(library)
        except metadata.PackageNotFoundError:
            versions[library] = ""
    parts = [model.name, model_fingerprint, content_hash, system, code.hexdigest(), versions]
    text = json.dumps(parts, sort_keys=True)
    return f"{model.name}-{hashlib.sha256(text.encode()).hexdigest()[:24]}"


def _current_of(apt: npt.NDArray[Any], frames: Frames) -> npt.NDArray[Any]:
    assert frames.velocities is not None
    return current(apt, frames.velocities)


def _run(
    model: NamedModel,
    frames: Frames,
    reduce: Callable[[npt.NDArray[Any], Frames], npt.NDArray[Any]],
    chunk: int,
    advance: Advance | None,
) -> PredictionRun:
    _reset_peak_memory()
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
        pieces.append(reduce(apt, part))
        if advance is not None:
            advance(len(part))
    timing = Timing(
        seconds_per_frame=seconds / len(frames),
        peak_memory_mb=_peak_memory(),
        frames=len(frames),
        atoms=frames.n_atoms,
        threads=_threads(),
    )
    return PredictionRun(np.concatenate(pieces), timing)


def _threads() -> int:
    setting = os.environ.get("OMP_NUM_THREADS", "").partition(",")[0]
    return int(setting) if setting.isdigit() else len(os.sched_getaffinity(0))


def _reset_peak_memory() -> None:
    try:
        Path("/proc/self/clear_refs").write_text("5")
    except OSError:  # only Linux has it: elsewhere the peak is that of the whole life
        return


def _peak_memory() -> float | None:
    try:
        lines = Path("/proc/self/status").read_text().splitlines()
    except OSError:
        return None
    found = [line for line in lines if line.startswith("VmHWM:")]
    return int(found[0].split()[1]) * 1024 / 1e6 if found else None


def _read_segment(path: Path, frames: int) -> PredictionRun | None:
    try:
        with np.load(path, allow_pickle=False) as archive:
            values = archive["current"]
            timing = Timing.model_validate_json(str(archive["timing"]))
    except (OSError, ValueError, KeyError, EOFError):
        return None
    return PredictionRun(values, timing) if values.shape == (frames, 3) else None


def _write_segment(path: Path, piece: PredictionRun) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    with temporary.open("wb") as stream:
        np.savez(stream, current=piece.values, timing=piece.timing.model_dump_json())
    temporary.replace(path)
