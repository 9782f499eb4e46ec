"""`LabelledRun`: one run of an electronic-structure program that printed tensors, one label."""

from __future__ import annotations

import glob
import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from aptbench.bonds import nearest_image
from aptbench.data.system import SystemData
from aptbench.elements import SYMBOLS
from aptbench.errors import AlignmentError, InputError
from aptbench.frames import Frames
from aptbench.molecules import MoleculeTable

Array = npt.NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class LabelledRun:
    """What the output of one run tells.

    Parameters
    ----------
    path : Path
        The file it comes from.
    atomic_numbers : array, shape (atom,)
    positions : array, shape (atom, xyz)
        In angstrom.
    cell : array, shape (vector, xyz)
        In angstrom, rows are lattice vectors.
    apt : array, shape (atom, pol, disp)
        In e.
    code : str
        Program and version.
    """

    path: Path
    atomic_numbers: npt.NDArray[np.int64]
    positions: Array
    cell: Array
    apt: Array
    code: str


def find_runs(
    source: Path | str | Sequence[Path | str],
    choose: Callable[[Path], Path | None],
    expected: str,
) -> list[Path]:
    """Return the output files of the runs that a source names, one a run.

    Parameters
    ----------
    source : path, pattern, or several of them
        A file is a run. A folder is a run if ``choose`` finds an output in it, or else holds runs
        one folder down. A pattern (``runs/*/OUTCAR``) is all that it matches.
    choose : callable
        Returns the output in a folder, or None.
    expected : str
        What is looked for in a folder, for the message of an error.

    Returns
    -------
    list of Path
        In the order of the source; folders and matches in natural order, run-2 before run-10.

    Raises
    ------
    InputError
        If a source does not exist, or holds no run.
    """
    found: list[Path] = []
    for one in [source] if isinstance(source, str | Path) else source:
        path = Path(one)
        if path.exists():
            places = [path]
        elif glob.has_magic(str(one)):
            places = sorted(map(Path, glob.glob(str(one))), key=_natural)
        else:
            raise InputError(f"There is no file or folder {path}.", do="check the path")
        runs = [run for place in places for run in _runs_at(place, choose)]
        if not runs:
            raise InputError(
                f"There is no run in {path}.",
                expected=f"{expected}, there or one folder down",
            )
        found += runs
    return found


def _runs_at(place: Path, choose: Callable[[Path], Path | None]) -> list[Path]:
    if place.is_file():
        return [place]
    here = choose(place)
    if here is not None:
        return [here]
    folders = sorted((path for path in place.iterdir() if path.is_dir()), key=_natural)
    return [run for run in map(choose, folders) if run is not None]


def _natural(path: Path) -> list[tuple[int, str]]:
    words = re.split(r"(\d+)", str(path))
    return [(int(word), "") if word.isdigit() else (-1, word) for word in words]


def stack_runs(
    runs: Iterable[LabelledRun],
    *,
    periodic: bool,
    total_charge: float,
    provenance: dict[str, Any],
) -> SystemData:
    """Return runs as one system in which every frame is labelled.

    Parameters
    ----------
    runs : iterable of LabelledRun
    periodic : bool
        False for molecules in a box of vacuum: the cell is left out, molecules are made whole along
        their bonds, and others are taken at the image that is nearest to the first.
    total_charge : float
        In e.
    provenance : dict
        Added to the program and its version.

    Raises
    ------
    AlignmentError
        If the runs differ in their atoms.
    """
    stacked = list(runs)
    first = stacked[0]
    for run in stacked[1:]:
        if not np.array_equal(run.atomic_numbers, first.atomic_numbers):
            raise AlignmentError(
                f"{run.path} has other atoms than {first.path}.",
                got=_formula(run.atomic_numbers),
                expected=f"{_formula(first.atomic_numbers)}, in the same order",
                do="convert systems with different atoms one at a time",
            )
    positions = np.stack([run.positions for run in stacked])
    cells = np.stack([run.cell for run in stacked])
    if not periodic:
        table = MoleculeTable.of(Frames(first.atomic_numbers, positions[:1], cells[:1]))
        positions = table.whole(positions, cells)
        center = table.centers_of_mass(positions)
        away = center - center[:, :1]
        positions = positions + (nearest_image(away, cells) - away)[:, table.molecule]
    frames = Frames(
        first.atomic_numbers,
        positions,
        cells if periodic else None,
        total_charge=total_charge,
    )
    return SystemData(
        frames,
        np.arange(len(stacked)),
        np.stack([run.apt for run in stacked]),
        provenance={"code": ", ".join(sorted({run.code for run in stacked}))} | provenance,
    )


def _formula(numbers: npt.NDArray[np.int64]) -> str:
    symbols = [SYMBOLS[z] for z in numbers]
    shown = " ".join(symbols[:12]) + (" ..." if len(symbols) > 12 else "")
    return f"{len(symbols)} atoms: {shown}"
