"""`AtomGraph`: everything about one frame that no weight of a network changes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from aptbench.errors import InputError
from aptbench.frames import Frames
from aptbench.models.neighbors import neighbor_pairs, neighbor_slots
from aptbench.models.species_index import species_index

if TYPE_CHECKING:
    import torch


@dataclass(frozen=True)
class GraphSettings:
    """How an environment is described.

    Parameters
    ----------
    cutoff : float
        Of the density of neighbours around an atom, in angstrom.
    message_cutoff : float
        Of the messages between atoms, in angstrom; at most ``cutoff``.
    radial : int
        Number of radial functions.
    message_radial : int
        Number of radial functions of a message.
    degree : int
        Largest degree of the spherical harmonics of the density; messages go up to 2.
    """

    cutoff: float = 6.0
    message_cutoff: float = 5.0
    radial: int = 10
    message_radial: int = 6
    degree: int = 3

    def __post_init__(self) -> None:
        if (
            not 0 < self.message_cutoff <= self.cutoff
            or min(self.radial, self.message_radial) < 1
            or self.degree < 2
        ):
            raise InputError(
                "The settings of the graph are impossible.",
                got=self,
                expected="0 < message_cutoff <= cutoff, radial and message_radial from 1, degree "
                "from 2",
            )


@dataclass(frozen=True, eq=False)
class AtomGraph:
    """One frame, its atoms sorted by species.

    Attributes
    ----------
    order : array of int, shape (atom,)
        Atom k of the graph is atom ``order[k]`` of the frame.
    counts : tuple of int
        Number of atoms of each species.
    density : tensor, shape (atom, lm, species * radial)
        Neighbour density: sum over neighbours of a species of B_n(r) Y_lm.
    neighbor : tensor of int, shape (atom, slot)
        Neighbours within the message cutoff; empty slots hold atom 0.
    edge : tensor, shape (atom, radial * lm, slot)
        B_n(r) Y_lm of every neighbour; zero in an empty slot.
    """

    order: npt.NDArray[np.int64]
    counts: tuple[int, ...]
    density: torch.Tensor
    neighbor: torch.Tensor
    edge: torch.Tensor

    @classmethod
    def build(cls, frames: Frames, species: tuple[int, ...], settings: GraphSettings) -> AtomGraph:
        """Describe a single frame.

        Raises
        ------
        InputError
            If there is more than one frame, or an atom is not among the species.
        """
        import torch
        from e3nn import o3

        kind = species_index(frames, species)
        order = np.argsort(kind, kind="stable")
        kind, n_atoms = kind[order], len(kind)
        cell = None if frames.cell is None else frames.cell[0]
        first, second, vectors = neighbor_pairs(frames.positions[0, order], cell, settings.cutoff)
        distance = np.linalg.norm(vectors, axis=-1)
        harmonics = o3.spherical_harmonics(
            list(range(settings.degree + 1)),
            torch.from_numpy(vectors),
            normalize=True,
            normalization="component",
        ).numpy()

        n_species = len(species)
        radial = radial_basis(distance, settings.radial, settings.cutoff)
        # a species has columns of its own: the sum over neighbours is then one matrix product
        of_species = radial[:, None] * (kind[second, None, None] == np.arange(n_species)[:, None])
        of_species = of_species.reshape(len(first), n_species * settings.radial)
        slot, n_slots = neighbor_slots(first, n_atoms)
        columns = _padded(of_species, first, slot, n_atoms, n_slots)
        rows = _padded(harmonics, first, slot, n_atoms, n_slots)
        density = torch.bmm(rows.transpose(1, 2), columns)

        near = distance < settings.message_cutoff
        first, second = first[near], second[near]
        radial = radial_basis(distance[near], settings.message_radial, settings.message_cutoff)
        per_edge = radial[:, :, None] * harmonics[near, None, :9]
        per_edge = per_edge.reshape(len(first), 9 * settings.message_radial)
        slot, n_slots = neighbor_slots(first, n_atoms)
        neighbor = torch.zeros((n_atoms, n_slots), dtype=torch.int64)
        neighbor[first, slot] = torch.from_numpy(second)
        edge = _padded(per_edge, first, slot, n_atoms, n_slots)
        return cls(
            order,
            tuple(int(n) for n in np.bincount(kind, minlength=n_species)),
            density,
            neighbor,
            edge.transpose(1, 2).contiguous(),
        )


def radial_basis(
    distance: npt.NDArray[np.float64], count: int, cutoff: float
) -> npt.NDArray[np.float64]:
    """Return smooth radial functions, finer at short distance, shape (pair, function).

    B_n(r) = f(r / rc) / r * cos(n pi u), u = ln(max(r, r0) / r0) / ln(rc / r0), r0 = 0.5 angstrom,
    with the envelope f of Gasteiger et al. (arXiv:2003.03123, p = 6), which and whose first two
    derivatives vanish at the cutoff.

    >>> radial_basis(np.array([6.0]), 2, 6.0).round(9) + 0
    array([[0., 0.]])
    """
    x = distance / cutoff
    envelope = np.where(x < 1, 1 - 28 * x**6 + 48 * x**7 - 21 * x**8, 0.0)
    u = np.log(np.maximum(distance, 0.5) / 0.5) / np.log(cutoff / 0.5)
    return (envelope / distance)[:, None] * np.cos(np.pi * np.arange(count) * u[:, None])


def _padded(
    values: npt.NDArray[np.floating],
    first: npt.NDArray[np.int64],
    slot: npt.NDArray[np.int64],
    n_atoms: int,
    n_slots: int,
) -> torch.Tensor:
    import torch

    result = np.zeros((n_atoms, n_slots, values.shape[1]), np.float32)
    result[first, slot] = values
    return torch.from_numpy(result)
