"""`sample`: a dense trajectory with positions and velocities, from a recipe, resumable."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from pydantic import ValidationError

from aptbench.atomic import write_atomically
from aptbench.data.readers.cp2k import read_trajectory
from aptbench.data.system import SystemData
from aptbench.errors import EngineError, InputError
from aptbench.frames import Frames
from aptbench.json_file import faults
from aptbench.reference.claim import claimed
from aptbench.reference.classical import ClassicalLiquid
from aptbench.reference.classical_stage import classical_stage
from aptbench.reference.engine import Cp2k
from aptbench.reference.inputs import molecular_dynamics, xyz_text
from aptbench.reference.recipe import COMMITTEE, Recipe, Sampling, Stage
from aptbench.reference.start import expect_settings, expect_start, read_start
from aptbench.units import ATOMIC_TIME, BOHR

Progress = Callable[[str, int, int], None]
"""Called with the name of a stage, the steps done and the steps wanted."""


def sample(
    recipe: Recipe,
    start: Frames,
    work: Path,
    engine: Cp2k | None = None,
    progress: Progress | None = None,
    stored: Frames | None = None,
) -> tuple[npt.NDArray[np.float64], Frames]:
    """Run all stages of a recipe and return the trajectory.

    A stage that was stopped goes on from its last restart file (every 200 steps); a finished
    stage is not run again.

    Parameters
    ----------
    recipe : Recipe
    start : Frames
        First configuration; velocities are drawn at the temperature of the recipe.
    work : Path
        Folder that keeps the raw files of every stage.
    engine : Cp2k, optional
        Of the committee potential; the classical force field needs none.
    progress : callable, optional
        Told about the steps done, now and then.
    stored : Frames, optional
        What was sampled before, with velocities: the stages whose frames it holds are not run,
        and the next one goes on from its last frame, rounded as it is.

    Returns
    -------
    times : array, shape (frame,)
        In fs, from the first frame.
    frames : Frames
        With velocities in angstrom/fs.

    Raises
    ------
    InputError
        If ``stored`` does not end where a stage does, a folder holds a stage of other settings, or
        another process samples here.
    """
    with claimed(Path(work) / ".sample.claim") as claim:
        if claim is None:
            raise InputError(f"Another process samples in {work}.", do="wait until it has ended")

        def told(stage: str, done: int, steps: int) -> None:
            claim.renew()
            if progress:
                progress(stage, done, steps)

        return _sample(recipe, start, Path(work), engine, told, stored)


def _sample(
    recipe: Recipe,
    start: Frames,
    work: Path,
    engine: Cp2k | None,
    progress: Progress,
    stored: Frames | None,
) -> tuple[npt.NDArray[np.float64], Frames]:
    settings = recipe.sampling
    skipped = 0 if stored is None else _stages_in(stored, settings)
    pieces = [] if stored is None else [stored]
    before, last = None, start if stored is None else stored[-1]
    for number, stage in enumerate(settings.stages):
        folder = work / stage.name
        if number < skipped:
            progress(stage.name, stage.steps, stage.steps)
            continue
        folder.mkdir(parents=True, exist_ok=True)
        if settings.potential == COMMITTEE:
            frames = _committee_stage(
                settings, stage, last, folder, before, engine or Cp2k(), progress
            )
        else:
            frames = classical_stage(
                settings, stage, last, folder, before, _of_stage(progress, stage)
            )
        if number in settings.trajectory_stages:
            pieces.append(frames[1:] if pieces else frames)
        before, last = folder, frames[-1]
    whole = Frames.joined(pieces)
    return np.arange(len(whole), dtype=np.float64) * settings.timestep * settings.stride, whole


def expect_sampled_with(settings: Sampling, attrs: Mapping[str, Any]) -> None:
    """Compare a recipe with the attributes of a stored trajectory, which may have fewer stages.

    Raises
    ------
    InputError
        If the trajectory was sampled with other settings: a store would say of old frames what is
        true of new ones.
    """
    said = dict(attrs.get("provenance", {}).get("sampling", {}))
    said.pop("code", None)
    try:
        old = Sampling.model_validate(said)
    except ValidationError as error:
        raise InputError(
            "The stored trajectory does not say how it was sampled.", got=faults(error)
        ) from None
    stages = settings.stages[: len(old.stages)]
    if old != settings.model_copy(update={"stages": stages}):
        raise InputError(
            "The stored trajectory was sampled with other settings than the recipe has.",
            got=old.model_dump_json(),
            expected=settings.model_dump_json(),
            do="restore the recipe, append stages only, or sample afresh (--fresh)",
        )


def trajectory(folder: Path, settings: Sampling) -> tuple[npt.NDArray[np.float64], Frames]:
    """Read what a stage has written so far: times in fs and frames with velocities.

    Raises
    ------
    EngineError
        If frames are missing.
    """
    times, frames = read_trajectory(
        folder / "md-pos-1.xyz", folder / "md-vel-1.xyz", cell=settings.cell
    )
    spacing = settings.timestep * settings.stride
    if not np.allclose(times, spacing * np.arange(len(times)), atol=1e-3):
        raise EngineError(
            f"The trajectory in {folder} has gaps.",
            expected=f"a frame every {spacing} fs from 0",
            do=f"remove {folder} and sample again",
        )
    return np.arange(len(times), dtype=np.float64) * spacing, frames


def trajectory_data(
    recipe: Recipe, times: npt.NDArray[np.float64], frames: Frames, code: str
) -> SystemData:
    """Return a sampled trajectory, without labels, as a store holds it.

    Parameters
    ----------
    recipe : Recipe
    times : array, shape (frame,)
    frames : Frames
        With velocities and molecules.
    code : str
        Name and version of the program that sampled.
    """
    return SystemData(
        frames,
        np.zeros(0, int),
        np.zeros((0, frames.n_atoms, 3, 3)),
        times=times,
        provenance={
            "sampling": {"code": code, **recipe.sampling.model_dump(mode="json")},
            "temperature_K": recipe.sampling.temperature,
        },
    )


def sampler_version(settings: Sampling, engine: Cp2k | None = None) -> str:
    """Return name and version of the program that moves the atoms."""
    if settings.potential == COMMITTEE:
        return (engine or Cp2k()).version
    assert settings.composition is not None
    return ClassicalLiquid(settings.composition, settings.cell).version


def _stages_in(stored: Frames, settings: Sampling) -> int:
    """Return how many stages have run to give the stored frames."""
    ends = {}
    n_frames = 1
    for number in settings.trajectory_stages:
        n_frames += settings.stages[number].steps // settings.stride
        ends[n_frames] = number + 1
    if len(stored) not in ends or stored.velocities is None:
        raise InputError(
            "The stored trajectory does not end where a stage of the recipe does.",
            got=f"{len(stored)} frames",
            expected=" or ".join(map(str, ends)),
            do="append a stage to the recipe and leave the others as they are, or sample afresh",
        )
    return ends[len(stored)]


def _of_stage(progress: Progress, stage: Stage) -> Callable[[int], None]:
    return lambda done: progress(stage.name, done, stage.steps)


def _committee_stage(
    settings: Sampling,
    stage: Stage,
    start: Frames,
    folder: Path,
    before: Path | None,
    engine: Cp2k,
    progress: Progress,
) -> Frames:
    """Run a stage with CP2K from a frame; without velocities they are drawn."""
    _expect_same(settings, stage, start, folder)
    if not (folder / "md.inp").exists():
        velocities = None
        if start.velocities is not None:
            velocities = start.velocities[0] * (ATOMIC_TIME / BOHR)
            if stage.match_energy and before is not None:
                velocities = velocities * _energy_match(before)
        (folder / "start.xyz").write_text(xyz_text(start.atomic_numbers, start.positions[0]))
        text = _input(settings, stage, start, stage.steps, velocities=velocities)
        (folder / "md.inp").write_text(text)
    _advance(settings, stage, folder, engine, progress)
    frames = trajectory(folder, settings)[1]
    if len(frames) != stage.steps // settings.stride + 1:
        raise EngineError(
            f"The trajectory in {folder} is not that of the stage {stage.name!r}.",
            got=f"{len(frames)} frames",
            expected=f"{stage.steps // settings.stride + 1} frames",
            do=f"remove {folder} and sample again",
        )
    return frames.replace(molecule=start.molecule)


def _expect_same(settings: Sampling, stage: Stage, start: Frames, folder: Path) -> None:
    """Refuse to go on with a stage that was begun with other settings, or elsewhere."""
    note, first = folder / "settings.json", folder / "start.xyz"
    identity = settings.identity_of(stage, without_steps=True)
    expect_settings(folder, note.read_text() if note.exists() else identity, identity)
    if first.exists():
        expect_start(folder, read_start(first, settings).positions[0], start)
    write_atomically(note, identity)


def _energy_match(folder: Path) -> float:
    """Factor on the last velocities that gives the mean total energy of the second half."""
    _, _, kinetic, _, potential = np.loadtxt(folder / "md-1.ener", usecols=range(5)).T
    half = len(kinetic) // 2
    target = np.mean(kinetic[half:] + potential[half:])
    return float(np.sqrt((target - potential[-1]) / kinetic[-1]))


def _input(settings: Sampling, stage: Stage, start: Frames, steps: int, **more: object) -> str:
    from aptbench.elements import SYMBOLS

    return molecular_dynamics(
        ensemble=stage.ensemble,
        steps=steps,
        timestep=settings.timestep,
        temperature=settings.temperature,
        stride=settings.stride,
        seed=settings.seed,
        member=settings.member,
        cell=np.diag(settings.cell),
        elements=[SYMBOLS[z] for z in sorted(set(start.atomic_numbers.tolist()), reverse=True)],
        thermostat_time=stage.thermostat_time,
        **more,  # type: ignore[arg-type]
    )


def _advance(
    settings: Sampling, stage: Stage, folder: Path, engine: Cp2k, progress: Progress
) -> None:
    """Run a stage to its end, from its restart file where there is one."""
    restart = folder / "md-1.restart"
    done = _steps_in(restart)
    progress(stage.name, done, stage.steps)
    if done >= stage.steps:
        return
    name = "md"
    if done:
        name = "md-continued"
        start = read_start(folder / "start.xyz", settings)
        left = stage.steps - done
        for file in ("md-pos-1.xyz", "md-vel-1.xyz", "md-1.ener"):
            _cut(folder / file, done)
        text = _input(settings, stage, start, left, restart=restart.name)
        (folder / f"{name}.inp").write_text(text)
    engine.run(folder, name, watch=_watch(stage, folder, progress))
    if _steps_in(restart) < stage.steps:
        raise EngineError(
            f"The stage {stage.name!r} ended early.",
            got=f"{_steps_in(restart)} steps",
            expected=f"{stage.steps} steps",
            do=f"look at the end of {folder / name}.out",
        )


def _watch(stage: Stage, folder: Path, progress: Progress) -> Callable[[], None]:
    energies = folder / "md-1.ener"

    def watch() -> None:
        if energies.exists() and (lines := energies.read_text().splitlines()[1:]):
            first = lines[-1].split()
            progress(stage.name, int(first[0]) if first else 0, stage.steps)

    return watch


def _steps_in(restart: Path) -> int:
    if not restart.exists():
        return 0
    found = re.search(r"STEP_START_VAL\s+(\d+)", restart.read_text())
    return int(found.group(1)) if found else 0


def _cut(path: Path, last: int) -> None:
    """Remove from an output of CP2K what was written after step ``last``."""
    lines = path.read_text().splitlines(keepends=True)
    if path.suffix == ".ener":
        head, rows = lines[:1], lines[1:]
        kept = head + [row for row in rows if row.split() and int(row.split()[0]) <= last]
    else:
        size = int(lines[0]) + 2
        blocks = [lines[k : k + size] for k in range(0, len(lines), size)]
        step = re.compile(r"i =\s*(\d+)")
        kept = []
        for block in blocks:
            found = step.search(block[1]) if len(block) == size else None
            if found and int(found.group(1)) <= last:
                kept += block
    write_atomically(path, "".join(kept))
