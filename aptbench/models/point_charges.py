"""`PointCharges`: what a fixed-charge force field says about the atomic polar tensor."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from aptbench.elements import SYMBOLS
from aptbench.errors import InputError, UnknownNameError
from aptbench.frames import Frames
from aptbench.models.protocol import Array
from aptbench.models.water_molecules import water_molecules


@dataclass(frozen=True)
class WaterModel:
    """Charges of a water model and where they come from.

    Parameters
    ----------
    hydrogen : float
        Charge of a hydrogen in e; the negative site has minus twice this.
    doi : str
        The publication.
    site_weight : float
        Weight w of each hydrogen in the position of the negative site,
        R_M = (1 - 2 w) R_O + w (R_H1 + R_H2); zero where the oxygen carries the charge.
    """

    hydrogen: float
    doi: str
    site_weight: float = 0.0

    @property
    def nuclear_charges(self) -> tuple[float, float]:
        """Effective charges of O and of H, in e: the exact dM/dR of the linear site."""
        negative = -2 * self.hydrogen
        return negative * (1 - 2 * self.site_weight), self.hydrogen + negative * self.site_weight


def _site(distance: float, bond: float, angle: float) -> float:
    """Weight that puts the site ``distance`` from O on the bisector of the rigid geometry."""
    return distance / (2 * bond * math.cos(math.radians(angle) / 2))


WATER_MODELS: Final[dict[str, WaterModel]] = {
    "SPC": WaterModel(0.41, "10.1007/978-94-015-7658-1_21"),
    "SPC/E": WaterModel(0.4238, "10.1021/j100308a038"),
    "SPC/Fw": WaterModel(0.41, "10.1063/1.2136877"),
    "q-SPC/Fw": WaterModel(0.42, "10.1063/1.2386157"),
    "TIP3P": WaterModel(0.417, "10.1063/1.445869"),
    "TIP3P-Ew": WaterModel(0.415, "10.1063/1.1808117"),
    "TIP3P-FB": WaterModel(0.424224345, "10.1021/jz500737m"),
    "OPC3": WaterModel(0.447585, "10.1063/1.4960175"),
    "TIP4P": WaterModel(0.52, "10.1063/1.445869", _site(0.15, 0.9572, 104.52)),
    "TIP4P-Ew": WaterModel(0.52422, "10.1063/1.1683075", _site(0.125, 0.9572, 104.52)),
    "TIP4P/2005": WaterModel(0.5564, "10.1063/1.2121687", _site(0.1546, 0.9572, 104.52)),
    "TIP4P/Ice": WaterModel(0.5897, "10.1063/1.1931662", _site(0.1577, 0.9572, 104.52)),
    "TIP4P-FB": WaterModel(0.52587, "10.1021/jz500737m", _site(0.10527, 0.9572, 104.52)),
    "OPC": WaterModel(0.6791, "10.1021/jz501780a", _site(0.1594, 0.8724, 103.6)),
    "q-TIP4P/F": WaterModel(0.5564, "10.1063/1.3167790", (1 - 0.73612) / 2),
}
"""Water models by name. Models with out-of-plane sites (TIP5P, ST2) are not linear: left out."""

_ALKALI = {"Li": 1.0, "Na": 1.0, "K": 1.0, "Rb": 1.0, "Cs": 1.0}
_HALIDE = {"F": -1.0, "Cl": -1.0, "Br": -1.0, "I": -1.0}


@dataclass(frozen=True)
class IonModel:
    """Charges of monatomic ions by symbol, in e, and where they come from."""

    charges: dict[str, float]
    doi: str


ION_MODELS: Final[dict[str, IonModel]] = {
    "Joung-Cheatham": IonModel({**_ALKALI, **_HALIDE}, "10.1021/jp8001614"),
    "Li-Merz": IonModel(
        {"Mg": 2.0, "Ca": 2.0, "Sr": 2.0, "Ba": 2.0, "Zn": 2.0}, "10.1021/ct400146w"
    ),
    "Madrid-2019": IonModel(
        {"Li": 0.85, "Na": 0.85, "K": 0.85, "Cl": -0.85, "Mg": 1.7, "Ca": 1.7}, "10.1063/1.5121392"
    ),
}
"""Ion models by name. Madrid-2019 scales the charges for electronic screening."""


class PointCharges:
    """Predict q * identity with the charges of a water model and of ions.

    Nothing is learned. The charge of a massless site is divided over the nuclei that define its
    position, with the weights of the linear site: that is the exact derivative of the dipole of
    the model, not an approximation. For rigid models the weights are those of the rigid geometry.

    Parameters
    ----------
    water : str
        A key of `WATER_MODELS`; letter case does not matter.
    ions : str
        A key of `ION_MODELS`.

    Raises
    ------
    UnknownNameError
        If there is no such water or ion model.

    Notes
    -----
    With M = sum q_k R_k and R_M = (1 - 2 w) R_O + w (R_H1 + R_H2):
    P_O = (1 - 2 w) q_M, P_H = q_H + w q_M.

    Examples
    --------
    >>> frames = Frames([8, 1, 1], [[0, 0, 0], [0.96, 0, 0], [-0.24, 0.93, 0]])
    >>> PointCharges("SPC/E").predict(frames)[0, :, 0, 0]
    array([-0.8476,  0.4238,  0.4238])
    """

    def __init__(self, water: str = "SPC/Fw", ions: str = "Joung-Cheatham") -> None:
        self.name = "point-charges"
        self.water = _lookup("water model", water, WATER_MODELS)
        self.ions = _lookup("ion model", ions, ION_MODELS)

    @property
    def n_parameters(self) -> int:
        """Number of learned numbers: none."""
        return 0

    def predict(self, frames: Frames) -> Array:
        """Return q * identity, shape (frame, atom, pol, disp), in e.

        Raises
        ------
        InputError
            If an atom belongs neither to a water molecule nor to a known ion.
        """
        charge = self.charges(frames)
        return np.broadcast_to(
            charge[None, :, None, None] * np.eye(3), (len(frames), len(charge), 3, 3)
        ).copy()

    def charges(self, frames: Frames) -> npt.NDArray[np.float64]:
        """Return the effective nuclear charges, shape (atom,), in e."""
        numbers = frames.atomic_numbers
        waters = water_molecules(frames)
        charge = np.full(len(numbers), np.nan)
        oxygen, hydrogen = WATER_MODELS[self.water].nuclear_charges
        charge[waters[:, 0]] = oxygen
        charge[waters[:, 1:]] = hydrogen
        table = ION_MODELS[self.ions].charges
        for atom in np.flatnonzero(np.isnan(charge)):
            symbol = SYMBOLS[numbers[atom]]
            if symbol not in table:
                where = "outside a water molecule " if symbol in ("H", "O") else ""
                raise InputError(
                    f"There is no point charge for {symbol} {where}(atom {atom}).",
                    expected=f"water, or the ions {', '.join(table)} of {self.ions}",
                    do="choose another ion model: " + ", ".join(ION_MODELS),
                )
            charge[atom] = table[symbol]
        return charge


def _lookup(kind: str, name: str, table: dict[str, WaterModel] | dict[str, IonModel]) -> str:
    by_lower = {key.lower(): key for key in table}
    if name.lower() not in by_lower:
        raise UnknownNameError(kind, name, table)
    return by_lower[name.lower()]
