"""Quantum ESPRESSO: effective charges from the files of ``ph.x``, one run a label.

Three files hold them: the dynamical matrix file (``fildyn``) as text or as XML, and the standard
output. The dynamical matrix files are preferred: the standard output rounds charges and positions
to five digits and the cell to four.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Final
from xml.etree import ElementTree

import numpy as np
import numpy.typing as npt

from aptbench.conventions import to_pol_disp
from aptbench.data.readers.labelled_runs import LabelledRun, find_runs, stack_runs
from aptbench.data.system import SystemData
from aptbench.elements import SYMBOLS, atomic_number
from aptbench.errors import AptbenchError, ConvergenceError, InputError
from aptbench.units import BOHR

Array = npt.NDArray[np.float64]
Structure = tuple[list[str], Array, Array]
"""Labels of the atoms, positions and cell in angstrom."""

FIELD_ORDER: Final = "pol,disp"
"""Index order of (d Force / dE), printed as rows ``Ex``, ``Ey``, ``Ez``."""
XML_ORDER: Final = "disp,pol"
"""Index order of the XML file, which holds Fortran arrays as they lie in memory."""

_NUMBER: Final = r"[-+]?\d+\.\d+(?:[EeDd][-+]?\d+)?"
_SITE: Final = re.compile(
    rf"^\s*(\d+)\s+(\S+)\s+{_NUMBER}\s+tau\(\s*\d+\s*\)\s*="
    rf"\s*\(\s*({_NUMBER})\s+({_NUMBER})\s+({_NUMBER})\s*\)",
    re.MULTILINE,
)
_AXIS: Final = re.compile(
    rf"^\s*a\([123]\) = \(\s*({_NUMBER})\s+({_NUMBER})\s+({_NUMBER})\s*\)", re.MULTILINE
)
_SECTION: Final = re.compile(
    r"^ *Effective charges \((d Force / dE|d P / du)\) in cartesian axis *(.*)$", re.MULTILINE
)
_ROW: Final = re.compile(rf"[EP]\*?([xyz])\s*\(\s*({_NUMBER})\s+({_NUMBER})\s+({_NUMBER})\s*\)")


def read_espresso_labels(
    source: Path | str | Sequence[Path | str],
    *,
    order: str | None = None,
    cell: npt.ArrayLike | None = None,
    periodic: bool = True,
    total_charge: float = 0.0,
) -> SystemData:
    """Read one label a run of ``ph.x`` (``epsil = .true.`` at Gamma).

    Parameters
    ----------
    source : path, pattern, or several of them
        Of dynamical matrix files, of standard outputs, or of folders that hold them; in a folder
        the first of these is read: dynamical matrix as text, as XML, standard output. See
        `find_runs`.
    order : {"pol,disp", "disp,pol"}, optional
        Meaning of (row, column). If None it is that of the file; (d P / du) has none, see Notes.
    cell : array, optional
        In angstrom; if None it is that of the files.
    periodic : bool
        False for a molecule in a box of vacuum, see `stack_runs`.
    total_charge : float
        In e.

    Returns
    -------
    SystemData
        Every frame labelled, without times.

    Raises
    ------
    InputError
        If a file is missing, broken off, of another program, or without effective charges.
    ConvergenceError
        If a response did not converge.
    AlignmentError
        If the runs differ in their atoms.

    Notes
    -----
    Charges are those without the acoustic sum rule applied. Index orders are those of the source
    of the program (``summarize_zeu``, ``write_epsilon_and_zeu``), confirmed with a water molecule
    in version 6.7: the antisymmetric part has the sign of an independent calculation (PySCF), and
    the text and the XML file hold transposed numbers.

    The charges (d P / du) of the same run come out transposed against (d Force / dE), although
    their rows are named ``Px``, ``Py``, ``Pz``. They are read only where there are no others, and
    only with an explicit ``order``.
    """
    if order is not None:
        to_pol_disp(np.zeros(9), order)
    files = find_runs(source, _output_in, "a dynamical matrix file or an output of ph.x")
    return stack_runs(
        (_read(path, order, cell) for path in files),
        periodic=periodic,
        total_charge=total_charge,
        provenance={"method": "effective charges of ph.x, no sum rule applied"},
    )


def _kind(head: str) -> str | None:
    if head.lstrip().startswith("Dynamical matrix file"):
        return "dyn"
    if "<GEOMETRY_INFO>" in head:
        return "xml"
    return "output" if "Program PHONON" in head else None


def _output_in(folder: Path) -> Path | None:
    files: dict[str, list[Path]] = {"dyn": [], "xml": [], "output": []}
    poor: list[Path] = []
    for path in sorted(folder.iterdir()):
        if not path.is_file():
            continue
        with path.open(encoding="utf-8", errors="replace") as file:
            kind = _kind(file.read(2000))
        if kind is not None:
            holds = re.search("Effective charges|ZSTAR", _text(path), re.IGNORECASE)
            (files[kind] if holds else poor).append(path)
    for found in files.values():
        if len(found) > 1:
            raise InputError(
                f"{folder} holds more than one run of ph.x.",
                got=", ".join(path.name for path in found),
                expected="one run a folder",
                do="name the files, with a pattern if there are many",
            )
        if found:
            return found[0]
    return poor[0] if poor else None


def _read(path: Path, order: str | None, cell: npt.ArrayLike | None) -> LabelledRun:
    text = _text(path)
    kind = _kind(text[:2000])
    if kind is None:
        raise InputError(
            f"{path} is no output of ph.x.",
            got=repr(text[:60]),
            expected="a dynamical matrix file (fildyn) or the standard output of ph.x",
        )
    box = None if cell is None else np.asarray(cell, float)
    if box is not None and box.ndim == 1:
        box = np.diag(box)
    read = {"dyn": _read_dyn, "xml": _read_xml, "output": _read_output}[kind]
    try:
        (labels, positions, own_cell), apt, code = read(path, text, order, box)
    except AptbenchError:
        raise
    except (ValueError, IndexError, TypeError, ElementTree.ParseError) as error:
        raise InputError(
            f"{path} is damaged or breaks off.",
            got=f"{type(error).__name__}: {error}",
            do="run the calculation again, or leave out its label",
        ) from error
    if not len(labels) == len(positions) == len(apt):
        raise InputError(
            f"{path} does not hold a tensor for every atom.",
            got=f"{len(apt)} tensors of {len(labels)} atoms",
            do="the file may break off: run the calculation again, or leave out its label",
        )
    numbers = np.array([_element(label) for label in labels])
    return LabelledRun(path, numbers, positions, own_cell, apt, code)


def _read_dyn(
    path: Path, text: str, order: str | None, cell: Array | None
) -> tuple[Structure, Array, str]:
    lines = text.splitlines()
    n_types, n_atoms, lattice = (int(word) for word in lines[2].split()[:3])
    celldm = [float(word) for word in lines[2].split()[3:9]]
    rest = lines[3:]
    if lattice == 0:
        vectors = celldm[0] * BOHR * _rows(rest[1:4])
        rest = rest[4:]
    elif cell is None:
        vectors = _bravais(path, lattice, celldm)
    types = [line.split("'")[1] for line in rest[:n_types]]
    sites = [line.split() for line in rest[n_types : n_types + n_atoms]]
    labels = [types[int(site[1]) - 1] for site in sites]
    positions = celldm[0] * BOHR * np.array([[float(x) for x in site[2:5]] for site in sites])
    for title, own in (("Effective Charges E-U", FIELD_ORDER), ("Effective Charges U-E", None)):
        found = re.search(rf"^ *{title}.*$", text, re.MULTILINE)
        if found:
            body = text[found.end() :].split("\n\n", 2)[1].splitlines()
            tensors = [
                _rows(body[k + 1 : k + 4]) for k, line in enumerate(body) if "atom #" in line
            ]
            apt = to_pol_disp(np.array(tensors), _order(path, order, own))
            structure = labels, positions, vectors if cell is None else cell
            return structure, apt, "Quantum ESPRESSO"
    raise _missing(path, finished=True)


def _read_xml(
    path: Path, text: str, order: str | None, cell: Array | None
) -> tuple[Structure, Array, str]:
    root = ElementTree.fromstring(text)
    geometry = root.find("GEOMETRY_INFO")
    assert geometry is not None
    alat = float(_body(geometry, "CELL_DIMENSIONS").split()[0]) * BOHR
    vectors = alat * np.array(_body(geometry, "AT").split(), float).reshape(3, 3)
    sites = [geometry.find(f"ATOM.{k + 1}") for k in range(int(_body(geometry, "NUMBER_OF_ATOMS")))]
    labels = [site.attrib["SPECIES"] for site in sites if site is not None]
    tau = [site.attrib["TAU"].split() for site in sites if site is not None]
    charges = root.find("DIELECTRIC_PROPERTIES/ZSTAR")
    if charges is None:
        raise _missing(path, finished=True)
    tensors = [
        np.array(_body(charges, f"Z_AT_.{k + 1}").split(), float).reshape(3, 3)
        for k in range(len(labels))
    ]
    apt = to_pol_disp(np.array(tensors), _order(path, order, XML_ORDER))
    structure = labels, alat * np.array(tau, float), vectors if cell is None else cell
    return structure, apt, "Quantum ESPRESSO"


def _read_output(
    path: Path, text: str, order: str | None, cell: Array | None
) -> tuple[Structure, Array, str]:
    if "No convergence has been achieved" in text:
        raise ConvergenceError(
            f"A response in {path} did not converge.",
            do="run it again with more iterations (niter_ph), or leave out its label",
        )
    # A run prints its charges twice; newer versions print them again with the sum rule applied.
    sections = [found for found in _SECTION.finditer(text) if not found[2].startswith("with asr")]
    if not sections:
        raise _missing(path, "JOB DONE" in text)
    chosen = [found for found in sections if found[1] == "d Force / dE"] or sections
    own = FIELD_ORDER if chosen[-1][1] == "d Force / dE" else None
    apt = to_pol_disp(_tensors(text[chosen[-1].end() :]), _order(path, order, own))
    alat = float(text.split("celldm(1)=", 1)[1].split()[0]) * BOHR
    sites = _SITE.findall(text.split("site n.", 1)[1])
    count = next(k for k, site in enumerate([*sites, ("1",)]) if k and int(site[0]) == 1)
    positions = alat * np.array([site[2:5] for site in sites[:count]], float)
    vectors = alat * np.array(_AXIS.findall(text)[:3], float).reshape(3, 3)
    version = re.search(r"Program PHONON v\.?\s*([\w.]+)", text)
    code = f"Quantum ESPRESSO {version[1]}" if version else "Quantum ESPRESSO"
    labels = [site[1] for site in sites[:count]]
    return (labels, positions, vectors if cell is None else cell), apt, code


def _tensors(text: str) -> Array:
    """Parse blocks of ``atom n`` and three named rows, shape (atom, row, column)."""
    rows: list[list[float]] = []
    for line in text.splitlines():
        row = _ROW.search(line)
        if row:
            if row[1] != "xyz"[len(rows) % 3]:
                raise ValueError(f"row {line.strip()!r}")
            rows.append([float(value) for value in row.groups()[1:]])
        elif line.strip() and not re.match(r"\s*atom\s+\d+", line):
            break
    return np.array(rows).reshape(-1, 3, 3)


def _order(path: Path, given: str | None, own: str | None) -> str:
    if given is None and own is None:
        raise InputError(
            f"{path} holds no charges (d Force / dE), only (d P / du), whose index order is not "
            "certain.",
            expected="--order, or a run with epsil = .true. and zeu = .true.",
            do="try --order disp,pol, which version 6.7 prints; the check of the index order tells",
        )
    return str(given or own)


def _bravais(path: Path, lattice: int, celldm: list[float]) -> Array:
    """Return the cell in angstrom of a Bravais lattice of the program (``ibrav``)."""
    a, b, c, first, second, third = celldm
    faces, body = [[-1, 0, 1], [0, 1, 1], [-1, 1, 0]], [[1, 1, 1], [-1, 1, 1], [-1, -1, 1]]
    if lattice in (2, 3):
        return a * BOHR / 2 * np.array(faces if lattice == 2 else body, float)
    primitive = {
        1: (1.0, 1.0, 0.0, 0.0, 0.0),
        4: (1.0, c, 0.0, 0.0, -0.5),
        6: (1.0, c, 0.0, 0.0, 0.0),
        8: (b, c, 0.0, 0.0, 0.0),
        12: (b, c, 0.0, 0.0, first),
        14: (b, c, first, second, third),
    }
    if lattice not in primitive:
        raise InputError(
            f"{path} does not write out its cell, only the number of a lattice.",
            got=f"ibrav = {lattice}",
            expected=f"ibrav 0, 2, 3 or one of {', '.join(map(str, primitive))}",
            do="give --cell, or read the XML file (fildyn = 'NAME.xml') or the output of ph.x",
        )
    b, c, cos_bc, cos_ac, cos_ab = primitive[lattice]
    sin_ab = (1 - cos_ab**2) ** 0.5
    y = (cos_bc - cos_ac * cos_ab) / sin_ab
    z = (1 - cos_ac**2 - y**2) ** 0.5
    vectors = [[1, 0, 0], [b * cos_ab, b * sin_ab, 0], [c * cos_ac, c * y, c * z]]
    return a * BOHR * np.array(vectors, float)


def _element(label: str) -> int:
    letters = re.match(r"[A-Za-z]*", label.strip())
    assert letters is not None
    two = letters[0][:2].capitalize()
    return atomic_number(two if two in SYMBOLS[1:] else letters[0][:1])


def _rows(lines: list[str]) -> Array:
    if len(lines) != 3:
        raise ValueError(f"{len(lines)} of 3 rows")
    return np.array([[float(word) for word in line.split()] for line in lines]).reshape(3, 3)


def _body(parent: ElementTree.Element, name: str) -> str:
    found = parent.find(name)
    if found is None or not found.text:
        raise ValueError(f"no {name}")
    return found.text


def _text(path: Path) -> str:
    return path.read_text(encoding="utf-8", errors="replace")


def _missing(path: Path, finished: bool) -> InputError:
    return InputError(
        f"{path} holds no effective charges.",
        got="a run without them" if finished else "an output that breaks off",
        expected="a section 'Effective charges'",
        do="run ph.x with epsil = .true. at q = 0"
        if finished
        else "run the calculation again, or leave out its label",
    )
