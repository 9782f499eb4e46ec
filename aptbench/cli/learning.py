"""`aptbench learn`: errors of models against the number of labels they were trained on."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any

import typer

from aptbench.cli.panels import MODELS
from aptbench.cli.progress import training_bar


def register(app: typer.Typer) -> None:
    """Add the commands."""
    app.command("learn", rich_help_panel=MODELS)(learn)
    app.command("select", rich_help_panel=MODELS)(select)


def learn(
    task: Annotated[str, typer.Argument(help="Name of the task, such as water/iid.")],
    model: Annotated[
        list[str] | None,
        typer.Option(help="Name or folder of a model; may be repeated. All if left out."),
    ] = None,
    labels: Annotated[
        list[int] | None,
        typer.Option(
            min=1,
            help="A budget of training labels; may be repeated. Those of the split file if left "
            "out, else 1, 2, 4, ... all.",
        ),
    ] = None,
    repeats: Annotated[
        int, typer.Option(min=1, help="Trainings of a model that depends on a seed.")
    ] = 1,
    committee: Annotated[
        int | None,
        typer.Option(
            min=1, help="Networks in a committee, to save time; its own number if left out."
        ),
    ] = None,
    selection: Annotated[
        Path | None,
        typer.Option(help="File of 'aptbench select': the order in which labels are spent."),
    ] = None,
    out: Annotated[
        Path | None, typer.Option(help="Folder of the results; reports/learning-TASK if left out.")
    ] = None,
    noise: Annotated[
        float | None, typer.Option(min=0, help="Rms error of the labels in e, to be drawn.")
    ] = None,
    threads: Annotated[int, typer.Option(min=1, help="Threads of torch.")] = 2,
    cache: Annotated[
        bool, typer.Option(help="Keep finished trainings, and use those that are kept.")
    ] = True,
    as_json: Annotated[bool, typer.Option("--json", help="Print the results as JSON.")] = False,
) -> None:
    """Train models on nested budgets of labels, and write their learning curves.

    The budgets are the first so many training labels in a fixed order that spreads over the
    trajectory. A command that was stopped goes on where it was.

    Example: aptbench learn water/iid --model constant-charge --labels 1 --labels 2 --labels 6
    """
    from aptbench.board.learning import learning_table
    from aptbench.data import open_dataset, root
    from aptbench.evaluate.learning_files import write_learning_files
    from aptbench.evaluate.learning_run import measure_learning_curve
    from aptbench.models import available_models
    from aptbench.models.allocator import keep_freed_memory
    from aptbench.tasks import load_task
    from aptbench.tasks.data_selection import read_selection
    from aptbench.tasks.subsets import default_budgets

    keep_freed_memory()
    definition = load_task(task)
    chosen = None if selection is None else read_selection(selection)
    name = definition.name.replace("/", "-") + (f"-{chosen.name}" if chosen else "")
    folder = out or root() / "reports" / f"learning-{name}"
    folder.mkdir(parents=True, exist_ok=True)  # a wrong one is told before all is computed
    most = len(definition.train if chosen is None else chosen.labels)
    own = [n for n in definition.within.budgets if n <= most]  # a selection may be shorter
    curve = measure_learning_curve(
        definition,
        open_dataset(definition.dataset),
        list(dict.fromkeys(model or available_models())),
        labels or own or default_budgets(most),
        repeats=repeats,
        selection=chosen,
        committee=committee,
        cache=root() / "reports" / ".learning" if cache else None,
        threads=threads,
        label_noise=noise or None,
        watch=_watch,
    )
    write_learning_files(curve, folder)
    typer.echo(curve.model_dump_json(indent=2) if as_json else learning_table(curve))
    typer.echo(f"Figure, CSV and JSON: {folder}", err=True)


def select(
    task: Annotated[str, typer.Argument(help="Name of a task within one system.")],
    method: Annotated[
        str, typer.Option(help="in-time, chronological, random, or farthest.")
    ] = "in-time",
    seed: Annotated[int, typer.Option(min=0, help="Of a method that draws.")] = 0,
    out: Annotated[
        Path | None, typer.Option(help="File to write; reports/selection-... if left out.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print the selection as JSON.")] = False,
) -> None:
    """Order the pool of training labels of a task, for the data-selection track.

    No label is looked at. An own method writes a file of the same form.

    Example: aptbench select water/iid --method farthest --out mine.json
    """
    from aptbench.data import open_dataset, root
    from aptbench.tasks import check_split, load_task
    from aptbench.tasks.data_selection import select as order
    from aptbench.tasks.data_selection import write_selection

    definition = load_task(task)
    dataset = open_dataset(definition.dataset)
    check_split(definition.within, dataset)
    system = definition.system
    train = list(definition.train)
    frames = dataset.labelled(system, train).frames
    times = None
    if dataset.has_times(system):
        times = dataset.times(system)[dataset.label_frames(system)[train]]
    found = order(definition, frames, times, method, seed=seed)
    name = f"selection-{definition.name.replace('/', '-')}-{found.name}.json"
    path = write_selection(found, out or root() / "reports" / name)
    if as_json:
        typer.echo(found.model_dump_json(indent=2))
    else:
        typer.echo(f"{path}: {' '.join(map(str, found.labels))}")


@contextmanager
def _watch(name: str) -> Iterator[Callable[[int, Any], None]]:
    typer.echo(name, err=True)
    with training_bar(f"{name}, ") as report:
        yield report
