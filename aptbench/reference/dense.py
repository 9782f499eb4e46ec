"""`label_dense`: tensors of every frame of a trajectory, in segments, resumable."""

from __future__ import annotations

import hashlib
import io
import json
import os
import socket
import time
import zipfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from aptbench.atomic import write_archive
from aptbench.data.quantization import round_tensors
from aptbench.data.system import SystemData, sum_rule_residual
from aptbench.errors import AlignmentError, InputError, StoreError
from aptbench.frames import Frames
from aptbench.metrics import rotational_sum_rule_residual

Array = npt.NDArray[np.float64]
Progress = Callable[[int, int], None]
"""Called with the frames done and the frames wanted."""


@dataclass(frozen=True, eq=False)
class DenseLabels:
    """Labels of consecutive frames.

    Parameters
    ----------
    apt : array, shape (frame, atom, pol, disp)
        In e, as computed: no sum rule was imposed.
    dipole : array, shape (frame, pol)
        In e angstrom; modulo the polarization quantum in a cell.
    quality : mapping of name to array (frame,)
        What the engine knows about the quality of each label, for example ``scf_residual``.

    Raises
    ------
    InputError
        If a shape does not fit or a value is not finite.

    Examples
    --------
    >>> labels = DenseLabels(np.zeros((2, 3, 3, 3)), np.zeros((2, 3)))
    >>> len(DenseLabels.joined([labels, labels]))
    4
    """

    apt: Array
    dipole: Array
    quality: Mapping[str, Array] = field(default_factory=dict)

    def __post_init__(self) -> None:
        apt, dipole = np.asarray(self.apt, float), np.asarray(self.dipole, float)
        quality = {name: np.asarray(column, float) for name, column in self.quality.items()}
        arrays = {"apt": apt, "dipole": dipole, **quality}
        if (
            apt.ndim != 4
            or apt.shape[2:] != (3, 3)
            or dipole.shape != (len(apt), 3)
            or any(column.shape != (len(apt),) for column in quality.values())
        ):
            raise InputError(
                "Dense labels have wrong shapes.",
                got=", ".join(f"{name} {array.shape}" for name, array in arrays.items()),
                expected="apt (frame, atom, 3, 3), dipole (frame, 3), quality columns (frame,)",
            )
        for name, array in arrays.items():
            if not np.all(np.isfinite(array)):
                raise InputError(f"The {name!r} of dense labels have values that are not finite.")
        object.__setattr__(self, "apt", apt)
        object.__setattr__(self, "dipole", dipole)
        object.__setattr__(self, "quality", quality)

    def __len__(self) -> int:
        return len(self.apt)

    @classmethod
    def joined(cls, parts: Sequence[DenseLabels]) -> DenseLabels:
        """Return the labels of stretches that follow each other.

        Raises
        ------
        InputError
            If there are none, or they do not have the same atoms and quality columns.
        """
        if not parts:
            raise InputError("There are no dense labels to join.")
        if len({(part.apt.shape[1], *sorted(part.quality)) for part in parts}) > 1:
            raise InputError("Dense labels to be joined differ in atoms or quality columns.")
        return cls(
            np.concatenate([part.apt for part in parts]),
            np.concatenate([part.dipole for part in parts]),
            {
                name: np.concatenate([part.quality[name] for part in parts])
                for name in parts[0].quality
            },
        )


class DenseLabeller(Protocol):
    """An engine that labels frames one after the other."""

    @property
    def name(self) -> str:
        """Short name of the engine and its level of theory."""
        ...

    def label(self, frames: Frames) -> DenseLabels:
        """Return the labels of all frames, at exactly their positions."""
        ...

    def provenance(self) -> dict[str, Any]:
        """Return code, version, method, level of theory and field step as plain values."""
        ...


def label_dense(
    frames: Frames,
    labeller: DenseLabeller,
    folder: Path,
    segment: int = 200,
    progress: Progress | None = None,
) -> DenseLabels:
    """Label every frame of a trajectory; what is finished is kept in a folder.

    The trajectory is cut into segments, each of which is one file ``segment_000000.npz`` (the
    number is that of its first frame), complete under its name or not there at all: a killed run
    loses one segment. Several processes may work in one folder at once; each takes the segments
    that no other has taken, and all return the labels of all frames. A trajectory that has grown
    since needs only its new frames, and the last segment if that was not full.

    Parameters
    ----------
    frames : Frames
        Rounded as they will be stored: labels are at exactly these positions.
    labeller : DenseLabeller
    folder : Path
    segment : int
        Frames in a segment.
    progress : callable, optional
        Told about the frames done.

    Returns
    -------
    DenseLabels

    Raises
    ------
    InputError
        If ``segment`` is not positive, or the folder has segments of another labeller.
    AlignmentError
        If the folder has a segment of other frames.
    StoreError
        If a segment cannot be read.
    """
    if segment < 1:
        raise InputError("The 'segment' is not positive.", got=segment, expected="at least 1")
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    identity = json.dumps(labeller.provenance(), sort_keys=True)
    done: dict[int, DenseLabels] = {}
    starts = range(0, len(frames), segment)
    waited = False
    while len(done) < len(starts):
        waiting = True
        for start in starts:
            if start in done:
                continue
            path = folder / f"segment_{start:06d}.npz"
            part = frames[start : start + segment]
            labels = _read(path, part, identity)
            if labels is None:
                with taken(path.with_suffix(".lock")) as mine:
                    if not mine:
                        continue
                    # Another process may have finished it between the look and the lock.
                    labels = _read(path, part, identity)
                    if labels is None:
                        labels = labeller.label(part)
                        _write(path, part, identity, labels)
            done[start] = labels
            waiting = False
            if progress:
                progress(sum(map(len, done.values())), len(frames))
        if waiting and waited:
            time.sleep(1.0)
        waited = waiting
    return DenseLabels.joined([done[start] for start in starts])


