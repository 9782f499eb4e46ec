"""The other side of `ExternalPython`: one file that needs Python 3.8 and numpy, and no aptbench.

It imports a class by its name, makes one object, and then answers requests, one line of JSON each,
until its input ends: ``{"frames": path, "out": path, "call": "predict"}``. Frames and results
travel in npz files without pickles.
"""

from __future__ import annotations

import importlib
import json
import os
import sys
import traceback
from typing import Any

import numpy as np

PROTOCOL = 1
FIELDS = ("atomic_numbers", "positions", "cell", "velocities", "molecule")


class Frames:
    """What a model is given where aptbench is not installed: the same attributes, read-only use.

    Attributes
    ----------
    atomic_numbers : (atom,); positions : (frame, atom, xyz) in angstrom;
    cell : (frame, vector, xyz) or None; molecule : (atom,) or None; velocities :
    (frame, atom, xyz) in angstrom/fs or None; total_charge : float in e; n_atoms; periodic.
    """

    def __init__(
        self,
        atomic_numbers: Any,
        positions: Any,
        cell: Any = None,
        velocities: Any = None,
        molecule: Any = None,
        total_charge: float = 0.0,
    ) -> None:
        self.atomic_numbers, self.positions, self.cell = atomic_numbers, positions, cell
        self.velocities, self.molecule = velocities, molecule
        self.total_charge = float(total_charge)

    def __len__(self) -> int:
        return len(self.positions)

    def __getitem__(self, index: Any) -> Frames:
        """Select frames by an integer, a slice, a list of integers or a mask."""
        if isinstance(index, (int, np.integer)):
            index = slice(index, index + 1 or None)
        cell = None if self.cell is None else self.cell[index]
        velocities = None if self.velocities is None else self.velocities[index]
        return Frames(
            self.atomic_numbers,
            self.positions[index],
            cell,
            velocities,
            self.molecule,
            self.total_charge,
        )

    @property
    def n_atoms(self) -> int:
        """Number of atoms."""
        return len(self.atomic_numbers)

    @property
    def periodic(self) -> bool:
        """Whether the system has a cell."""
        return self.cell is not None


def make(name: str, arguments: dict[str, Any], folder: str | None) -> Any:
    """Import ``module:Class``, from the folder first, and make one."""
    if folder:
        sys.path.insert(0, folder)
    module, _, attribute = name.partition(":")
    found: Any = importlib.import_module(module)
    for part in attribute.split("."):
        found = getattr(found, part)
    return found(**arguments)


def write_frames(frames: Any, path: Any) -> None:
    """Write frames to an npz file."""
    fields = {name: getattr(frames, name) for name in FIELDS}
    fields = {name: value for name, value in fields.items() if value is not None}
    np.savez(path, total_charge=np.array(frames.total_charge), **fields)


def read_frames(path: Any) -> Any:
    """Read frames from an npz file: those of aptbench where it is installed, else our own."""
    with np.load(path, allow_pickle=False) as content:
        fields = {name: content[name] for name in content.files}
    fields["total_charge"] = float(fields["total_charge"])
    try:
        from aptbench.frames import Frames as Full
    except ImportError:
        return Frames(**fields)
    return Full(**fields)


def answer(model: Any, request: dict[str, Any]) -> dict[str, Any]:
    """Do one request and return the reply."""
    frames = read_frames(request["frames"])
    result = np.asarray(getattr(model, request["call"])(frames), float)
    np.savez(request["out"], result=result)
    return {"ok": True}


def failure(error: Exception) -> dict[str, Any]:
    """Describe an exception as a reply."""
    return {
        "ok": False,
        "error": f"{type(error).__name__}: {error}",
        "traceback": traceback.format_exc(),
    }


def main() -> None:
    """Serve requests on the standard input; replies alone go to the standard output."""
    # Python puts the folder of this file first, where mace.py would hide the package mace
    here = os.path.dirname(os.path.abspath(__file__))
    sys.path[:] = [path for path in sys.path if os.path.abspath(path) != here]
    # a library that prints would break the replies: what it prints goes to the standard error
    replies = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)

    def reply(content: dict[str, Any]) -> None:
        replies.write(json.dumps(content) + "\n")
        replies.flush()

    model = None
    for line in sys.stdin:
        request = json.loads(line)
        try:
            if model is None:
                model = make(request["class"], request["arguments"], request["folder"])
                calls = ("predict", "predict_std", "dipole")
                have = [c for c in calls if callable(getattr(model, c, None))]
                reply({"ok": True, "protocol": PROTOCOL, "calls": have})
            else:
                reply(answer(model, request))
        except Exception as error:
            reply(failure(error))


if __name__ == "__main__":
    main()
