"""`aptbench ls | verify | convert`: the data sets of a project and own files."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from aptbench.cli.panels import DATA
from aptbench.errors import InputError
from aptbench.units import UNITS

if TYPE_CHECKING:
    import numpy as np

JsonFlag = Annotated[bool, typer.Option("--json", help="Print JSON for programs.")]


def register(app: typer.Typer) -> None:
    """Add the commands of this module to the program."""
    app.command("ls", rich_help_panel=DATA)(list_datasets)
    app.command("verify", rich_help_panel=DATA)(verify_stores)
    app.command("convert", rich_help_panel=DATA)(convert_source)


def list_datasets(as_json: JsonFlag = False) -> None:
    """List the data sets of the project."""
    from aptbench.data import catalog

    entries = list(catalog().values())
    if as_json:
        rows = [
            {
                "name": entry.name,
                "available": entry.available,
                "path": str(entry.path),
                "card": None if entry.card is None else str(entry.card),
                "pull": None if entry.available else entry.pull_command,
                "attrs": entry.attrs,
            }
            for entry in entries
        ]
        typer.echo(json.dumps(rows, indent=1))
        return
    if not entries:
        typer.echo("No data set in this project.")
    for entry in entries:
        if not entry.available:
            typer.echo(f"{entry.name:<20} not here yet: {entry.pull_command}")
        elif "error" in entry.attrs:
            typer.echo(f"{entry.name:<20} damaged: aptbench verify {entry.name}")
        else:
            typer.echo(
                f"{entry.name:<20} {entry.attrs['version']:<8} {entry.attrs.get('title', '')}"
            )


def verify_stores(
    datasets: Annotated[
        list[str] | None,
        typer.Argument(help="Names or paths of stores; all that are here if none is given."),
    ] = None,
    as_json: JsonFlag = False,
) -> None:
    """Check bytes, content hash and schema of stores. Exit code 1 if one is damaged."""
    from aptbench.data import catalog, verify
    from aptbench.data.project import locate

    names = datasets or [entry.name for entry in catalog().values() if entry.available]
    if not names:
        raise InputError("There is no store to verify.", do="pull one, or give a path")
    results = {name: verify(locate(name)) for name in names}
    if as_json:
        typer.echo(
            json.dumps({name: result.as_dict() for name, result in results.items()}, indent=1)
        )
    else:
        for name, result in results.items():
            if result.ok:
                typer.echo(f"ok       {name}: {result.n_objects} objects, {result.content_hash}")
                continue
            for problem in result.problems:
                typer.echo(f"{problem.kind:<8} {name}: {problem.name}: {problem.message}")
            typer.echo(f"  What to do: {result.repair}")
    if not all(result.ok for result in results.values()):
        raise typer.Exit(1)


def convert_source(
    source: Annotated[
        list[Path],
        typer.Argument(
            help="A file; a folder of runs for cp2k; files, folders, patterns for espresso, vasp."
        ),
    ],
    target: Annotated[Path, typer.Argument(help="The store to write, NAME.zarr.")],
    format_: Annotated[
        str, typer.Option("--format", help="columns-xyz, cp2k, espresso, extxyz or vasp.")
    ],
    order: Annotated[
        str | None,
        typer.Option(
            help="Meaning of row,column of the tensors: pol,disp or disp,pol; for xyz files."
        ),
    ] = None,
    unit: Annotated[
        str, typer.Option(help=f"Unit of the tensors in the source: {', '.join(UNITS['apt'])}.")
    ] = "e",
    length_unit: Annotated[
        str, typer.Option(help=f"Unit of positions: {', '.join(UNITS['length'])}.")
    ] = "angstrom",
    velocity_unit: Annotated[
        str | None,
        typer.Option(help=f"Unit of velocities, if any: {', '.join(UNITS['velocity'])}."),
    ] = None,
    cell: Annotated[
        str | None,
        typer.Option(help="In angstrom: A, or A,B,C, or nine numbers row by row."),
    ] = None,
    isolated: Annotated[bool, typer.Option("--isolated", help="There is no cell.")] = False,
    charge: Annotated[float, typer.Option(help="Total charge in e.")] = 0.0,
    field: Annotated[
        float | None,
        typer.Option(help="Field strength of cp2k runs in atomic units."),
    ] = None,
    trajectory: Annotated[
        Path | None,
        typer.Option(help="File of the trajectory that the labels are of, with its positions."),
    ] = None,
    trajectory_format: Annotated[
        str,
        typer.Option(
            help="Of the trajectory: cp2k (PROJECT-pos-1.xyz), extxyz, or what ase reads."
        ),
    ] = "cp2k",
    time_step: Annotated[
        float | None,
        typer.Option(help="Between two frames of the trajectory in fs; cp2k files state it."),
    ] = None,
    time_unit: Annotated[
        str | None,
        typer.Option(help=f"Unit of times in an extxyz trajectory: {', '.join(UNITS['time'])}."),
    ] = None,
    velocities: Annotated[
        Path | None,
        typer.Option(help="Velocities of a cp2k trajectory (PROJECT-vel-1.xyz)."),
    ] = None,
    atoms_per_molecule: Annotated[
        int | None,
        typer.Option(help="Consecutive atoms form molecules of so many."),
    ] = None,
    name: Annotated[
        str | None,
        typer.Option(help="Name of the data set; that of the target if not given."),
    ] = None,
    version: Annotated[str, typer.Option("--data-version", help="Version of the data.")] = "0.1.0",
    title: Annotated[
        str | None,
        typer.Option(help="Title of the data set."),
    ] = None,
    license_: Annotated[str, typer.Option("--license", help="Licence of the data.")] = "unknown",
    system: Annotated[str, typer.Option(help="Name of the system in the store.")] = "main",
    force: Annotated[bool, typer.Option("--force", help="Write although a check fails.")] = False,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace a store.")] = False,
    as_json: JsonFlag = False,
) -> None:
    """Convert labelled frames to a store, and check unit, completeness and index order.

    Nothing is written, and the exit code is 1, if a check fails and --force is not given. Runs of
    espresso and vasp have an index order of their own, which --order replaces.

    Example: aptbench convert runs/*/OUTCAR own.zarr --format vasp
    """
    from aptbench.data.conversion import convert, read_source, with_trajectory

    if trajectory is None and (velocities, time_step, time_unit) != (None, None, None):
        raise InputError(
            "Velocities and times are of a trajectory.", do="give its positions: --trajectory"
        )

    read = read_source(
        source,
        format_,
        order=order,
        apt_unit=unit,
        length_unit=length_unit,
        velocity_unit=velocity_unit,
        cell=None if cell is None else parse_cell(cell),
        isolated=isolated,
        atoms_per_molecule=atoms_per_molecule,
        total_charge=charge,
        field=field,
    )
    if trajectory is not None:
        read = with_trajectory(
            read,
            trajectory,
            velocities,
            format=trajectory_format,
            time_step=time_step,
            time_unit=time_unit,
            velocity_unit=velocity_unit,
        )
    stem = target.name.removesuffix(".zarr")
    attrs = {
        "name": name or stem,
        "version": version,
        "title": title
        or f"Converted from {source[0].name}" + (" and others" if source[1:] else ""),
        "license": license_,
        "sources": sorted({path.name for path in source}),
    }
    done = convert(read, target, attrs, system_name=system, force=force, overwrite=overwrite)
    if as_json:
        report = {
            "written": None if done.dataset is None else str(target),
            "content_hash": None if done.dataset is None else done.dataset.content_hash,
            "frames": len(read.frames),
            "atoms": read.frames.n_atoms,
            "labels": read.n_labels,
            "checks": [vars(finding) for finding in done.findings],
        }
        typer.echo(json.dumps(report, indent=1))
    else:
        for finding in done.findings:
            typer.echo(f"{finding.outcome:<8} {finding.check}: {finding.message}")
            if finding.advice:
                typer.echo(f"         What to do: {finding.advice}")
        if done.dataset is None:
            typer.echo("Nothing was written (--force writes all the same).")
        else:
            typer.echo(f"Wrote {target}: {read.n_labels} labels, {done.dataset.content_hash}")
    if not done.ok and not force:
        raise typer.Exit(1)


def parse_cell(text: str) -> np.ndarray:
    """Return the cell of an option: one length, three lengths, or nine numbers row by row.

    Examples
    --------
    >>> parse_cell("12.42").tolist()
    [12.42, 12.42, 12.42]
    """
    import numpy as np

    try:
        numbers = [float(word) for word in text.replace(",", " ").split()]
    except ValueError:
        numbers = []
    if len(numbers) not in (1, 3, 9):
        raise InputError(
            "The --cell is no cell.", got=repr(text), expected="1, 3 or 9 numbers in angstrom"
        )
    return np.array(numbers * 3 if len(numbers) == 1 else numbers).reshape(
        (3, 3) if len(numbers) == 9 else 3
    )
