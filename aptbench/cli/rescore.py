"""`aptbench board rescore`: the archived numbers, computed again."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path
from typing import Annotated

import typer

from aptbench.cli.cluster import cluster
from aptbench.cli.progress import progress_bar


def rescore(
    results: Annotated[
        Path | None,
        typer.Option(help="Folder of archived results; leaderboard/results if left out."),
    ] = None,
    write: Annotated[
        bool, typer.Option("--write", help="Replace the numbers of rows that are not identical.")
    ] = False,
    workers: Annotated[
        int | None, typer.Option(min=1, help="Processes of a Dask cluster on this computer.")
    ] = None,
    scheduler: Annotated[
        str | None, typer.Option(help="Address or file of a Dask scheduler that runs.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON for programs.")] = False,
) -> None:
    """Compute every archived row again from its predictions, and compare bit by bit.

    Exit code 1 if a row is different, or cannot be computed.
    """
    from aptbench.data import root
    from aptbench.errors import InputError
    from aptbench.evaluate.rescoring import archived_paths, rescore

    folder = results or root() / "leaderboard" / "results"
    if not archived_paths(folder):
        raise InputError(
            "There are no archived results.",
            got=folder,
            do="make some: aptbench run TASK --archive leaderboard/results",
        )
    with cluster(workers, scheduler) as client, progress_bar() as bar:
        row = bar.add_task("rows", total=len(archived_paths(folder)))
        found = rescore(
            folder,
            write=write,
            advance=lambda: bar.advance(row),
            spread=map
            if client is None
            else lambda function, paths: (
                future.result() for future in client.map(function, paths, pure=False)
            ),
        )
    if as_json:
        typer.echo(json.dumps([one.model_dump() for one in found], indent=2))
    else:
        for one in found:
            if not one.fine:
                typer.echo(f"{one.status}: {one.model} on {one.task}: {one.note}")
        counted = Counter(one.status for one in found)
        typer.echo(", ".join(f"{n} {status}" for status, n in counted.items()))
    raise typer.Exit(0 if all(one.fine for one in found) else 1)
