"""Outputs of electronic-structure programs with given numbers in them.

The tables of tensors, positions and cells have the programs' layout and digits; what no reader
looks at is left out.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import numpy.typing as npt

from aptbench.elements import SYMBOLS
from aptbench.frames import Frames
from aptbench.units import BOHR

Array = npt.NDArray[np.float64]

BORN = " BORN EFFECTIVE CHARGES (including local field effects) (in |e|, cummulative output)"


def outcar(frame: Frames, rows: Array, *, header: str = BORN, steps: int = 1) -> str:
    """An OUTCAR; ``rows`` are printed row by row, and earlier steps are moved by 0.1 angstrom."""
    symbols = [SYMBOLS[z] for z in frame.atomic_numbers]
    kinds = list(dict.fromkeys(symbols))
    potentials = [f" POTCAR:    PAW_PBE {kind} 08Apr2002" for kind in kinds]
    counts = "".join(f"{symbols.count(kind):6d}" for kind in kinds)
    assert frame.cell is not None
    lines = [
        " vasp.6.3.0 20Jan22 (build Jan 26 2022 20:55:49) complex",
        *potentials,
        *potentials,
        f"   ions per type =        {counts}",
        "   k-points           NKPTS =      1   k-points in BZ     NKDIM =      1   "
        "number of bands    NBANDS=     40",
        f"   number of dos      NEDOS =    301   number of ions     NIONS = {len(symbols):6d}",
        " k-points in reciprocal lattice and weights: Automatic mesh",
        "   0.00000000  0.00000000  0.00000000       1.000",
        "   ISPIN  =      1    spin polarized calculation?",
        "----------------------------------------- Iteration    1(   1)  -------------------------",
    ]
    for step in range(steps):
        lines += [
            "      direct lattice vectors                 reciprocal lattice vectors",
            *(_numbers(vector, 13, 9) + _numbers(np.zeros(3), 13, 9) for vector in frame.cell[0]),
            " POSITION                                       TOTAL-FORCE (eV/Angst)",
            " " + "-" * 83,
            *(
                _numbers(place, 13, 5) + _numbers(np.zeros(3), 14, 6)
                for place in frame.positions[0] + 0.1 * (steps - 1 - step)
            ),
            " " + "-" * 83,
            "    total drift:                                0.000000      0.000000      0.000000",
            "  FREE ENERGIE OF THE ION-ELECTRON SYSTEM (eV)",
            "  ---------------------------------------------------",
            "  free  energy   TOTEN  =       -14.22000000 eV",
            "",
            "  energy  without entropy=      -14.22000000  energy(sigma->0) =      -14.22000000",
        ]
    lines += [header, " " + "-" * 81]
    for atom, tensor in enumerate(rows):
        lines.append(f" ion {atom + 1:4d}")
        lines += [f"{k + 1:5d}{_numbers(row, 12, 5)}" for k, row in enumerate(tensor)]
    lines += ["", " General timing and accounting informations for this job:"]
    return "\n".join(lines) + "\n"


def vasprun(frame: Frames, rows: Array) -> str:
    """A vasprun.xml of one step."""
    assert frame.cell is not None
    symbols = [SYMBOLS[z] for z in frame.atomic_numbers]
    places = frame.positions[0] @ np.linalg.inv(frame.cell[0])

    def vectors(values: Array) -> str:
        return "".join(f"<v>{_numbers(row, 17, 8)} </v>\n" for row in values)

    structure = (
        f'<structure{{}}><crystal><varray name="basis" >\n{vectors(frame.cell[0])}</varray>'
        f'</crystal><varray name="positions" >\n{vectors(places)}</varray></structure>\n'
    )
    names = (" name='initialpos' ", "", " name='finalpos' ")
    initial, step, final = (structure.format(name) for name in names)
    atoms = "".join(f"<rc><c>{symbol} </c><c> 1</c></rc>\n" for symbol in symbols)
    charges = "".join(f"<set>\n{vectors(tensor)}</set>\n" for tensor in rows)
    energy = '<i name="e_fr_energy">-14.2 </i><i name="e_0_energy">-14.2 </i>'
    return (
        '<?xml version="1.0" encoding="ISO-8859-1"?>\n<modeling>\n<generator>\n'
        '<i name="program" type="string">vasp </i>\n<i name="version" type="string">6.3.0  </i>\n'
        '</generator>\n<kpoints><varray name="kpointlist" >\n<v> 0.0 0.0 0.0 </v></varray>'
        '<varray name="weights" >\n<v> 1.0 </v></varray></kpoints>\n'
        "<parameters></parameters>\n<atominfo><atoms>"
        f'{len(symbols)}</atoms><types>2</types><array name="atoms" ><set>\n{atoms}</set></array>'
        f"</atominfo>\n{initial}"
        f"<calculation>\n<scstep><energy>{energy}</energy></scstep>\n{step}"
        f"<energy>{energy}</energy>\n"
        f'<array name="born_charges" >\n<dimension dim="1">ion</dimension>\n{charges}</array>\n'
        f"</calculation>\n{final}</modeling>\n"
    )


def dynamical_matrix(
    frame: Frames, rows: Array, *, title: str = "E-U: Z_{alpha}{s,beta}", lattice: int = 0
) -> str:
    """A dynamical matrix file of ph.x; with ``lattice`` 8 the cell is only its edges."""
    assert frame.cell is not None
    side = float(np.linalg.norm(frame.cell[0, 0]))
    symbols = [SYMBOLS[z] for z in frame.atomic_numbers]
    kinds = list(dict.fromkeys(symbols))
    celldm = np.array([side / BOHR, 0, 0, 0, 0, 0])
    vectors = []
    if lattice == 0:
        vectors = ["Basis vectors", *(_numbers(v / side, 15, 9) for v in frame.cell[0])]
    else:
        celldm[1:3] = np.diag(frame.cell[0])[1:] / side
    lines = [
        "Dynamical matrix file",
        "water",
        f"{len(kinds):3d}{len(symbols):5d}{lattice:4d}{_numbers(celldm, 12, 7)}",
        *vectors,
        *(f"{k + 1:12d}  '{kind:<6}'    1000.0" for k, kind in enumerate(kinds)),
        *(
            f"{k + 1:5d}{kinds.index(symbol) + 1:5d}{_numbers(place / side, 18, 10)}"
            for k, (symbol, place) in enumerate(zip(symbols, frame.positions[0], strict=True))
        ),
        "",
        "     Dynamical  Matrix in cartesian axes",
        "",
        "     q = (    0.000000000   0.000000000   0.000000000 ) ",
        "",
        "     Dielectric Tensor:",
        "",
        *(f"{_numbers(row, 24, 12)}" for row in np.eye(3)),
        "",
        f"     Effective Charges {title}",
        "",
    ]
    for atom, tensor in enumerate(rows):
        lines.append(f"     atom # {atom + 1:4d}")
        lines += [_numbers(row, 24, 12) for row in tensor]
    lines += ["", "     Diagonalizing the dynamical matrix", ""]
    return "\n".join(lines)


def dynamical_matrix_xml(frame: Frames, rows: Array) -> str:
    """The same as XML."""
    assert frame.cell is not None
    side = float(np.linalg.norm(frame.cell[0, 0]))
    symbols = [SYMBOLS[z] for z in frame.atomic_numbers]

    def body(values: Array) -> str:
        return "\n".join(_numbers(row, 25, 15) for row in np.reshape(values, (-1, 3)))

    atoms = "".join(
        f'<ATOM.{k + 1} SPECIES="{symbol}" INDEX="1" TAU="{_numbers(place / side, 25, 17)}"/>\n'
        for k, (symbol, place) in enumerate(zip(symbols, frame.positions[0], strict=True))
    )
    charges = "".join(
        f"<Z_AT_.{k + 1}>\n{body(tensor)}\n</Z_AT_.{k + 1}>\n" for k, tensor in enumerate(rows)
    )
    return (
        '<?xml version="1.0" encoding="UTF-8"?>\n<Root>\n<GEOMETRY_INFO>\n'
        f"<NUMBER_OF_ATOMS>{len(symbols)}</NUMBER_OF_ATOMS>\n"
        f"<CELL_DIMENSIONS>\n{body(np.array([side / BOHR, 0, 0, 0, 0, 0]))}\n</CELL_DIMENSIONS>\n"
        f"<AT>\n{body(frame.cell[0] / side)}\n</AT>\n{atoms}</GEOMETRY_INFO>\n"
        f"<DIELECTRIC_PROPERTIES>\n<ZSTAR>\n{charges}</ZSTAR>\n</DIELECTRIC_PROPERTIES>\n</Root>\n"
    )


def phonon_output(frame: Frames, *sections: tuple[str, str, Array]) -> str:
    """A standard output of ph.x; a section is its title, the letter of its rows, and its rows."""
    assert frame.cell is not None
    side = float(np.linalg.norm(frame.cell[0, 0]))
    symbols = [SYMBOLS[z] for z in frame.atomic_numbers]
    lines = [
        "",
        "     Program PHONON v.7.2 starts on  1Jan2024 at 12:00:00 ",
        "",
        f"     celldm(1)={side / BOHR:12.5f}  celldm(2)=    0.00000  celldm(3)=    0.00000",
        "",
        "     crystal axes: (cart. coord. in units of alat)",
        *(
            f"               a({k + 1}) = ({_numbers(v / side, 8, 4)} )  "
            for k, v in enumerate(frame.cell[0])
        ),
        "",
        "     Atoms inside the unit cell: ",
        "",
        "     site n.  atom      mass           positions (alat units)",
        *(
            f"     {k + 1:4d}     {symbol:<4} 15.9990   tau({k + 1:5d}) = "
            f"({_numbers(place / side, 11, 5)}  )"
            for k, (symbol, place) in enumerate(zip(symbols, frame.positions[0], strict=True))
        ),
        "",
        "     Computing dynamical matrix for ",
        "                    q = (   0.0000000   0.0000000   0.0000000 )",
        "",
    ]
    for title, letter, rows in sections:
        lines += [f"          Effective charges {title}", ""]
        for atom, tensor in enumerate(rows):
            lines.append(f"           atom {atom + 1:6d}   {symbols[atom]:<3} Mean Z*:  0.00000")
            lines += [
                f"      {letter}{axis}  ({_numbers(row, 15, 5)} )"
                for axis, row in zip("xyz", tensor, strict=True)
            ]
        lines.append("")
    lines += ["     JOB DONE."]
    return "\n".join(lines) + "\n"


def write(path: Path, text: str) -> Path:
    """Write a file, and its folder if there is none."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
    return path


def _numbers(values: Array, width: int, digits: int) -> str:
    return "".join(f"{value:{width}.{digits}f}" for value in values)
