"""`ShellCurrents`: the current of the shells around each molecule, as they are at each moment."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from aptbench.errors import InputError
from aptbench.spectra.reduction import MolecularCurrents

Array = npt.NDArray[np.float64]
Indices = npt.NDArray[np.int64]

STEP: Final = 0.25
"""Width of the shells of the distance-resolved assignment in angstrom."""
SOLVATION: Final = (0.0, 3.3, 5.6)
"""First and second shell of liquid water in angstrom, between the minima of g_OO."""
OPEN: Final = 10.0
"""Distance in angstrom to which an isolated system is resolved if nothing else is asked for."""

# pairs of molecules whose distances are held at once
_PAIRS: Final = 2**18


@dataclass(frozen=True, eq=False)
class LazySeries:
    """A series of frames that is made when a stretch of it is asked for.

    Parameters
    ----------
    shape : tuple of int
        Frame, channel, and whatever follows.
    read : function of slice
        Returns the frames of the slice. The last stretch is kept: the next one overlaps it.
    """

    shape: tuple[int, ...]
    read: Callable[[slice], Array]
    _kept: dict[str, Any] = field(default_factory=dict, init=False, repr=False)

    def __getitem__(self, part: slice) -> Array:
        start, stop, _ = part.indices(self.shape[0])
        first, last = self._kept.get("range", (-1, -1))
        if first <= start <= last < stop:
            fresh = self.read(slice(last, stop))
            values = np.concatenate([self._kept["values"][start - first :], fresh])
        elif first <= start and stop <= last:
            return np.asarray(self._kept["values"][start - first : stop - first])
        else:
            values = self.read(slice(start, stop))
        self._kept.update(range=(start, stop), values=values)
        return values


def shell_limit(currents: MolecularCurrents) -> float:
    """Return the distance in angstrom up to which shells are complete: half of the cell.

    Half the smallest distance between opposite faces in all frames; without a cell, infinite.
    """
    if currents.cell is None:
        return float("inf")
    return float(0.5 / np.linalg.norm(np.linalg.inv(currents.cell), axis=1).max())


def checked_edges(
    given: npt.ArrayLike | None, default: npt.ArrayLike, currents: MolecularCurrents
) -> Array:
    """Return the edges of shells in angstrom, from 0; what lies beyond the last is a shell too.

    Defaults are cut at `shell_limit`.

    Raises
    ------
    InputError
        If given edges do not rise from zero, or lie beyond `shell_limit`.
    """
    limit = shell_limit(currents)
    if given is None:
        usual = np.asarray(default, float)
        return usual[usual <= limit]
    edges = np.asarray(given, float)
    rising = edges.ndim == 1 and len(edges) > 0 and edges[0] == 0 and np.all(np.diff(edges) > 0)
    if not rising or not edges[-1] <= min(limit, np.finfo(float).max):
        raise InputError(
            "The edges of the shells do not rise from zero to half of the cell.",
            got=edges.tolist(),
            expected=f"0 first, then rising to at most {limit:.4g} angstrom",
            do="leave out the far edges: what is beyond the last one is a shell of its own",
        )
    return edges


def default_edges(currents: MolecularCurrents) -> Array:
    """Return edges every 0.25 angstrom up to half of the cell, or to 10 without a cell."""
    end = min(shell_limit(currents), OPEN if currents.cell is None else np.inf)
    return np.asarray(STEP * np.arange(int(end / STEP * (1 + 1e-12)) + 1), np.float64)


def shell_names(edges: Array) -> tuple[str, ...]:
    """Return names of the shells between edges, and of the one beyond.

    >>> shell_names(np.array([0.0, 3.3]))
    ('0-3.3', '>3.3')
    """
    between = [f"{a:.4g}-{b:.4g}" for a, b in pairwise(edges)]
    return (*between, f">{edges[-1]:.4g}")


def distances_squared(sites: Array, others: Array, cell: Array | None) -> Array:
    """Return squared distances between nearest images in angstrom^2, (frame, site, other).

    Parameters
    ----------
    sites, others : array, shape (frame, site, xyz)
    cell : array, shape (frame, vector, xyz), or None
    """
    metric = np.broadcast_to(np.eye(3), (len(sites), 3, 3))
    if cell is not None:
        inverse = np.linalg.inv(cell)
        sites, others = sites @ inverse, others @ inverse
        metric = cell @ np.swapaxes(cell, 1, 2)
    parts = []
    for axis in range(3):
        difference = sites[:, :, None, axis] - others[:, None, :, axis]
        if cell is not None:
            difference -= np.rint(difference)
        parts.append(difference)
    total = np.zeros(parts[0].shape)
    for a in range(3):
        for b in range(a, 3):
            weight = metric[:, a, b, None, None] * (1 if a == b else 2)
            if np.any(weight):
                total += weight * parts[a] * parts[b]
    return total


def shell_currents(
    currents: MolecularCurrents, molecules: LazySeries, edges: Array, centers: Indices
) -> LazySeries:
    r"""Return the current of the molecules in each shell around some molecules.

    Parameters
    ----------
    currents : MolecularCurrents
    molecules : LazySeries, shape (frame, molecule, pol)
        Currents of the molecules in e angstrom/fs.
    edges : array, shape (shell,)
        In angstrom; the last shell is what lies beyond.
    centers : array of int
        The molecules in the middle.

    Returns
    -------
    LazySeries, shape (frame, shell, center, pol)
        :math:`b_I^s(t) = \sum_{J \neq I} m_J(t)` over the molecules J that are in shell s of I at
        that time, so that the shells of I add up to everything but I.
    """
    n_shells, n_centers, n_molecules = len(edges), len(centers), molecules.shape[1]
    step = max(1, _PAIRS // (n_centers * n_molecules))
    columns = np.arange(n_centers)

    def read(part: slice) -> Array:
        sums = np.empty((part.stop - part.start, n_shells, n_centers, 3))
        for start in range(part.start, part.stop, step):
            here = slice(start, min(start + step, part.stop))
            sites = currents.sites[here]
            cell = None if currents.cell is None else currents.cell[here]
            square = distances_squared(sites[:, centers], sites, cell)
            shell = _shell_of(square, edges)
            # a molecule is in no shell of its own: an extra one is counted and dropped
            shell[:, columns, centers] = n_shells
            n_here = len(square)
            place = shell + np.arange(n_here)[:, None, None] * (n_shells + 1)
            place = (place * n_centers + columns[:, None]).ravel()
            values = molecules[here]
            for pol in range(3):
                weights = np.broadcast_to(values[:, None, :, pol], square.shape).ravel()
                count = np.bincount(place, weights, n_here * (n_shells + 1) * n_centers)
                count = count.reshape(n_here, n_shells + 1, n_centers)
                sums[start - part.start : here.stop - part.start, ..., pol] = count[:, :-1]
        return sums

    return LazySeries((len(currents), n_shells, n_centers, 3), read)


def solute_shells(
    currents: MolecularCurrents, molecules: LazySeries, edges: Array
) -> tuple[LazySeries, tuple[str, ...]]:
    """Return the currents of solutes and of the shells of solvent around them, and their names.

    The solvent is the most frequent kind of molecules, and every other kind is a solute. A solvent
    molecule belongs to the shell of its nearest solute at each moment.

    Parameters
    ----------
    currents, molecules, edges
        As in `shell_currents`; there must be two kinds of molecules or more.

    Returns
    -------
    LazySeries, shape (frame, group, pol)
        In e angstrom/fs; the groups add up to everything.
    names : tuple of str
    """
    kinds = currents.table.kinds
    solvent = max(kinds, key=len)
    solutes = [kind for kind in kinds if kind is not solvent]
    centers = np.concatenate([kind.molecules for kind in solutes])
    step = max(1, _PAIRS // (len(centers) * len(solvent)))

    def read(part: slice) -> Array:
        groups = np.empty((part.stop - part.start, len(solutes) + len(edges), 3))
        for start in range(part.start, part.stop, step):
            here = slice(start, min(start + step, part.stop))
            sites = currents.sites[here]
            cell = None if currents.cell is None else currents.cell[here]
            square = distances_squared(sites[:, solvent.molecules], sites[:, centers], cell)
            shell = _shell_of(square.min(2), edges)
            values = molecules[here]
            row = groups[start - part.start : here.stop - part.start]
            for g, kind in enumerate(solutes):
                row[:, g] = values[:, kind.molecules].sum(1)
            inside = shell[:, None] == np.arange(len(edges))[:, None]
            row[:, len(solutes) :] = inside.astype(float) @ values[:, solvent.molecules]
        return groups

    names = [kind.formula for kind in solutes]
    names += [f"{solvent.formula} {name}" for name in shell_names(edges)]
    return LazySeries((len(currents), len(names), 3), read), tuple(names)


def _shell_of(square: Array, edges: Array) -> Indices:
    shell = np.zeros(square.shape, np.int64)
    for edge in edges[1:]:
        shell += square >= edge**2
    return shell
