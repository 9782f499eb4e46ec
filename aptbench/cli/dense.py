"""`aptbench dense`: isolated systems, sampled and labelled at regular intervals by a recipe."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from aptbench.cli.panels import REFERENCE
from aptbench.cli.progress import progress_bar

if TYPE_CHECKING:
    from rich.progress import Progress

    from aptbench.data import Dataset, SystemData
    from aptbench.reference.dense_recipe import DenseRecipe, DenseSystem


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("dense", rich_help_panel=REFERENCE)(dense)


def dense(
    recipe: Annotated[Path, typer.Argument(help="The recipe.yaml of a densely labelled set.")],
    system: Annotated[
        list[str] | None,
        typer.Option(help="Only this system; may be repeated.", show_default="all"),
    ] = None,
    work: Annotated[
        Path | None, typer.Option(help="Folder for the raw files.", show_default="raw/NAME")
    ] = None,
    build: Annotated[
        bool, typer.Option("--build", help="Write the store NAME.zarr of all systems.")
    ] = False,
    keep: Annotated[
        bool,
        typer.Option("--keep", help="Take systems that NAME.zarr has from it, and make the rest."),
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print the result as JSON.")] = False,
) -> None:
    """Sample isolated systems and label every frame, or every n-th; goes on where it stopped.

    Several processes may work at once: each takes stretches that no other has taken.
    """
    from aptbench.data import Dataset, write_dataset
    from aptbench.data.quantization import TENSOR_ATTRS
    from aptbench.errors import InputError, UnknownNameError
    from aptbench.reference.dense_recipe import DenseRecipe

    settings = DenseRecipe.read(recipe)
    known = [entry.name for entry in settings.systems]
    for name in system or []:
        if name not in known:
            raise UnknownNameError(f"system of {recipe}", name, known)
    chosen = [entry for entry in settings.systems if not system or entry.name in system]
    if build and len(chosen) < len(known):
        raise InputError(
            "A store has all systems of its recipe.",
            got=f"--system {', '.join(entry.name for entry in chosen)}",
            do="leave out '--system', or take the other systems out of the recipe",
        )
    store = recipe.parent / f"{settings.name}.zarr"
    before = Dataset(store) if keep else None
    systems: dict[str, SystemData] = {}
    with progress_bar() as bar:
        for entry in chosen:
            systems[entry.name] = _make(settings, entry, recipe, work, before, bar)
    rows: dict[str, Any] = {
        name: {"frames": len(data.frames), "labels": data.n_labels}
        for name, data in systems.items()
    }
    result: dict[str, Any] = {"systems": rows}
    lines = [
        f"{name}: {row['frames']} frames, {row['labels']} labelled" for name, row in rows.items()
    ]
    if build:
        attrs = {**settings.attrs, "label_quantization": TENSOR_ATTRS}
        dataset = write_dataset(store, systems, attrs, overwrite=True)
        result |= {"store": str(store), "content_hash": dataset.content_hash}
        lines.append(f"{store}: {dataset.size / 1e6:.1f} MB")
    typer.echo(json.dumps(result) if as_json else "\n".join(lines))


def _make(
    settings: DenseRecipe,
    entry: DenseSystem,
    recipe: Path,
    work: Path | None,
    before: Dataset | None,
    bar: Progress,
) -> SystemData:
    from aptbench.data.quantization import round_positions
    from aptbench.reference.dense import dense_data, label_dense
    from aptbench.reference.dense_recipe import read_molecules, sample_dense
    from aptbench.reference.kept import kept_system
    from aptbench.reference.xtb import Xtb

    task = bar.add_task(entry.name, total=None)

    def show(what: str, done: int, total: int) -> None:
        bar.update(task, description=f"{entry.name}: {what}", completed=done, total=total)

    source, dynamics, start = settings.dynamics(entry, recipe)
    model, labeller = Xtb(dynamics.potential), settings.label.labeller()
    provenance = {
        "labels": labeller.provenance(),
        "sampling": {"code": model.provenance()["code"], **dynamics.model_dump(mode="json")},
        "temperature_K": dynamics.temperature,
    }
    if before is not None and entry.name in before.systems:
        times = dynamics.times[: entry.frames]
        show("kept", len(times), len(times))
        return kept_system(before, entry.name, provenance, times, entry.label_every)
    folder = work or Path("raw") / settings.name
    sampled = folder if source == settings.name else folder.parent / source
    times, frames, _ = sample_dense(
        dynamics, read_molecules(start, dynamics), model, sampled / entry.name / "sample", show
    )
    times, frames = times[: entry.frames], frames[: entry.frames]
    frames = frames.replace(positions=round_positions(frames.positions))
    labels = label_dense(
        frames[:: entry.label_every],
        labeller,
        folder / entry.name / "labels",
        settings.segment,
        lambda done, total: show("labels", done, total),
    )
    return dense_data(frames, labels, times, provenance, entry.label_every)
