"""`aptbench cross-check`: stored tensors against the dipoles of displaced atoms."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer

from aptbench.cli.panels import REFERENCE
from aptbench.cli.progress import progress_bar


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("cross-check", rich_help_panel=REFERENCE)(cross_check)


def cross_check(
    recipe: Annotated[Path, typer.Argument(help="The recipe.yaml of a data set.")],
    frame: Annotated[int, typer.Option(help="A labelled frame; its record must be there.")],
    atoms: Annotated[
        int | None,
        typer.Option(min=1, help="How many, of all elements in turn (default: one of each)."),
    ] = None,
    seed: Annotated[int, typer.Option(help="Of the choice of atoms.")] = 0,
    step: Annotated[
        float | None, typer.Option(help="Displacement in angstrom (default: a tested one).")
    ] = None,
    work: Annotated[
        Path | None, typer.Option(help="Folder for the raw files (default: raw/NAME).")
    ] = None,
    records: Annotated[
        Path | None, typer.Option(help="Folder of the records (default: beside the recipe).")
    ] = None,
    out: Annotated[
        Path | None, typer.Option(help="Result file (default: cross-check.json by the recipe).")
    ] = None,
    ranks: Annotated[int, typer.Option(min=1, help="MPI processes of the engine.")] = 1,
    as_json: Annotated[bool, typer.Option("--json", help="Print the result as JSON.")] = False,
) -> None:
    """Displace atoms of a labelled frame with CP2K: dM/dR against the stored dF/dE.

    Six self-consistent fields an atom, without field; goes on where it stopped.
    """
    from rich.console import Console
    from rich.table import Table

    from aptbench import Frames
    from aptbench.atomic import write_atomically
    from aptbench.reference.cross_check import DISPLACEMENT, choose_atoms, displace_atoms
    from aptbench.reference.engine import Cp2k
    from aptbench.reference.recipe import Recipe
    from aptbench.reference.records import LabelRecord, record_path
    from aptbench.reference.theory import Theory

    settings = Recipe.read(recipe)
    record = LabelRecord.read(record_path(records or recipe.parent / "records", frame))
    folder = work or Path("raw") / settings.name
    count = len(set(record.atomic_numbers.tolist())) if atoms is None else atoms
    chosen = choose_atoms(record.atomic_numbers, count, seed)
    with progress_bar() as bar:
        task = bar.add_task("displacements", total=6 * len(chosen))
        check = displace_atoms(
            Frames(record.atomic_numbers, record.positions, record.cell),
            record.apt,
            chosen,
            Theory(**record.provenance["theory"]),
            Cp2k(ranks=ranks),
            folder / "cross-check" / f"frame-{frame:06d}",
            step=DISPLACEMENT if step is None else step,
            start=folder / "labels" / f"frame-{frame:06d}" / "zero-RESTART.wfn",
            progress=lambda what: bar.update(
                task, description=what, advance=int(what.startswith("atom"))
            ),
        )
    result = {"frame": frame, "seed": seed, **check.as_dict()}
    text = json.dumps(result, indent=1)
    write_atomically(out or recipe.parent / "cross-check.json", text + "\n")
    if as_json:
        typer.echo(text)
        return
    table = Table("atoms", "rms difference / e")
    for element, value in check.rms.items():
        table.add_row(element, f"{value:.5f}")
    Console().print(table)
    typer.echo(
        f"largest {check.largest:.5f} e, slope {check.slope:.4f}, "
        f"rms {check.swapped_rms:.5f} e with pol and disp swapped"
    )
