"""`Recipe`: the file that says how a data set is made."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Final, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

from aptbench.errors import InputError
from aptbench.reference.own_trajectory import OwnTrajectory
from aptbench.reference.recipe_file import read_recipe
from aptbench.reference.theory import Theory

COMMITTEE: Final = "bulkH2O-jcp2020-cnnp"
"""The committee neural-network potential of CP2K (doi:10.1063/5.0016004)."""
CLASSICAL: Final = "flexible SPC/E"
"""The force field of `aptbench.reference.classical`."""


class Stage(BaseModel):
    """One stretch of molecular dynamics; `steps` of the recipe's time step."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: str = Field(pattern=r"^[a-z0-9-]+$", description="of its folder of raw files")
    ensemble: Literal["NVT", "NVE"] = Field(description="NVT or NVE")
    steps: int = Field(gt=0, description="a multiple of the stride")
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

    potential: Literal["bulkH2O-jcp2020-cnnp", "flexible SPC/E"] = Field(
        description="the committee neural network of CP2K, or a force field of water and ions"
    )
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
    seed: int = Field(description="of the first velocities")
    stages: tuple[Stage, ...] = Field(min_length=1, description="in order")

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
    theory: Theory = Field(Theory(), description="level of theory of the labels")


class Convergence(BaseModel):
    """Which settings are changed, one variant at a time, to measure the label noise."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    frame: int = Field(description="that is labelled with each variant")
    pol: Literal["x", "y", "z"] = Field("x", description="direction of the field")
    variants: tuple[dict[str, float | int | str | tuple[float, float, float]], ...] = Field(
        description="settings of the theory that differ, one variant each"
    )


class Recipe(BaseModel):
    """Everything that `aptbench sample`, `label` and `build` need to make one data set.

    The trajectory is run (``sample``) or is there already (``trajectory``).
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: str = Field(description="of the data set, and of its folder")
    version: str = Field(pattern=r"^\d+\.\d+\.\d+$", description="of the data")
    title: str = Field(description="one line")
    license: str = Field(description="of the data, such as CC-BY-4.0")
    system: str = Field(description="name of the system in the store")
    infrared_bands: dict[str, tuple[float, float]] = Field(
        default={}, description="limits in cm^-1; those of the spectral protocol if empty"
    )
    sample: Sampling | None = Field(None, description="dynamics that are run")
    trajectory: OwnTrajectory | None = Field(
        None, description="instead of 'sample': files of a trajectory that is there"
    )
    label: Labelling = Field(description="frames, and the level of theory")
    convergence: Convergence | None = Field(None, description="what 'aptbench converge' changes")

    @model_validator(mode="after")
    def _check_origin(self) -> Recipe:
        if (self.sample is None) == (self.trajectory is None):
            raise ValueError(
                "a recipe has either a section 'sample', dynamics that are run, or a section "
                "'trajectory', files of one that is there"
            )
        return self

    @property
    def sampling(self) -> Sampling:
        """The section ``sample``.

        Raises
        ------
        InputError
            If the recipe names a trajectory that is there instead.
        """
        if self.sample is None:
            raise InputError(
                f"The recipe of {self.name!r} has no section 'sample'.",
                got="a section 'trajectory', which is imported",
                do="run the dynamics with the program that made it",
            )
        return self.sample

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
