"""Tensors of a water molecule by two programs: CP2K in a box, PySCF without one.

CP2K in finite fields with the grid of the labels of the liquid; PySCF with the same basis and
pseudopotentials by displaced atoms, and with all electrons in finite fields. RPBE in all.

    python benchmarks/two_programs.py        # some minutes; rows that are there are kept
"""

from __future__ import annotations

import json
from pathlib import Path

from aptbench import Frames
from aptbench.atomic import write_atomically
from aptbench.reference.cp2k_field import Cp2kField
from aptbench.reference.cross_check import compare_labellers
from aptbench.reference.pyscf_displacement import PyscfDisplacement
from aptbench.reference.pyscf_field import PyscfField
from aptbench.reference.theory import Theory

RESULT = Path(__file__).parent / "results" / "two-programs.json"
WATER = [[0.0, 0.0, 0.0], [0.99, 0.05, 0.02], [-0.25, 0.90, 0.10]]
"""In angstrom; away from the minimum and from all symmetry."""
FUNCTIONAL = "RPBE,PBE"
PAIRS = (
    ("TZV2P-GTH", "gth-tzv2p"),
    ("TZV2P-GTH", "def2-SVPD"),
    ("TZV2P-GTH", "def2-TZVPD"),
    ("TZV2P-GTH", "def2-QZVPD"),
    ("TZV2P-GTH", "aug-cc-pVTZ"),
    ("QZV2P-GTH", "aug-cc-pVTZ"),
    ("aug-TZV2P-GTH", "aug-cc-pVTZ"),
    ("aug-QZV2P-GTH", "aug-cc-pVTZ"),
)
"""Basis sets of CP2K and of PySCF; the labels of the liquid have the first. The first pair is the
same basis with the same pseudopotentials, in PySCF without field or force: displaced atoms."""


def main() -> None:
    """Compare and write the result."""
    frames = Frames([8, 1, 1], WATER)
    rows = json.loads(RESULT.read_text()) if RESULT.exists() else []
    known = {(row["cp2k_basis"], row["pyscf_basis"]): row for row in rows}
    for pair in PAIRS:
        if pair in known:
            continue
        ours, theirs = pair
        same = theirs.startswith("gth")
        other = PyscfDisplacement() if same else PyscfField(FUNCTIONAL, theirs, grid_level=5)
        check = compare_labellers(frames, Cp2kField(Theory(basis=ours)), other)
        known[pair] = {"cp2k_basis": ours, "pyscf_basis": theirs, **check.as_dict()}
        print(ours, theirs, check.rms, f"slope {check.slope:.4f}", flush=True)
        rows = [known[done] for done in PAIRS if done in known]
        write_atomically(RESULT, json.dumps(rows, indent=1) + "\n")


if __name__ == "__main__":
    main()
