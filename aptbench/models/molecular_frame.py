"""`MolecularFrame`: axes that are fixed to a molecule, by its best fit on a reference geometry."""

from __future__ import annotations

import functools
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from aptbench.models.molecular_graph import MolecularGraph

Array = npt.NDArray[np.float64]
Indices = npt.NDArray[np.int64]

ALIKE: Final = 0.15
"""Root mean square distance in angstrom below which a mean geometry is taken for symmetric."""
_EXACT: Final = 1e-6
_ROUNDS: Final = 20


@dataclass(frozen=True, eq=False)
class Turn:
    """How molecules are turned: the part of a rotation that their atoms determine.

    Attributes
    ----------
    matrix : array, shape (..., xyz, reference_xyz)
        Orthogonal where the reference geometry fills space. For a planar, a linear or a point-like
        one it maps the plane, the line or nothing, and sends the rest to zero.
    left, singular, right : array, shape (..., 3, 3), (..., 3), (..., 3, 3)
        The decomposition of sum_a m_a x_a ref_a^T that it comes from.
    rank : array of int, shape (...)
        3, 2, 1 or 0 dimensions.
    """

    matrix: Array
    left: Array
    singular: Array
    right: Array
    rank: Indices

    def vectors(self, values: Array) -> Array:
        """Bring vectors (..., atom, xyz) from the frame of the molecule into space."""
        return np.einsum("...xr,...ar->...ax", self.matrix, values)

    def vectors_back(self, values: Array) -> Array:
        """Bring vectors (..., atom, xyz) from space into the frame of the molecule."""
        return np.einsum("...xr,...ax->...ar", self.matrix, values)

    def tensors(self, values: Array) -> Array:
        """Bring tensors (..., atom, pol, disp) from the frame of the molecule into space."""
        return _carried(self.matrix, self.rank, values)

    def tensors_back(self, values: Array) -> Array:
        """Bring tensors (..., atom, pol, disp) from space into the frame of the molecule."""
        return _carried(np.swapaxes(self.matrix, -1, -2), self.rank, values)

    def select(self, index: Any) -> Turn:
        """Return the turns of some molecules."""
        fields = (self.matrix, self.left, self.singular, self.right, self.rank)
        return Turn(*(field[index] for field in fields))


