"""`aptbench published-water`: train and score on the published liquid-water frames."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer

from aptbench.cli.panels import MODELS
from aptbench.cli.progress import training_bar

if TYPE_CHECKING:
    from aptbench.frames import LabelledFrames

CELL: Final = 15.6627
ORDER: Final = "disp,pol"
METRICS: Final = (
    "rmse",
    "rmse[O]",
    "rmse[H]",
    "rmse[L=0]",
    "rmse[L=1]",
    "rmse[L=2]",
    "normalized_rmse",
    "sum_rule_residual",
)


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("published-water", rich_help_panel=MODELS)(published_water)


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
    grid: Annotated[
        bool,
        typer.Option(
            "--grid/--no-grid",
            help="Take the trace of the grid of the reference method out of the training labels.",
        ),
    ] = True,
    out: Annotated[Path | None, typer.Option(help="Folder to keep the weights in.")] = None,
    threads: Annotated[int, typer.Option(min=1, help="Threads of torch.")] = 2,
    as_json: Annotated[bool, typer.Option("--json", help="Print the results as JSON.")] = False,
) -> None:
    """Train on the published liquid-water frames and score on the published test frames.

    The data (doi:10.1021/acs.jctc.2c00788) are third-party and not part of aptbench: download
    examples/liquid-water of github.com/pschienbein/AtomicPolarTensor.

    Test labels are scored as they are published. Beside that score stands the one against test
    labels without the grid artefact that was found in the training labels.

    Example: aptbench published-water --train train_10.xyz --test test.xyz
    """
    from aptbench.data.grid_artifact import without_grid_artifacts
    from aptbench.data.readers.columns_xyz import read_columns_xyz
    from aptbench.errors import InputError
    from aptbench.metrics import score
    from aptbench.models.allocator import keep_freed_memory
    from aptbench.models.fitting import fit_model, load_untrained, set_threads
    from aptbench.models.label_cleaning import clean_labels

    def read(path: Path) -> LabelledFrames:
        return read_columns_xyz(path, order=ORDER, cell=[CELL] * 3)

    keep_freed_memory()
    untrained = load_untrained(model)
    set_threads(threads)
    labels = read(train)
    if holdout >= len(labels):
        raise InputError(
            "The 'holdout' leaves no frame to train on.",
            got=holdout,
            expected=f"at most {len(labels) - 1}",
        )
    scored = labels[len(labels) - holdout :] if holdout else read(test)
    labels = labels[: len(labels) - holdout]
    clean, artifacts = clean_labels(labels) if grid and len(labels) > 1 else (labels, ())
    summary: dict[str, Any] = {"model": str(getattr(untrained, "name", model))}
    summary["train"] = train.name
    summary["scored_on"] = f"last {holdout} frames of {train.name}" if holdout else test.name
    summary["grid_artifacts"] = [str(artifact) for artifact in artifacts]
    with training_bar() as report:
        summary |= fit_model(untrained, clean, checkpoint_folder=out, report=report)
    if out is not None:
        summary["weights"] = str(untrained.save(out, summary))
    started = time.monotonic()
    prediction = untrained.predict(scored.frames)
    summary["prediction_seconds_per_frame"] = (time.monotonic() - started) / len(scored)
    scores = score(prediction, scored.apt, scored.frames, names=METRICS)
    summary["scores"] = {
        name: {"value": float(s.value), "unit": s.unit} for name, s in scores.items()
    }
    if artifacts:
        other = without_grid_artifacts(scored, artifacts)
        without = score(prediction, other.apt, other.frames, names=("rmse",))["rmse"]
        summary["rmse_without_grid"] = {"value": float(without.value), "unit": without.unit}
    if as_json:
        typer.echo(json.dumps(summary, indent=2))
        return
    typer.echo(f"{summary['model']}: {len(labels)} frames of {train}, {summary['scored_on']}")
    for artifact in artifacts:
        typer.echo(f"  grid artefact      {artifact}: taken out of the training labels")
    for name, s in scores.items():
        typer.echo(f"  {name:<18} {s.value:.4f} {s.unit if s.unit != '1' else ''}".rstrip())
    if artifacts:
        typer.echo(f"  rmse without grid  {summary['rmse_without_grid']['value']:.4f} e")
    if summary.get("n_parameters"):
        networks = f" in {summary['committee']} networks" if summary.get("committee") else ""
        typer.echo(f"  parameters         {summary['n_parameters']}{networks}")
    typer.echo(f"  training           {summary['seconds']:.0f} s")
    typer.echo(f"  prediction         {summary['prediction_seconds_per_frame']:.2f} s a frame")
