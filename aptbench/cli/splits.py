"""`aptbench split`, `transfer`, `audit` and `subsets`: splits, what they promise and hold."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from aptbench.cli.panels import TASKS

if TYPE_CHECKING:
    from aptbench.data import Dataset
    from aptbench.tasks import Task
    from aptbench.tasks.transfer import TransferSplit

AsJson = Annotated[bool, typer.Option("--json", help="Print the results as JSON.")]


def register(app: typer.Typer) -> None:
    """Add the commands."""
    app.command("split", rich_help_panel=TASKS)(split)
    app.command("audit", rich_help_panel=TASKS)(audit)
    app.command("transfer", rich_help_panel=TASKS)(transfer)
    app.command("subsets", rich_help_panel=TASKS)(subsets)


def split(
    dataset: Annotated[str, typer.Argument(help="Name of a data set of the catalog.")],
    name: Annotated[str, typer.Option(help="Name of the split; the task is DATASET/NAME.")],
    system: Annotated[
        str | None, typer.Option(help="System of the data set, needed if it has several.")
    ] = None,
    fractions: Annotated[
        tuple[float, float, float], typer.Option(help="Shares of training, validation and test.")
    ] = (0.6, 0.2, 0.2),
    gap_fs: Annotated[float, typer.Option(help="Least time between two parts, in fs.")] = 200.0,
    every: Annotated[
        int, typer.Option(min=1, help="Of a densely labelled system use every n-th label only.")
    ] = 1,
    test_every: Annotated[
        int,
        typer.Option(min=1, help="Of those, use every n-th only in validation and test."),
    ] = 1,
    version: Annotated[int, typer.Option(min=1, help="Version of the task.")] = 1,
    force: Annotated[bool, typer.Option(help="Replace a split that was never released.")] = False,
    as_json: AsJson = False,
) -> None:
    """Divide the labels of a data set into blocks of time, and write the split file."""
    import re

    from aptbench.data import open_dataset
    from aptbench.errors import InputError
    from aptbench.tasks import Split, audit_split, check_split, time_block_split, write_split
    from aptbench.tasks.task import split_path

    if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9_.-]*", name):
        raise InputError(
            "This cannot be the name of a split.", got=name, expected="letters, digits, _ . -"
        )
    data = open_dataset(dataset)
    system = data.only_system() if system is None else system
    label_frames, times = data.label_frames(system), data.times(system)
    blocks = time_block_split(label_frames[::every], times, fractions, gap_fs)
    thinned = {p: k if p == "train" else k[::test_every] for p, k in blocks.items()}
    shares = "/".join(f"{share:g}" for share in fractions)
    made = Split(
        name=name,
        dataset=data.name,
        content_hash=data.content_hash,
        system=system,
        **{part: tuple(every * k for k in labels) for part, labels in thinned.items()},
        gap_fs=gap_fs,
        rule="contiguous blocks of time in the order training, validation, test; shares "
        f"{shares}; labels in the gaps of {gap_fs:g} fs are left out"
        + (f"; of every {every} labels the first is used" if every > 1 else "")
        + (f", of these every {test_every} in validation and test" if test_every > 1 else ""),
        version=version,
    )
    check_split(made, data)
    path = write_split(made, split_path(data.name, name), overwrite=force)
    audit = audit_split(made.parts, times[label_frames])
    if as_json:
        typer.echo(made.model_dump_json(indent=2))
        return
    sizes = ", ".join(f"{len(part)} {part_name}" for part_name, part in made.parts.items())
    used = sum(map(len, made.parts.values()))
    typer.echo(f"{path}\n  {sizes} labels, {len(label_frames) - used} unused")
    typer.echo(
        f"  least time between parts {audit.gap_fs:g} fs; "
        f"from test to training {min(audit.nearest_train_fs):g} fs"
    )


def audit(
    names: Annotated[
        list[str] | None,
        typer.Argument(help="Data sets whose splits are audited; all that are here if left out."),
    ] = None,
    check: Annotated[
        bool,
        typer.Option("--check", help="Write nothing; exit code 1 if a shipped audit says other."),
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Audit all splits for leakage, and all data sets for frames that occur twice.

    Writes datasets/NAME/audits/SPLIT.json and datasets/duplicates.json. The exit code is 1 if a
    split does not hold its promise: its gap, no copy of a training label in a test, its own or that
    of another data set.

    Example: aptbench audit water
    """
    from aptbench.board.audit_table import audit_table, read_audit
    from aptbench.cli.progress import progress_bar
    from aptbench.data import catalog, open_dataset, root
    from aptbench.errors import InputError, UnknownNameError
    from aptbench.tasks.duplicate_audit import Exam, audit_duplicates, duplicates_path
    from aptbench.tasks.leakage import agree, audit_path, audit_task, write_record
    from aptbench.tasks.transfer_audit import audit_transfer, transfer_audit_path

    entries = catalog()
    for name in names or ():
        if name not in entries:
            raise UnknownNameError("data set", name, entries)
    datasets = {name: open_dataset(name) for name, entry in entries.items() if entry.available}
    for name in (n for n in entries if n not in datasets):
        typer.echo(f"not here, so not searched: {name} ({entries[name].pull_command})", err=True)
    tasks, transfers = _splits(datasets)
    made: dict[Path, Any] = {}
    with progress_bar() as bar:
        row = bar.add_task("splits", total=len(tasks) + len(transfers))
        for task in tasks:
            if task.dataset in (names or datasets):
                made[audit_path(task.dataset, task.split.name)] = audit_task(
                    task, datasets[task.dataset]
                )
            bar.advance(row)
        for one in transfers:
            if one.dataset in (names or datasets):
                path = transfer_audit_path(one.dataset, one.name)
                made[path] = audit_transfer(one, datasets)
            bar.advance(row)
        frames = sum(d.n_frames(system) for d in datasets.values() for system in d.systems)
        row = bar.add_task("frames", total=frames)
        made[duplicates_path()] = audit_duplicates(
            datasets,
            [*map(Exam.of, tasks), *map(Exam.of, transfers)],
            progress=lambda done: bar.advance(row, done),
        )
    project = root()
    drifted = []
    for path, record in made.items():
        if not check:
            write_record(record, path)
            continue
        try:
            same = agree(read_audit(path), record)
        except InputError:
            same = False
        if not same:
            drifted.append(path.relative_to(project).as_posix())
    breaches = {
        getattr(record, "task", "all data sets"): list(record.breaches) for record in made.values()
    }
    if as_json:
        contents = {
            path.relative_to(project).as_posix(): record.model_dump(mode="json")
            for path, record in made.items()
        }
        breached = {name: found for name, found in breaches.items() if found}
        answer = {"audits": contents, "breaches": breached, "drifted": drifted}
        typer.echo(json.dumps(answer, indent=2))
    else:
        typer.echo(audit_table(list(made.values())))
        for file in drifted:
            typer.echo(f"drifted: {file}")
    for name, found in breaches.items():
        for sentence in found:
            typer.echo(f"broken promise: {name}: {sentence}", err=True)
    raise typer.Exit(1 if drifted or any(breaches.values()) else 0)


