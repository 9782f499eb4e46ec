"""`DenseRecipe`: the file that says how a densely labelled data set is made, and its dynamics."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import numpy.typing as npt
from pydantic import BaseModel, ConfigDict, Field, model_validator

from aptbench.atomic import write_archive
from aptbench.data.readers.xyz import atomic_numbers, only_block
from aptbench.errors import EngineError, InputError
from aptbench.frames import Frames
from aptbench.oracle.dynamics import ACCELERATION, thermal_velocities, velocity_verlet
from aptbench.reference.dense import taken
from aptbench.reference.label_settings import Cp2kLabels, PyscfLabels, XtbLabels
from aptbench.reference.recipe_file import read_recipe
from aptbench.reference.start import expect_start

if TYPE_CHECKING:
    from aptbench.reference.xtb import Xtb

Array = npt.NDArray[np.float64]
Progress = Callable[[str, int, int], None]
"""Called with the name of a stage, the frames done and the frames wanted."""
CHUNK = 200
"""Frames in a file of the dynamics."""


class Dynamics(BaseModel):
    """How the dense trajectory of an isolated system is made: Langevin, then constant energy."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    potential: Literal["GFN2-xTB"] = "GFN2-xTB"
    start: str = Field(description="an xyz file of one frame, beside the recipe")
    atoms_per_molecule: int | None = Field(None, ge=1, description="None: all atoms are one")
    total_charge: float = Field(0.0, description="e")
    temperature: float = Field(gt=0, description="K")
    friction: float = Field(0.02, gt=0, description="of the Langevin thermostat, 1/fs")
    equilibration_ps: float = Field(4.0, gt=0)
    length_ps: float = Field(gt=0)
    timestep: float = Field(0.5, gt=0, le=1.0, description="fs")
    stride: int = Field(4, ge=1, description="steps between stored frames")
    seed: int

    @property
    def spacing(self) -> float:
        """Time between stored frames in fs."""
        return self.timestep * self.stride

    @property
    def times(self) -> Array:
        """Times of the stored frames in fs, shape (frame,)."""
        n_frames = round(1000 * self.length_ps / self.spacing) + 1
        return np.arange(n_frames, dtype=np.float64) * self.spacing

    @model_validator(mode="after")
    def _check_spacing(self) -> Dynamics:
        if self.spacing > 2.0:
            raise ValueError(f"frames are {self.spacing} fs apart, at most 2 fs are allowed")
        return self


class DenseSystem(BaseModel):
    """One system: its dynamics, or the recipe whose trajectory of the same name it shares."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: str = Field(pattern=r"^[a-z0-9][a-z0-9.-]*$")
    sample: Dynamics | None = None
    sample_of: str | None = Field(None, description="path of another recipe, from this one")
    frames: int | None = Field(None, ge=2, description="keep the first frames only; None: all")
    label_every: int = Field(1, ge=1, description="label one frame of so many, from the first")
    infrared_bands: dict[str, tuple[float, float]] = Field(
        default={}, description="limits in cm^-1"
    )

    @model_validator(mode="after")
    def _check_source(self) -> DenseSystem:
        if (self.sample is None) == (self.sample_of is None):
            raise ValueError(f"the system {self.name!r} needs one of 'sample' and 'sample_of'")
        return self


class MolecularConvergence(BaseModel):
    """Which settings are changed, one variant at a time, to measure the label noise."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    systems: tuple[str, ...] = Field(min_length=1)
    frame: int = Field(ge=0, description="of the trajectory of each system")
    variants: tuple[dict[str, float | int | str], ...]


