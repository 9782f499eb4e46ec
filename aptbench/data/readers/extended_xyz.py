"""Extended xyz: reader and writer of frames, with or without tensors.

The format has no units and no index order, so both are arguments. Files that `write_extended_xyz`
wrote state them in their comment lines, and a contradiction is an error.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
import numpy.typing as npt

from aptbench.atomic import new_file
from aptbench.conventions import to_pol_disp
from aptbench.data.readers.xyz import XYZBlock, atomic_numbers, read_blocks, same_atoms
from aptbench.elements import SYMBOLS, standard_masses
from aptbench.errors import AlignmentError, ConventionError, InputError, UnitError
from aptbench.frames import Frames, LabelledFrames
from aptbench.units import ATOMIC_MASS, ELEMENTARY_CHARGE, factor

APT_NAMES: Final = ("apt", "born_effective_charges", "atomic_polar_tensor")
"""Names of a property of nine columns that are taken for the tensor."""
VELOCITY_NAMES: Final = ("vel", "velocities", "velo")
"""Names of a property of three columns that are taken for the velocities."""
MOMENTUM: Final = float(np.sqrt(ELEMENTARY_CHARGE / ATOMIC_MASS)) * 1e-5
"""From momenta of ASE over masses in u to angstrom/fs: ASE has them in sqrt(u eV)."""

Array = npt.NDArray[np.float64]


@dataclass
class _Columns:
    numbers: npt.NDArray[np.int64]
    positions: list[Array]
    cells: list[Array | None]
    velocities: list[Array]
    apt: list[Array]
    dipoles: list[Array]
    centers: list[Array]
    molecule: npt.NDArray[np.int64] | None
    charge: float
    times: list[float]


def read_extended_xyz(
    path: Path | str,
    *,
    order: str,
    apt_unit: str = "e",
    length_unit: str = "angstrom",
    velocity_unit: str | None = None,
) -> LabelledFrames:
    """Read frames with tensors from an extended xyz file.

    Parameters
    ----------
    path : path
    order : {"pol,disp", "disp,pol"}
        Meaning of (row, column) of the nine tensor columns, read row by row; there is no default.
        The property has one of the names in `APT_NAMES`, for example ``apt:R:9``.
    apt_unit, length_unit : str
        Units of the file; ``length_unit`` is also that of the cell (``Lattice``). A dipole is in
        e angstrom.
    velocity_unit : str, optional
        Needed if the file has velocities (`VELOCITY_NAMES`); ``momenta`` are in ASE's unit.

    Returns
    -------
    LabelledFrames
        With cell (``Lattice``), velocities, ``molecule``, ``dipole`` and ``total_charge`` where the
        file has them.

    Raises
    ------
    InputError
        If the file is missing, truncated, malformed, without tensors, or periodic in part.
    ConventionError
        If the file states another index order or unit than is asked for.
    AlignmentError
        If the frames differ in their atoms, or in what they hold.
    UnitError
        If a unit is unknown, or velocities have none.
    """
    to_pol_disp(np.zeros(9), order)
    stated = {"apt_order": order, "apt_unit": apt_unit, "dipole_unit": "e angstrom"}
    columns = _read(path, length_unit, velocity_unit, stated)
    n = len(columns.positions)
    if len(columns.apt) != n:
        raise InputError(
            f"{Path(path).name} has frames without tensors.",
            got=f"{len(columns.apt)} of {n} frames with a property of nine columns",
            expected=f"a property {' or '.join(APT_NAMES)}:R:9 in every frame",
        )
    return LabelledFrames(
        _frames(columns),
        to_pol_disp(np.stack(columns.apt), order) * factor("apt", apt_unit),
        np.stack(columns.dipoles) if columns.dipoles else None,
        np.stack(columns.centers) * factor("length", length_unit) if columns.centers else None,
    )


def read_extended_xyz_frames(path: Path | str, *, velocity_unit: str | None = None) -> Frames:
    """Read frames from an extended xyz file in angstrom; tensors in it are passed over.

    Parameters and errors are those of `read_extended_xyz`.
    """
    return _frames(_read(path, "angstrom", velocity_unit, {}))


def read_extended_xyz_trajectory(
    path: Path | str, *, velocity_unit: str | None = None
) -> tuple[Array | None, Frames]:
    """Read frames as `read_extended_xyz_frames` does, and the times that the file states.

    Returns
    -------
    times : array, shape (frame,), or None
        The ``time`` of each comment line in the unit of the file; None where there is none.
    frames : Frames
        In angstrom and angstrom/fs.
    """
    columns = _read(path, "angstrom", velocity_unit, {})
    return np.array(columns.times) if columns.times else None, _frames(columns)


def write_extended_xyz(path: Path | str, data: Frames | LabelledFrames) -> None:
    """Write frames, and tensors if there are any, to an extended xyz file without loss.

    Tensors are nine columns ``apt:R:9`` in the order pol,disp; units are those of the convention,
    and the comment lines state both.
    """
    frames = data.frames if isinstance(data, LabelledFrames) else data
    properties = "species:S:1:pos:R:3"
    columns = [frames.positions]
    notes = f"total_charge={frames.total_charge!r}"
    if frames.velocities is not None:
        properties += ":velocities:R:3"
        columns.append(frames.velocities)
        notes += ' velocity_unit="angstrom/fs"'
    if isinstance(data, LabelledFrames):
        properties += ":apt:R:9"
        columns.append(data.apt.reshape(len(frames), frames.n_atoms, 9))
        notes += ' apt_order="pol,disp" apt_unit="e"'
        notes += ' dipole_unit="e angstrom"' if data.dipole is not None else ""
    if frames.molecule is not None:
        properties += ":molecule:I:1"
    values = np.concatenate(columns, axis=-1)
    symbols = [SYMBOLS[z] for z in frames.atomic_numbers]
    with new_file(path) as temporary, temporary.open("w", encoding="utf-8") as file:
        for k in range(len(frames)):
            comment = f'Properties={properties} {notes} pbc="{_flags(frames.periodic)}"'
            if frames.cell is not None:
                comment += f' Lattice="{_text(frames.cell[k])}"'
            if isinstance(data, LabelledFrames) and data.dipole is not None:
                comment += f' dipole="{_text(data.dipole[k])}"'
            if isinstance(data, LabelledFrames) and data.wannier_centers is not None:
                comment += f' wannier_centers="{_text(data.wannier_centers[k])}"'
            file.write(f"{frames.n_atoms}\n{comment}\n")
            for atom, symbol in enumerate(symbols):
                end = "" if frames.molecule is None else f" {frames.molecule[atom]}"
                file.write(f"{symbol} {_text(values[k, atom])}{end}\n")


def _flags(periodic: bool) -> str:
    return "T T T" if periodic else "F F F"


def _text(values: Array) -> str:
    return " ".join(repr(float(value)) for value in values.ravel())


def _read(
    path: Path | str, length_unit: str, velocity_unit: str | None, stated: dict[str, str]
) -> _Columns:
    columns: _Columns | None = None
    symbols: list[str] | None = None
    length = factor("length", length_unit)
    for block in read_blocks(path):
        info = parse_comment(block.comment)
        for key, value in stated.items():
            if key in info and info[key] != value:
                raise ConventionError(
                    f"{block.source} states another {key.replace('_', ' ')} than was asked for.",
                    got=f"{info[key]!r} in the comment at line {block.line + 1}",
                    expected=repr(value),
                    do=f"give {info[key]!r}, or mend the file if its comment is wrong",
                )
        layout = _layout(info.get("Properties", "species:S:1:pos:R:3"), block)
        fields = block.fields(max(place.stop for place in layout.values()))
        for name in ("species", "pos"):
            if name not in layout:
                raise InputError(f"{block.source} has no property {name!r}.", got=sorted(layout))
        symbols = same_atoms([row[layout["species"].start] for row in fields], symbols, block)
        stated_charge = _numbers(info, "total_charge", 1, block)
        charge = 0.0 if stated_charge is None else float(stated_charge[0])
        molecule = None
        if "molecule" in layout:
            molecule = block.numbers(fields, layout["molecule"])[:, 0].astype(int)
        if columns is None:
            columns = _Columns(
                atomic_numbers(symbols), [], [], [], [], [], [], molecule, charge, []
            )
        for name, one, other in (
            ("total_charge", charge, columns.charge),
            ("molecule", molecule, columns.molecule),
        ):
            if not np.array_equal(one, other):  # type: ignore[arg-type]
                raise AlignmentError(
                    f"The {name!r} of {block.source} changes at line {block.line + 1}.",
                    do="convert frames that differ in it one file at a time",
                )
        columns.positions.append(block.numbers(fields, layout["pos"]) * length)
        columns.cells.append(_cell(info, length, block))
        for name in APT_NAMES:
            if name in layout:
                columns.apt.append(block.numbers(fields, layout[name]))
                break
        for name in VELOCITY_NAMES:
            if name in layout:
                scale = _velocity_factor(velocity_unit, info, block)
                columns.velocities.append(block.numbers(fields, layout[name]) * scale)
                break
        else:
            if "momenta" in layout:
                momenta = block.numbers(fields, layout["momenta"])
                masses = standard_masses(columns.numbers)[:, None]
                if "masses" in layout:
                    masses = block.numbers(fields, layout["masses"])
                columns.velocities.append(momenta / masses * MOMENTUM)
        dipole = _numbers(info, "dipole", 3, block)
        if dipole is not None:
            columns.dipoles.append(dipole)
        if (time := _numbers(info, "time", 1, block)) is not None:
            columns.times.append(float(time[0]))
        centers = _numbers(info, "wannier_centers", None, block)
        if centers is not None:
            columns.centers.append(centers.reshape(-1, 3))
    assert columns is not None
    _check_alike(columns, Path(path).name)
    return columns


def parse_comment(comment: str) -> dict[str, str]:
    """Return the ``key=value`` pairs of an extended xyz comment line.

    Examples
    --------
    >>> parse_comment('Lattice="1 0 0 0 1 0 0 0 1" energy=-1.5')
    {'Lattice': '1 0 0 0 1 0 0 0 1', 'energy': '-1.5'}
    """
    pairs = re.findall(
        r'([A-Za-z_][\w-]*)\s*=\s*(?:"([^"]*)"|\'([^\']*)\'|\{([^}]*)\}|(\S+))', comment
    )
    return {key: next((v for v in values if v), "") for key, *values in pairs}


def _layout(properties: str, block: XYZBlock) -> dict[str, slice]:
    words = properties.split(":")
    layout, start = {}, 0
    try:
        for name, kind, count in zip(words[::3], words[1::3], words[2::3], strict=True):
            if kind not in "SRIL" or int(count) < 1:
                raise ValueError(f"{name}:{kind}:{count}")
            layout[name] = slice(start, start + int(count))
            start += int(count)
    except ValueError as error:
        raise InputError(
            f"The Properties at line {block.line + 1} of {block.source} are malformed.",
            got=error,
            expected="name:type:columns, for example species:S:1:pos:R:3:apt:R:9",
        ) from None
    widths = {"species": 1, "pos": 3, "momenta": 3, "masses": 1, "molecule": 1}
    widths |= dict.fromkeys(APT_NAMES, 9) | dict.fromkeys(VELOCITY_NAMES, 3)
    for name, place in layout.items():
        if widths.get(name, place.stop - place.start) != place.stop - place.start:
            raise InputError(
                f"The property {name!r} of {block.source} has the wrong number of columns.",
                got=place.stop - place.start,
                expected=widths[name],
            )
    return layout


def _cell(info: dict[str, str], length: float, block: XYZBlock) -> Array | None:
    lattice = _numbers(info, "Lattice", 9, block)
    flags = set(info.get("pbc", "T T T" if lattice is not None else "F").split())
    if flags <= {"F", "0", "False"}:
        return None
    if lattice is None or not flags <= {"T", "1", "True"}:
        raise InputError(
            f"The frame at line {block.line} of {block.source} is not periodic in all directions.",
            got=f"pbc {info.get('pbc')!r}, Lattice {info.get('Lattice')!r}",
            expected="three periodic directions with a Lattice, or none",
        )
    return lattice.reshape(3, 3) * length


def _numbers(info: dict[str, str], key: str, n: int | None, block: XYZBlock) -> Array | None:
    if key not in info:
        return None
    try:
        values = np.array(info[key].replace(",", " ").split(), dtype=float)
    except ValueError:
        values = np.zeros(0)
    if (n is not None and len(values) != n) or not len(values) or len(values) % (n or 3):
        raise InputError(
            f"The {key} at line {block.line + 1} of {block.source} is malformed.",
            got=info[key][:80],
            expected=f"{n or 'a multiple of three'} numbers",
        )
    return values


def _velocity_factor(unit: str | None, info: dict[str, str], block: XYZBlock) -> float:
    stated = info.get("velocity_unit")
    if unit is None and stated is None:
        raise UnitError(
            f"{block.source} has velocities, but no unit of them.",
            expected="a velocity unit, for example angstrom/fs or bohr/atomic_time",
            do="name the unit that the numbers really have; the format does not state it",
        )
    if unit is not None and stated is not None and unit != stated:
        raise ConventionError(
            f"{block.source} states another velocity unit than was asked for.",
            got=repr(stated),
            expected=repr(unit),
        )
    return factor("velocity", unit or stated or "")


def _check_alike(columns: _Columns, source: str) -> None:
    n = len(columns.positions)
    counts = {
        "cells": sum(cell is not None for cell in columns.cells),
        "velocities": len(columns.velocities),
        "tensors": len(columns.apt),
        "dipoles": len(columns.dipoles),
        "Wannier centres": len(columns.centers),
        "times": len(columns.times),
    }
    for what, count in counts.items():
        if count not in (0, n):
            raise AlignmentError(
                f"Only some frames of {source} have {what}.",
                got=f"{count} of {n} frames",
                expected="all frames, or none",
                do="split the file",
            )
    if len({len(centers) for centers in columns.centers}) > 1:
        raise AlignmentError(f"The number of Wannier centres varies in {source}.")


def _frames(columns: _Columns) -> Frames:
    cells = [cell for cell in columns.cells if cell is not None]
    return Frames(
        columns.numbers,
        np.stack(columns.positions),
        np.stack(cells) if cells else None,
        np.stack(columns.velocities) if columns.velocities else None,
        columns.molecule,
        columns.charge,
    )
