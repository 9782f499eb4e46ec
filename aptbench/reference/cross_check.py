"""`CrossCheck`: tensors by two independent routes, compared atom by atom."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from aptbench.data.readers.cp2k import read_dipole
from aptbench.elements import SYMBOLS
from aptbench.errors import AlignmentError, InputError
from aptbench.frames import Frames
from aptbench.reference.convergence import rms_by_element
from aptbench.reference.dense import DenseLabeller
from aptbench.reference.engine import Cp2k
from aptbench.reference.inputs import xyz_text
from aptbench.reference.label import run_input, run_once
from aptbench.reference.theory import Theory

Array = npt.NDArray[np.float64]

DISPLACEMENT: Final = 0.005
"""Step of an atom in angstrom. Small, because the grid makes a ripple in the dipole (period 0.07
angstrom at 500 Ry) whose slope the force in a field has in full, and a long step averages out: for
oxygen in a water molecule at 200 Ry both routes agree to 0.0002, 0.0008 and 0.0027 e rms with steps
of 0.005, 0.01 and 0.02 angstrom. The noise of the self-consistent field is below 2e-5 e there."""


@dataclass(frozen=True, eq=False)
class CrossCheck:
    """Tensors of some atoms by two routes.

    Parameters
    ----------
    first, second : mapping
        What each route is: code, method, level of theory.
    atoms : array of int, shape (atom,)
        Their numbers in the frame, from 0.
    atomic_numbers : array of int, shape (atom,)
    first_apt, second_apt : array, shape (frame, atom, pol, disp)
        In e.

    Raises
    ------
    AlignmentError
        If the shapes do not fit each other.
    """

    first: Mapping[str, Any]
    second: Mapping[str, Any]
    atoms: npt.NDArray[np.int64]
    atomic_numbers: npt.NDArray[np.int64]
    first_apt: Array
    second_apt: Array

    def __post_init__(self) -> None:
        shape = self.first_apt.shape
        fits = len(shape) == 4 and shape[1:] == (len(self.atoms), 3, 3)
        if not fits or self.second_apt.shape != shape or len(self.atomic_numbers) != shape[1]:
            raise AlignmentError(
                "The tensors of a cross-check do not fit each other.",
                got=f"{shape} and {self.second_apt.shape} for {len(self.atoms)} atoms",
                expected="(frame, atom, 3, 3) twice",
            )

    @property
    def rms(self) -> dict[str, float]:
        """Root-mean-square difference of a component in e, by element and for ``all``."""
        change = np.swapaxes(self.second_apt - self.first_apt, 0, 1)
        return rms_by_element(change, self.atomic_numbers)

    @property
    def largest(self) -> float:
        """Largest difference of a component in e."""
        return float(np.abs(self.second_apt - self.first_apt).max())

    @property
    def slope(self) -> float:
        """Of the components of the second against those of the first route, through zero."""
        return float(np.sum(self.first_apt * self.second_apt) / np.sum(self.first_apt**2))

    @property
    def swapped_rms(self) -> float:
        """Rms difference in e over all if the second had pol and disp the other way round."""
        swapped = np.swapaxes(self.second_apt, -1, -2)
        return float(np.sqrt(np.mean((swapped - self.first_apt) ** 2)))

    def as_dict(self) -> dict[str, Any]:
        """Return everything as JSON types; tensors as [frame][pol][disp] of each atom, in e."""
        return {
            "first": dict(self.first),
            "second": dict(self.second),
            "rms": self.rms,
            "largest": self.largest,
            "slope": self.slope,
            "swapped_rms": self.swapped_rms,
            "atoms": [
                {
                    "atom": int(atom),
                    "element": SYMBOLS[z],
                    "first": self.first_apt[:, k].tolist(),
                    "second": self.second_apt[:, k].tolist(),
                }
                for k, (atom, z) in enumerate(zip(self.atoms, self.atomic_numbers, strict=True))
            ],
        }


def choose_atoms(atomic_numbers: npt.ArrayLike, count: int, seed: int = 0) -> list[int]:
    """Return numbers of atoms drawn at random, from all elements in turn, heavy ones first.

    Raises
    ------
    InputError
        If there are not so many atoms.

    Examples
    --------
    >>> chosen = choose_atoms([8, 1, 1, 8, 1, 1], 2)
    >>> [int(n) for n in np.array([8, 1, 1, 8, 1, 1])[chosen]]
    [8, 1]
    """
    numbers = np.asarray(atomic_numbers)
    if not 1 <= count <= len(numbers):
        raise InputError(
            "So many atoms cannot be chosen.", got=count, expected=f"1 to {len(numbers)}"
        )
    rng = np.random.default_rng(seed)
    queues = [
        rng.permutation(np.flatnonzero(numbers == z)).tolist() for z in np.unique(numbers)[::-1]
    ]
    turns = (queue[k] for k in range(len(numbers)) for queue in queues if k < len(queue))
    return [next(turns) for _ in range(count)]


def displace_atoms(
    frame: Frames,
    apt: npt.ArrayLike,
    atoms: Sequence[int],
    theory: Theory,
    engine: Cp2k,
    work: Path,
    *,
    step: float = DISPLACEMENT,
    start: Path | None = None,
    progress: Callable[[str], None] | None = None,
) -> CrossCheck:
    """Compare finite-field tensors with the change of the Berry-phase dipole of moved atoms.

    Parameters
    ----------
    frame : Frames
        One periodic frame.
    apt : array, shape (atom, pol, disp)
        Of all its atoms by the finite field, in e.
    atoms : sequence of int
        Those to be moved: six self-consistent fields each.
    theory : Theory
        The level of theory of ``apt``.
    engine : Cp2k
    work : Path
        Folder for the raw files; finished runs in it, of the same geometry, are not repeated.
    step : float
        In angstrom, to either side.
    start : Path, optional
        The wavefunction of the frame without field; computed first if there is none.
    progress : callable, optional
        Told what is computed.

    Returns
    -------
    CrossCheck
        First the finite field, second the displacements.

    Raises
    ------
    ConvergenceError
        If a self-consistent field does not converge.
    InputError
        If the frame has no cell, an atom is not in it, or the step is not positive.

    Notes
    -----
    ``P[pol, disp] = (M_pol(R_disp + h) - M_pol(R_disp - h)) / 2h``, the difference brought to the
    branch of the polarization quantum nearest to zero (doi:10.1103/PhysRevB.47.1651). The field
    does not enter: sign, unit, order and the force in the field are all checked.
    """
    if frame.cell is None:
        raise InputError(
            "Atoms are displaced in a periodic cell only.",
            got="an isolated frame",
            do="compare two labellers with 'compare_labellers'",
        )
    wrong = [atom for atom in atoms if not 0 <= atom < frame.n_atoms]
    if wrong or not atoms or not step > 0:
        raise InputError(
            "The atoms or the step of a cross-check are not valid.",
            got=f"atoms {list(atoms)}, step {step} angstrom",
            expected=f"atoms from 0 to {frame.n_atoms - 1}, a positive step",
        )
    tensors = np.asarray(apt, float)
    if tensors.shape != (frame.n_atoms, 3, 3):
        raise AlignmentError(
            "The 'apt' does not fit the frame.", got=tensors.shape, expected=(frame.n_atoms, 3, 3)
        )
    work = Path(work)
    if start is None or not Path(start).exists():
        if progress:
            progress("without displacement")
        _dipole(frame, theory, engine, work / "zero", None)
        start = work / "zero" / "zero-RESTART.wfn"
    moved = np.empty((1, len(atoms), 3, 3))
    for k, atom in enumerate(atoms):
        for disp, axis in enumerate("xyz"):
            dipoles = []
            for sign, end in ((1, "plus"), (-1, "minus")):
                name = f"atom-{atom:04d}-{axis}-{end}"
                if progress:
                    progress(f"atom {atom}, {axis} {end}")
                positions = frame.positions.copy()
                positions[0, atom, disp] += sign * step
                there = frame.replace(positions=positions)
                dipoles.append(_dipole(there, theory, engine, work / name, start))
            change = dipoles[0] - dipoles[1]
            quanta = np.round(np.linalg.solve(frame.cell[0].T, change))
            moved[0, k, :, disp] = (change - quanta @ frame.cell[0]) / (2 * step)
    shared = {"code": engine.version, "theory": theory.as_dict()}
    return CrossCheck(
        {"method": "finite field, central differences of forces", **shared},
        {"method": "displacements, central differences of dipoles", "step": step, **shared},
        np.array(atoms),
        frame.atomic_numbers[list(atoms)],
        tensors[None, list(atoms)],
        moved,
    )


def compare_labellers(frames: Frames, first: DenseLabeller, second: DenseLabeller) -> CrossCheck:
    """Label the same frames twice, for example with two codes, and compare the tensors.

    Parameters
    ----------
    frames : Frames
    first, second : DenseLabeller

    Returns
    -------
    CrossCheck
        Of all atoms.
    """
    tensors = [labeller.label(frames).apt for labeller in (first, second)]
    return CrossCheck(
        {"name": first.name, **first.provenance()},
        {"name": second.name, **second.provenance()},
        np.arange(frames.n_atoms),
        frames.atomic_numbers,
        *tensors,
    )


def _dipole(frame: Frames, theory: Theory, engine: Cp2k, work: Path, start: Path | None) -> Array:
    """Return the Berry-phase dipole in e angstrom, shape (pol,)."""
    work.mkdir(parents=True, exist_ok=True)
    geometry, path = xyz_text(frame.atomic_numbers, frame.positions[0]), work / "start.xyz"
    output = work / "zero.out"
    if path.exists() and path.read_text() != geometry:
        output.unlink(missing_ok=True)
    path.write_text(geometry)
    if start is not None:
        shutil.copyfile(start, work / "start.wfn")
    guess = None if start is None else "start.wfn"
    text = run_once(engine, work, "zero", run_input(frame, theory, "zero", start=guess))
    if start is not None:
        for wavefunction in work.glob("*.wfn*"):
            wavefunction.unlink()
    return read_dipole(text)
