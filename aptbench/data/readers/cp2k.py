"""CP2K output: forces, finite-field tensors, dipole, Wannier centres, trajectories.

Written for and tested with CP2K 2023.1. Everything is returned in the units and the index order of
`aptbench.conventions`; forces stay in atomic units, because a force in Hartree/Bohr over a field
in atomic units is a tensor in e.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from aptbench.data.readers.fixed_xyz import read_fixed_frames
from aptbench.data.readers.xyz import atomic_numbers, read_blocks, same_atoms
from aptbench.errors import AlignmentError, InputError
from aptbench.frames import Frames
from aptbench.units import BOHR, DEBYE, factor

Array = npt.NDArray[np.float64]

FIELDS = tuple((pol, sign) for pol in "xyz" for sign in ("plus", "minus"))
"""The six runs of a finite-field tensor: direction and sign of the field."""

_TIME_DIGITS = 1.1e-3
"""Error of a time in fs that is printed with three decimals, and of the spacing of such."""
_NUMBER = r"([-+]?\d*\.?\d+(?:[EeDd][-+]?\d+)?)"
_FORCES = re.compile(
    r"^ ATOMIC FORCES in \[a\.u\.\]\s*\n\s*\n[^\n]*# Atom[^\n]*\n(.*?)^ SUM OF ATOMIC FORCES",
    re.MULTILINE | re.DOTALL,
)
_DIPOLE = re.compile(
    rf"Dipole moment \[(Debye|a\.u\.)\]\s*\n\s*X=\s*{_NUMBER}\s+Y=\s*{_NUMBER}\s+Z=\s*{_NUMBER}"
)
_CELL = re.compile(
    r"cell matrix \[Debye\]\.\s*\n"
    + r"\s*\n".join(
        rf"\s*\[{axis}\]=?\s*\[\s*{_NUMBER}\s+{_NUMBER}\s+{_NUMBER}\s*\][^\n]*?" for axis in "XYZ"
    )
)


@dataclass(frozen=True)
class SCF:
    """How the self-consistent field of the last energy evaluation of a run ended.

    Parameters
    ----------
    converged : bool
    iterations : int
        Inner iterations, all outer loops together.
    gradient : float or None
        Last root-mean-square gradient of the outer loop; None where there is no outer loop.
    energy : float
        Total energy in Hartree.
    """

    converged: bool
    iterations: int
    gradient: float | None
    energy: float


def read_version(text: str) -> str:
    """Return the version of the program that wrote an output, for example ``CP2K 2023.1``.

    Raises
    ------
    InputError
        If the text is not an output of CP2K.
    """
    match = re.search(r"CP2K\| version string:\s+CP2K version (.+?)\s*$", text, re.MULTILINE)
    if not match:
        raise InputError(
            "The text is not an output of CP2K.",
            got=f"{len(text)} characters without a version line",
            expected="a line 'CP2K| version string: ...'",
        )
    return f"CP2K {match[1]}"


def is_finished(text: str) -> bool:
    """Return whether a run went to its end."""
    return "PROGRAM ENDED AT" in text


def read_scf(text: str) -> SCF:
    """Return how the last self-consistent field of an output ended.

    Raises
    ------
    InputError
        If no iteration, or no total energy, is in the output.
    """
    outer = re.findall(
        r"outer SCF loop (converged in|FAILED to converge after)\s+\d+ iterations "
        r"or\s+(\d+) steps",
        text,
    )
    inner = re.findall(r"SCF run converged in\s+(\d+) steps", text)
    energies = re.findall(rf"^\s*Total energy:\s+{_NUMBER}\s*$", text, re.MULTILINE)
    gradients = re.findall(rf"outer SCF iter =\s+\d+ RMS gradient =\s+{_NUMBER}", text)
    failed = "SCF run NOT converged" in text
    if not energies or not (outer or inner or failed):
        raise InputError(
            "The CP2K output holds no finished self-consistent field.",
            got="a run that broke off" if not is_finished(text) else "another run type",
            expected="the output of RUN_TYPE ENERGY_FORCE",
            do="run the calculation again and look at the end of its output",
        )
    converged = not failed and (outer[-1][0] == "converged in" if outer else bool(inner))
    steps = int(outer[-1][1]) if outer else int(inner[-1]) if inner else 0
    gradient = _float(gradients[-1]) if gradients else None
    return SCF(converged, steps, gradient, _float(energies[-1]))


def read_forces(text: str) -> Array:
    """Return the forces of a single-point output in Hartree/Bohr, shape (atom, xyz).

    Raises
    ------
    InputError
        If the output has no table of forces, more than one (a run of several steps), or a damaged
        one.
    """
    tables = _FORCES.findall(text)
    if len(tables) != 1:
        raise InputError(
            "The CP2K output does not hold one table of forces.",
            got=f"{len(tables)} tables of 'ATOMIC FORCES in [a.u.]'",
            expected="one",
            do="print FORCE_EVAL/PRINT/FORCES in a run of type ENERGY_FORCE"
            if is_finished(text)
            else "the output breaks off before its end: run the calculation again",
        )
    rows = [line.split() for line in tables[0].splitlines() if line.strip()]
    if not rows or any(len(row) != 6 or int(row[0]) != k + 1 for k, row in enumerate(rows)):
        raise InputError(
            "The table of forces in the CP2K output is damaged.",
            got=f"{len(rows)} rows",
            expected="rows 'atom kind element x y z', atoms counted from 1",
        )
    forces = np.array([[_float(value) for value in row[3:]] for row in rows])
    if not np.all(np.isfinite(forces)):
        raise InputError("A force in the CP2K output is not finite.", expected="finite numbers")
    return forces


def finite_field_apt(
    forces: Mapping[tuple[str, str], npt.ArrayLike], field: float, *, sign: float = 1.0
) -> Array:
    """Return atomic polar tensors from the forces in six small fields, by central differences.

    Parameters
    ----------
    forces : mapping of (direction, sign) to array (atom, xyz)
        Keys are ``("x", "plus")`` to ``("z", "minus")`` (`FIELDS`), forces in Hartree/Bohr.
    field : float
        Strength of the field in atomic units (keyword INTENSITY).
    sign : float
        -1 for methods whose field has the opposite sign (GFN1-xTB in CP2K), else 1.

    Returns
    -------
    array, shape (atom, pol, disp)
        In e.

    Raises
    ------
    InputError
        If a run is missing, or the field is not positive.
    AlignmentError
        If the runs differ in the number of atoms.

    Notes
    -----
    ``P[pol, disp] = dF_disp / dE_pol = (F_disp(+E_pol) - F_disp(-E_pol)) / 2E``.

    Examples
    --------
    A point charge of 2 e in a field of 0.001:

    >>> runs = {(p, s): np.eye(3)[["xyz".index(p)]] * (0.002 if s == "plus" else -0.002)
    ...         for p, s in FIELDS}
    >>> finite_field_apt(runs, 0.001)[0, 0]
    array([2., 0., 0.])
    """
    missing = [f"{pol} {end}" for pol, end in FIELDS if (pol, end) not in forces]
    if missing:
        raise InputError(
            "A finite-field tensor needs six runs.",
            got=f"none for {', '.join(missing)}",
            expected="x, y, z, each plus and minus",
        )
    if not field > 0:
        raise InputError("The 'field' is not a field strength.", got=field, expected="> 0, in a.u.")
    arrays = {key: np.asarray(forces[key], float) for key in FIELDS}
    if len({array.shape for array in arrays.values()}) != 1:
        raise AlignmentError(
            "The six field runs differ in their atoms.",
            got={f"{p} {s}": array.shape for (p, s), array in arrays.items()},
            expected="one shape (atom, 3)",
        )
    difference = [arrays[pol, "plus"] - arrays[pol, "minus"] for pol in "xyz"]
    return sign * np.stack(difference, axis=1) / (2 * field)


def read_dipole(text: str) -> Array:
    """Return the dipole of the last MOMENTS section in e angstrom, shape (pol,).

    For a periodic cell it is the Berry-phase dipole, defined modulo e times a lattice vector.

    Raises
    ------
    InputError
        If the output has no dipole.
    """
    found = _DIPOLE.findall(text)
    if not found:
        raise InputError(
            "The CP2K output holds no dipole.",
            expected="a section 'Dipole moment [Debye]'",
            do="add DFT/PRINT/MOMENTS with PERIODIC T to the input",
        )
    unit, *values = found[-1]
    return np.array([_float(value) for value in values]) * (DEBYE if unit == "Debye" else BOHR)


def read_cell(text: str) -> Array:
    """Return the cell from the polarization quanta of a MOMENTS section, rows are vectors.

    Returns
    -------
    array, shape (vector, xyz)
        In angstrom, to a relative 1e-7 (the program's debye is that far from CODATA 2018).

    Raises
    ------
    InputError
        If the output has no periodic MOMENTS section.
    """
    match = _CELL.search(text)
    if not match:
        raise InputError(
            "The CP2K output does not tell the cell.",
            expected="a MOMENTS section with PERIODIC T",
            do="give the cell yourself",
        )
    # The printed matrix multiplies integers from the left: its columns are the lattice vectors.
    return np.array([_float(value) for value in match.groups()]).reshape(3, 3).T * DEBYE


def read_wannier_centers(path: Path | str) -> Array:
    """Return the centres of the last block of a LOCALIZE file, shape (wannier, xyz) in angstrom.

    The file may hold the ions too (``IONS+CENTERS``); centres are the rows of species X.

    Raises
    ------
    InputError
        If the file has no centre.
    """
    for block in read_blocks(path):
        last = block
    fields = last.fields(4)
    centers = [row for row in fields if row[0] == "X"]
    if not centers:
        raise InputError(
            f"{last.source} holds no Wannier centre.",
            got=f"{len(fields)} rows without species X",
            expected="the file of DFT/LOCALIZE/PRINT/WANNIER_CENTERS",
        )
    return last.numbers(centers, slice(1, 4))


def read_trajectory(
    positions: Path | str,
    velocities: Path | str | None = None,
    *,
    cell: npt.ArrayLike | None,
    position_unit: str = "angstrom",
    velocity_unit: str = "bohr/atomic_time",
    molecule: npt.ArrayLike | None = None,
    total_charge: float = 0.0,
) -> tuple[Array, Frames]:
    """Read a molecular-dynamics trajectory (``PROJECT-pos-1.xyz``, ``PROJECT-vel-1.xyz``).

    Parameters
    ----------
    positions, velocities : path
        Files in xyz format, as CP2K writes them by default; both with the same steps.
    cell : array or None
        In angstrom; it is not in the files. None for an isolated system.
    position_unit, velocity_unit : str
        Units of the files; the defaults are those of CP2K.
    molecule, total_charge
        As in `Frames`.

    Returns
    -------
    times : array, shape (frame,)
        In fs.
    frames : Frames
        With velocities where a file of them is given.

    Raises
    ------
    InputError
        If a file is missing, truncated or not a CP2K trajectory.
    AlignmentError
        If the two files differ in steps or atoms.
    """
    steps, times, symbols, x = _read_xyz(positions)
    v = None
    if velocities is not None:
        v_steps, _, v_symbols, v = _read_xyz(velocities)
        if v_steps != steps or v_symbols != symbols:
            raise AlignmentError(
                "Positions and velocities of the trajectory do not belong together.",
                got=f"{len(v_steps)} steps of velocities, {v_steps[0]} to {v_steps[-1]}",
                expected=f"{len(steps)} steps, {steps[0]} to {steps[-1]}, with the same atoms",
                do="print both with the same EACH, and cut off what only one of them has",
            )
        v *= factor("velocity", velocity_unit)
    x *= factor("length", position_unit)
    frames = Frames(
        atomic_numbers(symbols),
        x,
        None if cell is None else np.asarray(cell, float),
        v,
        None if molecule is None else np.asarray(molecule, int),
        total_charge,
    )
    return times, frames


def _read_xyz(path: Path | str) -> tuple[list[int], Array, list[str], Array]:
    fixed = read_fixed_frames(path, 4)
    symbols, source = fixed.symbols, Path(path).name
    arrays = [fixed.values] if fixed.comments else []
    lines = range(1, fixed.rest.line, len(symbols or "") + 2)
    heads = [_step_and_time(*head, source) for head in zip(fixed.comments, lines, strict=True)]
    for block in read_blocks(path, fixed.rest):
        heads.append(_step_and_time(block.comment, block.line, source))
        fields = block.fields(4)
        symbols = same_atoms([row[0] for row in fields], symbols, block)
        arrays.append(block.numbers(fields, slice(1, 4))[None])
    steps = [step for step, _ in heads]
    if steps != sorted(set(steps)):
        raise InputError(
            f"The steps of {Path(path).name} do not increase.",
            got="a step twice, or an earlier step after a later one",
            expected="each step once, in order",
            do="cut off what a restart wrote again",
        )
    assert symbols is not None
    times = np.array([time for _, time in heads])
    if len(steps) > 1:
        # times have three decimals; the numbers of the steps are exact
        count = np.array(steps) - steps[0]
        even = times[0] + count * (times[-1] - times[0]) / count[-1]
        times = even if np.abs(even - times).max() < _TIME_DIGITS else times
    return steps, times, symbols, arrays[0] if len(arrays) == 1 else np.concatenate(arrays)


def _step_and_time(comment: str, line: int, source: str) -> tuple[int, float]:
    match = re.search(rf"i =\s*(\d+), time =\s*{_NUMBER}", comment)
    if not match:
        raise InputError(
            f"The frame at line {line} of {source} has no step and time.",
            got=comment[:80],
            expected="a comment 'i = ..., time = ...' as CP2K writes it",
        )
    return int(match[1]), _float(match[2])


def _float(text: str) -> float:
    return float(text.replace("D", "E").replace("d", "e"))
