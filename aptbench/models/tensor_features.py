"""`tensor_features`: what an atom sees of its neighbours, as tensors of degree 0, 1 and 2."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import combinations_with_replacement, pairwise

import numpy as np
import numpy.typing as npt

from aptbench.errors import InputError
from aptbench.frames import Frames
from aptbench.models.graph import radial_basis
from aptbench.models.neighbors import neighbor_pairs, neighbor_slots
from aptbench.models.species_index import species_index
from aptbench.models.spherical_tensors import LARGEST, coupling, harmonics

Array = npt.NDArray[np.float64]
Tensors = tuple[Array, ...]
"""Arrays of shape (atom, 2 l + 1, feature), one a degree l."""


@dataclass(frozen=True)
class FeatureSettings:
    """How an environment becomes features.

    Parameters
    ----------
    cutoff : float
        Of the environment, in angstrom.
    bond_cutoff : float
        Of the surroundings of a neighbour, which say how it is turned, in angstrom.
    radial : int
        Number of radial functions of the density.
    product_radial, message_radial : int
        Number of them in products of two densities, and in what neighbours say; at most ``radial``.
    degree : int
        Largest degree of the harmonics, at most 3.

    Raises
    ------
    InputError
        If a number is out of its range.
    """

    cutoff: float = 6.0
    bond_cutoff: float = 3.0
    radial: int = 8
    product_radial: int = 6
    message_radial: int = 6
    degree: int = 3

    def __post_init__(self) -> None:
        counts = (self.product_radial, self.message_radial)
        if (
            not 0 < self.bond_cutoff <= self.cutoff
            or not 0 < min(counts) <= max(counts) <= self.radial
            or not 2 <= self.degree <= LARGEST
        ):
            raise InputError(
                "The settings of the tensor features are impossible.",
                got=self,
                expected="0 < bond_cutoff <= cutoff, 0 < product_radial, message_radial <= radial, "
                f"degree from 2 to {LARGEST}",
            )


def tensor_features(frame: Frames, species: tuple[int, ...], settings: FeatureSettings) -> Tensors:
    """Describe every atom of a single frame.

    Parameters
    ----------
    frame : Frames
        One frame, with or without a cell.
    species : tuple of int
        Atomic numbers that the features tell apart, ascending.
    settings : FeatureSettings

    Returns
    -------
    tuple of array, shape (atom, 2 l + 1, feature)
        For l = 0, 1, 2, all of even parity, in the components of
        `aptbench.models.spherical_tensors`. What comes when, and how many there are, depends on
        the species and the settings alone.

    Raises
    ------
    InputError
        If there is not exactly one frame, or an atom is not among the species.

    Notes
    -----
    With B_n(r) of `aptbench.models.graph.radial_basis`, the density of neighbours of species s is
    A_snl = sum_j B_n(r_ij) Y_l(r_ij) (doi:10.1103/PhysRevB.87.184115), and its products of two
    couple to l = 0, 1, 2 (three bodies; doi:10.1103/PhysRevB.99.014104). Neighbours also say how
    they are turned, which two densities at the atom itself can hardly tell: q_j is their own
    density of degree 1 and 2 within ``bond_cutoff``, and sum_j B_n(r_ij) Y_l(r_ij) x q_j couples
    to l = 0, 1, 2 too.

    Examples
    --------
    >>> water = Frames([8, 1, 1], [[0, 0, 0], [0.96, 0, 0], [-0.24, 0.93, 0]])
    >>> [f.shape for f in tensor_features(water, (1, 8), FeatureSettings(3.0, 2.0, 2, 1, 1, 2))]
    [(3, 1, 21), (3, 3, 10), (3, 5, 26)]
    """
    kind = species_index(frame, species)
    cell = None if frame.cell is None else frame.cell[0]
    first, second, vectors = neighbor_pairs(frame.positions[0], cell, settings.cutoff)
    distance = np.linalg.norm(vectors, axis=-1)
    angular = harmonics(vectors / distance[:, None], settings.degree)
    radial = radial_basis(distance, settings.radial, settings.cutoff)
    near = distance < settings.bond_cutoff
    turned = _bonds(
        frame.n_atoms,
        first[near],
        kind[second[near]],
        radial_basis(distance[near], 1, settings.bond_cutoff),
        [y[near] for y in angular[1:3]],
        len(species),
    )
    density, messages = _sums(
        first, second, kind, radial, angular, turned, len(species), settings.message_radial
    )
    features: list[list[Array]] = [[density[0]], [], [density[2]]]
    for degree, message in messages:
        features[degree].append(message)
    channels = [d.reshape(*d.shape[:2], len(species), -1) for d in density]
    few = [c[..., : settings.product_radial].reshape(*c.shape[:2], -1) for c in channels]
    for degree, product in _products(few):
        features[degree].append(product)
    return tuple(np.concatenate(part, axis=2) for part in features)


def _bonds(
    n_atoms: int,
    first: npt.NDArray[np.int64],
    kind: npt.NDArray[np.int64],
    radial: Array,
    angular: list[Array],
    n_species: int,
) -> list[Array]:
    """Return the near density of degree 1 and 2 of every atom, each (atom, m, species)."""
    result = []
    for values in angular:
        total = np.zeros((n_atoms, n_species, values.shape[1]))
        np.add.at(total, (first, kind), radial * values)
        result.append(total.transpose(0, 2, 1))
    return result


def _sums(
    first: npt.NDArray[np.int64],
    second: npt.NDArray[np.int64],
    kind: npt.NDArray[np.int64],
    radial: Array,
    angular: Tensors,
    turned: list[Array],
    n_species: int,
    message_radial: int,
) -> tuple[list[Array], Iterator[tuple[int, Array]]]:
    """Return the density by degree, and pairs of degree and messages, each (atom, m, channel).

    All sums over neighbours are one matrix product an atom: of B_n Y_lm over its neighbours with
    the columns 1 and q of the same neighbours, apart by species.
    """
    n_atoms, n_radial = len(kind), radial.shape[1]
    slot, n_slots = neighbor_slots(first, n_atoms)
    harmonic = np.concatenate(angular, axis=1)
    edges = np.zeros((n_atoms, n_slots, harmonic.shape[1] * n_radial))
    edges[first, slot] = (harmonic[:, :, None] * radial[:, None]).reshape(-1, edges.shape[2])
    columns = np.concatenate([np.ones((n_atoms, 1)), *(q.reshape(n_atoms, -1) for q in turned)], 1)
    sources = np.zeros((n_atoms, n_species, columns.shape[1]))
    sources[np.arange(n_atoms), kind] = columns
    said = np.zeros((n_atoms, edges.shape[1], sources[0].size))
    said[first, slot] = sources.reshape(n_atoms, -1)[second]
    summed = (edges.transpose(0, 2, 1) @ said).reshape(
        n_atoms, harmonic.shape[1], n_radial, n_species, -1
    )
    at = np.cumsum([0, *(y.shape[1] for y in angular)])
    parts = [summed[:, a:b] for a, b in pairwise(at)]
    density = [p[..., 0].transpose(0, 1, 3, 2).reshape(n_atoms, p.shape[1], -1) for p in parts]

    def messages() -> Iterator[tuple[int, Array]]:
        start = 1
        for degree_q, q in enumerate(turned, 1):
            width = q.shape[1] * n_species
            for degree_y, part in enumerate(parts):
                # parity (-1)^(l + q) must be even
                if (degree_q + degree_y) % 2:
                    continue
                pair = part[:, :, :message_radial, :, start : start + width].reshape(
                    n_atoms, part.shape[1], -1, q.shape[1], n_species
                )
                flat = pair.transpose(0, 1, 3, 2, 4).reshape(
                    n_atoms, part.shape[1] * q.shape[1], -1
                )
                for degree in _degrees(degree_y, degree_q):
                    matrix = coupling(degree_y, degree_q, degree)
                    yield degree, matrix.reshape(len(matrix), -1) @ flat
            start += width

    return density, messages()


def _products(density: list[Array]) -> Iterator[tuple[int, Array]]:
    """Give pairs of degree and all products of two densities, each (atom, m, feature)."""
    for a, b in combinations_with_replacement(range(len(density)), 2):
        if (a + b) % 2:
            continue
        count = density[a].shape[2]
        for degree in _degrees(a, b):
            matrix = coupling(a, b, degree)
            half = matrix.transpose(0, 2, 1).reshape(-1, matrix.shape[1]) @ density[a]
            half = half.reshape(len(half), len(matrix), matrix.shape[2], count)
            product = half.transpose(0, 1, 3, 2) @ density[b][:, None]
            if a == b:
                # a symmetric product of a pair of channels is there once, an antisymmetric one
                # vanishes on the diagonal
                i, j = np.triu_indices(count, degree % 2)
                yield degree, product[:, :, i, j]
            else:
                yield degree, product.reshape(*product.shape[:2], -1)


def _degrees(first: int, second: int) -> range:
    """Return the degrees up to 2 that two degrees couple to."""
    return range(abs(first - second), min(first + second, 2) + 1)
