"""`aptbench tasks`: the tasks of the project, and their release."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from aptbench.cli.panels import TASKS

if TYPE_CHECKING:
    from aptbench.tasks import Task

AsJson = Annotated[bool, typer.Option("--json", help="Print the tasks as JSON.")]


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("tasks", rich_help_panel=TASKS)(tasks)


def tasks(
    freeze: Annotated[
        bool, typer.Option("--freeze", help="Release the tasks that are new; they never change.")
    ] = False,
    check: Annotated[
        Path | None,
        typer.Option(
            help="Compare with a file of released tasks too, such as that of the base branch."
        ),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """List the tasks of the project, and compare them with what they were when released.

    It is an error if a released task is something else now.
    """
    from aptbench.errors import InputError
    from aptbench.tasks import TransferSplit, available_tasks, load_task
    from aptbench.tasks.frozen import FrozenTask, check_frozen, frozen_path, read_frozen
    from aptbench.tasks.frozen import freeze as release

    found = [load_task(name) for name in available_tasks()]
    if freeze:
        _freeze_spectra(found)
    now = {task.identity: FrozenTask.of(task) for task in found}
    if check is not None:
        if not check.is_file():
            raise InputError("There is no such file of released tasks.", got=check)
        earlier = read_frozen(check)
        check_frozen(earlier, now)
        check_frozen(earlier, read_frozen(frozen_path()), "The record of the released task")
    check_frozen(read_frozen(frozen_path()), now)
    if freeze:
        for identity in release(now, frozen_path()):
            typer.echo(f"Released: {identity}", err=True)
    if as_json:
        rows = [
            {"task": t.identity, "split_hash": t.split.hash, **t.split.model_dump(mode="json")}
            for t in found
        ]
        typer.echo(json.dumps(rows, indent=2))
        return
    if not found:
        typer.echo("No tasks yet: make one with aptbench split DATASET --name NAME")
    for t in found:
        sizes = ", ".join(
            f"{sum(one.n_labels for one in sets)} {part}" for part, sets in t.parts.items()
        )
        if isinstance(t.split, TransferSplit):
            typer.echo(f"{t.identity}  {sizes} labels; {t.split.axis}, tests on {_list(t.systems)}")
        else:
            apart = (
                f"independent, seed {t.split.seed}"
                if t.split.independent
                else f"gap {t.split.gap_fs:g} fs"
            )
            typer.echo(f"{t.identity}  {sizes} labels of {t.system}; {apart}")


def _freeze_spectra(tasks: Sequence[Task]) -> None:
    """Give every task with a spectrum and without its reference the best current there is."""
    from aptbench.data import open_dataset, root
    from aptbench.errors import InputError
    from aptbench.evaluate.archive import best_current
    from aptbench.evaluate.task_spectrum import task_spectrum
    from aptbench.tasks.frozen import spectrum_reference
    from aptbench.tasks.spectrum_reference import reference_path, write_spectrum_reference

    for task in tasks:
        if spectrum_reference(task) is not None:
            continue
        try:
            if task_spectrum(task, open_dataset(task.dataset)).reference.dense:
                continue
        except InputError:  # it has no spectrum
            continue
        best = best_current(task, root() / "leaderboard" / "results")
        if best is not None:
            # what is there is of an earlier version
            path = write_spectrum_reference(best, reference_path(task.name), replace=True)
            typer.echo(f"Reference spectrum of {task.identity}: {best.model}, {path}", err=True)


def _list(names: Sequence[str]) -> str:
    few = names if len(names) < 6 else names[:4]
    return ", ".join(few) + (f" and {len(names) - len(few)} more" if few != names else "")
