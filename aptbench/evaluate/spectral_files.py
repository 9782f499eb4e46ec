"""`write_study` and `write_assignment`: figures and numbers of spectra as files."""

from __future__ import annotations

import csv
import io
import json
import math
import shutil
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from aptbench.atomic import write_atomically
from aptbench.elements import SYMBOLS
from aptbench.evaluate.canvas import save_figure
from aptbench.evaluate.spectral_figures import (
    channels_figure,
    distance_figure,
    power_figure,
    stacked_figure,
    study_figure,
)
from aptbench.evaluate.spectral_study import REFERENCE, SpectralStudy
from aptbench.evaluate.trajectory import DenseTrajectory
from aptbench.spectra.assignment import Assignment
from aptbench.spectra.band import Band
from aptbench.spectra.channel_errors import FamilyError, channel_errors
from aptbench.spectra.power import power_spectrum
from aptbench.spectra.reduction import scratch_array

if TYPE_CHECKING:
    import xarray as xr


def write_study(study: SpectralStudy, folder: Path, *, zarr: bool = True) -> dict[str, Any]:
    """Write ``spectrum.png``, ``.svg``, ``.csv``, ``.json`` and ``.zarr``; return the JSON.

    Parameters
    ----------
    study : SpectralStudy
    folder : Path
    zarr : bool
        Whether to write the Zarr store.
    """
    folder.mkdir(parents=True, exist_ok=True)
    save_figure(study_figure(study), folder / "spectrum")
    columns = {
        f"{name} n*alpha_cm-1": study.spectra.spectrum(name).absorption for name in _names(study)
    }
    found = study.reference_spectrum()
    if found is not None:
        spectrum, low, high = found
        kind = REFERENCE if study.dense else "debiased reference"
        if not study.dense:
            columns[f"{kind} n*alpha_cm-1"] = spectrum.absorption
        columns |= {f"{kind} low": low, f"{kind} high": high}
    if study.from_dipole is not None:
        columns["from dipoles n*alpha_cm-1"] = study.from_dipole.absorption
    write_atomically(folder / "spectrum.csv", _csv(study.spectra.wavenumber, columns))
    summary = summary_of(study)
    write_atomically(folder / "spectrum.json", json.dumps(summary, indent=1) + "\n")
    if zarr:
        _write_zarr(study.to_dataset(), folder / "spectrum.zarr")
    return summary


def summary_of(study: SpectralStudy) -> dict[str, Any]:
    """Return choices, band integrals and scores of a study as plain values."""
    spectra, best = study.spectra, study.best_debiased
    integrals: dict[str, Any] = {}
    for place, ends in study.trajectory.places.items():
        limits = Band(spectra.wavenumber, ends).limits
        row: dict[str, Any] = {"cm-1": list(limits)}
        row["models"] = {name: list(spectra.band_integral(name, ends)) for name in study.models}
        if study.dense:
            row[REFERENCE] = list(spectra.band_integral(REFERENCE, ends))
        elif best is not None:
            row[REFERENCE] = list(study.debiased[best].band_integral(*limits))
        integrals[place] = row
    return _plain(
        {
            **study.attributes(),
            "debiased_with": best,
            "band_integrals_cm-2": integrals,
            "scores": [vars(score) for score in study.scores],
        }
    )


def write_power(trajectory: DenseTrajectory, folder: Path) -> Path:
    """Write the vibrational density of states of each element: ``power.csv`` and a figure."""
    folder.mkdir(parents=True, exist_ok=True)
    frames, first = trajectory.frames, trajectory.first
    velocities = scratch_array((len(frames), frames.n_atoms, 3))
    for start in range(0, len(frames), 1024):
        velocities[start : start + 1024] = frames[start : start + 1024].velocities
    power = power_spectrum(
        velocities,
        first.masses,
        time_step=trajectory.time_step,
        temperature=trajectory.temperature,
        groups=[SYMBOLS[z] for z in first.atomic_numbers],
        protocol=trajectory.protocol,
    )
    columns = {f"{group} modes_per_cm-1": power.of(group) for group in power.groups}
    columns["total modes_per_cm-1"] = power.total
    save_figure(power_figure(power, trajectory.bands), folder / "power")
    return write_atomically(folder / "power.csv", _csv(power.wavenumber, columns))


