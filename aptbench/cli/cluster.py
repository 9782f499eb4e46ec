"""`cluster`: the Dask cluster that a command was asked to use, or none."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

import typer

if TYPE_CHECKING:
    from distributed import Client


@contextmanager
def cluster(workers: int | None, scheduler: str | None) -> Iterator[Client | None]:
    """Give a client of a cluster here or elsewhere; None if neither was asked for.

    A cluster without workers is waited for, and the user is told.

    Raises
    ------
    InputError
        If both were.
    """
    from aptbench.errors import InputError

    if workers and scheduler:
        raise InputError(
            "Workers are of a cluster on this computer, or of one that runs elsewhere.",
            got=f"--workers {workers} --scheduler {scheduler}",
            do="leave out one of the two",
        )
    if not workers and not scheduler:
        yield None
        return
    from aptbench.reference.distributed import connect

    with connect(workers or 1, scheduler) as client:
        found = client.scheduler_info()
        if not found["workers"]:
            typer.echo(
                f"The scheduler {found['address']} has no worker yet; waiting for one.\n"
                f"  What to do: start one with 'dask worker {found['address']}'",
                err=True,
            )
        yield client
