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

NEAR = 0.2
"""Largest displacement in angstrom over which a density matrix is a good guess."""
KEPT_MB = 1000
"""Most memory for values of basis functions on the grid."""


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

    The seven states of a frame share the values of the basis functions on the grid and the
    two-electron integrals; the six gradients share the derivatives of those. Nothing is
    approximated by that.
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
            density = np.asarray(state.make_rdm1())
            vectors = np.array([sign * axis for axis in np.eye(3) for sign in (1.0, -1.0)])
            vectors *= self.field_step
            polarized: list[Any] = []
            for vector in vectors:
                guess = density
                if len(polarized) % 2:
                    # To first order the density responds oppositely to the opposite field.
                    guess = 2 * density - np.asarray(polarized[-1].make_rdm1())
                polarized.append(self._in_field(state, vector, guess, k))
            residual[k] = max(one.residual for one in (state, *polarized))
            # (pol, sign, atom, disp), plus before minus
            signed = _gradients(polarized, vectors).reshape(3, 2, frames.n_atoms, 3)
            apt[k] = np.moveaxis(signed[:, 1] - signed[:, 0], 0, 1) / (2 * self.field_step)
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
        last = frames.positions[0]
        for k, positions in enumerate(frames.positions):
            if np.abs(positions - last).max() > NEAR:
                density = None
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
            density, last = np.asarray(state.make_rdm1()), positions
            yield state
            state._numint.kept.clear()

    def _method(self, molecule: Any) -> Any:
        from pyscf import dft

        method = dft.RKS(molecule)
        method.post_kernel = _keep_residual
        method.chkfile = None
        method._numint = _keeping_integrator()
        method.xc = self.functional
        method.grids.level = self.grid_level
        method.conv_tol = self.convergence
        method.conv_tol_grad = np.sqrt(self.convergence) / 10
        return method

    def _in_field(self, state: Any, vector: Array, guess: Array, frame: int) -> Any:
        method = self._method(state.mol)
        method.grids, method._eri, method._numint = state.grids, state._eri, state._numint
        with state.mol.with_common_origin((0.0, 0.0, 0.0)):
            position = state.mol.intor_symmetric("int1e_r", comp=3)
        core = state.get_hcore() + np.tensordot(vector, position, axes=1)
        method.get_hcore = lambda *_: core
        method.kernel(dm0=guess)
        _check(method, frame)
        return method


def _keeping_integrator() -> Any:
    """Return the numerical integrator of one frame: it keeps the values of basis functions."""
    from pyscf.dft import numint

    class KeepingIntegrator(numint.NumInt):
        def __init__(self) -> None:
            super().__init__()
            self.kept: dict[tuple[int, bytes], Array] = {}

        def eval_ao(
            self, mol: Any, coords: Array, deriv: int = 0, out: Any = None, **options: Any
        ) -> Array:
            key = (deriv, coords.tobytes())
            if key not in self.kept:
                size = (deriv + 1) * (deriv + 2) * (deriv + 3) // 6 * len(coords) * mol.nao
                # Memory of its own: 'out' is used again for the next block of the grid.
                buffer = numint._empty_aligned(size)
                values = numint.eval_ao(mol, coords, deriv, out=buffer, **options)
                if sum(array.nbytes for array in self.kept.values()) > 1e6 * KEPT_MB:
                    return values
                self.kept[key] = values
            return self.kept[key]

    return KeepingIntegrator()


def _gradients(states: list[Any], vectors: Array) -> Array:
    """Return gradients in Hartree/bohr, shape (state, atom, xyz), of states in fields."""
    molecule = states[0].mol
    with molecule.with_common_origin((0.0, 0.0, 0.0)):
        # <i| r_pol d/dx_b |j>, whose indices i and j the derivative of the core exchanges
        moved = molecule.intor("int1e_irp", comp=9).reshape(3, 3, molecule.nao, molecule.nao)
    terms = np.tensordot(vectors, moved, axes=1).swapaxes(2, 3)
    solvers = [state.nuc_grad_method() for state in states]
    core = solvers[0].get_hcore(molecule)
    densities = [np.asarray(state.make_rdm1()) for state in states]
    # The derivatives of the two-electron integrals are made once for all densities.
    if states[0]._numint.libxc.is_hybrid_xc(states[0].xc):
        coulomb, exchange = solvers[0].get_jk(molecule, densities)
    else:
        coulomb, exchange = solvers[0].get_j(molecule, densities), None
    result = np.empty((len(states), molecule.natm, 3))
    for k, solver in enumerate(solvers):
        solver.grid_response = True
        solver.get_hcore = lambda *_, k=k: core - terms[k]
        solver.get_j = lambda *_, k=k: coulomb[k]
        solver.get_jk = lambda *_, k=k: (coulomb[k], exchange[k])
        result[k] = solver.kernel()
    return result - molecule.atom_charges()[:, None] * vectors[:, None]


def _dipole(state: Any) -> Array:
    return np.asarray(state.dip_moment(unit="AU", verbose=0)) * BOHR


def _keep_residual(at: dict[str, Any]) -> None:
    """Keep the largest orbital gradient, from the variables of the loop that has converged."""
    gradient = at["mf"].get_grad(at["mo_coeff"], at["mo_occ"], at["fock"])
    at["mf"].residual = float(np.abs(gradient).max())


def _check(state: Any, frame: int) -> None:
    if not state.converged:
        raise ConvergenceError(
            f"The self-consistent field of frame {frame} did not converge.",
            got=f"{state.cycles} cycles",
            do="look at its geometry, or loosen 'convergence'",
        )
