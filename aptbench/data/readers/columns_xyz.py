"""Reader of published xyz files with nine tensor columns behind the positions."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import numpy.typing as npt

from aptbench.conventions import to_pol_disp
from aptbench.data.readers.xyz import atomic_numbers, read_blocks, same_atoms
from aptbench.frames import Frames, LabelledFrames
from aptbench.units import factor


def read_columns_xyz(
    path: Path | str,
    *,
    order: str,
    cell: npt.ArrayLike | None,
    apt_unit: str = "e",
    length_unit: str = "angstrom",
    total_charge: float = 0.0,
) -> LabelledFrames:
    """Read rows ``symbol x y z`` and nine tensor components, one xyz block a frame.

    Parameters
    ----------
    path : path
    order : {"pol,disp", "disp,pol"}
        Meaning of (row, column) of the nine components, read row by row. The published
        liquid-water files (doi:10.1021/acs.jctc.2c00788) are ``"disp,pol"``. There is no default:
        nothing in such a file says which it is, and the wrong one goes unnoticed in a spectrum.
    cell : array or None
        In angstrom; it is not in the file. None for an isolated system.
    apt_unit, length_unit : str
        Units of the file.
    total_charge : float
        In e.

    Returns
    -------
    LabelledFrames
        Tensors as (frame, atom, pol, disp) in e.

    Raises
    ------
    UnknownNameError
        If ``order`` is not one of the two.
    UnitError
        If a unit is unknown, or one of another quantity.
    InputError
        If the file is missing, truncated, or has values that are not finite.
    AlignmentError
        If the atoms differ between frames.
    """
    to_pol_disp(np.zeros(9), order)  # refuse a wrong order before a long file is read
    scale, length = factor("apt", apt_unit), factor("length", length_unit)
    symbols: list[str] | None = None
    values = []
    for block in read_blocks(path):
        fields = block.fields(13)
        symbols = same_atoms([row[0] for row in fields], symbols, block)
        values.append(block.numbers(fields, slice(1, 13)))
    assert symbols is not None
    array = np.stack(values)
    frames = Frames(
        atomic_numbers(symbols),
        array[:, :, :3] * length,
        None if cell is None else np.asarray(cell, float),
        total_charge=total_charge,
    )
    return LabelledFrames(frames, to_pol_disp(array[:, :, 3:], order) * scale)
