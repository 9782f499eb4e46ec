"""`aptbench doctor`: what is wrong with a model or its predictions, in plain words."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated

import typer

from aptbench.cli.findings import print_findings
from aptbench.cli.panels import SCORE


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("doctor", rich_help_panel=SCORE)(doctor)


def doctor(
    task: Annotated[str, typer.Argument(help="Name of the task, such as water/iid.")],
    model: Annotated[str | None, typer.Option(help="Name or folder of a model.")] = None,
    predictions: Annotated[
        Path | None,
        typer.Option(help="Archive (.npz) of predictions of validation or training frames."),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON for programs.")] = False,
) -> None:
    """Look for a wrong convention, unit, order or symmetry, without ever looking at the test.

    Exit code 1 if something has to be repaired.

    Example: aptbench doctor water/iid --model my-model
    """
    from aptbench.data import open_dataset
    from aptbench.errors import InputError
    from aptbench.evaluate.doctor import examine_file, examine_model
    from aptbench.models import load_model
    from aptbench.tasks import load_task

    if (model is None) == (predictions is None):
        raise InputError(
            "There must be a model or predictions to look at.",
            got="both" if model else "neither",
            expected="--model NAME, or --predictions FILE",
        )
    definition = load_task(task)
    if predictions is not None:
        found = examine_file(definition, predictions)
    else:
        dataset = open_dataset(definition.dataset)
        found = examine_model(definition, dataset, load_model(str(model), task=definition.name))  # type: ignore[arg-type]
    if as_json:
        typer.echo(found.model_dump_json(indent=2))
    else:
        from rich.console import Console

        console = Console(highlight=False)
        console.print(
            f"{found.name} on {found.task}; outside the test: {_looked_at(found.labels)}",
            style="bold",
            soft_wrap=True,
        )
        print_findings(found.findings, console)
    raise typer.Exit(0 if found.healthy else 1)


def _looked_at(labels: Mapping[str, int]) -> str:
    if len(labels) > 3:
        return f"{sum(labels.values())} labels of {len(labels)} systems"
    return ", ".join(f"{n} labels of {system}" for system, n in labels.items())
