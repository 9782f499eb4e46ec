"""VASP: Born effective charges from ``OUTCAR`` or ``vasprun.xml``, one run a label."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import numpy.typing as npt

from aptbench.conventions import to_pol_disp
from aptbench.data.readers.labelled_runs import LabelledRun, find_runs, stack_runs
from aptbench.data.system import SystemData
from aptbench.errors import ConvergenceError, InputError, MissingExtraError

if TYPE_CHECKING:
    from ase import Atoms

Array = npt.NDArray[np.float64]

ORDER: Final = "pol,disp"
"""Index order of the printed tensors: the row is the direction of the field."""

_SECTION: Final = re.compile(
    r"^ *BORN EFFECTIVE CHARGES \((?!excluding)[^\n]*output\) *\n *-+ *\n", re.MULTILINE
)
_FINISHED: Final = "General timing and accounting informations for this job"


def read_vasp_labels(
    source: Path | str | Sequence[Path | str],
    *,
    order: str | None = None,
    periodic: bool = True,
    total_charge: float = 0.0,
) -> SystemData:
    """Read one label a run (LEPSILON or LCALCEPS).

    Parameters
    ----------
    source : path, pattern, or several of them
        Of ``OUTCAR`` or ``vasprun.xml`` files, or of folders that hold them; in a folder with both
        ``OUTCAR`` is read. See `find_runs`.
    order : {"pol,disp", "disp,pol"}, optional
        Meaning of (row, column); `ORDER` if None.
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
        If a file is missing, broken off, of another program, or without Born effective charges.
    ConvergenceError
        If a self-consistent field did not converge.
    AlignmentError
        If the runs differ in their atoms.
    MissingExtraError
        If ASE is not installed, which reads the structures.

    Notes
    -----
    Row and column: the runs of LEPSILON and LCALCEPS go over directions of the field, and print
    the force on each atom, a row each. The tensors of six molecules among the examples of
    Phonopy-Spectroscopy (https://github.com/skelton-group/Phonopy-Spectroscopy; phenol, aniline
    and others) fulfil the rotational sum rule to 0.004 e angstrom in this order, and miss it by 0.1
    to 0.6 e angstrom in the other. ``vaspout.h5`` holds them transposed, and so may runs over
    displacements (IBRION = 7, 8). VASP subtracts the mean of the drift: the acoustic sum rule holds
    whatever the quality of the run.
    """
    to_pol_disp(np.zeros(9), order or ORDER)
    files = find_runs(source, _output_in, "an OUTCAR or a vasprun.xml")
    return stack_runs(
        (run for path in files for run in _read(path, order or ORDER)),
        periodic=periodic,
        total_charge=total_charge,
        provenance={"method": "Born effective charges, acoustic sum rule imposed by the program"},
    )


def _output_in(folder: Path) -> Path | None:
    names = (folder / name for name in ("OUTCAR", "vasprun.xml"))
    return next((path for path in names if path.is_file()), None)


def _read(path: Path, order: str) -> Iterator[LabelledRun]:
    text = path.read_text(encoding="utf-8", errors="replace")
    if "<modeling>" in text[:1000]:
        yield from _read_xml(path, text, order)
        return
    version = re.match(r"\s*vasp\.([\w.]+)", text)
    if version is None:
        raise InputError(
            f"{path} is no output of VASP.",
            got=repr(text[:60]),
            expected="an OUTCAR, which begins with 'vasp.', or a vasprun.xml",
        )
    if "aborting loop EDIFF was not reached" in text:
        raise ConvergenceError(
            f"A self-consistent field of {path} did not converge.",
            got="'EDIFF was not reached'",
            do="run it again with a larger NELM, or leave out its label",
        )
    sections = list(_SECTION.finditer(text))
    if not sections:
        raise _missing(path, _FINISHED in text)
    charges = _charges(path, text, sections[-1].end())
    # The charges belong to the step whose forces were printed last before them.
    step = text.count("TOTAL-FORCE (eV/Angst)", 0, sections[-1].start()) - 1
    atoms = _images(path, max(step, 0), "vasp-out")[0]
    yield _run(path, atoms, to_pol_disp(charges, order), f"VASP {version[1]}")


def _charges(path: Path, text: str, begin: int) -> Array:
    """Parse blocks of ``ion n`` and three numbered rows, shape (atom, row, column)."""
    stated = re.search(r"NIONS\s*=\s*(\d+)", text)
    n_atoms = int(stated[1]) if stated else 0
    lines = text[begin:].splitlines()[: 4 * n_atoms]
    tensors = np.zeros((n_atoms, 3, 3))
    try:
        for atom in range(n_atoms):
            head, *rows = (line.split() for line in lines[4 * atom : 4 * atom + 4])
            if head[:2] != ["ion", str(atom + 1)] or [row[0] for row in rows] != ["1", "2", "3"]:
                raise ValueError(" ".join(head))
            tensors[atom] = [[float(value) for value in row[1:]] for row in rows]
    except (ValueError, IndexError):
        raise InputError(
            f"The table of Born effective charges in {path} is damaged or breaks off.",
            got=f"tensors of {atom} of {n_atoms} atoms",
            expected="three rows of three numbers for every atom",
            do="run the calculation again, or leave out its label",
        ) from None
    return tensors


def _read_xml(path: Path, text: str, order: str) -> Iterator[LabelledRun]:
    finished = text.rstrip().endswith("</modeling>")
    version = re.search(r'<i name="version"[^>]*>\s*([\w.]+)', text)
    allowed = re.search(r'<i[^>]*name="NELM"[^>]*>\s*(\d+)', text)
    most = int(allowed[1]) if allowed else 10**9
    for step in text.split("<calculation>")[1:]:
        if 'name="born_charges"' in step and step.count("<scstep>") >= most:
            raise ConvergenceError(
                f"A self-consistent field in {path} may not have converged.",
                got=f"all {most} steps that it was allowed (NELM)",
                do="run it again with a larger NELM",
            )
    labelled = False
    for atoms in _images(path, ":", "vasp-xml") if 'name="born_charges"' in text else []:
        charges = atoms.calc.results.get("born_effective_charges")
        if charges is None:
            continue
        # ASE leaves zeros where the file has no tensor.
        absent = int(np.sum(~np.any(charges, axis=(1, 2))))
        if absent:
            raise InputError(
                f"The Born effective charges in {path} are not complete.",
                got=f"tensors of {len(atoms) - absent} of {len(atoms)} atoms",
                do="run the calculation again, or leave out its label",
            )
        labelled = True
        code = f"VASP {version[1]}" if version else "VASP"
        yield _run(path, atoms, to_pol_disp(charges, order), code)
    if not labelled:
        raise _missing(path, finished)


def _images(path: Path, index: int | str, format: str) -> list[Atoms]:  # noqa: A002
    try:
        import ase.io
    except ImportError as error:
        raise MissingExtraError("ase", "md") from error
    try:
        images: Any = ase.io.read(path, index=index, format=format)
    except Exception as error:
        raise InputError(
            f"The structure in {path} cannot be read.",
            got=f"{type(error).__name__}: {error}",
            do="look at the end of the file: it may break off",
        ) from error
    return images if isinstance(images, list) else [images]


def _run(path: Path, atoms: Atoms, apt: Array, code: str) -> LabelledRun:
    if len(atoms) != len(apt):
        raise InputError(
            f"The structure and the Born effective charges of {path} do not belong together.",
            got=f"{len(apt)} tensors",
            expected=f"{len(atoms)} atoms",
        )
    return LabelledRun(path, atoms.numbers, atoms.positions, np.array(atoms.cell), apt, code)


def _missing(path: Path, finished: bool) -> InputError:
    return InputError(
        f"{path} holds no Born effective charges.",
        got="a run without them" if finished else "an output that breaks off",
        expected="a section 'BORN EFFECTIVE CHARGES' or an array 'born_charges'",
        do="run VASP with LEPSILON = .TRUE. or LCALCEPS = .TRUE."
        if finished
        else "run the calculation again, or leave out its label",
    )