def transfer(
    name: Annotated[str, typer.Option(help="Name of the split.")],
    axis: Annotated[str, typer.Option(help="What differs, such as temperature or chemistry.")],
    source: Annotated[
        str,
        typer.Option(help="What is trained on: DATASET/SPLIT, DATASET or DATASET:SYSTEM,SYSTEM."),
    ],
    target: Annotated[
        str | None,
        typer.Option(help="What is tested: DATASET or DATASET:SYSTEM,SYSTEM."),
    ] = None,
    leave_out: Annotated[
        list[str] | None,
        typer.Option(help="System of the source that is tested instead; may be repeated."),
    ] = None,
    adapt: Annotated[
        str | None,
        typer.Option(
            help="DATASET/SPLIT: train on its training labels too, and test on its test labels."
        ),
    ] = None,
    stride: Annotated[
        int, typer.Option(min=1, help="Train on every so many labels of a data set.")
    ] = 1,
    test_stride: Annotated[int, typer.Option(min=1, help="Test every so many labels.")] = 1,
    validation: Annotated[
        float, typer.Option(min=0, max=0.9, help="Share of a data set for validation: the last.")
    ] = 0.2,
    gap_fs: Annotated[
        float, typer.Option(min=0, help="Least time to the validation labels, in fs.")
    ] = 0.0,
    mixed_theory: Annotated[
        bool, typer.Option(help="Allow labels of several levels of theory.")
    ] = False,
    version: Annotated[int, typer.Option(min=1, help="Version of the task.")] = 1,
    force: Annotated[bool, typer.Option(help="Replace a split that was never released.")] = False,
    as_json: AsJson = False,
) -> None:
    """Write a split that trains on some systems and tests on others.

    With --adapt it trains on a few labels of the system of the test, too.

    Example: aptbench transfer --name no-ammonia --axis molecules-left-out --source molecules
    --leave-out nh3 --stride 100 --test-stride 100
    """
    from pydantic import ValidationError

    from aptbench.data import open_dataset
    from aptbench.errors import InputError
    from aptbench.json_file import faults
    from aptbench.tasks import write_split
    from aptbench.tasks.transfer import TransferSplit, transfer_path
    from aptbench.tasks.transfer_check import check_transfer
    from aptbench.tasks.transfer_parts import labels_to_test, parts_of_split, training_labels

    if sum(map(bool, (target, leave_out, adapt))) != 1:
        raise InputError(
            "A transfer needs something to test.",
            expected="one of --target, --leave-out and --adapt",
        )
    left_out = leave_out or []
    known = training_labels(
        source, stride=stride, validation=validation, gap_fs=gap_fs, leave_out=left_out
    )
    train, held, adapted = known.train, known.validation, None
    if adapt is None:
        origin = target or source.partition(":")[0]
        test = labels_to_test(origin, stride=test_stride, only=left_out)
    else:
        more, adapted = parts_of_split(adapt)
        train, held, test = train + more["train"], held + more["validation"], more["test"]
    try:
        made = TransferSplit.model_validate(
            {
                "name": name,
                "dataset": test[0].dataset if test else target,
                "axis": axis,
                "train": train,
                "validation": held,
                "test": test,
                "source": known.source,
                "adapted": adapted,
                "same_theory": not mixed_theory,
                "rule": _rule(
                    source, target, adapt, left_out, stride, test_stride, validation, gap_fs
                ),
                "version": version,
            }
        )
    except ValidationError as error:
        raise InputError("This is no transfer split.", got=faults(error)) from None
    names = {part.dataset for parts in made.parts.values() for part in parts}
    check_transfer(made, {one: open_dataset(one) for one in names})
    path = write_split(made, transfer_path(made.dataset, name), overwrite=force)
    if as_json:
        typer.echo(made.model_dump_json(indent=2))
        return
    typer.echo(str(path))
    for part, sets in made.parts.items():
        for one in sets:
            sizes = ", ".join(f"{len(labels)} of {name}" for name, labels in one.labels.items())
            typer.echo(f"  {part}: {one.dataset}: {sizes}")


