"""`converge`: how far a label moves when one numerical setting changes, measured on a frame."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from aptbench.data.readers.cp2k import read_forces, read_scf
from aptbench.elements import SYMBOLS
from aptbench.errors import InputError
from aptbench.frames import Frames
from aptbench.reference.engine import Cp2k
from aptbench.reference.inputs import xyz_text
from aptbench.reference.label import keep_if_same, run_input, run_once
from aptbench.reference.theory import Theory

SHIFT = "shift"
"""Name of the variant that moves all atoms; a field with a seam in the cell shows here only."""
FIELD_ONLY = {"field", "eps_scf"}
"""Settings that leave the state without field as it is."""


@dataclass(frozen=True)
class Change:
    """What one changed setting does to the labels of a frame.

    Parameters
    ----------
    setting : dict
        The settings that differ from the level of theory of the data set.
    rms : dict of str to float
        Root-mean-square change per component in e, by element and over all atoms.
    slope : float
        Of the changed against the unchanged components.
    sum_rule_residual : float
        Rms over the components of the acoustic sum, in e.
    scf_iterations : int
        Of the two runs in a field.
    """

    setting: dict[str, Any]
    rms: dict[str, float]
    slope: float
    sum_rule_residual: float
    scf_iterations: int

    def as_dict(self) -> dict[str, Any]:
        """Return the fields as plain values."""
        return asdict(self)


def converge(
    frame: Frames,
    theory: Theory,
    variants: Sequence[Mapping[str, Any]],
    engine: Cp2k,
    work: Path,
    base: Path,
    *,
    pol: str = "x",
    progress: Callable[[str], None] | None = None,
) -> list[Change]:
    """Recompute one third of the tensors of a frame with one setting changed at a time.

    Parameters
    ----------
    frame : Frames
        One periodic frame.
    theory : Theory
        The level of theory to which every change is compared.
    variants : sequence of mappings
        Fields of `Theory` to change, one mapping a variant; or ``shift``, a vector in angstrom by
        which all atoms are moved, which must change nothing but the noise of the grid.
    engine : Cp2k
    work : Path
        Folder for the raw files; finished runs in it are not repeated.
    base : Path
        Folder of the unchanged level: that of the label of this frame, so that its runs and its
        wavefunction serve here too.
    pol : {"x", "y", "z"}
        The field direction that is computed: 3 of the 9 components of every atom.
    progress : callable, optional

    Returns
    -------
    list of Change
        The unchanged level first, with zero change.

    Raises
    ------
    InputError
        If a variant changes nothing that `Theory` knows.
    """
    known = {SHIFT, *theory.as_dict()}
    for variant in variants:
        if not set(variant) <= known:
            raise InputError(
                "A variant changes a setting that does not exist.",
                got=sorted(set(variant) - known),
                expected=f"some of {', '.join(sorted(known))}",
            )
    rows: list[Change] = []
    reference: npt.NDArray[np.float64] | None = None
    for variant in [{}, *map(dict, variants)]:
        name = variant_name(variant)
        if progress:
            progress(name)
        same_basis = not {"basis", "basis_file", "potential", SHIFT} & set(variant)
        settings = {key: value for key, value in variant.items() if key != SHIFT}
        tensor, iterations = _third(
            frame.translated(variant.get(SHIFT, (0.0, 0.0, 0.0))),
            replace(theory, **settings),
            engine,
            work / name if variant else base,
            pol,
            start=base / "zero-RESTART.wfn" if variant and same_basis else None,
            keep_zero=bool(variant) and set(variant) <= FIELD_ONLY,
        )
        reference = tensor if reference is None else reference
        rows.append(
            Change(
                variant,
                rms_by_element(tensor - reference, frame.atomic_numbers),
                float((tensor * reference).sum() / (reference**2).sum()),
                float(np.sqrt(np.mean(tensor.sum(axis=0) ** 2))),
                iterations,
            )
        )
    return rows


def variant_name(variant: Mapping[str, Any]) -> str:
    """Return a short name of a variant.

    >>> variant_name({}), variant_name({"cutoff": 400.0})
    ('base', 'cutoff=400.0')
    """
    return "-".join(f"{key}={value}" for key, value in variant.items()) or "base"


def rms_by_element(
    change: npt.NDArray[np.float64], atomic_numbers: npt.NDArray[np.int64]
) -> dict[str, float]:
    """Return root-mean-square components by element, the heaviest first, and for ``all`` atoms.

    Parameters
    ----------
    change : array, shape (atom, ...)
        In e.
    atomic_numbers : array, shape (atom,)
    """
    square = change**2
    elements = {
        SYMBOLS[z]: float(np.sqrt(square[atomic_numbers == z].mean()))
        for z in sorted(set(atomic_numbers.tolist()), reverse=True)
    }
    return elements | {"all": float(np.sqrt(square.mean()))}


def _third(
    frame: Frames,
    theory: Theory,
    engine: Cp2k,
    work: Path,
    pol: str,
    *,
    start: Path | None,
    keep_zero: bool,
) -> tuple[npt.NDArray[np.float64], int]:
    """Return ``apt[:, pol, :]`` of shape (atom, disp), and iterations."""
    work.mkdir(parents=True, exist_ok=True)
    keep_if_same(work / "start.xyz", xyz_text(frame.atomic_numbers, frame.positions[0]), work)
    if start is not None:
        shutil.copyfile(start, work / ("zero-RESTART.wfn" if keep_zero else "start.wfn"))
    if not keep_zero:
        guess = None if start is None else "start.wfn"
        run_once(engine, work, "zero", run_input(frame, theory, "zero", start=guess))
    forces, iterations = [], 0
    for name in (f"{pol}-plus", f"{pol}-minus"):
        output = run_once(engine, work, name, run_input(frame, theory, name))
        forces.append(read_forces(output))
        iterations += read_scf(output).iterations
    return (forces[0] - forces[1]) / (2 * theory.field), iterations
