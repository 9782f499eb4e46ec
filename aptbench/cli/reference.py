"""`aptbench sample`, `label` and `build`: reference data from a recipe."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from aptbench.cli.cluster import cluster
from aptbench.cli.panels import REFERENCE
from aptbench.cli.progress import progress_bar

if TYPE_CHECKING:
    from aptbench.data import Dataset, SystemData
    from aptbench.reference.recipe import Recipe

TRAJECTORY = "trajectory.zarr"
"""The store, beside the recipe, that holds the sampled trajectory."""

RecipePath = Annotated[Path, typer.Argument(help="The recipe.yaml of a data set.")]
Work = Annotated[
    Path | None,
    typer.Option(help="Folder for the raw files of the engine.", show_default="raw/NAME"),
]
Ranks = Annotated[int, typer.Option(min=1, help="MPI processes of the engine.")]
Json = Annotated[bool, typer.Option("--json", help="Print the result as JSON.")]


def register(app: typer.Typer) -> None:
    """Add the commands of this module to the program."""
    for command in (sample, label, build):
        app.command(rich_help_panel=REFERENCE)(command)


def sample(
    recipe: RecipePath,
    work: Work = None,
    ranks: Ranks = 1,
    fresh: Annotated[
        bool,
        typer.Option(
            "--fresh", help="From the first stage, or from the files, whatever is there already."
        ),
    ] = False,
    as_json: Json = False,
) -> None:
    """Make the dense trajectory of a data set: run it, or import one that is there.

    With a section 'sample' of the recipe, dynamics are run, and go on where they stopped: a
    trajectory that is there already, beside the recipe, is kept, and stages that the recipe has
    beyond it go on from its last frame. With a section 'trajectory', the files that it names are
    checked and imported.

    Example: aptbench sample datasets/mine/recipe.yaml
    """
    from aptbench.data import write_dataset
    from aptbench.reference.recipe import Recipe

    settings = Recipe.read(recipe)
    target = recipe.parent / TRAJECTORY
    kept = target if target.exists() and not fresh else None
    if settings.trajectory is None:
        data = _run(settings, recipe.parent, work or Path("raw") / settings.name, ranks, kept)
    else:
        data = _imported(settings, recipe.parent, kept)
    attrs = {**settings.attrs, "title": f"{settings.title}: trajectory without labels"}
    write_dataset(target, {settings.system: data}, attrs, overwrite=True)
    assert data.times is not None
    result: dict[str, object] = {
        "store": str(target),
        "frames": len(data.frames),
        "last_time_fs": float(data.times[-1]),
    }
    if settings.trajectory is not None:
        from aptbench.reference.own_trajectory import missing_for_spectra

        reason = missing_for_spectra(data.times, data.frames)
        result |= {"velocities": data.frames.velocities is not None, "no_spectrum": reason}
        if reason:
            typer.echo(f"No spectrum can be made of this trajectory: {reason}.", err=True)
    text = f"{target}: {len(data.frames)} frames, {data.times[-1]:g} fs"
    typer.echo(json.dumps(result) if as_json else text)


def _run(settings: Recipe, folder: Path, work: Path, ranks: int, kept: Path | None) -> SystemData:
    """Run the stages of a recipe that a kept trajectory does not hold."""
    from aptbench.data import open_dataset
    from aptbench.reference.engine import Cp2k
    from aptbench.reference.recipe import COMMITTEE
    from aptbench.reference.sample import expect_sampled_with, sampler_version, trajectory_data
    from aptbench.reference.sample import sample as run_sample
    from aptbench.reference.start import read_start

    plan = settings.sampling
    stored = None
    if kept is not None:
        store = open_dataset(kept)
        expect_sampled_with(plan, store.system_attrs(settings.system))
        stored = store.trajectory(settings.system)
    with progress_bar() as bar:
        tasks = {stage.name: bar.add_task(stage.name, total=stage.steps) for stage in plan.stages}
        engine = Cp2k(ranks=ranks) if plan.potential == COMMITTEE else None
        times, frames = run_sample(
            settings,
            read_start(folder / plan.start, plan),
            work,
            engine,
            lambda stage, done, _: bar.update(tasks[stage], completed=done),
            stored,
        )
    return trajectory_data(settings, times, frames, sampler_version(plan, engine))


def _imported(settings: Recipe, folder: Path, kept: Path | None) -> SystemData:
    """Import the files that a recipe names, unless they are imported already."""
    from aptbench.data import open_dataset

    assert settings.trajectory is not None
    if kept is None:
        return settings.trajectory.system_data(folder)
    store = open_dataset(kept)
    settings.trajectory.expect_imported(folder, store.system_attrs(settings.system))
    return store.system_data(settings.system)


def label(
    recipe: RecipePath,
    work: Work = None,
    records: Annotated[
        Path | None, typer.Option(help="Folder of the records.", show_default="beside the recipe")
    ] = None,
    frames: Annotated[
        str | None, typer.Option(help="Frame numbers, as '0,100,200'.", show_default="the recipe's")
    ] = None,
    limit: Annotated[int | None, typer.Option(min=1, help="Stop after this many frames.")] = None,
    ranks: Ranks = 1,
    workers: Annotated[
        int, typer.Option(min=1, help="Frames at once, each in a Dask process of this computer.")
    ] = 1,
    scheduler: Annotated[
        str | None,
        typer.Option(
            help="Label on the workers of this Dask scheduler: 'tcp://host:8786', or its file."
        ),
    ] = None,
    as_json: Json = False,
) -> None:
    """Label frames with CP2K in finite fields; one record a frame, goes on where it stopped.

    Several of these may run at once, here or elsewhere: each takes frames that no other has taken.
    Exit code 1 if a frame did not converge.
    """
    from functools import partial

    from aptbench.errors import InputError
    from aptbench.reference.claimed_label import Outcome, label_in_turn
    from aptbench.reference.distributed import label_distributed
    from aptbench.reference.engine import Cp2k
    from aptbench.reference.recipe import Recipe
    from aptbench.reference.records import failure_path, record_path

    settings = Recipe.read(recipe)
    folder = work or Path("raw") / settings.name
    target = records or recipe.parent / "records"
    try:
        wanted = list(settings.label.frames if frames is None else map(int, frames.split(",")))
    except ValueError:
        raise InputError(
            "The '--frames' are not a list of frame numbers.", got=frames, expected="0,100,200"
        ) from None
    engine = partial(Cp2k, ranks=ranks)
    if scheduler is None:
        engine()
    store = sampled(recipe)
    times, trajectory = store.times(settings.system), store.trajectory(settings.system)
    wanted = [n for n in wanted if not record_path(target, n).exists()]
    # a frame that is known to fail is told again, and takes no place of one that may not
    known = [n for n in wanted if failure_path(target, n).exists()]
    wanted = known + [n for n in wanted if n not in known][:limit]
    what = (trajectory, times, wanted, settings.label.theory, engine, target, folder / "labels")
    failed: list[int] = []
    with progress_bar() as bar:
        task = bar.add_task("labelling", total=len(wanted))

        def finished(outcome: Outcome) -> None:
            state = "labelled" if outcome.state == "labelled" else "not converged"
            bar.update(task, description=f"frame {outcome.frame}: {state}", advance=1)

        if scheduler is None and workers == 1:
            failed = label_in_turn(
                *what, lambda n, run: bar.update(task, description=f"frame {n}: {run}"), finished
            )
        elif wanted:
            with cluster(workers if workers > 1 else None, scheduler) as client:
                assert client is not None  # either is given
                bar.update(task, description=f"labelling on {scheduler or f'{workers} workers'}")
                failed = label_distributed(*what, client, finished)
    done = [n for n in wanted if n not in failed]
    if as_json:
        typer.echo(json.dumps({"records": str(target), "labelled": done, "failed": failed}))
    else:
        typer.echo(f"{len(done)} frames labelled into {target}")
        if failed:
            typer.echo(f"not converged: frames {failed}; the reasons are in their .failed.json")
    raise typer.Exit(1 if failed else 0)


def build(
    recipe: RecipePath,
    out: Annotated[
        Path | None,
        typer.Option(help="The store to write.", show_default="NAME.zarr by the recipe"),
    ] = None,
    as_json: Json = False,
) -> None:
    """Build the Zarr store of a data set from its trajectory and its label records."""
    from aptbench.reference.build import build as run_build
    from aptbench.reference.recipe import Recipe

    settings = Recipe.read(recipe)
    target = out or recipe.parent / f"{settings.name}.zarr"
    dataset = run_build(settings, sampled(recipe), recipe.parent / "records", target)
    system = settings.system
    result = {
        "store": str(target),
        "content_hash": dataset.content_hash,
        "frames": dataset.n_frames(system),
        "labels": dataset.n_labels(system),
    }
    text = f"{target}: {result['frames']} frames, {result['labels']} labelled"
    typer.echo(json.dumps(result) if as_json else text)


def sampled(recipe: Path) -> Dataset:
    """Return the sampled trajectory beside a recipe."""
    from aptbench.data import open_dataset
    from aptbench.errors import InputError

    store = recipe.parent / TRAJECTORY
    if not store.exists():
        raise InputError(
            f"There is no sampled trajectory at {store}.",
            do=f"sample it, 'aptbench sample {recipe}', or get it, 'dvc pull {store}'",
        )
    return open_dataset(store)
