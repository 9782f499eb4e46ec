"""`aptbench run`, `evaluate`, `tasks` and `split`: models against the labels of a task."""

from __future__ import annotations

import json
import math
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from aptbench.cli.cluster import cluster
from aptbench.cli.progress import progress_bar

if TYPE_CHECKING:
    from aptbench.data import Dataset
    from aptbench.evaluate import Evaluation
    from aptbench.evaluate.evaluation import Progress as Callback
    from aptbench.evaluate.task_spectrum import TaskSpectrum
    from aptbench.tasks import Task

TaskName = Annotated[str, typer.Argument(help="Name of the task, such as water/iid.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print the results as JSON.")]
Archive = Annotated[
    Path | None,
    typer.Option(help="Keep results and test predictions in this folder, for the leaderboard."),
]


def register(app: typer.Typer) -> None:
    """Add the commands."""
    app.command("run")(run)
    app.command("evaluate")(evaluate)
    app.command("tasks")(tasks)
    app.command("split")(split)


def run(
    task: TaskName,
    model: Annotated[
        list[str] | None,
        typer.Option(
            help="Name or folder of a model; may be given many times. All baselines if left out."
        ),
    ] = None,
    out: Annotated[
        Path | None, typer.Option(help="Folder of the report; reports/TASK if left out.")
    ] = None,
    archive: Archive = None,
    as_json: AsJson = False,
    spectrum: Annotated[
        bool, typer.Option(help="Predict the dense trajectory for the infrared spectrum.")
    ] = True,
    cache: Annotated[
        bool, typer.Option(help="Keep tensors of the trajectory and costs; use those kept.")
    ] = True,
    fresh: Annotated[
        bool,
        typer.Option(
            "--fresh",
            help="Predict the trajectory anew where the current of the same model is archived.",
        ),
    ] = False,
    patience: Annotated[
        float | None,
        typer.Option(
            min=0,
            help="No spectrum of models whose trajectory would take more than so many seconds.",
        ),
    ] = None,
    cost: Annotated[
        bool, typer.Option(help="Measure speed and memory of each model in a process of its own.")
    ] = True,
    workers: Annotated[
        int | None,
        typer.Option(
            min=1, help="Predict in so many processes of a Dask cluster on this computer."
        ),
    ] = None,
    scheduler: Annotated[
        str | None, typer.Option(help="Predict on a Dask cluster that runs: address or file.")
    ] = None,
) -> None:
    """Score models on a task, and write a report with tables, parity plots and spectra.

    A model whose weights were trained on a test label of the task is refused.

    Example: aptbench run water/iid --model constant-charge --model point-charges
    """
    from aptbench.data import open_dataset, root
    from aptbench.evaluate import evaluate_model, write_report
    from aptbench.models import available_models
    from aptbench.models.allocator import keep_freed_memory
    from aptbench.tasks import TransferSplit, load_task

    keep_freed_memory()
    chosen_task = load_task(task)
    names = list(dict.fromkeys(model or available_models()))
    _known_models(names)
    dataset = open_dataset(chosen_task.dataset)
    if not model and isinstance(chosen_task.split, TransferSplit):
        names = _able(names, chosen_task, dataset)
    _check_training(names, chosen_task, dataset)
    spectral, reason = _spectrum(dataset, chosen_task) if spectrum else (None, None)
    kept = root() / "reports" / ".cache" if cache else None
    with cluster(workers, scheduler) as client, _progress_bar() as bar:
        evaluations = [
            evaluate_model(
                chosen_task,
                dataset,
                name,
                spectrum=spectral,
                archive=None if fresh else root() / "leaderboard" / "results",
                patience=math.inf if patience is None else patience,
                cache=kept,
                cost=cost,
                client=client,
                progress=bar(Path(name).name),
            )
            for name in names
        ]
    folder = out or root() / "reports" / chosen_task.name.replace("/", "-")
    currents = _currents(evaluations)
    report = write_report(
        chosen_task,
        dataset,
        evaluations,
        folder,
        study=spectral.study(currents) if spectral is not None and currents else None,
        no_spectrum=reason or "it was switched off (--no-spectrum).",
    )
    _finish(chosen_task, evaluations, archive, as_json)
    if reason:
        _note(f"No spectrum: {reason}")
    slow = [e.result.model.name for e in evaluations if spectral is not None and e.current is None]
    if slow:
        _note(f"No spectrum of {', '.join(slow)}: more than --patience {patience:g} s.")
    _note(f"Report: {report}")


