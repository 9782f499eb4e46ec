"""`aptbench split`, `transfer` and `subsets`: what a model is trained and tested on."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from aptbench.cli.panels import TASKS

if TYPE_CHECKING:
    from aptbench.data import Dataset
    from aptbench.tasks import Split

AsJson = Annotated[bool, typer.Option("--json", help="Print the results as JSON.")]


def register(app: typer.Typer) -> None:
    """Add the commands."""
    app.command("split", rich_help_panel=TASKS)(split)
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
    gap_fs: Annotated[
        float | None, typer.Option(help="Least time between two parts, in fs.", show_default="200")
    ] = None,
    independent: Annotated[
        bool,
        typer.Option("--independent", help="Frames without times: assign the labels at random."),
    ] = False,
    seed: Annotated[
        int | None, typer.Option(min=0, help="Of the draw of --independent.", show_default="0")
    ] = None,
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
    """Divide the labels of a data set, and write the split file.

    The parts are blocks of time with gaps between them. Frames that have no times, such as single
    runs of a program, are assigned at random with --independent; a trajectory never is.

    Example: aptbench split mine --name random --independent --seed 1
    """
    import re

    from aptbench.data import open_dataset
    from aptbench.errors import InputError
    from aptbench.tasks import (
        Split,
        check_split,
        independent_split,
        time_block_split,
        write_split,
    )
    from aptbench.tasks.task import split_path
    from aptbench.tasks.transfer import transfer_path

    if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9_.-]*", name):
        raise InputError(
            "This cannot be the name of a split.", got=name, expected="letters, digits, _ . -"
        )
    data = open_dataset(dataset)
    _check_place(data)
    _check_free("transfer", f"{data.name}/{name}", transfer_path(data.name, name))
    system = data.only_system() if system is None else system
    _check_method(data, system, independent, gap_fs, seed)
    pool = data.label_frames(system)[::every]
    shares = "/".join(f"{share:g}" for share in fractions)
    how: dict[str, Any]
    if independent:
        how = {"gap_fs": 0.0, "method": "independent", "seed": seed or 0}
        parts = independent_split(len(pool), fractions, seed or 0)
        rule = f"frames without times, assigned at random with seed {seed or 0}; shares {shares}"
    else:
        how = {"gap_fs": 200.0 if gap_fs is None else gap_fs}
        parts = time_block_split(pool, data.times(system), fractions, how["gap_fs"])
        rule = (
            "contiguous blocks of time in the order training, validation, test; shares "
            f"{shares}; labels in the gaps of {how['gap_fs']:g} fs are left out"
        )
    thinned = {p: k if p == "train" else k[::test_every] for p, k in parts.items()}
    how |= {part: tuple(every * k for k in labels) for part, labels in thinned.items()}
    made = Split(
        name=name,
        dataset=data.name,
        content_hash=data.content_hash,
        system=system,
        **how,
        rule=rule
        + (f"; of every {every} labels the first is used" if every > 1 else "")
        + (f", of these every {test_every} in validation and test" if test_every > 1 else ""),
        version=version,
    )
    check_split(made, data)
    path = write_split(made, split_path(data.name, name), overwrite=force)
    if as_json:
        typer.echo(made.model_dump_json(indent=2))
        return
    sizes = ", ".join(f"{len(part)} {part_name}" for part_name, part in made.parts.items())
    unused = data.n_labels(system) - sum(map(len, made.parts.values()))
    typer.echo(f"{path}\n  {sizes} labels, {unused} unused\n  {_apart(made, data)}")


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
        int | None,
        typer.Option(min=1, help="Train on every so many labels of a data set.", show_default="1"),
    ] = None,
    test_stride: Annotated[
        int | None,
        typer.Option(min=1, help="Test every so many labels of a data set.", show_default="1"),
    ] = None,
    validation: Annotated[
        float | None,
        typer.Option(
            min=0,
            max=0.9,
            help="Share of a data set for validation: the last.",
            show_default="0.2",
        ),
    ] = None,
    gap_fs: Annotated[
        float | None,
        typer.Option(min=0, help="Least time to the validation labels, in fs.", show_default="0"),
    ] = None,
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
    from aptbench.tasks.task import split_path
    from aptbench.tasks.transfer import TransferSplit, transfer_path
    from aptbench.tasks.transfer_check import check_transfer
    from aptbench.tasks.transfer_parts import labels_to_test, parts_of_split, training_labels

    if sum(map(bool, (target, leave_out, adapt))) != 1:
        raise InputError(
            "A transfer needs something to test.",
            expected="one of --target, --leave-out and --adapt",
        )
    if adapt and test_stride is not None:
        raise InputError(
            "The test of a split is made already, and is taken as it is.",
            got=f"--test-stride {test_stride} with --adapt {adapt}",
            do="leave out --test-stride",
        )
    left_out = leave_out or []
    known = training_labels(
        source, stride=stride, validation=validation, gap_fs=gap_fs, leave_out=left_out
    )
    train, held, adapted = known.train, known.validation, None
    if adapt is None:
        origin = target or source.partition(":")[0]
        test = labels_to_test(origin, stride=test_stride or 1, only=left_out)
        tested = target or ", ".join(left_out)
        rule = f"train on {known.rule}; test on label 1 of {test_stride or 1} of {tested}"
    else:
        more, adapted = parts_of_split(adapt)
        train, held, test = train + more["train"], held + more["validation"], more["test"]
        rule = f"train on {known.rule}, and on {adapt}; test on that of {adapt}"
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
                "rule": rule,
                "version": version,
            }
        )
    except ValidationError as error:
        raise InputError("This is no transfer split.", got=faults(error)) from None
    _check_free("split", f"{made.dataset}/{name}", split_path(made.dataset, name))
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
        typer.Option(
            min=1,
            help="A budget of training labels; may be repeated. Those of the split file, else "
            "1, 2, 4, ... all.",
        ),
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
    times = None
    if dataset.has_times(definition.system):
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
        (
            one.name,
            one.n_labels,
            "–" if one.farthest_fs is None else f"{one.farthest_fs:g}",
            " ".join(map(str, one.labels)),
        )
        for one in found
    ]
    typer.echo(markdown_table(head, body))


def _check_place(data: Dataset) -> None:
    """Refuse a store outside the catalog, whose tasks could not be loaded."""
    from aptbench.data import root
    from aptbench.errors import InputError

    place = root() / "datasets" / data.name / f"{data.name}.zarr"
    if data.path.resolve() != place.resolve():
        raise InputError(
            "A task finds its data by name, and this store is not where its name says.",
            got=f"{data.path}, of the data set {data.name!r}",
            expected=str(place),
            do=f"put the store there, and then: aptbench split {data.name} --name NAME",
        )


def _check_free(kind: str, task: str, path: Path) -> None:
    """Refuse the name of a task of the other kind, since two of one name cannot be loaded."""
    from aptbench.errors import InputError

    if path.is_file():
        raise InputError(
            f"The task {task!r} exists, and is a {kind}.",
            got=str(path),
            expected="one task of a name",
            do="choose another --name",
        )


def _check_method(
    data: Dataset, system: str, independent: bool, gap_fs: float | None, seed: int | None
) -> None:
    """Refuse to draw from a trajectory, to divide by a time that there is not, and idle options."""
    from aptbench.errors import InputError

    if independent and data.has_times(system):
        raise InputError(
            f"The frames of {system!r} in {data.name} have times, and are not independent.",
            got="--independent",
            expected="blocks of time: neighbours in time are nearly the same, so that a test drawn "
            "at random is known from training",
            do="leave out --independent, and choose a gap with --gap-fs",
        )
    if not independent and not data.has_times(system):
        raise InputError(
            f"The frames of {system!r} in {data.name} have no times to divide by.",
            got="independent frames",
            do="--independent assigns them at random; if they are of a trajectory, convert them "
            "with --trajectory instead: neighbours in time are nearly the same",
        )
    if independent and gap_fs is not None:
        raise InputError("There is no gap where there is no time.", do="leave out --gap-fs")
    if not independent and seed is not None:
        raise InputError("Blocks of time are not drawn.", do="leave out --seed")


def _apart(split: Split, data: Dataset) -> str:
    """Return what lies between the parts of a split."""
    from aptbench.tasks import audit_split

    if split.independent:
        return (
            "no time separates the parts: how new the test frames are, says "
            f"'aptbench audit {data.name}'"
        )
    audit = audit_split(split.parts, data.times(split.system)[data.label_frames(split.system)])
    return (
        f"least time between parts {audit.gap_fs:g} fs; "
        f"from test to training {min(audit.nearest_train_fs):g} fs"
    )
