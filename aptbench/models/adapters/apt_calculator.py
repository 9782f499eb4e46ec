"""`APTCalculator`: any aptbench model as an ASE calculator with Born effective charges."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from ase.calculators.calculator import Calculator, all_changes

from aptbench.conventions import to_pol_disp
from aptbench.errors import InputError
from aptbench.models.adapters.atoms import from_atoms
from aptbench.models.protocol import APTModel, checked_prediction
from aptbench.models.registry import load_model


class APTCalculator(Calculator):
    """Offer ``born_effective_charges``, and ``dipole`` if the model has one, to ASE.

    Parameters
    ----------
    model : APTModel, str or Path
        A model, its name or its folder.
    order : {"pol,disp", "disp,pol"}
        Order of the last two indices of the tensors. The default is that of aptbench:
        ``born_effective_charges[atom, pol, disp]`` = dM_pol / dR_disp = dF_disp / dE_pol, in e.

    Notes
    -----
    There is no energy: combine it with a calculator of forces to run dynamics. The dipole is in
    e angstrom, as everywhere in ASE.

    Examples
    --------
    >>> from ase.build import molecule
    >>> from aptbench.oracle import PolarizableWater
    >>> water = molecule("H2O")
    >>> water.calc = APTCalculator(PolarizableWater())
    >>> water.calc.get_property("born_effective_charges", water).shape
    (3, 3, 3)
    >>> water.get_dipole_moment().shape
    (3,)
    """

    implemented_properties: list[str] = ["born_effective_charges", "dipole"]  # noqa: RUF012

    def __init__(self, model: APTModel | str | Path, *, order: str = "pol,disp") -> None:
        super().__init__()
        to_pol_disp(np.eye(3), order)  # refuse an unknown order here and not in a calculation
        self.order = order
        self.model = load_model(model) if isinstance(model, str | Path) else model
        if not callable(getattr(self.model, "dipole", None)):
            self.implemented_properties = ["born_effective_charges"]

    def calculate(
        self,
        atoms: Any = None,
        properties: list[str] | None = None,
        system_changes: list[str] = all_changes,
    ) -> None:
        """Predict what is asked for; ASE calls this."""
        super().calculate(atoms, properties, system_changes)
        if self.atoms is None:
            raise InputError("The calculator has no atoms.", do="give atoms to get_property")
        frames = from_atoms(self.atoms)
        wanted = properties or ["born_effective_charges"]
        if "born_effective_charges" in wanted:
            name = str(getattr(self.model, "name", type(self.model).__name__))
            apt = checked_prediction(self.model.predict(frames), frames, name=name)[0]
            # the transposition is its own inverse
            self.results["born_effective_charges"] = to_pol_disp(apt, self.order)
        if "dipole" in wanted:
            model: Any = self.model
            self.results["dipole"] = np.asarray(model.dipole(frames), float)[0]
