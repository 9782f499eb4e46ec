"""Tensors of a water molecule by two programs: CP2K in a box, PySCF without one.

Both are finite fields at RPBE; CP2K with the basis, pseudopotentials and grid of the labels of the
liquid, PySCF with all electrons in larger and larger basis sets.

    python benchmarks/two_programs.py        # a few minutes
"""

from __future__ import annotations

import json
from pathlib import Path

from aptbench import Frames
from aptbench.atomic import write_atomically
from aptbench.reference.cp2k_field import Cp2kField
from aptbench.reference.cross_check import CrossCheck, compare_labellers
from aptbench.reference.pyscf_field import PyscfField
from aptbench.reference.theory import Theory

RESULT = Path(__file__).parent / "results" / "two-programs.json"
WATER = [[0.0, 0.0, 0.0], [0.99, 0.05, 0.02], [-0.25, 0.90, 0.10]]
"""In angstrom; away from the minimum and from all symmetry."""
FUNCTIONAL = "RPBE,PBE"
BASES = ("def2-SVPD", "def2-TZVPD", "def2-QZVPD", "aug-cc-pVTZ")


def main() -> None:
    """Compare and write the result."""
    frames = Frames([8, 1, 1], WATER)
    box = Cp2kField(Theory())
    checks: dict[str, CrossCheck] = {
        basis: compare_labellers(frames, box, PyscfField(FUNCTIONAL, basis, grid_level=5))
        for basis in BASES
    }
    rows = [{"basis": basis, **check.as_dict()} for basis, check in checks.items()]
    write_atomically(RESULT, json.dumps(rows, indent=1) + "\n")
    for basis, check in checks.items():
        print(basis, check.rms, f"slope {check.slope:.4f}, swapped {check.swapped_rms:.4f}")


if __name__ == "__main__":
    main()
