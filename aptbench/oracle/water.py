"""`PolarizableWater`: a flexible, polarizable, water-like model with exact tensors (synthetic)."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from aptbench.errors import InputError
from aptbench.frames import Frames, LabelledFrames
from aptbench.molecules import molecule_kinds
from aptbench.oracle.ewald import Multipoles, pairs
from aptbench.units import ELEMENTARY_CHARGE, VACUUM_PERMITTIVITY

Array = npt.NDArray[np.float64]

COULOMB: Final = ELEMENTARY_CHARGE / (4 * np.pi * VACUUM_PERMITTIVITY) * 1e10
"""e^2 / (4 pi eps0) in eV angstrom."""


@dataclass(frozen=True)
class PolarizableWater:
    r"""Fixed charges, charge flux and Thole-damped induced dipoles on flexible molecules.

    A model of water only in kind: it exists because its tensors are exact, not because they are
    those of water. The energy in a uniform field E is

    .. math:: U = U_\mathrm{bonded} + U_\mathrm{LJ} + U_\mathrm{Coulomb}(q(R), \mu)
              + \sum_i \frac{\mu_i^2}{2 \alpha_i} - E \cdot M,
              \quad M = \sum_\mathrm{H} q_\mathrm{H} d_\mathrm{H} + \sum_i \mu_i,

    at its minimum over the induced dipoles; :math:`d_\mathrm{H}` is the vector from oxygen to
    hydrogen, and molecules are neutral. Charges and dipoles are Gaussians (Thole, Chem. Phys. 59,
    341 (1981), doi:10.1016/0301-0104(81)85176-2), summed by Ewald's method in a cell, with a
    conducting surrounding.

    Parameters
    ----------
    charge : float
        Of hydrogen in the reference geometry, e.
    flux_bond, flux_other : float
        Change of the charge of a hydrogen with its own and with the other bond, e/angstrom.
    flux_angle : float
        Change of the charge of a hydrogen with the angle, e/rad.
    alpha_oxygen, alpha_hydrogen : float
        Polarizabilities in angstrom^3.
    bond, angle : float
        Reference geometry in angstrom and rad.
    morse_depth, morse_range : float
        Morse potential of a bond in eV and 1/angstrom.
    angle_constant : float
        In eV/rad^2.
    sigma, epsilon : float
        Lennard-Jones between oxygens in angstrom and eV, switched off at ``cutoff``.
    cutoff : float
        In angstrom.

    Examples
    --------
    >>> water = PolarizableWater()
    >>> molecule = Frames([8, 1, 1], [[0, 0, 0], [0.76, 0, 0.59], [-0.76, 0, 0.59]])
    >>> water.predict(molecule).sum(1).round(9) + 0.0
    array([[[0., 0., 0.],
            [0., 0., 0.],
            [0., 0., 0.]]])
    """

    charge: float = 0.33
    flux_bond: float = 0.15
    flux_other: float = -0.05
    flux_angle: float = -0.05
    alpha_oxygen: float = 0.80
    alpha_hydrogen: float = 0.30
    bond: float = 0.96
    angle: float = 1.824
    morse_depth: float = 4.7
    morse_range: float = 2.37
    angle_constant: float = 4.4
    sigma: float = 3.18
    epsilon: float = 0.0068
    cutoff: float = 8.0

    def predict(self, frames: Frames) -> Array:
        """Return the exact tensors in e, shape (frame, atom, pol, disp).

        The tensor is the derivative of the force by the field. At fixed dipoles the force is
        quadratic in dipoles and field together, so its central difference along the exact linear
        response of the dipoles is the derivative, without an error of the step.
        """
        apt = np.empty((len(frames), frames.n_atoms, 3, 3))
        for n, system in enumerate(self._systems(frames)):
            dipoles = system.induced(np.zeros(3))
            response = system.response()
            for pol, unit in enumerate(np.eye(3)):
                plus = system.electric_force(dipoles + response[:, :, pol], unit)
                minus = system.electric_force(dipoles - response[:, :, pol], -unit)
                apt[n, :, pol] = (plus - minus) / 2
        return apt

    def dipole(self, frames: Frames, field: npt.ArrayLike = (0.0, 0.0, 0.0)) -> Array:
        """Return the dipole in e angstrom, shape (frame, pol), in a field in V/angstrom.

        It is made of molecules, so it does not jump when an atom is moved by a lattice vector.
        """
        strength = np.asarray(field, float)
        return np.array(
            [
                system.permanent_dipole() + system.induced(strength).sum(0)
                for system in self._systems(frames)
            ]
        )

    def energy(self, frames: Frames, field: npt.ArrayLike = (0.0, 0.0, 0.0)) -> Array:
        """Return the energy in eV, shape (frame,), in a field in V/angstrom."""
        strength = np.asarray(field, float)
        return np.array([system.energy_and_force(strength)[0] for system in self._systems(frames)])

    def forces(self, frames: Frames, field: npt.ArrayLike = (0.0, 0.0, 0.0)) -> Array:
        """Return the forces in eV/angstrom, shape (frame, atom, xyz), in a field in V/angstrom."""
        strength = np.asarray(field, float)
        return np.array([system.energy_and_force(strength)[1] for system in self._systems(frames)])

    def label(self, frames: Frames) -> LabelledFrames:
        """Return the frames with exact tensors and dipoles."""
        return LabelledFrames(frames, self.predict(frames), self.dipole(frames))

    def _systems(self, frames: Frames) -> Iterator[_System]:
        atoms = _water_molecules(frames)
        for n in range(len(frames)):
            cell = None if frames.cell is None else frames.cell[n]
            yield _System(self, frames.positions[n], cell, atoms)


class _System:
    """One configuration: geometry, charges and their derivatives, and the solved dipoles."""

    def __init__(
        self,
        model: PolarizableWater,
        positions: Array,
        cell: Array | None,
        atoms: npt.NDArray[np.int64],
    ) -> None:
        self.model, self.positions, self.cell, self.atoms = model, positions, cell, atoms
        self.n = len(positions)
        # vectors (molecule, hydrogen, xyz) from oxygen, lengths and unit vectors
        d = positions[atoms[:, 1:]] - positions[atoms[:, :1]]
        if cell is not None:
            d = d - np.round(d @ np.linalg.inv(cell)) @ cell
        self.d, self.r = d, np.linalg.norm(d, axis=-1)
        u = d / self.r[..., None]
        self.u = u
        cosine = np.clip(np.einsum("mx,mx->m", u[:, 0], u[:, 1]), -1 + 1e-12, 1 - 1e-12)
        self.theta = np.arccos(cosine)
        across = (u[:, ::-1] - cosine[:, None, None] * u) / self.r[..., None]
        self.d_theta = -across / np.sin(self.theta)[:, None, None]
        own, other = self.r - model.bond, self.r[:, ::-1] - model.bond
        bend = (self.theta - model.angle)[:, None]
        charge = model.charge + model.flux_bond * own + model.flux_other * other
        self.hydrogen_charge = charge + model.flux_angle * bend
        self.charges = np.empty(self.n)
        self.charges[atoms[:, 1:]] = self.hydrogen_charge
        self.charges[atoms[:, 0]] = -self.hydrogen_charge.sum(1)
        self.alpha = np.full(self.n, model.alpha_hydrogen)
        self.alpha[atoms[:, 0]] = model.alpha_oxygen
        # the width at which a Gaussian dipole has the energy of its own polarization (Thole)
        widths = (np.sqrt(2 / np.pi) * self.alpha / 3) ** (1 / 3)
        molecule = np.empty(self.n, np.int64)
        molecule[atoms] = np.arange(len(atoms))[:, None]
        self.electric = Multipoles(positions, widths, cell, molecule)
        self._factor: tuple[Array, bool] | None = None

    def _solve(self, right: Array) -> Array:
        """Solve for induced dipoles, from fields in V/angstrom of shape (site, xyz, ...)."""
        from scipy.linalg import cho_factor, cho_solve

        if self._factor is None:
            matrix = self.electric.dipole_matrix()
            matrix[np.diag_indices(3 * self.n)] += np.repeat(1 / self.alpha, 3)
            self._factor = cho_factor(COULOMB * matrix, lower=True)
        columns = right.reshape(3 * self.n, -1)
        return cho_solve(self._factor, columns).reshape(right.shape)

    def induced(self, field: Array) -> Array:
        """Induced dipoles in e angstrom, shape (site, xyz)."""
        still = np.zeros((self.n, 3))
        _, _, permanent, _ = self.electric.derivatives(self.charges, still)
        return self._solve(COULOMB * permanent + field)

    def response(self) -> Array:
        """Derivative of the induced dipoles by the field, shape (site, xyz, pol)."""
        return self._solve(np.tile(np.eye(3), (self.n, 1)).reshape(self.n, 3, 3))

    def permanent_dipole(self) -> Array:
        """Dipole of the charges in e angstrom, shape (pol,)."""
        return np.einsum("mh,mhx->x", self.hydrogen_charge, self.d)

    def electric_force(self, dipoles: Array, field: Array) -> Array:
        """Force of charges, dipoles and field at fixed dipoles, in eV/angstrom, (site, xyz)."""
        _, potential, _, force = self.electric.derivatives(self.charges, dipoles)
        return self._with_charge_flux(potential, force, field)

    def _with_charge_flux(self, potential: Array, force: Array, field: Array) -> Array:
        """Force in eV/angstrom from potential and force of the sites, in e^2/angstrom."""
        potential, force = COULOMB * potential, COULOMB * force
        model, atoms = self.model, self.atoms
        # derivative of the energy by the charge of a hydrogen, its oxygen being the counter charge
        by_charge = potential[atoms[:, 1:]] - potential[atoms[:, :1]] - self.d @ field
        on_bond = -(model.flux_bond * by_charge + model.flux_other * by_charge[:, ::-1])
        on_angle = -model.flux_angle * by_charge.sum(1)
        pull = on_bond[..., None] * self.u + on_angle[:, None, None] * self.d_theta
        return force + self._spread(pull + self.hydrogen_charge[..., None] * field)

    def energy_and_force(self, field: Array) -> tuple[float, Array]:
        """Energy in eV and force in eV/angstrom."""
        dipoles = self.induced(field)
        coulomb, potential, _, on_sites = self.electric.derivatives(self.charges, dipoles)
        polarization = np.sum(dipoles**2 / self.alpha[:, None]) / 2
        energy = COULOMB * (coulomb + polarization)
        energy -= float(field @ (self.permanent_dipole() + dipoles.sum(0)))
        bonded, force_bonded = self._bonded()
        pairwise, force_pairwise = self._lennard_jones()
        force = self._with_charge_flux(potential, on_sites, field) + force_bonded + force_pairwise
        return float(energy + bonded + pairwise), force

    def _bonded(self) -> tuple[float, Array]:
        model = self.model
        decay = np.exp(-model.morse_range * (self.r - model.bond))
        bend = self.theta - model.angle
        energy = model.morse_depth * np.sum((1 - decay) ** 2)
        energy += model.angle_constant / 2 * np.sum(bend**2)
        on_bond = -2 * model.morse_depth * model.morse_range * (1 - decay) * decay
        on_angle = -model.angle_constant * bend
        pull = on_bond[..., None] * self.u + on_angle[:, None, None] * self.d_theta
        return float(energy), self._spread(pull)

    def _lennard_jones(self) -> tuple[float, Array]:
        model, oxygen = self.model, self.atoms[:, 0]
        i, _, vectors = pairs(self.positions[oxygen], self.cell, model.cutoff)
        square = np.einsum("px,px->p", vectors, vectors)
        x = np.minimum(square / model.cutoff**2, 1.0)
        sixth = (model.sigma**2 / square) ** 3
        well, switch = 4 * model.epsilon * (sixth**2 - sixth), (1 - x) ** 3
        # derivative by the square of the distance
        slope = 4 * model.epsilon * (-6 * sixth**2 + 3 * sixth) / square * switch
        slope -= well * 3 * (1 - x) ** 2 / model.cutoff**2 * (square < model.cutoff**2)
        force = np.zeros((self.n, 3))
        np.add.at(force, oxygen[i], -2 * slope[:, None] * vectors)
        return float(np.sum(well * switch)) / 2, force

    def _spread(self, pull: Array) -> Array:
        """Forces (site, xyz) from forces on the vectors to hydrogens (molecule, hydrogen, xyz)."""
        force = np.zeros((self.n, 3))
        force[self.atoms[:, 1:]] = pull
        force[self.atoms[:, 0]] = -pull.sum(1)
        return force


def _water_molecules(frames: Frames) -> npt.NDArray[np.int64]:
    """Return the atoms of each molecule, oxygen first, shape (molecule, 3)."""
    three = np.arange(frames.n_atoms) // 3
    kinds = molecule_kinds(frames, three if frames.molecule is None else frames.molecule)
    if [kind.formula for kind in kinds] != ["H2O"]:
        raise InputError(
            "The polarizable water model knows only water.",
            got=f"{frames.n_atoms} atoms, not all in molecules of one O and two H",
            expected="atoms in the order O H H, or Frames with a 'molecule' for each atom",
        )
    return kinds[0].atoms
