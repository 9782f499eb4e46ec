"""`find_grid_artifacts`: the trace of a real-space grid in reference labels."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from aptbench.elements import SYMBOLS
from aptbench.errors import AlignmentError, InputError
from aptbench.frames import Frames, LabelledFrames

Array = npt.NDArray[np.float64]
SIGNIFICANT: Final = 6.0
"""Least amplitude in standard errors; chance reaches about 3.5 among some hundred periods."""
PERIODS: Final = range(8, 401)
"""Numbers of periods that are looked for: with fewer a wave is as long as a molecule."""
WAVES: Final = 4
"""Largest number of waves for each species."""


@dataclass(frozen=True)
class GridArtifact:
    """A wave in the tensors of a species that follows the grid of the reference method.

    The energy of an atom on a grid of N points along a cell vector has a ripple of that period
    (the egg-box effect), and so have its forces and, in a field, its atomic polar tensor:
    P_aa = ... + A cos(2 pi N f_a), f_a the fractional coordinate along cell vector a. It depends
    on where the axes have their origin, which no physical tensor does.

    Parameters
    ----------
    atomic_number : int
    points : int
        N, the number of periods along each cell vector.
    amplitude : float
        A in e.
    standard_error : float
        Of the amplitude, in e.
    """

    atomic_number: int
    points: int
    amplitude: float
    standard_error: float

    def __str__(self) -> str:
        return (
            f"{SYMBOLS[self.atomic_number]}: {self.amplitude:+.4f} e "
            f"(standard error {self.standard_error:.4f}), {self.points} periods a cell vector"
        )

    def wave(self, frames: Frames) -> Array:
        """Return what the artefact adds to the tensors, shape (frame, atom, pol, disp), in e."""
        atoms = frames.atomic_numbers == self.atomic_number
        result = np.zeros((len(frames), frames.n_atoms, 3, 3))
        diagonal = self.amplitude * np.cos(2 * np.pi * self.points * _fractional(frames)[:, atoms])
        result[:, atoms] = diagonal[..., None] * np.eye(3)
        return result


def find_grid_artifacts(frames: Frames, residual: npt.ArrayLike) -> tuple[GridArtifact, ...]:
    """Look for grid artefacts in what a covariant model leaves of the labels.

    Parameters
    ----------
    frames : Frames
        With an orthorhombic cell along the axes.
    residual : array, shape (frame, atom, pol, disp)
        Labels minus the tensors of a model that is covariant and has not seen these labels, in e.
        The better the model, the smaller the waves that can be seen.

    Returns
    -------
    tuple of GridArtifact
        Those of more than `SIGNIFICANT` standard errors, up to `WAVES` for each species, the
        largest first. Empty for clean labels.

    Raises
    ------
    InputError
        If the cell is missing or not orthorhombic.
    AlignmentError
        If the residual does not fit the frames.

    Notes
    -----
    The amplitude is the least-squares one, 2 <P_aa cos(2 pi N f_a)> over atoms, frames and a.
    """
    remaining = np.array(residual, float)
    if remaining.shape != (len(frames), frames.n_atoms, 3, 3):
        raise AlignmentError(
            "The residual does not fit the frames.",
            got=remaining.shape,
            expected=(len(frames), frames.n_atoms, 3, 3),
        )
    fractional = _fractional(frames)
    found = []
    for z in np.unique(frames.atomic_numbers):
        atoms = frames.atomic_numbers == z
        angle = 2 * np.pi * fractional[:, atoms].ravel()
        values = np.einsum("...aa->...a", remaining[:, atoms]).ravel()
        values = values - values.mean()
        for _ in range(WAVES):
            amplitudes = np.array([2 * np.mean(values * np.cos(n * angle)) for n in PERIODS])
            k = int(np.abs(amplitudes).argmax())
            error = float(np.sqrt(2 * values.var() / len(values)))
            if abs(amplitudes[k]) <= SIGNIFICANT * error:
                break
            found.append(GridArtifact(int(z), int(PERIODS[k]), float(amplitudes[k]), error))
            values = values - amplitudes[k] * np.cos(PERIODS[k] * angle)
    return tuple(found)


def without_grid_artifacts(
    labels: LabelledFrames, artifacts: Sequence[GridArtifact]
) -> LabelledFrames:
    """Return labels with the waves taken out; everything else stays as it is."""
    apt = labels.apt.copy()
    for artifact in artifacts:
        apt -= artifact.wave(labels.frames)
    return LabelledFrames(labels.frames, apt, labels.dipole, labels.wannier_centers)


def _fractional(frames: Frames) -> Array:
    if frames.cell is None:
        raise InputError("An isolated system has no grid that repeats.", do="give Frames a 'cell'")
    sides = np.einsum("faa->fa", frames.cell)
    if not np.allclose(frames.cell, sides[:, :, None] * np.eye(3), atol=1e-6):
        raise InputError(
            "Grid artefacts are looked for in orthorhombic cells only.",
            expected="cell vectors along x, y and z",
        )
    return frames.positions / sides[:, None]
