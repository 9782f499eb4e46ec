"""Adapters: calculators, dipoles and networks of other packages as models, and the other way.

Nothing here is imported before it is used, so no other package is needed until then. In a
``model.yaml`` a class is named with its module, such as
``aptbench.models.adapters.ase_calculator:ASECalculatorModel``.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from aptbench.models.adapters.apt_calculator import APTCalculator as APTCalculator
    from aptbench.models.adapters.ase_calculator import ASECalculatorModel as ASECalculatorModel
    from aptbench.models.adapters.atoms import from_atoms as from_atoms
    from aptbench.models.adapters.atoms import to_atoms as to_atoms
    from aptbench.models.adapters.dipole_derivative import DipoleDerivative as DipoleDerivative
    from aptbench.models.adapters.external_python import ExternalPython as ExternalPython
    from aptbench.models.adapters.mace import MACEDipole as MACEDipole
    from aptbench.models.adapters.nequip import NequIPModel as NequIPModel
    from aptbench.models.adapters.torch_dipole import TorchDipole as TorchDipole

_PUBLIC = {
    "APTCalculator": "apt_calculator",
    "ASECalculatorModel": "ase_calculator",
    "DipoleDerivative": "dipole_derivative",
    "ExternalPython": "external_python",
    "MACEDipole": "mace",
    "NequIPModel": "nequip",
    "TorchDipole": "torch_dipole",
    "from_atoms": "atoms",
    "to_atoms": "atoms",
}

__all__ = sorted(_PUBLIC)


def __getattr__(name: str) -> Any:
    if name in _PUBLIC:
        return getattr(importlib.import_module(f"{__name__}.{_PUBLIC[name]}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return list(__all__)
