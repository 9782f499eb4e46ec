"""`aptbench cite | diff | export | pack | croissant`: data sets for others."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from aptbench.cli.panels import DATA
from aptbench.errors import InputError, UnknownNameError

if TYPE_CHECKING:
    from aptbench.data import Dataset
    from aptbench.data.selection import Selection

JsonFlag = Annotated[bool, typer.Option("--json", help="Print JSON for programs.")]
OverwriteFlag = Annotated[bool, typer.Option("--overwrite", help="Replace a file.")]
NameArgument = Annotated[str, typer.Argument(help="A data set by name, or the path of a store.")]
CITATION_FORMATS = ("bibtex", "text", "json")
_HDF5 = (".h5", ".hdf5")
_XYZ = (".xyz", ".extxyz")


def register(app: typer.Typer) -> None:
    """Add the commands of this module to the program."""
    app.command("cite", rich_help_panel=DATA)(show_citations)
    app.command("diff", rich_help_panel=DATA)(compare_stores)
    app.command("export", rich_help_panel=DATA)(export_dataset)
    app.command("pack", rich_help_panel=DATA)(pack_dataset)
    app.command("croissant", rich_help_panel=DATA)(write_metadata)


def show_citations(
    datasets: Annotated[
        list[str] | None,
        typer.Argument(help="Data sets by name, or paths of stores."),
    ] = None,
    result: Annotated[
        list[Path] | None,
        typer.Option(help="A result file, for its data, model and methods; may be repeated."),
    ] = None,
    snapshot: Annotated[
        str | None,
        typer.Option(help="A snapshot of the leaderboard: its date, or latest."),
    ] = None,
    format_: Annotated[str, typer.Option("--format", help="bibtex, text or json.")] = "bibtex",
    as_json: JsonFlag = False,
) -> None:
    """Print what to cite: aptbench, data sets, results, and the methods that they were made with.

    Example: aptbench cite --result leaderboard/results/water/iid/e3nn-reference.json
    """
    from aptbench.board.cite import Citation, CitedModel, bibtex, cite, plain_text
    from aptbench.board.snapshot import FOLDER, find_snapshot
    from aptbench.data import open_dataset, root
    from aptbench.evaluate.result import read_result

    if format_ not in CITATION_FORMATS:
        raise UnknownNameError("format of citations", format_, CITATION_FORMATS)
    results = [read_result(path) for path in result or ()]
    names = list(dict.fromkeys([*(datasets or ()), *(one.data.name for one in results)]))
    models = {one.model.name: CitedModel.of(one, root()) for one in results}
    citations = cite([open_dataset(name) for name in names], models.values())
    if snapshot is not None:
        frozen = find_snapshot(root() / "leaderboard" / FOLDER, snapshot)
        citations.append(Citation(frozen.reference))
    if as_json or format_ == "json":
        typer.echo(
            json.dumps([citation.as_dict() for citation in citations], indent=1, ensure_ascii=False)
        )
    else:
        typer.echo(bibtex(citations) if format_ == "bibtex" else plain_text(citations))


def compare_stores(
    old: Annotated[str, typer.Argument(help="The old version: a name, or the path of a store.")],
    new: Annotated[str, typer.Argument(help="The new version: a name, or the path of a store.")],
    as_json: JsonFlag = False,
) -> None:
    """Say what changed between two versions of a data set, and which version number that asks for.

    Exit code 1 if the number of the new version is too low for the change.
    """
    from aptbench.data import open_dataset
    from aptbench.data.versioning import compare_versions, is_raised_enough

    before, after = open_dataset(old), open_dataset(new)
    change = compare_versions(before, after)
    enough = is_raised_enough(change, before.version, after.version)
    required = change.required_version(before.version)
    same = before.content_hash == after.content_hash
    if as_json:
        report = change.as_dict() | {
            "name": after.name,
            "old": {"version": before.version, "content_hash": before.content_hash},
            "new": {"version": after.version, "content_hash": after.content_hash},
            "required_version": required,
            "ok": enough,
            "splits_hold": same,
        }
        typer.echo(json.dumps(report, indent=1))
    else:
        typer.echo(f"{after.name} {before.version} to {after.version}: {change.level.word}")
        for level, what in change.reasons:
            typer.echo(f"{level.word:<6} {what}")
        typer.echo(
            "Splits and tasks of the old version hold for the new one."
            if same
            else "Splits and tasks of the old version stay with it: they name its content hash."
        )
        if not enough:
            typer.echo(f"The version must be {required} at least, and is {after.version}.")
    if not enough:
        raise typer.Exit(1)


def export_dataset(
    name: NameArgument,
    target: Annotated[Path, typer.Argument(help="The file: .h5 (HDF5) or .xyz (extended xyz).")],
    system: Annotated[
        list[str] | None, typer.Option(help="Only this system; may be given several times.")
    ] = None,
    labelled_only: Annotated[
        bool, typer.Option("--labelled-only", help="Only frames with a label (.xyz: always).")
    ] = False,
    task: Annotated[str | None, typer.Option(help="A task of the data set, with --part.")] = None,
    part: Annotated[
        str | None, typer.Option(help="Only these labels: train, validation or test.")
    ] = None,
    overwrite: OverwriteFlag = False,
    as_json: JsonFlag = False,
) -> None:
    """Write a data set, or a part of it, as one HDF5 or extended xyz file."""
    from aptbench.data import open_dataset
    from aptbench.data.hdf5_export import export_hdf5

    if target.suffix not in (*_HDF5, *_XYZ):
        raise InputError(
            "The format of the file is not known.",
            got=f"{target.name!r}",
            expected=f"a name that ends in {', '.join((*_HDF5, *_XYZ))}",
        )
    dataset = open_dataset(name)
    selection = _selection(dataset, tuple(system or ()), labelled_only, task, part)
    if target.suffix in _HDF5:
        export_hdf5(dataset, target, selection, overwrite=overwrite)
    else:
        _export_xyz(dataset, target, selection, overwrite)
    labels = {
        chosen: len(selection.labels.get(chosen, range(dataset.n_labels(chosen))))
        for chosen in selection.systems
    }
    size = target.stat().st_size
    if as_json:
        report = {"written": str(target), "labels": labels, "bytes": size}
        typer.echo(json.dumps(report | {"content_hash": dataset.content_hash}, indent=1))
    else:
        typer.echo(
            f"Wrote {target}: {sum(labels.values())} labels of {', '.join(labels)}, "
            f"{size / 1e6:.1f} MB, from {dataset.name} {dataset.version}."
        )


def pack_dataset(
    name: NameArgument,
    target: Annotated[
        Path | None, typer.Argument(help="The zip file; NAME.zarr.zip here if not given.")
    ] = None,
    overwrite: OverwriteFlag = False,
    as_json: JsonFlag = False,
) -> None:
    """Pack a store into one zip file for a web server or an archive, and print its SHA-256."""
    from aptbench.data import open_dataset
    from aptbench.data.packed import pack_store

    dataset = open_dataset(name)
    packed = pack_store(dataset, target or Path(f"{dataset.name}.zarr.zip"), overwrite=overwrite)
    if as_json:
        report = {"path": str(packed.path), "sha256": packed.sha256, "bytes": packed.size}
        typer.echo(json.dumps(report | {"content_hash": dataset.content_hash}, indent=1))
    else:
        typer.echo(f"{packed.sha256}  {packed.path}")


def write_metadata(
    datasets: Annotated[
        list[str] | None,
        typer.Argument(help="Names; all that are here if none is given."),
    ] = None,
    check: Annotated[
        bool, typer.Option("--check", help="Change nothing; exit code 1 if a file has drifted.")
    ] = False,
    as_json: JsonFlag = False,
) -> None:
    """Write the Croissant metadata of data sets, datasets/NAME/croissant.json."""
    from aptbench.data import catalog, open_dataset, root
    from aptbench.data.croissant import FILE_NAME, croissant_text, write_croissant

    known = catalog()
    drifted = []
    for name in datasets or [entry.name for entry in known.values() if entry.available]:
        if name not in known:
            raise UnknownNameError("data set", name, known)
        dataset, folder = open_dataset(name), root() / "datasets" / name
        path = folder / FILE_NAME
        old = path.read_text(encoding="utf-8") if path.is_file() else None
        if old != croissant_text(dataset, folder):
            drifted.append(str(path.relative_to(root())))
            if not check:
                write_croissant(dataset, folder)
    if as_json:
        typer.echo(json.dumps({"drifted" if check else "written": drifted}, indent=1))
    else:
        for path_text in drifted:
            typer.echo(f"{'drifted' if check else 'written'}: {path_text}")
    raise typer.Exit(1 if check and drifted else 0)


def _selection(
    dataset: Dataset,
    systems: tuple[str, ...],
    labelled_only: bool,
    task_name: str | None,
    part: str | None,
) -> Selection:
    import numpy as np

    from aptbench.data.selection import Selection

    if task_name is None and part is None:
        return Selection.of(dataset, systems, labelled_only=labelled_only)
    if task_name is None or part is None:
        raise InputError(
            "A part is one of a task.",
            got="--part" if task_name is None else "--task",
            expected="both --task and --part, or none",
        )
    from aptbench.tasks import check_test, load_task

    task = load_task(task_name)
    if task.dataset != dataset.name:
        raise InputError(
            f"The task {task_name!r} is none of the data set {dataset.name}.",
            expected=f"a task {dataset.name}/...",
        )
    check_test(task, dataset)
    if part not in task.parts:
        raise UnknownNameError("part of a task", part, task.parts)
    labels = task.labels_of(part)
    others = [one.dataset for one in task.parts[part] if one.dataset != dataset.name]
    if not labels or not set(systems) <= set(labels):
        raise InputError(
            f"The {part} part of the task {task.identity} has no labels of "
            + (f"the system {', '.join(systems)}." if labels else f"the data set {dataset.name}."),
            expected=", ".join(labels or others) or "another part",
        )
    chosen = systems or tuple(labels)
    fields: dict[str, Any] = {
        "labels": {system: np.array(labels[system], np.int64) for system in chosen},
        "part": f"{task.identity} {part}",
    }
    return Selection.of(dataset, chosen, labelled_only=labelled_only, **fields)


def _export_xyz(dataset: Dataset, target: Path, selection: Selection, overwrite: bool) -> None:
    from aptbench.data.export_file import export_file
    from aptbench.data.readers.extended_xyz import write_extended_xyz

    if len(selection.systems) != 1:
        raise InputError(
            "An xyz file holds one system.",
            got=", ".join(selection.systems),
            do="choose one with --system",
        )
    (system,) = selection.systems
    labelled = dataset.labelled(system, selection.labels.get(system))
    if not len(labelled):
        raise InputError(
            f"The system {system} has no labels, which are all that an xyz file is made of.",
            do="export to .h5, which holds the trajectory too",
        )
    with export_file(target, overwrite=overwrite) as temporary:
        write_extended_xyz(temporary, labelled)