class DenseRecipe(BaseModel):
    """Everything that `aptbench dense` needs to make one data set."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    kind: Literal["dense"] = "dense"
    name: str
    version: str = Field(pattern=r"^\d+\.\d+\.\d+$")
    title: str
    license: str
    label: XtbLabels | PyscfLabels | Cp2kLabels = Field(discriminator="engine")
    segment: int = Field(200, ge=1, description="labelled frames in a raw file")
    systems: tuple[DenseSystem, ...] = Field(min_length=1)
    convergence: MolecularConvergence | None = None

    @property
    def attrs(self) -> dict[str, Any]:
        """Attributes of the store that is made by the recipe."""
        bands = {
            system.name: {name: list(limits) for name, limits in system.infrared_bands.items()}
            for system in self.systems
            if system.infrared_bands
        }
        attrs = self.model_dump(mode="json", include={"name", "version", "title", "license"})
        return attrs | ({"infrared_bands_by_system": bands} if bands else {})

    @classmethod
    def read(cls, path: Path) -> DenseRecipe:
        """Read and check a recipe file.

        Raises
        ------
        InputError
            If the file is missing, is not YAML, or has wrong or unknown entries.
        """
        return read_recipe(cls, path)

    def dynamics(self, system: DenseSystem, path: Path) -> tuple[str, Dynamics, Path]:
        """Return which data set samples a system, how, and the file of its first configuration.

        Parameters
        ----------
        system : DenseSystem
        path : Path
            Of this recipe.

        Raises
        ------
        InputError
            If the other recipe has no dynamics of this system.
        """
        if system.sample is not None:
            return self.name, system.sample, path.parent / system.sample.start
        assert system.sample_of is not None
        other_path = path.parent / system.sample_of
        other = DenseRecipe.read(other_path)
        for candidate in other.systems:
            if candidate.name == system.name and candidate.sample is not None:
                return other.name, candidate.sample, other_path.parent / candidate.sample.start
        raise InputError(f"The recipe {other_path} does not sample the system {system.name!r}.")


def read_molecules(path: Path, dynamics: Dynamics) -> Frames:
    """Read the first configuration of an isolated system.

    Raises
    ------
    InputError
        If there is no such file, or it does not have whole molecules.
    """
    block = only_block(path)
    fields = block.fields(4)
    numbers = atomic_numbers([row[0] for row in fields])
    size = dynamics.atoms_per_molecule or len(numbers)
    if len(numbers) % size:
        raise InputError(
            f"{path} does not hold whole molecules.",
            got=f"{len(numbers)} atoms",
            expected=f"a multiple of {size}",
        )
    return Frames(
        numbers,
        block.numbers(fields, slice(1, 4)),
        molecule=np.arange(len(numbers)) // size,
        total_charge=dynamics.total_charge,
    )


def sample_dense(
    dynamics: Dynamics,
    start: Frames,
    model: Xtb,
    folder: Path,
    progress: Progress | None = None,
) -> tuple[Array, Frames, Array]:
    """Return the dense trajectory of an isolated system, resumable.

    A Langevin stretch at the wanted temperature comes first. The stretch of constant energy
    starts from that frame of its second half whose total energy is nearest to the mean there, so
    that the temperature is not left to chance, without the momentum of the whole (a rotation of
    the whole is kept). Files of 200 frames in float64 are written as they come.

    Parameters
    ----------
    dynamics : Dynamics
    start : Frames
        One frame.
    model : Xtb
    folder : Path
    progress : callable, optional

    Returns
    -------
    times : array, shape (frame,)
        In fs.
    frames : Frames
        With velocities, unrounded.
    energies : array, shape (frame,)
        Potential energies in eV.

    Raises
    ------
    InputError
        If the folder holds dynamics of other settings; a changed length is no such change.
    EngineError
        If the system flew apart: its largest extent became five times that of the start.
    """
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    while True:
        with taken(folder / "sample.lock") as mine:
            if mine:
                return _sample(dynamics, start, model, folder, progress)
        time.sleep(2.0)


def total_energies(frames: Frames, potential: Array) -> Array:
    """Return total energies in eV without that of the motion of the whole, shape (frame,)."""
    velocities = _internal(frames).velocities
    assert velocities is not None
    return potential + (frames.masses[:, None] * velocities**2).sum((1, 2)) / (2 * ACCELERATION)


def _sample(
    dynamics: Dynamics,
    start: Frames,
    model: Xtb,
    folder: Path,
    progress: Progress | None,
) -> tuple[Array, Frames, Array]:
    hot = start.replace(velocities=thermal_velocities(start, dynamics.temperature, dynamics.seed))
    n_hot = round(1000 * dynamics.equilibration_ps / dynamics.spacing) + 1
    frames, energies = _run(dynamics, hot, model, folder, "equilibration", n_hot, progress)
    half = n_hot // 2
    total = total_energies(frames, energies)[half:]
    nearest = half + int(np.argmin(np.abs(total - total.mean())))
    begin = _internal(frames[nearest])
    times = dynamics.times
    frames, energies = _run(dynamics, begin, model, folder, "production", len(times), progress)
    return times, frames, energies


def _run(
    dynamics: Dynamics,
    start: Frames,
    model: Xtb,
    folder: Path,
    stage: str,
    n_frames: int,
    progress: Progress | None,
) -> tuple[Frames, Array]:
    settings = dynamics.model_dump_json(exclude={"length_ps"})
    extent = _extent(start)
    positions, velocities, energies = [], [], []
    last, done = start, 0
    while done < n_frames:
        path = folder / f"{stage}_{done:06d}.npz"
        if not path.exists():
            seed = np.random.SeedSequence([dynamics.seed, done]).generate_state(1)[0]
            # The first frame of a chunk after the first is the last one of the chunk before.
            chunk = velocity_verlet(
                model,
                last,
                n_frames=CHUNK + min(done, 1),
                time_step=dynamics.timestep,
                stride=dynamics.stride,
                temperature=dynamics.temperature if stage == "equilibration" else None,
                friction=dynamics.friction,
                seed=int(seed),
            )[min(done, 1) :]
            if _extent(chunk) > 5 * extent:
                raise EngineError(
                    f"The system in {folder} flew apart.",
                    got=f"an extent of {_extent(chunk):.1f} angstrom",
                    expected=f"about the {extent:.1f} angstrom of the start",
                    do="lower the temperature or the time step, or relax the start",
                )
            _save(path, settings, chunk, model.energies(chunk))
        x, v, e = _load(path, settings)
        if not done:
            expect_start(folder, x[0], start, 1e-6)
        positions.append(x)
        velocities.append(v)
        energies.append(e)
        last = start.replace(positions=x[-1:], velocities=v[-1:])
        done += len(x)
        if progress:
            progress(stage, min(done, n_frames), n_frames)
    frames = start.replace(
        positions=np.concatenate(positions)[:n_frames],
        velocities=np.concatenate(velocities)[:n_frames],
    )
    return frames, np.concatenate(energies)[:n_frames]


def _save(path: Path, settings: str, chunk: Frames, energies: Array) -> None:
    assert chunk.velocities is not None
    arrays = {"positions": chunk.positions, "velocities": chunk.velocities, "energies": energies}
    write_archive({"settings": settings, **arrays}, path, compressed=False)


def _load(path: Path, settings: str) -> tuple[Array, Array, Array]:
    with np.load(path) as file:
        found = str(file["settings"])
        if json.loads(found) != json.loads(settings):
            raise InputError(
                f"The dynamics in {path.parent} have other settings than the recipe.",
                got=found,
                expected=settings,
                do=f"remove {path.parent} and sample again, or use another folder",
            )
        return file["positions"], file["velocities"], file["energies"]


def _internal(frames: Frames) -> Frames:
    """Return frames with the centre of mass at rest in the origin."""
    assert frames.velocities is not None
    weight = frames.masses / frames.masses.sum()
    return frames.replace(
        positions=frames.positions - np.einsum("a,fax->fx", weight, frames.positions)[:, None],
        velocities=frames.velocities - np.einsum("a,fax->fx", weight, frames.velocities)[:, None],
    )


def _extent(frames: Frames) -> float:
    return float(np.ptp(frames.positions, axis=1).max())
