"""`aptbench selections`: the data-selection track."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer

from aptbench.cli.panels import MODELS
from aptbench.cli.progress import progress_bar


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("selections", rich_help_panel=MODELS)(selections)


def selections(
    task: Annotated[str, typer.Argument(help="Task with a track, such as molecules/water-8-pool.")],
    selection: Annotated[
        list[Path] | None,
        typer.Option(help="File of 'aptbench select' to score beside the others; may be repeated."),
    ] = None,
    write: Annotated[
        bool, typer.Option("--write", help="Score all entries of the track, and archive that.")
    ] = False,
    check: Annotated[
        bool, typer.Option("--check", help="Score all entries, and compare with the archive.")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print the errors as JSON.")] = False,
) -> None:
    """Show which orders of labelling lead to the least error with a fixed model.

    The entries are the files in leaderboard/selections/TASK/entries. Exit code 1 if --check finds
    another score than the archived one, or one of an entry that is no more; --write removes it.

    Example: aptbench selections molecules/water-8-pool --selection mine.json
    """
    from aptbench.board.selection_table import selection_table
    from aptbench.data import open_dataset, root
    from aptbench.errors import InputError
    from aptbench.evaluate.canvas import save_figure
    from aptbench.evaluate.learning_curve import write_learning_curve
    from aptbench.evaluate.selection_figure import selection_figure
    from aptbench.evaluate.selection_standings import Standings
    from aptbench.evaluate.selection_track import (
        PICTURE,
        SCORES,
        read_entries,
        read_scores,
        read_track,
    )
    from aptbench.tasks import load_task
    from aptbench.tasks.data_selection import read_selection

    if write and check:
        raise InputError("Scores are archived or compared.", got="--write --check", do="drop one")
    if (write or check) and selection:
        raise InputError(
            "Only entries of the track are archived or compared.",
            got="--selection",
            do="leave it out, or put the file into the folder 'entries' of the track",
        )
    definition = load_task(task)
    folder = root() / "leaderboard" / "selections" / definition.name
    track = read_track(folder)
    archived = Standings(track, read_scores(folder))
    if write or check:
        wanted = read_entries(folder)
    else:
        wanted = {one.name: one for one in map(read_selection, selection or [])}
    scored = {}
    if wanted:
        dataset = open_dataset(definition.dataset)
        with progress_bar() as bar:
            row = bar.add_task("selections", total=len(wanted))
            for name, one in wanted.items():
                scored[name] = track.score(definition, dataset, one)
                bar.advance(row)
    found = Standings(track, scored if write or check else {**archived.curves, **scored})
    left_over = sorted(set(archived.curves) - set(wanted)) if write or check else []
    for name in left_over:
        path = folder / SCORES / f"{name}.json"
        if write:
            path.unlink()
        typer.echo(f"{'Removed' if write else 'Archived'} without an entry: {path}", err=True)
    if not found.curves:
        raise InputError(
            f"The track of {definition.identity} has no scores yet.",
            do=f"aptbench selections {definition.name} --write",
        )
    if as_json:
        errors = {
            name: {n: found.error(name, n).value for n in track.budgets} for name in found.curves
        }
        typer.echo(json.dumps(errors, indent=2))
    else:
        typer.echo(selection_table(found))
    other = found.differences(archived) if write or check else []
    if write:
        for name in other:
            path = write_learning_curve(scored[name], folder / SCORES / f"{name}.json")
            typer.echo(f"Archived: {path}", err=True)
        if found.drawn(track.budgets[0]).size:  # the picture is relative to the draws
            save_figure(selection_figure(found), (folder / PICTURE).with_suffix(""), vector=False)
        return
    for name in other:
        typer.echo(f"Not as archived: {name}", err=True)
    raise typer.Exit(1 if other or left_over else 0)