def dense_data(
    frames: Frames,
    labels: DenseLabels,
    times: Array,
    provenance: Mapping[str, Any],
    label_every: int = 1,
) -> SystemData:
    """Return a trajectory with regular labels as a store holds it.

    Tensors and dipoles are rounded to multiples of `aptbench.data.quantization.TENSOR_STEP`. The
    residuals of the exact sum rules are those of the tensors before rounding.

    Parameters
    ----------
    frames : Frames
        With velocities.
    labels : DenseLabels
        Of every ``label_every``-th frame from the first.
    times : array, shape (frame,)
        In fs.
    provenance : mapping
    label_every : int
    """
    label_frame = np.arange(0, len(frames), label_every)
    quality = {
        **labels.quality,
        "acoustic_sum_unrounded": sum_rule_residual(labels.apt, frames.total_charge),
    }
    units = {"acoustic_sum_unrounded": "e"}
    if "box" in labels.quality:
        units["box"] = "angstrom"
    if frames.cell is None:
        labelled = frames.positions[label_frame]
        residual = rotational_sum_rule_residual(labels.apt, labelled, labels.dipole)
        quality["rotational_sum"] = np.sqrt(np.mean(residual**2, axis=(-2, -1)))
        units["rotational_sum"] = "e angstrom"
    return SystemData(
        frames,
        label_frame,
        round_tensors(labels.apt),
        times=times,
        dipole=round_tensors(labels.dipole),
        quality=quality,
        quality_units=units,
        provenance=provenance,
    )


def _digest(frames: Frames) -> str:
    digest = hashlib.sha256()
    for array in (frames.atomic_numbers, frames.positions, frames.cell):
        if array is not None:
            digest.update(np.ascontiguousarray(array).tobytes())
    return digest.hexdigest()


def _write(path: Path, frames: Frames, identity: str, labels: DenseLabels) -> None:
    if labels.apt.shape[:2] != (len(frames), frames.n_atoms):
        raise AlignmentError(
            "A labeller did not return one label a frame and atom.",
            got=labels.apt.shape,
            expected=(len(frames), frames.n_atoms, 3, 3),
        )
    arrays: dict[str, Any] = {"positions_sha256": _digest(frames), "labeller": identity}
    arrays |= {f"quality_{name}": column for name, column in labels.quality.items()}
    write_archive(arrays | {"apt": labels.apt, "dipole": labels.dipole}, path)


def _read(path: Path, frames: Frames, identity: str) -> DenseLabels | None:
    """Return the labels of a segment, or None if it is still to be made."""
    try:
        # From memory: NumPy leaves a damaged file open.
        with np.load(io.BytesIO(path.read_bytes())) as file:
            arrays = {name: file[name] for name in file.files}
        labels = DenseLabels(
            arrays["apt"],
            arrays["dipole"],
            {k.removeprefix("quality_"): v for k, v in arrays.items() if k.startswith("quality_")},
        )
        digest, labeller = str(arrays["positions_sha256"]), str(arrays["labeller"])
    except FileNotFoundError:
        return None
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile) as error:
        raise StoreError(
            f"The segment {path} cannot be read.",
            got=f"{type(error).__name__}: {error}",
            do="remove it and label again",
        ) from None
    if labeller != identity:
        raise InputError(
            f"The segment {path} was made by another labeller.",
            got=labeller,
            expected=identity,
            do="use a folder of its own for each level of theory",
        )
    if digest == _digest(frames):
        return labels
    if len(labels) < len(frames) and digest == _digest(frames[: len(labels)]):
        return None
    raise AlignmentError(
        f"The segment {path} holds the labels of other frames.",
        expected="the same positions, to the last bit, and the same length of segments",
        do=f"remove {path.parent} and label again, or use another folder",
    )


@contextmanager
def taken(lock: Path) -> Iterator[bool]:
    """Hold a lock file; False if another living process holds it.

    Examples
    --------
    >>> import tempfile
    >>> lock = Path(tempfile.mkdtemp()) / "a.lock"
    >>> with taken(lock) as first, taken(lock) as second:
    ...     first, second, lock.exists()
    (True, False, True)
    >>> lock.exists()
    False
    """
    owner = f"{socket.gethostname()} {os.getpid()} {_began(os.getpid())}"
    for _ in range(2):
        try:
            handle = os.open(lock, os.O_CREAT | os.O_EXCL | os.O_WRONLY)
        except FileExistsError:
            if _is_held(lock):
                break
            lock.unlink(missing_ok=True)
            continue
        try:
            os.write(handle, owner.encode())
            os.close(handle)
            yield True
        finally:
            lock.unlink(missing_ok=True)
        return
    yield False


def _is_held(lock: Path) -> bool:
    try:
        host, number, began = (*lock.read_text().split(), "", "", "")[:3]
    except FileNotFoundError:
        return False
    if host != socket.gethostname() or not number.isdigit():
        # A process on another computer cannot be asked; an empty lock is being written, or is
        # what a crash has left.
        return time.time() - lock.stat().st_mtime < (10 if not host else 86400)
    try:
        os.kill(int(number), 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    # another process may have got the number since, as in a container that was started again
    return not began or began == _began(int(number))


def _began(process: int) -> str:
    """Return when a process was started, in ticks since the system was; empty if not known."""
    try:
        return Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[19]
    except OSError:
        return ""
