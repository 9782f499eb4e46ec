"""`Theory`: the level of theory and the numerical settings of a label."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any


@dataclass(frozen=True)
class Theory:
    """Settings of a CP2K Quickstep finite-field label.

    Parameters
    ----------
    functional : {"RPBE", "PBE"}
        Dispersion corrections do not depend on the field and are left out.
    basis, basis_file, potential : str
        Names in CP2K's data folder.
    cutoff, rel_cutoff : float
        Plane-wave cutoffs of the density grids in Ry.
    n_grids : int
    eps_default, eps_scf : float
        Integral and self-consistency thresholds.
    outer_scf : int
        Rebuilds of the preconditioner before a run counts as not converged.
    field : float
        Step of the central difference in atomic units (51.42 V/angstrom each).
    """

    functional: str = "RPBE"
    basis: str = "TZV2P-GTH"
    basis_file: str = "GTH_BASIS_SETS"
    potential: str = "GTH-PBE"
    cutoff: float = 500.0
    rel_cutoff: float = 40.0
    n_grids: int = 5
    eps_default: float = 1e-10
    eps_scf: float = 3e-7
    outer_scf: int = 8
    field: float = 5e-4

    def as_dict(self) -> dict[str, Any]:
        """Return the settings as plain values, for records and store attributes."""
        return asdict(self)
