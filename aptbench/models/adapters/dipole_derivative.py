"""`DipoleDerivative`: tensors from any dipole, by central differences."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from aptbench.errors import InputError
from aptbench.frames import Frames
from aptbench.models.adapters.ase_calculator import calculated, is_calculator
from aptbench.models.adapters.atoms import to_atoms
from aptbench.models.adapters.named_object import named_object
from aptbench.models.protocol import Array
from aptbench.units import factor

STENCILS = {2: ((1, 1 / 2),), 4: ((1, 2 / 3), (2, -1 / 12))}
"""Number of points: multiples of the step, and weights of the differences plus minus minus."""


class DipoleDerivative:
    r"""Differentiate a dipole: P = dM / dR.

    Parameters
    ----------
    source : callable, object with a method ``dipole``, ASE calculator, or str
        A function or method ``frames -> array (frame, pol)``, a calculator with the property
        ``dipole``, or ``module:object``, the name of one of these or of a class that makes it.
    arguments : mapping, optional
        Keyword arguments, if the name is that of a class or of a function that makes the source.
    unit : {"e angstrom", "debye", "e bohr"}
        Of the dipole. ASE demands e angstrom, MACE dipole models are trained in debye.
    step : float
        Displacement in angstrom.
    points : {2, 4}
        Displacements along each coordinate.
    batch : int
        Largest number of displaced copies that are given to the source at a time.

    Raises
    ------
    InputError
        If the source gives no dipole, or a number is out of range.

    Notes
    -----
    With two points

    .. math:: P_{pd} = \frac{M_p(R_d + h) - M_p(R_d - h)}{2h} + \frac{h^2}{6} M''' + \frac{\eta}{h},

    where :math:`\eta` is the noise of the dipole; with four points the truncation is
    :math:`h^4 M^{(5)} / 30`. Halve the step: an error that falls by 4 (or 16) is truncation, one
    that doubles is noise. A frame costs ``points * 3 * atoms`` dipoles.

    The dipole of a periodic cell is defined modulo e times a lattice vector. The change by a small
    displacement is far below half of it, so every difference is brought to the nearest branch; no
    error of a branch is possible before ``step * P`` reaches a quarter of a lattice vector times e.

    Examples
    --------
    >>> from aptbench.oracle import PolarizableWater
    >>> water = PolarizableWater()
    >>> frame = Frames([8, 1, 1], [[0, 0, 0], [0.76, 0, 0.59], [-0.8, 0, 0.5]])
    >>> error = DipoleDerivative(water).predict(frame) - water.predict(frame)
    >>> bool(1e-8 < abs(error).max() < 1e-4)
    True
    """

    def __init__(
        self,
        source: Callable[[Frames], Any] | Any | str,
        *,
        arguments: Mapping[str, Any] | None = None,
        unit: str = "e angstrom",
        step: float = 0.01,
        points: int = 2,
        batch: int = 256,
        folder: Path | None = None,
    ) -> None:
        self.name = "dipole-derivative"
        if points not in STENCILS:
            raise InputError(
                "The number of 'points' of DipoleDerivative is unknown.",
                got=points,
                expected=" or ".join(map(str, STENCILS)),
            )
        if not (0 < step < 0.5 and batch >= 1):
            raise InputError(
                "The 'step' or the 'batch' of DipoleDerivative is out of range.",
                got=f"step={step}, batch={batch}",
                expected="0 < step < 0.5 angstrom, batch >= 1",
            )
        self.step, self.points, self.batch = float(step), points, int(batch)
        self.factor = factor("dipole", unit)
        if isinstance(source, str):
            source = named_object(source, arguments, folder)
        self._dipole = _dipole_function(source)

    @classmethod
    def from_folder(cls, folder: Path, **parameters: Any) -> DipoleDerivative:
        """Make the model of a folder; ``{folder}`` in the arguments is its path."""
        return cls(**parameters, folder=folder)

    def dipole(self, frames: Frames) -> Array:
        """Return the dipole of the source in e angstrom, shape (frame, pol)."""
        moments = np.asarray(self._dipole(frames), float)
        if moments.shape != (len(frames), 3) or not np.isfinite(moments).all():
            raise InputError(
                "The source did not give a dipole for each frame.",
                got=f"shape {moments.shape}" + ("" if np.isfinite(moments).all() else ", NaN"),
                expected=f"finite numbers (frame, pol) = {(len(frames), 3)}",
            )
        return moments * self.factor

    def predict(self, frames: Frames) -> Array:
        """Return tensors in e, shape (frame, atom, pol, disp), by displacing every atom."""
        apt = np.zeros((len(frames), frames.n_atoms, 3, 3))
        coordinates = 3 * frames.n_atoms
        for k in range(len(frames)):
            frame = frames[k].replace(velocities=None)
            derivative = np.zeros((coordinates, 3))  # (atom and disp, pol)
            for multiple, weight in STENCILS[self.points]:
                change = self._change(frame, multiple * self.step)
                derivative += weight * change / self.step
            apt[k] = np.swapaxes(derivative.reshape(-1, 3, 3), -1, -2)
        return apt

    def _change(self, frame: Frames, step: float) -> Array:
        """Return M(+step) - M(-step) for each coordinate of one frame, (atom and disp, pol)."""
        coordinates = 3 * frame.n_atoms
        moments = np.empty((2 * coordinates, 3))
        for start in range(0, len(moments), self.batch):
            copies = np.arange(start, min(start + self.batch, len(moments)))
            shift = np.zeros((len(copies), coordinates))
            shift[np.arange(len(copies)), copies // 2] = np.where(copies % 2, -step, step)
            displaced = frame.replace(
                positions=frame.positions + shift.reshape(len(copies), -1, 3),
                cell=None if frame.cell is None else frame.cell[0],
            )
            moments[copies] = self.dipole(displaced)
        change = moments[0::2] - moments[1::2]
        if frame.cell is not None:
            change -= np.round(change @ np.linalg.inv(frame.cell[0])) @ frame.cell[0]
        return change


def _dipole_function(source: Any) -> Callable[[Frames], Any]:
    if callable(getattr(source, "dipole", None)):
        return source.dipole
    if is_calculator(source):

        def of_calculator(frames: Frames) -> Array:
            atoms = [to_atoms(frames, k) for k in range(len(frames))]
            return np.array([calculated(source, "dipole", image) for image in atoms])

        return of_calculator
    if callable(source) and not isinstance(source, type):
        return source
    raise InputError(
        "This object gives no dipole.",
        got=type(source).__name__,
        expected="a function of Frames, an object with a method 'dipole', or an ASE calculator",
    )
