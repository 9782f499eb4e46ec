"""`aptbench converge`: how far labels move with the settings that they were made with."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from aptbench.cli.panels import REFERENCE
from aptbench.cli.progress import progress_bar
from aptbench.cli.reference import Json, Ranks, RecipePath, Work, sampled

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from aptbench.reference.convergence import Change


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command(rich_help_panel=REFERENCE)(converge)


def converge(
    recipe: RecipePath,
    work: Work = None,
    out: Annotated[
        Path | None,
        typer.Option(help="File of the result.", show_default="convergence.json by recipe"),
    ] = None,
    ranks: Ranks = 1,
    as_json: Json = False,
) -> None:
    """Measure how far labels move with cutoff, basis, field step and thresholds.

    The section 'convergence' of the recipe says which settings are changed, one at a time.
    """
    from aptbench.atomic import write_atomically
    from aptbench.reference.recipe_file import is_dense

    measure = _isolated if is_dense(recipe) else _periodic
    result, rows = measure(recipe, work, ranks)
    result["changes"] = [row.as_dict() for row in rows]
    text = json.dumps(result, indent=1)
    write_atomically(out or recipe.parent / "convergence.json", text + "\n")
    if as_json:
        typer.echo(text)
    else:
        _print(rows)


def _periodic(
    recipe: Path, work: Path | None, ranks: int
) -> tuple[dict[str, Any], Sequence[Change]]:
    from aptbench.reference.convergence import converge
    from aptbench.reference.engine import Cp2k
    from aptbench.reference.recipe import Recipe

    settings = Recipe.read(recipe)
    plan = _given(settings.convergence, recipe)
    folder = work or Path("raw") / settings.name
    trajectory = sampled(recipe).trajectory(settings.system)
    engine = Cp2k(ranks=ranks)
    with _bar(len(plan.variants) + 1) as show:
        rows = converge(
            trajectory[plan.frame],
            settings.label.theory,
            plan.variants,
            engine,
            folder / "convergence" / f"frame-{plan.frame:06d}",
            folder / "labels" / f"frame-{plan.frame:06d}",
            pol=plan.pol,
            progress=show,
        )
    result = {
        "frame": plan.frame,
        "pol": plan.pol,
        "code": engine.version,
        "theory": settings.label.theory.as_dict(),
    }
    return result, rows


def _isolated(
    recipe: Path, work: Path | None, ranks: int
) -> tuple[dict[str, Any], Sequence[Change]]:
    from aptbench.data import open_dataset
    from aptbench.errors import InputError
    from aptbench.reference.dense_recipe import DenseRecipe
    from aptbench.reference.molecular_convergence import converge_molecules

    settings = DenseRecipe.read(recipe)
    plan = _given(settings.convergence, recipe)
    if work is not None:
        raise InputError("Labels of isolated systems keep no raw files.", do="leave out '--work'")
    label = settings.label
    if ranks > 1 and label.engine == "cp2k":
        label = label.model_copy(update={"ranks": ranks})
    dataset = open_dataset(recipe.parent / f"{settings.name}.zarr")
    molecules = [dataset.trajectory(name)[plan.frame] for name in plan.systems]
    with _bar(len(plan.variants) + 1) as show:
        rows = converge_molecules(molecules, label, plan.variants, progress=show)
    provenance = label.labeller().provenance()
    *others, last = (f"`{name}`" for name in plan.systems)
    named = f"{', '.join(others)} and {last}" if others else last
    result = {
        "frame": f"{plan.frame} of {named}",
        "pol": "x, y and z",
        "code": provenance["code"],
        "theory": {name: provenance[name] for name in label.SETTINGS},
    }
    return result, rows


def _given(plan: Any, recipe: Path) -> Any:
    from aptbench.errors import InputError

    if plan is None:
        raise InputError(f"The recipe {recipe} has no section 'convergence'.", do="add one")
    return plan


@contextmanager
def _bar(total: int) -> Iterator[Callable[[str], None]]:
    with progress_bar() as bar:
        task = bar.add_task("convergence", total=total)
        yield lambda name: bar.update(task, description=name, advance=0 if name == "base" else 1)
        bar.update(task, completed=total)


def _print(rows: Sequence[Change]) -> None:
    from rich import box
    from rich.console import Console
    from rich.table import Table

    elements = list(rows[0].rms)
    table = Table(
        title="Root-mean-square change of a component, and acoustic sum, in 0.001 e",
        title_justify="left",
        box=box.SIMPLE_HEAD,
    )
    table.add_column("setting", no_wrap=True)
    for heading in (*elements, "slope", "sum", "SCF"):
        table.add_column(heading, justify="right")
    for row in rows:
        name = ", ".join(f"{k} {v}" for k, v in row.setting.items()) or "as in the recipe"
        table.add_row(
            name,
            *(f"{1000 * row.rms[e]:.2f}" for e in elements),
            f"{row.slope:.4f}",
            f"{1000 * row.sum_rule_residual:.1f}",
            str(row.scf_iterations),
        )
    Console().print(table)
