"""`aptbench compare`: which models the test frames of a task can tell apart."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from aptbench.cli.panels import SCORE

if TYPE_CHECKING:
    from rich.table import Table

    from aptbench.evaluate.comparison import Comparison, Gap, Place


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("compare", rich_help_panel=SCORE)(compare)


def compare(
    task: Annotated[
        list[str] | None, typer.Argument(help="Names of tasks; all with results if left out.")
    ] = None,
    model: Annotated[
        list[str] | None, typer.Option(help="Only this model; may be repeated.")
    ] = None,
    metric: Annotated[
        str | None,
        typer.Option(help="A metric of which less is better; rmse, and the spectrum, if left out."),
    ] = None,
    results: Annotated[
        Path | None,
        typer.Option(help="Folder of archived predictions; leaderboard/results if left out."),
    ] = None,
    write: Annotated[
        bool, typer.Option("--write", help="Keep it in leaderboard/comparisons, for the pages.")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON for programs.")] = False,
) -> None:
    """Rank models in groups without significant differences, paired on the same test frames.

    Example: aptbench compare water/iid --model e3nn-reference --model linear-tensor
    """
    from aptbench.data import open_dataset, root
    from aptbench.errors import InputError, UnknownNameError
    from aptbench.evaluate.comparison import (
        METRIC,
        archived_means,
        compare_models,
        write_comparison,
    )
    from aptbench.evaluate.spectral_comparison import compare_spectra
    from aptbench.evaluate.table import number
    from aptbench.tasks import available_tasks, load_task

    folder = results or root() / "leaderboard" / "results"
    names = task or [name for name in available_tasks() if any((folder / name).glob("*.npz"))]
    if not names:
        raise InputError(
            "There are no predictions to compare.",
            got=folder,
            do="make some: aptbench run TASK --archive leaderboard/results",
        )
    if write and (model or metric is not None):
        raise InputError(
            "The pages show all models by their root mean square error and their spectra.",
            got="--write with --model or --metric",
            do="leave out one or the other",
        )
    found = []
    for name in names:
        definition = load_task(name)
        dataset = open_dataset(definition.dataset)
        means = archived_means(
            definition, dataset, folder, list(dict.fromkeys([metric or METRIC, "normalized_rmse"]))
        )
        for wanted in model or ():
            if wanted not in means:
                raise UnknownNameError("model with predictions of this task", wanted, means)
        chosen = {key: one for key, one in means.items() if not model or key in model}
        compared = [compare_models(definition, dataset, chosen, metric or METRIC)]
        if metric is None:
            spectra = compare_spectra(definition, dataset, folder, models=chosen)
            compared += [spectra] if spectra is not None else []
        found += compared
        for one in compared if write else ():
            path = write_comparison(one, root() / "leaderboard" / "comparisons")
            typer.echo(f"Wrote {path}", err=True)
    if as_json:
        typer.echo("[" + ",\n".join(one.model_dump_json(indent=1) for one in found) + "]")
        return
    from rich.console import Console

    console = Console(highlight=False)
    for one in found:
        console.print(_table(one))
        if one.noise_floor is not None:
            floor = number(one.noise_floor)
            console.print(f"Noise of the labels: {floor} {one.unit}", style="dim")
    console.print(
        "With 95 % intervals. p: of no difference from the best of the group, by paired "
        "bootstrap, adjusted by Holm; above 0.05 the two are not distinguished.",
        style="dim",
    )


def _table(comparison: Comparison) -> Table:
    from rich import box
    from rich.table import Table

    from aptbench.evaluate.spectral_comparison import DENSE_METRIC

    of = " of the spectrum" if comparison.metric == DENSE_METRIC else ""
    table = Table(
        title=f"{comparison.task}: {comparison.metric}{of}, {comparison.test_frames} test labels",
        title_justify="left",
        box=box.SIMPLE_HEAD,
    )
    unit = "" if comparison.unit == "1" else f" / {comparison.unit}"
    table.add_column("group", justify="right")
    table.add_column("model", no_wrap=True)
    for heading in (f"error{unit}", "above the best", "p"):
        table.add_column(heading, justify="right")
    for group in comparison.groups:
        for place in group:
            table.add_row(
                str(place.group),
                place.model + ("\n(trivial)" if place.trivial else ""),
                _with_interval(place),
                "" if place.to_best is None else _with_interval(place.to_best),
                _p(place.to_leader),
            )
        table.add_section()
    return table


def _with_interval(one: Place | Gap) -> str:
    from aptbench.evaluate.result import Metric
    from aptbench.evaluate.table import interval, number

    metric = Metric(value=one.value, low=one.low, high=one.high, unit="1")
    return f"{number(one.value)} {interval(metric)}".rstrip()


def _p(gap: Gap | None) -> str:
    if gap is None or gap.p is None:
        return ""
    return "< 0.001" if gap.p < 0.001 else f"{gap.p:.3f}"