def write_assignment(
    assignments: Mapping[str, Assignment],
    trajectory: DenseTrajectory,
    folder: Path,
    *,
    zarr: bool = True,
) -> dict[str, Any]:
    """Write the channels of every model: figures, ``channels.csv``, ``.json`` and ``.zarr``.

    Parameters
    ----------
    assignments : mapping of model to Assignment
    trajectory : DenseTrajectory
    folder : Path
    zarr : bool
        Whether to write the Zarr stores.

    Returns
    -------
    dict
        The JSON: integrals of all channels over all bands, and how exactly they add up.
    """
    folder.mkdir(parents=True, exist_ok=True)
    places = trajectory.places
    result: dict[str, Any] = {}
    for model, assignment in assignments.items():
        draw = {f"channels-{model}": channels_figure(assignment, trajectory)}
        if "mode" in assignment.families and len(assignment.family("mode").names) > 1:
            draw[f"modes-{model}"] = stacked_figure(assignment, trajectory, "mode")
        if "distance" in assignment.families and len(assignment.family("distance").names) > 2:
            draw[f"distance-{model}"] = distance_figure(assignment, trajectory)
        for stem, figure in draw.items():
            save_figure(figure, folder / stem)
        columns = {"total": assignment.total.absorption}
        integrals: dict[str, Any] = {}
        for family in assignment.families.values():
            for name, values in zip(family.names, family.spectra, strict=True):
                columns[f"{family.name}: {name}"] = values
                integrals.setdefault(family.name, {})[name] = {
                    place: float(Band(assignment.total.wavenumber, ends).integral(values))
                    for place, ends in places.items()
                }
        write_atomically(
            folder / f"channels-{model}.csv", _csv(assignment.total.wavenumber, columns)
        )
        if zarr:
            _write_zarr(assignment.to_dataset(), folder / f"channels-{model}.zarr")
        result[model] = {
            "additivity": assignment.check_additivity(),
            "attribution": "nucleus (APT)",
            "total_cm-2": {
                place: float(
                    Band(assignment.total.wavenumber, ends).integral(assignment.total.absorption)
                )
                for place, ends in places.items()
            },
            "channels_cm-2": integrals,
        }
    for model, errors in errors_of_channels(assignments, trajectory).items():
        result[model]["errors"] = {
            name: {
                "relative_l1": family.relative_l1,
                "sum_of_channels": family.sum_of_channels,
                "hidden": family.hidden,
                "channels": {
                    e.channel: {"relative_l1": e.relative_l1, "bands": dict(e.bands)}
                    for e in family.channels
                },
            }
            for name, family in errors.items()
        }
    plain = _plain({"protocol": trajectory.protocol.name, "models": result})
    write_atomically(folder / "channels.json", json.dumps(plain, indent=1) + "\n")
    return plain


def errors_of_channels(
    assignments: Mapping[str, Assignment], trajectory: DenseTrajectory
) -> dict[str, Mapping[str, FamilyError]]:
    """Return the errors of the channels of every model, where there is a reference assignment."""
    if REFERENCE not in assignments:
        return {}
    return {
        model: channel_errors(assignment, assignments[REFERENCE], trajectory.bands)
        for model, assignment in assignments.items()
        if model != REFERENCE
    }


def _names(study: SpectralStudy) -> Sequence[str]:
    return [*study.models, *([REFERENCE] if study.dense else [])]


def _csv(wavenumber: Any, columns: Mapping[str, Any]) -> str:
    stream = io.StringIO()
    writer = csv.writer(stream, lineterminator="\n")
    writer.writerow(["wavenumber_cm-1", *columns])
    rows: Iterable[Any] = np.column_stack([wavenumber, *columns.values()])
    writer.writerows([f"{value:.6g}" for value in row] for row in rows)
    return stream.getvalue()


def _write_zarr(dataset: xr.Dataset, path: Path) -> None:
    temporary = path.with_name(f".{path.name}.part")
    shutil.rmtree(temporary, ignore_errors=True)
    dataset.to_zarr(temporary, mode="w", zarr_format=3, consolidated=False)
    shutil.rmtree(path, ignore_errors=True)
    temporary.rename(path)


def _plain(value: Any) -> Any:
    """Return a value that JSON knows: numbers that do not exist are null."""
    if isinstance(value, Mapping):
        return {key: _plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    if isinstance(value, float | np.floating):
        return float(value) if math.isfinite(value) else None
    return int(value) if isinstance(value, np.integer) else value
