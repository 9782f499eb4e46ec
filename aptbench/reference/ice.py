"""`ice_ih`: a proton-disordered crystal of hexagonal ice in an orthorhombic cell."""

from __future__ import annotations

from typing import Final

import numpy as np

from aptbench.errors import InputError, MissingEngineError
from aptbench.frames import Frames

UNIT_CELL: Final = (4.519, 7.827, 7.357)
"""Edges in angstrom of the orthorhombic unit cell of eight molecules, a, sqrt(3) a and c, near
250 K (Rottger et al., Acta Cryst. B 50, 644 (1994), doi:10.1107/S0108768194004933)."""
_LAYER: Final = 0.0629
"""Height of an oxygen atom above its layer, in units of c."""
_BOND: Final = 0.97
_ANGLE: Final = 106.0


def ice_ih(cell: tuple[float, float, float], n_molecules: int, seed: int) -> Frames:
    """Return oxygen atoms on the lattice of ice Ih and hydrogen atoms on disordered sites.

    The proton order obeys the ice rules and has no net dipole where GenIce finds such an order
    (doi:10.1021/acs.jcim.1c00440); molecules have the geometry of a free one, so the crystal is
    to be equilibrated.

    Parameters
    ----------
    cell : three floats
        Edges in angstrom; near to whole multiples of `UNIT_CELL`, to which the lattice is scaled.
    n_molecules : int
    seed : int

    Returns
    -------
    Frames
        One frame, O, H, H of each molecule.

    Raises
    ------
    InputError
        If the cell does not hold so many molecules of ice.
    MissingEngineError
        If GenIce is not installed.
    """
    edges = np.asarray(cell, float)
    repeats = np.maximum(np.round(edges / UNIT_CELL).astype(int), 1)
    strain = np.abs(edges / (repeats * UNIT_CELL) - 1).max()
    if 8 * repeats.prod() != n_molecules or strain > 0.05:
        raise InputError(
            "The cell does not hold so many molecules of ice Ih.",
            got=f"{n_molecules} H2O in {tuple(edges)} angstrom",
            expected=f"8 H2O in each {UNIT_CELL}, so {8 * repeats.prod()} H2O here",
        )
    oxygen = _oxygen_sites(repeats) * edges
    bonds = _hydrogen_bonds(oxygen, edges, seed)
    positions = np.empty((n_molecules, 3, 3))
    positions[:, 0] = oxygen
    for number, targets in enumerate(bonds):
        first, second = (_nearest(oxygen[k] - oxygen[number], edges) for k in targets)
        first, second = first / np.linalg.norm(first), second / np.linalg.norm(second)
        middle = (first + second) / np.linalg.norm(first + second)
        across = (first - second) / np.linalg.norm(first - second)
        half = np.radians(_ANGLE / 2)
        for which, sign in ((1, 1.0), (2, -1.0)):
            direction = np.cos(half) * middle + sign * np.sin(half) * across
            positions[number, which] = oxygen[number] + _BOND * direction
    molecule = np.repeat(np.arange(n_molecules), 3)
    numbers = np.tile([8, 1, 1], n_molecules)
    return Frames(numbers, positions.reshape(-1, 3), edges, molecule=molecule)


def _oxygen_sites(repeats: np.ndarray) -> np.ndarray:
    """Fractional coordinates of the oxygen atoms, shape (molecule, xyz)."""
    layer = np.array([[0.0, 0.0], [0.5, 0.5]])
    other = layer + np.array([0.0, 1 / 3])
    up, down = _LAYER, -_LAYER
    unit = np.concatenate(
        [
            np.column_stack([xy % 1, np.full(2, z % 1)])
            for xy, z in ((layer, up), (other, down), (layer, 0.5 - up), (other, 0.5 - down))
        ]
    )
    offsets = np.stack(np.meshgrid(*map(np.arange, repeats), indexing="ij"), axis=-1).reshape(-1, 3)
    return np.asarray((offsets[:, None] + unit).reshape(-1, 3) / repeats)


def _hydrogen_bonds(oxygen: np.ndarray, edges: np.ndarray, seed: int) -> list[tuple[int, int]]:
    """Return, for each molecule, the two neighbours that its hydrogen atoms point to."""
    try:
        import genice_core
    except ImportError:
        raise MissingEngineError(
            "The library GenIce is not installed.", do="pip install 'aptbench[sample]'"
        ) from None
    import networkx as nx

    separation = np.linalg.norm(_nearest(oxygen[:, None] - oxygen[None], edges), axis=-1)
    pairs = np.argwhere(np.triu(separation < 3.2, k=1))
    graph = nx.Graph([(int(a), int(b)) for a, b in pairs])
    if any(graph.degree(k) != 4 for k in range(len(oxygen))):
        raise InputError(
            "The molecules of the crystal do not have four neighbours each.",
            do="choose a cell of two unit cells at least along each edge",
        )
    # GenIce draws from NumPy's global generator, whose state is not ours to change.
    state = np.random.get_state()  # noqa: NPY002
    try:
        np.random.seed(seed)  # noqa: NPY002
        directed = genice_core.ice_graph(
            graph,
            vertex_positions=oxygen / edges,
            is_periodic_boundary=True,
            dipole_optimization_cycles=1000,
        )
    finally:
        np.random.set_state(state)  # noqa: NPY002
    assert directed is not None
    return [tuple(directed.successors(k)) for k in range(len(oxygen))]


def _nearest(vectors: np.ndarray, edges: np.ndarray) -> np.ndarray:
    return np.asarray(vectors - edges * np.round(vectors / edges))