def subsets(
    task: Annotated[str, typer.Argument(help="Name of the task, such as water/iid.")],
    labels: Annotated[
        list[int] | None,
        typer.Option(min=1, help="A budget of training labels; may be repeated. 1, 2, 4, ... all."),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """List the nested low-data subsets of the training labels of a task.

    Example: aptbench subsets water/iid --labels 1 --labels 3
    """
    from aptbench.board.generated import markdown_table
    from aptbench.data import open_dataset
    from aptbench.tasks import check_split, load_task
    from aptbench.tasks.subsets import label_subsets

    definition = load_task(task)
    dataset = open_dataset(definition.dataset)
    check_split(definition.within, dataset)
    times = dataset.times(definition.system)[dataset.label_frames(definition.system)]
    found = label_subsets(definition.within, times, labels)
    if as_json:
        rows = [
            {"name": one.name, "labels": list(one.labels), "farthest_fs": one.farthest_fs}
            for one in found
        ]
        typer.echo(json.dumps({"task": definition.identity, "subsets": rows}, indent=2))
        return
    head = ["subset", "labels", "farthest training label / fs", "which"]
    body = [
        (one.name, one.n_labels, f"{one.farthest_fs:g}", " ".join(map(str, one.labels)))
        for one in found
    ]
    typer.echo(markdown_table(head, body))


def _splits(datasets: Mapping[str, Dataset]) -> tuple[list[Task], list[TransferSplit]]:
    """Return the tasks and transfer splits whose data sets are all here."""
    from aptbench.tasks import available_splits, load_task
    from aptbench.tasks.transfer import available_transfers, read_transfer, transfer_path

    tasks = [load_task(name) for name in available_splits() if name.split("/")[0] in datasets]
    transfers = []
    for name in available_transfers():
        one = read_transfer(transfer_path(*name.split("/")))
        needed = {part.dataset for parts in one.parts.values() for part in parts}
        if needed <= set(datasets):
            transfers.append(one)
        else:
            missing = ", ".join(sorted(needed - set(datasets)))
            typer.echo(f"not audited, because {missing} is not here: {name}", err=True)
    return tasks, transfers


def _rule(
    source: str,
    target: str | None,
    adapt: str | None,
    left_out: list[str],
    stride: int,
    test_stride: int,
    validation: float,
    gap_fs: float,
) -> str:
    if "/" in source:
        trained = f"training and validation of {source}"
    else:
        without = f" without {', '.join(left_out)}" if left_out else ""
        trained = (
            f"label 1 of {stride} of {source}{without}, of each system the last share of "
            f"{validation:g} for validation after a gap of {gap_fs:g} fs"
        )
    if adapt is not None:
        return f"train on {trained}, and on {adapt}; test on that of {adapt}"
    tested = target or ", ".join(left_out)
    return f"train on {trained}; test on label 1 of {test_stride} of {tested}"
