"""`Xtb`: forces, dipoles and atomic polar tensors of isolated systems by GFN2-xTB."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from importlib.metadata import version
from typing import Any

import numpy as np
import numpy.typing as npt

from aptbench.errors import ConvergenceError, InputError, MissingEngineError
from aptbench.frames import Frames
from aptbench.reference.dense import DenseLabels
from aptbench.units import BOHR, HARTREE_EV

Array = npt.NDArray[np.float64]

METHODS = ("GFN2-xTB", "GFN1-xTB")


@dataclass(eq=False)
class Xtb:
    """A tight-binding model of an isolated system, by the library tblite.

    It has the forces that dynamics needs and labels frames as a `DenseLabeller`.

    Parameters
    ----------
    method : {"GFN2-xTB", "GFN1-xTB"}
    accuracy : float
        Factor on the thresholds of self-consistency; 1 is the default of the library.
    field_step : float
        Step of the central difference in atomic units.

    Raises
    ------
    InputError
        If the method is unknown or a number is not positive.
    MissingEngineError
        If tblite is not installed.

    Notes
    -----
    GFN2-xTB: Bannwarth, Ehlert, Grimme, J. Chem. Theory Comput. 15, 1652 (2019),
    doi:10.1021/acs.jctc.8b01176. The tensor is the change of the gradient g in six fields,
    ``P[pol, disp] = -(g_disp(+E_pol) - g_disp(-E_pol)) / 2E``.
    """

    method: str = "GFN2-xTB"
    accuracy: float = 1e-4
    field_step: float = 5e-4
    _system: tuple[bytes, float] | None = field(default=None, init=False, repr=False)
    _calculators: list[Any] = field(default_factory=list, init=False, repr=False)
    _state: Any = field(default=None, init=False, repr=False)

    def __post_init__(self) -> None:
        if self.method not in METHODS:
            raise InputError(
                "The method of Xtb is unknown.", got=self.method, expected=" or ".join(METHODS)
            )
        if not (self.accuracy > 0 and self.field_step > 0):
            raise InputError(
                "The 'accuracy' and the 'field_step' of Xtb must be positive.",
                got=f"{self.accuracy}, {self.field_step}",
            )
        try:
            import tblite.interface  # noqa: F401
        except ImportError:
            raise MissingEngineError(
                "The library tblite is not installed.", do="pip install tblite"
            ) from None

    @property
    def name(self) -> str:
        """Name of the method."""
        return self.method

    def provenance(self) -> dict[str, Any]:
        """Return code, version, method and numerical settings as plain values."""
        return {
            "code": f"tblite {version('tblite')}",
            "method": "finite field, central differences of gradients",
            "functional": self.method,
            "accuracy": self.accuracy,
            "field": self.field_step,
        }

    def forces(self, frames: Frames) -> Array:
        """Return forces in eV/angstrom, shape (frame, atom, xyz)."""
        return np.stack([-state.get("gradient") for state in self._states(frames)]) * (
            HARTREE_EV / BOHR
        )

    def energies(self, frames: Frames) -> Array:
        """Return energies in eV, shape (frame,)."""
        return np.array([float(state.get("energy")) for state in self._states(frames)]) * HARTREE_EV

    def dipoles(self, frames: Frames) -> Array:
        """Return dipoles in e angstrom, shape (frame, pol)."""
        return np.stack([state.get("dipole") for state in self._states(frames)]) * BOHR

    def label(self, frames: Frames) -> DenseLabels:
        """Return tensors and dipoles of all frames.

        Raises
        ------
        ConvergenceError
            If a self-consistent field does not converge.
        InputError
            If the frames have a cell.
        """
        from tblite.interface import Result

        apt = np.empty((len(frames), frames.n_atoms, 3, 3))
        dipole = np.empty((len(frames), 3))
        for k, state in enumerate(self._states(frames)):
            dipole[k] = state.get("dipole") * BOHR
            with _convergence(k):
                gradients = [
                    calculator.singlepoint(Result(state)).get("gradient")
                    for calculator in self._calculators[1:]
                ]
            # (pol, sign, atom, disp), plus before minus
            signed = np.reshape(gradients, (3, 2, frames.n_atoms, 3))
            apt[k] = np.moveaxis(signed[:, 1] - signed[:, 0], 0, 1) / (2 * self.field_step)
        return DenseLabels(apt, dipole)

    def _states(self, frames: Frames) -> Iterator[Any]:
        """Yield the state without field of each frame; all calculators stand on its positions."""
        from tblite.interface import Result

        self._prepare(frames)
        for k, positions in enumerate(frames.positions):
            for calculator in self._calculators:
                calculator.update(positions / BOHR)
            with _convergence(k):
                # The state of the frame before is a good guess along a trajectory.
                start = Result() if self._state is None else self._state
                self._state = self._calculators[0].singlepoint(start)
            yield self._state

    def _prepare(self, frames: Frames) -> None:
        from tblite.interface import Calculator

        if frames.cell is not None:
            raise InputError(
                "Xtb computes isolated systems only.",
                got="frames with a cell",
                do="give frames without cell, or use a code with a periodic field",
            )
        system = (frames.atomic_numbers.tobytes(), frames.total_charge)
        if system == self._system:
            return
        fields = [
            None,
            *(sign * self.field_step * axis for axis in np.eye(3) for sign in (1.0, -1.0)),
        ]
        calculators = []
        for vector in fields:
            calculator = Calculator(
                self.method,
                frames.atomic_numbers,
                frames.positions[0] / BOHR,
                charge=frames.total_charge,
            )
            calculator.set("verbosity", 0)
            calculator.set("accuracy", self.accuracy)
            if vector is not None:
                # The library takes a list, not an array.
                calculator.add("electric-field", vector.tolist())
            calculators.append(calculator)
        self._system, self._calculators, self._state = system, calculators, None


@contextmanager
def _convergence(frame: int) -> Iterator[None]:
    from tblite.exceptions import TBLiteRuntimeError

    try:
        yield
    except TBLiteRuntimeError as error:
        raise ConvergenceError(
            f"The self-consistent field of frame {frame} did not converge.",
            got=error,
            do="look at its geometry; atoms may be too close",
        ) from None
