"""Tables of spectra in the terminal: bands of models against the reference, and of channels."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import TYPE_CHECKING

from aptbench.evaluate.spectral_study import SpectralStudy
from aptbench.evaluate.trajectory import DenseTrajectory
from aptbench.spectra.assignment import Assignment
from aptbench.spectra.band import Band
from aptbench.spectra.channel_errors import FamilyError
from aptbench.spectra.molar import molar_absorption

if TYPE_CHECKING:
    from rich.table import Table

DENSE_COLUMNS = ("current_error", "band_integral_error", "relative_l1", "wasserstein1")
SPARSE_COLUMNS = ("current_error", "band_integral_error")


def spectral_table(study: SpectralStudy) -> Table:
    """Return a table of scores, one row a model and band, intervals in brackets."""
    from rich.table import Table

    columns = DENSE_COLUMNS if study.dense else SPARSE_COLUMNS
    reference = study.reference
    title = f"{study.trajectory.protocol.name}, {len(study.trajectory.frames)} frames"
    if reference is not None:
        title += f"; {len(reference.label_frames)} labels {reference.theory}"
    scores = {(s.model, s.band, s.metric): s for s in study.scores}
    rows = list(dict.fromkeys((s.model, s.band) for s in study.scores))
    if not rows:
        factor, unit = integral_unit(study.trajectory.isolated, study.trajectory.volume)
        table = Table("model", "band", f"integral / {unit}", title=title)
        for name in study.models:
            for place, ends in study.trajectory.places.items():
                values = study.spectra.band_integral(name, ends)
                table.add_row(name, place, with_interval(*(factor * x for x in values)))
        return table
    table = Table("model", "band", *(name.replace("_", " ") for name in columns), title=title)
    for model, place in rows:
        cells = []
        for name in columns:
            score = scores.get((model, place, name))
            cells.append("" if score is None else with_interval(score.value, score.low, score.high))
        table.add_row(model, place, *cells)
    return table


def integral_unit(isolated: bool, volume: float) -> tuple[float, str]:
    """Return a factor for integrals of the absorption in cm^-2, and the unit that they then have.

    An isolated system has no volume, so its integrals are molar ones, per mole of the system.

    >>> integral_unit(False, 1915.9)
    (1e-06, '10^6 cm^-2')
    >>> factor, unit = integral_unit(True, 1000.0)
    >>> f"{factor * 1.79e6:.1f} {unit}"
    '10.8 10^3 km/mol'
    """
    if isolated:
        return 1e-3 * molar_absorption(volume), "10^3 km/mol"
    return 1e-6, "10^6 cm^-2"


def channel_table(model: str, assignment: Assignment, trajectory: DenseTrajectory) -> Table:
    """Return a table of the share of every channel in every band, in percent of the band."""
    from rich.table import Table

    bands = {
        name: Band(assignment.total.wavenumber, ends) for name, ends in trajectory.places.items()
    }
    whole = {
        name: float(band.integral(assignment.total.absorption)) for name, band in bands.items()
    }
    table = Table("family", "channel", *(f"{name} / %" for name in bands), title=model)
    for family in assignment.families.values():
        for name, values in zip(family.names, family.spectra, strict=True):
            shares = [
                f"{round(100 * float(band.integral(values)) / whole[place], 1) + 0.0:.1f}"
                for place, band in bands.items()
            ]
            table.add_row(family.name, name, *shares)
        table.add_section()
    return table


def channel_error_table(model: str, errors: Mapping[str, FamilyError]) -> Table:
    """Return a table of the error of every channel in percent of the spectrum of the reference."""
    from rich.table import Table

    title = f"{model} against the reference: area of the error, % of the area of the spectrum"
    table = Table("family", "channel", "error / %", title=title)
    for family in errors.values():
        for error in family.channels:
            table.add_row(family.family, error.channel, f"{100 * error.relative_l1:.1f}")
        table.add_row(family.family, "total", f"{100 * family.relative_l1:.1f}")
        table.add_row(family.family, "hidden by cancellation", f"{100 * family.hidden:.1f}")
        table.add_section()
    return table


def with_interval(value: float, low: float, high: float) -> str:
    """Return a number with its interval to three digits, without brackets if there is none.

    >>> with_interval(0.1234, 0.1, 0.2), with_interval(2.0, float("nan"), float("nan"))
    ('0.123 [0.1, 0.2]', '2')
    """
    if not math.isfinite(value):
        return "–"
    if not (math.isfinite(low) and math.isfinite(high)):
        return f"{value:.3g}"
    return f"{value:.3g} [{low:.3g}, {high:.3g}]"


def percent(value: float) -> str:
    """Return a signed number in whole percent.

    >>> percent(-0.001), percent(0.256)
    ('+0 %', '+26 %')
    """
    return f"{round(100 * value):+d} %"


def percent_interval(low: float, high: float) -> str:
    """Return the ends of an interval in percent; nothing if there is none.

    >>> percent_interval(-0.031, 0.2)
    '[-3, +20]'
    """
    if not (math.isfinite(low) and math.isfinite(high)):
        return ""
    return f"[{round(100 * low):+d}, {round(100 * high):+d}]"
