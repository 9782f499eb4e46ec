"""`LabelSettings`: engine and settings of labels of isolated systems, as a recipe has them."""

from __future__ import annotations

from collections.abc import Mapping
from functools import reduce
from typing import Any, ClassVar, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from aptbench.errors import InputError
from aptbench.json_file import faults
from aptbench.reference.dense import DenseLabeller
from aptbench.reference.theory import Theory


class LabelSettings(BaseModel):
    """Engine and settings of labels of isolated systems, the section ``label`` of a recipe."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    SETTINGS: ClassVar[Mapping[str, tuple[str, ...]]]
    """Where the entry is of what the provenance of labels names so."""

    def changed(self, settings: Mapping[str, Any]) -> Self:
        """Return the same with other settings, by their names in the provenance of labels.

        Raises
        ------
        InputError
            If there is no such setting, or it cannot have the value.
        """
        entries = self.model_dump()
        for name, value in settings.items():
            if name not in self.SETTINGS:
                raise InputError(
                    "A variant changes a setting that does not exist.",
                    got=name,
                    expected=f"some of {', '.join(self.SETTINGS)}",
                )
            *path, last = self.SETTINGS[name]
            reduce(lambda part, key: part[key], path, entries)[last] = value
        try:
            return type(self).model_validate(entries)
        except ValidationError as error:
            raise InputError("A setting cannot have such a value.", got=faults(error)) from None

    def labeller(self) -> DenseLabeller:
        """Return the labeller with these settings."""
        raise NotImplementedError


class XtbLabels(LabelSettings):
    """Labels by `aptbench.reference.xtb.Xtb`."""

    SETTINGS = {"functional": ("method",), "accuracy": ("accuracy",), "field": ("field_step",)}

    engine: Literal["tblite"]
    method: str = "GFN2-xTB"
    accuracy: float = 1e-4
    field_step: float = 5e-4

    def labeller(self) -> DenseLabeller:
        """Return the labeller with these settings."""
        from aptbench.reference.xtb import Xtb

        return Xtb(**self.model_dump(exclude={"engine"}))


class PyscfLabels(LabelSettings):
    """Labels by `aptbench.reference.pyscf_field.PyscfField`."""

    SETTINGS = {
        **{name: (name,) for name in ("functional", "basis", "grid_level")},
        "eps_scf": ("convergence",),
        "field": ("field_step",),
    }

    engine: Literal["pyscf"]
    functional: str
    basis: str
    grid_level: int = 3
    convergence: float = 1e-11
    field_step: float = 1e-3

    def labeller(self) -> DenseLabeller:
        """Return the labeller with these settings."""
        from aptbench.reference.pyscf_field import PyscfField

        return PyscfField(**self.model_dump(exclude={"engine"}))


class Cp2kLabels(LabelSettings):
    """Labels by `aptbench.reference.cp2k_field.Cp2kField`."""

    SETTINGS = {
        **{name: ("theory", name) for name in Theory().as_dict()},
        "box_margin": ("margin",),
    }

    engine: Literal["cp2k"]
    theory: Theory = Theory()
    margin: float = Field(2.7, gt=0, description="of the box around the atoms, angstrom")
    ranks: int = Field(1, ge=1, description="MPI processes a run")

    def labeller(self) -> DenseLabeller:
        """Return the labeller with these settings."""
        from aptbench.reference.cp2k_field import Cp2kField
        from aptbench.reference.engine import Cp2k

        return Cp2kField(self.theory, self.margin, Cp2k(self.ranks))
