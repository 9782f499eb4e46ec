"""`integrability_residual`: how far the tensors of a model are from derivatives of a dipole."""

from __future__ import annotations

import numpy as np

from aptbench.bonds import nearest_image
from aptbench.errors import InputError
from aptbench.frames import Frames
from aptbench.models.protocol import APTModel, checked_prediction


def integrability_residual(
    model: APTModel, frames: Frames, *, pairs: int = 24, step: float = 1e-2, seed: int = 0
) -> float:
    """Return the antisymmetric part of the mixed second derivatives relative to all of them.

    Parameters
    ----------
    model : APTModel
    frames : Frames
    pairs : int
        Random pairs of atomic coordinates (i, b), (j, c) of each frame: half of two coordinates of
        one atom or of an atom and a near one, where derivatives are large, half of any two.
    step : float
        Displacement in angstrom of the central differences.
    seed : int
        Of the pairs.

    Returns
    -------
    float
        Dimensionless, from 0 (the tensors are derivatives of a dipole) to 1 (d and its transpose
        are opposite). The error of the differences is of second order in the step.

    Raises
    ------
    InputError
        If a number is impossible, or no tensor changes with the positions: there is nothing to
        compare then, as in a model of constant charges.

    Notes
    -----
    With d = dP_i,ab / dR_jc and d' = dP_j,ac / dR_ib, in e/angstrom, it is
    rms((d - d') / 2) / sqrt(mean((d^2 + d'^2) / 2)). Equality of d and d' for all coordinates is
    what makes P the gradient of a polarization.

    Examples
    --------
    >>> class Bond:  # M = |R_1 - R_0|^2 (R_1 - R_0) with an extra part that is no derivative
    ...     def __init__(self, extra):
    ...         self.extra = extra
    ...     def predict(self, frames):
    ...         v = frames.positions[:, 1] - frames.positions[:, 0]
    ...         outer = np.einsum("fa,fb->fab", v, v)
    ...         square = np.trace(outer, axis1=1, axis2=2)[:, None, None] * np.eye(3)
    ...         tensor = square + (2 + self.extra) * outer
    ...         return np.stack([-tensor, tensor], 1)
    >>> frames = Frames([1, 1], [[0, 0, 0], [0.3, 0.5, 0.7]])
    >>> integrability_residual(Bond(0.0), frames) < 1e-9 < integrability_residual(Bond(1.0), frames)
    True
    """
    if pairs < 1 or step <= 0:
        raise InputError(
            "The integrability probe cannot be made.",
            got=f"pairs={pairs}, step={step}",
            expected="at least one pair and a step above zero",
        )
    rng = np.random.default_rng(seed)
    antisymmetric = total = 0.0
    for k in range(len(frames)):
        first, second = _coordinates(frames[k], pairs, rng)
        moved = np.unique(np.concatenate([first, second]))
        slopes = dict(zip(moved.tolist(), _slopes(model, frames[k], moved, step), strict=True))
        for x, y in zip(first.tolist(), second.tolist(), strict=True):
            (i, b), (j, c) = divmod(x, 3), divmod(y, 3)
            one, other = slopes[y][i, :, b], slopes[x][j, :, c]
            antisymmetric += float(np.sum((one - other) ** 2)) / 4
            total += float(np.sum(one**2 + other**2)) / 2
    if total == 0:
        raise InputError(
            "The integrability of the model cannot be measured.",
            got="tensors that do not change with the positions",
            expected="a model whose tensors depend on the environment",
        )
    return float(np.sqrt(antisymmetric / total))


def _coordinates(
    frame: Frames, pairs: int, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    """Return pairs of different coordinates 3 * atom + xyz, the first half near each other."""
    n = 3 * frame.n_atoms
    first = rng.integers(0, n, pairs)
    second = (first + rng.integers(1, n, pairs)) % n
    vectors = frame.positions[0][None] - frame.positions[0][first // 3][:, None]
    vectors = nearest_image(vectors, None if frame.cell is None else frame.cell[0])
    order = np.argsort(np.linalg.norm(vectors, axis=-1), axis=1)
    # an atom itself and its four nearest neighbours
    near = order[np.arange(pairs), rng.integers(0, min(5, frame.n_atoms), pairs)]
    axis = rng.integers(0, 3, pairs)
    axis = np.where((near == first // 3) & (axis == first % 3), (axis + 1) % 3, axis)
    half = np.arange(pairs) < (pairs + 1) // 2
    return first, np.where(half, 3 * near + axis, second)


def _slopes(model: APTModel, frame: Frames, moved: np.ndarray, step: float) -> list[np.ndarray]:
    """Return dP/dR of each moved coordinate in e/angstrom, shape (atom, pol, disp)."""
    result = []
    for coordinate in moved:
        tensors = []
        for sign in (1, -1):
            positions = frame.positions.copy()
            positions[0].reshape(-1)[coordinate] += sign * step
            displaced = frame.replace(positions=positions)
            tensors.append(checked_prediction(model.predict(displaced), displaced)[0])
        result.append((tensors[0] - tensors[1]) / (2 * step))
    return result