@dataclass(frozen=True, eq=False)
class MolecularFrame:
    """Axes fixed to every molecule of one graph.

    The axes are those of the rotation, proper or improper, that fits the reference geometry best
    on the molecule, atoms weighted by mass, over all exchanges of like atoms that keep the bonds.
    So they turn with the molecule, do not depend on the order of like atoms, and are mirrored with
    it: what is constant in them is a covariant model.

    Parameters
    ----------
    graph : MolecularGraph
    geometry : array, shape (atom, xyz)
        Reference geometry in angstrom, about its centre of mass. Use `learn` to make it the mean
        of many molecules.

    Notes
    -----
    The best fit is the orthogonal polar factor of H = sum_a m_a x_a ref_a^T (the condition of
    Eckart, doi:10.1103/PhysRev.47.552; Kabsch, doi:10.1107/S0567739476001873, without his
    restriction to proper rotations). Where H is singular, as for planar molecules, several
    rotations fit equally well; tensors are averaged over all of them. The average has a closed
    form: with Q the polar factor on the range of H, P = Q A Q^T + c (1 - Q Q^T), where c spreads
    the trace of A outside the range.
    """

    graph: MolecularGraph
    geometry: Array

    @functools.cached_property
    def symmetries(self) -> tuple[Indices, Turn]:
        """Permutations (operation, atom) that a rotation undoes exactly, and those rotations."""
        return self._symmetries(_EXACT)

    @functools.cached_property
    def exchanges(self) -> Indices:
        """Permutations to try, (exchange, atom): one of each set that symmetry makes equal."""
        permutations = self.graph.automorphisms
        operations, _ = self.symmetries
        chosen: list[Indices] = []
        covered: set[tuple[int, ...]] = set()
        for permutation in permutations:
            if tuple(permutation) not in covered:
                chosen.append(permutation)
                covered.update(tuple(permutation[g]) for g in operations)
        return np.array(chosen)

    @classmethod
    def learn(cls, graph: MolecularGraph, places: Array) -> MolecularFrame:
        """Make the reference geometry the mean of whole molecules, shape (molecule, atom, xyz).

        The mean and the fits on it are found in turns. A mean geometry that is planar, linear or
        symmetric within 0.15 angstrom is made so exactly: thermal motion must not decide which of
        two like atoms is the first.
        """
        places = places.reshape(-1, *places.shape[-2:])
        frame = cls(graph, _centred(places[0], graph.masses))
        for _ in range(_ROUNDS):
            order, turn = frame.place(places)
            placed = np.take_along_axis(places, order[..., None], 1)
            mean = turn.vectors_back(_centred(placed, graph.masses)).mean(0)
            frame = cls(graph, mean)._symmetrized()
        return frame

    def place(self, places: Array) -> tuple[Indices, Turn]:
        """Fit the reference geometry on molecules.

        Parameters
        ----------
        places : array, shape (..., atom, xyz)
            Whole molecules, in angstrom, atoms in the order of the graph.

        Returns
        -------
        order : array of int, shape (..., atom)
            Which atom of the molecule each atom of the reference is laid upon.
        turn : Turn
        """
        best = None
        for exchange in self.exchanges:
            turn = self._fit(places[..., exchange, :])
            overlap = turn.singular.sum(-1)
            order = np.broadcast_to(exchange, (*overlap.shape, len(exchange)))
            if best is None:
                best = overlap, order, turn
            else:
                better = overlap > best[0]
                best = (
                    np.where(better, overlap, best[0]),
                    np.where(better[..., None], order, best[1]),
                    _choose(better, turn, best[2]),
                )
        assert best is not None  # the identity is always an exchange
        return best[1], best[2]

    def symmetrized_tensors(self, values: Array) -> Array:
        """Average tensors (atom, pol, disp) of the reference over its symmetry."""
        permutations, turn = self.symmetries
        return np.asarray(turn.tensors_back(values[permutations]).mean(0))

    def symmetry_images(self, values: Array) -> Array:
        """Return vectors (..., atom, xyz) of the reference as each symmetry operation maps them.

        The result has shape (operation, ..., atom, xyz).
        """
        permutations, turn = self.symmetries
        mapped = np.moveaxis(values[..., permutations, :], -3, 0)
        return np.einsum("gxr,g...ax->g...ar", turn.matrix, mapped)

    def shape_change(self, places: Array, turn: Turn) -> Array:
        """Return how molecules differ from the reference, in its axes, shape (..., atom, xyz).

        ``places`` are in the order of the reference. A planar or linear reference hides what
        leaves its plane or line.
        """
        return turn.vectors_back(_centred(places, self.graph.masses)) - self.geometry

    def derivative(self, turn: Turn) -> Array:
        """Return how the turn of molecules changes with the positions of their atoms.

        Parameters
        ----------
        turn : Turn
            From `place`.

        Returns
        -------
        array, shape (..., xyz, reference_xyz, atom, disp)
            Of ``turn.matrix``, in 1 / angstrom; atoms in the order of the reference.

        Notes
        -----
        With H = U S V^T, dQ = U F V^T and F_ij = (M_ij - M_ji) / (s_i + s_j), M = U^T dH V.
        """
        # in the axes of the decomposition
        weighted = np.einsum(
            "ar,...rj->...aj", self.geometry * self.graph.masses[:, None], turn.right
        )
        kept = turn.right * (turn.singular > 0)[..., None, :]
        total = turn.singular[..., :, None] + turn.singular[..., None, :]
        inverse = np.where(total > 0, 1 / np.where(total > 0, total, 1.0), 0.0)
        first = np.einsum(
            "...xi,...di,...ij,...aj,...rj->...xrad",
            *(turn.left, turn.left, inverse, weighted, kept),
            optimize=True,
        )
        second = np.einsum(
            "...xi,...dj,...ij,...ai,...rj->...xrad",
            *(turn.left, turn.left, inverse, weighted, kept),
            optimize=True,
        )
        return np.asarray(first - second)

    def to_dict(self) -> dict[str, Any]:
        """Return plain values; the geometry in angstrom."""
        return {**self.graph.to_dict(), "geometry": self.geometry.tolist()}

    @classmethod
    def from_dict(cls, content: dict[str, Any]) -> MolecularFrame:
        """Make one from plain values."""
        graph = MolecularGraph.from_dict(content)
        geometry = np.array(content["geometry"], np.float64)
        if geometry.shape != (len(graph.atomic_numbers), 3):
            raise ValueError(f"a geometry of shape {geometry.shape} for {graph.formula}")
        return cls(graph, geometry)

    def _fit(self, places: Array) -> Turn:
        weighted = self.geometry * self.graph.masses[:, None]
        # the reference is about its centre of mass, so the centre of the molecule drops out
        overlap = np.einsum("...ax,ar->...xr", _centred(places, self.graph.masses), weighted)
        return _polar(overlap, float(np.sum(weighted * self.geometry)))

    def _symmetries(self, tolerance: float) -> tuple[Indices, Turn]:
        permutations = self.graph.automorphisms
        turn = self._fit(self.geometry[permutations])
        distance = self.geometry[permutations] - turn.vectors(
            np.broadcast_to(self.geometry, (len(permutations), *self.geometry.shape))
        )
        exact = np.sqrt(np.mean(np.sum(distance**2, -1), -1)) < tolerance
        return permutations[exact], turn.select(exact)

    def _symmetrized(self) -> MolecularFrame:
        left, extent, right = np.linalg.svd(self.geometry, full_matrices=False)
        flat = np.where(extent / np.sqrt(len(self.geometry)) < ALIKE, 0.0, extent)
        frame = MolecularFrame(self.graph, (left * flat) @ right)
        for _ in range(5):
            permutations, turn = frame._symmetries(ALIKE)
            mean = turn.vectors_back(frame.geometry[permutations]).mean(0)
            frame = MolecularFrame(self.graph, _centred(mean, self.graph.masses))
        return frame


