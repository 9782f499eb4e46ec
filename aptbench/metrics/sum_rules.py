"""Exact sum rules of atomic polar tensors: residuals, and the declared correction."""

from __future__ import annotations

from typing import Final

import numpy as np
import numpy.typing as npt

from aptbench.errors import AlignmentError, InputError, UnknownNameError
from aptbench.frames import Frames

Array = npt.NDArray[np.float64]

CORRECTIONS: Final = ("none", "mean", "weighted")
"""Names of the post-processing that can be declared for labels and models."""

_LEVI_CIVITA: Final = np.cross(np.eye(3)[:, None], np.eye(3)[None])


def acoustic_sum_rule_residual(apt: npt.ArrayLike, total_charge: float = 0.0) -> Array:
    r"""Return what is left of the acoustic sum rule.

    Parameters
    ----------
    apt : array, shape (..., atom, pol, disp)
        In e.
    total_charge : float
        Net charge of the system (of the cell) in e.

    Returns
    -------
    array, shape (..., pol, disp)
        :math:`\sum_i P_i - Q \mathbb 1` in e; zero for exact tensors.

    Notes
    -----
    Moving all atoms together moves the charge: Pick, Cohen, Martin, Phys. Rev. B 1, 910 (1970),
    doi:10.1103/PhysRevB.1.910.

    Examples
    --------
    >>> ions = np.array([1.0, -0.9])[:, None, None] * np.eye(3)
    >>> acoustic_sum_rule_residual(ions)[0, 0].round(12)
    np.float64(0.1)
    """
    return np.sum(_tensors(apt), axis=-3) - total_charge * np.eye(3)


def correct_acoustic_sum_rule(apt: npt.ArrayLike, method: str, total_charge: float = 0.0) -> Array:
    r"""Take the acoustic sum rule residual away from the atoms: a declared post-processing.

    Parameters
    ----------
    apt : array, shape (..., atom, pol, disp)
        In e.
    method : {"none", "mean", "weighted"}
        ``mean``: the same share from every atom. ``weighted``: a share proportional to the
        Frobenius norm of the tensor of the atom, so that an atom without charge stays so. Both
        are covariant under rotations.
    total_charge : float
        In e.

    Returns
    -------
    array, shape (..., atom, pol, disp)

    Raises
    ------
    UnknownNameError
        If the method is not one of the three.

    Examples
    --------
    >>> ions = np.array([1.0, -0.9, 0.0])[:, None, None] * np.eye(3)
    >>> fixed = correct_acoustic_sum_rule(ions, "weighted")
    >>> bool(abs(acoustic_sum_rule_residual(fixed)).max() < 1e-12), float(fixed[2, 0, 0])
    (True, 0.0)
    """
    tensors = _tensors(apt)
    if method not in CORRECTIONS:
        raise UnknownNameError("sum rule correction", method, CORRECTIONS)
    if method == "none":
        return tensors.copy()
    share = np.ones(tensors.shape[:-2])
    if method == "weighted":
        size = np.sqrt(np.einsum("...pd,...pd->...", tensors, tensors))
        # tensors that are all zero have no weights: then every atom takes the same share
        share = np.where(size.sum(-1, keepdims=True) > 0, size, share)
    share = share / share.sum(-1, keepdims=True)
    residual = acoustic_sum_rule_residual(tensors, total_charge)
    return tensors - share[..., None, None] * residual[..., None, :, :]


