"""`progress_bar` and `training_bar`: the bars of all long commands, on the standard error."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from rich.progress import Progress


def progress_bar(*, remaining: bool = False) -> Progress:
    """Return a bar with description, count, and the time passed or remaining."""
    from rich.console import Console
    from rich.progress import (
        BarColumn,
        MofNCompleteColumn,
        Progress,
        TextColumn,
        TimeElapsedColumn,
        TimeRemainingColumn,
    )

    return Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn() if remaining else TimeElapsedColumn(),
        console=Console(stderr=True),
    )


@contextmanager
def training_bar(prefix: str = "") -> Iterator[Callable[[int, Any], None]]:
    """Give the ``report`` of `aptbench.models.fitting.fit_model`: a bar for each network.

    A log file gets ten lines a network instead of a moving bar.
    """
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        TextColumn("{task.completed}/{task.total} {task.fields[state]}"),
        TimeRemainingColumn(),
    )
    console = Console(stderr=True)
    with Progress(*columns, console=console, disable=not console.is_terminal) as bar:
        tasks: dict[int, Any] = {}

        def update(member: int, progress: Any) -> None:
            name = f"{prefix}network {member + 1}"
            if member not in tasks:
                tasks[member] = bar.add_task(name, total=progress.steps, state="")
            state = f"train {progress.train_error:.4f} e"
            if progress.validation_error is not None:
                state += f", validation {progress.validation_error:.4f} e"
            bar.update(tasks[member], completed=progress.step, state=state)
            if not console.is_terminal and progress.step % max(progress.steps // 10, 1) == 0:
                place = f"{name}, step {progress.step}/{progress.steps}"
                console.print(f"{place}: {state}, {progress.seconds:.0f} s", highlight=False)

        yield update
