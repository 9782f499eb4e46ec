"""Checks of Wannier centres: their number, and the dipole that they give."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import numpy as np

from aptbench.data.plausibility import Finding
from aptbench.data.valence import valence_electrons
from aptbench.errors import InputError
from aptbench.frames import LabelledFrames

FINITE_CELL: Final = 2.0
"""Limit of the dipole of a centre against that of the Berry phase, times the square of the size
of the cell, in e angstrom^3. The two differ in a finite cell: the phase of a determinant is not
the sum of the phases of its diagonal. The shipped liquid has at most 0.7."""


def check_wannier_count(labelled: LabelledFrames, provenance: Mapping[str, Any]) -> Finding:
    """Check that the centres are half as many as the valence electrons.

    Parameters
    ----------
    labelled : LabelledFrames
    provenance : mapping
        That of the labels; its ``potential`` tells the valence electrons of each element.
    """
    name = "wannier_count"
    if labelled.wannier_centers is None:
        return Finding(name, "unknown", "the store has no Wannier centres")
    frames = labelled.frames
    try:
        valence = valence_electrons(frames.atomic_numbers, str(provenance.get("potential", "")))
    except InputError as error:
        return Finding(name, "unknown", error.what)
    electrons = float(valence.sum() - frames.total_charge)
    found = labelled.wannier_centers.shape[1]
    message = f"{found} centres, {electrons:g} valence electrons"
    if 2 * found == electrons:
        return Finding(name, "pass", message)
    return Finding(
        name, "fail", message, "check the total charge, and that all orbitals were localised"
    )


def check_wannier_sum(labelled: LabelledFrames, provenance: Mapping[str, Any]) -> Finding:
    r"""Check that nuclei and centres have the stored dipole, modulo the quantum in a cell.

    Parameters
    ----------
    labelled : LabelledFrames
    provenance : mapping
        As in `check_wannier_count`.

    Notes
    -----
    :math:`M = \sum_i Z_i R_i - 2 \sum_n W_n`. The limit of the largest component is
    ``FINITE_CELL / L^2`` times the root of the number of centres, L the cube root of the volume;
    for an isolated system that of a cell of 10 angstrom. Silvestrelli, Parrinello, Phys. Rev.
    Lett. 82, 3308 (1999), doi:10.1103/PhysRevLett.82.3308.
    """
    name = "wannier_sum"
    if labelled.wannier_centers is None or labelled.dipole is None:
        return Finding(name, "unknown", "the store has no Wannier centres, or no dipoles")
    frames = labelled.frames
    try:
        valence = valence_electrons(frames.atomic_numbers, str(provenance.get("potential", "")))
    except InputError as error:
        return Finding(name, "unknown", error.what)
    nuclei = np.einsum("a,fax->fx", valence.astype(float), frames.positions)
    difference = nuclei - 2 * labelled.wannier_centers.sum(1) - labelled.dipole
    size = np.full(len(frames), 10.0)
    if frames.cell is not None:
        size = np.cbrt(frames.volumes)
        quanta = np.linalg.solve(np.swapaxes(frames.cell, -1, -2), difference[..., None])[..., 0]
        difference = difference - np.einsum("fk,fkx->fx", np.round(quanta), frames.cell)
    largest = np.abs(difference).max(-1)
    limit = FINITE_CELL / size**2 * np.sqrt(labelled.wannier_centers.shape[1])
    worst = int(np.argmax(largest / limit))
    message = f"worst label {worst}: {largest[worst]:.2g} e angstrom, limit {limit[worst]:.2g}"
    beyond = int(np.sum(largest > limit))
    if not beyond:
        return Finding(name, "pass", message)
    return Finding(
        name,
        "fail",
        f"{beyond} of {len(frames)} labels; {message}",
        "a centre is missing or misplaced, or the dipole is of another frame",
    )
