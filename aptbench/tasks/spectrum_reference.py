"""`SpectrumReference`: the model current that a task corrects by its test labels, frozen."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from aptbench.atomic import read_archive, write_archive
from aptbench.data import root
from aptbench.errors import InputError

_NAMES: Final = ("current", "model", "fingerprint")


@dataclass(frozen=True, eq=False)
class SpectrumReference:
    """The current of a model along the stretch of the test of a task.

    With it the test labels estimate the spectrum that labels of all frames would give (see
    docs/debiased.md). It is part of the definition of the task and never changes with the model.

    Parameters
    ----------
    model, fingerprint : str
        Which model, with the SHA-256 over its files.
    current : array of float32, shape (frame, pol)
        In e angstrom/fs.
    task : str
        The task with the version that it is of; empty in files older than that.
    """

    model: str
    fingerprint: str
    current: npt.NDArray[Any]
    task: str = ""

    @property
    def hash(self) -> str:
        """SHA-256 over the current."""
        values = np.ascontiguousarray(self.current, "<f4")
        return "sha256:" + hashlib.sha256(values.tobytes()).hexdigest()

    @property
    def title(self) -> str:
        """Name among other models, of which one may be a later state of this."""
        return f"{self.model} (frozen)"


def reference_path(task: str) -> Path:
    """Return where the reference of a task, such as ``water/iid``, is kept."""
    return root() / "leaderboard" / "references" / f"{task}.npz"


def read_spectrum_reference(path: str | Path) -> SpectrumReference | None:
    """Read the reference of a task; None if it has none.

    Raises
    ------
    InputError
        If the file is damaged.
    """
    path = Path(path)
    if not path.is_file():
        return None
    try:
        arrays = read_archive(path)
        current, model, fingerprint = (arrays[name] for name in _NAMES)
        task = str(arrays.get("task", ""))
    except (OSError, ValueError, KeyError) as error:
        raise InputError(
            f"The reference of a spectrum {path} is damaged.",
            got=error,
            do="restore it from the release",
        ) from None
    return SpectrumReference(str(model), str(fingerprint), current, task)


def write_spectrum_reference(
    reference: SpectrumReference, path: str | Path, *, replace: bool = False
) -> Path:
    """Write the reference of a task atomically, and return its path.

    Parameters
    ----------
    reference : SpectrumReference
    path : str or Path
    replace : bool
        Whether another one that is there is of an earlier version of the task, which lives on in
        the release that had it.

    Raises
    ------
    InputError
        If there is another one already: tasks are frozen.
    """
    old = None if replace else read_spectrum_reference(path)
    if old is not None and old.hash != reference.hash:
        raise InputError(
            f"The reference {path} exists and is another.",
            got=f"{old.model}, {old.hash}",
            do="a released task keeps its reference; for a higher version of the task "
            "'aptbench tasks --freeze' makes a new one",
        )
    current = np.asarray(reference.current, np.float32)
    return write_archive(vars(reference) | {"current": current}, path)
