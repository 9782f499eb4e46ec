"""`molecular_modes`: velocities of molecules as translation, rotation and internal motion."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

import numpy as np
import numpy.typing as npt

from aptbench.elements import standard_masses
from aptbench.errors import AlignmentError, InputError
from aptbench.molecules import MoleculeKind

Array = npt.NDArray[np.float64]

WATER_MODES: Final = (
    "translation",
    "libration",
    "bend",
    "symmetric stretch",
    "antisymmetric stretch",
)
"""Modes of a water molecule."""
MODES: Final = ("translation", "rotation", "internal")
"""Modes of any other molecule; a single atom has the first only."""

# relative size of a moment of inertia below which a molecule is linear
_SINGULAR: Final = 1e-9
# molecules decomposed at once: few enough to stay in the cache
_CHUNK: Final = 4096


def mode_names(kind: MoleculeKind) -> tuple[str, ...]:
    """Return the names of the modes of a kind of molecules."""
    if kind.formula == "H2O":
        return WATER_MODES
    return MODES[:1] if len(kind.atomic_numbers) == 1 else MODES


def modes_of(kinds: Iterable[MoleculeKind]) -> tuple[str, ...]:
    """Return the names of the modes of several kinds of molecules, each once."""
    return tuple(dict.fromkeys(name for kind in kinds for name in mode_names(kind)))


def water_geometry(bond: float = 0.9572, angle: float = 104.52) -> Array:
    """Return a water molecule from its bond in angstrom and angle in degrees, O H H by xyz.

    The default is the equilibrium of the gas (Benedict, Gailar, Plyler, J. Chem. Phys. 24, 1139
    (1956), doi:10.1063/1.1742731).

    >>> water_geometry(1.0, 90.0).round(3) + 0.0
    array([[ 0.   ,  0.   ,  0.   ],
           [ 0.707,  0.707,  0.   ],
           [-0.707,  0.707,  0.   ]])
    """
    half = np.radians(angle) / 2
    x, y = bond * np.sin(half), bond * np.cos(half)
    return np.array([[0, 0, 0], [x, y, 0], [-x, y, 0]], float)


def molecular_modes(
    kind: MoleculeKind,
    positions: npt.ArrayLike,
    velocities: npt.ArrayLike,
    reference: npt.ArrayLike | None = None,
) -> Array:
    r"""Split velocities of molecules of one kind into modes that add up to them.

    Parameters
    ----------
    kind : MoleculeKind
    positions : array, shape (frame, molecule, atom, xyz)
        In angstrom, of whole molecules, atoms in the order of the kind.
    velocities : array, shape (frame, molecule, atom, xyz)
        In angstrom/fs.
    reference : array, shape (atom, xyz), optional
        Geometry in angstrom that defines the Eckart frame. Not given, it is `water_geometry` for
        water, and for other molecules what they are at each moment.

    Returns
    -------
    array, shape (frame, molecule, mode, atom, xyz)
        Velocities in angstrom/fs of the modes of `mode_names`.

    Raises
    ------
    AlignmentError
        If a shape does not fit the kind.
    InputError
        If a water molecule is straight, or the reference is.

    Notes
    -----
    With masses m, positions r and velocities v relative to the centre of mass, and the reference c
    turned into the Eckart frame, :math:`\sum_i m_i\, c_i \times r_i = 0` (Eckart, Phys. Rev. 47,
    552 (1935), doi:10.1103/PhysRev.47.552). The frame turns with the angular velocity for which
    the internal velocity :math:`u_i = v_i - \omega \times r_i` obeys the same condition,

    .. math:: \sum_i m_i \left[(c_i \cdot r_i)\, 1 - r_i c_i^T\right] \omega
              = \sum_i m_i\, c_i \times v_i .

    With c = r this is the inertia tensor and the angular momentum. A linear molecule does not turn
    about its axis (pseudo-inverse). One that is only nearly linear does, unless a linear reference
    is given. A reference may be mirrored to fit, so the order of like atoms does not matter.

    The internal velocity of water is :math:`u = A B u` exactly, with the Wilson B matrix of both
    bonds and the angle at the reference and :math:`A = M^{-1} B^T (B M^{-1} B^T)^{-1}` (Wilson,
    Decius, Cross, Molecular Vibrations (1955)); stretches are :math:`(r_1 \pm r_2) / \sqrt 2`.

    Examples
    --------
    >>> from aptbench import Frames
    >>> from aptbench.molecules import MoleculeTable
    >>> places = water_geometry(1.0, 104.0)
    >>> kind = MoleculeTable.of(Frames([8, 1, 1], places)).kinds[0]
    >>> turning = np.cross([0, 0, 0.01], places)
    >>> modes = molecular_modes(kind, places[None, None], turning[None, None])
    >>> np.abs(modes[0, 0]).max((-1, -2)).round(4).tolist()
    [0.0007, 0.0079, 0.0, 0.0, 0.0]
    """
    r, v = np.asarray(positions, float), np.asarray(velocities, float)
    n_atoms = len(kind.atomic_numbers)
    if r.ndim != 4 or r.shape[2:] != (n_atoms, 3) or v.shape != r.shape:
        raise AlignmentError(
            f"Positions and velocities do not fit the molecules {kind.formula}.",
            got=f"{r.shape} and {v.shape}",
            expected=f"twice (frame, molecule, {n_atoms}, 3)",
        )
    if reference is not None and np.shape(reference) != (n_atoms, 3):
        raise AlignmentError(
            f"The reference geometry does not fit the molecules {kind.formula}.",
            got=np.shape(reference),
            expected=(n_atoms, 3),
        )
    shape = r.shape
    r, v = r.reshape(-1, n_atoms, 3), v.reshape(-1, n_atoms, 3)
    modes = np.empty((len(r), len(mode_names(kind)), n_atoms, 3))
    if n_atoms > 1:
        shares = kind.masses / kind.masses.sum()
        water = None
        if kind.formula == "H2O":
            water = _Water(water_geometry() if reference is None else np.asarray(reference, float))
        c = None if reference is None else np.asarray(reference, float)
        for start in range(0, len(r), _CHUNK):
            part = slice(start, start + _CHUNK)
            drift = np.einsum("a,nax->nx", shares, v[part])[:, None]
            center = np.einsum("a,nax->nx", shares, r[part])[:, None]
            modes[part, 0] = drift
            if water is not None:
                water.split(r[part] - center, v[part] - drift, modes[part, 1:])
            else:
                _split(r[part] - center, v[part] - drift, shares, c, modes[part, 1:])
    else:
        modes[:, 0] = v
    return modes.reshape(*shape[:2], *modes.shape[1:])


def mode_currents(
    kind: MoleculeKind,
    positions: npt.ArrayLike,
    velocities: npt.ArrayLike,
    apt: npt.ArrayLike,
    reference: npt.ArrayLike | None = None,
) -> Array:
    """Return the currents that the modes of molecules of one kind carry; they add up to the whole.

    Parameters
    ----------
    kind, positions, velocities, reference
        As in `molecular_modes`.
    apt : array, shape (..., frame, molecule, atom, pol, disp)
        In e; of several, such as prediction and reference, the velocities are split once.

    Returns
    -------
    array, shape (..., frame, molecule, mode, pol)
        In e angstrom/fs, of the modes of `mode_names`.
    """
    split = molecular_modes(kind, positions, velocities, reference)
    # (frame, molecule, mode, atom and disp) times (..., atom and disp, pol)
    response = np.swapaxes(np.asarray(apt, float), -1, -2)
    return np.asarray(
        split.reshape(*split.shape[:3], -1) @ response.reshape(*response.shape[:-3], -1, 3)
    )


def _split(r: Array, v: Array, shares: Array, reference: Array | None, out: Array) -> None:
    """Write rotation and internal velocity, shape (molecule, 2, atom, xyz)."""
    c = r if reference is None else _turned(r, shares, reference)
    weighted = shares[:, None] * c
    tensor = np.swapaxes(r, 1, 2) @ weighted
    matrix = np.trace(tensor, axis1=1, axis2=2)[:, None, None] * np.eye(3) - tensor
    moment = np.cross(weighted, v).sum(1)
    omega = (np.linalg.pinv(matrix, rcond=_SINGULAR) @ moment[..., None])[..., 0]
    out[:, 0] = np.cross(omega[:, None], r)
    out[:, 1] = v - out[:, 0]


def _turned(r: Array, shares: Array, reference: Array) -> Array:
    """Return the reference turned (and mirrored, if nearer) into the Eckart frames."""
    c = reference - shares @ reference
    left, _, right = np.linalg.svd((shares[:, None] * c).T @ r)
    return c @ (left @ right)


class _Water:
    """The decomposition of water in closed form: three atoms are always in a plane."""

    def __init__(self, reference: Array) -> None:
        masses = standard_masses([8, 1, 1])
        self.shares = masses / masses.sum()
        bonds = reference[1:] - reference[:1]
        lengths = np.linalg.norm(bonds, axis=1)
        cosine = bonds[0] @ bonds[1] / lengths.prod()
        if lengths.min() < 1e-3 or abs(cosine) > 1 - 1e-9:
            raise InputError("The reference geometry of water is straight.", got=reference.tolist())
        c = water_geometry(1.0, float(np.degrees(np.arccos(cosine))))
        c[1:] *= lengths[:, None]
        self.reference = (c - self.shares @ c)[:, :2]
        wilson = _wilson(c[:, :2])
        spread = wilson / np.repeat(masses, 2)
        # velocities by rates of the internal coordinates, (atom and xy, coordinate)
        self.wilson, self.response = wilson, spread.T @ np.linalg.inv(spread @ wilson.T)

    def split(self, r: Array, v: Array, out: Array) -> None:
        """Write libration, bend and stretches, shape (molecule, 4, atom, xyz)."""
        frame = self._frames(r)
        rb, vb = r @ frame, v @ frame
        weighted = self.shares[:, None] * self.reference
        x, y = rb[..., 0], rb[..., 1]
        # the equation for the angular velocity; in and out of the plane do not mix
        xx, yy, xy = y @ weighted[:, 1], x @ weighted[:, 0], -(x @ weighted[:, 1])
        bx, by = vb[..., 2] @ weighted[:, 1], -(vb[..., 2] @ weighted[:, 0])
        determinant = xx * yy - xy**2
        wx = (yy * bx - xy * by) / determinant
        wy = (xx * by - xy * bx) / determinant
        wz = (vb[..., 1] @ weighted[:, 0] - vb[..., 0] @ weighted[:, 1]) / (xx + yy)
        turning = np.empty_like(rb)
        turning[..., 0], turning[..., 1] = -wz[:, None] * y, wz[:, None] * x
        turning[..., 2] = wx[:, None] * y - wy[:, None] * x
        back = np.swapaxes(frame, 1, 2)
        out[:, 0] = turning @ back
        inner = (vb - turning)[..., :2].reshape(len(r), 6)
        rates = inner @ self.wilson.T
        parts = (rates[:, :, None] * self.response.T).reshape(len(r), 9, 2)
        out[:, 1:] = (parts @ back[:, :2]).reshape(len(r), 3, 3, 3)

    def _frames(self, r: Array) -> Array:
        """Return the Eckart frames, shape (molecule, xyz, axis); the third axis is the normal."""
        first, second = r[:, 1] - r[:, 0], r[:, 2] - r[:, 0]
        normal = np.cross(first, second)
        size = np.linalg.norm(normal, axis=1, keepdims=True)
        if size.min() < 1e-8:
            raise InputError(
                "A water molecule is straight: it has no plane.",
                got=f"angles of 0 or 180 degrees in {int((size < 1e-8).sum())} places",
                do="check positions and molecules",
            )
        normal /= size
        one = first - second
        one /= np.linalg.norm(one, axis=1, keepdims=True)
        two = np.cross(normal, one)
        x, y = (r @ one[..., None])[..., 0], (r @ two[..., None])[..., 0]
        weighted = self.shares[:, None] * self.reference
        sine = y @ weighted[:, 0] - x @ weighted[:, 1]
        cosine = x @ weighted[:, 0] + y @ weighted[:, 1]
        size = np.hypot(sine, cosine)
        sine, cosine = (sine / size)[:, None], (cosine / size)[:, None]
        return np.stack([cosine * one + sine * two, cosine * two - sine * one, normal], -1)


def _wilson(c: Array) -> Array:
    """Return the B matrix of bend and both stretches in the plane, (coordinate, atom and xy)."""
    bonds = c[1:] - c[:1]
    length = np.linalg.norm(bonds, axis=1, keepdims=True)
    unit = bonds / length
    # each hydrogen moves away from the other bond
    away = np.stack([-unit[:, 1], unit[:, 0]], 1) * np.array([[-1], [1]]) / length
    rows = np.zeros((3, 3, 2))
    rows[0, 1:] = away
    for row, sign in ((1, 1), (2, -1)):
        rows[row, 1], rows[row, 2] = unit[0] / 2**0.5, sign * unit[1] / 2**0.5
    rows[:, 0] = -rows[:, 1:].sum(1)
    return rows.reshape(3, 6)
