"""`Predictions`: tensors of a model for the test frames of a task, and their archive."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from aptbench.atomic import write_archive
from aptbench.errors import AlignmentError, InputError
from aptbench.evaluate.array_archive import by_system, read_arrays
from aptbench.metrics.alignment import LARGEST

REQUIRED = ("apt", "frame", "atomic_number")


@dataclass(frozen=True, eq=False)
class Predictions:
    """Predicted tensors, and what they belong to.

    Parameters
    ----------
    apt : array of float32 or float64, shape (frame, atom, pol, disp)
        In e; the precision given is kept, so that a score can be computed again exactly.
    frame : array of int, shape (frame,)
        Index of each frame in the trajectory of the system.
    atomic_number : array of int, shape (atom,)
    content_hash : str, optional
        Content hash of the data set, compared where it is given.
    std : array of float32 or float64, shape (frame, atom, pol, disp), optional
        Predicted standard deviations in e.

    Raises
    ------
    InputError
        If an array has another type or shape.
    """

    apt: npt.NDArray[Any]
    frame: npt.NDArray[np.int64]
    atomic_number: npt.NDArray[np.int64]
    content_hash: str | None = None
    std: npt.NDArray[Any] | None = None

    def __post_init__(self) -> None:
        apt = np.asarray(self.apt)
        if apt.dtype not in (np.float32, np.float64):
            raise InputError(
                "The predictions 'apt' are not floating point numbers of 32 or 64 bit.",
                got=f"type {apt.dtype}",
                expected="float32 or float64, in e",
            )
        frame, numbers = np.asarray(self.frame), np.asarray(self.atomic_number)
        for name, array in (("frame", frame), ("atomic_number", numbers)):
            if array.ndim != 1 or not np.issubdtype(array.dtype, np.integer):
                raise InputError(
                    f"The {name!r} of the predictions is not a list of integers.",
                    got=f"type {array.dtype}, shape {array.shape}",
                )
        if apt.ndim != 4 or apt.shape[2:] != (3, 3):
            raise InputError(
                "The predictions 'apt' have the wrong shape.",
                got=apt.shape,
                expected="(frame, atom, pol, disp), the last two of length 3",
            )
        for k, (name, array) in enumerate((("frame", frame), ("atomic_number", numbers))):
            if apt.shape[k] != len(array):
                raise AlignmentError(
                    f"The predictions 'apt' do not fit their own {name!r}.",
                    got=f"{apt.shape[k]} tensors along that axis",
                    expected=f"{len(array)}",
                )
        if self.std is not None:
            std = np.asarray(self.std)
            if std.shape != apt.shape or std.dtype not in (np.float32, np.float64):
                raise InputError(
                    "The standard deviations 'std' are not like the predictions 'apt'.",
                    got=f"type {std.dtype}, shape {std.shape}",
                    expected=f"float32 or float64, shape {apt.shape}",
                )
            object.__setattr__(self, "std", std)
        object.__setattr__(self, "apt", apt)
        object.__setattr__(self, "frame", frame.astype(np.int64))
        object.__setattr__(self, "atomic_number", numbers.astype(np.int64))

    @classmethod
    def read(cls, path: str | Path) -> Predictions:
        """Read an ``.npz`` archive; nothing in it is ever executed.

        Raises
        ------
        InputError
            If the file is absent, damaged, too large, or lacks one of the arrays.
        """
        return cls.of_arrays(read_arrays(path), path)

    @classmethod
    def of_arrays(cls, arrays: Mapping[str, npt.NDArray[Any]], path: str | Path) -> Predictions:
        """Take over the arrays of an archive; others than those of a prediction are ignored.

        Raises
        ------
        InputError
            If one is missing; ``path`` is for the message.
        """
        missing = [name for name in REQUIRED if name not in arrays]
        if missing:
            raise InputError(
                f"The file {path} lacks {', '.join(missing)}.",
                got=f"the arrays {', '.join(arrays) or '(none)'}",
                expected=f"the arrays {', '.join(REQUIRED)}",
            )
        content_hash = arrays.get("content_hash")
        return cls(
            **{name: arrays[name] for name in REQUIRED},
            content_hash=None if content_hash is None else str(content_hash),
            std=arrays.get("std"),
        )

    def arrays(self) -> dict[str, npt.NDArray[Any]]:
        """Return the arrays of the archive by name."""
        arrays: dict[str, Any] = {name: getattr(self, name) for name in REQUIRED}
        if self.content_hash is not None:
            arrays["content_hash"] = np.array(self.content_hash)
        if self.std is not None:
            arrays["std"] = self.std
        return arrays

    def write(self, path: str | Path) -> Path:
        """Write a compressed ``.npz`` archive atomically and return its path."""
        return write_archive(self.arrays(), path)

    def check_alignment(
        self,
        frame: npt.NDArray[np.int64],
        atomic_number: npt.NDArray[np.int64],
        content_hash: str,
    ) -> None:
        """Compare with the frames and atoms of a task: all of them, in order, or an error.

        Raises
        ------
        AlignmentError
            If frames or atoms are missing, additional, or in another order, or the data differ.
        InputError
            If a value is not finite, or beyond `LARGEST`.
        """
        if self.content_hash is not None and self.content_hash != content_hash:
            raise AlignmentError(
                "The predictions were made for another version of the data.",
                got=f"content hash {self.content_hash}",
                expected=content_hash,
                do="predict again from the data that the task names",
            )
        _same_atoms(self.atomic_number, atomic_number)
        _same_frames(self.frame, frame)
        bad = np.argwhere(~(np.abs(self.apt) <= LARGEST))
        if len(bad):
            where = tuple(int(k) for k in bad[0])
            raise InputError(
                f"The predictions hold {len(bad)} values that are not finite, or beyond "
                f"{LARGEST:g} e.",
                got=f"{self.apt[where]} for frame {self.frame[where[0]]}, atom {where[1]}",
                expected="a finite number for every component",
                do="a frame that a model cannot predict cannot be left out: repair the model",
            )


def read_task_predictions(path: str | Path, systems: Sequence[str]) -> dict[str, Predictions]:
    """Read the predictions of all systems of a task from one ``.npz`` archive.

    Parameters
    ----------
    path : path
        An archive with the arrays ``apt``, ``frame``, ``atomic_number`` and, if there are any,
        ``content_hash`` and ``std``; for a task of several systems each of them once a system, with
        the name of the system before it, as in ``hcooh/apt``.
    systems : sequence of str
        Those of the task.

    Returns
    -------
    dict of str to Predictions
        By system, in the order of the task.

    Raises
    ------
    InputError
        If the file cannot be read or lacks an array.
    AlignmentError
        If it has other systems.
    """
    parts = by_system(read_arrays(path))
    if len(systems) == 1 and not set(parts) - {""}:
        return {systems[0]: Predictions.of_arrays(parts.get("", {}), path)}
    if set(parts) != set(systems):
        raise AlignmentError(
            f"The file of predictions {path} does not have the systems of the task.",
            got=", ".join(f"{name or '(no system)'}" for name in sorted(parts)),
            expected=", ".join(systems),
            do="write it with aptbench.evaluate.predictions.write_task_predictions",
        )
    return {
        system: Predictions.of_arrays(parts[system], f"{path}, system {system}")
        for system in systems
    }


def write_task_predictions(predictions: Mapping[str, Predictions], path: str | Path) -> Path:
    """Write what `read_task_predictions` reads, compressed and atomically; return the path."""
    if len(predictions) == 1:
        return next(iter(predictions.values())).write(path)
    return write_archive(
        {
            f"{system}/{name}": array
            for system, one in predictions.items()
            for name, array in one.arrays().items()
        },
        path,
    )


def _same_atoms(got: npt.NDArray[np.int64], expected: npt.NDArray[np.int64]) -> None:
    if np.array_equal(got, expected):
        return
    if len(got) != len(expected):
        raise AlignmentError(
            "The predictions do not have the atoms of the system.",
            got=f"{len(got)} atoms",
            expected=f"{len(expected)} atoms",
            do="predict every atom; none may be left out",
        )
    first = int(np.flatnonzero(got != expected)[0])
    raise AlignmentError(
        "The predictions have their atoms in another order, or are of another system.",
        got=f"atomic number {got[first]} for atom {first}",
        expected=f"{expected[first]}",
        do="keep the order of the atoms of the data set",
    )


def _same_frames(got: npt.NDArray[np.int64], expected: npt.NDArray[np.int64]) -> None:
    if np.array_equal(got, expected):
        return
    missing = sorted(set(expected.tolist()) - set(got.tolist()))
    additional = sorted(set(got.tolist()) - set(expected.tolist()))
    if missing or additional:
        raise AlignmentError(
            "The predictions do not have the test frames of the task.",
            got="; ".join(
                f"{word} frames {_shortened(some)}"
                for word, some in (("missing", missing), ("additional", additional))
                if some
            ),
            expected=f"frames {_shortened(expected.tolist())}",
            do="predict all test frames and no others",
        )
    raise AlignmentError(
        "The predictions have the right frames in another order, or a frame twice.",
        got=_shortened(got.tolist()),
        expected=_shortened(expected.tolist()),
        do="sort tensors and frame numbers into the order of the task",
    )


def _shortened(values: list[int]) -> str:
    shown = ", ".join(map(str, values[:8]))
    return shown + (f", ... ({len(values)} in all)" if len(values) > 8 else "")
