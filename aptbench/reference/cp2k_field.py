"""`Cp2kField`: atomic polar tensors of isolated systems at the level of the periodic labels."""

from __future__ import annotations

import tempfile
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from aptbench.data.readers.cp2k import (
    FIELDS,
    finite_field_apt,
    read_dipole,
    read_forces,
    read_scf,
)
from aptbench.elements import SYMBOLS
from aptbench.errors import ConvergenceError, InputError
from aptbench.frames import Frames
from aptbench.reference.dense import DenseLabels
from aptbench.reference.engine import Cp2k
from aptbench.reference.inputs import finite_field, xyz_text
from aptbench.reference.theory import Theory

Array = npt.NDArray[np.float64]

BOX_STEP: Final = 0.5
"""Sides of boxes are multiples of this, in angstrom."""
NEAR: Final = 0.2
"""A wavefunction is a good start for the next frame if no atom moved further, in angstrom."""


@dataclass(frozen=True)
class Cp2kField:
    """Kohn-Sham labels of neutral, closed-shell, isolated systems by CP2K, a `DenseLabeller`.

    Basis, potentials, grids and thresholds are those of a `Theory`, as in the labels of periodic
    systems; only electrostatics and the field are those of free space.

    Parameters
    ----------
    theory : Theory
    margin : float
        Least distance between an atom and a face of the cubic box that holds the density, in
        angstrom. Of water, the tensors at 2.7 are converged to 2e-4 e.
    engine : Cp2k

    Raises
    ------
    InputError
        If the margin is not positive.

    Notes
    -----
    ``P[pol, disp] = (F_disp(+E_pol) - F_disp(-E_pol)) / 2E``; the field adds ``-E . M`` to the
    energy, and the dipole M is that without field. The six runs in a field start from the
    wavefunction without field, and that one from the frame before where it is near. The system is
    put into the middle of a box whose side is a multiple of `BOX_STEP`, so that a label depends on
    its own frame only, to within the threshold of self-consistency.
    """

    theory: Theory = field(default_factory=Theory)
    margin: float = 2.7
    engine: Cp2k = field(default_factory=Cp2k)

    def __post_init__(self) -> None:
        if not self.margin > 0:
            raise InputError("The 'margin' of Cp2kField is not positive.", got=self.margin)

    @property
    def name(self) -> str:
        """Functional and basis."""
        return f"{self.theory.functional}/{self.theory.basis}"

    def provenance(self) -> dict[str, Any]:
        """Return code, version, method and numerical settings as plain values."""
        return {
            "code": self.engine.version,
            "method": "finite field, central differences, free space",
            **self.theory.as_dict(),
            "poisson_solver": "wavelet",
            "box_margin": self.margin,
            "box_step": BOX_STEP,
        }

    def label(self, frames: Frames) -> DenseLabels:
        """Return tensors, dipoles and how the seven self-consistent fields ended.

        Quality columns: ``scf_residual``, the largest last gradient of the seven;
        ``scf_iterations``, of the seven together; ``box``, the side of the box in angstrom.

        Raises
        ------
        ConvergenceError
            If a self-consistent field does not converge.
        EngineError
            If the engine failed in another way.
        InputError
            If the frames have a cell, a charge or an odd number of electrons.
        """
        _check(frames)
        sides = box_sides(frames, self.margin)
        apt = np.empty((len(frames), frames.n_atoms, 3, 3))
        dipole = np.empty((len(frames), 3))
        residual, iterations = np.empty(len(frames)), np.empty(len(frames))
        with tempfile.TemporaryDirectory(prefix="aptbench-cp2k-") as folder:
            for k, positions in enumerate(frames.positions):
                near = k > 0 and np.abs(positions - frames.positions[k - 1]).max() < NEAR
                try:
                    texts = self._run(frames, k, sides[k], Path(folder), bool(near))
                except ConvergenceError:
                    raise ConvergenceError(
                        f"A self-consistent field of frame {k} did not converge.",
                        got=f"more than {self.theory.outer_scf} rebuilds of the preconditioner",
                        do="look at its geometry, or allow more rebuilds ('outer_scf')",
                    ) from None
                forces = {key: read_forces(texts["-".join(key)]) for key in FIELDS}
                states = [read_scf(text) for text in texts.values()]
                apt[k] = finite_field_apt(forces, self.theory.field)
                dipole[k] = read_dipole(texts["zero"])
                residual[k] = np.max([state.gradient for state in states])
                iterations[k] = sum(state.iterations for state in states)
        quality = {"scf_residual": residual, "scf_iterations": iterations, "box": sides}
        return DenseLabels(apt, dipole, quality)

    def _run(
        self, frames: Frames, number: int, side: float, work: Path, near: bool
    ) -> dict[str, str]:
        """Return the outputs of the seven runs of a frame by their names."""
        positions = frames.positions[number]
        middle = (positions.max(axis=0) + positions.min(axis=0)) / 2
        geometry = xyz_text(frames.atomic_numbers, positions - middle + side / 2)
        (work / "start.xyz").write_text(geometry)
        calculation = partial(
            finite_field,
            theory=self.theory,
            cell=side * np.eye(3),
            elements=[
                SYMBOLS[z] for z in sorted(set(frames.atomic_numbers.tolist()), reverse=True)
            ],
            isolated=True,
        )
        wavefunction = "zero-RESTART.wfn"
        inputs = {
            "zero": calculation(name="zero", field=None, restart=wavefunction if near else None)
        }
        for pol, end in FIELDS:
            strength = self.theory.field if end == "plus" else -self.theory.field
            x, y, z = (strength if axis == pol else 0.0 for axis in "xyz")
            name = f"{pol}-{end}"
            inputs[name] = calculation(name=name, field=(x, y, z), restart=wavefunction)
        for name, text in inputs.items():
            (work / f"{name}.inp").write_text(text)
        return {name: self.engine.run(work, name) for name in inputs}


def box_sides(frames: Frames, margin: float) -> Array:
    """Return the side of the cubic box of each frame in angstrom, shape (frame,).

    Examples
    --------
    >>> pair = Frames([8, 1], [[[0, 0, 0], [1, 0, 0]], [[0, 0, 0], [0, 0, 1.2]]])
    >>> box_sides(pair, 3.5).tolist()
    [8.0, 8.5]
    """
    extent = np.ptp(frames.positions, axis=1).max(axis=-1)
    return np.asarray(BOX_STEP * np.ceil((extent + 2 * margin) / BOX_STEP), dtype=np.float64)


def _check(frames: Frames) -> None:
    if frames.cell is not None:
        raise InputError(
            "Cp2kField computes isolated systems only.",
            got="frames with a cell",
            do="give frames without cell, or label with 'aptbench label'",
        )
    electrons = int(frames.atomic_numbers.sum())
    if frames.total_charge != 0 or electrons % 2:
        raise InputError(
            "Cp2kField computes neutral closed-shell systems only.",
            got=f"a charge of {frames.total_charge:g} e and {electrons} protons",
            expected="no charge and an even number of electrons",
        )
