"""Labels from folders of CP2K finite-field runs."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Final, TypeVar

import numpy as np
import numpy.typing as npt

from aptbench.data.readers.cp2k import (
    FIELDS,
    finite_field_apt,
    read_cell,
    read_dipole,
    read_forces,
    read_scf,
    read_version,
    read_wannier_centers,
)
from aptbench.data.readers.xyz import atomic_numbers, read_blocks, same_atoms
from aptbench.data.system import SystemData
from aptbench.errors import AlignmentError, AptbenchError, ConvergenceError, InputError
from aptbench.frames import Frames

Result = TypeVar("Result")

FILES: Final = {
    "coordinates": "frame.xyz",
    "zero field": "zero_field.out",
    "Wannier centres": "wannier_centers.xyz",
}
"""Names of the files beside ``field_<x|y|z>_<plus|minus>.out`` in the folder of a label."""


def read_cp2k_labels(
    folder: Path | str,
    *,
    field: float,
    cell: npt.ArrayLike | None = None,
    periodic: bool = True,
    sign: float = 1.0,
    total_charge: float = 0.0,
) -> SystemData:
    """Read one label a folder from the outputs of finite-field runs.

    Parameters
    ----------
    folder : path
        Holds the files of one label, or sub-folders that do (taken in alphabetical order): six
        outputs ``field_<x|y|z>_<plus|minus>.out`` with forces, ``frame.xyz`` with the coordinates
        in angstrom, and, if they are there, ``zero_field.out`` with the Berry-phase dipole and
        ``wannier_centers.xyz``.
    field : float
        Field strength of the runs (INTENSITY) in atomic units; the outputs do not state it.
    cell : array, optional
        In angstrom; if None, it is taken from the dipole section of ``zero_field.out``.
    periodic : bool
        False for runs without a cell; ``cell`` is then ignored.
    sign : float
        -1 for methods whose field has the opposite sign (GFN1-xTB), see `finite_field_apt`.
    total_charge : float
        In e.

    Returns
    -------
    SystemData
        Every frame labelled, without times; the quality column ``scf_gradient`` is the largest
        last gradient of the runs, ``field_step`` the field.

    Raises
    ------
    InputError
        If a file is missing or broken off; the file is named.
    ConvergenceError
        If a self-consistent field did not converge.
    AlignmentError
        If the labels differ in their atoms, or only some have a dipole or Wannier centres.
    """
    folder = Path(folder)
    first_file = f"field_{FIELDS[0][0]}_{FIELDS[0][1]}.out"
    if (folder / first_file).is_file():
        folders = [folder]
    else:
        folders = sorted(path.parent for path in folder.glob(f"*/{first_file}"))
    if not folders:
        raise InputError(
            f"There is no finite-field label in {folder}.",
            expected=f"{first_file} and its five companions, there or one folder down",
        )
    symbols: list[str] | None = None
    positions, tensors, gradients, versions = [], [], [], set()
    dipoles, cells, centers = [], [], []
    for label in folders:
        block = next(read_blocks(label / FILES["coordinates"]))
        fields = block.fields(4)
        symbols = same_atoms([row[0] for row in fields], symbols, block)
        positions.append(block.numbers(fields, slice(1, 4)))
        forces = {}
        gradient = 0.0
        for pol, end in FIELDS:
            path = label / f"field_{pol}_{end}.out"
            text = _text(path)
            forces[pol, end] = _of(path, read_forces, text)
            gradient = max(gradient, _converged(path, text))
            versions.add(_of(path, read_version, text))
        tensor = finite_field_apt(forces, field, sign=sign)
        if len(tensor) != len(symbols):
            raise AlignmentError(
                f"The forces and the coordinates of {label} do not belong together.",
                got=f"forces on {len(tensor)} atoms",
                expected=f"{len(symbols)} atoms",
            )
        tensors.append(tensor)
        gradients.append(gradient)
        zero = label / FILES["zero field"]
        if zero.is_file():
            text = _text(zero)
            _converged(zero, text)
            dipoles.append(_of(zero, read_dipole, text))
            if periodic and cell is None:
                cells.append(_of(zero, read_cell, text))
        if (label / FILES["Wannier centres"]).is_file():
            centers.append(read_wannier_centers(label / FILES["Wannier centres"]))
    for what, found in (("zero field", dipoles), ("Wannier centres", centers)):
        if len(found) not in (0, len(folders)):
            raise AlignmentError(
                f"Only some labels in {folder} have {FILES[what]}.",
                got=f"{len(found)} of {len(folders)}",
                expected="all, or none",
            )
    if periodic and cell is None and not cells:
        raise InputError(
            "The cell of the runs is not known.",
            got=f"no {FILES['zero field']} that tells it",
            do="give the cell, or say that the system is not periodic",
        )
    assert symbols is not None
    frames = Frames(
        atomic_numbers(symbols),
        np.stack(positions),
        None if not periodic else np.stack(cells) if cell is None else np.asarray(cell, float),
        total_charge=total_charge,
    )
    return SystemData(
        frames,
        np.arange(len(folders)),
        np.stack(tensors),
        dipole=np.stack(dipoles) if dipoles else None,
        wannier_centers=np.stack(centers) if centers else None,
        quality={"scf_gradient": np.array(gradients), "field_step": np.full(len(folders), field)},
        quality_units={"field_step": "atomic_unit_of_electric_field"},
        provenance={
            "code": ", ".join(sorted(versions)),
            "method": "finite periodic field, central differences of forces",
            "field_step_au": field,
        },
    )


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8", errors="replace")
    except OSError:
        raise InputError(
            f"The output {path} is missing.", do="run the calculation, or leave out its label"
        ) from None


def _of(path: Path, read: Callable[[str], Result], text: str) -> Result:
    """Call a reader of text, and put the name of the file before its error."""
    try:
        return read(text)
    except AptbenchError as error:
        raise InputError(
            f"{path}: {error.what}", got=error.got, expected=error.expected, do=error.do
        ) from error


def _converged(path: Path, text: str) -> float:
    scf = _of(path, read_scf, text)
    if not scf.converged:
        raise ConvergenceError(
            f"The self-consistent field of {path} did not converge.",
            got=f"gradient {scf.gradient} after {scf.iterations} iterations",
            do="run it again with more iterations, or leave out its label",
        )
    return float(scf.gradient or 0.0)
