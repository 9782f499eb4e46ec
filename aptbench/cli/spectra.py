"""`aptbench spectrum` and `assign`: from a trajectory to its spectrum and what makes its bands."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from aptbench.cli.panels import SPECTRA
from aptbench.cli.progress import progress_bar

if TYPE_CHECKING:
    from aptbench.evaluate.fitted_labels import FittedLabels
    from aptbench.evaluate.prediction_run import NamedModel, PredictedTensors
    from aptbench.evaluate.reference_currents import ReferenceCurrents
    from aptbench.evaluate.spectral_source import SpectralSource
    from aptbench.spectra import SpectralProtocol

Source = Annotated[
    str,
    typer.Argument(
        help="A data set (water), a task (water/iid: the stretch of its test), a store "
        "(mine.zarr), or a trajectory file (.xyz, .extxyz)."
    ),
]
System = Annotated[str | None, typer.Option(help="System of a data set with several.")]
Models = Annotated[
    list[str] | None, typer.Option("--model", help="Name or folder of a model; may be repeated.")
]
Out = Annotated[
    Path | None, typer.Option(help="Folder of the results.", show_default="reports/...")
]
Protocol = Annotated[str, typer.Option(help="Spectral protocol: ir@1, or ir-short@1 from 1 ps.")]
Quantum = Annotated[
    str | None, typer.Option(help="Quantum correction: harmonic, none, standard, schofield.")
]
Bands = Annotated[
    list[str] | None, typer.Option("--band", help="NAME:LOW:HIGH in cm^-1; may be repeated.")
]
TimeStep = Annotated[float | None, typer.Option(help="Of an extended xyz file, in fs.")]
VelocityUnit = Annotated[str | None, typer.Option(help="Of a file, for example angstrom/fs.")]
Velocities = Annotated[
    Path | None, typer.Option(help="File of velocities of a CP2K trajectory (PROJECT-vel-1.xyz).")
]
Cell = Annotated[
    str | None, typer.Option(help="Edges of an orthorhombic cell of such files, A,B,C in angstrom.")
]
Temperature = Annotated[float | None, typer.Option(help="In K.", show_default="of the velocities")]
Volume = Annotated[
    float | None,
    typer.Option(help="In angstrom^3.", show_default="of the cell; 1000 without a cell"),
]
Cache = Annotated[bool, typer.Option(help="Keep predicted tensors, and use those that are kept.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print the result as JSON.")]


def register(app: typer.Typer) -> None:
    """Add the commands."""
    app.command("spectrum", rich_help_panel=SPECTRA)(spectrum)
    app.command("assign", rich_help_panel=SPECTRA)(assign)


def spectrum(
    source: Source,
    model: Models = None,
    system: System = None,
    out: Out = None,
    protocol: Protocol = "ir@1",
    quantum_correction: Quantum = None,
    band: Bands = None,
    all_labels: Annotated[
        bool,
        typer.Option(
            "--all-labels",
            help="Correct with training labels of tasks too; never with those that a model names.",
        ),
    ] = False,
    power: Annotated[
        bool, typer.Option("--power", help="Write the vibrational density of states too.")
    ] = False,
    dipole: Annotated[
        bool, typer.Option("--dipole", help="Add the spectrum from the dipoles of dense labels.")
    ] = False,
    time_step: TimeStep = None,
    velocity_unit: VelocityUnit = None,
    velocities: Velocities = None,
    cell: Cell = None,
    temperature: Temperature = None,
    volume: Volume = None,
    block: Annotated[
        float | None,
        typer.Option(help="Blocks of the bootstrap, in fs.", show_default="a tenth of the time"),
    ] = None,
    fresh: Annotated[
        bool,
        typer.Option(
            "--fresh",
            help="Predict every frame of a task, although its current is archived and the model "
            "has not changed.",
        ),
    ] = False,
    cache: Cache = True,
    as_json: AsJson = False,
) -> None:
    """Write the infrared spectrum of a trajectory, with intervals, errors and corrections.

    Where every frame is labelled, models are compared with the reference spectrum. Where some are,
    the reference spectrum is estimated from the models and the labels they were not fitted to. A
    model that was trained on a test label of a task is refused there.

    Example: aptbench spectrum water --model point-charges --model e3nn-reference
    """
    from aptbench.data import root
    from aptbench.evaluate.prediction_run import predict_currents
    from aptbench.evaluate.spectral_files import write_power, write_study
    from aptbench.evaluate.spectral_study import spectral_study

    opened = _open(
        source, system, protocol, quantum_correction, band, time_step, velocity_unit, velocities,
        cell, temperature, volume,
    )  # fmt: skip
    models = _models(opened, model or [])
    fitted = opened.fitted(models.values(), all_labels=all_labels)
    folder = _folder(out, f"spectrum-{opened.name}")
    reference = opened.reference(fitted.labels)
    # before anything is predicted: not every source has them
    dipoles = opened.dense_labels().dipoles() if dipole else None
    _say_fitted(fitted, reference)
    kept = {} if fresh else opened.archived_currents(models, root() / "leaderboard" / "results")
    if kept:
        names = ", ".join(kept)
        typer.echo(f"Archived currents, of models that have not changed: {names}.", err=True)
    rest = {name: one for name, one in models.items() if one.name not in kept}
    with _tensors(opened, rest, cache) as predicted:
        for name, tensors in predicted.items():
            kept[name] = predict_currents(tensors, opened.trajectory.frames).values
    currents = {one.name: kept[one.name] for one in models.values()}
    study = spectral_study(
        opened.trajectory,
        currents,
        reference,
        block=block,
        dipole=dipoles,
        anchor=None if opened.task is None else opened.task.anchor,
    )
    summary = write_study(study, folder)
    if power:
        write_power(opened.trajectory, folder)
    if as_json:
        typer.echo(json.dumps(summary, indent=2))
        return
    from rich.console import Console

    from aptbench.evaluate.spectral_table import spectral_table

    Console(highlight=False).print(spectral_table(study))
    typer.echo(f"Figure, CSV, JSON and Zarr: {folder}", err=True)


def assign(
    source: Source,
    model: Models = None,
    system: System = None,
    out: Out = None,
    labels: Annotated[
        bool, typer.Option("--labels", help="Assign the reference too, where it is dense.")
    ] = False,
    edges: Annotated[
        str | None, typer.Option(help="Edges of the distance shells in angstrom: 0,2.5,3.5 ...")
    ] = None,
    shells: Annotated[
        str | None, typer.Option(help="Edges of the solvation shells in angstrom: 0,3.3,5.6.")
    ] = None,
    protocol: Protocol = "ir@1",
    quantum_correction: Quantum = None,
    band: Bands = None,
    time_step: TimeStep = None,
    velocity_unit: VelocityUnit = None,
    velocities: Velocities = None,
    cell: Cell = None,
    temperature: Temperature = None,
    volume: Volume = None,
    cache: Cache = True,
    as_json: AsJson = False,
) -> None:
    """Split the infrared spectrum of a trajectory into what nuclei, modes and pairs contribute.

    Channels of species, of modes (translation, libration, bend, stretches), within and between
    molecules, by distance and by solvation shell; those of each family add up to the spectrum.

    Example: aptbench assign water --model e3nn-reference
    """
    from aptbench.errors import InputError
    from aptbench.evaluate.spectral_files import errors_of_channels, write_assignment
    from aptbench.evaluate.spectral_study import REFERENCE
    from aptbench.evaluate.trajectory import molecular_currents
    from aptbench.spectra.assignment import assign as assign_currents

    distance_shells, solvation_shells = _numbers("--edges", edges), _numbers("--shells", shells)
    opened = _open(
        source, system, protocol, quantum_correction, band, time_step, velocity_unit, velocities,
        cell, temperature, volume,
    )  # fmt: skip
    if not model and not labels:
        raise InputError("There is nothing to assign.", do="name a model with --model, or --labels")
    trajectory = opened.trajectory
    models = _models(opened, model or [])
    folder = _folder(out, f"assign-{opened.name}")
    assignments = {}
    with _tensors(opened, models, cache) as predicted:
        sources: dict[str, Any] = dict(predicted)
        if labels:
            sources[REFERENCE] = opened.dense_labels()
        for name, tensors in sources.items():
            assignments[name] = assign_currents(
                molecular_currents(tensors, trajectory),
                edges=distance_shells,
                shells=solvation_shells,
                **trajectory.constants,
            )
    result = write_assignment(assignments, trajectory, folder)
    if as_json:
        typer.echo(json.dumps(result, indent=2))
        return
    from rich.console import Console

    from aptbench.evaluate.spectral_table import channel_error_table, channel_table

    for name, assignment in assignments.items():
        Console(highlight=False).print(channel_table(name, assignment, trajectory))
    for name, errors in errors_of_channels(assignments, trajectory).items():
        Console(highlight=False).print(channel_error_table(name, errors))
    typer.echo(f"Figures, CSV, JSON and Zarr: {folder}", err=True)


def _open(
    source: str,
    system: str | None,
    protocol: str,
    quantum_correction: str | None,
    band: list[str] | None,
    time_step: float | None,
    velocity_unit: str | None,
    velocities: Path | None,
    cell: str | None,
    temperature: float | None,
    volume: float | None,
) -> SpectralSource:
    from aptbench.evaluate.spectral_source import open_source

    edges = _numbers("--cell", cell, 3)
    return open_source(
        source,
        system=system,
        protocol=_protocol(protocol, quantum_correction),
        bands=_bands(band),
        time_step=time_step,
        velocity_unit=velocity_unit,
        velocities=velocities,
        cell=None if edges is None else (edges[0], edges[1], edges[2]),
        temperature=temperature,
        volume=volume,
    )


def _folder(out: Path | None, name: str) -> Path:
    """Make the folder of the results, so that a wrong one is told before all is computed."""
    from aptbench.data import root

    folder = out or root() / "reports" / name
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def _protocol(name: str, quantum_correction: str | None) -> SpectralProtocol:
    """Return the protocol; with another quantum correction it is no longer the frozen one."""
    from dataclasses import replace

    from aptbench.spectra import get_protocol

    protocol = get_protocol(name)
    if quantum_correction in (None, protocol.quantum_correction):
        return protocol
    changed = f"{name} with {quantum_correction} correction"
    return replace(protocol, name=changed, quantum_correction=str(quantum_correction))


def _bands(given: list[str] | None) -> dict[str, tuple[float, float]] | None:
    from aptbench.errors import InputError

    bands = {}
    for text in given or []:
        name, *ends = text.split(":")
        try:
            low, high = map(float, ends)
        except ValueError:
            raise InputError(
                "This is not a band.", got=text, expected="NAME:LOW:HIGH, as in bend:1500:1800"
            ) from None
        bands[name] = (low, high)
    return bands or None


def _numbers(option: str, text: str | None, length: int | None = None) -> list[float] | None:
    from aptbench.errors import InputError

    if text is None:
        return None
    try:
        values = [float(word) for word in text.split(",")]
    except ValueError:
        values = []
    if not values or length not in (None, len(values)):
        raise InputError(
            f"The {option} cannot be read.",
            got=text,
            expected=f"{length or 'some'} numbers with commas between them",
        )
    return values


def _models(opened: SpectralSource, names: list[str]) -> dict[str, NamedModel]:
    """Load models, each by what it was called; refuse those that have seen the test of a task."""
    from aptbench.evaluate.model_names import distinct_names
    from aptbench.models import load_model

    task = None if opened.task is None else opened.task.task.partition("@")[0]
    found: dict[str, NamedModel] = {}
    for name in map(str, distinct_names(names)):
        found[name] = load_model(name, task=task)  # type: ignore[assignment]
        record = opened.check_training(found[name])
        if record is not None and record.status not in ("matches the task", "not trained"):
            note = f" ({record.note})" if record.note else ""
            typer.echo(f"Training of {found[name].name}: {record.status}{note}", err=True)
    return found


def _say_fitted(fitted: FittedLabels, reference: ReferenceCurrents | None) -> None:
    """Say which labels models have seen, where that is not made good by leaving them out."""
    if reference is None:
        if fitted.labels:
            typer.echo(
                "No label is left to correct with: all are training or validation labels of a task "
                "or a model. See --all-labels.",
                err=True,
            )
        return
    if reference.dense and fitted.own:
        typer.echo(
            f"The reference is of the labels of all frames; models were trained on, or selected "
            f"by, {len(fitted.own)} of them.",
            err=True,
        )
    for note in fitted.notes:
        typer.echo(f"{note} Labels that it is compared with may be among them.", err=True)


@contextmanager
def _tensors(
    opened: SpectralSource, models: Mapping[str, NamedModel], cache: bool
) -> Iterator[Mapping[str, PredictedTensors]]:
    """Give the tensors of every model, made when they are asked for, with a progress bar."""
    from aptbench.data import root
    from aptbench.evaluate.prediction_run import PredictedTensors, cache_key, fingerprint
    from aptbench.models import model_folder
    from aptbench.models.allocator import keep_freed_memory

    keep_freed_memory()
    frames = opened.trajectory.frames
    task = None if opened.task is None else opened.task.task.partition("@")[0]
    tensors = {}
    with progress_bar(remaining=True) as bars:
        for name, model in models.items():
            folder = model_folder(name)
            row = bars.add_task(model.name, total=len(frames))
            tensors[model.name] = PredictedTensors(
                model,
                frames,
                cache=root() / "reports" / ".cache" if cache else None,
                key=cache_key(model, fingerprint(folder, task), opened.trajectory.identity, folder),
                advance=lambda n, row=row: bars.advance(row, n),  # type: ignore[misc]
            )
        yield tensors
