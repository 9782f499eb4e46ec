"""`DifferentiableGraph`: the neighbour density of one frame and its derivative by positions."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from aptbench.frames import Frames
from aptbench.models.graph import radial_basis
from aptbench.models.neighbors import neighbor_pairs, neighbor_slots
from aptbench.models.species_index import species_index

if TYPE_CHECKING:
    import torch

Array = npt.NDArray[np.float64]
Indices = npt.NDArray[np.int64]


@dataclass(frozen=True)
class DensitySettings:
    """How an environment is described.

    Parameters
    ----------
    cutoff : float
        In angstrom.
    radial : int
        Number of radial functions.
    degree : int
        Largest degree of the spherical harmonics.
    """

    cutoff: float = 6.0
    radial: int = 8
    degree: int = 3


@dataclass(frozen=True, eq=False)
class DifferentiableGraph:
    """One frame as densities around sites, and what they change by when an atom moves.

    Sites are the atoms that carry a vector, sorted by species. No weight of a network enters here,
    so a frame is described once, and training differentiates only from the density on.

    Attributes
    ----------
    n_atoms : int
    site : tensor of int, shape (site,)
        Atoms of the frame.
    counts : tuple of int
        Number of sites of each species.
    density : tensor, shape (site, lm, species * radial)
        Sum over neighbours of a species of B_n(r) Y_lm, normalised as by `AtomGraph`.
    neighbor : tuple of tensor of int, shape (site, slot), one a species
        Atoms of the frame; empty slots hold atom 0.
    derivative : tuple of tensor, shape (site, lm * radial, slot * xyz), one a species
        Of the density by the position of the neighbour, in 1/angstrom; zero in an empty slot.
    """

    n_atoms: int
    site: torch.Tensor
    counts: tuple[int, ...]
    density: torch.Tensor
    neighbor: tuple[torch.Tensor, ...]
    derivative: tuple[torch.Tensor, ...]

    @classmethod
    def build(
        cls,
        frames: Frames,
        species: tuple[int, ...],
        settings: DensitySettings,
        sites: Collection[int] | None = None,
    ) -> DifferentiableGraph:
        """Describe a single frame.

        Parameters
        ----------
        frames : Frames
            One frame.
        species : tuple of int
            Atomic numbers, ascending.
        settings : DensitySettings
        sites : collection of int, optional
            Atomic numbers of the sites; all species if not given.

        Raises
        ------
        InputError
            If there is more than one frame, or an atom is not among the species.
        """
        import torch

        kind = species_index(frames, species)
        is_site = np.isin(frames.atomic_numbers, species if sites is None else list(sites))
        site = np.flatnonzero(is_site)
        site = site[np.argsort(kind[site], kind="stable")]
        place = np.full(frames.n_atoms, -1)
        place[site] = np.arange(len(site))
        cell = None if frames.cell is None else frames.cell[0]
        first, second, vectors = neighbor_pairs(frames.positions[0], cell, settings.cutoff)
        kept = is_site[first]
        first, second, vectors = place[first[kept]], second[kept], vectors[kept]
        values, slopes = pair_density(vectors, settings)
        functions = (settings.degree + 1) ** 2 * settings.radial
        densities, neighbors, derivatives = [], [], []
        for k in range(len(species)):
            mine = np.flatnonzero(kind[second] == k)
            mine = mine[np.argsort(first[mine], kind="stable")]
            slot, width = neighbor_slots(first[mine], len(site))
            value = np.zeros((len(site), width, *values.shape[1:]))
            value[first[mine], slot] = values[mine]
            neighbor = np.zeros((len(site), width), np.int64)
            neighbor[first[mine], slot] = second[mine]
            slope = np.zeros((len(site), width, functions, 3), np.float32)
            slope[first[mine], slot] = slopes[mine].reshape(len(mine), functions, 3)
            densities.append(value.sum(1))
            neighbors.append(torch.from_numpy(neighbor))
            flat = np.ascontiguousarray(slope.transpose(0, 2, 1, 3))
            derivatives.append(torch.from_numpy(flat.reshape(len(site), functions, width * 3)))
        return cls(
            frames.n_atoms,
            torch.from_numpy(site),
            tuple(int(n) for n in np.bincount(kind[site], minlength=len(species))),
            torch.from_numpy(np.concatenate(densities, 2).astype(np.float32)),
            tuple(neighbors),
            tuple(derivatives),
        )


def pair_density(vectors: Array, settings: DensitySettings) -> tuple[Array, Array]:
    """Return B_n(r) Y_lm of vectors and its gradient.

    Parameters
    ----------
    vectors : array, shape (pair, xyz)
        In angstrom.
    settings : DensitySettings

    Returns
    -------
    values : array, shape (pair, lm, radial)
    slopes : array, shape (pair, lm, radial, xyz)
        In 1/angstrom.
    """
    distance = np.linalg.norm(vectors, axis=-1)
    radial = radial_basis(distance, settings.radial, settings.cutoff)
    slope = radial_slope(distance, settings.radial, settings.cutoff)
    harmonics, gradient = _harmonics(vectors, settings.degree)
    unit = vectors / distance[:, None]
    values = np.einsum("en,em->emn", radial, harmonics)
    slopes = np.einsum("en,emx->emnx", radial, gradient)
    slopes += np.einsum("en,em,ex->emnx", slope, harmonics, unit)
    return values, slopes


def radial_slope(distance: Array, count: int, cutoff: float) -> Array:
    """Return dB_n/dr of `radial_basis` in 1/angstrom, shape (pair, function).

    >>> ends = np.array([1.5 - 1e-6, 1.5 + 1e-6])
    >>> numerical = np.diff(radial_basis(ends, 3, 6.0), axis=0) / 2e-6
    >>> bool(np.allclose(radial_slope(np.array([1.5]), 3, 6.0), numerical))
    True
    """
    x = distance / cutoff
    inside = x < 1
    envelope = np.where(inside, 1 - 28 * x**6 + 48 * x**7 - 21 * x**8, 0.0)
    fall = np.where(inside, -168 * x**5 + 336 * x**6 - 168 * x**7, 0.0) / cutoff
    phase = np.pi * np.arange(count)
    u = np.log(np.maximum(distance, 0.5) / 0.5) / np.log(cutoff / 0.5)
    rate = np.where(distance > 0.5, 1 / (distance * np.log(cutoff / 0.5)), 0.0)
    along = (fall / distance - envelope / distance**2)[:, None] * np.cos(phase * u[:, None])
    turn = (envelope / distance * rate)[:, None] * phase * np.sin(phase * u[:, None])
    return np.asarray(along - turn)


def _harmonics(vectors: Array, degree: int) -> tuple[Array, Array]:
    import torch
    from e3nn import o3

    with torch.enable_grad():
        points = torch.from_numpy(np.ascontiguousarray(vectors)).requires_grad_()
        values = o3.spherical_harmonics(
            list(range(degree + 1)), points, normalize=True, normalization="component"
        )
        columns = [torch.zeros_like(points)]
        for m in range(1, values.shape[1]):
            (gradient,) = torch.autograd.grad(values[:, m].sum(), points, retain_graph=True)
            columns.append(gradient)
    return values.detach().numpy(), torch.stack(columns, 1).numpy()
