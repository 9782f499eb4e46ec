"""`Recipe`: the file that says how a data set is made."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from aptbench.reference.recipe_file import read_recipe
from aptbench.reference.theory import Theory


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


class Sampling(BaseModel):
    """How the dense trajectory is made; the last stage is the trajectory of the data set."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    potential: Literal["bulkH2O-jcp2020-cnnp"]
    member: int = Field(1, ge=1, le=8)
    start: str
    atoms_per_molecule: int = Field(3, ge=1, description="atoms of a molecule follow each other")
    cell: tuple[float, float, float] = Field(description="angstrom")
    temperature: float = Field(gt=0, description="K")
    timestep: float = Field(gt=0, le=1.0, description="fs")
    stride: int = Field(ge=1, description="steps between stored frames")
    seed: int
    stages: tuple[Stage, ...] = Field(min_length=1)


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
