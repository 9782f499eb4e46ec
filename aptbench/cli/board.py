"""`aptbench board`: build the pages of the leaderboard, and take in submissions."""

from __future__ import annotations

import json
from datetime import datetime
from pathlib import Path
from typing import Annotated

import typer

from aptbench.cli.panels import BOARD
from aptbench.cli.rescore import rescore


def register(app: typer.Typer) -> None:
    """Add the group of commands `board`."""
    board = typer.Typer(
        help="Build the leaderboard, and take in submissions.",
        no_args_is_help=True,
        rich_markup_mode="rich",
    )
    board.callback()(_board)
    board.command("build")(build)
    board.command("accept")(accept)
    board.command("rescore")(rescore)
    board.command("snapshot")(snapshot)
    app.add_typer(board, name="board", rich_help_panel=BOARD)


def _board() -> None:
    """Build the leaderboard, and take in submissions."""


def accept(
    folder: Annotated[Path, typer.Argument(help="Folder of a submission.")],
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON for programs.")] = False,
) -> None:
    """Check a submission, score it, and archive it with the results. Exit code 1 if refused."""
    from aptbench.board.accept import accept_submission
    from aptbench.cli.submit import show
    from aptbench.data import root

    report = accept_submission(folder, root() / "leaderboard")
    show(report, as_json)
    raise typer.Exit(0 if report.accepted else 1)


def build(
    results: Annotated[
        Path | None,
        typer.Option(help="Folder of archived results; leaderboard/results if left out."),
    ] = None,
    out: Annotated[
        Path | None, typer.Option(help="Folder of the pages; leaderboard/site if left out.")
    ] = None,
) -> None:
    """Build the pages from archived results."""
    from aptbench.board import build_site
    from aptbench.board.snapshot import FOLDER
    from aptbench.data import root
    from aptbench.errors import InputError
    from aptbench.tasks.frozen import frozen_path

    project = root()
    source = results or project / "leaderboard" / "results"
    if not source.is_dir():
        raise InputError(
            "There is no folder of archived results.",
            got=source,
            do="make results with: aptbench run TASK --archive leaderboard/results",
        )
    index = build_site(
        source,
        out or project / "leaderboard" / "site",
        models=project / "baselines",
        datasets=project / "datasets",
        comparisons=project / "leaderboard" / "comparisons",
        submissions=project / "leaderboard" / "submissions",
        spectra=project / "leaderboard" / "spectra",
        learning=project / "leaderboard" / "learning",
        # other rows than those of the project were never frozen
        snapshots=None if results else project / "leaderboard" / FOLDER,
        frozen=frozen_path(),
        selections=project / "leaderboard" / "selections",
        docs=project / "docs",
    )
    typer.echo(str(index))


def snapshot(
    date: Annotated[
        datetime | None,
        typer.Option(formats=["%Y-%m-%d"], help="Date that it is named after; today if left out."),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON for programs.")] = False,
) -> None:
    """Freeze all rows of the leaderboard under a date and a hash, so that they can be cited.

    Cite it with `aptbench cite --snapshot DATE`.
    """
    from aptbench.board.snapshot import FOLDER, Snapshot
    from aptbench.data import root

    board = root() / "leaderboard"
    taken = Snapshot.take(board / "results", board / "comparisons", (date or datetime.now()).date())
    path = taken.write(board / FOLDER)
    report = {"written": str(path), "rows": len(taken.rows.results), "sha256": taken.sha256}
    typer.echo(
        json.dumps(report) if as_json else f"{path}: {report['rows']} rows, SHA-256 {taken.sha256}"
    )