def rotational_sum_rule_residual(
    apt: npt.ArrayLike, positions: npt.ArrayLike, dipole: npt.ArrayLike | None = None
) -> Array:
    r"""Return what is left of the rotational sum rule of an isolated system.

    Parameters
    ----------
    apt : array, shape (..., atom, pol, disp)
        In e.
    positions : array, shape (..., atom, xyz)
        In angstrom.
    dipole : array, shape (..., pol), optional
        In e angstrom, measured from the origin of the positions. If it is not given, the dipole
        is taken from the tensors themselves (the one that leaves the smallest residual), and only
        the other six of the nine conditions are tested.

    Returns
    -------
    array, shape (..., pol, axis)
        :math:`\sum_i P_i (\hat\omega \times R_i) - \hat\omega \times M` in e angstrom, for unit
        vectors :math:`\hat\omega` along x, y, z; zero for exact tensors.

    Notes
    -----
    Turning all atoms together turns the dipole: Person, Newton, J. Chem. Phys. 61, 1040 (1974),
    doi:10.1063/1.1681972. Without it the check needs no dipole, because
    :math:`\hat\omega \times M` is antisymmetric in (pol, axis).

    Examples
    --------
    >>> charges, positions = np.array([0.4, -0.4]), np.array([[0, 0, 1.0], [0, 0, 0]])
    >>> apt = charges[:, None, None] * np.eye(3)
    >>> float(abs(rotational_sum_rule_residual(apt, positions, [0, 0, 0.4])).max())
    0.0
    """
    tensors, places = _tensors(apt), np.asarray(positions, float)
    if places.shape != tensors.shape[:-1]:
        raise AlignmentError(
            "The 'positions' do not fit the 'apt'.", got=places.shape, expected=tensors.shape[:-1]
        )
    turned = np.einsum("...apb,bkc,...ac->...pk", tensors, _LEVI_CIVITA, places)
    if dipole is None:
        return (turned + np.swapaxes(turned, -1, -2)) / 2
    return turned - np.einsum("pkc,...c->...pk", _LEVI_CIVITA, np.asarray(dipole, float))


def line_integral_residual(frames: Frames, apt: npt.ArrayLike, dipole: npt.ArrayLike) -> Array:
    r"""Return, for each step of a trajectory, the change of the dipole that tensors do not explain.

    Parameters
    ----------
    frames : Frames
        Neighbouring frames; unwrapped positions.
    apt : array, shape (frame, atom, pol, disp)
        In e.
    dipole : array, shape (frame, pol)
        In e angstrom, modulo the polarization quantum for a periodic system.

    Returns
    -------
    array, shape (frame - 1, pol)
        :math:`\Delta M - \sum_i \tfrac12 (P_i(t) + P_i(t + \Delta)) \Delta R_i` in e angstrom,
        brought to the nearest branch for a periodic system. It is of third order in the step for
        exact tensors, so halving the step divides it by eight.

    Raises
    ------
    InputError
        If there are fewer than two frames or a shape does not fit.

    Notes
    -----
    King-Smith, Vanderbilt, Phys. Rev. B 47, 1651 (1993), doi:10.1103/PhysRevB.47.1651.
    """
    tensors, moments = _tensors(apt), np.asarray(dipole, float)
    if tensors.shape[:2] != (len(frames), frames.n_atoms) or moments.shape != (len(frames), 3):
        raise AlignmentError(
            "The 'apt' or the 'dipole' does not fit the frames.",
            got=f"apt {tensors.shape}, dipole {moments.shape}",
            expected=f"apt {(len(frames), frames.n_atoms, 3, 3)}, dipole {(len(frames), 3)}",
        )
    if len(frames) < 2:
        raise InputError("A line integral needs a path.", got="1 frame", expected="2 or more")
    middle = (tensors[1:] + tensors[:-1]) / 2
    explained = np.einsum("fapd,fad->fp", middle, np.diff(frames.positions, axis=0))
    residual = np.diff(moments, axis=0) - explained
    if frames.cell is None:
        return residual
    quanta = np.linalg.solve(np.swapaxes(frames.cell[1:], -1, -2), residual[..., None])[..., 0]
    return residual - np.einsum("fk,fkx->fx", np.round(quanta), frames.cell[1:])


def _tensors(apt: npt.ArrayLike) -> Array:
    array = np.asarray(apt, float)
    if array.ndim < 3 or array.shape[-2:] != (3, 3):
        raise InputError(
            "The 'apt' is not an array of atomic tensors.",
            got=array.shape,
            expected="(..., atom, pol, disp)",
        )
    return array
