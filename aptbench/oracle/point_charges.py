"""`PointCharges`: tensors that are a charge times identity (synthetic)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from aptbench.elements import SYMBOLS
from aptbench.errors import UnknownNameError
from aptbench.frames import Frames

Array = npt.NDArray[np.float64]


@dataclass(frozen=True)
class PointCharges:
    """Rigid point charges by species.

    Parameters
    ----------
    charges : mapping of str to float
        Charge in e of each chemical symbol.

    Examples
    --------
    >>> salt = PointCharges({"Na": 1.0, "Cl": -1.0})
    >>> ions = Frames([11, 17], [[0, 0, 0], [0, 0, 2.5]])
    >>> salt.dipole(ions), salt.predict(ions)[0, 1, 2, 2]
    (array([[ 0. ,  0. , -2.5]]), np.float64(-1.0))
    """

    charges: Mapping[str, float]

    def predict(self, frames: Frames) -> Array:
        """Return tensors in e, shape (frame, atom, pol, disp)."""
        apt = self._charges(frames)[:, None, None] * np.eye(3)
        return np.broadcast_to(apt, (len(frames), *apt.shape)).copy()

    def dipole(self, frames: Frames) -> Array:
        """Return the dipole from the unwrapped positions in e angstrom, shape (frame, pol)."""
        return np.einsum("a,fax->fx", self._charges(frames), frames.positions)

    def _charges(self, frames: Frames) -> Array:
        symbols = [SYMBOLS[z] for z in frames.atomic_numbers]
        for symbol in symbols:
            if symbol not in self.charges:
                raise UnknownNameError("charge of an element", symbol, self.charges)
        return np.array([self.charges[symbol] for symbol in symbols], float)
