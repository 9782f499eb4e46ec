"""The columns of a table of results, and how a number is written with its interval."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from aptbench.evaluate.cost_table import cost_columns
from aptbench.evaluate.result import Metric, Result
from aptbench.metrics import UNCERTAINTY_METRICS
from aptbench.spectra.fidelity import WHOLE

if TYPE_CHECKING:
    from rich.table import Table
    from rich.text import Text

    from aptbench.metrics.scoring import Score

_UNCERTAINTY = {
    "z_score": "z-score, ideal 1",
    "coverage_95": "coverage, ideal 0.95",
    "error_rank_correlation": "rank correlation",
    "negative_log_likelihood": "log-likelihood loss",
}
ROUNDING = 1e-12
"""Difference of two values that are one."""
MOST_COLUMNS = 4
"""Models beside each other in the terminal; more are written below each other."""


@dataclass(frozen=True)
class Column:
    """One column.

    Parameters
    ----------
    metric : str
        Name of the metric.
    heading : str
    unit : str
    explanation : str
        One sentence that says what the number is.
    ideal : float
        Value of a perfect model; infinite where there is no limit.
    spectral : bool
        Whether it is a metric of the spectrum.
    has_best : bool
        Whether the value nearest to the ideal is the best one; not of a signed error of a sum, in
        which errors of both signs cancel.
    """

    metric: str
    heading: str
    unit: str
    explanation: str
    ideal: float = 0.0
    spectral: bool = False
    has_best: bool = True

    def of(self, result: Result) -> Metric | None:
        """Return the metric of a result, None if it has none."""
        if self.spectral:
            return None if result.spectrum is None else result.spectrum.metrics.get(self.metric)
        return result.metrics.get(self.metric)

    def distance(self, value: float) -> float:
        """Return what is the less the better a value is: its distance from the ideal."""
        if math.isinf(self.ideal):
            return -value if self.ideal > 0 else value
        return abs(value - self.ideal)

    def is_best(self, metric: Metric, results: Iterable[Result]) -> bool:
        """Return whether a metric of one of the results is the best; rounding does not decide."""
        best = self.best(results)
        return best is not None and abs(metric.value - best) <= ROUNDING

    def best(self, results: Iterable[Result]) -> float | None:
        """Return the value nearest to the ideal, None if no result has one or none is the best."""
        if not self.has_best:
            return None
        values = [metric.value for r in results if (metric := self.of(r)) is not None]
        return min(values, key=self.distance, default=None)


def columns(results: Iterable[Result]) -> list[Column]:
    """Return the columns of accuracy that at least one of the results can fill, in order."""
    metrics = {name: m.unit for result in results for name, m in result.metrics.items()}
    species = sorted(
        (m[1] for name in metrics if (m := re.fullmatch(r"rmse\[([A-Z][a-z]?)\]", name))),
        reverse=True,
    )
    wanted = [("rmse", "RMSE", "Root mean square error over atoms and nine components.")]
    wanted += [(f"rmse[{s}]", f"RMSE {s}", f"The same for {s} atoms.") for s in species]
    parts = ("isotropic", "antisymmetric", "symmetric traceless")
    wanted += [
        (f"rmse[L={k}]", f"RMSE L={k}", f"The {part} part; the three squares add up to the total.")
        for k, part in enumerate(parts)
    ]
    wanted += [
        (
            "normalized_rmse",
            "normalised",
            "Error over the spread of the labels; 1 is predicting the mean charge of a species.",
        ),
        (
            "current_error",
            "current error",
            "rms error of the current dM/dt at the test labels over the rms current.",
        ),
        (
            "assignment_error",
            "assignment",
            "The same of the currents of translation, libration, bend and stretches, in which "
            "errors of two motions cannot cancel.",
        ),
        ("sum_rule_residual", "sum rule", "rms acoustic sum over the atoms of a cell."),
        ("equivariance_error", "equivariance", "Largest violation under a rotation or inversion."),
    ]
    return [
        Column(name, heading, "" if metrics[name] in ("", "1") else metrics[name], explanation)
        for name, heading, explanation in wanted
        if name in metrics
    ]


def uncertainty_columns(results: Iterable[Result]) -> list[Column]:
    """Return the columns of predicted uncertainties; none if no model predicts any."""
    metrics = {name for result in results for name in result.metrics}
    return [
        Column(name, _UNCERTAINTY[name], "", f"{metric.title.capitalize()}.", metric.ideal)
        for name, metric in UNCERTAINTY_METRICS.items()
        if name in metrics
    ]


def assignment_columns(results: Iterable[Result]) -> list[Column]:
    """Return the columns of the errors of each motion; none if the molecules have no motions."""
    names = dict.fromkeys(name for result in results for name in result.metrics)
    return [
        Column(name, match[1], "", f"rms error of the current of the {match[1]} over its rms.")
        for name in names
        if (match := re.fullmatch(r"assignment_error\[(.+)\]", name))
    ]


def spectrum_columns(results: Iterable[Result]) -> list[Column]:
    """Return the columns of the spectrum; none if no result has a spectrum with a reference.

    The first is what models are ranked by: the relative L1 norm where every frame is labelled, the
    error of the current at the test labels elsewhere.
    """
    found = list(results)
    spectra = [result.spectrum for result in found if result.spectrum is not None]
    metrics = {name for spectrum in spectra for name in spectrum.metrics}
    places = [WHOLE, *dict.fromkeys(band for spectrum in spectra for band in spectrum.bands)]
    dense = f"relative_l1[{WHOLE}]" in metrics
    shown = []
    if dense:
        words = "Area between the spectra over that of the reference."
        shown.append(Column(f"relative_l1[{WHOLE}]", "relative L1", "", words, spectral=True))
    elif metrics and any("current_error" in result.metrics for result in found):
        words = "rms error of the current dM/dt at the test labels over its rms there."
        shown.append(Column("current_error", "current error, test labels", "", words))
    if f"current_error[{WHOLE}]" in metrics:
        words = "rms error of dM/dt over its rms, of all frames of the segment"
        shown.append(
            Column(
                f"current_error[{WHOLE}]",
                f"current error, whole segment{'' if dense else ' (estimated)'}",
                "",
                f"{words}." if dense else f"{words}, as estimated from the labels of some.",
                spectral=True,
            )
        )
    words = "Relative error of the integral of the absorption over {}; errors of both signs cancel."
    return shown + [
        Column(
            f"band_integral_error[{place}]",
            f"integral, {place}",
            "",
            words.format("the whole grid" if place == WHOLE else f"the {place} band"),
            spectral=True,
            has_best=False,
        )
        for place in places
        if f"band_integral_error[{place}]" in metrics
    ]


def number(value: float) -> str:
    """Write a number with as many digits as tables need.

    >>> number(0.02263), number(1.234), number(3e-7), number(0.0), number(20418.3)
    ('0.0226', '1.234', '3.0e-07', '0', '20418')
    """
    if value == 0:
        return "0"
    if abs(value) < 5e-4 or abs(value) >= 1e5:
        return f"{value:.1e}"
    if abs(value) >= 1000:
        return f"{value:.0f}"
    return f"{value:.4f}" if abs(value) < 1 else f"{value:.3f}"


def interval(metric: Metric) -> str:
    """Write the interval of a metric, or nothing where there is none or it is a point.

    >>> interval(Metric(value=0.1, low=0.08, high=0.12, unit="e"))
    '0.0800–0.1200'
    >>> interval(Metric(value=-2.0, low=-2.1, high=-1.9, unit="1"))
    '-2.100 to -1.900'
    """
    if metric.low is None or metric.high is None or metric.low == metric.high:
        return ""
    dash = " to " if metric.low < 0 else "–"
    return f"{number(metric.low)}{dash}{number(metric.high)}"


def is_trivial(spread: Metric | Score | None) -> bool:
    """Return whether a model may be no better than the mean charge of each species.

    Parameters
    ----------
    spread : Metric, Score or None
        The ``normalized_rmse`` of the model, which is 1 for those charges.

    Examples
    --------
    >>> is_trivial(Metric(value=0.98, low=0.95, high=1.01, unit="1"))
    True
    >>> is_trivial(Metric(value=0.98, low=0.97, high=0.99, unit="1"))
    False
    """
    if spread is None:
        return False
    return (spread.value if spread.high is None else spread.high) >= 1.0


def ranked(results: Iterable[Result]) -> list[Result]:
    """Return results with the smallest error first."""
    return sorted(results, key=lambda r: (r.metrics["rmse"].value, r.model.name))


def terminal_tables(results: Sequence[Result], title: str) -> list[Table]:
    """Return the tables for the terminal.

    A few models get one table, a column a model, with all metrics and intervals below the values.
    Many get a row each, in tables of errors, of exact and relative numbers, and of costs, each
    narrow enough for a terminal.
    """
    if len(results) <= MOST_COLUMNS:
        return [_beside(results, title)]
    shown = columns(results)
    errors = [column for column in shown if column.unit and column.metric.startswith("rmse")]
    others = [column for column in shown if column not in errors]
    tables = [_below(results, errors, title)]
    more = (others, uncertainty_columns(results))
    tables += [_below(results, group, "") for group in more if group]
    if cost_columns(results):
        tables.append(_costs(results))
    return tables


def _beside(results: Sequence[Result], title: str) -> Table:
    from rich.table import Table
    from rich.text import Text

    table = Table(title=title, title_justify="left", title_style="bold")
    table.add_column("metric", no_wrap=True)
    for result in results:
        table.add_column(result.model.name, justify="right", overflow="fold")
    for column in (*columns(results), *uncertainty_columns(results)):
        best = column.best(results)
        cells = []
        for result in results:
            metric = result.metrics.get(column.metric)
            text = _cell(metric, best if len(results) > 1 else None)
            if metric is not None and interval(metric):
                text.append(f"\n{interval(metric)}", style="dim")
            cells.append(text)
        table.add_row(_label(column), *cells)
    for cost in cost_columns(results):
        table.add_row(cost.label, *(Text(cost.text(result)) for result in results))
    return table


def _below(results: Sequence[Result], shown: Sequence[Column], title: str) -> Table:
    from rich.text import Text

    table = _rows(title)
    for column in shown:
        # next to the total, the parts need not repeat what they are errors of
        part = column.metric.startswith("rmse[")
        heading = column.heading.removeprefix("RMSE ") if part else _label(column)
        table.add_column(heading, justify="right", overflow="fold")
        if column.metric == "rmse":
            table.add_column("95 %", justify="right", style="dim")
    best = {column.metric: column.best(results) for column in shown}
    for result in ranked(results):
        if not any(column.metric in result.metrics for column in shown):
            continue
        cells = []
        for column in shown:
            metric = result.metrics.get(column.metric)
            cells.append(_cell(metric, best[column.metric]))
            if column.metric == "rmse":
                cells.append(Text("" if metric is None else interval(metric)))
        table.add_row(result.model.name, *cells)
    return table


def _costs(results: Sequence[Result]) -> Table:
    # what the weights were trained on is said before the run, and the line is full
    shown = [column for column in cost_columns(results) if column.heading != "trained on"]
    table = _rows("")
    for column in shown:
        table.add_column(column.label, justify="right", overflow="fold")
    for result in ranked(results):
        table.add_row(result.model.name, *(column.text(result) for column in shown))
    return table


def _rows(title: str) -> Table:
    from rich import box
    from rich.table import Table

    table = Table(
        title=title or None,
        title_justify="left",
        title_style="bold",
        box=box.SIMPLE_HEAD,
        pad_edge=False,
        show_edge=False,
        padding=0,
    )
    table.add_column("model", no_wrap=True)
    return table


def _label(column: Column) -> str:
    return column.heading + (f" ({column.unit})" if column.unit else "")


def _cell(metric: Metric | None, best: float | None) -> Text:
    from rich.text import Text

    if metric is None:
        return Text("–", style="dim")
    return Text(number(metric.value), style="bold" if metric.value == best else "")
