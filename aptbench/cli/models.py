"""`aptbench models`, `train` and `conform`: models before they meet a task."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from aptbench.cli.panels import MODELS
from aptbench.cli.progress import training_bar

if TYPE_CHECKING:
    from aptbench.models import TrainableModel

AsJson = Annotated[bool, typer.Option("--json", help="Print the results as JSON.")]
Threads = Annotated[int, typer.Option(min=1, help="Threads of torch.")]
ModelName = Annotated[str, typer.Argument(help="Name or folder of a model.")]


def register(app: typer.Typer) -> None:
    """Add the commands."""
    app.command("models", rich_help_panel=MODELS)(models)
    app.command("train", rich_help_panel=MODELS)(train)
    app.command("conform", rich_help_panel=MODELS)(conform)


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
        Path | None,
        typer.Option(
            help="Folder for the weights; the model's own if left out, or trained/TASK in it for a "
            "transfer, or where the model has weights of another task."
        ),
    ] = None,
    labels: Annotated[
        int | None,
        typer.Option(min=1, help="Use so many training labels only, spread over the stretch."),
    ] = None,
    seed: Annotated[
        int | None, typer.Option(min=0, help="Of a model whose training is random.")
    ] = None,
    threads: Threads = 2,
    as_json: AsJson = False,
) -> None:
    """Train a model on the training labels of a task; validation labels only select.

    A run that was stopped goes on from its last checkpoint, which lies beside the weights.
    What was learned for a transfer, or a second task, is kept beside the model's own weights, and
    used for that task.

    Example: aptbench train baselines/e3nn-reference --task water/iid
    """
    from aptbench.data import open_dataset
    from aptbench.errors import InputError
    from aptbench.evaluate.training import (
        TrainingLabels,
        TransferLabels,
        training_labels,
        transfer_labels,
    )
    from aptbench.models import model_folder
    from aptbench.models.fitting import fit_model, set_seed
    from aptbench.tasks import TransferSplit, load_task

    untrained = _trainable(model, threads, task.partition("@")[0])
    if seed is not None:
        set_seed(untrained, seed)
    definition = load_task(task)
    transfer = isinstance(definition.split, TransferSplit)
    folder = out or model_folder(model)
    if folder is None:
        raise InputError("The weights have no place to go.", do="name a folder with --out")
    chosen: TrainingLabels | TransferLabels
    if transfer:
        if labels is not None:
            raise InputError(
                "Budgets of labels are those of tasks within one system.",
                got=f"--labels {labels} for {definition.identity}",
            )
        chosen = transfer_labels(definition)
    else:
        chosen = training_labels(definition, open_dataset(definition.dataset), labels)
    if out is None and (transfer or _learned_for(model) not in ("", definition.name)):
        folder = folder / "trained" / definition.name
    folder.mkdir(parents=True, exist_ok=True)  # a wrong one is told before the training
    provenance = {"model": str(getattr(untrained, "name", model)), **chosen.provenance}
    if seed is not None:
        provenance["seed"] = seed
    with training_bar() as report:
        provenance |= fit_model(
            untrained, chosen.train, chosen.validation, checkpoint_folder=folder, report=report
        )
    path = untrained.save(folder, provenance)
    if as_json:
        typer.echo(json.dumps({**provenance, "weights": str(path)}, indent=2))
    else:
        typer.echo(f"trained in {provenance['seconds']:.0f} s; wrote {path}")


def conform(
    model: ModelName,
    frames: Annotated[
        Path | None,
        typer.Argument(
            help="An extended xyz file with two frames or more; synthetic water if left out."
        ),
    ] = None,
    tolerance: Annotated[float, typer.Option(help="Largest violation in e.")] = 2e-5,
    as_json: AsJson = False,
) -> None:
    """Check the exact properties that every model must have; exit code 1 if one fails.

    Without a file a synthetic liquid and a synthetic molecule of water are used.

    Example: aptbench conform my-model/ water.xyz
    """
    from aptbench.data.readers.extended_xyz import read_extended_xyz_frames
    from aptbench.models import check_model, load_model
    from aptbench.testing import sample_frames

    loaded = load_model(model)
    if frames is None:
        systems = {f"synthetic {kind}": sample_frames(kind) for kind in ("liquid", "molecule")}
    else:
        systems = {str(frames): read_extended_xyz_frames(frames)}
    reports = {name: check_model(loaded, f, tolerance=tolerance) for name, f in systems.items()}
    passed = all(report.passed for report in reports.values())
    if as_json:
        contents = [{"frames": name, **report.to_dict()} for name, report in reports.items()]
        every: dict[str, object] = {"passed": passed, "reports": contents}
        typer.echo(json.dumps(every if frames is None else contents[0], indent=2))
    else:
        typer.echo("\n".join(f"{name}: {report}" for name, report in reports.items()))
    if not passed:
        raise typer.Exit(1)


def _learned_for(model: str) -> str:
    """Return the name of the task that the weights of a model were trained for, if it has any."""
    from aptbench.errors import AptbenchError
    from aptbench.models import load_model

    try:
        record = getattr(load_model(model), "provenance_", None) or {}
    except AptbenchError:
        return ""
    return str(record.get("task", "")).partition("@")[0]


def _trainable(model: str, threads: int, task: str) -> TrainableModel:
    """Load an untrained model, and prepare the process for training it."""
    from aptbench.models.allocator import keep_freed_memory
    from aptbench.models.fitting import load_untrained, set_threads

    keep_freed_memory()
    loaded = load_untrained(model, task)
    set_threads(threads)
    return loaded
