"""`aptbench audit`: what splits promise, and what they hold."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from aptbench.cli.panels import TASKS

if TYPE_CHECKING:
    from aptbench.data import Dataset
    from aptbench.tasks import Task
    from aptbench.tasks.transfer import TransferSplit


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("audit", rich_help_panel=TASKS)(audit)


def audit(
    names: Annotated[
        list[str] | None,
        typer.Argument(help="Data sets whose splits are audited; all that are here if left out."),
    ] = None,
    check: Annotated[
        bool,
        typer.Option("--check", help="Write nothing; exit code 1 if a shipped audit says other."),
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print the results as JSON.")] = False,
) -> None:
    """Audit all splits for leakage, and all data sets for frames that occur twice.

    Writes datasets/NAME/audits/SPLIT.json and datasets/duplicates.json. The exit code is 1 if a
    split does not hold its promise: its gap, no copy of a training label in a test, its own or that
    of another data set.

    Example: aptbench audit water
    """
    from aptbench.board.audit_table import audit_table
    from aptbench.cli.progress import progress_bar
    from aptbench.data import catalog, open_dataset, root
    from aptbench.errors import InputError, UnknownNameError
    from aptbench.tasks.duplicate_audit import Exam, audit_duplicates, duplicates_path
    from aptbench.tasks.leakage import agree, audit_path, read_record, write_record
    from aptbench.tasks.transfer_audit import audit_transfer, transfer_audit_path

    entries = catalog()
    for name in names or ():
        if name not in entries:
            raise UnknownNameError("data set", name, entries)
    datasets = {name: open_dataset(name) for name, entry in entries.items() if entry.available}
    for name in (n for n in entries if n not in datasets):
        typer.echo(f"not here, so not searched: {name} ({entries[name].pull_command})", err=True)
    tasks, transfers = _splits(datasets)
    made: dict[Path, Any] = {}
    with progress_bar() as bar:
        row = bar.add_task("splits", total=len(tasks) + len(transfers))
        for task in tasks:
            if task.dataset in (names or datasets):
                path = audit_path(task.dataset, task.split.name)
                made[path] = _audit_task(task, datasets[task.dataset])
            bar.advance(row)
        for one in transfers:
            if one.dataset in (names or datasets):
                path = transfer_audit_path(one.dataset, one.name)
                made[path] = audit_transfer(one, datasets)
            bar.advance(row)
        frames = sum(d.n_frames(system) for d in datasets.values() for system in d.systems)
        row = bar.add_task("frames", total=frames)
        made[duplicates_path()] = audit_duplicates(
            datasets,
            [*map(Exam.of, tasks), *map(Exam.of, transfers)],
            progress=lambda done: bar.advance(row, done),
        )
    project = root()
    drifted = []
    for path, record in made.items():
        if not check:
            write_record(record, path)
            continue
        try:
            same = agree(read_record(path, type(record)), record)
        except InputError:
            same = False
        if not same:
            drifted.append(path.relative_to(project).as_posix())
    breaches = {
        getattr(record, "task", "all data sets"): list(record.breaches) for record in made.values()
    }
    if as_json:
        contents = {
            path.relative_to(project).as_posix(): record.model_dump(mode="json")
            for path, record in made.items()
        }
        breached = {name: found for name, found in breaches.items() if found}
        answer = {"audits": contents, "breaches": breached, "drifted": drifted}
        typer.echo(json.dumps(answer, indent=2))
    else:
        typer.echo(audit_table(list(made.values())))
        for file in drifted:
            typer.echo(f"drifted: {file}")
    for name, found in breaches.items():
        for sentence in found:
            typer.echo(f"broken promise: {name}: {sentence}", err=True)
    raise typer.Exit(1 if drifted or any(breaches.values()) else 0)


def _audit_task(task: Task, dataset: Dataset) -> Any:
    from aptbench.tasks import audit_independent, audit_task

    return (audit_independent if task.within.independent else audit_task)(task, dataset)


def _splits(datasets: Mapping[str, Dataset]) -> tuple[list[Task], list[TransferSplit]]:
    """Return the tasks and transfer splits whose data sets are all here."""
    from aptbench.tasks import available_splits, load_task
    from aptbench.tasks.transfer import available_transfers, read_transfer, transfer_path

    tasks = [load_task(name) for name in available_splits() if name.split("/")[0] in datasets]
    transfers = []
    for name in available_transfers():
        one = read_transfer(transfer_path(*name.split("/")))
        needed = {part.dataset for parts in one.parts.values() for part in parts}
        if needed <= set(datasets):
            transfers.append(one)
        else:
            missing = ", ".join(sorted(needed - set(datasets)))
            typer.echo(f"not audited, because {missing} is not here: {name}", err=True)
    return tasks, transfers
