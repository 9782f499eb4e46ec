"""`PyscfField`: atomic polar tensors of molecules by density functional theory with PySCF."""

from __future__ import annotations

from collections.abc import Iterator
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
class PyscfField:
    """Restricted Kohn-Sham labels of isolated closed-shell molecules, a `DenseLabeller`.

    Parameters
    ----------
    functional, basis : str
        Names that PySCF knows.
    grid_level : int
        Of the integration grid of the functional, 0 to 9.
    convergence : float
        Threshold on the energy in Hartree; that on the orbital gradient is its square root
        over ten.
    field_step : float
        Step of the central difference in atomic units.

    Raises
    ------
    InputError
        If a number is not positive.
    MissingEngineError
        If PySCF is not installed.

    Notes
    -----
    A uniform field E adds ``E . r`` to the Hamiltonian of the electrons and ``-Z E . R`` to the
    energy of each nucleus, with r and R from the origin of the positions. To the gradient come
    ``E . <grad i| r |j>`` in the derivative of the core Hamiltonian, because basis functions move
    with their atoms, and ``-Z E``. Then ``P[pol, disp] = -(g_disp(+E_pol) - g_disp(-E_pol)) / 2E``.
    PySCF: doi:10.1063/5.0006074.
    """

    functional: str = "PBE"
    basis: str = "def2-SVP"
    grid_level: int = 3
    convergence: float = 1e-11
    field_step: float = 1e-3

    def __post_init__(self) -> None:
        if not (self.convergence > 0 and self.field_step > 0 and self.grid_level >= 0):
            raise InputError(
                "A setting of PyscfField is not positive.",
                got=f"convergence {self.convergence}, field_step {self.field_step}, "
                f"grid_level {self.grid_level}",
            )
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
            "method": "finite field, central differences of gradients",
            "functional": self.functional,
            "basis": self.basis,
            "grid_level": self.grid_level,
            "eps_scf": self.convergence,
            "field": self.field_step,
        }

    def dipoles(self, frames: Frames) -> Array:
        """Return dipoles in e angstrom, shape (frame, pol)."""
        return np.stack([_dipole(state) for state in self._states(frames)])

    def label(self, frames: Frames) -> DenseLabels:
        """Return tensors, dipoles and the largest orbital gradient of the seven fields.

        Raises
        ------
        ConvergenceError
            If a self-consistent field does not converge.
        InputError
            If the frames have a cell.
        """
        apt = np.empty((len(frames), frames.n_atoms, 3, 3))
        dipole = np.empty((len(frames), 3))
        residual = np.empty(len(frames))
        for k, state in enumerate(self._states(frames)):
            dipole[k] = _dipole(state)
            residual[k] = _residual(state)
            density = np.asarray(state.make_rdm1())
            for pol in range(3):
                gradients = []
                guess = density
                for sign in (1.0, -1.0):
                    vector = np.zeros(3)
                    vector[pol] = sign * self.field_step
                    polarized = self._in_field(state, vector, guess, k)
                    gradients.append(_gradient(polarized, vector))
                    residual[k] = max(residual[k], _residual(polarized))
                    # To first order the density responds oppositely to the opposite field.
                    guess = 2 * density - np.asarray(polarized.make_rdm1())
                apt[k, :, pol] = -(gradients[0] - gradients[1]) / (2 * self.field_step)
        return DenseLabels(apt, dipole, {"scf_residual": residual})

    def _states(self, frames: Frames) -> Iterator[Any]:
        """Yield the converged state without field of each frame."""
        if frames.cell is not None:
            raise InputError(
                "PyscfField computes isolated molecules only.",
                got="frames with a cell",
                do="give frames without cell, or label with CP2K",
            )
        from pyscf import gto

        symbols = [SYMBOLS[z] for z in frames.atomic_numbers]
        density = None
        for k, positions in enumerate(frames.positions):
            molecule = gto.M(
                atom=list(zip(symbols, positions / BOHR, strict=True)),
                unit="Bohr",
                basis=self.basis,
                charge=round(frames.total_charge),
                verbose=0,
            )
            state = self._method(molecule)
            state.kernel(dm0=density)
            _check(state, k)
            # The density matrix of the frame before is a good guess along a trajectory.
            density = np.asarray(state.make_rdm1())
            yield state

    def _method(self, molecule: Any) -> Any:
        from pyscf import dft

        method = dft.RKS(molecule)
        method.xc = self.functional
        method.grids.level = self.grid_level
        method.conv_tol = self.convergence
        method.conv_tol_grad = np.sqrt(self.convergence) / 10
        return method

    def _in_field(self, state: Any, vector: Array, guess: Array, frame: int) -> Any:
        method = self._method(state.mol)
        method.grids, method._eri = state.grids, state._eri
        with state.mol.with_common_origin((0.0, 0.0, 0.0)):
            position = state.mol.intor_symmetric("int1e_r", comp=3)
        core = state.get_hcore() + np.tensordot(vector, position, axes=1)
        method.get_hcore = lambda *_: core
        method.kernel(dm0=guess)
        _check(method, frame)
        return method


def _gradient(state: Any, vector: Array) -> Array:
    """Return the gradient in the field, shape (atom, xyz), in Hartree/bohr."""
    molecule = state.mol
    with molecule.with_common_origin((0.0, 0.0, 0.0)):
        # <i| r_pol d/dx_b |j>, whose indices i and j the derivative of the core exchanges
        moved = molecule.intor("int1e_irp", comp=9).reshape(3, 3, molecule.nao, molecule.nao)
    term = np.tensordot(vector, moved, axes=1).swapaxes(1, 2)
    gradients = state.nuc_grad_method()
    gradients.grid_response = True
    core = gradients.get_hcore
    gradients.get_hcore = lambda *_: core(molecule) - term
    return np.asarray(gradients.kernel()) - molecule.atom_charges()[:, None] * vector


def _dipole(state: Any) -> Array:
    return np.asarray(state.dip_moment(unit="AU", verbose=0)) * BOHR


def _residual(state: Any) -> float:
    gradient = state.get_grad(state.mo_coeff, state.mo_occ, state.get_fock())
    return float(np.abs(gradient).max())


def _check(state: Any, frame: int) -> None:
    if not state.converged:
        raise ConvergenceError(
            f"The self-consistent field of frame {frame} did not converge.",
            got=f"{state.cycles} cycles",
            do="look at its geometry, or loosen 'convergence'",
        )
