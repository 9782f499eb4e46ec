"""Does a finite periodic field see the seam of the cell? One water molecule, moved across it.

    python benchmarks/periodic_field.py

writes benchmarks/results/periodic-field.json. A label must not change when all atoms are moved
together. CP2K's field is compared for density functional theory (the level of the data set `water`)
and for GFN1-xTB, by the third of the tensors that a field along x gives.
"""

from __future__ import annotations

import json
import tempfile
from pathlib import Path

import numpy as np

from aptbench.atomic import write_atomically
from aptbench.data.readers.cp2k import read_forces
from aptbench.frames import Frames
from aptbench.reference.engine import Cp2k
from aptbench.reference.inputs import Section, subsystem, xyz_text
from aptbench.reference.label import run_input
from aptbench.reference.theory import Theory

RESULT = Path(__file__).parent / "results" / "periodic-field.json"
SIDE = 10.0
MOLECULE = np.array([[0.0, 0.0, 0.0], [0.9572, 0.0, 0.0], [-0.2399, 0.9266, 0.0]])
# the seam is at half of the cell: only the last place puts an atom beyond it
PLACES = {
    "at the origin": (0.0, 0.0, 0.0),
    "moved by 2, 1, 0.5 angstrom": (2.0, 1.0, 0.5),
    "oxygen 0.3 angstrom before half of the cell, hydrogen beyond": (SIDE / 2 - 0.3, 0.0, 0.0),
}
THEORY = Theory(cutoff=300.0)


def tight_binding(name: str, sign: int) -> str:
    """Return the input of a GFN1-xTB run in a field along x."""
    field = Section("PERIODIC_EFIELD", [f"INTENSITY {sign * THEORY.field:g}", "POLARISATION 1 0 0"])
    method = Section(
        "QS",
        ["METHOD xTB", "EPS_DEFAULT 1e-10"],
        [Section("XTB", ["DO_EWALD T", "CHECK_ATOMIC_CHARGES F"])],
    )
    scf = Section(
        "SCF",
        ["SCF_GUESS ATOMIC", "EPS_SCF 1e-8", "MAX_SCF 50"],
        [Section("OT", ["MINIMIZER DIIS", "PRECONDITIONER FULL_ALL"])],
    )
    sections = [
        Section("GLOBAL", [f"PROJECT {name}", "RUN_TYPE ENERGY_FORCE", "PRINT_LEVEL LOW"]),
        Section(
            "FORCE_EVAL",
            ["METHOD QS"],
            [
                Section("DFT", (), [method, scf, field]),
                subsystem(SIDE * np.eye(3), []),
                Section("PRINT", (), [Section("FORCES", ["NDIGITS 12"])]),
            ],
        ),
    ]
    return "\n".join(map(str, sections)) + "\n"


def third(engine: Cp2k, method: str, place: tuple[float, float, float]) -> np.ndarray:
    """Return ``apt[:, x, :]`` in e of the molecule at a place, shape (atom, disp)."""
    frame = Frames([8, 1, 1], MOLECULE + place, [SIDE] * 3)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "start.xyz").write_text(xyz_text(frame.atomic_numbers, frame.positions[0]))
        runs = {
            "GFN1-xTB": {
                f"x-{end}": tight_binding(end, s) for end, s in (("plus", 1), ("minus", -1))
            },
            "RPBE": {run: run_input(frame, THEORY, run) for run in ("zero", "x-plus", "x-minus")},
        }[method]
        forces = {}
        for run, text in runs.items():
            (folder / f"{run}.inp").write_text(text)
            forces[run] = read_forces(engine.run(folder, run))
    change = (forces["x-plus"] - forces["x-minus"]) / (2 * THEORY.field)
    # the field of the tight-binding part has the opposite sign
    return -change if method == "GFN1-xTB" else change


def main() -> None:
    """Measure and write."""
    engine = Cp2k()
    rows = []
    for method in ("RPBE", "GFN1-xTB"):
        first = None
        for words, place in PLACES.items():
            tensor = third(engine, method, place)
            first = tensor if first is None else first
            rows.append(
                {
                    "method": method,
                    "code": engine.version,
                    "place": words,
                    "oxygen_xx": float(tensor[0, 0]),
                    "hydrogen_xx": float(tensor[1, 0]),
                    "largest_change": float(np.abs(tensor - first).max()),
                    "acoustic_sum": float(np.abs(tensor.sum(0)).max()),
                }
            )
            print(rows[-1], flush=True)
    write_atomically(RESULT, json.dumps(rows, indent=1) + "\n")


if __name__ == "__main__":
    main()
