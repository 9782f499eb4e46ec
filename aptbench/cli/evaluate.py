"""`aptbench run` and `evaluate`: models against the labels of a task."""

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
from aptbench.cli.panels import SCORE
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
    app.command("run", rich_help_panel=SCORE)(run)
    app.command("evaluate", rich_help_panel=SCORE)(evaluate)


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
    from aptbench.evaluate.archive import refuse_without_current
    from aptbench.evaluate.model_names import distinct_names
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
    own = list(distinct_names(names).values())
    _check_training(names, chosen_task, dataset)
    folder = out or root() / "reports" / chosen_task.name.replace("/", "-")
    folder.mkdir(parents=True, exist_ok=True)  # a wrong one is told before all is computed
    spectral, reason = _spectrum(dataset, chosen_task) if spectrum else (None, None)
    if archive is not None and spectral is None:
        for one in own:
            refuse_without_current(archive, chosen_task.name, one)
    kept = root() / "reports" / ".cache" if cache else None
    evaluations: list[Evaluation] = []
    try:
        with cluster(workers, scheduler) as client, _progress_bar() as bar:
            for name in names:
                evaluation = evaluate_model(
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
                evaluations.append(evaluation)
                _archive(evaluation, archive)
    except BaseException:  # an interrupt too: what is done took its time
        if evaluations:
            _note(f"Finished: {', '.join(e.result.model.name for e in evaluations)}.")
            _show(chosen_task, evaluations, as_json)
        raise
    _show(chosen_task, evaluations, as_json)
    currents = _currents(evaluations)
    report = write_report(
        chosen_task,
        dataset,
        evaluations,
        folder,
        study=spectral.study(currents) if spectral is not None and currents else None,
        no_spectrum=reason or "it was switched off (--no-spectrum).",
    )
    if reason:
        _note(f"No spectrum: {reason}")
    slow = [e.result.model.name for e in evaluations if spectral is not None and e.current is None]
    if slow:
        _note(f"No spectrum of {', '.join(slow)}: more than --patience {patience:g} s.")
    if spectral is not None and spectral.trajectory.no_molecules:
        _note(f"No assignment: {spectral.trajectory.no_molecules}")
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
    from aptbench.evaluate.archive import refuse_without_current
    from aptbench.tasks import load_task

    chosen_task = load_task(task)
    if archive is not None:
        refuse_without_current(archive, chosen_task.name, name or predictions.stem)
    dataset = open_dataset(chosen_task.dataset)
    evaluation = evaluate_file(chosen_task, dataset, predictions, name=name)
    _archive(evaluation, archive)
    _show(chosen_task, [evaluation], as_json)
    if out is not None:
        report = write_report(
            chosen_task,
            dataset,
            [evaluation],
            out,
            no_spectrum="the predictions are of test frames only.",
        )
        _note(f"Report: {report}")


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


def _archive(evaluation: Evaluation, folder: Path | None) -> None:
    from aptbench.evaluate.archive import archive_evaluation

    if folder is not None:
        _note(f"Archived: {archive_evaluation(evaluation, folder)}")


def _show(task: Task, evaluations: Sequence[Evaluation], as_json: bool) -> None:
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
