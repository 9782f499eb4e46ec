"""`aptbench lint`: stores, and the label records beside them, against what must hold."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from aptbench.cli.panels import DATA
from aptbench.errors import InputError

if TYPE_CHECKING:
    from rich.console import Console

    from aptbench.data.lint import Lint

STYLES = {"pass": "green", "warn": "yellow", "fail": "bold red", "skip": "dim"}


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("lint", rich_help_panel=DATA)(lint_stores)


def lint_stores(
    datasets: Annotated[
        list[str] | None,
        typer.Argument(help="Names or paths of stores; all that are here if none is given."),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON for programs.")] = False,
    everything: Annotated[
        bool, typer.Option("--all", help="Also show the checks that do not apply.")
    ] = False,
) -> None:
    """Check trajectories and labels against exact rules. Exit code 1 if a check fails.

    Where a folder 'records' is beside a store, its label records are checked too.
    """
    from rich.console import Console

    from aptbench.data import catalog
    from aptbench.data.project import locate

    names = datasets or [entry.name for entry in catalog().values() if entry.available]
    if not names:
        raise InputError("There is no store to check.", do="pull one, or give a path")
    results = {name: _lint(locate(name)) for name in names}
    ok = all(lint.ok for lints in results.values() for lint in lints)
    if as_json:
        report = {
            name: {
                "ok": all(lint.ok for lint in lints),
                "systems": [lint.as_dict() for lint in lints],
            }
            for name, lints in results.items()
        }
        typer.echo(json.dumps(report, indent=1))
    else:
        console = Console(soft_wrap=True, highlight=False)
        for name, lints in results.items():
            for lint in lints:
                _show(console, name, lint, everything)
    raise typer.Exit(0 if ok else 1)


def _lint(store: Path) -> list[Lint]:
    from aptbench.data import Dataset
    from aptbench.data.lint import Lint, lint
    from aptbench.reference.record_lint import lint_records
    from aptbench.reference.records import read_records

    dataset = Dataset(store)
    found = list(lint(dataset))
    folder = store.parent / "records"
    places = {system: folder / system for system in dataset.systems}
    if any(folder.glob("frame-*.h5")):
        if len(dataset.systems) > 1:
            raise InputError(
                f"The records in {folder} do not tell their system.",
                got=f"a store of {', '.join(dataset.systems)}",
                expected=f"a folder for each system, {folder.name}/SYSTEM",
            )
        places = {dataset.systems[0]: folder}
    for system, place in places.items():
        if any(place.glob("frame-*.h5")):
            charge = float(dataset.system_attrs(system)["total_charge"])
            findings = lint_records(read_records(place), charge, dataset, system)
            found.append(Lint(f"{system}: records", findings))
    return found


def _show(console: Console, name: str, lint: Lint, everything: bool) -> None:
    from rich.markup import escape
    from rich.table import Table

    from aptbench.data.lint import level

    skipped = sum(level(finding) == "skip" for finding in lint.findings)
    table = Table("level", "check", "what was found", title=escape(f"{name}: {lint.subject}"))
    table.title_justify = "left"
    for finding in lint.findings:
        grade = level(finding)
        if grade == "skip" and not everything:
            continue
        text = escape(finding.message)
        if finding.advice:
            text += f"\n[bold]What to do:[/bold] {escape(finding.advice)}"
        table.add_row(f"[{STYLES[grade]}]{grade}[/]", finding.check, text)
    if skipped and not everything:
        table.caption = f"{skipped} checks do not apply (--all shows them)"
    console.print(table)
