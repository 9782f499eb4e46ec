"""`aptbench compare`: which models the test frames of a task can tell apart."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from rich.table import Table

    from aptbench.evaluate.comparison import Comparison, Gap


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("compare")(compare)


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
    """Rank models in groups that are told apart, by paired differences on the same test frames.

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
        "Models of a group are not told apart from its best one (paired bootstrap, "
        "Holm-adjusted p above 0.05).",
        style="dim",
    )


def _table(comparison: Comparison) -> Table:
    from rich import box
    from rich.table import Table

    from aptbench.evaluate.table import number

    on = f"on {comparison.test_frames} test frames"
    if comparison.of == "spectrum":
        on = f"of the spectrum, {comparison.test_frames} labels"
    table = Table(
        title=f"{comparison.task}: {comparison.metric} {on}",
        title_justify="left",
        box=box.SIMPLE_HEAD,
    )
    unit = "" if comparison.unit == "1" else f" ({comparison.unit})"
    table.add_column("group", justify="right")
    table.add_column("model")
    for heading in (f"{comparison.metric}{unit}", "95 %", "above the best", "95 %", "p"):
        table.add_column(heading, justify="right")
    for group in comparison.groups:
        for place in group:
            gap = place.to_best
            table.add_row(
                str(place.group),
                place.model + (" (trivial)" if place.trivial else ""),
                number(place.value),
                "" if place.low is None else f"{number(place.low)} to {number(place.high or 0)}",
                "" if gap is None else number(gap.value),
                "" if gap is None or gap.low is None else f"{gap.low:.4f} to {gap.high:.4f}",
                _p(place.to_leader or gap),
            )
        table.add_section()
    return table


def _p(gap: Gap | None) -> str:
    if gap is None or gap.p is None:
        return ""
    return "< 0.001" if gap.p < 0.001 else f"{gap.p:.3f}"
