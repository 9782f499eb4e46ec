"""`PyscfDisplacement`: tensors of molecules by PySCF from the dipoles of displaced atoms."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from aptbench.elements import SYMBOLS
from aptbench.errors import ConvergenceError, InputError, MissingEngineError
from aptbench.frames import Frames
from aptbench.reference.dense import DenseLabels
from aptbench.units import BOHR

Array = npt.NDArray[np.float64]


@dataclass(frozen=True)
class PyscfDisplacement:
    """Kohn-Sham labels of isolated closed-shell molecules without any field or gradient.

    A `DenseLabeller` for cross-checks: with a Gaussian basis and pseudopotentials of CP2K it is
    the same level of theory as `Cp2kField`, by another code and another method.

    Parameters
    ----------
    functional, basis : str
        Names that PySCF knows, for example ``GGA_X_RPBE,GGA_C_PBE`` and ``gth-tzv2p``.
    pseudopotential : str, optional
        For example ``gth-pbe``; all electrons if None.
    grid_level : int
        Of the integration grid of the functional, 0 to 9.
    step : float
        Displacement of an atom to either side, in angstrom.

    Raises
    ------
    InputError
        If the step is not positive.
    MissingEngineError
        If PySCF is not installed.

    Notes
    -----
    ``P[pol, disp] = (M_pol(R_disp + h) - M_pol(R_disp - h)) / 2h``: six self-consistent fields an
    atom. PySCF: doi:10.1063/5.0006074.
    """

    functional: str = "GGA_X_RPBE,GGA_C_PBE"
    basis: str = "gth-tzv2p"
    pseudopotential: str | None = "gth-pbe"
    grid_level: int = 4
    step: float = 0.005

    def __post_init__(self) -> None:
        if not self.step > 0:
            raise InputError("The 'step' of PyscfDisplacement is not positive.", got=self.step)
        try:
            import pyscf  # noqa: F401
        except ImportError:
            raise MissingEngineError(
                "The library PySCF is not installed.", do="pip install pyscf"
            ) from None

    @property
    def name(self) -> str:
        """Functional and basis."""
        return f"{self.functional}/{self.basis}"

    def provenance(self) -> dict[str, Any]:
        """Return code, version, method and numerical settings as plain values."""
        import pyscf

        return {
            "code": f"PySCF {pyscf.__version__}",
            "method": "displacements, central differences of dipoles",
            "functional": self.functional,
            "basis": self.basis,
            "potential": self.pseudopotential,
            "grid_level": self.grid_level,
            "step": self.step,
        }

    def label(self, frames: Frames) -> DenseLabels:
        """Return tensors and dipoles of all frames.

        Raises
        ------
        ConvergenceError
            If a self-consistent field does not converge.
        InputError
            If the frames have a cell.
        """
        if frames.cell is not None:
            raise InputError(
                "PyscfDisplacement computes isolated molecules only.", got="frames with a cell"
            )
        apt = np.empty((len(frames), frames.n_atoms, 3, 3))
        dipole = np.empty((len(frames), 3))
        for k, positions in enumerate(frames.positions):
            dipole[k], density = self._dipole(frames, positions, None)
            for atom in range(frames.n_atoms):
                for disp in range(3):
                    ends = []
                    for sign in (1.0, -1.0):
                        moved = positions.copy()
                        moved[atom, disp] += sign * self.step
                        ends.append(self._dipole(frames, moved, density)[0])
                    apt[k, atom, :, disp] = (ends[0] - ends[1]) / (2 * self.step)
        return DenseLabels(apt, dipole)

    def _dipole(self, frames: Frames, positions: Array, guess: Any) -> tuple[Array, Any]:
        from pyscf import dft, gto

        symbols = [SYMBOLS[z] for z in frames.atomic_numbers]
        molecule = gto.M(
            atom=list(zip(symbols, positions / BOHR, strict=True)),
            unit="Bohr",
            basis=self.basis,
            pseudo=self.pseudopotential,
            charge=round(frames.total_charge),
            verbose=0,
        )
        state = dft.RKS(molecule)
        state.xc, state.grids.level, state.conv_tol = self.functional, self.grid_level, 1e-12
        state.kernel(dm0=guess)
        if not state.converged:
            raise ConvergenceError(
                "The self-consistent field of a displaced geometry did not converge.",
                got=f"{state.cycles} cycles",
                do="look at the geometry of the frame",
            )
        return np.asarray(state.dip_moment(unit="AU", verbose=0)) * BOHR, state.make_rdm1()
