"""`Multipoles`: smeared charges and dipoles, open or periodic, with exact derivatives.

A pair of sites interacts through ``erf(a r) / r``, the potential of two Gaussians. This is Thole's
damping with a Gaussian density; and since Ewald's splitting is the same function, with kappa for
a, the periodic sum needs no case of its own.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final

import numpy as np
import numpy.typing as npt

from aptbench.errors import InputError

Array = npt.NDArray[np.float64]

KAPPA: Final = 0.55
"""Splitting of the Ewald sum in 1/angstrom."""
CUTOFF: Final = 8.4
"""Cutoff of the real-space sum in angstrom; erfc(KAPPA CUTOFF) is 6e-11."""
RECIPROCAL_CUTOFF: Final = 5.3
"""Longest reciprocal vector in 1/angstrom; exp(-(k / 2 KAPPA)^2) is 8e-11."""


def smeared(r: Array, a: Array | float) -> Array:
    """Return erf(a r)/r and its derivatives, shape (4, ...).

    ``B[0] = erf(a r) / r`` and ``B[n + 1] = -(1 / r) dB[n] / dr``; at a = 0 all are zero.
    """
    from scipy.special import erf

    a = np.asarray(a, float)
    gauss = 2 * a / np.sqrt(np.pi) * np.exp(-((a * r) ** 2))
    kernels = [erf(a * r) / r]
    for n in range(3):
        kernels.append(((2 * n + 1) * kernels[n] - (2 * a**2) ** n * gauss) / r**2)
    return np.stack(kernels)


def reciprocal_vectors(cell: Array, cutoff: float = RECIPROCAL_CUTOFF) -> Array:
    """Return half of the reciprocal vectors up to a cutoff, without zero, shape (k, xyz)."""
    basis = 2 * np.pi * np.linalg.inv(cell).T
    most = np.floor(cutoff * np.linalg.norm(cell, axis=1) / (2 * np.pi)).astype(int)
    grid = np.stack(np.meshgrid(*(np.arange(-n, n + 1) for n in most), indexing="ij"), -1)
    integers = grid.reshape(-1, 3)
    first, second, third = integers.T
    half = (first > 0) | ((first == 0) & ((second > 0) | ((second == 0) & (third > 0))))
    vectors = integers[half] @ basis
    return vectors[np.linalg.norm(vectors, axis=1) <= cutoff]


def pairs(
    positions: Array, cell: Array | None, cutoff: float = CUTOFF
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64], Array]:
    """Return all directed pairs: sites i and j, and vectors from the image of j to i.

    All pairs of an open system; in a cell every pair of images up to the cutoff.
    """
    n = len(positions)
    vectors = positions[:, None] - positions[None]
    if cell is None:
        i, j = np.nonzero(~np.eye(n, dtype=bool))
        return i, j, vectors[i, j]
    inverse = np.linalg.inv(cell)
    vectors = vectors - np.round(vectors @ inverse) @ cell
    heights = 1 / np.linalg.norm(inverse, axis=0)
    # nearest fractions lie within half a cell, so one half more than the cutoff is enough
    most = np.floor(cutoff / heights + 0.5).astype(int)
    grid = np.stack(np.meshgrid(*(np.arange(-m, m + 1) for m in most), indexing="ij"), -1)
    shifts = grid.reshape(-1, 3) @ cell
    everything = vectors[None] + shifts[:, None, None]
    square = np.einsum("sijx,sijx->sij", everything, everything)
    s, i, j = np.nonzero((square < cutoff**2) & (square > 1e-12))
    return i, j, everything[s, i, j]


@dataclass(frozen=True, eq=False)
class Multipoles:
    """Interaction of charges and dipoles at given places, in e^2/angstrom.

    Parameters
    ----------
    positions : array, shape (site, xyz)
    widths : array, shape (site,)
        Standard deviation of the Gaussian of each site in angstrom.
    cell : array, shape (vector, xyz), optional
        The sum over images is that of a cell in a conductor.
    molecule : array of int, shape (site,)
        Charges do not act on charges and dipoles of their own molecule; dipoles do.
    kappa, cutoff, reciprocal_cutoff : float
        Of the Ewald sum.
    """

    positions: Array
    widths: Array
    cell: Array | None
    molecule: npt.NDArray[np.int64]
    kappa: float = KAPPA
    cutoff: float = CUTOFF
    reciprocal_cutoff: float = RECIPROCAL_CUTOFF
    _pairs: tuple[npt.NDArray[np.int64], npt.NDArray[np.int64], Array] = field(init=False)
    _dipoles: Array = field(init=False)
    _charges: Array = field(init=False)
    _waves: tuple[Array, Array, npt.NDArray[np.complex128]] = field(init=False)

    def __post_init__(self) -> None:
        if self.cell is not None:
            narrow = float(np.min(1 / np.linalg.norm(np.linalg.inv(self.cell), axis=0)))
            if narrow < 4.2:
                raise InputError(
                    "The cell is too narrow for a molecule.",
                    got=f"{narrow:.3g} angstrom",
                    expected="at least 4.2 angstrom between opposite faces",
                )
        i, j, vectors = pairs(self.positions, self.cell, self.cutoff)
        r = np.linalg.norm(vectors, axis=1)
        a = 1 / np.sqrt(2 * (self.widths[i] ** 2 + self.widths[j] ** 2))
        split = smeared(r, self.kappa if self.cell is not None else 0.0)
        # molecules are far narrower than cells, so a short distance inside one is no image
        inside = (self.molecule[i] == self.molecule[j]) & (r < 2.5)
        full = smeared(r, a)
        object.__setattr__(self, "_pairs", (i, j, vectors))
        object.__setattr__(self, "_dipoles", full - split)
        object.__setattr__(self, "_charges", np.where(inside, 0.0, full) - split)
        if self.cell is not None:
            k = reciprocal_vectors(self.cell, self.reciprocal_cutoff)
            square = np.einsum("kx,kx->k", k, k)
            volume = abs(np.linalg.det(self.cell))
            # half of the vectors, each twice
            weight = 8 * np.pi / volume * np.exp(-square / (4 * self.kappa**2)) / square
            phase = np.exp(1j * self.positions @ k.T)
            object.__setattr__(self, "_waves", (k, weight, phase))

    def derivatives(self, charges: Array, dipoles: Array) -> tuple[float, Array, Array, Array]:
        """Return energy, potential, field and force for fixed charges and dipoles.

        Parameters
        ----------
        charges : array, shape (site,)
        dipoles : array, shape (site, xyz)

        Returns
        -------
        energy : float
        potential : array, shape (site,)
            Derivative of the energy by the charges.
        field : array, shape (site, xyz)
            Minus the derivative by the dipoles.
        force : array, shape (site, xyz)
            Minus the derivative by the positions.
        """
        i, j, r = self._pairs
        b, c = self._dipoles, self._charges
        n, q, m = len(charges), charges, dipoles
        mi_r, mj_r = np.einsum("px,px->p", m[i], r), np.einsum("px,px->p", m[j], r)
        mm, qq = np.einsum("px,px->p", m[i], m[j]), q[i] * q[j]
        v = q[j, None] * m[i] - q[i, None] * m[j]
        v_r = q[j] * mi_r - q[i] * mj_r
        potential: Array = np.bincount(i, c[0] * q[j] + c[1] * mj_r, n).astype(float)
        felt = _add(i, (c[1] * q[j] + b[2] * mj_r)[:, None] * r - b[1, :, None] * m[j], n)
        along = qq * c[1] - c[2] * v_r + b[2] * mm - b[3] * mi_r * mj_r
        across = b[2, :, None] * (m[i] * mj_r[:, None] + m[j] * mi_r[:, None])
        force: Array = _add(i, along[:, None] * r + c[1, :, None] * v + across, n)
        if self.cell is not None:
            k, weight, phase = self._waves
            m_k = m @ k.T
            z = np.conj(phase) * np.sum((q[:, None] + 1j * m_k) * phase, axis=0) * weight
            potential += z.real.sum(1) - 2 * self.kappa / np.sqrt(np.pi) * q
            felt += -z.imag @ k + 4 * self.kappa**3 / (3 * np.sqrt(np.pi)) * m
            force += -(q[:, None] * z.imag - m_k * z.real) @ k
        energy = 0.5 * float(q @ potential - np.sum(m * felt))
        return energy, potential, felt, force

    def dipole_matrix(self) -> Array:
        """Return the second derivative of the energy by the dipoles, shape (3 site, 3 site)."""
        i, j, r = self._pairs
        b = self._dipoles
        n = len(self.positions)
        blocks = b[1, :, None, None] * np.eye(3) - b[2, :, None, None] * r[:, :, None] * r[:, None]
        flat = _add(i * n + j, blocks.reshape(-1, 9), n * n)
        matrix = flat.reshape(n, n, 3, 3).transpose(0, 2, 1, 3).reshape(3 * n, 3 * n)
        if self.cell is not None:
            k, weight, phase = self._waves
            waves = (phase[:, None, :] * (k.T * np.sqrt(weight))).reshape(3 * n, -1)
            matrix += waves.real @ waves.real.T + waves.imag @ waves.imag.T
            matrix -= 4 * self.kappa**3 / (3 * np.sqrt(np.pi)) * np.eye(3 * n)
        return matrix


def _add(index: npt.NDArray[np.int64], values: Array, n: int) -> Array:
    """Add rows of values (pair, component) with the same index, shape (n, component)."""
    return np.stack([np.bincount(index, column, n) for column in values.T], axis=1)
