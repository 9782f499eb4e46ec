"""`Recipe`: the file that says how a data set is made."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Final, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

from aptbench.reference.recipe_file import read_recipe
from aptbench.reference.theory import Theory

COMMITTEE: Final = "bulkH2O-jcp2020-cnnp"
"""The committee neural-network potential of CP2K (doi:10.1063/5.0016004)."""
CLASSICAL: Final = "flexible SPC/E"
"""The force field of `aptbench.reference.classical`."""


class Stage(BaseModel):
    """One stretch of molecular dynamics; `steps` of the recipe's time step."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: str = Field(pattern=r"^[a-z0-9-]+$")
    ensemble: Literal["NVT", "NVE"]
    steps: int = Field(gt=0)
    thermostat_time: float = Field(50.0, gt=0, description="fs")
    match_energy: bool = Field(
        False,
        description="scale the velocities so that the total energy is the mean of the second half "
        "of the stage before: the temperature of an NVE stretch is then not left to chance",
    )
    append: bool = Field(
        False, description="an NVE stage that goes on with the trajectory of the stage before"
    )

    @model_validator(mode="after")
    def _check_append(self) -> Stage:
        if self.append and (self.ensemble != "NVE" or self.match_energy):
            raise ValueError("a stage to append is NVE and keeps the velocities ('match_energy')")
        return self


class Sampling(BaseModel):
    """How the dense trajectory is made: it is that of the last stage, or of the last one that is
    not appended and of those appended to it."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    potential: Literal["bulkH2O-jcp2020-cnnp", "flexible SPC/E"]
    member: int = Field(1, ge=1, le=8, description="of a committee potential")
    start: str = Field(description="xyz file of one frame, beside the recipe")
    composition: dict[str, int] | None = Field(
        None,
        description="counts of H2O and ions, in this order in the start; where there is no start "
        "they are packed into the cell and brought to temperature by the classical force field",
    )
    lattice: Literal["ice Ih"] | None = Field(
        None, description="the H2O of the composition are put on this lattice, not packed"
    )
    atoms_per_molecule: int = Field(3, ge=1, description="where there is no composition")
    cell: tuple[float, float, float] = Field(description="angstrom")
    temperature: float = Field(gt=0, description="K")
    timestep: float = Field(gt=0, le=1.0, description="fs")
    stride: int = Field(ge=1, description="steps between stored frames")
    seed: int
    stages: tuple[Stage, ...] = Field(min_length=1)

    @model_validator(mode="after")
    def _check_stages(self) -> Sampling:
        if len({stage.name for stage in self.stages}) < len(self.stages):
            raise ValueError("two stages have the same name")
        if self.stages[0].append:
            raise ValueError("the first stage has no stage before it that it could be appended to")
        if self.composition is None and self.potential == CLASSICAL:
            raise ValueError(f"the potential {self.potential!r} needs a composition")
        if any(stage.steps % self.stride for stage in self.stages):
            raise ValueError(f"the steps of a stage are no multiple of the stride {self.stride}")
        return self

    def identity_of(self, stage: Stage, *, without_steps: bool = False) -> str:
        """Return what the frames of a stage depend on, besides where it begins, as JSON."""
        without = {"steps"} if without_steps else set()
        fields = {"stage": stage.model_dump(exclude=without)}
        return json.dumps(
            {**fields, **self.model_dump(exclude={"stages", "start"})}, sort_keys=True
        )

    @property
    def trajectory_stages(self) -> tuple[int, ...]:
        """Numbers of the stages whose frames, one after the other, are the trajectory."""
        first = max(k for k, stage in enumerate(self.stages) if not stage.append)
        return tuple(range(first, len(self.stages)))


class Labelling(BaseModel):
    """Which frames are labelled, and how."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    frames: tuple[int, ...] = Field(description="frame numbers in order of worth")
    theory: Theory = Theory()


class Convergence(BaseModel):
    """Which settings are changed, one variant at a time, to measure the label noise."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    frame: int
    pol: Literal["x", "y", "z"] = "x"
    variants: tuple[dict[str, float | int | str | tuple[float, float, float]], ...]


class Recipe(BaseModel):
    """Everything that `aptbench sample`, `label` and `build` need to make one data set."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: str
    version: str = Field(pattern=r"^\d+\.\d+\.\d+$")
    title: str
    license: str
    system: str
    infrared_bands: dict[str, tuple[float, float]] = Field(
        default={}, description="limits in cm^-1; those of the spectral protocol if empty"
    )
    sample: Sampling
    label: Labelling
    convergence: Convergence | None = None

    @property
    def attrs(self) -> dict[str, Any]:
        """Attributes of the stores that are made by the recipe."""
        fields = {"name", "version", "title", "license"}
        if self.infrared_bands:
            fields.add("infrared_bands")
        return self.model_dump(mode="json", include=fields)

    @classmethod
    def read(cls, path: Path) -> Recipe:
        """Read and check a recipe file.

        Raises
        ------
        InputError
            If the file is missing, is not YAML, or has wrong or unknown entries.
        """
        return read_recipe(cls, path)
