"""`aptbench submit`: pack predictions for the leaderboard, and check them as its CI does."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from aptbench.cli.findings import print_findings
from aptbench.cli.panels import BOARD

if TYPE_CHECKING:
    from aptbench.board.submission_check import CheckReport

AsJson = Annotated[bool, typer.Option("--json", help="Print JSON for programs.")]


def register(app: typer.Typer) -> None:
    """Add the group of commands `submit`."""
    group = typer.Typer(no_args_is_help=True, rich_markup_mode="rich")
    group.callback()(_submit)
    group.command("pack")(pack)
    group.command("check")(check)
    app.add_typer(group, name="submit", rich_help_panel=BOARD)


def _submit() -> None:
    """Pack predictions for the leaderboard, and check them as its CI does."""


def pack(
    about: Annotated[
        Path, typer.Argument(help="YAML file about the model; docs/submitting.md has an example.")
    ],
    out: Annotated[Path, typer.Option(help="The folder to write.")],
    model: Annotated[
        str | None, typer.Option(help="Name or folder of a model that predicts.")
    ] = None,
    task: Annotated[
        list[str] | None, typer.Option(help="A task for the model to predict; may be repeated.")
    ] = None,
    predictions: Annotated[
        list[str] | None,
        typer.Option(help="TASK=FILE.npz, predictions made elsewhere; may be repeated."),
    ] = None,
    spectrum: Annotated[
        bool, typer.Option("--spectrum", help="Predict the trajectories of the tasks too.")
    ] = False,
    extra: Annotated[
        list[Path] | None, typer.Option(help="A file that ABOUT names; may be repeated.")
    ] = None,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace the folder.")] = False,
    as_json: AsJson = False,
) -> None:
    """Write predictions, their hashes and what is said of the model into one folder.

    Example: aptbench submit pack about.yaml --out mine --model my-model --task water/iid
    """
    from aptbench.board.submission_pack import (
        current_of,
        pack_submission,
        predictions_of,
        read_about,
        refuse_existing,
    )
    from aptbench.errors import InputError
    from aptbench.evaluate.predictions import Predictions
    from aptbench.tasks import load_task

    refuse_existing(out, overwrite)
    for path in extra or ():
        if not path.is_file():
            raise InputError("There is no such extra file.", got=path)
    said = read_about(about)
    asked = [text.partition("=")[0] for text in predictions or ()] + list(task or ())
    if len({name.partition("@")[0] for name in asked}) < len(asked):
        raise InputError(
            "A task has predictions twice.",
            got=", ".join(asked),
            do="name each task once, with --predictions or with --task",
        )
    given: dict[str, dict[str, Predictions] | Path] = {}
    for text in predictions or ():
        name, separator, file = text.partition("=")
        if not separator:
            raise InputError("This is no file of predictions.", got=text, expected="TASK=FILE.npz")
        given[name] = Path(file)
    if bool(model) != bool(task):
        raise InputError(
            "A model needs tasks, and tasks need a model.", expected="--model NAME --task TASK ..."
        )
    if spectrum and not task:
        raise InputError(
            "Without a model there is no trajectory to predict.",
            got="--spectrum with --predictions only",
            expected="--model NAME --task TASK ...",
        )
    currents = {}
    for name in task or ():
        typer.echo(f"predicting {name}", err=True)
        given[name] = predictions_of(load_task(name), str(model))
        if spectrum:
            currents[name] = current_of(load_task(name), str(model))
    packed = pack_submission(
        said, given, out, currents=currents, extra=extra or (), overwrite=overwrite
    )
    if as_json:
        typer.echo(packed.model_dump_json(indent=2))
        return
    typer.echo(f"{out}: {packed.name} for {', '.join(one.task for one in packed.predictions)}")
    typer.echo(f"Check it: aptbench submit check {out}")


def check(
    folder: Annotated[Path, typer.Argument(help="Folder of a submission.")],
    as_json: AsJson = False,
) -> None:
    """Check a submission exactly as the leaderboard does, and show its scores if it passes.

    Exit code 1 if it is refused.
    """
    from aptbench.board.submission_check import check_submission

    report = check_submission(folder)
    show(report, as_json)
    raise typer.Exit(0 if report.accepted else 1)


def show(report: CheckReport, as_json: bool) -> None:
    """Print the findings of a check, and the scores if there are any."""
    if as_json:
        content = {
            "accepted": report.accepted,
            "findings": [one.model_dump() for one in report.findings],
            "results": [one.model_dump(mode="json") for one in report.results],
        }
        typer.echo(json.dumps(content, indent=2))
        return
    from rich.console import Console

    from aptbench.evaluate.table import terminal_tables

    console = Console(highlight=False)
    print_findings(report.findings, console, error="REFUSED")
    for result in report.results:
        for table in terminal_tables([result], f"{result.task}: {result.test_frames} test frames"):
            console.print(table, "")