def evaluate(
    task: TaskName,
    predictions: Annotated[
        Path,
        typer.Option(
            help="Archive (.npz) with the arrays apt (frame, atom, pol, disp), "
            "frame and atomic_number, for all test frames in order."
        ),
    ],
    name: Annotated[
        str | None, typer.Option(help="Name for the table; that of the file if left out.")
    ] = None,
    out: Annotated[Path | None, typer.Option(help="Write a report to this folder too.")] = None,
    archive: Archive = None,
    as_json: AsJson = False,
) -> None:
    """Score predictions that were made elsewhere.

    Example: aptbench evaluate water/iid --predictions mine.npz
    """
    from aptbench.data import open_dataset
    from aptbench.evaluate import evaluate_file, write_report
    from aptbench.tasks import load_task

    chosen_task = load_task(task)
    dataset = open_dataset(chosen_task.dataset)
    evaluation = evaluate_file(chosen_task, dataset, predictions, name=name)
    _finish(chosen_task, [evaluation], archive, as_json)
    if out is not None:
        report = write_report(
            chosen_task,
            dataset,
            [evaluation],
            out,
            no_spectrum="the predictions are of test frames only.",
        )
        _note(f"Report: {report}")


def tasks(
    freeze: Annotated[
        bool, typer.Option("--freeze", help="Release the tasks that are new; they never change.")
    ] = False,
    check: Annotated[
        Path | None,
        typer.Option(
            help="Compare with a file of released tasks too, such as that of the base branch."
        ),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """List the tasks of the project, and compare them with what they were when released.

    Exit code 1 if a released task is something else now.
    """
    from aptbench.errors import InputError
    from aptbench.tasks import TransferSplit, available_tasks, load_task
    from aptbench.tasks.frozen import FrozenTask, check_frozen, frozen_path, read_frozen
    from aptbench.tasks.frozen import freeze as release

    found = [load_task(name) for name in available_tasks()]
    if freeze:
        _freeze_spectra(found)
    now = {task.identity: FrozenTask.of(task) for task in found}
    if check is not None:
        if not check.is_file():
            raise InputError("There is no such file of released tasks.", got=check)
        earlier = read_frozen(check)
        check_frozen(earlier, now)
        check_frozen(earlier, read_frozen(frozen_path()), "The record of the released task")
    check_frozen(read_frozen(frozen_path()), now)
    if freeze:
        for identity in release(now, frozen_path()):
            _note(f"Released: {identity}")
    if as_json:
        rows = [
            {"task": t.identity, "split_hash": t.split.hash, **t.split.model_dump(mode="json")}
            for t in found
        ]
        typer.echo(json.dumps(rows, indent=2))
        return
    if not found:
        typer.echo("No tasks yet: make one with aptbench split DATASET --name NAME")
    for t in found:
        sizes = ", ".join(
            f"{sum(one.n_labels for one in sets)} {part}" for part, sets in t.parts.items()
        )
        if isinstance(t.split, TransferSplit):
            typer.echo(f"{t.identity}  {sizes} labels; {t.split.axis}, tests on {_list(t.systems)}")
        else:
            typer.echo(f"{t.identity}  {sizes} labels of {t.system}; gap {t.split.gap_fs:g} fs")


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
    shares = "/".join(f"{share:g}" for share in fractions)
    made = Split(
        name=name,
        dataset=data.name,
        content_hash=data.content_hash,
        system=system,
        **{part: tuple(every * k for k in labels) for part, labels in blocks.items()},
        gap_fs=gap_fs,
        rule="contiguous blocks of time in the order training, validation, test; shares "
        f"{shares}; labels in the gaps of {gap_fs:g} fs are left out"
        + (f"; of every {every} labels the first is used" if every > 1 else ""),
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


def _freeze_spectra(tasks: Sequence[Task]) -> None:
    """Give every task with a spectrum and without its reference the best current there is."""
    from aptbench.data import open_dataset, root
    from aptbench.evaluate.archive import best_current
    from aptbench.tasks.spectrum_reference import reference_path, write_spectrum_reference

    for task in tasks:
        spectral, _ = _spectrum(open_dataset(task.dataset), task)
        if spectral is None or spectral.reference.dense or spectral.frozen is not None:
            continue
        best = best_current(task, root() / "leaderboard" / "results")
        if best is not None:
            path = write_spectrum_reference(best, reference_path(task.name))
            _note(f"Reference spectrum of {task.identity}: {best.model}, {path}")


def _list(names: Sequence[str]) -> str:
    few = names if len(names) < 6 else names[:4]
    return ", ".join(few) + (f" and {len(names) - len(few)} more" if few != names else "")


def _known_models(names: Sequence[str]) -> None:
    """Fail on an unknown name before the first model has run for minutes."""
    from aptbench.errors import InputError, UnknownNameError
    from aptbench.models import available_models

    known = available_models()
    if not names:
        raise InputError(
            "There is no model to run.",
            expected="--model NAME, or model folders in baselines/",
        )
    for name in names:
        if name not in known and not (Path(name).expanduser() / "model.yaml").is_file():
            if os.sep in name:
                raise InputError(f"There is no model folder at {name}.", expected="a model.yaml")
            raise UnknownNameError("model", name, known)


def _able(names: Sequence[str], task: Task, dataset: Dataset) -> list[str]:
    """Return the models that can predict all systems of a task; say why others cannot."""
    from aptbench.errors import AptbenchError, InputError
    from aptbench.evaluate.scoring import labels_of_test
    from aptbench.models import load_model

    able = []
    for name in names:
        try:
            model = load_model(name, task=task.name)
            for labels in labels_of_test(task, dataset).values():
                model.predict(labels.frames[:1])
            able.append(name)
        except AptbenchError as error:
            _note(f"Left out: {name}. {error.what}")
    if not able:
        raise InputError(
            f"No model can predict the systems of {task.identity}.",
            got=", ".join(names),
            do=f"train one: aptbench train baselines/NAME --task {task.name}",
        )
    return able


def _check_training(names: Sequence[str], task: Task, dataset: Dataset) -> None:
    """Refuse models without weights, or trained on the test, before the first runs for minutes."""
    from aptbench.errors import InputError
    from aptbench.evaluate.training_record import training_record
    from aptbench.models import load_model

    for name in names:
        model = load_model(name, task=task.name)
        if getattr(model, "fitted", True) is False:
            raise InputError(
                f"The model {name!r} has no weights.",
                do="'dvc pull' them, train it with 'aptbench train', or name others with --model",
            )
        record = training_record(model, task, dataset)
        if record.status not in ("matches the task", "not trained"):
            details = "; ".join(filter(None, (record.task, record.note)))
            where = f" ({details})" if details else ""
            _note(f"Training of {Path(name).name}: {record.status}{where}")


def _spectrum(dataset: Dataset, task: Task) -> tuple[TaskSpectrum | None, str | None]:
    from aptbench.errors import InputError
    from aptbench.evaluate.task_spectrum import task_spectrum

    try:
        return task_spectrum(task, dataset), None
    except InputError as error:
        return None, error.what


def _currents(evaluations: Sequence[Evaluation]) -> dict[str, Any]:
    return {e.result.model.name: e.current.current for e in evaluations if e.current is not None}


def _finish(
    task: Task, evaluations: Sequence[Evaluation], archive: Path | None, as_json: bool
) -> None:
    from aptbench.evaluate.archive import archive_evaluation

    if archive is not None:
        for evaluation in evaluations:
            _note(f"Archived: {archive_evaluation(evaluation, archive)}")
    results = [evaluation.result for evaluation in evaluations]
    if as_json:
        typer.echo(json.dumps([r.model_dump(mode="json") for r in results], indent=2))
        return
    from rich.console import Console

    from aptbench.evaluate.cost_table import measured_with
    from aptbench.evaluate.table import terminal_tables

    title = f"{task.identity}: {task.n_test} test frames, 95 % intervals"
    console = Console(highlight=False)
    for table in terminal_tables(results, title):
        console.print(table, "")
    conditions = dict.fromkeys(filter(None, map(measured_with, results)))
    for condition in conditions:
        console.print(f"Speed and memory: {condition}", style="dim")


def _note(text: str) -> None:
    """Say something on the standard error, so that the standard output stays parseable."""
    typer.echo(text, err=True)


@contextmanager
def _progress_bar() -> Iterator[Any]:
    """Give a function that makes the progress callback of a model; bars go to standard error."""
    bars = progress_bar(remaining=True)

    def of_model(name: str) -> Callback:
        rows: dict[str, Any] = {}

        def update(what: str, done: int, total: int) -> None:
            if what not in rows:
                rows[what] = bars.add_task(f"{name}: {what}", total=total)
            bars.update(rows[what], completed=done)

        return update

    with bars:
        yield of_model
