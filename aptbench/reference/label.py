"""`label_frame`: the atomic polar tensors of a frame by finite electric fields, resumable."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np

from aptbench.data.readers.cp2k import (
    FIELDS,
    finite_field_apt,
    is_finished,
    read_dipole,
    read_forces,
    read_scf,
    read_wannier_centers,
)
from aptbench.elements import SYMBOLS
from aptbench.errors import ConvergenceError, InputError
from aptbench.frames import Frames
from aptbench.reference.engine import Cp2k
from aptbench.reference.inputs import finite_field, xyz_text
from aptbench.reference.records import LabelRecord
from aptbench.reference.theory import Theory

Progress = Callable[[int, str], None]
"""Called with the number of a frame and what is being done to it."""


def label_frame(
    frame: Frames,
    theory: Theory,
    engine: Cp2k,
    work: Path,
    number: int = 0,
    time_fs: float = 0.0,
    progress: Progress | None = None,
) -> LabelRecord:
    """Label one frame: seven self-consistent fields, without field and in six small fields.

    The runs in a field start from the wavefunction without field. Runs that ``work`` holds
    already, finished and from the same input, are not repeated.

    Parameters
    ----------
    frame : Frames
        One frame, periodic.
    theory : Theory
    engine : Cp2k
    work : Path
        Folder for the raw files.
    number, time_fs
        Where the frame stands in its trajectory.
    progress : callable, optional

    Returns
    -------
    LabelRecord

    Raises
    ------
    ConvergenceError
        If one of the seven did not converge.
    EngineError
        If the engine failed in another way.

    Notes
    -----
    ``P[pol, disp] = (F_disp(+E_pol) - F_disp(-E_pol)) / 2E`` in a periodic (Berry-phase) field
    (doi:10.1103/PhysRevLett.89.157602); the dipole is the Berry-phase one.
    """
    if frame.cell is None:
        raise InputError(
            "Only periodic systems can be labelled with the Berry-phase field.",
            do="give the frame a cell",
        )
    begin = time.perf_counter()
    work.mkdir(parents=True, exist_ok=True)
    geometry = xyz_text(frame.atomic_numbers, frame.positions[0])
    keep_if_same(work / "start.xyz", geometry, work)
    names = ["zero", *("-".join(key) for key in FIELDS)]
    runs = {name: run_input(frame, theory, name) for name in names}
    texts = {}
    for count, (name, text) in enumerate(runs.items()):
        if progress:
            progress(number, f"field run {name}, {count + 1} of {len(runs)}")
        texts[name] = run_once(engine, work, name, text)
    scf = [read_scf(text) for text in texts.values()]
    if not all(state.converged for state in scf):
        raise ConvergenceError(f"A self-consistent field in {work} did not converge.")
    forces = {key: read_forces(texts["-".join(key)]) for key in FIELDS}
    shape = (3, 2, frame.n_atoms, 3)
    return LabelRecord(
        frame=number,
        time=time_fs,
        atomic_numbers=frame.atomic_numbers,
        positions=frame.positions[0],
        cell=frame.cell[0],
        apt=finite_field_apt(forces, theory.field),
        forces=read_forces(texts["zero"]),
        field_forces=np.stack([forces[key] for key in FIELDS]).reshape(shape),
        dipole=read_dipole(texts["zero"]),
        wannier_centers=read_wannier_centers(work / "wannier.xyz"),
        scf_iterations=np.array([state.iterations for state in scf]),
        scf_residual=np.array([state.gradient or np.nan for state in scf]),
        provenance={
            "code": engine.version,
            "method": "finite field, central differences, Berry phase",
            "theory": theory.as_dict(),
            "input_sha256": {
                name: hashlib.sha256((text + geometry).encode()).hexdigest()
                for name, text in runs.items()
            },
            "wall_seconds": round(time.perf_counter() - begin, 1),
            "ranks": engine.ranks,
        },
    )


def run_input(frame: Frames, theory: Theory, name: str, *, start: str | None = None) -> str:
    """Return the input of one of the seven runs of a frame.

    Parameters
    ----------
    frame : Frames
        One periodic frame.
    theory : Theory
    name : str
        ``zero`` for the run without field, or direction and sign of the field, ``x-plus`` to
        ``z-minus``; those start from the wavefunction without field.
    start : str, optional
        Wavefunction file that ``zero`` starts from; if None it starts from atomic densities and
        localises the orbitals at its end.
    """
    assert frame.cell is not None
    elements = [SYMBOLS[z] for z in sorted(set(frame.atomic_numbers.tolist()), reverse=True)]
    calculation = partial(
        finite_field, theory=theory, cell=frame.cell[0], elements=elements, name=name
    )
    if name == "zero":
        return calculation(field=None, restart=start, wannier=start is None)
    pol, end = name.split("-")
    vector = np.zeros(3)
    vector["xyz".index(pol)] = theory.field if end == "plus" else -theory.field
    return calculation(field=(vector[0], vector[1], vector[2]), restart="zero-RESTART.wfn")


def keep_if_same(path: Path, text: str, work: Path) -> None:
    """Write a file; if it held something else, remove what was computed from it."""
    if path.exists() and path.read_text() != text:
        for output in work.glob("*.out"):
            output.unlink()
    path.write_text(text)


def run_once(engine: Cp2k, work: Path, name: str, text: str) -> str:
    """Run an input unless ``work`` holds its finished output; return the text of the output."""
    source, output = work / f"{name}.inp", work / f"{name}.out"
    if source.exists() and source.read_text() == text and output.exists():
        done = output.read_text(errors="replace")
        if is_finished(done):
            return done
    source.write_text(text)
    return engine.run(work, name)
