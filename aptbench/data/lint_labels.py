"""Checks of labels against exact rules and against each other, frame by frame."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from aptbench.data.plausibility import Finding
from aptbench.data.system import sum_rule_residual
from aptbench.elements import SYMBOLS
from aptbench.frames import LabelledFrames

Array = npt.NDArray[np.float64]

ATOM_ERROR: Final = 0.005
"""Error of a tensor component in e up to which labels are sound: one percent of the charge of a
hydrogen in water, 4 % of the spread of its tensors, and above all that a finer grid or a larger
basis changes in the shipped sets. Errors of atoms add up as the root of their number."""
CURVATURE: Final = 2.0
"""Second derivative of a tensor in e/angstrom^2 that the limit of the line integral assumes; 99 %
of the steps of the densely labelled molecules show less."""
LONGEST_STEP: Final = 4.0
"""Longest time between two labels in fs for the line integral. In the densely labelled molecules
its third-order error is 0.2 % of the change of the dipole at 2 fs, 0.2 to 0.6 % at 4 fs, and 1 to
1.6 % at 8 fs; transposed tensors leave 3 to 35 %."""
LINE_ERROR: Final = 0.02
"""Largest part of the change of the dipole, root mean square, that the tensors may not explain."""
FORCE_ERROR: Final = 0.01
"""Net force in hartree/bohr, for one atom; the shipped liquid has less than 0.003."""
OUTLIER: Final = 15.0
"""Robust standard deviations beyond which a tensor is looked at; the strongest hydrogen bonds of
clusters of water reach 13."""


def check_acoustic_sum(labelled: LabelledFrames) -> Finding:
    r"""Check the acoustic sum rule, :math:`\sum_i P_i = Q`, in every frame.

    Notes
    -----
    The limit is ``ATOM_ERROR`` times the root of the number of atoms: independent errors of the
    atoms add up so. Rms over the nine components.
    """
    residual = sum_rule_residual(labelled.apt, labelled.frames.total_charge)
    limit = np.full(len(residual), ATOM_ERROR * np.sqrt(labelled.frames.n_atoms))
    advice = "look for missing atoms, a wrong total charge, or a field run that did not converge"
    return _within("acoustic_sum", residual, limit, "e", advice)


def check_rotational_sum(labelled: LabelledFrames) -> Finding:
    r"""Check the rotational sum rule of an isolated system in every frame.

    Notes
    -----
    :math:`\sum_i P_i (\hat\omega \times R_i) = \hat\omega \times M`, positions and dipole from the
    mean position. Independent errors ``ATOM_ERROR`` of the tensors add up to
    ``ATOM_ERROR sqrt(2/3 sum_i R_i^2)``, which is the limit. Rms over the nine components.
    """
    from aptbench.metrics import rotational_sum_rule_residual

    frames = labelled.frames
    if frames.periodic:
        return Finding("rotational_sum", "unknown", "holds for isolated systems only")
    if frames.n_atoms < 2:
        return Finding("rotational_sum", "unknown", "one atom cannot be turned")
    center = frames.positions.mean(1, keepdims=True)
    places = frames.positions - center
    dipole = labelled.dipole
    if dipole is not None:
        dipole = dipole - frames.total_charge * center[:, 0]
    residual = rotational_sum_rule_residual(labelled.apt, places, dipole)
    rms = np.sqrt(np.mean(residual**2, axis=(-2, -1)))
    limit = ATOM_ERROR * np.sqrt(2 / 3 * np.sum(places**2, axis=(1, 2)))
    advice = "check the index order, the origin of the dipole, and the geometry of the labels"
    return _within("rotational_sum", rms, limit, "e angstrom", advice)


def check_line_integral(labelled: LabelledFrames, times: npt.ArrayLike | None) -> Finding:
    r"""Check the tensors against the stored dipoles, for all neighbouring labels.

    Parameters
    ----------
    labelled : LabelledFrames
        In the order of time.
    times : array, shape (frame,), or None
        Of the labelled frames, in fs; None for frames that are no trajectory.

    Notes
    -----
    :math:`\Delta M = \sum_i \tfrac12 (P_i + P_i') \Delta R_i`, modulo the quantum in a cell, for
    labels at most ``LONGEST_STEP`` apart. The trapezoidal rule leaves
    :math:`\tfrac1{12} P'' \Delta R^3` for each atom and errors of the tensors leave their size
    times the path, so the limit of a step is ``ATOM_ERROR`` times the length of the path of all
    atoms, and ``CURVATURE / 12`` times the sum of its cubes. Over all steps, the unexplained part
    may be at most ``LINE_ERROR`` of the change of the dipole.
    """
    from aptbench.metrics import line_integral_residual

    name = "line_integral"
    dipole = labelled.dipole
    if times is None or dipole is None or len(labelled) < 2:
        missing = "times" if times is None else "dipoles" if dipole is None else "pairs"
        return Finding(name, "unknown", f"0 of {len(labelled)} labels: there are no {missing}")
    near = np.diff(np.asarray(times, float)) <= LONGEST_STEP + 1e-6
    covered = int(np.sum(np.append(near, False) | np.append(False, near)))
    coverage = f"{covered} of {len(labelled)} labels, in {int(near.sum())} steps"
    if not covered:
        return Finding(name, "unknown", f"{coverage}: none within {LONGEST_STEP:g} fs of another")

    def unexplained(apt: Array) -> Array:
        return line_integral_residual(labelled.frames, apt, dipole)[near]

    steps = np.diff(labelled.frames.positions, axis=0)[near]
    residual = unexplained(labelled.apt)
    swapped = unexplained(np.swapaxes(labelled.apt, -1, -2))
    middle = (labelled.apt[1:] + labelled.apt[:-1])[near] / 2
    change = _rms(np.einsum("fapd,fad->fp", middle, steps))
    rms = np.sqrt(np.mean(residual**2, axis=-1))
    cubes = np.sum(np.linalg.norm(steps, axis=-1) ** 3, axis=-1)
    limit = ATOM_ERROR * np.sqrt(np.sum(steps**2, axis=(1, 2))) + CURVATURE / 12 * cubes
    share = _rms(residual) / change if change > 0 else 0.0
    message = (
        f"{coverage}: unexplained {100 * share:.2f} % of the change of the dipole "
        f"({100 * _rms(swapped) / change if change > 0 else 0.0:.2f} % with pol and disp swapped), "
        f"largest {rms.max():.2g} e angstrom"
    )
    beyond = rms > limit
    if not beyond.any() and share <= LINE_ERROR:
        return Finding(name, "pass", message)
    if beyond.any():
        worst = int(np.argmax(rms / limit))
        label = int(np.flatnonzero(near)[worst])
        message += (
            f"; {int(beyond.sum())} steps beyond their limit, worst from label {label} to "
            f"{label + 1}: {rms[worst]:.2g} e angstrom, limit {limit[worst]:.2g}"
        )
    advice = "check unit, sign and index order, and whether a label stands on another frame"
    return Finding(name, "fail", message, advice)


def check_outliers(labelled: LabelledFrames) -> Finding:
    """Look for tensors far from the others of their place in the same kind of molecule.

    Notes
    -----
    Three invariants of each tensor (isotropic part, norms of the antisymmetric and of the
    symmetric traceless part) against median and median absolute deviation of all frames and all
    molecules of the kind. An outlier may be true chemistry, so it is a warning.
    """
    from aptbench.molecules import molecule_kinds

    apt = labelled.apt
    isotropic = np.trace(apt, axis1=-2, axis2=-1) / 3
    odd = (apt - np.swapaxes(apt, -1, -2)) / 2
    even = apt - odd - isotropic[..., None, None] * np.eye(3)
    invariants = (
        isotropic,
        np.linalg.norm(odd, axis=(-2, -1)),
        np.linalg.norm(even, axis=(-2, -1)),
    )
    score = np.zeros(apt.shape[:2])
    for kind in molecule_kinds(labelled.frames):
        for atoms in kind.atoms.T:
            if len(labelled) * len(atoms) < 20:
                continue
            for values in invariants:
                away = np.abs(values[:, atoms] - np.median(values[:, atoms]))
                # a place without spread has no outliers beyond the error of a label
                scale = max(1.4826 * float(np.median(away)), ATOM_ERROR / OUTLIER)
                score[:, atoms] = np.maximum(score[:, atoms], away / scale)
    frame, atom = np.unravel_index(int(score.argmax()), score.shape)
    symbol = SYMBOLS[labelled.frames.atomic_numbers[atom]]
    message = (
        f"{int((score > OUTLIER).sum())} of {score.size} tensors; the farthest, {symbol} "
        f"{atom} of label {frame}, {score.max():.1f} robust standard deviations from its like"
    )
    advice = "look at these configurations; a label is wrong, or the chemistry is rare"
    beyond = score.max() > OUTLIER
    return Finding("outliers", "unknown" if beyond else "pass", message, advice if beyond else None)


def check_repeated_labels(labelled: LabelledFrames) -> Finding:
    """Check that no two frames have the same tensors, as after a copy from a wrong place."""
    flat = np.ascontiguousarray(labelled.apt.reshape(len(labelled), -1))
    repeated = len(flat) - len(np.unique(flat.view(f"V{flat.strides[0]}")))
    message = f"{repeated} of {len(flat)} labels have the tensors of another"
    advice = "label these frames again" if repeated else None
    return Finding("repeated_labels", "fail" if repeated else "pass", message, advice)


def check_scf(quality: Mapping[str, Array], provenance: Mapping[str, Any]) -> Finding:
    """Check the residual of the self-consistent field against the threshold of the provenance.

    Parameters
    ----------
    quality : mapping of name to array (label,)
    provenance : mapping
        That of the labels. ``eps_scf`` of CP2K is the threshold itself; that of PySCF is of the
        energy, and the gradient's is its root over ten (see `aptbench.reference.pyscf_field`).
    """
    threshold = provenance.get("eps_scf")
    if "scf_residual" not in quality or not isinstance(threshold, int | float):
        return Finding("scf", "unknown", "the store has no residual, or no threshold, of the SCF")
    limit = float(threshold)
    if str(provenance.get("code", "")).startswith("PySCF"):
        # PySCF accepts three times its threshold after the last step.
        limit = 3 * float(np.sqrt(limit)) / 10
    residual = np.asarray(quality["scf_residual"], float)
    return _within(
        "scf",
        residual,
        # outputs have two digits
        np.full(len(residual), 1.02 * limit),
        "(of the SCF)",
        "label these frames again: their SCF did not converge",
    )


def check_net_force(quality: Mapping[str, Array], n_atoms: int) -> Finding:
    """Check the net force without field, a measure of grid and basis errors, in hartree/bohr.

    Notes
    -----
    The limit is ``FORCE_ERROR`` times the root of the number of atoms. Rms over the components.
    """
    if "net_force" not in quality:
        return Finding("net_force", "unknown", "the store has no net force")
    force = np.asarray(quality["net_force"], float)
    limit = np.full(len(force), FORCE_ERROR * np.sqrt(n_atoms))
    advice = "look for missing atoms, or a grid that is too coarse"
    return _within("net_force", force, limit, "hartree/bohr", advice)


def _within(name: str, values: Array, limits: Array, unit: str, advice: str) -> Finding:
    """Compare one number a label with its limit."""
    worst = int(np.argmax(values / limits))
    message = f"worst label {worst}: {values[worst]:.2g} {unit}, limit {limits[worst]:.2g}"
    beyond = int(np.sum(~(values <= limits)))
    if not beyond:
        return Finding(name, "pass", message)
    return Finding(name, "fail", f"{beyond} of {len(values)} labels; {message}", advice)


def _rms(values: Array) -> float:
    return float(np.sqrt(np.mean(values**2)))
