"""`aptbench models`, `train`, `conform` and `published-water`: models before they meet a task."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from aptbench.frames import LabelledFrames
    from aptbench.models import TrainableModel

PUBLISHED_CELL = 15.6627
PUBLISHED_ORDER = "disp,pol"
PUBLISHED_METRICS = (
    "rmse",
    "rmse[O]",
    "rmse[H]",
    "rmse[L=0]",
    "rmse[L=1]",
    "rmse[L=2]",
    "normalized_rmse",
    "sum_rule_residual",
)

AsJson = Annotated[bool, typer.Option("--json", help="Print the results as JSON.")]
Threads = Annotated[int, typer.Option(min=1, help="Threads of torch.")]
ModelName = Annotated[str, typer.Argument(help="Name or folder of a model.")]


def register(app: typer.Typer) -> None:
    """Add the commands."""
    app.command("models")(models)
    app.command("train")(train)
    app.command("conform")(conform)
    app.command("published-water")(published_water)


def models(as_json: AsJson = False) -> None:
    """List the models that can be named, and where each comes from."""
    from aptbench.models import available_models

    found = available_models()
    if as_json:
        typer.echo(json.dumps(found, indent=2))
        return
    width = max(map(len, found), default=0)
    for name, where in found.items():
        typer.echo(f"{name:<{width}}  {where}")


def train(
    model: ModelName,
    task: Annotated[str, typer.Option(help="Task whose training labels to use.")],
    out: Annotated[
        Path | None, typer.Option(help="Folder for the weights; the model's own if left out.")
    ] = None,
    threads: Threads = 2,
    as_json: AsJson = False,
) -> None:
    """Train a model on the training labels of a task; validation labels only select.

    A run that was stopped goes on from its last checkpoint, which lies beside the weights.

    Example: aptbench train baselines/e3nn-reference --task water/iid
    """
    from aptbench.data import open_dataset
    from aptbench.errors import InputError, StoreError
    from aptbench.models import model_folder
    from aptbench.tasks import load_task

    untrained = _trainable(model, threads)
    folder = out or model_folder(model)
    if folder is None:
        raise InputError("The weights have no place to go.", do="name a folder with --out")
    definition = load_task(task)
    dataset = open_dataset(definition.dataset)
    if dataset.content_hash != definition.content_hash:
        raise StoreError(
            f"The data of the task {task!r} are not those of its split.",
            got=dataset.content_hash,
            expected=definition.content_hash,
            do="fetch the released data with 'dvc pull'",
        )
    labels = dataset.labelled(definition.system, labels=list(definition.train))
    validation = (
        dataset.labelled(definition.system, labels=list(definition.validation))
        if definition.validation
        else None
    )
    summary: dict[str, Any] = {
        "model": str(getattr(untrained, "name", model)),
        "task": definition.identity,
        "content_hash": definition.content_hash,
        "train": list(definition.train),
        "validation": list(definition.validation),
    }
    summary |= _fit(untrained, labels, validation, folder)
    path = untrained.save(folder, summary)
    if as_json:
        typer.echo(json.dumps({**summary, "weights": str(path)}, indent=2))
    else:
        typer.echo(f"trained in {summary['seconds']:.0f} s; wrote {path}")


def conform(
    model: ModelName,
    frames: Annotated[Path, typer.Argument(help="An extended xyz file with two frames or more.")],
    tolerance: Annotated[float, typer.Option(help="Largest violation in e.")] = 2e-5,
    as_json: AsJson = False,
) -> None:
    """Check the exact properties that every model must have; exit code 1 if one fails.

    Example: aptbench conform my-model/ water.xyz
    """
    from aptbench.data.readers.extended_xyz import read_extended_xyz_frames
    from aptbench.models import check_model, load_model

    report = check_model(load_model(model), read_extended_xyz_frames(frames), tolerance=tolerance)
    typer.echo(json.dumps(report.to_dict(), indent=2) if as_json else str(report))
    if not report.passed:
        raise typer.Exit(1)


def published_water(
    train: Annotated[Path, typer.Option(help="Training frames, such as train_10.xyz.")],
    test: Annotated[Path, typer.Option(help="Test frames, such as test.xyz.")],
    model: Annotated[str, typer.Option(help="Name or folder of the model.")] = "e3nn-reference",
    holdout: Annotated[
        int,
        typer.Option(
            min=0, help="Score on this many of the last training frames; the test stays closed."
        ),
    ] = 0,
    out: Annotated[Path | None, typer.Option(help="Folder to keep the weights in.")] = None,
    threads: Threads = 2,
    as_json: AsJson = False,
) -> None:
    """Train on the published liquid-water frames and score on the published test frames.

    The data (doi:10.1021/acs.jctc.2c00788) are third-party and not part of aptbench: download
    examples/liquid-water of github.com/pschienbein/AtomicPolarTensor.

    Example: aptbench published-water --train train_10.xyz --test test.xyz
    """
    from aptbench.data.readers.columns_xyz import read_columns_xyz
    from aptbench.errors import InputError
    from aptbench.metrics import score

    def read(path: Path) -> LabelledFrames:
        return read_columns_xyz(path, order=PUBLISHED_ORDER, cell=[PUBLISHED_CELL] * 3)

    untrained = _trainable(model, threads)
    labels = read(train)
    if holdout >= len(labels):
        raise InputError(
            "The 'holdout' leaves no frame to train on.",
            got=holdout,
            expected=f"at most {len(labels) - 1}",
        )
    scored = labels[len(labels) - holdout :] if holdout else read(test)
    labels = labels[: len(labels) - holdout]
    summary: dict[str, Any] = {"model": str(getattr(untrained, "name", model))}
    summary["train"] = str(train)
    summary["scored_on"] = f"last {holdout} frames of {train}" if holdout else str(test)
    summary |= _fit(untrained, labels, None, out)
    if out is not None:
        summary["weights"] = str(untrained.save(out, summary))
    started = time.monotonic()
    prediction = untrained.predict(scored.frames)
    summary["prediction_seconds_per_frame"] = (time.monotonic() - started) / len(scored)
    scores = score(prediction, scored.apt, scored.frames, names=PUBLISHED_METRICS)
    summary["scores"] = {
        name: {"value": float(s.value), "unit": s.unit} for name, s in scores.items()
    }
    if as_json:
        typer.echo(json.dumps(summary, indent=2))
        return
    typer.echo(f"{summary['model']}: {len(labels)} frames of {train}, {summary['scored_on']}")
    for name, s in scores.items():
        typer.echo(f"  {name:<18} {s.value:.4f} {s.unit if s.unit != '1' else ''}".rstrip())
    parameters = summary.get("n_parameters")
    if parameters:
        typer.echo(f"  parameters         {parameters} x {summary['committee']} networks")
    typer.echo(f"  training           {summary['seconds']:.0f} s")
    typer.echo(f"  prediction         {summary['prediction_seconds_per_frame']:.2f} s a frame")


def _trainable(model: str, threads: int) -> TrainableModel:
    """Load an untrained model, and prepare the process for training it."""
    from aptbench.errors import InputError
    from aptbench.models import TrainableModel, load_model
    from aptbench.models.allocator import keep_freed_memory

    keep_freed_memory()
    loaded = load_model(model, trained=False)
    if not isinstance(loaded, TrainableModel):
        raise InputError(
            f"The model {model!r} cannot be trained.",
            got=f"{type(loaded).__name__} without 'fit' or 'save'",
            expected="fit(train, validation) -> self and save(folder, provenance) -> path",
        )
    if hasattr(loaded, "n_parameters"):
        import torch

        torch.set_num_threads(threads)
    return loaded


def _fit(
    model: TrainableModel,
    labels: LabelledFrames,
    validation: LabelledFrames | None,
    folder: Path | None,
) -> dict[str, Any]:
    """Fit with a progress bar where the model reports progress; return what there is to tell."""
    started = time.monotonic()
    summary: dict[str, Any] = {}
    fit: Any = model.fit
    if hasattr(model, "n_parameters"):
        from aptbench.models.training import Progress

        last: dict[int, Progress] = {}
        checkpoint = None if folder is None else folder / ".checkpoint"
        with _progress_bar() as update:

            def report(member: int, progress: Progress) -> None:
                last[member] = progress
                update(member, progress)

            fit(labels, validation, checkpoint=checkpoint, report=report)
        summary["n_parameters"] = model.n_parameters
        summary["committee"] = len(last)
        summary["steps"] = [p.step for p in last.values()]
        summary["seconds_per_step"] = sum(p.seconds for p in last.values()) / sum(
            p.step for p in last.values()
        )
        summary["validation_error"] = [p.validation_error for p in last.values()]
    else:
        fit(labels, validation)
    summary["seconds"] = time.monotonic() - started
    return summary


@contextmanager
def _progress_bar() -> Iterator[Callable[[int, Any], None]]:
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        TextColumn("{task.completed}/{task.total} {task.fields[state]}"),
        TimeRemainingColumn(),
    )
    console = Console(stderr=True)
    with Progress(*columns, console=console, disable=not console.is_terminal) as bar:
        tasks: dict[int, Any] = {}

        def update(member: int, progress: Any) -> None:
            if member not in tasks:
                tasks[member] = bar.add_task(
                    f"network {member + 1}", total=progress.steps, state=""
                )
            state = f"train {progress.train_error:.4f} e"
            if progress.validation_error is not None:
                state += f", validation {progress.validation_error:.4f} e"
            bar.update(tasks[member], completed=progress.step, state=state)
            # a log file gets ten lines a network instead of a moving bar
            if not console.is_terminal and progress.step % max(progress.steps // 10, 1) == 0:
                place = f"network {member + 1}, step {progress.step}/{progress.steps}"
                console.print(f"{place}: {state}, {progress.seconds:.0f} s", highlight=False)

        yield update