def _centred(places: Array, masses: Array) -> Array:
    center = np.einsum("...ax,a->...x", places, masses / masses.sum())
    return np.asarray(places - center[..., None, :])


def _polar(matrix: Array, scale: float) -> Turn:
    left, singular, right = np.linalg.svd(matrix)
    inside = singular > 1e-6 * scale
    singular = np.where(inside, singular, 0.0)
    return Turn(
        (left * inside[..., None, :]) @ right,
        left,
        singular,
        np.swapaxes(right, -1, -2),
        inside.sum(-1),
    )


def _carried(matrix: Array, rank: Indices, values: Array) -> Array:
    """Return Q A Q^T, with the trace of A that Q loses spread where Q does not reach."""
    inside = np.einsum("...xi,...aij,...yj->...axy", matrix, values, matrix, optimize=True)
    lost = np.trace(values, axis1=-2, axis2=-1) - np.trace(inside, axis1=-2, axis2=-1)
    outside = np.eye(3) - matrix @ np.swapaxes(matrix, -1, -2)
    share = lost / np.maximum(3 - rank, 1)[..., None]
    full = (rank == 3)[..., None, None, None]
    return np.asarray(
        inside + np.where(full, 0.0, share[..., None, None] * outside[..., None, :, :])
    )


def _choose(condition: npt.NDArray[np.bool_], one: Turn, other: Turn) -> Turn:
    matrix = condition[..., None, None]
    return Turn(
        np.where(matrix, one.matrix, other.matrix),
        np.where(matrix, one.left, other.left),
        np.where(condition[..., None], one.singular, other.singular),
        np.where(matrix, one.right, other.right),
        np.where(condition, one.rank, other.rank),
    )
